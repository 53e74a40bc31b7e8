package dialect

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

func timeCalls(m map[string]callFunc) {
	m["startofday"] = func(s scope, c *plan.Call) (sx, bool) {
		x, ok := oneTime(s, c)
		if !ok {
			return sx{}, false
		}
		return binTime(x, value.TicksPerDay), true
	}
	m["hourofday"] = func(s scope, c *plan.Call) (sx, bool) {
		x, ok := oneTime(s, c)
		if !ok || c.T != value.Int {
			return sx{}, false
		}
		if a, ok := x.as(repMicros); ok {
			return sx{sql: fmt.Sprintf("CAST((%s + %d) // 3600000000 %% 24 AS INTEGER)", a, int64(epochTicks/10)), t: c.T, null: x.null}, true
		}
		return sx{sql: fmt.Sprintf("CAST(%s // 36000000000 %% 24 AS INTEGER)", ticksOf(x)), t: c.T, null: x.null}, true
	}
	part := func(f string) callFunc {
		return func(s scope, c *plan.Call) (sx, bool) {
			x, ok := oneTime(s, c)
			if !ok || c.T != value.Int {
				return sx{}, false
			}
			a, ok := x.as(repMicros)
			if !ok {
				a = fmt.Sprintf("((%s - %d) // 10)", ticksOf(x), int64(epochTicks))
				if x.rep == repTicks {
					// division cuts towards zero: make it positive first
					a = fmt.Sprintf("(%s // 10 - %d)", ticksOf(x), int64(epochTicks/10))
				}
			}
			return sx{sql: "CAST(" + f + "(make_timestamp(" + a + ")) AS INTEGER)", t: c.T, null: x.null}, true
		}
	}
	m["dayofmonth"], m["monthofyear"], m["getmonth"], m["getyear"], m["dayofyear"] = part("day"), part("month"), part("month"), part("year"), part("dayofyear")
}

func oneTime(s scope, c *plan.Call) (sx, bool) {
	if len(c.Args) != 1 {
		return sx{}, false
	}
	x, ok := s.expr(c.Args[0])
	return x.micros(), ok && x.t == value.Datetime
}
