package plan

import "fmt"

// Unbound is an expression that reads a column which its node's input doesn't give: a value of a row used where
// there is no row, such as inside toscalar.
type Unbound struct {
	Node Node
	Col  *ColRef
}

// Error names the column and the node.
func (e *Unbound) Error() string {
	return fmt.Sprintf("%s reads %s#%d that its input doesn't give", Describe(e.Node), e.Col.Name, e.Col.ID)
}

// Check tells what is wrong with a plan, or gives nil: every column that an expression reads must be produced by
// its node's inputs (else [Unbound]), no node may give an id twice, outputs must pick what there is, shared
// references must fit. A rewriter checks its work with it.
func Check(q *Query) error {
	v := &checker{q: q}
	for _, s := range q.Shared {
		v.node(s.Node, nil)
	}
	for _, r := range q.Results {
		v.node(r.Node, nil)
	}
	return v.err
}

type checker struct {
	q   *Query
	err error
}

func (v *checker) fail(format string, a ...any) {
	if v.err == nil {
		v.err = fmt.Errorf(format, a...)
	}
}

type idSet map[ColID]bool

func (s idSet) add(cols []Col) idSet {
	for _, c := range cols {
		s[c.ID] = true
	}
	return s
}

// node checks n; corr maps the ids of Correlated leaves to what they may hold.
func (v *checker) node(n Node, corr map[int]idSet) {
	if n == nil {
		v.fail("a node is nil")
		return
	}
	seen := idSet{}
	for _, c := range n.Cols() {
		if c.ID == 0 {
			v.fail("%s gives a column %q without id", Describe(n), c.Name)
		}
		if seen[c.ID] {
			v.fail("%s gives the id %d twice", Describe(n), c.ID)
		}
		seen[c.ID] = true
	}
	in := idSet{}
	for _, x := range Inputs(n) {
		in.add(x.Cols())
		if g, ok := x.(Graph); ok {
			in.add(g.NodeCols())
			in.add(g.EdgeCols())
		}
	}
	if g, ok := n.(Graph); ok {
		in.add(g.NodeCols())
		in.add(g.EdgeCols())
	}
	switch n := n.(type) {
	case *MvApply:
		in.add(nil)
		sub := idSet{}.add(n.Input.Cols())
		for _, e := range n.Expand {
			sub[e.Out.ID] = true
		}
		sub[n.Index.ID] = true
		v.out(n, n.Out, in)
		corr = with(corr, n.ID, sub)
	case *Partition:
		corr = with(corr, n.ID, idSet{}.add(n.Input.Cols()))
	case *Correlated:
		for _, c := range n.Out {
			if !corr[n.ID][c.ID] {
				v.fail("Correlated #%d reads column %s#%d that its operator doesn't give", n.ID, c.Name, c.ID)
			}
		}
	case *Join:
		v.out(n, n.Out, in)
	case *Union:
		for i, m := range n.Map {
			have := idSet{}.add(n.Inputs[i].Cols())
			if len(m) != len(n.Out) {
				v.fail("union map of %d for %d columns", len(m), len(n.Out))
			}
			for _, id := range m {
				if id != 0 && !have[id] {
					v.fail("union reads id %d that input %d doesn't give", id, i)
				}
			}
		}
	case *MvExpand:
		for _, e := range n.Expand {
			in[e.Out.ID] = true
		}
		in[n.Index.ID] = true
		v.out(n, n.Out, in)
	case *Parse:
		for _, p := range n.Parts {
			in[p.Col.ID] = true
		}
		v.out(n, n.Out, in)
	case *ParseKv:
		in.add(n.Keys)
		v.out(n, n.Out, in)
	case *ScanSteps:
		for _, d := range n.Declared {
			in[d.Col.ID] = true
		}
		in[n.MatchID.ID] = true
		for _, s := range n.Steps {
			in.add(s.State)
		}
		v.out(n, n.Out, in)
	case *TopNested:
		for _, l := range n.Levels {
			in.add(l.Agg.Out)
		}
	case *GraphMatch:
		in.add(n.InnerNodes)
		for _, p := range n.Patterns {
			for _, e := range p {
				in.add(e.Cols)
			}
		}
	case *GraphShortestPaths:
		in.add(n.InnerNodes)
		for _, p := range n.Patterns {
			for _, e := range p {
				in.add(e.Cols)
			}
		}
	case *SharedRef:
		if n.ID < 0 || n.ID >= len(v.q.Shared) {
			v.fail("shared reference %d of %d", n.ID, len(v.q.Shared))
		} else if a, b := len(n.Out), len(v.q.Shared[n.ID].Node.Cols()); a != b {
			v.fail("shared reference %d has %d columns of %d", n.ID, a, b)
		}
	}
	Exprs(n, func(e Expr) {
		WalkExpr(e, func(e Expr) bool {
			switch e := e.(type) {
			case *ColRef:
				if !in[e.ID] {
					if _, isPlugin := n.(*Evaluate); !isPlugin {
						if v.err == nil {
							v.err = &Unbound{n, e}
						}
					}
				}
			case *ScalarSub:
				v.node(e.Node, corr)
			case *InSub:
				v.node(e.Node, corr)
			case *TableArg:
				v.node(e.Node, corr)
			case *Call:
				if e.Name == "param" {
					v.fail("a parameter has no value in %s", Describe(n))
				}
			}
			return true
		})
	})
	for _, x := range Inputs(n) {
		v.node(x, corr)
	}
}

func with(m map[int]idSet, id int, s idSet) map[int]idSet {
	out := map[int]idSet{id: s}
	for k, v := range m {
		if k != id {
			out[k] = v
		}
	}
	return out
}

// out checks that an output picks what there is.
func (v *checker) out(n Node, cols []Col, have idSet) {
	for _, c := range cols {
		if !have[c.ID] {
			v.fail("%s gives %s#%d that nothing makes", Describe(n), c.Name, c.ID)
		}
	}
}
