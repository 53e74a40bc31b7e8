package syntax

// items writes ` a, b`, or nothing for an empty list.
func (p *printer) items(xs []Expr) {
	if len(xs) > 0 {
		p.str(" ")
		p.list(xs)
	}
}

// part writes ` word x` when x is there.
func (p *printer) part(word string, x Expr) {
	if x != nil {
		p.str(" ", word, " ")
		p.expr(x)
	}
}

func (p *printer) asName(n *Name) {
	if n != nil {
		p.str(" as ")
		p.name(n)
	}
}

func (p *printer) operator(op Operator) {
	switch o := op.(type) {
	case *AsOp:
		p.str("as")
		p.params(o.Params)
		p.str(" ")
		p.name(o.Name)
	case *AssertSchemaOp:
		p.str("assert-schema ")
		p.schema(o.Schema)
	case *ConsumeOp:
		p.str("consume")
		p.params(o.Params)
	case *CountOp:
		p.str("count")
		p.asName(o.As)
	case *DistinctOp:
		p.str("distinct")
		p.params(o.Params)
		p.items(o.Items)
	case *EvaluateOp:
		p.str("evaluate")
		p.params(o.Params)
		p.str(" ")
		p.call(o.Call)
		if o.Schema != nil {
			p.str(" : ")
			p.schema(o.Schema)
		}
	case *ExecuteAndCacheOp:
		p.str("__executeAndCache")
	case *ExtendOp:
		p.str("extend")
		p.items(o.Items)
	case *FacetOp:
		p.str("facet by")
		p.items(o.By)
		if o.With != nil && o.WithParen {
			p.block(" with (", o.With, ")")
		} else if o.With != nil {
			p.part("with", o.With)
		}
	case *FindOp:
		p.find(o)
	case *ForkOp:
		p.str("fork")
		p.indent++
		for _, b := range o.Branches {
			p.nl()
			p.flush(b.Start)
			if b.Name != nil {
				p.name(b.Name)
				p.str(" = ")
			}
			p.block("(", b.X, ")")
		}
		p.indent--
	case *GetSchemaOp:
		p.str("getschema")
		if o.Kind != nil {
			p.params([]*Param{o.Kind})
		}
	case *GraphMarkComponentsOp:
		p.str("graph-mark-components")
		p.params(o.Params)
	case *GraphMatchOp:
		p.graphMatch(o)
	case *GraphToTableOp:
		p.str("graph-to-table")
		for i, t := range o.Outputs {
			if i > 0 {
				p.str(",")
			}
			p.str(" ", [...]string{"nodes", "edges"}[b2i(t.Edges)])
			p.asName(t.As)
			p.params(t.Params)
		}
	case *GraphWhereOp:
		p.str([...]string{"graph-where-nodes ", "graph-where-edges "}[b2i(o.Edges)])
		p.expr(o.Pred)
	case *InvokeOp:
		p.str("invoke ")
		p.expr(o.Call)
	case *JoinOp:
		p.str("join")
		p.params(o.Params)
		p.str(" ")
		p.expr(o.Right)
		if len(o.On) > 0 {
			p.str(" on ")
			p.list(o.On)
		}
		p.part("where", o.Where)
	case *LookupOp:
		p.str("lookup")
		p.params(o.Params)
		p.str(" ")
		p.expr(o.Right)
		if len(o.On) > 0 {
			p.str(" on ")
			p.list(o.On)
		}
	case *MacroExpandOp:
		p.str("macro-expand")
		p.params(o.Params)
		p.str(" ")
		p.expr(o.Group)
		p.asName(o.As)
		p.str(" (")
		p.indent++
		for i, s := range o.Statements {
			if i > 0 {
				p.str(";")
			}
			p.nl()
			p.flush(s.Range().Start)
			p.statement(s)
		}
		p.indent--
		p.nl()
		p.str(")")
	case *MakeGraphOp:
		p.makeGraph(o)
	case *MakeSeriesOp:
		p.makeSeries(o)
	case *MvApplyOp:
		p.str("mv-apply")
		p.params(o.Params)
		p.mvColumns(o.Columns)
		p.part("limit", o.Limit)
		p.part("id", o.ID)
		p.block(" on (", o.Sub, ")")
	case *MvExpandOp:
		p.str("mv-expand")
		p.params(o.Params)
		p.mvColumns(o.Columns)
		p.part("limit", o.Limit)
	case *ParseOp:
		p.str([...]string{"parse", "parse-where"}[b2i(o.WhereMode)])
		p.params(o.Params)
		p.str(" ")
		p.expr(o.X)
		p.str(" with")
		for _, q := range o.Pattern {
			p.str(" ")
			switch {
			case q.Star:
				p.str("*")
			case q.Text != nil:
				p.literal(q.Text)
			default:
				p.name(q.Name)
				if q.Type != nil {
					p.str(":")
					p.typeRef(q.Type)
				}
			}
		}
	case *ParseKvOp:
		p.str("parse-kv ")
		p.expr(o.X)
		p.str(" as ")
		p.schema(o.Schema)
		p.with(o.With)
	case *PartitionOp:
		p.str("partition")
		p.params(o.Params)
		p.str(" by ")
		p.expr(o.By)
		p.part("in", o.In)
		if o.Braces {
			p.block(" {", o.Sub, "}")
		} else {
			p.block(" (", o.Sub, ")")
		}
	case *PartitionByOp:
		p.str("__partitionby")
		p.params(o.Params)
		p.str(" ")
		p.expr(o.Entity)
		p.part("id", o.ID)
		p.block(" (", o.Sub, ")")
	case *PrintOp:
		p.str("print")
		p.items(o.Items)
	case *ProjectOp:
		p.str("project")
		p.items(o.Items)
	case *ProjectAwayOp:
		p.str("project-away")
		p.items(o.Names)
	case *ProjectKeepOp:
		p.str("project-keep")
		p.items(o.Names)
	case *ProjectRenameOp:
		p.str("project-rename")
		p.items(o.Items)
	case *ProjectReorderOp:
		p.str("project-reorder")
		p.items(o.Items)
	case *ProjectByNamesOp:
		p.str("project-by-names")
		p.items(o.Items)
	case *RangeOp:
		p.str("range ")
		p.name(o.Name)
		p.part("from", o.From)
		p.part("to", o.To)
		p.part("step", o.Step)
	case *ReduceOp:
		p.str("reduce")
		p.params(o.Params)
		p.part("by", o.By)
		if o.With != nil {
			p.str(" with ")
			p.paramList(o.With)
		}
	case *RenderOp:
		p.str("render ", o.Chart.Text)
		p.params(o.Params)
		p.with(o.With)
	case *SampleOp:
		p.str("sample")
		p.params(o.Params)
		p.items([]Expr{o.N})
	case *SampleDistinctOp:
		p.str("sample-distinct")
		p.params(o.Params)
		p.items([]Expr{o.N})
		p.part("of", o.Of)
	case *ScanOp:
		p.scan(o)
	case *SearchOp:
		p.str("search")
		p.params(o.Params)
		if o.Scope != nil {
			p.str(" datascope=", o.Scope.Text)
		}
		p.inTables(o.In)
		p.items([]Expr{o.Pred})
	case *SerializeOp:
		p.str("serialize")
		p.params(o.Params)
		p.items(o.Items)
	case *SortOp:
		p.str("sort")
		p.params(o.Params)
		p.str(" by")
		p.items(o.Keys)
	case *SummarizeOp:
		p.str("summarize")
		p.params(o.Params)
		p.items(o.Aggs)
		if o.HasBy {
			p.str(" by")
			p.items(o.By)
			if o.Bin != nil {
				p.str(" bin = ")
				p.expr(o.Bin)
			}
		}
	case *TakeOp:
		p.str("take")
		p.params(o.Params)
		p.items([]Expr{o.N})
	case *TopOp:
		p.str("top")
		p.params(o.Params)
		p.items([]Expr{o.N})
		p.part("by", o.By)
	case *TopHittersOp:
		p.str("top-hitters")
		p.items([]Expr{o.N})
		p.part("of", o.Of)
		p.part("by", o.By)
	case *TopNestedOp:
		for i, l := range o.Levels {
			p.comma(i)
			p.str("top-nested")
			if l.N != nil {
				p.items([]Expr{l.N})
			}
			p.part("of", l.Of)
			if l.Others != nil {
				p.str(" with others = ")
				p.signed(l.Others)
			}
			p.part("by", l.By)
		}
	case *UnionOp:
		p.str("union")
		p.params(o.Params)
		p.items(o.Tables)
	case *WhereOp:
		p.str("where")
		p.params(o.Params)
		p.items([]Expr{o.Pred})
	case *BadOp:
		p.str(o.Name)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *printer) inTables(list []Expr) {
	if list == nil {
		return
	}
	p.str(" in (")
	for i, x := range list {
		p.comma(i)
		if q, ok := x.(*PipeExpr); ok {
			p.expr(q.Input)
			p.str(" | ")
			p.operator(q.Op)
			continue
		}
		p.expr(x)
	}
	p.str(")")
}

func (p *printer) find(o *FindOp) {
	p.str("find")
	if o.Scope != nil {
		p.str(" datascope=", o.Scope.Text)
	}
	p.params(o.Params)
	p.inTables(o.In)
	p.part("where", o.Pred)
	columns := func(word string, list []*FindColumn) {
		if list == nil {
			return
		}
		p.str(" ", word, " ")
		for i, c := range list {
			p.comma(i)
			switch {
			case c.Pack:
				p.str("pack(*)")
			case c.Star:
				p.str("*")
			default:
				p.nameRef(c.Name)
				if c.Type != nil {
					p.str(":")
					p.typeRef(c.Type)
				}
			}
		}
	}
	columns("project", o.Project)
	if o.ProjectSmart {
		p.str(" project-smart")
	}
	columns("__projectAway", o.ProjectAway)
}

func (p *printer) graphMatch(o *GraphMatchOp) {
	p.str([...]string{"graph-match", "graph-shortest-paths"}[b2i(o.Shortest)])
	p.params(o.Params)
	p.str(" ")
	for i, g := range o.Patterns {
		p.comma(i)
		for _, it := range g.Items {
			switch it := it.(type) {
			case *GraphNode:
				p.str("(")
				if it.Name != nil {
					p.name(it.Name)
				}
				p.str(")")
			case *GraphEdge:
				p.graphEdge(it)
			}
		}
	}
	p.part("where", o.Where)
	if o.Project != nil {
		p.str(" project")
		p.items(o.Project)
	}
}

func (p *printer) graphEdge(e *GraphEdge) {
	if e.Bare {
		p.str([...]string{"-->", "<--", "--"}[e.Dir])
		return
	}
	p.str([...]string{"-[", "<-[", "-[", "<-["}[e.Dir])
	if e.Name != nil {
		p.name(e.Name)
	}
	if e.Min != nil {
		p.str("*")
		p.expr(e.Min)
		p.str(" .. ")
		p.expr(e.Max)
	}
	p.str([...]string{"]->", "]-", "]-", "]->"}[e.Dir])
}

func (p *printer) makeGraph(o *MakeGraphOp) {
	p.str("make-graph")
	p.params(o.Params)
	p.str(" ")
	p.nameRef(o.Source)
	p.str([...]string{" -- ", " --> "}[b2i(o.Directed)])
	p.nameRef(o.Target)
	if o.WithNodeID != nil {
		p.str(" with_node_id=")
		p.name(o.WithNodeID)
	}
	for i, n := range o.Nodes {
		p.str([...]string{" with ", ", "}[b2i(i > 0)])
		p.expr(n.Table)
		p.str(" on ")
		p.nameRef(n.On)
	}
	if o.PartitionedBy != nil {
		p.part("partitioned-by", o.PartitionedBy)
		p.block(" (", o.Sub, ")")
	}
}

func (p *printer) makeSeries(o *MakeSeriesOp) {
	p.str("make-series")
	p.params(o.Params)
	for i, a := range o.Aggs {
		p.str([...]string{" ", ", "}[b2i(i > 0)])
		p.expr(a.X)
		if a.Default != nil {
			p.str(" default = ")
			p.expr(a.Default)
		}
	}
	p.part("on", o.On)
	if o.Step != nil {
		p.part("from", o.From)
		p.part("to", o.To)
		p.part("step", o.Step)
	} else {
		p.str(" in range(")
		p.list(o.InRange)
		p.str(")")
	}
	if len(o.By) > 0 {
		p.str(" by")
		p.items(o.By)
	}
}

func (p *printer) mvColumns(list []*MvColumn) {
	for i, c := range list {
		p.str([...]string{" ", ", "}[b2i(i > 0)])
		if c.X != nil {
			p.expr(c.X)
		}
		if c.To != nil {
			if c.X != nil {
				p.str(" ")
			}
			p.str("to ")
			p.typeOf(c.To)
		}
	}
}

func (p *printer) scan(o *ScanOp) {
	p.str("scan")
	p.params(o.Params)
	if o.OrderBy != nil {
		p.str(" order by")
		p.items(o.OrderBy)
	}
	if o.PartitionBy != nil {
		p.str(" partition by")
		p.items(o.PartitionBy)
	}
	if o.Declare != nil {
		p.str(" declare ")
		p.funcParams(o.Declare)
	}
	p.str(" with (")
	p.indent++
	for _, st := range o.Steps {
		p.nl()
		p.flush(st.Start)
		p.str("step ")
		p.name(st.Name)
		if st.Optional {
			p.str(" optional")
		}
		if st.Output != nil {
			p.str(" output=", st.Output.Text)
		}
		p.str(": ")
		p.expr(st.Cond)
		for i, a := range st.Assign {
			p.str([...]string{" => ", ", "}[b2i(i > 0)])
			p.nameRef(a.Name)
			p.str(" = ")
			p.expr(a.X)
		}
		p.str(";")
	}
	p.indent--
	p.nl()
	p.str(")")
}
