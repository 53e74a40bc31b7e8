package eval

import (
	"math"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

// col reads one argument as elements of T whatever its type and whether it is constant.
type col[T any] struct {
	v    []T
	null []bool
	step int // 0 for a constant
}

func (c col[T]) at(i int) T        { return c.v[i*c.step] }
func (c col[T]) isNull(i int) bool { return c.null != nil && c.null[i*c.step] }
func (c col[T]) constant() bool    { return c.step == 0 }

func stepOf(v *value.Vector) int {
	if v.Const {
		return 0
	}
	return 1
}

func stored(v *value.Vector) int {
	if v.Const {
		return 1
	}
	return v.N
}

// ints reads a vector that holds its data in I, as it is.
func ints(v *value.Vector) col[int64] { return col[int64]{v.I, v.Null, stepOf(v)} }

// texts reads any vector as tostring() would show it.
func texts(v *value.Vector) col[string] {
	if v.Type == value.String {
		return col[string]{v.S, nil, stepOf(v)}
	}
	s := make([]string, stored(v))
	for i := range s {
		s[i] = value.Text(v, i)
	}
	return col[string]{s, nil, stepOf(v)}
}

// longs reads numbers (and dynamic numbers) as long; what is not a number is null. Reals are cut.
func longs(v *value.Vector) col[int64] {
	switch v.Type {
	case value.Bool, value.Int, value.Long, value.Datetime, value.Timespan:
		return ints(v)
	}
	w := convert(v, value.Long)
	return col[int64]{w.I, w.Null, stepOf(v)}
}

// reals reads numbers (and dynamic numbers) as real; what is not a number is null.
func reals(v *value.Vector) col[float64] {
	if v.Type == value.Real {
		return col[float64]{v.F, v.Null, stepOf(v)}
	}
	w := convert(v, value.Real)
	return col[float64]{w.F, w.Null, stepOf(v)}
}

// decimals reads numbers as decimal.
func decimals(v *value.Vector) col[decimal.Decimal] {
	if v.Type == value.Decimal {
		return col[decimal.Decimal]{v.M, v.Null, stepOf(v)}
	}
	w := convert(v, value.Decimal)
	return col[decimal.Decimal]{w.M, w.Null, stepOf(v)}
}

// dyns reads any vector as dynamic elements.
func dyns(v *value.Vector) col[any] {
	if v.Type == value.Dynamic {
		return col[any]{v.D, nil, stepOf(v)}
	}
	d := make([]any, stored(v))
	for i := range d {
		d[i] = value.Elem(v, i)
	}
	return col[any]{d, nil, stepOf(v)}
}

// str1 adapts a function of a text to a column.
func str1(f func(string) string) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(value.String, n)
		for i := range out.S {
			out.S[i] = f(a.at(i))
		}
		return out, nil
	}
}

// strTo adapts a function of a text that may have no result.
func strToLong(t value.Type, f func(string) (int64, bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(t, n)
		for i := range out.I {
			x, ok := f(a.at(i))
			if !ok {
				out.SetNull(i)
				continue
			}
			out.I[i] = x
		}
		return out, nil
	}
}

// strToDyn adapts a function of a text to a dynamic.
func strToDyn(f func(string) any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			out.D[i] = f(a.at(i))
		}
		return out, nil
	}
}

// real1 adapts a function of a real; null stays null.
func real1(f func(float64) float64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := reals(args[0])
		out := value.New(value.Real, n)
		for i := range out.F {
			if a.isNull(i) {
				out.SetNull(i)
				continue
			}
			out.F[i] = f(a.at(i))
		}
		return out, nil
	}
}

// realN adapts a function of several reals; a null argument gives null, and so does ok == false.
func realN(f func(x []float64) (float64, bool)) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		cs := make([]col[float64], len(args))
		for k, a := range args {
			cs[k] = reals(a)
		}
		x := make([]float64, len(args))
		out := value.New(value.Real, n)
	rows:
		for i := range out.F {
			for k := range cs {
				if cs[k].isNull(i) {
					out.SetNull(i)
					continue rows
				}
				x[k] = cs[k].at(i)
			}
			r, ok := f(x)
			if !ok {
				out.SetNull(i)
				continue
			}
			out.F[i] = r
		}
		return out, nil
	}
}

// dyn1 adapts a function of a dynamic element.
func dyn1(f func(any) any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			out.D[i] = f(a.at(i))
		}
		return out, nil
	}
}

// boolRows builds a bool column from a predicate of the row.
func boolRows(n int, f func(i int) bool) *value.Vector {
	out := value.New(value.Bool, n)
	for i := range out.I {
		if f(i) {
			out.I[i] = 1
		}
	}
	return out
}

// cutReal turns a real into a long as conversions do: towards zero, the range's ends beyond it.
func cutReal(f float64) (int64, bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case f >= math.MaxInt64:
		return math.MaxInt64, true
	case f <= math.MinInt64:
		return math.MinInt64, true
	}
	return int64(f), true
}

// elemReal reads a dynamic element as a number.
func elemReal(d any) (float64, bool) {
	switch x := d.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	case decimal.Decimal:
		f, _ := x.Float64()
		return f, true
	}
	return 0, false
}

// elemLong reads a dynamic element as a whole number.
func elemLong(d any) (int64, bool) {
	switch x := d.(type) {
	case int64:
		return x, true
	case float64:
		return cutReal(x)
	case decimal.Decimal:
		return decimalLong(x)
	}
	return 0, false
}

func decimalLong(d decimal.Decimal) (int64, bool) {
	b := d.Truncate(0).BigInt()
	if !b.IsInt64() {
		return 0, false
	}
	return b.Int64(), true
}

// given reports whether a constant argument has a value.
func given(v *value.Vector) bool { return stored(v) > 0 && !v.IsNull(0) }

// argString gives the text of a constant argument k, or def when it is absent.
func argString(args []*value.Vector, k int, def string) string {
	if k >= len(args) || args[k].N == 0 && !args[k].Const {
		return def
	}
	return value.Text(args[k], 0)
}
