package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// RuleState is what an analytics rule has beyond its Azure shape: how it runs here and how it went.
type RuleState struct {
	ID        string    `json:"id"`        // the rule's GUID
	OnArrival bool      `json:"onArrival"` // run as soon as rows of its tables arrive, not only on its schedule
	NextRun   time.Time `json:"nextRun,omitzero"`
	LastRun   *RuleRun  `json:"lastRun,omitempty"`
	Problem   string    `json:"problem,omitempty"` // why it can't run now: "table X does not exist yet"
	Source    string    `json:"source,omitempty"`  // where it was imported from
}

// RuleRun is one run of a rule.
type RuleRun struct {
	ID        string    `json:"id"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end,omitzero"`
	From      time.Time `json:"from"` // the query's window
	To        time.Time `json:"to"`
	Status    string    `json:"status"` // Running, Success, Failure, Suppressed
	Rows      int64     `json:"rows"`
	Alerts    int       `json:"alerts"`
	Incidents []string  `json:"incidents,omitempty"` // incident GUIDs
	Error     string    `json:"error,omitempty"`
}

// Imported is the outcome of one document of a YAML import.
type Imported struct {
	ID     string   `json:"id,omitempty"`
	Name   string   `json:"name"`
	OK     bool     `json:"ok"`
	New    bool     `json:"new"`
	Notes  []string `json:"notes,omitempty"` // repairs that were made, and what is missing
	Errors []string `json:"errors,omitempty"`
}

// Rules is the detection room as the page needs it, beyond the Azure-shaped alertRules routes.
type Rules interface {
	States(ctx context.Context) ([]RuleState, error)
	Import(ctx context.Context, name string, doc []byte, by User) ([]Imported, error)
	SetOnArrival(ctx context.Context, id string, on bool) error
	RunNow(ctx context.Context, id string) (RuleRun, error)
	Runs(ctx context.Context, id string, top int) ([]RuleRun, error)
}

// ruleRoutes serves
//
//	GET   /api/v1/rules                 {value: [RuleState]}
//	POST  /api/v1/rules/import?name=    YAML as the body → {value: [Imported]}
//	PATCH /api/v1/rules/{id}            {onArrival}
//	POST  /api/v1/rules/{id}/run        RuleRun
//	GET   /api/v1/rules/{id}/runs?top=  {value: [RuleRun]}
func (s *Server) ruleRoutes() {
	h := func(need string, f func(w http.ResponseWriter, r *http.Request, u User) error) http.Handler {
		return s.page(need, func(w http.ResponseWriter, r *http.Request, u User) error {
			if s.d.Rules == nil {
				return missingRoom("Analytics rules")
			}
			return f(w, r, u)
		})
	}
	s.mux.Handle("GET /api/v1/rules", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Rules.States(r.Context())
		return answerList(w, v, err)
	}))
	s.mux.Handle("POST /api/v1/rules/import", h(Contributor, func(w http.ResponseWriter, r *http.Request, u User) error {
		doc, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
		if err != nil {
			return formError(err)
		}
		if strings.TrimSpace(string(doc)) == "" {
			return badRequest("", "The file is empty: choose a rule in YAML.")
		}
		v, err := s.d.Rules.Import(r.Context(), r.FormValue("name"), doc, u)
		return answerList(w, v, err)
	}))
	s.mux.Handle("PATCH /api/v1/rules/{id}", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		var in struct {
			OnArrival *bool `json:"onArrival"`
		}
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		if in.OnArrival == nil {
			return badRequest("onArrival", "Say onArrival: true or false.")
		}
		if err := s.d.Rules.SetOnArrival(r.Context(), r.PathValue("id"), *in.OnArrival); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
	s.mux.Handle("POST /api/v1/rules/{id}/run", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Rules.RunNow(r.Context(), r.PathValue("id"))
		return answer(w, 200, v, err)
	}))
	s.mux.Handle("GET /api/v1/rules/{id}/runs", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		top, err := intParam(r, "top", 50, 1, 1000)
		if err != nil {
			return err
		}
		v, err := s.d.Rules.Runs(r.Context(), r.PathValue("id"), top)
		return answerList(w, v, err)
	}))
}

// raw is JSON that passes through as it is.
type raw = json.RawMessage
