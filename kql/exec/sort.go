package exec

import (
	"math"
	"sort"

	"picket/kql/plan"
	"picket/kql/value"
)

// sortKey is a compiled key of sort, top and scan.
type sortKey struct {
	e          *expr
	desc       bool
	nullsFirst bool
}

func (x *run) compileSort(keys []plan.SortKey, l layout) ([]sortKey, bool, error) {
	out := make([]sortKey, len(keys))
	window := false
	for i, k := range keys {
		e, err := x.compile(k.Expr, l)
		if err != nil {
			return nil, false, err
		}
		out[i] = sortKey{e: e, desc: k.Desc, nullsFirst: k.NullsFirst}
		window = window || e.window
	}
	return out, window, nil
}

// order gives the rows of b in the order of the keys; equal rows keep theirs.
func order(b *batch, keys []sortKey) ([]int32, error) {
	vs := make([]*value.Vector, len(keys))
	for i, k := range keys {
		v, err := k.e.eval(b)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	idx := make([]int32, b.n)
	for i := range idx {
		idx[i] = int32(i)
	}
	sort.SliceStable(idx, func(i, j int) bool {
		p, q := int(idx[i]), int(idx[j])
		for c, v := range vs {
			if o := compareKey(v, p, q, keys[c]); o != 0 {
				return o < 0
			}
		}
		return false
	})
	return idx, nil
}

// compareKey orders rows p and q of v. NaN goes with the nulls: between them and the numbers.
func compareKey(v *value.Vector, p, q int, k sortKey) int {
	sp, sq := special(v, p), special(v, q)
	if sp != sq {
		if k.nullsFirst == (sp > sq) {
			return -1
		}
		return 1
	}
	if sp != 0 {
		return 0
	}
	c := value.CompareRows(v, p, v, q)
	if k.desc {
		return -c
	}
	return c
}

// special is 2 for null, 1 for NaN, 0 for every other value.
func special(v *value.Vector, i int) int {
	if v.IsNull(i) {
		return 2
	}
	if v.Type == value.Real && math.IsNaN(v.F[v.Idx(i)]) {
		return 1
	}
	return 0
}

// sort is a stable sort of all rows.
func (x *run) sort(n *plan.Sort) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	keys, _, err := x.compileSort(n.Keys, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	return func(yield func(*batch, error) bool) {
		b, done, err := x.all(in, cols)
		defer func() { done() }()
		if err != nil {
			yield(nil, err)
			return
		}
		idx, err := order(b, keys)
		if err != nil {
			yield(nil, err)
			return
		}
		x.emitRows(yield, b, idx)
	}, nil
}
