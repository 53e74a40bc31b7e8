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

// Limits of an incident.
const (
	maxComment         = 30_000 // characters
	maxComments        = 100
	maxAlertsIncident  = 150
	maxIncidentsListed = 1000
	maxKeptRows        = 200 // rows of a result kept with its alert; the count is always whole
)

// Owner is who works an incident.
type Owner struct {
	ObjectID          string `json:"objectId,omitempty"`
	Email             string `json:"email,omitempty"`
	AssignedTo        string `json:"assignedTo,omitempty"`
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
}

// Label is a tag of an incident.
type Label struct {
	Name string `json:"labelName"`
	Type string `json:"labelType"` // User or AutoAssigned
}

// Incident is a case. Times are UTC.
type Incident struct {
	ID             string
	Number         int
	Title          string
	Description    string
	Severity       Severity
	Status         string // New, Active, Closed
	Classification string // TruePositive, BenignPositive, FalsePositive, Undetermined
	Reason         string // classification reason
	Comment        string // classification comment
	Owner          Owner
	Labels         []Label
	Tactics        []string
	Techniques     []string
	RuleIDs        []string
	AlertIDs       []string
	Products       []string
	Comments       int
	FirstActivity  time.Time
	LastActivity   time.Time
	Created        time.Time
	Modified       time.Time
	FirstModified  time.Time // zero until a person or playbook touches it
	Closed         time.Time
	ModifiedBy     string
	Etag           int64
	URL            string
}

// Alert is what a run of a rule found.
type Alert struct {
	ID            string
	RuleID        string
	RuleName      string
	IncidentID    string
	Name          string
	Description   string
	Severity      Severity
	Tactics       []string
	Techniques    []string
	Entities      []Entity
	Dropped       int // entities past the limit
	CustomDetails map[string][]string
	Dynamic       map[string]string // alertDynamicProperties
	Query         string
	WindowStart   time.Time
	WindowEnd     time.Time
	Start, End    time.Time // of the events
	Created       time.Time
	Modified      time.Time
	RowCount      int
	Rows          []json.RawMessage // the first rows of the result, as objects
	PerResult     bool
	Operator      string
	Threshold     int
	Period        time.Duration
}

// Comment is a remark on an incident.
type Comment struct {
	ID, Author, Message string
	Created, Modified   time.Time
}

// Activity is one line of an incident's log.
type Activity struct {
	At            time.Time
	Actor, Action string
	Detail        string
}

// classifications lists the reasons that each classification takes.
var classifications = map[string][]string{
	"Undetermined":   {""},
	"TruePositive":   {"", "SuspiciousActivity"},
	"BenignPositive": {"", "SuspiciousButExpected"},
	"FalsePositive":  {"", "IncorrectAlertLogic", "InaccurateData"},
}

// Change is an edit of an incident; nil fields stay.
type Change struct {
	Title, Description, Status                    *string
	Severity                                      *Severity
	Classification, Reason, ClassificationComment *string
	Owner                                         *Owner
	Labels                                        *[]Label
}

func (c *Change) apply(in *Incident, now time.Time) (log []string, err error) {
	set := func(name string, dst *string, v *string) {
		if v != nil && *v != *dst {
			log = append(log, fmt.Sprintf("%s: %s → %s", name, orNone(*dst), orNone(*v)))
			*dst = *v
		}
	}
	if c.Title != nil && strings.TrimSpace(*c.Title) == "" {
		return nil, errors.New("title: an incident needs a title")
	}
	set("title", &in.Title, c.Title)
	set("description", &in.Description, c.Description)
	if c.Severity != nil {
		s, err := parseSeverity(string(*c.Severity))
		if err != nil {
			return nil, fmt.Errorf("severity: %w", err)
		}
		t := string(s)
		cur := string(in.Severity)
		set("severity", &cur, &t)
		in.Severity = s
	}
	if c.Owner != nil && *c.Owner != in.Owner {
		log = append(log, fmt.Sprintf("owner: %s → %s", orNone(in.Owner.name()), orNone(c.Owner.name())))
		in.Owner = *c.Owner
	}
	if c.Labels != nil && !slices.Equal(*c.Labels, in.Labels) {
		in.Labels = *c.Labels
		log = append(log, "tags: "+orNone(labelNames(in.Labels)))
	}
	if c.Status != nil {
		st := *c.Status
		if !slices.Contains([]string{"New", "Active", "Closed"}, st) {
			return nil, fmt.Errorf("status: %q is not one of New, Active, Closed", st)
		}
		was := in.Status
		set("status", &in.Status, &st)
		if st == "Closed" {
			cl := in.Classification
			if c.Classification != nil {
				cl = *c.Classification
			}
			if cl == "" {
				return nil, errors.New("classification: closing an incident needs one of TruePositive, BenignPositive, FalsePositive, Undetermined")
			}
			if was != "Closed" {
				in.Closed = now
			}
		} else {
			in.Closed = time.Time{}
			in.Classification, in.Reason, in.Comment = "", "", ""
		}
	}
	if in.Status == "Closed" {
		cl, re := in.Classification, in.Reason
		if c.Classification != nil {
			cl = *c.Classification
			if c.Reason == nil && cl != in.Classification {
				re = ""
			}
		}
		if c.Reason != nil {
			re = *c.Reason
		}
		reasons, ok := classifications[cl]
		if !ok {
			return nil, fmt.Errorf("classification: %q is not one of TruePositive, BenignPositive, FalsePositive, Undetermined", cl)
		}
		if !slices.Contains(reasons, re) {
			return nil, fmt.Errorf("classificationReason: %q does not go with %s; use one of %s", re, cl, strings.Join(reasons[1:], ", "))
		}
		set("classification", &in.Classification, &cl)
		set("classification reason", &in.Reason, &re)
		set("classification comment", &in.Comment, c.ClassificationComment)
	}
	return log, nil
}

func (o Owner) name() string {
	for _, s := range []string{o.AssignedTo, o.UserPrincipalName, o.Email, o.ObjectID} {
		if s != "" {
			return s
		}
	}
	return ""
}

func labelNames(ls []Label) string {
	out := make([]string, len(ls))
	for i, l := range ls {
		out[i] = l.Name
	}
	return strings.Join(out, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func scanIncident(row interface{ Scan(...any) error }) (*Incident, error) {
	var doc string
	var in Incident
	var etag int64
	if err := row.Scan(&doc, &etag); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(doc), &in); err != nil {
		return nil, fmt.Errorf("stored incident: %w", err)
	}
	in.Etag = etag
	return &in, nil
}

// Incident reads an incident by its GUID or its number.
func (d *Detector) Incident(ctx context.Context, id string) (*Incident, error) {
	in, err := scanIncident(d.d.State.QueryRow(ctx, `SELECT doc, etag FROM detect_incident WHERE id=lower(?) OR CAST(number AS TEXT)=?`, id, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("incident %q: %w", id, ErrNotFound)
	}
	return in, err
}

// Incidents lists incidents, newest first.
func (d *Detector) Incidents(ctx context.Context) ([]*Incident, error) {
	rows, err := d.d.State.Query(ctx, `SELECT doc, etag FROM detect_incident ORDER BY number DESC LIMIT ?`, maxIncidentsListed)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	defer rows.Close()
	var out []*Incident
	for rows.Next() {
		in, err := scanIncident(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, in)
	}
	return out, rows.Err()
}

// saveIncident writes the incident, its activity lines and its SecurityIncident row in the caller's
// transaction.
func (d *Detector) saveIncident(ctx context.Context, tx *state.Tx, in *Incident, actor string, isNew bool, log []string) error {
	now := d.d.Now().UTC()
	ev := Event{IncidentID: in.ID, Created: isNew, Etag: in.Etag + 1, By: actor, Source: originOf(ctx, actor), Chain: chainOf(ctx)}
	if !isNew {
		was, err := scanIncident(tx.QueryRowContext(ctx, `SELECT doc, etag FROM detect_incident WHERE id=?`, in.ID))
		if err != nil {
			return err
		}
		ev.differ(was, in)
	} else {
		ev.NewAlerts = in.AlertIDs
	}
	in.Modified, in.ModifiedBy = now, actor
	in.Etag++
	doc, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if isNew {
		_, err = tx.ExecContext(ctx, `INSERT INTO detect_incident(id, number, status, severity, title, created, modified, etag, doc) VALUES(?,?,?,?,?,?,?,?,?)`,
			in.ID, in.Number, in.Status, string(in.Severity), in.Title, in.Created.UnixMicro(), now.UnixMicro(), in.Etag, string(doc))
	} else {
		_, err = tx.ExecContext(ctx, `UPDATE detect_incident SET status=?, severity=?, title=?, modified=?, etag=?, doc=? WHERE id=?`,
			in.Status, string(in.Severity), in.Title, now.UnixMicro(), in.Etag, string(doc), in.ID)
	}
	if err != nil {
		return err
	}
	for _, l := range log {
		act, detail, _ := strings.Cut(l, ": ")
		if _, err := tx.ExecContext(ctx, `INSERT INTO detect_activity(incident_id, at, actor, action, detail) VALUES(?,?,?,?,?)`, in.ID, now.UnixMicro(), actor, act, detail); err != nil {
			return err
		}
	}
	comments, err := commentsJSON(ctx, tx, in.ID)
	if err != nil {
		return err
	}
	tasks, err := tasksJSON(ctx, tx, in.ID)
	if err != nil {
		return err
	}
	if err := d.enqueue(ctx, tx, "SecurityIncident", fmt.Sprintf("incident/%s/%d", in.ID, in.Etag), d.incidentRow(in, comments, tasks)); err != nil {
		return err
	}
	return d.enqueue(ctx, tx, "event", fmt.Sprintf("event/%s/%d", in.ID, in.Etag), ev)
}

func commentsJSON(ctx context.Context, tx *state.Tx, id string) (json.RawMessage, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, author, message, created FROM detect_comment WHERE incident_id=? ORDER BY created`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []map[string]any{}
	for rows.Next() {
		var cid, author, msg string
		var at int64
		if err := rows.Scan(&cid, &author, &msg, &at); err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"id": cid, "message": msg, "author": map[string]string{"name": author}, "createdTimeUtc": time.UnixMicro(at).UTC()})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

func (d *Detector) incidentRow(in *Incident, comments, tasks json.RawMessage) map[string]any {
	row := map[string]any{
		"TimeGenerated": in.Modified, "IncidentName": in.ID, "Title": in.Title, "Description": in.Description, "Severity": string(in.Severity),
		"Status": in.Status, "Classification": in.Classification, "ClassificationComment": in.Comment, "ClassificationReason": in.Reason,
		"Owner": in.Owner, "ProviderName": "Azure Sentinel", "ProviderIncidentId": itoa(in.Number), "LastModifiedTime": in.Modified,
		"CreatedTime": in.Created, "IncidentNumber": in.Number, "RelatedAnalyticRuleIds": orEmpty(in.RuleIDs), "AlertIds": orEmpty(in.AlertIDs),
		"BookmarkIds": []string{}, "Comments": comments, "Tasks": tasks, "Labels": in.Labels, "IncidentUrl": in.URL, "ModifiedBy": in.ModifiedBy, "SourceSystem": "Azure",
		"AdditionalData": map[string]any{"alertsCount": len(in.AlertIDs), "bookmarksCount": 0, "commentsCount": in.Comments, "alertProductNames": orEmpty(in.Products), "tactics": orEmpty(in.Tactics), "techniques": orEmpty(in.Techniques)},
	}
	if in.Labels == nil {
		row["Labels"] = []Label{}
	}
	for k, t := range map[string]time.Time{"FirstActivityTime": in.FirstActivity, "LastActivityTime": in.LastActivity, "FirstModifiedTime": in.FirstModified, "ClosedTime": in.Closed} {
		if !t.IsZero() {
			row[k] = t
		}
	}
	return row
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// Update changes an incident as actor. etag 0 does not check.
func (d *Detector) Update(ctx context.Context, id, actor string, etag int64, c Change) (*Incident, error) {
	var out *Incident
	err := d.d.State.Tx(ctx, func(tx *state.Tx) (err error) {
		out, err = d.update(ctx, tx, id, actor, etag, func(*Incident) Change { return c })
		return err
	})
	nudge(d.noted)
	return out, err
}

func (d *Detector) update(ctx context.Context, tx *state.Tx, id, actor string, etag int64, change func(*Incident) Change) (*Incident, error) {
	in, err := findIncident(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	if etag != 0 && etag != in.Etag {
		return nil, fmt.Errorf("incident %d was changed by somebody else (etag %d, now %d): read it again: %w", in.Number, etag, in.Etag, ErrConflict)
	}
	now := d.d.Now().UTC()
	c := change(in)
	log, err := c.apply(in, now)
	if err != nil {
		return nil, fmt.Errorf("incident %d: %w: %w", in.Number, ErrRefused, err)
	}
	if len(log) == 0 {
		return in, nil
	}
	if in.FirstModified.IsZero() {
		in.FirstModified = now
	}
	return in, d.saveIncident(ctx, tx, in, actor, false, log)
}

// findIncident reads an incident by its GUID or its number inside a transaction.
func findIncident(ctx context.Context, tx *state.Tx, id string) (*Incident, error) {
	in, err := scanIncident(tx.QueryRowContext(ctx, `SELECT doc, etag FROM detect_incident WHERE id=lower(?) OR CAST(number AS TEXT)=?`, id, id))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("incident %q: %w", id, ErrNotFound)
	}
	return in, err
}

// CreateIncident makes an incident by hand (or by a playbook). id "" makes one.
func (d *Detector) CreateIncident(ctx context.Context, id, actor string, c Change) (*Incident, error) {
	now := d.d.Now().UTC()
	if id == "" {
		id = uuid.NewString()
	}
	if _, err := uuid.Parse(id); err != nil {
		return nil, fmt.Errorf("incident id %q is not a GUID", id)
	}
	if c.Title == nil || c.Severity == nil || c.Status == nil {
		return nil, errors.New("an incident needs title, severity and status")
	}
	in := &Incident{ID: strings.ToLower(id), Status: "New", Created: now, Severity: *c.Severity}
	if _, err := c.apply(in, now); err != nil {
		return nil, err
	}
	err := d.d.State.Tx(ctx, func(tx *state.Tx) error {
		if err := d.number(ctx, tx, in); err != nil {
			return err
		}
		return d.saveIncident(ctx, tx, in, actor, true, []string{"created: by hand"})
	})
	nudge(d.noted)
	return in, err
}

func (d *Detector) number(ctx context.Context, tx *state.Tx, in *Incident) error {
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(number),0)+1 FROM detect_incident`).Scan(&in.Number); err != nil {
		return err
	}
	in.URL = d.d.URL(in.ID)
	return nil
}

// AddComment adds a remark; id "" makes one, an id that exists is left as it is (a retried request adds
// nothing).
func (d *Detector) AddComment(ctx context.Context, incidentID, id, author, message string) (*Comment, error) {
	if strings.TrimSpace(message) == "" {
		return nil, errors.New("message: a comment needs text")
	}
	if n := len([]rune(message)); n > maxComment {
		return nil, fmt.Errorf("message: %d characters, %d at most", n, maxComment)
	}
	if id == "" {
		id = uuid.NewString()
	}
	now := d.d.Now().UTC()
	c := &Comment{ID: id, Author: author, Message: message, Created: now, Modified: now}
	err := d.d.State.Tx(ctx, func(tx *state.Tx) error {
		in, err := findIncident(ctx, tx, incidentID)
		if err != nil {
			return err
		}
		if in.Comments >= maxComments {
			return fmt.Errorf("incident %d has %d comments, the most it may have", in.Number, in.Comments)
		}
		res, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO detect_comment(id, incident_id, author, message, created, modified) VALUES(?,?,?,?,?,?)`, id, in.ID, author, message, now.UnixMicro(), now.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		in.Comments++
		if in.FirstModified.IsZero() {
			in.FirstModified = now
		}
		return d.saveIncident(ctx, tx, in, author, false, []string{"comment: " + message})
	})
	nudge(d.noted)
	return c, err
}

// Comments lists an incident's comments, oldest first.
func (d *Detector) Comments(ctx context.Context, incidentID string) ([]Comment, error) {
	rows, err := d.d.State.Query(ctx, `SELECT id, author, message, created, modified FROM detect_comment WHERE incident_id=lower(?) ORDER BY created`, incidentID)
	if err != nil {
		return nil, fmt.Errorf("list comments: %w", err)
	}
	defer rows.Close()
	out := []Comment{}
	for rows.Next() {
		var c Comment
		var a, m int64
		if err := rows.Scan(&c.ID, &c.Author, &c.Message, &a, &m); err != nil {
			return nil, err
		}
		c.Created, c.Modified = time.UnixMicro(a).UTC(), time.UnixMicro(m).UTC()
		out = append(out, c)
	}
	return out, rows.Err()
}

// Activities lists an incident's log, newest first.
func (d *Detector) Activities(ctx context.Context, incidentID string) ([]Activity, error) {
	rows, err := d.d.State.Query(ctx, `SELECT at, actor, action, detail FROM detect_activity WHERE incident_id=lower(?) ORDER BY seq DESC LIMIT 1000`, incidentID)
	if err != nil {
		return nil, fmt.Errorf("list activities: %w", err)
	}
	defer rows.Close()
	out := []Activity{}
	for rows.Next() {
		var a Activity
		var at int64
		if err := rows.Scan(&at, &a.Actor, &a.Action, &a.Detail); err != nil {
			return nil, err
		}
		a.At = time.UnixMicro(at).UTC()
		out = append(out, a)
	}
	return out, rows.Err()
}

// Alerts lists an incident's alerts, oldest first.
func (d *Detector) Alerts(ctx context.Context, incidentID string) ([]*Alert, error) {
	return d.alerts(ctx, `SELECT doc FROM detect_alert WHERE incident_id=lower(?) ORDER BY created`, incidentID)
}

// Alert reads one alert by its system alert id.
func (d *Detector) Alert(ctx context.Context, id string) (*Alert, error) {
	as, err := d.alerts(ctx, `SELECT doc FROM detect_alert WHERE id=lower(?)`, id)
	if err == nil && len(as) == 0 {
		return nil, fmt.Errorf("alert %q: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return as[0], nil
}

func (d *Detector) alerts(ctx context.Context, q string, args ...any) ([]*Alert, error) {
	rows, err := d.d.State.Query(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	defer rows.Close()
	out := []*Alert{}
	for rows.Next() {
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		var a Alert
		if err := json.Unmarshal([]byte(doc), &a); err != nil {
			return nil, fmt.Errorf("stored alert: %w", err)
		}
		out = append(out, &a)
	}
	return out, rows.Err()
}

// IncidentEntities gives the distinct entities of an incident's alerts.
func (d *Detector) IncidentEntities(ctx context.Context, incidentID string) ([]Entity, error) {
	as, err := d.Alerts(ctx, incidentID)
	if err != nil {
		return nil, err
	}
	var out []Entity
	seen := map[string]bool{}
	for _, a := range as {
		for _, e := range a.Entities {
			if id := e.ID(); !seen[id] {
				seen[id] = true
				out = append(out, e)
			}
		}
	}
	return out, nil
}
