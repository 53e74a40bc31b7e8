package exec

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/value"
	"time"
)

// Frames is a stream of row batches; it ends after the first error.
type Frames = iter.Seq2[*value.Frame, error]

// Source gives the rows of a plan's leaves.
type Source interface {
	// Scan streams a base table. Frames have one vector for each column of s.Out, in that order.
	Scan(ctx context.Context, s *plan.Scan) Frames
	// External streams what another engine computed for the leaf, one vector for each column of r.Out.
	External(ctx context.Context, r *plan.ExternalRel) Frames
}

// Options sets what a run may use. Zero limits mean the defaults named here.
type Options struct {
	// Now is the query's instant for now() and ago(), in ticks since 0001-01-01.
	Now int64
	// Seed feeds rand(), sample and new_guid(); 0 takes a random one.
	Seed int64
	// MaxRows limits the rows of all results together (default 500000), MaxBytes their estimated size
	// (default 64 MiB). Rows beyond are cut and Result.Partial says so.
	MaxRows, MaxBytes int64
	// Timeout limits the run (default 10 minutes).
	Timeout time.Duration
	// MemoryLimit bounds the bytes that operators hold at once (default 1 GiB).
	MemoryLimit int64
	// MaxSteps bounds the work of operators whose cost grows faster than their input: graph-match paths, joins'
	// output rows, range, make-series, scan (default 200 million).
	MaxSteps int64
	// External reads the files of externaldata; nil refuses the operator.
	External func(ctx context.Context, e *plan.ExternalData, uris []string) Frames
	// NoReceived says that tables don't record when their rows were taken in: ingestion_time() is null, as it is for
	// a Kusto table without that policy. Tables that have the column _TimeReceived give it all the same.
	NoReceived bool
	// Context adjusts the context of scalar functions (cluster, database, principal, geo lookups); may be nil.
	Context func(*eval.Ctx)
}

const (
	defaultMaxRows  = 500_000
	defaultMaxBytes = 64 << 20
	defaultTimeout  = 10 * time.Minute
	defaultMemory   = 1 << 30
	defaultSteps    = 200_000_000
)

// Table is one result of a query.
type Table struct {
	Name   string // given by `as`, fork or facet; may be empty
	Schema value.Schema
	Frames []*value.Frame
	Render *plan.Render
}

// Rows counts the rows of the table.
func (t *Table) Rows() int {
	n := 0
	for _, f := range t.Frames {
		n += f.N
	}
	return n
}

// Result is what a query answered.
type Result struct {
	Tables []Table
	// Partial is set when a result limit cut rows off; what is there is right but not all.
	Partial error
}

// LimitError says which limit a run met.
type LimitError struct {
	What  string // "result rows", "result bytes", "memory", "steps"
	Limit int64
}

// Error names the limit and how to stay below it.
func (e *LimitError) Error() string {
	how := "narrow the query"
	switch e.What {
	case "result rows", "result bytes":
		how = "summarize, project fewer columns or take fewer rows"
	case "memory":
		how = "filter earlier, or group and join on fewer rows"
	}
	return fmt.Sprintf("the query exceeds the limit of %d %s; %s", e.Limit, e.What, how)
}

// Error is a refusal of the interpreter: what can't be run, and where it stands in the text.
type Error struct {
	Code string // NotSupported, or Invalid for arguments that the engine refuses
	Msg  string // what can't be run and why, with the text of Err
	At   plan.Span
	Err  error // the cause, or nil
}

// Error gives code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Msg }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func notSupported(at plan.Span, format string, a ...any) error {
	return &Error{Code: "NotSupported", Msg: fmt.Sprintf(format, a...), At: at}
}

func invalid(at plan.Span, format string, a ...any) error {
	return &Error{Code: "Invalid", Msg: fmt.Sprintf(format, a...), At: at}
}

// Run evaluates all results of a query in order.
func Run(ctx context.Context, q *plan.Query, src Source, opt Options) (res *Result, err error) {
	ctx, cancel := withTimeout(ctx, &opt)
	defer cancel()
	defer guard(&err)
	x := newRun(ctx, q, src, opt)
	res = &Result{}
	for i := range q.Results {
		t, err := x.table(&q.Results[i], res)
		if err != nil {
			return nil, err
		}
		res.Tables = append(res.Tables, *t)
	}
	return res, nil
}

// Stream evaluates one node of a query and hands on its batches, in the order of n.Cols(). It is how another
// engine takes a part of a plan from the interpreter. Result limits don't apply; the others do.
func Stream(ctx context.Context, q *plan.Query, n plan.Node, src Source, opt Options) Frames {
	return func(yield func(*value.Frame, error) bool) {
		ctx, cancel := withTimeout(ctx, &opt)
		defer cancel()
		x := newRun(ctx, q, src, opt)
		schema := schemaOf(n.Cols())
		in, err := x.build(n)
		if err != nil {
			yield(nil, err)
			return
		}
		for b, err := range in {
			if err != nil {
				yield(nil, err)
				return
			}
			if b.n > 0 && !yield(&value.Frame{Schema: schema, Vecs: b.vecs, N: b.n}, nil) {
				return
			}
		}
	}
}

func withTimeout(ctx context.Context, opt *Options) (context.Context, context.CancelFunc) {
	if opt.MaxRows <= 0 {
		opt.MaxRows = defaultMaxRows
	}
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = defaultMaxBytes
	}
	if opt.Timeout <= 0 {
		opt.Timeout = defaultTimeout
	}
	if opt.MemoryLimit <= 0 {
		opt.MemoryLimit = defaultMemory
	}
	if opt.MaxSteps <= 0 {
		opt.MaxSteps = defaultSteps
	}
	return context.WithTimeoutCause(ctx, opt.Timeout, fmt.Errorf("the query ran longer than %s: %w", opt.Timeout, context.DeadlineExceeded))
}

// guard turns a panic, which is a mistake of this program, into an error, so that one query can't end the
// process.
func guard(err *error) {
	if r := recover(); r != nil {
		if e, ok := r.(error); ok {
			*err = fmt.Errorf("BUG: the interpreter failed: %w", e)
			return
		}
		*err = fmt.Errorf("BUG: the interpreter failed: %v", r)
	}
}

func newRun(ctx context.Context, q *plan.Query, src Source, opt Options) *run {
	seed := opt.Seed
	if seed == 0 {
		seed = rand.Int63()
	}
	c := eval.NewCtx(opt.Now)
	c.Rand = rand.New(rand.NewSource(seed))
	c.BinAutoSize, c.BinAutoAt = q.Settings["query_bin_auto_size"], q.Settings["query_bin_auto_at"]
	if opt.Context != nil {
		opt.Context(c)
	}
	return &run{
		ctx: ctx, q: q, src: src, opt: opt, ev: c,
		rows: map[int]*batch{}, outer: map[int]value.Value{}, shared: map[int][]*batch{},
		scalars: map[*plan.ScalarSub]*value.Vector{}, sets: map[*plan.InSub]*inSet{},
	}
}

func schemaOf(cols []plan.Col) value.Schema {
	s := make(value.Schema, len(cols))
	for i, c := range cols {
		s[i] = value.Column{Name: c.Name, Type: c.Type}
	}
	return s
}

// table runs one result and cuts it at the limits.
func (x *run) table(r *plan.Result, res *Result) (*Table, error) {
	t := &Table{Name: r.Name, Schema: schemaOf(r.Node.Cols()), Render: r.Render}
	in, err := x.build(r.Node)
	if err != nil {
		return nil, err
	}
	for b, err := range in {
		if err != nil {
			return nil, err
		}
		if b.n == 0 {
			continue
		}
		if left := x.opt.MaxRows - x.outRows; int64(b.n) > left {
			b = b.slice(0, int(left))
			res.Partial = errors.Join(res.Partial, &LimitError{What: "result rows", Limit: x.opt.MaxRows})
		}
		size := b.bytes()
		if x.outBytes+size > x.opt.MaxBytes {
			part := float64(x.opt.MaxBytes-x.outBytes) / float64(size)
			b = b.slice(0, min(b.n, int(float64(b.n)*part)))
			res.Partial = errors.Join(res.Partial, &LimitError{What: "result bytes", Limit: x.opt.MaxBytes})
		}
		x.outRows += int64(b.n)
		x.outBytes += size
		if b.n > 0 {
			t.Frames = append(t.Frames, &value.Frame{Schema: t.Schema, Vecs: b.vecs, N: b.n})
		}
		if res.Partial != nil {
			break
		}
	}
	return t, nil
}
