package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

var joinKinds = map[string]plan.JoinKind{
	"": plan.InnerUnique, "innerunique": plan.InnerUnique, "inner": plan.Inner, "leftouter": plan.LeftOuter, "rightouter": plan.RightOuter,
	"fullouter": plan.FullOuter, "leftsemi": plan.LeftSemi, "rightsemi": plan.RightSemi, "leftanti": plan.LeftAnti, "anti": plan.LeftAnti,
	"leftantisemi": plan.LeftAnti, "rightanti": plan.RightAnti, "rightantisemi": plan.RightAnti,
}

// joinSide binds the right side of a join or lookup, which sees no columns of the left.
func (b *binder) joinSide(x syntax.Expr) *table {
	var t *table
	b.outside(func() { t = b.tableExpr(x) })
	return t
}

func (b *binder) joinOp(in *table, x *syntax.JoinOp) *table {
	b.queryParams(x.Params, paramsJoin)
	right := b.joinSide(x.Right)
	kind := joinKinds[strings.ToLower(word(x.Params, "kind"))]
	node := &plan.Join{Kind: kind, At: span(x)}
	switch {
	case x.On != nil:
		for _, pr := range b.joinOn(in, right, x.On) {
			node.On = append(node.On, pr.key)
		}
	case x.Where != nil:
		b.fail(x.Where.Range(), syntax.CodeNotSupported, "join … where is not supported; use join … on")
	default:
		b.fail(x.Span, "SEM0001", "the join has no on clause")
	}
	var cols []*column
	open := false
	if kind != plan.RightSemi && kind != plan.RightAnti {
		cols = append(cols, in.cols...)
		open = in.open
	}
	if kind != plan.LeftSemi && kind != plan.LeftAnti {
		cols = append(cols, right.cols...)
		open = open || right.open
	}
	node.Left, node.Right = b.solid(in), b.solid(right)
	cols = distinctNames(cols)
	node.Out = planCols(cols)
	return &table{cols: cols, open: open, node: node, missing: in.missing || right.missing}
}

// distinctNames renames later columns whose name is taken: a right-hand k becomes k1.
func distinctNames(cols []*column) []*column {
	names := uniqueNames{}
	first := map[string]int{}
	for i, c := range cols {
		if _, ok := first[c.Name]; !ok {
			first[c.Name] = i
			names.add(c.Name)
		}
	}
	out := make([]*column, len(cols))
	for i, c := range cols {
		out[i] = c
		if first[c.Name] != i {
			n := *c
			n.Name = names.get(c.Name)
			out[i] = &n
		}
	}
	return out
}

type joinPair struct {
	key         plan.JoinKey
	left, right *column
}

// joinOn binds the conditions after on.
func (b *binder) joinOn(left, right *table, xs []syntax.Expr) []joinPair {
	var out []joinPair
	row, rt, kind := b.row, b.right, b.kind
	b.row, b.right, b.kind = left, right, scopeNormal
	for _, x := range xs {
		out = b.joinCondition(left, right, x, out)
	}
	b.row, b.right, b.kind = row, rt, kind
	return out
}

func unparen(x syntax.Expr) syntax.Expr {
	for {
		p, ok := x.(*syntax.ParenExpr)
		if !ok {
			return x
		}
		x = p.X
	}
}

func (b *binder) joinCondition(left, right *table, x syntax.Expr, out []joinPair) []joinPair {
	x = unparen(x)
	switch x := x.(type) {
	case *syntax.BadExpr:
		return out
	case *syntax.BinaryExpr:
		switch x.Op {
		case syntax.OpAnd:
			return b.joinCondition(left, right, x.Y, b.joinCondition(left, right, x.X, out))
		case syntax.OpEqual:
			before := b.failed
			l, r := b.expr(x.X), b.expr(x.Y)
			okL := b.joinOperand(&l, x.X, "$left")
			okR := b.joinOperand(&r, x.Y, "$right")
			if !okL || !okR {
				// on $right.b == $left.a means the same
				return out
			}
			if b.failed == before && b.comparable(&l, &r, x) {
				out = append(out, joinPair{plan.JoinKey{L: l.expr(), R: r.expr()}, l.col, r.col})
			}
			return out
		}
	case *syntax.NameRef:
		return b.joinName(left, right, x, out)
	}
	b.expr(x)
	b.fail(x.Range(), "SEM0182", "a join condition is the name of a column on both sides, or $left.column == $right.column")
	return out
}

func (b *binder) joinOperand(op *operand, x syntax.Expr, side string) bool {
	x = unparen(x)
	var left syntax.Expr
	switch p := x.(type) {
	case *syntax.PathExpr:
		left = p.X
	case *syntax.IndexExpr:
		left = p.X
	}
	n, ok := left.(*syntax.NameRef)
	if !ok || n.Name != side {
		if op.kind == opErr {
			return false
		}
		b.fail(x.Range(), "SEM0183", "this side of the join condition must be %s.column", side)
		return false
	}
	if op.kind == opErr {
		return false
	}
	return b.wantColumn(op, x)
}

func (b *binder) comparable(l, r *operand, x *syntax.BinaryExpr) bool {
	lt, rt := l.typ(), r.typ()
	switch {
	case lt.isDynamic():
		b.fail(x.X.Range(), "SEM0241", "join keys cannot be dynamic; convert them with tostring(), tolong() …")
		return false
	case rt.isDynamic():
		b.fail(x.Y.Range(), "SEM0241", "join keys cannot be dynamic; convert them with tostring(), tolong() …")
		return false
	case lt.isUnknown() || rt.isUnknown() || lt.isErr() || rt.isErr():
		return true
	}
	if promoteInt(lt).v != promoteInt(rt).v {
		b.fail(syntax.Span{}, "SEM0242", "the join keys %s and %s have different types: %s and %s", b.text0(x.X.Range()), b.text0(x.Y.Range()), lt, rt)
		return false
	}
	return true
}

// joinName binds the name of a column that both sides have.
func (b *binder) joinName(left, right *table, x *syntax.NameRef, out []joinPair) []joinPair {
	op := b.name(x, anyContext)
	if op.kind == opErr {
		b.wantColumn(&op, x)
		return out
	}
	if !b.wantColumn(&op, x) {
		return out
	}
	pick := func(t *table) *column {
		c := t.find(x.Name)
		if c == nil && t.open {
			c = b.infer(t, x.Name)
		}
		return c
	}
	l, r := pick(left), pick(right)
	if l == nil || r == nil {
		b.failHint(x.Span, "SEM0145", "name both columns: $left.a == $right.b", "the column %s must exist on both sides of the join", quoteName(x.Name))
		return out
	}
	if !l.t.isUnknown() && !r.t.isUnknown() && l.Type != r.Type {
		b.failHint(x.Span, "SEM0227", "convert one of them", "the common column %s must have the same type on both sides: it is %s and %s", quoteName(x.Name), l.Type, r.Type)
		return out
	}
	if l.Type == value.Dynamic && r.Type == value.Dynamic {
		// the binder of the service lets it pass, its engine compares the texts
		at := span(x)
		return append(out, joinPair{plan.JoinKey{L: b.call("tostring", value.String, at, b.ref(l, at)), R: b.call("tostring", value.String, at, b.ref(r, at))}, l, r})
	}
	at := span(x)
	return append(out, joinPair{plan.JoinKey{L: b.ref(l, at), R: b.ref(r, at)}, l, r})
}

func (b *binder) lookupOp(in *table, x *syntax.LookupOp) *table {
	b.queryParams(x.Params, paramsLookup)
	right := b.joinSide(x.Right)
	node := &plan.Join{Kind: plan.LeftOuter, At: span(x)}
	if word(x.Params, "kind") == "inner" {
		node.Kind = plan.Inner
	}
	keys := map[*column]bool{}
	for _, pr := range b.joinOn(in, right, x.On) {
		node.On = append(node.On, pr.key)
		if pr.right != nil {
			keys[pr.right] = true
		}
	}
	cols := append([]*column(nil), in.cols...)
	for _, c := range right.cols {
		if !keys[c] {
			cols = append(cols, c)
		}
	}
	node.Left, node.Right = b.solid(in), b.solid(right)
	cols = distinctNames(cols)
	node.Out = planCols(cols)
	return &table{cols: cols, open: in.open || right.open, node: node, missing: in.missing || right.missing}
}
