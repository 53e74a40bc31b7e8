package dialect

import (
	"maps"
	"picket/kql/plan"
	"picket/kql/value"
)

// scope is where an expression stands: the columns that it can read.
type scope struct {
	l    *lowering
	cols map[plan.ColID]sx
	lets *lets
}

// expr says an expression; false when SQL does not say it exactly.
func (s scope) expr(e plan.Expr) (sx, bool) {
	switch e := e.(type) {
	case *plan.Const:
		return literal(e.Val)
	case *plan.ColRef:
		x, ok := s.cols[e.ID]
		if x.t == value.Dynamic {
			x.lets = s.lets
		}
		return x, ok && x.t == e.T
	case *plan.ScalarSub:
		return s.scalarSub(e)
	case *plan.InSub:
		return s.inSub(e, false)
	case *plan.Call:
		f, ok := s.l.calls[e.Name]
		if !ok {
			return sx{}, false
		}
		x, ok := f(s, e)
		if !ok || x.t != e.T || len(x.sql) > maxSQL/8 {
			return sx{}, false
		}
		x.k = nil
		return x, true
	}
	return sx{}, false
}

// exprs says all of es.
func (s scope) exprs(es []plan.Expr) ([]sx, bool) {
	out := make([]sx, len(es))
	for i, e := range es {
		x, ok := s.expr(e)
		if !ok {
			return nil, false
		}
		out[i] = x
	}
	return out, true
}

// truth says a condition of which only matters whether it is true: null and false are the same.
func (s scope) truth(e plan.Expr) (string, bool) {
	switch c := e.(type) {
	case *plan.InSub:
		x, ok := s.inSub(c, true)
		return x.sql, ok
	case *plan.Call:
		switch c.Name {
		case "And", "Or":
			if len(c.Args) != 2 || c.Args[0].Type() != value.Bool || c.Args[1].Type() != value.Bool {
				return "", false
			}
			a, ok := s.truth(c.Args[0])
			if !ok {
				return "", false
			}
			b, ok := s.truth(c.Args[1])
			if !ok {
				return "", false
			}
			if c.Name == "And" {
				return "(" + a + " AND " + b + ")", true
			}
			return "(" + a + " OR " + b + ")", true
		case "Equal", "NotEqual", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual":
			x, ok := s.compare(c, true)
			return x.sql, ok
		case "In", "NotIn", "InCs", "NotInCs":
			x, ok := s.in(c, true)
			return x.sql, ok
		}
	}
	if e.Type() != value.Bool {
		return "", false
	}
	x, ok := s.expr(e)
	return x.sql, ok
}

type callFunc func(s scope, c *plan.Call) (sx, bool)

// table says functions and operators by their names in the plan.
func table() map[string]callFunc {
	m := map[string]callFunc{}
	for _, add := range []func(map[string]callFunc){logicCalls, compareCalls, arithCalls, timeCalls, matchCalls, textCalls, convertCalls, dynamicCalls, regexCalls} {
		add(m)
	}
	return m
}

// alone says a whole tree or nothing.
func (l *lowering) alone(n plan.Node) *rel {
	frags, subs := len(l.frags), maps.Clone(l.subs)
	_, r := l.node(n)
	if r == nil { // what was made on the way goes
		l.frags, l.subs = l.frags[:frags], subs
	}
	return r
}

// scalarSub says toscalar(): the first cell, null (or "") without rows.
func (s scope) scalarSub(e *plan.ScalarSub) (sx, bool) {
	r := s.l.alone(e.Node)
	if r == nil || len(r.out) == 0 || r.cols[r.out[0].ID].t != e.T || e.T == value.Decimal {
		return sx{}, false
	}
	x := r.cols[r.out[0].ID]
	c := *r
	if c.limit < 0 || c.limit > 1 {
		c.limit = 1
	}
	out := sx{t: e.T, rep: x.rep, null: true, sql: "(" + c.sql([]string{x.stored()}) + ")"}
	if e.T == value.String {
		out.sql, out.null = "coalesce("+out.sql+", '')", false
	}
	return out, true
}

// inSub says x in (table): null is in no list, and nulls in the list match nothing.
func (s scope) inSub(e *plan.InSub, truth bool) (sx, bool) {
	if e.Op == "HasAny" || e.Op == "HasAll" {
		return sx{}, false
	}
	x, ok := s.expr(e.X)
	if !ok {
		return sx{}, false
	}
	r := s.l.alone(e.Node)
	if r == nil || len(r.out) == 0 {
		return sx{}, false
	}
	y := r.cols[r.out[0].ID]
	a, b, ok := joinKey(x, y)
	if !ok {
		return sx{}, false
	}
	inner := r.plain()
	if x.t == value.Datetime && y.k == nil { // b was made for r's columns before a limit was wrapped
		y = inner.cols[r.out[0].ID]
		if a, b, ok = joinKey(x, y); !ok {
			return sx{}, false
		}
	} else if r.limit >= 0 {
		if _, b, ok = joinKey(x, inner.cols[r.out[0].ID]); !ok {
			return sx{}, false
		}
	}
	if e.CaseInsensitive {
		if x.t != value.String {
			return sx{}, false
		}
		a, b = "lower("+a+")", "lower("+b+")"
	}
	if y.null {
		inner.where = append(inner.where, b+" IS NOT NULL")
	}
	if inner.limit < 0 {
		inner.order = nil
	}
	list := inner.sql([]string{b})
	out := sx{t: value.Bool}
	switch {
	case !e.Negate && (truth || !x.null):
		out.sql = a + " IN (" + list + ")"
	case !e.Negate:
		out.sql = "coalesce(" + a + " IN (" + list + "), FALSE)"
	case x.null:
		out.sql = "(" + a + " IS NULL OR " + a + " NOT IN (" + list + "))"
	default:
		out.sql = a + " NOT IN (" + list + ")"
	}
	out.sql = "(" + out.sql + ")"
	return out, true
}
