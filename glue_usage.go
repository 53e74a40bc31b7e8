package picket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"picket/azure"
	"picket/detect"
	"picket/ingest"
	"picket/ingest/usage"
	"picket/kql/value"
	"picket/lake"
	"picket/web"
	"slices"
	"time"
)

// openUsage makes the recorder of what comes in: Usage, Operation and Heartbeat rows, the daily cap, the senders seen.
func (p *Picket) openUsage(ctx context.Context, std map[string]value.Schema) (err error) {
	p.usage, err = usage.New(ctx, usage.Options{
		State: p.state, Schemas: std, ResourceID: p.ws.ResourceID(), Version: Version, Log: p.log,
		Free:     append(slices.Collect(maps.Keys(azure.AuditSchemas())), diagnosticsTable, detect.WatchlistTable),
		DailyCap: p.cfg.DailyCap, ResetHour: p.cfg.DailyCapReset, CapSecurity: p.cfg.DailyCapSecurity,
		Rows: func(ctx context.Context, table string, s value.Schema, rows []map[string]any, opID string) (lake.Ack, error) {
			return p.ingest.Rows(ctx, table, s, rows, opID)
		},
	})
	return err
}

// lakeEvent writes what happened to the lake into Operation.
func (p *Picket) lakeEvent(e lake.Event) {
	p.usage.Trouble(context.Background(), ingest.Trouble{Kind: ingest.TroubleKind("Storage: " + string(e.Kind)), Table: e.Table, Count: 1, Detail: e.Detail})
}

// senders are those that the recorder has seen, for the page.
func (p *Picket) senders(context.Context) ([]web.Sender, error) {
	all := p.usage.Senders()
	out := make([]web.Sender, len(all))
	for i, s := range all {
		name := s.Computer
		if name == "" {
			name = s.Agent
		}
		out[i] = web.Sender{Protocol: s.Protocol, Name: name, Address: s.Address, Principal: s.Principal, First: s.First, Last: s.Last, Rows: s.Rows, Bytes: s.Bytes, Errors: s.Errors, LastError: s.LastError, ErrorAt: s.ErrorAt, Tables: s.Tables}
	}
	return out, nil
}

// endpoints are the addresses that senders are told. Start fills in the syslog listener's.
func (p *Picket) endpoints(context.Context) (web.Endpoints, error) {
	e := web.Endpoints{URL: p.publicURL, Syslog: p.syslogTCP}
	if p.cfg.HTTP != "" {
		e.HTTP = "http://" + reachable(p.cfg.HTTP)
	}
	if p.cfg.SyslogTLS != "" {
		e.SyslogTLS = reachable(p.cfg.SyslogTLS)
	}
	if p.cfg.OTLP != "" {
		e.OTLP = reachable(p.cfg.OTLP)
	}
	if p.cfg.Cert == "" {
		path, err := filepath.Abs(filepath.Join(p.cfg.Data, "tls", "ca.pem"))
		if err != nil {
			return e, err
		}
		e.CAFile = path
	}
	return e, nil
}

// tables is the lake as the page shows it.
func (p *Picket) tables() *web.TablesSource {
	return &web.TablesSource{
		List: p.listTables,
		Retain: func(ctx context.Context, table string, interactive, total time.Duration) error {
			if interactive > 0 && total == 0 { // the lake's 0 is as long as the interactive one
				total = lake.KeepForever
			}
			return p.lake.SetRetentions(ctx, table, interactive, total)
		},
		Usage: func(ctx context.Context, from, to time.Time) ([]web.TableUsage, error) {
			us, err := p.lake.Usage(ctx, from, to)
			out := make([]web.TableUsage, len(us))
			for i, u := range us {
				out[i] = web.TableUsage{Table: u.Table, Hour: u.Hour, Rows: u.Rows, Bytes: u.Bytes}
			}
			return out, err
		},
		Late: func(ctx context.Context, table string) (int64, time.Duration, error) {
			s, err := p.lake.TableStats(ctx, table)
			return s.LateRows, s.MaxDelay, err
		},
	}
}

func (p *Picket) listTables(ctx context.Context) ([]web.TableInfo, error) {
	ts, err := p.lake.Tables(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]web.TableInfo, len(ts))
	for i, t := range ts {
		out[i] = web.TableInfo{
			Name: t.Name, Rows: t.Rows, HotRows: t.HotRows, HotBytes: t.HotBytes, SealedBytes: t.Bytes, Segments: t.Segments, ArchivedRows: t.ArchivedRows, ArchivedBytes: t.ArchivedBytes,
			First: t.First, Last: t.Last, Received: t.Received, Retention: t.Retention, TotalRetention: t.TotalRetention,
		}
		promoted := map[string]bool{}
		for _, d := range p.lake.Promoted(t.Name) {
			promoted[d.Column] = true
		}
		for _, c := range t.Columns {
			out[i].Columns = append(out[i].Columns, web.TableColumn{Name: c.Name, Type: c.Type.String(), Standard: c.Const != "" || c.Name == "TenantId" || c.Name == "Type", Promoted: promoted[c.Name]})
		}
	}
	return out, nil
}

// appendAudit stores rows of the audit log.
func (p *Picket) appendAudit(ctx context.Context, table string, rows []map[string]any, opID string) error {
	s, ok := azure.AuditSchemas()[table]
	if !ok {
		return fmt.Errorf("BUG: the audit log has no table %s", table)
	}
	_, err := p.ingest.Rows(ctx, table, s, rows, opID)
	return err
}

// people are the page's accounts as the wire sees them. The page is made after the wire, hence by way of p.
type people struct{ p *Picket }

func person(u web.User) azure.Person {
	return azure.Person{ID: u.ID, Name: u.Name, DisplayName: u.DisplayName, Role: azure.Role(u.Role), Disabled: u.Disabled}
}

func (x people) Person(ctx context.Context, idOrName string) (azure.Person, bool, error) {
	u, ok, err := x.p.web.Account(ctx, idOrName)
	return person(u), ok, err
}

func (x people) People(ctx context.Context) ([]azure.Person, error) {
	us, err := x.p.web.Accounts(ctx)
	out := make([]azure.Person, len(us))
	for i, u := range us {
		out[i] = person(u)
	}
	return out, err
}

func (x people) SetRole(ctx context.Context, id string, role azure.Role) error {
	err := x.p.web.SetAccountRole(ctx, id, string(role))
	var we *web.Error
	if errors.As(err, &we) {
		return &azure.Error{Status: we.Status, Code: we.Code, Message: we.Message}
	}
	return err
}

// signedIn writes a sign-in on the page to the audit log.
func (p *Picket) signedIn(_ context.Context, e web.SignIn) {
	p.azure.AuditSignIn(azure.SignIn{UserID: e.User.ID, UserName: e.User.Name, DisplayName: e.User.DisplayName, App: "picket", Protocol: e.Protocol, IP: e.Peer, Agent: e.Agent, Err: e.Err, Interactive: true})
}

// workspaceSettings takes what a client sets of the workspace.
func (p *Picket) workspaceSettings(_ context.Context, s azure.WorkspaceSettings) error {
	if s.RetentionDays > 0 {
		return &azure.Error{Status: 400, Code: "InvalidParameter", Message: "picket keeps a retention for each table, not for the workspace: set retentionInDays of the tables."}
	}
	limit := int64(0)
	if s.DailyQuotaGB >= 0 {
		limit = int64(s.DailyQuotaGB * 1e9)
	}
	return p.usage.SetCap(limit)
}

// saveSharedKeys stores the workspace's keys.
func (p *Picket) saveSharedKeys(ctx context.Context, keys []string) error {
	if len(keys) != 2 {
		return fmt.Errorf("BUG: %d shared keys", len(keys))
	}
	for i, key := range []string{"shared_key_primary", "shared_key_secondary"} {
		if err := p.setSetting(ctx, key, keys[i]); err != nil {
			return err
		}
	}
	return nil
}
