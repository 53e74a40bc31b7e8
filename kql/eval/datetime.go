package eval

import (
	"math"
	"picket/kql/value"
	"strings"
)

func datetimeFuncs(t table) {
	t.pure("make_datetime", makeDatetime)
	t.pure("datetime_add", datetimeAdd)
	t.pure("datetime_diff", datetimeDiff)
	t.pure("datetime_part", datetimePart)
	t.pure("datepart", datetimePart)
	part := func(f func(ticks int64) int64, names ...string) {
		for _, n := range names {
			t.pure(n, timePart(value.Int, f))
		}
	}
	part(func(x int64) int64 { _, _, d := value.DateOf(x); return int64(d) }, "dayofmonth")
	part(dayOfYear, "dayofyear")
	part(func(x int64) int64 { return x / value.TicksPerHour % 24 }, "hourofday")
	part(weekOfYear, "weekofyear", "week_of_year")
	part(func(x int64) int64 { _, m, _ := value.DateOf(x); return int64(m) }, "monthofyear", "getmonth")
	part(func(x int64) int64 { y, _, _ := value.DateOf(x); return int64(y) }, "getyear")
	t.pure("dayofweek", dayOfWeek)
	for unit, name := range [...]string{"day", "week", "month", "year"} {
		t.pure("startof"+name, edge(unit, false))
		t.pure("endof"+name, edge(unit, true))
	}
	t.pure("unixtime_seconds_todatetime", unixTime(float64(value.TicksPerSecond)))
	t.pure("unixtime_milliseconds_todatetime", unixTime(float64(value.TicksPerMillisecond)))
	t.pure("unixtime_microseconds_todatetime", unixTime(float64(value.TicksPerMicrosecond)))
	t.pure("unixtime_nanoseconds_todatetime", unixTime(0.01))
	t.raw("now", func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		now := value.ConstOf(value.Of(value.Datetime, c.Now), n)
		if len(args) == 0 {
			return now, nil
		}
		return shiftNow(n, now, args[0], opAdd)
	})
	t.raw("ago", func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return shiftNow(n, value.ConstOf(value.Of(value.Datetime, c.Now), n), args[0], opSub)
	})
}

func shiftNow(n int, now, by *value.Vector, op arithOp) (*value.Vector, error) {
	f := foldConst(func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return arithTimes(op, value.Datetime, n, args[0], args[1])
	})
	return f(nil, value.Datetime, n, []*value.Vector{now, convert(by, value.Timespan)})
}

func timePart(t value.Type, f func(int64) int64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := ints(convert(args[0], value.Datetime))
		out := value.New(t, n)
		for i := range out.I {
			if a.isNull(i) {
				out.SetNull(i)
				continue
			}
			out.I[i] = f(a.at(i))
		}
		return out, nil
	}
}

func dayOfYear(x int64) int64 {
	y, _, _ := value.DateOf(x)
	return x/value.TicksPerDay - value.DaysOf(y, 1, 1) + 1
}

// weekOfYear is the ISO 8601 week.
func weekOfYear(x int64) int64 {
	day := x / value.TicksPerDay // day 0 is a Monday
	thursday := day - day%7 + 3
	if thursday*value.TicksPerDay > value.MaxDatetime {
		return 1
	}
	y, _, _ := value.DateOf(thursday * value.TicksPerDay)
	return (thursday-value.DaysOf(y, 1, 1))/7 + 1
}

// dayOfWeek is the time since the preceding Sunday in whole days; null in the last week of the calendar,
// which has no end.
func dayOfWeek(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := ints(convert(args[0], value.Datetime))
	out := value.New(value.Timespan, n)
	for i := range out.I {
		day := a.at(i) / value.TicksPerDay
		dow := (day + 1) % 7
		if a.isNull(i) || (day-dow+7)*value.TicksPerDay-1 > value.MaxDatetime {
			out.SetNull(i)
			continue
		}
		out.I[i] = dow * value.TicksPerDay
	}
	return out, nil
}

const (
	unitDay = iota
	unitWeek
	unitMonth
	unitYear
)

// periodStart gives the ticks at which the period that holds x starts, moved by off periods. The result may lie
// outside the range of datetimes.
func periodStart(unit int, x, off int64) (int64, bool) {
	if off < -4_000_000 || off > 4_000_000 {
		return 0, false
	}
	day := x / value.TicksPerDay
	switch unit {
	case unitDay:
		return (day + off) * value.TicksPerDay, true
	case unitWeek:
		return (day - (day+1)%7 + 7*off) * value.TicksPerDay, true
	}
	y, m, _ := value.DateOf(x)
	months := int64(y)*12 + int64(m-1) + off
	if unit == unitYear {
		months = (int64(y) + off) * 12
	}
	if months < 0 || months > 10001*12 {
		return 0, false
	}
	return value.DaysOf(int(months/12), int(months%12)+1, 1) * value.TicksPerDay, true
}

// edge is startof*(date[, offset]) and endof*().
func edge(unit int, end bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := ints(convert(args[0], value.Datetime))
		var off col[int64]
		if len(args) > 1 {
			off = longs(args[1])
		}
		out := value.New(value.Datetime, n)
		for i := range out.I {
			k := int64(0)
			if len(args) > 1 {
				if off.isNull(i) {
					out.SetNull(i)
					continue
				}
				k = off.at(i)
			}
			if end {
				k++
			}
			s, ok := periodStart(unit, a.at(i), k)
			if end {
				s--
			}
			if a.isNull(i) || !ok || !value.ValidDatetime(s) {
				out.SetNull(i)
				continue
			}
			out.I[i] = s
		}
		return out, nil
	}
}

func makeDatetime(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	if len(args) == 1 {
		return convert(args[0], value.Datetime), nil
	}
	part := make([]col[int64], 5)
	for k := range part {
		if k < len(args) {
			part[k] = longs(args[k])
		}
	}
	var sec col[float64]
	if len(args) > 5 {
		sec = reals(args[5])
	}
	out := value.New(value.Datetime, n)
rows:
	for i := range out.I {
		var p [5]int
		for k := range part {
			if k >= len(args) {
				break
			}
			x := part[k].at(i)
			if part[k].isNull(i) || x < 0 || x > 9999 {
				out.SetNull(i)
				continue rows
			}
			p[k] = int(x)
		}
		s := 0.0
		if len(args) > 5 {
			if s = sec.at(i); sec.isNull(i) || !(s >= 0 && s < 60) {
				out.SetNull(i)
				continue
			}
		}
		ticks := int64(math.Round(s * float64(value.TicksPerSecond)))
		x, ok := value.DatetimeFrom(p[0], p[1], p[2], p[3], p[4], 0, 0)
		if !ok {
			out.SetNull(i)
			continue
		}
		out.I[i] = x + ticks
	}
	return out, nil
}

// makeTimespan is make_timespan([days,] hours, minutes[, seconds]); a part outside its clock range gives null.
func makeTimespan(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	if len(args) == 1 {
		return convert(args[0], value.Timespan), nil
	}
	cs := make([]col[float64], len(args))
	for k, a := range args {
		cs[k] = reals(a)
	}
	out := value.New(value.Timespan, n)
rows:
	for i := range out.I {
		var p [4]float64 // days, hours, minutes, seconds
		at := 1
		if len(args) == 4 {
			at = 0
		}
		for k := range cs {
			if cs[k].isNull(i) {
				out.SetNull(i)
				continue rows
			}
			p[at+k] = cs[k].at(i)
		}
		for k := 0; k < 3; k++ {
			p[k] = math.Trunc(p[k])
		}
		if !(p[0] >= 0 && p[0] < 10_675_199 && p[1] >= 0 && p[1] < 24 && p[2] >= 0 && p[2] < 60 && p[3] >= 0 && p[3] < 60) {
			out.SetNull(i)
			continue
		}
		out.I[i] = int64(p[0])*value.TicksPerDay + int64(p[1])*value.TicksPerHour + int64(p[2])*value.TicksPerMinute +
			int64(math.Round(p[3]*float64(value.TicksPerSecond)))
	}
	return out, nil
}

func unixTime(ticks float64) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		out := value.New(value.Datetime, n)
		put := func(i int, x int64, ok bool) {
			if !ok || !value.ValidDatetime(x+value.UnixEpochTicks) {
				out.SetNull(i)
				return
			}
			out.I[i] = x + value.UnixEpochTicks
		}
		switch args[0].Type {
		case value.Int, value.Long:
			a := ints(args[0])
			for i := range out.I {
				x := a.at(i)
				if ticks < 1 {
					x /= 100
				} else {
					if lim := value.MaxDatetime / int64(ticks); x > lim || x < -lim {
						out.SetNull(i)
						continue
					}
					x *= int64(ticks)
				}
				put(i, x, !a.isNull(i))
			}
		default:
			a := reals(args[0])
			for i := range out.I {
				f := math.Round(a.at(i) * ticks)
				put(i, int64(f), !a.isNull(i) && math.Abs(f) < float64(value.MaxDatetime))
			}
		}
		return out, nil
	}
}

// datetimeAdd is datetime_add(part, amount, datetime); months keep the day or take the month's last one.
func datetimeAdd(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	part := strings.ToLower(argString(args, 0, ""))
	amount, a := longs(args[1]), ints(convert(args[2], value.Datetime))
	months, ticks := int64(0), 0.0
	switch part {
	case "year":
		months = 12
	case "quarter":
		months = 3
	case "month":
		months = 1
	default:
		var ok bool
		if ticks, ok = partTicks(part); !ok {
			return nil, misused("datetime_add", "unknown part %q", part)
		}
	}
	out := value.New(value.Datetime, n)
	for i := range out.I {
		if a.isNull(i) || amount.isNull(i) {
			out.SetNull(i)
			continue
		}
		x, k := a.at(i), amount.at(i)
		ok := true
		switch {
		case months > 0:
			x, ok = addMonths(x, k, months)
		case ticks < 1:
			x += k / 100
		default:
			if lim := value.MaxDatetime / int64(ticks); k > lim || k < -lim {
				ok = false
			}
			x += k * int64(ticks)
		}
		if !ok || !value.ValidDatetime(x) {
			out.SetNull(i)
			continue
		}
		out.I[i] = x
	}
	return out, nil
}

func addMonths(x, k, each int64) (int64, bool) {
	if k > 120_000 || k < -120_000 {
		return 0, false
	}
	y, m, d := value.DateOf(x)
	months := int64(y)*12 + int64(m-1) + k*each
	if months < 12 || months >= 10_000*12 {
		return 0, false
	}
	ny, nm := int(months/12), int(months%12)+1
	d = min(d, value.DaysInMonth(ny, nm))
	return value.DaysOf(ny, nm, d)*value.TicksPerDay + x%value.TicksPerDay, true
}

// partTicks gives the length of a date part that has a fixed one.
func partTicks(part string) (float64, bool) {
	switch part {
	case "week":
		return float64(7 * value.TicksPerDay), true
	case "day":
		return float64(value.TicksPerDay), true
	case "hour":
		return float64(value.TicksPerHour), true
	case "minute":
		return float64(value.TicksPerMinute), true
	case "second":
		return float64(value.TicksPerSecond), true
	case "millisecond":
		return float64(value.TicksPerMillisecond), true
	case "microsecond":
		return float64(value.TicksPerMicrosecond), true
	case "nanosecond":
		return 0.01, true
	}
	return 0, false
}

// datetimeDiff counts the boundaries of a part between two datetimes.
func datetimeDiff(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	part := strings.ToLower(argString(args, 0, ""))
	var index func(int64) int64
	switch part {
	case "year":
		index = func(x int64) int64 { y, _, _ := value.DateOf(x); return int64(y) }
	case "quarter":
		index = func(x int64) int64 { y, m, _ := value.DateOf(x); return int64(y*4 + (m-1)/3) }
	case "month":
		index = func(x int64) int64 { y, m, _ := value.DateOf(x); return int64(y*12 + m) }
	case "week":
		index = func(x int64) int64 { return (x/value.TicksPerDay + 1) / 7 }
	case "nanosecond":
		index = func(x int64) int64 { return x }
	default:
		u, ok := partTicks(part)
		if !ok {
			return nil, misused("datetime_diff", "unknown part %q", part)
		}
		index = func(x int64) int64 { return x / int64(u) }
	}
	a, b := ints(convert(args[1], value.Datetime)), ints(convert(args[2], value.Datetime))
	out := value.New(value.Long, n)
	for i := range out.I {
		if a.isNull(i) || b.isNull(i) {
			out.SetNull(i)
			continue
		}
		out.I[i] = index(a.at(i)) - index(b.at(i))
		if part == "nanosecond" {
			out.I[i] *= 100
		}
	}
	return out, nil
}

func datetimePart(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	part := strings.ToLower(argString(args, 0, ""))
	var f func(int64) int64
	switch part {
	case "year":
		f = func(x int64) int64 { y, _, _ := value.DateOf(x); return int64(y) }
	case "quarter":
		f = func(x int64) int64 { _, m, _ := value.DateOf(x); return int64((m-1)/3 + 1) }
	case "month":
		f = func(x int64) int64 { _, m, _ := value.DateOf(x); return int64(m) }
	case "week_of_year", "weekofyear":
		f = weekOfYear
	case "day":
		f = func(x int64) int64 { _, _, d := value.DateOf(x); return int64(d) }
	case "dayofyear":
		f = dayOfYear
	case "hour":
		f = func(x int64) int64 { return x / value.TicksPerHour % 24 }
	case "minute":
		f = func(x int64) int64 { return x / value.TicksPerMinute % 60 }
	case "second":
		f = func(x int64) int64 { return x / value.TicksPerSecond % 60 }
	case "millisecond":
		f = func(x int64) int64 { return x % value.TicksPerSecond / value.TicksPerMillisecond }
	case "microsecond":
		f = func(x int64) int64 { return x % value.TicksPerSecond / value.TicksPerMicrosecond }
	case "nanosecond":
		f = func(x int64) int64 { return x % value.TicksPerSecond * 100 }
	default:
		return nil, misused("datetime_part", "unknown part %q", part)
	}
	return timePart(value.Int, f)(c, value.Int, n, args[1:])
}
