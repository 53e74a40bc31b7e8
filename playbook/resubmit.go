package playbook

import (
	"context"
	"fmt"
	"picket/playbook/definition"
	"picket/state"
	"strings"
)

// ResubmitFrom starts a new run of the version that an ended run ran, from one of its actions: what ran before the
// action is taken over as it was, the action and what comes after it run again. action "" stands for every action that
// failed. An action inside a loop can't be chosen alone; choose the loop.
func (e *Engine) ResubmitFrom(ctx context.Context, runID, action string) (string, error) {
	r, err := e.findRun(ctx, runID)
	if err != nil {
		return "", err
	}
	if r.Ended.IsZero() {
		return "", fail(409, "WorkflowRunInProgress", "The workflow run '%s' goes on; cancel it, or wait for its end.", runID)
	}
	w, err := e.findWorkflow(ctx, r.Workflow)
	if err != nil {
		return "", err
	}
	if !w.enabled {
		return "", fail(409, "WorkflowDisabled", "The workflow '%s' is disabled. Enable it to run it again.", w.name)
	}
	ver, err := e.loadVersion(ctx, r.Version)
	if err != nil {
		return "", err
	}
	from, err := e.startingPoints(ctx, r, ver, action)
	if err != nil {
		return "", err
	}
	again, open := afterAll(ver.def, from)
	now := e.now()
	id := newRunID(now)
	rec := r.TriggerRecord.Clone()
	rec.Set("resubmittedFrom", runID)
	rec = rec.Without("awaited") // nobody waits for its Response
	status := Running
	secret := contains(rec, e.hide(ver.secrets))
	if t := ver.def.Trigger(r.Trigger); t != nil {
		secret = secret || t.Secure.Inputs || t.Secure.Outputs
		if t.Runs > 0 { // it takes its place in the line
			status = Waiting
		}
	}
	blob, err := e.seal.encode(rec, secret)
	if err != nil {
		return "", err
	}
	err = e.commits.do(func(tx *state.Tx) error {
		if _, err := tx.Exec(`INSERT INTO playbook_run(id, workflow, version, trigger, status, code, error, started, ended, tracking, record, outputs, response)
			VALUES(?,?,?,?,?,'','',?,0,?,?,'','')`, id, w.name, ver.id, r.Trigger, status, micros(now), r.TrackingID, blob); err != nil {
			return fmt.Errorf("record run: %w", err)
		}
		for _, a := range ver.def.All() {
			if again[a] {
				continue
			}
			for _, n := range []string{a.Name, "#" + a.Name} {
				if _, err := tx.Exec(`INSERT INTO playbook_action(run, name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta)
					SELECT ?, name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta FROM playbook_action WHERE run=? AND name=?`, id, runID, n); err != nil {
					return fmt.Errorf("take over action %s: %w", a.Name, err)
				}
			}
			if open[a] { // a scope, condition or switch around what runs again goes on with the branch it took
				if _, err := tx.Exec(`UPDATE playbook_action SET status=?, code='', error='', ended=0 WHERE run=? AND name=?`, Running, id, a.Name); err != nil {
					return fmt.Errorf("open action %s: %w", a.Name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	e.event(Event{Kind: "trigger", Workflow: w.name, Run: id, Name: r.Trigger, Status: Succeeded, Code: "Resubmitted", Started: now, Ended: e.now(), Tracking: r.TrackingID})
	if status == Waiting {
		e.nextWaiting(w.name, r.Trigger)
		return id, nil
	}
	return id, e.start(ctx, id, nil)
}

// startingPoints finds the actions to start from.
func (e *Engine) startingPoints(ctx context.Context, r *Run, ver *version0, action string) ([]*definition.Action, error) {
	status := func(a *definition.Action) string {
		var s string
		_ = e.db.QueryRow(ctx, `SELECT status FROM playbook_action WHERE run=? AND name=? AND rep=''`, r.ID, a.Name).Scan(&s) // none: it hadn't begun
		return s
	}
	if action != "" {
		a := ver.def.Action(action)
		if a == nil {
			return nil, fail(404, "WorkflowRunActionNotFound", "The workflow run '%s' has no action '%s'.", r.ID, action)
		}
		if len(a.Loops) > 0 {
			return nil, fail(400, "ResubmitNotSupported", "The action '%s' stands inside the loop '%s'; a run can start again from the loop.", a.Name, a.Loops[0].Name)
		}
		if s := status(a); s == "" || s == Skipped {
			return nil, fail(409, "ResubmitNotSupported", "The action '%s' did not run in the run '%s'; choose one that did.", a.Name, r.ID)
		}
		return []*definition.Action{a}, nil
	}
	var out []*definition.Action
	for _, a := range ver.def.All() {
		if len(a.Loops) > 0 {
			continue
		}
		switch status(a) {
		case Failed, TimedOut, Cancelled:
			inner := false // a container failed because of what stands inside it
			if a.Container() && !a.Loop() {
				for _, c := range a.Children() {
					switch status(c) {
					case Failed, TimedOut, Cancelled:
						inner = true
					}
				}
			}
			if !inner {
				out = append(out, a)
			}
		}
	}
	if len(out) == 0 {
		return nil, fail(409, "ResubmitNotSupported", "No action of the run '%s' failed; name the action to start from.", r.ID)
	}
	return out, nil
}

// afterAll gives the actions that run again: those chosen, what comes after them in their list and, level by level,
// after the containers around them; and the containers that are opened again.
func afterAll(d *definition.Definition, from []*definition.Action) (again, open map[*definition.Action]bool) {
	again, open = map[*definition.Action]bool{}, map[*definition.Action]bool{}
	var all func(a *definition.Action)
	all = func(a *definition.Action) {
		again[a] = true
		for _, c := range a.Children() {
			all(c)
		}
	}
	for _, a := range from {
		all(a)
		for x := a; x != nil; x = x.Parent {
			if x != a {
				open[x] = true
			}
			for _, later := range following(d, x) {
				all(later)
			}
		}
	}
	return again, open
}

// following lists the actions of the same list that wait for an action, directly or not.
func following(d *definition.Definition, a *definition.Action) []*definition.Action {
	list := d.Actions
	if a.Parent != nil {
		for _, b := range a.Parent.Branches {
			for _, c := range b.Actions {
				if c == a {
					list = b.Actions
				}
			}
		}
	}
	seen := map[string]bool{strings.ToLower(a.Name): true}
	var out []*definition.Action
	for grew := true; grew; {
		grew = false
		for _, x := range list {
			if seen[strings.ToLower(x.Name)] {
				continue
			}
			for _, p := range x.RunAfter {
				if seen[strings.ToLower(p.Name)] {
					seen[strings.ToLower(x.Name)] = true
					out = append(out, x)
					grew = true
					break
				}
			}
		}
	}
	return out
}
