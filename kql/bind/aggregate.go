package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strconv"
	"strings"
)

// aggregate binds a call of an aggregate: it is put on the list of the operator at hand, and the expression
// around it reads its output column.
func (b *binder) aggregate(x *syntax.Call, f *catalog.Function) operand {
	b.note(x, note{fn: f})
	args := b.bindArgs(x.Args, scopeNormal)
	if f.Name == "count" && len(args) == 1 && !b.opt.Editor && !args[0].typ().is(value.Bool) && args[0].isScalar() {
		args = nil // the engine counts rows whatever the argument is
	}
	m := b.newMatcher(args)
	s, t := b.chooseFunction(m, f, x.Name.Span, true)
	if s == nil {
		if t.isErr() {
			return errAt(x)
		}
		return operand{kind: opScalar, src: x, t: t, e: nullExpr()}
	}
	if b.aggs == nil {
		b.fail(x.Name.Span, "SEM0144", "the aggregate function %s is not allowed here", quoteName(f.Name))
		return errAt(x)
	}
	if s.Return == catalog.Custom {
		return b.customAggregate(x, f, s, m)
	}
	if t.isErr() {
		t = tUnknown
	}
	c := b.addAgg(f.Name, t, span(x), exprsOf(args))
	return operand{kind: opScalar, src: x, t: t, e: b.ref(c, span(x))}
}

func (b *binder) addAgg(name string, t typ, at plan.Span, args []plan.Expr) *column {
	c := b.newCol(name+"_", t)
	*b.aggs = append(*b.aggs, plan.Agg{Out: []plan.Col{c.Col}, Call: &plan.AggCall{Name: name, Args: args, T: c.Type, At: at}})
	return c
}

func (b *binder) customAggregate(x *syntax.Call, f *catalog.Function, s *catalog.Signature, m *matcher) operand {
	switch f.Name {
	case "arg_max", "arg_min":
		return b.argMinMax(x, m, strings.TrimPrefix(f.Name, "arg_"))
	case "argmax", "argmin": // the old names put max_x before the name of every column but the first
		op := b.argMinMax(x, m, strings.TrimPrefix(f.Name, "arg"))
		primary, _ := b.resultName(x.Args[0])
		for i := range op.tuple {
			v := &op.tuple[i]
			v.id = nil
			switch {
			case i == 0:
				v.name = f.Prefix + "_" + primary
			case v.name == f.Prefix+"_"+primary+"_arg"+strconv.Itoa(i):
			default:
				v.name = f.Prefix + "_" + primary + "_" + v.name
			}
		}
		return op
	case "any":
		op := b.takeAny(x, m, "")
		op.prefix = f.Prefix
		return op
	case "take_any":
		return b.takeAny(x, m, "any_")
	case "percentile", "percentiles", "percentilew", "percentilesw":
		return b.percentiles(x, f, s, m)
	case "percentiles_array", "percentilesw_array":
		name, _ := b.resultName(x.Args[0])
		c := b.addAgg(f.Name, tArray, span(x), exprsOf(m.args))
		op := operand{kind: opTuple, src: x}
		op.tuple = []tupleCol{{name: "percentiles_" + name, t: tArray, e: b.ref(c, span(x)), id: c}}
		return op
	}
	b.fail(x.Name.Span, syntax.CodeNotSupported, "the aggregate function %s is not supported", quoteName(f.Name))
	return errAt(x)
}

// percentiles become one percentile(x, p) a column.
func (b *binder) percentiles(x *syntax.Call, f *catalog.Function, s *catalog.Signature, m *matcher) operand {
	name, _ := b.resultName(x.Args[0])
	t := m.types[0]
	switch t.v {
	case value.Int:
		t = tLong
	case value.Decimal:
		t = tReal
	}
	one, n := "percentile", 1
	if f.Name == "percentilew" || f.Name == "percentilesw" {
		one, n = "percentilew", 2
	}
	op := operand{kind: opTuple, src: x}
	for i := n; i < len(m.args); i++ {
		text := ""
		if v := b.writtenValue(x.Args[i]); v != nil && !v.Null {
			switch v.Type {
			case value.Int, value.Long:
				text = strconv.FormatInt(v.I, 10)
			case value.Real:
				text = strconv.FormatFloat(v.F, 'g', -1, 64)
			case value.Decimal:
				text = v.M.String()
			}
		}
		args := append(exprsOf(m.args[:n]), m.args[i].expr())
		c := b.addAgg(one, t, span(x), args)
		op.tuple = append(op.tuple, tupleCol{name: "percentile_" + name + "_" + fragment(text), t: t, e: b.ref(c, span(x)), id: c})
	}
	return op
}

// pick is one column that arg_max or take_any returns.
type pick struct {
	name string
	t    typ
	e    plan.Expr
	col  *column // the input column itself, when it is handed on under its own identity
	from *column // the input column it is a copy of
}

// picked adds an aggregate with several outputs.
func (b *binder) picked(x *syntax.Call, name string, picks []pick) operand {
	call := &plan.AggCall{Name: name, T: value.Dynamic, At: span(x)}
	agg := plan.Agg{Call: call}
	op := operand{kind: opTuple, src: x}
	for _, p := range picks {
		c := b.newCol(p.name, p.t)
		agg.Out = append(agg.Out, c.Col)
		call.Args = append(call.Args, p.e)
		id := c
		if p.col != nil {
			id = p.col
		}
		op.tuple = append(op.tuple, tupleCol{name: p.name, t: p.t, e: b.ref(c, span(x)), col: p.from, id: id})
	}
	if len(agg.Out) > 0 {
		call.T = agg.Out[0].Type
		*b.aggs = append(*b.aggs, agg)
	}
	return op
}

func (b *binder) argMinMax(x *syntax.Call, m *matcher, prefix string) operand {
	primary, _ := b.resultName(x.Args[0])
	star := false
	for i := range m.args {
		star = star || m.args[i].star
	}
	done := map[*column]bool{}
	var picks []pick
	add := func(i int, c *column) bool {
		return i == 0 || !star || !done[c] && !b.by[c]
	}
	for i := range m.args {
		a := &m.args[i]
		switch {
		case a.star:
			if b.row == nil {
				continue
			}
			for _, c := range b.row.cols {
				if !c.ghost && add(i, c) {
					done[c] = true
					picks = append(picks, pick{c.Name, c.t, b.ref(c, span(x)), c, c})
				}
			}
		case a.name != nil && a.col != nil:
			if add(i, a.col) {
				done[a.col] = true
				picks = append(picks, pick{a.name.Text, a.t, a.expr(), nil, a.col})
			}
		case a.col != nil:
			if !add(i, a.col) {
				continue
			}
			p := pick{a.col.Name, a.t, a.expr(), a.col, a.col}
			if done[a.col] || b.by[a.col] {
				p.col = nil
			}
			done[a.col] = true
			picks = append(picks, p)
		default:
			name, ok := b.resultName(x.Args[i])
			if !ok {
				if i == 0 {
					name = prefix + "_"
				} else {
					name = prefix + "_" + primary + "_arg" + strconv.Itoa(i)
				}
			}
			picks = append(picks, pick{name, a.typ(), a.expr(), nil, nil})
		}
	}
	name := "arg_" + prefix
	return b.picked(x, name, picks)
}

func (b *binder) takeAny(x *syntax.Call, m *matcher, prefix string) operand {
	star := false
	for i := range m.args {
		star = star || m.args[i].star
	}
	done := map[*column]bool{}
	for c := range b.by {
		done[c] = true
	}
	var picks []pick
	for i := range m.args {
		a := &m.args[i]
		switch {
		case a.star:
			if b.row == nil {
				continue
			}
			for _, c := range b.row.cols {
				if !c.ghost && !done[c] {
					done[c] = true
					picks = append(picks, pick{c.Name, c.t, b.ref(c, span(x)), c, c})
				}
			}
		case a.name != nil && a.col != nil:
			if !star || !done[a.col] {
				done[a.col] = true
				picks = append(picks, pick{a.name.Text, a.t, a.expr(), nil, a.col})
			}
		case a.col != nil:
			if star && done[a.col] {
				continue
			}
			p := pick{a.col.Name, a.t, a.expr(), a.col, a.col}
			if done[a.col] {
				p.col = nil
			}
			done[a.col] = true
			picks = append(picks, p)
		default:
			name, _ := b.resultName(x.Args[i])
			if name == "" {
				name = prefix + "arg" + strconv.Itoa(i)
			}
			picks = append(picks, pick{name, a.typ(), a.expr(), nil, nil})
		}
	}
	return b.picked(x, "take_any", picks)
}
