package web

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"picket/state"
)

// SignIn is an attempt to sign in on the page.
type SignIn struct {
	User  User   // Name is "unknown" when there is no such account
	Peer  string // the client's address
	Agent string
	Err   string // why it failed; "" is success

	Protocol string // "password" or "oidc"
}

// AccountChange is something that an owner, or the person, did to an account.
type AccountChange struct {
	By     User
	Action string // "Add user", "Update user", "Delete user", "Reset user password", "Change user password"
	User   User   // as it is afterwards
	Detail map[string]string
}

const accountColumns = `id, name, display, role, must_change, disabled`

func scanAccount(scan func(...any) error) (u User, err error) {
	err = scan(&u.ID, &u.Name, &u.DisplayName, &u.Role, &u.MustChange, &u.Disabled)
	return u, err
}

// Account finds an account by its id or its name, whatever its case; false when there is none.
func (s *Server) Account(ctx context.Context, idOrName string) (User, bool, error) {
	u, err := scanAccount(s.d.State.QueryRow(ctx, `SELECT `+accountColumns+` FROM web_account WHERE id=?1 OR name=?1 ORDER BY id=?1 DESC LIMIT 1`, idOrName).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, false, nil
	}
	if err != nil {
		return User{}, false, fmt.Errorf("read account: %w", err)
	}
	return u, true, nil
}

// Accounts lists all accounts by name.
func (s *Server) Accounts(ctx context.Context) ([]User, error) {
	rows, err := s.d.State.Query(ctx, `SELECT `+accountColumns+` FROM web_account ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var out []User
	for rows.Next() {
		u, err := scanAccount(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// SetAccountRole changes an account's role; role "" disables it and ends its sessions. The last owner that is enabled
// keeps the role.
func (s *Server) SetAccountRole(ctx context.Context, id, role string) error {
	if role != "" && roleRank[role] == 0 {
		return badRequest("role", "There is no role %q: use Reader, Responder, Contributor or Owner.", role)
	}
	return s.d.State.Tx(ctx, func(tx *state.Tx) error {
		u, err := scanAccount(tx.QueryRowContext(ctx, `SELECT `+accountColumns+` FROM web_account WHERE id=?`, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("account %s: %w", id, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if role != Owner {
			if err := keepsOwner(ctx, tx, u); err != nil {
				return err
			}
		}
		now := s.d.Now().UnixMicro()
		if role != "" {
			_, err := tx.ExecContext(ctx, `UPDATE web_account SET role=?, disabled=0, changed=? WHERE id=?`, role, now, id)
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE web_account SET disabled=1, changed=? WHERE id=?`, now, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM web_session WHERE account=?`, id)
		return err
	})
}

// keepsOwner refuses to take u away when no other enabled owner is left.
func keepsOwner(ctx context.Context, tx *state.Tx, u User) error {
	var others int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM web_account WHERE role=? AND disabled=0 AND id<>?`, Owner, u.ID).Scan(&others)
	if err != nil {
		return err
	}
	if others == 0 && u.Role == Owner && !u.Disabled {
		return &Error{Status: 409, Code: "LastOwner", Message: u.Name + " is the last owner: make another one first."}
	}
	return nil
}

// deleteAccount removes an account; what it did stays under its name.
func (s *Server) deleteAccount(w http.ResponseWriter, r *http.Request, by User) error {
	u, _, err := s.account(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	if u.ID == by.ID {
		return badRequest("", "You can't delete your own account: another owner can.")
	}
	err = s.d.State.Tx(r.Context(), func(tx *state.Tx) error {
		if err := keepsOwner(r.Context(), tx, u); err != nil {
			return err
		}
		_, err := tx.ExecContext(r.Context(), `DELETE FROM web_account WHERE id=?`, u.ID)
		return err
	})
	if err != nil {
		return err
	}
	s.changed(r.Context(), AccountChange{By: by, Action: "Delete user", User: u})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) changed(ctx context.Context, c AccountChange) {
	if s.d.AccountChanged != nil {
		s.d.AccountChanged(ctx, c)
	}
}
