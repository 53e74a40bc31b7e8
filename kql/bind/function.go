package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// function is a lambda or a saved function.
type function struct {
	name   string
	view   bool
	params []funcParam
	body   *syntax.FuncBody
	scope  *scope // what the body sees of its surroundings
	text   string // of a saved function; "" for lambdas of the query
	db     Scope
	saved  bool
	bad    *syntax.Error // why a saved function's text is no function
}

type funcParam struct {
	name  string
	t     typ
	table *syntax.TableType // tabular parameters
	def   *operand          // default of a scalar one
}

func (f *function) minArgs() int {
	n := 0
	for _, p := range f.params {
		if p.def == nil {
			n++
		}
	}
	return n
}

// lambda declares a function and checks its body once, with its parameters unknown.
func (b *binder) lambda(x *syntax.Lambda, name string) *function {
	f := &function{name: name, view: x.View, body: x.Body, scope: b.local.copy(), text: "", db: b.db}
	f.params = b.declareParams(x.Params)
	if b.quiet == 0 {
		b.checkBody(f)
	}
	return f
}

// copy freezes the names that are visible now.
func (s *scope) copy() *scope {
	if s == nil {
		return nil
	}
	c := &scope{up: s.up, names: make(map[string]*symbol, len(s.names)), order: s.order[:len(s.order):len(s.order)]}
	for k, v := range s.names {
		c.names[k] = v
	}
	return c
}

func (b *binder) declareParams(ps []*syntax.FuncParam) []funcParam {
	var out []funcParam
	tabular := true
	for _, p := range ps {
		fp := funcParam{name: p.Name.Text}
		switch {
		case p.Table != nil:
			if !tabular {
				b.fail(p.Span, "SEM0226", "tabular parameters must be declared first")
			}
			fp.table = p.Table
			if len(p.Table.Columns) == 0 && !p.Table.Any {
				b.fail(p.Table.Span, "SEM0220", "a column declaration is expected here")
			}
		case p.Type != nil:
			tabular = false
			fp.t = b.declared(p.Type)
			if p.Default != nil {
				d := b.defaultValue(p.Default, fp.t)
				fp.def = &d
			}
		}
		out = append(out, fp)
	}
	return out
}

// defaultValue binds a parameter's default, which must be a literal.
func (b *binder) defaultValue(x syntax.Expr, t typ) operand {
	if n, ok := x.(*syntax.NameRef); ok {
		b.fail(n.Span, "SEM0131", "the default must be a literal")
		return operand{kind: opScalar, t: t, e: plan.Null(t.v), isConst: true}
	}
	op := b.scalarExpr(x)
	if op.kind != opErr && !op.lit && !op.isConst {
		b.fail(x.Range(), "SEM0131", "the expression must be a literal")
	} else if u := op.typ(); !t.isUnknown() && !u.isErr() && !assignable(t, u, convNone) && !assignable(t, u, convCompatible) {
		b.fail(x.Range(), "SEM0141", "the expression must have the type %s, not %s", t, op.typeName())
	}
	e := b.coerce(op.expr(), op.typ(), t.v)
	return operand{kind: opScalar, t: t, e: e, isConst: true, lit: true, val: constValue(e)}
}

// checkBody reports what is wrong in a body whatever its arguments are.
func (b *binder) checkBody(f *function) {
	b.inBody(f, func() {
		for _, p := range f.params {
			if p.table != nil {
				b.local.add(&symbol{name: p.name, op: operand{kind: opTable, tab: b.paramTable(p)}, sh: b.share(b.paramTable(p), p.name, false)})
				continue
			}
			b.local.add(&symbol{name: p.name, op: operand{kind: opScalar, t: p.t, isConst: true, e: &plan.Call{Name: "param", T: p.t.v}}})
		}
		b.checking++
		b.bodyValue(f.body)
		b.checking--
	})
}

// paramTable stands for a tabular argument while the body is checked.
func (b *binder) paramTable(p funcParam) *table {
	t := &table{name: p.name, node: nil}
	for _, c := range p.table.Columns {
		ct := tUnknown
		if c.Type != nil {
			ct = b.declared(c.Type)
		}
		t.cols = append(t.cols, b.newCol(c.Name.Text, ct))
	}
	t.node = &plan.Values{Out: planCols(t.cols)}
	return t
}

// inBody runs fn in the scope of a function's body.
func (b *binder) inBody(f *function, fn func()) {
	row, right, kind, aggs, by, piped := b.row, b.right, b.kind, b.aggs, b.by, b.piped
	local, colN, text, db, fuzzy, search := b.local, b.colN, b.text, b.db, b.fuzzy, b.search
	inGraph, windowed := b.inGraph, b.windowed
	b.row, b.right, b.kind, b.aggs, b.by, b.piped, b.search, b.inGraph = nil, nil, scopeNormal, nil, nil, nil, nil, false
	b.local, b.colN, b.db = &scope{up: f.scope}, 0, f.db
	if f.saved {
		b.text, b.fuzzy = f.text, false
	}
	fn()
	b.row, b.right, b.kind, b.aggs, b.by, b.piped = row, right, kind, aggs, by, piped
	b.local, b.colN, b.text, b.db, b.fuzzy, b.search = local, colN, text, db, fuzzy, search
	b.inGraph, b.windowed = inGraph, windowed
}

// bodyValue binds the statements of a body and gives its result.
func (b *binder) bodyValue(body *syntax.FuncBody) operand {
	for _, s := range body.Statements {
		b.statement(s, false)
	}
	if body.Result == nil {
		return operand{kind: opVoid}
	}
	op := b.exprIn(body.Result, anyContext)
	if op.kind == opFunc && op.fn.minArgs() == 0 {
		op = b.expand(op.fn, nil, body.Result, body.Span)
	}
	return op
}

// savedFunction finds and parses a saved function.
func (b *binder) savedFunction(s Scope, name string) (*function, bool) {
	key := savedKey{s, name}
	if f, ok := b.saved[key]; ok {
		return f, f != nil
	}
	if b.saved == nil {
		b.saved = map[savedKey]*function{}
	}
	fn, ok := b.schema.Function(s, name)
	if !ok {
		b.saved[key] = nil
		return nil, false
	}
	f := b.parseSaved(fn)
	f.db = s
	b.saved[key] = f
	return f, true
}

type savedKey struct {
	s    Scope
	name string
}

func (b *binder) parseSaved(fn Function) *function {
	params := strings.TrimSpace(fn.Params)
	if params == "" {
		params = "()"
	}
	body := strings.TrimSpace(fn.Body)
	if !strings.HasPrefix(body, "{") {
		body = "{" + body
	}
	if !strings.HasSuffix(body, "}") {
		body += "\n}"
	}
	text := "let f = " + params + " " + body + ";"
	f := &function{name: fn.Name, text: text, saved: true}
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		f.bad = errs[0]
		return f
	}
	for _, s := range doc.Statements {
		if l, ok := s.(*syntax.LetStmt); ok {
			if lam, ok := l.Value.(*syntax.Lambda); ok {
				f.view, f.body = lam.View, lam.Body
				old, errsOld := b.text, b.errs
				b.text, b.errs = text, nil
				f.params = b.declareParams(lam.Params)
				if len(b.errs) > 0 {
					f.bad = b.errs[0]
				}
				b.text, b.errs = old, errsOld
			}
		}
	}
	if f.body == nil && f.bad == nil {
		f.bad = syntax.NewError(text, syntax.Span{}, "SEM0200", "the text is not a function", "")
	}
	return f
}

// expandCall binds a call of a lambda or saved function.
func (b *binder) expandCall(f *function, x *syntax.Call) operand {
	b.note(x, note{})
	k := b.kind
	if k == scopePlugin {
		k = scopeNormal
	}
	args := make([]arg, 0, len(x.Args)+1)
	if b.implicit != nil {
		var at syntax.Expr = x.Name
		if b.implicitX != nil {
			at = b.implicitX
		}
		args = append(args, arg{operand: tableOp(x, b.implicit), x: at})
		b.implicit = nil
	}
	old := b.kind
	b.kind = k
	for i, a := range x.Args {
		ctx := anyContext
		if i < len(f.params) && f.params[i].table != nil {
			ctx = tableContext
		}
		args = append(args, b.userArg(a, ctx))
	}
	b.kind = old
	return b.expand(f, args, x, x.Name.Span)
}

func (b *binder) userArg(x syntax.Expr, ctx context) arg {
	if n, ok := x.(*syntax.NamedExpr); ok && !n.Tuple {
		a := b.userArg(n.X, ctx)
		a.name = n.Names[0]
		return a
	}
	if _, ok := x.(*syntax.Star); ok {
		b.fail(x.Range(), "SEM0191", "* cannot stand here")
		return arg{operand: errAt(x), x: x}
	}
	if ctx == tableContext {
		var op operand
		b.outside(func() { op = b.exprIn(x, ctx) })
		return arg{operand: op, x: x}
	}
	return arg{operand: b.expr(x), x: x}
}

// layoutUser gives each argument its parameter's index, -1 for none.
func (b *binder) layoutUser(f *function, args []arg, at syntax.Span) ([]int, bool) {
	n := len(args)
	if lo := f.minArgs(); n < lo || n > len(f.params) {
		if named := namedOnly(args); !named || n > len(f.params) {
			if lo == len(f.params) {
				b.fail(at, "SEM0118", "the function %s takes %s, not %d", quoteName(f.name), plural(lo, "argument"), n)
			} else {
				b.fail(at, "SEM0119", "the function %s takes between %d and %d arguments, not %d", quoteName(f.name), lo, len(f.params), n)
			}
			return nil, false
		}
	}
	out := make([]int, n)
	ok, disordered := true, false
	for i := range args {
		out[i] = i
		if args[i].name == nil {
			if disordered {
				b.fail(args[i].at(), "SEM0195", "all arguments after one that is named out of order must be named")
				ok = false
			}
			continue
		}
		out[i] = -1
		for j := range f.params {
			if f.params[j].name == args[i].name.Text {
				out[i] = j
			}
		}
		if out[i] < 0 {
			b.fail(args[i].name.Span, "SEM0196", "the function %s has no parameter %s", quoteName(f.name), quoteName(args[i].name.Text))
			ok = false
		}
		if out[i] != i {
			disordered = true
		}
	}
	if !ok {
		return nil, false
	}
	given := map[int]bool{}
	for _, j := range out {
		given[j] = true
	}
	for j := range f.params {
		if !given[j] && f.params[j].def == nil {
			b.fail(at, "SEM0197", "the argument for the parameter %s is missing", quoteName(f.params[j].name))
			return nil, false
		}
	}
	return out, true
}

func namedOnly(args []arg) bool {
	for i := range args {
		if args[i].name != nil {
			return true
		}
	}
	return false
}

// expand binds a function's body in the place of its call.
func (b *binder) expand(f *function, args []arg, x syntax.Expr, at syntax.Span) operand {
	b.count(at)
	if f.bad != nil {
		b.fail(at, "SEM0200", "the saved function %s is not valid: %s", quoteName(f.name), f.bad.Error())
		return errAt(x)
	}
	lay, ok := b.layoutUser(f, args, at)
	if !ok {
		// type the result anyway, so that one mistake gives one error
		b.quiet++
		failed := b.failed
		out := b.expandWith(f, nil, nil, x, at)
		b.failed = failed
		b.quiet--
		if out.kind == opTable {
			return out
		}
		return errAt(x)
	}
	return b.expandWith(f, args, lay, x, at)
}

func (b *binder) expandWith(f *function, args []arg, lay []int, x syntax.Expr, at syntax.Span) operand {
	if b.depth >= b.opt.MaxDepth || f.saved && b.insideOf(f.name) {
		b.failHint(at, "SEM0251", "functions cannot call themselves", "the functions nest deeper than %d at %s", b.opt.MaxDepth, quoteName(f.name))
		return errAt(x)
	}
	syms := make([]*symbol, len(f.params))
	for i, j := range lay {
		syms[j] = b.argument(f, &f.params[j], &args[i])
	}
	for j := range f.params {
		if syms[j] != nil {
			continue
		}
		p := &f.params[j]
		switch {
		case p.table != nil:
			t := b.paramTable(*p)
			syms[j] = &symbol{name: p.name, op: operand{kind: opTable, tab: t}, sh: b.share(t, p.name, false)}
		case p.def != nil:
			syms[j] = &symbol{name: p.name, op: *p.def}
		default:
			syms[j] = &symbol{name: p.name, op: operand{kind: opScalar, t: p.t, e: plan.Null(p.t.v)}}
		}
	}
	var out operand
	failed, errs, quiet := b.failed, b.errs, b.quiet
	b.depth++
	if f.saved {
		b.errs, b.quiet = nil, 0
		b.inside = append(b.inside, f.name)
	} else {
		b.quiet++
	}
	first := b.firstQuiet
	b.firstQuiet = nil
	b.inBody(f, func() {
		for _, y := range syms {
			b.local.add(y)
		}
		out = b.bodyValue(f.body)
	})
	b.depth--
	inner := b.errs
	b.errs, b.quiet = errs, quiet
	bad := b.firstQuiet
	b.firstQuiet = first
	if f.saved {
		b.inside = b.inside[:len(b.inside)-1]
		if len(inner) > 0 {
			bad = inner[0]
		}
	}
	if b.failed > failed && bad != nil {
		if quiet > 0 {
			if b.firstQuiet == nil {
				b.firstQuiet = bad
			}
		} else if b.opt.Editor && !f.saved {
			// the editor service keeps what goes wrong in an expansion to itself
		} else if f.saved || len(b.errs) == 0 {
			b.failHint(at, bad.Code, bad.Suggestion, "in the function %s: %s", quoteName(f.name), bad.Msg)
		}
	}
	out.src, out.col, out.lit = x, nil, false
	if out.kind == opTable {
		t := *out.tab
		t.index = nil
		if f.view {
			t.name = f.name
		} else if _, isScan := t.node.(*plan.Scan); !isScan {
			t.name = ""
		}
		out.tab = &t
	}
	if out.kind == opStar {
		return errAt(x)
	}
	return out
}

// argument makes the symbol that a parameter is in the body.
func (b *binder) argument(f *function, p *funcParam, a *arg) *symbol {
	y := &symbol{name: p.name}
	if p.table != nil {
		if a.kind != opTable {
			if a.kind != opErr {
				b.fail(a.at(), "SEM0111", "a tabular value is expected here, not %s", a.typeName())
			}
			t := b.paramTable(*p)
			y.op, y.sh = operand{kind: opTable, tab: t}, b.share(t, p.name, false)
			return y
		}
		for _, c := range p.table.Columns {
			if c.Type == nil {
				continue
			}
			have := a.tab.find(c.Name.Text)
			if have == nil && a.tab.open {
				continue
			}
			if have == nil || have.Type != c.Type.Type && !have.t.isUnknown() {
				b.fail(a.at(), "SEM0249", "the table has no column %s of type %s", quoteName(c.Name.Text), c.Type.Type)
				break
			}
		}
		y.op = operand{kind: opTable, tab: a.tab}
		y.sh = b.share(a.tab, p.name, false)
		return y
	}
	switch a.kind {
	case opErr:
		y.op = operand{kind: opScalar, t: p.t, e: plan.Null(p.t.v), isConst: true}
	case opScalar, opTuple:
		y.op = operand{kind: opScalar, t: p.t, isConst: a.isConst, source: a.source}
		if p.t.v == value.Dynamic {
			y.op.t = a.typ()
			if !y.op.t.isDynamic() {
				y.op.t = p.t
			}
		}
		y.op.e = b.coerce(a.expr(), a.typ(), p.t.v)
		y.op.val = constValue(y.op.e)
	default:
		b.fail(a.at(), "SEM0108", "a scalar value is expected here, not a %s", a.typeName())
		y.op = operand{kind: opScalar, t: p.t, e: plan.Null(p.t.v)}
	}
	return y
}

// invokeOp calls a function with the input as its first argument.
func (b *binder) invokeOp(x *syntax.PipeExpr, in *table, op *syntax.InvokeOp) operand {
	b.row = nil
	old, oldX := b.implicit, b.implicitX
	b.implicit, b.implicitX = in, x.Input
	var out operand
	switch c := op.Call.(type) {
	case *syntax.Call:
		out = b.invokeCall(c)
	case *syntax.PathExpr:
		out = b.path(c, tableContext)
	default:
		b.fail(op.Span, "SEM0128", "a function call is expected here")
		out = errAt(x)
	}
	b.implicit, b.implicitX = old, oldX
	out.src = x
	return out
}

func (b *binder) invokeCall(c *syntax.Call) operand {
	name := c.Name.Name
	if y := b.local.find(name); y != nil && y.op.kind == opFunc {
		return b.expandCall(y.op.fn, c)
	}
	if f, ok := b.savedFunction(b.db, name); ok {
		return b.expandCall(f, c)
	}
	b.implicit = nil
	if f, ok := b.builtin(name); ok {
		b.bindArgs(c.Args, scopeNormal)
		b.fail(c.Name.Span, "SEM0127", "the function %s does not take a table", quoteName(f.Name))
		return errAt(c)
	}
	return b.unknownFunction(c, tableContext)
}
