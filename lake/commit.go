package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"picket/lake/duck"
	"slices"
	"strconv"
	"time"
)

// Bounds of one commit, and when the write-ahead log is folded into the database file.
const (
	groupRequests   = 512
	groupBytes      = 64 << 20
	checkpointBytes = 64 << 20
	reopenEvery     = time.Second
	reserveBytes    = 64 << 20 // room that is never used, so that a full disk is met by us and not by DuckDB
)

// committer is the only one who writes to the database.
func (l *Lake) committer() {
	defer close(l.gone)
	var carry []*request
	for {
		group := carry
		if len(group) == 0 {
			var again <-chan time.Time
			if l.w == nil {
				again = time.After(reopenEvery)
			}
			select {
			case r := <-l.in:
				group = append(group, r)
			case <-again: // readers wait for it
				if err := l.reopen(); err != nil {
					slog.Error("lake: the database can't be opened yet", "error", err)
				}
				continue
			case <-l.quit:
				return
			}
		}
		group, carry = l.gather(group)
		l.work(group)
		l.checkpoint()
	}
}

// gather adds what is waiting, and puts off what must not be in one commit with it: a change of the catalog
// runs alone, and of batches with the same id the second one waits for the first's outcome.
func (l *Lake) gather(group []*request) (now, later []*request) {
	var size int64
	ids := map[string]bool{}
	add := func(r *request) bool {
		if len(now) > 0 && (r.alone() || now[0].alone()) {
			later = append(later, r)
			return false
		}
		for _, p := range r.parts {
			if p.b.OpID != "" && ids[p.b.OpID] {
				later = append(later, r)
				return true
			}
		}
		for _, p := range r.parts {
			size += p.size
			if p.b.OpID != "" {
				ids[p.b.OpID] = true
			}
		}
		now = append(now, r)
		return true
	}
	for i, r := range group {
		if !add(r) {
			later = append(later, group[i+1:]...)
			return now, later
		}
	}
	for len(now) < groupRequests && size < groupBytes && len(later) < groupRequests {
		select {
		case r := <-l.in:
			if !add(r) {
				return now, later
			}
		default:
			return now, later
		}
	}
	return now, later
}

func (r *request) finish(err error) {
	r.err = err
	close(r.done)
}

// work commits a group. A request whose rows don't fit is taken out and the others are tried again.
func (l *Lake) work(group []*request) {
	group = slices.DeleteFunc(group, func(r *request) bool {
		if err := r.ctx.Err(); err != nil {
			r.finish(context.Cause(r.ctx))
			return true
		}
		return l.repeated(r)
	})
	if len(group) == 1 && group[0].raw != nil {
		group[0].finish(l.tryRaw(group[0]))
		return
	}
	for len(group) > 0 {
		bad, err := l.try(group)
		switch {
		case err == nil:
			return
		case bad != nil:
			var de *DataError
			if !errors.As(err, &de) && bad.do == nil && bad.decode == nil {
				err = fmt.Errorf("append: %w", err)
			}
			bad.finish(err)
			group = slices.DeleteFunc(group, func(r *request) bool { return r == bad })
		default:
			if errors.Is(err, ErrFull) && !l.full {
				l.full = true
				l.tell(EventFull, "", err.Error())
			}
			for _, r := range group {
				r.finish(err)
			}
			return
		}
	}
}

// tryRaw hands the committer's connection to a request.
func (l *Lake) tryRaw(r *request) error {
	if l.w == nil {
		if err := l.reopen(); err != nil {
			return err
		}
	}
	err := r.raw(context.Background(), l.w)
	if duck.IsFatal(err) || duck.IsFull(err) {
		return l.broken(err)
	}
	return err
}

// repeated answers a request all of whose batches were applied before.
func (l *Lake) repeated(r *request) bool {
	if len(r.parts) == 0 {
		return false
	}
	for _, p := range r.parts {
		d, ok := l.ops[keyOf(p.b.OpID)]
		if p.b.OpID == "" || !ok {
			return false
		}
		r.ack.Commit, r.ack.Received = d.commit, time.UnixMicro(d.received).UTC()
	}
	r.ack.Rows, r.ack.Repeated = 0, true
	r.finish(nil)
	return true
}

// try makes one transaction of the group. It gives the request that is to blame, or nil when all of them share
// the error.
func (l *Lake) try(group []*request) (bad *request, err error) {
	ctx := context.Background() // a commit that has begun is finished
	if l.w == nil {
		if err := l.reopen(); err != nil {
			return nil, err
		}
	}
	var size int64
	for _, r := range group {
		for _, p := range r.parts {
			size += p.size
		}
	}
	isAppend := group[0].do == nil
	if isAppend {
		if room, err := free(l.o.Dir); err == nil && room < l.reserve+4*size {
			return nil, fmt.Errorf("%w: %d MiB are left, the batch needs %d MiB and %d MiB are kept free", ErrFull, room>>20, (4*size)>>20, l.reserve>>20)
		}
	}
	e := l.cat.edit()
	commit, received := l.commit, l.received
	if isAppend {
		commit, received = l.commit+1, max(l.o.Now().UnixMicro(), l.received+1)
	}
	if _, err := l.w.Exec(ctx, `BEGIN`); err != nil {
		return nil, l.broken(err)
	}
	rollback := func(r *request, err error) (*request, error) {
		if duck.IsFatal(err) || duck.IsFull(err) {
			return nil, l.broken(err)
		}
		if _, rb := l.w.Exec(ctx, `ROLLBACK`); rb != nil {
			return nil, l.broken(errors.Join(err, rb))
		}
		return r, err
	}

	// the changes
	type added struct {
		g    *genDef
		rows int64
		size int64
	}
	var adds []added
	journal := []journalRow{{kind: kindCommit}}
	marks := map[string]string{}
	ops := map[opKey]opDone{}
	tables := map[string]bool{}
	usage := usageMap{}
	for _, r := range group {
		if r.do != nil {
			if err := r.do(e); err != nil {
				return rollback(r, err)
			}
			if e.received > received {
				received = e.received
			}
			if err := l.runSQL(ctx, e); err != nil {
				return rollback(r, err)
			}
			if !e.changed && received == l.received {
				if bad, err := rollback(nil, nil); bad != nil || err != nil {
					return bad, err
				}
				r.finish(nil)
				return nil, nil
			}
			continue
		}
		r.ack = Ack{Commit: commit, Received: time.UnixMicro(received).UTC()}
		for _, p := range r.parts {
			if p.b.OpID != "" {
				if _, ok := l.ops[keyOf(p.b.OpID)]; ok {
					continue
				}
			}
			n, g, err := l.insertPart(ctx, e, p, commit, received)
			if err != nil {
				var de *duck.Error
				if errors.As(err, &de) && dataKinds[de.Kind] && !duck.IsFull(err) {
					r.decode = nil
					if p.b.NDJSON != nil {
						r.decode = p
					}
					err = &DataError{Table: p.b.Table, Err: errors.New("a value does not fit its column")}
					if p.b.NDJSON == nil {
						err = &DataError{Table: p.b.Table, Err: de}
					}
				}
				return rollback(r, err)
			}
			if n > 0 {
				adds = append(adds, added{g, n, p.size})
				tables[e.cat.table(p.b.Table).Name] = true
				usage.add(usageKey{e.cat.table(p.b.Table).Name, hourOf(received)}, n, p.raw)
				r.ack.Rows += int(n)
			}
			if p.b.OpID != "" {
				ops[keyOf(p.b.OpID)] = opDone{commit: commit, received: received, rows: int(n)}
				journal = append(journal, journalRow{kindOp, p.b.OpID, strconv.FormatInt(n, 10)})
			}
			for k, v := range p.b.Marks {
				marks[k] = v
			}
		}
	}
	if err := l.fail("append"); err != nil {
		return rollback(nil, err)
	}
	for k, v := range marks {
		journal = append(journal, journalRow{kindMark, k, v})
	}
	for k, u := range usage {
		journal = append(journal, u.row(k))
	}
	journal = append(journal, e.rows...)
	if e.changed {
		e.cat.version++
		if err := l.writeCatalog(ctx, e); err != nil {
			return rollback(nil, err)
		}
	}
	if err := writeJournal(ctx, l.w, l.journalTable(e.cat), commit, received, e.cat.version, journal); err != nil {
		return rollback(nil, err)
	}

	// the commit; readers may see it before we return, so the catalog is there first
	if err := l.fail("commit"); err != nil {
		return rollback(nil, err)
	}
	if e.changed {
		l.mu.Lock()
		l.cats[e.cat.version] = e.cat
		l.mu.Unlock()
	}
	if _, err := l.w.Exec(ctx, `COMMIT`); err != nil {
		return nil, l.broken(fmt.Errorf("commit: %w", err))
	}
	if ino := inode(l.dbPath() + ".wal"); ino != l.walInode { // a new log: its name must be durable too
		if err := l.o.Files.Sync(l.o.Dir); err != nil {
			return nil, l.broken(fmt.Errorf("commit: %w", err))
		}
		l.walInode = ino
	}
	if err := l.fail("committed"); err != nil {
		return nil, l.broken(err)
	}

	// publish
	l.commit, l.received = commit, received
	if l.full && isAppend {
		l.full = false
		l.tell(EventRoom, "", "rows are taken again")
	}
	for k, d := range ops {
		l.ops[k] = d
	}
	if e.rotated {
		l.journal = 0
	}
	l.journal += int64(len(journal))
	l.writeSeen += size + 4096
	l.mu.Lock()
	for k, v := range marks {
		if v == "" {
			delete(l.marks, k)
		} else {
			l.marks[k] = v
		}
	}
	for k, u := range usage {
		l.usage.add(k, u.rows, u.bytes)
	}
	for _, f := range e.after {
		f()
	}
	if e.changed {
		old := l.cat
		l.cat = e.cat
		for _, s := range e.oldSegs {
			l.trash = append(l.trash, trashFile{path: s.seg.Path, version: e.cat.version})
		}
		l.forget(old.version)
	}
	l.mu.Unlock()
	seal := false
	for _, a := range adds {
		live := a.g.live
		rows, bytes := live.rows.Add(a.rows), live.bytes.Add(a.size)
		live.received.Store(received)
		seal = seal || rows >= l.o.SealRows || bytes >= l.o.SealBytes
	}
	if seal {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	for _, r := range group {
		r.finish(nil)
	}
	if len(adds) > 0 {
		c := Commit{Commit: commit, Received: time.UnixMicro(received).UTC()}
		for t := range tables {
			c.Tables = append(c.Tables, t)
		}
		slices.Sort(c.Tables)
		l.subs.tell(c)
	}
	return nil, nil
}

// dataKinds are the kinds of DuckDB's errors that rows can cause.
var dataKinds = map[string]bool{"Conversion": true, "Invalid Input": true, "Out of Range": true, "Invalid": true, "Not implemented": true, "Mismatch Type": true, "Constraint": true}

func (l *Lake) insertPart(ctx context.Context, e *edit, p *part, commit, received int64) (int64, *genDef, error) {
	if p.b.Table == "" {
		return 0, nil, nil
	}
	t, err := e.ensure(p.b.Table, p.schema())
	if err != nil {
		return 0, nil, &DataError{Table: p.b.Table, Err: err}
	}
	if p.b.NDJSON == nil && p.b.Frame == nil {
		return 0, nil, nil
	}
	for name := range p.ticks {
		if d := t.column(name); d != nil && !d.Ticks {
			t = e.tick(t.Name, name)
		}
	}
	t, g := e.open(t.Name, p.need(t), p.b.Imported, received)
	if err := l.runSQL(ctx, e); err != nil {
		return 0, nil, err
	}
	n, err := p.insert(ctx, l.w, t, g, commit, received)
	return n, g, err
}

func (l *Lake) runSQL(ctx context.Context, e *edit) error {
	for _, q := range e.sql {
		if _, err := l.w.Exec(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	e.sql = nil
	return nil
}

// writeCatalog stores the tables and segments that the edit changed.
func (l *Lake) writeCatalog(ctx context.Context, e *edit) error {
	if _, err := l.w.Exec(ctx, `UPDATE lake_counter SET next_id = $1`, e.cat.nextID); err != nil {
		return err
	}
	for name := range e.touched {
		t := e.cat.tables[name]
		def, err := json.Marshal(t)
		if err != nil {
			return err
		}
		n, err := l.w.Exec(ctx, `UPDATE lake_table SET def = $1 WHERE id = $2`, string(def), t.ID)
		if err == nil && n == 0 {
			_, err = l.w.Exec(ctx, `INSERT INTO lake_table VALUES ($1, $2)`, t.ID, string(def))
		}
		if err != nil {
			return err
		}
	}
	for _, s := range e.oldSegs {
		if _, err := l.w.Exec(ctx, `DELETE FROM lake_segment WHERE id = $1`, s.seg.ID); err != nil {
			return err
		}
	}
	for _, s := range e.sameSegs {
		def, err := json.Marshal(s.seg)
		if err != nil {
			return err
		}
		if _, err := l.w.Exec(ctx, `UPDATE lake_segment SET def = $1 WHERE id = $2`, string(def), s.seg.ID); err != nil {
			return err
		}
	}
	for _, s := range e.newSegs {
		def, err := json.Marshal(s.seg)
		if err != nil {
			return err
		}
		if _, err := l.w.Exec(ctx, `INSERT INTO lake_segment VALUES ($1, $2, $3)`, s.seg.ID, e.cat.tables[s.table].ID, string(def)); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lake) fail(point string) error {
	if l.o.Fail == nil {
		return nil
	}
	if err := l.o.Fail(point); err != nil {
		return fmt.Errorf("at %s: %w", point, err)
	}
	return nil
}

// broken gives the database up after an error that leaves its state in doubt. It is opened anew, now or before the
// next commit, as soon as no snapshot holds the old one.
func (l *Lake) broken(err error) error {
	slog.Error("lake: the database is opened anew", "error", err)
	l.tell(EventReopened, "", err.Error())
	l.mu.Lock()
	l.down = errReopen
	if l.w != nil {
		l.w.Close()
		l.w = nil
	}
	l.mu.Unlock()
	if rerr := l.reopen(); rerr != nil {
		slog.Error("lake: the database can't be opened yet", "error", rerr)
	}
	if duck.IsFull(err) {
		return fmt.Errorf("%w (%v)", ErrFull, err)
	}
	return err
}

var errReopen = errors.New("the database was opened anew after an error; ask again")

func (l *Lake) reopen() error {
	if err := l.drain(errReopen, 30*time.Second); err != nil { // never two openings of one file
		return fmt.Errorf("open the database again: %w", err)
	}
	l.shut()
	if err := l.openDB(context.Background()); err != nil {
		if duck.IsFull(err) {
			return fmt.Errorf("%w (%v)", ErrFull, err)
		}
		return fmt.Errorf("open the database again: %w", err)
	}
	l.mu.Lock()
	l.down = nil
	l.cond.Broadcast()
	l.mu.Unlock()
	return nil
}

// checkpoint folds the write-ahead log into the database file when much was written. DuckDB refuses while a reader
// still needs a generation that was dropped since; then it is tried again a little later.
func (l *Lake) checkpoint() {
	if l.w == nil || l.writeSeen < checkpointBytes || time.Since(l.checkpointTry) < time.Second {
		return
	}
	l.checkpointTry = time.Now()
	_, err := l.w.Exec(context.Background(), `CHECKPOINT`)
	switch {
	case err == nil:
		l.writeSeen = 0
	case duck.IsFatal(err) || duck.IsFull(err):
		_ = l.broken(err)
	default:
		slog.Debug("lake: the checkpoint is put off", "reason", err)
	}
}

// Settle returns when every row that has or will ever have _TimeReceived <= until can be seen by the next
// Snapshot. Who reads by windows of received time calls it with the window's end first. until must not be in
// the future.
func (l *Lake) Settle(ctx context.Context, until time.Time) error {
	if now := l.o.Now(); until.After(now) {
		return fmt.Errorf("settle until %s: that is %v ahead", until.UTC().Format(time.RFC3339Nano), until.Sub(now))
	}
	return l.do(ctx, func(e *edit) error {
		e.received = until.UnixMicro()
		return nil
	})
}
