package eval

import (
	"cmp"
	"math"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

func relationFuncs(t table) {
	t.pure("Equal", equality(false))
	t.pure("NotEqual", equality(true))
	t.pure("LessThan", ordering(func(c int) bool { return c < 0 }))
	t.pure("LessThanOrEqual", ordering(func(c int) bool { return c <= 0 }))
	t.pure("GreaterThan", ordering(func(c int) bool { return c > 0 }))
	t.pure("GreaterThanOrEqual", ordering(func(c int) bool { return c >= 0 }))
	t.pure("Between", between(false))
	t.pure("NotBetween", between(true))
	t.pure("In", in(false, false))
	t.pure("NotIn", in(true, false))
	t.pure("InCs", in(false, true)) // the catalog's name for in~
	t.pure("NotInCs", in(true, true))
	t.pure("around", around)
	t.pure("max_of", extreme(1))
	t.pure("min_of", extreme(-1))
}

func numeric(t value.Type) bool {
	switch t {
	case value.Int, value.Long, value.Real, value.Decimal:
		return true
	}
	return false
}

// common finds the type in which two operands compare; Invalid when there is none.
func common(a, b value.Type) value.Type {
	switch {
	case a == b && a != value.Int:
		return a
	case a == value.Dynamic:
		return common2Dynamic(b)
	case b == value.Dynamic:
		return common2Dynamic(a)
	case a == value.Bool && numeric(b) || b == value.Bool && numeric(a):
		if a == value.Real || b == value.Real {
			return value.Real
		}
		if a == value.Decimal || b == value.Decimal {
			return value.Decimal
		}
		return value.Long
	case numeric(a) && numeric(b):
		switch {
		case a == value.Decimal || b == value.Decimal:
			return value.Decimal
		case a == value.Real || b == value.Real:
			return value.Real
		}
		return value.Long
	case a == value.String:
		return b
	case b == value.String:
		return a
	case a == value.Datetime || a == value.Timespan:
		if b == value.Long || b == value.Int {
			return value.Long
		}
	case b == value.Datetime || b == value.Timespan:
		if a == value.Long || a == value.Int {
			return value.Long
		}
	}
	return value.Invalid
}

func common2Dynamic(t value.Type) value.Type {
	if t == value.Int {
		return value.Long
	}
	return t
}

// compared gives both operands in their common type.
func compared(l, r *value.Vector) (*value.Vector, *value.Vector, bool) {
	t := common(l.Type, r.Type)
	if t == value.Invalid {
		return nil, nil, false
	}
	return convert(l, t), convert(r, t), true
}

// fractions calls f for the rows in which a dynamic that is compared with a whole number holds a number that is none:
// 1.5 is not 1. Each row decides for itself, whatever stands in the others. x and y are the operands in their order; null
// says that the whole number is null.
func fractions(l, r *value.Vector, n int, f func(i int, x, y float64, null bool)) {
	d, w := l, r
	if r.Type == value.Dynamic {
		d, w = r, l
	}
	if d.Type != value.Dynamic || w.Type != value.Long && w.Type != value.Int {
		return
	}
	if d.Const {
		if e, ok := d.D[0].(float64); !ok || wholeLong(e) {
			return
		}
	}
	for i := range n {
		e, ok := d.D[d.Idx(i)].(float64)
		if !ok || wholeLong(e) {
			continue
		}
		null := w.IsNull(i)
		other := 0.0
		if !null {
			other = float64(w.I[w.Idx(i)])
		}
		if d == l {
			f(i, e, other, null)
		} else {
			f(i, other, e, null)
		}
	}
}

// wholeLong reports whether a real is a whole number that a long holds.
func wholeLong(f float64) bool { return f == math.Trunc(f) && math.Abs(f) < 1<<63 }

// equality is == and !=: with one null false (true for !=), with two null.
func equality(negate bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		l, r, ok := compared(args[0], args[1])
		if !ok {
			return nil, refuse("==", "cannot compare %s with %s", args[0].Type, args[1].Type)
		}
		out := value.New(value.Bool, n)
		o := out.I
		switch l.Type {
		case value.Bool, value.Int, value.Long, value.Datetime, value.Timespan:
			a, b := ints(l), ints(r)
			for i := range o {
				if a.v[i*a.step] == b.v[i*b.step] {
					o[i] = 1
				}
			}
		case value.Real:
			a, b := reals(l), reals(r)
			for i := range o {
				if a.v[i*a.step] == b.v[i*b.step] {
					o[i] = 1
				}
			}
		case value.String:
			a, b := texts(l), texts(r)
			for i := range o {
				if a.v[i*a.step] == b.v[i*b.step] {
					o[i] = 1
				}
			}
		case value.Decimal:
			for i := range o {
				if l.M[l.Idx(i)].Equal(r.M[r.Idx(i)]) {
					o[i] = 1
				}
			}
		case value.GUID:
			for i := range o {
				if l.G[l.Idx(i)] == r.G[r.Idx(i)] {
					o[i] = 1
				}
			}
		default:
			for i := range o {
				if sameElem(l.D[l.Idx(i)], r.D[r.Idx(i)]) {
					o[i] = 1
				}
			}
		}
		// a dynamic null against a string is a null too
		la, ra := args[0], args[1]
		if l.Null != nil || r.Null != nil || la.Type == value.Dynamic || ra.Type == value.Dynamic {
			for i := range o {
				ln := l.IsNull(i) || la.IsNull(i)
				rn := r.IsNull(i) || ra.IsNull(i)
				switch {
				case ln && rn:
					o[i] = 0
					out.SetNull(i)
				case ln || rn:
					o[i] = 0
				}
			}
		}
		fractions(args[0], args[1], n, func(i int, x, y float64, null bool) {
			o[i] = 0
			if !null && x == y {
				o[i] = 1
			}
			if out.Null != nil {
				out.Null[i] = false
			}
		})
		if negate {
			for i := range o {
				o[i] ^= 1
			}
		}
		return out, nil
	}
}

// ordering is < <= > >=: null when an operand is null.
func ordering(test func(int) bool) Func {
	lt, eq, gt := test(-1), test(0), test(1)
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		l, r, ok := compared(args[0], args[1])
		if !ok {
			return nil, refuse("<", "cannot order %s against %s", args[0].Type, args[1].Type)
		}
		out := value.New(value.Bool, n)
		o := out.I
		pick := func(less, same bool) bool {
			if less {
				return lt
			}
			if same {
				return eq
			}
			return gt
		}
		switch l.Type {
		case value.Bool, value.Int, value.Long, value.Datetime, value.Timespan:
			a, b := ints(l), ints(r)
			for i := range o {
				x, y := a.v[i*a.step], b.v[i*b.step]
				if pick(x < y, x == y) {
					o[i] = 1
				}
			}
		case value.Real:
			a, b := reals(l), reals(r)
			for i := range o {
				x, y := a.v[i*a.step], b.v[i*b.step]
				if x == x && y == y && pick(x < y, x == y) {
					o[i] = 1
				}
			}
		case value.Dynamic:
			for i := range o {
				x, y := l.D[l.Idx(i)], r.D[r.Idx(i)]
				c, ok := orderElems(x, y)
				if !ok {
					out.SetNull(i)
					continue
				}
				if test(c) {
					o[i] = 1
				}
			}
			return out, nil
		default:
			for i := range o {
				if !l.IsNull(i) && !r.IsNull(i) && test(value.CompareRows(l, i, r, i)) {
					o[i] = 1
				}
			}
		}
		mergeNulls(out, l.Null, stepOf(l))
		mergeNulls(out, r.Null, stepOf(r))
		fractions(args[0], args[1], n, func(i int, x, y float64, null bool) {
			if null {
				return // it is null already
			}
			if out.Null != nil {
				out.Null[i] = false
			}
			o[i] = 0
			if pick(x < y, x == y) {
				o[i] = 1
			}
		})
		return out, nil
	}
}

// sameElem reports whether two dynamic elements are equal by value; 1 equals 1.0.
func sameElem(x, y any) bool {
	switch a := x.(type) {
	case nil:
		return y == nil
	case string:
		b, ok := y.(string)
		return ok && a == b
	case int64:
		switch b := y.(type) {
		case int64:
			return a == b
		case float64:
			return float64(a) == b
		}
		return false
	case float64:
		switch b := y.(type) {
		case int64:
			return a == float64(b)
		case float64:
			return a == b
		}
		return false
	case bool:
		b, ok := y.(bool)
		return ok && a == b
	}
	return string(value.AppendElemKey(nil, x)) == string(value.AppendElemKey(nil, y))
}

// orderElems compares two dynamic elements of kinds that have an order.
func orderElems(x, y any) (int, bool) {
	if a, ok := x.(int64); ok {
		if b, ok := y.(int64); ok {
			return cmp.Compare(a, b), true
		}
	}
	if a, ok := elemReal(x); ok {
		b, ok := elemReal(y)
		return cmp.Compare(a, b), ok
	}
	switch a := x.(type) {
	case value.DateTime:
		b, ok := y.(value.DateTime)
		return cmp.Compare(a, b), ok
	case value.TimeSpan:
		b, ok := y.(value.TimeSpan)
		return cmp.Compare(a, b), ok
	case string:
		b, ok := y.(string)
		return cmp.Compare(a, b), ok
	}
	return 0, false
}

// between is x between (a .. b), ends included; a timespan end counts from a datetime start.
func between(negate bool) Func {
	ge := ordering(func(c int) bool { return c >= 0 })
	le := ordering(func(c int) bool { return c <= 0 })
	return func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		x, from, to := args[0], args[1], args[2]
		if from.Type == value.Datetime && to.Type == value.Timespan {
			sum, err := arithTimes(opAdd, value.Datetime, n, from, to)
			if err != nil {
				return nil, err
			}
			to = sum
		}
		a, err := ge(c, value.Bool, n, []*value.Vector{x, from})
		if err != nil {
			return nil, err
		}
		b, err := le(c, value.Bool, n, []*value.Vector{x, to})
		if err != nil {
			return nil, err
		}
		out := value.New(value.Bool, n)
		for i := range out.I {
			an, bn := a.IsNull(i), b.IsNull(i)
			switch {
			case !an && a.I[i] == 0 || !bn && b.I[i] == 0:
				out.I[i] = 0
			case an || bn:
				out.SetNull(i)
			default:
				out.I[i] = 1
			}
			if negate {
				out.I[i] ^= 1
			}
		}
		return out, nil
	}
}

// around is around(value, center, delta): within delta of center, ends included.
func around(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	x, mid, delta := args[0], args[1], args[2]
	t := mid.Type
	if numeric(t) {
		t = value.Real
		mid, delta = convert(mid, t), convert(delta, t)
	}
	lo, err := arith(opSub)(c, t, n, []*value.Vector{mid, delta})
	if err != nil {
		return nil, err
	}
	hi, err := arith(opAdd)(c, t, n, []*value.Vector{mid, delta})
	if err != nil {
		return nil, err
	}
	return between(false)(c, value.Bool, n, []*value.Vector{x, lo, hi})
}

// extreme is max_of and min_of: nulls are passed over.
func extreme(sign int) Func {
	return func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		vs := make([]*value.Vector, len(args))
		for k, a := range args {
			vs[k] = convert(a, ret)
		}
		out := value.New(ret, n)
		for i := 0; i < n; i++ {
			best := -1
			for k, v := range vs {
				if v.IsNull(i) {
					continue
				}
				if ret == value.Real && v.F[v.Idx(i)] != v.F[v.Idx(i)] {
					best = k // NaN wins
					break
				}
				if best < 0 || sign*value.CompareRows(v, i, vs[best], i) > 0 {
					best = k
				}
			}
			if best < 0 {
				out.SetNull(i)
				continue
			}
			value.CopyRow(out, i, vs[best], i)
		}
		return out, nil
	}
}

// in is the in family with its items as arguments; arrays among them stand for their elements.
func in(negate, fold bool) Func {
	return func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		x, items := args[0], args[1:]
		out := value.New(value.Bool, n)
		o := out.I
		if set := constSet(x, items, fold); set != nil {
			set.mark(o, x)
		} else {
			for i := range o {
				if !x.IsNull(i) && inRow(x, i, items, fold) {
					o[i] = 1
				}
			}
		}
		if negate {
			for i := range o {
				o[i] ^= 1
			}
		}
		return out, nil
	}
}

// members is a constant list, by the kind of the column that it is asked about.
type members struct {
	fold bool
	s    map[string]struct{}
	i    map[int64]struct{}
	key  map[string]struct{}
}

func constSet(x *value.Vector, items []*value.Vector, fold bool) *members {
	for _, it := range items {
		if !it.Const {
			return nil
		}
	}
	m := &members{fold: fold}
	switch x.Type {
	case value.String, value.Dynamic:
		m.s = map[string]struct{}{}
	case value.Int, value.Long, value.Datetime, value.Timespan, value.Bool:
		m.i = map[int64]struct{}{}
	default:
		m.key = map[string]struct{}{}
	}
	t := x.Type
	if t == value.Int {
		t = value.Long
	}
	for _, it := range items {
		eachItem(it, 0, func(e *value.Vector) {
			switch {
			case m.s != nil:
				if e.IsNull(0) {
					return
				}
				s := value.Text(e, 0)
				if fold {
					s = foldCase(s)
				}
				m.s[s] = struct{}{}
			case m.i != nil:
				if e.Type == value.Real && e.F[0] != math.Trunc(e.F[0]) {
					return
				}
				if w := convert(e, t); !w.IsNull(0) {
					m.i[w.I[0]] = struct{}{}
				}
			default:
				if w := convert(e, t); !w.IsNull(0) {
					m.key[string(value.AppendKey(nil, w, 0))] = struct{}{}
				}
			}
		})
	}
	return m
}

// eachItem calls f with each scalar of cell i of an argument list: the elements of an array, else the cell.
func eachItem(v *value.Vector, i int, f func(*value.Vector)) {
	if v.Type == value.Dynamic {
		switch d := v.D[v.Idx(i)].(type) {
		case []any:
			for _, e := range d {
				f(value.ConstOf(typedElem(e), 1))
			}
			return
		default:
			f(value.ConstOf(typedElem(d), 1))
			return
		}
	}
	f(value.ConstOf(v.At(i), 1))
}

// typedElem boxes a dynamic element in its own type where it has one.
func typedElem(d any) value.Value {
	switch x := d.(type) {
	case bool:
		return value.OfBool(x)
	case int64:
		return value.OfLong(x)
	case float64:
		return value.OfReal(x)
	case string:
		return value.OfString(x)
	case decimal.Decimal:
		return value.Value{Type: value.Decimal, M: x}
	case value.DateTime:
		return value.Of(value.Datetime, int64(x))
	case value.TimeSpan:
		return value.Of(value.Timespan, int64(x))
	case value.Guid:
		return value.Value{Type: value.GUID, G: x}
	}
	return value.OfDynamic(d)
}

func (m *members) mark(o []int64, x *value.Vector) {
	switch {
	case m.s != nil:
		a := texts(x)
		for i := range o {
			if x.IsNull(i) {
				continue
			}
			s := a.at(i)
			if m.fold {
				s = foldCase(s)
			}
			if _, ok := m.s[s]; ok {
				o[i] = 1
			}
		}
	case m.i != nil:
		a := ints(x)
		for i := range o {
			if _, ok := m.i[a.at(i)]; ok && !a.isNull(i) {
				o[i] = 1
			}
		}
	default:
		var buf []byte
		for i := range o {
			if x.IsNull(i) {
				continue
			}
			buf = value.AppendKey(buf[:0], x, i)
			if _, ok := m.key[string(buf)]; ok {
				o[i] = 1
			}
		}
	}
}

func inRow(x *value.Vector, i int, items []*value.Vector, fold bool) bool {
	cell := value.ConstOf(x.At(i), 1)
	found := false
	for _, it := range items {
		eachItem(it, i, func(e *value.Vector) {
			if found || e.IsNull(0) {
				return
			}
			if x.Type == value.String || x.Type == value.Dynamic {
				a, b := value.Text(cell, 0), value.Text(e, 0)
				found = a == b || fold && foldCase(a) == foldCase(b)
				return
			}
			a, b, ok := compared(cell, e)
			found = ok && !a.IsNull(0) && !b.IsNull(0) && value.CompareRows(a, 0, b, 0) == 0
		})
	}
	return found
}
