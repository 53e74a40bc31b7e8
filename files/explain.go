package files

import (
	"fmt"
	"picket/kql/dialect"
	"picket/kql/plan"
	"strings"
)

// Explain says for a person how the question is answered: the plan, what of it DuckDB runs with its SQL, and which
// columns are read of which files.
func (c *Compiled) Explain() string {
	q := c.q
	var frags []dialect.Fragment
	if c.low != nil {
		q = c.low
		for _, f := range c.src.frags {
			frags = append(frags, *f)
		}
	}
	var b strings.Builder
	b.WriteString(dialect.Explain(q, frags))
	first := true
	see := func(n plan.Node) bool {
		s, ok := n.(*plan.Scan)
		if !ok {
			return true
		}
		t := c.s.table(s.Table)
		if t == nil {
			return true
		}
		if first {
			b.WriteString("what is read\n")
			first = false
		}
		names := make([]string, len(s.Out))
		for i, col := range s.Out {
			names[i] = col.Name
		}
		what := "no column, only the number of rows"
		if len(names) > 0 {
			what = "columns " + strings.Join(names, ", ")
		}
		fmt.Fprintf(&b, "  %s: %s; %d files of %s\n", s.Table, what, len(t.inputs), t.inputs[0].format)
		return true
	}
	for _, s := range c.q.Shared {
		plan.Walk(s.Node, see)
	}
	for i := range c.q.Results {
		plan.Walk(c.q.Results[i].Node, see)
	}
	return b.String()
}
