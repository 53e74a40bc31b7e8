package azure

import (
	"context"
	"crypto/subtle"
	"fmt"
	"picket/state"
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

	Used      time.Time `json:"lastUsed,omitzero"`      // to within 10 minutes
	Owner     string    `json:"owner,omitempty"`        // the person of a personal token or a sign-in
	Redirects []string  `json:"redirectUris,omitempty"` // of a principal that people sign in to
}

// The kinds of grants.
const (
	KindPrincipal = "principal" // OAuth client credentials
	KindIdentity  = "identity"  // managed identity
	KindToken     = "token"     // a personal token
	KindSignIn    = "signin"    // a person's sign-in to a tool, such as az
)

// Grants lists who may reach the workspace, oldest first.
func (is *Issuer) Grants(ctx context.Context) ([]Grant, error) {
	rows, err := is.db.Query(ctx, `
SELECT p.client_id, CASE WHEN m.client_id IS NULL THEN 'principal' ELSE 'identity' END, p.name, p.role, p.created, NULL, p.disabled, p.last_used, '', p.redirects
FROM principal p LEFT JOIN managed_identity m ON m.client_id=p.client_id
UNION ALL SELECT sha256, 'token', name, role, created, expires, 0, last_used, owner, '' FROM personal_token
UNION ALL SELECT sha256, 'signin', client_id, '', created, expires, 0, NULL, person_name, '' FROM refresh_token ORDER BY 5`)
	if err != nil {
		return nil, fmt.Errorf("list who has access: %w", err)
	}
	defer rows.Close()
	out := []Grant{}
	for rows.Next() {
		var g Grant
		var role, redirects string
		var created int64
		var expires, used *int64
		if err := rows.Scan(&g.ID, &g.Kind, &g.Name, &role, &created, &expires, &g.Disabled, &used, &g.Owner, &redirects); err != nil {
			return nil, fmt.Errorf("list who has access: %w", err)
		}
		g.Role, g.Created = Role(role), time.UnixMicro(created).UTC()
		g.Redirects = strings.Fields(redirects)
		if g.Kind == KindSignIn {
			if n, ok := publicClients[g.Name]; ok {
				g.Name = n
			}
		}
		if expires != nil {
			g.Expires = time.UnixMicro(*expires).UTC()
		}
		if used != nil {
			g.Used = time.UnixMicro(*used).UTC()
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// Revoke removes a principal, identity, token or a person's sign-in to a tool; false when there is none of this id.
func (is *Issuer) Revoke(ctx context.Context, id string) (bool, error) {
	var n int64
	err := is.db.Tx(ctx, func(tx *state.Tx) error {
		for _, q := range []string{
			`DELETE FROM managed_identity WHERE client_id=?`, `DELETE FROM principal WHERE client_id=?`, `DELETE FROM personal_token WHERE sha256=?`,
			`DELETE FROM refresh_token WHERE sha256=?`, `DELETE FROM role_assignment WHERE principal=?`,
		} {
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

// Change is what may be changed of a principal or identity; nil fields stay.
type Change struct {
	Role      *Role     `json:"role"`
	Disabled  *bool     `json:"disabled"`
	Redirects *[]string `json:"redirectUris"`
}

// NewSecret gives a principal another secret; the old one ends.
func (is *Issuer) NewSecret(ctx context.Context, id string) (secret string, ok bool, err error) {
	secret = randomSecret()
	var n int64
	err = is.db.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE principal SET secret_sha256=? WHERE client_id=? AND client_id NOT IN (SELECT client_id FROM managed_identity)`, hashSecret(secret), strings.ToLower(id))
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("make a new secret for %s: %w", id, err)
	}
	return secret, n > 0, nil
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
