package syntax

// Walk calls f for n and every node below it, in the order of the text as far as the tree keeps it. Where f gives
// false, what is below that node is left out.
func Walk(n Node, f func(Node) bool) {
	w := walker{f}
	w.node(n)
}

type walker struct{ f func(Node) bool }

// isNil says whether an interface holds no node; optional parts are passed as they are.
func isNil(n Node) bool {
	switch n := n.(type) {
	case nil:
		return true
	case *Name:
		return n == nil
	case *NameRef:
		return n == nil
	case *Param:
		return n == nil
	case *Schema:
		return n == nil
	case *TypeRef:
		return n == nil
	case *TypeOf:
		return n == nil
	case *TypedName:
		return n == nil
	case *TableType:
		return n == nil
	case *FuncBody:
		return n == nil
	case *PatternDecl:
		return n == nil
	case *PathFormat:
		return n == nil
	case *Literal:
		return n == nil
	case *SummarizeOp:
		return n == nil
	case *Call:
		return n == nil
	}
	return false
}

func all[T Node](w *walker, list []T) {
	for _, n := range list {
		w.node(n)
	}
}

func (w *walker) nodes(list ...Node) {
	for _, n := range list {
		w.node(n)
	}
}

func (w *walker) node(n Node) {
	if isNil(n) || !w.f(n) {
		return
	}
	if op, ok := n.(Operator); ok {
		w.operator(op)
		return
	}
	switch n := n.(type) {
	case *Document:
		all(w, n.Directives)
		all(w, n.Statements)
	case *LetStmt:
		w.nodes(n.Name, n.Value)
	case *SetStmt:
		w.nodes(n.Name, n.Value)
	case *QueryParametersStmt:
		all(w, n.Params)
	case *PatternStmt:
		w.nodes(n.Name, n.Decl)
	case *PatternDecl:
		all(w, n.Params)
		w.node(n.Path)
		all(w, n.Matches)
	case *PatternMatch:
		all(w, n.Args)
		w.nodes(n.Path, n.Body)
	case *RestrictStmt:
		all(w, n.Entities)
		all(w, n.With)
	case *AliasStmt:
		w.nodes(n.Name, n.Value)
	case *ExprStmt:
		w.node(n.X)
	case *TypedName:
		w.nodes(n.Name, n.Type, n.Table)
	case *TableType:
		all(w, n.Columns)
	case *Schema:
		all(w, n.Columns)
	case *FuncParam:
		w.nodes(n.TypedName, n.Default)
	case *FuncBody:
		all(w, n.Statements)
		w.node(n.Result)
	case *Lambda:
		all(w, n.Params)
		w.node(n.Body)
	case *EntityGroup:
		all(w, n.Entities)
	case *Param:
		w.nodes(n.Name, n.Value)
	case *NameList:
		all(w, n.Names)
	case *PathExpr:
		w.nodes(n.X, n.Member)
	case *IndexExpr:
		w.nodes(n.X, n.Index)
	case *IndexSel:
		w.node(n.Index)
	case *ScopeExpr:
		w.nodes(n.X, n.Scope)
	case *Call:
		w.nodes(n.Name, n.Kind)
		all(w, n.Args)
	case *NamedExpr:
		all(w, n.Names)
		w.node(n.X)
	case *ParenExpr:
		w.node(n.X)
	case *UnaryExpr:
		w.node(n.X)
	case *BinaryExpr:
		w.nodes(n.X, n.Y)
	case *InExpr:
		w.node(n.X)
		all(w, n.List)
	case *BetweenExpr:
		w.nodes(n.X, n.Low, n.High)
	case *OrderedExpr:
		w.node(n.X)
	case *DynamicLit:
		w.node(n.Value)
	case *ArrayLit:
		all(w, n.Elems)
	case *ObjectLit:
		all(w, n.Pairs)
	case *Pair:
		w.node(n.Value)
	case *TypeOf:
		w.node(n.Type)
		all(w, n.Columns)
	case *PipeExpr:
		w.nodes(n.Input, n.Op)
	case *DataTable:
		all(w, n.Params)
		w.node(n.Schema)
		all(w, n.Values)
	case *ContextualDataTable:
		w.nodes(n.ID, n.Schema)
	case *ExternalData:
		all(w, n.Params)
		w.node(n.Schema)
		all(w, n.URIs)
		all(w, n.With)
	case *InlineExternalTable:
		all(w, n.Params)
		w.nodes(n.Schema, n.Kind)
		all(w, n.Partition)
		w.nodes(n.PathFormat, n.DataFormat)
		all(w, n.URIs)
		all(w, n.With)
	case *PartitionColumn:
		w.nodes(n.Name, n.Type, n.X)
	case *PathFormat:
		all(w, n.Parts)
	case *PathPart:
		w.node(n.Column)
	case *MaterializedViewCombine:
		w.nodes(n.View, n.Base, n.Delta, n.Aggregations)
	default:
		w.part(n)
	}
}

// part walks the pieces of operators that are neither expressions nor operators.
func (w *walker) part(n Node) {
	switch n := n.(type) {
	case *FindColumn:
		w.nodes(n.Name, n.Type)
	case *ForkBranch:
		w.nodes(n.Name, n.X)
	case *GraphPattern:
		all(w, n.Items)
	case *GraphNode:
		w.node(n.Name)
	case *GraphEdge:
		w.nodes(n.Name, n.Min, n.Max)
	case *GraphOutput:
		w.node(n.As)
		all(w, n.Params)
	case *GraphNodeTable:
		w.nodes(n.Table, n.On)
	case *SeriesAgg:
		w.nodes(n.X, n.Default)
	case *MvColumn:
		w.nodes(n.X, n.To)
	case *ParsePart:
		w.nodes(n.Text, n.Name, n.Type)
	case *ScanStep:
		w.nodes(n.Name, n.Output, n.Cond)
		all(w, n.Assign)
	case *ScanAssign:
		w.nodes(n.Name, n.X)
	case *TopNestedLevel:
		w.nodes(n.N, n.Of, n.Others, n.By)
	}
}

func (w *walker) operator(op Operator) {
	switch o := op.(type) {
	case *AsOp:
		all(w, o.Params)
		w.node(o.Name)
	case *AssertSchemaOp:
		w.node(o.Schema)
	case *ConsumeOp:
		all(w, o.Params)
	case *CountOp:
		w.node(o.As)
	case *DistinctOp:
		all(w, o.Params)
		all(w, o.Items)
	case *EvaluateOp:
		all(w, o.Params)
		w.nodes(o.Call, o.Schema)
	case *ExtendOp:
		all(w, o.Items)
	case *FacetOp:
		all(w, o.By)
		w.node(o.With)
	case *FindOp:
		w.node(o.Scope)
		all(w, o.Params)
		all(w, o.In)
		w.node(o.Pred)
		all(w, o.Project)
		all(w, o.ProjectAway)
	case *ForkOp:
		all(w, o.Branches)
	case *GetSchemaOp:
		w.node(o.Kind)
	case *GraphMarkComponentsOp:
		all(w, o.Params)
	case *GraphMatchOp:
		all(w, o.Params)
		all(w, o.Patterns)
		w.node(o.Where)
		all(w, o.Project)
	case *GraphToTableOp:
		all(w, o.Outputs)
	case *GraphWhereOp:
		w.node(o.Pred)
	case *InvokeOp:
		w.node(o.Call)
	case *JoinOp:
		all(w, o.Params)
		w.node(o.Right)
		all(w, o.On)
		w.node(o.Where)
	case *LookupOp:
		all(w, o.Params)
		w.node(o.Right)
		all(w, o.On)
	case *MacroExpandOp:
		all(w, o.Params)
		w.nodes(o.Group, o.As)
		all(w, o.Statements)
	case *MakeGraphOp:
		all(w, o.Params)
		w.nodes(o.Source, o.Target)
		all(w, o.Nodes)
		w.nodes(o.WithNodeID, o.PartitionedBy, o.Sub)
	case *MakeSeriesOp:
		all(w, o.Params)
		all(w, o.Aggs)
		w.nodes(o.On, o.From, o.To, o.Step)
		all(w, o.InRange)
		all(w, o.By)
	case *MvApplyOp:
		all(w, o.Params)
		all(w, o.Columns)
		w.nodes(o.Limit, o.ID, o.Sub)
	case *MvExpandOp:
		all(w, o.Params)
		all(w, o.Columns)
		w.node(o.Limit)
	case *ParseOp:
		all(w, o.Params)
		w.node(o.X)
		all(w, o.Pattern)
	case *ParseKvOp:
		w.nodes(o.X, o.Schema)
		all(w, o.With)
	case *PartitionOp:
		all(w, o.Params)
		w.nodes(o.By, o.In, o.Sub)
	case *PartitionByOp:
		all(w, o.Params)
		w.nodes(o.Entity, o.ID, o.Sub)
	case *PrintOp:
		all(w, o.Items)
	case *ProjectOp:
		all(w, o.Items)
	case *ProjectAwayOp:
		all(w, o.Names)
	case *ProjectKeepOp:
		all(w, o.Names)
	case *ProjectRenameOp:
		all(w, o.Items)
	case *ProjectReorderOp:
		all(w, o.Items)
	case *ProjectByNamesOp:
		all(w, o.Items)
	case *RangeOp:
		w.nodes(o.Name, o.From, o.To, o.Step)
	case *ReduceOp:
		all(w, o.Params)
		w.node(o.By)
		all(w, o.With)
	case *RenderOp:
		w.node(o.Chart)
		all(w, o.Params)
		all(w, o.With)
	case *SampleOp:
		all(w, o.Params)
		w.node(o.N)
	case *SampleDistinctOp:
		all(w, o.Params)
		w.nodes(o.N, o.Of)
	case *ScanOp:
		all(w, o.Params)
		all(w, o.OrderBy)
		all(w, o.PartitionBy)
		all(w, o.Declare)
		all(w, o.Steps)
	case *SearchOp:
		all(w, o.Params)
		w.node(o.Scope)
		all(w, o.In)
		w.node(o.Pred)
	case *SerializeOp:
		all(w, o.Params)
		all(w, o.Items)
	case *SortOp:
		all(w, o.Params)
		all(w, o.Keys)
	case *SummarizeOp:
		all(w, o.Params)
		all(w, o.Aggs)
		all(w, o.By)
		w.node(o.Bin)
	case *TakeOp:
		all(w, o.Params)
		w.node(o.N)
	case *TopOp:
		all(w, o.Params)
		w.nodes(o.N, o.By)
	case *TopHittersOp:
		w.nodes(o.N, o.Of, o.By)
	case *TopNestedOp:
		all(w, o.Levels)
	case *UnionOp:
		all(w, o.Params)
		all(w, o.Tables)
	case *WhereOp:
		all(w, o.Params)
		w.node(o.Pred)
	}
}
