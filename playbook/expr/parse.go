package expr

import (
	"fmt"
	"slices"
	"strings"
)

// MaxExpressionLength is the longest expression the language takes, in characters.
const MaxExpressionLength = 8192

const maxParseDepth = 200

// Node is a parsed expression.
type Node interface{ source(b *strings.Builder) }

type (
	literal struct {
		v    any
		text string
	}
	call struct {
		name string
		args []Node
		fn   *function // nil: not a function of the language
	}
	access struct {
		base     Node
		key      Node
		dot      bool // .name
		optional bool
	}
)

func (n *literal) source(b *strings.Builder) { b.WriteString(n.text) }
func (n *call) source(b *strings.Builder) {
	b.WriteString(n.name + "(")
	for i, a := range n.args {
		if i > 0 {
			b.WriteString(", ")
		}
		a.source(b)
	}
	b.WriteByte(')')
}

func (n *access) source(b *strings.Builder) {
	n.base.source(b)
	if n.optional {
		b.WriteByte('?')
	}
	if n.dot {
		b.WriteByte('.')
		b.WriteString(n.key.(*literal).v.(string))
		return
	}
	b.WriteByte('[')
	n.key.source(b)
	b.WriteByte(']')
}

// Source writes an expression back as text.
func Source(n Node) string {
	var b strings.Builder
	n.source(&b)
	return b.String()
}

// SyntaxError is a text that isn't an expression.
type SyntaxError struct {
	Expr   string
	Offset int // in bytes, from 0
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("Unable to parse template language expression '%s': %s at position %d", e.Expr, e.Msg, e.Offset)
}

type parser struct {
	s     string
	i     int
	depth int
}

// Parse reads one expression, without the leading @.
func Parse(s string) (Node, error) {
	n, rest, err := parsePrefix(s)
	if err != nil {
		return nil, err
	}
	if rest < len(s) {
		return nil, &SyntaxError{s, rest, fmt.Sprintf("expected token 'EndOfData' and actual %q", s[rest:min(len(s), rest+12)])}
	}
	return n, nil
}

func parsePrefix(s string) (Node, int, error) {
	p := &parser{s: s}
	n, err := p.expr()
	if err != nil {
		return nil, p.i, err
	}
	p.space()
	return n, p.i, nil
}

func (p *parser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		case 0xC2:
			if p.i+1 < len(p.s) && p.s[p.i+1] == 0xA0 {
				p.i += 2
				continue
			}
			return
		default:
			return
		}
	}
}

func (p *parser) errf(format string, args ...any) error {
	s := p.s
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return &SyntaxError{s, p.i, fmt.Sprintf(format, args...)}
}

func nameStart(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func nameByte(c byte) bool  { return nameStart(c) || c >= '0' && c <= '9' }
func propByte(c byte) bool {
	return nameByte(c) || c == '$' || c == '-' || c == '@' || c == '#' || c >= 0x80
}

func (p *parser) expr() (Node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxParseDepth {
		return nil, p.errf("nesting deeper than %d", maxParseDepth)
	}
	p.space()
	if p.i >= len(p.s) {
		return nil, p.errf("expected an expression and found the end")
	}
	var n Node
	switch c := p.s[p.i]; {
	case c == '\'':
		v, err := p.str()
		if err != nil {
			return nil, err
		}
		n = v
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		v, err := p.number()
		if err != nil {
			return nil, err
		}
		return v, nil
	case c == '@': // a redundant @ before an inner expression is accepted
		p.i++
		return p.expr()
	case nameStart(c):
		j := p.i
		for p.i < len(p.s) && nameByte(p.s[p.i]) {
			p.i++
		}
		name := p.s[j:p.i]
		end := p.i
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '(' {
			p.i = end
			switch {
			case strings.EqualFold(name, "true"):
				return &literal{true, name}, nil
			case strings.EqualFold(name, "false"):
				return &literal{false, name}, nil
			case strings.EqualFold(name, "null"):
				n = &literal{nil, name}
			default:
				p.i = j
				return nil, p.errf("the name %q is neither a call nor true, false or null", name)
			}
			break
		}
		p.i++
		c := &call{name: name, fn: lookup(name)}
		p.space()
		if p.i < len(p.s) && p.s[p.i] == ')' {
			p.i++
		} else {
			for {
				a, err := p.expr()
				if err != nil {
					return nil, err
				}
				c.args = append(c.args, a)
				p.space()
				if p.i < len(p.s) && p.s[p.i] == ',' {
					p.i++
					continue
				}
				if p.i < len(p.s) && p.s[p.i] == ')' {
					p.i++
					break
				}
				return nil, p.errf("expected ',' or ')' in the parameters of %s", name)
			}
		}
		n = c
	case c == '"':
		return nil, p.errf("text is written in single quotes")
	default:
		return nil, p.errf("unexpected character %q", p.s[p.i:p.i+1])
	}
	return p.path(n)
}

func (p *parser) path(n Node) (Node, error) {
	for k := 0; ; k++ {
		if k > 1000 {
			return nil, p.errf("a path of more than 1000 steps")
		}
		save := p.i
		p.space()
		if p.i >= len(p.s) {
			p.i = save
			return n, nil
		}
		opt := false
		if p.s[p.i] == '?' {
			opt = true
			p.i++
			p.space()
		}
		if p.i < len(p.s) && p.s[p.i] == '.' {
			p.i++
			p.space()
			j := p.i
			for p.i < len(p.s) && propByte(p.s[p.i]) {
				p.i++
			}
			if j == p.i {
				return nil, p.errf("expected a property name after '.'")
			}
			name := p.s[j:p.i]
			n = &access{n, &literal{name, name}, true, opt}
			continue
		}
		if p.i < len(p.s) && p.s[p.i] == '[' {
			p.i++
			k, err := p.expr()
			if err != nil {
				return nil, err
			}
			p.space()
			if p.i >= len(p.s) || p.s[p.i] != ']' {
				return nil, p.errf("expected ']'")
			}
			p.i++
			n = &access{n, k, false, opt}
			continue
		}
		if opt {
			return nil, p.errf("expected '.' or '[' after '?'")
		}
		p.i = save
		return n, nil
	}
}

func (p *parser) str() (Node, error) {
	start := p.i
	p.i++
	var b strings.Builder
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == '\'' {
			if p.i+1 < len(p.s) && p.s[p.i+1] == '\'' {
				b.WriteByte('\'')
				p.i += 2
				continue
			}
			p.i++
			return &literal{b.String(), p.s[start:p.i]}, nil
		}
		b.WriteByte(c)
		p.i++
	}
	p.i = start
	return nil, p.errf("the text that starts here has no closing quote")
}

func (p *parser) number() (Node, error) {
	j := p.i
	if p.s[p.i] == '-' || p.s[p.i] == '+' {
		p.i++
	}
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c >= '0' && c <= '9' || c == '.' || c == 'e' || c == 'E' ||
			(c == '-' || c == '+') && (p.s[p.i-1] == 'e' || p.s[p.i-1] == 'E') {
			p.i++
			continue
		}
		break
	}
	t := p.s[j:p.i]
	v, ok := numberOf(strings.TrimPrefix(t, "+"))
	if !ok {
		p.i = j
		return nil, p.errf("%q is not a number", t)
	}
	return &literal{v, t}, nil
}

// Part is a piece of an interpolated text: text, or an expression.
type Part struct {
	Text string
	Expr Node
	Src  string // the expression as written
}

// Template is a parsed string of a definition.
type Template struct {
	Whole Node   // the string is one expression, "@…": its value keeps its type
	Src   string // the expression as written
	Parts []Part // else: the pieces of a text
}

// Static says whether the string has no expression, and its text.
func (t *Template) Static() (string, bool) {
	if t.Whole != nil {
		return "", false
	}
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Expr != nil {
			return "", false
		}
		b.WriteString(p.Text)
	}
	return b.String(), true
}

// Nodes lists the expressions of the template.
func (t *Template) Nodes() []Node {
	if t.Whole != nil {
		return []Node{t.Whole}
	}
	var out []Node
	for _, p := range t.Parts {
		if p.Expr != nil {
			out = append(out, p.Expr)
		}
	}
	return out
}

// ParseTemplate reads a string of a definition: "@expr", text with "@{expr}" inside, "@@" for a leading @ and
// "@@{" for a literal "@{".
func ParseTemplate(s string) (*Template, error) {
	if len(s) > 1 && strings.HasPrefix(s, "@") && !strings.HasPrefix(s, "@@") && !strings.HasPrefix(s, "@{") {
		if len(s) > MaxExpressionLength+1 {
			return nil, &SyntaxError{s[:100] + "…", 0, fmt.Sprintf("the expression has %d characters, the limit is %d", len(s)-1, MaxExpressionLength)}
		}
		n, err := Parse(s[1:])
		if err != nil {
			return nil, err
		}
		return &Template{Whole: n, Src: s[1:]}, nil
	}
	t := &Template{}
	var text strings.Builder
	i := 0
	if strings.HasPrefix(s, "@@") && !strings.HasPrefix(s, "@@{") {
		text.WriteByte('@')
		i = 2
	}
	for i < len(s) {
		k := strings.Index(s[i:], "@{")
		if k < 0 {
			text.WriteString(s[i:])
			break
		}
		k += i
		if k > i && s[k-1] == '@' { // @@{ is a literal @{
			text.WriteString(s[i : k-1])
			text.WriteString("@{")
			i = k + 2
			continue
		}
		text.WriteString(s[i:k])
		n, used, err := parsePrefix(s[k+2:])
		if err != nil {
			return nil, err
		}
		if used > MaxExpressionLength {
			return nil, &SyntaxError{s[k : k+100], k, fmt.Sprintf("the expression has %d characters, the limit is %d", used, MaxExpressionLength)}
		}
		end := k + 2 + used
		if end >= len(s) || s[end] != '}' {
			return nil, &SyntaxError{s, end, "expected '}' at the end of '@{'"}
		}
		if text.Len() > 0 {
			t.Parts = append(t.Parts, Part{Text: text.String()})
			text.Reset()
		}
		t.Parts = append(t.Parts, Part{Expr: n, Src: s[k+2 : end]})
		i = end + 1
	}
	if text.Len() > 0 || len(t.Parts) == 0 {
		t.Parts = append(t.Parts, Part{Text: text.String()})
	}
	return t, nil
}

// Call is a call inside an expression, as [Calls] lists it.
type Call struct {
	Name string   // as written
	Text []string // each argument that is a literal text, else ""
	Args int
}

// Calls lists every call of an expression, outermost first.
func Calls(n Node) []Call {
	var out []Call
	var walk func(Node)
	walk = func(n Node) {
		switch x := n.(type) {
		case *call:
			c := Call{Name: x.name, Args: len(x.args)}
			for _, a := range x.args {
				t := ""
				if l, ok := a.(*literal); ok {
					t, _ = l.v.(string)
				}
				c.Text = append(c.Text, t)
			}
			out = append(out, c)
			for _, a := range x.args {
				walk(a)
			}
		case *access:
			walk(x.base)
			walk(x.key)
		}
	}
	walk(n)
	return out
}

// Known says whether the language has a function of this name, in any case.
func Known(name string) bool { return lookup(name) != nil }

// Functions lists the names of all functions, sorted.
func Functions() []string {
	var out []string
	for i := range functions {
		out = append(out, functions[i].name)
	}
	slices.Sort(out)
	return out
}
