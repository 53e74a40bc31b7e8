package agg

import (
	"fmt"
	"picket/kql/value"
)

// conditional makes the …if form of an aggregate: the argument at position pred is a boolean, and only the rows
// where it is true are fed on, without it.
func conditional(inner newFunc, pred int) newFunc {
	return func(ret value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
		if len(argTypes) <= pred {
			return nil, fmt.Errorf("the predicate is missing")
		}
		if argTypes[pred] != value.Bool {
			return nil, fmt.Errorf("the predicate must be bool, not %s", argTypes[pred])
		}
		s, err := inner(ret, without(argTypes, pred), without(consts, pred))
		if err != nil {
			return nil, err
		}
		return &condState{State: s, pred: pred}, nil
	}
}

func without[T any](s []T, i int) []T {
	out := make([]T, 0, len(s))
	out = append(out, s[:i]...)
	return append(out, s[i+1:]...)
}

type condState struct {
	State
	pred   int
	groups []int32
}

// Add passes on the rows where the predicate is true.
func (s *condState) Add(groups []int32, n int, args []*value.Vector) error {
	p := args[s.pred]
	if cap(s.groups) < n {
		s.groups = make([]int32, n)
	}
	sel := s.groups[:n]
	any := false
	for i := range sel {
		if groups[i] >= 0 && !p.IsNull(i) && p.I[p.Idx(i)] != 0 {
			sel[i] = groups[i]
			any = true
		} else {
			sel[i] = -1
		}
	}
	if !any {
		return nil
	}
	return s.State.Add(sel, n, without(args, s.pred))
}

// Results forwards to the inner state.
func (s *condState) Results() []*value.Vector { return Results(s.State) }
