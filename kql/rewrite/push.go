package rewrite

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// push moves the predicates preds, which hold over n's columns, as far down as they keep their meaning, splits
// ands on the way, and leaves the rest in a filter on top.
func push(n plan.Node, preds []plan.Expr) plan.Node {
	switch n := n.(type) {
	case *plan.Filter:
		own := conjuncts(n.Pred)
		for _, e := range own {
			if !movable(e) {
				return filter(&plan.Filter{Input: push(n.Input, nil), Pred: n.Pred}, preds)
			}
		}
		return push(n.Input, append(own, preds...))
	case *plan.Project:
		if n.Serialized || !movableItems(n.Items) {
			break
		}
		by := map[plan.ColID]plan.Expr{}
		simple := idSet{}
		for _, it := range n.Items {
			switch it.Expr.(type) {
			case *plan.ColRef, *plan.Const:
				by[it.Col.ID] = it.Expr
				simple[it.Col.ID] = true
			}
		}
		down, stay := split(preds, func(e plan.Expr) bool { return simple.within(e) })
		for i := range down {
			down[i] = replace(down[i], by)
		}
		c := *n
		c.Input = push(n.Input, down)
		return filter(&c, stay)
	case *plan.Sort:
		return &plan.Sort{Input: push(n.Input, movableOf(&preds)), Keys: n.Keys}
	case *plan.Serialize:
		return &plan.Serialize{Input: push(n.Input, preds)}
	case *plan.Union:
		return pushUnion(n, preds)
	case *plan.Join:
		return pushJoin(n, preds)
	case *plan.Summarize:
		if len(n.Keys) == 0 {
			break
		}
		by := map[plan.ColID]plan.Expr{}
		keys := idSet{}
		for _, k := range n.Keys {
			if _, ok := k.Expr.(*plan.ColRef); ok {
				by[k.Col.ID] = k.Expr
				keys[k.Col.ID] = true
			}
		}
		down, stay := split(preds, func(e plan.Expr) bool { return keys.within(e) })
		for i := range down {
			down[i] = replace(down[i], by)
		}
		c := *n
		c.Input = push(n.Input, down)
		return filter(&c, stay)
	case *plan.MvExpand:
		return pushThrough(n, n.Input, expandedIDs(n), preds)
	case *plan.Parse:
		made := idSet{}
		for _, p := range n.Parts {
			made[p.Col.ID] = true
		}
		return pushThrough(n, n.Input, made, preds)
	case *plan.ParseKv:
		return pushThrough(n, n.Input, idsOf(n.Keys), preds)
	}
	in := plan.Inputs(n)
	if len(in) > 0 {
		out := make([]plan.Node, len(in))
		for i, x := range in {
			if _, ok := x.(plan.Graph); ok {
				out[i] = x
				continue
			}
			out[i] = push(x, nil)
		}
		n = plan.WithInputs(n, out)
	}
	return filter(n, preds)
}

// movableOf gives all of preds: only movable ones are ever pushed.
func movableOf(preds *[]plan.Expr) []plan.Expr { return *preds }

func expandedIDs(n *plan.MvExpand) idSet {
	made := idSet{}
	for _, x := range n.Expand {
		made[x.Out.ID] = true
	}
	if n.Index.ID != 0 {
		made[n.Index.ID] = true
	}
	return made
}

// pushThrough pushes what reads columns of the input only.
func pushThrough(n, input plan.Node, made idSet, preds []plan.Expr) plan.Node {
	have := idsOf(input.Cols())
	for id := range made {
		delete(have, id)
	}
	down, stay := split(preds, func(e plan.Expr) bool { return have.within(e) })
	return filter(plan.WithInputs(n, []plan.Node{push(input, down)}), stay)
}

func split(preds []plan.Expr, down func(plan.Expr) bool) (yes, no []plan.Expr) {
	for _, e := range preds {
		if down(e) {
			yes = append(yes, e)
		} else {
			no = append(no, e)
		}
	}
	return yes, no
}

// filter puts preds on top of n, in order.
func filter(n plan.Node, preds []plan.Expr) plan.Node {
	if len(preds) == 0 {
		return n
	}
	all := preds[0]
	for _, e := range preds[1:] {
		all = &plan.Call{Name: "And", Args: []plan.Expr{all, e}, T: value.Bool, At: e.Pos()}
	}
	return &plan.Filter{Input: n, Pred: all}
}

// pushUnion asks each input with its own columns.
func pushUnion(n *plan.Union, preds []plan.Expr) plan.Node {
	c := *n
	c.Inputs = append([]plan.Node(nil), n.Inputs...)
	bys := make([]map[plan.ColID]plan.Expr, len(n.Inputs))
	everywhere := idsOf(n.Out)
	for i := range n.Inputs {
		by, plain := branch(n, i)
		bys[i] = by
		for id := range everywhere {
			if !plain[id] {
				delete(everywhere, id)
			}
		}
	}
	down, stay := split(preds, func(e plan.Expr) bool { return everywhere.within(e) })
	for i, in := range n.Inputs {
		own := make([]plan.Expr, len(down))
		for k, e := range down {
			own[k] = replace(e, bys[i])
		}
		c.Inputs[i] = push(in, own)
	}
	return filter(&c, stay)
}

// branch tells what the columns of a union are in its input i, and which of them are there in the same type: others
// are converted above the input.
func branch(n *plan.Union, i int) (by map[plan.ColID]plan.Expr, plain idSet) {
	types := map[plan.ColID]value.Type{}
	for _, c := range n.Inputs[i].Cols() {
		types[c.ID] = c.Type
	}
	by, plain = map[plan.ColID]plan.Expr{}, idSet{}
	for j, col := range n.Out {
		id := n.Map[i][j]
		switch {
		case n.Source != 0 && col.ID == n.Source:
			by[col.ID] = plan.Str(n.Labels[i])
		case id == 0:
			by[col.ID] = plan.Null(col.Type)
		default:
			by[col.ID] = &plan.ColRef{ID: id, Name: col.Name, T: col.Type}
		}
		if id == 0 || types[id] == col.Type {
			plain[col.ID] = true
		}
	}
	return by, plain
}

// pushJoin sends what reads one side to that side, where the kind of join keeps no row of it that the predicate
// would have taken.
func pushJoin(n *plan.Join, preds []plan.Expr) plan.Node {
	l, r := idsOf(n.Left.Cols()), idsOf(n.Right.Cols())
	toLeft, toRight := false, false
	switch n.Kind {
	case plan.Inner:
		toLeft, toRight = true, true
	case plan.LeftOuter, plan.LeftSemi, plan.LeftAnti:
		toLeft = true
	case plan.RightOuter, plan.RightSemi, plan.RightAnti:
		toRight = true
	case plan.InnerUnique:
		// which of the left rows stands for its key must not change: only what the key itself decides goes left
		toLeft, toRight = true, true
		l = idSet{}
		for _, on := range n.On {
			if c, ok := on.L.(*plan.ColRef); ok {
				l[c.ID] = true
			}
		}
	}
	var left, right, stay []plan.Expr
	for _, e := range preds {
		switch {
		case toLeft && l.within(e):
			left = append(left, e)
		case toRight && r.within(e):
			right = append(right, e)
		default:
			stay = append(stay, e)
		}
	}
	c := *n
	c.Left, c.Right = push(n.Left, left), push(n.Right, right)
	return filter(&c, stay)
}
