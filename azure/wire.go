package azure

import (
	"context"
	"net/http"
	"picket/query"
	"strings"
)

// wireRoutes are the APIs outside Resource Manager: queries of Log Analytics and of Kusto, ingestion, and Graph. Their paths compare
// without case too. An empty role is public.
func (a *API) wireRoutes() []route {
	query := func(w http.ResponseWriter, r *call) { a.la.query(w, r.Request, r.v("id"), r.who) }
	resource := func(w http.ResponseWriter, r *call) { a.la.query(w, r.Request, "", r.who) }
	const arm = "/v1" + armWorkspace
	return append(a.graphRoutes(), []route{
		{"POST", "/v1/$batch", Reader, a.laBatch},
		{"GET", "/v1/workspaces/{id}/query", Reader, query},
		{"POST", "/v1/workspaces/{id}/query", Reader, query},
		{"GET", "/v1/workspaces/{id}/metadata", Reader, a.laMetadata},
		{"POST", "/v1/workspaces/{id}/metadata", Reader, a.laMetadata},
		{"GET", arm + "/query", Reader, resource},
		{"POST", arm + "/query", Reader, resource},
		{"GET", arm + "/metadata", Reader, a.laMetadata},
		{"POST", arm + "/metadata", Reader, a.laMetadata},
		{"GET", "/v1/rest/auth/metadata", "", a.kustoAuth},
		{"POST", "/v1/rest/mgmt", Reader, a.kustoMgmt},
		{"POST", "/v1/rest/query", Reader, a.kustoV1},
		{"POST", "/v2/rest/query", Reader, a.kustoV2},
		{"POST", "/datacollectionrules/{rule}/streams/{stream}", Contributor, a.ingestLogs},
	}...)
}

// wirePath lets an endpoint be configured with and without its version: libraries differ in whether they add
// /v1 themselves.
func wirePath(p string) string {
	low := strings.ToLower(p)
	switch {
	case strings.HasPrefix(low, "/v1/v1/"):
		return p[3:]
	case strings.HasPrefix(low, "/workspaces/"), low == "/$batch":
		return "/v1" + p
	}
	return p
}

// serveWire answers what wireRoutes lists.
func (a *API) serveWire(w http.ResponseWriter, r *http.Request) {
	rt, vars, status := a.wire.find(r.Method, wirePath(r.URL.Path))
	var who Principal
	var e *Error
	if status == 200 && rt.need != "" || status != 200 {
		who, e = a.authenticate(r)
	}
	switch {
	case e != nil:
	case status == 404:
		e = &Error{Status: 404, Code: "PathNotFoundError", Message: "The requested path does not exist: " + r.URL.Path + "."}
	case status == 405:
		e = &Error{Status: 405, Code: "MethodNotAllowed", Message: r.Method + " is not served at " + r.URL.Path + "."}
	case rt.need != "" && !who.Role.Allows(rt.need):
		code := "InsufficientAccessError"
		msg := "'" + who.Name + "' has the role " + string(who.Role) + "; this needs " + string(rt.need) + "."
		if vars["rule"] != "" {
			code, msg = "OperationFailed", "The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '"+vars["rule"]+"': "+msg
		}
		e = &Error{Status: 403, Code: code, Message: msg}
	}
	if e == nil {
		for name, want := range map[string]string{"sub": a.d.Workspace.SubscriptionID, "rg": a.d.Workspace.ResourceGroup, "ws": a.d.Workspace.Name} {
			if v, ok := vars[name]; ok && !strings.EqualFold(v, want) {
				e = &Error{Status: 404, Code: "WorkspaceNotFoundError", Message: "The resource " + r.URL.Path + " could not be found. This picket serves " + a.d.Workspace.ResourceID() + "."}
			}
		}
	}
	if e != nil {
		a.refuse(w, r, e)
		return
	}
	rt.serve(w, &call{Request: a.withCaller(r), who: who, vars: vars})
}

// runFor answers a question in the principal's turn.
func (a *API) runFor(ctx context.Context, who Principal, q query.Request) (*query.Result, error) {
	start := a.d.Now()
	leave, e := a.gate.enter(ctx, who.ID)
	if e != nil {
		a.auditQuery(ctx, who, &q, nil, e, a.d.Now().Sub(start))
		return nil, e
	}
	defer leave()
	res, err := a.d.Query(ctx, q)
	a.auditQuery(ctx, who, &q, res, err, a.d.Now().Sub(start))
	return res, err
}

// resourceSegments are the first segments of paths that compare without case.
var resourceSegments = []string{"subscriptions", "providers", "tenants", "dataCollectionRules", "workspaces"}

// Paths makes paths of one form of them before they are routed: doubled slashes, which some SDKs make of an endpoint
// or a resource id (/v1//subscriptions/…), become one, since a redirect to the clean path, as Go's router answers,
// would cost the request its bearer; and the first segment of Resource Manager's paths gets its usual case.
func Paths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		for strings.Contains(p, "//") {
			p = strings.ReplaceAll(p, "//", "/")
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
		for _, s := range resourceSegments {
			if first != s && strings.EqualFold(first, s) {
				p = "/" + s + p[1+len(first):]
			}
		}
		if p != r.URL.Path {
			u := *r.URL
			u.Path, u.RawPath = p, ""
			c := *r
			c.URL = &u
			r = &c
		}
		next.ServeHTTP(w, r)
	})
}
