package playbook

import (
	"picket/playbook/definition"
	"picket/playbook/expr"
	"sort"
	"time"
)

// recurrenceZone is the zone that a schedule's hours and its start time are in.
func recurrenceZone(rc *definition.Recurrence) *time.Location {
	if rc.TimeZone != "" {
		if l, err := expr.Zone(rc.TimeZone); err == nil {
			return l
		}
	}
	return time.UTC
}

// recurrenceStart is the start time, zero when none is given. A start with Z or an offset is that instant; one
// without is in the recurrence's zone.
func recurrenceStart(rc *definition.Recurrence) time.Time {
	if rc.StartTime == "" {
		return time.Time{}
	}
	for _, f := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(f, rc.StartTime); err == nil {
			return t
		}
	}
	s, err := expr.CallBuiltin("formatDateTime", rc.StartTime, "yyyy-MM-ddTHH:mm:ss")
	if err != nil {
		return time.Time{}
	}
	t, err := time.ParseInLocation("2006-01-02T15:04:05", s.(string), recurrenceZone(rc))
	if err != nil {
		return time.Time{}
	}
	return t
}

func scheduled(rc *definition.Recurrence) bool {
	return len(rc.Hours) > 0 || len(rc.Minutes) > 0 || len(rc.WeekDays) > 0 || len(rc.MonthDays) > 0
}

// NextRecurrence is the first time after 'after' that a recurrence fires. base anchors a recurrence that has no start
// time: when it was switched on. Hours and minutes are wall-clock times of the recurrence's zone: a time that the
// clock skips fires when the clock has gone on, one that it repeats fires once. Zero: never again.
func NextRecurrence(rc *definition.Recurrence, base, after time.Time) time.Time {
	start := recurrenceStart(rc)
	zone := recurrenceZone(rc)
	anchor := start
	if anchor.IsZero() {
		anchor = base
	}
	if after.Before(anchor) {
		after = anchor.Add(-time.Nanosecond)
	}
	anchor = anchor.In(zone)
	switch rc.Frequency {
	case "Second", "Minute", "Hour":
		unit := map[string]time.Duration{"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}[rc.Frequency]
		step := unit * time.Duration(rc.Interval)
		n := after.Sub(anchor)/step + 1
		if after.Before(anchor) {
			n = 0
		}
		return anchor.Add(step * n).UTC()
	}
	// Days and longer: candidates of each period, in the zone's wall clock.
	hours, minutes := rc.Hours, rc.Minutes
	if len(hours) == 0 {
		hours = []int{anchor.Hour()}
	}
	if len(minutes) == 0 {
		minutes = []int{anchor.Minute()}
		if len(rc.Hours) > 0 && start.IsZero() {
			minutes = []int{0}
		}
	}
	second := anchor.Second()
	if len(rc.Hours) > 0 || len(rc.Minutes) > 0 {
		second = 0
	}
	times := func(y int, m time.Month, d int) []time.Time {
		var out []time.Time
		for _, h := range hours {
			for _, mi := range minutes {
				out = append(out, time.Date(y, m, d, h, mi, second, 0, zone))
			}
		}
		sort.Slice(out, func(i, j int) bool { return out[i].Before(out[j]) })
		return out
	}
	first := func(ts []time.Time) time.Time {
		for _, t := range ts {
			if t.After(after) && !t.Before(anchor.Truncate(time.Second)) {
				return t.UTC()
			}
		}
		return time.Time{}
	}
	local := after.In(zone)
	y0, m0, d0 := anchor.Date()
	switch rc.Frequency {
	case "Day":
		k := daysBetween(anchor, local) / rc.Interval
		for k = max(k-1, 0); ; k++ {
			if t := first(times(y0, m0, d0+k*rc.Interval)); !t.IsZero() {
				return t
			}
		}
	case "Week":
		days := rc.WeekDays
		if len(days) == 0 {
			days = []time.Weekday{anchor.Weekday()}
		}
		sunday := d0 - int(anchor.Weekday()) // weeks begin on Sunday
		k := daysBetween(anchor, local) / 7 / rc.Interval
		for k = max(k-1, 0); ; k++ {
			var all []time.Time
			for _, w := range days {
				all = append(all, times(y0, m0, sunday+7*k*rc.Interval+int(w))...)
			}
			sort.Slice(all, func(i, j int) bool { return all[i].Before(all[j]) })
			if t := first(all); !t.IsZero() {
				return t
			}
		}
	case "Month", "Year":
		step := rc.Interval
		if rc.Frequency == "Year" {
			step *= 12
		}
		k := (local.Year()-y0)*12 + int(local.Month()-m0)
		for k = max(k/step-1, 0); k < 12*10000; k++ {
			mon := time.Date(y0, m0+time.Month(k*step), 1, 0, 0, 0, 0, time.UTC)
			last := mon.AddDate(0, 1, -1).Day()
			days := rc.MonthDays
			if len(days) == 0 {
				days = []int{min(d0, last)}
			}
			var all []time.Time
			for _, d := range days {
				if d < 0 {
					d = last + 1 + d
				}
				if d >= 1 && d <= last {
					all = append(all, times(mon.Year(), mon.Month(), d)...)
				}
			}
			sort.Slice(all, func(i, j int) bool { return all[i].Before(all[j]) })
			if t := first(all); !t.IsZero() {
				return t
			}
		}
	}
	return time.Time{}
}

func daysBetween(a, b time.Time) int {
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	return int(time.Date(by, bm, bd, 0, 0, 0, 0, time.UTC).Sub(time.Date(ay, am, ad, 0, 0, 0, 0, time.UTC)).Hours() / 24)
}
