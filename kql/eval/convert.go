package eval

import (
	"encoding/hex"
	"math"
	"picket/kql/value"
	"strings"

	"github.com/shopspring/decimal"
)

func convertFuncs(t table) {
	to := func(ty value.Type, names ...string) {
		for _, n := range names {
			t.pure(n, func(_ *Ctx, _ value.Type, _ int, args []*value.Vector) (*value.Vector, error) {
				return convert(args[0], ty), nil
			})
		}
	}
	to(value.String, "tostring")
	to(value.Long, "tolong")
	to(value.Int, "toint")
	to(value.Real, "toreal", "todouble")
	to(value.Datetime, "todatetime")
	to(value.Timespan, "totimespan", "totime")
	to(value.Bool, "tobool", "toboolean")
	to(value.Decimal, "todecimal")
	to(value.GUID, "toguid")
	t.pure("make_timespan", makeTimespan)
	t.pure("__cast", func(_ *Ctx, ret value.Type, _ int, args []*value.Vector) (*value.Vector, error) {
		return convert(args[len(args)-1], ret), nil
	})
	t.pure("gettype", getType)
	for _, n := range []string{"todynamic", "toobject", "parse_json", "parsejson"} {
		t.pure(n, func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
			return parseJSONColumn(args[0], n), nil
		})
	}
	t.pure("dynamic_to_json", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.String, n)
		for i := range out.S {
			if d := a.at(i); d != nil {
				out.S[i] = string(value.AppendJSON(nil, sortedKeys(d)))
			}
		}
		return out, nil
	})
}

// Convert gives v converted to t as the to*() functions do: never an error, null where there is no conversion.
func Convert(v *value.Vector, t value.Type) *value.Vector { return convert(v, t) }

// convert gives v as a vector of type t, of the same N and constness.
func convert(v *value.Vector, t value.Type) *value.Vector {
	if v.Type == t {
		return v
	}
	m := stored(v)
	out := value.New(t, m)
	out.N, out.Const = v.N, v.Const
	if t == value.String {
		for i := 0; i < m; i++ {
			out.S[i] = value.Text(v, i)
		}
		return out
	}
	if t == value.Dynamic {
		for i := 0; i < m; i++ {
			out.D[i] = value.Elem(v, i)
		}
		return out
	}
	if v.Type == value.Long && t == value.Int || v.Type == value.Int && t == value.Long {
		for i, x := range v.I[:m] {
			if t == value.Int {
				x = int64(int32(x))
			}
			out.I[i] = x
		}
		out.Null = v.Null
		return out
	}
	if t == value.Real && (v.Type == value.Long || v.Type == value.Int || v.Type == value.Bool || v.Type == value.Datetime || v.Type == value.Timespan) {
		for i, x := range v.I[:m] {
			out.F[i] = float64(x)
		}
		out.Null = v.Null
		return out
	}
	for i := 0; i < m; i++ {
		if v.IsNull(i) || !convertCell(out, v, i) {
			out.SetNull(i)
		}
	}
	return out
}

// convertCell stores the conversion of v's non-null cell i; false when there is none.
func convertCell(out, v *value.Vector, i int) bool {
	switch v.Type {
	case value.String:
		return convertText(out, i, v.S[i])
	case value.Bool, value.Int, value.Long, value.Datetime, value.Timespan:
		return convertInt(out, i, v.I[i])
	case value.Real:
		return convertReal(out, i, v.F[i])
	case value.Decimal:
		return convertDecimal(out, i, v.M[i])
	case value.Dynamic:
		return convertElem(out, i, v.D[i])
	}
	return false
}

func convertElem(out *value.Vector, i int, d any) bool {
	switch x := d.(type) {
	case string:
		return convertText(out, i, x)
	case int64:
		return convertInt(out, i, x)
	case float64:
		return convertReal(out, i, x)
	case bool:
		if x {
			return convertInt(out, i, 1)
		}
		return convertInt(out, i, 0)
	case decimal.Decimal:
		return convertDecimal(out, i, x)
	case value.DateTime:
		return convertInt(out, i, int64(x))
	case value.TimeSpan:
		return convertInt(out, i, int64(x))
	case value.Guid:
		if out.Type == value.GUID {
			out.G[i] = x
			return true
		}
	}
	return false
}

func convertText(out *value.Vector, i int, s string) (ok bool) {
	switch out.Type {
	case value.Long:
		out.I[i], ok = value.ParseLong(s)
	case value.Int:
		var x int64
		if x, ok = value.ParseLong(s); ok {
			if x < math.MinInt32 || x > math.MaxInt32 {
				if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(s)), "0x") || uint64(x) > math.MaxUint32 {
					return false
				}
			}
			out.I[i] = int64(int32(x))
		}
	case value.Real:
		out.F[i], ok = value.ParseReal(s)
	case value.Bool:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true":
			out.I[i], ok = 1, true
		case "false":
			out.I[i], ok = 0, true
		default:
			var x int64
			if x, ok = value.ParseLong(s); ok && x != 0 {
				out.I[i] = 1
			}
		}
	case value.Datetime:
		out.I[i], ok = value.ParseDatetime(s)
	case value.Timespan:
		out.I[i], ok = value.ParseTimespan(s)
	case value.Decimal:
		out.M[i], ok = value.ParseDecimal(s)
	case value.GUID:
		out.G[i], ok = guidOfText(s)
	}
	return ok
}

func convertInt(out *value.Vector, i int, x int64) bool {
	switch out.Type {
	case value.Long, value.Timespan:
		out.I[i] = x
	case value.Int:
		out.I[i] = int64(int32(x))
	case value.Real:
		out.F[i] = float64(x)
	case value.Bool:
		if x != 0 {
			out.I[i] = 1
		}
	case value.Datetime:
		if !value.ValidDatetime(x) {
			return false
		}
		out.I[i] = x
	case value.Decimal:
		out.M[i] = decimal.NewFromInt(x)
	default:
		return false
	}
	return true
}

func convertReal(out *value.Vector, i int, f float64) bool {
	switch out.Type {
	case value.Real:
		out.F[i] = f
		return true
	case value.Bool:
		if f != 0 {
			out.I[i] = 1
		}
		return true
	case value.Decimal:
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
		out.M[i] = value.FitDecimal(decimal.NewFromFloat(f))
		return true
	case value.Int:
		switch {
		case math.IsNaN(f):
			return false
		case f >= math.MaxInt32:
			out.I[i] = math.MaxInt32
		case f <= math.MinInt32:
			out.I[i] = math.MinInt32
		default:
			out.I[i] = int64(f)
		}
		return true
	}
	x, ok := cutReal(f)
	return ok && convertInt(out, i, x)
}

func convertDecimal(out *value.Vector, i int, d decimal.Decimal) bool {
	switch out.Type {
	case value.Decimal:
		out.M[i] = d
		return true
	case value.Real:
		out.F[i], _ = d.Float64()
		return true
	case value.Bool:
		if !d.IsZero() {
			out.I[i] = 1
		}
		return true
	}
	x, ok := decimalLong(d)
	return ok && convertInt(out, i, x)
}

// getType is gettype(): the type of a typed value, and of a dynamic what it holds.
func getType(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	if args[0].Type != value.Dynamic {
		return value.ConstOf(value.OfString(args[0].Type.String()), n), nil
	}
	a := dyns(args[0])
	out := value.New(value.String, n)
	for i := range out.S {
		switch a.at(i).(type) {
		case nil:
			out.S[i] = "null"
		case bool:
			out.S[i] = "bool"
		case int64:
			out.S[i] = "long"
		case float64:
			out.S[i] = "double"
		case decimal.Decimal:
			out.S[i] = "decimal"
		case string:
			out.S[i] = "string"
		case value.DateTime:
			out.S[i] = "datetime"
		case value.TimeSpan:
			out.S[i] = "timespan"
		case value.Guid:
			out.S[i] = "guid"
		case []any:
			out.S[i] = "array"
		default:
			out.S[i] = "dictionary"
		}
	}
	return out, nil
}

// parseJSONText is parse_json() of one text: no JSON stays the text, an empty text is null.
func parseJSONText(s string) any {
	if s == "" {
		return nil
	}
	d, err := value.ParseJSON(s)
	if err != nil {
		return s
	}
	return d
}

func parseJSONColumn(v *value.Vector, n int) *value.Vector {
	if v.Type == value.Dynamic {
		return v
	}
	if v.Type != value.String {
		return convert(v, value.Dynamic)
	}
	a := texts(v)
	out := value.New(value.Dynamic, n)
	last, lastD := "", any(nil)
	for i := range out.D {
		s := a.at(i)
		if s == last { // the same text twice in a row is common in sorted and joined data
			out.D[i] = lastD
			continue
		}
		last, lastD = s, parseJSONText(s)
		out.D[i] = lastD
	}
	return out
}

// sortedKeys gives a copy whose bags have their keys in order, the canonical form of dynamic_to_json().
func sortedKeys(d any) any {
	switch x := d.(type) {
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = sortedKeys(e)
		}
		return out
	case *value.Bag:
		keys := append([]string(nil), x.Keys()...)
		sortStrings(keys)
		b := value.NewBagOf(len(keys))
		for _, k := range keys {
			v, _ := x.Get(k)
			b.Set(k, sortedKeys(v))
		}
		return b
	}
	return d
}

// guidOfText reads what toguid() takes: besides the usual forms the first 32 hexadecimal digits of a text, with or
// without a hyphen at each of its proper places; what follows them is ignored.
func guidOfText(s string) (g [16]byte, ok bool) {
	if g, ok = value.ParseGUID(s); ok {
		return g, true
	}
	var digits [32]byte
	n, hyphen := 0, false
	for i := 0; i < len(s) && n < len(digits); i++ {
		if s[i] == '-' && !hyphen && (n == 8 || n == 12 || n == 16 || n == 20) {
			hyphen = true
			continue
		}
		digits[n], hyphen = s[i], false
		n++
	}
	if n < len(digits) {
		return g, false
	}
	_, err := hex.Decode(g[:], digits[:])
	return g, err == nil
}
