package syntax

// AsOp is `as [hint.materialized=true] Name`.
type AsOp struct {
	Span
	Params []*Param
	Name   *Name
}

// AssertSchemaOp is `assert-schema (a:long)`.
type AssertSchemaOp struct {
	Span
	Schema *Schema
}

// ConsumeOp is `consume [decodeblocks=true]`.
type ConsumeOp struct {
	Span
	Params []*Param
}

// CountOp is `count [as Name]`.
type CountOp struct {
	Span
	As *Name
}

// DistinctOp is `distinct a, b` or `distinct *` (a Star in Items).
type DistinctOp struct {
	Span
	Params []*Param
	Items  []Expr
}

// EvaluateOp is `evaluate plugin(args) : (schema)`. Schema may be nil.
type EvaluateOp struct {
	Span
	Params []*Param
	Call   *Call
	Schema *Schema
}

// ExecuteAndCacheOp is the internal `__executeAndCache`.
type ExecuteAndCacheOp struct{ Span }

// ExtendOp is `extend a = x, y`.
type ExtendOp struct {
	Span
	Items []Expr
}

// FacetOp is `facet by a, b with (sub-query)`. With is nil or a pipeline without input. WithParen says that it was
// parenthesised; without, it holds one operator.
type FacetOp struct {
	Span
	By        []Expr
	With      Expr
	WithParen bool
}

// FindOp is `find in (tables) where Pred project a, b:string, pack(*) project-away c`.
type FindOp struct {
	Span
	Scope        *Name // datascope=…, or nil
	Params       []*Param
	In           []Expr // nil: all tables; an entry may be a PipeExpr with AsOp
	Pred         Expr
	Project      []*FindColumn
	ProjectSmart bool
	ProjectAway  []*FindColumn
}

// FindColumn is one output column of find: a name with optional type, `*`, or `pack(*)`.
type FindColumn struct {
	Span
	Name *NameRef
	Type *TypeRef
	Star bool
	Pack bool
}

// ForkOp is `fork a=(sub-query) (sub-query)`.
type ForkOp struct {
	Span
	Branches []*ForkBranch
}

// ForkBranch is one leg of fork: a pipeline without input. Name may be nil.
type ForkBranch struct {
	Span
	Name *Name
	X    Expr
}

// GetSchemaOp is `getschema [kind=csl]`.
type GetSchemaOp struct {
	Span
	Kind *Param
}

// GraphMarkComponentsOp is `graph-mark-components kind=weak with_component_id=x`.
type GraphMarkComponentsOp struct {
	Span
	Params []*Param
}

// GraphMatchOp is `graph-match [cycles=none] (a)-[e]->(b) where … project …`; Shortest for graph-shortest-paths.
type GraphMatchOp struct {
	Span
	Shortest bool
	Params   []*Param
	Patterns []*GraphPattern
	Where    Expr
	Project  []Expr
}

// GraphPattern is one path of nodes and edges; Items are *GraphNode and *GraphEdge in order.
type GraphPattern struct {
	Span
	Items []GraphItem
}

// GraphItem is a GraphNode or GraphEdge.
type GraphItem interface {
	Node
	graphItem()
}

// GraphNode is `(name)`; Name may be nil.
type GraphNode struct {
	Span
	Name *Name
}

// EdgeDir is the direction of an edge.
type EdgeDir uint8

// The directions: -->, <--, -- (any), and <-[e]->, which parses but has no documented meaning: a binder refuses it.
const (
	EdgeOut EdgeDir = iota
	EdgeIn
	EdgeAny
	EdgeBoth
)

// GraphEdge is `-[name*1..5]->`, or `-->` without brackets (Bare). Min and Max are nil for a single edge.
type GraphEdge struct {
	Span
	Dir      EdgeDir
	Bare     bool
	Name     *Name
	Min, Max Expr
}

func (*GraphNode) graphItem() {}
func (*GraphEdge) graphItem() {}

// GraphToTableOp is `graph-to-table nodes as N with_node_id=id, edges as E`.
type GraphToTableOp struct {
	Span
	Outputs []*GraphOutput
}

// GraphOutput is one output table of graph-to-table. As may be nil.
type GraphOutput struct {
	Span
	Edges  bool // edges, else nodes
	As     *Name
	Params []*Param
}

// GraphWhereOp is `graph-where-nodes Pred` or, with Edges, `graph-where-edges Pred`.
type GraphWhereOp struct {
	Span
	Edges bool
	Pred  Expr
}

// InvokeOp is `invoke f(args)`; Call is a *Call, or a PathExpr of calls.
type InvokeOp struct {
	Span
	Call Expr
}

// JoinOp is `join kind=inner (Right) on a, $left.b == $right.c`. Where is the old `join … where` form.
type JoinOp struct {
	Span
	Params []*Param
	Right  Expr
	On     []Expr
	Where  Expr
}

// LookupOp is `lookup kind=leftouter (Right) on a`.
type LookupOp struct {
	Span
	Params []*Param
	Right  Expr
	On     []Expr
}

// MacroExpandOp is `macro-expand [params] entity_group as Scope ( statements )`. As may be nil.
type MacroExpandOp struct {
	Span
	Params     []*Param
	Group      Expr // *EntityGroup, Call, PathExpr or NameRef
	As         *Name
	Statements []Statement
}

// MakeGraphOp is `make-graph Source --> Target with Nodes on id, … partitioned-by c (sub-query)`.
type MakeGraphOp struct {
	Span
	Params     []*Param
	Source     *NameRef
	Directed   bool // --> else --
	Target     *NameRef
	Nodes      []*GraphNodeTable
	WithNodeID *Name
	// PartitionedBy and Sub come together or not at all. Sub is a pipeline without input.
	PartitionedBy Expr
	Sub           Expr
}

// GraphNodeTable is `Table on Column`.
type GraphNodeTable struct {
	Span
	Table Expr
	On    *NameRef
}

// MakeSeriesOp is `make-series kind=nonempty x=avg(a) default=0 on t from … to … step … by k`.
type MakeSeriesOp struct {
	Span
	Params []*Param
	Aggs   []*SeriesAgg
	On     Expr
	From   Expr // nil if not given
	To     Expr // nil if not given
	Step   Expr // nil only in the in-range form
	// InRange holds the arguments of `in range(start, stop, step)`; then From, To and Step are nil.
	InRange []Expr
	By      []Expr
}

// SeriesAgg is one aggregate of make-series; Default may be nil.
type SeriesAgg struct {
	Span
	X       Expr
	Default Expr
}

// MvColumn is one column of mv-expand or mv-apply: an expression (nil in `mv-apply to typeof(…)`), and its target type.
type MvColumn struct {
	Span
	X  Expr
	To *TypeOf
}

// MvExpandOp is `mv-expand kind=array a to typeof(long), b limit 5`.
type MvExpandOp struct {
	Span
	Params  []*Param
	Columns []*MvColumn
	Limit   Expr
}

// MvApplyOp is `mv-apply with_itemindex=i a to typeof(long) limit 5 on ( sub-query )`. Sub is a pipeline without input
// or one that begins with a ContextualDataTable.
type MvApplyOp struct {
	Span
	Params  []*Param
	Columns []*MvColumn
	Limit   Expr
	ID      Expr
	Sub     Expr
}

// ParseOp is `parse kind=regex flags=Ui X with * "text" a:long *`; WhereMode for parse-where.
type ParseOp struct {
	Span
	WhereMode bool
	Params    []*Param
	X         Expr
	Pattern   []*ParsePart
}

// ParsePart is one element of a parse pattern: `*`, a text, or a column with optional type.
// Exactly one of Star, Text and Name is set.
type ParsePart struct {
	Span
	Star bool
	Text *Literal
	Name *Name
	Type *TypeRef
}

// ParseKvOp is `parse-kv X as (a:long) with (pair_delimiter=";")`.
type ParseKvOp struct {
	Span
	X      Expr
	Schema *Schema
	With   []*Param
}

// PartitionOp is `partition hint.strategy=native by col (sub-query)` or, with Braces, `partition by col { query }`.
// In is the `in scope` part or nil. Sub is a pipeline without input in the first form.
type PartitionOp struct {
	Span
	Params []*Param
	By     Expr
	In     Expr
	Braces bool
	Sub    Expr
}

// PartitionByOp is the internal `__partitionby col id 'x' (sub-query)`.
type PartitionByOp struct {
	Span
	Params []*Param
	Entity Expr
	ID     Expr
	Sub    Expr
}

// PrintOp is `print a = 1, 2`.
type PrintOp struct {
	Span
	Items []Expr
}

// ProjectOp is `project a, b = x`.
type ProjectOp struct {
	Span
	Items []Expr
}

// ProjectAwayOp is `project-away a, b*`.
type ProjectAwayOp struct {
	Span
	Names []Expr
}

// ProjectKeepOp is `project-keep a, b*`.
type ProjectKeepOp struct {
	Span
	Names []Expr
}

// ProjectRenameOp is `project-rename new = old`.
type ProjectRenameOp struct {
	Span
	Items []Expr
}

// ProjectReorderOp is `project-reorder a, b* asc`; items are NameRef, WildcardName, Star or OrderedExpr over them.
type ProjectReorderOp struct {
	Span
	Items []Expr
}

// ProjectByNamesOp is `project-by-names expr, …`.
type ProjectByNamesOp struct {
	Span
	Items []Expr
}

// RangeOp is `range Name from From to To step Step`.
type RangeOp struct {
	Span
	Name           *Name
	From, To, Step Expr
}

// ReduceOp is `reduce by X with threshold=0.1, characters="x"`.
type ReduceOp struct {
	Span
	Params []*Param
	By     Expr
	With   []*Param
}

// RenderOp is `render timechart with (title="x", ycolumns=a, b)`. Params are the old properties that stand before with.
type RenderOp struct {
	Span
	Chart  *Name
	Params []*Param
	With   []*Param
}

// SampleOp is `sample N`.
type SampleOp struct {
	Span
	Params []*Param
	N      Expr
}

// SampleDistinctOp is `sample-distinct N of X`.
type SampleDistinctOp struct {
	Span
	Params []*Param
	N, Of  Expr
}

// ScanOp is `scan with_match_id=m order by t partition by k declare (x:long=0) with ( step s: cond => x = 1; )`.
type ScanOp struct {
	Span
	Params      []*Param
	OrderBy     []Expr
	PartitionBy []Expr
	Declare     []*FuncParam
	Steps       []*ScanStep
}

// ScanStep is one step. Output is nil, all, last or none.
type ScanStep struct {
	Span
	Name     *Name
	Optional bool
	Output   *Name
	Cond     Expr
	Assign   []*ScanAssign
}

// ScanAssign is `column = X` of a step.
type ScanAssign struct {
	Span
	Name *NameRef
	X    Expr
}

// SearchOp is `search kind=case_sensitive in (tables) Pred`. Pred may hold Star, strings and `col:"x"`.
type SearchOp struct {
	Span
	Params []*Param
	Scope  *Name
	In     []Expr
	Pred   Expr
}

// SerializeOp is `serialize a = x`.
type SerializeOp struct {
	Span
	Params []*Param
	Items  []Expr
}

// SortOp is `sort by a asc, b`; keys are OrderedExpr or plain (then descending).
type SortOp struct {
	Span
	Params []*Param
	Keys   []Expr
}

// SummarizeOp is `summarize hint.strategy=shuffle x = sum(a) by b`. HasBy is true for an empty by list too.
// Bin is the old `by t bin=1h` form.
type SummarizeOp struct {
	Span
	Params []*Param
	Aggs   []Expr
	HasBy  bool
	By     []Expr
	Bin    Expr
}

// TakeOp is `take N` or `limit N`.
type TakeOp struct {
	Span
	Params []*Param
	N      Expr
}

// TopOp is `top N by Key`.
type TopOp struct {
	Span
	Params []*Param
	N      Expr
	By     Expr
}

// TopHittersOp is `top-hitters N of X by W`. By may be nil.
type TopHittersOp struct {
	Span
	N, Of, By Expr
}

// TopNestedOp is `top-nested 2 of a with others="x" by sum(b), top-nested …`.
type TopNestedOp struct {
	Span
	Levels []*TopNestedLevel
}

// TopNestedLevel is one level. N and Others may be nil.
type TopNestedLevel struct {
	Span
	N      Expr
	Of     Expr
	Others Expr
	By     Expr
}

// UnionOp is `union kind=outer withsource=s isfuzzy=true A, B*, (query)`.
type UnionOp struct {
	Span
	Params []*Param
	Tables []Expr
}

// WhereOp is `where Pred` or `filter Pred`.
type WhereOp struct {
	Span
	Params []*Param
	Pred   Expr
}

// BadOp stands for an unknown or missing operator; an error was reported for it.
type BadOp struct {
	Span
	Name string
}

func (*AsOp) operator()                  {}
func (*AssertSchemaOp) operator()        {}
func (*ConsumeOp) operator()             {}
func (*CountOp) operator()               {}
func (*DistinctOp) operator()            {}
func (*EvaluateOp) operator()            {}
func (*ExecuteAndCacheOp) operator()     {}
func (*ExtendOp) operator()              {}
func (*FacetOp) operator()               {}
func (*FindOp) operator()                {}
func (*ForkOp) operator()                {}
func (*GetSchemaOp) operator()           {}
func (*GraphMarkComponentsOp) operator() {}
func (*GraphMatchOp) operator()          {}
func (*GraphToTableOp) operator()        {}
func (*GraphWhereOp) operator()          {}
func (*InvokeOp) operator()              {}
func (*JoinOp) operator()                {}
func (*LookupOp) operator()              {}
func (*MacroExpandOp) operator()         {}
func (*MakeGraphOp) operator()           {}
func (*MakeSeriesOp) operator()          {}
func (*MvExpandOp) operator()            {}
func (*MvApplyOp) operator()             {}
func (*ParseOp) operator()               {}
func (*ParseKvOp) operator()             {}
func (*PartitionOp) operator()           {}
func (*PartitionByOp) operator()         {}
func (*PrintOp) operator()               {}
func (*ProjectOp) operator()             {}
func (*ProjectAwayOp) operator()         {}
func (*ProjectKeepOp) operator()         {}
func (*ProjectRenameOp) operator()       {}
func (*ProjectReorderOp) operator()      {}
func (*ProjectByNamesOp) operator()      {}
func (*RangeOp) operator()               {}
func (*ReduceOp) operator()              {}
func (*RenderOp) operator()              {}
func (*SampleOp) operator()              {}
func (*SampleDistinctOp) operator()      {}
func (*ScanOp) operator()                {}
func (*SearchOp) operator()              {}
func (*SerializeOp) operator()           {}
func (*SortOp) operator()                {}
func (*SummarizeOp) operator()           {}
func (*TakeOp) operator()                {}
func (*TopOp) operator()                 {}
func (*TopHittersOp) operator()          {}
func (*TopNestedOp) operator()           {}
func (*UnionOp) operator()               {}
func (*WhereOp) operator()               {}
func (*BadOp) operator()                 {}
