package picket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"picket/azure"
	"picket/kql/syntax"
	"picket/query"
	"picket/web"
	"time"
)

const (
	maxExplainBody = 1 << 20
	explainTime    = time.Minute
)

// explain answers POST /api/v1/explain {"query", "timespan"} with {"explain": text}: how a question would be answered,
// for people. Nothing runs, except what a plugin reads to know its columns.
func (p *Picket) explain(w http.ResponseWriter, r *http.Request) {
	if _, ok := web.SessionUser(r); !ok {
		answerError(w, 401, "SignInRequired", "Sign in first, or send a bearer token of this picket.")
		return
	}
	var b struct {
		Query    string `json:"query"`
		Timespan string `json:"timespan"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxExplainBody)).Decode(&b); err != nil {
		answerError(w, 400, "BadArgumentError", "The body is no JSON of the form {\"query\": \"…\"}: "+err.Error())
		return
	}
	q := query.Request{Text: b.Query}
	if b.Timespan != "" {
		var err error
		if q.From, q.To, err = azure.ParseTimespan(b.Timespan, time.Now()); err != nil {
			answerError(w, 400, "BadArgumentError", "timespan: "+err.Error())
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainTime)
	defer cancel()
	text, err := p.query.Explain(ctx, q)
	var list syntax.ErrorList
	switch {
	case errors.As(err, &list):
		answerError(w, 400, list[0].Code, list.Error())
	case errors.Is(err, context.DeadlineExceeded):
		answerError(w, 504, "GatewayTimeout", "What the query's plugins read to know their columns took more than a minute.")
	case err != nil:
		answerError(w, 500, "InternalServerError", err.Error())
	default:
		answer(w, 200, map[string]string{"explain": text})
	}
}
