package eval

import (
	"picket/kql/value"
	"testing"
)

func TestDynamics(t *testing.T) {
	runAll(t, []tc{
		c("member", tY, "1", dy(`{"a":1}`), "a"),
		c("member", tY, "null", dy(`[1]`), "a"),
		c("index", tY, "3", dy("[1,2,3]"), -1),
		c("index", tY, "2", dy(`{"k":2}`), "k"),
		c("array_length", tL, "null", dy("{}")),
		c("array_concat", tY, "[99]", dy("{}"), dy("[99]")),
		c("array_iff", tY, "[1,0,null]", dy(`[true,0,"x"]`), dy("[1,2,3]"), 0),
		c("array_index_of", tL, "-1", dy("[1,2,3]"), 99),
		c("array_slice", tY, "[4,5]", dy("[1,2,3,4,5]"), -2, -1),
		c("array_split", tY, "[[1],[2,3],[4,5]]", dy("[1,2,3,4,5]"), dy("[1,3]")),
		c("array_shift_right", tY, "[3,4,5,-1,-1]", dy("[1,2,3,4,5]"), -2, -1),
		c("array_rotate_left", tY, "[4,5,1,2,3]", dy("[1,2,3,4,5]"), -2),
		c("array_sort_asc", tY, `[["blue","green",null]]`, dy(`["green",null,"blue"]`)),
		c("array_sort_desc", tY, `[[5,4,3,2,1]]`, dy("[1,3,4,5,2]")),
		c("array_sort_asc", tY, `[[1,2,3],["a","c","b"]]`, dy("[1,3,2]"), dy(`["a","b","c"]`)),
		c("tuple_item", tL, "3", dy("[1,3]"), 1),
		c("array_sum", tR, "4.0", dy("[1,null,3]")),
		c("zip", tY, `[["A",{}],[1,"B"],[1.5,null]]`, dy(`["A",1,1.5]`), dy(`[{},"B"]`)),
		c("range", tY, "[1,4,7]", 1, 8, 3),
		c("range", tY, `["01:00:00","02:00:00"]`, ts("1h"), ts("2h")),
		c("repeat", tY, "[1,1]", 1, 2),
		c("bag_keys", tY, `["a"]`, dy(`{"a":1}`)),
		c("bag_merge", tY, `{"a":1,"b":2,"c":4}`, dy(`{"a":1,"b":2}`), dy(`{"b":3,"c":4}`)),
		c("bag_remove_keys", tY, `{"key2":{"prop2":2}}`, dy(`{"key1":1,"key2":{"prop1":1,"prop2":2}}`), dy(`["$.key2.prop1","key1"]`)),
		c("bag_has_key", tB, "True", dy(`{"a":{"b":1}}`), "$.a.b"),
		c("bag_set_key", tY, `{"a":1,"b":{"c":2}}`, dy(`{"a":1}`), "$.b.c", 2),
		c("bag_zip", tY, `{"a":1,"b":2.5}`, dy(`["a",8,"b"]`), dy(`[1,"2",2.5]`)),
		c("bag_pack", tY, `{"a":1,"t":"1.00:00:00"}`, "a", 1, "t", ts("1d")),
		c("pack_all", tY, `{"a":1}`, true, "a", 1, "b", ""),
		c("set_union", tY, "[1,2,3,4]", dy("[1,2,3]"), dy("[3,4]")),
		c("set_difference", tY, "[1,2]", dy("[null,1,null,2]"), dy("[null]")),
		c("set_intersect", tY, "[1]", dy("[1,2,1,4]"), dy("[1,2]"), dy("[4,1]")),
		c("set_has_element", tB, "False", dy("[1,2]"), "2"),
		c("set_equals", tB, "True", dy("[1,2]"), dy("[2,1,1]")),
		c("jaccard_index", tY, "0.75", dy("[1,2,3]"), dy("[1,2,3,4]")),
		c("treepath", tY, `["['p']","['p'][0]","['q']"]`, dy(`{"p":[1,2],"q":3}`)),
		c("dynamic_to_json", tS, `{"a":1,"b":2}`, dy(`{"b":2,"a":1}`)),
		c("estimate_data_size", tL, "18", 5, "1234567890"),
	})
}

func TestWindows(t *testing.T) {
	col := value.LongVector([]int64{5, 5, 8, 3})
	flag := &value.Vector{Type: value.Bool, N: 4, I: []int64{0, 0, 0, 1}}
	for _, k := range []struct {
		name string
		args []*value.Vector
		want []string
	}{
		{"prev", []*value.Vector{col}, []string{"null", "5", "5", "8"}},
		{"next", []*value.Vector{col, value.ConstOf(value.OfLong(2), 4), value.ConstOf(value.OfLong(-9), 4)}, []string{"8", "3", "-9", "-9"}},
		{"row_number", []*value.Vector{value.ConstOf(value.OfLong(0), 4), flag}, []string{"0", "1", "2", "0"}},
		{"row_cumsum", []*value.Vector{col, flag}, []string{"5", "10", "18", "3"}},
		{"row_rank_dense", []*value.Vector{col, flag}, []string{"1", "1", "2", "1"}},
		{"row_rank_min", []*value.Vector{col}, []string{"1", "1", "3", "4"}},
	} {
		f, _ := Lookup(k.name)
		out, err := f(testCtx, value.Long, 4, k.args)
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		for i, w := range k.want {
			if got := show(out, i); got != w {
				t.Errorf("%s row %d = %s, want %s", k.name, i, got, w)
			}
		}
	}
}
