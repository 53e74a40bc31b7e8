package bind

import (
	"picket/kql/catalog"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"slices"
	"strings"
)

func lookupOperator(name string) (*catalog.Function, bool) { return catalog.LookupOperator(name) }

func (b *binder) unionOp(in *table, x *syntax.UnionOp) *table {
	b.queryParams(x.Params, paramsUnion)
	var tabs []*table
	if in != nil {
		tabs = append(tabs, in)
	}
	row, fuzzy := b.row, b.fuzzy
	b.row = nil
	if on, given := flag(x.Params, "isfuzzy"); given {
		b.fuzzy = on
	}
	for _, e := range x.Tables {
		if _, ok := e.(*syntax.Star); ok {
			tabs = append(tabs, b.searchTables(nil, e.Range())...)
			continue
		}
		op := b.exprIn(e, tableContext)
		switch op.kind {
		case opGroup:
			tabs = append(tabs, op.tabs...)
		case opErr:
		default:
			tabs = append(tabs, b.wantTable(&op, e))
		}
	}
	b.row, b.fuzzy = row, fuzzy
	return b.unionTables(tabs, param(x.Params, "withsource"), word(x.Params, "kind"))
}

// unified is an output column of a union with the input columns that feed it.
type unified struct {
	col  *column
	from []*column
}

// unify merges columns of one name and type; one name with several types becomes name_type each.
func (b *binder) unify(all []*column) []unified {
	var out []unified
	names := uniqueNames{}
	groups := map[string][]*column{}
	for _, c := range all {
		groups[c.Name] = append(groups[c.Name], c)
	}
	if !b.opt.Editor { // a column of one type keeps its name, and a made name gives way, wherever the two stand
		for name, g := range groups {
			if !slices.ContainsFunc(g, func(c *column) bool { return c.Type != g[0].Type }) {
				names.add(name)
			}
		}
	}
	for _, c := range all {
		g := groups[c.Name]
		if g == nil {
			continue
		}
		delete(groups, c.Name)
		var types []typ
		byType := map[value.Type][]*column{}
		for _, d := range g {
			if b.opt.Editor && len(g) > 2 && g[0].Type == g[1].Type && d.Type != g[0].Type {
				continue // the editor service loses a type that comes after two columns of another
			}
			if _, ok := byType[d.Type]; !ok {
				types = append(types, d.t)
			}
			byType[d.Type] = append(byType[d.Type], d)
		}
		for _, t := range types {
			cols := byType[t.v]
			ct := cols[0].t
			for _, d := range cols[1:] {
				if !ct.same(d.t) {
					ct = typ{v: ct.v}
				}
			}
			name := c.Name
			if len(types) > 1 {
				name = names.get(name + "_" + t.v.String())
			} else if b.opt.Editor {
				name = names.get(name)
			}
			out = append(out, unified{b.newCol(name, ct), cols})
		}
	}
	return out
}

// unionTables makes the union of tables; src is the withsource parameter or nil.
func (b *binder) unionTables(tabs []*table, src *syntax.Param, kind string) *table {
	// tables that don't exist were allowed by isfuzzy: their legs are dropped, their inferred columns stay
	var all []*column
	open := false
	var legs []*table
	for _, t := range tabs {
		open = open || t.open
		if !t.missing {
			legs = append(legs, t)
		}
	}
	for _, t := range tabs {
		if !t.missing || b.opt.Editor || len(legs) == 0 {
			all = append(all, t.cols...)
		}
	}
	merged := b.unify(all)
	if strings.EqualFold(kind, "inner") {
		k := 0
		for _, u := range merged {
			if len(u.from) >= len(legs) {
				merged[k] = u
				k++
			}
		}
		merged = merged[:k]
	}
	node := &plan.Union{}
	out := &table{node: node, open: open}
	out.missing = len(legs) == 0 && len(tabs) > 0
	if src != nil {
		name, _ := paramWord(src)
		c := b.newCol(name, tString)
		node.Source = c.ID
		out.cols = append(out.cols, c)
	}
	first := len(out.cols)
	for _, u := range merged {
		out.cols = append(out.cols, u.col)
	}
	feeds := make(map[*column]int, len(all)) // where an input column goes
	for j, u := range merged {
		for _, c := range u.from {
			feeds[c] = first + j
		}
	}
	other := b.otherScope(legs)
	for i, t := range legs {
		node.Inputs = append(node.Inputs, b.solid(t))
		m := make([]plan.ColID, len(out.cols))
		for _, c := range t.cols {
			if j, ok := feeds[c]; ok && m[j] == 0 {
				m[j] = c.ID
			}
		}
		node.Map = append(node.Map, m)
		node.Labels = append(node.Labels, b.label(t, i, other))
	}
	node.Out = planCols(out.cols)
	return out
}

// otherScope reports whether some leg reads another database: then all labels are qualified.
func (b *binder) otherScope(legs []*table) bool {
	for _, t := range legs {
		if s, ok := t.node.(*plan.Scan); ok && s.Database != "" {
			return true
		}
	}
	return false
}

// label is what withsource calls a leg.
func (b *binder) label(t *table, i int, qualified bool) string {
	name := t.name
	if name == "" {
		return "union_arg" + itoa(i)
	}
	if s, ok := t.node.(*plan.Scan); ok && qualified {
		db := s.Database
		if db == "" {
			return name
		}
		name = "database(\"" + db + "\")." + name
		if s.Cluster != "" {
			name = "cluster(\"" + s.Cluster + "\")." + name
		}
	}
	return name
}

// wildcard binds a name with asterisks where tables may stand.
func (b *binder) wildcard(x *syntax.WildcardName, s Scope, ctx context) operand {
	if ctx != tableContext {
		b.fail(x.Span, "SEM0268", "names with * are not allowed here")
		return errAt(x)
	}
	op := operand{kind: opGroup, src: x}
	if s == (Scope{}) {
		s = b.db
	}
	for _, n := range b.schema.Tables(s) {
		if wildcardMatch(x.Pattern, n) {
			if t := b.scan(s, n, x.Span); t != nil {
				op.tabs = append(op.tabs, t)
			}
		}
	}
	if s == b.db {
		for _, y := range b.views() {
			if wildcardMatch(x.Pattern, y.name) {
				if v := b.symbolOp(&syntax.NameRef{Span: x.Span, Name: y.name}, y); v.kind == opTable {
					v.tab.name = y.name
					op.tabs = append(op.tabs, v.tab)
				}
			}
		}
	}
	switch len(op.tabs) {
	case 0:
		if b.fuzzy {
			return tableOp(x, b.openTable(x.Pattern))
		}
		b.fail(x.Span, "SEM0100", "the name %s does not match any table", quoteName(x.Pattern))
		return errAt(x)
	case 1:
		return tableOp(x, op.tabs[0])
	}
	return op
}

// views lists the let-defined views in scope.
func (b *binder) views() []*symbol {
	var out []*symbol
	seen := map[string]bool{}
	b.local.each(func(y *symbol) {
		if y.op.kind == opFunc && y.op.fn.view && y.op.fn.minArgs() == 0 && !seen[y.name] {
			seen[y.name] = true
			out = append(out, y)
		}
	})
	return out
}
