package value

import (
	"math"
	"strconv"
	"strings"
)

// FormatTimespan writes [-][d.]hh:mm:ss[.fffffff], as tostring and result cells do.
func FormatTimespan(ticks int64) string {
	var b [32]byte
	return string(AppendTimespan(b[:0], ticks))
}

// AppendTimespan appends what [FormatTimespan] writes.
func AppendTimespan(b []byte, ticks int64) []byte {
	u := uint64(ticks)
	if ticks < 0 {
		b = append(b, '-')
		u = -u
	}
	day := uint64(TicksPerDay)
	if d := u / day; d > 0 {
		b = strconv.AppendUint(b, d, 10)
		b = append(b, '.')
	}
	r := int64(u % day)
	b = appendPad(b, r/TicksPerHour, 2)
	b = append(b, ':')
	b = appendPad(b, r/TicksPerMinute%60, 2)
	b = append(b, ':')
	b = appendPad(b, r/TicksPerSecond%60, 2)
	if f := r % TicksPerSecond; f != 0 {
		b = append(b, '.')
		b = appendPad(b, f, 7)
	}
	return b
}

// TimespanUnit maps the unit of a timespan literal (d, day, h, hour, m, min, s, sec, ms, milli,
// micro, us, tick and their longer forms; case ignored) to its length in ticks, which is a fraction for
// nanoseconds.
func TimespanUnit(unit string) (ticks float64, ok bool) {
	switch strings.ToLower(unit) {
	case "d", "day", "days":
		return float64(TicksPerDay), true
	case "h", "hr", "hrs", "hour", "hours":
		return float64(TicksPerHour), true
	case "m", "min", "minute", "minutes":
		return float64(TicksPerMinute), true
	case "s", "sec", "second", "seconds":
		return float64(TicksPerSecond), true
	case "ms", "milli", "millis", "millisec", "millisecond", "milliseconds":
		return float64(TicksPerMillisecond), true
	case "us", "micro", "micros", "microsec", "microsecond", "microseconds":
		return float64(TicksPerMicrosecond), true
	case "nano", "nanos", "nanosec", "nanosecond", "nanoseconds":
		return 0.01, true
	case "tick", "ticks":
		return 1, true
	}
	return 0, false
}

// ParseTimespan reads the text forms of a timespan that KQL takes: [-][d.]hh:mm[:ss[.fffffff]], a number
// with a unit (1d, 1.5h, 100ms, 10microseconds, 1tick), or a whole number of days; any of them may stand in quotes. False when it is none of
// these, when a part is outside its range, or when it does not fit.
func ParseTimespan(s string) (int64, bool) {
	s = unquoted(s)
	if s == "" || len(s) > 64 {
		return 0, false
	}
	if strings.IndexByte(s, ':') >= 0 {
		return parseClockSpan(s)
	}
	i := len(s)
	for i > 0 && s[i-1]|0x20 >= 'a' && s[i-1]|0x20 <= 'z' {
		i--
	}
	num := strings.TrimSpace(s[:i])
	if i == len(s) {
		d, err := strconv.ParseInt(num, 10, 64)
		if err != nil || d > math.MaxInt64/TicksPerDay || d < math.MinInt64/TicksPerDay {
			return 0, false
		}
		return d * TicksPerDay, true
	}
	unit, ok := TimespanUnit(s[i:])
	if !ok || num == "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(num, 10, 64); err == nil && unit >= 1 {
		if p := n * int64(unit); n == 0 || p/n == int64(unit) {
			return p, true
		}
		return 0, false
	}
	for _, c := range []byte(num) {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil {
		return 0, false
	}
	f = math.Round(f * unit)
	if f >= math.MaxInt64 || f <= math.MinInt64 {
		return 0, false
	}
	return int64(f), true
}

func parseClockSpan(s string) (int64, bool) {
	neg := false
	if s[0] == '-' {
		neg, s = true, s[1:]
	}
	p := dtScan{s: s}
	var days int64
	if dot, colon := strings.IndexByte(s, '.'), strings.IndexByte(s, ':'); dot >= 0 && dot < colon {
		d, _, ok := p.digits(1, 8)
		if !ok || !p.lit('.') {
			return 0, false
		}
		days = int64(d)
	}
	h, _, ok := p.digits(1, 2)
	if !ok || !p.lit(':') {
		return 0, false
	}
	m, _, ok := p.digits(1, 2)
	if !ok || h > 23 || m > 59 {
		return 0, false
	}
	sec, frac := 0, int64(0)
	if p.lit(':') {
		if sec, _, ok = p.digits(1, 2); !ok || sec > 59 {
			return 0, false
		}
		if p.lit('.') {
			unit := TicksPerSecond / 10
			n := 0
			for p.peek() >= '0' && p.peek() <= '9' {
				frac += int64(p.peek()-'0') * unit
				unit /= 10
				p.i++
				n++
			}
			if n == 0 {
				return 0, false
			}
		}
	}
	if !p.end() || days > math.MaxInt64/TicksPerDay-1 {
		return 0, false
	}
	t := days*TicksPerDay + int64(h)*TicksPerHour + int64(m)*TicksPerMinute + int64(sec)*TicksPerSecond + frac
	if neg {
		t = -t
	}
	return t, true
}
