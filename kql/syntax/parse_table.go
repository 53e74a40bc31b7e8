package syntax

import "strings"

func (p *parser) dataTable() Expr {
	start := p.start()
	p.next()
	d := &DataTable{Params: p.params(nil, false), Schema: p.needSchema(false)}
	if p.need("[") {
		p.accept(",")
		p.commaList(listOpt{trailing: true, what: "a literal"}, appendExpr(&d.Values, p.literalExpr))
		p.close("]")
	}
	d.Span = p.from(start)
	return d
}

func (p *parser) contextualDataTable() Expr {
	start := p.start()
	p.next()
	c := &ContextualDataTable{ID: p.literalExpr()}
	if c.ID == nil {
		c.ID = p.needExpr(p.expr())
	}
	c.Schema = p.needSchema(false)
	c.Span = p.from(start)
	return c
}

func (p *parser) externalData() Expr {
	start := p.start()
	p.next()
	e := &ExternalData{Params: p.params(nil, false), Schema: p.needSchema(false)}
	if p.need("[") {
		p.commaList(listOpt{trailing: true}, appendExpr(&e.URIs, p.pipe))
		p.close("]")
	}
	e.With = p.properties()
	e.Span = p.from(start)
	return e
}

// externalSchemaAhead says whether a schema stands at offset n: a parenthesis with a colon before its end.
func (p *parser) externalSchemaAhead(n int) bool {
	if !p.isAt(n, "(") {
		return false
	}
	for i := n + 1; ; i++ {
		switch t := p.peekAt(i); {
		case i > n+1000:
			return false
		case t.kind == tEOF || p.isAt(i, ":"):
			return true
		case p.isAt(i, ")"):
			return false
		}
	}
}

func (p *parser) inlineExternalTable() Expr {
	if !p.externalSchemaAhead(1) && !p.isAt(1, "kind") {
		return nil
	}
	start := p.start()
	p.next()
	e := &InlineExternalTable{}
	if p.externalSchemaAhead(0) {
		e.Schema = p.schema(false, true)
	}
	if p.accept("kind") {
		p.need("=")
		e.Kind = p.needWord("the kind of an external table", "storage", "delta")
	} else {
		p.missing("kind=storage or kind=delta", "")
		e.Kind = &Name{Span: Span{p.prevEnd(), p.prevEnd()}}
	}
	delta := e.Kind.Text == "delta"
	if e.Schema == nil && !delta {
		p.missing("a schema", "only kind=delta can do without")
	}
	if p.is("partition") {
		p.next()
		p.need("by")
		if p.need("(") {
			p.accept(",")
			p.commaList(listOpt{trailing: true, what: "a partition column"}, func() bool {
				c := p.partitionColumn()
				if c != nil {
					e.Partition = append(e.Partition, c)
				}
				return c != nil
			})
			p.close(")")
		}
	}
	if p.is("pathformat") {
		e.PathFormat = p.pathFormat()
	}
	if p.accept("dataformat") {
		p.need("=")
		t := p.peek()
		if t.kind == tIdent {
			p.next()
			e.DataFormat = &Name{Span{t.start, t.end}, t.text}
		} else {
			p.missing("a data format", "csv, json, parquet, …")
		}
	} else if !delta {
		p.missing("dataformat=…", "")
	}
	if p.need("(") {
		p.commaList(listOpt{trailing: true}, appendExpr(&e.URIs, p.pipe))
		p.close(")")
	}
	e.With = p.properties()
	e.Span = p.from(start)
	return e
}

func (p *parser) partitionColumn() *PartitionColumn {
	start := p.start()
	n := p.name(true)
	if n == nil {
		return nil
	}
	c := &PartitionColumn{Name: n}
	if p.need(":") {
		c.Type = p.needType(false)
		switch c.Type.Text {
		case "datetime", "long", "string", "":
		default:
			p.fail(c.Type.Span, CodeBadType, "a partition column can't be "+c.Type.Text, "use datetime, long or string")
		}
	} else {
		c.Type = &TypeRef{Span: Span{p.prevEnd(), p.prevEnd()}}
	}
	if p.accept("=") {
		c.X = p.needExpr(p.expr())
	}
	c.Span = p.from(start)
	return c
}

func (p *parser) pathFormat() *PathFormat {
	start := p.start()
	p.next()
	f := &PathFormat{}
	p.need("=")
	if p.need("(") {
		if l := p.peek(); l.kind == tString {
			p.next()
			f.Prefix = unquote(l.text)
		}
		for !isListEnd(p.peek()) {
			part := p.pathPart()
			if part == nil {
				p.skipTo("a path format can't hold")
				break
			}
			f.Parts = append(f.Parts, part)
		}
		if len(f.Parts) == 0 {
			p.missing("a partition column", "")
		}
		p.close(")")
	}
	f.Span = p.from(start)
	return f
}

func (p *parser) pathPart() *PathPart {
	start := p.start()
	q := &PathPart{}
	if p.is("datetime_pattern") {
		p.next()
		p.need("(")
		if l := p.peek(); l.kind == tString {
			p.next()
			q.Pattern = unquote(l.text)
		} else {
			p.missing("a pattern in quotes", "")
		}
		p.need(",")
		q.Column = p.needRef("a partition column")
		p.close(")")
	} else if q.Column = p.nameRef(false); q.Column == nil {
		return nil
	}
	if l := p.peek(); l.kind == tString {
		p.next()
		q.After = unquote(l.text)
	}
	q.Span = p.from(start)
	return q
}

func (p *parser) materializedViewCombine() Expr {
	start := p.start()
	p.next()
	m := &MaterializedViewCombine{}
	part := func() Expr {
		var x Expr = p.bad()
		if p.need("(") {
			x = p.needExpr(p.pipe())
			p.close(")")
		}
		return x
	}
	m.View = part()
	for _, c := range []struct {
		word string
		x    *Expr
	}{{"base", &m.Base}, {"delta", &m.Delta}} {
		*c.x = p.bad()
		if p.acceptText(c.word) {
			*c.x = part()
		} else {
			p.missing(c.word+" (…)", "")
		}
	}
	if p.acceptText("aggregations") && p.need("(") {
		if p.is("summarize") {
			s, _ := p.operator().(*SummarizeOp)
			m.Aggregations = s
		} else {
			p.missing("summarize", "")
		}
		p.close(")")
	} else {
		p.missing("aggregations (summarize …)", "")
	}
	m.Span = p.from(start)
	return m
}

// entityGroup parses entity_group("name") or entity_group [a, b], or gives nil.
func (p *parser) entityGroup() Expr {
	if !p.is("entity_group") {
		return nil
	}
	if p.callAhead(0) {
		return p.call()
	}
	start := p.start()
	p.next()
	g := &EntityGroup{}
	if p.need("[") {
		p.commaList(listOpt{need: true}, appendExpr(&g.Entities, p.expr))
		p.close("]")
	}
	g.Span = p.from(start)
	return g
}

// chartTypes are the words that Microsoft's parser takes after render.
func chartTypes() []string {
	return strings.Fields("table list barchart piechart ladderchart timechart linechart anomalychart pivotchart areachart " +
		"stackedareachart scatterchart timepivot columnchart timeline 3Dchart card treemap plotly graph sankey")
}
