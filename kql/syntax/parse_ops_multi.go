package syntax

// The operators with a grammar of their own inside: series, multi-value, parse, partition, scan.

func (p *parser) makeSeriesOp(s int) Operator {
	x := &MakeSeriesOp{Params: p.params(&makeSeriesParams, true)}
	end := func(p *parser) bool { return p.is("on") || p.is("from") || p.is("in") }
	p.commaList(listOpt{need: true, end: end}, func() bool {
		a := p.named()
		if a == nil {
			return false
		}
		g := &SeriesAgg{X: a}
		if p.accept("default") {
			p.need("=")
			g.Default = p.needExpr(p.named())
		}
		g.Span = p.from(a.Range().Start)
		x.Aggs = append(x.Aggs, g)
		return true
	})
	p.need("on")
	x.On = p.needExpr(p.named())
	switch {
	case p.is("from") || p.is("to") || p.is("step"):
		if p.accept("from") {
			x.From = p.needExpr(p.expr())
		}
		if p.accept("to") {
			x.To = p.needExpr(p.expr())
		}
		p.need("step")
		x.Step = p.needExpr(p.expr())
	case p.is("in"):
		p.next()
		p.need("range")
		if p.need("(") {
			x.InRange = p.exprs(listOpt{})
			p.close(")")
		}
	default:
		p.missing("from, to, step or in range(…)", "say how wide a bin is: step 1h")
	}
	if p.accept("by") {
		x.By = p.exprs(listOpt{need: true})
	}
	x.Span = p.from(s)
	return x
}

// toTypeOf parses `to typeof(…)`.
func (p *parser) toTypeOf() *TypeOf {
	if !p.accept("to") {
		return nil
	}
	if t := p.typeOf(); t != nil {
		return t
	}
	p.missing("typeof(…)", "")
	return &TypeOf{Span: Span{p.prevEnd(), p.prevEnd()}}
}

func (p *parser) mvColumn() *MvColumn {
	start := p.start()
	c := &MvColumn{}
	if p.is("to") {
		p.needExpr(nil)
		c.X = p.bad()
	} else if c.X = p.named(); c.X == nil {
		return nil
	}
	c.To = p.toTypeOf()
	c.Span = p.from(start)
	return c
}

func (p *parser) mvColumns(end func(*parser) bool) []*MvColumn {
	var list []*MvColumn
	p.commaList(listOpt{need: true, end: end}, func() bool {
		c := p.mvColumn()
		if c != nil {
			list = append(list, c)
		}
		return c != nil
	})
	return list
}

func (p *parser) mvExpandOp(s int) Operator {
	x := &MvExpandOp{Params: p.params(&mvExpandParams, true)}
	x.Columns = p.mvColumns(func(p *parser) bool { return p.is("limit") })
	if p.accept("limit") {
		x.Limit = p.needExpr(p.expr())
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) mvApplyOp(s int) Operator {
	x := &MvApplyOp{Params: p.params(&mvApplyParams, true)}
	end := func(p *parser) bool {
		return (p.is("limit") || p.is("id") || p.is("on")) && !p.isAt(1, ",") && !p.isAt(1, "to") && !p.isAt(1, "=")
	}
	if p.is("to") {
		// `to typeof(…)` alone applies to the row as a whole.
		mark, errs, last := p.pos, len(p.errs), p.lastErr
		start := p.start()
		t := p.toTypeOf()
		if p.is(",") {
			p.pos, p.errs, p.lastErr = mark, p.errs[:errs], last
			x.Columns = p.mvColumns(end)
		} else {
			x.Columns = []*MvColumn{{Span: p.from(start), To: t}}
		}
	} else {
		x.Columns = p.mvColumns(end)
	}
	if p.accept("limit") {
		x.Limit = p.needExpr(p.expr())
	}
	if p.accept("id") {
		x.ID = p.needExpr(p.expr())
	}
	p.need("on")
	if p.need("(") {
		x.Sub = p.subPipe()
		p.close(")")
	} else {
		x.Sub = p.bad()
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) parseOp(s int, where bool) Operator {
	x := &ParseOp{WhereMode: where, Params: p.params(&parseParams, true)}
	x.X = p.needExpr(p.expr())
	p.need("with")
	for {
		part := p.parsePart()
		if part == nil {
			break
		}
		x.Pattern = append(x.Pattern, part)
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) parsePart() *ParsePart {
	start := p.start()
	q := &ParsePart{}
	switch {
	case p.accept("*"):
		q.Star = true
	case p.peek().kind == tString:
		q.Text = p.stringLit()
	default:
		if p.is(":") {
			p.missing("a column", "")
			q.Name = &Name{Span: Span{start, start}}
		} else if q.Name = p.name(true); q.Name == nil {
			return nil
		}
		if p.accept(":") {
			q.Type = p.needType(false)
		}
	}
	q.Span = p.from(start)
	return q
}

func (p *parser) parseKvOp(s int) Operator {
	x := &ParseKvOp{X: p.needExpr(p.expr())}
	p.need("as")
	x.Schema = p.needSchema(false)
	if p.accept("with") && p.need("(") {
		x.With = p.paramList(&parseKvParams, false)
		p.close(")")
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) partitionOp(s int) Operator {
	x := &PartitionOp{Params: p.params(&partitionParams, false)}
	p.need("by")
	x.By = p.entityPath(false, false)
	if x.By == nil {
		x.By = p.needRef("a column")
	}
	if p.accept("in") {
		switch {
		case p.callAhead(0):
			x.In = p.call()
		default:
			x.In = p.needExpr(p.dynamic())
		}
	}
	switch {
	case p.is("{"):
		p.next()
		x.Braces = true
		x.Sub = p.needExpr(p.pipe())
		p.close("}")
	case p.need("("):
		x.Sub = p.subPipe()
		p.close(")")
	default:
		x.Sub = p.bad()
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) partitionByOp(s int) Operator {
	x := &PartitionByOp{Params: p.params(&partitionParams, false)}
	x.Entity = p.entityPath(false, false)
	if x.Entity == nil {
		x.Entity = p.needRef("a column")
	}
	if p.accept("id") {
		x.ID = p.needExpr(p.literalExpr())
	}
	if p.need("(") {
		x.Sub = p.subPipe()
		p.close(")")
	} else {
		x.Sub = p.bad()
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) scanOp(s int) Operator {
	x := &ScanOp{Params: p.params(&scanParams, false)}
	end := func(p *parser) bool {
		return p.is("partition") || p.is("order") || p.is("by") || p.is("declare") || p.is("with")
	}
	if p.accept("order") {
		p.need("by")
		p.commaList(listOpt{need: true, end: end}, appendExpr(&x.OrderBy, p.ordered))
	}
	if p.accept("partition") {
		p.need("by")
		p.commaList(listOpt{need: true, end: end}, appendExpr(&x.PartitionBy, p.expr))
	}
	if p.accept("declare") && p.need("(") {
		x.Declare = p.funcParams(false)
		p.close(")")
	}
	p.need("with")
	if p.need("(") {
		for p.is("step") {
			x.Steps = append(x.Steps, p.scanStep())
		}
		p.close(")")
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) scanStep() *ScanStep {
	start := p.start()
	p.next()
	st := &ScanStep{Name: p.needName(true, "the name of a step")}
	st.Optional = p.accept("optional")
	if p.accept("output") {
		p.need("=")
		st.Output = p.needWord("the output of a step", "all", "last", "none")
	}
	p.need(":")
	st.Cond = p.needExpr(p.expr())
	if p.accept("=>") {
		p.commaList(listOpt{need: true, what: "an assignment"}, func() bool {
			at := p.start()
			r := p.nameRef(true)
			if r == nil {
				return false
			}
			a := &ScanAssign{Name: r}
			p.need("=")
			a.X = p.needExpr(p.expr())
			a.Span = p.from(at)
			st.Assign = append(st.Assign, a)
			return true
		})
	}
	if !p.need(";") {
		p.skip()
		p.accept(";")
	}
	st.Span = p.from(start)
	return st
}
