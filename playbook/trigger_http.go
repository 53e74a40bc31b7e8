package playbook

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"
)

const (
	subscribeLease = 10 * time.Minute // a subscription that was begun and never ended is begun again
	subscribeRetry = time.Minute
)

// triggerRequest sends a request of a trigger through the guard; key is the same when it is sent again, "" for none.
func (e *Engine) triggerRequest(ctx context.Context, w *workflow, t *definition.Trigger, in *expr.Object, uri, key string) (*reply, error) {
	method := strings.ToUpper(expr.Text(in.Value("method")))
	if method == "" {
		method = "GET"
	}
	u, err := url.Parse(strings.TrimSpace(uri))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &refusal{fmt.Sprintf("The 'uri' of the trigger '%s' is not an absolute http or https URL.", t.Name)}
	}
	if q := object(in.Value("queries")); q.Len() > 0 {
		vals := u.Query()
		for _, m := range q.Members() {
			vals.Set(m.Name, expr.Text(m.Value))
		}
		u.RawQuery = vals.Encode()
	}
	data, ct := payload(in.Value("body"))
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(data))
	if err != nil {
		return nil, &refusal{fmt.Sprintf("The request of the trigger '%s' can't be made: the method '%s' or the URL is not valid.", t.Name, method)}
	}
	if len(data) == 0 {
		req.Body, req.ContentLength = http.NoBody, 0
	} else if ct != "" {
		req.Header.Set("Content-Type", ct)
	}
	req.Header.Set("User-Agent", "azure-logic-apps/1.0 (workflow "+w.id+"; version "+w.version+") picket")
	req.Header.Set("x-ms-workflow-id", w.id)
	req.Header.Set("x-ms-workflow-name", headerSafe(w.name))
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("x-ms-client-request-id", key)
	}
	for _, m := range object(in.Value("headers")).Members() {
		if v := expr.Text(m.Value); m.Value != nil && !strings.ContainsAny(v, "\r\n\x00") {
			req.Header.Set(m.Name, v)
		}
	}
	cert, err := e.authorize(ctx, req, object(in.Value("authentication")))
	if err != nil {
		return nil, err
	}
	resp, answer, err := e.guard.do(req, cert, true)
	if err != nil {
		return nil, err
	}
	v, err := ParseBody(answer, resp.Header.Get("Content-Type"))
	if err != nil {
		v = string(answer)
	}
	return &reply{resp.StatusCode, headerObject(resp.Header), v}, nil
}

// background runs f while the engine runs.
func (e *Engine) background(f func(ctx context.Context)) {
	e.mu.Lock()
	root := e.root
	if root != nil {
		e.wg.Add(1)
	}
	e.mu.Unlock()
	if root == nil {
		return
	}
	go func() {
		defer e.wg.Done()
		defer e.rescue(func() {})
		f(root)
	}()
}

// pause waits; false when ctx ended first.
func (e *Engine) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(e.scaled(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// poll is one poll of an Http trigger: 200 starts a run, 202 doesn't (its Location is asked when it says so), anything
// else doesn't after the retry policy is used up. Conditions that speak of the status decide in place of that.
func (e *Engine) poll(ctx context.Context, w *workflow, t *definition.Trigger, due time.Time) error {
	env := &triggerEnv{e: e, w: w}
	v, err := expr.EvaluateTree(t.Inputs, env)
	if err != nil {
		return fail(400, "InvalidTemplate", "Unable to process template language expressions in trigger '%s' inputs: '%v'.", t.Name, err)
	}
	in := object(v)
	policy, err := parseRetry(object(in.Value("retryPolicy")))
	if err != nil {
		return fail(400, "InvalidRetryPolicy", "The trigger '%s': %v.", t.Name, err)
	}
	uri := expr.Text(in.Value("uri"))
	own := false
	for _, c := range t.Conditions {
		l := strings.ToLower(c)
		own = own || strings.Contains(l, "statuscode") || strings.Contains(l, ".code")
	}
	for n := 0; ; {
		rep, err := e.triggerRequest(ctx, w, t, in, uri, derivedRunID(w.id, t.Name, "poll\x00"+due.Format(time.RFC3339Nano), 0))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, no := err.(*refusal); (err != nil && !no || err == nil && passing(rep.status)) && n < policy.count {
			n++
			wait := policy.delay(n)
			if err == nil {
				wait = max(wait, retryAfter(rep.headers, e.now()))
			}
			if !e.pause(ctx, wait) {
				return ctx.Err()
			}
			continue
		}
		if err != nil {
			return fail(502, "TriggerRequestFailed", "The trigger '%s' got no answer: %v", t.Name, err)
		}
		loc, _ := rep.headers.Value("Location").(string)
		if rep.status == 202 && loc != "" {
			if base, err := url.Parse(uri); err == nil {
				if u, err := base.Parse(loc); err == nil {
					uri = u.String()
				}
			}
			in = expr.NewObject("method", "GET", "headers", in.Value("headers"), "authentication", in.Value("authentication"))
			if !e.pause(ctx, max(retryAfter(rep.headers, e.now()), 5*time.Second)) {
				return ctx.Err()
			}
			continue
		}
		if !own && rep.status != 200 {
			c := "TriggerConditionNotMet"
			h := TriggerHistory{ID: derivedRunID(w.id, t.Name, "history\x00poll\x00"+due.Format(time.RFC3339Nano), 0), Trigger: t.Name, Status: Skipped, Code: c, Started: due, Ended: e.now(), Scheduled: due}
			if rep.status >= 400 {
				h.Status, h.Code = Failed, codeName(rep.status)
			}
			return e.commits.do(func(tx *state.Tx) error {
				if err := putHistory(tx, w.name, h); err != nil {
					return err
				}
				return polled(w.name, t.Name, due)(tx, nil)
			})
		}
		_, _, err = e.fireFor(ctx, w, t.Name, TriggerInput{ID: "poll\x00" + due.Format(time.RFC3339Nano), outputs: rep.outputs()}, cause{scheduled: due, extra: polled(w.name, t.Name, due)})
		return err
	}
}

// subscription sends a webhook trigger's subscribe or unsubscribe request.
func (e *Engine) subscription(ctx context.Context, w *workflow, t *definition.Trigger, which string) error {
	cb, err := e.CallbackURL(ctx, w.name, t.Name, CallbackOptions{})
	if err != nil {
		return err
	}
	v, err := expr.EvaluateTree(t.Inputs.Value(which), &triggerEnv{e: e, w: w, url: cb.Value})
	if err != nil {
		return fmt.Errorf("the trigger's '%s': %w", which, err)
	}
	in := object(v)
	if in == nil {
		if which == "unsubscribe" {
			return nil
		}
		return fmt.Errorf("the trigger '%s' has no '%s'", t.Name, which)
	}
	if in.Value("method") == nil {
		in = in.Clone()
		in.Set("method", "POST")
	}
	rep, err := e.triggerRequest(ctx, w, t, in, expr.Text(in.Value("uri")), "")
	if err != nil {
		return err
	}
	if rep.status/100 != 2 {
		return fmt.Errorf("'%s' was answered with status %d", which, rep.status)
	}
	return nil
}

// subscribe makes an HttpWebhook trigger's subscription, the one before given up first. It is tried until it is made.
func (e *Engine) subscribe(ctx context.Context, w *workflow, t *definition.Trigger, again bool) {
	if again {
		if err := e.subscription(ctx, w, t, "unsubscribe"); err != nil {
			e.log.Warn("playbook: unsubscribe failed", "workflow", w.name, "trigger", t.Name, "error", err)
		}
	}
	err := e.subscription(ctx, w, t, "subscribe")
	if ctx.Err() != nil {
		return
	}
	next, last := int64(0), micros(e.now())
	if err != nil {
		next, last = micros(e.now().Add(e.scaled(subscribeRetry))), 0
		e.log.Warn("playbook: subscribe failed; it is tried again", "workflow", w.name, "trigger", t.Name, "error", err)
	}
	if err := e.commits.do(func(tx *state.Tx) error {
		_, err := tx.Exec(`UPDATE playbook_trigger SET next=?, last=? WHERE workflow=? AND name=?`, next, last, w.name, t.Name)
		return err
	}); err != nil {
		e.log.Error("playbook: a subscription can't be recorded", "workflow", w.name, "trigger", t.Name, "error", err)
	}
	e.rescheduled()
}

// unsubscribeAll gives up a workflow's subscriptions.
func (e *Engine) unsubscribeAll(ctx context.Context, w *workflow) {
	for _, t := range w.def.Triggers {
		if t.Type != "HttpWebhook" {
			continue
		}
		uctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		if err := e.subscription(uctx, w, t, "unsubscribe"); err != nil {
			e.log.Warn("playbook: unsubscribe failed", "workflow", w.name, "trigger", t.Name, "error", err)
		}
		cancel()
	}
}
