package azure

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"picket/state"
	"regexp"
	"strings"
	"time"
)

// Access is who may reach the workspace: service principals, managed identities and personal tokens, as the
// page and the command manage them under /api/v1/access. Only an Owner may.

// Grant is a principal or a token without its secret.
type Grant struct {
	ID       string    `json:"id"` // client id, or the token's hash
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	Disabled bool      `json:"disabled"`
}

// The kinds of grants.
const (
	KindPrincipal = "principal" // OAuth client credentials
	KindIdentity  = "identity"  // managed identity
	KindToken     = "token"     // a personal token
)

var grantName = regexp.MustCompile(`^[\pL\pN][\pL\pN ._@-]{0,63}$`)

// Grants lists who may reach the workspace, oldest first.
func (is *Issuer) Grants(ctx context.Context) ([]Grant, error) {
	rows, err := is.db.Query(ctx, `
SELECT p.client_id, CASE WHEN m.client_id IS NULL THEN 'principal' ELSE 'identity' END, p.name, p.role, p.created, NULL, p.disabled
FROM principal p LEFT JOIN managed_identity m ON m.client_id=p.client_id
UNION ALL SELECT sha256, 'token', name, role, created, expires, 0 FROM personal_token ORDER BY 5`)
	if err != nil {
		return nil, fmt.Errorf("list who has access: %w", err)
	}
	defer rows.Close()
	out := []Grant{}
	for rows.Next() {
		var g Grant
		var role string
		var created int64
		var expires *int64
		if err := rows.Scan(&g.ID, &g.Kind, &g.Name, &role, &created, &expires, &g.Disabled); err != nil {
			return nil, fmt.Errorf("list who has access: %w", err)
		}
		g.Role, g.Created = Role(role), time.UnixMicro(created).UTC()
		if expires != nil {
			g.Expires = time.UnixMicro(*expires).UTC()
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// Revoke removes a principal, identity or token; false when there is none of this id.
func (is *Issuer) Revoke(ctx context.Context, id string) (bool, error) {
	var n int64
	err := is.db.Tx(ctx, func(tx *state.Tx) error {
		for _, q := range []string{`DELETE FROM managed_identity WHERE client_id=?`, `DELETE FROM principal WHERE client_id=?`, `DELETE FROM personal_token WHERE sha256=?`} {
			res, err := tx.ExecContext(ctx, q, id)
			if err != nil {
				return err
			}
			k, err := res.RowsAffected()
			if err != nil {
				return err
			}
			n += k
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("revoke %s: %w", id, err)
	}
	return n > 0, nil
}

// access serves /api/v1/access: GET lists, POST {kind, name, role, days} makes one and answers its secret this
// once, DELETE /api/v1/access/{id} revokes.
func (a *API) access() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/access", a.need(Owner, a.listGrants))
	mux.HandleFunc("POST /api/v1/access", a.need(Owner, a.createGrant))
	mux.HandleFunc("DELETE /api/v1/access/{id}", a.need(Owner, a.revokeGrant))
	return mux
}

func (a *API) listGrants(w http.ResponseWriter, r *http.Request) {
	gs, err := a.issuer.Grants(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, map[string]any{"value": gs})
}

func (a *API) createGrant(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
		Role Role   `json:"role"`
		Days int    `json:"days"` // of a token; 0 is without end
	}
	if e := decode(w, r, maxForm, &in); e != nil {
		writeError(w, e)
		return
	}
	bad := func(f string, v ...any) {
		writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf(f, v...)})
	}
	switch {
	case !grantName.MatchString(in.Name):
		bad("name %q: give 1 to 64 letters, digits, spaces, . _ @ -, beginning with a letter or digit", in.Name)
		return
	case rank[in.Role] == 0:
		bad("role %q: give Reader, Responder, Contributor or Owner", in.Role)
		return
	case in.Days < 0 || in.Days > 3650:
		bad("days %d: give 0 (without end) to 3650", in.Days)
		return
	}
	out := map[string]any{"kind": in.Kind, "name": in.Name, "role": in.Role}
	var err error
	switch strings.ToLower(in.Kind) {
	case KindPrincipal:
		out["clientId"], out["clientSecret"], err = a.issuer.CreatePrincipal(r.Context(), in.Name, in.Role)
	case KindIdentity:
		out["clientId"], out["identityHeader"], err = a.issuer.CreateIdentity(r.Context(), in.Name, in.Role)
	case KindToken:
		out["token"], err = a.issuer.CreateToken(r.Context(), in.Name, in.Role, time.Duration(in.Days)*24*time.Hour)
	default:
		bad("kind %q: give principal, identity or token", in.Kind)
		return
	}
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 201, out)
}

func (a *API) revokeGrant(w http.ResponseWriter, r *http.Request) {
	ok, err := a.issuer.Revoke(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		a.fail(w, err)
	case !ok:
		writeError(w, &Error{Status: 404, Code: "NotFound", Message: "No principal, identity or token has this id."})
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// Secret finds the principal of a client id and its secret, as senders with Basic authentication give them; a
// personal token may stand in the secret's place under any name.
func (is *Issuer) Secret(ctx context.Context, id, secret string) (Principal, *Error) {
	if strings.HasPrefix(secret, patPrefix) {
		return is.personal(ctx, secret)
	}
	no := &Error{Status: 401, Code: "AuthenticationFailed", Message: "The client id and secret are not known here."}
	var p Principal
	var hash, role string
	var disabled bool
	err := is.db.QueryRow(ctx, `SELECT client_id, name, role, secret_sha256, disabled FROM principal WHERE client_id=?`, strings.ToLower(id)).Scan(&p.ID, &p.Name, &role, &hash, &disabled)
	if err != nil || disabled || subtle.ConstantTimeCompare([]byte(hash), []byte(hashSecret(secret))) != 1 {
		return Principal{}, no
	}
	p.Role = Role(role)
	return p, nil
}
