package syntax

import (
	"fmt"
	"picket/kql/value"
	"strings"
	"testing"
)

// mustParse gives the tree of a correct text.
func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	doc, errs := Parse(text)
	if err := errs.Err(); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return doc
}

// exprOf gives the expression of the last statement.
func exprOf(t testing.TB, text string) Expr {
	t.Helper()
	doc := mustParse(t, text)
	return doc.Statements[len(doc.Statements)-1].(*ExprStmt).X
}

// TestPrint holds one or more examples of every construct: what it reads, and what it prints.
func TestPrint(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"T|where a==1|count", "T\n| where a == 1\n| count"},
		{"T|filter a<>1|limit 5|order by a asc nulls first,b", "T\n| where a != 1\n| take 5\n| sort by a asc nulls first, b"},
		{"T | where a notcontains 'x' or b containscs \"y\" or c matches regex @'\\d'", "T\n| where a !contains 'x' or b contains_cs \"y\" or c matches regex @'\\d'"},
		{"T | where a in~ ('x','y') and b !in (U|project c)", "T\n| where a in~ ('x', 'y') and b !in (\n    U\n    | project c\n)"},
		{"T | where a has_any(b) and c !between(1..2)", "T\n| where a has_any (b) and c !between (1 .. 2)"},
		{"T | where * has 'x' and a.b[0].['c d'][-1]==f(a,*)", "T\n| where * has 'x' and a.b[0].['c d'][-1] == f(a, *)"},
		{"T | extend (a,['b c'])=f(x), k=1", "T\n| extend (a, ['b c']) = f(x), k = 1"},
		{"T | summarize hint.strategy=shuffle x=sum(a), count() by b, bin(t,1h)", "T\n| summarize hint.strategy=shuffle x = sum(a), count() by b, bin(t, 1h)"},
		{"T | summarize by a", "T\n| summarize by a"},
		{"T | summarize count() by t bin=1h", "T\n| summarize count() by t bin = 1h"},
		{"T | join kind=leftouter hint.remote=left (U | as V) on a, $left.b==$right.c", "T\n| join kind=leftouter hint.remote=left (\n    U\n    | as V\n) on a, $left.b == $right.c"},
		{"T | lookup (U) on a", "T\n| lookup (U) on a"},
		{"union isfuzzy=true withsource=s (A|take 1), B*, database('d').C, ['x y']", "union isfuzzy=true withsource=s (\n    A\n    | take 1\n), B*, database('d').C, ['x y']"},
		{"T | mvexpand bagexpansion=array a to typeof(long), b=c limit 5", "T\n| mv-expand bagexpansion=array a to typeof(long), b = c limit 5"},
		{"T | mv-apply with_itemindex=i x=a to typeof(long) on (where x>1|top 1 by x)", "T\n| mv-apply with_itemindex=i x = a to typeof(long) on (\n    where x > 1\n    | top 1 by x\n)"},
		{"T | parse kind=regex flags=Ui a with * 'x' 'y' b:long 'z' *", "T\n| parse kind=regex flags=Ui a with * 'x' 'y' b:long 'z' *"},
		{"T | parse-where a with b", "T\n| parse-where a with b"},
		{"T | parse-kv a as (x:long, y:string) with (pair_delimiter=';', kv_delimiter='=', greedy=true)", "T\n| parse-kv a as (x:long, y:string) with (pair_delimiter=';', kv_delimiter='=', greedy=true)"},
		{"T | make-series kind=nonempty n=avg(a) default=0, count() on t from 1 to 9 step 2 by k", "T\n| make-series kind=nonempty n = avg(a) default = 0, count() on t from 1 to 9 step 2 by k"},
		{"T | make-series count() on t in range(1,9,2)", "T\n| make-series count() on t in range(1, 9, 2)"},
		{"T | scan with_match_id=m order by t asc partition by k declare (x:long=0) with (step s1 output=last: a>1 => x=s1.x+1, y=2; step s2 optional: true;)", "T\n| scan with_match_id=m order by t asc partition by k declare (x:long = 0) with (\n    step s1 output=last: a > 1 => x = s1.x + 1, y = 2;\n    step s2 optional: true;\n)"},
		{"T | top-nested 2 of a with others='o' by count(), top-nested of b by sum(c) desc", "T\n| top-nested 2 of a with others = 'o' by count(), top-nested of b by sum(c) desc"},
		{"T | top-hitters 2 of a by b | top 3 by c desc nulls last", "T\n| top-hitters 2 of a by b\n| top 3 by c desc nulls last"},
		{"T | partition hint.strategy=native by a (top 1 by b|count) | partition by c in dynamic([1]) {U|where x}", "T\n| partition hint.strategy=native by a (\n    top 1 by b\n    | count\n)\n| partition by c in dynamic([1]) {\n    U\n    | where x\n}"},
		{"T | fork a=(count) (where x|take 2)", "T\n| fork\n    a = (count)\n    (\n        where x\n        | take 2\n    )"},
		{"T | facet by a,b with (where c|take 2)", "T\n| facet by a, b with (\n    where c\n    | take 2\n)"},
		{"T | facet by a with take 2", "T\n| facet by a with take 2"},
		{"find withsource=s in (A, B*, c.d, f|as e) where x==1 project a, b:string, pack(*)", "find withsource=s in (A, B*, c.d, f | as e) where x == 1 project a, b:string, pack(*)"},
		{"find datascope=all x project-smart", "find datascope=all where x project-smart"},
		{"T | search kind=case_sensitive in (A) a:'x' and 'y' or *:'z'", "T\n| search kind=case_sensitive in (A) a:'x' and 'y' or *:'z'"},
		{"search *", "search *"},
		{"T | evaluate hint.distribution=single pivot(a,sum(b)):(*, c:long)", "T\n| evaluate hint.distribution=single pivot(a, sum(b)) : (*, c:long)"},
		{"T | render timechart with (title='x', ycolumns=a, b, ymin=0, legend=hidden)", "T\n| render timechart with (title='x', ycolumns=a, b, ymin=0, legend=hidden)"},
		{"T | render columnchart kind=stacked title='x' by a, b", "T\n| render columnchart kind=stacked title='x' by a, b"},
		{"E | make-graph a --> b with N on id, M on k | graph-match cycles=none (x)-[e*1..3]->(y)<--(z)--(), (q)<-[w]-(x) where x.p project x.n, l=e.m", "E\n| make-graph a --> b with N on id, M on k\n| graph-match cycles=none (x)-[e*1 .. 3]->(y)<--(z)--(), (q)<-[w]-(x) where x.p project x.n, l = e.m"},
		{"E | make-graph a -- b with_node_id=n partitioned-by c (graph-shortest-paths output=all (x)-[e]-(y) project x)", "E\n| make-graph a -- b with_node_id=n partitioned-by c (graph-shortest-paths output=all (x)-[e]-(y) project x)"},
		{"G | graph-match (a)<-[e]->(b) project a", "G\n| graph-match (a)<-[e]->(b) project a"},
		{"G | graph-mark-components kind=weak with_component_id=c | graph-where-nodes a | graph-where-edges b | graph-to-table nodes as N with_node_id=i, edges as E with_source_id=s", "G\n| graph-mark-components kind=weak with_component_id=c\n| graph-where-nodes a\n| graph-where-edges b\n| graph-to-table nodes as N with_node_id=i, edges as E with_source_id=s"},
		{"datatable(a:long,b:string)[1,'x',-2,'y',]", "datatable (a:long, b:string) [\n    1, 'x',\n    -2, 'y'\n]"},
		{"externaldata(a:string)[h@'u'] with (format='csv', ignoreFirstRecord=true)", "externaldata (a:string) [h@'u'] with (format='csv', ignoreFirstRecord=true)"},
		{"inline_external_table (a:string, p:datetime) kind=storage partition by (p:datetime=bin(t,1d)) pathformat=('d=' datetime_pattern('yyyy', p) '/x') dataformat=csv ('u') with (a='b')", "inline_external_table (a:string, p:datetime) kind=storage partition by (p:datetime = bin(t, 1d)) pathformat = (\"d=\" datetime_pattern(\"yyyy\", p) \"/x\") dataformat=csv ('u') with (a='b')"},
		{"macro-expand isfuzzy=true entity_group [cluster('a').database('b')] as X (let y=1; X.T|count)", "macro-expand isfuzzy=true entity_group [cluster('a').database('b')] as X (\n    let y = 1;\n    X.T\n    | count\n)"},
		{"T | project-away a*, b | project-keep *c | project-rename n=o | project-reorder a*, b desc | project-by-names f()", "T\n| project-away a*, b\n| project-keep *c\n| project-rename n = o\n| project-reorder a*, b desc\n| project-by-names f()"},
		{"T | distinct * | sample 3 | sample-distinct 2 of a | serialize r=row_number() | getschema kind=csl | consume decodeblocks=true", "T\n| distinct *\n| sample 3\n| sample-distinct 2 of a\n| serialize r = row_number()\n| getschema kind=csl\n| consume decodeblocks=true"},
		{"T | reduce kind=source by a with threshold=0.1, characters='x' | assert-schema (a:long) | invoke f(1).g() | as hint.materialized=true N", "T\n| reduce kind=source by a with threshold=0.1, characters='x'\n| assert-schema (a:long)\n| invoke f(1).g()\n| as hint.materialized=true N"},
		{"range x from 1 to 3 step 1", "range x from 1 to 3 step 1"},
		{"print toscalar(T|count), toscalar kind=nooptimization (T), totable(x)", "print toscalar(\n    T\n    | count\n), toscalar kind=nooptimization (T), totable(x)"},
		{"let f=view(T:(a:string),n:long=5,S:(*)){let x=1;T|take n}; f(A)", "let f = view (T:(a:string), n:long = 5, S:(*)) {\n    let x = 1;\n    T\n    | take n\n};\nf(A)"},
		{"set notruncation; set a=1; alias database d=cluster('c').database('x'); restrict access to (a, b.*); declare query_parameters(p:long=1); T", "set notruncation;\nset a = 1;\nalias database d = cluster('c').database('x');\nrestrict access to (a, b.*);\ndeclare query_parameters(p:long = 1);\nT"},
		{"declare pattern P=(a:string)[b:string]{('x').['y']={T;};}; declare pattern Q; P('x').y", "declare pattern P = (a:string)[b:string] {\n    ('x').['y'] = {\n        T\n    };\n};\ndeclare pattern Q;\nP('x').y"},
		{"print dynamic({'a':[1,-2,null,true,datetime(2020-01-01)],\"b\":{}})", "print dynamic({\"a\": [1, -2, null, true, datetime(2020-01-01)], \"b\": {}})"},
		{"#connect cluster('x')\nT datascope=hotcache | count", "#connect cluster('x')\nT datascope=hotcache\n| count"},
		{".create table T (a:long)", ".create table T (a:long)"},
	} {
		doc := mustParse(t, c.in)
		if got := Print(doc); got != c.want {
			t.Errorf("%s\nprints\n%s\nnot\n%s", c.in, got, c.want)
		}
		if d := roundTrip(c.in); d != "" {
			t.Errorf("%s: %s", c.in, d)
		}
	}
}

// TestErrors holds wrong texts and the place and start of each message that they give.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"T | where x == | extned y = 2 | project a b | take", "1:16 expected an expression // 1:18 unknown query operator extned // 1:43 unexpected b // 1:51 expected an expression"},
		{"let x 5; T", "1:7 expected = before 5"},
		{"T\n| where 'abc\n| count", "2:9 the string has no end"},
		{"T | where ((a == 1)", "1:20 expected )"},
		{"T | where a == 1)", "1:17 unexpected )"},
		{"T | project a,, b", "1:15 expected an expression"},
		{"T |", "1:4 expected a query operator"},
		{"print 1\n\nprint 2", "3:1 expected ; before the keyword print"},
		{"print 1;;print 2", "1:9 empty statement"},
		{"T | join kind=foo (U) on a", "1:15 kind can't be foo"},
		{"T | join (U)", "1:13 expected on"},
		{"T | render foochart", "1:12 the kind of chart can't be foochart"},
		{"T | where project == 1", "1:11 the keyword project can't be a name"},
		{"let f = (x:float) { x }; f(1)", "1:12 float is no type"},
		{"print 74be27de-1e4e-49d9-b579-fe0b331d3642", "1:7 a bare guid"},
		{"print 'a\\zb', 1 ` 2", "1:9 unknown escape // 1:17 unexpected character '`'"},
		{"print dynamic(a)", "1:15 expected a JSON value"},
		{"T | mv-expand a limit 5 to typeof(long)", "1:25 unexpected the keyword to"},
		{"T | extend a-b = 1", "1:12 a-b can't be a name"},
		{"datatable(kind:string)[]", "1:11 expected )"},
		{"x = 1; // комментарий\nT | where ø", "1:3 unexpected = // 2:11 unexpected character"},
		{"print datetime(2020-01-01\n", "1:26 the literal datetime(… has no closing"},
		{strings.Repeat("(", MaxDepth+10) + "1", fmt.Sprintf("1:%d the query is nested more than %d levels deep", MaxDepth/2+1, MaxDepth)},
		{"print 1" + strings.Repeat("+1", MaxChain+1), "1:40008 more than 20000 operators in one chain"},
		{strings.Repeat(" ", MaxTextBytes+1), "1:1 the query is 2097153 bytes long"},
	} {
		_, errs := Parse(c.in)
		var got []string
		for _, e := range errs {
			got = append(got, fmt.Sprintf("%d:%d %s", e.Line, e.Column, e.Msg))
		}
		want := strings.Split(c.want, " // ")
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("%.80s\ngives %q\nnot %q", c.in, got, want)
		}
	}
	if _, errs := Parse(strings.Repeat("T | foo;", 500)); len(errs) != maxErrors+1 || errs[maxErrors].Code != CodeLimit {
		t.Errorf("%d errors for 500 wrong statements", len(errs))
	}
}

// TestNames holds where keywords may be names without brackets.
func TestNames(t *testing.T) {
	for _, ok := range []string{
		"T | where kind == 'a' and Type has 'b' and id == 1 | project kind, count, limit, order, join",
		"T | extend where = 1, has = 2, title = 3, ['project'] = 4 | where ['where'] == 1",
		"datatable(title:string, top:long, search:bool)[]",
		"T | summarize count=count(), take=any(a) by bin(id, 1), on = x",
		"let count = 5; let range = 2; T | take count",
		"range | where step > 1", "count", "T | where count > 1 and range == 2",
		"T | mv-apply on = a on (count)",
		"T | where 3abc == 1 and $x == 2 and _y == 3",
		"T | where {param} == 1 and {x[0]} > 2",
	} {
		mustParse(t, ok)
	}
	for _, bad := range []string{"T | project where", "let where = 1", "T | where contains == 1", "datatable(kind:string)[]", "T | extend first = 1", "T | extend and = 1", "Print 1 2"} {
		if _, errs := Parse(bad); len(errs) == 0 {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestPrecedence(t *testing.T) {
	var dump func(x Expr) string
	dump = func(x Expr) string {
		switch x := x.(type) {
		case *BinaryExpr:
			return "(" + dump(x.X) + " " + x.Op.Text() + " " + dump(x.Y) + ")"
		case *UnaryExpr:
			return "(" + x.Op.Text() + dump(x.X) + ")"
		case *InExpr:
			return "(" + dump(x.X) + " " + x.Op.Text() + " …)"
		}
		return Print(x)
	}
	for in, want := range map[string]string{
		"a or b and c or d":       "((a or (b and c)) or d)",
		"a + b * c - d":           "((a + (b * c)) - d)",
		"a == b + 1 and c in (1)": "((a == (b + 1)) and (c in …))",
		"a * b has 'x'":           "(a * (b has 'x'))",
		"-a.b + -1":               "((-a.b) + (-1))",
		"a < b == c":              "((a < b) == c)",
		"a contains 'x' == true":  "((a contains 'x') == true)",
	} {
		got := dump(exprOf(t, "T | where "+in).(*PipeExpr).Op.(*WhereOp).Pred)
		if got != want {
			t.Errorf("%s: %s, not %s", in, got, want)
		}
	}
}

func TestLiterals(t *testing.T) {
	lit := func(text string) *Literal {
		t.Helper()
		x := exprOf(t, "print "+text).(*PipeExpr).Op.(*PrintOp).Items[0]
		l, ok := x.(*Literal)
		if !ok {
			t.Fatalf("%s is %T", text, x)
		}
		return l
	}
	for text, want := range map[string]int64{
		"42": 42, "0x1F": 31, "long(-7)": -7, "int(0x10)": 16, "true": 1, "bool(false)": 0,
		"1d": 864e9, "1.5h": 54e9, "10ms": 1e5, "1tick": 1, "3microseconds": 30, "time(1.02:03:04.5)": 937845e6, "timespan(2d)": 1728e9,
		"datetime(0001-01-02)": 864e9, "date(0001-01-01 00:00:01)": 1e7,
	} {
		if l := lit(text); l.Value.I != want || l.Undecoded || l.Value.Null || l.Value.Type != l.Type {
			t.Errorf("%s is %+v, not %d", text, l, want)
		}
	}
	for text, want := range map[string]string{
		`"a\"b\n\t\\\u00e9\x41\101"`: "a\"b\n\t\\éAA", `'it''s'`: "its", `@'a\b''c'`: `a\b'c`, `@"x""y"`: `x"y`, "h'secret'": "secret", "H@'s'": "s",
		"```a\n'b'\\```": "a\n'b'\\", "~~~a`b~~~": "a`b", `"a" 'b' @"c"`: "abc", `"\ud83d\ude00"`: "😀", `'a"b'`: `a"b`,
	} {
		if l := lit(text); l.Type != value.String || l.Value.S != want {
			t.Errorf("%s is %q, not %q", text, l.Value.S, want)
		}
	}
	for _, text := range []string{"long(null)", "datetime(null)", "real(null)", "guid( null )", "bool(null)", "decimal(null)", "timespan(null)"} {
		if l := lit(text); !l.Value.Null || l.Undecoded {
			t.Errorf("%s is %+v", text, l)
		}
	}
	for _, text := range []string{"int(abc)", "99999999999999999999", "datetime(foo)", "int(4294967296)"} {
		if l := lit(text); !l.Undecoded || l.Inner == "" {
			t.Errorf("%s is %+v", text, l)
		}
	}
	if l := lit("1.5e3"); l.Value.F != 1500 {
		t.Errorf("1.5e3 is %v", l.Value.F)
	}
	if l := lit("decimal(1.10)"); l.Value.M.String() != "1.1" {
		t.Errorf("decimal(1.10) is %v", l.Value.M)
	}
	if l := lit("guid(74be27de-1e4e-49d9-b579-fe0b331d3642)"); l.Value.G[0] != 0x74 || l.Value.G[15] != 0x42 {
		t.Errorf("guid is %x", l.Value.G)
	}
}

func TestFormat(t *testing.T) {
	in := "// top\nlet a=1; // one\nT|where x>1 // filter\n|join (U // inside\n|count) on z\n// end"
	want := "// top\nlet a = 1;\n// one\nT\n| where x > 1\n// filter\n| join (\n    U\n    // inside\n    | count\n) on z\n// end\n"
	got, errs := Format(in)
	if got != want || errs.Err() != nil {
		t.Errorf("%s\n%v", got, errs)
	}
	if again, _ := Format(got); again != got {
		t.Errorf("formatting again changes it:\n%s", again)
	}
	if got, errs := Format("T |"); got != "T |" || len(errs) != 1 {
		t.Errorf("a wrong text: %q, %v", got, errs)
	}
}

func TestTokens(t *testing.T) {
	text := "T // c\n| where f(a) == 'x' and b > 1d and c < 2 ` #d"
	var got []string
	for _, k := range Tokens(text) {
		got = append(got, string(k.Kind[:2])+" "+text[k.Start:k.End])
	}
	want := "id T;co // c;op |;ke where;fu f;pu (;id a;pu );op ==;st 'x';ke and;id b;op >;li 1d;ke and;id c;op <;nu 2;ba `;di #d"
	if s := strings.Join(got, ";"); s != want {
		t.Errorf("%s\nnot\n%s", s, want)
	}
}

func TestWalk(t *testing.T) {
	doc := mustParse(t, "let f = (a:long = b) { a }; T | where x > y[0].z | summarize s = sum(v) by k | mv-apply e on (top 1 by q)")
	var names []string
	Walk(doc, func(n Node) bool {
		if r, ok := n.(*NameRef); ok {
			names = append(names, r.Name)
		}
		_, call := n.(*Call)
		return !call
	})
	if s := strings.Join(names, " "); s != "b a T x y z k e q" {
		t.Errorf("names %s", s)
	}
}

func TestSpans(t *testing.T) {
	text := "let ü = 1; T\n| where a == ü1 | take 5"
	_, errs := Parse(text)
	if len(errs) == 0 || errs[0].Line != 1 || errs[0].Column != 5 || errs[0].Start != 4 {
		t.Errorf("%+v", errs)
	}
	text = "T | where  abc == 'x'  | take 5"
	doc := mustParse(t, text)
	p := doc.Statements[0].(*ExprStmt).X.(*PipeExpr)
	where := p.Input.(*PipeExpr).Op.(*WhereOp)
	b := where.Pred.(*BinaryExpr)
	for _, c := range []struct {
		s    Span
		want string
	}{{p.Span, text}, {where.Span, "where  abc == 'x'"}, {b.Span, "abc == 'x'"}, {b.OpSpan, "=="}, {b.Y.Range(), "'x'"}, {p.Op.Range(), "take 5"}} {
		if got := text[c.s.Start:c.s.End]; got != c.want {
			t.Errorf("span %q, not %q", got, c.want)
		}
	}
}

func TestPieces(t *testing.T) {
	for _, text := range []string{"a:string, n:long = 5, T:(x:long, *)", "(a:string, n:long = 5, T:(x:long, *))"} {
		list, errs := ParseParams(text)
		if len(errs) > 0 || len(list) != 3 || list[1].Default == nil || !list[2].Table.Any || len(list[2].Table.Columns) != 1 {
			t.Errorf("%s: %v %v", text, list, errs)
		}
	}
	if list, errs := ParseParams(""); len(list) != 0 || len(errs) != 0 {
		t.Errorf("no parameters: %v %v", list, errs)
	}
	if _, errs := ParseParams("a:string b"); len(errs) != 1 {
		t.Errorf("%v", errs)
	}
	l, errs := ParseLambda("(n:long) { let x = 1; T | take n }")
	if len(errs) > 0 || len(l.Params) != 1 || len(l.Body.Statements) != 1 || l.Body.Result == nil {
		t.Errorf("%+v %v", l, errs)
	}
	if _, errs := ParseLambda("T | take 5"); len(errs) == 0 {
		t.Error("a query is taken for a function")
	}
	if x, errs := ParseExpr("a + 1"); len(errs) > 0 || Print(x) != "a + 1" {
		t.Errorf("%v %v", x, errs)
	}
	if _, errs := ParseExpr("a; b"); len(errs) != 1 {
		t.Errorf("%v", errs)
	}
}

func TestSplit(t *testing.T) {
	text := "// first\nA | count\n\nB\n// c\n| where f(x,\n\n y)\n\n\nlet a = 1;\n\nC\n\n| take 5\n"
	var got []string
	for _, s := range Split(text) {
		got = append(got, text[s.Start:s.End])
	}
	want := []string{"A | count", "B\n// c\n| where f(x,\n\n y)", "let a = 1;\n\nC\n\n| take 5"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
}
