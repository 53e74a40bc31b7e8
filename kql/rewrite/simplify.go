package rewrite

import (
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
)

// simplify folds what is constant and cuts off what gives no rows: a filter that is never true, a branch of a
// union that is empty, a join with nothing.
func simplify(n plan.Node) plan.Node {
	return mapNodes(n, func(n plan.Node) plan.Node {
		switch n := n.(type) {
		case *plan.Filter:
			pred := fold(n.Pred)
			if c, ok := pred.(*plan.Const); ok && c.Val.Type == value.Bool {
				if c.Val.Null || c.Val.I == 0 {
					return nothing(n)
				}
				return n.Input
			}
			if isEmpty(n.Input) {
				return nothing(n)
			}
			if pred != n.Pred {
				return &plan.Filter{Input: n.Input, Pred: pred}
			}
		case *plan.Project:
			if isEmpty(n.Input) {
				return nothing(n)
			}
		case *plan.Sort:
			if isEmpty(n.Input) {
				return nothing(n)
			}
		case *plan.Top:
			if isEmpty(n.Input) {
				return nothing(n)
			}
		case *plan.Take:
			if isEmpty(n.Input) {
				return nothing(n)
			}
		case *plan.Summarize:
			if len(n.Keys) > 0 && isEmpty(n.Input) {
				return nothing(n)
			}
		case *plan.Join:
			l, r := isEmpty(n.Left), isEmpty(n.Right)
			switch n.Kind {
			case plan.InnerUnique, plan.Inner, plan.LeftSemi, plan.RightSemi:
				if l || r {
					return nothing(n)
				}
			case plan.LeftOuter, plan.LeftAnti:
				if l {
					return nothing(n)
				}
			case plan.RightOuter, plan.RightAnti:
				if r {
					return nothing(n)
				}
			}
		case *plan.Union:
			return cutUnion(n)
		}
		return n
	})
}

// nothing is a table with n's columns and no rows.
func nothing(n plan.Node) plan.Node { return &plan.Values{Out: n.Cols()} }

func isEmpty(n plan.Node) bool {
	v, ok := n.(*plan.Values)
	return ok && len(v.Rows) == 0
}

// cutUnion leaves out the inputs without rows.
func cutUnion(n *plan.Union) plan.Node {
	var keep []int
	for i, in := range n.Inputs {
		if !isEmpty(in) {
			keep = append(keep, i)
		}
	}
	if len(keep) == len(n.Inputs) {
		return n
	}
	if len(keep) == 0 {
		return nothing(n)
	}
	c := *n
	c.Inputs, c.Map, c.Labels = nil, nil, nil
	for _, i := range keep {
		c.Inputs = append(c.Inputs, n.Inputs[i])
		c.Map = append(c.Map, n.Map[i])
		if i < len(n.Labels) {
			c.Labels = append(c.Labels, n.Labels[i])
		}
	}
	return &c
}

// fold computes the calls whose arguments are constants, and simplifies and, or, not over constants. It keeps what
// a filter and a column see: also null.
func fold(e plan.Expr) plan.Expr {
	return plan.MapExpr(e, func(e plan.Expr) plan.Expr {
		c, ok := e.(*plan.Call)
		if !ok || fixed[c.Name] || timely[c.Name] {
			return e
		}
		if len(c.Args) == 2 && (c.Name == "And" || c.Name == "Or") && c.Args[0].Type() == value.Bool && c.Args[1].Type() == value.Bool {
			decisive := int64(0)
			if c.Name == "Or" {
				decisive = 1
			}
			for i, a := range c.Args {
				k, ok := a.(*plan.Const)
				if !ok || k.Val.Null {
					continue
				}
				if k.Val.I == decisive {
					return plan.Bool(decisive == 1)
				}
				return c.Args[1-i]
			}
		}
		if len(c.Args) == 0 {
			return e
		}
		args := make([]*value.Vector, len(c.Args))
		for i, a := range c.Args {
			k, ok := a.(*plan.Const)
			if !ok {
				return e
			}
			args[i] = value.ConstOf(k.Val, 1)
		}
		f, ok := eval.Lookup(c.Name)
		if !ok {
			return e
		}
		v, err := f(eval.NewCtx(0), c.T, 1, args)
		if err != nil || v.Type != c.T || v.N != 1 {
			return e // the interpreter says what is wrong
		}
		return &plan.Const{Val: v.At(0), At: c.At}
	})
}

// timely are functions that read the query's context.
var timely = map[string]bool{
	"now": true, "ago": true, "ingestion_time": true, "bin_auto": true, "geo_info_from_ip_address": true,
	"current_principal": true, "current_principal_details": true, "current_principal_is_member_of": true,
	"current_cluster_endpoint": true, "current_database": true, "estimate_data_size": true,
}
