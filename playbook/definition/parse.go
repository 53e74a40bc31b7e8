package definition

import (
	"fmt"
	"picket/playbook/expr"
	"strings"
	"time"
)

type reader struct {
	def  *Definition
	pos  Position
	errs Errors
}

// Parse reads and checks a definition. pos may be nil. The error is [Errors].
func Parse(o *expr.Object, pos Position) (*Definition, error) {
	r := &reader{def: &Definition{Raw: o, StaticResults: map[string]*expr.Object{}, all: map[string]*Action{}}, pos: pos}
	r.parameters()
	r.triggers()
	if sr, ok := o.Value("staticResults").(*expr.Object); ok {
		for _, m := range sr.Members() {
			if s, ok := m.Value.(*expr.Object); ok {
				r.def.StaticResults[strings.ToLower(m.Name)] = s
			}
		}
	}
	if v, present := o.Get("actions"); present && v != nil {
		r.def.Actions = r.actions(v, []string{"actions"}, nil, nil, 1)
	}
	r.outputs()
	r.check()
	if len(r.errs) > 0 {
		return nil, r.errs
	}
	return r.def, nil
}

func (r *reader) fail(where string, path []string, format string, args ...any) {
	e := &Error{Code: "InvalidTemplate", Where: where, Path: strings.Join(path, "."), Msg: fmt.Sprintf(format, args...)}
	for n := len(path); n > 0 && r.pos != nil && e.Line == 0; n-- {
		e.Line, e.Column = r.pos(path[:n])
	}
	if len(r.errs) < 200 {
		r.errs = append(r.errs, e)
	}
}

func (r *reader) place(path []string) (int, int) {
	if r.pos == nil {
		return 0, 0
	}
	return r.pos(path)
}

func sub(path []string, more ...string) []string {
	return append(append(make([]string, 0, len(path)+len(more)), path...), more...)
}

func (r *reader) object(where string, path []string, v any) *expr.Object {
	if v == nil {
		return nil
	}
	o, ok := v.(*expr.Object)
	if !ok {
		r.fail(where, path, "'%s' must be an object, it is of type '%s'", path[len(path)-1], expr.TypeName(v))
	}
	return o
}

func (r *reader) text(where string, path []string, o *expr.Object, name string) string {
	v := o.Value(name)
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.fail(where, sub(path, name), "'%s' must be a string, it is of type '%s'", name, expr.TypeName(v))
	}
	return s
}

func (r *reader) integer(where string, path []string, o *expr.Object, name string, lo, hi int64) int {
	v := o.Value(name)
	if v == nil {
		return 0
	}
	if s, ok := v.(string); ok {
		if n, err := expr.CallBuiltin("int", s); err == nil {
			v = n
		}
	}
	n, ok := v.(int64)
	if !ok || n < lo || n > hi {
		r.fail(where, sub(path, name), "'%s' must be an integer from %d to %d, it is %s", name, lo, hi, expr.JSON(v))
		return 0
	}
	return int(n)
}

func (r *reader) parameters() {
	path := []string{"parameters"}
	o := r.object("", path, r.def.Raw.Value("parameters"))
	if o.Len() > MaxParameters {
		r.fail("", path, "the definition has %d parameters, the limit is %d", o.Len(), MaxParameters)
	}
	for _, m := range o.Members() {
		p := sub(path, m.Name)
		where := "parameter '" + m.Name + "'"
		po := r.object(where, p, m.Value)
		if po == nil {
			continue
		}
		prm := &Parameter{Name: m.Name, Type: strings.ToLower(r.text(where, p, po, "type"))}
		switch prm.Type {
		case "int", "float", "string", "securestring", "bool", "array", "object", "secureobject":
		default:
			r.fail(where, sub(p, "type"), "the type %q is not one of int, float, string, securestring, bool, array, object, secureobject", prm.Type)
		}
		prm.Default, prm.HasDefault = po.Get("defaultValue")
		prm.Allowed, _ = po.Value("allowedValues").([]any)
		r.def.Parameters = append(r.def.Parameters, prm)
	}
}

func (r *reader) outputs() {
	path := []string{"outputs"}
	o := r.object("", path, r.def.Raw.Value("outputs"))
	if o.Len() > MaxOutputs {
		r.fail("", path, "the definition has %d outputs, the limit is %d", o.Len(), MaxOutputs)
	}
	for _, m := range o.Members() {
		oo := r.object("output '"+m.Name+"'", sub(path, m.Name), m.Value)
		if oo != nil {
			r.def.Outputs = append(r.def.Outputs, &Output{m.Name, r.text("output '"+m.Name+"'", sub(path, m.Name), oo, "type"), oo.Value("value")})
		}
	}
}

func secure(rc *expr.Object) Secure {
	var s Secure
	sd, _ := rc.Value("secureData").(*expr.Object)
	list, _ := sd.Value("properties").([]any)
	for _, e := range list {
		switch t, _ := e.(string); strings.ToLower(t) {
		case "inputs":
			s.Inputs = true
		case "outputs":
			s.Outputs = true
		}
	}
	return s
}

func options(o *expr.Object) []string {
	s, _ := o.Value("operationOptions").(string)
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func (r *reader) triggers() {
	path := []string{"triggers"}
	o := r.object("", path, r.def.Raw.Value("triggers"))
	if o.Len() > MaxTriggers {
		r.fail("", path, "the definition has %d triggers, the limit is %d", o.Len(), MaxTriggers)
	}
	for _, m := range o.Members() {
		p, where := sub(path, m.Name), "trigger '"+m.Name+"'"
		to := r.object(where, p, m.Value)
		if to == nil {
			continue
		}
		t := &Trigger{Name: m.Name, Kind: r.text(where, p, to, "kind"), Raw: to, Options: options(to)}
		t.Line, t.Column = r.place(p)
		typ := r.text(where, p, to, "type")
		var ok bool
		if t.Type, ok = spelled(TriggerTypes(), typ); !ok {
			r.fail(where, sub(p, "type"), "the trigger type %q is not known; the known types are %s", typ, strings.Join(TriggerTypes(), ", "))
		}
		t.Inputs = r.object(where, sub(p, "inputs"), to.Value("inputs"))
		rc := r.object(where, sub(p, "runtimeConfiguration"), to.Value("runtimeConfiguration"))
		t.Secure = secure(rc)
		if c := r.object(where, sub(p, "runtimeConfiguration", "concurrency"), rc.Value("concurrency")); c != nil {
			cp := sub(p, "runtimeConfiguration", "concurrency")
			t.Runs = r.integer(where, cp, c, "runs", 1, 100)
			t.MaxWaiting = r.integer(where, cp, c, "maximumWaitingRuns", 1, 200)
		}
		if t.Has("SingleInstance") {
			if t.Runs > 0 {
				r.fail(where, sub(p, "operationOptions"), "'SingleInstance' and runtimeConfiguration.concurrency.runs can't both be set")
			}
			t.Runs = 1
		}
		if v := to.Value("splitOn"); v != nil {
			t.SplitOn = r.text(where, p, to, "splitOn")
		}
		if c, ok := to.Value("correlation").(*expr.Object); ok {
			t.TrackingID = r.text(where, sub(p, "correlation"), c, "clientTrackingId")
		}
		if v := to.Value("conditions"); v != nil {
			list, isList := v.([]any)
			if !isList {
				r.fail(where, sub(p, "conditions"), "'conditions' must be an array")
			}
			for i, e := range list {
				co, _ := e.(*expr.Object)
				s, ok := co.Value("expression").(string)
				if !ok {
					r.fail(where, sub(p, "conditions", fmt.Sprintf("[%d]", i)), "a condition must be an object with 'expression'")
					continue
				}
				t.Conditions = append(t.Conditions, s)
			}
		}
		if ro := r.object(where, sub(p, "recurrence"), to.Value("recurrence")); ro != nil {
			t.Recurrence = r.recurrence(where, sub(p, "recurrence"), ro)
		} else if t.Type == "Recurrence" {
			r.fail(where, p, "a Recurrence trigger needs 'recurrence' with 'frequency' and 'interval'")
		}
		r.def.Triggers = append(r.def.Triggers, t)
	}
}

var frequencies = map[string]struct {
	name string
	max  int64
}{
	"second": {"Second", 9_999_999}, "minute": {"Minute", 72_000}, "hour": {"Hour", 12_000}, "day": {"Day", 500},
	"week": {"Week", 71}, "month": {"Month", 16}, "year": {"Year", 1},
}

func (r *reader) recurrence(where string, p []string, o *expr.Object) *Recurrence {
	rec := &Recurrence{StartTime: r.text(where, p, o, "startTime"), TimeZone: r.text(where, p, o, "timeZone")}
	fr := r.text(where, p, o, "frequency")
	f, ok := frequencies[strings.ToLower(fr)]
	if !ok {
		r.fail(where, sub(p, "frequency"), "the frequency %q is not one of Second, Minute, Hour, Day, Week, Month, Year", fr)
		return rec
	}
	rec.Frequency = f.name
	if s, isText := o.Value("interval").(string); isText && expr.HasExpression(s) {
		r.fail(where, sub(p, "interval"), "'interval' is an expression that is not evaluated at deployment; write a number")
		return rec
	}
	rec.Interval = r.integer(where, p, o, "interval", 1, f.max)
	if rec.Interval == 0 {
		if o.Value("interval") == nil {
			r.fail(where, p, "'interval' is missing")
		}
		rec.Interval = 1
	}
	if rec.TimeZone != "" {
		if _, err := expr.Zone(rec.TimeZone); err != nil {
			r.fail(where, sub(p, "timeZone"), "%v", err)
		}
	}
	if rec.StartTime != "" {
		if _, err := expr.CallBuiltin("ticks", rec.StartTime); err != nil {
			r.fail(where, sub(p, "startTime"), "the start time %q is not a timestamp", rec.StartTime)
		}
	}
	s := r.object(where, sub(p, "schedule"), o.Value("schedule"))
	sp := sub(p, "schedule")
	ints := func(name string, lo, hi int64) []int {
		v := s.Value(name)
		list, ok := v.([]any)
		if v != nil && !ok {
			list = []any{v}
		}
		var out []int
		for _, e := range list {
			if t, isText := e.(string); isText {
				if n, err := expr.CallBuiltin("int", t); err == nil {
					e = n
				}
			}
			n, ok := e.(int64)
			if !ok || n < lo || n > hi {
				r.fail(where, sub(sp, name), "'%s' holds %s, it takes integers from %d to %d", name, expr.JSON(e), lo, hi)
				continue
			}
			out = append(out, int(n))
		}
		return out
	}
	rec.Hours, rec.Minutes, rec.MonthDays = ints("hours", 0, 23), ints("minutes", 0, 59), ints("monthDays", -31, 31)
	days, _ := s.Value("weekDays").([]any)
	for _, e := range days {
		t, _ := e.(string)
		found := false
		for d := time.Sunday; d <= time.Saturday; d++ {
			if strings.EqualFold(t, d.String()) {
				rec.WeekDays = append(rec.WeekDays, d)
				found = true
			}
		}
		if !found {
			r.fail(where, sub(sp, "weekDays"), "%s is not a day of the week", expr.JSON(e))
		}
	}
	if len(rec.WeekDays) > 0 && rec.Frequency != "Week" {
		r.fail(where, sub(sp, "weekDays"), "'weekDays' goes with the frequency Week only")
	}
	if (len(rec.Hours) > 0 || len(rec.Minutes) > 0) && (rec.Frequency == "Second" || rec.Frequency == "Minute" || rec.Frequency == "Hour") {
		r.fail(where, sp, "'hours' and 'minutes' go with the frequencies Day, Week and Month only")
	}
	return rec
}

func (r *reader) actions(v any, path []string, parent *Action, loops []*Action, depth int) []*Action {
	where := ""
	if parent != nil {
		where = "action '" + parent.Name + "'"
	}
	o := r.object(where, path, v)
	if depth > MaxNesting {
		r.fail(where, path, "actions are nested deeper than %d levels", MaxNesting)
		return nil
	}
	var out []*Action
	for _, m := range o.Members() {
		p := sub(path, m.Name)
		where := "action '" + m.Name + "'"
		ao := r.object(where, p, m.Value)
		if ao == nil {
			continue
		}
		a := &Action{
			Name: m.Name, Kind: r.text(where, p, ao, "kind"), Inputs: ao.Value("inputs"), Options: options(ao),
			Parent: parent, Loops: loops, Raw: ao, Path: p,
		}
		a.Line, a.Column = r.place(p)
		typ := r.text(where, p, ao, "type")
		var ok bool
		if a.Type, ok = spelled(ActionTypes(), typ); !ok {
			r.fail(where, sub(p, "type"), "the action type %q is not known%s", typ, meant(typ, ActionTypes()))
		}
		if n := len([]rune(m.Name)); n > MaxName || n == 0 {
			r.fail(where, p, "the name has %d characters, the limit is %d", n, MaxName)
		}
		key := strings.ToLower(m.Name)
		if other := r.def.all[key]; other != nil {
			r.fail(where, p, "the name is used by another action too; names are unique over the whole workflow, ignoring case")
		} else {
			r.def.all[key] = a
			r.def.order = append(r.def.order, a)
		}
		r.common(where, p, a)
		inner := loops
		if a.Loop() {
			inner = append(append([]*Action{}, loops...), a)
		}
		branch := func(name string, lit any, v any, bp []string) {
			a.Branches = append(a.Branches, &Branch{name, lit, r.actions(v, bp, a, inner, depth+1)})
		}
		switch a.Type {
		case "If":
			a.Expression = ao.Value("expression")
			branch("actions", nil, ao.Value("actions"), sub(p, "actions"))
			if e := r.object(where, sub(p, "else"), ao.Value("else")); e != nil {
				branch("else", nil, e.Value("actions"), sub(p, "else", "actions"))
			}
		case "Switch":
			a.Expression = ao.Value("expression")
			cases := r.object(where, sub(p, "cases"), ao.Value("cases"))
			if cases.Len() > MaxCases {
				r.fail(where, sub(p, "cases"), "the Switch has %d cases, the limit is %d", cases.Len(), MaxCases)
			}
			for _, c := range cases.Members() {
				co := r.object(where, sub(p, "cases", c.Name), c.Value)
				lit := co.Value("case")
				for _, b := range a.Branches {
					if expr.Equal(b.Case, lit) {
						r.fail(where, sub(p, "cases", c.Name, "case"), "the case %s stands twice", expr.JSON(lit))
					}
				}
				branch(c.Name, lit, co.Value("actions"), sub(p, "cases", c.Name, "actions"))
			}
			if d := r.object(where, sub(p, "default"), ao.Value("default")); d != nil {
				branch("default", nil, d.Value("actions"), sub(p, "default", "actions"))
			}
		case "Foreach":
			a.Foreach = ao.Value("foreach")
			branch("actions", nil, ao.Value("actions"), sub(p, "actions"))
		case "Until":
			a.Expression = ao.Value("expression")
			branch("actions", nil, ao.Value("actions"), sub(p, "actions"))
		case "Scope":
			branch("actions", nil, ao.Value("actions"), sub(p, "actions"))
		}
		out = append(out, a)
	}
	return out
}

func (r *reader) common(where string, p []string, a *Action) {
	ao := a.Raw
	ra := r.object(where, sub(p, "runAfter"), ao.Value("runAfter"))
	for _, m := range ra.Members() {
		af := After{Name: m.Name}
		list, ok := m.Value.([]any)
		if !ok {
			r.fail(where, sub(p, "runAfter", m.Name), "'runAfter' of '%s' must be an array of statuses", m.Name)
		}
		for _, e := range list {
			s, _ := e.(string)
			st, ok := spelled([]string{"Succeeded", "Failed", "Skipped", "TimedOut", "Cancelled"}, s)
			if !ok {
				r.fail(where, sub(p, "runAfter", m.Name), "the status %s is not one of Succeeded, Failed, Skipped, TimedOut", expr.JSON(e))
				continue
			}
			af.Statuses = append(af.Statuses, st)
		}
		a.RunAfter = append(a.RunAfter, af)
	}
	if l := r.object(where, sub(p, "limit"), ao.Value("limit")); l != nil {
		a.Timeout = r.text(where, sub(p, "limit"), l, "timeout")
		a.Count = l.Value("count")
		if a.Timeout != "" && !expr.HasExpression(a.Timeout) {
			if _, err := ParseDuration(a.Timeout); err != nil {
				r.fail(where, sub(p, "limit", "timeout"), "%v", err)
			}
		}
	}
	rc := r.object(where, sub(p, "runtimeConfiguration"), ao.Value("runtimeConfiguration"))
	a.Secure = secure(rc)
	if c, ok := rc.Value("concurrency").(*expr.Object); ok {
		a.Concurrency = r.integer(where, sub(p, "runtimeConfiguration", "concurrency"), c, "repetitions", 1, 50)
	}
	if pg, ok := rc.Value("paginationPolicy").(*expr.Object); ok {
		a.MinimumItems = r.integer(where, sub(p, "runtimeConfiguration", "paginationPolicy"), pg, "minimumItemCount", 1, 100_000)
	}
	if sr, ok := rc.Value("staticResult").(*expr.Object); ok {
		if o, _ := sr.Value("staticResultOptions").(string); strings.EqualFold(o, "Enabled") {
			a.StaticResult, _ = sr.Value("name").(string)
			if r.def.StaticResults[strings.ToLower(a.StaticResult)] == nil {
				r.fail(where, sub(p, "runtimeConfiguration", "staticResult"), "the static result '%s' is not defined in 'staticResults'", a.StaticResult)
			}
		}
	}
	a.Tracked = r.object(where, sub(p, "trackedProperties"), ao.Value("trackedProperties"))
	if a.Tracked != nil && len(expr.JSON(a.Tracked)) > MaxTracked {
		r.fail(where, sub(p, "trackedProperties"), "'trackedProperties' has more than %d characters", MaxTracked)
	}
}
