package web

import (
	"context"
	"fmt"
	"net/http"
	"picket/playbook"
	"strconv"
	"strings"
)

// maxTurns bounds how many loops a request may name the iteration of; nesting is at most 8.
const maxTurns = 64

// stepJSON is a step of a drawn run: its state, and for a loop where it stands.
type stepJSON = playbook.StepState

// runStatesJSON is a run and the state of each of its steps at the chosen iterations of its loops.
type runStatesJSON struct {
	runJSON
	TriggerName    string               `json:"triggerName,omitempty"`
	TriggerInputs  raw                  `json:"triggerInputs,omitempty"`
	TriggerOutputs raw                  `json:"triggerOutputs,omitempty"`
	Steps          map[string]*stepJSON `json:"steps"` // by the action's name
}

type playbookHandler func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error

// graphRoutes serves how a playbook is drawn:
//
//	GET /api/v1/playbooks/{name}/graph                playbook.Graph: the current version
//	GET /api/v1/playbooks/{name}/runs/{run}/graph     playbook.Graph: the version that the run runs or ran
//	GET /api/v1/playbooks/{name}/runs/{run}/states    runStatesJSON; at=LOOP:N, again for each loop, chooses an iteration (from 0)
//	GET /api/v1/playbooks/{name}/runs/{run}/actions/{action}  {value: [actionJSON]}: one action's repetitions with inputs
//	    and outputs; repetition= is exactly that one ("" outside loops), or after=, under=, status=, top= page through them
//	POST /api/v1/playbooks/{name}/test                {body} → triedJSON: what a run would send
func (s *Server) graphRoutes(add func(pattern, need string, f playbookHandler)) {
	add("GET /api/v1/playbooks/{name}/graph", Reader, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		g, err := e.Graph(r.Context(), r.PathValue("name"))
		return answer(w, 200, g, err)
	})
	add("GET /api/v1/playbooks/{name}/runs/{run}/graph", Reader, func(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
		g, err := graphOfRun(r.Context(), e, r.PathValue("name"), r.PathValue("run"))
		return answer(w, 200, g, err)
	})
	add("GET /api/v1/playbooks/{name}/runs/{run}/states", Reader, showStates)
	add("POST /api/v1/playbooks/{name}/test", Responder, s.testPlaybook)
	add("GET /api/v1/playbooks/{name}/runs/{run}/actions/{action}", Reader, showRepetitions)
}

// graphOfRun refuses a run of another playbook.
func graphOfRun(ctx context.Context, e *playbook.Engine, name, run string) (*playbook.Graph, error) {
	g, err := e.RunGraph(ctx, run)
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(g.Workflow, name) {
		return nil, notOneOf(run, name)
	}
	return g, nil
}

func notOneOf(run, name string) *Error {
	return &Error{Status: 404, Code: "WorkflowRunNotFound", Message: fmt.Sprintf("The run %s is not one of %s.", run, name)}
}

func showStates(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
	at, err := chosenTurns(r)
	if err != nil {
		return err
	}
	d, err := e.RunDetail(r.Context(), r.PathValue("run"))
	if err != nil {
		return err
	}
	if !strings.EqualFold(d.Workflow, r.PathValue("name")) {
		return notOneOf(d.ID, r.PathValue("name"))
	}
	out := runStatesJSON{runJSON: showPlaybookRun(&d.Run), TriggerName: d.Trigger}
	if t := d.TriggerRecord; t != nil {
		if v, ok := t.Get("inputs"); ok {
			out.TriggerInputs = payload(v)
		}
		if v, ok := t.Get("outputs"); ok {
			out.TriggerOutputs = payload(v)
		}
	}
	out.Steps, err = e.RunStates(r.Context(), d.ID, at)
	return answer(w, 200, out, err)
}

// chosenTurns reads at=LOOP:N.
func chosenTurns(r *http.Request) (map[string]int, error) {
	vs := r.URL.Query()["at"]
	if len(vs) > maxTurns {
		return nil, badRequest("at", "at chooses the iterations of %d loops at most.", maxTurns)
	}
	at := map[string]int{}
	for _, v := range vs {
		i := strings.LastIndexByte(v, ':')
		n := -1
		if i > 0 {
			if k, err := strconv.Atoi(v[i+1:]); err == nil {
				n = k
			}
		}
		if n < 0 {
			return nil, badRequest("at", "at=%s: write a loop's name, a colon and an iteration from 0.", v)
		}
		at[v[:i]] = n
	}
	return at, nil
}

func showRepetitions(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
	top, err := intParam(r, "top", 30, 1, 250)
	if err != nil {
		return err
	}
	if _, err := graphOfRun(r.Context(), e, r.PathValue("name"), r.PathValue("run")); err != nil {
		return err
	}
	q := r.URL.Query()
	p := playbook.ActionPage{Action: r.PathValue("action"), Under: q.Get("under"), After: q.Get("after"), Status: q.Get("status"), Top: top}
	rep, one := q.Get("repetition"), q.Has("repetition")
	if one {
		p.Under, p.Status, p.After, p.Top = "", "", justBefore(rep), 1
	}
	as, err := e.RunActions(r.Context(), r.PathValue("run"), p)
	if err != nil {
		return err
	}
	out := []actionJSON{}
	for _, a := range as {
		if !one || a.Repetition == rep {
			out = append(out, showAction(a))
		}
	}
	return answerList(w, out, nil)
}

// justBefore is a text that sorts after every repetition before rep, and before rep.
func justBefore(rep string) string {
	if rep == "" {
		return ""
	}
	last := len(rep) - 1
	return rep[:last] + string(rep[last]-1) + "~"
}

func showAction(a *playbook.ActionRun) actionJSON {
	j := actionJSON{
		Name: a.Name, Type: a.Type, Repetition: a.Repetition, Status: a.Status, Start: a.Started, End: a.Ended,
		Code: a.Code, Error: errorText(a.Error), Retries: len(a.Retries),
	}
	if a.HasInputs {
		j.Inputs = payload(a.Inputs)
	}
	if a.HasOutputs {
		j.Outputs = payload(a.Outputs)
	}
	if a.Tracked != nil {
		j.Tracked = payload(a.Tracked)
	}
	return j
}
