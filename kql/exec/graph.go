package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// graph is a graph in memory: rows of nodes, rows of edges, and who joins whom.
type graph struct {
	nodes, edges       *batch
	nodeCols, edgeCols []plan.Col
	keys               *value.Vector // the key of each node
	from, to           []int32       // edge → node
	outgoing, incoming [][]int32     // node → edges
}

// link fills the adjacency lists.
func (g *graph) link() {
	g.outgoing, g.incoming = make([][]int32, g.nodes.n), make([][]int32, g.nodes.n)
	for e := range g.from {
		g.outgoing[g.from[e]] = append(g.outgoing[g.from[e]], int32(e))
		g.incoming[g.to[e]] = append(g.incoming[g.to[e]], int32(e))
	}
}

// graph builds the graph of a node. done gives its memory back.
func (x *run) graph(n plan.Graph) (g *graph, done func(), err error) {
	x.depth++
	defer func() { x.depth-- }()
	if x.depth > maxDepth {
		return nil, nil, &LimitError{What: "nested operators", Limit: maxDepth}
	}
	switch n := n.(type) {
	case *plan.MakeGraph:
		return x.makeGraph(n)
	case *plan.GraphMarkComponents:
		if g, done, err = x.graph(n.Input); err != nil {
			return nil, nil, err
		}
		if err := x.step(g.nodes.n + g.edges.n); err != nil {
			done()
			return nil, nil, err
		}
		return g.withColumn(n.Col, g.components(n.Kind == "strong")), done, nil
	case *plan.GraphWhereNodes:
		if g, done, err = x.graph(n.Input); err != nil {
			return nil, nil, err
		}
		keep, err := x.mask(n.Pred, g.nodeCols, g.nodes)
		if err != nil {
			done()
			return nil, nil, err
		}
		return g.filter(keep, nil), done, nil
	case *plan.GraphWhereEdges:
		if g, done, err = x.graph(n.Input); err != nil {
			return nil, nil, err
		}
		keep, err := x.mask(n.Pred, g.edgeCols, g.edges)
		if err != nil {
			done()
			return nil, nil, err
		}
		return g.filter(nil, keep), done, nil
	case *plan.GraphPersisted:
		return nil, nil, notSupported(n.At, "stored graphs (graph(\"…\")) can't be run here; build the graph with make-graph")
	}
	return nil, nil, notSupported(plan.Span{}, "the graph operator %T can't be run here", n)
}

// mask evaluates a predicate over the rows of b.
func (x *run) mask(pred plan.Expr, cols []plan.Col, b *batch) ([]bool, error) {
	e, err := x.compile(pred, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	v, err := e.eval(b)
	if err != nil {
		return nil, err
	}
	out := make([]bool, b.n)
	for i := range out {
		out[i] = !v.IsNull(i) && v.I[v.Idx(i)] != 0
	}
	return out, nil
}

// makeGraph joins edges and node tables by key. A node that only an edge names has its key and nulls; of several rows
// with one key the first counts.
func (x *run) makeGraph(n *plan.MakeGraph) (*graph, func(), error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, nil, err
	}
	g := &graph{nodeCols: n.Nodes, edgeCols: n.Input.Cols()}
	edges, release, err := x.all(in, g.edgeCols)
	if err != nil {
		return nil, nil, err
	}
	g.edges = edges
	var held int64
	done := func() { release(); x.release(held); held = 0 }
	l := layoutOf(g.edgeCols)
	src, ok1 := l[n.Source.ID]
	dst, ok2 := l[n.Target.ID]
	if !ok1 || !ok2 {
		done()
		return nil, nil, fmt.Errorf("BUG: make-graph reads a key that the edges don't have")
	}
	g.nodes = emptyBatch(g.nodeCols)
	g.keys = value.New(n.Source.T, 0)
	ids := map[string]int32{}
	var key []byte
	keyCols := []int{}
	for _, t := range n.NodeTables {
		if err := x.graphNodes(g, t, ids, &keyCols); err != nil {
			done()
			return nil, nil, err
		}
	}
	if len(n.NodeTables) == 0 {
		for i := range g.nodeCols {
			keyCols = append(keyCols, i)
		}
	}
	end := func(v *value.Vector, i int) int32 {
		key = value.AppendKey(key[:0], v, i)
		id, ok := ids[string(key)]
		if !ok {
			id = int32(g.nodes.n)
			ids[string(key)] = id
			for c, col := range g.nodes.vecs {
				col.Grow(col.N + 1)
				col.SetNull(col.N - 1)
				for _, k := range keyCols {
					if k == c && col.Type == v.Type {
						value.CopyRow(col, col.N-1, v, i)
					}
				}
			}
			g.nodes.n++
			g.keys.Append(v, i)
		}
		return id
	}
	vs, vd := edges.vecs[src], edges.vecs[dst]
	for i := 0; i < edges.n; i++ {
		g.from = append(g.from, end(vs, i))
		g.to = append(g.to, end(vd, i))
	}
	held = g.nodes.bytes() + int64(edges.n)*32 + int64(g.nodes.n)*96
	if err := x.hold(held); err != nil {
		done()
		return nil, nil, err
	}
	g.link()
	return g, done, nil
}

// graphNodes adds the rows of a node table.
func (x *run) graphNodes(g *graph, t plan.GraphNodes, ids map[string]int32, keyCols *[]int) error {
	in, err := x.build(t.Node)
	if err != nil {
		return err
	}
	l := layoutOf(t.Node.Cols())
	at, ok := l[t.Key.ID]
	if !ok {
		return fmt.Errorf("BUG: make-graph reads a key that its nodes don't have")
	}
	from := make([]int, len(g.nodeCols))
	for i := range from {
		from[i] = -1
		if id := t.Map[i]; id != 0 {
			p, ok := l[id]
			if !ok {
				return fmt.Errorf("BUG: make-graph maps a column that its nodes don't have")
			}
			from[i] = p
			if p == at {
				*keyCols = append(*keyCols, i)
			}
		}
	}
	var key []byte
	for b, err := range in {
		if err == nil {
			err = x.step(b.n)
		}
		if err != nil {
			return err
		}
		for i := 0; i < b.n; i++ {
			key = value.AppendKey(key[:0], b.vecs[at], i)
			if _, dup := ids[string(key)]; dup {
				continue
			}
			ids[string(key)] = int32(g.nodes.n)
			for c, p := range from {
				col := g.nodes.vecs[c]
				col.Grow(col.N + 1)
				if p < 0 {
					col.SetNull(col.N - 1)
				} else {
					value.CopyRow(col, col.N-1, b.vecs[p], i)
				}
			}
			g.nodes.n++
			if b.vecs[at].Type != g.keys.Type {
				v, ok := convertVector(b.vecs[at], g.keys.Type)
				if !ok {
					return invalid(t.Key.At, "the nodes' key is %s, the edges' key %s", b.vecs[at].Type, g.keys.Type)
				}
				g.keys.Append(v, i)
				continue
			}
			g.keys.Append(b.vecs[at], i)
		}
	}
	return nil
}

// withColumn gives the graph with one more node column.
func (g *graph) withColumn(c plan.Col, vals []int64) *graph {
	out := *g
	out.nodeCols = append(g.nodeCols[:len(g.nodeCols):len(g.nodeCols)], c)
	v := &value.Vector{Type: c.Type, N: len(vals), I: vals}
	out.nodes = &batch{n: g.nodes.n, vecs: append(g.nodes.vecs[:len(g.nodes.vecs):len(g.nodes.vecs)], v)}
	return &out
}

// filter keeps some nodes and edges; nil keeps all. Edges need both ends.
func (g *graph) filter(nodes, edges []bool) *graph {
	out := *g
	number := make([]int32, g.nodes.n)
	var rows []int32
	for i := range number {
		number[i] = -1
		if nodes == nil || nodes[i] {
			number[i] = int32(len(rows))
			rows = append(rows, int32(i))
		}
	}
	out.nodes, out.keys = g.nodes.gather(rows), value.Gather(g.keys, rows)
	var kept []int32
	out.from, out.to = nil, nil
	for e := range g.from {
		f, t := number[g.from[e]], number[g.to[e]]
		if f < 0 || t < 0 || edges != nil && !edges[e] {
			continue
		}
		kept = append(kept, int32(e))
		out.from, out.to = append(out.from, f), append(out.to, t)
	}
	out.edges = g.edges.gather(kept)
	out.link()
	return &out
}

// components numbers the weakly or strongly connected components in the order of their first node.
func (g *graph) components(strong bool) []int64 {
	group := make([]int, g.nodes.n)
	if strong {
		group = g.strong()
	} else {
		for i := range group {
			group[i] = i
		}
		find := func(i int) int {
			for group[i] != i {
				group[i] = group[group[i]]
				i = group[i]
			}
			return i
		}
		for e := range g.from {
			a, b := find(int(g.from[e])), find(int(g.to[e]))
			if a != b {
				group[max(a, b)] = min(a, b)
			}
		}
		for i := range group {
			group[i] = find(i)
		}
	}
	number := map[int]int64{}
	out := make([]int64, len(group))
	for i, c := range group {
		n, ok := number[c]
		if !ok {
			n = int64(len(number))
			number[c] = n
		}
		out[i] = n
	}
	return out
}

// strong finds strongly connected components (Tarjan, with its own stack).
func (g *graph) strong() []int {
	n := g.nodes.n
	index, low, comp := make([]int, n), make([]int, n), make([]int, n)
	on := make([]bool, n)
	var stack []int
	next := 0
	type frame struct{ v, edge int }
	for s := range index {
		if index[s] != 0 {
			continue
		}
		calls := []frame{{s, 0}}
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			v := f.v
			if f.edge == 0 {
				next++
				index[v], low[v] = next, next
				stack, on[v] = append(stack, v), true
			}
			if f.edge < len(g.outgoing[v]) {
				w := int(g.to[g.outgoing[v][f.edge]])
				f.edge++
				switch {
				case index[w] == 0:
					calls = append(calls, frame{w, 0})
				case on[w]:
					low[v] = min(low[v], index[w])
				}
				if f.edge == 0 {
					f.edge = 1
				}
				continue
			}
			if low[v] == index[v] {
				for {
					w := stack[len(stack)-1]
					stack, on[w] = stack[:len(stack)-1], false
					comp[w] = v
					if w == v {
						break
					}
				}
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				u := calls[len(calls)-1].v
				low[u] = min(low[u], low[v])
			}
		}
	}
	return comp
}
