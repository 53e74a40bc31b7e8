package playbook

import (
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
)

// expressionAction is the Expression action, the designer's "Date Time" and "Text Functions" operations: a
// function of the language by kind, its parameters by name.
func (r *run) expressionAction(a *definition.Action, f *frame, rec *record) outcome {
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		return invalid(a, err)
	}
	in := object(v)
	fn, names, ok := expressionKind(a.Kind)
	if !ok {
		return failed("ActionTypeNotSupported", fmt.Sprintf("The action '%s' is an Expression of the kind '%s', which this engine doesn't run.", a.Name, a.Kind)).with(in)
	}
	var args []any
	if fn == "getFutureTime" || fn == "getPastTime" { // of now: the function's clock is the run's
		fn = map[string]string{"getFutureTime": "addToTime", "getPastTime": "subtractFromTime"}[fn]
		args = append(args, stamp(r.e.now()))
	}
	if fn == "utcNow" {
		return succeeded(in, expr.NewObject("body", stamp(r.e.now())))
	}
	for _, n := range names {
		x, _, has := in.Find(strings.TrimSuffix(n, "?"))
		if !has || x == nil {
			if strings.HasSuffix(n, "?") {
				break
			}
			return failed("BadRequest", fmt.Sprintf("The action '%s' has no input '%s'.", a.Name, n)).with(in)
		}
		if s, ok := x.(string); ok && (n == "interval" || n == "startPosition" || n == "length?") {
			if num, err := expr.CallBuiltin("int", s); err == nil {
				x = num
			}
		}
		args = append(args, x)
	}
	out, err := expr.CallBuiltin(fn, args...)
	if err != nil {
		return invalid(a, err)
	}
	return succeeded(in, expr.NewObject("body", out))
}

// expressionKind is the function that a kind of the Expression action stands for, and its inputs in order; a last
// ? marks those that may be missing.
func expressionKind(kind string) (fn string, inputs []string, ok bool) {
	switch strings.ToLower(kind) {
	case "addtotime":
		return "addToTime", []string{"baseTime", "interval", "timeUnit"}, true
	case "subtractfromtime":
		return "subtractFromTime", []string{"baseTime", "interval", "timeUnit"}, true
	case "getfuturetime":
		return "getFutureTime", []string{"interval", "timeUnit"}, true
	case "getpasttime":
		return "getPastTime", []string{"interval", "timeUnit"}, true
	case "converttimezone":
		return "convertTimeZone", []string{"baseTime", "sourceTimeZone", "destinationTimeZone", "formatString?"}, true
	case "currenttime":
		return "utcNow", nil, true
	case "indexof":
		return "indexOf", []string{"text", "searchText"}, true
	case "substring":
		return "substring", []string{"text", "startPosition", "length?"}, true
	}
	return "", nil, false
}
