package value

import "testing"

func TestVectorOps(t *testing.T) {
	v := New(Long, 0)
	src := LongVector([]int64{1, 2, 3})
	v.AppendVector(src)
	c := ConstOf(Value{Type: Long, Null: true}, 2)
	v.AppendVector(c)
	v.Append(src, 1)
	if v.N != 6 || !v.IsNull(3) || !v.IsNull(4) || v.IsNull(5) || v.I[5] != 2 {
		t.Fatalf("append: %+v", v)
	}
	g := Gather(v, []int32{5, -1, 0, 3})
	if g.I[0] != 2 || !g.IsNull(1) || g.I[2] != 1 || !g.IsNull(3) {
		t.Fatalf("gather: %+v", g)
	}
	s := v.Slice(2, 4)
	if s.N != 2 || s.I[0] != 3 || !s.IsNull(1) {
		t.Fatalf("slice: %+v", s)
	}
	if f := c.Flat(); f.Const || f.N != 2 || !f.IsNull(1) {
		t.Fatalf("flat: %+v", f)
	}
	if x := Gather(ConstOf(Value{Type: String, S: "a"}, 3), []int32{0, -1}); x.S[x.Idx(0)] != "a" || x.S[x.Idx(1)] != "" {
		t.Fatalf("const gather: %+v", x)
	}
}
