package exec

import (
	"cmp"
	"picket/kql/value"
	"slices"
	"sort"
)

// rollingPercentile is rolling_percentile(value, percentile, index, binSize, binsPerWindow [, dimensions]): for each bin
// the percentile (nearest rank) of the values of the bins up to it.
func rollingPercentile(p *pluginRun) (*batch, error) {
	vals, err := p.column(0)
	if err != nil {
		return nil, err
	}
	var pc, size, per value.Value
	if err := p.numbers(1, &pc); err != nil {
		return nil, err
	}
	index, err := p.column(2)
	if err != nil {
		return nil, err
	}
	if err := p.numbers(3, &size, &per); err != nil {
		return nil, err
	}
	step, width, q := asWhole(size), asWhole(per), asReal(pc)
	if step <= 0 || width <= 0 || !(q >= 0 && q <= 100) {
		return nil, invalid(p.n.At, "rolling_percentile wants a percentile from 0 to 100, and a bin size and a number of bins greater than 0")
	}
	dims, err := p.dims(5)
	if err != nil {
		return nil, err
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, dims) {
		bins := map[int64][]int32{}
		lo, hi, any := int64(0), int64(0), false
		for _, r := range rows {
			at, ok := ticks(index, int(r))
			if !ok {
				continue
			}
			b := floorDiv(at, step)
			if !any || b < lo {
				lo = b
			}
			if !any || b > hi {
				hi = b
			}
			any = true
			if !vals.IsNull(int(r)) {
				bins[b] = append(bins[b], r)
			}
		}
		if !any {
			continue
		}
		if hi-lo >= maxSeries {
			return nil, &LimitError{What: "bins of rolling_percentile", Limit: maxSeries}
		}
		// The window is kept as a count for each place in the order of all values.
		sorted := make([]int32, 0, len(rows))
		for _, in := range bins {
			sorted = append(sorted, in...)
		}
		slices.SortFunc(sorted, func(i, j int32) int {
			return cmp.Or(value.CompareRows(vals, int(i), vals, int(j)), int(i-j))
		})
		place := make(map[int32]int, len(sorted))
		for at, r := range sorted {
			place[r] = at
		}
		win := ranks{counts: make([]int, len(sorted)+1)}
		for b := lo; b <= hi; b++ {
			gone := bins[b-width]
			if err := p.x.step(len(bins[b]) + len(gone) + 1); err != nil {
				return nil, err
			}
			for _, r := range bins[b] {
				win.add(place[r], 1)
			}
			for _, r := range gone {
				win.add(place[r], -1)
			}
			if len(bins[b]) == 0 {
				continue
			}
			row := []value.Value{value.Of(index.Type, b*step)}
			for _, d := range dims {
				row = append(row, d.At(int(rows[0])))
			}
			if err := w.add(append(row, vals.At(int(sorted[win.nth(nearestRank(q, win.n))])))...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// ranks counts members of an ordered set so that the one of any rank is found by halving (a Fenwick tree).
type ranks struct {
	counts []int // from 1; entry i counts the i&-i places that end with it
	n      int
}

func (r *ranks) add(place, n int) {
	r.n += n
	for i := place + 1; i < len(r.counts); i += i & -i {
		r.counts[i] += n
	}
}

// nth gives the place of the member of rank k, from 0.
func (r *ranks) nth(k int) int {
	at, width := 0, 1
	for width*2 < len(r.counts) {
		width *= 2
	}
	for ; width > 0; width /= 2 {
		if at+width < len(r.counts) && r.counts[at+width] <= k {
			at += width
			k -= r.counts[at]
		}
	}
	return at
}

// nearestRank is the place of percentile q among n sorted values.
func nearestRank(q float64, n int) int {
	r := int(q*float64(n)/100 - 1e-9)
	if float64(r) < q*float64(n)/100-1e-9 {
		r++
	}
	return max(0, min(r-1, n-1))
}

// sequenceDetect is sequence_detect(time, maxStep, maxSpan, predicate … [, dimensions]): every chain of times at which the
// predicates hold one after the other, each within maxStep of the last and all within maxSpan.
func sequenceDetect(p *pluginRun) (*batch, error) {
	at, err := p.column(0)
	if err != nil {
		return nil, err
	}
	var step, span value.Value
	if err := p.numbers(1, &step, &span); err != nil {
		return nil, err
	}
	// The output has a column for each dimension and each predicate, and the duration; predicates come first.
	var preds, dims []*value.Vector
	for i := 3; i < len(p.n.Args); i++ {
		v, err := p.column(i)
		if err != nil {
			return nil, err
		}
		if v.Type == value.Bool && len(dims) == 0 {
			preds = append(preds, v)
		} else {
			dims = append(dims, v)
		}
	}
	if len(preds) == 0 || len(p.n.Out) != len(dims)+len(preds)+1 {
		return nil, notSupported(p.n.At, "sequence_detect with these arguments is not built into picket yet")
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, dims) {
		times := make([][]int64, len(preds)) // the distinct times of each step, ascending
		for k, v := range preds {
			seen := map[int64]bool{}
			for _, r := range rows {
				t, ok := ticks(at, int(r))
				if ok && !v.IsNull(int(r)) && v.I[v.Idx(int(r))] != 0 && !seen[t] {
					seen[t] = true
					times[k] = append(times[k], t)
				}
			}
			slices.Sort(times[k])
		}
		var dim []value.Value
		for _, d := range dims {
			dim = append(dim, d.At(int(rows[0])))
		}
		var extend func(chain []int64) error
		extend = func(chain []int64) error {
			if err := p.x.step(1); err != nil {
				return err
			}
			k := len(chain)
			if k == len(preds) {
				row := slices.Clone(dim)
				for _, t := range chain {
					row = append(row, value.Of(at.Type, t))
				}
				return w.add(append(row, value.Of(p.n.Out[len(p.n.Out)-1].Type, chain[k-1]-chain[0]))...)
			}
			from, _ := slices.BinarySearch(times[k], chain[k-1]+1)
			for _, t := range times[k][from:] {
				if t-chain[k-1] > asWhole(step) || t-chain[0] > asWhole(span) {
					break
				}
				if err := extend(append(slices.Clone(chain), t)); err != nil {
					return err
				}
			}
			return nil
		}
		for _, t := range times[0] {
			if err := extend([]int64{t}); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// funnelSequenceCompletion is funnel_sequence_completion(id, time, start, end, step, state, sequence, periods): for each step
// and each period, how many ids that reached the first state in the step came to each further state of the sequence within
// the period.
func funnelSequenceCompletion(p *pluginRun) (*batch, error) {
	id, err := p.column(0)
	if err != nil {
		return nil, err
	}
	at, err := p.column(1)
	if err != nil {
		return nil, err
	}
	var start, end, stepV, seq, periods value.Value
	if err := p.numbers(2, &start, &end, &stepV); err != nil {
		return nil, err
	}
	state, err := p.column(5)
	if err != nil {
		return nil, err
	}
	if err := p.numbers(6, &seq, &periods); err != nil {
		return nil, err
	}
	states, ok := seq.D.([]any)
	windows, ok2 := periods.D.([]any)
	if !ok || !ok2 || len(states) == 0 || len(p.n.Args) > 8 {
		return nil, invalid(p.n.At, "funnel_sequence_completion wants an array of states and an array of periods, and no dimensions")
	}
	t := &timeline{p: p, id: id, at: at, start: asWhole(start), end: asWhole(end), t: at.Type}
	step := asWhole(stepV)
	bins, err := t.bins(step)
	if err != nil {
		return nil, err
	}
	want := make([]string, len(states))
	for i, s := range states {
		want[i] = value.FormatDynamic(s)
	}
	type visit struct {
		at    int64
		state string
	}
	byID := map[string][]visit{}
	for r := 0; r < p.in.n; r++ {
		if n, ok := ticks(at, r); ok && n >= t.start && n <= t.end {
			k := string(value.AppendKey(nil, id, r))
			byID[k] = append(byID[k], visit{n, value.Text(state, r)})
		}
	}
	for _, v := range byID {
		sort.SliceStable(v, func(i, j int) bool { return v[i].at < v[j].at })
	}
	w := p.writer()
	for b := int64(0); b < bins; b++ {
		from := t.start + b*step
		for _, pw := range windows {
			period := elemTicks(pw)
			done := make([]int64, len(want))
			for _, v := range byID {
				if err := p.x.step(len(v)); err != nil {
					return nil, err
				}
				best := 0
				for i := range v {
					if v[i].at < from || v[i].at >= from+step || v[i].state != want[0] {
						continue
					}
					k := 1
					for j := i + 1; j < len(v) && k < len(want) && v[j].at-v[i].at <= period; j++ {
						if v[j].state == want[k] {
							k++
						}
					}
					best = max(best, k)
				}
				for k := 0; k < best; k++ {
					done[k]++
				}
			}
			if done[0] == 0 {
				continue
			}
			for k, n := range done {
				if err := w.add(t.time(from), value.OfString(want[k]), value.Of(value.Timespan, period), value.OfLong(n)); err != nil {
					return nil, err
				}
			}
		}
	}
	return w.b, nil
}

// elemTicks reads a timespan inside a dynamic array: as such, as text, or as ticks.
func elemTicks(e any) int64 {
	switch x := e.(type) {
	case value.TimeSpan:
		return int64(x)
	case string:
		n, _ := value.ParseTimespan(x)
		return n
	}
	return asWhole(value.OfDynamic(e))
}
