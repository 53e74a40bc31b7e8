package syntax

func (p *parser) makeGraphOp(s int) Operator {
	x := &MakeGraphOp{Params: p.params(&makeGraphParams, true)}
	x.Source = p.needRef("the source column")
	switch {
	case p.acceptText("-->"):
		x.Directed = true
	case p.acceptText("--"):
	default:
		p.missing("--> or --", "")
	}
	x.Target = p.needRef("the target column")
	switch {
	case p.accept("with_node_id"):
		p.need("=")
		x.WithNodeID = p.needName(false, "a name")
	case p.accept("with"):
		p.commaList(listOpt{need: true, what: "a node table", end: func(p *parser) bool { return p.is("partitioned-by") }}, func() bool {
			start := p.start()
			t := p.unary()
			if t == nil {
				return false
			}
			n := &GraphNodeTable{Table: t}
			p.need("on")
			n.On = p.needRef("the key column")
			n.Span = p.from(start)
			x.Nodes = append(x.Nodes, n)
			return true
		})
	}
	if p.accept("partitioned-by") {
		if x.PartitionedBy = p.entityPath(false, false); x.PartitionedBy == nil {
			x.PartitionedBy = p.needRef("a column")
		}
		if p.need("(") {
			x.Sub = p.subPipe()
			p.close(")")
		} else {
			x.Sub = p.bad()
		}
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) graphMatchOp(s int, shortest bool) Operator {
	x := &GraphMatchOp{Shortest: shortest}
	if shortest {
		x.Params = p.params(&pathsParams, true)
	} else {
		x.Params = p.params(&matchParams, true)
	}
	p.commaList(listOpt{need: true, what: "a graph pattern"}, func() bool {
		g := p.graphPattern()
		if g != nil {
			x.Patterns = append(x.Patterns, g)
		}
		return g != nil
	})
	if p.accept("where") {
		x.Where = p.needExpr(p.expr())
	}
	if p.accept("project") {
		x.Project = p.exprs(listOpt{need: true})
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) graphPattern() *GraphPattern {
	start := p.start()
	g := &GraphPattern{}
	for {
		it := p.graphItem()
		if it == nil {
			break
		}
		g.Items = append(g.Items, it)
	}
	if len(g.Items) == 0 {
		return nil
	}
	g.Span = p.from(start)
	return g
}

func (p *parser) graphItem() GraphItem {
	start := p.start()
	if p.accept("(") {
		n := &GraphNode{Name: p.name(false)}
		p.close(")")
		n.Span = p.from(start)
		return n
	}
	e := &GraphEdge{Bare: true}
	switch {
	case p.acceptText("-->"):
		e.Dir = EdgeOut
	case p.acceptText("<--"):
		e.Dir = EdgeIn
	case p.acceptText("--"):
		e.Dir = EdgeAny
	case p.acceptText("-["):
		e.Bare = false
		p.graphEdge(e, false)
	case p.acceptText("<-["):
		e.Bare = false
		p.graphEdge(e, true)
	default:
		return nil
	}
	e.Span = p.from(start)
	return e
}

// graphEdge parses what stands in and behind the bracket of an edge. left says that it began with an arrow.
func (p *parser) graphEdge(e *GraphEdge, left bool) {
	e.Name = p.name(false)
	if p.accept("*") {
		e.Min = p.needExpr(p.unary())
		p.need("..")
		e.Max = p.needExpr(p.unary())
	}
	right := false
	switch {
	case p.acceptText("]->"):
		right = true
	case p.acceptText("]-"):
	default:
		p.missing("]-> or ]-", "")
	}
	switch {
	case left && right:
		e.Dir = EdgeBoth
	case left:
		e.Dir = EdgeIn
	case right:
		e.Dir = EdgeOut
	default:
		e.Dir = EdgeAny
	}
}

func (p *parser) graphToTableOp(s int) Operator {
	x := &GraphToTableOp{}
	p.commaList(listOpt{need: true, what: "nodes or edges"}, func() bool {
		start := p.start()
		o := &GraphOutput{}
		set := &nodesParams
		switch {
		case p.accept("nodes"):
		case p.accept("edges"):
			o.Edges = true
			set = &edgesParams
		default:
			return false
		}
		if p.accept("as") {
			o.As = p.needName(false, "a name")
		}
		o.Params = p.params(set, true)
		o.Span = p.from(start)
		x.Outputs = append(x.Outputs, o)
		return true
	})
	x.Span = p.from(s)
	return x
}
