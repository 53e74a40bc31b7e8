// Package duck is a thin way to DuckDB: open, run SQL, read results straight into value vectors, append vectors
// straight into tables. It goes to DuckDB's C interface below database/sql, so that a cell costs no boxing and a
// result streams while it is computed.
//
//	db, err := duck.Open("lake.duckdb", map[string]string{"memory_limit": "1GB"})
//	c, err := db.Conn()
//	err = c.Query(ctx, `SELECT 42::BIGINT`, nil, value.Schema{{Name: "x", Type: value.Long}}, func(f *value.Frame) error { … })
package duck

import (
	"context"
	"errors"
	"fmt"
	"math"
	"picket/kql/value"
	"strings"
	"sync"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// DB is an open database. It is safe for concurrent use; a [Conn] is not.
type DB struct {
	mu sync.Mutex
	db duckdb.Database
}

// Error is an error of DuckDB.
type Error struct {
	Kind string // DuckDB's word before "Error": "Conversion", "IO", "FATAL", "INTERRUPT", …
	Msg  string
}

func (e *Error) Error() string { return e.Msg }

// Fatal says that the database must be closed and opened again.
func (e *Error) Fatal() bool { return e.Kind == "FATAL" || e.Kind == "INTERNAL" }

func newError(msg string) *Error {
	kind, _, ok := strings.Cut(msg, " Error:")
	if !ok || len(kind) > 40 {
		kind = ""
	}
	return &Error{Kind: kind, Msg: msg}
}

// IsFull reports whether err says that the disk, or the room for temporary files, is full.
func IsFull(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return strings.Contains(e.Msg, "No space left on device") || strings.Contains(e.Msg, "Disk quota exceeded") || strings.Contains(e.Msg, "File too large")
}

// IsFatal reports whether the database must be opened anew.
func IsFatal(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Fatal()
}

// Open opens or creates the database file ("" is in memory) with DuckDB's settings.
func Open(path string, settings map[string]string) (*DB, error) {
	var cfg duckdb.Config
	if duckdb.CreateConfig(&cfg) == duckdb.StateError {
		return nil, errors.New("duckdb: no configuration")
	}
	defer duckdb.DestroyConfig(&cfg)
	for k, v := range settings {
		if duckdb.SetConfig(cfg, k, v) == duckdb.StateError {
			return nil, fmt.Errorf("duckdb: setting %s = %q is refused", k, v)
		}
	}
	d := &DB{}
	var msg string
	if duckdb.OpenExt(path, &d.db, cfg, &msg) == duckdb.StateError {
		duckdb.Close(&d.db)
		return nil, fmt.Errorf("open %s: %w", path, newError(msg))
	}
	return d, nil
}

// Close closes the database; connections must be closed before.
func (d *DB) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db.Ptr != nil {
		duckdb.Close(&d.db)
	}
}

// Conn makes a connection.
func (d *DB) Conn() (*Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db.Ptr == nil {
		return nil, errors.New("duckdb: the database is closed")
	}
	c := &Conn{}
	if duckdb.Connect(d.db, &c.c) == duckdb.StateError {
		return nil, errors.New("duckdb: no connection")
	}
	return c, nil
}

// Conn is one connection: one statement at a time.
type Conn struct {
	c duckdb.Connection
}

// Close ends the connection and rolls back what it left open.
func (c *Conn) Close() {
	if c.c.Ptr != nil {
		duckdb.Disconnect(&c.c)
	}
}

// guard runs f; when ctx ends first it interrupts DuckDB until f returns.
func (c *Conn) guard(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return f()
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-done:
			return
		case <-ctx.Done():
		}
		t := time.NewTicker(2 * time.Millisecond)
		defer t.Stop()
		for {
			duckdb.Interrupt(c.c)
			select {
			case <-done:
				return
			case <-t.C:
			}
		}
	}()
	err := f()
	close(done)
	<-gone
	if err != nil && ctx.Err() != nil {
		var e *Error
		if errors.As(err, &e) && e.Kind == "INTERRUPT" {
			return context.Cause(ctx)
		}
	}
	return err
}

// Exec runs one or more statements (arguments go to the last) and gives the rows that the last one changed.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (changed int64, err error) {
	err = c.guard(ctx, func() error {
		return c.each(sql, args, func(st duckdb.PreparedStatement, last bool) (bool, error) {
			return false, execute(st, &changed)
		})
	})
	return changed, err
}

func execute(st duckdb.PreparedStatement, changed *int64) error {
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.ExecutePrepared(st, &res) == duckdb.StateError {
		return newError(duckdb.ResultError(&res))
	}
	if changed != nil {
		*changed = int64(duckdb.RowsChanged(&res))
	}
	return nil
}

// each prepares the statements one after the other and hands them to f, which says whether it keeps the statement.
func (c *Conn) each(sql string, args []any, f func(st duckdb.PreparedStatement, last bool) (keep bool, err error)) error {
	if strings.IndexByte(sql, 0) >= 0 {
		return errors.New("duckdb: the SQL holds a zero byte")
	}
	var all duckdb.ExtractedStatements
	n := duckdb.ExtractStatements(c.c, sql, &all)
	defer duckdb.DestroyExtracted(&all)
	if n == 0 {
		if msg := duckdb.ExtractStatementsError(all); msg != "" {
			return newError(msg)
		}
		return errors.New("duckdb: no statement in the SQL")
	}
	for i := duckdb.IdxT(0); i < n; i++ {
		var st duckdb.PreparedStatement
		if duckdb.PrepareExtractedStatement(c.c, all, i, &st) == duckdb.StateError {
			err := newError(duckdb.PrepareError(st))
			duckdb.DestroyPrepare(&st)
			return err
		}
		last := i == n-1
		var err error
		if last {
			err = bind(st, args)
		}
		keep := false
		if err == nil {
			keep, err = f(st, last)
		}
		if !keep {
			duckdb.DestroyPrepare(&st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// EpochTicks is 1970-01-01 in KQL ticks.
const EpochTicks = 621355968000000000

func bind(st duckdb.PreparedStatement, args []any) error {
	if want := int(duckdb.NParams(st)); want != len(args) {
		return fmt.Errorf("duckdb: the statement has %d parameters, %d arguments were given", want, len(args))
	}
	for k, a := range args {
		i := duckdb.IdxT(k + 1)
		var s duckdb.State
		switch a := a.(type) {
		case nil:
			s = duckdb.BindNull(st, i)
		case bool:
			s = duckdb.BindBoolean(st, i, a)
		case int:
			s = duckdb.BindInt64(st, i, int64(a))
		case int32:
			s = duckdb.BindInt32(st, i, a)
		case int64:
			s = duckdb.BindInt64(st, i, a)
		case float64:
			s = duckdb.BindDouble(st, i, a)
		case string:
			a = strings.ToValidUTF8(a, "\uFFFD")
			s = duckdb.BindVarcharLength(st, i, a, duckdb.IdxT(len(a)))
		case []byte:
			s = duckdb.BindBlob(st, i, a)
		case time.Time:
			s = duckdb.BindTimestampTZ(st, i, duckdb.NewTimestamp(a.UnixMicro()))
		case value.Value:
			var err error
			if s, err = bindValue(st, i, a); err != nil {
				return err
			}
		default:
			return fmt.Errorf("duckdb: argument %d has the type %T, which can't be bound", k+1, a)
		}
		if s == duckdb.StateError {
			return fmt.Errorf("duckdb: argument %d (%T) is refused: %s", k+1, a, duckdb.PrepareError(st))
		}
	}
	return nil
}

// bindValue binds a KQL scalar in its storage form: datetimes as microseconds (a seventh digit is cut), timespans
// as ticks, decimals and dynamics as text.
func bindValue(st duckdb.PreparedStatement, i duckdb.IdxT, v value.Value) (duckdb.State, error) {
	if v.Null {
		return duckdb.BindNull(st, i), nil
	}
	switch v.Type {
	case value.Bool:
		return duckdb.BindBoolean(st, i, v.I != 0), nil
	case value.Int:
		return duckdb.BindInt32(st, i, int32(v.I)), nil
	case value.Long, value.Timespan:
		return duckdb.BindInt64(st, i, v.I), nil
	case value.Real:
		return duckdb.BindDouble(st, i, v.F), nil
	case value.String:
		v.S = strings.ToValidUTF8(v.S, "\uFFFD")
		return duckdb.BindVarcharLength(st, i, v.S, duckdb.IdxT(len(v.S))), nil
	case value.Datetime:
		return duckdb.BindTimestampTZ(st, i, duckdb.NewTimestamp(Micros(v.I))), nil
	case value.Decimal:
		s := v.M.String()
		return duckdb.BindVarcharLength(st, i, s, duckdb.IdxT(len(s))), nil
	case value.GUID:
		u := duckdb.CreateUUID(uuidValue(v.G))
		defer duckdb.DestroyValue(&u)
		return duckdb.BindValue(st, i, u), nil
	case value.Dynamic:
		s := value.AppendJSON(nil, v.D)
		return duckdb.BindVarcharLength(st, i, string(s), duckdb.IdxT(len(s))), nil
	}
	return 0, fmt.Errorf("duckdb: a value of type %s can't be bound", v.Type)
}

// Micros turns ticks into microseconds since 1970, rounding down.
func Micros(ticks int64) int64 {
	t := ticks - EpochTicks
	m := t / 10
	if t%10 < 0 {
		m--
	}
	return m
}

// Ticks turns microseconds since 1970 into ticks; it saturates outside KQL's range.
func Ticks(micros int64) int64 {
	if micros > (math.MaxInt64-EpochTicks)/10 {
		return math.MaxInt64
	}
	if micros < -EpochTicks/10 {
		return 0
	}
	return micros*10 + EpochTicks
}

// Quote quotes an identifier.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Text quotes a string literal.
func Text(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }
