package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
)

// maxLegacyParts is how many parts partition's legacy strategy takes.
const maxLegacyParts = 64

// partition runs its sub-plan on each part of the input, in the order in which the parts' keys first appear.
func (x *run) partition(n *plan.Partition) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	key, err := x.compile(n.Key, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	sub, err := x.build(n.Sub)
	if err != nil {
		return nil, err
	}
	var from []int
	if leaf := findCorrelated(n.Sub, n.ID); leaf != nil {
		if from, err = picks("partition's sub-query", leaf.Out, cols, nil); err != nil {
			return nil, err
		}
	}
	return func(yield func(*batch, error) bool) {
		b, done, err := x.all(in, cols)
		defer func() { done() }()
		if err != nil {
			yield(nil, err)
			return
		}
		g := newGrouper([]plan.Item{{Col: plan.Col{Type: key.t}}})
		ids, err := g.assign(b, []*expr{key})
		if err != nil {
			yield(nil, err)
			return
		}
		if n.Strategy == "legacy" && g.n > maxLegacyParts {
			yield(nil, invalid(n.Key.Pos(), "partition with hint.strategy=legacy takes up to %d parts, not %d; use native or shuffle", maxLegacyParts, g.n))
			return
		}
		parts := make([][]int32, g.n)
		for i, id := range ids {
			parts[id] = append(parts[id], int32(i))
		}
		outer := x.rows[n.ID]
		defer func() {
			x.rows[n.ID] = outer
			delete(x.outer, n.ID)
		}()
		for id, rows := range parts {
			x.outer[n.ID] = g.keys[0].At(id)
			leaf := &batch{n: len(rows), vecs: make([]*value.Vector, len(from))}
			for c, at := range from {
				leaf.vecs[c] = value.Gather(b.vecs[at], rows)
			}
			x.rows[n.ID] = leaf
			for s, err := range sub {
				if err == nil {
					err = x.tick()
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if s.n > 0 && !yield(s, nil) {
					return
				}
			}
		}
	}, nil
}
