package syntax

// callAhead says whether name( stands at offset n.
func (p *parser) callAhead(n int) bool {
	k := p.scanName(n, false)
	return k > 0 && p.isAt(n+k, "(")
}

func (p *parser) call() *Call {
	start := p.start()
	c := &Call{Name: p.nameRef(false)}
	p.args(c)
	c.Span = p.from(start)
	return c
}

func (p *parser) args(c *Call) {
	if !p.enter() {
		return
	}
	defer p.leave()
	p.next() // (
	p.commaList(listOpt{}, appendExpr(&c.Args, func() Expr {
		if p.is("*") && (p.isAt(1, ")") || p.isAt(1, ",")) {
			t := p.next()
			return &Star{Span{t.start, t.end}}
		}
		return p.named()
	}))
	p.close(")")
}

// kindCall parses toscalar and totable, whose one argument is a whole query.
func (p *parser) kindCall(op string) Expr {
	start := p.start()
	t := p.next()
	c := &Call{Name: &NameRef{Span: Span{t.start, t.end}, Name: t.text}}
	if p.is("kind") && p.isAt(1, "=") {
		c.Kind = p.param(&paramSet{{name: "kind", values: "nooptimization"}}, op)
	}
	if p.need("(") {
		c.Args = []Expr{p.needExpr(p.pipe())}
		p.close(")")
	}
	c.Span = p.from(start)
	return c
}

// selector parses a name, @, [name], [wild*card] or [expr] in a path, or gives nil.
func (p *parser) selector() Expr {
	if p.is("[") {
		if x := p.bracketedWildcard(); x != nil {
			return x
		}
		if p.scanBracketed(0) > 0 {
			return p.nameRef(false)
		}
		start := p.start()
		p.next()
		i := p.needExpr(p.expr())
		p.close("]")
		return &IndexSel{Span: p.from(start), Index: i}
	}
	return p.bareSelector()
}

// bareSelector parses a name or @.
func (p *parser) bareSelector() Expr {
	t := p.peek()
	if p.is("@") {
		p.next()
		return &At{Span{t.start, t.end}}
	}
	if t.kind == tKeyword && t.kw&kwSpecial != 0 {
		p.next()
		return &NameRef{Span: Span{t.start, t.end}, Name: t.text}
	}
	if r := p.nameRef(false); r != nil {
		return r
	}
	return nil
}

func (p *parser) selectorOrCall() Expr {
	if p.callAhead(0) {
		return p.call()
	}
	return p.selector()
}

// entityPath parses a path of names (and, with calls, function calls; with wild, a wildcard name at its end).
func (p *parser) entityPath(calls, wild bool) Expr {
	if wild && p.scanWildcard(0) > 0 {
		return p.wildcard()
	}
	step := p.selector
	if calls {
		step = p.selectorOrCall
	}
	x := step()
	n := 0
	for x != nil {
		start := x.Range().Start
		switch {
		case p.is(".") && p.chain(&n):
			p.next()
			var m Expr
			last := wild && p.scanWildcard(0) > 0
			if last {
				m = p.wildcard()
			} else if m = step(); m == nil {
				m = p.needRef("a name after the dot")
			}
			x = &PathExpr{Span: p.from(start), X: x, Member: m}
			if last {
				return x
			}
		case p.is("[") && p.chain(&n):
			s := p.selector()
			if i, ok := s.(*IndexSel); ok {
				s = i.Index
			} else if r, ok := s.(*NameRef); ok && r.Quoted {
				s = p.nameAsString(r)
			}
			x = &IndexExpr{Span: p.from(start), X: x, Index: s}
		default:
			return x
		}
	}
	return x
}

// nameAsString turns a bracketed name in the place of an index into the string that it reads as.
func (p *parser) nameAsString(r *NameRef) Expr {
	inner := trimBrackets(p.src[r.Start:r.End])
	l := literal(tString, Quote(r.Name), Span{r.Start + 1, max(r.Start+1, r.End-1)})
	if inner != "" && escapeFree(inner) {
		l.Text = inner
	}
	return l
}

func trimBrackets(s string) string {
	if len(s) < 2 {
		return ""
	}
	return s[1 : len(s)-1]
}

// escapeFree says whether s is one plain string literal.
func escapeFree(s string) bool {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if c == '\\' || c == s[0] {
			return false
		}
	}
	return true
}
