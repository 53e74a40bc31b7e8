package azure

import (
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	deviceInterval = 5 * time.Second
	userAlphabet   = "BCDFGHJKLMNPQRSTVWXZ" // no vowels, nothing that looks alike
	userCodeLen    = 8
)

func newUserCode() string {
	b := make([]byte, userCodeLen)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(userAlphabet))))
		if err != nil {
			panic("BUG: crypto/rand never fails")
		}
		b[i] = userAlphabet[n.Int64()]
	}
	return string(b)
}

// cleanUserCode takes a code as people type it.
func cleanUserCode(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, strings.ToUpper(cut(s, 64)))
}

// device answers POST /{tenant}/oauth2/v2.0/devicecode: a code for the tool and one for the person.
func (is *Issuer) device(w http.ResponseWriter, r *http.Request) {
	t, ok := is.tenant(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		is.oauthError(w, 400, "invalid_request", "The request body could not be read as a form.", 900144)
		return
	}
	if is.people == nil {
		is.oauthError(w, 400, "unauthorized_client", "This server has no accounts of people: use client credentials.", 7000218)
		return
	}
	id := r.Form.Get("client_id")
	name, _, _, err := is.client(r.Context(), id)
	if err != nil {
		is.oauthError(w, 400, "unauthorized_client", fmt.Sprintf("Application with identifier '%s' was not found in the directory.", cut(id, 100)), 700016)
		return
	}
	scope, resource := r.Form.Get("scope"), r.Form.Get("resource")
	if aud := audienceOf(resource, scope); aud != "" && !is.audience(aud, is.base(r)) {
		is.oauthError(w, 400, "invalid_resource", fmt.Sprintf("The resource principal named %q was not found in this tenant.", cut(aud, 200)), 500011)
		return
	}
	code := randomSecret()
	now := is.now()
	a := &ask{
		id: hashSecret(code), userCode: newUserCode(), clientID: strings.ToLower(id), appName: name, scope: scope, resource: resource, tenant: t, ip: is.ip(r),
		created: now, expires: now.Add(askLife), interval: deviceInterval,
	}
	if e := is.asks.put(a); e != nil {
		w.Header().Set("Retry-After", "60")
		is.oauthError(w, 429, e.Code, e.Message, 90055)
		return
	}
	verify := is.base(r) + "/device"
	shown := a.userCode[:4] + "-" + a.userCode[4:]
	writeJSON(w, 200, map[string]any{
		"user_code": shown, "device_code": code, "verification_uri": verify, "verification_url": verify, "verification_uri_complete": verify + "?code=" + shown,
		"expires_in": int(askLife.Seconds()), "interval": int(deviceInterval.Seconds()),
		"message": fmt.Sprintf("To sign in, use a web browser to open the page %s and enter the code %s to authenticate.", verify, shown),
	})
}

// pollDevice gives the grant of a device code, or answers why there is none yet.
func (is *Issuer) pollDevice(w http.ResponseWriter, code, client string) *ask {
	fail := func(code, desc string, aad int) *ask {
		is.oauthError(w, 400, code, desc, aad)
		return nil
	}
	is.asks.mu.Lock()
	defer is.asks.mu.Unlock()
	k := hashSecret(code)
	a := is.asks.byID[k]
	now := is.now()
	switch {
	case a == nil || a.userCode == "":
		return fail("bad_verification_code", "The device code is not known here, or was used already.", 70019)
	case !strings.EqualFold(a.clientID, client):
		return fail("invalid_grant", "The device code belongs to another application.", 700005)
	case a.denied:
		delete(is.asks.byID, k)
		return fail("authorization_declined", "The person declined to sign in.", 70016)
	case now.After(a.expires):
		return fail("expired_token", "The device code has expired: begin again.", 70020)
	case a.granted != nil:
		delete(is.asks.byID, k)
		return a
	}
	early := !a.polled.IsZero() && now.Sub(a.polled) < a.interval-time.Second
	a.polled = now
	if early {
		a.interval += deviceInterval
		return fail("slow_down", fmt.Sprintf("The tool asks too often: wait %d seconds between two questions.", int(a.interval.Seconds())), 70016)
	}
	return fail("authorization_pending", "The person has not signed in yet.", 70016)
}

// authorize answers GET /{tenant}/oauth2/v2.0/authorize with the page that asks the person.
func (is *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	t, ok := is.tenant(w, r)
	if !ok {
		return
	}
	bad := func(f string, v ...any) { // never to the redirect: it may not be trusted
		writeError(w, &Error{Status: 400, Code: "invalid_request", Message: fmt.Sprintf(f, v...)})
	}
	q := r.URL.Query()
	if is.people == nil {
		bad("This server has no accounts of people.")
		return
	}
	name, public, uris, err := is.client(r.Context(), q.Get("client_id"))
	if err != nil {
		bad("The application with the identifier '%s' is not known here.", cut(q.Get("client_id"), 100))
		return
	}
	redirect := q.Get("redirect_uri")
	if !redirectOK(redirect, public, uris) {
		bad("The redirect_uri '%s' is not registered for %s: add it with the principal's redirects.", cut(redirect, 200), name)
		return
	}
	back := func(code, desc string) {
		u, err := url.Parse(redirect)
		if err != nil {
			bad("%s", desc)
			return
		}
		v := u.Query()
		v.Set("error", code)
		v.Set("error_description", desc)
		if s := q.Get("state"); s != "" {
			v.Set("state", s)
		}
		u.RawQuery = v.Encode()
		http.Redirect(w, r, u.String(), http.StatusFound)
	}
	mode := orDefault(q.Get("response_mode"), "query")
	aud := audienceOf(q.Get("resource"), q.Get("scope"))
	switch {
	case q.Get("response_type") != "code":
		back("unsupported_response_type", "picket answers response_type=code alone.")
		return
	case mode != "query" && mode != "form_post":
		back("invalid_request", "picket answers response_mode query and form_post.")
		return
	case q.Get("code_challenge") == "" && public:
		back("invalid_request", "A public client needs PKCE: send code_challenge.")
		return
	case q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256":
		back("invalid_request", "The code_challenge_method must be S256.")
		return
	case aud != "" && !is.audience(aud, is.base(r)):
		back("invalid_resource", "The resource "+cut(aud, 200)+" is not served here.")
		return
	case q.Get("prompt") == "none":
		back("interaction_required", "A person has to agree.")
		return
	}
	now := is.now()
	a := &ask{
		id: uuid.NewString(), clientID: strings.ToLower(q.Get("client_id")), appName: name, scope: cut(q.Get("scope"), 2000), resource: q.Get("resource"), tenant: t, ip: is.ip(r), created: now, expires: now.Add(askLife),
		redirect: redirect, state: q.Get("state"), mode: mode, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"),
	}
	if e := is.asks.put(a); e != nil {
		back("temporarily_unavailable", e.Message)
		return
	}
	form := ""
	if u, err := url.Parse(redirect); err == nil {
		form = u.Scheme + "://" + u.Host
	}
	is.page(w, form, map[string]string{"Kind": "authorize", "ID": a.id, "App": name, "Where": redirect})
}

//go:embed pages/device.html
var devicePage string

var deviceTemplate = template.Must(template.New("device").Parse(devicePage))

// page writes the page on which a person agrees; formTo is where its form may post besides.
func (is *Issuer) page(w http.ResponseWriter, formTo string, data map[string]string) {
	nonce := base64.StdEncoding.EncodeToString([]byte(randomSecret()[:16]))
	data["Nonce"] = nonce
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; connect-src 'self'; form-action 'self' "+formTo+"; base-uri 'none'; frame-ancestors 'none'")
	_ = deviceTemplate.Execute(w, data) // a failed write means that the client has gone
}

// DevicePage serves /device, where a person types the code that a tool shows.
func (a *API) DevicePage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := cleanUserCode(r.URL.Query().Get("code"))
		a.issuer.page(w, "", map[string]string{"Kind": "device", "Code": code})
	})
}

// signedInPerson is the account of the page's session; a bearer is none, so that a tool never agrees for itself.
func (a *API) signedInPerson(r *http.Request) (Person, *Error) {
	if a.d.People == nil {
		return Person{}, &Error{Status: 501, Code: "NotImplemented", Message: "This server has no accounts of people."}
	}
	if a.d.Session == nil || r.Header.Get("Authorization") != "" {
		return Person{}, &Error{Status: 401, Code: "SignInRequired", Message: "Sign in on the page first."}
	}
	name, _, ok := a.d.Session(r)
	if !ok {
		return Person{}, &Error{Status: 401, Code: "SignInRequired", Message: "Sign in on the page first."}
	}
	p, err := a.issuer.person(r.Context(), name)
	var ae *Error
	switch {
	case errors.As(err, &ae):
		return Person{}, &Error{Status: 403, Code: "AccountDisabled", Message: "The account '" + name + "' can't sign in to tools: it does not exist or is disabled."}
	case err != nil:
		return Person{}, &Error{Status: 500, Code: "InternalServerError", Message: err.Error()}
	}
	return p, nil
}

// askOf finds the sign-in that a person looks at, by user code or by the id of a browser's request.
func (a *API) askOf(w http.ResponseWriter, r *http.Request) (*ask, Person, bool) {
	p, e := a.signedInPerson(r)
	if e != nil {
		writeError(w, e)
		return nil, p, false
	}
	s := a.issuer.asks
	who := p.ID + " " + a.callerOf(r).ip
	if s.blocked(who) {
		w.Header().Set("Retry-After", fmt.Sprint(int(wrongBlock.Seconds())))
		writeError(w, &Error{Status: 429, Code: "TooManyAttempts", Message: "Too many wrong codes: wait 5 minutes."})
		return nil, p, false
	}
	key := r.PathValue("code")
	s.mu.Lock()
	found := s.users[cleanUserCode(key)]
	if found == nil {
		if x := s.byID[key]; x != nil && x.userCode == "" {
			found = x
		}
	}
	if found != nil && (s.now().After(found.expires) || found.granted != nil || found.denied) {
		found = nil
	}
	s.mu.Unlock()
	if found == nil {
		s.guess(who)
		writeError(w, &Error{Status: 404, Code: "NotFound", Message: "No tool waits with this code: it is mistyped, was used already or has expired."})
		return nil, p, false
	}
	return found, p, true
}

func (a *API) getAsk(w http.ResponseWriter, r *http.Request) {
	if x, p, ok := a.askOf(w, r); ok {
		writeJSON(w, 200, map[string]any{"app": x.appName, "clientId": x.clientID, "ip": x.ip, "created": x.created.UTC(), "expires": x.expires.UTC(), "redirect": x.redirect, "user": p.Name, "role": p.Role})
	}
}

// answerAsk takes {"allow": true|false} of the person.
func (a *API) answerAsk(w http.ResponseWriter, r *http.Request) {
	x, p, ok := a.askOf(w, r)
	if !ok {
		return
	}
	var in struct {
		Allow bool `json:"allow"`
	}
	if e := decode(w, r, maxForm, &in); e != nil {
		writeError(w, e)
		return
	}
	is := a.issuer
	out := map[string]any{"allowed": in.Allow}
	s := is.asks
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.granted != nil || x.denied {
		writeError(w, &Error{Status: 409, Code: "Conflict", Message: "This sign-in was answered already."})
		return
	}
	if in.Allow {
		x.granted = &p
	} else {
		x.denied = true
		a.AuditSignIn(SignIn{UserID: p.ID, UserName: p.Name, DisplayName: p.DisplayName, App: x.appName, AppID: x.clientID, Protocol: "deviceCode", IP: a.callerOf(r).ip, Err: "The person declined.", Interactive: true})
	}
	delete(s.users, x.userCode)
	if x.userCode == "" {
		delete(s.byID, x.id)
		fields := map[string]string{}
		if in.Allow {
			code := randomSecret()
			x.expires = is.now().Add(codeLife)
			s.codes[hashSecret(code)] = x
			fields["code"] = code
		} else {
			fields["error"], fields["error_description"] = "access_denied", "The person declined."
		}
		if x.state != "" {
			fields["state"] = x.state
		}
		if x.mode == "form_post" {
			out["url"], out["fields"] = x.redirect, fields
		} else if u, err := url.Parse(x.redirect); err == nil {
			v := u.Query()
			for k, val := range fields {
				v.Set(k, val)
			}
			u.RawQuery = v.Encode()
			out["url"] = u.String()
		}
	}
	writeJSON(w, 200, out)
}
