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
