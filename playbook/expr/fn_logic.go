package expr

import "strings"

func equals(_ *evaluator, name string, args []any) (any, error) {
	for _, a := range args[1:] {
		if !Equal(args[0], a) {
			return false, nil
		}
	}
	return true, nil
}

// compare orders numbers by value and texts ignoring case; anything else, or a mix, fails.
func compare(_ *evaluator, name string, args []any) (any, error) {
	a, b := args[0], args[1]
	c := 0
	sa, aText := a.(string)
	sb, bText := b.(string)
	switch {
	case isNumber(a) && isNumber(b):
		c = compareNumbers(a, b)
	case aText && bText:
		c = strings.Compare(upperInvariant(sa), upperInvariant(sb))
	case (isNumber(a) || aText) && (isNumber(b) || bText):
		return nil, errf("The template language function '%s' expects two parameter of matching types. The function was invoked with values of type '%s' and '%s' that do not match.", name, TypeName(a), TypeName(b))
	default:
		var bad []string
		for _, v := range args {
			if _, ok := v.(string); !ok && !isNumber(v) {
				bad = append(bad, TypeName(v))
			}
		}
		return nil, errf("The template language function '%s' expects all of its parameters to be either integer or decimal numbers. Found invalid parameter types: '%s'.", name, strings.Join(bad, "', '"))
	}
	switch name {
	case "greater":
		return c > 0, nil
	case "greaterOrEquals":
		return c >= 0, nil
	case "less":
		return c < 0, nil
	}
	return c <= 0, nil
}

// andOr stops at the first parameter that decides.
func andOr(e *evaluator, name string, args []Node) (any, error) {
	decides := name == "or"
	for _, a := range args {
		v, err := e.eval(a)
		if err != nil {
			return nil, err
		}
		b, ok := v.(bool)
		if !ok {
			return nil, errf("The template language function '%s' expects all of its parameters to be booleans. Found invalid parameter types: '%s'.", name, TypeName(v))
		}
		if b == decides {
			return decides, nil
		}
	}
	return !decides, nil
}

func not(_ *evaluator, name string, args []any) (any, error) {
	b, ok := args[0].(bool)
	if !ok {
		return nil, errf("The template language function 'not' expects its parameter to be a boolean. The provided value is of type '%s'. %s", TypeName(args[0]), usage(name))
	}
	return !b, nil
}

func ifFn(e *evaluator, name string, args []Node) (any, error) {
	v, err := e.eval(args[0])
	if err != nil {
		return nil, err
	}
	b, ok := v.(bool)
	if !ok {
		return nil, errf("The template language function 'if' expects its first parameter to be of type boolean. The provided value is of type '%s'. %s", TypeName(v), usage(name))
	}
	if b {
		return e.eval(args[1])
	}
	return e.eval(args[2])
}

func coalesce(e *evaluator, name string, args []Node) (any, error) {
	for _, a := range args {
		v, err := e.eval(a)
		if err != nil || v != nil {
			return v, err
		}
	}
	return nil, nil
}
