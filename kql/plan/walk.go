package plan

// Inputs lists the direct inputs of a node, including sub-plans (MvApply.Sub, Partition.Sub) and node tables,
// but not the nodes inside expressions (ScalarSub, InSub, TableArg): see [Walk].
func Inputs(n Node) []Node {
	switch n := n.(type) {
	case *Filter:
		return []Node{n.Input}
	case *Project:
		return []Node{n.Input}
	case *Summarize:
		return []Node{n.Input}
	case *Sort:
		return []Node{n.Input}
	case *Top:
		return []Node{n.Input}
	case *Take:
		return []Node{n.Input}
	case *Sample:
		return []Node{n.Input}
	case *SampleDistinct:
		return []Node{n.Input}
	case *Join:
		return []Node{n.Left, n.Right}
	case *Union:
		return n.Inputs
	case *MvExpand:
		return []Node{n.Input}
	case *MvApply:
		return []Node{n.Input, n.Sub}
	case *Partition:
		return []Node{n.Input, n.Sub}
	case *Serialize:
		return []Node{n.Input}
	case *Consume:
		return []Node{n.Input}
	case *Evaluate:
		if n.Input == nil {
			return nil
		}
		return []Node{n.Input}
	case *Parse:
		return []Node{n.Input}
	case *ParseKv:
		return []Node{n.Input}
	case *MakeSeries:
		return []Node{n.Input}
	case *ScanSteps:
		return []Node{n.Input}
	case *TopNested:
		return []Node{n.Input}
	case *TopHitters:
		return []Node{n.Input}
	case *Reduce:
		return []Node{n.Input}
	case *MakeGraph:
		in := []Node{n.Input}
		for _, t := range n.NodeTables {
			in = append(in, t.Node)
		}
		return in
	case *GraphMarkComponents:
		return []Node{n.Input}
	case *GraphWhereNodes:
		return []Node{n.Input}
	case *GraphWhereEdges:
		return []Node{n.Input}
	case *GraphMatch:
		return []Node{n.Input}
	case *GraphShortestPaths:
		return []Node{n.Input}
	case *GraphToTable:
		return []Node{n.Input}
	}
	return nil // Scan, Values, Range, Correlated, ExternalRel, SharedRef, ExternalData, GraphPersisted
}

// WithInputs copies n with other inputs, in the order of [Inputs]. It panics when their number differs:
// that is a mistake of the rewriter. Inputs that were graphs must stay graphs.
func WithInputs(n Node, in []Node) Node {
	if len(in) != len(Inputs(n)) {
		panic("BUG: plan.WithInputs: wrong number of inputs")
	}
	if len(in) == 0 {
		return n
	}
	switch n := n.(type) {
	case *Filter:
		c := *n
		c.Input = in[0]
		return &c
	case *Project:
		c := *n
		c.Input = in[0]
		return &c
	case *Summarize:
		c := *n
		c.Input = in[0]
		return &c
	case *Sort:
		c := *n
		c.Input = in[0]
		return &c
	case *Top:
		c := *n
		c.Input = in[0]
		return &c
	case *Take:
		c := *n
		c.Input = in[0]
		return &c
	case *Sample:
		c := *n
		c.Input = in[0]
		return &c
	case *SampleDistinct:
		c := *n
		c.Input = in[0]
		return &c
	case *Join:
		c := *n
		c.Left, c.Right = in[0], in[1]
		return &c
	case *Union:
		c := *n
		c.Inputs = in
		return &c
	case *MvExpand:
		c := *n
		c.Input = in[0]
		return &c
	case *MvApply:
		c := *n
		c.Input, c.Sub = in[0], in[1]
		return &c
	case *Partition:
		c := *n
		c.Input, c.Sub = in[0], in[1]
		return &c
	case *Serialize:
		return &Serialize{Input: in[0]}
	case *Consume:
		return &Consume{Input: in[0]}
	case *Evaluate:
		c := *n
		c.Input = in[0]
		return &c
	case *Parse:
		c := *n
		c.Input = in[0]
		return &c
	case *ParseKv:
		c := *n
		c.Input = in[0]
		return &c
	case *MakeSeries:
		c := *n
		c.Input = in[0]
		return &c
	case *ScanSteps:
		c := *n
		c.Input = in[0]
		return &c
	case *TopNested:
		c := *n
		c.Input = in[0]
		return &c
	case *TopHitters:
		c := *n
		c.Input = in[0]
		return &c
	case *Reduce:
		c := *n
		c.Input = in[0]
		return &c
	case *MakeGraph:
		c := *n
		c.Input = in[0]
		c.NodeTables = append([]GraphNodes(nil), n.NodeTables...)
		for i := range c.NodeTables {
			c.NodeTables[i].Node = in[i+1]
		}
		return &c
	case *GraphMarkComponents:
		c := *n
		c.Input = in[0].(Graph)
		return &c
	case *GraphWhereNodes:
		c := *n
		c.Input = in[0].(Graph)
		return &c
	case *GraphWhereEdges:
		c := *n
		c.Input = in[0].(Graph)
		return &c
	case *GraphMatch:
		c := *n
		c.Input = in[0].(Graph)
		return &c
	case *GraphShortestPaths:
		c := *n
		c.Input = in[0].(Graph)
		return &c
	case *GraphToTable:
		c := *n
		c.Input = in[0].(Graph)
		return &c
	}
	panic("BUG: plan.WithInputs: unknown node")
}

// Exprs calls f for each expression that stands directly in n (not inside its inputs). Nil ones are left out.
func Exprs(n Node, f func(Expr)) {
	opt := func(es ...Expr) {
		for _, e := range es {
			if e != nil {
				f(e)
			}
		}
	}
	items := func(its []Item) {
		for i := range its {
			opt(its[i].Expr)
		}
	}
	keys := func(ks []SortKey) {
		for i := range ks {
			opt(ks[i].Expr)
		}
	}
	switch n := n.(type) {
	case *Range:
		opt(n.From, n.To, n.Step)
	case *Filter:
		opt(n.Pred)
	case *Project:
		items(n.Items)
	case *Summarize:
		items(n.Keys)
		for i := range n.Aggs {
			f(n.Aggs[i].Call)
		}
	case *Sort:
		keys(n.Keys)
	case *Top:
		opt(n.N)
		keys(n.Keys)
	case *Take:
		opt(n.N)
	case *Sample:
		opt(n.N)
	case *SampleDistinct:
		opt(n.N, n.By.Expr)
	case *Join:
		for i := range n.On {
			opt(n.On[i].L, n.On[i].R)
		}
	case *MvExpand:
		for i := range n.Expand {
			opt(n.Expand[i].X)
		}
		opt(n.Limit)
	case *MvApply:
		for i := range n.Expand {
			opt(n.Expand[i].X)
		}
		opt(n.Limit)
	case *Partition:
		opt(n.Key)
	case *ExternalData:
		opt(n.URIs...)
	case *Evaluate:
		opt(n.Args...)
	case *Parse:
		opt(n.X)
	case *ParseKv:
		opt(n.X)
	case *MakeSeries:
		for i := range n.Aggs {
			f(n.Aggs[i].Call)
		}
		opt(n.Axis.Expr, n.From, n.To, n.Step)
		items(n.Keys)
	case *ScanSteps:
		opt(n.PartitionBy...)
		keys(n.OrderBy)
		items(n.Declared)
		for i := range n.Steps {
			opt(n.Steps[i].Cond)
			for _, a := range n.Steps[i].Assign {
				opt(a.Expr)
			}
		}
	case *TopNested:
		for i := range n.Levels {
			l := &n.Levels[i]
			opt(l.N, l.By.Expr)
			if l.Agg.Call != nil {
				f(l.Agg.Call)
			}
			opt(l.Post)
		}
	case *TopHitters:
		opt(n.N, n.By.Expr, n.Weight)
	case *Reduce:
		opt(n.X)
	case *GraphPersisted:
		opt(n.Name)
	case *GraphWhereNodes:
		opt(n.Pred)
	case *GraphWhereEdges:
		opt(n.Pred)
	case *GraphMatch:
		opt(n.Where)
		items(n.Items)
	case *GraphShortestPaths:
		opt(n.Where)
		items(n.Items)
	}
}

// WalkExpr calls f for e and, while f gives true, for what is inside it. Nodes inside are not entered.
func WalkExpr(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	switch e := e.(type) {
	case *Call:
		for _, a := range e.Args {
			WalkExpr(a, f)
		}
	case *AggCall:
		for _, a := range e.Args {
			WalkExpr(a, f)
		}
	case *InSub:
		WalkExpr(e.X, f)
	}
}

// Walk calls f for n and, while f gives true, for all nodes under it: inputs, and the nodes inside its
// expressions (toscalar, in (table), tabular arguments). Shared sub-plans are not entered.
func Walk(n Node, f func(Node) bool) {
	if n == nil || !f(n) {
		return
	}
	for _, in := range Inputs(n) {
		Walk(in, f)
	}
	Exprs(n, func(e Expr) {
		WalkExpr(e, func(e Expr) bool {
			switch e := e.(type) {
			case *ScalarSub:
				Walk(e.Node, f)
			case *InSub:
				Walk(e.Node, f)
			case *TableArg:
				Walk(e.Node, f)
			}
			return true
		})
	})
}

// MapExpr rebuilds e bottom-up: f is called for every expression with its parts already mapped, and gives its
// replacement. Unchanged parts are shared.
func MapExpr(e Expr, f func(Expr) Expr) Expr {
	switch x := e.(type) {
	case nil:
		return nil
	case *Call:
		if args, changed := mapArgs(x.Args, f); changed {
			c := *x
			c.Args = args
			e = &c
		}
	case *AggCall:
		if args, changed := mapArgs(x.Args, f); changed {
			c := *x
			c.Args = args
			e = &c
		}
	case *InSub:
		if y := MapExpr(x.X, f); y != x.X {
			c := *x
			c.X = y
			e = &c
		}
	}
	return f(e)
}

func mapArgs(args []Expr, f func(Expr) Expr) ([]Expr, bool) {
	var out []Expr
	for i, a := range args {
		b := MapExpr(a, f)
		if b != a && out == nil {
			out = append([]Expr(nil), args...)
		}
		if out != nil {
			out[i] = b
		}
	}
	return out, out != nil
}
