package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

// document binds all statements of a text; each query is a result.
func (b *binder) document(doc *syntax.Document) {
	b.local = &scope{}
	b.colN = 0
	for _, s := range doc.Statements {
		b.statement(s, true)
	}
}

// statement binds one statement. top: queries become results; otherwise the last query is the value of a body.
func (b *binder) statement(s syntax.Statement, top bool) (op operand, isQuery bool) {
	switch s := s.(type) {
	case *syntax.LetStmt:
		b.let(s)
	case *syntax.SetStmt:
		b.setOption(s)
	case *syntax.QueryParametersStmt:
		b.queryParameters(s)
	case *syntax.PatternStmt:
		b.declarePattern(s)
	case *syntax.AliasStmt:
		b.alias(s)
	case *syntax.RestrictStmt:
		b.fail(s.Span, syntax.CodeNotSupported, "restrict access is not supported")
	case *syntax.CommandStmt:
		b.command(s)
	case *syntax.ExprStmt:
		b.colN = 0
		op = b.exprIn(s.X, tableContext)
		if op.kind == opFunc && op.fn.minArgs() == 0 {
			op = b.expand(op.fn, nil, s.X, s.Span)
		}
		if top {
			b.result(op, s.X)
		}
		return op, true
	}
	return operand{}, false
}

// result adds the tables of a query.
func (b *binder) result(op operand, x syntax.Expr) {
	add := func(t *table, name string) {
		r := plan.Result{Name: name, Node: b.solid(t)}
		r.Render = b.renders[r.Node]
		b.q.Results = append(b.q.Results, r)
	}
	switch op.kind {
	case opTable:
		if op.tab.missing && !b.opt.Editor && b.failed == 0 {
			b.fail(x.Range(), "SEM0100", "none of the tables that this query reads exists")
		}
		name := ""
		if s, ok := op.tab.node.(*plan.SharedRef); ok {
			if sh := b.sharedRefs[s]; sh != nil && op.tab.name == sh.name {
				name = sh.name
			}
		}
		add(op.tab, name)
	case opGroup:
		for _, t := range op.tabs {
			add(t, t.name)
		}
	case opVoid:
		if op.tab != nil {
			b.q.Results = append(b.q.Results, plan.Result{Node: op.tab.node})
		}
	case opScalar:
		// a bare scalar is a table of one value
		c := b.newCol("print_0", op.t)
		b.q.Results = append(b.q.Results, plan.Result{Node: &plan.Project{Input: &plan.Values{Rows: oneRow}, Items: []plan.Item{{Col: c.Col, Expr: op.expr()}}}})
	case opGraph:
		if b.opt.Editor { // a graph has no columns
			return
		}
		b.fail(x.Range(), syntax.CodeNotSupported, "a query can't end with a graph; use graph-to-table or graph-match")
	case opErr:
	default:
		b.fail(x.Range(), "SEM0111", "a tabular value is expected here, not %s", op.typeName())
	}
}

func (b *binder) let(s *syntax.LetStmt) {
	name := s.Name.Text
	if y := b.localHere(name); y != nil {
		b.fail(s.Name.Span, "SEM0201", "a variable with the name %s has already been declared", quoteName(name))
	}
	if l, ok := s.Value.(*syntax.Lambda); ok {
		f := b.lambda(l, name)
		b.local.add(&symbol{name: name, op: operand{kind: opFunc, fn: f}, view: f.view})
		return
	}
	row := b.row
	b.row = nil
	op := b.exprIn(s.Value, anyContext)
	b.row = row
	b.define(name, op, s.Value)
}

// localHere finds a name declared in the scope that let statements of this body share.
func (b *binder) localHere(name string) *symbol {
	return b.local.find(name)
}

// define adds a let variable to the scope.
func (b *binder) define(name string, op operand, x syntax.Expr) {
	op.col = nil
	y := &symbol{name: name, op: op}
	switch op.kind {
	case opTuple:
		if len(op.tuple) == 1 {
			break
		}
		b.fail(x.Range(), "SEM0139", "an expression with several values cannot be assigned to a variable")
	case opTable:
		y.sh = b.tableSymbol(op.tab, name)
	case opGroup:
		if len(op.tabs) > 0 {
			t := b.unionTables(op.tabs, nil, "")
			y.op = tableOp(x, t)
			y.sh = b.share(t, name, false)
		}
	case opStar:
		y.op = errAt(x)
	}
	if y.op.kind == opScalar && y.op.e != nil {
		y.op.isConst = op.isConst
		y.op.source = operandSource{x}
	}
	b.local.add(y)
}

// tableSymbol makes a table readable by name. A table that is a shared one already, such as a materialized one,
// is not wrapped twice.
func (b *binder) tableSymbol(t *table, name string) *shared {
	if r, ok := t.node.(*plan.SharedRef); ok {
		if s := b.sharedRefs[r]; s != nil && s.materialized && len(s.refs) == 1 && s.name == "" {
			s.name = name
			s.refs = nil
			delete(b.sharedRefs, r)
			return s
		}
	}
	return b.share(t, name, false)
}

func (b *binder) setOption(s *syntax.SetStmt) {
	if b.q.Settings == nil {
		b.q.Settings = map[string]value.Value{}
	}
	v := value.Value{Type: value.Bool, I: 1}
	switch x := s.Value.(type) {
	case nil:
	case *syntax.NameRef:
		v = value.Value{Type: value.String, S: x.Name}
	case *syntax.Literal, *syntax.DynamicLit, *syntax.UnaryExpr:
		op := b.expr(x)
		if k := constValue(op.expr()); k != nil {
			v = *k
		}
	default:
		b.fail(s.Value.Range(), "SEM0130", "the value must be a constant or a name")
	}
	b.q.Settings[s.Name.Text] = v
}

func (b *binder) queryParameters(s *syntax.QueryParametersStmt) {
	for _, p := range s.Params {
		if p.Table != nil || p.Type == nil {
			b.fail(p.Span, "SEM0107", "a query parameter must be scalar")
			continue
		}
		t := b.declared(p.Type)
		op := operand{kind: opScalar, t: t, isConst: p.Default != nil}
		v, given := b.opt.Params[p.Name.Text]
		switch {
		case given && v.Type == t.v:
			op.e, op.isConst = &plan.Const{Val: v, At: span(p)}, true
		case given:
			op.e = b.coerce(&plan.Const{Val: v, At: span(p)}, scalar(v.Type), t.v)
			op.isConst = true
		case p.Default != nil:
			d := b.scalarExpr(p.Default)
			if dt := d.typ(); d.kind != opErr && !dt.isErr() && !dt.isUnknown() && !t.isUnknown() && !assignable(t, dt, convNone) && !(t.isNumeric() && dt.isNumeric()) {
				b.fail(p.Default.Range(), "SEM0141", "the expression must have the type %s, not %s", t, d.typeName())
			}
			op.e = b.coerce(d.expr(), d.typ(), t.v)
		default:
			op.e = &plan.Const{Val: plan.Null(t.v).Val, At: span(p)}
			op.isConst = false
		}
		op.val = constValue(op.e)
		b.local.add(&symbol{name: p.Name.Text, op: op})
	}
}

func (b *binder) alias(s *syntax.AliasStmt) {
	op := b.expr(s.Value)
	if op.kind == opErr {
		return
	}
	if op.kind != opDatabase || len(op.scopes) != 1 {
		b.fail(s.Value.Range(), "SEM0114", "a database is expected here")
		return
	}
	if b.aliases == nil {
		b.aliases = map[string]Scope{}
	}
	b.aliases[s.Name.Text] = op.scopes[0]
}

// finish numbers the shared sub-plans that are used, and puts those used once back in line.
func (b *binder) finish() {
	uses := map[*shared]int{}
	var visit func(n plan.Node)
	visit = func(n plan.Node) {
		plan.Walk(n, func(n plan.Node) bool {
			if r, ok := n.(*plan.SharedRef); ok {
				if s := b.sharedRefs[r]; s != nil {
					if uses[s]++; uses[s] == 1 {
						visit(s.tab.node)
					}
				}
			}
			return true
		})
	}
	for _, r := range b.q.Results {
		visit(r.Node)
	}
	in := &inliner{b: b, uses: uses, done: map[plan.Node]plan.Node{}}
	for i := range b.q.Results {
		b.q.Results[i].Node = in.node(b.q.Results[i].Node)
	}
	b.q.MaxCol = b.nextCol
}

// inliner replaces references to shared sub-plans.
type inliner struct {
	b    *binder
	uses map[*shared]int
	done map[plan.Node]plan.Node
}

func (in *inliner) node(n plan.Node) plan.Node {
	if n == nil {
		return nil
	}
	if m, ok := in.done[n]; ok {
		return m
	}
	m := in.rebuild(n)
	in.done[n] = m
	in.done[m] = m
	return m
}

func (in *inliner) rebuild(n plan.Node) plan.Node {
	if r, ok := n.(*plan.SharedRef); ok {
		s := in.b.sharedRefs[r]
		if s == nil {
			return n
		}
		if in.uses[s] == 1 && !s.materialized {
			sub := in.node(s.tab.node)
			if len(s.refs) > 0 && s.refs[0] == r {
				return sub
			}
			return renamed(sub, r.Out)
		}
		if s.entry == nil {
			sub := in.node(s.tab.node)
			s.entry = &plan.Shared{ID: len(in.b.q.Shared), Name: s.name, Node: sub, Materialized: s.materialized}
			in.b.q.Shared = append(in.b.q.Shared, s.entry)
		}
		r.ID = s.entry.ID
		return r
	}
	plan.Exprs(n, func(e plan.Expr) {
		plan.WalkExpr(e, func(e plan.Expr) bool {
			switch e := e.(type) {
			case *plan.ScalarSub:
				e.Node = in.node(e.Node)
			case *plan.InSub:
				e.Node = in.node(e.Node)
			case *plan.TableArg:
				e.Node = in.node(e.Node)
			}
			return true
		})
	})
	ins := plan.Inputs(n)
	changed := false
	out := make([]plan.Node, len(ins))
	for i, x := range ins {
		out[i] = in.node(x)
		changed = changed || out[i] != x
	}
	if !changed {
		return n
	}
	return plan.WithInputs(n, out)
}
