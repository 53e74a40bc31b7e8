package azure

import (
	"errors"
	"fmt"
	"net/http"
	"picket/detect"
	"strings"
)

// Automation rules and incident tasks of Microsoft.SecurityInsights, over detect.

func (a *API) automationRoutes() []route {
	const one = armInsights + "/automationrules/{id}"
	const task = armInsights + "/incidents/{id}/tasks"
	return []route{
		{"GET", armInsights + "/automationrules", Reader, a.listAutomation},
		{"GET", one, Reader, a.getAutomation},
		{"PUT", one, Contributor, a.putAutomation},
		{"DELETE", one, Contributor, a.deleteAutomation},
		{"GET", task, Reader, a.listTasks},
		{"GET", task + "/{task}", Reader, a.getTask},
		{"PUT", task + "/{task}", Responder, a.putTask},
		{"DELETE", task + "/{task}", Responder, a.deleteTask},
	}
}

// detectPerson is a principal as detect writes it down.
func detectPerson(p Principal) detect.Person {
	return detect.Person{Name: p.Name, ObjectID: p.ID}
}

func (a *API) automationJSON(r *detect.AutomationRule) map[string]any {
	return map[string]any{"id": a.insightsID("automationRules", r.ID), "name": r.ID, "type": "Microsoft.SecurityInsights/automationRules", "etag": etag(r.Etag), "properties": r}
}

func (a *API) listAutomation(w http.ResponseWriter, r *call) {
	all, err := a.d.Detect.AutomationRules(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]any, len(all))
	for i, x := range all {
		out[i] = a.automationJSON(x)
	}
	a.writePage(w, r, out, maxPage)
}

func (a *API) getAutomation(w http.ResponseWriter, r *call) {
	x, err := a.d.Detect.AutomationRule(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.automationJSON(x))
}

// matchEtag reads the etag that a client holds: of the header, or of the body.
func matchEtag(r *call, body string) (int64, *Error) {
	if h := r.Header.Get("If-Match"); h != "" {
		body = h
	}
	return parseEtag(body)
}

func (a *API) putAutomation(w http.ResponseWriter, r *call) {
	var b struct {
		Etag       string                `json:"etag"`
		Properties detect.AutomationRule `json:"properties"`
	}
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	n, e := matchEtag(r, b.Etag)
	if e != nil {
		writeError(w, e)
		return
	}
	rule := b.Properties
	rule.ID = r.v("id")
	status := 200
	if _, err := a.d.Detect.AutomationRule(r.Context(), rule.ID); errors.Is(err, detect.ErrNotFound) {
		status = 201
	} else if err != nil {
		a.fail(w, err)
		return
	}
	x, err := a.d.Detect.SaveAutomationRule(r.Context(), rule, detectPerson(r.who), n)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, status, a.automationJSON(x))
}

// gone answers a deletion: what was not there is no error in Resource Manager.
func (a *API) gone(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, detect.ErrNotFound):
		w.WriteHeader(http.StatusNoContent)
	case err != nil:
		a.fail(w, err)
	default:
		w.WriteHeader(200)
	}
}

func (a *API) deleteAutomation(w http.ResponseWriter, r *call) {
	a.gone(w, a.d.Detect.DeleteAutomationRule(r.Context(), r.v("id")))
}

func (a *API) taskJSON(incident string, t *detect.Task) map[string]any {
	return map[string]any{
		"id": a.insightsID("incidents", incident) + "/tasks/" + t.ID, "name": t.ID, "type": "Microsoft.SecurityInsights/incidents/tasks", "etag": etag(t.Etag),
		"properties": map[string]any{
			"title": t.Title, "description": t.Description, "status": t.Status, "createdTimeUtc": stamp(t.Created), "lastModifiedTimeUtc": stamp(t.Modified),
			"createdBy": map[string]string{"name": t.CreatedBy}, "lastModifiedBy": map[string]string{"name": t.ModifiedBy},
		},
	}
}

func (a *API) listTasks(w http.ResponseWriter, r *call) {
	all, err := a.d.Detect.Tasks(r.Context(), r.v("id"))
	if err != nil {
		a.fail(w, err)
		return
	}
	out := make([]any, len(all))
	for i := range all {
		out[i] = a.taskJSON(r.v("id"), &all[i])
	}
	writeJSON(w, 200, map[string]any{"value": out})
}

// task finds a task by its id.
func (a *API) task(r *call) (*detect.Task, error) {
	all, err := a.d.Detect.Tasks(r.Context(), r.v("id"))
	if err != nil {
		return nil, err
	}
	for i := range all {
		if strings.EqualFold(all[i].ID, r.v("task")) {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("task %s: %w", r.v("task"), detect.ErrNotFound)
}

func (a *API) getTask(w http.ResponseWriter, r *call) {
	t, err := a.task(r)
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, a.taskJSON(r.v("id"), t))
}

func (a *API) putTask(w http.ResponseWriter, r *call) {
	var b struct {
		Etag       string `json:"etag"`
		Properties struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			Status      string `json:"status"`
		} `json:"properties"`
	}
	if e := decode(w, r.Request, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	n, e := matchEtag(r, b.Etag)
	if e != nil {
		writeError(w, e)
		return
	}
	status := 200
	if _, err := a.task(r); errors.Is(err, detect.ErrNotFound) {
		status = 201
	}
	t, err := a.d.Detect.SaveTask(r.Context(), r.v("id"), r.who.Name, n, detect.Task{ID: r.v("task"), Title: b.Properties.Title, Description: b.Properties.Description, Status: b.Properties.Status})
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, status, a.taskJSON(r.v("id"), t))
}

func (a *API) deleteTask(w http.ResponseWriter, r *call) {
	a.gone(w, a.d.Detect.DeleteTask(r.Context(), r.v("id"), r.v("task"), r.who.Name))
}
