package expr

import "strings"

// Arg is a parameter that is evaluated when it is asked for.
type Arg func() (any, error)

// CallFunc answers a call of a language that shares this one's grammar but not its functions (ARM templates).
type CallFunc func(name string, args []Arg) (any, error)

// EvaluateWith evaluates an expression whose calls f answers.
func EvaluateWith(n Node, f CallFunc) (any, error) {
	steps := 0
	return evalWith(n, f, &steps)
}

func evalWith(n Node, f CallFunc, steps *int) (any, error) {
	if *steps++; *steps > maxSteps {
		return nil, errf("The expression takes more than %d steps.", maxSteps)
	}
	switch x := n.(type) {
	case *literal:
		return x.v, nil
	case *call:
		args := make([]Arg, len(x.args))
		for i, a := range x.args {
			args[i] = func() (any, error) { return evalWith(a, f, steps) }
		}
		return f(x.name, args)
	case *access:
		base, err := evalWith(x.base, f, steps)
		if err != nil {
			return nil, err
		}
		key, err := evalWith(x.key, f, steps)
		if err != nil {
			return nil, err
		}
		return selectOne(n, base, key, x.optional)
	}
	return nil, errf("The expression is not valid.")
}

// CallBuiltin calls a function of this language by name with values, with nothing of a run available.
func CallBuiltin(name string, args ...any) (any, error) {
	f := lookup(name)
	if f == nil || f.eager == nil {
		return nil, errf("The template function '%s' is not defined or not valid.", name)
	}
	if len(args) < f.min || f.max >= 0 && len(args) > f.max {
		return nil, arityError(f, name, len(args))
	}
	return f.eager(&evaluator{env: NoEnv{}}, f.name, args)
}

// HasExpression says whether a string of a definition holds an expression.
func HasExpression(s string) bool {
	t, err := ParseTemplate(s)
	if err != nil {
		return strings.Contains(s, "@")
	}
	_, static := t.Static()
	return !static
}
