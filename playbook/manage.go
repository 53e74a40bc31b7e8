package playbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"sort"
	"strconv"
	"strings"
	"time"
)

func (e *Engine) triggerTimes(ctx context.Context, name string) (map[string][2]int64, error) {
	rows, err := e.db.Query(ctx, `SELECT name, next, last FROM playbook_trigger WHERE workflow=?`, name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][2]int64{}
	for rows.Next() {
		var n string
		var t [2]int64
		if err := rows.Scan(&n, &t[0], &t[1]); err != nil {
			return nil, err
		}
		out[n] = t
	}
	return out, rows.Err()
}

// Workflows lists the workflows by name.
func (e *Engine) Workflows(ctx context.Context) ([]*Workflow, error) {
	ws, err := e.allWorkflows(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Workflow
	for _, w := range ws {
		t, err := e.triggerTimes(ctx, w.name)
		if err != nil {
			return nil, err
		}
		out = append(out, e.publicWorkflow(w, e.needsOf(ctx, w, nil), t))
	}
	return out, nil
}

// Workflow finds one by its name, ignoring case.
func (e *Engine) Workflow(ctx context.Context, name string) (*Workflow, error) {
	w, err := e.findWorkflow(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := e.triggerTimes(ctx, w.name)
	if err != nil {
		return nil, err
	}
	return e.publicWorkflow(w, e.needsOf(ctx, w, nil), t), nil
}

// Connections lists the API connections by name.
func (e *Engine) Connections(ctx context.Context) ([]*Connection, error) {
	rows, err := e.db.Query(ctx, `SELECT name, api, display, parameters FROM playbook_connection ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Connection
	for rows.Next() {
		c := &Connection{}
		var b []byte
		if err := rows.Scan(&c.Name, &c.API, &c.DisplayName, &b); err != nil {
			return nil, err
		}
		v, err := e.seal.decode(b)
		if err != nil {
			return nil, fmt.Errorf("connection %s: %w", c.Name, err)
		}
		c.Parameters = object(v).Names()
		out = append(out, c)
	}
	return out, rows.Err()
}

// Enable lets the triggers of a workflow fire again; recurrences begin anew.
func (e *Engine) Enable(ctx context.Context, name string) error {
	w, err := e.findWorkflow(ctx, name)
	if err != nil {
		return err
	}
	if w.enabled {
		return nil
	}
	defer e.rescheduled()
	return e.commits.do(func(tx *state.Tx) error {
		if _, err := tx.Exec(`UPDATE playbook_workflow SET enabled=1, changed=? WHERE name=?`, micros(e.now()), w.name); err != nil {
			return err
		}
		return e.setTriggers(tx, w.name, w.def, nil, e.now())
	})
}

// Disable stops the triggers of a workflow; runs that are open go on.
func (e *Engine) Disable(ctx context.Context, name string) error {
	w, err := e.findWorkflow(ctx, name)
	if err != nil {
		return err
	}
	defer e.rescheduled()
	if w.enabled {
		e.unsubscribeAll(ctx, w)
	}
	return e.commits.do(func(tx *state.Tx) error {
		if _, err := tx.Exec(`UPDATE playbook_trigger SET last=0 WHERE workflow=? AND next=0`, w.name); err != nil { // no subscription is left
			return err
		}
		_, err := tx.Exec(`UPDATE playbook_workflow SET enabled=0, changed=? WHERE name=?`, micros(e.now()), w.name)
		return err
	})
}

// Delete cancels a workflow's open runs and deletes it with its history.
func (e *Engine) Delete(ctx context.Context, name string) error {
	w, err := e.findWorkflow(ctx, name)
	if err != nil {
		return err
	}
	if err := e.Disable(ctx, name); err != nil {
		return err
	}
	e.mu.Lock()
	var open []*run
	for _, r := range e.active {
		if strings.EqualFold(r.wf.name, w.name) {
			open = append(open, r)
		}
	}
	e.mu.Unlock()
	for _, r := range open {
		r.cancel(errCancelled)
	}
	for _, r := range open {
		select {
		case <-r.finished:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return e.commits.do(func(tx *state.Tx) error {
		for _, q := range []string{
			`DELETE FROM playbook_action WHERE run IN (SELECT id FROM playbook_run WHERE workflow=?)`,
			`DELETE FROM playbook_callback WHERE run IN (SELECT id FROM playbook_run WHERE workflow=?)`,
			`DELETE FROM playbook_run WHERE workflow=?`, `DELETE FROM playbook_history WHERE workflow=?`,
			`DELETE FROM playbook_trigger WHERE workflow=?`, `DELETE FROM playbook_batch WHERE workflow=?`, `DELETE FROM playbook_version WHERE workflow=? COLLATE NOCASE`,
			`DELETE FROM playbook_workflow WHERE name=?`,
		} {
			if _, err := tx.Exec(q, w.name); err != nil {
				return fmt.Errorf("delete workflow %s: %w", w.name, err)
			}
		}
		return nil
	})
}

const runColumns = `id, workflow, version, trigger, status, code, error, started, ended, tracking, record, outputs, response`

func (e *Engine) scanRun(scan func(...any) error) (*Run, error) {
	r := &Run{}
	var errText string
	var started, ended int64
	var rec, out, resp []byte
	if err := scan(&r.ID, &r.Workflow, &r.Version, &r.Trigger, &r.Status, &r.Code, &errText, &started, &ended, &r.TrackingID, &rec, &out, &resp); err != nil {
		return nil, err
	}
	r.Error, r.Started, r.Ended = parseObject(errText), fromMicros(started), fromMicros(ended)
	return r, e.fillRun(r, rec, out, resp)
}

func (e *Engine) fillRun(r *Run, rec, out, resp []byte) error {
	for _, f := range []struct {
		b  []byte
		to **expr.Object
	}{{rec, &r.TriggerRecord}, {out, &r.Outputs}, {resp, &r.Response}} {
		v, err := e.seal.decode(f.b)
		if err != nil {
			return fmt.Errorf("run %s: %w", r.ID, err)
		}
		*f.to = object(v)
	}
	return nil
}

// maskRun hides the secrets of a run that is shown.
func (e *Engine) maskRun(ctx context.Context, r *Run) error {
	v, err := e.loadVersion(ctx, r.Version)
	if err != nil {
		return err
	}
	mask := func(o *expr.Object) *expr.Object {
		if o == nil {
			return nil
		}
		return object(maskValue(o, e.hide(v.secrets)))
	}
	r.TriggerRecord, r.Outputs, r.Response, r.Error = mask(r.TriggerRecord), mask(r.Outputs), mask(r.Response), mask(r.Error)
	if t := v.def.Trigger(r.Trigger); t != nil && r.TriggerRecord != nil {
		if t.Secure.Inputs {
			r.TriggerRecord = r.TriggerRecord.Without("inputs")
		}
		if t.Secure.Outputs {
			r.TriggerRecord = r.TriggerRecord.Without("outputs")
		}
	}
	return nil
}

// Runs lists a workflow's runs, the newest first.
func (e *Engine) Runs(ctx context.Context, workflowName string, p Page) ([]*Run, error) {
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return nil, err
	}
	if p.Top <= 0 {
		p.Top = 30
	}
	p.Top = min(p.Top, 250)
	q := `SELECT ` + runColumns + ` FROM playbook_run WHERE workflow=?`
	args := []any{w.name}
	if p.Status != "" {
		q += ` AND status=? COLLATE NOCASE`
		args = append(args, p.Status)
	}
	if p.After != "" {
		q += ` AND (started, id) < (SELECT started, id FROM playbook_run WHERE id=?)`
		args = append(args, p.After)
	}
	rows, err := e.db.Query(ctx, q+` ORDER BY started DESC, id DESC LIMIT `+strconv.Itoa(p.Top), args...)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var out []*Run
	for rows.Next() {
		r, err := e.scanRun(rows.Scan)
		if err != nil {
			rows.Close()
			return nil, err
		}
		out = append(out, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, r := range out {
		if err := e.maskRun(ctx, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *Engine) findRun(ctx context.Context, id string) (*Run, error) {
	r, err := e.scanRun(e.db.QueryRow(ctx, `SELECT `+runColumns+` FROM playbook_run WHERE id=?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, runNotFound(id)
	}
	return r, err
}

// RunDetail is a run with all its actions, repetitions included; secrets are masked.
func (e *Engine) RunDetail(ctx context.Context, id string) (*RunDetail, error) {
	r, err := e.findRun(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := e.maskRun(ctx, r); err != nil {
		return nil, err
	}
	v, err := e.loadVersion(ctx, r.Version)
	if err != nil {
		return nil, err
	}
	rows, err := e.db.Query(ctx, `SELECT `+actionColumns+` FROM playbook_action WHERE run=? ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	defer rows.Close()
	d := &RunDetail{Run: *r}
	hide := map[string]definition.Secure{}
	for _, a := range v.def.All() {
		hide[a.Name] = hidden(v.def, a)
	}
	for rows.Next() {
		rec, err := e.scanRecord(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", id, err)
		}
		d.Actions = append(d.Actions, e.actionRun(v, rec, hide))
	}
	sort.SliceStable(d.Actions, func(i, j int) bool { return d.Actions[i].sortKey < d.Actions[j].sortKey })
	return d, rows.Err()
}

func (e *Engine) actionRun(v *version0, rec *record, secure map[string]definition.Secure) *ActionRun {
	a := &ActionRun{
		Name: rec.name, Repetition: rec.rep, Iteration: rec.iteration, Status: rec.status, Code: rec.code, Started: rec.start, Ended: rec.end,
		TrackingID: rec.tracking, sortKey: rec.seq, HasInputs: rec.hasIn, HasOutputs: rec.hasOut,
	}
	secrets := e.hide(v.secrets)
	a.Error, _ = maskValue(rec.err, secrets).(*expr.Object)
	if n, ok := rec.metaValue("iterations").(int64); ok {
		a.Iterations = int(n)
	}
	a.Retries, _ = maskValue(rec.metaValue("retries"), secrets).([]any)
	a.Tracked, _ = maskValue(rec.metaValue("tracked"), secrets).(*expr.Object)
	act := v.def.Action(rec.name)
	if act == nil {
		return a
	}
	a.Type = act.Type
	loops := act.Loops
	if rec.iteration {
		loops = append(act.Loops[:len(act.Loops):len(act.Loops)], act)
	}
	if rec.rep != "" {
		for i, s := range strings.Split(rec.rep, "-") {
			n, _ := strconv.Atoi(s)
			ix := RepetitionIndex{Index: n}
			if i < len(loops) {
				ix.Loop = loops[i].Name
			}
			a.Indexes = append(a.Indexes, ix)
		}
	}
	hide := secure[act.Name]
	if rec.hasIn && !hide.Inputs {
		a.Inputs = maskValue(rec.inputs, secrets)
	}
	if rec.hasOut && !hide.Outputs {
		a.Outputs = maskValue(rec.outputs, secrets)
	}
	a.HasInputs, a.HasOutputs = rec.hasIn && !hide.Inputs, rec.hasOut && !hide.Outputs
	return a
}

// Cancel ends a run; what it has in progress is cancelled.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	r, err := e.findRun(ctx, id)
	if err != nil {
		return err
	}
	if !r.Ended.IsZero() {
		return fail(409, "WorkflowRunNotCancellable", "The workflow run '%s' ended as %s already.", id, r.Status)
	}
	e.mu.Lock()
	a := e.active[id]
	e.mu.Unlock()
	if a != nil {
		a.cancel(errCancelled)
		select {
		case <-a.finished:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return e.commits.do(func(tx *state.Tx) error { // it waits, or nothing executes now
		_, err := tx.Exec(`UPDATE playbook_run SET status=?, code='WorkflowRunCancelled', ended=? WHERE id=? AND ended=0`, Cancelled, micros(e.now()), id)
		return err
	})
}

// Resubmit starts a new run with the trigger outputs of an earlier one, on the workflow's current version.
func (e *Engine) Resubmit(ctx context.Context, id string) (string, error) {
	r, err := e.findRun(ctx, id)
	if err != nil {
		return "", err
	}
	w, err := e.findWorkflow(ctx, r.Workflow)
	if err != nil {
		return "", err
	}
	out := object(r.TriggerRecord.Value("outputs"))
	in := TriggerInput{Body: out.Value("body"), Headers: map[string][]string{}, Queries: map[string]string{}}
	for _, m := range object(out.Value("headers")).Members() {
		in.Headers.Set(m.Name, expr.Text(m.Value))
	}
	for _, m := range object(out.Value("queries")).Members() {
		in.Queries[m.Name] = expr.Text(m.Value)
	}
	if p := object(out.Value("relativePathParameters")); p != nil {
		t := w.def.Trigger(r.Trigger)
		if t != nil {
			rp, _ := t.Inputs.Value("relativePath").(string)
			for _, m := range p.Members() {
				rp = strings.ReplaceAll(rp, "{"+m.Name+"}", expr.Text(m.Value))
			}
			in.Relative = rp
		}
	}
	ids, _, err := e.fireFor(ctx, w, r.Trigger, in, cause{resubmit: true})
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		return "", fail(409, "TriggerConditionNotMet", "The trigger's conditions are not met for the outputs of the run '%s'.", id)
	}
	return ids[0], nil
}

// TriggerHistories lists the firings of a workflow's triggers, the newest first; trigger "" lists all.
func (e *Engine) TriggerHistories(ctx context.Context, workflowName, trigger string, top int) ([]*TriggerHistory, error) {
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return nil, err
	}
	if top <= 0 || top > 250 {
		top = 30
	}
	rows, err := e.db.Query(ctx, `SELECT id, name, status, code, fired, run, started, ended, scheduled, error FROM playbook_history
		WHERE workflow=? AND (?='' OR name=? COLLATE NOCASE) ORDER BY started DESC, id LIMIT ?`, w.name, trigger, trigger, top)
	if err != nil {
		return nil, fmt.Errorf("trigger histories: %w", err)
	}
	defer rows.Close()
	var out []*TriggerHistory
	for rows.Next() {
		h := &TriggerHistory{}
		var s, en, sc int64
		var errText string
		if err := rows.Scan(&h.ID, &h.Trigger, &h.Status, &h.Code, &h.Fired, &h.Run, &s, &en, &sc, &errText); err != nil {
			return nil, err
		}
		h.Started, h.Ended, h.Scheduled, h.Error = fromMicros(s), fromMicros(en), fromMicros(sc), parseObject(errText)
		out = append(out, h)
	}
	return out, rows.Err()
}

// Wait waits until a run has ended.
func (e *Engine) Wait(ctx context.Context, id string) (*Run, error) {
	for {
		r, err := e.findRun(ctx, id)
		if err != nil {
			return nil, err
		}
		if !r.Ended.IsZero() {
			return r, e.maskRun(ctx, r)
		}
		e.mu.Lock()
		a := e.active[id]
		e.mu.Unlock()
		var done <-chan struct{}
		if a != nil {
			done = a.finished
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-done:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}
