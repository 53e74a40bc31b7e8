package repl

import (
	"fmt"
	"picket/kql/syntax"
	"strings"
	"unicode/utf8"
)

const maxShown = 20 // errors of one text

// Errors draws each error of a text: its line with ~~~ under the place, the message, and what to do. color adds
// terminal colours.
func Errors(text string, list syntax.ErrorList, color bool) string {
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return code + s + reset
	}
	var b strings.Builder
	lines := strings.Split(text, "\n")
	for i, e := range list {
		if i == maxShown {
			fmt.Fprintf(&b, "… and %d more\n", len(list)-i)
			break
		}
		if e.Line >= 1 && e.Line <= len(lines) && strings.TrimSpace(text) != "" {
			line := strings.TrimRight(lines[e.Line-1], "\r")
			n := underlined(text, e, line)
			fmt.Fprintf(&b, "%4d | %s\n", e.Line, clean(line))
			fmt.Fprintf(&b, "     | %s%s\n", blanks(line, e.Column-1), paint(red, strings.Repeat("~", n)))
		}
		fmt.Fprintf(&b, "%s %s", paint(bold+red, e.Code+":"), clean(e.Msg))
		if e.Suggestion != "" {
			fmt.Fprintf(&b, " (%s)", clean(e.Suggestion))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// underlined is how many characters of the error's line it covers, at least one.
func underlined(text string, e *syntax.Error, line string) int {
	from, to := max(0, min(e.Start, len(text))), max(0, min(e.End, len(text)))
	if to <= from {
		return 1
	}
	s, _, _ := strings.Cut(text[from:to], "\n")
	left := utf8.RuneCountInString(line) - (e.Column - 1)
	return max(1, min(utf8.RuneCountInString(s), left))
}

// blanks is as wide as the first n characters of line.
func blanks(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n == 0 {
			break
		}
		n--
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// clean keeps what comes from outside from driving the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}
