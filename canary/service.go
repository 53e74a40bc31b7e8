package canary

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"net/http"
	"picket/canary/trip"
	"picket/state"
	"strings"
	"sync"
	"sync/atomic"
)

// Service keeps the tokens and tells about trips. Make it with [New], run it with [Service.Run].
type Service struct {
	d     Deps
	key   []byte // of this installation; read access, form tokens and signatures derive from it
	mu    sync.RWMutex
	ids   map[string]struct{} // every token that isn't deleted
	kick  chan struct{}       // something is due in the outbox
	guard *guard
	http  *http.Client // guarded
	pages *template.Template

	tailed atomic.Pointer[trip.Position] // rows are committed up to here; nil before the first commit
}

// ErrNotFound says that there is no such token.
var ErrNotFound = errors.New("canary: no such token")

// New checks the dependencies and loads the list of token ids.
func New(ctx context.Context, d Deps) (*Service, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	s := &Service{d: d, ids: map[string]struct{}{}, kick: make(chan struct{}, 1)}
	s.guard = newGuard(d.AllowWebhooks, d.AllowWebhookHosts, d.OnlyAllowed)
	s.http = s.guard.client()
	var err error
	if s.pages, err = parsePages(); err != nil {
		return nil, fmt.Errorf("canary: pages: %w", err)
	}
	if s.key, err = s.loadKey(ctx); err != nil {
		return nil, fmt.Errorf("canary: %w", err)
	}
	rows, err := d.State.Query(ctx, `SELECT id FROM canary_token`)
	if err != nil {
		return nil, fmt.Errorf("canary: load tokens: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("canary: load tokens: %w", err)
		}
		s.ids[id] = struct{}{}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("canary: load tokens: %w", err)
	}
	return s, nil
}

// Known says whether id is a token (enabled or not). It is the trip server's only question.
func (s *Service) Known(id string) bool {
	s.mu.RLock()
	_, ok := s.ids[id]
	s.mu.RUnlock()
	return ok
}

// loadKey reads the installation's key, or makes it.
func (s *Service) loadKey(ctx context.Context) (key []byte, err error) {
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM canary_key WHERE name='install'`).Scan(&key)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		key = make([]byte, 32)
		rand.Read(key)
		_, err = tx.ExecContext(ctx, `INSERT INTO canary_key(name, value) VALUES('install', ?)`, key)
		return err
	})
	return key, err
}

// mac is an HMAC-SHA256 of parts under the installation's key; purpose keeps uses apart.
func (s *Service) mac(purpose string, parts ...string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(purpose))
	for _, p := range parts {
		fmt.Fprintf(h, "|%d|%s", len(p), p)
	}
	return h.Sum(nil)
}

// ReadAuth is the 32 hex digits that give read access to one token: they go out with notifications.
func (s *Service) ReadAuth(id string) string {
	return hex.EncodeToString(s.mac("read", id)[:16])
}

// access is what a secret allows.
type access int

const (
	noAccess access = iota
	readAccess
	fullAccess
)

// check compares a secret with the token's, in constant time.
func (s *Service) check(ctx context.Context, id, auth string) (access, error) {
	auth = strings.ToLower(auth)
	if !validID(id) || len(auth) != 32 && len(auth) != 64 {
		return noAccess, nil
	}
	var hash []byte
	err := s.d.State.QueryRow(ctx, `SELECT auth_hash FROM canary_token WHERE id=?`, id).Scan(&hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return noAccess, fmt.Errorf("canary: %w", err)
	}
	exists := err == nil
	read := subtle.ConstantTimeCompare([]byte(auth), []byte(s.ReadAuth(id))) == 1
	sum := sha256.Sum256([]byte(auth))
	full := subtle.ConstantTimeCompare(sum[:], hash) == 1
	switch {
	case exists && full:
		return fullAccess, nil
	case exists && read:
		return readAccess, nil
	}
	return noAccess, nil
}

const idAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz"

// newTokenID gives 25 characters of 0-9a-z, about 129 bits.
func newTokenID() string {
	n := new(big.Int).Exp(big.NewInt(36), big.NewInt(trip.IDLen), nil)
	v, err := rand.Int(rand.Reader, n)
	if err != nil {
		panic(err) // crypto/rand.Reader never fails
	}
	b := make([]byte, trip.IDLen)
	d := new(big.Int)
	for i := range b {
		v.DivMod(v, big.NewInt(36), d)
		b[i] = idAlphabet[d.Int64()]
	}
	return string(b)
}

func validID(id string) bool {
	if len(id) != trip.IDLen {
		return false
	}
	for i := range len(id) {
		if c := id[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
			return false
		}
	}
	return true
}

// newSecret gives 256 random bits as hex, and the hash that is kept.
func newSecret() (secret string, hash []byte) {
	var b [32]byte
	rand.Read(b[:])
	secret = hex.EncodeToString(b[:])
	sum := sha256.Sum256([]byte(secret))
	return secret, sum[:]
}
