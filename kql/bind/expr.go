package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// expr binds any expression.
func (b *binder) expr(x syntax.Expr) operand { return b.exprIn(x, anyContext) }

func (b *binder) exprIn(x syntax.Expr, ctx context) operand {
	switch x := x.(type) {
	case nil, *syntax.BadExpr:
		return errAt(x)
	case *syntax.Literal:
		return b.literal(x)
	case *syntax.NullLit:
		return operand{kind: opScalar, src: x, t: tNull, e: plan.Null(value.Dynamic), isConst: true, lit: true}
	case *syntax.DynamicLit:
		return b.dynamicLit(x)
	case *syntax.NameRef:
		return b.name(x, ctx)
	case *syntax.WildcardName:
		return b.wildcard(x, Scope{}, ctx)
	case *syntax.ParenExpr:
		op := b.exprIn(x.X, ctx)
		op.src = x
		return op
	case *syntax.UnaryExpr:
		return b.unary(x)
	case *syntax.BinaryExpr:
		return b.binary(x)
	case *syntax.InExpr:
		return b.in(x)
	case *syntax.BetweenExpr:
		return b.between(x)
	case *syntax.Call:
		return b.callExpr(x, ctx)
	case *syntax.PathExpr:
		return b.path(x, ctx)
	case *syntax.IndexExpr:
		return b.index(x, x.X, x.Index)
	case *syntax.IndexSel:
		return b.bareIndex(x)
	case *syntax.OrderedExpr:
		op := b.expr(x.X)
		op.src = x
		return op
	case *syntax.NamedExpr:
		op := b.expr(x.X)
		op.col, op.src = nil, x
		return op
	case *syntax.TypeOf:
		return b.typeOf(x)
	case *syntax.PipeExpr:
		return b.pipe(x)
	case *syntax.DataTable:
		return b.dataTable(x)
	case *syntax.ContextualDataTable:
		return b.contextual(x)
	case *syntax.ExternalData:
		return b.externalData(x)
	case *syntax.InlineExternalTable:
		return b.inlineExternal(x)
	case *syntax.MaterializedViewCombine:
		b.fail(x.Span, syntax.CodeNotSupported, "materialized-view-combine is not supported")
		return errAt(x)
	case *syntax.ScopeExpr:
		return b.exprIn(x.X, ctx)
	case *syntax.EntityGroup:
		return b.entityGroupExpr(x)
	case *syntax.Lambda:
		return operand{kind: opFunc, src: x, fn: b.lambda(x, "")}
	case *syntax.Star:
		return operand{kind: opStar, src: x, t: tDynamic}
	case *syntax.At:
		b.fail(x.Span, syntax.CodeNotSupported, "@ is not supported as a name")
		return errAt(x)
	}
	b.fail(x.Range(), syntax.CodeNotSupported, "this expression is not supported here")
	return errAt(x)
}

// scalarExpr binds an expression that must be scalar.
func (b *binder) scalarExpr(x syntax.Expr) operand {
	op := b.expr(x)
	b.wantScalar(&op, x)
	return op
}

func (b *binder) wantScalar(op *operand, x syntax.Expr) bool {
	switch op.kind {
	case opScalar, opTuple, opErr:
		return op.kind != opErr
	}
	b.fail(x.Range(), "SEM0108", "a scalar value is expected here, not a %s", op.typeName())
	at := errAt(x)
	*op = at
	return false
}

// boolExpr binds a predicate.
func (b *binder) boolExpr(x syntax.Expr) plan.Expr {
	op := b.expr(x)
	b.wantExact(&op, x, tBool)
	return op.expr()
}

// wantExact reports an expression that is not of type want.
func (b *binder) wantExact(op *operand, x syntax.Expr, want typ) bool {
	t := op.typ()
	if op.kind == opErr || t.isUnknown() || op.kind == opScalar && t.isErr() {
		return true
	}
	if op.isScalar() && (want.isAny() && t.isDynamic() || assignable(want, t, convNone)) {
		return true
	}
	b.fail(x.Range(), "SEM0141", "the expression must have the type %s, not %s", want, op.typeName())
	return false
}

func (b *binder) wantInteger(op *operand, x syntax.Expr) {
	if t := op.typ(); op.kind != opErr && !t.isErr() && !t.isInteger() || op.kind == opTable {
		b.fail(x.Range(), "SEM0134", "an integer is expected here, not %s", op.typeName())
	}
}

func (b *binder) wantNotDynamic(op *operand, x syntax.Expr) bool {
	if op.kind == opScalar && op.t.isDynamic() {
		b.fail(x.Range(), "SEM0116", "a value of type dynamic is not allowed here; convert it with tostring(), tolong() …")
		return false
	}
	return true
}

func (b *binder) wantColumn(op *operand, x syntax.Expr) bool {
	if op.col != nil {
		return true
	}
	b.fail(x.Range(), "SEM0109", "a column name is expected here")
	return false
}

// tableExpr binds an expression that must be tabular.
func (b *binder) tableExpr(x syntax.Expr) *table {
	op := b.exprIn(x, tableContext)
	return b.wantTable(&op, x)
}

func (b *binder) wantTable(op *operand, x syntax.Expr) *table {
	switch op.kind {
	case opTable:
		return op.tab
	case opErr:
	case opGroup:
		if len(op.tabs) > 0 {
			return op.tabs[0]
		}
		b.fail(x.Range(), "SEM0111", "a tabular value is expected here, not several columns")
	default:
		b.fail(x.Range(), "SEM0111", "a tabular value is expected here, not %s", op.typeName())
	}
	return b.openTable("")
}

// operatorCall binds an infix or prefix operator.
func (b *binder) operatorCall(name string, args []arg, at syntax.Span, x syntax.Expr, all bool) operand {
	f, ok := catalog.LookupOperator(name)
	if !ok {
		b.fail(at, syntax.CodeNotSupported, "the operator %s is not supported", name)
		return errAt(x)
	}
	b.count(at)
	m := b.newMatcher(args)
	t := b.operatorType(f, m, at, all, true)
	b.dynamicPair(name, m, at)
	for i := range args {
		b.wantOne(&args[i])
	}
	op := operand{kind: opScalar, src: x, t: t, isConst: true}
	exprs := make([]plan.Expr, len(args))
	for i := range args {
		exprs[i] = args[i].expr()
		op.isConst = op.isConst && args[i].isConst
	}
	if t.isErr() {
		op.t = tErr
		op.e = nullExpr()
		return op
	}
	if name == "UnaryPlus" {
		op.e = exprs[0]
	} else {
		op.e = b.call(name, t.v, span(x), exprs...)
	}
	op.val = constValue(op.e)
	return op
}

// operatorType finds the type of an operator's result and reports operands that don't fit.
func (b *binder) operatorType(f *catalog.Function, m *matcher, at syntax.Span, all, report bool) typ {
	sigs := m.choose(f, all)
	if len(sigs) == 1 {
		if report {
			b.check(m, f, sigs[0], at, true)
		}
		t := b.operatorResult(m, f, sigs[0])
		if t.isAny() && m.unwrap() {
			if u := b.operatorType(f, m, at, all, false); u.plain() {
				t = dynamicOf(u)
			}
			m.rewrap()
		}
		return t
	}
	if len(sigs) == 0 && all {
		sigs = m.choose(f, false)
	}
	if report && !m.doubtful() {
		b.fail(at, "SEM0106", "the operator %s is not defined for the operand types %s", b.text0(at), m.typeNames())
	}
	return b.commonResult(m, f, sigs)
}

// wantOne refuses a scan step or pattern variable where one value is wanted; the editor service lets it pass.
func (b *binder) wantOne(a *arg) {
	if a.kind == opTuple && a.rel != nil && !b.opt.Editor {
		b.failHint(a.at(), "SEM0108", "name one of its columns: "+strings.Trim(b.text0(a.at()), "'")+".column", "a scalar value is expected here, not a whole row")
	}
}

// dynamicPair refuses what the engine refuses though the editor service lets it pass: comparing or computing
// with two dynamic values.
func (b *binder) dynamicPair(name string, m *matcher, at syntax.Span) {
	if b.opt.Editor || len(m.types) != 2 || !m.types[0].isDynamic() || !m.types[1].isDynamic() || m.args[0].star {
		return
	}
	switch name {
	case "Equal", "NotEqual", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual", "Add", "Subtract", "Multiply", "Divide", "Modulo":
		b.failHint(at, "SEM0064", "convert one of them with tostring(), tolong() …", "the operator %s does not take two dynamic values", b.text0(at))
	}
}

func (b *binder) operatorResult(m *matcher, f *catalog.Function, s *catalog.Signature) typ {
	if s.Return == catalog.Custom { // UnaryMinus, UnaryPlus
		return promoteInt(m.types[0])
	}
	return b.resultType(m, f, s)
}

// unwrap looks at scalars inside dynamic as scalars; false when there are none.
func (m *matcher) unwrap() bool {
	any := false
	for i := range m.types {
		if t := m.types[i]; t.isDynamic() && t.shape == shapePrim {
			m.types[i] = *t.elem
			any = true
		}
	}
	return any
}

func (m *matcher) rewrap() {
	for i := range m.args {
		m.types[i] = m.args[i].typ()
	}
}

// text0 is the source text of a span, for messages.
func (b *binder) text0(s syntax.Span) string {
	if s.Start < 0 || s.End > len(b.text) || s.Start > s.End {
		return ""
	}
	return quoteName(b.text[s.Start:s.End])
}

func (b *binder) operand(x syntax.Expr) arg {
	if _, ok := x.(*syntax.Star); ok {
		return arg{operand: operand{kind: opScalar, t: tDynamic, e: nullExpr(), src: x}, x: x, star: true}
	}
	return arg{operand: b.expr(x), x: x}
}

func (b *binder) unary(x *syntax.UnaryExpr) operand {
	a := b.operand(x.X)
	at := syntax.Span{Start: x.Start, End: x.Start + 1}
	op := b.operatorCall(string(x.Op), []arg{a}, at, x, true)
	if a.lit && op.val != nil {
		op.lit = true
	}
	return op
}

func (b *binder) binary(x *syntax.BinaryExpr) operand {
	l := b.operand(x.X)
	r := b.operand(x.Y)
	name := string(x.Op)
	if l.star && b.row != nil {
		return b.starPredicate(x, name, r)
	}
	return b.operatorCall(name, []arg{l, r}, x.OpSpan, x, true)
}

// listOperator is the catalogue's name of an in, has_any or has_all operator.
func listOperator(op syntax.BinaryOp) string {
	switch op.Text() {
	case "in":
		return "In"
	case "in~":
		return "InCs"
	case "!in":
		return "NotIn"
	case "!in~":
		return "NotInCs"
	}
	return string(op)
}

func (b *binder) in(x *syntax.InExpr) operand {
	name := listOperator(x.Op)
	args := []arg{b.operand(x.X)}
	for _, l := range x.List {
		kind := b.kind
		a := arg{operand: b.expr(l), x: l}
		b.kind = kind
		args = append(args, a)
	}
	if len(args) == 2 && args[1].kind == opTable {
		f, _ := catalog.LookupOperator(name)
		m := b.newMatcher(args)
		t := b.operatorType(f, m, x.OpSpan, false, true)
		if t.isErr() {
			return errAt(x)
		}
		tab := args[1].tab
		if len(tab.cols) == 0 && !tab.open {
			b.fail(args[1].at(), "SEM0190", "the table has no columns")
		}
		e := &plan.InSub{X: args[0].expr(), Node: b.solid(tab), Negate: strings.HasPrefix(name, "Not"), CaseInsensitive: strings.HasSuffix(name, "Cs"), Op: name, At: span(x)}
		return operand{kind: opScalar, src: x, t: tBool, e: e}
	}
	return b.operatorCall(name, args, x.OpSpan, x, false)
}

func (b *binder) between(x *syntax.BetweenExpr) operand {
	args := []arg{b.operand(x.X), b.operand(x.Low), b.operand(x.High)}
	return b.operatorCall(string(x.Op), args, x.OpSpan, x, false)
}

// typeOf binds a type literal.
func (b *binder) typeOf(x *syntax.TypeOf) operand {
	op := operand{kind: opType, src: x, isConst: true, lit: true, t: tUnknown}
	if x.Type != nil {
		op.t = b.declared(x.Type)
		op.e = plan.Str(op.t.v.String())
		op.val = constValue(op.e)
		return op
	}
	if x.Star {
		if b.row == nil {
			b.fail(x.Span, "SEM0199", "no columns are in scope")
		} else {
			op.schema = append(op.schema, b.row.cols...)
		}
	}
	for _, c := range x.Columns {
		op.schema = append(op.schema, &column{Col: plan.Col{Name: c.Name.Text, Type: c.Type.Type}, t: b.declared(c.Type)})
	}
	op.e = plan.Str("table")
	return op
}

// declared is the type that a type name means.
func (b *binder) declared(x *syntax.TypeRef) typ {
	if x == nil || x.Type == value.Invalid {
		if x != nil {
			b.fail(x.Span, "SEM0160", "%s is not the name of a type", quoteName(x.Text))
		}
		return tUnknown
	}
	return scalar(x.Type)
}

// index binds x[i].
func (b *binder) index(x, left, sel syntax.Expr) operand {
	c := b.expr(left)
	if c.kind == opDatabase || c.kind == opCluster {
		if n, ok := indexName(sel); ok {
			return b.member(x, c, &syntax.NameRef{Span: sel.Range(), Name: n, Quoted: true}, anyContext)
		}
	}
	kind := b.kind
	b.kind = scopeNormal
	if kind == scopeAggregate {
		b.kind = scopeAggregate
	}
	i := b.expr(sel)
	b.kind = kind
	return b.element2(x, c, i, sel)
}

func (b *binder) element2(x syntax.Expr, c, i operand, sel syntax.Expr) operand {
	t, it := c.typ(), i.typ()
	dyn := c.kind == opScalar && (t.isUnknown() || t.isDynamic() && t.shape != shapePrim)
	b.note(x, note{dynamic: dyn})
	if i.kind == opErr || i.kind == opScalar && it.isErr() || c.kind == opErr || c.kind == opScalar && t.isErr() {
		return errAt(x)
	}
	if c.kind == opTuple {
		if i.val != nil && i.val.Type == value.Long || i.val != nil && i.val.Type == value.Int {
			if n := i.val.I; n >= 0 && int(n) < len(c.tuple) {
				v := c.tuple[n]
				return operand{kind: opScalar, src: x, t: v.t, e: v.e, col: v.col}
			}
		}
		if i.val != nil && i.val.Type == value.String {
			return b.tupleMember(x, c, i.val.S, sel.Range())
		}
		return unknownOf(x)
	}
	if c.kind != opScalar {
		b.fail(b.bracket(x, sel), "SEM0147", "[ ] only applies to dynamic values")
		return errAt(x)
	}
	get := func(r typ) operand {
		name := "index"
		if i.val != nil && i.val.Type == value.String {
			name = "member"
		}
		op := operand{kind: opScalar, src: x, t: r, isConst: c.isConst && i.isConst}
		op.e = b.call(name, value.Dynamic, span(x), c.expr(), i.expr())
		return op
	}
	isInt := it.isInteger() || it.isAny() || it.isDynamic() && it.shape == shapePrim && it.elem.is(value.Long)
	isStr := it.is(value.String) || it.isDynamic() || it.isUnknown()
	switch {
	case t.isUnknown():
		return unknownOf(x)
	case t.isDynamic() && t.shape == shapeArray:
		if !isInt {
			b.fail(sel.Range(), "SEM0141", "an array index must be int or long, not %s", i.typeName())
		}
		return get(t.element())
	case t.isDynamic() && t.shape == shapeBag:
		if !isStr {
			b.fail(sel.Range(), "SEM0141", "a property name must be a string, not %s", i.typeName())
			return get(tDynamic)
		}
		if i.val != nil && i.val.Type == value.String {
			if p, ok := t.prop(i.val.S); ok {
				return get(dynamicOf(p))
			}
		}
		return get(tDynamic)
	case t.isAny():
		if !isInt && !isStr {
			b.fail(sel.Range(), "SEM0141", "an index must be int, long or string, not %s", i.typeName())
		}
		return get(tDynamic)
	}
	b.fail(b.bracket(x, sel), "SEM0147", "[ ] only applies to dynamic values, not to %s", c.typeName())
	return errAt(x)
}

// bracket is the place of the brackets around an index.
func (b *binder) bracket(x, sel syntax.Expr) syntax.Span {
	at := sel.Range()
	for i := at.Start - 1; i >= 0 && i < len(b.text); i-- {
		if b.text[i] == '[' {
			return syntax.Span{Start: i, End: x.Range().End}
		}
	}
	return at
}

// bareIndex binds [x] that follows nothing.
func (b *binder) bareIndex(x *syntax.IndexSel) operand {
	i := b.expr(x.Index)
	switch {
	case i.kind == opErr:
		return errAt(x)
	case i.kind != opScalar || !i.t.is(value.String):
		b.fail(x.Index.Range(), "SEM0141", "the expression must have the type string, not %s", i.typeName())
	case !i.lit:
		b.fail(x.Index.Range(), "SEM0131", "the expression must be a literal")
	default:
		return b.name(&syntax.NameRef{Span: x.Span, Name: i.val.S, Quoted: true}, anyContext)
	}
	return errAt(x)
}

// path binds x.member.
func (b *binder) path(x *syntax.PathExpr, ctx context) operand {
	left := b.expr(x.X)
	return b.member(x, left, x.Member, ctx)
}

func (b *binder) member(x syntax.Expr, left operand, sel syntax.Expr, ctx context) operand {
	if s, ok := sel.(*syntax.IndexSel); ok {
		if left.kind == opScalar || left.kind == opErr {
			i := b.expr(s.Index)
			return b.element2(x, left, i, s.Index)
		}
		n, ok := indexName(s.Index)
		if !ok {
			b.fail(s.Span, "SEM0131", "the expression must be a literal")
			return errAt(x)
		}
		sel = &syntax.NameRef{Span: s.Span, Name: n, Quoted: true}
	}
	t := left.typ()
	dyn := left.kind == opScalar && (t.isUnknown() || t.isDynamic() && t.shape != shapePrim)
	b.note(x, note{dynamic: dyn})
	switch left.kind {
	case opErr:
		return errAt(x)
	case opDatabase, opCluster, opEntityGroup:
		return b.entityMember(x, left, sel, ctx)
	case opTuple:
		if n, ok := sel.(*syntax.NameRef); ok {
			return b.tupleMember(x, left, n.Name, n.Span)
		}
	case opPattern:
		return b.patternMember(x, left, sel)
	case opScalar:
		if t.isErr() {
			return errAt(x)
		}
		n, ok := sel.(*syntax.NameRef)
		if !ok {
			break
		}
		if t.isUnknown() {
			return unknownOf(x)
		}
		if t.isDynamic() {
			r := tDynamic
			if p, ok := t.prop(n.Name); ok && t.shape == shapeBag {
				r = dynamicOf(p)
			}
			key := plan.Str(n.Name)
			op := operand{kind: opScalar, src: x, t: r, isConst: left.isConst && false}
			op.e = b.call("member", value.Dynamic, span(x), left.expr(), key)
			return op
		}
		b.failHint(n.Span, "SEM0100", "only dynamic values have properties; parse the text with parse_json() first", "%s has no property %s: it is of type %s", b.text0(syntax.Span{Start: x.Range().Start, End: n.Start - 1}), quoteName(n.Name), t)
		return errAt(x)
	}
	if c, ok := sel.(*syntax.Call); ok {
		b.failHint(c.Name.Span, "SEM0211", "", "the name %s does not refer to any known function here", quoteName(c.Name.Name))
		return errAt(x)
	}
	b.fail(sel.Range(), "SEM0100", "the name %s does not refer to anything here", b.text0(sel.Range()))
	return errAt(x)
}

// tupleMember picks a value of a tuple by name.
func (b *binder) tupleMember(x syntax.Expr, left operand, name string, at syntax.Span) operand {
	for i := range left.tuple {
		if left.tuple[i].name == name {
			v := left.tuple[i]
			return operand{kind: opScalar, src: x, t: v.t, e: v.e, col: v.id, member: left.member}
		}
	}
	if left.rel != nil && left.rel.open {
		c := left.rel.find(name)
		if c == nil {
			c = b.infer(left.rel, name)
		}
		return b.columnOp(x, c)
	}
	b.failHint(at, "SEM0100", b.nearIn(name, left.tuple), "the name %s does not refer to any known column here", quoteName(name))
	return errAt(x)
}

func (b *binder) nearIn(name string, tuple []tupleCol) string {
	for _, v := range tuple {
		if distance(strings.ToLower(name), strings.ToLower(v.name), 2) <= 2 {
			return "did you mean " + quoteName(v.name) + "?"
		}
	}
	return ""
}
