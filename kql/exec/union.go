package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// union appends its inputs; a column that an input lacks is null there.
func (x *run) union(n *plan.Union) (batches, error) {
	ins := make([]batches, len(n.Inputs))
	maps := make([][]int, len(n.Inputs))
	for i, node := range n.Inputs {
		in, err := x.build(node)
		if err != nil {
			return nil, err
		}
		ins[i] = in
		l := layoutOf(node.Cols())
		maps[i] = make([]int, len(n.Out))
		for j := range n.Out {
			maps[i][j] = -1
			if id := n.Map[i][j]; id != 0 {
				at, ok := l[id]
				if !ok {
					return nil, fmt.Errorf("BUG: input %d of the union has no column %d", i, id)
				}
				maps[i][j] = at
			}
		}
	}
	return func(yield func(*batch, error) bool) {
		for i, in := range ins {
			for b, err := range in {
				if err == nil {
					err = x.tick()
				}
				if err != nil {
					yield(nil, err)
					return
				}
				out := &batch{n: b.n, vecs: make([]*value.Vector, len(n.Out))}
				for j, c := range n.Out {
					switch at := maps[i][j]; {
					case n.Source != 0 && c.ID == n.Source:
						out.vecs[j] = value.ConstOf(value.OfString(n.Labels[i]), b.n)
					case at < 0:
						out.vecs[j] = value.Nulls(c.Type, b.n)
					case b.vecs[at].Type != c.Type:
						v, ok := convertVector(b.vecs[at], c.Type)
						if !ok {
							yield(nil, fmt.Errorf("BUG: union column %s is %s, its input %s", c.Name, c.Type, b.vecs[at].Type))
							return
						}
						out.vecs[j] = v
					default:
						out.vecs[j] = b.vecs[at]
					}
				}
				if out.n > 0 && !yield(out, nil) {
					return
				}
			}
		}
	}, nil
}
