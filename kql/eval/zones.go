package eval

import (
	"picket/kql/value"
	"time"
	_ "time/tzdata" // zones do not depend on the machine
)

func zoneFuncs(t table) {
	t.pure("datetime_utc_to_local", zoned(func(x int64, loc *time.Location) int64 {
		_, off := value.TimeOf(x).In(loc).Zone()
		return x + int64(off)*value.TicksPerSecond
	}))
	t.pure("datetime_local_to_utc", zoned(localToUTC))
	t.raw("datetime_list_timezones", func(_ *Ctx, _ value.Type, n int, _ []*value.Vector) (*value.Vector, error) {
		out := make([]any, len(zoneNames))
		for i, z := range zoneNames {
			out[i] = z
		}
		return value.ConstOf(value.OfDynamic(out), n), nil
	})
}

// localToUTC takes the first of two possible instants; a local time that the clock skips counts with the offset
// that holds after the jump.
func localToUTC(x int64, loc *time.Location) int64 {
	offset := func(utc int64) int64 {
		if utc < value.MinDatetime {
			utc = value.MinDatetime
		}
		if utc > value.MaxDatetime {
			utc = value.MaxDatetime
		}
		_, off := value.TimeOf(utc).In(loc).Zone()
		return int64(off) * value.TicksPerSecond
	}
	before, after := offset(x-value.TicksPerDay), offset(x+value.TicksPerDay)
	if u := x - before; offset(u) == before {
		return u
	}
	return x - after
}

func zoned(f func(int64, *time.Location) int64) Func {
	return func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, z := ints(convert(args[0], value.Datetime)), texts(args[1])
		out := value.New(value.Datetime, n)
		var loc *time.Location
		prev := ""
		for i := range out.I {
			if name := z.at(i); i == 0 || name != prev {
				prev = name
				loc = remember(c, "zone", name, func() *time.Location {
					if name == "" || name == "Local" {
						return nil
					}
					l, err := time.LoadLocation(name)
					if err != nil {
						return nil
					}
					return l
				})
				if loc == nil && args[1].Const {
					return nil, misused("datetime_utc_to_local", "unknown time zone %q; datetime_list_timezones() lists them", name)
				}
			}
			if a.isNull(i) || loc == nil {
				out.SetNull(i)
				continue
			}
			x := f(a.at(i), loc)
			if !value.ValidDatetime(x) {
				out.SetNull(i)
				continue
			}
			out.I[i] = x
		}
		return out, nil
	}
}
