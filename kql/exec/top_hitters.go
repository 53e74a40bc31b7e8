package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// topHitters gives the N values with the greatest count, or sum of weights. The service estimates them; here they
// are exact. They come out from the smallest to the greatest, as the service gives them.
func (x *run) topHitters(n *plan.TopHitters) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	limit, err := x.count(n.N)
	if err != nil {
		return nil, err
	}
	l := layoutOf(n.Input.Cols())
	key, err := x.compile(n.By.Expr, l)
	if err != nil {
		return nil, err
	}
	call := &plan.AggCall{Name: "count", T: value.Long}
	if n.Weight != nil {
		t := n.Weight.Type()
		if t == value.Int {
			t = value.Long
		}
		call = &plan.AggCall{Name: "sum", Args: []plan.Expr{n.Weight}, T: t, At: n.Weight.Pos()}
	}
	a, err := x.compileAgg(call, []plan.Col{n.Count}, l)
	if err != nil {
		return nil, err
	}
	if key.window || a.window() {
		in = x.whole(in, n.Input.Cols())
	}
	return func(yield func(*batch, error) bool) {
		b, held, err := x.group(in, []plan.Item{n.By}, []*expr{key}, []*aggregate{a})
		defer func() { x.release(held) }()
		if err != nil {
			yield(nil, err)
			return
		}
		second := &expr{t: b.vecs[1].Type, f: func(b *batch) (*value.Vector, error) { return b.vecs[1], nil }}
		idx, err := x.order(b, []sortKey{{e: second, desc: true}})
		if err != nil {
			yield(nil, err)
			return
		}
		idx = idx[:min(limit, len(idx))]
		for i, j := 0, len(idx)-1; i < j; i, j = i+1, j-1 {
			idx[i], idx[j] = idx[j], idx[i]
		}
		x.emitRows(yield, b, idx)
	}, nil
}
