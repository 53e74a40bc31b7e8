package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// path is what an edge of a pattern matched: edges in the order of the pattern, and the nodes between them.
type path struct {
	edges []int32
	inner []int32
}

// match is one answer of a pattern: a node for each node variable, a path for each edge variable.
type match struct {
	nodes []int32
	paths []path
}

// matcher searches a graph for patterns.
type matcher struct {
	x      *run
	g      *graph
	cycles string
	inner  layout // the ids by which all(), any() and map() read an inner node of a path

	vars     []patternVar
	slot     map[string]int // name → var
	hops     []hop
	allowed  [][]bool // node var → which nodes may stand there; nil for all
	cur      match
	usedEdge map[int32]int
	usedNode map[int32]int
	found    func(m *match) error
	work     int
}

// patternVar is a named or anonymous element.
type patternVar struct {
	elem  plan.PatternElem
	index int // in match.nodes or match.paths
}

// hop goes from one node variable over an edge variable to the next.
type hop struct {
	from, edge, to int // vars
}

// newMatcher numbers the variables of the patterns. Elements of equal name are the same variable.
func (x *run) newMatcher(g *graph, patterns []plan.Pattern, inner []plan.Col, cycles string) (*matcher, error) {
	m := &matcher{x: x, g: g, cycles: cycles, inner: layoutOf(inner), slot: map[string]int{}, usedEdge: map[int32]int{}, usedNode: map[int32]int{}}
	nodes, paths := 0, 0
	add := func(e plan.PatternElem) int {
		if at, ok := m.slot[e.Name]; ok && e.Name != "" {
			return at
		}
		v := patternVar{elem: e}
		if e.Edge {
			v.index = paths
			paths++
		} else {
			v.index = nodes
			nodes++
		}
		m.vars = append(m.vars, v)
		if e.Name != "" {
			m.slot[e.Name] = len(m.vars) - 1
		}
		return len(m.vars) - 1
	}
	for _, p := range patterns {
		if len(p)%2 == 0 {
			return nil, fmt.Errorf("BUG: a graph pattern has %d elements", len(p))
		}
		prev := add(p[0])
		for i := 1; i < len(p); i += 2 {
			e, to := add(p[i]), add(p[i+1])
			m.hops = append(m.hops, hop{prev, e, to})
			prev = to
		}
		if len(p) == 1 {
			m.hops = append(m.hops, hop{prev, -1, prev})
		}
	}
	m.cur = match{nodes: make([]int32, nodes), paths: make([]path, paths)}
	for i := range m.cur.nodes {
		m.cur.nodes[i] = -1
	}
	m.allowed = make([][]bool, nodes)
	return m, nil
}

// restrict uses the conjuncts of the condition that read one node variable only to narrow the search early. all says
// that nothing else is in the condition.
func (m *matcher) restrict(where plan.Expr) (all bool, err error) {
	if c, ok := where.(*plan.Call); ok && (c.Name == "And" || c.Name == "and") {
		all = true
		for _, a := range c.Args {
			one, err := m.restrict(a)
			if err != nil {
				return false, err
			}
			all = all && one
		}
		return all, nil
	}
	if where == nil || hasGraphVar(where) {
		return where == nil, nil
	}
	ids := map[plan.ColID]bool{}
	refs(where, func(id plan.ColID) { ids[id] = true })
	for _, v := range m.vars {
		if v.elem.Edge || len(ids) == 0 {
			continue
		}
		own := layoutOf(v.elem.Cols)
		mine := true
		for id := range ids {
			if _, ok := own[id]; !ok {
				mine = false
			}
		}
		if !mine {
			continue
		}
		keep, err := m.x.mask(where, v.elem.Cols, m.g.nodes)
		if err != nil {
			return false, err
		}
		if old := m.allowed[v.index]; old != nil {
			for i := range keep {
				keep[i] = keep[i] && old[i]
			}
		}
		m.allowed[v.index] = keep
		return true, nil
	}
	return false, nil
}

// hasGraphVar says whether e asks for a graph element itself, or calls a graph function.
func hasGraphVar(e plan.Expr) bool {
	switch e := e.(type) {
	case *plan.GraphVar:
		return true
	case *plan.Call:
		if graphFuncs[e.Name] {
			return true
		}
		for _, a := range e.Args {
			if hasGraphVar(a) {
				return true
			}
		}
	case *plan.InSub:
		return hasGraphVar(e.X)
	}
	return false
}

func (m *matcher) ok(v, node int) bool {
	a := m.allowed[m.vars[v].index]
	return a == nil || a[node]
}

// run calls found for each match.
func (m *matcher) run() error { return m.hop(0) }

func (m *matcher) step() error {
	if m.work++; m.work >= 1024 {
		m.work = 0
		return m.x.step(1024)
	}
	return nil
}

func (m *matcher) hop(k int) error {
	if k == len(m.hops) {
		return m.found(&m.cur)
	}
	h := m.hops[k]
	from := m.vars[h.from].index
	if at := m.cur.nodes[from]; at >= 0 {
		return m.leave(k, at)
	}
	for node := 0; node < m.g.nodes.n; node++ {
		if err := m.step(); err != nil {
			return err
		}
		if !m.ok(h.from, node) || !m.enter(int32(node)) {
			continue
		}
		m.cur.nodes[from] = int32(node)
		err := m.leave(k, int32(node))
		m.cur.nodes[from] = -1
		m.exit(int32(node))
		if err != nil {
			return err
		}
	}
	return nil
}

// enter takes a node into the match; false when cycles=none has it already.
func (m *matcher) enter(n int32) bool {
	if m.cycles == "none" && m.usedNode[n] > 0 {
		return false
	}
	m.usedNode[n]++
	return true
}

func (m *matcher) exit(n int32) { m.usedNode[n]-- }

// leave walks the edge of hop k from a node.
func (m *matcher) leave(k int, at int32) error {
	h := m.hops[k]
	if h.edge < 0 {
		return m.hop(k + 1)
	}
	e := m.vars[h.edge].elem
	lo, hi := e.Min, e.Max
	if !e.Variable {
		lo, hi = 1, 1
	}
	if hi < 0 {
		hi = len(m.g.from)
	}
	return m.walk(k, at, lo, hi, path{})
}

// walk extends the path of hop k, which has come to a node.
func (m *matcher) walk(k int, at int32, lo, hi int, p path) error {
	if err := m.step(); err != nil {
		return err
	}
	h := m.hops[k]
	if len(p.edges) >= lo {
		if err := m.arrive(k, at, p); err != nil {
			return err
		}
	}
	if len(p.edges) == hi {
		return nil
	}
	e := m.vars[h.edge].elem
	try := func(edge, next int32) error {
		if m.cycles != "all" && m.usedEdge[edge] > 0 {
			return nil
		}
		inner := p.inner
		if len(p.edges) > 0 {
			if !m.enter(at) {
				return nil
			}
			defer m.exit(at)
			inner = append(inner[:len(inner):len(inner)], at)
		}
		m.usedEdge[edge]++
		err := m.walk(k, next, lo, hi, path{append(p.edges[:len(p.edges):len(p.edges)], edge), inner})
		m.usedEdge[edge]--
		return err
	}
	if !e.Reverse || e.Undir {
		for _, edge := range m.g.outgoing[at] {
			if err := try(edge, m.g.to[edge]); err != nil {
				return err
			}
		}
	}
	if e.Reverse || e.Undir {
		for _, edge := range m.g.incoming[at] {
			if e.Undir && m.g.from[edge] == m.g.to[edge] {
				continue // a loop was taken as outgoing
			}
			if err := try(edge, m.g.from[edge]); err != nil {
				return err
			}
		}
	}
	return nil
}

// arrive ends the path of hop k at a node, where the next variable must stand.
func (m *matcher) arrive(k int, at int32, p path) error {
	h := m.hops[k]
	to, edge := m.vars[h.to].index, m.vars[h.edge].index
	was := m.cur.nodes[to]
	if was >= 0 && was != at {
		return nil
	}
	if was < 0 {
		if !m.ok(h.to, int(at)) || !m.enter(at) {
			return nil
		}
		m.cur.nodes[to] = at
		defer func() { m.cur.nodes[to] = -1; m.exit(at) }()
	}
	old := m.cur.paths[edge]
	if old.edges != nil && !sameEdges(old.edges, p.edges) {
		return nil
	}
	m.cur.paths[edge] = p
	err := m.hop(k + 1)
	m.cur.paths[edge] = old
	return err
}

func sameEdges(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// graphMatch finds all matches of the patterns and projects them.
func (x *run) graphMatch(n *plan.GraphMatch) (batches, error) {
	return func(yield func(*batch, error) bool) {
		g, done, err := x.graph(n.Input)
		if err != nil {
			yield(nil, err)
			return
		}
		defer done()
		m, err := x.newMatcher(g, n.Patterns, n.InnerNodes, n.Cycles)
		if err == nil {
			_, err = m.restrict(n.Where)
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
		m.found = out.add
		if err = m.run(); err == nil {
			err = out.flush()
		}
		if err != nil && !stopped {
			yield(nil, err)
		}
	}, nil
}

// matchOutput gathers matches, filters them by the condition and projects them in chunks.
type matchOutput struct {
	x     *run
	m     *matcher
	where plan.Expr
	items []plan.Item
	hand  func(*batch) bool
	got   []match
	// accept, when set, sees the matches that pass the condition instead of projecting them.
	accept func([]match) error
}

// errStop ends a search whose rows nobody wants any more.
var errStop = fmt.Errorf("stop")

func (x *run) newMatchOutput(m *matcher, where plan.Expr, items []plan.Item, hand func(*batch) bool) *matchOutput {
	return &matchOutput{x: x, m: m, where: where, items: items, hand: hand}
}

func (o *matchOutput) add(m *match) error {
	c := match{nodes: append([]int32(nil), m.nodes...), paths: append([]path(nil), m.paths...)}
	o.got = append(o.got, c)
	if len(o.got) >= chunk/4 {
		return o.flush()
	}
	return nil
}

func (o *matchOutput) flush() error {
	got := o.got
	o.got = nil
	if len(got) == 0 {
		return nil
	}
	if o.where != nil {
		f := &matchFrame{x: o.x, m: o.m, got: got}
		v, err := f.eval(o.where)
		if err != nil {
			return err
		}
		kept := got[:0:0]
		for i := range got {
			if !v.IsNull(i) && v.I[v.Idx(i)] != 0 {
				kept = append(kept, got[i])
			}
		}
		if got = kept; len(got) == 0 {
			return nil
		}
	}
	if o.accept != nil {
		return o.accept(got)
	}
	return o.project(got)
}

func (o *matchOutput) project(got []match) error {
	f := &matchFrame{x: o.x, m: o.m, got: got}
	b := &batch{n: len(got), vecs: make([]*value.Vector, len(o.items))}
	for i, it := range o.items {
		v, err := f.eval(it.Expr)
		if err != nil {
			return err
		}
		b.vecs[i] = v
	}
	if !o.hand(b) {
		return errStop
	}
	return nil
}
