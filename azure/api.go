package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"picket/detect"
	"picket/state"
)

// Deps is what the wire needs of the rest of picket.
type Deps struct {
	State     *state.DB
	Workspace Workspace
	Collect   Collect
	Query     RunQuery
	Detect    *detect.Detector
	// DatabaseSchema gives the workspace's tables and functions as `.show database schema as json` does.
	DatabaseSchema func(ctx context.Context) (any, error)
	// Session gives the signed-in person of a request that carries the page's cookie (and, where its method
	// is unsafe, the page's CSRF header); ok is false without one.
	Session   func(*http.Request) (name string, role Role, ok bool)
	Audiences []string // of bearer tokens, besides Azure's own and this server's address
	PublicURL string   // "" takes the address that the client used
	Now       func() time.Time
}

// API is the Azure-shaped surface.
type API struct {
	d      Deps
	issuer *Issuer
	la     *logAnalytics
	table  *routeTable
	mux    *http.ServeMux // collector and queries

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
	a := &API{d: d, mux: http.NewServeMux()}
	var err error
	if a.issuer, err = NewIssuer(ctx, d.State, d.Workspace, d.Audiences, a.base, d.Now); err != nil {
		return nil, err
	}
	a.la = &logAnalytics{ws: d.Workspace, run: d.Query, now: d.Now}
	a.table = newRouteTable(a.armRoutes())

	a.identity = http.NewServeMux()
	a.issuer.routes(a.identity)
	a.mux.Handle("POST /api/logs", a.Collector())
	for _, m := range []string{"GET", "POST"} {
		a.mux.HandleFunc(m+" /v1/workspaces/{id}/query", a.need(Reader, a.la.query))
	}
	a.mux.HandleFunc("POST /v1/rest/mgmt", a.need(Reader, a.kustoMgmt))
	return a, nil
}

// Issuer is the token issuer, for making principals and tokens.
func (a *API) Issuer() *Issuer { return a.issuer }

// Handler serves the whole surface. The first segment decides: resources (in any case), the collector and
// queries, or else a tenant.
func (a *API) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch strings.ToLower(first) {
		case "subscriptions", "tenants":
			a.arm(w, r)
		case "api", "v1":
			a.mux.ServeHTTP(w, r)
		default:
			a.identity.ServeHTTP(w, r)
		}
	})
}

// Collector serves POST /api/logs alone, for the plain HTTP listener.
func (a *API) Collector() http.Handler {
	return &collector{ws: a.d.Workspace, collect: a.d.Collect, now: a.d.Now}
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

// kustoMgmt answers the management commands that the page's editor and Kusto's clients begin with.
func (a *API) kustoMgmt(w http.ResponseWriter, r *http.Request) {
	var b struct {
		DB  string `json:"db"`
		CSL string `json:"csl"`
	}
	if e := decode(w, r, maxBody, &b); e != nil {
		writeError(w, e)
		return
	}
	cmd := strings.ToLower(strings.Join(strings.Fields(b.CSL), " "))
	if !strings.HasPrefix(cmd, ".show database") || !strings.HasSuffix(cmd, "schema as json") {
		writeError(w, &Error{Status: 400, Code: "General_BadRequest", Message: fmt.Sprintf("The command %q is not served by picket; known: .show database schema as json.", b.CSL)})
		return
	}
	if a.d.DatabaseSchema == nil {
		writeError(w, &Error{Status: 501, Code: "NotImplemented", Message: "No schema is at hand."})
		return
	}
	s, err := a.d.DatabaseSchema(r.Context())
	if err != nil {
		a.fail(w, err)
		return
	}
	writeJSON(w, 200, map[string]any{"Tables": []any{map[string]any{
		"TableName": "Table_0",
		"Columns":   []any{map[string]string{"ColumnName": "DatabaseSchema", "DataType": "String", "ColumnType": "string"}},
		"Rows":      []any{[]any{s}},
	}}})
}
