package expr

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// JSON writes a value compactly, as the service does: non-ASCII text as it is, floats with a point.
func JSON(v any) string {
	var b strings.Builder
	writeJSON(&b, v, "", "")
	return b.String()
}

// JSONIndent writes a value in lines, two spaces a level.
func JSONIndent(v any) string {
	var b strings.Builder
	writeJSON(&b, v, "\n", "  ")
	return b.String()
}

func writeJSON(b *strings.Builder, v any, nl, step string) {
	switch x := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(x))
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case *big.Int:
		b.WriteString(x.String())
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			b.WriteString(`"` + floatText(x) + `"`)
			return
		}
		s := floatText(x)
		b.WriteString(s)
		if !strings.ContainsAny(s, ".E") {
			b.WriteString(".0")
		}
	case decimal.Decimal:
		s := x.String()
		b.WriteString(s)
		if !strings.Contains(s, ".") {
			b.WriteString(".0")
		}
	case string:
		QuoteJSON(b, x)
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteByte(',')
			}
			if nl != "" {
				b.WriteString(nl + step)
				writeJSON(b, e, nl+step, step)
			} else {
				writeJSON(b, e, "", "")
			}
		}
		if nl != "" && len(x) > 0 {
			b.WriteString(nl)
		}
		b.WriteByte(']')
	case *Object:
		if x == nil {
			b.WriteString("null")
			return
		}
		b.WriteByte('{')
		for i, m := range x.Members() {
			if i > 0 {
				b.WriteByte(',')
			}
			if nl != "" {
				b.WriteString(nl + step)
			}
			QuoteJSON(b, m.Name)
			b.WriteByte(':')
			if nl != "" {
				b.WriteByte(' ')
				writeJSON(b, m.Value, nl+step, step)
			} else {
				writeJSON(b, m.Value, "", "")
			}
		}
		if nl != "" && x.Len() > 0 {
			b.WriteString(nl)
		}
		b.WriteByte('}')
	default:
		QuoteJSON(b, fmt.Sprint(x))
	}
}

// QuoteJSON writes a JSON string; it escapes what Json.NET escapes by default.
func QuoteJSON(b *strings.Builder, s string) {
	b.WriteByte('"')
	last := 0
	for i, r := range s {
		var esc string
		switch {
		case r == '"':
			esc = `\"`
		case r == '\\':
			esc = `\\`
		case r == '\n':
			esc = `\n`
		case r == '\r':
			esc = `\r`
		case r == '\t':
			esc = `\t`
		case r == '\b':
			esc = `\b`
		case r == '\f':
			esc = `\f`
		case r < 0x20 || r == 0x85 || r == 0x2028 || r == 0x2029:
			esc = fmt.Sprintf(`\u%04x`, r)
		default:
			continue
		}
		b.WriteString(s[last:i])
		b.WriteString(esc)
		last = i + utf8.RuneLen(r)
	}
	b.WriteString(s[last:])
	b.WriteByte('"')
}

// FromGo turns values of encoding/json and plain Go maps into the language's values. Maps are ordered by name.
func FromGo(v any) any {
	switch x := v.(type) {
	case int:
		return int64(x)
	case int32:
		return int64(x)
	case uint32:
		return int64(x)
	case float32:
		return float64(x)
	case []string:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = e
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = FromGo(e)
		}
		return out
	case map[string]string:
		o := &Object{}
		for _, k := range sortedKeys(x) {
			o.Set(k, x[k])
		}
		return o
	case map[string]any:
		o := &Object{}
		for _, k := range sortedKeys(x) {
			o.Set(k, FromGo(x[k]))
		}
		return o
	case fmt.Stringer:
		switch v.(type) {
		case *big.Int, decimal.Decimal:
			return v
		}
		if n, ok := numberOf(x.String()); ok { // json.Number
			return n
		}
		return x.String()
	}
	return v
}

// MarshalJSON writes the object with its properties in order.
func (o *Object) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	return []byte(JSON(o)), nil
}

// UnmarshalJSON reads an object, its properties in order and its integers exact.
func (o *Object) UnmarshalJSON(b []byte) error {
	v, err := ParseJSON(b)
	if err != nil {
		return err
	}
	x, ok := v.(*Object)
	if !ok {
		if v == nil {
			return nil
		}
		return fmt.Errorf("a value of type %s where an object is expected", TypeName(v))
	}
	*o = *x
	return nil
}
