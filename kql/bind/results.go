package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// facetOp gives a table of counts a column, and what the with part makes of the input.
func (b *binder) facetOp(x *syntax.PipeExpr, in *table, op *syntax.FacetOp) operand {
	s := b.share(in, "", true)
	out := operand{kind: opGroup, src: x, several: true}
	if op.With != nil {
		t := b.subQuery(b.use(s), op.With, nil)
		if !op.WithParen {
			b.checkOperators(op.With, forkable)
		}
		out.tabs = append(out.tabs, t)
	}
	for _, e := range op.By {
		t := b.use(s)
		b.inRow(t, func() {
			c := b.scalarExpr(e)
			if c.kind != opErr && b.wantColumn(&c, e) {
				b.wantNotDynamic(&c, e)
			}
			name, _ := b.resultName(e)
			key := b.newCol(name, c.typ())
			n := b.newCol("count_"+name, tLong)
			agg := plan.Agg{Out: []plan.Col{n.Col}, Call: &plan.AggCall{Name: "count", T: n.Type, At: span(e)}}
			node := &plan.Summarize{Input: b.input(t), Keys: []plan.Item{{Col: key.Col, Expr: c.expr()}}, Aggs: []plan.Agg{agg}}
			out.tabs = append(out.tabs, &table{cols: []*column{key, n}, node: node, name: name})
		})
	}
	return out
}

func (b *binder) forkOp(x *syntax.PipeExpr, in *table, op *syntax.ForkOp) operand {
	s := b.share(in, "", true)
	out := operand{kind: opGroup, src: x, several: true}
	for i, br := range op.Branches {
		t := b.subQuery(b.use(s), br.X, forkable)
		f := *t
		f.index = nil
		switch {
		case br.Name != nil:
			f.name = br.Name.Text
		case f.name == "" && i == 0:
			f.name = "Results"
		case f.name == "":
			f.name = "Results_" + itoa(i+1)
		}
		out.tabs = append(out.tabs, &f)
	}
	return out
}

// renderOp remembers how the result is to be shown.
func (b *binder) renderOp(x *syntax.PipeExpr, in *table, op *syntax.RenderOp) operand {
	r := &plan.Render{Props: map[string]string{}}
	if op.Chart != nil {
		r.Kind = op.Chart.Text
	}
	for _, ps := range [][]*syntax.Param{op.Params, op.With} {
		for _, p := range ps {
			if p.Name == nil {
				continue
			}
			switch v := p.Value.(type) {
			case *syntax.NameList:
				names := make([]string, len(v.Names))
				for i, n := range v.Names {
					names[i] = n.Name
					b.renderColumn(in, p.Name.Text, n)
				}
				r.Props[p.Name.Text] = strings.Join(names, ",")
			case *syntax.NameRef:
				r.Props[p.Name.Text] = v.Name
				b.renderColumn(in, p.Name.Text, v)
				if t := b.renderText(p.Name.Text, v); t != nil {
					r.Props[p.Name.Text] = *t
				}
			case nil:
			default:
				o := b.expr(v)
				b.renderValue(p.Name.Text, &o, v)
				if k := constValue(o.expr()); k != nil {
					r.Props[p.Name.Text] = strings.Trim(plan.Literal(*k), `"`)
					if k.Type.String() == "string" {
						r.Props[p.Name.Text] = k.S
					}
				}
			}
		}
	}
	out := in.like(in.node, append([]*column(nil), in.cols...))
	out.name = in.name
	if b.renders == nil {
		b.renders = map[plan.Node]*plan.Render{}
	}
	b.renders[b.solid(out)] = r
	return tableOp(x, out)
}

// renderColumn checks a column that render names. The engine leaves it to the one who draws.
func (b *binder) renderColumn(in *table, prop string, n *syntax.NameRef) {
	switch prop {
	case "xcolumn", "ycolumns", "anomalycolumns", "series":
		if b.opt.Editor && !in.open && in.find(n.Name) == nil {
			b.fail(n.Span, "SEM0100", "the name %s does not refer to any known column", quoteName(n.Name))
		}
	}
}

// renderValue checks the type of a property of render. The engine leaves it to the one who draws.
func (b *binder) renderValue(prop string, o *operand, x syntax.Expr) {
	if !b.opt.Editor || o.kind == opErr {
		return
	}
	t := o.typ()
	switch prop {
	case "title", "xtitle", "ytitle":
		if !t.is(value.String) && !t.isDynamic() && !t.isUnknown() {
			b.fail(x.Range(), "SEM0141", "a string is expected here, not %s", o.typeName())
		}
	case "ymin", "ymax":
		if !o.lit || !t.isSummable() {
			b.fail(x.Range(), "SEM0224", "a number, datetime or timespan literal is expected here")
		}
	case "accumulate":
		if !o.lit || !t.is(value.Bool) {
			b.fail(x.Range(), "SEM0223", "true or false is expected here")
		}
	}
}

// renderText is the text of a title that is given by a let variable.
func (b *binder) renderText(prop string, n *syntax.NameRef) *string {
	switch prop {
	case "title", "xtitle", "ytitle":
		if t := b.constText(n); t != nil {
			return t
		}
		if b.opt.Editor && b.local.find(n.Name) == nil && b.column(n.Name) == nil && (b.row == nil || !b.row.open) {
			b.fail(n.Span, "SEM0100", "the name %s does not refer to any known variable", quoteName(n.Name))
		}
	}
	return nil
}
