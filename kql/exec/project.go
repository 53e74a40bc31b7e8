package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// project computes the items of project, extend, print and their kin.
func (x *run) project(n *plan.Project) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	items, window, err := x.compileItems(n.Items, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	if window {
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
			out := &batch{n: b.n, vecs: make([]*value.Vector, len(items))}
			for i, e := range items {
				v, err := e.eval(b)
				if err != nil {
					yield(nil, err)
					return
				}
				out.vecs[i] = v
			}
			if window && out.n > 2*chunk {
				if !emit(yield, out) {
					return
				}
				continue
			}
			if !yield(out, nil) {
				return
			}
		}
	}, nil
}
