package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// key is a property on the way to a place inside a document.
type key struct {
	parent string // path of the bag that has it
	name   string
}

// parseJSON reads a text as JSON. A text that is none stays a text in KQL, so that nothing is below its top; what
// DuckDB's reader takes for JSON and KQL's does not (a comma before a bracket, NaN), or refuses where KQL's does
// not (a line break inside a string), fails over.
func parseJSON(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 1 {
		return sx{}, false
	}
	if inner, ok := c.Args[0].(*plan.Call); ok && inner.Name == "tostring" && len(inner.Args) == 1 && inner.Args[0].Type() == value.Dynamic {
		if x, ok := s.expr(inner.Args[0]); ok && x.k == nil {
			return reparsed(x), true
		}
	}
	x, ok := s.expr(c.Args[0])
	switch {
	case !ok || x.k != nil:
		return sx{}, false
	case x.t == value.Dynamic:
		return x, true
	case x.t != value.String:
		return sx{}, false
	}
	t := s.lets.share(x.sql)
	return sx{sql: wholeJSON(t), t: value.Dynamic, null: true, lets: s.lets, guard: func(keys []key) string { return belowTop(t, keys) }}, true
}

const bracketed = `'^[ \t\r\n]*[{\[]'`

// doubtful matches what the two readers of JSON disagree on.
const doubtful = `'(?i),[ \t\r\n]*[}\]]|[:,\[][ \t\r\n]*[-+]?(?:nan|inf)'`

// wholeJSON is parse_json(t) as JSON text: a text that is no JSON becomes a JSON string.
func wholeJSON(t string) string {
	return fmt.Sprintf("(CASE WHEN %[1]s = '' THEN NULL WHEN regexp_matches(%[1]s, %[2]s) THEN (CASE WHEN NOT json_valid(%[1]s) OR regexp_matches(%[1]s, %[3]s) THEN %[4]s ELSE %[1]s END)"+
		` WHEN regexp_matches(%[1]s, '(?i)^[ \t\r\n]*(?:"|[-+]?[0-9.]|[-+]?nan|[-+]?inf|true|false|null)') THEN %[4]s ELSE CAST(to_json(%[1]s) AS VARCHAR) END)`, t, bracketed, doubtful, fail())
}

// belowTop is the document for reading properties and elements: null where there are none.
func belowTop(t string, keys []key) string {
	return fmt.Sprintf("(CASE WHEN regexp_matches(%[1]s, %[2]s) THEN (CASE WHEN regexp_matches(%[1]s, %[3]s) THEN %[4]s ELSE %[5]s END) END)", t, bracketed, doubtful, fail(), onceOnly(t, keys))
}

// onceOnly is the document unless a property on the way may stand in it twice: then KQL takes the last, DuckDB the
// first. A name that the text holds once is no question; otherwise the bags on the way are looked at.
func onceOnly(doc string, keys []key) string {
	var seldom, distinct []string
	for _, k := range keys {
		q, ok := text(`"` + k.name + `"`)
		if !ok {
			return fail()
		}
		seldom = append(seldom, fmt.Sprintf("strlen(%[1]s) - strlen(replace(%[1]s, %[2]s, '')) <= %[3]d", doc, q, len(k.name)+2))
		in := fmt.Sprintf("json_keys(%s, %s)", doc, pathText(k.parent))
		distinct = append(distinct, fmt.Sprintf("coalesce(len(%[1]s) = len(list_distinct(%[1]s)), TRUE)", in))
	}
	if len(keys) == 0 {
		return doc
	}
	// a name that is written with an escape hides from the first look
	return fmt.Sprintf(`(CASE WHEN %[2]s AND NOT regexp_matches(%[1]s, '\\[^"]*"[ \t\r\n]*:') THEN %[1]s WHEN %[3]s THEN %[1]s ELSE %[4]s END)`, doc, strings.Join(seldom, " AND "), strings.Join(distinct, " AND "), fail())
}

// reparsed is parse_json(tostring(x)) of a dynamic: a bag or an array is what it was, a text is read as JSON.
func reparsed(x sx) sx {
	lets := x.lets
	doc, path := x.place()
	v, j, typ := x.leaf(), lets.share(x.json()), lets.share(fmt.Sprintf("json_type(%s, %s)", doc, path))
	form := func(of string) string {
		return fmt.Sprintf("(CASE %[1]s WHEN 'OBJECT' THEN %[2]s WHEN 'ARRAY' THEN %[2]s WHEN 'VARCHAR' THEN %[3]s ", typ, j, of)
	}
	return sx{sql: form(wholeJSON(v)) + "ELSE " + j + " END)", t: value.Dynamic, null: true, lets: lets, guard: func(keys []key) string {
		return form(belowTop(v, keys)) + "END)"
	}}
}
