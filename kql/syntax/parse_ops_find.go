package syntax

// find and search, which look through many tables.

// dataScope parses datascope=word.
func (p *parser) dataScope() *Name {
	if !p.accept("datascope") {
		return nil
	}
	p.need("=")
	return p.needWord("a data scope", "all", "hotcache")
}

// inTables parses the `in (tables)` part of find and search.
func (p *parser) inTables() []Expr {
	if !p.accept("in") {
		return nil
	}
	var list []Expr
	if p.need("(") {
		p.commaList(listOpt{need: true, what: "a table"}, appendExpr(&list, p.findOperand))
		p.close(")")
	}
	return list
}

// findOperand parses a table of find: a path with wildcards, or a plain name, optionally with `| as name` behind it.
func (p *parser) findOperand() Expr {
	start := p.start()
	x := p.entityPath(true, true)
	if _, plain := x.(*NameRef); plain && p.is("|") {
		p.next()
		at := p.start()
		var op Operator
		if p.accept("as") {
			op = p.asOp(at)
		} else {
			op = p.needOperator()
			p.fail(op.Range(), CodeUnexpected, "only as can stand here", "write | as name")
		}
		x = &PipeExpr{Span: p.from(start), Input: x, Op: op}
	}
	return x
}

func (p *parser) findOp(s int) Operator {
	x := &FindOp{Scope: p.dataScope(), Params: p.params(&findParams, false)}
	x.In = p.inTables()
	if len(x.Params) > 0 || x.In != nil {
		p.need("where")
	} else {
		p.accept("where")
	}
	x.Pred = p.needExpr(p.expr())
	switch {
	case p.accept("project"):
		x.Project = p.findColumns()
	case p.accept("project-smart"):
		x.ProjectSmart = true
	}
	if p.accept("__projectAway") {
		x.ProjectAway = p.findColumns()
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) findColumns() []*FindColumn {
	var list []*FindColumn
	p.commaList(listOpt{need: true, what: "a column"}, func() bool {
		start := p.start()
		c := &FindColumn{}
		switch {
		case p.is("pack"):
			p.next()
			p.need("(")
			p.need("*")
			p.need(")")
			c.Pack = true
		case p.accept("*"):
			c.Star = true
		default:
			if c.Name = p.nameRef(false); c.Name == nil {
				return false
			}
			if p.accept(":") {
				c.Type = p.needType(true)
			}
		}
		c.Span = p.from(start)
		list = append(list, c)
		return true
	})
	return list
}

func (p *parser) searchOp(s int) Operator {
	x := &SearchOp{Params: p.params(&searchParams, true), Scope: p.dataScope()}
	x.In = p.inTables()
	x.Pred = p.expr()
	if x.Pred == nil && p.is("*") {
		t := p.next()
		x.Pred = &Star{Span{t.start, t.end}}
		if p.is("and") {
			x.Pred = p.binary(OpAnd, x.Pred, p.expr)
		}
	}
	x.Pred = p.needExpr(x.Pred)
	x.Span = p.from(s)
	return x
}
