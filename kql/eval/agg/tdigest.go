package agg

import (
	"fmt"
	"math"
	"picket/kql/value"
	"sort"

	"github.com/shopspring/decimal"
)

// A t-digest (Dunning and Ertl, "Computing extremely accurate quantiles using t-digests", 2019): centroids
// sorted by mean, merged under the k1 scale function. While no two values were merged it is exact.
//
// As a dynamic value: [type code, min, max, [mean, …], [weight, …]] with the type code of the values.
type digest struct {
	t        value.Type
	min, max float64
	mean, w  []float64
	pending  int
}

// compression bounds the number of centroids after a merge to about this number.
const compression = 500

var digestTypes = []value.Type{value.Long, value.Real, value.Datetime, value.Timespan, value.Decimal, value.Int}

func (d *digest) add(x, w float64) {
	if len(d.mean) == 0 {
		d.min, d.max = x, x
	}
	d.min, d.max = math.Min(d.min, x), math.Max(d.max, x)
	d.mean, d.w = append(d.mean, x), append(d.w, w)
	d.pending++
	if d.pending > 5*compression {
		d.compress()
	}
}

func (d *digest) merge(o *digest) {
	for i := range o.mean {
		d.add(o.mean[i], o.w[i])
	}
	if len(o.mean) > 0 {
		d.min, d.max = math.Min(d.min, o.min), math.Max(d.max, o.max)
	}
}

func (d *digest) sort() { sort.Sort(d) }

// Len, Less and Swap order the centroids by mean.
func (d *digest) Len() int           { return len(d.mean) }
func (d *digest) Less(i, j int) bool { return d.mean[i] < d.mean[j] }
func (d *digest) Swap(i, j int) {
	d.mean[i], d.mean[j] = d.mean[j], d.mean[i]
	d.w[i], d.w[j] = d.w[j], d.w[i]
}

func (d *digest) compress() {
	d.sort()
	d.pending = 0
	if len(d.mean) <= 2*compression {
		return
	}
	total := d.total()
	k := func(q float64) float64 {
		return compression / (2 * math.Pi) * math.Asin(2*math.Min(1, math.Max(0, q))-1)
	}
	mean, w := d.mean[:0:0], d.w[:0:0]
	m, c, before := d.mean[0], d.w[0], 0.0
	limit := k(0) + 1
	for i := 1; i < len(d.mean); i++ {
		if k((before+c+d.w[i])/total) <= limit {
			c += d.w[i]
			m += (d.mean[i] - m) * d.w[i] / c
			continue
		}
		mean, w = append(mean, m), append(w, c)
		before += c
		limit = k(before/total) + 1
		m, c = d.mean[i], d.w[i]
	}
	d.mean, d.w = append(mean, m), append(w, c)
}

func (d *digest) total() float64 {
	t := 0.0
	for _, w := range d.w {
		t += w
	}
	return t
}

// quantile gives the value at p percent: by nearest rank among values that were not merged, interpolated
// between centroids that were.
func (d *digest) quantile(p float64) float64 {
	d.sort()
	total := d.total()
	want := p * total / 100
	if p <= 0 {
		return d.min
	}
	if p >= 100 {
		return d.max
	}
	sum := 0.0
	for i, w := range d.w {
		if sum+w < want-1e-9 {
			sum += w
			continue
		}
		if w <= 1 || (i == 0 && d.mean[0] == d.min) || (i == len(d.w)-1 && d.mean[i] == d.max) {
			return d.mean[i]
		}
		lo, hi := d.min, d.max
		if i > 0 {
			lo = (d.mean[i-1] + d.mean[i]) / 2
		}
		if i < len(d.w)-1 {
			hi = (d.mean[i] + d.mean[i+1]) / 2
		}
		if d.exactWeights() {
			return d.mean[i]
		}
		return lo + (hi-lo)*(want-sum)/w
	}
	return d.max
}

// exactWeights reports that the digest is small enough never to have been compressed: its weights were given.
func (d *digest) exactWeights() bool { return len(d.mean) <= compression/4 }

// rank gives the number of values up to x.
func (d *digest) rank(x float64) float64 {
	d.sort()
	sum := 0.0
	for i, m := range d.mean {
		if m > x {
			break
		}
		sum += d.w[i]
	}
	return sum
}

func (d *digest) dynamic() any {
	d.compress()
	code := 0
	for i, t := range digestTypes {
		if t == d.t {
			code = i
		}
	}
	mean, w := make([]any, len(d.mean)), make([]any, len(d.w))
	for i := range d.mean {
		mean[i], w[i] = d.mean[i], d.w[i]
	}
	return []any{int64(code), d.min, d.max, mean, w}
}

func readDigest(e any) (*digest, bool) {
	l, ok := e.([]any)
	if !ok || len(l) != 5 {
		return nil, false
	}
	code, ok := l[0].(int64)
	mean, ok1 := l[3].([]any)
	w, ok2 := l[4].([]any)
	lo, ok3 := number(l[1])
	hi, ok4 := number(l[2])
	if !ok || !ok1 || !ok2 || !ok3 || !ok4 || code < 0 || code >= int64(len(digestTypes)) || len(mean) != len(w) || len(mean) == 0 {
		return nil, false
	}
	d := &digest{t: digestTypes[code], min: lo, max: hi}
	for i := range mean {
		m, ok := number(mean[i])
		x, ok1 := number(w[i])
		if !ok || !ok1 || !(x > 0) {
			return nil, false
		}
		d.mean, d.w = append(d.mean, m), append(d.w, x)
	}
	return d, true
}

// typed turns a number of the digest into a value of its type.
func (d *digest) typed(x float64) value.Value {
	v := value.Value{Type: d.t}
	switch d.t {
	case value.Real:
		v.F = x
	case value.Decimal:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v.Null = true
			return v
		}
		v.M = decimal.NewFromFloat(x)
	default:
		v.I = int64(math.Round(x))
	}
	return v
}

// TDigestPercentile answers percentile_tdigest() for a state made by tdigest() or tdigest_merge(): the value at p
// percent, of the type of the values that went in. False when state is not one.
func TDigestPercentile(state any, p float64) (value.Value, bool) {
	d, ok := readDigest(state)
	if !ok || math.IsNaN(p) {
		return value.Value{}, false
	}
	return d.typed(d.quantile(p)), true
}

// TDigestRank answers rank_tdigest(): how many of the values are at most x (numbers as they are, times in ticks).
// total is the number of all values; percentrank_tdigest() is the ratio. False when state is not one.
func TDigestRank(state any, x float64) (rank, total float64, ok bool) {
	d, ok := readDigest(state)
	if !ok {
		return 0, 0, false
	}
	return d.rank(x), d.total(), true
}

// TDigestType gives the type of the values that went into a state; false when state is not one.
func TDigestType(state any) (value.Type, bool) {
	d, ok := readDigest(state)
	if !ok {
		return value.Invalid, false
	}
	return d.t, true
}

// TDigestMerge answers tdigest_merge() of states; elements that are no states are passed over, and it gives null
// when none is.
func TDigestMerge(states ...any) any {
	var out *digest
	for _, e := range states {
		d, ok := readDigest(e)
		switch {
		case !ok:
		case out == nil:
			out = d
		default:
			out.merge(d)
		}
	}
	if out == nil {
		return nil
	}
	return out.dynamic()
}

type digestState struct {
	t     value.Type
	merge bool
	d     []*digest
	held  int64
}

// newTDigest makes tdigest(expr [, weight]); null when there were no values.
func newTDigest(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 2); err != nil {
		return nil, err
	}
	t := argTypes[0]
	if t == value.Dynamic || !summable(t) {
		return nil, fmt.Errorf("values of type %s have no digest", t)
	}
	return &digestState{t: t}, nil
}

// newTDigestMerge makes tdigest_merge().
func newTDigestMerge(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	return &digestState{merge: true}, nil
}

func (s *digestState) Grow(groups int) { s.d = grow(s.d, groups) }

func (s *digestState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		if s.merge {
			in, ok := readDigest(a.D[a.Idx(i)])
			switch {
			case !ok:
			case s.d[g] == nil:
				s.d[g] = in
				s.held += int64(len(in.mean))*16 + 64
			default:
				was := len(s.d[g].mean)
				s.d[g].merge(in)
				s.held += int64(len(s.d[g].mean)-was) * 16
			}
			continue
		}
		x, ok := realAt(a, i)
		if !ok || math.IsNaN(x) {
			continue
		}
		w := 1.0
		if len(args) > 1 && args[1] != nil {
			if w, ok = realAt(args[1], i); !ok || w <= 0 {
				continue
			}
		}
		if s.d[g] == nil {
			s.d[g] = &digest{t: s.t}
			s.held += 64
		}
		was := len(s.d[g].mean)
		s.d[g].add(x, w)
		s.held += int64(len(s.d[g].mean)-was) * 16
	}
	return nil
}

func (s *digestState) Result() *value.Vector {
	out := value.New(value.Dynamic, len(s.d))
	for g, d := range s.d {
		if d != nil {
			out.D[g] = d.dynamic()
		}
	}
	return out
}

func (s *digestState) Bytes() int64 { return int64(len(s.d))*8 + s.held }
