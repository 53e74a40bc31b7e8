package exec

import (
	"fmt"
	"strings"
	"testing"
)

// What a row gives never depends on the other rows: each value is asked for alone and among all others.
func TestRowsDecideForThemselves(t *testing.T) {
	elems := []string{`1`, `2.5`, `"2.5"`, `"7"`, `"x"`, `true`, `1e300`, `-0.5`, `{}`, `[1,2.5]`, `null`, `9007199254740993`, `"2024-01-02"`, `""`}
	exprs := []string{
		"v == 1", "v != 1", "v < 2", "v >= 1", "1 < v", "v == 2.5", "v > 2.0", "v == 'x'", "v < 'x'", "v == int(null)", "v == true", "v in (1, 7)", "v between (1 .. 3)",
		"v + 1", "v * 2.5", "v - 1", "-toreal(v)", "v / 2", "v % 2", "tolong(v)", "toreal(v)", "tostring(v)", "iff(v > 1, v, dynamic(0))", "coalesce(tolong(v), 5)",
		"max_of(tolong(v), 2)", "todatetime(v) > datetime(2024-01-01)", "v == datetime(2024-01-02)", "bin(toreal(v), 2)", "gettype(v)", "array_length(v)", "strcat(v, 'a')", "isempty(v)", "isnull(v)", "not(tobool(v))",
	}
	table := "datatable(i:long, v:dynamic)["
	for i, e := range elems {
		table += fmt.Sprintf("%d, dynamic(%s), ", i, e)
	}
	table = strings.TrimSuffix(table, ", ") + "]"
	tried := 0
	for _, x := range exprs {
		all, err := answer(t.Context(), table+" | project r = tostring("+x+") , n = isnull("+x+")", nil, nil)
		if err != nil {
			t.Logf("%s is refused: %v", x, err)
			continue
		}
		tried++
		together := cells(all)
		for i := range elems {
			one, err := answer(t.Context(), fmt.Sprintf("%s | where i == %d | project r = tostring(%s), n = isnull(%s)", table, i, x, x), nil, nil)
			if err != nil {
				t.Errorf("%s of %s: %v", x, elems[i], err)
				continue
			}
			if alone := cells(one); len(alone) != 1 || alone[0] != together[i] {
				t.Errorf("%s of %s is %s alone and %s among others", x, elems[i], alone, together[i])
			}
		}
	}
	if tried < len(exprs)*3/4 {
		t.Errorf("only %d of %d expressions ran", tried, len(exprs))
	}
}

func cells(r *Result) (out []string) {
	for _, f := range r.Tables[0].Frames {
		for i := range f.N {
			out = append(out, fmt.Sprintf("%s %s", f.Vecs[0].At(i).Text(), f.Vecs[1].At(i).Text()))
		}
	}
	return out
}
