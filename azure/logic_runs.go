package azure

import (
	"errors"
	"fmt"
	"net/http"
	"picket/playbook"
	"strings"
)

func (a *API) runJSON(flow string, x *playbook.Run) map[string]any {
	p := map[string]any{
		"startTime": stamp(x.Started), "status": x.Status, "waitEndTime": stamp(x.Started), "correlation": map[string]string{"clientTrackingId": x.TrackingID},
		"workflow": map[string]any{"id": a.flowID(flow) + "/versions/" + x.Version, "name": x.Version, "type": "Microsoft.Logic/workflows/versions"},
	}
	if !x.Ended.IsZero() {
		p["endTime"] = stamp(x.Ended)
	}
	if x.Code != "" {
		p["code"] = x.Code
	}
	if x.Error != nil {
		p["error"] = rawJSON(x.Error)
	}
	if x.TriggerRecord != nil {
		p["trigger"] = rawJSON(x.TriggerRecord)
	}
	if x.Outputs.Len() > 0 {
		p["outputs"] = rawJSON(x.Outputs)
	} else {
		p["outputs"] = map[string]any{}
	}
	if x.Response != nil {
		p["response"] = rawJSON(x.Response)
	}
	return map[string]any{"id": a.flowID(flow) + "/runs/" + x.ID, "name": x.ID, "type": "Microsoft.Logic/workflows/runs", "properties": p}
}

func (a *API) listRuns(w http.ResponseWriter, r *call) {
	top, e := topOf(r, 250)
	if e != nil {
		writeError(w, e)
		return
	}
	page := playbook.Page{Top: top, After: r.URL.Query().Get("$skiptoken")}
	if f := r.URL.Query().Get("$filter"); f != "" {
		m := statusFilter.FindStringSubmatch(f)
		if m == nil {
			writeError(w, &Error{Status: 400, Code: "BadRequest", Message: fmt.Sprintf("The filter %q is not served: use status eq 'Succeeded' or another status.", f)})
			return
		}
		page.Status = m[1]
	}
	rs, err := a.d.Playbooks.Runs(r.Context(), r.v("flow"), page)
	if err != nil {
		a.fail(w, err)
		return
	}
	items := make([]any, len(rs))
	for i, x := range rs {
		items[i] = a.runJSON(r.v("flow"), x)
	}
	out := map[string]any{"value": items}
	if want := max(top, 30*b2i(top == 0)); len(rs) == want {
		out["nextLink"] = a.nextLink(r, rs[len(rs)-1].ID)
	}
	writeJSON(w, 200, out)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// runOf reads a run of the workflow that the path names.
func (a *API) runOf(r *call, id string) (*playbook.RunDetail, error) {
	d, err := a.d.Playbooks.RunDetail(r.Context(), id)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(d.Workflow, r.v("flow")) {
		return nil, &Error{Status: 404, Code: "WorkflowRunNotFound", Message: fmt.Sprintf("The workflow '%s' run '%s' could not be found.", r.v("flow"), id)}
	}
	return d, nil
}

func (a *API) getRun(w http.ResponseWriter, r *call) {
	d, err := a.runOf(r, r.v("run"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.runJSON(d.Workflow, &d.Run))
}

func (a *API) cancelRun(w http.ResponseWriter, r *call) {
	d, err := a.runOf(r, r.v("run"))
	if err == nil {
		err = a.d.Playbooks.Cancel(r.Context(), d.ID)
	}
	a.done(w, err)
}

func (a *API) actionJSON(r *call, d *playbook.RunDetail, x *playbook.ActionRun) map[string]any {
	id := a.flowID(d.Workflow) + "/runs/" + d.ID + "/actions/" + x.Name
	p := map[string]any{"startTime": stamp(x.Started), "status": x.Status, "code": x.Code, "correlation": map[string]string{"actionTrackingId": x.TrackingID, "clientTrackingId": d.TrackingID}}
	if !x.Ended.IsZero() {
		p["endTime"] = stamp(x.Ended)
	}
	if x.Error != nil {
		p["error"] = rawJSON(x.Error)
	}
	if len(x.Retries) > 0 {
		p["retryHistory"] = rawJSON(x.Retries)
	}
	if x.Tracked != nil {
		p["trackedProperties"] = rawJSON(x.Tracked)
	}
	typ, name := "Microsoft.Logic/workflows/runs/actions", x.Name
	if x.Repetition != "" {
		typ, name, id = typ+"/repetitions", x.Repetition, id+"/repetitions/"+x.Repetition
		ix := []any{}
		for _, i := range x.Indexes {
			ix = append(ix, map[string]any{"scopeName": i.Loop, "itemIndex": i.Index})
		}
		p["repetitionIndexes"] = ix
	}
	part := func(key, what string, has bool, v any) {
		if !has {
			return
		}
		body := rawJSON(v)
		p[key] = body
		if x.Repetition == "" {
			p[key+"Link"] = map[string]any{"uri": a.base(r.Request) + id + "/contents/" + what + "?api-version=2016-06-01", "contentSize": len(body)}
		}
	}
	part("inputs", "ActionInputs", x.HasInputs, x.Inputs)
	part("outputs", "ActionOutputs", x.HasOutputs, x.Outputs)
	if x.Iterations > 0 {
		p["iterationCount"], p["repetitionCount"] = x.Iterations, x.Iterations
	}
	return map[string]any{"id": id, "name": name, "type": typ, "properties": p}
}

func (a *API) listActions(w http.ResponseWriter, r *call) {
	d, err := a.runOf(r, r.v("run"))
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, x := range d.Actions {
		if x.Repetition == "" {
			out = append(out, a.actionJSON(r, d, x))
		}
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

// action finds an action of a run, or a repetition of it.
func (a *API) action(r *call) (*playbook.RunDetail, *playbook.ActionRun, error) {
	d, err := a.runOf(r, r.v("run"))
	if err != nil {
		return nil, nil, err
	}
	for _, x := range d.Actions {
		if strings.EqualFold(x.Name, r.v("action")) && x.Repetition == r.v("repetition") {
			return d, x, nil
		}
	}
	return nil, nil, &Error{Status: 404, Code: "WorkflowRunActionNotFound", Message: fmt.Sprintf("The workflow '%s' run '%s' has no action '%s' %s.", d.Workflow, d.ID, r.v("action"), r.v("repetition"))}
}

func (a *API) getAction(w http.ResponseWriter, r *call) {
	d, x, err := a.action(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.actionJSON(r, d, x))
}

func (a *API) actionContent(w http.ResponseWriter, r *call) {
	_, x, err := a.action(r)
	switch {
	case err != nil:
		a.fail(w, err)
	case strings.EqualFold(r.v("part"), "ActionInputs") && x.HasInputs:
		writeJSON(w, 200, rawJSON(x.Inputs))
	case strings.EqualFold(r.v("part"), "ActionOutputs") && x.HasOutputs:
		writeJSON(w, 200, rawJSON(x.Outputs))
	default:
		writeError(w, notFound("content", r.v("part")))
	}
}

func (a *API) listRepetitions(w http.ResponseWriter, r *call) {
	d, err := a.runOf(r, r.v("run"))
	if err != nil {
		a.fail(w, err)
		return
	}
	scopes := strings.HasSuffix(strings.ToLower(r.URL.Path), "scoperepetitions")
	out := []any{}
	for _, x := range d.Actions {
		if strings.EqualFold(x.Name, r.v("action")) && x.Repetition != "" && x.Iteration == scopes {
			out = append(out, a.actionJSON(r, d, x))
		}
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) connectionJSON(c *playbook.Connection) map[string]any {
	return map[string]any{
		"id": a.rgID() + "/providers/Microsoft.Web/connections/" + c.Name, "name": c.Name, "type": "Microsoft.Web/connections", "location": a.d.Workspace.Location,
		"properties": map[string]any{
			"displayName": c.DisplayName, "statuses": []any{map[string]string{"status": "Connected"}},
			"api": map[string]string{"name": c.API, "id": "/subscriptions/" + a.d.Workspace.SubscriptionID + "/providers/Microsoft.Web/locations/" + a.d.Workspace.Location + "/managedApis/" + c.API, "type": "Microsoft.Web/locations/managedApis"},
		},
	}
}

func (a *API) listConnections(w http.ResponseWriter, r *call) {
	cs, err := a.d.Playbooks.Connections(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	out := []any{}
	for _, c := range cs {
		out = append(out, a.connectionJSON(c))
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

func (a *API) getConnection(w http.ResponseWriter, r *call) {
	cs, err := a.d.Playbooks.Connections(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	for _, c := range cs {
		if strings.EqualFold(c.Name, r.v("connection")) {
			writeJSON(w, 200, a.connectionJSON(c))
			return
		}
	}
	writeError(w, notFound("connection", r.v("connection")))
}

// playbookError is the engine's own error, nil when err is another.
func playbookError(err error) *playbook.Error {
	var pe *playbook.Error
	if errors.As(err, &pe) {
		return pe
	}
	return nil
}
