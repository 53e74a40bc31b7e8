package kqltest

import (
	"os"
	"path/filepath"
	"picket/kql/value"
	"reflect"
	"testing"
)

func text(s string) *string { return &s }

func TestPrinted(t *testing.T) {
	shape, err := value.ParseJSON(`{"type":"Polygon","coordinates":[[1,2],[3,4]]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		got  value.Value
		ok   bool
	}{
		{"<https://a.example>", value.OfString("https://a.example"), true},
		{"[https://a.example](https://a.example)", value.OfString("https://a.example"), true},
		{"[a](https://a.example)", value.OfString("a"), false},
		{"<b>", value.OfString("b"), false},
		{`{"type": "Polygon", "coordinates": [ ... ]}`, value.OfDynamic(shape), true},
		{`{"type": "Point", "coordinates": [ ... ]}`, value.OfDynamic(shape), false},
		{`{"type": "Polygon", "coordinates": [ ... ], "more": 1}`, value.OfDynamic(shape), false},
		{"[ ... ]", value.OfDynamic([]any{}), false},
	} {
		got := Table{Schema: value.Schema{{Name: "x", Type: c.got.Type}}, Rows: [][]value.Value{{c.got}}}
		want := Printed(Expected{Columns: []string{"x"}, Rows: [][]*string{{text(c.want)}}}, got)
		if v, detail, _ := Compare("print x", want, got); (v == Pass) != c.ok {
			t.Errorf("%s: %s %s", c.want, v, detail)
		}
	}
}

func TestErrata(t *testing.T) {
	list, err := ReadErrata(filepath.Join("..", "testdata", "errata.json"))
	if err != nil || len(list) == 0 {
		t.Error(len(list), err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	for _, s := range []string{`[{"id":"a","why":"b"}]`, `[{"id":"a","why":"b","evidence":"c"},{"id":"a","why":"b","evidence":"c"}]`, `{`} {
		if err := os.WriteFile(bad, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadErrata(bad); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

func TestMadeUp(t *testing.T) {
	s := value.Schema{}
	for _, ty := range []value.Type{value.Bool, value.Int, value.Long, value.Real, value.Decimal, value.String, value.Datetime, value.Timespan, value.GUID, value.Dynamic} {
		s = append(s, value.Column{Name: ty.String(), Type: ty})
	}
	a, b := MadeUp("T", s, 200, 1<<59), MadeUp("T", s, 200, 1<<59)
	for c, v := range a.Vecs {
		nulls, others := 0, 0
		for i := range 200 {
			if v.IsNull(i) || v.Type == value.String && value.Text(v, i) == "" {
				nulls++
			} else {
				others++
			}
			if !reflect.DeepEqual(v.At(i), b.Vecs[c].At(i)) {
				t.Fatalf("%s: row %d is not the same again", s[c].Name, i)
			}
		}
		if nulls == 0 || others == 0 {
			t.Errorf("%s: %d nulls, %d others", s[c].Name, nulls, others)
		}
	}
}

func TestLine(t *testing.T) {
	if got := Line("a  é\nb", 3); got != "a …" {
		t.Errorf("%q", got)
	}
}
