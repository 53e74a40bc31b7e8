package playbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"time"
)

// reply is an answer to a request of an action.
type reply struct {
	status  int
	headers *expr.Object
	body    any
}

func (p *reply) outputs() *expr.Object {
	o := expr.NewObject("statusCode", int64(p.status), "headers", p.headers)
	if p.body != nil {
		o.Set("body", p.body)
	}
	return o
}

// sender sends an action's request once; url is empty for the request itself, or where to poll or go on.
type sender func(ctx context.Context, url string) (*reply, error)

// http is the Http action.
func (r *run) http(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in, o := r.startInputs(a, f, rec)
	if in == nil {
		return o
	}
	uri := expr.Text(in.Value("uri"))
	if len(uri) > 2048*4 {
		o := failed("BadRequest", fmt.Sprintf("The 'uri' of the action '%s' is longer than 8 KB.", a.Name)).with(in)
		return &o
	}
	return r.attempts(ctx, a, rec, in, func(ctx context.Context, at string) (*reply, error) {
		method := strings.ToUpper(expr.Text(in.Value("method")))
		target := uri
		var body any
		if at == "" {
			body = in.Value("body")
		} else {
			method, target = "GET", at
		}
		return r.send(ctx, a, rec, in, method, target, body, at == "")
	})
}

// startInputs evaluates an action's inputs and records its start; a resumed action takes the recorded ones.
func (r *run) startInputs(a *definition.Action, f *frame, rec *record) (*expr.Object, *outcome) {
	if rec.status == Running {
		return object(rec.inputs), nil
	}
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		o := invalid(a, err)
		return nil, &o
	}
	in := object(v)
	if in == nil {
		o := failed("InvalidTemplate", fmt.Sprintf("The 'inputs' of the action '%s' must be an object.", a.Name))
		return nil, &o
	}
	if !r.begin(rec, in) {
		return nil, nil
	}
	return in, nil
}

// send makes one HTTP request through the guard.
func (r *run) send(ctx context.Context, a *definition.Action, rec *record, in *expr.Object, method, target string, body any, first bool) (*reply, error) {
	u, err := url.Parse(strings.TrimSpace(target))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, &refusal{fmt.Sprintf("The 'uri' of the action '%s' is not an absolute http or https URL.", a.Name)}
	}
	if q := object(in.Value("queries")); q != nil && first {
		vals := u.Query()
		for _, m := range q.Members() {
			vals.Set(m.Name, expr.Text(m.Value))
		}
		u.RawQuery = vals.Encode()
	}
	u.RawQuery = cleanQuery(u.RawQuery)
	data, ct := payload(body)
	if ct == "" {
		ct = "text/plain; charset=utf-8"
	}
	ctx = context.WithValue(ctx, nestingKey{}, r.nesting()+1)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(data))
	if err != nil {
		return nil, &refusal{fmt.Sprintf("The request of the action '%s' can't be made: the method '%s' or the URL is not valid.", a.Name, method)}
	}
	if len(data) == 0 {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	if ct != "" && len(data) > 0 {
		req.Header.Set("Content-Type", ct)
	}
	req.Header.Set("User-Agent", "azure-logic-apps/1.0 (workflow "+r.wf.id+"; version "+r.ver.id+") picket")
	req.Header.Set("Accept-Language", "en")
	if first { // the same for every attempt, and after a crash
		req.Header.Set("Idempotency-Key", r.key(rec))
	}
	if !a.Has("SuppressWorkflowHeaders") {
		req.Header.Set("x-ms-workflow-id", r.wf.id)
		req.Header.Set("x-ms-workflow-version", r.ver.id)
		req.Header.Set("x-ms-workflow-name", headerSafe(r.wf.name))
		req.Header.Set("x-ms-workflow-run-id", r.id)
		req.Header.Set("x-ms-workflow-operation-name", headerSafe(a.Name))
		req.Header.Set("x-ms-client-request-id", r.key(rec))
		req.Header.Set("x-ms-tracking-id", r.key(rec))
		req.Header.Set("x-ms-client-tracking-id", headerSafe(r.tracking))
	}
	for _, m := range object(in.Value("headers")).Members() {
		if v := expr.Text(m.Value); strings.EqualFold(m.Name, "host") {
			req.Host = v
		} else if m.Value != nil {
			if strings.ContainsAny(v, "\r\n\x00") {
				return nil, &refusal{fmt.Sprintf("The header '%s' of the action '%s' has a line break in its value.", m.Name, a.Name)}
			}
			req.Header.Set(m.Name, v)
		}
	}
	if c, ok := in.Value("cookie").(string); ok && c != "" {
		req.Header.Set("Cookie", c)
	}
	cert, err := r.e.authorize(ctx, req, object(in.Value("authentication")))
	if err != nil {
		return nil, err
	}
	resp, answer, err := r.e.guard.do(req, cert, true)
	if err != nil {
		return nil, err
	}
	v, err := ParseBody(answer, resp.Header.Get("Content-Type"))
	if err != nil { // an answer that isn't what it says it is
		v = string(answer)
	}
	return &reply{resp.StatusCode, headerObject(resp.Header), v}, nil
}

// nestingKey carries how many workflows called each other to one of this engine's own callback URLs.
type nestingKey struct{}

func (r *run) nesting() int {
	n, _ := r.trigger.Value("nesting").(int64)
	return int(n)
}

// cleanQuery escapes what may not stand in a query and leaves everything else as it is written.
func cleanQuery(q string) string {
	var b strings.Builder
	for i := 0; i < len(q); i++ {
		if c := q[i]; c <= 0x20 || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '_'
		}
		return r
	}, s)
}

// attempts sends until it is answered for good: what fails in passing is retried, 202 with a Location is polled.
// Progress is recorded, so a resumed action goes on where it was.
func (r *run) attempts(ctx context.Context, a *definition.Action, rec *record, in *expr.Object, send sender) *outcome {
	policy, err := parseRetry(object(in.Value("retryPolicy")))
	if err != nil {
		o := failed("InvalidRetryPolicy", fmt.Sprintf("The action '%s': %v.", a.Name, err)).with(in)
		return &o
	}
	cancelled := func() *outcome {
		if r.stopping() {
			return nil
		}
		return &outcome{status: Cancelled, code: "ActionCancelled", inputs: in, hasIn: true, err: errorObject("ActionCancelled", "The action was cancelled.")}
	}
	number := func(name string) int64 { n, _ := rec.metaValue(name).(int64); return n }
	for {
		if next := number("next"); next > 0 && !r.sleepUntil(ctx, fromMicros(next)) {
			return cancelled()
		}
		poll, _ := rec.metaValue("poll").(string)
		start := r.e.now()
		rep, err := send(ctx, poll)
		if ctx.Err() != nil {
			return cancelled()
		}
		var no *refusal
		retry := err != nil && !errors.As(err, &no) || err == nil && passing(rep.status)
		attempt := int(number("attempt"))
		if retry && attempt < policy.count {
			wait := policy.delay(attempt + 1)
			code, why := "ServiceUnavailable", ""
			if err == nil {
				code = codeName(rep.status)
				wait = max(wait, retryAfter(rep.headers, r.e.now()))
			} else {
				why = err.Error()
			}
			h, _ := rec.metaValue("retries").([]any)
			entry := expr.NewObject("startTime", stamp(start), "endTime", stamp(r.e.now()), "code", code)
			if why != "" {
				entry.Set("error", errorObject("HttpRequestFailed", why))
			}
			rec.meta = metaWith(rec.meta, "attempt", int64(attempt+1), "next", micros(r.e.now().Add(r.e.scaled(wait))), "retries", append(append([]any{}, h...), entry))
			if !r.checkpoint(rec) {
				return nil
			}
			continue
		}
		if err != nil {
			code := "HttpRequestFailed"
			if no != nil {
				code = "RequestRefused"
			}
			o := failed(code, fmt.Sprintf("The action '%s' got no answer: %v", a.Name, err)).with(in)
			return &o
		}
		loc, _ := rep.headers.Value("Location").(string)
		if rep.status == 202 && loc != "" && !a.Has("DisableAsyncPattern") {
			wait := retryAfter(rep.headers, r.e.now())
			if wait == 0 {
				wait = 10 * time.Second
			}
			if base, err := url.Parse(expr.Text(in.Value("uri"))); err == nil {
				if u, err := base.Parse(loc); err == nil && base.Host != "" {
					loc = u.String()
				}
			}
			rec.meta = metaWith(rec.meta, "attempt", int64(0), "poll", loc, "next", micros(r.e.now().Add(r.e.scaled(wait))))
			if !r.checkpoint(rec) {
				return nil
			}
			continue
		}
		if a.MinimumItems > 0 && rep.status/100 == 2 {
			if rep, err = pages(ctx, rep, a.MinimumItems, send); err != nil {
				o := failed("PaginationFailed", fmt.Sprintf("The action '%s' got only a part of the pages: %v", a.Name, err)).with(in)
				return &o
			}
		}
		o := outcome{status: Succeeded, code: codeName(rep.status), inputs: in, hasIn: true, outputs: rep.outputs(), hasOut: true}
		if rep.status < 200 || rep.status >= 300 {
			o.status = Failed
		}
		return &o
	}
}

const maxPages = 1000

// pages follows nextLink until there are enough items; whole pages are kept.
func pages(ctx context.Context, rep *reply, want int, send sender) (*reply, error) {
	items, _ := object(rep.body).Value("value").([]any)
	next := object(rep.body)
	for n := 0; len(items) < want && n < maxPages; n++ {
		link, _ := next.Value("nextLink").(string)
		if link == "" {
			link, _ = next.Value("@odata.nextLink").(string)
		}
		if link == "" {
			break
		}
		p, err := send(ctx, link)
		if err != nil {
			return nil, err
		}
		if p.status/100 != 2 {
			return nil, fmt.Errorf("a page was answered with status %d", p.status)
		}
		next = object(p.body)
		more, _ := next.Value("value").([]any)
		items = append(items[:len(items):len(items)], more...)
	}
	return &reply{rep.status, rep.headers, expr.NewObject("value", items)}, nil
}
