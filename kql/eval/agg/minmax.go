package agg

import (
	"math"
	"picket/kql/value"
)

// newMin and newMax make min() and max(): nulls don't count, no values give null ("" for strings), and a NaN
// among reals wins over every number in both.
func newMin(ret value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	return newExtreme(false, argTypes)
}

func newMax(ret value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	return newExtreme(true, argTypes)
}

func newExtreme(max bool, argTypes []value.Type) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	return &extremeState{max: max, best: value.New(argTypes[0], 0)}, nil
}

type extremeState struct {
	max  bool
	best *value.Vector
	has  []bool
	text int64
}

func (s *extremeState) Grow(groups int) {
	s.best.Grow(groups)
	s.has = grow(s.has, groups)
}

func (s *extremeState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		if !s.has[g] || better(a, i, s.best, int(g), s.max) {
			value.CopyRow(s.best, int(g), a, i)
			s.has[g] = true
			if a.Type == value.String {
				s.text += int64(len(a.S[a.Idx(i)]))
			}
		}
	}
	return nil
}

// better says whether row i of a beats row j of b.
func better(a *value.Vector, i int, b *value.Vector, j int, max bool) bool {
	if a.Type == value.Real {
		x, y := a.F[a.Idx(i)], b.F[b.Idx(j)]
		if math.IsNaN(x) || math.IsNaN(y) {
			return math.IsNaN(x) && !math.IsNaN(y)
		}
	}
	c := value.CompareRows(a, i, b, j)
	if max {
		return c > 0
	}
	return c < 0
}

func (s *extremeState) Result() *value.Vector {
	for g, ok := range s.has {
		if !ok {
			s.best.SetNull(g)
		}
	}
	return s.best
}

func (s *extremeState) Bytes() int64 { return int64(len(s.has))*17 + s.text }
