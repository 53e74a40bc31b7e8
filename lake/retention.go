package lake

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// KeepForever is a total retention without end.
const KeepForever = time.Duration(math.MaxInt64)

// total is how long rows are kept, the archive included; 0 is for ever.
func (t *tableDef) total() time.Duration {
	if t.Total == 0 {
		return t.Retention
	}
	return t.Total
}

// live lists the segments outside the archive, in a slice of its own.
func (t *tableDef) live() []*segment {
	out := make([]*segment, 0, len(t.Segs))
	for _, s := range t.Segs {
		if !s.Archived {
			out = append(out, s)
		}
	}
	return out
}

// SetRetention sets how long rows of the table are kept by TimeGenerated, without an archive; 0 keeps for ever.
func (l *Lake) SetRetention(ctx context.Context, table string, d time.Duration) error {
	return l.SetRetentions(ctx, table, d, d)
}

// SetRetentions sets how long queries see the rows of a table by TimeGenerated (0: for ever), and how long rows are
// kept in all: those between are the archive, which only Need.Archived reads. A total of 0 is the same as the
// interactive one; [KeepForever] archives without end. Rows go by whole days, by [Lake.Run]; when the interactive
// retention is made longer, archived rows come back.
func (l *Lake) SetRetentions(ctx context.Context, table string, interactive, total time.Duration) error {
	switch {
	case interactive < 0 || total < 0:
		return fmt.Errorf("retention of %s: %v and %v in all: it can't be negative", table, interactive, total)
	case interactive == 0 && total != 0 && total != KeepForever:
		return fmt.Errorf("retention of %s: queries see rows for ever, so they can't be dropped after %v", table, total)
	case total != 0 && total < interactive:
		return fmt.Errorf("retention of %s: %v in all is less than the %v that queries see", table, total, interactive)
	}
	if interactive == 0 || total == interactive {
		total = 0
	}
	return l.do(ctx, func(e *edit) error {
		t := e.cat.table(table)
		if t == nil {
			return fmt.Errorf("retention of %s: %w", table, ErrNoTable)
		}
		if t.Retention != interactive || t.Total != total {
			t = e.change(t.Name)
			t.Retention, t.Total = interactive, total
		}
		return nil
	})
}

// expire archives, and drops, the segments all of whose rows are past their table's retentions, and takes back from
// the archive what is not any more. Hot rows are sealed when they hold a whole day that is past.
func (l *Lake) expire(ctx context.Context) error {
	var errs []error
	now := l.o.Now()
	for name, t := range l.current().tables {
		limit, gone := int64(math.MinInt64), int64(math.MinInt64)
		if t.Retention > 0 {
			limit = now.Add(-t.Retention).UnixMicro()
		}
		if d := t.total(); d > 0 && d != KeepForever {
			gone = now.Add(-d).UnixMicro()
		}
		if t.Retention > 0 && len(t.Gens) > 0 {
			old, err := l.hotBefore(ctx, t, limit-24*time.Hour.Microseconds())
			if old && err == nil {
				if err = l.Seal(ctx, name); err == nil {
					t = l.current().table(name)
				}
			}
			if errs = append(errs, err); err != nil || t == nil {
				continue
			}
		}
		var drop, move []*segment
		for _, s := range t.Segs {
			switch {
			case s.TMax < gone:
				drop = append(drop, s)
			case s.Archived != (s.TMax < limit):
				move = append(move, s)
			}
		}
		if len(drop) > 0 {
			errs = append(errs, l.replace(ctx, name, nil, drop, nil, nil))
		}
		if len(move) > 0 {
			errs = append(errs, l.archive(ctx, name, move))
		}
	}
	return errors.Join(errs...)
}

// archive puts segments into the archive, or takes them out of it.
func (l *Lake) archive(ctx context.Context, table string, segs []*segment) error {
	if err := l.fail("archive"); err != nil {
		return err
	}
	return l.do(ctx, func(e *edit) error {
		if e.cat.tables[table] == nil {
			return nil
		}
		t := e.change(table)
		for _, s := range segs {
			if i := slices.IndexFunc(t.Segs, func(g *segment) bool { return g.ID == s.ID }); i >= 0 {
				moved := *t.Segs[i]
				moved.Archived = !s.Archived
				t.Segs[i] = &moved
				e.sameSegs = append(e.sameSegs, tableSeg{table, &moved})
			}
		}
		return nil
	})
}

// hotBefore says whether the table has hot rows of before a time.
func (l *Lake) hotBefore(ctx context.Context, t *tableDef, limit int64) (bool, error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer s.Close()
	if t = s.cat.table(t.Name); t == nil {
		return false, nil
	}
	d := *t
	d.Segs = nil
	got, err := s.measure(ctx, &d)
	return got.HotRows > 0 && !got.First.IsZero() && got.First.UnixMicro() < limit, err
}
