package expr

import (
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Env is what an expression can ask of the run it stands in. A method returns an error (best an *Error) when
// the thing isn't there.
type Env interface {
	Now() time.Time
	Parameter(name string) (any, error)
	Variable(name string) (any, error)
	Action(name string) (*Object, error) // the action's record: name, inputs, outputs, status, code, …
	CurrentAction() (*Object, error)
	Trigger() (*Object, error) // the trigger's record, with outputs
	Workflow() (*Object, error)
	Item() (any, error)
	Items(loop string) (any, error)
	IterationIndex(loop string) (any, error)
	Result(scope string) (any, error)
	CallbackURL() (string, error)
}

// Error is a failure of an expression, in the service's words.
type Error struct{ Msg string }

func (e *Error) Error() string { return e.Msg }

func errf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// NoEnv is an Env where nothing is available; embed it and override. Its Now is time.Now.
type NoEnv struct{}

func notHere(fn string) error {
	return errf("The template function '%s' is not expected at this location.", fn)
}

func (NoEnv) Now() time.Time                     { return time.Now() }
func (NoEnv) Parameter(n string) (any, error)    { return nil, notHere("parameters") }
func (NoEnv) Variable(n string) (any, error)     { return nil, notHere("variables") }
func (NoEnv) Action(n string) (*Object, error)   { return nil, notHere("actions") }
func (NoEnv) CurrentAction() (*Object, error)    { return nil, notHere("action") }
func (NoEnv) Trigger() (*Object, error)          { return nil, notHere("trigger") }
func (NoEnv) Workflow() (*Object, error)         { return nil, notHere("workflow") }
func (NoEnv) Item() (any, error)                 { return nil, notHere("item") }
func (NoEnv) Items(n string) (any, error)        { return nil, notHere("items") }
func (NoEnv) IterationIndex(string) (any, error) { return nil, notHere("iterationIndexes") }
func (NoEnv) Result(string) (any, error)         { return nil, notHere("result") }
func (NoEnv) CallbackURL() (string, error)       { return "", notHere("listCallbackUrl") }

const (
	maxSteps = 1_000_000   // evaluation steps of one string
	maxText  = 104_857_600 // characters of one text (functions reference, concat)
)

type evaluator struct {
	env   Env
	steps int
}

// Evaluate evaluates one string of a definition.
func Evaluate(s string, env Env) (any, error) {
	if !strings.Contains(s, "@") {
		return s, nil
	}
	t, err := ParseTemplate(s)
	if err != nil {
		return nil, err
	}
	return t.Evaluate(env)
}

// Evaluate gives the string's value.
func (t *Template) Evaluate(env Env) (any, error) {
	e := &evaluator{env: env}
	if t.Whole != nil {
		return e.eval(t.Whole)
	}
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Expr == nil {
			b.WriteString(p.Text)
			continue
		}
		v, err := e.eval(p.Expr)
		if err != nil {
			return nil, err
		}
		b.WriteString(Text(v))
		if b.Len() > maxText {
			return nil, errf("The result of the string interpolation exceeds the limit of %d characters.", maxText)
		}
	}
	return b.String(), nil
}

// EvaluateNode evaluates a parsed expression.
func EvaluateNode(n Node, env Env) (any, error) { return (&evaluator{env: env}).eval(n) }

// EvaluateTree evaluates every string (and every property name) inside a JSON value.
func EvaluateTree(v any, env Env) (any, error) { return evalTree(v, env, 0) }

func evalTree(v any, env Env, depth int) (any, error) {
	if depth > MaxJSONDepth {
		return nil, errf("The value is nested deeper than %d.", MaxJSONDepth)
	}
	switch x := v.(type) {
	case string:
		return Evaluate(x, env)
	case []any:
		out := make([]any, len(x))
		for i, el := range x {
			r, err := evalTree(el, env, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = r
		}
		return out, nil
	case *Object:
		out := &Object{}
		for _, m := range x.Members() {
			name := m.Name
			if strings.Contains(name, "@") {
				nv, err := Evaluate(name, env)
				if err != nil {
					return nil, err
				}
				name = Text(nv)
			}
			r, err := evalTree(m.Value, env, depth+1)
			if err != nil {
				return nil, err
			}
			out.Set(name, r)
		}
		return out, nil
	}
	return v, nil
}

func (e *evaluator) eval(n Node) (any, error) {
	e.steps++
	if e.steps > maxSteps {
		return nil, errf("The expression takes more than %d steps.", maxSteps)
	}
	switch x := n.(type) {
	case *literal:
		return x.v, nil
	case *call:
		if x.fn == nil {
			return nil, errf("The template function '%s' is not defined or not valid.", x.name)
		}
		if len(x.args) < x.fn.min || (x.fn.max >= 0 && len(x.args) > x.fn.max) {
			return nil, arityError(x.fn, x.name, len(x.args))
		}
		if x.fn.lazy != nil {
			return x.fn.lazy(e, x.fn.name, x.args)
		}
		args := make([]any, len(x.args))
		for i, a := range x.args {
			v, err := e.eval(a)
			if err != nil {
				return nil, err
			}
			args[i] = v
		}
		return x.fn.eager(e, x.fn.name, args)
	case *access:
		base, err := e.eval(x.base)
		if err != nil {
			return nil, err
		}
		key, err := e.eval(x.key)
		if err != nil {
			return nil, err
		}
		if s, ok := key.(string); ok && !x.dot && strings.Contains(s, "/") {
			return e.walk(x, base, s)
		}
		return selectOne(n, base, key, x.optional)
	}
	return nil, errf("The expression is not valid.")
}

// walk follows 'body/value', the connectors' way to write nested properties; a property that has the whole
// text as its name comes first.
func (e *evaluator) walk(n *access, base any, key string) (any, error) {
	if o, ok := base.(*Object); ok {
		if v, _, ok := o.Find(key); ok {
			return v, nil
		}
	}
	v := base
	for _, part := range strings.Split(key, "/") {
		var err error
		if v, err = selectOne(n, v, part, n.optional); err != nil {
			return nil, err
		}
		if v == nil {
			return nil, nil
		}
	}
	return v, nil
}

func selectOne(n Node, base, key any, optional bool) (any, error) {
	src := func() string { return Source(n) }
	if key == nil {
		key = ""
	}
	switch x := base.(type) {
	case nil:
		if optional {
			return nil, nil
		}
		return nil, errf("The template language expression '%s' cannot be evaluated because property '%s' cannot be selected. Please see https://aka.ms/logicexpressions for usage details.", src(), Text(key))
	case []any:
		i, ok := indexOf(key)
		if !ok {
			return nil, errf("The template language expression '%s' cannot be evaluated because property '%s' cannot be selected. Array elements can only be selected using an integer index. Please see https://aka.ms/logicexpressions for usage details.", src(), Text(key))
		}
		if i < 0 || i >= int64(len(x)) {
			if optional {
				return nil, nil
			}
			return nil, errf("The template language expression '%s' cannot be evaluated because array index '%d' is outside bounds (0, %d) of array. Please see https://aka.ms/logicexpressions for usage details.", src(), i, len(x)-1)
		}
		return x[i], nil
	case *Object:
		name := Text(key)
		if v, _, ok := x.Find(name); ok {
			return v, nil
		}
		if optional {
			return nil, nil
		}
		return nil, errf("The template language expression '%s' cannot be evaluated because property '%s' doesn't exist, available properties are '%s'. Please see https://aka.ms/logicexpressions for usage details.", src(), name, strings.Join(x.Names(), ", "))
	}
	return nil, errf("The template language expression '%s' cannot be evaluated because property '%s' cannot be selected. Property selection is not supported on values of type '%s'. Please see https://aka.ms/logicexpressions for usage details.", src(), Text(key), TypeName(base))
}

func indexOf(key any) (int64, bool) {
	switch k := key.(type) {
	case int64:
		return k, true
	case string:
		if k == "" || len(k) > 18 || strings.Trim(k, "0123456789") != "" {
			return 0, false
		}
		b, _ := new(big.Int).SetString(k, 10)
		return b.Int64(), true
	}
	return 0, false
}
