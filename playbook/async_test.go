package playbook

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAsynchronousResponse(t *testing.T) {
	open := make(chan struct{})
	l := newLab(t, func(d *Deps) {
		d.Outbound.Hosts = map[string]http.Handler{"slow.example": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-open })}
	})
	l.define("P", `"Get":{"type":"Http","inputs":{"method":"GET","uri":"https://slow.example"},"runAfter":{}},
		"Response":{"type":"Response","kind":"Http","operationOptions":"Asynchronous","inputs":{"statusCode":201,"headers":{"X-A":"b"},"body":{"done":true}},"runAfter":{"Get":["Succeeded"]}}`)
	cb, err := l.CallbackURL(context.Background(), "P", "manual", CallbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, url string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		l.InvokeHandler().ServeHTTP(rec, httptest.NewRequest(method, url, nil))
		return rec
	}
	rec := ask("POST", cb.Value)
	loc := rec.Header().Get("Location")
	if rec.Code != 202 || loc == "" {
		t.Fatal(rec.Code, loc)
	}
	if rec := ask("GET", loc); rec.Code != 202 || rec.Header().Get("Location") != loc || rec.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", rec.Code, rec.Header())
	}
	if rec := ask("GET", strings.Replace(loc, "sig=", "sig=x", 1)); rec.Code != 401 {
		t.Errorf("a wrong signature gives %d", rec.Code)
	}
	close(open)
	for range 300 {
		if rec = ask("GET", loc); rec.Code != 202 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if rec.Code != 201 || rec.Header().Get("X-A") != "b" || strings.TrimSpace(rec.Body.String()) != `{"done":true}` {
		t.Errorf("%d %s %s", rec.Code, rec.Header(), rec.Body)
	}
}
