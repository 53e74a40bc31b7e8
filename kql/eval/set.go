package eval

import "picket/kql/value"

func setFuncs(t table) {
	t.pure("set_union", setOp(func(sets [][]any) []any {
		u := newSet()
		for _, s := range sets {
			for _, e := range s {
				u.add(e)
			}
		}
		return u.list
	}))
	t.pure("set_intersect", setOp(func(sets [][]any) []any {
		return keepWhere(sets, func(in int, others int) bool { return in == others })
	}))
	t.pure("set_difference", setOp(func(sets [][]any) []any {
		return keepWhere(sets, func(in int, _ int) bool { return in == 0 })
	}))
	t.pure("set_has_element", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, v := dyns(args[0]), dyns(args[1])
		out := value.New(value.Bool, n)
		for i := range out.I {
			arr, ok := a.at(i).([]any)
			if !ok {
				out.SetNull(i)
				continue
			}
			want := v.at(i)
			for _, e := range arr {
				if sameElem(e, want) {
					out.I[i] = 1
					break
				}
			}
		}
		return out, nil
	})
	t.pure("set_equals", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := dyns(args[0]), dyns(args[1])
		out := value.New(value.Bool, n)
		for i := range out.I {
			x, xok := a.at(i).([]any)
			y, yok := b.at(i).([]any)
			if !xok || !yok {
				out.SetNull(i)
				continue
			}
			s, r := setOfAll(x), setOfAll(y)
			if len(s.list) == len(r.list) && s.shared(r) == len(s.list) {
				out.I[i] = 1
			}
		}
		return out, nil
	})
	t.pure("jaccard_index", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := dyns(args[0]), dyns(args[1])
		out := value.New(value.Real, n)
		for i := range out.F {
			x, xok := a.at(i).([]any)
			y, yok := b.at(i).([]any)
			if !xok || !yok {
				out.SetNull(i)
				continue
			}
			s, r := setOfAll(x), setOfAll(y)
			both := s.shared(r)
			out.F[i] = float64(both) / float64(len(s.list)+len(r.list)-both)
		}
		return convert(out, ret), nil
	})
}

// set keeps distinct dynamic elements in order of appearance.
type set struct {
	has  map[string]struct{}
	list []any
}

func newSet() *set { return &set{has: map[string]struct{}{}, list: []any{}} }

func setOfAll(arr []any) *set {
	s := newSet()
	for _, e := range arr {
		s.add(e)
	}
	return s
}

func (s *set) add(e any) {
	k := string(value.AppendElemKey(nil, e))
	if _, dup := s.has[k]; !dup {
		s.has[k] = struct{}{}
		s.list = append(s.list, e)
	}
}

func (s *set) contains(e any) bool {
	_, ok := s.has[string(value.AppendElemKey(nil, e))]
	return ok
}

func (s *set) shared(r *set) int {
	n := 0
	for k := range s.has {
		if _, ok := r.has[k]; ok {
			n++
		}
	}
	return n
}

// keepWhere keeps the distinct elements of the first set by the number of other sets that hold them.
func keepWhere(sets [][]any, keep func(in, others int) bool) []any {
	others := make([]*set, len(sets)-1)
	for k, s := range sets[1:] {
		others[k] = setOfAll(s)
	}
	out := []any{}
	for _, e := range setOfAll(sets[0]).list {
		in := 0
		for _, o := range others {
			if o.contains(e) {
				in++
			}
		}
		if keep(in, len(others)) {
			out = append(out, e)
		}
	}
	return out
}

// setOp adapts a function of sets; an argument that is no array makes the result null.
func setOp(f func([][]any) []any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		cs := make([]col[any], len(args))
		for k, a := range args {
			cs[k] = dyns(a)
		}
		sets := make([][]any, len(args))
		out := value.New(value.Dynamic, n)
	rows:
		for i := range out.D {
			for k := range cs {
				arr, ok := cs[k].at(i).([]any)
				if !ok {
					continue rows
				}
				sets[k] = arr
			}
			out.D[i] = f(sets)
		}
		return out, nil
	}
}
