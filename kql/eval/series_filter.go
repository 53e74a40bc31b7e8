package eval

import (
	"math"
	"math/bits"
	"math/cmplx"
	"picket/kql/value"
)

func seriesFilterFuncs(t table) {
	t.pure("series_fir", seriesFir)
	t.pure("series_iir", seriesIir)
	t.pure("series_fft", seriesFFT(false))
	t.pure("series_ifft", seriesFFT(true))
}

// maxWork bounds the multiplications of one row's filter.
const maxWork = 1 << 28

// seriesFir convolves with a filter; before the start and beyond the end the series counts as 0.
func seriesFir(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, f := dyns(args[0]), dyns(args[1])
	flag := func(k, i int) (set, val bool) {
		if k >= len(args) {
			return false, false
		}
		b := bools(args[k])
		return !b.isNull(i), b.at(i) != 0
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		x, ok := numbers(a.at(i))
		w, ok2 := numbers(f.at(i))
		if !ok || !ok2 || len(w) == 0 {
			continue
		}
		if len(x)*len(w) > maxWork {
			return nil, refuse("series_fir", "a filter of %d over a series of %d passes the limit", len(w), len(x))
		}
		negative, sum := false, 0.0
		for _, c := range w {
			negative = negative || c < 0
			sum += c
		}
		set, normalize := flag(2, i)
		if !set {
			normalize = !negative
		}
		if normalize && (negative || sum == 0) {
			continue
		}
		if !normalize {
			sum = 1
		}
		shift := 0
		if _, center := flag(3, i); center {
			shift = (len(w) - 1) / 2
		}
		res := make([]float64, len(x))
		for k := range res {
			s := 0.0
			for j, c := range w {
				if p := k + shift - j; p >= 0 && p < len(x) {
					s += c * x[p]
				}
			}
			res[k] = s / sum
		}
		out.D[i] = toArray(res)
	}
	return out, nil
}

// seriesIir is y[i] = (sum b[k] x[i-k] - sum a[k] y[i-k]) / a[0].
func seriesIir(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	xs, bs, as := dyns(args[0]), dyns(args[1]), dyns(args[2])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		x, ok := numbers(xs.at(i))
		b, ok2 := numbers(bs.at(i))
		a, ok3 := numbers(as.at(i))
		if !ok || !ok2 || !ok3 || len(a) == 0 || a[0] == 0 {
			continue
		}
		if len(x)*(len(a)+len(b)) > maxWork {
			return nil, refuse("series_iir", "a filter of %d over a series of %d passes the limit", len(a)+len(b), len(x))
		}
		y := make([]float64, len(x))
		for k := range y {
			s := 0.0
			for j := 0; j < len(b) && j <= k; j++ {
				s += b[j] * x[k-j]
			}
			for j := 1; j < len(a) && j <= k; j++ {
				s -= a[j] * y[k-j]
			}
			y[k] = s / a[0]
		}
		out.D[i] = toArray(y)
	}
	return out, nil
}

func seriesFFT(inverse bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		re := dyns(args[0])
		var im col[any]
		if len(args) > 1 {
			im = dyns(args[1])
		}
		out := value.New(value.Dynamic, n)
		for i := range out.D {
			out.D[i] = make([]any, 2)
			x, ok := numbers(re.at(i))
			if !ok {
				continue
			}
			z := make([]complex128, len(x))
			for k, f := range x {
				z[k] = complex(f, 0)
			}
			if len(args) > 1 && im.at(i) != nil {
				y, ok := numbers(im.at(i))
				if !ok || len(y) != len(x) {
					continue
				}
				for k, f := range y {
					z[k] = complex(x[k], f)
				}
			}
			z = fourier(z, inverse)
			r, m := make([]any, len(z)), make([]any, len(z))
			for k, c := range z {
				r[k], m[k] = real(c), imag(c)
			}
			out.D[i] = []any{r, m}
		}
		return out, nil
	}
}

// fourier is the discrete Fourier transform of any length (Bluestein where it is no power of two); the inverse
// divides by the length.
func fourier(z []complex128, inverse bool) []complex128 {
	n := len(z)
	if n == 0 {
		return z
	}
	sign := -1.0
	if inverse {
		sign = 1
	}
	var out []complex128
	if n&(n-1) == 0 {
		out = append([]complex128{}, z...)
		radix2(out, sign)
	} else {
		out = bluestein(z, sign)
	}
	if inverse {
		for i := range out {
			out[i] /= complex(float64(n), 0)
		}
	}
	return out
}

func radix2(z []complex128, sign float64) {
	n := len(z)
	shift := 64 - uint(bits.Len(uint(n))-1)
	for i := range z {
		if n > 1 {
			if j := int(bits.Reverse64(uint64(i)) >> shift); j > i {
				z[i], z[j] = z[j], z[i]
			}
		}
	}
	for size := 2; size <= n; size *= 2 {
		half := size / 2
		roots := make([]complex128, half)
		for k := range roots {
			roots[k] = cmplx.Rect(1, sign*2*math.Pi*float64(k)/float64(size))
		}
		for at := 0; at < n; at += size {
			for k := range half {
				a, b := z[at+k], z[at+k+half]*roots[k]
				z[at+k], z[at+k+half] = a+b, a-b
			}
		}
	}
}

func bluestein(z []complex128, sign float64) []complex128 {
	n := len(z)
	m := 1
	for m < 2*n-1 {
		m *= 2
	}
	chirp := make([]complex128, n)
	for k := range chirp {
		sq := (int64(k) * int64(k)) % int64(2*n)
		chirp[k] = cmplx.Rect(1, sign*math.Pi*float64(sq)/float64(n))
	}
	a, b := make([]complex128, m), make([]complex128, m)
	for k := range z {
		a[k] = z[k] * chirp[k]
		c := cmplx.Conj(chirp[k])
		b[k] = c
		if k > 0 {
			b[m-k] = c
		}
	}
	radix2(a, -1)
	radix2(b, -1)
	for k := range a {
		a[k] *= b[k]
	}
	radix2(a, 1)
	out := make([]complex128, n)
	for k := range out {
		out[k] = a[k] / complex(float64(m), 0) * chirp[k]
	}
	return out
}
