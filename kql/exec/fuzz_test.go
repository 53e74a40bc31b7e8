package exec

import (
	"picket/kql/bind"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

// FuzzParseKv feeds parse-kv texts and delimiters of any kind: it must end, and give only keys that were asked for or
// written.
func FuzzParseKv(f *testing.F) {
	f.Add("a=1 b=2", " ", "=", `"`, `\`, false)
	f.Add(`k="x \" y";j=`, ";", "=", `"`, `\`, true)
	f.Add("[INFO] Id:45, Text: x", "", "", "'", "", false)
	f.Add("é=ü,=,", ",", "=", "()", "", true)
	f.Fuzz(func(t *testing.T, s, pair, kv, quote, escape string, greedy bool) {
		n := &plan.ParseKv{
			Keys:          []plan.Col{{ID: 1, Name: "Id", Type: value.Long}, {ID: 2, Name: "Text", Type: value.String}},
			PairDelimiter: pair, KvDelimiter: kv, HasPair: pair != "", HasKv: kv != "", Quote: []string{quote}, Escape: escape, Greedy: greedy,
		}
		p := kvParser{n: n, s: s}
		p.parse()
	})
}

// FuzzMatchParts feeds parse's simple patterns: what the columns hold must be parts of the text.
func FuzzMatchParts(f *testing.F) {
	f.Add("a###b###c", "###", true, false)
	f.Add("x=1 y=2", "=", false, true)
	f.Add("", "", true, true)
	f.Fuzz(func(t *testing.T, s, lit string, star, number bool) {
		typ := value.String
		if number {
			typ = value.Long
		}
		parts := []plan.ParsePart{{Star: true}, {Text: lit}, {Col: plan.Col{ID: 1, Type: typ}}, {Col: plan.Col{ID: 2, Type: value.String}}, {Text: lit}}
		if !star {
			parts = parts[1:]
		}
		out := make([]string, 2)
		if matchParts(parts, s, out) && len(out[0])+len(out[1])+2*len(lit) > len(s) {
			t.Errorf("%q by %q: %q", s, lit, out)
		}
	})
}

// FuzzQuery takes any text through parser, binder and interpreter under tight limits: whatever comes out, it must not be a
// mistake of the program.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		`datatable(k:long, v:string)[1, "a", 2, "b"] | join kind=fullouter (print k = 1) on k | summarize make_list(v) by k`,
		`range x from 1 to 9 step 2 | extend a = pack_array(x, "y") | mv-expand with_itemindex = i a to typeof(long) limit 2`,
		`print s = "a=1;b=2" | parse-kv s as (a:long, b:string) with (pair_delimiter=";", kv_delimiter="=") | parse s with * "a=" n:int ";" r`,
		`range t from datetime(2020-01-01) to datetime(2020-01-05) step 1d | make-series n = count() default = 0 on t step 12h | mv-apply n on (summarize sum(tolong(n)))`,
		`range x from 1 to 5 step 1 | scan declare (c:long = 0) with (step a: true => c = a.c + x; step b: c > 3;) | top-nested 2 of c with others = 0 by sum(x)`,
		`datatable(a:string, b:string)["x", "y", "y", "z"] | make-graph a --> b with_node_id = n | graph-match (p)-[e*1..3]-(q) project p.n, map(e, b), all(inner_nodes(e), n != "x")`,
		`datatable(d:dynamic)[dynamic({"a": 1}), dynamic([1, {"b": null}])] | evaluate bag_unpack(d) | sort by a desc nulls first | top 1 by a`,
		`range x from 1 to 20 step 1 | partition hint.strategy=native by x % 3 (top 2 by x | extend r = row_number()) | fork (count) (summarize percentiles(x, 5, 95))`,
		`union withsource = t (print a = 1), (print a = "x", b = 2.5) | where t in ("union_arg0") or toscalar(print 1) == 1 | distinct *`,
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		if len(q) > 2000 {
			t.Skip()
		}
		began := time.Now()
		_, err := answer(t.Context(), q, bind.Tables{}, noTables{}, func(o *Options) {
			o.MaxSteps, o.MemoryLimit, o.MaxRows, o.Timeout = 100_000, 16<<20, 1000, 2*time.Second
		})
		if err != nil && strings.Contains(err.Error(), "BUG: the interpreter") {
			t.Errorf("%q: %v", q, err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("%q ran %s, its limit is 2 s", q, d)
		}
	})
}
