package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// groupable reports whether SQL puts values of a type into the same groups as KQL.
func groupable(t value.Type) bool {
	switch t {
	case value.Bool, value.Int, value.Long, value.String, value.Datetime, value.Timespan, value.GUID:
		return true
	}
	return false
}

// summarize groups and aggregates.
func (l *lowering) summarize(n *plan.Summarize, in *rel) *rel {
	r := in.plain()
	ordered := len(r.order) > 0
	var es []plan.Expr
	for _, k := range n.Keys {
		es = append(es, k.Expr)
	}
	for _, a := range n.Aggs {
		es = append(es, a.Call)
	}
	if r.heavy(es...) {
		r = r.wrap(true)
	}
	r.order = nil
	out := &rel{cols: map[plan.ColID]sx{}, out: n.Cols(), limit: -1, weak: r.weak}
	var list, by []string
	sc, end := r.computing(l)
	for i, k := range n.Keys {
		x, ok := sc.expr(k.Expr)
		if !ok || !groupable(x.t) || x.t != k.Col.Type {
			return nil
		}
		list = append(list, x.stored()+" AS "+name(k.Col.ID))
		by = append(by, fmt.Sprint(i+1))
		out.cols[k.Col.ID] = x.renamed(name(k.Col.ID))
	}
	for _, a := range n.Aggs {
		if ordered && (strings.HasPrefix(a.Call.Name, "make_list") || a.Call.Name == "makelist") {
			return nil // the list follows the order
		}
		if !aggregate(sc, a, &list, out) {
			return nil
		}
	}
	if len(list) == 0 {
		return nil
	}
	end()
	sql := r.sql(list)
	if len(by) > 0 {
		sql += " GROUP BY " + strings.Join(by, ", ")
	}
	out.from = "(" + sql + ")"
	return out
}

// aggregate adds one aggregate's columns to the list.
func aggregate(s scope, a plan.Agg, list *[]string, out *rel) bool {
	name0, args := a.Call.Name, a.Call.Args
	filter := ""
	if inner, at, ok := conditional(name0); ok {
		if len(args) <= at {
			return false
		}
		p, ok := s.truth(args[at])
		if !ok {
			return false
		}
		filter = " FILTER (WHERE " + p + ")"
		args = append(append([]plan.Expr(nil), args[:at]...), args[at+1:]...)
		name0 = inner
	}
	if name0 == "arg_max" || name0 == "arg_min" || (name0 == "take_any" || name0 == "any") && len(a.Out) > 1 {
		return filter == "" && rowAggregate(s, name0, a, list, out)
	}
	if len(a.Out) != 1 {
		return false
	}
	col := a.Out[0]
	add := func(x sx) bool {
		if x.t != col.Type {
			return false
		}
		*list = append(*list, x.sql+" AS "+name(col.ID))
		x.sql, x.k = name(col.ID), nil
		out.cols[col.ID] = x
		return true
	}
	if name0 == "count" || name0 == "cnt" {
		if len(args) > 1 || len(args) == 1 && args[0].Type() == value.Bool {
			return false
		}
		return add(sx{sql: "count(*)" + filter, t: value.Long})
	}
	if len(args) == 0 {
		return false
	}
	x, ok := s.expr(args[0])
	if !ok {
		return false
	}
	switch name0 {
	case "sum":
		switch {
		case isWhole(x.t) && col.Type == value.Long, x.t == value.Timespan && col.Type == value.Timespan:
			return add(sx{sql: "CAST(coalesce(sum(" + x.sql + ")" + filter + ", 0) AS BIGINT)", t: col.Type})
		case x.t == value.Real && col.Type == value.Real:
			return add(sx{sql: "coalesce(sum(" + x.sql + ")" + filter + ", 0.0::DOUBLE)", t: col.Type})
		}
	case "avg":
		count := "count(" + x.sql + ")" + filter
		switch {
		case isWhole(x.t) && col.Type == value.Real:
			return add(sx{sql: fmt.Sprintf("(CASE WHEN %[1]s = 0 THEN 'nan'::DOUBLE ELSE CAST(CAST(sum(%[2]s)%[3]s AS BIGINT) AS DOUBLE) / CAST(%[1]s AS DOUBLE) END)", count, x.sql, filter), t: col.Type})
		case x.t == value.Real && col.Type == value.Real:
			return add(sx{sql: "coalesce(avg(" + x.sql + ")" + filter + ", 'nan'::DOUBLE)", t: col.Type})
		case x.t == value.Timespan && col.Type == value.Timespan:
			return add(sx{sql: fmt.Sprintf("(CASE WHEN %[1]s = 0 THEN NULL ELSE CAST(sum(%[2]s)%[3]s // %[1]s AS BIGINT) END)", count, x.sql, filter), t: col.Type, null: true})
		}
	case "min", "max":
		y := sx{sql: name0 + "(" + x.sql + ")" + filter, t: x.t, rep: x.rep, null: true}
		switch x.t {
		case value.Int, value.Long, value.Datetime, value.Timespan:
		case value.String:
			y.sql, y.null = "coalesce("+y.sql+", '')", false
		case value.Real:
			if name0 == "min" && !x.noNaN { // NaN wins, and is the largest in SQL
				y.sql = "(CASE WHEN coalesce(bool_or(isnan(" + x.sql + "))" + filter + ", FALSE) THEN 'nan'::DOUBLE ELSE " + y.sql + " END)"
			}
		default:
			return false
		}
		return add(y)
	case "dcount", "count_distinct":
		if !groupable(x.t) {
			return false
		}
		if len(args) > 1 {
			if _, ok := constLong(args[1]); !ok {
				return false
			}
		}
		return add(sx{sql: "count(DISTINCT " + x.sql + ")" + filter, t: value.Long})
	case "take_any", "any":
		if len(args) != 1 {
			return false
		}
		y := sx{sql: "any_value(" + x.stored() + ")" + filter, t: x.t, rep: x.rep, null: true}
		if x.t == value.String {
			y.sql, y.null = "coalesce(any_value(nullif("+x.sql+", ''))"+filter+", '')", false
		}
		return add(y)
	case "make_set", "makeset", "make_list", "makelist":
		return add(listOf(name0, x, args, filter))
	}
	return false
}

// conditional names the aggregate behind an …if form, and where its condition stands.
func conditional(name string) (string, int, bool) {
	switch name {
	case "countif":
		return "count", 0, true
	case "sumif", "avgif", "minif", "maxif", "dcountif", "make_set_if", "make_list_if", "take_anyif", "anyif", "count_distinctif":
		return strings.TrimSuffix(strings.TrimSuffix(name, "if"), "_"), 1, true
	}
	return "", 0, false
}

// maxList is the most elements of a list that a sub-select makes.
const maxList = 1048576

// listOf makes a JSON array of the values that are not null.
func listOf(name string, x sx, args []plan.Expr, filter string) sx {
	most := int64(maxList)
	if len(args) > 1 {
		n, ok := constLong(args[1])
		if !ok || n < 1 || n > maxList {
			return sx{}
		}
		most = n
	}
	switch x.t {
	case value.String, value.Int, value.Long, value.Bool:
	default:
		return sx{}
	}
	what := x.sql
	if strings.HasPrefix(name, "make_set") || name == "makeset" {
		what = "DISTINCT " + what
	}
	if x.null {
		if filter == "" {
			filter = " FILTER (WHERE " + x.sql + " IS NOT NULL)"
		} else {
			filter = strings.TrimSuffix(filter, ")") + " AND " + x.sql + " IS NOT NULL)"
		}
	}
	return sx{sql: fmt.Sprintf("coalesce(CAST(to_json(list_slice(list(%s)%s, 1, %d)) AS VARCHAR), '[]')", what, filter, most), t: value.Dynamic}
}
