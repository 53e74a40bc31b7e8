package eval

import (
	"math"
	"picket/kql/value"
	"testing"
)

// Shorthands for arguments of test calls.
type (
	dt  string // a datetime
	ts  string // a timespan
	dy  string // a dynamic, as JSON
	de  string // a decimal
	gu  string // a guid
	i4  int32  // an int
	nul value.Type
)

func argOf(t testing.TB, a any) value.Value {
	t.Helper()
	fromText := func(ty value.Type, s string) value.Value {
		v := convert(value.ConstOf(value.OfString(s), 1), ty).At(0)
		if v.Null {
			t.Fatalf("bad %s argument %q", ty, s)
		}
		return v
	}
	switch x := a.(type) {
	case bool:
		return value.OfBool(x)
	case int:
		return value.OfLong(int64(x))
	case int64:
		return value.OfLong(x)
	case i4:
		return value.Of(value.Int, int64(x))
	case float64:
		return value.OfReal(x)
	case string:
		return value.OfString(x)
	case dt:
		return fromText(value.Datetime, string(x))
	case ts:
		return fromText(value.Timespan, string(x))
	case de:
		return fromText(value.Decimal, string(x))
	case gu:
		return fromText(value.GUID, string(x))
	case dy:
		d, err := value.ParseJSON(string(x))
		if err != nil {
			t.Fatalf("bad dynamic argument %s: %v", x, err)
		}
		return value.OfDynamic(d)
	case nul:
		return value.Null(value.Type(x))
	case value.Value:
		return x
	}
	t.Fatalf("no argument of %T", a)
	return value.Value{}
}

// show renders a cell so that null and "" differ.
func show(v *value.Vector, i int) string {
	if v.IsNull(i) {
		return "null"
	}
	if v.Type == value.Dynamic {
		return string(value.AppendJSON(nil, v.D[v.Idx(i)]))
	}
	return value.Text(v, i)
}

var testCtx = NewCtx(value.UnixEpochTicks + 1_600_000_000*value.TicksPerSecond)

func runCall(t testing.TB, name string, ret value.Type, flat bool, args ...any) (string, error) {
	t.Helper()
	f, ok := Lookup(name)
	if !ok {
		t.Fatalf("no function %s", name)
	}
	n := 1
	if flat {
		n = 2
	}
	vs := make([]*value.Vector, len(args))
	for i, a := range args {
		vs[i] = value.ConstOf(argOf(t, a), n)
		if flat {
			vs[i] = vs[i].Flat()
		}
	}
	out, err := f(testCtx, ret, n, vs)
	if err != nil {
		return "", err
	}
	if out.N != n {
		t.Errorf("%s gave %d rows for %d", name, out.N, n)
	}
	if out.Type != ret {
		t.Errorf("%s gave %s, not %s", name, out.Type, ret)
	}
	return show(out, n-1), nil
}

// tc is one call with its answer.
type tc struct {
	name string
	ret  value.Type
	want string
	args []any
}

func c(name string, ret value.Type, want string, args ...any) tc { return tc{name, ret, want, args} }

// runAll checks each call over constants and over columns.
func runAll(t *testing.T, cases []tc) {
	t.Helper()
	for _, k := range cases {
		for _, flat := range []bool{false, true} {
			got, err := runCall(t, k.name, k.ret, flat, k.args...)
			if err != nil {
				t.Errorf("%s%v: %v", k.name, k.args, err)
				continue
			}
			if got != k.want {
				t.Errorf("%s%v (columns %v) = %s, want %s", k.name, k.args, flat, got, k.want)
			}
		}
	}
}

const (
	tB = value.Bool
	tI = value.Int
	tL = value.Long
	tR = value.Real
	tM = value.Decimal
	tS = value.String
	tD = value.Datetime
	tT = value.Timespan
	tG = value.GUID
	tY = value.Dynamic
)

func TestArithmetic(t *testing.T) {
	runAll(t, []tc{
		c("Add", tL, "2147483648", i4(2147483647), 1),
		c("Add", tL, "-9223372036854775808", math.MaxInt64, 1),
		c("Divide", tL, "-3", -7, 2),
		c("Modulo", tL, "1", -7, 2),
		c("Modulo", tL, "1", -7, -2),
		c("Modulo", tL, "2", 5, -3),
		c("Modulo", tR, "0.5", -7.5, 2),
		c("Modulo", tR, "2.5", 5.5, -3.0),
		c("Divide", tL, "null", 1, 0),
		c("Divide", tR, "inf", 1.0, 0.0),
		c("Divide", tR, "NaN", 0.0, 0),
		c("Divide", tM, "0.3333333333333333333333333333333333", de("1"), de("3")),
		c("Add", tM, "0.3", de("0.1"), de("0.2")),
		c("Subtract", tT, "1.00:00:00", dt("2020-06-15"), dt("2020-06-14")),
		c("Add", tD, "null", dt("9999-12-31 23:59:59.9999999"), ts("1tick")),
		c("Subtract", tD, "null", dt("0001-01-01"), ts("1tick")),
		c("Divide", tR, "24.0", ts("1d"), ts("1h")),
		c("Multiply", tT, "2.12:00:00", ts("1d"), 2.5),
		c("Multiply", tT, "-02:00:00", -2, ts("1h")),
		c("Divide", tT, "00:45:00", ts("90m"), 2),
		c("Modulo", tT, "04:00:00", ts("1d"), ts("5h")),
		c("Add", tL, "null", nul(tL), 1),
		c("Add", tL, "6", dy("5"), 1),
		c("Add", tY, "6", dy("5"), dy("1")),
		c("Add", tD, "null", dt("2020-01-01"), nul(tT)),
		c("UnaryMinus", tT, "-1.02:00:00", ts("26h")),
	})
}

func TestComparisons(t *testing.T) {
	runAll(t, []tc{
		c("Equal", tB, "False", nul(tL), 1),
		c("NotEqual", tB, "True", nul(tL), 1),
		c("Equal", tB, "null", nul(tL), nul(tL)),
		c("LessThan", tB, "null", nul(tL), 1),
		c("Equal", tB, "False", math.NaN(), math.NaN()),
		c("NotEqual", tB, "True", math.NaN(), math.NaN()),
		c("Equal", tB, "True", 1, 1.0),
		c("Equal", tB, "False", dy("1.5"), 1),
		c("Equal", tB, "True", dy(`"a"`), "a"),
		c("Equal", tB, "False", dy("null"), ""),
		c("Equal", tB, "True", "", ""),
		c("GreaterThan", tB, "True", dt("2020-01-02"), dt("2020-01-01")),
		c("Between", tB, "True", 5, 1, 5),
		c("Between", tB, "True", dt("2020-01-03"), dt("2020-01-01"), ts("2d")),
		c("NotBetween", tB, "True", 6, 1, 5),
		c("In", tB, "True", 3, 1, 3),
		c("In", tB, "False", nul(tL), 1, 3),
		c("NotIn", tB, "True", nul(tL), 1, 3),
		c("In", tB, "True", "b", dy(`["a","b"]`)),
		c("In", tB, "False", "B", "b"),
		c("InCs", tB, "True", "MÜLLER", "müller"),
		c("In", tB, "True", 2.0, 1, 2),
		c("max_of", tL, "3", 1, nul(tL), 3),
		c("min_of", tL, "5", nul(tL), 5),
		c("max_of", tR, "NaN", nul(tR), math.NaN()),
		c("And", tB, "False", nul(tB), false),
		c("Or", tB, "null", nul(tB), false),
		c("not", tB, "null", nul(tB)),
		c("iff", tL, "2", nul(tB), 1, 2),
		c("case", tS, "b", false, "a", true, "b", "c"),
		c("coalesce", tS, "x", "", "x"),
		c("isnull", tB, "False", ""),
		c("isempty", tB, "True", dy("null")),
	})
}

func TestStringOperators(t *testing.T) {
	runAll(t, []tc{
		c("Has", tB, "True", "alpha_beta", "alpha"),
		c("Has", tB, "False", "helloworld", "hello"),
		c("Has", tB, "True", "NAÏVE", "naïve"),
		c("Has", tB, "True", "МИР привет", "мир"),
		c("HasCs", tB, "False", "HELLO", "hello"),
		c("Has", tB, "True", "", ""),
		c("Has", tB, "True", "a b", " "),
		c("Has", tB, "True", "xab ab", "ab"),
		c("NotHas", tB, "True", "helloworld", "hello"),
		c("HasPrefix", tB, "True", "my category", "CAT"),
		c("HasPrefix", tB, "False", "scatter", "cat"),
		c("HasSuffix", tB, "False", "ending", "end"),
		c("HasSuffix", tB, "True", "the end", "end"),
		c("Contains", tB, "True", "xxAbCxx", "aBc"),
		c("ContainsCs", tB, "False", "xxAbCxx", "abc"),
		c("StartsWith", tB, "True", "Straße x", "STRAßE"),
		c("EndsWith", tB, "True", "fooBAR", "bar"),
		c("EqualTilde", tB, "True", "Straße", "straße"),
		c("EqualTilde", tB, "False", "STRASSE", "straße"),
		c("BangTilde", tB, "True", "a", "b"),
		c("HasAny", tB, "True", "one two", "three", "TWO"),
		c("HasAny", tB, "True", "one two", dy(`["two"]`)),
		c("HasAll", tB, "True", "one two", dy(`[]`)),
		c("HasAll", tB, "False", "one two", "one", "three"),
		c("Search", tB, "True", "web01 up", "web*"),
		c("MatchRegex", tB, "True", "ＡＢ１２", `\d`),
		c("MatchRegex", tB, "True", "2020-01-02", `^\d{4}-\d{2}-\d{2}$`),
		c("has_any_index", tL, "1", "this is", dy(`["x","is"]`)),
	})
}

func TestStrings(t *testing.T) {
	runAll(t, []tc{
		c("substring", tS, "", "abc", 5, 3),
		c("substring", tS, "c", "abc", -1, 2),
		c("substring", tS, "bc", "abc", -2, 5),
		c("substring", tS, "", "hello", -100, 3),
		c("substring", tS, "", "hello", 1, -1),
		c("substring", tS, "ef", "abcdef", -2),
		c("substring", tS, "𝓗e", "𝓗ello", 0, 2),
		c("indexof", tL, "null", "abc", ""),
		c("indexof", tL, "3", "abcabc", "a", 2),
		c("indexof", tL, "-1", "abc", "z"),
		c("indexof", tL, "3", "café", "é"),
		c("indexof", tL, "3", "abcabc", "abc", 0, -1, 2),
		c("indexof", tL, "9", "abcdefgabcdefg", "cde", 1, 10, 2),
		c("split", tY, `["a","","b"]`, "a,,b", ","),
		c("split", tY, `[""]`, "", ","),
		c("split", tY, "null", "noequals", "=", 1),
		c("split", tY, `["bbb"]`, "aaa_bbb_ccc", "_", 1),
		c("trim", tS, "xabcx", "x", "xxabcxx"),
		c("trim_end", tS, "xx", "x", "xxx"),
		c("trim", tS, "Te st1", `[^\w]+`, "-  Te st1// $"),
		c("strcat", tS, "a-1True", "a", "-", 1, true),
		c("strcat_delim", tS, "1-2-A-00:00:01", "-", 1, "2", "A", ts("1s")),
		c("strcat_array", tS, "a|||b", dy(`["a",null,"","b"]`), "|"),
		c("replace_regex", tS, "[a]-[b]", "a-b", `(\w+)`, `[\1]`),
		c("replace_string", tS, "aaa", "aaa", "", "X"),
		c("replace_strings", tS, "Thwas was an", "This is an", dy(`["is","This"]`), dy(`["was","This"]`)),
		c("replace_strings", tS, "This was", "This is", dy(`["This","is"]`), dy(`[12345,"was"]`)),
		c("extract", tS, "12", `(\d+)-(\d+)`, 2, "2020-12-31"),
		c("extract", tI, "7", `-(\d{2})-`, 1, "21-07-2023", "int"),
		c("extract_all", tY, `[["a","1"],["b",""]]`, `([a-z])(\d)?`, "a1b"),
		c("extract_all", tY, `[["8","d"]]`, `(\w)(\w+)(\w)`, dy("[1,3]"), "82b8be2d"),
		c("extract_all", tY, "null", `(\d)`, "none"),
		c("countof", tL, "3", "aaaa", "aa"),
		c("countof", tL, "5", "Hello World Hello", "l", "regex"),
		c("strlen", tL, "5", "👨‍👩‍👧"),
		c("string_size", tL, "18", "👨‍👩‍👧"),
		c("reverse", tS, "54.321", 123.45),
		c("strrep", tS, "123.123.123", 123, 3, "."),
		c("regex_quote", tS, `\(so\$me\.Te\^xt\)`, "(so$me.Te^xt)"),
		c("unicode_codepoints_to_string", tS, "Kusto", dy("[75,117,115]"), 116, 111),
		c("translate", tS, "xxx", "abc", "x", "abc"),
		c("tohex", tS, "ffffffffffffff00", -256, 8),
		c("tohex", tS, "0000000000000001", 1, 20),
		c("tohex", tS, "ffffff00", i4(-256)),
		c("tohex", tS, "00000000ffffff00", i4(-256), 16),
		c("strcmp", tL, "-1", "ABC", "abc"),
	})
}

func TestConversions(t *testing.T) {
	runAll(t, []tc{
		c("toint", tI, "null", "5.7"),
		c("toint", tI, "null", "2147483648"),
		c("toint", tI, "-2147483648", dy("2147483648")),
		c("toint", tI, "2147483647", 1e30),
		c("toint", tI, "1640261632", ts("1h")),
		c("tolong", tL, "-1", "0xFFFFFFFFFFFFFFFF"),
		c("tolong", tL, "9223372036854775807", 1e19),
		c("tolong", tL, "864000000000", ts("1d")),
		c("tolong", tL, "456", "\t456\t"),
		c("tolong", tL, "null", "9223372036854775808"),
		c("todouble", tR, "null", "INF"),
		c("todouble", tR, "NaN", "  NaN  "),
		c("todouble", tR, "0.5", ".5"),
		c("tobool", tB, "True", "tRuE"),
		c("tobool", tB, "True", "-1"),
		c("tobool", tB, "null", "1.0"),
		c("tobool", tB, "True", 0.5),
		c("todatetime", tD, "0001-01-01T00:00:00.0000001Z", 1.5),
		c("totimespan", tT, "null", "abc"),
		c("toguid", tG, "01234567-89ab-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef"),
		c("toguid", tG, "01234567-89ab-cdef-0123-456789abcdef", "0123456789ab-cdef-0123-456789abcdef"),
		c("toguid", tG, "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef and more"),
		c("toguid", tG, "null", "0123-456789abcdef0123456789abcdef"),
		c("tostring", tS, "", nul(tL)),
		c("tostring", tS, "True", true),
		c("tostring", tS, "true", dy("true")),
		c("tostring", tS, "42.0", 42.0),
		c("gettype", tS, "dictionary", dy("{}")),
		c("gettype", tS, "int", nul(tI)),
		c("parse_json", tY, `"not json"`, "not json"),
		c("parse_json", tY, "null", ""),
		c("parse_json", tY, `{"a":[1,2]}`, `{"a":[1,2]}`),
	})
}

func TestDatetimes(t *testing.T) {
	runAll(t, []tc{
		c("startofweek", tD, "2020-06-14T00:00:00.0000000Z", dt("2020-06-15 13:45")),
		c("endofweek", tD, "2020-07-04T23:59:59.9999999Z", dt("2020-06-15"), 2),
		c("startofmonth", tD, "2019-05-01T00:00:00.0000000Z", dt("2020-06-15"), -13),
		c("endofmonth", tD, "9999-12-31T23:59:59.9999999Z", dt("9999-12-31")),
		c("dayofweek", tT, "null", dt("9999-12-31")),
		c("dayofweek", tT, "1.00:00:00", dt("1970-05-11")),
		c("week_of_year", tI, "53", dt("2016-01-01")),
		c("week_of_year", tI, "52", dt("9999-12-31")),
		c("datetime_add", tD, "2020-02-29T00:00:00.0000000Z", "month", 1, dt("2020-01-31")),
		c("datetime_add", tD, "2019-02-28T00:00:00.0000000Z", "quarter", -5, dt("2020-05-31")),
		c("datetime_add", tD, "null", "day", -1, dt("0001-01-01 12:00")),
		c("datetime_diff", tL, "5", "week", dt("2017-10-29 00:00"), dt("2017-09-30 23:59")),
		c("datetime_diff", tL, "-1", "year", dt("2020-12-31"), dt("2021-01-01")),
		c("datetime_diff", tL, "1", "millisecond", dt("2020-01-01 00:00:00.0019999"), dt("2020-01-01")),
		c("datetime_part", tI, "765432100", "nanosecond", dt("2017-10-30 01:02:03.7654321")),
		c("bin", tD, "1955-10-31T00:00:00.0000000Z", dt("1955-11-05 06:15:00.5"), ts("7d")),
		c("bin", tD, "null", dt("2020-10-25"), ts("-1h")),
		c("bin", tL, "-6", -5, 2),
		c("bin", tR, "-6.0", -5.5, 1),
		c("bin_at", tT, "-12:00:00", ts("1h"), ts("1d"), ts("12h")),
		c("bin_at", tR, "4.5", 6.5, 2.5, 7),
		c("format_datetime", tS, "0909, 0303 9, 2007", dt("2007-03-09 05:04:03"), "dddd, MMMM d, yyyy"),
		c("format_datetime", tS, "1:45:09 PM", dt("2020-06-15 13:45:09"), "h:mm:ss tt"),
		c("format_datetime", tS, "", dt("2020-06-15"), "FFFFFFF"),
		c("format_timespan", tS, "-1.02:00", ts("-26h"), "d.hh:mm"),
		c("make_datetime", tD, "2017-10-01T12:11:00.1234567Z", 2017, 10, 1, 12, 11, 0.1234567),
		c("make_datetime", tD, "null", 2020, 13, 1),
		c("make_timespan", tT, "1.02:03:04", 1, 2, 3, 4),
		c("make_timespan", tT, "null", 0, 25, 61, 61.5),
		c("make_timespan", tT, "00:00:00.0000001", 0, 0, 0, 0.0000001),
		c("unixtime_milliseconds_todatetime", tD, "2019-01-01T00:00:00.0000000Z", 1546300800000),
		c("datetime_local_to_utc", tD, "2022-03-27T00:00:00.0000000Z", dt("2022-03-27 02:00"), "Europe/Brussels"),
		c("datetime_utc_to_local", tD, "2022-03-27T03:00:00.0000000Z", dt("2022-03-27 01:00"), "Europe/Brussels"),
		c("format_bytes", tS, "7.63 MB", 8000000, 2),
	})
}
