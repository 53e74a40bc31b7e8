package state_test

import (
	"context"
	"errors"
	"path/filepath"
	"picket/state"
	"testing"
)

func TestOpenMigratesOnceAndRollsBack(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "s.db")
	ms := []state.Migration{{Room: "x", Step: 1, SQL: `CREATE TABLE t(a INTEGER)`}}
	db, err := state.Open(ctx, path, ms)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err = db.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO t VALUES(1)`); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	if err := db.Tx(ctx, func(tx *state.Tx) error { _, err := tx.ExecContext(ctx, `INSERT INTO t VALUES(2)`); return err }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ms = append(ms, state.Migration{Room: "x", Step: 2, SQL: `ALTER TABLE t ADD COLUMN b TEXT; INSERT INTO t VALUES(3,'y')`})
	db, err = state.Open(ctx, path, ms)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n, sum int
	if err := db.QueryRow(ctx, `SELECT count(*), sum(a) FROM t`).Scan(&n, &sum); err != nil {
		t.Fatal(err)
	}
	if n != 2 || sum != 5 {
		t.Fatalf("got %d rows, sum %d", n, sum)
	}
}
