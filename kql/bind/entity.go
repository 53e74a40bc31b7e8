package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// lookupCall binds table(…), database(…), cluster(…), workspace(…) and their relatives. in is the database or
// cluster before the dot, or nil.
func (b *binder) lookupCall(x *syntax.Call, in *operand, ctx context) operand {
	name := x.Name.Name
	var text *string
	var args []arg
	if len(x.Args) > 0 {
		args = b.bindArgs(x.Args, scopeNormal)
		if v := args[0].val; v == nil {
			if k := constValue(args[0].expr()); k != nil {
				args[0].val = k
			}
		}
		if v := args[0].val; v != nil && v.Type == value.String {
			text = &v.S
		}
	}
	if f, ok := catalog.LookupFunction(name); ok && (len(args) < f.MinArgs() || len(args) > f.MaxArgs()) && !(name == "database" && len(args) == 0) {
		b.fail(x.Name.Span, "SEM0118", "the function %s takes %s, not %d", quoteName(name), plural(f.MaxArgs(), "argument"), len(args))
		return b.unknownEntity(x, name)
	}
	if len(args) > 0 {
		if a := &args[0]; a.kind != opErr && !a.t.is(value.String) && !a.t.isUnknown() && !(a.t.isDynamic() && name == "table") {
			b.fail(a.at(), "SEM0107", "a value of type string is expected here, not %s", a.typeName())
			return b.unknownEntity(x, name)
		}
	}
	at := x.Name.Span
	if len(args) > 0 {
		at = args[0].at()
	}
	switch name {
	case "cluster":
		if text == nil {
			return operand{kind: opCluster, src: x, scopes: []Scope{{Cluster: "?"}}}
		}
		return operand{kind: opCluster, src: x, scopes: []Scope{{Cluster: *text}}}
	case "database":
		if len(args) == 0 {
			return operand{kind: opDatabase, src: x, scopes: []Scope{b.db}}
		}
		s := Scope{}
		if in != nil && in.kind == opCluster {
			s.Cluster = in.scopes[0].Cluster
		}
		if text == nil {
			if b.checkingBody() {
				return operand{kind: opDatabase, src: x, scopes: []Scope{{Cluster: "?", Database: "?"}}, isConst: true}
			}
			b.fail(at, "SEM0129", "the name of the database must be a constant")
			return errAt(x)
		}
		s.Database = *text
		if strings.Contains(*text, "*") {
			return operand{kind: opDatabase, src: x, scopes: b.databases(s)}
		}
		if a, ok := b.aliases[*text]; ok && s.Cluster == "" {
			s = a
		}
		if !b.known(s) {
			if !b.fuzzy && !(b.opt.Editor && s.Cluster != "") {
				b.fail(at, "SEM0208", "the name %s does not refer to any known database", quoteName(s.Database))
			}
			return operand{kind: opDatabase, src: x, scopes: []Scope{s}, isConst: true}
		}
		return operand{kind: opDatabase, src: x, scopes: []Scope{s}}
	case "workspace", "app", "resource":
		if text == nil {
			b.fail(at, "SEM0129", "the name of the %s must be a constant", name)
			return errAt(x)
		}
		s := Scope{Database: *text}
		if !b.known(s) {
			if !b.fuzzy {
				b.fail(at, "SEM0208", "the name %s does not refer to any known workspace", quoteName(*text))
			}
			return operand{kind: opDatabase, src: x, scopes: []Scope{s}, isConst: true}
		}
		return operand{kind: opDatabase, src: x, scopes: []Scope{s}}
	case "table":
		return b.tableFunction(x, in, args, text, at)
	case "graph":
		return b.storedGraph(x, args, at)
	}
	what := map[string]string{"external_table": "external table", "materialized_view": "materialized view", "stored_query_result": "stored query result", "entity_group": "entity group"}[name]
	code := map[string]string{"external_table": "SEM0209", "materialized_view": "SEM0210", "stored_query_result": "SEM0248", "entity_group": "SEM0247"}[name]
	if text != nil {
		if name != "entity_group" {
			s := b.db
			if in != nil && len(in.scopes) > 0 {
				s = in.scopes[0]
			}
			if t := b.scan(s, *text, at); t != nil {
				return tableOp(x, t)
			}
		}
		b.fail(at, code, "the name %s does not refer to any known %s", quoteName(*text), what)
	} else if len(args) > 0 && args[0].kind != opErr {
		b.fail(at, "SEM0129", "the name of the %s must be a constant", what)
	}
	return b.unknownEntity(x, name)
}

// databases lists the databases that match a name with asterisks: those that the schema lists, if it can, else
// the one at hand.
func (b *binder) databases(s Scope) []Scope {
	l, ok := b.schema.(interface{ Databases(cluster string) []string })
	if !ok {
		return []Scope{b.db}
	}
	var out []Scope
	for _, n := range l.Databases(s.Cluster) {
		if wildcardMatch(s.Database, n) {
			out = append(out, Scope{Cluster: s.Cluster, Database: n})
		}
	}
	return out
}

func (b *binder) unknownEntity(x *syntax.Call, name string) operand {
	switch name {
	case "table", "external_table", "materialized_view", "stored_query_result":
		return tableOp(x, b.openTable(""))
	}
	return errAt(x)
}

// known reports whether a database may be named. A database without a cluster that is the one at hand is known.
func (b *binder) known(s Scope) bool { return s == b.db || b.schema.Known(s) }

// tableFunction binds table("name"): a let, a view, a table, or a pattern of tables.
func (b *binder) tableFunction(x *syntax.Call, in *operand, args []arg, text *string, at syntax.Span) operand {
	if text == nil {
		if len(args) > 0 && args[0].kind != opErr && !b.checkingBody() {
			b.fail(at, "SEM0129", "the name of the table must be a constant")
		}
		t := b.openTable("")
		t.missing = false
		return tableOp(x, t)
	}
	name := *text
	if in == nil && !strings.Contains(name, "*") {
		if y := b.local.find(name); y != nil {
			switch {
			case y.sh != nil:
				return tableOp(x, b.use(y.sh))
			case y.op.kind == opFunc && y.op.fn.view && y.op.fn.minArgs() == 0:
				return b.expand(y.op.fn, nil, x, x.Name.Span)
			}
		}
	}
	scopes := []Scope{b.db}
	if in != nil && len(in.scopes) > 0 {
		scopes = in.scopes
	}
	var tabs []*table
	for _, s := range scopes {
		if strings.Contains(name, "*") {
			for _, n := range b.schema.Tables(s) {
				if wildcardMatch(name, n) {
					if t := b.scan(s, n, at); t != nil {
						tabs = append(tabs, t)
					}
				}
			}
			continue
		}
		if t := b.scan(s, name, at); t != nil {
			tabs = append(tabs, t)
			continue
		}
		if f, ok := b.savedFunction(s, name); ok && f.minArgs() == 0 && !b.insideOf(name) {
			return b.expand(f, nil, x, x.Name.Span)
		}
	}
	switch len(tabs) {
	case 0:
		if !b.fuzzy {
			b.failHint(at, "SEM0100", b.near(name, nearTables), "the name %s does not refer to any known table", quoteName(name))
		}
		return tableOp(x, b.openTable(name))
	case 1:
		return tableOp(x, tabs[0])
	}
	return operand{kind: opGroup, src: x, tabs: tabs}
}

// checkingBody reports whether a body is bound only to find its mistakes: its parameters have no values.
func (b *binder) checkingBody() bool { return b.checking > 0 }

// entityMember binds what follows the dot after a database, cluster or entity group.
func (b *binder) entityMember(x syntax.Expr, left operand, sel syntax.Expr, ctx context) operand {
	switch sel := sel.(type) {
	case *syntax.Call:
		switch sel.Name.Name {
		case "database", "table", "external_table", "materialized_view", "stored_query_result", "entity_group", "graph":
			op := b.lookupCall(sel, &left, ctx)
			op.src = x
			return op
		}
		if left.kind == opCluster {
			b.fail(sel.Name.Span, "SEM0211", "the name %s does not refer to any known function of a cluster", quoteName(sel.Name.Name))
			return errAt(x)
		}
		for _, s := range left.scopes {
			if f, ok := b.savedFunction(s, sel.Name.Name); ok {
				op := b.expandCall(f, sel)
				op.src = x
				return op
			}
		}
		b.bindArgs(sel.Args, scopeNormal)
		if left.isConst || b.fuzzy {
			return tableOp(x, b.openTable(sel.Name.Name))
		}
		b.failHint(sel.Name.Span, "SEM0211", b.near(sel.Name.Name, nearFunctions), "the name %s does not refer to any known function", quoteName(sel.Name.Name))
		return tableOp(x, b.openTable(sel.Name.Name))
	case *syntax.Star:
		return b.entityMember(x, left, &syntax.WildcardName{Span: sel.Span, Pattern: "*"}, ctx)
	case *syntax.WildcardName:
		op := operand{kind: opGroup, src: x}
		for _, s := range left.scopes {
			o := b.wildcard(sel, s, tableContext)
			switch o.kind {
			case opTable:
				op.tabs = append(op.tabs, o.tab)
			case opGroup:
				op.tabs = append(op.tabs, o.tabs...)
			default:
				return o
			}
		}
		if len(op.tabs) == 1 {
			return tableOp(x, op.tabs[0])
		}
		return op
	case *syntax.NameRef:
		if left.kind == opCluster {
			b.fail(sel.Span, "SEM0100", "the name %s does not refer to anything in a cluster; use .database(…)", quoteName(sel.Name))
			return errAt(x)
		}
		var tabs []*table
		for _, s := range left.scopes {
			if f, ok := b.savedFunction(s, sel.Name); ok && f.minArgs() == 0 && !b.insideOf(sel.Name) {
				op := b.expand(f, nil, x, sel.Span)
				return op
			}
			if t := b.scan(s, sel.Name, sel.Span); t != nil {
				tabs = append(tabs, t)
			}
		}
		switch {
		case len(tabs) == 1:
			return tableOp(x, tabs[0])
		case len(tabs) > 1:
			return operand{kind: opGroup, src: x, tabs: tabs}
		case left.isConst || b.fuzzy: // the database is unknown: that was the error
			return tableOp(x, b.openTable(sel.Name))
		}
		b.failHint(sel.Span, "SEM0100", b.near(sel.Name, nearTables), "the name %s does not refer to any known table, tabular variable or function", quoteName(sel.Name))
		return tableOp(x, b.openTable(sel.Name))
	}
	b.fail(sel.Range(), "SEM0100", "a table or function is expected after the dot")
	return errAt(x)
}

// entityGroup is a list of databases, clusters or tables.
type entityGroup struct {
	members []operand
}

func (b *binder) entityGroupExpr(x *syntax.EntityGroup) operand {
	g := &entityGroup{}
	if len(x.Entities) == 0 {
		b.fail(x.Span, "SEM0216", "a cluster, database or table is expected here")
		return errAt(x)
	}
	for _, e := range x.Entities {
		op := b.exprIn(e, anyContext)
		switch op.kind {
		case opCluster, opDatabase, opTable:
			if len(g.members) > 0 && g.members[0].kind != op.kind {
				b.fail(e.Range(), "SEM0216", "all members of an entity group must be of one kind")
				continue
			}
			g.members = append(g.members, op)
		case opErr:
			b.fail(e.Range(), "SEM0216", "a cluster, database or table is expected here")
		default:
			b.fail(e.Range(), "SEM0216", "a cluster, database or table is expected here, not %s", op.typeName())
		}
	}
	return operand{kind: opEntityGroup, src: x, egroup: g}
}

// macroExpandOp runs its query once for every member of an entity group.
func (b *binder) macroExpandOp(x *syntax.PipeExpr, op *syntax.MacroExpandOp) operand {
	b.queryParams(op.Params, paramsMacro)
	fuzzy := b.fuzzy
	if on, given := flag(op.Params, "isfuzzy"); given {
		b.fuzzy = on
	}
	row := b.row
	b.row = nil
	g := b.expr(op.Group)
	name := "$scope"
	if n, ok := op.Group.(*syntax.NameRef); ok {
		name = n.Name
	}
	if op.As != nil {
		name = op.As.Text
	}
	var tabs []*table
	if g.kind == opEntityGroup {
		for i, m := range g.egroup.members {
			quiet := b.quiet
			if i > 0 {
				b.quiet++
			}
			b.inner(func() {
				b.local.add(&symbol{name: name, op: m})
				for _, s := range op.Statements {
					v, isQuery := b.statement(s, false)
					if isQuery {
						tabs = append(tabs, b.wantTable(&v, s.(*syntax.ExprStmt).X))
					}
				}
			})
			b.quiet = quiet
		}
	} else if g.kind != opErr {
		b.fail(op.Group.Range(), "SEM0247", "an entity group is expected here, not %s", g.typeName())
	}
	b.row, b.fuzzy = row, fuzzy
	out := b.unionTables(tabs, nil, "")
	out.open = false
	return tableOp(x, out)
}

// storedGraph binds graph("name").
func (b *binder) storedGraph(x *syntax.Call, args []arg, at syntax.Span) operand {
	if len(args) > 0 && args[0].kind != opErr {
		name := "?"
		if v := args[0].val; v != nil {
			name = v.S
		}
		if v := args[0].val; v != nil {
			b.fail(x.Name.Span, "SEM0260", "the name %s does not refer to any known graph model", quoteName(name))
		}
	}
	g := &graph{node: &plan.GraphPersisted{Name: nullExpr(), At: plan.Span(at)}, open: true, openNodes: true}
	return operand{kind: opGraph, src: x, graph: g}
}
