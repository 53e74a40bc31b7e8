package dialect

import (
	"maps"
	"picket/kql/plan"
	"picket/kql/value"
)

// filter adds a condition.
func (l *lowering) filter(n *plan.Filter, in *rel) *rel {
	r := in.plain()
	if r.heavy(n.Pred) {
		r = r.wrap(false)
	}
	for _, e := range conjuncts(n.Pred) {
		s, ok := r.scope(l).truth(e)
		if !ok {
			return nil
		}
		r.where = append(r.where, s)
		r.learn(e)
	}
	return r
}

// learn notes of a column that the rows which meet a condition have a number in it, neither null nor NaN.
func (r *rel) learn(e plan.Expr) {
	c, ok := e.(*plan.Call)
	if !ok || len(c.Args) != 2 {
		return
	}
	switch c.Name {
	case "Equal", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual":
	default:
		return
	}
	for i, a := range c.Args {
		ref, isRef := a.(*plan.ColRef)
		k, isConst := c.Args[1-i].(*plan.Const)
		if !isRef || !isConst || k.Val.Null || ref.T == value.Dynamic || ref.T == value.String {
			continue
		}
		x := r.cols[ref.ID]
		if x.sql == "" || x.k != nil {
			continue
		}
		x.null, x.noNaN = false, x.t == value.Real
		r.cols = maps.Clone(r.cols)
		r.cols[ref.ID] = x
	}
}

// part splits a filter of which SQL says only some conditions: those go into r, rest is what remains.
func (l *lowering) part(n *plan.Filter, in *rel) (rest plan.Expr, r *rel) {
	if in.weak {
		return nil, nil
	}
	r = in.plain()
	said := false
	for _, e := range conjuncts(n.Pred) {
		if s, ok := r.scope(l).truth(e); ok {
			r.where = append(r.where, s)
			said = true
			continue
		}
		if rest == nil {
			rest = e
		} else {
			rest = &plan.Call{Name: "And", Args: []plan.Expr{rest, e}, T: value.Bool, At: e.Pos()}
		}
		if !splittable(e) {
			return nil, nil
		}
	}
	if !said {
		return nil, nil
	}
	return rest, r
}

// splittable reports whether a condition means the same after others have dropped rows.
func splittable(e plan.Expr) bool {
	ok := true
	plan.WalkExpr(e, func(e plan.Expr) bool {
		if c, is := e.(*plan.Call); is && rowBound[c.Name] {
			ok = false
		}
		return ok
	})
	return ok
}

var rowBound = map[string]bool{
	"rand": true, "assert": true, "prev": true, "next": true, "row_number": true, "row_cumsum": true, "row_rank_min": true,
	"row_rank_dense": true, "row_window_session": true,
}

func conjuncts(e plan.Expr) []plan.Expr {
	if c, ok := e.(*plan.Call); ok && c.Name == "And" && len(c.Args) == 2 {
		return append(conjuncts(c.Args[0]), conjuncts(c.Args[1])...)
	}
	return []plan.Expr{e}
}

// project computes columns.
func (l *lowering) project(n *plan.Project, in *rel) *rel {
	es := make([]plan.Expr, len(n.Items))
	for i, it := range n.Items {
		es[i] = it.Expr
	}
	r := in.plain()
	if r.heavy(es...) {
		r = r.wrap(false)
	}
	cols := make(map[plan.ColID]sx, len(n.Items))
	out := make([]plan.Col, len(n.Items))
	total := 0
	sc, end := r.computing(l)
	for i, it := range n.Items {
		x, ok := sc.expr(it.Expr)
		if !ok || x.t != it.Col.Type {
			return nil
		}
		cols[it.Col.ID] = x
		out[i] = it.Col
		total += len(x.sql)
	}
	if total > maxSQL/4 {
		return nil
	}
	end()
	r.cols, r.out = cols, out
	return r
}

// partProject splits a project of which SQL says only some items: the SELECT computes those and hands on what the
// others read.
func (l *lowering) partProject(n *plan.Project, in *rel) (plan.Node, *rel) {
	if in.weak {
		return nil, nil
	}
	r := in.plain()
	have := map[plan.ColID]plan.Col{}
	for _, c := range in.out {
		have[c.ID] = c
	}
	cols := map[plan.ColID]sx{}
	var out []plan.Col
	keep := func(c plan.Col, x sx) bool {
		if old, ok := cols[c.ID]; ok {
			return old.sql == x.sql && old.path == x.path
		}
		cols[c.ID] = x
		out = append(out, c)
		return true
	}
	top := &plan.Project{Serialized: n.Serialized}
	said := 0
	sc, end := r.computing(l)
	for _, it := range n.Items {
		if x, ok := sc.expr(it.Expr); ok && x.t == it.Col.Type && !it.PassThrough() && !r.heavy(it.Expr) {
			if _, clash := have[it.Col.ID]; !clash && keep(it.Col, x) {
				top.Items = append(top.Items, plan.Item{Col: it.Col, Expr: plan.Ref(it.Col)})
				said++
				continue
			}
		}
		for _, id := range reads(it.Expr) {
			c, ok := have[id]
			if !ok || !keep(c, r.cols[id]) {
				return nil, nil
			}
		}
		top.Items = append(top.Items, plan.Item{Col: it.Col, Expr: l.inside(it.Expr)})
	}
	if len(out) == 0 {
		return nil, nil
	}
	end()
	r.cols, r.out = cols, out
	if _, ok := r.final(); !ok {
		return nil, nil
	}
	top.Input = l.fill(&plan.Project{Input: n.Input, Items: passItems(out)}, r)
	return top, r
}

func passItems(cols []plan.Col) []plan.Item {
	items := make([]plan.Item, len(cols))
	for i, c := range cols {
		items[i] = plan.Item{Col: c, Expr: plan.Ref(c)}
	}
	return items
}

func reads(e plan.Expr) (ids []plan.ColID) {
	plan.WalkExpr(e, func(e plan.Expr) bool {
		if c, ok := e.(*plan.ColRef); ok {
			ids = append(ids, c.ID)
		}
		return true
	})
	return ids
}
