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
	"strings"
	"time"
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
		steps := []func(context.Context) error{l.sealDue, l.purgeDue, l.promoteDue, l.removeOld}
		if slow >= time.Minute || slow < 0 {
			lastSlow = l.o.Now()
			steps = []func(context.Context) error{l.sealDue, l.purgeDue, l.expire, l.compact, l.promoteDue, l.rotateDue, l.removeOld}
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
				l.tell(EventPutOff, "", err.Error())
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
	return l.rewriteSome(ctx, table, gens, old, nil, nil)
}

// rewriteSome keeps only some rows, and has with make another change of the catalog in the same transaction.
func (l *Lake) rewriteSome(ctx context.Context, table string, gens []*genDef, old []*segment, keep keepRows, with func(e *edit) error) error {
	for {
		segs, err := l.writeAnew(ctx, table, &gens, &old, keep)
		if err == nil {
			if len(gens)+len(old) == 0 {
				return nil
			}
			return l.replace(ctx, table, gens, old, segs, with)
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

// keepRows is the condition, for rows of a source, on being written; nil keeps all.
type keepRows func(t *tableDef, src source) string

func (l *Lake) writeAnew(ctx context.Context, table string, gens *[]*genDef, old *[]*segment, keep keepRows) (segs []*segment, err error) {
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
	for _, kind := range []struct{ imported, archived bool }{{}, {imported: true}, {archived: true}, {true, true}} {
		someGens := slices.DeleteFunc(slices.Clone(*gens), func(g *genDef) bool { return g.Imported != kind.imported || kind.archived })
		someSegs := slices.DeleteFunc(slices.Clone(*old), func(g *segment) bool { return g.Imported != kind.imported || g.Archived != kind.archived })
		if len(someGens)+len(someSegs) == 0 {
			continue
		}
		sources := s.sources(someGens, someSegs)
		if keep != nil {
			for i := range sources {
				sources[i].filter = keep(t, sources[i])
			}
		}
		more, err := s.write(ctx, t, sources, kind.imported)
		for _, g := range more {
			g.Archived = kind.archived
		}
		segs = append(segs, more...)
		if err != nil {
			return segs, err
		}
	}
	return segs, nil
}

// replace records new segments in place of generations or other segments, in one transaction.
func (l *Lake) replace(ctx context.Context, table string, gens []*genDef, old, segs []*segment, with func(e *edit) error) error {
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
		if with != nil {
			return with(e)
		}
		return nil
	})
	if err != nil {
		if known, have := l.holdsAny(table, segs); known && !have {
			l.discard(segs)
		}
		return fmt.Errorf("seal %s: %w", table, err)
	}
	return nil
}

// holdsAny says whether the catalog has one of the segments; it is not known while the database could not be opened
// again. Then the files are left for the next start to sweep.
func (l *Lake) holdsAny(table string, segs []*segment) (known, have bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil || l.db == nil {
		return false, false
	}
	t := l.cat.tables[table]
	return true, t != nil && slices.ContainsFunc(t.Segs, func(g *segment) bool {
		return slices.ContainsFunc(segs, func(s *segment) bool { return s.Path == g.Path })
	})
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
		day := fmt.Sprintf(`"%s" >= make_timestamptz(%d) AND "%s" < make_timestamptz(%d)`, colTime, from, colTime, to)
		if out[i].filter != "" {
			day = "(" + out[i].filter + ") AND " + day
		}
		out[i].filter = day
	}
	return out
}

// merge writes segments of one day as one.
func (l *Lake) merge(ctx context.Context, table string, old []*segment) error {
	return l.rewrite(ctx, table, nil, slices.Clone(old))
}

func (l *Lake) rotateDue(ctx context.Context) error {
	return l.do(ctx, func(e *edit) error {
		if l.journal > journalSlack+2*int64(len(l.ops)+len(l.marks)+len(l.usage)) {
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
