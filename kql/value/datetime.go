package value

import (
	"strings"
	"time"
)

// Ticks are 100 ns. A datetime counts them from 0001-01-01T00:00:00Z, a timespan is a signed number of them.
const (
	TicksPerMicrosecond int64 = 10
	TicksPerMillisecond int64 = 10_000
	TicksPerSecond      int64 = 10_000_000
	TicksPerMinute      int64 = 60 * TicksPerSecond
	TicksPerHour        int64 = 60 * TicksPerMinute
	TicksPerDay         int64 = 24 * TicksPerHour

	// MinDatetime is 0001-01-01T00:00:00Z.
	MinDatetime int64 = 0
	// MaxDatetime is 9999-12-31T23:59:59.9999999Z.
	MaxDatetime int64 = 3_155_378_975_999_999_999
	// UnixEpochTicks is 1970-01-01T00:00:00Z.
	UnixEpochTicks int64 = 621_355_968_000_000_000
)

// ValidDatetime reports whether ticks lie in the range that a datetime can hold.
func ValidDatetime(ticks int64) bool { return ticks >= MinDatetime && ticks <= MaxDatetime }

// TimeOf gives the instant of a datetime in UTC.
func TimeOf(ticks int64) time.Time {
	rel := ticks - UnixEpochTicks
	s := rel / TicksPerSecond
	r := rel % TicksPerSecond
	if r < 0 {
		r += TicksPerSecond
		s--
	}
	return time.Unix(s, r*100).UTC()
}

// TicksOf gives the datetime of an instant, cut to 100 ns; false outside 0001..9999.
func TicksOf(t time.Time) (int64, bool) {
	s := t.Unix()
	if s < -62_135_596_800 || s > 253_402_300_799 {
		return 0, false
	}
	return s*TicksPerSecond + int64(t.Nanosecond())/100 + UnixEpochTicks, true
}

// DaysOf counts the days from 0001-01-01 to a proleptic Gregorian date. Months and days may lie outside
// their usual range as long as the month is 1..12.
func DaysOf(year, month, day int) int64 {
	y := int64(year)
	if month <= 2 {
		y--
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	m := int64(month)
	if m > 2 {
		m -= 3
	} else {
		m += 9
	}
	doy := (153*m+2)/5 + int64(day) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 306
}

// DateOf splits a datetime into year, month and day.
func DateOf(ticks int64) (year, month, day int) {
	z := ticks/TicksPerDay + 306
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	y := yoe + era*400
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := doy - (153*mp+2)/5 + 1
	m := mp + 3
	if mp >= 10 {
		m = mp - 9
		y++
	}
	return int(y), int(m), int(d)
}

// DaysInMonth is the number of days of a month.
func DaysInMonth(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// DatetimeFrom builds a datetime from its parts; false when a part is outside its range.
// frac is the part of a second in ticks.
func DatetimeFrom(year, month, day, hour, minute, second int, frac int64) (int64, bool) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > DaysInMonth(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 ||
		frac < 0 || frac >= TicksPerSecond {
		return 0, false
	}
	return DaysOf(year, month, day)*TicksPerDay + int64(hour)*TicksPerHour + int64(minute)*TicksPerMinute +
		int64(second)*TicksPerSecond + frac, true
}

// FormatDatetime writes ISO 8601 with seven digits and Z, as tostring and result cells do:
// 2020-01-02T03:04:05.6000000Z.
func FormatDatetime(ticks int64) string {
	var b [28]byte
	return string(AppendDatetime(b[:0], ticks))
}

// AppendDatetime appends what [FormatDatetime] writes.
func AppendDatetime(b []byte, ticks int64) []byte {
	y, m, d := DateOf(ticks)
	r := ticks % TicksPerDay
	sec := int(r / TicksPerSecond)
	frac := int(r % TicksPerSecond)
	two := func(n int) (byte, byte) { return byte('0' + n/10), byte('0' + n%10) }
	t := [28]byte{4: '-', 7: '-', 10: 'T', 13: ':', 16: ':', 19: '.', 27: 'Z'}
	t[0], t[1] = two(y / 100)
	t[2], t[3] = two(y % 100)
	t[5], t[6] = two(m)
	t[8], t[9] = two(d)
	t[11], t[12] = two(sec / 3600)
	t[14], t[15] = two(sec / 60 % 60)
	t[17], t[18] = two(sec % 60)
	for i := 26; i >= 20; i-- {
		t[i] = byte('0' + frac%10)
		frac /= 10
	}
	return append(b, t[:]...)
}

func appendPad(b []byte, v int64, width int) []byte {
	var t [20]byte
	i := len(t)
	for v > 0 || width > 0 {
		i--
		t[i] = byte('0' + v%10)
		v /= 10
		width--
	}
	return append(b, t[i:]...)
}

// ParseDatetime reads the text forms of a datetime that KQL takes, in literals and in todatetime():
// ISO 8601 (date, date and time, T or blank, fractions, Z or an offset, year alone, year-month),
// RFC 822 and 850 (Sat, 8 Nov 14 15:05:02 GMT; Saturday, 08-Nov-14 15:05), month names, month/day/year
// with an optional AM or PM, and year, month, day with commas; blanks may stand around the marks between
// them, and quotes around the whole. Fractions are cut to 100 ns. False when it is none of these
// or outside 0001..9999.
func ParseDatetime(s string) (int64, bool) {
	s = unquoted(s)
	if s == "" || len(s) > 64 {
		return 0, false
	}
	p := dtScan{s: s}
	if t, ok := p.iso(); ok {
		return t, true
	}
	p = dtScan{s: s}
	return p.loose()
}

// unquoted takes blanks and one pair of quotes off.
func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if n := len(s); n > 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] {
		s = strings.TrimSpace(s[1 : n-1])
	}
	return s
}

type dtScan struct {
	s string
	i int
}

func (p *dtScan) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

func (p *dtScan) end() bool { return p.i >= len(p.s) }

// digits reads between lo and hi digits.
func (p *dtScan) digits(lo, hi int) (v, n int, ok bool) {
	for n < hi && p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		v = v*10 + int(p.s[p.i]-'0')
		p.i++
		n++
	}
	return v, n, n >= lo
}

func (p *dtScan) lit(c byte) bool {
	if p.peek() == c {
		p.i++
		return true
	}
	return false
}

func (p *dtScan) blanks() int {
	n := 0
	for p.peek() == ' ' || p.peek() == '\t' {
		p.i++
		n++
	}
	return n
}

// clock reads h:m[:s[.f]] [AM|PM].
func (p *dtScan) clock() (ticks int64, ok bool) {
	h, _, ok := p.digits(1, 2)
	if !ok || !p.lit(':') {
		return 0, false
	}
	m, _, ok := p.digits(1, 2)
	if !ok {
		return 0, false
	}
	sec := 0
	var frac int64
	if p.lit(':') {
		if sec, _, ok = p.digits(1, 2); !ok {
			return 0, false
		}
		if p.peek() == '.' || p.peek() == ',' {
			p.i++
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
	save := p.i
	p.blanks()
	switch w := strings.ToLower(p.word()); w {
	case "am", "pm", "a", "p":
		if h < 1 || h > 12 {
			return 0, false
		}
		h %= 12
		if w[0] == 'p' {
			h += 12
		}
	default:
		p.i = save
	}
	if h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	return int64(h)*TicksPerHour + int64(m)*TicksPerMinute + int64(sec)*TicksPerSecond + frac, true
}

func (p *dtScan) word() string {
	a := p.i
	for c := p.peek() | 0x20; c >= 'a' && c <= 'z'; c = p.peek() | 0x20 {
		p.i++
	}
	return p.s[a:p.i]
}

// zone reads Z, GMT, UTC or ±hh[[:]mm] up to the end and gives the offset in ticks.
func (p *dtScan) zone() (off int64, ok bool) {
	p.blanks()
	if p.end() {
		return 0, true
	}
	if c := p.peek(); c == '+' || c == '-' {
		p.i++
		h, n, ok := p.digits(1, 4)
		if !ok {
			return 0, false
		}
		m := 0
		if n > 2 {
			h, m = h/100, h%100
		} else if p.lit(':') {
			if m, _, ok = p.digits(2, 2); !ok {
				return 0, false
			}
		}
		if h > 14 || m > 59 || !p.end() {
			return 0, false
		}
		off = int64(h)*TicksPerHour + int64(m)*TicksPerMinute
		if c == '-' {
			off = -off
		}
		return off, true
	}
	switch strings.ToLower(p.word()) {
	case "z", "gmt", "utc":
		if p.end() {
			return 0, true
		}
		return p.zone()
	}
	return 0, false
}

func finishDatetime(y, m, d int, clock, off int64) (int64, bool) {
	t, ok := DatetimeFrom(y, m, d, 0, 0, 0, 0)
	if !ok {
		return 0, false
	}
	t += clock - off
	return t, ValidDatetime(t)
}

func (p *dtScan) iso() (int64, bool) {
	y, _, ok := p.digits(4, 4)
	if !ok {
		return 0, false
	}
	if p.end() {
		return finishDatetime(y, 1, 1, 0, 0)
	}
	p.blanks()
	sep := p.peek()
	if sep != '-' && sep != '/' && sep != '.' && sep != ',' {
		return 0, false
	}
	p.i++
	p.blanks()
	m, _, ok := p.digits(1, 2)
	if !ok {
		return 0, false
	}
	if p.end() && sep != ',' {
		return finishDatetime(y, m, 1, 0, 0)
	}
	p.blanks()
	if !p.lit(sep) {
		return 0, false
	}
	p.blanks()
	d, _, ok := p.digits(1, 2)
	if !ok {
		return 0, false
	}
	return p.timeAndZone(y, m, d)
}

// timeAndZone reads an optional clock and zone after a date.
func (p *dtScan) timeAndZone(y, m, d int) (int64, bool) {
	if p.end() {
		return finishDatetime(y, m, d, 0, 0)
	}
	var clock int64
	if c := p.peek(); c == 'T' || c == 't' || c == ' ' || c == ',' || c == '\t' {
		p.i++
		p.blanks()
		if c := p.peek(); c >= '0' && c <= '9' {
			var ok bool
			if clock, ok = p.clock(); !ok {
				return 0, false
			}
		}
	}
	off, ok := p.zone()
	if !ok {
		return 0, false
	}
	return finishDatetime(y, m, d, clock, off)
}

var monthNames = [...]string{
	"january", "february", "march", "april", "may", "june", "july", "august",
	"september", "october", "november", "december",
}
var dayNames = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

func nameIndex(names []string, w string) int {
	w = strings.ToLower(w)
	if len(w) < 3 {
		return -1
	}
	for i, n := range names {
		if w == n || w == n[:3] {
			return i
		}
	}
	return -1
}

// loose reads the forms with names and slashes.
func (p *dtScan) loose() (int64, bool) {
	if w := p.word(); w != "" { // weekday or month name first
		if nameIndex(dayNames[:], w) >= 0 {
			p.lit('.')
			p.lit(',')
			p.blanks()
			if w = p.word(); w == "" {
				return p.dayFirst()
			}
		}
		m := nameIndex(monthNames[:], w) + 1
		if m == 0 {
			return 0, false
		}
		p.lit('.')
		p.blanks()
		d, n, ok := p.digits(1, 4)
		if !ok {
			return 0, false
		}
		if n == 4 { // November 2014
			return p.timeAndZone(d, m, 1)
		}
		p.lit(',')
		p.blanks()
		y, ok := p.year()
		if !ok {
			return 0, false
		}
		return p.timeAndZone(y, m, d)
	}
	return p.dayFirst()
}

func (p *dtScan) year() (int, bool) {
	y, n, ok := p.digits(2, 4)
	if !ok || n == 3 {
		return 0, false
	}
	if n == 2 { // the window of two-digit years ends at 2049
		if y < 50 {
			y += 2000
		} else {
			y += 1900
		}
	}
	return y, true
}

// dayFirst reads 8 Nov 14, 08-Nov-14, 02/17/2016 and 02-17-2016.
func (p *dtScan) dayFirst() (int64, bool) {
	a, _, ok := p.digits(1, 2)
	if !ok {
		return 0, false
	}
	if sep := p.peek(); sep == '/' {
		p.i++
		d, _, ok := p.digits(1, 2)
		if !ok || !p.lit(sep) {
			return 0, false
		}
		y, ok := p.year()
		if !ok {
			return 0, false
		}
		return p.timeAndZone(y, a, d)
	}
	sep := p.peek()
	if sep != ' ' && sep != '-' {
		return 0, false
	}
	p.i++
	if sep == ' ' {
		p.blanks()
	} else if c := p.peek(); c >= '0' && c <= '9' {
		d, _, _ := p.digits(1, 2)
		if !p.lit('-') {
			return 0, false
		}
		y, n, ok := p.digits(4, 4)
		if !ok || n != 4 {
			return 0, false
		}
		return p.timeAndZone(y, a, d)
	}
	m := nameIndex(monthNames[:], p.word()) + 1
	if m == 0 {
		return 0, false
	}
	p.lit('.')
	if p.peek() == ',' {
		p.i++
	}
	if sep == '-' {
		if !p.lit('-') {
			return 0, false
		}
	} else if p.blanks() == 0 {
		return 0, false
	}
	y, ok := p.year()
	if !ok {
		return 0, false
	}
	return p.timeAndZone(y, m, a)
}
