package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

func (b *binder) topNestedOp(in *table, x *syntax.TopNestedOp) *table {
	node := &plan.TopNested{Input: b.input(in)}
	names := uniqueNames{}
	var cols []*column
	for _, l := range x.Levels {
		lv := plan.TopNestedLevel{}
		if l.N != nil {
			lv.N = b.number(l.N)
		}
		of := l.Of
		if n, ok := of.(*syntax.NamedExpr); ok {
			of = n.X
		}
		op := b.scalarExpr(of)
		if l.Others != nil {
			o := b.scalarExpr(l.Others)
			if k, ok := b.coerce(o.expr(), o.typ(), op.typ().v).(*plan.Const); ok {
				lv.Others = k
			} else if o.kind != opErr {
				b.fail(l.Others.Range(), "SEM0129", "the expression must be a constant")
			}
		}
		by := l.By
		if o, ok := by.(*syntax.OrderedExpr); ok {
			lv.Asc = o.Order == syntax.OrderAsc
			by = o.X
		}
		var agg operand
		aggs := b.withAggs(nil, func() { agg = b.item(by) })
		ofName, _ := b.resultName(l.Of)
		ofName = names.get(ofName)
		c := b.newCol(ofName, op.typ())
		lv.By = plan.Item{Col: c.Col, Expr: op.expr()}
		byName := "aggregated_" + ofName
		if n, ok := by.(*syntax.NamedExpr); ok && !n.Tuple {
			byName = n.Names[0].Text
		}
		v := b.newCol(names.get(byName), agg.typ())
		lv.Col = v.Col
		switch {
		case len(aggs) == 1 && sameOut(agg.expr(), aggs[0]):
			lv.Agg = aggs[0]
			lv.Agg.Out[0].Name = v.Name
			lv.Col.ID = lv.Agg.Out[0].ID
			v.ID = lv.Col.ID
		case len(aggs) == 1 && len(aggs[0].Out) == 1:
			lv.Agg, lv.Post = aggs[0], agg.expr()
		default:
			if agg.kind != opErr && b.failed == 0 && !b.opt.Editor {
				b.fail(l.By.Range(), syntax.CodeNotSupported, "top-nested takes one aggregate with one result here")
			}
		}
		node.Levels = append(node.Levels, lv)
		cols = append(cols, c, v)
	}
	out := in.like(node, cols)
	out.serialized = false
	return out
}
