package bind

import (
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

// findOp looks for rows in several tables and shows their common columns.
func (b *binder) findOp(in *table, x *syntax.FindOp) *table {
	b.queryParams(x.Params, paramsFind)
	if in != nil {
		b.fail(b.keyword(x), "SEM0175", "find must be the first operator of the query")
	}
	s := &searchScope{refs: map[string]bool{}}
	tabs := b.searchTables(x.In, x.Span)
	scope := b.mergedByName(tabs)
	b.searchPredicate(scope, x.Pred, s)

	// tables with none of the columns that the predicate names have no part in it
	var ref []*table
	for _, t := range tabs {
		if len(tabs) == 1 || s.star || t.open {
			ref = append(ref, t)
			continue
		}
		for n := range s.refs {
			if t.find(n) != nil {
				ref = append(ref, t)
				break
			}
		}
	}
	src := "source_"
	if p := param(x.Params, "withsource"); p != nil {
		src, _ = paramWord(p)
	}
	out := b.findColumns(x, scope, ref, s)
	b.findAway(x, &out)

	// the output: the source, then each column from the tables that have it
	node := &plan.Union{}
	res := &table{node: node}
	srcCol := b.newCol(src, tString)
	node.Source = srcCol.ID
	res.cols = append(res.cols, srcCol)
	for _, c := range out {
		res.cols = append(res.cols, c.col)
	}
	for _, t := range ref {
		res.open = res.open || t.open && x.Project == nil
		if t.missing {
			continue
		}
		leg, m := b.findLeg(t, scope, x, s, out)
		node.Inputs = append(node.Inputs, leg.node)
		node.Map = append(node.Map, append([]plan.ColID{0}, m...))
		name := t.name
		if name == "" {
			name = "union_arg" + itoa(len(node.Labels))
		}
		node.Labels = append(node.Labels, name)
	}
	node.Out = planCols(res.cols)
	return res
}

// findColumn is an output column of find.
type findColumn struct {
	col  *column
	name string     // of the tables' columns
	t    value.Type // Invalid: any type of that name
	pack bool
	conv bool // convert to col's type
}

// mergedByName is the columns of all tables, one a name.
func (b *binder) mergedByName(tabs []*table) *table {
	m := &table{node: &plan.Values{}}
	at := map[string]int{}
	for _, t := range tabs {
		m.open = m.open || t.open
		for _, c := range t.cols {
			i, ok := at[c.Name]
			if !ok {
				at[c.Name] = len(m.cols)
				m.cols = append(m.cols, b.newCol(c.Name, c.t))
				continue
			}
			if have := m.cols[i]; have.Type != c.Type {
				u, ok := common(have.t, c.t, convPromotable)
				if !ok {
					u = tDynamic
				}
				have.t, have.Type = u, u.v
			}
		}
	}
	return m
}

// findColumns settles the output of find, without its source column.
func (b *binder) findColumns(x *syntax.FindOp, scope *table, ref []*table, s *searchScope) []findColumn {
	var out []findColumn
	addPack := func() {
		out = append(out, findColumn{col: b.newCol("pack_", tDynamic), pack: true})
	}
	if x.Project != nil && !x.ProjectSmart {
		for i, c := range x.Project {
			switch {
			case c.Pack:
				if i < len(x.Project)-1 {
					b.fail(c.Span, "SEM0185", "pack(*) must be the last item")
				}
				addPack()
			case c.Name != nil:
				sc := scope.find(c.Name.Name)
				if sc == nil && scope.open {
					sc = b.infer(scope, c.Name.Name)
				}
				if sc == nil {
					b.failHint(c.Name.Span, "SEM0100", "", "the name %s does not refer to any known column", quoteName(c.Name.Name))
					continue
				}
				fc := findColumn{name: sc.Name, col: b.newCol(sc.Name, sc.t)}
				if c.Type != nil {
					fc.col = b.newCol(sc.Name, b.declared(c.Type))
				}
				fc.conv = true
				out = append(out, fc)
			}
		}
		return out
	}
	// the columns that all tables have, then those that the predicate names, then the rest packed
	var names []string
	seen := map[string]bool{}
	if len(ref) > 0 {
		for _, c := range ref[0].cols {
			all := true
			for _, t := range ref[1:] {
				all = all && t.find(c.Name) != nil
			}
			if all {
				names = append(names, c.Name)
				seen[c.Name] = true
			}
		}
	}
	commonN := len(names)
	common := b.mergedByName(ref)
	for _, c := range scope.cols {
		if s.refs[c.Name] && !seen[c.Name] {
			names = append(names, c.Name)
			seen[c.Name] = true
		}
	}
	for i, n := range names {
		var types []value.Type
		have := map[value.Type]bool{}
		for _, t := range ref {
			if c := t.find(n); c != nil && !have[c.Type] {
				have[c.Type] = true
				types = append(types, c.Type)
			}
		}
		if len(types) <= 1 || i < commonN {
			sc := common.find(n)
			if sc == nil {
				sc = scope.find(n)
			}
			out = append(out, findColumn{name: n, col: b.newCol(n, sc.t), conv: true})
			continue
		}
		for _, t := range types {
			out = append(out, findColumn{name: n, t: t, col: b.newCol(n+"_"+t.String(), scalar(t))})
		}
	}
	for _, t := range ref {
		if t.open {
			continue
		}
		for _, c := range t.cols {
			if !seen[c.Name] {
				addPack()
				return out
			}
		}
	}
	return out
}

// findAway drops what project-away names.
func (b *binder) findAway(x *syntax.FindOp, out *[]findColumn) {
	if len(x.ProjectAway) == 0 {
		return
	}
	explicit := false
	for _, c := range x.Project {
		explicit = explicit || c.Pack
	}
	drop := map[string]bool{}
	star := false
	for _, c := range x.ProjectAway {
		if c.Star {
			star = true
		}
		if c.Name != nil {
			drop[c.Name.Name] = true
		}
	}
	k := 0
	for _, c := range *out {
		if star && !(c.pack && explicit) || drop[c.col.Name] {
			continue
		}
		(*out)[k] = c
		k++
	}
	*out = (*out)[:k]
}

// findLeg filters one table and computes its share of the output.
func (b *binder) findLeg(t, scope *table, x *syntax.FindOp, s *searchScope, out []findColumn) (*table, []plan.ColID) {
	failed := b.failed
	b.quiet++
	leg := *t
	leg.index, leg.open, leg.rest = nil, false, scope
	pred := b.searchPredicate(&leg, x.Pred, s)
	b.quiet--
	b.failed = failed
	f := b.filter(t, pred)
	m := make([]plan.ColID, len(out))
	shown := map[string]bool{}
	for _, o := range out {
		shown[o.name] = true
	}
	var items []plan.Item
	for i, o := range out {
		if o.pack {
			es := []plan.Expr{}
			for _, c := range t.cols {
				if !shown[c.Name] && !c.ghost {
					es = append(es, plan.Str(c.Name), b.ref(c, plan.Span{}))
				}
			}
			c := b.newCol("pack_", tDynamic)
			var e plan.Expr = plan.Null(value.Dynamic)
			if len(es) > 0 {
				e = b.call("bag_pack", value.Dynamic, plan.Span{}, es...)
			}
			items = append(items, plan.Item{Col: c.Col, Expr: e})
			m[i] = c.ID
			continue
		}
		c := t.find(o.name)
		if c == nil || c.ghost || o.t != value.Invalid && o.t != c.Type {
			continue
		}
		e := b.ref(c, plan.Span{})
		if o.conv {
			e = b.coerce(e, c.t, o.col.Type)
		}
		n := b.newCol(o.name, o.col.t)
		items = append(items, plan.Item{Col: n.Col, Expr: e})
		m[i] = n.ID
	}
	node := &plan.Project{Input: b.input(f), Items: items}
	return &table{node: node}, m
}
