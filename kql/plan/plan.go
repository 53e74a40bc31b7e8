package plan

import "picket/kql/value"

// ColID identifies a column inside one query. Ids start at 1; 0 means "no column".
type ColID int32

// Col is a column that a node produces.
type Col struct {
	ID   ColID
	Name string // KQL name, case kept; meaningful for people and at roots only
	Type value.Type
}

// Span is a byte range of the query text, End exclusive. Both 0 when the thing was made by the binder.
type Span struct{ Start, End int }

// Query is a bound request: one or more results in the order in which they are returned.
type Query struct {
	Results []Result
	// Settings holds the options of `set name = value;` statements, last one wins. A bare `set name;` is true.
	Settings map[string]value.Value
	// Shared lists the sub-plans that [SharedRef] nodes read, by SharedRef.ID. An entry may read earlier
	// entries, never later ones.
	Shared []*Shared
	// Tables are the base tables that the query reads, in order of first appearance, without repeats.
	Tables []TableName
	// MaxCol is the highest ColID in use: a rewriter takes MaxCol+1 for the next fresh column.
	MaxCol ColID
}

// TableName is a table with the database and cluster written in the query ("" when not written).
type TableName struct{ Cluster, Database, Name string }

// Result is one table that a query returns.
type Result struct {
	// Name is the name given by `as`, by fork's branch, or by facet's column; else "".
	Name string
	Node Node
	// Render is what a trailing render operator asked for; nil without one.
	Render *Render
}

// Render is the visualisation hint of the render operator.
type Render struct {
	Kind  string            // table, timechart, piechart, …
	Props map[string]string // title, xcolumn, ycolumns (comma separated), …
}

// Shared is a sub-plan with a name of its own, read by one or more [SharedRef]s.
type Shared struct {
	ID   int
	Name string // the let's name, if any
	Node Node
	// Materialized is set for materialize(...) and for sub-plans whose branches (fork, facet) must see the same
	// rows: compute once per query. Otherwise it is only a let that is read more than once, and an engine
	// may inline it.
	Materialized bool
}

// Node is a relational operator. Cols lists its output columns in order; callers must not change the slice.
type Node interface {
	Cols() []Col
	node()
}

// Item computes one output column. A column that passes through is an Item whose Expr is a *ColRef with
// the same ID as Col.
type Item struct {
	Col  Col
	Expr Expr
}

// PassThrough reports whether the item hands an input column on unchanged (it may have a new name).
func (it Item) PassThrough() bool {
	r, ok := it.Expr.(*ColRef)
	return ok && r.ID == it.Col.ID
}

// Expr is a scalar expression over the columns of the input of its node.
type Expr interface {
	// Type is the KQL type that the binder computed.
	Type() value.Type
	// Pos is the place in the query text that the expression came from.
	Pos() Span
	expr()
}
