package syntax

import (
	"picket/kql/value"
	"strings"
)

// stringLit parses one string literal, or several that stand side by side and make one.
func (p *parser) stringLit() *Literal {
	t := p.peek()
	if t.kind != tString {
		return nil
	}
	p.next()
	l := literal(tString, t.text, Span{t.start, t.end})
	if p.peek().kind != tString {
		return l
	}
	var text, val strings.Builder
	text.WriteString(l.Text)
	val.WriteString(l.Value.S)
	for p.peek().kind == tString {
		n := p.next()
		text.WriteString(" " + n.text)
		val.WriteString(unquote(n.text))
	}
	l.Text, l.Value.S = text.String(), val.String()
	l.Span = p.from(t.start)
	return l
}

// literalExpr parses a literal where nothing else can stand (datatable values, defaults, parameters): numbers may
// have a sign. It gives nil when there is none.
func (p *parser) literalExpr() Expr {
	t := p.peek()
	switch t.kind {
	case tString:
		return p.stringLit()
	case tRawGUID:
		p.fail(Span{t.start, t.end}, CodeBadLiteral, "a bare guid can't stand here", "write guid("+t.text+")")
		fallthrough
	case tBool, tLong, tInt, tReal, tDecimal, tDatetime, tTimespan, tGUID:
		p.next()
		return literal(t.kind, t.text, Span{t.start, t.end})
	case tKeyword:
		switch t.text {
		case "dynamic":
			return p.dynamic()
		case "typeof":
			if x := p.typeOf(); x != nil {
				return x
			}
		}
	case tPunct:
		switch t.text {
		case "+", "-":
			return p.signedLiteral()
		case "{":
			if p.scanBraced(0) > 0 {
				return p.nameRef(false)
			}
		}
	}
	return nil
}

// signedLiteral parses a number with a sign that touches it.
func (p *parser) signedLiteral() Expr {
	sign, num := p.peek(), p.peekAt(1)
	if num.start != sign.end || !isDigit((num.text + " ")[0]) || num.kind != tLong && num.kind != tReal && num.kind != tTimespan {
		return nil
	}
	p.pos += 2
	return literal(num.kind, sign.text+num.text, Span{sign.start, num.end})
}

// forcedReal parses a number as a real.
func (p *parser) forcedReal() Expr {
	x := p.literalExpr()
	if l, ok := x.(*Literal); ok && l.Type == value.Long && l.Inner == "" && !l.Undecoded {
		l.Type = value.Real
		l.Value = value.Value{Type: value.Real, F: float64(l.Value.I)}
	}
	return x
}

// dynamic parses dynamic(json), or gives nil.
func (p *parser) dynamic() Expr {
	if !p.is("dynamic") || !p.isAt(1, "(") {
		return nil
	}
	start := p.start()
	p.pos += 2
	d := &DynamicLit{Value: p.needJSON()}
	p.close(")")
	d.Span = p.from(start)
	return d
}

func (p *parser) needJSON() Expr {
	if x := p.json(); x != nil {
		return x
	}
	p.missing("a JSON value", "names and expressions can't stand in dynamic(…); use pack or bag_pack")
	return p.bad()
}

// json parses a value inside dynamic, or gives nil.
func (p *parser) json() Expr {
	if !p.enter() {
		return p.bad()
	}
	defer p.leave()
	t := p.peek()
	switch t.kind {
	case tRawGUID:
		p.next()
		return literal(t.kind, t.text, Span{t.start, t.end})
	case tLong, tReal, tBool, tDatetime, tTimespan, tGUID, tDecimal, tString:
		return p.literalExpr()
	case tKeyword:
		switch t.text {
		case "dynamic":
			return p.dynamic()
		case "null":
			p.next()
			return &NullLit{Span{t.start, t.end}}
		}
	case tPunct:
		switch t.text {
		case "-":
			if k := p.peekAt(1).kind; k == tLong || k == tReal {
				p.next()
				x := p.literalExpr()
				return &UnaryExpr{Span: p.from(t.start), Op: OpUnaryMinus, X: x}
			}
		case "[":
			return p.jsonArray()
		case "{":
			if p.scanBraced(0) > 0 {
				return p.nameRef(false)
			}
			return p.jsonObject()
		}
	}
	return nil
}

func (p *parser) jsonArray() Expr {
	start := p.start()
	p.next()
	a := &ArrayLit{}
	p.commaList(listOpt{what: "a JSON value"}, func() bool {
		x := p.json()
		if x != nil {
			a.Elems = append(a.Elems, x)
		}
		return x != nil
	})
	p.close("]")
	a.Span = p.from(start)
	return a
}

func (p *parser) jsonObject() Expr {
	start := p.start()
	p.next()
	o := &ObjectLit{}
	p.commaList(listOpt{what: "a JSON pair"}, func() bool {
		t := p.peek()
		if t.kind != tString {
			return false
		}
		p.next()
		pair := &Pair{Key: unquote(t.text), Span: Span{t.start, t.end}}
		if p.need(":") {
			pair.Value = p.needJSON()
		} else {
			pair.Value = p.bad()
		}
		pair.Span = p.from(t.start)
		o.Pairs = append(o.Pairs, pair)
		return true
	})
	p.close("}")
	o.Span = p.from(start)
	return o
}
