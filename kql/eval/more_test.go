package eval

import (
	"math"
	"strconv"
	"testing"
)

func TestEncodings(t *testing.T) {
	runAll(t, []tc{
		c("hash", tL, "1846988464401551951", "World"),
		c("hash", tL, "51", "World", 100),
		c("hash", tL, "1380966698541616202", dt("2015-01-01")),
		c("hash_sha256", tS, "ba666752dc1a20eb750b0eb64e780cc4c968bc9fb8813461c1d7e750f302d71d", dt("2020-01-01")),
		c("base64_decode_toarray", tY, "[75,117,115,116,111]", "S3VzdG8="),
		c("base64_decode_toguid", tG, "10e99626-bc2b-754c-bb3e-fe606de25700", "JpbpECu8dUy7Pv5gbeJXAA=="),
		c("base64_encode_fromguid", tS, "8jMxriJurkmwahbmqbIS6w==", gu("ae3133f2-6e22-49ae-b06a-16e6a9b212eb")),
		c("base64_decode_tostring", tS, "", "U3RyaW5n0KHR0tGA0L7Rh9C60LA="),
		c("gzip_compress_to_base64_string", tS, "H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==", "1234567890qwertyuiop"),
		c("gzip_decompress_from_base64_string", tS, "1234567890qwertyuiop", "H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA=="),
		c("zlib_compress_to_base64_string", tS, "eAEBFADr/zEyMzQ1Njc4OTBxd2VydHl1aW9wOAkGdw==", "1234567890qwertyuiop"),
		c("zlib_decompress_from_base64_string", tS, "", "x0x0x0"),
		c("url_encode", tS, "https%3a%2f%2fwww.bing.com%2fhello+world", "https://www.bing.com/hello world"),
		c("punycode_from_string", tS, "caf-dma", "café"),
		c("punycode_to_string", tS, "café", "caf-dma"),
		c("punycode_domain_to_string", tS, "xn--Riill-jta.xn--Skldskaparml-dbbj.org", "Riðill｡Skáldskaparmál｡org"),
		c("punycode_domain_from_string", tS, "Artorījos.edu", "xn--Artorjos-ejb.edu"),
		c("url_decode", tS, "a b/%", "a+b%2f%"),
	})
}

func TestAddresses(t *testing.T) {
	runAll(t, []tc{
		c("parse_ipv4", tL, "2130706433", "127.0.0.1"),
		c("parse_ipv4", tL, "null", "127.0.0.256"),
		c("parse_ipv4_mask", tL, "2130706432", "127.0.0.1", 24),
		c("ipv4_compare", tL, "0", "192.168.1.1/24", "192.168.1.255"),
		c("ipv4_compare", tL, "0", "192.168.1.1", "192.168.1.0", 31),
		c("ipv4_is_match", tB, "True", "192.168.1.1/30", "192.168.1.255/24"),
		c("ipv4_is_in_any_range", tB, "True", "10.1.2.3", dy(`["192.168.1.1/16","10.0.0.1/8"]`)),
		c("ipv4_is_private", tB, "False", "11.0.0.1"),
		c("ipv4_netmask_suffix", tL, "24", "10.1.2.3/24"),
		c("ipv6_is_in_range", tB, "True", "a5e:f127:8a9d:146d:e102:b5d3:c755:abcd", "a5e:f127:8a9d:146d:e102:b5d3:c755:0000/112"),
		c("ipv6_compare", tL, "0", "192.168.1.1/24", "::ffff:c0a8:01ff", 127),
		c("parse_ipv6", tS, "0000:0000:0000:0000:0000:ffff:c0a8:ff00", "192.168.255.255/24"),
		c("parse_ipv6_mask", tS, "fe80:0000:0000:0000:085d:e82c:9446:7900", "fe80::85d:e82c:9446:7994/120", 124),
		c("parse_ipv6_mask", tS, "0000:0000:0000:0000:0000:ffff:c0a8:ff00", "::192.168.255.255/24", 128),
		c("format_ipv4", tS, "192.168.1.0", "192.168.1.1/24", 32),
		c("format_ipv4_mask", tS, "", "192.168.1.1/24", -1),
		c("ipv4_range_to_cidr_list", tY, `["1.1.128.0/21","1.1.136.0/22","1.1.140.0/24"]`, "1.1.128.0", "1.1.140.255"),
		c("has_ipv4", tB, "True", "05:04:54 127.0.0.1 GET", "127.0.0.1"),
		c("has_ipv4", tB, "False", "05:04:54127.0.0.1 GET", "127.0.0.1"),
		c("has_ipv4_prefix", tB, "False", "05:04:54 127.0.0.256 GET", "127.0."),
		c("has_any_ipv4", tB, "True", "x 127.0.0.1", dy(`["1.1.1.1","127.0.0.1"]`)),
	})
}

func TestParsers(t *testing.T) {
	runAll(t, []tc{
		c("parse_url", tY, `{"Scheme":"scheme","Host":"host","Port":"1234","Path":"this/is/a/path","Username":"username","Password":"password","Query Parameters":{"k1":"v1","k2":"v2"},"Fragment":"fragment"}`,
			"scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment"),
		c("parse_urlquery", tY, `{"Query Parameters":{"k1":"v1"}}`, "k1=v1"),
		c("parse_csv", tY, `["aa","b,b,b","Escaping quotes: \"Title\"","line1\nline2"]`, "aa,\"b,b,b\",\"Escaping quotes: \"\"Title\"\"\",\"line1\nline2\""),
		c("parse_csv", tY, `["record1","a"]`, "record1,a\nrecord2,x"),
		c("parse_path", tY, `{"Scheme":"file","RootPath":"C:","DirectoryPath":"C:/temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":"some.exe"}`,
			"file://C:/temp/file.txt:some.exe"),
		c("parse_path", tY, `{"Scheme":"","RootPath":"","DirectoryPath":"\\\\shared\\users\\temp","DirectoryName":"temp","Filename":"file.txt.gz","Extension":"gz","AlternateDataStreamName":""}`,
			`\\shared\users\temp\file.txt.gz`),
		c("parse_version", tM, "1000000020000000300000004", "1.2.3.4"),
		c("parse_version", tM, "null", "1.2.3.4.5"),
		c("parse_command_line", tY, `["echo","hello world!"]`, `echo "hello world!"`, "windows"),
		c("parse_xml", tY, `{"e":{"@name":"value","#text":"text"}}`, `<e name="value">text</e>`),
		c("parse_xml", tY, `{"e":{"a":["text","text"]}}`, `<e> <a>text</a> <a>text</a> </e>`),
		c("parse_xml", tY, `{"duration":{"value":118.0,"z":null}}`, `<?xml version="1.0" encoding="UTF-8"?><duration><value>118.0</value><z/></duration>`),
		c("parse_xml", tY, "null", `<e>`),
		c("extract_json", tS, "John", "$.name", `{"name": "John"}`),
		c("extract_json", tS, `{"c":2}`, "$b", `{"b":{"c": 2}}`),
		c("extract_json", tS, "2", "$b.c", `{"b":{"c": 2}}`),
		c("extract_json", tS, `[1,2]`, "$.a", `{"a":[1, 2]}`),
		c("extract_json", tI, "2", "$.a[1]", `{"a":[1, 2]}`, "int"),
	})
}

func TestMath(t *testing.T) {
	runAll(t, []tc{
		c("round", tR, "3.3", 3.25, 1),
		c("round", tR, "-3.0", -2.5),
		c("ceiling", tR, "-1.0", -1.1),
		c("sqrt", tR, "NaN", -1.0),
		c("log", tR, "null", -1.0),
		c("log", tR, "-inf", 0.0),
		c("abs", tL, "5", -5),
		c("binary_not", tL, "-101", 100),
		c("binary_shift_right", tL, "0", 1, 2),
		c("sign", tR, "1.0", 5),
		c("isnan", tB, "True", math.NaN()),
		c("gamma", tR, "24.0", 5),
	})
	moments := func(x ...float64) [2]float64 {
		m, v := 0.0, 0.0
		for _, a := range x {
			m += a / float64(len(x))
		}
		for _, a := range x {
			v += (a - m) * (a - m) / float64(len(x)-1)
		}
		return [2]float64{m, v}
	}
	welchA := moments(27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4)
	welchB := moments(27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4)
	for _, k := range []struct {
		name string
		args []any
		want float64
	}{
		{"loggamma", []any{5}, 3.1780538303479458},
		{"beta_inv", []any{0.1, 10.0, 20.0}, 0.226415022388749},
		{"beta_cdf", []any{0.9, 10.0, 20.0}, 0.999999999999959},
		{"beta_pdf", []any{0.5, 10.0, 20.0}, 0.746176019310951},
		{"welch_test", []any{welchA[0], welchA[1], 15, welchB[0], welchB[1], 15}, 0.021},
		{"convert_angle", []any{1.2, "Degree", "Arcminute"}, 72},
		{"convert_energy", []any{1.2, "Joule", "BritishThermalUnit"}, 0.00113738054437598},
		{"convert_mass", []any{1.2, "Kilogram", "Pound"}, 2.64554714621853},
		{"convert_temperature", []any{1.2, "Kelvin", "DegreeCelsius"}, -271.95},
		{"convert_volume", []any{1.2, "CubicMeter", "AcreFoot"}, 0.0009728568},
		{"convert_speed", []any{1.2, "MeterPerSecond", "CentimeterPerHour"}, 432000},
		{"convert_length", []any{1.2, "Meter", "Foot"}, 3.93700787401575},
		{"erfc", []any{3}, 2.20904969985854e-05},
	} {
		s, err := runCall(t, k.name, tR, false, k.args...)
		got, perr := strconv.ParseFloat(s, 64)
		if err != nil || perr != nil || math.Abs(got-k.want) > 0.02*math.Abs(k.want) && k.name == "welch_test" || math.Abs(got-k.want) > 1e-12*math.Abs(k.want) && k.name != "welch_test" {
			t.Errorf("%s%v = %s %v, want %v", k.name, k.args, s, err, k.want)
		}
	}
	for _, p := range []float64{0.001, 0.1, 0.5, 0.9} {
		if x := betaInv(p, 10, 20); math.Abs(betaCDF(x, 10, 20)-p) > 1e-12 {
			t.Errorf("betaInv(%v) = %v", p, x)
		}
	}
}
