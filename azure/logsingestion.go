package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"picket/ingest"
	"picket/lake"
	"strings"
	"sync"
)

// maxIngestBody bounds a post of the Logs Ingestion API, packed and unpacked. Azure takes 1 MB; Vector and others
// send more, so picket does too.
const maxIngestBody = 30 << 20

// ruleCache holds compiled data collection rules by immutable id.
type ruleCache struct {
	mu    sync.RWMutex
	rules map[string]*ingest.Rule
}

// ingestLogs answers POST /dataCollectionRules/{immutableId}/streams/{stream} with exactly 204.
func (a *API) ingestLogs(w http.ResponseWriter, r *call) {
	switch v := r.URL.Query().Get("api-version"); v {
	case "2023-01-01", "2021-11-01-preview":
	case "":
		writeError(w, &Error{Status: 400, Code: "MissingApiVersionParameter", Message: "The api-version query parameter (?api-version=) is required for all requests."})
		return
	default:
		writeError(w, &Error{Status: 400, Code: "UnsupportedApiVersion", Message: fmt.Sprintf("The api-version %q is not supported; use 2023-01-01.", v)})
		return
	}
	if a.d.Ingest == nil {
		writeError(w, &Error{Status: 501, Code: "NotImplemented", Message: "This server has no data collection rules."})
		return
	}
	id := r.v("rule")
	rule, err := a.ruleByID(r.Context(), id)
	if err != nil {
		a.failIngest(w, err)
		return
	}
	if rule == nil {
		writeError(w, &Error{Status: 404, Code: "NotFound", Message: fmt.Sprintf("Data collection rule with immutable Id '%s' not found.", id)})
		return
	}
	if e := notJSON(r.Request); e != nil {
		writeError(w, e)
		return
	}
	body, e := readBody(w, r.Request, maxIngestBody, true, "InvalidRequestPayload")
	if e != nil {
		writeError(w, e)
		return
	}
	ingest.SetPrincipal(r.Context(), r.who.Name)
	if _, err := a.d.Ingest.Post(r.Context(), ingest.PostRequest{Rule: rule, Source: id, Stream: r.v("stream"), Body: body}); err != nil {
		a.failIngest(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// failIngest answers a post that was not stored. Only the sender's own errors are 4xx: everything else tells it to
// send again.
func (a *API) failIngest(w http.ResponseWriter, err error) {
	var bad *ingest.Error
	var ae *Error
	e := &Error{Status: 503, Code: "ServiceUnavailable", Message: "The records were not stored: send them again. " + err.Error()}
	switch {
	case errors.As(err, &bad):
		e = &Error{Status: bad.Status, Code: bad.Code, Message: bad.Message}
	case errors.As(err, &ae):
		e = ae
	case errors.Is(err, lake.ErrFull):
		e = &Error{Status: 429, Code: "TooManyRequests", Message: "The disk is full: nothing of this request was stored. Free space or shorten a table's retention; send it again."}
	}
	if e.Status == 429 || e.Status == 503 {
		w.Header().Set("Retry-After", "30")
	}
	writeError(w, e)
}

// ruleByID finds a rule by its immutable id; nil when there is none.
func (a *API) ruleByID(ctx context.Context, id string) (*ingest.Rule, error) {
	id = strings.ToLower(id)
	a.rules.mu.RLock()
	rule := a.rules.rules[id]
	a.rules.mu.RUnlock()
	if rule != nil {
		return rule, nil
	}
	all, err := a.res.list(ctx, kindRule)
	if err != nil {
		return nil, err
	}
	for _, st := range all {
		var b ruleResource
		if err := json.Unmarshal(st.Body, &b); err != nil {
			return nil, fmt.Errorf("data collection rule %s: %w", st.Name, err)
		}
		if b.ImmutableID != id {
			continue
		}
		rule, err := a.d.Ingest.ParseRule(ctx, b.Properties)
		if err != nil {
			return nil, fmt.Errorf("data collection rule %s: %w", st.Name, err)
		}
		a.rules.mu.Lock()
		if a.rules.rules == nil {
			a.rules.rules = map[string]*ingest.Rule{}
		}
		a.rules.rules[id] = rule
		a.rules.mu.Unlock()
		return rule, nil
	}
	return nil, nil
}

func (c *ruleCache) forget(id string) {
	c.mu.Lock()
	delete(c.rules, id)
	c.mu.Unlock()
}
