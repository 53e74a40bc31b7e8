package detect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/state"
	"slices"
)

// maxChain is how many automation rules may set each other off, one after another.
const maxChain = 10

// PlaybookStart asks for a run of a playbook by an automation rule.
type PlaybookStart struct {
	ID         string // the same for the same event, rule and action
	Workflow   string // resource id of the workflow, or its name
	IncidentID string // "" for an alert that has none, or that the rule is about
	AlertID    string // of a rule on alerts
	Event      *Event
	Rule       string // name of the automation rule
}

// automate runs the automation rules that an event sets off, one after another by their order, each on the incident as
// those before it left it. What is done for an event is noted with it, so that an event told again does nothing twice.
func (d *Detector) automate(ctx context.Context, op string, e *Event) error {
	rules, err := d.AutomationRules(ctx)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if !r.Trigger.Enabled || slices.Contains(e.Chain, r.ID) || len(e.Chain) >= maxChain {
			continue
		}
		if x := r.Trigger.Expires; x != nil && !x.IsZero() && !d.d.Now().Before(*x) {
			if err := d.disableExpired(ctx, r.ID); err != nil {
				return err
			}
			continue
		}
		if r.Trigger.On == "Alerts" {
			for _, id := range e.NewAlerts {
				a, err := d.Alert(ctx, id)
				if errors.Is(err, ErrNotFound) {
					continue
				} else if err != nil {
					return err
				}
				if err := d.act(ctx, op, r, &subject{ev: e, alerts: []*Alert{a}}); err != nil {
					return err
				}
			}
			continue
		}
		if e.IncidentID == "" || e.Created != (r.Trigger.When == "Created") {
			continue
		}
		in, err := d.Incident(ctx, e.IncidentID)
		if errors.Is(err, ErrNotFound) {
			return nil // deleted meanwhile
		} else if err != nil {
			return err
		}
		alerts, err := d.Alerts(ctx, in.ID)
		if err != nil {
			return err
		}
		if err := d.act(ctx, op, r, &subject{ev: e, in: in, alerts: alerts}); err != nil {
			return err
		}
	}
	return nil
}

// act does a rule's actions when its conditions hold, and writes how it went to SentinelHealth.
func (d *Detector) act(ctx context.Context, op string, r *AutomationRule, s *subject) error {
	key := r.ID
	if s.in == nil {
		key += "/" + s.alerts[0].ID
	}
	done, err := d.doneActions(ctx, op, key)
	if err != nil {
		return err
	}
	if _, ended := done[-1]; ended {
		return nil
	}
	if len(done) == 0 && !s.all(r.Trigger.Conditions) { // once begun it goes to its end, whatever its own actions changed
		return nil
	}
	actor := "Automation rule - " + r.DisplayName
	ctx = context.WithValue(ctx, originKey{}, origin{source: SourceAutomation, chain: append(slices.Clone(s.ev.Chain), r.ID)})
	var failures []string
	var playbooks []map[string]any
	good := 0
	for i := range r.Actions {
		a := &r.Actions[i]
		note, was := done[i]
		if !was {
			n, err := d.doAction(ctx, op, key, i, actor, r, a, s)
			if err != nil && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrNotFound) {
				return fmt.Errorf("automation rule %q: %w", r.DisplayName, err)
			}
			if err != nil {
				d.d.Log("an action of an automation rule failed", "rule", r.DisplayName, "action", i+1, "error", err)
				failures = append(failures, fmt.Sprintf("action %d (%s): %s", i+1, a.Type, err))
				continue
			}
			note = n
		}
		good++
		if a.Type == "RunPlaybook" {
			playbooks = append(playbooks, map[string]any{"WorkflowId": a.Config.Playbook, "RunId": note})
		}
	}
	defer nudge(d.noted)
	return d.d.State.Tx(ctx, func(tx *state.Tx) error {
		if fresh, err := markDone(ctx, tx, op, key, -1, ""); err != nil || !fresh {
			return err
		}
		return d.enqueue(ctx, tx, "SentinelHealth", "automation/"+op+"/"+key, d.automationHealth(derive("automation health", op, key), r, s, good, failures, playbooks))
	})
}

func (d *Detector) doneActions(ctx context.Context, op, key string) (map[int]string, error) {
	rows, err := d.d.State.Query(ctx, `SELECT action, note FROM detect_automation_done WHERE op=? AND rule_id=?`, op, key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int]string{}
	for rows.Next() {
		var i int
		var note string
		if err := rows.Scan(&i, &note); err != nil {
			return nil, err
		}
		out[i] = note
	}
	return out, rows.Err()
}

// markDone notes an action; fresh is false when it was noted before.
func markDone(ctx context.Context, tx *state.Tx, op, key string, action int, note string) (fresh bool, err error) {
	res, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO detect_automation_done(op, rule_id, action, note) VALUES(?,?,?,?)`, op, key, action, note)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// doAction does one action and notes it, in one transaction where it changes the incident.
func (d *Detector) doAction(ctx context.Context, op, key string, i int, actor string, r *AutomationRule, a *Action, s *subject) (note string, err error) {
	if a.Type == "RunPlaybook" {
		if d.d.RunPlaybook == nil {
			return "", fmt.Errorf("no playbooks can be run here: %w", ErrRefused)
		}
		st := PlaybookStart{ID: derive(op, key, i), Workflow: a.Config.Playbook, Event: s.ev, Rule: r.DisplayName}
		if s.in != nil {
			st.IncidentID = s.in.ID
		} else {
			st.AlertID, st.IncidentID = s.alerts[0].ID, s.alerts[0].IncidentID
		}
		if note, err = d.d.RunPlaybook(ctx, st); err != nil {
			return "", err
		}
		return note, d.d.State.Tx(ctx, func(tx *state.Tx) error {
			_, err := markDone(ctx, tx, op, key, i, note)
			return err
		})
	}
	return "", d.d.State.Tx(ctx, func(tx *state.Tx) error {
		fresh, err := markDone(ctx, tx, op, key, i, "")
		if err != nil || !fresh {
			return err
		}
		if a.Type == "AddIncidentTask" {
			return d.addTask(ctx, tx, s.in.ID, &Task{ID: derive(op, key, i), Title: a.Config.Title, Description: a.Config.Description, CreatedBy: actor})
		}
		_, err = d.update(ctx, tx, s.in.ID, actor, 0, func(in *Incident) Change { return *a.Config.change(in) })
		return err
	})
}

func (d *Detector) disableExpired(ctx context.Context, id string) error {
	return d.d.State.Tx(ctx, func(tx *state.Tx) error {
		r, err := scanAutomation(tx.QueryRowContext(ctx, `SELECT id, doc, etag FROM detect_automation WHERE id=?`, id))
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		} else if err != nil {
			return err
		}
		r.Trigger.Enabled = false
		r.Etag++
		return storeAutomation(ctx, tx, r)
	})
}

func (d *Detector) automationHealth(id string, r *AutomationRule, s *subject, good int, failures []string, playbooks []map[string]any) map[string]any {
	status, why := "Success", ""
	if len(failures) > 0 {
		status = "Partial success"
		if good == 0 {
			status = "Failure"
		}
		why = fmt.Sprint(failures)
	}
	ext := map[string]any{
		"ActionsTriggeredSuccessfully": good, "TotalActions": len(r.Actions), "TriggeredOn": "Incident", "TriggeredWhen": r.Trigger.When, "TriggeredPlaybooks": playbooks,
	}
	if playbooks == nil {
		ext["TriggeredPlaybooks"] = []map[string]any{}
	}
	if s.in != nil {
		ext["IncidentName"], ext["IncidentNumber"] = s.in.ID, s.in.Number
	} else {
		ext["TriggeredOn"], ext["AlertId"] = "Alert", s.alerts[0].ID
	}
	return map[string]any{
		"TimeGenerated": d.d.Now().UTC(), "OperationName": "Automation rule run", "SentinelResourceId": d.automationResource(r.ID), "SentinelResourceName": r.DisplayName,
		"Status": status, "Description": why, "Reason": why, "WorkspaceId": d.d.Workspace.ID, "SentinelResourceType": "Automation rule",
		"SentinelResourceKind": "Automation rule", "RecordId": id, "SourceSystem": self, "ExtendedProperties": ext,
	}
}

func (d *Detector) automationResource(id string) string {
	w := d.d.Workspace
	return "/subscriptions/" + w.SubscriptionID + "/resourceGroups/" + w.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" + w.Name + "/providers/Microsoft.SecurityInsights/automationRules/" + id
}
