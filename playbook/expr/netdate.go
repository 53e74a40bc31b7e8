package expr

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

type dateKind uint8

const (
	kindNone   dateKind = iota // no zone was given: printed without one
	kindUTC                    // Z
	kindOffset                 // an offset was given: moved to UTC, printed +00:00
)

// netDate is .NET's DateTime: digits held in UTC, and how its zone is printed.
type netDate struct {
	t    time.Time
	kind dateKind
}

const epochTicks = 621355968000000000 // 100 ns from year 1 to 1970

func (d netDate) ticks() int64 {
	return epochTicks + d.t.Unix()*10_000_000 + int64(d.t.Nanosecond())/100
}

var isoDate = regexp.MustCompile(`^(\d{4})-(\d{1,2})(?:-(\d{1,2}))?(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?)?\s*(?i:(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?))?$`)

// makeDate checks the parts and moves an offset to UTC.
func makeDate(y, mo, d, h, mi, s int, frac, zone string) (netDate, bool) {
	if y < 1 || y > 9999 || mo < 1 || mo > 12 || d < 1 || mi > 59 || s > 59 || h > 24 || (h == 24 && (mi > 0 || s > 0)) {
		return netDate{}, false
	}
	if d > time.Date(y, time.Month(mo)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return netDate{}, false
	}
	ns := 0
	if frac != "" {
		f := (frac + "0000000")[:7]
		n, err := strconv.Atoi(f)
		if err != nil {
			return netDate{}, false
		}
		ns = n * 100
		if len(frac) > 7 && frac[7] >= '5' {
			ns += 100
		}
	}
	r := netDate{t: time.Date(y, time.Month(mo), d, h, mi, s, ns, time.UTC)}
	switch z := strings.ToUpper(zone); z {
	case "":
	case "Z", "UTC", "GMT":
		r.kind = kindUTC
	default:
		off, ok := offset(z)
		if !ok {
			return netDate{}, false
		}
		r.t = r.t.Add(-off)
		r.kind = kindOffset
	}
	return r, r.t.Year() >= 1 && r.t.Year() <= 9999
}

func offset(z string) (time.Duration, bool) {
	digits := strings.ReplaceAll(z[1:], ":", "")
	h, m := digits, "0"
	if len(digits) > 2 {
		h, m = digits[:len(digits)-2], digits[len(digits)-2:]
	}
	hn, e1 := strconv.Atoi(h)
	mn, e2 := strconv.Atoi(m)
	if e1 != nil || e2 != nil || hn > 14 || mn > 59 {
		return 0, false
	}
	d := time.Duration(hn)*time.Hour + time.Duration(mn)*time.Minute
	if z[0] == '-' {
		d = -d
	}
	return d, true
}

func num(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// parseDate reads a timestamp: ISO 8601, else as the culture writes dates and times.
func parseDate(s string, c *culture) (netDate, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 200 {
		return netDate{}, false
	}
	if m := isoDate.FindStringSubmatch(s); m != nil {
		day := 1
		if m[3] != "" {
			day = num(m[3])
		}
		return makeDate(num(m[1]), num(m[2]), day, num(m[4]), num(m[5]), num(m[6]), m[7], m[8])
	}
	return parseLoose(s, c)
}

var (
	clock     = regexp.MustCompile(`^(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?(?i:(am|pm|a|p))?(Z|[+-]\d{1,2}(?::?\d{2})?)?$`)
	clockDots = regexp.MustCompile(`^(\d{1,2})\.(\d{2})(?:\.(\d{2}))?()()()$`)
	dateWord  = regexp.MustCompile(`^(\d{1,4})[-/.](\d{1,2}|[^\d\s\-/.]+\.?)(?:[-/.](\d{1,4}))?[.]?$`)
	yearWord  = regexp.MustCompile(`^(\d{1,4})(st|nd|rd|th|er|\.|,|º|ª)*$`)
	zoneWord  = regexp.MustCompile(`^(?i:Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)$`)
)

func nameIndex(w string, lists ...[]string) int {
	w = strings.TrimRight(lowerInvariant(w), ".,")
	for _, l := range lists {
		for i, n := range l {
			if strings.TrimRight(lowerInvariant(n), ".") == w {
				return i
			}
		}
	}
	return -1
}

// parseLoose reads words of a date in the culture's order: names of months and days, numbers, a clock, a zone.
func parseLoose(s string, c *culture) (netDate, bool) {
	en := enUS()
	order := strings.Map(func(r rune) rune {
		if r == 'd' || r == 'M' || r == 'y' {
			return r
		}
		return -1
	}, c.ShortDate)
	dayFirst := strings.IndexByte(order, 'd') < strings.IndexByte(order, 'M')
	yearFirst := strings.HasPrefix(order, "y")
	var h, mi, sec int
	frac, zone, half := "", "", ""
	month := 0
	var nums []string
	numeric := false // a date like 1/2/2018 was seen
	if i := strings.IndexByte(s, 'T'); i > 0 && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' && s[i-1] >= '0' && s[i-1] <= '9' {
		s = s[:i] + " " + s[i+1:]
	}
	hasClock := false
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
		if m := clock.FindStringSubmatch(w); m != nil && !hasClock {
			h, mi, sec, frac, half, zone = num(m[1]), num(m[2]), num(m[3]), m[4], m[5], m[6]
			hasClock = true
			continue
		}
		if c.TimeSep == "." && numeric && !hasClock {
			if m := clockDots.FindStringSubmatch(w); m != nil {
				h, mi, sec, hasClock = num(m[1]), num(m[2]), num(m[3]), true
				continue
			}
		}
		if strings.EqualFold(w, c.AM) || strings.EqualFold(w, "am") || strings.EqualFold(w, "a.m.") {
			half = "am"
			continue
		}
		if strings.EqualFold(w, c.PM) || strings.EqualFold(w, "pm") || strings.EqualFold(w, "p.m.") {
			half = "pm"
			continue
		}
		if zoneWord.MatchString(w) && (hasClock || !strings.ContainsAny(w[:1], "+-")) {
			zone = w
			continue
		}
		if m := dateWord.FindStringSubmatch(w); m != nil && len(nums) == 0 {
			if i := nameIndex(m[2], c.Months, c.MonthsOf, c.MonthsShort, en.Months, en.MonthsShort); i >= 0 {
				month = i + 1
				nums = append(nums, m[1])
			} else if _, err := strconv.Atoi(m[2]); err == nil {
				numeric = true
				nums = append(nums, m[1], m[2])
			} else {
				return netDate{}, false
			}
			if m[3] != "" {
				nums = append(nums, m[3])
			}
			continue
		}
		if m := yearWord.FindStringSubmatch(w); m != nil {
			nums = append(nums, m[1])
			continue
		}
		if i := nameIndex(w, c.Months, c.MonthsOf, c.MonthsShort, en.Months, en.MonthsShort); i >= 0 && month == 0 {
			month = i + 1
			continue
		}
		if nameIndex(w, c.Days, c.DaysShort, en.Days, en.DaysShort) >= 0 {
			continue
		}
		switch strings.ToLower(w) {
		case "de", "del", "den", "of", "г", "г.", "р.", "gada", "m.", "d.":
			continue
		}
		return netDate{}, false
	}
	var ys, ds string
	switch {
	case month > 0 && len(nums) == 2:
		ds, ys = nums[0], nums[1]
		if len(nums[0]) > 2 {
			ds, ys = nums[1], nums[0]
		}
	case month > 0 && len(nums) == 1 && len(nums[0]) == 4:
		ds, ys = "1", nums[0]
	case month == 0 && len(nums) == 3:
		switch {
		case len(nums[0]) >= 3 || yearFirst && len(nums[2]) <= 2:
			ys, month, ds = nums[0], num(nums[1]), nums[2]
		case dayFirst:
			ds, month, ys = nums[0], num(nums[1]), nums[2]
		default:
			month, ds, ys = num(nums[0]), nums[1], nums[2]
		}
	default:
		return netDate{}, false
	}
	y := num(ys)
	if len(ys) <= 2 {
		y = twoDigitYear(y)
	}
	if half != "" {
		if h < 1 || h > 12 {
			return netDate{}, false
		}
		h %= 12
		if half[0] == 'p' || half[0] == 'P' {
			h += 12
		}
	}
	return makeDate(y, month, num(ds), h, mi, sec, frac, zone)
}

func twoDigitYear(y int) int {
	if y > 49 {
		return 1900 + y
	}
	return 2000 + y
}

// fmtToken is a run of one format letter, or literal text (n = 0).
type fmtToken struct {
	text string
	n    int
}

func dateTokens(f string) ([]fmtToken, bool) {
	var out []fmtToken
	lit := func(s string) {
		if k := len(out); k > 0 && out[k-1].n == 0 {
			out[k-1].text += s
			return
		}
		out = append(out, fmtToken{s, 0})
	}
	for i := 0; i < len(f); {
		ch := f[i]
		switch {
		case ch == '\'' || ch == '"':
			end := strings.IndexByte(f[i+1:], ch)
			if end < 0 {
				return nil, false
			}
			lit(f[i+1 : i+1+end])
			i += end + 2
		case ch == '\\':
			if i+1 >= len(f) {
				return nil, false
			}
			_, n := utf8.DecodeRuneInString(f[i+1:])
			lit(f[i+1 : i+1+n])
			i += 1 + n
		case ch == '%':
			i++
		case strings.IndexByte("dfFghHKmMstyz:/", ch) >= 0:
			n := 1
			for i+n < len(f) && f[i+n] == ch {
				n++
			}
			out = append(out, fmtToken{string(ch), n})
			i += n
		default:
			_, n := utf8.DecodeRuneInString(f[i:])
			lit(f[i : i+n])
			i += n
		}
	}
	return out, true
}

// standardDate resolves a one-letter format.
func standardDate(f string, c *culture) (pattern string, invariant, ok bool) {
	switch f {
	case "o", "O":
		return "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK", true, true
	case "r", "R":
		return "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", true, true
	case "s":
		return "yyyy'-'MM'-'dd'T'HH':'mm':'ss", true, true
	case "u":
		return "yyyy'-'MM'-'dd HH':'mm':'ss'Z'", true, true
	case "d":
		return c.ShortDate, false, true
	case "D":
		return c.LongDate, false, true
	case "t":
		return c.ShortTime, false, true
	case "T":
		return c.LongTime, false, true
	case "f":
		return c.LongDate + " " + c.ShortTime, false, true
	case "F", "U":
		return c.LongDate + " " + c.LongTime, false, true
	case "g":
		return c.ShortDate + " " + c.ShortTime, false, true
	case "G":
		return c.ShortDate + " " + c.LongTime, false, true
	case "m", "M":
		return c.MonthDay, false, true
	case "y", "Y":
		return c.YearMonth, false, true
	}
	return "", false, false
}

func formatDate(name string, d netDate, f string, c *culture) (any, error) {
	if f == "" {
		f = "o"
	}
	bad := func() (any, error) {
		return nil, errf("In function '%s', the value provided for date time format '%s' was not valid. The datetime format must be a valid .NET format string.", name, clip(f, 100))
	}
	if len(f) > 1000 {
		return bad()
	}
	pattern := f
	if utf8.RuneCountInString(f) == 1 {
		p, inv, ok := standardDate(f, c)
		if !ok {
			return bad()
		}
		if pattern = p; inv {
			c = enUS()
		}
	}
	toks, ok := dateTokens(pattern)
	if !ok {
		return bad()
	}
	genitive := false
	for _, t := range toks {
		if t.text == "d" && (t.n == 1 || t.n == 2) {
			genitive = true
		}
	}
	t := d.t
	var b strings.Builder
	pad := func(n, w int) { fmt.Fprintf(&b, "%0*d", w, n) }
	short := func(n, v int) {
		if n == 1 {
			b.WriteString(strconv.Itoa(v))
		} else {
			pad(v, 2)
		}
	}
	frac := fmt.Sprintf("%07d", t.Nanosecond()/100)
	for _, k := range toks {
		if k.n == 0 {
			b.WriteString(k.text)
			continue
		}
		switch k.text {
		case "d":
			switch {
			case k.n <= 2:
				short(k.n, t.Day())
			case k.n == 3:
				b.WriteString(c.DaysShort[t.Weekday()])
			default:
				b.WriteString(c.Days[t.Weekday()])
			}
		case "M":
			switch {
			case k.n <= 2:
				short(k.n, int(t.Month()))
			case k.n == 3:
				b.WriteString(c.MonthsShort[t.Month()-1])
			case genitive:
				b.WriteString(c.MonthsOf[t.Month()-1])
			default:
				b.WriteString(c.Months[t.Month()-1])
			}
		case "y":
			switch {
			case k.n == 1:
				b.WriteString(strconv.Itoa(t.Year() % 100))
			case k.n == 2:
				pad(t.Year()%100, 2)
			default:
				pad(t.Year(), k.n)
			}
		case "h":
			h := t.Hour() % 12
			if h == 0 {
				h = 12
			}
			short(k.n, h)
		case "H":
			short(k.n, t.Hour())
		case "m":
			short(k.n, t.Minute())
		case "s":
			short(k.n, t.Second())
		case "f":
			if k.n > 7 {
				return bad()
			}
			b.WriteString(frac[:k.n])
		case "F":
			if k.n > 7 {
				return bad()
			}
			if digits := strings.TrimRight(frac[:k.n], "0"); digits != "" {
				b.WriteString(digits)
			} else if s := b.String(); strings.HasSuffix(s, ".") {
				b.Reset()
				b.WriteString(strings.TrimSuffix(s, "."))
			}
		case "t":
			h := c.AM
			if t.Hour() >= 12 {
				h = c.PM
			}
			if k.n == 1 && h != "" {
				_, n := utf8.DecodeRuneInString(h)
				h = h[:n]
			}
			b.WriteString(h)
		case "g":
			b.WriteString("A.D.")
		case "K":
			switch d.kind {
			case kindUTC:
				b.WriteString("Z")
			case kindOffset:
				b.WriteString("+00:00")
			}
		case "z":
			b.WriteString([]string{"+0", "+00", "+00:00"}[min(k.n, 3)-1])
		case ":":
			b.WriteString(strings.Repeat(c.TimeSep, k.n))
		case "/":
			b.WriteString(strings.Repeat(c.DateSep, k.n))
		}
	}
	return b.String(), nil
}

// parseExact reads a time written in a given .NET format.
func parseExact(s, f string, c *culture) (netDate, bool) {
	if utf8.RuneCountInString(f) == 1 {
		p, inv, ok := standardDate(f, c)
		if !ok {
			return netDate{}, false
		}
		if f = p; inv {
			c = enUS()
		}
	}
	toks, ok := dateTokens(f)
	if !ok {
		return netDate{}, false
	}
	s = strings.TrimSpace(s)
	y, mo, d, h, mi, sec := 1, 1, 1, 0, 0, 0
	frac, zone, half := "", "", ""
	digits := func(lo, hi int) (int, string, bool) {
		n := 0
		for n < len(s) && n < hi && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n < lo {
			return 0, "", false
		}
		t := s[:n]
		s = s[n:]
		return num(t), t, true
	}
	word := func(lists ...[]string) int {
		best, at := 0, -1
		ls := lowerInvariant(s)
		for _, l := range lists {
			for i, n := range l {
				if ln := lowerInvariant(n); len(n) > best && strings.HasPrefix(ls, ln) {
					best, at = len(n), i
				}
			}
		}
		s = s[best:]
		return at
	}
	for _, k := range toks {
		good := true
		switch {
		case k.n == 0:
			s, good = strings.CutPrefix(s, k.text)
		case k.text == "y":
			if k.n <= 2 {
				y, _, good = digits(k.n, 2)
				y = twoDigitYear(y)
			} else {
				y, _, good = digits(k.n, max(k.n, 4))
			}
		case k.text == "M" && k.n <= 2:
			mo, _, good = digits(k.n, 2)
		case k.text == "M":
			mo = word(c.MonthsOf, c.Months, c.MonthsShort) + 1
			good = mo > 0
		case k.text == "d" && k.n <= 2:
			d, _, good = digits(k.n, 2)
		case k.text == "d":
			good = word(c.Days, c.DaysShort) >= 0
		case k.text == "H" || k.text == "h":
			h, _, good = digits(min(k.n, 2), 2)
		case k.text == "m":
			mi, _, good = digits(min(k.n, 2), 2)
		case k.text == "s":
			sec, _, good = digits(min(k.n, 2), 2)
		case k.text == "f":
			_, frac, good = digits(k.n, k.n)
		case k.text == "F":
			_, frac, good = digits(0, k.n)
		case k.text == "t":
			i := word([]string{"AM", "PM"}, []string{c.AM, c.PM}, []string{"A", "P"})
			half, good = []string{"", "am", "pm"}[i+1], i >= 0
		case k.text == "K" || k.text == "z":
			m := regexp.MustCompile(`^(?i:Z|[+-]\d{1,2}(?::?\d{2})?)`).FindString(s)
			zone, s = m, s[len(m):]
			good = m != "" || k.text == "K"
		case k.text == ":":
			s, good = strings.CutPrefix(s, c.TimeSep)
		case k.text == "/":
			s, good = strings.CutPrefix(s, c.DateSep)
		}
		if !good {
			return netDate{}, false
		}
	}
	if s != "" {
		return netDate{}, false
	}
	if half != "" {
		h %= 12
		if half == "pm" {
			h += 12
		}
	}
	return makeDate(y, mo, d, h, mi, sec, frac, zone)
}
