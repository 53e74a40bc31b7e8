package playbook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"
)

// Trial makes an engine try workflows out: what an action would send to others is answered by Answer, waits end at
// once, and recurrences don't fire.
type Trial struct {
	// Answer answers a call. No answer and no error lets the call go out as it would.
	Answer func(ctx context.Context, c *TrialCall) (*Response, error)
}

// TrialCall is what an action would send.
type TrialCall struct {
	Action     string
	Type       string // Http, ApiConnection, Workflow, …
	Repetition string
	API        string // of an ApiConnection; "" when its connection is unknown
	Method     string
	Target     string       // the URI of an Http action, the path of a connector's operation, the id of a workflow or function
	Inputs     *expr.Object // evaluated; secrets masked
	Declared   *definition.Action
	Definition *definition.Definition
}

// outward says that an action of this type speaks to something outside the workflow, or is run by something else.
func outward(typ string) bool {
	switch typ {
	case "Http", "ApiConnection", "HttpWebhook", "ApiConnectionWebhook", "Workflow", "SendToBatch", "Function":
		return true
	}
	return !runnable(typ)
}

// try lets the trial answer an action; handled is false when the action is to be performed.
func (r *run) try(ctx context.Context, a *definition.Action, f *frame, rec *record) (o *outcome, handled bool) {
	t := r.e.deps.Trial
	if t == nil || t.Answer == nil || !outward(a.Type) {
		return nil, false
	}
	env := r.env(f, rec)
	env.back = func() (string, error) { return r.e.actionCallback(r.wf, r.id, a.Name, f.rep), nil }
	v, err := expr.EvaluateTree(a.Inputs, env)
	if err != nil {
		o := invalid(a, err)
		return &o, true
	}
	in := object(v)
	if in == nil {
		in = &expr.Object{}
	}
	c := &TrialCall{Action: a.Name, Type: a.Type, Repetition: f.rep, Inputs: object(r.mask(in)), Declared: a, Definition: r.def}
	c.Method = strings.ToUpper(expr.Text(in.Value("method")))
	switch a.Type {
	case "ApiConnection", "ApiConnectionWebhook":
		conn, _, err := r.e.connectionOf(ctx, r.ver, object(in.Value("host")), expr.JSON(object(a.Inputs).Value("host")))
		if err == nil {
			c.API = conn.api
		}
		c.Target = expr.Text(in.Value("path"))
		if c.Method == "" {
			c.Method = "GET"
			if a.Type == "ApiConnectionWebhook" {
				c.Method = "POST"
			}
		}
	case "HttpWebhook":
		sub := object(c.Inputs.Value("subscribe"))
		c.Method, c.Target = strings.ToUpper(expr.Text(sub.Value("method"))), expr.Text(sub.Value("uri"))
	case "Workflow", "SendToBatch":
		c.Target = expr.Text(object(object(in.Value("host")).Value("workflow")).Value("id"))
	case "Function":
		c.Target = expr.Text(object(in.Value("function")).Value("id"))
	default:
		c.Target = expr.Text(c.Inputs.Value("uri"))
	}
	resp, err := t.Answer(ctx, c)
	if err == nil && resp == nil {
		return nil, false
	}
	if !r.begin(rec, in) {
		return nil, true
	}
	if err != nil {
		o := failed("NoRecordedAnswer", err.Error()).with(in)
		return &o, true
	}
	h := &expr.Object{}
	for k, v := range resp.Headers {
		h.Set(k, v)
	}
	out := (&reply{resp.Status, h, resp.Body}).outputs()
	done := outcome{status: Succeeded, code: codeName(resp.Status), inputs: in, hasIn: true, outputs: out, hasOut: true}
	if resp.Status < 200 || resp.Status >= 300 {
		done.status = Failed
	}
	return &done, true
}

// TryRequest is a template to try out.
type TryRequest struct {
	Deploy     DeployRequest
	Also       []DeployRequest // deployed before it: workflows that it calls
	Workflow   string          // "" when the template has one
	Trigger    string          // "" for the first
	Input      TriggerInput
	Connectors []Connector
	Answer     func(ctx context.Context, c *TrialCall) (*Response, error)
	Timeout    time.Duration // of the run; 0 is a minute
	Change     func(*Deps)   // nil, or what else the engine gets
}

// Tried is how it went.
type Tried struct {
	Run   *RunDetail // nil when the trigger's conditions weren't met
	Needs []Need
	Uses  []Use
	Calls []*TrialCall // in the order they were made
}

// Try deploys a template in an engine of its own that lasts as long as the call, fires one trigger, and waits for
// the run's end. Nothing goes out that Answer answers.
func Try(ctx context.Context, q TryRequest) (_ *Tried, err error) {
	dir, err := os.MkdirTemp("", "picket-try-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	out := &Tried{}
	calls := make(chan *TrialCall, 64)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		for c := range calls {
			if len(out.Calls) < maxActionRuns {
				out.Calls = append(out.Calls, c)
			}
		}
	}()
	d := Deps{
		DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.invalid", Log: slog.New(slog.DiscardHandler), Connectors: q.Connectors,
		Trial: &Trial{Answer: func(ctx context.Context, c *TrialCall) (*Response, error) {
			calls <- c
			if q.Answer == nil {
				return nil, nil
			}
			return q.Answer(ctx, c)
		}},
	}
	if q.Change != nil {
		q.Change(&d)
	}
	e, err := New(d)
	if err != nil {
		close(calls)
		return nil, err
	}
	e.scale = 0.001
	rctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	defer func() {
		cancel()
		e.Close()
	}()
	go func() { ended <- e.Run(rctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
		close(calls)
		<-kept
	}()
	q.Deploy.AllowNeeds, q.Deploy.Validate = true, false
	for _, a := range q.Also {
		a.AllowNeeds, a.Validate = true, false
		if _, err := e.Deploy(ctx, a); err != nil {
			return nil, err
		}
	}
	dep, err := e.Deploy(ctx, q.Deploy)
	if err != nil {
		return nil, err
	}
	out.Needs, out.Uses = dep.Needs, dep.Uses
	name := q.Workflow
	if name == "" {
		if len(dep.Workflows) != 1 {
			return nil, fmt.Errorf("the template has %d workflows: name the one to run", len(dep.Workflows))
		}
		name = dep.Workflows[0].Name
	}
	if q.Trigger == "" {
		w, err := e.Workflow(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(w.Triggers) == 0 {
			return nil, fmt.Errorf("the workflow '%s' has no trigger", name)
		}
		q.Trigger = w.Triggers[0].Name
	}
	if q.Timeout == 0 {
		q.Timeout = time.Minute
	}
	tctx, stop := context.WithTimeout(ctx, q.Timeout)
	defer stop()
	res, err := e.Trigger(tctx, name, q.Trigger, q.Input)
	if err != nil || res.Skipped {
		return out, err
	}
	if _, err := e.Wait(tctx, res.Runs[0]); err != nil {
		return out, fmt.Errorf("the run didn't end within %s: %w", q.Timeout, err)
	}
	out.Run, err = e.RunDetail(ctx, res.Runs[0])
	return out, err
}
