package syntax

import (
	"picket/kql/value"
	"strings"
)

func (t *token) isName() bool { return t.kind == tIdent || t.kind == tKeyword && t.kw&kwName != 0 }
func (t *token) isExtended() bool {
	return t.kind == tIdent || t.kind == tKeyword && t.kw&kwExtended != 0
}

// scanBracketed gives the number of tokens of ['name'] at offset n, or 0.
func (p *parser) scanBracketed(n int) int {
	if !p.isAt(n, "[") {
		return 0
	}
	i := n + 1
	for p.peekAt(i).kind == tString {
		i++
	}
	if i == n+1 || !p.isAt(i, "]") {
		return 0
	}
	return i + 1 - n
}

// scanBraced gives the number of tokens of the client parameter {name} or {name[1]} at offset n, or 0.
func (p *parser) scanBraced(n int) int {
	if !p.isAt(n, "{") {
		return 0
	}
	i := n + 1
	touch := func() bool { return p.peekAt(i).start == p.peekAt(i-1).end }
	if t := p.peekAt(i); t.kind != tIdent && t.kind != tKeyword || !touch() {
		return 0
	}
	i++
	if p.isAt(i, "[") && touch() {
		i++
		if p.isAt(i, "-") && touch() {
			i++
		}
		if p.peekAt(i).kind != tLong || !touch() {
			return 0
		}
		i++
		if !p.isAt(i, "]") || !touch() {
			return 0
		}
		i++
	}
	if !p.isAt(i, "}") || !touch() {
		return 0
	}
	return i + 1 - n
}

// scanName gives the number of tokens of a name at offset n, or 0; extended allows more keywords.
func (p *parser) scanName(n int, extended bool) int {
	t := p.peekAt(n)
	if t.kind == tPunct {
		switch t.text {
		case "[":
			return p.scanBracketed(n)
		case "{":
			return p.scanBraced(n)
		}
		return 0
	}
	if t.isName() || extended && t.isExtended() {
		return 1
	}
	return 0
}

// nameRef parses a name in any of its forms, or gives nil.
func (p *parser) nameRef(extended bool) *NameRef {
	n := p.scanName(0, extended)
	if n == 0 {
		return nil
	}
	start := p.start()
	r := &NameRef{}
	switch {
	case n == 1:
		r.Name = p.next().text
	case p.is("["):
		p.next()
		var b strings.Builder
		for p.peek().kind == tString {
			b.WriteString(unquote(p.next().text))
		}
		p.next()
		r.Name, r.Quoted = b.String(), true
	default:
		end := p.peekAt(n - 1).start
		r.Name, r.Braced = p.src[p.peekAt(1).start:end], true
		p.pos += n
	}
	r.Span = p.from(start)
	return r
}

// name parses a declared name, or gives nil.
func (p *parser) name(extended bool) *Name {
	r := p.nameRef(extended)
	if r == nil {
		return nil
	}
	if r.Braced {
		return &Name{r.Span, "{" + r.Name + "}"}
	}
	return &Name{r.Span, r.Name}
}

// needName parses a declared name or reports it missing.
func (p *parser) needName(extended bool, what string) *Name {
	if n := p.name(extended); n != nil {
		return n
	}
	t := p.peek()
	if t.kind == tKeyword {
		p.fail(Span{t.start, t.end}, CodeBadName, "the keyword "+t.text+" can't be "+what, "write ['"+t.text+"']")
		// A keyword in the place of a name is most likely meant as one.
		if next := p.peekAt(1); next.kind == tPunct && (next.text == "=" || next.text == ":" || next.text == "," || next.text == ")") {
			p.next()
			return &Name{Span{t.start, t.end}, t.text}
		}
	} else {
		p.missing(what, "")
	}
	at := p.prevEnd()
	return &Name{Span{at, at}, ""}
}

// needRef parses a reference to a column or reports it missing.
func (p *parser) needRef(what string) *NameRef {
	if r := p.nameRef(false); r != nil {
		return r
	}
	n := p.needName(false, what)
	return &NameRef{Span: n.Span, Name: n.Text}
}

// scanWildcard gives the number of tokens of a name with asterisks at offset n, or 0. The parts touch each other.
func (p *parser) scanWildcard(n int) int {
	i := n
	touch := func() bool { return p.peekAt(i).start == p.peekAt(i-1).end }
	switch t := p.peekAt(n); {
	case p.isAt(n, "*"):
		i++
	case t.isExtended() && p.isAt(n+1, "*") && p.peekAt(n+1).start == t.end:
		i += 2
	default:
		return 0
	}
	for t := p.peekAt(i); (t.isExtended() || t.kind == tLong || p.isAt(i, "*")) && touch(); t = p.peekAt(i) {
		i++
	}
	return i - n
}

// wildcard parses a name with asterisks. A single asterisk gives a Star.
func (p *parser) wildcard() Expr {
	n := p.scanWildcard(0)
	if n == 0 {
		return nil
	}
	start := p.start()
	p.pos += n
	s := p.from(start)
	if n == 1 {
		return &Star{s}
	}
	return &WildcardName{Span: s, Pattern: p.src[s.Start:s.End]}
}

// bracketedWildcard parses [a*b].
func (p *parser) bracketedWildcard() Expr {
	if !p.is("[") || p.scanWildcard(1) == 0 {
		return nil
	}
	start := p.start()
	p.next()
	from := p.start()
	p.pos += p.scanWildcard(0)
	pattern := p.src[from:p.prevEnd()]
	p.close("]")
	return &WildcardName{Span: p.from(start), Pattern: pattern, Bracketed: true}
}

// paramTypes are the type names of declared columns and parameters; typeof takes typeofTypes too.
func isParamType(s string) bool {
	switch s {
	case "bool", "boolean", "date", "datetime", "decimal", "double", "dynamic", "guid", "int", "int64", "int8", "long",
		"real", "string", "time", "timespan", "uniqueid":
		return true
	}
	return false
}

func isTypeofType(s string) bool {
	switch s {
	case "float", "int16", "int32", "uint", "uint16", "uint32", "uint64", "uint8", "ulong":
		return true
	}
	return isParamType(s)
}

func (p *parser) typeToken() *TypeRef {
	t := p.next()
	v, _ := value.ParseType(t.text)
	return &TypeRef{Span{t.start, t.end}, v, t.text}
}

// needType parses a type name or reports it missing or unknown.
func (p *parser) needType(typeof bool) *TypeRef {
	t := p.peek()
	if t.kind == tKeyword && (isParamType(t.text) || typeof && isTypeofType(t.text)) {
		return p.typeToken()
	}
	const list = "the types are bool, int, long, real, decimal, string, datetime, timespan, guid, dynamic"
	if t.kind == tIdent || t.kind == tKeyword && (t.kw&kwName != 0 || isTypeofType(t.text)) {
		p.fail(Span{t.start, t.end}, CodeBadType, t.text+" is no type that can be used here", list)
		r := p.typeToken()
		r.Type = value.Invalid
		return r
	}
	p.missing("a type", list)
	at := p.prevEnd()
	return &TypeRef{Span: Span{at, at}}
}

// typedName parses name:type, or gives nil. table allows a tabular type.
func (p *parser) typedName(table bool) *TypedName {
	start := p.start()
	var n *Name
	if p.is(":") {
		p.missing("a name", "")
		n = &Name{Span: Span{start, start}}
	} else if n = p.name(true); n == nil {
		return nil
	}
	d := &TypedName{Name: n}
	if p.need(":") {
		if table && p.is("(") {
			d.Table = p.tableType()
		} else {
			d.Type = p.needType(false)
		}
	} else {
		d.Type = &TypeRef{Span: Span{p.prevEnd(), p.prevEnd()}}
	}
	d.Span = p.from(start)
	return d
}

func (p *parser) tableType() *TableType {
	start := p.start()
	p.next()
	t := &TableType{}
	p.commaList(listOpt{trailing: true, what: "a column declaration"}, func() bool {
		if !t.Any && p.accept("*") {
			t.Any = true
			return true
		}
		c := p.typedName(false)
		if c != nil {
			t.Columns = append(t.Columns, c)
		}
		return c != nil
	})
	p.close(")")
	t.Span = p.from(start)
	return t
}

// schema parses (a:string, …), or gives nil. star allows a leading asterisk, need asks for at least one column.
func (p *parser) schema(star, need bool) *Schema {
	if !p.is("(") {
		return nil
	}
	start := p.start()
	p.next()
	s := &Schema{}
	p.accept(",")
	if star && p.accept("*") {
		s.Star = true
		p.accept(",")
	}
	p.commaList(listOpt{trailing: true, need: need, what: "a column declaration"}, func() bool {
		c := p.typedName(false)
		if c != nil {
			s.Columns = append(s.Columns, c)
		}
		return c != nil
	})
	p.close(")")
	s.Span = p.from(start)
	return s
}

func (p *parser) needSchema(star bool) *Schema {
	if s := p.schema(star, false); s != nil {
		return s
	}
	p.missing("a schema", "add (name:type, …)")
	at := p.prevEnd()
	return &Schema{Span: Span{at, at}}
}

// typeOf parses typeof(…), or gives nil.
func (p *parser) typeOf() *TypeOf {
	if !p.is("typeof") || !p.isAt(1, "(") {
		return nil
	}
	start := p.start()
	p.next()
	p.next()
	t := &TypeOf{}
	one := p.peek()
	if one.kind == tKeyword && isTypeofType(one.text) || one.kind == tIdent && p.isAt(1, ")") {
		t.Type = p.needType(true)
	} else {
		p.commaList(listOpt{what: "a type"}, func() bool {
			if p.accept("*") {
				t.Star = true
				return true
			}
			c := p.typedName(false)
			if c != nil {
				t.Columns = append(t.Columns, c)
			}
			return c != nil
		})
	}
	p.close(")")
	t.Span = p.from(start)
	return t
}
