package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// pivoting is pivot settled on the data.
type pivoting struct {
	p      *pluginRun
	groups []int // input columns that stay
	ids    []int32
	keys   *grouper
	names  []string // new columns, one a value of the pivot column
	slots  []int32  // row → new column
	agg    *aggregate
	t      value.Type
}

// pivot reads pivot(column [, aggregate [, group columns …]]): without an aggregate it counts, without group columns
// it groups by every other column that the aggregate doesn't read.
func (p *pluginRun) pivot() (*pivoting, error) {
	ref, ok := p.n.Args[0].(*plan.ColRef)
	if !ok {
		return nil, invalid(p.n.At, "the first argument of pivot must be a column")
	}
	v := &pivoting{p: p, t: value.Long}
	on := p.l[ref.ID]
	call := &plan.AggCall{Name: "count", T: value.Long, At: p.n.At}
	used := map[int]bool{on: true}
	explicit := false
	for _, a := range p.n.Args[1:] {
		switch a := a.(type) {
		case *plan.AggCall:
			call = a
			for _, e := range a.Args {
				refs(e, func(id plan.ColID) {
					if at, ok := p.l[id]; ok {
						used[at] = true
					}
				})
			}
		case *plan.ColRef:
			explicit = true
			v.groups = append(v.groups, p.l[a.ID])
		default:
			return nil, invalid(a.Pos(), "the arguments of pivot after the first must be an aggregate and columns")
		}
	}
	if !explicit {
		for c := range p.cols {
			if !used[c] {
				v.groups = append(v.groups, c)
			}
		}
	}
	v.t = call.T
	var err error
	if v.agg, err = p.x.compileAgg(call, []plan.Col{{Name: "value", Type: call.T}}, p.l); err != nil {
		return nil, err
	}
	var items []plan.Item
	var keys []*expr
	for _, at := range v.groups {
		items = append(items, plan.Item{Col: p.cols[at]})
		keys = append(keys, &expr{t: p.cols[at].Type, f: func(b *batch) (*value.Vector, error) { return b.vecs[at], nil }})
	}
	v.keys = newGrouper(items)
	if len(keys) == 0 {
		v.keys.n = min(1, p.in.n)
	}
	if v.ids, err = v.keys.assign(p.in, keys); err != nil {
		return nil, err
	}
	pv := p.in.vecs[on]
	members := sortedGroups(p.in.n, []*value.Vector{pv})
	v.slots = make([]int32, p.in.n)
	if p.in.n > 0 {
		for s, rows := range members {
			v.names = append(v.names, value.Text(pv, int(rows[0])))
			for _, r := range rows {
				v.slots[r] = int32(s)
			}
		}
	}
	if len(v.names) > maxUnpacked {
		return nil, &LimitError{What: "columns of pivot", Limit: maxUnpacked}
	}
	return v, nil
}

// refs calls f for each column that e reads.
func refs(e plan.Expr, f func(plan.ColID)) {
	switch e := e.(type) {
	case *plan.ColRef:
		f(e.ID)
	case *plan.Call:
		for _, a := range e.Args {
			refs(a, f)
		}
	case *plan.AggCall:
		for _, a := range e.Args {
			refs(a, f)
		}
	case *plan.InSub:
		refs(e.X, f)
	}
}

func (v *pivoting) schema() value.Schema {
	var s value.Schema
	for _, at := range v.groups {
		s = append(s, value.Column{Name: v.p.cols[at].Name, Type: v.p.cols[at].Type})
	}
	for _, n := range v.names {
		s = append(s, value.Column{Name: n, Type: v.t})
	}
	return s
}

// pivot turns the values of a column into columns that hold an aggregate.
func pivot(p *pluginRun) (*batch, error) {
	v, err := p.pivot()
	if err != nil {
		return nil, err
	}
	st, err := v.agg.state()
	if err != nil {
		return nil, err
	}
	groups := v.keys.n
	ids := make([]int32, p.in.n)
	cells := groups * len(v.names)
	if err := p.x.hold(int64(cells) * 16); err != nil {
		return nil, err
	}
	defer p.x.release(int64(cells) * 16)
	for i := range ids {
		ids[i] = v.slots[i]*int32(groups) + v.ids[i]
	}
	st.Grow(cells)
	if err := v.agg.add(st, ids, p.in); err != nil {
		return nil, err
	}
	res, err := v.agg.results(st)
	if err != nil {
		return nil, err
	}
	byName := map[string]*value.Vector{}
	for s, name := range v.names {
		byName[name] = res[0].Slice(s*groups, (s+1)*groups)
	}
	for i, at := range v.groups {
		byName[p.cols[at].Name] = v.keys.keys[i]
	}
	out := &batch{n: groups, vecs: make([]*value.Vector, len(p.n.Out))}
	for i, c := range p.n.Out {
		col, ok := byName[c.Name]
		switch {
		case ok:
			out.vecs[i] = col
		case p.n.Declared:
			out.vecs[i] = value.Nulls(c.Type, groups)
		default:
			return nil, fmt.Errorf("pivot has no column %s any more: the data changed while the query ran; run it again, or declare the columns", c.Name)
		}
	}
	return out, nil
}
