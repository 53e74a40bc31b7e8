package playbook

import (
	"context"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
)

// response answers the caller of the Request trigger.
func (r *run) response(a *definition.Action, f *frame, rec *record) outcome {
	v, err := expr.EvaluateTree(a.Inputs, r.env(f, rec))
	if err != nil {
		return invalid(a, err)
	}
	in := object(v)
	n, err := expr.CallBuiltin("int", in.Value("statusCode"))
	code, _ := n.(int64)
	if err != nil || code < 200 || code > 599 || code/100 == 3 {
		return failed("InvalidTemplate", fmt.Sprintf("The Response action '%s' has the status code '%s'; it must be 2xx, 4xx or 5xx.", a.Name, expr.Text(in.Value("statusCode")))).with(in)
	}
	resp := &Response{Status: int(code), Headers: map[string]string{}, Body: in.Value("body")}
	out := expr.NewObject("statusCode", code)
	h := &expr.Object{}
	for _, m := range object(in.Value("headers")).Members() {
		if t := expr.Text(m.Value); !strings.ContainsAny(t, "\r\n\x00") {
			resp.Headers[m.Name] = t
			h.Set(m.Name, t)
		}
	}
	out.Set("headers", h)
	if resp.Body != nil {
		out.Set("body", resp.Body)
	}
	// The answer is recorded before it is given.
	blob, err := r.e.seal.encode(out, r.hasSecret(out))
	if err == nil {
		err = r.e.commits.do(func(tx *state.Tx) error {
			_, err := tx.Exec(`UPDATE playbook_run SET response=? WHERE id=?`, blob, r.id)
			return err
		})
	}
	if r.saved(err) != nil {
		return outcome{}
	}
	given := r.answer(resp)
	switch {
	case given, a.Has("Asynchronous"), r.nesting() > 0, r.e.deps.Trial != nil: // a workflow that called this one reads it
	case r.trigger.Value("awaited") != true:
		return outcome{status: Skipped, code: "ActionResponseSkipped", err: errorObject("ActionResponseSkipped", fmt.Sprintf(
			"The execution of template action '%s' is skipped: the client application is not waiting for a response from service.", a.Name))}.with(in)
	default:
		return failed("ActionResponseTimedOut", fmt.Sprintf("The execution of template action '%s' failed: the client application timed out waiting for a response from service, or it was answered before. This means that workflow took longer to respond than the allowed timeout value. The connection maintained between the client application and service will be closed and client application will get an HTTP status code 504 Gateway Timeout.", a.Name)).with(in)
	}
	return succeeded(in, out)
}

// child is the Workflow action: it runs another workflow of this picket and takes its Response.
func (r *run) child(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in, o := r.startInputs(a, f, rec)
	if in == nil {
		return o
	}
	host := object(in.Value("host"))
	id, _ := object(host.Value("workflow")).Value("id").(string)
	name := id[strings.LastIndexByte(id, '/')+1:]
	trig, _ := host.Value("triggerName").(string)
	bad := func(code, msg string) *outcome {
		o := failed(code, msg).with(in)
		return &o
	}
	w, err := r.e.findWorkflow(r.ctx, name)
	if err != nil {
		if r.stopping() {
			return nil
		}
		return bad("WorkflowNotFound", fmt.Sprintf("The action '%s' calls the workflow '%s': %v", a.Name, name, err))
	}
	h := map[string][]string{"X-Ms-Client-Tracking-Id": {r.tracking}}
	for _, m := range object(in.Value("headers")).Members() {
		h[m.Name] = []string{expr.Text(m.Value)}
	}
	ti := TriggerInput{Method: "POST", Headers: h, Body: in.Value("body"), ID: r.key(rec), TrackingID: r.tracking, nesting: r.nesting() + 1}
	runs, _, err := r.e.fireFor(r.ctx, w, trig, ti, cause{})
	if err != nil {
		if r.stopping() {
			return nil
		}
		return bad("ChildWorkflowNotStarted", fmt.Sprintf("The action '%s' can't start the workflow '%s': %v", a.Name, name, err))
	}
	outs := &expr.Object{}
	status, code := Succeeded, "OK"
	if len(runs) == 1 {
		rep, st, err := r.e.awaitRun(ctx, runs[0])
		switch {
		case ctx.Err() != nil:
			if r.stopping() {
				return nil
			}
			return &outcome{status: Cancelled, code: "ActionCancelled", inputs: in, hasIn: true}
		case err != nil:
			return bad("ChildWorkflowFailed", err.Error())
		case rep != nil:
			outs = rep
			n, _ := rep.Value("statusCode").(int64)
			code = codeName(int(n))
			if n/100 != 2 {
				status = Failed
			}
		case st != Succeeded:
			return bad("ChildWorkflowFailed", fmt.Sprintf("The workflow '%s' that the action '%s' called ended as %s (run %s).", name, a.Name, st, runs[0]))
		}
	}
	return &outcome{status: status, code: code, inputs: in, hasIn: true, outputs: outs, hasOut: true}
}
