package azure

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestLooseJSONBecomesStrict(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 1}`: `{"a":1}`,
		`{"properties": {"mode": "Incremental", template:{"x": "[parameters('a')]", /* c */ "y": [1, 2,], // no "quote"
		 }}}`: `{"properties":{"mode":"Incremental","template":{"x":"[parameters('a')]","y":[1,2]}}}`,
		"{'a': 'it\\'s \"so\"', b-c : true, d: null, \"e\": \"two\nlines\ttab\"}": `{"a":"it's \"so\"","b-c":true,"d":null,"e":"two\nlines\ttab"}`,
		`{"url": "https://x/y", "n": -1.5e3, "s": "a\\", }`:                       `{"url":"https://x/y","n":-1500,"s":"a\\"}`,
		`[ "a,]", ]`: `["a,]"]`,
	} {
		got, err := strictJSON([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		var a, b any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Errorf("%s: %v in %s", in, err, got)
			continue
		}
		if err := json.Unmarshal([]byte(want), &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %s", in, got)
		}
	}
	for _, in := range []string{`{"a": "x`, `{ /* x`, `{'a`} {
		if _, err := strictJSON([]byte(in)); err == nil {
			t.Errorf("%s passed", in)
		}
	}
	got, err := strictJSON([]byte("{\n// one\n/* two\nthree */ a: 1}"))
	if err != nil || strings.Count(string(got), "\n") != 3 {
		t.Errorf("lines moved: %q %v", got, err)
	}
}

func FuzzStrictJSON(f *testing.F) {
	f.Add([]byte(`{a: 'b', /* c */ "d": [1,], // e
}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := strictJSON(in)
		if err == nil && json.Valid(in) && string(out) != string(in) {
			t.Errorf("valid JSON was changed: %q → %q", in, out)
		}
	})
}
