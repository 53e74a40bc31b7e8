package agg

import (
	"picket/kql/value"
)

// newTakeAny makes take_any() and any(). One column takes its first value that is not null or empty, if there is
// one; several columns come from one row, the first.
func newTakeAny(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1<<15); err != nil {
		return nil, err
	}
	s := &anyState{}
	for _, t := range argTypes {
		s.row = append(s.row, value.New(t, 0))
	}
	return s, nil
}

type anyState struct {
	row  []*value.Vector
	done []bool
	seen []bool
}

func (s *anyState) Grow(groups int) {
	for _, v := range s.row {
		v.Grow(groups)
	}
	s.done, s.seen = grow(s.done, groups), grow(s.seen, groups)
}

func (s *anyState) Add(groups []int32, n int, args []*value.Vector) error {
	for i, g := range groups[:n] {
		if g < 0 || s.done[g] {
			continue
		}
		a := args[0]
		empty := len(s.row) == 1 && (a.IsNull(i) || (a.Type == value.String && a.S[a.Idx(i)] == ""))
		if empty && s.seen[g] {
			continue
		}
		for c, a := range args {
			value.CopyRow(s.row[c], int(g), a, i)
		}
		s.seen[g], s.done[g] = true, !empty
	}
	return nil
}

func (s *anyState) Result() *value.Vector { return s.Results()[0] }

func (s *anyState) Results() []*value.Vector {
	for g, seen := range s.seen {
		if !seen {
			for _, v := range s.row {
				v.SetNull(g)
			}
		}
	}
	return s.row
}

func (s *anyState) Bytes() int64 { return int64(len(s.seen)) * int64(2+24*len(s.row)) }
