package agg

import (
	"fmt"
	"picket/kql/value"
)

// MaxListSize is the number of elements that make_list(), make_set() and make_bag() keep for a group unless the
// call says fewer (or more).
const MaxListSize = 1048576

func maxSize(argTypes []value.Type, consts []*value.Value) (int, error) {
	if err := wantArgs(argTypes, 1, 2); err != nil {
		return 0, err
	}
	m, err := constInt("maxSize", 1, consts, MaxListSize)
	if err != nil {
		return 0, err
	}
	if m < 0 || m > 1<<31 {
		return 0, fmt.Errorf("maxSize %d is out of range", m)
	}
	return int(m), nil
}

// newList makes make_list() and make_list_with_nulls(): the values in the order of the rows. An array gives its elements,
// not itself.
func newList(nulls bool) newFunc {
	return func(_ value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
		m, err := maxSize(argTypes, consts)
		if err != nil {
			return nil, err
		}
		return &listState{nulls: nulls, max: m}, nil
	}
}

type listState struct {
	nulls bool
	max   int
	l     [][]any
	bytes int64
}

func (s *listState) Grow(groups int) { s.l = grow(s.l, groups) }

func (s *listState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 {
			continue
		}
		switch e := value.Elem(a, i).(type) {
		case []any:
			for _, x := range e {
				s.add(g, x)
			}
		default:
			s.add(g, e)
		}
	}
	return nil
}

func (s *listState) add(g int32, e any) {
	if e == nil && !s.nulls || len(s.l[g]) >= s.max {
		return
	}
	s.l[g] = append(s.l[g], e)
	s.bytes += 16 + value.ElemBytes(e)
}

func (s *listState) Result() *value.Vector {
	out := value.New(value.Dynamic, len(s.l))
	for g, l := range s.l {
		if l == nil {
			l = []any{}
		}
		out.D[g] = l
	}
	return out
}

func (s *listState) Bytes() int64 { return int64(len(s.l))*24 + s.bytes }

// newSet makes make_set(): the distinct values in the order of their first appearance; nulls are dropped, and an array
// gives its elements.
func newSet(_ value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
	m, err := maxSize(argTypes, consts)
	if err != nil {
		return nil, err
	}
	return &setState{max: m}, nil
}

type setState struct {
	max   int
	l     [][]any
	seen  []map[string]struct{}
	key   []byte
	bytes int64
}

func (s *setState) Grow(groups int) { s.l, s.seen = grow(s.l, groups), grow(s.seen, groups) }

func (s *setState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		if l, ok := value.Elem(a, i).([]any); ok {
			for _, e := range l {
				if e != nil {
					s.key = value.AppendElemKey(s.key[:0], e)
					s.add(g, e)
				}
			}
			continue
		}
		s.key = value.AppendKey(s.key[:0], a, i)
		if _, ok := s.seen[g][string(s.key)]; !ok {
			s.add(g, value.Elem(a, i))
		}
	}
	return nil
}

// add puts e, whose key is in s.key, into the set of a group.
func (s *setState) add(g int32, e any) {
	if _, ok := s.seen[g][string(s.key)]; ok || len(s.l[g]) >= s.max {
		return
	}
	if s.seen[g] == nil {
		s.seen[g] = map[string]struct{}{}
	}
	s.seen[g][string(s.key)] = struct{}{}
	s.l[g] = append(s.l[g], e)
	s.bytes += 64 + int64(len(s.key)) + value.ElemBytes(e)
}

func (s *setState) Result() *value.Vector {
	out := value.New(value.Dynamic, len(s.l))
	for g, l := range s.l {
		if l == nil {
			l = []any{}
		}
		out.D[g] = l
	}
	return out
}

func (s *setState) Bytes() int64 { return int64(len(s.l))*32 + s.bytes }
