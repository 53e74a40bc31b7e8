package bind

import (
	"picket/kql/catalog"
	"picket/kql/syntax"
	"sort"
)

// commandPiece is a piece of a command that means something: a name to resolve, or a query inside.
type commandPiece struct {
	rule string // the grammar's rule
	at   int    // its first token
	end  int
}

// commandMatcher matches grammars of commands over the tokens of one text. Grammars are matched without going back,
// so an end at a place is all that there is to know of a piece of grammar there.
type commandMatcher struct {
	text  *syntax.CommandText
	ends  map[commandPlace]int
	start *catalog.Grammar // the dot
	depth int              // commands inside which this one stands
}

// maxCommandDepth limits commands inside commands (`.set T <| .show tables`).
const maxCommandDepth = 32

type commandPlace struct {
	rule string
	at   int
}

func newCommandMatcher(t *syntax.CommandText) *commandMatcher {
	return &commandMatcher{text: t, ends: map[commandPlace]int{}, start: &catalog.Grammar{Op: catalog.GrammarToken, Texts: []string{"."}}}
}

const noMatch = -1

// scan gives the end of g at a place, or noMatch.
func (m *commandMatcher) scan(g *catalog.Grammar, at int) int {
	switch g.Op {
	case catalog.GrammarToken:
		for _, s := range g.Texts {
			if end := m.text.Words(at, s); end > at {
				return end
			}
		}
		return noMatch
	case catalog.GrammarRule:
		k := commandPlace{g.Rule, at}
		end, ok := m.ends[k]
		if !ok {
			end = m.rule(g.Rule, at)
			m.ends[k] = end
		}
		return end
	case catalog.GrammarSeq:
		for _, k := range g.Kids {
			if at = m.scan(k, at); at < 0 {
				return noMatch
			}
		}
		return at
	case catalog.GrammarBest:
		_, end := m.best(g, at)
		return end
	case catalog.GrammarOpt:
		return max(at, m.scan(g.Kids[0], at))
	case catalog.GrammarUnless:
		if at == m.text.End() || m.scan(g.Kids[0], at) >= 0 {
			return noMatch
		}
		return m.scan(g.Kids[1], at)
	case catalog.GrammarRepeat:
		for n := 0; ; n++ {
			end := m.scan(g.Kids[0], at)
			if end <= at {
				if n < g.Min {
					return noMatch
				}
				return at
			}
			at = end
		}
	}
	return noMatch
}

// best gives the alternative of g that takes most, and its end.
func (m *commandMatcher) best(g *catalog.Grammar, at int) (*catalog.Grammar, int) {
	var best *catalog.Grammar
	end := noMatch
	for _, k := range g.Kids {
		if e := m.scan(k, at); e > end {
			best, end = k, e
		}
	}
	return best, end
}

// pieces adds what stands in g, which matches at a place, and gives its end.
func (m *commandMatcher) pieces(g *catalog.Grammar, at int, add func(commandPiece)) int {
	switch g.Op {
	case catalog.GrammarRule:
		end := m.scan(g, at)
		add(commandPiece{g.Rule, at, end})
		return end
	case catalog.GrammarSeq:
		for _, k := range g.Kids {
			at = m.pieces(k, at, add)
		}
		return at
	case catalog.GrammarBest:
		k, _ := m.best(g, at)
		return m.pieces(k, at, add)
	case catalog.GrammarOpt:
		if m.scan(g.Kids[0], at) >= 0 {
			return m.pieces(g.Kids[0], at, add)
		}
		return at
	case catalog.GrammarUnless:
		return m.pieces(g.Kids[1], at, add)
	case catalog.GrammarRepeat:
		for m.scan(g.Kids[0], at) > at {
			at = m.pieces(g.Kids[0], at, add)
		}
		return at
	}
	return m.scan(g, at)
}

// rule gives the end of a named piece at a place, or noMatch.
func (m *commandMatcher) rule(name string, at int) int {
	t, end := m.text, at
	switch name {
	case "NameDeclaration", "ColumnNameReference", "TableNameReference", "ExternalTableNameReference", "MaterializedViewNameReference",
		"FunctionNameReference", "EntityGroupNameReference", "DatabaseNameReference", "ClusterNameReference", "GraphModelNameReference":
		_, end = t.Name(at)
	case "QualifiedNameDeclaration", "DatabaseTableNameReference", "DatabaseTableColumnNameReference", "TableColumnNameReference",
		"DatabaseExternalTableNameReference", "DatabaseMaterializedViewNameReference", "DatabaseFunctionNameReference",
		"DatabaseEntityGroupNameReference", "GraphModelSnapshotNameReference":
		_, end = t.Name(at)
		for n := 0; end > at && t.Text(end) == "."; n++ {
			if n == 1 && name == "GraphModelSnapshotNameReference" {
				break
			}
			_, e := t.Name(end + 1)
			if end = e; t.Text(end) != "." {
				break
			}
		}
	case "WildcardedNameDeclaration":
		end = t.Wildcard(at)
	case "QualifiedWildcardedNameDeclaration":
		if end = t.Wildcard(at); end == at {
			_, end = t.Name(at)
			if end > at && t.Text(end) == "." {
				e := t.Wildcard(end + 1)
				if e == end+1 {
					_, e = t.Name(end + 1)
				}
				if e > end+1 {
					end = e
				}
			}
		}
	case "Value":
		end, _ = t.Literal(at)
	case "StringLiteral":
		end = t.String(at)
	case "BracketedStringLiteral":
		end = t.Bracketed(at)
	case "AnyGuidLiteralOrString":
		if end = t.GUID(at); end == at {
			end = t.String(at)
		}
	case "Type":
		end = t.Type(at)
	case "FunctionDeclaration":
		_, end, _ = t.Function(at)
	case "FunctionBody":
		_, end, _ = t.Body(at)
	case "QueryInput":
		if t.Text(at) == "." {
			if m.depth == maxCommandDepth {
				return t.End() // an error, see binder.matched
			}
			m.depth++
			defer func() { m.depth-- }()
			return m.command(at).end
		}
		_, end, _ = t.Query(at)
		return end
	case "ScriptInput":
		for t.Text(end) == "." && m.depth < maxCommandDepth {
			end += m.part(end).command(0).end
			if t.Text(end) == ";" {
				end++
			}
		}
	case "InputText":
		return t.End()
	case "BracketedInputText":
		for end < t.End() && t.Text(end) != "]" {
			end++
		}
		return end
	}
	if end == at {
		return noMatch
	}
	return end
}

// part makes a matcher for one command of a script, at a place: the next command begins with a dot on a new row.
func (m *commandMatcher) part(at int) *commandMatcher {
	end := at + 1
	for end < m.text.End() && !(m.text.Text(end) == "." && m.text.FirstInRow(end)) {
		end++
	}
	p := newCommandMatcher(m.text.Part(at, end))
	p.depth = m.depth + 1
	return p
}

// matchedCommand is a command with the operators behind it.
type matchedCommand struct {
	cmd     *catalog.Command // nil when the command isn't known, or isn't whole
	pieces  []commandPiece
	wants   []string // what is missing where the command breaks off
	broken  bool     // it breaks off at behind
	skipped bool     // tokens that belong to nothing stand behind it
	at      int
	behind  int // the end of what was understood
	end     int // the end with the operators
	pipes   []int
}

// command matches the command at a place, the dot included, and the operators behind it.
func (m *commandMatcher) command(at int) *matchedCommand {
	c := m.head(at)
	for c.end < m.text.End() && m.text.Text(c.end) == "|" {
		_, end, _ := m.text.Pipe(c.end, &syntax.NameRef{Span: m.text.Span(at)})
		if end <= c.end {
			break
		}
		c.pipes = append(c.pipes, c.end)
		c.end = end
	}
	return c
}

// head matches a command without operators: the known command that takes most tokens, or, where one would take
// more if the text were right, as much of it as there is.
func (m *commandMatcher) head(at int) *matchedCommand {
	c := &matchedCommand{at: at, behind: at + 1}
	all := catalog.Commands()
	end := noMatch
	for i := range all {
		if e := m.scan(all[i].Grammar, at+1); e > end {
			c.cmd, end = &all[i], e
		}
	}
	if end >= 0 {
		c.behind = end
	}
	var p *way
	if c.behind < m.text.End() { // else nothing can take more
		p = m.partial(all, at)
	}
	if p != nil && p.at > 1 && at+p.at > c.behind {
		c.cmd, c.behind, c.broken, c.wants = nil, at+p.at, p.err, nil
		pos := at
		for _, s := range p.steps() {
			if s.err {
				c.wants = wanted(s.g, nil)
				continue
			}
			pos = m.pieces(s.g, pos, func(x commandPiece) { c.pieces = append(c.pieces, x) })
		}
		if p.err && len(c.wants) == 0 {
			c.wants = []string{"another word"}
		}
	} else if c.cmd != nil {
		m.pieces(c.cmd.Grammar, at+1, func(x commandPiece) { c.pieces = append(c.pieces, x) })
	}
	// what follows, up to a bar or semicolon, belongs to nothing
	for c.end = c.behind; c.end < m.text.End(); c.end++ {
		if s := m.text.Text(c.end); s == "|" || s == "<|" || s == ";" {
			break
		}
		c.skipped = true
	}
	return c
}

// wanted names what g may begin with.
func wanted(g *catalog.Grammar, out []string) []string {
	switch g.Op {
	case catalog.GrammarToken:
		out = append(out, g.Texts...)
	case catalog.GrammarRule:
		out = append(out, ruleName(g.Rule))
	case catalog.GrammarSeq:
		for _, k := range g.Kids {
			out = wanted(k, out)
			if k.Op != catalog.GrammarOpt && (k.Op != catalog.GrammarRepeat || k.Min > 0) {
				break
			}
		}
	case catalog.GrammarUnless:
		return wanted(g.Kids[1], out)
	default:
		for _, k := range g.Kids {
			out = wanted(k, out)
		}
	}
	sort.Strings(out)
	n := 0
	for i, s := range out {
		if i == 0 || s != out[i-1] {
			out[n] = s
			n++
		}
	}
	return out[:n]
}

// ruleName is how messages call a rule.
func ruleName(rule string) string {
	switch rule {
	case "NameDeclaration", "QualifiedNameDeclaration", "WildcardedNameDeclaration", "QualifiedWildcardedNameDeclaration":
		return "a name"
	case "ColumnNameReference":
		return "a column"
	case "TableNameReference", "DatabaseTableNameReference":
		return "a table"
	case "TableColumnNameReference", "DatabaseTableColumnNameReference":
		return "a column, as table.column"
	case "ExternalTableNameReference", "DatabaseExternalTableNameReference":
		return "an external table"
	case "MaterializedViewNameReference", "DatabaseMaterializedViewNameReference":
		return "a materialized view"
	case "FunctionNameReference", "DatabaseFunctionNameReference":
		return "a function"
	case "EntityGroupNameReference", "DatabaseEntityGroupNameReference":
		return "an entity group"
	case "GraphModelNameReference", "GraphModelSnapshotNameReference":
		return "a graph model"
	case "DatabaseNameReference":
		return "a database"
	case "Value":
		return "a literal"
	case "StringLiteral", "BracketedStringLiteral":
		return "a string"
	case "AnyGuidLiteralOrString":
		return "a guid"
	case "Type":
		return "a type"
	case "FunctionDeclaration":
		return "the parameters of a function"
	case "FunctionBody":
		return "the body of a function"
	case "QueryInput":
		return "a query"
	case "ScriptInput":
		return "commands"
	}
	return "text"
}
