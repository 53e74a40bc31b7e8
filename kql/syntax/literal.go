package syntax

import (
	"picket/kql/value"
	"strconv"
	"strings"
	"unicode/utf8"
)

// isTimespanUnit says whether s is a suffix that makes a number a timespan.
func isTimespanUnit(s string) bool {
	switch s {
	case "d", "day", "days", "h", "hr", "hrs", "hour", "hours", "m", "min", "minute", "minutes", "s", "sec", "second", "seconds",
		"ms", "milli", "millis", "millisec", "millisecond", "milliseconds", "micro", "micros", "microsec", "microsecond",
		"microseconds", "nano", "nanos", "nanosec", "nanosecond", "nanoseconds", "tick", "ticks":
		return true
	}
	return false
}

// literal decodes one token (sign included in text) into a Literal.
func literal(kind tokKind, text string, span Span) *Literal {
	l := &Literal{Span: span, Text: text}
	inner := text
	if open := strings.IndexByte(text, '('); open >= 0 && kind != tString {
		inner = strings.TrimSpace(strings.TrimSuffix(text[open+1:], ")"))
		l.Inner = inner
	}
	switch kind {
	case tString:
		l.Type = value.String
		l.Value = value.Value{Type: value.String, S: unquote(text)}
		return l
	case tBool:
		l.Type = value.Bool
	case tLong:
		l.Type = value.Long
	case tInt:
		l.Type = value.Int
	case tReal:
		l.Type = value.Real
	case tDecimal:
		l.Type = value.Decimal
	case tDatetime:
		l.Type = value.Datetime
	case tTimespan:
		l.Type = value.Timespan
	case tGUID, tRawGUID:
		l.Type = value.GUID
	}
	l.Value.Type = l.Type
	if inner == "null" && l.Inner != "" {
		l.Value.Null = true
		return l
	}
	ok := false
	switch l.Type {
	case value.Bool:
		switch strings.ToLower(inner) {
		case "true", "1":
			l.Value.I, ok = 1, true
		case "false", "0":
			ok = true
		}
	case value.Long:
		l.Value.I, ok = value.ParseLong(inner)
	case value.Int:
		if l.Value.I, ok = value.ParseLong(inner); l.Value.I != int64(int32(l.Value.I)) {
			l.Value.I, ok = 0, false
		}
	case value.Real:
		l.Value.F, ok = value.ParseReal(inner)
	case value.Decimal:
		l.Value.M, ok = value.ParseDecimal(inner)
	case value.Datetime:
		l.Value.I, ok = value.ParseDatetime(inner)
	case value.Timespan:
		l.Value.I, ok = value.ParseTimespan(inner)
	case value.GUID:
		l.Value.G, ok = value.ParseGUID(inner)
	}
	l.Undecoded = !ok
	if l.Undecoded && l.Inner == "" {
		l.Inner = inner
	}
	return l
}

// unquote gives the value of a string literal in any of its forms. Bad escapes, which the lexer reported, stand
// for themselves.
func unquote(s string) string {
	if s != "" && (s[0] == 'h' || s[0] == 'H') {
		s = s[1:]
	}
	verbatim := false
	if s != "" && s[0] == '@' {
		verbatim = true
		s = s[1:]
	}
	if len(s) >= 3 && (s[:3] == "```" || s[:3] == "~~~") {
		fence := s[:3]
		return strings.TrimSuffix(s[3:], fence)
	}
	if s == "" {
		return ""
	}
	q := s[:1]
	s = s[1:]
	if n := len(s); n > 0 && s[n-1:] == q {
		s = s[:n-1]
	}
	if verbatim {
		return strings.ReplaceAll(s, q+q, q)
	}
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		n := 0
		if s[i] == '\\' {
			n = escapeLen(s[i:])
		}
		if n == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		i += unescape(&b, s, i, n)
	}
	return b.String()
}

// unescape writes the escape of n bytes at s[i:] and says how many bytes it consumed (a surrogate pair of \u escapes
// is one rune).
func unescape(b *strings.Builder, s string, i, n int) int {
	e := s[i : i+n]
	switch e[1] {
	case 'a':
		b.WriteByte('\a')
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
	case 'v':
		b.WriteByte('\v')
	case '\\', '\'', '"':
		b.WriteByte(e[1])
	case 'u', 'U', 'x':
		u, err := strconv.ParseUint(e[2:], 16, 32)
		if err != nil {
			return n
		}
		if u >= 0xD800 && u < 0xDC00 && strings.HasPrefix(s[i+n:], `\u`) && escapeLen(s[i+n:]) == 6 {
			if lo, err := strconv.ParseUint(s[i+n+2:i+n+6], 16, 32); err == nil && lo >= 0xDC00 && lo < 0xE000 {
				b.WriteRune(rune((u-0xD800)<<10|(lo-0xDC00)) + 0x10000)
				return n + 6
			}
		}
		if u > utf8.MaxRune {
			u = utf8.RuneError
		}
		b.WriteRune(rune(u))
	default:
		u, err := strconv.ParseUint(e[1:], 8, 16)
		if err != nil {
			return n
		}
		b.WriteRune(rune(u))
	}
	return n
}

// Quote writes s as a KQL string literal.
func Quote(s string) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for i, r := range s {
		switch r {
		case utf8.RuneError:
			_, n := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+n]) // a byte that is no character stays what it is
		case '"', '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		case 0x2028, 0x2029, 0x85:
			b.WriteString(`\u` + strings.Repeat("0", 4-len(strconv.FormatInt(int64(r), 16))) + strconv.FormatInt(int64(r), 16))
		default:
			if r < 0x20 {
				b.WriteString(`\x`)
				b.WriteByte("01"[r>>4])
				b.WriteByte("0123456789abcdef"[r&15])
				continue
			}
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
