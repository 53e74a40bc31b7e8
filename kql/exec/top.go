package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// top keeps the first N rows of an order, never holding many more.
func (x *run) top(n *plan.Top) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	limit, err := x.count(n.N)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	keys, window, err := x.compileSort(n.Keys, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	if window {
		in = x.whole(in, cols)
	}
	return func(yield func(*batch, error) bool) {
		best := emptyBatch(cols)
		var held int64
		defer func() { x.release(held) }()
		var last []*value.Vector // the keys of the worst row that is kept, once there are enough
		prune := func() error {
			idx, err := x.order(best, keys)
			if err != nil {
				return err
			}
			best = best.gather(idx[:min(limit, len(idx))])
			for i, v := range best.vecs {
				best.vecs[i] = v.Flat()
			}
			if best.n == limit && limit > 0 {
				worst := best.slice(limit-1, limit)
				last = last[:0]
				for _, k := range keys {
					v, err := k.e.eval(worst)
					if err != nil {
						return err
					}
					last = append(last, v)
				}
			}
			size := best.bytes()
			x.release(held - size)
			held = size
			return nil
		}
		for b, err := range in {
			if err == nil {
				err = x.tick()
			}
			if err == nil && last != nil {
				b, err = better(b, keys, last)
			}
			if err == nil {
				size := b.bytes()
				held += size
				err = x.hold(size)
			}
			if err == nil {
				best.append(b)
				if best.n > 4*limit+8*chunk {
					err = prune()
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if err := prune(); err != nil {
			yield(nil, err)
			return
		}
		emit(yield, best)
	}, nil
}

// better keeps the rows of b that come before the row with the keys last.
func better(b *batch, keys []sortKey, last []*value.Vector) (*batch, error) {
	vs := make([]*value.Vector, len(keys))
	for i, k := range keys {
		v, err := k.e.eval(b)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	rows := make([]int32, 0, 16)
	for i := 0; i < b.n; i++ {
		for c, v := range vs {
			if o := compareKey(v, i, last[c], 0, keys[c]); o != 0 {
				if o < 0 {
					rows = append(rows, int32(i))
				}
				break
			}
		}
	}
	return b.gather(rows), nil
}

// emptyBatch makes a batch without rows that can grow.
func emptyBatch(cols []plan.Col) *batch {
	b := &batch{vecs: make([]*value.Vector, len(cols))}
	for i, c := range cols {
		b.vecs[i] = value.New(c.Type, 0)
	}
	return b
}

// append copies the rows of o; b must be its maker's own.
func (b *batch) append(o *batch) {
	for i, v := range o.vecs {
		b.vecs[i].AppendVector(v)
	}
	b.n += o.n
}
