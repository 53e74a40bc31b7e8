package agg

import (
	"fmt"
	"math"
	"picket/kql/value"
	"strings"
	"testing"
)

// col makes a vector from Go values; nil is null.
func col(t value.Type, vals ...any) *value.Vector {
	v := value.New(t, len(vals))
	for i, x := range vals {
		switch x := x.(type) {
		case nil:
			v.SetNull(i)
		case int:
			if t == value.Real {
				v.F[i] = float64(x)
			} else if t == value.Dynamic {
				v.D[i] = int64(x)
			} else {
				v.I[i] = int64(x)
			}
		case float64:
			v.F[i] = x
		case bool:
			if x {
				v.I[i] = 1
			}
		case string:
			if t == value.Dynamic {
				v.D[i] = x
			} else {
				v.S[i] = x
			}
		default:
			v.D[i] = x
		}
	}
	return v
}

func bag(kv ...any) *value.Bag {
	b := value.NewBag()
	for i := 0; i < len(kv); i += 2 {
		b.Set(kv[i].(string), kv[i+1])
	}
	return b
}

func show(e any) string {
	switch x := e.(type) {
	case nil:
		return "null"
	case []any:
		var p []string
		for _, y := range x {
			p = append(p, show(y))
		}
		return "[" + strings.Join(p, ",") + "]"
	case *value.Bag:
		var p []string
		for _, k := range x.Keys() {
			y, _ := x.Get(k)
			p = append(p, k+":"+show(y))
		}
		return "{" + strings.Join(p, ",") + "}"
	}
	return fmt.Sprint(e)
}

func TestAggregates(t *testing.T) {
	const l, r, s, d, b = value.Long, value.Real, value.String, value.Dynamic, value.Bool
	c := func(typ value.Type, x any) *value.Vector {
		v := col(typ, x)
		v.Const = true
		return v
	}
	// f runs one aggregate over rows of one group, and checks what it answers for a group without rows too.
	f := func(name string, ret value.Type, want, empty string, args ...*value.Vector) {
		t.Helper()
		spec, ok := Lookup(name)
		if !ok {
			t.Errorf("%s: not found", name)
			return
		}
		types, consts := make([]value.Type, len(args)), make([]*value.Value, len(args))
		n := 0
		for i, a := range args {
			types[i] = a.Type
			if a.Const {
				x := a.At(0)
				consts[i] = &x
			} else {
				n = a.N
			}
		}
		st, err := spec.New(ret, types, consts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		st.Grow(2)
		groups := make([]int32, n)
		if err := st.Add(groups, n, args); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		var got, none []string
		for _, v := range Results(st) {
			if v.N != 2 {
				t.Errorf("%s: %d groups", name, v.N)
				return
			}
			got, none = append(got, show(value.Elem(v, 0))), append(none, show(value.Elem(v, 1)))
		}
		if g := strings.Join(got, ";"); g != want {
			t.Errorf("%s = %s, want %s", name, g, want)
		}
		if g := strings.Join(none, ";"); g != empty {
			t.Errorf("%s over nothing = %s, want %s", name, g, empty)
		}
		if st.Bytes() <= 0 {
			t.Errorf("%s: no size", name)
		}
	}
	nums := col(l, 3, nil, 1, 2, 3)
	odd := col(b, true, true, true, false, true)
	f("count", l, "5", "0", nums)
	f("countif", l, "4", "0", odd)
	f("sum", l, "9", "0", nums)
	f("sumif", l, "7", "0", nums, odd)
	f("sum", l, "-9223372036854775806", "0", col(l, math.MaxInt64, 1, 2))
	f("avg", r, "2.25", "NaN", nums)
	f("avg", r, "-0.6666666666666666", "NaN", col(l, math.MaxInt64-1, 1, math.MaxInt64))
	f("avg", value.Datetime, "630000000000000001", "null", col(value.Datetime, 630000000000000000, 630000000000000002))
	f("min", l, "1", "null", nums)
	f("maxif", l, "3", "null", nums, odd)
	f("min", r, "NaN", "null", col(r, 1.5, math.NaN(), 2.5))
	f("max", r, "NaN", "null", col(r, 1.5, math.NaN(), 2.5))
	f("max", s, "b", "", col(s, "a", "b", ""))
	f("stdev", r, "1", "0", col(r, 1.5, 2.5, 3.5))
	f("variancep", r, "2", "0", col(l, 1, 2, 3, 4, 5))
	f("variance", r, "0", "0", col(l, 5))
	f("covariance", r, "20.5", "null", col(r, 1, 2, 3, 4, 5), col(r, 14, 10, 17, 20, 50))
	f("covariancep", r, "16.4", "null", col(r, 1, 2, 3, 4, 5), col(r, 14, 10, 17, 20, 50))
	f("dcount", l, "3", "0", nums)
	f("dcount", l, "3", "0", nums, c(l, 4))
	f("count_distinct", l, "2", "0", col(s, "a", "", "a"))
	f("make_list", d, "[3,1,2,3]", "[]", nums)
	f("make_list", d, "[3,1]", "[]", nums, c(l, 2))
	f("make_list_with_nulls", d, "[3,null,1,2,3]", "[]", nums)
	f("make_list_if", d, "[3,1,3]", "[]", nums, odd)
	f("make_set", d, "[3,1,2]", "[]", nums)
	f("make_list", d, "[1,2,x,[3]]", "[]", col(d, []any{int64(1), int64(2)}, "x", []any{[]any{int64(3)}}, nil))
	f("make_set", d, "[1,2,3]", "[]", col(d, []any{int64(1), int64(2)}, []any{int64(2), int64(3)}))
	f("make_bag", d, "{a:1,b:2}", "{}", col(d, bag("a", int64(1)), nil, bag("a", int64(9), "b", int64(2)), "x"))
	f("arg_max", l, "3;a", "null;", nums, col(s, "a", "b", "c", "d", "e"))
	f("arg_min", l, "1;c", "null;", nums, col(s, "a", "b", "c", "d", "e"))
	f("arg_max", l, "null;a", "null;", col(l, nil, nil), col(s, "a", "b"))
	f("take_any", s, "b", "", col(s, "", "b", "c"))
	f("take_any", s, ";1", ";null", col(s, "", "b"), col(l, 1, 2))
	f("percentile", l, "2", "null", nums, c(l, 50))
	f("percentiles", l, "1;3", "null;null", nums, c(l, 5), c(r, 95.5))
	f("percentiles_array", d, "[1,2,3]", "null", nums, c(d, []any{int64(0), int64(50), 100.0}))
	f("percentilesw", l, "20;20;40", "null;null;null", col(l, 10, 20, 30, 40), col(l, 8, 6, 3, 1), c(l, 50), c(l, 75), c(r, 99.9))
	f("binary_all_and", l, "2", "null", col(l, 7, 2, nil))
	f("binary_all_xor", l, "5", "null", col(l, 7, 2, nil))
	f("buildschema", d, "{x:[long,string],y:[double,{w:string}],z:{`indexer`:[long,string]},t:{`indexer`:string}}", "null",
		col(d, bag("x", int64(1), "y", 3.5), bag("x", "some", "z", []any{int64(1), int64(2)}),
			bag("y", bag("w", "zzz"), "t", []any{"aa", "bb"}, "z", []any{"foo"})))
}

func TestRefusals(t *testing.T) {
	f := func(name string, want string, types ...value.Type) {
		t.Helper()
		spec, _ := Lookup(name)
		_, err := spec.New(value.Long, types, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	f("sum", "sum(): values of type string", value.String)
	f("percentile", "must be a constant", value.Long, value.Long)
	f("dcount", "accuracy must be a constant", value.Long, value.Long)
	f("countif", "predicate must be bool", value.Long)
	f("avg", "0 arguments given")
}

func TestSketchAccuracy(t *testing.T) {
	for p, limit := range map[uint8]float64{12: 0.05, 14: 0.025, 18: 0.006} {
		a, b := newSketch(p), newSketch(p)
		for i := range 200000 {
			h := uint64(i+1) * 0x9e3779b97f4a7c15
			h = mix(h ^ h>>31)
			if i%2 == 0 {
				a.add(h)
			} else {
				b.add(h)
			}
		}
		m := HLLMerge(a.dynamic(), nil, b.dynamic())
		n, ok := HLLCount(m)
		if e := math.Abs(float64(n)-200000) / 200000; !ok || e > limit {
			t.Errorf("precision %d: %d, error %.4f", p, n, e)
		}
		if p == 18 {
			low := newSketch(12)
			s, _ := readSketch(m)
			low.merge(s)
			if e := math.Abs(float64(low.count())-200000) / 200000; e > 0.05 {
				t.Errorf("reduced: %d", low.count())
			}
		}
	}
}

func TestDigest(t *testing.T) {
	d := &digest{t: value.Long}
	for i := range 100000 {
		d.add(float64((i*7919)%100000), 1)
	}
	state := d.dynamic()
	for _, p := range []float64{0, 1, 50, 99.9, 100} {
		v, ok := TDigestPercentile(state, p)
		if want := p * 1000; !ok || math.Abs(float64(v.I)-want) > 200 {
			t.Errorf("p%v = %d, want about %v", p, v.I, want)
		}
	}
	if r, n, _ := TDigestRank(state, 50000); math.Abs(r-50000) > 400 || n != 100000 {
		t.Errorf("rank %v of %v", r, n)
	}
	small := &digest{t: value.Long}
	for i := 1; i <= 10; i++ {
		small.add(float64(i), 1)
	}
	other := &digest{t: value.Long}
	for i := 11; i <= 20; i++ {
		other.add(float64(i), 1)
	}
	m := TDigestMerge(small.dynamic(), other.dynamic())
	for p, want := range map[float64]int64{100: 20, 50: 10, 5: 1, 0: 1} {
		if v, _ := TDigestPercentile(m, p); v.I != want {
			t.Errorf("merged p%v = %d, want %d", p, v.I, want)
		}
	}
}
