package bind

import (
	"fmt"
	"picket/kql/catalog"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// check reports what is wrong with the arguments of a call of signature s; at is the place of its name.
func (b *binder) check(m *matcher, f *catalog.Function, s *catalog.Signature, at syntax.Span, isOperator bool) {
	n := len(m.args)
	before := b.failed
	params := m.layout(f, s)
	valid := n >= s.MinArgs && n <= s.MaxArgs
	if valid && s.Layout == catalog.Block {
		k, fixed := 0, 0
		for i := range s.Params {
			if s.Params[i].Max > 1 {
				k++
			} else {
				fixed++
			}
		}
		valid = (n-fixed)%k == 0
	}
	if !valid {
		switch {
		case s.Repeats && (n < s.MinArgs || n > s.MaxArgs):
			b.fail(at, "SEM0119", "the function %s takes between %d and %d arguments, not %d", quoteName(f.Name), s.MinArgs, s.MaxArgs, n)
		case s.Repeats:
			b.fail(at, "SEM0121", "the function %s has an incorrect number of arguments (%d)", quoteName(f.Name), n)
		case s.MinArgs == s.MaxArgs:
			b.fail(at, "SEM0118", "the function %s takes %s, not %d", quoteName(f.Name), plural(s.MaxArgs, "argument"), n)
		default:
			b.fail(at, "SEM0118", "the function %s takes between %d and %d arguments, not %d", quoteName(f.Name), s.MinArgs, s.MaxArgs, n)
		}
		return
	}
	for _, p := range params {
		if p != nil && (p.Kind == catalog.CommonScalar || p.Kind == catalog.CommonOrderable || p.Kind == catalog.CommonScalarOrDynamic) {
			if _, ok := m.commonType(params, false); !ok {
				if !m.doubtful() {
					b.fail(at, "SEM0232", "the arguments of %s have no common type: %s", quoteName(f.Name), m.typeNames())
				}
				return
			}
			break
		}
	}
	if b.failed > before {
		return
	}
	for i := range m.args {
		if params[i] != nil {
			b.checkArg(m, params, i, isOperator)
		}
	}
}

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (b *binder) checkArg(m *matcher, params []*catalog.Param, i int, isOperator bool) {
	p, a, t := params[i], &m.args[i], m.types[i]
	at := a.at()
	if m.lenient && t.isDynamic() {
		t = tDynamic
	}
	if a.star {
		if !isOperator && p.Arg != catalog.StarOnly && p.Arg != catalog.StarAllowed {
			b.fail(at, "SEM0191", "* cannot stand here")
		}
		return
	}
	if p.Skip != "" && a.lit && a.val != nil && a.val.Type == value.String && a.val.S == p.Skip {
		return
	}
	quiet := a.kind == opErr || a.kind == opScalar && (t.isErr() || t.isUnknown())
	bad := func(code, msg string, args ...any) {
		if !quiet {
			b.fail(at, code, msg, args...)
		}
	}
	sc := func() bool {
		if a.isScalar() {
			return true
		}
		bad("SEM0108", "a scalar value is expected here, not a %s", a.typeName())
		return false
	}
	exact := func(want typ) {
		if quiet || t.isUnknown() {
			return
		}
		if want.isDynamic() && t.isDynamic() || assignable(want, t, convNone) {
			return
		}
		bad("SEM0141", "the expression must have the type %s, not %s", want, a.typeName())
	}
	switch p.Kind {
	case catalog.Declared:
		if k := m.kind(params, p, i, false); k == matchNone || k == matchCompatible {
			if p.TypeName {
				bad("SEM0107", "a type literal such as typeof(long) is expected here")
			} else {
				bad("SEM0107", "a value of type %s is expected here, not %s", typeList(p.Types), a.typeName())
			}
		}
	case catalog.Scalar:
		sc()
	case catalog.Integer:
		if m.lenient && t.isNumeric() && (p.Name == "second" || p.Name == "seconds") {
			break // make_timespan and make_datetime take fractions
		}
		if !t.isInteger() {
			bad("SEM0134", "an integer is expected here, not %s", a.typeName())
		}
	case catalog.IntegerOrArray:
		if !isIntegerOrArray(t) {
			bad("SEM0136", "an integer or a dynamic array of integers is expected here, not %s", a.typeName())
		}
	case catalog.StringOrDynamic:
		if !t.is(value.String) && !t.isDynamic() {
			bad("SEM0141", "a value of type string or dynamic is expected here, not %s", a.typeName())
		}
	case catalog.StringOrArray:
		if !isStringOrArray(t) {
			bad("SEM0233", "a string or a dynamic array of strings is expected here, not %s", a.typeName())
		}
	case catalog.DynamicArray:
		if !isArray(t) {
			bad("SEM0234", "a dynamic array is expected here, not %s", a.describe())
		}
	case catalog.DynamicBag:
		if !isBag(t) {
			bad("SEM0235", "a dynamic property bag is expected here, not %s", a.describe())
		}
	case catalog.Number:
		if !t.isNumeric() {
			bad("SEM0137", "a number is expected here, not %s", a.typeName())
		}
	case catalog.NumberOrBool:
		if !t.isNumeric() && !t.is(value.Bool) {
			bad("SEM0137", "a number or boolean is expected here, not %s", a.typeName())
		}
	case catalog.Summable:
		if !t.isSummable() {
			bad("SEM0138", "a number, timespan or datetime is expected here, not %s", a.typeName())
		}
	case catalog.Orderable:
		if !t.isOrderable() {
			bad("SEM0206", "a number, timespan, datetime, string or boolean is expected here, not %s", a.typeName())
		}
	case catalog.NotBool:
		if sc() && t.is(value.Bool) {
			bad("SEM0116", "a value of type bool is not allowed here")
		}
	case catalog.NotRealOrBool:
		if sc() && (t.is(value.Real) || t.is(value.Bool)) {
			bad("SEM0116", "a value of type %s is not allowed here", t)
		}
	case catalog.NotDynamic:
		if sc() && t.isDynamic() {
			bad("SEM0116", "a value of type dynamic is not allowed here; convert it with tostring(), tolong() …")
		}
	case catalog.Tabular:
		if a.kind != opTable {
			bad("SEM0111", "a tabular value is expected here, not %s", a.typeName())
		}
	case catalog.Parameter0:
		exact(m.types[0])
	case catalog.Parameter1:
		exact(m.types[1])
	case catalog.CommonScalar, catalog.CommonOrderable, catalog.CommonScalarOrDynamic:
		if p.Kind == catalog.CommonOrderable {
			if !t.isOrderable() {
				bad("SEM0206", "a number, timespan, datetime, string or boolean is expected here, not %s", a.typeName())
				return
			}
		} else if !sc() {
			return
		}
		if c, ok := m.commonType(params, false); ok && !t.isUnknown() {
			fits := assignable(c, t, convNone) || assignable(c, t, convPromotable) || c.isDynamic() && t.isDynamic()
			if p.Kind == catalog.CommonScalarOrDynamic {
				fits = fits || c.isAny() || t.isDynamic() || assignable(tDynamic, t, convDynamic)
			}
			if !fits {
				bad("SEM0141", "the expression must have the type %s, not %s", c, a.typeName())
			}
		}
	}
	switch p.Arg {
	case catalog.Column, catalog.ColumnParameter0, catalog.ColumnParameter0Common:
		if a.col == nil && a.kind != opErr {
			b.fail(at, "SEM0109", "a column name is expected here")
		}
	case catalog.Constant:
		if !a.isConst && !quiet {
			b.fail(at, "SEM0129", "the expression must be a constant")
		}
	case catalog.Literal, catalog.LiteralNotEmpty:
		switch {
		case !a.lit && a.kind != opType:
			bad("SEM0131", "the expression must be a literal")
		case p.Arg == catalog.LiteralNotEmpty && a.val != nil && a.val.Type == value.String && a.val.S == "":
			b.fail(at, "SEM0133", "the value must not be empty")
		case len(p.Values) > 0 && a.val != nil && a.val.Type == value.String && !hasFold(p.Values, a.val.S):
			b.failHint(at, "SEM0140", "one of "+strings.Join(p.Values, ", "), "%q is not a value that %s takes", a.val.S, quoteName(p.Name))
		}
	}
}

// describe names a type with what is known of a dynamic.
func (o *operand) describe() string {
	t := o.typ()
	if t.isDynamic() {
		switch t.shape {
		case shapeArray:
			return "a dynamic array"
		case shapeBag:
			return "a dynamic property bag"
		case shapePrim:
			return "a dynamic " + t.elem.String()
		}
	}
	return o.typeName()
}

func hasFold(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}

func typeList(ts []value.Type) string {
	p := make([]string, len(ts))
	for i, t := range ts {
		p[i] = t.String()
	}
	return strings.Join(p, " or ")
}
