package agg

import (
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

// newBuildSchema makes buildschema(): the smallest schema that admits every dynamic value seen. A type is its
// name, a bag a bag of schemas, an array a bag whose one property `indexer` holds the schema of the elements,
// and alternatives an array in the order of their first appearance.
func newBuildSchema(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	return &schemaState{}, nil
}

type schemaState struct{ s []shape }

func (s *schemaState) Grow(groups int) { s.s = grow(s.s, groups) }

func (s *schemaState) Add(groups []int32, n int, args []*value.Vector) error {
	for i, g := range groups[:n] {
		if g >= 0 {
			s.s[g].add(value.Elem(args[0], i))
		}
	}
	return nil
}

func (s *schemaState) Result() *value.Vector {
	out := value.New(value.Dynamic, len(s.s))
	for g := range s.s {
		out.D[g] = s.s[g].render()
	}
	return out
}

func (s *schemaState) Bytes() int64 { return int64(len(s.s)) * 256 }

// shape is the set of alternatives of one place in a value.
type shape struct {
	order []string // names of types, "{" for a bag, "[" for an array
	keys  []string
	props map[string]*shape
	items *shape
}

func (s *shape) alternative(name string) {
	for _, o := range s.order {
		if o == name {
			return
		}
	}
	s.order = append(s.order, name)
}

func (s *shape) add(e any) {
	switch x := e.(type) {
	case bool:
		s.alternative("bool")
	case int64:
		s.alternative("long")
	case float64:
		s.alternative("double")
	case decimal.Decimal:
		s.alternative("decimal")
	case string:
		s.alternative("string")
	case value.DateTime:
		s.alternative("datetime")
	case value.TimeSpan:
		s.alternative("timespan")
	case value.Guid:
		s.alternative("guid")
	case []any:
		s.alternative("[")
		if s.items == nil {
			s.items = &shape{}
		}
		for _, y := range x {
			s.items.add(y)
		}
	case *value.Bag:
		s.alternative("{")
		if s.props == nil {
			s.props = map[string]*shape{}
		}
		for _, k := range x.Keys() {
			p := s.props[k]
			if p == nil {
				p = &shape{}
				s.props[k] = p
				s.keys = append(s.keys, k)
			}
			v, _ := x.Get(k)
			p.add(v)
		}
	}
}

func (s *shape) render() any {
	var alts []any
	for _, o := range s.order {
		switch o {
		case "[":
			b := value.NewBag()
			b.Set("`indexer`", s.items.render())
			alts = append(alts, b)
		case "{":
			b := value.NewBag()
			for _, k := range s.keys {
				b.Set(k, s.props[k].render())
			}
			alts = append(alts, b)
		default:
			alts = append(alts, o)
		}
	}
	switch len(alts) {
	case 0:
		return nil
	case 1:
		return alts[0]
	}
	return alts
}
