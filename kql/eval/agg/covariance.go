package agg

import (
	"fmt"
	"picket/kql/value"
)

// newCovariance makes covariance() (sample) and covariancep() (population). A row counts when both values are
// there; no such row gives null, a single one 0.
func newCovariance(sample bool) newFunc {
	return func(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
		if err := wantArgs(argTypes, 2, 2); err != nil {
			return nil, err
		}
		for _, t := range argTypes {
			if !summable(t) {
				return nil, fmt.Errorf("values of type %s have no covariance", t)
			}
		}
		return &covState{sample: sample}, nil
	}
}

type comoment struct {
	n         int64
	mx, my, c float64
}

type covState struct {
	sample bool
	m      []comoment
}

func (s *covState) Grow(groups int) { s.m = grow(s.m, groups) }

func (s *covState) Add(groups []int32, n int, args []*value.Vector) error {
	for i, g := range groups[:n] {
		if g < 0 {
			continue
		}
		x, ok := realAt(args[0], i)
		if !ok {
			continue
		}
		y, ok := realAt(args[1], i)
		if !ok {
			continue
		}
		m := &s.m[g]
		m.n++
		dx := x - m.mx
		m.mx += dx / float64(m.n)
		m.my += (y - m.my) / float64(m.n)
		m.c += dx * (y - m.my)
	}
	return nil
}

func (s *covState) Result() *value.Vector {
	out := value.New(value.Real, len(s.m))
	for g := range s.m {
		m := &s.m[g]
		div := float64(m.n)
		if s.sample {
			div--
		}
		switch {
		case m.n == 0:
			out.SetNull(g)
		case div > 0:
			out.F[g] = m.c / div
		}
	}
	return out
}

func (s *covState) Bytes() int64 { return int64(len(s.m)) * 32 }
