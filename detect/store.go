package detect

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"picket/state"
	"sync"
	"time"
)

// Migrations is detect's part of the control store.
func Migrations() []state.Migration {
	return []state.Migration{{Room: "detect", Step: 1, SQL: `
CREATE TABLE detect_rule(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, enabled INTEGER NOT NULL, doc TEXT NOT NULL, etag INTEGER NOT NULL,
  origin INTEGER NOT NULL,      -- windows end at origin + k*frequency
  high_water INTEGER NOT NULL,  -- scheduled end of the last window that is done
  suppressed_until INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, modified INTEGER NOT NULL, modified_by TEXT NOT NULL);
CREATE TABLE detect_run(id TEXT PRIMARY KEY, rule_id TEXT NOT NULL, reason TEXT NOT NULL, window_end INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
  status TEXT NOT NULL, message TEXT NOT NULL, rows INTEGER NOT NULL, alerts INTEGER NOT NULL);
CREATE INDEX detect_run_rule ON detect_run(rule_id, started);
CREATE TABLE detect_alert(id TEXT PRIMARY KEY, rule_id TEXT NOT NULL, window_end INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  digest TEXT NOT NULL, incident_id TEXT, doc TEXT NOT NULL);
CREATE INDEX detect_alert_rule ON detect_alert(rule_id, window_end);
CREATE INDEX detect_alert_incident ON detect_alert(incident_id);
CREATE TABLE detect_alert_entity(key TEXT NOT NULL, alert_id TEXT NOT NULL, entity_id TEXT NOT NULL, PRIMARY KEY(key, alert_id));
CREATE INDEX detect_alert_entity_id ON detect_alert_entity(entity_id);
CREATE TABLE detect_incident(id TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, status TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL,
  created INTEGER NOT NULL, modified INTEGER NOT NULL, etag INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX detect_incident_created ON detect_incident(created);
CREATE TABLE detect_comment(id TEXT PRIMARY KEY, incident_id TEXT NOT NULL, author TEXT NOT NULL, message TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL);
CREATE INDEX detect_comment_incident ON detect_comment(incident_id, created);
CREATE TABLE detect_activity(seq INTEGER PRIMARY KEY AUTOINCREMENT, incident_id TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX detect_activity_incident ON detect_activity(incident_id, seq);
CREATE TABLE detect_outbox(seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, op_id TEXT NOT NULL, doc TEXT NOT NULL);
`}, {Room: "detect", Step: 2, SQL: `
CREATE TABLE detect_automation(id TEXT PRIMARY KEY, ord INTEGER NOT NULL, etag INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE TABLE detect_automation_done(op TEXT NOT NULL, rule_id TEXT NOT NULL, action INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY(op, rule_id, action)); -- of events not yet delivered
CREATE TABLE detect_task(id TEXT PRIMARY KEY, incident_id TEXT NOT NULL, doc TEXT NOT NULL, created INTEGER NOT NULL, etag INTEGER NOT NULL);
CREATE INDEX detect_task_incident ON detect_task(incident_id, created);
CREATE TABLE detect_watchlist(alias TEXT PRIMARY KEY COLLATE NOCASE, doc TEXT NOT NULL, etag INTEGER NOT NULL);
`}}
}

// Deps is what detect needs of the rest of picket.
type Deps struct {
	State *state.DB
	// Query runs a question over the lake.
	Query func(context.Context, query.Request) (*query.Result, error)
	// Check compiles a query without running it.
	Check func(ctx context.Context, text string) (Checked, error)
	// Append stores rows of a table, applied once by opID.
	Append func(ctx context.Context, table string, s value.Schema, rows []map[string]any, opID string) (lake.Ack, error)
	// Barrier returns a received time such that every row received at or before it can be read.
	Barrier func(context.Context) (time.Time, error)
	// OnIncident is told, at least once, of each new or changed incident, after the automation rules. May be nil.
	OnIncident func(context.Context, Event) error
	// RunPlaybook starts a playbook for an automation rule, once for an id however often it is asked. An error that
	// wraps ErrRefused is final, any other is tried again. Nil refuses by name.
	RunPlaybook func(context.Context, PlaybookStart) (runID string, err error)

	Workspace Workspace
	Now       func() time.Time
	Delay     time.Duration // how long after its end a window is run; 0 by default
	// URL gives the page of an incident.
	URL func(incidentID string) string
	Log func(msg string, args ...any)
}

// Checked is what compiling a query found.
type Checked struct {
	Tables []string // that it reads
	// Missing are tables that it names and that do not exist yet: a custom table is made by its first record.
	// Such a query can't be checked further, and finds nothing until they are there.
	Missing []string
}

// Workspace names the workspace in alerts.
type Workspace struct {
	ID, SubscriptionID, ResourceGroup, Name string
}

// Detector runs rules and keeps incidents. Safe for concurrent use.
type Detector struct {
	d     Deps
	wake  chan struct{} // a rule may be due
	noted chan struct{} // the outbox has something

	mu    sync.Mutex
	dirty map[string]bool     // tables that got rows since the last look
	reads map[string][]string // rule id and etag → tables that it reads
	locks map[string]*sync.Mutex
}

// New makes a Detector; Run starts it.
func New(d Deps) (*Detector, error) {
	if d.State == nil || d.Query == nil || d.Append == nil || d.Barrier == nil || d.Check == nil {
		return nil, errors.New("detect: Deps needs State, Query, Check, Append and Barrier")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.URL == nil {
		d.URL = func(id string) string { return "/incidents/" + id }
	}
	if d.Log == nil {
		d.Log = func(string, ...any) {}
	}
	return &Detector{d: d, wake: make(chan struct{}, 1), noted: make(chan struct{}, 1), dirty: map[string]bool{}, reads: map[string][]string{}, locks: map[string]*sync.Mutex{}}, nil
}

// ErrNotFound is wrapped by errors about an id that does not exist.
var ErrNotFound = errors.New("not found")

// ErrConflict is wrapped by errors about an etag that is not the current one, or a name that is taken.
var ErrConflict = errors.New("conflict")

// StoredRule is a rule with its state.
type StoredRule struct {
	Rule
	Etag       int64
	Created    time.Time
	Modified   time.Time
	ModifiedBy string
	NextEnd    time.Time // scheduled end of the next window
	Suppressed time.Time // no run before this time, zero when not suppressed
}

// SaveRule validates and compiles a rule and stores it, new or changed. etag 0 does not check; any other must
// be the stored one. A rule that does not compile is refused and nothing is stored.
func (d *Detector) SaveRule(ctx context.Context, r *Rule, by string, etag int64) (*StoredRule, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	if _, err := d.d.Check(ctx, r.Query); err != nil {
		return nil, fmt.Errorf("rule %q: the query does not compile: %w", r.Name, err)
	}
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	now := d.d.Now().UnixMicro()
	err = d.d.State.Tx(ctx, func(tx *state.Tx) error {
		var other string
		err := tx.QueryRowContext(ctx, `SELECT id FROM detect_rule WHERE name=? AND id<>?`, r.Name, r.ID).Scan(&other)
		if err == nil {
			return fmt.Errorf("rule %q: the name is taken by rule %s: %w", r.Name, other, ErrConflict)
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var cur, origin, water int64
		var old string
		err = tx.QueryRowContext(ctx, `SELECT etag, origin, high_water, doc FROM detect_rule WHERE id=?`, r.ID).Scan(&cur, &origin, &water, &old)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			// The first window ends one frequency from now and looks back from there: rows that came before the
			// rule are history.
			_, err = tx.ExecContext(ctx, `INSERT INTO detect_rule(id, name, enabled, doc, etag, origin, high_water, created, modified, modified_by) VALUES(?,?,?,?,1,?,?,?,?,?)`,
				r.ID, r.Name, r.Enabled, string(doc), now, now, now, now, by)
			return err
		case err != nil:
			return err
		}
		if etag != 0 && etag != cur {
			return fmt.Errorf("rule %q was changed by somebody else (etag %d, now %d): read it again: %w", r.Name, etag, cur, ErrConflict)
		}
		var was Rule
		if err := json.Unmarshal([]byte(old), &was); err != nil {
			return fmt.Errorf("stored rule %s: %w", r.ID, err)
		}
		if was.Frequency != r.Frequency || (r.Enabled && !was.Enabled) {
			origin, water = now, now // a new grid of windows; time that the rule was off is not caught up
		}
		_, err = tx.ExecContext(ctx, `UPDATE detect_rule SET name=?, enabled=?, doc=?, etag=etag+1, origin=?, high_water=?, modified=?, modified_by=? WHERE id=?`,
			r.Name, r.Enabled, string(doc), origin, water, now, by, r.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.poke()
	return d.Rule(ctx, r.ID)
}

const ruleColumns = `doc, etag, origin, high_water, suppressed_until, created, modified, modified_by`

func scanRule(row interface{ Scan(...any) error }) (*StoredRule, error) {
	var s StoredRule
	var doc string
	var origin, water, sup, created, modified int64
	if err := row.Scan(&doc, &s.Etag, &origin, &water, &sup, &created, &modified, &s.ModifiedBy); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(doc), &s.Rule); err != nil {
		return nil, fmt.Errorf("stored rule: %w", err)
	}
	s.Created, s.Modified = time.UnixMicro(created).UTC(), time.UnixMicro(modified).UTC()
	s.NextEnd = time.UnixMicro(nextEnd(origin, water, s.Frequency)).UTC()
	if sup > 0 {
		s.Suppressed = time.UnixMicro(sup).UTC()
	}
	return &s, nil
}

// nextEnd is the first window end after water on the grid origin + k*every, in microseconds.
func nextEnd(origin, water int64, every time.Duration) int64 {
	e := every.Microseconds()
	if e <= 0 {
		return water
	}
	k := (water-origin)/e + 1
	return origin + k*e
}

// Rule reads a rule by id, or by its name when no id matches.
func (d *Detector) Rule(ctx context.Context, idOrName string) (*StoredRule, error) {
	s, err := scanRule(d.d.State.QueryRow(ctx, `SELECT `+ruleColumns+` FROM detect_rule WHERE id=lower(?) OR name=? ORDER BY id=lower(?) DESC LIMIT 1`, idOrName, idOrName, idOrName))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("rule %q: %w", idOrName, ErrNotFound)
	}
	return s, err
}

// Rules lists all rules by name.
func (d *Detector) Rules(ctx context.Context) ([]*StoredRule, error) {
	rows, err := d.d.State.Query(ctx, `SELECT `+ruleColumns+` FROM detect_rule ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	defer rows.Close()
	var out []*StoredRule
	for rows.Next() {
		s, err := scanRule(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// DeleteRule removes a rule; its alerts and incidents stay.
func (d *Detector) DeleteRule(ctx context.Context, id string) error {
	return d.d.State.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM detect_rule WHERE id=lower(?)`, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return fmt.Errorf("rule %q: %w", id, ErrNotFound)
		}
		return nil
	})
}

// RunRecord is one run of a rule.
type RunRecord struct {
	ID, RuleID string
	Reason     string // "schedule", "arrival", "now"
	WindowEnd  time.Time
	Started    time.Time
	Ended      time.Time
	Status     string // Success, Failure, Suppressed
	Message    string
	Rows       int // rows of the result
	Alerts     int // alerts made or changed
}

// Runs lists the newest runs of a rule.
func (d *Detector) Runs(ctx context.Context, ruleID string, limit int) ([]RunRecord, error) {
	rows, err := d.d.State.Query(ctx, `SELECT id, rule_id, reason, window_end, started, ended, status, message, rows, alerts FROM detect_run WHERE rule_id=lower(?) ORDER BY started DESC LIMIT ?`, ruleID, limit)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	defer rows.Close()
	out := []RunRecord{}
	for rows.Next() {
		var r RunRecord
		var w, s, e int64
		if err := rows.Scan(&r.ID, &r.RuleID, &r.Reason, &w, &s, &e, &r.Status, &r.Message, &r.Rows, &r.Alerts); err != nil {
			return nil, err
		}
		r.WindowEnd, r.Started, r.Ended = time.UnixMicro(w).UTC(), time.UnixMicro(s).UTC(), time.UnixMicro(e).UTC()
		out = append(out, r)
	}
	return out, rows.Err()
}
