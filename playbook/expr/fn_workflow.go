package expr

import (
	"mime"
	"strings"
)

func needName(name string, args []any) (string, error) {
	s, ok := args[0].(string)
	if !ok {
		return "", errf("The provided parameters for template language function '%s' are not valid.", name)
	}
	return s, nil
}

func named(get func(Env, string) (any, error)) eagerFn {
	return func(e *evaluator, name string, args []any) (any, error) {
		n, err := needName(name, args)
		if err != nil {
			return nil, err
		}
		return get(e.env, n)
	}
}

func parameters(e *evaluator, name string, args []any) (any, error) {
	return named(Env.Parameter)(e, name, args)
}

func variables(e *evaluator, name string, args []any) (any, error) {
	return named(Env.Variable)(e, name, args)
}

func items(e *evaluator, name string, args []any) (any, error) {
	return named(Env.Items)(e, name, args)
}

func iterationIndexes(e *evaluator, name string, args []any) (any, error) {
	return named(Env.IterationIndex)(e, name, args)
}

func result(e *evaluator, name string, args []any) (any, error) {
	return named(Env.Result)(e, name, args)
}
func item(e *evaluator, _ string, _ []any) (any, error) { return e.env.Item() }

func listCallbackURL(e *evaluator, _ string, _ []any) (any, error) { return e.env.CallbackURL() }

func record(o *Object, err error) (any, error) {
	if err != nil || o == nil {
		return nil, err
	}
	return o, nil
}

func action(e *evaluator, _ string, _ []any) (any, error)  { return record(e.env.CurrentAction()) }
func trigger(e *evaluator, _ string, _ []any) (any, error) { return record(e.env.Trigger()) }
func workflow(e *evaluator, _ string, _ []any) (any, error) {
	return record(e.env.Workflow())
}

func actions(e *evaluator, name string, args []any) (any, error) {
	n, err := needName(name, args)
	if err != nil {
		return nil, err
	}
	return record(e.env.Action(n))
}

func actionOutputs(e *evaluator, name string, args []any) (any, error) {
	n, err := needName(name, args)
	if err != nil {
		return nil, err
	}
	r, err := e.env.Action(n)
	if err != nil || r == nil {
		return nil, err
	}
	return r.Value("outputs"), nil
}

func outputs(e *evaluator, name string, args []any) (any, error) { return actionOutputs(e, name, args) }

// bodyOf is an outputs' body; outputs that have none (a Compose of anything) are the body themselves.
func bodyOf(out any) any {
	o, ok := out.(*Object)
	if !ok {
		return out
	}
	if v, _, ok := o.Find("body"); ok {
		return v
	}
	for _, n := range []string{"statusCode", "headers", "errors"} {
		if _, ok := o.Get(n); ok {
			return nil
		}
	}
	return out
}

func body(e *evaluator, name string, args []any) (any, error) {
	out, err := actionOutputs(e, name, args)
	if err != nil {
		return nil, err
	}
	return bodyOf(out), nil
}

func triggerOutputs(e *evaluator, _ string, _ []any) (any, error) {
	t, err := e.env.Trigger()
	if err != nil || t == nil {
		return nil, err
	}
	return t.Value("outputs"), nil
}

func triggerBody(e *evaluator, name string, args []any) (any, error) {
	out, err := triggerOutputs(e, name, args)
	if err != nil {
		return nil, err
	}
	if o, ok := out.(*Object); ok {
		return o.Value("body"), nil
	}
	return nil, nil
}

// formOutputs finds the outputs that a form function reads, and the parameter after the action's name.
func formOutputs(e *evaluator, name string, args []any) (out any, key any, err error) {
	if strings.HasPrefix(name, "trigger") {
		out, err = triggerOutputs(e, name, nil)
		return out, args[0], err
	}
	out, err = actionOutputs(e, name, args[:1])
	return out, args[1], err
}

// contentType is the media type of outputs: their header, else what the body's envelope says.
func contentType(out any) string {
	o, ok := out.(*Object)
	if !ok {
		return ""
	}
	if h, ok := o.Value("headers").(*Object); ok {
		if ct, ok := h.Value("Content-Type").(string); ok {
			return ct
		}
	}
	if b, ok := bodyOf(out).(*Object); ok {
		ct, _ := b.Value("$content-type").(string)
		return ct
	}
	return ""
}

func mediaType(ct string) string {
	m, _, _ := strings.Cut(ct, ";")
	return strings.ToLower(strings.TrimSpace(m))
}

func parts(out any) []*Object {
	b, ok := bodyOf(out).(*Object)
	if !ok {
		return nil
	}
	list, _ := b.Value("$multipart").([]any)
	var ps []*Object
	for _, e := range list {
		if p, ok := e.(*Object); ok {
			ps = append(ps, p)
		}
	}
	return ps
}

func partName(p *Object) string {
	h, _ := p.Value("headers").(*Object)
	cd, _ := h.Value("Content-Disposition").(string)
	_, params, err := mime.ParseMediaType(cd)
	if err != nil {
		return ""
	}
	return params["name"]
}

func formData(e *evaluator, name string, args []any) (any, error) {
	out, k, err := formOutputs(e, name, args)
	if err != nil {
		return nil, err
	}
	key, ok := k.(string)
	if !ok {
		return nil, errf("The provided parameters for template language function '%s' are not valid.", name)
	}
	ct := contentType(out)
	if m := mediaType(ct); m != "multipart/form-data" && m != "application/x-www-form-urlencoded" {
		if ct == "" {
			ct = "<null>"
		}
		return nil, errf("The template language function '%s' failed to retrieve formdata contents from outputs. The output content is not a valid form data content. Supported form data content types are 'multipart/form-data' and 'application/x-www-form-urlencoded' and the provided content type is '%s'.", name, ct)
	}
	found := []any{}
	if b, ok := bodyOf(out).(*Object); ok {
		if list, ok := b.Value("$formdata").([]any); ok {
			for _, f := range list {
				if fo, ok := f.(*Object); ok && fo.Value("key") == key {
					found = append(found, fo.Value("value"))
				}
			}
		} else {
			for _, p := range parts(out) {
				if partName(p) == key {
					found = append(found, p.Value("body"))
				}
			}
		}
	}
	if strings.HasSuffix(name, "MultiValues") {
		return found, nil
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, errf("The template language function '%s' failed to retrieve formdata contents from outputs. There are more than one items matching the field name '%s': it has more than one value.", name, key)
}

func multipart(e *evaluator, name string, args []any) (any, error) {
	out, k, err := formOutputs(e, name, args)
	if err != nil {
		return nil, err
	}
	i, err := needInt(name, []any{k}, 0)
	if err != nil {
		return nil, err
	}
	ct := contentType(out)
	if !strings.HasPrefix(mediaType(ct), "multipart/") {
		if ct == "" {
			ct = "<null>"
		}
		return nil, errf("The template language function '%s' failed to retrieve multipart contents from outputs. The supported multipart content type is 'multipart/*' and the provided content type is '%s'.", name, ct)
	}
	ps := parts(out)
	if i < 0 || i >= int64(len(ps)) {
		return nil, errf("The template language function '%s' failed to retrieve multipart contents from outputs. The index value '%d' exceeds the number of multipart contents '%d' in the outputs.", name, i, len(ps))
	}
	return ps[i].Value("body"), nil
}
