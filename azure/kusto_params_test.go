package azure

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func TestQueryParametersBecomeValues(t *testing.T) {
	f := newFull(t)
	tok := f.token(Reader)
	const decl = "declare query_parameters(s:string, n:long=3, d:datetime, t:timespan, g:guid, r:real, b:bool, j:dynamic);\n"
	for _, c := range []struct{ params, query, want string }{
		{`{"s":"abc"}`, decl + "print s, n, d", `[["abc",3,null]]`},
		{`{"s":"111","n":"42"}`, decl + "print s, n + 1", `[["111",43]]`},
		{`{"s":"\"quoted\"","n":7}`, decl + "print s, n", `[["quoted",7]]`},
		{`{"d":"datetime(2026-11-24T01:02:03.1234567Z)","t":"time(1.02:00:00)"}`, decl + "print d, t", `[["2026-11-24T01:02:03.1234567Z","1.02:00:00"]]`},
		{`{"d":"2026-11-24","g":"74be27de-1e4e-49d9-b579-fe0b331d3642","r":"1.5","b":"true","j":"{\"a\":[1]}"}`, decl + "print d, g, r, b, j.a[0]", `[["2026-11-24T00:00:00.0000000Z","74be27de-1e4e-49d9-b579-fe0b331d3642",1.5,true,1]]`},
		{`{"s":"x\"; print 1; //"}`, decl + "print s", `[["x\"; print 1; //"]]`},
	} {
		var ps map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.params), &ps); err != nil {
			t.Fatal(err)
		}
		text, err := withParameters(context.Background(), c.query, ps)
		if err != nil {
			t.Errorf("%s: %v", c.params, err)
			continue
		}
		got := f.rows(tok, text)
		if strings.ReplaceAll(got, `"1"`, "1") != c.want && got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.params, text, got, c.want)
		}
	}
	for _, p := range []string{`{"n":"abc"}`, `{"n":"long(1); print 2"}`, `{"d":"SecurityIncident"}`, `{"n":"1 | take 1"}`} {
		var ps map[string]json.RawMessage
		if err := json.Unmarshal([]byte(p), &ps); err != nil {
			t.Fatal(err)
		}
		if text, err := withParameters(context.Background(), decl+"print n", ps); err == nil {
			t.Errorf("%s passed: %s", p, text)
		}
	}
}
