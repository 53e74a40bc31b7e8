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
