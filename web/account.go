package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"picket/state"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/crypto/argon2"
)

// Migrations is the page's part of the control store: accounts and sessions.
func Migrations() []state.Migration {
	return []state.Migration{{Room: "web", Step: 1, SQL: `
CREATE TABLE web_account(
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, display TEXT NOT NULL, role TEXT NOT NULL,
  hash TEXT NOT NULL, must_change INTEGER NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,
  created INTEGER NOT NULL, changed INTEGER NOT NULL);
CREATE TABLE web_session(
  hash BLOB PRIMARY KEY, account TEXT NOT NULL REFERENCES web_account(id) ON DELETE CASCADE,
  created INTEGER NOT NULL, seen INTEGER NOT NULL, peer TEXT NOT NULL, agent TEXT NOT NULL);
CREATE INDEX web_session_account ON web_session(account);
`}, {Room: "web", Step: 2, SQL: `
CREATE TABLE web_external(
  issuer TEXT NOT NULL, subject TEXT NOT NULL, account TEXT NOT NULL REFERENCES web_account(id) ON DELETE CASCADE,
  PRIMARY KEY(issuer, subject));
`}}
}

// The roles of an account, weakest first; the same names as on the Azure wire.
const (
	Reader      = "Reader"      // reads and queries
	Responder   = "Responder"   // works incidents
	Contributor = "Contributor" // changes rules, playbooks, tokens
	Owner       = "Owner"       // accounts too
)

var roleRank = map[string]int{Reader: 1, Responder: 2, Contributor: 3, Owner: 4}

// User is a signed-in person.
type User struct {
	ID          string `json:"id"` // GUID
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Role        string `json:"role"` // Reader, Responder, Contributor, Owner
	MustChange  bool   `json:"mustChangePassword"`
	Disabled    bool   `json:"disabled,omitempty"`
}

// Allows reports whether the user's role includes need.
func (u User) Allows(need string) bool {
	return roleRank[need] > 0 && roleRank[u.Role] >= roleRank[need]
}

// Argon2id parameters: OWASP's first choice (19 MiB, 2 passes, 1 lane). They stand in each hash, so that a
// change here leaves old hashes valid.
const (
	argonTime, argonMemory, argonLanes = 2, 19 * 1024, 1
	argonSalt, argonKey                = 16, 32

	minPassword, maxPassword = 12, 256 // characters, bytes
	maxName                  = 64
)

func (s *Server) hashPassword(ctx context.Context, password string) (string, error) {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	key, err := s.argon(ctx, password, salt, argonTime, argonMemory, argonLanes, argonKey)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes, b64(salt), b64(key)), nil
}

// argon hashes with at most cap(s.hashing) at a time, so that a flood of sign-ins cannot take all memory.
func (s *Server) argon(ctx context.Context, password string, salt []byte, t, m uint32, p uint8, n uint32) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.hashing }()
	return argon2.IDKey([]byte(password), salt, t, m, p, n), nil
}

func (s *Server) checkPassword(ctx context.Context, hash, password string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("stored password hash is damaged")
	}
	var m, t uint32
	var p uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil {
		return false, fmt.Errorf("stored password hash is damaged: %w", err)
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(err1, err2); err != nil {
		return false, fmt.Errorf("stored password hash is damaged: %w", err)
	}
	got, err := s.argon(ctx, password, salt, t, m, p, uint32(len(want)))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

func checkNewPassword(name, password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return badRequest("password", "The password needs at least %d characters.", minPassword)
	case len(password) > maxPassword:
		return badRequest("password", "The password may have at most %d bytes.", maxPassword)
	case strings.EqualFold(password, name):
		return badRequest("password", "The password must differ from the name.")
	}
	return nil
}

// EnsureOwner makes the first account, "admin" with role Owner, when there is no account at all, and returns
// its generated password: the only time it is ever told. mustChange makes the app ask for an own password at
// the first sign-in.
func (s *Server) EnsureOwner(ctx context.Context, mustChange bool) (password string, created bool, err error) {
	var n int
	if err := s.d.State.QueryRow(ctx, `SELECT count(*) FROM web_account`).Scan(&n); err != nil {
		return "", false, fmt.Errorf("count accounts: %w", err)
	}
	if n > 0 {
		return "", false, nil
	}
	password = generatePassword()
	if _, err := s.CreateAccount(ctx, "admin", "Administrator", Owner, password, mustChange); err != nil {
		return "", false, err
	}
	return password, true, nil
}

// generatePassword gives 5 groups of 4 letters and digits without look-alikes: 20 of 31 characters, 99 bits.
func generatePassword() string {
	const set = "abcdefghjkmnpqrstuvwxyz23456789"
	var b strings.Builder
	for i := 0; i < 20; {
		var one [1]byte
		_, _ = rand.Read(one[:])             // never fails (crypto/rand)
		if int(one[0]) >= 256-256%len(set) { // keep the draw even
			continue
		}
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(set[int(one[0])%len(set)])
		i++
	}
	return b.String()
}

// CreateAccount adds an account. Names are unique whatever their case.
func (s *Server) CreateAccount(ctx context.Context, name, display, role, password string, mustChange bool) (User, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return User{}, badRequest("name", "The name needs 1 to %d characters without control characters.", maxName)
	}
	if roleRank[role] == 0 {
		return User{}, badRequest("role", "There is no role %q: use Reader, Responder, Contributor or Owner.", role)
	}
	if display == "" {
		display = name
	}
	if utf8.RuneCountInString(display) > 4*maxName {
		return User{}, badRequest("displayName", "The display name may have at most %d characters.", 4*maxName)
	}
	if err := checkNewPassword(name, password); err != nil {
		return User{}, err
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return User{}, err
	}
	u := User{ID: uuid.NewString(), Name: name, DisplayName: display, Role: role, MustChange: mustChange}
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM web_account WHERE name=?`, name).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return &Error{Status: 409, Code: "Conflict", Target: "name", Message: fmt.Sprintf("There is an account %q already.", name)}
		}
		now := s.d.Now().UnixMicro()
		_, err := tx.ExecContext(ctx, `INSERT INTO web_account(id, name, display, role, hash, must_change, created, changed) VALUES(?,?,?,?,?,?,?,?)`,
			u.ID, name, display, role, hash, mustChange, now, now)
		return err
	})
	if err != nil {
		return User{}, fmt.Errorf("create account %s: %w", name, err)
	}
	return u, nil
}

// setPassword replaces an account's password and ends its sessions, save the one whose cookie hash is keep.
func (s *Server) setPassword(ctx context.Context, u User, password string, mustChange bool, keep []byte) error {
	if err := checkNewPassword(u.Name, password); err != nil {
		return err
	}
	hash, err := s.hashPassword(ctx, password)
	if err != nil {
		return err
	}
	return s.d.State.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE web_account SET hash=?, must_change=?, changed=? WHERE id=?`, hash, mustChange, s.d.Now().UnixMicro(), u.ID); err != nil {
			return err
		}
		if keep == nil {
			keep = []byte{}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM web_session WHERE account=? AND hash<>?`, u.ID, keep)
		return err
	})
}

// ResetPassword gives the account a generated password that must be changed at the next sign-in, and ends its
// sessions; for `picket account reset` and owners.
func (s *Server) ResetPassword(ctx context.Context, name string) (password string, err error) {
	u, hash, err := s.account(ctx, name)
	if err != nil {
		return "", err
	}
	if hash == externalHash {
		return "", &Error{Status: 409, Code: "ExternalAccount", Message: u.Name + " has no password here: it signs in with an identity provider."}
	}
	password = generatePassword()
	return password, s.setPassword(ctx, u, password, true, nil)
}

func (s *Server) account(ctx context.Context, name string) (u User, hash string, err error) {
	err = s.d.State.QueryRow(ctx, `SELECT id, name, display, role, must_change, disabled, hash FROM web_account WHERE name=?`, name).
		Scan(&u.ID, &u.Name, &u.DisplayName, &u.Role, &u.MustChange, &u.Disabled, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return u, "", fmt.Errorf("account %q: %w", name, ErrNotFound)
	}
	return u, hash, err
}

// signIn checks name and password. The answer takes as long for an unknown name as for a wrong password.
func (s *Server) signIn(ctx context.Context, peer, name, password string) (User, error) {
	keys := throttleKeys(name, peer)
	if w := s.throttle.wait(keys...); w > 0 {
		secs := int((w + time.Second - 1) / time.Second)
		return User{}, &throttled{secs: secs}
	}
	u, hash, err := s.account(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, err
	}
	known := err == nil && !u.Disabled && hash != externalHash && len(password) <= maxPassword
	if !known {
		if _, err := s.argon(ctx, "absent", make([]byte, argonSalt), argonTime, argonMemory, argonLanes, argonKey); err != nil {
			return User{}, err
		}
	}
	ok := false
	if known {
		if ok, err = s.checkPassword(ctx, hash, password); err != nil {
			return User{}, err
		}
	}
	if !ok {
		s.throttle.failed(keys...)
		s.d.Log.Warn("sign-in refused", "name", name, "peer", peer)
		return User{}, &Error{Status: 401, Code: "InvalidCredentials", Message: "The name or the password is wrong."}
	}
	s.throttle.succeeded(keys[0])
	return u, nil
}

type throttled struct{ secs int }

func (t *throttled) Error() string {
	return fmt.Sprintf("too many failed sign-ins: try again in %d s", t.secs)
}
