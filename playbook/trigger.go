package playbook

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"

	"github.com/google/uuid"
)

// maxNesting is how many workflows may call each other before one is refused.
const maxNesting = 20

// Limits of splitOn (limits page).
const (
	maxSplit        = 100_000
	maxSplitLimited = 100 // with a concurrency limit on the trigger
)

const ticksAtEpoch = 621355968000000000

// newRunID makes a run's name as the service does: descending ticks and a random end.
func newRunID(now time.Time) string {
	left := int64(3155378975999999999) - (ticksAtEpoch + now.UnixMicro()*10)
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		n = big.NewInt(now.UnixNano() % 1_000_000_000)
	}
	return fmt.Sprintf("08%018d%09dCU00", left/10, n)
}

// derivedRunID makes the same name for the same cause.
func derivedRunID(workflowID, trigger, cause string, index int) string {
	u := uuid.NewSHA1(nsRun, []byte(fmt.Sprintf("%s\x00%s\x00%s\x00%d", workflowID, strings.ToLower(trigger), cause, index)))
	n := new(big.Int).SetBytes(u[:])
	s := n.String()
	for len(s) < 27 {
		s = "0" + s
	}
	return "08" + s[:27] + "CU01"
}

// triggerEnv is what expressions of a trigger can ask for.
type triggerEnv struct {
	expr.NoEnv
	e      *Engine
	w      *workflow
	record *expr.Object
	url    string
}

func (t *triggerEnv) Now() time.Time                     { return t.e.now() }
func (t *triggerEnv) Parameter(name string) (any, error) { return parameterOf(t.w.version0, name) }
func (t *triggerEnv) Workflow() (*expr.Object, error)    { return t.e.workflowObject(t.w, ""), nil }
func (t *triggerEnv) Trigger() (*expr.Object, error)     { return t.record, nil }
func (t *triggerEnv) CallbackURL() (string, error)       { return t.url, nil }

// cause is where a firing comes from, beside its input.
type cause struct {
	scheduled time.Time
	extra     func(tx *state.Tx, runs []string) error // in the same commit as the runs
	resubmit  bool
}

func (e *Engine) pickTrigger(w *workflow, name string) (*definition.Trigger, error) {
	if name == "" && len(w.def.Triggers) == 1 {
		return w.def.Triggers[0], nil
	}
	if t := w.def.Trigger(name); t != nil {
		return t, nil
	}
	return nil, fail(404, "WorkflowTriggerNotFound", "The workflow '%s' has no trigger '%s'.", w.name, name)
}

// fireFor lets a trigger of a workflow fire: it records the runs durably and starts them.
func (e *Engine) fireFor(ctx context.Context, w *workflow, name string, in TriggerInput, c cause) ([]string, chan *Response, error) {
	t, err := e.pickTrigger(w, name)
	if err != nil {
		return nil, nil, err
	}
	if !w.enabled && e.deps.Trial == nil {
		return nil, nil, fail(409, "WorkflowDisabled", "The workflow '%s' is disabled. Enable it to let its trigger '%s' fire.", w.name, t.Name)
	}
	now := e.now()
	histID := newRunID(now)
	if in.ID != "" {
		histID = derivedRunID(w.id, t.Name, "history\x00"+in.ID, 0)
	}
	if needs := e.needsOf(ctx, w, nil); len(needs) > 0 && !w.allowNeeds {
		err := fail(409, "WorkflowNeedsUnmet", "The workflow '%s' can't run: %s", w.name, needs[0].Message)
		if len(needs) > 1 {
			err.Message += fmt.Sprintf(" (and %d more needs)", len(needs)-1)
		}
		e.refuse(w, t, histID, now, c, err)
		return nil, nil, err
	}
	if in.nesting > maxNesting {
		return nil, nil, fail(400, "NestingLimitExceeded", "The workflow '%s' is called by %d workflows that called each other; do they call themselves in a circle?", w.name, in.nesting)
	}
	outputs, err := e.triggerOutputs(w, t, in)
	if err != nil {
		return nil, nil, err
	}
	tracking := in.TrackingID
	if tracking == "" {
		tracking = in.Headers.Get("x-ms-client-tracking-id")
	}
	if len(tracking) > 128 {
		tracking = tracking[:128]
	}
	record := func(out *expr.Object, run string) *expr.Object {
		o := expr.NewObject("name", t.Name)
		if t.Inputs != nil && t.Type != "Recurrence" {
			o.Set("inputs", t.Inputs)
		}
		if out != nil {
			o.Set("outputs", out)
		}
		o.Set("startTime", stamp(now))
		o.Set("endTime", stamp(e.now()))
		if in.Wait {
			o.Set("awaited", true)
		}
		if in.nesting > 0 {
			o.Set("nesting", int64(in.nesting))
		}
		if !c.scheduled.IsZero() {
			o.Set("scheduledTime", stamp(c.scheduled))
		}
		o.Set("trackingId", uuid.NewSHA1(nsHistory, []byte(histID)).String())
		id := tracking
		if id == "" {
			id = run
		}
		o.Set("clientTrackingId", id)
		o.Set("originHistoryName", histID)
		o.Set("code", "OK")
		o.Set("status", Succeeded)
		return o
	}
	in.Wait = in.Wait && t.Type == "Request" && t.SplitOn == "" && responds(w.def)
	env := &triggerEnv{e: e, w: w, record: record(outputs, "")}
	if t.TrackingID != "" && tracking == "" {
		v, err := expr.Evaluate(t.TrackingID, env)
		if err != nil {
			return nil, nil, fail(400, "InvalidTemplate", "Unable to process template language expressions in trigger '%s' correlation: '%v'.", t.Name, err)
		}
		tracking = expr.Text(v)
	}
	for _, cond := range t.Conditions {
		yes, err := condition(cond, env)
		if err != nil {
			err := fail(400, "InvalidTemplate", "Unable to process template language expressions for trigger '%s' conditions: '%v'.", t.Name, err)
			e.refuse(w, t, histID, now, c, err)
			return nil, nil, err
		}
		if !yes {
			h := TriggerHistory{ID: histID, Trigger: t.Name, Status: Skipped, Code: "TriggerConditionNotMet", Started: now, Ended: e.now(), Scheduled: c.scheduled}
			return nil, nil, e.commits.do(func(tx *state.Tx) error {
				if err := putHistory(tx, w.name, h); err != nil || c.extra == nil {
					return err
				}
				return c.extra(tx, nil)
			})
		}
	}
	bodies := []*expr.Object{outputs}
	if t.SplitOn != "" && !c.resubmit {
		if bodies, err = e.split(t, outputs, env); err != nil {
			e.refuse(w, t, histID, now, c, err)
			return nil, nil, err
		}
	}
	type made struct {
		id  string
		rec []byte
		trk string
	}
	var runs []made
	var ids []string
	for i, b := range bodies {
		m := made{id: newRunID(now), trk: tracking}
		if in.ID != "" {
			m.id = derivedRunID(w.id, t.Name, in.ID, i)
		}
		if m.trk == "" {
			m.trk = m.id
		}
		rec := record(b, m.id)
		if m.rec, err = e.seal.encode(rec, t.Secure.Inputs || t.Secure.Outputs || contains(rec, e.hide(w.secrets))); err != nil {
			return nil, nil, err
		}
		runs = append(runs, m)
		ids = append(ids, m.id)
	}
	var fresh []string
	err = e.commits.do(func(tx *state.Tx) error {
		fresh = fresh[:0]
		open, waiting := 0, 0
		if t.Runs > 0 {
			if err := tx.QueryRow(`SELECT count(*) FILTER (WHERE status='Running'), count(*) FILTER (WHERE status='Waiting') FROM playbook_run WHERE workflow=? AND trigger=? AND ended=0`, w.name, t.Name).Scan(&open, &waiting); err != nil {
				return err
			}
		}
		for _, m := range runs {
			status := Running
			if t.Runs > 0 && open >= t.Runs {
				status = Waiting
				limit := t.MaxWaiting
				if limit == 0 {
					limit = 10 + t.Runs
				}
				if waiting >= limit && t.SplitOn == "" {
					return fail(429, "TooManyRequests", "The workflow '%s' has %d runs waiting for its trigger '%s', which runs %d at once.", w.name, waiting, t.Name, t.Runs)
				}
				waiting++
			}
			res, err := tx.Exec(`INSERT INTO playbook_run(id, workflow, version, trigger, status, code, error, started, ended, tracking, record, outputs, response)
				VALUES(?,?,?,?,?,'','',?,0,?,?,'','') ON CONFLICT(id) DO NOTHING`, m.id, w.name, w.version, t.Name, status, micros(now), m.trk, m.rec)
			if err != nil {
				return fmt.Errorf("record run: %w", err)
			}
			if n, _ := res.RowsAffected(); n > 0 {
				if status == Running {
					open++
					fresh = append(fresh, m.id)
				}
			}
		}
		h := TriggerHistory{ID: histID, Trigger: t.Name, Status: Succeeded, Code: "OK", Fired: true, Started: now, Ended: e.now(), Scheduled: c.scheduled}
		if len(ids) > 0 {
			h.Run = ids[0]
		}
		if err := putHistory(tx, w.name, h); err != nil {
			return err
		}
		if c.extra != nil {
			return c.extra(tx, ids)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	first := ""
	if len(ids) > 0 {
		first = ids[0]
	}
	e.event(Event{Kind: "trigger", Workflow: w.name, Run: first, Name: t.Name, Status: Succeeded, Code: "OK", Started: now, Ended: e.now(), Tracking: tracking})
	var reply chan *Response
	e.mu.Lock()
	executing := e.root != nil
	e.mu.Unlock()
	if in.Wait && executing && len(fresh) == 1 {
		reply = make(chan *Response, 1)
	}
	for _, id := range fresh {
		if err := e.start(ctx, id, reply); err != nil {
			return nil, nil, err
		}
	}
	return ids, reply, nil
}

func responds(d *definition.Definition) bool {
	for _, a := range d.All() {
		if a.Type == "Response" {
			return true
		}
	}
	return false
}

// refuse records that a trigger didn't start a run, and why.
func (e *Engine) refuse(w *workflow, t *definition.Trigger, id string, now time.Time, c cause, why error) {
	code := "TriggerFailed"
	if pe, ok := why.(*Error); ok {
		code = pe.Code
	}
	h := TriggerHistory{ID: id, Trigger: t.Name, Status: Failed, Code: code, Started: now, Ended: e.now(), Scheduled: c.scheduled, Error: errorObject(code, maskText(why.Error(), w.secrets))}
	err := e.commits.do(func(tx *state.Tx) error {
		if err := putHistory(tx, w.name, h); err != nil || c.extra == nil {
			return err
		}
		return c.extra(tx, nil)
	})
	if err != nil {
		e.log.Error("playbook: a trigger's history can't be recorded", "workflow", w.name, "error", err)
	}
	e.event(Event{Kind: "trigger", Workflow: w.name, Name: t.Name, Status: Failed, Code: code, Started: now, Ended: e.now(), Error: h.Error.Value("message").(string)})
}

func putHistory(tx *state.Tx, workflow string, h TriggerHistory) error {
	_, err := tx.Exec(`INSERT INTO playbook_history(id, workflow, name, status, code, fired, run, started, ended, scheduled, error) VALUES(?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO NOTHING`, h.ID, workflow, h.Trigger, h.Status, h.Code, h.Fired, h.Run, micros(h.Started), micros(h.Ended), micros(h.Scheduled), jsonOrEmpty(h.Error))
	if err != nil {
		return fmt.Errorf("record trigger: %w", err)
	}
	return nil
}

// triggerOutputs makes what a trigger hands to its run.
func (e *Engine) triggerOutputs(w *workflow, t *definition.Trigger, in TriggerInput) (*expr.Object, error) {
	switch t.Type {
	case "Recurrence":
		return nil, nil
	case "Http":
		if in.outputs != nil {
			return in.outputs, nil
		}
		return expr.NewObject("statusCode", int64(200), "headers", &expr.Object{}, "body", in.Body), nil
	case "Request", "ApiConnectionWebhook", "HttpWebhook", "Manual":
	case "Batch":
		return expr.NewObject("body", in.Body), nil
	default:
		if e.deps.Trial != nil {
			break
		}
		return nil, fail(400, "TriggerTypeNotSupported", "The trigger '%s' is of type '%s', which this engine doesn't serve.", t.Name, t.Type)
	}
	skip := []string{"Authorization"}
	if t.Has("IncludeAuthorizationHeadersInOutputs") {
		skip = nil
	}
	h := in.Headers
	if h == nil {
		h = http.Header{}
	}
	out := expr.NewObject("headers", headerObject(h, skip...))
	if in.Body != nil {
		out.Set("body", in.Body)
	}
	if t.Type != "Request" {
		return out, nil
	}
	method, _ := t.Inputs.Value("method").(string)
	if method == "" {
		method = "POST"
	}
	if in.Method != "" && !strings.EqualFold(method, in.Method) {
		return nil, fail(405, "TriggerRequestMethodNotValid", "The workflow trigger '%s' must be called with '%s' method.", t.Name, strings.ToUpper(method))
	}
	if len(in.Queries) > 0 {
		q := &expr.Object{}
		for _, k := range sortedStrings(in.Queries) {
			q.Set(k, in.Queries[k])
		}
		out.Set("queries", q)
	}
	if rp, _ := t.Inputs.Value("relativePath").(string); rp != "" || in.Relative != "" {
		params, ok := matchRelative(rp, in.Relative)
		if !ok {
			return nil, fail(404, "TriggerRelativePathNotMatched", "The relative path '%s' doesn't match the path '%s' of the trigger '%s'.", in.Relative, rp, t.Name)
		}
		if params.Len() > 0 {
			out.Set("relativePathParameters", params)
		}
	}
	if s := t.Inputs.Value("schema"); s != nil && t.Has("EnableSchemaValidation") {
		if errs := validateSchema(in.Body, s); len(errs) > 0 {
			msg, _ := object(errs[0]).Value("message").(string)
			return nil, fail(400, "TriggerInputSchemaMismatch", "The input body for trigger '%s' of type 'Request' did not match its schema definition. Error details: '%s'.", t.Name, msg)
		}
	}
	return out, nil
}

func sortedStrings(m map[string]string) []string {
	h := http.Header{}
	for k := range m {
		h[k] = nil
	}
	return sortedHeaders(h)
}

func matchRelative(pattern, path string) (*expr.Object, bool) {
	out := &expr.Object{}
	ps := strings.Split(strings.Trim(pattern, "/"), "/")
	xs := strings.Split(strings.Trim(path, "/"), "/")
	if len(ps) != len(xs) {
		return nil, false
	}
	for i, p := range ps {
		x, err := url.PathUnescape(xs[i])
		if err != nil {
			return nil, false
		}
		if strings.HasPrefix(p, "{") && strings.HasSuffix(p, "}") {
			out.Set(p[1:len(p)-1], x)
		} else if !strings.EqualFold(p, x) {
			return nil, false
		}
	}
	return out, true
}

// split makes one outputs for each item of the array that splitOn selects.
func (e *Engine) split(t *definition.Trigger, outputs *expr.Object, env expr.Env) ([]*expr.Object, error) {
	v, err := expr.Evaluate(t.SplitOn, env)
	if err != nil {
		return nil, fail(400, "InvalidTemplate", "Unable to process template language expressions in trigger '%s' splitOn: '%v'.", t.Name, err)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fail(400, "TriggerSplitOnNotArray", "The 'splitOn' of the trigger '%s' selects a value of type '%s'; it must select an array.", t.Name, expr.TypeName(v))
	}
	limit := maxSplit
	if t.Runs > 0 {
		limit = maxSplitLimited
	}
	if len(list) > limit {
		return nil, fail(400, "TriggerSplitOnLimitExceeded", "The 'splitOn' of the trigger '%s' selects %d items, the limit is %d.", t.Name, len(list), limit)
	}
	var out []*expr.Object
	for _, item := range list {
		o := outputs.Clone()
		o.Set("body", item)
		out = append(out, o)
	}
	return out, nil
}

// nextWaiting starts the run that has waited longest for the trigger of one that ended.
func (e *Engine) nextWaiting(workflowName, name string) {
	ctx := context.Background()
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return
	}
	t := w.def.Trigger(name)
	limit := 1 << 30
	if t != nil && t.Runs > 0 {
		limit = t.Runs
	}
	for {
		var id string
		err := e.commits.do(func(tx *state.Tx) error {
			id = ""
			var open int
			if err := tx.QueryRow(`SELECT count(*) FROM playbook_run WHERE workflow=? AND trigger=? AND status='Running' AND ended=0`, workflowName, name).Scan(&open); err != nil || open >= limit {
				return err
			}
			rows, err := tx.Query(`SELECT id FROM playbook_run WHERE workflow=? AND trigger=? AND status='Waiting' AND ended=0 ORDER BY started, id LIMIT 1`, workflowName, name)
			if err != nil {
				return err
			}
			if rows.Next() {
				err = rows.Scan(&id)
			}
			rows.Close()
			if err != nil || id == "" {
				return err
			}
			_, err = tx.Exec(`UPDATE playbook_run SET status='Running' WHERE id=?`, id)
			return err
		})
		if err != nil || id == "" {
			return
		}
		if err := e.start(ctx, id, nil); err != nil {
			e.log.Error("playbook run can't start", "run", id, "error", err)
			return
		}
	}
}

// Trigger lets a workflow's trigger fire once. With in.Wait the reply of a Response action is awaited (120 s).
// The run is recorded durably before this returns.
func (e *Engine) Trigger(ctx context.Context, workflowName, trigger string, in TriggerInput) (*TriggerResult, error) {
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return nil, err
	}
	return e.trigger(ctx, w, trigger, in)
}

func (e *Engine) trigger(ctx context.Context, w *workflow, trigger string, in TriggerInput) (*TriggerResult, error) {
	ids, reply, err := e.fireFor(ctx, w, trigger, in, cause{})
	if err != nil {
		return nil, err
	}
	res := &TriggerResult{Runs: ids, Skipped: len(ids) == 0, Tracking: in.TrackingID}
	if reply == nil {
		return res, nil
	}
	timer := time.NewTimer(requestTimeout)
	defer timer.Stop()
	select {
	case res.Reply = <-reply:
		if res.Reply == nil { // the run ended without its Response
			res.Reply = &Response{Status: 502, Headers: map[string]string{}, Body: expr.NewObject("error", errorObject("NoResponse", "The server did not receive a response from an upstream server. Request tracking id '"+ids[0]+"'."))}
		}
	case <-timer.C:
		res.Reply = &Response{Status: 504, Headers: map[string]string{}, Body: expr.NewObject("error", errorObject("GatewayTimeout", "The server did not receive a timely response from the upstream server. Request tracking id '"+ids[0]+"'."))}
	case <-ctx.Done():
		return res, nil
	}
	return res, nil
}

// Notify tells the workflows whose webhook trigger subscribes to an event of a service.
func (e *Engine) Notify(ctx context.Context, n Notification) ([]string, error) {
	ws, err := e.allWorkflows(ctx)
	if err != nil {
		return nil, err
	}
	var runs []string
	var bad []string
	found := false
	for _, w := range ws {
		if n.Workflow != "" && !strings.EqualFold(n.Workflow, w.name) {
			continue
		}
		for _, t := range w.def.Triggers {
			if t.Type != "ApiConnectionWebhook" || !strings.EqualFold(strings.Trim(e.pathOfTrigger(w, t), "/"), strings.Trim(n.Path, "/")) {
				continue
			}
			if api := e.apiOfTrigger(ctx, w, t); !strings.EqualFold(api, n.API) {
				continue
			}
			found = true
			if !w.enabled && n.Workflow == "" {
				continue
			}
			ids, _, err := e.fireFor(ctx, w, t.Name, TriggerInput{Body: n.Body, ID: n.ID}, cause{})
			if err != nil {
				bad = append(bad, err.Error())
				continue
			}
			runs = append(runs, ids...)
		}
	}
	if n.Workflow != "" && !found {
		return nil, fail(404, "WorkflowTriggerNotFound", "The workflow '%s' has no trigger that subscribes to '%s' of '%s'.", n.Workflow, n.Path, n.API)
	}
	if len(bad) > 0 {
		return runs, fail(409, "TriggerFailed", "%s", strings.Join(bad, "; "))
	}
	return runs, nil
}

// pathOfTrigger is what a webhook trigger subscribes to: "/entity/@{encodeURIComponent('IP')}" is /entity/IP.
func (e *Engine) pathOfTrigger(w *workflow, t *definition.Trigger) string {
	v, err := expr.EvaluateTree(t.Inputs.Value("path"), &triggerEnv{e: e, w: w})
	if err != nil {
		return ""
	}
	return expr.Text(v)
}

func (e *Engine) apiOfTrigger(ctx context.Context, w *workflow, t *definition.Trigger) string {
	host := object(t.Inputs.Value("host"))
	v, err := expr.EvaluateTree(host, &triggerEnv{e: e, w: w})
	if err != nil {
		return ""
	}
	c, _, err := e.connectionOf(ctx, w.version0, object(v), expr.JSON(host))
	if err != nil {
		return ""
	}
	return c.api
}
