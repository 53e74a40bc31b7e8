// Package bind gives a KQL tree its meaning: it resolves every name, types every expression, names every output
// column, expands lambdas and saved functions, and builds the typed plan.
//
// It knows no engine: tables and saved functions come from a [Schema]. Names, types and errors are those of
// Microsoft's own binder; where the service's engine is known to differ from it, the engine wins, unless
// Options.Editor asks otherwise.
//
//	doc, errs := syntax.Parse("T | summarize count() by k")
//	if len(errs) == 0 {
//		q, errs = bind.Bind(doc, text, bind.Tables{"T": {{Name: "k", Type: value.String}}}, bind.Options{})
//	}
//	fmt.Println(q.Results[0].Node.Cols()) // k:string, count_:long
//
// An error list that is not empty means that there is no plan. Each entry has the exact place, the failing name,
// and names that come near it.
package bind

import (
	"errors"
	"fmt"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"sort"
	"strings"
)

// Scope names a database: both empty for the one the query runs in. Cluster and Database are as written in
// cluster("…").database("…"), workspace("…"), app("…"), resource("…").
type Scope struct{ Cluster, Database string }

// Schema answers what exists. An implementation that also has Databases(cluster string) []string lets
// database("*") mean several. Names are case sensitive. Implementations must be safe for concurrent use by
// several binders and must not change during one Bind.
type Schema interface {
	// Table gives the columns of a table, in order.
	Table(s Scope, name string) (value.Schema, bool)
	// Tables lists the names of all tables of a database, for wildcards and for near misses, in the order in which
	// union * and search take them.
	Tables(s Scope) []string
	// Function gives a saved function.
	Function(s Scope, name string) (Function, bool)
	// Known reports whether the database may be named at all.
	Known(s Scope) bool
}

// Function is a saved function as text.
type Function struct {
	Name   string
	Params string // "(start:datetime=datetime(null), T:(a:string))", or "()"
	Body   string // with or without its braces
}

// Options adjust a Bind. The zero value binds strictly and folds constants with kql/eval.
type Options struct {
	// Now is the query's instant in ticks, for folding now() and ago(); 0 leaves them as calls.
	Now int64
	// PluginSchema gives the output columns of a plugin whose schema depends on the data (bag_unpack, pivot …):
	// it runs p.Input, or part of it. The columns that the query itself fixes are in p.Out; the answer holds all
	// columns, in order. When nil, such columns are left out and the plan must not be run.
	PluginSchema func(p *plan.Evaluate) (value.Schema, error)
	// Params are the values of declare query_parameters, by name; those not given take their default.
	Params map[string]value.Value
	// MaxDepth limits nested expansion of lambdas and saved functions; 0 means 64.
	MaxDepth int
	// MaxNodes limits the operators and calls of the expanded query; 0 means 200000.
	MaxNodes int
	// Editor binds as Microsoft's editor service does where it differs from the engine: scan always adds match_id,
	// and a string inside a dynamic isn't taken for a string.
	Editor bool
	// NoFold leaves constant expressions as they are.
	NoFold bool
}

const (
	defaultMaxDepth = 64
	defaultMaxNodes = 200000
)

// Tables is a Schema of one database without functions.
type Tables map[string]value.Schema

// Table gives the columns of a table.
func (t Tables) Table(s Scope, name string) (value.Schema, bool) {
	c, ok := t[name]
	return c, ok && s == Scope{}
}

// Tables lists the tables by name.
func (t Tables) Tables(s Scope) []string {
	if s != (Scope{}) {
		return nil
	}
	out := make([]string, 0, len(t))
	for n := range t {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Function gives none.
func (Tables) Function(Scope, string) (Function, bool) { return Function{}, false }

// Known is true for the query's own database.
func (Tables) Known(s Scope) bool { return s == Scope{} }

// Bind resolves doc, which was parsed from text without errors. On success the error list is empty. It never
// panics: a defect in the binder is reported as an error of code Internal.
func Bind(doc *syntax.Document, text string, s Schema, opt Options) (q *plan.Query, errs syntax.ErrorList) {
	if opt.MaxDepth <= 0 {
		opt.MaxDepth = defaultMaxDepth
	}
	if opt.MaxNodes <= 0 {
		opt.MaxNodes = defaultMaxNodes
	}
	b := &binder{text: text, schema: s, opt: opt, q: &plan.Query{}}
	defer func() {
		if r := recover(); r != nil {
			if _, stop := r.(tooLarge); !stop {
				b.errs = append(b.errs, syntax.NewError(text, doc.Span, "Internal", fmt.Sprintf("the binder failed: %v", r), "report this query"))
			}
			q, errs = nil, b.errs
		}
	}()
	b.document(doc)
	if len(b.errs) > 0 {
		b.errs.Sort()
		return nil, b.errs
	}
	b.finish()
	if err := plan.Check(b.q); err != nil && !opt.Editor {
		b.unsound(doc, err)
		return nil, b.errs
	}
	return b.q, nil
}

// unsound reports a plan that can't run.
func (b *binder) unsound(doc *syntax.Document, err error) {
	var u *plan.Unbound
	if errors.As(err, &u) {
		at := syntax.Span(u.Col.At)
		if at.End > len(b.text) || at == (syntax.Span{}) {
			at = doc.Span
		}
		b.failHint(at, "SEM0262", "join the table instead, or use lookup", "the column %s cannot be used inside a sub-query such as toscalar(): it has a value for each row, the sub-query is computed once", quoteName(u.Col.Name))
		return
	}
	b.fail(doc.Span, "Internal", "the binder made a wrong plan: %v", err)
}

// tooLarge unwinds a Bind that passed Options.MaxNodes; its error is already in the list.
type tooLarge struct{}

// binder is one Bind. Its scope fields are saved and restored around every construct that changes them.
type binder struct {
	text   string
	schema Schema
	opt    Options
	q      *plan.Query
	errs   syntax.ErrorList

	nextCol plan.ColID
	nextID  int
	nodes   int
	depth   int // nested expansions
	quiet   int // >0: errors are counted, not kept (bodies that were checked at their declaration)
	failed  int // errors met, also quiet ones

	row, right *table // columns of the input; of the right side in a join condition
	local      *scope
	kind       scopeKind
	fuzzy      bool
	colN       int // ColumnN counter
	aggs       *[]plan.Agg
	by         map[*column]bool // key columns of the summarize at hand
	implicit   *table           // input of invoke
	implicitX  syntax.Expr      // its text
	db         Scope            // database that unqualified names mean (inside saved functions)
	inside     []string         // saved functions being expanded
	graphVars  map[string]*patternVar
	innerNodes *table
	sharedRefs map[*plan.SharedRef]*shared
	shareds    []*shared
	inGraph    bool
	tables     map[plan.TableName]bool
	ctx        *eval.Ctx
	notes      map[syntax.Expr]note
	search     *searchScope
	piped      *operand
	windowed   bool
	renders    map[plan.Node]*plan.Render
	saved      map[savedKey]*function
	aliases    map[string]Scope
	inScan     int
	checking   int           // >0: a body is bound only to find its mistakes
	firstQuiet *syntax.Error // the first error met while errors are not kept
}

type scopeKind uint8

const (
	scopeNormal scopeKind = iota
	scopeAggregate
	scopePlugin
)

// column is a column of a table at hand. Identity matters: the same column met twice is one pointer.
type column struct {
	plan.Col
	t     typ
	ghost bool // inferred from a table whose columns aren't known; it has no values
}

// table is a tabular value.
type table struct {
	cols       []*column
	open       bool // has columns that aren't known before the run
	serialized bool
	name       string
	node       plan.Node
	missing    bool   // a table that doesn't exist, allowed by isfuzzy
	rest       *table // in search and find: columns of other tables, null in this one
	index      map[string]*column
	indexed    int
}

func (t *table) find(name string) *column {
	c := t.own(name)
	if c != nil || t.rest == nil {
		return c
	}
	o := t.rest.own(name)
	if o == nil {
		return nil
	}
	// a column whose type differs between tables is known as name_type in the whole
	if i := strings.LastIndexByte(name, '_'); i > 0 {
		if c := t.own(name[:i]); c != nil && c.Type.String() == name[i+1:] {
			return c
		}
	}
	g := *o
	g.ghost = true
	return &g
}

func (t *table) own(name string) *column {
	if len(t.cols) < 12 {
		for _, c := range t.cols {
			if c.Name == name {
				return c
			}
		}
		return nil
	}
	if t.index == nil || t.indexed != len(t.cols) {
		t.index = make(map[string]*column, len(t.cols))
		for _, c := range t.cols {
			if _, dup := t.index[c.Name]; !dup {
				t.index[c.Name] = c
			}
		}
		t.indexed = len(t.cols)
	}
	return t.index[name]
}

// like makes the result of an operator that keeps t's flags.
func (t *table) like(node plan.Node, cols []*column) *table {
	return &table{cols: cols, node: node, open: t.open, serialized: t.serialized, missing: t.missing}
}

func (b *binder) newID() plan.ColID {
	b.nextCol++
	return b.nextCol
}

func (b *binder) newCol(name string, t typ) *column {
	v := t.v
	if v == value.Invalid {
		v, t = value.Unknown, tUnknown
	}
	return &column{Col: plan.Col{ID: b.newID(), Name: name, Type: v}, t: t}
}

// count adds to the size of the expanded query.
func (b *binder) count(at syntax.Span) {
	if b.nodes++; b.nodes > b.opt.MaxNodes {
		b.errs = append(b.errs, syntax.NewError(b.text, at, "SEM0250", fmt.Sprintf("the query grows beyond %d operators and calls when its functions are expanded", b.opt.MaxNodes), "call fewer functions, or materialize() what is used often"))
		panic(tooLarge{})
	}
}

// fail reports an error at a place.
func (b *binder) fail(at syntax.Span, code, msg string, a ...any) {
	b.failHint(at, code, "", msg, a...)
}

func (b *binder) failHint(at syntax.Span, code, hint, msg string, a ...any) {
	b.failed++
	if b.quiet > 0 {
		if b.firstQuiet == nil {
			if len(a) > 0 {
				msg = fmt.Sprintf(msg, a...)
			}
			b.firstQuiet = &syntax.Error{Code: code, Msg: msg, Suggestion: hint, Start: at.Start, End: at.End}
		}
		return
	}
	if len(b.errs) >= maxErrors {
		return
	}
	for _, e := range b.errs {
		if e.Start == at.Start && e.End == at.End && e.Code == code {
			return
		}
	}
	if len(a) > 0 {
		msg = fmt.Sprintf(msg, a...)
	}
	b.errs = append(b.errs, syntax.NewError(b.text, at, code, msg, hint))
}

const maxErrors = 100

func span(n syntax.Node) plan.Span {
	r := n.Range()
	return plan.Span{Start: r.Start, End: r.End}
}

// cols gives the plan columns of a table.
func planCols(cols []*column) []plan.Col {
	out := make([]plan.Col, len(cols))
	for i, c := range cols {
		out[i] = c.Col
	}
	return out
}

// solid makes the node of t produce exactly t.cols: columns without values become typed nulls, renamed columns
// get their names.
func (b *binder) solid(t *table) plan.Node {
	if t.node == nil {
		t.node = &plan.Values{Out: planCols(t.cols)}
		for _, c := range t.cols {
			c.ghost = false
		}
		return t.node
	}
	have := t.node.Cols()
	same := len(have) == len(t.cols)
	for i := 0; same && i < len(have); i++ {
		same = have[i] == t.cols[i].Col
	}
	if same {
		return t.node
	}
	items := make([]plan.Item, len(t.cols))
	for i, c := range t.cols {
		items[i] = plan.Item{Col: c.Col, Expr: b.ref(c, plan.Span{})}
	}
	for _, c := range t.cols {
		c.ghost = false
	}
	t.node = &plan.Project{Input: t.node, Items: items, Serialized: t.serialized}
	return t.node
}

// ref reads a column.
func (b *binder) ref(c *column, at plan.Span) plan.Expr {
	if c.ghost {
		n := plan.Null(c.Type)
		n.At = at
		return n
	}
	return &plan.ColRef{ID: c.ID, Name: c.Name, T: c.Type, At: at}
}
