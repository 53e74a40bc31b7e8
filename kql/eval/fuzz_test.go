package eval

import (
	"picket/kql/value"
	"testing"
	"unicode/utf8"
)

// FuzzTexts calls the functions that take texts apart, with any text in every place; they must neither panic nor
// hang, and give valid UTF-8 for valid UTF-8.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{
		"https://u:p@h:1/x?a=b#c", `C:\temp\file.txt:ads`, `<e a="1">t<b/></e>`, `a,"b""c",d`, `echo "x \" y"`,
		"POLYGON((0 0,1 0,1 1,0 0))", "1.2.3.4/24", "fe80::1/64", "xn--caf-dma", `$.a['b'][0]`, `(\w+)[\d-]`, "%41+%zz", "2020-01-01", "dhwfz15h", "862a1072fffffff",
	} {
		f.Add(s)
	}
	names := []string{
		"parse_url", "parse_urlquery", "parse_path", "parse_xml", "parse_csv", "parse_version", "parse_json", "geo_from_wkt", "parse_ipv4",
		"parse_ipv6", "punycode_from_string", "punycode_to_string", "punycode_domain_to_string", "punycode_domain_from_string", "url_decode",
		"url_encode", "base64_decode_tostring", "base64_decode_toarray", "gzip_decompress_from_base64_string", "zlib_decompress_from_base64_string",
		"geo_geohash_neighbors", "geo_s2cell_neighbors", "geo_h3cell_neighbors", "todatetime", "totimespan", "todecimal", "toguid", "toreal", "tolower",
		"reverse", "format_ipv4", "treepath", "unicode_codepoints_from_string",
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		v := value.StringVector([]string{s})
		rets := map[string]value.Type{
			"parse_version": value.Decimal, "parse_ipv4": value.Long, "todatetime": value.Datetime, "totimespan": value.Timespan,
			"todecimal": value.Decimal, "toguid": value.GUID, "toreal": value.Real,
		}
		for _, n := range names {
			fn, _ := Lookup(n)
			out, err := fn(testCtx, rets[n], 1, []*value.Vector{v})
			if err != nil {
				continue
			}
			if text := value.Text(out, 0); utf8.ValidString(s) && !utf8.ValidString(text) && n != "url_decode" && n != "parse_url" && n != "parse_urlquery" {
				t.Errorf("%s(%q) gives invalid UTF-8 %q", n, s, text)
			}
		}
		for _, n := range []string{"matches", "extract_json", "parse_command_line", "trim", "indexof", "Has", "HasPrefix", "Contains", "Search", "format_datetime"} {
			args := []*value.Vector{v, value.StringVector([]string{"a-b " + s})}
			name, ret := n, value.Bool
			switch n {
			case "matches":
				name, args = "MatchRegex", []*value.Vector{args[1], v}
			case "extract_json", "trim":
				ret = value.String
			case "parse_command_line":
				ret, args = value.Dynamic, []*value.Vector{v, value.StringVector([]string{"windows"})}
			case "indexof":
				ret = value.Long
			case "format_datetime":
				ret, args = value.String, []*value.Vector{{Type: value.Datetime, N: 1, I: []int64{637134336000000000}}, v}
			}
			fn, _ := Lookup(name)
			if _, err := fn(NewCtx(0), ret, 1, args); err != nil {
				if _, ok := err.(*Refusal); !ok {
					t.Errorf("%s(%q): %v is no refusal", n, s, err)
				}
			}
		}
	})
}
