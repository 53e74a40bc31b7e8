package expr

import (
	"fmt"
	"math"
	"strings"
	"time"
)

func optionalText(args []any, i int) string {
	if i < len(args) && args[i] != nil {
		return Text(args[i])
	}
	return ""
}

func dateArg(name string, args []any, i int) (netDate, error) {
	s, ok := args[i].(string)
	if !ok {
		return netDate{}, errf("The template language function '%s' expects its %s parameter to be a string that contains the time. The provided value is of type '%s'. %s", name, ordinals[min(i, 3)], TypeName(args[i]), usage(name))
	}
	d, ok := parseDate(s, enUS())
	if !ok {
		return netDate{}, badDate(name, s)
	}
	return d, nil
}

func badDate(name, s string) error {
	return errf("In function '%s', the value provided for date time string '%s' was not valid. The datetime string must match ISO 8601 format.", name, clip(s, 200))
}

func enUS() *culture {
	c, _ := findCulture("")
	return c
}

func (e *evaluator) now() netDate {
	return netDate{t: e.env.Now().UTC().Truncate(100 * time.Nanosecond), kind: kindUTC}
}

func utcNow(e *evaluator, name string, args []any) (any, error) {
	return formatDate(name, e.now(), optionalText(args, 0), enUS())
}

func formatDateTime(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	c, err := cultureArg(name, args, 2)
	if err != nil {
		return nil, err
	}
	return formatDate(name, d, optionalText(args, 1), c)
}

func parseDateTime(_ *evaluator, name string, args []any) (any, error) {
	s, err := needString(name, args, 0)
	if err != nil {
		return nil, err
	}
	c, err := cultureArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	var d netDate
	var ok bool
	if f := optionalText(args, 2); f != "" {
		d, ok = parseExact(s, f, c)
	} else {
		d, ok = parseDate(s, c)
	}
	if !ok {
		return nil, badDate(name, s)
	}
	return formatDate(name, d, "", c)
}

func numberArg(name string, args []any, i int) (float64, error) {
	if !isNumber(args[i]) {
		return 0, errf("The template language function '%s' expects its %s parameter to be an integer. The provided value is of type '%s'. %s", name, ordinals[min(i, 3)], TypeName(args[i]), usage(name))
	}
	return toFloat(args[i]), nil
}

func addUnits(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	n, err := numberArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	d, err = shift(name, d, n, strings.TrimSuffix(strings.TrimPrefix(name, "add"), "s"))
	if err != nil {
		return nil, err
	}
	return formatDate(name, d, optionalText(args, 2), enUS())
}

func addToTime(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	n, err := numberArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	if name == "subtractFromTime" {
		n = -n
	}
	if d, err = shift(name, d, n, textArg(args, 2)); err != nil {
		return nil, err
	}
	return formatDate(name, d, optionalText(args, 3), enUS())
}

func getTime(e *evaluator, name string, args []any) (any, error) {
	n, err := numberArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	if name == "getPastTime" {
		n = -n
	}
	d, err := shift(name, e.now(), n, textArg(args, 1))
	if err != nil {
		return nil, err
	}
	return formatDate(name, d, optionalText(args, 2), enUS())
}

var unitSeconds = map[string]float64{"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}

func outOfRange(name string) error {
	return errf("The template language function '%s' gives a time that is out of range: the year must be between 1 and 9999. %s", name, usage(name))
}

// shift moves a time by units; a month's end clamps.
func shift(name string, d netDate, n float64, unit string) (netDate, error) {
	u := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(unit)), "s")
	if u == "month" || u == "year" {
		months := n
		if u == "year" {
			months *= 12
		}
		if math.Abs(months) > 12*10000 {
			return d, outOfRange(name)
		}
		d.t = addMonths(d.t, int(months))
	} else {
		s, ok := unitSeconds[u]
		if !ok {
			return d, errf("The template language function '%s' expects its time unit to be one of 'Second', 'Minute', 'Hour', 'Day', 'Week', 'Month', 'Year'. The provided value '%s' is not valid. %s", name, unit, usage(name))
		}
		total := n * s
		if math.Abs(total) > 10000*366*86400 {
			return d, outOfRange(name)
		}
		whole := math.Trunc(total)
		d.t = time.Unix(d.t.Unix()+int64(whole), int64(d.t.Nanosecond())).UTC()
		d.t = d.t.Add(time.Duration(math.Round((total-whole)*1e7)) * 100)
	}
	if y := d.t.Year(); y < 1 || y > 9999 {
		return d, outOfRange(name)
	}
	return d, nil
}

func addMonths(t time.Time, n int) time.Time {
	y, m, day := t.Date()
	first := time.Date(y, m+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day, last)-1)
}

func ticks(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	return d.ticks(), nil
}

func dayOf(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	switch name {
	case "dayOfMonth":
		return int64(d.t.Day()), nil
	case "dayOfWeek":
		return int64(d.t.Weekday()), nil
	}
	return int64(d.t.YearDay()), nil
}

func startOf(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	y, m, day := d.t.Date()
	switch name {
	case "startOfHour":
		d.t = time.Date(y, m, day, d.t.Hour(), 0, 0, 0, time.UTC)
	case "startOfDay":
		d.t = time.Date(y, m, day, 0, 0, 0, 0, time.UTC)
	default:
		d.t = time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	}
	return formatDate(name, d, optionalText(args, 1), enUS())
}

// dateDifference writes end less start as a TimeSpan: [-][d.]hh:mm:ss[.fffffff].
func dateDifference(_ *evaluator, name string, args []any) (any, error) {
	a, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	b, err := dateArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	n := b.ticks() - a.ticks()
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	const sec = 10_000_000
	out := sign
	if d := n / (86400 * sec); d > 0 {
		out += fmt.Sprintf("%d.", d)
	}
	s := n / sec
	out += fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if f := n % sec; f > 0 {
		out += fmt.Sprintf(".%07d", f)
	}
	return out, nil
}

func zoneArg(name string, args []any, i int) (*time.Location, error) {
	s, err := needString(name, args, i)
	if err != nil {
		return nil, err
	}
	loc, err := Zone(s)
	if err != nil {
		return nil, errf("In function '%s', the value provided for the time zone id '%s' was not valid.", name, clip(s, 100))
	}
	return loc, nil
}

func isUTCZone(l *time.Location) bool {
	switch l.String() {
	case "UTC", "Etc/UTC", "Etc/GMT":
		return true
	}
	return false
}

// wall reads a time's digits as the clock of a zone. A time that the clock skips moves on by the gap.
func wall(d netDate, l *time.Location) time.Time {
	t := d.t
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), l)
}

func inZone(t time.Time, l *time.Location) netDate {
	if isUTCZone(l) {
		return netDate{t: t.UTC(), kind: kindUTC}
	}
	z := t.In(l)
	return netDate{t: time.Date(z.Year(), z.Month(), z.Day(), z.Hour(), z.Minute(), z.Second(), z.Nanosecond(), time.UTC)}
}

func convertFromUTC(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	l, err := zoneArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	return formatDate(name, inZone(d.t, l), optionalText(args, 2), enUS())
}

func convertToUTC(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	l, err := zoneArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	if d.kind == kindUTC && !isUTCZone(l) {
		return nil, errf("The template language function 'convertToUtc' expects its second parameter to be a time zone matching the time zone indicated by the timestamp. The provided value '%s' does not match.", textArg(args, 1))
	}
	t := d.t
	if d.kind == kindNone {
		t = wall(d, l).UTC()
	}
	return formatDate(name, netDate{t: t, kind: kindUTC}, optionalText(args, 2), enUS())
}

func convertTimeZone(_ *evaluator, name string, args []any) (any, error) {
	d, err := dateArg(name, args, 0)
	if err != nil {
		return nil, err
	}
	from, err := zoneArg(name, args, 1)
	if err != nil {
		return nil, err
	}
	to, err := zoneArg(name, args, 2)
	if err != nil {
		return nil, err
	}
	t := d.t
	if d.kind == kindNone {
		t = wall(d, from).UTC()
	}
	return formatDate(name, inZone(t, to), optionalText(args, 3), enUS())
}
