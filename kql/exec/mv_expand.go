package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
)

// expander is what mv-expand and mv-apply share: the elements of several columns, zipped to the longest.
type expander struct {
	x     *run
	kind  plan.ExpandKind
	specs []plan.Expand
	exprs []*expr
	index plan.Col
	limit int // rows an input row; -1 without
}

func (x *run) newExpander(kind plan.ExpandKind, specs []plan.Expand, index plan.Col, limit plan.Expr, l layout) (*expander, error) {
	e := &expander{x: x, kind: kind, specs: specs, index: index, limit: -1}
	for i := range specs {
		c, err := x.compile(specs[i].X, l)
		if err != nil {
			return nil, err
		}
		e.exprs = append(e.exprs, c)
	}
	if limit != nil {
		n, err := x.count(limit)
		if err != nil {
			return nil, err
		}
		e.limit = n
	}
	return e, nil
}

// window says whether an expression must see the whole input in one batch.
func (e *expander) window() bool {
	for _, c := range e.exprs {
		if c.window {
			return true
		}
	}
	return false
}

// elements lists what row i of v expands to. null gives one null; a scalar gives itself.
func (e *expander) elements(v *value.Vector, i int) []any {
	switch d := value.Elem(v, i).(type) {
	case []any:
		return d
	case *value.Bag:
		out := make([]any, 0, d.Len())
		for _, k := range d.Keys() {
			y, _ := d.Get(k)
			if e.kind == plan.ExpandArray {
				out = append(out, []any{k, y})
				continue
			}
			b := value.NewBag()
			b.Set(k, y)
			out = append(out, b)
		}
		return out
	default:
		return []any{d}
	}
}

// cols lists the columns that expanding adds: the expanded ones, then the index.
func (e *expander) cols() []plan.Col {
	var out []plan.Col
	for i := range e.specs {
		out = append(out, e.specs[i].Out)
	}
	if e.index.ID != 0 {
		out = append(out, e.index)
	}
	return out
}

// row expands row i: n rows, added to the vectors of out (one a column of cols).
func (e *expander) row(vs []*value.Vector, i int, out []*value.Vector) (n int) {
	lists := make([][]any, len(vs))
	for c, v := range vs {
		lists[c] = e.elements(v, i)
		n = max(n, len(lists[c]))
	}
	if e.limit >= 0 {
		n = min(n, e.limit)
	}
	for c, l := range lists {
		t := e.specs[c].Out.Type
		v := out[c]
		at := v.N
		v.Grow(at + n)
		for k := 0; k < n; k++ {
			if k >= len(l) || l[k] == nil {
				v.SetNull(at + k)
				continue
			}
			if t == value.Dynamic {
				v.D[at+k] = l[k]
				continue
			}
			if src := vs[c]; src.Type == t && e.specs[c].ToType == value.Invalid {
				value.CopyRow(v, at+k, src, i)
				continue
			}
			v.Set(at+k, castElem(l[k], t))
		}
	}
	if e.index.ID != 0 {
		v := out[len(out)-1]
		for k := 0; k < n; k++ {
			v.Grow(v.N + 1)
			v.I[v.N-1] = int64(k)
		}
	}
	return n
}

func (e *expander) eval(b *batch) ([]*value.Vector, error) {
	vs := make([]*value.Vector, len(e.exprs))
	for i, c := range e.exprs {
		v, err := c.eval(b)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	return vs, nil
}

// picks says where each column of out comes from: place in the input, or -1-place in the second list.
func picks(what string, out []plan.Col, in, second []plan.Col) ([]int, error) {
	l, s := layoutOf(in), layoutOf(second)
	at := make([]int, len(out))
	for i, c := range out {
		if p, ok := s[c.ID]; ok {
			at[i] = -1 - p
		} else if p, ok := l[c.ID]; ok {
			at[i] = p
		} else {
			return nil, fmt.Errorf("BUG: %s gives column %s (%d), which it doesn't have", what, c.Name, c.ID)
		}
	}
	return at, nil
}

// mvExpand gives a row for each element of its columns.
func (x *run) mvExpand(n *plan.MvExpand) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	e, err := x.newExpander(n.Kind, n.Expand, n.Index, n.Limit, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	added := e.cols()
	from, err := picks("mv-expand", n.Out, cols, added)
	if err != nil {
		return nil, err
	}
	if e.window() {
		in = x.whole(in, cols)
	}
	return func(yield func(*batch, error) bool) {
		for b, err := range in {
			var vs []*value.Vector
			if err == nil {
				err = x.tick()
			}
			if err == nil {
				vs, err = e.eval(b)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			var rows []int32
			out := emptyBatch(added)
			flush := func() bool {
				if err := x.step(len(rows)); err != nil {
					yield(nil, err)
					return false
				}
				o := &batch{n: len(rows), vecs: make([]*value.Vector, len(from))}
				for c, at := range from {
					if at < 0 {
						o.vecs[c] = out.vecs[-1-at]
					} else {
						o.vecs[c] = value.Gather(b.vecs[at], rows)
					}
				}
				rows, out = nil, emptyBatch(added)
				return o.n == 0 || yield(o, nil)
			}
			for i := 0; i < b.n; i++ {
				for k := e.row(vs, i, out.vecs); k > 0; k-- {
					rows = append(rows, int32(i))
				}
				if len(rows) >= chunk && !flush() {
					return
				}
			}
			if !flush() {
				return
			}
		}
	}, nil
}

// mvApply expands each row and runs the sub-plan over what it expanded to.
func (x *run) mvApply(n *plan.MvApply) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	e, err := x.newExpander(n.Kind, n.Expand, n.Index, n.Limit, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	if e.window() {
		in = x.whole(in, cols)
	}
	sub, err := x.build(n.Sub)
	if err != nil {
		return nil, err
	}
	added := e.cols()
	leaf := findCorrelated(n.Sub, n.ID)
	var leafFrom []int
	if leaf != nil {
		if leafFrom, err = picks("mv-apply's sub-query", leaf.Out, cols, added); err != nil {
			return nil, err
		}
	}
	from, err := picks("mv-apply", n.Out, cols, n.Sub.Cols())
	if err != nil {
		return nil, err
	}
	return func(yield func(*batch, error) bool) {
		outer := x.rows[n.ID]
		defer func() { x.rows[n.ID] = outer }()
		for b, err := range in {
			var vs []*value.Vector
			if err == nil {
				vs, err = e.eval(b)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			res := emptyBatch(n.Out)
			for i := 0; i < b.n; i++ {
				if err := x.applyRow(n, e, leafFrom, from, b, i, vs, sub, res); err != nil {
					yield(nil, err)
					return
				}
				if res.n >= chunk {
					if !yield(res, nil) {
						return
					}
					res = emptyBatch(n.Out)
				}
			}
			if res.n > 0 && !yield(res, nil) {
				return
			}
		}
	}, nil
}

// applyRow runs mv-apply's sub-plan for row i of b and adds the result to res.
func (x *run) applyRow(n *plan.MvApply, e *expander, leafFrom, from []int, b *batch, i int, vs []*value.Vector, sub batches, res *batch) error {
	part := emptyBatch(e.cols())
	k := e.row(vs, i, part.vecs)
	if err := x.step(k + 1); err != nil {
		return err
	}
	rows := make([]int32, k)
	for j := range rows {
		rows[j] = int32(i)
	}
	leaf := &batch{n: k, vecs: make([]*value.Vector, len(leafFrom))}
	for c, at := range leafFrom {
		if at < 0 {
			leaf.vecs[c] = part.vecs[-1-at]
		} else {
			leaf.vecs[c] = value.Gather(b.vecs[at], rows)
		}
	}
	x.rows[n.ID] = leaf
	for s, err := range sub {
		if err != nil {
			return err
		}
		for c, at := range from {
			if at < 0 {
				res.vecs[c].AppendVector(s.vecs[-1-at])
				continue
			}
			v := b.vecs[at].Slice(i, i+1)
			w := *value.ConstOf(v.At(0), s.n)
			res.vecs[c].AppendVector(&w)
		}
		res.n += s.n
	}
	return nil
}

// findCorrelated finds the leaf of the sub-plan that reads the rows of operator id.
func findCorrelated(n plan.Node, id int) *plan.Correlated {
	if c, ok := n.(*plan.Correlated); ok && c.ID == id {
		return c
	}
	for _, in := range plan.Inputs(n) {
		if c := findCorrelated(in, id); c != nil {
			return c
		}
	}
	return nil
}
