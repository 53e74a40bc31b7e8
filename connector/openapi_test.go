package connector

import (
	"context"
	"io"
	"net/http"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
	"testing"
)

const described = `{"swagger":"2.0","info":{"title":"T"},"host":"api.example.org","basePath":"/v2","schemes":["https"],
"paths":{"/{connectionId}/things/{id}":{"get":{"summary":"Get"},"post":{"summary":"Put"}}},
"securityDefinitions":{"key":{"type":"apiKey","in":"header","name":"X-Key"}}}`

func TestDescribedConnector(t *testing.T) {
	d, err := ParseDescription("things", []byte(described))
	if err != nil {
		t.Fatal(err)
	}
	var got *http.Request
	var sent string
	c := All(Deps{Described: []*Description{d}, Secret: testSecrets(map[string]string{}), Send: func(r *http.Request) (*http.Response, []byte, error) {
		b, _ := io.ReadAll(r.Body)
		got, sent = r, string(b)
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}}, []byte(`{"big":9007199254740993}`), nil
	}})
	x := c[len(c)-1]
	if x.API() != "things" {
		t.Fatal(x.API())
	}
	for _, o := range x.Operations() {
		if o.Path != "/things/{id}" {
			t.Errorf("operation %+v", o)
		}
	}
	r, err := x.Call(context.Background(), &playbook.Request{Method: "POST", Path: "/things/a%2Fb", Parameters: expr.NewObject("api_key", "k1"), Queries: expr.NewObject("q", "x y"), Body: expr.NewObject("a", int64(1)), ActionRunID: "id-1"})
	if err != nil || r.Status != 200 || expr.JSON(r.Body) != `{"big":9007199254740993}` || got.URL.String() != "https://api.example.org/v2/things/a%2Fb?q=x+y" || got.Header.Get("X-Key") != "k1" || sent != `{"a":1}` {
		t.Errorf("%+v %v %s %s", r, err, got.URL, sent)
	}
	got = nil
	if r, err := x.Call(context.Background(), &playbook.Request{Method: "GET", Path: "/things/1"}); err != nil || r.Status != 401 || got != nil {
		t.Errorf("without a key: %+v %v", r, err)
	}
	if r, err := x.Call(context.Background(), &playbook.Request{Method: "GET", Path: "/things/../../admin", Parameters: expr.NewObject("api_key", "k1")}); err != nil || r.Status != 400 || got != nil {
		t.Errorf("a path that climbs: %+v %v", r, err)
	}
	for _, bad := range []string{"", "{", `{"swagger":"2.0"}`, `{"openapi":"3.0.0","servers":[{"url":"/here"}],"paths":{"/x":{"get":{}}}}`, strings.Replace(described, `"apiKey"`, `"oauth2"`, 1)} {
		if _, err := ParseDescription("x", []byte(bad)); err == nil {
			t.Errorf("%.60s passes", bad)
		}
	}
}

func TestShippedDescriptions(t *testing.T) {
	list, err := ShippedDescriptions()
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	if len(Catalog()) < len(list)+5 {
		t.Errorf("the catalogue has %d connectors", len(Catalog()))
	}
}

// A description whose server has a variable, and operations that go elsewhere.
func TestDescribedVariables(t *testing.T) {
	var got *http.Request
	d := Deps{Secret: testSecrets(map[string]string{"n-instance": "https://from-vault.example/", "n-token": "t"}), Send: func(r *http.Request) (*http.Response, []byte, error) {
		got = r
		return &http.Response{StatusCode: 200, Header: http.Header{}}, nil, nil
	}}
	x, err := ParseDescription("n", []byte(`{"openapi":"3.0.0","x-picket-queries":["x-ms-api-version to api-version","fixed=1"],"servers":[{"url":"https://{instance}/api"}],
		"components":{"securitySchemes":{"b":{"type":"http","scheme":"bearer"}}},"paths":{"/things/v2/{id}":{"get":{"x-picket-path":"/t/{id}/x"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	d.Described = []*Description{x}
	c := All(d)[len(All(d))-1]
	call := func(instance string) int {
		t.Helper()
		got = nil
		r, err := c.Call(context.Background(), &playbook.Request{Method: "GET", Path: "/things/v2/a%2Fb", Parameters: expr.NewObject("instance", instance), Queries: expr.NewObject("X-ms-api-version", "2020")})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	if st := call("dev1.example"); st != 200 || got.URL.String() != "https://dev1.example/api/t/a%2Fb/x?api-version=2020&fixed=1" {
		t.Errorf("%d %v", st, got.URL)
	}
	if st := call(""); st != 200 || got.URL.Host != "from-vault.example" {
		t.Errorf("%d %v", st, got.URL)
	}
	if st := call("a@evil.example/"); st != 401 || got != nil {
		t.Errorf("%d %v", st, got)
	}
}

// A template brings its own connector: it is used by its name, with paths that have the base path or not.
func TestCustomConnector(t *testing.T) {
	var got *http.Request
	make := Custom(Deps{Send: func(r *http.Request) (*http.Response, []byte, error) {
		got = r
		return &http.Response{StatusCode: 200, Header: http.Header{}}, nil, nil
	}})
	c, err := make("mine", []byte(described), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/things/1", "/v2/things/1"} {
		if r, err := c.Call(context.Background(), &playbook.Request{Method: "GET", Path: p, Parameters: expr.NewObject("api_key", "k")}); err != nil || r.Status != 200 || got.URL.String() != "https://api.example.org/v2/things/1" {
			t.Errorf("%s: %v %v", p, got.URL, err)
		}
	}
	if c, err = make("mine", []byte(described), "https://own.example/base"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(context.Background(), &playbook.Request{Method: "GET", Path: "/things/1", Parameters: expr.NewObject("api_key", "k")}); err != nil || got.URL.String() != "https://own.example/base/things/1" {
		t.Errorf("%v %v", got.URL, err)
	}
	if Custom(Deps{}) != nil {
		t.Error("without a way out there are no connectors of templates")
	}
}

// Query parameters that belong into the body go there.
func TestDescribedBody(t *testing.T) {
	list, err := ShippedDescriptions()
	if err != nil {
		t.Fatal(err)
	}
	var sent, at string
	d := Deps{Described: list, Secret: testSecrets(map[string]string{"jira-instance": "acme.example", "jira-username": "u", "jira-password": "p"}), Send: func(r *http.Request) (*http.Response, []byte, error) {
		b, _ := io.ReadAll(r.Body)
		sent, at = string(b), r.URL.String()
		return &http.Response{StatusCode: 201, Header: http.Header{}}, nil, nil
	}}
	for _, c := range All(d) {
		if c.API() != "jira" {
			continue
		}
		in := expr.NewObject("fields", expr.NewObject("summary", "s"))
		if _, err := c.Call(context.Background(), &playbook.Request{Method: "POST", Path: "/issue", Queries: expr.NewObject("projectKey", "SOC", "x", "1"), Body: in}); err != nil {
			t.Fatal(err)
		}
		if sent != `{"fields":{"summary":"s","project":{"key":"SOC"}}}` || at != "https://acme.example/rest/api/2/issue?x=1" || expr.JSON(in) != `{"fields":{"summary":"s"}}` {
			t.Errorf("%s %s %s", at, sent, expr.JSON(in))
		}
		return
	}
	t.Error("there is no jira")
}
