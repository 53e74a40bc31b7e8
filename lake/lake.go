// Package lake owns the rows: tables, their hot rows and sealed segments, and the one order in which
// everything was received. It runs on DuckDB (package lake/duck) and knows neither KQL nor HTTP.
//
// A row goes in once. One committer takes the batches of all callers, stamps them with a received time that
// only ever grows, and commits many tables in one transaction; Append returns when that transaction is on
// disk. Rows are hot (in DuckDB, in generations of fixed columns) until a generation is sealed as Parquet
// segments, one folder a table and day. A [Snapshot] sees the same commit of every table, hot and sealed.
//
//	lk, err := lake.Open(ctx, lake.Options{Dir: "data/lake", WorkspaceID: ws})
//	ack, err := lk.Append(ctx, lake.Batch{
//		Table:   "Canary_CL",
//		Columns: value.Schema{{Name: "TimeGenerated", Type: value.Datetime}, {Name: "Memo_s", Type: value.String}},
//		NDJSON:  []byte(`{"TimeGenerated":"2026-11-24T07:00:00Z","Memo_s":"opened"}`),
//	})
//	snap, err := lk.Snapshot(ctx)
//	defer snap.Close()
//	rel, err := snap.Relation("Canary_CL", lake.Need{Columns: []string{"Memo_s"}})
//	err = snap.Query(ctx, `SELECT "Memo_s" FROM `+rel.SQL, nil, value.Schema{{Name: "Memo_s", Type: value.String}},
//		func(f *value.Frame) error { … })
//
// # Where a KQL type lives
//
//	bool      BOOLEAN
//	int       INTEGER
//	long      BIGINT
//	real      DOUBLE
//	decimal   VARCHAR, the exact canonical text (no fixed scale loses digits); cast it to compute
//	string    VARCHAR, never null
//	datetime  TIMESTAMPTZ in microseconds, and TINYINT name$t (0 to 9) where a seventh digit occurs
//	timespan  BIGINT ticks of 100 ns
//	guid      UUID
//	dynamic   VARCHAR, compact JSON; NULL is dynamic(null)
//
// A promoted expression ([Lake.Promote]) is a column p$N of the segments, in DuckDB's own type of the expression.
//
// Columns carry their KQL names. Of two names that differ only by case the second is stored as name__2;
// [Column].Physical tells. TenantId and Type are constants of a table and take no room. Every row also has
// the hidden columns of [Hidden].
//
// # Files
//
//	LOCK                                   held while the lake is open; the holder's process id
//	FORMAT                                 the version of the folder ([Format])
//	lake.duckdb, lake.duckdb.wal           hot rows, catalog, journal
//	segments/TABLE/day=YYYY-MM-DD/*.parquet  sealed rows; a file never changes
//	stage/, spill/                         batches on their way in, DuckDB's temporary room; emptied by Open
//
// A segment is written and synced before the catalog has it, and removed after the last snapshot that may read it:
// after a crash there are files without an entry, which Open removes, and never an entry without its file.
//
// # Housekeeping
//
// [Lake.Run] seals, merges segments by size ([Need] prunes by their bounds), moves rows into the archive and drops
// them ([Lake.SetRetentions]), rewrites segments for promotions, carries out purges ([Lake.Purge]) and removes old
// files. Each step is one transaction after which a crash changes nothing, and is tried again when it fails.
//
// docs/storage.md tells the same to who runs picket.
package lake

import (
	"picket/kql/value"
	"picket/lake/file"
	"time"
)

// Options say where a lake is and how much of the machine it may use. Zero values are the defaults given.
type Options struct {
	Dir         string // the lake's folder, made when missing; owned exclusively while open
	WorkspaceID string // what the column TenantId shows

	MemoryLimit int64            // bytes DuckDB may use before it spills to Dir/spill; default half the machine
	Threads     int              // DuckDB threads; default 2
	Now         func() time.Time // default time.Now

	SealRows  int64         // rows after which a table's hot rows are sealed; default 1,000,000
	SealBytes int64         // estimated bytes after which they are; default 512 MiB
	SealAge   time.Duration // age of the oldest hot row after which they are; default 24 h for tables of 20,000 hot rows

	// Fail, when set, is called at the named points of a commit and of sealing; its error is returned in place
	// of going on (or it kills the process): "append", "commit", "committed", "sealed", "unlink". For tests.
	Fail func(point string) error
	// Event, when set, is told what an operator should know, one after the other from one goroutine; it may use the lake.
	Event func(Event)
	// Files is what the lake writes its own files through (not DuckDB's database); default file.OS.
	Files file.FS
}

// Batch is a number of rows for one table. Exactly one of NDJSON and Frame is set, or none with Marks.
type Batch struct {
	Table   string
	Columns value.Schema // columns that the rows may have; unknown ones are added to the table

	// NDJSON is JSON objects, one a line or in one array, parsed by DuckDB. Keys not in Columns are ignored,
	// missing and null ones are null. Datetimes are ISO 8601 text, timespans tick numbers or "d.hh:mm:ss.fffffff",
	// decimals text or numbers, guids text. A value that its column's type does not take fails the batch.
	NDJSON []byte
	// Keys are the JSON keys of Columns, by position; nil when they are the column names.
	Keys []string

	// Full says by position which of Columns no row leaves out or has as null, which spares a test; nil when unknown.
	Full []bool

	Frame *value.Frame // rows as vectors; its schema replaces Columns

	Fixed map[string]value.Value // columns that have one value in all rows of the batch

	OpID     string            // applied once: an id seen before is acknowledged with its first Ack and adds nothing
	Marks    map[string]string // notes stored by the same commit, read back by Mark: how far a tailer got
	Imported bool              // history that rules pass over unless asked

	// Bytes is the size of the rows as they were received, for Usage; 0 counts the NDJSON, or estimates the frame.
	Bytes int64
}

// Ack says that a batch is on disk.
type Ack struct {
	Commit   int64     // number of the commit, from 1
	Received time.Time // _TimeReceived of the rows, whole microseconds; larger than that of every earlier commit
	Rows     int       // rows that the call added
	Repeated bool      // every batch of the call had been applied before
}

// Commit is what a subscriber is told after each commit that added rows.
type Commit struct {
	Commit   int64
	Received time.Time
	Tables   []string
}

// Column is a column of a table.
type Column struct {
	Name     string     // KQL name
	Type     value.Type // KQL type; fixed for ever
	Physical string     // the name in storage and in a Relation; "" when it is a constant of the table (Const)
	Const    string     // its value when Physical is ""
	Ticks    bool       // a seventh digit has been stored: relations may have Physical+"$t"
}

// Table describes a table as of the last commit.
type Table struct {
	Name     string
	Columns  []Column // in the order a query shows them; shared, not to be changed
	HotRows  int64
	HotBytes int64 // estimate
	Rows     int64 // hot and sealed
	Segments int
	Bytes    int64     // of the segments' files
	First    time.Time // earliest and latest TimeGenerated; zero when the table is empty
	Last     time.Time
	Received time.Time // of the last row

	Retention      time.Duration // how long queries see rows, by TimeGenerated; 0 is for ever
	TotalRetention time.Duration // how long rows are kept, the archive included; 0 and KeepForever are for ever

	// The archive: rows past Retention. They are in none of the counts above.
	ArchivedRows     int64
	ArchivedBytes    int64
	ArchivedSegments int
}

// Schema is the table's KQL schema.
func (t *Table) Schema() value.Schema {
	s := make(value.Schema, len(t.Columns))
	for i, c := range t.Columns {
		s[i] = value.Column{Name: c.Name, Type: c.Type}
	}
	return s
}

// The hidden columns of every row. They are not in a table's schema; a Need may name them.
const (
	ColReceived = "_TimeReceived" // datetime: when its commit was made; what ingestion_time() gives
	ColCommit   = "_Commit"       // long: the commit's number
	ColRow      = "_Row"          // long: the row's place within its commit
	ColImported = "_Imported"     // bool: Batch.Imported
)

// Hidden is the schema of the hidden columns.
var Hidden = value.Schema{{Name: ColReceived, Type: value.Datetime}, {Name: ColCommit, Type: value.Long}, {Name: ColRow, Type: value.Long}, {Name: ColImported, Type: value.Bool}}

// Need says what a query wants of a table, so that segments and columns that can't matter are not read.
type Need struct {
	Columns []string // KQL or hidden names; nil means all of the table's own

	// Rows with TimeGenerated outside [TimeFrom, TimeTo] may be left out; the query still filters. Zero is open.
	TimeFrom, TimeTo time.Time
	// Rows with ReceivedAfter < _TimeReceived <= ReceivedUntil, exactly. Zero is open.
	ReceivedAfter, ReceivedUntil time.Time
	// SkipImported leaves out imported rows.
	SkipImported bool

	// Archived reads the rows of the archive too, which are left out otherwise.
	Archived bool

	// Derived are expressions that the query would like to read; those that the table has promoted are offered.
	Derived []Derived
}

// Relation is a table as a query may read it within its snapshot.
type Relation struct {
	SQL     string // goes after FROM; parenthesised
	Columns []RelColumn
	Rows    int64 // at most
	// Derived gives by Derived.Key the physical column of each asked expression that the table has promoted. Every
	// row has its exact value, read where a segment carries it and computed otherwise. They are not in Columns.
	Derived map[string]string
}

// RelColumn is a column of a relation.
type RelColumn struct {
	Name     string // KQL name
	Type     value.Type
	Physical string // its name in the relation's SQL (quote it)
	Ticks    string // name of the companion with the seventh digit (TINYINT, NULL counts as 0), or ""
}

// Stats counts what the relations of a snapshot read and left out.
type Stats struct {
	Rows, Bytes                 int64 // rows and segment bytes behind the relations after pruning
	SegmentsRead, SegmentsSaved int   // segments to be read, segments pruned
}
