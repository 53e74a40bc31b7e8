package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"picket/state"
	"slices"
	"strings"
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// site is a server on loopback with its client's cookies and CSRF value.
type site struct {
	t    *testing.T
	srv  *Server
	http *httptest.Server
	cli  *http.Client
	csrf string
	clk  *clock
}

func newSite(t *testing.T, change func(*Deps)) *site {
	t.Helper()
	db, err := state.Open(context.Background(), filepath.Join(t.TempDir(), "state.db"), Migrations())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clk := &clock{time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	d := Deps{State: db, Now: clk.now, Log: slog.New(slog.DiscardHandler), AllowHTTP: true}
	if change != nil {
		change(&d)
	}
	srv, err := New(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(srv)
	t.Cleanup(h.Close)
	jar, _ := cookiejar.New(nil)
	return &site{t: t, srv: srv, http: h, cli: &http.Client{Jar: jar}, clk: clk}
}

// call sends body as JSON and decodes the answer into out when it is not nil.
func (s *site) call(method, path string, body, out any) int {
	s.t.Helper()
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		rd = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.http.URL+path, rd)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if s.csrf != "" {
		req.Header.Set(CSRFHeader, s.csrf)
	}
	res, err := s.cli.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if out != nil {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			s.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return res.StatusCode
}

func (s *site) signIn(name, password string) int {
	s.t.Helper()
	var in sessionInfo
	code := s.call("POST", "/api/v1/session", map[string]string{"name": name, "password": password}, &in)
	s.csrf = in.CSRF
	return code
}

func (s *site) want(got, want int, what string) {
	s.t.Helper()
	if got != want {
		s.t.Fatalf("%s: got %d, want %d", what, got, want)
	}
}

func TestFirstStartAndSession(t *testing.T) {
	s := newSite(t, nil)
	ctx := context.Background()
	pw, created, err := s.srv.EnsureOwner(ctx, true)
	if err != nil || !created || len(pw) != 24 {
		t.Fatalf("got %q, %v, %v", pw, created, err)
	}
	if again, created, err := s.srv.EnsureOwner(ctx, true); err != nil || created || again != "" {
		t.Fatalf("second start: got %q, %v, %v", again, created, err)
	}
	s.want(s.call("GET", "/api/v1/geo", nil, nil), 401, "signed out")
	s.want(s.signIn("admin", "wrong password"), 401, "wrong password")
	s.want(s.signIn("Admin", pw), 200, "sign in")
	s.want(s.call("GET", "/api/v1/geo", nil, nil), 403, "before the password change")
	s.want(s.call("POST", "/api/v1/password", map[string]string{"current": pw, "new": "short"}, nil), 400, "short password")
	s.want(s.call("POST", "/api/v1/password", map[string]string{"current": "no", "new": "a longer password"}, nil), 400, "wrong current")
	s.want(s.call("POST", "/api/v1/password", map[string]string{"current": pw, "new": "a longer password"}, nil), 200, "change")
	s.want(s.call("GET", "/api/v1/geo", nil, nil), 501, "after the change")

	csrf := s.csrf
	s.csrf = "other"
	s.want(s.call("POST", "/api/v1/rules/import", map[string]string{}, nil), 403, "wrong CSRF value")
	s.csrf = csrf
	s.want(s.call("POST", "/api/v1/rules/import", map[string]string{}, nil), 501, "right CSRF value")

	s.clk.at = s.clk.at.Add(sessionIdle - time.Minute)
	s.want(s.call("GET", "/api/v1/sessions", nil, nil), 200, "before idle end")
	s.clk.at = s.clk.at.Add(sessionIdle - time.Minute)
	s.want(s.call("GET", "/api/v1/sessions", nil, nil), 200, "kept alive")
	s.clk.at = s.clk.at.Add(sessionIdle + time.Minute)
	s.want(s.call("GET", "/api/v1/sessions", nil, nil), 401, "idle")

	s.want(s.signIn("admin", "a longer password"), 200, "sign in again")
	for i := 0; i < int(sessionLife/(7*time.Hour)); i++ {
		s.clk.at = s.clk.at.Add(7 * time.Hour)
		s.call("GET", "/api/v1/sessions", nil, nil)
	}
	s.clk.at = s.clk.at.Add(sessionLife % (7 * time.Hour)).Add(time.Minute)
	s.want(s.call("GET", "/api/v1/sessions", nil, nil), 401, "absolute end")

	s.want(s.signIn("admin", "a longer password"), 200, "sign in again")
	s.want(s.call("DELETE", "/api/v1/session", nil, nil), 204, "sign out")
	s.want(s.call("GET", "/api/v1/sessions", nil, nil), 401, "after sign-out")
}

func TestSignInIsThrottled(t *testing.T) {
	s := newSite(t, nil)
	pw, _, err := s.srv.EnsureOwner(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	for range freePair {
		s.want(s.signIn("admin", "wrong"), 401, "free try")
	}
	s.want(s.signIn("admin", pw), 429, "right password while the door is closed")
	s.clk.at = s.clk.at.Add(firstWait + time.Millisecond)
	s.want(s.signIn("admin", "wrong"), 401, "after the wait")
	s.clk.at = s.clk.at.Add(firstWait + time.Millisecond)
	s.want(s.signIn("admin", pw), 429, "the wait doubles")
	s.clk.at = s.clk.at.Add(firstWait)
	s.want(s.signIn("admin", pw), 200, "right password after the wait")
	s.want(s.signIn("admin", pw), 200, "the pair is forgiven")
}

func TestAccountsAndRoles(t *testing.T) {
	var told []string
	s := newSite(t, func(d *Deps) {
		d.SignedIn = func(_ context.Context, e SignIn) { told = append(told, "sign-in "+e.User.Name+" "+e.Err) }
		d.AccountChanged = func(_ context.Context, c AccountChange) { told = append(told, c.By.Name+" "+c.Action+" "+c.User.Name) }
	})
	pw, _, err := s.srv.EnsureOwner(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")
	var made struct {
		Account  User
		Password string
	}
	s.want(s.call("POST", "/api/v1/accounts", map[string]string{"name": "ria", "role": "Reader"}, &made), 201, "create")
	s.want(s.call("POST", "/api/v1/accounts", map[string]string{"name": "RIA", "role": "Reader"}, nil), 409, "same name")
	s.want(s.call("POST", "/api/v1/accounts", map[string]string{"name": "x", "role": "King"}, nil), 400, "unknown role")
	s.want(s.call("PATCH", "/api/v1/accounts/admin", map[string]any{"role": "Reader"}, nil), 400, "own ownership")
	owner := s.csrf
	ownerJar := s.cli.Jar

	s.cli.Jar, _ = cookiejar.New(nil)
	s.want(s.signIn("ria", made.Password), 200, "the reader signs in")
	s.want(s.call("POST", "/api/v1/password", map[string]string{"current": made.Password, "new": "my own password"}, nil), 200, "change")
	s.want(s.call("GET", "/api/v1/accounts", nil, nil), 403, "a reader reads accounts")
	s.want(s.call("POST", "/api/v1/rules/import", nil, nil), 403, "a reader imports a rule")
	readerJar, reader := s.cli.Jar, s.csrf

	s.cli.Jar, s.csrf = ownerJar, owner
	s.want(s.call("PATCH", "/api/v1/accounts/ria", map[string]any{"disabled": true}, nil), 200, "disable")
	s.cli.Jar, s.csrf = readerJar, reader
	s.want(s.call("GET", "/api/v1/sessions", nil, nil), 401, "disabled")
	s.want(s.signIn("ria", "my own password"), 401, "disabled sign-in")
	s.want(s.signIn("nobody-at-all", "my own password"), 401, "unknown name")

	s.cli.Jar, s.csrf = ownerJar, owner
	s.want(s.call("DELETE", "/api/v1/accounts/admin", nil, nil), 400, "own account")
	s.want(s.call("DELETE", "/api/v1/accounts/ria", nil, nil), 204, "delete")
	s.want(s.call("DELETE", "/api/v1/accounts/ria", nil, nil), 404, "delete again")
	want := []string{
		"sign-in admin ", "admin Add user ria", "sign-in ria ", "ria Change user password ria", "admin Update user ria",
		"sign-in ria InvalidCredentials: The name or the password is wrong.", "sign-in unknown InvalidCredentials: The name or the password is wrong.", "admin Delete user ria",
	}
	if !slices.Equal(told, want) {
		t.Fatalf("got %q", told)
	}
}

func TestTheLastOwnerStays(t *testing.T) {
	s := newSite(t, nil)
	ctx := context.Background()
	if _, _, err := s.srv.EnsureOwner(ctx, false); err != nil {
		t.Fatal(err)
	}
	admin, ok, err := s.srv.Account(ctx, "ADMIN")
	if err != nil || !ok {
		t.Fatalf("got %v, %v", ok, err)
	}
	var e *Error
	if err := s.srv.SetAccountRole(ctx, admin.ID, Reader); !errors.As(err, &e) || e.Code != "LastOwner" {
		t.Fatalf("got %v", err)
	}
	if err := s.srv.SetAccountRole(ctx, admin.ID, ""); !errors.As(err, &e) || e.Code != "LastOwner" {
		t.Fatalf("got %v", err)
	}
	two, err := s.srv.CreateAccount(ctx, "two", "", Owner, "a long password here", false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.srv.SetAccountRole(ctx, admin.ID, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.srv.SetAccountRole(ctx, two.ID, Contributor); !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	all, err := s.srv.Accounts(ctx)
	if err != nil || len(all) != 2 || !all[0].Disabled || all[1].Role != Owner {
		t.Fatalf("got %+v, %v", all, err)
	}
	if _, ok, err := s.srv.Account(ctx, "nobody"); ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
}

func TestOtherRoomsTakeTheCookie(t *testing.T) {
	s := newSite(t, nil)
	pw, _, err := s.srv.EnsureOwner(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")
	room := httptest.NewServer(nil)
	defer room.Close()
	room.Config.Handler = s.srv.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, ok := SessionUser(r); ok {
			io.WriteString(w, u.Name+" "+u.Role)
			return
		}
		io.WriteString(w, "nobody")
	}))
	cookie := ""
	for _, c := range s.cli.Jar.Cookies(mustURL(t, s.http.URL)) {
		cookie = c.Name + "=" + c.Value
	}
	f := func(method string, headers map[string]string, code int, body string) {
		t.Helper()
		req, _ := http.NewRequest(method, room.URL, nil)
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != code || !strings.Contains(string(b), body) {
			t.Fatalf("got %d %s, want %d %s", res.StatusCode, b, code, body)
		}
	}
	f("GET", nil, 200, "nobody")
	f("GET", map[string]string{"Cookie": cookie}, 200, "admin Owner")
	f("GET", map[string]string{"Cookie": cookie, "Authorization": "Bearer x"}, 200, "nobody")
	f("POST", map[string]string{"Cookie": cookie}, 403, "InvalidCSRFToken")
	f("POST", map[string]string{"Cookie": cookie, CSRFHeader: s.csrf}, 200, "admin Owner")
	f("POST", map[string]string{"Cookie": cookie, CSRFHeader: s.csrf, "Origin": "https://elsewhere.example"}, 403, "CrossOriginRefused")
	f("POST", map[string]string{"Cookie": cookie, CSRFHeader: s.csrf, "Sec-Fetch-Site": "cross-site"}, 403, "CrossOriginRefused")
}
