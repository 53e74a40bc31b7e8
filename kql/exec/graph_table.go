package exec

import (
	"fmt"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
)

// graphToTable gives the nodes or the edges of a graph as rows, with hash ids of nodes where asked for.
func (x *run) graphToTable(n *plan.GraphToTable) (batches, error) {
	return func(yield func(*batch, error) bool) {
		g, done, err := x.graph(n.Input)
		if err != nil {
			yield(nil, err)
			return
		}
		defer done()
		b, cols := g.nodes, g.nodeCols
		if n.Edges {
			b, cols = g.edges, g.edgeCols
		}
		// The plan lists the ids that were asked for, then the graph's own columns in their order.
		own := len(n.Out) - len(cols)
		out := &batch{n: b.n, vecs: make([]*value.Vector, len(n.Out))}
		for i, c := range n.Out {
			var v *value.Vector
			switch {
			case n.IDCol.ID != 0 && c.ID == n.IDCol.ID:
				v, err = x.nodeHash(g, firstRows(g.nodes.n))
			case n.SourceCol.ID != 0 && c.ID == n.SourceCol.ID:
				v, err = x.nodeHash(g, g.from)
			case n.TargetCol.ID != 0 && c.ID == n.TargetCol.ID:
				v, err = x.nodeHash(g, g.to)
			default:
				if own < 0 || i < own || b.vecs[i-own].Type != c.Type {
					err = fmt.Errorf("BUG: graph-to-table gives column %s, which the graph doesn't have", c.Name)
				} else {
					v = b.vecs[i-own]
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			out.vecs[i] = v
		}
		emit(yield, out)
	}, nil
}

// nodeHash gives hash() of the keys of nodes.
func (x *run) nodeHash(g *graph, nodes []int32) (*value.Vector, error) {
	f, ok := eval.Lookup("hash")
	if !ok {
		return nil, notSupported(plan.Span{}, "graph-to-table with ids needs the function hash(), which is not built into picket yet")
	}
	return f(x.ev, value.Long, len(nodes), []*value.Vector{value.Gather(g.keys, nodes)})
}
