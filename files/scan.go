package files

import (
	"errors"
	"fmt"
	"picket/kql/value"
	"unicode/utf8"
)

// rowScan reads one row of JSON strictly and without building anything: it says where values begin and end and of
// what kind they are.
type rowScan struct {
	b []byte
	i int
}

type scanError struct {
	what string
	at   int
}

func (e *scanError) Error() string { return fmt.Sprintf("not JSON: %s at byte %d", e.what, e.at+1) }

func (r *rowScan) fail(what string) error { return &scanError{what, r.i} }

func (r *rowScan) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\t', '\r', '\n':
			r.i++
		default:
			return
		}
	}
}

var errNoObject = errors.New("not a JSON object: a row is an object of columns")

// object hands every property of the object at the position to f: its key (raw, between its quotes), the kind of
// its value (0 for null) and the value's text. f may be nil.
func (r *rowScan) object(depth int, f func(key []byte, k kind, raw []byte) error) error {
	if r.i >= len(r.b) || r.b[r.i] != '{' {
		return errNoObject
	}
	r.i++
	r.space()
	if r.i < len(r.b) && r.b[r.i] == '}' {
		r.i++
		return nil
	}
	for {
		r.space()
		if r.i >= len(r.b) || r.b[r.i] != '"' {
			return r.fail("expected a property name")
		}
		a := r.i + 1
		if _, err := r.str(); err != nil {
			return err
		}
		key := r.b[a : r.i-1]
		r.space()
		if r.i >= len(r.b) || r.b[r.i] != ':' {
			return r.fail("expected ':'")
		}
		r.i++
		r.space()
		a = r.i
		k, err := r.value(depth)
		if err != nil {
			return err
		}
		if f != nil {
			if err := f(key, k, r.b[a:r.i]); err != nil {
				return err
			}
		}
		r.space()
		if r.i >= len(r.b) {
			return r.fail("ends early")
		}
		c := r.b[r.i]
		r.i++
		if c == '}' {
			return nil
		}
		if c != ',' {
			r.i--
			return r.fail("expected ',' or '}'")
		}
	}
}

func (r *rowScan) array(depth int) error {
	r.i++
	r.space()
	if r.i < len(r.b) && r.b[r.i] == ']' {
		r.i++
		return nil
	}
	for {
		r.space()
		if _, err := r.value(depth); err != nil {
			return err
		}
		r.space()
		if r.i >= len(r.b) {
			return r.fail("ends early")
		}
		c := r.b[r.i]
		r.i++
		if c == ']' {
			return nil
		}
		if c != ',' {
			r.i--
			return r.fail("expected ',' or ']'")
		}
	}
}

// value passes one value and gives its kind, 0 for null.
func (r *rowScan) value(depth int) (kind, error) {
	if depth >= value.MaxJSONDepth {
		return 0, r.fail("nested too deeply")
	}
	if r.i >= len(r.b) {
		return 0, r.fail("ends early")
	}
	switch c := r.b[r.i]; {
	case c == '"':
		return r.str()
	case c == '{':
		return kNested, r.object(depth+1, nil)
	case c == '[':
		return kNested, r.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case r.word("true"), r.word("false"):
		return kBool, nil
	case r.word("null"):
		return 0, nil
	}
	return 0, r.fail("unexpected character")
}

func (r *rowScan) word(w string) bool {
	if len(r.b)-r.i >= len(w) && string(r.b[r.i:r.i+len(w)]) == w {
		r.i += len(w)
		return true
	}
	return false
}

// str passes a text: kEmpty, kTime or kText.
func (r *rowScan) str() (kind, error) {
	r.i++
	a := r.i
	plain := true
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c == '"':
			s := r.b[a:r.i]
			r.i++
			switch {
			case len(s) == 0:
				return kEmpty, nil
			case plain && len(s) >= 10 && s[4] == '-' && s[0] <= '9' && isoTime(string(s)):
				return kTime, nil
			}
			return kText, nil
		case c == '\\':
			plain = false
			if err := r.escape(); err != nil {
				return 0, err
			}
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r':
			return 0, r.fail("control character in a string")
		default:
			r.i++
		}
	}
	return 0, r.fail("string without end")
}

func (r *rowScan) escape() error {
	if r.i+1 >= len(r.b) {
		return r.fail("ends early")
	}
	switch r.b[r.i+1] {
	case '"', '\\', '/', '\'', 'b', 'f', 'n', 'r', 't':
		r.i += 2
		return nil
	case 'u':
		for k := 2; k < 6; k++ {
			if r.i+k >= len(r.b) || !isHex(r.b[r.i+k]) {
				return r.fail("bad \\u escape")
			}
		}
		r.i += 6
		return nil
	}
	return r.fail("unknown escape")
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func (r *rowScan) digits() int {
	a := r.i
	for r.i < len(r.b) && r.b[r.i] >= '0' && r.b[r.i] <= '9' {
		r.i++
	}
	return r.i - a
}

func (r *rowScan) number() (kind, error) {
	a := r.i
	if r.i < len(r.b) && r.b[r.i] == '-' {
		r.i++
	}
	d := r.i
	if n := r.digits(); n == 0 || n > 1 && r.b[d] == '0' {
		return 0, r.fail("bad number")
	}
	whole := true
	if r.i < len(r.b) && r.b[r.i] == '.' {
		whole = false
		r.i++
		if r.digits() == 0 {
			return 0, r.fail("bad number")
		}
	}
	if r.i < len(r.b) && r.b[r.i]|0x20 == 'e' {
		whole = false
		r.i++
		if r.i < len(r.b) && (r.b[r.i] == '+' || r.b[r.i] == '-') {
			r.i++
		}
		if r.digits() == 0 {
			return 0, r.fail("bad number")
		}
	}
	switch {
	case !whole:
		return kReal, nil
	case r.i-a <= 15:
		return kLong, nil
	}
	return wholeKind(string(r.b[a:r.i])), nil
}

// text gives the text of a raw JSON string, quotes and escapes resolved; bytes that are no UTF-8 become U+FFFD.
func text(raw []byte) (string, error) {
	if len(raw) < 2 {
		return "", errors.New("no text")
	}
	s := string(raw[1 : len(raw)-1])
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			v, err := value.ParseJSON(string(raw))
			if err != nil {
				return "", err
			}
			s, _ = v.(string)
			break
		}
	}
	return valid(s), nil
}

func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
