package syntax

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/shopspring/decimal"
)

var (
	spanType    = reflect.TypeFor[Span]()
	decimalType = reflect.TypeFor[decimal.Decimal]()
)

// treeDiff compares two trees without their spans and gives the path of the first difference, or "".
func treeDiff(path string, a, b reflect.Value) string {
	if a.Kind() != b.Kind() || a.Type() != b.Type() {
		return fmt.Sprintf("%s: %v against %v", path, a.Type(), b.Type())
	}
	switch a.Type() {
	case spanType:
		return ""
	case decimalType:
		if x, y := a.Interface().(decimal.Decimal), b.Interface().(decimal.Decimal); !x.Equal(y) {
			return fmt.Sprintf("%s: %v against %v", path, x, y)
		}
		return ""
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				return path + ": one is nil"
			}
			return ""
		}
		return treeDiff(path, a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if d := treeDiff(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Slice:
		if a.Len() != b.Len() {
			return fmt.Sprintf("%s: %d against %d", path, a.Len(), b.Len())
		}
		fallthrough
	case reflect.Array:
		for i := range a.Len() {
			if d := treeDiff(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i)); d != "" {
				return d
			}
		}
		return ""
	case reflect.Float64:
		if x, y := a.Float(), b.Float(); x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
			return fmt.Sprintf("%s: %v against %v", path, x, y)
		}
		return ""
	default:
		if x, y := fmt.Sprint(a), fmt.Sprint(b); x != y {
			return fmt.Sprintf("%s: %q against %q", path, x, y)
		}
		return ""
	}
}

// roundTrip parses, prints and parses again; it gives what differs, or "". A wrong text counts as right.
func roundTrip(text string) string {
	doc, errs := Parse(text)
	if len(errs) > 0 {
		return ""
	}
	out := Print(doc)
	again, errs := Parse(out)
	if len(errs) > 0 {
		return fmt.Sprintf("the printed text doesn't parse: %v\n%s", errs[0], out)
	}
	if d := treeDiff("doc", reflect.ValueOf(doc), reflect.ValueOf(again)); d != "" {
		return d + "\n" + out
	}
	formatted, errs := Format(text)
	if len(errs) > 0 {
		return fmt.Sprintf("Format: %v", errs)
	}
	if again, errs = Parse(formatted); len(errs) > 0 {
		return fmt.Sprintf("the formatted text doesn't parse: %v\n%s", errs[0], formatted)
	}
	if d := treeDiff("formatted", reflect.ValueOf(doc), reflect.ValueOf(again)); d != "" {
		return d + "\n" + formatted
	}
	return ""
}

// checkSpans says what is wrong with the spans of a tree, or "".
func checkSpans(doc *Document, size int) string {
	bad := ""
	Walk(doc, func(n Node) bool {
		if s := n.Range(); (s.Start < 0 || s.End < s.Start || s.End > size) && bad == "" {
			bad = fmt.Sprintf("%T has span %v", n, s)
		}
		return true
	})
	return bad
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"T | where a == 1 | summarize count() by bin(t, 1h)", "let f = (x:long = 5, T:(*)) { T | take x }; f(1)",
		"print dynamic({\"a\":[1,null,datetime(2020-01-01)]}), 'a' @\"b\" ```c```", "datatable(a:long)[1,-2,long(null)]",
		"T | mv-apply x = a to typeof(long) limit 2 on (top 1 by x) | join kind=inner hint.strategy=shuffle (U | as V) on $left.a == $right.b",
		"G | graph-match (a)-[e*1..3]->(b)--(c)<--(d), (x) where a.p has 'y' project a.n", "search in (A*, B) x:'y' and * has 'z'",
		"T | make-series n=count() default=0 on t from 1 to 2 step 1 by k | render timechart with (ycolumns=a, b, title='x')",
		"T | scan with_match_id=m declare (x:long=0) with (step s output=all: a > 1 => x = 2;)", "union isfuzzy=true (A), B*, c.d",
		"declare pattern P = (a:string)[b:string] { (\"x\").[\"y\"] = { T }; }; P(\"x\").y", "T | parse kind=regex a with * 'x' b:long *",
		"T | top-nested 2 of a with others='o' by count(), top-nested of b by sum(c) desc nulls last", "// c\n\"\\u00e9\\x41\\101\"",
		"T | where a between (1 .. 2) and b !in~ ((U | project c)) or c has_any (dynamic([1]))", "{a}[0].['b c'][-1].d(e)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, errs := Parse(text)
		if bad := checkSpans(doc, len(text)); bad != "" {
			t.Fatal(bad)
		}
		for _, e := range errs {
			if e.Start < 0 || e.End < e.Start || e.End > len(text) || e.Line < 1 || e.Column < 1 || e.Msg == "" {
				t.Fatalf("bad error %+v", e)
			}
		}
		Tokens(text)
		Print(doc)
		if d := roundTrip(text); d != "" {
			t.Fatal(d)
		}
	})
}
