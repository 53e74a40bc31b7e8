package eval

import (
	"picket/kql/value"
	"strconv"
	"strings"
)

func formatFuncs(t table) {
	t.pure("format_datetime", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return formatTimes(n, args, value.Datetime, "format_datetime")
	})
	t.pure("format_timespan", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return formatTimes(n, args, value.Timespan, "format_timespan")
	})
	t.pure("format_bytes", formatBytes)
}

func formatTimes(n int, args []*value.Vector, t value.Type, fn string) (*value.Vector, error) {
	a, f := ints(convert(args[0], t)), texts(args[1])
	out := value.New(value.String, n)
	var toks []token
	prev := ""
	var b []byte
	for i := range out.S {
		if p := f.at(i); i == 0 || p != prev {
			prev = p
			var err error
			if toks, err = formatTokens(fn, p, t == value.Datetime); err != nil {
				return nil, err
			}
		}
		if a.isNull(i) {
			continue
		}
		if b = b[:0]; t == value.Datetime {
			b = appendDatetimeFormat(b, a.at(i), toks)
		} else {
			b = appendTimespanFormat(b, a.at(i), toks)
		}
		out.S[i] = string(b)
	}
	return out, nil
}

// token is a run of one specifier letter, or a delimiter (n == 0).
type token struct {
	c byte
	n int
}

// formatTokens cuts a format into the longest specifiers that KQL knows: ddd is dd and d.
func formatTokens(fn, f string, date bool) ([]token, error) {
	longest := map[byte]int{'d': 2, 'f': 7, 'F': 7, 'h': 2, 'H': 2, 'm': 2, 's': 2}
	if date {
		longest['M'], longest['y'], longest['t'] = 2, 4, 2
	} else {
		longest['d'] = 8
	}
	if len(f) > 256 {
		return nil, refuse(fn, "the format has %d characters, the limit is 256", len(f))
	}
	var out []token
	for i := 0; i < len(f); {
		c := f[i]
		lim, ok := longest[c]
		if !ok {
			if !strings.ContainsRune(" /-:,._[]", rune(c)) {
				return nil, misused(fn, "%q is neither a format specifier nor a delimiter", c)
			}
			out = append(out, token{c, 0})
			i++
			continue
		}
		n := 1
		for n < lim && i+n < len(f) && f[i+n] == c {
			n++
		}
		if c == 'y' && n == 3 {
			n = 2
		}
		if c == 't' && n == 1 {
			return nil, misused(fn, "the specifier t is not known; use tt")
		}
		out = append(out, token{c, n})
		i += n
	}
	return out, nil
}

func appendPadded(b []byte, v int64, width int) []byte {
	s := strconv.FormatInt(v, 10)
	for k := len(s); k < width; k++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

// appendFraction writes n digits of a second's fraction; F drops trailing zeros.
func appendFraction(b []byte, ticks int64, n int, drop bool) []byte {
	s := strconv.FormatInt(ticks+value.TicksPerSecond, 10)[1:][:n]
	if drop {
		s = strings.TrimRight(s, "0")
	}
	return append(b, s...)
}

func appendDatetimeFormat(b []byte, x int64, toks []token) []byte {
	y, m, d := value.DateOf(x)
	h := x / value.TicksPerHour % 24
	for _, t := range toks {
		switch {
		case t.n == 0:
			b = append(b, t.c)
		case t.c == 'y' && t.n == 4:
			b = appendPadded(b, int64(y), 4)
		case t.c == 'y':
			b = appendPadded(b, int64(y%100), t.n)
		case t.c == 'M':
			b = appendPadded(b, int64(m), t.n)
		case t.c == 'd':
			b = appendPadded(b, int64(d), t.n)
		case t.c == 'H':
			b = appendPadded(b, h, t.n)
		case t.c == 'h':
			h12 := h % 12
			if h12 == 0 {
				h12 = 12
			}
			b = appendPadded(b, h12, t.n)
		case t.c == 't':
			if h < 12 {
				b = append(b, "AM"...)
			} else {
				b = append(b, "PM"...)
			}
		default:
			b = appendClockPart(b, x, t)
		}
	}
	return b
}

func appendClockPart(b []byte, x int64, t token) []byte {
	switch t.c {
	case 'm':
		return appendPadded(b, x/value.TicksPerMinute%60, t.n)
	case 's':
		return appendPadded(b, x/value.TicksPerSecond%60, t.n)
	}
	return appendFraction(b, x%value.TicksPerSecond, t.n, t.c == 'F')
}

func appendTimespanFormat(b []byte, x int64, toks []token) []byte {
	if x < 0 {
		b = append(b, '-')
		x = -x
		if x < 0 { // the smallest timespan has no positive twin
			x--
		}
	}
	for _, t := range toks {
		switch {
		case t.n == 0:
			b = append(b, t.c)
		case t.c == 'd':
			b = appendPadded(b, x/value.TicksPerDay, t.n)
		case t.c == 'h' || t.c == 'H':
			b = appendPadded(b, x/value.TicksPerHour%24, t.n)
		default:
			b = appendClockPart(b, x, t)
		}
	}
	return b
}

// formatBytes is format_bytes(size[, precision[, units]]).
func formatBytes(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	size := reals(args[0])
	precision := 0
	if len(args) > 1 {
		if p := longs(args[1]); !p.isNull(0) {
			precision = int(max(0, min(p.at(0), 15)))
		}
	}
	units := [...]string{"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"}
	fixed := -1
	if len(args) > 2 {
		want := argString(args, 2, "")
		for k, u := range units {
			if strings.EqualFold(u, want) {
				fixed = k
			}
		}
		if fixed < 0 {
			return nil, misused("format_bytes", "unknown unit %q; the units are Bytes, KB, MB, GB, TB, PB, EB", want)
		}
	}
	out := value.New(value.String, n)
	for i := range out.S {
		if size.isNull(i) {
			continue
		}
		f, k := size.at(i), 0
		for (fixed < 0 && (f >= 1024 || f <= -1024) && k < len(units)-1) || k < fixed {
			f /= 1024
			k++
		}
		s := strconv.FormatFloat(f, 'f', precision, 64)
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		out.S[i] = s + " " + units[k]
	}
	return out, nil
}
