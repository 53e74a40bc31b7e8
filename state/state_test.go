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

func TestVersions(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "s.db")
	one := []state.Migration{{Room: "x", Step: 1, SQL: `CREATE TABLE t(a INTEGER); INSERT INTO t VALUES(1)`}}
	two := append(one[:1:1], state.Migration{Room: "x", Step: 2, SQL: `ALTER TABLE t ADD COLUMN b TEXT`})
	bad := append(two[:2:2], state.Migration{Room: "x", Step: 3, SQL: `INSERT INTO t VALUES(2, 'y'); INSERT INTO nowhere VALUES(1)`})
	use := func(ms []state.Migration, f func(*state.DB)) error {
		t.Helper()
		db, err := state.Open(ctx, path, ms)
		if err != nil {
			return err
		}
		if f != nil {
			f(db)
		}
		return db.Close()
	}
	// a store of before there was a format
	if err := use(one, func(db *state.DB) {
		if err := db.Tx(ctx, func(tx *state.Tx) error { _, err := tx.ExecContext(ctx, `PRAGMA user_version = 0`); return err }); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	// an upgrade that fails in its last step leaves the older store
	if err := use(bad, nil); err == nil {
		t.Fatal("taken")
	}
	count := func(db *state.DB) (n, format int) {
		t.Helper()
		if err := db.QueryRow(ctx, `SELECT count(*) FROM t`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(ctx, `PRAGMA user_version`).Scan(&format); err != nil {
			t.Fatal(err)
		}
		return n, format
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	if err := use(one, func(db *state.DB) {
		if n, f := count(db); n != 1 || f != state.Format {
			t.Fatal(n, f)
		}
		if err := db.Backup(ctx, copied); err != nil {
			t.Fatal(err)
		}
		if err := db.Backup(ctx, copied); err == nil {
			t.Fatal("a backup is overwritten")
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := use(two, nil); err != nil {
		t.Fatal(err)
	}
	var ve *state.VersionError
	if err := use(one, nil); !errors.As(err, &ve) || ve.Room != "x" || ve.Have != 2 || ve.Can != 1 {
		t.Fatal(err)
	}
	if err := use(two, func(db *state.DB) {
		if err := db.Tx(ctx, func(tx *state.Tx) error { _, err := tx.ExecContext(ctx, `PRAGMA user_version = 9`); return err }); err != nil {
			t.Fatal(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := use(two, nil); !errors.As(err, &ve) || ve.Room != "" || ve.Have != 9 {
		t.Fatal(err)
	}
	path = copied // the copy is of before
	if err := use(one, func(db *state.DB) {
		if n, _ := count(db); n != 1 {
			t.Fatal(n)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
