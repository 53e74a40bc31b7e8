package playbook

import (
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"slices"
	"strings"
)

// A change of a variable is recorded as what was done (op, value) with its place among all changes (order), so
// that a resumed run sets the variables to where they were.

func (r *run) variable(a *definition.Action, f *frame, rec *record) *outcome {
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		o := invalid(a, err)
		return &o
	}
	in := object(v)
	if a.Type == "InitializeVariable" {
		return r.initialize(a, in, rec)
	}
	name, _ := in.Value("name").(string)
	value := in.Value("value")
	r.mu.Lock()
	o, done := r.change(a, rec, in, name, value)
	r.mu.Unlock()
	return r.changed(rec, o, done)
}

// changed gives the action what its record became.
func (r *run) changed(rec *record, o outcome, done *record) *outcome {
	if done != nil {
		*rec = *done
	}
	return &o
}

// commitChange records a change in the order of the changes; r.mu is held.
func (r *run) commitChange(rec *record, o outcome, meta *expr.Object) *record {
	n := *rec
	n.status, n.code, n.inputs, n.outputs, n.hasIn, n.hasOut = o.status, o.code, o.inputs, o.outputs, o.hasIn, o.hasOut
	n.end = r.e.now()
	r.seq++
	meta.Set("order", r.seq)
	n.meta = meta
	ev := Event{Kind: "action", Workflow: r.wf.name, Run: r.id, Name: n.name, Status: n.status, Code: n.code, Started: n.start, Ended: n.end, Tracking: r.tracking}
	r.putSoon(&n, func() { r.e.event(ev) })
	return &n
}

func (r *run) initialize(a *definition.Action, in *expr.Object, rec *record) *outcome {
	list, _ := in.Value("variables").([]any)
	r.mu.Lock()
	var made []any
	for _, x := range list {
		vo := object(x)
		name, _ := vo.Value("name").(string)
		typ, _ := vo.Value("type").(string)
		typ = canonicalType(typ)
		value, _, given := vo.Find("value")
		if !given || value == nil {
			value = zeroOf(typ)
		}
		value, ok := coerce(typ, value)
		if !ok {
			r.mu.Unlock()
			o := mismatch(name, typ, value).with(in)
			return &o
		}
		made = append(made, expr.NewObject("name", name, "type", typ, "value", value))
	}
	for _, m := range made {
		r.setVariable(object(m))
	}
	o := outcome{status: Succeeded, code: "NotSpecified", inputs: in, hasIn: true}
	done := r.commitChange(rec, o, expr.NewObject("op", "init", "variables", made))
	r.mu.Unlock()
	return r.changed(rec, o, done)
}

func (r *run) setVariable(o *expr.Object) {
	name, _ := o.Value("name").(string)
	typ, _ := o.Value("type").(string)
	value := o.Value("value")
	if l, ok := value.([]any); ok {
		value = slices.Clip(l) // an append must not write into someone else's array
	}
	r.vars[strings.ToLower(name)] = &variable{name, typ, value}
}

// replay does a recorded change again.
func (r *run) replay(meta *expr.Object) {
	switch meta.Value("op") {
	case "init":
		list, _ := meta.Value("variables").([]any)
		for _, m := range list {
			r.setVariable(object(m))
		}
	case "set":
		r.setVariable(object(meta.Value("variable")))
	case "append":
		name, _ := meta.Value("name").(string)
		if v := r.vars[strings.ToLower(name)]; v != nil {
			v.value = appended(v, meta.Value("value"))
		}
	}
}

func appended(v *variable, value any) any {
	if l, ok := v.value.([]any); ok {
		return append(l, value)
	}
	return expr.Text(v.value) + expr.Text(value)
}

// change changes one variable; r.mu is held. No record: it failed.
func (r *run) change(a *definition.Action, rec *record, in *expr.Object, name string, value any) (outcome, *record) {
	v := r.vars[strings.ToLower(name)]
	if v == nil {
		return failed("InvalidTemplate", fmt.Sprintf("The variable '%s' of action '%s' must be initialized before it can be used.", name, a.Name)).with(in), nil
	}
	var meta *expr.Object
	switch a.Type {
	case "SetVariable":
		nv, ok := coerce(v.typ, value)
		if !ok {
			return mismatch(name, v.typ, value).with(in), nil
		}
		vo := expr.NewObject("name", v.name, "type", v.typ, "value", nv)
		r.setVariable(vo)
		meta = expr.NewObject("op", "set", "variable", vo)
	case "IncrementVariable", "DecrementVariable":
		if value == nil {
			value = int64(1)
		}
		if v.typ != "Integer" && v.typ != "Float" {
			return failed("InvalidTemplate", fmt.Sprintf("The variable '%s' of type '%s' can't be incremented or decremented; it must be of type 'Integer' or 'Float'.", v.name, v.typ)).with(in), nil
		}
		by, ok := coerce(v.typ, value)
		if !ok {
			return mismatch(name, v.typ, value).with(in), nil
		}
		fn := "add"
		if a.Type == "DecrementVariable" {
			fn = "sub"
		}
		nv, err := expr.CallBuiltin(fn, v.value, by)
		if err != nil {
			return failed("InvalidTemplate", err.Error()).with(in), nil
		}
		vo := expr.NewObject("name", v.name, "type", v.typ, "value", nv)
		r.setVariable(vo)
		meta = expr.NewObject("op", "set", "variable", vo)
	case "AppendToArrayVariable", "AppendToStringVariable":
		want := "Array"
		if a.Type == "AppendToStringVariable" {
			want = "String"
		}
		if v.typ != want {
			return failed("InvalidTemplate", fmt.Sprintf("The variable '%s' is of type '%s'; the action '%s' of type '%s' needs one of type '%s'.", v.name, v.typ, a.Name, a.Type, want)).with(in), nil
		}
		if want == "String" {
			value = expr.Text(value)
		}
		v.value = appended(v, value)
		meta = expr.NewObject("op", "append", "name", v.name, "value", value)
	}
	out := expr.NewObject("name", v.name, "type", v.typ)
	if meta.Value("op") == "append" {
		out.Set("appended", value)
	} else {
		out.Set("value", r.vars[strings.ToLower(name)].value)
	}
	o := outcome{status: Succeeded, code: "NotSpecified", inputs: in, hasIn: true, outputs: expr.NewObject("body", out), hasOut: true}
	return o, r.commitChange(rec, o, meta)
}

func canonicalType(t string) string {
	switch strings.ToLower(t) {
	case "string":
		return "String"
	case "integer":
		return "Integer"
	case "float":
		return "Float"
	case "boolean":
		return "Boolean"
	case "array":
		return "Array"
	}
	return "Object"
}

func zeroOf(typ string) any {
	switch typ {
	case "String":
		return nil
	case "Integer", "Float", "Boolean", "Object":
		return nil
	}
	return []any{}
}

// coerce fits a value to a variable's type: numbers and booleans are taken from text too.
func coerce(typ string, v any) (any, bool) {
	if v == nil {
		return nil, true
	}
	got := expr.TypeName(v)
	switch {
	case got == typ:
		return v, true
	case typ == "Float" && got == "Integer":
		f, err := expr.CallBuiltin("float", v)
		return f, err == nil
	case got == "String" && (typ == "Integer" || typ == "Float" || typ == "Boolean"):
		fn := map[string]string{"Integer": "int", "Float": "float", "Boolean": "bool"}[typ]
		x, err := expr.CallBuiltin(fn, v)
		return x, err == nil
	case got == "String" && (typ == "Array" || typ == "Object"):
		x, err := expr.ParseJSONLenient(v.(string))
		if err == nil && expr.TypeName(x) == typ {
			return x, true
		}
		return v, false
	case typ == "String" && (got == "Integer" || got == "Float" || got == "Boolean"):
		return expr.Text(v), true
	case typ == "String" && got == "Object":
		if b, _, ok := expr.Binary(v); ok {
			return string(b), true
		}
		return expr.JSON(v), true
	case typ == "String" && got == "Array":
		return expr.JSON(v), true
	case typ == "Integer" && got == "Float":
		x, err := expr.CallBuiltin("int", v)
		return x, err == nil
	}
	return v, false
}

func mismatch(name, want string, v any) outcome {
	return failed("InvalidTemplate", fmt.Sprintf("The variable '%s' of type '%s' cannot be initialized or updated with value of type '%s'. The variable '%s' only supports values of types '%s'.", name, want, expr.TypeName(v), name, want))
}
