package playbook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"picket/playbook/expr"
	"picket/state"
	"strconv"
	"strings"
	"time"
)

const callbackVersion = "2016-10-01"

func newKey() string {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic(err) // the system has no randomness: nothing can be made safely
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// signature signs what a callback URL allows: workflow, permission, version, expiry.
func signature(key, workflowID, sp, sv, se string) string {
	m := hmac.New(sha256.New, []byte(key))
	for _, s := range []string{workflowID, sp, sv, se} {
		fmt.Fprintf(m, "%d:%s\n", len(s), s)
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (w *workflow) signed(q url.Values, sp string, now time.Time) bool {
	if q.Get("sp") != sp || q.Get("sv") != "1.0" {
		return false
	}
	se := q.Get("se")
	if se != "" {
		t, err := time.Parse(time.RFC3339Nano, se)
		if err != nil || now.After(t) {
			return false
		}
	}
	got := []byte(q.Get("sig"))
	a := hmac.Equal(got, []byte(signature(w.primary, w.id, sp, "1.0", se)))
	b := hmac.Equal(got, []byte(signature(w.secondary, w.id, sp, "1.0", se)))
	return a || b
}

func (e *Engine) signedURL(w *workflow, path, sp, key string, notAfter time.Time) (string, map[string]string) {
	se := ""
	if !notAfter.IsZero() {
		se = notAfter.UTC().Format("2006-01-02T15:04:05.0000000Z")
	}
	q := map[string]string{"api-version": callbackVersion, "sp": sp, "sv": "1.0", "sig": signature(key, w.id, sp, "1.0", se)}
	s := "api-version=" + callbackVersion
	if se != "" {
		s += "&se=" + url.QueryEscape(se)
		q["se"] = se
	}
	s += "&sp=" + url.QueryEscape(sp) + "&sv=1.0&sig=" + q["sig"]
	return strings.TrimRight(e.deps.PublicURL, "/") + path + "?" + s, q
}

// CallbackURL is the URL that lets a trigger fire.
func (e *Engine) CallbackURL(ctx context.Context, workflowName, trigger string, o CallbackOptions) (*Callback, error) {
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return nil, err
	}
	t, err := e.pickTrigger(w, trigger)
	if err != nil {
		return nil, err
	}
	if t.Type != "Request" && t.Type != "ApiConnectionWebhook" && t.Type != "HttpWebhook" && t.Type != "Manual" {
		return nil, fail(400, "TriggerHasNoCallbackUrl", "The trigger '%s' is of type '%s' and has no callback URL.", t.Name, t.Type)
	}
	key := w.primary
	if o.Secondary {
		key = w.secondary
	}
	path := "/workflows/" + w.id + "/triggers/" + url.PathEscape(t.Name) + "/paths/invoke"
	cb := &Callback{Method: "POST"}
	if m, ok := t.Inputs.Value("method").(string); ok && m != "" {
		cb.Method = strings.ToUpper(m)
	}
	cb.RelativePath, _ = t.Inputs.Value("relativePath").(string)
	if cb.RelativePath != "" {
		path += "/" + strings.TrimPrefix(cb.RelativePath, "/")
	}
	cb.Value, cb.Queries = e.signedURL(w, path, "/triggers/"+t.Name+"/run", key, o.NotAfter)
	cb.BasePath = strings.TrimRight(e.deps.PublicURL, "/") + path
	return cb, nil
}

// RegenerateKey makes a new key ("Primary" or "Secondary"); URLs signed with the old one stop working.
func (e *Engine) RegenerateKey(ctx context.Context, workflowName, keyType string) error {
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return err
	}
	switch strings.ToLower(keyType) {
	case "primary", "":
		w.primary = newKey()
	case "secondary":
		w.secondary = newKey()
	default:
		return fail(400, "InvalidKeyType", "The key type '%s' is neither Primary nor Secondary.", keyType)
	}
	b, err := e.seal.encode(expr.NewObject("primary", w.primary, "secondary", w.secondary), true)
	if err != nil {
		return err
	}
	return e.commits.do(func(tx *state.Tx) error {
		_, err := tx.Exec(`UPDATE playbook_workflow SET keys=? WHERE name=?`, b, w.name)
		return err
	})
}

// actionCallback is the URL that ends a webhook action.
func (e *Engine) actionCallback(w *workflow, run, action, rep string) string {
	sp := "/runs/" + run + "/actions/" + action + "/" + rep + "/run"
	path := "/workflows/" + w.id + "/runs/" + run + "/actions/" + url.PathEscape(action) + "/run"
	u, _ := e.signedURL(w, path, sp, w.primary, time.Time{})
	if rep != "" {
		u += "&repetition=" + rep
	}
	return u
}

// target is what a callback URL leads to.
type target struct {
	workflow, trigger, relative string
	run, action                 string
	operation                   string // of an asynchronous Response
	respond                     bool   // the page of a question
}

func parseTarget(u *url.URL) (target, bool) {
	parts := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil {
			return target{}, false
		}
		parts[i] = s
	}
	if len(parts) < 5 || !strings.EqualFold(parts[0], "workflows") {
		return target{}, false
	}
	t := target{workflow: parts[1]}
	rest := parts[2:]
	if strings.EqualFold(rest[0], "versions") && len(rest) > 3 {
		rest = rest[2:]
	}
	switch {
	case strings.EqualFold(rest[0], "triggers") && len(rest) == 3 && strings.EqualFold(rest[2], "run"):
		t.trigger = rest[1]
	case strings.EqualFold(rest[0], "triggers") && len(rest) >= 4 && strings.EqualFold(rest[2], "paths") && strings.EqualFold(rest[3], "invoke"):
		t.trigger = rest[1]
		var esc []string
		for _, p := range rest[4:] {
			esc = append(esc, url.PathEscape(p))
		}
		t.relative = strings.Join(esc, "/")
	case strings.EqualFold(rest[0], "runs") && len(rest) == 5 && strings.EqualFold(rest[2], "actions") && strings.EqualFold(rest[4], "run"):
		t.run, t.action = rest[1], rest[3]
	case strings.EqualFold(rest[0], "runs") && len(rest) == 5 && strings.EqualFold(rest[2], "actions") && strings.EqualFold(rest[4], "respond"):
		t.run, t.action, t.respond = rest[1], rest[3], true
	case strings.EqualFold(rest[0], "runs") && len(rest) == 4 && strings.EqualFold(rest[2], "operations"):
		t.run, t.operation = rest[1], rest[3]
	default:
		return target{}, false
	}
	return t, true
}

// verify finds the workflow that a callback URL is for, when its signature is right.
func (e *Engine) verify(ctx context.Context, u *url.URL) (*workflow, target, bool) {
	t, ok := parseTarget(u)
	if !ok {
		return nil, t, false
	}
	w, err := e.findWorkflowID(ctx, t.workflow)
	if err != nil {
		// The time of an answer must not tell whether a workflow exists: sign anyway.
		signature("absent", t.workflow, u.Query().Get("sp"), "1.0", "")
		return nil, t, false
	}
	q := u.Query()
	sp := "/triggers/" + t.trigger + "/run"
	if t.operation != "" {
		sp = operationPermission(t.run, t.operation)
	} else if t.respond {
		sp = respondPermission(t.run, t.action, q.Get("repetition"), q.Get("option"), q.Get("who"))
	} else if t.action != "" {
		sp = "/runs/" + t.run + "/actions/" + t.action + "/" + q.Get("repetition") + "/run"
	} else if dt := w.def.Trigger(t.trigger); dt != nil {
		t.trigger = dt.Name
		if strings.EqualFold(q.Get("sp"), "/triggers/"+dt.Name+"/run") {
			sp = "/triggers/" + dt.Name + "/run"
			q.Set("sp", sp)
		}
	}
	return w, t, w.signed(q, sp, e.now())
}

// ownCallback recognises a callback URL of this engine in an outbound request.
func (e *Engine) ownCallback(req *http.Request) (http.Handler, bool) {
	if _, ok := parseTarget(req.URL); !ok {
		return nil, false
	}
	if _, _, ok := e.verify(req.Context(), req.URL); !ok {
		return nil, false
	}
	return e.InvokeHandler(), true
}

// DeliverCallback delivers a call of one of this engine's own callback URLs in process; own is false when the
// URL isn't one, or its signature is wrong.
func (e *Engine) DeliverCallback(ctx context.Context, rawURL, method string, header http.Header, body []byte) (status int, respHeader http.Header, respBody []byte, own bool, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return 0, nil, nil, false, nil
	}
	if _, _, ok := e.verify(ctx, u); !ok {
		return 0, nil, nil, false, nil
	}
	req, err := http.NewRequestWithContext(ctx, method, rawURL, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, true, fmt.Errorf("deliver callback: %w", err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	resp, err := serveInProcess(e.InvokeHandler(), req)
	if err != nil {
		return 0, nil, nil, true, err
	}
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, b, true, err
}

func writeError(w http.ResponseWriter, err error) {
	pe, ok := err.(*Error)
	if !ok {
		pe = fail(500, "InternalServerError", "The request failed.")
	}
	writeValue(w, pe.Status, expr.NewObject("error", errorObject(pe.Code, pe.Message)))
}

func writeValue(w http.ResponseWriter, status int, v any) {
	data, ct := payload(v)
	if w.Header().Get("Content-Type") == "" {
		if ct == "" && len(data) > 0 {
			ct = "text/plain; charset=utf-8"
		}
		if ct != "" {
			w.Header().Set("Content-Type", ct)
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	w.Write(data)
}

// InvokeHandler serves callback URLs: /workflows/{id}/triggers/{t}/paths/invoke, …/run, and those of webhook
// actions. It is public: a right signature is the only key. A run is durable before its 202.
func (e *Engine) InvokeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		wf, t, ok := e.verify(req.Context(), req.URL)
		if !ok {
			if _, known := parseTarget(req.URL); !known {
				writeError(w, fail(404, "NotFound", "The path is not that of a callback URL."))
				return
			}
			writeError(w, fail(401, "DirectApiAuthorizationRequired", "The request must be authenticated only by Shared Access scheme."))
			return
		}
		if t.operation != "" {
			e.operation(w, req, wf, t)
			return
		}
		if t.respond {
			e.respond(w, req, wf, t)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, MaxMessage))
		if err != nil {
			writeError(w, fail(413, "RequestEntityTooLarge", "The request content is larger than %d bytes or can't be read.", MaxMessage))
			return
		}
		v, err := ParseBody(body, req.Header.Get("Content-Type"))
		if err != nil {
			writeError(w, fail(400, "InvalidRequestContent", "The request content is not valid and could not be deserialized: '%v'.", err))
			return
		}
		if t.action != "" {
			e.actionCalled(w, req, wf, t, v)
			return
		}
		id := ""
		if k := req.Header.Get("Idempotency-Key"); k != "" && len(k) <= 256 {
			id = "key\x00" + k // a sender that isn't sure may send again: no second run
		}
		nesting, _ := req.Context().Value(nestingKey{}).(int)
		in := TriggerInput{ID: id, nesting: nesting, Method: req.Method, Headers: req.Header, Relative: t.relative, Body: v, Wait: true, Queries: map[string]string{}}
		for k, vs := range req.URL.Query() {
			switch k {
			case "api-version", "sp", "sv", "sig", "se":
			default:
				in.Queries[k] = strings.Join(vs, ",")
			}
		}
		later := asynchronous(wf.def)
		in.Wait = later == ""
		res, err := e.trigger(req.Context(), wf, t.trigger, in)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				e.log.Error("playbook: a call failed", "workflow", wf.name, "error", err)
			}
			writeError(w, err)
			return
		}
		h := w.Header()
		h.Set("x-ms-workflow-id", wf.id)
		h.Set("x-ms-workflow-name", headerSafe(wf.name))
		h.Set("x-ms-workflow-version", wf.version)
		h.Set("x-ms-workflow-system-id", "/workflows/"+wf.id)
		if len(res.Runs) > 0 {
			h.Set("x-ms-workflow-run-id", res.Runs[0])
			h.Set("x-ms-request-id", res.Runs[0])
			h.Set("x-ms-tracking-id", res.Runs[0])
			h.Set("x-ms-client-tracking-id", res.Runs[0])
		}
		if id := req.Header.Get("x-ms-client-tracking-id"); id != "" {
			h.Set("x-ms-client-tracking-id", headerSafe(id))
		}
		if res.Reply == nil {
			if later != "" && len(res.Runs) == 1 {
				h.Set("Location", e.operationURL(wf, res.Runs[0], later))
				h.Set("Retry-After", operationRetry)
			}
			w.WriteHeader(http.StatusAccepted)
			return
		}
		for k, v := range res.Reply.Headers {
			switch strings.ToLower(k) {
			case "content-length", "transfer-encoding", "connection", "set-cookie":
			default:
				h.Set(k, v)
			}
		}
		writeValue(w, res.Reply.Status, res.Reply.Body)
	})
}

// actionCalled records the callback of a webhook action, then lets the action go on.
func (e *Engine) actionCalled(w http.ResponseWriter, req *http.Request, wf *workflow, t target, body any) {
	rep := req.URL.Query().Get("repetition")
	out := expr.NewObject("headers", headerObject(req.Header, "Authorization"))
	if body != nil {
		out.Set("body", body)
	}
	var open int
	err := e.db.QueryRow(req.Context(), `SELECT count(*) FROM playbook_run r JOIN playbook_action a ON a.run=r.id WHERE r.id=? AND r.ended=0 AND a.name=? COLLATE NOCASE AND a.rep=? AND a.status='Running'`, t.run, t.action, rep).Scan(&open)
	if err != nil {
		writeError(w, err)
		return
	}
	if open == 0 {
		writeError(w, fail(404, "WorkflowRunActionNotFound", "The workflow run action '%s' waits for no callback.", t.action))
		return
	}
	if _, err := e.recordCallback(req.Context(), wf, t, rep, out); err != nil {
		writeError(w, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}
