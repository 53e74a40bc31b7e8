// Package files answers KQL over files, without a server and without loading them first: NDJSON, JSON, CSV, TSV,
// Parquet and Windows event logs as JSON, plain or compressed by gzip or zstd.
//
//	set, err := files.Open(ctx, []files.Spec{{Path: "logs.ndjson"}}, files.Options{})
//	defer set.Close()
//	q, err := set.Compile(ctx, "logs | summarize n = count() by user", files.Query{})
//	res, err := q.Run(ctx)
//
// The types of a text file's columns are those of all its rows: Open reads every file once to find them, and checks
// each row while it does. After that a query reads the columns that it needs, block by block, in the order of the
// file; nothing of a file stays in memory beyond what the query's operators hold.
//
// A column of JSON is bool, long, real, datetime (all its texts are ISO 8601 dates or times), string, or dynamic when
// it holds objects, arrays, or values of several kinds; whole numbers beyond 64 bits make it decimal. Nothing is
// rounded to fit a type. A cell of CSV is text, and a column takes a type when every cell that isn't empty is in its
// form; numbers with leading zeros stay texts.
package files

import "errors"

// Limits of what is read from a file.
const (
	MaxRowBytes = 16 << 20 // of one row of text
	MaxColumns  = 4096     // of one table
	MaxFiles    = 10_000   // of one pattern
)

// ErrChanged is wrapped when a file isn't any more what it was when its columns were found.
var ErrChanged = errors.New("the file changed while it was read")
