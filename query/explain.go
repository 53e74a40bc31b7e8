package query

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"picket/kql/plan"
)

// Explain says how a question would be answered: the plan, and the SQL of the parts that DuckDB runs.
func (e *Engine) Explain(ctx context.Context, r Request) (string, error) {
	now, err := e.defaults(&r)
	if err != nil {
		return "", err
	}
	a, err := e.ask(ctx, &r, now, !e.o.NoSQL)
	if err != nil {
		return "", err
	}
	defer a.close()
	return a.explain(), nil
}

func (a *asked) explain() string {
	var b strings.Builder
	for _, s := range a.q.Shared {
		fmt.Fprintf(&b, "shared %d %s\n%s", s.ID, s.Name, plan.Explain(s.Node))
	}
	for i := range a.q.Results {
		if len(a.q.Results) > 1 {
			fmt.Fprintf(&b, "result %d %s\n", i+1, a.q.Results[i].Name)
		}
		b.WriteString(plan.Explain(a.q.Results[i].Node))
	}
	ids := make([]int, 0, len(a.src.frags))
	for id := range a.src.frags {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	for _, id := range ids {
		fmt.Fprintf(&b, "relation %d in SQL:\n  %s\n", id, a.src.frags[id].SQL)
	}
	return b.String()
}
