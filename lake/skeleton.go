package lake

import (
	"context"
	"errors"
	"time"

	"picket/kql/value"
)

var errSoon = errors.New("lake: not built yet")

// Lake is an open data folder.
type Lake struct{}

// Snapshot is one commit of the whole lake, for reading. It holds one connection; close it soon.
type Snapshot struct{}

// Open takes the folder, brings it up to date and makes it ready for Append and Snapshot. A folder that
// another process holds is refused with a *[HeldError].
func Open(ctx context.Context, o Options) (*Lake, error) { return nil, errSoon }

// Run seals, compacts, drops what is past its retention and removes old files, until ctx ends.
func (l *Lake) Run(ctx context.Context) error { return errSoon }

// Close ends all work and releases the folder.
func (l *Lake) Close() error { return errSoon }

// Append stores the batches in one commit and returns when it is durable.
func (l *Lake) Append(ctx context.Context, bs ...Batch) (Ack, error) { return Ack{}, errSoon }

// Mark returns the last stored note of the key, "" when there is none.
func (l *Lake) Mark(ctx context.Context, key string) (string, error) { return "", errSoon }

// EnsureTable makes the table, or adds the columns that it lacks. A column that exists with another type is an error.
func (l *Lake) EnsureTable(ctx context.Context, name string, s value.Schema) error { return errSoon }

// Tables lists all tables by name, with counts.
func (l *Lake) Tables(ctx context.Context) ([]Table, error) { return nil, errSoon }

// Table describes one table (its name in any case); ErrNoTable when there is none.
func (l *Lake) Table(name string) (Table, error) { return Table{}, errSoon }

// SetRetention sets how long rows of the table are kept by TimeGenerated; 0 keeps for ever.
func (l *Lake) SetRetention(ctx context.Context, table string, d time.Duration) error { return errSoon }

// Subscribe has f told of each commit, in order, from one goroutine; f must be quick. The result unsubscribes.
func (l *Lake) Subscribe(f func(Commit)) (cancel func()) { return func() {} }

// Settle returns when every row that has or will have _TimeReceived <= until can be seen by the next Snapshot.
// A rule over received windows calls it before it reads. until must not be in the future.
func (l *Lake) Settle(ctx context.Context, until time.Time) error { return errSoon }

// Snapshot begins reading.
func (l *Lake) Snapshot(ctx context.Context) (*Snapshot, error) { return nil, errSoon }

// Commit is the last commit that the snapshot sees, and Received its time.
func (s *Snapshot) Commit() int64       { return 0 }
func (s *Snapshot) Received() time.Time { return time.Time{} }

// Table describes a table as the snapshot sees it (names in any case), without counts.
func (s *Snapshot) Table(name string) (Table, error) { return Table{}, errSoon }

// Tables lists the tables as the snapshot sees them, without counts.
func (s *Snapshot) Tables() []Table { return nil }

// Relation is the table as SQL, pruned to the need.
func (s *Snapshot) Relation(table string, n Need) (Relation, error) { return Relation{}, errSoon }

// Query runs SQL and hands its rows to f in frames of up to 2048 rows, with the schema's names and types. The
// SQL's result columns match the schema by position; a result column named like the one before it plus "$t"
// is that datetime's seventh digit and does not count. A frame is valid after f returns.
func (s *Snapshot) Query(ctx context.Context, sql string, args []any, schema value.Schema, f func(*value.Frame) error) error {
	return errSoon
}

// Newest gives the last n rows of the table by TimeGenerated, newest first.
func (s *Snapshot) Newest(ctx context.Context, table string, n int) (*value.Frame, error) {
	return nil, errSoon
}

// Stats counts what the relations so far read.
func (s *Snapshot) Stats() Stats { return Stats{} }

// Close ends the snapshot.
func (s *Snapshot) Close() error { return nil }
