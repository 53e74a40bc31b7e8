package kqltest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"picket/kql/value"
	"testing"
)

func TestCellEqual(t *testing.T) {
	f := func(want string, got value.Value, eq bool) {
		t.Helper()
		if CellEqual(&want, got) != eq {
			t.Errorf("%q = %s: want %v", want, showRow([]value.Value{got}), eq)
		}
	}
	f("1", value.OfLong(1), true)
	f("1,048,576", value.OfLong(1048576), true)
	f("9223372036854775807", value.OfLong(9223372036854775806), true) // within a double's tolerance, as the corpora are compared
	f("1.0", value.OfReal(1), true)
	f("0.33", value.OfReal(1.0/3), true)
	f("0.3", value.OfReal(1.0/3), false)
	f("NaN", value.OfReal(nan()), true)
	f("", value.Null(value.Long), true)
	f("null", value.Null(value.Datetime), true)
	f("True", value.OfBool(true), true)
	f("1", value.OfBool(true), true)
	day, _ := value.ParseDatetime("2020-01-02")
	f("2020-01-02 00:00:00.0000000", value.Of(value.Datetime, day), true)
	f("2020-01-02T00:00:00Z", value.Of(value.Datetime, day), true)
	f("1/2/2020, 12:00:00.000 AM", value.Of(value.Datetime, day), true)
	f("01:00:00", value.Of(value.Timespan, 36000000000), true)
	f("[1, 2.0]", value.OfDynamic([]any{int64(1), int64(2)}), true)
	f("['a']", value.OfDynamic([]any{"a"}), true)
	f(`"x"`, value.OfDynamic("x"), true)
	f("a  b", value.OfString("a b"), true)
	f("a", value.OfString("A"), false)
	if CellEqual(nil, value.OfString("")) || !CellEqual(nil, value.Null(value.Int)) {
		t.Error("null cells")
	}
}

func nan() float64 { f, _ := value.ParseReal("nan"); return f }

func TestCompareOrder(t *testing.T) {
	s := func(x string) *string { return &x }
	got := Table{Schema: value.Schema{{Name: "a", Type: value.Long}}, Rows: [][]value.Value{{value.OfLong(2)}, {value.OfLong(1)}}}
	want := Expected{Columns: []string{"a"}, Rows: [][]*string{{s("1")}, {s("2")}}}
	if v, d, _ := Compare("T | where a > 0", want, got); v != Pass {
		t.Error("unordered", v, d)
	}
	if v, _, _ := Compare("T | sort by a asc", want, got); v != Values {
		t.Error("ordered", v)
	}
	want.Columns = []string{"b"}
	if v, _, names := Compare("T", want, got); v != Pass || names {
		t.Error("names", v, names)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.kqltest")
	text := "# a comment\n=== one\nprint x = 1\n---\nx:long | y:string\n1 | a \\| b\nnull | \"\"\n\n=== two\nbad\n--- error no such table\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(_ context.Context, q string) (Table, error) {
		if q == "bad" {
			return Table{}, errors.New("there is no such table")
		}
		return Table{Schema: value.Schema{{Name: "x", Type: value.Long}, {Name: "y", Type: value.String}}, Rows: [][]value.Value{
			{value.OfLong(1), value.OfString("a | b")}, {value.Null(value.Long), value.OfString("")},
		}}, nil
	}
	for range 2 {
		cases, err := ParseFile(path)
		if err != nil || len(cases) != 2 {
			t.Fatal(cases, err)
		}
		for _, c := range cases {
			if err := Check(t.Context(), c, run); err != nil {
				t.Error(err)
			}
		}
		if err := Record(t.Context(), path, run); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := os.ReadFile(path)
	if string(got) != text {
		t.Errorf("recorded:\n%s", got)
	}
}
