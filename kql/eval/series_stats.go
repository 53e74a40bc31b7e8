package eval

import (
	"math"
	"picket/kql/value"
	"slices"
)

func seriesStatsFuncs(t table) {
	t.pure("series_stats", seriesStats(false))
	t.pure("series_stats_dynamic", seriesStats(true))
	t.pure("series_outliers", seriesOutliers)
}

// seriesStats gives min, min_idx, max, max_idx, avg, stdev and variance (of the sample), as an array in that
// order or as a bag that has sum and len too.
func seriesStats(bag bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		ignore := len(args) > 1 && given(args[1]) && args[1].I[0] != 0
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			x, ok := gaps(a.at(i))
			vals, ok2 := statsOf(x, ignore)
			if !ok || !ok2 {
				if !bag {
					out.D[i] = make([]any, 7)
				}
				continue
			}
			if !bag {
				out.D[i] = vals[:7]
				continue
			}
			b := value.NewBag()
			for k, name := range [...]string{"min", "min_idx", "max", "max_idx", "avg", "stdev", "variance", "sum", "len"} {
				b.Set(name, vals[k])
			}
			out.D[i] = b
		}
		return out, nil
	}
}

func statsOf(x []float64, ignore bool) ([]any, bool) {
	lo, hi, count := -1, -1, 0
	sum := 0.0
	for i, f := range x {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			if ignore {
				continue
			}
			return nil, false
		}
		if lo < 0 || f < x[lo] {
			lo = i
		}
		if hi < 0 || f > x[hi] {
			hi = i
		}
		sum += f
		count++
	}
	if count == 0 {
		return nil, false
	}
	avg := sum / float64(count)
	variance := 0.0
	for _, f := range x {
		if d := f - avg; !math.IsNaN(f) && !math.IsInf(f, 0) {
			variance += d * d
		}
	}
	if count > 1 {
		variance /= float64(count - 1)
	}
	return []any{x[lo], int64(lo), x[hi], int64(hi), avg, math.Sqrt(variance), variance, sum, int64(count)}, true
}

// seriesOutliers is series_outliers(series, kind, ignore_val, min_percentile, max_percentile, test_points).
func seriesOutliers(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := dyns(args[0])
	kind := argString(args, 1, "ctukey")
	lo, hi := 10.0, 90.0
	switch kind {
	case "ctukey":
		if len(args) > 3 && given(args[3]) {
			lo = reals(args[3]).v[0]
		}
		if len(args) > 4 && given(args[4]) {
			hi = reals(args[4]).v[0]
		}
	case "tukey":
		lo, hi = 25, 75
	default:
		return nil, misused("series_outliers", "the kind must be tukey or ctukey, not %q", kind)
	}
	if !(lo >= 2 && lo < hi && hi <= 98) {
		return nil, misused("series_outliers", "the percentiles must lie in 2..98 and grow, not %v and %v", lo, hi)
	}
	ignore := math.NaN()
	if len(args) > 2 && given(args[2]) {
		ignore = reals(args[2]).v[0]
	}
	test := 0
	if len(args) > 5 && given(args[5]) {
		test = int(max(0, longs(args[5]).v[0]))
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		x, ok := gaps(a.at(i))
		if !ok {
			continue
		}
		for k, f := range x {
			if f == ignore {
				x[k] = math.NaN()
			}
		}
		out.D[i] = toArray(outlierScores(x, lo, hi, test))
	}
	return out, nil
}

// outlierScores measures how far each value lies outside the range of two percentiles, in widths of that range;
// the last test values do not shape the range. NaN scores 0.
func outlierScores(x []float64, lo, hi float64, test int) []float64 {
	var learn []float64
	for _, f := range x[:max(0, len(x)-test)] {
		if !math.IsNaN(f) {
			learn = append(learn, f)
		}
	}
	out := make([]float64, len(x))
	if len(learn) == 0 {
		return out
	}
	slices.Sort(learn)
	p, q := percentileOf(learn, lo), percentileOf(learn, hi)
	for i, f := range x {
		switch {
		case f > q:
			out[i] = (f - q) / (q - p)
		case f < p:
			out[i] = (f - p) / (q - p)
		}
	}
	return out
}

// percentileOf interpolates linearly between the ranks of sorted values.
func percentileOf(sorted []float64, p float64) float64 {
	at := p / 100 * float64(len(sorted)-1)
	k := int(at)
	if k+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[k] + (sorted[k+1]-sorted[k])*(at-float64(k))
}
