package picket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"picket/azure"
	"picket/canary"
	"picket/content"
	"picket/detect"
	"picket/ingest/elastic"
	"picket/playbook"
	"strings"
)

// Demo is DATA/demo.json: all that a test or a newcomer needs. It is written last, when everything is armed.
type Demo struct {
	URL            string `json:"url"`
	HTTPURL        string `json:"http_url"`
	TripURL        string `json:"trip_url"`
	User           string `json:"user"`
	Password       string `json:"password"`
	Token          string `json:"token"` // a bearer for the APIs
	CAFile         string `json:"ca_file"`
	WorkspaceID    string `json:"workspace_id"`
	SharedKey      string `json:"shared_key"`
	TenantID       string `json:"tenant_id"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
	SubscriptionID string `json:"subscription_id"`
	ResourceGroup  string `json:"resource_group"`
	WorkspaceName  string `json:"workspace_name"`
	TokenID        string `json:"token_id"`
	Document       string `json:"document"` // absolute path
	DCRID          string `json:"dcr_id"`   // data collection rule that takes Stream
	Stream         string `json:"stream"`
	MSIURL         string `json:"msi_url"` // "" without plain HTTP
	IdentityHeader string `json:"identity_header"`
	ESTable        string `json:"es_table"`   // where documents of the index wire-syslog go
	SyslogTCP      string `json:"syslog_tcp"` // host:port, UDP too
	OTLPURL        string `json:"otlp_url"`   // OpenTelemetry logs over HTTP; gRPC at the same host and port
}

const (
	demoFile     = "demo.json"
	demoMemo     = `FS01,,,T:\departments\sales\hipospecials,token placed on FS01 available to all corporate employees and vendors`
	demoRule     = "demo"
	demoFileName = "White Glove Customer Accounts.docx"
	demoPlaybook = "Ingest-CanaryTokens"
)

// demoColumns are what the walk-through's data collection rule takes.
var demoColumns = []string{"TimeGenerated:datetime", "Computer:string", "Level:int", "Count:long", "Score:real", "Ok:boolean", "Message:string", "Detail:dynamic"}

// seed reads a file of the community's Ingest-CanaryTokens from the content folder, or the one that picket ships
// in its place.
func (p *Picket) seed(rel, shipped string) ([]byte, string, error) {
	for _, dir := range []string{p.cfg.Content, filepath.Join("..", "shared")} {
		if dir == "" {
			continue
		}
		path := filepath.Join(dir, "seed", demoPlaybook, rel)
		b, err := os.ReadFile(path)
		if err == nil {
			return b, path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("read the walk-through's content: %w", err)
		}
	}
	b, err := content.Files().ReadFile(shipped)
	return b, "picket's own " + filepath.Base(shipped), err
}

// firstAccount makes the owner's account at first start. A folder that holds a workspace already gets no
// walk-through on top: it would take the owner's password.
func (p *Picket) firstAccount(ctx context.Context) error {
	const begun = "walk_through"
	_, err := os.Stat(filepath.Join(p.cfg.Data, demoFile))
	armed := err == nil
	if p.cfg.Demo && p.held.fresh {
		if _, err := p.setting(ctx, begun, func() string { return "begun" }); err != nil {
			return err
		}
	}
	var made bool
	if p.password, made, err = p.web.EnsureOwner(ctx, !p.cfg.Demo); err != nil {
		return err
	}
	if !p.cfg.Demo || made || armed {
		return nil
	}
	var n int
	if err := p.state.QueryRow(ctx, `SELECT count(*) FROM picket_setting WHERE key=?`, begun).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("%s holds a workspace already, and --demo sets up one of its own: name a new folder with --data, or leave out --demo", p.cfg.Data)
	}
	return nil
}

// arm sets up the walk-through: the playbook deployed, a document with its webhook set, the rule imported and
// on. It is made once; a later start finds it done, or finishes what a crash cut short.
func (p *Picket) arm(ctx context.Context) error {
	path := filepath.Join(p.cfg.Data, demoFile)
	var d Demo
	if b, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(b, &d); err != nil {
			return fmt.Errorf("%s is not what picket wrote: %w", path, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	first := d.TokenID == ""
	p.moved = !first && d.TripURL != p.tripURL
	d.URL, d.TripURL, d.CAFile = p.publicURL, p.tripURL, p.trust.CAFile
	d.HTTPURL = ""
	if p.cfg.HTTP != "" {
		d.HTTPURL = "http://" + reachable(p.cfg.HTTP)
	}
	d.WorkspaceID, d.SharedKey, d.TenantID = p.ws.ID, p.ws.SharedKeys[0], p.ws.TenantID
	d.SubscriptionID, d.ResourceGroup, d.WorkspaceName = p.ws.SubscriptionID, p.ws.ResourceGroup, p.ws.Name
	var err error
	d.ESTable, d.SyslogTCP = elastic.LogType(esIndex)+"_CL", p.syslogTCP
	d.OTLPURL = p.publicURL + "/v1/logs"
	d.MSIURL = ""
	if d.HTTPURL != "" {
		d.MSIURL = d.HTTPURL + "/msi/token"
	}
	if d.IdentityHeader == "" {
		if _, d.IdentityHeader, err = p.azure.Issuer().CreateIdentity(ctx, "demo-identity", azure.Contributor); err != nil {
			return err
		}
	}
	if d.DCRID == "" {
		if d.DCRID, d.Stream, err = p.azure.CreateRule(ctx, demoRule, "Demo_CL", demoColumns, "source"); err != nil {
			return err
		}
	}
	if first {
		if err := p.armFirst(ctx, &d); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(b, '\n'), 0o600)
}

func (p *Picket) armFirst(ctx context.Context, d *Demo) error {
	is := p.azure.Issuer()
	var err error
	d.User = "admin"
	if p.password == "" {
		// A crash came between the first account and demo.json: the password was never told, so it is set anew.
		if p.password, err = p.web.ResetPassword(ctx, d.User); err != nil {
			return err
		}
	}
	d.Password = p.password
	if d.Token, err = is.CreateToken(ctx, "demo", azure.Owner, 0); err != nil {
		return err
	}
	if d.ClientID, d.ClientSecret, err = is.CreatePrincipal(ctx, "demo", azure.Contributor); err != nil {
		return err
	}

	tpl, from, err := p.seed("azuredeploy.json", "playbooks/canary-to-table.json")
	if err != nil {
		return err
	}
	dep, err := p.playbooks.Deploy(ctx, playbook.DeployRequest{Template: tpl, Parameters: map[string]any{"PlaybookName": demoPlaybook, "WorkspaceID": p.ws.ID, "WorkspaceKey": p.ws.SharedKeys[0]}})
	if err != nil {
		return fmt.Errorf("deploy %s: %w", from, err)
	}
	for _, n := range dep.Needs {
		return fmt.Errorf("deploy %s: %s", from, n)
	}
	cb, err := p.playbooks.CallbackURL(ctx, demoPlaybook, "manual", playbook.CallbackOptions{})
	if err != nil {
		return err
	}

	src, from, err := p.seed(filepath.Join("Detections", "Canarytoken_triggered.yaml"), "rules/canarytoken_opened.yaml")
	if err != nil {
		return err
	}
	rule, err := detect.ParseTemplate(src)
	if err != nil {
		return fmt.Errorf("import %s: %w", from, err)
	}
	rule.Enabled, rule.OnArrival = true, true
	if _, err := p.detect.SaveRule(ctx, rule, "picket", 0); err != nil {
		return fmt.Errorf("import %s: %w", from, err)
	}

	tok, err := p.canary.Create(ctx, canary.CreateRequest{
		Kind: "ms_word", FileName: demoFileName, Memo: demoMemo, Webhook: cb.Value, Owner: d.User, Tags: []string{"walk-through"},
		Decoy: canary.Decoy{Title: "White Glove Customer Accounts", Rows: 40},
	})
	if err != nil {
		return fmt.Errorf("make the document: %w", err)
	}
	doc, err := p.canary.Download(ctx, tok.ID)
	if err != nil {
		return fmt.Errorf("make the document: %w", err)
	}
	if d.Document, err = filepath.Abs(filepath.Join(p.cfg.Data, doc.FileName)); err != nil {
		return err
	}
	if err := writeFile(d.Document, doc.Data, 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	d.TokenID = tok.ID
	return nil
}

// Welcome is what serve prints when everything is up.
func (p *Picket) Welcome() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\npicket is up: %s\n", p.publicURL)
	if p.trust.CAFile != "" {
		fmt.Fprintf(&b, "  its certificate is signed by picket's own authority: %s\n", p.trust.CAFile)
	}
	switch {
	case p.cfg.Demo:
		d, err := ReadDemo(p.cfg.Data)
		if err != nil {
			fmt.Fprintf(&b, "  %v\n", err)
			break
		}
		fmt.Fprintf(&b, "  sign in as %s with the password %s\n\n", d.User, d.Password)
		fmt.Fprintf(&b, "The walk-through is armed. Open the decoy document:\n\n  %s\n\n", d.Document)
		fmt.Fprintf(&b, "in LibreOffice (soffice --headless --convert-to pdf FILE), in Word, or with\n\n  bin/picket canary open '%s'\n\n", d.Document)
		fmt.Fprintf(&b, "and the incident appears at %s/incidents\n\n", p.publicURL)
		if p.moved {
			fmt.Fprintf(&b, "The trip address has changed since the document was made, to %s: documents that were\nmade before call the old one. Make a new one with bin/picket canary new, or start with the old --trip.\n\n", p.tripURL)
		}
	case p.password != "":
		fmt.Fprintf(&b, "  first start: sign in as admin with the password %s (it is shown this once)\n\n", p.password)
	}
	return b.String()
}

// ReadDemo reads DATA/demo.json.
func ReadDemo(data string) (*Demo, error) {
	b, err := os.ReadFile(filepath.Join(data, demoFile))
	if err != nil {
		return nil, err
	}
	var d Demo
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, err
	}
	return &d, nil
}
