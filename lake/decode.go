package lake

import (
	"encoding/json"
	"fmt"
	"math"
	"picket/kql/value"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// DecodeRows reads JSON objects (one a line, or in an array, or one after the other) into a frame of the columns;
// keys[i] is the JSON key of columns[i], nil for the columns' own names. It is the slow and exact twin of DuckDB's
// reader: it keeps every digit, takes all text forms that KQL knows, and says which row and column is wrong.
func DecodeRows(text []byte, columns value.Schema, keys []string) (*value.Frame, error) {
	at := map[string][]int{}
	decimals := false // their digits must not pass through a float
	for i, c := range columns {
		k := c.Name
		if keys != nil {
			k = keys[i]
		}
		at[k] = append(at[k], i)
		decimals = decimals || c.Type == value.Decimal
	}
	var rows []*value.Bag
	var raws []map[string]json.RawMessage
	err := eachObject(text, decimals, func(b *value.Bag, raw []byte) error {
		rows = append(rows, b)
		if decimals {
			var m map[string]json.RawMessage
			if json.Unmarshal(raw, &m) != nil {
				m = nil // forms that only KQL's reader takes
			}
			raws = append(raws, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f := &value.Frame{Schema: columns, N: len(rows)}
	for _, c := range columns {
		v := value.New(c.Type, f.N)
		for i := range f.N {
			v.SetNull(i)
		}
		f.Vecs = append(f.Vecs, v)
	}
	for r, row := range rows {
		for _, k := range row.Keys() {
			d, _ := row.Get(k)
			if d == nil {
				continue
			}
			for _, i := range at[k] {
				d := d
				if columns[i].Type == value.Decimal {
					if raw := raws[r][k]; len(raw) > 0 && (raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9') {
						d = string(raw)
					}
				}
				x, err := Convert(d, columns[i].Type)
				if err != nil {
					return nil, fmt.Errorf("row %d, column %s: %w", r+1, columns[i].Name, err)
				}
				f.Vecs[i].Set(r, x)
			}
		}
	}
	return f, nil
}

// EachObject hands the JSON objects of a text to f, in order.
func EachObject(text []byte, f func(*value.Bag) error) error {
	return eachObject(text, false, func(b *value.Bag, _ []byte) error { return f(b) })
}

// eachObject hands over each object with its text, where that is wanted.
func eachObject(text []byte, raw bool, f func(*value.Bag, []byte) error) error {
	if !utf8.Valid(text) {
		at := 0
		for r, n := utf8.DecodeRune(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(text[at:]) {
			at += n
		}
		return fmt.Errorf("byte %d is not UTF-8", at)
	}
	s := string(text)
	if strings.HasPrefix(strings.TrimLeft(s, " \t\r\n"), "[") {
		d, err := value.ParseJSON(s)
		if err != nil {
			return err
		}
		var raws []json.RawMessage
		if raw && json.Unmarshal(text, &raws) != nil {
			raws = nil
		}
		for i, x := range d.([]any) {
			b, ok := x.(*value.Bag)
			if !ok {
				return fmt.Errorf("element %d is no JSON object", i+1)
			}
			var one []byte
			if i < len(raws) {
				one = raws[i]
			}
			if err := f(b, one); err != nil {
				return err
			}
		}
		return nil
	}
	n := 0
	for i := 0; i < len(s); {
		end := objectEnd(s, i)
		one := strings.TrimSpace(s[i:end])
		i = end
		if one == "" {
			continue
		}
		n++
		d, err := value.ParseJSON(one)
		if err != nil {
			return fmt.Errorf("object %d: %w", n, err)
		}
		b, ok := d.(*value.Bag)
		if !ok {
			return fmt.Errorf("value %d is no JSON object", n)
		}
		var own []byte
		if raw {
			own = []byte(one)
		}
		if err := f(b, own); err != nil {
			return err
		}
	}
	return nil
}

// objectEnd finds the end of the value that begins at i: after its closing brace, or at the end of the line.
func objectEnd(s string, i int) int {
	depth, inText := 0, false
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
			}
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		case c == '\n' && depth == 0:
			return i + 1
		}
	}
	return len(s)
}

// Convert makes a value of the type from a dynamic element, as a column of that type takes it: exact conversions and
// text forms, no guesses.
func Convert(d any, t value.Type) (value.Value, error) {
	no := func() (value.Value, error) {
		return value.Value{}, fmt.Errorf("%s is no %s", clip(value.FormatDynamic(d)), t)
	}
	text, isText := d.(string)
	switch t {
	case value.Dynamic:
		return value.OfDynamic(d), nil
	case value.String:
		if isText {
			return value.OfString(text), nil
		}
		return value.OfString(value.FormatDynamic(d)), nil
	case value.Bool:
		switch x := d.(type) {
		case bool:
			return value.OfBool(x), nil
		case int64:
			return value.OfBool(x != 0), nil
		case string:
			if b, err := strconv.ParseBool(strings.ToLower(x)); err == nil {
				return value.OfBool(b), nil
			}
		}
		return no()
	case value.Int, value.Long:
		var n int64
		switch x := d.(type) {
		case int64:
			n = x
		case float64:
			if n = int64(x); float64(n) != x || x >= 1<<63 {
				return no()
			}
		case string:
			var err error
			if n, err = strconv.ParseInt(strings.TrimSpace(x), 10, 64); err != nil {
				return no()
			}
		default:
			return no()
		}
		if t == value.Int && n != int64(int32(n)) {
			return no()
		}
		return value.Of(t, n), nil
	case value.Real:
		switch x := d.(type) {
		case int64:
			return value.OfReal(float64(x)), nil
		case float64:
			return value.OfReal(x), nil
		case string:
			if f, ok := value.ParseReal(strings.TrimSpace(x)); ok {
				return value.OfReal(f), nil
			}
		}
		return no()
	case value.Decimal:
		switch x := d.(type) {
		case int64:
			return value.Value{Type: t, M: decimal.NewFromInt(x)}, nil
		case float64:
			if math.IsInf(x, 0) || math.IsNaN(x) {
				return no()
			}
			return value.Value{Type: t, M: decimal.NewFromFloat(x)}, nil
		case string:
			if m, ok := value.ParseDecimal(strings.TrimSpace(x)); ok {
				return value.Value{Type: t, M: m}, nil
			}
		}
		return no()
	case value.Datetime:
		if x, ok := d.(value.DateTime); ok {
			return value.Of(t, int64(x)), nil
		}
		if isText {
			if n, ok := value.ParseDatetime(text); ok {
				return value.Of(t, n), nil
			}
		}
		return no()
	case value.Timespan:
		switch x := d.(type) {
		case value.TimeSpan:
			return value.Of(t, int64(x)), nil
		case int64:
			return value.Of(t, x), nil
		case string:
			if n, ok := value.ParseTimespan(x); ok {
				return value.Of(t, n), nil
			}
		}
		return no()
	case value.GUID:
		if x, ok := d.(value.Guid); ok {
			return value.Value{Type: t, G: x}, nil
		}
		if isText {
			if g, ok := value.ParseGUID(text); ok {
				return value.Value{Type: t, G: g}, nil
			}
		}
		return no()
	}
	return no()
}

func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	n := 80
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
