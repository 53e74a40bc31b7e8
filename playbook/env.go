package playbook

import (
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"time"
)

// runEnv is what an expression of a run can ask for.
type runEnv struct {
	r    *run
	f    *frame
	cur  *record // the action that evaluates, for action() and listCallbackUrl()
	item any     // of a Select, Query or Table
	has  bool
	back func() (string, error) // listCallbackUrl()
}

func (r *run) env(f *frame, cur *record) *runEnv { return &runEnv{r: r, f: f, cur: cur} }

func (r *run) itemEnv(f *frame, item any) *runEnv { return &runEnv{r: r, f: f, item: item, has: true} }

func exprError(format string, args ...any) error {
	return &expr.Error{Msg: fmt.Sprintf(format, args...)}
}

func unavailable(fn string) error {
	return exprError("The template function '%s' is not expected at this location.", fn)
}

func (e *runEnv) Now() time.Time { return e.r.e.now() }

func (e *runEnv) Parameter(name string) (any, error) {
	return parameterOf(e.r.ver, name)
}

func parameterOf(v *version0, name string) (any, error) {
	if x, _, ok := v.parameters.Find(name); ok {
		return x, nil
	}
	if p := v.def.Parameter(name); p != nil && p.HasDefault {
		return p.Default, nil
	}
	return nil, exprError("The workflow parameter '%s' is not found.", name)
}

func (e *runEnv) Variable(name string) (any, error) {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	v := e.r.vars[strings.ToLower(name)]
	if v == nil {
		return nil, exprError("The variable '%s' must be initialized before it can be used inside action.", name)
	}
	return v.value, nil
}

// find finds the record of an action as seen from here: inside the same loops, the same repetition.
func (e *runEnv) find(name string) (*definition.Action, *record, error) {
	a := e.r.def.Action(name)
	if a == nil {
		return nil, nil, exprError("The template action '%s' is not defined in the template.", name)
	}
	reps := strings.Split(e.f.rep, "-")
	if e.f.rep == "" {
		reps = nil
	}
	if len(a.Loops) > len(reps) {
		return a, nil, exprError("The template action '%s' stands inside the loop '%s'; an expression outside the loop can't select one of its repetitions.", a.Name, a.Loops[len(a.Loops)-1].Name)
	}
	for i, l := range a.Loops {
		if i < len(e.f.loops) && e.f.loops[i].name != strings.ToLower(l.Name) {
			return a, nil, exprError("The template action '%s' stands inside the loop '%s'; an expression outside the loop can't select one of its repetitions.", a.Name, l.Name)
		}
	}
	return a, e.r.get(a.Name, strings.Join(reps[:len(a.Loops)], "-")), nil
}

func (e *runEnv) Action(name string) (*expr.Object, error) {
	_, rec, err := e.find(name)
	if err != nil || rec == nil {
		return nil, err
	}
	return e.r.publicRecord(rec), nil
}

// publicRecord is an action's record as expressions see it.
func (r *run) publicRecord(rec *record) *expr.Object {
	o := expr.NewObject("name", rec.name)
	container := rec.action != nil && rec.action.Container()
	if rec.hasIn && !container {
		o.Set("inputs", rec.inputs)
	}
	if rec.hasOut && !container {
		o.Set("outputs", rec.outputs)
	}
	o.Set("startTime", stamp(rec.start))
	if !rec.end.IsZero() {
		o.Set("endTime", stamp(rec.end))
	}
	o.Set("trackingId", rec.tracking)
	o.Set("clientTrackingId", r.tracking)
	if rec.code != "" && rec.code != "NotSpecified" {
		o.Set("code", rec.code)
	}
	o.Set("status", rec.status)
	if rec.err != nil {
		o.Set("error", rec.err)
	}
	return o
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

func (e *runEnv) CurrentAction() (*expr.Object, error) {
	if e.cur == nil {
		return nil, unavailable("action")
	}
	return e.r.publicRecord(e.cur), nil
}

func (e *runEnv) Trigger() (*expr.Object, error) { return e.r.trigger, nil }

func (e *runEnv) Workflow() (*expr.Object, error) { return e.r.e.workflowObject(e.r.wf, e.r.id), nil }

func (e *Engine) workflowObject(w *workflow, runID string) *expr.Object {
	id := e.resourceID("Microsoft.Logic/workflows", w.name)
	o := expr.NewObject("id", id, "name", w.name, "type", "Microsoft.Logic/workflows", "location", w.location, "tags", w.tags)
	if runID != "" {
		o.Set("run", expr.NewObject("id", id+"/runs/"+runID, "name", runID, "type", "Microsoft.Logic/workflows/runs"))
	}
	return o
}

func (e *Engine) resourceID(typ, name string) string {
	return "/subscriptions/" + e.deps.SubscriptionID + "/resourceGroups/" + e.deps.ResourceGroup + "/providers/" + typ + "/" + name
}

func (e *runEnv) Item() (any, error) {
	if e.has {
		return e.item, nil
	}
	for i := len(e.f.loops) - 1; i >= 0; i-- {
		if a := e.r.def.Action(e.f.loops[i].name); a != nil && a.Type == "Foreach" {
			return e.f.loops[i].item, nil
		}
	}
	return nil, unavailable("item")
}

func (e *runEnv) loop(name, fn string) (*loopFrame, error) {
	for i := range e.f.loops {
		if e.f.loops[i].name == strings.ToLower(name) {
			return &e.f.loops[i], nil
		}
	}
	return nil, exprError("The template function '%s' is not expected at this location: it stands outside the loop '%s'.", fn, name)
}

func (e *runEnv) Items(name string) (any, error) {
	l, err := e.loop(name, "items")
	if err != nil {
		return nil, err
	}
	return l.item, nil
}

func (e *runEnv) IterationIndex(name string) (any, error) {
	l, err := e.loop(name, "iterationIndexes")
	if err != nil {
		return nil, err
	}
	return int64(l.index), nil
}

func (e *runEnv) CallbackURL() (string, error) {
	if e.back == nil {
		return "", unavailable("listCallbackUrl")
	}
	return e.back()
}

// Result lists what the first-level actions of a container did.
func (e *runEnv) Result(name string) (any, error) {
	a, rec, err := e.find(name)
	if err != nil {
		return nil, err
	}
	if !a.Container() {
		return nil, exprError("The template function 'result' expects the name of a Scope, Foreach, Until, If or Switch action; '%s' is of type '%s'.", a.Name, a.Type)
	}
	rep := ""
	if rec != nil {
		rep = rec.rep
	}
	out := []any{}
	if !a.Loop() {
		for _, c := range a.Children() {
			if cr := e.r.get(c.Name, rep); cr != nil {
				out = append(out, e.r.publicRecord(cr))
			}
		}
		return out, nil
	}
	n := 0
	if c, ok := rec.metaValue("iterations").(int64); ok {
		n = int(c)
	}
	at := func(i int) string {
		s := fmt.Sprintf("%06d", i)
		if rep != "" {
			return rep + "-" + s
		}
		return s
	}
	for _, c := range a.Children() {
		if a.Type == "Until" {
			if cr := e.r.get(c.Name, at(n-1)); cr != nil {
				o := e.r.publicRecord(cr)
				o.Set("repetitionCount", int64(n))
				out = append(out, o)
			}
			continue
		}
		var each []any
		status := Succeeded
		var first, last *record
		for i := 0; i < n; i++ {
			cr := e.r.get(c.Name, at(i))
			if cr == nil {
				continue
			}
			if first == nil {
				first = cr
			}
			last = cr
			if cr.status == Failed || cr.status == TimedOut || cr.status == Cancelled {
				status = Failed
			}
			each = append(each, e.r.publicRecord(cr))
		}
		if first == nil {
			continue
		}
		o := expr.NewObject("name", c.Name, "outputs", each, "startTime", stamp(first.start), "endTime", stamp(last.end),
			"trackingId", first.tracking, "clientTrackingId", e.r.tracking, "code", "NotSpecified", "status", status, "repetitionCount", int64(n))
		out = append(out, o)
	}
	return out, nil
}

func (r *record) metaValue(name string) any {
	if r == nil {
		return nil
	}
	return r.meta.Value(name)
}
