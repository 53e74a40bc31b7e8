package exec

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
)

// checked turns a source's frames into batches of the promised columns.
func (x *run) checked(what string, in Frames, cols []plan.Col) batches {
	return func(yield func(*batch, error) bool) {
		for f, err := range in {
			if err == nil {
				err = x.tick()
			}
			if err == nil && len(f.Vecs) != len(cols) {
				err = fmt.Errorf("%s gave %d columns, not the %d asked for", what, len(f.Vecs), len(cols))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i, v := range f.Vecs {
				if v.Type != cols[i].Type || v.N != f.N {
					yield(nil, fmt.Errorf("%s gave %d values of type %s in column %s, not %d of type %s", what, v.N, v.Type, cols[i].Name, f.N, cols[i].Type))
					return
				}
			}
			if f.N > 0 && !emit(yield, &batch{n: f.N, vecs: f.Vecs}) {
				return
			}
		}
	}
}

func (x *run) scan(n *plan.Scan) (batches, error) {
	if x.src == nil {
		return nil, notSupported(n.At, "the table %s can't be read: there is no source of tables", n.Table)
	}
	x.received = x.received || slices.ContainsFunc(n.Out, func(c plan.Col) bool { return c.Name == receivedColumn })
	return func(yield func(*batch, error) bool) {
		x.checked("the table "+n.Table, x.src.Scan(x.ctx, n), n.Out)(yield)
	}, nil
}

func (x *run) externalRel(n *plan.ExternalRel) (batches, error) {
	if x.src == nil {
		return nil, fmt.Errorf("BUG: relation %d of another engine has no source", n.ID)
	}
	return func(yield func(*batch, error) bool) {
		x.checked(fmt.Sprintf("relation %d", n.ID), x.src.External(x.ctx, n), n.Out)(yield)
	}, nil
}

func (x *run) externalData(n *plan.ExternalData) (batches, error) {
	if x.opt.External == nil {
		return nil, notSupported(n.At, "externaldata is not allowed here; load the data into a table or a watchlist")
	}
	uris := make([]string, len(n.URIs))
	for i, u := range n.URIs {
		v, err := x.constant(u)
		if err != nil {
			return nil, err
		}
		uris[i] = v.S
	}
	return func(yield func(*batch, error) bool) {
		x.checked("externaldata", x.opt.External(x.ctx, n, uris), n.Out)(yield)
	}, nil
}

// values gives a table of constants.
func (x *run) values(n *plan.Values) (batches, error) {
	b := &batch{n: len(n.Rows), vecs: make([]*value.Vector, len(n.Out))}
	for c, col := range n.Out {
		v := value.New(col.Type, len(n.Rows))
		for r, row := range n.Rows {
			if c >= len(row) || (row[c].Type != col.Type && !row[c].Null) {
				return nil, fmt.Errorf("BUG: row %d of the table of constants doesn't fit column %s of type %s", r, col.Name, col.Type)
			}
			v.Set(r, row[c])
		}
		b.vecs[c] = v
	}
	return func(yield func(*batch, error) bool) { emit(yield, b) }, nil
}

// rangeOp is `range x from a to b step c`: the end is included; a null bound gives nothing.
func (x *run) rangeOp(n *plan.Range) (batches, error) {
	var v [3]value.Value
	for i, e := range []plan.Expr{n.From, n.To, n.Step} {
		c, err := x.constant(e)
		if err != nil {
			return nil, err
		}
		v[i] = c
	}
	if v[0].Null || v[1].Null || v[2].Null {
		return func(func(*batch, error) bool) {}, nil
	}
	t := n.Out.Type
	switch t {
	case value.Int, value.Long, value.Real, value.Decimal, value.Datetime, value.Timespan:
	default:
		return nil, invalid(n.From.Pos(), "range counts numbers, datetimes or timespans of one kind, not from %s to %s by %s", v[0].Type, v[1].Type, v[2].Type)
	}
	if t == value.Real || t == value.Decimal {
		return x.rangeReal(t, asReal(v[0]), asReal(v[1]), asReal(v[2])), nil
	}
	from, to, step := asWhole(v[0]), asWhole(v[1]), asWhole(v[2])
	if step == 0 {
		return nil, invalid(n.Step.Pos(), "the step of range must not be 0")
	}
	return func(yield func(*batch, error) bool) {
		for at, done := from, false; !done; {
			var vals []int64
			for len(vals) < chunk {
				if (step > 0 && at > to) || (step < 0 && at < to) {
					done = true
					break
				}
				vals = append(vals, at)
				next := at + step
				if (step > 0) != (next > at) { // past the end of 64 bits
					done = true
					break
				}
				at = next
			}
			if err := x.step(len(vals)); err != nil {
				yield(nil, err)
				return
			}
			if len(vals) > 0 && !yield(&batch{n: len(vals), vecs: []*value.Vector{{Type: t, N: len(vals), I: vals}}}, nil) {
				return
			}
		}
	}, nil
}

func (x *run) rangeReal(t value.Type, from, to, step float64) batches {
	return func(yield func(*batch, error) bool) {
		if step == 0 || from != from || to != to || step != step {
			return
		}
		for i := 0; ; {
			v := value.New(t, 0)
			for v.N < chunk {
				at := from + float64(i)*step
				if (step > 0 && at > to) || (step < 0 && at < to) {
					break
				}
				v.Grow(v.N + 1)
				v.Set(v.N-1, realValue(t, at))
				i++
			}
			if err := x.step(v.N); err != nil {
				yield(nil, err)
				return
			}
			if v.N > 0 && !yield(&batch{n: v.N, vecs: []*value.Vector{v}}, nil) || v.N < chunk {
				return
			}
		}
	}
}

// correlated reads the rows that an enclosing operator hands to its sub-plan.
func (x *run) correlated(n *plan.Correlated) (batches, error) {
	return func(yield func(*batch, error) bool) {
		b, ok := x.rows[n.ID]
		if !ok {
			yield(nil, fmt.Errorf("BUG: the sub-plan reads rows %d, which no operator around it gives", n.ID))
			return
		}
		if len(b.vecs) != len(n.Out) {
			yield(nil, fmt.Errorf("BUG: the sub-plan expects %d columns, not %d", len(n.Out), len(b.vecs)))
			return
		}
		emit(yield, b)
	}, nil
}

// sharedRef reads a sub-plan that is computed once a query.
func (x *run) sharedRef(n *plan.SharedRef) (batches, error) {
	var sh *plan.Shared
	for _, s := range x.q.Shared {
		if s.ID == n.ID {
			sh = s
		}
	}
	if sh == nil {
		return nil, fmt.Errorf("BUG: the plan reads shared sub-plan %d, which it doesn't have", n.ID)
	}
	if len(sh.Node.Cols()) != len(n.Out) {
		return nil, fmt.Errorf("BUG: shared sub-plan %d has %d columns, not %d", n.ID, len(sh.Node.Cols()), len(n.Out))
	}
	if _, done := x.shared[n.ID]; !done {
		in, err := x.build(sh.Node)
		if err != nil {
			return nil, err
		}
		bs := []*batch{}
		for b, err := range in {
			if err == nil {
				err = x.hold(b.bytes())
			}
			if err != nil {
				return nil, err
			}
			bs = append(bs, b)
		}
		x.shared[n.ID] = bs
	}
	return func(yield func(*batch, error) bool) {
		for _, b := range x.shared[n.ID] {
			if err := x.tick(); err != nil {
				yield(nil, err)
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}, nil
}

// consume runs its input for its effects and gives no rows.
func (x *run) consume(n *plan.Consume) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	return func(yield func(*batch, error) bool) {
		for _, err := range in {
			if err == nil {
				err = x.tick()
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}, nil
}
