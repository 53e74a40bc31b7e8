package playbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"
)

// Migrations are the tables of this room.
func Migrations() []state.Migration {
	return []state.Migration{{Room: "playbook", Step: 1, SQL: `
CREATE TABLE playbook_workflow(
	name TEXT PRIMARY KEY COLLATE NOCASE, id TEXT NOT NULL UNIQUE, version TEXT NOT NULL, location TEXT NOT NULL,
	tags TEXT NOT NULL, enabled INTEGER NOT NULL, allow_needs INTEGER NOT NULL, keys BLOB NOT NULL,
	created INTEGER NOT NULL, changed INTEGER NOT NULL);
CREATE TABLE playbook_version(
	version TEXT PRIMARY KEY, workflow TEXT NOT NULL, definition BLOB NOT NULL, parameters BLOB NOT NULL, secrets BLOB NOT NULL,
	created INTEGER NOT NULL);
CREATE TABLE playbook_connection(
	name TEXT PRIMARY KEY COLLATE NOCASE, api TEXT NOT NULL, display TEXT NOT NULL, parameters BLOB NOT NULL, changed INTEGER NOT NULL);
CREATE TABLE playbook_trigger(
	workflow TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE, next INTEGER NOT NULL, last INTEGER NOT NULL, PRIMARY KEY(workflow, name)) WITHOUT ROWID;
CREATE TABLE playbook_history(
	id TEXT PRIMARY KEY, workflow TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL, fired INTEGER NOT NULL,
	run TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, scheduled INTEGER NOT NULL, error TEXT NOT NULL);
CREATE INDEX playbook_history_by ON playbook_history(workflow, started DESC);
CREATE TABLE playbook_run(
	id TEXT PRIMARY KEY, workflow TEXT NOT NULL COLLATE NOCASE, version TEXT NOT NULL, trigger TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL,
	error TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, tracking TEXT NOT NULL, record BLOB NOT NULL,
	outputs BLOB NOT NULL, response BLOB NOT NULL);
CREATE INDEX playbook_run_by ON playbook_run(workflow, started DESC, id DESC);
CREATE INDEX playbook_run_open ON playbook_run(status) WHERE ended = 0;
CREATE TABLE playbook_action(
	run TEXT NOT NULL, name TEXT NOT NULL, rep TEXT NOT NULL, seq INTEGER NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL,
	inputs BLOB, outputs BLOB, error TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, tracking TEXT NOT NULL,
	meta BLOB, PRIMARY KEY(run, name, rep)) WITHOUT ROWID;
CREATE TABLE playbook_callback(
	run TEXT NOT NULL, name TEXT NOT NULL, rep TEXT NOT NULL, at INTEGER NOT NULL, outputs BLOB NOT NULL, PRIMARY KEY(run, name, rep)) WITHOUT ROWID;
`}, {Room: "playbook", Step: 2, SQL: `
CREATE TABLE playbook_batch(
	workflow TEXT NOT NULL COLLATE NOCASE, trigger TEXT NOT NULL, batch TEXT NOT NULL, part TEXT NOT NULL, id TEXT NOT NULL,
	size INTEGER NOT NULL, at INTEGER NOT NULL, content BLOB NOT NULL, PRIMARY KEY(workflow, trigger, batch, part, id)) WITHOUT ROWID;
`}, {Room: "playbook", Step: 3, SQL: `
CREATE TABLE playbook_secret(
	name TEXT NOT NULL COLLATE NOCASE, version TEXT NOT NULL UNIQUE, content_type TEXT NOT NULL, value BLOB NOT NULL, changed INTEGER NOT NULL, gone INTEGER NOT NULL);
CREATE INDEX playbook_secret_by ON playbook_secret(name);
`}, {Room: "playbook", Step: 4, SQL: `
ALTER TABLE playbook_trigger ADD COLUMN polling INTEGER NOT NULL DEFAULT 0;
CREATE INDEX playbook_run_ended ON playbook_run(ended) WHERE ended > 0;
CREATE TABLE playbook_action2(
	run TEXT NOT NULL, name TEXT NOT NULL, rep TEXT NOT NULL, seq INTEGER NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL,
	inputs BLOB, outputs BLOB, error TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL, tracking TEXT NOT NULL,
	meta BLOB, UNIQUE(run, name, rep)); -- with row ids: the items of a long loop must not be compared with every key
INSERT INTO playbook_action2 SELECT run, name, rep, seq, status, code, inputs, outputs, error, started, ended, tracking, meta FROM playbook_action;
DROP TABLE playbook_action;
ALTER TABLE playbook_action2 RENAME TO playbook_action;
CREATE TABLE playbook_api(name TEXT PRIMARY KEY COLLATE NOCASE, service TEXT NOT NULL, openapi BLOB NOT NULL, changed INTEGER NOT NULL);
`}}
}

// committer makes one durable commit of what many runs write at the same time.
type committer struct {
	db   *state.DB
	ch   chan commitReq
	over chan struct{} // closed when the line is served no more

	tx    *state.Tx // of the batch that is written now, and its statements; for writes in line only
	stmts map[string]*sql.Stmt
}

// prepared makes a statement once for all writes of a batch.
func (c *committer) prepared(tx *state.Tx, query string) (*sql.Stmt, error) {
	if c.tx != tx {
		c.tx, c.stmts = tx, map[string]*sql.Stmt{}
	}
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	s, err := tx.Prepare(query) // closed with the transaction
	if err == nil {
		c.stmts[query] = s
	}
	return s, err
}

type commitReq struct {
	f    func(*state.Tx) error
	done func(error) // must not block
}

const commitBatch = 256

func newCommitter(db *state.DB) *committer {
	return &committer{db: db, ch: make(chan commitReq, commitBatch), over: make(chan struct{})}
}

// enqueue puts a write in line; it is durable when the channel gives nil. Writes commit in the order of the line.
func (c *committer) enqueue(f func(*state.Tx) error) <-chan error {
	done := make(chan error, 1)
	c.then(f, func(err error) { done <- err })
	return done
}

// then puts a write in line and calls back when it is durable, or failed.
func (c *committer) then(f func(*state.Tx) error, done func(error)) {
	select {
	case c.ch <- commitReq{f, done}:
	case <-c.over:
		done(errClosed)
	}
}

var errClosed = errors.New("the playbook engine is closed")

func (c *committer) do(f func(*state.Tx) error) error {
	done := c.enqueue(f)
	select {
	case err := <-done:
		return err
	case <-c.over:
	}
	select {
	case err := <-done:
		return err
	default:
		return errClosed
	}
}

// run serves the line until stop closes; then it serves what is left.
func (c *committer) run(stop <-chan struct{}) {
	defer close(c.over)
	for {
		select {
		case r := <-c.ch:
			c.batch(r)
		case <-stop:
			for {
				select {
				case r := <-c.ch:
					c.batch(r)
				default:
					return
				}
			}
		}
	}
}

func (c *committer) batch(first commitReq) {
	reqs := []commitReq{first}
more:
	for len(reqs) < commitBatch {
		select {
		case r := <-c.ch:
			reqs = append(reqs, r)
		default:
			break more
		}
	}
	ctx := context.Background()
	err := c.db.Tx(ctx, func(tx *state.Tx) error {
		for _, r := range reqs {
			if err := r.f(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || len(reqs) == 1 {
		for _, r := range reqs {
			r.done(err)
		}
		return
	}
	for _, r := range reqs { // one of them failed: each by itself, in order
		r.done(c.db.Tx(ctx, r.f))
	}
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func object(v any) *expr.Object {
	o, _ := v.(*expr.Object)
	return o
}

func parseObject(s string) *expr.Object {
	if s == "" {
		return nil
	}
	v, err := expr.ParseJSON([]byte(s))
	if err != nil {
		return nil
	}
	return object(v)
}

func jsonOrEmpty(o *expr.Object) string {
	if o == nil {
		return ""
	}
	return expr.JSON(o)
}

// workflow is a workflow as it is stored, with its current version.
type workflow struct {
	name, id, version, location string
	tags                        *expr.Object
	enabled, allowNeeds         bool
	primary, secondary          string
	created, changed            time.Time
	*version0
}

// version0 is one version of a workflow: runs keep the one they began with.
type version0 struct {
	id         string
	def        *definition.Definition
	parameters *expr.Object // by name; secrets included
	secrets    []string
	results    map[string]bool // loops that result() reads, by lower-case name
}

const workflowColumns = `name, id, version, location, tags, enabled, allow_needs, keys, created, changed`

func (e *Engine) scanWorkflow(scan func(...any) error) (*workflow, error) {
	var w workflow
	var tags string
	var keys []byte
	var created, changed int64
	if err := scan(&w.name, &w.id, &w.version, &w.location, &tags, &w.enabled, &w.allowNeeds, &keys, &created, &changed); err != nil {
		return nil, err
	}
	w.tags, w.created, w.changed = parseObject(tags), fromMicros(created), fromMicros(changed)
	k, err := e.seal.decode(keys)
	if err != nil {
		return nil, fmt.Errorf("workflow %s: %w", w.name, err)
	}
	w.primary, _ = object(k).Value("primary").(string)
	w.secondary, _ = object(k).Value("secondary").(string)
	return &w, nil
}

// withVersion reads the workflow's current version. It stands apart so that no list of rows is open meanwhile.
func (e *Engine) withVersion(ctx context.Context, w *workflow) (*workflow, error) {
	var err error
	if w.version0, err = e.loadVersion(ctx, w.version); err != nil {
		return nil, fmt.Errorf("workflow %s: %w", w.name, err)
	}
	return w, nil
}

// loadVersion reads a version; parsed versions are kept.
func (e *Engine) loadVersion(ctx context.Context, id string) (*version0, error) {
	if v, ok := e.versions.Load(id); ok {
		return v.(*version0), nil
	}
	var text, params, secrets []byte
	err := e.db.QueryRow(ctx, `SELECT definition, parameters, secrets FROM playbook_version WHERE version=?`, id).Scan(&text, &params, &secrets)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", id, err)
	}
	v := &version0{id: id}
	raw, err := e.seal.decode(text)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", id, err)
	}
	if v.def, err = definition.Parse(object(raw), nil); err != nil {
		return nil, fmt.Errorf("version %s: %w", id, err)
	}
	v.results = resultsOf(v.def)
	p, err := e.seal.decode(params)
	if err != nil {
		return nil, err
	}
	v.parameters = object(p)
	s, err := e.seal.decode(secrets)
	if err != nil {
		return nil, err
	}
	list, _ := s.([]any)
	for _, x := range list {
		if t, ok := x.(string); ok {
			v.secrets = append(v.secrets, t)
		}
	}
	e.versions.Store(id, v)
	return v, nil
}

func notFound(name string) *Error {
	return fail(404, "WorkflowNotFound", "The workflow '%s' could not be found.", name)
}

func (e *Engine) findWorkflow(ctx context.Context, name string) (*workflow, error) {
	w, err := e.scanWorkflow(e.db.QueryRow(ctx, `SELECT `+workflowColumns+` FROM playbook_workflow WHERE name=?`, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(name)
	}
	if err != nil {
		return nil, err
	}
	return e.withVersion(ctx, w)
}

func (e *Engine) findWorkflowID(ctx context.Context, id string) (*workflow, error) {
	w, err := e.scanWorkflow(e.db.QueryRow(ctx, `SELECT `+workflowColumns+` FROM playbook_workflow WHERE id=?`, strings.ToLower(id)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, notFound(id)
	}
	if err != nil {
		return nil, err
	}
	return e.withVersion(ctx, w)
}

func (e *Engine) allWorkflows(ctx context.Context) ([]*workflow, error) {
	rows, err := e.db.Query(ctx, `SELECT `+workflowColumns+` FROM playbook_workflow ORDER BY name`)
	if err != nil {
		return nil, err
	}
	var out []*workflow
	for rows.Next() {
		w, err := e.scanWorkflow(rows.Scan)
		if err != nil {
			rows.Close()
			return nil, err
		}
		out = append(out, w)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, w := range out {
		if _, err := e.withVersion(ctx, w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// connection is a stored API connection.
type connection struct {
	name, api, display string
	parameters         *expr.Object
}

func (e *Engine) findConnection(ctx context.Context, name string) (*connection, error) {
	c := &connection{}
	var p []byte
	err := e.db.QueryRow(ctx, `SELECT name, api, display, parameters FROM playbook_connection WHERE name=?`, name).Scan(&c.name, &c.api, &c.display, &p)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := e.seal.decode(p)
	if err != nil {
		return nil, fmt.Errorf("connection %s: %w", name, err)
	}
	c.parameters = object(v)
	return c, nil
}
