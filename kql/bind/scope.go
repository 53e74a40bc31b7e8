package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

// opKind says what an expression turned out to be.
type opKind uint8

const (
	opErr opKind = iota
	opScalar
	opTable
	opGraph
	opTuple // several named values: arg_max(…), series_fit_line(…), $left, a scan step, a pattern variable
	opGroup // several columns or tables: a wildcard, facet's result
	opStar
	opType
	opFunc
	opPattern
	opCluster
	opDatabase
	opEntityGroup
	opVoid
)

// operand is a bound expression of any kind.
type operand struct {
	kind opKind
	src  syntax.Expr
	t    typ       // opScalar
	e    plan.Expr // opScalar

	col     *column      // the column it refers to, if it is one
	isConst bool         // the same for all rows
	lit     bool         // written as a literal
	val     *value.Value // its value, when it is a literal or a let of one

	tab     *table     // opTable
	tabs    []*table   // opGroup of tables
	graph   *graph     // opGraph
	tuple   []tupleCol // opTuple
	rel     *table     // opTuple: the table behind it, when names may be inferred
	cols    []*column  // opGroup of columns
	fn      *function  // opFunc
	pattern *pattern   // opPattern
	scopes  []Scope    // opCluster, opDatabase (several for a wildcard), opEntityGroup
	schema  []*column  // opType: typeof(a:long, …)
	source  operandSource
	member  string // opTuple of a pattern variable: its name
	prefix  string // opTuple: put before the names of its values
	egroup  *entityGroup
	several bool // opGroup: several results, of facet or fork
}

// operandSource remembers the syntax behind a let variable, which project-by-names and pivot look through.
type operandSource struct{ x syntax.Expr }

// tupleCol is one value of a tuple.
type tupleCol struct {
	name string
	t    typ
	e    plan.Expr
	col  *column // the input column it hands on, for telling repeats
	id   *column // its own identity
}

var errOperand = operand{kind: opErr, t: tErr}

// errAt gives the operand after an error; it suppresses follow-up errors.
func errAt(x syntax.Expr) operand {
	return operand{kind: opErr, t: tErr, src: x, e: nullExpr()}
}

func nullExpr() plan.Expr { return plan.Null(value.Unknown) }

func unknownOf(x syntax.Expr) operand {
	return operand{kind: opScalar, t: tUnknown, src: x, e: nullExpr()}
}

func tableOp(x syntax.Expr, t *table) operand { return operand{kind: opTable, src: x, tab: t} }

// expr is the operand as a plan expression, whatever happened.
func (o *operand) expr() plan.Expr {
	if o.e != nil {
		return o.e
	}
	if o.kind == opTuple && len(o.tuple) > 0 {
		return o.tuple[0].e
	}
	return nullExpr()
}

// typ is the scalar type of the operand; a tuple of one value counts as its value.
func (o *operand) typ() typ {
	switch o.kind {
	case opScalar:
		return o.t
	case opTuple:
		if len(o.tuple) == 1 {
			return o.tuple[0].t
		}
		return typ{v: value.Unknown, name: true}
	case opType:
		return tTypeLit
	}
	return tErr
}

// isScalar: MS counts tuples among scalars.
func (o *operand) isScalar() bool { return o.kind == opScalar || o.kind == opTuple || o.kind == opType }

// symbol is a name of the local scope.
type symbol struct {
	name string
	op   operand
	sh   *shared // a tabular let, so that each use gets columns of its own
	view bool
}

// scope is a chain of local names.
type scope struct {
	up    *scope
	names map[string]*symbol
	order []*symbol
}

func (s *scope) find(name string) *symbol {
	for ; s != nil; s = s.up {
		if y := s.names[name]; y != nil {
			return y
		}
	}
	return nil
}

func (s *scope) add(y *symbol) {
	if s.names == nil {
		s.names = map[string]*symbol{}
	}
	s.names[y.name] = y
	s.order = append(s.order, y)
}

// each calls f for every visible symbol, inner scopes first.
func (s *scope) each(f func(*symbol)) {
	for ; s != nil; s = s.up {
		for _, y := range s.order {
			f(y)
		}
	}
}

// inner runs f in a new local scope.
func (b *binder) inner(f func()) {
	up := b.local
	b.local = &scope{up: up}
	f()
	b.local = up
}

// inRow runs f with t as the row scope.
func (b *binder) inRow(t *table, f func()) {
	row, right, kind := b.row, b.right, b.kind
	b.row, b.right, b.kind = t, nil, scopeNormal
	f()
	b.row, b.right, b.kind = row, right, kind
}

// shared is a tabular value with a name: a let, a tabular argument, as.
type shared struct {
	tab          *table
	name         string
	materialized bool
	refs         []*plan.SharedRef
	entry        *plan.Shared // set when it gets a number
}

// share gives t a name under which it can be read several times.
func (b *binder) share(t *table, name string, materialized bool) *shared {
	s := &shared{tab: t, name: name, materialized: materialized}
	b.shareds = append(b.shareds, s)
	return s
}

// use reads a shared table once more. The first use keeps the columns' ids (it is replaced by the sub-plan itself
// when it stays the only one), later ones get fresh ids.
func (b *binder) use(s *shared) *table {
	b.solid(s.tab)
	out := make([]*column, len(s.tab.cols))
	for i, c := range s.tab.cols {
		n := *c
		if len(s.refs) > 0 {
			n.ID = b.newID()
		}
		out[i] = &n
	}
	ref := &plan.SharedRef{ID: -1, Out: planCols(out)}
	s.refs = append(s.refs, ref)
	if b.sharedRefs == nil {
		b.sharedRefs = map[*plan.SharedRef]*shared{}
	}
	b.sharedRefs[ref] = s
	t := s.tab.like(ref, out)
	t.name, t.missing = s.tab.name, s.tab.missing
	return t
}

// find looks name up as a column of the row scope, or of the right side of a join condition.
func (b *binder) column(name string) *column {
	if b.row != nil {
		if c := b.row.find(name); c != nil {
			return c
		}
	}
	if b.right != nil {
		if c := b.right.find(name); c != nil {
			return c
		}
	}
	return nil
}

// infer adds a column that an open table may have.
func (b *binder) infer(t *table, name string) *column {
	c := b.newCol(name, tUnknown)
	c.ghost = true
	t.cols = append(t.cols, c)
	return c
}

// tabular says that the name at hand stands where a table is wanted.
type context uint8

const (
	anyContext context = iota
	tableContext
)

// name resolves a plain name.
func (b *binder) name(x *syntax.NameRef, ctx context) operand {
	name := x.Name
	if x.Braced {
		b.fail(x.Span, "SEM0213", "client parameters such as {%s} are not filled in here", name)
		return unknownOf(x)
	}
	if name == "" {
		return errAt(x)
	}
	if b.kind == scopeNormal {
		if (name == "$left" || name == "$right") && b.right != nil {
			t := b.row
			if name == "$right" {
				t = b.right
			}
			return b.tupleOf(x, t)
		}
		if c := b.column(name); c != nil {
			return b.columnOp(x, c)
		}
	}
	if y := b.local.find(name); y != nil {
		return b.symbolOp(x, y)
	}
	if op, ok := b.databaseName(x, name, ctx); ok {
		return op
	}
	if b.isBuiltin(name) {
		b.fail(x.Span, "SEM0117", "the function %s needs an argument list", quoteName(name))
		return errAt(x)
	}
	if b.kind == scopeNormal && b.row != nil && b.row.open && ctx != tableContext {
		return b.columnOp(x, b.infer(b.row, name))
	}
	return b.unknownName(x, ctx)
}

// columnOp makes an operand of a column.
func (b *binder) columnOp(x syntax.Expr, c *column) operand {
	return operand{kind: opScalar, src: x, t: c.t, col: c, e: b.ref(c, span(x))}
}

// tupleOf makes $left, $right.
func (b *binder) tupleOf(x syntax.Expr, t *table) operand {
	op := operand{kind: opTuple, src: x, rel: t}
	for _, c := range t.cols {
		op.tuple = append(op.tuple, tupleCol{name: c.Name, t: c.t, e: b.ref(c, span(x)), col: c, id: c})
	}
	return op
}

// symbolOp makes an operand of a let variable, parameter or function without arguments.
func (b *binder) symbolOp(x *syntax.NameRef, y *symbol) operand {
	if y.sh != nil {
		t := b.use(y.sh)
		return operand{kind: opTable, src: x, tab: t}
	}
	op := y.op
	op.src = x
	op.lit = false
	switch op.kind {
	case opFunc:
		if op.fn.minArgs() > 0 {
			b.fail(x.Span, "SEM0117", "the function %s needs an argument list", quoteName(y.name))
			return errAt(x)
		}
		return b.expand(op.fn, nil, x, x.Span)
	case opScalar:
		op.col = y.op.col
	}
	return op
}

// databaseName resolves a name in the database: saved functions without arguments, then tables.
func (b *binder) databaseName(x *syntax.NameRef, name string, ctx context) (operand, bool) {
	if f, ok := b.savedFunction(b.db, name); ok && !b.insideOf(name) && f.minArgs() == 0 {
		return b.expand(f, nil, x, x.Span), true
	}
	if t := b.scan(b.db, name, x.Span); t != nil {
		return tableOp(x, t), true
	}
	return operand{}, false
}

func (b *binder) insideOf(name string) bool {
	for _, n := range b.inside {
		if n == name {
			return true
		}
	}
	return false
}

// scan reads a base table, or gives nil when there is none.
func (b *binder) scan(s Scope, name string, at syntax.Span) *table {
	cols, ok := b.schema.Table(s, name)
	if !ok {
		return nil
	}
	b.count(at)
	t := &table{name: name, cols: make([]*column, len(cols))}
	for i, c := range cols {
		t.cols[i] = b.newCol(c.Name, scalar(c.Type))
	}
	t.node = &plan.Scan{Cluster: s.Cluster, Database: s.Database, Table: name, Out: planCols(t.cols), At: plan.Span(at)}
	tn := plan.TableName{Cluster: s.Cluster, Database: s.Database, Name: name}
	if b.tables == nil {
		b.tables = map[plan.TableName]bool{}
	}
	if !b.tables[tn] {
		b.tables[tn] = true
		b.q.Tables = append(b.q.Tables, tn)
	}
	return t
}

// openTable stands for a table that isn't known.
func (b *binder) openTable(name string) *table {
	return &table{name: name, open: true, missing: true, node: &plan.Values{}}
}

// unknownName reports a name that nothing has.
func (b *binder) unknownName(x *syntax.NameRef, ctx context) operand {
	if b.kind == scopeAggregate && b.column(x.Name) != nil {
		b.failHint(x.Span, "SEM0236", "group by it, or wrap it in an aggregate such as take_any()", "the name %s is not an aggregate or scalar function", quoteName(x.Name))
		return errAt(x)
	}
	if ctx == tableContext {
		if b.fuzzy {
			return tableOp(x, b.openTable(x.Name))
		}
		b.failHint(x.Span, "SEM0100", b.near(x.Name, nearTables), "the name %s does not refer to any known table, tabular variable or function", quoteName(x.Name))
		return tableOp(x, b.openTable(x.Name))
	}
	b.failHint(x.Span, "SEM0100", b.near(x.Name, nearAll), "the name %s does not refer to any known column, table, variable or function", quoteName(x.Name))
	return errAt(x)
}

func quoteName(s string) string { return "'" + s + "'" }
