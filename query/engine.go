package query

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"picket/kql"
	"picket/kql/bind"
	"picket/kql/eval"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/lake"
)

// Defaults and limits of a question.
const (
	DefaultTimeout  = 3 * time.Minute
	DefaultMaxRows  = 500_000
	DefaultMaxBytes = 64_000_000
	maxText         = 256 << 10
)

// Options say what an engine reads.
type Options struct {
	Lake *lake.Lake
	// Builtin are tables that exist even while they have no rows: standard tables by name. A table of the lake
	// adds its own columns to them.
	Builtin map[string]value.Schema
	// Functions are saved functions by name; nil is none.
	Functions func(name string) (bind.Function, bool)
	// Workspace are the names under which workspace("…") and database("…") mean this one.
	Workspace []string
	// Geo answers geo_info_from_ip_address; nil makes it refuse.
	Geo         func(ip string) (*value.Bag, bool)
	MemoryLimit int64 // bytes the Go operators of one question may hold; 0 is exec's default
	Now         func() time.Time
}

// Engine answers questions. Safe for concurrent use.
type Engine struct{ o Options }

// New makes an engine.
func New(o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Engine{o: o}
}

// schema is what one question can name: the tables of its snapshot over the standard ones.
type schema struct {
	e      *Engine
	tables map[string]value.Schema
	names  []string

	mu      sync.Mutex
	missing map[string]bool // tables that were asked for and do not exist
}

func (e *Engine) schema(ts []lake.Table) *schema {
	s := &schema{e: e, tables: make(map[string]value.Schema, len(e.o.Builtin)+len(ts))}
	for n, cols := range e.o.Builtin {
		s.tables[n] = cols
	}
	for i := range ts {
		s.tables[ts[i].Name] = merge(s.tables[ts[i].Name], ts[i].Schema())
	}
	for n := range s.tables {
		s.names = append(s.names, n)
	}
	sort.Strings(s.names)
	return s
}

// merge is stored's columns after those that builtin has already; a stored column keeps its stored type.
func merge(builtin, stored value.Schema) value.Schema {
	if builtin == nil {
		return stored
	}
	out := make(value.Schema, 0, len(builtin)+len(stored))
	for _, c := range builtin {
		if i := stored.Index(c.Name); i >= 0 {
			c.Type = stored[i].Type
		}
		out = append(out, c)
	}
	for _, c := range stored {
		if builtin.Index(c.Name) < 0 {
			out = append(out, c)
		}
	}
	return out
}

func (s *schema) Known(sc bind.Scope) bool {
	if sc == (bind.Scope{}) {
		return true
	}
	for _, w := range s.e.o.Workspace {
		if strings.EqualFold(sc.Database, w) || sc.Database == "" && strings.EqualFold(sc.Cluster, w) {
			return true
		}
	}
	return false
}

func (s *schema) Table(sc bind.Scope, name string) (value.Schema, bool) {
	if !s.Known(sc) {
		return nil, false
	}
	c, ok := s.tables[name]
	if !ok {
		s.mu.Lock()
		if s.missing == nil {
			s.missing = map[string]bool{}
		}
		s.missing[name] = true
		s.mu.Unlock()
	}
	return c, ok
}

func (s *schema) Tables(sc bind.Scope) []string {
	if !s.Known(sc) {
		return nil
	}
	return s.names
}

func (s *schema) Function(sc bind.Scope, name string) (bind.Function, bool) {
	if s.e.o.Functions == nil || !s.Known(sc) {
		return bind.Function{}, false
	}
	return s.e.o.Functions(name)
}

// Checked is what compiling a question found.
type Checked struct {
	Tables []string // base tables that it reads
	// Missing are custom tables (…_CL) that it names and that do not exist yet; their first record makes them.
	// Then the question could not be checked further.
	Missing []string
}

// Check compiles a question without running it. One that fails only where custom tables are missing is not an
// error: see Checked.Missing.
func (e *Engine) Check(ctx context.Context, text string) (Checked, error) {
	ts, err := e.o.Lake.Tables(ctx)
	if err != nil {
		return Checked{}, fmt.Errorf("read tables: %w", err)
	}
	s := e.schema(ts)
	q, err := e.compile(text, s, bind.Options{})
	if err != nil {
		var c Checked
		for n := range s.missing {
			if strings.HasSuffix(n, "_CL") {
				c.Missing = append(c.Missing, n)
			}
		}
		if len(c.Missing) == 0 {
			return c, err
		}
		sort.Strings(c.Missing)
		return c, nil
	}
	var c Checked
	for _, t := range q.Tables {
		c.Tables = append(c.Tables, t.Name)
	}
	return c, nil
}

// Schema gives every table that a question can name, with its columns.
func (e *Engine) Schema(ctx context.Context) (map[string]value.Schema, error) {
	ts, err := e.o.Lake.Tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("read tables: %w", err)
	}
	return e.schema(ts).tables, nil
}

func (e *Engine) compile(text string, s *schema, opt bind.Options) (*plan.Query, error) {
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

// Run answers a question.
func (e *Engine) Run(ctx context.Context, r Request) (*Result, error) {
	start := time.Now()
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
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	now, ok := value.TicksOf(r.Now)
	if !ok {
		return nil, fmt.Errorf("the time of the query, %s, is outside what a datetime can hold", r.Now)
	}
	snap, err := e.o.Lake.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin reading: %w", err)
	}
	defer snap.Close()
	src := &source{snap: snap, req: &r}
	opt := exec.Options{
		Now: now, MaxRows: r.MaxRows, MaxBytes: r.MaxBytes, Timeout: r.Timeout, MemoryLimit: e.o.MemoryLimit,
		Context: func(c *eval.Ctx) {
			c.Geo = e.o.Geo
			if len(e.o.Workspace) > 0 {
				c.Database = e.o.Workspace[0]
			}
		},
	}
	q, err := e.compile(r.Text, e.schema(snap.Tables()), bind.Options{Now: now, PluginSchema: func(p *plan.Evaluate) (value.Schema, error) {
		return exec.PluginSchema(ctx, p, src, opt)
	}})
	if err != nil {
		return nil, err
	}
	res, err := exec.Run(ctx, q, src, opt)
	if err != nil {
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
	st := snap.Stats()
	out.Stats = Stats{Elapsed: time.Since(start), RowsRead: st.Rows, BytesRead: st.Bytes, SegmentsRead: st.SegmentsRead, SegmentsPruned: st.SegmentsSaved}
	return out, nil
}

// source reads the leaves of a plan from one snapshot.
type source struct {
	snap *lake.Snapshot
	req  *Request
}

var errStop = errors.New("the reader has enough")

// Scan streams a table's columns, bounded by the question's times.
func (s *source) Scan(ctx context.Context, n *plan.Scan) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		if err := s.scan(ctx, n, yield); err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

func (s *source) scan(ctx context.Context, n *plan.Scan, yield func(*value.Frame, error) bool) error {
	out := make(value.Schema, len(n.Out))
	need := lake.Need{Columns: make([]string, 0, len(n.Out)), TimeFrom: s.req.From, TimeTo: s.req.To, ReceivedAfter: s.req.ReceivedAfter, ReceivedUntil: s.req.ReceivedUntil,
		SkipImported: !s.req.ReceivedAfter.IsZero()}
	for i, c := range n.Out {
		out[i] = value.Column{Name: c.Name, Type: c.Type}
	}
	t, err := s.snap.Table(n.Table)
	if errors.Is(err, lake.ErrNoTable) {
		return nil // a standard table without rows yet
	}
	if err != nil {
		return err
	}
	stored := t.Schema()
	for _, c := range n.Out {
		if stored.Index(c.Name) >= 0 {
			need.Columns = append(need.Columns, c.Name)
		}
	}
	timed := !need.TimeFrom.IsZero() || !need.TimeTo.IsZero()
	if timed && stored.Index("TimeGenerated") >= 0 && n.Out[0].Name != "" {
		has := false
		for _, c := range need.Columns {
			has = has || c == "TimeGenerated"
		}
		if !has {
			need.Columns = append(need.Columns, "TimeGenerated")
		}
	}
	rel, err := s.snap.Relation(n.Table, need)
	if err != nil {
		return err
	}
	byName := map[string]lake.RelColumn{}
	for _, c := range rel.Columns {
		byName[c.Name] = c
	}
	var sel []string
	for _, c := range n.Out {
		rc, ok := byName[c.Name]
		if !ok {
			sel = append(sel, "NULL")
			continue
		}
		sel = append(sel, quote(rc.Physical)+" AS "+quote(rc.Physical))
		if rc.Ticks != "" {
			sel = append(sel, quote(rc.Ticks)+" AS "+quote(rc.Physical+"$t"))
		}
	}
	sql := "SELECT " + strings.Join(sel, ", ") + " FROM " + rel.SQL
	var args []any
	if tg, ok := byName["TimeGenerated"]; ok && timed {
		var conds []string
		if !need.TimeFrom.IsZero() {
			conds = append(conds, quote(tg.Physical)+" >= ?")
			args = append(args, need.TimeFrom.UTC())
		}
		if !need.TimeTo.IsZero() {
			conds = append(conds, quote(tg.Physical)+" < ?")
			args = append(args, need.TimeTo.UTC())
		}
		sql += " WHERE " + strings.Join(conds, " AND ")
	}
	return s.snap.Query(ctx, sql, args, out, func(f *value.Frame) error {
		if !yield(f, nil) {
			return errStop
		}
		return nil
	})
}

// External has nothing yet: no part of the plan was handed to the SQL engine.
func (s *source) External(context.Context, *plan.ExternalRel) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		yield(nil, errors.New("BUG: an external relation without an engine"))
	}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
