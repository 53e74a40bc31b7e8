package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"picket/playbook"
	"picket/playbook/expr"
	"picket/playbook/mock"
	"time"
)

// resubmit starts a new run with an earlier run's trigger outputs.
func resubmit(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
	var in struct {
		From string `json:"from"` // an action that failed: what was done before it is not done again
	}
	if r.ContentLength != 0 {
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
	}
	var id string
	var err error
	if in.From != "" {
		id, err = e.ResubmitFrom(r.Context(), r.PathValue("run"), in.From)
	} else {
		id, err = e.Resubmit(r.Context(), r.PathValue("run"))
	}
	return answer(w, 202, map[string]string{"run": id}, err)
}

// callJSON is what an action would send; secrets are masked.
type callJSON struct {
	Action     string `json:"action"`
	Type       string `json:"type"`
	Repetition string `json:"repetition,omitempty"`
	API        string `json:"api,omitempty"`
	Method     string `json:"method,omitempty"`
	Target     string `json:"target,omitempty"`
	Inputs     raw    `json:"inputs,omitempty"`
}

// triedJSON is how a test of a playbook went.
type triedJSON struct {
	Status  string       `json:"status"` // of the run; "" when the trigger's conditions weren't met
	Error   string       `json:"error,omitempty"`
	Needs   []needJSON   `json:"needs"`
	Calls   []callJSON   `json:"calls"`
	Actions []actionJSON `json:"actions"`
	Omitted int          `json:"omitted,omitempty"` // calls and actions past the first maxActions
}

func showTried(t *playbook.Tried) triedJSON {
	out := triedJSON{Needs: showNeeds(t.Needs), Calls: []callJSON{}, Actions: []actionJSON{}}
	for i, c := range t.Calls {
		if i == maxActions {
			out.Omitted += len(t.Calls) - i
			break
		}
		j := callJSON{Action: c.Action, Type: c.Type, Repetition: c.Repetition, API: c.API, Method: c.Method, Target: c.Target}
		if c.Inputs != nil {
			j.Inputs = payload(c.Inputs)
		}
		out.Calls = append(out.Calls, j)
	}
	if t.Run == nil {
		return out
	}
	out.Status, out.Error = t.Run.Status, errorText(t.Run.Error)
	for _, a := range t.Run.Actions {
		if a.Iteration {
			continue
		}
		if len(out.Actions) == maxActions {
			out.Omitted++
			continue
		}
		out.Actions = append(out.Actions, showAction(a))
	}
	return out
}

// testTime bounds one test, maxTests how many run at once: each has an engine of its own.
const (
	testTime = time.Minute
	maxTests = 2
)

// testPlaybook tries a playbook's current version out in an engine of its own: nothing is sent, every call is
// answered with a made-up success, waits end at once. Secure parameters are stood in for by their names.
func (s *Server) testPlaybook(w http.ResponseWriter, r *http.Request, e *playbook.Engine) error {
	var in struct {
		Body json.RawMessage `json:"body"` // that the trigger is given
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
	select {
	case s.tests <- struct{}{}:
		defer func() { <-s.tests }()
	default:
		w.Header().Set("Retry-After", "10")
		return &Error{Status: 429, Code: "TooManyTests", Message: fmt.Sprintf("%d tests of playbooks are running: try again in a moment.", maxTests)}
	}
	x, err := e.Workflow(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	g, err := e.Graph(r.Context(), x.Name)
	if err != nil {
		return err
	}
	def := []byte(expr.JSON(x.Definition))
	params := playbook.MadeUpParameters(def)
	for _, m := range x.Parameters.Members() {
		if m.Value != nil {
			params[m.Name] = m.Value
		}
	}
	apis := map[string]string{}
	connectorsOf(g.Actions, apis)
	tried, err := playbook.Try(r.Context(), playbook.TryRequest{
		Deploy: playbook.DeployRequest{Name: x.Name, Template: def, Parameters: params}, Input: t, Timeout: testTime,
		Answer: func(_ context.Context, c *playbook.TrialCall) (*playbook.Response, error) {
			if c.API == "" {
				c.API = apis[c.Action]
			}
			return mock.Sample(c), nil
		},
	})
	if err != nil {
		var pe *playbook.Error
		if !errors.As(err, &pe) && r.Context().Err() == nil {
			return &Error{Status: 422, Code: "TestFailed", Message: "The test did not come to an end: " + err.Error() + "."}
		}
		return err
	}
	tried.Needs = x.Needs // the trial's own engine has no connectors
	writeJSON(w, 200, showTried(tried))
	return nil
}

// connectorsOf tells the managed API of every action that has one.
func connectorsOf(nodes []*playbook.GraphNode, out map[string]string) {
	for _, n := range nodes {
		if n.Connector != "" {
			out[n.Name] = n.Connector
		}
		for _, b := range n.Branches {
			connectorsOf(b.Actions, out)
		}
	}
}
