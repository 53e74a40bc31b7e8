package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The string operators. DuckDB's lower() maps every code point as Go's strings.ToLower does (the tests go through
// all of them), and its regular expressions take the same code points for letters and digits. A needle of ASCII
// letters matches ASCII letters only: the Kelvin sign and the dotted capital I, which lower() turns into k and i,
// are told apart by a second look at the rows that lower() lets through.
func matchCalls(m map[string]callFunc) {
	add := func(name string, f matchFunc) {
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
	add("Has", func(s scope, x, n string, fold bool) (string, bool) { return s.termMatch(x, n, fold, true, true) })
	add("HasPrefix", func(s scope, x, n string, fold bool) (string, bool) { return s.termMatch(x, n, fold, true, false) })
	add("HasSuffix", func(s scope, x, n string, fold bool) (string, bool) { return s.termMatch(x, n, fold, false, true) })
	equal := fixedMatch(func(x, n string) string { return "(" + x + " = " + n + ")" })
	m["EqualTilde"], m["BangTilde"] = matchCall(equal, true, false), matchCall(equal, true, true)
	m["Search"] = matchCall(searchMatch, true, false)
	m["HasAny"], m["HasAll"] = hasList, hasList
}

// matchFunc says whether the text x matches the needle n.
type matchFunc func(s scope, x, n string, fold bool) (string, bool)

// matchCall is an operator with a constant needle.
func matchCall(f matchFunc, fold, negate bool) callFunc {
	return func(s scope, c *plan.Call) (sx, bool) {
		x, n, ok := haystack(s, c, fold)
		if !ok {
			return sx{}, false
		}
		sql, ok := f(s, x, n, fold)
		if !ok {
			return sx{}, false
		}
		if negate {
			sql = "(NOT " + sql + ")"
		}
		return sx{sql: sql, t: value.Bool}, true
	}
}

func haystack(s scope, c *plan.Call, fold bool) (string, string, bool) {
	if len(c.Args) != 2 {
		return "", "", false
	}
	k, ok := c.Args[1].(*plan.Const)
	if !ok || k.Val.Type != value.String {
		return "", "", false
	}
	x, ok := s.searched(c.Args[0], fold && wordsOnly(k.Val.S))
	return x, k.Val.S, ok
}

// searched is textOf for a search that ignores case. A needle of letters does not see how numbers are written, so
// for it the text of a place in a dynamic is as DuckDB writes it.
func (s scope) searched(e plan.Expr, words bool) (string, bool) {
	x, ok := s.expr(e)
	if !ok {
		return "", false
	}
	t := x
	if x.t != value.String {
		if t, ok = tostring(x); !ok {
			return "", false
		}
	}
	if words && t.words != "" {
		if t.took != nil {
			t.took()
		}
		return "coalesce(" + t.words + ", '')", true
	}
	return t.sql, true
}

// wordsOnly reports whether a needle has only ASCII letters, and one that no number has.
func wordsOnly(n string) bool {
	other := false
	for i := 0; i < len(n); i++ {
		c := n[i] | 0x20
		if c < 'a' || c > 'z' {
			return false
		}
		other = other || c != 'e'
	}
	return other
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

func fixedMatch(f func(x, n string) string) matchFunc {
	return func(_ scope, x, n string, fold bool) (string, bool) {
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
			// a CASE keeps the order, which DuckDB would try to better
			sql = "(CASE WHEN " + sql + " THEN " + f("translate("+x+", '"+upperASCII+"', '"+lowerASCII+"')", lit) + " ELSE FALSE END)"
		}
		return sql, true
	}
}

func isTerm(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

const (
	outside      = `[^\p{L}\p{Nd}]`
	outsideASCII = `[^0-9A-Za-z\x{80}-\x{10FFFF}]`
	beyond       = `[\x{80}-\x{10FFFF}]`
)

// termPattern is the regular expression for a needle at the edges of terms, and whether x must be lowered first.
func termPattern(n string, fold, left, right bool, edge string) (pattern string, lower bool) {
	if fold {
		n = strings.ToLower(n)
		lower = !isASCII(n)
	}
	first, _ := utf8.DecodeRuneInString(n)
	last, _ := utf8.DecodeLastRuneInString(n)
	var b strings.Builder
	if left && isTerm(first) {
		b.WriteString(`(?:^|` + edge + `)`)
	}
	b.WriteString(needlePattern(n, fold && !lower))
	if right && isTerm(last) {
		b.WriteString(`(?:$|` + edge + `)`)
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

// manyTerms is how many searches for terms a statement may have in the form that knows all letters. DuckDB compiles
// that for some milliseconds, several times over.
const manyTerms = 12

// termMatch looks for the needle's letters first, which most rows lack, then for the edges of a term.
func (s scope) termMatch(x, n string, fold, left, right bool) (string, bool) {
	if n == "" {
		return "TRUE", true
	}
	p, lower := termPattern(n, fold, left, right, outside)
	lit, ok := text(p)
	if !ok {
		return "", false
	}
	low := n
	part := "contains(" + x
	if fold {
		low = strings.ToLower(n)
		part = "contains(lower(" + x + ")"
	}
	nLit, _ := text(low)
	part += ", " + nLit + ")"
	if lower {
		x = "lower(" + x + ")"
	}
	if s.l.terms++; s.l.terms <= manyTerms || !isASCII(n) {
		return "(CASE WHEN " + part + " THEN regexp_matches(" + x + ", " + lit + ") ELSE FALSE END)", true
	}
	// the edges among ASCII; a letter beyond ASCII beside the needle fails over
	plainPattern, _ := termPattern(n, fold, left, right, outsideASCII)
	plainLit, _ := text(plainPattern)
	q := needlePattern(low, fold)
	besideLit, _ := text(beyond + q + "|" + q + beyond)
	return fmt.Sprintf("(%s AND (regexp_matches(%[2]s, %[3]s) OR (CASE WHEN regexp_matches(%[2]s, %[4]s) THEN %[5]s ELSE FALSE END)))", part, x, plainLit, besideLit, fail()), true
}

// searchMatch is the operator of search: a term, with stars at the ends a prefix, a suffix, a part.
func searchMatch(s scope, x, n string, _ bool) (string, bool) {
	if n == "" || n == "*" {
		return "TRUE", true
	}
	head, tail := strings.HasPrefix(n, "*"), strings.HasSuffix(n, "*")
	core := strings.TrimSuffix(strings.TrimPrefix(n, "*"), "*")
	switch {
	case strings.Contains(core, "*"):
		return "", false
	case head && tail:
		return fixedMatch(func(x, n string) string { return "contains(" + x + ", " + n + ")" })(s, x, core, true)
	case head:
		return s.termMatch(x, core, true, false, true)
	case tail:
		return s.termMatch(x, core, true, true, false)
	}
	return s.termMatch(x, core, true, true, true)
}

// hasList is has_any and has_all over constants.
func hasList(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) < 1 {
		return sx{}, false
	}
	items, ok := constants(c.Args[1:])
	if !ok || len(items) > maxValues {
		return sx{}, false
	}
	words := true
	for _, v := range items {
		words = words && wordsOnly(v.Text())
	}
	x, ok := s.searched(c.Args[0], words)
	if !ok {
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
		sql, ok := s.termMatch(x, n, true, true, true)
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
