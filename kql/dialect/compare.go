package dialect

import (
	"math"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

func compareCalls(m map[string]callFunc) {
	for _, op := range []string{"Equal", "NotEqual", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual"} {
		m[op] = func(s scope, c *plan.Call) (sx, bool) { return s.compare(c, false) }
	}
	for _, op := range []string{"In", "NotIn", "InCs", "NotInCs"} {
		m[op] = func(s scope, c *plan.Call) (sx, bool) { return s.in(c, false) }
	}
	m["Between"], m["NotBetween"] = betweenCall, betweenCall
}

var sqlOps = map[string]string{"Equal": "=", "NotEqual": "<>", "LessThan": "<", "LessThanOrEqual": "<=", "GreaterThan": ">", "GreaterThanOrEqual": ">="}

// compare is a comparison. Of one null KQL's == is false and != true, of two nulls both are null; < and its like are
// null with any null. NaN compares with nothing. truth: only whether it is true matters.
func (s scope) compare(c *plan.Call, truth bool) (sx, bool) {
	if len(c.Args) != 2 {
		return sx{}, false
	}
	xs, ok := s.exprs(c.Args)
	if !ok {
		return sx{}, false
	}
	return compareValues(c.Name, xs[0], xs[1], truth)
}

func compareValues(name string, x, y sx, truth bool) (sx, bool) {
	if x.t == value.Dynamic || y.t == value.Dynamic {
		return compareLeaf(name, x, y, truth)
	}
	if name == "Equal" || name == "NotEqual" { // no number, array or bag has this text: the leaf's own decides
		if x.raw != "" && y.k != nil && distinctText(y.k.S) {
			x = x.text()
		} else if y.raw != "" && x.k != nil && distinctText(x.k.S) {
			y = y.text()
		}
	}
	x, y = asNumber(x, y), asNumber(y, x)
	// against a whole microsecond the seventh digit does not count: at or after it, or before it
	if name == "GreaterThanOrEqual" || name == "LessThan" {
		if y.t == value.Datetime && y.k != nil && !y.k.Null && y.k.I%10 == 0 {
			x = x.micros()
		}
	}
	a, b, ok := comparable(x, y)
	if !ok || (x.t == value.GUID || x.t == value.Bool) && name != "Equal" && name != "NotEqual" {
		return sx{}, false
	}
	op := sqlOps[name]
	plainOp := "(" + a + " " + op + " " + b + ")"
	out := sx{t: value.Bool, sql: plainOp}
	if x.t == value.Real || y.t == value.Real {
		numbers := notNaN(x, a) + notNaN(y, b)
		if numbers != "" && name != "NotEqual" {
			plainOp = "(" + a + " " + op + " " + b + numbers + ")"
		} else if numbers != "" {
			plainOp = "(NOT (" + a + " = " + b + numbers + "))"
		}
		out.sql = plainOp
		if numbers != "" && (x.null || y.null) && name != "Equal" && name != "NotEqual" && !truth {
			out.sql = "(CASE WHEN " + a + " IS NULL OR " + b + " IS NULL THEN NULL ELSE " + plainOp + " END)"
		}
	}
	switch name {
	case "Equal":
		switch {
		case truth, !x.null && !y.null:
		case x.null && y.null:
			out.sql = "(CASE WHEN " + a + " IS NULL AND " + b + " IS NULL THEN NULL ELSE coalesce(" + plainOp + ", FALSE) END)"
			out.null = true
		default:
			out.sql = "coalesce(" + plainOp + ", FALSE)"
		}
	case "NotEqual":
		switch {
		case !x.null && !y.null:
		case x.null && y.null:
			out.sql = "(CASE WHEN " + a + " IS NULL AND " + b + " IS NULL THEN NULL ELSE coalesce(" + plainOp + ", TRUE) END)"
			out.null = true
		default:
			out.sql = "coalesce(" + plainOp + ", TRUE)"
		}
	default:
		out.null = x.null || y.null
	}
	return out, true
}

// text is a tostring() as the leaf's own text.
func (x sx) text() sx {
	if x.took != nil {
		x.took()
	}
	return sx{sql: x.raw, t: value.String, null: true}
}

// asNumber makes a text or a bool a whole number where it is compared with a constant one.
func asNumber(x, y sx) sx {
	if !isWhole(y.t) || y.k == nil {
		return x
	}
	switch {
	case x.t == value.Bool:
		return sx{sql: "CAST(" + x.sql + " AS BIGINT)", t: value.Long, null: x.null}
	case x.t == value.String && x.k == nil && x.raw == "":
		return sx{sql: wholeText(x.sql, "BIGINT", 18), t: value.Long, null: true}
	}
	return x
}

// notNaN is the condition that x is a number, "" where it can only be one.
func notNaN(x sx, s string) string {
	if x.t != value.Real || x.noNaN || x.k != nil && !math.IsNaN(x.k.F) {
		return ""
	}
	return " AND " + s + " <= 'inf'::DOUBLE" // NaN is beyond all; a comparison helps to leave blocks of rows out
}

// comparable gives two operands in one SQL type.
func comparable(x, y sx) (string, string, bool) {
	whole := func(t value.Type) bool { return t == value.Int || t == value.Long }
	switch {
	case x.t == value.Datetime && y.t == value.Datetime:
		s, _ := commonTimes(x, y)
		return s[0], s[1], true
	case whole(x.t) && whole(y.t):
		return x.sql, y.sql, true
	case x.t == value.Real && whole(y.t):
		return x.sql, "CAST(" + y.sql + " AS DOUBLE)", true
	case whole(x.t) && y.t == value.Real:
		return "CAST(" + x.sql + " AS DOUBLE)", y.sql, true
	case x.t != y.t:
		return "", "", false
	}
	switch x.t {
	case value.Bool, value.Real, value.String, value.Timespan, value.GUID:
		return x.sql, y.sql, true
	}
	return "", "", false
}

// compareLeaf compares something inside a dynamic with a string or a number.
func compareLeaf(name string, x, y sx, truth bool) (sx, bool) {
	if y.t == value.Dynamic {
		if x.t == value.Dynamic {
			return sx{}, false
		}
		x, y = y, x
		switch name {
		case "LessThan":
			name = "GreaterThan"
		case "LessThanOrEqual":
			name = "GreaterThanOrEqual"
		case "GreaterThan":
			name = "LessThan"
		case "GreaterThanOrEqual":
			name = "LessThanOrEqual"
		}
	}
	switch y.t {
	case value.String:
		if name != "Equal" && name != "NotEqual" {
			return sx{}, false
		}
		v := sx{t: value.String, null: true} // a null leaf against a string is one null
		if y.k != nil && distinctText(y.k.S) {
			v.sql = x.leafKept()
		} else {
			v.sql = x.textKept(y.k == nil || y.k.S == "")
		}
		return compareValues(name, v, y, truth)
	case value.Int, value.Long, value.Real:
		if y.k == nil || y.k.Null {
			return sx{}, false
		}
		if y.t != value.Real && (y.k.I > 1<<53 || y.k.I < -1<<53) {
			return sx{}, false
		}
		return compareValues(name, sx{sql: x.numberKept(), t: value.Real, null: true, noNaN: true}, y, truth)
	}
	return sx{}, false
}

// betweenCall has SQL's meaning: a false end decides over a null one.
func betweenCall(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 3 {
		return sx{}, false
	}
	xs, ok := s.exprs(c.Args)
	if !ok {
		return sx{}, false
	}
	if xs[1].t == value.Datetime && xs[2].t == value.Timespan {
		if xs[2], ok = addTime(xs[1], xs[2], "+"); !ok {
			return sx{}, false
		}
	}
	lo, ok := compareValues("GreaterThanOrEqual", xs[0], xs[1], false)
	if !ok {
		return sx{}, false
	}
	hi, ok := compareValues("LessThanOrEqual", xs[0], xs[2], false)
	if !ok {
		return sx{}, false
	}
	out := sx{sql: "(" + lo.sql + " AND " + hi.sql + ")", t: value.Bool, null: lo.null || hi.null}
	if c.Name == "NotBetween" {
		out.sql = "(NOT " + out.sql + ")"
	}
	return out, true
}

// in is the in family over constants; arrays among them stand for their elements. Null is in no list.
func (s scope) in(c *plan.Call, truth bool) (sx, bool) {
	if len(c.Args) < 1 {
		return sx{}, false
	}
	x, ok := s.expr(c.Args[0])
	if !ok {
		return sx{}, false
	}
	fold := c.Name == "InCs" || c.Name == "NotInCs"
	negate := c.Name == "NotIn" || c.Name == "NotInCs"
	items, ok := constants(c.Args[1:])
	if !ok || len(items) > maxValues {
		return sx{}, false
	}
	xs, list, ok := inList(x, items, fold)
	if !ok {
		return sx{}, false
	}
	null := x.null || x.t == value.Dynamic || x.raw != "" && xs != x.sql
	out := sx{t: value.Bool}
	if len(list) == 0 {
		out.sql = boolText(negate)
		return out, true
	}
	in := xs + " IN (" + strings.Join(list, ", ") + ")"
	switch {
	case !negate && (truth || !null):
		out.sql = "(" + in + ")"
	case !negate:
		out.sql = "coalesce(" + in + ", FALSE)"
	case null:
		out.sql = "(" + xs + " IS NULL OR NOT (" + in + "))"
	default:
		out.sql = "(NOT (" + in + "))"
	}
	return out, true
}

// constants flattens a list of constants to values.
func constants(es []plan.Expr) (out []value.Value, ok bool) {
	for _, e := range es {
		k, ok := e.(*plan.Const)
		if !ok {
			return nil, false
		}
		if k.Val.Type != value.Dynamic {
			out = append(out, k.Val)
			continue
		}
		elems, isList := k.Val.D.([]any)
		if !isList {
			elems = []any{k.Val.D}
		}
		for _, d := range elems {
			out = append(out, value.OfDynamic(d))
		}
	}
	return out, true
}

// inList gives x and the list's literals in one form. Items convert to x's type as eval does it.
func inList(x sx, items []value.Value, fold bool) (string, []string, bool) {
	var list []string
	switch x.t {
	case value.String, value.Dynamic:
		distinct, empty := true, false
		seen := map[string]bool{}
		for _, v := range items {
			if v.Null {
				continue
			}
			s := v.Text()
			distinct, empty = distinct && distinctText(s), empty || s == ""
			if fold {
				s = strings.ToLower(s)
			}
			lit, ok := text(s)
			if !ok {
				return "", nil, false
			}
			if !seen[lit] {
				seen[lit] = true
				list = append(list, lit)
			}
		}
		xs := x.sql
		switch {
		case x.t == value.Dynamic && distinct:
			xs = x.leafKept()
		case x.t == value.Dynamic:
			xs = x.textKept(empty)
		case x.raw != "" && distinct:
			xs = x.text().sql
		}
		if fold {
			xs = "lower(" + xs + ")"
		}
		return xs, list, true
	case value.Int, value.Long, value.Datetime, value.Timespan, value.GUID:
		t := x.t
		if t == value.Int {
			t = value.Long
		}
		r := x.rep
		for _, v := range items {
			if v.Null {
				continue
			}
			if v.Type == value.Dynamic {
				switch d := v.D.(type) {
				case int64:
					v = value.OfLong(d)
				case string:
					v = value.OfString(d)
				default:
					return "", nil, false
				}
			}
			if v.Type == value.Real && v.F != math.Trunc(v.F) {
				continue
			}
			w := eval.Convert(value.ConstOf(v, 1), t).At(0)
			if w.Null {
				continue
			}
			lit, ok := literal(w)
			if !ok {
				return "", nil, false
			}
			if t == value.Datetime {
				if r != repTicks && w.I%10 != 0 {
					continue // a whole microsecond never equals it
				}
				lit.sql, _ = lit.as(r)
			}
			list = append(list, lit.sql)
		}
		return x.sql, list, true
	}
	return "", nil, false
}
