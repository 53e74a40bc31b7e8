package files

import (
	"context"
	"errors"
	"fmt"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/dialect"
	"picket/kql/eval"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/rewrite"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/lake/duck"
	"time"
)

// MaxQueryBytes is the longest query.
const MaxQueryBytes = 1 << 20

const timeColumn = "TimeGenerated"

// Query adjusts a question.
type Query struct {
	Now      time.Time // what now() means; zero is the time of the call
	From, To time.Time // bound TimeGenerated of every table read: [From, To); zero is open
	Timeout  time.Duration
	MaxRows  int64 // of Run's results; 0 is exec's default
	MaxBytes int64
	NoSQL    bool // reads Parquet row by row and computes all else in Go: what SQL is held against
}

// Compiled is a question that is ready to run.
type Compiled struct {
	s    *Set
	text string
	q    *plan.Query // as rewritten
	low  *plan.Query // with parts in SQL; nil when there are none
	src  source
	opt  exec.Options
}

// Compile parses and binds a question. What is wrong with it comes as a syntax.ErrorList.
func (s *Set) Compile(ctx context.Context, text string, o Query) (*Compiled, error) {
	if len(text) > MaxQueryBytes {
		return nil, fmt.Errorf("the query has %d bytes, %d at most", len(text), MaxQueryBytes)
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	now, ok := value.TicksOf(o.Now)
	if !ok {
		return nil, errors.New("the time of the query is outside what a datetime can hold")
	}
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		return nil, errs
	}
	c := &Compiled{s: s, text: text, src: source{s: s, o: &o}}
	c.opt = exec.Options{Now: now, Timeout: o.Timeout, MaxRows: o.MaxRows, MaxBytes: o.MaxBytes, MemoryLimit: s.o.MemoryLimit, Context: func(x *eval.Ctx) { x.Agents = &s.agents }}
	q, errs := bind.Bind(doc, text, s.Schema(), bind.Options{Now: now, PluginSchema: func(p *plan.Evaluate) (value.Schema, error) {
		if p.Input != nil {
			in := *p
			in.Input, _ = rewrite.Input(p.Input, rewrite.Options{})
			p = &in
		}
		return exec.PluginSchema(ctx, p, nil, c.src, c.opt)
	}})
	if len(errs) > 0 {
		return nil, errs
	}
	c.q = rewrite.Rewrite(q, rewrite.Options{}).Query
	if !o.NoSQL && o.From.IsZero() && o.To.IsZero() && s.lowers(q.Tables) {
		low, err := dialect.Lower(c.q, relations{s})
		if err != nil {
			return nil, fmt.Errorf("say the plan in SQL: %w", err)
		}
		if len(low.Fragments) > 0 {
			c.low = low.Query
			c.src.frags = map[int]*dialect.Fragment{}
			for i := range low.Fragments {
				c.src.frags[low.Fragments[i].ID] = &low.Fragments[i]
			}
		}
	}
	return c, nil
}

// lowers reports whether SQL may do parts of a question: all its tables are Parquet without nested columns, whose
// JSON DuckDB would write in forms of its own.
func (s *Set) lowers(names []plan.TableName) bool {
	for _, n := range names {
		t := s.table(n.Name)
		if t == nil || !t.parquet() {
			return false
		}
		for _, c := range t.cols {
			if c.typ == value.Dynamic || c.typ == value.Decimal || c.typ == value.GUID {
				return false
			}
		}
	}
	return len(names) > 0
}

type relations struct{ s *Set }

func (r relations) Relation(n *plan.Scan) (*dialect.Relation, error) {
	t := r.s.table(n.Table)
	if t == nil {
		return nil, fmt.Errorf("BUG: no table %s", n.Table)
	}
	return t.parquetRelation(n), nil
}

// Results are the tables that the question gives, in order.
func (c *Compiled) Results() []plan.Result { return c.q.Results }

// Run computes all results, within the limits on rows and bytes.
func (c *Compiled) Run(ctx context.Context) (*exec.Result, error) {
	if c.low != nil {
		res, err := exec.Run(ctx, c.low, c.src, c.opt)
		if err == nil || !inexact(err) {
			return res, kql.Place(c.text, err)
		}
		c.low = nil // what SQL would say otherwise is computed in Go
	}
	res, err := exec.Run(ctx, c.q, c.src, c.opt)
	return res, kql.Place(c.text, err)
}

// Stream computes the first result and hands it on as it comes, without limits on rows and bytes.
func (c *Compiled) Stream(ctx context.Context) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		if c.low != nil {
			given, again := false, false
			for f, err := range exec.Stream(ctx, c.low, c.low.Results[0].Node, c.src, c.opt) {
				if err != nil && !given && inexact(err) {
					again = true
					break
				}
				given = true
				if !yield(f, kql.Place(c.text, err)) {
					return
				}
			}
			if !again {
				return
			}
			c.low = nil
		}
		for f, err := range exec.Stream(ctx, c.q, c.q.Results[0].Node, c.src, c.opt) {
			if !yield(f, kql.Place(c.text, err)) {
				return
			}
		}
	}
}

func inexact(err error) bool {
	var de *duck.Error
	return errors.As(err, &de) && dialect.Inexact(de.Msg)
}

// source reads the leaves of a plan.
type source struct {
	s     *Set
	o     *Query
	frags map[int]*dialect.Fragment
}

// Scan streams a table's columns, bounded by the question's times.
func (c source) Scan(ctx context.Context, n *plan.Scan) exec.Frames {
	t := c.s.table(n.Table)
	switch {
	case t == nil:
		return failed(fmt.Errorf("BUG: no table %s", n.Table))
	case c.o.From.IsZero() && c.o.To.IsZero():
		return c.s.scan(ctx, t, n)
	}
	i := t.schema.Index(timeColumn)
	if i < 0 || t.schema[i].Type != value.Datetime {
		return failed(fmt.Errorf("a time span bounds the column %s, which table %s does not have as a datetime: write the condition in the query", timeColumn, t.name))
	}
	from, to := int64(value.MinDatetime), int64(value.MaxDatetime)+1
	for _, b := range []struct {
		t  time.Time
		to *int64
	}{{c.o.From, &from}, {c.o.To, &to}} {
		if b.t.IsZero() {
			continue
		}
		ticks, ok := value.TicksOf(b.t)
		if !ok {
			return failed(fmt.Errorf("the time %s is outside what a datetime can hold", b.t))
		}
		*b.to = ticks
	}
	more := *n
	more.Out = append(append([]plan.Col(nil), n.Out...), plan.Col{Name: timeColumn, Type: value.Datetime})
	return func(yield func(*value.Frame, error) bool) {
		for f, err := range c.s.scan(ctx, t, &more) {
			if err != nil {
				yield(nil, err)
				return
			}
			if f = within(f, from, to); f.N > 0 && !yield(f, nil) {
				return
			}
		}
	}
}

// within drops the frame's last column, a time, and the rows that it places elsewhere.
func within(f *value.Frame, from, to int64) *value.Frame {
	last := len(f.Vecs) - 1
	at := f.Vecs[last]
	var rows []int32
	for i := range f.N {
		if !at.IsNull(i) && at.I[at.Idx(i)] >= from && at.I[at.Idx(i)] < to {
			rows = append(rows, int32(i))
		}
	}
	out := &value.Frame{Schema: f.Schema[:last], Vecs: f.Vecs[:last], N: len(rows)}
	if len(rows) < f.N {
		out.Vecs = make([]*value.Vector, last)
		for i, v := range f.Vecs[:last] {
			out.Vecs[i] = value.Gather(v, rows)
		}
	}
	return out
}

func failed(err error) exec.Frames {
	return func(yield func(*value.Frame, error) bool) { yield(nil, err) }
}

func (s *Set) scan(ctx context.Context, t *table, n *plan.Scan) exec.Frames {
	if t.parquet() {
		return s.scanParquet(ctx, t, n)
	}
	return t.scanText(ctx, n)
}

// External streams a fragment that SQL computes.
func (c source) External(ctx context.Context, r *plan.ExternalRel) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		f := c.frags[r.ID]
		if f == nil {
			yield(nil, fmt.Errorf("BUG: no fragment %d in SQL", r.ID))
			return
		}
		c.s.stream(ctx, f.SQL, f.Schema, yield)
	}
}
