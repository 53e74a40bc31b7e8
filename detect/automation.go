package detect

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"picket/state"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Limits of automation rules, those of Microsoft Sentinel.
const (
	maxAutomationRules = 512
	maxActions         = 20
	maxConditions      = 50
	maxConditionValues = 300
	maxConditionDepth  = 5
)

// AutomationRule says what is done with an incident or an alert when it comes or changes. Its JSON is the
// "properties" of Microsoft.SecurityInsights/automationRules.
type AutomationRule struct {
	ID          string    `json:"-"`
	Etag        int64     `json:"-"`
	DisplayName string    `json:"displayName"`
	Order       int       `json:"order"` // 1 to 1000; lower ones run first
	Trigger     Triggers  `json:"triggeringLogic"`
	Actions     []Action  `json:"actions"`
	Created     time.Time `json:"createdTimeUtc"`
	Modified    time.Time `json:"lastModifiedTimeUtc"`
	CreatedBy   Person    `json:"createdBy"`
	ModifiedBy  Person    `json:"lastModifiedBy"`
}

// Person is who made or changed an automation rule.
type Person struct {
	ObjectID          string `json:"objectId,omitempty"`
	Email             string `json:"email,omitempty"`
	Name              string `json:"name,omitempty"`
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
}

// Triggers says when an automation rule acts.
type Triggers struct {
	Enabled    bool        `json:"isEnabled"`
	Expires    *time.Time  `json:"expirationTimeUtc,omitempty"`
	On         string      `json:"triggersOn"`   // Incidents or Alerts
	When       string      `json:"triggersWhen"` // Created or Updated
	Conditions []Condition `json:"conditions"`
}

// Condition is one test; all of a rule's must hold.
type Condition struct {
	Type       string         `json:"conditionType"` // Property, PropertyArray, PropertyChanged, PropertyArrayChanged, Boolean
	Properties ConditionProps `json:"conditionProperties"`
}

// ConditionProps are the fields of all kinds of condition; which are set depends on Condition.Type.
type ConditionProps struct {
	Property       string      `json:"propertyName,omitempty"`
	Operator       string      `json:"operator,omitempty"`
	Values         []string    `json:"propertyValues,omitempty"`
	Change         string      `json:"changeType,omitempty"` // ChangedFrom, ChangedTo, Added; "" is any change
	Array          string      `json:"arrayType,omitempty"`  // Alerts, Labels, Tactics, Comments; CustomDetails, CustomDetailValues
	ArrayCondition string      `json:"arrayConditionType,omitempty"`
	Items          []Condition `json:"itemConditions,omitempty"`
	Inner          []Condition `json:"innerConditions,omitempty"`
}

// Action is one thing an automation rule does.
type Action struct {
	Order  int          `json:"order"`
	Type   string       `json:"actionType"` // ModifyProperties, RunPlaybook, AddIncidentTask
	Config ActionConfig `json:"actionConfiguration"`
}

// ActionConfig are the fields of all kinds of action; which are set depends on Action.Type.
type ActionConfig struct {
	Severity       string  `json:"severity,omitempty"`
	Status         string  `json:"status,omitempty"`
	Classification string  `json:"classification,omitempty"`
	Reason         string  `json:"classificationReason,omitempty"`
	Comment        string  `json:"classificationComment,omitempty"`
	Owner          *Owner  `json:"owner,omitempty"`
	Labels         []Label `json:"labels,omitempty"` // added to those there are

	Playbook string `json:"logicAppResourceId,omitempty"`
	TenantID string `json:"tenantId,omitempty"`

	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
}

// Validate names the first thing that is wrong, by its place in the rule's JSON.
func (r *AutomationRule) Validate() error {
	if strings.TrimSpace(r.DisplayName) == "" || len([]rune(r.DisplayName)) > 500 {
		return errors.New("displayName: 1 to 500 characters")
	}
	if r.Order < 1 || r.Order > 1000 {
		return fmt.Errorf("order: %d is not within 1 to 1000", r.Order)
	}
	t := &r.Trigger
	if !slices.Contains([]string{"Incidents", "Alerts"}, t.On) {
		return fmt.Errorf("triggeringLogic.triggersOn: %q is not one of Incidents, Alerts", t.On)
	}
	if !slices.Contains([]string{"Created", "Updated"}, t.When) {
		return fmt.Errorf("triggeringLogic.triggersWhen: %q is not one of Created, Updated", t.When)
	}
	if t.On == "Alerts" && t.When != "Created" {
		return errors.New("triggeringLogic.triggersWhen: alerts trigger only when Created")
	}
	n := 0
	for i := range t.Conditions {
		if err := t.Conditions[i].validate(t, &n, 1); err != nil {
			return fmt.Errorf("triggeringLogic.conditions[%d]: %w", i, err)
		}
	}
	if len(r.Actions) == 0 {
		return errors.New("actions: a rule needs one action at least")
	}
	if len(r.Actions) > maxActions {
		return fmt.Errorf("actions: %d, %d at most", len(r.Actions), maxActions)
	}
	for i := range r.Actions {
		if err := r.Actions[i].validate(t); err != nil {
			return fmt.Errorf("actions[%d]: %w", i, err)
		}
	}
	return nil
}

func (a *Action) validate(t *Triggers) error {
	c := &a.Config
	switch a.Type {
	case "ModifyProperties":
		if t.On == "Alerts" {
			return errors.New("actionType: a rule on alerts can only run playbooks")
		}
		if c.Severity == "" && c.Status == "" && c.Owner == nil && len(c.Labels) == 0 && c.Classification == "" {
			return errors.New("actionConfiguration: nothing to change: set severity, status, owner or labels")
		}
		probe := &Incident{Title: "x", Status: "New", Severity: "Low"}
		if _, err := c.change(probe).apply(probe, time.Time{}); err != nil {
			return fmt.Errorf("actionConfiguration: %w", err)
		}
		for _, l := range c.Labels {
			if strings.TrimSpace(l.Name) == "" {
				return errors.New("actionConfiguration.labels: a label needs a labelName")
			}
		}
	case "RunPlaybook":
		if c.Playbook == "" {
			return errors.New("actionConfiguration.logicAppResourceId: the playbook's resource id is missing")
		}
	case "AddIncidentTask":
		if t.On == "Alerts" {
			return errors.New("actionType: a rule on alerts can only run playbooks")
		}
		return validTask(c.Title, c.Description)
	default:
		return fmt.Errorf("actionType: %q is not one of ModifyProperties, RunPlaybook, AddIncidentTask", a.Type)
	}
	return nil
}

// change is what ModifyProperties does to an incident.
func (c *ActionConfig) change(in *Incident) *Change {
	opt := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	ch := &Change{Status: opt(c.Status), Classification: opt(c.Classification), Reason: opt(c.Reason), ClassificationComment: opt(c.Comment), Owner: c.Owner}
	if c.Severity != "" {
		s := Severity(c.Severity)
		ch.Severity = &s
	}
	if len(c.Labels) > 0 {
		all := slices.Clone(in.Labels)
		for _, l := range c.Labels {
			if !slices.ContainsFunc(all, func(h Label) bool { return strings.EqualFold(h.Name, l.Name) }) {
				all = append(all, Label{Name: l.Name, Type: "AutoAssigned"})
			}
		}
		ch.Labels = &all
	}
	return ch
}

// SaveAutomationRule validates and stores a rule, new or changed. etag 0 does not check; any other must be the stored
// one.
func (d *Detector) SaveAutomationRule(ctx context.Context, r AutomationRule, by Person, etag int64) (*AutomationRule, error) {
	if r.ID == "" {
		r.ID = uuid.NewString()
	}
	if len(r.ID) > 128 {
		return nil, errors.New("automation rule: its id has more than 128 characters")
	}
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("automation rule %q: %w", r.DisplayName, err)
	}
	slices.SortStableFunc(r.Actions, func(a, b Action) int { return a.Order - b.Order })
	if r.Trigger.Conditions == nil {
		r.Trigger.Conditions = []Condition{}
	}
	err := d.d.State.Tx(ctx, func(tx *state.Tx) error {
		now := d.d.Now().UTC()
		old, err := scanAutomation(tx.QueryRowContext(ctx, `SELECT id, doc, etag FROM detect_automation WHERE id=?`, r.ID))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		r.Modified, r.ModifiedBy = now, by
		if old == nil {
			if etag != 0 {
				return fmt.Errorf("automation rule %s: %w", r.ID, ErrNotFound)
			}
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM detect_automation`).Scan(&n); err != nil {
				return err
			}
			if n >= maxAutomationRules {
				return fmt.Errorf("automation rule %q: there are %d rules, the most a workspace has", r.DisplayName, n)
			}
			r.Created, r.CreatedBy, r.Etag = now, by, 1
		} else {
			if etag != 0 && etag != old.Etag {
				return fmt.Errorf("automation rule %q was changed by somebody else (etag %d, now %d): read it again: %w", old.DisplayName, etag, old.Etag, ErrConflict)
			}
			r.Created, r.CreatedBy, r.Etag = old.Created, old.CreatedBy, old.Etag+1
		}
		return storeAutomation(ctx, tx, &r)
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
}

func storeAutomation(ctx context.Context, tx *state.Tx, r *AutomationRule) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO detect_automation(id, doc, etag, ord) VALUES(?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET doc=excluded.doc, etag=excluded.etag, ord=excluded.ord`, r.ID, string(doc), r.Etag, r.Order)
	return err
}

func scanAutomation(row interface{ Scan(...any) error }) (*AutomationRule, error) {
	var id, doc string
	var etag int64
	if err := row.Scan(&id, &doc, &etag); err != nil {
		return nil, err
	}
	r := &AutomationRule{}
	if err := json.Unmarshal([]byte(doc), r); err != nil {
		return nil, fmt.Errorf("stored automation rule %s: %w", id, err)
	}
	r.ID, r.Etag = id, etag
	return r, nil
}

// AutomationRule reads a rule by its id.
func (d *Detector) AutomationRule(ctx context.Context, id string) (*AutomationRule, error) {
	r, err := scanAutomation(d.d.State.QueryRow(ctx, `SELECT id, doc, etag FROM detect_automation WHERE id=?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("automation rule %s: %w", id, ErrNotFound)
	}
	return r, err
}

// AutomationRules lists the rules in the order they run.
func (d *Detector) AutomationRules(ctx context.Context) ([]*AutomationRule, error) {
	rows, err := d.d.State.Query(ctx, `SELECT id, doc, etag FROM detect_automation ORDER BY ord, id`)
	if err != nil {
		return nil, fmt.Errorf("list automation rules: %w", err)
	}
	defer rows.Close()
	out := []*AutomationRule{}
	for rows.Next() {
		r, err := scanAutomation(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// DeleteAutomationRule removes a rule; what it did stays.
func (d *Detector) DeleteAutomationRule(ctx context.Context, id string) error {
	return d.d.State.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM detect_automation WHERE id=?`, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err == nil && n == 0 {
			return fmt.Errorf("automation rule %s: %w", id, ErrNotFound)
		}
		return nil
	})
}
