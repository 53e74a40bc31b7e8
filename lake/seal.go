package lake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"strconv"
	"strings"
	"time"
)

// When small segments of one table and day are merged, and how large a merged one may get.
const (
	compactFrom = 8
	compactRows = 4_000_000
)

// smallTable is the number of hot rows below which a table is left hot: a file a day for a handful of rows would cost
// more than it gives.
const smallTable = 20_000

// Run seals, merges small segments, drops what is past its retention and removes old files, until ctx ends or the
// lake is closed. A step that fails is logged and tried again later.
func (l *Lake) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	var lastSlow time.Time
	for {
		slow := l.o.Now().Sub(lastSlow)
		steps := []func(context.Context) error{l.sealDue, l.promoteDue, l.removeOld}
		if slow >= time.Minute || slow < 0 {
			lastSlow = l.o.Now()
			steps = []func(context.Context) error{l.sealDue, l.expire, l.compact, l.promoteDue, l.rotateDue, l.removeOld}
		}
		for _, step := range steps {
			if err := step(ctx); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				if errors.Is(err, ErrClosed) {
					return nil
				}
				slog.Warn("lake: housekeeping is put off", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.quit:
			return nil
		case <-tick.C:
		case <-l.wake:
		}
	}
}

func (l *Lake) current() *catalog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cat
}

// sealDue seals the tables whose hot rows are many or old.
func (l *Lake) sealDue(ctx context.Context) error {
	var errs []error
	now := l.o.Now().UnixMicro()
	for _, t := range l.current().tables {
		var rows, bytes int64
		old := now
		for _, g := range t.Gens {
			rows += g.live.rows.Load()
			bytes += g.live.bytes.Load()
			old = min(old, g.Created)
		}
		age := time.Duration(now-old) * time.Microsecond
		if rows >= l.o.SealRows || bytes >= l.o.SealBytes || rows > 0 && rows >= l.minAged && age >= l.o.SealAge || len(t.Gens) > 16 {
			if err := l.Seal(ctx, t.Name); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// Seal writes all hot rows of the table as segments now.
func (l *Lake) Seal(ctx context.Context, table string) error {
	var gens []*genDef
	err := l.do(ctx, func(e *edit) error { // from here on new rows begin another generation
		t := e.cat.table(table)
		if t == nil {
			return fmt.Errorf("table %s: %w", table, ErrNoTable)
		}
		table, gens = t.Name, slices.Clone(t.Gens)
		for _, g := range gens {
			g.live.closed.Store(true)
		}
		return nil
	})
	if err != nil || len(gens) == 0 {
		return err
	}
	return l.rewrite(ctx, table, gens, nil)
}

// rewrite writes generations, or segments, of a table anew as segments and puts these in their place. What is gone
// meanwhile is passed over. A promotion that fails on the rows is dropped.
func (l *Lake) rewrite(ctx context.Context, table string, gens []*genDef, old []*segment) error {
	for {
		segs, err := l.writeAnew(ctx, table, &gens, &old)
		if err == nil {
			if len(gens)+len(old) == 0 {
				return nil
			}
			return l.replace(ctx, table, gens, old, segs)
		}
		l.discard(segs)
		if !isDerivedError(err) {
			return fmt.Errorf("seal %s: %w", table, err)
		}
		dropped, derr := l.shun(ctx, table, func(s *Snapshot, _ *tableDef) []source { return s.sources(gens, old) })
		if derr != nil || !dropped {
			return fmt.Errorf("seal %s: %w", table, errors.Join(err, derr))
		}
	}
}

func (l *Lake) writeAnew(ctx context.Context, table string, gens *[]*genDef, old *[]*segment) (segs []*segment, err error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	t := s.cat.tables[table]
	if t == nil {
		*gens, *old = nil, nil
		return nil, nil // dropped meanwhile
	}
	*gens = slices.DeleteFunc(*gens, func(g *genDef) bool { // sealed by somebody else meanwhile
		return !slices.ContainsFunc(t.Gens, func(h *genDef) bool { return h.ID == g.ID })
	})
	for _, o := range *old {
		if !slices.ContainsFunc(t.Segs, func(x *segment) bool { return x.ID == o.ID }) {
			*old = nil
			break
		}
	}
	for _, imported := range []bool{false, true} {
		someGens := slices.DeleteFunc(slices.Clone(*gens), func(g *genDef) bool { return g.Imported != imported })
		someSegs := slices.DeleteFunc(slices.Clone(*old), func(g *segment) bool { return g.Imported != imported })
		if len(someGens)+len(someSegs) == 0 {
			continue
		}
		more, err := s.write(ctx, t, s.sources(someGens, someSegs), imported)
		segs = append(segs, more...)
		if err != nil {
			return segs, err
		}
	}
	return segs, nil
}

// replace records new segments in place of generations or other segments, in one transaction.
func (l *Lake) replace(ctx context.Context, table string, gens []*genDef, old, segs []*segment) error {
	if err := l.fail("sealed"); err != nil {
		l.discard(segs)
		return err
	}
	err := l.do(ctx, func(e *edit) error {
		if e.cat.tables[table] == nil {
			return fmt.Errorf("table %s: %w", table, ErrNoTable)
		}
		t := e.change(table)
		for _, g := range gens {
			i := slices.IndexFunc(t.Gens, func(h *genDef) bool { return h.ID == g.ID })
			if i < 0 {
				return fmt.Errorf("seal %s: generation %d is gone", table, g.ID)
			}
			t.Gens = slices.Delete(t.Gens, i, i+1)
			e.sql = append(e.sql, `DROP TABLE `+g.table())
		}
		for _, o := range old {
			i := slices.IndexFunc(t.Segs, func(s *segment) bool { return s.ID == o.ID })
			if i < 0 {
				return fmt.Errorf("replace segments of %s: segment %d is gone", table, o.ID)
			}
			t.Segs = slices.Delete(t.Segs, i, i+1)
			e.oldSegs = append(e.oldSegs, tableSeg{table, o})
		}
		for _, s := range segs {
			s.ID = e.id()
			t.Segs = append(t.Segs, s)
			e.newSegs = append(e.newSegs, tableSeg{table, s})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("seal %s: %w", table, err) // the outcome may be unknown: the next start sweeps
	}
	return nil
}

func (l *Lake) segmentPath(s *segment) string { return filepath.Join(l.o.Dir, s.Path) }

// discard removes files that were not recorded.
func (l *Lake) discard(segs []*segment) {
	for _, s := range segs {
		if err := l.o.Files.Remove(l.segmentPath(s)); err != nil && !errors.Is(err, os.ErrNotExist) {
			slog.Warn("lake: an unused file stays until the next start", "error", err)
		}
	}
}

// write makes one durable Parquet file a day of the sources' rows.
func (s *Snapshot) write(ctx context.Context, t *tableDef, sources []source, imported bool) ([]*segment, error) {
	have := map[string]bool{}
	for _, src := range sources {
		for _, c := range src.columns {
			have[c] = true
		}
	}
	var cols []relCol
	var names []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if !have[c.Phys] {
			continue
		}
		r := relCol{RelColumn: RelColumn{Name: c.Name, Type: c.Type, Physical: c.Phys}, phys: c.Phys}
		names = append(names, c.Phys)
		if have[c.Phys+"$t"] {
			r.Ticks = c.Phys + "$t"
			names = append(names, r.Ticks)
		}
		cols = append(cols, r)
	}
	for _, h := range []string{ColReceived, ColCommit, ColRow} {
		cols = append(cols, relCol{RelColumn: RelColumn{Name: h, Type: Hidden[Hidden.Index(h)].Type, Physical: h}, phys: h, hidden: true})
	}
	rel := relationSQL(t, cols, sources)
	var derived []string
	for _, d := range t.Derived {
		if c := d.col(t); have[c.base.phys] {
			cols = append(cols, c)
			derived = append(derived, d.Phys)
		}
	}

	type day struct {
		name                   string
		from, rows             int64
		tmin, tmax, rmin, rmax int64
	}
	var days []day
	schema := append(texts("day"), longs("from", "n", "t0", "t1", "r0", "r1")...)
	q := fmt.Sprintf(`SELECT strftime(d, '%%Y-%%m-%%d'), epoch_us(d), count(*), epoch_us(min(t)), epoch_us(max(t)), epoch_us(min(r)), epoch_us(max(r)) FROM
		(SELECT date_trunc('day', "%s" AT TIME ZONE 'UTC') AS d, "%s" AS t, "%s" AS r FROM %s) GROUP BY d ORDER BY d`, colTime, colTime, ColReceived, rel)
	err := s.Query(ctx, q, nil, schema, func(f *value.Frame) error {
		for i := range f.N {
			v := f.Vecs
			days = append(days, day{name: v[0].S[i], from: v[1].I[i], rows: v[2].I[i], tmin: v[3].I[i], tmax: v[4].I[i], rmin: v[5].I[i], rmax: v[6].I[i]})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []*segment
	dirs := map[string]bool{}
	for _, d := range days {
		seg := &segment{Day: d.name, Rows: d.rows, Columns: names, Derived: derived, Imported: imported, TMin: d.tmin, TMax: d.tmax, RMin: d.rmin, RMax: d.rmax}
		rel := relationSQL(t, cols, filtered(sources, d.from, d.from+86_400_000_000))
		dir := filepath.Join("segments", t.Name, "day="+d.name)
		if err := s.l.o.Files.MkdirAll(filepath.Join(s.l.o.Dir, dir)); err != nil {
			return out, s.l.diskError("make the folder of a segment", err)
		}
		seg.Path = filepath.Join(dir, rand.Text()+".parquet")
		out = append(out, seg)
		path := s.l.segmentPath(seg)
		err := s.with(ctx, func(ctx context.Context) error {
			n, err := s.c.Exec(ctx, fmt.Sprintf(`COPY (SELECT * FROM %s ORDER BY "%s", "%s") TO %s (FORMAT parquet, COMPRESSION zstd)`, rel, colTime, ColRow, duck.Text(path)))
			if err == nil && n != d.rows {
				err = fmt.Errorf("%s holds %d rows in place of %d", path, n, d.rows)
			}
			return err
		})
		if err != nil {
			return out, err
		}
		if err := s.l.o.Files.Sync(path); err != nil {
			return out, s.l.diskError("write a segment", err)
		}
		if seg.Bytes, err = s.verify(ctx, path, d.rows); err != nil {
			return out, s.l.diskError("write a segment", err)
		}
		dirs[filepath.Dir(path)] = true
	}
	for d := range dirs {
		for _, d := range []string{d, filepath.Dir(d), filepath.Dir(filepath.Dir(d))} {
			if err := s.l.o.Files.Sync(d); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// verify looks that a new file is whole, as far as its length and its footer tell, and gives its size.
func (s *Snapshot) verify(ctx context.Context, path string, rows int64) (size int64, err error) {
	st, err := s.l.o.Files.Stat(path)
	if err != nil {
		return 0, err
	}
	v, err := s.l.Snapshot(ctx) // a query that fails would end the transaction
	if err != nil {
		return 0, err
	}
	defer v.Close()
	have := int64(-1)
	err = v.Query(ctx, `SELECT num_rows FROM parquet_file_metadata(`+duck.Text(path)+`)`, nil, longs("n"), func(f *value.Frame) error {
		have = f.Vecs[0].I[0]
		return nil
	})
	if err == nil && have != rows {
		err = fmt.Errorf("its footer counts %d rows in place of %d", have, rows)
	}
	if err != nil {
		return 0, fmt.Errorf("%s is not whole after it was synced: %w", path, err)
	}
	return st.Size(), nil
}

func filtered(sources []source, from, to int64) []source {
	out := slices.Clone(sources)
	for i := range out {
		out[i].filter = fmt.Sprintf(`"%s" >= make_timestamptz(%d) AND "%s" < make_timestamptz(%d)`, colTime, from, colTime, to)
	}
	return out
}

// compact merges the small segments of a table's day.
func (l *Lake) compact(ctx context.Context) error {
	var errs []error
	for name, t := range l.current().tables {
		groups := map[string][]*segment{}
		for _, s := range t.Segs {
			if s.Rows < compactRows/4 {
				k := s.Day + strconv.FormatBool(s.Imported)
				groups[k] = append(groups[k], s)
			}
		}
		for _, segs := range groups {
			if len(segs) < compactFrom {
				continue
			}
			slices.SortFunc(segs, func(a, b *segment) int { return int(a.ID - b.ID) })
			var some []*segment
			var rows int64
			for _, s := range segs {
				if rows+s.Rows > compactRows {
					break
				}
				rows += s.Rows
				some = append(some, s)
			}
			if err := l.merge(ctx, name, some); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// merge writes segments of one day as one.
func (l *Lake) merge(ctx context.Context, table string, old []*segment) error {
	return l.rewrite(ctx, table, nil, slices.Clone(old))
}

// expire drops the segments all of whose rows are past their table's retention: rows go by whole days. Hot rows are
// sealed when they hold such a day.
func (l *Lake) expire(ctx context.Context) error {
	var errs []error
	for name, t := range l.current().tables {
		if t.Retention == 0 {
			continue
		}
		limit := l.o.Now().Add(-t.Retention).UnixMicro()
		if len(t.Gens) > 0 {
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
		var old []*segment
		for _, s := range t.Segs {
			if s.TMax < limit {
				old = append(old, s)
			}
		}
		if len(old) > 0 {
			errs = append(errs, l.replace(ctx, name, nil, old, nil))
		}
	}
	return errors.Join(errs...)
}

// hotBefore says whether the table has hot rows of before a time.
func (l *Lake) hotBefore(ctx context.Context, t *tableDef, limit int64) (bool, error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer s.Close()
	d := *t
	d.Segs = nil
	got, err := s.measure(ctx, &d)
	return got.HotRows > 0 && !got.First.IsZero() && got.First.UnixMicro() < limit, err
}

func (l *Lake) rotateDue(ctx context.Context) error {
	return l.do(ctx, func(e *edit) error {
		if l.journal > journalSlack+2*int64(len(l.ops)+len(l.marks)) {
			l.rotate(e)
		}
		return nil
	})
}

// removeOld unlinks the files that no catalog in use names.
func (l *Lake) removeOld(context.Context) error {
	l.mu.Lock()
	oldest := l.oldest()
	due := slices.ContainsFunc(l.trash, func(f trashFile) bool { return f.version <= oldest })
	l.mu.Unlock()
	if !due {
		return nil
	}
	if err := l.fail("unlink"); err != nil {
		return err
	}
	return l.unlink()
}

func (l *Lake) unlink() error {
	l.mu.Lock()
	oldest := l.oldest()
	var now []trashFile
	l.trash = slices.DeleteFunc(l.trash, func(f trashFile) bool {
		if f.version <= oldest {
			now = append(now, f)
			return true
		}
		return false
	})
	l.mu.Unlock()
	var errs []error
	for _, f := range now {
		path := filepath.Join(l.o.Dir, f.path)
		if err := l.o.Files.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
			l.mu.Lock()
			l.trash = append(l.trash, f) // tried again
			l.mu.Unlock()
			continue
		}
		if strings.HasPrefix(filepath.Base(filepath.Dir(path)), "day=") {
			_ = l.o.Files.Remove(filepath.Dir(path)) // only when it is empty
		}
	}
	return errors.Join(errs...)
}
