package agg

import (
	"fmt"
	"math"
	"picket/kql/value"
	"sort"

	"github.com/shopspring/decimal"
)

// newPercentile makes percentile(), percentiles(), percentilew() … by nearest rank over all values, which are
// kept: the answer is exact, always one of the values. With array, the call gives one dynamic array of all
// percentiles, and these may be given as one dynamic array. Nulls don't count; no values give null.
func newPercentile(weighted, array bool) newFunc {
	return func(_ value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
		first := 1
		if weighted {
			first = 2
		}
		if err := wantArgs(argTypes, first+1, 1<<15); err != nil {
			return nil, err
		}
		s := &percentileState{t: argTypes[0], weighted: weighted, array: array}
		switch s.t {
		case value.Int, value.Long, value.Real, value.Decimal, value.Datetime, value.Timespan:
		default:
			return nil, fmt.Errorf("values of type %s have no percentiles", s.t)
		}
		if weighted && argTypes[1] != value.Int && argTypes[1] != value.Long {
			return nil, fmt.Errorf("the weight must be a whole number, not %s", argTypes[1])
		}
		for i := first; i < len(argTypes); i++ {
			ps, err := percentages(consts[i])
			if err != nil {
				return nil, err
			}
			s.p = append(s.p, ps...)
		}
		return s, nil
	}
}

func percentages(c *value.Value) ([]float64, error) {
	if c == nil {
		return nil, fmt.Errorf("the percentage must be a constant")
	}
	v := value.ConstOf(*c, 1)
	if c.Type == value.Dynamic {
		l, ok := c.D.([]any)
		if !ok {
			l = []any{c.D}
		}
		v = &value.Vector{Type: value.Dynamic, N: len(l), D: l}
	}
	out := make([]float64, v.N)
	for i := range out {
		p, ok := realAt(v, i)
		if !ok || !(p >= 0 && p <= 100) {
			return nil, fmt.Errorf("a percentage must be a number from 0 to 100")
		}
		out[i] = p
	}
	return out, nil
}

type percentileState struct {
	t               value.Type
	weighted, array bool
	p               []float64
	g               []samples
	bytes           int64
}

type samples struct {
	i []int64
	f []float64
	m []decimal.Decimal
	w []int64
}

func (s *percentileState) Grow(groups int) { s.g = grow(s.g, groups) }

func (s *percentileState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		k, x := a.Idx(i), &s.g[g]
		if s.weighted {
			w := args[1]
			if w.IsNull(i) || w.I[w.Idx(i)] <= 0 {
				continue
			}
			x.w = append(x.w, w.I[w.Idx(i)])
			s.bytes += 8
		}
		switch s.t {
		case value.Real:
			x.f = append(x.f, a.F[k])
		case value.Decimal:
			x.m = append(x.m, a.M[k])
			s.bytes += 32
		default:
			x.i = append(x.i, a.I[k])
		}
		s.bytes += 8
	}
	return nil
}

// sorted gives the order of the samples, ascending, and their number.
func (x *samples) sorted(t value.Type) []int {
	n := len(x.i) + len(x.f) + len(x.m)
	ord := make([]int, n)
	for i := range ord {
		ord[i] = i
	}
	sort.Slice(ord, func(a, b int) bool {
		a, b = ord[a], ord[b]
		switch t {
		case value.Real:
			return value.CompareReals(x.f[a], x.f[b]) < 0
		case value.Decimal:
			return x.m[a].LessThan(x.m[b])
		}
		return x.i[a] < x.i[b]
	})
	return ord
}

// rank gives the place, in a sorted list of n equal weights, of percentile p by nearest rank.
func rank(p float64, n int) int {
	r := int(math.Ceil(p*float64(n)/100-1e-9)) - 1
	return max(0, min(r, n-1))
}

func (x *samples) pick(ord []int, p float64) int {
	if x.w == nil {
		return ord[rank(p, len(ord))]
	}
	total := 0.0
	for _, w := range x.w {
		total += float64(w)
	}
	want, sum := p*total/100-1e-9, 0.0
	for _, i := range ord {
		sum += float64(x.w[i])
		if sum >= want {
			return i
		}
	}
	return ord[len(ord)-1]
}

func (s *percentileState) Results() []*value.Vector {
	cols := make([]*value.Vector, len(s.p))
	for c := range cols {
		cols[c] = value.New(s.t, len(s.g))
	}
	for g := range s.g {
		x := &s.g[g]
		ord := x.sorted(s.t)
		for c, p := range s.p {
			if len(ord) == 0 {
				cols[c].SetNull(g)
				continue
			}
			switch i := x.pick(ord, p); s.t {
			case value.Real:
				cols[c].F[g] = x.f[i]
			case value.Decimal:
				cols[c].M[g] = x.m[i]
			default:
				cols[c].I[g] = x.i[i]
			}
		}
	}
	if !s.array {
		return cols
	}
	out := value.New(value.Dynamic, len(s.g))
	for g := range s.g {
		if len(s.g[g].i)+len(s.g[g].f)+len(s.g[g].m) == 0 {
			continue // null
		}
		l := make([]any, len(cols))
		for c := range cols {
			l[c] = value.Elem(cols[c], g)
		}
		out.D[g] = l
	}
	return []*value.Vector{out}
}

func (s *percentileState) Result() *value.Vector { return s.Results()[0] }
func (s *percentileState) Bytes() int64          { return int64(len(s.g))*96 + s.bytes }
