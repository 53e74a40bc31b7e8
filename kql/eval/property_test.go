package eval

import (
	"fmt"
	"math"
	"math/rand"
	"picket/kql/value"
	"testing"
)

// do calls a function on one row and gives its value.
func do(t *testing.T, name string, ret value.Type, args ...any) value.Value {
	t.Helper()
	f, ok := Lookup(name)
	if !ok {
		t.Fatalf("no function %s", name)
	}
	vecs := make([]*value.Vector, len(args))
	for i, a := range args {
		v, ok := a.(value.Value)
		if !ok {
			v = argOf(t, a)
		}
		vecs[i] = value.ConstOf(v, 1)
	}
	out, err := f(NewCtx(0), ret, 1, vecs)
	if err != nil {
		t.Fatalf("%s%v: %v", name, args, err)
	}
	return out.At(0)
}

// inverse checks that back(there(x)) is x.
func inverse(t *testing.T, x any, there, back string, mid, end value.Type) {
	t.Helper()
	v, ok := x.(value.Value)
	if !ok {
		v = argOf(t, x)
	}
	m := do(t, there, mid, v)
	if got := do(t, back, end, m); got.Text() != v.Text() || got.Null != v.Null {
		t.Errorf("%s(%s(%s)) is %s by %s", back, there, v.Text(), got.Text(), m.Text())
	}
}

func someText(r *rand.Rand) string {
	letters := []rune("abcxyz019 _-./:%&=+?é世😀ßİ\"'\\\n")
	out := make([]rune, r.Intn(12))
	for i := range out {
		out[i] = letters[r.Intn(len(letters))]
	}
	return string(out)
}

func someElem(r *rand.Rand, depth int) any {
	switch k := r.Intn(9); {
	case k == 0:
		return nil
	case k == 1:
		return r.Intn(2) == 0
	case k < 4:
		return int64(r.Intn(2000) - 1000)
	case k == 4:
		return math.Trunc(r.NormFloat64()*1e6) / 64
	case k == 5 && depth > 0:
		out := make([]any, r.Intn(4))
		for i := range out {
			out[i] = someElem(r, depth-1)
		}
		return out
	case k == 6 && depth > 0:
		b := value.NewBag()
		for range r.Intn(4) {
			b.Set(someText(r), someElem(r, depth-1))
		}
		return b
	}
	return someText(r)
}

// TestInverses takes values there and back again.
func TestInverses(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 300 {
		s := someText(r)
		inverse(t, s, "base64_encode_tostring", "base64_decode_tostring", tS, tS)
		inverse(t, s, "url_encode_component", "url_decode", tS, tS)
		inverse(t, s, "gzip_compress_to_base64_string", "gzip_decompress_from_base64_string", tS, tS)
		inverse(t, s, "zlib_compress_to_base64_string", "zlib_decompress_from_base64_string", tS, tS)
		inverse(t, s, "unicode_codepoints_from_string", "unicode_codepoints_to_string", tY, tS)
		inverse(t, s, "punycode_from_string", "punycode_to_string", tS, tS)
		inverse(t, s, "reverse", "reverse", tS, tS)
		n := r.Uint64()
		inverse(t, int64(n), "binary_not", "binary_not", tL, tL)
		inverse(t, int64(n), "tostring", "tolong", tS, tL)
		inverse(t, int64(n%(1<<32)), "format_ipv4", "parse_ipv4", tS, tL)
		inverse(t, math.Float64frombits(n&^(1<<52)), "tostring", "todouble", tS, tR)
		at := value.Of(tD, int64(n%uint64(value.MaxDatetime+1)))
		inverse(t, at, "tostring", "todatetime", tS, tD)
		inverse(t, at, "tolong", "todatetime", tL, tD)
		inverse(t, value.Of(tT, int64(n)), "tostring", "totimespan", tS, tT)
		inverse(t, value.Of(tT, int64(n)), "tolong", "totimespan", tL, tT)
		d := value.OfDynamic([]any{someElem(r, 3), someElem(r, 2)})
		inverse(t, d, "tostring", "parse_json", tS, tY)
		inverse(t, d, "array_reverse", "array_reverse", tY, tY)
	}
}

// TestBinsHoldTheirValues checks bin(): a multiple of the size, at most the value, less than one size away.
func TestBinsHoldTheirValues(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 500 {
		x, size := r.Int63n(2e12)-1e12, r.Int63n(1e6)+1
		if b := do(t, "bin", tL, x, size).I; b > x || x-b >= size || b%size != 0 {
			t.Errorf("bin(%d, %d) is %d", x, size, b)
		}
		f, w := r.NormFloat64()*1e4, math.Exp(r.NormFloat64())
		if b := do(t, "bin", tR, f, w).F; b > f+1e-9 || f-b >= w+1e-9 {
			t.Errorf("bin(%v, %v) is %v", f, w, b)
		}
		at, span := value.Of(tD, r.Int63n(value.MaxDatetime)), value.Of(tT, r.Int63n(40*value.TicksPerDay)+1)
		if b := do(t, "bin", tD, at, span).I; b > at.I || at.I-b >= span.I || b%span.I != 0 {
			t.Errorf("bin(%s, %s) is %d", at.Text(), span.Text(), b)
		}
	}
}

// TestCalendar checks that a period begins at or before a time and ends at or after it, that its beginning is its own,
// and that datetime_diff() undoes datetime_add().
func TestCalendar(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 300 {
		at := value.Of(tD, 3*366*value.TicksPerDay+r.Int63n(value.MaxDatetime-6*366*value.TicksPerDay))
		for _, p := range []string{"day", "week", "month", "year"} {
			from, to := do(t, "startof"+p, tD, at), do(t, "endof"+p, tD, at)
			if from.I > at.I || to.I < at.I || do(t, "startof"+p, tD, from).I != from.I || do(t, "startof"+p, tD, to).I != from.I {
				t.Errorf("%s of %s: %s to %s", p, at.Text(), from.Text(), to.Text())
			}
			if next := do(t, "startof"+p, tD, at, 1); next.I != to.I+1 {
				t.Errorf("the %s after %s begins at %s, not after %s", p, at.Text(), next.Text(), to.Text())
			}
		}
		for _, p := range []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"} {
			n := int64(r.Intn(9) - 4)
			from := do(t, "startofmonth", tD, at) // months differ in length
			moved := do(t, "datetime_add", tD, p, n, from)
			if d := do(t, "datetime_diff", tL, p, moved, from); d.I != n {
				t.Errorf("datetime_add(%s, %d, %s) is %s, %d away", p, n, from.Text(), moved.Text(), d.I)
			}
		}
	}
}

func floats(r *rand.Rand, n int) ([]float64, value.Value) {
	out, d := make([]float64, n), make([]any, n)
	for i := range out {
		out[i] = math.Round(r.NormFloat64()*1000) / 8
		d[i] = out[i]
	}
	return out, value.OfDynamic(d)
}

func sameFloats(t *testing.T, what string, got value.Value, want []float64) {
	t.Helper()
	list, ok := got.D.([]any)
	if !ok || len(list) != len(want) {
		t.Errorf("%s: %s, want %v", what, got.Text(), want)
		return
	}
	for i, w := range want {
		g, ok := list[i].(float64)
		if n, isLong := list[i].(int64); isLong {
			g, ok = float64(n), true
		}
		if !ok || math.Abs(g-w) > 1e-6*math.Max(1, math.Abs(w)) {
			t.Errorf("%s: element %d is %v, want %v", what, i, list[i], w)
			return
		}
	}
}

// TestSeriesByDefinition compares functions of series with their definitions.
func TestSeriesByDefinition(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	for range 100 {
		n := 3 + r.Intn(40)
		x, dx := floats(r, n)
		y, dy := floats(r, n)
		k := 1 + r.Intn(5)
		w, dw := floats(r, k)
		fir, iir, centred := make([]float64, n), make([]float64, n), make([]float64, n)
		a := 0.5 * r.Float64()
		for i := range x {
			for j := range w {
				if i >= j {
					fir[i] += w[j] * x[i-j]
				}
				if at := i - j + (k-1)/2; at >= 0 && at < n {
					centred[i] += w[j] * x[at]
				}
			}
			iir[i] = x[i]
			if i > 0 {
				iir[i] += a * iir[i-1]
			}
		}
		sameFloats(t, "series_fir", do(t, "series_fir", tY, dx, dw, false, false), fir)
		if k%2 == 1 {
			sameFloats(t, "series_fir centred", do(t, "series_fir", tY, dx, dw, false, true), centred)
		}
		sameFloats(t, "series_iir", do(t, "series_iir", tY, dx, dy0(1), dy0(1, -a)), iir)
		// least squares over 1, 2, 3, …
		var sx, sy, sxx, sxy, dot, xx, yy, my float64
		for i := range x {
			at := float64(i + 1)
			sx += at
			sy += x[i]
			sxx += at * at
			sxy += at * x[i]
			dot += x[i] * y[i]
			xx += x[i] * x[i]
			yy += y[i] * y[i]
			my += y[i]
		}
		N := float64(n)
		slope := (N*sxy - sx*sy) / (N*sxx - sx*sx)
		b, ok := do(t, "series_fit_line_dynamic", tY, dx).D.(*value.Bag)
		if !ok {
			t.Fatal("series_fit_line_dynamic gives no bag")
		}
		g, _ := b.Get("slope")
		h, _ := b.Get("interception")
		sameFloats(t, "line", value.OfDynamic([]any{g, h}), []float64{slope, (sy - slope*sx) / N})
		pearson := (N*dot - sy*my) / math.Sqrt((N*xx-sy*sy)*(N*yy-my*my))
		for name, want := range map[string]float64{
			"series_pearson_correlation": pearson, "series_dot_product": dot, "series_cosine_similarity": dot / math.Sqrt(xx*yy),
		} {
			if got := do(t, name, tR, dx, dy).F; math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if got := do(t, "series_magnitude", tR, dx).F; math.Abs(got-math.Sqrt(xx)) > 1e-9*xx {
			t.Errorf("series_magnitude is %v, want %v", got, math.Sqrt(xx))
		}
		parts := do(t, "series_fft", tY, dx).D.([]any)
		back := do(t, "series_ifft", tY, value.OfDynamic(parts[0]), value.OfDynamic(parts[1])).D.([]any)
		sameFloats(t, "series_ifft(series_fft())", value.OfDynamic(back[0]), x)
	}
}

// dy0 makes an array of numbers.
func dy0(x ...float64) value.Value {
	d := make([]any, len(x))
	for i := range x {
		d[i] = x[i]
	}
	return value.OfDynamic(d)
}

// TestArraysByDefinition compares functions of arrays and sets with loops.
func TestArraysByDefinition(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	text := func(d []any) string { return value.OfDynamic(d).Text() }
	for range 300 {
		n := r.Intn(8)
		arr, other := make([]any, n), make([]any, r.Intn(6))
		for i := range arr {
			arr[i] = int64(r.Intn(5))
		}
		for i := range other {
			other[i] = int64(r.Intn(5))
		}
		has := func(list []any, x any) bool {
			for _, y := range list {
				if x == y {
					return true
				}
			}
			return false
		}
		union, both, left := []any{}, []any{}, []any{}
		for _, x := range append(append([]any{}, arr...), other...) {
			if !has(union, x) {
				union = append(union, x)
			}
		}
		for _, x := range arr {
			if has(other, x) && !has(both, x) {
				both = append(both, x)
			}
			if !has(other, x) && !has(left, x) {
				left = append(left, x)
			}
		}
		k := r.Intn(11) - 5
		rotated, shifted := make([]any, n), make([]any, n)
		for i := range arr {
			rotated[i] = arr[((i+k)%n+n)%n]
			if i+k >= 0 && i+k < n {
				shifted[i] = arr[i+k]
			}
		}
		from, to := r.Intn(9)-4, r.Intn(9)-4
		slice := []any{}
		abs := func(i int) int {
			if i < 0 {
				return i + n
			}
			return i
		}
		for i := range arr {
			if i >= abs(from) && i <= abs(to) {
				slice = append(slice, arr[i])
			}
		}
		A, B := value.OfDynamic(arr), value.OfDynamic(other)
		for _, c := range []struct {
			what string
			got  value.Value
			want []any
		}{
			{"set_union", do(t, "set_union", tY, A, B), union},
			{"set_intersect", do(t, "set_intersect", tY, A, B), both},
			{"set_difference", do(t, "set_difference", tY, A, B), left},
			{fmt.Sprintf("array_rotate_left by %d", k), do(t, "array_rotate_left", tY, A, k), rotated},
			{fmt.Sprintf("array_shift_left by %d", k), do(t, "array_shift_left", tY, A, k), shifted},
			{fmt.Sprintf("array_rotate_right by %d", -k), do(t, "array_rotate_right", tY, A, -k), rotated},
			{fmt.Sprintf("array_shift_right by %d", -k), do(t, "array_shift_right", tY, A, -k), shifted},
			{fmt.Sprintf("array_slice %d to %d", from, to), do(t, "array_slice", tY, A, from, to), slice},
			{"array_concat", do(t, "array_concat", tY, A, B), append(append([]any{}, arr...), other...)},
		} {
			if c.got.Text() != text(c.want) {
				t.Errorf("%s of %s and %s is %s, want %s", c.what, A.Text(), B.Text(), c.got.Text(), text(c.want))
			}
		}
	}
}
