package eval

import (
	"cmp"
	"math"
	"picket/kql/value"
	"slices"
)

// seriesSeasonFuncs find periods and take series apart. The service does not publish how it scores periods:
// here the score of a period is the autocorrelation at that lag, with the deviations of n and of n-period points
// weighed alike; a lag counts when it is a peak above the noise of a random series.
func seriesSeasonFuncs(t table) {
	t.pure("series_periods_detect", periodsDetect)
	t.pure("series_periods_validate", periodsValidate)
	t.pure("series_seasonal", seriesSeasonal)
	t.pure("series_decompose", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return eachDecomposed("series_decompose", n, args, [4]int{1, 2, 3, 4}, func(_ []float64, d parts, _ int) []any {
			return []any{toArray(d.baseline), toArray(d.seasonal), toArray(d.trend), nullable(d.residual)}
		}, 4)
	})
	t.pure("series_decompose_forecast", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return eachDecomposed("series_decompose_forecast", n, args, [4]int{2, 3, 1, 4}, func(_ []float64, d parts, _ int) []any {
			return []any{toArray(d.baseline), toArray(d.seasonal), toArray(d.trend), nullable(d.residual)}
		}, 4)
	})
	t.pure("series_decompose_anomalies", decomposeAnomalies)
}

const (
	seasonThreshold = 0.6
	minPeriod       = 4
	maxSeasonPoints = 1 << 20
)

// nullable writes NaN, a gap of the series, as null.
func nullable(x []float64) []any {
	out := make([]any, len(x))
	for i, f := range x {
		if !math.IsNaN(f) {
			out[i] = f
		}
	}
	return out
}

// closeGaps fills NaN with the nearest known value before (or, at the start, after) it.
func closeGaps(x []float64) []float64 {
	out := append([]float64{}, x...)
	last := math.NaN()
	for i, f := range out {
		if math.IsNaN(f) {
			out[i] = last
		} else {
			last = f
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		if math.IsNaN(out[i]) && i+1 < len(out) {
			out[i] = out[i+1]
		}
	}
	return out
}

// flatten takes the mean from a series, and its linear trend when that explains a third of it or more.
func flatten(y []float64) []float64 {
	l := fitLine(y)
	m := mean(y)
	out := make([]float64, len(y))
	for i, f := range y {
		if out[i] = f - m; l.rsquare >= 1.0/3 && l.tss > 0 {
			out[i] = f - l.fit[i]
		}
	}
	return out
}

// autocorrelation gives the correlations at lags 0..len/2+1 of a series without mean.
func autocorrelation(d []float64) []float64 {
	n := len(d)
	m := 1
	for m < 2*n {
		m *= 2
	}
	z := make([]complex128, m)
	for i, f := range d {
		z[i] = complex(f, 0)
	}
	radix2(z, -1)
	for i, c := range z {
		z[i] = complex(real(c)*real(c)+imag(c)*imag(c), 0)
	}
	radix2(z, 1)
	out := make([]float64, min(n, n/2+2))
	for k := range out {
		out[k] = real(z[k]) / real(z[0])
	}
	return out
}

func periodScore(acf []float64, k, n int) float64 {
	s := acf[k] * math.Sqrt(float64(n)/float64(n-k))
	return math.Max(0, math.Min(1, s))
}

// period is a period with its score.
type period struct {
	length int
	score  float64
}

// detectPeriods finds up to count periods between two lengths, best first. Each one is taken from the series
// before the next is sought, so that its multiples and echoes do not count.
func detectPeriods(y []float64, lo, hi float64, count int) []period {
	n := len(y)
	var out []period
	if n < 2*minPeriod+1 || n > maxSeasonPoints {
		return nil
	}
	d := flatten(y)
	total := dot(d, d)
	for len(out) < count {
		rest := dot(d, d)
		if rest <= 1e-12*total || total == 0 {
			break
		}
		acf := autocorrelation(d)
		best := period{}
		for k := minPeriod; k < len(acf)-1 && 2*k < n; k++ {
			if float64(k) < lo || float64(k) > hi || acf[k] <= acf[k-1] || acf[k] < acf[k+1] {
				continue
			}
			if s := periodScore(acf, k, n) * math.Sqrt(rest/total); s > best.score && acf[k] > 2/math.Sqrt(float64(n)) {
				best = period{k, s}
			}
		}
		if best.length == 0 {
			break
		}
		out = append(out, best)
		s := phaseMedians(d, best.length, n)
		for i := range d {
			d[i] -= s[i%best.length]
		}
		d = flatten(d)
	}
	slices.SortStableFunc(out, func(a, b period) int { return cmp.Compare(b.score, a.score) })
	return out
}

// phaseMedians gives the median of each phase of a period over the first learn points; NaN is passed over.
func phaseMedians(y []float64, length, learn int) []float64 {
	out := make([]float64, length)
	var vals []float64
	for p := range out {
		vals = vals[:0]
		for i := p; i < learn; i += length {
			if !math.IsNaN(y[i]) {
				vals = append(vals, y[i])
			}
		}
		out[p] = medianOf(vals)
	}
	return out
}

func medianOf(vals []float64) float64 {
	if len(vals) == 0 {
		return 0
	}
	slices.Sort(vals)
	k := len(vals) / 2
	if len(vals)%2 == 1 {
		return vals[k]
	}
	return (vals[k-1] + vals[k]) / 2
}

func periodsDetect(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, lo, hi, num := dyns(args[0]), reals(args[1]), reals(args[2]), longs(args[3])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		out.D[i] = make([]any, 2)
		y, ok := numbers(a.at(i))
		if !ok || lo.isNull(i) || hi.isNull(i) || num.isNull(i) || num.at(i) < 1 || num.at(i) > 100 {
			continue
		}
		found := detectPeriods(y, lo.at(i), hi.at(i), int(num.at(i)))
		ps, ss := make([]any, num.at(i)), make([]any, num.at(i))
		for k := range ps {
			ps[k], ss[k] = 0.0, 0.0
			if k < len(found) {
				ps[k], ss[k] = float64(found[k].length), found[k].score
			}
		}
		out.D[i] = []any{ps, ss}
	}
	return out, nil
}

func periodsValidate(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := dyns(args[0])
	want := make([]col[float64], len(args)-1)
	for k := range want {
		want[k] = reals(args[k+1])
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		out.D[i] = make([]any, 2)
		y, ok := numbers(a.at(i))
		if !ok || len(y) > maxSeasonPoints {
			continue
		}
		var acf []float64
		if len(y) > 1 {
			if d := flatten(y); dot(d, d) > 0 {
				acf = autocorrelation(d)
			}
		}
		ps, ss := make([]any, len(want)), make([]any, len(want))
		for k := range want {
			p := want[k].at(i)
			ps[k], ss[k] = p, 0.0
			lag := int(math.Round(p))
			if lag >= minPeriod && 2*lag <= len(y) && lag+1 < len(acf) && acf[lag] >= acf[lag-1] && acf[lag] >= acf[lag+1] &&
				acf[lag] > 2/math.Sqrt(float64(len(y))) {
				ss[k] = periodScore(acf, lag, len(y))
			}
		}
		out.D[i] = []any{ps, ss}
	}
	return out, nil
}

// seriesSeasonal is series_seasonal(series[, period[, test_points]]).
func seriesSeasonal(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := dyns(args[0])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		y, ok := gaps(a.at(i))
		if !ok {
			continue
		}
		length, test := int64(-1), int64(0)
		if len(args) > 1 && !args[1].IsNull(i) {
			length = longs(args[1]).at(i)
		}
		if len(args) > 2 && !args[2].IsNull(i) {
			test = max(0, longs(args[2]).at(i))
		}
		learn := max(0, len(y)-int(min(test, int64(len(y)))))
		out.D[i] = toArray(seasonOf(y, learn, length, seasonThreshold))
	}
	return out, nil
}

// seasonOf gives the seasonal component: length -1 detects the period, 0 has none.
func seasonOf(y []float64, learn int, length int64, threshold float64) []float64 {
	out := make([]float64, len(y))
	if length < 0 && learn > 0 {
		length = 0
		if p := detectPeriods(closeGaps(y[:learn]), minPeriod, math.Inf(1), 1); len(p) > 0 && p[0].score >= threshold {
			length = int64(p[0].length)
		}
	}
	if length <= 0 || length > int64(learn) {
		return out
	}
	s := phaseMedians(y, int(length), learn)
	for i := range out {
		out[i] = s[i%int(length)]
	}
	return out
}

// parts is a decomposed series; residual is NaN at gaps.
type parts struct{ baseline, seasonal, trend, residual []float64 }

func decompose(y []float64, length int64, trend string, test int, threshold float64) parts {
	learn := max(0, len(y)-test)
	p := parts{
		seasonal: seasonOf(y, learn, length, threshold), trend: make([]float64, len(y)),
		baseline: make([]float64, len(y)), residual: make([]float64, len(y)),
	}
	var xs, ds []float64
	for i := range learn {
		if !math.IsNaN(y[i]) {
			xs, ds = append(xs, float64(i)), append(ds, y[i]-p.seasonal[i])
		}
	}
	if len(ds) > 0 && trend != "none" {
		level, slope := mean(ds), 0.0
		if trend == "linefit" {
			mx := mean(xs)
			var xx, xy float64
			for i := range xs {
				xx += (xs[i] - mx) * (xs[i] - mx)
				xy += (xs[i] - mx) * (ds[i] - level)
			}
			if xx > 0 {
				slope = xy / xx
				level -= slope * mx
			}
		}
		for i := range p.trend {
			p.trend[i] = level + slope*float64(i)
		}
	}
	for i := range y {
		p.baseline[i] = p.seasonal[i] + p.trend[i]
		p.residual[i] = y[i] - p.baseline[i]
	}
	return p
}

// eachDecomposed reads the shared arguments (places of seasonality, trend, test points, threshold; beyond the end is
// the default) and decomposes each row.
func eachDecomposed(fn string, n int, args []*value.Vector, at [4]int, f func(y []float64, d parts, test int) []any, width int) (*value.Vector, error) {
	a := dyns(args[0])
	has := func(k int) bool { return at[k] < len(args) && n > 0 && given(args[at[k]]) }
	trend := "avg"
	if has(1) {
		if trend = value.Text(args[at[1]], 0); trend != "avg" && trend != "linefit" && trend != "none" {
			return nil, misused(fn, "the trend must be avg, linefit or none, not %q", trend)
		}
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		out.D[i] = make([]any, width)
		y, ok := gaps(a.at(i))
		if !ok || len(y) == 0 {
			continue
		}
		length, test, threshold := int64(-1), 0, seasonThreshold
		if has(0) {
			length = longs(args[at[0]]).at(i)
		}
		if has(2) {
			test = int(max(0, min(longs(args[at[2]]).at(i), int64(len(y)))))
		}
		if has(3) {
			threshold = reals(args[at[3]]).at(i)
		}
		out.D[i] = f(y, decompose(y, length, trend, test, threshold), test)
	}
	return out, nil
}

// decomposeAnomalies is series_decompose_anomalies(series, threshold, seasonality, trend, test_points, method,
// seasonality_threshold): flags, scores and baseline.
func decomposeAnomalies(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	threshold := 1.5
	if len(args) > 1 && n > 0 && given(args[1]) {
		threshold = reals(args[1]).v[0]
	}
	lo, hi := 10.0, 90.0
	switch m := argString(args, 5, "ctukey"); m {
	case "ctukey", "":
	case "tukey":
		lo, hi = 25, 75
	default:
		return nil, misused("series_decompose_anomalies", "the method must be ctukey or tukey, not %q", m)
	}
	return eachDecomposed("series_decompose_anomalies", n, args, [4]int{2, 3, 4, 6}, func(y []float64, d parts, test int) []any {
		score := outlierScores(d.residual, lo, hi, test)
		flag := make([]any, len(y))
		for i, s := range score {
			switch {
			case s > threshold:
				flag[i] = int64(1)
			case s < -threshold:
				flag[i] = int64(-1)
			default:
				flag[i] = int64(0)
			}
		}
		return []any{flag, toArray(score), toArray(d.baseline)}
	}, 3)
}
