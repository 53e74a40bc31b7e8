package syntax

import (
	"math"
	"picket/kql/value"
	"sort"
	"strconv"
	"strings"
)

// Print writes a tree (a *Document, statement, expression or operator) as KQL in the usual layout: one operator a
// line, sub-queries indented. The text parses to the same tree. Comments are not part of the tree; see [Format].
func Print(n Node) string {
	p := &printer{}
	p.node(n)
	return p.b.String()
}

// Format lays a text out anew and keeps its comments: a comment stands before the statement or operator that follows
// it. A text with syntax errors comes back unchanged, with the errors.
func Format(text string) (string, ErrorList) {
	doc, errs := Parse(text)
	if len(errs) > 0 {
		return text, errs
	}
	l := lexer{src: text, comments: true}
	l.run()
	p := &printer{src: text, comments: l.found}
	if len(doc.Statements) == 1 {
		if _, ok := doc.Statements[0].(*CommandStmt); ok {
			return text, nil
		}
	}
	p.document(doc)
	return p.b.String(), nil
}

// maxIndent keeps the text of deeply nested queries small.
const maxIndent = 32

type printer struct {
	b        strings.Builder
	indent   int
	src      string
	comments []Span
}

func (p *printer) str(parts ...string) {
	for _, s := range parts {
		p.b.WriteString(s)
	}
}

func (p *printer) nl() {
	p.b.WriteByte('\n')
	for range min(p.indent, maxIndent) {
		p.b.WriteString("    ")
	}
}

// flush writes the comments that stand before offset, each on its row. The printer is at the beginning of a row.
func (p *printer) flush(offset int) {
	for len(p.comments) > 0 && p.comments[0].Start < offset {
		c := p.comments[0]
		p.comments = p.comments[1:]
		p.str(strings.TrimRight(p.src[c.Start:c.End], " \t\r"))
		p.nl()
	}
}

// hasComment says whether a comment stands inside s.
func (p *printer) hasComment(s Span) bool {
	i := sort.Search(len(p.comments), func(i int) bool { return p.comments[i].Start >= s.Start })
	return i < len(p.comments) && p.comments[i].Start < s.End
}

func (p *printer) node(n Node) {
	switch n := n.(type) {
	case *Document:
		p.document(n)
	case Statement:
		p.statement(n)
	case Operator:
		p.operator(n)
	case Expr:
		p.expr(n)
	case *FuncBody:
		p.body(n)
	case *Schema:
		p.schema(n)
	case *Param:
		p.param(n)
	case *TypedName:
		p.typedName(n)
	case *Name:
		p.name(n)
	}
}

func (p *printer) document(d *Document) {
	for _, x := range d.Directives {
		p.flush(x.Start)
		p.str("#", x.Text, "\n")
	}
	for i, s := range d.Statements {
		p.flush(s.Range().Start)
		p.statement(s)
		if i < len(d.Statements)-1 {
			p.str(";\n")
		}
	}
	if len(p.comments) > 0 {
		if len(d.Statements) > 0 {
			p.str("\n")
		}
		p.flush(math.MaxInt)
	}
}

func (p *printer) statement(s Statement) {
	switch s := s.(type) {
	case *LetStmt:
		p.str("let ")
		p.name(s.Name)
		p.str(" = ")
		p.expr(s.Value)
	case *SetStmt:
		p.str("set ")
		p.name(s.Name)
		if s.Value != nil {
			p.str(" = ")
			p.expr(s.Value)
		}
	case *QueryParametersStmt:
		p.str("declare query_parameters")
		p.funcParams(s.Params)
	case *PatternStmt:
		p.pattern(s)
	case *RestrictStmt:
		p.str("restrict access to (")
		p.list(s.Entities)
		p.str(")")
		p.with(s.With)
	case *AliasStmt:
		p.str("alias database ")
		p.name(s.Name)
		p.str(" = ")
		p.expr(s.Value)
	case *CommandStmt:
		p.str(s.Text)
	case *ExprStmt:
		p.expr(s.X)
	}
}

func (p *printer) pattern(s *PatternStmt) {
	p.str("declare pattern ")
	p.name(s.Name)
	if s.Decl == nil {
		return
	}
	p.str(" = (")
	for i, n := range s.Decl.Params {
		p.comma(i)
		p.typedName(n)
	}
	p.str(")")
	if s.Decl.Path != nil {
		p.str("[")
		p.typedName(s.Decl.Path)
		p.str("]")
	}
	p.str(" {")
	p.indent++
	for _, m := range s.Decl.Matches {
		p.nl()
		p.flush(m.Start)
		p.str("(")
		p.list(m.Args)
		p.str(")")
		if m.Path != nil {
			p.str(".[")
			p.expr(m.Path)
			p.str("]")
		}
		p.str(" = ")
		p.body(m.Body)
		p.str(";")
	}
	p.indent--
	p.nl()
	p.str("}")
}

func (p *printer) comma(i int) {
	if i > 0 {
		p.str(", ")
	}
}

func (p *printer) list(xs []Expr) {
	for i, x := range xs {
		p.comma(i)
		p.expr(x)
	}
}

// bareName says whether s lexes as one word that may be a name anywhere, or (word) as any one word.
func bareName(s string, word bool) bool {
	if s == "" || !isWord(s[0]) && s[0] != '$' {
		return false
	}
	l := lexer{src: s}
	l.run()
	if len(l.toks) != 2 || l.toks[0].end != len(s) {
		return false
	}
	t := &l.toks[0]
	return t.isName() || word && t.kind == tKeyword
}

func quoteName(s string) string {
	q := Quote(s)
	if !strings.ContainsAny(s, `'"`) {
		q = "'" + q[1:len(q)-1] + "'"
	}
	return "[" + q + "]"
}

func (p *printer) name(n *Name) {
	switch {
	case bareName(n.Text, false):
		p.str(n.Text)
	case bracedName(n.Text):
		p.str(n.Text)
	default:
		p.str(quoteName(n.Text))
	}
}

// bracedName says whether s reads {word}, a client parameter.
func bracedName(s string) bool {
	if len(s) < 3 || s[0] != '{' {
		return false
	}
	l := lexer{src: s}
	l.run()
	q := &parser{src: s, toks: l.toks}
	return q.scanBraced(0) == len(l.toks)-1
}

func (p *printer) nameRef(r *NameRef) {
	switch {
	case r.Braced:
		p.str("{", r.Name, "}")
	case !r.Quoted && (bareName(r.Name, true) || strings.HasPrefix(r.Name, "hint.")):
		p.str(r.Name)
	default:
		p.str(quoteName(r.Name))
	}
}

func (p *printer) typeRef(t *TypeRef) { p.str(t.Text) }

func (p *printer) typedName(n *TypedName) {
	p.name(n.Name)
	p.str(":")
	if n.Table == nil {
		p.typeRef(n.Type)
		return
	}
	p.str("(")
	for i, c := range n.Table.Columns {
		p.comma(i)
		p.typedName(c)
	}
	if n.Table.Any {
		p.comma(len(n.Table.Columns))
		p.str("*")
	}
	p.str(")")
}

func (p *printer) schema(s *Schema) {
	p.str("(")
	if s.Star {
		p.str("*")
	}
	for i, c := range s.Columns {
		if i > 0 || s.Star {
			p.str(", ")
		}
		p.typedName(c)
	}
	p.str(")")
}

func (p *printer) funcParams(list []*FuncParam) {
	p.str("(")
	for i, f := range list {
		p.comma(i)
		p.typedName(f.TypedName)
		if f.Default != nil {
			p.str(" = ")
			p.expr(f.Default)
		}
	}
	p.str(")")
}

func (p *printer) body(b *FuncBody) {
	p.str("{")
	p.indent++
	for _, s := range b.Statements {
		p.nl()
		p.flush(s.Range().Start)
		p.statement(s)
		p.str(";")
	}
	if b.Result != nil {
		p.nl()
		p.flush(b.Result.Range().Start)
		p.expr(b.Result)
	}
	p.indent--
	p.nl()
	p.str("}")
}

func (p *printer) param(q *Param) {
	p.str(q.Name.Text)
	if q.NoEquals {
		p.str(" ")
	} else {
		p.str("=")
	}
	p.expr(q.Value)
}

// params writes parameters, each with a blank before it.
func (p *printer) params(list []*Param) {
	for _, q := range list {
		p.str(" ")
		p.param(q)
	}
}

// with writes ` with (a=b, …)`, or nothing for nil.
func (p *printer) with(list []*Param) {
	if list == nil {
		return
	}
	p.str(" with (")
	p.paramList(list)
	p.str(")")
}

func (p *printer) paramList(list []*Param) {
	for i, q := range list {
		p.comma(i)
		name := q.Name.Text
		if !bareName(name, true) {
			name = quoteName(name)
		}
		p.str(name, "=")
		p.expr(q.Value)
	}
}

// literal writes a literal as it was written, or, for one made by hand, from its value.
func (p *printer) literal(l *Literal) {
	if l.Text != "" {
		p.str(l.Text)
		return
	}
	v := l.Value
	switch {
	case l.Undecoded || v.Null:
		inner := l.Inner
		if v.Null {
			inner = "null"
		}
		p.str(l.Type.String(), "(", inner, ")")
	case l.Type == value.String:
		p.str(Quote(v.S))
	case l.Type == value.Bool:
		p.str(strconv.FormatBool(v.I != 0))
	case l.Type == value.Int || l.Type == value.Long && v.I < 0:
		p.str(l.Type.String(), "(", strconv.FormatInt(v.I, 10), ")")
	case l.Type == value.Long:
		p.str(strconv.FormatInt(v.I, 10))
	case l.Type == value.Real:
		p.str("real(", strings.ToLower(strconv.FormatFloat(v.F, 'g', -1, 64)), ")")
	case l.Type == value.Decimal:
		p.str("decimal(", v.M.String(), ")")
	case l.Type == value.Timespan && v.I >= 0:
		p.str(strconv.FormatInt(v.I, 10), "ticks")
	case l.Type == value.GUID:
		const hex = "0123456789abcdef"
		p.str("guid(")
		for i, c := range v.G {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				p.str("-")
			}
			p.str(string([]byte{hex[c>>4], hex[c&15]}))
		}
		p.str(")")
	default:
		p.str(l.Type.String(), "(", l.Inner, ")")
	}
}
