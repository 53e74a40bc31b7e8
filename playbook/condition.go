package playbook

import (
	"fmt"
	"picket/playbook/expr"
	"strings"
)

// condition evaluates the expression of an If or an Until: "@…" that gives a boolean, or a tree of and, or, not
// over leaves such as {"equals":[a,b]}.
func condition(v any, env expr.Env) (bool, error) { return conditionAt(v, env, 0) }

func conditionAt(v any, env expr.Env, depth int) (bool, error) {
	if depth > 50 {
		return false, exprError("The condition is nested too deeply.")
	}
	switch x := v.(type) {
	case bool:
		return x, nil
	case string:
		r, err := expr.Evaluate(x, env)
		if err != nil {
			return false, err
		}
		switch b := r.(type) {
		case bool:
			return b, nil
		case string:
			switch strings.ToLower(strings.TrimSpace(b)) {
			case "true":
				return true, nil
			case "false":
				return false, nil
			}
		}
		return false, exprError("The condition '%s' must give a value of type 'Boolean'; it gives one of type '%s'.", x, expr.TypeName(r))
	case *expr.Object:
		result := true
		for _, m := range x.Members() { // several in one object must all hold
			ok, err := conditionMember(m, env, depth)
			if err != nil {
				return false, err
			}
			result = result && ok
		}
		return result, nil
	}
	return false, exprError("A condition must be an expression or an object; it is of type '%s'.", expr.TypeName(v))
}

func conditionMember(m expr.Member, env expr.Env, depth int) (bool, error) {
	name := strings.ToLower(m.Name)
	switch name {
	case "and", "or":
		list, ok := m.Value.([]any)
		if !ok {
			return false, exprError("The condition '%s' must be an array.", m.Name)
		}
		for _, e := range list {
			b, err := conditionAt(e, env, depth+1)
			if err != nil {
				return false, err
			}
			if b == (name == "or") {
				return b, nil
			}
		}
		return name == "and", nil
	case "not":
		v := m.Value
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		b, err := conditionAt(v, env, depth+1)
		return !b, err
	}
	list, ok := m.Value.([]any)
	if !ok {
		return false, exprError("The condition '%s' must be an array of two values.", m.Name)
	}
	args := make([]any, len(list))
	for i, e := range list {
		v, err := expr.EvaluateTree(e, env)
		if err != nil {
			return false, err
		}
		args[i] = v
	}
	switch name {
	case "equals", "greater", "greaterorequals", "less", "lessorequals", "contains", "startswith", "endswith", "empty":
		r, err := expr.CallBuiltin(name, args...)
		if err != nil {
			return false, err
		}
		b, _ := r.(bool)
		return b, nil
	}
	return false, fmt.Errorf("the condition operator '%s' is not one of and, or, not, equals, greater, greaterOrEquals, less, lessOrEquals, contains, startsWith, endsWith", m.Name)
}
