package query

import (
	"fmt"
	"math"
	"math/rand"
	"picket/kql/value"
	"regexp"
	"slices"
	"strings"
)

// gen writes random questions over the tables of genFrame, and what they should touch: every type, nulls, extremes,
// every operator that is said in SQL.
type gen struct {
	r    *rand.Rand
	deep int
}

const genSchema = "id:long TimeGenerated:datetime i:int l:long r:real s:string u:string b:bool e:datetime t:timespan g:guid p:dynamic"

var (
	genStrings = []string{
		"", "a", "A", "mimikatz", "Mimikatz_x", "run MIMIKATZ.exe", "\u212Aelvin", "kelvin", "\u0130stanbul", "istanbul", "ß", "foo bar", "foo-bar_baz", "12", "0x1F", " 7 ", "-3",
		"1.5", "é", "École", "ÉCOLE", "日本語", "a\nb", "{}", "[1]", "null", "true", "True", "x'y\"z", `C:\Windows\cmd.exe`, "10.0.0.1", "user@host.example", "9223372036854775808", "ǅ", "ſ", "a,b,,c",
		"e\u0301cole", "😀 run", "a\u00a0b", "tab\there", "  ", "FOO bar", "foo", "ΣΑΣ σας", "1e3", "1,5", "-0", "+4", "00012", "0.10", "1.", ".5", "inf", "-inf", "nan", "NaN", "2022-09-29", "2022-09-30T12:00:00.1234567Z",
		"1.02:03:04", "01ff0000-0000-0000-0000-000000000000", `{"a":1,"a":2}`, `{"a":{"b":"x"},"n":5}`, `[{"a":1},{"a":null}]`, `"quoted"`, `{"a":"1e5","x":-0.0}`, `{"é":"É","a b":{"c.d":"q"}}`, "{'a':1}", "100%", "a_b%c", "ﬁn", "\u200b", "x;y|z",
	}
	genJSON = []string{
		`{"a":"x","n":1,"x":1.5,"o":{"b":[1,2,{"c":"z"}]},"k":"mimikatz here"}`, `{"a":null,"n":-7}`, "", `[1,"two",3.5]`, `"text"`, `{"n":"12","a":"{not json"}`, `{"n":2.5,"a":""}`, `{"a":true,"x":0.1}`,
		`{"a":"École","n":123456789012,"o":{"b":[]}}`, `{"a":["l"],"n":99999999999999999999}`, `{"a":"12","x":"n/a"}`, `{"x":1e21,"a":"-"}`, `{}`, `{"o":{"b":"s","a b":{"c.d":"deep"}}}`, `7`, `{"a":"foo bar","x":3}`,
		`{"a":"2022-09-29T00:00:00Z","n":"7","x":"2.5"}`, `{"a":{"b":{"k":1}},"n":0,"o":{"k":"É"}}`, `{"a":false,"n":-0.0,"x":"1.02:03:04"}`, `[[1],{"a":"b"},null]`, `{"é":"École","k":"tab\tq\"uote\\","a b":{"c.d":5}}`, `{"a":"01ff0000-0000-0000-0000-000000000000"}`,
		`{"n":1000000,"x":1000000.0,"a":"0"}`, `{"n":12345678901234567,"x":0.000001,"a":"true"}`, `{"o":{"b":["😀","x"]},"a":" lead","k":"İ"}`, `true`, `-3.25`, `{"A":"upper","a":"lower"}`,
	}
	// oddNumbers are texts that SQL leaves to the interpreter where they are read as numbers
	oddNumbers = []string{"0x1F", " 7 ", "9223372036854775808", "1e3", "1,5", "-0", "+4", "1.", ".5", "inf", "-inf", "nan", "NaN", "100%"}
	oddJSON    = regexp.MustCompile(`\["|999|1e|\[1,2|-0\.0|0000\.0|\d{17}|0\.00000`)
	genLongs   = []int64{0, 1, -1, 2, 7, -5, 60, 1000, math.MaxInt64, math.MinInt64, 1 << 40}
	genReals   = []float64{0, 1.5, -2.25, 1e300, math.Inf(1), math.Inf(-1), math.NaN(), 0.1, 3, -7}
)

func pick[T any](r *rand.Rand, xs []T) T { return xs[r.Intn(len(xs))] }

// genFrame makes n rows; wild has the values that SQL refuses.
func genFrame(r *rand.Rand, n int, wild bool) *value.Frame {
	f := &value.Frame{Schema: cols(genSchema), N: n}
	for _, c := range f.Schema {
		f.Vecs = append(f.Vecs, value.New(c.Type, n))
	}
	const day0 = 638000000000000000 // in 2022
	for i := range n {
		for k, c := range f.Schema {
			v := value.Null(c.Type)
			if r.Intn(6) > 0 || k < 2 {
				switch c.Name {
				case "id":
					v = value.OfLong(int64(i))
				case "TimeGenerated":
					v = value.Of(c.Type, day0+r.Int63n(3*value.TicksPerDay)/10*10)
					if wild && r.Intn(3) == 0 {
						v.I += 7
					}
				case "e":
					v = value.Of(c.Type, day0+r.Int63n(3*value.TicksPerDay))
					if r.Intn(20) == 0 {
						v = value.Of(c.Type, pick(r, []int64{0, 1, value.MaxDatetime, day0 + 5}))
					}
				case "i":
					v = value.Of(c.Type, pick(r, []int64{0, 1, -1, 5, -7, math.MaxInt32, math.MinInt32, 4625, 4624}))
				case "l":
					v = value.OfLong(pick(r, genLongs[:8]))
					if wild && r.Intn(50) == 0 {
						v = value.OfLong(pick(r, genLongs))
					}
				case "r":
					v = value.OfReal(pick(r, genReals))
				case "b":
					v = value.OfBool(r.Intn(2) == 0)
				case "t":
					v = value.Of(c.Type, pick(r, []int64{0, 1, -1, 10, 36_000_000_000, -864_000_000_001, 15}))
				case "g":
					v = value.Value{Type: c.Type, G: [16]byte{byte(r.Intn(3)), 0xff, byte(r.Intn(3))}}
				case "p":
					s := pick(r, genJSON)
					if !wild && oddJSON.MatchString(s) {
						s = `{"a":"y","n":3,"x":-2.5,"k":"foo"}`
					}
					if s != "" {
						d, err := value.ParseJSON(s)
						if err != nil {
							panic(err)
						}
						v = value.OfDynamic(d)
					}
				default:
					s := pick(r, genStrings)
					if !wild && slices.Contains(oddNumbers, s) {
						s = "plain"
					}
					v = value.OfString(s)
				}
			}
			f.Vecs[k].Set(i, v)
		}
	}
	return f
}

func (g *gen) of(xs ...func() string) string { return xs[g.r.Intn(len(xs))]() }
func lit(s string) func() string             { return func() string { return s } }

func quoteKQL(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

func (g *gen) needle() string {
	return quoteKQL(pick(g.r, append([]string{"mimi", "katz", "foo", "bar", "k", "i", "é", "A", "foo bar", "_x", "-", "exe", "10.0", "x", "Win", "école"}, genStrings...)))
}

func (g *gen) str() string {
	if g.deep > 2 {
		return g.of(lit("s"), lit("u"))
	}
	g.deep++
	defer func() { g.deep-- }()
	return g.of(lit("s"), lit("u"), lit("s"), lit("u"),
		func() string { return "tolower(" + g.str() + ")" },
		func() string { return "toupper(" + g.str() + ")" },
		func() string { return "strcat(" + g.str() + ", '-', " + g.str() + ")" },
		func() string { return fmt.Sprintf("substring(%s, %d, %d)", g.str(), g.r.Intn(4), g.r.Intn(5)-1) },
		func() string { return fmt.Sprintf("substring(%s, %d)", g.str(), g.r.Intn(4)) },
		func() string { return "tostring(" + g.long() + ")" },
		func() string { return "tostring(" + g.boolean() + ")" },
		func() string { return "tostring(" + g.leaf() + ")" },
		func() string { return "tostring(" + g.of(lit("g"), g.time, g.span, lit("r")) + ")" },
		func() string { return `extract(@"(\w+)[-_ ](\w*)", 2, ` + g.str() + ")" },
		func() string { return "replace_string(" + g.str() + ", 'a', " + g.needle() + ")" },
		func() string {
			return fmt.Sprintf("tostring(split(%s, %s)[%d])", g.str(), pick(g.r, []string{"'-'", "'a'", "' '", "'.'"}), g.r.Intn(3))
		},
		func() string { return "iff(" + g.boolean() + ", " + g.str() + ", " + g.str() + ")" },
		func() string { return "coalesce(" + g.str() + ", " + g.str() + ")" },
		func() string { return "strcat_delim('/', " + g.str() + ", " + g.long() + ")" },
	)
}

func (g *gen) leaf() string {
	return pick(g.r, []string{"p.a", "p.n", "p.x", "p.o.b", "p.o.b[2].c", "p.k", "p[1]", "p", "parse_json(s).a", "parse_json(tostring(p.o)).b", "todynamic(p).n", "parse_json(u)", "p.o['a b']['c.d']"})
}

func (g *gen) long() string {
	if g.deep > 2 {
		return g.of(lit("l"), lit("i"), lit("id"))
	}
	g.deep++
	defer func() { g.deep-- }()
	return g.of(lit("l"), lit("i"), lit("id"), lit("l"),
		func() string { return "(" + g.long() + pick(g.r, []string{" + ", " - ", " * "}) + g.long() + ")" },
		func() string { return "(" + g.long() + " / " + pick(g.r, []string{"2", "-3", "l", "i"}) + ")" },
		func() string { return "(" + g.long() + " % 7)" },
		func() string { return "bin(" + g.long() + ", 10)" },
		func() string { return "strlen(" + g.str() + ")" },
		func() string { return "tolong(" + g.str() + ")" },
		func() string { return "toint(" + pick(g.r, []string{"s", "p.n", "p.a"}) + ")" },
		func() string { return "tolong(" + g.leaf() + ")" },
		func() string { return "iff(" + g.boolean() + ", " + g.long() + ", " + g.long() + ")" },
		func() string {
			return "case(" + g.boolean() + ", " + g.long() + ", " + g.boolean() + ", 5, " + g.long() + ")"
		},
		func() string { return "-" + pick(g.r, []string{"l", "id"}) },
		func() string { return "coalesce(l, " + g.long() + ")" },
		func() string { return "array_length(" + pick(g.r, []string{"p", "p.o.b"}) + ")" },
		func() string {
			return pick(g.r, []string{"hourofday", "dayofmonth", "monthofyear", "getyear", "dayofyear"}) + "(" + g.time() + ")"
		},
	)
}

func (g *gen) real() string {
	return g.of(lit("r"), lit("r"),
		func() string {
			return "(r " + pick(g.r, []string{"+", "-", "*", "/"}) + " " + pick(g.r, []string{"2.5", "r", "l", "0"}) + ")"
		},
		func() string { return "todouble(" + pick(g.r, []string{"p.x", "p.n", "s", "l", "i"}) + ")" },
		func() string { return "bin(r, 0.5)" },
		func() string { return "(t / 1h)" },
		func() string { return "-r" })
}

func (g *gen) time() string {
	if g.deep > 2 {
		return g.of(lit("TimeGenerated"), lit("e"))
	}
	g.deep++
	defer func() { g.deep-- }()
	return g.of(lit("TimeGenerated"), lit("e"),
		func() string {
			return "bin(" + g.time() + ", " + pick(g.r, []string{"1h", "1d", "7d", "3s", "15tick"}) + ")"
		},
		func() string { return "startofday(" + g.time() + ")" },
		func() string {
			return "(" + g.time() + pick(g.r, []string{" + ", " - "}) + pick(g.r, []string{"1h", "30d", "1tick", "t", "5000000d"}) + ")"
		},
		func() string { return "iff(" + g.boolean() + ", " + g.time() + ", " + g.time() + ")" },
	)
}

func (g *gen) span() string {
	return g.of(lit("t"),
		func() string { return "(" + g.time() + " - " + g.time() + ")" },
		func() string { return "(t * 3)" },
		func() string { return "(t + 1h)" },
		func() string { return "bin(t, 1m)" },
		func() string { return "(t / 2)" })
}

func (g *gen) timeConst() string {
	return pick(g.r, []string{"datetime(2022-09-29)", "datetime(2022-09-30T12:00:00.0000001Z)", "datetime(2022-10-01T03:00:00Z)", "datetime(2022-09-28T01:46:40Z)"})
}

func (g *gen) boolean() string {
	if g.deep > 2 {
		return g.of(lit("b"), lit("l > 1"), lit(`s == "a"`))
	}
	g.deep++
	defer func() { g.deep-- }()
	cmp := func() string { return pick(g.r, []string{" == ", " != ", " < ", " <= ", " > ", " >= "}) }
	eq := func() string { return pick(g.r, []string{" == ", " != "}) }
	return g.of(lit("b"),
		func() string { return "(" + g.long() + cmp() + g.of(g.long, lit("1"), lit("4625")) + ")" },
		func() string {
			return "(" + g.real() + cmp() + g.of(g.real, lit("1.5"), lit("real(nan)"), lit("l")) + ")"
		},
		func() string { return "(" + g.str() + eq() + g.of(g.str, g.needle) + ")" },
		func() string { return "(" + g.time() + cmp() + g.of(g.time, g.timeConst, g.timeConst) + ")" },
		func() string { return "(" + g.span() + cmp() + g.of(g.span, lit("1h"), lit("0s")) + ")" },
		func() string { return "(" + g.leaf() + eq() + g.needle() + ")" },
		func() string {
			return "(" + pick(g.r, []string{"p.n", "p.x"}) + cmp() + pick(g.r, []string{"1", "2.5", "0.1"}) + ")"
		},
		func() string { return "(g" + eq() + "guid(01ff0000-0000-0000-0000-000000000000))" },
		func() string { return "(b" + eq() + pick(g.r, []string{"true", "false", "b", "isnull(l)"}) + ")" },
		func() string {
			op := pick(g.r, []string{"has", "!has", "has_cs", "hasprefix", "hassuffix", "contains", "!contains", "contains_cs", "startswith", "startswith_cs", "!startswith", "endswith", "!endswith_cs", "=~", "!~", "hasprefix_cs", "!hassuffix_cs"})
			return "(" + g.of(g.str, g.str, lit("tostring("+g.leaf()+")"), g.leaf) + " " + op + " " + g.needle() + ")"
		},
		func() string {
			return "(" + g.str() + " " + pick(g.r, []string{"in", "!in", "in~", "!in~", "has_any", "has_all"}) + " (" + g.needle() + ", " + g.needle() + "))"
		},
		func() string {
			return "(" + pick(g.r, []string{"l", "i"}) + pick(g.r, []string{" in ", " !in "}) + "(1, -5, 4625))"
		},
		func() string {
			return "(" + g.leaf() + pick(g.r, []string{" in ", " !in ", " in~ "}) + "(" + g.needle() + ", 'x'))"
		},
		func() string {
			return "(" + g.time() + pick(g.r, []string{" between ", " !between "}) + "(" + g.timeConst() + " .. " + pick(g.r, []string{"1d", g.timeConst()}) + "))"
		},
		func() string {
			return "(" + g.long() + pick(g.r, []string{" between ", " !between "}) + "(0 .. " + pick(g.r, []string{"5", "i"}) + "))"
		},
		func() string { return "(" + g.real() + " between (-1.0 .. 2.0))" },
		func() string {
			return pick(g.r, []string{"isnull", "isnotnull", "isempty", "isnotempty"}) + "(" + g.of(g.str, g.long, g.real, g.leaf, g.time, lit("g")) + ")"
		},
		func() string { return "not(" + g.boolean() + ")" },
		func() string { return "(" + g.boolean() + " and " + g.boolean() + ")" },
		func() string { return "(" + g.boolean() + " or " + g.boolean() + ")" },
		func() string { return "(" + g.boolean() + " or " + g.boolean() + ")" },
		func() string { return "tobool(" + pick(g.r, []string{"s", "p.a", "l"}) + ")" },
		func() string {
			return "(l " + pick(g.r, []string{"in", "!in"}) + " ((U | where " + g.boolean() + " | project l)))"
		},
		func() string {
			return "(s " + pick(g.r, []string{"in~", "!in~", "in"}) + " ((U | where " + g.boolean() + " | project u)))"
		},
		func() string { return "(l > toscalar(U | summarize min(l)))" },
	)
}

func (g *gen) agg(i int) string {
	x := fmt.Sprintf("a%d = ", i)
	return x + g.of(lit("count()"),
		func() string { return "countif(" + g.boolean() + ")" },
		func() string { return "sum(" + g.of(g.long, g.span) + ")" },
		func() string { return "sumif(i, " + g.boolean() + ")" },
		func() string {
			return pick(g.r, []string{"min", "max"}) + "(" + g.of(g.long, g.real, g.time, g.span, g.str) + ")"
		},
		func() string { return "avg(" + g.of(lit("i"), lit("r"), lit("t"), lit("l % 7")) + ")" },
		func() string { return "dcount(" + g.of(g.str, g.long, lit("g"), lit("e")) + ")" },
		func() string { return "dcountif(s, " + g.boolean() + ")" },
		func() string { return "make_set(" + pick(g.r, []string{"s", "i", "b"}) + ")" },
		func() string { return "make_list(" + pick(g.r, []string{"s", "i"}) + ")" },
		func() string { return pick(g.r, []string{"minif", "maxif"}) + "(l, " + g.boolean() + ")" },
	)
}

func (g *gen) key(i int) string {
	return fmt.Sprintf("k%d = ", i) + g.of(g.str, g.long, g.time, lit("b"), lit("g"), lit("bin(TimeGenerated, 1h)"), g.span)
}

// rows is an operator that keeps the schema.
func (g *gen) rows() string {
	return g.of(
		func() string { return " | where " + g.boolean() },
		func() string { return " | where " + g.boolean() },
		func() string { return " | where " + g.boolean() },
		func() string { return " | extend s = " + g.str() },
		func() string { return " | extend l = tolong(" + g.long() + ") | where isnotnull(l)" },
		func() string { return " | extend r = " + g.real() + ", e = " + g.time() },
		func() string {
			return " | project id, TimeGenerated, i, l = tolong(" + g.long() + "), r, s = u, u = " + g.str() + ", b, e, t, g, p"
		},
		func() string { return " | top 20 by id" },
		func() string { return " | sort by " + g.order() + " | take 15" },
		func() string { return " | where " + g.boolean() + " | sort by id asc" },
		func() string {
			return " | join kind=" + pick(g.r, []string{"leftsemi", "leftanti"}) + " (U | where " + g.boolean() + ") on " + g.on()
		},
		func() string {
			return " | summarize arg_max(id, *) by s | project id, TimeGenerated, i, l, r, s, u, b, e, t, g, p"
		},
		func() string { return " | union (U | where " + g.boolean() + ") | extend id = id" },
	)
}

func (g *gen) on() string {
	return pick(g.r, []string{"l", "s", "i", "e", "g", "s, l", "b, i", "$left.s == $right.u", "$left.i == $right.l", "t"})
}

func (g *gen) order() string {
	way := pick(g.r, []string{"", " asc", " desc", " asc nulls last", " desc nulls first"})
	return g.of(g.long, g.real, g.time, g.span, g.str, lit("b")) + way + ", id asc"
}

// question is one query and whether its rows are in an order.
func (g *gen) question() string {
	q := pick(g.r, []string{"T", "T", "T", "U", "T | where TimeGenerated > datetime(2022-09-29)", "union T, U | extend id = id * 2", "union withsource=src T, (U | project id, s, l) | where src == 'T'"})
	if strings.HasPrefix(q, "union T, U") { // ids are no longer unique: no order decides
		return q + " | where " + g.boolean() + " | summarize " + g.agg(1) + " by " + g.key(1)
	}
	for range g.r.Intn(4) {
		q += g.rows()
		if strings.Contains(q, "| union") {
			return q + " | where " + g.boolean() + " | summarize " + g.agg(1) + ", " + g.agg(2) + " by " + g.key(1)
		}
	}
	switch g.r.Intn(9) {
	case 0, 1:
		q += " | summarize " + g.agg(1) + ", " + g.agg(2) + " by " + g.key(1) + ", " + g.key(2)
	case 2:
		q += " | summarize " + g.agg(1) + ", " + g.agg(2)
	case 3:
		q += " | summarize n = count() by " + g.key(1) + " | where n > 1 | extend m = n * 2 | sort by n, k1 | take 5"
	case 4:
		q += " | join kind=" + pick(g.r, []string{"inner", "leftouter", "rightouter", "fullouter"}) + " (U | where id < 25 | extend z = " + g.str() + ") on " + g.on() + " | project id, id1, s, s1, l1, z, e, e1, b1"
	case 5:
		q += " | distinct " + pick(g.r, []string{"s", "l", "i, b", "e", "g, t"})
	case 6:
		q += " | project id, x = " + g.str() + ", y = " + g.long() + ", w = " + g.real() + ", v = " + g.time() + ", q = " + g.leaf() + ", c = " + g.boolean()
	case 7: // one left row a key, so that there is no choice
		q += " | summarize arg_max(id, l, u, e) by s | join (U | where " + g.boolean() + ") on " + pick(g.r, []string{"s", "$left.s == $right.u"}) + " | project s, id, l, e, u1, id1"
	case 8:
		q += " | count"
	}
	return q
}
