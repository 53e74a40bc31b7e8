package exec

import (
	"encoding/binary"
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
func (x *run) order(b *batch, keys []sortKey) ([]int32, error) {
	cmp := make([]func(p, q int32) int, len(keys))
	var lead []uint64 // the first key's order as numbers
	exact := false
	for i, k := range keys {
		v, err := k.e.eval(b)
		if err != nil {
			return nil, err
		}
		cmp[i] = comparer(v, k)
		if i == 0 && !v.Const {
			lead, exact = leads(v, k)
		}
	}
	idx := make([]int32, b.n)
	for i := range idx {
		idx[i] = int32(i)
	}
	if len(keys) == 0 {
		return idx, nil
	}
	if exact {
		cmp = cmp[1:]
	}
	return x.mergeSort(idx, func(p, q int32) int {
		if lead != nil && lead[p] != lead[q] {
			if lead[p] < lead[q] {
				return -1
			}
			return 1
		}
		for _, c := range cmp {
			if o := c(p, q); o != 0 {
				return o
			}
		}
		return int(p - q)
	})
}

// leads gives for each row a number that orders as the key does, as far as it goes; exact says that equal numbers mean
// equal keys. Nil when the key has no such number.
func leads(v *value.Vector, k sortKey) (out []uint64, exact bool) {
	switch {
	case v.Null == nil && v.I != nil:
		out = make([]uint64, v.N)
		for i, n := range v.I[:v.N] {
			out[i] = uint64(n) ^ 1<<63
		}
		exact = true
	case v.Type == value.String:
		out = make([]uint64, v.N)
		for i, s := range v.S[:v.N] {
			var b [8]byte
			copy(b[:], s)
			out[i] = binary.BigEndian.Uint64(b[:])
		}
	default:
		return nil, false
	}
	if k.desc {
		for i := range out {
			out[i] = ^out[i]
		}
	}
	return out, exact
}

// run0 is how many rows are sorted or merged before the query looks whether it should stop.
const run0 = 1 << 15

// mergeSort sorts rows by an order without ties: runs first, then merges.
func (x *run) mergeSort(idx []int32, cmp func(p, q int32) int) ([]int32, error) {
	for at := 0; at < len(idx); at += run0 {
		if err := x.tick(); err != nil {
			return nil, err
		}
		slices.SortFunc(idx[at:min(at+run0, len(idx))], cmp)
	}
	from, to := idx, make([]int32, 0)
	if len(idx) > run0 {
		to = make([]int32, len(idx))
	}
	for width := run0; width < len(idx); width *= 2 {
		for at := 0; at < len(idx); at += 2 * width {
			mid, end := min(at+width, len(idx)), min(at+2*width, len(idx))
			i, j := at, mid
			for o := at; o < end; o++ {
				if (o-at)%run0 == 0 {
					if err := x.tick(); err != nil {
						return nil, err
					}
				}
				if j == end || i < mid && cmp(from[i], from[j]) < 0 {
					to[o] = from[i]
					i++
				} else {
					to[o] = from[j]
					j++
				}
			}
		}
		from, to = to, from
	}
	return from, nil
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
		idx, err := x.order(b, keys)
		if err != nil {
			yield(nil, err)
			return
		}
		x.emitRows(yield, b, idx)
	}, nil
}
