package exec

import (
	"math"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

// asReal reads a number or time as a real; null is NaN.
func asReal(v value.Value) float64 {
	if v.Null {
		return math.NaN()
	}
	switch v.Type {
	case value.Real:
		return v.F
	case value.Decimal:
		f, _ := v.M.Float64()
		return f
	case value.Dynamic:
		return elemReal(v.D)
	}
	return float64(v.I)
}

// asWhole reads a number or time as a whole number, cutting fractions; null is 0.
func asWhole(v value.Value) int64 {
	if v.Null {
		return 0
	}
	switch v.Type {
	case value.Real:
		return cut(v.F)
	case value.Decimal:
		return v.M.IntPart()
	case value.Dynamic:
		switch d := v.D.(type) {
		case int64:
			return d
		case value.DateTime:
			return int64(d)
		case value.TimeSpan:
			return int64(d)
		}
		return cut(elemReal(v.D))
	}
	return v.I
}

// cut truncates f into 64 bits; NaN is 0.
func cut(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// elemReal reads a dynamic element as a real; NaN when it is no number.
func elemReal(e any) float64 {
	switch d := e.(type) {
	case int64:
		return float64(d)
	case float64:
		return d
	case decimal.Decimal:
		f, _ := d.Float64()
		return f
	}
	return math.NaN()
}

// realValue makes a real or decimal from f.
func realValue(t value.Type, f float64) value.Value {
	if t == value.Decimal {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return value.Null(t)
		}
		return value.Value{Type: t, M: decimal.NewFromFloat(f)}
	}
	return value.Value{Type: value.Real, F: f}
}

// realAt reads row i of a numeric or time vector as a real; ok is false for null and for what is no number.
func realAt(v *value.Vector, i int) (f float64, ok bool) {
	if v.IsNull(i) {
		return 0, false
	}
	k := v.Idx(i)
	switch v.Type {
	case value.Real:
		return v.F[k], true
	case value.Decimal:
		f, _ := v.M[k].Float64()
		return f, true
	case value.Bool, value.Int, value.Long, value.Datetime, value.Timespan:
		return float64(v.I[k]), true
	case value.Dynamic:
		f := elemReal(v.D[k])
		return f, f == f
	}
	return 0, false
}
