package lake

import (
	"fmt"
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
