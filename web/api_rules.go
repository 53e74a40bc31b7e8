package web

import (
	"errors"
	"io"
	"net/http"
	"picket/detect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ruleState is what an analytics rule has beyond its Azure shape: how its last run went.
type ruleState struct {
	ID      string    `json:"id"` // the rule's GUID
	NextEnd time.Time `json:"nextWindowEnd,omitzero"`
	LastRun *ruleRun  `json:"lastRun,omitempty"`
}

// ruleRun is one run of a rule.
type ruleRun struct {
	ID        string    `json:"id"`
	Reason    string    `json:"reason"` // schedule, arrival, now
	WindowEnd time.Time `json:"windowEnd"`
	Started   time.Time `json:"started"`
	Ended     time.Time `json:"ended,omitzero"`
	Status    string    `json:"status"` // Success, Failure, Suppressed
	Message   string    `json:"message,omitempty"`
	Rows      int       `json:"rows"`
	Alerts    int       `json:"alerts"`
}

func showRun(r *detect.RunRecord) *ruleRun {
	return &ruleRun{ID: r.ID, Reason: r.Reason, WindowEnd: r.WindowEnd, Started: r.Started, Ended: r.Ended, Status: r.Status, Message: r.Message, Rows: r.Rows, Alerts: r.Alerts}
}

// ruleRoutes serves what the Azure-shaped alertRules routes have not:
//
//	GET   /api/v1/rules                 {value: [ruleState]}
//	POST  /api/v1/rules/import          a rule's YAML as the body → {id, name, new, warnings}
//	POST  /api/v1/rules/{id}/run        ruleRun
//	GET   /api/v1/rules/{id}/runs?top=  {value: [ruleRun]}
func (s *Server) ruleRoutes() {
	h := func(need string, f func(w http.ResponseWriter, r *http.Request, u User) error) http.Handler {
		return s.page(need, func(w http.ResponseWriter, r *http.Request, u User) error {
			if s.d.Rules == nil {
				return missingRoom("Analytics rules")
			}
			return roomError(f(w, r, u))
		})
	}
	s.mux.Handle("GET /api/v1/rules", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		rules, err := s.d.Rules.Rules(r.Context())
		if err != nil {
			return err
		}
		out := make([]ruleState, len(rules))
		for i, x := range rules {
			out[i] = ruleState{ID: x.ID, NextEnd: x.NextEnd}
			runs, err := s.d.Rules.Runs(r.Context(), x.ID, 1)
			if err != nil {
				return err
			}
			if len(runs) > 0 {
				out[i].LastRun = showRun(&runs[0])
			}
		}
		return answerList(w, out, nil)
	}))
	s.mux.Handle("POST /api/v1/rules/import", h(Contributor, s.importRule))
	s.mux.Handle("POST /api/v1/rules/{id}/run", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		run, err := s.d.Rules.RunNow(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		writeJSON(w, 200, showRun(run))
		return nil
	}))
	s.mux.Handle("GET /api/v1/rules/{id}/runs", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		top, err := intParam(r, "top", 50, 1, 1000)
		if err != nil {
			return err
		}
		runs, err := s.d.Rules.Runs(r.Context(), r.PathValue("id"), top)
		if err != nil {
			return err
		}
		out := make([]*ruleRun, len(runs))
		for i := range runs {
			out[i] = showRun(&runs[i])
		}
		return answerList(w, out, nil)
	}))
}

// importRule takes a rule as the community publishes it. A rule of the same id is replaced and keeps picket's
// own setting (on arrival) and whether it is on.
func (s *Server) importRule(w http.ResponseWriter, r *http.Request, u User) error {
	doc, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err != nil {
		return formError(err)
	}
	if strings.TrimSpace(string(doc)) == "" {
		return badRequest("", "The file is empty: choose a rule in YAML.")
	}
	rule, err := detect.ParseTemplate(doc)
	if err != nil {
		return badRequest("", "%v", err)
	}
	if rule.ID == "" {
		rule.ID = uuid.NewString()
	}
	old, err := s.d.Rules.Rule(r.Context(), rule.ID)
	fresh := errors.Is(err, detect.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	rule.Enabled = true // a template doesn't say; who imports a rule wants it to run
	if !fresh {
		rule.Enabled, rule.OnArrival = old.Enabled, old.OnArrival
	}
	saved, err := s.d.Rules.SaveRule(r.Context(), rule, u.Name, 0)
	if err != nil {
		if errors.Is(err, detect.ErrConflict) {
			return err
		}
		return badRequest("", "%v", err)
	}
	writeJSON(w, 200, map[string]any{"id": saved.ID, "name": saved.Name, "new": fresh, "warnings": orEmpty(rule.Warnings)})
	return nil
}
