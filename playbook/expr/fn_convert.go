package expr

import (
	"encoding/base64"
	"math/big"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

func array(_ *evaluator, name string, args []any) (any, error) { return []any{args[0]}, nil }

func createArray(_ *evaluator, name string, args []any) (any, error) {
	return append([]any{}, args...), nil
}

func stringFn(_ *evaluator, name string, args []any) (any, error) { return Text(args[0]), nil }

// bytesOf is a value's bytes: those of binary content, else its text in UTF-8.
func bytesOf(v any) []byte {
	if b, _, ok := Binary(v); ok {
		return b
	}
	return []byte(Text(v))
}

func base64Fn(_ *evaluator, name string, args []any) (any, error) {
	return base64.StdEncoding.EncodeToString(bytesOf(args[0])), nil
}

func decode64(name, s string) ([]byte, error) {
	s = strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, errf("The template language function '%s' was invoked with a parameter that is not valid. The value cannot be decoded from base64 representation.", name)
	}
	return b, nil
}

func base64ToString(_ *evaluator, name string, args []any) (any, error) {
	s, ok := args[0].(string)
	if !ok {
		return nil, errf("The template language function '%s' expects its parameter to be a string. The provided value is of type '%s'. %s", name, TypeName(args[0]), usage(name))
	}
	b, err := decode64(name, s)
	if err != nil {
		return nil, err
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), nil
}

func base64ToBinary(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	b, err := decode64(name, s)
	if err != nil {
		return nil, err
	}
	return BinaryValue(b, "application/octet-stream"), nil
}

func binary(_ *evaluator, name string, args []any) (any, error) {
	if args[0] == nil {
		return nil, notConvertible(name)
	}
	if _, _, ok := Binary(args[0]); ok {
		return args[0], nil
	}
	return BinaryValue([]byte(Text(args[0])), "application/octet-stream"), nil
}

func boolFn(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case bool:
		return x, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(x)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	default:
		if isNumber(x) {
			return compareNumbers(x, int64(0)) != 0, nil
		}
	}
	return nil, notConvertible(name)
}

var intText = regexp.MustCompile(`^[+-]?[0-9]+$`)

func parseInt(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if !intText.MatchString(s) || len(s) > 400 {
		return nil, false
	}
	b, ok := new(big.Int).SetString(strings.TrimPrefix(s, "+"), 10)
	if !ok {
		return nil, false
	}
	return normalInt(b), true
}

func intFn(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case bool:
		if x {
			return int64(1), nil
		}
		return int64(0), nil
	case int64, *big.Int:
		return x, nil
	case float64:
		if x == float64(int64(x)) {
			return int64(x), nil
		}
	case decimal.Decimal:
		if x.IsInteger() {
			return normalInt(x.BigInt()), nil
		}
	case string:
		if v, ok := parseInt(x); ok {
			if _, big := v.(*big.Int); !big {
				return v, nil
			}
		}
	}
	return nil, notConvertible(name)
}

func float(_ *evaluator, name string, args []any) (any, error) {
	if isNumber(args[0]) {
		return toFloat(args[0]), nil
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, notConvertible(name)
	}
	c, err := cultureArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	d, ok := parseNumber(s, c)
	if !ok {
		return nil, notConvertible(name)
	}
	f, _ := d.Float64()
	return f, nil
}

func decimalFn(_ *evaluator, name string, args []any) (any, error) {
	if isNumber(args[0]) {
		return toDecimal(args[0]), nil
	}
	if s, ok := args[0].(string); ok {
		c, _ := findCulture("")
		if d, ok := parseNumber(s, c); ok {
			return d, nil
		}
	}
	return nil, notConvertible(name)
}

// parseNumber reads a number as .NET's NumberStyles.Any less currency: sign before or after or parentheses,
// thousands separators anywhere before the point, exponent. Any comma grouping is taken.
func parseNumber(s string, c *culture) (decimal.Decimal, bool) {
	t := strings.TrimSpace(s)
	neg := false
	if strings.HasPrefix(t, "(") && strings.HasSuffix(t, ")") {
		neg, t = true, t[1:len(t)-1]
	}
	switch {
	case strings.HasPrefix(t, "-"):
		neg, t = true, t[1:]
	case strings.HasPrefix(t, "+"):
		t = t[1:]
	case strings.HasSuffix(t, "-"):
		neg, t = true, strings.TrimSpace(t[:len(t)-1])
	case strings.HasSuffix(t, "+"):
		t = strings.TrimSpace(t[:len(t)-1])
	}
	var b strings.Builder
	digits, point := 0, false
	for i := 0; i < len(t); {
		r, n := utf8.DecodeRuneInString(t[i:])
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
			digits++
		case strings.HasPrefix(t[i:], c.Decimal) && !point:
			point = true
			b.WriteByte('.')
			n = len(c.Decimal)
		case strings.HasPrefix(t[i:], c.Group) && !point && digits > 0:
			n = len(c.Group)
		case (r == ' ' || r == '\u00a0' || r == '\u202f') && isSpaceGroup(c.Group) && !point && digits > 0:
		case (r == 'e' || r == 'E') && digits > 0:
			e := t[i+1:]
			if !intText.MatchString(e) || len(e) > 5 {
				return decimal.Decimal{}, false
			}
			b.WriteString("e" + e)
			n = len(t) - i
		default:
			return decimal.Decimal{}, false
		}
		i += n
	}
	if digits == 0 || digits > 400 {
		return decimal.Decimal{}, false
	}
	txt := b.String()
	txt = strings.Replace(txt, ".e", "e", 1)
	d, err := decimal.NewFromString(strings.TrimSuffix(txt, "."))
	if err != nil || d.Exponent() > 400 || d.Exponent() < -800 {
		return decimal.Decimal{}, false
	}
	if neg {
		d = d.Neg()
	}
	return d, true
}

func isSpaceGroup(g string) bool { return g == " " || g == "\u00a0" || g == "\u202f" }

func jsonFn(_ *evaluator, name string, args []any) (any, error) {
	switch x := args[0].(type) {
	case string:
		return parseJSONText(name, x)
	case *Object:
		b, ct, ok := Binary(x)
		if !ok {
			return x, nil
		}
		if strings.Contains(strings.ToLower(ct), "xml") {
			d, err := parseXML(string(b))
			if err != nil {
				return nil, errf("The template language function 'json' parameter is not valid. The provided value cannot be converted from XML: '%s'. %s", err, usage(name))
			}
			return xmlToJSON(d), nil
		}
		return parseJSONText(name, string(b))
	}
	return args[0], nil
}

func parseJSONText(name, s string) (any, error) {
	v, err := ParseJSONLenient(s)
	if err != nil {
		return nil, errf("The template language function 'json' parameter is not valid. The provided value '%s' cannot be parsed: '%s'. %s", clip(s, 1000), err, usage(name))
	}
	return v, nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// uriComponent encodes what isn't unreserved (RFC 3986), as .NET's Uri.EscapeDataString.
func uriComponent(_ *evaluator, name string, args []any) (any, error) {
	var b strings.Builder
	for _, a := range args {
		for _, c := range bytesOf(a) {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
				b.WriteByte(c)
				continue
			}
			const hexDigits = "0123456789ABCDEF"
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String(), nil
}

// unescape decodes %XX and +; a % that isn't followed by two digits stays.
func unescape(s string, plus bool) string {
	if plus {
		s = strings.ReplaceAll(s, "+", " ")
	}
	if u, err := url.PathUnescape(s); err == nil {
		return strings.ToValidUTF8(u, "\ufffd")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if u, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(u)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

func uriComponentToString(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	return unescape(s, true), nil
}

func uriComponentToBinary(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	return BinaryValue([]byte(unescape(s, false)), "application/octet-stream"), nil
}

func dataURI(_ *evaluator, name string, args []any) (any, error) {
	if b, ct, ok := Binary(args[0]); ok {
		return "data:" + ct + ";base64," + base64.StdEncoding.EncodeToString(b), nil
	}
	return "data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(Text(args[0]))), nil
}

func splitDataURI(name string, args []any) (data []byte, contentType string, err error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, "", err
	}
	bad := errf("The template language function '%s' expects its parameter to be formatted as a valid data URI. The provided value '%s' was not formatted correctly. %s", name, clip(s, 200), usage(name))
	head, content, ok := strings.Cut(s, ",")
	if !ok || len(head) < 5 || !strings.EqualFold(head[:5], "data:") {
		return nil, "", bad
	}
	ct, isB64 := strings.CutSuffix(head[5:], ";base64")
	if ct == "" {
		ct = "text/plain"
	}
	if !isB64 {
		return []byte(unescape(content, false)), ct, nil
	}
	if strings.Contains(content, "%") {
		content = unescape(content, false)
	}
	b, e := decode64(name, content)
	if e != nil {
		return nil, "", bad
	}
	return b, ct, nil
}

func dataURIToBinary(_ *evaluator, name string, args []any) (any, error) {
	b, ct, err := splitDataURI(name, args)
	if err != nil {
		return nil, err
	}
	return BinaryValue(b, ct), nil
}

func dataURIToString(_ *evaluator, name string, args []any) (any, error) {
	b, _, err := splitDataURI(name, args)
	if err != nil {
		return nil, err
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), nil
}

// decodeDataURI reads the URI as content of its media type: text, JSON, or binary content.
func decodeDataURI(_ *evaluator, name string, args []any) (any, error) {
	b, ct, err := splitDataURI(name, args)
	if err != nil {
		return nil, err
	}
	mt, _, _ := strings.Cut(strings.ToLower(ct), ";")
	mt = strings.TrimSpace(mt)
	switch {
	case strings.HasPrefix(mt, "text/"):
		return strings.ToValidUTF8(string(b), "\ufffd"), nil
	case mt == "application/json" || strings.HasSuffix(mt, "+json"):
		if v, err := ParseJSONLenient(string(b)); err == nil {
			return v, nil
		}
		return string(b), nil
	}
	if !strings.Contains(strings.ToLower(ct), "charset=") {
		ct += ";charset=us-ascii"
	}
	return BinaryValue(b, ct), nil
}
