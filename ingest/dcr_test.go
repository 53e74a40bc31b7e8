package ingest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const ruleText = `{
 "streamDeclarations": {"Custom-In": {"columns": [{"name":"TimeGenerated","type":"datetime"},{"name":"Host","type":"string"},{"name":"N","type":"int"},{"name":"Raw","type":"dynamic"}]}},
 "dataFlows": [
  {"streams":["Custom-In"],"destinations":["x"],"outputStream":"Custom-Plain_CL"},
  {"streams":["Custom-In"],"destinations":["x"],"transformKql":"source | where N > 1 | extend Up = toupper(Host), K = tostring(Raw.k) | project-away Raw","outputStream":"Custom-Made_CL"}]}`

func parsed(t *testing.T, in *Ingest, text string) *Rule {
	t.Helper()
	r, err := in.ParseRule(ctx, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPostRunsEachFlowOfTheStream(t *testing.T) {
	in := open(t)
	r := parsed(t, in, ruleText)
	res, err := in.Post(ctx, PostRequest{Rule: r, Source: "dcr-1", Stream: "custom-in", Body: []byte(`[
	 {"TimeGenerated":"2026-11-24T01:02:03.1234567Z","Host":"a","N":1,"Raw":{"k":"v"},"Other":1},
	 {"Host":"b","N":2,"Raw":{"k":"w"}},
	 {"Host":"c","N":"no number","Raw":null}]`)})
	if err != nil {
		t.Fatal(err)
	}
	if res.Records != 3 || res.Quarantined != 1 || res.Rows != 3+1+1 {
		t.Errorf("%+v", res)
	}
	want := func(table, rows string) {
		t.Helper()
		if got := show(t, in, table); got != rows {
			t.Errorf("%s:\n%swant\n%s", table, got, rows)
		}
	}
	want("Plain_CL", "Host|N|Raw\na|1|{\"k\":\"v\"}\nb|2|{\"k\":\"w\"}\nc||\n")
	want("Made_CL", "Host|N|Up|K\nb|2|B|w\n")
	want(QuarantineTable, "Source|Stream|Reason|Record\ndcr-1|Custom-In|N: no number is no int|{\"Host\":\"c\",\"N\":\"no number\",\"Raw\":null}\n")
	// A column of another type takes what converts; the rest is noted.
	r2 := parsed(t, in, `{"streamDeclarations":{"Custom-In":{"columns":[{"name":"Host","type":"string"},{"name":"N","type":"string"}]}},"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-Plain_CL"}]}`)
	res, err = in.Post(ctx, PostRequest{Rule: r2, Source: "dcr-2", Stream: "Custom-In", Body: []byte(`[{"Host":"d","N":"7"},{"Host":"e","N":"x"}]`)})
	if err != nil || res.Quarantined != 1 {
		t.Fatalf("%+v %v", res, err)
	}
	want("Plain_CL", "Host|N|Raw\na|1|{\"k\":\"v\"}\nb|2|{\"k\":\"w\"}\nc||\nd|7|\ne||\n")
}

// What no decimal can hold is noted, and stays small.
func TestPostHugeNumbers(t *testing.T) {
	in := open(t)
	r := parsed(t, in, `{"streamDeclarations":{"Custom-In":{"columns":[{"name":"N","type":"int"},{"name":"M","type":"decimal"}]}},"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-Huge_CL"}]}`)
	res, err := in.Post(ctx, PostRequest{Rule: r, Source: "dcr", Stream: "Custom-In", Body: []byte(`[{"N":1,"M":1e400},{"N":2,"M":"1e1999999999"},{"N":3,"M":"12345678901234567890.5"},{"N":4,"M":"1e5"}]`)})
	if err != nil || res.Quarantined != 2 {
		t.Fatalf("%+v %v", res, err)
	}
	if got, want := show(t, in, "Huge_CL"), "N|M\n1|\n2|\n3|12345678901234567890.5\n4|100000\n"; got != want {
		t.Errorf("%s", got)
	}
}

func TestPostRefusesByName(t *testing.T) {
	in := open(t)
	r := parsed(t, in, ruleText)
	for _, c := range []struct{ stream, body, code string }{
		{"Custom-Out", `[]`, "InvalidStream"},
		{"Custom-In", `{"Host":"a"}`, "InvalidRequestPayload"},
		{"Custom-In", ``, "InvalidRequestPayload"},
		{"Custom-In", `[{"Host":`, "InvalidRequestPayload"},
		{"Custom-In", `[1]`, "InvalidRequestPayload"},
		{"Custom-In", "[{\"Host\":\"\xff\"}]", "InvalidRequestPayload"},
		{"Custom-In", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "InvalidRequestPayload"},
	} {
		_, err := in.Post(ctx, PostRequest{Rule: r, Stream: c.stream, Body: []byte(c.body)})
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s %.40q: %v, want %s", c.stream, c.body, err, c.code)
		}
	}
	if _, err := in.Post(ctx, PostRequest{Rule: r, Stream: "Custom-In", Body: []byte(` [] `)}); err != nil {
		t.Errorf("an empty array: %v", err)
	}
}

func TestRulesThatCannotWorkAreRefused(t *testing.T) {
	in := open(t)
	decl := `"streamDeclarations":{"Custom-In":{"columns":[{"name":"A","type":"string"}]}}`
	for text, code := range map[string]string{
		`[`: "InvalidPayload",
		`{"streamDeclarations":{"In":{"columns":[{"name":"A","type":"string"}]}}}`:                                                                   "InvalidStream",
		`{"streamDeclarations":{"Custom-In":{"columns":[{"name":"A","type":"text"}]}}}`:                                                              "InvalidStream",
		`{"streamDeclarations":{"Custom-In":{"columns":[]}}}`:                                                                                        "InvalidStream",
		`{` + decl + `,"dataFlows":[{"streams":["Custom-Other"],"outputStream":"Custom-X_CL"}]}`:                                                     "InvalidStream",
		`{` + decl + `,"dataFlows":[{"streams":["Microsoft-Nope"]}]}`:                                                                                "InvalidStream",
		`{` + decl + `,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-X"}]}`:                                                           "InvalidOutputTable",
		`{` + decl + `,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-a b_CL"}]}`:                                                      "InvalidOutputTable",
		`{` + decl + `,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-X_CL","transformKql":"source | where Nope == 1"}]}`:              "InvalidTransformQuery",
		`{` + decl + `,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-X_CL","transformKql":"SecurityEvent | take 1"}]}`:                "InvalidTransformQuery",
		`{` + decl + `,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-X_CL","transformKql":"source | fork (take 1) (count)"}]}`:        "InvalidTransformQuery",
		`{` + decl + `,"dataFlows":[{"streams":[],"outputStream":"Custom-X_CL"}]}`:                                                                   "InvalidPayload",
		fmt.Sprintf(`{%s,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-X_CL","transformKql":%q}]}`, decl, strings.Repeat("x", 20000)): "InvalidTransformQuery",
	} {
		_, err := in.ParseRule(ctx, []byte(text))
		var e *Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%.140s: %v, want %s", text, err, code)
		}
	}
}

// TestPostWholeAndDecodedAgree sends the same bodies by the engine's reader and by the decoder.
func TestPostWholeAndDecodedAgree(t *testing.T) {
	const decl = `"streamDeclarations":{"Custom-In":{"columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"S","type":"string"},{"name":"I","type":"int"},{"name":"L","type":"long"},{"name":"R","type":"real"},{"name":"B","type":"boolean"},{"name":"D","type":"dynamic"},{"name":"G","type":"guid"}]}}`
	for _, body := range []string{
		`[{"TimeGenerated":"2026-11-24T01:02:03.1234567Z","S":"a","I":1,"L":9007199254740993,"R":1.5,"B":true,"D":{"a":[1,"x"]},"G":"74be27de-1e4e-49d9-b579-fe0b331d3642","Other":{"x":1}}]`,
		`[{"S":null,"I":null},{},{"S":""}]`,
		`[{"S":1,"I":"2","L":"3","R":"4.5","B":"true","D":"text","G":"74be27de1e4e49d9b579fe0b331d3642"}]`,
		`[{"S":{"a":1},"D":[1,2.0,null]},{"S":[true],"D":7},{"S":"ü\n\"x\"","D":"{}"}]`,
		`[{"TimeGenerated":"2026-11-24","R":1e3,"L":-1},{"TimeGenerated":"24.11.2026","S":"bad time"}]`,
		`[{"I":3000000000,"S":"too large"},{"I":1.5,"B":"maybe"}]`,
		`[{"S":"` + strings.Repeat("x", 70_000) + `","L":1}]`,
	} {
		in := open(t)
		whole := parsed(t, in, `{`+decl+`,"dataFlows":[{"streams":["Custom-In"],"outputStream":"Custom-Whole_CL"}]}`)
		rows := parsed(t, in, `{`+decl+`,"dataFlows":[{"streams":["Custom-In"],"transformKql":"source | where true","outputStream":"Custom-Rows_CL"}]}`)
		for _, r := range []*Rule{whole, rows} {
			if _, err := in.Post(ctx, PostRequest{Rule: r, Stream: "Custom-In", Body: []byte(body)}); err != nil {
				t.Fatalf("%.200s: %v", body, err)
			}
		}
		if a, b := show(t, in, "Whole_CL"), show(t, in, "Rows_CL"); a != b {
			t.Errorf("%.200s:\nwhole   %.400s\ndecoded %.400s", body, a, b)
		}
	}
}

func BenchmarkPost(b *testing.B) {
	var body strings.Builder
	body.WriteByte('[')
	for i := range 2000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"TimeGenerated":"2026-11-24T01:02:03.123456Z","Host":"web%d","N":%d,"Raw":{"k":"v%d","message":"%s"}}`, i%7, i, i, strings.Repeat("m", 350))
	}
	body.WriteByte(']')
	for name, transform := range map[string]string{"whole": "source", "transformed": "source | where N >= 0"} {
		b.Run(name, func(b *testing.B) {
			in := open(b)
			r, err := in.ParseRule(ctx, []byte(`{"streamDeclarations":{"Custom-In":{"columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Host","type":"string"},{"name":"N","type":"int"},{"name":"Raw","type":"dynamic"}]}},"dataFlows":[{"streams":["Custom-In"],"transformKql":"`+transform+`","outputStream":"Custom-X_CL"}]}`))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(body.Len()))
			for b.Loop() {
				if _, err := in.Post(ctx, PostRequest{Rule: r, Stream: "Custom-In", Body: []byte(body.String())}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
