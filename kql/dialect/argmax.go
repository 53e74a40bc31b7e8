package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// rowAggregate is what takes several columns from one row: arg_max, arg_min, take_any of several.
//
// Where no key is null, each column is an aggregate of its own: arg_max_null replaces what it holds only for a key
// that is strictly greater, also where threads come together, and so do all of a group, over the same rows in the
// same order: they come from one row, also among rows that tie (a test holds that). Else a struct makes a row one
// value, which takes twice as long. (Packing the cells into a text was measured: no faster.)
func rowAggregate(s scope, agg string, a plan.Agg, list *[]string, out *rel) bool {
	args := a.Call.Args
	if len(args) < len(a.Out) || len(args) == 0 {
		return false
	}
	xs, ok := s.exprs(args)
	if !ok {
		return false
	}
	for i := range a.Out {
		if xs[i].t != a.Out[i].Type {
			return false
		}
	}
	ranked := agg == "arg_max" || agg == "arg_min"
	from := 0
	if ranked {
		from = 1 // the key's own value is its max or min
		switch xs[0].t {
		case value.Int, value.Long, value.Datetime, value.Timespan, value.String:
		default:
			return false
		}
	}
	fields := xs[from:len(a.Out)]
	if ranked && !xs[0].null {
		for i, col := range a.Out {
			x := xs[i]
			sql := agg + "_null(" + x.stored() + ", " + xs[0].sql + ")"
			if i == 0 {
				sql = strings.TrimPrefix(agg, "arg_") + "(" + x.sql + ")"
			}
			if col.Type == value.String {
				sql = "coalesce(" + sql + ", '')"
			}
			*list = append(*list, sql+" AS "+name(col.ID))
			y := x.renamed(name(col.ID))
			y.null = col.Type != value.String
			out.cols[col.ID] = y
		}
		return true
	}
	row := structOf(fields)
	whole := "any_value(" + row + ")"
	if ranked {
		best := agg + "(" + row + ", " + xs[0].sql + ")"
		if xs[0].null { // a group without any key gives one of its rows
			best = "coalesce(" + best + ", " + whole + ")"
		}
		whole = best
	}
	for i, col := range a.Out {
		x := xs[i]
		y := x.renamed(name(col.ID))
		y.null = col.Type != value.String
		var sql string
		switch {
		case ranked && i == 0:
			sql = strings.TrimPrefix(agg, "arg_") + "(" + x.sql + ")"
		default:
			sql = fmt.Sprintf("(%s).f%d", whole, i-from)
		}
		if col.Type == value.String {
			sql = "coalesce(" + sql + ", '')"
		}
		*list = append(*list, sql+" AS "+name(col.ID))
		out.cols[col.ID] = y
	}
	return true
}

func structOf(fields []sx) string {
	parts := make([]string, len(fields))
	for i, x := range fields {
		parts[i] = fmt.Sprintf("f%d := %s", i, x.stored())
	}
	if len(parts) == 0 {
		parts = []string{"f0 := 0"}
	}
	return "struct_pack(" + strings.Join(parts, ", ") + ")"
}
