package definition

import (
	"picket/playbook/expr"
	"strings"
)

// check looks at the whole definition after it is read.
func (r *reader) check() {
	d := r.def
	if len(d.order) > MaxActions {
		r.fail("", []string{"actions"}, "the definition has %d actions, the limit is %d", len(d.order), MaxActions)
	}
	variables := map[string]bool{}
	count := 0
	for _, a := range d.order {
		if a.Type != "InitializeVariable" {
			continue
		}
		in, _ := a.Inputs.(*expr.Object)
		list, _ := in.Value("variables").([]any)
		if len(list) == 0 {
			r.fail("action '"+a.Name+"'", sub(a.Path, "inputs"), "'variables' must be an array with at least one variable")
		}
		if a.Parent != nil {
			r.fail("action '"+a.Name+"'", a.Path, "InitializeVariable stands inside '%s'; variables are initialized at the first level only", a.Parent.Name)
		}
		for _, v := range list {
			vo, _ := v.(*expr.Object)
			n, _ := vo.Value("name").(string)
			t, _ := vo.Value("type").(string)
			count++
			if n == "" {
				r.fail("action '"+a.Name+"'", sub(a.Path, "inputs", "variables"), "a variable needs a 'name'")
				continue
			}
			if variables[strings.ToLower(n)] {
				r.fail("action '"+a.Name+"'", sub(a.Path, "inputs", "variables"), "the variable '%s' is initialized twice", n)
			}
			variables[strings.ToLower(n)] = true
			switch strings.ToLower(t) {
			case "string", "integer", "float", "boolean", "array", "object":
			default:
				r.fail("action '"+a.Name+"'", sub(a.Path, "inputs", "variables"), "the variable '%s' has the type %q; it must be String, Integer, Float, Boolean, Array or Object", n, t)
			}
		}
	}
	if count > MaxVariables {
		r.fail("", []string{"actions"}, "the definition has %d variables, the limit is %d", count, MaxVariables)
	}
	r.siblings(d.Actions)
	for _, a := range d.order {
		for _, b := range a.Branches {
			r.siblings(b.Actions)
		}
		r.action(a, variables)
	}
	for _, t := range d.Triggers {
		r.trigger(t)
	}
	for _, o := range d.Outputs {
		r.expressions("output '"+o.Name+"'", []string{"outputs", o.Name, "value"}, o.Value, nil, variables)
	}
}

// siblings checks runAfter: it names actions of the same list, without a circle.
func (r *reader) siblings(list []*Action) {
	by := map[string]*Action{}
	for _, a := range list {
		by[strings.ToLower(a.Name)] = a
	}
	state := map[*Action]int{}
	var visit func(*Action) bool
	visit = func(a *Action) bool {
		switch state[a] {
		case 1:
			return true
		case 2:
			return false
		}
		state[a] = 1
		for _, af := range a.RunAfter {
			if p := by[strings.ToLower(af.Name)]; p != nil && visit(p) {
				state[a] = 2
				return true
			}
		}
		state[a] = 2
		return false
	}
	for _, a := range list {
		where := "action '" + a.Name + "'"
		for _, af := range a.RunAfter {
			p := by[strings.ToLower(af.Name)]
			switch {
			case p != nil:
			case r.def.Action(af.Name) != nil:
				r.fail(where, sub(a.Path, "runAfter", af.Name), "runAfter names the action '%s', which is in another container; it may name actions beside it only", af.Name)
			default:
				r.fail(where, sub(a.Path, "runAfter", af.Name), "runAfter names the action '%s', which is not defined%s", af.Name, meant(af.Name, r.actionNames()))
			}
		}
		if visit(a) {
			r.fail(where, sub(a.Path, "runAfter"), "the actions wait for each other in a circle through 'runAfter'")
		}
	}
}

func (r *reader) action(a *Action, variables map[string]bool) {
	where := "action '" + a.Name + "'"
	in, isObj := a.Inputs.(*expr.Object)
	need := func(names ...string) {
		if !isObj {
			r.fail(where, sub(a.Path, "inputs"), "'inputs' must be an object, it is of type '%s'", expr.TypeName(a.Inputs))
			return
		}
		for _, n := range names {
			if _, _, ok := in.Find(n); !ok {
				r.fail(where, sub(a.Path, "inputs"), "the input '%s' is missing", n)
			}
		}
	}
	switch a.Type {
	case "Http":
		need("method", "uri")
	case "ApiConnection", "ApiConnectionWebhook":
		need("host", "path")
	case "HttpWebhook":
		need("subscribe")
	case "Compose":
		if _, _, ok := a.Raw.Find("inputs"); !ok {
			r.fail(where, a.Path, "'inputs' is missing")
		}
	case "ParseJson":
		need("content")
	case "Query":
		need("from", "where")
	case "Select":
		need("from", "select")
	case "Join":
		need("from", "joinWith")
	case "Table":
		need("from", "format")
	case "SetVariable", "AppendToArrayVariable", "AppendToStringVariable":
		need("name", "value")
	case "IncrementVariable", "DecrementVariable":
		need("name")
	case "Response":
		need()
		for _, l := range a.Loops {
			r.fail(where, a.Path, "a Response can't stand inside the loop '%s'", l.Name)
			break
		}
	case "Terminate":
		need("runStatus")
		if len(a.Loops) > 0 {
			r.fail(where, a.Path, "a Terminate can't stand inside the loop '%s'", a.Loops[0].Name)
		}
	case "If":
		if a.Expression == nil {
			r.fail(where, a.Path, "'expression' is missing")
		}
	case "Switch":
		if a.Expression == nil {
			r.fail(where, a.Path, "'expression' is missing")
		}
	case "Foreach":
		if a.Foreach == nil {
			r.fail(where, a.Path, "'foreach' is missing")
		}
		if a.Concurrency > 1 && a.Has("Sequential") {
			r.fail(where, a.Path, "'Sequential' and a concurrency of %d can't both be set", a.Concurrency)
		}
	case "Until":
		if a.Expression == nil {
			r.fail(where, a.Path, "'expression' is missing")
		}
		if n, ok := a.Count.(int64); ok && (n < 1 || n > MaxUntil) {
			r.fail(where, sub(a.Path, "limit", "count"), "'count' must be from 1 to %d, it is %d", MaxUntil, n)
		}
	}
	switch a.Type {
	case "SetVariable", "IncrementVariable", "DecrementVariable", "AppendToArrayVariable", "AppendToStringVariable":
		if n, ok := in.Value("name").(string); ok && !expr.HasExpression(n) && !variables[strings.ToLower(n)] {
			r.fail(where, sub(a.Path, "inputs", "name"), "the variable '%s' is not initialized by any InitializeVariable action%s", n, meant(n, keysOf(variables)))
		}
	}
	r.expressions(where, sub(a.Path, "inputs"), a.Inputs, a, variables)
	r.expressions(where, sub(a.Path, "expression"), a.Expression, a, variables)
	r.expressions(where, sub(a.Path, "foreach"), a.Foreach, a, variables)
}

func (r *reader) trigger(t *Trigger) {
	where, p := "trigger '"+t.Name+"'", []string{"triggers", t.Name}
	if t.Inputs != nil {
		r.expressions(where, sub(p, "inputs"), t.Inputs, nil, nil)
	}
	if t.SplitOn != "" {
		r.expressions(where, sub(p, "splitOn"), t.SplitOn, nil, nil)
	}
	for _, c := range t.Conditions {
		r.expressions(where, sub(p, "conditions"), c, nil, nil)
	}
}

// expressions parses every string of a value and checks what its calls name: actions, variables, parameters,
// loops. Nothing is evaluated.
func (r *reader) expressions(where string, path []string, v any, in *Action, variables map[string]bool) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			r.expressions(where, path, e, in, variables)
		}
	case *expr.Object:
		for _, m := range x.Members() {
			if strings.Contains(m.Name, "@{") {
				r.expressions(where, sub(path, m.Name), m.Name, in, variables)
			}
			r.expressions(where, sub(path, m.Name), m.Value, in, variables)
		}
	case string:
		if !strings.Contains(x, "@") {
			return
		}
		t, err := expr.ParseTemplate(x)
		if err != nil {
			r.fail(where, path, "%v", err)
			return
		}
		for _, n := range t.Nodes() {
			for _, c := range expr.Calls(n) {
				r.call(where, path, c, in, variables)
			}
		}
	}
}

func (r *reader) call(where string, path []string, c expr.Call, in *Action, variables map[string]bool) {
	if !expr.Known(c.Name) {
		hint := ""
		if n := nearest(c.Name, expr.Functions()); n != "" {
			hint = " Did you mean '" + n + "'?"
		}
		r.fail(where, path, "The template function '%s' is not defined or not valid.%s", c.Name, hint)
		return
	}
	name := ""
	if len(c.Text) > 0 {
		name = c.Text[0]
	}
	if name == "" {
		return
	}
	switch strings.ToLower(c.Name) {
	case "actions", "body", "outputs", "actionbody", "actionoutputs", "result", "formdatavalue", "formdatamultivalues", "multipartbody":
		if r.def.Action(name) == nil {
			r.fail(where, path, "the expression names the action '%s', which is not defined%s", name, meant(name, r.actionNames()))
		}
	case "items", "iterationindexes":
		a := r.def.Action(name)
		if a == nil || !a.Loop() {
			r.fail(where, path, "%s('%s') doesn't name a loop of this workflow", c.Name, name)
			return
		}
		if in != nil {
			for _, l := range in.Loops {
				if l == a {
					return
				}
			}
			if in == a && a.Type == "Until" {
				return
			}
			r.fail(where, path, "%s('%s') stands outside the loop '%s'", c.Name, name, name)
		}
	case "variables":
		if variables != nil && !variables[strings.ToLower(name)] {
			r.fail(where, path, "the expression reads the variable '%s', which no InitializeVariable action declares%s", name, meant(name, keysOf(variables)))
		}
	case "parameters":
		if r.def.Parameter(name) == nil {
			r.fail(where, path, "the expression reads the parameter '%s', which the definition doesn't declare%s", name, meant(name, r.parameterNames()))
		}
	}
}
