package arm

import (
	"fmt"
	"picket/playbook/expr"
	"strings"

	"github.com/google/uuid"
)

// resourceList evaluates resources; parent is the resource they stand in, or nil.
func (t *template) resourceList(v any, path []string, parent *Resource) error {
	var list []expr.Member
	switch x := v.(type) {
	case []any:
		for i, e := range x {
			list = append(list, expr.Member{Name: fmt.Sprintf("[%d]", i), Value: e})
		}
	case *expr.Object: // language version 2: symbolic names
		list = x.Members()
	case nil:
		return nil
	default:
		return t.fail(path, "'resources' must be an array")
	}
	for _, m := range list {
		p := append(append([]string{}, path...), m.Name)
		o, ok := m.Value.(*expr.Object)
		if !ok {
			return t.fail(p, "a resource must be an object")
		}
		c, ok := o.Value("copy").(*expr.Object)
		if !ok {
			if err := t.resource(o, p, parent); err != nil {
				return err
			}
			continue
		}
		n, name, err := t.copyCount(c, append(p, "copy"))
		if err != nil {
			return err
		}
		outer := t.thisCopy
		for i := int64(0); i < n; i++ {
			t.copies[strings.ToLower(name)], t.thisCopy = i, strings.ToLower(name)
			if err := t.resource(o.Without("copy"), p, parent); err != nil {
				return err
			}
		}
		delete(t.copies, strings.ToLower(name))
		t.thisCopy = outer
	}
	return nil
}

func (t *template) copyCount(c *expr.Object, path []string) (int64, string, error) {
	nameV, err := t.eval(c.Value("name"), append(path, "name"))
	if err != nil {
		return 0, "", err
	}
	name, _ := nameV.(string)
	nv, err := t.eval(c.Value("count"), append(path, "count"))
	if err != nil {
		return 0, "", err
	}
	n, ok := nv.(int64)
	if !ok || n < 0 || n > MaxCopies {
		return 0, "", t.fail(append(path, "count"), "'count' of the copy loop must be an integer from 0 to %d, it is %s", MaxCopies, expr.JSON(nv))
	}
	return n, name, nil
}

// propertyCopy makes the array of a property or variable loop.
func (t *template) propertyCopy(c *expr.Object, path []string) (any, error) {
	n, name, err := t.copyCount(c, path)
	if err != nil {
		return nil, err
	}
	key := strings.ToLower(name)
	prev, had := t.copies[key]
	outer := t.thisCopy
	t.thisCopy = key
	out := []any{}
	for i := int64(0); i < n; i++ {
		t.copies[key] = i
		v, err := t.eval(c.Value("input"), append(path, "input"))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	t.thisCopy = outer
	if had {
		t.copies[key] = prev
	} else {
		delete(t.copies, key)
	}
	return out, nil
}

func (t *template) text(o *expr.Object, name string, path []string) (string, error) {
	v, err := t.eval(o.Value(name), append(append([]string{}, path...), name))
	if err != nil || v == nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", t.fail(append(append([]string{}, path...), name), "'%s' must be a string, it is of type '%s'", name, expr.TypeName(v))
	}
	return s, nil
}

func (t *template) resource(o *expr.Object, path []string, parent *Resource) error {
	ok, err := t.condition(o, append([]string{}, path...))
	if err != nil || !ok {
		return err
	}
	r := &Resource{Path: path}
	for _, f := range []struct {
		name string
		to   *string
	}{{"type", &r.Type}, {"name", &r.Name}, {"apiVersion", &r.APIVersion}, {"kind", &r.Kind}, {"location", &r.Location}} {
		if *f.to, err = t.text(o, f.name, path); err != nil {
			return err
		}
	}
	if r.Type == "" || r.Name == "" {
		return t.fail(path, "a resource needs 'type' and 'name'")
	}
	if parent != nil {
		if !strings.Contains(r.Type, "/") || strings.Count(r.Type, "/") == 0 || !strings.HasPrefix(strings.ToLower(r.Type), strings.ToLower(parent.Type)+"/") {
			r.Type = parent.Type + "/" + r.Type
		}
		if !strings.Contains(r.Name, "/") {
			r.Name = parent.Name + "/" + r.Name
		}
	}
	rg, sub := t.opt.ResourceGroup, t.opt.SubscriptionID
	if s, err := t.text(o, "resourceGroup", path); err != nil {
		return err
	} else if s != "" {
		rg = s
	}
	if s, err := t.text(o, "subscriptionId", path); err != nil {
		return err
	} else if s != "" {
		sub = s
	}
	r.ID = resourceID(sub, rg, r.Type, strings.Split(r.Name, "/"))
	if strings.EqualFold(r.Type, "Microsoft.Resources/deployments") {
		return t.nested(o, r, path, rg, sub)
	}
	if len(t.res.Resources) >= MaxResources {
		return t.fail(path, "the template has more than %d resources", MaxResources)
	}
	body := &expr.Object{}
	for _, m := range o.Members() {
		switch strings.ToLower(m.Name) {
		case "resources", "condition":
			continue
		}
		v, err := t.eval(m.Value, append(append([]string{}, path...), m.Name))
		if err != nil {
			return err
		}
		body.Set(m.Name, v)
	}
	if id, ok := body.Value("identity").(*expr.Object); ok && id.Value("principalId") == nil {
		// A made-up but constant principal, so that role assignments in the template can name it.
		id.Set("principalId", uuid.NewSHA1(uuid.NameSpaceURL, []byte(strings.ToLower(r.ID))).String())
		id.Set("tenantId", t.opt.TenantID)
	}
	r.Body = body
	r.Tags, _ = body.Value("tags").(*expr.Object)
	r.Properties, _ = body.Value("properties").(*expr.Object)
	if list, ok := body.Value("dependsOn").([]any); ok {
		for _, d := range list {
			if s, ok := d.(string); ok {
				r.DependsOn = append(r.DependsOn, s)
			}
		}
	}
	for _, other := range t.res.Resources {
		if strings.EqualFold(other.ID, r.ID) {
			return t.fail(path, "the resource '%s' is defined twice", r.ID)
		}
	}
	t.res.Resources = append(t.res.Resources, r)
	return t.resourceList(o.Value("resources"), append(append([]string{}, path...), "resources"), r)
}

// nested evaluates a deployment inside the template. Its expressions are the outer template's unless
// expressionEvaluationOptions.scope is inner.
func (t *template) nested(o *expr.Object, r *Resource, path []string, rg, sub string) error {
	if t.depth+1 >= maxNesting {
		return t.fail(path, "templates are nested deeper than %d", maxNesting)
	}
	props, _ := o.Value("properties").(*expr.Object)
	tpl, ok := props.Value("template").(*expr.Object)
	if !ok {
		m := Missing{Path: strings.Join(path, "."), Msg: fmt.Sprintf("the nested deployment '%s' has no inline 'template'; linked templates (templateLink) are not fetched. Put the template inline", r.Name)}
		m.Line, m.Column = t.res.Place(path)
		t.res.Missing = append(t.res.Missing, m)
		return nil
	}
	inner := &template{
		opt: t.opt, body: tpl, base: append(append([]string{}, path...), "properties", "template"), res: t.res,
		copies: map[string]int64{}, depth: t.depth + 1, work: t.work,
	}
	inner.opt.ResourceGroup, inner.opt.SubscriptionID, inner.opt.Deployment = rg, sub, r.Name
	scope := ""
	if e, ok := props.Value("expressionEvaluationOptions").(*expr.Object); ok {
		scope, _ = e.Value("scope").(string)
	}
	outputs := t.res.Outputs
	t.res.Outputs = &expr.Object{}
	defer func() { t.res.Outputs = outputs }()
	if strings.EqualFold(scope, "inner") {
		given := map[string]any{}
		if ps, ok := props.Value("parameters").(*expr.Object); ok {
			for _, m := range ps.Members() {
				v, err := t.eval(m.Value, append(append([]string{}, path...), "properties", "parameters", m.Name))
				if err != nil {
					return err
				}
				given[m.Name] = v
			}
		}
		return inner.run(given)
	}
	inner.params, inner.vars, inner.busy, inner.copies, inner.functions = t.params, t.vars, t.busy, t.copies, t.functions
	outerBody := t.body
	// Variables and parameters are looked up in the outer template.
	inner.body = expr.NewObject("variables", outerBody.Value("variables"), "parameters", outerBody.Value("parameters"))
	return inner.resourceList(tpl.Value("resources"), append(inner.base, "resources"), nil)
}

func resourceID(sub, rg, typ string, names []string) string {
	var b strings.Builder
	b.WriteString("/subscriptions/" + sub)
	if rg != "" {
		b.WriteString("/resourceGroups/" + rg)
	}
	b.WriteString(typePath(typ, names))
	return b.String()
}

func typePath(typ string, names []string) string {
	parts := strings.Split(typ, "/")
	var b strings.Builder
	b.WriteString("/providers/" + parts[0])
	for i, p := range parts[1:] {
		b.WriteString("/" + p)
		if i < len(names) {
			b.WriteString("/" + names[i])
		}
	}
	return b.String()
}
