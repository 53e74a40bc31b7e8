package eval

import (
	"fmt"
	"math/rand"
	"picket/kql/catalog"
	"picket/kql/value"
	"sort"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

// elsewhere are the catalogue's functions that are no functions of values: other stages resolve them.
var elsewhere = map[string]string{
	"cluster": "scope", "database": "scope", "table": "scope", "external_table": "scope", "materialized_view": "scope",
	"entity_group": "scope", "stored_query_result": "scope", "graph": "scope", "column_names_of": "binder",
	"columnifexists": "binder", "column_ifexists": "binder", "iscolumnexists": "binder", "ingestion_time": "scan",
	"all": "graph", "any": "graph", "map": "graph", "inner_nodes": "graph", "node_id": "graph", "labels": "graph",
	"node_degree_in": "graph", "node_degree_out": "graph",
}

// TestCoverage fails for a function or operator of the catalogue that has neither a Func nor another home.
func TestCoverage(t *testing.T) {
	var missing, refused []string
	for _, f := range append(append([]catalog.Function{}, catalog.Functions()...), catalog.Operators()...) {
		if elsewhere[f.Name] != "" {
			continue
		}
		if _, ok := Lookup(f.Name); !ok {
			missing = append(missing, f.Name)
			continue
		}
		if refusesAlways(f) {
			refused = append(refused, f.Name)
		}
	}
	sort.Strings(refused)
	t.Logf("refused by name: %s", strings.Join(refused, " "))
	if len(missing) > 0 {
		t.Errorf("no Func: %s", strings.Join(missing, " "))
	}
}

func refusesAlways(f catalog.Function) bool {
	r := rand.New(rand.NewSource(1))
	for range 30 {
		if _, err := callRandomly(r, f, 1); err == nil {
			return false
		}
	}
	return true
}

// callRandomly calls a function by one of its signatures with arguments of the right types and odd values.
func callRandomly(r *rand.Rand, f catalog.Function, n int) (*value.Vector, error) {
	s := f.Signatures[r.Intn(len(f.Signatures))]
	common := anyType(r)
	var args []*value.Vector
	for round := 0; round < 1+r.Intn(2) || len(args) < s.MinArgs; round++ {
		for _, p := range s.Params {
			if round > 0 && p.Max <= 1 {
				continue
			}
			if p.Min == 0 && r.Intn(2) == 0 || len(args) >= s.MaxArgs && s.MaxArgs > 0 {
				break
			}
			args = append(args, randomVector(r, typeFor(r, p, args, common), n, p.Arg != catalog.Expression && p.Arg != catalog.Column || r.Intn(3) == 0, p))
		}
		if round > 4 {
			break
		}
	}
	ret := s.Type
	switch s.Return {
	case catalog.Typed:
	case catalog.Widest:
		ret = value.Long
		for _, a := range args {
			if a.Type == value.Real && ret != value.Decimal || a.Type == value.Decimal {
				ret = a.Type
			}
		}
	case catalog.Custom, catalog.FromParameter0Array:
		ret = value.Dynamic
		if f.Name == "UnaryMinus" || f.Name == "UnaryPlus" || f.Name == "bin_auto" {
			ret = args[0].Type
		}
	case catalog.FromParameter1:
		if len(args) > 1 {
			ret = args[1].Type
		}
	default:
		if len(args) > 0 {
			ret = args[len(args)-1].Type
			if s.Return == catalog.FromParameter0 || s.Return == catalog.FromParameter0Promoted {
				ret = args[0].Type
			}
			if s.Return == catalog.FromTypeLiteralN || s.Return == catalog.FromTypeLiteral0 {
				ret = value.Long
			}
		}
	}
	if ret == value.Int && s.Return != catalog.Typed {
		ret = value.Long
	}
	if ret == value.Invalid || ret == value.Unknown {
		ret = value.Dynamic
	}
	fn, _ := Lookup(f.Name)
	v, err := fn(testCtx, ret, n, args)
	if err == nil && v.Type != ret && s.Return == catalog.Typed {
		return nil, fmt.Errorf("WRONG TYPE %s for %s", v.Type, ret)
	}
	return v, err
}

func anyType(r *rand.Rand) value.Type {
	return value.Type(1 + r.Intn(10))
}

func typeFor(r *rand.Rand, p catalog.Param, args []*value.Vector, common value.Type) value.Type {
	pick := func(t ...value.Type) value.Type { return t[r.Intn(len(t))] }
	switch p.Kind {
	case catalog.Declared:
		if p.TypeName {
			return value.String
		}
		return pick(p.Types...)
	case catalog.Integer, catalog.IntegerOrArray:
		return pick(value.Int, value.Long)
	case catalog.Number, catalog.NumberOrBool:
		return pick(value.Int, value.Long, value.Real, value.Decimal)
	case catalog.Summable, catalog.Orderable:
		return pick(value.Long, value.Real, value.Datetime, value.Timespan)
	case catalog.StringOrDynamic, catalog.StringOrArray:
		return pick(value.String, value.Dynamic)
	case catalog.DynamicArray, catalog.DynamicBag:
		return value.Dynamic
	case catalog.Parameter0:
		return args[0].Type
	case catalog.Parameter1:
		return args[len(args)-1].Type
	case catalog.CommonScalar, catalog.CommonOrderable, catalog.CommonScalarOrDynamic:
		return common
	}
	return anyType(r)
}

func randomVector(r *rand.Rand, t value.Type, n int, constant bool, p catalog.Param) *value.Vector {
	v := value.New(t, n)
	if constant {
		v = value.NewConst(t, n)
	}
	for i := range stored(v) {
		if r.Intn(5) == 0 {
			v.SetNull(i)
			continue
		}
		v.Set(i, randomValue(r, t, p))
	}
	return v
}

func randomValue(r *rand.Rand, t value.Type, p catalog.Param) value.Value {
	longs := []int64{0, 1, -1, 2, 7, 100, -100, 1 << 31, -1 << 63, 1<<63 - 1, 24, 3}
	reals := []float64{0, 1, -1, 0.5, -73.95, 40.7, 1e300, -1e-300, 89, 181}
	texts := []string{
		"", "a", "hello world", "été", "127.0.0.1", "1.2.3.4/24", "::1", "https://u:p@h:1/x?a=b#c", `{"a":[1,{"b":null}]}`,
		"2020-01-01", "1.02:03:04", "(a)(b)?", "[", "%41+b", "\x00\xff", "$.a[0]", "year", "week", "yyyy-MM-dd", "avg", "89c25", "xn--caf-dma", "POINT(1 2)",
	}
	if len(p.Values) > 0 && t == value.String {
		return value.OfString(p.Values[r.Intn(len(p.Values))])
	}
	switch t {
	case value.Bool:
		return value.OfBool(r.Intn(2) == 0)
	case value.Int:
		return value.Of(t, int64(int32(longs[r.Intn(len(longs))])))
	case value.Long, value.Timespan:
		return value.Of(t, longs[r.Intn(len(longs))])
	case value.Datetime:
		return value.Of(t, []int64{0, value.MaxDatetime, 637134336000000000, 1}[r.Intn(4)])
	case value.Real:
		return value.OfReal(reals[r.Intn(len(reals))])
	case value.Decimal:
		return value.Value{Type: t, M: decimal.NewFromFloat(reals[r.Intn(5)])}
	case value.GUID:
		return value.Value{Type: t, G: [16]byte{1, 2, 3}}
	case value.String:
		return value.OfString(texts[r.Intn(len(texts))])
	}
	dynamics := []string{
		`[]`, `{}`, `[1,2,3]`, `["a",null,{"x":1}]`, `{"a":1,"b":[1,2]}`, `[1.5,null,-2,7,7,7,9]`, `"text"`, `5`, `true`, `[[1],[2,3]]`,
		`{"type":"Polygon","coordinates":[[[0,0],[2,0],[2,2],[0,0]]]}`, `{"type":"LineString","coordinates":[[0,0],[1,1]]}`, `{"type":"Polygon"}`,
		`["10.0.0.0/8","x"]`, `[true,false,1,"y"]`,
	}
	d, _ := value.ParseJSON(dynamics[r.Intn(len(dynamics))])
	return value.OfDynamic(d)
}

// TestNothingPanics calls every function many times with arguments of its types, over constants and columns.
func TestNothingPanics(t *testing.T) {
	r := rand.New(rand.NewSource(42))
	for _, f := range append(append([]catalog.Function{}, catalog.Functions()...), catalog.Operators()...) {
		if _, ok := Lookup(f.Name); !ok {
			continue
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%s panics: %v", f.Name, p)
				}
			}()
			for k := range 60 {
				n := []int{1, 3, 0}[k%3]
				v, err := callRandomly(r, f, n)
				if err != nil && strings.HasPrefix(err.Error(), "WRONG") {
					t.Errorf("%s: %v", f.Name, err)
					return
				}
				if err == nil && v.N != n {
					t.Errorf("%s gives %d rows for %d", f.Name, v.N, n)
					return
				}
			}
		}()
	}
}
