// Package ingest turns records into typed rows of the lake: the rules of the HTTP Data Collector without HTTP,
// and typed rows for the product's own tables.
//
//	in := ingest.New(ingest.Options{Lake: lk})
//	res, err := in.Collect(ctx, ingest.CollectRequest{LogType: "Canary", Body: []byte(`[{"memo":"opened"}]`)})
//	// one row in Canary_CL with the column memo_s
package ingest

import (
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"time"
)

// Options of an Ingest.
type Options struct {
	Lake *lake.Lake
	// Schemas are the columns of tables that are known before their first row, by the table's name; may be nil. A
	// table is made with them when its first rows come.
	Schemas map[string]value.Schema
	Now     func() time.Time // default time.Now
	Meter   Meter            // counts what is stored and says when no more may be; nil counts nothing

	// MaxNameChars is the longest name of a Data Collector field; default 100. (The service's documents say 45,
	// yet the published content of its users has names of 61.)
	MaxNameChars int
}

// Error is a refusal with the service's code ("InvalidDataFormat", "InvalidLogType", …) and HTTP status.
type Error struct {
	Code    string
	Message string
	Status  int // 400, 404 for a body that is too large, 429 when the sender is to come back
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Ingest is safe for concurrent use.
type Ingest struct{ o Options }

// New makes an Ingest.
func New(o Options) *Ingest {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxNameChars <= 0 {
		o.MaxNameChars = 100
	}
	return &Ingest{o: o}
}
