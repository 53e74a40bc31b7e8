package bind_test

import (
	"encoding/json"
	"path/filepath"
	"picket/kql/bind"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"testing"
)

func fuzzSchema() bind.Tables {
	return bind.Tables{
		"T": {
			{Name: "a", Type: value.Long},
			{Name: "b", Type: value.String},
			{Name: "c", Type: value.Int},
			{Name: "d", Type: value.Dynamic},
			{Name: "t", Type: value.Datetime},
			{Name: "r", Type: value.Real},
			{Name: "f", Type: value.Bool},
		},
		"U": {{Name: "a", Type: value.Int}, {Name: "b", Type: value.String}, {Name: "x", Type: value.Long}},
	}
}

// FuzzBind: whatever parses either binds to a sound plan or is refused; the binder never fails.
func FuzzBind(f *testing.F) {
	for _, q := range []string{
		"T | where a > 1 and b has 'x' | summarize n=count(), arg_max(t, *) by b, bin(t, 1h)",
		"let f = (x:(a:long), n:long=3) { x | take n }; T | invoke f() | join kind=leftouter (U) on $left.b == $right.b",
		"T | mv-expand d to typeof(long) | mv-apply e=d on (summarize s=sum(toint(e))) | project-away e*",
		"union isfuzzy=true withsource=s T, U, Nope* | search 'x' and a:1",
		"T | make-series s=avg(a) default=0 on t from ago(1d) to now() step 1h by b | extend series_fit_line(s)",
		"T | parse b with * 'x' y:long 'z' * | scan declare (k:long=0) with (step s: true => k = s.k + 1;)",
		"T | make-graph b --> b with U on b | graph-match (x)-[e*1..3]->(y) where all(e, a > 1) project x.b, e.a",
		"find in (T, U) where b has 'x' project a, b, pack(*)",
		"T | evaluate bag_unpack(d) | top-nested 2 of foo by count() | facet by foo with (take 1)",
	} {
		f.Add(q)
	}
	schema := fuzzSchema()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8000 {
			t.Skip()
		}
		doc, errs := syntax.Parse(text)
		if len(errs) > 0 {
			return
		}
		for _, opt := range []bind.Options{{MaxNodes: 5000}, {Editor: true, NoFold: true, MaxNodes: 5000}} {
			q, errs := bind.Bind(doc, text, schema, opt)
			for _, e := range errs {
				if e.Code == "Internal" {
					t.Fatalf("%v\n%s", e, text)
				}
				if e.Start < 0 || e.End < e.Start || e.End > len(text) {
					t.Fatalf("error outside the text: %+v", e)
				}
			}
			if len(errs) > 0 {
				continue
			}
			if err := plan.Check(q); err != nil && !opt.Editor {
				t.Fatalf("%v\n%s\n%s", err, text, q)
			}
			_ = q.String()
		}
	})
}

// TestNeverFails binds broken pieces of real queries: each prefix that parses, and each query without one line.
func TestNeverFails(t *testing.T) {
	dir := sharedDir(t)
	schema := samples{docsTables(t, dir)}
	n := 0
	eachLine(t, filepath.Join(dir, "kql", "docs_schemas.jsonl"), func(line []byte) {
		var c corpusCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		if n++; n%4 != 0 {
			return
		}
		for cut := 20; cut < len(c.Query); cut += 37 {
			for _, text := range []string{c.Query[:cut], c.Query[:cut/2] + c.Query[cut:]} {
				doc, _ := syntax.Parse(text) // also with errors: the tree holds Bad nodes
				q, errs := bind.Bind(doc, text, schema, bind.Options{})
				for _, e := range errs {
					if e.Code == "Internal" {
						t.Errorf("%v\n%s", e, text)
					}
				}
				if len(errs) == 0 {
					if err := plan.Check(q); err != nil {
						t.Errorf("%v\n%s", err, text)
					}
				}
			}
		}
	})
}
