package rewrite

import (
	"picket/kql/plan"
)

type idSet map[plan.ColID]bool

func idsOf(cols []plan.Col) idSet {
	s := make(idSet, len(cols))
	for _, c := range cols {
		s[c.ID] = true
	}
	return s
}

func (s idSet) with(es ...plan.Expr) idSet {
	out := make(idSet, len(s)+4)
	for id := range s {
		out[id] = true
	}
	for _, e := range es {
		out.add(e)
	}
	return out
}

func (s idSet) add(e plan.Expr) {
	plan.WalkExpr(e, func(e plan.Expr) bool {
		if r, ok := e.(*plan.ColRef); ok {
			s[r.ID] = true
		}
		return true
	})
}

// within reports whether e reads columns of the set only.
func (s idSet) within(e plan.Expr) bool {
	ok := true
	plan.WalkExpr(e, func(e plan.Expr) bool {
		if r, is := e.(*plan.ColRef); is && !s[r.ID] {
			ok = false
		}
		return ok
	})
	return ok
}

// fixed are functions whose value depends on more than their arguments, or that may end the query: an expression
// with one of them is computed where it stands and on the rows that are there.
var fixed = map[string]bool{
	"rand": true, "new_guid": true, "assert": true,
	"prev": true, "next": true, "row_number": true, "row_cumsum": true, "row_rank_min": true, "row_rank_dense": true, "row_window_session": true,
}

// movable reports whether e gives the same on every row wherever it is computed.
func movable(e plan.Expr) bool {
	ok := true
	plan.WalkExpr(e, func(e plan.Expr) bool {
		switch e := e.(type) {
		case *plan.Call:
			if fixed[e.Name] {
				ok = false
			}
		case *plan.Const, *plan.ColRef, *plan.ScalarSub, *plan.InSub, *plan.OuterRef, *plan.AggCall:
		default:
			ok = false
		}
		return ok
	})
	return ok
}

func movableItems(items []plan.Item) bool {
	for i := range items {
		if !movable(items[i].Expr) {
			return false
		}
	}
	return true
}

// mapNodes rebuilds a tree bottom-up. Sub-plans of mv-apply and partition are part of the tree; plans inside
// expressions are not.
func mapNodes(n plan.Node, f func(plan.Node) plan.Node) plan.Node {
	in := plan.Inputs(n)
	out := make([]plan.Node, len(in))
	changed := false
	for i, x := range in {
		out[i] = mapNodes(x, f)
		changed = changed || out[i] != x
	}
	if changed {
		n = plan.WithInputs(n, out)
	}
	return f(n)
}

// mapExprs rebuilds the expressions of n itself with f, in the nodes that queries are mostly made of; others keep
// theirs.
func mapExprs(n plan.Node, f func(plan.Expr) plan.Expr) plan.Node {
	m := func(e plan.Expr) plan.Expr {
		if e == nil {
			return nil
		}
		return plan.MapExpr(e, f)
	}
	items := func(in []plan.Item) []plan.Item {
		out := append([]plan.Item(nil), in...)
		for i := range out {
			out[i].Expr = m(out[i].Expr)
		}
		return out
	}
	keys := func(in []plan.SortKey) []plan.SortKey {
		out := append([]plan.SortKey(nil), in...)
		for i := range out {
			out[i].Expr = m(out[i].Expr)
		}
		return out
	}
	switch n := n.(type) {
	case *plan.Filter:
		return &plan.Filter{Input: n.Input, Pred: m(n.Pred)}
	case *plan.Project:
		c := *n
		c.Items = items(n.Items)
		return &c
	case *plan.Summarize:
		c := *n
		c.Keys = items(n.Keys)
		c.Aggs = append([]plan.Agg(nil), n.Aggs...)
		for i := range c.Aggs {
			if call, ok := m(c.Aggs[i].Call).(*plan.AggCall); ok {
				c.Aggs[i].Call = call
			}
		}
		return &c
	case *plan.Sort:
		return &plan.Sort{Input: n.Input, Keys: keys(n.Keys)}
	case *plan.Top:
		return &plan.Top{Input: n.Input, N: m(n.N), Keys: keys(n.Keys)}
	case *plan.Take:
		return &plan.Take{Input: n.Input, N: m(n.N)}
	case *plan.Join:
		c := *n
		c.On = append([]plan.JoinKey(nil), n.On...)
		for i := range c.On {
			c.On[i].L, c.On[i].R = m(c.On[i].L), m(c.On[i].R)
		}
		return &c
	case *plan.MvExpand:
		c := *n
		c.Expand = append([]plan.Expand(nil), n.Expand...)
		for i := range c.Expand {
			c.Expand[i].X = m(c.Expand[i].X)
		}
		return &c
	case *plan.Parse:
		c := *n
		c.X = m(n.X)
		return &c
	case *plan.ParseKv:
		c := *n
		c.X = m(n.X)
		return &c
	case *plan.Evaluate:
		c := *n
		c.Args = append([]plan.Expr(nil), n.Args...)
		for i := range c.Args {
			c.Args[i] = m(c.Args[i])
		}
		return &c
	case *plan.MakeSeries:
		c := *n
		c.Axis.Expr = m(n.Axis.Expr)
		c.From, c.To, c.Step = m(n.From), m(n.To), m(n.Step)
		c.Keys = items(n.Keys)
		c.Aggs = append([]plan.SeriesAgg(nil), n.Aggs...)
		for i := range c.Aggs {
			if call, ok := m(c.Aggs[i].Call).(*plan.AggCall); ok {
				c.Aggs[i].Call = call
			}
		}
		return &c
	case *plan.Range:
		c := *n
		c.From, c.To, c.Step = m(n.From), m(n.To), m(n.Step)
		return &c
	}
	return n
}

// replace substitutes columns by expressions.
func replace(e plan.Expr, by map[plan.ColID]plan.Expr) plan.Expr {
	return plan.MapExpr(e, func(e plan.Expr) plan.Expr {
		if r, ok := e.(*plan.ColRef); ok {
			if x, ok := by[r.ID]; ok {
				return x
			}
		}
		return e
	})
}

// conjuncts splits e at its ands.
func conjuncts(e plan.Expr) []plan.Expr {
	if c, ok := e.(*plan.Call); ok && c.Name == "And" && len(c.Args) == 2 && c.Args[0].Type() != 0 {
		return append(conjuncts(c.Args[0]), conjuncts(c.Args[1])...)
	}
	return []plan.Expr{e}
}
