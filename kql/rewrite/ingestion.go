package rewrite

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// ingestion gives ingestion_time() its value: the hidden column of the scan below, handed up to where the call
// stands. Where no scan is below (an aggregate, constants) it is null.
func (w *rewriter) ingestion(n plan.Node) plan.Node {
	return mapNodes(n, func(n plan.Node) plan.Node {
		uses := false
		plan.Exprs(n, func(e plan.Expr) {
			plan.WalkExpr(e, func(e plan.Expr) bool {
				if c, ok := e.(*plan.Call); ok && c.Name == "ingestion_time" {
					uses = true
				}
				return true
			})
		})
		if !uses {
			return n
		}
		cols := n.Cols()
		in := append([]plan.Node(nil), plan.Inputs(n)...)
		var ref plan.Expr = plan.Null(value.Datetime)
		for i := range in {
			if fed, id, ok := w.feed(in[i]); ok {
				in[i] = fed
				ref = &plan.ColRef{ID: id, Name: w.o.Received, T: value.Datetime}
				break
			}
		}
		if len(in) > 0 {
			n = plan.WithInputs(n, in)
		}
		n = mapExprs(n, func(e plan.Expr) plan.Expr {
			if c, ok := e.(*plan.Call); ok && c.Name == "ingestion_time" {
				return ref
			}
			return e
		})
		return restore(n, cols)
	})
}

// feed adds the hidden column to what n gives and says its id.
func (w *rewriter) feed(n plan.Node) (plan.Node, plan.ColID, bool) {
	col := func(id plan.ColID) plan.Col { return plan.Col{ID: id, Name: w.o.Received, Type: value.Datetime} }
	switch n := n.(type) {
	case *plan.Scan:
		for _, c := range n.Out {
			if c.Name == w.o.Received {
				return n, c.ID, true
			}
		}
		c := *n
		id := w.fresh()
		c.Out = append(append([]plan.Col(nil), n.Out...), col(id))
		return &c, id, true
	case *plan.Filter, *plan.Sort, *plan.Top, *plan.Take, *plan.Sample, *plan.Serialize:
		in, id, ok := w.feed(plan.Inputs(n)[0])
		if !ok {
			return n, 0, false
		}
		return plan.WithInputs(n, []plan.Node{in}), id, true
	case *plan.Project:
		in, id, ok := w.feed(n.Input)
		if !ok {
			return n, 0, false
		}
		c := *n
		c.Input = in
		for _, it := range n.Items {
			if it.Col.ID == id {
				return &c, id, true
			}
		}
		c.Items = append(append([]plan.Item(nil), n.Items...), plan.Item{Col: col(id), Expr: plan.Ref(col(id))})
		return &c, id, true
	case *plan.MvExpand:
		in, id, ok := w.feed(n.Input)
		if !ok {
			return n, 0, false
		}
		c := *n
		c.Input, c.Out = in, append(append([]plan.Col(nil), n.Out...), col(id))
		return &c, id, true
	case *plan.Parse:
		in, id, ok := w.feed(n.Input)
		if !ok {
			return n, 0, false
		}
		c := *n
		c.Input, c.Out = in, append(append([]plan.Col(nil), n.Out...), col(id))
		return &c, id, true
	case *plan.Join:
		c := *n
		left := n.Kind != plan.RightSemi && n.Kind != plan.RightAnti
		from := n.Right
		if left {
			from = n.Left
		}
		in, id, ok := w.feed(from)
		if !ok {
			return n, 0, false
		}
		if left {
			c.Left = in
		} else {
			c.Right = in
		}
		c.Out = append(append([]plan.Col(nil), n.Out...), col(id))
		return &c, id, true
	case *plan.Union:
		c := *n
		c.Inputs = append([]plan.Node(nil), n.Inputs...)
		c.Map = append([][]plan.ColID(nil), n.Map...)
		id, some := w.fresh(), false
		for i := range n.Inputs {
			in, from, ok := w.feed(n.Inputs[i])
			some = some || ok
			c.Inputs[i] = in
			c.Map[i] = append(append([]plan.ColID(nil), n.Map[i]...), from)
		}
		if !some {
			return n, 0, false
		}
		c.Out = append(append([]plan.Col(nil), n.Out...), col(id))
		return &c, id, true
	}
	return n, 0, false
}
