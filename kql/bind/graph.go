package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// graph is a graph value: the columns of its nodes and edges.
type graph struct {
	node         plan.Graph
	nodes, edges []*column
	hasNodes     bool
	open         bool // edges may have columns that aren't known
	openNodes    bool // nodes may
}

func (b *binder) makeGraphOp(x *syntax.PipeExpr, in *table, op *syntax.MakeGraphOp) operand {
	endpoint := func(n *syntax.NameRef) operand {
		o := b.expr(n)
		b.wantColumn(&o, n)
		if t := o.typ(); o.kind == opErr || !t.plain() && !t.isUnknown() {
			b.fail(n.Span, "SEM0240", "node ids can't be dynamic; convert them with tostring()")
		}
		return o
	}
	src := endpoint(op.Source)
	dst := endpoint(op.Target)
	g := &graph{edges: in.cols, open: in.open}
	node := &plan.MakeGraph{Input: b.solid(in), Source: refOf(&src), Target: refOf(&dst)}
	switch {
	case len(op.Nodes) > 0:
		var tabs []*table
		for _, t := range op.Nodes {
			var tab *table
			b.outside(func() { tab = b.tableExpr(t.Table) })
			var key operand
			b.inRow(tab, func() { key = b.expr(t.On) })
			if kt := key.typ(); key.kind == opErr || !kt.plain() && !kt.isUnknown() {
				b.fail(t.On.Span, "SEM0240", "node ids can't be dynamic; convert them with tostring()")
			}
			node.NodeTables = append(node.NodeTables, plan.GraphNodes{Node: b.solid(tab), Key: refOf(&key)})
			tabs = append(tabs, tab)
			g.openNodes = g.openNodes || tab.open
		}
		g.hasNodes = true
		if len(tabs) == 1 {
			for _, c := range tabs[0].cols {
				g.nodes = append(g.nodes, b.newCol(c.Name, c.t))
				node.NodeTables[0].Map = append(node.NodeTables[0].Map, c.ID)
			}
		} else {
			g.nodes = b.uniteNodes(tabs, node.NodeTables)
		}
	case op.WithNodeID != nil:
		c := b.newCol(op.WithNodeID.Text, src.typ())
		node.NodeID = c.Col
		g.nodes, g.hasNodes = []*column{c}, true
	}
	node.Nodes = planCols(g.nodes)
	g.node = node
	out := operand{kind: opGraph, src: x, graph: g}
	if op.Sub != nil {
		e := b.expr(op.PartitionedBy)
		b.wantColumn(&e, op.PartitionedBy)
		if !b.opt.Editor {
			b.fail(op.PartitionedBy.Range(), syntax.CodeNotSupported, "partitioned-by is not supported in make-graph")
		}
		var sub operand
		b.withPiped(out, func() { sub = b.expr(op.Sub) })
		return sub
	}
	return out
}

// uniteNodes gives the columns of all node tables, one a name: a column whose type differs between the tables is
// dynamic.
func (b *binder) uniteNodes(tabs []*table, nodes []plan.GraphNodes) []*column {
	var out []*column
	at := map[string]*column{}
	for _, t := range tabs {
		for _, c := range t.cols {
			u := at[c.Name]
			switch {
			case u == nil:
				u = b.newCol(c.Name, c.t)
				at[c.Name] = u
				out = append(out, u)
			case u.Type != c.Type:
				u.t, u.Type = tDynamic, value.Dynamic
			case !u.t.same(c.t):
				u.t = typ{v: c.Type}
			}
		}
	}
	for i, t := range tabs {
		items := make([]plan.Item, 0, len(t.cols)+len(out))
		for _, c := range t.cols {
			items = append(items, plan.Item{Col: c.Col, Expr: b.ref(c, plan.Span{})})
		}
		for _, u := range out {
			id := plan.ColID(0)
			if c := t.find(u.Name); c != nil {
				id = c.ID
				if c.Type != u.Type {
					n := b.newCol(u.Name, u.t)
					items = append(items, plan.Item{Col: n.Col, Expr: b.coerce(b.ref(c, plan.Span{}), c.t, u.Type)})
					id = n.ID
				}
			}
			nodes[i].Map = append(nodes[i].Map, id)
		}
		if len(items) > len(t.cols) {
			nodes[i].Node = &plan.Project{Input: nodes[i].Node, Items: items}
		}
	}
	return out
}

func refOf(o *operand) plan.ColRef {
	if r, ok := o.e.(*plan.ColRef); ok {
		return *r
	}
	return plan.ColRef{T: value.Unknown}
}

// asGraph gives the input of a graph operator.
func (b *binder) asGraph(in operand, op syntax.Operator) *graph {
	if in.kind == opGraph {
		return in.graph
	}
	if in.kind != opErr {
		b.fail(b.keyword(op), "SEM0219", "the operator needs a graph; put make-graph before it")
	}
	g := &graph{node: &plan.GraphPersisted{Name: nullExpr()}, open: true, openNodes: true}
	if in.kind == opTable {
		g.edges = in.tab.cols
		g.open = in.tab.open
	}
	return g
}

func (b *binder) graphMark(x *syntax.PipeExpr, in operand, op *syntax.GraphMarkComponentsOp) operand {
	b.queryParams(op.Params, paramsMark)
	g := b.softGraph(in)
	name := "ComponentId"
	if p := param(op.Params, "with_component_id"); p != nil {
		name, _ = paramWord(p)
	}
	kind := word(op.Params, "kind")
	if kind == "" {
		kind = "weak"
	}
	c := b.newCol(name, tLong)
	n := *g
	n.nodes = append(g.nodes[:len(g.nodes):len(g.nodes)], c)
	n.hasNodes = true
	n.node = &plan.GraphMarkComponents{Input: g.node, Kind: kind, Col: c.Col}
	return operand{kind: opGraph, src: x, graph: &n}
}

// softGraph is asGraph for the operators that the service's binder lets stand after a table too.
func (b *binder) softGraph(in operand) *graph {
	if in.kind == opGraph {
		return in.graph
	}
	g := &graph{node: &plan.GraphPersisted{Name: nullExpr()}, open: true, openNodes: true}
	if in.kind == opTable {
		g.edges = in.tab.cols
		b.fail(in.src.Range(), "SEM0219", "the operator needs a graph; put make-graph before it")
	}
	return g
}

func (b *binder) graphWhere(x *syntax.PipeExpr, in operand, op *syntax.GraphWhereOp) operand {
	g := b.asGraph(in, op)
	cols, open := g.nodes, g.openNodes
	if op.Edges {
		cols, open = g.edges, g.open
	}
	var pred plan.Expr
	old := b.inGraph
	b.inGraph = true
	b.inRow(&table{cols: cols, open: open}, func() { pred = b.boolExpr(op.Pred) })
	b.inGraph = old
	n := *g
	if op.Edges {
		n.node = &plan.GraphWhereEdges{Input: g.node, Pred: pred}
	} else {
		n.node = &plan.GraphWhereNodes{Input: g.node, Pred: pred}
	}
	return operand{kind: opGraph, src: x, graph: &n}
}

func (b *binder) graphToTable(x *syntax.PipeExpr, in operand, op *syntax.GraphToTableOp) operand {
	g := b.asGraph(in, op)
	if len(op.Outputs) == 0 || len(op.Outputs) > 2 {
		b.fail(op.Span, "SEM0230", "graph-to-table gives one or two tables: nodes, edges")
		return errAt(x)
	}
	if len(op.Outputs) == 2 {
		if op.Outputs[0].Edges == op.Outputs[1].Edges {
			b.fail(op.Outputs[0].Span, "SEM0229", "one of the two must be nodes, the other edges")
			return errAt(x)
		}
		for _, o := range op.Outputs {
			if o.As == nil {
				b.fail(o.Span, "SEM0273", "two outputs need names: nodes as N, edges as E")
			}
		}
	}
	out := operand{kind: opGroup, src: x}
	for _, o := range op.Outputs {
		n := &plan.GraphToTable{Input: g.node, Edges: o.Edges}
		var cols []*column
		id := func(name string, to *plan.Col) {
			if p := param(o.Params, name); p != nil {
				w, _ := paramWord(p)
				c := b.newCol(w, tLong)
				*to = c.Col
				cols = append(cols, c)
			}
		}
		src := g.nodes
		if o.Edges {
			src = g.edges
			id("with_source_id", &n.SourceCol)
			id("with_target_id", &n.TargetCol)
		} else {
			id("with_node_id", &n.IDCol)
			if !g.hasNodes && in.kind == opGraph {
				src = g.nodes
			}
		}
		for _, c := range src {
			cols = append(cols, b.newCol(c.Name, c.t))
		}
		n.Out = planCols(cols)
		t := &table{cols: cols, node: n, open: false}
		if o.As != nil {
			t.name = o.As.Text
			if len(op.Outputs) == 2 {
				b.local.add(&symbol{name: t.name, op: operand{kind: opTable, tab: t}, sh: b.share(t, t.name, false)})
			}
		}
		out.tabs = append(out.tabs, t)
	}
	if len(out.tabs) == 1 {
		return tableOp(x, out.tabs[0])
	}
	return out
}

// patternVar is a named node or edge of a pattern.
type patternVar struct {
	name     string
	edge     bool
	variable bool
	cols     []*column
}

func (b *binder) graphMatch(x *syntax.PipeExpr, in operand, op *syntax.GraphMatchOp) operand {
	specs := paramsMatch
	if op.Shortest {
		specs = paramsShortest
	}
	b.queryParams(op.Params, specs)
	g := b.asGraph(in, op)
	vars := map[string]*patternVar{}
	var pats []plan.Pattern
	for _, p := range op.Patterns {
		pats = append(pats, b.pattern(g, p, vars))
	}
	var where plan.Expr
	proj := b.newProjection()
	row, search, inGraph, gv := b.row, b.search, b.inGraph, b.graphVars
	b.row, b.inGraph, b.graphVars = nil, true, vars
	inner := b.innerNodes
	b.innerNodes = &table{open: g.openNodes}
	for _, c := range g.nodes {
		b.innerNodes.cols = append(b.innerNodes.cols, b.newCol(c.Name, c.t))
	}
	b.inner(func() {
		for _, p := range op.Patterns {
			for _, it := range p.Items {
				if v := vars[itemName(it)]; v != nil {
					b.local.add(&symbol{name: v.name, op: b.patternTuple(v, g)})
				}
			}
		}
		if op.Where != nil {
			where = b.boolExpr(op.Where)
		}
		for _, e := range op.Project {
			o := b.item(e)
			var as *typ
			if b.usesVariableEdge(e, vars) {
				t := arrayOf(o.typ())
				as = &t
			}
			b.projectMatch(proj, e, o, as)
		}
	})
	b.row, b.search, b.inGraph, b.graphVars = row, search, inGraph, gv
	innerCols := planCols(b.innerNodes.cols)
	b.innerNodes = inner
	var node plan.Node
	items := b.distinctIDs(proj)
	if op.Shortest {
		node = &plan.GraphShortestPaths{Input: g.node, OutputAll: word(op.Params, "output") == "all", Patterns: pats, InnerNodes: innerCols, Where: where, Items: items}
	} else {
		node = &plan.GraphMatch{Input: g.node, Cycles: word(op.Params, "cycles"), Patterns: pats, InnerNodes: innerCols, Where: where, Items: items}
	}
	if len(op.Project) == 0 {
		// without project the service's binder hands the graph on
		return operand{kind: opGraph, src: x, graph: g}
	}
	return tableOp(x, &table{cols: proj.cols, node: node})
}

func itemName(it syntax.GraphItem) string {
	switch it := it.(type) {
	case *syntax.GraphNode:
		if it.Name != nil {
			return it.Name.Text
		}
	case *syntax.GraphEdge:
		if it.Name != nil {
			return it.Name.Text
		}
	}
	return ""
}

// pattern makes one path; elements of one name share their columns.
func (b *binder) pattern(g *graph, p *syntax.GraphPattern, vars map[string]*patternVar) plan.Pattern {
	var out plan.Pattern
	for i, it := range p.Items {
		e := plan.PatternElem{Name: itemName(it), Min: 1, Max: 1}
		src := g.nodes
		if ge, ok := it.(*syntax.GraphEdge); ok {
			e.Edge = true
			e.Reverse = ge.Dir == syntax.EdgeIn
			e.Undir = ge.Dir == syntax.EdgeAny
			src = g.edges
			if ge.Min != nil || ge.Max != nil {
				e.Variable = true
				e.Min, e.Max = b.edgeBound(ge.Min, 1), b.edgeBound(ge.Max, -1)
			}
		}
		if (i%2 == 1) != e.Edge {
			want := "node"
			if i%2 == 1 {
				want = "edge"
			}
			b.fail(it.Range(), "SEM0239", "a graph %s is expected here", want)
		}
		v := vars[e.Name]
		if v == nil {
			v = &patternVar{name: e.Name, edge: e.Edge, variable: e.Variable}
			for _, c := range src {
				v.cols = append(v.cols, b.newCol(c.Name, c.t))
			}
			if e.Name != "" {
				vars[e.Name] = v
			}
		}
		e.Cols = planCols(v.cols)
		out = append(out, e)
	}
	if n := len(out); n == 0 {
		b.fail(p.Span, "SEM0238", "the pattern has no elements")
	} else if out[n-1].Edge {
		b.fail(p.Items[n-1].Range(), "SEM0238", "the pattern must end with a node")
	}
	return out
}

func (b *binder) edgeBound(x syntax.Expr, def int) int {
	if x == nil {
		return def
	}
	op := b.scalarExpr(x)
	if v := constValue(op.expr()); v != nil && (v.Type == value.Long || v.Type == value.Int) {
		return int(v.I)
	}
	if op.kind != opErr && !(b.checking > 0 && op.isConst) { // a parameter has its value when the function is called
		b.fail(x.Range(), "SEM0221", "an integer literal is expected here")
	}
	return def
}

// patternTuple is a pattern variable as a value with properties.
func (b *binder) patternTuple(v *patternVar, g *graph) operand {
	op := operand{kind: opTuple, member: v.name, e: &plan.GraphVar{Name: v.name}}
	op.rel = &table{cols: v.cols, open: g.openNodes}
	if v.edge {
		op.rel.open = g.open
	}
	for _, c := range v.cols {
		op.tuple = append(op.tuple, tupleCol{name: c.Name, t: c.t, e: plan.Ref(c.Col), col: c, id: c})
	}
	return op
}

// elementArgs binds all(e, expr), any(e, expr), map(e, expr): the expression sees the element's properties.
func (b *binder) elementArgs(x *syntax.Call) []arg {
	var out []arg
	for i, a := range x.Args {
		if i == 0 {
			out = append(out, b.oneArg(a))
			continue
		}
		row := &table{}
		e := out[0]
		switch {
		case e.kind == opTuple:
			for _, v := range e.tuple {
				row.cols = append(row.cols, v.id)
			}
			row.open = e.rel != nil && e.rel.open
		case e.kind == opScalar && b.graphVars != nil:
			if c, ok := e.e.(*plan.Call); ok && c.Name == "inner_nodes" {
				row = b.innerNodes
			}
		}
		b.inRow(row, func() { out = append(out, b.oneArg(a)) })
	}
	return out
}

// usesVariableEdge: expressions over edges of variable length give arrays.
func (b *binder) usesVariableEdge(x syntax.Expr, vars map[string]*patternVar) bool {
	found := false
	syntax.Walk(x, func(n syntax.Node) bool {
		if r, ok := n.(*syntax.NameRef); ok {
			if v := vars[r.Name]; v != nil && v.variable {
				found = true
			}
		}
		return true
	})
	return found
}

// projectMatch adds a column of graph-match's project: n.prop is named n_prop.
func (b *binder) projectMatch(p *projection, x syntax.Expr, op operand, as *typ) {
	if _, ok := x.(*syntax.NamedExpr); ok {
		if op.kind == opTuple && op.member != "" {
			op = operand{kind: opScalar, t: tDynamic, e: op.e}
		}
		op.col = nil
		p.project(x, op, styleGraph, false, as, "")
		return
	}
	if op.kind == opTuple && op.member != "" {
		c := b.newCol(op.member, tDynamic)
		p.add(c, op.e, "", false, false)
		return
	}
	p.project(x, op, styleGraph, false, as, "")
}

// graphName names an expression of graph-match: the element's name and the property's.
func (b *binder) graphName(x syntax.Expr) string {
	x = unparen(x)
	var left, sel syntax.Expr
	switch p := x.(type) {
	case *syntax.PathExpr:
		left, sel = p.X, p.Member
	case *syntax.IndexExpr:
		left = p.X
		n, _ := indexName(p.Index)
		sel = &syntax.NameRef{Name: n}
	default:
		n, ok := b.resultName(x)
		if !ok {
			return b.defaultName(false)
		}
		return n
	}
	var l string
	switch left.(type) {
	case *syntax.PathExpr, *syntax.IndexExpr:
		l = b.graphName(left)
	default:
		l, _ = b.resultName(left)
	}
	r, _ := b.resultName(sel)
	if strings.TrimSpace(l) == "" {
		return r
	}
	return l + "_" + r
}
