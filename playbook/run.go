package playbook

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
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
	fatal error           // the store refused a record: the run stops and resumes at the next start
	lost  atomic.Bool     // the same, for the store's writer: nothing of this run is written after a write that failed
	keep  map[string]bool // loops whose repetitions stay in memory, since result() reads them

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
