package syntax

import (
	"fmt"
	"strings"
)

// The limits on what a text may be. A text beyond one gives an error with CodeLimit.
const (
	MaxTextBytes = 2 << 20 // the query text
	MaxDepth     = 2000    // nested parentheses, sub-queries, arrays
	MaxChain     = 20000   // operators in one flat chain (a or b or c, a | b | c, a.b.c)
	maxErrors    = 100     // errors reported for one text
)

// Parse reads a whole text. It always gives a tree; where the text is wrong the tree holds BadExpr and BadOp nodes
// and the list holds every error, in order of place. An empty list means that the text is correct KQL syntax.
func Parse(text string) (*Document, ErrorList) {
	p := &parser{src: text}
	if len(text) > MaxTextBytes {
		p.toks = []token{{kind: tEOF, start: len(text), end: len(text)}}
		p.fail(Span{}, CodeLimit, fmt.Sprintf("the query is %d bytes long; the limit is %d", len(text), MaxTextBytes), "split it, or move data into a table")
		return &Document{Span: Span{0, len(text)}}, p.errs
	}
	l := lexer{src: text}
	if l.trivia(); l.at(l.pos) == '.' && l.at(l.pos+1) != '.' {
		s := Span{l.pos, len(text)}
		return &Document{Span: Span{0, len(text)}, Statements: []Statement{&CommandStmt{s, text[l.pos:]}}}, nil
	}
	l.run()
	p.toks, p.errs = l.toks, l.errs
	p.lexErrs = len(l.errs)
	doc := p.document()
	p.errs.Sort()
	return doc, p.errs
}

// ParseParams reads the parameters of a stored function, `a:string, n:long = 5, T:(*)`, with or without parentheses
// around them.
func ParseParams(text string) ([]*FuncParam, ErrorList) {
	p, errs := newParser(text)
	if errs != nil {
		return nil, errs
	}
	paren := p.accept("(")
	list := p.funcParams(false)
	if paren {
		p.close(")")
	}
	return list, p.end()
}

// ParseLambda reads a function, `(params) { body }`, as it stands after `let f =`.
func ParseLambda(text string) (*Lambda, ErrorList) {
	p, errs := newParser(text)
	if errs != nil {
		return nil, errs
	}
	l := p.lambda().(*Lambda)
	return l, p.end()
}

// ParseExpr reads one scalar or tabular expression, without statements before it.
func ParseExpr(text string) (Expr, ErrorList) {
	p, errs := newParser(text)
	if errs != nil {
		return nil, errs
	}
	x := p.needExpr(p.pipe())
	return x, p.end()
}

// newParser lexes a text that is not a whole document.
func newParser(text string) (*parser, ErrorList) {
	p := &parser{src: text}
	if len(text) > MaxTextBytes {
		return nil, ErrorList{NewError(text, Span{}, CodeLimit, fmt.Sprintf("the text is %d bytes long; the limit is %d", len(text), MaxTextBytes), "shorten it")}
	}
	l := lexer{src: text}
	l.run()
	p.toks, p.errs, p.lexErrs = l.toks, l.errs, len(l.errs)
	return p, nil
}

// end reports what stands behind the parsed piece and gives the errors in order.
func (p *parser) end() ErrorList {
	if t := p.peek(); t.kind != tEOF {
		p.fail(Span{t.start, t.end}, CodeUnexpected, "unexpected "+p.found(), "remove it")
	}
	p.errs.Sort()
	return p.errs
}

// parser is a recursive-descent parser over the tokens of one text. Functions named after a piece of grammar return
// nil when the piece isn't there and consume nothing then; those named need… report what is missing.
type parser struct {
	src   string
	toks  []token
	pos   int
	depth int
	// stmtDepth is the depth at which the current statement stands.
	stmtDepth int
	errs      ErrorList
	lexErrs   int
	lastErr   int // end of the place of the last error + 1, to report each place once
	dead      bool
	bars      map[int]bool // see barAhead
}

func (p *parser) peek() *token { return &p.toks[p.pos] }

func (p *parser) peekAt(n int) *token {
	if i := p.pos + n; i < len(p.toks) {
		return &p.toks[i]
	}
	return &p.toks[len(p.toks)-1]
}

// next consumes a token; the end is never consumed.
func (p *parser) next() *token {
	t := &p.toks[p.pos]
	if t.kind != tEOF {
		p.pos++
	}
	return t
}

// prevEnd is the end of the last consumed token.
func (p *parser) prevEnd() int {
	if p.pos == 0 {
		return 0
	}
	return p.toks[p.pos-1].end
}

func (p *parser) start() int { return p.peek().start }

// from gives the span that began at start and ends with the last consumed token.
func (p *parser) from(start int) Span { return Span{start, max(start, p.prevEnd())} }

// is says whether the n-th token ahead is the punctuation or keyword s.
func (p *parser) isAt(n int, s string) bool {
	t := p.peekAt(n)
	return (t.kind == tPunct || t.kind == tKeyword) && t.text == s
}

func (p *parser) is(s string) bool { return p.isAt(0, s) }

// accept consumes the punctuation or keyword s.
func (p *parser) accept(s string) bool {
	if p.is(s) {
		p.next()
		return true
	}
	return false
}

// need consumes s or reports it missing.
func (p *parser) need(s string) bool {
	if p.accept(s) {
		return true
	}
	suggestion := "add " + s
	if s == "=" && p.is("==") {
		suggestion = "write = , not =="
	}
	p.missing(s, suggestion)
	return false
}

// matchText gives the number of tokens, touching each other, that together read s at offset n, or 0. It sees
// identifiers too.
func (p *parser) matchText(n int, s string) int {
	i := p.pos + n
	for k := 0; ; k++ {
		if s == "" {
			return k
		}
		if i+k >= len(p.toks) {
			return 0
		}
		t := &p.toks[i+k]
		if t.kind == tEOF || t.kind == tString || k > 0 && p.toks[i+k-1].end != t.start || !strings.HasPrefix(s, t.text) {
			return 0
		}
		s = s[len(t.text):]
	}
}

// acceptText consumes the tokens that together read s.
func (p *parser) acceptText(s string) bool {
	n := p.matchText(0, s)
	p.pos += n
	return n > 0
}

// fail reports an error; only the first at each place counts.
func (p *parser) fail(s Span, code, msg, suggestion string) {
	if p.dead || s.Start < p.lastErr && len(p.errs) > p.lexErrs {
		return
	}
	for i := 0; i < p.lexErrs; i++ {
		if e := p.errs[i]; s.Start >= e.Start && s.Start <= e.End {
			return // the lexer said it
		}
	}
	if len(p.errs) >= maxErrors {
		p.errs = append(p.errs, NewError(p.src, s, CodeLimit, fmt.Sprintf("more than %d errors; the rest isn't reported", maxErrors), "mend these first"))
		p.stop()
		return
	}
	p.lastErr = s.Start + 1
	p.errs = append(p.errs, NewError(p.src, s, code, msg, suggestion))
}

// stop ends the parse where it is.
func (p *parser) stop() {
	p.dead = true
	p.pos = len(p.toks) - 1
}

// found names the token that stands here, for messages.
func (p *parser) found() string {
	t := p.peek()
	switch t.kind {
	case tEOF:
		return "the end of the query"
	case tKeyword:
		return "the keyword " + t.text
	}
	if len(t.text) > 40 {
		return t.text[:40] + "…"
	}
	return t.text
}

// missing reports that what should stand before the current token.
func (p *parser) missing(what, suggestion string) {
	t := p.peek()
	s := Span{t.start, t.end}
	if t.kind == tEOF {
		s = Span{p.prevEnd(), p.prevEnd()}
	}
	p.fail(s, CodeExpected, "expected "+what+" before "+p.found(), suggestion)
}

// needExpr gives x, or a BadExpr with an error.
func (p *parser) needExpr(x Expr) Expr {
	if x != nil {
		return x
	}
	suggestion := ""
	if t := p.peek(); t.kind == tKeyword && !isListEnd(t) {
		suggestion = "a column with the name of a keyword is written ['" + t.text + "']"
	}
	p.missing("an expression", suggestion)
	return p.bad()
}

func (p *parser) bad() *BadExpr {
	at := p.prevEnd()
	return &BadExpr{Span{at, at}}
}

// enter counts a level of nesting; false when the limit is passed.
func (p *parser) enter() bool {
	p.depth++
	if p.depth <= MaxDepth {
		return true
	}
	t := p.peek()
	p.fail(Span{t.start, t.end}, CodeLimit, fmt.Sprintf("the query is nested more than %d levels deep", MaxDepth), "name inner parts with let")
	p.stop()
	return false
}

func (p *parser) leave() { p.depth-- }

// chain counts one more link of a flat chain; false when the limit is passed.
func (p *parser) chain(n *int) bool {
	*n++
	if *n <= MaxChain {
		return true
	}
	t := p.peek()
	p.fail(Span{t.start, t.end}, CodeLimit, fmt.Sprintf("more than %d operators in one chain", MaxChain), "use in (…) or a lookup table")
	p.stop()
	return false
}

// isListEnd says whether t ends any list: a closing bracket, a bar, a semicolon or the end.
func isListEnd(t *token) bool {
	if t.kind == tEOF {
		return true
	}
	if t.kind != tPunct {
		return false
	}
	switch t.text {
	case ")", "]", "}", "|", ";":
		return true
	}
	return false
}

// listOpt says how a comma list ends and what may be left out.
type listOpt struct {
	end      func(*parser) bool // nil: at isListEnd
	need     bool               // at least one
	trailing bool               // a comma may stand last
	what     string             // the name of an element, for messages
}

// commaList parses elements divided by commas. elem returns false when no element is there. Between two elements
// without comma an error is reported, as long as there is an end to look for.
func (p *parser) commaList(o listOpt, elem func() bool) {
	atEnd := func() bool { return isListEnd(p.peek()) || o.end != nil && o.end(p) }
	what := o.what
	if what == "" {
		what = "an expression"
	}
	lose := func() {
		if what == "an expression" {
			p.needExpr(nil)
			return
		}
		p.missing(what, "")
	}
	if atEnd() || !elem() {
		if p.is(",") {
			lose()
		} else {
			if o.need {
				lose()
			}
			return
		}
	}
	for {
		if p.accept(",") {
			if !atEnd() && elem() {
				continue
			}
			if p.is(",") {
				lose()
				continue
			}
			if !o.trailing {
				lose()
			}
			return
		}
		return
	}
}

// skipTo drops tokens up to the next one that can go on: a bar, a semicolon, or a closing bracket of an enclosing
// pair. It reports the first dropped token.
func (p *parser) skipTo(msg string) {
	t := p.peek()
	if isListEnd(t) {
		return
	}
	suggestion := ""
	switch {
	case t.kind == tPunct && t.text == "=":
		suggestion = "comparison is =="
	case t.kind == tPunct && t.text == ",":
		suggestion = "remove the comma"
	case t.kind == tBad:
		suggestion = "remove it"
	case t.kind == tIdent || t.kind == tKeyword || t.kind == tString:
		suggestion = "put a comma, an operator or | before it"
	}
	p.fail(Span{t.start, t.end}, CodeUnexpected, msg+" "+p.found(), suggestion)
	p.skip()
}

// skip drops tokens to the next list end, over balanced brackets.
func (p *parser) skip() {
	level := 0
	for {
		t := p.peek()
		if t.kind == tEOF {
			return
		}
		if t.kind == tPunct {
			switch t.text {
			case "(", "[", "{":
				level++
			case ")", "]", "}":
				if level == 0 {
					return
				}
				level--
			case "|":
				if level == 0 {
					return
				}
			case ";":
				return
			}
		}
		p.next()
	}
}

// close consumes the closing bracket, after dropping what stands before it if that is an error.
func (p *parser) close(bracket string) {
	if p.accept(bracket) {
		return
	}
	t := p.peek()
	if isListEnd(t) {
		p.missing(bracket, "add "+bracket)
		return
	}
	if t.kind == tKeyword || t.kind == tIdent {
		p.missing(bracket+" or a comma", "add "+bracket+" or a comma")
	} else {
		p.missing(bracket, "add "+bracket)
	}
	p.skip()
	p.accept(bracket)
}
