package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

func dynamicCalls(m map[string]callFunc) {
	for _, n := range []string{"parse_json", "parsejson", "todynamic", "toobject"} {
		m[n] = parseJSON
	}
	m["member"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) != 2 {
			return sx{}, false
		}
		k, ok := c.Args[1].(*plan.Const)
		if !ok || k.Val.Type != value.String {
			return sx{}, false
		}
		return step(s, c.Args[0], k.Val)
	}
	m["index"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) != 2 {
			return sx{}, false
		}
		k, ok := c.Args[1].(*plan.Const)
		if !ok || k.Val.Null {
			return sx{}, false
		}
		return step(s, c.Args[0], k.Val)
	}
	m["array_length"] = func(s scope, c *plan.Call) (sx, bool) {
		if len(c.Args) != 1 {
			return sx{}, false
		}
		x, ok := s.expr(c.Args[0])
		if !ok || x.t != value.Dynamic {
			return sx{}, false
		}
		doc, path := x.place()
		return sx{sql: fmt.Sprintf("(CASE WHEN json_type(%s, %s) = 'ARRAY' THEN CAST(json_array_length(%s, %s) AS BIGINT) END)", doc, path, doc, path), t: value.Long, null: true}, true
	}
}

// step goes one step into a dynamic: a property, or an element of an array counted from the start or (negative)
// from the end.
func step(s scope, e plan.Expr, k value.Value) (sx, bool) {
	x, ok := s.expr(e)
	if !ok || x.t != value.Dynamic || x.k != nil {
		return sx{}, false
	}
	switch k.Type {
	case value.String:
		if !plainKey(k.S) {
			return sx{}, false
		}
		x.keys = append(x.keys[:len(x.keys):len(x.keys)], key{parent: x.path, name: k.S})
		x.path += `."` + k.S + `"`
	case value.Int, value.Long:
		if k.I < 0 || k.I > 1<<30 {
			return sx{}, false
		}
		x.path += fmt.Sprintf("[%d]", k.I)
	default:
		return sx{}, false
	}
	if len(x.path) > 1000 {
		return sx{}, false
	}
	x.null = true
	return x, true
}

// plainKey reports whether a JSON path says this property and nothing else.
func plainKey(s string) bool {
	if s == "" {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == '"' || r == '\\' || r == '*' || r == 0x7f || r == 0xfffd {
			return false
		}
	}
	return true
}

// place is the document and the path literal of a dynamic.
func (x sx) place() (doc, path string) {
	doc = x.sql
	if x.guard != nil && x.path != "" {
		doc = x.lets.share(x.guard(x.keys))
	}
	return doc, pathText(x.path)
}

func pathText(path string) string { return "'$" + strings.ReplaceAll(path, "'", "''") + "'" }

// leaf is the text of what stands at the place: a string without its quotes, all else as JSON; null for nothing
// and for JSON's null.
func (x sx) leaf() string {
	doc, path := x.place()
	s := "(" + doc + " ->> " + path + ")"
	return x.lets.share(s)
}

// json is the dynamic as a column of its own.
func (x sx) json() string {
	if x.path == "" {
		return x.sql
	}
	doc, path := x.place()
	return "nullif(CAST(json_extract(" + doc + ", " + path + ") AS VARCHAR), 'null')"
}

// distinctText reports whether no number, array or bag has this text: then the leaf's text alone decides equality.
func distinctText(s string) bool {
	return s != "" && strings.IndexByte("{[-0123456789", s[0]) < 0
}

// risky matches JSON text whose numbers or escapes the two writers may write otherwise.
const risky = `'[:,\[]-?(?:[0-9]{10,}\.|[0-9]+\.[0-9]{6,}|[0-9.]+[eE]|[0-9]{18,})|\\u00'`

// leafText is the text that tostring() gives: numbers in KQL's forms, arrays and bags as JSON. Forms that differ
// between the two (long numbers, exponents) fail over. Null stays null.
func (x sx) leafText() string {
	v := x.leaf()
	doc, path := x.place()
	nested := fail()
	if x.guard == nil { // what was parsed from text may have a property twice
		nested = fmt.Sprintf("(CASE WHEN regexp_matches(%[1]s, %[2]s) THEN %[3]s ELSE %[1]s END)", v, risky, fail())
	}
	return fmt.Sprintf("(CASE WHEN ascii(%[1]s) > 57 AND ascii(%[1]s) <> 91 AND ascii(%[1]s) <> 123 THEN %[1]s WHEN %[1]s IS NULL THEN NULL"+
		" ELSE (CASE json_type(%[2]s, %[3]s) WHEN 'VARCHAR' THEN %[1]s WHEN 'UBIGINT' THEN (CASE WHEN strlen(%[1]s) <= 18 THEN %[1]s ELSE %[4]s END)"+
		" WHEN 'BIGINT' THEN %[1]s WHEN 'DOUBLE' THEN (CASE WHEN regexp_full_match(%[1]s, '-?[0-9]{1,7}\\.[0-9]{1,6}') THEN %[1]s ELSE %[4]s END) ELSE %[5]s END) END)",
		v, doc, path, fail(), nested)
}

// leafNumber is the leaf as a number to compare with: only JSON numbers are plain; a text that could be read as one
// fails over.
func (x sx) leafNumber() string {
	v := x.leaf()
	doc, path := x.place()
	return fmt.Sprintf("(CASE WHEN %[1]s IS NULL THEN NULL ELSE (CASE json_type(%[2]s, %[3]s) WHEN 'DOUBLE' THEN CAST(%[1]s AS DOUBLE)"+
		" WHEN 'UBIGINT' THEN (CASE WHEN strlen(%[1]s) <= 15 THEN CAST(%[1]s AS DOUBLE) ELSE %[4]s END) WHEN 'BIGINT' THEN (CASE WHEN strlen(%[1]s) <= 15 THEN CAST(%[1]s AS DOUBLE) ELSE %[4]s END)"+
		" ELSE %[4]s END) END)", v, doc, path, fail())
}
