package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
			steps = []func(context.Context) error{l.sealDue, l.purgeDue, l.expire, l.compact, l.promoteDue, l.rotateDue, l.shrinkDue, l.removeOld}
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
			e.after = append(e.after, func() { l.sealed += g.live.bytes.Load() })
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
