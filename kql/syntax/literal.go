package syntax

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"picket/kql/value"
)

const (
	ticksPerSecond = int64(10_000_000)
	ticksPerDay    = 86400 * ticksPerSecond
)

// timespanUnit gives the ticks of a suffix such as d, hours, ms. Units below a tick give 0 ticks per unit and are
// expressed by nano.
func timespanUnit(s string) (ticks float64, ok bool) {
	switch s {
	case "d", "day", "days":
		return float64(ticksPerDay), true
	case "h", "hr", "hrs", "hour", "hours":
		return float64(3600 * ticksPerSecond), true
	case "m", "min", "minute", "minutes":
		return float64(60 * ticksPerSecond), true
	case "s", "sec", "second", "seconds":
		return float64(ticksPerSecond), true
	case "ms", "milli", "millis", "millisec", "millisecond", "milliseconds":
		return 10_000, true
	case "micro", "micros", "microsec", "microsecond", "microseconds":
		return 10, true
	case "nano", "nanos", "nanosec", "nanosecond", "nanoseconds":
		return 0.01, true
	case "tick", "ticks":
		return 1, true
	}
	return 0, false
}

// parseTimespan reads 1.5h, [-][d.]hh:mm[:ss[.fffffff]]; ok is false for other forms and on overflow.
func parseTimespan(s string) (ticks int64, ok bool) {
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = strings.TrimLeft(s[1:], " ")
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' }); i > 0 {
		num := strings.TrimRight(s[:i], " ")
		unit, found := timespanUnit(s[i:])
		if !found || num == "" || len(num) > 40 || strings.ContainsFunc(num, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) {
			return 0, false
		}
		d, err := decimal.NewFromString(num)
		if err != nil {
			return 0, false
		}
		d = d.Mul(decimal.NewFromFloat(unit)).Truncate(0)
		if !d.BigInt().IsInt64() {
			return 0, false
		}
		ticks = d.IntPart()
	} else {
		parts := strings.Split(s, ":")
		if len(parts) < 2 || len(parts) > 3 {
			return 0, false
		}
		day, hour, hasDay := strings.Cut(parts[0], ".")
		if !hasDay {
			day, hour = "0", day
		}
		sec, frac := "0", ""
		if len(parts) == 3 {
			sec, frac, _ = strings.Cut(parts[2], ".")
		}
		for _, p := range []struct {
			text       string
			limit, per int64
		}{{day, 10_675_199, ticksPerDay}, {hour, 23, 3600 * ticksPerSecond}, {parts[1], 59, 60 * ticksPerSecond}, {sec, 59, ticksPerSecond}} {
			n, err := strconv.ParseUint(p.text, 10, 32)
			if err != nil || int64(n) > p.limit {
				return 0, false
			}
			ticks += int64(n) * p.per
		}
		if len(frac) > 7 || ticks < 0 {
			return 0, false
		}
		if frac != "" {
			n, err := strconv.ParseUint((frac + "0000000")[:7], 10, 32)
			if err != nil {
				return 0, false
			}
			ticks += int64(n)
		}
	}
	if neg {
		ticks = -ticks
	}
	return ticks, true
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
		l.Value.I, ok = parseInt(inner, 64)
	case value.Int:
		l.Value.I, ok = parseInt(inner, 32)
	case value.Real:
		l.Value.F, ok = parseReal(inner)
	case value.Decimal:
		if len(inner) <= 64 && !strings.ContainsAny(inner, "eE") {
			if d, err := decimal.NewFromString(inner); err == nil {
				l.Value.M, ok = d, true
			}
		}
	case value.Timespan:
		l.Value.I, ok = parseTimespan(inner)
	case value.GUID:
		l.Value.G, ok = parseGUID(inner)
	}
	l.Undecoded = !ok
	if l.Undecoded && l.Inner == "" {
		l.Inner = inner
	}
	return l
}

func parseInt(s string, bits int) (int64, bool) {
	neg := false
	digits := s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		digits = s[1:]
	}
	if len(digits) > 2 && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X') {
		u, err := strconv.ParseUint(digits[2:], 16, bits)
		if err != nil {
			return 0, false
		}
		n := int64(u)
		if bits == 32 {
			n = int64(int32(u))
		}
		if neg {
			n = -n
		}
		return n, true
	}
	n, err := strconv.ParseInt(s, 10, bits)
	return n, err == nil
}

func parseReal(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "nan":
		return math.NaN(), true
	case "+inf", "inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	if s == "" || strings.ContainsAny(s, "_xXpPnN") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

func parseGUID(s string) (g [16]byte, ok bool) {
	if len(s) == 38 && s[0] == '{' && s[37] == '}' {
		s = s[1:37]
	}
	if len(s) == 36 {
		if !isRawGUID(s) {
			return g, false
		}
		s = strings.ReplaceAll(s, "-", "")
	}
	if len(s) != 32 {
		return g, false
	}
	for i := range g {
		b, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		if err != nil {
			return g, false
		}
		g[i] = byte(b)
	}
	return g, true
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
	for _, r := range s {
		switch r {
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
