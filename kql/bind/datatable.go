package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

func (b *binder) dataTable(x *syntax.DataTable) operand {
	b.count(x.Span)
	cols := b.schemaColumns(x.Schema)
	n := len(cols)
	if n > 0 && len(x.Values)%n != 0 {
		at := syntax.Span{Start: x.Values[0].Range().Start, End: x.Values[len(x.Values)-1].Range().End}
		b.fail(at, "SEM0173", "the number of values must be a multiple of the %d columns; there are %d", n, len(x.Values))
	}
	node := &plan.Values{Out: planCols(cols)}
	var row []value.Value
	row0 := b.row
	b.row = nil
	for i, e := range x.Values {
		op := b.scalarExpr(e)
		if n == 0 {
			continue
		}
		v := b.cell(op, e, cols[i%n].Type)
		row = append(row, v)
		if len(row) == n {
			node.Rows = append(node.Rows, row)
			row = nil
		}
	}
	b.row = row0
	return tableOp(x, &table{cols: cols, node: node})
}

// cell converts a value of a datatable to its column's type; what doesn't convert is null.
func (b *binder) cell(op operand, x syntax.Expr, t value.Type) value.Value {
	null := value.Value{Type: t, Null: t != value.String && t != value.Dynamic}
	if op.kind != opScalar || op.t.isErr() {
		return null
	}
	if op.t.null {
		return null
	}
	e := op.expr()
	if op.t.v != t && t != value.Unknown {
		if t == value.Dynamic {
			if k := constValue(e); k != nil {
				d, _ := scalarElement(*k)
				return value.Value{Type: t, D: d}
			}
		}
		e = b.coerce(e, op.t, t)
	}
	k := constValue(e)
	if k == nil {
		if b.failed == 0 {
			b.fail(x.Range(), "SEM0129", "the value must be a constant")
		}
		return null
	}
	return *k
}

// scalarElement puts a scalar into dynamic.
func scalarElement(v value.Value) (any, bool) {
	if v.Null {
		return nil, true
	}
	switch v.Type {
	case value.Bool:
		return v.I != 0, true
	case value.Int, value.Long:
		return v.I, true
	case value.Real:
		return v.F, true
	case value.String:
		return v.S, true
	case value.Datetime:
		return value.DateTime(v.I), true
	case value.Timespan:
		return value.TimeSpan(v.I), true
	case value.GUID:
		return value.Guid(v.G), true
	case value.Decimal:
		return v.M, true
	case value.Dynamic:
		return v.D, true
	}
	return nil, false
}

func (b *binder) externalData(x *syntax.ExternalData) operand {
	b.count(x.Span)
	cols := b.schemaColumns(x.Schema)
	node := &plan.ExternalData{Out: planCols(cols), Props: map[string]value.Value{}, At: span(x)}
	for _, u := range x.URIs {
		var op operand
		b.outside(func() { op = b.scalarExpr(u) })
		b.wantExact(&op, u, tString)
		node.URIs = append(node.URIs, op.expr())
	}
	for _, p := range x.With {
		node.Props[p.Name.Text] = b.propValue(p)
	}
	return tableOp(x, &table{cols: cols, node: node})
}

// propValue is the value of a property as written.
func (b *binder) propValue(p *syntax.Param) value.Value {
	if w, ok := paramWord(p); ok {
		return value.Value{Type: value.String, S: w}
	}
	if l, ok := p.Value.(*syntax.Literal); ok {
		op := b.literal(l)
		return *op.val
	}
	return value.Value{Type: value.Bool, I: 1}
}

func (b *binder) inlineExternal(x *syntax.InlineExternalTable) operand {
	b.count(x.Span)
	cols := b.schemaColumns(x.Schema)
	node := &plan.ExternalData{Out: planCols(cols), Props: map[string]value.Value{}, At: span(x)}
	for _, u := range x.URIs {
		var op operand
		b.outside(func() { op = b.scalarExpr(u) })
		b.wantExact(&op, u, tString)
		node.URIs = append(node.URIs, op.expr())
	}
	if x.DataFormat != nil {
		node.Props["format"] = value.Value{Type: value.String, S: x.DataFormat.Text}
	}
	for _, p := range x.Partition {
		if p.X == nil && p.Type != nil {
			cols = append(cols, b.newCol(p.Name.Text, b.declared(p.Type)))
		}
	}
	node.Out = planCols(cols)
	if !b.opt.Editor && (x.Partition != nil || x.PathFormat != nil || x.Kind != nil && x.Kind.Text == "delta") {
		b.fail(x.Span, syntax.CodeNotSupported, "partitions, path formats and delta tables are not supported in inline_external_table; use externaldata")
	}
	for _, p := range x.With {
		node.Props[p.Name.Text] = b.propValue(p)
	}
	return tableOp(x, &table{cols: cols, node: node, open: x.Schema == nil})
}

func (b *binder) rangeOp(x *syntax.RangeOp) *table {
	bound := func(e syntax.Expr) operand {
		op := b.scalarExpr(e)
		if t := op.typ(); op.kind != opErr && !t.isErr() && !t.isSummable() {
			b.fail(e.Range(), "SEM0138", "a number, timespan or datetime is expected here, not %s", op.typeName())
		}
		return op
	}
	from, to, step := bound(x.From), bound(x.To), bound(x.Step)
	if v := constValue(step.expr()); v != nil && !v.Null && step.lit && isZero(v) {
		b.fail(x.Step.Range(), "SEM0132", "the step must not be 0")
	}
	ft, ok := common(from.typ(), to.typ(), convPromotable)
	if !ok {
		ft = tUnknown
	}
	t := ft
	if st := step.typ(); !(ft.is(value.Int) && st.is(value.Int)) {
		f, _ := lookupOperator("Add")
		m := &matcher{args: []arg{{operand: operand{kind: opScalar, t: ft}}, {operand: operand{kind: opScalar, t: st}}}, types: []typ{ft, st}}
		report := !st.isErr() && from.kind != opErr && to.kind != opErr && step.kind != opErr && st.isSummable() && ft.isSummable()
		if t = b.operatorType(f, m, x.Step.Range(), true, report); t.isErr() {
			t = tUnknown
		}
	}
	c := b.newCol(x.Name.Text, t)
	node := &plan.Range{Out: c.Col, From: b.coerce(from.expr(), from.typ(), t.v), To: b.coerce(to.expr(), to.typ(), t.v), Step: step.expr()}
	if t.v != value.Datetime {
		node.Step = b.coerce(step.expr(), step.typ(), t.v)
	}
	return &table{cols: []*column{c}, node: node, serialized: true}
}

func isZero(v *value.Value) bool {
	switch v.Type {
	case value.Long, value.Int, value.Timespan:
		return v.I == 0
	case value.Real:
		return v.F == 0
	}
	return false
}
