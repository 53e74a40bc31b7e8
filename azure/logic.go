package azure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"picket/playbook"
	"picket/playbook/expr"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Microsoft.Logic workflows over the playbook engine, and Microsoft.Web connections.

const (
	armLogic = armRG + "/providers/microsoft.logic/workflows"
	armFlow  = armLogic + "/{flow}"
)

func (a *API) logicRoutes() []route {
	list := func(w http.ResponseWriter, r *call) { a.listFlows(w, r) }
	return []route{
		{"GET", "/subscriptions/{sub}/providers/microsoft.logic/workflows", Reader, list},
		{"GET", armLogic, Reader, list},
		{"GET", armFlow, Reader, a.getFlow},
		{"PUT", armFlow, Contributor, a.putFlow},
		{"DELETE", armFlow, Contributor, a.deleteFlow},
		{"POST", armFlow + "/enable", Contributor, func(w http.ResponseWriter, r *call) { a.done(w, a.d.Playbooks.Enable(r.Context(), r.v("flow"))) }},
		{"POST", armFlow + "/disable", Contributor, func(w http.ResponseWriter, r *call) { a.done(w, a.d.Playbooks.Disable(r.Context(), r.v("flow"))) }},
		{"POST", armFlow + "/listcallbackurl", Contributor, a.callbackURL},
		{"POST", armFlow + "/regenerateaccesskey", Contributor, a.regenerateKey},
		{"GET", armFlow + "/triggers", Reader, a.listTriggers},
		{"GET", armFlow + "/triggers/{trigger}", Reader, a.getTrigger},
		{"POST", armFlow + "/triggers/{trigger}/listcallbackurl", Contributor, a.callbackURL},
		{"POST", armFlow + "/triggers/{trigger}/run", Responder, a.runTrigger},
		{"GET", armFlow + "/triggers/{trigger}/histories", Reader, a.listHistories},
		{"GET", armFlow + "/triggers/{trigger}/histories/{history}", Reader, a.getHistory},
		{"POST", armFlow + "/triggers/{trigger}/histories/{history}/resubmit", Responder, a.resubmit},
		{"GET", armFlow + "/runs", Reader, a.listRuns},
		{"GET", armFlow + "/runs/{run}", Reader, a.getRun},
		{"POST", armFlow + "/runs/{run}/cancel", Responder, a.cancelRun},
		{"GET", armFlow + "/runs/{run}/actions", Reader, a.listActions},
		{"GET", armFlow + "/runs/{run}/actions/{action}", Reader, a.getAction},
		{"GET", armFlow + "/runs/{run}/actions/{action}/contents/{part}", Reader, a.actionContent},
		{"GET", armFlow + "/runs/{run}/actions/{action}/repetitions", Reader, a.listRepetitions},
		{"GET", armFlow + "/runs/{run}/actions/{action}/scoperepetitions", Reader, a.listRepetitions},
		{"GET", armFlow + "/runs/{run}/actions/{action}/repetitions/{repetition}", Reader, a.getAction},
		{"GET", armFlow + "/versions", Reader, func(w http.ResponseWriter, r *call) {
			x, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow"))
			if err != nil {
				a.fail(w, err)
				return
			}
			writeJSON(w, 200, map[string]any{"value": []any{a.versionJSON(x)}})
		}},
		{"GET", armFlow + "/versions/{version}", Reader, func(w http.ResponseWriter, r *call) {
			x, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow"))
			switch {
			case err != nil:
				a.fail(w, err)
			case !strings.EqualFold(x.Version, r.v("version")):
				writeError(w, &Error{Status: 404, Code: "WorkflowVersionNotFound", Message: "picket keeps the current version of a workflow alone; it is '" + x.Version + "'."})
			default:
				writeJSON(w, 200, a.versionJSON(x))
			}
		}},
		{"GET", armRG + "/providers/microsoft.web/connections", Reader, a.listConnections},
		{"GET", armRG + "/providers/microsoft.web/connections/{connection}", Reader, a.getConnection},
	}
}

// done answers an operation that gives nothing.
func (a *API) done(w http.ResponseWriter, err error) {
	if err != nil {
		a.fail(w, err)
		return
	}
	w.WriteHeader(200)
}

func (a *API) rgID() string {
	return "/subscriptions/" + a.d.Workspace.SubscriptionID + "/resourceGroups/" + a.d.Workspace.ResourceGroup
}

func (a *API) flowID(name string) string {
	return a.rgID() + "/providers/Microsoft.Logic/workflows/" + name
}

// rawJSON writes a value of the workflow language as it is.
func rawJSON(v any) json.RawMessage { return json.RawMessage(expr.JSON(v)) }

func onOff(on bool) string {
	if on {
		return "Enabled"
	}
	return "Disabled"
}

func (a *API) flowProperties(x *playbook.Workflow) map[string]any {
	p := map[string]any{
		"provisioningState": "Succeeded", "createdTime": stamp(x.Created), "changedTime": stamp(x.Changed), "state": onOff(x.Enabled), "version": x.Version,
		"definition": rawJSON(x.Definition),
	}
	if a.d.PublicURL != "" {
		p["accessEndpoint"] = strings.TrimRight(a.d.PublicURL, "/") + "/workflows/" + x.ID
	}
	if x.Parameters.Len() > 0 {
		ps := map[string]json.RawMessage{}
		for _, m := range x.Parameters.Members() {
			ps[m.Name] = json.RawMessage(`{"value":` + expr.JSON(m.Value) + `}`)
			if o, ok := m.Value.(*expr.Object); ok {
				if _, _, has := o.Find("value"); has {
					ps[m.Name] = rawJSON(o)
				}
			}
		}
		p["parameters"] = ps
	}
	needs := []map[string]string{}
	for _, n := range x.Needs {
		needs = append(needs, map[string]string{"kind": n.Kind, "name": n.Name, "where": n.Where, "message": n.Message})
	}
	p["picket"] = map[string]any{"needs": needs}
	return p
}

func (a *API) flowJSON(x *playbook.Workflow) map[string]any {
	out := map[string]any{"id": a.flowID(x.Name), "name": x.Name, "type": "Microsoft.Logic/workflows", "location": x.Location, "properties": a.flowProperties(x)}
	if x.Tags.Len() > 0 {
		out["tags"] = rawJSON(x.Tags)
	}
	return out
}

func (a *API) versionJSON(x *playbook.Workflow) map[string]any {
	return map[string]any{"id": a.flowID(x.Name) + "/versions/" + x.Version, "name": x.Version, "type": "Microsoft.Logic/workflows/versions", "location": x.Location, "properties": a.flowProperties(x)}
}

func (a *API) listFlows(w http.ResponseWriter, r *call) {
	ws, err := a.d.Playbooks.Workflows(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]any, len(ws))
	for i, x := range ws {
		out[i] = a.flowJSON(x)
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) getFlow(w http.ResponseWriter, r *call) {
	x, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.flowJSON(x))
}

// putFlow deploys a workflow given as a resource.
func (a *API) putFlow(w http.ResponseWriter, r *call) {
	var b struct {
		Tags       map[string]string `json:"tags"`
		Properties struct {
			State      string                     `json:"state"`
			Definition json.RawMessage            `json:"definition"`
			Parameters map[string]json.RawMessage `json:"parameters"`
		} `json:"properties"`
	}
	if e := decode(w, r.Request, maxTemplate, &b); e != nil {
		writeError(w, e)
		return
	}
	if len(b.Properties.Definition) == 0 {
		writeError(w, &Error{Status: 400, Code: "WorkflowDefinitionMissing", Message: "The workflow has no properties.definition."})
		return
	}
	res := map[string]any{
		"type": "Microsoft.Logic/workflows", "apiVersion": "2019-05-01", "name": r.v("flow"), "location": a.d.Workspace.Location,
		"properties": map[string]any{"state": orDefault(b.Properties.State, "Enabled"), "definition": escapeTemplate(b.Properties.Definition), "parameters": escapeParameters(b.Properties.Parameters)},
	}
	if b.Tags != nil {
		res["tags"] = b.Tags
	}
	tpl, err := json.Marshal(map[string]any{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0", "resources": []any{res}})
	if err != nil {
		a.fail(w, err)
		return
	}
	status := 200
	if _, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow")); err != nil {
		status = 201
	}
	if _, err := a.d.Playbooks.Deploy(r.Context(), playbook.DeployRequest{Template: tpl, AllowNeeds: true}); err != nil {
		a.fail(w, err)
		return
	}
	x, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, status, a.flowJSON(x))
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// escapeTemplate keeps a template from reading a definition's own strings that begin with [ as its expressions.
func escapeTemplate(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	v, err := expr.ParseJSON(raw)
	if err != nil {
		return raw // Deploy says what is wrong with it
	}
	return rawJSON(escaped(v))
}

func escapeParameters(ps map[string]json.RawMessage) map[string]any {
	out := map[string]any{}
	for k, v := range ps {
		out[k] = escapeTemplate(v)
	}
	return out
}

func escaped(v any) any {
	switch x := v.(type) {
	case string:
		if strings.HasPrefix(x, "[") && strings.HasSuffix(x, "]") {
			return "[" + x
		}
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = escaped(e)
		}
		return out
	case *expr.Object:
		out := expr.NewObject()
		for _, m := range x.Members() {
			out.Set(m.Name, escaped(m.Value))
		}
		return out
	}
	return v
}

func (a *API) deleteFlow(w http.ResponseWriter, r *call) {
	err := a.d.Playbooks.Delete(r.Context(), r.v("flow"))
	if pe := playbookError(err); pe != nil && pe.Status == 404 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	a.done(w, err)
}

func (a *API) callbackURL(w http.ResponseWriter, r *call) {
	var b struct {
		NotAfter string `json:"notAfter"`
		KeyType  string `json:"keyType"`
	}
	if r.ContentLength != 0 {
		if e := decode(w, r.Request, maxForm, &b); e != nil && r.ContentLength > 0 {
			writeError(w, e)
			return
		}
	}
	o := playbook.CallbackOptions{Secondary: strings.EqualFold(b.KeyType, "Secondary")}
	if b.NotAfter != "" {
		t, err := time.Parse(time.RFC3339Nano, b.NotAfter)
		if err != nil {
			writeError(w, &Error{Status: 400, Code: "InvalidRequestContent", Message: fmt.Sprintf("notAfter %q is not a time.", b.NotAfter)})
			return
		}
		o.NotAfter = t
	}
	cb, err := a.d.Playbooks.CallbackURL(r.Context(), r.v("flow"), r.v("trigger"), o)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := map[string]any{"value": cb.Value, "method": cb.Method, "basePath": cb.BasePath, "queries": cb.Queries}
	if cb.RelativePath != "" {
		out["relativePath"] = cb.RelativePath
	}
	writeJSON(w, 200, out)
}

func (a *API) regenerateKey(w http.ResponseWriter, r *call) {
	var b struct {
		KeyType string `json:"keyType"`
	}
	if e := decode(w, r.Request, maxForm, &b); e != nil {
		writeError(w, e)
		return
	}
	a.done(w, a.d.Playbooks.RegenerateKey(r.Context(), r.v("flow"), orDefault(b.KeyType, "Primary")))
}

func (a *API) triggerJSON(x *playbook.Workflow, t *playbook.TriggerInfo) map[string]any {
	p := map[string]any{
		"provisioningState": "Succeeded", "createdTime": stamp(x.Created), "changedTime": stamp(x.Changed), "state": onOff(x.Enabled),
		"workflow": map[string]any{"id": a.flowID(x.Name) + "/versions/" + x.Version, "name": x.Version, "type": "Microsoft.Logic/workflows/versions"},
	}
	if !t.Next.IsZero() {
		p["nextExecutionTime"] = stamp(t.Next)
	}
	if !t.Last.IsZero() {
		p["lastExecutionTime"] = stamp(t.Last)
	}
	return map[string]any{"id": a.flowID(x.Name) + "/triggers/" + t.Name, "name": t.Name, "type": "Microsoft.Logic/workflows/triggers", "properties": p}
}

func (a *API) listTriggers(w http.ResponseWriter, r *call) {
	x, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow"))
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for i := range x.Triggers {
		out = append(out, a.triggerJSON(x, &x.Triggers[i]))
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) getTrigger(w http.ResponseWriter, r *call) {
	x, err := a.d.Playbooks.Workflow(r.Context(), r.v("flow"))
	if err != nil {
		a.fail(w, err)
		return
	}
	for i := range x.Triggers {
		if strings.EqualFold(x.Triggers[i].Name, r.v("trigger")) {
			writeJSON(w, 200, a.triggerJSON(x, &x.Triggers[i]))
			return
		}
	}
	writeError(w, &Error{Status: 404, Code: "WorkflowTriggerNotFound", Message: fmt.Sprintf("The workflow '%s' trigger '%s' could not be found.", x.Name, r.v("trigger"))})
}

func (a *API) runTrigger(w http.ResponseWriter, r *call) {
	body, e := readBody(w, r.Request, maxTemplate, false, "InvalidRequestContent")
	if e != nil {
		writeError(w, e)
		return
	}
	in := playbook.TriggerInput{Method: http.MethodPost, Headers: r.Header.Clone()}
	in.Headers.Del("Authorization") // the caller's bearer is nothing to a workflow
	in.Headers.Del("Cookie")
	v, err := playbook.ParseBody(body, r.Header.Get("Content-Type"))
	if err != nil {
		writeError(w, &Error{Status: 400, Code: "InvalidRequestContent", Message: err.Error()})
		return
	}
	in.Body = v
	res, err := a.d.Playbooks.Trigger(r.Context(), r.v("flow"), r.v("trigger"), in)
	if err != nil {
		a.fail(w, err)
		return
	}
	if len(res.Runs) > 0 {
		w.Header().Set("x-ms-workflow-run-id", res.Runs[0])
	}
	w.WriteHeader(202)
}

func (a *API) historyJSON(flow string, h *playbook.TriggerHistory) map[string]any {
	name := h.Run
	if name == "" {
		name = h.ID
	}
	id := a.flowID(flow) + "/triggers/" + h.Trigger + "/histories/" + name
	p := map[string]any{"startTime": stamp(h.Started), "endTime": stamp(h.Ended), "status": h.Status, "code": h.Code, "fired": h.Fired}
	if !h.Scheduled.IsZero() {
		p["scheduledTime"] = stamp(h.Scheduled)
	}
	if h.Error != nil {
		p["error"] = rawJSON(h.Error)
	}
	if h.Run != "" {
		p["run"] = map[string]any{"id": a.flowID(flow) + "/runs/" + h.Run, "name": h.Run, "type": "Microsoft.Logic/workflows/runs"}
	}
	return map[string]any{"id": id, "name": name, "type": "Microsoft.Logic/workflows/triggers/histories", "properties": p}
}

func (a *API) listHistories(w http.ResponseWriter, r *call) {
	top, e := topOf(r, 250)
	if e != nil {
		writeError(w, e)
		return
	}
	hs, err := a.d.Playbooks.TriggerHistories(r.Context(), r.v("flow"), r.v("trigger"), top)
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]any, len(hs))
	for i, h := range hs {
		out[i] = a.historyJSON(r.v("flow"), h)
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

// history finds a firing by its own id or its run's.
func (a *API) history(r *call) (*playbook.TriggerHistory, error) {
	hs, err := a.d.Playbooks.TriggerHistories(r.Context(), r.v("flow"), r.v("trigger"), 250)
	if err != nil {
		return nil, err
	}
	for _, h := range hs {
		if strings.EqualFold(h.ID, r.v("history")) || strings.EqualFold(h.Run, r.v("history")) {
			return h, nil
		}
	}
	return nil, &Error{Status: 404, Code: "WorkflowTriggerHistoryNotFound", Message: "The trigger history '" + r.v("history") + "' could not be found among the last 250."}
}

func (a *API) getHistory(w http.ResponseWriter, r *call) {
	h, err := a.history(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.historyJSON(r.v("flow"), h))
}

func (a *API) resubmit(w http.ResponseWriter, r *call) {
	id := r.v("history")
	if _, err := a.runOf(r, id); err != nil {
		h, herr := a.history(r)
		if herr != nil {
			a.fail(w, herr)
			return
		}
		id = h.Run
	}
	run, err := a.d.Playbooks.Resubmit(r.Context(), id)
	if err != nil {
		a.fail(w, err)
		return
	}
	w.Header().Set("x-ms-workflow-run-id", run)
	w.WriteHeader(202)
}

// topOf reads $top.
func topOf(r *call, most int) (int, *Error) {
	s := r.URL.Query().Get("$top")
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("$top=%s is not a number from 1 to %d.", s, most)}
	}
	return n, nil
}

var statusFilter = regexp.MustCompile(`(?i)^\s*status\s+eq\s+'([A-Za-z]+)'\s*$`)

// nextLink is this request with a token that goes on behind the last item.
func (a *API) nextLink(r *call, token string) string {
	q := r.URL.Query()
	q.Set("$skiptoken", token)
	u := url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
	return a.base(r.Request) + u.String()
}
