package rewrite

import "picket/kql/plan"

// A let that is read several times is put where it is read, so that each reader's filters and columns reach its
// tables; so is anything that is read once. What must be computed once for several readers stays shared.
const (
	maxReaders = 8
	maxInlined = 40 // nodes of a let that is copied
)

// readers counts who reads each shared sub-plan.
func readers(q *plan.Query) map[int]int {
	n := map[int]int{}
	see := func(x plan.Node) bool {
		if r, ok := x.(*plan.SharedRef); ok {
			n[r.ID]++
		}
		return true
	}
	for _, s := range q.Shared {
		plan.Walk(s.Node, see)
	}
	for i := range q.Results {
		plan.Walk(q.Results[i].Node, see)
	}
	return n
}

// inline replaces what n reads of shared sub-plans by copies.
func (w *rewriter) inline(n plan.Node) plan.Node {
	if len(w.q.Shared) == 0 {
		return n
	}
	return mapNodes(n, func(n plan.Node) plan.Node {
		r, ok := n.(*plan.SharedRef)
		if !ok {
			return n
		}
		for _, s := range w.q.Shared {
			if s.ID != r.ID || len(s.Node.Cols()) != len(r.Out) {
				continue
			}
			var c plan.Node
			switch n := w.readers[s.ID]; {
			case n == 1:
				c = s.Node
			case s.Materialized || n > maxReaders || size(s.Node) > maxInlined:
				return r
			default:
				ids := map[plan.ColID]plan.ColID{}
				if c, ok = w.copy(s.Node, ids); !ok {
					return r
				}
			}
			items := make([]plan.Item, len(r.Out))
			for i, col := range c.Cols() {
				items[i] = plan.Item{Col: r.Out[i], Expr: &plan.ColRef{ID: col.ID, Name: col.Name, T: col.Type}}
			}
			return &plan.Project{Input: c, Items: items}
		}
		return r
	})
}

func size(n plan.Node) int {
	k := 0
	plan.Walk(n, func(plan.Node) bool { k++; return true })
	return k
}

// copy makes a tree with column ids of its own; false where a node is of a kind that is not copied.
func (w *rewriter) copy(n plan.Node, ids map[plan.ColID]plan.ColID) (plan.Node, bool) {
	in := plan.Inputs(n)
	ins := make([]plan.Node, len(in))
	for i, x := range in {
		c, ok := w.copy(x, ids)
		if !ok {
			return nil, false
		}
		ins[i] = c
	}
	if len(in) > 0 {
		n = plan.WithInputs(n, ins)
	}
	id := func(old plan.ColID) plan.ColID {
		if old == 0 {
			return 0
		}
		if ids[old] == 0 {
			ids[old] = w.fresh()
		}
		return ids[old]
	}
	cols := func(in []plan.Col) []plan.Col {
		out := append([]plan.Col(nil), in...)
		for i := range out {
			out[i].ID = id(out[i].ID)
		}
		return out
	}
	n = mapExprs(n, func(e plan.Expr) plan.Expr {
		if r, ok := e.(*plan.ColRef); ok {
			c := *r
			c.ID = id(r.ID)
			return &c
		}
		return e
	})
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		c.Out = cols(n.Out)
		return &c, true
	case *plan.Values:
		return &plan.Values{Out: cols(n.Out), Rows: n.Rows}, true
	case *plan.Range:
		c := *n
		c.Out.ID = id(n.Out.ID)
		return &c, true
	case *plan.SharedRef:
		return &plan.SharedRef{ID: n.ID, Out: cols(n.Out)}, true
	case *plan.Filter, *plan.Sort, *plan.Top, *plan.Take, *plan.Serialize:
		return n, true
	case *plan.Project:
		c := *n
		c.Items = items(n.Items, id)
		return &c, true
	case *plan.Summarize:
		c := *n
		c.Keys = items(n.Keys, id)
		c.Aggs = append([]plan.Agg(nil), n.Aggs...)
		for i := range c.Aggs {
			c.Aggs[i].Out = cols(c.Aggs[i].Out)
		}
		return &c, true
	case *plan.Join:
		c := *n
		c.Out = cols(n.Out)
		return &c, true
	case *plan.Union:
		c := *n
		c.Out, c.Source = cols(n.Out), id(n.Source)
		c.Map = make([][]plan.ColID, len(n.Map))
		for i, m := range n.Map {
			for _, old := range m {
				c.Map[i] = append(c.Map[i], id(old))
			}
		}
		return &c, true
	case *plan.MvExpand:
		c := *n
		c.Out, c.Index.ID = cols(n.Out), id(n.Index.ID)
		c.Expand = append([]plan.Expand(nil), n.Expand...)
		for i := range c.Expand {
			c.Expand[i].Out.ID = id(c.Expand[i].Out.ID)
		}
		return &c, true
	case *plan.Parse:
		c := *n
		c.Out = cols(n.Out)
		c.Parts = append([]plan.ParsePart(nil), n.Parts...)
		for i := range c.Parts {
			c.Parts[i].Col.ID = id(c.Parts[i].Col.ID)
		}
		return &c, true
	}
	return nil, false
}

func items(in []plan.Item, id func(plan.ColID) plan.ColID) []plan.Item {
	out := append([]plan.Item(nil), in...)
	for i := range out {
		out[i].Col.ID = id(out[i].Col.ID)
	}
	return out
}
