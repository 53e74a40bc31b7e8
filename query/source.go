package query

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/dialect"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/rewrite"
	"picket/kql/value"
	"picket/lake"
	"slices"
	"strings"
	"sync"
	"time"
)

// source reads the leaves of a plan from one snapshot.
type source struct {
	lake     *lake.Lake
	snap     *lake.Snapshot
	req      *Request
	timeless []string
	bounds   map[*plan.Scan]rewrite.Bounds
	memory   int64
	turn     turns
	frags    map[int]*dialect.Fragment
	paths    map[string]bool // properties that the plan reads inside dynamics

	mu    sync.Mutex
	reads []read // what the relations so far take of their tables

	wanted []dialect.Wanted // promotions that would have served
}

func (s *source) close() { s.turn.close() }

// need is what a scan wants of its table: the question's windows and what its own filters leave over.
func (s *source) need(n *plan.Scan, columns []string) lake.Need {
	need := lake.Need{Columns: columns}
	if s.windowed(n.Table) {
		need.TimeFrom, need.TimeTo = s.req.From, s.req.To
		need.ReceivedAfter, need.ReceivedUntil, need.SkipImported = s.req.ReceivedAfter, s.req.ReceivedUntil, !s.req.ReceivedAfter.IsZero()
	}
	b, ok := s.bounds[n]
	if !ok {
		return need
	}
	if b.HasFrom {
		need.TimeFrom = later(need.TimeFrom, floorMicro(b.From))
	}
	if b.HasTo {
		need.TimeTo = earlier(need.TimeTo, floorMicro(b.To).Add(time.Microsecond))
	}
	if b.HasReceivedFrom { // received at or after a time is received after the microsecond before
		need.ReceivedAfter = later(need.ReceivedAfter, floorMicro(b.ReceivedFrom).Add(-time.Microsecond))
	}
	if b.HasReceived {
		need.ReceivedUntil = earlier(need.ReceivedUntil, floorMicro(b.ReceivedTo))
	}
	return need
}

// windowed reports whether the request's windows bound a table.
func (s *source) windowed(table string) bool {
	return !slices.ContainsFunc(s.timeless, func(n string) bool { return strings.EqualFold(n, table) })
}

// floorMicro is the whole microsecond at or before a tick; times that the store can't hold stay inside its range.
func floorMicro(ticks int64) time.Time {
	t := value.TimeOf(ticks).Truncate(time.Microsecond)
	if t.IsZero() {
		return t.Add(time.Microsecond) // the zero time would mean open
	}
	return t
}

func later(a, b time.Time) time.Time {
	if a.IsZero() || b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// Scan streams a table's columns, bounded by the question's times.
func (s *source) Scan(ctx context.Context, n *plan.Scan) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		sql, schema, err := s.scanSQL(n)
		if err != nil {
			yield(nil, err)
			return
		}
		if sql == "" {
			return // a standard table without rows yet
		}
		s.turn.stream(ctx, s.limit(), func(ctx context.Context, f func(*value.Frame) error) error {
			return s.snap.Query(ctx, sql, nil, schema, f)
		}, func(f *value.Frame, err error) bool {
			if err == nil && len(n.Out) == 0 { // only the number of rows is wanted
				return yieldRows(f, yield)
			}
			return yield(f, err)
		})
	}
}

func (s *source) limit() int64 {
	if s.memory > 0 {
		return s.memory
	}
	return 1 << 30
}

// yieldRows hands on as many rows without columns as the frame's one number says.
func yieldRows(f *value.Frame, yield func(*value.Frame, error) bool) bool {
	const most = 1 << 16
	for left := f.Vecs[0].I[0]; left > 0; left -= most {
		if !yield(&value.Frame{N: int(min(left, most))}, nil) {
			return false
		}
	}
	return true
}

// scanSQL is the SQL that reads a scan's columns; "" when the table has no rows at all.
func (s *source) scanSQL(n *plan.Scan) (string, value.Schema, error) {
	rel, where, err := s.relation(n, nil)
	if err != nil || rel == nil {
		return "", nil, err
	}
	if where != "" {
		where = " WHERE " + where
	}
	if len(n.Out) == 0 {
		return "SELECT count(*) FROM " + rel.SQL + where, value.Schema{{Name: "n", Type: value.Long}}, nil
	}
	schema := make(value.Schema, len(n.Out))
	var sel []string
	for i, c := range n.Out {
		schema[i] = value.Column{Name: c.Name, Type: c.Type}
		rc := column(rel, c.Name)
		if rc == nil {
			sel = append(sel, nullSQL(c.Type))
			continue
		}
		sel = append(sel, quote(rc.Physical)+" AS "+quote(rc.Physical))
		if rc.Ticks != "" {
			sel = append(sel, quote(rc.Ticks)+" AS "+quote(rc.Physical+"$t"))
		}
	}
	return "SELECT " + strings.Join(sel, ", ") + " FROM " + rel.SQL + where, schema, nil
}

func nullSQL(t value.Type) string {
	if t == value.String {
		return "''"
	}
	return "NULL::BIGINT"
}

func column(rel *lake.Relation, name string) *lake.RelColumn {
	for i := range rel.Columns {
		if rel.Columns[i].Name == name {
			return &rel.Columns[i]
		}
	}
	return nil
}

// relation is a scan's table with the exact condition that the question's window of TimeGenerated puts on it.
// It is nil for a standard table that the lake does not have yet.
func (s *source) relation(n *plan.Scan, asked []lake.Derived) (*lake.Relation, string, error) {
	t, err := s.snap.Table(n.Table)
	if errors.Is(err, lake.ErrNoTable) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reads = append(s.reads, read{table: n.Table, missing: true})
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	stored := t.Schema()
	names := []string{}
	seen := map[string]bool{}
	for _, c := range n.Out {
		if !seen[c.Name] && (stored.Index(c.Name) >= 0 || lake.Hidden.Index(c.Name) >= 0) {
			names = append(names, c.Name)
			seen[c.Name] = true
		}
	}
	timed := s.windowed(n.Table) && (!s.req.From.IsZero() || !s.req.To.IsZero()) && stored.Index(timeColumn) >= 0
	if timed && !seen[timeColumn] {
		names = append(names, timeColumn)
	}
	need := s.need(n, names)
	need.Derived = asked
	rel, err := s.take(n, need)
	if err != nil {
		return nil, "", err
	}
	if !timed {
		return &rel, "", nil
	}
	c := column(&rel, timeColumn)
	var conds []string
	if !s.req.From.IsZero() {
		conds = append(conds, timeCond(c, s.req.From))
	}
	if !s.req.To.IsZero() {
		conds = append(conds, "NOT "+timeCond(c, s.req.To))
	}
	return &rel, strings.Join(conds, " AND "), nil
}

// take asks for a relation and notes what it reads.
func (s *source) take(n *plan.Scan, need lake.Need) (lake.Relation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.snap.Stats()
	rel, err := s.snap.Relation(n.Table, need)
	if err != nil {
		return rel, err
	}
	after := s.snap.Stats()
	s.reads = append(s.reads, read{table: n.Table, columns: need.Columns, need: need, stats: lake.Stats{
		Rows: after.Rows - before.Rows, Bytes: after.Bytes - before.Bytes,
		SegmentsRead: after.SegmentsRead - before.SegmentsRead, SegmentsSaved: after.SegmentsSaved - before.SegmentsSaved,
	}})
	return rel, nil
}

// timeCond is "the column is at or after t", exact to the tick.
func timeCond(c *lake.RelColumn, t time.Time) string {
	micro := t.UnixMicro()
	digit := (t.Nanosecond()%1000 + 99) / 100 // of the first tick that is not before t
	col := quote(c.Physical)
	switch {
	case digit == 0:
		return fmt.Sprintf("(%s >= make_timestamptz(%d))", col, micro)
	case c.Ticks == "" || digit > 9:
		return fmt.Sprintf("(%s > make_timestamptz(%d))", col, micro)
	}
	return fmt.Sprintf("(%s > make_timestamptz(%d) OR %s = make_timestamptz(%d) AND coalesce(%s, 0) >= %d)", col, micro, col, micro, quote(c.Ticks), digit)
}

// External streams a fragment that the SQL engine computes.
func (s *source) External(ctx context.Context, n *plan.ExternalRel) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		f := s.frags[n.ID]
		if f == nil {
			yield(nil, fmt.Errorf("BUG: no fragment %d in SQL", n.ID))
			return
		}
		s.turn.stream(ctx, s.limit(), func(ctx context.Context, take func(*value.Frame) error) error {
			return s.snap.Query(ctx, f.SQL, nil, f.Schema, take)
		}, yield)
	}
}

// lower says what it can of q in SQL, and keeps the fragments for External.
func (s *source) lower(q *plan.Query) (*plan.Query, error) {
	s.paths = dialect.Paths(q)
	low, err := dialect.Lower(q, s)
	if err != nil {
		return nil, fmt.Errorf("say the plan in SQL: %w", err)
	}
	s.wanted = low.Wanted
	s.frags = map[int]*dialect.Fragment{}
	for i := range low.Fragments {
		s.frags[low.Fragments[i].ID] = &low.Fragments[i]
	}
	return low.Query, nil
}

// promoted lists the promotions of a scan's table that the plan may read.
func (s *source) promoted(n *plan.Scan) (out []lake.Derived) {
	if len(s.paths) == 0 {
		return nil
	}
	for _, d := range s.lake.Promoted(n.Table) {
		if dialect.Derived(d).Within(s.paths) && slices.ContainsFunc(n.Out, func(c plan.Col) bool { return c.Name == d.Column }) {
			out = append(out, d)
		}
	}
	return out
}

// Relation gives the dialect a scan's table, within the question's windows.
func (s *source) Relation(n *plan.Scan) (*dialect.Relation, error) {
	asked := s.promoted(n)
	rel, where, err := s.relation(n, asked)
	if err != nil || rel == nil {
		return nil, err
	}
	out := &dialect.Relation{SQL: rel.SQL, Where: where}
	for _, d := range asked {
		if name := rel.Derived[d.Key]; name != "" {
			out.Derived = append(out.Derived, dialect.DerivedColumn{Derived: dialect.Derived(d), Physical: name})
		}
	}
	for _, c := range rel.Columns {
		out.Columns = append(out.Columns, dialect.Column{Name: c.Name, Physical: c.Physical, Ticks: c.Ticks, NotNull: c.Name == timeColumn || c.Name == lake.ColReceived})
	}
	return out, nil
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
