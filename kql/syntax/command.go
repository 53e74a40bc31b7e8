package syntax

import "strings"

// CommandText is a text with a management command, cut into tokens for whoever knows the grammars of commands. Places
// are numbers of tokens, from 0; the one at [CommandText.End] is the end of the text.
//
// The methods that read a piece at a place give the place behind it, which is the same place where there is none.
type CommandText struct {
	src  string
	toks []token
}

// ReadCommand cuts text. Errors are those of single tokens (a string without its end …).
func ReadCommand(text string) (*CommandText, ErrorList) {
	p, errs := newParser(text)
	if errs != nil {
		return nil, errs
	}
	return &CommandText{src: text, toks: p.toks}, p.errs
}

// End is the place of the end of the text.
func (c *CommandText) End() int { return len(c.toks) - 1 }

// Part is the text from the token at one place to before that at another. Its places count from its own beginning;
// spans stay those of the whole text.
func (c *CommandText) Part(from, end int) *CommandText {
	at := c.toks[end].start
	toks := make([]token, 0, end-from+1)
	toks = append(append(toks, c.toks[from:end]...), token{kind: tEOF, start: at, end: at, firstInRow: c.toks[end].firstInRow})
	return &CommandText{src: c.src, toks: toks}
}

// Span is the place in the text of the token at i.
func (c *CommandText) Span(i int) Span { return Span{c.toks[i].start, c.toks[i].end} }

// Text is the token at i as it is written, "" at the end.
func (c *CommandText) Text(i int) string { return c.toks[i].text }

// FirstInRow says whether nothing but blanks stands before the token at i on its row.
func (c *CommandText) FirstInRow(i int) bool { return c.toks[i].firstInRow }

// Words takes tokens that touch each other and together read s.
func (c *CommandText) Words(i int, s string) int {
	for j := i; j < c.End(); j++ {
		t := &c.toks[j]
		if j > i && c.toks[j-1].end != t.start || !strings.HasPrefix(s, t.text) {
			return i
		}
		if s = s[len(t.text):]; s == "" {
			return j + 1
		}
	}
	return i
}

// String takes one string literal.
func (c *CommandText) String(i int) int {
	if c.toks[i].kind == tString {
		return i + 1
	}
	return i
}

// GUID takes one guid literal, with or without guid(…).
func (c *CommandText) GUID(i int) int {
	if k := c.toks[i].kind; k == tGUID || k == tRawGUID {
		return i + 1
	}
	return i
}

// Literal takes a literal of any type; numbers may have a sign.
func (c *CommandText) Literal(i int) (int, ErrorList) {
	if c.toks[i].kind == tRawGUID {
		return i + 1, nil
	}
	p := c.parser(i)
	if p.literalExpr() == nil {
		return i, nil
	}
	return p.pos, p.errs
}

// Type takes the name of a scalar type.
func (c *CommandText) Type(i int) int {
	if t := &c.toks[i]; t.kind == tKeyword && isTypeofType(t.text) {
		return i + 1
	}
	return i
}

// Name takes a name: name, ['name'], {name}, 'name', or [name]. It is empty for ” and [].
func (c *CommandText) Name(i int) (name string, end int) {
	if c.toks[i].kind == tString {
		return unquote(c.toks[i].text), i + 1
	}
	p := c.parser(i)
	if r := p.nameRef(false); r != nil {
		return r.Name, p.pos
	}
	if end = c.Bracketed(i); end > i {
		s := c.src[c.toks[i].end:c.toks[end-1].end]
		return strings.TrimSuffix(s, "]"), end
	}
	return "", i
}

// Bracketed takes [ and what follows it on the same row, up to and with ] if there is one.
func (c *CommandText) Bracketed(i int) int {
	if c.toks[i].kind != tPunct || c.toks[i].text != "[" {
		return i
	}
	for i++; i < c.End(); i++ {
		t := &c.toks[i]
		if t.kind == tPunct && t.text == "]" {
			return i + 1
		}
		if t.kind == tPunct && t.text == "[" || t.firstInRow || strings.ContainsAny(t.text, "\r\n") {
			break
		}
	}
	return i
}

// Wildcard takes a name with asterisks.
func (c *CommandText) Wildcard(i int) int { return i + c.parser(i).scanWildcard(0) }

// Query takes statements, up to a token that begins none. Those without a semicolon before them are an error.
func (c *CommandText) Query(i int) ([]Statement, int, ErrorList) {
	p := c.parser(i)
	if p.is(";") {
		p.missing("a statement", "remove the semicolon")
	}
	var list []Statement
	for divided := true; p.peek().kind != tEOF; divided = p.accept(";") {
		t := p.peek()
		st := p.statement()
		if st == nil {
			break
		}
		if !divided {
			p.errs = append(p.errs, NewError(c.src, Span{t.start, t.end}, CodeExpected, "expected ; before "+t.text, "put ; between statements"))
		}
		list = append(list, st)
	}
	p.errs.Sort()
	return list, p.pos, p.errs
}

// Function takes parameters and a body, `(params) { body }`.
func (c *CommandText) Function(i int) (*Lambda, int, ErrorList) {
	p := c.parser(i)
	if !p.is("(") {
		return nil, i, nil
	}
	l := p.lambda().(*Lambda)
	p.errs.Sort()
	return l, p.pos, p.errs
}

// Body takes the body of a function, `{ body }`.
func (c *CommandText) Body(i int) (*FuncBody, int, ErrorList) {
	p := c.parser(i)
	if !p.is("{") {
		return nil, i, nil
	}
	b := p.funcBody(true)
	p.errs.Sort()
	return b, p.pos, p.errs
}

// Pipe takes a bar and the query operator behind it, whose input is x.
func (c *CommandText) Pipe(i int, x Expr) (Expr, int, ErrorList) {
	p := c.parser(i)
	if !p.accept("|") {
		return nil, i, nil
	}
	p.depth++ // not at the level of statements, where a new row may begin one
	op := p.needOperator()
	p.errs.Sort()
	return &PipeExpr{Span: Span{x.Range().Start, p.prevEnd()}, Input: x, Op: op}, p.pos, p.errs
}

func (c *CommandText) parser(i int) *parser { return &parser{src: c.src, toks: c.toks, pos: i} }
