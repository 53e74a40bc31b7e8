package expr

import (
	"fmt"
	"math"
	"sort"
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

func binaryExpr(op string, l, r xpathExpr) xpathExpr {
	return func(c *xpathCtx) (any, error) {
		a, err := l(c)
		if err != nil {
			return nil, err
		}
		b, err := r(c)
		if err != nil {
			return nil, err
		}
		switch op {
		case "+":
			return xNum(a) + xNum(b), nil
		case "-":
			return xNum(a) - xNum(b), nil
		case "*":
			return xNum(a) * xNum(b), nil
		case "div":
			return xNum(a) / xNum(b), nil
		case "mod":
			return math.Mod(xNum(a), xNum(b)), nil
		}
		return xCompare(c, op, a, b)
	}
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

func nodes(v any, err error) ([]*xmlNode, error) {
	if err != nil {
		return nil, err
	}
	if ns, ok := v.([]*xmlNode); ok {
		return ns, nil
	}
	return nil, fmt.Errorf("expected a set of nodes")
}

func ordered(ns []*xmlNode) []*xmlNode {
	sort.SliceStable(ns, func(i, j int) bool { return ns[i].order < ns[j].order })
	out := ns[:0]
	for i, n := range ns {
		if i == 0 || n != ns[i-1] {
			out = append(out, n)
		}
	}
	return out
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

func filter(c *xpathCtx, ns []*xmlNode, preds []xpathExpr) ([]*xmlNode, error) {
	for _, pr := range preds {
		var keep []*xmlNode
		for i, n := range ns {
			if err := c.tick(1); err != nil {
				return nil, err
			}
			v, err := pr(&xpathCtx{n, i + 1, len(ns), c.steps})
			if err != nil {
				return nil, err
			}
			if f, ok := v.(float64); ok {
				if f == float64(i+1) {
					keep = append(keep, n)
				}
			} else if xBool(v) {
				keep = append(keep, n)
			}
		}
		ns = keep
	}
	return ns, nil
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

func top(n *xmlNode) *xmlNode {
	for n.parent != nil {
		n = n.parent
	}
	return n
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

func walkAxis(n *xmlNode, axis string) []*xmlNode {
	var out []*xmlNode
	var down func(*xmlNode)
	down = func(e *xmlNode) {
		for _, c := range e.children {
			out = append(out, c)
			down(c)
		}
	}
	switch axis {
	case "child":
		return n.children
	case "attribute":
		for _, a := range n.attrs {
			if a.kind == xmlAttr {
				out = append(out, a)
			}
		}
	case "self":
		return []*xmlNode{n}
	case "parent":
		if n.parent != nil {
			return []*xmlNode{n.parent}
		}
	case "descendant":
		down(n)
	case "descendant-or-self":
		out = append(out, n)
		down(n)
	case "ancestor", "ancestor-or-self":
		if axis == "ancestor-or-self" {
			out = append(out, n)
		}
		for a := n.parent; a != nil; a = a.parent {
			out = append(out, a)
		}
	case "following-sibling", "preceding-sibling":
		if n.parent == nil || n.kind == xmlAttr {
			return nil
		}
		at := 0
		for i, c := range n.parent.children {
			if c == n {
				at = i
			}
		}
		if axis == "following-sibling" {
			return n.parent.children[at+1:]
		}
		for i := at - 1; i >= 0; i-- {
			out = append(out, n.parent.children[i])
		}
	case "following", "preceding":
		var all []*xmlNode
		out = nil
		down(top(n))
		all, out = out, nil
		if axis == "following" {
			last := n.order
			var deepest func(*xmlNode)
			deepest = func(e *xmlNode) {
				last = max(last, e.order)
				for _, c := range e.children {
					deepest(c)
				}
			}
			deepest(n)
			for _, c := range all {
				if c.order > last {
					out = append(out, c)
				}
			}
			return out
		}
		anc := map[*xmlNode]bool{}
		for a := n.parent; a != nil; a = a.parent {
			anc[a] = true
		}
		for i := len(all) - 1; i >= 0; i-- {
			if c := all[i]; c.order < n.order && !anc[c] {
				out = append(out, c)
			}
		}
	}
	return out
}

func xString(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case bool:
		return strconv.FormatBool(x)
	case float64:
		switch {
		case math.IsNaN(x):
			return "NaN"
		case math.IsInf(x, 0):
			return floatText(x)
		case x == 0:
			return "0"
		}
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []*xmlNode:
		if len(x) > 0 {
			return stringValue(x[0])
		}
	}
	return ""
}

func xNum(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
		return 0
	}
	s := strings.TrimSpace(xString(v))
	if s == "" || strings.Trim(s, "-.0123456789") != "" {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

func xBool(v any) bool {
	switch x := v.(type) {
	case bool:
		return x
	case float64:
		return x != 0 && !math.IsNaN(x)
	case string:
		return x != ""
	case []*xmlNode:
		return len(x) > 0
	}
	return false
}

func xCompare(c *xpathCtx, op string, a, b any) (any, error) {
	as, aSet := a.([]*xmlNode)
	bs, bSet := b.([]*xmlNode)
	switch {
	case aSet && bSet:
		if err := c.tick(len(as) * len(bs)); err != nil {
			return nil, err
		}
		for _, x := range as {
			for _, y := range bs {
				if scalarCompare(op, stringValue(x), stringValue(y)) {
					return true, nil
				}
			}
		}
		return false, nil
	case aSet || bSet:
		set, other := as, b
		if bSet {
			set, other = bs, a
		}
		if o, ok := other.(bool); ok {
			if bSet {
				return scalarCompare(op, o, len(set) > 0), nil
			}
			return scalarCompare(op, len(set) > 0, o), nil
		}
		for _, n := range set {
			var v any = stringValue(n)
			if _, ok := other.(float64); ok {
				v = xNum(v)
			}
			if aSet && scalarCompare(op, v, other) || bSet && scalarCompare(op, other, v) {
				return true, nil
			}
		}
		return false, nil
	}
	return scalarCompare(op, a, b), nil
}

func scalarCompare(op string, a, b any) bool {
	if op == "=" || op == "!=" {
		_, ab := a.(bool)
		_, bb := b.(bool)
		_, an := a.(float64)
		_, bn := b.(float64)
		var eq bool
		switch {
		case ab || bb:
			eq = xBool(a) == xBool(b)
		case an || bn:
			x, y := xNum(a), xNum(b)
			eq = x == y
		default:
			eq = xString(a) == xString(b)
		}
		return eq == (op == "=")
	}
	x, y := xNum(a), xNum(b)
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}
