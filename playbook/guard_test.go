package playbook

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestInward(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fe80::1", "fd00::1", "0.0.0.0", "::", "100.64.0.1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "168.63.129.16", "64:ff9b::7f00:1", "224.0.0.1", "2002:7f00:1::",
	} {
		if inward(netip.MustParseAddr(s)) == "" {
			t.Errorf("%s counts as public", s)
		}
	}
	for _, s := range []string{"8.8.8.8", "2606:4700::1111", "172.32.0.1"} {
		if k := inward(netip.MustParseAddr(s)); k != "" {
			t.Errorf("%s counts as %s", s, k)
		}
	}
}

func TestGuard(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://mapped.test/", http.StatusFound)
			return
		}
		io.WriteString(w, "inside")
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	_, port, _ := strings.Cut(host, ":")
	get := func(o Outbound, u string) (string, error) {
		t.Helper()
		g, err := newGuard(o, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("GET", u, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, b, err := g.do(req, nil, true)
		return string(b), err
	}
	mapped := map[string]http.Handler{"mapped.test": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "mapped "+r.Host) })}
	for _, c := range []struct {
		o    Outbound
		u    string
		want string // "" refused
	}{
		{Outbound{}, srv.URL, ""},
		{Outbound{Allow: []string{host}}, srv.URL, "inside"},
		{Outbound{Allow: []string{"127.0.0.1"}}, srv.URL, "inside"},
		{Outbound{Allow: []string{"127.0.0.0/8"}}, srv.URL, "inside"},
		{Outbound{Allow: []string{"10.0.0.0/8"}}, srv.URL, ""},
		{Outbound{Allow: []string{"localhost:" + port}}, "http://localhost:" + port, "inside"},
		{Outbound{}, "http://localhost:" + port, ""}, // the name is public, its address isn't
		{Outbound{Allow: []string{"*.example.com"}, Only: true}, srv.URL, ""},
		{Outbound{Hosts: mapped}, "https://MAPPED.test/x", "mapped MAPPED.test"},
		{Outbound{Hosts: mapped, Allow: []string{host}}, srv.URL + "/away", "mapped mapped.test"},
		{Outbound{}, "http://ip-api.com/json/8.8.8.8", ""},
		{Outbound{}, "http://[::ffff:127.0.0.1]:" + port, ""},
		{Outbound{}, "http://2130706433:" + port, ""},
	} {
		got, err := get(c.o, c.u)
		var no *refusal
		if c.want == "" && !errors.As(err, &no) && !strings.Contains(c.u, "2130706433") || c.want == "" && err == nil || got != c.want {
			t.Errorf("%+v %s: got %q %v, want %q", c.o, c.u, got, err, c.want)
		}
	}
	if _, err := newGuard(Outbound{Allow: []string{"http://x/"}}, slog.Default()); err == nil {
		t.Error("a URL is taken as an allow-list entry")
	}
}
