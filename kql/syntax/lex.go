package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// lexer cuts a text into tokens. It never stops early: bad characters become tBad tokens with an error.
type lexer struct {
	src      string
	pos      int
	toks     []token
	errs     ErrorList
	comments bool // collect comment spans in found
	found    []Span
	newRow   bool
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isHex(c byte) bool    { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) || c == '_' }

// blank gives the length of the white space rune at the head of s, or 0.
func blank(s string) int {
	if s == "" {
		return 0
	}
	switch c := s[0]; {
	case c == ' ' || c >= '\t' && c <= '\r':
		return 1
	case c < 0x80:
		return 0
	}
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case 0x85, 0xA0, 0x1680, 0x180E, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return n
	}
	if r >= 0x2000 && r <= 0x200B {
		return n
	}
	return 0
}

func (l *lexer) at(i int) byte {
	if i < len(l.src) {
		return l.src[i]
	}
	return 0
}

func (l *lexer) fail(s Span, code, msg, suggestion string) {
	if len(l.errs) < maxErrors {
		l.errs = append(l.errs, NewError(l.src, s, code, msg, suggestion))
	}
}

// run fills toks; the last token is tEOF.
func (l *lexer) run() {
	l.pos = 0
	l.newRow = true
	l.toks = make([]token, 0, len(l.src)/5+8)
	for {
		l.trivia()
		if l.pos >= len(l.src) {
			l.toks = append(l.toks, token{kind: tEOF, start: len(l.src), end: len(l.src), firstInRow: l.newRow})
			return
		}
		t := token{start: l.pos, firstInRow: l.newRow}
		l.newRow = false
		t.kind, t.kw = l.next()
		t.end = l.pos
		t.text = l.src[t.start:t.end]
		l.toks = append(l.toks, t)
	}
}

func (l *lexer) trivia() {
	for l.pos < len(l.src) {
		if n := blank(l.src[l.pos:]); n > 0 {
			if l.src[l.pos] == '\n' {
				l.newRow = true
			}
			l.pos += n
			continue
		}
		if l.src[l.pos] == '/' && l.at(l.pos+1) == '/' {
			end := strings.IndexAny(l.src[l.pos:], "\r\n")
			if end < 0 {
				end = len(l.src) - l.pos
			}
			if l.comments {
				l.found = append(l.found, Span{l.pos, l.pos + end})
			}
			l.pos += end
			continue
		}
		return
	}
}

// next scans one token from pos and moves pos behind it.
func (l *lexer) next() (tokKind, kwFlags) {
	start := l.pos
	c := l.src[start]
	if !isLetter(c) && !isDigit(c) {
		if n := l.punct(); n > 0 {
			l.pos += n
			return tPunct, 0
		}
		switch {
		case c == '"' || c == '\'' || c == '`' || c == '~' || c == '@':
			if l.str() {
				return tString, 0
			}
		case c == '#':
			end := strings.IndexAny(l.src[start:], "\r\n")
			if end < 0 {
				end = len(l.src) - start
			}
			l.pos += end
			return tDirective, 0
		}
	}
	for _, k := range keywords()[c] {
		if !strings.HasPrefix(l.src[start:], k.text) {
			continue
		}
		after := start + len(k.text)
		if l.at(after) == '(' && k.goo != tEOF {
			l.goo(after, k.text)
			return k.goo, 0
		}
		if !isWord(l.at(after)) {
			l.pos = after
			return tKeyword, k.flags
		}
		break // only the longest match counts
	}
	if isLetter(c) || c == '_' || c == '$' {
		for _, w := range [...]string{"true", "True", "TRUE", "false", "False", "FALSE"} {
			if strings.HasPrefix(l.src[start:], w) && !isWord(l.at(start+len(w))) {
				l.pos += len(w)
				return tBool, 0
			}
		}
		if l.rawGUID() {
			return tRawGUID, 0
		}
		n := l.word(start)
		if n == 1 && (c == 'h' || c == 'H') {
			if q := l.at(start + 1); q == '"' || q == '\'' || q == '`' || q == '~' || q == '@' {
				if l.str() {
					return tString, 0
				}
			}
		}
		l.pos += n
		return tIdent, 0
	}
	if isDigit(c) {
		if l.rawGUID() {
			return tRawGUID, 0
		}
		if n := l.real(start); n > 0 {
			l.pos += n
			return tReal, 0
		}
		if n := l.timespan(start); n > 0 {
			l.pos += n
			return tTimespan, 0
		}
		if n := l.long(start); n > 0 {
			l.pos += n
			return tLong, 0
		}
		if n := l.word(start); n > 0 {
			l.pos += n
			return tIdent, 0
		}
	}
	r, n := utf8.DecodeRuneInString(l.src[start:])
	l.pos += n
	suggestion := "remove it, or put text in quotes"
	switch {
	case c == '&' && l.at(l.pos) == '&':
		l.pos++
		r, suggestion = '&', "write and"
	case r == '“' || r == '”' || r == '‘' || r == '’':
		suggestion = `use a straight quote, " or '`
	case r == '\\':
		suggestion = `a backslash stands only in strings`
	case r == '!':
		suggestion = "write not(…), or an operator such as !contains"
	case r >= 0x80:
		suggestion = "a name with such characters stands in brackets: ['name']"
	}
	l.fail(Span{start, l.pos}, CodeBadChar, fmt.Sprintf("unexpected character %q", r), suggestion)
	return tBad, 0
}

// punct gives the length of the punctuation at pos, or 0.
func (l *lexer) punct() int {
	next := l.at(l.pos + 1)
	two := func(cs string) int {
		if next != 0 && strings.IndexByte(cs, next) >= 0 {
			return 2
		}
		return 1
	}
	switch l.src[l.pos] {
	case '(', ')', '[', ']', '{', '}', '|', '+', '-', '*', '/', '%', ':', ';', ',', '?':
		return 1
	case '.':
		return two(".")
	case '<':
		return two("=|>")
	case '>':
		return two("=")
	case '=':
		return two("=>~")
	case '!':
		if next == '=' || next == '~' {
			return 2
		}
	case '@':
		if next != '"' && next != '\'' && next != '`' && next != '~' {
			return 1
		}
	}
	return 0
}

// goo scans `(…)` of a literal such as datetime(2020-01-01); open is the place of the parenthesis.
func (l *lexer) goo(open int, word string) {
	i := open + 1
	for i < len(l.src) && l.src[i] != ')' && l.src[i] != '\n' && l.src[i] != '\r' {
		i++
	}
	if l.at(i) == ')' {
		l.pos = i + 1
		return
	}
	l.fail(Span{i, i}, CodeUnterminated, "the literal "+word+"(… has no closing parenthesis on its line", "add )")
	l.pos = i
}

// word gives the length of an identifier at i, or 0. One that begins with digits needs a letter behind them.
func (l *lexer) word(i int) int {
	j := i
	if isDigit(l.at(j)) {
		for isDigit(l.at(j)) {
			j++
		}
		if !isLetter(l.at(j)) && l.at(j) != '_' {
			return 0
		}
	} else {
		j++
	}
	for isWord(l.at(j)) {
		j++
	}
	return j - i
}

func (l *lexer) digits(i int) int {
	j := i
	for isDigit(l.at(j)) {
		j++
	}
	return j - i
}

func (l *lexer) long(i int) int {
	j := i
	if l.at(i) == '0' && (l.at(i+1) == 'x' || l.at(i+1) == 'X') && isHex(l.at(i+2)) {
		j += 2
		for isHex(l.at(j)) {
			j++
		}
	} else {
		j += l.digits(i)
	}
	if isWord(l.at(j)) {
		return 0
	}
	return j - i
}

func (l *lexer) exponent(i int) int {
	if c := l.at(i); c != 'e' && c != 'E' {
		return 0
	}
	j := i + 1
	if c := l.at(j); c == '+' || c == '-' {
		j++
	}
	n := l.digits(j)
	if n == 0 {
		return 0
	}
	return j + n - i
}

func (l *lexer) real(i int) int {
	j := i + l.digits(i)
	if l.at(j) == '.' && (l.at(j+1) != '.' || l.at(j+2) == '.') {
		j++
		j += l.digits(j)
		j += l.exponent(j)
	} else {
		n := l.exponent(j)
		if n == 0 {
			return 0
		}
		j += n
	}
	if isWord(l.at(j)) {
		return 0
	}
	return j - i
}

func (l *lexer) timespan(i int) int {
	j := i + l.digits(i)
	if l.at(j) == '.' {
		if n := l.digits(j + 1); n > 0 {
			j += n + 1
		}
	}
	k := j
	for isLetter(l.at(k)) {
		k++
	}
	if k == j || isWord(l.at(k)) {
		return 0
	}
	if !isTimespanUnit(l.src[j:k]) {
		return 0
	}
	return k - i
}

// rawGUID consumes 8-4-4-4-12 hex digits at pos.
func (l *lexer) rawGUID() bool {
	if !isRawGUID(l.src[l.pos:]) {
		return false
	}
	l.pos += 36
	return true
}

func isRawGUID(s string) bool {
	if len(s) < 36 {
		return false
	}
	for i := range 36 {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return true
}

// str scans a string literal at pos in any of its forms; false when there is none.
func (l *lexer) str() bool {
	i := l.pos
	if c := l.at(i); c == 'h' || c == 'H' {
		i++
	}
	verbatim := false
	if l.at(i) == '@' {
		verbatim = true
		i++
	}
	for _, fence := range [...]string{"```", "~~~"} {
		if strings.HasPrefix(l.src[i:], fence) {
			i += 3
			end := strings.Index(l.src[i:], fence)
			if end < 0 {
				l.fail(Span{l.pos, len(l.src)}, CodeUnterminated, "the multi-line string has no end", "close it with "+fence)
				l.pos = len(l.src)
				return true
			}
			l.pos = i + end + 3
			return true
		}
	}
	q := l.at(i)
	if q != '"' && q != '\'' {
		return false
	}
	i++
	for i < len(l.src) {
		c := l.src[i]
		switch {
		case c == q && verbatim && l.at(i+1) == q:
			i += 2
		case c == q:
			l.pos = i + 1
			return true
		case c == '\\' && !verbatim:
			n := escapeLen(l.src[i:])
			if n == 0 {
				l.fail(Span{i, min(i+2, len(l.src))}, CodeBadLiteral, "unknown escape in a string",
					`double the backslash, or write a verbatim string @"…"`)
				n = 1
			}
			i += n
		case c == '\r' || c == '\n':
			l.fail(Span{l.pos, i}, CodeUnterminated, "the string has no end on its line", fmt.Sprintf("close it with %c, or use a multi-line string ```…```", q))
			l.pos = i
			return true
		default:
			i++
		}
	}
	l.fail(Span{l.pos, i}, CodeUnterminated, "the string has no end", fmt.Sprintf("close it with %c", q))
	l.pos = i
	return true
}

// escapeLen gives the length of the escape at the head of s, or 0.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	hex := func(n int) int {
		if len(s) < 2+n {
			return 0
		}
		for _, c := range []byte(s[2 : 2+n]) {
			if !isHex(c) {
				return 0
			}
		}
		return 2 + n
	}
	octal := func(i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '7' }
	switch s[1] {
	case '\\', '\'', '"', 'a', 'b', 'f', 'n', 'r', 't', 'v':
		return 2
	case 'u':
		return hex(4)
	case 'U':
		return hex(8)
	case 'x':
		return hex(2)
	}
	switch {
	case !octal(1):
		return 0
	case !octal(2):
		return 2
	case octal(3) && s[1] <= '3':
		return 4
	}
	return 3
}
