package azure

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"picket/state"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Migrations is the identity part of the control store.
func Migrations() []state.Migration {
	return []state.Migration{{Room: "azure", Step: 1, SQL: `
CREATE TABLE identity_key(kid TEXT PRIMARY KEY, pem TEXT NOT NULL, created INTEGER NOT NULL, retired INTEGER);
CREATE TABLE principal(client_id TEXT PRIMARY KEY, name TEXT NOT NULL, secret_sha256 TEXT NOT NULL, role TEXT NOT NULL, created INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0);
CREATE TABLE personal_token(sha256 TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER);
`}, {Room: "azure", Step: 2, SQL: `
CREATE TABLE managed_identity(header_sha256 TEXT PRIMARY KEY, client_id TEXT NOT NULL REFERENCES principal(client_id));
CREATE TABLE arm_resource(kind TEXT NOT NULL, name TEXT NOT NULL, display TEXT NOT NULL, body TEXT NOT NULL, etag TEXT NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY(kind, name));
`}, {Room: "azure", Step: 3, SQL: `
ALTER TABLE principal ADD COLUMN redirects TEXT NOT NULL DEFAULT '';
ALTER TABLE principal ADD COLUMN last_used INTEGER;
ALTER TABLE personal_token ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE personal_token ADD COLUMN last_used INTEGER;
CREATE TABLE refresh_token(sha256 TEXT PRIMARY KEY, person TEXT NOT NULL, person_name TEXT NOT NULL, client_id TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL);
CREATE TABLE role_assignment(name TEXT PRIMARY KEY, principal TEXT NOT NULL, created INTEGER NOT NULL, created_by TEXT NOT NULL);
`}}
}

// Role is what a principal may do in the workspace; each includes the ones before it.
type Role string

// The roles, weakest first.
const (
	Reader      Role = "Reader"      // reads and queries
	Responder   Role = "Responder"   // works incidents
	Contributor Role = "Contributor" // changes rules, playbooks, tokens; sends data
	Owner       Role = "Owner"       // everything, access included
)

var rank = map[Role]int{Reader: 1, Responder: 2, Contributor: 3, Owner: 4}

// Allows reports whether r may do what needs the role need.
func (r Role) Allows(need Role) bool { return rank[r] >= rank[need] && rank[need] > 0 }

// Principal is who a request comes from.
type Principal struct {
	ID   string // client id, "pat:NAME" or "user:NAME"
	Name string
	Role Role
}

const (
	tokenLife  = time.Hour
	clockSkew  = 5 * time.Minute
	maxForm    = 64 << 10
	keyBits    = 2048
	patPrefix  = "pat_"
	aadInvalid = 7000215
)

// Issuer is picket as an OAuth 2.0 authority: it signs RS256 tokens for its own service principals and
// checks bearers. Tenant segments accepted: the tenant's GUID, adfs, common, organizations.
type Issuer struct {
	db   *state.DB
	ws   Workspace
	base func(*http.Request) string // "https://host:port" as the client reached us
	now  func() time.Time
	auds map[string]bool

	people   People // nil: none sign in
	asks     *asks
	onSignIn func(*http.Request, SignIn)
	onToken  func(r *http.Request, table, id, name, resource, jti string, code int, desc string)
	ip       func(*http.Request) string
	seen     lastUsed

	mu  sync.RWMutex // guards the keys
	kid string
	key *rsa.PrivateKey
	pub map[string]*rsa.PublicKey
}

// NewIssuer loads the signing keys, making the first one when there is none.
func NewIssuer(ctx context.Context, db *state.DB, ws Workspace, audiences []string, base func(*http.Request) string, now func() time.Time) (*Issuer, error) {
	is := &Issuer{db: db, ws: ws, base: base, now: now, auds: map[string]bool{}, pub: map[string]*rsa.PublicKey{}, asks: newAsks(now), ip: func(r *http.Request) string { return r.RemoteAddr }}
	for _, a := range append([]string{
		"https://api.loganalytics.io", "https://monitor.azure.com", "https://management.azure.com",
		"https://management.core.windows.net", "https://api.loganalytics.azure.com", "https://kusto.kusto.windows.net",
	}, audiences...) {
		is.auds[trimAudience(a)] = true
	}
	rows, err := db.Query(ctx, `SELECT kid, pem, retired IS NOT NULL FROM identity_key ORDER BY created`)
	if err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kid, text string
		var retired bool
		if err := rows.Scan(&kid, &text, &retired); err != nil {
			return nil, fmt.Errorf("load signing keys: %w", err)
		}
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, fmt.Errorf("signing key %s is no PEM block", kid)
		}
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", kid, err)
		}
		rk, ok := k.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("signing key %s is no RSA key", kid)
		}
		is.pub[kid] = &rk.PublicKey
		if !retired {
			is.kid, is.key = kid, rk
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("load signing keys: %w", err)
	}
	if is.key == nil {
		if err := is.Rotate(ctx); err != nil {
			return nil, err
		}
	}
	return is, nil
}

// Rotate makes a new signing key; tokens of the old ones stay valid until they expire.
func (is *Issuer) Rotate(ctx context.Context) error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	kid := uuid.NewString()
	now := is.now().UnixMicro()
	err = is.db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE identity_key SET retired=? WHERE retired IS NULL`, now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO identity_key(kid, pem, created) VALUES(?,?,?)`, kid,
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), now)
		return err
	})
	if err != nil {
		return fmt.Errorf("store signing key: %w", err)
	}
	is.mu.Lock()
	is.kid, is.key, is.pub[kid] = kid, key, &key.PublicKey
	is.mu.Unlock()
	return nil
}

func hashSecret(s string) string {
	h := sha256.Sum256([]byte(s)) // secrets are 256 random bits: no slow hash needed
	return hex.EncodeToString(h[:])
}

func randomSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// CreatePrincipal makes a service principal and returns its client id and secret; the secret is kept only as
// a hash.
func (is *Issuer) CreatePrincipal(ctx context.Context, name string, role Role) (clientID, secret string, err error) {
	if rank[role] == 0 {
		return "", "", fmt.Errorf("unknown role %q: use Reader, Responder, Contributor or Owner", role)
	}
	clientID, secret = uuid.NewString(), randomSecret()
	err = is.db.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO principal(client_id, name, secret_sha256, role, created) VALUES(?,?,?,?,?)`,
			clientID, name, hashSecret(secret), string(role), is.now().UnixMicro())
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("create principal %s: %w", name, err)
	}
	return clientID, secret, nil
}

// CreateToken makes a personal token ("pat_…"), usable as a bearer. life 0 is without end.
func (is *Issuer) CreateToken(ctx context.Context, name string, role Role, life time.Duration) (string, error) {
	return is.createToken(ctx, name, role, life, "")
}

// createToken makes a token of an owner's; it ends with the account and never allows more than it.
func (is *Issuer) createToken(ctx context.Context, name string, role Role, life time.Duration, owner string) (string, error) {
	if rank[role] == 0 {
		return "", fmt.Errorf("unknown role %q: use Reader, Responder, Contributor or Owner", role)
	}
	tok := patPrefix + randomSecret()
	var expires any
	if life > 0 {
		expires = is.now().Add(life).UnixMicro()
	}
	err := is.db.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO personal_token(sha256, name, role, created, expires, owner) VALUES(?,?,?,?,?,?)`,
			hashSecret(tok), name, string(role), is.now().UnixMicro(), expires, owner)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create token %s: %w", name, err)
	}
	return tok, nil
}

// Bearer finds the principal of a bearer token: a personal token or a JWT of this issuer. self is this server's
// address as the client knows it, an audience too.
func (is *Issuer) Bearer(ctx context.Context, token, self string) (Principal, *Error) {
	if strings.HasPrefix(token, patPrefix) {
		return is.personal(ctx, token)
	}
	var c jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		is.mu.RLock()
		k := is.pub[kid]
		is.mu.RUnlock()
		if k != nil {
			return k, nil
		}
		return nil, fmt.Errorf("no signing key %q here", kid)
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithLeeway(clockSkew), jwt.WithTimeFunc(is.now), jwt.WithExpirationRequired())
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Principal{}, &Error{Status: 401, Code: "ExpiredAuthenticationToken", Message: "The access token expiry UTC time is earlier than current UTC time: get a new token."}
	case err != nil:
		return Principal{}, &Error{Status: 401, Code: "InvalidAuthenticationToken", Message: "The access token is invalid: " + err.Error()}
	}
	ok := false
	for _, a := range c.Audience {
		ok = ok || is.audience(a, self)
	}
	if !ok {
		return Principal{}, &Error{Status: 403, Code: "InvalidAuthenticationTokenAudience", Message: fmt.Sprintf("The access token has been obtained for the wrong audience or resource %q.", strings.Join(c.Audience, " "))}
	}
	var p Principal
	var role string
	var disabled bool
	err = is.db.QueryRow(ctx, `SELECT client_id, name, role, disabled FROM principal WHERE client_id=?`, c.Subject).Scan(&p.ID, &p.Name, &role, &disabled)
	if errors.Is(err, sql.ErrNoRows) && is.people != nil {
		u, err := is.person(ctx, c.Subject)
		if err == nil {
			return Principal{ID: "user:" + u.Name, Name: u.Name, Role: u.Role}, nil
		}
	}
	if err != nil || disabled {
		return Principal{}, &Error{Status: 401, Code: "InvalidAuthenticationToken", Message: "The principal of this access token does not exist or is disabled."}
	}
	p.Role = Role(role)
	is.used(ctx, "principal", "client_id", p.ID)
	return p, nil
}

func (is *Issuer) personal(ctx context.Context, token string) (Principal, *Error) {
	var name, role, owner string
	var expires *int64
	hash := hashSecret(token)
	err := is.db.QueryRow(ctx, `SELECT name, role, expires, owner FROM personal_token WHERE sha256=?`, hash).Scan(&name, &role, &expires, &owner)
	if err != nil {
		return Principal{}, &Error{Status: 401, Code: "InvalidAuthenticationToken", Message: "The personal token is not known here."}
	}
	if expires != nil && is.now().UnixMicro() > *expires {
		return Principal{}, &Error{Status: 401, Code: "ExpiredAuthenticationToken", Message: "The personal token has expired: make a new one."}
	}
	if owner != "" { // it can do no more than its owner still can
		p, err := is.person(ctx, owner)
		if err != nil {
			return Principal{}, &Error{Status: 401, Code: "InvalidAuthenticationToken", Message: "The owner of this personal token does not exist or is disabled."}
		}
		if rank[p.Role] < rank[Role(role)] {
			role = string(p.Role)
		}
	}
	is.used(ctx, "personal_token", "sha256", hash)
	return Principal{ID: "pat:" + name, Name: name, Role: Role(role)}, nil
}

// routes adds the OAuth endpoints to mux: discovery, keys, token, instance discovery, /metadata/endpoints.
func (is *Issuer) routes(mux *http.ServeMux) {
	for _, p := range []string{"/{tenant}/v2.0/.well-known/openid-configuration", "/{tenant}/.well-known/openid-configuration", "/adfs/adfs/v2.0/.well-known/openid-configuration"} {
		mux.HandleFunc("GET "+p, is.discovery)
	}
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", is.keys)
	mux.HandleFunc("GET /{tenant}/discovery/keys", is.keys)
	mux.HandleFunc("GET /common/discovery/instance", is.instance)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", is.token)
	mux.HandleFunc("POST /{tenant}/oauth2/token", is.token)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/devicecode", is.device)
	mux.HandleFunc("POST /{tenant}/oauth2/devicecode", is.device)
	mux.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", is.authorize)
	mux.HandleFunc("GET /{tenant}/oauth2/authorize", is.authorize)
	mux.HandleFunc("GET /metadata/endpoints", is.metadata)
}

func (is *Issuer) tenantOK(t string) bool {
	switch strings.ToLower(t) {
	case "adfs", "common", "organizations", strings.ToLower(is.ws.TenantID):
		return true
	}
	return false
}

func (is *Issuer) tenant(w http.ResponseWriter, r *http.Request) (string, bool) {
	t := r.PathValue("tenant")
	if t == "" {
		t = "adfs"
	}
	if !is.tenantOK(t) {
		writeJSON(w, 400, map[string]any{"error": "invalid_tenant", "error_description": fmt.Sprintf("AADSTS90002: Tenant '%s' not found. This picket serves tenant %s, and adfs, common, organizations.", t, is.ws.TenantID), "error_codes": []int{90002}})
		return "", false
	}
	return t, true
}

func (is *Issuer) issuer(base, tenant string) string {
	if strings.EqualFold(tenant, "adfs") {
		return base + "/adfs"
	}
	return base + "/" + is.ws.TenantID + "/v2.0"
}

func (is *Issuer) discovery(w http.ResponseWriter, r *http.Request) {
	t, ok := is.tenant(w, r)
	if !ok {
		return
	}
	b := is.base(r)
	writeJSON(w, 200, map[string]any{
		"issuer":                                is.issuer(b, t),
		"token_endpoint":                        b + "/" + t + "/oauth2/v2.0/token",
		"authorization_endpoint":                b + "/" + t + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         b + "/" + t + "/oauth2/v2.0/devicecode",
		"jwks_uri":                              b + "/" + t + "/discovery/v2.0/keys",
		"response_types_supported":              []string{"code"},
		"response_modes_supported":              []string{"query", "form_post"},
		"grant_types_supported":                 []string{"client_credentials", grantCode, grantRefresh, grantDevice},
		"code_challenge_methods_supported":      []string{"S256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "nonce", "name", "preferred_username", "email", "oid", "tid", "roles"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"},
	})
}

func (is *Issuer) keys(w http.ResponseWriter, r *http.Request) {
	if _, ok := is.tenant(w, r); !ok {
		return
	}
	is.mu.RLock()
	defer is.mu.RUnlock()
	var out []map[string]string
	for kid, k := range is.pub {
		out = append(out, map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
			"n": base64.RawURLEncoding.EncodeToString(k.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.E)).Bytes()),
		})
	}
	writeJSON(w, 200, map[string]any{"keys": out})
}

func (is *Issuer) instance(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, 200, map[string]any{
		"tenant_discovery_endpoint": is.base(r) + "/" + is.ws.TenantID + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []any{},
	})
}

func (is *Issuer) metadata(w http.ResponseWriter, r *http.Request) {
	b := is.base(r)
	one := map[string]any{
		"name":            "Picket",
		"portal":          b,
		"resourceManager": b,
		"graph":           b,
		"gallery":         b,
		"batch":           b,
		"authentication": map[string]any{
			"loginEndpoint": b, "audiences": []string{"https://management.core.windows.net/", "https://management.azure.com/", b},
			"tenant": "common", "identityProvider": "AAD",
		},
		"logAnalyticsResourceId":   b,
		"microsoftGraphResourceId": b,
		"suffixes":                 map[string]any{},
	}
	if v := r.URL.Query().Get("api-version"); v != "" && v < "2020" {
		writeJSON(w, 200, []any{one})
		return
	}
	writeJSON(w, 200, one)
}

// token answers the token endpoint: client credentials with the secret in the form or in a Basic header, and the
// grants with which people's tools sign in.
func (is *Issuer) token(w http.ResponseWriter, r *http.Request) {
	t, ok := is.tenant(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		is.oauthError(w, 400, "invalid_request", "The request body could not be read as a form.", 900144)
		return
	}
	f := r.PostForm
	id, secret := f.Get("client_id"), f.Get("client_secret")
	if u, p, ok := r.BasicAuth(); ok && id == "" {
		id, secret = u, p
	}
	switch g := f.Get("grant_type"); g {
	case "client_credentials":
	case grantCode, grantRefresh, grantDevice:
		is.grantUser(w, r, t, g, id, secret, f)
		return
	case "device_code":
		is.grantUser(w, r, t, grantDevice, id, secret, f)
		return
	case "password":
		is.oauthError(w, 400, "unsupported_grant_type", "picket takes no passwords of people from tools: sign in with a device code or in the browser.", 70003)
		return
	default:
		is.oauthError(w, 400, "unsupported_grant_type", fmt.Sprintf("The grant type %q is not served by picket; use client_credentials, device_code, authorization_code or refresh_token.", cut(g, 100)), 70003)
		return
	}
	aud := audienceOf(f.Get("resource"), f.Get("scope"))
	name := ""
	fail := func(status int, code, desc string, aad int) {
		is.oauthError(w, status, code, desc, aad)
		if is.onToken != nil {
			is.onToken(r, TablePrincipal, id, name, aud, "", aad, desc)
		}
	}
	if !is.audience(aud, is.base(r)) {
		fail(400, "invalid_resource", fmt.Sprintf("The resource principal named %q was not found in this tenant.", cut(aud, 200)), 500011)
		return
	}
	var hash, role string
	var disabled bool
	err := is.db.QueryRow(r.Context(), `SELECT name, secret_sha256, role, disabled FROM principal WHERE client_id=?`, strings.ToLower(id)).Scan(&name, &hash, &role, &disabled)
	if err != nil || disabled {
		fail(401, "unauthorized_client", fmt.Sprintf("Application with identifier '%s' was not found in the directory.", cut(id, 100)), 700016)
		return
	}
	if subtle.ConstantTimeCompare([]byte(hash), []byte(hashSecret(secret))) != 1 {
		fail(401, "invalid_client", "Invalid client secret provided.", aadInvalid)
		return
	}
	tok, jti, err := is.signFor(is.issuer(is.base(r), t), aud, strings.ToLower(id))
	if err != nil {
		fail(500, "server_error", err.Error(), 90033)
		return
	}
	if is.onToken != nil {
		is.onToken(r, TablePrincipal, id, name, aud, jti, 0, "")
	}
	writeJSON(w, 200, map[string]any{
		"token_type": "Bearer", "expires_in": int(tokenLife.Seconds()), "ext_expires_in": int(tokenLife.Seconds()),
		"access_token": tok, "resource": aud,
	})
}

type claims struct {
	jwt.RegisteredClaims
	Tenant string `json:"tid"`
	AppID  string `json:"appid"`
	OID    string `json:"oid"`
}

func (is *Issuer) sign(issuer, aud, sub string) (string, error) {
	t, _, err := is.signFor(issuer, aud, sub)
	return t, err
}

// signFor makes a service principal's token, and gives its id.
func (is *Issuer) signFor(issuer, aud, sub string) (token, jti string, err error) {
	now := is.now()
	jti = uuid.NewString()
	token, err = is.signClaims(claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Subject: sub, Audience: jwt.ClaimStrings{aud}, ID: jti,
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(tokenLife)),
		},
		Tenant: is.ws.TenantID, AppID: sub, OID: sub,
	})
	return token, jti, err
}

func (is *Issuer) signClaims(c jwt.Claims) (string, error) {
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	is.mu.RLock()
	kid, key := is.kid, is.key
	is.mu.RUnlock()
	t.Header["kid"] = kid
	s, err := t.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return s, nil
}

// lastUsed holds when a credential's use was last written, so that not every request writes.
type lastUsed struct {
	mu sync.Mutex
	at map[string]time.Time
}

const usedPause = 10 * time.Minute

// used notes that a credential opened something. Its failure is no failure of the request.
func (is *Issuer) used(ctx context.Context, table, key, id string) {
	now := is.now()
	is.seen.mu.Lock()
	if is.seen.at == nil || len(is.seen.at) > 10000 {
		is.seen.at = map[string]time.Time{}
	}
	last, ok := is.seen.at[id]
	if ok && now.Sub(last) < usedPause {
		is.seen.mu.Unlock()
		return
	}
	is.seen.at[id] = now
	is.seen.mu.Unlock()
	_ = is.db.Tx(context.WithoutCancel(ctx), func(tx *state.Tx) error { // a missing time is no reason to refuse
		_, err := tx.ExecContext(ctx, `UPDATE `+table+` SET last_used=? WHERE `+key+`=?`, now.UnixMicro(), id)
		return err
	})
}
