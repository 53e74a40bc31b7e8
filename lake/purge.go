package lake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Limits of purges.
const (
	MaxPurgeConds   = 20
	MaxPurgeValues  = 1000 // of one condition
	MaxPurgePending = 100
	PurgeKeep       = 90 * 24 * time.Hour // how long a finished purge is told of
)

// PurgeState says how far a purge is.
type PurgeState string

// The states of a purge.
const (
	PurgePending   PurgeState = "pending"
	PurgeCompleted PurgeState = "completed"
	PurgeFailed    PurgeState = "failed"
)

// Purge is a removal of rows by what they hold: from the hot rows, the segments, the archive and the files.
type Purge struct {
	ID    string
	Table string
	Where []Cond `json:",omitempty"` // all of them; forgotten once the rows are gone
	Asked time.Time
	Until time.Time // rows received later stay
	Done  time.Time // when it was completed or failed; zero before
	State PurgeState
	Rows  int64  // removed so far
	Error string `json:",omitempty"`

	Gone bool  // the rows are in no table any more, only in room of files that was not used again yet
	Gens int64 // generations from this id on hold no such rows
}

// ErrNoPurge says that there is no purge of this id.
var ErrNoPurge = errors.New("no such purge")

// ErrPurges says that too many purges are under way.
var ErrPurges = errors.New("too many purges are under way")

// Purge removes the rows of a table that meet all conditions and were received before now. It returns when the order
// is stored; [Lake.Run] carries it out segment by segment, and goes on after a restart. See [Lake.PurgeByID].
// A condition that does not fit the table is a *[DataError].
func (l *Lake) Purge(ctx context.Context, table string, where ...Cond) (Purge, error) {
	t := l.current().table(table)
	if t == nil {
		return Purge{}, fmt.Errorf("purge %s: %w", table, ErrNoTable)
	}
	if len(where) == 0 || len(where) > MaxPurgeConds {
		return Purge{}, &DataError{Table: table, Err: fmt.Errorf("a purge has %d conditions; use 1 to %d", len(where), MaxPurgeConds)}
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return Purge{}, fmt.Errorf("purge %s: %w", table, err)
	}
	where = slices.Clone(where)
	for i := range where {
		if where[i].Value, err = plainJSON(where[i].Value); err == nil {
			_, err = l.condSQL(t, source{gen: &genDef{}, columns: []string{colTime}}, &where[i])
		}
		if err != nil {
			return Purge{}, &DataError{Table: table, Err: err}
		}
	}
	p := &Purge{ID: id.String(), Table: t.Name, Where: where, Asked: l.o.Now().UTC(), State: PurgePending}
	err = l.do(ctx, func(e *edit) error {
		t := e.cat.table(table)
		if t == nil {
			return fmt.Errorf("purge %s: %w", table, ErrNoTable)
		}
		pending := 0
		l.mu.Lock()
		for _, o := range l.purges {
			if o.State == PurgePending {
				pending++
			}
		}
		l.mu.Unlock()
		if pending >= MaxPurgePending {
			return fmt.Errorf("purge %s: %w: %d, the limit", table, ErrPurges, pending)
		}
		for _, g := range t.Gens {
			g.live.closed.Store(true)
		}
		p.Until, p.Gens = time.UnixMicro(l.received).UTC(), e.cat.nextID
		e.setPurge(l, p)
		return nil
	})
	if err != nil {
		return Purge{}, err
	}
	l.wakeUp()
	return *p, nil
}

func (l *Lake) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// PurgeByID tells how far a purge is; [ErrNoPurge] when there is none of this id, or it was finished long ago.
func (l *Lake) PurgeByID(ctx context.Context, id string) (Purge, error) {
	if err := ctx.Err(); err != nil {
		return Purge{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.purges[id]; p != nil {
		return *p, nil
	}
	return Purge{}, fmt.Errorf("purge %.100s: %w", id, ErrNoPurge)
}

// Purges lists the purges, the oldest first.
func (l *Lake) Purges(ctx context.Context) ([]Purge, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Purge, 0, len(l.purges))
	for _, p := range l.purges {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Purge) int { return cmp.Or(a.Asked.Compare(b.Asked), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// setPurge stores a purge with the edit, and forgets the ones finished long ago.
func (e *edit) setPurge(l *Lake, p *Purge) {
	e.copyMaps()
	def, err := json.Marshal(p)
	if err != nil { // its values came from JSON
		def = []byte("{}")
	}
	e.sql = append(e.sql, fmt.Sprintf(`DELETE FROM lake_purge WHERE id = %s`, duck.Text(p.ID)),
		fmt.Sprintf(`INSERT INTO lake_purge VALUES (%s, %s)`, duck.Text(p.ID), duck.Text(string(def))))
	old := l.o.Now().Add(-PurgeKeep)
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, o := range l.purges {
		if o.State != PurgePending && o.Done.Before(old) {
			e.sql = append(e.sql, fmt.Sprintf(`DELETE FROM lake_purge WHERE id = %s`, duck.Text(id)))
			e.after = append(e.after, func() { delete(l.purges, id) })
		}
	}
	e.after = append(e.after, func() { l.purges[p.ID] = p })
}

func (l *Lake) loadPurges(ctx context.Context, c *duck.Conn) error {
	purges := map[string]*Purge{}
	err := c.Query(ctx, `SELECT def FROM lake_purge`, nil, texts("def"), func(f *value.Frame) error {
		for _, s := range f.Vecs[0].S {
			p := &Purge{}
			d := json.NewDecoder(strings.NewReader(s))
			d.UseNumber()
			if err := d.Decode(p); err != nil {
				return err
			}
			purges[p.ID] = p
		}
		return nil
	})
	l.mu.Lock()
	l.purges = purges
	l.mu.Unlock()
	return err
}

// purgeStep is how long housekeeping works on purges before it looks after the rest.
const purgeStep = 2 * time.Second

// purgeDue carries out the purges that are pending.
func (l *Lake) purgeDue(ctx context.Context) error {
	all, err := l.Purges(ctx)
	if err != nil {
		return err
	}
	var errs []error
	var gone []*Purge
	end := time.Now().Add(purgeStep)
	for i := range all {
		p := &all[i]
		for p.State == PurgePending && !p.Gone {
			err := l.purgeOne(ctx, p)
			if isDerivedError(err) { // it will never be otherwise
				next := *p
				next.State, next.Done, next.Error = PurgeFailed, l.o.Now().UTC(), err.Error()
				l.tell(EventPurged, p.Table, fmt.Sprintf("purge %s failed: %v", p.ID, err))
				err = l.do(ctx, func(e *edit) error { e.setPurge(l, &next); return nil })
			}
			if err != nil {
				errs = append(errs, err)
				break
			}
			if time.Now().After(end) {
				l.wakeUp()
				return errors.Join(errs...)
			}
			if *p, err = l.PurgeByID(ctx, p.ID); err != nil {
				return err
			}
		}
		if p.State == PurgePending && p.Gone {
			gone = append(gone, p)
		}
	}
	return errors.Join(append(errs, l.purgeEnd(ctx, gone))...)
}

// purgeOne does one part of a purge: the hot rows, or one segment, or noting that no row is left.
func (l *Lake) purgeOne(ctx context.Context, p *Purge) error {
	t := l.current().table(p.Table)
	if t == nil {
		return l.purgeGone(ctx, p)
	}
	clean := l.purgeClean[p.ID]
	if clean == nil {
		clean = map[int64]bool{}
		if l.purgeClean == nil {
			l.purgeClean = map[string]map[int64]bool{}
		}
		l.purgeClean[p.ID] = clean
	}
	var gens []*genDef
	for _, g := range t.Gens {
		if g.ID < p.Gens && !clean[g.ID] {
			gens = append(gens, g)
		}
	}
	i := slices.IndexFunc(t.Segs, func(s *segment) bool { return !clean[s.ID] })
	var segs []*segment
	switch {
	case len(gens) > 0:
		for _, g := range gens {
			clean[g.ID] = true
		}
	case i >= 0:
		segs = t.Segs[i : i+1]
		clean[segs[0].ID] = true
		if segs[0].RMin > p.Until.UnixMicro() {
			return nil
		}
	default:
		return l.purgeGone(ctx, p)
	}
	forget := func() {
		for _, g := range gens {
			delete(clean, g.ID)
		}
		for _, s := range segs {
			delete(clean, s.ID)
		}
	}
	n, err := l.purgeCount(ctx, p, gens, segs)
	if err != nil {
		forget()
		return fmt.Errorf("purge %s: %w", p.Table, err)
	}
	if n == 0 {
		return nil
	}
	if len(gens) > 0 { // no row may come to a generation while it is rewritten
		err := l.do(ctx, func(e *edit) error {
			for _, g := range gens {
				g.live.closed.Store(true)
			}
			return nil
		})
		if err != nil {
			forget()
			return fmt.Errorf("purge %s: %w", p.Table, err)
		}
	}
	keep := func(t *tableDef, src source) string {
		cond, err := l.purgeSQL(t, src, p)
		if err != nil {
			return "error(" + duck.Text(err.Error()) + ")"
		}
		return "NOT " + cond
	}
	err = l.rewriteSome(ctx, t.Name, gens, slices.Clone(segs), keep, func(e *edit) error {
		if err := l.fail("purge"); err != nil {
			return err
		}
		next := *p
		next.Rows += n
		e.setPurge(l, &next)
		return nil
	})
	if err != nil {
		forget()
		return fmt.Errorf("purge %s: %w", p.Table, err)
	}
	return nil
}

// purgeSQL is the condition of a purge for the rows of a source: true or false, never null.
func (l *Lake) purgeSQL(t *tableDef, src source, p *Purge) (string, error) {
	conds := []string{fmt.Sprintf(`"%s" <= make_timestamptz(%d)`, ColReceived, p.Until.UnixMicro())}
	for i := range p.Where {
		c, err := l.condSQL(t, src, &p.Where[i])
		if err != nil {
			return "", err
		}
		conds = append(conds, c)
	}
	return "coalesce(" + strings.Join(conds, " AND ") + ", false)", nil
}

func (l *Lake) purgeCount(ctx context.Context, p *Purge, gens []*genDef, segs []*segment) (n int64, err error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	t := s.cat.table(p.Table)
	if t == nil {
		return 0, nil
	}
	gens = slices.DeleteFunc(slices.Clone(gens), func(g *genDef) bool {
		return !slices.ContainsFunc(t.Gens, func(h *genDef) bool { return h.ID == g.ID })
	})
	segs = slices.DeleteFunc(slices.Clone(segs), func(g *segment) bool {
		return !slices.ContainsFunc(t.Segs, func(h *segment) bool { return h.ID == g.ID })
	})
	sources := s.sources(gens, segs)
	for i := range sources {
		if sources[i].filter, err = l.purgeSQL(t, sources[i], p); err != nil {
			return 0, err
		}
	}
	err = s.Query(ctx, `SELECT count(*) FROM `+relationSQL(t, nil, sources), nil, longs("n"), func(f *value.Frame) error {
		n = f.Vecs[0].I[0]
		return nil
	})
	return n, err
}

// purgeGone notes that no table has the rows any more, and forgets what they were found by.
func (l *Lake) purgeGone(ctx context.Context, p *Purge) error {
	next := *p
	next.Gone, next.Where = true, nil
	delete(l.purgeClean, p.ID)
	return l.do(ctx, func(e *edit) error {
		e.setPurge(l, &next)
		e.after = append(e.after, func() { l.purgeVersion = e.cat.version })
		return nil
	})
}

// purgeAgain is how long the end of a purge is put off when readers are in the way.
const purgeAgain = time.Minute

// purgeEnd makes sure that the rows are in no file any more, and finishes the purges.
func (l *Lake) purgeEnd(ctx context.Context, ps []*Purge) error {
	if len(ps) == 0 {
		return nil
	}
	if err := l.removeOld(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	waits := len(l.trash) > 0 || l.oldest() < l.purgeVersion || time.Now().Before(l.purgeNext)
	l.mu.Unlock()
	if waits {
		return nil // a reader still has the rows
	}
	if err := l.o.Files.Remove(filepath.Join(l.o.Dir, tornName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish a purge: %w", err)
	}
	if done, err := l.scrub(ctx); err != nil || !done {
		l.purgeNext = time.Now().Add(purgeAgain)
		return err
	}
	err := l.do(ctx, func(e *edit) error {
		for _, p := range ps {
			next := *p
			next.State, next.Done = PurgeCompleted, l.o.Now().UTC()
			e.setPurge(l, &next)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("finish a purge: %w", err)
	}
	for _, p := range ps {
		slog.Info("lake: a purge is completed", "id", p.ID, "table", p.Table, "rows", p.Rows)
		l.tell(EventPurged, p.Table, fmt.Sprintf("purge %s is completed: %d rows", p.ID, p.Rows))
	}
	return nil
}
