package expr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// XPath 1.0 (W3C recommendation of 1999): all axes but namespace, all core functions but id and lang.

type xpathParser struct {
	s     string
	toks  []xpathTok
	i     int
	depth int
}

type xpathTok struct {
	kind byte // 'n' name, 's' literal, 'd' number, 'o' operator or punctuation, 'v' variable, 0 end
	text string
}

type xpathExpr func(c *xpathCtx) (any, error) // []*xmlNode, float64, string or bool

type xpathCtx struct {
	node      *xmlNode
	pos, size int
	steps     *int
}

const maxXPathSteps = 5_000_000

func (c *xpathCtx) tick(n int) error {
	if *c.steps += n; *c.steps > maxXPathSteps {
		return fmt.Errorf("the expression takes more than %d steps", maxXPathSteps)
	}
	return nil
}

func evalXPath(s string, doc *xmlNode) (any, error) {
	if len(s) > MaxExpressionLength {
		return nil, fmt.Errorf("the expression is longer than %d characters", MaxExpressionLength)
	}
	p := &xpathParser{s: s}
	if err := p.lex(); err != nil {
		return nil, err
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.peek().kind != 0 {
		return nil, fmt.Errorf("unexpected %q", p.peek().text)
	}
	steps := 0
	return e(&xpathCtx{doc, 1, 1, &steps})
}

func (p *xpathParser) lex() error {
	s := p.s
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsSpace(r):
			i += n
		case r == '"' || r == '\'':
			j := strings.IndexByte(s[i+1:], s[i])
			if j < 0 {
				return fmt.Errorf("the literal at position %d has no end", i)
			}
			p.toks = append(p.toks, xpathTok{'s', s[i+1 : i+1+j]})
			i += j + 2
		case r >= '0' && r <= '9' || r == '.' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			j := i
			for j < len(s) && (s[j] >= '0' && s[j] <= '9' || s[j] == '.') {
				j++
			}
			p.toks = append(p.toks, xpathTok{'d', s[i:j]})
			i = j
		case r == '_' || unicode.IsLetter(r):
			j := i
			for j < len(s) {
				r, n := utf8.DecodeRuneInString(s[j:])
				if r == '_' || r == '-' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r) {
					j += n
					continue
				}
				if r == ':' && j+1 < len(s) && s[j+1] != ':' && !strings.Contains(s[i:j], ":") {
					j++
					if s[j] == '*' {
						j++
						break
					}
					continue
				}
				break
			}
			p.toks = append(p.toks, xpathTok{'n', s[i:j]})
			i = j
		default:
			two := ""
			if i+2 <= len(s) {
				two = s[i : i+2]
			}
			switch two {
			case "//", "::", "..", "<=", ">=", "!=":
				p.toks = append(p.toks, xpathTok{'o', two})
				i += 2
				continue
			}
			if !strings.ContainsRune("/()[].@,|+-=<>*$", r) {
				return fmt.Errorf("unexpected character %q at position %d", string(r), i)
			}
			p.toks = append(p.toks, xpathTok{'o', string(r)})
			i += n
		}
	}
	return nil
}

func (p *xpathParser) peek() xpathTok {
	if p.i < len(p.toks) {
		return p.toks[p.i]
	}
	return xpathTok{}
}

func (p *xpathParser) at(k int) xpathTok {
	if p.i+k < len(p.toks) {
		return p.toks[p.i+k]
	}
	return xpathTok{}
}

func (p *xpathParser) op(text string) bool {
	if t := p.peek(); t.kind == 'o' && t.text == text {
		p.i++
		return true
	}
	return false
}

// word takes an operator that is spelled as a name.
func (p *xpathParser) word(text string) bool {
	if t := p.peek(); t.kind == 'n' && t.text == text {
		p.i++
		return true
	}
	return false
}

func (p *xpathParser) enter() error {
	if p.depth++; p.depth > 200 {
		return fmt.Errorf("the expression is nested too deeply")
	}
	return nil
}

func (p *xpathParser) or() (xpathExpr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.chain(func() (xpathExpr, error) { return p.chain(p.equality, "and") }, "or")
}

func (p *xpathParser) chain(next func() (xpathExpr, error), word string) (xpathExpr, error) {
	l, err := next()
	if err != nil {
		return nil, err
	}
	for p.word(word) {
		r, err := next()
		if err != nil {
			return nil, err
		}
		a := l
		l = func(c *xpathCtx) (any, error) {
			v, err := a(c)
			if err != nil {
				return nil, err
			}
			if xBool(v) == (word == "or") {
				return word == "or", nil
			}
			v, err = r(c)
			if err != nil {
				return nil, err
			}
			return xBool(v), nil
		}
	}
	return l, nil
}

func (p *xpathParser) equality() (xpathExpr, error) { return p.binary(p.relational, "=", "!=") }
func (p *xpathParser) relational() (xpathExpr, error) {
	return p.binary(p.additive, "<", "<=", ">", ">=")
}
func (p *xpathParser) additive() (xpathExpr, error) { return p.binary(p.multiplicative, "+", "-") }
func (p *xpathParser) multiplicative() (xpathExpr, error) {
	l, err := p.unary()
	if err != nil {
		return nil, err
	}
	for {
		op := ""
		switch {
		case p.op("*"):
			op = "*"
		case p.word("div"):
			op = "div"
		case p.word("mod"):
			op = "mod"
		default:
			return l, nil
		}
		r, err := p.unary()
		if err != nil {
			return nil, err
		}
		l = binaryExpr(op, l, r)
	}
}

func (p *xpathParser) binary(next func() (xpathExpr, error), ops ...string) (xpathExpr, error) {
	l, err := next()
	if err != nil {
		return nil, err
	}
again:
	for _, op := range ops {
		if p.op(op) {
			r, err := next()
			if err != nil {
				return nil, err
			}
			l = binaryExpr(op, l, r)
			goto again
		}
	}
	return l, nil
}

func (p *xpathParser) unary() (xpathExpr, error) {
	if p.op("-") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		e, err := p.unary()
		if err != nil {
			return nil, err
		}
		return func(c *xpathCtx) (any, error) {
			v, err := e(c)
			if err != nil {
				return nil, err
			}
			return -xNum(v), nil
		}, nil
	}
	l, err := p.path()
	if err != nil {
		return nil, err
	}
	for p.op("|") {
		r, err := p.path()
		if err != nil {
			return nil, err
		}
		a := l
		l = func(c *xpathCtx) (any, error) {
			x, err := nodes(a(c))
			if err != nil {
				return nil, err
			}
			y, err := nodes(r(c))
			if err != nil {
				return nil, err
			}
			return ordered(append(append([]*xmlNode{}, x...), y...)), nil
		}
	}
	return l, nil
}

func isNodeType(s string) bool {
	return s == "node" || s == "text" || s == "comment" || s == "processing-instruction"
}

func (p *xpathParser) path() (xpathExpr, error) {
	t := p.peek()
	isFilter := t.kind == 's' || t.kind == 'd' || t.kind == 'o' && (t.text == "(" || t.text == "$") ||
		t.kind == 'n' && p.at(1) == (xpathTok{'o', "("}) && !isNodeType(t.text)
	if !isFilter {
		return p.location(nil)
	}
	e, err := p.primary()
	if err != nil {
		return nil, err
	}
	preds, err := p.predicates()
	if err != nil {
		return nil, err
	}
	if len(preds) > 0 {
		base := e
		e = func(c *xpathCtx) (any, error) {
			ns, err := nodes(base(c))
			if err != nil {
				return nil, err
			}
			return filter(c, ns, preds)
		}
	}
	if n := p.peek(); n.kind == 'o' && (n.text == "/" || n.text == "//") {
		return p.location(e)
	}
	return e, nil
}

func (p *xpathParser) primary() (xpathExpr, error) {
	t := p.peek()
	p.i++
	switch {
	case t.kind == 's':
		return func(*xpathCtx) (any, error) { return t.text, nil }, nil
	case t.kind == 'd':
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", t.text)
		}
		return func(*xpathCtx) (any, error) { return f, nil }, nil
	case t.text == "(":
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.op(")") {
			return nil, fmt.Errorf("expected ')'")
		}
		return e, nil
	case t.kind == 'n':
		p.op("(")
		var args []xpathExpr
		if !p.op(")") {
			for {
				a, err := p.or()
				if err != nil {
					return nil, err
				}
				args = append(args, a)
				if p.op(",") {
					continue
				}
				if p.op(")") {
					break
				}
				return nil, fmt.Errorf("expected ')' after the parameters of %s", t.text)
			}
		}
		return xpathCall(t.text, args)
	}
	return nil, fmt.Errorf("variables are not available")
}

func (p *xpathParser) predicates() ([]xpathExpr, error) {
	var out []xpathExpr
	for p.op("[") {
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.op("]") {
			return nil, fmt.Errorf("expected ']'")
		}
		out = append(out, e)
	}
	return out, nil
}

type xpathStep struct {
	axis  string
	test  func(*xmlNode) bool
	preds []xpathExpr
}

var anyStep = xpathStep{axis: "descendant-or-self", test: func(*xmlNode) bool { return true }}

// location parses steps; base is what comes before them (nil: the context node, or the root).
func (p *xpathParser) location(base xpathExpr) (xpathExpr, error) {
	var steps []xpathStep
	absolute := false
	switch {
	case p.op("//"):
		absolute = base == nil
		steps = append(steps, anyStep)
	case p.op("/"):
		absolute = base == nil
		if t := p.peek(); base == nil && !(t.kind == 'n' || t.kind == 'o' && (t.text == "@" || t.text == "*" || t.text == "." || t.text == "..")) {
			return func(c *xpathCtx) (any, error) { return []*xmlNode{top(c.node)}, nil }, nil
		}
	}
	for {
		s, err := p.step()
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
		if p.op("//") {
			steps = append(steps, anyStep)
			continue
		}
		if !p.op("/") {
			break
		}
	}
	return func(c *xpathCtx) (any, error) {
		cur := []*xmlNode{c.node}
		if base != nil {
			ns, err := nodes(base(c))
			if err != nil {
				return nil, err
			}
			cur = ns
		} else if absolute {
			cur = []*xmlNode{top(c.node)}
		}
		for _, s := range steps {
			var next []*xmlNode
			for _, n := range cur {
				found := walkAxis(n, s.axis)
				if err := c.tick(len(found) + 1); err != nil {
					return nil, err
				}
				var kept []*xmlNode
				for _, f := range found {
					if s.test(f) {
						kept = append(kept, f)
					}
				}
				kept, err := filter(c, kept, s.preds)
				if err != nil {
					return nil, err
				}
				next = append(next, kept...)
			}
			cur = ordered(next)
		}
		return cur, nil
	}, nil
}

func (p *xpathParser) step() (xpathStep, error) {
	if p.op(".") {
		return xpathStep{axis: "self", test: func(*xmlNode) bool { return true }}, nil
	}
	if p.op("..") {
		return xpathStep{axis: "parent", test: func(*xmlNode) bool { return true }}, nil
	}
	s := xpathStep{axis: "child"}
	if p.op("@") {
		s.axis = "attribute"
	} else if t := p.peek(); t.kind == 'n' && p.at(1) == (xpathTok{'o', "::"}) {
		s.axis = t.text
		p.i += 2
		switch s.axis {
		case "child", "attribute", "descendant", "descendant-or-self", "self", "parent", "ancestor", "ancestor-or-self",
			"following", "following-sibling", "preceding", "preceding-sibling":
		default:
			return s, fmt.Errorf("the axis %q is not available", s.axis)
		}
	}
	principal := xmlElement
	if s.axis == "attribute" {
		principal = xmlAttr
	}
	t := p.peek()
	p.i++
	switch {
	case t.kind == 'o' && t.text == "*":
		s.test = func(n *xmlNode) bool { return n.kind == principal }
	case t.kind == 'n' && isNodeType(t.text) && p.op("("):
		target := ""
		if l := p.peek(); l.kind == 's' {
			target = l.text
			p.i++
		}
		if !p.op(")") {
			return s, fmt.Errorf("expected ')' after %s(", t.text)
		}
		kind := map[string]xmlKind{"text": xmlText, "comment": xmlComment, "processing-instruction": xmlProc}[t.text]
		s.test = func(n *xmlNode) bool {
			return t.text == "node" || n.kind == kind && (target == "" || n.local == target)
		}
	case t.kind == 'n':
		prefix, local, has := strings.Cut(t.text, ":")
		if !has {
			prefix, local = "", t.text
		}
		// Prefixes in the expression are those that the document declares.
		s.test = func(n *xmlNode) bool {
			if n.kind != principal {
				return false
			}
			if has {
				return n.prefix == prefix && (local == "*" || n.local == local)
			}
			return n.local == local && n.space == ""
		}
	default:
		return s, fmt.Errorf("expected a step and found %q", t.text)
	}
	var err error
	s.preds, err = p.predicates()
	return s, err
}
