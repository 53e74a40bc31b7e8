package azure

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"picket/state"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// People sign in to tools as they do to Azure: with a code on another device (`az login --use-device-code`) or in
// the browser (`az login`, Kusto's tools, any OpenID Connect client that is registered here). Both end with a
// refresh token and access tokens whose role is the account's own, looked up at every request.

// Person is an account of the page.
type Person struct {
	ID          string // GUID
	Name        string // signs in with it
	DisplayName string
	Email       string
	Role        Role
	Disabled    bool
}

// People are the page's accounts as the wire sees them. A person that is not there gives ok false.
type People interface {
	// Person finds an account by its id or its name.
	Person(ctx context.Context, idOrName string) (p Person, ok bool, err error)
	// People lists all accounts.
	People(ctx context.Context) ([]Person, error)
	// SetRole changes an account's role; Role "" disables the account.
	SetRole(ctx context.Context, id string, role Role) error
}

// publicClients are Microsoft's own tools: they have no secret, and send people back to loopback addresses only.
var publicClients = map[string]string{
	"04b07795-8ddb-461a-bbee-02f9e1bf7b46": "Azure CLI",
	"1950a258-227b-4e31-a9cf-717495945fc2": "Azure PowerShell",
	"aebc6443-996d-45c2-90f0-388ff96faa56": "Visual Studio Code",
	kustoClientID:                          "Kusto tools",
}

const (
	codeLife    = 5 * time.Minute // of an authorization code
	askLife     = 15 * time.Minute
	refreshLife = 90 * 24 * time.Hour
	maxAsks     = 1000 // sign-ins that wait for a person
	maxRefresh  = 200  // of one person
)

// ask is a sign-in that waits for a person's consent, and later the grant itself.
type ask struct {
	id        string // of the page's request, or the hash of the device code
	userCode  string // of a device
	clientID  string
	appName   string
	scope     string
	resource  string
	tenant    string
	ip        string
	created   time.Time
	expires   time.Time
	redirect  string
	state     string
	mode      string // response_mode
	nonce     string
	challenge string // S256
	polled    time.Time
	interval  time.Duration
	granted   *Person
	denied    bool
}

// asks are held in memory: a restart ends sign-ins that are under way.
type asks struct {
	mu    sync.Mutex
	now   func() time.Time
	byID  map[string]*ask // device codes and browser requests
	users map[string]*ask // by user code
	codes map[string]*ask // by hash of the authorization code
	wrong map[string]*wrongTries
}

type wrongTries struct {
	n    int
	till time.Time
}

func newAsks(now func() time.Time) *asks {
	return &asks{now: now, byID: map[string]*ask{}, users: map[string]*ask{}, codes: map[string]*ask{}, wrong: map[string]*wrongTries{}}
}

// drop forgets what has expired; mu is held.
func (s *asks) drop() {
	now := s.now()
	for k, a := range s.byID {
		if now.After(a.expires.Add(askLife)) { // kept a while, so that a late poll hears "expired"
			delete(s.byID, k)
			delete(s.users, a.userCode)
		}
	}
	for k, a := range s.codes {
		if now.After(a.expires) {
			delete(s.codes, k)
		}
	}
	for k, t := range s.wrong {
		if now.After(t.till) {
			delete(s.wrong, k)
		}
	}
}

func (s *asks) put(a *ask) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	if len(s.byID) >= maxAsks {
		return &Error{Status: 429, Code: "temporarily_unavailable", Message: "Too many sign-ins wait for a person: try again in some minutes."}
	}
	s.byID[a.id] = a
	if a.userCode != "" {
		s.users[a.userCode] = a
	}
	return nil
}

const (
	wrongFree  = 5
	wrongBlock = 5 * time.Minute
)

// guess notes a wrong code of who; blocked reports whether who must wait.
func (s *asks) blocked(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.wrong[who]
	return t != nil && t.n >= wrongFree && s.now().Before(t.till)
}

func (s *asks) guess(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	t := s.wrong[who]
	if t == nil {
		t = &wrongTries{}
		s.wrong[who] = t
	}
	t.n++
	t.till = s.now().Add(wrongBlock)
}

// client finds an application; secret is checked where it has one. A public client's redirects go to loopback only.
func (is *Issuer) client(ctx context.Context, id string) (name string, public bool, redirects []string, err error) {
	id = strings.ToLower(id)
	if n, ok := publicClients[id]; ok {
		return n, true, nil, nil
	}
	var disabled bool
	var uris string
	err = is.db.QueryRow(ctx, `SELECT name, disabled, redirects FROM principal WHERE client_id=?`, id).Scan(&name, &disabled, &uris)
	if errors.Is(err, sql.ErrNoRows) || err == nil && disabled {
		return "", false, nil, &Error{Status: 400, Code: "unauthorized_client", Message: fmt.Sprintf("AADSTS700016: Application with identifier '%s' was not found in the directory.", cut(id, 100))}
	}
	if err != nil {
		return "", false, nil, fmt.Errorf("find the application %s: %w", id, err)
	}
	return name, false, strings.Fields(uris), nil
}

// redirectOK compares a redirect URI with those of the application; loopback ports are free.
func redirectOK(uri string, public bool, registered []string) bool {
	if !public {
		return slices.Contains(registered, uri)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return false
	}
	h := u.Hostname()
	return h == "localhost" || h == "127.0.0.1" || h == "::1"
}

// oauthError answers as token endpoints do.
func (is *Issuer) oauthError(w http.ResponseWriter, status int, code, desc string, aad int) {
	writeJSON(w, status, map[string]any{"error": code, "error_description": fmt.Sprintf("AADSTS%d: %s", aad, desc), "error_codes": []int{aad}, "timestamp": is.now().UTC().Format("2006-01-02 15:04:05Z"), "trace_id": uuid.NewString(), "correlation_id": uuid.NewString()})
}

// audienceOf finds what a token is asked for: the resource, or the first scope of a resource.
func audienceOf(resource, scope string) string {
	if resource != "" {
		return resource
	}
	for _, s := range strings.Fields(scope) {
		if a, ok := strings.CutSuffix(s, "/.default"); ok {
			return a
		}
		if i := strings.LastIndexByte(s, '/'); i > len("https://") && strings.Contains(s, "://") {
			return s[:i]
		}
	}
	return ""
}

func hasScope(scope, name string) bool { return slices.Contains(strings.Fields(scope), name) }

// userTokens makes what a token endpoint answers for a person.
func (is *Issuer) userTokens(r *http.Request, tenant string, p Person, clientID, scope, resource, nonce, refresh string) (map[string]any, error) {
	base := is.base(r)
	iss := is.issuer(base, tenant)
	aud := audienceOf(resource, scope)
	if aud == "" {
		aud = clientID // a token for signing in alone opens nothing here
	} else if !is.audience(aud, base) {
		return nil, &Error{Status: 400, Code: "invalid_resource", Message: fmt.Sprintf("The resource principal named %q was not found in this tenant.", cut(aud, 200))}
	}
	jti := uuid.NewString()
	now := is.now()
	reg := func(aud string) jwt.RegisteredClaims {
		return jwt.RegisteredClaims{Issuer: iss, Subject: p.ID, Audience: jwt.ClaimStrings{aud}, ID: jti, IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(tokenLife))}
	}
	common := userClaims{Tenant: is.ws.TenantID, OID: p.ID, Name: orDefault(p.DisplayName, p.Name), Username: p.Name, UPN: p.Name, Unique: p.Name, Email: p.Email, Roles: []string{string(p.Role)}, Version: "2.0"}
	access := common
	access.RegisteredClaims, access.AppID, access.Scope, access.Kind = reg(aud), clientID, "user_impersonation", "user"
	at, err := is.signClaims(access)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"token_type": "Bearer", "scope": scope, "expires_in": int(tokenLife.Seconds()), "ext_expires_in": int(tokenLife.Seconds()), "access_token": at}
	if refresh != "" {
		out["refresh_token"] = refresh
	}
	if hasScope(scope, "openid") || refresh != "" {
		id := common
		id.RegisteredClaims, id.Nonce = reg(clientID), nonce
		if out["id_token"], err = is.signClaims(id); err != nil {
			return nil, err
		}
		info, err := json.Marshal(map[string]string{"uid": p.ID, "utid": is.ws.TenantID})
		if err != nil {
			return nil, err
		}
		out["client_info"] = base64.RawURLEncoding.EncodeToString(info)
	}
	out["jti"] = jti
	return out, nil
}

type userClaims struct {
	jwt.RegisteredClaims
	Tenant   string   `json:"tid"`
	OID      string   `json:"oid"`
	AppID    string   `json:"appid,omitempty"`
	Name     string   `json:"name"`
	Username string   `json:"preferred_username"`
	UPN      string   `json:"upn"`
	Unique   string   `json:"unique_name"`
	Email    string   `json:"email,omitempty"`
	Roles    []string `json:"roles"`
	Nonce    string   `json:"nonce,omitempty"`
	Scope    string   `json:"scp,omitempty"`
	Kind     string   `json:"idtyp,omitempty"`
	Version  string   `json:"ver"`
}

// newRefresh makes a refresh token, kept as a hash.
func (is *Issuer) newRefresh(ctx context.Context, p Person, clientID string) (string, error) {
	tok := "rt_" + randomSecret()
	now := is.now()
	err := is.db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM refresh_token WHERE expires<?`, now.UnixMicro()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM refresh_token WHERE person=? AND sha256 NOT IN (SELECT sha256 FROM refresh_token WHERE person=? ORDER BY created DESC LIMIT ?)`, p.ID, p.ID, maxRefresh-1); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO refresh_token(sha256, person, person_name, client_id, created, expires) VALUES(?,?,?,?,?,?)`,
			hashSecret(tok), p.ID, p.Name, strings.ToLower(clientID), now.UnixMicro(), now.Add(refreshLife).UnixMicro())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store a refresh token: %w", err)
	}
	return tok, nil
}

// person finds an account that may sign in.
func (is *Issuer) person(ctx context.Context, id string) (Person, error) {
	if is.people == nil {
		return Person{}, &Error{Status: 501, Code: "NotImplemented", Message: "This server has no accounts of people."}
	}
	p, ok, err := is.people.Person(ctx, id)
	if err != nil {
		return Person{}, err
	}
	if !ok || p.Disabled || rank[p.Role] == 0 {
		return Person{}, &Error{Status: 400, Code: "invalid_grant", Message: "AADSTS50057: The account does not exist or is disabled."}
	}
	return p, nil
}

// secretOK checks a confidential client's secret; a public client must send none that is wrong.
func (is *Issuer) secretOK(ctx context.Context, id, secret string, public bool) bool {
	if public {
		return true
	}
	var hash string
	if err := is.db.QueryRow(ctx, `SELECT secret_sha256 FROM principal WHERE client_id=? AND disabled=0`, strings.ToLower(id)).Scan(&hash); err != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(hash), []byte(hashSecret(secret))) == 1
}

// grantUser answers the grants that people's tools use.
func (is *Issuer) grantUser(w http.ResponseWriter, r *http.Request, tenant, grant, id, secret string, f url.Values) {
	ctx := r.Context()
	fail := func(status int, code, desc string, aad int) {
		is.oauthError(w, status, code, desc, aad)
		is.signedIn(r, Person{}, grant, id, "", "", code+": "+desc)
	}
	name, public, _, err := is.client(ctx, id)
	if err != nil {
		fail(401, "unauthorized_client", fmt.Sprintf("Application with identifier '%s' was not found in the directory.", cut(id, 100)), 700016)
		return
	}
	if !public && (grant != grantDevice || secret != "") && !is.secretOK(ctx, id, secret, public) {
		fail(401, "invalid_client", "Invalid client secret provided.", aadInvalid)
		return
	}
	var p Person
	var a *ask
	var refresh string
	scope, resource := f.Get("scope"), f.Get("resource")
	switch grant {
	case grantDevice:
		if a = is.pollDevice(w, orDefault(f.Get("device_code"), f.Get("code")), id); a == nil {
			return
		}
	case grantCode:
		if a, err = is.takeCode(f, id); err != nil {
			fail(400, "invalid_grant", err.Error(), 70008)
			return
		}
	case grantRefresh:
		refresh = f.Get("refresh_token")
		var person, client string
		var expires int64
		err := is.db.QueryRow(ctx, `SELECT person, client_id, expires FROM refresh_token WHERE sha256=?`, hashSecret(refresh)).Scan(&person, &client, &expires)
		switch {
		case err != nil || is.now().UnixMicro() > expires:
			fail(400, "invalid_grant", "The refresh token is not known, has expired or was revoked: sign in again.", 700082)
			return
		case client != strings.ToLower(id):
			fail(400, "invalid_grant", "The refresh token belongs to another application.", 700005)
			return
		}
		p.ID = person
	}
	if a != nil {
		p.ID = a.granted.ID
		scope, resource = orDefault(a.scope, scope), orDefault(a.resource, resource)
	}
	if p, err = is.person(ctx, p.ID); err != nil {
		fail(400, "invalid_grant", "The account does not exist or is disabled.", 50057)
		return
	}
	if refresh == "" && (hasScope(scope, "offline_access") || a != nil && a.userCode != "") {
		if refresh, err = is.newRefresh(ctx, p, id); err != nil {
			fail(500, "server_error", err.Error(), 90033)
			return
		}
	}
	nonce := ""
	if a != nil {
		nonce = a.nonce
	}
	out, err := is.userTokens(r, tenant, p, strings.ToLower(id), scope, resource, nonce, refresh)
	if err != nil {
		var ae *Error
		if errors.As(err, &ae) {
			fail(ae.Status, ae.Code, ae.Message, 500011)
			return
		}
		fail(500, "server_error", err.Error(), 90033)
		return
	}
	jti, _ := out["jti"].(string)
	delete(out, "jti")
	is.signedIn(r, p, grant, id, name, jti, "")
	w.Header().Set("Pragma", "no-cache")
	writeJSON(w, 200, out)
}

// signedIn tells the audit log.
func (is *Issuer) signedIn(r *http.Request, p Person, grant, id, app, jti, why string) {
	if is.onSignIn != nil {
		is.onSignIn(r, SignIn{UserID: p.ID, UserName: p.Name, DisplayName: p.DisplayName, App: app, AppID: cut(id, 100), Protocol: map[string]string{grantDevice: "deviceCode", grantCode: "oAuth2", grantRefresh: "refreshToken"}[grant], TokenID: jti, Err: why, Interactive: grant != grantRefresh})
	}
}

// The grants, as the token endpoint names them.
const (
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// takeCode redeems an authorization code once.
func (is *Issuer) takeCode(f url.Values, client string) (*ask, error) {
	is.asks.mu.Lock()
	defer is.asks.mu.Unlock()
	k := hashSecret(f.Get("code"))
	a := is.asks.codes[k]
	delete(is.asks.codes, k)
	switch {
	case a == nil || a.granted == nil:
		return nil, errors.New("the authorization code is not known, was used already or has expired")
	case is.now().After(a.expires):
		return nil, errors.New("the authorization code has expired")
	case !strings.EqualFold(a.clientID, client):
		return nil, errors.New("the authorization code belongs to another application")
	case a.redirect != f.Get("redirect_uri"):
		return nil, errors.New("the redirect_uri is not the one that the code was asked for with")
	}
	if a.challenge != "" {
		h := sha256.Sum256([]byte(f.Get("code_verifier")))
		if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(h[:])), []byte(a.challenge)) != 1 {
			return nil, errors.New("the code_verifier does not match the code_challenge")
		}
	}
	return a, nil
}
