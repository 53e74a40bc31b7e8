// Package agg holds KQL's aggregates: one hash-aggregation state for each, over value vectors.
//
// It owns what an aggregate answers for rows, nulls and emptiness, and the sketches (hll, tdigest) whose states
// are dynamic values. It imports kql/value only; the operators that group rows (kql/exec) and the scalar
// functions over sketches (kql/eval) build on it.
//
//	spec, _ := agg.Lookup("sum")
//	st, err := spec.New(value.Long, []value.Type{value.Long}, make([]*value.Value, 1))
//	st.Grow(2)
//	err = st.Add([]int32{0, 1, 0}, 3, []*value.Vector{value.LongVector([]int64{1, 2, 3})})
//	st.Result() // 4, 2
package agg

import (
	"fmt"
	"picket/kql/value"
	"strings"
)

// State accumulates one aggregate over many groups.
//
// Calls follow one another: any number of Grow and Add, then Result. A state is used by one goroutine.
type State interface {
	// Grow makes groups 0 to groups-1 exist. It never shrinks.
	Grow(groups int)
	// Add feeds n rows: row i belongs to group groups[i], a negative group skips the row. args has one vector an
	// argument, in the order of the call; arguments whose constant was given to New may be nil.
	Add(groups []int32, n int, args []*value.Vector) error
	// Result gives one element a group, of the type that New was told. Groups without rows get the aggregate's
	// answer for no rows (0, NaN, [], null …).
	Result() *value.Vector
	// Bytes estimates the memory that the state holds.
	Bytes() int64
}

// MultiState is a state whose call makes several columns: arg_max(x, a, b), take_any(a, b), percentiles(x, 5, 50).
// Result gives the first of them.
type MultiState interface {
	State
	Results() []*value.Vector
}

// Spec makes the states of one aggregate.
type Spec struct {
	// Name is the aggregate's lower-case KQL name.
	Name string
	// New starts a state. ret is the type of the (first) result column; argTypes are the types of the arguments;
	// consts is as long as argTypes and holds the value of each argument that is a constant, else nil.
	// It refuses argument types and constants that the engine refuses.
	New func(ret value.Type, argTypes []value.Type, consts []*value.Value) (State, error)
}

// Results gives every result column of a state.
func Results(s State) []*value.Vector {
	if m, ok := s.(MultiState); ok {
		return m.Results()
	}
	return []*value.Vector{s.Result()}
}

// Lookup finds an aggregate by its KQL name; case is ignored.
func Lookup(name string) (Spec, bool) {
	s, ok := specs[strings.ToLower(name)]
	return s, ok
}

// Names lists the aggregates that can be run.
func Names() []string {
	out := make([]string, 0, len(specs))
	for n := range specs {
		out = append(out, n)
	}
	return out
}

type newFunc = func(ret value.Type, argTypes []value.Type, consts []*value.Value) (State, error)

var specs = table(map[string]newFunc{
	"count":   newCount,
	"cnt":     newCount,
	"countif": conditional(newCount, 0),

	"sum":   newSum,
	"sumif": conditional(newSum, 1),
	"avg":   newAvg,
	"avgif": conditional(newAvg, 1),
	"min":   newMin,
	"minif": conditional(newMin, 1),
	"max":   newMax,
	"maxif": conditional(newMax, 1),

	"stdev":       newSpread(stdevSample),
	"stdevif":     conditional(newSpread(stdevSample), 1),
	"stdevp":      newSpread(stdevPopulation),
	"stdevpif":    conditional(newSpread(stdevPopulation), 1),
	"variance":    newSpread(varianceSample),
	"varianceif":  conditional(newSpread(varianceSample), 1),
	"variancep":   newSpread(variancePopulation),
	"variancepif": conditional(newSpread(variancePopulation), 1),

	"covariance":    newCovariance(true),
	"covarianceif":  conditional(newCovariance(true), 2),
	"covariancep":   newCovariance(false),
	"covariancepif": conditional(newCovariance(false), 2),

	"dcount":           newDcount,
	"dcountif":         conditional(newDcount, 1),
	"count_distinct":   newCountDistinct,
	"count_distinctif": conditional(newCountDistinct, 1),
	"hll":              newHLL,
	"hll_if":           conditional(newHLL, 1),
	"hll_merge":        newHLLMerge,

	"make_list":            newList(false),
	"makelist":             newList(false),
	"make_list_if":         conditional(newList(false), 1),
	"make_list_with_nulls": newList(true),
	"make_set":             newSet,
	"makeset":              newSet,
	"make_set_if":          conditional(newSet, 1),
	"make_bag":             newBag,
	"make_dictionary":      newBag,
	"make_bag_if":          conditional(newBag, 1),
	"buildschema":          newBuildSchema,

	"arg_max":    newArg(true),
	"argmax":     newArg(true),
	"arg_min":    newArg(false),
	"argmin":     newArg(false),
	"take_any":   newTakeAny,
	"any":        newTakeAny,
	"take_anyif": conditional(newTakeAny, 1),
	"anyif":      conditional(newTakeAny, 1),

	"percentile":         newPercentile(false, false),
	"percentiles":        newPercentile(false, false),
	"percentiles_array":  newPercentile(false, true),
	"percentilew":        newPercentile(true, false),
	"percentilesw":       newPercentile(true, false),
	"percentilesw_array": newPercentile(true, true),
	"tdigest":            newTDigest,
	"tdigest_merge":      newTDigestMerge,
	"merge_tdigest":      newTDigestMerge,

	"binary_all_and": newBinary("binary_all_and"),
	"binary_all_or":  newBinary("binary_all_or"),
	"binary_all_xor": newBinary("binary_all_xor"),
})

func table(m map[string]newFunc) map[string]Spec {
	out := make(map[string]Spec, len(m))
	for name, f := range m {
		out[name] = Spec{Name: name, New: named(name, f)}
	}
	return out
}

// named puts the aggregate's name in front of the errors of its constructor.
func named(name string, f newFunc) newFunc {
	return func(ret value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
		if len(consts) < len(argTypes) {
			consts = append(append([]*value.Value(nil), consts...), make([]*value.Value, len(argTypes)-len(consts))...)
		}
		s, err := f(ret, argTypes, consts)
		if err != nil {
			return nil, fmt.Errorf("%s(): %w", name, err)
		}
		return s, nil
	}
}

func wantArgs(argTypes []value.Type, min, max int) error {
	if len(argTypes) < min || len(argTypes) > max {
		return fmt.Errorf("%d arguments given, %d to %d expected", len(argTypes), min, max)
	}
	return nil
}

// constInt reads the constant whole number at position i, def when the call has no such argument.
func constInt(what string, i int, consts []*value.Value, def int64) (int64, error) {
	if i >= len(consts) {
		return def, nil
	}
	c := consts[i]
	if c == nil {
		return 0, fmt.Errorf("%s must be a constant", what)
	}
	if c.Null {
		return 0, fmt.Errorf("%s must not be null", what)
	}
	switch c.Type {
	case value.Int, value.Long:
		return c.I, nil
	case value.Real:
		return int64(c.F), nil
	case value.Decimal:
		return c.M.IntPart(), nil
	}
	return 0, fmt.Errorf("%s must be a whole number, not %s", what, c.Type)
}
