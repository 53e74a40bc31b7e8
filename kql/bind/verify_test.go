package bind_test

import (
	"fmt"

	"picket/kql/plan"
)

// verify checks that every column which an expression reads is produced by the node's inputs, that ids are not
// produced twice in one node's output, and that shared references are right.
func verify(q *plan.Query) error {
	v := &verifier{q: q}
	for _, s := range q.Shared {
		v.node(s.Node, nil)
	}
	for _, r := range q.Results {
		v.node(r.Node, nil)
	}
	return v.err
}

type verifier struct {
	q   *plan.Query
	err error
}

func (v *verifier) fail(format string, a ...any) {
	if v.err == nil {
		v.err = fmt.Errorf(format, a...)
	}
}

type idSet map[plan.ColID]bool

func (s idSet) add(cols []plan.Col) idSet {
	for _, c := range cols {
		s[c.ID] = true
	}
	return s
}

// node checks n; corr maps the ids of Correlated leaves to what they may hold.
func (v *verifier) node(n plan.Node, corr map[int]idSet) {
	if n == nil {
		v.fail("a node is nil")
		return
	}
	seen := idSet{}
	for _, c := range n.Cols() {
		if c.ID == 0 {
			v.fail("%s gives a column %q without id", plan.Describe(n), c.Name)
		}
		if seen[c.ID] {
			v.fail("%s gives the id %d twice", plan.Describe(n), c.ID)
		}
		seen[c.ID] = true
	}
	in := idSet{}
	for _, x := range plan.Inputs(n) {
		in.add(x.Cols())
		if g, ok := x.(plan.Graph); ok {
			in.add(g.NodeCols())
			in.add(g.EdgeCols())
		}
	}
	if g, ok := n.(plan.Graph); ok {
		in.add(g.NodeCols())
		in.add(g.EdgeCols())
	}
	switch n := n.(type) {
	case *plan.MvApply:
		in.add(nil)
		sub := idSet{}.add(n.Input.Cols())
		for _, e := range n.Expand {
			sub[e.Out.ID] = true
		}
		sub[n.Index.ID] = true
		v.out(n, n.Out, in)
		corr = with(corr, n.ID, sub)
	case *plan.Partition:
		corr = with(corr, n.ID, idSet{}.add(n.Input.Cols()))
	case *plan.Correlated:
		for _, c := range n.Out {
			if !corr[n.ID][c.ID] {
				v.fail("Correlated #%d reads column %s#%d that its operator doesn't give", n.ID, c.Name, c.ID)
			}
		}
	case *plan.Join:
		v.out(n, n.Out, in)
	case *plan.Union:
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
	case *plan.MvExpand:
		for _, e := range n.Expand {
			in[e.Out.ID] = true
		}
		in[n.Index.ID] = true
		v.out(n, n.Out, in)
	case *plan.Parse:
		for _, p := range n.Parts {
			in[p.Col.ID] = true
		}
		v.out(n, n.Out, in)
	case *plan.ParseKv:
		in.add(n.Keys)
		v.out(n, n.Out, in)
	case *plan.ScanSteps:
		for _, d := range n.Declared {
			in[d.Col.ID] = true
		}
		in[n.MatchID.ID] = true
		for _, s := range n.Steps {
			in.add(s.State)
		}
		v.out(n, n.Out, in)
	case *plan.TopNested:
		for _, l := range n.Levels {
			in.add(l.Agg.Out)
		}
	case *plan.GraphMatch:
		in.add(n.InnerNodes)
		for _, p := range n.Patterns {
			for _, e := range p {
				in.add(e.Cols)
			}
		}
	case *plan.GraphShortestPaths:
		in.add(n.InnerNodes)
		for _, p := range n.Patterns {
			for _, e := range p {
				in.add(e.Cols)
			}
		}
	case *plan.SharedRef:
		if n.ID < 0 || n.ID >= len(v.q.Shared) {
			v.fail("shared reference %d of %d", n.ID, len(v.q.Shared))
		} else if a, b := len(n.Out), len(v.q.Shared[n.ID].Node.Cols()); a != b {
			v.fail("shared reference %d has %d columns of %d", n.ID, a, b)
		}
	}
	plan.Exprs(n, func(e plan.Expr) {
		plan.WalkExpr(e, func(e plan.Expr) bool {
			switch e := e.(type) {
			case *plan.ColRef:
				if !in[e.ID] {
					if _, isPlugin := n.(*plan.Evaluate); !isPlugin {
						v.fail("%s reads %s#%d that its input doesn't give", plan.Describe(n), e.Name, e.ID)
					}
				}
			case *plan.ScalarSub:
				v.node(e.Node, corr)
			case *plan.InSub:
				v.node(e.Node, corr)
			case *plan.TableArg:
				v.node(e.Node, corr)
			case *plan.Call:
				if e.Name == "param" {
					v.fail("a parameter has no value in %s", plan.Describe(n))
				}
			}
			return true
		})
	})
	for _, x := range plan.Inputs(n) {
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
func (v *verifier) out(n plan.Node, cols []plan.Col, have idSet) {
	for _, c := range cols {
		if !have[c.ID] {
			v.fail("%s gives %s#%d that nothing makes", plan.Describe(n), c.Name, c.ID)
		}
	}
}
