package rewrite

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// series has make-series read only the rows that lie on its axis: others make neither values nor series. As a
// condition above the input that moves down to the scans, and bounds them.
func series(n plan.Node) plan.Node {
	return mapNodes(n, func(n plan.Node) plan.Node {
		m, ok := n.(*plan.MakeSeries)
		if !ok || m.InRange || m.Axis.Expr.Type() != value.Datetime || !movable(m.Axis.Expr) || !movableItems(m.Keys) {
			return n
		}
		for _, a := range m.Aggs {
			if !movable(a.Call) {
				return n
			}
		}
		if f, ok := m.Input.(*plan.Filter); ok && fromSeries(f.Pred, m) {
			return n
		}
		var pred plan.Expr
		for _, end := range []struct {
			e  plan.Expr
			op string
		}{{m.From, "GreaterThanOrEqual"}, {m.To, "LessThan"}} {
			k, ok := end.e.(*plan.Const)
			if !ok || k.Val.Null || k.Val.Type != value.Datetime {
				continue
			}
			c := &plan.Call{Name: end.op, Args: []plan.Expr{m.Axis.Expr, k}, T: value.Bool, At: k.At}
			if pred == nil {
				pred = c
				continue
			}
			pred = &plan.Call{Name: "And", Args: []plan.Expr{pred, c}, T: value.Bool, At: k.At}
		}
		if pred == nil {
			return n
		}
		c := *m
		c.Input = &plan.Filter{Input: m.Input, Pred: pred}
		return &c
	})
}

// fromSeries reports whether a condition is the one that series makes.
func fromSeries(pred plan.Expr, m *plan.MakeSeries) bool {
	for _, e := range conjuncts(pred) {
		c, ok := e.(*plan.Call)
		if ok && len(c.Args) == 2 && c.Args[0] == m.Axis.Expr && (c.Args[1] == m.From || c.Args[1] == m.To) {
			return true
		}
	}
	return false
}
