package web

import (
	"encoding/json"
	"net/http"
	"picket/playbook"
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

// testPlaybook tries a playbook out in an engine of its own: nothing is sent.
func testPlaybook(w http.ResponseWriter, r *http.Request, _ *playbook.Engine) error {
	var in struct {
		Body json.RawMessage `json:"body"` // that the trigger is given
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	return &Error{Status: 501, Code: "NotConfigured", Message: "Testing a deployed playbook is not part of this server: use 'picket playbook test'."}
}
