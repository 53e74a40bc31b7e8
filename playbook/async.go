package playbook

import (
	"database/sql"
	"errors"
	"net/http"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"time"
)

// asynchronous finds the Response action whose caller gets 202 at once and asks for the answer later (the designer's
// setting Asynchronous Response); "" when there is none.
func asynchronous(d *definition.Definition) string {
	for _, a := range d.All() {
		if a.Type == "Response" && a.Has("Asynchronous") {
			return a.Name
		}
	}
	return ""
}

func operationPermission(run, op string) string {
	return "/runs/" + run + "/operations/" + op + "/read"
}

// operationURL is where the caller of an asynchronous Response asks for it.
func (e *Engine) operationURL(w *workflow, run, op string) string {
	u, _ := e.signedURL(w, "/workflows/"+w.id+"/runs/"+run+"/operations/"+url.PathEscape(op), operationPermission(run, op), w.primary, time.Time{})
	return u
}

const operationRetry = "10" // seconds between two askings

// operation answers with a run's Response when there is one, with 202 until then.
func (e *Engine) operation(w http.ResponseWriter, req *http.Request, wf *workflow, t target) {
	if req.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		writeError(w, fail(405, "MethodNotAllowed", "The state of an operation is read with GET."))
		return
	}
	var status string
	var ended int64
	var blob []byte
	err := e.db.QueryRow(req.Context(), `SELECT status, ended, response FROM playbook_run WHERE id=? AND workflow=?`, t.run, wf.name).Scan(&status, &ended, &blob)
	if errors.Is(err, sql.ErrNoRows) {
		writeError(w, fail(404, "WorkflowRunNotFound", "The workflow '%s' has no run '%s'.", wf.name, t.run))
		return
	}
	if err != nil {
		e.log.Error("playbook: an operation can't be read", "run", t.run, "error", err)
		writeError(w, err)
		return
	}
	switch {
	case len(blob) > 0:
		v, err := e.seal.decode(blob)
		if err != nil {
			e.log.Error("playbook: a response can't be read", "run", t.run, "error", err)
			writeError(w, err)
			return
		}
		o := object(v)
		code, _ := o.Value("statusCode").(int64)
		for _, m := range object(o.Value("headers")).Members() {
			switch strings.ToLower(m.Name) {
			case "content-length", "transfer-encoding", "connection", "set-cookie":
			default:
				w.Header().Set(m.Name, expr.Text(m.Value))
			}
		}
		writeValue(w, int(code), o.Value("body"))
	case ended != 0:
		writeError(w, fail(502, "NoResponse", "The run '%s' ended as %s without a response.", t.run, status))
	default:
		w.Header().Set("Location", e.operationURL(wf, t.run, t.operation))
		w.Header().Set("Retry-After", operationRetry)
		w.WriteHeader(http.StatusAccepted)
	}
}
