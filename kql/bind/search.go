package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// searchScope is the predicate of a search or find at hand.
type searchScope struct {
	caseSensitive bool
	refs          map[string]bool // columns named in the predicate
	star          bool            // it looks at all columns
}

// searchTables gives the tables that search and find look at: those listed, or all.
func (b *binder) searchTables(in []syntax.Expr, at syntax.Span) []*table {
	var tabs []*table
	if in != nil {
		row := b.row
		b.row = nil
		for _, e := range in {
			if _, ok := e.(*syntax.Star); ok {
				tabs = append(tabs, b.searchTables(nil, at)...)
				continue
			}
			op := b.exprIn(e, tableContext)
			switch op.kind {
			case opGroup:
				tabs = append(tabs, op.tabs...)
			case opErr:
			default:
				tabs = append(tabs, b.wantTable(&op, e))
			}
		}
		b.row = row
		return tabs
	}
	for _, n := range b.schema.Tables(b.db) {
		if t := b.scan(b.db, n, at); t != nil {
			tabs = append(tabs, t)
		}
	}
	for _, y := range b.views() {
		if v := b.symbolOp(&syntax.NameRef{Span: at, Name: y.name}, y); v.kind == opTable {
			v.tab.name = y.name
			tabs = append(tabs, v.tab)
		}
	}
	return tabs
}

// searchOp looks for values in the columns of its input, or of tables.
func (b *binder) searchOp(in *table, x *syntax.SearchOp) *table {
	b.queryParams(x.Params, paramsSearch)
	s := &searchScope{caseSensitive: word(x.Params, "kind") == "case_sensitive", refs: map[string]bool{}}
	if in != nil && x.In == nil {
		pred := b.searchPredicate(in, x.Pred, s)
		out := b.filter(in, pred)
		return b.withTable(out, []*table{in})
	}
	if in != nil {
		b.fail(b.keyword(x), "SEM0175", "search in (…) must be the first operator of the query")
	}
	tabs := b.searchTables(x.In, x.Span)
	var legs []*table
	if len(tabs) == 0 {
		empty := &table{node: &plan.Values{}}
		b.searchPredicate(empty, x.Pred, s)
		return b.withTable(empty, nil)
	}
	merged := b.mergedScope(tabs)
	b.searchPredicate(merged, x.Pred, s)
	for _, t := range tabs {
		if t.missing {
			legs = append(legs, t)
			continue
		}
		failed := b.failed
		b.quiet++
		leg := *t
		leg.index = nil
		leg.open, leg.rest = false, merged
		pred := b.searchPredicate(&leg, x.Pred, s)
		b.quiet--
		b.failed = failed
		f := b.filter(t, pred)
		f.name = t.name
		legs = append(legs, f)
	}
	return b.unionLabelled(legs, "$table", x.Pred)
}

// mergedScope is the columns of all tables, for checking a predicate once.
func (b *binder) mergedScope(tabs []*table) *table {
	m := &table{node: &plan.Values{}}
	var all []*column
	for _, t := range tabs {
		all = append(all, t.cols...)
		m.open = m.open || t.open
	}
	for _, u := range b.unify(all) {
		m.cols = append(m.cols, u.col)
	}
	return m
}

// withTable puts the $table column first.
func (b *binder) withTable(t *table, from []*table) *table {
	name := ""
	if len(from) == 1 {
		name = from[0].name
	}
	if name == "" {
		name = "search_arg0"
	}
	c := b.newCol("$table", tString)
	p := b.newProjection()
	p.cols, p.exprs = append(p.cols, c), append(p.exprs, plan.Str(name))
	for _, c := range t.cols {
		p.cols = append(p.cols, c)
		p.exprs = append(p.exprs, b.ref(c, plan.Span{}))
	}
	return b.projected(t, p)
}

// unionLabelled unions tables with their names in the first column.
func (b *binder) unionLabelled(legs []*table, column string, at syntax.Expr) *table {
	src := &syntax.Param{Name: &syntax.Name{Text: "withsource"}, Value: &syntax.NameRef{Name: column}}
	for i, t := range legs {
		if t.name == "" {
			t.name = "search_arg" + itoa(i)
		}
	}
	return b.unionTables(legs, src, "")
}

// searchPredicate binds a predicate in which a bare text means: some column has it.
func (b *binder) searchPredicate(t *table, x syntax.Expr, s *searchScope) plan.Expr {
	old := b.search
	b.search = s
	var e plan.Expr
	b.inRow(t, func() { e = b.searchTerm(x) })
	b.search = old
	return e
}

func (b *binder) searchTerm(x syntax.Expr) plan.Expr {
	switch x := x.(type) {
	case *syntax.ParenExpr:
		return b.searchTerm(x.X)
	case *syntax.Star:
		b.search.star = true
		return plan.Bool(true)
	case *syntax.BinaryExpr:
		if x.Op == syntax.OpAnd || x.Op == syntax.OpOr {
			l, r := b.searchTerm(x.X), b.searchTerm(x.Y)
			return b.call(string(x.Op), value.Bool, span(x), l, r)
		}
	case *syntax.Literal, *syntax.NameRef:
		op := b.expr(x)
		if n, ok := x.(*syntax.NameRef); ok && op.col != nil {
			b.search.refs[n.Name] = true
		}
		if op.kind == opScalar && op.t.is(value.String) && op.isConst {
			b.search.star = true
			return b.anyColumn("Has", op.expr(), span(x))
		}
		b.wantExact(&op, x, tBool)
		return op.expr()
	}
	b.noteRefs(x)
	op := b.expr(x)
	b.wantExact(&op, x, tBool)
	return op.expr()
}

// noteRefs remembers the columns that a predicate names.
func (b *binder) noteRefs(x syntax.Expr) {
	syntax.Walk(x, func(n syntax.Node) bool {
		if r, ok := n.(*syntax.NameRef); ok && b.row != nil && b.row.find(r.Name) != nil {
			b.search.refs[r.Name] = true
		}
		return true
	})
}

// starPredicate binds * op value: some column fulfils it.
func (b *binder) starPredicate(x *syntax.BinaryExpr, name string, r arg) operand {
	if b.search != nil {
		b.search.star = true
	}
	star := arg{operand: operand{kind: opScalar, t: tDynamic, e: nullExpr(), src: x.X}, x: x.X, star: true}
	op := b.operatorCall(name, []arg{star, r}, x.OpSpan, x, true)
	if op.t.isErr() {
		return op
	}
	// a negated operator holds when no column fulfils the plain one
	plain, negated := name, true
	switch {
	case name == "NotEqual":
		plain = "Equal"
	case name == "BangTilde":
		plain = "EqualTilde"
	case strings.HasPrefix(name, "Not"):
		plain = name[3:]
	default:
		negated = false
	}
	op.e = b.anyColumn(plain, r.expr(), span(x))
	if negated {
		op.e = b.call("not", value.Bool, span(x), op.e)
	}
	op.val = nil
	return op
}

// anyColumn is: op(c1, v) or op(c2, v) …, over the columns of the row as text.
func (b *binder) anyColumn(name string, v plan.Expr, at plan.Span) plan.Expr {
	switch name {
	case "Search":
		name = "Has"
	}
	if b.search != nil && b.search.caseSensitive {
		switch name {
		case "Has", "Contains", "StartsWith", "EndsWith", "HasPrefix", "HasSuffix":
			name += "Cs"
		}
	}
	if k := constValue(v); k != nil && k.Type == value.String && name == "Has" || name == "HasCs" {
		if k != nil && strings.Contains(k.S, "*") {
			return b.wildcardText(k.S, at)
		}
	}
	var out plan.Expr
	for _, c := range b.row.cols {
		if c.ghost {
			continue
		}
		var e plan.Expr
		switch {
		case c.Type == value.String, c.Type == value.Dynamic && name != "Equal":
			e = b.call(name, value.Bool, at, b.ref(c, at), v)
		case v.Type() == c.Type:
			e = b.call(name, value.Bool, at, b.ref(c, at), v)
		default:
			e = b.call(name, value.Bool, at, b.call("tostring", value.String, at, b.ref(c, at)), v)
		}
		if out == nil {
			out = e
		} else {
			out = b.call("Or", value.Bool, at, out, e)
		}
	}
	if out == nil {
		return plan.Bool(false)
	}
	return out
}

// wildcardText searches for a text with asterisks.
func (b *binder) wildcardText(s string, at plan.Span) plan.Expr {
	if strings.Trim(s, "*") == "" {
		return plan.Bool(true)
	}
	inner := strings.Trim(s, "*")
	if !strings.Contains(inner, "*") {
		name := "Has"
		switch {
		case strings.HasPrefix(s, "*") && strings.HasSuffix(s, "*"):
			name = "Contains"
		case strings.HasSuffix(s, "*"):
			name = "HasPrefix"
		case strings.HasPrefix(s, "*"):
			name = "HasSuffix"
		}
		return b.anyColumn(name, plan.Str(inner), at)
	}
	pat := "(?i)"
	if b.search != nil && b.search.caseSensitive {
		pat = ""
	}
	for i, p := range strings.Split(inner, "*") {
		if i > 0 {
			pat += ".*"
		}
		pat += quoteRegex(p)
	}
	return b.anyColumn("MatchRegex", plan.Str(pat), at)
}

func quoteRegex(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
