package query

import (
	"fmt"
	"strings"
)

// Wider questions: plans of which SQL says some parts only, every kind of join and union, whatever opens dynamic
// values, and conversions at the edges. Each gives one answer, whoever runs it.

// ordered ends a question whose rows come in one order.
const ordered = " // ordered"

// oneOf picks among texts.
func (g *gen) oneOf(xs ...string) string { return pick(g.r, xs) }

// path is a place in a dynamic, of a stored column or of a text.
func (g *gen) path() string {
	base := g.oneOf("p", "p", "p", "p", "parse_json(s)", "parse_json(u)", "parse_json(tostring(p.a))", "todynamic(tostring(p))")
	for range 1 + g.r.Intn(3) {
		base += g.oneOf(".a", ".n", ".x", ".o", ".b", ".k", "[0]", "[1]", `["a b"]`, `["c.d"]`, "[-1]", "['é']", ".A")
	}
	return base
}

// kin is a value made from a place in a dynamic.
func (g *gen) kin() string {
	p := g.path()
	switch g.r.Intn(14) {
	case 0:
		return "tostring(" + p + ")"
	case 1:
		return "tolong(" + p + ")"
	case 2:
		return "toint(" + p + ")"
	case 3:
		return "toreal(" + p + ")"
	case 4:
		return "tobool(" + p + ")"
	case 5:
		return "todatetime(" + p + ")"
	case 6:
		return "totimespan(" + p + ")"
	case 7:
		return "toguid(" + p + ")"
	case 8:
		return "tolower(tostring(" + p + "))"
	case 9:
		return "strcat(" + p + ", '/', tostring(" + g.path() + "))"
	case 10:
		return "coalesce(tostring(" + p + "), s)"
	case 11:
		return "array_length(" + p + ")"
	case 12:
		return "iff(isnull(" + p + "), 'none', tostring(" + p + "))"
	}
	return p
}

// kinTest is a condition on a place in a dynamic.
func (g *gen) kinTest() string {
	p := g.path()
	cmp := g.oneOf(" == ", " != ", " < ", " <= ", " > ", " >= ")
	switch g.r.Intn(12) {
	case 0:
		return p + g.oneOf(" == ", " != ") + g.needle()
	case 1:
		return "tostring(" + p + ")" + g.oneOf(" == ", " != ", " has ", " contains ", " startswith ", " endswith ", " !has ", " in~ (", " !in (") + g.needle()
	case 2:
		return p + cmp + g.oneOf("1", "0", "-7", "2.5", "12", "9223372036854775807")
	case 3:
		return "tolong(" + p + ")" + cmp + g.long()
	case 4:
		return "toreal(" + p + ")" + cmp + g.oneOf("0.5", "r", "1", "-7")
	case 5:
		return g.oneOf("isnull(", "isnotnull(", "isempty(", "isnotempty(") + p + ")"
	case 6:
		return p + g.oneOf(" in (", " !in (", " in~ (", " has_any (") + g.needle() + ", 'x', '12')"
	case 7:
		return "tobool(" + p + ")" + g.oneOf(" == true", " == false", "")
	case 8:
		return p + g.oneOf(" has ", " contains ", " startswith ", " =~ ", " !contains ") + g.needle()
	case 9:
		return "todatetime(" + p + ")" + cmp + g.timeConst()
	case 10:
		return g.oneOf("toint(", "tolong(") + p + ") between (0 .. 12)"
	}
	return "tostring(" + p + ")" + g.oneOf(" == ", " != ") + "tostring(" + g.path() + ")"
}

func closed(s string) string {
	if strings.Count(s, "(") > strings.Count(s, ")") {
		return s + ")"
	}
	return s
}

// goOnly is what the interpreter alone computes.
func (g *gen) goOnly() string {
	return g.oneOf("reverse("+g.str()+")", "countof("+g.str()+", 'a')", "format_datetime("+g.time()+", 'yyyy-MM-dd HH')", "startofweek("+g.time()+")", "datetime_diff('hour', e, TimeGenerated)",
		"trim('[a-c]', "+g.str()+")", "hash_md5("+g.str()+")", "indexof("+g.str()+", 'o')", "split("+g.str()+", 'a')", "bag_keys(p)", "gettype(p.a)", "round(r, 1)", "pack_array(s, l, p.n)", "bin_at(e, 1h, datetime(2022-09-29))",
		"bag_pack('a', s, 'b', l)", "iff(b, p.a, p.n)", "extract('(a|b)+', 0, s)", "translate('ab', 'xy', s)", "todecimal(l)", "url_encode(s)", "isascii(s)", "format_timespan(t, 'd.hh:mm:ss')")
}

// more is an operator that keeps the schema of T, said in SQL or not.
func (g *gen) more() string {
	return g.of(
		g.rows, g.rows, g.rows,
		func() string { return " | where " + closed(g.kinTest()) },
		func() string {
			return " | where " + closed(g.kinTest()) + g.oneOf(" and ", " or ") + closed(g.kinTest())
		},
		func() string { return " | where " + g.boolean() + " and isnotempty(reverse(" + g.str() + "))" },
		func() string { return " | where isnotempty(tostring(" + g.goOnly() + ")) or " + g.boolean() },
		func() string { return " | extend u = tostring(" + g.kin() + ")" },
		func() string { return " | extend s = tostring(" + g.goOnly() + "), l = tolong(" + g.path() + ")" },
		func() string {
			return " | extend p = " + g.oneOf("p.o", "parse_json(s)", "parse_json(tostring(p.a))", "p.o.b", "iff(b, p, p.o)", "coalesce(p.o, p)")
		},
		func() string {
			return " | extend e = " + g.oneOf("todatetime(tostring(e))", "e + 1tick", "iff(b, e, TimeGenerated)", "bin(e, 3tick)", "e + t", "TimeGenerated + 7tick")
		},
		func() string {
			return " | extend t = " + g.oneOf("e - TimeGenerated", "t * 2", "t + 1tick", "-t", "bin(t, 7tick)")
		},
		func() string { return " | sort by " + g.order() + " | take " + g.oneOf("0", "1", "7", "1000") },
		func() string {
			return " | top " + g.oneOf("1", "9") + " by " + g.oneOf("id", "TimeGenerated asc", "id asc nulls first", "TimeGenerated")
		},
		func() string { return " | top 5 by TimeGenerated desc | where " + g.boolean() },
		func() string { return " | where l in (datatable(x: long)[0, 1, -5, long(null)])" },
		func() string { return " | where s in~ (datatable(x: string)['A', 'MIMIKATZ', ''])" },
		func() string { return " | where s has_any ((U | where id < 5 | project s))" },
		func() string { return " | where i in ((" + "U | top 3 by id asc | project i))" },
		func() string {
			return " | where e > toscalar(U | summarize " + g.oneOf("min", "max") + "(e)) or isnull(e)"
		},
		func() string { return " | where s == toscalar(U | where id == 3 | project s) or " + g.boolean() },
		func() string {
			return " | extend i2 = toint(" + g.long() + " % 1000) | project-away i | project-rename i = i2"
		},
		func() string {
			return " | project-rename q1 = s | extend s = strcat(q1, '!') | project-away q1"
		},
		func() string { return " | parse s with s '-' * | extend s = s" },
		func() string { return " | parse kind=relaxed u with * 'foo' u:string | extend u = u" },
		func() string {
			k := g.oneOf("s", "i", "b")
			return " | lookup kind=" + g.oneOf("leftouter", "inner") + " (U | where id < 20 | summarize z = max(l) by " + k + ") on " + k + " | project-away z"
		},
		func() string {
			return " | join kind=" + g.oneOf("leftanti", "leftsemi", "leftantisemi", "anti") + " (U | where " + closed(g.kinTest()) + " | project s, l, i, e, g, b, t, u) on " + g.on()
		},
		func() string { return " | serialize | extend l = l" },
		func() string { return " | sort by id asc | extend l = tolong(row_number()) | where " + g.boolean() },
		func() string { return " | sort by id asc | extend s = prev(s), u = next(u)" },
		func() string { return " | partition hint.strategy=native by b (where " + g.boolean() + ")" },
	)
}

func (g *gen) wideAgg(i int) string {
	x := fmt.Sprintf("a%d = ", i)
	return g.of(func() string { return g.agg(i) }, func() string { return g.agg(i) },
		func() string { return x + "dcount(tostring(" + g.path() + "))" },
		func() string { return x + g.oneOf("min", "max") + "(tolong(" + g.path() + "))" },
		func() string {
			return x + g.oneOf("min", "max") + "(" + g.oneOf("e", "TimeGenerated", "e + 1tick", "r", "t", "u", "toreal(p.x)", "i") + ")"
		},
		func() string {
			return x + "sum(" + g.oneOf("r", "toreal(p.x)", "t", "i", "toint(p.n)", "tolong(s)") + ")"
		},
		func() string { return x + "avg(" + g.oneOf("toreal(p.x)", "tolong(p.n) % 100", "t", "i") + ")" },
		func() string { return x + "avgif(" + g.oneOf("i", "r") + ", " + g.boolean() + ")" },
		func() string { return x + "sumif(" + g.oneOf("t", "i", "r") + ", " + closed(g.kinTest()) + ")" },
		func() string { return x + "countif(" + closed(g.kinTest()) + ")" },
		func() string { return x + "make_set_if(" + g.oneOf("s", "i", "u") + ", " + g.boolean() + ")" },
		func() string { return x + "make_list_if(" + g.oneOf("s", "i", "b") + ", " + g.boolean() + ")" },
		func() string { return x + "make_set(" + g.oneOf("tostring(p.a)", "e", "r", "g", "p.n", "t") + ")" },
		func() string { return x + "make_list(" + g.oneOf("e", "r", "p.a", "g", "t", "l") + ")" },
		func() string {
			return x + g.oneOf("count_distinct(s)", "count_distinct(e)", "count_distinctif(l, i < 5)", "count_distinctif(s, b)")
		},
		func() string { return x + "dcountif(" + g.oneOf("s", "l", "e", "g") + ", " + g.boolean() + ")" },
		func() string {
			return x + g.oneOf("minif", "maxif") + "(" + g.oneOf("e", "r", "s", "i") + ", " + g.boolean() + ")"
		},
		func() string { return x + "percentile(" + g.oneOf("i", "l", "id") + ", 50)" },
		func() string { return x + "make_bag(bag_pack(tostring(id), s))" },
		func() string { return x + "binary_all_or(" + g.oneOf("i", "l") + ")" },
		func() string { return x + "take_anyif(s, id == 3)" },
		func() string {
			return fmt.Sprintf("(m%d, n%d) = arg_%s(id, %s)", i, i, g.oneOf("max", "min"), g.oneOf("s", "l", "p", "e", "r", "g", "TimeGenerated", "p.a", "b", "t"))
		},
		func() string {
			return fmt.Sprintf("(m%d, n%d, o%d) = arg_%s(id, %s, %s)", i, i, i, g.oneOf("max", "min"), g.oneOf("s", "l", "p", "e"), g.oneOf("r", "g", "u", "e", "i"))
		},
	)
}

func (g *gen) wideKey(i int) string {
	return g.of(func() string { return g.key(i) }, func() string {
		return fmt.Sprintf("k%d = ", i) + g.oneOf("tostring(", "tolong(", "tobool(", "todatetime(") + g.path() + ")"
	},
		func() string {
			return fmt.Sprintf("k%d = ", i) + g.oneOf("bin(e, 1h)", "bin(l, 7)", "startofday(e)", "bin(r, 0.5)", "bin(t, 1h)", "r", "tostring(p.n)", "tolower(s)", "hourofday(e)", "reverse(s)", "startofweek(e)")
		},
	)
}

var allKinds = []string{"inner", "leftouter", "rightouter", "fullouter", "leftsemi", "rightsemi", "leftanti", "rightanti", "leftantisemi", "rightantisemi", "anti", "innerunique"}

// joinTail ends a question with a join; the columns that it keeps exist for the kind, and leave no choice.
func (g *gen) joinTail() string {
	kind := pick(g.r, allKinds)
	right := "(" + g.oneOf("U", "T", "U", "U | extend l = tolong("+g.path()+")", "U | summarize id = max(id), e = max(e), r = max(r), TimeGenerated = max(TimeGenerated), b = max(i) > 0 by s, l, i, u, t, g | extend p = dynamic(null)")
	right += " | where " + g.boolean() + ")"
	on := g.oneOf("l", "s", "i", "e", "g", "s, l", "b, i", "$left.s == $right.u", "$left.i == $right.l", "t", "id", "b")
	j := " | join kind=" + kind + " " + right + " on " + on
	switch kind {
	case "leftsemi", "rightsemi", "leftanti", "rightanti", "leftantisemi", "rightantisemi", "anti":
		return j + " | project id, s, l, e, t, g, b, i, x = " + closed(g.kin())
	case "innerunique":
		return j + " | project id1, s1, l1, e1"
	}
	return j + " | project id, id1, s, s1, l, l1, e, e1, g1, b1, t1, i1, pa = tostring(p.a), pb = tostring(p1.a)"
}

func (g *gen) unionTail() string {
	arm := func() string {
		q := "(" + g.oneOf("T", "U")
		if g.r.Intn(2) == 0 {
			q += " | where " + g.boolean()
		}
		return q + g.oneOf("", " | project id, s, l", " | project id, s = l, l = s", " | project id, e, p, s", " | extend extra = "+g.str(), " | project-away s", " | project id, l = r", " | summarize l = sum(i), id = max(id) by s", " | top 3 by id asc") + ")"
	}
	q := g.oneOf("union ", "union ", "union kind=inner ", "union withsource=src ", "union isfuzzy=true ")
	if strings.Contains(q, "inner") {
		return q + arm() + ", " + arm() + " | summarize n = count() by id | where n > 0"
	}
	q += arm() + ", " + arm()
	if g.r.Intn(3) == 0 {
		q += ", " + arm()
	}
	if strings.Contains(q, "withsource") {
		return q + " | summarize n = count(), m = max(id) by src"
	}
	return q + g.oneOf(" | summarize count(), sum(id)", " | count", "", " | summarize n = count() by id", " | where id < 5")
}

// opened ends a question by what opens dynamics or makes series, above SQL parts.
func (g *gen) opened() string {
	return g.of(
		func() string {
			return " | mv-expand x = " + g.oneOf("p", "p.o.b", "p.a", "p.o", "pack_array(s, l)", "split(s, 'a')", "parse_json(s)", "parse_json(tostring(p.o))") + g.oneOf("", " to typeof(string)", " to typeof(long)", " limit 1") + " | project id, x" + g.oneOf("", ", s, l", ", e, TimeGenerated")
		},
		func() string {
			return " | mv-expand with_itemindex=ix x = p.o.b, y = p to typeof(string) | where ix < 2 | project id, ix, x, y"
		},
		func() string {
			return " | mv-expand x = p | summarize n = count(), " + g.wideAgg(1) + " by k = tostring(x)"
		},
		func() string {
			return " | mv-apply x = p.o.b on (where isnotempty(x) | summarize n = count()) | project id, n"
		},
		func() string { return " | mv-apply x = p.o.b to typeof(string) on (top 1 by x asc) | project id, x" },
		func() string {
			return " | parse s with h '-' rest | project id, h, rest, x = " + g.str()
		},
		func() string { return " | parse kind=regex s with h:string '[-_ ]' rest | project id, h, rest" },
		func() string { return " | parse-where u with a ' ' c | project id, a, c" },
		func() string {
			return " | make-series n = " + g.oneOf("count()", "sum(i)", "avg(r)", "dcount(s)") + " default=0 on TimeGenerated from datetime(2022-09-28) to datetime(2022-10-03) step 1d by " + g.oneOf("s", "i", "b", "k = tostring(p.a)")
		},
		func() string {
			return " | summarize " + g.wideAgg(1) + " by " + g.wideKey(1) + " | where isnotempty(tostring(k1)) | sort by tostring(k1) asc | project k1"
		},
		func() string {
			return " | project s, pa = tostring(p.a), b, i, l, e, t | distinct " + g.oneOf("s, pa", "b, i, l", "e", "*")
		},
		func() string {
			return " | project x = bag_keys(p), id | mv-expand x to typeof(string) | summarize n = count() by x"
		},
		func() string {
			return " | top-nested of s by n = count() desc, top-nested 2 of i by m = max(id) desc | summarize count()"
		},
		func() string { return " | extend q = " + closed(g.kin()) + " | summarize n = count() by tostring(q)" },
		func() string { return " | search 'mimikatz' | project id, s" },
		func() string { return " | evaluate bag_unpack(p, 'x_') | summarize n = count()" },
		func() string { return " | project id, p | evaluate bag_unpack(p) | where isnotnull(id) | count" },
		func() string { return " | extend k = tostring(p.a) | evaluate pivot(b, count(), k)" },
		func() string { return " | getschema" },
		func() string { return " | where " + g.boolean() + " | project-reorder s, id | project-away p, r" },
		func() string {
			return " | sort by id asc | extend rn = row_number(), cs = row_cumsum(i), pv = prev(l, 1) | project id, rn, cs, pv"
		},
	)
}

// wide is one question.
func (g *gen) wide() string {
	switch g.r.Intn(12) {
	case 0:
		return g.unionTail()
	case 1:
		return "let v = materialize(" + g.oneOf("T", "U") + g.more() + "); v" + g.more() + " | join kind=inner (v" + g.more() + " | project id, z = l) on id | summarize n = count(), m = max(z) by b"
	}
	q := g.oneOf("T", "T", "T", "U", "T | where TimeGenerated > datetime(2022-09-29)", "T | where TimeGenerated between (datetime(2022-09-29) .. 1d)", "let f = (d: string) { T | where s != d }; f('a')", "let v = T; v")
	for range g.r.Intn(4) {
		m := g.more()
		if strings.Contains(m, "| union") {
			return q + m + " | where " + g.boolean() + " | summarize " + g.agg(1) + " by " + g.key(1) // ids are no longer unique
		}
		q += m
	}
	switch g.r.Intn(9) {
	case 7:
		return q + " | sort by " + g.order() + g.oneOf("", " | take 9", " | where "+g.boolean(), " | extend l = "+g.long()) + " | project id, s, l, e, x = " + closed(g.kin()) + ordered
	case 0, 1:
		return q + " | summarize " + g.wideAgg(1) + ", " + g.wideAgg(2) + g.oneOf("", " by "+g.wideKey(1), " by "+g.wideKey(1)+", "+g.wideKey(2))
	case 2, 3:
		return q + g.joinTail()
	case 4, 5:
		return q + g.opened()
	case 6:
		return q + " | project id, x = " + closed(g.kin()) + ", y = " + closed(g.kin()) + ", z = " + g.goOnly() + ", c = (" + closed(g.kinTest()) + "), w = " + g.long() + ", v = " + g.time()
	}
	return q + " | extend x = " + closed(g.kin()) + ", y = " + g.goOnly() + " | where " + closed(g.kinTest()) + " | project id, x, y, s, e, c = " + g.boolean()
}
