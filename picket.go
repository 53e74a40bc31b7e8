// Package picket wires the rooms of the workspace into one server: Config → [Open] → [Picket.Start] →
// [Picket.Run]. It is the only package that knows everything; how the rooms meet is described in
// docs/architecture.md.
//
//	p, err := picket.Open(ctx, cfg)
//	err = p.Start(ctx) // listeners bound, loops running, the walk-through armed with cfg.Demo
//	err = p.Run(ctx)   // until ctx ends
//	err = p.Close()
package picket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"picket/azure"
	"picket/canary"
	"picket/canary/geo"
	"picket/canary/trip"
	"picket/content"
	"picket/detect"
	"picket/ingest"
	"picket/ingest/otlp"
	"picket/ingest/standard"
	"picket/ingest/usage"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/query"
	"picket/state"
	"picket/web"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Version of this build.
const Version = "0.1.0"

// SocketName is the file in the data folder through which commands reach the server; its user is Owner.
const SocketName = "picket.sock"

// WorkspaceInfo is what a client needs to know to speak to a workspace.
type WorkspaceInfo struct {
	ID             string `json:"id"`
	TenantID       string `json:"tenantId"`
	SubscriptionID string `json:"subscriptionId"`
	ResourceGroup  string `json:"resourceGroup"`
	Name           string `json:"name"`
	ResourceID     string `json:"resourceId"`
	URL            string `json:"url"`
	TripURL        string `json:"tripUrl"`
	Version        string `json:"version"`
}

// Limits of the main and the plain HTTP listener; the trip listener has its own.
const (
	maxConns = 4096            // open connections of a listener
	bodyTime = 3 * time.Minute // for a whole request; the import of places takes longer
	// answerTime is for a whole request with its answer: longer than a query may take and a slow line needs, an end
	// for those that never read.
	answerTime = 20 * time.Minute
)

// promoteAfter is how many queries read a path of a dynamic column before segments keep it as a column of its own.
const promoteAfter = 5

// Picket is an open workspace.
type Picket struct {
	cfg   Config
	log   *slog.Logger
	held  *hold
	state *state.DB
	lake  *lake.Lake
	ws    azure.Workspace
	trust *trust

	ingest    *ingest.Ingest
	usage     *usage.Recorder
	resends   *ingest.Resends
	otlp      *otlp.Server
	query     *query.Engine
	detect    *detect.Detector
	geo       *geo.DB
	trips     *trip.Log
	tripSrv   *trip.Server
	canary    *canary.Service
	playbooks *playbook.Engine
	diag      *diagnostics
	saved     *azure.SavedSearches
	azure     *azure.API
	syslogTCP string // address of the syslog listener, "" without one
	web       *web.Server

	handler   http.Handler // everything, behind the page's session and bearers
	plain     http.Handler // what plain HTTP serves
	publicURL string
	tripURL   string
	password  string // of the first account, when this start made it
	moved     bool   // the walk-through's document was made for another trip address

	loops   sync.WaitGroup
	stop    context.CancelFunc
	failed  chan error
	ready   chan struct{} // closed when everything is armed
	servers []*http.Server
	started bool
}

// Open opens the data folder with everything that it holds; nothing listens yet. A folder that another process
// holds is refused with the holder's name.
func Open(ctx context.Context, cfg Config) (_ *Picket, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Picket{cfg: cfg, log: slog.New(slog.NewTextHandler(os.Stderr, nil)), failed: make(chan error, 32), ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.held, err = takeFolder(cfg.Data); err != nil {
		return nil, err
	}
	if p.state, err = state.Open(ctx, filepath.Join(cfg.Data, StateName), settingsMigrations(), azure.Migrations(), detect.Migrations(), canary.Migrations(), playbook.Migrations(), web.Migrations(), usage.Migrations()); err != nil {
		return nil, err
	}
	if err := p.loadWorkspace(ctx); err != nil {
		return nil, err
	}
	std, err := standard.Tables()
	if err != nil {
		return nil, err
	}
	if err := p.openUsage(ctx, std); err != nil {
		return nil, err
	}
	if p.lake, err = lake.Open(ctx, lake.Options{
		Dir: filepath.Join(cfg.Data, "lake"), WorkspaceID: p.ws.ID, MemoryLimit: cfg.Memory, Threads: cfg.Threads, Event: p.lakeEvent,
	}); err != nil {
		return nil, err
	}
	if p.trust, err = loadTrust(cfg.Data, cfg.Cert, cfg.Key, certNames(cfg.PublicURL, cfg.Listen), time.Now()); err != nil {
		return nil, err
	}
	p.publicURL = strings.TrimRight(cfg.PublicURL, "/")
	if p.publicURL == "" {
		p.publicURL = "https://" + reachable(cfg.Listen)
	}
	p.tripURL = strings.TrimRight(cfg.TripURL, "/")
	if p.tripURL == "" {
		p.tripURL = "http://" + reachable(cfg.Trip)
	}
	p.ingest = ingest.New(ingest.Options{Lake: p.lake, Schemas: std, Meter: p.usage})
	if err := p.openShippers(std); err != nil {
		return nil, err
	}
	if p.geo, err = geo.Open(filepath.Join(cfg.Data, "geo")); err != nil {
		return nil, err
	}
	if p.saved, err = azure.OpenSavedSearches(ctx, p.state, time.Now); err != nil {
		return nil, err
	}
	p.query = query.New(query.Options{Functions: p.function, Lake: p.lake, Builtin: builtinTables(), Standard: std, Workspace: []string{p.ws.Name, p.ws.ID}, Geo: p.geoBag, Timeless: []string{detect.WatchlistTable}, PromoteAfter: promoteAfter})
	if err := p.openDetect(); err != nil {
		return nil, err
	}
	deps, err := p.connectorDeps()
	if err != nil {
		return nil, err
	}
	if p.playbooks, err = p.newPlaybooks(deps); err != nil {
		return nil, err
	}
	if err := p.openCanary(ctx); err != nil {
		return nil, err
	}
	if err := p.openWire(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// reachable is an address as a client on this machine writes it.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// builtinTables exist before their first row.
func builtinTables() map[string]value.Schema {
	sys := value.Schema{{Name: "TenantId", Type: value.String}, {Name: "Type", Type: value.String}}
	out := map[string]value.Schema{}
	schemas := azure.AuditSchemas()
	maps.Copy(schemas, map[string]value.Schema{
		"SecurityAlert": detect.AlertSchema, "SecurityIncident": detect.IncidentSchema, "SentinelHealth": detect.HealthSchema, diagnosticsTable: diagnosticsSchema,
		detect.WatchlistTable: detect.WatchlistSchema,
		canary.TripTable:      canary.TripSchema(),
	})
	for name, s := range schemas {
		all := append(value.Schema{}, s...)
		for _, c := range sys {
			if all.Index(c.Name) < 0 {
				all = append(all, c)
			}
		}
		out[name] = all
	}
	return out
}

func (p *Picket) openDetect() (err error) {
	p.detect, err = detect.New(detect.Deps{
		State: p.state, Query: p.query.Run, Check: p.checkRule, Append: p.ingest.Rows, Barrier: p.barrier, OnIncident: p.onIncident, RunPlaybook: p.runForRule,
		Workspace: detect.Workspace{ID: p.ws.ID, SubscriptionID: p.ws.SubscriptionID, ResourceGroup: p.ws.ResourceGroup, Name: p.ws.Name},
		Delay:     p.cfg.Delay,
		URL:       func(id string) string { return p.publicURL + "/incidents/" + id },
		Log:       func(msg string, a ...any) { p.log.Error(msg, a...) },
	})
	if err != nil {
		return err
	}
	p.lake.Subscribe(func(c lake.Commit) { p.detect.Arrived(c.Tables) })
	return nil
}

// barrier gives a time up to which every received row can be read.
func (p *Picket) barrier(ctx context.Context) (time.Time, error) {
	now := time.Now().UTC()
	return now, p.lake.Settle(ctx, now)
}

// onIncident starts the playbooks that wait for incidents.
func (p *Picket) onIncident(ctx context.Context, e detect.Event) error {
	in, err := p.detect.Incident(ctx, e.IncidentID)
	if err != nil {
		return err
	}
	p.log.Info("incident", "number", in.Number, "title", in.Title, "severity", in.Severity, "status", in.Status, "created", e.Created)
	if !p.cfg.PlaybooksOnIncidents {
		return nil
	}
	return p.notifyPlaybooks(ctx, e)
}

func (p *Picket) openCanary(ctx context.Context) (err error) {
	proxies, err := p.cfg.proxies()
	if err != nil {
		return err
	}
	if p.trips, err = trip.OpenLog(filepath.Join(p.cfg.Data, "trips"), trip.LogOptions{}); err != nil {
		return err
	}
	var allow []netip.Prefix
	var hosts []string
	for _, o := range p.cfg.Outbound {
		if pre, err := netip.ParsePrefix(o); err == nil {
			allow = append(allow, pre)
		} else if a, err := netip.ParseAddr(o); err == nil {
			allow = append(allow, netip.PrefixFrom(a, a.BitLen()))
		} else {
			hosts = append(hosts, o)
		}
	}
	var smtp *canary.SMTP
	if s := p.cfg.SMTP; s.Host != "" {
		smtp = &canary.SMTP{Host: s.Host, Port: s.Port, Username: s.Username, Password: s.Password, From: s.From, TLS: s.TLS}
	}
	p.canary, err = canary.New(ctx, canary.Deps{
		State: p.state, Trips: p.trips, Geo: p.geo, PublicURL: p.publicURL, TripURL: p.tripURL, DNSDomain: p.cfg.DNSDomain,
		AppendTrips: p.appendTrips, CommittedMarks: p.committedMarks, QueryTrips: p.queryTrips,
		IsOwnCallback: p.playbooks.IsOwnCallback, DeliverCallback: p.deliverCallback,
		Authorize: p.authorizeTokens, AllowWebhooks: allow, AllowWebhookHosts: hosts, OnlyAllowed: !p.cfg.OutboundPublic, SMTP: smtp, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.tripSrv, err = trip.NewServer(trip.Options{Log: p.trips, Known: p.canary.Known, TrustedProxies: proxies, Domain: p.cfg.DNSDomain, Logger: p.log})
	return err
}

// openWire builds the HTTP surface.
func (p *Picket) openWire(ctx context.Context) (err error) {
	p.azure, err = azure.New(ctx, azure.Deps{
		State: p.state, Workspace: p.ws, Collect: p.collect, Query: p.query.Run, Detect: p.detect, Schema: p.query.Schema, Session: session,
		Ingest: p.ingest, Saved: p.saved, Lake: p.lake, Playbooks: p.playbooks,
		Audiences: []string{p.publicURL}, PublicURL: p.cfg.PublicURL,
		People: people{p}, Audit: p.appendAudit, Log: p.log, SaveSharedKeys: p.saveSharedKeys, Settings: p.workspaceSettings, ClientIP: p.clientIP, RuleTemplates: ruleTemplates,
	})
	if err != nil {
		return err
	}
	if set, ok, err := p.azure.LoadSettings(ctx); err != nil {
		return err
	} else if ok && set.DailyQuotaGB >= 0 { // set by a client: it stands over the configuration
		if err := p.workspaceSettings(ctx, set); err != nil {
			return err
		}
	}
	p.web, err = web.New(ctx, p.webDeps())
	if err != nil {
		return err
	}
	sso, err := p.openOIDC()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	if sso != nil {
		mux.Handle("/api/v1/oidc/", sso)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.readyz)
	importGeo := http.HandlerFunc(p.importGeo)
	mux.HandleFunc("POST /api/v1/geo/import", p.web.Authenticate(importGeo).ServeHTTP)
	secrets := p.web.Authenticate(p.secrets())
	mux.Handle("/api/v1/secrets", secrets)
	mux.Handle("/api/v1/secrets/", secrets)
	mux.Handle("POST /api/v1/explain", p.web.Authenticate(http.HandlerFunc(p.explain)))
	mux.Handle("POST /api/v1/backup", p.web.Authenticate(http.HandlerFunc(p.backup)))
	mux.Handle("/api/v1/import", p.web.Authenticate(p.ingest.LoadHandler(p.authorizeTokens)))
	mux.Handle("GET /api/v1/workspace", p.web.Authenticate(http.HandlerFunc(p.workspaceInfo)))
	wire := p.web.Authenticate(p.azure.Handler())
	for _, pat := range []string{"/api/logs", "/api/v1/access", "/api/v1/access/", "/v1/", "/v1.0/", "/v2/", "/workspaces/", "/$batch", "/dataCollectionRules/", "/providers/", "/providers", "/subscriptions", "/subscriptions/", "/tenants", "/metadata/endpoints", "/common/", "/adfs/", "/organizations/", "/device", "/" + p.ws.TenantID + "/"} {
		mux.Handle(pat, wire)
	}
	mux.Handle("/workflows/", p.playbooks.InvokeHandler())
	tokens := p.web.Authenticate(p.canary.Handler())
	mux.Handle(canary.Mount+"/", tokens)
	for _, pat := range []string{"/generate", "/download", "/history", "/manage", "/settings", "/settings/", "/delete", "/edit"} {
		mux.HandleFunc(pat, func(w http.ResponseWriter, r *http.Request) {
			// The app has pages of these names too; the compatible forms always name their token.
			if r.Method == http.MethodGet && !r.URL.Query().Has("token") {
				p.web.ServeHTTP(w, r)
				return
			}
			tokens.ServeHTTP(w, r)
		})
	}
	mux.Handle("/", p.web)
	p.handler = azure.Paths(p.recovered(p.usage.Handler(p.shippers(p.bearerUser(mux)))))

	plain := http.NewServeMux()
	plain.Handle("/api/logs", p.azure.Collector())
	plain.Handle("/msi/token", p.azure.MSI())
	plain.Handle("/workflows/", p.playbooks.InvokeHandler())
	plain.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	p.plain = p.recovered(p.usage.Handler(p.shippers(plain)))
	return nil
}

// bearerUser lets the page's API take a bearer token as it takes a session.
func (p *Picket) bearerUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tok, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && strings.HasPrefix(r.URL.Path, "/api/v1/") {
			who, e := p.azure.Issuer().Bearer(r.Context(), tok, p.publicURL)
			if e == nil {
				r = web.WithUser(r, web.User{ID: who.ID, Name: who.Name, DisplayName: who.Name, Role: string(who.Role)})
			}
		}
		next.ServeHTTP(w, r)
	})
}

// clientIP is the address of who sent a request, for the audit log.
func (p *Picket) clientIP(r *http.Request) string {
	proxies, _ := p.cfg.proxies() // checked by Validate
	return trip.ClientIP(r, proxies)
}

// ruleTemplates are the analytics rules that picket ships.
func ruleTemplates(context.Context) ([]*detect.Rule, error) {
	names, err := fs.Glob(content.Files(), "rules/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*detect.Rule
	for _, n := range names {
		b, err := content.Files().ReadFile(n)
		if err != nil {
			return nil, err
		}
		r, err := detect.ParseTemplate(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// session is the signed-in person as the Azure wire sees it.
func session(r *http.Request) (string, azure.Role, bool) {
	u, ok := web.SessionUser(r)
	return u.Name, azure.Role(u.Role), ok
}

// authorizeTokens says whether a request may manage every token.
func (p *Picket) authorizeTokens(r *http.Request) error {
	u, ok := web.SessionUser(r)
	if !ok {
		return errors.New("sign in first")
	}
	if !u.Allows(web.Contributor) {
		return fmt.Errorf("this needs the role %s; you are %s", web.Contributor, u.Role)
	}
	return nil
}

func (p *Picket) readyz(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-p.ready:
		fmt.Fprintln(w, "ok")
	default:
		http.Error(w, "starting", http.StatusServiceUnavailable)
	}
}

func (p *Picket) workspaceInfo(w http.ResponseWriter, r *http.Request) {
	if _, ok := web.SessionUser(r); !ok {
		answerError(w, 401, "SignInRequired", "Sign in first, or send a bearer token of this picket.")
		return
	}
	answer(w, 200, p.Info())
}

// Info names the workspace.
func (p *Picket) Info() WorkspaceInfo {
	return WorkspaceInfo{
		ID: p.ws.ID, TenantID: p.ws.TenantID, SubscriptionID: p.ws.SubscriptionID, ResourceGroup: p.ws.ResourceGroup, Name: p.ws.Name,
		ResourceID: p.ws.ResourceID(), URL: p.publicURL, TripURL: p.tripURL, Version: Version,
	}
}

// Start binds the listeners, starts the loops and, with Demo, arms the walk-through.
func (p *Picket) Start(ctx context.Context) error {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop, p.started = stop, true
	listen := func(setting, addr string) (net.Listener, error) {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, listenError(setting, addr, err)
		}
		return netutil.LimitListener(ln, maxConns), nil
	}
	main, err := listen("listen", p.cfg.Listen)
	if err != nil {
		return err
	}
	tripLn, err := listen("trip", p.cfg.Trip)
	if err != nil {
		return errors.Join(err, main.Close())
	}
	if p.cfg.DNS != "" {
		pc, err := net.ListenPacket("udp", p.cfg.DNS)
		if err != nil {
			return errors.Join(listenError("dns", p.cfg.DNS, err), main.Close(), tripLn.Close())
		}
		ln, err := listen("dns", p.cfg.DNS)
		if err != nil {
			return errors.Join(err, main.Close(), tripLn.Close(), pc.Close())
		}
		p.loop("dns", func() error { return p.tripSrv.ServeDNS(run, pc, ln) })
	}
	if p.cfg.HTTP != "" {
		ln, err := listen("http", p.cfg.HTTP)
		if err != nil {
			return errors.Join(err, main.Close(), tripLn.Close())
		}
		p.serve("http", ln, p.plain, nil)
	}
	p.serve("https", main, p.handler, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{p.trust.cert}})
	if err := p.startSyslog(run); err != nil {
		return err
	}
	if err := p.startOTLP(run); err != nil {
		return err
	}
	p.loop("trip", func() error { return p.tripSrv.ServeHTTP(run, tripLn) })
	p.loop("socket", func() error { return p.ServeSocket(run) })
	p.loop("lake", func() error { return p.lake.Run(run) })
	p.loop("usage", func() error { return p.usage.Run(run) })
	p.loop("audit", func() error { return p.azure.Run(run) })
	p.loop("detect", func() error { return p.detect.Run(run) })
	p.loop("canary", func() error { return p.canary.Run(run) })
	p.loop("diagnostics", func() error { return p.diagnose(run) })
	p.loop("playbook", func() error { return p.playbooks.Run(run) })
	if err := p.firstAccount(ctx); err != nil {
		return err
	}
	if p.cfg.Demo {
		if err := p.arm(ctx); err != nil {
			return fmt.Errorf("set up the walk-through: %w", err)
		}
	}
	close(p.ready)
	return nil
}

// listenError names the setting whose address can't be had, and the mend.
func listenError(setting, addr string, err error) error {
	var oe *net.OpError
	if errors.As(err, &oe) { // its text would say "listen tcp ADDR" once more
		err = oe.Err
	}
	return fmt.Errorf("can't listen on --%s %s: %w: give a free address of this machine with --%s", setting, addr, err, setting)
}

// loop runs f until it ends; an error ends Run.
func (p *Picket) loop(name string, f func() error) {
	p.loops.Add(1)
	go func() {
		defer p.loops.Done()
		if err := f(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
}

func (p *Picket) serve(name string, ln net.Listener, h http.Handler, t *tls.Config) {
	s := &http.Server{Handler: h, TLSConfig: t, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: bodyTime, WriteTimeout: answerTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	p.servers = append(p.servers, s)
	p.loop(name, func() error {
		if t != nil {
			return s.ServeTLS(ln, "", "")
		}
		return s.Serve(ln)
	})
}

// ServeSocket serves the folder's socket until ctx ends: mode 0600, its user is Owner.
func (p *Picket) ServeSocket(ctx context.Context) error {
	path := filepath.Join(p.cfg.Data, SocketName)
	// The folder's lock is ours, so a socket that is there was left by a process that is gone.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, ln.Close())
	}
	owner := web.User{ID: socketUser, Name: "owner", DisplayName: "Owner of the data folder", Role: web.Owner}
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Cookie")
		p.handler.ServeHTTP(w, web.WithUser(r, owner))
	})}
	go func() {
		<-ctx.Done()
		_ = s.Close() // ends Serve below
	}()
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Run waits until ctx ends or a part fails.
func (p *Picket) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.failed:
		return err
	}
}

// Close ends all loops and closes everything; what was acknowledged is on disk.
func (p *Picket) Close() error {
	var errs []error
	for _, s := range p.servers {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
		cancel()
	}
	if p.stop != nil {
		p.stop()
	}
	p.loops.Wait()
	if p.playbooks != nil {
		p.playbooks.Close()
	}
	if p.trips != nil {
		errs = append(errs, p.trips.Close())
	}
	if p.geo != nil {
		errs = append(errs, p.geo.Close())
	}
	if p.lake != nil {
		errs = append(errs, p.lake.Close())
	}
	if p.state != nil {
		errs = append(errs, p.state.Close())
	}
	errs = append(errs, p.held.release())
	return errors.Join(errs...)
}
