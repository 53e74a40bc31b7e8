package agg

import (
	"picket/kql/value"
)

// newArg makes arg_max() and arg_min(): the row with the largest or smallest first argument gives every column.
// Rows whose first argument is null count only when the group has no other; the first of equal rows wins; NaN
// wins over every number.
func newArg(max bool) newFunc {
	return func(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
		if err := wantArgs(argTypes, 1, 1<<15); err != nil {
			return nil, err
		}
		s := &argState{max: max}
		for _, t := range argTypes {
			s.row = append(s.row, value.New(t, 0))
		}
		return s, nil
	}
}

type argState struct {
	max  bool
	row  []*value.Vector
	seen []uint8 // 0 no row, 1 a row with a null key, 2 a row with a key
}

func (s *argState) Grow(groups int) {
	for _, v := range s.row {
		v.Grow(groups)
	}
	s.seen = grow(s.seen, groups)
}

func (s *argState) Add(groups []int32, n int, args []*value.Vector) error {
	key := args[0]
	for i, g := range groups[:n] {
		if g < 0 {
			continue
		}
		if key.IsNull(i) {
			if s.seen[g] == 0 {
				s.seen[g] = 1
				s.take(int(g), args, i)
			}
			continue
		}
		if s.seen[g] < 2 || better(key, i, s.row[0], int(g), s.max) {
			s.seen[g] = 2
			s.take(int(g), args, i)
		}
	}
	return nil
}

func (s *argState) take(g int, args []*value.Vector, i int) {
	for c, a := range args {
		value.CopyRow(s.row[c], g, a, i)
	}
}

func (s *argState) Result() *value.Vector { return s.Results()[0] }

func (s *argState) Results() []*value.Vector {
	for g, seen := range s.seen {
		if seen == 0 {
			for _, v := range s.row {
				v.SetNull(g)
			}
		}
	}
	return s.row
}

func (s *argState) Bytes() int64 { return int64(len(s.seen)) * int64(1+24*len(s.row)) }
