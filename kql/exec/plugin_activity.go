package exec

import (
	"math"
	"picket/kql/plan"
	"picket/kql/value"
	"slices"
	"sort"
)

// activeUsersCount is active_users_count(id, time, start, end, lookback, period, activePeriods, bin [, dimensions]): how
// many ids were seen, at one of their appearances in the bin, in at least activePeriods distinct periods of the lookback
// window that ends there.
func activeUsersCount(p *pluginRun) (*batch, error) {
	var lookback, period, count, bin value.Value
	t, err := p.timeline(&lookback, &period, &count, &bin)
	if err != nil {
		return nil, err
	}
	back, per, need, step := asWhole(lookback), asWhole(period), asWhole(count), asWhole(bin)
	if _, err := t.bins(step); err != nil {
		return nil, err
	}
	if per <= 0 || back <= 0 {
		return nil, invalid(p.n.At, "the windows of active_users_count must be greater than 0")
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		byID := map[string][]int64{}
		for _, e := range t.events(rows, math.MinInt64, t.end) {
			byID[e.id] = append(byID[e.id], e.at)
		}
		active := map[int64]int64{}
		for _, times := range byID {
			if err := p.x.step(len(times)); err != nil {
				return nil, err
			}
			seen := map[int64]bool{}
			nth := make([]int64, len(times)) // which of the id's periods each time is in
			lo := 0
			for i, at := range times {
				if i > 0 {
					nth[i] = nth[i-1]
					if floorDiv(at, per) != floorDiv(times[i-1], per) {
						nth[i]++
					}
				}
				for times[lo] <= at-back {
					lo++
				}
				if at < t.start {
					continue
				}
				if b := (at - t.start) / step; nth[i]-nth[lo]+1 >= need && !seen[b] {
					seen[b] = true
					active[b]++
				}
			}
		}
		bins := make([]int64, 0, len(active))
		for b := range active {
			bins = append(bins, b)
		}
		sort.Slice(bins, func(i, j int) bool { return bins[i] < bins[j] })
		for _, b := range bins {
			if err := w.add(append(append([]value.Value{t.time(t.start + b*step)}, t.cells(rows[0])...), value.OfLong(active[b]))...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// activityCountsMetrics is activity_counts_metrics(id, time, start, end, step [, dimensions]): for each step its rows,
// ids, ids never seen before, and ids seen so far.
func activityCountsMetrics(p *pluginRun) (*batch, error) {
	var win value.Value
	t, err := p.timeline(&win)
	if err != nil {
		return nil, err
	}
	bins, err := t.grid(win)
	if err != nil {
		return nil, err
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		ev := t.events(rows, t.start, t.end)
		seen := map[string]bool{}
		for b, k := int64(0), 0; b < bins && k < len(ev); b++ {
			var n, fresh int64
			ids := map[string]bool{}
			for ; k < len(ev) && t.bin(ev[k].at) == b; k++ {
				n++
				ids[ev[k].id] = true
				if !seen[ev[k].id] {
					seen[ev[k].id] = true
					fresh++
				}
			}
			if n == 0 {
				continue
			}
			row := append([]value.Value{t.edge(b)}, t.cells(rows[0])...)
			row = append(row, value.OfLong(n), value.OfLong(int64(len(ids))), value.OfLong(fresh), value.OfLong(int64(len(seen))))
			if err := w.add(row...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// activityEngagement is activity_engagement(id, time [, start, end], inner, outer [, dimensions]): for each inner window
// its ids, the ids of the outer window that ends with it, and their ratio.
func activityEngagement(p *pluginRun) (*batch, error) {
	var inner, outer value.Value
	t, err := p.ranged(&inner, &outer)
	if err != nil {
		return nil, err
	}
	in, out := asWhole(inner), asWhole(outer)
	bins, err := t.bins(in)
	if err != nil {
		return nil, err
	}
	if out < in {
		return nil, invalid(p.n.At, "the outer window of activity_engagement must not be smaller than the inner one")
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		ev := t.events(rows, math.MinInt64, t.end)
		for from, wide := range t.slide(ev, bins, in, out) {
			if len(wide.events) == 0 {
				continue
			}
			near := map[string]bool{}
			for k := len(wide.events) - 1; k >= 0 && wide.events[k].at >= from; k-- {
				near[wide.events[k].id] = true
			}
			row := append([]value.Value{t.time(from)}, t.cells(rows[0])...)
			row = append(row, value.OfLong(int64(len(near))), value.OfLong(int64(len(wide.ids))), value.OfReal(float64(len(near))/float64(len(wide.ids))))
			if err := w.add(row...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// activityMetrics is activity_metrics(id, time [, start, end], window [, dimensions]): for each window its ids, the ids
// not seen in the window before, and which part of the previous window's ids came back (retention) or stayed away (churn).
func activityMetrics(p *pluginRun) (*batch, error) {
	var win value.Value
	t, err := p.ranged(&win)
	if err != nil {
		return nil, err
	}
	bins, err := t.grid(win)
	if err != nil {
		return nil, err
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		ev := t.events(rows, t.start, t.end)
		prev := map[string]bool{}
		for b, k := int64(0), 0; b < bins && k < len(ev); b++ {
			ids, fresh, back := map[string]bool{}, int64(0), 0
			for ; k < len(ev) && t.bin(ev[k].at) == b; k++ {
				id := ev[k].id
				switch {
				case ids[id]:
				case prev[id]:
					back++
				default:
					fresh++
				}
				ids[id] = true
			}
			if len(ids) > 0 || len(prev) > 0 {
				retention := float64(back) / float64(len(prev))
				row := append([]value.Value{t.edge(b)}, t.cells(rows[0])...)
				row = append(row, value.OfLong(int64(len(ids))), value.OfLong(fresh), value.OfReal(retention), value.OfReal(1-retention))
				if err := w.add(row...); err != nil {
					return nil, err
				}
			}
			prev = ids
		}
	}
	return w.b, nil
}

// newActivityMetrics is new_activity_metrics(id, time, start, end, window [, cohort] [, dimensions] [, lookback]): for each
// window the ids that were new in it (its cohort), and for each window from there on how many of them came back and how
// many ids came that no window up to the cohort's had. Ids of the lookback table are not new.
func newActivityMetrics(p *pluginRun) (*batch, error) {
	t, win, cohort, known, err := p.newActivityArgs()
	if err != nil {
		return nil, err
	}
	bins, err := t.grid(win)
	if err != nil {
		return nil, err
	}
	if err := p.x.step(int(bins * bins)); err != nil {
		return nil, err
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		first := map[string]int64{}
		last := map[string]int64{}
		size := make([]int, bins)     // new ids of each window
		seen := make([][]int64, bins) // for each id of a window the one that it was first seen in
		back := make([][]int64, bins) // the same without ids of the lookback table
		for _, e := range t.events(rows, t.start, t.end) {
			b := t.bin(e.at)
			f, old := first[e.id]
			if !old {
				first[e.id], f = b, b
				if !known[e.id] {
					size[b]++
				}
			} else if last[e.id] == b {
				continue
			}
			last[e.id] = b
			seen[b] = append(seen[b], f)
			if !known[e.id] {
				back[b] = append(back[b], f)
			}
		}
		for b := range seen {
			slices.Sort(seen[b])
			slices.Sort(back[b])
		}
		for from := int64(0); from < bins; from++ {
			n := size[from]
			if n == 0 || cohort != nil && from != t.bin(*cohort) {
				continue
			}
			if err := p.x.tick(); err != nil {
				return nil, err
			}
			for to := from; to < bins; to++ {
				kept, fresh := between(back[to], from, from+1), n
				if to > from {
					fresh = between(seen[to], from+1, bins)
				}
				rate := float64(kept) / float64(n)
				row := append([]value.Value{t.edge(from), t.edge(to)}, t.cells(rows[0])...)
				row = append(row, value.OfLong(int64(fresh)), value.OfLong(int64(kept)), value.OfLong(int64(n-kept)), value.OfReal(rate), value.OfReal(1-rate))
				if err := w.add(row...); err != nil {
					return nil, err
				}
			}
		}
	}
	return w.b, nil
}

// between counts the numbers from lo up to but not including hi in a sorted list.
func between(sorted []int64, lo, hi int64) int {
	i, _ := slices.BinarySearch(sorted, lo)
	j, _ := slices.BinarySearch(sorted, hi)
	return j - i
}

// newActivityArgs reads new_activity_metrics' arguments: after the window come a constant cohort, column dimensions and a
// table of known ids, each optional.
func (p *pluginRun) newActivityArgs() (t *timeline, win value.Value, cohort *int64, known map[string]bool, err error) {
	t = &timeline{p: p}
	if t.id, err = p.column(0); err != nil {
		return nil, win, nil, nil, err
	}
	if t.at, err = p.column(1); err != nil {
		return nil, win, nil, nil, err
	}
	t.t = t.at.Type
	var start, end value.Value
	if err := p.numbers(2, &start, &end, &win); err != nil {
		return nil, win, nil, nil, err
	}
	t.start, t.end = asWhole(start), asWhole(end)
	known = map[string]bool{}
	for i := 5; i < len(p.n.Args); i++ {
		switch a := p.n.Args[i].(type) {
		case *plan.ColRef:
			v, err := p.column(i)
			if err != nil {
				return nil, win, nil, nil, err
			}
			t.dims = append(t.dims, v)
		case *plan.TableArg:
			in, err := p.x.build(a.Node)
			if err != nil {
				return nil, win, nil, nil, err
			}
			for b, err := range in {
				if err == nil {
					err = p.x.step(b.n)
				}
				if err != nil {
					return nil, win, nil, nil, err
				}
				// The ids are the column named as the id's, else the last one.
				at := len(b.vecs) - 1
				if r, ok := p.n.Args[0].(*plan.ColRef); ok {
					for c, col := range a.Node.Cols() {
						if col.Name == r.Name {
							at = c
						}
					}
				}
				for k := 0; k < b.n; k++ {
					known[string(value.AppendKey(nil, b.vecs[at], k))] = true
				}
			}
		default:
			v, err := p.constant(i)
			if err != nil {
				return nil, win, nil, nil, err
			}
			n := asWhole(v)
			cohort = &n
		}
	}
	return t, win, cohort, known, nil
}

// sessionCount is session_count(id, time, start, end, bin, lookback [, dimensions]): the sessions that begin in each bin.
// An appearance begins a session when the id was not seen in the lookback window before it.
func sessionCount(p *pluginRun) (*batch, error) {
	var bin, lookback value.Value
	t, err := p.timeline(&bin, &lookback)
	if err != nil {
		return nil, err
	}
	step, back := asWhole(bin), asWhole(lookback)
	if _, err := t.bins(step); err != nil {
		return nil, err
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		last := map[string]int64{}
		count := map[int64]int64{}
		for _, e := range t.events(rows, math.MinInt64, t.end) {
			prev, seen := last[e.id]
			last[e.id] = e.at
			if e.at >= t.start && (!seen || e.at-prev > back) {
				count[(e.at-t.start)/step]++
			}
		}
		bins := make([]int64, 0, len(count))
		for b := range count {
			bins = append(bins, b)
		}
		sort.Slice(bins, func(i, j int) bool { return bins[i] < bins[j] })
		for _, b := range bins {
			row := append([]value.Value{t.time(t.start + b*step)}, t.cells(rows[0])...)
			if err := w.add(append(row, value.OfLong(count[b]))...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// slidingWindowCounts is sliding_window_counts(id, time, start, end, lookback, bin [, dimensions]): for each bin the rows
// and ids of the lookback window that ends with it.
func slidingWindowCounts(p *pluginRun) (*batch, error) {
	var lookback, bin value.Value
	t, err := p.timeline(&lookback, &bin)
	if err != nil {
		return nil, err
	}
	back, step := asWhole(lookback), asWhole(bin)
	bins, err := t.bins(step)
	if err != nil {
		return nil, err
	}
	if back < step {
		return nil, invalid(p.n.At, "the lookback window of sliding_window_counts must not be smaller than the bin")
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, t.dims) {
		ev := t.events(rows, math.MinInt64, math.MaxInt64)
		for from, win := range t.slide(ev, bins, step, back) {
			if len(win.events) == 0 {
				continue
			}
			row := append([]value.Value{t.time(from)}, t.cells(rows[0])...)
			if err := w.add(append(row, value.OfLong(int64(len(win.events))), value.OfLong(int64(len(win.ids))))...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}
