package dialect

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"picket/kql/plan"
	"picket/kql/value"
)

// The string operators. DuckDB's lower() maps every code point as Go's strings.ToLower does (the tests go through
// all of them), and its regular expressions take the same code points for letters and digits. A needle of ASCII
// letters matches ASCII letters only: the Kelvin sign and the dotted capital I, which lower() turns into k and i,
// are told apart by a second look at the rows that lower() lets through.
func matchCalls(m map[string]callFunc) {
	add := func(name string, f func(x, n string, fold bool) (string, bool)) {
		for _, form := range []struct {
			name         string
			fold, negate bool
		}{{name, true, false}, {name + "Cs", false, false}, {"Not" + name, true, true}, {"Not" + name + "Cs", false, true}} {
			m[form.name] = matchCall(f, form.fold, form.negate)
		}
	}
	add("Contains", fixedMatch(func(x, n string) string { return "contains(" + x + ", " + n + ")" }))
	add("StartsWith", fixedMatch(func(x, n string) string { return "starts_with(" + x + ", " + n + ")" }))
	add("EndsWith", fixedMatch(func(x, n string) string { return "ends_with(" + x + ", " + n + ")" }))
	add("Has", func(x, n string, fold bool) (string, bool) { return termMatch(x, n, fold, true, true) })
	add("HasPrefix", func(x, n string, fold bool) (string, bool) { return termMatch(x, n, fold, true, false) })
	add("HasSuffix", func(x, n string, fold bool) (string, bool) { return termMatch(x, n, fold, false, true) })
	equal := fixedMatch(func(x, n string) string { return "(" + x + " = " + n + ")" })
	m["EqualTilde"], m["BangTilde"] = matchCall(equal, true, false), matchCall(equal, true, true)
	m["Search"] = matchCall(searchMatch, true, false)
	m["HasAny"], m["HasAll"] = hasList, hasList
}

// matchCall is an operator with a constant needle.
func matchCall(f func(x, n string, fold bool) (string, bool), fold, negate bool) callFunc {
	return func(s scope, c *plan.Call) (sx, bool) {
		x, n, ok := haystack(s, c)
		if !ok {
			return sx{}, false
		}
		sql, ok := f(x, n, fold)
		if !ok {
			return sx{}, false
		}
		if negate {
			sql = "(NOT " + sql + ")"
		}
		return sx{sql: sql, t: value.Bool}, true
	}
}

func haystack(s scope, c *plan.Call) (string, string, bool) {
	if len(c.Args) != 2 {
		return "", "", false
	}
	k, ok := c.Args[1].(*plan.Const)
	if !ok || k.Val.Type != value.String {
		return "", "", false
	}
	x, ok := s.textOf(c.Args[0])
	return x, k.Val.S, ok
}

// textOf says an expression as the text that string operators see.
func (s scope) textOf(e plan.Expr) (string, bool) {
	x, ok := s.expr(e)
	if !ok {
		return "", false
	}
	t, ok := tostring(x)
	return t.sql, ok
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

const upperASCII, lowerASCII = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"

func fixedMatch(f func(x, n string) string) func(x, n string, fold bool) (string, bool) {
	return func(x, n string, fold bool) (string, bool) {
		if !fold {
			lit, ok := text(n)
			return f(x, lit), ok
		}
		n = strings.ToLower(n)
		lit, ok := text(n)
		if !ok {
			return "", false
		}
		sql := f("lower("+x+")", lit)
		if isASCII(n) && strings.ContainsAny(n, "ik") {
			sql = "(" + sql + " AND " + f("translate("+x+", '"+upperASCII+"', '"+lowerASCII+"')", lit) + ")"
		}
		return sql, true
	}
}

func isTerm(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

const outside = `[^\p{L}\p{Nd}]`

// termPattern is the regular expression for a needle at the edges of terms, and whether x must be lowered first.
func termPattern(n string, fold, left, right bool) (pattern string, lower bool) {
	if fold {
		n = strings.ToLower(n)
		lower = !isASCII(n)
	}
	first, _ := utf8.DecodeRuneInString(n)
	last, _ := utf8.DecodeLastRuneInString(n)
	var b strings.Builder
	if left && isTerm(first) {
		b.WriteString(`(?:^|` + outside + `)`)
	}
	b.WriteString(needlePattern(n, fold && !lower))
	if right && isTerm(last) {
		b.WriteString(`(?:$|` + outside + `)`)
	}
	return b.String(), lower
}

// needlePattern quotes a needle; with fold each ASCII letter stands for both cases.
func needlePattern(n string, fold bool) string {
	var b strings.Builder
	for _, r := range n {
		switch {
		case fold && r >= 'a' && r <= 'z':
			b.WriteString("[" + string(r) + string(r-32) + "]")
		case r < utf8.RuneSelf && !isTerm(r) && r != '_' && r != ' ' && r > 32 && r < 127:
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func termMatch(x, n string, fold, left, right bool) (string, bool) {
	if n == "" {
		return "TRUE", true
	}
	p, lower := termPattern(n, fold, left, right)
	lit, ok := text(p)
	if !ok || !utf8.ValidString(n) {
		return "", false
	}
	x0 := x
	if lower {
		x = "lower(" + x + ")"
	}
	// most rows don't have the needle at all, and to see that takes a third of the time
	part, ok := fixedMatch(func(x, n string) string { return "contains(" + x + ", " + n + ")" })(x, n, false)
	if fold {
		part, ok = "", false
		if l, is := text(strings.ToLower(n)); is {
			part, ok = "contains(lower("+x0+"), "+l+")", true
		}
	}
	if !ok {
		return "", false
	}
	return "(" + part + " AND regexp_matches(" + x + ", " + lit + "))", true
}

// searchMatch is the operator of search: a term, with stars at the ends a prefix, a suffix, a part.
func searchMatch(x, n string, _ bool) (string, bool) {
	if n == "" || n == "*" {
		return "TRUE", true
	}
	head, tail := strings.HasPrefix(n, "*"), strings.HasSuffix(n, "*")
	core := strings.TrimSuffix(strings.TrimPrefix(n, "*"), "*")
	switch {
	case strings.Contains(core, "*"):
		return "", false
	case head && tail:
		return fixedMatch(func(x, n string) string { return "contains(" + x + ", " + n + ")" })(x, core, true)
	case head:
		return termMatch(x, core, true, false, true)
	case tail:
		return termMatch(x, core, true, true, false)
	}
	return termMatch(x, core, true, true, true)
}

// hasList is has_any and has_all over constants.
func hasList(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) < 1 {
		return sx{}, false
	}
	x, ok := s.textOf(c.Args[0])
	if !ok {
		return sx{}, false
	}
	items, ok := constants(c.Args[1:])
	if !ok || len(items) > maxValues {
		return sx{}, false
	}
	all := c.Name == "HasAll"
	var plainAlts, conds []string
	for _, v := range items {
		n := v.Text()
		first, _ := utf8.DecodeRuneInString(n)
		last, _ := utf8.DecodeLastRuneInString(n)
		if !all && n != "" && isASCII(n) && isTerm(first) && isTerm(last) {
			if _, ok := text(n); !ok {
				return sx{}, false
			}
			plainAlts = append(plainAlts, needlePattern(strings.ToLower(n), true))
			continue
		}
		sql, ok := termMatch(x, n, true, true, true)
		if !ok {
			return sx{}, false
		}
		conds = append(conds, sql)
	}
	if len(plainAlts) > 0 { // one look for all plain words
		lit, _ := text(`(?:^|` + outside + `)(?:` + strings.Join(plainAlts, "|") + `)(?:$|` + outside + `)`)
		conds = append(conds, "regexp_matches("+x+", "+lit+")")
	}
	if len(conds) == 0 {
		return sx{sql: boolText(all), t: value.Bool}, true
	}
	op := " OR "
	if all {
		op = " AND "
	}
	return sx{sql: "(" + strings.Join(conds, op) + ")", t: value.Bool}, true
}
