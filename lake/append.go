package lake

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"picket/lake/file"
	"strings"
	"unicode/utf8"
)

// Append stores the batches in one commit and returns when it is durable. Concurrent callers share commits. When
// ctx ends before the commit has begun nothing is stored; after that Append returns its outcome.
//
// Errors: *[DataError] for rows that don't fit, [ErrFull], [ErrClosed]. After any other error (and after a crash)
// the outcome is unknown; sending again with the same OpID is safe.
func (l *Lake) Append(ctx context.Context, bs ...Batch) (Ack, error) {
	if len(bs) == 0 {
		return Ack{}, errors.New("append: no batch")
	}
	r := &request{ctx: ctx, done: make(chan struct{})}
	defer r.cleanup()
	for i := range bs {
		p, err := l.prepare(ctx, &bs[i])
		if err != nil {
			return Ack{}, err
		}
		r.parts = append(r.parts, p)
	}
	for {
		if err := l.send(ctx, r); err != nil {
			return Ack{}, err
		}
		if r.decode == nil {
			return r.ack, r.err
		}
		// DuckDB's reader refused the text: read it here, to store it after all or to say exactly what is wrong
		p, why := r.decode, r.err
		f, err := DecodeRows(p.b.NDJSON, p.b.Columns, p.b.Keys)
		if err != nil {
			return Ack{}, &DataError{Table: p.b.Table, Err: err}
		}
		if f.N == 0 {
			return Ack{}, &DataError{Table: p.b.Table, Err: why}
		}
		p.unstage()
		p.b.Frame, p.b.NDJSON = f, nil
		r.decode, r.err, r.done = nil, nil, make(chan struct{})
	}
}

func (l *Lake) send(ctx context.Context, r *request) error {
	select {
	case l.in <- r:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.quit:
		return ErrClosed
	}
	<-r.done
	return nil
}

// request is what the committer works on: batches of one caller, or a change of the catalog.
type request struct {
	ctx   context.Context
	parts []*part
	do    func(e *edit) error                           // runs alone
	raw   func(ctx context.Context, c *duck.Conn) error // runs alone, outside a transaction
	done  chan struct{}

	ack    Ack
	err    error
	decode *part // err is about its text, which is to be decoded in Go
}

func (r *request) alone() bool { return r.do != nil || r.raw != nil }

func (r *request) cleanup() {
	for _, p := range r.parts {
		p.unstage()
	}
}

// part is one batch made ready by its caller.
type part struct {
	b     Batch
	file  string // NDJSON as a file for DuckDB
	fs    file.FS
	size  int64
	raw   int64           // bytes as received
	ticks map[string]bool // datetime columns in which a seventh digit occurs
}

func (p *part) unstage() {
	if p.file != "" {
		_ = p.fs.Remove(p.file) // what stays is swept at the next start
		p.file = ""
	}
}

// smallBytes is the size below which a text is decoded in Go: DuckDB's reader costs about a millisecond to begin.
const smallBytes = 8 << 10

// prepare checks a batch and does what need not be done one at a time.
func (l *Lake) prepare(ctx context.Context, b *Batch) (*part, error) {
	if err := checkBatch(b); err != nil {
		return nil, err
	}
	p := &part{b: *b, ticks: map[string]bool{}, raw: b.Bytes}
	if p.raw <= 0 {
		p.raw = int64(len(b.NDJSON))
	}
	if b.NDJSON != nil && (len(b.NDJSON) < smallBytes || needsDecode(b)) {
		f, err := DecodeRows(b.NDJSON, b.Columns, b.Keys)
		if err != nil {
			return nil, &DataError{Table: b.Table, Err: err}
		}
		p.b.Frame, p.b.NDJSON = f, nil
	}
	if p.b.Frame != nil {
		p.b.Columns = p.b.Frame.Schema
		for i, v := range p.b.Frame.Vecs {
			p.size += vectorBytes(v)
			if v.Type == value.Datetime && hasTicks(v) {
				p.ticks[p.b.Columns[i].Name] = true
			}
		}
		if p.raw == 0 {
			p.raw = p.size
		}
		return p, nil
	}
	if len(bytes.TrimLeft(p.b.NDJSON, " \t\r\n")) == 0 {
		p.b.NDJSON = nil
		return p, nil
	}
	p.size = int64(len(p.b.NDJSON))
	path := filepath.Join(l.o.Dir, "stage", rand.Text()+".json")
	if err := file.Write(l.o.Files, path, p.b.NDJSON); err != nil {
		return nil, l.diskError("stage a batch", err)
	}
	p.file, p.fs = path, l.o.Files
	if suspectTicks(p.b.NDJSON) {
		if err := l.findTicks(ctx, p); err != nil {
			p.unstage()
			return nil, err
		}
	}
	return p, nil
}

func (l *Lake) diskError(what string, err error) error {
	if isNoSpace(err) {
		return fmt.Errorf("%s: %w (%v)", what, ErrFull, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func checkBatch(b *Batch) error {
	bad := func(format string, a ...any) error {
		return &DataError{Table: b.Table, Err: fmt.Errorf(format, a...)}
	}
	if len(b.OpID) > MaxOpIDBytes || !utf8.ValidString(b.OpID) {
		return bad("the id of the batch has %d bytes; use at most %d, of UTF-8", len(b.OpID), MaxOpIDBytes)
	}
	for k, v := range b.Marks {
		if len(k) > MaxMarkBytes || len(v) > MaxMarkBytes || k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return bad("a mark has a key of %d and a value of %d bytes; use 1 to %d, of UTF-8", len(k), len(v), MaxMarkBytes)
		}
	}
	if b.Table == "" && (b.NDJSON != nil || b.Frame != nil) {
		return bad("the batch names no table")
	}
	if b.NDJSON != nil && b.Frame != nil {
		return bad("a batch has NDJSON or a frame, not both")
	}
	if len(b.NDJSON) > MaxBatchBytes {
		return bad("the batch has %d bytes, the limit is %d; send it in parts", len(b.NDJSON), MaxBatchBytes)
	}
	if b.Keys != nil && len(b.Keys) != len(b.Columns) {
		return bad("the batch has %d keys for %d columns", len(b.Keys), len(b.Columns))
	}
	s := b.Columns
	if b.Frame != nil {
		s = b.Frame.Schema
		if len(b.Frame.Vecs) != len(s) {
			return bad("the frame has %d columns, its schema %d", len(b.Frame.Vecs), len(s))
		}
		for i, v := range b.Frame.Vecs {
			if v.N != b.Frame.N || v.Type != s[i].Type {
				return bad("column %s of the frame has %d rows of %s; expected %d of %s", s[i].Name, v.N, v.Type, b.Frame.N, s[i].Type)
			}
		}
	}
	seen := map[string]bool{}
	for _, c := range s {
		if seen[c.Name] {
			return bad("column %s comes twice", c.Name)
		}
		seen[c.Name] = true
		if c.Name == colTime && c.Type != value.Datetime {
			return bad("TimeGenerated must be a datetime, not %s", c.Type)
		}
	}
	for name, v := range b.Fixed {
		if seen[name] {
			return bad("column %s comes twice", name)
		}
		if v.Null {
			return bad("the fixed value of %s is null; leave it out", name)
		}
	}
	return nil
}

// needsDecode says that DuckDB's reader can't take the columns as they are: decimals would pass through floats,
// timespans have a text form of their own, and its names are one in any case.
func needsDecode(b *Batch) bool {
	seen := make(map[string]int, len(b.Columns))
	dynamic := false
	for i, c := range b.Columns {
		if c.Type == value.Decimal || c.Type == value.Timespan {
			return true
		}
		dynamic = dynamic || c.Type == value.Dynamic
		key := b.key(i)
		k := strings.ToLower(key)
		if at, ok := seen[k]; ok && (b.key(at) != key || b.Columns[at].Type != c.Type) || k == "" || strings.IndexByte(k, 0) >= 0 || !utf8.ValidString(key) {
			return true // one key may feed two columns of one type
		}
		seen[k] = i
	}
	return dynamic && oddJSON(b.NDJSON)
}

func (b *Batch) key(i int) string {
	if b.Keys != nil {
		return b.Keys[i]
	}
	return b.Columns[i].Name
}

func hasTicks(v *value.Vector) bool {
	for i, x := range v.I {
		if x%10 != 0 && (v.Null == nil || !v.Null[i]) {
			return true
		}
	}
	return false
}

func vectorBytes(v *value.Vector) int64 {
	n := int64(8*len(v.I)+8*len(v.F)+16*len(v.G)+24*len(v.M)+32*len(v.D)) + 8*int64(len(v.S))
	for _, s := range v.S {
		n += int64(len(s))
	}
	return n
}

// suspectTicks looks for a time with a seventh digit that is not 0: ":dd.dddddd[1-9]".
func suspectTicks(b []byte) bool {
	for i := 0; ; {
		k := bytes.IndexByte(b[i:], '.')
		if k < 0 {
			return false
		}
		i += k + 1
		if i < 4 || i+7 > len(b) || b[i-4] != ':' || b[i+6] < '1' || b[i+6] > '9' {
			continue
		}
		digits := true
		for _, c := range b[i : i+6] {
			digits = digits && '0' <= c && c <= '9'
		}
		if digits {
			return true
		}
	}
}

const tickPattern = `\.\d{6}[1-9]`

// findTicks asks DuckDB which datetime columns have a seventh digit.
func (l *Lake) findTicks(ctx context.Context, p *part) error {
	var names []string
	var sel, keys []string
	for i, c := range p.b.Columns {
		if c.Type == value.Datetime {
			names = append(names, c.Name)
			keys = append(keys, p.b.key(i))
			sel = append(sel, fmt.Sprintf(`coalesce(bool_or(regexp_matches(%s, '%s')), false)`, duck.Quote(p.b.key(i)), tickPattern))
		}
	}
	if len(names) == 0 {
		return nil
	}
	var cols []string
	for _, k := range keys {
		cols = append(cols, duck.Text(k)+`: 'VARCHAR'`)
	}
	s := make(value.Schema, len(names))
	for i, n := range names {
		s[i] = value.Column{Name: n, Type: value.Bool}
	}
	snap, err := l.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	err = snap.Query(ctx, `SELECT `+strings.Join(sel, ", ")+` FROM `+p.reader(cols), nil, s, func(f *value.Frame) error {
		for i, n := range names {
			if f.Vecs[i].I[0] != 0 {
				p.ticks[n] = true
			}
		}
		return nil
	})
	var de *duck.Error
	if errors.As(err, &de) && dataKinds[de.Kind] {
		return nil // unreadable text: the insert will say so
	}
	return err
}

// reader is the table function that reads the part's file.
func (p *part) reader(cols []string) string {
	format := "newline_delimited"
	if b := bytes.TrimLeft(p.b.NDJSON, " \t\r\n"); len(b) > 0 && b[0] == '[' {
		format = "array"
	}
	// The reader's buffers are twice the largest object that it takes; a text with a larger one is decoded in Go.
	return fmt.Sprintf(`read_json(%s, format='%s', records=true, columns={%s}, compression='uncompressed', maximum_object_size=%d)`,
		duck.Text(p.file), format, strings.Join(cols, ", "), max(64<<10, min(len(p.b.NDJSON)+16, 4<<20)))
}

// insert adds the part's rows to a generation, within the committer's transaction.
func (p *part) insert(ctx context.Context, c *duck.Conn, t *tableDef, g *genDef, commit, received int64) (int64, error) {
	if p.b.Frame != nil {
		return p.insertFrame(ctx, c, t, g, commit, received)
	}
	recv := fmt.Sprintf(`make_timestamptz(%d)`, received)
	exprs := []string{recv, fmt.Sprint(commit)}
	var cols []string
	at, read, textTimes := map[string]int{}, map[string]bool{}, map[string]bool{}
	for i, col := range p.b.Columns {
		if d := t.column(col.Name); d != nil {
			at[d.Phys] = i
		}
		if p.ticks[col.Name] {
			textTimes[p.b.key(i)] = true
		}
	}
	args := []any{}
	for _, phys := range g.Columns {
		base, companion := strings.CutSuffix(phys, "$t")
		if companion {
			i, ok := at[base]
			if ok && p.ticks[p.b.Columns[i].Name] {
				exprs = append(exprs, fmt.Sprintf(`coalesce(TRY_CAST(regexp_extract(%s, '\.\d{6}(\d)', 1) AS TINYINT), 0)`, duck.Quote(p.b.key(i))))
			} else {
				exprs = append(exprs, "0")
			}
			continue
		}
		i, ok := at[phys]
		if !ok {
			d := t.byPhysical(phys)
			if v, fixed := p.b.Fixed[d.Name]; fixed {
				args = append(args, v)
				exprs = append(exprs, fmt.Sprintf("$%d::%s", len(args), sqlType(d.Type)))
			} else if phys == colTime {
				exprs = append(exprs, recv)
			} else {
				exprs = append(exprs, absent(d.Type))
			}
			continue
		}
		col := p.b.Columns[i]
		key := duck.Quote(p.b.key(i))
		typ, expr := sqlType(col.Type), key
		switch {
		case col.Type == value.Datetime:
			if textTimes[p.b.key(i)] {
				typ, expr = "VARCHAR", key+"::TIMESTAMPTZ"
			}
			if phys == colTime && !p.full(i) {
				expr = "coalesce(" + expr + ", " + recv + ")"
			}
		case col.Type == value.String && !p.full(i):
			expr = "coalesce(" + key + ", '')"
		case col.Type == value.Dynamic:
			typ, expr = "JSON", key+"::VARCHAR"
		}
		if !read[p.b.key(i)] {
			read[p.b.key(i)] = true
			cols = append(cols, duck.Text(p.b.key(i))+`: '`+typ+`'`)
		}
		exprs = append(exprs, expr)
	}
	if len(cols) == 0 { // the rows bring nothing that is stored, but they are rows
		cols = append(cols, `'': 'JSON'`)
	}
	return c.Exec(ctx, `INSERT INTO `+g.table()+` SELECT `+strings.Join(exprs, ", ")+` FROM `+p.reader(cols), args...)
}

func (p *part) full(i int) bool { return p.b.Full != nil && p.b.Full[i] }

func (t *tableDef) byPhysical(phys string) *colDef {
	for i := range t.Columns {
		if t.Columns[i].Phys == phys {
			return &t.Columns[i]
		}
	}
	return nil
}

func (p *part) insertFrame(ctx context.Context, c *duck.Conn, t *tableDef, g *genDef, commit, received int64) (int64, error) {
	n := p.b.Frame.N
	if n == 0 {
		return 0, nil
	}
	recv := value.ConstOf(value.Of(value.Datetime, duck.Ticks(received)), n)
	cols := []duck.Col{{Vec: recv}, {Vec: value.ConstOf(value.OfLong(commit), n)}}
	at := map[string]*value.Vector{}
	for i, col := range p.b.Columns {
		if d := t.column(col.Name); d != nil {
			at[d.Phys] = p.b.Frame.Vecs[i]
		}
	}
	for name, v := range p.b.Fixed {
		if d := t.column(name); d != nil {
			at[d.Phys] = value.ConstOf(v, n)
		}
	}
	if v := at[colTime]; v == nil {
		at[colTime] = recv
	} else if v.Null != nil {
		full := value.New(value.Datetime, n)
		for i := range n {
			if full.I[i] = v.I[v.Idx(i)]; v.IsNull(i) {
				full.I[i] = duck.Ticks(received)
			}
		}
		at[colTime] = full
	}
	for _, phys := range g.Columns {
		base, companion := strings.CutSuffix(phys, "$t")
		v := at[base]
		if v == nil {
			if companion {
				v = value.ConstOf(value.Of(value.Datetime, 0), n)
			} else {
				v = value.ConstOf(value.Null(t.byPhysical(phys).Type), n)
			}
		}
		cols = append(cols, duck.Col{Vec: v, Tick: companion})
	}
	if err := c.Append(ctx, g.table(), cols, n); err != nil {
		return 0, err
	}
	return int64(n), nil
}

// need lists the physical columns that the part stores.
func (p *part) need(t *tableDef) []string {
	var out []string
	add := func(name string) {
		if d := t.column(name); d != nil {
			out = append(out, d.Phys)
			if p.ticks[name] {
				out = append(out, d.Phys+"$t")
			}
		}
	}
	for _, c := range p.b.Columns {
		add(c.Name)
	}
	for name := range p.b.Fixed {
		add(name)
	}
	return out
}

// schema is all columns the part brings.
func (p *part) schema() value.Schema {
	s := p.b.Columns
	if len(p.b.Fixed) > 0 {
		s = append(value.Schema{}, s...)
		for name, v := range p.b.Fixed {
			s = append(s, value.Column{Name: name, Type: v.Type})
		}
	}
	return s
}

// EnsureTable makes the table, or adds the columns that it lacks. A column that exists with another type is a *[DataError].
func (l *Lake) EnsureTable(ctx context.Context, name string, s value.Schema) error {
	if err := checkBatch(&Batch{Table: name, Columns: s}); err != nil {
		return err
	}
	l.mu.Lock()
	have := l.cat.table(name)
	l.mu.Unlock()
	if have != nil {
		lacks := false
		for _, c := range s {
			d := have.column(c.Name)
			lacks = lacks || (d == nil || d.Type != c.Type) && c.Name != colTenant && c.Name != colType
		}
		if !lacks {
			return nil
		}
	}
	return l.do(ctx, func(e *edit) error {
		if _, err := e.ensure(name, s); err != nil {
			return &DataError{Table: name, Err: err}
		}
		return nil
	})
}

// DropTable removes the table and all its rows. Snapshots that began before still see it.
func (l *Lake) DropTable(ctx context.Context, table string) error {
	return l.do(ctx, func(e *edit) error {
		t := e.cat.table(table)
		if t == nil {
			return fmt.Errorf("drop table %s: %w", table, ErrNoTable)
		}
		e.drop(t)
		return nil
	})
}

// do has the committer change the catalog in a transaction of its own.
func (l *Lake) do(ctx context.Context, f func(e *edit) error) error {
	r := &request{ctx: ctx, do: f, done: make(chan struct{})}
	if err := l.send(ctx, r); err != nil {
		return err
	}
	return r.err
}
