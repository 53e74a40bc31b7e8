package detect

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"picket/state"
	"slices"
	"sort"
	"strings"
	"time"
)

// buildAlerts makes the alerts of a window's result: one for all rows, or one a row up to the limit of a run,
// the last of which then stands for the whole result.
func (d *Detector) buildAlerts(r *StoredRule, rows *rowSet, end time.Time) []*Alert {
	n := len(rows.cells)
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	if !r.PerResult {
		return []*Alert{d.buildAlert(r, rows, all, end, derive(r.ID, "/", end.UnixMicro()))}
	}
	single := n
	if n > maxAlertsPerRun {
		single = maxAlertsPerRun - 1
	}
	var out []*Alert
	times := map[string]int{}
	for i := 0; i < single; i++ {
		k := rows.key(i)
		times[k]++ // equal rows of one result are different alerts
		out = append(out, d.buildAlert(r, rows, []int{i}, end, derive(r.ID, "/", end.UnixMicro(), "/", k, "/", times[k])))
	}
	if single < n {
		out = append(out, d.buildAlert(r, rows, all, end, derive(r.ID, "/", end.UnixMicro(), "/rest")))
	}
	return out
}

func (d *Detector) buildAlert(r *StoredRule, rows *rowSet, idx []int, end time.Time, id string) *Alert {
	now := d.d.Now().UTC()
	a := &Alert{
		ID: id, RuleID: r.ID, RuleName: r.Name, Name: r.Name, Description: r.Description, Severity: r.Severity, Tactics: r.Tactics, Techniques: r.Techniques,
		Query: r.Query, WindowStart: end.Add(-r.Period), WindowEnd: end, Created: now, Modified: now, RowCount: len(idx), PerResult: r.PerResult,
		Operator: r.Operator, Threshold: r.Threshold, Period: r.Period,
	}
	for _, i := range idx[:min(len(idx), maxKeptRows)] {
		a.Rows = append(a.Rows, rows.record(i))
	}
	a.Start, a.End = rows.span(idx)
	if a.Start.IsZero() {
		a.Start, a.End = a.WindowStart, a.WindowEnd
	}
	a.Entities, a.Dropped = mapEntities(&r.Rule, rows, idx)
	if len(idx) > 0 {
		fill := func(format, otherwise string) string {
			if format == "" {
				return otherwise
			}
			return placeholders(format, rows, idx[0])
		}
		a.Name, a.Description = fill(r.NameFormat, a.Name), fill(r.DescFormat, a.Description)
		if c := rows.column(r.SeverityColumn); c >= 0 {
			if s, err := parseSeverity(rows.text(idx[0], c)); err == nil {
				a.Severity = s
			}
		}
		if c := rows.column(r.TacticsColumn); c >= 0 {
			if ts := tacticsOf(rows.text(idx[0], c)); len(ts) > 0 {
				a.Tactics = ts
			}
		}
		for p, col := range r.DynamicProps {
			if c := rows.column(col); c >= 0 {
				if v := rows.text(idx[0], c); v != "" {
					if a.Dynamic == nil {
						a.Dynamic = map[string]string{}
					}
					a.Dynamic[p] = v
				}
			}
		}
	}
	for key, col := range r.CustomDetails {
		c := rows.column(col)
		if c < 0 {
			continue
		}
		if a.CustomDetails == nil {
			a.CustomDetails = map[string][]string{}
		}
		vals := []string{}
		for _, i := range idx {
			if v := rows.text(i, c); v != "" && !slices.Contains(vals, v) && len(vals) < maxKeptRows {
				vals = append(vals, v)
			}
		}
		a.CustomDetails[key] = vals
	}
	return a
}

func placeholders(format string, rows *rowSet, row int) string {
	var b strings.Builder
	for {
		i := strings.Index(format, "{{")
		j := strings.Index(format, "}}")
		if i < 0 || j < i {
			b.WriteString(format)
			return b.String()
		}
		b.WriteString(format[:i])
		b.WriteString(rows.text(row, rows.column(strings.TrimSpace(format[i+2:j]))))
		format = format[j+2:]
	}
}

func tacticsOf(s string) []string {
	var list []string
	if json.Unmarshal([]byte(s), &list) == nil {
		return list
	}
	for _, t := range strings.Split(s, ",") {
		if t = strings.TrimSpace(t); t != "" {
			list = append(list, t)
		}
	}
	return list
}

// digest is what makes two states of an alert the same: nothing is written when it has not changed.
func (a *Alert) digest() string {
	h := sha256.New()
	fmt.Fprintln(h, a.RowCount, a.Name, a.Description, a.Severity)
	keys := make([]string, len(a.Rows))
	for i, r := range a.Rows {
		keys[i] = string(r)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Fprintln(h, k)
	}
	for _, e := range a.Entities {
		fmt.Fprintln(h, e.Keys())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// saveAlert stores an alert, new or changed, with its incident, in the caller's transaction.
func (d *Detector) saveAlert(ctx context.Context, tx *state.Tx, r *StoredRule, a *Alert) (changed bool, err error) {
	dig := a.digest()
	var oldDig, oldDoc string
	var incident sql.NullString
	err = tx.QueryRowContext(ctx, `SELECT digest, doc, incident_id FROM detect_alert WHERE id=?`, a.ID).Scan(&oldDig, &oldDoc, &incident)
	isNew := errors.Is(err, sql.ErrNoRows)
	if err != nil && !isNew {
		return false, err
	}
	if !isNew {
		if oldDig == dig {
			return false, nil
		}
		var old Alert
		if err := json.Unmarshal([]byte(oldDoc), &old); err != nil {
			return false, fmt.Errorf("stored alert %s: %w", a.ID, err)
		}
		a.Created, a.IncidentID = old.Created, incident.String
	}
	if r.CreateIncident {
		if err := d.incidentFor(ctx, tx, r, a, isNew); err != nil {
			return false, err
		}
	}
	doc, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO detect_alert(id, rule_id, window_end, created, modified, digest, incident_id, doc) VALUES(?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET modified=excluded.modified, digest=excluded.digest, incident_id=excluded.incident_id, doc=excluded.doc`,
		a.ID, a.RuleID, a.WindowEnd.UnixMicro(), a.Created.UnixMicro(), a.Modified.UnixMicro(), dig, nullable(a.IncidentID), string(doc))
	if err != nil {
		return false, err
	}
	for _, e := range a.Entities {
		for _, k := range e.Keys() {
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO detect_alert_entity(key, alert_id, entity_id) VALUES(?,?,?)`, k, a.ID, e.ID()); err != nil {
				return false, err
			}
		}
	}
	row, err := d.alertRow(a)
	if err != nil {
		return false, err
	}
	if err := d.enqueue(ctx, tx, "SecurityAlert", "alert/"+a.ID+"/"+dig, row); err != nil || !isNew || r.CreateIncident {
		return err == nil, err
	}
	return true, d.enqueue(ctx, tx, "event", "event/alert/"+a.ID, Event{Source: SourceGrouping, By: self, NewAlerts: []string{a.ID}})
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// incidentFor puts an alert into its incident: the one it has, one that grouping finds, or a new one.
func (d *Detector) incidentFor(ctx context.Context, tx *state.Tx, r *StoredRule, a *Alert, isNew bool) error {
	now := d.d.Now().UTC()
	var in *Incident
	var err error
	if a.IncidentID != "" {
		in, err = scanIncident(tx.QueryRowContext(ctx, `SELECT doc, etag FROM detect_incident WHERE id=?`, a.IncidentID))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if in == nil && r.Grouping.Enabled {
		if in, err = d.group(ctx, tx, r, a); err != nil {
			return err
		}
	}
	if in == nil {
		in = &Incident{
			ID: derive(a.ID, "/incident"), Title: a.Name, Description: a.Description, Severity: a.Severity, Status: "New", Tactics: a.Tactics, Techniques: a.Techniques,
			RuleIDs: []string{r.ID}, AlertIDs: []string{a.ID}, Products: []string{"Azure Sentinel"}, FirstActivity: a.Start, LastActivity: a.End, Created: now,
		}
		if err := d.number(ctx, tx, in); err != nil {
			return err
		}
		a.IncidentID = in.ID
		return d.saveIncident(ctx, tx, in, self, true, []string{fmt.Sprintf("created: rule %s, %d rows", r.Name, a.RowCount)})
	}
	a.IncidentID = in.ID
	log := []string{fmt.Sprintf("alert updated: %d rows", a.RowCount)}
	if !slices.Contains(in.AlertIDs, a.ID) {
		in.AlertIDs = append(in.AlertIDs, a.ID)
		log = []string{fmt.Sprintf("alert added: %s, %d rows", a.Name, a.RowCount)}
	}
	if a.Start.Before(in.FirstActivity) {
		in.FirstActivity = a.Start
	}
	if a.End.After(in.LastActivity) {
		in.LastActivity = a.End
	}
	if severityRank[a.Severity] > severityRank[in.Severity] && isNew {
		log = append(log, fmt.Sprintf("severity: %s → %s", in.Severity, a.Severity))
		in.Severity = a.Severity
	}
	if in.Status == "Closed" {
		// New evidence in a closed case must be seen.
		in.Status, in.Closed, in.Classification, in.Reason, in.Comment = "Active", time.Time{}, "", "", ""
		log = append(log, "reopened: new rows came in its window")
	}
	return d.saveIncident(ctx, tx, in, self, false, log)
}

// group finds the incident of the same rule that an alert belongs to under the rule's grouping, or nil.
func (d *Detector) group(ctx context.Context, tx *state.Tx, r *StoredRule, a *Alert) (*Incident, error) {
	back := r.Grouping.Lookback
	if back == 0 {
		back = 5 * time.Hour
	}
	rows, err := tx.QueryContext(ctx, `SELECT i.doc, i.etag, a.doc FROM detect_incident i JOIN detect_alert a ON a.incident_id=i.id
		WHERE a.rule_id=? AND i.created>=? ORDER BY i.created DESC, a.created`, r.ID, d.d.Now().Add(-back).UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var idoc, adoc string
		var etag int64
		if err := rows.Scan(&idoc, &etag, &adoc); err != nil {
			return nil, err
		}
		var in Incident
		var other Alert
		if err := errors.Join(json.Unmarshal([]byte(idoc), &in), json.Unmarshal([]byte(adoc), &other)); err != nil {
			return nil, err
		}
		in.Etag = etag
		if (in.Status == "Closed" && !r.Grouping.ReopenClosed) || len(in.AlertIDs) >= maxAlertsIncident {
			continue
		}
		if sameGroup(&r.Grouping, a, &other) {
			return &in, rows.Err()
		}
	}
	return nil, rows.Err()
}

func sameGroup(g *Grouping, a, b *Alert) bool {
	ents := func(x *Alert, only []string) string {
		var ks []string
		for _, e := range x.Entities {
			if only == nil || slices.ContainsFunc(only, func(s string) bool { return strings.EqualFold(s, e.Kind) }) {
				ks = append(ks, e.Keys()...)
			}
		}
		sort.Strings(ks)
		return strings.Join(ks, "\n")
	}
	switch g.Method {
	case "AnyAlert":
		return true
	case "AllEntities":
		return ents(a, nil) == ents(b, nil)
	}
	if len(g.Entities) > 0 && ents(a, g.Entities) != ents(b, g.Entities) {
		return false
	}
	for _, x := range g.AlertDetails {
		if strings.EqualFold(x, "DisplayName") && a.Name != b.Name || strings.EqualFold(x, "Severity") && a.Severity != b.Severity {
			return false
		}
	}
	for _, k := range g.CustomDetails {
		if !slices.Equal(a.CustomDetails[k], b.CustomDetails[k]) {
			return false
		}
	}
	return true
}

// ExtendedProperties are what playbooks read of an alert, all strings.
func (a *Alert) ExtendedProperties() map[string]string {
	agg := "SingleAlert"
	if a.PerResult {
		agg = "AlertPerResult"
	}
	const stamp = "2006-01-02 15:04:05Z"
	out := map[string]string{
		"Query": a.Query, "Query Period": clock(a.Period), "Query Start Time UTC": a.WindowStart.Format(stamp), "Query End Time UTC": a.WindowEnd.Format(stamp),
		"Query Results Aggregation Kind": agg, "Trigger Operator": a.Operator, "Trigger Threshold": itoa(a.Threshold),
		"Search Query Results Overall Count": itoa(a.RowCount), "Analytic Rule Ids": `["` + a.RuleID + `"]`, "Analytic Rule Name": a.RuleName,
	}
	if a.CustomDetails != nil {
		b, err := json.Marshal(a.CustomDetails)
		if err == nil {
			out["Custom Details"] = string(b)
		}
	}
	return out
}

// clock writes a duration as hh:mm:ss, days before it when there are any.
func clock(p time.Duration) string {
	days, p := p/(24*time.Hour), p%(24*time.Hour)
	s := fmt.Sprintf("%02d:%02d:%02d", p/time.Hour, p%time.Hour/time.Minute, p%time.Minute/time.Second)
	if days > 0 {
		s = fmt.Sprintf("%d.%s", days, s)
	}
	return s
}

func (d *Detector) alertRow(a *Alert) (map[string]any, error) {
	ents, err := entitiesJSON(a.Entities)
	if err != nil {
		return nil, err
	}
	ext, err := json.Marshal(a.ExtendedProperties())
	if err != nil {
		return nil, err
	}
	w := d.d.Workspace
	row := map[string]any{
		"TimeGenerated": a.Modified, "DisplayName": a.Name, "AlertName": a.Name, "AlertSeverity": string(a.Severity), "Description": a.Description,
		"ProviderName": "ASI Scheduled Alerts", "VendorName": "Microsoft", "VendorOriginalId": a.ID, "SystemAlertId": a.ID, "AlertType": w.ID + "_" + a.RuleID,
		"IsIncident": false, "StartTime": a.Start, "EndTime": a.End, "ProcessingEndTime": a.Modified, "ExtendedProperties": string(ext), "Entities": ents,
		"SourceSystem": "Detection", "WorkspaceSubscriptionId": w.SubscriptionID, "WorkspaceResourceGroup": w.ResourceGroup, "ProductName": "Azure Sentinel",
		"ProductComponentName": "Scheduled Alerts", "Status": "New", "Tactics": strings.Join(a.Tactics, ", "),
	}
	if len(a.Techniques) > 0 {
		b, err := json.Marshal(a.Techniques)
		if err != nil {
			return nil, err
		}
		row["Techniques"] = string(b)
	}
	for p, v := range a.Dynamic {
		if AlertSchema.Index(p) >= 0 {
			row[p] = v
		}
	}
	return row, nil
}
