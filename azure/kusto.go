package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/query"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	kustoResource = "https://kusto.kusto.windows.net"
	kustoClientID = "db662dc1-0cfe-4e1c-a843-19a68e65be58" // the public client of Kusto's own tools
	noTruncRows   = 10_000_000
	noTruncBytes  = 1 << 30
)

// kustoRequest is the body of Kusto's queries and commands. The SDKs send properties as an object, some tools as
// a string of JSON.
type kustoRequest struct {
	DB         string          `json:"db"`
	CSL        string          `json:"csl"`
	Properties json.RawMessage `json:"properties"`
}

type kustoProperties struct {
	Options    map[string]json.RawMessage `json:"Options"`
	Parameters map[string]json.RawMessage `json:"Parameters"`
}

// kustoCall is a request of Kusto's surface, decoded.
type kustoCall struct {
	*call
	kustoRequest
	kustoProperties
	clientID string // x-ms-client-request-id
	activity string
	started  time.Time
}

// option gives an option as text.
func (k *kustoCall) option(name string) string {
	for n, raw := range k.Options {
		if strings.EqualFold(n, name) {
			var s string
			if json.Unmarshal(raw, &s) == nil {
				return s
			}
			return string(raw)
		}
	}
	return ""
}

func (k *kustoCall) on(name string) bool {
	b, _ := strconv.ParseBool(k.option(name)) // anything else is off
	return b
}

// kustoAuth tells clients where to get tokens; they read all six fields.
func (a *API) kustoAuth(w http.ResponseWriter, r *call) {
	b := a.base(r.Request)
	writeJSON(w, 200, map[string]any{"AzureAD": map[string]any{
		"LoginEndpoint": b, "LoginMfaRequired": false, "KustoClientAppId": kustoClientID, "KustoClientRedirectUri": "https://microsoft/kustoclient",
		"KustoServiceResourceId": kustoResource, "FirstPartyAuthorityUrl": b + "/" + a.d.Workspace.TenantID,
	}})
}

// kusto decodes a request; it answers itself and gives nil when that fails.
func (a *API) kusto(w http.ResponseWriter, r *call) *kustoCall {
	k := &kustoCall{call: r, clientID: r.Header.Get("x-ms-client-request-id"), activity: uuid.NewString(), started: a.d.Now()}
	if len(k.clientID) > 256 || strings.ContainsAny(k.clientID, "\r\n") {
		k.clientID = ""
	}
	if k.clientID == "" {
		k.clientID = "unspecified;" + k.activity
	}
	w.Header().Set("x-ms-client-request-id", k.clientID)
	w.Header().Set("x-ms-activity-id", k.activity)
	b, e := readBody(w, r.Request, maxQueryBody, false, "General_BadRequest")
	if e != nil {
		a.kustoError(w, k, e)
		return nil
	}
	if e := checkJSON(b, "General_BadRequest"); e != nil {
		a.kustoError(w, k, e)
		return nil
	}
	err := json.Unmarshal(b, &k.kustoRequest)
	if err == nil && len(k.Properties) > 0 {
		raw := k.Properties
		var s string
		if json.Unmarshal(raw, &s) == nil && s != "" {
			raw = json.RawMessage(s)
		}
		err = json.Unmarshal(raw, &k.kustoProperties)
	}
	if err != nil {
		a.kustoError(w, k, &Error{Status: 400, Code: "BadRequest_InvalidRequest", Message: "The request body is not what Kusto's clients send: " + err.Error()})
		return nil
	}
	if k.DB != "" && !a.la.knows(k.DB) && !strings.EqualFold(k.DB, "NetDefaultDB") {
		a.kustoError(w, k, &Error{Status: 400, Code: "BadRequest_EntityNotFound", Message: fmt.Sprintf("Entity ID '%s' of kind 'Database' was not found. This picket serves the database '%s'.", k.DB, a.d.Workspace.Name)})
		return nil
	}
	return k
}

// question is the query that a call asks.
func (a *API) question(k *kustoCall) (query.Request, *Error) {
	bad := func(f string, v ...any) (query.Request, *Error) {
		return query.Request{}, &Error{Status: 400, Code: "BadRequest_InvalidClientRequestProperties", Message: fmt.Sprintf(f, v...)}
	}
	q := query.Request{Text: k.CSL, Now: k.started, Timeout: defaultTimeout}
	if s := k.option("servertimeout"); s != "" && s != "null" {
		t, ok := value.ParseTimespan(s)
		if !ok || t <= 0 {
			return bad("The option servertimeout %q is not a timespan.", s)
		}
		q.Timeout = min(time.Duration(min(t, int64(maxTimeout/100)))*100, maxTimeout)
	}
	if s := k.option("query_now"); s != "" && s != "null" {
		t, ok := value.ParseDatetime(s)
		if !ok {
			return bad("The option query_now %q is not a datetime.", s)
		}
		q.Now = value.TimeOf(t)
	}
	for _, o := range []struct {
		name string
		dst  *int64
	}{{"truncationmaxrecords", &q.MaxRows}, {"truncationmaxsize", &q.MaxBytes}} {
		if s := k.option(o.name); s != "" && s != "null" {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 1 {
				return bad("The option %s %q is not a positive number.", o.name, s)
			}
			*o.dst = min(n, noTruncBytes)
		}
	}
	if k.on("notruncation") {
		q.MaxRows, q.MaxBytes = noTruncRows, noTruncBytes
	}
	text, err := withParameters(k.Context(), q.Text, k.Parameters)
	if err != nil {
		var list syntax.ErrorList
		if errors.As(err, &list) {
			return q, nil // the engine says it again, with its place
		}
		return bad("%v.", err)
	}
	q.Text = text
	return q, nil
}

// kustoError answers a failure as Kusto's clients read it.
func (a *API) kustoError(w http.ResponseWriter, k *kustoCall, err error) {
	status, body := a.kustoErrorBody(k, err)
	retryAfter(w, status)
	writeJSON(w, status, map[string]any{"error": body})
}

// kustoErrorBody is the OneApi form of an error.
func (a *API) kustoErrorBody(k *kustoCall, err error) (int, *oneAPIError) {
	out := &oneAPIError{
		Code: "General_BadRequest", Message: "Request is invalid and cannot be executed.", Type: "Kusto.Data.Exceptions.KustoBadRequestException", Permanent: true,
		Context: map[string]any{
			"timestamp": a.d.Now().UTC().Format("2006-01-02T15:04:05.0000000Z"), "serviceAlias": "PICKET", "machineName": "picket", "processName": "picket", "processId": 0, "threadId": 0,
			"clientRequestId": k.clientID, "activityId": k.activity, "subActivityId": k.activity, "activityType": "GW.Http.CallContext", "parentActivityId": k.activity, "activityStack": "",
		},
	}
	status := 400
	var list syntax.ErrorList
	var ae *Error
	switch {
	case errors.As(err, &list) && len(list) > 0:
		kind := "Semantic"
		if strings.HasPrefix(list[0].Code, "SYN") {
			kind = "Syntax"
		}
		out.Type = "Kusto.Data.Exceptions." + kind + "Exception"
		out.Text = fmt.Sprintf("%s error: %s", kind, list.Error())
	case errors.Is(err, context.DeadlineExceeded):
		status = 504
		out.Code, out.Message, out.Type, out.Permanent = "Timeout", "The query did not end within its time limit.", "Kusto.Data.Exceptions.KustoRequestTimeoutException", false
		out.Text = err.Error()
	case errors.As(err, &ae):
		status, out.Code, out.Text = ae.Status, ae.Code, ae.Message
		if status == 429 {
			out.Message, out.Type, out.Permanent = "The request was throttled.", "Kusto.Data.Exceptions.KustoRequestThrottledException", false
		}
	default:
		status, out.Code, out.Message, out.Type = 500, "General_InternalServerError", "An internal error occurred.", "Kusto.Data.Exceptions.KustoServiceException"
		out.Text = err.Error()
	}
	return status, out
}

// oneAPIError is an error in Kusto's form. Its text begins with "Semantic error:" where SDKs look for that.
type oneAPIError struct {
	Code      string         `json:"code"`
	Message   string         `json:"message"`
	Type      string         `json:"@type"`
	Text      string         `json:"@message"`
	Context   map[string]any `json:"@context"`
	Permanent bool           `json:"@permanent"`
}

// partialText is what a cut answer says.
func partialText(p *query.Partial) string {
	return "Query execution has exceeded the allowed limits: " + p.Message + " (" + p.Code + ")"
}
