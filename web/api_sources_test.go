package web

import (
	"context"
	"testing"
)

func TestSources(t *testing.T) {
	s := newSite(t, func(d *Deps) {
		at := d.Now()
		d.Senders = func(context.Context) ([]Sender, error) {
			return []Sender{{Protocol: "syslog-tcp", Address: "192.0.2.7", First: at, Last: at, Rows: 3}}, nil
		}
		d.Endpoints = func(context.Context) (Endpoints, error) {
			return Endpoints{URL: "https://picket.example:8443", Syslog: "192.0.2.1:514"}, nil
		}
	})
	pw, _, err := s.srv.EnsureOwner(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.call("GET", "/api/v1/sources", nil, nil), 401, "signed out")
	s.want(s.signIn("admin", pw), 200, "sign in")
	var list struct{ Value []Sender }
	s.want(s.call("GET", "/api/v1/sources", nil, &list), 200, "list")
	if len(list.Value) != 1 || list.Value[0].Tables == nil || list.Value[0].Address != "192.0.2.7" {
		t.Fatalf("got %+v", list)
	}
	var e Endpoints
	s.want(s.call("GET", "/api/v1/endpoints", nil, &e), 200, "endpoints")
	if e.Syslog != "192.0.2.1:514" {
		t.Fatalf("got %+v", e)
	}
}
