package rewrite

import "picket/kql/plan"

// limits brings take and top closer to the rows: a sort that only feeds a take becomes a top, both go below the
// columns that are computed for every row, and each branch of a union gives no more than is wanted.
func limits(n plan.Node) plan.Node {
	return mapNodes(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Take:
			return lowerTake(n)
		case *plan.Top:
			return lowerTop(n)
		}
		return n
	})
}

func isConst(e plan.Expr) bool { _, ok := e.(*plan.Const); return ok }

func lowerTake(n *plan.Take) plan.Node {
	switch in := n.Input.(type) {
	case *plan.Sort:
		for _, k := range in.Keys {
			if !movable(k.Expr) {
				return n
			}
		}
		return lowerTop(&plan.Top{Input: in.Input, N: n.N, Keys: in.Keys})
	case *plan.Project:
		if in.Serialized || !movableItems(in.Items) {
			return n
		}
		c := *in
		c.Input = lowerTake(&plan.Take{Input: in.Input, N: n.N})
		return &c
	case *plan.Take:
		if a, ok := n.N.(*plan.Const); ok {
			if b, ok := in.N.(*plan.Const); ok && !a.Val.Null && !b.Val.Null && a.Val.Type == b.Val.Type && a.Val.I >= 0 && b.Val.I >= 0 {
				if a.Val.I <= b.Val.I {
					return lowerTake(&plan.Take{Input: in.Input, N: n.N})
				}
				return in
			}
		}
	case *plan.Union:
		if !isConst(n.N) {
			return n
		}
		c := *in
		c.Inputs = append([]plan.Node(nil), in.Inputs...)
		for i := range c.Inputs {
			c.Inputs[i] = lowerTake(&plan.Take{Input: c.Inputs[i], N: n.N})
		}
		return &plan.Take{Input: &c, N: n.N}
	}
	return n
}

func lowerTop(n *plan.Top) plan.Node {
	switch in := n.Input.(type) {
	case *plan.Project:
		if in.Serialized || !movableItems(in.Items) {
			return n
		}
		by := map[plan.ColID]plan.Expr{}
		simple := idSet{}
		for _, it := range in.Items {
			switch it.Expr.(type) {
			case *plan.ColRef, *plan.Const:
				by[it.Col.ID] = it.Expr
				simple[it.Col.ID] = true
			}
		}
		keys := make([]plan.SortKey, len(n.Keys))
		for i, k := range n.Keys {
			if !simple.within(k.Expr) {
				return n
			}
			keys[i] = k
			keys[i].Expr = replace(k.Expr, by)
		}
		c := *in
		c.Input = lowerTop(&plan.Top{Input: in.Input, N: n.N, Keys: keys})
		return &c
	case *plan.Union:
		return topOfEach(n, in)
	}
	return n
}

// topOfEach lets each branch of a union give no more than its own first rows.
func topOfEach(n *plan.Top, in *plan.Union) plan.Node {
	if !isConst(n.N) {
		return n
	}
	for _, k := range n.Keys {
		if !movable(k.Expr) {
			return n
		}
	}
	c := *in
	c.Inputs = append([]plan.Node(nil), in.Inputs...)
	for i, x := range in.Inputs {
		by, plain := branch(in, i)
		keys := append([]plan.SortKey(nil), n.Keys...)
		ok := true
		for k := range keys {
			ok = ok && plain.within(keys[k].Expr)
			keys[k].Expr = replace(keys[k].Expr, by)
		}
		if ok {
			c.Inputs[i] = lowerTop(&plan.Top{Input: x, N: n.N, Keys: keys})
		}
	}
	return &plan.Top{Input: &c, N: n.N, Keys: n.Keys}
}
