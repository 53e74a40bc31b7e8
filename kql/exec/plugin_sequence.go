package exec

import (
	"sort"

	"picket/kql/plan"
	"picket/kql/value"
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
		for b := lo; b <= hi; b++ {
			var in []int32
			for k := b - width + 1; k <= b; k++ {
				in = append(in, bins[k]...)
			}
			if err := p.x.step(len(in) + 1); err != nil {
				return nil, err
			}
			if len(bins[b]) == 0 {
				continue
			}
			sort.Slice(in, func(i, j int) bool { return value.CompareRows(vals, int(in[i]), vals, int(in[j])) < 0 })
			row := []value.Value{value.Of(index.Type, b*step)}
			for _, d := range dims {
				row = append(row, d.At(int(rows[0])))
			}
			if err := w.add(append(row, vals.At(int(in[nearestRank(q, len(in))])))...); err != nil {
				return nil, err
			}
		}
	}
	return w.b, nil
}

// nearestRank is the place of percentile q among n sorted values.
func nearestRank(q float64, n int) int {
	r := int(q*float64(n)/100 - 1e-9)
	if float64(r) < q*float64(n)/100-1e-9 {
		r++
	}
	return max(0, min(r-1, n-1))
}

// sequenceDetect is sequence_detect(time, maxStep, maxSpan, predicate … [, dimensions]): the places where rows match the
// predicates one after the other, each within maxStep of the last and all within maxSpan. A sequence begins at the last
// row that matches the first predicate before the second matches.
func sequenceDetect(p *pluginRun) (*batch, error) {
	at, err := p.column(0)
	if err != nil {
		return nil, err
	}
	var step, span value.Value
	if err := p.numbers(1, &step, &span); err != nil {
		return nil, err
	}
	var preds, dims []*value.Vector
	for i := 3; i < len(p.n.Args); i++ {
		v, err := p.column(i)
		if err != nil {
			return nil, err
		}
		_, col := p.n.Args[i].(*plan.ColRef)
		if v.Type == value.Bool && len(dims) == 0 && !(col && len(preds) > 0 && !p.isStep(i, len(dims))) {
			preds = append(preds, v)
		} else {
			dims = append(dims, v)
		}
	}
	if len(preds) == 0 {
		return nil, invalid(p.n.At, "sequence_detect misses its predicates")
	}
	w := p.writer()
	if len(p.n.Out) != len(dims)+len(preds)+1 {
		return nil, notSupported(p.n.At, "sequence_detect with these arguments is not built into picket yet")
	}
	for _, rows := range sortedGroups(p.in.n, dims) {
		if err := p.x.step(len(rows)); err != nil {
			return nil, err
		}
		rows = append([]int32(nil), rows...)
		sort.SliceStable(rows, func(i, j int) bool { return value.CompareRows(at, int(rows[i]), at, int(rows[j])) < 0 })
		open := make([][]int64, len(preds)) // the times of the best sequence that reached step k
		for _, r := range rows {
			t, ok := ticks(at, int(r))
			if !ok {
				continue
			}
			for k := len(preds) - 1; k >= 0; k-- {
				v := preds[k]
				if v.IsNull(int(r)) || v.I[v.Idx(int(r))] == 0 {
					continue
				}
				if k == 0 {
					open[0] = []int64{t}
					continue
				}
				before := open[k-1]
				if before == nil || t-before[k-1] > asWhole(step) || t-before[0] > asWhole(span) {
					continue
				}
				open[k] = append(append([]int64(nil), before...), t)
				open[k-1] = nil
				if k < len(preds)-1 {
					continue
				}
				var row []value.Value
				for _, d := range dims {
					row = append(row, d.At(int(r)))
				}
				for _, m := range open[k] {
					row = append(row, value.Of(at.Type, m))
				}
				kind := value.Timespan
				if at.Type == value.Int || at.Type == value.Long {
					kind = at.Type
				}
				if err := w.add(append(row, value.Of(kind, t-open[k][0]))...); err != nil {
					return nil, err
				}
				open[k] = nil
			}
		}
	}
	return w.b, nil
}

// isStep tells a boolean column that is a predicate from one that is a dimension by the number of output columns.
func (p *pluginRun) isStep(i, dims int) bool {
	return len(p.n.Out) == len(p.n.Args)-3+1 && dims == 0
}

// funnelSequenceCompletion is funnel_sequence_completion(id, time, start, end, step, state, sequence, maxPeriods
// [, dimensions]): for each step and each period of maxPeriods, how many ids completed each prefix of the sequence within
// the period, beginning in the step.
func funnelSequenceCompletion(p *pluginRun) (*batch, error) {
	var step value.Value
	id, err := p.column(0)
	if err != nil {
		return nil, err
	}
	at, err := p.column(1)
	if err != nil {
		return nil, err
	}
	var start, end value.Value
	if err := p.numbers(2, &start, &end, &step); err != nil {
		return nil, err
	}
	state, err := p.column(5)
	if err != nil {
		return nil, err
	}
	var seq, periods value.Value
	if err := p.numbers(6, &seq, &periods); err != nil {
		return nil, err
	}
	dims, err := p.dims(8)
	if err != nil {
		return nil, err
	}
	states, ok := seq.D.([]any)
	windows, ok2 := periods.D.([]any)
	if !ok || !ok2 || len(states) == 0 {
		return nil, invalid(p.n.At, "funnel_sequence_completion wants an array of states and an array of periods")
	}
	t := &timeline{p: p, id: id, at: at, dims: dims, start: asWhole(start), end: asWhole(end), t: at.Type}
	bins, err := t.bins(asWhole(step))
	if err != nil {
		return nil, err
	}
	want := make([]string, len(states))
	for i, s := range states {
		want[i] = value.FormatDynamic(s)
	}
	w := p.writer()
	for _, rows := range sortedGroups(p.in.n, dims) {
		type visit struct {
			at    int64
			state string
		}
		byID := map[string][]visit{}
		for _, r := range rows {
			n, ok := ticks(at, int(r))
			if ok && n >= t.start && n <= t.end {
				k := string(value.AppendKey(nil, id, int(r)))
				byID[k] = append(byID[k], visit{n, value.Text(state, int(r))})
			}
		}
		for k := range byID {
			v := byID[k]
			sort.SliceStable(v, func(i, j int) bool { return v[i].at < v[j].at })
		}
		for b := int64(0); b < bins; b++ {
			from := t.start + b*asWhole(step)
			for _, pw := range windows {
				period := asWhole(value.OfDynamic(pw))
				done := make([]int64, len(want))
				for _, v := range byID {
					if err := p.x.step(len(v)); err != nil {
						return nil, err
					}
					best := 0
					for i := range v {
						if v[i].at < from || v[i].at >= from+asWhole(step) || v[i].state != want[0] {
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
					row := []value.Value{t.time(from)}
					per := value.OfDynamic(pw)
					row = append(row, castElem(per.D, p.n.Out[len(row)].Type), value.OfString(want[k]))
					row = append(row, t.cells(rows[0])...)
					if err := w.add(append(row, value.OfLong(n))...); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return w.b, nil
}
