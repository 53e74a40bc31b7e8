// Package kql answers Kusto Query Language text over any rows, without a server and without an engine beside
// it: parse, bind, run. Programs that want one stage use its package (kql/syntax, kql/bind, kql/exec).
//
//	a := kql.Answer(ctx, "T | summarize n=count() by k", kql.Input{
//		Schema: bind.Tables{"T": {{Name: "k", Type: value.String}}},
//	})
//	if a.Err != nil { … }      // a syntax.ErrorList: code, message, line, column
//	a.Tables[0].Schema         // k:string, n:long
package kql

import (
	"context"
	"errors"
	"picket/kql/bind"
	"picket/kql/eval"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/useragent"
	"picket/kql/value"
	"time"
)

// Input is what a query may name and read.
type Input struct {
	Schema bind.Schema // tables and functions; nil has none
	// Rows streams a base table; nil gives every table no rows.
	Rows func(ctx context.Context, s *plan.Scan) exec.Frames
	Now  time.Time // zero is the time of the call
	// BindOnly stops before anything runs: the answer has schemas and no rows. They are those of Microsoft's
	// editor service, which differs from the engine in a few places (see bind.Options.Editor).
	BindOnly bool
	Exec     exec.Options
}

// Answered is what a query gave.
type Answered struct {
	Tables  []exec.Table
	Partial error // a limit that cut the result
	Err     error // a syntax.ErrorList for what is wrong with the query or not supported; else a failure to run
}

// Answer parses, binds and runs one query.
func Answer(ctx context.Context, text string, in Input) Answered {
	if in.Schema == nil {
		in.Schema = bind.Tables{}
	}
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		if in.BindOnly { // the editor service tells of names and types in broken texts too
			errs = bind.Broken(doc, text, errs, in.Schema, bind.Options{Editor: true})
		}
		return Answered{Err: errs}
	}
	if in.Now.IsZero() {
		in.Now = time.Now()
	}
	now, ok := value.TicksOf(in.Now)
	if !ok {
		return Answered{Err: errors.New("the time of the query is outside what a datetime can hold")}
	}
	in.Exec.Now, in.Exec.NoReceived = now, true
	src := source{in.Rows}
	opt := bind.Options{Now: now, Editor: in.BindOnly}
	if !in.BindOnly {
		opt.PluginSchema = func(p *plan.Evaluate) (value.Schema, error) { return exec.PluginSchema(ctx, p, nil, src, in.Exec) }
	}
	q, errs := bind.Bind(doc, text, in.Schema, opt)
	if len(errs) > 0 {
		return Answered{Err: errs}
	}
	if in.BindOnly {
		var a Answered
		for i := range q.Results {
			t := exec.Table{Name: q.Results[i].Name, Render: q.Results[i].Render}
			for _, c := range q.Results[i].Node.Cols() {
				t.Schema = append(t.Schema, value.Column{Name: c.Name, Type: c.Type})
			}
			a.Tables = append(a.Tables, t)
		}
		return a
	}
	more := in.Exec.Context
	in.Exec.Context = func(c *eval.Ctx) {
		c.Agents = &agents
		if more != nil {
			more(c)
		}
	}
	res, err := exec.Run(ctx, q, src, in.Exec)
	if err != nil {
		return Answered{Err: Place(text, err)}
	}
	return Answered{Tables: res.Tables, Partial: res.Partial}
}

// agents is shared by all questions: its patterns take a while to compile, once.
var agents useragent.Agents

// Place turns what the interpreter refuses into a syntax.ErrorList with line and column, so that it reads like
// what the binder refuses. Other errors stay as they are.
func Place(text string, err error) error {
	var x *exec.Error
	if errors.As(err, &x) {
		code := x.Code
		if code != syntax.CodeNotSupported {
			code = "SEM0100"
		}
		return syntax.ErrorList{syntax.NewError(text, syntax.Span{Start: x.At.Start, End: x.At.End}, code, x.Msg, "")}
	}
	var ref *eval.Refusal
	if errors.As(err, &ref) {
		code := syntax.CodeNotSupported
		if ref.Misused {
			code = "SEM0100"
		}
		return syntax.ErrorList{{Code: code, Msg: ref.Error(), Line: 1, Column: 1}}
	}
	return err
}

type source struct {
	rows func(ctx context.Context, s *plan.Scan) exec.Frames
}

func (s source) Scan(ctx context.Context, n *plan.Scan) exec.Frames {
	if s.rows == nil {
		return func(func(*value.Frame, error) bool) {}
	}
	return s.rows(ctx, n)
}

func (s source) External(context.Context, *plan.ExternalRel) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		yield(nil, errors.New("BUG: an external relation without an engine"))
	}
}
