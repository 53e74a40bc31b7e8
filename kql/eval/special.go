package eval

import (
	"math"
)

func specialFuncs(t table) {
	t.pure("gamma", real1(math.Gamma))
	t.pure("loggamma", realN(func(x []float64) (float64, bool) {
		l, _ := math.Lgamma(x[0])
		return l, !(x[0] < 0)
	}))
	t.pure("beta_cdf", realN(func(x []float64) (float64, bool) { return betaCDF(x[0], x[1], x[2]), true }))
	t.pure("beta_inv", realN(func(x []float64) (float64, bool) {
		return betaInv(x[0], x[1], x[2]), x[0] > 0 && x[0] <= 1
	}))
	t.pure("beta_pdf", realN(func(x []float64) (float64, bool) { return betaPDF(x[0], x[1], x[2]), true }))
	t.pure("welch_test", realN(func(x []float64) (float64, bool) {
		return welch(x[0], x[1], x[2], x[3], x[4], x[5])
	}))
}

func lnBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// betaCDF is the cumulative beta distribution; NaN outside its domain.
func betaCDF(x, a, b float64) float64 {
	if !(x >= 0 && x <= 1 && a > 0 && b > 0 && a <= 10_000 && b <= 10_000) {
		return math.NaN()
	}
	if x == 0 || x == 1 {
		return x
	}
	front := math.Exp(a*math.Log(x) + b*math.Log1p(-x) - lnBeta(a, b))
	if x < (a+1)/(a+b+2) {
		return front * betaFraction(x, a, b) / a
	}
	return 1 - front*betaFraction(1-x, b, a)/b
}

// betaFraction evaluates the continued fraction of the incomplete beta function (Lentz).
func betaFraction(x, a, b float64) float64 {
	const tiny = 1e-300
	guard := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c := 1.0
	d := 1 / guard(1-(a+b)*x/(a+1))
	h := d
	for m := 1.0; m <= 10000; m++ {
		num := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / guard(1+num*d)
		c = guard(1 + num/c)
		h *= d * c
		num = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / guard(1+num*d)
		c = guard(1 + num/c)
		step := d * c
		h *= step
		if math.Abs(step-1) < 1e-16 {
			break
		}
	}
	return h
}

func betaPDF(x, a, b float64) float64 {
	if !(x >= 0 && x <= 1 && a > 0 && b > 0) {
		return math.NaN()
	}
	return math.Exp((a-1)*math.Log(x) + (b-1)*math.Log1p(-x) - lnBeta(a, b))
}

// betaInv finds x with betaCDF(x) = p by bisection and Newton steps.
func betaInv(p, a, b float64) float64 {
	if !(p >= 0 && p <= 1 && a > 0 && b > 0 && a <= 10_000 && b <= 10_000) {
		return math.NaN()
	}
	if p == 0 || p == 1 {
		return p
	}
	lo, hi := 0.0, 1.0
	x := a / (a + b)
	for range 200 {
		f := betaCDF(x, a, b) - p
		if f == 0 {
			break
		}
		if f > 0 {
			hi = x
		} else {
			lo = x
		}
		next := x - f/betaPDF(x, a, b)
		if !(next > lo && next < hi) {
			next = (lo + hi) / 2
		}
		if math.Abs(next-x) <= 1e-17*math.Abs(x) || next == x {
			x = next
			break
		}
		x = next
	}
	return x
}

// studentTail is the two-sided tail of Student's distribution.
func studentTail(t, df float64) float64 {
	x := df / (df + t*t)
	a, b := df/2, 0.5
	if x == 0 || x == 1 {
		return x
	}
	front := math.Exp(a*math.Log(x) + b*math.Log1p(-x) - lnBeta(a, b))
	if x < (a+1)/(a+b+2) {
		return front * betaFraction(x, a, b) / a
	}
	return 1 - front*betaFraction(1-x, b, a)/b
}

// welch is the p value of Welch's two-sided t-test from means, variances and counts.
func welch(m1, v1, n1, m2, v2, n2 float64) (float64, bool) {
	if !(n1 > 1 && n2 > 1 && v1 >= 0 && v2 >= 0) || v1+v2 == 0 {
		return 0, false
	}
	a, b := v1/n1, v2/n2
	t := (m1 - m2) / math.Sqrt(a+b)
	df := (a + b) * (a + b) / (a*a/(n1-1) + b*b/(n2-1))
	return studentTail(t, df), true
}
