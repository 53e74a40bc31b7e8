package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
	"time"
)

const (
	maxActions = 1000      // of a run that the page shows
	maxPayload = 200 << 10 // bytes of one action's inputs or outputs that the page shows
)

// raw is JSON that passes through as it is.
type raw = json.RawMessage

// playbookJSON is a deployed workflow.
type playbookJSON struct {
	Name       string      `json:"name"`
	Enabled    bool        `json:"enabled"`
	Trigger    triggerJSON `json:"trigger"`
	Created    time.Time   `json:"created,omitzero"`
	Changed    time.Time   `json:"changed,omitzero"`
	Needs      []needJSON  `json:"needs"` // what it needs before it can run; empty is ready
	LastRun    *runJSON    `json:"lastRun,omitempty"`
	Definition raw         `json:"definition,omitempty"` // only in the detail
	Parameters []paramJSON `json:"parameters,omitempty"` // values in force; secure ones are cut
}

// triggerJSON is how a playbook starts.
type triggerJSON struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`               // Request, Recurrence, ApiConnectionWebhook, …
	Summary  string    `json:"summary"`            // "Every day", "When an incident is created", "HTTP request"
	Callable bool      `json:"callable,omitempty"` // has a callback URL
	Next     time.Time `json:"next,omitzero"`
}

// needJSON is something that a playbook waits for.
type needJSON struct {
	Kind   string `json:"kind"` // connection, host, parameter, unsupported
	Name   string `json:"name"`
	Text   string `json:"text"`             // what to do
	Action string `json:"action,omitempty"` // the action that needs it
	Block  bool   `json:"block,omitempty"`  // true: it can't run without
}

// paramJSON is a deployment parameter of a template.
type paramJSON struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // string, securestring, int, bool, object, array
	Default  raw      `json:"default,omitempty"`
	Value    raw      `json:"value,omitempty"`
	Allowed  []string `json:"allowed,omitempty"`
	Help     string   `json:"help,omitempty"`
	Required bool     `json:"required,omitempty"` // no default
}

// inspection is what a template asks for before it is deployed.
type inspection struct {
	Parameters []paramJSON `json:"parameters"`
	Needs      []needJSON  `json:"needs"`
	NeedsName  bool        `json:"needsName,omitempty"` // a bare definition: deploy wants a name
	Resources  []string    `json:"resources"`           // "Microsoft.Web/connections azuresentinel"
}

// runJSON is one run.
type runJSON struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"` // Running, Waiting, Succeeded, Failed, Cancelled, TimedOut
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"`
	Trigger string    `json:"trigger,omitempty"`
	Code    string    `json:"code,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// actionJSON is one action of a run, in order of start.
type actionJSON struct {
	Name       string    `json:"name"`
	Type       string    `json:"type"`
	Parent     string    `json:"parent,omitempty"` // the container
	Repetition string    `json:"repetition,omitempty"`
	Status     string    `json:"status"`
	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Code       string    `json:"code,omitempty"`
	Error      string    `json:"error,omitempty"`
	Inputs     raw       `json:"inputs,omitempty"`
	Outputs    raw       `json:"outputs,omitempty"`
	Retries    int       `json:"retries,omitempty"`
	Tracked    raw       `json:"tracked,omitempty"`
}

// runDetailJSON is a run with its trigger's body and its actions.
type runDetailJSON struct {
	runJSON
	TriggerInputs  raw          `json:"triggerInputs,omitempty"`
	TriggerOutputs raw          `json:"triggerOutputs,omitempty"`
	Actions        []actionJSON `json:"actions"`
	Omitted        int          `json:"omitted,omitempty"` // actions past the first maxActions
}

// playbookRoutes serves
//
//	GET    /api/v1/playbooks                      {value: [playbookJSON]}
//	POST   /api/v1/playbooks/inspect              {template} → inspection
//	POST   /api/v1/playbooks                      {template, parameters: {name: value}, allowNeeds} → {value: [playbookJSON]}
//	GET    /api/v1/playbooks/{name}               playbookJSON with its definition
//	PATCH  /api/v1/playbooks/{name}               {enabled}
//	DELETE /api/v1/playbooks/{name}
//	POST   /api/v1/playbooks/{name}/callbackUrl   {value: url}
//	POST   /api/v1/playbooks/{name}/run           {body} → {run}
//	GET    /api/v1/playbooks/{name}/runs?top=     {value: [runJSON]}
//	GET    /api/v1/playbooks/{name}/runs/{run}    runDetailJSON
//	POST   /api/v1/playbooks/{name}/runs/{run}/resubmit  no body, or {from}: the failed action to begin at → {run}
//	POST   /api/v1/playbooks/{name}/runs/{run}/cancel
func (s *Server) playbookRoutes() {
	add := func(pattern, need string, f playbookHandler) {
		s.mux.Handle(pattern, s.page(need, func(w http.ResponseWriter, r *http.Request, _ User) error {
			if s.d.Playbooks == nil {
				return missingRoom("Playbooks")
			}
			return roomError(f(w, r, s.d.Playbooks))
		}))
	}
	s.graphRoutes(add)
	none := func(w http.ResponseWriter, err error) error {
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
	add("GET /api/v1/playbooks", Reader, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		ws, err := e.Workflows(r.Context())
		if err != nil {
			return err
		}
		out := make([]playbookJSON, len(ws))
		for i, x := range ws {
			if out[i], err = showPlaybook(r.Context(), e, x); err != nil {
				return err
			}
		}
		return answerList(w, out, nil)
	})
	add("POST /api/v1/playbooks/inspect", Contributor, inspectTemplate)
	add("POST /api/v1/playbooks", Contributor, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		var in struct {
			Template   json.RawMessage            `json:"template"`
			Parameters map[string]json.RawMessage `json:"parameters"`
			AllowNeeds bool                       `json:"allowNeeds"`
			Name       string                     `json:"name"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		ps, err := parameterValues(in.Parameters)
		if err != nil {
			return err
		}
		dep, err := e.Deploy(r.Context(), playbook.DeployRequest{Name: in.Name, Template: in.Template, Parameters: ps, AllowNeeds: in.AllowNeeds})
		if err != nil {
			return err
		}
		out := make([]playbookJSON, len(dep.Workflows))
		for i, x := range dep.Workflows {
			if out[i], err = showPlaybook(r.Context(), e, x); err != nil {
				return err
			}
		}
		return answerList(w, out, nil)
	})
	add("GET /api/v1/playbooks/{name}", Reader, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		x, err := e.Workflow(r.Context(), r.PathValue("name"))
		if err != nil {
			return err
		}
		out, err := showPlaybook(r.Context(), e, x)
		if err != nil {
			return err
		}
		out.Definition = raw(expr.JSON(x.Definition))
		out.Parameters = shownParameters(x)
		writeJSON(w, 200, out)
		return nil
	})
	add("PATCH /api/v1/playbooks/{name}", Contributor, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		var in struct {
			Enabled *bool `json:"enabled"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		if in.Enabled == nil {
			return badRequest("enabled", "Say enabled: true or false.")
		}
		if *in.Enabled {
			return none(w, e.Enable(r.Context(), r.PathValue("name")))
		}
		return none(w, e.Disable(r.Context(), r.PathValue("name")))
	})
	add("DELETE /api/v1/playbooks/{name}", Contributor, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		return none(w, e.Delete(r.Context(), r.PathValue("name")))
	})
	add("POST /api/v1/playbooks/{name}/callbackUrl", Contributor, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		cb, err := e.CallbackURL(r.Context(), r.PathValue("name"), "", playbook.CallbackOptions{})
		if err != nil {
			return err
		}
		writeJSON(w, 200, map[string]string{"value": cb.Value})
		return nil
	})
	add("POST /api/v1/playbooks/{name}/run", Responder, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		var in struct {
			Body json.RawMessage `json:"body"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		t := playbook.TriggerInput{Method: http.MethodPost, Headers: http.Header{"Content-Type": {"application/json"}}}
		if len(in.Body) > 0 {
			v, err := expr.ParseJSON(in.Body)
			if err != nil {
				return badRequest("body", "The body is not JSON: %v.", err)
			}
			t.Body = v
		}
		res, err := e.Trigger(r.Context(), r.PathValue("name"), "", t)
		if err != nil {
			return err
		}
		if len(res.Runs) == 0 {
			return &Error{Status: 409, Code: "TriggerConditionsNotMet", Message: "The trigger's conditions were not met: no run began."}
		}
		writeJSON(w, 202, map[string]string{"run": res.Runs[0]})
		return nil
	})
	add("GET /api/v1/playbooks/{name}/runs", Reader, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		top, err := intParam(r, "top", 50, 1, 250)
		if err != nil {
			return err
		}
		rs, err := e.Runs(r.Context(), r.PathValue("name"), playbook.Page{Top: top})
		if err != nil {
			return err
		}
		out := make([]runJSON, len(rs))
		for i, x := range rs {
			out[i] = showPlaybookRun(x)
		}
		return answerList(w, out, nil)
	})
	add("GET /api/v1/playbooks/{name}/runs/{run}", Reader, showRunDetail)
	add("POST /api/v1/playbooks/{name}/runs/{run}/resubmit", Responder, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		return resubmit(w, r, e)
	})
	add("POST /api/v1/playbooks/{name}/runs/{run}/cancel", Responder, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		return none(w, e.Cancel(r.Context(), r.PathValue("run")))
	})
}

func showPlaybook(ctx context.Context, e *playbook.Engine, x *playbook.Workflow) (playbookJSON, error) {
	out := playbookJSON{Name: x.Name, Enabled: x.Enabled, Created: x.Created, Changed: x.Changed, Needs: showNeeds(x.Needs)}
	if len(x.Triggers) > 0 {
		t := x.Triggers[0]
		def, _ := objectAt(x.Definition, "triggers", t.Name)
		out.Trigger = triggerJSON{
			Name: t.Name, Type: t.Type, Next: t.Next, Summary: triggerSummary(t.Type, def),
			Callable: t.Type == "Request" || t.Type == "HttpWebhook" || t.Type == "Manual",
		}
	}
	rs, err := e.Runs(ctx, x.Name, playbook.Page{Top: 1})
	var pe *playbook.Error
	if errors.As(err, &pe) && pe.Status == 404 {
		return out, nil // deleted meanwhile
	}
	if err != nil {
		return out, err
	}
	if len(rs) > 0 {
		r := showPlaybookRun(rs[0])
		out.LastRun = &r
	}
	return out, nil
}

// objectAt goes down an object by names; the language finds names whatever their case.
func objectAt(o *expr.Object, path ...string) (*expr.Object, bool) {
	for _, n := range path {
		if o == nil {
			return nil, false
		}
		o, _ = o.Value(n).(*expr.Object)
	}
	return o, o != nil
}

// triggerSummary says in words when a workflow starts.
func triggerSummary(kind string, def *expr.Object) string {
	switch kind {
	case "Request", "Manual":
		return "When an HTTP request is received"
	case "Recurrence":
		if rec, ok := objectAt(def, "recurrence"); ok {
			unit := strings.ToLower(expr.Text(rec.Value("frequency")))
			if n := expr.Text(rec.Value("interval")); n != "" && n != "1" {
				return "Every " + n + " " + unit + "s"
			}
			return "Every " + unit
		}
		return "On a schedule"
	case "ApiConnectionWebhook":
		in, _ := objectAt(def, "inputs")
		path := ""
		if in != nil {
			path = expr.Text(in.Value("path"))
		}
		switch {
		case strings.Contains(path, "incident-creation"):
			return "When an incident is created"
		case strings.Contains(path, "incident"):
			return "When an incident changes: " + path
		case strings.HasPrefix(path, "/subscribe"):
			return "When an alert is made"
		case strings.HasPrefix(path, "/entity"):
			return "When it is run on an entity"
		}
		return "When a connector calls: " + path
	case "ApiConnection", "Http":
		return "When a poll finds something"
	case "HttpWebhook":
		return "When a webhook calls"
	}
	return kind
}

func showNeeds(ns []playbook.Need) []needJSON {
	out := []needJSON{}
	for _, n := range ns {
		// A resource that picket lacks is left out; everything else keeps the workflow from starting.
		out = append(out, needJSON{Kind: n.Kind, Name: n.Name, Text: n.Message, Action: n.Where, Block: n.Kind != "resource"})
	}
	return out
}

// shownParameters lists the values in force; secure ones come without.
func shownParameters(x *playbook.Workflow) []paramJSON {
	defs, _ := objectAt(x.Definition, "parameters")
	var out []paramJSON
	for _, m := range defs.Members() {
		d, _ := m.Value.(*expr.Object)
		p := paramJSON{Name: m.Name}
		if d != nil {
			p.Type = expr.Text(d.Value("type"))
		}
		v := x.Parameters.Value(m.Name)
		if v == nil && d != nil && !strings.HasPrefix(strings.ToLower(p.Type), "secure") {
			v = d.Value("defaultValue")
		}
		if v != nil {
			p.Value = payload(v)
		}
		out = append(out, p)
	}
	return out
}

func showPlaybookRun(r *playbook.Run) runJSON {
	return runJSON{ID: r.ID, Status: r.Status, Start: r.Started, End: r.Ended, Trigger: r.Trigger, Code: r.Code, Error: errorText(r.Error)}
}

func errorText(o *expr.Object) string {
	if o == nil {
		return ""
	}
	if m := expr.Text(o.Value("message")); m != "" {
		return m
	}
	return expr.JSON(o)
}

// payload is a value as the page shows it: JSON, or the beginning of its text when it is too long.
func payload(v any) raw {
	j := expr.JSON(v)
	if len(j) <= maxPayload {
		return raw(j)
	}
	cut := strings.ToValidUTF8(j[:maxPayload], "")
	b, err := json.Marshal(fmt.Sprintf("%s… (%d bytes in all)", cut, len(j)))
	if err != nil {
		return raw(`"too long to show"`)
	}
	return b
}

func showRunDetail(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
	d, err := e.RunDetail(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	if !strings.EqualFold(d.Workflow, r.PathValue("name")) {
		return notOneOf(d.ID, r.PathValue("name"))
	}
	out := runDetailJSON{runJSON: showPlaybookRun(&d.Run), Actions: []actionJSON{}}
	if t := d.TriggerRecord; t != nil {
		if v, ok := t.Get("inputs"); ok {
			out.TriggerInputs = payload(v)
		}
		if v, ok := t.Get("outputs"); ok {
			out.TriggerOutputs = payload(v)
		}
	}
	parents := map[string]string{}
	if x, err := e.Workflow(r.Context(), d.Workflow); err == nil {
		actions, _ := objectAt(x.Definition, "actions")
		parentsOf(actions, "", parents)
	}
	for i, a := range d.Actions {
		if i == maxActions {
			out.Omitted = len(d.Actions) - maxActions
			break
		}
		j := showAction(a)
		j.Parent = parents[a.Name]
		out.Actions = append(out.Actions, j)
	}
	writeJSON(w, 200, out)
	return nil
}

// parentsOf tells the container of every action: scopes, loops, both branches of a condition, switch cases.
func parentsOf(actions *expr.Object, parent string, out map[string]string) {
	for _, m := range actions.Members() {
		if parent != "" {
			out[m.Name] = parent
		}
		a, _ := m.Value.(*expr.Object)
		if a == nil {
			continue
		}
		for _, path := range [][]string{{"actions"}, {"else", "actions"}, {"default", "actions"}} {
			if in, ok := objectAt(a, path...); ok {
				parentsOf(in, m.Name, out)
			}
		}
		if cases, ok := objectAt(a, "cases"); ok {
			for _, c := range cases.Members() {
				o, _ := c.Value.(*expr.Object)
				if in, ok := objectAt(o, "actions"); ok {
					parentsOf(in, m.Name, out)
				}
			}
		}
	}
}

func parameterValues(in map[string]json.RawMessage) (map[string]any, error) {
	out := map[string]any{}
	for k, v := range in {
		x, err := expr.ParseJSON(v)
		if err != nil {
			return nil, badRequest(k, "The value of %s is not JSON: %v.", k, err)
		}
		out[k] = x
	}
	return out, nil
}

// inspectTemplate lists what a template asks for and what it needs here, and changes nothing. Parameters that
// have no default get a placeholder for the look.
func inspectTemplate(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
	var in struct {
		Template json.RawMessage `json:"template"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	v, err := expr.ParseJSON(in.Template)
	if err != nil {
		return badRequest("template", "The template is not JSON: %v.", err)
	}
	o, _ := v.(*expr.Object)
	if o == nil {
		return badRequest("template", "The template is not a JSON object.")
	}
	defs, _ := objectAt(o, "parameters")
	if d, ok := objectAt(o, "definition", "parameters"); ok {
		defs = d
	}
	out := inspection{Parameters: []paramJSON{}, Needs: []needJSON{}, Resources: []string{}}
	trial := map[string]any{}
	for _, m := range defs.Members() {
		d, _ := m.Value.(*expr.Object)
		if d == nil || m.Name == "$connections" {
			continue
		}
		p := paramJSON{Name: m.Name, Type: strings.ToLower(expr.Text(d.Value("type")))}
		if meta, ok := objectAt(d, "metadata"); ok {
			p.Help = expr.Text(meta.Value("description"))
		}
		if allowed, ok := d.Value("allowedValues").([]any); ok {
			for _, a := range allowed {
				p.Allowed = append(p.Allowed, expr.Text(a))
			}
		}
		def, _, has := d.Find("defaultValue")
		if has {
			p.Default = payload(def)
		} else {
			p.Required = true
			switch {
			case len(p.Allowed) > 0:
				trial[m.Name] = d.Value("allowedValues").([]any)[0]
			case p.Type == "int" || p.Type == "float":
				trial[m.Name] = int64(1)
			case p.Type == "bool":
				trial[m.Name] = false
			case p.Type == "array":
				trial[m.Name] = []any{}
			case p.Type == "object" || p.Type == "secureobject":
				trial[m.Name] = expr.NewObject()
			default:
				trial[m.Name] = m.Name
			}
		}
		out.Parameters = append(out.Parameters, p)
	}
	dep, err := e.Deploy(r.Context(), playbook.DeployRequest{Name: "inspection", Template: in.Template, Parameters: trial, Validate: true})
	if err != nil {
		return err
	}
	out.Needs = showNeeds(dep.Needs)
	for _, c := range dep.Connections {
		out.Resources = append(out.Resources, "connection "+c.Name)
	}
	out.NeedsName = o.Value("resources") == nil // a bare definition has no name of its own
	for _, x := range dep.Workflows {
		if out.NeedsName {
			break
		}
		out.Resources = append(out.Resources, "playbook "+x.Name)
	}
	writeJSON(w, 200, out)
	return nil
}
