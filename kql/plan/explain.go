package plan

import (
	"fmt"
	"picket/kql/value"
	"sort"
	"strconv"
	"strings"
)

// Explain prints a tree, one node a line, inputs indented below, each with its output columns as name#id:type.
func Explain(n Node) string {
	var b strings.Builder
	explain(&b, n, 0, "")
	return b.String()
}

// String prints all results and shared sub-plans.
func (q *Query) String() string {
	var b strings.Builder
	names := make([]string, 0, len(q.Settings))
	for k := range q.Settings {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		fmt.Fprintf(&b, "set %s = %s\n", k, Literal(q.Settings[k]))
	}
	for _, s := range q.Shared {
		fmt.Fprintf(&b, "shared %d %s", s.ID, s.Name)
		if s.Materialized {
			b.WriteString(" materialized")
		}
		b.WriteString("\n")
		explain(&b, s.Node, 1, "")
	}
	for i, r := range q.Results {
		fmt.Fprintf(&b, "result %d", i)
		if r.Name != "" {
			fmt.Fprintf(&b, " %q", r.Name)
		}
		if r.Render != nil {
			fmt.Fprintf(&b, " render %s", r.Render.Kind)
		}
		b.WriteString("\n")
		explain(&b, r.Node, 1, "")
	}
	return b.String()
}

func explain(b *strings.Builder, n Node, depth int, label string) {
	b.WriteString(strings.Repeat("  ", depth))
	b.WriteString(label)
	if n == nil {
		b.WriteString("<nil>\n")
		return
	}
	b.WriteString(Describe(n))
	b.WriteString("  → ")
	if g, ok := n.(Graph); ok {
		b.WriteString("nodes" + colList(g.NodeCols()) + " edges" + colList(g.EdgeCols()))
	} else {
		b.WriteString(colList(n.Cols()))
	}
	b.WriteByte('\n')
	in := Inputs(n)
	for i, x := range in {
		l := ""
		switch n.(type) {
		case *MvApply, *Partition:
			if i == 1 {
				l = "each: "
			}
		case *MakeGraph:
			if i > 0 {
				l = "nodes: "
			}
		}
		explain(b, x, depth+1, l)
	}
	Exprs(n, func(e Expr) {
		WalkExpr(e, func(e Expr) bool {
			switch e := e.(type) {
			case *ScalarSub:
				explain(b, e.Node, depth+2, "toscalar: ")
			case *InSub:
				explain(b, e.Node, depth+2, "in: ")
			case *TableArg:
				explain(b, e.Node, depth+2, "table: ")
			}
			return true
		})
	})
}

func colList(cs []Col) string {
	p := make([]string, len(cs))
	for i, c := range cs {
		p[i] = fmt.Sprintf("%s#%d:%s", c.Name, c.ID, c.Type)
	}
	return "(" + strings.Join(p, ", ") + ")"
}

// Describe gives one line for a node, without its inputs and columns.
func Describe(n Node) string {
	items := func(its []Item) string {
		p := make([]string, 0, len(its))
		for _, it := range its {
			if it.PassThrough() {
				if r := it.Expr.(*ColRef); r.Name != it.Col.Name {
					p = append(p, it.Col.Name+"="+ExprString(it.Expr))
				} else {
					p = append(p, ExprString(it.Expr))
				}
				continue
			}
			p = append(p, fmt.Sprintf("%s#%d=%s", it.Col.Name, it.Col.ID, ExprString(it.Expr)))
		}
		return strings.Join(p, ", ")
	}
	aggs := func(as []Agg) string {
		p := make([]string, 0, len(as))
		for _, a := range as {
			p = append(p, colList(a.Out)+"="+ExprString(a.Call))
		}
		return strings.Join(p, ", ")
	}
	keys := func(ks []SortKey) string {
		p := make([]string, 0, len(ks))
		for _, k := range ks {
			s := ExprString(k.Expr)
			if k.Desc {
				s += " desc"
			} else {
				s += " asc"
			}
			if k.NullsFirst {
				s += " nulls first"
			} else {
				s += " nulls last"
			}
			p = append(p, s)
		}
		return strings.Join(p, ", ")
	}
	expand := func(es []Expand) string {
		p := make([]string, 0, len(es))
		for _, e := range es {
			p = append(p, fmt.Sprintf("%s#%d=%s", e.Out.Name, e.Out.ID, ExprString(e.X)))
		}
		return strings.Join(p, ", ")
	}
	pats := func(ps []Pattern) string {
		p := make([]string, 0, len(ps))
		for _, pt := range ps {
			var s strings.Builder
			for _, e := range pt {
				switch {
				case !e.Edge:
					s.WriteString("(" + e.Name + ")")
				case e.Variable:
					fmt.Fprintf(&s, "-[%s*%d..%d]-", e.Name, e.Min, e.Max)
				default:
					s.WriteString("-[" + e.Name + "]-")
				}
				if e.Edge && !e.Reverse && !e.Undir {
					s.WriteString(">")
				}
			}
			p = append(p, s.String())
		}
		return strings.Join(p, ", ")
	}
	switch n := n.(type) {
	case *Scan:
		return "Scan " + n.Table
	case *Values:
		return fmt.Sprintf("Values %d rows", len(n.Rows))
	case *Range:
		return fmt.Sprintf("Range %s .. %s step %s", ExprString(n.From), ExprString(n.To), ExprString(n.Step))
	case *Filter:
		return "Filter " + ExprString(n.Pred)
	case *Project:
		return "Project " + items(n.Items)
	case *Summarize:
		return "Summarize " + aggs(n.Aggs) + " by " + items(n.Keys)
	case *Sort:
		return "Sort " + keys(n.Keys)
	case *Top:
		return "Top " + ExprString(n.N) + " by " + keys(n.Keys)
	case *Take:
		return "Take " + ExprString(n.N)
	case *Sample:
		return "Sample " + ExprString(n.N)
	case *SampleDistinct:
		return "SampleDistinct " + ExprString(n.N) + " of " + ExprString(n.By.Expr)
	case *Join:
		p := make([]string, 0, len(n.On))
		for _, k := range n.On {
			p = append(p, ExprString(k.L)+" == "+ExprString(k.R))
		}
		return "Join " + n.Kind.String() + " on " + strings.Join(p, ", ")
	case *Union:
		return fmt.Sprintf("Union %d inputs", len(n.Inputs))
	case *MvExpand:
		return "MvExpand " + expand(n.Expand)
	case *MvApply:
		return fmt.Sprintf("MvApply #%d %s", n.ID, expand(n.Expand))
	case *Correlated:
		return fmt.Sprintf("Correlated #%d", n.ID)
	case *Partition:
		return fmt.Sprintf("Partition #%d by %s", n.ID, ExprString(n.Key))
	case *Serialize:
		return "Serialize"
	case *Consume:
		return "Consume"
	case *ExternalRel:
		return fmt.Sprintf("rows of SQL %d", n.ID)
	case *SharedRef:
		return fmt.Sprintf("SharedRef %d", n.ID)
	case *ExternalData:
		return "ExternalData " + exprList(n.URIs)
	case *Evaluate:
		s := "Evaluate " + n.Plugin + "(" + exprList(n.Args) + ")"
		if n.Dynamic {
			s += " dynamic-schema"
		}
		return s
	case *Parse:
		p := make([]string, 0, len(n.Parts))
		for _, x := range n.Parts {
			switch {
			case x.Star:
				p = append(p, "*")
			case x.Col.ID != 0:
				p = append(p, fmt.Sprintf("%s#%d:%s", x.Col.Name, x.Col.ID, x.Col.Type))
			default:
				p = append(p, strconv.Quote(x.Text))
			}
		}
		s := "Parse "
		if n.Where {
			s = "ParseWhere "
		}
		return s + n.Kind.String() + " " + ExprString(n.X) + " with " + strings.Join(p, " ")
	case *ParseKv:
		return "ParseKv " + ExprString(n.X) + " as " + colList(n.Keys)
	case *MakeSeries:
		p := make([]string, 0, len(n.Aggs))
		for _, a := range n.Aggs {
			p = append(p, fmt.Sprintf("%s#%d=%s", a.Col.Name, a.Col.ID, ExprString(a.Call)))
		}
		return "MakeSeries " + strings.Join(p, ", ") + " on " + ExprString(n.Axis.Expr) + " from " + ExprString(n.From) +
			" to " + ExprString(n.To) + " step " + ExprString(n.Step) + " by " + items(n.Keys)
	case *ScanSteps:
		p := make([]string, 0, len(n.Steps))
		for _, s := range n.Steps {
			p = append(p, s.Name+": "+ExprString(s.Cond))
		}
		return "ScanSteps " + strings.Join(p, "; ")
	case *TopNested:
		p := make([]string, 0, len(n.Levels))
		for _, l := range n.Levels {
			p = append(p, ExprString(l.N)+" of "+ExprString(l.By.Expr)+" by "+ExprString(l.Agg.Call))
		}
		return "TopNested " + strings.Join(p, ", ")
	case *TopHitters:
		return "TopHitters " + ExprString(n.N) + " of " + ExprString(n.By.Expr) + " by " + ExprString(n.Weight)
	case *Reduce:
		return "Reduce " + ExprString(n.X)
	case *MakeGraph:
		return "MakeGraph " + ExprString(&n.Source) + " --> " + ExprString(&n.Target)
	case *GraphPersisted:
		return "GraphPersisted " + ExprString(n.Name)
	case *GraphMarkComponents:
		return "GraphMarkComponents " + n.Kind
	case *GraphWhereNodes:
		return "GraphWhereNodes " + ExprString(n.Pred)
	case *GraphWhereEdges:
		return "GraphWhereEdges " + ExprString(n.Pred)
	case *GraphMatch:
		return "GraphMatch " + pats(n.Patterns) + " where " + ExprString(n.Where) + " project " + items(n.Items)
	case *GraphShortestPaths:
		return "GraphShortestPaths " + pats(n.Patterns) + " where " + ExprString(n.Where) + " project " + items(n.Items)
	case *GraphToTable:
		if n.Edges {
			return "GraphToTable edges"
		}
		return "GraphToTable nodes"
	}
	return fmt.Sprintf("%T", n)
}

func exprList(es []Expr) string {
	p := make([]string, len(es))
	for i, e := range es {
		p[i] = ExprString(e)
	}
	return strings.Join(p, ", ")
}

// ExprString prints an expression: columns as name#id, calls as name(args). A nil expression prints as "-".
func ExprString(e Expr) string {
	switch e := e.(type) {
	case nil:
		return "-"
	case *Const:
		return Literal(e.Val)
	case *ColRef:
		return fmt.Sprintf("%s#%d", e.Name, e.ID)
	case *Call:
		return e.Name + "(" + exprList(e.Args) + ")"
	case *AggCall:
		if e == nil {
			return "-"
		}
		return e.Name + "(" + exprList(e.Args) + ")"
	case *ScalarSub:
		return "toscalar(…)"
	case *InSub:
		return e.Op + "(" + ExprString(e.X) + ", table)"
	case *OuterRef:
		return fmt.Sprintf("outer#%d", e.ID)
	case *GraphVar:
		return e.Name
	case *TableArg:
		return "table"
	case *Star:
		return "*"
	}
	return fmt.Sprintf("%T", e)
}

// Literal prints a constant so that a person can read it; times are raw ticks.
func Literal(v value.Value) string {
	if v.Null {
		return v.Type.String() + "(null)"
	}
	switch v.Type {
	case value.Bool:
		return strconv.FormatBool(v.I != 0)
	case value.Long:
		return strconv.FormatInt(v.I, 10)
	case value.Int, value.Datetime, value.Timespan:
		return fmt.Sprintf("%s(%d)", v.Type, v.I)
	case value.Real:
		return strconv.FormatFloat(v.F, 'g', -1, 64)
	case value.String:
		return strconv.Quote(v.S)
	case value.Decimal:
		return "decimal(" + v.M.String() + ")"
	case value.GUID:
		g := v.G
		return fmt.Sprintf("guid(%x-%x-%x-%x-%x)", g[0:4], g[4:6], g[6:8], g[8:10], g[10:])
	case value.Dynamic:
		return "dynamic(" + element(v.D) + ")"
	}
	return v.Type.String()
}

func element(d any) string {
	switch d := d.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(d)
	case []any:
		p := make([]string, len(d))
		for i := range d {
			p[i] = element(d[i])
		}
		return "[" + strings.Join(p, ",") + "]"
	case *value.Bag:
		p := make([]string, 0, d.Len())
		for _, k := range d.Keys() {
			x, _ := d.Get(k)
			p = append(p, strconv.Quote(k)+":"+element(x))
		}
		return "{" + strings.Join(p, ",") + "}"
	}
	return fmt.Sprint(d)
}
