package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
)

func (b *binder) scanOp(in *table, x *syntax.ScanOp) *table {
	b.queryParams(x.Params, paramsScan)
	node := &plan.ScanSteps{}
	for _, k := range x.OrderBy {
		sk, _, _ := b.sortKey(k)
		node.OrderBy = append(node.OrderBy, sk)
	}
	for _, k := range x.PartitionBy {
		op := b.scalarExpr(k)
		node.PartitionBy = append(node.PartitionBy, op.expr())
	}
	var declared []*column
	byName := map[string]*column{}
	for _, d := range x.Declare {
		t := tUnknown
		if d.Type != nil {
			t = b.declared(d.Type)
		}
		c := b.newCol(d.Name.Text, t)
		var def plan.Expr = plan.Null(c.Type)
		if d.Default != nil {
			op := b.scalarExpr(d.Default)
			def = b.coerce(op.expr(), op.typ(), c.Type)
		}
		node.Declared = append(node.Declared, plan.Item{Col: c.Col, Expr: def})
		declared = append(declared, c)
		byName[c.Name] = c
	}
	all := append(append([]*column(nil), in.cols...), declared...)
	b.inner(func() {
		for _, c := range declared {
			b.local.add(&symbol{name: c.Name, op: operand{kind: opScalar, t: c.t, col: c, e: plan.Ref(c.Col)}})
		}
		steps := map[string]bool{}
		for _, s := range x.Steps {
			st := plan.ScanStep{Name: s.Name.Text, Optional: s.Optional}
			if s.Output != nil {
				switch s.Output.Text {
				case "last":
					st.Output = plan.StepLast
				case "none":
					st.Output = plan.StepNone
				}
			}
			tuple := operand{kind: opTuple, rel: &table{open: in.open}}
			for _, c := range all {
				sc := b.newCol(c.Name, c.t)
				st.State = append(st.State, sc.Col)
				tuple.tuple = append(tuple.tuple, tupleCol{name: c.Name, t: c.t, e: plan.Ref(sc.Col), col: sc, id: sc})
			}
			steps[st.Name] = true
			b.local.add(&symbol{name: st.Name, op: tuple})
			node.Steps = append(node.Steps, st)
		}
		b.inScan++
		defer func() { b.inScan-- }()
		for i, s := range x.Steps {
			node.Steps[i].Cond = b.boolExpr(s.Cond)
			for _, a := range s.Assign {
				op := b.scalarExpr(a.X)
				if byName[a.Name.Name] != nil && in.find(a.Name.Name) != nil {
					b.fail(a.Name.Span, "SEM0146", "the name %s is both a declared column of scan and a column of its input", quoteName(a.Name.Name))
					continue
				}
				c := byName[a.Name.Name]
				if c == nil {
					c = in.find(a.Name.Name)
				}
				if c == nil {
					if op.kind != opErr && !in.open {
						b.failHint(a.Name.Span, "SEM0100", "declare it: declare ("+a.Name.Name+": type)", "the name %s does not refer to a declared column of scan", quoteName(a.Name.Name))
					} else if op.kind != opErr {
						b.fail(a.Name.Span, "SEM0109", "only declared columns can be assigned")
					}
					continue
				}
				node.Steps[i].Assign = append(node.Steps[i].Assign, plan.StepAssign{Col: c.ID, Expr: b.coerce(op.expr(), op.typ(), c.Type)})
			}
		}
	})
	cols := append(append([]*column(nil), in.cols...), declared...) // the steps may have inferred columns
	if p := param(x.Params, "with_match_id"); p != nil || b.opt.Editor {
		name := "match_id"
		if p != nil {
			name, _ = paramWord(p)
		}
		c := b.newCol(name, tLong)
		node.MatchID = c.Col
		cols = append(cols, c)
	}
	node.Input = b.solid(in)
	node.Out = planCols(cols)
	out := in.like(node, cols)
	return out
}
