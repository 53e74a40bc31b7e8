// Package ingest turns records into typed rows of the lake: the rules of the HTTP Data Collector without HTTP,
// and typed rows for the product's own tables.
//
//	in := ingest.New(ingest.Options{Lake: lk})
//	res, err := in.Collect(ctx, ingest.CollectRequest{LogType: "Canary", Body: []byte(`[{"memo":"opened"}]`)})
//	// one row in Canary_CL with the column memo_s
package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"picket/kql/value"
	"picket/lake"
)

// Options of an Ingest.
type Options struct {
	Lake    *lake.Lake
	Schemas map[string]value.Schema // columns of built-in tables by name; may be nil
	Now     func() time.Time        // default time.Now
}

// CollectRequest is one post to the Data Collector.
type CollectRequest struct {
	LogType    string // table name without _CL
	Body       []byte // one JSON object or an array of objects
	TimeField  string // name of the field that holds TimeGenerated; "" takes the time of receipt
	ResourceID string // _ResourceId of the rows
	OpID       string // applied once, see lake.Batch
	Imported   bool   // history: TimeGenerated is kept however old, rules pass over the rows
}

// Result says what became of a request.
type Result struct {
	lake.Ack
	Table     string
	Truncated int // fields cut to 32 KB
	Retimed   int // rows whose time was outside the window and became the time of receipt
}

// Error is a refusal with the service's code ("InvalidDataFormat", "InvalidLogType", …).
type Error struct {
	Code    string
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Ingest is safe for concurrent use.
type Ingest struct{ o Options }

// New makes an Ingest.
func New(o Options) *Ingest { return &Ingest{o: o} }

var errSoon = errors.New("ingest: not built yet")

// Collect stores a Data Collector body; errors of the sender are *[Error].
func (in *Ingest) Collect(ctx context.Context, r CollectRequest) (Result, error) {
	return Result{}, errSoon
}

// Rows stores rows of a table of the product's own (SecurityAlert, …). Values are Go values: string, bool, int,
// int64, float64, time.Time, time.Duration, [16]byte, json.RawMessage, or anything json.Marshal takes for dynamic.
func (in *Ingest) Rows(ctx context.Context, table string, s value.Schema, rows []map[string]any, opID string) (lake.Ack, error) {
	return lake.Ack{}, errSoon
}

// Frame stores a frame into a table of the product's own.
func (in *Ingest) Frame(ctx context.Context, table string, f *value.Frame, opID string) (lake.Ack, error) {
	return lake.Ack{}, errSoon
}
