package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket"
	"runtime"
	"sort"
	"strings"

	"github.com/spf13/cobra"
)

// caFile finds the authority's certificate: --ca, or the one in the data folder.
func (t *target) caFile() (string, error) {
	path := t.ca
	if path == "" && t.url == "" {
		path = filepath.Join(t.data, "tls", "ca.pem")
	}
	if path == "" {
		return "", &exitError{exitUsage, errors.New("name the authority's certificate of --url with --ca")}
	}
	if _, err := os.Stat(path); err != nil {
		return "", &exitError{exitNotFound, fmt.Errorf("no certificate of picket's own authority at %s: the server has not been started yet, or uses a certificate of yours (--cert)", path)}
	}
	return filepath.Abs(path)
}

func trustCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "trust", Short: "Print picket's own authority and how clients and systems come to trust it",
		Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := t.caFile()
			if err != nil {
				return err
			}
			pem, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("read the authority: %w", err)
			}
			w := c.OutOrStdout()
			if t.json {
				return printJSON(w, map[string]string{"file": path, "pem": string(pem)})
			}
			fmt.Fprintf(w, "# The authority that signed this server's certificate: %s\n%s\n", path, pem)
			fmt.Fprintln(w, "# For the commands of one shell:")
			for _, l := range trustLines(path) {
				fmt.Fprintln(w, l)
			}
			fmt.Fprintf(w, "\n# For a whole machine, as root:\n#   Debian, Ubuntu:  cp %[1]s /usr/local/share/ca-certificates/picket.crt && update-ca-certificates\n#   Fedora, RHEL:    cp %[1]s /etc/pki/ca-trust/source/anchors/picket.pem && update-ca-trust\n#   macOS:           security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain %[1]s\n#   Windows:         certutil -addstore Root %[1]s\n", path)
			return nil
		},
	}
}

// trustLines make each runtime trust the authority. Go and OpenSSL read one file in place of the system's, so
// SSL_CERT_DIR is kept out of it.
func trustLines(ca string) []string {
	return []string{
		export("SSL_CERT_FILE", ca),       // Go, OpenSSL, Ruby
		export("REQUESTS_CA_BUNDLE", ca),  // Python requests, az
		export("CURL_CA_BUNDLE", ca),      // curl
		export("NODE_EXTRA_CA_CERTS", ca), // Node.js
	}
}

func export(k, v string) string {
	if runtime.GOOS == "windows" {
		return "set " + k + "=" + v
	}
	return "export " + k + "='" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}

// settingsFor is what a client of one kind needs.
type settingsFor struct {
	about string
	lines func(e *environment) []string
}

// environment is what the lines are made of.
type environment struct {
	ws                           picket.WorkspaceInfo
	ca, clientID, secret, secure string
	demo                         *picket.Demo
}

func (e *environment) azure() []string {
	return append(trustLines(e.ca),
		export("AZURE_AUTHORITY_HOST", e.ws.URL), export("AZURE_TENANT_ID", "adfs"), // adfs: the SDKs skip the instance discovery at Microsoft
		export("AZURE_CLIENT_ID", e.clientID), export("AZURE_CLIENT_SECRET", e.secret),
		export("AZURE_SUBSCRIPTION_ID", e.ws.SubscriptionID), export("AZURE_RESOURCE_GROUP", e.ws.ResourceGroup),
		export("PICKET_ENDPOINT", e.ws.URL), export("PICKET_WORKSPACE_ID", e.ws.ID), export("PICKET_WORKSPACE_NAME", e.ws.Name),
	)
}

func comment(lines ...string) []string {
	for i := range lines {
		lines[i] = "# " + lines[i]
	}
	return lines
}

// clients are the kinds that picket env knows.
var clients = map[string]settingsFor{
	"python": {"azure-identity, azure-monitor-query, azure-monitor-ingestion, azure-kusto-data, azure-mgmt-*", func(e *environment) []string {
		return append(e.azure(), comment("LogsQueryClient(cred, endpoint=os.environ['PICKET_ENDPOINT'] + '/v1')", "LogsIngestionClient(os.environ['PICKET_ENDPOINT'], cred)",
			"LogAnalyticsManagementClient(cred, sub, base_url=os.environ['PICKET_ENDPOINT'], credential_scopes=['https://management.azure.com/.default'])",
			"Kusto: KustoConnectionStringBuilder.with_aad_application_key_authentication(url, client_id, secret, 'adfs')")...)
	}},
	"go": {"azidentity, azlogs (query and ingestion), azkustodata", func(e *environment) []string {
		return append(e.azure(), comment("azidentity reads these; azlogs.NewClient takes the address in ClientOptions.Cloud.Services")...)
	}},
	"javascript": {"@azure/identity, @azure/monitor-query-logs, @azure/monitor-ingestion, azure-kusto-data", func(e *environment) []string {
		return append(e.azure(), comment("new LogsQueryClient(cred, { endpoint: process.env.PICKET_ENDPOINT + '/v1' })", "new LogsIngestionClient(process.env.PICKET_ENDPOINT, cred)")...)
	}},
	"az": {"the Azure CLI", func(e *environment) []string {
		return append(trustLines(e.ca), export("AZURE_CORE_INSTANCE_DISCOVERY", "false"),
			"az cloud register -n Picket --endpoint-resource-manager '"+e.ws.URL+"'",
			"az cloud set -n Picket", "# a person: az login --use-device-code --tenant adfs", "az login --service-principal --tenant adfs -u "+e.clientID+" -p '"+e.secret+"'")
	}},
	"identity": {"managed identity, for azure-identity's ManagedIdentityCredential", func(e *environment) []string {
		lines := trustLines(e.ca)
		if e.demo != nil && e.demo.MSIURL != "" {
			return append(lines, export("IDENTITY_ENDPOINT", e.demo.MSIURL), export("IDENTITY_HEADER", e.demo.IdentityHeader))
		}
		return append(lines, comment("the endpoint is served on the address of serve --http: IDENTITY_ENDPOINT=http://ADDRESS/msi/token",
			"IDENTITY_HEADER comes from: picket access add --kind identity NAME")...)
	}},
	"curl": {"curl with a personal token", func(e *environment) []string {
		return append(trustLines(e.ca), export("PICKET_URL", e.ws.URL), export("PICKET_TOKEN", e.secure),
			`# curl -H "Authorization: Bearer $PICKET_TOKEN" -H 'Content-Type: application/json' -d '{"query":"Heartbeat | count"}' $PICKET_URL/v1/workspaces/`+e.ws.ID+`/query`)
	}},
	"collector": {"senders of the HTTP Data Collector API", func(e *environment) []string {
		lines := append(trustLines(e.ca), export("WORKSPACE_ID", e.ws.ID))
		if e.demo != nil {
			return append(lines, export("SHARED_KEY", e.demo.SharedKey), export("COLLECTOR_URL", e.ws.URL+"/api/logs?api-version=2016-04-01"))
		}
		return append(lines, export("COLLECTOR_URL", e.ws.URL+"/api/logs?api-version=2016-04-01"), "# SHARED_KEY: POST "+e.ws.ResourceID+"/sharedKeys?api-version=2020-08-01 as Owner")
	}},
	"fluent-bit": {"Fluent Bit's azure_logs_ingestion output", func(e *environment) []string {
		return comment("[OUTPUT]", "    Name          azure_logs_ingestion", "    Match         *", "    auth_url      "+e.ws.URL+"/"+e.ws.TenantID+"/oauth2/v2.0/token", "    client_id     "+e.clientID, "    client_secret "+e.secret,
			"    tenant_id     "+e.ws.TenantID, "    dce_url       "+e.ws.URL, "    dcr_id        dcr-…", "    table_name    MyTable_CL", "    tls.ca_file   "+e.ca)
	}},
	"vector": {"Vector's azure_logs_ingestion sink", func(e *environment) []string {
		return comment("[sinks.picket]", `type = "azure_logs_ingestion"`, `endpoint = "`+e.ws.URL+`"`, `dcr_immutable_id = "dcr-…"`, `stream_name = "Custom-MyTable_CL"`, `[sinks.picket.tls]`, `ca_file = "`+e.ca+`"`)
	}},
}

func envCommand(t *target) *cobra.Command {
	var role, name string
	names := make([]string, 0, len(clients))
	for n := range clients {
		names = append(names, n)
	}
	sort.Strings(names)
	c := &cobra.Command{
		Use: "env CLIENT", Short: "Print what a client needs in its environment to use this picket",
		Long:    "Print what a client needs in its environment to use this picket. Clients: " + strings.Join(names, ", ") + ".\n\nThe walk-through's principal is used where there is one; else give --new NAME to make one.",
		Example: `  eval "$(picket env python --data demo)"`,
		Args:    args(1, "one of "+strings.Join(names, ", ")),
		RunE: func(c *cobra.Command, a []string) error {
			kind, ok := clients[strings.ToLower(a[0])]
			if !ok {
				return &exitError{exitUsage, fmt.Errorf("no client %q; there are: %s", a[0], strings.Join(names, ", "))}
			}
			return t.with(c.Context(), func(cl *client) error {
				e := &environment{ws: cl.ws, clientID: "CLIENT-ID", secret: "CLIENT-SECRET", secure: "TOKEN"}
				var err error
				if e.ca, err = t.caFile(); err != nil {
					return err
				}
				if t.url == "" {
					if d, err := picket.ReadDemo(t.data); err == nil {
						e.demo, e.clientID, e.secret, e.secure = d, d.ClientID, d.ClientSecret, d.Token
					}
				}
				if name != "" {
					var g grantMade
					if err := cl.send(c.Context(), "POST", "/api/v1/access", map[string]string{"kind": "principal", "name": name, "role": role}, &g); err != nil {
						return err
					}
					e.clientID, e.secret = g.ClientID, g.ClientSecret
				} else if e.demo == nil {
					fmt.Fprintln(c.ErrOrStderr(), "picket: these lines lack a principal: add --new NAME to make one")
				}
				for _, l := range kind.lines(e) {
					fmt.Fprintln(c.OutOrStdout(), l)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&name, "new", "", "make a service principal of this name for the client")
	c.Flags().StringVar(&role, "role", "Contributor", "role of the new principal: Reader, Responder, Contributor, Owner")
	return c
}

// grantMade is what the server answers when access was given.
type grantMade struct {
	Kind           string `json:"kind"`
	Name           string `json:"name"`
	Role           string `json:"role"`
	ClientID       string `json:"clientId"`
	ClientSecret   string `json:"clientSecret"`
	IdentityHeader string `json:"identityHeader"`
	Token          string `json:"token"`
}

func accessCommand(t *target) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List who has access", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []struct {
						ID, Kind, Name, Role, Created, Expires, Owner, LastUsed string
						Disabled                                                bool
					}
				}
				if err := cl.get(c.Context(), "/api/v1/access", &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				var rows [][]string
				for _, g := range out.Value {
					role := g.Role
					if g.Disabled {
						role = "disabled"
					}
					rows = append(rows, []string{g.Kind, g.Name, role, g.Owner, g.ID, g.Created, g.Expires, g.LastUsed})
				}
				return table(c.OutOrStdout(), []string{"KIND", "NAME", "ROLE", "OWNER", "ID", "CREATED", "EXPIRES", "LAST USED"}, rows)
			})
		},
	}
	var kind, role string
	var days int
	add := &cobra.Command{
		Use: "add NAME", Short: "Give access; the secret is shown this once", Args: args(1, "a name"),
		Example: `  picket access add shipper --role Contributor
  picket access add grafana --kind token --role Reader --days 365`,
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var g grantMade
				if err := cl.send(c.Context(), "POST", "/api/v1/access", map[string]any{"kind": kind, "name": a[0], "role": role, "days": days}, &g); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), g)
				}
				w := c.OutOrStdout()
				for _, f := range [][2]string{{"client id", g.ClientID}, {"client secret", g.ClientSecret}, {"identity header", g.IdentityHeader}, {"token", g.Token}} {
					if f[1] != "" {
						fmt.Fprintf(w, "%s: %s\n", f[0], f[1])
					}
				}
				return nil
			})
		},
	}
	add.Flags().StringVar(&kind, "kind", "principal", "principal, identity or token")
	add.Flags().StringVar(&role, "role", "Contributor", "Reader, Responder, Contributor or Owner")
	add.Flags().IntVar(&days, "days", 0, "days until a token expires; 0 is without end")
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "Take access away", Args: args(1, "the id that list shows"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				return cl.do(c.Context(), "DELETE", "/api/v1/access/"+esc(a[0]), "", nil, nil)
			})
		},
	}
	var newRole string
	var disable, enable bool
	var redirects []string
	set := &cobra.Command{
		Use: "set ID", Short: "Change a principal's or identity's role, shut it out or let it in", Args: args(1, "the id that list shows"),
		Example: `  picket access set ID --role Reader
  picket access set ID --disable`,
		RunE: func(c *cobra.Command, a []string) error {
			body := map[string]any{}
			if newRole != "" {
				body["role"] = newRole
			}
			if disable || enable {
				body["disabled"] = disable
			}
			if c.Flags().Changed("redirect-uri") {
				body["redirectUris"] = redirects
			}
			if len(body) == 0 || disable && enable {
				return &exitError{exitUsage, errors.New("give --role, --disable or --enable, or --redirect-uri")}
			}
			return t.with(c.Context(), func(cl *client) error {
				return cl.send(c.Context(), "PATCH", "/api/v1/access/"+esc(a[0]), body, nil)
			})
		},
	}
	set.Flags().StringVar(&newRole, "role", "", "Reader, Responder, Contributor or Owner")
	set.Flags().BoolVar(&disable, "disable", false, "shut it out")
	set.Flags().BoolVar(&enable, "enable", false, "let it in again")
	set.Flags().StringSliceVar(&redirects, "redirect-uri", nil, "where a principal that people sign in to sends them back")
	secret := &cobra.Command{
		Use: "secret ID", Short: "Give a principal a new secret, shown this once; the old one ends", Args: args(1, "the id that list shows"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var g grantMade
				if err := cl.send(c.Context(), "POST", "/api/v1/access/secrets/"+esc(a[0]), map[string]any{}, &g); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), g)
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "client id: %s\nclient secret: %s\n", g.ClientID, g.ClientSecret)
				return err
			})
		},
	}
	return group(&cobra.Command{Use: "access", Short: "Service principals, managed identities and personal tokens"}, list, add, set, secret, revoke)
}
