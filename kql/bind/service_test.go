package bind_test

import (
	"picket/kql/bind"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
	"testing"
)

// typesSchema has a column of every type, and tables that clash with it.
func typesSchema() bind.Tables {
	return bind.Tables{
		"T": {
			{Name: "b", Type: value.Bool},
			{Name: "i", Type: value.Int},
			{Name: "l", Type: value.Long},
			{Name: "r", Type: value.Real},
			{Name: "s", Type: value.String},
			{Name: "d", Type: value.Datetime},
			{Name: "y", Type: value.Dynamic},
		},
		"U": {{Name: "s", Type: value.String}, {Name: "l", Type: value.Int}, {Name: "x", Type: value.Long}},
		"V": {{Name: "s", Type: value.Long}, {Name: "z", Type: value.String}},
	}
}

// TestServiceNames pins names and types where Microsoft's binder was asked and no example of the documentation tells.
func TestServiceNames(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		q, errs := bindText(query, typesSchema(), bind.Options{Editor: true})
		if len(errs) > 0 {
			t.Errorf("%s\n  %v", query, errs)
			return
		}
		got := ""
		if len(q.Results) > 0 {
			got = schemaOf(q.Results[len(q.Results)-1].Node.Cols())
		}
		if got != want {
			t.Errorf("%s\n  got  %s\n  want %s", query, got, want)
		}
	}
	// the old arg_max puts max_x before every name but the first
	f("T | summarize q=argmax(r, d, l) by s", "s:string, q:real, max_r_d:datetime, max_r_l:long")
	f("T | summarize argmin(r+1), argmin(r+1, l+1)", "min_:real, min_1:real, min__arg1:long")
	// only what is written as a number is part of the name
	f("T | summarize percentiles(r, -5.5, 1+1, 50)", "percentile_r_:real, percentile_r_1:real, percentile_r_50:real")
	f("let p = 5; T | summarize percentiles(r, p)", "percentile_r_5:real")
	// the name of an argument counts as its text
	f("T | summarize percentiles(expr=r, 5)", "percentile_expr_5:real")
	f("T | project array_sort_asc(arrays=y)", "arrays_sorted:dynamic")
	// column_ifexists gives its name only where it stands alone
	f("T | project column_ifexists('s', ''), tostring(column_ifexists('l', 0)), column_ifexists('y', dynamic(null)).a", "s:string, Column1:string, a:dynamic")
	f("T | summarize max(column_ifexists('l', 0))", "max_:long")
	// columns that nobody declared stand with the input's, and * doesn't mean them
	f("T | project s, y | evaluate bag_unpack(y) | mv-expand k=pack_array(1), q", "s:string, q:unknown, k:dynamic")
	f("T | project l, y | evaluate bag_unpack(y) | scan declare (k:long=0) with (step a: q > 1 => k = 1;)", "l:long, q:unknown, k:long, match_id:long")
	f("T | project s, y | evaluate bag_unpack(y) | summarize make_set(q), arg_max(w, *) by s", "s:string, set_q:dynamic, w:unknown")
	f("T | evaluate pivot(s, take_any(r), d, l, l)", "d:datetime, l:long")
	// a table without the columns of the predicate has no say in the types of find
	f("find in (T, U) where x > 1 project l", "source_:string, l:long")
	f("find in (T, U) where x > 1", "source_:string, s:string, l:int, x:long")
	f("U | make-graph s --> s with U on s, V on s | graph-to-table nodes", "s:dynamic, l:int, x:long, z:string")
	f("U | make-graph s --> s", "")
	f("T | facet by s | count", "Count:long")
	f("declare query_parameters(x: int = 5, y: long = 1.5, z: dynamic = dynamic(null)); print x, y", "print_0:int, print_1:long")
	f("T | make-series min(d) default=0 on d step 1h", "min_d:dynamic, d:dynamic")
}

// TestServiceErrors pins what is refused, and the text that the first error marks.
func TestServiceErrors(t *testing.T) {
	f := func(query, code, at string) {
		t.Helper()
		doc, errs := syntax.Parse(query)
		if len(errs) > 0 {
			errs = bind.Broken(doc, query, errs, typesSchema(), bind.Options{Editor: true})
		} else {
			_, errs = bind.Bind(doc, query, typesSchema(), bind.Options{Editor: true})
		}
		if len(errs) == 0 {
			t.Errorf("%s\n  bound, want %s", query, code)
			return
		}
		if e := errs[0]; e.Code != code || !strings.HasPrefix(query[e.Start:], at) {
			t.Errorf("%s\n  got  %v\n  want %s at %q", query, e, code, at)
		}
	}
	f("range x from 1 to 10 step 1h", "SEM0106", "1h")
	f("range x from 1.0 to 2 step 0.0", "SEM0132", "0.0")
	f("print a=1 | scan declare (a:long=0) with (step s: true => a = s.a + 1;)", "SEM0146", "a = s.a")
	f("T | facet by s | project s", "SEM0100", "s")
	f("T | facet by l | top 3 by s", "SEM0100", "s")
	f("T | fork (count) (take 1) | project Count", "SEM0100", "Count")
	f("T | evaluate preview(3) | project s", "SEM0100", "s")
	f("T | render linechart with (title=1)", "SEM0141", "1")
	f("T | render linechart with (ymin='a')", "SEM0224", "'a'")
	f("T | make-series sum(l) on i step 1", "SEM0178", "1")
	f("T | make-series sum(l) default=s on d step 1d", "SEM0236", "s on")
	f("U | evaluate ipv4_lookup(T, s, s, x)", "SEM0100", "x")
	f("T | mv-expand k=T", "SEM0108", "k=T")
	f("let f = (A:(s:string)) { A }; V | take 1 | invoke f()", "SEM0249", "V | take 1")
	f("T | evaluate bag_unpack(y) | make-graph s --> s with U on s | graph-match (a)-[e]->(c) project a.nope", "SEM0100", "nope")
	f("database('a', 'b').T", "SEM0118", "database")
	f("declare query_parameters(x: datetime = '2024-05-31'); print x", "SEM0141", "'2024")
	// names and types of a text that doesn't parse, in the order of the text
	f("Nope | where l > 1 | | take 1", "SEM0100", "Nope")
	f("T | where nope > 1 and", "SEM0100", "nope")
	f("T | extend x = strlen(", "SYN0002", "")
}

// TestSeveralTables: what follows facet has no one input, and the engine's answer to it isn't known.
func TestSeveralTables(t *testing.T) {
	for _, q := range []string{"T | facet by s | count", "T | fork (count) (take 1) | take 1", "T | evaluate preview(3) | count"} {
		_, errs := bindText(q, typesSchema(), bind.Options{})
		if len(errs) == 0 || errs[0].Code != syntax.CodeNotSupported {
			t.Errorf("%s: %v", q, errs)
		}
	}
	q, errs := bindText("T | facet by s | render table", typesSchema(), bind.Options{})
	if len(errs) > 0 || len(q.Results) != 1 {
		t.Errorf("render after facet: %v", errs)
	}
}
