package exec

import (
	"context"
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
	"sort"
)

// plugin runs one plugin of the evaluate operator over all rows of its input.
type plugin func(p *pluginRun) (*batch, error)

// pluginRun is one call of a plugin.
type pluginRun struct {
	x    *run
	n    *plan.Evaluate
	in   *batch
	cols []plan.Col // of in
	l    layout
}

// plugins lists what evaluate can run. A plugin reads p.in and gives the rows of p.n.Out.
func plugins() map[string]plugin {
	return map[string]plugin{
		"active_users_count":         activeUsersCount,
		"activity_counts_metrics":    activityCountsMetrics,
		"activity_engagement":        activityEngagement,
		"activity_metrics":           activityMetrics,
		"autocluster":                autocluster,
		"bag_unpack":                 bagUnpack,
		"basket":                     basket,
		"dcount_intersect":           dcountIntersect,
		"diffpatterns":               diffpatterns,
		"estimate_rows_count":        estimateRowsCount,
		"funnel_sequence_completion": funnelSequenceCompletion,
		"geo_line_lookup":            geoLineLookup,
		"geo_polygon_lookup":         geoPolygonLookup,
		"identity":                   identity,
		"identity_v3":                identity,
		"ipv4_lookup":                ipLookup(4),
		"ipv6_lookup":                ipLookup(6),
		"narrow":                     narrow,
		"new_activity_metrics":       newActivityMetrics,
		"pivot":                      pivot,
		"preview":                    preview,
		"rolling_percentile":         rollingPercentile,
		"rows_near":                  rowsNear,
		"schema_merge":               schemaMerge,
		"sequence_detect":            sequenceDetect,
		"session_count":              sessionCount,
		"sliding_window_counts":      slidingWindowCounts,
	}
}

// egress lists plugins that would reach outside or run foreign code.
var egress = map[string]bool{
	"python": true, "r": true, "csharp": true, "http_request": true, "http_request_post": true,
	"sql_request": true, "mysql_request": true, "postgresql_request": true, "cosmosdb_sql_request": true,
	"azure_digital_twins_query_request": true, "infer_storage_schema": true,
	"infer_storage_schema_with_suggestions": true, "ai_chat_completion": true, "ai_chat_completion_prompt": true,
	"ai_embeddings": true, "ai_embed_text": true, "dax_request": true,
	"execute_query": true, "execute_show_command": true, "external_datatable": true,
}

func (x *run) evaluate(n *plan.Evaluate) (batches, error) {
	f, ok := plugins()[n.Plugin]
	switch {
	case egress[n.Plugin]:
		return nil, notSupported(n.At, "the plugin %s is not allowed: it reaches outside of the workspace or runs foreign code", n.Plugin)
	case !ok:
		return nil, notSupported(n.At, "the plugin %s is known to the language but not built into picket yet", n.Plugin)
	case n.Dynamic:
		return nil, notSupported(n.At, "the columns of the plugin %s depend on the data and were not settled; declare them: evaluate %s(…) : (column:type, …)", n.Plugin, n.Plugin)
	case n.Input == nil:
		return nil, notSupported(n.At, "the plugin %s needs an input", n.Plugin)
	}
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	return func(yield func(*batch, error) bool) {
		p, done, err := x.pluginRun(n, in)
		defer func() { done() }()
		var out *batch
		if err == nil {
			out, err = f(p)
		}
		if err == nil {
			err = p.check(out)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		emit(yield, out)
	}, nil
}

func (x *run) pluginRun(n *plan.Evaluate, in batches) (*pluginRun, func(), error) {
	cols := n.Input.Cols()
	b, done, err := x.all(in, cols)
	if err != nil {
		return nil, func() {}, err
	}
	return &pluginRun{x: x, n: n, in: b, cols: cols, l: layoutOf(cols)}, done, nil
}

// check holds a plugin to the columns that the plan promises.
func (p *pluginRun) check(b *batch) error {
	if len(b.vecs) != len(p.n.Out) {
		return fmt.Errorf("BUG: the plugin %s gave %d columns, not %d", p.n.Plugin, len(b.vecs), len(p.n.Out))
	}
	for i, c := range p.n.Out {
		if b.vecs[i].N != b.n {
			return fmt.Errorf("BUG: the plugin %s gave %d rows in column %s, not %d", p.n.Plugin, b.vecs[i].N, c.Name, b.n)
		}
		if b.vecs[i].Type == c.Type {
			continue
		}
		v, ok := convertVector(b.vecs[i], c.Type)
		if !ok {
			if v = p.declared(b.vecs[i], c.Type); v == nil {
				return fmt.Errorf("BUG: the plugin %s gave %s in column %s, not %s", p.n.Plugin, b.vecs[i].Type, c.Name, c.Type)
			}
		}
		b.vecs[i] = v
	}
	return nil
}

// declared converts a column to the type that the query itself declared for it.
func (p *pluginRun) declared(v *value.Vector, t value.Type) *value.Vector {
	if !p.n.Declared {
		return nil
	}
	out := value.New(t, v.N)
	for i := 0; i < v.N; i++ {
		out.Set(i, castElem(value.Elem(v, i), t))
	}
	return out
}

// PluginSchema gives the columns of a plugin whose schema depends on the data (bag_unpack, pivot …), by running its
// input. It serves the binder, which calls it with shared sub-plans settled so far.
func PluginSchema(ctx context.Context, e *plan.Evaluate, shared []*plan.Shared, src Source, opt Options) (s value.Schema, err error) {
	ctx, cancel := withTimeout(ctx, &opt)
	defer cancel()
	defer guard(&err)
	x := newRun(ctx, &plan.Query{Shared: shared}, src, opt)
	if egress[e.Plugin] {
		return nil, notSupported(e.At, "the plugin %s is not allowed: it reaches outside of the workspace or runs foreign code", e.Plugin)
	}
	if e.Input == nil {
		return nil, notSupported(e.At, "the plugin %s is known to the language but not built into picket yet", e.Plugin)
	}
	in, err := x.build(e.Input)
	if err != nil {
		return nil, err
	}
	p, done, err := x.pluginRun(e, in)
	if err != nil {
		return nil, err
	}
	defer done()
	switch e.Plugin {
	case "bag_unpack":
		u, err := p.unpack()
		if err != nil {
			return nil, err
		}
		return u.schema(), nil
	case "pivot":
		v, err := p.pivot()
		if err != nil {
			return nil, err
		}
		return v.schema(), nil
	}
	return nil, notSupported(e.At, "the schema of the plugin %s is not known; declare it: evaluate %s(…) : (column:type, …)", e.Plugin, e.Plugin)
}

// args sorts the arguments of the call by their kind, in order.
func (p *pluginRun) arg(i int) (plan.Expr, bool) {
	if i >= len(p.n.Args) {
		return nil, false
	}
	return p.n.Args[i], true
}

// column evaluates argument i over the input.
func (p *pluginRun) column(i int) (*value.Vector, error) {
	e, ok := p.arg(i)
	if !ok {
		return nil, p.missing(i)
	}
	c, err := p.x.compile(e, p.l)
	if err != nil {
		return nil, err
	}
	return c.eval(p.in)
}

func (p *pluginRun) missing(i int) error {
	return invalid(p.n.At, "the plugin %s misses argument %d", p.n.Plugin, i+1)
}

// constant evaluates argument i, which reads no rows.
func (p *pluginRun) constant(i int) (value.Value, error) {
	e, ok := p.arg(i)
	if !ok {
		return value.Value{}, p.missing(i)
	}
	if _, isCol := e.(*plan.ColRef); isCol {
		return value.Value{}, invalid(e.Pos(), "argument %d of the plugin %s must be a constant", i+1, p.n.Plugin)
	}
	return p.x.constant(e)
}

// named evaluates the constant that is given for a parameter; false when there is none.
func (p *pluginRun) named(param string) (value.Value, bool, error) {
	i := slices.Index(p.n.ArgNames, param)
	if i < 0 {
		return value.Value{}, false, nil
	}
	v, err := p.constant(i)
	return v, err == nil && !v.Null, err
}

// text is the constant text that is given for a parameter, or else def.
func (p *pluginRun) text(param, def string) (string, error) {
	v, ok, err := p.named(param)
	if err != nil || !ok || v.Type != value.String || v.S == "" {
		return def, err
	}
	return v.S, nil
}

// flag says whether a parameter is given as true.
func (p *pluginRun) flag(param string) (bool, error) {
	v, ok, err := p.named(param)
	return ok && v.Type == value.Bool && v.I != 0, err
}

// numbers evaluates constants from argument i on.
func (p *pluginRun) numbers(i int, into ...*value.Value) error {
	for k, v := range into {
		c, err := p.constant(i + k)
		if err != nil {
			return err
		}
		if c.Null {
			return invalid(p.n.At, "argument %d of the plugin %s must not be null", i+k+1, p.n.Plugin)
		}
		*v = c
	}
	return nil
}

// dims evaluates the columns from argument i on: the dimensions of an analysis.
func (p *pluginRun) dims(i int) ([]*value.Vector, error) {
	var out []*value.Vector
	for ; i < len(p.n.Args); i++ {
		v, err := p.column(i)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// groupRows numbers the rows of the input by the columns vs, in the order of first appearance.
func groupRows(n int, vs []*value.Vector) (members [][]int32) {
	if len(vs) == 0 {
		all := make([]int32, n)
		for i := range all {
			all[i] = int32(i)
		}
		return [][]int32{all}
	}
	ids := map[string]int{}
	var key []byte
	for i := 0; i < n; i++ {
		key = appendKeys(key[:0], vs, i)
		id, ok := ids[string(key)]
		if !ok {
			id = len(members)
			ids[string(key)] = id
			members = append(members, nil)
		}
		members[id] = append(members[id], int32(i))
	}
	return members
}

// sortedGroups is groupRows in ascending order of the columns.
func sortedGroups(n int, vs []*value.Vector) [][]int32 {
	members := groupRows(n, vs)
	if len(vs) == 0 {
		return members
	}
	sort.SliceStable(members, func(a, b int) bool {
		for _, v := range vs {
			if c := value.CompareRows(v, int(members[a][0]), v, int(members[b][0])); c != 0 {
				return c < 0
			}
		}
		return false
	})
	return members
}

// rowWriter builds a result row by row.
type rowWriter struct {
	b *batch
}

func (p *pluginRun) writer() *rowWriter { return &rowWriter{b: emptyBatch(p.n.Out)} }

// add appends one row of cells; a cell's type must be its column's, or widen to it.
func (w *rowWriter) add(cells ...value.Value) error {
	if len(cells) != len(w.b.vecs) {
		return fmt.Errorf("BUG: %d cells for %d columns", len(cells), len(w.b.vecs))
	}
	for i, c := range cells {
		v := w.b.vecs[i]
		if c.Type != v.Type {
			k, ok := convertVector(value.ConstOf(c, 1), v.Type)
			if !ok {
				return fmt.Errorf("BUG: a cell of type %s for a column of type %s", c.Type, v.Type)
			}
			c = k.At(0)
		}
		v.Grow(v.N + 1)
		v.Set(v.N-1, c)
	}
	w.b.n++
	return nil
}

// place finds the input column that output column i hands on: by id, else by name; -1 when there is none.
func (p *pluginRun) place(c plan.Col) int {
	if at, ok := p.l[c.ID]; ok {
		return at
	}
	for at, in := range p.cols {
		if in.Name == c.Name {
			return at
		}
	}
	return -1
}

// passed hands on input columns: the rows that idx names.
func (p *pluginRun) passed(idx []int32) (*batch, error) {
	out := &batch{n: len(idx), vecs: make([]*value.Vector, len(p.n.Out))}
	for i, c := range p.n.Out {
		at := p.place(c)
		if at < 0 {
			return nil, fmt.Errorf("BUG: the plugin %s has no column %s", p.n.Plugin, c.Name)
		}
		out.vecs[i] = value.Gather(p.in.vecs[at], idx)
	}
	return out, nil
}

func firstRows(n int) []int32 {
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = int32(i)
	}
	return idx
}
