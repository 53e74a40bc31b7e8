package dialect

import (
	"fmt"
	"math"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

func fail() string { return "error('" + inexact + "')" }

func textCalls(m map[string]callFunc) {
	m["tolower"] = func(s scope, c *plan.Call) (sx, bool) {
		x, ok := oneText(s, c)
		return sx{sql: "lower(" + x + ")", t: value.String}, ok
	}
	m["toupper"] = func(s scope, c *plan.Call) (sx, bool) {
		x, ok := oneText(s, c)
		// the sharp s is the one letter that DuckDB's upper() maps otherwise
		return sx{sql: "(CASE WHEN contains(" + x + ", 'ß') THEN " + fail() + " ELSE upper(" + x + ") END)", t: value.String}, ok
	}
	m["strlen"] = func(s scope, c *plan.Call) (sx, bool) {
		x, ok := oneText(s, c)
		return sx{sql: "length(" + x + ")", t: value.Long}, ok
	}
	m["strcat"] = func(s scope, c *plan.Call) (sx, bool) { return joined(s, c.Args, "") }
	m["strcat_delim"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) < 2 {
			return sx{}, false
		}
		k, ok := c.Args[0].(*plan.Const)
		if !ok || k.Val.Type != value.String {
			return sx{}, false
		}
		return joined(s, c.Args[1:], k.Val.S)
	}
	m["substring"] = substringCall
	m["replace_string"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) != 3 {
			return sx{}, false
		}
		x, ok := s.textOf(c.Args[0])
		a, ok1 := constText(c.Args[1])
		b, ok2 := constText(c.Args[2])
		if !ok || !ok1 || !ok2 || a == "''" {
			return sx{}, false
		}
		return sx{sql: "replace(" + x + ", " + a + ", " + b + ")", t: value.String}, true
	}
}

// constText is a constant string as a literal.
func constText(e plan.Expr) (string, bool) {
	k, ok := e.(*plan.Const)
	if !ok || k.Val.Type != value.String {
		return "", false
	}
	return text(k.Val.S)
}

func oneText(s scope, c *plan.Call) (string, bool) {
	if len(c.Args) != 1 {
		return "", false
	}
	return s.textOf(c.Args[0])
}

func joined(s scope, args []plan.Expr, delim string) (sx, bool) {
	if len(args) == 0 {
		return sx{}, false
	}
	d, ok := text(delim)
	if !ok {
		return sx{}, false
	}
	parts := make([]string, len(args))
	for i, a := range args {
		if parts[i], ok = s.textOf(a); !ok {
			return sx{}, false
		}
	}
	sep := " || "
	if delim != "" {
		sep = " || " + d + " || "
	}
	return sx{sql: "(" + strings.Join(parts, sep) + ")", t: value.String}, true
}

// substringCall has constant places that count from the start.
func substringCall(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) < 2 || len(c.Args) > 3 {
		return sx{}, false
	}
	x, ok := s.textOf(c.Args[0])
	if !ok {
		return sx{}, false
	}
	from, ok := constLong(c.Args[1])
	if !ok || from < 0 || from > math.MaxInt32 {
		return sx{}, false
	}
	if len(c.Args) == 2 {
		return sx{sql: fmt.Sprintf("substring(%s, %d)", x, from+1), t: value.String}, true
	}
	n, ok := constLong(c.Args[2])
	if !ok || n > math.MaxInt32 {
		return sx{}, false
	}
	if n <= 0 {
		return sx{sql: "''", t: value.String}, true
	}
	return sx{sql: fmt.Sprintf("substring(%s, %d, %d)", x, from+1, n), t: value.String}, true
}

func constLong(e plan.Expr) (int64, bool) {
	k, ok := e.(*plan.Const)
	if !ok || k.Val.Null || !isWhole(k.Val.Type) {
		return 0, false
	}
	return k.Val.I, true
}
