package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
)

// take gives the first N rows that come and stops its input.
func (x *run) take(n *plan.Take) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	limit, err := x.count(n.N)
	if err != nil {
		return nil, err
	}
	return func(yield func(*batch, error) bool) {
		left := limit
		if left == 0 {
			return
		}
		for b, err := range in {
			if err != nil {
				yield(nil, err)
				return
			}
			if b.n > left {
				b = b.slice(0, left)
			}
			left -= b.n
			if !yield(b, nil) || left == 0 {
				return
			}
		}
	}, nil
}

// sample gives N random rows by reservoir, in the order of the input.
func (x *run) sample(n *plan.Sample) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	limit, err := x.count(n.N)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	return func(yield func(*batch, error) bool) {
		if limit == 0 {
			return
		}
		res := emptyBatch(cols)
		var held int64
		defer func() { x.release(held) }()
		var place []int // the input row that slot i holds
		seen := 0
		for b, err := range in {
			if err == nil {
				err = x.tick()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := 0; i < b.n; i++ {
				seen++
				slot := len(place)
				if slot < limit {
					place = append(place, seen)
					res.append(b.slice(i, i+1))
					continue
				}
				if slot = int(x.ev.Rand.Int63n(int64(seen))); slot < limit {
					place[slot] = seen
					for c, v := range b.vecs {
						value.CopyRow(res.vecs[c], slot, v, i)
					}
				}
			}
			size := res.bytes()
			if err := x.hold(size - held); err != nil {
				held = size
				yield(nil, err)
				return
			}
			held = size
		}
		emit(yield, res.gather(sortedBy(place)))
	}, nil
}

// sortedBy gives the indices of keys in the order of the keys.
func sortedBy(keys []int) []int32 {
	idx := make([]int32, len(keys))
	for i := range idx {
		idx[i] = int32(i)
	}
	slices.SortStableFunc(idx, func(p, q int32) int { return keys[p] - keys[q] })
	return idx
}

// sampleDistinct gives the first N distinct values.
func (x *run) sampleDistinct(n *plan.SampleDistinct) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	limit, err := x.count(n.N)
	if err != nil {
		return nil, err
	}
	items := []plan.Item{n.By}
	keys, window, err := x.compileItems(items, layoutOf(n.Input.Cols()))
	if err != nil {
		return nil, err
	}
	if window {
		in = x.whole(in, n.Input.Cols())
	}
	return func(yield func(*batch, error) bool) {
		if limit == 0 {
			return
		}
		g := newGrouper(items)
		var held int64
		defer func() { x.release(held) }()
		for b, err := range in {
			if err == nil {
				err = x.tick()
			}
			if err == nil {
				_, err = g.assign(b, keys)
			}
			if err == nil {
				err = x.hold(g.bytes - held)
				held = g.bytes
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if g.n >= limit {
				break
			}
		}
		out := &batch{n: g.n, vecs: g.keys}
		emit(yield, out.slice(0, min(limit, g.n)))
	}, nil
}
