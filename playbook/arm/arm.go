// Package arm evaluates Azure Resource Manager templates (azuredeploy.json) as far as playbooks need them:
// parameters, variables, conditions, copy loops, nested templates, and the template functions. It deploys
// nothing; it answers what would be deployed, and lists by name what this host can't do.
//
//	res, err := arm.Evaluate(template, arm.Options{Parameters: map[string]any{"PlaybookName": "P"}})
//	for _, r := range res.Resources { … r.Type == "Microsoft.Logic/workflows" … }
//
// Source: "ARM template syntax" and "ARM template functions" of Microsoft's documentation.
package arm

import (
	"errors"
	"fmt"
	"picket/playbook/expr"
	"slices"
	"strings"
	"time"
)

// Limits of a template (ARM template limits).
const (
	MaxTemplate   = 4 << 20
	MaxParameters = 256
	MaxVariables  = 256
	MaxResources  = 800
	MaxOutputs    = 64
	MaxCopies     = 800
	maxNesting    = 5
)

// Options is what a template is deployed with and to.
type Options struct {
	Parameters     map[string]any // values by name, in any case; plain Go or expr values, or {"value": v}
	SubscriptionID string
	TenantID       string
	ResourceGroup  string
	Location       string
	Deployment     string // name of the deployment
	Now            func() time.Time

	// List answers listKeys(), listCallbackURL() and other list functions; nil refuses them by name.
	List func(function, resourceID string) (any, error)
	// Reference answers reference() for a resource that the template doesn't have; nil refuses.
	Reference func(resourceID string) (any, error)
}

// Resource is a resource of the template with every expression evaluated.
type Resource struct {
	Type, Name, ID string
	APIVersion     string
	Kind           string
	Location       string
	Tags           *expr.Object
	DependsOn      []string
	Properties     *expr.Object
	Body           *expr.Object // the whole resource
	Path           []string     // where it stands in the text
}

// Parameter is a declared parameter with the value it got.
type Parameter struct {
	Name, Type  string // Type in lower case
	Description string
	Value       any
	Default     bool // the value is the template's default
	Secure      bool
}

// Unavailable is what a List or Reference function answers for a value that this host can't know. The
// expression becomes null and the deployment's caller finds it in [Result.Missing].
type Unavailable struct{ Msg string }

func (u *Unavailable) Error() string { return u.Msg }

// Missing is an expression whose value only Azure knows.
type Missing struct {
	Path         string
	Line, Column int
	Msg          string
}

// Result is an evaluated template.
type Result struct {
	Missing    []Missing
	Resources  []*Resource
	Parameters []*Parameter
	Outputs    *expr.Object // name → value
	Positions  map[string][2]int
}

// Place finds the line and column of a path in the text; 0, 0 when unknown.
func (r *Result) Place(path []string) (line, column int) {
	p := r.Positions[strings.Join(path, "\x00")]
	return p[0], p[1]
}

// Secrets lists the values of the secure parameters, as texts.
func (r *Result) Secrets() []string {
	var out []string
	for _, p := range r.Parameters {
		if p.Secure {
			collectTexts(p.Value, &out)
		}
	}
	return out
}

func collectTexts(v any, out *[]string) {
	switch x := v.(type) {
	case string:
		if x != "" {
			*out = append(*out, x)
		}
	case []any:
		for _, e := range x {
			collectTexts(e, out)
		}
	case *expr.Object:
		for _, m := range x.Members() {
			collectTexts(m.Value, out)
		}
	}
}

// Error is a failure of a template, with its place.
type Error struct {
	Code         string // InvalidTemplate, InvalidTemplateDeployment
	Path         string
	Line, Column int
	Msg          string
}

func (e *Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("%s (at %s, line %d, column %d)", e.Msg, e.Path, e.Line, e.Column)
	case e.Path != "":
		return fmt.Sprintf("%s (at %s)", e.Msg, e.Path)
	}
	return e.Msg
}

// template is one scope of evaluation: the outer template, or a nested one.
type template struct {
	opt       Options
	body      *expr.Object
	base      []string
	res       *Result
	params    map[string]*Parameter
	vars      map[string]any // evaluated
	busy      map[string]bool
	copies    map[string]int64
	thisCopy  string
	depth     int
	inDefault bool                     // newGuid() and utcNow() are for defaults only
	functions map[string]*userFunction // by namespace.member in lower case
	calls     int                      // functions that called each other to get here
	work      *int
}

// Evaluate evaluates a template.
func Evaluate(text []byte, opt Options) (*Result, error) {
	if len(text) > MaxTemplate {
		return nil, &Error{Code: "InvalidTemplate", Msg: fmt.Sprintf("the template has %d bytes, the limit is %d", len(text), MaxTemplate)}
	}
	res := &Result{Positions: map[string][2]int{}, Outputs: &expr.Object{}}
	v, err := expr.ParseJSONPositions(text, func(path []string, line, col int) {
		res.Positions[strings.Join(path, "\x00")] = [2]int{line, col}
	})
	if err != nil {
		e := &Error{Code: "InvalidTemplate", Msg: err.Error()}
		var je *expr.JSONError
		if errors.As(err, &je) {
			e.Line, e.Column, e.Path = je.Line, je.Column, "the text"
		}
		return nil, e
	}
	o, ok := v.(*expr.Object)
	if !ok {
		return nil, &Error{Code: "InvalidTemplate", Msg: "the template must be an object"}
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Deployment == "" {
		opt.Deployment = "azuredeploy"
	}
	work := 0
	t := &template{opt: opt, body: o, res: res, copies: map[string]int64{}, work: &work}
	if err := t.run(opt.Parameters); err != nil {
		return nil, err
	}
	return res, nil
}

func (t *template) fail(path []string, format string, args ...any) error {
	e := &Error{Code: "InvalidTemplate", Path: strings.Join(path, "."), Msg: fmt.Sprintf(format, args...)}
	for n := len(path); n > 0 && e.Line == 0; n-- {
		e.Line, e.Column = t.res.Place(path[:n])
	}
	return e
}

func (t *template) at(path ...string) []string {
	return append(append(make([]string, 0, len(t.base)+len(path)), t.base...), path...)
}

func (t *template) run(given map[string]any) error {
	if t.body.Value("resources") == nil {
		return t.fail(t.at(), "the template has no 'resources'")
	}
	if err := t.userFunctions(); err != nil {
		return err
	}
	if err := t.parameters(given); err != nil {
		return err
	}
	t.vars, t.busy = map[string]any{}, map[string]bool{}
	if vs, ok := t.body.Value("variables").(*expr.Object); ok {
		if vs.Len() > MaxVariables {
			return t.fail(t.at("variables"), "the template has %d variables, the limit is %d", vs.Len(), MaxVariables)
		}
		for _, m := range vs.Members() {
			if strings.EqualFold(m.Name, "copy") {
				continue
			}
			if _, err := t.variable(m.Name); err != nil {
				return err
			}
		}
	}
	if err := t.resourceList(t.body.Value("resources"), t.at("resources"), nil); err != nil {
		return err
	}
	outs, _ := t.body.Value("outputs").(*expr.Object)
	if outs.Len() > MaxOutputs {
		return t.fail(t.at("outputs"), "the template has %d outputs, the limit is %d", outs.Len(), MaxOutputs)
	}
	for _, m := range outs.Members() {
		o, _ := m.Value.(*expr.Object)
		if c, err := t.condition(o, t.at("outputs", m.Name)); err != nil {
			return err
		} else if !c {
			continue
		}
		v, err := t.eval(o.Value("value"), t.at("outputs", m.Name, "value"))
		if err != nil {
			return err
		}
		t.res.Outputs.Set(m.Name, v)
	}
	return nil
}

func unwrap(v any) any {
	v = expr.FromGo(v)
	if o, ok := v.(*expr.Object); ok && o.Len() == 1 {
		if w, has := o.Get("value"); has {
			return w
		}
	}
	return v
}

func (t *template) parameters(given map[string]any) error {
	t.params = map[string]*Parameter{}
	decl, _ := t.body.Value("parameters").(*expr.Object)
	if decl.Len() > MaxParameters {
		return t.fail(t.at("parameters"), "the template has %d parameters, the limit is %d", decl.Len(), MaxParameters)
	}
	values := map[string]any{}
	for k, v := range given {
		if _, _, ok := decl.Find(k); !ok {
			return &Error{Code: "InvalidTemplate", Msg: fmt.Sprintf("the parameter '%s' is given and the template doesn't declare it; it declares '%s'", k, strings.Join(decl.Names(), "', '"))}
		}
		values[strings.ToLower(k)] = unwrap(v)
	}
	var missing []string
	for _, m := range decl.Members() {
		po, ok := m.Value.(*expr.Object)
		if !ok {
			return t.fail(t.at("parameters", m.Name), "the parameter '%s' must be an object", m.Name)
		}
		typ, _ := po.Value("type").(string)
		p := &Parameter{Name: m.Name, Type: strings.ToLower(typ)}
		if md, ok := po.Value("metadata").(*expr.Object); ok {
			p.Description, _ = md.Value("description").(string)
		}
		p.Secure = strings.HasPrefix(p.Type, "secure")
		v, ok := values[strings.ToLower(m.Name)]
		if !ok {
			def, _, has := po.Find("defaultValue")
			if !has {
				missing = append(missing, m.Name)
				continue
			}
			t.inDefault = true
			var err error
			v, err = t.eval(def, t.at("parameters", m.Name, "defaultValue"))
			t.inDefault = false
			if err != nil {
				return err
			}
			p.Default = true
		}
		if err := t.checkParameter(p, po, &v); err != nil {
			return err
		}
		p.Value = v
		t.params[strings.ToLower(m.Name)] = p
		if t.depth == 0 {
			t.res.Parameters = append(t.res.Parameters, p)
		}
	}
	if len(missing) > 0 {
		return &Error{Code: "InvalidTemplate", Msg: fmt.Sprintf("The value for the template parameter '%s' is not provided; the parameter has no default.", strings.Join(missing, "', '"))}
	}
	return nil
}

func (t *template) checkParameter(p *Parameter, decl *expr.Object, v *any) error {
	path := t.at("parameters", p.Name)
	var ok bool
	switch p.Type {
	case "string", "securestring":
		_, ok = (*v).(string)
	case "int":
		_, ok = (*v).(int64)
		if s, isText := (*v).(string); isText {
			n, err := expr.CallBuiltin("int", s)
			if ok = err == nil; ok {
				*v = n
			}
		}
	case "bool":
		_, ok = (*v).(bool)
		if s, isText := (*v).(string); isText {
			b, err := expr.CallBuiltin("bool", s)
			if ok = err == nil; ok {
				*v = b
			}
		}
	case "array":
		_, ok = (*v).([]any)
	case "object", "secureobject":
		_, ok = (*v).(*expr.Object)
	default:
		return t.fail(path, "the parameter '%s' has the type %q, which is not known", p.Name, p.Type)
	}
	if !ok {
		return t.fail(path, "the parameter '%s' must be of type '%s', the value is of type '%s'", p.Name, p.Type, expr.TypeName(*v))
	}
	if list, isList := decl.Value("allowedValues").([]any); isList && !slices.ContainsFunc(list, func(a any) bool { return expr.Equal(a, *v) }) {
		return t.fail(path, "the value of the parameter '%s' is not one of the allowed values %s", p.Name, expr.JSON(list))
	}
	bound := func(name string) (int64, bool) {
		n, ok := decl.Value(name).(int64)
		return n, ok
	}
	size := int64(-1)
	switch x := (*v).(type) {
	case string:
		size = int64(len([]rune(x)))
	case []any:
		size = int64(len(x))
	case int64:
		if n, ok := bound("minValue"); ok && x < n {
			return t.fail(path, "the value of the parameter '%s' is below %d", p.Name, n)
		}
		if n, ok := bound("maxValue"); ok && x > n {
			return t.fail(path, "the value of the parameter '%s' is above %d", p.Name, n)
		}
	}
	if n, ok := bound("minLength"); ok && size >= 0 && size < n {
		return t.fail(path, "the value of the parameter '%s' is shorter than %d", p.Name, n)
	}
	if n, ok := bound("maxLength"); ok && size > n {
		return t.fail(path, "the value of the parameter '%s' is longer than %d", p.Name, n)
	}
	return nil
}

func (t *template) variable(name string) (any, error) {
	vs, _ := t.body.Value("variables").(*expr.Object)
	key := strings.ToLower(name)
	if v, ok := t.vars[key]; ok {
		return v, nil
	}
	raw, has, ok := vs.Find(name)
	path := t.at("variables", has)
	if !ok {
		if list, isList := vs.Value("copy").([]any); isList { // variables made by a loop
			for i, e := range list {
				c, _ := e.(*expr.Object)
				if n, _ := c.Value("name").(string); strings.EqualFold(n, name) {
					v, err := t.propertyCopy(c, t.at("variables", "copy", fmt.Sprintf("[%d]", i)))
					if err == nil {
						t.vars[key] = v
					}
					return v, err
				}
			}
		}
		return nil, t.fail(t.at("variables"), "the variable '%s' is not defined", name)
	}
	if t.busy[key] {
		return nil, t.fail(path, "the variable '%s' needs itself", name)
	}
	t.busy[key] = true
	defer delete(t.busy, key)
	v, err := t.eval(raw, path)
	if err != nil {
		return nil, err
	}
	t.vars[key] = v
	return v, nil
}

func (t *template) condition(o *expr.Object, path []string) (bool, error) {
	c, _, ok := o.Find("condition")
	if !ok {
		return true, nil
	}
	v, err := t.eval(c, append(path, "condition"))
	if err != nil {
		return false, err
	}
	b, isBool := v.(bool)
	if s, isText := v.(string); isText {
		isBool, b = true, strings.EqualFold(s, "true")
	}
	if !isBool {
		return false, t.fail(append(path, "condition"), "'condition' must be a boolean, it is of type '%s'", expr.TypeName(v))
	}
	return b, nil
}
