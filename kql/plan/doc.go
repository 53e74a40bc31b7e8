// Package plan is picket's typed relational tree: what a KQL query means once its names and types are
// settled. The binder builds it, the interpreter runs it, and the SQL dialects lower it.
//
// A [Query] has one or more [Result]s; each is the root of a tree of [Node]s. Columns are known by [ColID],
// never by name: names matter only in the Cols of a root. An id is produced by exactly one place of a tree
// (a scan, an item of a Project, an aggregate, …) and passes unchanged through nodes that keep the column.
//
//	// T | where x > 1 | project y = x + 1
//	x := plan.Col{ID: 1, Name: "x", Type: value.Long}
//	y := plan.Col{ID: 2, Name: "y", Type: value.Long}
//	ref := &plan.ColRef{ID: 1, Name: "x", T: value.Long}
//	n := &plan.Project{
//		Input: &plan.Filter{
//			Input: &plan.Scan{Table: "T", Out: []plan.Col{x}},
//			Pred:  &plan.Call{Name: "GreaterThan", T: value.Bool, Args: []plan.Expr{ref, plan.Long(1)}},
//		},
//		Items: []plan.Item{{Col: y, Expr: &plan.Call{Name: "Add", T: value.Long, Args: []plan.Expr{ref, plan.Long(1)}}}},
//	}
//	fmt.Print(plan.Explain(n))
//
// What the binder has already removed: let statements, lambdas, named arguments, wildcards, search, find,
// lookup, invoke, as, macro-expand, getschema, count, distinct, implicit names. A tree holds no names to
// resolve and no types to infer.
package plan
