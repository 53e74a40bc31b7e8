package exec

import (
	"math"
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
	"strings"
)

// sortKey is a compiled key of sort, top and scan.
type sortKey struct {
	e          *expr
	desc       bool
	nullsFirst bool
}

// compileSort compiles keys; whole says that they must be evaluated over all rows at once.
func (x *run) compileSort(keys []plan.SortKey, l layout) (out []sortKey, whole bool, err error) {
	out = make([]sortKey, len(keys))
	for i, k := range keys {
		e, err := x.compile(k.Expr, l)
		if err != nil {
			return nil, false, err
		}
		out[i] = sortKey{e: e, desc: k.Desc, nullsFirst: k.NullsFirst}
		whole = whole || e.window || e.volatile
	}
	return out, whole, nil
}

// order gives the rows of b in the order of the keys; equal rows keep theirs.
func order(b *batch, keys []sortKey) ([]int32, error) {
	cmp := make([]func(p, q int32) int, len(keys))
	for i, k := range keys {
		v, err := k.e.eval(b)
		if err != nil {
			return nil, err
		}
		cmp[i] = comparer(v, k)
	}
	idx := make([]int32, b.n)
	for i := range idx {
		idx[i] = int32(i)
	}
	if len(keys) == 0 {
		return idx, nil
	}
	first, rest := cmp[0], cmp[1:]
	slices.SortFunc(idx, func(p, q int32) int {
		if o := first(p, q); o != 0 {
			return o
		}
		for _, c := range rest {
			if o := c(p, q); o != 0 {
				return o
			}
		}
		return int(p - q)
	})
	return idx, nil
}

// comparer orders two rows of v. NaN goes with the nulls: between them and the numbers.
func comparer(v *value.Vector, k sortKey) func(p, q int32) int {
	if v.Const {
		return func(int32, int32) int { return 0 }
	}
	sign := 1
	if k.desc {
		sign = -1
	}
	switch {
	case v.Null == nil && v.I != nil:
		return func(p, q int32) int { return sign * cmpOrdered(v.I[p], v.I[q]) }
	case v.Type == value.String:
		return func(p, q int32) int { return sign * strings.Compare(v.S[p], v.S[q]) }
	}
	return func(p, q int32) int { return compareKey(v, int(p), v, int(q), k) }
}

func cmpOrdered(x, y int64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// compareKey orders row p of v and row q of w, two vectors of one key.
func compareKey(v *value.Vector, p int, w *value.Vector, q int, k sortKey) int {
	sp, sq := special(v, p), special(w, q)
	if sp != sq {
		if k.nullsFirst == (sp > sq) {
			return -1
		}
		return 1
	}
	if sp != 0 {
		return 0
	}
	c := value.CompareRows(v, p, w, q)
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
