package syntax

func (p *printer) expr(x Expr) {
	switch x := x.(type) {
	case nil:
	case *BadExpr:
	case *NameRef:
		p.nameRef(x)
	case *WildcardName:
		if x.Bracketed {
			p.str("[", x.Pattern, "]")
		} else {
			p.str(x.Pattern)
		}
	case *Star:
		p.str("*")
	case *At:
		p.str("@")
	case *PathExpr:
		p.expr(x.X)
		p.str(".")
		p.expr(x.Member)
	case *IndexExpr:
		p.expr(x.X)
		p.str("[")
		p.expr(x.Index)
		p.str("]")
	case *IndexSel:
		p.str("[")
		p.expr(x.Index)
		p.str("]")
	case *ScopeExpr:
		p.expr(x.X)
		p.str(" datascope=", x.Scope.Text)
	case *Call:
		p.call(x)
	case *NamedExpr:
		p.named(x)
	case *ParenExpr:
		p.block("(", x.X, ")")
	case *UnaryExpr:
		p.str(x.Op.Text())
		p.expr(x.X)
	case *BinaryExpr:
		p.binary(x)
	case *InExpr:
		p.expr(x.X)
		p.str(" ", x.Op.Text(), " ")
		if len(x.List) == 1 {
			p.block("(", x.List[0], ")")
			break
		}
		p.str("(")
		p.list(x.List)
		p.str(")")
	case *BetweenExpr:
		p.expr(x.X)
		p.str(" ", x.Op.Text(), " (")
		p.expr(x.Low)
		p.str(" .. ")
		p.expr(x.High)
		p.str(")")
	case *OrderedExpr:
		p.expr(x.X)
		p.str([...]string{"", " asc", " desc", " granny-asc", " granny-desc"}[x.Order])
		p.str([...]string{"", " nulls first", " nulls last"}[x.Nulls])
	case *Literal:
		p.literal(x)
	case *NullLit:
		p.str("null")
	case *DynamicLit:
		p.str("dynamic(")
		p.expr(x.Value)
		p.str(")")
	case *ArrayLit:
		p.str("[")
		p.list(x.Elems)
		p.str("]")
	case *ObjectLit:
		p.str("{")
		for i, q := range x.Pairs {
			p.comma(i)
			p.str(Quote(q.Key), ": ")
			p.expr(q.Value)
		}
		p.str("}")
	case *TypeOf:
		p.typeOf(x)
	case *PipeExpr:
		p.pipe(x)
	case *DataTable:
		p.dataTable(x)
	case *ContextualDataTable:
		p.str("__contextual_datatable ")
		p.signed(x.ID)
		p.str(" ")
		p.schema(x.Schema)
	case *ExternalData:
		p.str("externaldata")
		p.params(x.Params)
		p.str(" ")
		p.schema(x.Schema)
		p.str(" [")
		p.list(x.URIs)
		p.str("]")
		p.with(x.With)
	case *InlineExternalTable:
		p.inlineExternalTable(x)
	case *MaterializedViewCombine:
		p.str("materialized-view-combine ")
		p.block("(", x.View, ")")
		p.block(" base (", x.Base, ")")
		p.block(" delta (", x.Delta, ")")
		p.str(" aggregations (")
		if x.Aggregations != nil {
			p.operator(x.Aggregations)
		}
		p.str(")")
	case *Lambda:
		if x.View {
			p.str("view ")
		}
		p.funcParams(x.Params)
		p.str(" ")
		p.body(x.Body)
	case *EntityGroup:
		p.str("entity_group [")
		p.list(x.Entities)
		p.str("]")
	case *NameList:
		for i, r := range x.Names {
			p.comma(i)
			p.nameRef(r)
		}
	}
}

// signed writes an expression where a literal with a sign would be taken as one: a sign of its own is set apart.
func (p *printer) signed(x Expr) {
	if u, ok := x.(*UnaryExpr); ok {
		p.str(u.Op.Text(), " ")
		x = u.X
	}
	p.expr(x)
}

func (p *printer) call(c *Call) {
	p.nameRef(c.Name)
	if c.Kind != nil {
		p.str(" ")
		p.param(c.Kind)
		p.str(" ")
	}
	if len(c.Args) == 1 {
		p.block("(", c.Args[0], ")")
		return
	}
	p.str("(")
	p.list(c.Args)
	p.str(")")
}

func (p *printer) named(x *NamedExpr) {
	if x.Tuple {
		p.str("(")
	}
	for i, n := range x.Names {
		p.comma(i)
		p.name(n)
	}
	if x.Tuple {
		p.str(")")
	}
	p.str(" = ")
	p.expr(x.X)
}

// binary writes a chain of left operands without recursion, since chains may be long.
func (p *printer) binary(x *BinaryExpr) {
	var chain []*BinaryExpr
	var left Expr = x
	for {
		b, ok := left.(*BinaryExpr)
		if !ok {
			break
		}
		chain = append(chain, b)
		left = b.X
	}
	p.expr(left)
	for i := len(chain) - 1; i >= 0; i-- {
		b := chain[i]
		if b.Op == OpSearch {
			p.str(":")
		} else {
			p.str(" ", b.Op.Text(), " ")
		}
		p.expr(b.Y)
	}
}

func (p *printer) typeOf(t *TypeOf) {
	p.str("typeof(")
	if t.Type != nil {
		p.typeRef(t.Type)
	} else {
		n := 0
		if t.Star {
			p.str("*")
			n++
		}
		for _, c := range t.Columns {
			p.comma(n)
			n++
			p.typedName(c)
		}
	}
	p.str(")")
}

// block writes an expression between brackets; a pipeline goes on rows of its own.
func (p *printer) block(open string, x Expr, shut string) {
	q, ok := x.(*PipeExpr)
	if !ok || q.Input == nil && !p.hasComment(q.Span) {
		p.str(open)
		p.expr(x)
		p.str(shut)
		return
	}
	p.str(open)
	p.indent++
	p.nl()
	p.flush(q.Start)
	p.pipe(q)
	p.indent--
	p.nl()
	p.flush(q.End)
	p.str(shut)
}

// pipe writes a pipeline, one operator a row.
func (p *printer) pipe(x *PipeExpr) {
	var chain []*PipeExpr
	var input Expr = x
	for {
		q, ok := input.(*PipeExpr)
		if !ok {
			break
		}
		chain = append(chain, q)
		input = q.Input
	}
	if input != nil {
		p.expr(input)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		q := chain[i]
		if q.Input != nil {
			p.nl()
			p.flush(q.Op.Range().Start)
			p.str("| ")
		}
		p.operator(q.Op)
	}
}

func (p *printer) dataTable(d *DataTable) {
	p.str("datatable")
	p.params(d.Params)
	p.str(" ")
	p.schema(d.Schema)
	p.str(" [")
	n := len(d.Schema.Columns)
	if n == 0 || len(d.Values) <= n {
		p.list(d.Values)
		p.str("]")
		return
	}
	p.indent++
	for i, v := range d.Values {
		switch {
		case i%n == 0:
			p.nl()
		default:
			p.str(" ")
		}
		p.expr(v)
		if i < len(d.Values)-1 {
			p.str(",")
		}
	}
	p.indent--
	p.nl()
	p.str("]")
}

func (p *printer) inlineExternalTable(x *InlineExternalTable) {
	p.str("inline_external_table ")
	if x.Schema != nil {
		p.schema(x.Schema)
		p.str(" ")
	}
	p.str("kind=", x.Kind.Text)
	if x.Partition != nil {
		p.str(" partition by (")
		for i, c := range x.Partition {
			p.comma(i)
			p.name(c.Name)
			p.str(":")
			p.typeRef(c.Type)
			if c.X != nil {
				p.str(" = ")
				p.expr(c.X)
			}
		}
		p.str(")")
	}
	if f := x.PathFormat; f != nil {
		p.str(" pathformat = (")
		if f.Prefix != "" {
			p.str(Quote(f.Prefix), " ")
		}
		for i, q := range f.Parts {
			if i > 0 {
				p.str(" ")
			}
			if q.Pattern != "" {
				p.str("datetime_pattern(", Quote(q.Pattern), ", ")
				p.nameRef(q.Column)
				p.str(")")
			} else {
				p.nameRef(q.Column)
			}
			if q.After != "" {
				p.str(" ", Quote(q.After))
			}
		}
		p.str(")")
	}
	if x.DataFormat != nil {
		p.str(" dataformat=", x.DataFormat.Text)
	}
	p.str(" (")
	p.list(x.URIs)
	p.str(")")
	p.with(x.With)
}
