package playbook

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"sort"
	"strings"
	"time"
)

type recKey struct{ name, rep string }

// record is an action of the run (or one repetition of it, or one iteration of a loop) as it is recorded.
type record struct {
	action    *definition.Action
	name, rep string
	iteration bool
	seq       int64

	status, code string
	inputs       any
	outputs      any
	hasIn        bool
	hasOut       bool
	err          *expr.Object
	start, end   time.Time
	tracking     string
	meta         *expr.Object // what a resumed action needs, and retry history
}

func (r *record) done() bool { return r.status != "" && r.status != Running && r.status != Waiting }

func (r *run) get(name, rep string) *record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recs[recKey{strings.ToLower(name), rep}]
}

// put notes a record and makes its write; r.mu is held, so the line has the order of seq.
func (r *run) put(rec *record) func(*state.Tx) error {
	r.recs[recKey{strings.ToLower(rec.name), rec.rep}] = rec
	if rec.seq == 0 {
		r.seq++
		rec.seq = r.seq
	}
	c := *rec
	secret := r.hasSecret
	return func(tx *state.Tx) error {
		if r.lost.Load() {
			return errors.New("a record before this one was not stored")
		}
		return r.e.putRecord(tx, r.id, &c, secret)
	}
}

// save records durably; an error ends the run's progress until the next start.
func (r *run) save(rec *record) error {
	r.mu.Lock()
	done := r.e.commits.enqueue(r.put(rec))
	r.mu.Unlock()
	return r.saved(<-done)
}

// saveSoon records what has no effect outside the run: the run goes on meanwhile. Records are stored in their order, so
// whatever does have an effect is recorded after it, and a crash leaves a beginning of what was done.
func (r *run) saveSoon(rec *record, done func()) {
	r.mu.Lock()
	r.putSoon(rec, done)
	r.mu.Unlock()
}

// putSoon is saveSoon with r.mu held.
func (r *run) putSoon(rec *record, done func()) {
	r.e.commits.then(r.put(rec), func(err error) {
		switch {
		case err != nil:
			r.lost.Store(true)
			go func() { _ = r.saved(err) }() // logs it and stops the run; the writer must not wait for that
		case done != nil:
			done()
		}
	})
}

func (r *run) saved(err error) error {
	if err != nil {
		r.mu.Lock()
		if r.fatal == nil {
			r.fatal = err
			r.e.log.Error("playbook run can't be recorded; it resumes at the next start", "run", r.id, "workflow", r.wf.name, "error", err)
		}
		r.mu.Unlock()
		r.cancel(errShutdown)
	}
	return err
}

func (e *Engine) putRecord(tx *state.Tx, run string, rec *record, secret func(v any) bool) error {
	var in, out, meta []byte
	var err error
	put := func(v any, has bool) []byte {
		if !has || err != nil {
			return nil
		}
		var b []byte
		hide := rec.action != nil && (rec.action.Secure.Inputs || rec.action.Secure.Outputs)
		b, err = e.seal.encode(v, hide || secret(v))
		return b
	}
	in, out, meta = put(rec.inputs, rec.hasIn), put(rec.outputs, rec.hasOut), put(rec.meta, rec.meta != nil)
	if err != nil {
		return err
	}
	iter := ""
	if rec.iteration {
		iter = "#"
	}
	stmt, err := e.commits.prepared(tx, `INSERT INTO playbook_action(run, name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta)
		VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(run, name, rep) DO UPDATE SET status=excluded.status, code=excluded.code, inputs=excluded.inputs, outputs=excluded.outputs,
		error=excluded.error, started=excluded.started, ended=excluded.ended, tracking=excluded.tracking, meta=excluded.meta`)
	if err != nil {
		return fmt.Errorf("record action %s: %w", rec.name, err)
	}
	_, err = stmt.Exec(run, iter+rec.name, rec.rep, rec.seq, rec.status, rec.code, in, out, jsonOrEmpty(rec.err), micros(rec.start), micros(rec.end), rec.tracking, meta)
	if err != nil {
		return fmt.Errorf("record action %s: %w", rec.name, err)
	}
	return nil
}

// load reads what the run recorded before the process ended, and sets the variables to where they were. What stands
// inside an iteration that has ended stays in the store.
func (r *run) load(ctx context.Context) error {
	var ops []*record
	read := func(where string, f func(rec *record)) error {
		rows, err := r.e.db.Query(ctx, `SELECT `+actionColumns+` FROM playbook_action WHERE run=? AND `+where, r.id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			rec, err := r.e.scanRecord(rows.Scan)
			if err != nil {
				return err
			}
			rec.action = r.def.Action(rec.name)
			r.seq = max(r.seq, rec.seq)
			f(rec)
		}
		return rows.Err()
	}
	note := func(rec *record) { r.recs[recKey{strings.ToLower(rec.name), rec.rep}] = rec }
	if err := read(`name>='#' AND name<'$'`, note); err != nil { // iterations
		return err
	}
	err := read(`NOT (name>='#' AND name<'$') ORDER BY seq`, func(rec *record) {
		if rec.meta.Value("op") != nil && rec.done() {
			ops = append(ops, rec)
		}
		if rec.action != nil && rec.action.Type == "Terminate" && rec.status == Succeeded {
			r.term = terminationOf(rec.meta)
		}
		if !r.over(rec) {
			note(rec)
		}
	})
	if err != nil {
		return err
	}
	sort.Slice(ops, func(i, j int) bool { return order(ops[i]) < order(ops[j]) })
	for _, rec := range ops {
		r.replay(rec.meta)
	}
	return nil
}

// over says that a record stands inside an iteration that has ended and that nothing reads any more.
func (r *run) over(rec *record) bool {
	if rec.action == nil || rec.rep == "" {
		return false
	}
	parts := strings.Split(rec.rep, "-")
	for i, l := range rec.action.Loops {
		name := strings.ToLower(l.Name)
		if r.keep[name] || i >= len(parts) {
			return false
		}
		if it := r.recs[recKey{name, strings.Join(parts[:i+1], "-")}]; it != nil && it.iteration && it.done() {
			return true
		}
	}
	return false
}

// order is when a variable was changed, among all changes of the run.
func order(rec *record) int64 {
	n, _ := rec.meta.Value("order").(int64)
	return n
}

const actionColumns = `name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta`

// scanRecord reads a row of actionColumns.
func (e *Engine) scanRecord(scan func(...any) error) (*record, error) {
	rec := &record{}
	var in, out, meta []byte
	var errText string
	var start, end int64
	if err := scan(&rec.name, &rec.rep, &rec.seq, &rec.status, &rec.code, &in, &out, &errText, &start, &end, &rec.tracking, &meta); err != nil {
		return nil, err
	}
	rec.name, rec.iteration = strings.CutPrefix(rec.name, "#")
	var err error
	if rec.hasIn = len(in) > 0; rec.hasIn {
		if rec.inputs, err = e.seal.decode(in); err != nil {
			return nil, err
		}
	}
	if rec.hasOut = len(out) > 0; rec.hasOut {
		if rec.outputs, err = e.seal.decode(out); err != nil {
			return nil, err
		}
	}
	m, err := e.seal.decode(meta)
	if err != nil {
		return nil, err
	}
	rec.meta, rec.err = object(m), parseObject(errText)
	rec.start, rec.end = fromMicros(start), fromMicros(end)
	return rec, nil
}

func (r *run) finish(rec *record, o outcome) *record {
	n := *rec
	n.status, n.code, n.err = o.status, o.code, o.err
	if o.hasIn {
		n.inputs, n.hasIn = o.inputs, true
	}
	n.outputs, n.hasOut = o.outputs, o.hasOut
	n.end = r.e.now()
	if n.action.Tracked != nil && n.status != Skipped {
		r.mu.Lock()
		r.recs[recKey{strings.ToLower(n.name), n.rep}] = &n
		r.mu.Unlock()
		if v, err := expr.EvaluateTree(n.action.Tracked, r.env(&frame{rep: n.rep}, &n)); err == nil {
			n.meta = metaWith(n.meta, "tracked", v)
		}
	}
	ev := Event{Kind: "action", Workflow: r.wf.name, Run: r.id, Name: n.name, Status: n.status, Code: n.code, Started: n.start, Ended: n.end, Tracking: r.tracking, Tracked: object(r.mask(n.meta.Value("tracked")))}
	if m, ok := n.err.Value("message").(string); ok {
		ev.Error = r.mask(m).(string)
	}
	if !outside(n.action.Type) {
		r.saveSoon(&n, func() { r.e.event(ev) })
		return &n
	}
	if r.save(&n) != nil {
		return nil
	}
	r.e.event(ev)
	return &n
}

// outside says that an action of this type has effects outside its run, or may take long: its end is stored before the
// run goes on.
func outside(typ string) bool {
	switch typ {
	case "Compose", "ParseJson", "Select", "Query", "Join", "Table", "Expression", "InitializeVariable", "SetVariable", "IncrementVariable", "DecrementVariable",
		"AppendToArrayVariable", "AppendToStringVariable", "If", "Switch", "Scope", "Foreach", "Until":
		return false
	}
	return true
}

// skip records an action, and all inside it, as skipped.
func (r *run) skip(a *definition.Action, f *frame, code string, why *expr.Object) *record {
	now := r.e.now()
	var top *record
	var walk func(a *definition.Action, code string, why *expr.Object)
	r.mu.Lock()
	walk = func(a *definition.Action, code string, why *expr.Object) {
		rec := &record{action: a, name: a.Name, rep: f.rep, status: Skipped, code: code, err: why, start: now, end: now}
		if old := r.recs[recKey{strings.ToLower(a.Name), f.rep}]; old != nil {
			if old.done() {
				if top == nil {
					top = old
				}
				return
			}
			rec.seq, rec.start = old.seq, old.start
		}
		rec.tracking = r.key(rec)
		if top == nil {
			top = rec
		}
		r.putSoon(rec, nil)
		if a.Loop() {
			return
		}
		for _, c := range a.Children() {
			walk(c, "ActionSkipped", errorObject("ActionDependencyFailed", fmt.Sprintf(
				"The execution of template action '%s' is skipped: dependant action '%s' completed with status '%s' and code '%s'.", c.Name, a.Name, Skipped, code)))
		}
	}
	walk(a, code, why)
	r.mu.Unlock()
	return top
}

func metaWith(m *expr.Object, pairs ...any) *expr.Object {
	n := m.Clone()
	for i := 0; i+1 < len(pairs); i += 2 {
		n.Set(pairs[i].(string), pairs[i+1])
	}
	return n
}

// begin records that an action with effects outside starts, with the inputs it starts with; a resumed action
// takes these.
func (r *run) begin(rec *record, inputs any) bool {
	if rec.status == Running {
		return true
	}
	rec.status, rec.inputs, rec.hasIn = Running, inputs, true
	return r.checkpoint(rec)
}

// checkpoint records a running action's progress.
func (r *run) checkpoint(rec *record) bool {
	c := *rec
	if rec.action != nil && !outside(rec.action.Type) {
		r.saveSoon(&c, nil)
	} else if r.save(&c) != nil {
		return false
	}
	rec.seq = c.seq
	return true
}
