package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"picket/state"
	"strconv"
	"time"
)

// Session and account routes.
//
//	GET    /api/v1/session           → sessionInfo; user is null when signed out
//	POST   /api/v1/session           {name, password} → sessionInfo, sets the cookie
//	DELETE /api/v1/session           signs out
//	POST   /api/v1/password          {current, new}: ends the account's other sessions
//	GET    /api/v1/accounts          {value: [account]} (Owner)
//	POST   /api/v1/accounts          {name, displayName, role} → {account, password} (Owner)
//	PATCH  /api/v1/accounts/{name}   {displayName?, role?, disabled?} (Owner)
//	DELETE /api/v1/accounts/{name}   (Owner)
//	POST   /api/v1/accounts/{name}/reset → {password} (Owner)
//	GET    /api/v1/sessions          {value: [{id, created, seen, peer, agent, current}]} of the user
//	DELETE /api/v1/sessions          ends the user's other sessions
func (s *Server) sessionRoutes() {
	s.mux.HandleFunc("GET /api/v1/session", s.getSession)
	s.mux.HandleFunc("POST /api/v1/session", s.postSession)
	s.mux.HandleFunc("DELETE /api/v1/session", s.deleteSession)
	s.mux.HandleFunc("POST /api/v1/password", s.postPassword)
	s.mux.Handle("GET /api/v1/accounts", s.page(Owner, s.getAccounts))
	s.mux.Handle("POST /api/v1/accounts", s.page(Owner, s.postAccount))
	s.mux.Handle("PATCH /api/v1/accounts/{name}", s.page(Owner, s.patchAccount))
	s.mux.Handle("DELETE /api/v1/accounts/{name}", s.page(Owner, s.deleteAccount))
	s.mux.Handle("POST /api/v1/accounts/{name}/reset", s.page(Owner, s.resetAccount))
	s.mux.Handle("GET /api/v1/sessions", s.page(Reader, s.getSessions))
	s.mux.Handle("DELETE /api/v1/sessions", s.page(Reader, s.deleteSessions))
}

// sessionInfo is all that the app needs to start.
type sessionInfo struct {
	User      *User             `json:"user"` // null: signed out
	CSRF      string            `json:"csrf,omitempty"`
	Workspace *Workspace        `json:"workspace,omitempty"`
	Version   string            `json:"version,omitempty"`
	Demo      bool              `json:"demo,omitempty"`
	SSO       string            `json:"sso,omitempty"` // signed out: the text of the provider's button
	TripURL   string            `json:"tripUrl,omitempty"`
	HostMap   map[string]string `json:"hostMap,omitempty"`
	Rooms     map[string]bool   `json:"rooms,omitempty"` // tokens, playbooks, rules, geo: which are there
}

func (s *Server) info(u User, csrf string) sessionInfo {
	return sessionInfo{
		User: &u, CSRF: csrf, Workspace: &s.d.Workspace, Version: s.d.Version, Demo: s.d.Demo, TripURL: s.d.TripURL,
		HostMap: s.d.HostMap, Rooms: map[string]bool{"tokens": s.d.Tokens != nil, "playbooks": s.d.Playbooks != nil, "rules": s.d.Rules != nil, "geo": s.d.Geo != nil, "runPlaybook": s.d.RunPlaybook != nil},
	}
}

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) {
	if u, ok := SessionUser(r); ok {
		writeJSON(w, 200, s.info(u, ""))
		return
	}
	u, token, err := s.session(r)
	switch {
	case errors.Is(err, errNoSession):
		writeJSON(w, 200, sessionInfo{Demo: s.d.Demo, SSO: s.d.SSO})
	case err != nil:
		s.fail(w, r, err)
	default:
		writeJSON(w, 200, s.info(u, csrfOf(token)))
	}
}

func (s *Server) postSession(w http.ResponseWriter, r *http.Request) {
	if e := checkOrigin(r); e != nil {
		writeError(w, e)
		return
	}
	var in struct{ Name, Password string }
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	u, err := s.signIn(r.Context(), s.peer(r), in.Name, in.Password)
	s.signedIn(r, in.Name, u, err)
	if err != nil {
		var t *throttled
		if errors.As(err, &t) {
			w.Header().Set("Retry-After", strconv.Itoa(t.secs))
			err = &Error{Status: 429, Code: "TooManyAttempts", Message: fmt.Sprintf("Too many failed sign-ins. Try again in %s.", time.Duration(t.secs)*time.Second)}
		}
		s.fail(w, r, err)
		return
	}
	csrf, err := s.startSession(r.Context(), w, r, u)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, 200, s.info(u, csrf))
}

// signedIn tells of an attempt to sign in. A name that is no account's is not told: it may be a password in the wrong
// field.
func (s *Server) signedIn(r *http.Request, name string, u User, err error) {
	if s.d.SignedIn == nil {
		return
	}
	e := SignIn{User: u, Peer: s.peer(r), Agent: r.UserAgent(), Protocol: "password"}
	if err != nil {
		e.Err = err.Error()
		known, ok, _ := s.Account(r.Context(), name) // only for the record: its failure changes nothing
		if e.User = known; !ok {
			e.User = User{Name: "unknown"}
		}
	}
	s.d.SignedIn(r.Context(), e)
}

func (s *Server) deleteSession(w http.ResponseWriter, r *http.Request) {
	_, token, err := s.session(r)
	if err == nil {
		if e := checkCSRF(r, token); e != nil {
			writeError(w, e)
			return
		}
		err = s.d.State.Tx(r.Context(), func(tx *state.Tx) error {
			_, err := tx.ExecContext(r.Context(), `DELETE FROM web_session WHERE hash=?`, sessionHash(token))
			return err
		})
	}
	if err != nil && !errors.Is(err, errNoSession) {
		s.fail(w, r, err)
		return
	}
	s.clearCookie(w)
	w.WriteHeader(http.StatusNoContent)
}

// postPassword stands outside page: an account that must change its password is let in only here.
func (s *Server) postPassword(w http.ResponseWriter, r *http.Request) {
	u, token, err := s.session(r)
	if errors.Is(err, errNoSession) {
		err = &Error{Status: 401, Code: "SignInRequired", Message: "Sign in first."}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if e := checkCSRF(r, token); e != nil {
		writeError(w, e)
		return
	}
	var in struct{ Current, New string }
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	if in.New == in.Current {
		s.fail(w, r, badRequest("new", "The new password is the old one."))
		return
	}
	if _, err := s.signIn(r.Context(), s.peer(r), u.Name, in.Current); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Status == 401 {
			err = badRequest("current", "The current password is wrong.")
		}
		var t *throttled
		if errors.As(err, &t) {
			err = &Error{Status: 429, Code: "TooManyAttempts", Message: t.Error()}
		}
		s.fail(w, r, err)
		return
	}
	if err := s.setPassword(r.Context(), u, in.New, false, sessionHash(token)); err != nil {
		s.fail(w, r, err)
		return
	}
	u.MustChange = false
	s.changed(r.Context(), AccountChange{By: u, Action: "Change user password", User: u})
	writeJSON(w, 200, s.info(u, csrfOf(token)))
}

func (s *Server) getAccounts(w http.ResponseWriter, r *http.Request, _ User) error {
	rows, err := s.d.State.Query(r.Context(), `SELECT a.id, a.name, a.display, a.role, a.must_change, a.disabled, max(s.seen), coalesce(max(e.issuer), '')
		FROM web_account a LEFT JOIN web_session s ON s.account=a.id LEFT JOIN web_external e ON e.account=a.id GROUP BY a.id ORDER BY a.name`)
	if err != nil {
		return err
	}
	defer rows.Close()
	type account struct {
		User
		LastSeen *time.Time `json:"lastSeen,omitempty"`
		Issuer   string     `json:"issuer,omitempty"` // the provider that it signs in with; "" is a password
	}
	out := []account{}
	for rows.Next() {
		var a account
		var seen *int64
		if err := rows.Scan(&a.ID, &a.Name, &a.DisplayName, &a.Role, &a.MustChange, &a.Disabled, &seen, &a.Issuer); err != nil {
			return err
		}
		if seen != nil {
			t := time.UnixMicro(*seen).UTC()
			a.LastSeen = &t
		}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	writeJSON(w, 200, map[string]any{"value": out})
	return nil
}

func (s *Server) postAccount(w http.ResponseWriter, r *http.Request, by User) error {
	var in struct{ Name, DisplayName, Role string }
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	password := generatePassword()
	u, err := s.CreateAccount(r.Context(), in.Name, in.DisplayName, in.Role, password, true)
	if err != nil {
		return err
	}
	s.changed(r.Context(), AccountChange{By: by, Action: "Add user", User: u, Detail: map[string]string{"role": u.Role}})
	writeJSON(w, 201, map[string]any{"account": u, "password": password})
	return nil
}

func (s *Server) patchAccount(w http.ResponseWriter, r *http.Request, by User) error {
	var in struct {
		DisplayName, Role *string
		Disabled          *bool
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	ctx := r.Context()
	u, _, err := s.account(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	if in.Role != nil && roleRank[*in.Role] == 0 {
		return badRequest("role", "There is no role %q: use Reader, Responder, Contributor or Owner.", *in.Role)
	}
	if u.ID == by.ID && (in.Disabled != nil && *in.Disabled || in.Role != nil && *in.Role != Owner) {
		return badRequest("role", "You can't take your own ownership away: another owner can.")
	}
	set := func(dst *string, v *string) {
		if v != nil {
			*dst = *v
		}
	}
	set(&u.DisplayName, in.DisplayName)
	set(&u.Role, in.Role)
	if in.Disabled != nil {
		u.Disabled = *in.Disabled
	}
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE web_account SET display=?, role=?, disabled=?, changed=? WHERE id=?`,
			u.DisplayName, u.Role, u.Disabled, s.d.Now().UnixMicro(), u.ID); err != nil {
			return err
		}
		if u.Disabled {
			_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE account=?`, u.ID)
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.changed(ctx, AccountChange{By: by, Action: "Update user", User: u, Detail: map[string]string{"role": u.Role, "disabled": strconv.FormatBool(u.Disabled), "displayName": u.DisplayName}})
	writeJSON(w, 200, u)
	return nil
}

func (s *Server) resetAccount(w http.ResponseWriter, r *http.Request, by User) error {
	password, err := s.ResetPassword(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	s.changed(r.Context(), AccountChange{By: by, Action: "Reset user password", User: User{Name: r.PathValue("name")}})
	writeJSON(w, 200, map[string]any{"password": password})
	return nil
}

func (s *Server) getSessions(w http.ResponseWriter, r *http.Request, u User) error {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return err
	}
	own := string(sessionHash(c.Value))
	rows, err := s.d.State.Query(r.Context(), `SELECT hash, created, seen, peer, agent FROM web_session WHERE account=? ORDER BY seen DESC`, u.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	type one struct {
		Created time.Time `json:"created"`
		Seen    time.Time `json:"seen"`
		Peer    string    `json:"peer"`
		Agent   string    `json:"agent"`
		Current bool      `json:"current"`
	}
	out := []one{}
	for rows.Next() {
		var hash []byte
		var created, seen int64
		var o one
		if err := rows.Scan(&hash, &created, &seen, &o.Peer, &o.Agent); err != nil {
			return err
		}
		o.Created, o.Seen, o.Current = time.UnixMicro(created).UTC(), time.UnixMicro(seen).UTC(), string(hash) == own
		out = append(out, o)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	writeJSON(w, 200, map[string]any{"value": out})
	return nil
}

func (s *Server) deleteSessions(w http.ResponseWriter, r *http.Request, u User) error {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return err
	}
	if err := s.endSessions(r.Context(), u.ID, sessionHash(c.Value)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) endSessions(ctx context.Context, account string, keep []byte) error {
	return s.d.State.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE account=? AND hash<>?`, account, keep)
		return err
	})
}
