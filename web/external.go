package web

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"picket/state"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ExternalUser is somebody whom an OpenID Connect provider vouches for.
type ExternalUser struct {
	Issuer  string // the provider, https://…
	Subject string // its own id of the person; with Issuer it never changes
	Name    string // what the account is called
	Display string // "" is Name
	Email   string
	Role    string // Reader, Responder, Contributor or Owner: what the provider says at this sign-in
}

// externalHash stands in the place of a password's hash in accounts that have none.
const externalHash = "external"

// SignInExternal signs a person in whom a provider vouches for: it finds the account of (issuer, subject), or makes
// one, gives it the role of this sign-in, and starts the page's session on w. An account that is there under the same
// name is never taken over: the new one is then called "name (host of the issuer)". A disabled account is refused
// (403, an *Error).
func (s *Server) SignInExternal(w http.ResponseWriter, r *http.Request, id ExternalUser) error {
	u, err := s.external(r.Context(), id)
	if err == nil {
		_, err = s.startSession(r.Context(), w, r, u)
	}
	if s.d.SignedIn != nil {
		e := SignIn{User: u, Peer: s.peer(r), Agent: r.UserAgent(), Protocol: "oidc"}
		if err != nil {
			e.Err = err.Error()
			if e.User.Name == "" {
				e.User.Name = id.Name
			}
		}
		s.d.SignedIn(r.Context(), e)
	}
	return err
}

func (s *Server) external(ctx context.Context, id ExternalUser) (u User, err error) {
	name := strings.TrimSpace(id.Name)
	switch {
	case id.Issuer == "" || id.Subject == "":
		return u, badRequest("", "The provider named no issuer or no subject.")
	case len(id.Issuer) > 512 || len(id.Subject) > 512:
		return u, badRequest("", "The provider's issuer or subject is longer than 512 bytes.")
	case roleRank[id.Role] == 0:
		return u, &Error{Status: 403, Code: "RoleRequired", Message: "The provider gives you no role in this workspace."}
	case name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return u, badRequest("name", "The name that the provider gives needs 1 to %d characters without control characters.", maxName)
	}
	display := []rune(id.Display)
	if display = display[:min(len(display), 4*maxName)]; len(display) == 0 {
		display = []rune(name)
	}
	made := false
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		now := s.d.Now().UnixMicro()
		var err error
		u, err = scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM web_account WHERE id=(SELECT account FROM web_external WHERE issuer=? AND subject=?)`, id.Issuer, id.Subject).Scan)
		switch {
		case err == nil:
			if u.Disabled {
				return &Error{Status: 403, Code: "AccountDisabled", Message: fmt.Sprintf("The account %s is disabled: an owner can enable it.", u.Name)}
			}
			if id.Role != Owner {
				if err := keepsOwner(ctx, tx, u); err != nil {
					return err
				}
			}
			u.Role, u.DisplayName = id.Role, string(display)
			_, err = tx.ExecContext(ctx, `UPDATE web_account SET role=?, display=?, changed=? WHERE id=?`, u.Role, u.DisplayName, now, u.ID)
			return err
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		made = true
		u = User{ID: uuid.NewString(), DisplayName: string(display), Role: id.Role}
		if u.Name, err = unusedName(ctx, tx, name, id.Issuer); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO web_account(id, name, display, role, hash, must_change, created, changed) VALUES(?,?,?,?,?,0,?,?)`,
			u.ID, u.Name, u.DisplayName, u.Role, externalHash, now, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO web_external(issuer, subject, account) VALUES(?,?,?)`, id.Issuer, id.Subject, u.ID)
		return err
	})
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return u, e
		}
		return u, fmt.Errorf("sign %s in: %w", name, err)
	}
	if made {
		s.changed(ctx, AccountChange{By: u, Action: "Add user", User: u, Detail: map[string]string{"role": u.Role, "issuer": id.Issuer}})
	}
	return u, nil
}

// unusedName is the name, or when it is taken the name with the issuer's host, and a number if need be.
func unusedName(ctx context.Context, tx *state.Tx, name, issuer string) (string, error) {
	host := issuer
	if p, err := url.Parse(issuer); err == nil && p.Host != "" {
		host = p.Host
	}
	for i := 1; i <= 100; i++ {
		try := name
		switch {
		case i == 2:
			try = fmt.Sprintf("%s (%s)", name, host)
		case i > 2:
			try = fmt.Sprintf("%s (%s) %d", name, host, i-1)
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM web_account WHERE name=?`, try).Scan(&n); err != nil {
			return "", err
		}
		if n == 0 {
			return try, nil
		}
	}
	return "", &Error{Status: 409, Code: "Conflict", Message: "A hundred accounts are called " + name + " already."}
}
