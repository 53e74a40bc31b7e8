package plan_test

import (
	"fmt"
	"picket/kql/plan"
	"picket/kql/value"
	"testing"
)

func sample() plan.Node {
	x := plan.Col{ID: 1, Name: "x", Type: value.Long}
	y := plan.Col{ID: 2, Name: "y", Type: value.Long}
	return &plan.Project{
		Input: &plan.Filter{
			Input: &plan.Scan{Table: "T", Out: []plan.Col{x}},
			Pred:  &plan.Call{Name: "GreaterThan", T: value.Bool, Args: []plan.Expr{plan.Ref(x), plan.Long(1)}},
		},
		Items: []plan.Item{{Col: x, Expr: plan.Ref(x)}, {Col: y, Expr: &plan.Call{Name: "Add", T: value.Long, Args: []plan.Expr{plan.Ref(x), plan.Long(1)}}}},
	}
}

func ExampleExplain() {
	fmt.Print(plan.Explain(sample()))
	// Output:
	// Project x#1, y#2=Add(x#1, 1)  → (x#1:long, y#2:long)
	//   Filter GreaterThan(x#1, 1)  → (x#1:long)
	//     Scan T  → (x#1:long)
}

func TestWalkAndRebuild(t *testing.T) {
	n := sample()
	seen := 0
	plan.Walk(n, func(plan.Node) bool { seen++; return true })
	if seen != 3 {
		t.Fatalf("walked %d nodes, want 3", seen)
	}
	leaf := &plan.ExternalRel{ID: 7, Out: []plan.Col{{ID: 1, Name: "x", Type: value.Long}}}
	m := plan.WithInputs(n, []plan.Node{leaf})
	if plan.Inputs(m)[0] != plan.Node(leaf) || plan.Inputs(n)[0] == plan.Node(leaf) {
		t.Fatal("WithInputs must copy")
	}
	e := plan.MapExpr(n.(*plan.Project).Items[1].Expr, func(e plan.Expr) plan.Expr {
		if c, ok := e.(*plan.Const); ok && c.Val.I == 1 {
			return plan.Long(2)
		}
		return e
	})
	if got := plan.ExprString(e); got != "Add(x#1, 2)" {
		t.Fatal(got)
	}
}
