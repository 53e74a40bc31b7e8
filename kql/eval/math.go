package eval

import (
	"math"
	"math/bits"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

func mathFuncs(t table) {
	for name, f := range map[string]func(float64) float64{
		"sqrt": math.Sqrt, "exp": math.Exp, "exp2": math.Exp2, "cos": math.Cos, "sin": math.Sin, "tan": math.Tan,
		"acos": math.Acos, "asin": math.Asin, "atan": math.Atan,
		"exp10":   func(x float64) float64 { return math.Pow(10, x) },
		"cot":     func(x float64) float64 { return 1 / math.Tan(x) },
		"degrees": func(x float64) float64 { return x * 180 / math.Pi },
		"radians": func(x float64) float64 { return x * math.Pi / 180 },
		"erf":     math.Erf, "erfc": math.Erfc,
	} {
		t.pure(name, real1(f))
	}
	logOf := func(f func(float64) float64) Func {
		return realN(func(x []float64) (float64, bool) { return f(x[0]), !(x[0] < 0) })
	}
	t.pure("log", logOf(math.Log))
	t.pure("log2", logOf(math.Log2))
	t.pure("log10", logOf(math.Log10))
	t.pure("sign", real1(func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	}))
	t.pure("pow", realN(func(x []float64) (float64, bool) { return math.Pow(x[0], x[1]), true }))
	t.pure("atan2", realN(func(x []float64) (float64, bool) { return math.Atan2(x[0], x[1]), true }))
	t.raw("pi", func(_ *Ctx, _ value.Type, n int, _ []*value.Vector) (*value.Vector, error) {
		return value.ConstOf(value.OfReal(math.Pi), n), nil
	})
	t.pure("abs", absFunc)
	t.pure("ceiling", ceiling)
	t.pure("round", round)
	test := func(name string, f func(float64) bool) {
		t.pure(name, func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
			a := reals(args[0])
			return boolRows(n, func(i int) bool { return !a.isNull(i) && f(a.at(i)) }), nil
		})
	}
	test("isnan", math.IsNaN)
	test("isinf", func(x float64) bool { return math.IsInf(x, 0) })
	test("isfinite", func(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) })
	bit := func(name string, f func(a, b int64) (int64, bool)) {
		t.pure(name, func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
			a := longs(args[0])
			b := a
			if len(args) > 1 {
				b = longs(args[1])
			}
			out := value.New(value.Long, n)
			for i := range out.I {
				x, ok := f(a.at(i), b.at(i))
				if a.isNull(i) || b.isNull(i) || !ok {
					out.SetNull(i)
					continue
				}
				out.I[i] = x
			}
			return out, nil
		})
	}
	bit("binary_and", func(a, b int64) (int64, bool) { return a & b, true })
	bit("binary_or", func(a, b int64) (int64, bool) { return a | b, true })
	bit("binary_xor", func(a, b int64) (int64, bool) { return a ^ b, true })
	bit("binary_not", func(a, _ int64) (int64, bool) { return ^a, true })
	bit("binary_shift_left", func(a, b int64) (int64, bool) { return a << uint(b&63), b >= 0 })
	bit("binary_shift_right", func(a, b int64) (int64, bool) { return a >> uint(b&63), b >= 0 })
	bit("bitset_count_ones", func(a, _ int64) (int64, bool) { return int64(bits.OnesCount64(uint64(a))), true })
}

func absFunc(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := convert(args[0], ret)
	out := value.New(ret, n)
	for i := 0; i < n; i++ {
		k := a.Idx(i)
		switch {
		case a.IsNull(i):
			out.SetNull(i)
		case ret == value.Real:
			out.F[i] = math.Abs(a.F[k])
		case ret == value.Decimal:
			out.M[i] = a.M[k].Abs()
		case ret == value.Int || ret == value.Long || ret == value.Timespan:
			if out.I[i] = a.I[k]; a.I[k] < 0 {
				out.I[i] = -a.I[k]
			}
		default:
			return nil, refuse("abs", "is not defined for %s", ret)
		}
	}
	return out, nil
}

func ceiling(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := convert(args[0], ret)
	out := value.New(ret, n)
	for i := 0; i < n; i++ {
		switch {
		case a.IsNull(i):
			out.SetNull(i)
		case ret == value.Real:
			out.F[i] = math.Ceil(a.F[a.Idx(i)])
		case ret == value.Decimal:
			out.M[i] = a.M[a.Idx(i)].Ceil()
		default:
			value.CopyRow(out, i, a, i)
		}
	}
	return out, nil
}

// round rounds halves away from zero, to a number of decimal places that may be negative.
func round(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := convert(args[0], ret)
	places := int64(0)
	if len(args) > 1 {
		p := longs(args[1])
		if n > 0 && p.isNull(0) {
			return value.Nulls(ret, n), nil
		}
		if len(p.v) > 0 {
			places = max(-400, min(p.v[0], 400))
		}
	}
	out := value.New(ret, n)
	for i := 0; i < n; i++ {
		k := a.Idx(i)
		switch {
		case a.IsNull(i):
			out.SetNull(i)
		case ret == value.Real:
			out.F[i] = roundReal(a.F[k], int(places))
		case ret == value.Decimal:
			out.M[i] = a.M[k].Round(int32(places))
		case ret == value.Int || ret == value.Long:
			out.I[i] = a.I[k]
			if places < 0 {
				out.I[i] = decimal.NewFromInt(a.I[k]).Round(int32(places)).IntPart()
			}
		default:
			return nil, refuse("round", "is not defined for %s", ret)
		}
	}
	return out, nil
}

func roundReal(f float64, places int) float64 {
	if places == 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return math.Round(f)
	}
	if places > 15 && math.Abs(f) >= 1 || places > 308 {
		return f
	}
	p := math.Pow(10, math.Abs(float64(places)))
	if places < 0 {
		return math.Round(f/p) * p
	}
	if s := f * p; !math.IsInf(s, 0) {
		return math.Round(s) / p
	}
	return f
}
