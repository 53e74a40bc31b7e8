package syntax

import "picket/kql/value"

// Span is a range of bytes in the text, End exclusive. Every node embeds one.
type Span struct{ Start, End int }

// Range gives the span; it makes every node that embeds Span a [Node].
func (s Span) Range() Span { return s }

// Node is any part of the tree.
type Node interface{ Range() Span }

// Expr is a scalar or tabular expression.
type Expr interface {
	Node
	expr()
}

// Operator is one query operator. In a [PipeExpr] it stands after the bar; an operator that begins a query
// (print, range, union, find, search, evaluate, macro-expand, or the first of a sub-query) stands in a PipeExpr
// without Input.
type Operator interface {
	Node
	operator()
}

// Statement is one of the statements of a document or function body.
type Statement interface {
	Node
	statement()
}

// Document is a whole text: client directives and statements in order. A text may hold several queries;
// each ExprStmt is one.
type Document struct {
	Span
	Directives []*Directive
	Statements []Statement
}

// Directive is a client line such as `#connect cluster('help')`, without the sharp.
type Directive struct {
	Span
	Text string
}

// Name is a declared name: a column, variable, function, parameter. Text has the brackets and escapes removed.
type Name struct {
	Span
	Text string
}

// ---- statements ----

// LetStmt is `let Name = Value`. Value may be an Expr of any kind, a *Lambda, or an *EntityGroup.
type LetStmt struct {
	Span
	Name  *Name
	Value Expr
}

// SetStmt is `set name` or `set name = value`. Value may be nil.
type SetStmt struct {
	Span
	Name  *Name
	Value Expr
}

// QueryParametersStmt is `declare query_parameters(a:long = 1, b:string)`.
type QueryParametersStmt struct {
	Span
	Params []*FuncParam
}

// PatternStmt is `declare pattern Name` or, with Decl, `declare pattern Name = (a:string)[p:string] { … }`.
type PatternStmt struct {
	Span
	Name *Name
	Decl *PatternDecl
}

// PatternDecl is the definition of a pattern: its parameters, optional path parameter and its cases.
type PatternDecl struct {
	Span
	Params  []*TypedName
	Path    *TypedName
	Matches []*PatternMatch
}

// PatternMatch is one case `("a", "b").["path"] = { body };`. Path may be nil.
type PatternMatch struct {
	Span
	Args []Expr
	Path Expr
	Body *FuncBody
}

// RestrictStmt is `restrict access to (a, b, db.*) with (name=value)`.
type RestrictStmt struct {
	Span
	Entities []Expr
	With     []*Param
}

// AliasStmt is `alias database Name = cluster("c").database("d")`.
type AliasStmt struct {
	Span
	Name  *Name
	Value Expr
}

// CommandStmt is a management command (`.create table …`): a text whose first sign is a dot. The language of commands
// is not the query language; Text is the whole command, for whoever serves commands.
type CommandStmt struct {
	Span
	Text string
}

// ExprStmt is a query (or any expression) that stands as a statement.
type ExprStmt struct {
	Span
	X Expr
}

func (*LetStmt) statement()             {}
func (*SetStmt) statement()             {}
func (*QueryParametersStmt) statement() {}
func (*PatternStmt) statement()         {}
func (*RestrictStmt) statement()        {}
func (*AliasStmt) statement()           {}
func (*ExprStmt) statement()            {}
func (*CommandStmt) statement()         {}

// ---- types and schemas ----

// TypeRef is the name of a scalar type as written. Type is value.Invalid when the name is unknown.
type TypeRef struct {
	Span
	Type value.Type
	Text string
}

// TypedName is `name:type`. Exactly one of Type and Table is set; Table only for function parameters.
type TypedName struct {
	Span
	Name  *Name
	Type  *TypeRef
	Table *TableType
}

// TableType is the type of a tabular parameter: `(a:string, b:long)`, or `(*)` with Any (any columns). With both,
// `(a:string, *)`, at least the listed columns must be there.
type TableType struct {
	Span
	Any     bool
	Columns []*TypedName
}

// Schema is a row schema `(a:string, b:long)` of datatable, externaldata, parse-kv, assert-schema and, with Star
// (`(*, a:string)`, the input's columns come first), of evaluate.
type Schema struct {
	Span
	Star    bool
	Columns []*TypedName
}

// FuncParam is a parameter with its optional default (a literal or a word as *NameRef).
type FuncParam struct {
	Span
	*TypedName
	Default Expr
}

// Range gives the span of the whole parameter, default included.
func (p *FuncParam) Range() Span { return p.Span }

// FuncBody is `{ let a = 1; query }`. Result is nil when the body holds statements only.
type FuncBody struct {
	Span
	Statements []Statement // LetStmt and QueryParametersStmt
	Result     Expr
}

// Lambda is the value of a let that declares a function: `[view] (params) { body }`.
type Lambda struct {
	Span
	View   bool
	Params []*FuncParam
	Body   *FuncBody
}

// EntityGroup is `entity_group [cluster('a').database('b'), …]`.
type EntityGroup struct {
	Span
	Entities []Expr
}

// Param is a `name=value` pair: an operator's parameter or hint, or a property of a with clause.
// Value is a *Literal, a *NameRef (words are names too), a *NameList, or another Expr. NoEquals marks render's old
// `by a, b` and `with …` forms, which have no equals sign.
type Param struct {
	Span
	Name     *Name
	Value    Expr
	NoEquals bool
}

// NameList is the value of a parameter that takes several columns: `ycolumns=a, b`.
type NameList struct {
	Span
	Names []*NameRef
}

// ---- expressions ----

// BadExpr stands where an expression is missing; an error was reported for it.
type BadExpr struct{ Span }

// NameRef refers to a column, table, variable, or is a word in a parameter. Name has brackets and escapes removed.
// Quoted says that it was written in brackets. Braced marks a client parameter `{name}`.
type NameRef struct {
	Span
	Name   string
	Quoted bool
	Braced bool
}

// WildcardName is a name with asterisks, `Security*` or `*`-led such as `*Event`. Bracketed is the form [a*b].
type WildcardName struct {
	Span
	Pattern   string
	Bracketed bool
}

// Star is `*` on its own: all columns, or all columns' text in search.
type Star struct{ Span }

// At is `@` in a path (the current scope of old queries).
type At struct{ Span }

// PathExpr is `X.Member`. Member is a NameRef, WildcardName, Call, IndexSel or At.
type PathExpr struct {
	Span
	X      Expr
	Member Expr
}

// IndexExpr is `X[Index]`. Index is any expression; entity paths may hold a NameRef or WildcardName.
type IndexExpr struct {
	Span
	X     Expr
	Index Expr
}

// IndexSel is a bracketed expression without what it applies to: `[1]` at the start of a path or after a dot.
type IndexSel struct {
	Span
	Index Expr
}

// ScopeExpr is `X datascope=hotcache`.
type ScopeExpr struct {
	Span
	X     Expr
	Scope *Name
}

// Call is a function call. Kind is the `kind=…` parameter of toscalar and totable (`toscalar kind=nooptimization (…)`),
// else nil. Arguments may be NamedExpr and Star. Materialize, toscalar and totable are calls with one argument.
type Call struct {
	Span
	Name *NameRef
	Kind *Param
	Args []Expr
}

// NamedExpr is `Name = X`, or `(a, b) = X` with several names. Tuple marks the parenthesised form.
type NamedExpr struct {
	Span
	Names []*Name
	Tuple bool
	X     Expr
}

// ParenExpr is `(X)`; X may be a whole query.
type ParenExpr struct {
	Span
	X Expr
}

// UnaryExpr is `-X` or `+X`. A sign that touches a number in a literal position is part of the Literal instead.
type UnaryExpr struct {
	Span
	Op BinaryOp // UnaryMinus or UnaryPlus
	X  Expr
}

// BinaryExpr is `X Op Y`; and, or, comparison, arithmetic and all string operators. OpSpan is the operator's place.
type BinaryExpr struct {
	Span
	Op     BinaryOp
	X, Y   Expr
	OpSpan Span
}

// InExpr is `X in (…)` and its relatives. The list holds scalars, or one tabular expression.
// Op is In (in~), InCs (in), NotIn (!in~), NotInCs (!in), HasAny or HasAll.
type InExpr struct {
	Span
	Op     BinaryOp
	X      Expr
	List   []Expr
	OpSpan Span
}

// BetweenExpr is `X between (Low .. High)`; Op is Between or NotBetween.
type BetweenExpr struct {
	Span
	Op        BinaryOp
	X         Expr
	Low, High Expr
	OpSpan    Span
}

// Order is the direction of a sort key.
type Order uint8

// The directions. OrderDefault means that none was written (descending in sort and top).
const (
	OrderDefault Order = iota
	OrderAsc
	OrderDesc
	OrderGrannyAsc
	OrderGrannyDesc
)

// Nulls is the place of nulls in a sort key.
type Nulls uint8

// The places of nulls. NullsDefault means that none was written: first when ascending, last when descending.
const (
	NullsDefault Nulls = iota
	NullsFirst
	NullsLast
)

// OrderedExpr is `X asc nulls first`. An expression without any such word is not wrapped.
type OrderedExpr struct {
	Span
	X     Expr
	Order Order
	Nulls Nulls
}

// Literal is a constant. Value holds what it means. A null literal such as long(null) has Value.Null. A literal whose
// text value's parsers can't read has Undecoded and no value: int(abc) and 99999999999999999999 are correct syntax;
// the binder decides (the conversion functions give null for such a text).
type Literal struct {
	Span
	Text      string // as written; adjacent strings are joined by a space
	Type      value.Type
	Value     value.Value
	Inner     string // text between the parentheses, trimmed, for the forms type(…)
	Undecoded bool
}

// NullLit is `null` inside dynamic.
type NullLit struct{ Span }

// DynamicLit is `dynamic(Value)`. Value is a Literal, NullLit, ArrayLit, ObjectLit, DynamicLit, NameRef with Braced,
// or UnaryExpr over a number.
type DynamicLit struct {
	Span
	Value Expr
}

// ArrayLit is `[a, b]` inside dynamic.
type ArrayLit struct {
	Span
	Elems []Expr
}

// ObjectLit is `{"a": 1}` inside dynamic. Keys may repeat; the last wins.
type ObjectLit struct {
	Span
	Pairs []*Pair
}

// Pair is one key and value of an ObjectLit.
type Pair struct {
	Span
	Key   string
	Value Expr
}

// TypeOf is `typeof(long)`; with Columns or Star, `typeof(*, a:long)`.
type TypeOf struct {
	Span
	Type    *TypeRef // the single type form, else nil
	Star    bool
	Columns []*TypedName
}

// PipeExpr is `Input | Op`. Input is nil where Op begins the query or sub-query.
type PipeExpr struct {
	Span
	Input Expr
	Op    Operator
}

// DataTable is `datatable (a:long) [1, 2]`; values row by row.
type DataTable struct {
	Span
	Params []*Param
	Schema *Schema
	Values []Expr
}

// ContextualDataTable is the internal `__contextual_datatable id (schema)`.
type ContextualDataTable struct {
	Span
	ID     Expr
	Schema *Schema
}

// ExternalData is `externaldata (a:long) [uri, …] with (format="csv")`.
type ExternalData struct {
	Span
	Params []*Param
	Schema *Schema
	URIs   []Expr
	With   []*Param
}

// InlineExternalTable is `inline_external_table (a:long) kind=storage … dataformat=csv (uri) with (…)`.
type InlineExternalTable struct {
	Span
	Params     []*Param
	Schema     *Schema // nil when left out (kind=delta)
	Kind       *Name
	Partition  []*PartitionColumn
	PathFormat *PathFormat
	DataFormat *Name // nil when left out (kind=delta)
	URIs       []Expr
	With       []*Param
}

// PartitionColumn is `name:type = expr`; X may be nil.
type PartitionColumn struct {
	Span
	Name *Name
	Type *TypeRef
	X    Expr
}

// PathFormat is `pathformat = ("sep" a "sep" datetime_pattern("yyyy", b))`.
type PathFormat struct {
	Span
	Prefix string
	Parts  []*PathPart
}

// PathPart is one element of a PathFormat: a partition column, its optional datetime pattern, and the text after it.
type PathPart struct {
	Span
	Column  *NameRef
	Pattern string
	After   string
}

// MaterializedViewCombine is `materialized-view-combine (name) base (…) delta (…) aggregations (summarize …)`.
type MaterializedViewCombine struct {
	Span
	View         Expr
	Base, Delta  Expr
	Aggregations *SummarizeOp
}

func (*BadExpr) expr()                 {}
func (*NameRef) expr()                 {}
func (*WildcardName) expr()            {}
func (*Star) expr()                    {}
func (*At) expr()                      {}
func (*PathExpr) expr()                {}
func (*IndexExpr) expr()               {}
func (*IndexSel) expr()                {}
func (*ScopeExpr) expr()               {}
func (*Call) expr()                    {}
func (*NamedExpr) expr()               {}
func (*ParenExpr) expr()               {}
func (*UnaryExpr) expr()               {}
func (*BinaryExpr) expr()              {}
func (*InExpr) expr()                  {}
func (*BetweenExpr) expr()             {}
func (*OrderedExpr) expr()             {}
func (*Literal) expr()                 {}
func (*NullLit) expr()                 {}
func (*DynamicLit) expr()              {}
func (*ArrayLit) expr()                {}
func (*ObjectLit) expr()               {}
func (*TypeOf) expr()                  {}
func (*PipeExpr) expr()                {}
func (*DataTable) expr()               {}
func (*ContextualDataTable) expr()     {}
func (*ExternalData) expr()            {}
func (*InlineExternalTable) expr()     {}
func (*MaterializedViewCombine) expr() {}
func (*Lambda) expr()                  {}
func (*EntityGroup) expr()             {}
func (*NameList) expr()                {}
