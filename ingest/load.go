package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"picket/kql/value"
	"picket/lake"
	"strconv"
	"strings"
	"unicode/utf8"
)

// LoadRequest is a part of a file that is imported: rows with their places in the file.
type LoadRequest struct {
	Table   string
	Columns []LoadColumn
	File    string // its name, for the quarantine
	OpID    string // applied once, see lake.Batch
	Live    bool   // rules are to see the rows; else they are history (lake.Batch.Imported)
	// Body has a line a row: its place in the file (a number), a tab, and a JSON object. A row that could not be read
	// is its place, a tab, "!", the reason as a JSON text, a tab and its own text as a JSON text.
	Body []byte
}

// LoadColumn is a field of the file and the column that takes it.
type LoadColumn struct {
	Key  string     `json:"key"`  // the field's name
	Name string     `json:"name"` // the column's
	Type value.Type `json:"type"` // of a column that is new; one that is there keeps its own
}

// LoadResult says what became of a part.
type LoadResult struct {
	Rows        int  `json:"rows"`        // stored now
	Quarantined int  `json:"quarantined"` // rows that were refused, or lack fields that did not fit
	Repeated    bool `json:"repeated"`    // the part was stored by an earlier run
}

// Limits of a part.
const (
	MaxLoadBytes = 64 << 20
	MaxLoadRow   = 16 << 20
)

// ErrLoadForm says that a part is not what [LoadRequest.Body] describes.
var errLoadForm = errors.New("the body is not made of places and rows")

// Load stores a part of a file in one commit. A field that does not fit its column becomes null, and its row goes to
// the quarantine as well; rows that could not be read go there alone. Errors of the sender are *[Error].
func (in *Ingest) Load(ctx context.Context, r LoadRequest) (LoadResult, error) {
	bad := func(format string, a ...any) (LoadResult, error) {
		return LoadResult{}, &Error{Code: "InvalidImport", Status: 400, Message: fmt.Sprintf(format, a...)}
	}
	if !tableForm.MatchString(r.Table) || len(r.Table) > lake.MaxTableLength {
		return bad("the table's name %.100q is not made of letters, digits and underscores, a letter first, at most 63", r.Table)
	}
	if in.o.Schemas[r.Table] == nil && !strings.HasSuffix(r.Table, "_CL") {
		return bad("%s is no standard table; the name of a custom table ends in _CL", r.Table)
	}
	if r.Live {
		if err := in.admit(ctx, r.Table); err != nil {
			return LoadResult{}, err
		}
	}
	rows, places, rejects, err := in.splitLoad(r)
	if err != nil {
		return bad("%v", err)
	}
	have, err := in.have(ctx, r.Table)
	if err != nil {
		return LoadResult{}, err
	}
	cols, keys, err := in.loadColumns(r, have)
	if err != nil {
		return LoadResult{}, err
	}
	var res LoadResult
	text := bytes.Join(rows, []byte{'\n'})
	q := emptyQuarantine()
	for _, x := range rejects {
		in.quarantineAt(q, r.File, x.place, x.reason, x.text)
	}
	opID := func(s string) string {
		if r.OpID == "" {
			return ""
		}
		return r.OpID + s
	}
	batches := func(b lake.Batch) []lake.Batch {
		b.Table, b.OpID, b.Imported = r.Table, opID("/r"), !r.Live
		out := []lake.Batch{b}
		if q.N > 0 {
			out = append(out, lake.Batch{Table: QuarantineTable, Frame: q, OpID: opID("/q")})
		}
		return out
	}
	if len(rows) == 0 && q.N == 0 {
		return res, nil
	}
	ack, err := lake.Ack{}, error(&lake.DataError{})
	if len(rows) > 0 && !longRows(rows) && !hasDecimal(cols) {
		ack, err = in.o.Lake.Append(ctx, batches(lake.Batch{Columns: cols, Keys: keys, NDJSON: text})...)
	}
	var de *lake.DataError
	if errors.As(err, &de) {
		var f *value.Frame
		if f, err = in.loadSlow(rows, places, cols, keys, q, r.File); err != nil {
			return bad("%v", err)
		}
		ack, err = in.o.Lake.Append(ctx, batches(lake.Batch{Frame: f})...)
	}
	if errors.As(err, &de) {
		return bad("%v", de)
	}
	if err != nil {
		in.full(ctx, r.Table, err)
		return LoadResult{}, fmt.Errorf("import into %s: %w", r.Table, err)
	}
	res.Quarantined, res.Repeated = q.N, ack.Repeated
	if !ack.Repeated {
		res.Rows = len(rows)
		in.stored(ctx, r.Table, ack, len(rows), int64(len(text)))
		in.trouble(ctx, Quarantined, r.Table, q.N, "%d rows of the file %s for %s are kept in %s", q.N, r.File, r.Table, QuarantineTable)
	}
	return res, nil
}

// longRows says whether a row is longer than DuckDB's reader is to take.
func longRows(rows [][]byte) bool {
	for _, r := range rows {
		if len(r) > 2<<20 {
			return true
		}
	}
	return false
}

// loadColumns gives the columns that the rows feed. Those that every table has, or that only the service keeps, are
// left out.
func (in *Ingest) loadColumns(r LoadRequest, have []lake.Column) (cols value.Schema, keys []string, err error) {
	bad := func(format string, a ...any) (value.Schema, []string, error) {
		return nil, nil, &Error{Code: "InvalidImport", Status: 400, Message: fmt.Sprintf(format, a...)}
	}
	types := map[string]value.Type{}
	for _, c := range have {
		types[c.Name] = c.Type
	}
	added := 0
	seen := map[string]string{}
	for _, c := range r.Columns {
		switch {
		case c.Name == "" || !utf8.ValidString(c.Name) || utf8.RuneCountInString(c.Name) > in.o.MaxNameChars:
			return bad("the column name %.60q is empty or has more than %d characters", c.Name, in.o.MaxNameChars)
		case seen[c.Name] != "":
			return bad("the fields %q and %q would be one column %s", seen[c.Name], c.Key, c.Name)
		case strings.HasPrefix(c.Name, "_") && c.Name != "_ResourceId":
			return bad("the column %s: names that begin with an underscore belong to the service", c.Name)
		case len(known(value.Schema{{Name: c.Name}})) == 0:
			return bad("the column %s belongs to the service", c.Name)
		}
		seen[c.Name] = c.Key + " "
		t, ok := types[c.Name]
		if !ok {
			added++
			if t = c.Type; c.Name == "TimeGenerated" {
				t = value.Datetime
			}
		}
		cols = append(cols, value.Column{Name: c.Name, Type: t})
		keys = append(keys, c.Key)
	}
	if n := len(have) + added; added > 0 && n > MaxColumns && in.o.Schemas[r.Table] == nil {
		return bad("table %s would have %d columns, the limit is %d", r.Table, n, MaxColumns)
	}
	return cols, keys, nil
}

type loadReject struct {
	place        int64
	reason, text string
}

// splitLoad takes the lines of a part apart. A row that is no JSON object is a reject.
func (in *Ingest) splitLoad(r LoadRequest) (rows [][]byte, places []int64, rejects []loadReject, err error) {
	body := r.Body
	for n := 1; len(body) > 0; n++ {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		if len(line) == 0 {
			continue
		}
		num, text, ok := bytes.Cut(line, []byte{'\t'})
		place, perr := strconv.ParseInt(string(num), 10, 64)
		if !ok || perr != nil || len(text) == 0 {
			return nil, nil, nil, fmt.Errorf("line %d: %w", n, errLoadForm)
		}
		if text[0] == '!' {
			a, b, ok := bytes.Cut(text[1:], []byte{'\t'})
			x := loadReject{place: place}
			if !ok || json.Unmarshal(a, &x.reason) != nil || json.Unmarshal(b, &x.text) != nil {
				return nil, nil, nil, fmt.Errorf("line %d: %w", n, errLoadForm)
			}
			rejects = append(rejects, x)
			continue
		}
		if why := objectFault(text); why != "" {
			rejects = append(rejects, loadReject{place, why, string(text)})
			continue
		}
		rows, places = append(rows, text), append(places, place)
	}
	if len(rows) > MaxRows {
		return nil, nil, nil, fmt.Errorf("the part has %d rows, the limit is %d", len(rows), MaxRows)
	}
	return rows, places, rejects, nil
}

// objectFault says why a text is not one JSON object that can be stored, "" when it is.
func objectFault(text []byte) string {
	if len(text) > MaxLoadRow {
		return fmt.Sprintf("the row has %d bytes, the limit is %d", len(text), MaxLoadRow)
	}
	if text[0] != '{' {
		return "the row is no JSON object"
	}
	if _, err := scan(text, "", 0, 0); err != nil {
		return err.Error()
	}
	return ""
}

func (in *Ingest) quarantineAt(q *value.Frame, file string, place int64, reason, text string) {
	in.quarantine(q, "import", file+":"+strconv.FormatInt(place, 10), []string{reason}, nil)
	q.Vecs[4].S[q.N-1] = cut(strings.ToValidUTF8(text, "\uFFFD"), maxRejectText)
}

// loadSlow decodes the rows one by one; what does not fit its column becomes null, and its row is noted in q.
func (in *Ingest) loadSlow(rows [][]byte, places []int64, cols value.Schema, keys []string, q *value.Frame, file string) (*value.Frame, error) {
	f := &value.Frame{Schema: cols, N: len(rows)}
	for _, c := range cols {
		f.Vecs = append(f.Vecs, nulls(c.Type, len(rows)))
	}
	for i, text := range rows {
		err := lake.EachObject(text, func(b *value.Bag) error {
			var why []string
			for k, c := range cols {
				d, ok := b.Get(keys[k])
				if !ok || d == nil {
					continue
				}
				x, err := convert(d, c.Type)
				if err != nil {
					why = append(why, fmt.Sprintf("%s: %v", keys[k], err))
					continue
				}
				f.Vecs[k].Set(i, x)
			}
			if why != nil {
				if len(why) > maxReasons {
					why = append(why[:maxReasons], fmt.Sprintf("and %d more", len(why)-maxReasons))
				}
				in.quarantineAt(q, file, places[i], "stored without these fields: "+strings.Join(why, "; "), string(text))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", places[i], err)
		}
	}
	return f, nil
}

// loadHead is the first line of a part as it is sent.
type loadHead struct {
	Table   string       `json:"table"`
	Columns []LoadColumn `json:"columns"`
	File    string       `json:"file"`
	OpID    string       `json:"op"`
	Live    bool         `json:"live"`
}

// LoadType is the content type of a part.
const LoadType = "application/x-picket-rows"

// Head writes the first line of a part as it is sent; the lines of Body follow it.
func (r *LoadRequest) Head() ([]byte, error) {
	b, err := json.Marshal(loadHead{r.Table, r.Columns, r.File, r.OpID, r.Live})
	return append(b, '\n'), err
}

// LoadHandler answers POST of a part of a file ([LoadType]: a line of JSON {"table", "columns": [{"key", "name",
// "type"}], "file", "op", "live"}, then the lines of [LoadRequest.Body]; gzip or not) with a [LoadResult] as JSON, and GET
// ?table=NAME with a [LoadTable]. allow says whether a request may send; its error is answered 403.
func (in *Ingest) LoadHandler(allow func(r *http.Request) error) http.Handler {
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // a failed write means that the client has gone
	}
	fail := func(w http.ResponseWriter, status int, code, msg string) {
		if status == 429 || status == 503 {
			w.Header().Set("Retry-After", "30")
		}
		answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": msg}})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := allow(r); err != nil {
			fail(w, 403, "Forbidden", err.Error())
			return
		}
		if r.Method == http.MethodGet {
			answer(w, 200, in.LoadTable(r.URL.Query().Get("table")))
			return
		}
		var h loadHead
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != LoadType {
			fail(w, 415, "InvalidImport", "send parts of files with POST and the content type "+LoadType)
			return
		}
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				fail(w, 400, "InvalidImport", "the body is not gzip: "+err.Error())
				return
			}
			body = z
		}
		raw, err := io.ReadAll(io.LimitReader(body, MaxLoadBytes+1))
		if err != nil {
			fail(w, 400, "InvalidImport", "read the body: "+err.Error())
			return
		}
		if len(raw) > MaxLoadBytes {
			fail(w, 413, "InvalidImport", fmt.Sprintf("the part is larger than %d bytes", MaxLoadBytes))
			return
		}
		first, rows, _ := bytes.Cut(raw, []byte{'\n'})
		if err := json.Unmarshal(first, &h); err != nil {
			fail(w, 400, "InvalidImport", "the first line is not what an import sends: "+err.Error())
			return
		}
		ctx := WithSender(r.Context(), Sender{Protocol: "import", Agent: r.UserAgent(), Principal: senderName(r)})
		res, err := in.Load(ctx, LoadRequest{Table: h.Table, Columns: h.Columns, File: h.File, OpID: h.OpID, Live: h.Live, Body: rows})
		var no *Error
		switch {
		case err == nil:
			answer(w, 200, res)
		case errors.As(err, &no):
			fail(w, no.Status, no.Code, no.Message)
		case errors.Is(err, lake.ErrFull):
			fail(w, 429, "TooManyRequests", "the disk is full: nothing of this part was stored")
		default:
			fail(w, 503, "ServiceUnavailable", "the part was not stored, send it again: "+err.Error())
		}
	})
}

// senderName is the principal that an outer handler found.
func senderName(r *http.Request) string {
	s, _ := SenderOf(r.Context())
	return s.Principal
}

// LoadTable says what a table is to an import.
type LoadTable struct {
	Standard bool         `json:"standard"` // a table of the service
	Exists   bool         `json:"exists"`
	Columns  []LoadColumn `json:"columns"` // those that rows may feed, Key empty
}

// LoadTable gives the columns that a table has, stored or by its facts.
func (in *Ingest) LoadTable(name string) LoadTable {
	s := known(in.o.Schemas[name])
	t := LoadTable{Standard: s != nil, Columns: []LoadColumn{}}
	have, ok := in.o.Lake.Columns(name)
	t.Exists = ok
	if ok {
		s = nil
		for _, c := range have {
			s = append(s, value.Column{Name: c.Name, Type: c.Type})
		}
		s = known(s)
	}
	for _, c := range s {
		t.Columns = append(t.Columns, LoadColumn{Name: c.Name, Type: c.Type})
	}
	return t
}
