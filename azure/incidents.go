package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"picket/detect"
	"picket/kql/syntax"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody     = 1 << 20
	defaultPage = 50
	maxPage     = 1000
)

func (a *API) insightsID(kind, id string) string {
	return a.d.Workspace.ResourceID() + "/providers/Microsoft.SecurityInsights/" + kind + "/" + id
}

func (a *API) incidentRoutes() []route {
	const one = armInsights + "/incidents/{id}"
	return []route{
		{"GET", armInsights + "/incidents", Reader, a.listIncidents},
		{"GET", one, Reader, a.getIncident},
		{"PUT", one, Responder, a.putIncident},
		{"POST", one + "/alerts", Reader, a.incidentAlerts},
		{"GET", one + "/alerts", Reader, a.incidentAlerts},
		{"POST", one + "/entities", Reader, a.incidentEntities},
		{"GET", one + "/entities", Reader, a.incidentEntities},
		{"POST", one + "/bookmarks", Reader, func(w http.ResponseWriter, r *call) {
			if _, err := a.d.Detect.Incident(r.Context(), r.v("id")); err != nil {
				a.fail(w, err)
				return
			}
			writeJSON(w, 200, map[string]any{"value": []any{}})
		}},
		{"GET", one + "/comments", Reader, a.listComments},
		{"PUT", one + "/comments/{comment}", Responder, a.putComment},
		{"GET", one + "/activities", Reader, a.activities},
		{"GET", one + "/graph", Reader, a.graph},
		{"POST", one + "/graph/expand", Reader, a.expand},
	}
}

// fail writes an error of a lower room in Azure's shape.
func (a *API) fail(w http.ResponseWriter, err error) {
	var ae *Error
	var list syntax.ErrorList
	switch {
	case errors.As(err, &ae):
		writeError(w, ae)
	case playbookError(err) != nil:
		pe := playbookError(err)
		writeError(w, &Error{Status: pe.Status, Code: pe.Code, Message: pe.Message})
	case errors.Is(err, detect.ErrNotFound):
		writeError(w, &Error{Status: 404, Code: "NotFound", Message: err.Error()})
	case errors.Is(err, detect.ErrConflict):
		writeError(w, &Error{Status: 409, Code: "Conflict", Message: err.Error()})
	case errors.As(err, &list):
		writeError(w, &Error{Status: 400, Code: "BadRequest", Message: err.Error()})
	case errors.Is(err, context.Canceled):
		writeError(w, &Error{Status: 499, Code: "ClientClosedRequest", Message: err.Error()})
	default:
		writeError(w, &Error{Status: 400, Code: "BadRequest", Message: err.Error()})
	}
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.0000000Z")
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func etag(n int64) string { return `"` + strconv.FormatInt(n, 16) + `"` }

func parseEtag(s string) (int64, *Error) {
	s = strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
	if s == "" || s == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 16, 64)
	if err != nil || n == 0 {
		return 0, &Error{Status: 412, Code: "PreconditionFailed", Message: fmt.Sprintf("The etag %q is none that picket gave.", s)}
	}
	return n, nil
}

func (a *API) incidentJSON(in *detect.Incident) map[string]any {
	p := map[string]any{
		"title": in.Title, "description": in.Description, "severity": string(in.Severity), "status": in.Status,
		"owner":                map[string]any{"objectId": orNil(in.Owner.ObjectID), "email": orNil(in.Owner.Email), "assignedTo": orNil(in.Owner.AssignedTo), "userPrincipalName": orNil(in.Owner.UserPrincipalName)},
		"labels":               in.Labels,
		"firstActivityTimeUtc": stamp(in.FirstActivity), "lastActivityTimeUtc": stamp(in.LastActivity), "createdTimeUtc": stamp(in.Created), "lastModifiedTimeUtc": stamp(in.Modified),
		"incidentNumber": in.Number, "incidentUrl": in.URL, "providerName": "Azure Sentinel", "providerIncidentId": strconv.Itoa(in.Number),
		"additionalData": map[string]any{"alertsCount": len(in.AlertIDs), "bookmarksCount": 0, "commentsCount": in.Comments, "alertProductNames": list(in.Products), "tactics": list(in.Tactics), "techniques": list(in.Techniques)},
	}
	if in.Labels == nil {
		p["labels"] = []detect.Label{}
	}
	rules := []string{}
	for _, r := range in.RuleIDs {
		rules = append(rules, a.insightsID("alertRules", r))
	}
	p["relatedAnalyticRuleIds"] = rules
	if in.Status == "Closed" {
		p["classification"], p["classificationReason"], p["classificationComment"] = in.Classification, orNil(in.Reason), orNil(in.Comment)
		p["closedTimeUtc"] = stamp(in.Closed)
	}
	return map[string]any{"id": a.insightsID("incidents", in.ID), "name": in.ID, "type": "Microsoft.SecurityInsights/incidents", "etag": etag(in.Etag), "properties": p}
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// listIncidents answers with $top, $skipToken, $orderby (properties/… asc|desc) and $filter of the form
// properties/NAME eq 'VALUE' [and …].
func (a *API) listIncidents(w http.ResponseWriter, r *call) {
	all, err := a.d.Detect.Incidents(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	q := r.URL.Query()
	var rows []map[string]any
	keep, e := parseFilter(q.Get("$filter"))
	if e != nil {
		writeError(w, e)
		return
	}
	for _, in := range all {
		if j := a.incidentJSON(in); keep(j["properties"].(map[string]any)) {
			rows = append(rows, j)
		}
	}
	if e := orderBy(rows, q.Get("$orderby")); e != nil {
		writeError(w, e)
		return
	}
	top := defaultPage
	if s := q.Get("$top"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("$top=%s is not a number from 1 to %d.", s, maxPage)})
			return
		}
		top = min(n, maxPage)
	}
	skip := 0
	if s := q.Get("$skipToken"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			writeError(w, &Error{Status: 400, Code: "BadRequest", Message: "$skipToken is none that picket gave."})
			return
		}
		skip = n
	}
	out := map[string]any{"value": []map[string]any{}}
	if skip < len(rows) {
		out["value"] = rows[skip:min(skip+top, len(rows))]
	}
	if skip+top < len(rows) {
		q.Set("$skipToken", strconv.Itoa(skip+top))
		out["nextLink"] = a.base(r.Request) + r.URL.Path + "?" + q.Encode()
	}
	writeJSON(w, 200, out)
}

// parseFilter reads the part of OData that Sentinel's clients use: properties/x eq|ne 'v', joined by and.
func parseFilter(s string) (func(map[string]any) bool, *Error) {
	if strings.TrimSpace(s) == "" {
		return func(map[string]any) bool { return true }, nil
	}
	type cond struct {
		path []string
		eq   bool
		want string
	}
	var cs []cond
	for _, part := range splitAnd(s) {
		f := strings.SplitN(strings.Trim(strings.TrimSpace(part), "()"), " ", 3)
		if len(f) != 3 || (f[1] != "eq" && f[1] != "ne") || !strings.HasPrefix(f[0], "properties/") {
			return nil, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("$filter: %q is not of the form properties/NAME eq 'VALUE'; picket knows eq, ne and and.", part)}
		}
		cs = append(cs, cond{strings.Split(strings.TrimPrefix(f[0], "properties/"), "/"), f[1] == "eq", strings.ReplaceAll(strings.Trim(f[2], "'"), "''", "'")})
	}
	return func(p map[string]any) bool {
		for _, c := range cs {
			var cur any = p
			for _, k := range c.path {
				m, _ := cur.(map[string]any)
				cur = m[k]
			}
			got := ""
			if cur != nil {
				got = fmt.Sprint(cur)
			}
			if strings.EqualFold(got, c.want) != c.eq {
				return false
			}
		}
		return true
	}, nil
}

// splitAnd cuts at " and " outside quotes.
func splitAnd(s string) []string {
	var out []string
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		if s[i] == '\'' {
			quoted = !quoted
		}
		if !quoted && strings.HasPrefix(s[i:], " and ") {
			out = append(out, s[from:i])
			i += 4
			from = i + 1
		}
	}
	return append(out, s[from:])
}

func orderBy(rows []map[string]any, s string) *Error {
	if s == "" {
		return nil
	}
	f := strings.Fields(s)
	name, ok := strings.CutPrefix(f[0], "properties/")
	desc := len(f) == 2 && strings.EqualFold(f[1], "desc")
	if !ok || len(f) > 2 || len(f) == 2 && !desc && !strings.EqualFold(f[1], "asc") {
		return &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("$orderby: %q is not of the form properties/NAME asc|desc.", s)}
	}
	key := func(i int) any { return rows[i]["properties"].(map[string]any)[name] }
	sort.SliceStable(rows, func(i, j int) bool {
		if desc {
			i, j = j, i
		}
		x, y := key(i), key(j)
		if n, ok := x.(int); ok {
			m, _ := y.(int)
			return n < m
		}
		return fmt.Sprint(x) < fmt.Sprint(y)
	})
	return nil
}

func (a *API) getIncident(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.incidentJSON(in))
}

type incidentBody struct {
	Etag       string `json:"etag"`
	Properties struct {
		Title                 *string          `json:"title"`
		Description           *string          `json:"description"`
		Severity              *detect.Severity `json:"severity"`
		Status                *string          `json:"status"`
		Classification        *string          `json:"classification"`
		ClassificationReason  *string          `json:"classificationReason"`
		ClassificationComment *string          `json:"classificationComment"`
		Owner                 *detect.Owner    `json:"owner"`
		Labels                *[]detect.Label  `json:"labels"`
	} `json:"properties"`
}

func (a *API) putIncident(w http.ResponseWriter, r *call) {
	var b incidentBody
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	tag := b.Etag
	if h := r.Header.Get("If-Match"); h != "" {
		tag = h
	}
	n, e := parseEtag(tag)
	if e != nil {
		writeError(w, e)
		return
	}
	p := b.Properties
	c := detect.Change{
		Title: p.Title, Description: p.Description, Severity: p.Severity, Status: p.Status, Classification: p.Classification,
		Reason: p.ClassificationReason, ClassificationComment: p.ClassificationComment, Owner: p.Owner, Labels: p.Labels,
	}
	_, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if errors.Is(err, detect.ErrNotFound) {
		in, err := a.d.Detect.CreateIncident(r.Context(), r.v("id"), r.who.Name, c)
		if err != nil {
			a.fail(w, err)
			return
		}
		writeJSON(w, 201, a.incidentJSON(in))
		return
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	in, err := a.d.Detect.Update(r.Context(), r.v("id"), r.who.Name, n, c)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.incidentJSON(in))
}

// AlertJSON is an alert as the REST API and the playbooks' incident trigger show it. Its rows, which Azure
// leaves to a query, are in properties.additionalData.rows for the page.
func (a *API) AlertJSON(al *detect.Alert, withRows bool) map[string]any {
	more := map[string]any{}
	for k, v := range al.ExtendedProperties() {
		more[k] = v
	}
	if withRows {
		more["rows"], more["rowCount"] = al.Rows, al.RowCount
	}
	ws := a.d.Workspace
	return map[string]any{
		"id": a.insightsID("Entities", al.ID), "name": al.ID, "type": "Microsoft.SecurityInsights/Entities", "kind": "SecurityAlert",
		"properties": map[string]any{
			"systemAlertId": al.ID, "tactics": list(al.Tactics), "techniques": list(al.Techniques), "alertDisplayName": al.Name, "friendlyName": al.Name, "description": al.Description,
			"confidenceLevel": "Unknown", "severity": string(al.Severity), "vendorName": "Microsoft", "productName": "Azure Sentinel", "productComponentName": "Scheduled Alerts",
			"alertType": ws.ID + "_" + al.RuleID, "processingEndTime": stamp(al.Modified), "status": "New", "endTimeUtc": stamp(al.End), "startTimeUtc": stamp(al.Start),
			"timeGenerated": stamp(al.Created), "providerAlertId": al.ID, "additionalData": more,
			"resourceIdentifiers": []any{map[string]any{"type": "LogAnalytics", "workspaceId": ws.ID, "subscriptionId": ws.SubscriptionID, "resourceGroup": ws.ResourceGroup}},
		},
	}
}

// EntityJSON is an entity as the REST API shows it.
func (a *API) EntityJSON(e detect.Entity) map[string]any {
	return map[string]any{"id": a.insightsID("Entities", e.ID()), "name": e.ID(), "type": "Microsoft.SecurityInsights/Entities", "kind": e.RESTKind(), "properties": e.RESTProperties()}
}

func (a *API) incidentAlerts(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	as, err := a.d.Detect.Alerts(r.Context(), in.ID)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, al := range as {
		out = append(out, a.AlertJSON(al, true))
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) incidentEntities(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	es, err := a.d.Detect.IncidentEntities(r.Context(), in.ID)
	if err != nil {
		a.fail(w, err)
		return
	}
	out, counts := []any{}, map[string]int{}
	for _, e := range es {
		out = append(out, a.EntityJSON(e))
		counts[e.RESTKind()]++
	}
	meta := []map[string]any{}
	for k, n := range counts {
		meta = append(meta, map[string]any{"entityKind": k, "count": n})
	}
	sort.Slice(meta, func(i, j int) bool { return meta[i]["entityKind"].(string) < meta[j]["entityKind"].(string) })
	writeJSON(w, 200, map[string]any{"entities": out, "metaData": meta})
}

func (a *API) commentJSON(in string, c detect.Comment) map[string]any {
	return map[string]any{
		"id": a.insightsID("incidents", in) + "/comments/" + c.ID, "name": c.ID, "type": "Microsoft.SecurityInsights/incidents/comments",
		"properties": map[string]any{"message": c.Message, "author": map[string]any{"name": c.Author}, "createdTimeUtc": stamp(c.Created), "lastModifiedTimeUtc": stamp(c.Modified)},
	}
}

func (a *API) listComments(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	cs, err := a.d.Detect.Comments(r.Context(), in.ID)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for i := len(cs) - 1; i >= 0; i-- {
		out = append(out, a.commentJSON(in.ID, cs[i]))
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) putComment(w http.ResponseWriter, r *call) {
	var b struct {
		Properties struct {
			Message string `json:"message"`
		} `json:"properties"`
	}
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	c, err := a.d.Detect.AddComment(r.Context(), in.ID, r.v("comment"), r.who.Name, b.Properties.Message)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 201, a.commentJSON(in.ID, *c))
}

func (a *API) activities(w http.ResponseWriter, r *call) {
	in, err := a.d.Detect.Incident(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	acts, err := a.d.Detect.Activities(r.Context(), in.ID)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, x := range acts {
		out = append(out, map[string]any{"timeUtc": stamp(x.At), "actor": x.Actor, "action": x.Action, "detail": x.Detail})
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) graph(w http.ResponseWriter, r *call) {
	g, err := a.d.Detect.Graph(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, g)
}

func (a *API) expand(w http.ResponseWriter, r *call) {
	var b struct {
		Node string `json:"node"`
	}
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	g, err := a.d.Detect.Expand(r.Context(), b.Node)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, g)
}
