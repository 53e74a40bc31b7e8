package syntax

// startsOperator says whether the tokens ahead begin a query operator rather than an expression: many operator words
// may be names too.
func (p *parser) startsOperator() bool {
	t := p.peek()
	if t.kind != tKeyword {
		return false
	}
	known := func() bool {
		spec, _ := p.paramAhead(nil, 1, true, false)
		return spec != nil
	}
	switch t.text {
	case "evaluate":
		return p.scanName(1, false) > 0 || known()
	case "facet":
		return p.isAt(1, "by")
	case "partition", "reduce":
		return p.isAt(1, "by") || known()
	case "range":
		n := p.scanName(1, false)
		return n > 0 && p.isAt(1+n, "from")
	case "render":
		if p.peekAt(1).isName() {
			return true
		}
		for _, c := range chartTypes() {
			if p.matchText(1, c) > 0 {
				return true
			}
		}
		return false
	case "as", "assert-schema", "__executeAndCache", "find", "graph-match", "graph-to-table", "graph-shortest-paths",
		"graph-where-nodes", "graph-where-edges", "graph-mark-components", "invoke", "macro-expand", "make-graph", "make-series",
		"mv-apply", "mv-expand", "parse-where", "parse-kv", "print", "project", "project-away", "project-keep",
		"project-rename", "project-by-names", "project-reorder", "sample", "sample-distinct", "search", "top-hitters",
		"top-nested", "union", "where":
		return true
	}
	return false
}

// pipe parses an expression or operator followed by operators behind bars, or gives nil.
func (p *parser) pipe() Expr {
	if !p.enter() {
		return p.bad()
	}
	defer p.leave()
	var x Expr
	if p.startsOperator() {
		if x = p.bareOperator(); x == nil {
			x = p.expr()
		}
	} else if x = p.expr(); x == nil {
		x = p.bareOperator()
	}
	if x == nil {
		return nil
	}
	return p.pipeline(x)
}

// bareOperator parses an operator without input, or gives nil.
func (p *parser) bareOperator() Expr {
	start := p.start()
	if op := p.operator(); op != nil {
		return &PipeExpr{Span: p.from(start), Op: op}
	}
	return nil
}

// pipeline parses the operators behind x.
func (p *parser) pipeline(x Expr) Expr {
	start := x.Range().Start
	n := 0
	for {
		if _, piped := x.(*PipeExpr); piped && p.depth == p.stmtDepth+1 && !p.atStatement() {
			p.skipTo("unexpected")
		} else if piped && p.depth > p.stmtDepth+1 && !isListEnd(p.peek()) && !p.is(",") {
			p.skipTo("unexpected")
		}
		if !p.is("|") || !p.chain(&n) {
			return x
		}
		p.next()
		op := p.needOperator()
		x = &PipeExpr{Span: p.from(start), Input: x, Op: op}
	}
}

// atStatement says whether a new statement seems to begin here: on a new row, with a word that can begin one.
func (p *parser) atStatement() bool {
	t := p.peek()
	if !t.firstInRow || t.kind != tIdent && t.kind != tKeyword {
		return false
	}
	switch t.text {
	case "let", "set", "declare", "restrict", "alias", "print", "union", "range", "datatable", "search", "find":
		return true
	}
	return t.kind == tIdent
}

// needOperator parses an operator; an unknown one is reported and its text dropped.
func (p *parser) needOperator() Operator {
	if op := p.operator(); op != nil {
		return op
	}
	t := p.peek()
	if t.kind == tIdent || t.kind == tKeyword {
		suggestion := "see the list of query operators"
		if w := nearestOperator(t.text); w != "" {
			suggestion = "did you mean " + w + "?"
		}
		p.fail(Span{t.start, t.end}, CodeBadOperator, "unknown query operator "+t.text, suggestion)
		p.next()
		p.skip()
		return &BadOp{Span{t.start, t.end}, t.text}
	}
	p.missing("a query operator", "add an operator, or remove the bar")
	at := p.prevEnd()
	return &BadOp{Span: Span{at, at}}
}

// subPipe parses the inside of a sub-query: operators without a bar before the first.
func (p *parser) subPipe() Expr {
	if !p.enter() {
		return p.bad()
	}
	defer p.leave()
	var x Expr
	if p.is("__contextual_datatable") {
		x = p.contextualDataTable()
	} else {
		start := p.start()
		op := p.needOperator()
		x = &PipeExpr{Span: p.from(start), Op: op}
	}
	return p.pipeline(x)
}

// operator parses a query operator, or gives nil.
func (p *parser) operator() Operator {
	t := p.peek()
	if t.kind != tKeyword || p.isAt(1, "(") && (t.text == "count" || t.text == "range") {
		return nil
	}
	parse := p.operatorParser(t.text)
	if parse == nil {
		return nil
	}
	p.next()
	return parse(t.start)
}

// operatorNames are the operators that a wrong word may have meant.
func operatorNames() []string {
	return splitWords("as assert-schema consume count datatable distinct evaluate extend externaldata facet find fork getschema " +
		"graph-mark-components graph-match graph-shortest-paths graph-to-table graph-where-edges graph-where-nodes invoke join " +
		"limit lookup macro-expand make-graph make-series mv-apply mv-expand order parse parse-kv parse-where partition print " +
		"project project-away project-by-names project-keep project-rename project-reorder range reduce render sample " +
		"sample-distinct scan search serialize sort summarize take top top-hitters top-nested union where")
}

// nearestOperator gives the operator closest to a misspelt word, or "".
func nearestOperator(word string) string {
	if len(word) > 30 {
		return ""
	}
	best, at := "", 3
	if len(word) < 4 {
		at = 2
	}
	for _, name := range operatorNames() {
		if d := distance(word, name); d < at {
			best, at = name, d
		}
	}
	return best
}

// distance is the number of edits between two short words; case counts nothing.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1]|0x20 == b[j-1]|0x20 {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}
