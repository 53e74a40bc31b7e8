package lake

import (
	"context"
	"fmt"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"sort"
	"strings"
	"time"
)

// Tables lists all tables by name, with counts and time bounds.
func (l *Lake) Tables(ctx context.Context) ([]Table, error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := make([]Table, 0, len(s.cat.tables))
	for _, t := range s.cat.tables {
		d, err := s.measure(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("measure table %s: %w", t.Name, err)
		}
		out = append(out, d)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, nil
}

// Table describes one table, its name in any case; ErrNoTable when there is none.
func (l *Lake) Table(ctx context.Context, name string) (Table, error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return Table{}, err
	}
	defer s.Close()
	t := s.cat.table(name)
	if t == nil {
		return Table{}, fmt.Errorf("table %s: %w", name, ErrNoTable)
	}
	d, err := s.measure(ctx, t)
	if err != nil {
		return Table{}, fmt.Errorf("measure table %s: %w", name, err)
	}
	return d, nil
}

// Columns gives the columns of a table as of the last commit, without asking the database; false when there is no
// such table. The order is that in which the columns were added.
func (l *Lake) Columns(table string) ([]Column, bool) {
	t := l.current().table(table)
	if t == nil {
		return nil, false
	}
	out := make([]Column, len(t.Columns))
	for i, c := range t.Columns {
		out[i] = Column{Name: c.Name, Type: c.Type, Physical: c.Phys, Ticks: c.Ticks}
	}
	return out, true
}

// measure adds the time bounds to a description.
func (s *Snapshot) measure(ctx context.Context, t *tableDef) (Table, error) {
	d := t.describe(s.l.o.WorkspaceID)
	var lo, hi, recv int64
	some := false
	bound := func(a, b int64) {
		if !some {
			lo, hi, some = a, b, true
		}
		lo, hi = min(lo, a), max(hi, b)
	}
	for _, g := range t.live() {
		bound(g.TMin, g.TMax)
		recv = max(recv, g.RMax)
	}
	for _, g := range t.Gens {
		n := g.live.rows.Load()
		if n == 0 {
			continue
		}
		b := g.live.bounds.Load()
		if b == nil || b.rows != n {
			b = &genBounds{}
			q := fmt.Sprintf(`SELECT count(*), coalesce(epoch_us(min("%s")), 0), coalesce(epoch_us(max("%s")), 0) FROM %s`, colTime, colTime, g.table())
			err := s.Query(ctx, q, nil, longs("n", "a", "b"), func(f *value.Frame) error {
				b.rows, b.min, b.max = f.Vecs[0].I[0], f.Vecs[1].I[0], f.Vecs[2].I[0]
				return nil
			})
			if err != nil {
				return d, err
			}
			if b.rows == 0 {
				continue
			}
			g.live.bounds.Store(b)
		}
		bound(b.min, b.max)
		recv = max(recv, g.live.received.Load())
	}
	if some {
		d.First, d.Last = time.UnixMicro(lo).UTC(), time.UnixMicro(hi).UTC()
	}
	if recv > 0 {
		d.Received = time.UnixMicro(recv).UTC()
	}
	return d, nil
}

// MaxNewest is the most rows that Newest gives.
const MaxNewest = 100_000

// Newest gives the last n rows of the table by TimeGenerated, newest first, with the table's schema. It reads hot
// rows and then only the segments whose bounds say that they can hold newer ones.
func (s *Snapshot) Newest(ctx context.Context, table string, n int) (*value.Frame, error) {
	t := s.cat.table(table)
	if t == nil {
		return nil, fmt.Errorf("table %s: %w", table, ErrNoTable)
	}
	if n < 1 || n > MaxNewest {
		return nil, fmt.Errorf("the newest %d rows of %s: ask for 1 to %d", n, table, MaxNewest)
	}
	cols, err := s.l.columns(t, nil)
	if err != nil {
		return nil, err
	}
	segs := t.live()
	slices.SortFunc(segs, func(a, b *segment) int { return int(min(1, max(-1, b.TMax-a.TMax))) })
	// the time of the nth newest row, from as few segments as bounds allow
	used := 0
	var floor int64
	timeCol := []relCol{{RelColumn: RelColumn{Name: colTime, Type: value.Datetime, Physical: colTime}, phys: colTime}}
	for {
		var count int64
		q := fmt.Sprintf(`SELECT count(*), coalesce(epoch_us(min("%s")), 0) FROM (SELECT * FROM %s ORDER BY "%s" DESC LIMIT %d)`, colTime, relationSQL(t, timeCol, s.sources(t.Gens, segs[:used])), colTime, n)
		err := s.Query(ctx, q, nil, longs("n", "t"), func(f *value.Frame) error {
			count, floor = f.Vecs[0].I[0], f.Vecs[1].I[0]
			return nil
		})
		if err != nil {
			return nil, err
		}
		if used == len(segs) {
			break
		}
		if count == int64(n) && segs[used].TMax <= floor {
			break
		}
		for have := count; used < len(segs); {
			have += segs[used].Rows
			used++
			if have >= int64(n) {
				break
			}
		}
	}
	sources := s.sources(t.Gens, segs[:used])
	for i := range sources {
		sources[i].filter = fmt.Sprintf(`"%s" >= make_timestamptz(%d)`, colTime, floor)
	}
	var sel []string
	order := duck.Quote(colTime) + " DESC"
	for _, c := range cols {
		sel = append(sel, duck.Quote(c.Physical))
		if c.Ticks != "" {
			sel = append(sel, duck.Quote(c.Ticks))
			if c.Name == colTime {
				order += ", " + duck.Quote(c.Ticks) + " DESC"
			}
		}
	}
	s.mu.Lock()
	s.stats.SegmentsRead += used
	s.stats.SegmentsSaved += len(segs) - used
	s.mu.Unlock()
	d := t.describe(s.l.o.WorkspaceID)
	schema := d.Schema()
	out := &value.Frame{Schema: schema}
	var parts []*value.Frame
	q := fmt.Sprintf(`SELECT %s FROM %s ORDER BY %s LIMIT %d`, strings.Join(sel, ", "), relationSQL(t, cols, sources), order, n)
	err = s.Query(ctx, q, nil, schema, func(f *value.Frame) error {
		parts = append(parts, f)
		out.N += f.N
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range schema {
		v := value.New(schema[i].Type, out.N)
		at := 0
		for _, p := range parts {
			for k := range p.N {
				v.Set(at, p.Vecs[i].At(k))
				at++
			}
		}
		out.Vecs = append(out.Vecs, v)
	}
	return out, nil
}
