package definition

import (
	"errors"
	"picket/playbook/expr"
	"strings"
	"testing"
	"time"
)

func parse(t *testing.T, text string) (*Definition, error) {
	t.Helper()
	pos := map[string][2]int{}
	v, err := expr.ParseJSONPositions([]byte(text), func(p []string, l, c int) { pos[strings.Join(p, "\x00")] = [2]int{l, c} })
	if err != nil {
		t.Fatal(err)
	}
	return Parse(v.(*expr.Object), func(p []string) (int, int) { x := pos[strings.Join(p, "\x00")]; return x[0], x[1] })
}

func TestParse(t *testing.T) {
	d, err := parse(t, `{"parameters":{"k":{"type":"SecureString"}},"triggers":{"t":{"type":"request","kind":"Http","splitOn":"@triggerBody()","runtimeConfiguration":{"concurrency":{"runs":3}}}},
	"actions":{"L":{"type":"foreach","foreach":"@triggerBody()","actions":{"A":{"type":"compose","inputs":"@items('l')","limit":{"timeout":"PT5M"}}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	a := d.Action("a")
	if a == nil || a.Type != "Compose" || len(a.Loops) != 1 || a.Loops[0].Name != "L" || a.Parent.Name != "L" || !d.Parameter("K").Secure() || d.Triggers[0].Runs != 3 || d.Triggers[0].Type != "Request" {
		t.Errorf("%+v", a)
	}
}

func TestErrorsHaveTheirPlace(t *testing.T) {
	_, err := parse(t, "{\"actions\":{\n  \"A\":{\"type\":\"Compose\",\n    \"inputs\":\"@{nope()}\"},\n  \"B\":{\"type\":\"Wrong\"},\n  \"a\":{\"type\":\"Compose\",\"inputs\":1}}}")
	var es Errors
	if !errors.As(err, &es) || len(es) != 3 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"line 4, column 8", "line 5, column 3", "line 3, column 5"} {
		if !strings.Contains(es[i].Error(), want) {
			t.Errorf("%v, want %s", es[i], want)
		}
	}
}

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{"PT30S": 30 * time.Second, "P1DT2H": 26 * time.Hour, "PT0.5S": time.Second / 2, "P2W": 14 * 24 * time.Hour} {
		if d, err := ParseDuration(s); err != nil || d != want {
			t.Errorf("%s: %v %v", s, d, err)
		}
	}
	for _, s := range []string{"", "P", "PT", "30S", "PT-1S"} {
		if _, err := ParseDuration(s); err == nil {
			t.Errorf("%q passes", s)
		}
	}
}

func FuzzDefinition(f *testing.F) {
	f.Add(`{"triggers":{"r":{"type":"Recurrence","recurrence":{"frequency":"Day","interval":1,"schedule":{"hours":[1]}}}},"actions":{"A":{"type":"If","expression":{"and":[]},"actions":{"B":{"type":"Compose","inputs":"@body('A')"}}}}}`)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := expr.ParseJSON([]byte(s))
		o, ok := v.(*expr.Object)
		if err != nil || !ok {
			return
		}
		if _, err := Parse(o, nil); err != nil {
			_ = err.Error()
		}
	})
}
