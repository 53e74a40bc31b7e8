package value

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// Limits of JSON text that becomes a dynamic value.
const (
	MaxJSONDepth = 200
	MaxJSONBytes = 32 << 20
)

// ErrJSON is wrapped by every error of [ParseJSON].
var ErrJSON = errors.New("not JSON")

// ParseJSON reads one JSON document into a dynamic element (see dynamic.go). Whole numbers that fit 64 bits
// stay exact, all others become float64; the order of properties is kept and the last of equal keys wins.
// Text deeper than MaxJSONDepth or longer than MaxJSONBytes is an error.
func ParseJSON(s string) (any, error) {
	if len(s) > MaxJSONBytes {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrJSON, len(s), MaxJSONBytes)
	}
	p := jsonScan{s: s}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.space()
	if p.i < len(s) {
		return nil, p.fail("text after the end")
	}
	return v, nil
}

type jsonScan struct {
	s string
	i int
}

func (p *jsonScan) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", ErrJSON, what, p.i)
}

func (p *jsonScan) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonScan) value(depth int) (any, error) {
	if depth > MaxJSONDepth {
		return nil, p.fail("nested too deeply")
	}
	if p.i >= len(p.s) {
		return nil, p.fail("ends early")
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.str()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	case p.word("null"):
		return nil, nil
	}
	return nil, p.fail("unexpected character")
}

func (p *jsonScan) word(w string) bool {
	if len(p.s)-p.i >= len(w) && p.s[p.i:p.i+len(w)] == w {
		p.i += len(w)
		return true
	}
	return false
}

func (p *jsonScan) object(depth int) (any, error) {
	b := NewBag()
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return b, nil
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			return nil, p.fail("expected a property name")
		}
		k, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, p.fail("expected ':'")
		}
		p.i++
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		b.Set(k, v)
		p.space()
		if p.i >= len(p.s) {
			return nil, p.fail("ends early")
		}
		c := p.s[p.i]
		p.i++
		if c == '}' {
			return b, nil
		}
		if c != ',' {
			return nil, p.fail("expected ',' or '}'")
		}
	}
}

func (p *jsonScan) array(depth int) (any, error) {
	a := []any{}
	p.i++
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return a, nil
	}
	for {
		p.space()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		p.space()
		if p.i >= len(p.s) {
			return nil, p.fail("ends early")
		}
		c := p.s[p.i]
		p.i++
		if c == ']' {
			return a, nil
		}
		if c != ',' {
			return nil, p.fail("expected ',' or ']'")
		}
	}
}

func (p *jsonScan) str() (string, error) {
	p.i++
	a := p.i
	for p.i < len(p.s) { // without escapes the text is shared
		c := p.s[p.i]
		if c == '"' {
			s := p.s[a:p.i]
			p.i++
			return s, nil
		}
		if c == '\\' {
			break
		}
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return "", p.fail("control character in a string")
		}
		p.i++
	}
	b := append(make([]byte, 0, p.i-a+16), p.s[a:p.i]...)
	for p.i < len(p.s) {
		c := p.s[p.i]
		p.i++
		switch {
		case c == '"':
			return string(b), nil
		case c == '\\':
			if p.i >= len(p.s) {
				return "", p.fail("ends early")
			}
			e := p.s[p.i]
			p.i++
			switch e {
			case '"', '\\', '/', '\'':
				b = append(b, e)
			case 'b':
				b = append(b, '\b')
			case 'f':
				b = append(b, '\f')
			case 'n':
				b = append(b, '\n')
			case 'r':
				b = append(b, '\r')
			case 't':
				b = append(b, '\t')
			case 'u':
				r, ok := p.hex4()
				if !ok {
					return "", p.fail("bad \\u escape")
				}
				if utf16.IsSurrogate(r) && p.i+1 < len(p.s) && p.s[p.i] == '\\' && p.s[p.i+1] == 'u' {
					save := p.i
					p.i += 2
					if lo, ok := p.hex4(); ok && utf16.DecodeRune(r, lo) != utf8.RuneError {
						r = utf16.DecodeRune(r, lo)
					} else {
						p.i = save
					}
				}
				b = utf8.AppendRune(b, r)
			default:
				return "", p.fail("unknown escape")
			}
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r':
			return "", p.fail("control character in a string")
		default:
			b = append(b, c)
		}
	}
	return "", p.fail("string without end")
}

func (p *jsonScan) hex4() (rune, bool) {
	if p.i+4 > len(p.s) {
		return 0, false
	}
	u, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	if err != nil {
		return 0, false
	}
	p.i += 4
	return rune(u), true
}

func (p *jsonScan) number() (any, error) {
	a := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	d := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	if p.i == d || p.s[d] == '0' && p.i > d+1 {
		return nil, p.fail("bad number")
	}
	whole := true
	if p.i < len(p.s) && p.s[p.i] == '.' {
		whole = false
		p.i++
		d = p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		if p.i == d {
			return nil, p.fail("bad number")
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		whole = false
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		d = p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		if p.i == d {
			return nil, p.fail("bad number")
		}
	}
	t := p.s[a:p.i]
	if whole {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, p.fail("bad number")
	}
	return f, nil
}

// FormatDynamic writes a dynamic element as tostring(dynamic) does: null is empty, a string stands without
// quotes, everything else is compact JSON.
func FormatDynamic(d any) string {
	switch x := d.(type) {
	case nil:
		return ""
	case string:
		return x
	case bool:
		if x {
			return "true"
		}
		return "false"
	case int64:
		return strconv.FormatInt(x, 10)
	case DateTime:
		return FormatDatetime(int64(x))
	case TimeSpan:
		return FormatTimespan(int64(x))
	case Guid:
		return FormatGUID(x)
	case float64:
		return FormatReal(x)
	case decimal.Decimal:
		return FormatDecimal(x)
	}
	return string(AppendJSON(nil, d))
}

// AppendJSON appends a dynamic element as compact JSON: times and guids as text, NaN and the infinities as
// the texts NaN, Infinity, -Infinity, keys in their order.
func AppendJSON(b []byte, d any) []byte {
	switch x := d.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, x)
	case int64:
		return strconv.AppendInt(b, x, 10)
	case float64:
		return AppendJSONReal(b, x)
	case decimal.Decimal:
		return append(append(append(b, '"'), FormatDecimal(x)...), '"')
	case string:
		return AppendJSONString(b, x)
	case DateTime:
		return append(AppendDatetime(append(b, '"'), int64(x)), '"')
	case TimeSpan:
		return append(AppendTimespan(append(b, '"'), int64(x)), '"')
	case Guid:
		return append(AppendGUID(append(b, '"'), x), '"')
	case []any:
		b = append(b, '[')
		for i, e := range x {
			if i > 0 {
				b = append(b, ',')
			}
			b = AppendJSON(b, e)
		}
		return append(b, ']')
	case *Bag:
		b = append(b, '{')
		for i, k := range x.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(AppendJSONString(b, k), ':')
			b = AppendJSON(b, x.vals[i])
		}
		return append(b, '}')
	}
	return AppendJSONString(b, fmt.Sprint(d))
}

// AppendJSONReal appends a real as JSON: the shortest digits that read back, always with a fraction or an
// exponent; NaN and the infinities as texts.
func AppendJSONReal(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-5 || a >= 1e17) {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	n := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	for _, c := range b[n:] {
		if c == '.' {
			return b
		}
	}
	return append(b, ".0"...)
}

// AppendJSONString appends s quoted; invalid UTF-8 becomes U+FFFD, characters beyond ASCII stay.
func AppendJSONString(b []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	b = append(b, '"')
	a := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(b, s[a:i]...)
				b = append(b, "\ufffd"...)
				a = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[a:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		a = i
	}
	b = append(b, s[a:]...)
	return append(b, '"')
}
