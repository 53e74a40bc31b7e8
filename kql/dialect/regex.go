package dialect

import (
	"fmt"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

func regexCalls(m map[string]callFunc) {
	m["MatchRegex"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) != 2 {
			return sx{}, false
		}
		p, _, ok := pattern(c.Args[1])
		if !ok {
			return sx{}, false
		}
		x, ok := s.textOf(c.Args[0])
		return sx{sql: "regexp_matches(" + x + ", " + p + ")", t: value.Bool}, ok
	}
	m["extract"] = extractCall
}

// pattern is a constant regular expression in the form of RE2: Go's engine, which KQL's is translated to, has the
// same syntax and the same meaning.
func pattern(e plan.Expr) (lit string, groups int, ok bool) {
	k, ok := e.(*plan.Const)
	if !ok || k.Val.Type != value.String || !isASCII(k.Val.S) || len(k.Val.S) > 1000 {
		return "", 0, false
	}
	re, err := eval.NewCtx(0).CompileRegex(k.Val.S)
	if err != nil {
		return "", 0, false // the interpreter says what is wrong
	}
	// \Q…\E, \pX beyond the classes that the tests go through, and named groups stay
	if strings.Contains(k.Val.S, `\Q`) || strings.Contains(k.Val.S, `\p`) || strings.Contains(k.Val.S, `\P`) || strings.Contains(k.Val.S, `[[:`) || strings.Contains(k.Val.S, `\C`) {
		return "", 0, false
	}
	lit, ok = text(re.String())
	return lit, re.NumSubexp(), ok
}

// extractCall is extract(pattern, group, text[, type]).
func extractCall(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) < 3 || len(c.Args) > 4 {
		return sx{}, false
	}
	p, groups, ok := pattern(c.Args[0])
	if !ok {
		return sx{}, false
	}
	g, ok := constLong(c.Args[1])
	if !ok || g < 0 || g > 9 || g > int64(groups) {
		return sx{}, false
	}
	x, ok := s.textOf(c.Args[2])
	if !ok {
		return sx{}, false
	}
	sql := fmt.Sprintf("regexp_extract(%s, %s, %d)", x, p, g)
	switch c.T {
	case value.String:
		return sx{sql: sql, t: c.T}, true
	case value.Long:
		return sx{sql: wholeText(sql, "BIGINT", 18), t: c.T, null: true}, true
	case value.Int:
		return sx{sql: wholeText(sql, "INTEGER", 9), t: c.T, null: true}, true
	case value.Real:
		return sx{sql: realText(sql), t: c.T, null: true, noNaN: true}, true
	}
	return sx{}, false
}
