package playbook

import "net/http"

// Send sends a request as an action would: through the guard of outbound requests, its host map included. The answer's
// body is read; a fault of the guard is an error that names why.
func (e *Engine) Send(req *http.Request) (*http.Response, []byte, error) {
	return e.guard.do(req, nil, true)
}
