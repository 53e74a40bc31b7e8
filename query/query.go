// Package query answers one KQL question over the lake: text → plan → engine, with limits, and typed frames
// as the result. It knows nothing of HTTP; azure and web turn results into wire shapes.
//
//	res, err := engine.Run(ctx, query.Request{Text: "SecurityIncident | take 10"})
//
// A question that does not parse or bind fails with a [syntax.ErrorList]; one that passes a limit gives what
// it has, with Result.Partial set.
package query

import (
	"picket/kql/value"
	"time"
)

// Request is one question.
type Request struct {
	Text string // KQL

	// From and To bound TimeGenerated of every table read: [From, To). Zero is open.
	From, To time.Time

	// ReceivedAfter and ReceivedUntil bound the time of commit: (ReceivedAfter, ReceivedUntil]. Zero is open.
	// Rules use them so that late rows are seen once and none is skipped; rows imported as history stay
	// outside such a window.
	ReceivedAfter, ReceivedUntil time.Time

	Now      time.Time     // what now() and ago() mean; zero is the time of the call
	Timeout  time.Duration // 0 is the engine's default
	MaxRows  int64         // rows over all tables of the result; 0 is the engine's default
	MaxBytes int64         // size of the result; 0 is the engine's default
}

// Table is one table of a result.
type Table struct {
	Name   string // "PrimaryResult" for the first
	Schema value.Schema
	Frames []*value.Frame
}

// Rows counts the rows of the table.
func (t *Table) Rows() int {
	n := 0
	for _, f := range t.Frames {
		n += f.N
	}
	return n
}

// Result is the answer to a question.
type Result struct {
	Tables  []Table
	Render  *Render  // the query's render operator, nil when it has none
	Partial *Partial // set when a limit cut the answer
	Stats   Stats
}

// Render is what the query's render operator asks of the page.
type Render struct {
	Visualization string            // "timechart", "table", …
	Properties    map[string]string // title, xcolumn, ycolumns, kind, …
}

// Partial says why an answer is not whole.
type Partial struct {
	Code    string // "E_QUERY_RESULT_SET_TOO_LARGE", "E_RUNAWAY_QUERY"
	Message string
}

// Stats says what a question cost.
type Stats struct {
	Elapsed         time.Duration
	RowsRead        int64
	BytesRead       int64
	SegmentsRead    int
	SegmentsPruned  int
	EngineFragments int // sub-plans that the SQL engine ran; the rest ran in Go
}
