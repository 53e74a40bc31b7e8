package agg

import (
	"picket/kql/value"
)

// newBag makes make_bag(): the properties of all bags in one; the first value of a key stays. What isn't a bag
// is dropped.
func newBag(_ value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
	m, err := maxSize(argTypes, consts)
	if err != nil {
		return nil, err
	}
	return &bagState{max: m}, nil
}

type bagState struct {
	max   int
	b     []*value.Bag
	bytes int64
}

func (s *bagState) Grow(groups int) { s.b = grow(s.b, groups) }

func (s *bagState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 {
			continue
		}
		in, ok := value.Elem(a, i).(*value.Bag)
		if !ok {
			continue
		}
		if s.b[g] == nil {
			s.b[g] = value.NewBag()
		}
		out := s.b[g]
		for _, k := range in.Keys() {
			if out.Len() >= s.max {
				break
			}
			if _, dup := out.Get(k); dup {
				continue
			}
			v, _ := in.Get(k)
			out.Set(k, v)
			s.bytes += 64 + 2*int64(len(k)) + value.ElemBytes(v)
		}
	}
	return nil
}

func (s *bagState) Result() *value.Vector {
	out := value.New(value.Dynamic, len(s.b))
	for g, b := range s.b {
		if b == nil {
			b = value.NewBag()
		}
		out.D[g] = b
	}
	return out
}

func (s *bagState) Bytes() int64 { return int64(len(s.b))*8 + s.bytes }
