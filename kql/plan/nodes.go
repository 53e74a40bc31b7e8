package plan

import "picket/kql/value"

// Scan reads a base table. Out lists all its columns, each with a fresh id, in the schema's order; a
// rewriter may drop those that nobody reads.
type Scan struct {
	Cluster  string // cluster("…") as written, else ""
	Database string // database("…") or workspace("…") as written, else ""
	Table    string
	Out      []Col
	At       Span
}

// Values is a table of constants: datatable, getschema, an empty branch (no rows), or the single row
// without columns under print.
type Values struct {
	Out  []Col
	Rows [][]value.Value // each of len(Out); may hold rows with no cells
}

// Range is `range x from a to b step c`. Bounds are constants or ScalarSubs.
type Range struct {
	Out            Col
	From, To, Step Expr
}

// Filter keeps the rows for which Pred is true (where).
type Filter struct {
	Input Node
	Pred  Expr
}

// Project computes exactly Items, in order: project, project-away/keep/rename/reorder, extend, print.
// All items see the input's columns only.
type Project struct {
	Input Node
	Items []Item
	// Serialized is set on the serialize operator and on an extend that uses window functions: rows keep the
	// input's order.
	Serialized bool
}

// Agg is an aggregate of Summarize or MakeSeries. Most give one column. Several give more:
//
//   - arg_max, arg_min: Out[i] is the value of Call.Args[i] in the chosen row (Args[0] is what is compared);
//     `*` is expanded. A *Const null of its type in Out's place does not occur.
//   - take_any / any with several arguments: Out[i] is Args[i], all from one row.
//
// percentiles and percentilesw are split into one percentile / percentilew a column.
type Agg struct {
	Out  []Col
	Call *AggCall
}

// Summarize groups by Keys (null and "" are groups) and aggregates. Without keys it gives exactly one row,
// also over no input. With keys and no aggregates it is distinct. Output: keys, then aggregates in order
// (a Project above restores the query's order and does arithmetic over aggregates).
type Summarize struct {
	Input Node
	Keys  []Item
	Aggs  []Agg
	// Hint.strategy, shufflekey … are ignored.
}

// SortKey orders by Expr. Strings compare ordinally.
type SortKey struct {
	Expr       Expr
	Desc       bool
	NullsFirst bool // settled by the binder: default is first for asc, last for desc
}

// Sort orders the rows; the output is serialized.
type Sort struct {
	Input Node
	Keys  []SortKey
}

// Top is the first N rows of the order (N a constant or ScalarSub). Serialized.
type Top struct {
	Input Node
	N     Expr
	Keys  []SortKey
}

// Take gives any N rows; over a serialized input the first N.
type Take struct {
	Input Node
	N     Expr
}

// Sample gives N random rows.
type Sample struct {
	Input Node
	N     Expr
}

// SampleDistinct gives up to N distinct values of By as the only column.
type SampleDistinct struct {
	Input Node
	N     Expr
	By    Item
}

// JoinKind is the flavour of a join.
type JoinKind uint8

// The flavours. Semi and anti joins give the columns of one side only.
const (
	InnerUnique JoinKind = iota // one left row a key, then inner
	Inner
	LeftOuter
	RightOuter
	FullOuter
	LeftSemi
	RightSemi
	LeftAnti
	RightAnti
)

var joinNames = [...]string{"innerunique", "inner", "leftouter", "rightouter", "fullouter", "leftsemi", "rightsemi", "leftanti", "rightanti"}

func (k JoinKind) String() string { return joinNames[k] }

// JoinKey is one equality of a join; L reads the left input, R the right. null equals null.
type JoinKey struct{ L, R Expr }

// Join joins on equality of all keys. Out picks columns of both sides by id (names are the final ones:
// a right column that collides is renamed). lookup is a Join whose Out leaves the right keys out.
// Missing sides are null ("" for strings).
type Join struct {
	Kind        JoinKind
	Left, Right Node
	On          []JoinKey
	Out         []Col
	At          Span
}

// Union appends the inputs. Out is the union of columns; Map[i][j] is the id in input i that feeds Out[j],
// or 0 for null. When Source is set, it is a string column of Out and holds Labels[i]; its Map entry is 0.
type Union struct {
	Inputs []Node
	Out    []Col
	Map    [][]ColID
	Source ColID // 0 without withsource
	Labels []string
}

// ExpandKind says how mv-expand treats a property bag.
type ExpandKind uint8

const (
	// ExpandBag gives one bag with a single property a row.
	ExpandBag ExpandKind = iota
	// ExpandArray gives [key, value] arrays.
	ExpandArray
)

// Expand is one expanded column: X (dynamic, or any scalar, which gives itself once) yields Out.
// With ToType (≠ Invalid) each element is converted as mv-expand's `to typeof` does.
type Expand struct {
	X      Expr
	Out    Col
	ToType value.Type
}

// MvExpand multiplies rows: the columns zip to the longest, shorter ones padded with null. A null array gives
// one row with null, an empty one none. Out is the full output order: ids of the input, of Expand[i].Out, and of
// Index.
type MvExpand struct {
	Input  Node
	Kind   ExpandKind
	Expand []Expand
	Index  Col  // with_itemindex (long, from 0); ID 0 when absent
	Limit  Expr // per row; nil when absent
	Out    []Col
}

// MvApply expands like MvExpand, then runs Sub over the rows made from each input row. Sub reads them through
// the [Correlated] leaf with the same ID, whose Out are the input's columns and the expanded ones. Out picks
// ids of the input (repeated for each row of Sub) and of Sub's output.
type MvApply struct {
	Input  Node
	Kind   ExpandKind
	Expand []Expand
	Index  Col
	Limit  Expr // rows per input row; nil when absent
	ID     int
	Sub    Node
	Out    []Col
}

// Correlated is the leaf that stands for the rows which the operator with the same ID (MvApply, Partition)
// hands to its sub-plan.
type Correlated struct {
	ID  int
	Out []Col
}

// Partition splits the input by Key and runs Sub on each part; results are appended. Sub reads its part
// through Correlated with the same ID.
type Partition struct {
	Input Node
	Key   Expr
	ID    int
	Sub   Node
	// Strategy is native, shuffle or legacy ("" when not written); only legacy limits the number of parts (64).
	Strategy string
}

// Serialize keeps the order of its input and allows window functions above.
type Serialize struct{ Input Node }

// Consume runs the input and gives no rows.
type Consume struct{ Input Node }

// ExternalRel is a leaf that another engine has already computed.
type ExternalRel struct {
	ID  int
	Out []Col
}

// SharedRef reads Query.Shared[ID]; Out[i] is a fresh id for the i-th column of the shared node.
type SharedRef struct {
	ID  int
	Out []Col
}

// ExternalData reads files at URIs into Out.
type ExternalData struct {
	Out   []Col
	URIs  []Expr
	Props map[string]value.Value // format, ignoreFirstRecord, …
	At    Span
}

// Evaluate runs a plugin. Out is its output schema. With Dynamic the schema depends on the data: the binder
// asked Options.PluginSchema for it, or, when that is nil, left the unknown columns out; such a plan must
// not be run.
type Evaluate struct {
	Input  Node // nil for plugins that take no input (http_request, …)
	Plugin string
	Args   []Expr // *Const, *ColRef, *Call, *Star, *TableArg; typeof(...) is a const string
	// ArgNames is the catalogue's name of the parameter that each of Args is for, "" when it has none.
	ArgNames []string
	Out      []Col
	Dynamic  bool
	// Declared is set when the query gave the schema (evaluate p() : (a:long)).
	Declared bool
	At       Span
}

func (n *Scan) Cols() []Col           { return n.Out }
func (n *Values) Cols() []Col         { return n.Out }
func (n *Range) Cols() []Col          { return []Col{n.Out} }
func (n *Filter) Cols() []Col         { return n.Input.Cols() }
func (n *Project) Cols() []Col        { return itemCols(n.Items) }
func (n *Sort) Cols() []Col           { return n.Input.Cols() }
func (n *Top) Cols() []Col            { return n.Input.Cols() }
func (n *Take) Cols() []Col           { return n.Input.Cols() }
func (n *Sample) Cols() []Col         { return n.Input.Cols() }
func (n *SampleDistinct) Cols() []Col { return []Col{n.By.Col} }
func (n *Join) Cols() []Col           { return n.Out }
func (n *Union) Cols() []Col          { return n.Out }
func (n *MvExpand) Cols() []Col       { return n.Out }
func (n *MvApply) Cols() []Col        { return n.Out }
func (n *Correlated) Cols() []Col     { return n.Out }
func (n *Partition) Cols() []Col      { return n.Sub.Cols() }
func (n *Serialize) Cols() []Col      { return n.Input.Cols() }
func (n *Consume) Cols() []Col        { return nil }
func (n *ExternalRel) Cols() []Col    { return n.Out }
func (n *SharedRef) Cols() []Col      { return n.Out }
func (n *ExternalData) Cols() []Col   { return n.Out }
func (n *Evaluate) Cols() []Col       { return n.Out }

// Cols gives the keys, then the aggregates' columns.
func (n *Summarize) Cols() []Col {
	out := itemCols(n.Keys)
	for _, a := range n.Aggs {
		out = append(out, a.Out...)
	}
	return out
}

func itemCols(items []Item) []Col {
	out := make([]Col, len(items), len(items)+4)
	for i := range items {
		out[i] = items[i].Col
	}
	return out
}

func (*Scan) node()           {}
func (*Values) node()         {}
func (*Range) node()          {}
func (*Filter) node()         {}
func (*Project) node()        {}
func (*Summarize) node()      {}
func (*Sort) node()           {}
func (*Top) node()            {}
func (*Take) node()           {}
func (*Sample) node()         {}
func (*SampleDistinct) node() {}
func (*Join) node()           {}
func (*Union) node()          {}
func (*MvExpand) node()       {}
func (*MvApply) node()        {}
func (*Correlated) node()     {}
func (*Partition) node()      {}
func (*Serialize) node()      {}
func (*Consume) node()        {}
func (*ExternalRel) node()    {}
func (*SharedRef) node()      {}
func (*ExternalData) node()   {}
func (*Evaluate) node()       {}
