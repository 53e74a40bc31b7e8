package syntax

// operatorParser gives the parser of the operator with this keyword, or nil. It is called with the place of the
// keyword, which was consumed.
func (p *parser) operatorParser(word string) func(start int) Operator {
	switch word {
	case "as":
		return p.asOp
	case "assert-schema":
		return func(s int) Operator { x := &AssertSchemaOp{Schema: p.needSchema(false)}; x.Span = p.from(s); return x }
	case "consume":
		return func(s int) Operator {
			x := &ConsumeOp{Params: p.params(&consumeParams, false)}
			x.Span = p.from(s)
			return x
		}
	case "count":
		return p.countOp
	case "distinct":
		return p.distinctOp
	case "evaluate":
		return p.evaluateOp
	case "__executeAndCache":
		return func(s int) Operator { return &ExecuteAndCacheOp{p.from(s)} }
	case "extend":
		return func(s int) Operator {
			x := &ExtendOp{Items: p.exprs(listOpt{need: true})}
			x.Span = p.from(s)
			return x
		}
	case "facet":
		return p.facetOp
	case "filter", "where":
		return p.whereOp
	case "find":
		return p.findOp
	case "fork":
		return p.forkOp
	case "getschema":
		return func(s int) Operator {
			x := &GetSchemaOp{Kind: p.param(&getschemaKind, "getschema")}
			x.Span = p.from(s)
			return x
		}
	case "graph-mark-components":
		return func(s int) Operator {
			x := &GraphMarkComponentsOp{Params: p.params(&markParams, true)}
			x.Span = p.from(s)
			return x
		}
	case "graph-match":
		return func(s int) Operator { return p.graphMatchOp(s, false) }
	case "graph-shortest-paths":
		return func(s int) Operator { return p.graphMatchOp(s, true) }
	case "graph-to-table":
		return p.graphToTableOp
	case "graph-where-edges":
		return func(s int) Operator {
			x := &GraphWhereOp{Edges: true, Pred: p.needExpr(p.expr())}
			x.Span = p.from(s)
			return x
		}
	case "graph-where-nodes":
		return func(s int) Operator { x := &GraphWhereOp{Pred: p.needExpr(p.expr())}; x.Span = p.from(s); return x }
	case "invoke":
		return p.invokeOp
	case "join":
		return p.joinOp
	case "lookup":
		return p.lookupOp
	case "macro-expand":
		return p.macroExpandOp
	case "make-graph":
		return p.makeGraphOp
	case "make-series":
		return p.makeSeriesOp
	case "mv-apply", "mvapply":
		return p.mvApplyOp
	case "mv-expand", "mvexpand":
		return p.mvExpandOp
	case "parse":
		return func(s int) Operator { return p.parseOp(s, false) }
	case "parse-kv":
		return p.parseKvOp
	case "parse-where":
		return func(s int) Operator { return p.parseOp(s, true) }
	case "partition":
		return p.partitionOp
	case "__partitionby":
		return p.partitionByOp
	case "print":
		return func(s int) Operator { x := &PrintOp{Items: p.exprs(listOpt{need: true})}; x.Span = p.from(s); return x }
	case "project":
		return func(s int) Operator { x := &ProjectOp{Items: p.exprs(listOpt{})}; x.Span = p.from(s); return x }
	case "project-away":
		return func(s int) Operator { x := &ProjectAwayOp{Names: p.namesWild()}; x.Span = p.from(s); return x }
	case "project-by-names":
		return p.projectByNamesOp
	case "project-keep":
		return func(s int) Operator { x := &ProjectKeepOp{Names: p.namesWild()}; x.Span = p.from(s); return x }
	case "project-rename":
		return func(s int) Operator { x := &ProjectRenameOp{Items: p.exprs(listOpt{})}; x.Span = p.from(s); return x }
	case "project-reorder":
		return p.projectReorderOp
	case "range":
		return p.rangeOp
	case "reduce":
		return p.reduceOp
	case "render":
		return p.renderOp
	case "sample":
		return func(s int) Operator {
			x := &SampleOp{Params: p.params(nil, true), N: p.needExpr(p.named())}
			x.Span = p.from(s)
			return x
		}
	case "sample-distinct":
		return p.sampleDistinctOp
	case "scan":
		return p.scanOp
	case "search":
		return p.searchOp
	case "serialize":
		return func(s int) Operator {
			x := &SerializeOp{Params: p.params(nil, true), Items: p.exprs(listOpt{})}
			x.Span = p.from(s)
			return x
		}
	case "sort", "order":
		return p.sortOp
	case "summarize":
		return p.summarizeOp
	case "take", "limit":
		return func(s int) Operator {
			x := &TakeOp{Params: p.params(nil, true), N: p.needExpr(p.named())}
			x.Span = p.from(s)
			return x
		}
	case "top":
		return p.topOp
	case "top-hitters":
		return p.topHittersOp
	case "top-nested":
		return p.topNestedOp
	case "union":
		return p.unionOp
	}
	return nil
}

func (p *parser) asOp(s int) Operator {
	x := &AsOp{Params: p.params(&asParams, true), Name: p.needName(false, "a name")}
	x.Span = p.from(s)
	return x
}

func (p *parser) countOp(s int) Operator {
	x := &CountOp{}
	if p.accept("as") {
		if t := p.peek(); t.kind == tIdent {
			p.next()
			x.As = &Name{Span{t.start, t.end}, t.text}
		} else {
			x.As = p.needNameHere("a name")
		}
	}
	x.Span = p.from(s)
	return x
}

// needNameHere reports that a plain identifier is missing and drops a keyword that stands in its place.
func (p *parser) needNameHere(what string) *Name {
	t := p.peek()
	p.missing(what, "")
	if t.kind == tKeyword {
		p.next()
		return &Name{Span{t.start, t.end}, t.text}
	}
	return &Name{Span: Span{p.prevEnd(), p.prevEnd()}}
}

func (p *parser) distinctOp(s int) Operator {
	x := &DistinctOp{Params: p.params(&distinctParams, true)}
	p.commaList(listOpt{need: true}, appendExpr(&x.Items, func() Expr {
		if p.is("*") {
			t := p.next()
			return &Star{Span{t.start, t.end}}
		}
		return p.named()
	}))
	x.Span = p.from(s)
	return x
}

func (p *parser) evaluateOp(s int) Operator {
	x := &EvaluateOp{Params: p.params(&evaluateParams, false)}
	if p.callAhead(0) {
		x.Call = p.call()
	} else {
		at := p.start()
		x.Call = &Call{Name: p.needRef("a plugin")}
		p.missing("(", "a plugin has arguments: "+x.Call.Name.Name+"(…)")
		x.Call.Span = p.from(at)
	}
	if p.accept(":") {
		x.Schema = p.needSchema(true)
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) facetOp(s int) Operator {
	x := &FacetOp{}
	p.need("by")
	p.commaList(listOpt{need: true, end: func(p *parser) bool { return p.is("with") }}, appendExpr(&x.By, func() Expr { return p.entityPath(false, false) }))
	if p.accept("with") {
		if p.accept("(") {
			x.WithParen = true
			x.With = p.subPipe()
			p.close(")")
		} else {
			at := p.start()
			op := p.needOperator()
			x.With = &PipeExpr{Span: p.from(at), Op: op}
		}
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) whereOp(s int) Operator {
	x := &WhereOp{Params: p.params(nil, true), Pred: p.needExpr(p.named())}
	x.Span = p.from(s)
	return x
}

func (p *parser) forkOp(s int) Operator {
	x := &ForkOp{}
	for {
		start := p.start()
		b := &ForkBranch{}
		if n := p.scanName(0, false); n > 0 && p.isAt(n, "=") {
			b.Name = p.name(false)
			p.next()
			if !p.need("(") {
				b.X = p.bad()
				b.Span = p.from(start)
				x.Branches = append(x.Branches, b)
				break
			}
		} else if !p.accept("(") {
			break
		}
		b.X = p.subPipe()
		p.close(")")
		b.Span = p.from(start)
		x.Branches = append(x.Branches, b)
	}
	if len(x.Branches) == 0 {
		p.missing("(", "fork takes sub-queries: fork (count) (take 5)")
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) invokeOp(s int) Operator {
	x := &InvokeOp{}
	if p.callAhead(0) {
		x.Call = p.call()
		n := 0
		for p.is(".") && p.callAhead(1) && p.chain(&n) {
			p.next()
			m := p.call()
			x.Call = &PathExpr{Span: p.from(x.Call.Range().Start), X: x.Call, Member: m}
		}
	} else {
		x.Call = p.needExpr(nil)
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) on() []Expr {
	var list []Expr
	if p.accept("on") {
		p.commaList(listOpt{need: true}, appendExpr(&list, p.expr))
	}
	return list
}

func (p *parser) joinOp(s int) Operator {
	x := &JoinOp{Params: p.params(&joinParams, true)}
	x.Right = p.needExpr(p.expr())
	switch {
	case p.is("on"):
		x.On = p.on()
	case p.accept("where"):
		x.Where = p.needExpr(p.expr())
	default:
		p.missing("on", "say which columns are joined: on a, or on $left.a == $right.b")
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) lookupOp(s int) Operator {
	x := &LookupOp{Params: p.params(&lookupParams, true)}
	x.Right = p.needExpr(p.expr())
	if p.is("on") {
		x.On = p.on()
	} else {
		p.missing("on", "say which columns are looked up: on a, or on $left.a == $right.b")
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) macroExpandOp(s int) Operator {
	x := &MacroExpandOp{Params: p.params(&unionParams, true)}
	if x.Group = p.entityGroup(); x.Group == nil {
		if t := p.peek(); (t.text == "cluster" || t.text == "database") && p.isAt(1, "(") {
			x.Group = p.entityPath(true, false)
		} else {
			x.Group = p.needRef("an entity group")
		}
	}
	if p.accept("as") {
		x.As = p.needName(false, "a name")
	}
	if p.need("(") {
		x.Statements = p.statements(true)
		p.close(")")
	}
	x.Span = p.from(s)
	return x
}

// namesWild parses names with or without asterisks.
func (p *parser) namesWild() []Expr {
	var list []Expr
	p.commaList(listOpt{what: "a column"}, appendExpr(&list, p.nameOrWildcard))
	return list
}

func (p *parser) nameOrWildcard() Expr {
	if x := p.wildcard(); x != nil {
		return x
	}
	if r := p.nameRef(false); r != nil {
		return r
	}
	return nil
}

func (p *parser) projectByNamesOp(s int) Operator {
	x := &ProjectByNamesOp{}
	p.commaList(listOpt{}, appendExpr(&x.Items, p.expr))
	x.Span = p.from(s)
	return x
}

func (p *parser) projectReorderOp(s int) Operator {
	x := &ProjectReorderOp{}
	p.commaList(listOpt{what: "a column"}, appendExpr(&x.Items, func() Expr {
		n := p.nameOrWildcard()
		if n == nil {
			return nil
		}
		if o := p.order(); o != OrderDefault {
			return &OrderedExpr{Span: p.from(n.Range().Start), X: n, Order: o}
		}
		return n
	}))
	x.Span = p.from(s)
	return x
}

func (p *parser) order() Order {
	switch {
	case p.accept("asc"):
		return OrderAsc
	case p.accept("desc"):
		return OrderDesc
	case p.accept("granny-asc"):
		return OrderGrannyAsc
	case p.accept("granny-desc"):
		return OrderGrannyDesc
	}
	return OrderDefault
}

// ordered parses a sort key.
func (p *parser) ordered() Expr {
	x := p.named()
	if x == nil {
		return nil
	}
	o := &OrderedExpr{X: x, Order: p.order()}
	if p.accept("nulls") {
		switch {
		case p.accept("first"):
			o.Nulls = NullsFirst
		case p.accept("last"):
			o.Nulls = NullsLast
		default:
			p.missing("first or last", "")
		}
	} else if o.Order == OrderDefault {
		return x
	}
	o.Span = p.from(x.Range().Start)
	return o
}

func (p *parser) sortOp(s int) Operator {
	x := &SortOp{Params: p.params(&sortParams, false)}
	p.need("by")
	p.commaList(listOpt{need: true}, appendExpr(&x.Keys, p.ordered))
	x.Span = p.from(s)
	return x
}

func (p *parser) rangeOp(s int) Operator {
	x := &RangeOp{Name: p.needName(false, "a name")}
	p.need("from")
	x.From = p.needExpr(p.expr())
	p.need("to")
	x.To = p.needExpr(p.expr())
	p.need("step")
	x.Step = p.needExpr(p.expr())
	x.Span = p.from(s)
	return x
}

func (p *parser) reduceOp(s int) Operator {
	x := &ReduceOp{Params: p.params(&reduceParams, false)}
	p.need("by")
	x.By = p.needExpr(p.named())
	if p.accept("with") {
		x.With = p.paramList(&reduceWithParams, true)
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) renderOp(s int) Operator {
	x := &RenderOp{Chart: p.needWord("the kind of chart", chartTypes()...)}
	for {
		if p.is("with") && p.isAt(1, "(") {
			break
		}
		q := p.param(&renderOldParams, "render")
		if q == nil {
			break
		}
		x.Params = append(x.Params, q)
	}
	if p.accept("with") {
		if p.need("(") {
			p.accept(",")
			x.With = p.paramList(&renderParams, false)
			p.close(")")
		}
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) sampleDistinctOp(s int) Operator {
	x := &SampleDistinctOp{Params: p.params(nil, true), N: p.needExpr(p.named())}
	p.need("of")
	x.Of = p.needExpr(p.named())
	x.Span = p.from(s)
	return x
}

func (p *parser) summarizeOp(s int) Operator {
	x := &SummarizeOp{Params: p.params(&summarizeParams, true)}
	x.Aggs = p.exprs(listOpt{end: func(p *parser) bool { return p.is("by") }})
	if p.accept("by") {
		x.HasBy = true
		x.By = p.exprs(listOpt{need: true, end: (*parser).oldBin})
		if p.oldBin() {
			p.pos += 2
			x.Bin = p.needExpr(p.expr())
		}
	}
	x.Span = p.from(s)
	return x
}

// oldBin says whether the old `bin=1h` stands here.
func (p *parser) oldBin() bool {
	if !p.is("bin") || !p.isAt(1, "=") {
		return false
	}
	switch p.peekAt(2).kind {
	case tLong, tInt, tReal, tDecimal, tTimespan, tDatetime, tBool, tString, tGUID:
		return true
	}
	return false
}

func (p *parser) topOp(s int) Operator {
	x := &TopOp{Params: p.params(&topParams, true), N: p.needExpr(p.named())}
	p.need("by")
	x.By = p.needExpr(p.ordered())
	x.Span = p.from(s)
	return x
}

func (p *parser) topHittersOp(s int) Operator {
	x := &TopHittersOp{N: p.needExpr(p.named())}
	p.need("of")
	x.Of = p.needExpr(p.named())
	if p.accept("by") {
		x.By = p.needExpr(p.named())
	}
	x.Span = p.from(s)
	return x
}

func (p *parser) topNestedOp(s int) Operator {
	x := &TopNestedOp{}
	start := s
	for {
		l := &TopNestedLevel{N: p.named()}
		p.need("of")
		l.Of = p.needExpr(p.named())
		if p.accept("with") {
			p.need("others")
			p.need("=")
			l.Others = p.needExpr(p.signedOr(p.expr))
		}
		p.need("by")
		l.By = p.needExpr(p.ordered())
		l.Span = p.from(start)
		x.Levels = append(x.Levels, l)
		if !p.accept(",") {
			break
		}
		start = p.start()
		if !p.need("top-nested") {
			break
		}
	}
	x.Span = p.from(s)
	return x
}

// signedOr parses a literal with its sign, or what f parses.
func (p *parser) signedOr(f func() Expr) Expr {
	if x := p.literalExpr(); x != nil {
		return x
	}
	return f()
}

func (p *parser) unionOp(s int) Operator {
	x := &UnionOp{Params: p.params(&unionParams, true)}
	p.commaList(listOpt{need: true, what: "a table"}, appendExpr(&x.Tables, func() Expr {
		if p.is("(") {
			return p.primary()
		}
		return p.entityPath(true, true)
	}))
	x.Span = p.from(s)
	return x
}
