package exec

import (
	"iter"
	"math"
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
	"sort"
	"strings"
)

// timeline is what the activity plugins share: an id and a time a row, split by dimensions, over bins of a period.
type timeline struct {
	p          *pluginRun
	id, at     *value.Vector
	dims       []*value.Vector
	start, end int64
	t          value.Type
	step       int64
	edges      []int64 // the beginnings of calendar windows; nil for a fixed step
}

// ticks reads a time or whole number; ok is false for null.
func ticks(v *value.Vector, i int) (int64, bool) {
	if v.IsNull(i) {
		return 0, false
	}
	if v.Type == value.Real {
		return cut(v.F[v.Idx(i)]), true
	}
	return v.I[v.Idx(i)], true
}

// timeline reads id and time columns, start and end, then the constants named in more, then the dimensions.
func (p *pluginRun) timeline(more ...*value.Value) (*timeline, error) {
	t := &timeline{p: p}
	var err error
	if t.id, err = p.column(0); err != nil {
		return nil, err
	}
	if t.at, err = p.column(1); err != nil {
		return nil, err
	}
	switch t.at.Type {
	case value.Datetime, value.Timespan, value.Int, value.Long:
	default:
		return nil, invalid(p.n.At, "the timeline of %s must be a datetime, timespan or whole number, not %s", p.n.Plugin, t.at.Type)
	}
	t.t = t.at.Type
	var start, end value.Value
	if err := p.numbers(2, append([]*value.Value{&start, &end}, more...)...); err != nil {
		return nil, err
	}
	t.start, t.end = asWhole(start), asWhole(end)
	t.dims, err = p.dims(4 + len(more))
	return t, err
}

// time makes a cell of the timeline's type.
func (t *timeline) time(n int64) value.Value { return value.Of(t.t, n) }

// cells makes a row's dimension cells from row i of the input.
func (t *timeline) cells(i int32) []value.Value {
	out := make([]value.Value, len(t.dims))
	for k, d := range t.dims {
		out[k] = d.At(int(i))
	}
	return out
}

// event is one appearance of an id.
type event struct {
	at int64
	id string
}

// events lists the appearances among rows in [from, to], by time.
func (t *timeline) events(rows []int32, from, to int64) []event {
	var out []event
	for _, r := range rows {
		at, ok := ticks(t.at, int(r))
		if !ok || at < from || at > to {
			continue
		}
		out = append(out, event{at, string(value.AppendKey(nil, t.id, int(r)))})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].at < out[j].at })
	return out
}

// floorDiv divides rounding down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// bins gives the number of steps from start to end, both included.
func (t *timeline) bins(step int64) (int64, error) {
	if step <= 0 {
		return 0, invalid(t.p.n.At, "the step of %s must be greater than 0", t.p.n.Plugin)
	}
	if t.end < t.start {
		return 0, nil
	}
	n := (t.end-t.start)/step + 1
	if n > maxSeries {
		return 0, &LimitError{What: "steps of " + t.p.n.Plugin, Limit: maxSeries}
	}
	return n, t.p.x.step(int(n))
}

// grid lays the windows over start to end and gives their number. A window is a length, or one of the texts week, month
// and year: then windows are those of the calendar, the first of them the one that holds the start.
func (t *timeline) grid(win value.Value) (int64, error) {
	if win.Type != value.String {
		t.step = asWhole(win)
		return t.bins(t.step)
	}
	if t.t != value.Datetime {
		return 0, invalid(t.p.n.At, "the window %q of %s needs a timeline of datetimes", win.S, t.p.n.Plugin)
	}
	for at := calendarStart(win.S, t.start); at <= t.end; at = calendarNext(win.S, at) {
		if at < 0 || len(t.edges) >= maxSeries {
			return 0, invalid(t.p.n.At, "the window of %s must be a length, or week, month or year", t.p.n.Plugin)
		}
		t.edges = append(t.edges, at)
	}
	return int64(len(t.edges)), t.p.x.step(len(t.edges))
}

const ticksPerDay = 24 * 3600 * 10_000_000

// calendarStart gives the beginning of the week (Sunday), month or year that holds an instant; -1 for another unit.
func calendarStart(unit string, at int64) int64 {
	y, m, _ := value.DateOf(at)
	switch strings.ToLower(unit) {
	case "week":
		day := at / ticksPerDay // day 0 was a Monday
		return (day - (day+1)%7) * ticksPerDay
	case "month":
	case "year":
		m = 1
	default:
		return -1
	}
	n, ok := value.DatetimeFrom(y, m, 1, 0, 0, 0, 0)
	if !ok {
		return -1
	}
	return n
}

// calendarNext gives the window after the one that begins at an instant; beyond every instant at the end of time.
func calendarNext(unit string, at int64) int64 {
	y, m, _ := value.DateOf(at)
	switch strings.ToLower(unit) {
	case "week":
		return at + 7*ticksPerDay
	case "month":
		if m++; m > 12 {
			y, m = y+1, 1
		}
	default:
		y++
	}
	n, ok := value.DatetimeFrom(y, m, 1, 0, 0, 0, 0)
	if !ok {
		return math.MaxInt64
	}
	return n
}

// bin gives the number of the window that holds an instant; edge says where a window begins.
func (t *timeline) bin(at int64) int64 {
	if t.edges == nil {
		return floorDiv(at-t.start, t.step)
	}
	i, found := slices.BinarySearch(t.edges, at)
	if !found {
		i--
	}
	return int64(i)
}

func (t *timeline) edge(b int64) value.Value {
	if t.edges == nil {
		return t.time(t.start + b*t.step)
	}
	return t.time(t.edges[b])
}

// window is what a sliding window holds: a run of events by time, and how often each id stands in it.
type window struct {
	events []event
	ids    map[string]int
}

// slide walks windows of length back over events by time: each ends with one of n steps from the start, and comes with
// the time at which that step begins.
func (t *timeline) slide(ev []event, n, step, back int64) iter.Seq2[int64, window] {
	return func(yield func(int64, window) bool) {
		ids, lo, hi := map[string]int{}, 0, 0
		for b := int64(0); b < n; b++ {
			from := t.start + b*step
			for ; hi < len(ev) && ev[hi].at < from+step; hi++ {
				ids[ev[hi].id]++
			}
			for ; lo < hi && ev[lo].at < from+step-back; lo++ {
				if ids[ev[lo].id]--; ids[ev[lo].id] == 0 {
					delete(ids, ev[lo].id)
				}
			}
			if !yield(from, window{ev[lo:hi], ids}) {
				return
			}
		}
	}
}

// ranged reads id, time, an optional start and end of the timeline's type, then windows, then dimensions.
func (p *pluginRun) ranged(windows ...*value.Value) (*timeline, error) {
	t := &timeline{p: p}
	var err error
	if t.id, err = p.column(0); err != nil {
		return nil, err
	}
	if t.at, err = p.column(1); err != nil {
		return nil, err
	}
	t.t = t.at.Type
	consts := 0
	for i := 2; i < len(p.n.Args); i++ {
		if _, col := p.n.Args[i].(*plan.ColRef); col {
			break
		}
		consts++
	}
	at := 2
	if consts >= len(windows)+2 {
		var start, end value.Value
		if err := p.numbers(2, &start, &end); err != nil {
			return nil, err
		}
		t.start, t.end = asWhole(start), asWhole(end)
		at = 4
	} else {
		first := true
		for i := 0; i < p.in.n; i++ {
			n, ok := ticks(t.at, i)
			if !ok {
				continue
			}
			if first || n < t.start {
				t.start = n
			}
			if first || n > t.end {
				t.end = n
			}
			first = false
		}
	}
	if err := p.numbers(at, windows...); err != nil {
		return nil, err
	}
	t.dims, err = p.dims(at + len(windows))
	return t, err
}
