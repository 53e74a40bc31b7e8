package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strconv"
)

func (b *binder) evaluateOp(x *syntax.PipeExpr, in *table, op *syntax.EvaluateOp) operand {
	b.queryParams(op.Params, paramsEvaluate)
	name, at := op.Call.Name.Name, op.Call.Name.Span
	f, ok := lookupPlugin(name)
	if !ok {
		b.kind = scopePlugin
		hint := b.near(name, nearPlugins)
		b.kind = scopeNormal
		b.bindArgs(op.Call.Args, scopeNormal)
		if _, isFn := catalog.LookupFunction(name); isFn {
			b.failHint(at, "SEM0237", hint, "the name %s is not a plugin", quoteName(name))
		} else {
			b.failHint(at, "SEM0124", hint, "the plugin %s is not defined", quoteName(name))
		}
		if op.Schema != nil {
			return tableOp(x, &table{cols: b.schemaColumns(op.Schema)})
		}
		return errAt(x)
	}
	p := &pluginCall{b: b, f: b.enginePlugin(f), x: op.Call, in: in}
	if in == nil {
		p.in = &table{node: &plan.Values{}}
	}
	p.bind()
	node := &plan.Evaluate{Plugin: name, At: span(op)}
	if in != nil {
		node.Input = b.solid(in)
	}
	for i := range p.args {
		a := &p.args[i]
		switch {
		case a.star:
			node.Args = append(node.Args, &plan.Star{At: plan.Span(a.at())})
		case a.kind == opTable:
			node.Args = append(node.Args, &plan.TableArg{Node: b.solid(a.tab), At: plan.Span(a.at())})
		case p.aggs[i] != nil:
			node.Args = append(node.Args, p.aggs[i])
		default:
			node.Args = append(node.Args, a.expr())
		}
	}
	node.ArgNames = p.argNames()
	cols, dynamic := p.columns()
	node.Dynamic = dynamic
	if op.Schema != nil {
		node.Declared, node.Dynamic, dynamic = true, false, false
		made := b.schemaColumns(op.Schema)
		if op.Schema.Star {
			names := map[string]bool{}
			for _, c := range made {
				names[c.Name] = true
			}
			var kept []*column
			for _, c := range cols {
				if !names[c.Name] {
					kept = append(kept, c)
				}
			}
			cols = append(kept, made...)
		} else {
			cols = made
		}
	}
	out := &table{node: node, open: dynamic}
	if in != nil {
		out.serialized = in.serialized && name != "bag_unpack" && name != "pivot"
	}
	node.Out = planCols(cols)
	out.cols = cols
	if dynamic && b.opt.PluginSchema != nil && b.quiet == 0 && b.failed == 0 && b.checking == 0 {
		b.pluginSchema(out, node, at)
	}
	if name == "preview" {
		n := b.newCol("Count", tLong)
		s := b.share(p.in, "", true)
		rows := b.use(s)
		total := b.use(s)
		rt := rows.like(&plan.Take{Input: rows.node, N: p.args[0].expr()}, rows.cols)
		ct := &table{cols: []*column{n}, node: &plan.Summarize{Input: total.node, Aggs: []plan.Agg{{Out: []plan.Col{n.Col}, Call: &plan.AggCall{Name: "count", T: value.Long}}}}}
		return operand{kind: opGroup, src: x, tabs: []*table{rt, ct}, several: true}
	}
	return tableOp(x, out)
}

// pluginSchema asks for the columns that depend on the data.
func (b *binder) pluginSchema(t *table, node *plan.Evaluate, at syntax.Span) {
	ask := *node
	var undo undoLog
	ask.Input = b.inlined(node.Input, &undo)
	plan.Exprs(&ask, func(e plan.Expr) { b.inlinedExpr(e, &undo) })
	sch, err := b.opt.PluginSchema(&ask)
	undo.restore()
	if err != nil {
		b.fail(at, "SEM0252", "the columns of %s could not be found: %v", quoteName(node.Plugin), err)
		return
	}
	var cols []*column
	for _, c := range sch {
		if have := t.find(c.Name); have != nil && have.Type == c.Type {
			cols = append(cols, have)
			continue
		}
		cols = append(cols, b.newCol(c.Name, scalar(c.Type)))
	}
	t.cols, t.open, t.index = cols, false, nil
	node.Out, node.Dynamic = planCols(cols), false
}

// pluginCall is one call of a plugin.
type pluginCall struct {
	b      *binder
	f      *catalog.Function
	x      *syntax.Call
	in     *table
	args   []arg
	aggs   []*plan.AggCall // for arguments that are aggregates
	sig    *catalog.Signature
	params []*catalog.Param
}

// bind binds the arguments: column arguments of lookup plugins are columns of the table in the first one.
func (p *pluginCall) bind() {
	b := p.b
	xs := p.x.Args
	p.args = make([]arg, len(xs))
	p.aggs = make([]*plan.AggCall, len(xs))
	for i, x := range xs {
		switch p.argKind(i) {
		case catalog.AggregateCall:
			p.aggregate(i, x)
			continue
		case catalog.ColumnParameter0:
			if p.args[0].kind == opTable {
				b.inRow(p.args[0].tab, func() { p.args[i] = b.oneArg(x) })
				continue
			}
		}
		if i == 0 && p.argTabular(0) {
			var op operand
			b.outside(func() { op = b.exprIn(x, tableContext) })
			p.args[i] = arg{operand: op, x: x}
			continue
		}
		p.args[i] = b.oneArg(x)
		if a := &p.args[i]; p.argKind(i) == catalog.ColumnParameter0Common && a.col != nil && p.args[0].kind == opTable {
			if t := p.args[0].tab; !t.open && t.find(a.col.Name) == nil {
				b.fail(x.Range(), "SEM0100", "the name %s does not refer to any column of the lookup table", quoteName(a.col.Name))
			}
		}
	}
	m := b.newMatcher(p.args)
	sigs := m.choose(p.f, false)
	if len(sigs) == 0 {
		b.fail(p.x.Name.Span, "SEM0127", "the plugin %s does not take arguments of the types (%s)", quoteName(p.f.Name), m.typeNames())
		return
	}
	p.sig = sigs[0]
	b.check(m, p.f, p.sig, p.x.Name.Span, false)
	p.params = m.layout(p.f, p.sig)
}

func (p *pluginCall) argKind(i int) catalog.ArgKind {
	s := &p.f.Signatures[0]
	if i < len(s.Params) {
		return s.Params[i].Arg
	}
	if n := len(s.Params); n > 1 && s.Params[n-2].Arg == catalog.ColumnParameter0Common { // it repeats
		return catalog.ColumnParameter0Common
	}
	return catalog.Expression
}

func (p *pluginCall) argTabular(i int) bool {
	s := &p.f.Signatures[0]
	return i < len(s.Params) && s.Params[i].Kind == catalog.Tabular
}

func (p *pluginCall) aggregate(i int, x syntax.Expr) {
	b := p.b
	var op operand
	aggs := b.withAggs(nil, func() { op = b.expr(x) })
	if len(aggs) == 1 {
		p.aggs[i] = aggs[0].Call
	} else if op.kind != opErr {
		b.fail(x.Range(), "SEM0123", "an aggregate is expected here")
	}
	p.args[i] = arg{operand: op, x: x}
}

// of lists the arguments of a parameter.
func (p *pluginCall) of(name string) []*arg {
	var out []*arg
	for i, q := range p.params {
		if q != nil && q.Name == name && i < len(p.args) {
			out = append(out, &p.args[i])
		}
	}
	return out
}

// ref adds the columns that a parameter names.
func (p *pluginCall) ref(cols []*column, name string) []*column {
	for _, a := range p.of(name) {
		if a.col != nil {
			cols = append(cols, p.fresh(a.col.Name, a.col.t))
		}
	}
	return cols
}

func (p *pluginCall) fresh(name string, t typ) *column { return p.b.newCol(name, t) }

func (p *pluginCall) longs(cols []*column, names ...string) []*column {
	for _, n := range names {
		cols = append(cols, p.fresh(n, tLong))
	}
	return cols
}

func (p *pluginCall) reals(cols []*column, names ...string) []*column {
	for _, n := range names {
		cols = append(cols, p.fresh(n, tReal))
	}
	return cols
}

// copies makes columns like the input's; the plugin computes them anew.
func (p *pluginCall) copies(in []*column, skip func(*column) bool) []*column {
	var out []*column
	for _, c := range in {
		if skip != nil && skip(c) {
			continue
		}
		out = append(out, p.fresh(c.Name, c.t))
	}
	return out
}

// columns are the output columns; dynamic says that the data decides about more.
func (p *pluginCall) columns() (cols []*column, dynamic bool) {
	b := p.b
	text := func(name string) string {
		if as := p.of(name); len(as) > 0 && as[0].val != nil {
			switch v := as[0].val; v.Type {
			case value.Long, value.Int:
				return strconv.FormatInt(v.I, 10)
			case value.Real:
				return strconv.FormatFloat(v.F, 'g', -1, 64)
			}
		}
		return "0"
	}
	switch p.f.Name {
	case "active_users_count":
		return p.longs(p.ref(p.ref(nil, "TimelineColumn"), "Dimension"), "dcount"), false
	case "activity_counts_metrics":
		return p.longs(p.ref(p.ref(nil, "TimelineColumn"), "Dimension"), "count", "dcount", "new_dcount", "aggregated_dcount"), false
	case "activity_engagement":
		return p.reals(p.longs(p.ref(p.ref(nil, "TimelineColumn"), "Dimension"), "dcount_activities_inner", "dcount_activities_outer"), "activity_ratio"), false
	case "activity_metrics":
		return p.reals(p.longs(p.ref(p.ref(nil, "TimelineColumn"), "Dimension"), "dcount_values", "dcount_newvalues"), "retention_rate", "churn_rate"), false
	case "new_activity_metrics":
		if as := p.of("TimelineColumn"); len(as) > 0 {
			n, _ := b.resultName(as[0].x)
			cols = append(cols, p.fresh(joinParts("from", n), as[0].typ()), p.fresh(joinParts("to", n), as[0].typ()))
		}
		return p.reals(p.longs(p.ref(cols, "Dimension"), "dcount_new_values", "dcount_retained_values", "dcount_churn_values"), "retention_rate", "churn_rate"), false
	case "autocluster", "basket":
		return append(p.reals(p.longs(nil, "SegmentId", "Count"), "Percent"), p.copies(p.in.cols, nil)...), false
	case "diffpatterns":
		return append(p.reals(p.longs(nil, "SegmentId", "CountA", "CountB"), "PercentA", "PercentB", "PercentDiffAB"), p.copies(p.in.cols, nil)...), false
	case "bag_unpack":
		var bag *column
		if len(p.args) > 0 {
			bag = p.args[0].col
		}
		return p.copies(p.in.cols, func(c *column) bool { return c == bag }), true
	case "dcount_intersect":
		cols = p.copies(p.in.cols, nil)
		for i := range p.args {
			cols = append(cols, p.fresh("s"+itoa(i), tLong))
		}
		return cols, false
	case "estimate_rows_count":
		return p.longs(nil, "EstimatedRowsCount"), false
	case "funnel_sequence":
		cols = p.ref(nil, "TimelineColumn")
		if as := p.of("StateColumn"); len(as) > 0 {
			cols = append(cols, p.fresh("prev", as[0].typ()), p.fresh("next", as[0].typ()))
		}
		return append(p.longs(cols, "dcount"), p.fresh("samples", tArray)), false
	case "funnel_sequence_completion":
		cols = p.ref(nil, "TimelineColumn")
		if as := p.of("StateColumn"); len(as) > 0 {
			n, _ := b.resultName(as[0].x)
			cols = append(cols, p.fresh(n, tString))
		}
		return p.longs(append(cols, p.fresh("Period", scalar(value.Timespan))), "dcount"), false
	case "http_request", "http_request_post":
		return []*column{p.fresh("ResponseHeaders", tBag), p.fresh("ResponseBody", tDynamic)}, false
	case "identity", "identity_v3", "rows_near":
		return p.copies(p.in.cols, nil), false
	case "infer_storage_schema":
		return []*column{p.fresh("CslSchema", tString)}, false
	case "infer_storage_schema_with_suggestions":
		return []*column{p.fresh("SuggestedTableSchema", tString)}, false
	case "ipv4_lookup", "ipv6_lookup", "geo_polygon_lookup", "geo_line_lookup":
		return p.lookupColumns(), false
	case "narrow":
		return []*column{p.fresh("Row", tLong), p.fresh("Column", tString), p.fresh("Value", tString)}, false
	case "pivot":
		return p.pivotColumns(), true
	case "preview":
		return p.copies(p.in.cols, nil), false
	case "csharp", "python", "r":
		if len(p.args) > 0 && p.args[0].kind == opType && p.args[0].schema != nil {
			for _, c := range p.args[0].schema {
				cols = append(cols, p.fresh(c.Name, c.t))
			}
			return cols, false
		}
		return nil, true
	case "rolling_percentile":
		cols = p.ref(p.ref(nil, "IndexColumn"), "Dimension")
		n, t := "value", tLong
		if as := p.of("ValueColumn"); len(as) > 0 && as[0].col != nil {
			n, t = as[0].col.Name, as[0].col.t
		}
		return append(cols, p.fresh("rolling_"+text("BinsPerWindow")+"_percentile_"+n+"_"+text("Percentile"), t)), false
	case "session_count":
		return p.longs(p.ref(p.ref(nil, "TimelineColumn"), "Dimension"), "count_sessions"), false
	case "sequence_detect":
		cols = p.ref(nil, "Dimension")
		if as := p.of("TimelineColumn"); len(as) > 0 {
			tn, _ := b.resultName(as[0].x)
			for _, e := range p.of("Expr") {
				n := ""
				if e.name != nil {
					n = e.name.Text
				} else {
					n, _ = b.resultName(e.x)
				}
				cols = append(cols, p.fresh(joinParts(n, tn), as[0].typ()))
			}
		}
		return append(cols, p.fresh("Duration", scalar(value.Timespan))), false
	case "sliding_window_counts":
		return p.longs(p.ref(p.ref(nil, "TimelineColumn"), "Dimension"), "Count", "Dcount"), false
	case "schema_merge":
		return []*column{p.fresh("ColumnName", tString), p.fresh("ColumnOrdinal", scalar(value.Int)), p.fresh("DataType", tString), p.fresh("ColumnType", tString)}, false
	case "ai_embed_text", "ai_embeddings", "ai_chat_completion", "ai_chat_completion_prompt":
		return p.aiColumns(), false
	}
	return nil, true // sql_request and its relatives: only the answer tells
}

func (p *pluginCall) aiColumns() []*column {
	cols := p.copies(p.in.cols, nil)
	suffix, t := map[string]string{"ai_embed_text": "embedding", "ai_embeddings": "embeddings"}[p.f.Name], tDynamic
	if suffix == "" {
		suffix, t = "completion", tString
	}
	n := ""
	if len(p.args) > 0 {
		n, _ = p.b.resultName(p.args[0].x)
	}
	cols = append(cols, p.fresh(joinParts(n, suffix), t))
	if as := p.of("IncludeErrorMessages"); len(as) > 0 && as[0].val != nil && as[0].val.I != 0 {
		cols = append(cols, p.fresh(joinParts(n, suffix, "error"), tString))
	}
	return cols
}

// lookupColumns: the input's columns, then the lookup table's without the shared keys.
func (p *pluginCall) lookupColumns() []*column {
	cols := p.copies(p.in.cols, nil)
	if len(p.args) == 0 || p.args[0].kind != opTable {
		return cols
	}
	right := p.args[0].tab
	skip := map[string]bool{}
	switch p.f.Name {
	case "ipv4_lookup":
		for _, a := range p.of("ExtraKey") {
			if a.col != nil {
				skip[a.col.Name] = true
			}
		}
	case "geo_polygon_lookup", "geo_line_lookup":
		keep := false
		for _, a := range p.of("return_lookup_key") {
			keep = keep || a.val != nil && a.val.I != 0
		}
		if !keep && len(p.args) > 1 && p.args[1].col != nil {
			skip[p.args[1].col.Name] = true
		}
	}
	cols = append(cols, p.copies(right.cols, func(c *column) bool { return skip[c.Name] })...)
	return distinctNames(cols)
}

// pivotColumns are those that stay: the ones named, or all but the pivot's and the aggregate's.
func (p *pluginCall) pivotColumns() []*column {
	var cols []*column
	seen := map[string]bool{}
	for i := 2; i < len(p.args); i++ {
		if c := p.args[i].col; c != nil && !seen[c.Name] {
			seen[c.Name] = true
			cols = append(cols, p.fresh(c.Name, c.t))
		}
	}
	if len(cols) > 0 || len(p.args) == 0 {
		return cols
	}
	skip := map[plan.ColID]bool{}
	if c := p.args[0].col; c != nil {
		skip[c.ID] = true
	}
	if len(p.aggs) > 1 && p.aggs[1] != nil && len(p.aggs[1].Args) > 0 {
		if r, ok := p.aggs[1].Args[0].(*plan.ColRef); ok {
			skip[r.ID] = true
		}
	}
	return p.copies(p.in.cols, func(c *column) bool { return skip[c.ID] })
}

// undoLog remembers the sub-plans of expressions that were replaced for a while.
type undoLog []func()

func (u *undoLog) restore() {
	for i := len(*u) - 1; i >= 0; i-- {
		(*u)[i]()
	}
}

// inlined is n with all shared sub-plans in line, so that it can be run on its own before the query is whole.
func (b *binder) inlined(n plan.Node, undo *undoLog) plan.Node {
	if n == nil {
		return nil
	}
	if r, ok := n.(*plan.SharedRef); ok {
		s := b.sharedRefs[r]
		if s == nil {
			return n
		}
		sub := b.inlined(s.tab.node, undo)
		if s.refs[0] == r {
			return sub
		}
		return renamed(sub, r.Out)
	}
	plan.Exprs(n, func(e plan.Expr) { b.inlinedExpr(e, undo) })
	ins := plan.Inputs(n)
	changed := false
	out := make([]plan.Node, len(ins))
	for i, x := range ins {
		out[i] = b.inlined(x, undo)
		changed = changed || out[i] != x
	}
	if !changed {
		return n
	}
	return plan.WithInputs(n, out)
}

func (b *binder) inlinedExpr(e plan.Expr, undo *undoLog) {
	set := func(at *plan.Node) {
		old := *at
		*undo = append(*undo, func() { *at = old })
		*at = b.inlined(old, undo)
	}
	plan.WalkExpr(e, func(e plan.Expr) bool {
		switch e := e.(type) {
		case *plan.ScalarSub:
			set(&e.Node)
		case *plan.InSub:
			set(&e.Node)
		case *plan.TableArg:
			set(&e.Node)
		}
		return true
	})
}

// renamed gives the columns of n the ids of cols.
func renamed(n plan.Node, cols []plan.Col) plan.Node {
	have := n.Cols()
	items := make([]plan.Item, len(cols))
	for i := range cols {
		items[i] = plan.Item{Col: cols[i], Expr: plan.Ref(have[i])}
	}
	return &plan.Project{Input: n, Items: items}
}
