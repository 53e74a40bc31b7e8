package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/dialect"
	"picket/kql/eval"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/rewrite"
	"picket/kql/syntax"
	"picket/kql/useragent"
	"picket/kql/value"
	"picket/lake"
	"picket/lake/duck"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Defaults and limits of a question.
const (
	DefaultTimeout  = 3 * time.Minute
	DefaultMaxRows  = 500_000
	DefaultMaxBytes = 64_000_000
	maxText         = 256 << 10
)

const timeColumn = "TimeGenerated"

var rewriteOptions = rewrite.Options{Time: timeColumn, Received: lake.ColReceived}

// Options say what an engine reads.
type Options struct {
	Lake *lake.Lake
	// Builtin are tables that exist even while they have no rows: standard tables by name. A table of the lake
	// adds its own columns to them.
	Builtin map[string]value.Schema
	// Standard are tables that a question may name although they have no rows, without being listed among the
	// workspace's tables; one that has rows is listed and has these columns too.
	Standard map[string]value.Schema
	// Timeless are tables, named in any case, that a request's windows don't bound: From, To, ReceivedAfter and
	// ReceivedUntil leave them whole, as is right for a watchlist. The filters of the question itself still count.
	Timeless []string
	// Functions are saved functions by name; nil is none.
	Functions func(name string) (bind.Function, bool)
	// Workspace are the names under which workspace("…") and database("…") mean this one.
	Workspace []string
	// Geo answers geo_info_from_ip_address; nil makes it refuse.
	Geo         func(ip string) (*value.Bag, bool)
	MemoryLimit int64 // bytes the Go operators of one question may hold; 0 is exec's default
	Now         func() time.Time
	// PromoteAfter is after how many questions that read the same value inside a dynamic column the lake is told to
	// keep that value as a column of its own; 0 is never.
	PromoteAfter int
	// NoSQL runs every operator in Go: the reference that SQL is held against.
	NoSQL bool
	Log   *slog.Logger // nil is slog.Default
}

// Engine answers questions. Safe for concurrent use.
type Engine struct {
	o       Options
	inexact texts // questions whose data SQL says otherwise
	uses    uses
	agents  *useragent.Agents
}

// New makes an engine.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Engine{o: o, agents: &useragent.Agents{}}
}

// parseText turns text into a plan over s.
func parseText(text string, s bind.Schema, opt bind.Options) (*plan.Query, error) {
	if len(text) > maxText {
		return nil, syntax.ErrorList{{Code: syntax.CodeLimit, Msg: fmt.Sprintf("the query has %d bytes, %d at most", len(text), maxText), Line: 1, Column: 1}}
	}
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		return nil, errs
	}
	q, errs := bind.Bind(doc, text, s, opt)
	if len(errs) > 0 {
		return nil, errs
	}
	return q, nil
}

// defaults fills what a request leaves open and gives its instant in ticks.
func (e *Engine) defaults(r *Request) (now int64, err error) {
	if r.Now.IsZero() {
		r.Now = e.o.Now()
	}
	if r.Timeout <= 0 {
		r.Timeout = DefaultTimeout
	}
	if r.MaxRows <= 0 {
		r.MaxRows = DefaultMaxRows
	}
	if r.MaxBytes <= 0 {
		r.MaxBytes = DefaultMaxBytes
	}
	now, ok := value.TicksOf(r.Now)
	if !ok {
		return 0, fmt.Errorf("the time of the query, %s, is outside what a datetime can hold", r.Now)
	}
	return now, nil
}

// Run answers a question.
func (e *Engine) Run(ctx context.Context, r Request) (*Result, error) {
	start := time.Now()
	now, err := e.defaults(&r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("the query ran longer than %s: %w", r.Timeout, context.DeadlineExceeded))
	defer cancel()
	res, a, err := e.answer(ctx, &r, now)
	if a != nil {
		defer a.close()
	}
	if err != nil {
		if a == nil {
			return nil, err
		}
		if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
		return nil, kql.Place(r.Text, err)
	}
	out := &Result{}
	for i := range res.Tables {
		t := &res.Tables[i]
		name := t.Name
		if i == 0 {
			name = "PrimaryResult"
		} else if name == "" {
			name = fmt.Sprintf("Table_%d", i)
		}
		out.Tables = append(out.Tables, Table{Name: name, Schema: t.Schema, Frames: t.Frames})
		if t.Render != nil && out.Render == nil {
			out.Render = &Render{Visualization: t.Render.Kind, Properties: t.Render.Props}
		}
	}
	if res.Partial != nil {
		out.Partial = &Partial{Code: "E_QUERY_RESULT_SET_TOO_LARGE", Message: res.Partial.Error()}
	}
	e.promote(a.src.wanted)
	st := a.snap.Stats()
	out.Stats = Stats{Elapsed: time.Since(start), RowsRead: st.Rows, BytesRead: st.Bytes, SegmentsRead: st.SegmentsRead, SegmentsPruned: st.SegmentsSaved, EngineFragments: len(a.src.frags)}
	return out, nil
}

// answer runs a question with as much of it in SQL as can be. Where SQL meets data that it would say otherwise than
// KQL, the question runs once more in Go alone, over a new snapshot.
func (e *Engine) answer(ctx context.Context, r *Request, now int64) (*exec.Result, *asked, error) {
	lower := !e.o.NoSQL && !e.inexact.has(r.Text)
	for {
		a, err := e.ask(ctx, r, now, lower)
		var res *exec.Result
		if err == nil {
			res, err = exec.Run(ctx, a.q, a.src, a.opt)
		}
		if !lower || !isInexact(err) || ctx.Err() != nil {
			return res, a, err
		}
		if a != nil {
			a.close()
		}
		lower = false
		e.inexact.add(r.Text)
		level := slog.LevelDebug
		var de *duck.Error
		if errors.As(err, &de) && dialect.Mistake(de.Msg) {
			level = slog.LevelWarn
		}
		e.o.Log.Log(ctx, level, "a query runs without SQL", "reason", err)
	}
}

// isInexact reports whether an error only means that Go must answer what SQL can't say.
func isInexact(err error) bool {
	var de *duck.Error
	return errors.As(err, &de) && dialect.Inexact(de.Msg)
}

// texts remembers questions, the last few hundred.
type texts struct {
	mu  sync.Mutex
	set map[uint64]struct{}
}

func (t *texts) has(s string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.set[xxhash.Sum64String(s)]
	return ok
}

func (t *texts) add(s string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.set == nil || len(t.set) >= 512 {
		t.set = map[uint64]struct{}{}
	}
	t.set[xxhash.Sum64String(s)] = struct{}{}
}

// asked is a question that is ready to run.
type asked struct {
	snap *lake.Snapshot
	src  *source
	q    *plan.Query
	opt  exec.Options
}

func (a *asked) close() {
	a.src.close()
	a.snap.Close()
}

// ask compiles a question over a new snapshot.
func (e *Engine) ask(ctx context.Context, r *Request, now int64, lower bool) (*asked, error) {
	snap, err := e.o.Lake.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin reading: %w", err)
	}
	a := &asked{snap: snap, src: &source{lake: e.o.Lake, timeless: e.o.Timeless, snap: snap, req: r, memory: e.o.MemoryLimit}}
	a.opt = exec.Options{
		Now: now, MaxRows: r.MaxRows, MaxBytes: r.MaxBytes, Timeout: r.Timeout, MemoryLimit: e.o.MemoryLimit,
		Context: func(c *eval.Ctx) {
			c.Geo, c.Agents = e.o.Geo, e.agents
			if len(e.o.Workspace) > 0 {
				c.Database = e.o.Workspace[0]
			}
		},
	}
	var inexact error
	q, err := parseText(r.Text, e.schema(snap.Tables()), bind.Options{Now: now, PluginSchema: func(p *plan.Evaluate) (value.Schema, error) {
		s, err := a.pluginSchema(ctx, p, lower)
		if isInexact(err) {
			inexact = err
		}
		return s, err
	}})
	if inexact != nil {
		err = inexact
	}
	if err != nil {
		a.close()
		return nil, err
	}
	rw := rewrite.Rewrite(q, rewriteOptions)
	a.q, a.src.bounds = rw.Query, rw.Bounds
	if !lower {
		return a, nil
	}
	if a.q, err = a.src.lower(rw.Query); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// pluginSchema finds the columns of a plugin by running its input, which has not been rewritten yet.
func (a *asked) pluginSchema(ctx context.Context, p *plan.Evaluate, lower bool) (value.Schema, error) {
	if p.Input == nil {
		return exec.PluginSchema(ctx, p, nil, a.src, a.opt)
	}
	src := &source{lake: a.src.lake, timeless: a.src.timeless, snap: a.snap, req: a.src.req, memory: a.src.memory}
	defer src.close()
	c := *p
	c.Input, src.bounds = rewrite.Input(p.Input, rewriteOptions)
	if lower {
		q, err := src.lower(&plan.Query{Results: []plan.Result{{Node: c.Input}}})
		if err != nil {
			return nil, err
		}
		c.Input = q.Results[0].Node
	}
	return exec.PluginSchema(ctx, &c, nil, src, a.opt)
}
