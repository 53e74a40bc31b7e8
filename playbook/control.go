package playbook

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"sync"
	"time"
)

// perform runs an action by its type; nil when the engine stops.
func (r *run) perform(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	if a.StaticResult != "" {
		return r.static(a, f, rec)
	}
	switch a.Type {
	case "Scope":
		return r.scope(ctx, a, f, rec)
	case "If":
		return r.ifAction(ctx, a, f, rec)
	case "Switch":
		return r.switchAction(ctx, a, f, rec)
	case "Foreach":
		return r.foreach(ctx, a, f, rec)
	case "Until":
		return r.until(ctx, a, f, rec)
	case "Terminate":
		return r.terminate(a, f, rec)
	}
	limit, cancel, o := r.actionLimit(ctx, a, f, rec)
	if o != nil {
		return o
	}
	defer cancel()
	out := r.simple(limit, a, f, rec)
	if out != nil && out.status == Cancelled && limit.Err() != nil && ctx.Err() == nil {
		out.status, out.code = TimedOut, "ActionTimedOut"
		out.err = errorObject("ActionTimedOut", fmt.Sprintf("The execution of template action '%s' exceeded its limit '%s'.", a.Name, a.Timeout))
	}
	return out
}

// simple runs an action that holds no others.
func (r *run) simple(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	ret := func(o outcome) *outcome { return &o }
	if o, handled := r.try(ctx, a, f, rec); handled {
		return o
	}
	switch a.Type {
	case "Compose":
		return ret(r.compose(a, f, rec))
	case "ParseJson":
		return ret(r.parseJSON(a, f, rec))
	case "Select":
		return ret(r.selectAction(a, f, rec))
	case "Query":
		return ret(r.query(a, f, rec))
	case "Join":
		return ret(r.joinAction(a, f, rec))
	case "Table":
		return ret(r.table(a, f, rec))
	case "Expression":
		return ret(r.expressionAction(a, f, rec))
	case "InitializeVariable", "SetVariable", "IncrementVariable", "DecrementVariable", "AppendToArrayVariable", "AppendToStringVariable":
		return r.variable(a, f, rec)
	case "Wait":
		return r.wait(ctx, a, f, rec)
	case "Http":
		return r.http(ctx, a, f, rec)
	case "ApiConnection":
		return r.connectorAction(ctx, a, f, rec)
	case "HttpWebhook", "ApiConnectionWebhook":
		return r.webhook(ctx, a, f, rec)
	case "Response":
		return ret(r.response(a, f, rec))
	case "Workflow":
		return r.child(ctx, a, f, rec)
	case "Function":
		return r.function(ctx, a, f, rec)
	case "JavaScriptCode":
		return r.javaScript(ctx, a, f, rec)
	case "SendToBatch":
		return r.sendToBatch(ctx, a, f, rec)
	}
	return ret(failed("ActionTypeNotSupported", fmt.Sprintf("The action '%s' is of type '%s', which this engine doesn't run.", a.Name, a.Type)))
}

// actionLimit makes the context of an action's limit.timeout, counted from when the action first started.
func (r *run) actionLimit(ctx context.Context, a *definition.Action, f *frame, rec *record) (context.Context, context.CancelFunc, *outcome) {
	if a.Timeout == "" {
		return ctx, func() {}, nil
	}
	d, err := r.duration(a.Timeout, f)
	if err != nil {
		o := invalid(a, err)
		return nil, nil, &o
	}
	left := rec.start.Add(d).Sub(r.e.now())
	c, cancel := context.WithTimeout(ctx, left)
	return c, cancel, nil
}

func (r *run) duration(s string, f *frame) (time.Duration, error) {
	v, err := expr.Evaluate(s, r.env(f, nil))
	if err != nil {
		return 0, err
	}
	return definition.ParseDuration(expr.Text(v))
}

func (r *run) static(a *definition.Action, f *frame, rec *record) *outcome {
	sr := r.def.StaticResults[strings.ToLower(a.StaticResult)]
	status, _ := sr.Value("status").(string)
	if status == "" {
		status = Succeeded
	}
	o := outcome{status: status, code: "OK"}
	if a.Inputs != nil {
		if in, err := expr.EvaluateTree(a.Inputs, r.env(f, rec)); err == nil {
			o = o.with(in)
		}
	}
	if outs, _, ok := sr.Find("outputs"); ok {
		o.outputs, o.hasOut = outs, true
		if c := object(outs).Value("statusCode"); c != nil {
			if n, err := expr.CallBuiltin("int", expr.Text(c)); err == nil {
				c, _ := n.(int64)
				o.code = codeName(int(c))
				if oo := object(outs).Clone(); oo.Len() > 0 {
					oo.Set("statusCode", n)
					o.outputs = oo
				}
			}
		}
	}
	if status == Failed {
		o.err = errorObject("StaticResult", "The action failed as its static result says.")
	}
	return &o
}

// containerOutcome is how a container ends, by the status of its actions.
func (r *run) containerOutcome(ctx context.Context, status string) *outcome {
	r.mu.Lock()
	term := r.term
	r.mu.Unlock()
	switch {
	case term != nil:
		return &outcome{status: Cancelled, code: "Terminated"}
	case errors.Is(context.Cause(ctx), errCancelled):
		return &outcome{status: Cancelled, code: "ActionCancelled"}
	case status == Failed:
		o := failed("ActionFailed", "An action failed. No dependent actions succeeded.")
		return &o
	}
	return &outcome{status: Succeeded, code: "NotSpecified"}
}

func (r *run) scope(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	if !r.begin(rec, nil) {
		return nil
	}
	limit, cancel, o := r.actionLimit(ctx, a, f, rec)
	if o != nil {
		return o
	}
	defer cancel()
	status, ok := r.list(limit, a.Branches[0].Actions, f)
	if !ok {
		return nil
	}
	if limit.Err() != nil && ctx.Err() == nil {
		return &outcome{status: TimedOut, code: "ActionTimedOut", err: errorObject("ActionTimedOut", fmt.Sprintf("The execution of template action '%s' exceeded its limit '%s'.", a.Name, a.Timeout))}
	}
	return r.containerOutcome(ctx, status)
}

// branch runs the branch that was chosen and records the others as skipped.
func (r *run) branch(ctx context.Context, a *definition.Action, f *frame, rec *record, taken *definition.Branch) *outcome {
	for _, b := range a.Branches {
		if b == taken {
			continue
		}
		for _, c := range b.Actions {
			if r.skip(c, f, "ActionSkipped", errorObject("ActionBranchingConditionNotSatisfied", fmt.Sprintf(
				"The execution of template action '%s' skipped: the branching condition for this action is not satisfied.", c.Name))) == nil {
				return nil
			}
		}
	}
	if taken == nil {
		return r.containerOutcome(ctx, Succeeded)
	}
	status, ok := r.list(ctx, taken.Actions, f)
	if !ok {
		return nil
	}
	return r.containerOutcome(ctx, status)
}

// dependent records the children of a container that failed before it ran any.
func (r *run) dependent(a *definition.Action, f *frame, o outcome) bool {
	for _, c := range a.Children() {
		if r.skip(c, f, "ActionSkipped", errorObject("ActionDependencyFailed", fmt.Sprintf(
			"The execution of template action '%s' is skipped: dependant action '%s' completed with status '%s' and code '%s'.", c.Name, a.Name, o.status, o.code))) == nil {
			return false
		}
	}
	return true
}

func (r *run) ifAction(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	name, _ := rec.metaValue("branch").(string)
	if name == "" {
		yes, err := condition(a.Expression, r.env(f, rec))
		if err != nil {
			o := invalidCondition(a, err)
			if !r.dependent(a, f, o) {
				return nil
			}
			return &o
		}
		name = "else"
		if yes {
			name = "actions"
		}
		rec.meta = metaWith(rec.meta, "branch", name)
		if !r.begin(rec, expr.NewObject("expressionResult", yes)) {
			return nil
		}
	}
	return r.branch(ctx, a, f, rec, findBranch(a, name))
}

func findBranch(a *definition.Action, name string) *definition.Branch {
	for _, b := range a.Branches {
		if b.Name == name {
			return b
		}
	}
	return nil
}

func (r *run) switchAction(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	name, _ := rec.metaValue("branch").(string)
	if name == "" {
		v, err := expr.EvaluateTree(a.Expression, r.env(f, rec))
		if err != nil {
			o := invalidCondition(a, err)
			if !r.dependent(a, f, o) {
				return nil
			}
			return &o
		}
		typ := expr.TypeName(v)
		if typ != "String" && typ != "Integer" {
			o := failed("ExpressionEvaluationFailed", fmt.Sprintf("The execution of template action '%s' failed: The result of the evaluation of 'scope' action expression '%s' is not valid. It is of type '%s' but is expected to be a value of type 'String, Integer'.", a.Name, expr.Text(a.Expression), typ))
			if !r.dependent(a, f, o) {
				return nil
			}
			return &o
		}
		name = "default"
		for _, b := range a.Branches {
			if b.Name == "default" && b.Case == nil {
				continue
			}
			if ct := expr.TypeName(b.Case); ct != typ {
				return r.switchMismatch(a, f, typ, ct)
			}
			if expr.Equal(v, b.Case) {
				name = "case:" + b.Name
			}
		}
		rec.meta = metaWith(rec.meta, "branch", name)
		if !r.begin(rec, expr.NewObject("expressionResult", v)) {
			return nil
		}
	}
	var taken *definition.Branch
	for _, b := range a.Branches {
		if c, ok := strings.CutPrefix(name, "case:"); ok && b.Case != nil && b.Name == c || !ok && b.Case == nil {
			taken = b
		}
	}
	return r.branch(ctx, a, f, rec, taken)
}

// switchMismatch fails every action of the branches: a case has another type than the expression.
func (r *run) switchMismatch(a *definition.Action, f *frame, got, want string) *outcome {
	for _, c := range a.Children() {
		rec := &record{action: c, name: c.Name, rep: f.rep, start: r.e.now()}
		rec.tracking = r.key(rec)
		o := outcome{status: Failed, code: "InternalServerError", err: errorObject("ActionConditionFailed", fmt.Sprintf(
			"The execution of template action '%s' failed: an unexpected exception encountered when evaluating branching condition. 'Template language function 'strongEquals' expects parameters of same type, but found '%s,%s' distinct types.'", c.Name, got, want))}
		if r.finish(rec, o) == nil {
			return nil
		}
	}
	o := failed("ActionFailed", "An action failed. No dependent actions succeeded.")
	return &o
}

const defaultForeach = 20

func (r *run) foreach(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	var items []any
	if rec.status == Running {
		items, _ = rec.inputs.([]any)
	} else {
		v, err := expr.EvaluateTree(a.Foreach, r.env(f, rec))
		if err != nil {
			o := invalidCondition(a, err)
			return &o
		}
		list, ok := v.([]any)
		if !ok {
			o := failed("ExpressionEvaluationFailed", fmt.Sprintf("The execution of template action '%s' failed: the result of the evaluation of 'foreach' expression '%s' is of type '%s'. The result must be a valid array.", a.Name, expr.Text(a.Foreach), expr.TypeName(v)))
			return &o
		}
		if len(list) > definition.MaxForeach {
			o := failed("ForeachItemsLimitExceeded", fmt.Sprintf("The loop '%s' has %d items, the limit is %d.", a.Name, len(list), definition.MaxForeach))
			return &o
		}
		items = list
		rec.meta = metaWith(rec.meta, "iterations", int64(len(items)))
		if !r.begin(rec, items) {
			return nil
		}
	}
	width := defaultForeach
	if a.Concurrency > 0 {
		width = a.Concurrency
	}
	for _, l := range a.Loops {
		if l.Type == "Foreach" { // a loop inside a loop runs in order
			width = 1
		}
	}
	if a.Has("Sequential") {
		width = 1
	}
	bad, stopped := false, false
	var mu sync.Mutex
	one := func(i int) {
		status, ok := r.iteration(ctx, a, f.push(a.Name, items[i], i))
		mu.Lock()
		defer mu.Unlock()
		if !ok {
			stopped = true
		} else if status == Failed {
			bad = true
		}
	}
	if width == 1 || len(items) < 2 {
		for i := range items {
			if one(i); stopped || ctx.Err() != nil {
				break
			}
		}
	} else {
		next := make(chan int)
		var wg sync.WaitGroup
		for range min(width, len(items)) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range next {
					func() {
						defer r.e.rescue(func() {
							mu.Lock()
							stopped = true
							mu.Unlock()
						})
						one(i)
					}()
				}
			}()
		}
	feed:
		for i := range items {
			mu.Lock()
			s := stopped
			mu.Unlock()
			if s {
				break
			}
			select {
			case next <- i:
			case <-ctx.Done():
				break feed
			}
		}
		close(next)
		wg.Wait()
	}
	if stopped {
		return nil
	}
	status := Succeeded
	if bad {
		status = Failed
	}
	return r.containerOutcome(ctx, status)
}

// iteration runs a loop's body once and records how it ended.
func (r *run) iteration(ctx context.Context, a *definition.Action, in *frame) (string, bool) {
	if rec := r.get(a.Name, in.rep); rec != nil && rec.done() {
		return rec.status, true
	}
	start := r.e.now()
	status, ok := r.list(ctx, a.Branches[0].Actions, in)
	if !ok || r.stopping() {
		return "", false
	}
	if ctx.Err() != nil {
		return status, true
	}
	rec := &record{action: a, name: a.Name, rep: in.rep, iteration: true, status: status, start: start, end: r.e.now()}
	rec.tracking = r.key(rec)
	r.saveSoon(rec, nil)
	r.drop(a, in)
	return status, true
}

// drop forgets what the actions of an iteration did; the store has it. Nothing can read it any more but result() of a
// loop around it.
func (r *run) drop(a *definition.Action, in *frame) {
	for _, l := range append(a.Loops[:len(a.Loops):len(a.Loops)], a) {
		if r.keep[strings.ToLower(l.Name)] {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetActions(a.Children(), in)
}

// forgetActions takes the records of actions at one place out of memory; r.mu is held.
func (r *run) forgetActions(list []*definition.Action, in *frame) {
	for _, c := range list {
		k := recKey{strings.ToLower(c.Name), in.rep}
		rec := r.recs[k]
		delete(r.recs, k)
		if !c.Loop() {
			r.forgetActions(c.Children(), in)
			continue
		}
		n, _ := rec.metaValue("iterations").(int64)
		for i := range int(n) {
			at := in.push(c.Name, nil, i)
			delete(r.recs, recKey{k.name, at.rep})
			if r.keep[k.name] || c.Type == "Until" && i == int(n)-1 { // what its iterations didn't drop
				r.forgetActions(c.Children(), at)
			}
		}
	}
}

// resultsOf finds the loops whose repetitions result() reads.
func resultsOf(d *definition.Definition) map[string]bool {
	out := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			t, err := expr.ParseTemplate(x)
			if err != nil || !strings.Contains(x, "@") {
				return
			}
			for _, n := range t.Nodes() {
				for _, c := range expr.Calls(n) {
					switch {
					case !strings.EqualFold(c.Name, "result"):
					case len(c.Text) == 1 && c.Text[0] != "":
						out[strings.ToLower(c.Text[0])] = true
					default: // it may be any
						for _, a := range d.All() {
							out[strings.ToLower(a.Name)] = true
						}
					}
				}
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		case *expr.Object:
			for _, m := range x.Members() {
				walk(m.Name)
				walk(m.Value)
			}
		}
	}
	walk(d.Raw)
	return out
}

func (r *run) until(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	count := int64(60)
	if a.Count != nil {
		v := a.Count
		if s, ok := v.(string); ok {
			var err error
			if v, err = expr.Evaluate(s, r.env(f, rec)); err != nil {
				o := invalidCondition(a, err)
				return &o
			}
		}
		n, err := expr.CallBuiltin("int", v)
		c, ok := n.(int64)
		if err != nil || !ok || c < 1 || c > definition.MaxUntil {
			o := failed("InvalidTemplate", fmt.Sprintf("The loop '%s' has the limit count '%s'; it must be an integer from 1 to %d.", a.Name, expr.Text(v), definition.MaxUntil))
			return &o
		}
		count = c
	}
	timeout := time.Hour
	if a.Timeout != "" {
		d, err := r.duration(a.Timeout, f)
		if err != nil {
			o := invalidCondition(a, err)
			return &o
		}
		timeout = d
	}
	if !r.begin(rec, nil) {
		return nil
	}
	ends := rec.start.Add(timeout)
	status := Succeeded
	met := false
	i := 0
	for ; int64(i) < count && !met; i++ {
		if i > 0 && r.e.now().After(ends) {
			break
		}
		in := f.push(a.Name, nil, i)
		if old := r.get(a.Name, in.rep); old != nil && old.done() {
			status = old.status
			met, _ = old.metaValue("met").(bool)
			continue
		}
		start := r.e.now()
		st, ok := r.list(ctx, a.Branches[0].Actions, in)
		if !ok || r.stopping() {
			return nil
		}
		if status = st; ctx.Err() != nil {
			break
		}
		yes, err := condition(a.Expression, r.env(in, rec))
		if err != nil {
			o := invalidCondition(a, err)
			return &o
		}
		met = yes
		it := &record{action: a, name: a.Name, rep: in.rep, iteration: true, status: status, start: start, end: r.e.now(), meta: expr.NewObject("met", met)}
		it.tracking = r.key(it)
		rec.meta = metaWith(rec.meta, "iterations", int64(i+1))
		r.saveSoon(it, nil)
		if i > 0 { // result() shows the last iteration
			r.drop(a, f.push(a.Name, nil, i-1))
		}
		if !r.checkpoint(rec) {
			return nil
		}
	}
	if !met && ctx.Err() == nil && a.Has("FailWhenLimitsReached") {
		o := failed("UntilLimitsReached", fmt.Sprintf("The loop '%s' reached its limit of %d iterations or '%s' before its condition was met.", a.Name, count, timeout))
		return &o
	}
	return r.containerOutcome(ctx, status)
}

func terminationOf(m *expr.Object) *terminated {
	s, _ := m.Value("runStatus").(string)
	return &terminated{status: s, err: object(m.Value("runError"))}
}

func (r *run) terminate(a *definition.Action, f *frame, rec *record) *outcome {
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		o := invalid(a, err)
		return &o
	}
	in := object(v)
	s, _ := in.Value("runStatus").(string)
	var status string
	switch strings.ToLower(s) {
	case "succeeded":
		status = Succeeded
	case "failed":
		status = Failed
	case "cancelled":
		status = Cancelled
	default:
		o := failed("InvalidTemplate", fmt.Sprintf("The 'runStatus' of the Terminate action '%s' is '%s'; it must be Succeeded, Failed or Cancelled.", a.Name, s)).with(in)
		return &o
	}
	var re any
	if status == Failed {
		re = in.Value("runError")
	}
	rec.meta = metaWith(rec.meta, "runStatus", status, "runError", re)
	done := r.finish(rec, outcome{status: Succeeded, code: "NotSpecified", inputs: in, hasIn: true})
	if done == nil {
		return nil
	}
	*rec = *done
	r.mu.Lock()
	r.term = terminationOf(rec.meta)
	r.mu.Unlock()
	r.cancel(errTerminated)
	return &outcome{status: Succeeded, code: "NotSpecified", inputs: in, hasIn: true}
}
