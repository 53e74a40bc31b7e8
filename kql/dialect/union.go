package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// union appends its inputs, column by column.
func (l *lowering) union(n *plan.Union, in []*rel) *rel {
	if len(in) == 0 {
		return nil
	}
	out := &rel{cols: map[plan.ColID]sx{}, out: n.Out, limit: -1, weak: true}
	lists := make([][]string, len(in))
	for j, c := range n.Out {
		xs := make([]sx, len(in))
		r := repTS
		for i := range in {
			x := sx{t: c.Type, sql: "''"}
			switch id := n.Map[i][j]; {
			case n.Source != 0 && c.ID == n.Source:
				s, ok := text(n.Labels[i])
				if !ok {
					return nil
				}
				x.sql = s
			case id != 0:
				x = in[i].cols[id]
				switch {
				case x.t == c.Type:
				case c.Type == value.Long && x.t == value.Int:
					x.sql = "CAST(" + x.sql + " AS BIGINT)"
				default:
					return nil
				}
			case c.Type != value.String:
				v := value.Null(c.Type)
				x, _ = literal(v)
			}
			xs[i] = x
			if c.Type == value.Datetime && (x.k == nil || !x.k.Null) {
				if _, ok := x.as(repTS); !ok || x.rep != repTS {
					r = repTicks
				}
			}
		}
		null := false
		for i, x := range xs {
			s := x.stored()
			if c.Type == value.Datetime {
				t, ok := x.as(r)
				if !ok {
					return nil
				}
				s = t
			}
			if x.k != nil && x.k.Null && c.Type == value.Decimal {
				s = "NULL::VARCHAR"
			}
			null = null || x.null
			lists[i] = append(lists[i], s+" AS "+name(c.ID))
		}
		out.cols[c.ID] = sx{sql: name(c.ID), t: c.Type, rep: r, null: null}
	}
	parts := make([]string, len(in))
	for i, r := range in {
		list := lists[i]
		if len(list) == 0 {
			list = []string{"1 AS one"}
		}
		c := *r
		if c.limit < 0 {
			c.order = nil
		}
		parts[i] = c.sql(list)
		if c.limit >= 0 {
			parts[i] = "SELECT * FROM (" + fence(parts[i], c.limit) + ")"
		}
		out.weak = out.weak && r.weak
	}
	out.from = "(" + strings.Join(parts, " UNION ALL ") + ")"
	return out
}
