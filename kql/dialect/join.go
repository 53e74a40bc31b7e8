package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
)

// join joins on keys that SQL compares as KQL does; null equals null.
func (l *lowering) join(n *plan.Join, left, right *rel) *rel {
	if len(n.On) == 0 {
		return nil
	}
	lr, rr := left.wrap(true), right.wrap(true)
	for id := range lr.cols {
		if _, twice := rr.cols[id]; twice {
			return nil
		}
	}
	var conds []string
	var leftKeys []string
	for _, on := range n.On {
		x, ok := lr.scope(l).expr(on.L)
		if !ok {
			return nil
		}
		y, ok := rr.scope(l).expr(on.R)
		if !ok {
			return nil
		}
		a, b, ok := joinKey(x, y)
		if !ok {
			return nil
		}
		op := " = "
		if x.null && y.null {
			op = " IS NOT DISTINCT FROM "
		}
		conds = append(conds, a+op+b)
		leftKeys = append(leftKeys, a)
	}
	kind, padLeft, padRight := "", false, false
	switch n.Kind {
	case plan.Inner:
		kind = "JOIN"
	case plan.InnerUnique:
		kind = "JOIN"
		lr.from = "(SELECT DISTINCT ON (" + strings.Join(leftKeys, ", ") + ") * FROM " + lr.from + ")"
	case plan.LeftOuter:
		kind, padRight = "LEFT JOIN", true
	case plan.RightOuter:
		kind, padLeft = "RIGHT JOIN", true
	case plan.FullOuter:
		kind, padLeft, padRight = "FULL JOIN", true, true
	case plan.LeftSemi:
		kind = "SEMI JOIN"
	case plan.LeftAnti:
		kind = "ANTI JOIN"
	case plan.RightSemi, plan.RightAnti:
		lr, rr = rr, lr
		kind = "SEMI JOIN"
		if n.Kind == plan.RightAnti {
			kind = "ANTI JOIN"
		}
	default:
		return nil
	}
	out := &rel{from: lr.from + " AS l " + kind + " " + rr.from + " AS r ON " + strings.Join(conds, " AND "), cols: map[plan.ColID]sx{}, out: n.Out, limit: -1}
	out.weak = lr.weak && rr.weak
	for _, c := range n.Out {
		x, isLeft := lr.cols[c.ID]
		if !isLeft {
			var ok bool
			if x, ok = rr.cols[c.ID]; !ok {
				return nil
			}
		}
		if x.t != c.Type {
			return nil
		}
		if isLeft && padLeft || !isLeft && padRight {
			x.null = true
			if x.t == value.String {
				x.sql, x.null = "coalesce("+x.sql+", '')", false
			}
		}
		out.cols[c.ID] = x
	}
	return out
}

// joinKey gives both keys in one type; false where SQL's equality is not KQL's.
func joinKey(x, y sx) (string, string, bool) {
	whole := func(t value.Type) bool { return t == value.Int || t == value.Long }
	switch {
	case x.t == value.Datetime && y.t == value.Datetime:
		s, _ := commonTimes(x, y)
		return s[0], s[1], true
	case whole(x.t) && whole(y.t):
		if x.t != y.t {
			return "CAST(" + x.sql + " AS BIGINT)", "CAST(" + y.sql + " AS BIGINT)", true
		}
		return x.sql, y.sql, true
	case x.t != y.t:
		return "", "", false
	}
	switch x.t {
	case value.String, value.Bool, value.Timespan, value.GUID:
		return x.sql, y.sql, true
	}
	return "", "", false
}
