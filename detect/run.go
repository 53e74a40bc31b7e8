package detect

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/syntax"
	"picket/query"
	"picket/state"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	maxResultRows = 10_000 // rows of a rule's result that are looked at
	idle          = 30 * time.Second
	arrivalPause  = 250 * time.Millisecond // rows that arrive together are looked at together
	retryPause    = 5 * time.Second
	keptRuns      = 1000 // run records kept a rule
)

// Run runs rules and delivers rows and events until ctx ends.
func (d *Detector) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		d.deliverLoop(ctx)
	}()
	defer wg.Wait()
	d.dirtyAll()
	for {
		next := d.step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		t := time.NewTimer(max(next, 10*time.Millisecond))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-d.wake:
			t.Stop()
			// Let what arrives together be one look.
			select {
			case <-time.After(arrivalPause):
			case <-ctx.Done():
				return nil
			}
		case <-t.C:
		}
	}
}

// poke wakes the rule loop; it never blocks.
func (d *Detector) poke() { nudge(d.wake) }

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Arrived says that tables got rows; it never blocks.
func (d *Detector) Arrived(tables []string) {
	d.mu.Lock()
	for _, t := range tables {
		d.dirty[t] = true
	}
	d.mu.Unlock()
	d.poke()
}

const everyTable = "\x00"

func (d *Detector) dirtyAll() { d.Arrived([]string{everyTable}) }

// step runs what is due and returns how long until something else is.
func (d *Detector) step(ctx context.Context) time.Duration {
	d.mu.Lock()
	dirty := d.dirty
	d.dirty = map[string]bool{}
	d.mu.Unlock()
	rules, err := d.Rules(ctx)
	if err != nil {
		d.d.Log("list rules", "error", err)
		return retryPause
	}
	wait := idle
	for _, r := range rules {
		if !r.Enabled || ctx.Err() != nil {
			continue
		}
		failed := false
		for ctx.Err() == nil {
			due := r.NextEnd.Add(d.d.Delay)
			if now := d.d.Now(); due.After(now) {
				wait = min(wait, due.Sub(now))
				break
			}
			if _, err := d.runWindow(ctx, r, r.NextEnd, "schedule"); err != nil {
				d.d.Log("rule run failed", "rule", r.Name, "window", r.NextEnd, "error", err)
				wait, failed = min(wait, retryPause), true
				break
			}
			if r, err = d.Rule(ctx, r.ID); err != nil {
				break // deleted meanwhile
			}
		}
		if failed || err != nil || !r.OnArrival || !d.touched(ctx, r, dirty) {
			continue
		}
		if _, err := d.runArrival(ctx, r, "arrival"); err != nil && ctx.Err() == nil {
			d.d.Log("rule run on arrival failed", "rule", r.Name, "error", err)
			d.Arrived([]string{everyTable})
			wait = min(wait, retryPause)
		}
	}
	return wait
}

// touched reports whether a rule reads a table that got rows.
func (d *Detector) touched(ctx context.Context, r *StoredRule, dirty map[string]bool) bool {
	if len(dirty) == 0 {
		return false
	}
	if dirty[everyTable] {
		return true
	}
	key := fmt.Sprintf("%s/%d", r.ID, r.Etag)
	d.mu.Lock()
	tables, ok := d.reads[key]
	d.mu.Unlock()
	if !ok {
		c, err := d.d.Check(ctx, r.Query)
		if err != nil {
			return false
		}
		tables = append(c.Tables, c.Missing...)
		if len(c.Missing) == 0 { // a table that comes later may bring others into reach
			d.mu.Lock()
			d.reads[key] = tables
			d.mu.Unlock()
		}
	}
	return slices.ContainsFunc(tables, func(t string) bool { return dirty[t] })
}

// RunNow runs a rule over the window that is open now.
func (d *Detector) RunNow(ctx context.Context, idOrName string) (*RunRecord, error) {
	r, err := d.Rule(ctx, idOrName)
	if err != nil {
		return nil, err
	}
	return d.runArrival(ctx, r, "now")
}

// runArrival runs a rule over the window that holds the present moment.
func (d *Detector) runArrival(ctx context.Context, r *StoredRule, reason string) (*RunRecord, error) {
	at, err := d.d.Barrier(ctx)
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	end := r.NextEnd
	for end.Before(at) { // a window whose scheduled run is about to come
		end = end.Add(r.Frequency)
	}
	return d.runWindow(ctx, r, end, reason)
}

func (d *Detector) lock(rule string) func() {
	d.mu.Lock()
	m := d.locks[rule]
	if m == nil {
		m = &sync.Mutex{}
		d.locks[rule] = m
	}
	d.mu.Unlock()
	m.Lock()
	return m.Unlock
}

var ruleSpace = uuid.MustParse("0b1d4f6e-9c58-5f27-8f3c-4c1d3c5f2a01")

func derive(parts ...any) string {
	return uuid.NewSHA1(ruleSpace, []byte(fmt.Sprint(parts...))).String()
}

// runWindow runs a rule over the window that ends at end and records what it found. A scheduled run closes the
// window: it moves the high-water mark in the transaction that stores its alerts.
func (d *Detector) runWindow(ctx context.Context, r *StoredRule, end time.Time, reason string) (*RunRecord, error) {
	defer d.lock(r.ID)()
	closing := reason == "schedule"
	rec := &RunRecord{ID: uuid.NewString(), RuleID: r.ID, Reason: reason, WindowEnd: end, Started: d.d.Now().UTC(), Status: "Success"}
	finish := func(alerts []*Alert) error {
		rec.Ended = d.d.Now().UTC()
		defer nudge(d.noted)
		return d.d.State.Tx(ctx, func(tx *state.Tx) error {
			for _, a := range alerts {
				changed, err := d.saveAlert(ctx, tx, r, a)
				if err != nil {
					return err
				}
				if changed {
					rec.Alerts++
				}
			}
			return d.saveRun(ctx, tx, r, rec, closing)
		})
	}
	if r.Suppressed.After(end) && closing {
		rec.Status, rec.Message = "Suppressed", "suppressed until "+r.Suppressed.Format(time.RFC3339)
		return rec, finish(nil)
	}
	if closing {
		at, err := d.d.Barrier(ctx)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		if at.Before(end) {
			return nil, fmt.Errorf("rule %q: commits have reached %s, the window ends %s", r.Name, at.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano))
		}
	}
	check, err := d.d.Check(ctx, r.Query)
	if err == nil && len(check.Missing) > 0 {
		rec.Message = fmt.Sprintf("no such table yet: %v; nothing to find", check.Missing)
		return rec, finish(nil)
	}
	var res *query.Result
	if err == nil {
		res, err = d.d.Query(ctx, query.Request{
			Text: r.Query, Now: end, ReceivedAfter: end.Add(-r.Period), ReceivedUntil: end, MaxRows: maxResultRows,
		})
	}
	if err != nil {
		rec.Status, rec.Message = "Failure", err.Error()
		var list syntax.ErrorList
		if errors.As(err, &list) {
			// The query no longer compiles: running it again will not help, the next window gets its turn.
			return rec, finish(nil)
		}
		closing = false // the window stays due: it is tried again
		return rec, errors.Join(fmt.Errorf("rule %q: %w", r.Name, err), finish(nil))
	}
	if len(res.Tables) == 0 {
		return rec, finish(nil)
	}
	rows := newRowSet(&res.Tables[0])
	rec.Rows = len(rows.cells)
	if res.Partial != nil {
		rec.Message = fmt.Sprintf("the result was cut at %d rows: %s", rec.Rows, res.Partial.Message)
	}
	var alerts []*Alert
	if r.triggered(len(rows.cells)) {
		alerts = d.buildAlerts(r, rows, end)
	}
	return rec, finish(alerts)
}

func (d *Detector) saveRun(ctx context.Context, tx *state.Tx, r *StoredRule, rec *RunRecord, closing bool) error {
	quiet := rec.Reason == "arrival" && rec.Status == "Success" && rec.Alerts == 0
	if !quiet {
		if _, err := tx.ExecContext(ctx, `INSERT INTO detect_run(id, rule_id, reason, window_end, started, ended, status, message, rows, alerts) VALUES(?,?,?,?,?,?,?,?,?,?)`,
			rec.ID, r.ID, rec.Reason, rec.WindowEnd.UnixMicro(), rec.Started.UnixMicro(), rec.Ended.UnixMicro(), rec.Status, rec.Message, rec.Rows, rec.Alerts); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM detect_run WHERE rule_id=? AND started < (SELECT started FROM detect_run WHERE rule_id=? ORDER BY started DESC LIMIT 1 OFFSET ?)`, r.ID, r.ID, keptRuns); err != nil {
			return err
		}
		if err := d.enqueue(ctx, tx, "SentinelHealth", "run/"+rec.ID, d.healthRow(r, rec)); err != nil {
			return err
		}
	}
	if closing {
		if _, err := tx.ExecContext(ctx, `UPDATE detect_rule SET high_water=? WHERE id=? AND high_water<?`, rec.WindowEnd.UnixMicro(), r.ID, rec.WindowEnd.UnixMicro()); err != nil {
			return err
		}
	}
	if rec.Alerts > 0 && r.SuppressionEnabled && r.Suppression > 0 {
		_, err := tx.ExecContext(ctx, `UPDATE detect_rule SET suppressed_until=? WHERE id=?`, rec.WindowEnd.Add(r.Suppression).UnixMicro(), r.ID)
		return err
	}
	return nil
}

func (d *Detector) healthRow(r *StoredRule, rec *RunRecord) map[string]any {
	status := rec.Status
	if status == "Suppressed" {
		status = "Success"
	}
	agg := "SingleAlert"
	if r.PerResult {
		agg = "AlertPerResult"
	}
	return map[string]any{
		"TimeGenerated": rec.Ended, "OperationName": r.Kind + " analytics rule run", "SentinelResourceId": d.ruleResource(r.ID), "SentinelResourceName": r.Name,
		"Status": status, "Description": rec.Message, "Reason": rec.Reason, "WorkspaceId": d.d.Workspace.ID, "SentinelResourceType": "Analytics rule",
		"SentinelResourceKind": r.Kind, "RecordId": rec.ID, "SourceSystem": "picket",
		"ExtendedProperties": map[string]any{
			"AggregationKind": agg, "AlertsGeneratedAmount": rec.Alerts, "QueryStartTimeUTC": rec.WindowEnd.Add(-r.Period), "QueryEndTimeUTC": rec.WindowEnd,
			"QueryFrequency": ISO(r.Frequency), "QueryPeriod": ISO(r.Period), "QueryResultAmount": rec.Rows, "RuleId": r.ID, "TriggerOperator": r.Operator, "TriggerThreshold": r.Threshold, "TriggerType": r.Kind,
		},
	}
}

func (d *Detector) ruleResource(id string) string {
	w := d.d.Workspace
	return "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + w.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" + w.Name + "/providers/Microsoft.SecurityInsights/alertRules/" + id
}
