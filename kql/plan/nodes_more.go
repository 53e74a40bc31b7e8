package plan

// ParseKind is the mode of parse and parse-where.
type ParseKind uint8

const (
	ParseSimple  ParseKind = iota // literal delimiters; all or nothing when a typed column doesn't convert
	ParseRelaxed                  // as simple, but a column that doesn't convert is null
	ParseRegex                    // delimiters are regular expressions
)

var parseNames = [...]string{"simple", "relaxed", "regex"}

func (k ParseKind) String() string { return parseNames[k] }

// ParsePart is one piece of a parse pattern. Exactly one of Star, Text (when neither Star nor Col), Col holds.
type ParsePart struct {
	Star bool   // * : skip to the next delimiter
	Text string // literal or regular expression
	Col  Col    // column to fill; ID 0 when the part is not a column
}

// Parse matches X (string) against Parts and fills the parts' columns (fresh ids). Out is the output in order:
// input ids (without the columns that were replaced) and the parts' columns. Where drops rows that don't match
// (parse-where); otherwise they keep null ("" for strings).
type Parse struct {
	Input Node
	X     Expr
	Kind  ParseKind
	Flags string // regex flags: i, m, s, U
	Parts []ParsePart
	Where bool
	Out   []Col
}

// ParseKv extracts keys from X. Keys[i].Name is the key in the text, with a fresh id. Out as in [Parse].
type ParseKv struct {
	Input         Node
	X             Expr
	Keys          []Col
	PairDelimiter string // default " "
	KvDelimiter   string // default "="
	Quote         []string
	Escape        string
	Regex         string // with (regex=…) instead of delimiters
	Greedy        bool
	// HasPair, HasKv tell whether the delimiter was written.
	HasPair, HasKv bool
	Out            []Col
}

// SeriesAgg is one aggregate of make-series: Col (dynamic array), and the value of empty bins.
type SeriesAgg struct {
	Col     Col
	Call    *AggCall
	Default *Const // nil when not written: 0 of the aggregate's type
}

// MakeSeries builds arrays over an axis. From (inclusive), To (exclusive) may be nil: then the data's range.
// Output: keys, then aggregates, then the axis (dynamic array), in Out's order.
type MakeSeries struct {
	Input          Node
	Aggs           []SeriesAgg
	Axis           Item // Col is the array column, Expr the axis expression
	From, To, Step Expr
	// InRange is set for the form `in range(from, to, step)`, whose end is inclusive.
	InRange  bool
	Keys     []Item
	NonEmpty bool // kind=nonempty: default series also over no input
	Out      []Col
}

// StepOutput says which rows a scan step emits.
type StepOutput uint8

const (
	StepAll StepOutput = iota
	StepLast
	StepNone
)

// StepAssign is `col = expr` of a scan step.
type StepAssign struct {
	Col  ColID // a column of ScanSteps.Declared
	Expr Expr
}

// ScanStep is one step. State lists fresh ids for the step's remembered row, in the order of the input's
// columns followed by Declared: conditions and assignments of any step may refer to them (`s1.col`).
type ScanStep struct {
	Name     string
	Optional bool
	Output   StepOutput
	Cond     Expr // reads input ids, Declared ids (the step's own current values) and any State ids
	Assign   []StepAssign
	State    []Col
}

// ScanSteps is the scan operator over a serialized input.
type ScanSteps struct {
	Input       Node
	PartitionBy []Expr
	OrderBy     []SortKey
	Declared    []Item // Expr is the default (a *Const); columns appended to the input's
	MatchID     Col    // with_match_id (long, from 0); ID 0 when absent
	Steps       []ScanStep
	Out         []Col
}

// TopNestedLevel is one level of top-nested.
type TopNestedLevel struct {
	N      Expr   // nil: all values
	By     Item   // the level's value column
	Others *Const // `with others = …`; nil when absent
	Agg    Agg    // one column: the level's ordering value
	Post   Expr   // arithmetic over Agg.Out when the ordering is an expression; nil otherwise
	Col    Col    // output column of the ordering (= Agg.Out[0] when Post is nil)
	Asc    bool
}

// TopNested is the hierarchical top. Output: By, Col for each level in order.
type TopNested struct {
	Input  Node
	Levels []TopNestedLevel
}

// TopHitters is top-hitters N of By by Weight (nil: count). Output: By, then Count.
type TopHitters struct {
	Input  Node
	N      Expr
	By     Item
	Weight Expr
	Count  Col
}

// Reduce groups similar strings. Output: Pattern, Count, Representative.
type Reduce struct {
	Input      Node
	X          Expr
	Threshold  float64
	Characters string
	Out        []Col
	Kind       string // "" or "source": also the source column
}

// Graph is a node whose result is a graph; its Cols is nil. NodeCols and EdgeCols list the columns of
// graph nodes and edges.
type Graph interface {
	Node
	NodeCols() []Col
	EdgeCols() []Col
}

// GraphNodes is one node table of make-graph with its key.
type GraphNodes struct {
	Node Node
	Key  ColRef
	// Map[i] is this table's id for the i-th column of MakeGraph.Nodes, or 0 for null.
	Map []ColID
}

// MakeGraph builds a graph from edges. Nodes are the columns of a graph node: the union of the node tables'
// columns, or the id column alone (with_node_id, or inferred as the endpoint's type) when there is no table.
type MakeGraph struct {
	Input          Node // edges
	Source, Target ColRef
	NodeTables     []GraphNodes
	NodeID         Col // with_node_id=…; ID 0 when absent
	Nodes          []Col
}

// GraphPersisted reads a stored graph: graph("name"). Not runnable here; kept so that it refuses by name.
type GraphPersisted struct {
	Name         Expr
	Nodes, Edges []Col
	At           Span
}

// GraphMarkComponents adds a component number to the nodes.
type GraphMarkComponents struct {
	Input Graph
	Kind  string // weak (default) or strong
	Col   Col    // added to NodeCols, long
}

// GraphWhereNodes filters the nodes (graph-where-nodes); edges without both ends go too.
type GraphWhereNodes struct {
	Input Graph
	Pred  Expr // over NodeCols
}

// GraphWhereEdges filters the edges (graph-where-edges).
type GraphWhereEdges struct {
	Input Graph
	Pred  Expr // over EdgeCols
}

// PatternElem is a node or an edge of a pattern. Cols are fresh ids for the element's properties, in the order
// of the graph's NodeCols or EdgeCols: `n.prop` is a reference to one of them. For an edge of variable length
// they stand for one edge or node inside all(), any(), map(); outside these they are dynamic arrays.
type PatternElem struct {
	Name     string // "" for anonymous
	Edge     bool
	Reverse  bool // <-[e]-
	Undir    bool // -[e]-
	Min, Max int  // 1, 1 unless variable length; Max < 0 for no limit
	Variable bool // written with *a..b
	Cols     []Col
}

// Pattern alternates nodes and edges, beginning and ending with a node.
type Pattern []PatternElem

// GraphMatch finds all matches of the patterns (joined on equal names). Items is project; without project
// the output is every property named <variable>_<property>.
type GraphMatch struct {
	Input    Graph
	Cycles   string // all, none, unique_edges (default)
	Patterns []Pattern
	// InnerNodes are the columns of one inner node of an edge of variable length, which the expression beside
	// inner_nodes(e) in all(), any() and map() reads.
	InnerNodes []Col
	Where      Expr // nil when absent
	Items      []Item
}

// GraphShortestPaths finds shortest paths for a pattern with one variable-length edge.
type GraphShortestPaths struct {
	Input      Graph
	OutputAll  bool // output=all; default any
	Patterns   []Pattern
	InnerNodes []Col // as in [GraphMatch]
	Where      Expr
	Items      []Item
}

// GraphToTable turns a graph into rows of its nodes or of its edges. IDCol, SourceCol, TargetCol are hash ids
// (long) that were asked for; ID 0 when absent.
type GraphToTable struct {
	Input                       Graph
	Edges                       bool
	IDCol, SourceCol, TargetCol Col
	Out                         []Col
}

func (n *Parse) Cols() []Col               { return n.Out }
func (n *ParseKv) Cols() []Col             { return n.Out }
func (n *MakeSeries) Cols() []Col          { return n.Out }
func (n *ScanSteps) Cols() []Col           { return n.Out }
func (n *TopHitters) Cols() []Col          { return []Col{n.By.Col, n.Count} }
func (n *Reduce) Cols() []Col              { return n.Out }
func (n *MakeGraph) Cols() []Col           { return nil }
func (n *GraphPersisted) Cols() []Col      { return nil }
func (n *GraphMarkComponents) Cols() []Col { return nil }
func (n *GraphWhereNodes) Cols() []Col     { return nil }
func (n *GraphWhereEdges) Cols() []Col     { return nil }
func (n *GraphMatch) Cols() []Col          { return itemCols(n.Items) }
func (n *GraphShortestPaths) Cols() []Col  { return itemCols(n.Items) }
func (n *GraphToTable) Cols() []Col        { return n.Out }

// Cols gives By and Col of each level.
func (n *TopNested) Cols() []Col {
	var out []Col
	for _, l := range n.Levels {
		out = append(out, l.By.Col, l.Col)
	}
	return out
}

// NodeCols gives the columns of a graph node.
func (n *MakeGraph) NodeCols() []Col { return n.Nodes }

// EdgeCols gives the columns of the edges' table.
func (n *MakeGraph) EdgeCols() []Col { return n.Input.Cols() }

// NodeCols gives the columns of a graph node.
func (n *GraphPersisted) NodeCols() []Col { return n.Nodes }

// EdgeCols gives the columns of an edge.
func (n *GraphPersisted) EdgeCols() []Col { return n.Edges }

// NodeCols gives the input's node columns and the component's.
func (n *GraphMarkComponents) NodeCols() []Col {
	in := n.Input.NodeCols()
	return append(in[:len(in):len(in)], n.Col)
}

// EdgeCols gives the columns of an edge.
func (n *GraphMarkComponents) EdgeCols() []Col { return n.Input.EdgeCols() }

// NodeCols gives the columns of a graph node.
func (n *GraphWhereNodes) NodeCols() []Col { return n.Input.NodeCols() }

// EdgeCols gives the columns of an edge.
func (n *GraphWhereNodes) EdgeCols() []Col { return n.Input.EdgeCols() }

// NodeCols gives the columns of a graph node.
func (n *GraphWhereEdges) NodeCols() []Col { return n.Input.NodeCols() }

// EdgeCols gives the columns of an edge.
func (n *GraphWhereEdges) EdgeCols() []Col { return n.Input.EdgeCols() }

func (*Parse) node()               {}
func (*ParseKv) node()             {}
func (*MakeSeries) node()          {}
func (*ScanSteps) node()           {}
func (*TopNested) node()           {}
func (*TopHitters) node()          {}
func (*Reduce) node()              {}
func (*MakeGraph) node()           {}
func (*GraphPersisted) node()      {}
func (*GraphMarkComponents) node() {}
func (*GraphWhereNodes) node()     {}
func (*GraphWhereEdges) node()     {}
func (*GraphMatch) node()          {}
func (*GraphShortestPaths) node()  {}
func (*GraphToTable) node()        {}
