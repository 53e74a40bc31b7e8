package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

// expandType is the type of an expanded column.
func expandType(t typ, to *typ, arrays bool) typ {
	switch {
	case to != nil:
		return *to
	case t.isDynamic() && t.shape == shapeArray:
		return t.element()
	case t.isDynamic() && t.shape == shapeBag:
		if arrays {
			return tArray
		}
		return tBag
	case t.isDynamic():
		return tDynamic
	}
	return t
}

// expandColumns binds the columns of mv-expand and mv-apply. p gets the input's columns too, those among them that
// the expressions were the first to name.
func (b *binder) expandColumns(in *table, p *projection, cols []*syntax.MvColumn, arrays bool) ([]plan.Expand, []*column) {
	var out []plan.Expand
	var used []*column
	type bound struct {
		op operand
		to *typ
	}
	ops := make([]bound, len(cols))
	for i, c := range cols {
		if c.X == nil {
			continue
		}
		inner := c.X
		if n, ok := inner.(*syntax.NamedExpr); ok {
			inner = n.X
		}
		ops[i].op = b.expr(inner)
		b.wantScalar(&ops[i].op, c.X)
		if c.To != nil {
			t := b.typeOf(c.To)
			ops[i].to = &t.t
		}
	}
	p.addAll(in.cols, false, true)
	for i, c := range cols {
		if c.X == nil {
			continue
		}
		op := ops[i].op
		t := op.typ()
		if op.kind != opErr && !t.isErr() && !t.isUnknown() && !t.isDynamic() {
			b.fail(c.X.Range(), "SEM0141", "the expression must have the type dynamic, not %s", op.typeName())
		}
		if _, named := c.X.(*syntax.NamedExpr); !named && op.col != nil {
			used = append(used, op.col)
		}
		nt := expandType(t, ops[i].to, arrays)
		if nt.isErr() {
			nt = tUnknown
		}
		// the output column has an identity of its own, also when it replaces the input's
		marker := &plan.Const{}
		op2 := op
		op2.e = marker
		p.project(c.X, op2, styleReplace, false, &nt, "")
		for j, e := range p.exprs {
			if e == plan.Expr(marker) {
				nc := *p.cols[j]
				nc.ID = b.newID()
				nc.t = nt
				nc.Type = nt.v
				nc.ghost = false
				p.cols[j] = &nc
				ref := plan.Ref(nc.Col)
				p.exprs[j] = ref
				x := plan.Expand{X: op.expr(), Out: nc.Col}
				if ops[i].to != nil {
					x.ToType = ops[i].to.v
				}
				out = append(out, x)
			}
		}
	}
	return out, used
}

func (b *binder) mvExpandOp(in *table, x *syntax.MvExpandOp) *table {
	b.queryParams(x.Params, paramsExpand)
	p := b.newProjection()
	arrays := word(x.Params, "bagexpansion") == "array" || param(x.Params, "bagexpansion") == nil && word(x.Params, "kind") == "array"
	node := &plan.MvExpand{}
	if arrays {
		node.Kind = plan.ExpandArray
	}
	node.Expand, _ = b.expandColumns(in, p, x.Columns, arrays)
	if ip := param(x.Params, "with_itemindex"); ip != nil {
		n, _ := paramWord(ip)
		c := b.newCol(n, tLong)
		p.add(c, plan.Ref(c.Col), "", false, false)
		node.Index = p.cols[len(p.cols)-1].Col
	}
	if x.Limit != nil {
		node.Limit = b.number(x.Limit)
	}
	node.Input = b.solid(in)
	node.Out = planCols(p.cols)
	return in.like(node, p.cols)
}

func (b *binder) mvApplyOp(in *table, x *syntax.MvApplyOp) *table {
	b.queryParams(x.Params, paramsApply)
	p := b.newProjection()
	node := &plan.MvApply{ID: b.subID()}
	if x.ID != nil {
		b.fail(x.ID.Range(), syntax.CodeNotSupported, "the id clause of mv-apply is not supported")
	}
	var used []*column
	node.Expand, used = b.expandColumns(in, p, x.Columns, false)
	if ip := param(x.Params, "with_itemindex"); ip != nil {
		n, _ := paramWord(ip)
		c := b.newCol(n, tLong)
		p.add(c, plan.Ref(c.Col), "", false, false)
		node.Index = p.cols[len(p.cols)-1].Col
	}
	if x.Limit != nil {
		node.Limit = b.number(x.Limit)
	}
	node.Input = b.solid(in)
	leaf := in.like(&plan.Correlated{ID: node.ID, Out: planCols(p.cols)}, p.cols)
	sub := b.subQuery(leaf, x.Sub, nil)
	node.Sub = b.solid(sub)

	// the output: input columns that are not expanded, then what the sub-query gives; one that replaces another
	// of its name takes its place
	applied := map[*column]bool{}
	for _, c := range used {
		applied[c] = true
	}
	out := b.newProjection()
	given := map[plan.ColID]bool{}
	for _, c := range node.Input.Cols() {
		given[c.ID] = true
	}
	for _, c := range in.cols {
		if !applied[c] && given[c.ID] {
			out.add(c, b.ref(c, plan.Span{}), "", false, true)
		}
	}
	for _, c := range sub.cols {
		if c.ghost {
			continue
		}
		out.add(c, plan.Ref(c.Col), "", true, false)
	}
	// a column handed through the sub-query has the same id on both sides; the sub-query's stands
	node.Out = planCols(out.cols)
	t := in.like(node, out.cols)
	return t
}

func (b *binder) subID() int {
	b.nextID++
	return b.nextID
}

// subQuery binds a pipeline that begins with the rows of leaf. allowed limits its operators; nil allows all
// that may follow a bar.
func (b *binder) subQuery(leaf *table, x syntax.Expr, allowed func(syntax.Operator) bool) *table {
	var op operand
	b.inRow(leaf, func() {
		b.withPiped(tableOp(x, leaf), func() { op = b.expr(x) })
	})
	b.checkOperators(x, allowed)
	t := b.wantTable(&op, x)
	return t
}

// checkOperators reports operators that may not stand in a sub-query.
func (b *binder) checkOperators(x syntax.Expr, allowed func(syntax.Operator) bool) {
	for {
		p, ok := unparen(x).(*syntax.PipeExpr)
		if !ok {
			return
		}
		switch p.Op.(type) {
		case *syntax.PrintOp, *syntax.RangeOp, *syntax.MacroExpandOp:
			ok = false
		default:
			ok = allowed == nil || allowed(p.Op)
		}
		if !ok {
			b.fail(b.keyword(p.Op), "SEM0177", "the operator %s is not allowed here", b.text0(b.keyword(p.Op)))
		}
		if p.Input == nil {
			return
		}
		x = p.Input
	}
}

// forkable are the operators that fork and facet take.
func forkable(op syntax.Operator) bool {
	switch op.(type) {
	case *syntax.AsOp, *syntax.CountOp, *syntax.DistinctOp, *syntax.ExecuteAndCacheOp, *syntax.ExtendOp, *syntax.WhereOp, *syntax.InvokeOp,
		*syntax.MvExpandOp, *syntax.ParseOp, *syntax.ParseKvOp, *syntax.ProjectOp, *syntax.ProjectAwayOp, *syntax.ProjectByNamesOp,
		*syntax.ProjectKeepOp, *syntax.ProjectRenameOp, *syntax.ProjectReorderOp, *syntax.ReduceOp, *syntax.SampleDistinctOp,
		*syntax.SampleOp, *syntax.SortOp, *syntax.SummarizeOp, *syntax.TakeOp, *syntax.TopHittersOp, *syntax.TopNestedOp, *syntax.TopOp, *syntax.BadOp:
		return true
	}
	return false
}

// contextual binds __contextual_datatable, which stands for the rows of the operator around it.
func (b *binder) contextual(x *syntax.ContextualDataTable) operand {
	if b.piped == nil {
		b.fail(x.Span, syntax.CodeNotSupported, "__contextual_datatable is only supported at the start of a sub-query")
		return errAt(x)
	}
	in := *b.piped
	b.piped = nil
	return in
}
