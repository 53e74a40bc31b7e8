package connector

import (
	"context"
	"errors"
	"picket/playbook"
	"picket/playbook/expr"
	"testing"
)

func TestDataCollector(t *testing.T) {
	var got struct{ logType, body, field, id string }
	status, fail := 200, error(nil)
	c := All(Deps{Collect: func(_ context.Context, lt string, b []byte, tf, id string) (int, error) {
		got.logType, got.body, got.field, got.id = lt, string(b), tf, id
		return status, fail
	}})[0]
	call := func(body any, headers *expr.Object) (*playbook.Response, error) {
		return c.Call(context.Background(), &playbook.Request{Method: "POST", Path: "/api/logs", Headers: headers, Body: body, ActionRunID: "id-1"})
	}
	h := expr.NewObject("log-type", "T", "time-generated-field", "at")
	for _, body := range []any{`{"a":9007199254740993}`, expr.NewObject("a", int64(9007199254740993))} {
		r, err := call(body, h)
		if err != nil || r.Status != 200 {
			t.Fatal(r, err)
		}
		if got.logType != "T" || got.body != `{"a":9007199254740993}` || got.field != "at" || got.id != "id-1" {
			t.Errorf("got %+v", got)
		}
	}
	for _, b := range []any{nil, "not json", "3"} {
		if r, err := call(b, h); err != nil || r.Status != 400 {
			t.Errorf("%v: %+v %v", b, r, err)
		}
	}
	if r, err := call("{}", nil); err != nil || r.Status != 400 {
		t.Errorf("no Log-Type: %+v %v", r, err)
	}
	status, fail = 503, errors.New("down")
	if _, err := call("{}", h); err == nil {
		t.Error("an outage must be an error, so that it is retried")
	}
	status, fail = 413, errors.New("too large")
	if r, err := call("{}", h); err != nil || r.Status != 413 {
		t.Errorf("%+v %v", r, err)
	}
	if All(Deps{}) != nil {
		t.Error("a connector without what it needs is listed")
	}
}
