package dialect

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
	"testing"
)

func TestExplainOfWholeAndSharedPlans(t *testing.T) {
	out := []plan.Col{{ID: 1, Name: "x", Type: value.Long}}
	frags := []Fragment{
		{ID: 2, SQL: "SELECT 1 AS c1 LIMIT 1", Node: &plan.Scan{Table: "B", Out: out}},
		{ID: 1, SQL: "SELECT 'a FROM b' AS c1 FROM (SELECT 1 AS y) AS t WHERE (y = 1 AND y IN (SELECT 2))", Node: &plan.Scan{Table: "A", Out: out}},
	}
	q := &plan.Query{
		Shared:  []*plan.Shared{{ID: 7, Name: "s", Node: &plan.ExternalRel{ID: 2, Out: out}}},
		Results: []plan.Result{{Node: &plan.Serialize{Input: &plan.ExternalRel{ID: 1, Out: out}}}, {Name: "n", Node: &plan.SharedRef{ID: 7}}},
	}
	got := Explain(q, frags)
	for _, want := range []string{
		"shared sub-plan 7 s, computed once: DuckDB runs all of it, as SQL 2\n\n",
		"result 1: Go runs\n  Serialize  → (x#1:long)\n    rows of SQL 1  → (x#1:long)\n\n",
		"result 2 n: Go runs\n",
		"SQL 1 stands for\n  Scan A  → (x#1:long)\nand is\n  SELECT 'a FROM b' AS c1\n  FROM (\n    SELECT 1 AS y) AS t\n  WHERE (y = 1 AND y IN (\n    SELECT 2))\n\nSQL 2 stands for\n  Scan B",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
