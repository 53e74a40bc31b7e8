package azure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

const maxBatch = 100 // questions of one batch

// batchMember is one question of POST /v1/$batch.
type batchMember struct {
	ID        string            `json:"id"`
	Headers   map[string]string `json:"headers"`
	Body      laRequest         `json:"body"`
	Method    string            `json:"method"`
	Path      string            `json:"path"`
	Workspace string            `json:"workspace"`
}

// batchAnswer is the answer to one.
type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
}

// laBatch answers many questions at once, in the order in which they were asked: the JavaScript SDK takes
// answers by position.
func (a *API) laBatch(w http.ResponseWriter, r *call) {
	b, e := readBody(w, r.Request, maxQueryBody, false, "BadArgumentError")
	if e != nil {
		writeError(w, e)
		return
	}
	if e := checkJSON(b, "BadArgumentError"); e != nil {
		writeError(w, e)
		return
	}
	var in struct {
		Requests []batchMember `json:"requests"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		writeError(w, &Error{Status: 400, Code: "BadArgumentError", Message: "The request body is not a batch: " + err.Error()})
		return
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxBatch {
		writeError(w, &Error{Status: 400, Code: "BadArgumentError", Message: fmt.Sprintf("A batch has 1 to %d requests; this one has %d.", maxBatch, len(in.Requests))})
		return
	}
	out := make([]batchAnswer, len(in.Requests))
	var wg sync.WaitGroup
	turns := make(chan struct{}, a.gate.l.Concurrent)
	for i := range in.Requests {
		wg.Add(1)
		go func() {
			defer wg.Done()
			turns <- struct{}{}
			defer func() { <-turns }()
			out[i] = a.batchOne(r, &in.Requests[i])
		}()
	}
	wg.Wait()
	writeJSON(w, 200, map[string]any{"responses": out})
}

func (a *API) batchOne(r *call, m *batchMember) batchAnswer {
	out := batchAnswer{ID: m.ID, Headers: map[string]string{}}
	refuse := func(e *Error) batchAnswer {
		out.Status, out.Body = e.Status, map[string]any{"error": e}
		return out
	}
	if p := strings.Trim(m.Path, "/"); !strings.EqualFold(p, "query") {
		return refuse(&Error{Status: 404, Code: "PathNotFoundError", Message: fmt.Sprintf("A request of a batch has the path /query, not %q.", m.Path)})
	}
	if !a.la.knows(m.Workspace) {
		return refuse(a.la.unknown(m.Workspace))
	}
	var prefer []string
	for k, v := range m.Headers {
		if strings.EqualFold(k, "Prefer") {
			prefer = append(prefer, v)
		}
	}
	out.Status, out.Body = a.la.answer(r.Context(), r.who, m.Body, prefer)
	return out
}
