package ingest

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"regexp"
	"time"
	"unicode/utf8"
)

// CollectRequest is one post to the Data Collector.
type CollectRequest struct {
	LogType    string // table name without _CL
	Body       []byte // one JSON object or an array of objects
	TimeField  string // name of the field that holds TimeGenerated; "" takes the time of receipt
	ResourceID string // _ResourceId of the rows
	OpID       string // applied once, see lake.Batch
	Request    string // the id of the request that the body is a part of, noted by the same commit; see Resends
	Imported   bool   // history: TimeGenerated is kept however old, rules pass over the rows
}

// Result says what became of a request.
type Result struct {
	lake.Ack
	Table     string
	Truncated int // fields cut to 32 KB
	Retimed   int // rows whose time was outside the window, or none, and became the time of receipt
}

// The window in which the time field becomes TimeGenerated; outside it the time of receipt does.
const (
	oldest = 48 * time.Hour
	ahead  = 24 * time.Hour
)

// MaxResourceIDBytes bounds CollectRequest.ResourceID.
const MaxResourceIDBytes = 2048

var logType = regexp.MustCompile(`^[A-Za-z0-9_]{1,100}$`)

// reserved are the names that the service keeps for itself.
var reserved = map[string]bool{"tenant": true, "TimeGenerated": true, "RawData": true}

// Collect stores a Data Collector body by the service's rules: a field becomes a column named by its value's type
// (_s string, also objects and arrays as JSON; _d number; _b boolean; _t date and time; _g guid), columns that are
// there decide where a value goes, a null gives none. All rows of a body are stored in one commit or none is.
//
// Errors of the sender are *[Error] with code MissingLogType, InvalidLogType, InvalidDataFormat or RequestTooLarge;
// the others are the lake's.
func (in *Ingest) Collect(ctx context.Context, r CollectRequest) (Result, error) {
	bad := func(code, format string, a ...any) (Result, error) {
		return Result{}, &Error{Code: code, Status: 400, Message: fmt.Sprintf(format, a...)}
	}
	switch {
	case r.LogType == "":
		return bad("MissingLogType", "the log type is missing; send it as the header Log-Type")
	case !logType.MatchString(r.LogType):
		return bad("InvalidLogType", "the log type %.120q is not made of 1 to 100 letters, digits and underscores", r.LogType)
	case len(r.Body) > MaxBodyBytes:
		return Result{}, &Error{Code: "RequestTooLarge", Status: 404, Message: fmt.Sprintf("the body has %d bytes, the limit is %d; send it in parts", len(r.Body), MaxBodyBytes)}
	case len(r.ResourceID) > MaxResourceIDBytes || !utf8.ValidString(r.ResourceID):
		return bad("InvalidDataFormat", "the resource id has %d bytes, the limit is %d of UTF-8", len(r.ResourceID), MaxResourceIDBytes)
	}
	table := r.LogType + "_CL"
	if err := in.admit(ctx, table); err != nil {
		return Result{}, err
	}
	lo, hi := in.window(r.Imported)
	b, err := scan(r.Body, r.TimeField, lo, hi)
	if err != nil {
		var pe *positionError
		if !errors.As(err, &pe) {
			return Result{}, err
		}
		line, col := where(r.Body, pe.at)
		return bad("InvalidDataFormat", "%s (byte %d, line %d, column %d)", pe.what, pe.at, line, col)
	}
	if err := in.checkFields(b, r.TimeField); err != nil {
		return Result{}, err
	}
	if b.rows == 0 {
		return Result{Table: table}, nil
	}
	have, err := in.have(ctx, table)
	if err != nil {
		return Result{}, err
	}
	batch := lake.Batch{Table: table, OpID: r.OpID, Imported: r.Imported}
	if r.ResourceID != "" {
		batch.Fixed = map[string]value.Value{"_ResourceId": value.OfString(r.ResourceID)}
	}
	res := Result{Table: table}
	cols := newColumns(have)
	if !fast(b, cols, r.TimeField, &batch, &res) {
		cols = newColumns(have)
		if err := slow(b, cols, r.TimeField, lo, hi, &batch, &res); err != nil {
			return bad("InvalidDataFormat", "%v", err)
		}
	}
	if n := len(have) + cols.added; n > MaxColumns && cols.added > 0 {
		in.trouble(ctx, TooWide, table, 1, "a request for %s was refused: the table would have %d columns, the limit is %d", table, n, MaxColumns)
		return bad("InvalidDataFormat", "table %s would have %d columns, the limit is %d", table, n, MaxColumns)
	}
	bs := []lake.Batch{batch}
	if r.Request != "" {
		bs = append(bs, lake.Batch{OpID: r.Request})
	}
	res.Ack, err = in.o.Lake.Append(ctx, bs...)
	var de *lake.DataError
	if errors.As(err, &de) {
		return bad("InvalidDataFormat", "%v", de)
	}
	if err != nil {
		in.full(ctx, table, err)
		return Result{}, fmt.Errorf("collect into %s: %w", table, err)
	}
	in.stored(ctx, table, res.Ack, b.rows, int64(len(b.text)))
	if res.Repeated {
		return res, nil
	}
	in.trouble(ctx, Trimmed, table, res.Truncated, "%d fields of %s were longer than %d bytes and are cut", res.Truncated, table, MaxFieldBytes)
	if b.has(r.TimeField) {
		in.trouble(ctx, Retimed, table, res.Retimed, "%d rows of %s have no %s within 2 days before and 1 day after now: they got the time of receipt", res.Retimed, table, r.TimeField)
	}
	return res, nil
}

// has says whether a field is in any row.
func (b *body) has(key string) bool {
	for _, f := range b.fields {
		if f.key == key {
			return true
		}
	}
	return false
}

func (in *Ingest) window(imported bool) (lo, hi int64) {
	if imported {
		return value.MinDatetime, value.MaxDatetime
	}
	now := in.o.Now()
	lo, _ = value.TicksOf(now.Add(-oldest))
	hi, _ = value.TicksOf(now.Add(ahead))
	return lo, hi
}

// checkFields holds the fields against the rules for names.
func (in *Ingest) checkFields(b *body, timeField string) error {
	bad := func(format string, a ...any) error {
		return &Error{Code: "InvalidDataFormat", Status: 400, Message: fmt.Sprintf(format, a...)}
	}
	seen := map[string]string{}
	for _, f := range b.fields {
		if reserved[f.key] && f.key != timeField {
			return bad("the field name %s is reserved; rename the field", f.key)
		}
		if f.key == "" {
			return bad("a field has an empty name")
		}
		if n := utf8.RuneCountInString(f.key); n > in.o.MaxNameChars {
			return bad("the field name %.60q… has %d characters, the limit is %d", f.key, n, in.o.MaxNameChars)
		}
		n := base(f.key)
		if other, ok := seen[n]; ok {
			return bad("the fields %q and %q would be one column %s; rename one", other, f.key, n)
		}
		seen[n] = f.key
	}
	return nil
}

// have gives the columns of the table, after making it when its schema is known.
func (in *Ingest) have(ctx context.Context, table string) ([]lake.Column, error) {
	cols, ok := in.o.Lake.Columns(table)
	if s := in.o.Schemas[table]; !ok && s != nil {
		if err := in.o.Lake.EnsureTable(ctx, table, known(s)); err != nil {
			return nil, fmt.Errorf("make table %s: %w", table, err)
		}
		cols, _ = in.o.Lake.Columns(table)
	}
	return cols, nil
}

// known is a declared schema without the columns that every table has and those that only the service keeps.
func known(s value.Schema) value.Schema {
	var out value.Schema
	for _, c := range s {
		switch c.Name {
		case "TenantId", "Type", "_BilledSize", "_IsBillable", "_SubscriptionId", "_ItemId", "_TimeReceived":
			continue
		}
		out = append(out, c)
	}
	return out
}

// fast has DuckDB read the body itself; it can when every value of a field goes to one column as it stands.
func fast(b *body, cols *columns, timeField string, batch *lake.Batch, res *Result) bool {
	if b.slow != "" {
		return false
	}
	add := func(f *field, name string, t value.Type) {
		batch.Columns = append(batch.Columns, value.Column{Name: name, Type: t})
		batch.Keys = append(batch.Keys, f.key)
		batch.Full = append(batch.Full, f.rows == b.rows)
	}
	timed := false
	for _, f := range b.fields {
		if f.key == timeField {
			timed = true
			switch {
			case f.inside == b.rows:
				add(f, "TimeGenerated", value.Datetime)
			case f.inside > 0:
				batch.Columns, batch.Keys, batch.Full = nil, nil, nil
				return false
			default:
				res.Retimed = b.rows
			}
			if f.key == "TimeGenerated" {
				continue
			}
		}
		if f.kinds&^kNull == 0 {
			continue
		}
		i, ok := 0, false
		if f.kinds&kLong == 0 {
			i, ok = cols.whole(base(f.key), f.kinds)
		}
		if !ok {
			batch.Columns, batch.Keys, batch.Full = nil, nil, nil
			res.Retimed = 0
			return false
		}
		add(f, cols.list[i].Name, cols.list[i].Type)
	}
	if timeField != "" && !timed {
		res.Retimed = b.rows
	}
	if batch.NDJSON = b.text; !b.array { // one object may span lines
		batch.NDJSON = append(append([]byte{'['}, b.text...), ']')
	}
	return true
}

// slow decodes the body and decides value by value.
func slow(b *body, cols *columns, timeField string, lo, hi int64, batch *lake.Batch, res *Result) error {
	vecs := map[int]*value.Vector{}
	var order []int
	var times *value.Vector
	if timeField != "" {
		times = value.New(value.Datetime, b.rows)
	}
	row := 0
	err := lake.EachObject(b.text, func(o *value.Bag) error {
		if times != nil {
			times.SetNull(row)
			if s, ok := bagText(o, timeField); ok && textKind([]byte(s)) == kTime {
				if t, ok := value.ParseDatetime(s); ok && t >= lo && t <= hi {
					times.Set(row, value.Of(value.Datetime, t))
				}
			}
			if times.IsNull(row) {
				res.Retimed++
			}
		}
		for _, key := range o.Keys() {
			d, _ := o.Get(key)
			k := kindOf(d)
			if k == kNull || key == "TimeGenerated" {
				continue
			}
			i, x := cols.one(base(key), d, k)
			if x.Type == value.String && len(x.S) > MaxFieldBytes {
				x.S = cut(x.S, MaxFieldBytes)
				res.Truncated++
			}
			v := vecs[i]
			if v == nil {
				v = value.New(cols.list[i].Type, b.rows)
				for r := range b.rows {
					v.SetNull(r)
				}
				vecs[i] = v
				order = append(order, i)
			}
			v.Set(row, x)
		}
		row++
		return nil
	})
	if err != nil {
		return err
	}
	f := &value.Frame{N: b.rows}
	if times != nil {
		f.Schema = append(f.Schema, value.Column{Name: "TimeGenerated", Type: value.Datetime})
		f.Vecs = append(f.Vecs, times)
	}
	for _, i := range order {
		f.Schema = append(f.Schema, cols.list[i])
		f.Vecs = append(f.Vecs, vecs[i])
	}
	batch.Frame = f
	return nil
}

func bagText(o *value.Bag, key string) (string, bool) {
	d, _ := o.Get(key)
	s, ok := d.(string)
	return s, ok
}

func kindOf(d any) kind {
	switch x := d.(type) {
	case nil:
		return kNull
	case bool:
		return kBool
	case string:
		return textKind([]byte(x))
	case []any, *value.Bag:
		return kJSON
	}
	return kNumber
}

// cut shortens a text to at most n bytes, not within a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
