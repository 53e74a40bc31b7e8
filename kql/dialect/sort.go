package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"regexp"
)

// orderable reports whether SQL orders a type as KQL does.
func orderable(t value.Type) bool {
	switch t {
	case value.Bool, value.Int, value.Long, value.Real, value.String, value.Datetime, value.Timespan:
		return true
	}
	return false
}

// column finds a column in an expression.
var column = regexp.MustCompile(`\bc[0-9]|t\."`)

// sort orders rows, and keeps the first limit of them when it is not negative.
func (l *lowering) sort(keys []plan.SortKey, limit int64, in *rel) *rel {
	r := in.plain()
	r.order = nil
	for _, k := range keys {
		x, ok := r.scope(l).expr(k.Expr)
		if !ok || !orderable(x.t) {
			return nil
		}
		if x.k != nil || !column.MatchString(x.sql) {
			continue // orders nothing, and DuckDB refuses a constant
		}
		dir := "ASC"
		if k.Desc {
			dir = "DESC"
		}
		nulls := " NULLS LAST"
		if k.NullsFirst {
			nulls = " NULLS FIRST"
		}
		if x.t == value.Real && !x.noNaN { // NaN stands with the nulls
			way := "ASC"
			if k.NullsFirst {
				way = "DESC"
			}
			r.order = append(r.order, orderTerm{fmt.Sprintf("(CASE WHEN %s IS NULL THEN 2 WHEN isnan(%s) THEN 1 ELSE 0 END)", x.sql, x.sql), way})
		}
		r.order = append(r.order, orderTerm{x.sql, dir + nulls})
	}
	r.limit = limit
	if limit >= 0 && limit <= maxNewest && r.base && len(r.out) > 2 && len(keys) > 0 {
		r.newest(keys[0])
	}
	return r
}

// maxNewest is the most rows for which their times are looked for first.
const maxNewest = 10_000

// newest bounds a top by time: the times alone say from when on the rows are, and then few rows are read whole.
func (r *rel) newest(k plan.SortKey) {
	c, ok := k.Expr.(*plan.ColRef)
	if !ok {
		return
	}
	x := r.cols[c.ID]
	ts := x.ts
	if x.t == value.Datetime && x.rep == repTS {
		ts = x.sql
	}
	if ts == "" || x.null || !column.MatchString(ts) {
		return
	}
	way, edge, op := "DESC", "min", ">="
	if !k.Desc {
		way, edge, op = "ASC", "max", "<="
	}
	times := &rel{from: r.from, where: r.where, limit: r.limit, order: []orderTerm{{ts, way}}}
	r.where = append(r.where[:len(r.where):len(r.where)], fmt.Sprintf("%s %s (SELECT %s(x) FROM (%s))", ts, op, edge, times.sql([]string{ts + " AS x"})))
}

// take keeps any limit rows, the first of an order.
func (l *lowering) take(limit int64, in *rel) *rel {
	r := *in
	if r.limit >= 0 {
		limit = min(limit, r.limit)
	}
	r.limit = limit
	return &r
}
