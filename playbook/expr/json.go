package expr

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of JSON texts that come from outside.
const (
	MaxJSONBytes = 100 << 20 // a message (limits page)
	MaxJSONDepth = 256
)

// JSONError is a text that isn't JSON, with its place.
type JSONError struct {
	Msg          string // as Json.NET words it
	Line, Column int    // from 1
}

func (e *JSONError) Error() string { return e.Msg }

// ParseJSON reads one JSON value exactly: 64-bit and larger integers stay integers, a number written with a
// point or exponent is a float, property order is kept, the last of equal names wins.
func ParseJSON(data []byte) (any, error) { return parseJSON(string(data), false, nil) }

// ParseJSONLenient reads JSON as the service's json() and Parse JSON do (Json.NET): single quotes, bare
// property names, comments and trailing commas are accepted, text after the value is ignored.
func ParseJSONLenient(s string) (any, error) { return parseJSON(s, true, nil) }

// ParseJSONPositions is [ParseJSON] with comments and trailing commas allowed (templates have them) and a call
// for each property and element: its path (names and indexes as text), and the line and column of its name
// (of its value in arrays), from 1.
func ParseJSONPositions(data []byte, at func(path []string, line, column int)) (any, error) {
	return parseJSON(string(data), false, at)
}

func parseJSON(s string, lenient bool, at func([]string, int, int)) (any, error) {
	if len(s) > MaxJSONBytes {
		return nil, fmt.Errorf("JSON text of %d bytes exceeds the limit of %d", len(s), MaxJSONBytes)
	}
	s = strings.TrimPrefix(s, "\ufeff")
	p := &jsonParser{s: s, lenient: lenient, at: at, line: 1}
	if err := p.space(); err != nil {
		return nil, err
	}
	if p.i >= len(p.s) {
		if lenient {
			return nil, nil
		}
		return nil, p.err("Unexpected end when reading token.")
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if err := p.space(); err != nil {
		return nil, err
	}
	if p.i < len(p.s) && !lenient {
		return nil, p.err(fmt.Sprintf("Additional text encountered after finished reading JSON content: %s.", p.char()))
	}
	return v, nil
}

type jsonParser struct {
	s         string
	i         int
	line      int
	lineStart int
	lenient   bool
	path      []string
	at        func([]string, int, int)
}

func (p *jsonParser) char() string {
	if p.i >= len(p.s) {
		return ""
	}
	_, n := utf8.DecodeRuneInString(p.s[p.i:])
	return p.s[p.i : p.i+n]
}

func (p *jsonParser) err(msg string) error {
	col := p.i - p.lineStart
	return &JSONError{Msg: fmt.Sprintf("%s Path '%s', line %d, position %d.", msg, jsonPath(p.path), p.line, col), Line: p.line, Column: col + 1}
}

func jsonPath(path []string) string {
	var b strings.Builder
	for _, s := range path {
		if strings.HasPrefix(s, "[") {
			b.WriteString(s)
		} else {
			if strings.ContainsAny(s, ". ['\"]()") {
				b.WriteString("['" + strings.ReplaceAll(s, "'", "\\'") + "']")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}

func (p *jsonParser) space() error {
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '\n':
			p.i++
			p.line++
			p.lineStart = p.i
		case c == ' ' || c == '\t' || c == '\r':
			p.i++
		case c == '/' && p.i+1 < len(p.s) && p.s[p.i+1] == '/':
			for p.i < len(p.s) && p.s[p.i] != '\n' {
				p.i++
			}
		case c == '/' && p.i+1 < len(p.s) && p.s[p.i+1] == '*':
			end := strings.Index(p.s[p.i+2:], "*/")
			if end < 0 {
				p.i = len(p.s)
				return p.err("Unexpected end while parsing comment.")
			}
			for _, r := range p.s[p.i : p.i+2+end+2] {
				if r == '\n' {
					p.line++
				}
			}
			stop := p.i + 2 + end + 2
			if nl := strings.LastIndexByte(p.s[p.i:stop], '\n'); nl >= 0 {
				p.lineStart = p.i + nl + 1
			}
			p.i = stop
		case c == 0xC2 && p.i+1 < len(p.s) && p.s[p.i+1] == 0xA0: // no-break space, found in hand-edited templates
			p.i += 2
		default:
			return nil
		}
	}
	return nil
}

func (p *jsonParser) value(depth int) (any, error) {
	if depth > MaxJSONDepth {
		return nil, p.err(fmt.Sprintf("The depth exceeds the limit of %d.", MaxJSONDepth))
	}
	if p.i >= len(p.s) {
		return nil, p.err("Unexpected end when reading token.")
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"' || (c == '\'' && p.lenient):
		return p.str()
	case c == '-' || c >= '0' && c <= '9' || c == '.' && p.lenient:
		return p.number()
	}
	for _, w := range []struct {
		text string
		v    any
	}{{"true", true}, {"false", false}, {"null", nil}} {
		if strings.HasPrefix(p.s[p.i:], w.text) {
			p.i += len(w.text)
			return w.v, nil
		}
	}
	if p.lenient {
		switch {
		case strings.HasPrefix(p.s[p.i:], "NaN"):
			p.i += 3
			return math.NaN(), nil
		case strings.HasPrefix(p.s[p.i:], "Infinity"):
			p.i += 8
			return math.Inf(1), nil
		case strings.HasPrefix(p.s[p.i:], "undefined"):
			p.i += 9
			return nil, nil
		}
	}
	return nil, p.err("Unexpected character encountered while parsing value: " + p.char() + ".")
}

func (p *jsonParser) note() {
	if p.at != nil {
		p.at(p.path, p.line, p.i-p.lineStart+1)
	}
}

func (p *jsonParser) object(depth int) (any, error) {
	o := &Object{}
	p.i++
	for {
		if err := p.space(); err != nil {
			return nil, err
		}
		if p.i >= len(p.s) {
			return nil, p.err("Unexpected end when reading token.")
		}
		if p.s[p.i] == '}' {
			p.i++
			return o, nil
		}
		var name string
		line, col := p.line, p.i-p.lineStart+1
		switch c := p.s[p.i]; {
		case c == '"' || (c == '\'' && p.lenient):
			v, err := p.str()
			if err != nil {
				return nil, err
			}
			name = v.(string)
		case p.lenient && identByte(c):
			j := p.i
			for p.i < len(p.s) && identByte(p.s[p.i]) {
				p.i++
			}
			name = p.s[j:p.i]
		default:
			return nil, p.err("Invalid property identifier character: " + p.char() + ".")
		}
		if err := p.space(); err != nil {
			return nil, err
		}
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, p.err("Invalid character after parsing property name. Expected ':' but got: " + p.char() + ".")
		}
		p.i++
		if err := p.space(); err != nil {
			return nil, err
		}
		p.path = append(p.path, name)
		if p.at != nil {
			p.at(p.path, line, col)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		o.Set(name, v)
		if err := p.space(); err != nil {
			return nil, err
		}
		if p.i >= len(p.s) {
			if p.lenient {
				return o, nil // Json.NET closes open containers at the end of the text
			}
			return nil, p.err("Unexpected end when reading token.")
		}
		switch p.s[p.i] {
		case ',':
			p.i++
		case '}':
		default:
			return nil, p.err("After parsing a value an unexpected character was encountered: " + p.char() + ".")
		}
	}
}

func identByte(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (p *jsonParser) array(depth int) (any, error) {
	out := []any{}
	p.i++
	for {
		if err := p.space(); err != nil {
			return nil, err
		}
		if p.i >= len(p.s) {
			return nil, p.err("Unexpected end when reading token.")
		}
		if p.s[p.i] == ']' {
			p.i++
			return out, nil
		}
		if p.s[p.i] == ',' && p.lenient { // an element left out reads as null
			out = append(out, nil)
			p.i++
			continue
		}
		p.path = append(p.path, "["+strconv.Itoa(len(out))+"]")
		p.note()
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		out = append(out, v)
		if err := p.space(); err != nil {
			return nil, err
		}
		if p.i >= len(p.s) {
			if p.lenient {
				return out, nil
			}
			return nil, p.err("Unexpected end when reading token.")
		}
		switch p.s[p.i] {
		case ',':
			p.i++
		case ']':
		default:
			return nil, p.err("After parsing a value an unexpected character was encountered: " + p.char() + ".")
		}
	}
}

func (p *jsonParser) str() (any, error) {
	q := p.s[p.i]
	p.i++
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != q && p.s[p.i] != '\\' {
		if p.s[p.i] == '\n' {
			p.line++
			p.lineStart = p.i + 1
		}
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == q {
		s := p.s[start:p.i]
		p.i++
		return strings.ToValidUTF8(s, "\ufffd"), nil
	}
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == q {
			p.i++
			return strings.ToValidUTF8(b.String(), "\ufffd"), nil
		}
		if c != '\\' {
			if c == '\n' {
				p.line++
				p.lineStart = p.i + 1
			}
			b.WriteByte(c)
			p.i++
			continue
		}
		p.i++
		if p.i >= len(p.s) {
			break
		}
		c = p.s[p.i]
		p.i++
		switch c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case '"', '\\', '/', '\'':
			b.WriteByte(c)
		case 'u':
			r, err := p.hex4()
			if err != nil {
				return nil, err
			}
			if utf16.IsSurrogate(r) && strings.HasPrefix(p.s[p.i:], "\\u") {
				save := p.i
				p.i += 2
				r2, err := p.hex4()
				if err != nil {
					return nil, err
				}
				if d := utf16.DecodeRune(r, r2); d != utf8.RuneError {
					r = d
				} else {
					p.i = save
				}
			}
			b.WriteRune(r)
		default:
			return nil, p.err("Bad JSON escape sequence: \\" + string(c) + ".")
		}
	}
	return nil, p.err("Unterminated string. Expected delimiter: " + string(q) + ".")
}

func (p *jsonParser) hex4() (rune, error) {
	if p.i+4 > len(p.s) {
		return 0, p.err("Unexpected end while parsing Unicode escape sequence.")
	}
	n, err := strconv.ParseUint(p.s[p.i:p.i+4], 16, 32)
	if err != nil {
		return 0, p.err("Invalid Unicode escape sequence: \\u" + p.s[p.i:p.i+4] + ".")
	}
	p.i += 4
	return rune(n), nil
}

func (p *jsonParser) number() (any, error) {
	j := p.i
	for p.i < len(p.s) && strings.IndexByte("+-0123456789.eExXabcdfABCDF", p.s[p.i]) >= 0 {
		p.i++
	}
	t := p.s[j:p.i]
	v, ok := numberOf(t)
	if !ok && p.lenient {
		if u, err := strconv.ParseInt(t, 0, 64); err == nil {
			return u, nil
		}
	}
	if !ok {
		return nil, p.err("Input string '" + t + "' is not a valid number.")
	}
	return v, nil
}

// numberOf reads a JSON number: digits alone are an integer, anything with a point or exponent a float.
func numberOf(t string) (any, bool) {
	if t == "" {
		return nil, false
	}
	if strings.ContainsAny(t, ".eE") && !strings.HasPrefix(t, "0x") {
		f, err := strconv.ParseFloat(t, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, false
		}
		return f, true
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		return n, true
	}
	if len(t) > 1000 {
		return nil, false
	}
	if b, ok := new(big.Int).SetString(t, 10); ok {
		return b, true
	}
	return nil, false
}
