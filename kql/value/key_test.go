package value

import (
	"math"
	"testing"

	"github.com/shopspring/decimal"
)

func TestAppendKey(t *testing.T) {
	key := func(v *Vector, i int) string { return string(AppendKey(nil, v, i)) }
	l := LongVector([]int64{1, 2})
	n := New(Int, 2)
	n.I[0] = 1
	n.SetNull(1)
	if key(l, 0) != key(n, 0) || key(l, 1) == key(n, 1) {
		t.Error("int and long keys")
	}
	r := RealVector([]float64{0, math.Copysign(0, -1), math.NaN(), math.NaN()})
	if key(r, 0) != key(r, 1) || key(r, 2) != key(r, 3) || key(r, 0) == key(r, 2) {
		t.Error("real keys")
	}
	m := &Vector{Type: Decimal, N: 2, M: []decimal.Decimal{decimal.RequireFromString("1.50"), decimal.RequireFromString("1.5")}}
	if key(m, 0) != key(m, 1) {
		t.Error("decimal keys")
	}
	a, b := NewBag(), NewBag()
	a.Set("x", int64(1))
	a.Set("y", "z")
	b.Set("y", "z")
	b.Set("x", int64(1))
	d := &Vector{Type: Dynamic, N: 2, D: []any{a, b}}
	if key(d, 0) != key(d, 1) {
		t.Error("bag keys")
	}
}

func TestCompareRows(t *testing.T) {
	r := RealVector([]float64{math.NaN(), math.Inf(-1), 1, 0})
	r.SetNull(3)
	order := []int{3, 0, 1, 2}
	for i := 1; i < len(order); i++ {
		if CompareRows(r, order[i-1], r, order[i]) != -1 {
			t.Errorf("row %d should come before %d", order[i-1], order[i])
		}
	}
	if CompareElems(int64(2), 2.5) != -1 || CompareElems("a", "b") != -1 || CompareElems(nil, false) != -1 {
		t.Error("dynamic order")
	}
}
