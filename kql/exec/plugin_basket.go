package exec

import (
	"sort"

	"picket/kql/eval/agg"
	"picket/kql/value"
)

// dcountIntersect is dcount_intersect(hll, hll …): how many values the first sketch holds, how many the first two have in
// common, the first three, and so on.
func dcountIntersect(p *pluginRun) (*batch, error) {
	dims, err := p.dims(0)
	if err != nil {
		return nil, err
	}
	used := len(dims)
	if used > 16 {
		return nil, invalid(p.n.At, "dcount_intersect takes up to 16 sketches")
	}
	w := p.writer()
	for i := 0; i < p.in.n; i++ {
		if err := p.x.step(1 << used); err != nil {
			return nil, err
		}
		states := make([]any, used)
		for k, v := range dims {
			states[k] = value.Elem(v, i)
		}
		counts := agg.HLLIntersect(states...)
		row := make([]value.Value, 0, len(p.n.Out))
		for c, col := range p.n.Out {
			if k := c - (len(p.n.Out) - used); k >= 0 {
				row = append(row, value.OfLong(counts[k]))
				continue
			}
			row = append(row, p.in.vecs[p.place(col)].At(i))
		}
		if err := w.add(row...); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}

// maxBasketColumns bounds the columns of an itemset that basket looks for.
const maxBasketColumns = 5

// basket is basket([threshold [, weightColumn [, maxDimensions]]]): every combination of values of up to maxDimensions
// columns that at least threshold of the rows have (Apriori), the most frequent first. A column that is no part of a
// combination is null, "" for strings.
func basket(p *pluginRun) (*batch, error) {
	threshold, most := 0.05, maxBasketColumns
	rest, err := p.constants(0)
	if err != nil {
		return nil, err
	}
	seen := 0
	for _, v := range rest {
		switch v.Type {
		case value.Real, value.Decimal:
			threshold = asReal(v)
		case value.Int, value.Long:
			if seen > 0 {
				most = int(v.I)
			}
		case value.String:
			if v.S != "~" && seen < 3 {
				return nil, notSupported(p.n.At, "basket with a weight column is not built into picket yet")
			}
		}
		seen++
	}
	if !(threshold >= 0.015 && threshold <= 1) || most < 1 {
		return nil, invalid(p.n.At, "basket wants a threshold between 0.015 and 1 and at least one dimension")
	}
	need := threshold * float64(p.in.n)
	type item struct {
		col int
		key string
	}
	type set struct {
		items []item
		rows  []int32
	}
	var level []set
	for c, v := range p.in.vecs {
		for _, rows := range groupRows(p.in.n, []*value.Vector{v}) {
			if float64(len(rows)) >= need && len(rows) > 0 && !v.IsNull(int(rows[0])) {
				level = append(level, set{[]item{{c, string(value.AppendKey(nil, v, int(rows[0])))}}, rows})
			}
		}
	}
	single := level
	var found []set
	for size := 1; len(level) > 0; size++ {
		found = append(found, level...)
		if size == most {
			break
		}
		var next []set
		for _, s := range level {
			for _, o := range single {
				if o.items[0].col <= s.items[len(s.items)-1].col {
					continue
				}
				if err := p.x.step(len(s.rows)); err != nil {
					return nil, err
				}
				var both []int32
				for i, j := 0, 0; i < len(s.rows) && j < len(o.rows); {
					switch {
					case s.rows[i] == o.rows[j]:
						both = append(both, s.rows[i])
						i++
						j++
					case s.rows[i] < o.rows[j]:
						i++
					default:
						j++
					}
				}
				if len(both) > 0 && float64(len(both)) >= need {
					next = append(next, set{append(append([]item(nil), s.items...), o.items[0]), both})
				}
			}
		}
		level = next
	}
	sort.SliceStable(found, func(i, j int) bool { return len(found[i].rows) > len(found[j].rows) })
	w := p.writer()
	for i, s := range found {
		row := []value.Value{value.OfLong(int64(i)), value.OfLong(int64(len(s.rows))), value.OfReal(100 * float64(len(s.rows)) / float64(p.in.n))}
		part := map[int]bool{}
		for _, it := range s.items {
			part[it.col] = true
		}
		for c, v := range p.in.vecs {
			if part[c] {
				row = append(row, v.At(int(s.rows[0])))
			} else {
				row = append(row, value.Null(v.Type))
			}
		}
		if err := w.add(row...); err != nil {
			return nil, err
		}
	}
	return w.b, nil
}
