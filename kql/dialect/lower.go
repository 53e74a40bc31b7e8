package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// lowering is one run of Lower.
type lowering struct {
	t     Tables
	frags []Fragment
	maxID int
	subs  map[plan.Expr]plan.Expr // expressions with plans inside that were lowered on their own
	err   error
	calls map[string]callFunc
	lets  int // names given
	terms int // searches for terms so far
	wants map[string]*want
}

// whole lowers a tree that somebody reads by position.
func (l *lowering) whole(n plan.Node, result bool) plan.Node {
	n2, r := l.node(n)
	if r == nil {
		return n2
	}
	before := len(l.frags)
	n2 = l.fill(n2, r)
	if result && len(l.frags) > before {
		l.frags[len(l.frags)-1].Whole = true
	}
	return n2
}

// node lowers a tree as far as it goes: r is set when all of it can be said in SQL, else the node given back reads
// the parts that can.
func (l *lowering) node(n plan.Node) (plan.Node, *rel) {
	if _, isGraph := n.(plan.Graph); isGraph || l.err != nil {
		return n, nil
	}
	in := plan.Inputs(n)
	nodes, rels := make([]plan.Node, len(in)), make([]*rel, len(in))
	all := true
	for i, x := range in {
		nodes[i], rels[i] = l.node(x)
		all = all && rels[i] != nil
	}
	if all {
		if r := l.say(n, rels); r != nil {
			return n, r
		}
	}
	if f, ok := n.(*plan.Filter); ok && all {
		if rest, r := l.part(f, rels[0]); r != nil {
			return &plan.Filter{Input: l.fill(f.Input, r), Pred: l.inside(rest)}, nil
		}
	}
	if p, ok := n.(*plan.Project); ok && all {
		if rest, r := l.partProject(p, rels[0]); r != nil {
			return rest, nil
		}
	}
	changed := false
	for i := range nodes {
		if rels[i] != nil {
			nodes[i] = l.fill(in[i], rels[i])
		}
		changed = changed || nodes[i] != in[i]
	}
	if changed {
		n = plan.WithInputs(n, nodes)
	}
	return l.insideNode(n), nil
}

// fill makes a fragment of r and gives the leaf that reads it. Constants alone are no work for an engine.
func (l *lowering) fill(n plan.Node, r *rel) plan.Node {
	if r.weak || len(r.out) == 0 {
		return l.descend(n)
	}
	sql, ok := r.final()
	if !ok {
		return l.descend(n)
	}
	l.maxID++
	schema := make(value.Schema, len(r.out))
	for i, c := range r.out {
		schema[i] = value.Column{Name: c.Name, Type: c.Type}
	}
	l.frags = append(l.frags, Fragment{ID: l.maxID, SQL: sql, Schema: schema, Node: n})
	return &plan.ExternalRel{ID: l.maxID, Out: r.out}
}

// descend keeps the node and lowers below it.
func (l *lowering) descend(n plan.Node) plan.Node {
	in := plan.Inputs(n)
	if len(in) == 0 {
		return n
	}
	out := make([]plan.Node, len(in))
	for i, x := range in {
		out[i] = l.whole(x, false)
	}
	return l.insideNode(plan.WithInputs(n, out))
}

// insideNode lowers the plans inside the expressions of a node that stays with the interpreter.
func (l *lowering) insideNode(n plan.Node) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		if p := l.inside(n.Pred); p != n.Pred {
			return &plan.Filter{Input: n.Input, Pred: p}
		}
	case *plan.Project:
		c := *n
		c.Items = append([]plan.Item(nil), n.Items...)
		for i := range c.Items {
			c.Items[i].Expr = l.inside(c.Items[i].Expr)
		}
		return &c
	}
	return n
}

// inside lowers the plans inside e. One expression that stands at several places stays one.
func (l *lowering) inside(e plan.Expr) plan.Expr {
	return plan.MapExpr(e, func(e plan.Expr) plan.Expr {
		switch x := e.(type) {
		case *plan.ScalarSub:
			if l.subs[e] == nil {
				c := *x
				c.Node = l.whole(x.Node, false)
				l.subs[e] = &c
			}
			return l.subs[e]
		case *plan.InSub:
			if l.subs[e] == nil {
				c := *x
				c.Node = l.whole(x.Node, false)
				l.subs[e] = &c
			}
			return l.subs[e]
		}
		return e
	})
}

// say says one node over inputs that are said already; nil when SQL does not say it exactly.
func (l *lowering) say(n plan.Node, in []*rel) *rel {
	switch n := n.(type) {
	case *plan.Scan:
		return l.scan(n)
	case *plan.Values:
		return l.values(n)
	case *plan.Filter:
		return l.filter(n, in[0])
	case *plan.Project:
		return l.project(n, in[0])
	case *plan.Summarize:
		return l.summarize(n, in[0])
	case *plan.Sort:
		return l.sort(n.Keys, -1, in[0])
	case *plan.Top:
		if k, ok := count(n.N); ok {
			return l.sort(n.Keys, k, in[0])
		}
	case *plan.Take:
		if k, ok := count(n.N); ok {
			return l.take(k, in[0])
		}
	case *plan.Join:
		return l.join(n, in[0], in[1])
	case *plan.Union:
		return l.union(n, in)
	}
	return nil
}

// count reads a constant number of rows.
func count(e plan.Expr) (int64, bool) {
	k, ok := e.(*plan.Const)
	if !ok || k.Val.Null || k.Val.Type != value.Long && k.Val.Type != value.Int {
		return 0, false
	}
	return max(0, k.Val.I), true
}
