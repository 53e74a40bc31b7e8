package plan

import "picket/kql/value"

// Const is a literal or a folded constant. A null keeps its type.
type Const struct {
	Val value.Value
	At  Span
}

// ColRef reads a column of the node's input.
type ColRef struct {
	ID   ColID
	Name string // for people
	T    value.Type
	At   Span
}

// Call applies a scalar function or an infix operator. Name is the key of kql/eval's Lookup: the function's
// lower-case KQL name (`strcat`), or for an operator its catalogue name (`Add`, `Equal`, `HasCs`, `In`,
// `Between`, `NotBetween`, …). No conversions are inserted: arguments have the types the query gave them.
//
// Shapes that differ from the text:
//
//   - d.a and d["a"] → member(d, const string); d[0] and d[expr] → index(d, i)
//   - x in (a, b) → In(x, a, b); in~ is InCs, as the catalogue names it; an argument may be a dynamic array; a
//     table gives [InSub]
//   - x has_any (a, b) → HasAny(x, a, b) (also HasAll)
//   - x between (a .. b) → Between(x, a, b)
//   - -x → UnaryMinus(x)
//   - iif, todouble and the other aliases keep the name written
//   - case(p1, v1, …, else), coalesce(…), iff(p, a, b): as written
//   - pack_all(ignore?) → pack_all(ignore, "name1", col1, "name2", col2, …), ignore always present
//   - column_ifexists, typeof, toscalar, table: resolved, never a Call
//   - extract(re, group, s, typeof(t)), parse_json paths …: a typeof argument becomes a const string
//   - prev, next, row_number, row_cumsum, row_rank_*, row_window_session run over the whole serialized input
//   - functions that give several columns (series_fit_line, series_stats, array_sort_asc …): one
//     tuple_item(call, i) a column, where the call gives a dynamic array of all its values and T is the type of
//     the i-th
//   - bag_pack_columns(a, b) → bag_pack("a", a, "b", b)
//   - not(x) → not(x); `!=` NotEqual; =~ EqualTilde; !~ BangTilde
type Call struct {
	Name string
	Args []Expr
	T    value.Type
	At   Span
}

// AggCall is an aggregate; it stands only in [Agg.Call]. Name is lower case; for multi-column aggregates
// see [Agg]. Arguments that the aggregate wants constant (sizes, percentages, accuracy) are *Const.
type AggCall struct {
	Name string
	Args []Expr
	T    value.Type
	At   Span
}

// ScalarSub is toscalar(table): the first column of the first row, null when there is no row. Evaluated once
// per query. Its Node never reads columns from outside.
type ScalarSub struct {
	Node Node
	T    value.Type
	At   Span
}

// InSub is `x in (table)`: whether x is among the values of the table's first column.
type InSub struct {
	X               Expr
	Node            Node
	Negate          bool
	CaseInsensitive bool
	// Op is the operator's catalogue name: In (in), NotIn, InCs (in~, ignores case), NotInCs, or HasAny / HasAll
	// when the list of has_any / has_all is a table.
	Op string
	At Span
}

// OuterRef is the key's value of the part at hand, inside the Sub of the Partition with this ID.
type OuterRef struct {
	ID int
	T  value.Type
	At Span
}

// GraphVar names a pattern variable of graph-match or graph-shortest-paths where a function wants the
// element itself (labels(n), all(e, …), inner_nodes(e), node_degree_in(n)).
type GraphVar struct {
	Name string
	At   Span
}

// TableArg is a tabular argument of a plugin.
type TableArg struct {
	Node Node
	At   Span
}

// Star is `*` as a plugin argument: all input columns.
type Star struct{ At Span }

func (e *Const) Type() value.Type     { return e.Val.Type }
func (e *ColRef) Type() value.Type    { return e.T }
func (e *Call) Type() value.Type      { return e.T }
func (e *AggCall) Type() value.Type   { return e.T }
func (e *ScalarSub) Type() value.Type { return e.T }
func (e *InSub) Type() value.Type     { return value.Bool }
func (e *OuterRef) Type() value.Type  { return e.T }
func (e *GraphVar) Type() value.Type  { return value.Dynamic }
func (e *TableArg) Type() value.Type  { return value.Unknown }
func (e *Star) Type() value.Type      { return value.Unknown }

func (e *Const) Pos() Span     { return e.At }
func (e *ColRef) Pos() Span    { return e.At }
func (e *Call) Pos() Span      { return e.At }
func (e *AggCall) Pos() Span   { return e.At }
func (e *ScalarSub) Pos() Span { return e.At }
func (e *InSub) Pos() Span     { return e.At }
func (e *OuterRef) Pos() Span  { return e.At }
func (e *GraphVar) Pos() Span  { return e.At }
func (e *TableArg) Pos() Span  { return e.At }
func (e *Star) Pos() Span      { return e.At }

func (*Const) expr()     {}
func (*ColRef) expr()    {}
func (*Call) expr()      {}
func (*AggCall) expr()   {}
func (*ScalarSub) expr() {}
func (*InSub) expr()     {}
func (*OuterRef) expr()  {}
func (*GraphVar) expr()  {}
func (*TableArg) expr()  {}
func (*Star) expr()      {}

// Ref makes a reference to a column.
func Ref(c Col) *ColRef { return &ColRef{ID: c.ID, Name: c.Name, T: c.Type} }

// Long makes a long constant.
func Long(n int64) *Const { return &Const{Val: value.Value{Type: value.Long, I: n}} }

// Str makes a string constant.
func Str(s string) *Const { return &Const{Val: value.Value{Type: value.String, S: s}} }

// Bool makes a bool constant.
func Bool(b bool) *Const {
	v := value.Value{Type: value.Bool}
	if b {
		v.I = 1
	}
	return &Const{Val: v}
}

// Null makes a typed null constant ("" for string, dynamic(null) for dynamic).
func Null(t value.Type) *Const {
	return &Const{Val: value.Value{Type: t, Null: t != value.String}}
}
