package query

import (
	"context"
	"fmt"
	"picket/kql/plan"
	"sort"
	"strings"
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
		fmt.Fprintf(&b, "relation %d in SQL:\n  %s\n", id, layout(a.src.frags[id].SQL))
	}
	return b.String()
}

// clauses begin a new line when a person reads SQL.
var clauses = []string{" FROM ", " WHERE ", " GROUP BY ", " ORDER BY ", " LIMIT ", " UNION ALL "}

// layout breaks SQL into lines, a sub-select indented, and says how many files it reads in place of their names.
func layout(sql string) string {
	var b strings.Builder
	var opened []bool // for each open parenthesis: whether it holds a SELECT
	depth := 1
	line := func() { b.WriteString("\n" + strings.Repeat("  ", depth)) }
	for i := 0; i < len(sql); i++ {
		rest := sql[i:]
		switch c := sql[i]; {
		case c == '\'' || c == '"':
			end := i + 1
			for end < len(sql) && (sql[end] != c || end+1 < len(sql) && sql[end+1] == c) {
				if sql[end] == c {
					end++
				}
				end++
			}
			b.WriteString(sql[i:min(end+1, len(sql))])
			i = end
			continue
		case strings.HasPrefix(rest, "read_parquet(["):
			if end := strings.Index(rest, "'], "); end > 0 {
				fmt.Fprintf(&b, "read_parquet([… %d files …], ", strings.Count(rest[:end], "', '")+1)
				i += end + 3
				opened = append(opened, false)
				continue
			}
		case c == '(':
			sub := strings.HasPrefix(rest, "(SELECT ") || strings.HasPrefix(rest, "(WITH ")
			opened = append(opened, sub)
			if sub {
				depth++
				b.WriteByte('(')
				line()
				continue
			}
		case c == ')' && len(opened) > 0:
			if opened[len(opened)-1] {
				depth--
			}
			opened = opened[:len(opened)-1]
		case c == ' ' && (len(opened) == 0 || opened[len(opened)-1]):
			broken := false
			for _, k := range clauses {
				if strings.HasPrefix(rest, k) {
					line()
					b.WriteString(k[1:])
					i += len(k) - 1
					broken = true
					break
				}
			}
			if broken {
				continue
			}
		}
		b.WriteByte(sql[i])
	}
	return b.String()
}
