package dialect

import (
	"context"
	"fmt"
	"math"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/lake/duck"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var ctx = context.Background()

func conn(t testing.TB) *duck.Conn {
	t.Helper()
	db, err := duck.Open("", map[string]string{"threads": "2", "memory_limit": "500MiB"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); db.Close() })
	if _, err := c.Exec(ctx, "SET TimeZone='UTC'"); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCodePoints holds what the string operators rest on: for every code point, lower() is Go's, and the regular
// expressions' letters and digits are Go's; upper() differs for one letter.
func TestCodePoints(t *testing.T) {
	c := conn(t)
	s := value.Schema{
		{Name: "i", Type: value.Long},
		{Name: "l", Type: value.String},
		{Name: "u", Type: value.String},
		{Name: "t", Type: value.Bool},
		{Name: "w", Type: value.Bool},
		{Name: "f", Type: value.Bool},
		{Name: "dot", Type: value.Bool},
	}
	word, fold := regexp.MustCompile(`[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]`), regexp.MustCompile(`(?i)[a-z]`)
	sql := `SELECT i::BIGINT, lower(chr(i::INT)), upper(chr(i::INT)), regexp_matches(chr(i::INT), '[\p{L}\p{Nd}]'), regexp_matches(chr(i::INT), '[\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}]'), regexp_matches(chr(i::INT), '(?i)[a-z]'), regexp_matches(chr(i::INT), '.') FROM range(1, 1114112) r(i) WHERE i NOT BETWEEN 55296 AND 57343`
	n := 0
	err := c.Query(ctx, sql, nil, s, func(f *value.Frame) error {
		for k := range f.N {
			r := rune(f.Vecs[0].I[k])
			if got := f.Vecs[1].S[k]; got != strings.ToLower(string(r)) {
				t.Errorf("lower(%U) is %q", r, got)
			}
			if got := f.Vecs[2].S[k]; got != strings.ToUpper(string(r)) && r != 'ß' {
				t.Errorf("upper(%U) is %q", r, got)
			}
			if got := f.Vecs[3].I[k] != 0; got != isTerm(r) {
				t.Errorf("%U is a letter or digit: %v", r, got)
			}
			if got := f.Vecs[4].I[k] != 0; got != word.MatchString(string(r)) {
				t.Errorf("%U is of a word: %v", r, got)
			}
			if got := f.Vecs[5].I[k] != 0; got != fold.MatchString(string(r)) {
				t.Errorf("%U is an ASCII letter in any case: %v", r, got)
			}
			if got := f.Vecs[6].I[k] != 0; got != (r != '\n') {
				t.Errorf("a dot stands for %U: %v", r, got)
			}
			n++
		}
		return nil
	})
	if err != nil || n < 1_100_000 {
		t.Error(n, err)
	}
}

// values are rows with what is apt to go wrong, one type a column.
func values() *value.Frame {
	s := value.Schema{
		{Name: "id", Type: value.Long},
		{Name: "b", Type: value.Bool},
		{Name: "i", Type: value.Int},
		{Name: "l", Type: value.Long},
		{Name: "r", Type: value.Real},
		{Name: "s", Type: value.String},
		{Name: "u", Type: value.String},
		{Name: "d", Type: value.Datetime},
		{Name: "e", Type: value.Datetime},
		{Name: "t", Type: value.Timespan},
		{Name: "g", Type: value.GUID},
		{Name: "p", Type: value.Dynamic},
		{Name: "j", Type: value.String},
	}
	texts := []string{
		"", "a", "A", "mimikatz", "Run MIMIKATZ.exe", "x_mimikatz-y", "mimikatzen", "\u212Aelvin", "\u0130stanbul", "straße", "foo bar", "12", "-7", "+5", "0x1F", " 7 ", "1.5", "1e3", "nan", "École", "日本語 has", "a\nb", "{}", "null",
		"true", "TRUE", "False ", `x'y"z`, `C:\Windows`, "10.0.0.1", "9223372036854775808", "ſ", "a-b-c", "%_", ".*", "[a]", "éa", "á", "12345678901", "ǅ",
	}
	docs := []string{
		"", `{"a":"x","n":1,"x":1.5,"o":{"b":[1,"k",{"c":"z"}]}}`, `{"a":null}`, `[1,"two"]`, `"text"`, `{"a":"{not json","n":"12"}`, `{"a":"","n":2.5}`, `{"a":true,"n":false}`, `{"a":["q"],"n":123456789012345678901}`,
		`{"a":"12","n":-3,"x":1e21}`, `{"a":{"z":1}}`, `{}`, `7`, `{"a":"École","n":0.1}`, `{"a":"-","x":"0.5"}`, `{"a":12,"n":1e2}`, `{"a":1.25,"n":"x"}`, `{"a":{"k":[1.5,{"z":"1.2.3 é \\ \" / \n"}],"m":1234567890123}}`, `{"a":[1e300,"\u0001"]}`, `{"a":[0.1234567]}`, `{"a":[12345678901.5, 1e-7]}`,
	}
	longs := []int64{0, 1, -1, 7, -5, 10, 60, math.MaxInt64, math.MinInt64, 1 << 53, -100, 4625}
	reals := []float64{0, math.Copysign(0, -1), 1.5, -2.5, 1e308, math.Inf(1), math.Inf(-1), math.NaN(), 0.1, 3}
	times := []int64{0, 1, 10, value.MaxDatetime, 638000000000000000, 638000000000000007, 621355968000000000, 621355967999999999, 630822816000000000}
	n := len(texts)
	f := &value.Frame{Schema: s, N: n}
	for _, c := range s {
		f.Vecs = append(f.Vecs, value.New(c.Type, n))
	}
	for i := range n {
		set := func(k int, v value.Value) { f.Vecs[k].Set(i, v) }
		null := func(k int) { f.Vecs[k].SetNull(i) }
		set(0, value.OfLong(int64(i)))
		if i%3 == 2 {
			null(1)
		} else {
			set(1, value.OfBool(i%3 == 0))
		}
		set(2, value.Of(value.Int, []int64{0, 1, -1, math.MaxInt32, math.MinInt32, 7, 4625}[i%7]))
		set(3, value.OfLong(longs[i%len(longs)]))
		set(4, value.OfReal(reals[i%len(reals)]))
		set(5, value.OfString(texts[i]))
		set(6, value.OfString(texts[(i*7+3)%n]))
		set(7, value.Of(value.Datetime, times[i%len(times)]/10*10))
		set(8, value.Of(value.Datetime, times[(i+2)%len(times)]))
		set(9, value.Of(value.Timespan, []int64{0, 1, -1, 36_000_000_000, -864_000_000_005, 600_000_000}[i%6]))
		set(10, value.Value{Type: value.GUID, G: [16]byte{byte(i % 4), 0xfe}})
		if s := docs[i%len(docs)]; s != "" {
			d, err := value.ParseJSON(s)
			if err != nil {
				panic(err)
			}
			set(11, value.OfDynamic(d))
		} else {
			null(11)
		}
		set(12, value.OfString([]string{
			"", `{"a":1}`, `{"a":1,"a":2}`, `{"a":"x","o":{"k":"v","k":"w"}}`, `{"o":{"k":"é","a":3},"a":null}`, `[{"a":1},2]`, `{"a":`, "plain", `"text"`, "12", "null", `{"a":[1,]}`,
			`{"a":NaN}`, "{\"a\":\"x\ny\"}", " {\n \"a\" : true } ", `{"\u0061":5,"a":6}`, `{"a":"C:\\x","b":"\"a\""}`, "nan", "-inf", "1 2", `{"a":{"a":{"a":1}}}`, "[1,2", `{"a":1.50}`,
		}[i%23]))
		for k := 2; k <= 10; k++ {
			if k != 5 && k != 6 && (i+k)%8 == 0 {
				null(k)
			}
		}
	}
	return f
}

// fixture is the frame as a table of DuckDB and as a source of the interpreter.
type fixture struct {
	c     *duck.Conn
	f     *value.Frame
	where string
}

func (x *fixture) load(t testing.TB) {
	t.Helper()
	var cols, rows []string
	for _, c := range x.f.Schema {
		cols = append(cols, quoteName(c.Name)+" "+sqlType(c.Type, repTS))
	}
	cols = append(cols, `"e$t" TINYINT`)
	for i := range x.f.N {
		var cells []string
		digit := "0"
		for k, v := range x.f.Vecs {
			cell := v.At(i)
			if x.f.Schema[k].Name == "e" && !cell.Null {
				digit = strconv.Itoa(int(cell.I % 10))
				cell.I -= cell.I % 10
			}
			if cell.Type == value.Dynamic && !cell.Null {
				cells = append(cells, "'"+strings.ReplaceAll(string(value.AppendJSON(nil, cell.D)), "'", "''")+"'")
				continue
			}
			lit, ok := literal(cell)
			if !ok {
				t.Fatalf("no literal for %v", cell)
			}
			cells = append(cells, lit.sql)
		}
		rows = append(rows, "("+strings.Join(append(cells, digit), ", ")+")")
	}
	if _, err := x.c.Exec(ctx, "CREATE TABLE X("+strings.Join(cols, ", ")+"); INSERT INTO X VALUES "+strings.Join(rows, ", ")); err != nil {
		t.Fatal(err)
	}
}

func (x *fixture) Relation(s *plan.Scan) (*Relation, error) {
	r := &Relation{SQL: "X", Where: x.where}
	for _, c := range s.Out {
		col := Column{Name: c.Name, Physical: c.Name}
		if c.Name == "e" {
			col.Ticks = "e$t"
		}
		r.Columns = append(r.Columns, col)
	}
	return r, nil
}

func (x *fixture) Scan(_ context.Context, s *plan.Scan) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		f := &value.Frame{N: x.f.N}
		for _, c := range s.Out {
			f.Vecs = append(f.Vecs, x.f.Vecs[x.f.Schema.Index(c.Name)])
		}
		yield(f, nil)
	}
}

func (x *fixture) External(context.Context, *plan.ExternalRel) exec.Frames { panic("none") }

func (x *fixture) parse(t testing.TB, text string) *plan.Query {
	t.Helper()
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", text, errs)
	}
	q, errs := bind.Bind(doc, text, bind.Tables{"X": x.f.Schema}, bind.Options{})
	if len(errs) > 0 {
		t.Fatalf("%s: %v", text, errs)
	}
	return q
}

// expressions are said in SQL, wholly.
var expressions = strings.Split(strings.TrimSpace(`
l == 7
l != 7
l == i
l != i
i < l
l >= r
r < 1.5
r > 1.5
r == r
r != r
r == 0.0
r <= real(nan)
b == true
b != b
s == u
s != ""
g == guid(00fe0000-0000-0000-0000-000000000000)
g != g
d == e
d < e
d >= datetime(0001-01-01T00:00:00.0000005Z)
e == datetime(2022-09-28T10:06:40.0000007Z)
e > datetime(2022-09-28T10:06:40Z)
d between (datetime(1970-01-01) .. 30d)
e !between (datetime(1970-01-01) .. datetime(2100-01-01))
t > 1h
t == 1tick
l between (0 .. 10)
i !between (0 .. l)
r between (-3.0 .. 2.0)
s in ("a", "École", "x'y\"z")
s !in ("a", "12")
s in~ ("A", "école", "KELVIN", "istanbul")
s !in~ ("A")
l in (7, 4625, -5)
l !in (7, 60)
i in (1, 7)
d in (datetime(0001-01-01), datetime(1970-01-01))
e !in (datetime(0001-01-01T00:00:00.0000001Z))
g in (guid(00fe0000-0000-0000-0000-000000000000))
s in (dynamic(["a", 12, null]))
b and isnull(l)
b or l > 1
not(b)
not(l > 1)
isnull(l)
isnotnull(r)
isnull(s)
isempty(s)
isnotempty(u)
isempty(l)
isnull(p)
isnull(p.a)
isempty(p.a)
isnotempty(p.n)
iff(b, l, 5)
iff(b, s, u)
iff(isnull(l), d, e)
case(l > 5, "big", l > 0, s, "none")
coalesce(l, i, 3)
coalesce(s, u, "none")
coalesce(d, e)
s has "mimikatz"
s has "MIMIKATZ"
s has "kelvin"
s has "istanbul"
s has "é"
s has "-"
s has "a"
s has ".*"
s has "has"
s !has "a"
s has_cs "MIMIKATZ"
s !has_cs "a"
s hasprefix "mimi"
s hassuffix "KATZ"
s hasprefix_cs "mimi"
s !hasprefix "a"
s !hassuffix_cs "b"
s contains "KATZ"
s contains "kel"
s contains "ß"
s contains "é"
s contains ""
s !contains "a"
s contains_cs "A"
s startswith "RUN"
s startswith "i"
s startswith_cs "x'"
s !startswith "a"
s endswith "B"
s endswith "K"
s endswith_cs "b"
s !endswith_cs "z"
s =~ "A"
s =~ "KELVIN"
s =~ "STRASSE"
s =~ "ÉCOLE"
s !~ "true"
s has_any ("a", "exe", "日本語")
s has_any (dynamic(["Windows", "-"]))
s has_all ("mimikatz", "exe")
s has_all ("-")
p.a == "x"
p.a != "x"
p.a has "x"
p has "mimikatz"
tostring(p.o) contains "Z"
p.a !has "text"
p has_any ("k", "null", "true")
p.a == "École"
p.a in ("x", "true")
p.a !in ("x")
p.a in~ ("X")
p.o.b[2].c == "z"
p.o.b[1] == "k"
tostring(p.a) == "x"
tostring(p.a) != "x"
tostring(p.o.b[2].c)
tolower(s)
strlen(s)
strcat(s, "-", u)
strcat_delim("/", s, u)
substring(s, 1)
substring(s, 0, 2)
substring(s, 30, 2)
substring(s, 1, 0)
replace_string(s, "a", "bb")
tostring(split(s, "-")[1])
tostring(split(s, " ")[0])
tostring(l)
tostring(i)
tostring(b)
tostring(g)
tolong(i)
toreal(l)
tobool(l)
i + 1
i * i
l / 7
l / 0
l / -3
l % 7
i % 60
l - 0
r + 1
r * 2.5
r / 0
r / r
l / 2.0
-r
t * 2
t + 1h
t / 2
t / 1h
d - datetime(1970-01-01)
d - e
e - d
d + 1h
d + 1tick
d - 10000d
e + t
d + 4000000d
bin(l, 10)
bin(i, 7)
bin(r, 0.5)
bin(t, 1m)
bin(d, 1h)
bin(d, 7d)
bin(e, 1d)
bin(e, 3tick)
startofday(d)
startofday(e)
hourofday(d)
hourofday(e)
dayofmonth(d)
monthofyear(e)
getyear(d)
dayofyear(e)
p.a
p.o.b
p.nowhere.deep
p[1]
p["it's"]
p["o"]
p
array_length(p)
array_length(p.o.b)
tostring(d)
tostring(e)
tostring(t)
strcat(t, "|", d, "|", i)
b == 1
b != 0
s matches regex "^[a-z]+$"
s matches regex "(?i)MIMI.*"
s matches regex @"\d+\.\d"
s matches regex @"\bhas\b"
s matches regex @"[^\s\w]"
extract("([a-z]+)-([a-z]+)", 2, s)
extract("x|mimi", 0, s)
extract("(a)|(b)", 2, s)
extract(@"(\w+)$", 1, s)
extract("(?i)(KATZ.)", 1, s)
parse_json(p).a
parse_json(tostring(p.o)).b
tostring(parse_json(tostring(p.o)).b[2].c)
`), "\n")

// sometimes are said in SQL too, but some of the rows make it fail over.
var sometimes = strings.Split(strings.TrimSpace(`
l + 1
l * 3
l - i
bin(l, 1000)
toupper(s)
tolong(s)
toint(s)
toreal(s)
tobool(s)
tolong(p.n)
toint(p.n)
toreal(p.n)
todouble(p.x)
tobool(p.a)
tostring(p.a)
tostring(p.n)
tostring(p)
p.n > 1
p.n == 2.5
p.a == "12"
p.a contains "1"
p.a has "e"
p.a contains "É"
strcat(p.a, s)
tolong(b)
tostring(r)
extract(@"(\d+)", 1, s, typeof(long))
parse_json(j).a
parse_json(j)
tostring(parse_json(j).o.k)
parse_json(j)[0]
isempty(parse_json(j).a)
parse_json(tostring(p.a)).z
parse_json(tostring(p))
parse_json(tostring(p)).a
parse_json(tostring(parse_json(tostring(parse_json(tostring(p.o)).b)).c))
parse_json(tostring(parse_json(tostring(parse_json(j).o)).k)).x
s == 12
s != 12
`), "\n")

// TestExpressions computes each expression in SQL and in Go over the same values.
func TestExpressions(t *testing.T) {
	x := &fixture{c: conn(t), f: values()}
	x.load(t)
	for k, list := range [][]string{expressions, sometimes} {
		for _, e := range list {
			q := x.parse(t, "X | project id, v = "+e)
			res, err := exec.Run(ctx, q, x, exec.Options{})
			if err != nil {
				t.Errorf("%s: the interpreter: %v", e, err)
				continue
			}
			want := map[int64]string{}
			for _, f := range res.Tables[0].Frames {
				for i := range f.N {
					want[f.Vecs[0].I[i]] = cell(f.Vecs[1], i)
				}
			}
			got, sql, err := x.sql(t, q)
			if err == nil {
				diff(t, e, sql, got, want)
				continue
			}
			if !Inexact(err.Error()) || k == 0 && !strings.HasPrefix(err.Error(), "Out of Range") {
				t.Errorf("%s: %v\n%s", e, err, sql)
				continue
			}
			some := 0
			for i := range x.f.N { // row by row: those that don't fail over are right
				x.where = fmt.Sprintf("id = %d", i)
				got, sql, err := x.sql(t, q)
				if err != nil {
					if !Inexact(err.Error()) {
						t.Errorf("%s: %v\n%s", e, err, sql)
					}
					continue
				}
				some++
				diff(t, e, sql, got, map[int64]string{int64(i): want[int64(i)]})
			}
			x.where = ""
			if some == 0 {
				t.Errorf("%s: SQL says it of no row", e)
			}
		}
	}
}

// TestConditions filters by each expression that is a condition, and by its negation: there null counts as false.
func TestConditions(t *testing.T) {
	x := &fixture{c: conn(t), f: values()}
	x.load(t)
	for _, e := range expressions {
		for _, text := range []string{"X | where " + e + " | project id, v = 1", "X | where not(" + e + ") | project id, v = 1", "X | where iff(" + e + ", l > 1, l <= 1) | project id, v = 1"} {
			doc, errs := syntax.Parse(text)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			q, errs := bind.Bind(doc, text, bind.Tables{"X": x.f.Schema}, bind.Options{})
			if len(errs) > 0 {
				break // not a condition
			}
			res, err := exec.Run(ctx, q, x, exec.Options{})
			if err != nil {
				break
			}
			want := map[int64]string{}
			for _, f := range res.Tables[0].Frames {
				for i := range f.N {
					want[f.Vecs[0].I[i]] = cell(f.Vecs[1], i)
				}
			}
			got, sql, err := x.sql(t, q)
			if err != nil {
				if !Inexact(err.Error()) {
					t.Errorf("%s: %v\n%s", text, err, sql)
				}
				continue
			}
			diff(t, text, sql, got, want)
		}
	}
}

// sql runs the plan's one fragment.
func (x *fixture) sql(t *testing.T, q *plan.Query) (map[int64]string, string, error) {
	t.Helper()
	low, err := Lower(q, x)
	if err != nil {
		t.Fatal(err)
	}
	if len(low.Fragments) != 1 || !low.Fragments[0].Whole {
		return nil, "", fmt.Errorf("not said in SQL: %d fragments", len(low.Fragments))
	}
	fr := low.Fragments[0]
	got := map[int64]string{}
	err = x.c.Query(ctx, fr.SQL, nil, fr.Schema, func(f *value.Frame) error {
		for i := range f.N {
			got[f.Vecs[0].I[i]] = cell(f.Vecs[1], i)
		}
		return nil
	})
	return got, fr.SQL, err
}

func cell(v *value.Vector, i int) string {
	switch {
	case v.IsNull(i):
		return "null"
	case v.Type == value.Dynamic:
		return string(value.AppendJSON(nil, v.D[v.Idx(i)]))
	case v.Type == value.Real:
		f := v.F[v.Idx(i)]
		if f == 0 {
			f = 0
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strconv.Quote(value.Text(v, i))
}

func diff(t *testing.T, e, sql string, got, want map[int64]string) {
	t.Helper()
	bad := 0
	for id, w := range want {
		if got[id] != w {
			if bad++; bad < 4 {
				t.Errorf("%s, row %d: SQL gives %s, Go %s", e, id, got[id], w)
			}
		}
	}
	for id, g := range got {
		if _, ok := want[id]; !ok {
			if bad++; bad < 4 {
				t.Errorf("%s, row %d: only SQL gives %s", e, id, g)
			}
		}
	}
	if bad > 0 {
		t.Logf("%s", sql)
	}
}

// TestRefusals are expressions that SQL would answer otherwise: they stay with the interpreter.
func TestRefusals(t *testing.T) {
	x := &fixture{c: conn(t), f: values()}
	for _, e := range []string{`r % 2`, `s has u`, `p == p`, `s in (u)`, `format_datetime(d, "yyyy")`, `rand()`, `l % i`, `bin(l, i)`, `g < g`, `substring(s, -1)`, `p[-1]`, `p["a*b"]`, `strcat("\u0000", s)`} {
		doc, errs := syntax.Parse("X | project v = " + e)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		q, errs := bind.Bind(doc, "X | project v = "+e, bind.Tables{"X": x.f.Schema}, bind.Options{})
		if len(errs) > 0 {
			continue // the binder refuses it itself
		}
		low, err := Lower(q, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range low.Fragments {
			if f.Whole {
				t.Errorf("%s is said in SQL: %s", e, f.SQL)
			}
		}
	}
}
