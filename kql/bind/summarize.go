package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

// withAggs binds expressions that may call aggregates; the aggregates met are returned.
func (b *binder) withAggs(by map[*column]bool, f func()) []plan.Agg {
	var aggs []plan.Agg
	oldAggs, oldBy, oldKind := b.aggs, b.by, b.kind
	b.aggs, b.by, b.kind = &aggs, by, scopeAggregate
	f()
	b.aggs, b.by, b.kind = oldAggs, oldBy, oldKind
	return aggs
}

func (b *binder) summarizeOp(in *table, x *syntax.SummarizeOp) *table {
	b.queryParams(x.Params, paramsSummarize)
	p := b.newProjection()
	by := map[*column]bool{}
	if x.Bin != nil {
		b.fail(x.Bin.Range(), syntax.CodeNotSupported, "the bin= form of summarize is not supported; write by bin(column, size)")
	}
	ops := b.bindItems(x.By)
	clean := true
	for i, e := range x.By {
		if ops[i].kind == opErr {
			clean = false
		}
		if clean {
			b.wantNotDynamic(&ops[i], e)
		}
		if ops[i].kind == opStar {
			b.fail(e.Range(), "SEM0191", "* cannot stand here")
			continue
		}
		if ops[i].col != nil {
			by[ops[i].col] = true
		}
		p.project(e, ops[i], styleProject, false, nil, "")
	}
	keys := b.distinctIDs(p)
	for _, c := range p.cols {
		p.skip[c] = true
	}
	var aggOps []operand
	aggs := b.withAggs(by, func() {
		for _, e := range x.Aggs {
			aggOps = append(aggOps, b.item(e))
		}
	})
	for i, e := range x.Aggs {
		p.project(e, aggOps[i], styleSummarize, false, nil, "")
	}
	node := &plan.Summarize{Input: b.input(in), Keys: keys, Aggs: aggs}
	b.windowed = false
	for _, c := range p.cols {
		c.ghost = false
	}
	out := in.like(b.afterAggs(node, p, len(keys)), p.cols)
	out.serialized = false
	return out
}

// afterAggs puts the projection's order and arithmetic on top of a Summarize; nKeys columns of p are its keys. When
// the aggregates' outputs are the columns already, they only get their names.
func (b *binder) afterAggs(node *plan.Summarize, p *projection, nKeys int) plan.Node {
	var outs []*plan.Col
	for i := range node.Aggs {
		for j := range node.Aggs[i].Out {
			outs = append(outs, &node.Aggs[i].Out[j])
		}
	}
	direct := len(outs) == len(p.cols)-nKeys
	for i := 0; direct && i < len(outs); i++ {
		r, ok := p.exprs[nKeys+i].(*plan.ColRef)
		direct = ok && r.ID == outs[i].ID && p.cols[nKeys+i].Type == outs[i].Type
	}
	if direct {
		for i, o := range outs {
			c := p.cols[nKeys+i]
			o.Name = c.Name
			n := *c
			n.ID = o.ID
			p.cols[nKeys+i] = &n
		}
		return node
	}
	items := make([]plan.Item, len(p.cols))
	for i, c := range p.cols {
		items[i] = plan.Item{Col: c.Col, Expr: p.exprs[i]}
		if i < nKeys {
			items[i].Expr = plan.Ref(c.Col)
		}
	}
	return &plan.Project{Input: node, Items: items}
}

func (b *binder) distinctOp(in *table, x *syntax.DistinctOp) *table {
	b.queryParams(x.Params, paramsDistinct)
	p := b.newProjection()
	ops := b.bindItems(x.Items)
	clean := true
	var star syntax.Expr
	for i, e := range x.Items {
		clean = clean && ops[i].kind != opErr
		if ops[i].kind == opStar {
			star = e
		} else if clean {
			b.wantNotDynamic(&ops[i], e)
		}
		p.project(e, ops[i], styleProject, false, nil, "")
	}
	if star != nil && clean {
		for _, c := range p.cols {
			if c.Type == value.Dynamic {
				b.fail(star.Range(), "SEM0116", "the column %s is dynamic; distinct needs plain types: project it away or convert it with tostring()", quoteName(c.Name))
				break
			}
		}
	}
	node := &plan.Summarize{Input: b.input(in), Keys: b.distinctIDs(p)}
	for _, c := range p.cols {
		c.ghost = false
	}
	out := in.like(node, p.cols)
	out.serialized = false
	return out
}
