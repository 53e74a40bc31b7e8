package value

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// FormatReal writes a real as tostring() does: always with a fraction or an exponent (1500.0, 1e30), inf,
// -inf and NaN. The digits are the shortest prefix of the upper edge of the interval that reads back as f,
// which is what the service's row engine prints (0.1+0.2 is 0.30000000000000007).
func FormatReal(f float64) string { return string(AppendReal(nil, f)) }

// AppendReal appends what [FormatReal] writes.
func AppendReal(b []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, "NaN"...)
	case math.IsInf(f, 1):
		return append(b, "inf"...)
	case math.IsInf(f, -1):
		return append(b, "-inf"...)
	}
	if math.Signbit(f) {
		b = append(b, '-')
		f = -f
	}
	if f == 0 {
		return append(b, "0.0"...)
	}
	if f < 1e15 && f == math.Trunc(f) {
		b = strconv.AppendInt(b, int64(f), 10)
		return append(b, ".0"...)
	}
	digits, point := realDigits(f)
	return placePoint(b, digits, point)
}

// realDigits gives the digits of f > 0 and the place of its decimal point.
func realDigits(f float64) (digits []byte, point int) {
	var buf [32]byte
	short := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	e := len(short) - 1
	for short[e] != 'e' {
		e--
	}
	exp, _ := strconv.Atoi(string(short[e+1:]))
	d := make([]byte, 0, 20)
	d = append(d, short[0])
	if e > 2 {
		d = append(d, short[2:e]...)
	}
	if len(d) < 16 { // short decimals have one candidate only
		return d, exp + 1
	}
	return upperEdgeDigits(f)
}

// upperEdgeDigits takes the shortest prefix of the upper edge of f's rounding interval that still rounds to f.
func upperEdgeDigits(f float64) ([]byte, int) {
	up := math.Nextafter(f, math.Inf(1))
	if math.IsInf(up, 1) {
		up = f
	}
	edge := new(big.Float).SetPrec(200).SetFloat64(f)
	edge.Add(edge, new(big.Float).SetPrec(200).SetFloat64(up))
	edge.Mul(edge, big.NewFloat(0.5))
	text := edge.Text('e', 40)
	e := strings.IndexByte(text, 'e')
	exp, _ := strconv.Atoi(text[e+1:])
	all := text[:1] + text[2:e]
	for n := 15; n <= 17; n++ {
		s := all[:1] + "." + all[1:n] + text[e:]
		if g, err := strconv.ParseFloat(s, 64); err == nil && g == f {
			return []byte(strings.TrimRight(all[:n], "0")), exp + 1
		}
	}
	s := strconv.FormatFloat(f, 'e', 16, 64)
	e = strings.IndexByte(s, 'e')
	exp, _ = strconv.Atoi(s[e+1:])
	return []byte(s[:1] + s[2:e]), exp + 1
}

// placePoint writes digits with the point after place digits: plain up to 21 places, else with an exponent.
func placePoint(b, digits []byte, place int) []byte {
	n := len(digits)
	switch {
	case n <= place && place <= 21:
		b = append(b, digits...)
		for i := n; i < place; i++ {
			b = append(b, '0')
		}
		return append(b, ".0"...)
	case 0 < place && place <= 21:
		b = append(b, digits[:place]...)
		b = append(b, '.')
		return append(b, digits[place:]...)
	case -6 < place && place <= 0:
		b = append(b, "0."...)
		for i := place; i < 0; i++ {
			b = append(b, '0')
		}
		return append(b, digits...)
	}
	b = append(b, digits[0])
	if n > 1 {
		b = append(b, '.')
		b = append(b, digits[1:]...)
	}
	b = append(b, 'e')
	return strconv.AppendInt(b, int64(place-1), 10)
}

// ParseReal reads a real: decimal digits with fraction and exponent, nan, inf, Infinity with a sign.
// Blanks around it are ignored; separators and hexadecimal are not numbers.
func ParseReal(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 400 {
		return 0, false
	}
	switch s {
	case "nan", "NaN", "-nan", "-NaN":
		return math.NaN(), true
	case "inf", "Inf", "+inf", "+Inf", "Infinity", "+Infinity", "infinity", "+infinity":
		return math.Inf(1), true
	case "-inf", "-Inf", "-Infinity", "-infinity":
		return math.Inf(-1), true
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '.' && c != '+' && c != '-' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// ParseLong reads a whole number: decimal with an optional sign, or 0x hexadecimal of up to 64 bits (taken as
// the bit pattern). Blanks around it are ignored.
func ParseLong(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		u, err := strconv.ParseUint(s[2:], 16, 64)
		return int64(u), err == nil
	}
	if s == "" || strings.IndexByte(s, '_') >= 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// FormatGUID writes the 8-4-4-4-12 form in lower case.
func FormatGUID(g [16]byte) string {
	var b [36]byte
	return string(AppendGUID(b[:0], g))
}

// AppendGUID appends what [FormatGUID] writes.
func AppendGUID(b []byte, g [16]byte) []byte {
	b = hex.AppendEncode(b, g[0:4])
	b = append(b, '-')
	b = hex.AppendEncode(b, g[4:6])
	b = append(b, '-')
	b = hex.AppendEncode(b, g[6:8])
	b = append(b, '-')
	b = hex.AppendEncode(b, g[8:10])
	b = append(b, '-')
	return hex.AppendEncode(b, g[10:16])
}

// ParseGUID reads 32 hexadecimal digits with or without the four hyphens, optionally in braces or brackets.
func ParseGUID(s string) (g [16]byte, ok bool) {
	s = unquoted(s)
	if n := len(s); n > 2 && (s[0] == '{' && s[n-1] == '}' || s[0] == '(' && s[n-1] == ')') {
		s = s[1 : n-1]
	}
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return g, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 {
		return g, false
	}
	_, err := hex.Decode(g[:], []byte(s))
	return g, err == nil
}

// maxDecimalDigits bounds what a decimal keeps: 34 significant digits, those of 128 bits.
const maxDecimalDigits = 34

// ParseDecimal reads a decimal number with fraction and exponent; false when it is none or outside the range
// of a 128 bit decimal.
func ParseDecimal(s string) (decimal.Decimal, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 100 {
		return decimal.Decimal{}, false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '.' && c != '+' && c != '-' && c != 'e' && c != 'E' {
			return decimal.Decimal{}, false
		}
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 6144 || d.Exponent() < -6176 {
		return decimal.Decimal{}, false
	}
	return FitDecimal(d), true
}

// FitDecimal rounds d to the 34 significant digits that a decimal keeps.
func FitDecimal(d decimal.Decimal) decimal.Decimal {
	if n := d.NumDigits(); n > maxDecimalDigits {
		return d.Round(int32(maxDecimalDigits-n) - d.Exponent())
	}
	return d
}

// FormatDecimal writes a decimal without exponent and without trailing zeros.
func FormatDecimal(d decimal.Decimal) string { return d.String() }
