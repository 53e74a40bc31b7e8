// Package oidc signs people in on the page with an OpenID Connect provider: the authorization code flow with state,
// nonce and PKCE. A claim of the provider gives the role.
//
//	l, err := oidc.New(oidc.Options{Issuer: "https://login.example.org", ClientID: id, ClientSecret: secret,
//		RedirectURL: "https://picket.example.org/api/v1/oidc/callback", Roles: map[string]string{"soc": "Responder"}, SignIn: …})
//	mux.Handle("/api/v1/oidc/", l.Handler())
package oidc

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	cookieName = "__Host-picket_oidc"
	stateLife  = 10 * time.Minute
	timeout    = 15 * time.Second // of one call to the provider
	maxCookie  = 4096
	maxRoles   = 1000 // values of the role claim that are looked at
)

// Identity is who the provider says signed in.
type Identity struct {
	Issuer  string
	Subject string // the provider's own id; with Issuer it is stable
	Name    string // of the account
	Display string
	Email   string // "" when the provider says that it is not verified
	Role    string // Reader, Responder, Contributor or Owner
}

// Options configures a login.
type Options struct {
	Issuer       string // https://…, as the provider's discovery document names itself
	ClientID     string
	ClientSecret string // "" for a public client
	RedirectURL  string // https://HOST/api/v1/oidc/callback
	Scopes       []string

	// RoleClaim is the claim that holds roles or groups, a text or a list; dots go into objects
	// ("realm_access.roles"). Default "roles".
	RoleClaim string
	// Roles maps values of the claim to roles; the strongest wins. nil takes the names of the roles themselves.
	Roles map[string]string
	// DefaultRole is for who has none; "" refuses them.
	DefaultRole string
	// NameClaim names the account. Default: preferred_username, else email, else sub.
	NameClaim string

	// SignIn makes the session; its error is shown to the person.
	SignIn func(w http.ResponseWriter, r *http.Request, id Identity) error
	// Failed is told of sign-ins that failed; nil: the log alone.
	Failed func(r *http.Request, why string)

	Client *http.Client // nil: one with a timeout
	Log    *slog.Logger
	Now    func() time.Time
}

// roles are the roles, weakest first.
var roles = []string{"Reader", "Responder", "Contributor", "Owner"}

func strength(r string) int {
	for i, x := range roles {
		if strings.EqualFold(x, r) {
			return i + 1
		}
	}
	return 0
}

// Login is the relying party.
type Login struct {
	o    Options
	seal cipher.AEAD

	mu       sync.Mutex
	provider *gooidc.Provider // nil until discovery succeeded
}

// New checks the options. The provider is asked at the first sign-in, so that picket starts without it.
func New(o Options) (*Login, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" {
		return nil, fmt.Errorf("oidc: issuer %q: give an https URL", o.Issuer)
	}
	if u, err := url.Parse(o.RedirectURL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("oidc: redirect URL %q: give a whole URL", o.RedirectURL)
	}
	switch {
	case o.ClientID == "":
		return nil, errors.New("oidc: the client id is missing")
	case o.SignIn == nil:
		return nil, errors.New("oidc: SignIn is missing")
	case o.DefaultRole != "" && strength(o.DefaultRole) == 0:
		return nil, fmt.Errorf("oidc: default role %q: give Reader, Responder, Contributor or Owner", o.DefaultRole)
	}
	for k, r := range o.Roles {
		if strength(r) == 0 {
			return nil, fmt.Errorf("oidc: role %q of %q: give Reader, Responder, Contributor or Owner", r, k)
		}
	}
	if len(o.Scopes) == 0 {
		o.Scopes = []string{gooidc.ScopeOpenID, "profile", "email"}
	}
	if o.RoleClaim == "" {
		o.RoleClaim = "roles"
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: timeout}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	key := make([]byte, 32) // of this process: a restart ends sign-ins that are under way
	_, _ = rand.Read(key)   // never fails (crypto/rand)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return &Login{o: o, seal: seal}, nil
}

// Handler serves GET /api/v1/oidc/login?next=/path and GET /api/v1/oidc/callback.
func (l *Login) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/oidc/login", l.begin)
	mux.HandleFunc("GET /api/v1/oidc/callback", l.callback)
	return mux
}

func (l *Login) discover(ctx context.Context) (*gooidc.Provider, *oauth2.Config, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.provider == nil {
		// The provider keeps the context for its later key fetches, so it must outlive this request.
		p, err := gooidc.NewProvider(gooidc.ClientContext(context.WithoutCancel(ctx), l.o.Client), l.o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("the provider %s can't be asked: %w", l.o.Issuer, err)
		}
		l.provider = p
	}
	return l.provider, &oauth2.Config{ClientID: l.o.ClientID, ClientSecret: l.o.ClientSecret, Endpoint: l.provider.Endpoint(), RedirectURL: l.o.RedirectURL, Scopes: l.o.Scopes}, nil
}

// trip is what the browser carries, sealed, to the provider and back.
type trip struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"u"`
	Expires  time.Time `json:"e"`
}

func random() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// localPath lets only paths of this server be returned to.
func localPath(s string) string {
	if len(s) > 1000 || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n") {
		return "/"
	}
	return s
}

func (l *Login) begin(w http.ResponseWriter, r *http.Request) {
	_, conf, err := l.discover(r.Context())
	if err != nil {
		l.fail(w, r, http.StatusBadGateway, err)
		return
	}
	t := trip{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), Next: localPath(r.URL.Query().Get("next")), Expires: l.o.Now().Add(stateLife)}
	plain, err := json.Marshal(t)
	if err != nil {
		l.fail(w, r, 500, err)
		return
	}
	iv := make([]byte, l.seal.NonceSize())
	_, _ = rand.Read(iv) // never fails (crypto/rand)
	http.SetCookie(w, l.cookie(base64.RawURLEncoding.EncodeToString(l.seal.Seal(iv, iv, plain, []byte(cookieName))), int(stateLife.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, conf.AuthCodeURL(t.State, gooidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)), http.StatusFound)
}

func (l *Login) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

func (l *Login) open(r *http.Request) (trip, error) {
	var t trip
	c, err := r.Cookie(cookieName)
	if err != nil || len(c.Value) > maxCookie {
		return t, errors.New("this sign-in was not begun in this browser: begin again")
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(raw) < l.seal.NonceSize() {
		return t, errors.New("the sign-in's cookie is broken: begin again")
	}
	plain, err := l.seal.Open(nil, raw[:l.seal.NonceSize()], raw[l.seal.NonceSize():], []byte(cookieName))
	if err != nil {
		return t, errors.New("the sign-in's cookie is not this server's: begin again")
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return t, fmt.Errorf("the sign-in's cookie: %w", err)
	}
	if l.o.Now().After(t.Expires) {
		return t, errors.New("the sign-in took too long: begin again")
	}
	return t, nil
}

func (l *Login) callback(w http.ResponseWriter, r *http.Request) {
	t, err := l.open(r)
	http.SetCookie(w, l.cookie("", -1)) // it serves once
	q := r.URL.Query()
	switch {
	case err != nil:
		l.fail(w, r, 400, err)
		return
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(t.State)) != 1:
		l.fail(w, r, 400, errors.New("the answer belongs to another sign-in: begin again"))
		return
	case q.Get("error") != "":
		l.fail(w, r, 403, fmt.Errorf("the provider refused: %.200s: %.500s", q.Get("error"), q.Get("error_description")))
		return
	}
	id, err := l.identity(r.Context(), q.Get("code"), t)
	if err != nil {
		l.fail(w, r, 403, err)
		return
	}
	if err := l.o.SignIn(w, r, id); err != nil {
		l.fail(w, r, 403, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, t.Next, http.StatusSeeOther)
}

// identity redeems the code and checks the ID token.
func (l *Login) identity(ctx context.Context, code string, t trip) (Identity, error) {
	p, conf, err := l.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(gooidc.ClientContext(ctx, l.o.Client), timeout)
	defer cancel()
	tok, err := conf.Exchange(ctx, code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		return Identity{}, fmt.Errorf("the provider gave no token: %w", err)
	}
	raw, ok := tok.Extra("id_token").(string)
	if !ok {
		return Identity{}, errors.New("the provider gave no ID token: its client needs the scope openid")
	}
	it, err := p.VerifierContext(ctx, &gooidc.Config{ClientID: l.o.ClientID, Now: l.o.Now}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, fmt.Errorf("the provider's ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(it.Nonce), []byte(t.Nonce)) != 1 {
		return Identity{}, errors.New("the provider's ID token belongs to another sign-in: begin again")
	}
	claims := map[string]any{}
	if err := it.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("the provider's ID token: %w", err)
	}
	text := func(k string) string { s, _ := claims[k].(string); return strings.TrimSpace(s) }
	id := Identity{Issuer: it.Issuer, Subject: it.Subject, Display: text("name"), Email: text("email")}
	if v, ok := claims["email_verified"].(bool); ok && !v {
		id.Email = ""
	}
	names := []string{text(l.o.NameClaim)}
	if l.o.NameClaim == "" {
		names = []string{text("preferred_username"), id.Email, it.Subject}
	}
	for _, n := range names {
		if id.Name == "" {
			id.Name = n
		}
	}
	if id.Name == "" || id.Subject == "" {
		return Identity{}, errors.New("the provider's ID token names nobody: set the claim of the name")
	}
	if id.Role = l.role(claims); id.Role == "" {
		return Identity{}, fmt.Errorf("%s has no role in picket: its claim %q holds none that is mapped", id.Name, l.o.RoleClaim)
	}
	return id, nil
}

// role finds the strongest role that the claim gives.
func (l *Login) role(claims map[string]any) string {
	cur := any(claims)
	if v, ok := claims[l.o.RoleClaim]; ok { // a name may hold dots itself, as in https://…/roles
		cur = v
	} else {
		for _, k := range strings.Split(l.o.RoleClaim, ".") {
			m, _ := cur.(map[string]any)
			cur = m[k]
		}
	}
	var values []string
	switch v := cur.(type) {
	case string:
		values = []string{v}
	case []any:
		for _, x := range v[:min(len(v), maxRoles)] {
			if s, ok := x.(string); ok {
				values = append(values, s)
			}
		}
	}
	best := l.o.DefaultRole
	for _, v := range values {
		r := l.o.Roles[v]
		if l.o.Roles == nil {
			r = v
		}
		if strength(r) > strength(best) {
			best = r
		}
	}
	if n := strength(best); n > 0 {
		return roles[n-1]
	}
	return ""
}

// fail shows why on a page of its own; details of the provider go to the log.
func (l *Login) fail(w http.ResponseWriter, r *http.Request, status int, err error) {
	l.o.Log.Warn("sign-in with OpenID Connect failed", "error", err)
	if l.o.Failed != nil {
		l.o.Failed(r, err.Error())
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "Sign-in failed: "+err.Error()+".\n\nGo back to "+originOf(l.o.RedirectURL)+" and try again.", status)
}

func originOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "picket"
	}
	return u.Scheme + "://" + u.Host + "/"
}
