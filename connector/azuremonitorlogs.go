package connector

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"math"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/playbook"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/query"
	"strings"
	"time"
)

// monitorLogs is the "Azure Monitor Logs" connector: a question in KQL, its rows as a list of objects or as an HTML
// page. Source: the connector's reference page. A cell of a dynamic column is its JSON text, as the service gives it.
type monitorLogs struct {
	query func(ctx context.Context, r query.Request) (*query.Result, error)
}

func (*monitorLogs) API() string { return "azuremonitorlogs" }

func (*monitorLogs) Operations() []playbook.Operation {
	return []playbook.Operation{
		{Method: "POST", Path: "/queryData", Title: "Run query and list results"},
		{Method: "POST", Path: "/queryDataV2", Title: "Run query and list results V2"},
		{Method: "POST", Path: "/visualizeQuery", Title: "Run query and visualize results"},
		{Method: "POST", Path: "/visualizeQueryV2", Title: "Run query and visualize results V2"},
	}
}

// maxQueryRows is what the connector gives at most.
const maxQueryRows = 500_000

func (c *monitorLogs) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	text, ok := r.Body.(string)
	from, to := time.Time{}, time.Time{}
	if o, isObject := r.Body.(*expr.Object); isObject {
		text, ok = o.Value("query").(string)
		var err error
		if from, to, err = timeRange(o); err != nil {
			return problem(400, "BadRequest", err.Error()), nil
		}
	} else if s := expr.Text(r.Queries.Value("timerange")); s != "" {
		var err error
		if from, to, err = namedRange(s, time.Now()); err != nil {
			return problem(400, "BadRequest", err.Error()), nil
		}
	}
	if !ok || strings.TrimSpace(text) == "" {
		return problem(400, "BadRequest", "The request has no query: its body must be the text of a query, or an object with 'query'."), nil
	}
	if typ := expr.Text(r.Queries.Value("resourcetype")); typ != "" && !strings.EqualFold(typ, "Log Analytics Workspace") {
		return problem(400, "BadRequest", fmt.Sprintf("The resource type '%s' is not available here; use 'Log Analytics Workspace'.", typ)), nil
	}
	res, err := c.query(ctx, query.Request{Text: text, From: from, To: to, MaxRows: maxQueryRows})
	var bad syntax.ErrorList
	if errors.As(err, &bad) {
		return problem(400, "BadArgumentError", "The request had some invalid properties: "+bad.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("run the query: %w", err)
	}
	if res.Partial != nil {
		return problem(400, res.Partial.Code, res.Partial.Message+" Ask for less: summarize, or take fewer rows."), nil
	}
	var t query.Table
	if len(res.Tables) > 0 {
		t = res.Tables[0]
	}
	if !strings.HasPrefix(strings.ToLower(r.Path), "/visualizequery") {
		return &playbook.Response{Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: expr.NewObject("value", rowsOf(t))}, nil
	}
	page := htmlTable(t)
	content := base64.StdEncoding.EncodeToString([]byte(page))
	return &playbook.Response{
		Status: 200, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"},
		Body: expr.NewObject("body", content, "attachmentContent", content, "attachmentName", "Query_Result.html"),
	}, nil
}

// rowsOf makes an object of each row.
func rowsOf(t query.Table) []any {
	out := make([]any, 0, t.Rows())
	for _, f := range t.Frames {
		for i := 0; i < f.N; i++ {
			o := &expr.Object{}
			for k, col := range t.Schema {
				o.Set(col.Name, cell(f.Vecs[k], i))
			}
			out = append(out, o)
		}
	}
	return out
}

// cell is a value as the query API writes it in JSON.
func cell(v *value.Vector, i int) any {
	if v.Type != value.String && v.IsNull(i) {
		return nil
	}
	k := v.Idx(i)
	switch v.Type {
	case value.Bool:
		return v.I[k] != 0
	case value.Int, value.Long:
		return v.I[k]
	case value.Real:
		if f := v.F[k]; !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	return value.Text(v, i)
}

// maxHTMLRows is how many rows a visualised answer shows.
const maxHTMLRows = 1000

func htmlTable(t query.Table) string {
	var b strings.Builder
	b.WriteString("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><style>table{border-collapse:collapse;font-family:sans-serif}td,th{border:1px solid #ccc;padding:4px 8px;text-align:left}</style></head><body><table><thead><tr>")
	for _, c := range t.Schema {
		b.WriteString("<th>" + html.EscapeString(c.Name) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>")
	n := 0
	for _, f := range t.Frames {
		for i := 0; i < f.N && n < maxHTMLRows; i, n = i+1, n+1 {
			b.WriteString("<tr>")
			for k := range t.Schema {
				b.WriteString("<td>" + html.EscapeString(value.Text(f.Vecs[k], i)) + "</td>")
			}
			b.WriteString("</tr>")
		}
	}
	b.WriteString("</tbody></table>")
	if all := t.Rows(); all > n {
		fmt.Fprintf(&b, "<p>The first %d of %d rows.</p>", n, all)
	}
	b.WriteString("</body></html>")
	return b.String()
}

// timeRange reads the V2 operations' time range: {"timerangetype":"Relative|Exact|SetInQuery","timerange":{…}}.
func timeRange(o *expr.Object) (from, to time.Time, err error) {
	typ, _ := o.Value("timerangetype").(string)
	if o.Value("timerangetype") == float64(1) {
		typ = "Relative"
	}
	r, _ := o.Value("timerange").(*expr.Object)
	switch n := strings.ToLower(strings.ReplaceAll(typ, " ", "")); n {
	case "", "setinquery", "1", "2", "3", "4":
		if s, ok := o.Value("timerange").(string); ok {
			return namedRange(s, time.Now())
		}
		return from, to, nil
	case "exact", "absolute", "betweentwotimes":
		for name, at := range map[string]*time.Time{"from": &from, "to": &to} {
			s := expr.Text(r.Value(name))
			if s == "" {
				continue
			}
			if *at, err = time.Parse(time.RFC3339Nano, s); err != nil {
				return from, to, fmt.Errorf("the time range's '%s' %q is not a time like 2026-01-31T00:00:00Z", name, s)
			}
		}
		return from, to, nil
	case "relative", "last", "lasttime":
		n, ok := r.Value("relativeTimeRange").(string)
		if !ok {
			n, _ = o.Value("timerange").(string)
		}
		return namedRange(n, time.Now())
	}
	return from, to, fmt.Errorf("the time range type '%s' is not one of SetInQuery, Relative, Exact", typ)
}

// namedRange reads the time range as the designer writes it: "Set in query", "Last 24 hours", "P1D".
func namedRange(s string, now time.Time) (from, to time.Time, err error) {
	t := strings.ToLower(strings.TrimSpace(s))
	if t == "" || t == "set in query" || t == "setinquery" {
		return from, to, nil
	}
	if d, err := definition.ParseDuration(strings.ToUpper(t)); err == nil {
		return now.Add(-d), to, nil
	}
	words := strings.Fields(strings.TrimPrefix(t, "last "))
	n := 1.0
	if len(words) == 2 {
		if _, err := fmt.Sscanf(words[0], "%g", &n); err != nil {
			words = nil
		}
		words = words[min(1, len(words)):]
	}
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour}
	if len(words) == 1 && n > 0 && n < 10_000 {
		if d, ok := units[strings.TrimSuffix(words[0], "s")]; ok {
			return now.Add(-time.Duration(n * float64(d))), to, nil
		}
	}
	return from, to, fmt.Errorf("the time range '%s' is not known; use 'Set in query', 'Last 24 hours' or a duration like P1D", s)
}
