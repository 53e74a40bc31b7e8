package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

func (b *binder) whereOp(in *table, x *syntax.WhereOp) *table {
	return b.filter(in, b.boolExpr(x.Pred))
}

// filter keeps the rows for which pred is true; constants decide at once.
func (b *binder) filter(in *table, pred plan.Expr) *table {
	cols := append([]*column(nil), in.cols...)
	if is, ok := truth(pred); ok {
		if is {
			out := in.like(in.node, cols)
			out.missing, out.name = in.missing, ""
			return out
		}
		return in.like(&plan.Values{Out: realCols(cols)}, cols)
	}
	return in.like(&plan.Filter{Input: b.input(in), Pred: pred}, cols)
}

// realCols are the columns that a node can produce: not those that were only inferred.
func realCols(cols []*column) []plan.Col {
	var out []plan.Col
	for _, c := range cols {
		if !c.ghost {
			out = append(out, c.Col)
		}
	}
	return out
}
