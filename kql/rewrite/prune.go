package rewrite

import (
	"picket/kql/plan"
)

// prune drops the columns that nobody above reads. The result has at least the columns of need that n has.
func prune(n plan.Node, need idSet) plan.Node {
	switch n := n.(type) {
	case *plan.Scan:
		c := *n
		c.Out = keepCols(n.Out, need)
		return &c
	case *plan.Values:
		return pruneValues(n, need)
	case *plan.Filter:
		return &plan.Filter{Input: prune(n.Input, need.with(n.Pred)), Pred: n.Pred}
	case *plan.Project:
		c := *n
		c.Items = nil
		below := idSet{}
		for _, it := range n.Items {
			if need[it.Col.ID] {
				c.Items = append(c.Items, it)
				below.add(it.Expr)
			}
		}
		c.Input = prune(n.Input, below)
		return &c
	case *plan.Sort:
		below := need.with()
		for _, k := range n.Keys {
			below.add(k.Expr)
		}
		return &plan.Sort{Input: prune(n.Input, below), Keys: n.Keys}
	case *plan.Top:
		below := need.with(n.N)
		for _, k := range n.Keys {
			below.add(k.Expr)
		}
		return &plan.Top{Input: prune(n.Input, below), N: n.N, Keys: n.Keys}
	case *plan.Take:
		return &plan.Take{Input: prune(n.Input, need), N: n.N}
	case *plan.Serialize:
		return &plan.Serialize{Input: prune(n.Input, need)}
	case *plan.Summarize:
		return pruneSummarize(n, need)
	case *plan.Join:
		below := need.with()
		for _, on := range n.On {
			below.add(on.L)
			below.add(on.R)
		}
		c := *n
		c.Left, c.Right = prune(n.Left, below), prune(n.Right, below)
		c.Out = keepCols(n.Out, need)
		return &c
	case *plan.Union:
		return pruneUnion(n, need)
	case *plan.MvExpand:
		made := expandedIDs(n)
		c := *n
		c.Out = nil
		below := need.with(n.Limit)
		for _, x := range n.Expand {
			below.add(x.X)
		}
		for _, col := range n.Out {
			if need[col.ID] || made[col.ID] {
				c.Out = append(c.Out, col)
			}
		}
		c.Input = prune(n.Input, below)
		return &c
	case *plan.Parse:
		made := idSet{}
		for _, p := range n.Parts {
			made[p.Col.ID] = true
		}
		c := *n
		c.Out = keepCols(n.Out, union(need, made))
		c.Input = prune(n.Input, need.with(n.X))
		return &c
	case *plan.ParseKv:
		c := *n
		c.Out = keepCols(n.Out, union(need, idsOf(n.Keys)))
		c.Input = prune(n.Input, need.with(n.X))
		return &c
	case *plan.MakeSeries, *plan.SampleDistinct, *plan.TopHitters, *plan.TopNested:
		below := idSet{}
		plan.Exprs(n, below.add)
		return plan.WithInputs(n, []plan.Node{prune(plan.Inputs(n)[0], below)})
	}
	in := plan.Inputs(n)
	if len(in) == 0 {
		return n
	}
	out := make([]plan.Node, len(in))
	for i, x := range in {
		if _, ok := x.(plan.Graph); ok {
			out[i] = x
			continue
		}
		cols := x.Cols()
		out[i] = restore(prune(x, idsOf(cols)), cols)
	}
	return plan.WithInputs(n, out)
}

func union(a, b idSet) idSet {
	out := a.with()
	for id := range b {
		out[id] = true
	}
	return out
}

func keepCols(cols []plan.Col, need idSet) []plan.Col {
	out := []plan.Col{}
	for _, c := range cols {
		if need[c.ID] {
			out = append(out, c)
		}
	}
	return out
}

func pruneValues(n *plan.Values, need idSet) plan.Node {
	c := &plan.Values{}
	var at []int
	for i, col := range n.Out {
		if need[col.ID] {
			c.Out = append(c.Out, col)
			at = append(at, i)
		}
	}
	if len(at) == len(n.Out) {
		return n
	}
	for _, row := range n.Rows {
		out := row[:0:0]
		for _, i := range at {
			out = append(out, row[i])
		}
		c.Rows = append(c.Rows, out)
	}
	return c
}

// pruneSummarize keeps the keys, which make the groups, and the aggregates that are read. Of arg_max and arg_min
// it keeps the columns that are read; take_any of several columns takes them from one row and stays whole.
func pruneSummarize(n *plan.Summarize, need idSet) plan.Node {
	c := *n
	c.Aggs = nil
	below := idSet{}
	for _, k := range n.Keys {
		below.add(k.Expr)
	}
	for _, a := range n.Aggs {
		read := false
		for _, col := range a.Out {
			read = read || need[col.ID]
		}
		if !read && len(n.Keys)+len(n.Aggs) > 1 {
			continue
		}
		if name := a.Call.Name; (name == "arg_max" || name == "arg_min") && len(a.Out) == len(a.Call.Args) && len(a.Out) > 1 {
			call := *a.Call
			call.Args = nil
			var out []plan.Col
			for i, col := range a.Out {
				if i == 0 || need[col.ID] {
					out = append(out, col)
					call.Args = append(call.Args, a.Call.Args[i])
				}
			}
			a = plan.Agg{Out: out, Call: &call}
		}
		below.add(a.Call)
		c.Aggs = append(c.Aggs, a)
	}
	c.Input = prune(n.Input, below)
	return &c
}

func pruneUnion(n *plan.Union, need idSet) plan.Node {
	c := *n
	c.Out, c.Map, c.Inputs = nil, make([][]plan.ColID, len(n.Inputs)), make([]plan.Node, len(n.Inputs))
	var at []int
	for j, col := range n.Out {
		if need[col.ID] {
			at = append(at, j)
			c.Out = append(c.Out, col)
		} else if n.Source == col.ID {
			c.Source = 0
		}
	}
	for i, in := range n.Inputs {
		below := idSet{}
		for _, j := range at {
			id := n.Map[i][j]
			c.Map[i] = append(c.Map[i], id)
			if id != 0 {
				below[id] = true
			}
		}
		c.Inputs[i] = prune(in, below)
	}
	return &c
}
