package exec

import (
	"os"
	"picket/kql/bind"
	"picket/kql/plan"
	"picket/kql/syntax"
	"testing"
)

// TestExplain prints the plan of PICKET_EXPLAIN.
func TestExplain(t *testing.T) {
	q := os.Getenv("PICKET_EXPLAIN")
	if q == "" {
		t.Skip("PICKET_EXPLAIN holds no query")
	}
	doc, errs := syntax.Parse(q)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	p, errs := bind.Bind(doc, q, bind.Tables{}, bind.Options{Now: now})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for _, r := range p.Results {
		t.Logf("%s\n%s", r.Name, plan.Explain(r.Node))
	}
}
