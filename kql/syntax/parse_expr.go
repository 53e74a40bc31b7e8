package syntax

// stringOpAt gives the string operator at offset n, or "".
func (p *parser) stringOpAt(n int) BinaryOp {
	t := p.peekAt(n)
	if t.kind != tKeyword && t.kind != tPunct {
		return ""
	}
	switch t.text[0] { // a quick no for most tokens
	case '=', '!', ':', 'h', 'l', 'n', 'c', 's', 'e', 'm':
		for i := range stringOps {
			if stringOps[i].text == t.text {
				return stringOps[i].op
			}
		}
	}
	return ""
}

func (p *parser) binary(op BinaryOp, x Expr, right func() Expr) Expr {
	t := p.next()
	b := &BinaryExpr{Op: op, X: x, OpSpan: Span{t.start, t.end}}
	b.Y = p.needExpr(right())
	b.Span = p.from(x.Range().Start)
	return b
}

// expr parses one scalar or tabular expression without pipes and without a name, or gives nil.
func (p *parser) expr() Expr {
	if !p.enter() {
		return p.bad()
	}
	defer p.leave()
	x := p.and()
	n := 0
	for x != nil && p.is("or") && p.chain(&n) {
		x = p.binary(OpOr, x, p.and)
	}
	return x
}

func (p *parser) and() Expr {
	x := p.equality()
	n := 0
	for x != nil && p.is("and") && p.chain(&n) {
		x = p.binary(OpAnd, x, p.equality)
	}
	return x
}

func (p *parser) equality() Expr {
	if p.is("*") && p.isAt(1, "==") {
		t := p.next()
		return p.binary(OpEqual, &Star{Span{t.start, t.end}}, p.relational)
	}
	x := p.relational()
	if x == nil {
		return nil
	}
	t := p.peek()
	if t.kind != tPunct && t.kind != tKeyword {
		return x
	}
	switch t.text {
	case "==":
		return p.binary(OpEqual, x, p.relational)
	case "!=", "<>":
		return p.binary(OpNotEqual, x, p.relational)
	case "in":
		if p.isAt(1, "range") {
			return x // make-series … in range(…)
		}
		return p.in(OpInCs, x)
	case "in~":
		return p.in(OpIn, x)
	case "!in":
		return p.in(OpNotInCs, x)
	case "!in~":
		return p.in(OpNotIn, x)
	case "has_any":
		return p.in(OpHasAny, x)
	case "has_all":
		return p.in(OpHasAll, x)
	case "between":
		return p.between(OpBetween, x)
	case "!between":
		return p.between(OpNotBetween, x)
	}
	return x
}

func (p *parser) in(op BinaryOp, x Expr) Expr {
	t := p.next()
	e := &InExpr{Op: op, X: x, OpSpan: Span{t.start, t.end}}
	if p.need("(") {
		if p.startsOperator() || p.barAhead() {
			e.List = []Expr{p.needExpr(p.pipe())}
		} else {
			p.commaList(listOpt{need: true}, appendExpr(&e.List, p.expr))
		}
		p.close(")")
	}
	e.Span = p.from(x.Range().Start)
	return e
}

// barAhead says whether the parenthesis that was just opened holds a pipeline: a bar before its first comma and its
// end. All parentheses of the text are looked through once.
func (p *parser) barAhead() bool {
	if p.bars == nil {
		p.bars = make(map[int]bool)
		type open struct {
			at   int
			done bool
		}
		var stack []open
		for i := range p.toks {
			t := &p.toks[i]
			if t.kind != tPunct {
				continue
			}
			switch t.text {
			case ";":
				for j := range stack {
					stack[j].done = true
				}
			case "(":
				stack = append(stack, open{at: i})
			case ")":
				if len(stack) > 0 {
					stack = stack[:len(stack)-1]
				}
			case ",", "|":
				if n := len(stack); n > 0 && !stack[n-1].done {
					stack[n-1].done = true
					if t.text == "|" {
						p.bars[stack[n-1].at] = true
					}
				}
			}
		}
	}
	return p.pos > 0 && p.bars[p.pos-1]
}

func (p *parser) between(op BinaryOp, x Expr) Expr {
	t := p.next()
	e := &BetweenExpr{Op: op, X: x, OpSpan: Span{t.start, t.end}}
	if p.need("(") {
		e.Low = p.needExpr(p.expr())
		p.need("..")
		e.High = p.needExpr(p.expr())
		p.close(")")
	} else {
		e.Low, e.High = p.bad(), p.bad()
	}
	e.Span = p.from(x.Range().Start)
	return e
}

func (p *parser) relational() Expr {
	x := p.additive()
	if t := p.peek(); x != nil && t.kind == tPunct {
		switch t.text {
		case "<":
			return p.binary(OpLess, x, p.additive)
		case "<=":
			return p.binary(OpLessEq, x, p.additive)
		case ">":
			return p.binary(OpGreater, x, p.additive)
		case ">=":
			return p.binary(OpGreaterEq, x, p.additive)
		}
	}
	return x
}

func (p *parser) additive() Expr {
	x := p.multiplicative()
	n := 0
	for x != nil {
		switch {
		case p.is("+") && p.chain(&n):
			x = p.binary(OpAdd, x, p.multiplicative)
		case p.is("-") && p.chain(&n):
			x = p.binary(OpSubtract, x, p.multiplicative)
		default:
			return x
		}
	}
	return x
}

func (p *parser) multiplicative() Expr {
	x := p.stringOp()
	n := 0
	for x != nil {
		switch {
		case p.is("*") && p.chain(&n):
			x = p.binary(OpMultiply, x, p.stringOp)
		case p.is("/") && p.chain(&n):
			x = p.binary(OpDivide, x, p.stringOp)
		case p.is("%") && p.chain(&n):
			x = p.binary(OpModulo, x, p.stringOp)
		default:
			return x
		}
	}
	return x
}

func (p *parser) stringOp() Expr {
	if p.is("*") {
		op := p.stringOpAt(1)
		if op == "" {
			return nil
		}
		t := p.next()
		return p.binary(op, &Star{Span{t.start, t.end}}, p.unary)
	}
	x := p.unary()
	if x == nil {
		return nil
	}
	if op := p.stringOpAt(0); op != "" {
		x = p.binary(op, x, p.unary)
	}
	return x
}

func (p *parser) unary() Expr {
	var op BinaryOp
	switch {
	case p.is("-"):
		op = OpUnaryMinus
	case p.is("+"):
		op = OpUnaryPlus
	default:
		return p.path()
	}
	start := p.start()
	p.next()
	x := p.needExpr(p.path())
	return &UnaryExpr{Span: p.from(start), Op: op, X: x}
}

// path parses a primary expression followed by .member and [index].
func (p *parser) path() Expr {
	if p.is("totable") {
		return p.kindCall("ToTable")
	}
	x := p.primary()
	n := 0
	for x != nil {
		switch {
		case p.is(".") && p.chain(&n):
			p.next()
			m := p.selectorOrCall()
			if m == nil {
				m = p.needRef("a name after the dot")
			}
			x = &PathExpr{Span: p.from(x.Range().Start), X: x, Member: m}
		case p.is("[") && p.chain(&n):
			x = p.index(x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) index(x Expr) Expr {
	p.next()
	i := p.expr()
	if i == nil {
		i = p.needExpr(nil)
	}
	p.close("]")
	return &IndexExpr{Span: p.from(x.Range().Start), X: x, Index: i}
}

func (p *parser) primary() Expr {
	t := p.peek()
	switch t.kind {
	case tLong, tReal, tBool, tInt, tDecimal, tTimespan, tDatetime, tGUID, tRawGUID, tString:
		return p.literalExpr()
	case tKeyword:
		switch t.text {
		case "dynamic":
			if x := p.dynamic(); x != nil {
				return x
			}
		case "datatable":
			return p.dataTable()
		case "__contextual_datatable":
			return p.contextualDataTable()
		case "externaldata", "external_data":
			return p.externalData()
		case "inline_external_table":
			if x := p.inlineExternalTable(); x != nil {
				return x
			}
		case "materialized-view-combine":
			return p.materializedViewCombine()
		case "toscalar":
			return p.kindCall("ToScalar")
		case "typeof":
			if x := p.typeOf(); x != nil {
				return x
			}
		}
	case tPunct:
		if t.text == "(" {
			p.next()
			x := p.needExpr(p.pipe())
			p.close(")")
			return &ParenExpr{Span: p.from(t.start), X: x}
		}
	}
	if p.callAhead(0) {
		return p.call()
	}
	x := p.selector()
	if x != nil {
		if p.is("datascope") {
			p.next()
			s := &ScopeExpr{X: x}
			p.need("=")
			s.Scope = p.needWord("a data scope", "all", "hotcache")
			s.Span = p.from(x.Range().Start)
			return s
		}
		return x
	}
	return p.keywordAsName()
}

// keywordAsName takes a keyword that stands where only a name makes sense, with an error.
func (p *parser) keywordAsName() Expr {
	t, n := p.peek(), p.peekAt(1)
	if t.kind != tKeyword {
		return nil
	}
	switch n.kind {
	case tPunct:
		switch n.text {
		case "==", "!=", "=~", "!~", "<", "<=", ">", ">=", "*", "/", "%", ")", "]", "}", ".", ",", ":", "|":
		default:
			return nil
		}
	case tKeyword:
		switch n.text {
		case "and", "or", "in", "in~", "!in", "!in~", "has_any", "has_all", "between", "!between":
		default:
			if p.stringOpAt(1) == "" {
				return nil
			}
		}
	default:
		return nil
	}
	p.fail(Span{t.start, t.end}, CodeBadName, "the keyword "+t.text+" can't be a name here", "write ['"+t.text+"']")
	p.next()
	return &NameRef{Span: Span{t.start, t.end}, Name: t.text}
}

// scanTuple gives the number of tokens of (a, b) at the head, or 0.
func (p *parser) scanTuple() int {
	if !p.is("(") {
		return 0
	}
	i := 1
	for !isListEnd(p.peekAt(i)) {
		n := p.scanName(i, true)
		if n == 0 {
			return 0
		}
		i += n
		if !p.isAt(i, ",") {
			break
		}
		i++
	}
	if !p.isAt(i, ")") {
		return 0
	}
	return i + 1
}

// scanDashed gives the number of tokens of a dashed-name at the head, or 0.
func (p *parser) scanDashed() int {
	t := p.peek()
	if t.kind != tIdent && t.kind != tKeyword {
		return 0
	}
	i := 1
	for {
		t = p.peekAt(i)
		if t.start != p.peekAt(i-1).end || t.kind != tIdent && t.kind != tKeyword && !p.isAt(i, "-") {
			return i
		}
		i++
	}
}

// named parses an expression with an optional name or names before it, or gives nil.
func (p *parser) named() Expr {
	start := p.start()
	if n := p.scanName(0, true); n > 0 && p.isAt(n, "=") {
		x := &NamedExpr{Names: []*Name{p.name(true)}}
		p.next()
		x.X = p.needExpr(p.expr())
		x.Span = p.from(start)
		return x
	}
	if n := p.scanDashed(); n > 0 && p.isAt(n, "=") {
		x := &NamedExpr{}
		p.pos += n
		s := p.from(start)
		text := p.src[s.Start:s.End]
		p.fail(s, CodeBadName, text+" can't be a name here", "write ['"+text+"']")
		x.Names = []*Name{{s, text}}
		p.next()
		x.X = p.needExpr(p.expr())
		x.Span = p.from(start)
		return x
	}
	if n := p.scanTuple(); n > 0 && p.isAt(n, "=") {
		x := &NamedExpr{Tuple: true}
		p.next()
		p.commaList(listOpt{need: true, what: "a name"}, func() bool {
			n := p.name(true)
			if n != nil {
				x.Names = append(x.Names, n)
			}
			return n != nil
		})
		p.close(")")
		p.need("=")
		x.X = p.needExpr(p.expr())
		x.Span = p.from(start)
		return x
	}
	return p.expr()
}

// appendExpr makes a list element function of an expression function.
func appendExpr(list *[]Expr, f func() Expr) func() bool {
	return func() bool {
		x := f()
		if x != nil {
			*list = append(*list, x)
		}
		return x != nil
	}
}

// exprs parses a list of named expressions.
func (p *parser) exprs(o listOpt) []Expr {
	var list []Expr
	p.commaList(o, appendExpr(&list, p.named))
	return list
}
