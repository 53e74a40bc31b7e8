package exec

import (
	"picket/kql/plan"
	"slices"
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
		m, err := x.newMatcher(g, n.Patterns, n.InnerNodes, "unique_edges")
		simple := false
		if err == nil {
			simple, err = m.restrict(n.Where)
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
		best := map[string][]match{} // by the nodes at the ends
		var order []string
		out.accept = func(got []match) error {
			for _, c := range got {
				var key []byte
				for _, v := range c.nodes {
					key = append(key, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
				}
				k := string(key)
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
		if simple && m.breadth() {
			err = m.shortest(n.OutputAll, out)
		} else if err = m.run(); err == nil {
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

// breadth says whether breadth-first search answers: one edge of variable length between two nodes, from length 1 on,
// with conditions on the ends alone.
func (m *matcher) breadth() bool {
	if len(m.hops) != 1 || m.hops[0].edge < 0 || m.hops[0].from == m.hops[0].to {
		return false
	}
	e := m.vars[m.hops[0].edge].elem
	return e.Variable && e.Min == 1
}

// shortest searches breadth first from each start that is allowed.
func (m *matcher) shortest(all bool, out *matchOutput) error {
	h := m.hops[0]
	e := m.vars[h.edge].elem
	n := m.g.nodes.n
	limit := e.Max
	if limit < 0 {
		limit = n
	}
	type step struct{ edge, from int32 }
	for start := 0; start < n; start++ {
		if !m.ok(h.from, start) {
			continue
		}
		// Place n stands for the start when a path comes back to it.
		dist, prev := make([]int32, n+1), make([][]step, n+1)
		for i := range dist {
			dist[i] = -1
		}
		dist[start] = 0
		queue := []int32{int32(start)}
		visit := func(at, edge, next int32) {
			if next == int32(start) {
				next = int32(n)
			}
			switch {
			case dist[next] < 0:
				dist[next] = dist[at] + 1
				prev[next] = []step{{edge, at}}
				if next != int32(n) {
					queue = append(queue, next)
				}
			case dist[next] == dist[at]+1 && all:
				prev[next] = append(prev[next], step{edge, at})
			}
		}
		for k := 0; k < len(queue); k++ {
			at := queue[k]
			if int(dist[at]) >= limit {
				break
			}
			if err := m.x.step(1 + len(m.g.outgoing[at])); err != nil {
				return err
			}
			if !e.Reverse || e.Undir {
				for _, edge := range m.g.outgoing[at] {
					visit(at, edge, m.g.to[edge])
				}
			}
			if e.Reverse || e.Undir {
				for _, edge := range m.g.incoming[at] {
					visit(at, edge, m.g.from[edge])
				}
			}
		}
		for end := 0; end <= n; end++ {
			node := end
			if end == n {
				node = start
			}
			if dist[end] <= 0 || !m.ok(h.to, node) {
				continue
			}
			var back func(at int32, edges, inner []int32) error
			back = func(at int32, edges, inner []int32) error {
				if at == int32(start) {
					c := match{nodes: make([]int32, len(m.cur.nodes)), paths: make([]path, len(m.cur.paths))}
					c.nodes[m.vars[h.from].index], c.nodes[m.vars[h.to].index] = int32(start), int32(node)
					p := path{edges: append([]int32(nil), edges...), inner: append([]int32(nil), inner...)}
					slices.Reverse(p.edges)
					slices.Reverse(p.inner)
					c.paths[m.vars[h.edge].index] = p
					return out.accept([]match{c})
				}
				for _, s := range prev[at] {
					if err := m.x.step(1); err != nil {
						return err
					}
					in := inner
					if s.from != int32(start) {
						in = append(inner[:len(inner):len(inner)], s.from)
					}
					if err := back(s.from, append(edges[:len(edges):len(edges)], s.edge), in); err != nil {
						return err
					}
				}
				return nil
			}
			if err := back(int32(end), nil, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
