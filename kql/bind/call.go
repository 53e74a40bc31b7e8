package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

func lookupPlugin(name string) (*catalog.Function, bool) { return catalog.LookupPlugin(name) }

// graphOnly functions exist inside the where and project of graph-match and graph-shortest-paths.
var graphOnly = map[string]bool{
	"all": true, "any": true, "map": true, "inner_nodes": true, "node_degree_in": true, "node_degree_out": true, "node_id": true, "labels": true,
}

// builtin finds a scalar function that may be called here.
func (b *binder) builtin(name string) (*catalog.Function, bool) {
	f, ok := catalog.LookupFunction(name)
	if ok && graphOnly[name] && !b.inGraph {
		return nil, false
	}
	return f, ok
}

func (b *binder) isBuiltin(name string) bool {
	_, ok := b.builtin(name)
	if !ok && b.kind == scopeAggregate {
		_, ok = catalog.LookupAggregate(name)
	}
	return ok
}

// callExpr binds a call of any kind.
func (b *binder) callExpr(x *syntax.Call, ctx context) operand {
	b.count(x.Span)
	name := x.Name.Name
	switch name {
	case "materialize":
		return b.materialize(x)
	case "toscalar":
		return b.toScalar(x)
	case "totable":
		return b.toTable(x)
	case "cluster", "database", "table", "external_table", "materialized_view", "stored_query_result", "graph", "entity_group":
		return b.lookupCall(x, nil, ctx)
	case "column_names_of":
		return b.columnNamesOf(x)
	}
	if catalog.IsScope(name) && b.local.find(name) == nil {
		return b.lookupCall(x, nil, ctx)
	}
	if b.kind == scopeAggregate {
		if f, ok := catalog.LookupAggregate(name); ok {
			return b.aggregate(x, f)
		}
	}
	if f, ok := b.builtin(name); ok {
		return b.functionCall(x, f)
	}
	if y := b.local.find(name); y != nil {
		switch y.op.kind {
		case opFunc:
			return b.expandCall(y.op.fn, x)
		case opPattern:
			return b.patternCall(y.op.pattern, x)
		case opErr:
			b.bindArgs(x.Args, b.kind)
			return errAt(x)
		}
	}
	if f, ok := b.savedFunction(b.db, name); ok {
		return b.expandCall(f, x)
	}
	return b.unknownFunction(x, ctx)
}

func (b *binder) unknownFunction(x *syntax.Call, ctx context) operand {
	name, at := x.Name.Name, x.Name.Span
	b.bindArgs(x.Args, b.kind)
	_, isAgg := catalog.LookupAggregate(name)
	_, isPlugin := catalog.LookupPlugin(name)
	switch {
	case isAgg:
		b.failHint(at, "SEM0144", "use it in summarize, make-series or top-nested", "the aggregate function %s is not allowed here", quoteName(name))
	case isPlugin:
		b.failHint(at, "SEM0126", "use it with evaluate", "the plugin %s is not allowed here", quoteName(name))
	case b.fuzzy:
		return tableOp(x, b.openTable(""))
	default:
		kind := nearFunctions
		if b.kind == scopeAggregate {
			kind = nearAggregates
		}
		b.failHint(at, "SEM0211", b.near(name, kind), "the name %s does not refer to any known function", quoteName(name))
		if ctx == tableContext {
			return tableOp(x, b.openTable(""))
		}
	}
	return errAt(x)
}

// bindArgs binds the arguments of a call in scope kind k.
func (b *binder) bindArgs(xs []syntax.Expr, k scopeKind) []arg {
	old := b.kind
	b.kind = k
	out := make([]arg, len(xs))
	for i, x := range xs {
		out[i] = b.oneArg(x)
		if a := &out[i]; a.kind == opTuple && !b.opt.Editor {
			if v := b.graphVars[a.member]; v != nil && v.variable { // the edges of a path are an array to the engine
				a.operand = operand{kind: opScalar, src: a.src, t: tArray, e: a.e}
			}
		}
	}
	b.kind = old
	return out
}

func (b *binder) oneArg(x syntax.Expr) arg {
	var name *syntax.Name
	if n, ok := x.(*syntax.NamedExpr); ok {
		if n.Tuple {
			b.fail(n.Names[0].Span, "SEM0194", "an argument takes one name")
		}
		if len(n.Names) > 0 {
			name = n.Names[0]
		}
		a := b.oneArg(n.X)
		a.name = name
		return a
	}
	if _, ok := x.(*syntax.Star); ok {
		return arg{operand: operand{kind: opScalar, t: tDynamic, e: &plan.Star{}, src: x}, x: x, star: true}
	}
	return arg{operand: b.expr(x), x: x}
}

// functionCall binds a call of a built-in function.
func (b *binder) functionCall(x *syntax.Call, f *catalog.Function) operand {
	b.note(x, note{fn: f})
	k := b.kind
	if k == scopePlugin {
		k = scopeNormal
	}
	var args []arg
	if b.inGraph && (f.Name == "all" || f.Name == "any" || f.Name == "map") {
		args = b.elementArgs(x)
	} else {
		args = b.bindArgs(x.Args, k)
	}
	return b.applyFunction(x, f, args)
}

func (b *binder) applyFunction(x *syntax.Call, f *catalog.Function, args []arg) operand {
	m := b.newMatcher(args)
	s, t := b.chooseFunction(m, f, x.Name.Span, true)
	for i := range args {
		if !graphOnly[f.Name] {
			b.wantOne(&args[i])
		}
	}
	op := operand{kind: opScalar, src: x, isConst: f.Foldable}
	for i := range args {
		op.isConst = op.isConst && args[i].isConst
	}
	if s == nil {
		op.t, op.e = t, nullExpr()
		if t.isErr() {
			op.isConst = false
		}
		return op
	}
	if s.Return == catalog.Custom {
		c := b.customFunction(x, f, s, m)
		c.isConst = op.isConst
		if c.kind == opScalar {
			c.val = constValue(c.e)
		}
		return c
	}
	op.t = t
	if t.isErr() {
		op.e = nullExpr()
		return op
	}
	op.e = b.functionExpr(x, f, t, args)
	op.val = constValue(op.e)
	if _, ok := op.e.(*plan.ColRef); ok && isConversion(f.Name) {
		op.col = args[0].col
	} else if len(args) == 1 && args[0].col != nil && isConversion(f.Name) && args[0].t.same(t) {
		op.col = args[0].col
		op.e = args[0].e
	}
	return op
}

// chooseFunction picks the signature and the result type; the signature is nil when none fits.
func (b *binder) chooseFunction(m *matcher, f *catalog.Function, at syntax.Span, report bool) (*catalog.Signature, typ) {
	sigs := m.choose(f, false)
	if len(sigs) == 1 {
		if report {
			before := b.failed
			b.check(m, f, sigs[0], at, false)
			if n := len(m.args); b.failed > before && (n < sigs[0].MinArgs || n > sigs[0].MaxArgs) {
				if sigs[0].Return == catalog.Typed {
					return nil, catalogType(sigs[0])
				}
				return nil, tErr
			}
		}
		t := b.resultType(m, f, sigs[0])
		if t.isAny() && m.unwrap() {
			if _, u := b.chooseFunction(m, f, at, false); u.plain() {
				t = dynamicOf(u)
			}
			m.rewrap()
		}
		return sigs[0], t
	}
	if report {
		if m.doubtful() && len(sigs) > 0 && sigs[0].Return != catalog.Custom {
			return sigs[0], b.commonResult(m, f, sigs)
		}
		if len(m.args) == 0 && f.MinArgs() > 0 {
			b.fail(at, "SEM0119", "the function %s takes between %d and %d arguments, not 0", quoteName(f.Name), f.MinArgs(), f.MaxArgs())
		} else if !m.doubtful() {
			b.fail(at, "SEM0127", "the function %s does not take arguments of the types (%s)", quoteName(f.Name), m.typeNames())
		}
	}
	return nil, b.commonResult(m, f, sigs)
}

// conversions hand a column of their own type on as it is.
var conversions = map[string]bool{
	"tobool": true, "todatetime": true, "todecimal": true, "todouble": true, "todynamic": true, "toguid": true, "toint": true,
	"tolong": true, "toreal": true, "tostring": true, "totime": true, "totimespan": true,
}

func isConversion(name string) bool { return conversions[name] }

func exprsOf(args []arg) []plan.Expr {
	out := make([]plan.Expr, len(args))
	for i := range args {
		out[i] = args[i].expr()
	}
	return out
}

// functionExpr makes the plan of a call whose shape may differ from the text.
func (b *binder) functionExpr(x *syntax.Call, f *catalog.Function, t typ, args []arg) plan.Expr {
	at := span(x)
	switch f.Name {
	case "column_ifexists", "columnifexists":
		if v := args[0].val; v != nil && v.Type == value.String {
			if c := b.column(v.S); c != nil && !c.ghost {
				return b.coerce(b.ref(c, at), c.t, t.v)
			}
			return args[1].expr()
		}
	case "repeat":
		if !b.opt.Editor && args[0].typ().isDynamic() {
			b.failHint(args[0].at(), "SEM0116", "convert it with tolong(), tostring() …", "the function 'repeat' does not repeat dynamic values")
		}
	case "estimate_data_size":
		if args[0].star {
			var es []plan.Expr
			if b.row != nil {
				for _, c := range b.row.cols {
					if !c.ghost {
						es = append(es, b.ref(c, at))
					}
				}
			}
			return b.call(f.Name, t.v, at, es...)
		}
	case "iscolumnexists":
		if v := args[0].val; v != nil && v.Type == value.String {
			k := plan.Bool(b.column(v.S) != nil)
			k.At = at
			return k
		}
	case "prev", "next", "row_number", "row_cumsum", "row_rank", "row_rank_min", "row_rank_dense", "row_window_session":
		b.windowed = true
		if b.inScan > 0 && !b.opt.Editor {
			b.failHint(x.Name.Span, "SEM0261", "compute it in serialize before scan, or use step.column", "the function %s cannot be used inside scan", quoteName(f.Name))
		}
		if b.row != nil && !b.row.serialized && !b.row.open && !b.opt.Editor {
			b.failHint(x.Name.Span, "SEM0260", "put `| serialize` or a sort before it", "the function %s needs an ordered input", quoteName(f.Name))
		}
	}
	return b.call(f.Name, t.v, at, exprsOf(args)...)
}

// materialize computes a table once per query.
func (b *binder) materialize(x *syntax.Call) operand {
	if len(x.Args) != 1 {
		b.fail(x.Name.Span, "SEM0118", "the function 'materialize' takes one argument, not %d", len(x.Args))
		return errAt(x)
	}
	var op operand
	b.outside(func() { op = b.exprIn(x.Args[0], tableContext) })
	switch op.kind {
	case opTable:
		s := b.share(op.tab, "", true)
		op = tableOp(x, b.use(s))
		op.tab.name = s.tab.name
		return op
	case opGraph:
		op.src = x
		return op
	case opErr:
		return errAt(x)
	}
	b.fail(x.Args[0].Range(), "SEM0231", "a table or a graph is expected here, not %s", op.typeName())
	return errAt(x)
}

// outside binds without the columns of the input.
func (b *binder) outside(f func()) {
	row, right, kind, aggs := b.row, b.right, b.kind, b.aggs
	b.row, b.right, b.kind, b.aggs = nil, nil, scopeNormal, nil
	f()
	b.row, b.right, b.kind, b.aggs = row, right, kind, aggs
}

func (b *binder) toScalar(x *syntax.Call) operand {
	if len(x.Args) != 1 {
		b.fail(x.Name.Span, "SEM0118", "the function 'toscalar' takes one argument, not %d", len(x.Args))
		return errAt(x)
	}
	var a operand
	b.outside(func() { a = b.expr(x.Args[0]) })
	op := operand{kind: opScalar, src: x, isConst: true}
	switch a.kind {
	case opTable:
		if len(a.tab.cols) == 0 {
			if a.tab.open {
				b.noColumns(x, a.tab)
				return unknownOf(x)
			}
			b.fail(x.Args[0].Range(), "SEM0190", "the table has no columns")
			return errAt(x)
		}
		c := a.tab.cols[0]
		op.t = c.t
		op.e = &plan.ScalarSub{Node: b.solid(a.tab), T: c.Type, At: span(x)}
		return op
	case opScalar:
		op.t, op.e, op.val = a.t, a.e, a.val
		return op
	case opErr:
		return errAt(x)
	}
	b.fail(x.Args[0].Range(), "SEM0112", "a table or a scalar is expected here, not %s", a.typeName())
	return errAt(x)
}

// noColumns reports toscalar over a table none of whose columns is known.
func (b *binder) noColumns(x syntax.Expr, t *table) {
	if !t.missing || b.quiet > 0 {
		return
	}
	for _, e := range b.errs {
		if e.Start >= x.Range().Start && e.End <= x.Range().End {
			return
		}
	}
	b.fail(x.Range(), "SEM0190", "the table has no columns")
}

func (b *binder) toTable(x *syntax.Call) operand {
	if len(x.Args) != 1 {
		b.fail(x.Name.Span, "SEM0118", "the function 'totable' takes one argument, not %d", len(x.Args))
		return errAt(x)
	}
	var t *table
	b.outside(func() { t = b.tableExpr(x.Args[0]) })
	return tableOp(x, t)
}

// columnNamesOf is the names of a table's columns as a constant.
func (b *binder) columnNamesOf(x *syntax.Call) operand {
	if len(x.Args) != 1 {
		b.fail(x.Name.Span, "SEM0118", "the function 'column_names_of' takes one argument, not %d", len(x.Args))
		return errAt(x)
	}
	var t *table
	b.outside(func() { t = b.tableExpr(x.Args[0]) })
	names := make([]any, len(t.cols))
	for i, c := range t.cols {
		names[i] = c.Name
	}
	k := &plan.Const{Val: value.Value{Type: value.Dynamic, D: names}, At: span(x)}
	return operand{kind: opScalar, src: x, t: arrayOf(tString), e: k, isConst: true, val: &k.Val}
}

// joinParts joins the parts of a generated name, leaving empty ones out unless they were computed.
func joinParts(parts ...string) string { return strings.Join(parts, "_") }
