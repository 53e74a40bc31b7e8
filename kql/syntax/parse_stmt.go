package syntax

// document parses the whole text.
func (p *parser) document() *Document {
	d := &Document{Span: Span{0, len(p.src)}}
	for p.peek().kind == tDirective {
		t := p.next()
		d.Directives = append(d.Directives, &Directive{Span{t.start, t.end}, t.text[1:]})
	}
	d.Statements = p.statements(false)
	return d
}

// statements parses statements divided by semicolons; inner ends at a closing parenthesis.
func (p *parser) statements(inner bool) []Statement {
	outer := p.stmtDepth
	p.stmtDepth = p.depth
	defer func() { p.stmtDepth = outer }()
	var list []Statement
	for {
		t := p.peek()
		if t.kind == tEOF || inner && p.is(")") {
			return list
		}
		at := p.pos
		st := p.statement()
		if st == nil {
			s := Span{t.start, t.end}
			switch {
			case t.kind == tDirective:
				p.fail(s, CodeUnexpected, "a client directive must stand before the query", "move it to the top")
			case p.is(";"):
				p.fail(s, CodeUnexpected, "empty statement", "remove the semicolon")
			default:
				p.fail(s, CodeUnexpected, "unexpected "+p.found(), "a query begins with a table, an operator or let")
			}
			p.next()
			continue
		}
		list = append(list, st)
		if p.accept(";") {
			continue
		}
		t = p.peek()
		if t.kind == tEOF || inner && p.is(")") {
			return list
		}
		if t.firstInRow && !isListEnd(t) && p.pos > at {
			p.fail(Span{t.start, t.end}, CodeExpected, "expected ; before "+p.found(), "put ; between statements")
			continue
		}
		p.skipTo("unexpected")
		for !p.is(";") && p.peek().kind != tEOF && !(inner && p.is(")")) {
			t := p.peek()
			if p.is("|") {
				if x, ok := st.(*ExprStmt); ok {
					p.depth++
					x.X = p.pipeline(x.X)
					p.depth--
					x.Span = p.from(x.Start)
					continue
				}
			}
			p.fail(Span{t.start, t.end}, CodeUnexpected, "unexpected "+p.found(), "")
			p.next()
			p.skip()
		}
		p.accept(";")
	}
}

// statement parses one statement, or gives nil.
func (p *parser) statement() Statement {
	start := p.start()
	switch {
	case p.is("alias") && p.isAt(1, "database"):
		p.pos += 2
		st := &AliasStmt{Name: p.needName(false, "a name")}
		p.need("=")
		st.Value = p.needExpr(p.expr())
		st.Span = p.from(start)
		return st
	case p.is("let") && p.scanName(1, false) > 0, p.is("let") && p.peekAt(1).kind == tKeyword && p.isAt(2, "="):
		return p.letStmt()
	case p.is("set"):
		p.next()
		st := &SetStmt{Name: p.needName(false, "the name of an option")}
		if p.accept("=") {
			st.Value = p.needExpr(p.expr())
		}
		st.Span = p.from(start)
		return st
	case p.is("declare") && p.isAt(1, "pattern"):
		return p.patternStmt()
	case p.is("declare") && p.isAt(1, "query_parameters"):
		return p.queryParametersStmt()
	case p.is("restrict") && p.isAt(1, "access"):
		return p.restrictStmt()
	}
	x := p.pipe()
	if x == nil {
		return nil
	}
	return &ExprStmt{Span: p.from(start), X: x}
}

func (p *parser) letStmt() Statement {
	start := p.start()
	p.next()
	st := &LetStmt{Name: p.needName(false, "a name")}
	p.need("=")
	switch {
	case p.is("materialize"):
		at := p.start()
		t := p.next()
		c := &Call{Name: &NameRef{Span: Span{t.start, t.end}, Name: t.text}}
		if p.need("(") {
			c.Args = []Expr{p.needExpr(p.pipe())}
			p.close(")")
		}
		c.Span = p.from(at)
		st.Value = c
	case p.is("entity_group"):
		st.Value = p.entityGroup()
	case p.lambdaAhead():
		st.Value = p.lambda()
	default:
		st.Value = p.needExpr(p.pipe())
	}
	st.Span = p.from(start)
	return st
}

// lambdaAhead says whether a function declaration stands here.
func (p *parser) lambdaAhead() bool {
	n := 0
	if p.is("view") {
		n = 1
	}
	if !p.isAt(n, "(") {
		return false
	}
	if p.isAt(n+1, ")") || p.isAt(n+1, "*") {
		return true
	}
	k := p.scanName(n+1, true)
	return k > 0 && p.isAt(n+1+k, ":")
}

func (p *parser) lambda() Expr {
	start := p.start()
	l := &Lambda{View: p.accept("view")}
	p.need("(")
	l.Params = p.funcParams(false)
	p.close(")")
	l.Body = p.funcBody(true)
	l.Span = p.from(start)
	return l
}

func (p *parser) funcParams(need bool) []*FuncParam {
	var list []*FuncParam
	p.commaList(listOpt{need: need, what: "a parameter"}, func() bool {
		start := p.start()
		n := p.typedName(true)
		if n == nil {
			return false
		}
		f := &FuncParam{TypedName: n}
		if p.accept("=") {
			if f.Default = p.literalExpr(); f.Default == nil {
				if t := p.peek(); t.isName() {
					p.next()
					f.Default = &NameRef{Span: Span{t.start, t.end}, Name: t.text}
				} else {
					p.missing("a literal", "a default value must be a literal")
					f.Default = p.bad()
				}
			}
		}
		f.Span = p.from(start)
		list = append(list, f)
		return true
	})
	return list
}

// funcBody parses { statements; result }. params allows declare query_parameters inside.
func (p *parser) funcBody(params bool) *FuncBody {
	start := p.start()
	b := &FuncBody{}
	if !p.need("{") {
		b.Span = Span{start, start}
		return b
	}
	if !p.enter() {
		return b
	}
	defer p.leave()
	outer := p.stmtDepth
	p.stmtDepth = p.depth
	defer func() { p.stmtDepth = outer }()
	for p.is("let") || params && p.is("declare") && p.isAt(1, "query_parameters") {
		var st Statement
		if p.is("let") {
			if p.scanName(1, false) == 0 && !(p.peekAt(1).kind == tKeyword && p.isAt(2, "=")) {
				break
			}
			st = p.letStmt()
		} else {
			st = p.queryParametersStmt()
		}
		b.Statements = append(b.Statements, st)
		if !p.need(";") && !p.peek().firstInRow {
			p.skip()
			p.accept(";")
		}
	}
	b.Result = p.pipe()
	p.accept(";")
	p.close("}")
	b.Span = p.from(start)
	return b
}

func (p *parser) queryParametersStmt() Statement {
	start := p.start()
	p.pos += 2
	st := &QueryParametersStmt{}
	if p.need("(") {
		st.Params = p.funcParams(true)
		p.close(")")
	}
	st.Span = p.from(start)
	return st
}

func (p *parser) restrictStmt() Statement {
	start := p.start()
	p.pos += 2
	st := &RestrictStmt{}
	p.need("to")
	if p.need("(") {
		p.commaList(listOpt{need: true, what: "an entity"}, appendExpr(&st.Entities, func() Expr { return p.entityPath(true, true) }))
		p.close(")")
	}
	st.With = p.properties()
	st.Span = p.from(start)
	return st
}

func (p *parser) patternStmt() Statement {
	start := p.start()
	p.pos += 2
	st := &PatternStmt{Name: p.needName(false, "the name of a pattern")}
	if p.is("=") {
		st.Decl = p.patternDecl()
	}
	st.Span = p.from(start)
	return st
}

func (p *parser) patternDecl() *PatternDecl {
	start := p.start()
	p.next()
	d := &PatternDecl{}
	if p.need("(") {
		p.commaList(listOpt{what: "a parameter"}, func() bool {
			n := p.typedName(false)
			if n != nil {
				d.Params = append(d.Params, n)
			}
			return n != nil
		})
		p.close(")")
	}
	if p.accept("[") {
		if d.Path = p.typedName(false); d.Path == nil {
			p.missing("a path parameter", "[name:string]")
			d.Path = &TypedName{Name: &Name{}, Type: &TypeRef{}}
		}
		p.close("]")
	}
	if p.need("{") {
		for p.is("(") {
			d.Matches = append(d.Matches, p.patternMatch())
		}
		if len(d.Matches) == 0 {
			p.missing("a case", `("value") = { query };`)
		}
		p.close("}")
	}
	d.Span = p.from(start)
	return d
}

func (p *parser) patternMatch() *PatternMatch {
	start := p.start()
	p.next()
	m := &PatternMatch{}
	p.commaList(listOpt{need: true}, appendExpr(&m.Args, p.expr))
	p.close(")")
	if p.accept(".") {
		if p.need("[") {
			m.Path = p.needExpr(p.literalExpr())
			p.close("]")
		}
	}
	p.need("=")
	m.Body = p.funcBody(false)
	p.need(";")
	m.Span = p.from(start)
	return m
}
