package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

const insightsPath = "/providers/Microsoft.SecurityInsights/"

func automationCommand(t *target) *cobra.Command {
	return group(&cobra.Command{Use: "automation", Short: "Automation rules: what is done when an incident comes or changes"},
		automationListCommand(t), automationImportCommand(t), automationSwitchCommand(t, "on", true), automationSwitchCommand(t, "off", false), automationDeleteCommand(t))
}

func automationListCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List automation rules in the order they run", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				all, err := everyPage(c, cl, cl.arm(insightsPath+"automationRules"))
				if err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), all)
				}
				rows := [][]string{}
				for _, raw := range all {
					var r struct {
						Name       string
						Properties struct {
							DisplayName     string
							Order           int
							TriggeringLogic struct {
								IsEnabled                bool
								TriggersOn, TriggersWhen string
								ExpirationTimeUtc        *time.Time
							}
							Actions []struct{ ActionType string }
						}
					}
					if err := json.Unmarshal(raw, &r); err != nil {
						return err
					}
					p := r.Properties
					var acts []string
					for _, a := range p.Actions {
						acts = append(acts, a.ActionType)
					}
					until := ""
					if x := p.TriggeringLogic.ExpirationTimeUtc; x != nil {
						until = when(*x)
					}
					rows = append(rows, []string{fmt.Sprint(p.Order), p.DisplayName, p.TriggeringLogic.TriggersOn + " " + p.TriggeringLogic.TriggersWhen, strings.Join(acts, ", "), fmt.Sprint(p.TriggeringLogic.IsEnabled), until, r.Name})
				}
				return table(c.OutOrStdout(), []string{"ORDER", "NAME", "WHEN", "DOES", "ENABLED", "UNTIL", "ID"}, rows)
			})
		},
	}
}

// everyPage reads a listing of the management API to its end.
func everyPage(c *cobra.Command, cl *client, path string) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for path != "" {
		var out struct {
			Value    []json.RawMessage `json:"value"`
			NextLink string            `json:"nextLink"`
		}
		if err := cl.get(c.Context(), path, &out); err != nil {
			return nil, err
		}
		all, path = append(all, out.Value...), ""
		if out.NextLink != "" {
			u, err := url.Parse(out.NextLink)
			if err != nil {
				return nil, fmt.Errorf("the server's nextLink: %w", err)
			}
			path = u.RequestURI()
		}
	}
	return all, nil
}

func automationImportCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "import FILE…", Short: "Import automation rules: the JSON of the API, or a template that holds them", Args: argsBetween(1, 0, "rule files"),
		Long: `Import automation rules: the JSON of Microsoft.SecurityInsights/automationRules ({"name": …, "properties": {…}}), or a
template whose resources hold them, as Microsoft Sentinel exports it. A playbook is found by the last part of its
resource id, so that a rule written for a workspace in Azure runs the playbook of the same name here.`,
		Example: "  picket automation import assign-canaries.json",
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				bad := 0
				for _, path := range a {
					raw, err := readJSONFile(path)
					if err == nil {
						err = importAutomation(c, t, cl, raw)
					}
					if err != nil {
						bad++
						fmt.Fprintf(os.Stderr, "picket: %s: %v\n", path, err)
					}
				}
				if bad > 0 {
					return fmt.Errorf("%d of %d files were not imported whole", bad, len(a))
				}
				return nil
			})
		},
	}
}

func importAutomation(c *cobra.Command, t *target, cl *client, raw json.RawMessage) error {
	type resource struct {
		Type       string
		Name       string
		Properties json.RawMessage
	}
	var file struct {
		resource
		Resources []resource
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return err
	}
	list := file.Resources
	if list == nil {
		list = []resource{file.resource}
	}
	n := 0
	for _, r := range list {
		if r.Type != "" && !strings.HasSuffix(strings.ToLower(r.Type), "/automationrules") {
			continue
		}
		if r.Properties == nil {
			return errors.New(`the file has no "properties": it is not an automation rule`)
		}
		n++
		id := r.Name[strings.LastIndexByte(r.Name, '/')+1:]
		if id == "" || strings.ContainsAny(id, "[]()'") { // a template's expression
			var p struct{ DisplayName string }
			if err := json.Unmarshal(r.Properties, &p); err != nil {
				return err
			}
			id = uuid.NewSHA1(uuid.NameSpaceURL, []byte("automation:"+p.DisplayName)).String()
		}
		var out struct {
			Name       string                       `json:"name"`
			Properties struct{ DisplayName string } `json:"properties"`
		}
		if err := cl.send(c.Context(), "PUT", cl.arm(insightsPath+"automationRules/"+esc(id)), map[string]any{"properties": r.Properties}, &out); err != nil {
			return err
		}
		if t.json {
			if err := printJSON(c.OutOrStdout(), out); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "imported %s (%s)\n", clean(out.Properties.DisplayName), out.Name)
	}
	if n == 0 {
		return errors.New("the template has no resource of the type Microsoft.SecurityInsights/automationRules")
	}
	return nil
}

func automationSwitchCommand(t *target, use string, on bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " ID", Short: "Turn an automation rule " + use, Args: args(1, "one rule's id"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				path := cl.arm(insightsPath + "automationRules/" + esc(a[0]))
				var r map[string]any
				if err := cl.get(c.Context(), path, &r); err != nil {
					return err
				}
				p, _ := r["properties"].(map[string]any)
				logic, ok := p["triggeringLogic"].(map[string]any)
				if !ok {
					return errors.New("the server's rule has no triggeringLogic")
				}
				logic["isEnabled"] = on
				return cl.send(c.Context(), "PUT", path, r, nil)
			})
		},
	}
}

func automationDeleteCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Delete an automation rule", Args: args(1, "one rule's id"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				return cl.do(c.Context(), "DELETE", cl.arm(insightsPath+"automationRules/"+esc(a[0])), "", nil, nil)
			})
		},
	}
}

func watchlistCommand(t *target) *cobra.Command {
	return group(&cobra.Command{Use: "watchlist", Short: "Watchlists: tables that queries look things up in"},
		watchlistListCommand(t), watchlistUploadCommand(t), watchlistShowCommand(t), watchlistDeleteCommand(t))
}

func watchlistListCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List watchlists", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				all, err := everyPage(c, cl, cl.arm(insightsPath+"watchlists"))
				if err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), all)
				}
				rows := [][]string{}
				for _, raw := range all {
					var w struct {
						Properties struct {
							WatchlistAlias, DisplayName, ItemsSearchKey, Provider string
							Updated                                               time.Time
						}
					}
					if err := json.Unmarshal(raw, &w); err != nil {
						return err
					}
					p := w.Properties
					rows = append(rows, []string{p.WatchlistAlias, p.DisplayName, p.ItemsSearchKey, p.Provider, when(p.Updated)})
				}
				return table(c.OutOrStdout(), []string{"ALIAS", "NAME", "SEARCH KEY", "PROVIDER", "UPDATED"}, rows)
			})
		},
	}
}

func watchlistUploadCommand(t *target) *cobra.Command {
	var name, key, provider string
	var skip int
	c := &cobra.Command{
		Use: "upload ALIAS FILE.csv", Short: "Make a watchlist of a CSV file, or add its rows to one", Args: args(2, "an alias and a CSV file"),
		Long: `Make a watchlist of a CSV file with a header line, or add the file's rows to the one that is there. A row whose search
key is in the list already replaces that item.`,
		Example: `  picket watchlist upload CrownJewels hosts.csv --key Host
  picket query "SecurityEvent | where Computer in ((_GetWatchlist('CrownJewels') | project SearchKey))"`,
		RunE: func(c *cobra.Command, a []string) error {
			b, err := os.ReadFile(a[1])
			if err != nil {
				return err
			}
			if name == "" {
				name = a[0]
			}
			if key == "" { // the first column, where the list is new
				text := bytes.TrimPrefix(b, []byte("\ufeff"))
				for range skip {
					_, text, _ = bytes.Cut(text, []byte("\n"))
				}
				head, err := csv.NewReader(bytes.NewReader(text)).Read()
				if err != nil && !errors.Is(err, io.EOF) {
					return fmt.Errorf("%s: the header line can't be read: %w", a[1], err)
				}
				if len(head) > 0 {
					key = strings.TrimSpace(head[0])
				}
			}
			return t.with(c.Context(), func(cl *client) error {
				path := cl.arm(insightsPath + "watchlists/" + esc(a[0]))
				if !c.Flags().Changed("key") {
					all, err := everyPage(c, cl, cl.arm(insightsPath+"watchlists"))
					if err != nil {
						return err
					}
					for _, raw := range all {
						var w struct {
							Properties struct{ WatchlistAlias, ItemsSearchKey string }
						}
						if err := json.Unmarshal(raw, &w); err != nil {
							return err
						}
						if strings.EqualFold(w.Properties.WatchlistAlias, a[0]) {
							key = w.Properties.ItemsSearchKey
						}
					}
				}
				props := map[string]any{"displayName": name, "provider": provider, "source": filepath.Base(a[1]), "itemsSearchKey": key, "contentType": "text/csv", "numberOfLinesToSkip": skip, "rawContent": string(b), "watchlistAlias": a[0]}
				var out json.RawMessage
				if err := cl.send(c.Context(), "PUT", path, map[string]any{"properties": props}, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out)
				}
				fmt.Fprintf(c.OutOrStdout(), "%s is loaded, keyed by %s: _GetWatchlist('%s')\n", clean(a[0]), clean(key), clean(a[0]))
				return nil
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "display name; the alias when not given")
	c.Flags().StringVar(&key, "key", "", "column that items are looked up by; the first column when not given")
	c.Flags().StringVar(&provider, "provider", "picket", "who the list comes from")
	c.Flags().IntVar(&skip, "skip", 0, "lines before the header")
	return c
}

func watchlistShowCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "show ALIAS", Short: "Show a watchlist's items", Args: args(1, "one watchlist's alias"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				all, err := everyPage(c, cl, cl.arm(insightsPath+"watchlists/"+esc(a[0])+"/watchlistItems"))
				if err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), all)
				}
				var items []map[string]string
				var cols []string
				for _, raw := range all {
					var it struct {
						Name       string
						Properties struct {
							ItemsKeyValue map[string]string `json:"itemsKeyValue"`
						}
					}
					if err := json.Unmarshal(raw, &it); err != nil {
						return err
					}
					for k := range it.Properties.ItemsKeyValue {
						if !slices.Contains(cols, k) {
							cols = append(cols, k)
						}
					}
					items = append(items, it.Properties.ItemsKeyValue)
				}
				slices.Sort(cols)
				rows := [][]string{}
				for _, it := range items {
					row := make([]string, len(cols))
					for i, k := range cols {
						row[i] = it[k]
					}
					rows = append(rows, row)
				}
				return table(c.OutOrStdout(), cols, rows)
			})
		},
	}
}

func watchlistDeleteCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "delete ALIAS", Short: "Delete a watchlist", Args: args(1, "one watchlist's alias"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				return cl.do(c.Context(), "DELETE", cl.arm(insightsPath+"watchlists/"+esc(a[0])), "", nil, nil)
			})
		},
	}
}
