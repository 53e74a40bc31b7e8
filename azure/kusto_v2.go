package azure

import (
	"encoding/json"
	"math"
	"net/http"
	"picket/kql/value"
	"picket/query"
	"strings"
)

// The frames of Kusto's second form. Clients of the Go SDK read keys by position, so the order of the fields is
// part of the contract.
type (
	v2Header struct {
		FrameType               string
		IsProgressive           bool
		Version                 string
		IsFragmented            bool
		ErrorReportingPlacement string
	}
	v2Column struct {
		ColumnName string
		ColumnType string
	}
	v2DataTable struct {
		FrameType string
		TableID   int `json:"TableId"`
		TableKind string
		TableName string
		Columns   []v2Column
		Rows      json.RawMessage
	}
	v2TableHeader struct {
		FrameType string
		TableID   int `json:"TableId"`
		TableKind string
		TableName string
		Columns   []v2Column
	}
	v2Fragment struct {
		FrameType         string
		FieldCount        int `json:",omitempty"` // in progressive answers
		TableFragmentType string
		TableID           int `json:"TableId"`
		Rows              json.RawMessage
	}
	v2Progress struct {
		FrameType     string
		TableID       int `json:"TableId"`
		TableProgress float64
	}
	v2TableCompletion struct {
		FrameType    string
		TableID      int `json:"TableId"`
		RowCount     int
		OneAPIErrors []v2Error `json:"OneApiErrors,omitempty"`
	}
	v2Completion struct {
		FrameType    string
		HasErrors    bool
		Cancelled    bool
		OneAPIErrors []v2Error `json:"OneApiErrors,omitempty"`
	}
	v2Error struct {
		Error *oneAPIError `json:"error"`
	}
)

func v2Columns(s value.Schema) []v2Column {
	out := make([]v2Column, len(s))
	for i, c := range s {
		out[i] = v2Column{c.Name, c.Type.String()}
	}
	return out
}

// kustoV2 answers POST /v2/rest/query: an array of frames; with results_v2_fragment_primary_tables the rows come
// in fragments, with results_progressive_enabled too, each with how far it is, and with
// results_v2_newlines_between_frames each frame has a line.
func (a *API) kustoV2(w http.ResponseWriter, r *call) {
	k := a.kusto(w, r)
	if k == nil {
		return
	}
	if strings.HasPrefix(strings.TrimSpace(k.CSL), ".") {
		a.kustoError(w, k, &Error{Status: 400, Code: "General_BadRequest", Message: "Commands go to /v1/rest/mgmt."})
		return
	}
	q, e := a.question(k)
	if e != nil {
		a.kustoError(w, k, e)
		return
	}
	res, err := a.runFor(r.Context(), k.who, q)
	if err != nil {
		a.kustoError(w, k, err)
		return
	}
	progressive := k.on("results_progressive_enabled")
	fragmented := k.on("results_v2_fragment_primary_tables")
	placement := "InData"
	switch k.option("results_error_reporting_placement") {
	case "end_of_table":
		placement = "EndOfTable"
	case "end_of_dataset":
		placement = "EndOfDataset"
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	out := &frameWriter{w: w, lines: fragmented || k.on("results_v2_newlines_between_frames")}
	out.frame(v2Header{"DataSetHeader", progressive, "v2.0", fragmented, placement})
	props := [][]any{}
	for i := range res.Tables {
		props = append(props, []any{i + 1, "Visualization", visualization(res.Render)})
	}
	out.frame(v2DataTable{"DataTable", 0, "QueryProperties", "@ExtendedProperties", v2Columns(columns("TableId:int Key:string Value:dynamic")), v1Rows(props)})
	var errs []v2Error
	if p := res.Partial; p != nil {
		_, oe := a.kustoErrorBody(k, &Error{Status: 400, Code: "LimitsExceeded", Message: partialText(p)})
		oe.Type = "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException"
		oe.Permanent = false
		errs = []v2Error{{oe}}
	}
	for i := range res.Tables {
		t := &res.Tables[i]
		var inTable []v2Error
		if i == len(res.Tables)-1 {
			inTable = errs
		}
		if fragmented || progressive {
			a.fragments(out, t, i+1, placement, inTable, progressive)
			continue
		}
		rows := appendRows(nil, t.Frames, value.AppendCell)
		if placement == "InData" && inTable != nil {
			rows = withError(rows, inTable)
		}
		out.frame(v2DataTable{"DataTable", i + 1, "PrimaryResult", t.Name, v2Columns(t.Schema), rows})
	}
	level, levelName, code, codeName, text := 4, "Info", 0, "S_OK (0)", "Query completed successfully"
	if res.Partial != nil {
		level, levelName, code, codeName, text = 2, "Error", -2133196797, "E_QUERY_RESULT_SET_TOO_LARGE (0x80DA0003)", partialText(res.Partial)
	}
	payload, err := json.Marshal(map[string]any{"Count": 1, "Text": text})
	if err != nil {
		payload = []byte("{}") // a number and a string always marshal
	}
	at := stamp(a.d.Now())
	info := [][]any{{at, k.clientID, k.activity, k.activity, k.activity, level, levelName, code, codeName, 4, "QueryInfo", string(payload)}}
	stats, err := json.Marshal(map[string]any{"ExecutionTime": res.Stats.Elapsed.Seconds(), "input_dataset_statistics": map[string]any{"extents": map[string]any{"total": res.Stats.SegmentsRead + res.Stats.SegmentsPruned, "scanned": res.Stats.SegmentsRead}, "rows": map[string]any{"scanned": res.Stats.RowsRead}}})
	if err == nil {
		info = append(info, []any{at, k.clientID, k.activity, k.activity, k.activity, 6, "Stats", 0, "S_OK (0)", 0, "QueryResourceConsumption", string(stats)})
	}
	out.frame(v2DataTable{
		"DataTable", len(res.Tables) + 1, "QueryCompletionInformation", "QueryCompletionInformation",
		v2Columns(columns("Timestamp:datetime ClientRequestId:string ActivityId:guid SubActivityId:guid ParentActivityId:guid Level:int LevelName:string StatusCode:int StatusCodeName:string EventType:int EventTypeName:string Payload:string")), v1Rows(info),
	})
	out.frame(v2Completion{"DataSetCompletion", res.Partial != nil, false, errs})
	out.end()
}

// withError puts an error behind the last row, where clients of the in-data placement look for it.
func withError(rows []byte, errs []v2Error) []byte {
	b, err := json.Marshal(map[string]any{"OneApiErrors": errs})
	if err != nil {
		return rows // strings always marshal
	}
	rows = rows[:len(rows)-1]
	if len(rows) > 1 {
		rows = append(rows, ',')
	}
	return append(append(rows, b...), ']')
}

// fragmentRows is about how many rows a fragment holds.
const fragmentRows = 4096

func (a *API) fragments(out *frameWriter, t *query.Table, id int, placement string, errs []v2Error, progressive bool) {
	out.frame(v2TableHeader{"TableHeader", id, "PrimaryResult", t.Name, v2Columns(t.Schema)})
	n, all := 0, t.Rows()
	var batch []*value.Frame
	flush := func() {
		if len(batch) > 0 {
			fields := 0
			if progressive {
				fields = len(t.Schema)
			}
			out.frame(v2Fragment{"TableFragment", fields, "DataAppend", id, appendRows(nil, batch, value.AppendCell)})
			batch = nil
			if progressive {
				out.frame(v2Progress{"TableProgress", id, math.Round(1000*float64(n)/float64(max(all, 1))) / 10})
			}
		}
	}
	rows := 0
	for _, f := range t.Frames {
		if f.N == 0 {
			continue
		}
		batch = append(batch, f)
		rows += f.N
		n += f.N
		if rows >= fragmentRows {
			flush()
			rows = 0
		}
	}
	flush()
	if placement == "EndOfDataset" {
		errs = nil
	}
	out.frame(v2TableCompletion{"TableCompletion", id, n, errs})
}

// frameWriter writes frames as one JSON array. A failed write means that the client has gone; the rest is dropped.
type frameWriter struct {
	w     http.ResponseWriter
	lines bool
	n     int
	dead  bool
}

func (f *frameWriter) frame(v any) {
	if f.dead {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		f.dead = true // BUG: every frame marshals; a cut array tells the client
		return
	}
	sep := "["
	if f.n > 0 {
		sep = ","
	}
	f.n++
	if f.lines {
		b = append(b, '\n')
	}
	if _, err := f.w.Write(append([]byte(sep), b...)); err != nil {
		f.dead = true
	}
}

func (f *frameWriter) end() {
	if !f.dead {
		_, _ = f.w.Write([]byte("]\n")) // see frame
	}
}
