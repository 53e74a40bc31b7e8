package expr

import (
	"math/big"
	"strings"
	"testing"
	"time"
)

func env(t *testing.T) Env {
	ctx, err := ParseJSON([]byte(`{
		"now":"2026-01-15T10:30:00.0000000Z",
		"variables":{"obj":{"a":{"b":[1,2,3]},"Name":"x"},"Rows":[{"id":1,"name":"first"},{"id":2,"name":"second"}]},
		"actions":{"Compose":{"outputs":42},"Http":{"outputs":{"statusCode":204,"headers":{}}},
			"Form":{"outputs":{"headers":{"Content-Type":"multipart/form-data; boundary=b"},"body":{"$content-type":"multipart/form-data; boundary=b","$content":"","$multipart":[
				{"headers":{"Content-Disposition":"form-data; name=\"k\""},"body":"v"}]}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return NewContext(ctx.(*Object))
}

func TestEvaluate(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`@add(9223372036854775806, 1)`, `9223372036854775807`},
		{`@add(9223372036854775807, 1)`, `9223372036854775808`},
		{`@json('{"id":1152921504606846977}').id`, `1152921504606846977`},
		{`@div(-7, 2)`, `-3`},
		{`@div(7.0, 2)`, `3.5`},
		{`@float('1,5')`, `15.0`},
		{`@string(1.0)`, `"1"`},
		{`@string(json('[1.0,1e21,0.000001]'))`, `"[1.0,1E+21,1E-06]"`},
		{`@variables('obj')?['a/b']`, `[1,2,3]`},
		{`@variables('OBJ').NAME`, `"x"`},
		{`@body('compose')`, `42`},
		{`@body('Http')`, `null`},
		{`@formDataValue('Form','k')`, `"v"`},
		{`@multipartBody('Form', 0)`, `"v"`},
		{`a @@{x} @{1}`, `"a @{x} 1"`},
		{`@@{x`, `"@{x"`},
		{`@{concat('}','{')}-@{ 'it''s' }`, `"}{-it's"`},
		{`@not(@equals(1, 2))`, `true`},
		{`@nthIndexOf('banana', '', 1)`, `-1`},
		{`@indexOf('日本banana', 'AN')`, `3`},
		{`@length('😀')`, `2`},
		{`@slice('Hello World', 3, -1)`, `"lo Worl"`},
		{`@sort(createArray(3, 1, 2))`, `[1,2,3]`},
		{`@union(json('{"a":1}'), json('{"b":2,"a":3}'))`, `{"a":3,"b":2}`},
		{`@formatNumber(17.35, 'C2')`, `"$17.35"`},
		{`@formatNumber(17.35, 'C2', 'is-IS')`, `"17,35 kr"`},
		{`@formatNumber(1234567890, '0,0.00', 'en-US')`, `"1,234,567,890.00"`},
		{`@formatNumber(0.5, 'P0')`, `"50%"`},
		{`@formatNumber(-1234.5, 'N1', 'de-DE')`, `"-1.234,5"`},
		{`@formatNumber(42, 'D5')`, `"00042"`},
		{`@formatNumber(255, 'X4')`, `"00FF"`},
		{`@formatNumber(1234.5678, '#.##')`, `"1234.57"`},
		{`@formatNumber(5, '000')`, `"005"`},
		{`@formatNumber(-5, '0;(0);zero')`, `"(5)"`},
		{`@formatNumber(0.000123, '0.##E+00')`, `"1.23E-04"`},
		{`@parseDateTime('15.01.2026', 'de-DE')`, `"2026-01-15T00:00:00.0000000"`},
		{`@parseDateTime('20 octobre 2010', 'fr-FR')`, `"2010-10-20T00:00:00.0000000"`},
		{`@parseDateTime('10/20/2014 15h', 'en-US', 'MM/dd/yyyy HH\h')`, `"2014-10-20T15:00:00.0000000"`},
		{`@formatDateTime('Thu, 05 Mar 2026 14:07:09 GMT')`, `"2026-03-05T14:07:09.0000000Z"`},
		{`@formatDateTime('2026-01-15T10:30:00Z', 'r')`, `"Thu, 15 Jan 2026 10:30:00 GMT"`},
		{`@addToTime('2026-01-31T00:00:00Z', 1, 'Month')`, `"2026-02-28T00:00:00.0000000Z"`},
		{`@addDays('2026-01-31T00:00:00Z', 0.5)`, `"2026-01-31T12:00:00.0000000Z"`},
		{`@convertFromUtc('2026-01-15T10:30:00Z', 'UTC')`, `"2026-01-15T10:30:00.0000000Z"`},
		{`@convertTimeZone('2026-07-15T10:30:00Z', 'UTC', 'Europe/Berlin', 'g')`, `"7/15/2026 12:30 PM"`},
		{`@dateDifference('2015-02-08', '2018-07-30')`, `"1268.00:00:00"`},
		{`@ticks('1970-01-01T00:00:00Z')`, `621355968000000000`},
		{`@string(xml(json('{"r":{"@id":1,"a":[true,null],"#text":"x&y"}}')))`, `"<r id=\"1\"><a>true</a><a />x&amp;y</r>"`},
		{`@json(xml('<r><a>1</a><a x="2"/><b/><c></c></r>'))`, `{"r":{"a":["1",{"@x":"2"}],"b":null,"c":""}}`},
		{`@string(first(xpath(xml('<f xmlns="urn:x"><l>Paris</l></f>'), '/*[name()="f"]/*[name()="l"]')))`, `"<l xmlns=\"urn:x\">Paris</l>"`},
		{`@xpath(xml('<f xmlns="urn:x"><l>Paris</l></f>'), 'string(/*[name()="f"]/*[name()="l"])')`, `"Paris"`},
		{`@xpath(xml('<p><i><n>A</n><c>2</c></i><i><n>B</n><c>30</c></i></p>'), 'string(//i[c>10]/n)')`, `"B"`},
		{`@xpath(xml('<p><i x="1"/><i x="2"/></p>'), '//i[last()]/@x')`, `["2"]`},
		{`@xpath('<a><b>1</b><c/><b>2</b></a>', 'count(/a/b/following-sibling::*) div 2')`, `1`},
		{`@uriHost('https://user@x.com:8080/p/q?k=1#frag')`, `"x.com"`},
		{`@uriPathAndQuery('https://x.com:8080/p/q?k=1#frag')`, `"/p/q?k=1"`},
		{`@uriComponentToString('a%20b+c')`, `"a b c"`},
		{`@decodeDataUri('data:application/json;base64,eyJhIjoxfQ==')`, `{"a":1}`},
		{`@coalesce(null, json('null'), 'x')`, `"x"`},
		{`@max(1, 2.5, 2)`, `2.5`},
		{`@range(2, 3)`, `[2,3,4]`},
		{`@skip('abcdef', 2)`, `"cdef"`},
		{`@replace('aaa', 'a', 'b')`, `"bbb"`},
		{`@concat(1e16, '/', 1e17)`, `"10000000000000000/1E+17"`},
	} {
		got, err := Evaluate(c.in, env(t))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if JSON(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.in, JSON(got), c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`@add(1)`, `'add' expects two parameters. The function was invoked with '1' parameter(s)`},
		{`@trigger(1)`, `must not have any parameters`},
		{`@abs(1)`, `The template function 'abs' is not defined or not valid.`},
		{`@int('12345678901234567890')`, `cannot be converted`},
		{`@convertToUtc('2026-01-15T10:30:00Z', 'W. Europe Standard Time')`, `time zone matching`},
		{`@formatDateTime('garbage', 'yyyy')`, `In function 'formatDateTime', the value provided for date time string 'garbage' was not valid`},
		{`@concat('a'`, `Unable to parse template language expression`},
		{`@{1`, `expected '}'`},
		{`@json('{a')`, `cannot be parsed`},
		{`@variables('Rows').x`, `Array elements can only be selected using an integer index`},
		{`@range(1, 100001)`, `out of range`},
		{`@not(1)`, `expects its parameter to be a boolean`},
		{`@appsetting('x')`, `is not expected at this location`},
		{`@xpath('<a>', '/a')`, `well formed XML`},
		{`@div(1, 0)`, `Attempt to divide an integral or decimal value by zero in function 'div'.`},
		{`@mod(1, 0)`, `in function 'mod'`},
		{"@" + strings.Repeat("x", 9000), `8192`},
	} {
		if _, err := Evaluate(c.in, env(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.in, err, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	v, err := ParseJSON([]byte(`{"b":1,"a":[12345678901234567890,1.50,"é\u0000\n"],"b":2}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := JSON(v), `{"b":2,"a":[12345678901234567890,1.5,"é\u0000\n"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, ok := v.(*Object).Value("a").([]any)[0].(*big.Int); !ok {
		t.Error("a large integer isn't exact")
	}
	for _, s := range []string{`{'a':'b'}`, `{a:1,}`, `[1,2,]`, `{"a":1} // x`, `[1`} {
		if _, err := ParseJSONLenient(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	_, err = ParseJSON([]byte("{\n  \"a\": x}"))
	je, ok := err.(*JSONError)
	if !ok || je.Line != 2 || je.Column != 8 {
		t.Errorf("%v %+v", err, je)
	}
}

func TestZones(t *testing.T) {
	for name := range windowsZones() {
		if _, err := Zone(name); err != nil {
			t.Error(err)
		}
	}
	l, err := Zone("w. europe standard time")
	if err != nil {
		t.Fatal(err)
	}
	if _, off := time.Date(2026, 7, 1, 0, 0, 0, 0, l).Zone(); off != 7200 {
		t.Errorf("offset %d", off)
	}
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{`@add(1, 2)`, `@{x`, `@@{`, `@a('b')?.c['d'][0]`, `@xpath(xml('<a/>'), '//a[1]|b')`, `@formatNumber(1.5,'#,##0.0E+0;x')`, `@formatDateTime('1/2/2018','ddd %h \M')`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 2000 {
			return
		}
		slow := time.AfterFunc(3*time.Second, func() { panic("slow: " + s) })
		defer slow.Stop()
		tpl, err := ParseTemplate(s)
		if err != nil {
			return
		}
		for _, n := range tpl.Nodes() {
			src := Source(n)
			again, err := Parse(src)
			if err != nil {
				t.Fatalf("%q was written back as %q: %v", s, src, err)
			}
			if Source(again) != src {
				t.Fatalf("%q: %q reads back as %q", s, src, Source(again))
			}
		}
		if v, err := tpl.Evaluate(NoEnv{}); err == nil {
			_ = JSON(v)
			_ = Text(v)
		}
	})
}
