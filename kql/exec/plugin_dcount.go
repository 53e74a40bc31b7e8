package exec

import (
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
