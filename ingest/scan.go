package ingest

import (
	"bytes"
	"fmt"
	"picket/kql/value"
	"strconv"
	"unicode/utf8"
)

// Limits of a Data Collector body.
const (
	MaxBodyBytes  = 30_000_000 // the service's limit of a post
	MaxFieldBytes = 32 << 10   // longer values are cut
	MaxColumns    = 500        // of a custom table
	MaxDepth      = 100        // of nested arrays and objects
	MaxRows       = 1_000_000  // of one post
)

// kind is what a JSON value looks like; the kinds of a field's values decide its column.
type kind uint16

const (
	kNull   kind = 1 << iota
	kBool        // true, false
	kNumber      //
	kText        // a string that is nothing else
	kGUID        // a string that is a guid in lower-case dashed form
	kGUIDAs      // a string that is a guid in another form
	kTime        // a string that is an ISO 8601 date with time
	kJSON        // an object or array
	kLong        // (with another kind) longer than a field may be
)

// field is what is known of one key over all rows of a body.
type field struct {
	key   string
	kinds kind
	rows  int // in which it is there and not null
	last  int // the last row that has it, from 1
	// of the time field only
	inside, outside int // rows whose time is within the window, rows whose time is not or which is no time
}

// body is the result of a scan.
type body struct {
	text   []byte
	array  bool
	rows   int
	fields []*field
	slow   string // why the fast path can't be taken; "" when it can
}

// scanner reads a body once: it checks that it is JSON of the right shape and within the limits, and notes what
// kinds of values each field has. It keeps no values.
type scanner struct {
	b     []byte
	i     int
	out   *body
	byKey map[string]*field
	next  int // where the next key is expected among the fields

	timeField string
	lo, hi    int64 // ticks of the window for the time field

	seen    func(f *field, k kind, raw []byte) // is shown every value; may be nil
	endless bool                               // rows are not limited
}

// positionError is an error at a byte of the body.
type positionError struct {
	at   int
	what string
}

func (e *positionError) Error() string { return e.what }

func (s *scanner) fail(at int, format string, a ...any) error {
	return &positionError{at: at, what: fmt.Sprintf(format, a...)}
}

// where says line and column of a byte, from 1.
func where(b []byte, at int) (line, column int) {
	at = min(at, len(b))
	line = 1 + bytes.Count(b[:at], []byte{'\n'})
	start := bytes.LastIndexByte(b[:at], '\n') + 1
	return line, 1 + utf8.RuneCount(b[start:at])
}

func scan(text []byte, timeField string, lo, hi int64) (*body, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	s := &scanner{b: text, out: &body{text: text}, byKey: map[string]*field{}, timeField: timeField, lo: lo, hi: hi}
	s.space()
	switch s.peek() {
	case '{':
		if err := s.row(); err != nil {
			return nil, err
		}
	case '[':
		s.out.array = true
		s.i++
		s.space()
		if s.peek() == ']' {
			s.i++
			break
		}
		for {
			s.space()
			if s.peek() != '{' {
				if s.i >= len(s.b) {
					return nil, s.fail(s.i, "the text ends within the array")
				}
				return nil, s.fail(s.i, "element %d of the array is no JSON object", s.out.rows+1)
			}
			if err := s.row(); err != nil {
				return nil, err
			}
			s.space()
			c := s.peek()
			s.i++
			if c == ']' {
				break
			}
			if c != ',' {
				return nil, s.fail(s.i-1, "expected , or ] after an element of the array")
			}
		}
	case 0:
		return nil, s.fail(s.i, "the body is empty")
	case '"':
		return nil, s.fail(s.i, "the body is a JSON string; send the object or array itself, not its text as a string")
	default:
		return nil, s.fail(s.i, "the body is neither a JSON object nor an array of objects")
	}
	s.space()
	if s.i < len(s.b) {
		return nil, s.fail(s.i, "text after the end of the JSON")
	}
	return s.out, nil
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return
		}
	}
}

// row reads one object of the top level.
func (s *scanner) row() error {
	o := s.out
	if o.rows++; o.rows > MaxRows && !s.endless {
		return s.fail(s.i, "more than %d rows; send them in parts", MaxRows)
	}
	s.i++
	s.space()
	if s.peek() == '}' {
		s.i++
		return nil
	}
	s.next = 0
	for {
		s.space()
		at := s.i
		f, err := s.key()
		if err != nil {
			return err
		}
		if f.last == o.rows {
			return s.fail(at, "the field %q comes twice in one object", f.key)
		}
		f.last = o.rows
		s.space()
		if s.peek() != ':' {
			return s.fail(s.i, "expected : after the name of a field")
		}
		s.i++
		s.space()
		from := s.i
		k, err := s.value(1)
		if err != nil {
			return err
		}
		if s.i-from > MaxFieldBytes {
			k |= kLong
		}
		f.kinds |= k
		if k != kNull {
			f.rows++
		}
		if s.seen != nil {
			s.seen(f, k, s.b[from:s.i])
		}
		if f.key == s.timeField && s.timeField != "" {
			s.window(f, k, s.b[from:s.i])
		}
		s.space()
		c := s.peek()
		s.i++
		if c == '}' {
			return nil
		}
		if c != ',' {
			if s.i > len(s.b) {
				return s.fail(s.i-1, "the text ends within an object")
			}
			return s.fail(s.i-1, "expected , or } after a field")
		}
	}
}

// window notes whether the row's time may become TimeGenerated.
func (s *scanner) window(f *field, k kind, raw []byte) {
	if k == kTime {
		if t, ok := value.ParseDatetime(string(raw[1 : len(raw)-1])); ok && t >= s.lo && t <= s.hi {
			f.inside++
			return
		}
	}
	f.outside++
}

// key reads a key. Senders write the keys of all rows in the same order, so the expected one is tried first.
func (s *scanner) key() (*field, error) {
	if s.peek() != '"' {
		return nil, s.fail(s.i, "expected the name of a field in double quotes")
	}
	at := s.i
	fs := s.out.fields
	if s.next < len(fs) {
		f := fs[s.next]
		end := at + 1 + len(f.key)
		if end < len(s.b) && s.b[end] == '"' && string(s.b[at+1:end]) == f.key {
			s.next++
			s.i = end + 1
			return f, nil
		}
	}
	escaped, err := s.text()
	if err != nil {
		return nil, err
	}
	raw := s.b[at+1 : s.i-1]
	if escaped {
		s.out.slow = "escaped key"
		u, err := value.ParseJSON(string(s.b[at:s.i]))
		if err != nil {
			return nil, s.fail(at, "the name of a field is no JSON text")
		}
		raw = []byte(u.(string))
	}
	f := s.byKey[string(raw)]
	if f == nil {
		if len(fs) >= MaxColumns {
			return nil, s.fail(at, "more than %d different fields", MaxColumns)
		}
		f = &field{key: string(raw)}
		s.byKey[f.key] = f
		s.out.fields = append(fs, f)
		s.next = len(s.out.fields)
		return f, nil
	}
	for k := s.next; k < len(fs); k++ { // fields left out: go on behind this one
		if fs[k] == f {
			s.next = k + 1
			break
		}
	}
	return f, nil
}

// plain marks the bytes that need no look within a string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// text reads a string and says whether it has escapes.
func (s *scanner) text() (escaped bool, err error) {
	b, i := s.b, s.i+1
	for {
		for i < len(b) && plain[b[i]] {
			i++
		}
		if i >= len(b) {
			return false, s.fail(s.i, "the text ends within a string that begins here")
		}
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			n, bad := escape(b[i:])
			if bad != "" {
				return false, s.fail(i, "%s", bad)
			}
			i += n
		case c < 0x20:
			return false, s.fail(i, "a control character (byte %d) stands bare in a string; write it as an escape", c)
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n <= 1 {
				return false, s.fail(i, "the byte 0x%02x is not UTF-8", c)
			}
			i += n
		}
	}
}

// escape measures an escape sequence; a high surrogate must be followed by a low one.
func escape(b []byte) (n int, bad string) {
	if len(b) < 2 {
		return 0, "the text ends within an escape"
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
		u, ok := hex4(b[2:])
		if !ok {
			return 0, `\u needs four hex digits`
		}
		switch {
		case u >= 0xDC00 && u <= 0xDFFF:
			return 0, `\u gives half of a surrogate pair`
		case u >= 0xD800 && u <= 0xDBFF:
			if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
				return 0, `\u gives half of a surrogate pair`
			}
			if lo, ok := hex4(b[8:]); !ok || lo < 0xDC00 || lo > 0xDFFF {
				return 0, `\u gives half of a surrogate pair`
			}
			return 12, ""
		}
		return 6, ""
	}
	return 0, "an unknown escape"
}

func hex4(b []byte) (u uint16, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return uint16(n), err == nil && b[0] != '+'
}

// value reads any value and says what it looks like.
func (s *scanner) value(depth int) (kind, error) {
	if s.i >= len(s.b) {
		return 0, s.fail(s.i, "the text ends where a value is expected")
	}
	switch c := s.b[s.i]; {
	case c == '"':
		at := s.i
		escaped, err := s.text()
		if err != nil {
			return 0, err
		}
		if escaped {
			return kText, nil // no guid or date needs escapes
		}
		return textKind(s.b[at+1 : s.i-1]), nil
	case c == '-' || '0' <= c && c <= '9':
		return kNumber, s.number()
	case c == '{' || c == '[':
		return kJSON, s.nested(depth)
	case c == 't':
		return kBool, s.word("true")
	case c == 'f':
		return kBool, s.word("false")
	case c == 'n':
		return kNull, s.word("null")
	}
	return 0, s.fail(s.i, "expected a value")
}

func (s *scanner) word(w string) error {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return s.fail(s.i, "expected a value")
	}
	s.i += len(w)
	return nil
}

func (s *scanner) digits() bool {
	at := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > at
}

func (s *scanner) number() error {
	at := s.i
	if s.b[s.i] == '-' {
		s.i++
	}
	if !s.digits() || leadingZeros(s.b[at:s.i]) {
		return s.fail(at, "a malformed number")
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return s.fail(at, "a malformed number")
		}
	}
	big := s.i-at > 300
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		from := s.i
		if !s.digits() {
			return s.fail(at, "a malformed number")
		}
		big = big || s.i-from > 2
	}
	if big {
		if _, err := strconv.ParseFloat(string(s.b[at:s.i]), 64); err != nil {
			return s.fail(at, "the number is outside the range of a double")
		}
	}
	return nil
}

func leadingZeros(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("-"))
	return len(b) > 1 && b[0] == '0'
}

// nested checks an object or array below the top level.
func (s *scanner) nested(depth int) error {
	if depth > MaxDepth {
		return s.fail(s.i, "nested deeper than %d", MaxDepth)
	}
	object := s.b[s.i] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	s.i++
	s.space()
	if s.peek() == end {
		s.i++
		return nil
	}
	for {
		s.space()
		if object {
			if s.peek() != '"' {
				return s.fail(s.i, "expected the name of a field in double quotes")
			}
			if _, err := s.text(); err != nil {
				return err
			}
			s.space()
			if s.peek() != ':' {
				return s.fail(s.i, "expected : after the name of a field")
			}
			s.i++
			s.space()
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
		s.space()
		c := s.peek()
		s.i++
		if c == end {
			return nil
		}
		if c != ',' {
			if s.i > len(s.b) {
				return s.fail(s.i-1, "the text ends within an object or array")
			}
			return s.fail(s.i-1, "expected , or %c", end)
		}
	}
}

// skip checks a value without asking what it looks like.
func (s *scanner) skip(depth int) error {
	if s.peek() == '"' {
		_, err := s.text()
		return err
	}
	_, err := s.value(depth)
	return err
}

// textKind says whether a string is a guid or a date with time.
func textKind(b []byte) kind {
	switch n := len(b); {
	case n < 19 || n > 38:
		return kText
	case b[4] == '-' && b[10] == 'T' && isTime(b) && inRange(b):
		return kTime
	case n == 36 || n == 32 || n == 38:
		return guidKind(b)
	}
	return kText
}

func guidKind(b []byte) kind {
	if _, ok := value.ParseGUID(string(b)); !ok {
		return kText
	}
	if len(b) != 36 {
		return kGUIDAs
	}
	for _, c := range b {
		if 'A' <= c && c <= 'F' {
			return kGUIDAs
		}
	}
	return kGUID
}

// inRange says that a time stays within KQL's years also in UTC.
func inRange(b []byte) bool {
	if y := string(b[:4]); y != "0001" && y != "9999" {
		return true
	}
	_, ok := value.ParseDatetime(string(b))
	return ok
}

// isTime accepts YYYY-MM-DDThh:mm:ss[.f…][Z|±hh:mm], of 1 to 9 digits after the point, and checks the calendar.
func isTime(b []byte) bool {
	two := func(i int) int {
		if b[i] < '0' || b[i] > '9' || b[i+1] < '0' || b[i+1] > '9' {
			return -1
		}
		return int(b[i]-'0')*10 + int(b[i+1]-'0')
	}
	century, yy, month, day := two(0), two(2), two(5), two(8)
	if century < 0 || yy < 0 || b[7] != '-' || b[13] != ':' || b[16] != ':' {
		return false
	}
	year := century*100 + yy
	if year < 1 || month < 1 || month > 12 || day < 1 || day > value.DaysInMonth(year, month) {
		return false
	}
	if h, m, s := two(11), two(14), two(17); h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59 {
		return false
	}
	i := 19
	if i < len(b) && b[i] == '.' {
		i++
		from := i
		for i < len(b) && '0' <= b[i] && b[i] <= '9' {
			i++
		}
		if i == from || i-from > 9 {
			return false
		}
	}
	switch {
	case i == len(b):
		return true
	case b[i] == 'Z':
		return i+1 == len(b)
	case (b[i] == '+' || b[i] == '-') && i+6 == len(b) && b[i+3] == ':':
		h, m := two(i+1), two(i+4)
		return h >= 0 && h <= 14 && m >= 0 && m <= 59
	}
	return false
}
