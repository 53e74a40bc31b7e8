package azure

import (
	"context"
	"fmt"
	"net/http"
	"picket/state"
	"strconv"
	"strings"
)

// The managed-identity endpoint is what azure-identity's ManagedIdentityCredential asks when the environment
// holds IDENTITY_ENDPOINT and IDENTITY_HEADER (the App Service form). It may be plain HTTP, so it is served on
// loopback only; the header's value is the secret.

// CreateIdentity makes a managed identity: a service principal whose tokens are asked for with a header value in
// place of a client secret. It returns the client id and that value, which is kept only as a hash.
func (is *Issuer) CreateIdentity(ctx context.Context, name string, role Role) (clientID, header string, err error) {
	clientID, _, err = is.CreatePrincipal(ctx, name, role)
	if err != nil {
		return "", "", err
	}
	header = randomSecret()
	err = is.db.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO managed_identity(header_sha256, client_id) VALUES(?,?)`, hashSecret(header), clientID)
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("create managed identity %s: %w", name, err)
	}
	return clientID, header, nil
}

// MSI serves GET /msi/token?resource=&api-version=2019-08-01 with the header X-IDENTITY-HEADER.
func (a *API) MSI() http.Handler { return http.HandlerFunc(a.issuer.msi) }

func (is *Issuer) msi(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, msg string) {
		writeJSON(w, status, map[string]any{"statusCode": status, "message": msg, "error": map[string]string{"code": http.StatusText(status), "message": msg}})
	}
	q := r.URL.Query()
	secret := r.Header.Get("X-IDENTITY-HEADER")
	aud := q.Get("resource")
	if aud == "" {
		aud, _ = strings.CutSuffix(q.Get("scope"), "/.default")
	}
	switch {
	case r.Method != http.MethodGet:
		fail(405, "The managed identity endpoint takes GET.")
		return
	case secret == "":
		fail(401, "The header X-IDENTITY-HEADER is missing: send the value of IDENTITY_HEADER.")
		return
	case aud == "":
		fail(400, "The parameter 'resource' is missing.")
		return
	case !is.audience(aud, is.base(r)):
		fail(400, fmt.Sprintf("The resource %q was not found in this tenant.", aud))
		return
	}
	var id, name string
	var disabled bool
	told := func(jti string, code int, desc string) {
		if is.onToken != nil {
			is.onToken(r, TableIdentity, id, name, aud, jti, code, desc)
		}
	}
	err := is.db.QueryRow(r.Context(), `SELECT p.client_id, p.name, p.disabled FROM managed_identity m JOIN principal p ON p.client_id=m.client_id WHERE m.header_sha256=?`, hashSecret(secret)).Scan(&id, &name, &disabled)
	if err != nil || disabled {
		fail(401, "The value of X-IDENTITY-HEADER is not known here, or its identity is disabled.")
		told("", aadInvalid, "The identity header is not known or its identity is disabled.")
		return
	}
	if want := q.Get("client_id"); want != "" && !strings.EqualFold(want, id) {
		fail(400, fmt.Sprintf("The identity %q was not found: this header belongs to %s.", want, id))
		return
	}
	tok, jti, err := is.signFor(is.issuer(is.base(r), is.ws.TenantID), aud, id)
	if err != nil {
		fail(500, err.Error())
		return
	}
	told(jti, 0, "")
	writeJSON(w, 200, map[string]any{
		"access_token": tok, "expires_on": strconv.FormatInt(is.now().Add(tokenLife).Unix(), 10), "resource": aud, "token_type": "Bearer", "client_id": id,
	})
}

// audience reports whether tokens may be asked for aud; self is this server's address.
func (is *Issuer) audience(aud, self string) bool {
	return is.auds[trimAudience(aud)] || trimAudience(aud) == trimAudience(self)
}
