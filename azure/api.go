package azure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"picket/detect"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/state"
	"strings"
	"time"
)

// Deps is what the wire needs of the rest of picket.
type Deps struct {
	State     *state.DB
	Workspace Workspace
	Collect   Collect
	Query     RunQuery
	Detect    *detect.Detector
	Ingest    *ingest.Ingest
	Saved     *SavedSearches
	Lake      *lake.Lake
	Playbooks *playbook.Engine
	// Schema gives every table of the workspace with its columns.
	Schema func(ctx context.Context) (map[string]value.Schema, error)
	// Session gives the signed-in person of a request that carries the page's cookie (and, where its method
	// is unsafe, the page's CSRF header); ok is false without one.
	Session   func(*http.Request) (name string, role Role, ok bool)
	Audiences []string // of bearer tokens, besides Azure's own and this server's address
	PublicURL string   // "" takes the address that the client used
	Limits    Limits
	Now       func() time.Time

	// People are the page's accounts; nil: no person signs in to tools, and roles of people are not listed.
	People People
	// Audit stores rows of the audit log; nil: none is kept. [API.Run] must run.
	Audit AppendAudit
	Log   *slog.Logger
	// ClientIP is the address of who sent a request; nil: the socket's.
	ClientIP func(*http.Request) string
	// SaveSharedKeys stores the workspace's keys when one is made anew; nil: that is refused.
	SaveSharedKeys func(ctx context.Context, keys []string) error
	// Settings is told the workspace's settings when they change, before they are stored; an error refuses the
	// change. nil: retention and daily cap of the workspace are refused, the rest is stored.
	Settings func(ctx context.Context, s WorkspaceSettings) error
	// RuleTemplates are the templates of alert rules that come with the content; nil: none are listed.
	RuleTemplates func(ctx context.Context) ([]*detect.Rule, error)
}

// API is the Azure-shaped surface.
type API struct {
	d      Deps
	issuer *Issuer
	la     *logAnalytics
	gate   *gate
	table  *routeTable // Resource Manager
	wire   *routeTable // queries and ingestion
	res    resources
	rules  ruleCache
	audit  *auditor
	keys   *sharedKeys

	identity *http.ServeMux
}

// New makes the surface.
func New(ctx context.Context, d Deps) (*API, error) {
	if d.State == nil || d.Collect == nil || d.Query == nil || d.Detect == nil {
		return nil, errors.New("azure: Deps needs State, Collect, Query and Detect")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	a := &API{d: d, gate: newGate(d.Limits), res: resources{d.State, d.Now}, audit: newAuditor(d.Audit, d.Log, d.Now), keys: &sharedKeys{keys: d.Workspace.SharedKeys}}
	var err error
	if a.issuer, err = NewIssuer(ctx, d.State, d.Workspace, d.Audiences, a.base, d.Now); err != nil {
		return nil, err
	}
	a.issuer.people = d.People
	a.issuer.ip = func(r *http.Request) string { return a.callerOf(r).ip }
	if a.audit != nil {
		a.issuer.onToken = a.auditToken
		a.issuer.onSignIn = func(r *http.Request, s SignIn) {
			c := a.callerOf(r)
			s.IP, s.Agent = c.ip, c.agent
			a.AuditSignIn(s)
		}
	}
	set, _, err := a.LoadSettings(ctx)
	if err != nil {
		return nil, err
	}
	a.keys.off.Store(set.DisableLocalKey)
	a.la = &logAnalytics{ws: d.Workspace, run: a.runFor, now: d.Now}
	a.table = newRouteTable(a.armRoutes())
	a.wire = newRouteTable(a.wireRoutes())

	a.identity = http.NewServeMux()
	a.issuer.routes(a.identity)
	return a, nil
}

// Issuer is the token issuer, for making principals and tokens.
func (a *API) Issuer() *Issuer { return a.issuer }

// Handler serves the whole surface. The first segment decides: resources (in any case), the collector and
// queries, or else a tenant.
func (a *API) Handler() http.Handler {
	access := a.access()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch strings.ToLower(first) {
		case "subscriptions", "tenants", "providers":
			a.arm(w, r)
		case "api":
			if strings.HasPrefix(r.URL.Path, "/api/v1/") {
				access.ServeHTTP(w, a.withCaller(r))
			} else {
				a.Collector().ServeHTTP(w, r)
			}
		case "v1", "v1.0", "v2", "workspaces", "$batch", "datacollectionrules":
			a.serveWire(w, r)
		case "device":
			a.DevicePage().ServeHTTP(w, r)
		default:
			a.identity.ServeHTTP(w, r)
		}
	})
}

// Collector serves POST /api/logs alone, for the plain HTTP listener.
func (a *API) Collector() http.Handler {
	return &collector{ws: a.d.Workspace, keys: a.keys, collect: a.d.Collect, now: a.d.Now}
}

// base is the address of this server as the client knows it.
func (a *API) base(r *http.Request) string {
	if a.d.PublicURL != "" {
		return strings.TrimRight(a.d.PublicURL, "/")
	}
	scheme := "https"
	if r.TLS == nil {
		scheme = "http"
	}
	return scheme + "://" + r.Host
}

// authenticate finds who a request comes from: a bearer token, or the page's session.
func (a *API) authenticate(r *http.Request) (Principal, *Error) {
	if h := r.Header.Get("Authorization"); h != "" {
		tok, ok := strings.CutPrefix(h, "Bearer ")
		if !ok {
			return Principal{}, &Error{Status: 401, Code: "AuthenticationFailed", Message: "Authentication failed. The 'Authorization' header is not of the form 'Bearer <token>'."}
		}
		return a.issuer.Bearer(r.Context(), tok, a.base(r))
	}
	if a.d.Session != nil {
		if name, role, ok := a.d.Session(r); ok {
			return Principal{ID: "user:" + name, Name: name, Role: role}, nil
		}
	}
	return Principal{}, &Error{Status: 401, Code: "AuthenticationFailed", Message: "Authentication failed. The 'Authorization' header is missing: send a bearer token of this picket."}
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	if e.Status == 401 {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization_uri="%s/%s", error="invalid_token", error_description="%s"`, a.base(r), a.d.Workspace.TenantID, e.Code))
	}
	writeError(w, e)
}

func (a *API) need(role Role, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, e := a.authenticate(r)
		if e == nil && !who.Role.Allows(role) {
			e = &Error{Status: 403, Code: "InsufficientAccessError", Message: fmt.Sprintf("'%s' has the role %s; this needs %s.", who.Name, who.Role, role)}
		}
		if e != nil {
			a.refuse(w, r, e)
			return
		}
		h(w, r)
	}
}
