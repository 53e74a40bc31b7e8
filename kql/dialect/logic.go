package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

func logicCalls(m map[string]callFunc) {
	junction := func(op string) callFunc {
		return func(s scope, c *plan.Call) (sx, bool) {
			a, ok := s.exprs(c.Args)
			if !ok || len(a) != 2 || a[0].t != value.Bool || a[1].t != value.Bool {
				return sx{}, false
			}
			return sx{sql: "(" + a[0].sql + op + a[1].sql + ")", t: value.Bool, null: a[0].null || a[1].null}, true
		}
	}
	m["And"] = junction(" AND ")
	m["Or"] = junction(" OR ")
	m["not"] = func(s scope, c *plan.Call) (sx, bool) {
		a, ok := s.exprs(c.Args)
		if !ok || len(a) != 1 || a[0].t != value.Bool {
			return sx{}, false
		}
		return sx{sql: "(NOT " + a[0].sql + ")", t: value.Bool, null: a[0].null}, true
	}
	m["iff"], m["iif"], m["case"] = caseCall, caseCall, caseCall
	m["coalesce"] = coalesceCall
	test := func(null bool) callFunc {
		return func(s scope, c *plan.Call) (sx, bool) {
			a, ok := s.exprs(c.Args)
			if !ok || len(a) != 1 {
				return sx{}, false
			}
			x, out := a[0], sx{t: value.Bool}
			if x.t == value.Dynamic {
				x.sql, x.null = x.leafOrNull(), true
			}
			switch {
			case x.t == value.String || !x.null:
				out.sql = boolText(!null)
			case null:
				out.sql = "(" + x.sql + " IS NULL)"
			default:
				out.sql = "(" + x.sql + " IS NOT NULL)"
			}
			return out, true
		}
	}
	m["isnull"], m["isnotnull"], m["notnull"] = test(true), test(false), test(false)
	empty := func(want bool) callFunc {
		return func(s scope, c *plan.Call) (sx, bool) {
			a, ok := s.exprs(c.Args)
			if !ok || len(a) != 1 {
				return sx{}, false
			}
			x := a[0]
			op := " <> ''"
			if want {
				op = " = ''"
			}
			switch x.t {
			case value.String:
				return sx{sql: "(" + x.sql + op + ")", t: value.Bool}, true
			case value.Dynamic:
				return sx{sql: "(coalesce(" + x.leafKept() + ", '')" + op + ")", t: value.Bool}, true
			}
			return test(want)(s, c)
		}
	}
	m["isempty"], m["isnotempty"], m["notempty"] = empty(true), empty(false), empty(false)
}

func boolText(b bool) string {
	if b {
		return "TRUE"
	}
	return "FALSE"
}

// same gives expressions of one type in one form, as branches of a CASE.
func same(t value.Type, xs []sx) ([]string, rep, bool, bool) {
	null := false
	out := make([]string, len(xs))
	for i, x := range xs {
		null = null || x.null
		switch {
		case x.t == t && t != value.Decimal:
			out[i] = x.stored()
		case t == value.Long && x.t == value.Int:
			out[i] = "CAST(" + x.sql + " AS BIGINT)"
		case t == value.Real && (x.t == value.Int || x.t == value.Long):
			out[i] = "CAST(" + x.sql + " AS DOUBLE)"
		default:
			return nil, 0, false, false
		}
	}
	if t == value.Datetime {
		s, r := commonTimes(xs...)
		return s, r, null, len(s) == len(xs)
	}
	return out, repTS, null && t != value.String, true
}

// caseCall is iff and case: a null condition is not met.
func caseCall(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args)%2 == 0 || len(c.Args) < 3 {
		return sx{}, false
	}
	var conds []string
	var vals []sx
	for i := 0; i+1 < len(c.Args); i += 2 {
		cond, ok := s.truth(c.Args[i])
		if !ok {
			return sx{}, false
		}
		v, ok := s.expr(c.Args[i+1])
		if !ok {
			return sx{}, false
		}
		conds = append(conds, cond)
		vals = append(vals, v)
	}
	last, ok := s.expr(c.Args[len(c.Args)-1])
	if !ok {
		return sx{}, false
	}
	texts, r, null, ok := same(c.T, append(vals, last))
	if !ok {
		return sx{}, false
	}
	var b strings.Builder
	b.WriteString("(CASE")
	for i, cond := range conds {
		b.WriteString(" WHEN " + cond + " THEN " + texts[i])
	}
	b.WriteString(" ELSE " + texts[len(texts)-1] + " END)")
	return sx{sql: b.String(), t: c.T, rep: r, null: null}, true
}

// coalesceCall passes over null, and over empty strings.
func coalesceCall(s scope, c *plan.Call) (sx, bool) {
	xs, ok := s.exprs(c.Args)
	if !ok || len(xs) == 0 {
		return sx{}, false
	}
	texts, r, _, ok := same(c.T, xs)
	if !ok {
		return sx{}, false
	}
	null := c.T != value.String
	for i, x := range xs {
		null = null && x.null
		if c.T == value.String {
			texts[i] = "nullif(" + texts[i] + ", '')"
		}
	}
	if c.T == value.String {
		texts = append(texts, "''")
	}
	return sx{sql: "coalesce(" + strings.Join(texts, ", ") + ")", t: c.T, rep: r, null: null}, true
}
