package complete

import (
	"fmt"
	"picket/kql/bind"
	"picket/kql/help"
	"picket/kql/syntax"
	"strings"
)

// About is what stands at a place.
type About struct {
	Span syntax.Span
	Text string // markdown
}

// Hover tells what stands at an offset: the type of a column, the columns of a table, what a function or operator
// does. schema may be nil.
func Hover(text string, offset int, schema bind.Schema) (About, bool) {
	if schema == nil {
		schema = bind.Tables{}
	}
	if len(text) > maxText {
		return About{}, false
	}
	var tok *syntax.Token
	toks := syntax.Tokens(text)
	for i := range toks {
		if toks[i].Start <= offset && offset <= toks[i].End && toks[i].End > toks[i].Start {
			tok = &toks[i]
			if offset < toks[i].End {
				break
			}
		}
	}
	if tok == nil {
		return About{}, false
	}
	word := text[tok.Start:tok.End]
	about := About{Span: tok.Span}
	switch tok.Kind {
	case syntax.TokenComment, syntax.TokenString, syntax.TokenNumber, syntax.TokenPunctuation, syntax.TokenBad, syntax.TokenDirective, syntax.TokenLiteral:
		return About{}, false
	}
	p := placeAt(text, tok.Start, schema)
	if tok.Kind != syntax.TokenFunction {
		for _, c := range p.columns() {
			if c.Name == word && !p.path {
				about.Text = fmt.Sprintf("```kusto\n%s: %s\n```\ncolumn", c.Name, c.Type)
				return about, true
			}
		}
		if cols, ok := schema.Table(bind.Scope{}, word); ok && tok.Kind == syntax.TokenIdentifier && !p.path {
			var b strings.Builder
			fmt.Fprintf(&b, "```kusto\n%s (", word)
			for i, c := range cols {
				if i == 60 {
					fmt.Fprintf(&b, ", … %d more", len(cols)-i)
					break
				}
				if i > 0 {
					b.WriteString(", ")
				}
				b.WriteString(c.Name + ": " + c.Type.String())
			}
			b.WriteString(")\n```\ntable")
			about.Text = b.String()
			return about, true
		}
	}
	var parts []string
	for _, e := range help.Lookup(word) {
		operator := e.Kind == help.Operator || e.Kind == help.Infix
		if operator == (tok.Kind == syntax.TokenFunction) && len(help.Lookup(word)) > 1 {
			continue
		}
		parts = append(parts, e.Text(true))
	}
	if len(parts) == 0 {
		return About{}, false
	}
	about.Text = strings.Join(parts, "\n---\n")
	return about, true
}
