package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

// number binds the count of take, top and their relatives.
func (b *binder) number(x syntax.Expr) plan.Expr {
	var op operand
	b.outsideRow(func() { op = b.scalarExpr(x) })
	b.wantInteger(&op, x)
	return op.expr()
}

// outsideRow keeps the row scope for names, as the language does, but no aggregates.
func (b *binder) outsideRow(f func()) {
	k := b.kind
	b.kind = scopeNormal
	f()
	b.kind = k
}

func (b *binder) takeOp(in *table, x *syntax.TakeOp) *table {
	n := b.number(x.N)
	return in.like(&plan.Take{Input: b.input(in), N: n}, in.cols)
}

func (b *binder) sampleOp(in *table, x *syntax.SampleOp) *table {
	n := b.number(x.N)
	out := in.like(&plan.Sample{Input: b.input(in), N: n}, in.cols)
	out.serialized = false
	return out
}

func (b *binder) sampleDistinctOp(in *table, x *syntax.SampleDistinctOp) *table {
	n := b.number(x.N)
	op := b.scalarExpr(x.Of)
	if op.kind != opErr && b.wantColumn(&op, x.Of) {
		b.wantNotDynamic(&op, x.Of)
	}
	name, ok := b.resultName(x.Of)
	if !ok {
		name = "Column1"
	}
	c := b.newCol(name, op.typ())
	out := in.like(&plan.SampleDistinct{Input: b.input(in), N: n, By: plan.Item{Col: c.Col, Expr: op.expr()}}, []*column{c})
	out.serialized = false
	return out
}

func (b *binder) countOp(in *table, x *syntax.CountOp) *table {
	name := "Count"
	if x.As != nil {
		name = x.As.Text
	}
	c := b.newCol(name, tLong)
	agg := plan.Agg{Out: []plan.Col{c.Col}, Call: &plan.AggCall{Name: "count", T: c.Type, At: span(x)}}
	return &table{cols: []*column{c}, node: &plan.Summarize{Input: b.input(in), Aggs: []plan.Agg{agg}}}
}

// sortKey binds one key of sort or top.
func (b *binder) sortKey(x syntax.Expr) (plan.SortKey, operand, bool) {
	k := plan.SortKey{Desc: true}
	o, _ := x.(*syntax.OrderedExpr)
	inner := x
	nulls := syntax.NullsDefault
	if o != nil {
		inner, nulls = o.X, o.Nulls
		k.Desc = o.Order != syntax.OrderAsc && o.Order != syntax.OrderGrannyAsc
	}
	if n, ok := inner.(*syntax.NamedExpr); ok {
		inner = n.X
	}
	k.NullsFirst = !k.Desc
	if nulls != syntax.NullsDefault {
		k.NullsFirst = nulls == syntax.NullsFirst
	}
	op := b.expr(inner)
	ok := b.wantScalar(&op, x)
	k.Expr = op.expr()
	return k, op, ok
}

func (b *binder) sortOp(in *table, x *syntax.SortOp) *table {
	b.queryParams(x.Params, paramsSort)
	keys := make([]plan.SortKey, len(x.Keys))
	for i, e := range x.Keys {
		k, op, _ := b.sortKey(e)
		keys[i] = k
		b.wantNotDynamic(&op, e)
	}
	out := in.like(&plan.Sort{Input: b.input(in), Keys: keys}, in.cols)
	out.serialized = true
	return out
}

func (b *binder) topOp(in *table, x *syntax.TopOp) *table {
	n := b.number(x.N)
	k, _, _ := b.sortKey(x.By)
	out := in.like(&plan.Top{Input: b.input(in), N: n, Keys: []plan.SortKey{k}}, in.cols)
	out.serialized = true
	return out
}

func (b *binder) topHittersOp(in *table, x *syntax.TopHittersOp) *table {
	n := b.number(x.N)
	of := b.scalarExpr(x.Of)
	if of.kind != opErr {
		b.wantColumn(&of, x.Of)
	}
	name, _ := b.resultName(x.Of)
	by := b.newCol(name, of.typ())
	node := &plan.TopHitters{Input: b.input(in), N: n, By: plan.Item{Col: by.Col, Expr: of.expr()}}
	var cnt *column
	if x.By != nil {
		w := b.scalarExpr(x.By)
		if t := w.typ(); w.kind != opErr && !t.isNumeric() {
			b.fail(x.By.Range(), "SEM0137", "a number is expected here, not %s", w.typeName())
		}
		wn, _ := b.resultName(x.By)
		node.Weight = w.expr()
		cnt = b.newCol("approximate_sum_"+wn, w.typ())
	} else {
		cnt = b.newCol("approximate_count_"+name, tLong)
	}
	node.Count = cnt.Col
	out := in.like(node, []*column{by, cnt})
	out.serialized = true
	return out
}

func (b *binder) asOp(in *table, x *syntax.AsOp) *table {
	b.queryParams(x.Params, paramsAs)
	on, _ := flag(x.Params, "hint.materialized")
	s := b.share(in, x.Name.Text, on)
	b.local.add(&symbol{name: x.Name.Text, op: operand{kind: opTable, tab: in}, sh: s})
	out := b.use(s)
	out.name = x.Name.Text
	return out
}

func (b *binder) reduceOp(in *table, x *syntax.ReduceOp) *table {
	b.queryParams(x.Params, paramsReduce)
	op := b.scalarExpr(x.By)
	b.wantExact(&op, x.By, tString)
	b.queryParams(x.With, paramsReduceBy)
	n := &plan.Reduce{Input: b.input(in), X: op.expr(), Threshold: 0.1, Kind: word(x.Params, "kind"), Characters: word(x.With, "characters")}
	if p := param(x.With, "threshold"); p != nil {
		v := b.expr(p.Value)
		if k := constValue(v.expr()); k != nil {
			switch {
			case k.Type.String() == "real":
				n.Threshold = k.F
			default:
				n.Threshold = float64(k.I)
			}
		}
	}
	var cols []*column
	if n.Kind == "source" {
		cols = append(cols, in.cols...)
	}
	made := []*column{b.newCol("Pattern", tString), b.newCol("Count", tLong), b.newCol("Representative", tString)}
	cols = append(cols, made...)
	n.Out = planCols(cols)
	return &table{cols: cols, node: n}
}
