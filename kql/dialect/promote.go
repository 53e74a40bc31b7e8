package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
	"sort"
	"strings"
)

// Derived is a value that a place in a stored dynamic column gives, as SQL over that column alone: something that a
// store can compute once and keep as a column of its own.
type Derived struct {
	Column string     // the stored column, as in the scan's Out
	Key    string     // names the value among those of its table, such as `tostring(Properties."Geo"."Country")`
	SQL    string     // over the token $col, which stands for the column; null where there is nothing
	Type   value.Type // KQL's type of the value
}

// DerivedColumn is a Derived that a relation has as a column.
type DerivedColumn struct {
	Derived
	Physical string // its name in the SQL, not quoted
}

// Wanted is a Derived that a lowered query computes from the stored column, for want of a column of its own.
type Wanted struct {
	Derived
	Table string
}

// origin is where a dynamic comes from: a stored column whose other forms may be columns too.
type origin struct {
	column string
	at     *Relation
	table  string
	wants  map[string]*want
}

type want struct {
	Wanted
	n int
}

// kept gives the column that holds a value made of the place, when there is one; else count notes that it is wanted.
func (x sx) kept(kind string, t value.Type, build func(sx) string, count int) (string, bool) {
	if x.from == nil || x.path == "" || x.guard != nil || strings.Contains(x.path, "$col") {
		return "", false
	}
	d := Derived{Column: x.from.column, Key: kind + "(" + x.from.column + x.path + ")", Type: t}
	d.SQL = build(sx{sql: "$col", t: value.Dynamic, path: x.path, keys: x.keys, null: true})
	for _, c := range x.from.at.Derived {
		if c.Derived == d {
			return "t." + quoteName(c.Physical), true
		}
	}
	if count != 0 {
		id := x.from.table + "\x00" + d.Key
		w := x.from.wants[id]
		if w == nil {
			w = &want{Wanted: Wanted{Derived: d, Table: x.from.table}}
			x.from.wants[id] = w
		}
		w.n += count
	}
	return "", false
}

// wanted lists what the lowering would have read as columns.
func (l *lowering) wanted() (out []Wanted) {
	for _, w := range l.wants {
		if w.n > 0 {
			out = append(out, w.Wanted)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		return out[i].Table < out[j].Table || out[i].Table == out[j].Table && out[i].Key < out[j].Key
	})
	return out
}

// Paths collects the names of properties that a plan reads inside dynamics, for asking a store only for what can
// matter: see [Derived.Within].
func Paths(q *plan.Query) map[string]bool {
	names := map[string]bool{}
	see := func(n plan.Node) bool {
		plan.Exprs(n, func(e plan.Expr) { pathsOf(e, names) })
		return true
	}
	for _, s := range q.Shared {
		plan.Walk(s.Node, see)
	}
	for i := range q.Results {
		plan.Walk(q.Results[i].Node, see)
	}
	return names
}

func pathsOf(e plan.Expr, names map[string]bool) {
	plan.WalkExpr(e, func(e plan.Expr) bool {
		if c, ok := e.(*plan.Call); ok && (c.Name == "member" || c.Name == "index") && len(c.Args) == 2 {
			if k, ok := c.Args[1].(*plan.Const); ok && k.Val.Type == value.String {
				names[k.Val.S] = true
			}
		}
		return true
	})
}

// Within reports whether every property on the way to the place is one of names.
func (d Derived) Within(names map[string]bool) bool {
	rest := d.Key
	for {
		i := strings.Index(rest, `."`)
		if i < 0 {
			return true
		}
		rest = rest[i+2:]
		end := strings.IndexByte(rest, '"')
		if end < 0 || !names[rest[:end]] {
			return false
		}
		rest = rest[end+1:]
	}
}

// The forms of a place that are worth a column. leaf never fails; the others fail over on rare data.

// wholeText is what tostring() gives: never null.
func (x sx) wholeText() string { return "coalesce(" + x.leafText() + ", '')" }

// leafKept is the leaf for comparing with texts that no number, array or bag has, and that are not empty: "" may stand
// for null.
func (x sx) leafKept() string {
	if c, ok := x.kept("tostring", value.String, sx.wholeText, 0); ok {
		return c
	}
	return x.leafOrNull()
}

// leafOrNull is the leaf, null where there is none.
func (x sx) leafOrNull() string {
	if c, ok := x.kept("leaf", value.String, sx.leaf, 1); ok {
		return c
	}
	return x.leaf()
}

// textKept is the leaf's text for comparing with texts; empty says that "" is among them, so that null matters.
func (x sx) textKept(empty bool) string {
	if empty {
		return x.leafText()
	}
	if c, ok := x.kept("tostring", value.String, sx.wholeText, 1); ok {
		return c
	}
	return x.leafText()
}

func (x sx) numberKept() string {
	if c, ok := x.kept("number", value.Real, sx.leafNumber, 1); ok {
		return c
	}
	return x.leafNumber()
}
