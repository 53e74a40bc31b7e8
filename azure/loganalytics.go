package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/query"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxQueryBody   = 1 << 20
	defaultTimeout = 3 * time.Minute
	maxTimeout     = 10 * time.Minute
)

// RunQuery answers a question; azure turns its result and errors into wire shapes.
type RunQuery func(ctx context.Context, r query.Request) (*query.Result, error)

// logAnalytics answers the Log Analytics query API.
type logAnalytics struct {
	ws  Workspace
	run func(ctx context.Context, who Principal, q query.Request) (*query.Result, error)
	now func() time.Time
}

type laRequest struct {
	Query      string   `json:"query"`
	Timespan   string   `json:"timespan"`
	Workspaces []string `json:"workspaces"`
}

// knows reports whether a name means this workspace: its id, its name or its resource id.
func (la *logAnalytics) knows(name string) bool {
	return strings.EqualFold(name, la.ws.ID) || strings.EqualFold(name, la.ws.Name) || strings.EqualFold(name, la.ws.ResourceID())
}

func (la *logAnalytics) unknown(name string) *Error {
	return &Error{Status: 404, Code: "WorkspaceNotFoundError", Message: fmt.Sprintf("The workspace %q could not be found. This picket serves workspace %s.", name, la.ws.ID)}
}

// query answers one question; id is the workspace of the path, "" when the path names it as a resource.
func (la *logAnalytics) query(w http.ResponseWriter, r *http.Request, id string, who Principal) {
	if id != "" && !la.knows(id) {
		writeError(w, la.unknown(id))
		return
	}
	var q laRequest
	if r.Method == http.MethodGet {
		v := r.URL.Query()
		q.Query, q.Timespan = v.Get("query"), v.Get("timespan")
		for _, ws := range strings.Split(v.Get("workspaces"), ",") {
			if ws = strings.TrimSpace(ws); ws != "" {
				q.Workspaces = append(q.Workspaces, ws)
			}
		}
	} else {
		b, e := readBody(w, r, maxQueryBody, false, "BadArgumentError")
		if e != nil {
			writeError(w, e)
			return
		}
		if e := checkJSON(b, "BadArgumentError"); e != nil {
			writeError(w, e)
			return
		}
		if err := json.Unmarshal(b, &q); err != nil {
			writeError(w, &Error{Status: 400, Code: "BadArgumentError", Message: "The request had some invalid properties", Inner: map[string]any{"code": "InvalidJsonBody", "message": "The request body is not valid JSON: " + err.Error()}})
			return
		}
	}
	status, body := la.answer(r.Context(), who, q, r.Header.Values("Prefer"))
	retryAfter(w, status)
	writeJSON(w, status, body)
}

func (la *logAnalytics) answer(ctx context.Context, who Principal, q laRequest, prefer []string) (int, any) {
	bad := func(code, msg string) (int, any) {
		return 400, map[string]any{"error": &Error{Code: "BadArgumentError", Message: "The request had some invalid properties", Inner: map[string]any{"code": code, "message": msg}}}
	}
	if strings.TrimSpace(q.Query) == "" {
		return bad("QueryNotProvided", "The query is empty: send a KQL query in the field \"query\".")
	}
	for _, ws := range q.Workspaces {
		if !la.knows(ws) {
			return bad("WorkspaceNotFoundError", fmt.Sprintf("The workspace %q in \"workspaces\" could not be found here.", ws))
		}
	}
	req := query.Request{Text: q.Query, Now: la.now(), Timeout: defaultTimeout}
	if q.Timespan != "" {
		from, to, err := ParseTimespan(q.Timespan, req.Now)
		if err != nil {
			return bad("InvalidTimespan", err.Error())
		}
		req.From, req.To = from, to
	}
	opts := preferences(prefer)
	if s, ok := opts["wait"]; ok {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return bad("InvalidPrefer", fmt.Sprintf("Prefer: wait=%s is not a number of seconds.", s))
		}
		req.Timeout = min(time.Duration(n)*time.Second, maxTimeout)
	}
	res, err := la.run(ctx, who, req)
	if err != nil {
		return queryError(err)
	}
	out := &laAnswer{Tables: laTables(res.Tables)}
	if opts["include-statistics"] == "true" {
		out.Statistics = map[string]any{"query": map[string]any{
			"executionTime": res.Stats.Elapsed.Seconds(),
			"inputDatasetStatistics": map[string]any{
				"rows": res.Stats.RowsRead, "bytes": res.Stats.BytesRead, "segments": res.Stats.SegmentsRead, "segmentsPruned": res.Stats.SegmentsPruned,
			},
			"datasetStatistics": datasetStats(res.Tables),
		}}
	}
	if opts["include-render"] == "true" {
		m := map[string]any{"visualization": nil}
		if res.Render != nil {
			m["visualization"] = res.Render.Visualization
			for k, v := range res.Render.Properties {
				m[k] = v
			}
		}
		out.Render = m
	}
	if res.Partial != nil {
		out.Error = partialError(res.Partial)
	}
	return 200, out
}

// laAnswer is the body of an answer.
type laAnswer struct {
	Tables     []laTable      `json:"tables"`
	Statistics map[string]any `json:"statistics,omitempty"`
	Render     map[string]any `json:"render,omitempty"`
	Error      map[string]any `json:"error,omitempty"`
}

type laTable struct {
	Name    string     `json:"name"`
	Columns []laColumn `json:"columns"`
	Rows    laRows     `json:"rows"`
}

type laColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func datasetStats(ts []query.Table) []map[string]any {
	out := []map[string]any{}
	for i := range ts {
		out = append(out, map[string]any{"tableRowCount": ts[i].Rows(), "tableName": ts[i].Name})
	}
	return out
}

// partialError is what the SDKs read a partial result from: 200 with an error of code PartialError.
func partialError(p *query.Partial) map[string]any {
	code := "-2133196797" // E_QUERY_RESULT_SET_TOO_LARGE
	if p.Code == "E_RUNAWAY_QUERY" {
		code = "-2133196799"
	}
	return map[string]any{
		"code": "PartialError", "message": "There were some errors when processing your query.",
		"details": []map[string]any{{
			"code": "EngineError", "message": "Something went wrong processing your query on the server.",
			"innererror": map[string]any{"code": code, "message": p.Message + " (" + p.Code + ")", "severity": 2, "severityName": "Error"},
		}},
	}
}

// queryError turns a failed question into status and body. SDKs show the innermost message, so that is where
// line, column and near misses stand.
func queryError(err error) (int, any) {
	var list syntax.ErrorList
	if errors.As(err, &list) && len(list) > 0 {
		first := list[0]
		kind := "SemanticError"
		if strings.HasPrefix(first.Code, "SYN") {
			kind = "SyntaxError"
		}
		inner := map[string]any{"code": first.Code, "message": list.Error(), "line": first.Line, "pos": first.Column}
		return 400, map[string]any{"error": &Error{
			Code: "BadArgumentError", Message: "The request had some invalid properties",
			Inner: map[string]any{"code": kind, "message": fmt.Sprintf("A %s error occurred in the query.", strings.ToLower(strings.TrimSuffix(kind, "Error"))), "innererror": inner},
		}}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return 504, map[string]any{"error": &Error{Code: "GatewayTimeout", Message: "The query did not end within its time limit: narrow its time range, or ask for more time with Prefer: wait=SECONDS."}}
	}
	var ae *Error
	if errors.As(err, &ae) {
		return ae.Status, map[string]any{"error": ae}
	}
	return 500, map[string]any{"error": &Error{Code: "InternalServerError", Message: err.Error()}}
}

func preferences(hs []string) map[string]string {
	out := map[string]string{}
	for _, h := range hs {
		for _, p := range strings.FieldsFunc(h, func(r rune) bool { return r == ',' || r == ';' }) {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			if k != "" {
				out[strings.ToLower(k)] = strings.ToLower(v)
			}
		}
	}
	return out
}

func laTables(ts []query.Table) []laTable {
	out := make([]laTable, 0, len(ts))
	for i := range ts {
		t := &ts[i]
		lt := laTable{Name: t.Name, Columns: make([]laColumn, len(t.Schema)), Rows: laRows{t}}
		for c, col := range t.Schema {
			lt.Columns[c] = laColumn{col.Name, col.Type.String()}
		}
		out = append(out, lt)
	}
	return out
}

// laRows writes a table's rows as Log Analytics does: like Kusto's, but a dynamic is a string of JSON.
type laRows struct{ t *query.Table }

// MarshalJSON writes the rows.
func (r laRows) MarshalJSON() ([]byte, error) {
	return appendRows(nil, r.t.Frames, func(b []byte, v *value.Vector, i int) []byte {
		if v.Type != value.Dynamic {
			return value.AppendCell(b, v, i)
		}
		if v.IsNull(i) {
			return append(b, "null"...)
		}
		return value.AppendJSONString(b, value.Text(v, i))
	}), nil
}

// appendRows writes rows as an array of arrays.
func appendRows(b []byte, frames []*value.Frame, cell func([]byte, *value.Vector, int) []byte) []byte {
	b = append(b, '[')
	first := true
	for _, f := range frames {
		for i := 0; i < f.N; i++ {
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, '[')
			for c, v := range f.Vecs {
				if c > 0 {
					b = append(b, ',')
				}
				b = cell(b, v, i)
			}
			b = append(b, ']')
		}
	}
	return append(b, ']')
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$`)

// ParseDuration reads an ISO 8601 duration (PT5M, P1D, PT3600.0S); a year is 365 days, a month 30.
func ParseDuration(s string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "P" || strings.HasSuffix(s, "T") {
		return 0, fmt.Errorf("%q is not an ISO 8601 duration such as PT1H or P1D", s)
	}
	units := []float64{365 * 24, 30 * 24, 7 * 24, 24, 1, 1.0 / 60, 1.0 / 3600}
	hours := 0.0
	for i, u := range units {
		if m[i+1] != "" {
			f, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return 0, fmt.Errorf("%q is not an ISO 8601 duration: %w", s, err)
			}
			hours += f * u
		}
	}
	if hours > 24*365*100 {
		return 0, fmt.Errorf("the duration %q is longer than a hundred years", s)
	}
	return time.Duration(math.Round(hours * float64(time.Hour))), nil
}

// ParseTimespan reads a timespan of the query API: a duration back from now, start/end, start/duration or
// duration/end.
func ParseTimespan(s string, now time.Time) (from, to time.Time, err error) {
	a, b, two := strings.Cut(s, "/")
	if !two {
		d, err := ParseDuration(a)
		if err != nil {
			return from, to, err
		}
		return now.Add(-d), now, nil
	}
	at := func(x string) (time.Time, error) {
		for _, l := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02", "2006-01-02 15:04:05.999999999"} {
			if t, err := time.Parse(l, x); err == nil {
				return t, nil
			}
		}
		return time.Time{}, fmt.Errorf("%q in the timespan is neither a time nor a duration", x)
	}
	switch {
	case strings.HasPrefix(a, "P"):
		d, err := ParseDuration(a)
		if err != nil {
			return from, to, err
		}
		if to, err = at(b); err != nil {
			return from, to, err
		}
		return to.Add(-d), to, nil
	case strings.HasPrefix(b, "P"):
		d, err := ParseDuration(b)
		if err != nil {
			return from, to, err
		}
		if from, err = at(a); err != nil {
			return from, to, err
		}
		return from, from.Add(d), nil
	}
	if from, err = at(a); err != nil {
		return from, to, err
	}
	to, err = at(b)
	return from, to, err
}
