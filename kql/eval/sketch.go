package eval

import (
	"picket/kql/eval/agg"
	"picket/kql/value"
)

// sketchFuncs read what hll() and tdigest() aggregate.
func sketchFuncs(t table) {
	t.pure("dcount_hll", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Long, n)
		for i := range out.I {
			c, ok := agg.HLLCount(a.at(i))
			if !ok {
				out.SetNull(i)
				continue
			}
			out.I[i] = c
		}
		return out, nil
	})
	t.pure("hll_merge", mergeStates(agg.HLLMerge))
	t.pure("tdigest_merge", mergeStates(agg.TDigestMerge))
	t.pure("merge_tdigest", mergeStates(agg.TDigestMerge))
	t.pure("__hll_normalize", func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
		return nil, refuse("__hll_normalize", "is internal to the service")
	})
	t.pure("hll_isvalid", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		return boolRows(n, func(i int) bool { _, ok := agg.HLLCount(a.at(i)); return ok }), nil
	})
	t.pure("tdigest_isvalid", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		return boolRows(n, func(i int) bool { _, ok := agg.TDigestType(a.at(i)); return ok }), nil
	})
	t.pure("percentile_tdigest", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, p := dyns(args[0]), reals(args[1])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			if !p.isNull(i) {
				out.D[i] = tdigestElem(a.at(i), p.at(i))
			}
		}
		return convert(out, ret), nil
	})
	t.pure("percentiles_array_tdigest", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			if _, ok := agg.TDigestType(a.at(i)); !ok {
				continue
			}
			arr := []any{}
			for _, p := range args[1:] {
				eachItem(p, i, func(e *value.Vector) {
					if w := convert(e, value.Real); !w.IsNull(0) {
						arr = append(arr, tdigestElem(a.at(i), w.F[0]))
					} else {
						arr = append(arr, nil)
					}
				})
			}
			out.D[i] = arr
		}
		return out, nil
	})
	t.pure("rank_tdigest", tdigestRank(func(rank, _ float64) float64 { return rank }))
	t.pure("percentrank_tdigest", tdigestRank(func(rank, total float64) float64 { return 100 * rank / total }))
}

func mergeStates(merge func(...any) any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		cs := make([]col[any], len(args))
		for k, a := range args {
			cs[k] = dyns(a)
		}
		states := make([]any, len(args))
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			for k := range cs {
				states[k] = cs[k].at(i)
			}
			out.D[i] = merge(states...)
		}
		return out, nil
	}
}

func tdigestElem(state any, p float64) any {
	v, ok := agg.TDigestPercentile(state, p)
	if !ok {
		return nil
	}
	return value.Elem(value.ConstOf(v, 1), 0)
}

func tdigestRank(f func(rank, total float64) float64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, x := dyns(args[0]), reals(args[1])
		out := value.New(value.Real, n)
		for i := range out.F {
			rank, total, ok := agg.TDigestRank(a.at(i), x.at(i))
			if x.isNull(i) || !ok {
				out.SetNull(i)
				continue
			}
			out.F[i] = f(rank, total)
		}
		return out, nil
	}
}
