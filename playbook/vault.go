package playbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/playbook/expr"
	"picket/state"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// SecretInfo is a secret of the vault without its value.
type SecretInfo struct {
	Name        string
	Version     string
	ContentType string
	Created     time.Time // of the first version
	Changed     time.Time
}

// Secret is a secret with its value.
type Secret struct {
	SecretInfo
	Value string
}

// ErrNoSecret is wrapped by errors about a secret that the vault doesn't have.
var ErrNoSecret = errors.New("no such secret")

var secretName = regexp.MustCompile(`^[0-9A-Za-z-]{1,127}$`)

const maxSecretValue = 25_000 // bytes, as Key Vault takes

// SetSecret stores a secret, sealed. Its values, old ones too, are masked in every run's history from now on.
func (e *Engine) SetSecret(ctx context.Context, name, value, contentType string) (*SecretInfo, error) {
	if !secretName.MatchString(name) {
		return nil, fail(400, "BadParameter", "The secret's name '%s' is not valid: 1 to 127 letters, digits and '-'.", name)
	}
	if value == "" || len(value) > maxSecretValue {
		return nil, fail(400, "BadParameter", "The secret's value has %d bytes; it must have 1 to %d.", len(value), maxSecretValue)
	}
	blob, err := e.seal.encode(value, true)
	if err != nil {
		return nil, err
	}
	i := &SecretInfo{Name: name, Version: strings.ReplaceAll(uuid.NewString(), "-", ""), ContentType: contentType, Changed: e.now(), Created: e.now()}
	err = e.commits.do(func(tx *state.Tx) error {
		var first sql.NullInt64
		if err := tx.QueryRow(`SELECT min(changed) FROM playbook_secret WHERE name=? AND gone=0`, name).Scan(&first); err != nil {
			return err
		}
		if first.Valid {
			i.Created = fromMicros(first.Int64)
		}
		_, err := tx.Exec(`INSERT INTO playbook_secret(name, version, content_type, value, changed, gone) VALUES(?,?,?,?,?,0)`, name, i.Version, contentType, blob, micros(i.Changed))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("store the secret %s: %w", name, err)
	}
	return i, e.loadVault(ctx)
}

// Secret reads a secret; version "" is the newest.
func (e *Engine) Secret(ctx context.Context, name, version string) (*Secret, error) {
	s := &Secret{}
	var blob []byte
	var changed, created int64
	err := e.db.QueryRow(ctx, `SELECT s.name, s.version, s.content_type, s.value, s.changed, (SELECT min(changed) FROM playbook_secret f WHERE f.name=s.name AND f.gone=0)
		FROM playbook_secret s WHERE s.name=? AND s.gone=0 AND (?='' OR s.version=?) ORDER BY s.changed DESC, s.rowid DESC LIMIT 1`, name, version, version).Scan(&s.Name, &s.Version, &s.ContentType, &blob, &changed, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("the vault has no secret '%s'; set it with 'picket secret set %s': %w", name, name, ErrNoSecret)
	}
	if err != nil {
		return nil, fmt.Errorf("read the secret %s: %w", name, err)
	}
	v, err := e.seal.decode(blob)
	if err != nil {
		return nil, fmt.Errorf("read the secret %s: %w", name, err)
	}
	s.Value = expr.Text(v)
	s.Changed, s.Created = fromMicros(changed), fromMicros(created)
	return s, nil
}

// Secrets lists the vault's secrets by name.
func (e *Engine) Secrets(ctx context.Context) ([]SecretInfo, error) {
	rows, err := e.db.Query(ctx, `SELECT s.name, s.version, s.content_type, (SELECT min(changed) FROM playbook_secret f WHERE f.name=s.name AND f.gone=0), s.changed FROM playbook_secret s
		WHERE s.rowid=(SELECT x.rowid FROM playbook_secret x WHERE x.name=s.name AND x.gone=0 ORDER BY x.changed DESC, x.rowid DESC LIMIT 1) ORDER BY s.name`)
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	defer rows.Close()
	out := []SecretInfo{}
	for rows.Next() {
		var s SecretInfo
		var first, last int64
		if err := rows.Scan(&s.Name, &s.Version, &s.ContentType, &first, &last); err != nil {
			return nil, err
		}
		s.Created, s.Changed = fromMicros(first), fromMicros(last)
		out = append(out, s)
	}
	return out, rows.Err()
}

// DeleteSecret takes a secret away. Its values stay sealed in the store, so that histories go on masking them.
func (e *Engine) DeleteSecret(_ context.Context, name string) error {
	var n int64
	err := e.commits.do(func(tx *state.Tx) error {
		res, err := tx.Exec(`UPDATE playbook_secret SET gone=1 WHERE name=? AND gone=0`, name)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return fmt.Errorf("delete the secret %s: %w", name, err)
	}
	if n == 0 {
		return fmt.Errorf("the vault has no secret '%s': %w", name, ErrNoSecret)
	}
	return nil
}

// loadVault reads the values to mask.
func (e *Engine) loadVault(ctx context.Context) error {
	rows, err := e.db.Query(ctx, `SELECT value FROM playbook_secret`)
	if err != nil {
		return fmt.Errorf("read the vault: %w", err)
	}
	defer rows.Close()
	list := []string{}
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return err
		}
		v, err := e.seal.decode(b)
		if err != nil {
			return fmt.Errorf("read the vault: %w", err)
		}
		if s := expr.Text(v); len(s) >= minSecret {
			list = append(list, s)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	e.vault.Store(&list)
	return nil
}

// hide adds the vault's values to what is masked.
func (e *Engine) hide(secrets []string) []string {
	v := e.vault.Load()
	if v == nil || len(*v) == 0 {
		return secrets
	}
	return append(secrets[:len(secrets):len(secrets)], *v...)
}
