package playbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"time"
)

// webhook is HttpWebhook and ApiConnectionWebhook: subscribe with a callback URL, wait until it is called,
// unsubscribe. That the subscription was made, and the callback, are recorded.
func (r *run) webhook(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	if a.Type == "ApiConnectionWebhook" {
		// The subscription is the connector's own call with the callback URL in its body.
		return r.webhookWith(ctx, a, f, rec, func(ctx context.Context, in *expr.Object) *outcome { return r.subscribeConnector(ctx, a, f, rec, in) })
	}
	return r.webhookWith(ctx, a, f, rec, func(ctx context.Context, in *expr.Object) *outcome {
		sub := object(in.Value("subscribe"))
		return r.attempts(ctx, a, rec, sub, func(ctx context.Context, at string) (*reply, error) {
			rep, err := r.send(ctx, a, rec, sub, strings.ToUpper(expr.Text(sub.Value("method"))), expr.Text(sub.Value("uri")), sub.Value("body"), true)
			if rep != nil && rep.status == 202 {
				rep.headers = rep.headers.Without("Location") // the answer comes by the callback
			}
			return rep, err
		})
	})
}

func (r *run) webhookWith(ctx context.Context, a *definition.Action, f *frame, rec *record, subscribe func(context.Context, *expr.Object) *outcome) *outcome {
	var in *expr.Object
	if rec.status == Running {
		in = object(rec.inputs)
	} else {
		env := r.env(f, rec)
		env.back = func() (string, error) { return r.e.actionCallback(r.wf, r.id, a.Name, f.rep), nil }
		v, err := expr.EvaluateTree(a.Inputs, env)
		if err != nil {
			o := invalid(a, err)
			return &o
		}
		if in = object(v); !r.begin(rec, in) {
			return nil
		}
	}
	if rec.metaValue("subscribed") != true {
		o := subscribe(ctx, in)
		if o == nil {
			return nil
		}
		if o.status != Succeeded {
			*o = o.with(in)
			return o
		}
		rec.meta = metaWith(rec.meta, "subscribed", true)
		if !r.checkpoint(rec) {
			return nil
		}
	}
	ch := r.e.waitFor(r.id, a.Name, f.rep)
	defer r.e.stopWaiting(r.id, a.Name, f.rep)
	got, err := r.e.callbackOf(r.ctx, r.id, a.Name, f.rep)
	if err == nil && got == nil {
		select {
		case <-ch:
			got, err = r.e.callbackOf(r.ctx, r.id, a.Name, f.rep)
		case <-ctx.Done():
		}
	}
	if r.stopping() {
		return nil
	}
	var o outcome
	switch {
	case err != nil:
		o = failed("CallbackNotReadable", err.Error()).with(in)
	case got == nil:
		o = outcome{status: Cancelled, code: "ActionCancelled", inputs: in, hasIn: true}
	default:
		o = succeeded(in, got)
	}
	if un := object(in.Value("unsubscribe")); un != nil && a.Type == "HttpWebhook" {
		uctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if _, err := r.send(uctx, a, rec, un, strings.ToUpper(expr.Text(un.Value("method"))), expr.Text(un.Value("uri")), un.Value("body"), true); err != nil {
			r.e.log.Warn("playbook: unsubscribe failed", "run", r.id, "action", a.Name, "error", err)
		}
	}
	return &o
}

func (r *run) subscribeConnector(ctx context.Context, a *definition.Action, f *frame, rec *record, in *expr.Object) *outcome {
	conn, name, err := r.e.connectionOf(r.ctx, r.ver, object(in.Value("host")), expr.JSON(object(a.Inputs).Value("host")))
	if err != nil {
		o := failed("ConnectionNotFound", fmt.Sprintf("The action '%s' uses the connection '%s': %v.", a.Name, name, err))
		return &o
	}
	c := r.e.connector(conn.api)
	path := expr.Text(in.Value("path"))
	if c == nil || !serves(c, "POST", path) {
		o := failed("OperationNotAvailable", fmt.Sprintf("The action '%s' subscribes to '%s' of the connector '%s', which this picket doesn't serve.", a.Name, path, conn.api))
		return &o
	}
	return r.attempts(ctx, a, rec, in, func(ctx context.Context, _ string) (*reply, error) {
		resp, err := r.callConnector(ctx, c, &Request{
			API: conn.api, Connection: conn.name, Parameters: conn.parameters, Method: "POST", Path: path,
			Queries: object(in.Value("queries")), Headers: object(in.Value("headers")), Body: in.Value("body"),
			ActionRunID: r.key(rec), Workflow: r.wf.name, Run: r.id, Action: a.Name,
			Link: func(option, who string) string { return r.e.respondURL(r.wf, r.id, a.Name, f.rep, option, who) },
		})
		if err != nil {
			return nil, err
		}
		return &reply{resp.Status, nil, resp.Body}, nil
	})
}

func waitKey(run, action, rep string) string {
	return run + "\x00" + strings.ToLower(action) + "\x00" + rep
}

// waitFor makes the channel that closes when an action's callback is recorded.
func (e *Engine) waitFor(run, action, rep string) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := waitKey(run, action, rep)
	ch := e.waiters[k]
	if ch == nil {
		ch = make(chan struct{})
		e.waiters[k] = ch
	}
	return ch
}

func (e *Engine) stopWaiting(run, action, rep string) {
	e.mu.Lock()
	delete(e.waiters, waitKey(run, action, rep))
	e.mu.Unlock()
}

func (e *Engine) callbackOf(ctx context.Context, run, action, rep string) (any, error) {
	var b []byte
	err := e.db.QueryRow(ctx, `SELECT outputs FROM playbook_callback WHERE run=? AND name=? AND rep=?`, run, strings.ToLower(action), rep).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.seal.decode(b)
}
