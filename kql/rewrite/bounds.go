package rewrite

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// Bounds are the rows of a scan that a question can need, in ticks; a bound that is not set is open. They are
// inclusive at both ends.
type Bounds struct {
	From, To                     int64 // of Options.Time
	HasFrom, HasTo               bool
	ReceivedFrom, ReceivedTo     int64 // of Options.Received
	HasReceivedFrom, HasReceived bool
}

// bounds reads the filters that stand right above the scans.
func bounds(q *plan.Query, o Options) map[*plan.Scan]Bounds {
	out := map[*plan.Scan]Bounds{}
	see := func(n plan.Node) bool {
		f, ok := n.(*plan.Filter)
		if !ok {
			return true
		}
		var preds []plan.Expr
		var at plan.Node = f
		for {
			f, ok := at.(*plan.Filter)
			if !ok {
				break
			}
			preds = append(preds, conjuncts(f.Pred)...)
			at = f.Input
		}
		s, ok := at.(*plan.Scan)
		if !ok {
			return true
		}
		b, some := out[s]
		for _, c := range s.Out {
			if c.Type != value.Datetime {
				continue
			}
			for _, e := range preds {
				lo, hi, hasLo, hasHi := timeRange(e, c.ID)
				switch {
				case c.Name == o.Time && o.Time != "":
					some = some || hasLo || hasHi
					b.From, b.HasFrom = tighter(b.From, b.HasFrom, lo, hasLo, true)
					b.To, b.HasTo = tighter(b.To, b.HasTo, hi, hasHi, false)
				case c.Name == o.Received && o.Received != "":
					some = some || hasLo || hasHi
					b.ReceivedFrom, b.HasReceivedFrom = tighter(b.ReceivedFrom, b.HasReceivedFrom, lo, hasLo, true)
					b.ReceivedTo, b.HasReceived = tighter(b.ReceivedTo, b.HasReceived, hi, hasHi, false)
				}
			}
		}
		if some {
			out[s] = b
		}
		return true
	}
	// a scan that stands at several places of the plan may lack the filter at another
	count := map[*plan.Scan]int{}
	all := func(f func(plan.Node) bool) {
		for _, s := range q.Shared {
			plan.Walk(s.Node, f)
		}
		for i := range q.Results {
			plan.Walk(q.Results[i].Node, f)
		}
	}
	all(func(n plan.Node) bool {
		if s, ok := n.(*plan.Scan); ok {
			count[s]++
		}
		return true
	})
	all(see)
	for s := range out {
		if count[s] > 1 {
			delete(out, s)
		}
	}
	return out
}

func tighter(old int64, has bool, x int64, hasX, lower bool) (int64, bool) {
	switch {
	case !hasX:
		return old, has
	case !has, lower && x > old, !lower && x < old:
		return x, true
	}
	return old, true
}

var mirror = map[string]string{"GreaterThan": "LessThan", "GreaterThanOrEqual": "LessThanOrEqual", "LessThan": "GreaterThan", "LessThanOrEqual": "GreaterThanOrEqual", "Equal": "Equal"}

// timeRange reads a comparison of column id with constants as the closed range that it allows.
func timeRange(e plan.Expr, id plan.ColID) (lo, hi int64, hasLo, hasHi bool) {
	c, ok := e.(*plan.Call)
	if !ok {
		return
	}
	isCol := func(e plan.Expr) bool { r, ok := e.(*plan.ColRef); return ok && r.ID == id }
	konst := func(e plan.Expr) (int64, bool) {
		k, ok := e.(*plan.Const)
		if !ok || k.Val.Null || k.Val.Type != value.Datetime {
			return 0, false
		}
		return k.Val.I, true
	}
	name := c.Name
	switch name {
	case "And":
		if len(c.Args) != 2 {
			return
		}
		lo, hi, hasLo, hasHi = timeRange(c.Args[0], id)
		l2, h2, hasL2, hasH2 := timeRange(c.Args[1], id)
		lo, hasLo = tighter(lo, hasLo, l2, hasL2, true)
		hi, hasHi = tighter(hi, hasHi, h2, hasH2, false)
		return
	case "Or":
		if len(c.Args) != 2 {
			return
		}
		l1, h1, hasL1, hasH1 := timeRange(c.Args[0], id)
		l2, h2, hasL2, hasH2 := timeRange(c.Args[1], id)
		return min(l1, l2), max(h1, h2), hasL1 && hasL2, hasH1 && hasH2
	case "Between":
		if len(c.Args) != 3 || !isCol(c.Args[0]) {
			return
		}
		lo, hasLo = konst(c.Args[1])
		hi, hasHi = konst(c.Args[2])
		if k, ok := c.Args[2].(*plan.Const); ok && k.Val.Type == value.Timespan && !k.Val.Null && hasLo {
			if hi = lo + k.Val.I; (hi > lo) == (k.Val.I > 0) {
				hasHi = true
			}
		}
		return
	}
	if len(c.Args) != 2 {
		return
	}
	x, y := c.Args[0], c.Args[1]
	if isCol(y) {
		x, y = y, x
		name = mirror[name]
	}
	k, ok := konst(y)
	if !ok || !isCol(x) {
		return
	}
	switch name {
	case "Equal":
		return k, k, true, true
	case "GreaterThan", "GreaterThanOrEqual":
		return k, 0, true, false
	case "LessThan", "LessThanOrEqual":
		return 0, k, false, true
	}
	return
}
