package eval

import (
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

// windowFuncs look at other rows: they must be called once with the whole serialized column.
func windowFuncs(t table) {
	t.raw("prev", neighbour(-1))
	t.raw("next", neighbour(1))
	t.raw("row_number", rowNumber)
	t.raw("row_cumsum", rowCumsum)
	t.raw("row_rank", func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		dense := true
		if len(args) > 1 {
			dense = args[1].IsNull(0) || args[1].I[0] != 0
		}
		return rowRank(dense)(c, ret, n, args[:1])
	})
	t.raw("row_rank_dense", rowRank(true))
	t.raw("row_rank_min", rowRank(false))
	t.raw("row_window_session", rowWindowSession)
}

func neighbour(sign int64) Func {
	return func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := convert(args[0], ret)
		off := value.ConstOf(value.OfLong(1), n)
		if len(args) > 1 {
			off = args[1]
		}
		k := longs(off)
		def := value.Nulls(ret, n)
		if len(args) > 2 {
			def = convert(args[2], ret)
		}
		out := value.New(ret, n)
		for i := 0; i < n; i++ {
			o := k.at(i)
			if j := int64(i) + sign*o; !k.isNull(i) && j >= 0 && j < int64(n) {
				value.CopyRow(out, i, a, int(j))
			} else {
				value.CopyRow(out, i, def, i)
			}
		}
		return out, nil
	}
}

// restartOf reads the optional restart argument.
func restartOf(args []*value.Vector, k int) func(i int) bool {
	if k >= len(args) {
		return func(int) bool { return false }
	}
	r := bools(args[k])
	return func(i int) bool { return !r.isNull(i) && r.at(i) != 0 }
}

func rowNumber(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	start := int64(1)
	if len(args) > 0 && n > 0 && given(args[0]) {
		start = longs(args[0]).at(0)
	}
	restart := restartOf(args, 1)
	out := value.New(ret, n)
	next := start
	for i := range out.I {
		if restart(i) {
			next = start
		}
		out.I[i] = next
		next++
	}
	return out, nil
}

// rowCumsum sums the rows so far; nulls add nothing.
func rowCumsum(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := convert(args[0], ret)
	restart := restartOf(args, 1)
	out := value.New(ret, n)
	var li int64
	var lf float64
	lm := decimal.Zero
	for i := 0; i < n; i++ {
		if restart(i) {
			li, lf, lm = 0, 0, decimal.Zero
		}
		null := a.IsNull(i)
		k := a.Idx(i)
		switch ret {
		case value.Real:
			if !null {
				lf += a.F[k]
			}
			out.F[i] = lf
		case value.Decimal:
			if !null {
				lm = lm.Add(a.M[k])
			}
			out.M[i] = lm
		case value.Int, value.Long, value.Timespan:
			if !null {
				li += a.I[k]
			}
			if out.I[i] = li; ret == value.Int {
				out.I[i] = int64(int32(li))
			}
		default:
			return nil, refuse("row_cumsum", "is not defined for %s", ret)
		}
	}
	return out, nil
}

// rowRank ranks runs of equal values: dense counts the runs, min gives the place of a run's first row.
func rowRank(dense bool) Func {
	return func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := args[0]
		restart := restartOf(args, 1)
		out := value.New(ret, n)
		var rank, place int64
		for i := 0; i < n; i++ {
			fresh := i == 0 || restart(i)
			if fresh {
				rank, place = 0, 0
			}
			place++
			if fresh || value.CompareRows(a, i, a, i-1) != 0 {
				if dense {
					rank++
				} else {
					rank = place
				}
			}
			out.I[i] = rank
		}
		return out, nil
	}
}

// rowWindowSession gives each row the start of its session: a new one begins at a restart, when the distance to
// the session's first row reaches the first bound or that to the previous row the second.
func rowWindowSession(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := ints(args[0])
	first, between := ints(convert(args[1], value.Timespan)), ints(convert(args[2], value.Timespan))
	restart := restartOf(args, 3)
	out := value.New(ret, n)
	var start, prev int64
	open := false
	for i := range out.I {
		x := a.at(i)
		if a.isNull(i) {
			out.SetNull(i)
			open = false
			continue
		}
		if !open || restart(i) || x-start >= first.at(i) || x-prev >= between.at(i) || x < prev {
			start, open = x, true
		}
		prev = x
		out.I[i] = start
	}
	return out, nil
}
