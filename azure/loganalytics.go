package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"picket/kql/syntax"
	"picket/kql/value"
	"picket/query"
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
	run RunQuery
	now func() time.Time
}

type laRequest struct {
	Query      string   `json:"query"`
	Timespan   string   `json:"timespan"`
	Workspaces []string `json:"workspaces"`
}

func (la *logAnalytics) query(w http.ResponseWriter, r *http.Request) {
	if id := r.PathValue("id"); id != "" && !strings.EqualFold(id, la.ws.ID) && !strings.EqualFold(id, la.ws.Name) {
		writeError(w, &Error{Status: 404, Code: "WorkspaceNotFoundError", Message: fmt.Sprintf("The workspace %q could not be found. This picket serves workspace %s.", id, la.ws.ID)})
		return
	}
	var q laRequest
	if r.Method == http.MethodGet {
		q.Query, q.Timespan = r.URL.Query().Get("query"), r.URL.Query().Get("timespan")
	} else {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQueryBody))
		if err != nil {
			writeError(w, &Error{Status: 413, Code: "RequestEntityTooLarge", Message: fmt.Sprintf("The request is larger than %d bytes.", maxQueryBody)})
			return
		}
		if err := json.Unmarshal(b, &q); err != nil {
			writeError(w, &Error{Status: 400, Code: "BadArgumentError", Message: "The request had some invalid properties", Inner: map[string]any{"code": "InvalidJsonBody", "message": "The request body is not valid JSON: " + err.Error()}})
			return
		}
	}
	status, body := la.answer(r.Context(), q, r.Header.Values("Prefer"))
	writeJSON(w, status, body)
}

func (la *logAnalytics) answer(ctx context.Context, q laRequest, prefer []string) (int, any) {
	bad := func(code, msg string) (int, any) {
		return 400, map[string]any{"error": &Error{Code: "BadArgumentError", Message: "The request had some invalid properties", Inner: map[string]any{"code": code, "message": msg}}}
	}
	if strings.TrimSpace(q.Query) == "" {
		return bad("QueryNotProvided", "The query is empty: send a KQL query in the field \"query\".")
	}
	for _, ws := range q.Workspaces {
		if !strings.EqualFold(ws, la.ws.ID) && !strings.EqualFold(ws, la.ws.Name) && !strings.EqualFold(ws, la.ws.ResourceID()) {
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
	res, err := la.run(ctx, req)
	if err != nil {
		return queryError(err)
	}
	out := map[string]any{"tables": laTables(res.Tables)}
	if opts["include-statistics"] == "true" {
		out["statistics"] = map[string]any{"query": map[string]any{
			"executionTime": res.Stats.Elapsed.Seconds(),
			"inputDatasetStatistics": map[string]any{
				"rows": res.Stats.RowsRead, "bytes": res.Stats.BytesRead, "segments": res.Stats.SegmentsRead, "segmentsPruned": res.Stats.SegmentsPruned,
			},
			"datasetStatistics": datasetStats(res.Tables),
		}}
	}
	if opts["include-render"] == "true" && res.Render != nil {
		m := map[string]any{"visualization": res.Render.Visualization}
		for k, v := range res.Render.Properties {
			m[k] = v
		}
		out["render"] = m
	}
	if res.Partial != nil {
		out["error"] = partialError(res.Partial)
	}
	return 200, out
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
		return 400, map[string]any{"error": &Error{Code: "BadArgumentError", Message: "The request had some invalid properties",
			Inner: map[string]any{"code": kind, "message": fmt.Sprintf("A %s error occurred in the query.", strings.ToLower(strings.TrimSuffix(kind, "Error"))), "innererror": inner}}}
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

func laTables(ts []query.Table) []map[string]any {
	out := make([]map[string]any, 0, len(ts))
	for i := range ts {
		t := &ts[i]
		cols := make([]map[string]string, len(t.Schema))
		for c, col := range t.Schema {
			cols[c] = map[string]string{"name": col.Name, "type": col.Type.String()}
		}
		out = append(out, map[string]any{"name": t.Name, "columns": cols, "rows": laRows(t)})
	}
	return out
}

func laRows(t *query.Table) [][]any {
	rows := make([][]any, 0, t.Rows())
	for _, f := range t.Frames {
		for i := 0; i < f.N; i++ {
			row := make([]any, len(f.Vecs))
			for c, v := range f.Vecs {
				row[c] = laCell(v.At(i))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// laCell is a cell as Log Analytics writes it: dynamic as a string of JSON, NaN and infinities as text,
// decimals as text.
func laCell(v value.Value) any {
	if v.Null {
		if v.Type == value.Dynamic {
			return nil
		}
		return nil
	}
	switch v.Type {
	case value.Bool:
		return v.I != 0
	case value.Int, value.Long:
		return v.I
	case value.Real:
		switch {
		case math.IsNaN(v.F):
			return "NaN"
		case math.IsInf(v.F, 1):
			return "Infinity"
		case math.IsInf(v.F, -1):
			return "-Infinity"
		}
		return v.F
	case value.Dynamic:
		if s, ok := v.D.(string); ok {
			return s
		}
		return value.FormatDynamic(v.D)
	}
	return v.Text()
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
