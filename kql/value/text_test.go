package value

import (
	"math"
	"testing"
)

func TestDatetimeForms(t *testing.T) {
	for in, want := range map[string]string{
		"2014-05-25T08:20:03.123456Z":       "2014-05-25T08:20:03.1234560Z",
		"2014-05-25T08:20:03.1234567+02:00": "2014-05-25T06:20:03.1234567Z",
		"2014-05-25T08:20":                  "2014-05-25T08:20:00.0000000Z",
		"2014-11-08 15:55:55.123456Z":       "2014-11-08T15:55:55.1234560Z",
		"2014-11-08":                        "2014-11-08T00:00:00.0000000Z",
		"2014":                              "2014-01-01T00:00:00.0000000Z",
		"Sat, 8 Nov 14 15:05:02 GMT":        "2014-11-08T15:05:02.0000000Z",
		"Sat, 8 Nov 14 15:05":               "2014-11-08T15:05:00.0000000Z",
		"8 Nov 14 15:05:02 GMT":             "2014-11-08T15:05:02.0000000Z",
		"Saturday, 08-Nov-14 15:05:02 GMT":  "2014-11-08T15:05:02.0000000Z",
		"08-Nov-14 15:05":                   "2014-11-08T15:05:00.0000000Z",
		"02/17/2016 08:40:01 PM":            "2016-02-17T20:40:01.0000000Z",
		"02/17/2016 08:40:01":               "2016-02-17T08:40:01.0000000Z",
		"May 5, 2020":                       "2020-05-05T00:00:00.0000000Z",
		`"2015-12-14"`:                      "2015-12-14T00:00:00.0000000Z",
		"2025, 6, 14":                       "2025-06-14T00:00:00.0000000Z",
		"2017 - 08 - 01":                    "2017-08-01T00:00:00.0000000Z",
		"2017 -8- 1 10:00":                  "2017-08-01T10:00:00.0000000Z",
		"01-02-2022":                        "2022-01-02T00:00:00.0000000Z",
		"0001-01-01":                        "0001-01-01T00:00:00.0000000Z",
		"9999-12-31 23:59:59.9999999":       "9999-12-31T23:59:59.9999999Z",
		" 2020-01-01 ":                      "2020-01-01T00:00:00.0000000Z",
	} {
		got, ok := ParseDatetime(in)
		if !ok || FormatDatetime(got) != want {
			t.Errorf("ParseDatetime(%q) = %s %v, want %s", in, FormatDatetime(got), ok, want)
		}
	}
	for _, in := range []string{"", "x", "2020-13-01", "2020-02-30", "2020-01-01T25:00", "1234567", "2020-01-01 nope", "0000-01-01", "2020 01 01", "2020 -"} {
		if got, ok := ParseDatetime(in); ok {
			t.Errorf("ParseDatetime(%q) = %s, want none", in, FormatDatetime(got))
		}
	}
}

func TestDatesRoundTrip(t *testing.T) {
	for days := int64(0); days < 3652059; days += 37 {
		y, m, d := DateOf(days * TicksPerDay)
		if DaysOf(y, m, d) != days {
			t.Fatalf("day %d became %d-%d-%d", days, y, m, d)
		}
	}
}

func TestTimespanForms(t *testing.T) {
	for in, want := range map[string]string{
		"1.02:03:04.5": "1.02:03:04.5000000", "-1.02:03:04.5": "-1.02:03:04.5000000", "0:0:0.001": "00:00:00.0010000",
		"01:00:00": "01:00:00", "1d": "1.00:00:00", "1.5h": "01:30:00", "100ms": "00:00:00.1000000", "1tick": "00:00:00.0000001",
		"100.00:00:00": "100.00:00:00", "-1d": "-1.00:00:00", "12:30": "12:30:00", "2": "2.00:00:00", "10microseconds": "00:00:00.0000100",
	} {
		got, ok := ParseTimespan(in)
		if !ok || FormatTimespan(got) != want {
			t.Errorf("ParseTimespan(%q) = %s %v, want %s", in, FormatTimespan(got), ok, want)
		}
	}
	for _, in := range []string{"", "abc", "24:00:00", "1:60", "1x", "99999999999d", ":"} {
		if got, ok := ParseTimespan(in); ok {
			t.Errorf("ParseTimespan(%q) = %s, want none", in, FormatTimespan(got))
		}
	}
	if got := FormatTimespan(math.MinInt64); got != "-10675199.02:48:05.4775808" {
		t.Errorf("smallest timespan is %s", got)
	}
}

func TestRealText(t *testing.T) {
	x, y := 0.1, 0.2
	for _, c := range []struct {
		f    float64
		want string
	}{
		{1500, "1500.0"},
		{1, "1.0"},
		{0.1, "0.1"},
		{x + y, "0.30000000000000007"},
		{1.0 / 3, "0.3333333333333333"},
		{1e30, "1e30"},
		{1.5e-7, "1.5e-7"},
		{3.14, "3.14"},
		{-2.5, "-2.5"},
		{0.001, "0.001"},
		{1e20, "100000000000000000000.0"},
		{math.Copysign(0, -1), "-0.0"},
		{math.Inf(1), "inf"},
		{math.Inf(-1), "-inf"},
		{math.NaN(), "NaN"},
		{5e-324, "5e-324"},
	} {
		if got := FormatReal(c.f); got != c.want {
			t.Errorf("FormatReal(%v) = %s, want %s", c.f, got, c.want)
		}
	}
	for f := 1e-300; f < 1e300; f *= 1234.567 {
		if g, ok := ParseReal(FormatReal(f)); !ok || g != f {
			t.Errorf("%v prints as %s", f, FormatReal(f))
		}
	}
}

func TestJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1,"a":[1,2.5,"x\n",true,null]}`: `{"b":1,"a":[1,2.5,"x\n",true,null]}`,
		`9223372036854775807`:                 `9223372036854775807`,
		`1.0`:                                 `1.0`,
		`{"a":1,"a":2}`:                       `{"a":2}`,
		`"\ud83d\ude00\u00e9"`:                `"😀é"`,
		` [ ] `:                               `[]`,
	} {
		v, err := ParseJSON(in)
		if err != nil {
			t.Errorf("ParseJSON(%s): %v", in, err)
			continue
		}
		if got := string(AppendJSON(nil, v)); got != want {
			t.Errorf("ParseJSON(%s) prints %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{``, `{`, `[1,]`, `nope`, `01`, `1.`, `"a`, `{"a" 1}`, `1 2`, `"\x"`} {
		if _, err := ParseJSON(in); err == nil {
			t.Errorf("ParseJSON(%s) succeeded", in)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,2.5e3,"\u00e9"],"b":null}`)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseJSON(s)
		if err != nil {
			return
		}
		a := string(AppendJSON(nil, v))
		w, err := ParseJSON(a)
		if err != nil {
			t.Fatalf("%q printed as %q, which is not JSON: %v", s, a, err)
		}
		if b := string(AppendJSON(nil, w)); a != b {
			t.Fatalf("%q printed as %q, then as %q", s, a, b)
		}
	})
}

func FuzzDatetime(f *testing.F) {
	f.Add("2014-05-25T08:20:03.123456Z")
	f.Add("Sat, 8 Nov 14 15:05:02 GMT")
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseDatetime(s)
		if !ok {
			return
		}
		if w, ok := ParseDatetime(FormatDatetime(v)); !ok || w != v {
			t.Fatalf("%q is %d, printed and read again %d", s, v, w)
		}
	})
}

func FuzzTimespan(f *testing.F) {
	f.Add("1.02:03:04.5")
	f.Add("1.5h")
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := ParseTimespan(s)
		if !ok || v/TicksPerDay > 9999999 || v/TicksPerDay < -9999999 {
			return
		}
		if w, ok := ParseTimespan(FormatTimespan(v)); !ok || w != v {
			t.Fatalf("%q is %d, printed and read again %d", s, v, w)
		}
	})
}
