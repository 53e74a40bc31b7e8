package agg

import (
	"fmt"
	"picket/kql/value"
)

// newBinary makes binary_all_and(), binary_all_or() and binary_all_xor() over whole numbers. Nulls don't count;
// no values give null.
func newBinary(name string) newFunc {
	return func(ret value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
		if err := wantArgs(argTypes, 1, 1); err != nil {
			return nil, err
		}
		if t := argTypes[0]; t != value.Int && t != value.Long {
			return nil, fmt.Errorf("the argument must be a whole number, not %s", t)
		}
		if ret != value.Int {
			ret = value.Long
		}
		return &binaryState{op: name, ret: ret}, nil
	}
}

type binaryState struct {
	op  string
	ret value.Type
	n   []int64
	has []bool
}

func (s *binaryState) Grow(groups int) { s.n, s.has = grow(s.n, groups), grow(s.has, groups) }

func (s *binaryState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		x := a.I[a.Idx(i)]
		switch {
		case !s.has[g]:
			s.n[g], s.has[g] = x, true
		case s.op == "binary_all_and":
			s.n[g] &= x
		case s.op == "binary_all_or":
			s.n[g] |= x
		default:
			s.n[g] ^= x
		}
	}
	return nil
}

func (s *binaryState) Result() *value.Vector {
	out := &value.Vector{Type: s.ret, N: len(s.n), I: s.n}
	for g, ok := range s.has {
		if !ok {
			out.SetNull(g)
		}
	}
	return out
}

func (s *binaryState) Bytes() int64 { return int64(len(s.n)) * 9 }
