package picket

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"picket/azure"
	"picket/state"

	"github.com/google/uuid"
)

func settingsMigrations() []state.Migration {
	return []state.Migration{{Room: "picket", Step: 1, SQL: `CREATE TABLE picket_setting(key TEXT PRIMARY KEY, value TEXT NOT NULL)`}}
}

// setting reads a setting that was made at first start, or makes it.
func (p *Picket) setting(ctx context.Context, key string, create func() string) (v string, err error) {
	err = p.state.Tx(ctx, func(tx *state.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM picket_setting WHERE key=?`, key).Scan(&v)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		v = create()
		_, err = tx.ExecContext(ctx, `INSERT INTO picket_setting(key, value) VALUES(?,?)`, key, v)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("setting %s: %w", key, err)
	}
	return v, nil
}

// setSetting changes a setting.
func (p *Picket) setSetting(ctx context.Context, key, v string) error {
	return p.state.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO picket_setting(key, value) VALUES(?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value`, key, v)
		return err
	})
}

func newKey() string {
	b := make([]byte, 64)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.StdEncoding.EncodeToString(b)
}

// loadWorkspace reads the workspace's ids and keys, which are made once.
func (p *Picket) loadWorkspace(ctx context.Context) error {
	w := azure.Workspace{ResourceGroup: p.cfg.ResourceGroup, Name: p.cfg.TenantName, Location: "local", SharedKeys: make([]string, 2)}
	for _, s := range []struct {
		key    string
		dst    *string
		create func() string
	}{
		{"workspace_id", &w.ID, uuid.NewString},
		{"tenant_id", &w.TenantID, uuid.NewString},
		{"subscription_id", &w.SubscriptionID, uuid.NewString},
		{"shared_key_primary", &w.SharedKeys[0], newKey},
		{"shared_key_secondary", &w.SharedKeys[1], newKey},
	} {
		v, err := p.setting(ctx, s.key, s.create)
		if err != nil {
			return err
		}
		*s.dst = v
	}
	p.ws = w
	return nil
}
