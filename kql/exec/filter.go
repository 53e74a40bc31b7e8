package exec

import (
	"picket/kql/plan"
)

// filter keeps the rows for which the predicate is true; null is not.
func (x *run) filter(n *plan.Filter) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	pred, err := x.compile(n.Pred, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	if pred.k != nil {
		if pred.k.IsNull(0) || pred.k.I[0] == 0 {
			return func(func(*batch, error) bool) {}, nil
		}
		return in, nil
	}
	if pred.window {
		in = x.whole(in, cols)
	}
	return func(yield func(*batch, error) bool) {
		for b, err := range in {
			if err == nil {
				err = x.tick()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			out, err := keep(b, pred)
			if err != nil {
				yield(nil, err)
				return
			}
			if out.n > 0 && !yield(out, nil) {
				return
			}
		}
	}, nil
}

// keep gives the rows of b where pred is true.
func keep(b *batch, pred *expr) (*batch, error) {
	v, err := pred.eval(b)
	if err != nil {
		return nil, err
	}
	rows := make([]int32, 0, b.n)
	for i := 0; i < b.n; i++ {
		if !v.IsNull(i) && v.I[v.Idx(i)] != 0 {
			rows = append(rows, int32(i))
		}
	}
	if len(rows) == b.n {
		return b, nil
	}
	return b.gather(rows), nil
}

// whole turns the input into one batch, for window functions.
func (x *run) whole(in batches, cols []plan.Col) batches {
	return func(yield func(*batch, error) bool) {
		b, done, err := x.all(in, cols)
		if err != nil {
			yield(nil, err)
			return
		}
		defer done()
		if b.n > 0 {
			yield(b, nil)
		}
	}
}
