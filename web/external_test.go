package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSignInWithAProvider(t *testing.T) {
	var told []SignIn
	s := newSite(t, func(d *Deps) {
		d.SSO = "Sign in with login.example.org"
		d.SignedIn = func(_ context.Context, e SignIn) { told = append(told, e) }
	})
	ctx := context.Background()
	pw, _, err := s.srv.EnsureOwner(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	var out sessionInfo
	s.want(s.call("GET", "/api/v1/session", nil, &out), 200, "signed out")
	if out.SSO == "" {
		t.Fatal("the sign-in page is not told of the provider")
	}
	in := func(id ExternalUser) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		return w, s.srv.SignInExternal(w, httptest.NewRequest("GET", "/api/v1/oidc/callback", nil), id)
	}
	ada := ExternalUser{Issuer: "https://login.example.org/x", Subject: "1", Name: "ada", Display: "Ada", Role: Reader}
	w, err := in(ada)
	if err != nil || len(w.Result().Cookies()) != 1 {
		t.Fatalf("got %v, %v", w.Result().Cookies(), err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	u, _, err := s.srv.session(r)
	if err != nil || u.Name != "ada" || u.Role != Reader || u.MustChange {
		t.Fatalf("got %+v, %v", u, err)
	}

	ada.Role, ada.Name = Contributor, "renamed at the provider"
	if _, err := in(ada); err != nil {
		t.Fatal(err)
	}
	if u, _, _ := s.srv.Account(ctx, "ada"); u.Role != Contributor {
		t.Fatalf("the role did not follow: %+v", u)
	}

	// The owner of this server is not whoever calls himself admin elsewhere.
	if _, err := in(ExternalUser{Issuer: "https://login.example.org/x", Subject: "2", Name: "Admin", Role: Owner}); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := s.srv.Account(ctx, "Admin (login.example.org)"); !ok {
		t.Fatal("no account of its own was made")
	}
	s.want(s.signIn("admin", pw), 200, "the local admin still signs in")
	s.want(s.call("POST", "/api/v1/accounts/ada/reset", nil, nil), 409, "no password to reset")
	var list struct {
		Value []struct{ Name, Issuer string }
	}
	s.want(s.call("GET", "/api/v1/accounts", nil, &list), 200, "accounts")
	if len(list.Value) != 3 || list.Value[1].Issuer == "" && list.Value[2].Issuer == "" {
		t.Fatalf("got %+v", list)
	}
	s.want(s.call("PATCH", "/api/v1/accounts/ada", map[string]any{"disabled": true}, nil), 200, "disable")
	var e *Error
	if _, err := in(ada); !errors.As(err, &e) || e.Status != http.StatusForbidden {
		t.Fatalf("got %v", err)
	}
	for _, bad := range []ExternalUser{{}, {Issuer: "https://x", Subject: "3", Name: "n", Role: "King"}, {Issuer: "https://x", Subject: "3", Name: "a\nb", Role: Reader}} {
		if _, err := in(bad); !errors.As(err, &e) {
			t.Fatalf("%+v: got %v", bad, err)
		}
	}
	if last := told[len(told)-1]; last.Protocol != "oidc" || last.Err == "" {
		t.Fatalf("got %+v", last)
	}
	jar := s.cli.Jar
	s.cli.Jar = nil
	s.want(s.signIn("ada", externalHash), 401, "a password where there is none")
	s.cli.Jar = jar
}
