package eval

import (
	"math"
	"picket/kql/value"
)

func seriesFitFuncs(t table) {
	t.pure("series_fit_line", seriesFit(false, fitLineNames, func(y []float64) []any { return fitLine(y).values() }))
	t.pure("series_fit_line_dynamic", seriesFit(true, fitLineNames, func(y []float64) []any { return fitLine(y).values() }))
	t.pure("series_fit_2lines", seriesFit(false, fit2LineNames, fit2Lines))
	t.pure("series_fit_2lines_dynamic", fit2LinesDynamic)
	t.pure("series_fit_poly", seriesFitPoly)
}

var (
	fitLineNames  = []string{"rsquare", "slope", "variance", "rvariance", "interception", "line_fit"}
	fit2LineNames = []string{
		"rsquare", "split_idx", "variance", "rvariance", "line_fit",
		"right_rsquare", "right_slope", "right_interception", "right_variance", "right_rvariance",
		"left_rsquare", "left_slope", "left_interception", "left_variance", "left_rvariance",
	}
)

// seriesFit adapts a fit to a tuple, or to a bag of its names.
func seriesFit(bag bool, names []string, f func(y []float64) []any) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := dyns(args[0])
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			y, ok := numbers(a.at(i))
			var vals []any
			if ok && len(y) >= 2 {
				vals = f(y)
			}
			if vals == nil {
				if !bag {
					out.D[i] = make([]any, len(names))
				}
				continue
			}
			if !bag {
				out.D[i] = vals
				continue
			}
			b := value.NewBag()
			for k, name := range names {
				b.Set(name, vals[k])
			}
			out.D[i] = b
		}
		return out, nil
	}
}

// line is a least-squares line over x = 1, 2, 3, ...
type line struct {
	rsquare, slope, variance, rvariance, interception float64
	rss, tss                                          float64
	fit                                               []float64
}

func (l line) values() []any {
	return []any{l.rsquare, l.slope, l.variance, l.rvariance, l.interception, toArray(l.fit)}
}

func fitLine(y []float64) line {
	n := float64(len(y))
	mx, my := (n-1)/2, mean(y)
	var xx, xy, yy float64
	for i, f := range y {
		dx, dy := float64(i)-mx, f-my
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	l := line{tss: yy}
	if xx > 0 {
		l.slope = xy / xx
	}
	l.interception = my - l.slope*mx
	l.fit = make([]float64, len(y))
	res, mres := make([]float64, len(y)), 0.0
	for i, f := range y {
		l.fit[i] = l.interception + l.slope*float64(i)
		res[i] = f - l.fit[i]
		mres += res[i] / n
	}
	l.interception -= l.slope
	for _, r := range res {
		l.rss += (r - mres) * (r - mres)
	}
	l.rsquare = rSquare(l.rss, yy)
	if n > 1 {
		l.variance, l.rvariance = yy/(n-1), l.rss/(n-1)
	}
	return l
}

func rSquare(rss, tss float64) float64 {
	if tss == 0 {
		return 1
	}
	return 1 - rss/tss
}

// fit2Lines tries every split into two parts of at least two points and keeps the one with the best total r-square.
func fit2Lines(y []float64) []any {
	n := len(y)
	if n < 4 || n > 20_000 {
		return nil
	}
	// sums of prefixes give the residual of any part in constant time
	sx, sy, sxx, sxy, syy := make([]float64, n+1), make([]float64, n+1), make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)
	m := mean(y)
	for i, f := range y {
		x, v := float64(i), f-m
		sx[i+1], sy[i+1], sxx[i+1], sxy[i+1], syy[i+1] = sx[i]+x, sy[i]+v, sxx[i]+x*x, sxy[i]+x*v, syy[i]+v*v
	}
	rss := func(a, b int) float64 {
		c := float64(b - a)
		x, v := sx[b]-sx[a], sy[b]-sy[a]
		xx, xv, vv := sxx[b]-sxx[a]-x*x/c, sxy[b]-sxy[a]-x*v/c, syy[b]-syy[a]-v*v/c
		if xx == 0 {
			return vv
		}
		return vv - xv*xv/xx
	}
	best, split := math.Inf(1), 2
	for k := 2; k <= n-2; k++ {
		if r := rss(0, k) + rss(k, n); r < best {
			best, split = r, k
		}
	}
	left, right, whole := fitLine(y[:split]), fitLine(y[split:]), fitLine(y)
	total := left.rss + right.rss
	return []any{
		rSquare(total, whole.tss), int64(split), whole.variance, total / float64(n-1),
		toArray(append(append([]float64{}, left.fit...), right.fit...)),
		right.rsquare, right.slope, right.interception, right.variance, right.rvariance,
		left.rsquare, left.slope, left.interception, left.variance, left.rvariance,
	}
}

func fit2LinesDynamic(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := dyns(args[0])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		y, ok := numbers(a.at(i))
		if !ok {
			continue
		}
		v := fit2Lines(y)
		if v == nil {
			continue
		}
		b := value.NewBag()
		for k, name := range fit2LineNames[:5] {
			b.Set(name, v[k])
		}
		for side, name := range []string{"right", "left"} {
			s := value.NewBag()
			for k, p := range []string{"rsquare", "slope", "interception", "variance", "rvariance"} {
				s.Set(p, v[5+5*side+k])
			}
			b.Set(name, s)
		}
		out.D[i] = b
	}
	return out, nil
}

// seriesFitPoly is series_fit_poly(y[, x[, degree]]): rsquare, coefficients from the highest power down, variance,
// rvariance, poly_fit. x defaults to 1, 2, 3, ...
func seriesFitPoly(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := dyns(args[0])
	var xs col[any]
	degree := 1
	rest := args[1:]
	if len(rest) > 0 && (rest[0].Type == value.Dynamic || len(rest) > 1) {
		xs = dyns(rest[0])
		rest = rest[1:]
	}
	if len(rest) > 0 && n > 0 && given(rest[0]) {
		degree = int(longs(rest[0]).v[0])
	}
	if degree < 0 || degree > 40 {
		return nil, refuse("series_fit_poly", "the degree must lie in 0..40, not %d", degree)
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		out.D[i] = make([]any, 5)
		y, ok := numbers(a.at(i))
		if !ok || len(y) <= degree {
			continue
		}
		x := make([]float64, len(y))
		for k := range x {
			x[k] = float64(k + 1)
		}
		if xs.v != nil {
			if x, ok = numbers(xs.at(i)); !ok || len(x) != len(y) {
				continue
			}
		}
		coef, ok := polyFit(x, y, degree)
		if !ok {
			continue
		}
		my, rss, tss := mean(y), 0.0, 0.0
		fit := make([]float64, len(y))
		for k := range y {
			for _, c := range coef {
				fit[k] = fit[k]*x[k] + c
			}
			rss += (y[k] - fit[k]) * (y[k] - fit[k])
			tss += (y[k] - my) * (y[k] - my)
		}
		d := max(1, float64(len(y)-1))
		out.D[i] = []any{rSquare(rss, tss), toArray(coef), tss / d, rss / d, toArray(fit)}
	}
	return out, nil
}

// polyFit solves the least squares by Householder reflections over x scaled to -1..1, then expands.
func polyFit(x, y []float64, degree int) ([]float64, bool) {
	lo, hi := x[0], x[0]
	for _, f := range x {
		lo, hi = min(lo, f), max(hi, f)
	}
	mid, half := (lo+hi)/2, (hi-lo)/2
	if half == 0 {
		half = 1
	}
	n, m := len(x), degree+1
	q := make([][]float64, n)
	b := append([]float64{}, y...)
	for i := range q {
		q[i] = make([]float64, m)
		z, p := (x[i]-mid)/half, 1.0
		for k := range q[i] {
			q[i][k] = p
			p *= z
		}
	}
	for k := range m {
		norm := 0.0
		for i := k; i < n; i++ {
			norm = math.Hypot(norm, q[i][k])
		}
		if norm < 1e-12 {
			return nil, false
		}
		if q[k][k] > 0 {
			norm = -norm
		}
		v := make([]float64, n)
		v[k] = q[k][k] - norm
		vv := v[k] * v[k]
		for i := k + 1; i < n; i++ {
			v[i] = q[i][k]
			vv += v[i] * v[i]
		}
		reflect := func(get func(i int) *float64) {
			s := 0.0
			for i := k; i < n; i++ {
				s += v[i] * *get(i)
			}
			s = 2 * s / vv
			for i := k; i < n; i++ {
				*get(i) -= s * v[i]
			}
		}
		for j := k; j < m; j++ {
			reflect(func(i int) *float64 { return &q[i][j] })
		}
		reflect(func(i int) *float64 { return &b[i] })
	}
	c := make([]float64, m) // in powers of z, lowest first
	for k := m - 1; k >= 0; k-- {
		s := b[k]
		for j := k + 1; j < m; j++ {
			s -= q[k][j] * c[j]
		}
		c[k] = s / q[k][k]
	}
	// expand ((x-mid)/half)^k by Horner's rule over polynomials, lowest power first
	p := []float64{0}
	for k := m - 1; k >= 0; k-- {
		next := make([]float64, len(p)+1)
		for j, f := range p {
			next[j+1] += f / half
			next[j] -= f * mid / half
		}
		next[0] += c[k]
		p = next
	}
	out := make([]float64, m)
	for k := range out {
		out[k] = p[m-1-k]
	}
	return out, true
}
