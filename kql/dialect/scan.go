package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// scan reads a base table; a table without rows is an empty one.
func (l *lowering) scan(n *plan.Scan) *rel {
	t, err := l.t.Relation(n)
	if err != nil {
		l.err = err
		return nil
	}
	r := &rel{cols: map[plan.ColID]sx{}, out: n.Out, limit: -1}
	if t == nil {
		r.from, r.where = "(SELECT 1 AS one)", []string{"FALSE"}
		t = &Relation{}
	} else {
		r.from, r.base = t.SQL+" AS t", true
		if t.Where != "" {
			r.where = []string{t.Where}
		}
	}
	for _, c := range n.Out {
		x := sx{t: c.Type, null: c.Type != value.String}
		switch at := t.column(c.Name); {
		case at == nil && c.Type == value.String:
			x.sql = "''"
		case at == nil:
			x.sql = "NULL::" + sqlType(c.Type, repTS)
		case at.Ticks != "" && c.Type == value.Datetime:
			x.sql = fmt.Sprintf("(epoch_us(%s) * 10 + coalesce(%s, 0) + %d)", "t."+quoteName(at.Physical), "t."+quoteName(at.Ticks), int64(epochTicks))
			x.rep, x.null = repTicks, !at.NotNull
			x.ts = "t." + quoteName(at.Physical)
		default:
			x.null = x.null && !at.NotNull
			x.sql = "t." + quoteName(at.Physical)
			if c.Type == value.Dynamic {
				x.from = &origin{column: c.Name, at: t, table: n.Table, wants: l.wants}
			}
		}
		r.cols[c.ID] = x
	}
	return r
}

func (t *Relation) column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// maxValues is the most rows of constants that go into a statement.
const maxValues = 2000

// values says a table of constants, for a join or a union with something stored.
func (l *lowering) values(n *plan.Values) *rel {
	if len(n.Rows) > maxValues || len(n.Out) == 0 {
		return nil
	}
	r := &rel{cols: map[plan.ColID]sx{}, out: n.Out, limit: -1, weak: true}
	names := make([]string, len(n.Out))
	reps := make([]rep, len(n.Out))
	for i, c := range n.Out {
		names[i] = name(c.ID)
		for _, row := range n.Rows {
			if c.Type == value.Datetime && !row[i].Null && row[i].I%10 != 0 {
				reps[i] = repTicks
			}
		}
		r.cols[c.ID] = sx{sql: names[i], t: c.Type, rep: reps[i], null: c.Type != value.String}
	}
	if len(n.Rows) == 0 {
		list := make([]string, len(n.Out))
		for i, c := range n.Out {
			list[i] = "NULL::" + sqlType(c.Type, reps[i]) + " AS " + names[i]
		}
		r.from, r.where = "(SELECT "+strings.Join(list, ", ")+")", []string{"FALSE"}
		return r
	}
	rows := make([]string, len(n.Rows))
	for k, row := range n.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			x, ok := literal(v)
			if !ok || v.Type != n.Out[i].Type && !v.Null {
				return nil
			}
			cells[i] = x.sql
			if v.Null {
				cells[i] = "NULL::" + sqlType(n.Out[i].Type, reps[i])
			} else if v.Type == value.Datetime {
				cells[i], _ = x.as(reps[i])
			}
		}
		rows[k] = "(" + strings.Join(cells, ", ") + ")"
	}
	r.from = "(VALUES " + strings.Join(rows, ", ") + ") v(" + strings.Join(names, ", ") + ")"
	return r
}
