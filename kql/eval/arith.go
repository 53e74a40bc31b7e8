package eval

import (
	"math"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

func arithFuncs(t table) {
	t.pure("Add", arith(opAdd))
	t.pure("Subtract", arith(opSub))
	t.pure("Multiply", arith(opMul))
	t.pure("Divide", arith(opDiv))
	t.pure("Modulo", arith(opMod))
	t.pure("UnaryMinus", negate)
	t.pure("UnaryPlus", func(_ *Ctx, ret value.Type, _ int, args []*value.Vector) (*value.Vector, error) {
		return convert(args[0], ret), nil
	})
}

type arithOp uint8

const (
	opAdd arithOp = iota
	opSub
	opMul
	opDiv
	opMod
)

var opNames = [...]string{"+", "-", "*", "/", "%"}

// arith computes a binary arithmetic operator: whole numbers wrap at 64 bits (32 when the result is int), division
// by zero is null for them and infinite for reals, the remainder is never negative, a datetime out of range is null.
func arith(op arithOp) Func {
	return func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		l, r := args[0], args[1]
		if l.Type == value.Dynamic || r.Type == value.Dynamic {
			if ret == value.Dynamic {
				return arithDynamic(op, n, l, r), nil
			}
			l, r = arithOperands(op, ret, l, r)
		}
		lt, rt := l.Type, r.Type
		isTime := func(t value.Type) bool { return t == value.Datetime || t == value.Timespan }
		switch {
		case isTime(lt) && isTime(rt):
			return arithTimes(op, ret, n, l, r)
		case isTime(lt) || isTime(rt):
			return arithScaled(op, ret, n, l, r)
		case ret == value.Decimal:
			return arithDecimals(op, n, l, r), nil
		case ret == value.Real:
			return arithReals(op, n, l, r), nil
		case ret == value.Long || ret == value.Int:
			out := arithInts(op, n, longs(l), longs(r), ret)
			return out, nil
		}
		return nil, refuse(opNames[op], "is not defined for %s and %s", lt, rt)
	}
}

// arithOperands gives a dynamic operand the type that the other one calls for.
func arithOperands(op arithOp, ret value.Type, l, r *value.Vector) (*value.Vector, *value.Vector) {
	pick := func(d, other *value.Vector) *value.Vector {
		t := other.Type
		switch {
		case t == value.Datetime && op == opSub && ret == value.Timespan:
		case t == value.Datetime:
			t = value.Timespan
		case t == value.Int:
			t = value.Long
		case t == value.Dynamic:
			t = ret
		}
		return convert(d, t)
	}
	switch {
	case l.Type == value.Dynamic && r.Type == value.Dynamic:
		return convert(l, ret), convert(r, ret)
	case l.Type == value.Dynamic:
		return pick(l, r), r
	}
	return l, pick(r, l)
}

func arithInts(op arithOp, n int, a, b col[int64], ret value.Type) *value.Vector {
	out := value.New(ret, n)
	o := out.I
	switch op {
	case opAdd:
		for i := range o {
			o[i] = a.v[i*a.step] + b.v[i*b.step]
		}
	case opSub:
		for i := range o {
			o[i] = a.v[i*a.step] - b.v[i*b.step]
		}
	case opMul:
		for i := range o {
			o[i] = a.v[i*a.step] * b.v[i*b.step]
		}
	case opDiv:
		for i := range o {
			if d := b.v[i*b.step]; d != 0 {
				o[i] = a.v[i*a.step] / d
			} else {
				out.SetNull(i)
			}
		}
	case opMod:
		for i := range o {
			if d := b.v[i*b.step]; d != 0 {
				o[i] = euclid(a.v[i*a.step], d)
			} else {
				out.SetNull(i)
			}
		}
	}
	mergeNulls(out, a.null, a.step)
	mergeNulls(out, b.null, b.step)
	if ret == value.Int {
		for i, x := range o {
			o[i] = int64(int32(x))
		}
	}
	return out
}

func mergeNulls(out *value.Vector, null []bool, step int) {
	if null == nil {
		return
	}
	for i := 0; i < out.N; i++ {
		if null[i*step] {
			out.SetNull(i)
		}
	}
}

// euclid is the remainder that is never negative.
func euclid(a, b int64) int64 {
	r := a % b
	if r < 0 {
		if b < 0 {
			return r - b
		}
		return r + b
	}
	return r
}

func euclidReal(a, b float64) float64 {
	r := math.Mod(a, b)
	if r < 0 {
		r += math.Abs(b)
	}
	return r
}

func realOp(op arithOp, x, y float64) float64 {
	switch op {
	case opAdd:
		return x + y
	case opSub:
		return x - y
	case opMul:
		return x * y
	case opDiv:
		return x / y
	}
	return euclidReal(x, y)
}

func arithReals(op arithOp, n int, l, r *value.Vector) *value.Vector {
	a, b := reals(l), reals(r)
	out := value.New(value.Real, n)
	o := out.F
	switch op {
	case opAdd:
		for i := range o {
			o[i] = a.v[i*a.step] + b.v[i*b.step]
		}
	case opMul:
		for i := range o {
			o[i] = a.v[i*a.step] * b.v[i*b.step]
		}
	default:
		for i := range o {
			o[i] = realOp(op, a.v[i*a.step], b.v[i*b.step])
		}
	}
	mergeNulls(out, a.null, a.step)
	mergeNulls(out, b.null, b.step)
	return out
}

func arithDecimals(op arithOp, n int, l, r *value.Vector) *value.Vector {
	a, b := decimals(l), decimals(r)
	out := value.New(value.Decimal, n)
	for i := range out.M {
		if a.isNull(i) || b.isNull(i) {
			out.SetNull(i)
			continue
		}
		d, ok := decimalOp(op, a.at(i), b.at(i))
		if !ok {
			out.SetNull(i)
			continue
		}
		out.M[i] = d
	}
	return out
}

func decimalOp(op arithOp, x, y decimal.Decimal) (decimal.Decimal, bool) {
	switch op {
	case opAdd:
		return value.FitDecimal(x.Add(y)), true
	case opSub:
		return value.FitDecimal(x.Sub(y)), true
	case opMul:
		return value.FitDecimal(x.Mul(y)), true
	}
	if y.IsZero() {
		return decimal.Decimal{}, false
	}
	if op == opDiv {
		places := int32(34) - int32(x.NumDigits()) - x.Exponent() + int32(y.NumDigits()) + y.Exponent()
		return value.FitDecimal(x.DivRound(y, max(places, 0))), true
	}
	m := x.Mod(y)
	if m.IsNegative() {
		m = m.Add(y.Abs())
	}
	return m, true
}

// arithTimes computes on two datetimes or timespans.
func arithTimes(op arithOp, ret value.Type, n int, l, r *value.Vector) (*value.Vector, error) {
	if op == opDiv {
		a, b := ints(l), ints(r)
		out := value.New(value.Real, n)
		for i := range out.F {
			out.F[i] = divTicks(a.at(i), b.at(i))
		}
		mergeNulls(out, a.null, a.step)
		mergeNulls(out, b.null, b.step)
		return out, nil
	}
	if ret != value.Datetime && ret != value.Timespan {
		return nil, refuse(opNames[op], "is not defined for %s and %s", l.Type, r.Type)
	}
	out := arithInts(op, n, ints(l), ints(r), ret)
	if ret == value.Datetime {
		dropBadDatetimes(out)
	}
	return out, nil
}

// divTicks divides spans without losing whole results.
func divTicks(a, b int64) float64 {
	if b != 0 && a%b == 0 {
		return float64(a / b)
	}
	return float64(a) / float64(b)
}

func dropBadDatetimes(out *value.Vector) {
	for i, x := range out.I {
		if x < value.MinDatetime || x > value.MaxDatetime {
			out.SetNull(i)
		}
	}
}

// arithScaled computes on a time and a number.
func arithScaled(op arithOp, ret value.Type, n int, l, r *value.Vector) (*value.Vector, error) {
	whole := func(t value.Type) bool { return t != value.Real && t != value.Decimal }
	var out *value.Vector
	switch {
	case ret != value.Datetime && ret != value.Timespan:
		return nil, refuse(opNames[op], "is not defined for %s and %s", l.Type, r.Type)
	case whole(l.Type) && whole(r.Type):
		out = arithInts(op, n, longs(l), longs(r), ret)
	default:
		a, b := reals(l), reals(r)
		out = value.New(ret, n)
		for i := range out.I {
			if a.isNull(i) || b.isNull(i) {
				out.SetNull(i)
				continue
			}
			f := realOp(op, a.at(i), b.at(i))
			if math.IsNaN(f) || math.IsInf(f, 0) {
				out.SetNull(i)
				continue
			}
			out.I[i], _ = cutReal(f)
		}
	}
	if ret == value.Datetime {
		dropBadDatetimes(out)
	}
	return out, nil
}

// arithDynamic computes on two dynamics row by row, by what they hold.
func arithDynamic(op arithOp, n int, l, r *value.Vector) *value.Vector {
	a, b := dyns(l), dyns(r)
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		out.D[i] = elemOp(op, a.at(i), b.at(i))
	}
	return out
}

func elemOp(op arithOp, x, y any) any {
	if xi, ok := x.(int64); ok {
		if yi, ok := y.(int64); ok {
			switch {
			case op == opAdd:
				return xi + yi
			case op == opSub:
				return xi - yi
			case op == opMul:
				return xi * yi
			case yi == 0:
				return nil
			case op == opDiv:
				return xi / yi
			}
			return euclid(xi, yi)
		}
	}
	if xf, ok := elemReal(x); ok {
		if yf, ok := elemReal(y); ok {
			return realOp(op, xf, yf)
		}
	}
	xd, xIsD := x.(value.DateTime)
	yd, yIsD := y.(value.DateTime)
	xs, xIsS := x.(value.TimeSpan)
	ys, yIsS := y.(value.TimeSpan)
	date := func(t int64) any {
		if !value.ValidDatetime(t) {
			return nil
		}
		return value.DateTime(t)
	}
	switch {
	case xIsD && yIsD && op == opSub:
		return value.TimeSpan(xd - yd)
	case xIsD && yIsS && op == opAdd:
		return date(int64(xd) + int64(ys))
	case xIsD && yIsS && op == opSub:
		return date(int64(xd) - int64(ys))
	case xIsS && yIsD && op == opAdd:
		return date(int64(xs) + int64(yd))
	case xIsS && yIsS && op == opAdd:
		return xs + ys
	case xIsS && yIsS && op == opSub:
		return xs - ys
	case xIsS && yIsS && op == opDiv && ys != 0:
		return divTicks(int64(xs), int64(ys))
	}
	return nil
}

func negate(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := args[0]
	if a.Type == value.Dynamic && ret == value.Dynamic {
		return arithDynamic(opSub, n, value.ConstOf(value.OfDynamic(int64(0)), n), a), nil
	}
	a = convert(a, ret)
	out := value.New(ret, n)
	for i := 0; i < n; i++ {
		k := a.Idx(i)
		switch {
		case a.IsNull(i):
			out.SetNull(i)
		case ret == value.Real:
			out.F[i] = -a.F[k]
		case ret == value.Decimal:
			out.M[i] = a.M[k].Neg()
		case ret == value.Int:
			out.I[i] = int64(int32(-a.I[k]))
		case ret == value.Long || ret == value.Timespan:
			out.I[i] = -a.I[k]
		default:
			return nil, refuse("-", "is not defined for %s", a.Type)
		}
	}
	return out, nil
}
