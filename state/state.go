// Package state is picket's small transactional store of control state: rules, incidents, runs, tokens,
// accounts. Rows of logs never live here (they live in the lake).
//
// Each room owns its tables: it lists [Migration]s and reads and writes through [DB.Tx]. Times are stored as
// INTEGER unix microseconds (UTC), documents as TEXT JSON.
//
//	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), detect.Migrations(), canary.Migrations())
//	err = db.Tx(ctx, func(tx *state.Tx) error { _, err := tx.ExecContext(ctx, `INSERT …`); return err })
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// Migration is one step of one room's schema. Steps of a room run in the order given, each once.
type Migration struct {
	Room string // the owning room, "detect"
	Step int    // 1, 2, …: never reused, never changed once released
	SQL  string // one or more statements
}

// DB is an open store. One writer at a time; readers don't block.
type DB struct {
	w *sql.DB // one connection: every write transaction, begun immediate
	r *sql.DB // read-only pool
}

// Tx is a transaction.
type Tx = sql.Tx

// Format is the version of the store's own layout, kept in the file's user_version; rooms have their steps besides.
const Format = 1

// VersionError says that a newer picket wrote the store. Nothing was changed.
type VersionError struct {
	Path      string
	Room      string // whose schema is newer, "" for the store's own layout
	Have, Can int
}

func (e *VersionError) Error() string {
	what := "has format"
	if e.Room != "" {
		what = "has the schema of " + e.Room + " at step"
	}
	return fmt.Sprintf("%s %s %d; this program knows up to %d: use the newer program, or put back the copy made before the upgrade", e.Path, what, e.Have, e.Can)
}

// Open opens or creates the store at path and brings every room's schema up to date, all in one transaction: a crash
// in the middle leaves the older store. Commits are durable (WAL with synchronous=FULL): when Tx returns nil the
// change survives a crash. A store that a newer program wrote is refused with a *[VersionError].
func Open(ctx context.Context, path string, rooms ...[]Migration) (*DB, error) {
	dsn := func(extra string) string {
		q := url.Values{}
		for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(10000)"} {
			q.Add("_pragma", p)
		}
		return "file:" + path + "?" + q.Encode() + extra
	}
	w, err := sql.Open("sqlite", dsn("&_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	w.SetMaxOpenConns(1)
	db := &DB{w: w}
	if err := db.migrate(ctx, path, rooms); err != nil {
		w.Close()
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	db.r, err = sql.Open("sqlite", dsn("&_pragma=query_only(1)"))
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	db.r.SetMaxOpenConns(4)
	return db, nil
}

func (db *DB) migrate(ctx context.Context, path string, rooms [][]Migration) error {
	return db.Tx(ctx, func(tx *Tx) error {
		var format int
		if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&format); err != nil {
			return err
		}
		if format > Format {
			return &VersionError{Path: path, Have: format, Can: Format}
		}
		if format < Format {
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, Format)); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_step(room TEXT NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(room, step))`); err != nil {
			return err
		}
		newest := map[string]int{}
		for _, ms := range rooms {
			for _, m := range ms {
				newest[m.Room] = max(newest[m.Room], m.Step)
			}
		}
		for room, can := range newest {
			var have int
			if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(step), 0) FROM schema_step WHERE room=?`, room).Scan(&have); err != nil {
				return err
			}
			if have > can {
				return &VersionError{Path: path, Room: room, Have: have, Can: can}
			}
		}
		for _, ms := range rooms {
			for _, m := range ms {
				var n int
				if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM schema_step WHERE room=? AND step=?`, m.Room, m.Step).Scan(&n); err != nil {
					return err
				}
				if n > 0 {
					continue
				}
				if _, err := tx.ExecContext(ctx, m.SQL); err != nil {
					return fmt.Errorf("migrate %s step %d: %w", m.Room, m.Step, err)
				}
				if _, err := tx.ExecContext(ctx, `INSERT INTO schema_step(room, step, at) VALUES(?,?,?)`, m.Room, m.Step, time.Now().UnixMicro()); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Tx runs f in a write transaction: committed durably if f returns nil, rolled back otherwise. f must not
// call Tx again (there is one writer) and must not do slow work.
func (db *DB) Tx(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.w.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		if rb := tx.Rollback(); rb != nil && !errors.Is(rb, sql.ErrTxDone) {
			return fmt.Errorf("%w (and rollback: %v)", err, rb)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Backup writes a consistent copy of the store to a new file, while it is in use.
func (db *DB) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("back up the state to %s: there is something already", path)
	}
	if _, err := db.w.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		return fmt.Errorf("back up the state to %s: %w", path, err)
	}
	for _, name := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("back up the state: %w", err)
		}
		err = f.Sync()
		f.Close()
		if err != nil {
			return fmt.Errorf("back up the state: fsync %s: %w", name, err)
		}
	}
	return nil
}

// Query reads outside any write transaction; the caller closes the rows.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.r.QueryContext(ctx, query, args...)
}

// QueryRow reads one row outside any write transaction.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return db.r.QueryRowContext(ctx, query, args...)
}

// Close closes the store.
func (db *DB) Close() error {
	err := db.r.Close()
	if e := db.w.Close(); err == nil {
		err = e
	}
	return err
}
