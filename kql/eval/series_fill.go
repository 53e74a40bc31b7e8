package eval

import (
	"math"
	"picket/kql/value"
)

func seriesFillFuncs(t table) {
	t.pure("series_fill_const", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		var constant col[any]
		if len(args) > 1 {
			constant = dyns(args[1])
		}
		return fillSeries(n, args, 2, func(i int, arr []any, missing func(any) bool) {
			var c any = int64(0)
			if len(args) > 1 {
				c = constant.at(i)
			}
			for k, e := range arr {
				if missing(e) {
					arr[k] = c
				}
			}
		})
	})
	t.pure("series_fill_forward", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return fillSeries(n, args, 1, func(_ int, arr []any, missing func(any) bool) {
			for k := 1; k < len(arr); k++ {
				if missing(arr[k]) {
					arr[k] = arr[k-1]
				}
			}
		})
	})
	t.pure("series_fill_backward", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return fillSeries(n, args, 1, func(_ int, arr []any, missing func(any) bool) {
			for k := len(arr) - 2; k >= 0; k-- {
				if missing(arr[k]) {
					arr[k] = arr[k+1]
				}
			}
		})
	})
	t.pure("series_fill_linear", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		edges := func(int) bool { return true }
		if len(args) > 2 {
			b := bools(args[2])
			edges = func(i int) bool { return b.isNull(i) || b.at(i) != 0 }
		}
		var constant col[any]
		if len(args) > 3 {
			constant = dyns(args[3])
		}
		return fillSeries(n, args, 1, func(i int, arr []any, missing func(any) bool) {
			var c any = 0.0
			if len(args) > 3 {
				c = constant.at(i)
			}
			fillLinear(arr, missing, edges(i), c)
		})
	})
}

// fillSeries runs f over a copy of each array; argument at is the placeholder of missing elements, null without it.
func fillSeries(n int, args []*value.Vector, at int, f func(i int, arr []any, missing func(any) bool)) (*value.Vector, error) {
	a := dyns(args[0])
	var place col[any]
	if len(args) > at {
		place = dyns(args[at])
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		src, ok := a.at(i).([]any)
		if !ok {
			continue
		}
		arr := append([]any{}, src...)
		var p any
		if len(args) > at {
			p = place.at(i)
		}
		f(i, arr, func(e any) bool { return sameElem(e, p) })
		out.D[i] = arr
	}
	return out, nil
}

// fillLinear interpolates between the nearest numbers; arrays of whole numbers stay whole (cut).
func fillLinear(arr []any, missing func(any) bool, edges bool, constant any) {
	whole := true
	prev := -1
	for _, e := range arr {
		if _, ok := e.(int64); !ok && !missing(e) {
			whole = false
		}
	}
	for k, e := range arr {
		if missing(e) {
			continue
		}
		y, ok := elemReal(e)
		if !ok {
			prev = -1
			continue
		}
		if prev < 0 && edges {
			first := true
			for j := 0; j < k; j++ {
				first = first && missing(arr[j])
			}
			for j := 0; first && j < k; j++ {
				arr[j] = e
			}
		}
		if prev >= 0 && k > prev+1 {
			x, _ := elemReal(arr[prev])
			for j := prev + 1; j < k; j++ {
				f := x + (y-x)*float64(j-prev)/float64(k-prev)
				if whole {
					arr[j] = int64(math.Trunc(f))
				} else {
					arr[j] = f
				}
			}
		}
		prev = k
	}
	if prev < 0 {
		for _, e := range arr {
			if !missing(e) {
				return
			}
		}
		for k := range arr {
			arr[k] = constant
		}
		return
	}
	for k := prev + 1; edges && k < len(arr); k++ {
		if missing(arr[k]) {
			arr[k] = arr[prev]
		}
	}
}
