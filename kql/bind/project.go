package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"sort"
	"strings"
)

// projStyle is the flavour of a projection's naming rules.
type projStyle uint8

const (
	styleProject projStyle = iota
	stylePrint
	styleExtend
	styleReplace
	styleSummarize
	styleReorder
	styleGraph
)

// projection collects output columns under KQL's naming rules.
type projection struct {
	b        *binder
	cols     []*column
	exprs    []plan.Expr
	skip     map[*column]bool
	at       map[string]int
	declared map[string]bool
	names    uniqueNames
}

func (b *binder) newProjection() *projection {
	return &projection{b: b, skip: map[*column]bool{}, at: map[string]int{}, declared: map[string]bool{}, names: uniqueNames{}}
}

// items gives the projection as plan items.
func (p *projection) items() []plan.Item {
	out := make([]plan.Item, len(p.cols))
	for i, c := range p.cols {
		out[i] = plan.Item{Col: c.Col, Expr: p.exprs[i]}
	}
	return out
}

// renamed is c under another name and identity.
func (p *projection) renamed(c *column, name string) *column {
	if c.Name == name {
		return c
	}
	n := *c
	n.Name = name
	return &n
}

// add appends a column under a unique name; replace puts it in the place of one of its name.
func (p *projection) add(c *column, e plan.Expr, base string, replace, once bool) {
	if c.Name == "" || p.skip[c] {
		return
	}
	orig := c
	if i, ok := p.at[c.Name]; replace && ok {
		p.cols[i], p.exprs[i] = c, e
	} else {
		if base == "" {
			base = c.Name
		}
		c = p.renamed(c, p.names.getFrom(c.Name, base))
		p.cols = append(p.cols, c)
		p.exprs = append(p.exprs, e)
		if _, dup := p.at[c.Name]; !dup {
			p.at[c.Name] = len(p.cols) - 1
		}
	}
	if once {
		p.skip[orig] = true
		p.skip[c] = true
	}
}

// addAll passes columns on.
func (p *projection) addAll(cols []*column, declare, once bool) {
	for _, c := range cols {
		p.add(c, p.b.ref(c, plan.Span{}), "", false, once)
		if declare {
			p.declared[c.Name] = true
		}
	}
}

// declare adds a column that the query names; a name declared twice is an error.
func (p *projection) declare(c *column, e plan.Expr, at syntax.Span, replace bool) {
	if p.declared[c.Name] {
		p.b.fail(at, "SEM0171", "a column with the name %s is already declared", quoteName(c.Name))
		return
	}
	if i, ok := p.at[c.Name]; replace && ok {
		p.cols[i], p.exprs[i] = c, e
		p.declared[c.Name] = true
		return
	}
	n := len(p.cols)
	p.add(c, e, "", false, false)
	if len(p.cols) > n {
		p.declared[p.cols[n].Name] = true
	} else {
		p.declared[c.Name] = true
	}
}

// project adds the columns of one expression. asType overrides the type (make-series); name is the default
// name (print_0), "" for ColumnN.
func (p *projection) project(x syntax.Expr, op operand, style projStyle, once bool, asType *typ, name string) {
	b := p.b
	at := x.Range()
	if o, ok := x.(*syntax.OrderedExpr); ok {
		x = o.X
	}
	typeOf := func(t typ) typ {
		if asType != nil {
			return *asType
		}
		if t.isErr() {
			return tUnknown
		}
		return t
	}
	replaces := style == styleReplace || style == styleExtend
	switch x := x.(type) {
	case *syntax.NamedExpr:
		if x.Tuple {
			p.projectTuple(x, op, style, once, asType)
			return
		}
		n := x.Names[0]
		if op.kind == opTuple && (len(op.tuple) > 1 || isCallTuple(&op)) {
			for i := range op.tuple {
				v := &op.tuple[i]
				if i == 0 {
					p.declare(b.newCol(n.Text, typeOf(v.t)), v.e, n.Span, true)
					p.skipID(v, once)
					if style == stylePrint || style != styleSummarize && !b.opt.Editor {
						return // the engine gives the first value only
					}
					continue
				}
				p.addTuple(&op, v, typeOf(v.t), once)
			}
			return
		}
		p.declare(b.newCol(n.Text, typeOf(op.typ())), op.expr(), n.Span, op.col != nil || replaces)
		if op.col != nil && once {
			p.skip[op.col] = true
		}
		return
	case *syntax.Star:
		if b.row != nil {
			for _, c := range b.row.cols {
				p.add(c, b.ref(c, plan.Span{}), "", true, once)
			}
		}
		return
	}
	if op.col != nil && style != styleGraph {
		c := op.col
		t := typeOf(op.t)
		out := c
		if !t.same(c.t) {
			out = b.newCol(c.Name, t)
		}
		p.declare(out, op.expr(), at, style == styleReplace)
		if once {
			p.skip[c] = true
		}
		return
	}
	if op.kind == opGroup {
		if style == styleReorder {
			for _, c := range orderColumns(op.cols, orderOf(x)) {
				p.add(c, b.ref(c, plan.Span{}), "", false, true)
			}
			return
		}
		b.fail(at, "SEM0184", "the expression refers to more than one column")
		return
	}
	if op.kind == opTuple {
		if style == stylePrint && name != "" && len(op.tuple) == 1 {
			p.add(b.newCol(name, typeOf(op.tuple[0].t)), op.tuple[0].e, name, false, false)
			return
		}
		for i := range op.tuple {
			p.addTuple(&op, &op.tuple[i], typeOf(op.tuple[i].t), once)
		}
		return
	}
	t := typeOf(op.typ())
	if style == stylePrint && name != "" {
		p.add(b.newCol(name, t), op.expr(), name, false, false)
		return
	}
	n, ok := b.resultName(x)
	if style == styleGraph {
		n, ok = b.graphName(x), true
	}
	if !ok {
		if n = name; n == "" {
			n = b.defaultName(style == styleExtend)
		}
	}
	p.add(b.newCol(n, t), op.expr(), "", replaces, false)
}

func isCallTuple(op *operand) bool { return op.kind == opTuple && op.rel == nil }

func (p *projection) skipID(v *tupleCol, once bool) {
	if once && v.id != nil {
		p.skip[v.id] = true
	}
}

// addTuple adds a value that the query doesn't name.
func (p *projection) addTuple(op *operand, v *tupleCol, t typ, once bool) {
	name := v.name
	if op.prefix != "" {
		name = op.prefix + "_" + name
	} else if v.id != nil && p.skip[v.id] {
		return
	}
	c := p.b.newCol(name, t)
	p.add(c, v.e, "", false, once)
	p.skipID(v, once)
}

// projectTuple binds (a, b) = call.
func (p *projection) projectTuple(x *syntax.NamedExpr, op operand, style projStyle, once bool, asType *typ) {
	b := p.b
	replaces := style == styleReplace || style == styleExtend
	typeOf := func(t typ) typ {
		if asType != nil {
			return *asType
		}
		return t
	}
	if op.kind == opTuple {
		for i := range op.tuple {
			v := &op.tuple[i]
			if i < len(x.Names) {
				p.declare(b.newCol(x.Names[i].Text, typeOf(v.t)), v.e, x.Names[i].Span, replaces)
				p.skipID(v, once)
			} else if style != stylePrint {
				p.addTuple(&op, v, typeOf(v.t), once)
			}
		}
		for i := len(op.tuple); i < len(x.Names); i++ {
			b.fail(x.Names[i].Span, "SEM0150", "the name has no corresponding value")
		}
		return
	}
	if len(x.Names) == 1 {
		t := op.typ()
		if t.isErr() {
			t = tUnknown
		}
		p.declare(b.newCol(x.Names[0].Text, typeOf(t)), op.expr(), x.Names[0].Span, replaces || op.col != nil)
		return
	}
	if op.kind != opErr {
		at := syntax.Span{Start: x.Start, End: x.Names[len(x.Names)-1].End}
		b.fail(at, "SEM0149", "the expression does not have several values")
	}
}

func orderOf(x syntax.Expr) syntax.Order {
	if o, ok := x.(*syntax.OrderedExpr); ok {
		return o.Order
	}
	return syntax.OrderDefault
}

// orderColumns sorts the columns of a wildcard.
func orderColumns(cols []*column, o syntax.Order) []*column {
	if o == syntax.OrderDefault {
		return cols
	}
	out := append([]*column(nil), cols...)
	less := func(a, b string) bool { return strings.ToUpper(a) < strings.ToUpper(b) }
	if o == syntax.OrderGrannyAsc || o == syntax.OrderGrannyDesc {
		less = naturalLess
	}
	sort.SliceStable(out, func(i, j int) bool {
		if o == syntax.OrderDesc || o == syntax.OrderGrannyDesc {
			return less(out[j].Name, out[i].Name)
		}
		return less(out[i].Name, out[j].Name)
	})
	return out
}

// naturalLess compares digits by their number: a2 before a10.
func naturalLess(a, b string) bool {
	a, b = strings.ToUpper(a), strings.ToUpper(b)
	for a != "" && b != "" {
		i, j := digits(a), digits(b)
		if i > 0 && j > 0 {
			x, y := strings.TrimLeft(a[:i], "0"), strings.TrimLeft(b[:j], "0")
			if len(x) != len(y) {
				return len(x) < len(y)
			}
			if x != y {
				return x < y
			}
			a, b = a[i:], b[j:]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// bindItems binds the expressions of a projection, each scalar.
func (b *binder) bindItems(xs []syntax.Expr) []operand {
	ops := make([]operand, len(xs))
	for i, x := range xs {
		ops[i] = b.item(x)
	}
	return ops
}

// item binds one expression of a projection.
func (b *binder) item(x syntax.Expr) operand {
	if o, ok := x.(*syntax.OrderedExpr); ok {
		return b.item(o.X)
	}
	inner := x
	if n, ok := x.(*syntax.NamedExpr); ok {
		inner = n.X
	}
	if _, ok := inner.(*syntax.Star); ok {
		return operand{kind: opStar, src: x}
	}
	op := b.expr(inner)
	if op.kind == opGroup {
		return op
	}
	b.wantScalar(&op, x)
	return op
}

func (b *binder) projectOp(in *table, x *syntax.ProjectOp) *table {
	p := b.newProjection()
	ops := b.bindItems(x.Items)
	for i, it := range x.Items {
		p.project(it, ops[i], styleProject, false, nil, "")
	}
	return b.projected(in, p)
}

// projected makes the Project node of p over in.
func (b *binder) projected(in *table, p *projection) *table {
	node := &plan.Project{Input: b.input(in), Items: b.distinctIDs(p), Serialized: b.windowed}
	b.windowed = false
	for _, c := range p.cols {
		c.ghost = false
	}
	return in.like(node, p.cols)
}

// distinctIDs gives items whose output ids are all different: a column handed on twice gets a second id.
func (b *binder) distinctIDs(p *projection) []plan.Item {
	seen := map[plan.ColID]bool{}
	for i, c := range p.cols {
		if seen[c.ID] {
			n := *c
			n.ID = b.newID()
			p.cols[i] = &n
		}
		seen[p.cols[i].ID] = true
	}
	return p.items()
}

// input is the node under an operator; columns inferred above it have no values there.
func (b *binder) input(t *table) plan.Node {
	if t.node == nil {
		return &plan.Values{Out: planCols(t.cols)}
	}
	return t.node
}

func (b *binder) extendOp(in *table, x *syntax.ExtendOp) *table {
	p := b.newProjection()
	ops := b.bindItems(x.Items)
	p.addAll(in.cols, false, true)
	for i, it := range x.Items {
		p.project(it, ops[i], styleExtend, false, nil, "")
	}
	return b.projected(in, p)
}

func (b *binder) serializeOp(in *table, x *syntax.SerializeOp) *table {
	b.queryParams(x.Params, paramsSerialize)
	ser := *in
	ser.serialized = true
	ser.index = nil
	ser.node = &plan.Serialize{Input: b.input(in)}
	if len(x.Items) == 0 {
		return &ser
	}
	old := b.row
	b.row = &ser
	p := b.newProjection()
	ops := b.bindItems(x.Items)
	p.addAll(ser.cols, false, true)
	for i, it := range x.Items {
		p.project(it, ops[i], styleProject, false, nil, "")
	}
	out := b.projected(&ser, p)
	b.row = old
	return out
}

func (b *binder) printOp(x *syntax.PrintOp) *table {
	in := &table{node: &plan.Values{Rows: oneRow}}
	p := b.newProjection()
	for i, it := range x.Items {
		op := b.item(it)
		p.project(it, op, stylePrint, false, nil, "print_"+itoa(i))
	}
	return b.projected(in, p)
}
