package playbook

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
)

// Statuses of actions and runs.
const (
	Succeeded = "Succeeded"
	Failed    = "Failed"
	Skipped   = "Skipped"
	TimedOut  = "TimedOut"
	Cancelled = "Cancelled"
	Running   = "Running"
	Waiting   = "Waiting"
)

const maxActionRuns = 500_000 // of one run, repetitions counted each

// Causes that end a run's context.
var (
	errShutdown   = errors.New("the engine stops")
	errCancelled  = errors.New("the run was cancelled")
	errTerminated = errors.New("the run was terminated")
	errRunTimeout = errors.New("the run exceeded its duration")
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

// loopFrame is one loop around an action.
type loopFrame struct {
	name  string // lower case
	item  any
	index int
}

// frame is where in the loops an action stands.
type frame struct {
	loops []loopFrame
	rep   string
}

func (f *frame) push(loop string, item any, index int) *frame {
	n := &frame{loops: append(append(make([]loopFrame, 0, len(f.loops)+1), f.loops...), loopFrame{strings.ToLower(loop), item, index})}
	n.rep = fmt.Sprintf("%06d", index)
	if f.rep != "" {
		n.rep = f.rep + "-" + n.rep
	}
	return n
}

type variable struct {
	name, typ string
	value     any
}

// terminated is what a Terminate action asked for.
type terminated struct {
	status string
	err    *expr.Object
}

// run is a run in progress.
type run struct {
	e        *Engine
	id       string
	wf       *workflow // of when the run began, or resumed
	ver      *version0
	def      *definition.Definition
	started  time.Time
	tracking string
	trigger  *expr.Object
	ctx      context.Context
	cancel   context.CancelCauseFunc

	mu    sync.Mutex
	recs  map[recKey]*record
	vars  map[string]*variable
	seq   int64
	term  *terminated
	fatal error // the store refused a record: the run stops and resumes at the next start

	reply     chan *Response // the caller of a Request trigger waits here; nil when nobody does
	replyOnce sync.Once
	finished  chan struct{}
}

// stopping says that the engine stops: nothing more is recorded.
func (r *run) stopping() bool {
	r.mu.Lock()
	f := r.fatal
	r.mu.Unlock()
	return f != nil || errors.Is(context.Cause(r.ctx), errShutdown)
}

// key makes the id of one action run: an idempotency key for what it calls.
func (r *run) key(rec *record) string {
	return uuid.NewSHA1(nsAction, []byte(r.id+"\x00"+strings.ToLower(rec.name)+"\x00"+rec.rep)).String()
}

var (
	nsAction  = uuid.MustParse("5a1c3a52-6ae8-5f0c-9b51-6c1f0a3b7d10")
	nsRun     = uuid.MustParse("5a1c3a52-6ae8-5f0c-9b51-6c1f0a3b7d11")
	nsHistory = uuid.MustParse("5a1c3a52-6ae8-5f0c-9b51-6c1f0a3b7d12")
)

func (r *run) get(name, rep string) *record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recs[recKey{strings.ToLower(name), rep}]
}

// write puts a record in line for the store; r.mu is held, so the line has the order of seq.
func (r *run) write(rec *record) <-chan error {
	r.recs[recKey{strings.ToLower(rec.name), rec.rep}] = rec
	if rec.seq == 0 {
		r.seq++
		rec.seq = r.seq
	}
	c := *rec
	secret := r.hasSecret
	return r.e.commits.enqueue(func(tx *state.Tx) error { return r.e.putRecord(tx, r.id, &c, secret) })
}

// save records durably; an error ends the run's progress until the next start.
func (r *run) save(rec *record) error {
	r.mu.Lock()
	done := r.write(rec)
	r.mu.Unlock()
	return r.saved(<-done)
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
	_, err = tx.Exec(`INSERT INTO playbook_action(run, name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta)
		VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(run, name, rep) DO UPDATE SET status=excluded.status, code=excluded.code, inputs=excluded.inputs, outputs=excluded.outputs,
		error=excluded.error, started=excluded.started, ended=excluded.ended, tracking=excluded.tracking, meta=excluded.meta`,
		run, iter+rec.name, rec.rep, rec.seq, rec.status, rec.code, in, out, jsonOrEmpty(rec.err), micros(rec.start), micros(rec.end), rec.tracking, meta)
	if err != nil {
		return fmt.Errorf("record action %s: %w", rec.name, err)
	}
	return nil
}

// load reads what the run recorded before the process ended, and sets the variables to where they were.
func (r *run) load(ctx context.Context) error {
	rows, err := r.e.db.Query(ctx, `SELECT name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta FROM playbook_action WHERE run=? ORDER BY seq`, r.id)
	if err != nil {
		return err
	}
	defer rows.Close()
	var ops []*record
	for rows.Next() {
		var rec record
		var in, out, meta []byte
		var errText string
		var start, end int64
		if err := rows.Scan(&rec.name, &rec.rep, &rec.seq, &rec.status, &rec.code, &in, &out, &errText, &start, &end, &rec.tracking, &meta); err != nil {
			return err
		}
		if err := r.e.decodeRecord(&rec, in, out, meta, errText, start, end); err != nil {
			return err
		}
		rec.action = r.def.Action(rec.name)
		key := recKey{strings.ToLower(rec.name), rec.rep}
		r.recs[key] = &rec
		r.seq = max(r.seq, rec.seq)
		if rec.meta.Value("op") != nil && rec.done() {
			ops = append(ops, &rec)
		}
		if rec.action != nil && rec.action.Type == "Terminate" && rec.status == Succeeded {
			r.term = terminationOf(rec.meta)
		}
	}
	sort.Slice(ops, func(i, j int) bool { return order(ops[i]) < order(ops[j]) })
	for _, rec := range ops {
		r.replay(rec.meta)
	}
	return rows.Err()
}

// order is when a variable was changed, among all changes of the run.
func order(rec *record) int64 {
	n, _ := rec.meta.Value("order").(int64)
	return n
}

func (e *Engine) decodeRecord(rec *record, in, out, meta []byte, errText string, start, end int64) error {
	rec.name, rec.iteration = strings.CutPrefix(rec.name, "#")
	var err error
	if rec.hasIn = len(in) > 0; rec.hasIn {
		if rec.inputs, err = e.seal.decode(in); err != nil {
			return err
		}
	}
	if rec.hasOut = len(out) > 0; rec.hasOut {
		if rec.outputs, err = e.seal.decode(out); err != nil {
			return err
		}
	}
	m, err := e.seal.decode(meta)
	if err != nil {
		return err
	}
	rec.meta, rec.err = object(m), parseObject(errText)
	rec.start, rec.end = fromMicros(start), fromMicros(end)
	return nil
}

// execute runs the workflow's actions to their end and records the run's end.
func (r *run) execute() {
	defer close(r.finished)
	defer r.answer(nil)
	defer func() {
		if p := recover(); p != nil { // a fault of this program must not take the host down
			r.e.log.Error("playbook run failed by a fault of the engine", "run", r.id, "workflow", r.wf.name, "fault", p, "stack", string(debug.Stack()))
			why := errorObject("InternalServerError", fmt.Sprintf("The engine failed: %v", p))
			_ = r.e.commits.do(func(tx *state.Tx) error {
				_, err := tx.Exec(`UPDATE playbook_run SET status=?, code='InternalServerError', error=?, ended=? WHERE id=?`, Failed, expr.JSON(why), micros(r.e.now()), r.id)
				return err
			})
		}
	}()
	f := &frame{}
	status, ok := r.list(r.ctx, r.def.Actions, f)
	if !ok {
		return
	}
	cause := context.Cause(r.ctx)
	code, errObj := "", (*expr.Object)(nil)
	r.mu.Lock()
	term := r.term
	r.mu.Unlock()
	switch {
	case term != nil:
		status, errObj = term.status, term.err
		code = "Terminated"
		if c, ok := errObj.Value("code").(string); ok {
			code = c
		}
	case errors.Is(cause, errCancelled):
		status, code = Cancelled, "WorkflowRunCancelled"
		errObj = errorObject("WorkflowRunCancelled", "The workflow run was cancelled.")
	case errors.Is(cause, errRunTimeout):
		status, code = TimedOut, "WorkflowRunTimedOut"
		errObj = errorObject("WorkflowRunTimedOut", fmt.Sprintf("The workflow run exceeded the limit of %d days.", int(definition.MaxDuration.Hours()/24)))
	case status == Failed:
		code = "ActionFailed"
		errObj = errorObject("ActionFailed", "An action failed. No dependent actions succeeded.")
	}
	outputs := &expr.Object{}
	if status == Succeeded {
		for _, o := range r.def.Outputs {
			v, err := expr.EvaluateTree(o.Value, r.env(f, nil))
			if err != nil {
				status, code = Failed, "InvalidTemplate"
				errObj = errorObject("InvalidTemplate", fmt.Sprintf("Unable to process template language expressions in the output '%s': '%v'.", o.Name, err))
				break
			}
			outputs.Set(o.Name, expr.NewObject("type", o.Type, "value", v))
		}
	}
	end := r.e.now()
	blob, err := r.e.seal.encode(outputs, r.hasSecret(outputs))
	if err == nil {
		err = r.e.commits.do(func(tx *state.Tx) error {
			_, err := tx.Exec(`UPDATE playbook_run SET status=?, code=?, error=?, ended=?, outputs=? WHERE id=?`, status, code, jsonOrEmpty(errObj), micros(end), blob, r.id)
			return err
		})
	}
	if r.saved(err) != nil {
		return
	}
	ev := Event{Kind: "run", Workflow: r.wf.name, Run: r.id, Name: r.wf.name, Status: status, Code: code, Started: r.started, Ended: end, Tracking: r.tracking}
	if m, ok := errObj.Value("message").(string); ok {
		ev.Error = r.mask(m).(string)
	}
	r.e.event(ev)
}

func errorObject(code, message string) *expr.Object {
	return expr.NewObject("code", code, "message", message)
}

// answer gives the caller of the trigger its reply; nil when the run ended without a Response.
func (r *run) answer(resp *Response) bool {
	given := false
	r.replyOnce.Do(func() {
		if r.reply != nil {
			r.reply <- resp
			given = resp != nil
		}
	})
	return given
}

// list runs actions beside each other: each when those before it ended as its runAfter wants. ok is false when
// the engine stops.
func (r *run) list(ctx context.Context, actions []*definition.Action, f *frame) (status string, ok bool) {
	type result struct {
		a   *definition.Action
		rec *record
	}
	done := make(map[string]*record, len(actions))
	started := make(map[*definition.Action]bool, len(actions))
	results := make(chan result, len(actions))
	running := 0
	stopped := false
	for len(done) < len(actions) {
		var ready []*definition.Action
	scan:
		for _, a := range actions {
			if started[a] {
				continue
			}
			for _, p := range a.RunAfter {
				if done[strings.ToLower(p.Name)] == nil {
					continue scan
				}
			}
			ready = append(ready, a)
		}
		if len(ready) == 0 && running == 0 {
			break // can't be in a checked definition
		}
		if !stopped {
			if len(ready) == 1 && running == 0 {
				a := ready[0]
				started[a] = true
				rec := r.action(ctx, a, f, done)
				if rec == nil {
					return "", false
				}
				done[strings.ToLower(a.Name)] = rec
				continue
			}
			for _, a := range ready {
				started[a] = true
				running++
				preds := make(map[string]*record, len(a.RunAfter))
				for _, p := range a.RunAfter {
					k := strings.ToLower(p.Name)
					preds[k] = done[k]
				}
				r.e.spawn(func() { results <- result{a, r.action(ctx, a, f, preds)} }, func() { results <- result{a, nil} })
			}
		}
		if running == 0 {
			return "", false
		}
		res := <-results
		running--
		if res.rec == nil {
			stopped = true
			if running == 0 {
				return "", false
			}
			continue
		}
		done[strings.ToLower(res.a.Name)] = res.rec
	}
	if stopped {
		return "", false
	}
	return outcomeOf(actions, done), true
}

// outcomeOf takes the status of a list from its leaves: a skipped leaf stands for what came before it.
func outcomeOf(actions []*definition.Action, done map[string]*record) string {
	inner := map[string]bool{}
	by := map[string]*definition.Action{}
	for _, a := range actions {
		by[strings.ToLower(a.Name)] = a
		for _, p := range a.RunAfter {
			inner[strings.ToLower(p.Name)] = true
		}
	}
	var bad func(name string) bool
	bad = func(name string) bool {
		rec := done[name]
		if rec == nil {
			return false
		}
		switch rec.status {
		case Failed, TimedOut, Cancelled:
			return true
		case Skipped:
			for _, p := range by[name].RunAfter {
				if bad(strings.ToLower(p.Name)) {
					return true
				}
			}
		}
		return false
	}
	for _, a := range actions {
		if n := strings.ToLower(a.Name); !inner[n] && bad(n) {
			return Failed
		}
	}
	return Succeeded
}

// action runs one action, or finds what it did before; nil when the engine stops.
func (r *run) action(ctx context.Context, a *definition.Action, f *frame, before map[string]*record) *record {
	rec := r.get(a.Name, f.rep)
	if rec != nil && rec.done() {
		return rec
	}
	if r.stopping() {
		return nil
	}
	if rec == nil {
		rec = &record{action: a, name: a.Name, rep: f.rep, start: r.e.now()}
		rec.tracking = r.key(rec)
		r.mu.Lock()
		over := r.seq >= maxActionRuns
		term := r.term
		r.mu.Unlock()
		switch {
		case term != nil || errors.Is(context.Cause(ctx), errTerminated):
			return r.skip(a, f, "Terminated", errorObject("Terminated", fmt.Sprintf("The execution of template action '%s' is skipped: the run was terminated.", a.Name)))
		case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errShutdown):
			return r.skip(a, f, "ActionSkipped", errorObject("ActionSkipped", fmt.Sprintf("The execution of template action '%s' is skipped: %v.", a.Name, context.Cause(ctx))))
		case over:
			return r.finish(rec, failed("ActionLimitExceeded", fmt.Sprintf("The run has more than %d action executions.", maxActionRuns)))
		}
		for _, p := range a.RunAfter {
			got := before[strings.ToLower(p.Name)]
			if got != nil && !accepts(p.Statuses, got.status) {
				want := strings.Join(p.Statuses, ", ")
				return r.skip(a, f, "ActionSkipped", errorObject("ActionConditionFailed", fmt.Sprintf(
					"The execution of template action '%s' is skipped: the 'runAfter' condition for action '%s' is not satisfied. Expected status values '%s' and actual value '%s'.", a.Name, got.name, want, got.status)))
			}
		}
	}
	out := r.perform(ctx, a, f, rec)
	if r.stopping() {
		return nil
	}
	if out == nil {
		return nil
	}
	if rec.done() { // recorded already
		return rec
	}
	return r.finish(rec, *out)
}

func accepts(want []string, got string) bool {
	for _, w := range want {
		if w == got || w == TimedOut && got == Cancelled || w == Cancelled && got == TimedOut {
			return true
		}
	}
	return false
}

// outcome is how an action ended.
type outcome struct {
	status, code string
	inputs       any
	outputs      any
	hasIn        bool
	hasOut       bool
	err          *expr.Object
}

func failed(code, message string) outcome {
	return outcome{status: Failed, code: code, err: errorObject(code, message)}
}

// invalid is an action whose expressions can't be evaluated.
func invalid(a *definition.Action, err error) outcome {
	msg := fmt.Sprintf("Unable to process template language expressions in action '%s' inputs at line '0' and column '0': '%v'.", a.Name, err)
	return outcome{status: Failed, code: "BadRequest", err: errorObject("InvalidTemplate", msg)}
}

func invalidCondition(a *definition.Action, err error) outcome {
	msg := fmt.Sprintf("Unable to process template language expressions for action '%s' at line '0' and column '0': '%v'.", a.Name, err)
	return outcome{status: Failed, code: "BadRequest", err: errorObject("InvalidTemplate", msg)}
}

func succeeded(inputs, outputs any) outcome {
	return outcome{status: Succeeded, code: "OK", inputs: inputs, outputs: outputs, hasIn: true, hasOut: true}
}

func (o outcome) with(inputs any) outcome {
	o.inputs, o.hasIn = inputs, true
	return o
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
	if r.save(&n) != nil {
		return nil
	}
	ev := Event{Kind: "action", Workflow: r.wf.name, Run: r.id, Name: n.name, Status: n.status, Code: n.code, Started: n.start, Ended: n.end, Tracking: r.tracking, Tracked: object(r.mask(n.meta.Value("tracked")))}
	if m, ok := n.err.Value("message").(string); ok {
		ev.Error = r.mask(m).(string)
	}
	r.e.event(ev)
	return &n
}

// skip records an action, and all inside it, as skipped.
func (r *run) skip(a *definition.Action, f *frame, code string, why *expr.Object) *record {
	now := r.e.now()
	var last <-chan error
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
		last = r.write(rec)
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
	if last != nil && r.saved(<-last) != nil {
		return nil
	}
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
	if r.save(&c) != nil {
		return false
	}
	rec.seq = c.seq
	return true
}

// sleepUntil waits; false when the context ended first.
func (r *run) sleepUntil(ctx context.Context, t time.Time) bool {
	for {
		d := t.Sub(r.e.now())
		if d <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(d, time.Hour))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
