package exec

import (
	"picket/kql/value"
	"strings"

	"github.com/shopspring/decimal"
)

// commonType gives the type in which values of two types can be compared as join keys.
func commonType(a, b value.Type) (value.Type, bool) {
	if a == b {
		return a, true
	}
	rank := map[value.Type]int{value.Int: 1, value.Long: 2, value.Real: 3, value.Decimal: 4}
	ra, rb := rank[a], rank[b]
	switch {
	case ra > 0 && rb > 0 && ra > rb:
		return a, true
	case ra > 0 && rb > 0:
		return b, true
	case a == value.Dynamic || b == value.Dynamic:
		return value.Dynamic, true
	}
	return value.Invalid, false
}

// convertVector widens v to t without loss of meaning: between numbers, and anything to dynamic. ok is false for
// every other pair.
func convertVector(v *value.Vector, t value.Type) (*value.Vector, bool) {
	if v.Type == t {
		return v, true
	}
	n := v.N
	if v.Const {
		n = 1
	}
	out := &value.Vector{}
	*out = *value.New(t, n)
	out.N, out.Const = v.N, v.Const
	for i := 0; i < n; i++ {
		if v.IsNull(i) {
			out.SetNull(i)
			continue
		}
		switch {
		case t == value.Dynamic:
			out.D[i] = value.Elem(v, i)
		case (t == value.Long || t == value.Int) && (v.Type == value.Int || v.Type == value.Long):
			out.I[i] = v.I[i]
		case t == value.Real && (v.Type == value.Int || v.Type == value.Long):
			out.F[i] = float64(v.I[i])
		case t == value.Real && v.Type == value.Decimal:
			out.F[i], _ = v.M[i].Float64()
		case t == value.Decimal && (v.Type == value.Int || v.Type == value.Long):
			out.M[i] = decimal.NewFromInt(v.I[i])
		case t == value.Decimal && v.Type == value.Real:
			x := realValue(t, v.F[i])
			if x.Null {
				out.SetNull(i)
			} else {
				out.M[i] = x.M
			}
		default:
			return nil, false
		}
	}
	return out, true
}

// castElem converts a dynamic element to a scalar type as mv-expand's `to typeof` does: numbers convert to
// numbers, texts of times and guids to these, anything to string; all else is null. A text is no number.
func castElem(e any, t value.Type) value.Value {
	null := value.Null(t)
	switch t {
	case value.Dynamic:
		return value.OfDynamic(e)
	case value.String:
		return value.OfString(value.FormatDynamic(e))
	}
	switch x := e.(type) {
	case bool:
		if t == value.Bool {
			return value.OfBool(x)
		}
	case int64, float64, decimal.Decimal:
		return castNumber(x, t)
	case value.DateTime:
		if t == value.Datetime {
			return value.Of(t, int64(x))
		}
	case value.TimeSpan:
		if t == value.Timespan {
			return value.Of(t, int64(x))
		}
	case value.Guid:
		if t == value.GUID {
			return value.Value{Type: t, G: x}
		}
	case string:
		switch t {
		case value.Datetime, value.Timespan, value.GUID:
			return parseText(x, t)
		}
	}
	return null
}

func castNumber(e any, t value.Type) value.Value {
	switch t {
	case value.Bool:
		f := elemReal(e)
		if f != f {
			return value.Null(t)
		}
		return value.OfBool(f != 0)
	case value.Int, value.Long:
		f := elemReal(e)
		n, ok := e.(int64)
		if !ok {
			if f != f || f >= 1<<63 || f < -1<<63 {
				return value.Null(t)
			}
			n = int64(f)
		}
		if t == value.Int && int64(int32(n)) != n {
			return value.Null(t)
		}
		return value.Of(t, n)
	case value.Real:
		return value.OfReal(elemReal(e))
	case value.Decimal:
		switch y := e.(type) {
		case int64:
			return value.Value{Type: t, M: decimal.NewFromInt(y)}
		case decimal.Decimal:
			return value.Value{Type: t, M: y}
		}
		return realValue(t, elemReal(e))
	case value.Timespan, value.Datetime:
		if n, ok := e.(int64); ok {
			return value.Of(t, n)
		}
	}
	return value.Null(t)
}

// parseText reads s as a value of type t, as the to…() functions do; null when it is none.
func parseText(s string, t value.Type) value.Value {
	switch t {
	case value.String:
		return value.OfString(s)
	case value.Bool:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true":
			return value.OfBool(true)
		case "false":
			return value.OfBool(false)
		}
		if n, ok := value.ParseLong(s); ok {
			return value.OfBool(n != 0)
		}
	case value.Int:
		if n, ok := value.ParseLong(s); ok && int64(int32(n)) == n {
			return value.Of(t, n)
		}
	case value.Long:
		if n, ok := value.ParseLong(s); ok {
			return value.Of(t, n)
		}
	case value.Real:
		if f, ok := value.ParseReal(s); ok {
			return value.OfReal(f)
		}
	case value.Decimal:
		if d, ok := value.ParseDecimal(s); ok {
			return value.Value{Type: t, M: d}
		}
	case value.Datetime:
		if n, ok := value.ParseDatetime(s); ok {
			return value.Of(t, n)
		}
	case value.Timespan:
		if n, ok := value.ParseTimespan(s); ok {
			return value.Of(t, n)
		}
	case value.GUID:
		if g, ok := value.ParseGUID(s); ok {
			return value.Value{Type: t, G: g}
		}
	case value.Dynamic:
		if e, err := value.ParseJSON(s); err == nil {
			return value.OfDynamic(e)
		}
		return value.OfDynamic(s)
	}
	return value.Null(t)
}
