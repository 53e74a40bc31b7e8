// Package catalog is KQL's inventory as data: every function, aggregate, plugin and infix operator with its
// signatures, the rule for its result type and the rule for its result name.
//
// It decides nothing: kql/bind reads it to find the type of a call, documentation and the page's editor list it.
// The tables in functions_gen.go and its siblings are made by
//
//	go run picket/kql/catalog/gen -shared ../shared
//
// from shared/kql/catalog.json and gen/overlay.json (shapes of dynamic results, enumerated literals).
// Symbols of picket's own stand in own.go.
//
//	f, ok := catalog.LookupFunction("strcat")
//	f.Signatures[0].Params[0].Max // 64
//
//go:generate go run ./gen -shared ../../../shared -dir .
package catalog

import (
	"picket/kql/value"
	"sort"
)

// ParamKind says which argument types a parameter takes.
type ParamKind uint8

// The kinds. Declared means one of Param.Types; the Common kinds want one type for all their arguments.
const (
	Declared ParamKind = iota
	Any
	Scalar
	Integer
	Number
	NumberOrBool
	Summable  // numbers, datetime, timespan
	Orderable // summable, string, bool
	StringOrDynamic
	StringOrArray
	IntegerOrArray
	DynamicArray
	DynamicBag
	NotBool
	NotRealOrBool
	NotDynamic
	Tabular
	Parameter0 // the type of the first argument
	Parameter1
	CommonScalar
	CommonOrderable
	CommonScalarOrDynamic
)

// ArgKind says what form an argument must have.
type ArgKind uint8

// The forms.
const (
	Expression ArgKind = iota
	Constant
	Literal
	LiteralNotEmpty
	Column
	ColumnParameter0       // a column of the table in the first argument
	ColumnParameter0Common // a column that the input and that table share
	ElementOfParameter0    // an expression over the element in the first argument (graph functions)
	StarOnly
	StarAllowed
	AggregateCall // an aggregate (pivot)
)

// ReturnKind says how a signature's result type is found.
type ReturnKind uint8

// The rules. Typed means Signature.Type; Custom is a rule of the binder's own, by name.
const (
	Typed ReturnKind = iota
	Custom
	FromParameter0
	FromParameter0Promoted // int becomes long
	FromParameter0Array
	FromParameter1
	FromTypeLiteral0 // the type named by the first argument, typeof(…)
	FromTypeLiteral1
	FromTypeLiteralN // … by the last argument
	Common
	CommonNonDynamic
	Widest // of the numeric arguments; int becomes long
	TableOf
	ExternalTableOf
	MaterializedViewOf
	DatabaseOf
	ClusterOf
	EntityGroupOf
	StoredQueryResultOf
	GraphOf
)

// NameKind says how the column of a call is named when the query doesn't name it.
type NameKind uint8

// The rules.
const (
	NoName                NameKind = iota // Column1, print_0, …
	FirstArgument                         // as its first argument
	OnlyArgument                          // as its argument when it has only one
	PrefixAndFirst                        // Prefix_argument
	NameAndFirst                          // function_argument
	PrefixOnly                            // Prefix
	FirstArgumentIfColumn                 // the text of the first argument if that names a column
)

// Shape is what is known of a dynamic result.
type Shape uint8

// The shapes.
const (
	NoShape Shape = iota
	Array
	Bag
)

// Layout says how arguments are matched with parameters that repeat.
type Layout uint8

// The layouts. Block repeats a group of parameters (case, bag_pack); Special is the binder's own by name.
const (
	Plain Layout = iota
	Block
	Special
)

// Param is one parameter.
type Param struct {
	Name     string
	Kind     ParamKind
	Types    []value.Type // Declared only
	TypeName bool         // a type literal, typeof(…)
	Min, Max int          // occurrences; Min 0 is optional
	Arg      ArgKind
	Values   []string // the literals allowed, when enumerated; case is ignored
	Skip     string   // a literal that stands for "not given" ("~")
}

// Signature is one way to call.
type Signature struct {
	Params  []Param
	Return  ReturnKind
	Type    value.Type // Typed
	Shape   Shape      // of a dynamic Type
	Elem    value.Type // of an Array shape; value.Invalid when unknown
	Layout  Layout
	Repeats bool // some parameter may occur more than once
	MinArgs int
	MaxArgs int
}

// Function is a function, aggregate, plugin or operator.
type Function struct {
	Name        string
	Hidden      bool // left out of listings
	Obsolete    bool
	Alternative string // what to use instead of an obsolete one
	Foldable    bool   // constant arguments give a constant
	NameKind    NameKind
	Prefix      string
	Signatures  []Signature
}

// MinArgs is the fewest arguments that any signature takes.
func (f *Function) MinArgs() int {
	n := 1 << 30
	for i := range f.Signatures {
		n = min(n, f.Signatures[i].MinArgs)
	}
	return n
}

// MaxArgs is the most arguments that any signature takes.
func (f *Function) MaxArgs() int {
	n := 0
	for i := range f.Signatures {
		n = max(n, f.Signatures[i].MaxArgs)
	}
	return n
}

func lookup(t []Function, name string) (*Function, bool) {
	i := sort.Search(len(t), func(i int) bool { return t[i].Name >= name })
	if i < len(t) && t[i].Name == name {
		return &t[i], true
	}
	return nil, false
}

// LookupFunction finds a scalar function; names are case sensitive.
func LookupFunction(name string) (*Function, bool) { return lookup(functions, name) }

// LookupAggregate finds an aggregate.
func LookupAggregate(name string) (*Function, bool) { return lookup(aggregates, name) }

// LookupPlugin finds a plugin of evaluate.
func LookupPlugin(name string) (*Function, bool) {
	if f, ok := lookup(plugins, name); ok {
		return f, true
	}
	return lookup(ownPlugins, name)
}

// LookupOperator finds an infix or prefix operator by its catalogue name (Add, HasCs, In, …).
func LookupOperator(name string) (*Function, bool) { return lookup(operators, name) }

// Functions lists the scalar functions by name. Callers must not change the slice.
func Functions() []Function { return functions }

// Aggregates lists the aggregates by name. Callers must not change the slice.
func Aggregates() []Function { return aggregates }

// Plugins lists the plugins by name. Callers must not change the slice.
func Plugins() []Function { return plugins }

// Operators lists the operators by name. Callers must not change the slice.
func Operators() []Function { return operators }
