package value

import "strconv"

// AppendCell appends row i as the cell of a JSON result: bool, int and long as JSON values, real as a number
// or the texts NaN, Infinity, -Infinity, decimal, guid, datetime (ISO, seven digits, Z) and timespan as text,
// dynamic as the JSON that it is, null as null. A string is always text.
func AppendCell(b []byte, v *Vector, i int) []byte {
	if v.Type == Dynamic {
		return AppendJSON(b, v.D[v.Idx(i)])
	}
	if v.IsNull(i) {
		return append(b, "null"...)
	}
	k := v.Idx(i)
	switch v.Type {
	case Bool:
		return strconv.AppendBool(b, v.I[k] != 0)
	case Int, Long:
		return strconv.AppendInt(b, v.I[k], 10)
	case Real:
		return AppendJSONReal(b, v.F[k])
	case Decimal:
		return append(append(append(b, '"'), FormatDecimal(v.M[k])...), '"')
	case String:
		return AppendJSONString(b, v.S[k])
	case Datetime:
		return append(AppendDatetime(append(b, '"'), v.I[k]), '"')
	case Timespan:
		return append(AppendTimespan(append(b, '"'), v.I[k]), '"')
	case GUID:
		return append(AppendGUID(append(b, '"'), v.G[k]), '"')
	}
	return append(b, "null"...)
}

// Text gives row i as tostring() does: null is empty, true is True.
func Text(v *Vector, i int) string {
	k := v.Idx(i)
	switch v.Type {
	case String:
		return v.S[k]
	case Dynamic:
		return FormatDynamic(v.D[k])
	}
	if v.IsNull(i) {
		return ""
	}
	switch v.Type {
	case Bool:
		if v.I[k] != 0 {
			return "True"
		}
		return "False"
	case Int, Long:
		return strconv.FormatInt(v.I[k], 10)
	case Real:
		return FormatReal(v.F[k])
	case Decimal:
		return FormatDecimal(v.M[k])
	case Datetime:
		return FormatDatetime(v.I[k])
	case Timespan:
		return FormatTimespan(v.I[k])
	case GUID:
		return FormatGUID(v.G[k])
	}
	return ""
}

// Text gives x as tostring() does.
func (x Value) Text() string { return Text(ConstOf(x, 1), 0) }

// Null makes the null of a type (the empty string for String).
func Null(t Type) Value {
	if t == String {
		return Value{Type: t}
	}
	return Value{Type: t, Null: true}
}

// Of boxes a bool, int-like number, datetime or timespan.
func Of(t Type, i int64) Value { return Value{Type: t, I: i} }

// OfBool boxes a bool.
func OfBool(b bool) Value {
	v := Value{Type: Bool}
	if b {
		v.I = 1
	}
	return v
}

// OfLong boxes a long.
func OfLong(i int64) Value { return Value{Type: Long, I: i} }

// OfReal boxes a real.
func OfReal(f float64) Value { return Value{Type: Real, F: f} }

// OfString boxes a string.
func OfString(s string) Value { return Value{Type: String, S: s} }

// OfDynamic boxes a dynamic element; nil is dynamic(null).
func OfDynamic(d any) Value { return Value{Type: Dynamic, D: d, Null: d == nil} }
