package exec

import (
	"fmt"
	"math"
	"picket/kql/plan"
	"picket/kql/value"
	"sort"
)

// The pattern plugins (basket, autocluster, diffpatterns) look for itemsets: values that some columns have together.
// basket gives all frequent ones, which is defined exactly. The other two choose among them by a score; the service's
// own scores are not published, so picket's choice may differ, while each pattern's counts are exact.

// itemset is a combination of values, the rows that have it and their weight.
type itemset struct {
	cols   []int
	keys   []string
	rows   []int32
	weight float64
}

// option gives constant argument i, false when it is missing or '~'.
func (p *pluginRun) option(i int) (value.Value, bool, error) {
	if i >= len(p.n.Args) {
		return value.Value{}, false, nil
	}
	if _, star := p.n.Args[i].(*plan.Star); star {
		return value.Value{}, false, nil
	}
	v, err := p.constant(i)
	if err != nil || v.Null || v.Type == value.String && v.S == "~" {
		return value.Value{}, false, err
	}
	return v, true, nil
}

// fraction reads option i as a number within bounds.
func (p *pluginRun) fraction(i int, what string, lo, hi, def float64) (float64, error) {
	v, ok, err := p.option(i)
	if err != nil || !ok {
		return def, err
	}
	f := asReal(v)
	if !(f >= lo && f <= hi) {
		return 0, invalid(p.n.At, "%s of %s must be between %v and %v", what, p.n.Plugin, lo, hi)
	}
	return f, nil
}

// weightColumn reads option i as the name of a column that weighs the rows.
func (p *pluginRun) weightColumn(i int) (int, error) {
	v, ok, err := p.option(i)
	if err != nil || !ok {
		return -1, err
	}
	for c, col := range p.cols {
		if col.Name == v.S {
			switch col.Type {
			case value.Int, value.Long, value.Real, value.Decimal:
				return c, nil
			}
			return -1, invalid(p.n.At, "the weight column %s of %s must be a number", v.S, p.n.Plugin)
		}
	}
	return -1, invalid(p.n.At, "%s has no weight column %s", p.n.Plugin, v.S)
}

// weigher gives the weight of a row: 1 without a weight column.
func (p *pluginRun) weigher(c int) func(r int32) float64 {
	if c < 0 {
		return func(int32) float64 { return 1 }
	}
	v := p.in.vecs[c]
	return func(r int32) float64 {
		f, ok := realAt(v, int(r))
		if !ok || !(f > 0) {
			return 0
		}
		return f
	}
}

// frequent lists the itemsets over cols with up to most columns that pass keep, smaller ones first (Apriori).
func (p *pluginRun) frequent(cols []int, most int, weight func(int32) float64, keep func(s *itemset) bool) ([]itemset, error) {
	measure := func(s *itemset) bool {
		s.weight = 0
		for _, r := range s.rows {
			s.weight += weight(r)
		}
		return len(s.rows) > 0 && keep(s)
	}
	var level []itemset
	for _, c := range cols {
		v := p.in.vecs[c]
		for _, rows := range groupRows(p.in.n, []*value.Vector{v}) {
			if len(rows) == 0 || v.IsNull(int(rows[0])) {
				continue
			}
			s := itemset{cols: []int{c}, keys: []string{string(value.AppendKey(nil, v, int(rows[0])))}, rows: rows}
			if measure(&s) {
				level = append(level, s)
			}
		}
	}
	single := level
	var found []itemset
	for size := 1; len(level) > 0; size++ {
		found = append(found, level...)
		if size == most {
			break
		}
		var next []itemset
		for _, s := range level {
			for _, o := range single {
				if o.cols[0] <= s.cols[len(s.cols)-1] {
					continue
				}
				if err := p.x.step(len(s.rows) + len(o.rows)); err != nil {
					return nil, err
				}
				t := itemset{
					cols: append(s.cols[:len(s.cols):len(s.cols)], o.cols[0]),
					keys: append(s.keys[:len(s.keys):len(s.keys)], o.keys[0]),
					rows: common(s.rows, o.rows),
				}
				if measure(&t) {
					next = append(next, t)
				}
			}
		}
		level = next
	}
	return found, nil
}

// common intersects two ascending lists.
func common(a, b []int32) []int32 {
	var out []int32
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, a[i])
			i++
			j++
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return out
}

// cells gives the itemset's values in the output columns of the input's names; columns outside of it are null, "" for
// strings.
func (p *pluginRun) itemCells(s *itemset, from int) ([]value.Value, error) {
	in := map[int]bool{}
	for _, c := range s.cols {
		in[c] = true
	}
	var out []value.Value
	for _, col := range p.n.Out[from:] {
		at := p.place(col)
		if at < 0 {
			return nil, fmt.Errorf("BUG: %s has no column %s", p.n.Plugin, col.Name)
		}
		if in[at] {
			out = append(out, p.in.vecs[at].At(int(s.rows[0])))
		} else {
			out = append(out, value.Null(col.Type))
		}
	}
	return out, nil
}

// attributes lists the columns that patterns are made of: all but those named.
func (p *pluginRun) attributes(skip ...int) []int {
	var out []int
next:
	for c, col := range p.cols {
		for _, s := range skip {
			if s == c {
				continue next
			}
		}
		if col.Type != value.Dynamic {
			out = append(out, c)
		}
	}
	return out
}

// basket is basket([threshold [, weightColumn [, maxDimensions]]]): every combination of values of up to maxDimensions
// columns that at least the part threshold of the rows have, the most frequent first.
func basket(p *pluginRun) (*batch, error) {
	threshold, err := p.fraction(0, "the threshold", 0.015, 1, 0.05)
	if err != nil {
		return nil, err
	}
	wc, err := p.weightColumn(1)
	if err != nil {
		return nil, err
	}
	most, err := p.fraction(2, "the number of dimensions", 1, 100, 5)
	if err != nil {
		return nil, err
	}
	weight := p.weigher(wc)
	total := 0.0
	for i := range p.in.n {
		total += weight(int32(i))
	}
	found, err := p.frequent(p.attributes(wc), int(most), weight, func(s *itemset) bool { return s.weight >= threshold*total })
	if err != nil {
		return nil, err
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].weight > found[j].weight })
	return p.segments(found, total)
}

// segments writes itemsets as basket and autocluster do.
func (p *pluginRun) segments(found []itemset, total float64) (*batch, error) {
	w := p.writer()
	for i := range found {
		s := &found[i]
		cells, err := p.itemCells(s, 3)
		if err != nil {
			return nil, err
		}
		row := append([]value.Value{value.OfLong(int64(i)), value.OfLong(int64(math.Round(s.weight))), value.OfReal(100 * s.weight / total)}, cells...)
		if err := w.add(row...); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}

// maxClusters bounds the patterns that autocluster and diffpatterns give.
const maxClusters = 25

// autocluster is autocluster([sizeWeight [, weightColumn [, numSeeds]]]): a few patterns that cover much of the rows and
// say much about them. It takes again and again the pattern with the best balance of the rows that it newly covers
// (sizeWeight) and the columns that it fixes, from those that at least a twentieth of the rows have.
func autocluster(p *pluginRun) (*batch, error) {
	balance, err := p.fraction(0, "the size weight", 0, 1, 0.5)
	if err != nil {
		return nil, err
	}
	wc, err := p.weightColumn(1)
	if err != nil {
		return nil, err
	}
	seeds, err := p.fraction(2, "the number of seeds", 1, 1000, maxClusters)
	if err != nil {
		return nil, err
	}
	weight := p.weigher(wc)
	total := 0.0
	for i := range p.in.n {
		total += weight(int32(i))
	}
	cols := p.attributes(wc)
	found, err := p.frequent(cols, 8, weight, func(s *itemset) bool { return s.weight >= 0.05*total })
	if err != nil {
		return nil, err
	}
	covered := make([]bool, p.in.n)
	var chosen []itemset
	for len(chosen) < int(seeds) && len(found) > 0 {
		best, score := -1, 0.0
		for i := range found {
			if err := p.x.step(len(found[i].rows)); err != nil {
				return nil, err
			}
			fresh := 0.0
			for _, r := range found[i].rows {
				if !covered[r] {
					fresh += weight(r)
				}
			}
			if fresh < 0.05*total || fresh < found[i].weight/2 {
				continue
			}
			q := math.Pow(fresh/total, balance) * math.Pow(float64(len(found[i].cols))/float64(len(cols)), 1-balance)
			if q > score {
				best, score = i, q
			}
		}
		if best < 0 {
			break
		}
		for _, r := range found[best].rows {
			covered[r] = true
		}
		chosen = append(chosen, found[best])
		found = append(found[:best:best], found[best+1:]...)
	}
	sort.SliceStable(chosen, func(i, j int) bool { return chosen[i].weight > chosen[j].weight })
	return p.segments(chosen, total)
}

// diffpatterns is diffpatterns(splitColumn, valueA, valueB [, weightColumn [, threshold [, maxDimensions]]]): patterns whose
// parts of the rows with valueA and of those with valueB differ by at least threshold, the most different first; a pattern
// within one that was taken is left out unless it differs more.
func diffpatterns(p *pluginRun) (*batch, error) {
	ref, ok := p.n.Args[0].(*plan.ColRef)
	if !ok {
		return nil, invalid(p.n.At, "the first argument of diffpatterns must be a column")
	}
	split := p.l[ref.ID]
	var names [2]string
	for i := range names {
		v, err := p.constant(1 + i)
		if err != nil {
			return nil, err
		}
		names[i] = v.Text()
	}
	wc, err := p.weightColumn(3)
	if err != nil {
		return nil, err
	}
	threshold, err := p.fraction(4, "the threshold", 0.015, 1, 0.05)
	if err != nil {
		return nil, err
	}
	most, err := p.fraction(5, "the number of dimensions", 1, 100, 5)
	if err != nil {
		return nil, err
	}
	weight := p.weigher(wc)
	side := make([]int, p.in.n)
	var total [2]float64
	for i := range side {
		side[i] = -1
		t := value.Text(p.in.vecs[split], i)
		for k, n := range names {
			if t == n {
				side[i] = k
				total[k] += weight(int32(i))
			}
		}
	}
	parts := func(s *itemset) (sum [2]float64) {
		for _, r := range s.rows {
			if k := side[r]; k >= 0 {
				sum[k] += weight(r)
			}
		}
		return sum
	}
	percent := func(sum [2]float64) (a, b float64) {
		return 100 * sum[0] / math.Max(total[0], 1), 100 * sum[1] / math.Max(total[1], 1)
	}
	found, err := p.frequent(p.attributes(split, wc), int(most), weight, func(s *itemset) bool {
		a, b := percent(parts(s))
		return math.Max(a, b) >= 100*threshold
	})
	if err != nil {
		return nil, err
	}
	type pattern struct {
		itemset
		sum        [2]float64
		a, b, diff float64
	}
	var all []pattern
	for _, s := range found {
		x := pattern{itemset: s, sum: parts(&s)}
		x.a, x.b = percent(x.sum)
		if x.diff = math.Abs(x.a - x.b); x.diff >= 100*threshold {
			all = append(all, x)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].diff > all[j].diff })
	w := p.writer()
	var taken []pattern
	for _, x := range all {
		if len(taken) == maxClusters {
			break
		}
		inside := false
		for _, t := range taken {
			inside = inside || len(common(x.rows, t.rows))*10 >= 9*min(len(x.rows), len(t.rows))
		}
		if inside {
			continue
		}
		taken = append(taken, x)
		cells, err := p.itemCells(&x.itemset, 6)
		if err != nil {
			return nil, err
		}
		row := append([]value.Value{
			value.OfLong(int64(len(taken) - 1)), value.OfLong(int64(math.Round(x.sum[0]))), value.OfLong(int64(math.Round(x.sum[1]))),
			value.OfReal(x.a), value.OfReal(x.b), value.OfReal(x.diff),
		}, cells...)
		if err := w.add(row...); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}
