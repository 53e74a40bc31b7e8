package bind

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

var oneRow = [][]value.Value{{}}

// pipe binds a pipeline.
func (b *binder) pipe(x *syntax.PipeExpr) operand {
	b.count(x.Span)
	var in operand
	switch {
	case x.Input != nil:
		fuzzy := b.fuzzy
		if u, ok := x.Op.(*syntax.UnionOp); ok {
			if on, given := flag(u.Params, "isfuzzy"); given {
				b.fuzzy = on
			}
		}
		in = b.exprIn(x.Input, tableContext)
		b.fuzzy = fuzzy
		switch in.kind {
		case opTable, opGraph, opErr:
		case opGroup:
			if in.several {
				if _, ok := x.Op.(*syntax.RenderOp); ok {
					return in
				}
				if !b.opt.Editor {
					b.fail(b.keyword(x.Op), syntax.CodeNotSupported, "operators after facet, fork and preview, which give several tables, are not supported")
				}
				in = tableOp(x.Input, &table{node: &plan.Values{}})
				break
			}
			if len(in.tabs) > 0 {
				in = tableOp(x.Input, b.unionTables(in.tabs, nil, ""))
				break
			}
			fallthrough
		case opVoid:
			in = tableOp(x.Input, &table{node: in.voidNode()})
		default:
			if !b.opt.Editor {
				b.fail(x.Input.Range(), "SEM0111", "a tabular value is expected here, not %s", in.typeName())
			}
			in = tableOp(x.Input, &table{node: &plan.Values{}})
		}
	case b.piped != nil:
		in = *b.piped
		b.piped = nil
	default:
		in = operand{kind: opVoid}
	}
	return b.operator(x, in, x.Op)
}

func (o *operand) voidNode() plan.Node {
	if o.tab != nil {
		return o.tab.node
	}
	return &plan.Values{}
}

// withPiped runs f so that a pipeline without input begins with in.
func (b *binder) withPiped(in operand, f func()) {
	old := b.piped
	b.piped = &in
	f()
	b.piped = old
}

// source reports whether an operator begins a query.
func source(op syntax.Operator) bool {
	switch op.(type) {
	case *syntax.PrintOp, *syntax.RangeOp, *syntax.UnionOp, *syntax.FindOp, *syntax.SearchOp, *syntax.EvaluateOp, *syntax.MacroExpandOp, *syntax.BadOp:
		return true
	}
	return false
}

// keyword is the place of an operator's first word.
func (b *binder) keyword(op syntax.Operator) syntax.Span {
	r := op.Range()
	end := r.Start
	for end < r.End && end < len(b.text) {
		c := b.text[end]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' || c == '|' {
			break
		}
		end++
	}
	return syntax.Span{Start: r.Start, End: end}
}

// operator applies one operator.
func (b *binder) operator(x *syntax.PipeExpr, in operand, op syntax.Operator) operand {
	switch op.(type) {
	case *syntax.PrintOp, *syntax.RangeOp:
		if in.kind != opVoid {
			b.fail(b.keyword(op), "SEM0175", "the operator must be the first of the query")
		}
	default:
		if in.kind == opVoid && !source(op) {
			b.fail(b.keyword(op), "SEM0174", "the operator cannot be the first of a query; put a table and | before it")
			in = tableOp(x, b.openTable(""))
			in.tab.open = false
		}
	}
	switch op := op.(type) {
	case *syntax.BadOp:
		return errAt(x)
	case *syntax.GraphMatchOp:
		return b.graphMatch(x, in, op)
	case *syntax.GraphMarkComponentsOp:
		return b.graphMark(x, in, op)
	case *syntax.GraphWhereOp:
		return b.graphWhere(x, in, op)
	case *syntax.GraphToTableOp:
		return b.graphToTable(x, in, op)
	}
	var t *table
	switch in.kind {
	case opTable:
		t = in.tab
	case opVoid:
	case opGraph:
		b.fail(b.keyword(op), "SEM0111", "a tabular input is expected here, not a graph; use graph-to-table or graph-match first")
		t = b.openTable("")
	default:
		t = b.openTable("")
		t.missing = false
	}
	var out operand
	b.inRow(t, func() { out = b.tableOperator(x, t, op) })
	return out
}

// tableOperator applies an operator to a table; the table is the row scope. in is nil at the start of a query.
func (b *binder) tableOperator(x *syntax.PipeExpr, in *table, op syntax.Operator) operand {
	tab := func(t *table) operand { return tableOp(x, t) }
	switch op := op.(type) {
	case *syntax.WhereOp:
		return tab(b.whereOp(in, op))
	case *syntax.ProjectOp:
		return tab(b.projectOp(in, op))
	case *syntax.ExtendOp:
		return tab(b.extendOp(in, op))
	case *syntax.ProjectAwayOp:
		return tab(b.projectAway(in, op))
	case *syntax.ProjectKeepOp:
		return tab(b.projectKeep(in, op))
	case *syntax.ProjectRenameOp:
		return tab(b.projectRename(in, op))
	case *syntax.ProjectReorderOp:
		return tab(b.projectReorder(in, op))
	case *syntax.ProjectByNamesOp:
		return tab(b.projectByNames(in, op))
	case *syntax.SummarizeOp:
		return tab(b.summarizeOp(in, op))
	case *syntax.DistinctOp:
		return tab(b.distinctOp(in, op))
	case *syntax.CountOp:
		return tab(b.countOp(in, op))
	case *syntax.TakeOp:
		return tab(b.takeOp(in, op))
	case *syntax.TopOp:
		return tab(b.topOp(in, op))
	case *syntax.SortOp:
		return tab(b.sortOp(in, op))
	case *syntax.SampleOp:
		return tab(b.sampleOp(in, op))
	case *syntax.SampleDistinctOp:
		return tab(b.sampleDistinctOp(in, op))
	case *syntax.TopHittersOp:
		return tab(b.topHittersOp(in, op))
	case *syntax.TopNestedOp:
		return tab(b.topNestedOp(in, op))
	case *syntax.JoinOp:
		return tab(b.joinOp(in, op))
	case *syntax.LookupOp:
		return tab(b.lookupOp(in, op))
	case *syntax.UnionOp:
		return tab(b.unionOp(in, op))
	case *syntax.MvExpandOp:
		return tab(b.mvExpandOp(in, op))
	case *syntax.MvApplyOp:
		return tab(b.mvApplyOp(in, op))
	case *syntax.ParseOp:
		return tab(b.parseOp(in, op))
	case *syntax.ParseKvOp:
		return tab(b.parseKvOp(in, op))
	case *syntax.PrintOp:
		b.row = nil
		return tab(b.printOp(op))
	case *syntax.RangeOp:
		b.row = nil
		return tab(b.rangeOp(op))
	case *syntax.SerializeOp:
		return tab(b.serializeOp(in, op))
	case *syntax.MakeSeriesOp:
		return tab(b.makeSeriesOp(in, op))
	case *syntax.PartitionOp:
		return tab(b.partitionOp(in, op))
	case *syntax.PartitionByOp:
		b.fail(b.keyword(op), syntax.CodeNotSupported, "__partitionby is not supported; use partition")
		return errAt(x)
	case *syntax.ScanOp:
		return tab(b.scanOp(in, op))
	case *syntax.ReduceOp:
		return tab(b.reduceOp(in, op))
	case *syntax.RenderOp:
		return b.renderOp(x, in, op)
	case *syntax.AsOp:
		return tab(b.asOp(in, op))
	case *syntax.GetSchemaOp:
		return tab(b.getSchemaOp(in, op))
	case *syntax.AssertSchemaOp, *syntax.ExecuteAndCacheOp:
		return tab(in)
	case *syntax.ConsumeOp:
		b.queryParams(op.Params, paramsConsume)
		return operand{kind: opVoid, src: x, tab: &table{node: &plan.Consume{Input: b.input(in)}}}
	case *syntax.InvokeOp:
		return b.invokeOp(x, in, op)
	case *syntax.EvaluateOp:
		return b.evaluateOp(x, in, op)
	case *syntax.SearchOp:
		return tab(b.searchOp(in, op))
	case *syntax.FindOp:
		return tab(b.findOp(in, op))
	case *syntax.FacetOp:
		return b.facetOp(x, in, op)
	case *syntax.ForkOp:
		return b.forkOp(x, in, op)
	case *syntax.MakeGraphOp:
		return b.makeGraphOp(x, in, op)
	case *syntax.MacroExpandOp:
		return b.macroExpandOp(x, op)
	}
	b.fail(op.Range(), syntax.CodeNotSupported, fmt.Sprintf("the operator %T is not supported", op))
	return errAt(x)
}
