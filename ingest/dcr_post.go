package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/value"
	"picket/lake"
	"strings"
	"unicode/utf8"
)

// QuarantineTable keeps what could not be stored as it was sent: the record, where it was to go, and why.
const QuarantineTable = "Quarantine_CL"

// quarantineSchema are its columns.
var quarantineSchema = value.Schema{
	{Name: "TimeGenerated", Type: value.Datetime},
	{Name: "Source", Type: value.String},
	{Name: "Stream", Type: value.String},
	{Name: "Reason", Type: value.String},
	{Name: "Record", Type: value.String},
}

// PostRequest is a post to the Logs Ingestion API.
type PostRequest struct {
	Rule   *Rule
	Source string // the rule's immutable id, for the quarantine
	Stream string
	Body   []byte // a JSON array of objects
	OpID   string // applied once, see lake.Batch
}

// PostResult says what became of a post.
type PostResult struct {
	lake.Ack
	Records     int // in the body
	Quarantined int // records of which a field did not fit; they are stored without that field
}

// Limits of a post.
const (
	maxPostField = 64 << 10 // bytes of a text field; longer ones are cut
	maxReasons   = 5        // told of one record
)

// Post stores the records of a post: each goes through every data flow of its stream, and all rows are stored in
// one commit or none is. A field that does not fit its declared type becomes null, as in the service, and its
// record is kept in [QuarantineTable] with the reason. Errors of the sender are *[Error] with code InvalidStream or
// InvalidRequestPayload.
func (in *Ingest) Post(ctx context.Context, r PostRequest) (PostResult, error) {
	bad := func(code, f string, a ...any) (PostResult, error) {
		return PostResult{}, &Error{Code: code, Status: 400, Message: fmt.Sprintf(f, a...)}
	}
	var flows []*Flow
	stream := ""
	for i := range r.Rule.Flows {
		for _, s := range r.Rule.Flows[i].Streams {
			if strings.EqualFold(s, r.Stream) {
				flows = append(flows, &r.Rule.Flows[i])
				stream = s
				break
			}
		}
	}
	if len(flows) == 0 {
		return bad("InvalidStream", "the stream %q is not one of the rule's data flows", r.Stream)
	}
	for _, f := range flows {
		if err := in.admit(ctx, f.Table); err != nil {
			return PostResult{}, err
		}
	}
	body := bytes.TrimSpace(bytes.TrimPrefix(r.Body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 || body[0] != '[' {
		return bad("InvalidRequestPayload", "the body is not a JSON array of objects")
	}
	schema, err := in.streamSchema(ctx, r.Rule, stream)
	if err != nil {
		return PostResult{}, err
	}
	if len(flows) == 1 && flows[0].plain() {
		ack, ok, err := in.postWhole(ctx, flows[0].Table, schema, body, r.OpID)
		if ok {
			in.stored(ctx, flows[0].Table, ack, ack.Rows, int64(len(body)))
		}
		if ok || err != nil {
			in.full(ctx, flows[0].Table, err)
			return PostResult{Ack: ack, Records: ack.Rows}, err
		}
	}
	src, q, trimmed, err := in.decodeStream(body, schema, r.Source, stream)
	if err != nil {
		return bad("InvalidRequestPayload", "%v", err)
	}
	res := PostResult{Records: src.N, Quarantined: q.N}
	var batches []lake.Batch
	for _, f := range flows {
		out := src
		if !f.plain() {
			if out, err = in.transform(ctx, f, src); err != nil {
				return bad("InvalidRequestPayload", "the transformation into %s failed: %v", f.Table, err)
			}
		}
		if out.N == 0 {
			continue
		}
		fitted, err := in.fit(ctx, f.Table, out, q, r.Source, stream)
		if err != nil {
			return PostResult{}, err
		}
		b := lake.Batch{Table: f.Table, Frame: fitted}
		if r.OpID != "" {
			b.OpID = fmt.Sprintf("%s/%d", r.OpID, len(batches))
		}
		batches = append(batches, b)
	}
	res.Quarantined = q.N
	if q.N > 0 {
		b := lake.Batch{Table: QuarantineTable, Frame: q}
		if r.OpID != "" {
			b.OpID = r.OpID + "/quarantine"
		}
		batches = append(batches, b)
	}
	if len(batches) == 0 {
		return res, nil
	}
	res.Ack, err = in.o.Lake.Append(ctx, batches...)
	var de *lake.DataError
	if errors.As(err, &de) {
		return bad("InvalidRequestPayload", "%v", de)
	}
	if err != nil {
		in.full(ctx, batches[0].Table, err)
		return PostResult{}, fmt.Errorf("store records of %s: %w", stream, err)
	}
	if res.Repeated {
		return res, nil
	}
	for _, b := range batches {
		in.stored(ctx, b.Table, res.Ack, b.Frame.N, frameBytes(b.Frame))
	}
	in.trouble(ctx, Quarantined, flows[0].Table, q.N, "%d records of the stream %s have fields that do not fit: these are null, the records are kept in %s", q.N, stream, QuarantineTable)
	in.trouble(ctx, Trimmed, flows[0].Table, trimmed, "%d fields of the stream %s were longer than %d bytes and are cut", trimmed, stream, maxPostField)
	return res, nil
}

// postWhole has the engine read the body itself, which it can when every value fits its column as it stands and
// nothing is to be cut. ok is false when it can't: then nothing was stored.
func (in *Ingest) postWhole(ctx context.Context, table string, schema value.Schema, body []byte, opID string) (ack lake.Ack, ok bool, err error) {
	if longText(body, maxPostField) || hasDecimal(schema) {
		return ack, false, nil
	}
	have, err := in.have(ctx, table)
	if err != nil {
		return ack, false, err
	}
	cols := known(schema)
	added := len(cols)
	for _, c := range have {
		if i := cols.Index(c.Name); i >= 0 {
			if cols[i].Type != c.Type {
				return ack, false, nil
			}
			added--
		}
	}
	if added > 0 && len(have)+added > MaxColumns {
		return ack, false, nil
	}
	if i := cols.Index("TimeGenerated"); i >= 0 && cols[i].Type != value.Datetime {
		return ack, false, nil
	}
	if opID != "" {
		opID += "/0"
	}
	ack, err = in.o.Lake.Append(ctx, lake.Batch{Table: table, Columns: cols, NDJSON: body, OpID: opID})
	var de *lake.DataError
	if errors.As(err, &de) {
		return lake.Ack{}, false, nil
	}
	if err != nil {
		return lake.Ack{}, false, fmt.Errorf("store records of %s: %w", table, err)
	}
	return ack, true, nil
}

// longText says whether two quotes stand further apart than n bytes, so that a text may be longer than n.
func longText(b []byte, n int) bool {
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			return len(b) > n
		}
		if i > n {
			return true
		}
		b = b[i+1:]
	}
}

// decodeStream reads the records as the stream declares them. Keys that are not declared are left out, as in the
// service. q holds the records of which a field did not fit.
func (in *Ingest) decodeStream(body []byte, schema value.Schema, source, stream string) (f, q *value.Frame, trimmed int, err error) {
	var rows []*value.Bag
	if err := lake.EachObject(body, func(b *value.Bag) error { rows = append(rows, b); return nil }); err != nil {
		return nil, nil, 0, err
	}
	f = &value.Frame{Schema: schema, N: len(rows)}
	at := make(map[string]int, len(schema))
	for i, c := range schema {
		f.Vecs = append(f.Vecs, nulls(c.Type, len(rows)))
		at[c.Name] = i
	}
	q = emptyQuarantine()
	for r, row := range rows {
		var why []string
		for _, k := range row.Keys() {
			i, ok := at[k]
			d, _ := row.Get(k)
			if !ok || d == nil {
				continue
			}
			x, err := convert(d, schema[i].Type)
			if err != nil {
				why = append(why, fmt.Sprintf("%s: %v", k, err))
				continue
			}
			if x.Type == value.String && len(x.S) > maxPostField {
				x.S = cut(x.S, maxPostField)
				trimmed++
			}
			f.Vecs[i].Set(r, x)
		}
		if why != nil {
			in.quarantine(q, source, stream, why, row)
		}
	}
	return f, q, trimmed, nil
}

// nulls is a vector of n nulls that can be set one by one.
func nulls(t value.Type, n int) *value.Vector {
	v := value.New(t, n)
	for i := range n {
		v.SetNull(i)
	}
	return v
}

func emptyQuarantine() *value.Frame {
	q := &value.Frame{Schema: quarantineSchema}
	for _, c := range quarantineSchema {
		q.Vecs = append(q.Vecs, value.New(c.Type, 0))
	}
	return q
}

// quarantine notes a record.
func (in *Ingest) quarantine(q *value.Frame, source, stream string, why []string, record any) {
	if len(why) > maxReasons {
		why = append(why[:maxReasons], fmt.Sprintf("and %d more", len(why)-maxReasons))
	}
	ticks, _ := value.TicksOf(in.now()) // the server's clock is within the years of a datetime
	grow := func(i int, x value.Value) {
		q.Vecs[i] = appended(q.Vecs[i], x)
	}
	grow(0, value.Of(value.Datetime, ticks))
	grow(1, value.OfString(source))
	grow(2, value.OfString(stream))
	grow(3, value.OfString(strings.Join(why, "; ")))
	grow(4, value.OfString(value.FormatDynamic(record)))
	q.N++
}

// appended is v with one more value.
func appended(v *value.Vector, x value.Value) *value.Vector {
	switch v.Type {
	case value.String:
		v.S = append(v.S, x.S)
	default:
		v.I = append(v.I, x.I)
	}
	v.N++
	return v
}

// transform runs a flow's query over the records.
func (in *Ingest) transform(ctx context.Context, f *Flow, src *value.Frame) (*value.Frame, error) {
	a := kql.Answer(ctx, f.Transform, kql.Input{
		Schema: bind.Tables{"source": src.Schema}, Now: in.now(),
		Rows: func(_ context.Context, s *plan.Scan) exec.Frames {
			return func(yield func(*value.Frame, error) bool) {
				out := &value.Frame{N: src.N}
				for _, c := range s.Out {
					i := src.Schema.Index(c.Name)
					if i < 0 {
						yield(nil, fmt.Errorf("BUG: the transformation reads the column %s, which its stream does not have", c.Name))
						return
					}
					out.Schema = append(out.Schema, src.Schema[i])
					out.Vecs = append(out.Vecs, src.Vecs[i])
				}
				yield(out, nil)
			}
		},
		Exec: exec.Options{MaxRows: 10_000_000, MaxBytes: 1 << 30},
	})
	if a.Err != nil {
		return nil, a.Err
	}
	if a.Partial != nil {
		return nil, a.Partial
	}
	if len(a.Tables) != 1 {
		return nil, fmt.Errorf("it gives %d results in place of one", len(a.Tables))
	}
	return joinFrames(a.Tables[0].Schema, a.Tables[0].Frames), nil
}

// joinFrames makes one frame of many.
func joinFrames(s value.Schema, fs []*value.Frame) *value.Frame {
	if len(fs) == 1 {
		return &value.Frame{Schema: s, Vecs: fs[0].Vecs, N: fs[0].N}
	}
	out := &value.Frame{Schema: s}
	for _, f := range fs {
		out.N += f.N
	}
	for i, c := range s {
		v := value.New(c.Type, out.N)
		at := 0
		for _, f := range fs {
			for r := range f.N {
				value.CopyRow(v, at, f.Vecs[i], r)
				at++
			}
		}
		out.Vecs = append(out.Vecs, v)
	}
	return out
}

// fit gives the columns the types that the table has; what the service keeps for itself is left out. A value that
// its column does not take becomes null, and its row is noted in q.
func (in *Ingest) fit(ctx context.Context, table string, f *value.Frame, q *value.Frame, source, stream string) (*value.Frame, error) {
	have, err := in.have(ctx, table)
	if err != nil {
		return nil, err
	}
	types := map[string]value.Type{}
	for _, c := range have {
		types[c.Name] = c.Type
	}
	out := &value.Frame{N: f.N}
	added := 0
	why := map[int][]string{}
	for _, c := range known(f.Schema) {
		i := f.Schema.Index(c.Name)
		if utf8.RuneCountInString(c.Name) > in.o.MaxNameChars {
			return nil, &Error{Code: "InvalidRequestPayload", Status: 400, Message: fmt.Sprintf("the column name %.60q… has more than %d characters", c.Name, in.o.MaxNameChars)}
		}
		v := f.Vecs[i]
		t, ok := types[c.Name]
		if !ok {
			added++
			t = c.Type
			if c.Name == "TimeGenerated" {
				t = value.Datetime
			}
		}
		if t != c.Type {
			to := nulls(t, f.N)
			for r := range f.N {
				e := value.Elem(v, r)
				if e == nil {
					continue
				}
				x, err := convert(e, t)
				if err != nil {
					why[r] = append(why[r], fmt.Sprintf("%s.%s: %v", table, c.Name, err))
					continue
				}
				to.Set(r, x)
			}
			v = to
		}
		out.Schema = append(out.Schema, value.Column{Name: c.Name, Type: t})
		out.Vecs = append(out.Vecs, v)
	}
	if n := len(have) + added; added > 0 && n > MaxColumns {
		in.trouble(ctx, TooWide, table, 1, "a request for %s was refused: the table would have %d columns, the limit is %d", table, n, MaxColumns)
		return nil, &Error{Code: "InvalidRequestPayload", Status: 400, Message: fmt.Sprintf("table %s would have %d columns, the limit is %d", table, n, MaxColumns)}
	}
	for r := range f.N {
		if why[r] != nil {
			b := value.NewBag()
			for i, c := range f.Schema {
				b.Set(c.Name, value.Elem(f.Vecs[i], r))
			}
			in.quarantine(q, source, stream, why[r], b)
		}
	}
	return out, nil
}

func hasDecimal(s value.Schema) bool {
	for _, c := range s {
		if c.Type == value.Decimal {
			return true
		}
	}
	return false
}

// convert is lake.Convert without what no decimal can hold: an exponent of thousands would become a text of as many
// digits.
func convert(d any, t value.Type) (value.Value, error) {
	if t == value.Decimal {
		switch x := d.(type) {
		case float64:
			if math.IsInf(x, 0) || math.IsNaN(x) {
				return value.Value{}, fmt.Errorf("%s is no decimal", value.FormatReal(x))
			}
		case string:
			if i := strings.IndexAny(x, "eE"); i >= 0 && len(strings.TrimLeft(x[i+1:], "+-0")) > 3 {
				return value.Value{}, fmt.Errorf("%.40q is outside the range of a decimal", x)
			}
		}
	}
	return lake.Convert(d, t)
}
