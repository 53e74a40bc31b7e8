package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
)

// topNested is the hierarchical top: the best values of the first level, within each of them the best of the second,
// and so on. With `with others` the rows that were not taken make one value more, which stands last.
func (x *run) topNested(n *plan.TopNested) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	l := layoutOf(cols)
	t := &nester{x: x}
	for i := range n.Levels {
		lv := &n.Levels[i]
		c := nestLevel{limit: -1, by: lv.By.Col, col: lv.Col, asc: lv.Asc}
		if lv.N != nil {
			if c.limit, err = x.count(lv.N); err != nil {
				return nil, err
			}
		}
		if c.key, err = x.compile(lv.By.Expr, l); err != nil {
			return nil, err
		}
		if c.agg, err = x.compileAgg(lv.Agg.Call, lv.Agg.Out, l); err != nil {
			return nil, err
		}
		if lv.Post != nil {
			if c.post, err = x.compile(lv.Post, layoutOf(lv.Agg.Out)); err != nil {
				return nil, err
			}
		}
		if lv.Others != nil {
			v, ok := convertVector(value.ConstOf(lv.Others.Val, 1), c.key.t)
			if !ok {
				p := parseText(lv.Others.Val.Text(), c.key.t)
				v = value.ConstOf(p, 1)
			}
			c.others = v
		}
		t.levels = append(t.levels, c)
	}
	return func(yield func(*batch, error) bool) {
		b, done, err := x.all(in, cols)
		defer func() { done() }()
		if err != nil {
			yield(nil, err)
			return
		}
		r := *t
		r.out = emptyBatch(n.Cols())
		rows := make([]int32, b.n)
		for i := range rows {
			rows[i] = int32(i)
		}
		if err := r.level(b, 0, rows, make([]value.Value, 0, 2*len(t.levels)), false); err != nil {
			yield(nil, err)
			return
		}
		emit(yield, r.out)
	}, nil
}

type nestLevel struct {
	limit  int // -1: all values
	by     plan.Col
	col    plan.Col
	key    *expr
	agg    *aggregate
	post   *expr
	others *value.Vector
	asc    bool
}

type nester struct {
	x      *run
	levels []nestLevel
	out    *batch
}

// measure aggregates groups of b and gives the ordering value of each.
func (t *nester) measure(lv *nestLevel, b *batch, ids []int32, groups int) (*value.Vector, error) {
	st, err := lv.agg.state()
	if err != nil {
		return nil, err
	}
	st.Grow(groups)
	if err := lv.agg.add(st, ids, b); err != nil {
		return nil, err
	}
	vs, err := lv.agg.results(st)
	if err != nil || lv.post == nil {
		return vs[0], err
	}
	return lv.post.eval(&batch{n: groups, vecs: vs})
}

// level adds the rows below prefix, the cells of the levels above. In the others of an upper level every level has
// only its own others.
func (t *nester) level(b *batch, k int, rows []int32, prefix []value.Value, others bool) error {
	if k == len(t.levels) {
		for c, v := range prefix {
			col := t.out.vecs[c]
			col.Grow(col.N + 1)
			col.Set(col.N-1, v)
		}
		t.out.n++
		return nil
	}
	lv := &t.levels[k]
	part := b.gather(rows)
	if err := t.x.step(len(rows) + 1); err != nil {
		return err
	}
	if others && lv.others != nil {
		return t.rest(lv, b, k, rows, prefix)
	}
	g := newGrouper([]plan.Item{{Col: lv.by}})
	ids, err := g.assign(part, []*expr{lv.key})
	if err != nil {
		return err
	}
	if g.n == 0 {
		return nil
	}
	m, err := t.measure(lv, part, ids, g.n)
	if err != nil {
		return err
	}
	byMeasure := &expr{t: m.Type, f: func(b *batch) (*value.Vector, error) { return b.vecs[0], nil }}
	idx, err := t.x.order(&batch{n: g.n, vecs: []*value.Vector{m}}, []sortKey{{e: byMeasure, desc: lv.asc, nullsFirst: !lv.asc}})
	if err != nil {
		return err
	}
	slices.Reverse(idx) // of equal values the later comes first, as in the service
	take := g.n
	if lv.limit >= 0 {
		take = min(take, lv.limit)
	}
	members := make([][]int32, g.n)
	for i, id := range ids {
		members[id] = append(members[id], rows[i])
	}
	for _, id := range idx[:take] {
		cells := append(prefix[:len(prefix):len(prefix)], g.keys[0].At(int(id)), m.At(int(id)))
		if err := t.level(b, k+1, members[id], cells, false); err != nil {
			return err
		}
	}
	if lv.others == nil {
		return nil
	}
	var left []int32
	for _, id := range idx[take:] {
		left = append(left, members[id]...)
	}
	return t.rest(lv, b, k, left, prefix)
}

// rest adds the others of a level.
func (t *nester) rest(lv *nestLevel, b *batch, k int, rows []int32, prefix []value.Value) error {
	m, err := t.measure(lv, b.gather(rows), make([]int32, len(rows)), 1)
	if err != nil {
		return err
	}
	cells := append(prefix[:len(prefix):len(prefix)], lv.others.At(0), m.At(0))
	return t.level(b, k+1, rows, cells, true)
}
