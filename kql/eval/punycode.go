package eval

import (
	"strings"
	"unicode/utf8"
)

// punycodeFuncs encode and decode texts (RFC 3492) and the labels of domain names, which start with xn--; the
// service names the direction of the two pairs differently. What cannot be decoded gives "".
func punycodeFuncs(t table) {
	t.pure("punycode_from_string", str1(punyEncode))
	t.pure("punycode_to_string", str1(func(s string) string {
		d, ok := punyDecode(s)
		if !ok {
			return ""
		}
		return d
	}))
	t.pure("punycode_domain_to_string", str1(func(s string) string {
		return eachLabel(s, func(l string) (string, bool) {
			if isASCII(l) {
				return l, true
			}
			return "xn--" + punyEncode(l), true
		})
	}))
	t.pure("punycode_domain_from_string", str1(func(s string) string {
		return eachLabel(s, func(l string) (string, bool) {
			if len(l) > 4 && strings.EqualFold(l[:4], "xn--") {
				return punyDecode(l[4:])
			}
			return l, true
		})
	}))
}

// eachLabel maps the labels between dots; ideographic and half-width full stops count as dots.
func eachLabel(s string, f func(string) (string, bool)) string {
	s = strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".").Replace(s)
	labels := strings.Split(s, ".")
	for i, l := range labels {
		d, ok := f(l)
		if !ok {
			return ""
		}
		labels[i] = d
	}
	return strings.Join(labels, ".")
}

const (
	punyBase, punyMin, punyMax = 36, 1, 26
	punySkew, punyDamp         = 38, 700
	punyFirstBias, punyFirstN  = 72, 128
	punyLimit                  = 1 << 28
	punyDigits                 = "abcdefghijklmnopqrstuvwxyz0123456789"
)

func punyAdapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for delta > (punyBase-punyMin)*punyMax/2 {
		delta /= punyBase - punyMin
		k += punyBase
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}

func punyThreshold(k, bias int) int { return max(punyMin, min(punyMax, k-bias)) }

func punyEncode(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for _, r := range runes {
		if r < utf8.RuneSelf {
			b.WriteByte(byte(r))
		}
	}
	done := b.Len()
	basic := done
	if basic > 0 {
		b.WriteByte('-')
	}
	n, delta, bias := rune(punyFirstN), 0, punyFirstBias
	for done < len(runes) {
		next := rune(utf8.MaxRune)
		for _, r := range runes {
			if r >= n && r < next {
				next = r
			}
		}
		delta += int(next-n) * (done + 1)
		if delta > punyLimit*8 {
			return ""
		}
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			q := delta
			for k := punyBase; ; k += punyBase {
				t := punyThreshold(k, bias)
				if q < t {
					break
				}
				b.WriteByte(punyDigits[t+(q-t)%(punyBase-t)])
				q = (q - t) / (punyBase - t)
			}
			b.WriteByte(punyDigits[q])
			bias = punyAdapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return b.String()
}

func punyDecode(s string) (string, bool) {
	if !isASCII(s) || len(s) > 1<<16 {
		return "", false
	}
	var out []rune
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		out = []rune(s[:i])
		s = s[i+1:]
	}
	n, i, bias := punyFirstN, 0, punyFirstBias
	for at := 0; at < len(s); {
		start, w := i, 1
		for k := punyBase; ; k += punyBase {
			if at >= len(s) {
				return "", false
			}
			d := strings.IndexByte(punyDigits, s[at]|lowerBit(s[at]))
			at++
			if d < 0 || i > punyLimit || w > punyLimit {
				return "", false
			}
			i += d * w
			t := punyThreshold(k, bias)
			if d < t {
				break
			}
			w *= punyBase - t
		}
		size := len(out) + 1
		bias = punyAdapt(i-start, size, start == 0)
		n += i / size
		i %= size
		if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return "", false
		}
		out = append(out, 0)
		copy(out[i+1:], out[i:])
		out[i] = rune(n)
		i++
	}
	return string(out), true
}

func lowerBit(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return 0x20
	}
	return 0
}
