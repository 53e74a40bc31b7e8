package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// graphFuncs are the functions that look at graph elements rather than at values.
var graphFuncs = map[string]bool{
	"all": true, "any": true, "map": true, "inner_nodes": true, "labels": true,
	"node_id": true, "node_degree_in": true, "node_degree_out": true,
}

// matchFrame evaluates expressions over a list of matches.
type matchFrame struct {
	x   *run
	m   *matcher
	got []match
	// While the argument of all(), any() or map() is evaluated: the elements it runs over, one a row, and the match of
	// each row.
	elems []int32
	edges bool
	owner []int32
	cols  []plan.Col // ids of the element's properties
}

// rows is the number of rows that expressions are evaluated for.
func (f *matchFrame) rows() int {
	if f.owner != nil || f.elems != nil {
		return len(f.elems)
	}
	return len(f.got)
}

// matchOf gives the match of row i.
func (f *matchFrame) matchOf(i int) *match {
	if f.owner != nil {
		return &f.got[f.owner[i]]
	}
	return &f.got[i]
}

// eval evaluates e for each row: graph functions first, then the rest as an ordinary expression over the columns it reads.
func (f *matchFrame) eval(e plan.Expr) (*value.Vector, error) {
	b := &batch{n: f.rows()}
	l := layout{}
	next := plan.ColID(-1)
	rewritten, err := f.rewrite(e, b, l, &next)
	if err != nil {
		return nil, err
	}
	var missing error
	refs(rewritten, func(id plan.ColID) {
		if _, ok := l[id]; ok || missing != nil {
			return
		}
		v, err := f.column(id)
		if err != nil {
			missing = err
			return
		}
		l[id] = len(b.vecs)
		b.vecs = append(b.vecs, v)
	})
	if missing != nil {
		return nil, missing
	}
	c, err := f.x.compile(rewritten, l)
	if err != nil {
		return nil, err
	}
	return c.eval(b)
}

// rewrite replaces calls of graph functions by columns with their results.
func (f *matchFrame) rewrite(e plan.Expr, b *batch, l layout, next *plan.ColID) (plan.Expr, error) {
	switch e := e.(type) {
	case *plan.Call:
		if graphFuncs[e.Name] && (len(e.Args) == 0 || isElement(e.Args[0])) {
			v, err := f.call(e)
			if err != nil {
				return nil, err
			}
			if v.Type != e.T {
				c, ok := convertVector(v, e.T)
				if !ok {
					return nil, fmt.Errorf("BUG: %s() gave %s, not %s", e.Name, v.Type, e.T)
				}
				v = c
			}
			id := *next
			*next--
			l[id] = len(b.vecs)
			b.vecs = append(b.vecs, v)
			return &plan.ColRef{ID: id, Name: e.Name, T: e.T, At: e.At}, nil
		}
		c := *e
		c.Args = make([]plan.Expr, len(e.Args))
		for i, a := range e.Args {
			r, err := f.rewrite(a, b, l, next)
			if err != nil {
				return nil, err
			}
			c.Args[i] = r
		}
		return &c, nil
	case *plan.InSub:
		c := *e
		r, err := f.rewrite(e.X, b, l, next)
		if err != nil {
			return nil, err
		}
		c.X = r
		return &c, nil
	case *plan.GraphVar:
		return f.whole(e, b, l, next)
	}
	return e, nil
}

// isElement says whether e names a graph element: a variable, or the inner nodes of one.
func isElement(e plan.Expr) bool {
	switch e := e.(type) {
	case *plan.GraphVar:
		return true
	case *plan.Call:
		return e.Name == "inner_nodes"
	}
	return false
}

// whole gives a graph element itself as a bag of its properties (an array of bags for a path).
func (f *matchFrame) whole(e *plan.GraphVar, b *batch, l layout, next *plan.ColID) (plan.Expr, error) {
	at, ok := f.m.slot[e.Name]
	if !ok {
		return nil, invalid(e.At, "the pattern has no variable %s", e.Name)
	}
	pv := f.m.vars[at]
	out := value.New(value.Dynamic, f.rows())
	for i := range out.D {
		m := f.matchOf(i)
		switch {
		case !pv.elem.Edge:
			out.D[i] = rowBag(f.m.g.nodeCols, f.m.g.nodes, m.nodes[pv.index])
		case pv.elem.Variable:
			var list []any
			for _, edge := range m.paths[pv.index].edges {
				list = append(list, rowBag(f.m.g.edgeCols, f.m.g.edges, edge))
			}
			out.D[i] = list
		default:
			out.D[i] = rowBag(f.m.g.edgeCols, f.m.g.edges, m.paths[pv.index].edges[0])
		}
	}
	id := *next
	*next--
	l[id] = len(b.vecs)
	b.vecs = append(b.vecs, out)
	return &plan.ColRef{ID: id, Name: e.Name, T: value.Dynamic, At: e.At}, nil
}

func rowBag(cols []plan.Col, b *batch, row int32) *value.Bag {
	out := value.NewBag()
	for c, col := range cols {
		out.Set(col.Name, value.Elem(b.vecs[c], int(row)))
	}
	return out
}

// column gathers the property with an id: of the element at hand, of a variable, of a path as arrays.
func (f *matchFrame) column(id plan.ColID) (*value.Vector, error) {
	g := f.m.g
	if f.elems != nil || f.owner != nil {
		part := g.nodes
		at, ok := f.m.inner[id]
		if f.edges || !ok {
			at, ok = layoutOf(f.cols)[id]
		}
		if f.edges {
			part = g.edges
		}
		if ok && at < len(part.vecs) {
			return value.Gather(part.vecs[at], f.elems), nil
		}
	}
	for _, pv := range f.m.vars {
		at, ok := layoutOf(pv.elem.Cols)[id]
		if !ok {
			continue
		}
		n := f.rows()
		rows := make([]int32, n)
		if !pv.elem.Edge {
			for i := range rows {
				rows[i] = f.matchOf(i).nodes[pv.index]
			}
			return value.Gather(g.nodes.vecs[at], rows), nil
		}
		if !pv.elem.Variable {
			for i := range rows {
				rows[i] = f.matchOf(i).paths[pv.index].edges[0]
			}
			return value.Gather(g.edges.vecs[at], rows), nil
		}
		out := value.New(value.Dynamic, n)
		for i := range rows {
			list := []any{}
			for _, e := range f.matchOf(i).paths[pv.index].edges {
				list = append(list, value.Elem(g.edges.vecs[at], int(e)))
			}
			out.D[i] = list
		}
		return out, nil
	}
	return nil, fmt.Errorf("BUG: a graph expression reads column %d, which no element has", id)
}

// elements lists the nodes or edges that a first argument stands for: of each row, in order.
func (f *matchFrame) elements(arg plan.Expr) (elems, owner []int32, edges bool, cols []plan.Col, err error) {
	inner := false
	if c, ok := arg.(*plan.Call); ok && c.Name == "inner_nodes" && len(c.Args) == 1 {
		inner, arg = true, c.Args[0]
	}
	v, ok := arg.(*plan.GraphVar)
	if !ok {
		return nil, nil, false, nil, invalid(arg.Pos(), "a variable of the graph pattern is expected")
	}
	at, ok := f.m.slot[v.Name]
	if !ok {
		return nil, nil, false, nil, invalid(v.At, "the pattern has no variable %s", v.Name)
	}
	pv := f.m.vars[at]
	elems, owner = []int32{}, []int32{}
	for i := 0; i < f.rows(); i++ {
		m := f.matchOf(i)
		var list []int32
		switch {
		case !pv.elem.Edge:
			list = []int32{m.nodes[pv.index]}
		case inner:
			list = m.paths[pv.index].inner
		default:
			list = m.paths[pv.index].edges
		}
		for _, e := range list {
			elems, owner = append(elems, e), append(owner, int32(i))
		}
	}
	return elems, owner, pv.elem.Edge && !inner, pv.elem.Cols, nil
}

// call evaluates a graph function.
func (f *matchFrame) call(e *plan.Call) (*value.Vector, error) {
	switch e.Name {
	case "all", "any", "map":
		return f.over(e)
	case "inner_nodes":
		elems, owner, _, _, err := f.elements(e)
		if err != nil {
			return nil, err
		}
		lists := make([][]any, f.rows())
		for k, n := range elems {
			lists[owner[k]] = append(lists[owner[k]], rowBag(f.m.g.nodeCols, f.m.g.nodes, n))
		}
		return listVector(lists), nil
	case "labels":
		return nil, notSupported(e.At, "labels() needs a graph model; graphs of make-graph have no labels")
	}
	// node_id, node_degree_in, node_degree_out of the element at hand or of a node variable.
	nodes := f.elems
	if len(e.Args) > 0 {
		elems, owner, edges, _, err := f.elements(e.Args[0])
		if err != nil {
			return nil, err
		}
		if edges || len(elems) != f.rows() || len(owner) != f.rows() {
			return nil, invalid(e.At, "%s() wants a node", e.Name)
		}
		nodes = elems
	} else if f.owner == nil || f.edges {
		return nil, invalid(e.At, "%s() without an argument stands only inside all(), any() or map() over inner_nodes()", e.Name)
	}
	g := f.m.g
	if e.Name == "node_id" {
		keys := value.Gather(g.keys, nodes)
		out := value.New(value.String, len(nodes))
		for i := range nodes {
			out.S[i] = value.Text(keys, i)
		}
		return out, nil
	}
	out := value.New(value.Long, len(nodes))
	for i, n := range nodes {
		if e.Name == "node_degree_in" {
			out.I[i] = int64(len(g.incoming[n]))
		} else {
			out.I[i] = int64(len(g.outgoing[n]))
		}
	}
	return out, nil
}

func listVector(lists [][]any) *value.Vector {
	out := value.New(value.Dynamic, len(lists))
	for i, l := range lists {
		if l == nil {
			l = []any{}
		}
		out.D[i] = l
	}
	return out
}

// over evaluates all(), any() and map(): the argument for each edge or inner node of a path, then together.
func (f *matchFrame) over(e *plan.Call) (*value.Vector, error) {
	if len(e.Args) != 2 {
		return nil, invalid(e.At, "%s() wants a variable and an expression", e.Name)
	}
	elems, owner, edges, cols, err := f.elements(e.Args[0])
	if err != nil {
		return nil, err
	}
	top := owner
	if f.owner != nil { // nested: rows of this frame, not matches
		top = make([]int32, len(owner))
		for k, o := range owner {
			top[k] = f.owner[o]
		}
	}
	in := &matchFrame{x: f.x, m: f.m, got: f.got, elems: elems, owner: top, edges: edges, cols: cols}
	v, err := in.eval(e.Args[1])
	if err != nil {
		return nil, err
	}
	if e.Name == "map" {
		lists := make([][]any, f.rows())
		for k, o := range owner {
			lists[o] = append(lists[o], value.Elem(v, k))
		}
		return listVector(lists), nil
	}
	out := value.New(value.Bool, f.rows())
	if e.Name == "all" {
		for i := range out.I {
			out.I[i] = 1
		}
	}
	for k, o := range owner {
		yes := !v.IsNull(k) && v.I[v.Idx(k)] != 0
		switch {
		case e.Name == "all" && !yes:
			out.I[o] = 0
		case e.Name == "any" && yes:
			out.I[o] = 1
		}
	}
	return out, nil
}
