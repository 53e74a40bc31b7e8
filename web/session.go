package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"picket/state"
	"time"
)

// A session lives in one cookie with 256 random bits; the store holds only their hash. It ends sessionIdle
// after the last request, sessionLife after sign-in, at sign-out, and when the password changes.
const (
	sessionIdle = 8 * time.Hour
	sessionLife = 7 * 24 * time.Hour
	touchEvery  = time.Minute // how exactly the last request is remembered
	maxSessions = 50          // an account's; the oldest end first
)

// CSRFHeader carries the session's second secret on every request with an unsafe method.
const CSRFHeader = "X-Picket-CSRF"

func (s *Server) cookieName() string {
	if s.d.AllowHTTP {
		return "picket"
	}
	return "__Host-picket" // the prefix makes browsers insist on Secure, Path=/ and no Domain
}

func sessionHash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// csrfOf derives the CSRF value from the cookie: only who may read GET /api/v1/session learns it, and no
// other site may.
func csrfOf(token string) string {
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("picket csrf"))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (s *Server) startSession(ctx context.Context, w http.ResponseWriter, r *http.Request, u User) (csrf string, err error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	token := base64.RawURLEncoding.EncodeToString(raw)
	now := s.d.Now().UnixMicro()
	agent := r.UserAgent()
	if len(agent) > 256 {
		agent = agent[:256]
	}
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO web_session(hash, account, created, seen, peer, agent) VALUES(?,?,?,?,?,?)`,
			sessionHash(token), u.ID, now, now, s.peer(r), agent); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE account=?1 AND hash NOT IN
			(SELECT hash FROM web_session WHERE account=?1 ORDER BY seen DESC LIMIT ?2)`, u.ID, maxSessions)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("start session: %w", err)
	}
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: token, Path: "/", HttpOnly: true,
		Secure: !s.d.AllowHTTP, SameSite: http.SameSiteLaxMode, MaxAge: int(sessionLife / time.Second),
	})
	return csrfOf(token), nil
}

func (s *Server) clearCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Path: "/", HttpOnly: true, Secure: !s.d.AllowHTTP,
		SameSite: http.SameSiteLaxMode, MaxAge: -1,
	})
}

var errNoSession = errors.New("no session")

// session finds the user of a request's cookie; errNoSession when there is none that is valid.
func (s *Server) session(r *http.Request) (User, string, error) {
	c, err := r.Cookie(s.cookieName())
	if err != nil || len(c.Value) > 64 {
		return User{}, "", errNoSession
	}
	ctx := r.Context()
	hash := sessionHash(c.Value)
	var u User
	var created, seen int64
	err = s.d.State.QueryRow(ctx, `SELECT a.id, a.name, a.display, a.role, a.must_change, a.disabled, s.created, s.seen
		FROM web_session s JOIN web_account a ON a.id=s.account WHERE s.hash=?`, hash).
		Scan(&u.ID, &u.Name, &u.DisplayName, &u.Role, &u.MustChange, &u.Disabled, &created, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, "", errNoSession
	}
	if err != nil {
		return User{}, "", fmt.Errorf("read session: %w", err)
	}
	now := s.d.Now()
	if u.Disabled || now.Sub(time.UnixMicro(created)) > sessionLife || now.Sub(time.UnixMicro(seen)) > sessionIdle {
		return User{}, "", errNoSession
	}
	if now.Sub(time.UnixMicro(seen)) > touchEvery {
		err := s.d.State.Tx(ctx, func(tx *state.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE web_session SET seen=? WHERE hash=?`, now.UnixMicro(), hash)
			return err
		})
		if err != nil {
			return User{}, "", fmt.Errorf("remember session: %w", err)
		}
	}
	return u, c.Value, nil
}

func (s *Server) dropExpired(ctx context.Context) error {
	now := s.d.Now()
	return s.d.State.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE created<? OR seen<?`, now.Add(-sessionLife).UnixMicro(), now.Add(-sessionIdle).UnixMicro())
		return err
	})
}

type userKey struct{}

// SessionUser is the person whose valid session cookie came with the request, or who was set by [WithUser];
// false when there is none. Only requests that passed [Server.Authenticate] have the former.
func SessionUser(r *http.Request) (User, bool) {
	u, ok := r.Context().Value(userKey{}).(User)
	return u, ok
}

// Authenticate lets the routes of next take the session cookie. A request without a cookie, or with an
// Authorization header, passes through without a user: next decides on it. With a valid cookie the user is
// set for [SessionUser]; an unsafe method then needs the CSRF header, and an account that must change its
// password is refused (both 403). An invalid cookie is like none.
func (s *Server) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := SessionUser(r); known || r.Header.Get("Authorization") != "" {
			next.ServeHTTP(w, r)
			return
		}
		u, token, err := s.session(r)
		if errors.Is(err, errNoSession) {
			next.ServeHTTP(w, r)
			return
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if e := checkCSRF(r, token); e != nil {
			writeError(w, e)
			return
		}
		if u.MustChange {
			writeError(w, &Error{Status: 403, Code: "PasswordChangeRequired", Message: "Choose your own password first: sign in on the page."})
			return
		}
		next.ServeHTTP(w, WithUser(r, u))
	})
}

// checkCSRF demands the header for unsafe methods and, where the browser says it, the same origin.
func checkCSRF(r *http.Request, token string) *Error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if e := checkOrigin(r); e != nil {
		return e
	}
	if subtle.ConstantTimeCompare([]byte(r.Header.Get(CSRFHeader)), []byte(csrfOf(token))) != 1 {
		return &Error{Status: 403, Code: "InvalidCSRFToken", Message: "The request lacks a valid " + CSRFHeader + " header: reload the page."}
	}
	return nil
}

func checkOrigin(r *http.Request) *Error {
	bad := &Error{Status: 403, Code: "CrossOriginRefused", Message: "Another site may not do this with your session."}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return bad
	}
	if o := r.Header.Get("Origin"); o != "" {
		if u, err := url.Parse(o); err != nil || u.Host != r.Host {
			return bad
		}
	}
	return nil
}

// page wraps a handler of /api/v1: a session is required, its role must include need, CSRF is checked.
func (s *Server) page(need string, h func(w http.ResponseWriter, r *http.Request, u User) error) http.Handler {
	return s.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, ok := SessionUser(r)
		if !ok {
			writeError(w, &Error{Status: 401, Code: "SignInRequired", Message: "Sign in first."})
			return
		}
		if !u.Allows(need) {
			writeError(w, &Error{Status: 403, Code: "RoleRequired", Message: fmt.Sprintf("This needs the role %s; you are %s. An owner can change that.", need, u.Role)})
			return
		}
		if err := h(w, r, u); err != nil {
			s.fail(w, r, err)
		}
	}))
}
