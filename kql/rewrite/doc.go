// Package rewrite turns a plan into one that answers the same and reads less: predicates move towards the scans,
// unread columns go, the newest N are taken early, branches that give nothing are cut off, and the time ranges
// that a question asks for come out as bounds of its scans.
//
// It knows no engine. Every rewrite stands in its own file and keeps the result of every query, also where that is
// "any row": what could choose other rows stays where it is.
//
//	r := rewrite.Rewrite(q, rewrite.Options{Time: "TimeGenerated", Received: "_TimeReceived"})
//	r.Query          // the better plan
//	r.Bounds[scan]   // what times of a *plan.Scan in it matter
package rewrite

import "picket/kql/plan"

// Options name the columns of a table that a rewrite knows the meaning of; an empty name turns that rewrite off.
type Options struct {
	// Time is the datetime column by which a store can leave rows out.
	Time string
	// Received is the hidden datetime column that ingestion_time() reads.
	Received string
}

// Rewritten is what Rewrite gives.
type Rewritten struct {
	Query *plan.Query
	// Bounds tells for scans of Query which rows can matter; scans that need all are not in it. The conditions
	// themselves are still in the plan.
	Bounds map[*plan.Scan]Bounds
}

// Rewrite applies every rewrite. The given query is not changed.
func Rewrite(q *plan.Query, o Options) *Rewritten {
	out := *q
	out.Results = append([]plan.Result(nil), q.Results...)
	out.Shared = make([]*plan.Shared, len(q.Shared))
	for i, s := range q.Shared {
		c := *s
		out.Shared[i] = &c
	}
	w := &rewriter{o: o, q: &out, scalars: map[*plan.ScalarSub]*plan.ScalarSub{}, ins: map[*plan.InSub]*plan.InSub{}, readers: readers(q)}
	for i := range out.Shared {
		out.Shared[i].Node = w.root(out.Shared[i].Node)
	}
	for i := range out.Results {
		out.Results[i].Node = w.root(out.Results[i].Node)
	}
	// what nobody reads any more goes; the last may read earlier ones
	for i := len(out.Shared) - 1; i >= 0; i-- {
		if readers(&out)[out.Shared[i].ID] == 0 {
			out.Shared = append(out.Shared[:i:i], out.Shared[i+1:]...)
		}
	}
	return &Rewritten{Query: &out, Bounds: bounds(&out, o)}
}

// apart is beyond the column ids that a binder gives.
const apart = 1 << 30

// Input applies every rewrite to a plan that is no whole query, such as the input of a plugin whose columns are asked
// for while the query is still being bound. Its columns stay as they are; it must hold no reference to a shared
// sub-plan.
func Input(n plan.Node, o Options) (plan.Node, map[*plan.Scan]Bounds) {
	r := Rewrite(&plan.Query{Results: []plan.Result{{Node: n}}, MaxCol: apart}, o)
	return r.Query.Results[0].Node, r.Bounds
}

type rewriter struct {
	o       Options
	q       *plan.Query
	scalars map[*plan.ScalarSub]*plan.ScalarSub
	ins     map[*plan.InSub]*plan.InSub
	readers map[int]int // of shared sub-plans
}

// fresh makes a new column id.
func (w *rewriter) fresh() plan.ColID {
	w.q.MaxCol++
	return w.q.MaxCol
}

// root rewrites a whole tree; its columns stay as they are, in number and order.
func (w *rewriter) root(n plan.Node) plan.Node {
	cols := n.Cols()
	if _, isGraph := n.(plan.Graph); isGraph {
		return n
	}
	n = w.inline(n)
	n = w.subs(n)
	if w.o.Received != "" {
		n = w.ingestion(n)
	}
	n = series(n)
	n = simplify(n)
	n = push(n, nil)
	n = simplify(n)
	n = limits(n)
	n = prune(n, idsOf(cols))
	return restore(n, cols)
}

// subs rewrites the plans inside expressions, each on its own.
func (w *rewriter) subs(n plan.Node) plan.Node {
	return mapNodes(n, func(n plan.Node) plan.Node {
		return mapExprs(n, func(e plan.Expr) plan.Expr {
			switch e := e.(type) {
			case *plan.ScalarSub:
				if w.scalars[e] == nil {
					c := *e
					c.Node = w.root(e.Node)
					w.scalars[e] = &c
				}
				return w.scalars[e]
			case *plan.InSub:
				if w.ins[e] == nil {
					c := *e
					c.Node = w.root(e.Node)
					w.ins[e] = &c
				}
				return w.ins[e]
			case *plan.TableArg:
				c := *e
				c.Node = w.root(e.Node)
				return &c
			}
			return e
		})
	})
}

// restore gives n the columns cols again, by a Project where they differ.
func restore(n plan.Node, cols []plan.Col) plan.Node {
	have := n.Cols()
	same := len(have) == len(cols)
	for i := 0; same && i < len(cols); i++ {
		same = have[i].ID == cols[i].ID && have[i].Name == cols[i].Name
	}
	if same {
		return n
	}
	return &plan.Project{Input: n, Items: passItems(cols)}
}

func passItems(cols []plan.Col) []plan.Item {
	items := make([]plan.Item, len(cols))
	for i, c := range cols {
		items[i] = plan.Item{Col: c, Expr: plan.Ref(c)}
	}
	return items
}
