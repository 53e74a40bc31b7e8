// Package web is the page a person looks at: the embedded app, local accounts and sessions, and the JSON API
// under /api/v1 for what has no Azure shape. Incidents, rules and queries have one: for those the app calls
// the Azure-shaped routes with the session cookie, through [Server.Authenticate] and [SessionUser].
//
//	site, err := web.New(ctx, web.Deps{State: db, Workspace: ws, Now: time.Now, Log: log})
//	password, created, err := site.EnsureOwner(ctx, true) // printed once, on first start
//	mux.Handle("/", site)                                 // the app and /api/v1
//	mux.Handle("/subscriptions/", site.Authenticate(arm)) // other rooms take the cookie
//
// A session cookie opens nothing by itself: a request with an unsafe method must also carry the header
// X-Picket-CSRF with the value that GET /api/v1/session gives to the page.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"picket/canary"
	"picket/canary/geo"
	"picket/detect"
	"picket/playbook"
	"picket/state"
	"time"
)

// Workspace says which Azure-shaped paths are this workspace's own; the app builds its calls from it.
type Workspace struct {
	ID             string `json:"id"` // customer id: /v1/workspaces/{id}/query
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	ResourceGroup  string `json:"resourceGroup"`
	Name           string `json:"name"`
	Location       string `json:"location"`
}

// Deps is what the page needs from the rest of picket. State, Now and Log are required; a nil room makes its
// API answer 501 with the room's name, and the app says so.
type Deps struct {
	State     *state.DB
	Now       func() time.Time
	Log       *slog.Logger
	Version   string // shown in the app's menu
	Demo      bool   // the app says that this is a demonstration
	Workspace Workspace

	// TripURL is the public base URL that decoys carry, https://host[:port]; the app warns when it is a
	// loopback or private address, because nobody outside could trip such a decoy.
	TripURL string
	// HostMap gives the host that the engine calls instead of host (canarytokens.org → this picket); links
	// drawn from rows go through it so that no click carries a token's secret away. The full map, host to
	// host; nil is none.
	HostMap map[string]string
	// TrustedProxies are the peers whose X-Forwarded-For is believed for throttling and the session list.
	TrustedProxies []netip.Prefix
	// AllowHTTP leaves out the cookie's Secure flag, for tests on plain loopback http. Never set in serve.
	AllowHTTP bool

	Tokens    *canary.Service
	Geo       *geo.DB
	Rules     *detect.Detector
	Playbooks *playbook.Engine
	// RunPlaybook starts a playbook with an incident trigger on an incident and returns the run's id; nil: the
	// app does not offer it.
	RunPlaybook func(ctx context.Context, incidentID, name string, by User) (run string, err error)

	// SignedIn and AccountChanged are told about the page's sign-ins and accounts, for the audit log; nil: nobody is.
	// They must not block.
	SignedIn       func(ctx context.Context, e SignIn)
	AccountChanged func(ctx context.Context, c AccountChange)

	// SSO is the text of the sign-in page's button that leads to /api/v1/oidc/login, "Sign in with login.example.org";
	// "" is no such button. What answers there calls [Server.SignInExternal].
	SSO string

	// Tables is the rows' store; nil: the Tables page says that it isn't there.
	Tables *TablesSource
	// Senders lists who sent data, the last first; nil: the page says that senders aren't counted.
	Senders func(ctx context.Context) ([]Sender, error)
	// Endpoints says where data is taken; nil: the page shows no set-up for shippers.
	Endpoints func(ctx context.Context) (Endpoints, error)
}

// Server is the page. It implements http.Handler; mount it at "/".
type Server struct {
	d        Deps
	mux      *http.ServeMux
	app      *app
	throttle *throttle
	tests    chan struct{} // bounds concurrent tests of playbooks
	hashing  chan struct{} // bounds concurrent password hashing: each costs 19 MiB
}

// New makes the page's handler.
func New(ctx context.Context, d Deps) (*Server, error) {
	if d.State == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("web: Deps needs State, Now and Log")
	}
	a, err := newApp(dist)
	if err != nil {
		return nil, err
	}
	s := &Server{d: d, mux: http.NewServeMux(), app: a, throttle: newThrottle(d.Now), hashing: make(chan struct{}, 2), tests: make(chan struct{}, maxTests)}
	s.routes()
	if err := s.dropExpired(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) routes() {
	s.sessionRoutes()
	s.catalogueRoutes()
	s.tokenRoutes()
	s.playbookRoutes()
	s.ruleRoutes()
	s.incidentRoutes()
	s.geoRoutes()
	s.tableRoutes()
	s.sourceRoutes()
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &Error{Status: 404, Code: "PathNotFound", Message: "There is no " + r.Method + " " + r.URL.Path + " here."})
	})
	s.mux.Handle("/", s.app)
}

// ServeHTTP serves the app and /api/v1.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secureHeaders(w)
	s.mux.ServeHTTP(w, r)
}
