package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"strings"
)

// commandResults is the name that the statements behind a command know its result by.
const commandResults = "$command_results"

// command checks a management command and gives the columns of its result, as Microsoft's editor service knows
// them. Nothing here runs commands: without Options.Editor a command is refused.
func (b *binder) command(s *syntax.CommandStmt) {
	if !b.opt.Editor {
		b.failHint(s.Span, syntax.CodeNotSupported, "ask with a query, or manage picket with its page, its command line or its API", "management commands are not run by picket")
		return
	}
	t, errs := syntax.ReadCommand(b.text)
	b.take(errs)
	if t == nil {
		return
	}
	at := 0
	for at < t.End() && t.Span(at).Start < s.Start {
		at++ // directives
	}
	m := newCommandMatcher(t)
	c := m.command(at)
	op := b.matched(m, c)
	if op.kind == opTable {
		b.result(op, &syntax.NameRef{Span: s.Span})
	}
	if at = c.end; t.Text(at) == ";" {
		at++
	} else if at < t.End() {
		if list, _, _ := t.Query(at); len(list) > 0 {
			b.fail(b.missingAt(t, at), syntax.CodeExpected, "expected ; before %s", t.Text(at))
		}
	}
	if at == t.End() || t.Text(at) == ";" {
		return
	}
	known := op
	if known.kind != opTable {
		known = errOperand
	}
	y := &symbol{name: commandResults, op: known}
	if known.kind == opTable {
		y.sh = b.share(known.tab, commandResults, false)
	}
	b.local.add(y)
	list, _, errs := t.Query(at) // what can't be a statement is left alone, as Microsoft's service does
	b.take(errs)
	for _, s := range list {
		b.statement(s, true)
	}
}

// take reports errors that the parser found.
func (b *binder) take(errs syntax.ErrorList) {
	for _, e := range errs {
		b.failHint(syntax.Span{Start: e.Start, End: e.End}, e.Code, e.Suggestion, "%s", e.Msg)
	}
}

// matched binds a command with the operators behind it and gives its result.
func (b *binder) matched(m *commandMatcher, c *matchedCommand) operand {
	t := m.text
	dot := t.Span(c.at)
	if m.depth > maxCommandDepth {
		b.failHint(dot, syntax.CodeLimit, "run the inner commands by themselves", "commands stand inside each other more than %d deep", maxCommandDepth)
		return errOperand
	}
	if c.behind == c.at+1 && c.end == c.behind {
		b.fail(dot, syntax.CodeExpected, "a command is expected behind the dot")
		return errOperand
	}
	row := b.row
	b.row = nil
	for _, p := range c.pieces {
		b.commandPiece(m, p)
	}
	b.row = row
	if c.broken {
		b.fail(b.missingAt(t, c.behind), syntax.CodeExpected, "expected %s", oneOf(c.wants))
	}
	out := &table{} // no columns where the command isn't known
	if c.cmd != nil && !c.skipped {
		out.open = len(c.cmd.Columns) == 0
		for _, col := range c.cmd.Columns {
			out.cols = append(out.cols, b.newCol(col.Name, scalar(col.Type)))
		}
	}
	out.node = &plan.Values{Out: planCols(out.cols)}
	x := syntax.Expr(&syntax.NameRef{Span: syntax.Span{Start: dot.Start, End: t.Span(max(c.behind-1, c.at)).End}, Name: commandResults})
	op := tableOp(x, out)
	for _, at := range c.pipes {
		pipe, _, errs := t.Pipe(at, x)
		b.take(errs)
		if len(errs) > 0 {
			return errOperand
		}
		e := pipe.(*syntax.PipeExpr)
		b.count(e.Span)
		op = b.operator(e, op, e.Op)
		x = e
	}
	return op
}

// missingAt is where something is missing before the token at a place: over that token, or behind the one before
// when there is more than one blank between them.
func (b *binder) missingAt(t *syntax.CommandText, at int) syntax.Span {
	next, end := t.Span(at), t.Span(at-1).End
	if next.Start-end < 2 && !strings.ContainsAny(b.text[end:next.Start], "\r\n") {
		return next
	}
	return syntax.Span{Start: end, End: end}
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return "one of: " + strings.Join(words, ", ")
}

// commandPiece resolves the names and binds the queries of a command.
func (b *binder) commandPiece(m *commandMatcher, p commandPiece) {
	t := m.text
	switch p.rule {
	case "QueryInput":
		b.commandQuery(m, p)
	case "ScriptInput":
		for at := p.at; at < p.end && t.Text(at) == "."; {
			inner := m.part(at)
			c := inner.command(0)
			b.matched(inner, c)
			if at += c.end; t.Text(at) == ";" {
				at++
			}
		}
	case "FunctionDeclaration":
		l, _, errs := t.Function(p.at)
		b.take(errs)
		if l != nil {
			b.apart(func() { b.lambda(l, "") })
		}
	case "FunctionBody":
		body, _, errs := t.Body(p.at)
		b.take(errs)
		if body != nil {
			b.apart(func() { b.lambda(&syntax.Lambda{Span: body.Span, Body: body}, "") })
		}
	case "Value":
		_, errs := t.Literal(p.at)
		b.take(errs)
	default:
		if strings.HasSuffix(p.rule, "Reference") {
			b.commandName(m, p)
		}
	}
}

// apart binds something that sees nothing of the command around it.
func (b *binder) apart(f func()) {
	local, row, colN := b.local, b.row, b.colN
	b.local, b.row, b.colN = &scope{}, nil, 0
	f()
	b.local, b.row, b.colN = local, row, colN
}

func (b *binder) commandQuery(m *commandMatcher, p commandPiece) {
	if m.text.Text(p.at) == "." {
		m.depth++
		b.apart(func() { b.matched(m, m.command(p.at)) })
		m.depth--
		return
	}
	list, _, errs := m.text.Query(p.at)
	b.take(errs)
	b.apart(func() {
		for _, s := range list {
			b.statement(s, false)
		}
	})
}

// entity is a kind of thing that a name in a command may mean.
type entity uint16

const (
	entTable entity = 1 << iota
	entColumn
	entDatabase
	entFunction
	entOther // external tables, materialized views, entity groups, graphs: picket has none
)

// commandEntities tells what the first name of a reference may mean, and what the names behind its dots.
func commandEntities(rule string) (first, rest entity) {
	switch rule {
	case "ColumnNameReference":
		return entColumn, 0
	case "TableNameReference":
		return entTable, 0
	case "FunctionNameReference":
		return entFunction, 0
	case "DatabaseNameReference":
		return entDatabase, 0
	case "DatabaseTableNameReference":
		return entDatabase | entTable, entTable
	case "DatabaseTableColumnNameReference":
		return entDatabase | entTable | entColumn, entDatabase | entTable | entColumn
	case "TableColumnNameReference":
		return entTable | entColumn, entTable | entColumn
	case "DatabaseFunctionNameReference":
		return entDatabase | entFunction, entFunction
	case "DatabaseExternalTableNameReference", "DatabaseMaterializedViewNameReference", "DatabaseEntityGroupNameReference":
		return entDatabase | entOther, entOther
	}
	return entOther, entOther
}

// commandName resolves a name, or names with dots between them. A table that it finds is the one whose columns the
// names behind it mean.
func (b *binder) commandName(m *commandMatcher, p commandPiece) {
	kinds, rest := commandEntities(p.rule)
	var path operand // what stands before the last dot
	for at := p.at; at < p.end; {
		name, end := m.text.Name(at)
		if end == at {
			b.fail(b.missingAt(m.text, at), syntax.CodeExpected, "expected a name")
			return
		}
		if name == "" {
			return // names nothing; Microsoft's service lets it be
		}
		span := syntax.Span{Start: m.text.Span(at).Start, End: m.text.Span(end - 1).End}
		op, ok := b.commandEntity(name, span, kinds, path)
		if !ok {
			hint := ""
			if kinds == entTable && len(b.errs) < maxErrors {
				hint = b.near(name, nearTables)
			}
			b.failHint(span, "SEM0100", hint, "the name %s does not refer to any known %s", quoteName(name), kinds)
			return
		}
		if op.kind == opTable {
			b.row = op.tab
		}
		if end >= p.end || m.text.Text(end) != "." {
			return
		}
		path, kinds, at = op, rest, end+1
		if at >= p.end {
			b.fail(b.missingAt(m.text, at), syntax.CodeExpected, "expected a name")
		}
	}
}

// commandEntity finds what a name means, in the database or table before it.
func (b *binder) commandEntity(name string, at syntax.Span, kinds entity, path operand) (operand, bool) {
	db, free := b.db, path.kind == opErr
	if path.kind == opDatabase {
		db = path.scopes[0]
	}
	if path.kind == opTable || free && b.row != nil {
		t := b.row
		if path.kind == opTable {
			t = path.tab
		}
		if kinds&entColumn != 0 {
			if c := t.find(name); c != nil {
				return b.columnOp(&syntax.NameRef{Span: at, Name: name}, c), true
			}
		}
		if path.kind == opTable {
			return operand{}, false
		}
	}
	if kinds&entFunction != 0 {
		if _, ok := b.schema.Function(db, name); ok {
			return operand{kind: opFunc}, true
		}
	}
	if kinds&entTable != 0 {
		if t := b.scan(db, name, at); t != nil {
			return operand{kind: opTable, tab: t}, true
		}
	}
	if kinds&entDatabase != 0 && free {
		if s := (Scope{Cluster: b.db.Cluster, Database: name}); b.schema.Known(s) {
			return operand{kind: opDatabase, scopes: []Scope{s}}, true
		}
	}
	return operand{}, false
}

// String names the kinds for messages.
func (e entity) String() string {
	var out []string
	for _, k := range [...]struct {
		e    entity
		name string
	}{{entColumn, "column"}, {entTable, "table"}, {entFunction, "function"}, {entDatabase, "database"}, {entOther, "entity of this kind"}} {
		if e&k.e != 0 {
			out = append(out, k.name)
		}
	}
	return strings.Join(out, " or ")
}
