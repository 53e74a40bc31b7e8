package playbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strconv"
	"strings"
	"time"
)

// Graph is a workflow as a designer draws it: its triggers, and its actions with what stands inside them.
type Graph struct {
	Workflow string          `json:"workflow"`
	Version  string          `json:"version"`
	Triggers []*GraphTrigger `json:"triggers"`
	Actions  []*GraphNode    `json:"actions"` // the first level, in the order of the text
}

// GraphTrigger is a trigger of a graph.
type GraphTrigger struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Kind        string   `json:"kind,omitempty"`
	Description string   `json:"description,omitempty"`
	Connector   string   `json:"connector,omitempty"` // the managed API
	Operation   string   `json:"operation,omitempty"` // "POST /incident-creation", "every 5 Minute"
	Needs       []string `json:"needs,omitempty"`     // what this picket doesn't have of what it uses
}

// GraphNode is an action of a graph.
type GraphNode struct {
	Name        string        `json:"name"`
	Type        string        `json:"type"`
	Kind        string        `json:"kind,omitempty"`
	Description string        `json:"description,omitempty"`
	Connector   string        `json:"connector,omitempty"` // the managed API of an ApiConnection
	Operation   string        `json:"operation,omitempty"` // "POST /Incidents/Comment"; {} stands for what a run fills in
	Expression  string        `json:"expression,omitempty"`
	Needs       []string      `json:"needs,omitempty"`
	Static      bool          `json:"static,omitempty"` // a static result stands in for it
	RunAfter    []GraphEdge   `json:"runAfter"`         // empty: it starts when its list starts
	Branches    []GraphBranch `json:"branches,omitempty"`
	Loops       []string      `json:"loops,omitempty"` // the loops around it, outermost first
}

// GraphEdge leads from another action of the same list.
type GraphEdge struct {
	Action   string   `json:"action"`
	Statuses []string `json:"statuses"` // Succeeded, Failed, Skipped, TimedOut
}

// GraphBranch is a list of actions inside another: "actions" of a scope, loop or condition, "else", "default", or a
// case by its name.
type GraphBranch struct {
	Name    string       `json:"name"`
	Case    any          `json:"case,omitempty"` // the literal of a Switch case
	Actions []*GraphNode `json:"actions"`
}

// Graph draws a workflow's current version.
func (e *Engine) Graph(ctx context.Context, workflowName string) (*Graph, error) {
	w, err := e.findWorkflow(ctx, workflowName)
	if err != nil {
		return nil, err
	}
	return e.graphOf(ctx, w), nil
}

// RunGraph draws the version of the workflow that a run runs, or ran.
func (e *Engine) RunGraph(ctx context.Context, runID string) (*Graph, error) {
	w, err := e.workflowOfRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	return e.graphOf(ctx, w), nil
}

func (e *Engine) workflowOfRun(ctx context.Context, runID string) (*workflow, error) {
	var name, version string
	err := e.db.QueryRow(ctx, `SELECT workflow, version FROM playbook_run WHERE id=?`, runID).Scan(&name, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, runNotFound(runID)
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", runID, err)
	}
	w, err := e.findWorkflow(ctx, name)
	if err != nil {
		return nil, err
	}
	then := *w
	then.version = version
	if then.version0, err = e.loadVersion(ctx, version); err != nil {
		return nil, err
	}
	return &then, nil
}

func runNotFound(id string) *Error {
	return fail(404, "WorkflowRunNotFound", "The workflow run '%s' could not be found.", id)
}

func (e *Engine) graphOf(ctx context.Context, w *workflow) *Graph {
	n := e.examine(ctx, w, nil)
	uses, needs := map[string]Use{}, map[string][]string{}
	for _, u := range n.uses {
		uses[u.Where] = u
	}
	for _, x := range n.list {
		k := strings.TrimPrefix(x.Where, "The ")
		needs[k] = append(needs[k], x.Message)
	}
	g := &Graph{Workflow: w.name, Version: w.version, Triggers: []*GraphTrigger{}, Actions: []*GraphNode{}}
	for _, t := range w.def.Triggers {
		at := "trigger '" + t.Name + "'"
		gt := &GraphTrigger{Name: t.Name, Type: t.Type, Kind: t.Kind, Connector: uses[at].Connector, Operation: uses[at].Operation, Needs: needs[at]}
		gt.Description, _ = t.Raw.Value("description").(string)
		switch {
		case t.Recurrence != nil:
			gt.Operation = strings.TrimSpace(fmt.Sprintf("every %d %s %s", t.Recurrence.Interval, t.Recurrence.Frequency, gt.Operation))
		case t.Type == "Request":
			gt.Operation = "POST"
			if m, _ := t.Inputs.Value("method").(string); m != "" {
				gt.Operation = strings.ToUpper(m)
			}
			if p, _ := t.Inputs.Value("relativePath").(string); p != "" {
				gt.Operation += " /" + strings.TrimPrefix(p, "/")
			}
		}
		g.Triggers = append(g.Triggers, gt)
	}
	var list func(as []*definition.Action) []*GraphNode
	list = func(as []*definition.Action) []*GraphNode {
		out := make([]*GraphNode, 0, len(as))
		for _, a := range as {
			at := "action '" + a.Name + "'"
			d := &GraphNode{
				Name: a.Name, Type: a.Type, Kind: a.Kind, Connector: uses[at].Connector, Operation: uses[at].Operation, Needs: needs[at],
				Static: a.StaticResult != "", RunAfter: []GraphEdge{},
			}
			d.Description, _ = a.Raw.Value("description").(string)
			in := object(a.Inputs)
			switch a.Type {
			case "Http":
				m, _ := in.Value("method").(string)
				u, _ := in.Value("uri").(string)
				d.Operation = maskText(strings.TrimSpace(strings.ToUpper(m)+" "+u), e.hide(w.secrets))
			case "Workflow", "SendToBatch":
				id, _ := object(object(in.Value("host")).Value("workflow")).Value("id").(string)
				d.Operation = id[strings.LastIndexByte(id, '/')+1:]
			case "Foreach":
				d.Expression = expr.Text(a.Foreach)
			case "If", "Switch", "Until":
				d.Expression = expr.Text(a.Expression)
			}
			for _, p := range a.RunAfter {
				name := p.Name
				if x := w.def.Action(name); x != nil {
					name = x.Name
				}
				d.RunAfter = append(d.RunAfter, GraphEdge{name, append([]string{}, p.Statuses...)})
			}
			for _, b := range a.Branches {
				d.Branches = append(d.Branches, GraphBranch{b.Name, b.Case, list(b.Actions)})
			}
			for _, l := range a.Loops {
				d.Loops = append(d.Loops, l.Name)
			}
			out = append(out, d)
		}
		return out
	}
	g.Actions = list(w.def.Actions)
	return g
}

// StepState is how far a run is with one action.
type StepState struct {
	Name       string         `json:"name"`
	Status     string         `json:"status"`               // of the repetition that was asked for; "" when it hasn't begun
	Repetition string         `json:"repetition,omitempty"` // "000003-000000" inside loops
	Code       string         `json:"code,omitempty"`
	Error      string         `json:"error,omitempty"`
	Started    time.Time      `json:"started,omitzero"`
	Ended      time.Time      `json:"ended,omitzero"`
	Iterations int            `json:"iterations,omitempty"` // of a loop
	Retries    int            `json:"retries,omitempty"`
	Counts     map[string]int `json:"counts,omitempty"` // inside loops: how many repetitions have which status
}

// RunStates tells the state of every action of a run's workflow, by name. at chooses the iteration of each loop, by
// the loop's name; the first one where it says nothing.
func (e *Engine) RunStates(ctx context.Context, runID string, at map[string]int) (map[string]*StepState, error) {
	w, err := e.workflowOfRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	out := map[string]*StepState{}
	hidden := e.hide(w.secrets)
	for _, a := range w.def.All() {
		s := &StepState{Name: a.Name, Repetition: repetitionOf(a, at)}
		out[a.Name] = s
		var errText string
		var start, end int64
		var meta []byte
		err := e.db.QueryRow(ctx, `SELECT status, code, error, started, ended, meta FROM playbook_action WHERE run=? AND name=? AND rep=?`, runID, a.Name, s.Repetition).Scan(&s.Status, &s.Code, &errText, &start, &end, &meta)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", runID, err)
		}
		s.Started, s.Ended = fromMicros(start), fromMicros(end)
		if m, ok := parseObject(errText).Value("message").(string); ok {
			s.Error = maskText(m, hidden)
		}
		v, err := e.seal.decode(meta)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", runID, err)
		}
		if n, ok := object(v).Value("iterations").(int64); ok {
			s.Iterations = int(n)
		}
		if l, ok := object(v).Value("retries").([]any); ok {
			s.Retries = len(l)
		}
	}
	rows, err := e.db.Query(ctx, `SELECT name, status, count(*) FROM playbook_action WHERE run=? AND rep<>'' GROUP BY name, status`, runID)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", runID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, status string
		var n int
		if err := rows.Scan(&name, &status, &n); err != nil {
			return nil, err
		}
		if s := out[name]; s != nil { // iterations of loops are rows of their own and don't count as steps
			if s.Counts == nil {
				s.Counts = map[string]int{}
			}
			s.Counts[status] = n
		}
	}
	return out, rows.Err()
}

// repetitionOf names the repetition of an action where its loops stand at the iterations chosen.
func repetitionOf(a *definition.Action, at map[string]int) string {
	parts := make([]string, len(a.Loops))
	for i, l := range a.Loops {
		n := 0
		for name, k := range at {
			if strings.EqualFold(name, l.Name) {
				n = k
			}
		}
		parts[i] = fmt.Sprintf("%06d", n)
	}
	return strings.Join(parts, "-")
}

// ActionPage chooses repetitions of one action of a run.
type ActionPage struct {
	Action     string // its name, ignoring case
	Iterations bool   // of a loop: its iterations rather than the loop
	Under      string // only repetitions inside this one: "000003" gives 000003-000000, 000003-000001, …
	After      string // the last repetition of the page before
	Top        int    // 0: 30, at most 250
	Status     string // only those of this status
}

// RunActions lists repetitions of one action of a run, with inputs and outputs, in order. It is for runs whose loops
// are too long for [Engine.RunDetail].
func (e *Engine) RunActions(ctx context.Context, runID string, p ActionPage) ([]*ActionRun, error) {
	w, err := e.workflowOfRun(ctx, runID)
	if err != nil {
		return nil, err
	}
	a := w.def.Action(p.Action)
	if a == nil {
		return nil, fail(404, "WorkflowRunActionNotFound", "The workflow run '%s' has no action '%s'.", runID, p.Action)
	}
	name := a.Name
	if p.Iterations {
		name = "#" + name
	}
	if p.Top <= 0 {
		p.Top = 30
	}
	p.Top = min(p.Top, 250)
	q, args := `SELECT `+actionColumns+` FROM playbook_action WHERE run=? AND name=?`, []any{runID, name}
	if p.Under != "" {
		q += ` AND rep>=? AND rep<?`
		args = append(args, p.Under+"-", p.Under+".") // '.' follows '-'
	}
	if p.After != "" {
		q += ` AND rep>?`
		args = append(args, p.After)
	}
	if p.Status != "" {
		q += ` AND status=? COLLATE NOCASE`
		args = append(args, p.Status)
	}
	rows, err := e.db.Query(ctx, q+` ORDER BY rep LIMIT `+strconv.Itoa(p.Top), args...)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", runID, err)
	}
	defer rows.Close()
	hide := map[string]definition.Secure{a.Name: hidden(w.def, a)}
	out := []*ActionRun{}
	for rows.Next() {
		rec, err := e.scanRecord(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", runID, err)
		}
		out = append(out, e.actionRun(w.version0, rec, hide))
	}
	return out, rows.Err()
}
