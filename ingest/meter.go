package ingest

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/value"
	"picket/lake"
	"strings"
)

// Meter is told what is stored and what goes wrong, and says when no more may be stored (package usage).
// It is safe for concurrent use.
type Meter interface {
	// Admit says whether rows of the table may be stored now. Its error refuses the request; an *[Error] with status
	// 429 tells the sender to come back.
	Admit(ctx context.Context, table string) error
	// Stored counts rows that are on disk. bytes are those of their text as it was sent, unpacked.
	Stored(ctx context.Context, table string, rows int, bytes int64)
	// Trouble notes what the workspace's owner should know of.
	Trouble(ctx context.Context, t Trouble)
}

// TroubleKind says what went wrong with data.
type TroubleKind string

// The kinds of trouble.
const (
	Trimmed     TroubleKind = "trimmed"     // fields were cut to the longest that is kept
	TooWide     TroubleKind = "columns"     // a request was refused because its table would have too many columns
	Quarantined TroubleKind = "quarantined" // rows, or fields of rows, went to the quarantine
	DiskFull    TroubleKind = "full"        // a request was refused because the disk is full
	Retimed     TroubleKind = "retimed"     // rows with a time outside the window got the time of receipt
)

// Trouble is something that happened to the data of a table.
type Trouble struct {
	Kind   TroubleKind
	Table  string
	Count  int64  // fields, rows or requests
	Detail string // for people
}

// admit asks the meter.
func (in *Ingest) admit(ctx context.Context, table string) error {
	if in.o.Meter == nil {
		return nil
	}
	return in.o.Meter.Admit(ctx, table)
}

// stored tells the meter of an append that succeeded; what had been applied before doesn't count again.
func (in *Ingest) stored(ctx context.Context, table string, a lake.Ack, rows int, bytes int64) {
	if in.o.Meter != nil && !a.Repeated && rows > 0 {
		in.o.Meter.Stored(ctx, table, rows, bytes)
	}
}

func (in *Ingest) trouble(ctx context.Context, kind TroubleKind, table string, count int, format string, a ...any) {
	if in.o.Meter != nil && count > 0 {
		in.o.Meter.Trouble(ctx, Trouble{Kind: kind, Table: table, Count: int64(count), Detail: fmt.Sprintf(format, a...)})
	}
}

// full notes that the disk is full.
func (in *Ingest) full(ctx context.Context, table string, err error) {
	if errors.Is(err, lake.ErrFull) {
		in.trouble(ctx, DiskFull, table, 1, "the disk of the data folder is full: data for %s is refused until there is room", table)
	}
}

// frameBytes is about what a frame's cells take as text.
func frameBytes(f *value.Frame) int64 {
	var n int64
	for _, v := range f.Vecs {
		switch {
		case v.Const:
			n += v.Bytes() * int64(f.N)
		case v.Type == value.String:
			for _, s := range v.S {
				n += int64(len(s))
			}
		default:
			n += v.Bytes()
		}
	}
	return n
}

// Reject is a record that is not stored where it was sent to.
type Reject struct {
	Source string // who or what brought it: a rule's id, "_bulk", a file
	Stream string // where it was to go, with its place: an index, "file.ndjson:17"
	Reason string
	Record string // its text
}

const (
	maxRejects    = 10_000 // that one call keeps; more are only counted
	maxRejectText = 1 << 20
)

// Quarantine keeps records that were refused in [QuarantineTable], for people to look at and send again. Their
// sender is to be told no all the same.
func (in *Ingest) Quarantine(ctx context.Context, table string, rs []Reject, opID string) error {
	if len(rs) == 0 {
		return nil
	}
	n, first := len(rs), rs[0].Reason
	rs = rs[:min(len(rs), maxRejects)]
	q := emptyQuarantine()
	at, _ := value.TicksOf(in.now()) // the server's clock is within the years of a datetime
	for _, r := range rs {
		q.Vecs[0] = appended(q.Vecs[0], value.Of(value.Datetime, at))
		for i, s := range []string{r.Source, r.Stream, r.Reason, r.Record} {
			q.Vecs[i+1] = appended(q.Vecs[i+1], value.OfString(cut(strings.ToValidUTF8(s, "\uFFFD"), maxRejectText)))
		}
		q.N++
	}
	ack, err := in.Frame(ctx, QuarantineTable, q, opID)
	if err == nil && !ack.Repeated {
		in.trouble(ctx, Quarantined, table, n, "%d records for %s were refused and are kept in %s; the first: %s", n, table, QuarantineTable, first)
	}
	return err
}
