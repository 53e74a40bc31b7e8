package expr

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// formatNetNumber writes a number by a .NET standard (N2, C, P0, D5, X, E3, G, R, F) or custom (#,##0.00) format.
func formatNetNumber(v any, f string, c *culture) (any, error) {
	bad := errf("The template language function 'formatNumber' was invoked with a format that is not valid: '%s'. %s", clip(f, 100), usage("formatNumber"))
	if len(f) > 500 {
		return nil, bad
	}
	if fl, ok := v.(float64); ok && (fl != fl || fl-fl != 0) {
		return floatText(fl), nil
	}
	if f == "" {
		f = "G"
	}
	kind := f[0] | 0x20
	if letter := f[0] >= 'a' && f[0] <= 'z' || f[0] >= 'A' && f[0] <= 'Z'; letter && strings.Trim(f[1:], "0123456789") == "" && len(f) <= 4 {
		prec := -1
		if len(f) > 1 {
			prec, _ = strconv.Atoi(f[1:])
		}
		s, ok := standardNumber(v, kind, f[0], prec, c)
		if !ok {
			return nil, bad
		}
		return s, nil
	}
	return customNumber(toDecimal(v), f, c), nil
}

func orElse(p, def int) int {
	if p < 0 {
		return def
	}
	return p
}

func standardNumber(v any, kind, letter byte, prec int, c *culture) (string, bool) {
	if prec > 999 {
		return "", false
	}
	d := toDecimal(v)
	neg := d.Sign() < 0
	abs := d.Abs()
	switch kind {
	case 'n', 'f':
		s := fixed(abs, orElse(prec, 2))
		return signed(neg, localize(s, c, kind == 'n')), true
	case 'c':
		def := 2
		switch c.Name {
		case "ja-JP", "ko-KR", "is-IS":
			def = 0
		}
		pat := c.CurrencyPositive
		s := fixed(abs, orElse(prec, def))
		if neg && strings.Trim(s, "0.") != "" {
			pat = c.CurrencyNegative
		}
		return strings.NewReplacer("n", localize(s, c, true), "$", c.Currency).Replace(pat), true
	case 'p':
		s := localize(fixed(abs.Shift(2), orElse(prec, 2)), c, true)
		return signed(neg, strings.Replace(c.Percent, "n", s, 1)), true
	case 'd':
		if !isIntegral(v) {
			return "", false
		}
		s := abs.String()
		for len(s) < prec {
			s = "0" + s
		}
		return signed(neg, s), true
	case 'x':
		if !isIntegral(v) {
			return "", false
		}
		n := new(big.Int).Set(toBig(v))
		if n.Sign() < 0 { // two's complement of 32 or 64 bits
			bits := uint(32)
			if n.Cmp(big.NewInt(-1<<31)) < 0 {
				bits = 64
			}
			n.Add(n, new(big.Int).Lsh(big.NewInt(1), bits))
		}
		s := n.Text(16)
		for len(s) < prec {
			s = "0" + s
		}
		if letter == 'X' {
			s = strings.ToUpper(s)
		}
		return s, true
	case 'e':
		s := strconv.FormatFloat(toFloat(v), 'e', orElse(prec, 6), 64)
		mant, exp, _ := strings.Cut(s, "e")
		for len(exp) < 4 {
			exp = exp[:1] + "0" + exp[1:]
		}
		return strings.Replace(mant, ".", c.Decimal, 1) + string(letter) + exp, true
	case 'g', 'r':
		if prec <= 0 || isIntegral(v) && prec >= len(abs.String()) {
			return strings.Replace(Text(v), ".", c.Decimal, 1), true
		}
		s := strconv.FormatFloat(toFloat(v), 'e', prec-1, 64)
		mant, exp, _ := strings.Cut(s, "e")
		e, _ := strconv.Atoi(exp)
		if e > -5 && e < prec {
			x := strconv.FormatFloat(toFloat(v), 'f', max(prec-1-e, 0), 64)
			if strings.Contains(x, ".") {
				x = strings.TrimRight(strings.TrimRight(x, "0"), ".")
			}
			return strings.Replace(x, ".", c.Decimal, 1), true
		}
		if strings.Contains(mant, ".") {
			mant = strings.TrimRight(strings.TrimRight(mant, "0"), ".")
		}
		if len(exp) == 2 {
			exp = exp[:1] + "0" + exp[1:]
		}
		return strings.Replace(mant, ".", c.Decimal, 1) + string(letter-('g'-'e')) + exp, true
	}
	return "", false
}

// fixed rounds half away from zero, as .NET.
func fixed(d decimal.Decimal, places int) string { return d.StringFixed(int32(places)) }

func signed(neg bool, s string) string {
	if neg && strings.Trim(s, "0.,% \u00a0\u202f") != "" {
		return "-" + s
	}
	return s
}

// localize puts a culture's point and groups into plain digits.
func localize(s string, c *culture, group bool) string {
	i, f, has := strings.Cut(s, ".")
	if group {
		i = groupThrees(i, c.Group)
	}
	if has {
		return i + c.Decimal + f
	}
	return i
}

func groupThrees(s, sep string) string {
	if len(s) <= 3 {
		return s
	}
	var b strings.Builder
	k := len(s) % 3
	b.WriteString(s[:k])
	for ; k < len(s); k += 3 {
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(s[k : k+3])
	}
	return b.String()
}

// splitSections cuts a custom format at its semicolons, outside quotes.
func splitSections(f string) []string {
	var out []string
	start := 0
	var q byte
	for i := 0; i < len(f); i++ {
		switch ch := f[i]; {
		case q != 0:
			if ch == q {
				q = 0
			}
		case ch == '\'' || ch == '"':
			q = ch
		case ch == '\\':
			i++
		case ch == ';':
			out = append(out, f[start:i])
			start = i + 1
		}
	}
	return append(out, f[start:])
}

func customNumber(d decimal.Decimal, f string, c *culture) string {
	secs := splitSections(f)
	sec, neg := secs[0], d.Sign() < 0
	switch {
	case d.Sign() == 0 && len(secs) > 2 && secs[2] != "":
		sec = secs[2]
	case neg && len(secs) > 1 && secs[1] != "":
		sec, neg = secs[1], false
	}
	abs := d.Abs()
	// First pass: places, scaling, grouping.
	intZeros, intPlaces, fracPlaces, fracZeros := 0, 0, 0, 0
	point, group, pendingCommas, exp := false, false, 0, -1
	percent := 0
	scan := func(each func(kind byte, text string)) {
		for i := 0; i < len(sec); i++ {
			switch ch := sec[i]; ch {
			case '\'', '"':
				end := strings.IndexByte(sec[i+1:], ch)
				if end < 0 {
					end = len(sec) - i - 1
				}
				each('t', sec[i+1:i+1+end])
				i += end + 1
			case '\\':
				if i+1 < len(sec) {
					each('t', sec[i+1:i+2])
					i++
				}
			case '0', '#', '.', ',', '%':
				each(ch, "")
			case 'E', 'e':
				j := i + 1
				if j < len(sec) && (sec[j] == '+' || sec[j] == '-') {
					j++
				}
				k := j
				for k < len(sec) && sec[k] == '0' {
					k++
				}
				if k > j {
					each('e', sec[i:k])
					i = k - 1
				} else {
					each('t', string(ch))
				}
			default:
				if strings.HasPrefix(sec[i:], "‰") {
					each('m', "")
					i += len("‰") - 1
					continue
				}
				each('t', sec[i:i+1])
			}
		}
	}
	expText := ""
	scan(func(k byte, text string) {
		switch k {
		case '0', '#':
			if point {
				fracPlaces++
				if k == '0' {
					fracZeros = fracPlaces
				}
				return
			}
			if pendingCommas > 0 && intPlaces > 0 {
				group = true
			}
			pendingCommas = 0
			intPlaces++
			if k == '0' || intZeros > 0 {
				intZeros++
			}
		case ',':
			if !point {
				pendingCommas++
			}
		case '.':
			if !point {
				point = true
			}
		case '%':
			percent += 2
		case 'm':
			percent += 3
		case 'e':
			exp, expText = len(text), text
		}
	})
	abs = abs.Shift(int32(percent - 3*pendingCommas))
	expOut := ""
	if exp >= 0 {
		e := 0
		if abs.Sign() != 0 {
			e = abs.NumDigits() + int(abs.Exponent()) - max(intPlaces, 1)
			abs = abs.Shift(int32(-e))
		}
		head := expText[:1]
		digits := strings.TrimLeft(expText[1:], "+-")
		sign := ""
		if e < 0 {
			sign, e = "-", -e
		} else if strings.Contains(expText, "+") {
			sign = "+"
		}
		es := strconv.Itoa(e)
		for len(es) < len(digits) {
			es = "0" + es
		}
		expOut = head + sign + es
	}
	txt := fixed(abs, fracPlaces)
	ip, fp, _ := strings.Cut(txt, ".")
	if ip == "0" {
		ip = ""
	}
	for len(ip) < intZeros {
		ip = "0" + ip
	}
	for len(fp) > fracZeros && strings.HasSuffix(fp, "0") {
		fp = fp[:len(fp)-1]
	}
	// Second pass: write. Digits beyond the placeholders go before the first one.
	var b strings.Builder
	left := intPlaces
	written := 0
	point = false
	fracAt := 0
	digit := func(n int) {
		for ; n > 0 && written < len(ip); n-- {
			b.WriteByte(ip[written])
			written++
			if rest := len(ip) - written; group && rest > 0 && rest%3 == 0 {
				b.WriteString(c.Group)
			}
		}
	}
	scan(func(k byte, text string) {
		switch k {
		case '0', '#':
			if point {
				if fracAt < len(fp) {
					b.WriteByte(fp[fracAt])
				}
				fracAt++
				return
			}
			if left == intPlaces && len(ip) > intPlaces {
				digit(len(ip) - intPlaces)
			}
			if left <= len(ip) {
				digit(1)
			}
			left--
		case '.':
			if !point {
				if intPlaces == 0 {
					digit(len(ip))
				}
				if len(fp) > 0 {
					b.WriteString(c.Decimal)
				}
				point = true
			}
		case '%':
			b.WriteByte('%')
		case 'm':
			b.WriteString("‰")
		case 'e':
			b.WriteString(expOut)
		case 't':
			b.WriteString(text)
		}
	})
	out := b.String()
	if neg && strings.Trim(ip+fp, "0") != "" {
		out = "-" + out
	}
	return out
}
