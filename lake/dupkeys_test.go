package lake

import (
	"errors"
	"fmt"
	"math"
	"picket/kql/value"
	"strings"
	"testing"
)

func TestOddJSON(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf(`"k%d":{"a":[1,{"b":2}]}`, i))
	}
	plain := `{` + strings.Join(many, ",") + `}`
	for text, want := range map[string]bool{
		`{"a":1,"b":{"a":2}}`:                      false,
		`{"a":1,"b":{"a":2,"a":3}}`:                true,
		`{"a":[{"x":1},{"x":2}]} {"a":"a, \"a\""}`: false,
		`{"a":["a","a"],"b":"a"}`:                  false,
		`{"a":1,"\u0061":2}`:                       true,
		`{"a":NaN}`:                                true,
		`{"a":[-Infinity]}`:                        true,
		`{"a":"NaN"}`:                              false,
		plain:                                      false,
		strings.Replace(plain, `"k99"`, `"k0"`, 1): true,
		`{"a"`: false,
	} {
		if got := oddJSON([]byte(text)); got != want {
			t.Errorf("%.80s: %v", text, got)
		}
	}
}

func TestDynamicKeepsTheLastOfEqualKeys(t *testing.T) {
	l := openLake(t, Options{})
	for _, pad := range []int{0, smallBytes} {
		mustAppend(t, l, Batch{Table: "T", Columns: cols("y:dynamic"), NDJSON: []byte(`{"y":{"a":{"x":1,"x":2}}}` + strings.Repeat(" ", pad))})
		if _, err := l.Append(ctx, Batch{Table: "T", Columns: cols("y:dynamic"), NDJSON: []byte(`{"y":[NaN]}` + strings.Repeat(" ", pad))}); err == nil {
			t.Error("NaN is taken as JSON")
		}
	}
	if got := rows(t, l, "T", Need{Columns: []string{"y"}}); got != strings.Repeat(`{"a":{"x":2}}`+"\n", 2) {
		t.Fatal(got)
	}
}

// TestLargeTexts sends what DuckDB's reader meets only in large batches.
func TestLargeTexts(t *testing.T) {
	l := openLake(t, Options{})
	pad := strings.Repeat(" ", smallBytes)
	for text, want := range map[string]string{
		"{\"s\":\"\xff\"}" + pad:                     "byte",
		`{"s":` + pad:                                "JSON",
		`[{"s":"x"},5]` + pad:                        "no JSON object",
		`{"s":"x","s":"y"}` + pad:                    "",
		`{"s":"` + strings.Repeat("x", 5<<20) + `"}`: "",
		"{\n\"s\":\"x\"}" + pad:                      "",
	} {
		_, err := l.Append(ctx, Batch{Table: "T", Columns: cols("s:string"), NDJSON: []byte(text)})
		var de *DataError
		switch {
		case want == "" && err != nil:
			t.Errorf("%.30q: %v", text, err)
		case want != "" && (!errors.As(err, &de) || !strings.Contains(err.Error(), want)):
			t.Errorf("%.30q: %v", text, err)
		}
	}
	if n := count(t, l, "T"); n != 3 {
		t.Fatal(n)
	}
}

func TestDecimalsKeepTheirDigits(t *testing.T) {
	l := openLake(t, Options{})
	numbers := []string{"123456789012345678901", "0.1234567890123456789", "-5e3", "1.10", "9223372036854775808"}
	var lines []string
	for _, n := range numbers {
		lines = append(lines, `{"m":`+n+`,"k":"x"}`)
	}
	for _, text := range []string{strings.Join(lines, "\n"), "[" + strings.Join(lines, ",") + "]"} {
		mustAppend(t, l, Batch{Table: "T", Columns: cols("m:decimal"), NDJSON: []byte(text)})
	}
	got := strings.Fields(rows(t, l, "T", Need{Columns: []string{"m"}}))
	for _, want := range []string{"123456789012345678901", "0.1234567890123456789", "-5000", "1.1", "9223372036854775808"} {
		n := 0
		for _, g := range got {
			if g == want {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%s is there %d times in %v", want, n, got)
		}
	}
}

func TestConvertRefusesWhatIsNoNumber(t *testing.T) {
	for _, x := range []any{math.Inf(1), math.Inf(-1), math.NaN()} {
		for _, typ := range []value.Type{value.Decimal, value.Long, value.Int} {
			if v, err := Convert(x, typ); err == nil {
				t.Errorf("%v is %s %s", x, typ, v.Text())
			}
		}
	}
	if _, err := Convert(float64(1<<63), value.Long); err == nil {
		t.Error("2^63 is a long")
	}
	l := openLake(t, Options{})
	var de *DataError
	if _, err := l.Append(ctx, Batch{Table: "T", Columns: cols("m:decimal"), NDJSON: []byte(`{"m":1e7000}`)}); !errors.As(err, &de) {
		t.Error(err)
	}
}
