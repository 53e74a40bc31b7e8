package bind_test

import (
	"errors"
	"fmt"
	"picket/kql/bind"
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

func schemaOf(cols []plan.Col) string { return schemaString(ours(cols)) }

// TestNames pins the names and types of output columns, one rule a line.
func TestNames(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		q, errs := bindText(query, fuzzSchema(), bind.Options{})
		if len(errs) > 0 {
			t.Errorf("%s\n  %v", query, errs)
			return
		}
		if got := schemaOf(q.Results[len(q.Results)-1].Node.Cols()); got != want {
			t.Errorf("%s\n  got  %s\n  want %s", query, got, want)
		}
	}
	f("print 1, x=2, 'a'", "print_0:long, x:long, print_2:string")
	f("T | project a, a+1, d.x.y, d['z'], d[0]", "a:long, Column1:long, d_x_y:dynamic, d_z:dynamic, d_0:dynamic")
	f("T | project a | extend a = tostring(a), z = 1", "a:string, z:long")
	f("T | summarize count(), avg(a), make_list(b), dcount(b), sum(a)/count() by b, bin(t, 1h)", "b:string, t:datetime, count_:long, avg_a:real, list_b:dynamic, dcount_b:long, Column1:long")
	f("T | summarize arg_max(t, *) by b", "b:string, t:datetime, a:long, c:int, d:dynamic, r:real, f:bool")
	f("T | summarize m=arg_max(a, b, c) by bin(t, 1d)", "t:datetime, m:long, b:string, c:int")
	f("T | summarize percentiles(a, 5, 50.5)", "percentile_a_5:long, percentile_a_50_5:long")
	f("T | summarize by b, c", "b:string, c:int")
	f("T | distinct b", "b:string")
	f("T | project a, b | join (U | project a=tolong(a), b, x) on a", "a:long, b:string, a1:long, b1:string, x:long")
	f("T | project a, b | join kind=leftanti U on b", "a:long, b:string")
	f("T | project a, b | join kind=rightsemi U on b", "a:int, b:string, x:long")
	f("T | project b, c | lookup U on b", "b:string, c:int, a:int, x:long")
	f("T | project a, b | union U", "a_long:long, a_int:int, b:string, x:long")
	f("union withsource=s (T | project b), U", "s:string, b:string, a:int, x:long")
	f("union isfuzzy=true (T | project b), (Nope | where q > 1)", "b:string")
	f("T | project d | mv-expand d to typeof(long)", "d:long")
	f("T | project b, d | mv-expand with_itemindex=i e=d", "b:string, d:dynamic, e:dynamic, i:long")
	f("T | project b, d | mv-apply e=d on (summarize n=count())", "b:string, d:dynamic, n:long")
	f("T | project b | parse b with 'x' y:long 'z' w", "b:string, y:long, w:string")
	f("T | make-series n=count(), avg(a) on t step 1d by b", "b:string, n:dynamic, avg_a:dynamic, t:dynamic")
	f("T | count", "Count:long")
	f("T | top-nested 2 of b by count()", "b:string, aggregated_b:long")
	f("T | project a, b | getschema", "ColumnName:string, ColumnOrdinal:long, DataType:string, ColumnType:string")
	f("range x from 1 to 3 step 1", "x:long")
	f("range x from ago(1d) to now() step 1h", "x:datetime")
	f("datatable(a:long, b:dynamic)[1, 2]", "a:long, b:dynamic")
	f("T | project-reorder r, * | project-away c, d, t", "r:real, a:long, b:string, f:bool")
	f("T | project-rename q = a | project-keep q, b*", "q:long, b:string")
	f("T | extend x = column_ifexists('a', 0), y = column_ifexists('nope', 'n') | project x, y", "x:long, y:string")
	f("let f = (x:(b:string), n:long=3) { x | take n }; f(T) | project b", "b:string")
	f("let f = (n:long=3, m:long=4) { print n + m }; f(m=1)", "print_0:long")
	f("let v = view () { T | project a }; union v*", "a:long")
	f("let f = (name:string) { table(name) | project a }; f('U')", "a:int")
	f("T | where b in (U | project b) | project a", "a:long")
	f("T | extend n = toscalar(U | count) | project n", "n:long")
	f("T | evaluate bag_unpack(d) : (k:string)", "k:string")
	f("T | project a, d | evaluate bag_unpack(d) : (*, k:string)", "a:long, k:string")
	f("T | search 'x' | project $table, a", "$table:string, a:long")
	f("find in (T, U) where a > 1 project b", "source_:string, b:string")
	f("T | fork (count) (take 1 | project a)", "a:long")
	f("T | project iff(f, a, 2.0), case(f, 1, 2), coalesce(a, c)", "Column1:real, Column2:long, Column3:long")
	f("T | make-graph b --> b with U on b | graph-match (x)-[e]->(y) project x.b, e.a, n=y.x", "x_b:string, e_a:long, n:long")
	f("T | partition by b (summarize n=count())", "n:long")
	f("T | sort by a | scan declare (k:long=0) with (step s: true => k = s.k + a;) | project k", "k:long")
	f("T | extend (m, n) = series_fit_line(d) | project m, n, series_fit_line_d_variance", "m:real, n:real, series_fit_line_d_variance:real")
}

// TestErrors pins what people are told: place, code, message, hint.
func TestErrors(t *testing.T) {
	f := func(query, want string) {
		t.Helper()
		_, errs := bindText(query, fuzzSchema(), bind.Options{})
		if len(errs) == 0 {
			t.Errorf("%s\n  bound, want %s", query, want)
			return
		}
		if got := errs[0].Error(); got != want {
			t.Errorf("%s\n  got  %s\n  want %s", query, got, want)
		}
	}
	f("TT | count", "1:1: SEM0100: the name 'TT' does not refer to any known table, tabular variable or function (did you mean 'T'?)")
	f("T | where aa > 1", "1:11: SEM0100: the name 'aa' does not refer to any known column, table, variable or function (did you mean 'a'?)")
	f("T | where a", "1:11: SEM0141: the expression must have the type bool, not long")
	f("T | extend x = b + 1", "1:18: SEM0106: the operator '+' is not defined for the operand types string, long")
	f("T | summarize a by b", "1:15: SEM0236: the name 'a' is not an aggregate or scalar function (group by it, or wrap it in an aggregate such as take_any())")
	f("T | summarize count() by d", "1:26: SEM0116: a value of type dynamic is not allowed here; convert it with tostring(), tolong() …")
	f("T | where count() > 1", "1:11: SEM0144: the aggregate function 'count' is not allowed here (use it in summarize, make-series or top-nested)")
	f("T | extend x = strlenn(b)", "1:16: SEM0211: the name 'strlenn' does not refer to any known function (did you mean 'strlen'?)")
	f("T | extend x = strlen()", "1:16: SEM0118: the function 'strlen' takes one argument, not 0")
	f("T | extend x = 1, x = 2", "1:19: SEM0171: a column with the name 'x' is already declared")
	f("T | join U on x", "1:15: SEM0145: the column 'x' must exist on both sides of the join (name both columns: $left.a == $right.b)")
	f("T | join U on a", "1:15: SEM0227: the common column 'a' must have the same type on both sides: it is long and int (convert one of them)")
	f("T | extend prev(a)", "1:12: SEM0260: the function 'prev' needs an ordered input (put `| serialize` or a sort before it)")
	f("T | where d == d", "1:13: SEM0064: the operator '==' does not take two dynamic values (convert one of them with tostring(), tolong() …)")
	f("T | evaluate pivott(b)", "1:14: SEM0124: the plugin 'pivott' is not defined (did you mean 'pivot'?)")
	f("database('x').T", "1:10: SEM0208: the name 'x' does not refer to any known database")
	f("let f = (x:long) { f2(x) }; print f(1)", "1:20: SEM0211: the name 'f2' does not refer to any known function")
	f("where a > 1", "1:1: SEM0174: the operator cannot be the first of a query; put a table and | before it")
	f("let f = (k:string) { toscalar(U | where b == k | project x) }; T | extend y = f(b)", "1:81: SEM0262: the column 'b' cannot be used inside a sub-query such as toscalar(): it has a value for each row, the sub-query is computed once (join the table instead, or use lookup)")
}

// withFunctions is a schema that also has saved functions.
type withFunctions struct {
	bind.Schema
	fns map[string]bind.Function
}

func (w withFunctions) Function(s bind.Scope, name string) (bind.Function, bool) {
	f, ok := w.fns[name]
	return f, ok && s == bind.Scope{}
}

// TestSavedFunctions: parsers call parsers, disabled branches vanish, mistakes are told at the call.
func TestSavedFunctions(t *testing.T) {
	s := withFunctions{fuzzSchema(), map[string]bind.Function{
		"vimA":          {Name: "vimA", Params: "(starttime:datetime=datetime(null), disabled:bool=false)", Body: "{ T | where not(disabled) | where isnull(starttime) or t >= starttime | project t, b }"},
		"vimB":          {Name: "vimB", Params: "(starttime:datetime=datetime(null), disabled:bool=false)", Body: "T | where not(disabled) | project t, a"},
		"imAll":         {Name: "imAll", Params: "(starttime:datetime=datetime(null), off:bool=false)", Body: "{ union isfuzzy=true vimA(starttime, off), vimB(starttime=starttime, disabled=true), vimMissing(starttime) }"},
		"bad":           {Name: "bad", Params: "()", Body: "{ T | where nope > 1 }"},
		"loop":          {Name: "loop", Params: "(x:long)", Body: "{ loop(x) }"},
		"_GetWatchlist": {Name: "_GetWatchlist", Params: "(watchlistAlias:string)", Body: "{ table(strcat('', watchlistAlias)) }"},
	}}
	q, errs := bindText("imAll() | take 5", s, bind.Options{})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	text := q.String()
	if n := strings.Count(text, "Scan T"); n != 1 {
		t.Errorf("%d scans, want 1: the disabled branch must be gone\n%s", n, text)
	}
	if strings.Contains(text, "Filter") {
		t.Errorf("filters over constants must be gone\n%s", text)
	}
	if got, want := schemaOf(q.Results[0].Node.Cols()), "t:datetime, b:string, a:long"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	q, errs = bindText("imAll(starttime=ago(1d))", s, bind.Options{Now: 638000000000000000})
	if len(errs) > 0 || !strings.Contains(q.String(), "GreaterThanOrEqual") {
		t.Errorf("the time filter must be there: %v\n%v", errs, q)
	}
	_, errs = bindText("bad() | count", s, bind.Options{})
	if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "1:1: SEM0100: in the function 'bad': the name 'nope'") {
		t.Errorf("got %v", errs)
	}
	if _, errs = bindText("print loop(1)", s, bind.Options{}); len(errs) == 0 {
		t.Error("a function that calls itself must be refused")
	}
	q, errs = bindText("_GetWatchlist('U') | project x", s, bind.Options{})
	if len(errs) > 0 || schemaOf(q.Results[0].Node.Cols()) != "x:long" {
		t.Errorf("watchlist: %v", errs)
	}
}

// TestPluginSchema: the columns that the data decides come from the caller, and later operators see them.
func TestPluginSchema(t *testing.T) {
	query := "T | project a, d | evaluate bag_unpack(d) | where k startswith 'x' | project k, a"
	asked := 0
	opt := bind.Options{PluginSchema: func(p *plan.Evaluate) (value.Schema, error) {
		asked++
		if p.Plugin != "bag_unpack" || schemaOf(p.Out) != "a:long" {
			return nil, fmt.Errorf("asked for %s with %s", p.Plugin, schemaOf(p.Out))
		}
		return value.Schema{{Name: "a", Type: value.Long}, {Name: "k", Type: value.String}}, nil
	}}
	q, errs := bindText(query, fuzzSchema(), opt)
	if len(errs) > 0 || asked != 1 {
		t.Fatalf("asked %d times: %v", asked, errs)
	}
	if got := schemaOf(q.Results[0].Node.Cols()); got != "k:string, a:long" {
		t.Error(got)
	}
	opt.PluginSchema = func(*plan.Evaluate) (value.Schema, error) { return nil, errors.New("too many rows") }
	if _, errs = bindText(query, fuzzSchema(), opt); len(errs) == 0 || !strings.Contains(errs[0].Msg, "too many rows") {
		t.Errorf("got %v", errs)
	}
	q, errs = bindText("T | evaluate bag_unpack(d)", fuzzSchema(), bind.Options{})
	if len(errs) > 0 || !q.Results[0].Node.(*plan.Evaluate).Dynamic {
		t.Errorf("bind only: %v", errs)
	}
}

// TestShared: a let used once is put in line, used twice it is shared, materialize() is kept.
func TestShared(t *testing.T) {
	f := func(query string, shared int, materialized bool) {
		t.Helper()
		q, errs := bindText(query, fuzzSchema(), bind.Options{})
		if len(errs) > 0 {
			t.Errorf("%s: %v", query, errs)
			return
		}
		if len(q.Shared) != shared || shared > 0 && q.Shared[0].Materialized != materialized {
			t.Errorf("%s\n%s", query, q)
		}
		if err := plan.Check(q); err != nil {
			t.Error(err)
		}
	}
	f("let x = T | take 1; x", 0, false)
	f("let x = T | take 1; let y = x | count; x", 0, false)
	f("let x = T | take 1; x | union x", 1, false)
	f("let x = materialize(T | take 1); x", 1, true)
	f("let x = materialize(T | take 1); x | join kind=inner x on a", 1, true)
	f("T | as hint.materialized=true y | union y", 1, true)
	f("T | fork (count) (take 1)", 1, true)
	f("let f = (x:(*)) { x | union (x | take 1) }; f((T | where a > 1))", 1, false)
}

// TestLimits: expansion ends with an error, never with the memory.
func TestLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString("let f0 = (x:long) { x + 1 };\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "let f%d = (x:long) { f%d(x) + f%d(x) };\n", i, i-1, i-1)
	}
	b.WriteString("print f39(1)")
	_, errs := bindText(b.String(), fuzzSchema(), bind.Options{MaxNodes: 20000})
	if len(errs) == 0 || errs[0].Code != "SEM0250" {
		t.Errorf("got %v", errs)
	}
}

// TestLongChains: texts as long as the parser lets through bind in moderate time and stack.
func TestLongChains(t *testing.T) {
	for _, text := range []string{
		"T | where " + strings.Repeat("a == 1 or ", 15000) + "a == 2",
		"print " + strings.Repeat("1 + ", 15000) + "1",
		"T" + strings.Repeat(" | where a > 1", 5000),
		"T | where a in (" + strings.Repeat("1, ", 20000) + "2)",
		"print dynamic([" + strings.Repeat("1, ", 50000) + "2])",
		"T | extend x = " + strings.Repeat("strcat(b, ", 200) + "b" + strings.Repeat(")", 200),
	} {
		began := time.Now()
		if _, errs := bindText(text, fuzzSchema(), bind.Options{}); len(errs) > 0 {
			t.Errorf("%.60s…: %v", text, errs[0])
		}
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("%.60s… took %v", text, d)
		}
	}
}

func BenchmarkLongestRule(b *testing.B) {
	dir := sharedDir(b)
	s := contentTables(b, dir)
	longest := longestRule(b, dir)
	b.ResetTimer()
	for b.Loop() {
		if _, errs := bindText(longest, s, bind.Options{}); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
