package playbook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Engine runs workflows. Make one with [New]; it executes runs while [Engine.Run] runs.
type Engine struct {
	deps    Deps
	db      *state.DB
	log     *slog.Logger
	seal    *sealer
	guard   *guard
	commits *committer
	public  *url.URL

	versions sync.Map // version id → *version0
	customs  sync.Map // API's lower-case name → Connector, of templates

	batches sync.Mutex // one release at a time

	mu      sync.Mutex
	active  map[string]*run
	waiters map[string]chan struct{}
	root    context.Context // of executing runs; nil until Run
	wake    chan struct{}   // the schedule changed
	wg      sync.WaitGroup
	stopped chan struct{} // the committer's end

	vault atomic.Pointer[[]string] // the vault's values, for masking

	scale float64 // of retry and poll waits; tests shorten them
}

const (
	defaultSubscription = "00000000-0000-4000-8000-000000000001"
	defaultTenant       = "00000000-0000-4000-8000-000000000002"
)

// New opens the engine on its store. Nothing runs until [Engine.Run].
func New(d Deps) (*Engine, error) {
	if d.DB == nil {
		return nil, errors.New("playbook: Deps.DB is required")
	}
	u, err := url.Parse(d.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("playbook: Deps.PublicURL %q must be https://host[:port] without a path", d.PublicURL)
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&d.SubscriptionID, defaultSubscription)
	def(&d.TenantID, defaultTenant)
	def(&d.ResourceGroup, "picket")
	def(&d.Location, "local")
	seen := map[string]bool{}
	for _, c := range d.Connectors {
		if seen[strings.ToLower(c.API())] {
			return nil, fmt.Errorf("playbook: two connectors serve the API %q", c.API())
		}
		seen[strings.ToLower(c.API())] = true
	}
	s, err := openSealer(d.KeyFile)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		deps: d, db: d.DB, log: d.Log, seal: s, commits: newCommitter(d.DB), public: u, active: map[string]*run{},
		waiters: map[string]chan struct{}{}, wake: make(chan struct{}, 1), stopped: make(chan struct{}), scale: 1,
	}
	if e.guard, err = newGuard(d.Outbound, d.Log); err != nil {
		return nil, err
	}
	e.guard.own = e.ownCallback
	if err := errors.Join(e.loadVault(context.Background()), e.loadAPIs(context.Background())); err != nil {
		return nil, err
	}
	go e.commits.run(e.stopped)
	return e, nil
}

func (e *Engine) now() time.Time { return e.deps.Now().UTC() }

func (e *Engine) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * e.scale) }

func (e *Engine) event(ev Event) {
	if e.deps.Event != nil {
		e.deps.Event(ev)
	}
}

// spawn runs f in its own goroutine; a fault in it calls back instead of ending the program.
func (e *Engine) spawn(f, fault func()) {
	go func() {
		defer e.rescue(fault)
		f()
	}()
}

func (e *Engine) rescue(fault func()) {
	if p := recover(); p != nil {
		e.log.Error("playbook: fault", "fault", p, "stack", string(debug.Stack()))
		fault()
	}
}

// Run resumes the runs that were open, serves the schedules, and executes runs until ctx ends. On return no run
// executes; open runs resume at the next Run.
func (e *Engine) Run(ctx context.Context) error {
	root, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	e.mu.Lock()
	if e.root != nil {
		e.mu.Unlock()
		cancel(nil)
		return errors.New("playbook: the engine runs already")
	}
	e.root = root
	e.mu.Unlock()
	err := e.resume(ctx)
	switch {
	case err != nil:
	case e.deps.Trial != nil:
		<-ctx.Done()
	default:
		e.background(e.housekeeping)
		if err = e.repoll(); err == nil {
			err = e.schedule(ctx)
		}
	}
	cancel(errShutdown)
	e.mu.Lock()
	for _, r := range e.active {
		r.cancel(errShutdown)
	}
	e.root = nil
	e.mu.Unlock()
	e.wg.Wait()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// Close ends the store's writer. Call it after Run returned; the engine can't be used afterwards.
func (e *Engine) Close() {
	select {
	case <-e.stopped:
	default:
		close(e.stopped)
	}
}

// resume starts every run that has no end.
func (e *Engine) resume(ctx context.Context) error {
	rows, err := e.db.Query(ctx, `SELECT id FROM playbook_run WHERE ended=0 AND status<>'Waiting' ORDER BY started`)
	if err != nil {
		return fmt.Errorf("resume playbook runs: %w", err)
	}
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			rows.Close()
			return err
		}
		ids = append(ids, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, id := range ids {
		if err := e.start(ctx, id, nil); err != nil {
			e.log.Error("playbook run can't resume", "run", id, "error", err)
		}
	}
	// Runs that wait for a place under their trigger's limit.
	rows, err = e.db.Query(ctx, `SELECT DISTINCT workflow, trigger FROM playbook_run WHERE ended=0 AND status='Waiting'`)
	if err != nil {
		return fmt.Errorf("resume playbook runs: %w", err)
	}
	var waiting [][2]string
	for rows.Next() {
		var w [2]string
		if err := rows.Scan(&w[0], &w[1]); err != nil {
			rows.Close()
			return err
		}
		waiting = append(waiting, w)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, w := range waiting {
		e.nextWaiting(w[0], w[1])
	}
	return nil
}

// start executes a recorded run; reply is where its Response goes, or nil. Before Run is called it does
// nothing: Run finds the run.
func (e *Engine) start(ctx context.Context, id string, reply chan *Response) error {
	e.mu.Lock()
	root := e.root
	_, busy := e.active[id]
	e.mu.Unlock()
	if root == nil || busy {
		return nil
	}
	r := &run{e: e, id: id, recs: map[recKey]*record{}, vars: map[string]*variable{}, reply: reply, finished: make(chan struct{})}
	var wfName, version string
	var started int64
	var rec []byte
	err := e.db.QueryRow(ctx, `SELECT workflow, version, started, tracking, record FROM playbook_run WHERE id=? AND ended=0`, id).Scan(&wfName, &version, &started, &r.tracking, &rec)
	if err != nil {
		return fmt.Errorf("run %s: %w", id, err)
	}
	t, err := e.seal.decode(rec)
	if err != nil {
		return fmt.Errorf("run %s: %w", id, err)
	}
	r.trigger, r.started = object(t), fromMicros(started)
	if r.wf, err = e.findWorkflow(ctx, wfName); err != nil {
		return err
	}
	if r.ver, err = e.loadVersion(ctx, version); err != nil {
		return err
	}
	r.def, r.keep = r.ver.def, r.ver.results
	if err := r.load(ctx); err != nil {
		return fmt.Errorf("run %s: %w", id, err)
	}
	deadline, stop := context.WithTimeoutCause(root, r.started.Add(definition.MaxDuration).Sub(e.now()), errRunTimeout)
	r.ctx, r.cancel = context.WithCancelCause(deadline)
	e.mu.Lock()
	if e.root == nil || e.active[id] != nil {
		e.mu.Unlock()
		stop()
		r.cancel(nil)
		return nil
	}
	e.active[id] = r
	e.wg.Add(1)
	e.mu.Unlock()
	if r.term != nil {
		r.cancel(errTerminated)
	}
	go func() {
		defer e.wg.Done()
		defer stop()
		defer r.cancel(nil)
		r.execute()
		e.forget(r)
		name, _ := r.trigger.Value("name").(string)
		limited := func(d *definition.Definition) bool { t := d.Trigger(name); return t != nil && t.Runs > 0 }
		if !r.stopping() && (limited(r.def) || limited(r.wf.def)) {
			e.nextWaiting(r.wf.name, name)
		}
	}()
	return nil
}

func (e *Engine) forget(r *run) {
	e.mu.Lock()
	if e.active[r.id] == r {
		delete(e.active, r.id)
	}
	e.mu.Unlock()
}

// awaitRun waits until a run gives its Response or ends.
func (e *Engine) awaitRun(ctx context.Context, id string) (response *expr.Object, status string, err error) {
	for {
		var st string
		var ended int64
		var resp []byte
		if err := e.db.QueryRow(ctx, `SELECT status, ended, response FROM playbook_run WHERE id=?`, id).Scan(&st, &ended, &resp); err != nil {
			return nil, "", fmt.Errorf("run %s: %w", id, err)
		}
		if len(resp) > 0 {
			v, err := e.seal.decode(resp)
			return object(v), st, err
		}
		if ended != 0 {
			return nil, st, nil
		}
		e.mu.Lock()
		r := e.active[id]
		e.mu.Unlock()
		var done <-chan struct{}
		if r != nil {
			done = r.finished
		}
		t := time.NewTimer(200 * time.Millisecond)
		select {
		case <-done:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
	}
}
