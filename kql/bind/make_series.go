package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

func (b *binder) makeSeriesOp(in *table, x *syntax.MakeSeriesOp) *table {
	b.queryParams(x.Params, paramsSeries)
	node := &plan.MakeSeries{Input: b.input(in), NonEmpty: word(x.Params, "kind") == "nonempty"}
	p := b.newProjection()
	// keys stand first in the output, though they are written last
	ops := b.bindItems(x.By)
	by := map[*column]bool{}
	for i, e := range x.By {
		if ops[i].col != nil {
			by[ops[i].col] = true
		}
		p.project(e, ops[i], styleProject, false, nil, "")
	}
	node.Keys = b.distinctIDs(p)
	for i, a := range x.Aggs {
		var op operand
		aggs := b.withAggs(by, func() { op = b.item(a.X) })
		n := len(p.cols)
		p.project(a.X, op, styleSummarize, false, &tDynamic, "")
		var def *plan.Const
		if a.Default != nil {
			def = b.seriesDefault(a.Default, &op)
		}
		if len(p.cols) != n+1 {
			if op.kind != opErr {
				b.fail(a.X.Range(), syntax.CodeNotSupported, "an aggregate with several results can't be an aggregate of make-series")
			}
			continue
		}
		if len(aggs) != 1 || !sameOut(op.expr(), aggs[0]) {
			if op.kind == opErr || b.failed > 0 {
				continue
			}
			k, isConst := op.expr().(*plan.Const)
			if len(aggs) > 0 || !isConst {
				b.seriesArithmetic(x.Aggs[i].X)
				continue
			}
			// a constant where the bin has rows
			call := &plan.AggCall{Name: "take_any", Args: []plan.Expr{k}, T: k.Type(), At: span(a.X)}
			node.Aggs = append(node.Aggs, plan.SeriesAgg{Col: p.cols[n].Col, Call: call, Default: def})
			continue
		}
		node.Aggs = append(node.Aggs, plan.SeriesAgg{Col: p.cols[n].Col, Call: aggs[0].Call, Default: def})
	}
	axis := b.scalarExpr(axisExpr(x.On))
	n := len(p.cols)
	on := x.On
	p.project(on, axis, styleProject, false, &tDynamic, "")
	if len(p.cols) > n {
		c := p.cols[n]
		if axis.col != nil && c.ID == axis.col.ID {
			nc := *c
			nc.ID = b.newID()
			nc.t = tDynamic
			p.cols[n] = &nc
		}
		node.Axis = plan.Item{Col: p.cols[n].Col, Expr: axis.expr()}
	}
	b.seriesRange(node, x, &axis)
	node.Out = planCols(p.cols)
	for _, c := range p.cols {
		c.ghost = false
	}
	out := in.like(node, p.cols)
	out.serialized = false
	return out
}

func axisExpr(x syntax.Expr) syntax.Expr {
	if n, ok := x.(*syntax.NamedExpr); ok {
		return n.X
	}
	return x
}

func sameOut(e plan.Expr, a plan.Agg) bool {
	r, ok := e.(*plan.ColRef)
	return ok && len(a.Out) == 1 && a.Out[0].ID == r.ID
}

// seriesArithmetic refuses what the plan has no form for.
func (b *binder) seriesArithmetic(x syntax.Expr) {
	b.failHint(x.Range(), syntax.CodeNotSupported, "compute with series_* functions in an extend after make-series", "arithmetic over aggregates is not supported in make-series")
}

func (b *binder) seriesDefault(x syntax.Expr, agg *operand) *plan.Const {
	op := b.scalarExpr(x)
	if op.kind != opErr && !op.lit && !op.isConst {
		b.fail(x.Range(), "SEM0236", "the default of make-series must be a constant")
		return nil
	}
	k := constValue(op.expr())
	if k == nil {
		if op.kind != opErr && !b.opt.Editor {
			b.fail(x.Range(), syntax.CodeNotSupported, "a default that is not a literal is not supported in make-series")
		}
		return nil
	}
	t := agg.typ()
	if !t.isErr() && !t.isUnknown() && !assignable(t, op.t, convNone) && !assignable(t, op.t, convPromotable) {
		if !b.opt.Editor { // the editor service takes it; what the engine puts into the series isn't published
			b.fail(x.Range(), syntax.CodeNotSupported, "a default of type %s for an aggregate of type %s is not supported in make-series", op.typeName(), t)
		}
		return nil
	}
	e, _ := b.coerce(op.expr(), op.t, t.v).(*plan.Const)
	return e
}

func (b *binder) seriesRange(node *plan.MakeSeries, x *syntax.MakeSeriesOp, axis *operand) {
	bound := func(e syntax.Expr) plan.Expr {
		op := b.scalarExpr(e)
		t, at := op.typ(), axis.typ()
		if op.kind != opErr && axis.kind != opErr && !t.isErr() && !at.isErr() && !t.isUnknown() && !at.isUnknown() &&
			!assignable(at, t, convNone) && !assignable(at, t, convPromotable) {
			b.fail(e.Range(), "SEM0141", "the expression must have the type %s, not %s", at, op.typeName())
		}
		return op.expr()
	}
	step := func(e syntax.Expr) plan.Expr {
		op := b.scalarExpr(e)
		b.wantInterval(&op, e, axis.typ())
		return op.expr()
	}
	if x.InRange != nil {
		node.InRange = true
		if len(x.InRange) != 3 {
			at := syntax.Span{Start: x.InRange[0].Range().Start, End: x.InRange[len(x.InRange)-1].Range().End}
			b.fail(at, "SEM0120", "range takes three arguments, not %d", len(x.InRange))
			return
		}
		node.From, node.To, node.Step = bound(x.InRange[0]), bound(x.InRange[1]), step(x.InRange[2])
		return
	}
	if x.From != nil {
		node.From = bound(x.From)
	}
	if x.To != nil {
		node.To = bound(x.To)
	}
	if x.Step != nil {
		node.Step = step(x.Step)
	}
}

// wantInterval checks that range + step is a range again.
func (b *binder) wantInterval(op *operand, x syntax.Expr, rangeT typ) {
	t := op.typ()
	if op.kind == opErr || t.isErr() || rangeT.isErr() || t.isUnknown() || rangeT.isUnknown() {
		return
	}
	if r := b.addTypes(rangeT, t); r.isErr() || !assignable(rangeT, r, convNone) && !(rangeT.v == r.v) {
		if !b.opt.Editor && !r.isErr() && promoteInt(rangeT).same(r) { // the editor service wants int() around the step
			return
		}
		b.fail(x.Range(), "SEM0178", "the type %s is not an interval of %s", t, rangeT)
	}
}

// addTypes is the type of a + b.
func (b *binder) addTypes(x, y typ) typ {
	f, _ := lookupOperator("Add")
	m := &matcher{args: []arg{{operand: operand{kind: opScalar, t: x}}, {operand: operand{kind: opScalar, t: y}}}, types: []typ{x, y}}
	return b.operatorType(f, m, syntax.Span{}, true, false)
}
