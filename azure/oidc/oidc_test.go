package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"picket/azure"
	"picket/azure/oidc"
	"picket/detect"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"picket/state"
	"strings"
	"testing"
	"time"
)

// crowd is one account of the provider.
type crowd struct{ p azure.Person }

func (c *crowd) Person(_ context.Context, id string) (azure.Person, bool, error) {
	return c.p, id == c.p.ID || id == c.p.Name, nil
}

func (c *crowd) People(context.Context) ([]azure.Person, error)    { return []azure.Person{c.p}, nil }
func (c *crowd) SetRole(context.Context, string, azure.Role) error { return nil }

// provider is picket's own issuer, with ann signed in on its page.
func provider(t *testing.T, c *crowd) (*httptest.Server, *azure.API) {
	t.Helper()
	ctx := context.Background()
	db, err := state.Open(ctx, filepath.Join(t.TempDir(), "s.db"), azure.Migrations(), detect.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ask := func(context.Context, query.Request) (*query.Result, error) { return &query.Result{}, nil }
	det, err := detect.New(detect.Deps{
		State: db, Query: ask, Check: func(context.Context, string) (detect.Checked, error) { return detect.Checked{}, nil },
		Append: func(context.Context, string, value.Schema, []map[string]any, string) (lake.Ack, error) {
			return lake.Ack{}, nil
		},
		Barrier: func(context.Context) (time.Time, error) { return time.Now(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	var api *azure.API
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.Handler().ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	api, err = azure.New(ctx, azure.Deps{
		State: db, Detect: det, Query: ask, Collect: func(context.Context, azure.CollectRequest) error { return nil }, PublicURL: srv.URL, People: c,
		Workspace: azure.Workspace{ID: "11111111-1111-1111-1111-111111111111", TenantID: "22222222-2222-2222-2222-222222222222", SubscriptionID: "33333333-3333-3333-3333-333333333333", ResourceGroup: "rg", Name: "ws"},
		Session:   func(*http.Request) (string, azure.Role, bool) { return c.p.Name, c.p.Role, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	return srv, api
}

func TestSignInWithAProvider(t *testing.T) {
	c := &crowd{azure.Person{ID: "aaaaaaaa-0000-4000-8000-000000000001", Name: "ann", DisplayName: "Ann", Email: "ann@example.org", Role: azure.Responder}}
	idp, api := provider(t, c)
	app := httptest.NewUnstartedServer(nil)
	app.StartTLS()
	t.Cleanup(app.Close)
	tok, err := api.Issuer().CreateToken(context.Background(), "t", azure.Owner, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	client := idp.Client()
	call := func(method, path, bearer, body string) string {
		t.Helper()
		r, err := http.NewRequest(method, idp.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= 400 {
			t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, b, err)
		}
		return string(b)
	}
	pick := func(s, from, to string) string {
		_, s, _ = strings.Cut(s, from)
		s, _, _ = strings.Cut(s, to)
		return s
	}
	made := call("POST", "/api/v1/access", tok, fmt.Sprintf(`{"kind":"principal","name":"page","role":"Reader","redirectUris":[%q]}`, app.URL+"/api/v1/oidc/callback"))
	var in []oidc.Identity
	var refuse error
	opts := oidc.Options{
		Issuer: idp.URL + "/adfs", ClientID: pick(made, `"clientId":"`, `"`), ClientSecret: pick(made, `"clientSecret":"`, `"`), RedirectURL: app.URL + "/api/v1/oidc/callback", Client: client,
		SignIn: func(_ http.ResponseWriter, _ *http.Request, id oidc.Identity) error {
			in = append(in, id)
			return refuse
		},
	}
	// sign goes through the whole flow; meddle may change the URL that the provider sends the browser back to.
	sign := func(o oidc.Options, next string, meddle func(*url.URL, http.CookieJar)) (int, string, string) {
		t.Helper()
		l, err := oidc.New(o)
		if err != nil {
			t.Fatal(err)
		}
		app.Config.Handler = l.Handler()
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Transport: client.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		get := func(u string) (int, string, string) {
			resp, err := browser.Get(u)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, resp.Header.Get("Location"), string(b)
		}
		status, to, body := get(app.URL + "/api/v1/oidc/login?next=" + url.QueryEscape(next))
		if status != 302 {
			return status, to, body
		}
		_, _, page := get(to)
		ans := call("POST", "/api/v1/access/consents/"+pick(page, `data-id="`, `"`), "", `{"allow":true}`)
		back, err := url.Parse(strings.ReplaceAll(pick(ans, `"url":"`, `"`), `\u0026`, "&"))
		if err != nil {
			t.Fatal(err)
		}
		if meddle != nil {
			meddle(back, jar)
		}
		return get(back.String())
	}
	status, to, body := sign(opts, "/incidents?x=1", nil)
	if status != 303 || to != "/incidents?x=1" || len(in) != 1 {
		t.Fatalf("%d %s %s", status, to, body)
	}
	want := oidc.Identity{Issuer: idp.URL + "/adfs", Subject: c.p.ID, Name: "ann", Display: "Ann", Email: "ann@example.org", Role: "Responder"}
	if in[0] != want {
		t.Errorf("%+v", in[0])
	}
	for _, evil := range []string{"//evil.example.org", "https://evil.example.org", `/\evil`, ""} {
		if _, to, _ := sign(opts, evil, nil); to != "/" {
			t.Errorf("next %q goes to %q", evil, to)
		}
	}
	mapped := opts
	mapped.Roles = map[string]string{"Responder": "Owner"}
	if status, _, _ := sign(mapped, "/", nil); status != 303 || in[len(in)-1].Role != "Owner" {
		t.Errorf("mapped: %d %+v", status, in[len(in)-1])
	}
	n := len(in)
	mapped.Roles = map[string]string{"nobody": "Owner"}
	if status, _, body := sign(mapped, "/", nil); status != 403 || !strings.Contains(body, "no role in picket") {
		t.Errorf("no role: %d %s", status, body)
	}
	for name, m := range map[string]func(*url.URL, http.CookieJar){
		"another state": func(u *url.URL, _ http.CookieJar) { u.RawQuery = strings.Replace(u.RawQuery, "state=", "state=x", 1) },
		"another code":  func(u *url.URL, _ http.CookieJar) { u.RawQuery = strings.Replace(u.RawQuery, "code=", "code=x", 1) },
		"another browser": func(u *url.URL, j http.CookieJar) {
			j.SetCookies(u, []*http.Cookie{{Name: "__Host-picket_oidc", Value: "AAAA", Path: "/", Secure: true}})
		},
	} {
		if status, _, _ := sign(opts, "/", m); status < 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	late := opts
	at := time.Now()
	late.Now = func() time.Time { return at }
	if status, _, _ := sign(late, "/", func(*url.URL, http.CookieJar) { at = at.Add(time.Hour) }); status != 400 {
		t.Errorf("an hour later: %d", status)
	}
	away := opts
	away.Issuer = idp.URL + "/nowhere"
	if status, _, _ := sign(away, "/", nil); status != 502 {
		t.Errorf("no provider: %d", status)
	}
	if len(in) != n {
		t.Errorf("%d sign-ins that should not be", len(in)-n)
	}
	refuse = errors.New("the account is disabled")
	if status, _, body := sign(opts, "/", nil); status != 403 || !strings.Contains(body, "disabled") {
		t.Errorf("refused: %d %s", status, body)
	}
	for _, o := range []oidc.Options{{}, {Issuer: "http://x", ClientID: "a"}, {Issuer: "https://x", RedirectURL: "https://y/", ClientID: "a", SignIn: opts.SignIn, DefaultRole: "King"}} {
		if _, err := oidc.New(o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
}
