package eval

import (
	"math"
	"picket/kql/value"
)

// seriesFuncs compute element by element: what is no number gives a null element, arrays of different lengths
// give nulls up to the longer one, a number stands for an array of it.
func seriesFuncs(t table) {
	bin := func(name string, f func(x, y any) any) { t.pure(name, series2(f)) }
	for name, op := range map[string]arithOp{"series_add": opAdd, "series_subtract": opSub, "series_multiply": opMul} {
		bin(name, func(x, y any) any { return elemOp(op, x, y) })
	}
	nums := func(f func(x, y float64) any) func(x, y any) any {
		return func(x, y any) any {
			a, ok := elemReal(x)
			b, ok2 := elemReal(y)
			if !ok || !ok2 {
				return nil
			}
			return f(a, b)
		}
	}
	bin("series_divide", nums(func(x, y float64) any { return x / y }))
	bin("series_pow", nums(func(x, y float64) any { return math.Pow(x, y) }))
	bin("series_greater", nums(func(x, y float64) any { return x > y }))
	bin("series_greater_equals", nums(func(x, y float64) any { return x >= y }))
	bin("series_less", nums(func(x, y float64) any { return x < y }))
	bin("series_less_equals", nums(func(x, y float64) any { return x <= y }))
	bin("series_equals", nums(func(x, y float64) any { return x == y }))
	bin("series_not_equals", nums(func(x, y float64) any { return x != y }))
	for name, f := range map[string]func(float64) float64{
		"series_exp": math.Exp, "series_sin": math.Sin, "series_asin": math.Asin, "series_cos": math.Cos, "series_acos": math.Acos,
		"series_tan": math.Tan, "series_atan": math.Atan, "series_log": math.Log, "series_floor": math.Floor, "series_ceiling": math.Ceil,
	} {
		t.pure(name, series1(func(e any) any {
			x, ok := elemReal(e)
			if !ok {
				return nil
			}
			return f(x)
		}))
	}
	t.pure("series_abs", series1(func(e any) any {
		switch x := e.(type) {
		case int64:
			return max(x, -x)
		default:
			f, ok := elemReal(e)
			if !ok {
				return nil
			}
			return math.Abs(f)
		}
	}))
	t.pure("series_sign", series1(func(e any) any {
		f, ok := elemReal(e)
		switch {
		case !ok:
			return nil
		case f > 0:
			return int64(1)
		case f < 0:
			return int64(-1)
		}
		return int64(0)
	}))
	t.pure("series_sum", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return foldArray(n, args[0], 0, func(acc, x float64) float64 { return acc + x }), nil
	})
	t.pure("series_product", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return foldArray(n, args[0], 1, func(acc, x float64) float64 { return acc * x }), nil
	})
	t.pure("series_magnitude", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		v := foldArray(n, args[0], 0, func(acc, x float64) float64 { return acc + x*x })
		for i := range v.F {
			v.F[i] = math.Sqrt(v.F[i])
		}
		return v, nil
	})
	t.pure("series_dot_product", seriesPair(func(x, y []float64, _ []float64) (float64, bool) { return dot(x, y), true }))
	t.pure("series_pearson_correlation", seriesPair(func(x, y []float64, _ []float64) (float64, bool) {
		if len(x) == 0 {
			return 0, false
		}
		mx, my := mean(x), mean(y)
		var xy, xx, yy float64
		for i := range x {
			a, b := x[i]-mx, y[i]-my
			xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
		}
		return xy / math.Sqrt(xx*yy), true
	}))
	t.pure("series_cosine_similarity", seriesPair(func(x, y []float64, extra []float64) (float64, bool) {
		mx, my := math.Sqrt(dot(x, x)), math.Sqrt(dot(y, y))
		if len(extra) > 0 {
			mx = extra[0]
		}
		if len(extra) > 1 {
			my = extra[1]
		}
		return dot(x, y) / (mx * my), true
	}))
}

func series1(f func(any) any) Func {
	return dyn1(func(d any) any {
		arr, ok := d.([]any)
		if !ok {
			return nil
		}
		out := make([]any, len(arr))
		for i, e := range arr {
			out[i] = f(e)
		}
		return out
	})
}

func series2(f func(x, y any) any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := dyns(args[0]), dyns(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			x, xok := a.at(i).([]any)
			y, yok := b.at(i).([]any)
			_, xnum := elemReal(a.at(i))
			_, ynum := elemReal(b.at(i))
			if !xok && !yok || !xok && !xnum || !yok && !ynum {
				continue
			}
			res := make([]any, max(len(x), len(y)))
			for k := range res {
				var p, q any
				if p = a.at(i); xok {
					if p = nil; k < len(x) {
						p = x[k]
					}
				}
				if q = b.at(i); yok {
					if q = nil; k < len(y) {
						q = y[k]
					}
				}
				if _, ok := elemReal(p); !ok {
					continue
				}
				if _, ok := elemReal(q); !ok {
					continue
				}
				res[k] = f(p, q)
			}
			out.D[i] = res
		}
		return out, nil
	}
}

// numbers reads an array of numbers; false when an element is none.
func numbers(d any) ([]float64, bool) {
	arr, ok := d.([]any)
	if !ok {
		return nil, false
	}
	out := make([]float64, len(arr))
	for i, e := range arr {
		if out[i], ok = elemReal(e); !ok {
			return nil, false
		}
	}
	return out, true
}

// gaps reads an array of numbers with NaN where an element is none.
func gaps(d any) ([]float64, bool) {
	arr, ok := d.([]any)
	if !ok {
		return nil, false
	}
	out := make([]float64, len(arr))
	for i, e := range arr {
		f, ok := elemReal(e)
		if !ok {
			f = math.NaN()
		}
		out[i] = f
	}
	return out, true
}

func toArray(x []float64) []any {
	out := make([]any, len(x))
	for i, f := range x {
		out[i] = f
	}
	return out
}

func dot(x, y []float64) float64 {
	s := 0.0
	for i := range x {
		s += x[i] * y[i]
	}
	return s
}

func mean(x []float64) float64 {
	s := 0.0
	for _, f := range x {
		s += f
	}
	return s / float64(len(x))
}

// seriesPair adapts a number computed from two series of one length; anything else is null.
func seriesPair(f func(x, y, extra []float64) (float64, bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := dyns(args[0]), dyns(args[1])
		extra := make([]col[float64], len(args)-2)
		for k := range extra {
			extra[k] = reals(args[k+2])
		}
		out := value.New(value.Real, n)
		for i := range out.F {
			x, ok := numbers(a.at(i))
			y, ok2 := numbers(b.at(i))
			if s, num := elemReal(a.at(i)); num && ok2 {
				x, ok = constSeries(s, len(y)), true
			}
			if s, num := elemReal(b.at(i)); num && ok {
				y, ok2 = constSeries(s, len(x)), true
			}
			if !ok || !ok2 || len(x) != len(y) {
				out.SetNull(i)
				continue
			}
			var ex []float64
			for k := range extra {
				if !extra[k].isNull(i) {
					ex = append(ex, extra[k].at(i))
				}
			}
			r, ok := f(x, y, ex)
			if !ok {
				out.SetNull(i)
				continue
			}
			out.F[i] = r
		}
		return out, nil
	}
}

func constSeries(f float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = f
	}
	return out
}
