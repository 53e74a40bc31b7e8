package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// raw is JSON that passes through as it is.
type raw = json.RawMessage

// Playbook is a deployed workflow.
type Playbook struct {
	Name       string    `json:"name"`
	Enabled    bool      `json:"enabled"`
	Trigger    Trigger   `json:"trigger"`
	Created    time.Time `json:"created,omitzero"`
	Changed    time.Time `json:"changed,omitzero"`
	Needs      []Need    `json:"needs"` // what it needs before it can run; empty is ready
	LastRun    *Run      `json:"lastRun,omitempty"`
	Definition raw       `json:"definition,omitempty"` // only in the detail
	Parameters []Param   `json:"parameters,omitempty"` // values in force; secure ones are cut
}

// Trigger is how a playbook starts.
type Trigger struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`               // Request, Recurrence, ApiConnectionWebhook, …
	Summary  string    `json:"summary"`            // "Every day", "When an incident is created", "HTTP request"
	Callable bool      `json:"callable,omitempty"` // has a callback URL
	Next     time.Time `json:"next,omitzero"`
}

// Need is something that a playbook waits for.
type Need struct {
	Kind   string `json:"kind"` // connection, host, parameter, unsupported
	Name   string `json:"name"`
	Text   string `json:"text"`             // what to do
	Action string `json:"action,omitempty"` // the action that needs it
	Block  bool   `json:"block,omitempty"`  // true: it can't run without
}

// Param is a deployment parameter of a template.
type Param struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // string, securestring, int, bool, object, array
	Default  raw      `json:"default,omitempty"`
	Value    raw      `json:"value,omitempty"`
	Allowed  []string `json:"allowed,omitempty"`
	Help     string   `json:"help,omitempty"`
	Required bool     `json:"required,omitempty"` // no default
}

// Inspection is what a template asks for before it is deployed.
type Inspection struct {
	Playbooks  []string `json:"playbooks"` // workflow names that it would make, as far as known without parameters
	Parameters []Param  `json:"parameters"`
	Needs      []Need   `json:"needs"`
	Resources  []string `json:"resources"` // "Microsoft.Web/connections azuresentinel"
}

// Run is one run.
type Run struct {
	ID      string    `json:"id"`
	Status  string    `json:"status"` // Running, Waiting, Succeeded, Failed, Cancelled, TimedOut
	Start   time.Time `json:"start"`
	End     time.Time `json:"end,omitzero"`
	Trigger string    `json:"trigger,omitempty"`
	Code    string    `json:"code,omitempty"`
	Error   string    `json:"error,omitempty"`
}

// Action is one action of a run, in order of start.
type Action struct {
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
}

// RunDetail is a run with its trigger's body and its actions.
type RunDetail struct {
	Run
	TriggerInputs  raw      `json:"triggerInputs,omitempty"`
	TriggerOutputs raw      `json:"triggerOutputs,omitempty"`
	Actions        []Action `json:"actions"`
}

// Playbooks is the playbook room as the page needs it.
type Playbooks interface {
	List(ctx context.Context) ([]Playbook, error)
	Get(ctx context.Context, name string) (Playbook, error)
	Inspect(ctx context.Context, template json.RawMessage) (Inspection, error)
	Deploy(ctx context.Context, template json.RawMessage, params map[string]json.RawMessage, by User) ([]Playbook, error)
	SetEnabled(ctx context.Context, name string, on bool) error
	Delete(ctx context.Context, name string) error
	CallbackURL(ctx context.Context, name string) (string, error)
	RunNow(ctx context.Context, name string, body json.RawMessage) (runID string, err error)
	Runs(ctx context.Context, name string, top int) ([]Run, error)
	Run(ctx context.Context, name, id string) (RunDetail, error)
	Resubmit(ctx context.Context, name, id string) (runID string, err error)
	Cancel(ctx context.Context, name, id string) error
}

// playbookRoutes serves
//
//	GET    /api/v1/playbooks                      {value: [Playbook]}
//	POST   /api/v1/playbooks/inspect              {template} → Inspection
//	POST   /api/v1/playbooks                      {template, parameters: {name: value}} → {value: [Playbook]}
//	GET    /api/v1/playbooks/{name}               Playbook with its definition
//	PATCH  /api/v1/playbooks/{name}               {enabled}
//	DELETE /api/v1/playbooks/{name}
//	POST   /api/v1/playbooks/{name}/callbackUrl   {value: url}
//	POST   /api/v1/playbooks/{name}/run           {body} → {run}
//	GET    /api/v1/playbooks/{name}/runs?top=     {value: [Run]}
//	GET    /api/v1/playbooks/{name}/runs/{run}    RunDetail
//	POST   /api/v1/playbooks/{name}/runs/{run}/resubmit  {run}
//	POST   /api/v1/playbooks/{name}/runs/{run}/cancel
func (s *Server) playbookRoutes() {
	h := func(need string, f func(w http.ResponseWriter, r *http.Request, u User) error) http.Handler {
		return s.page(need, func(w http.ResponseWriter, r *http.Request, u User) error {
			if s.d.Playbooks == nil {
				return missingRoom("Playbooks")
			}
			return f(w, r, u)
		})
	}
	none := func(w http.ResponseWriter, err error) error {
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
	s.mux.Handle("GET /api/v1/playbooks", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Playbooks.List(r.Context())
		return answerList(w, v, err)
	}))
	s.mux.Handle("POST /api/v1/playbooks/inspect", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		var in struct {
			Template json.RawMessage `json:"template"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		v, err := s.d.Playbooks.Inspect(r.Context(), in.Template)
		return answer(w, 200, v, err)
	}))
	s.mux.Handle("POST /api/v1/playbooks", h(Contributor, func(w http.ResponseWriter, r *http.Request, u User) error {
		var in struct {
			Template   json.RawMessage            `json:"template"`
			Parameters map[string]json.RawMessage `json:"parameters"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		v, err := s.d.Playbooks.Deploy(r.Context(), in.Template, in.Parameters, u)
		return answerList(w, v, err)
	}))
	s.mux.Handle("GET /api/v1/playbooks/{name}", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Playbooks.Get(r.Context(), r.PathValue("name"))
		return answer(w, 200, v, err)
	}))
	s.mux.Handle("PATCH /api/v1/playbooks/{name}", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		var in struct {
			Enabled *bool `json:"enabled"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		if in.Enabled == nil {
			return badRequest("enabled", "Say enabled: true or false.")
		}
		return none(w, s.d.Playbooks.SetEnabled(r.Context(), r.PathValue("name"), *in.Enabled))
	}))
	s.mux.Handle("DELETE /api/v1/playbooks/{name}", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		return none(w, s.d.Playbooks.Delete(r.Context(), r.PathValue("name")))
	}))
	s.mux.Handle("POST /api/v1/playbooks/{name}/callbackUrl", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Playbooks.CallbackURL(r.Context(), r.PathValue("name"))
		return answer(w, 200, map[string]string{"value": v}, err)
	}))
	s.mux.Handle("POST /api/v1/playbooks/{name}/run", h(Responder, func(w http.ResponseWriter, r *http.Request, _ User) error {
		var in struct {
			Body json.RawMessage `json:"body"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		id, err := s.d.Playbooks.RunNow(r.Context(), r.PathValue("name"), in.Body)
		return answer(w, 202, map[string]string{"run": id}, err)
	}))
	s.mux.Handle("GET /api/v1/playbooks/{name}/runs", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		top, err := intParam(r, "top", 50, 1, 1000)
		if err != nil {
			return err
		}
		v, err := s.d.Playbooks.Runs(r.Context(), r.PathValue("name"), top)
		return answerList(w, v, err)
	}))
	s.mux.Handle("GET /api/v1/playbooks/{name}/runs/{run}", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Playbooks.Run(r.Context(), r.PathValue("name"), r.PathValue("run"))
		return answer(w, 200, v, err)
	}))
	s.mux.Handle("POST /api/v1/playbooks/{name}/runs/{run}/resubmit", h(Responder, func(w http.ResponseWriter, r *http.Request, _ User) error {
		id, err := s.d.Playbooks.Resubmit(r.Context(), r.PathValue("name"), r.PathValue("run"))
		return answer(w, 202, map[string]string{"run": id}, err)
	}))
	s.mux.Handle("POST /api/v1/playbooks/{name}/runs/{run}/cancel", h(Responder, func(w http.ResponseWriter, r *http.Request, _ User) error {
		return none(w, s.d.Playbooks.Cancel(r.Context(), r.PathValue("name"), r.PathValue("run")))
	}))
}
