package agg

import (
	"fmt"
	"math"
	"picket/kql/value"
)

type spreadKind int

const (
	stdevSample spreadKind = iota
	stdevPopulation
	varianceSample
	variancePopulation
)

// newSpread makes stdev(), stdevp(), variance() and variancep(), by Welford's update. Nulls don't count; no
// values and a single one give 0.
func newSpread(kind spreadKind) newFunc {
	return func(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
		if err := wantArgs(argTypes, 1, 1); err != nil {
			return nil, err
		}
		if !summable(argTypes[0]) {
			return nil, fmt.Errorf("values of type %s have no variance", argTypes[0])
		}
		return &spreadState{kind: kind}, nil
	}
}

func summable(t value.Type) bool {
	switch t {
	case value.Int, value.Long, value.Real, value.Decimal, value.Timespan, value.Datetime, value.Dynamic:
		return true
	}
	return false
}

type moments struct {
	n        int64
	mean, m2 float64
}

type spreadState struct {
	kind spreadKind
	m    []moments
}

func (s *spreadState) Grow(groups int) { s.m = grow(s.m, groups) }

func (s *spreadState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 {
			continue
		}
		x, ok := realAt(a, i)
		if !ok {
			continue
		}
		m := &s.m[g]
		m.n++
		d := x - m.mean
		m.mean += d / float64(m.n)
		m.m2 += d * (x - m.mean)
	}
	return nil
}

func (s *spreadState) Result() *value.Vector {
	out := value.New(value.Real, len(s.m))
	for g := range s.m {
		out.F[g] = s.m[g].spread(s.kind)
	}
	return out
}

func (m *moments) spread(kind spreadKind) float64 {
	div := float64(m.n)
	if kind == stdevSample || kind == varianceSample {
		div--
	}
	v := 0.0
	switch {
	case div > 0:
		v = m.m2 / div
	case math.IsNaN(m.m2):
		v = m.m2
	}
	if kind == stdevSample || kind == stdevPopulation {
		return math.Sqrt(v)
	}
	return v
}

func (s *spreadState) Bytes() int64 { return int64(len(s.m)) * 24 }
