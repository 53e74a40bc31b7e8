package exec

import (
	"picket/kql/plan"
)

// graphShortestPaths finds, for each pair of ends, the shortest path that matches the pattern and its condition: one of
// them, or with output=all every one of that length.
func (x *run) graphShortestPaths(n *plan.GraphShortestPaths) (batches, error) {
	return func(yield func(*batch, error) bool) {
		g, done, err := x.graph(n.Input)
		if err != nil {
			yield(nil, err)
			return
		}
		defer done()
		m, err := x.newMatcher(g, n.Patterns, "unique_edges")
		if err == nil {
			err = m.restrict(n.Where)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		stopped := false
		out := x.newMatchOutput(m, n.Where, n.Items, func(b *batch) bool {
			stopped = !yield(b, nil)
			return !stopped
		})
		type ends struct{ key string }
		best := map[ends][]match{}
		var order []ends
		out.accept = func(got []match) error {
			for _, c := range got {
				var key []byte
				for _, v := range c.nodes {
					key = append(key, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
				}
				k := ends{string(key)}
				old, seen := best[k]
				switch {
				case !seen:
					order = append(order, k)
					best[k] = []match{c}
				case pathLen(c) < pathLen(old[0]):
					best[k] = []match{c}
				case pathLen(c) == pathLen(old[0]) && n.OutputAll:
					best[k] = append(old, c)
				}
			}
			return x.hold(int64(len(got)) * 8)
		}
		m.found = func(c *match) error { return out.add(c) }
		if err = m.run(); err == nil {
			err = out.flush()
		}
		var all []match
		for _, k := range order {
			all = append(all, best[k]...)
		}
		for at := 0; at < len(all) && err == nil; at += chunk {
			err = out.project(all[at:min(at+chunk, len(all))])
		}
		if err != nil && !stopped {
			yield(nil, err)
		}
	}, nil
}

func pathLen(m match) int {
	n := 0
	for _, p := range m.paths {
		n += len(p.edges)
	}
	return n
}
