package eval

import (
	"encoding/json"
	"math"
	"testing"
)

// near compares two JSON texts with a tolerance for numbers.
func near(t *testing.T, got, want string, tol float64) bool {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return got == want
	}
	var same func(x, y any) bool
	same = func(x, y any) bool {
		switch p := x.(type) {
		case float64:
			q, ok := y.(float64)
			return ok && math.Abs(p-q) <= tol*math.Max(1, math.Abs(q))
		case []any:
			q, ok := y.([]any)
			if !ok || len(p) != len(q) {
				return false
			}
			for i := range p {
				if !same(p[i], q[i]) {
					return false
				}
			}
			return true
		case map[string]any:
			q, ok := y.(map[string]any)
			if !ok || len(p) != len(q) {
				return false
			}
			for k := range p {
				if !same(p[k], q[k]) {
					return false
				}
			}
			return true
		}
		return x == y
	}
	return same(a, b)
}

const traffic = `[80,139,87,110,68,54,50,51,53,133,86,141,97,156,94,149,95,140,77,61,50,54,47,133,72,152,94,148,105,162,101,160,87,63,53,55,54,151,103,189,108,183,113,175,113,178,90,71,62,62,65,165,109,181,115,182,121,178,114,170]`

func TestSeries(t *testing.T) {
	for _, k := range []struct {
		tol  float64
		call tc
	}{
		{1e-12, c("series_abs", tY, "[6.5,0,8.2]", dy("[-6.5,0,8.2]"))},
		{1e-12, c("series_add", tY, "[5,null,null]", dy(`[1,"x",3]`), dy("[4,2]"))},
		{1e-12, c("series_multiply", tY, "[2,4]", dy(`[1,2]`), 2)},
		{1e-12, c("series_divide", tY, "[0.25,1,4]", dy("[1,2,4]"), dy("[4,2,1]"))},
		{1e-12, c("series_pow", tY, "[1,4,27,2]", dy("[1,2,3,4]"), dy("[1,2,3,0.5]"))},
		{1e-12, c("series_greater_equals", tY, "[false,true,true]", dy("[1,2,4]"), dy("[4,2,1]"))},
		{1e-12, c("series_acos", tY, "[3.1415926535897931,1.5707963267948966,0]", dy("[-1,0,1]"))},
		{1e-12, c("series_floor", tY, "[-2,1,2]", dy("[-1.5,1,2.5]"))},
		{1e-12, c("series_sign", tY, "[-1,0,1]", dy("[-6,0,8]"))},
		{1e-12, c("series_dot_product", tR, "12.0", dy("[1,2,4]"), dy("[4,2,1]"))},
		{1e-12, c("series_cosine_similarity", tR, "0.923760430703401", dy("[0.1,0.2,0.1,0.2]"), dy("[1,2,3,4]"))},
		{1e-12, c("series_pearson_correlation", tR, "1.0", dy("[1,2,3,4,5]"), dy("[2,4,6,8,10]"))},
		{1e-12, c("series_fill_const", tY, "[111,-1,36]", dy("[111,null,36]"), -1)},
		{1e-12, c("series_fill_backward", tY, "[36,36,null]", dy("[null,36,null]"))},
		{1e-12, c("series_fill_forward", tY, "[null,36,36]", dy("[null,36,null]"))},
		{1e-12, c("series_fill_linear", tY, "[111,111,73,36,41,32,24,16,61,33,33,33]", dy("[null,111,null,36,41,null,null,16,61,33,null,null]"))},
		{1e-3, c("series_fill_linear", tY, "[null,111,73.5,36,41,32.667,24.333,16,61,33,null,null]", dy("[null,111.0,null,36.0,41.0,null,null,16.0,61.0,33.0,null,null]"), nul(tR), false)},
		{1e-12, c("series_fill_linear", tY, "[3.5,3.5]", dy("[null,null]"), nul(tR), true, 3.5)},
		{1e-12, c("series_fir", tY, "[5,10,-5,10]", dy("[5,15,10,20]"), dy("[1,-1]"), false, false)},
		{1e-12, c("series_fir", tY, "[1,2,3,2.3333333333333335]", dy("[1,2,3,4]"), dy("[1,1,1]"), true, true)},
		{1e-12, c("series_iir", tY, "[0,1,3,6,10]", dy("[0,1,2,3,4]"), dy("[1]"), dy("[1,-1]"))},
		{1e-9, c("series_stats_dynamic", tY, `{"min":2,"min_idx":8,"max":87,"max_idx":3,"avg":32.8,"stdev":28.503633853548269,"variance":812.45714285714291,"sum":492,"len":15}`,
			dy("[23,46,23,87,4,8,3,75,2,56,13,75,32,16,29]"))},
		{1e-3, c("series_fit_line", tY, "[0.982,2.730,98.628,1.686,-1.666,[1.064,3.7945,6.526,9.256,11.987,14.718,17.449,20.180,22.910,25.641,28.371,31.102]]",
			dy("[2,5,6,8,11,15,17,18,25,26,30,30]"))},
		{1e-9, c("series_fft", tY, "[[6,-1.5,-1.5],[0,0.8660254037844386,-0.8660254037844386]]", dy("[1,2,3]"))},
		{1e-9, c("series_ifft", tY, "[[1,2,3],[0,0,0]]", dy("[6,-1.5,-1.5]"), dy("[0,0.8660254037844386,-0.8660254037844386]"))},
		{1e-9, c("series_fit_poly", tY, "[1,[2,-3,1],87,0,[0,3,10,21]]", dy("[0,3,10,21]"), dy("[1,2,3,4]"), 2)},
		{5e-3, c("series_periods_validate", tY, "[[14,10],[0.84,0]]", dy(traffic), 14.0, 10.0)},
		{5e-3, c("series_periods_detect", tY, "[[14,0],[0.84,0]]", dy(traffic), 0.0, 50.0, 2)},
		{1e-12, c("series_seasonal", tY, "[1,2,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1]", dy("[2,5,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1,2,3,4,3,2,1]"))},
		{1e-12, c("series_seasonal", tY, "[10,12,14,12,10,10,12,14,12,10,10,12,14,12,10,10,12,14,12,10]", dy("[8,12,14,12,10,10,12,14,12,10,10,12,14,12,10,10,12,14,12,10]"))},
		{1e-12, c("series_seasonal", tY, "[0,0,0,0,0,0,0,0,0,0,0,0]", dy("[1,3,5,2,4,6,1,3,5,2,4,6]"))},
		{1e-12, c("series_seasonal", tY, "[1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5]", dy("[1,3,5,2,4,6,1,3,5,2,4,6]"), 3)},
		{1e-12, c("series_outliers", tY, "[-0.5,-0.27777777777777779,-0.055555555555555552,0,0,0,0,0.055555555555555552,0.27777777777777779,5.166666666666667]", dy("[0,1,2,3,4,5,6,7,8,30]"), "tukey", nul(tR), 10, 90)},
	} {
		got, err := runCall(t, k.call.name, k.call.ret, true, k.call.args...)
		if err != nil || !near(t, got, k.call.want, k.tol) {
			t.Errorf("%s%v = %s %v, want %s", k.call.name, k.call.args, got, err, k.call.want)
		}
	}
}

func TestAnomalies(t *testing.T) {
	y := "["
	for i := range 24 * 7 * 5 {
		v := 10.0 + float64(i%24) + 0.37*float64((i*7919)%13) + float64(i)/72
		if i == 150 {
			v -= 40
		}
		if i == 300 {
			v += 40
		}
		if i > 0 {
			y += ","
		}
		b, _ := json.Marshal(v)
		y += string(b)
	}
	y += "]"
	got, err := runCall(t, "series_decompose_anomalies", tY, false, dy(y), 2.5, -1, "linefit")
	if err != nil {
		t.Fatal(err)
	}
	var out [3][]float64
	if err := json.Unmarshal([]byte(got), &out); err != nil {
		t.Fatal(err)
	}
	for i, f := range out[0] {
		want := 0.0
		if i == 150 {
			want = -1
		}
		if i == 300 {
			want = 1
		}
		if f != want {
			t.Errorf("flag %d = %v, score %v", i, f, out[1][i])
		}
	}
}
