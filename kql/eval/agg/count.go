package agg

import (
	"fmt"
	"picket/kql/value"
)

// countState implements count() and, behind a predicate, countif(). An argument does not matter: the engine
// counts rows whose argument is null too.
type countState struct{ n []int64 }

func newCount(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 0, 1); err != nil {
		return nil, err
	}
	if len(argTypes) == 1 && argTypes[0] == value.Bool {
		return nil, fmt.Errorf("a boolean argument is not supported; use countif()")
	}
	return &countState{}, nil
}

func (s *countState) Grow(groups int) { s.n = grow(s.n, groups) }

func (s *countState) Add(groups []int32, n int, _ []*value.Vector) error {
	for _, g := range groups[:n] {
		if g >= 0 {
			s.n[g]++
		}
	}
	return nil
}

func (s *countState) Result() *value.Vector { return value.LongVector(s.n) }
func (s *countState) Bytes() int64          { return int64(len(s.n)) * 8 }

// grow lengthens s with zero values to n elements.
func grow[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}
