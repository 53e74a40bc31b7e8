package value

import (
	"math"
	"testing"
)

func TestCellAndText(t *testing.T) {
	guid, _ := ParseGUID("{74be27de-1e4e-49d9-b579-fe0b331d3642}")
	dec, _ := ParseDecimal("12.500")
	bag, err := ParseJSON(`{"b":[1,2.0,"x"],"a":null}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		v          Value
		cell, text string
	}{
		{OfBool(true), "true", "True"},
		{OfBool(false), "false", "False"},
		{Of(Int, -7), "-7", "-7"},
		{OfLong(math.MinInt64), "-9223372036854775808", "-9223372036854775808"},
		{OfReal(1), "1.0", "1.0"},
		{OfReal(math.NaN()), `"NaN"`, "NaN"},
		{OfReal(math.Inf(-1)), `"-Infinity"`, "-inf"},
		{Value{Type: Decimal, M: dec}, `"12.5"`, "12.5"},
		{OfString("a\"\n\u2028<"), `"a\"\n` + "\u2028" + `<"`, "a\"\n\u2028<"},
		{Of(Datetime, UnixEpochTicks), `"1970-01-01T00:00:00.0000000Z"`, "1970-01-01T00:00:00.0000000Z"},
		{Of(Timespan, -TicksPerDay-1), `"-1.00:00:00.0000001"`, "-1.00:00:00.0000001"},
		{Value{Type: GUID, G: guid}, `"74be27de-1e4e-49d9-b579-fe0b331d3642"`, "74be27de-1e4e-49d9-b579-fe0b331d3642"},
		{OfDynamic(bag), `{"b":[1,2.0,"x"],"a":null}`, `{"b":[1,2.0,"x"],"a":null}`},
		{OfDynamic("x"), `"x"`, "x"},
		{OfDynamic(nil), "null", ""},
		{Null(Long), "null", ""},
		{Null(Real), "null", ""},
		{Null(Datetime), "null", ""},
		{Null(String), `""`, ""},
	} {
		if got := string(AppendCell(nil, ConstOf(c.v, 1), 0)); got != c.cell {
			t.Errorf("cell of %v = %s, want %s", c.v, got, c.cell)
		}
		if got := c.v.Text(); got != c.text {
			t.Errorf("text of %v = %s, want %s", c.v, got, c.text)
		}
	}
}

// TestEqualHashesAlike holds the rule that group-by and join lean on: what is equal hashes alike, null included.
func TestEqualHashesAlike(t *testing.T) {
	one, _ := ParseDecimal("1.0")
	alsoOne, _ := ParseDecimal("1")
	vals := []Value{
		Null(Long), OfLong(0), OfLong(1), OfLong(-1),
	}
	reals := []Value{Null(Real), OfReal(math.NaN()), OfReal(0), OfReal(math.Copysign(0, -1)), OfReal(1), OfReal(math.Inf(1))}
	decs := []Value{Null(Decimal), {Type: Decimal, M: one}, {Type: Decimal, M: alsoOne}}
	strs := []Value{OfString(""), OfString("a"), OfString("A")}
	dyns := []Value{OfDynamic(nil), OfDynamic("a"), OfDynamic(int64(1)), OfDynamic([]any{int64(1)}), OfDynamic([]any{int64(1), "a"})}
	hash := func(v Value) uint64 {
		h := []uint64{0}
		HashInto(h, ConstOf(v, 1))
		return h[0]
	}
	for _, set := range [][]Value{vals, reals, decs, strs, dyns} {
		for i, a := range set {
			for j, b := range set {
				if i == j && !Equal(a, b) {
					t.Errorf("%v does not equal itself", a)
				}
				if Equal(a, b) && hash(a) != hash(b) {
					t.Errorf("%v and %v are equal and hash apart", a, b)
				}
				if !Equal(a, b) && hash(a) == hash(b) {
					t.Errorf("%v and %v differ and hash alike", a, b)
				}
				if c, d := Compare(a, b), Compare(b, a); c != -d {
					t.Errorf("Compare(%v, %v) is %d one way and %d the other", a, b, c, d)
				}
			}
		}
	}
	if !Equal(decs[1], decs[2]) || !Equal(reals[2], reals[3]) {
		t.Error("1.0 and 1, or 0.0 and -0.0, are told apart")
	}
	if Compare(Null(Long), OfLong(math.MinInt64)) >= 0 || Compare(OfReal(math.NaN()), OfReal(math.Inf(-1))) >= 0 {
		t.Error("null or NaN do not come first")
	}
}

func TestGUIDForms(t *testing.T) {
	const want = "74be27de-1e4e-49d9-b579-fe0b331d3642"
	for _, in := range []string{want, "74BE27DE1E4E49D9B579FE0B331D3642", "{" + want + "}", "(" + want + ")", `"` + want + `"`} {
		if g, ok := ParseGUID(in); !ok || FormatGUID(g) != want {
			t.Errorf("ParseGUID(%q) = %s %v", in, FormatGUID(g), ok)
		}
	}
	for _, in := range []string{"", "x", want[1:], want + "0", "{" + want, "74be27de1-e4e-49d9-b579-fe0b331d3642", "74be27de-1e4e-49d9-b579-fe0b331d364g"} {
		if _, ok := ParseGUID(in); ok {
			t.Errorf("ParseGUID(%q) is taken", in)
		}
	}
}

func TestNumberForms(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "-1.50": "-1.5", "1e3": "1000", ".5": "0.5", " 2 ": "2",
		"0.12345678901234567890123456789012345678": "0.1234567890123456789012345678901235",
	} {
		if d, ok := ParseDecimal(in); !ok || FormatDecimal(d) != want {
			t.Errorf("ParseDecimal(%q) = %s %v, want %s", in, FormatDecimal(d), ok, want)
		}
	}
	for _, in := range []string{"", "x", "1,5", "1e99999", "NaN", "0x10", "1_000"} {
		if d, ok := ParseDecimal(in); ok {
			t.Errorf("ParseDecimal(%q) = %s, want none", in, FormatDecimal(d))
		}
	}
	for in, want := range map[string]int64{"12": 12, "-3": -3, "+4": 4, " 5 ": 5, "0x1F": 31, "0xffffffffffffffff": -1, "-9223372036854775808": math.MinInt64} {
		if n, ok := ParseLong(in); !ok || n != want {
			t.Errorf("ParseLong(%q) = %d %v, want %d", in, n, ok, want)
		}
	}
	for _, in := range []string{"", "1.5", "9223372036854775808", "1_0", "0x", "0x1ffffffffffffffff", "abc"} {
		if n, ok := ParseLong(in); ok {
			t.Errorf("ParseLong(%q) = %d, want none", in, n)
		}
	}
}

func TestTimesRoundTrip(t *testing.T) {
	for _, in := range []string{"0001-01-01", "1969-12-31T23:59:59.9999999", "2024-02-29T12:34:56.7890123", "9999-12-31T23:59:59.9999999"} {
		ticks, ok := ParseDatetime(in)
		back, held := TicksOf(TimeOf(ticks))
		if !ok || !held || back != ticks {
			t.Errorf("%s becomes %s by way of time.Time", in, FormatDatetime(back))
		}
	}
}
