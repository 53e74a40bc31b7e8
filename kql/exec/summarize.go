package exec

import (
	"fmt"
	"picket/kql/eval/agg"
	"picket/kql/plan"
	"picket/kql/value"
)

// aggregate is a compiled aggregate call.
type aggregate struct {
	call *plan.AggCall
	spec agg.Spec
	args []*expr
	out  []plan.Col
}

func (x *run) compileAgg(c *plan.AggCall, out []plan.Col, l layout) (*aggregate, error) {
	spec, ok := agg.Lookup(c.Name)
	if !ok {
		return nil, notSupported(c.At, "the aggregate %s() is known to the language but not built into picket yet", c.Name)
	}
	a := &aggregate{call: c, spec: spec, out: out}
	for _, e := range c.Args {
		arg, err := x.compile(e, l)
		if err != nil {
			return nil, err
		}
		a.args = append(a.args, arg)
	}
	// Made once now, so that a refusal comes with no rows too.
	if _, err := a.state(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *aggregate) state() (agg.State, error) {
	types, consts := make([]value.Type, len(a.args)), make([]*value.Value, len(a.args))
	for i, e := range a.args {
		types[i] = e.t
		if e.k != nil {
			v := e.k.At(0)
			consts[i] = &v
		}
	}
	ret := a.call.T
	if len(a.out) > 0 {
		ret = a.out[0].Type
	}
	s, err := a.spec.New(ret, types, consts)
	if err != nil {
		return nil, &Error{Code: "Invalid", Msg: err.Error(), At: a.call.At, Err: err}
	}
	return s, nil
}

// window says whether an argument must see the whole input in one batch.
func (a *aggregate) window() bool {
	for _, e := range a.args {
		if e.window {
			return true
		}
	}
	return false
}

func (a *aggregate) add(s agg.State, groups []int32, b *batch) error {
	vs := make([]*value.Vector, len(a.args))
	for i, e := range a.args {
		v, err := e.eval(b)
		if err != nil {
			return err
		}
		vs[i] = v
	}
	return s.Add(groups, b.n, vs)
}

// results gives the state's columns as the plan wants them.
func (a *aggregate) results(s agg.State) ([]*value.Vector, error) {
	vs := agg.Results(s)
	if len(vs) < len(a.out) {
		return nil, fmt.Errorf("BUG: %s() gave %d columns, not %d", a.call.Name, len(vs), len(a.out))
	}
	vs = vs[:len(a.out)]
	for i, c := range a.out {
		if vs[i].Type != c.Type {
			v, ok := convertVector(vs[i], c.Type)
			if !ok {
				return nil, fmt.Errorf("BUG: %s() gave %s for %s, not %s", a.call.Name, vs[i].Type, c.Name, c.Type)
			}
			vs[i] = v
		}
	}
	return vs, nil
}

// summarize groups by keys and aggregates. Groups come out in the order of their first row; without keys there is
// exactly one.
func (x *run) summarize(n *plan.Summarize) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	l := layoutOf(cols)
	keys, window, err := x.compileItems(n.Keys, l)
	if err != nil {
		return nil, err
	}
	aggs := make([]*aggregate, len(n.Aggs))
	for i := range n.Aggs {
		a, err := x.compileAgg(n.Aggs[i].Call, n.Aggs[i].Out, l)
		if err != nil {
			return nil, err
		}
		aggs[i] = a
		window = window || a.window()
	}
	if window {
		in = x.whole(in, cols)
	}
	return func(yield func(*batch, error) bool) {
		out, held, err := x.group(in, n.Keys, keys, aggs)
		defer func() { x.release(held) }()
		if err != nil {
			yield(nil, err)
			return
		}
		emit(yield, out)
	}, nil
}

// group runs a hash aggregation; the result has the keys, then the aggregates' columns.
func (x *run) group(in batches, items []plan.Item, keys []*expr, aggs []*aggregate) (out *batch, held int64, err error) {
	states := make([]agg.State, len(aggs))
	for i, a := range aggs {
		if states[i], err = a.state(); err != nil {
			return nil, 0, err
		}
	}
	g := newGrouper(items)
	if len(keys) == 0 {
		g.n = 1
		for _, s := range states {
			s.Grow(1)
		}
	}
	for b, err := range in {
		if err == nil {
			err = x.tick()
		}
		if err != nil {
			return nil, held, err
		}
		if b.n == 0 {
			continue
		}
		ids, err := g.assign(b, keys)
		if err != nil {
			return nil, held, err
		}
		size := g.bytes
		for i, a := range aggs {
			states[i].Grow(g.n)
			if err := a.add(states[i], ids, b); err != nil {
				return nil, held, err
			}
			size += states[i].Bytes()
		}
		if err := x.hold(size - held); err != nil {
			return nil, size, err
		}
		held = size
	}
	out = &batch{n: g.n, vecs: append([]*value.Vector(nil), g.keys...)}
	for i, a := range aggs {
		vs, err := a.results(states[i])
		if err != nil {
			return nil, held, err
		}
		out.vecs = append(out.vecs, vs...)
	}
	return out, held, nil
}

// grouper numbers the distinct keys it sees.
type grouper struct {
	n     int
	keys  []*value.Vector // one row a group
	ids   map[string]int32
	whole map[int64]int32 // for a single key held in 64 bits
	key   []byte
	bytes int64
}

func newGrouper(items []plan.Item) *grouper {
	g := &grouper{}
	for i := range items {
		g.keys = append(g.keys, value.New(items[i].Col.Type, 0))
	}
	if len(g.keys) == 1 && g.keys[0].Type != value.Dynamic && g.keys[0].I != nil {
		g.whole = map[int64]int32{}
	}
	g.ids = map[string]int32{}
	return g
}

// assign gives each row of b its group.
func (g *grouper) assign(b *batch, keys []*expr) ([]int32, error) {
	ids := make([]int32, b.n)
	if len(keys) == 0 {
		return ids, nil
	}
	vs := make([]*value.Vector, len(keys))
	for i, e := range keys {
		v, err := e.eval(b)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	for i := range ids {
		if g.whole != nil && !vs[0].IsNull(i) {
			k := vs[0].I[vs[0].Idx(i)]
			id, ok := g.whole[k]
			if !ok {
				id = g.add(vs, i)
				g.whole[k] = id
			}
			ids[i] = id
			continue
		}
		g.key = g.key[:0]
		for _, v := range vs {
			g.key = value.AppendKey(g.key, v, i)
		}
		id, ok := g.ids[string(g.key)]
		if !ok {
			id = g.add(vs, i)
			g.ids[string(g.key)] = id
		}
		ids[i] = id
	}
	return ids, nil
}

func (g *grouper) add(vs []*value.Vector, i int) int32 {
	id := int32(g.n)
	g.n++
	g.bytes += 48 + int64(2*len(g.key))
	for c, v := range vs {
		g.keys[c].Append(v, i)
	}
	return id
}
