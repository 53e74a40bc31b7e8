package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

func convertCalls(m map[string]callFunc) {
	m["tostring"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) != 1 {
			return sx{}, false
		}
		if x, ok := splitPart(s, c.Args[0]); ok {
			return x, true
		}
		x, ok := s.expr(c.Args[0])
		if !ok {
			return sx{}, false
		}
		return tostring(x)
	}
	m["tolong"], m["toint"] = towhole, towhole
	m["toreal"], m["todouble"] = toreal, toreal
	m["tobool"], m["toboolean"] = tobool, tobool
	m["todatetime"] = func(s scope, c *plan.Call) (sx, bool) { return identity(s, c) }
	m["totimespan"] = func(s scope, c *plan.Call) (sx, bool) { return identity(s, c) }
	m["toguid"] = func(s scope, c *plan.Call) (sx, bool) { return identity(s, c) }
}

func identity(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 1 {
		return sx{}, false
	}
	x, ok := s.expr(c.Args[0])
	return x, ok && x.t == c.T
}

// tostring says a value as text; null is "".
func tostring(x sx) (sx, bool) {
	out := sx{t: value.String}
	if x.k != nil {
		return literal(value.OfString(x.k.Text()))
	}
	empty := func(s string) string {
		if x.null {
			return "coalesce(" + s + ", '')"
		}
		return s
	}
	switch x.t {
	case value.String:
		out.sql = x.sql
	case value.Int, value.Long, value.GUID:
		out.sql = empty("CAST(" + x.sql + " AS VARCHAR)")
	case value.Bool:
		out.sql = "(CASE WHEN " + x.sql + " THEN 'True' WHEN NOT " + x.sql + " THEN 'False' ELSE '' END)"
	case value.Real:
		v := "CAST(" + x.sql + " AS VARCHAR)"
		out.sql = fmt.Sprintf("(CASE WHEN %[1]s IS NULL THEN '' WHEN isnan(%[1]s) THEN 'NaN' WHEN isinf(%[1]s) THEN (CASE WHEN %[1]s > 0 THEN 'inf' ELSE '-inf' END) WHEN regexp_full_match(%[2]s, '-?[0-9]{1,9}\\.[0-9]{1,5}') THEN %[2]s ELSE %[3]s END)", x.sql, v, fail())
	case value.Datetime:
		us, digit := "epoch_us("+x.sql+")", "'0'"
		if x.rep == repMicros {
			us = x.sql
		} else if x.rep == repTicks {
			us, digit = fmt.Sprintf("(%s // 10 - %d)", x.sql, int64(epochTicks/10)), "CAST("+x.sql+" % 10 AS VARCHAR)"
		}
		out.sql = empty(fmt.Sprintf("strftime(make_timestamp(%s), '%%Y-%%m-%%dT%%H:%%M:%%S.%%f') || %s || 'Z'", us, digit))
	case value.Timespan:
		a := "abs(" + x.sql + ")"
		out.sql = empty(fmt.Sprintf("(CASE WHEN %[1]s < 0 THEN '-' ELSE '' END) || (CASE WHEN %[2]s >= 864000000000 THEN CAST(%[2]s // 864000000000 AS VARCHAR) || '.' ELSE '' END)"+
			" || printf('%%02d:%%02d:%%02d', %[2]s // 36000000000 %% 24, %[2]s // 600000000 %% 60, %[2]s // 10000000 %% 60) || (CASE WHEN %[2]s %% 10000000 > 0 THEN printf('.%%07d', %[2]s %% 10000000) ELSE '' END)", x.sql, a))
	case value.Dynamic:
		kept := false
		if out.sql, kept = x.kept("tostring", value.String, sx.wholeText, 1); kept {
			out.raw = out.sql
		} else {
			out.sql = x.wholeText()
			if out.raw, kept = x.kept("leaf", value.String, sx.leaf, 0); !kept {
				out.raw = x.leaf()
			}
			out.took = func() {
				x.kept("tostring", value.String, sx.wholeText, -1)
				x.kept("leaf", value.String, sx.leaf, 1)
			}
		}
		if x.guard == nil {
			out.words = out.raw
		}
	default:
		return sx{}, false
	}
	return out, true
}

// splitPart is tostring(split(x, "…")[k]): what is not there is "".
func splitPart(s scope, e plan.Expr) (sx, bool) {
	at, ok := e.(*plan.Call)
	if !ok || at.Name != "index" || len(at.Args) != 2 {
		return sx{}, false
	}
	k, ok := constLong(at.Args[1])
	split, isSplit := at.Args[0].(*plan.Call)
	if !ok || k < 0 || k > 1000 || !isSplit || split.Name != "split" || len(split.Args) != 2 {
		return sx{}, false
	}
	d, ok := constText(split.Args[1])
	if !ok || d == "''" {
		return sx{}, false
	}
	x, ok := s.textOf(split.Args[0])
	if !ok {
		return sx{}, false
	}
	return sx{sql: fmt.Sprintf("split_part(%s, %s, %d)", x, d, k+1), t: value.String}, true
}

// wholeText reads text as a whole number the way KQL does; forms that are rare (hexadecimal, blanks, a sign, more
// than digits digits) fail over.
func wholeText(x, typ string, digits int) string {
	return fmt.Sprintf(`(CASE WHEN regexp_full_match(%[1]s, '-?[0-9]{1,%[3]d}') THEN CAST(%[1]s AS %[2]s) WHEN regexp_full_match(%[1]s, '(?s)[^0-9A-Za-z]*(?:0[xX][0-9a-fA-F]+|[0-9]+)[^0-9A-Za-z]*') THEN %[4]s ELSE NULL END)`, x, typ, digits, fail())
}

func towhole(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 1 {
		return sx{}, false
	}
	x, ok := s.expr(c.Args[0])
	if !ok {
		return sx{}, false
	}
	out := sx{t: c.T, null: true}
	typ, digits := "BIGINT", 18
	if c.T == value.Int {
		typ, digits = "INTEGER", 9
	}
	switch {
	case x.t == c.T:
		return x, true
	case x.t == value.Int && c.T == value.Long:
		out.sql, out.null = bigint(x), x.null
	case x.t == value.Bool:
		out.sql, out.null = "CAST("+x.sql+" AS "+typ+")", x.null
	case x.t == value.String:
		out.sql = wholeText(x.sql, typ, digits)
	case x.t == value.Dynamic:
		build := func(x sx) string {
			v := x.leaf()
			doc, path := x.place()
			return fmt.Sprintf(`(CASE WHEN %[1]s IS NULL THEN NULL WHEN regexp_full_match(%[1]s, '-?[0-9]{1,%[4]d}') THEN CAST(%[1]s AS %[2]s) WHEN json_type(%[5]s, %[6]s) = 'VARCHAR' THEN %[3]s ELSE %[7]s END)`,
				v, typ, wholeText(v, typ, digits), digits, doc, path, fail())
		}
		kept := false
		if out.sql, kept = x.kept(c.Name, c.T, build, 1); !kept {
			out.sql = build(x)
		}
	default:
		return sx{}, false
	}
	return out, true
}

// realText reads text as a real; what is no plain number, but might be one to KQL, fails over.
func realText(v string) string {
	return fmt.Sprintf(`(CASE WHEN regexp_full_match(%[1]s, '-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?') THEN CAST(%[1]s AS DOUBLE) WHEN regexp_matches(lower(%[1]s), '[0-9]|nan|inf') THEN %[2]s ELSE NULL END)`, v, fail())
}

func toreal(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 1 {
		return sx{}, false
	}
	x, ok := s.expr(c.Args[0])
	if !ok || c.T != value.Real {
		return sx{}, false
	}
	switch x.t {
	case value.Real:
		return x, true
	case value.Int, value.Long:
		return sx{sql: double(x), t: value.Real, null: x.null, noNaN: true}, true
	case value.String:
		return sx{sql: realText(x.sql), t: value.Real, null: true, noNaN: true}, true
	case value.Dynamic:
		out := sx{t: value.Real, null: true, noNaN: true}
		build := func(x sx) string {
			v := x.leaf()
			doc, path := x.place()
			// the JSON of a number is read at once; that of a text has quotes, and is no number to the cast
			return fmt.Sprintf(`coalesce(TRY_CAST(CAST(json_extract(%[3]s, %[4]s) AS VARCHAR) AS DOUBLE), (CASE WHEN %[1]s IS NULL THEN NULL WHEN json_type(%[3]s, %[4]s) = 'VARCHAR' THEN %[2]s ELSE %[5]s END))`,
				v, realText(v), doc, path, fail())
		}
		kept := false
		if out.sql, kept = x.kept("toreal", c.T, build, 1); !kept {
			out.sql = build(x)
		}
		return out, true
	}
	return sx{}, false
}

func tobool(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 1 {
		return sx{}, false
	}
	x, ok := s.expr(c.Args[0])
	if !ok || c.T != value.Bool {
		return sx{}, false
	}
	out := sx{t: value.Bool, null: true}
	switch x.t {
	case value.Bool:
		return x, true
	case value.Int, value.Long:
		return sx{sql: "(" + x.sql + " <> 0)", t: value.Bool, null: x.null}, true
	case value.Dynamic:
		build := func(x sx) string { return boolOf(x.leaf()) }
		kept := false
		if out.sql, kept = x.kept("tobool", c.T, build, 1); !kept {
			out.sql = build(x)
		}
		return out, true
	case value.String:
		out.sql = boolOf(x.sql)
		return out, true
	}
	return sx{}, false
}

// boolOf reads text as a bool.
func boolOf(v string) string {
	return fmt.Sprintf(`(CASE WHEN %[1]s IN ('true', 'True', 'TRUE') THEN TRUE WHEN %[1]s IN ('false', 'False', 'FALSE') THEN FALSE WHEN %[1]s IS NULL THEN NULL WHEN regexp_matches(lower(%[1]s), '[0-9]|true|false|\[|\{') THEN %[2]s ELSE NULL END)`, v, fail())
}
