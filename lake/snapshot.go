package lake

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

// Snapshot is one commit of the whole lake, for reading: the catalog and the rows are read in one transaction on
// one connection, so a row is seen once, hot or sealed. It keeps old segment files from being removed, so close
// it soon. It is safe for concurrent use.
type Snapshot struct {
	l        *Lake
	c        *duck.Conn
	cat      *catalog
	commit   int64
	received int64

	ctx    context.Context // ends when the lake takes the connection back
	cancel context.CancelCauseFunc
	mu     sync.Mutex // the connection is one's
	active *stream    // the query whose rows come from the connection
	closed bool
	failed error // ended the transaction
	stats  Stats
}

const idleConns = 8

// Snapshot begins reading. It waits while the database is being opened anew.
func (l *Lake) Snapshot(ctx context.Context) (*Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Snapshot{l: l}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	if err := l.lend(ctx, s); err != nil {
		return nil, err
	}
	err := s.begin(ctx)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("begin a snapshot: %w", err)
	}
	return s, nil
}

// lend gives the snapshot a connection, and a hold on the files of the current catalog.
func (l *Lake) lend(ctx context.Context, s *Snapshot) error {
	stop := context.AfterFunc(ctx, l.cond.Broadcast)
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.down != nil || l.db == nil {
		if errors.Is(l.down, ErrClosed) {
			return ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		l.cond.Wait()
	}
	if n := len(l.idle); n > 0 {
		s.c, l.idle = l.idle[n-1], l.idle[:n-1]
	} else {
		c, err := l.db.Conn()
		if err != nil {
			return err
		}
		s.c = c
	}
	l.busy[s.c] = s.cancel
	l.holds[s] = l.cat.version
	return nil
}

func (s *Snapshot) begin(ctx context.Context) error {
	if _, err := s.c.Exec(ctx, `BEGIN TRANSACTION READ ONLY`); err != nil {
		return err
	}
	version := int64(0)
	err := s.c.Query(ctx, `SELECT c, r, v FROM lake_head`, nil, longs("c", "r", "v"), func(f *value.Frame) error {
		s.commit, s.received, version = f.Vecs[0].I[0], f.Vecs[1].I[0], f.Vecs[2].I[0]
		return nil
	})
	if err != nil {
		return err
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.cat = s.l.cats[version]; s.cat == nil {
		return fmt.Errorf("version %d of the catalog is not known", version)
	}
	s.l.holds[s] = version
	return nil
}

// Close ends the snapshot.
func (s *Snapshot) Close() error {
	s.cancel(ErrClosed) // a query of another goroutine ends
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if st := s.active; st != nil {
		st.rows.Close()
		st.rows, st.err, s.active = nil, ErrClosed, nil
	}
	_, err := s.c.Exec(context.Background(), `ROLLBACK`)
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, s.c)
	if err == nil && l.down == nil && len(l.idle) < idleConns {
		l.idle = append(l.idle, s.c)
	} else {
		s.c.Close()
	}
	held := l.holds[s]
	delete(l.holds, s)
	l.forget(held)
	l.cond.Broadcast()
	return nil
}

// forget drops a version of the catalog that nobody holds; l.mu is held.
func (l *Lake) forget(version int64) {
	if version == l.cat.version {
		return
	}
	for v := range l.cats {
		if v >= l.cat.version || v >= l.oldest() {
			continue
		}
		delete(l.cats, v)
	}
}

// oldest is the oldest version that is in use; l.mu is held.
func (l *Lake) oldest() int64 {
	v := l.cat.version
	for _, h := range l.holds {
		v = min(v, h)
	}
	return v
}

// Commit is the number of the last commit that the snapshot sees, 0 when there was none.
func (s *Snapshot) Commit() int64 { return s.commit }

// Received is the received time of the last commit that the snapshot sees (or a later time for which the lake was
// settled).
func (s *Snapshot) Received() time.Time { return time.UnixMicro(s.received).UTC() }

// Table describes a table as the snapshot sees it; the name is taken in any case when none has it exactly. Row
// counts of hot rows may run ahead of the snapshot, and the time bounds are left zero.
func (s *Snapshot) Table(name string) (Table, error) {
	t := s.cat.table(name)
	if t == nil {
		return Table{}, fmt.Errorf("table %s: %w", name, ErrNoTable)
	}
	return t.describe(s.l.o.WorkspaceID), nil
}

// Tables lists the tables as the snapshot sees them, by name, as Table does.
func (s *Snapshot) Tables() []Table {
	out := make([]Table, 0, len(s.cat.tables))
	for _, t := range s.cat.tables {
		out = append(out, t.describe(s.l.o.WorkspaceID))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// Query runs SQL and hands its rows to f in frames, with the schema's names and types. The SQL's result columns
// match the schema by position; a result column that is named like the one before it plus "$t" is that datetime's
// seventh digit and does not count. Arguments are Go scalars or value.Value. A frame stays valid after f returns.
//
// Rows are computed while they are read. f may query the same snapshot, as may other goroutines: there is one
// connection, so the rows that are still to come are then read into memory first.
//
// The query ends at once when ctx does. A query that fails, also by ctx, ends the snapshot; an error of f ends only
// the query and is returned.
func (s *Snapshot) Query(ctx context.Context, sql string, args []any, schema value.Schema, f func(*value.Frame) error) error {
	ctx, done := s.within(ctx)
	defer done()
	st := &stream{}
	if err := s.exclusive(ctx, func() (err error) {
		if st.rows, err = s.c.Start(ctx, sql, args, schema); err == nil {
			s.active = st
		}
		return err
	}); err != nil {
		return err
	}
	defer s.end(st)
	for {
		fr, err := s.next(ctx, st)
		if err != nil || fr == nil {
			return err
		}
		if err := f(fr); err != nil {
			return err
		}
	}
}

// stream is a query under way.
type stream struct {
	rows   *duck.Rows     // nil when all were read
	buffer []*value.Frame // read because another query needed the connection
	err    error          // what ended the reading ahead
}

// aheadBytes bounds what is read ahead for one query.
const aheadBytes = 1 << 30

// within joins the query's context with the snapshot's.
func (s *Snapshot) within(ctx context.Context) (context.Context, func()) {
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })
	return both, func() { stop(); cancel(nil) }
}

// exclusive gives f the connection, after the query that has it was read to its end.
func (s *Snapshot) exclusive(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("query a snapshot: %w", ErrClosed)
	}
	if st := s.active; st != nil {
		s.active = nil
		size := int64(0)
		for st.err == nil && st.rows != nil {
			fr, err := st.rows.Next(ctx)
			if err != nil || fr == nil {
				st.rows, st.err = nil, s.note(err)
				break
			}
			for _, v := range fr.Vecs {
				size += vectorBytes(v)
			}
			if st.buffer = append(st.buffer, fr); size > min(aheadBytes, s.l.o.MemoryLimit/2) {
				st.rows.Close()
				st.rows, st.err = nil, fmt.Errorf("%w: another query of the same snapshot wants the connection, and %d MiB of this one had to be read ahead", ErrMemory, size>>20)
			}
		}
	}
	if s.failed != nil {
		return fmt.Errorf("the snapshot ended with an earlier error; take a new one: %w", s.failed)
	}
	return s.note(f())
}

// note keeps an error that ended the transaction, and gives it its type.
func (s *Snapshot) note(err error) error {
	if err == nil {
		return nil
	}
	if s.failed == nil {
		s.failed = err
	}
	var de *duck.Error
	switch {
	case duck.IsFull(err):
		return fmt.Errorf("%w (%v)", ErrFull, err)
	case errors.As(err, &de) && de.Kind == "Out of Memory":
		return fmt.Errorf("%w (%v)", ErrMemory, err)
	}
	return err
}

func (s *Snapshot) next(ctx context.Context, st *stream) (*value.Frame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, s.note(context.Cause(ctx))
	}
	if len(st.buffer) > 0 {
		fr := st.buffer[0]
		st.buffer = st.buffer[1:]
		return fr, nil
	}
	if st.err != nil || st.rows == nil {
		return nil, st.err
	}
	fr, err := st.rows.Next(ctx)
	if err != nil || fr == nil {
		st.rows, s.active = nil, nil
	}
	return fr, s.note(err)
}

func (s *Snapshot) end(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.rows != nil {
		st.rows.Close()
		st.rows = nil
	}
	if s.active == st {
		s.active = nil
	}
}

// with runs f on the connection.
func (s *Snapshot) with(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, done := s.within(ctx)
	defer done()
	return s.exclusive(ctx, func() error { return f(ctx) })
}

// Stats counts what the relations so far read and left out.
func (s *Snapshot) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// relCol is a column of a relation in the making.
type relCol struct {
	RelColumn
	phys   string // "" for a constant
	expr   string // of a constant
	hidden bool

	derived *derivedDef // set for a promoted expression, with the column it is computed from
	base    *relCol
}

// columns resolves the names of a need.
func (l *Lake) columns(t *tableDef, names []string) ([]relCol, error) {
	all := t.describe(l.o.WorkspaceID).Columns
	col := func(c Column) relCol {
		r := relCol{RelColumn: RelColumn{Name: c.Name, Type: c.Type, Physical: c.Physical}, phys: c.Physical}
		if c.Physical == "" {
			r.Physical, r.expr = c.Name, duck.Text(c.Const)
		} else if c.Ticks {
			r.Ticks = c.Physical + "$t"
		}
		return r
	}
	var out []relCol
	if names == nil {
		for _, c := range all {
			out = append(out, col(c))
		}
		return out, nil
	}
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			continue
		}
		seen[n] = true
		i := slices.IndexFunc(all, func(c Column) bool { return c.Name == n })
		if i >= 0 {
			out = append(out, col(all[i]))
			continue
		}
		h := Hidden.Index(n)
		if h < 0 {
			return nil, fmt.Errorf("table %s has no column %s", t.Name, n)
		}
		out = append(out, relCol{RelColumn: RelColumn{Name: n, Type: Hidden[h].Type, Physical: n}, phys: n, hidden: true})
	}
	return out, nil
}

// source is a generation or a set of segments with the same columns.
type source struct {
	from     string
	columns  []string
	derived  []string // promotions that the files carry
	imported bool
	gen      *genDef // nil for segments
	filter   string
}

// Relation is the table as SQL, pruned to the need. Its columns are named by their physical names.
func (s *Snapshot) Relation(table string, n Need) (Relation, error) {
	t := s.cat.table(table)
	if t == nil {
		return Relation{}, fmt.Errorf("table %s: %w", table, ErrNoTable)
	}
	cols, err := s.l.columns(t, n.Columns)
	if err != nil {
		return Relation{}, err
	}
	gens := slices.DeleteFunc(slices.Clone(t.Gens), func(g *genDef) bool { return n.SkipImported && g.Imported })
	all := t.Segs
	if !n.Archived {
		all = t.live()
	}
	segs, saved := n.prune(all)
	rel := Relation{}
	s.mu.Lock()
	s.stats.SegmentsSaved += saved
	s.stats.SegmentsRead += len(segs)
	for _, g := range segs {
		rel.Rows += g.Rows
		s.stats.Bytes += g.Bytes
	}
	for _, g := range gens {
		rel.Rows += g.live.rows.Load()
	}
	s.stats.Rows += rel.Rows
	s.mu.Unlock()
	sources := s.sources(gens, segs)
	for i := range sources {
		sources[i].filter = n.filter(sources[i], segs)
	}
	read, names := t.derivedCols(cols, n.Derived)
	rel.SQL, rel.Derived = relationSQL(t, read, sources), names
	for _, c := range cols {
		if c.Ticks != "" && !slices.ContainsFunc(sources, func(s source) bool { return slices.Contains(s.columns, c.Ticks) }) {
			c.Ticks = ""
		}
		rel.Columns = append(rel.Columns, c.RelColumn)
	}
	return rel, nil
}

// prune leaves out the segments that hold nothing of the need.
func (n *Need) prune(segs []*segment) (out []*segment, saved int) {
	for _, g := range segs {
		if !n.TimeFrom.IsZero() && g.TMax < n.TimeFrom.UnixMicro() ||
			!n.TimeTo.IsZero() && g.TMin > n.TimeTo.UnixMicro() ||
			!n.ReceivedAfter.IsZero() && g.RMax <= n.ReceivedAfter.UnixMicro() ||
			!n.ReceivedUntil.IsZero() && g.RMin > n.ReceivedUntil.UnixMicro() ||
			n.SkipImported && g.Imported {
			saved++
			continue
		}
		out = append(out, g)
	}
	return out, saved
}

// filter is the exact condition on the received time, and the time bounds where they help.
func (n *Need) filter(src source, segs []*segment) string {
	var conds []string
	inside := src.gen == nil // all of the segments lie within the received bounds
	for _, g := range segs {
		inside = inside && (n.ReceivedAfter.IsZero() || g.RMin > n.ReceivedAfter.UnixMicro()) && (n.ReceivedUntil.IsZero() || g.RMax <= n.ReceivedUntil.UnixMicro())
	}
	if !inside {
		if !n.ReceivedAfter.IsZero() {
			conds = append(conds, fmt.Sprintf(`"%s" > make_timestamptz(%d)`, ColReceived, n.ReceivedAfter.UnixMicro()))
		}
		if !n.ReceivedUntil.IsZero() {
			conds = append(conds, fmt.Sprintf(`"%s" <= make_timestamptz(%d)`, ColReceived, n.ReceivedUntil.UnixMicro()))
		}
	}
	if !n.TimeFrom.IsZero() {
		conds = append(conds, fmt.Sprintf(`"%s" >= make_timestamptz(%d)`, colTime, n.TimeFrom.UnixMicro()))
	}
	if !n.TimeTo.IsZero() {
		conds = append(conds, fmt.Sprintf(`"%s" <= make_timestamptz(%d)`, colTime, n.TimeTo.UnixMicro()))
	}
	return strings.Join(conds, " AND ")
}

// sources groups what is to be read into as few scans as the columns allow.
func (s *Snapshot) sources(gens []*genDef, segs []*segment) []source {
	var out []source
	for _, g := range gens {
		out = append(out, source{from: g.table(), columns: g.Columns, imported: g.Imported, gen: g})
	}
	type group struct {
		src   source
		files []string
	}
	groups := map[string]*group{}
	var order []string
	for _, g := range segs {
		sorted := slices.Clone(g.Columns)
		slices.Sort(sorted)
		derived := slices.Clone(g.Derived)
		slices.Sort(derived)
		key := fmt.Sprint(g.Imported) + "\x00" + strings.Join(sorted, "\x00") + "\x00\x00" + strings.Join(derived, "\x00")
		if groups[key] == nil {
			groups[key] = &group{src: source{columns: g.Columns, derived: g.Derived, imported: g.Imported}}
			order = append(order, key)
		}
		groups[key].files = append(groups[key].files, duck.Text(s.l.segmentPath(g)))
	}
	for _, k := range order {
		g := groups[k]
		g.src.from = `read_parquet([` + strings.Join(g.files, ", ") + `], hive_partitioning=false)`
		out = append(out, g.src)
	}
	return out
}

func relationSQL(t *tableDef, cols []relCol, sources []source) string {
	var b strings.Builder
	b.WriteByte('(')
	if len(sources) == 0 {
		sources = []source{{from: "(SELECT 1)", filter: "false", gen: &genDef{}}}
	}
	for i, src := range sources {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT ")
		if len(cols) == 0 {
			b.WriteString("1 AS one")
		}
		for k, c := range cols {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString(src.expr(c, c.phys) + " AS " + duck.Quote(c.Physical))
			if c.Ticks != "" {
				b.WriteString(", " + src.expr(c, c.Ticks) + " AS " + duck.Quote(c.Ticks))
			}
		}
		b.WriteString(" FROM " + src.from)
		if src.filter != "" {
			b.WriteString(" WHERE " + src.filter)
		}
	}
	b.WriteByte(')')
	return b.String()
}

// expr is a column as the source has it.
func (src source) expr(c relCol, phys string) string {
	if c.phys == "" {
		return c.expr
	}
	if c.derived != nil {
		if slices.Contains(src.derived, phys) {
			return duck.Quote(phys)
		}
		return c.derived.apply(src.expr(*c.base, c.base.phys))
	}
	if len(src.columns) == 0 && src.gen != nil { // the empty source
		if phys == c.Ticks && c.Ticks != "" {
			return "0::TINYINT"
		}
		return absent(c.Type)
	}
	if c.hidden {
		switch {
		case phys == ColImported:
			return fmt.Sprint(src.imported)
		case phys == ColRow && src.gen != nil:
			return fmt.Sprintf("%d::BIGINT + rowid", src.gen.ID<<rowBits)
		}
		return duck.Quote(phys)
	}
	if slices.Contains(src.columns, phys) {
		return duck.Quote(phys)
	}
	if phys == c.Ticks && c.Ticks != "" {
		return "0::TINYINT"
	}
	return absent(c.Type)
}
