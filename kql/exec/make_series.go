package exec

import (
	"math"
	"picket/kql/eval/agg"
	"picket/kql/plan"
	"picket/kql/value"
)

// maxSeries bounds the bins of one series, as in the engine.
const maxSeries = 1 << 20

// axis is the grid of make-series: bin i begins at from + i*step. Times and whole numbers are computed in 64 bits.
type axis struct {
	t            value.Type
	real         bool
	from, step   int64
	ffrom, fstep float64
	fixed        bool // from was given
	bins         int64
	bounded      bool // bins is known
	to           int64
	fto          float64
	open         bool // the end itself is not part of the axis, even where its bin is
}

// bin gives the bin of row i; ok is false for null and for what lies before the axis or beyond its end.
func (a *axis) bin(v *value.Vector, i int) (int64, bool) {
	if v.IsNull(i) {
		return 0, false
	}
	var b int64
	if a.real {
		x, ok := realAt(v, i)
		if !ok || math.IsInf(x, 0) || x != x {
			return 0, false
		}
		if a.open && x >= a.fto {
			return 0, false
		}
		b = int64(math.Floor((x - a.ffrom) / a.fstep))
	} else {
		x := v.I[v.Idx(i)]
		if a.open && x >= a.to {
			return 0, false
		}
		x -= a.from
		b = x / a.step
		if x%a.step < 0 {
			b--
		}
	}
	if a.fixed && b < 0 || a.bounded && b >= a.bins {
		return 0, false
	}
	return b, true
}

// at gives where bin b begins.
func (a *axis) at(b int64) any {
	switch {
	case a.real:
		return a.ffrom + float64(b)*a.fstep
	case a.t == value.Datetime:
		return value.DateTime(a.from + b*a.step)
	case a.t == value.Timespan:
		return value.TimeSpan(a.from + b*a.step)
	}
	return a.from + b*a.step
}

func (x *run) newAxis(n *plan.MakeSeries, t value.Type) (*axis, error) {
	a := &axis{t: t, real: t == value.Real || t == value.Decimal}
	switch t {
	case value.Int, value.Long, value.Real, value.Decimal, value.Datetime, value.Timespan:
	default:
		return nil, invalid(n.Axis.Expr.Pos(), "the axis of make-series must be a number or a time, not %s", t)
	}
	step, err := x.constant(n.Step)
	if err != nil {
		return nil, err
	}
	a.step, a.fstep = asWhole(step), asReal(step)
	if step.Type == value.Real && !a.real {
		a.real, a.t = t == value.Int || t == value.Long, t
	}
	if step.Null || (a.real && !(a.fstep > 0)) || (!a.real && a.step <= 0) {
		return nil, invalid(n.Step.Pos(), "the step of make-series must be greater than 0")
	}
	if n.From != nil {
		from, err := x.constant(n.From)
		if err != nil {
			return nil, err
		}
		if from.Null {
			return nil, invalid(n.From.Pos(), "the start of make-series must not be null")
		}
		a.from, a.ffrom, a.fixed = asWhole(from), asReal(from), true
	}
	if n.InRange && a.fixed { // bins of the range form are those of bin(), which hold the start, not begin with it
		if a.real {
			a.ffrom = math.Floor(a.ffrom/a.fstep) * a.fstep
		} else {
			a.from = floorDiv(a.from, a.step) * a.step
		}
	}
	if n.To == nil {
		return a, nil
	}
	to, err := x.constant(n.To)
	if err != nil {
		return nil, err
	}
	if to.Null {
		return nil, invalid(n.To.Pos(), "the end of make-series must not be null")
	}
	var span float64
	if a.real {
		span = (asReal(to) - a.ffrom) / a.fstep
	} else {
		span = float64(asWhole(to)-a.from) / float64(a.step)
	}
	bins := math.Ceil(span)
	if n.InRange {
		bins = math.Floor(span) + 1
	}
	if a.fixed && bins > maxSeries {
		return nil, &LimitError{What: "bins of make-series", Limit: maxSeries}
	}
	a.bins, a.bounded = int64(max(0, bins)), true
	a.to, a.fto, a.open = asWhole(to), asReal(to), !n.InRange
	if !a.fixed { // bin numbers count from 0, not from the start
		a.bins = int64(bins)
	}
	return a, nil
}

// makeSeries aggregates into bins of an axis and gives one row of arrays for each series that has rows on the axis. Bins
// without rows hold the default. Without a start a series begins at its own first bin that has rows, without an end it
// ends with its last.
func (x *run) makeSeries(n *plan.MakeSeries) (batches, error) {
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
	on, err := x.compile(n.Axis.Expr, l)
	if err != nil {
		return nil, err
	}
	var aggs []*aggregate
	for i := range n.Aggs {
		a, err := x.compileAgg(n.Aggs[i].Call, nil, l)
		if err != nil {
			return nil, err
		}
		aggs = append(aggs, a)
		window = window || a.window()
	}
	ax, err := x.newAxis(n, on.t)
	if err != nil {
		return nil, err
	}
	var made []plan.Col
	for _, k := range n.Keys {
		made = append(made, k.Col)
	}
	for _, a := range n.Aggs {
		made = append(made, a.Col)
	}
	made = append(made, n.Axis.Col)
	from, err := picks("make-series", n.Out, made, nil)
	if err != nil {
		return nil, err
	}
	if window || on.window {
		in = x.whole(in, cols)
	}
	return func(yield func(*batch, error) bool) {
		s := &seriesMaker{x: x, n: n, ax: ax, on: on, keys: keys, aggs: aggs}
		defer func() { x.release(s.held) }()
		if err := s.read(in); err != nil {
			yield(nil, err)
			return
		}
		b, err := s.result()
		if err != nil {
			yield(nil, err)
			return
		}
		out := &batch{n: b.n, vecs: make([]*value.Vector, len(from))}
		for i, at := range from {
			out.vecs[i] = b.vecs[at]
		}
		emit(yield, out)
	}, nil
}

type seriesMaker struct {
	x    *run
	n    *plan.MakeSeries
	ax   *axis
	on   *expr
	keys []*expr
	aggs []*aggregate

	series *grouper
	cells  map[cell]int32 // (series, bin) → group of the states
	states []agg.State
	ends   []extent // of each series
	any    bool
	held   int64
}

// extent is from the first bin of a series that has rows to the last.
type extent struct {
	lo, hi int64
	any    bool
}

type cell struct {
	series int32
	bin    int64
}

func (s *seriesMaker) read(in batches) error {
	s.series, s.cells = newGrouper(s.n.Keys), map[cell]int32{}
	for _, a := range s.aggs {
		st, err := a.state()
		if err != nil {
			return err
		}
		s.states = append(s.states, st)
	}
	for b, err := range in {
		if err == nil {
			err = s.x.tick()
		}
		if err != nil {
			return err
		}
		if b.n == 0 {
			continue
		}
		v, err := s.on.eval(b)
		if err != nil {
			return err
		}
		ids, err := s.series.assign(b, s.keys)
		if err != nil {
			return err
		}
		for len(s.ends) < max(s.series.n, 1) { // without keys there is one series
			s.ends = append(s.ends, extent{})
		}
		groups := make([]int32, b.n)
		for i := range groups {
			bin, ok := s.ax.bin(v, i)
			if !ok {
				groups[i] = -1
				continue
			}
			e := &s.ends[ids[i]]
			if !e.any {
				*e = extent{bin, bin, true}
			}
			e.lo, e.hi = min(e.lo, bin), max(e.hi, bin)
			s.any = true
			c := cell{ids[i], bin}
			g, seen := s.cells[c]
			if !seen {
				g = int32(len(s.cells))
				s.cells[c] = g
			}
			groups[i] = g
		}
		size := s.series.bytes + int64(len(s.cells))*40
		for i, a := range s.aggs {
			s.states[i].Grow(len(s.cells))
			if err := a.add(s.states[i], groups, b); err != nil {
				return err
			}
			size += s.states[i].Bytes()
		}
		if err := s.x.hold(size - s.held); err != nil {
			s.held = size
			return err
		}
		s.held = size
	}
	return nil
}

// bounds gives the first bin of a series and their number.
func (s *seriesMaker) bounds(e extent) (first, bins int64) {
	switch {
	case s.ax.fixed && s.ax.bounded:
		return 0, s.ax.bins
	case !e.any:
		return 0, 0
	case s.ax.fixed:
		return 0, e.hi + 1
	case s.ax.bounded:
		return e.lo, s.ax.bins - e.lo
	}
	return e.lo, e.hi - e.lo + 1
}

func (s *seriesMaker) result() (*batch, error) {
	if len(s.keys) == 0 && !s.any && s.n.NonEmpty {
		s.ends = []extent{{}}
	}
	var rows []int32 // the series that have rows
	var size int64
	place := make([]int32, len(s.ends))
	for i, e := range s.ends {
		place[i] = int32(len(rows))
		if !e.any && !(len(s.keys) == 0 && s.n.NonEmpty) {
			continue
		}
		_, bins := s.bounds(e)
		if bins > maxSeries {
			return nil, &LimitError{What: "bins of make-series", Limit: maxSeries}
		}
		rows = append(rows, int32(i))
		size += bins
	}
	if err := s.x.step(int(size) * (len(s.aggs) + 1)); err != nil {
		return nil, err
	}
	size *= 16 * int64(len(s.aggs)+1)
	s.held += size
	if err := s.x.hold(size); err != nil {
		return nil, err
	}
	out := &batch{n: len(rows)}
	for _, k := range s.series.keys {
		out.vecs = append(out.vecs, value.Gather(k, rows))
	}
	for i := range s.aggs {
		v := s.states[i].Result()
		fill := defaultElem(s.n.Aggs[i].Default, v.Type)
		col := value.New(value.Dynamic, len(rows))
		lists := make([][]any, len(rows))
		for r, id := range rows {
			_, bins := s.bounds(s.ends[id])
			lists[r] = make([]any, bins)
			for b := range lists[r] {
				lists[r][b] = fill
			}
			col.D[r] = lists[r]
		}
		for c, g := range s.cells {
			first, bins := s.bounds(s.ends[c.series])
			if b := c.bin - first; b >= 0 && b < bins {
				lists[place[c.series]][b] = value.Elem(v, int(g))
			}
		}
		out.vecs = append(out.vecs, col)
	}
	out.vecs = append(out.vecs, s.axes(rows))
	return out, nil
}

// axes gives the array of bin starts of each row.
func (s *seriesMaker) axes(rows []int32) *value.Vector {
	col := value.New(value.Dynamic, len(rows))
	var shared []any // where all series have the same bins
	for r, id := range rows {
		first, bins := s.bounds(s.ends[id])
		points := shared
		if points == nil {
			points = make([]any, bins)
			for b := range points {
				points[b] = s.ax.at(first + int64(b))
			}
		}
		if s.ax.fixed && s.ax.bounded {
			shared = points
		}
		col.D[r] = points
	}
	return col
}

// defaultElem is the value of bins without rows, in the type of the aggregate. Without a default it is 0, and a null
// default of whole numbers is 0 too, as in the engine.
func defaultElem(d *plan.Const, t value.Type) any {
	zero := value.Elem(value.New(t, 1), 0)
	if t == value.String || t == value.GUID || t == value.Bool {
		zero = nil
	}
	if d == nil {
		if t == value.Dynamic {
			return int64(0)
		}
		return zero
	}
	e := value.Elem(value.ConstOf(d.Val, 1), 0)
	if e == nil {
		if t == value.Int || t == value.Long {
			return int64(0)
		}
		return nil
	}
	if t == value.Dynamic || d.Val.Type == t {
		return e
	}
	if c := castElem(e, t); !c.Null {
		return value.Elem(value.ConstOf(c, 1), 0)
	}
	return e
}
