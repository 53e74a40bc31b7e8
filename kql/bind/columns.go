package bind

import (
	"path"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
)

// wildcardMatch matches a name against a pattern with asterisks; case matters.
func wildcardMatch(pattern, name string) bool {
	if !strings.ContainsAny(pattern, "?[\\") {
		ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
		return err == nil && ok
	}
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	for i, p := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(name, p)
		}
		k := strings.Index(name, p)
		if k < 0 {
			return false
		}
		name = name[k+len(p):]
	}
	return name == ""
}

// columnList binds the names of project-away, project-keep and project-reorder.
func (b *binder) columnList(xs []syntax.Expr) []operand {
	ops := make([]operand, len(xs))
	for i, x := range xs {
		ops[i] = b.columnName(x)
	}
	return ops
}

func (b *binder) columnName(x syntax.Expr) operand {
	switch y := x.(type) {
	case *syntax.OrderedExpr:
		return b.columnName(y.X)
	case *syntax.Star:
		op := operand{kind: opGroup, src: x}
		op.cols = append(op.cols, b.row.cols...)
		return op
	case *syntax.WildcardName:
		op := operand{kind: opGroup, src: x}
		for _, c := range b.row.cols {
			if wildcardMatch(y.Pattern, c.Name) {
				op.cols = append(op.cols, c)
			}
		}
		if len(op.cols) == 0 && !b.row.open {
			b.fail(y.Span, "SEM0100", "the name %s does not match any column", quoteName(y.Pattern))
			return errAt(x)
		}
		if len(op.cols) == 1 {
			return b.columnOp(x, op.cols[0])
		}
		return op
	}
	return b.expr(x)
}

// listed gives the names of the columns listed.
func (b *binder) listed(xs []syntax.Expr, ops []operand) map[string]bool {
	out := map[string]bool{}
	for i := range ops {
		op := &ops[i]
		switch {
		case op.col != nil:
			out[op.col.Name] = true
		case op.kind == opGroup:
			for _, c := range op.cols {
				out[c.Name] = true
			}
		default:
			b.fail(xs[i].Range(), "SEM0109", "a column name is expected here")
		}
	}
	return out
}

// keep projects the columns for which f is true.
func (b *binder) keep(in *table, f func(*column) bool) *table {
	p := b.newProjection()
	for _, c := range in.cols {
		if f(c) {
			p.cols = append(p.cols, c)
			p.exprs = append(p.exprs, b.ref(c, plan.Span{}))
		}
	}
	return b.projected(in, p)
}

func (b *binder) projectAway(in *table, x *syntax.ProjectAwayOp) *table {
	names := b.listed(x.Names, b.columnList(x.Names))
	return b.keep(in, func(c *column) bool { return !names[c.Name] })
}

func (b *binder) projectKeep(in *table, x *syntax.ProjectKeepOp) *table {
	names := b.listed(x.Names, b.columnList(x.Names))
	return b.keep(in, func(c *column) bool { return names[c.Name] })
}

func (b *binder) projectRename(in *table, x *syntax.ProjectRenameOp) *table {
	p := b.newProjection()
	p.addAll(in.cols, true, true)
	for _, it := range x.Items {
		n, ok := it.(*syntax.NamedExpr)
		if !ok || n.Tuple || len(n.Names) == 0 {
			b.fail(it.Range(), "SEM0110", "new = old is expected here")
			continue
		}
		op := b.expr(n.X)
		if op.col == nil {
			b.fail(n.X.Range(), "SEM0109", "a column name is expected here")
			continue
		}
		p.rename(op.col.Name, n.Names[0])
	}
	return b.projected(in, p)
}

func (p *projection) rename(old string, to *syntax.Name) {
	i, ok := p.at[old]
	if !ok {
		if len(p.cols) < len(p.b.row.cols) { // an open table's column met here first
			p.addAll(p.b.row.cols[len(p.cols):], true, true)
			i, ok = p.at[old]
		}
		if !ok {
			return
		}
	}
	if p.declared[to.Text] {
		p.b.fail(to.Span, "SEM0171", "a column with the name %s is already declared", quoteName(to.Text))
		return
	}
	p.cols[i] = p.renamed(p.cols[i], to.Text)
	delete(p.at, old)
	p.at[to.Text] = i
	p.declared[to.Text] = true
	p.names.add(to.Text)
}

func (b *binder) projectReorder(in *table, x *syntax.ProjectReorderOp) *table {
	p := b.newProjection()
	for _, it := range x.Items {
		op := b.columnName(it)
		if op.kind == opGroup {
			for _, c := range orderColumns(op.cols, orderOf(it)) {
				p.add(c, b.ref(c, plan.Span{}), "", false, true)
			}
			continue
		}
		if !b.wantScalar(&op, it) {
			continue
		}
		p.project(it, op, styleReorder, true, nil, "")
	}
	p.addAll(in.cols, false, false)
	return b.projected(in, p)
}

func (b *binder) projectByNames(in *table, x *syntax.ProjectByNamesOp) *table {
	p := b.newProjection()
	for _, it := range x.Items {
		op := b.expr(it)
		v := constValue(op.expr())
		if v == nil {
			continue
		}
		var names []string
		switch v.Type {
		case value.String:
			names = []string{v.S}
		case value.Dynamic:
			switch d := v.D.(type) {
			case string:
				names = []string{d}
			case []any:
				for _, e := range d {
					if s, ok := e.(string); ok {
						names = append(names, s)
					}
				}
			}
		}
		for _, n := range names {
			for _, c := range in.cols {
				if c.Name == n || strings.Contains(n, "*") && wildcardMatch(n, c.Name) {
					p.add(c, b.ref(c, plan.Span{}), "", false, true)
				}
			}
		}
	}
	return b.projected(in, p)
}

func (b *binder) getSchemaOp(in *table, x *syntax.GetSchemaOp) *table {
	str := func(s string) value.Value { return value.Value{Type: value.String, S: s} }
	if x.Kind != nil {
		if w, _ := paramWord(x.Kind); w == "csl" {
			c := b.newCol("Schema", tString)
			parts := make([]string, len(in.cols))
			for i, ic := range in.cols {
				parts[i] = ic.Name + ":" + ic.Type.String()
			}
			return &table{cols: []*column{c}, serialized: true, node: &plan.Values{Out: []plan.Col{c.Col}, Rows: [][]value.Value{{str(strings.Join(parts, ","))}}}}
		}
	}
	cols := []*column{b.newCol("ColumnName", tString), b.newCol("ColumnOrdinal", tLong), b.newCol("DataType", tString), b.newCol("ColumnType", tString)}
	rows := make([][]value.Value, len(in.cols))
	for i, c := range in.cols {
		rows[i] = []value.Value{str(c.Name), {Type: value.Long, I: int64(i)}, str(clrName(c.Type)), str(c.Type.String())}
	}
	return &table{cols: cols, serialized: true, node: &plan.Values{Out: planCols(cols), Rows: rows}}
}

// clrName is the DataType that getschema shows.
func clrName(t value.Type) string {
	switch t {
	case value.Bool:
		return "System.SByte"
	case value.Int:
		return "System.Int32"
	case value.Long:
		return "System.Int64"
	case value.Real:
		return "System.Double"
	case value.Decimal:
		return "System.Data.SqlTypes.SqlDecimal"
	case value.String:
		return "System.String"
	case value.Datetime:
		return "System.DateTime"
	case value.Timespan:
		return "System.TimeSpan"
	case value.GUID:
		return "System.Guid"
	}
	return "System.Object"
}
