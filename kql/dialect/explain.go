package dialect

import (
	"fmt"
	"picket/kql/plan"
	"sort"
	"strings"
)

// Explain says for a person how a plan is answered: what Go runs, and for each fragment what DuckDB runs in its place.
// A plan is read from below: the inputs of a line stand indented under it, columns as name#id:type.
func Explain(q *plan.Query, frags []Fragment) string {
	frags = append([]Fragment(nil), frags...)
	sort.Slice(frags, func(i, j int) bool { return frags[i].ID < frags[j].ID })
	byID := make(map[int]*Fragment, len(frags))
	for i := range frags {
		byID[frags[i].ID] = &frags[i]
	}
	var b strings.Builder
	part := func(title string, n plan.Node) {
		if x, ok := n.(*plan.ExternalRel); ok && byID[x.ID] != nil {
			fmt.Fprintf(&b, "%s: DuckDB runs all of it, as SQL %d\n\n", title, x.ID)
			return
		}
		fmt.Fprintf(&b, "%s: Go runs\n%s\n", title, indent(plan.Explain(n)))
	}
	for _, s := range q.Shared {
		part(strings.TrimRight(fmt.Sprintf("shared sub-plan %d %s", s.ID, s.Name), " ")+", computed once", s.Node)
	}
	for i := range q.Results {
		title := "the query"
		if len(q.Results) > 1 {
			title = strings.TrimRight(fmt.Sprintf("result %d %s", i+1, q.Results[i].Name), " ")
		}
		part(title, q.Results[i].Node)
	}
	for i := range frags {
		fmt.Fprintf(&b, "SQL %d stands for\n%sand is\n  %s\n\n", frags[i].ID, indent(plan.Explain(frags[i].Node)), Layout(frags[i].SQL))
	}
	return b.String()
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ") + "\n"
}

// clauses begin a new line when a person reads SQL.
var clauses = []string{" FROM ", " WHERE ", " GROUP BY ", " ORDER BY ", " LIMIT ", " UNION ALL "}

// Layout breaks SQL into lines, a sub-select indented, and says how many files it reads in place of their names.
func Layout(sql string) string {
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
