package agg

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/bits"
	"picket/kql/value"
	"sort"

	"github.com/cespare/xxhash/v2"
)

// A cardinality sketch. Up to exactLimit distinct values it keeps their 64-bit hashes and counts exactly; beyond,
// it is a HyperLogLog with 2^precision registers, read by Ertl's improved estimator ("New cardinality estimation
// algorithms for HyperLogLog sketches", 2017), which needs no correction tables.
//
// As a dynamic value: [precision, [hash, …]] while exact, [precision, "base64 of the registers"] after.
type sketch struct {
	p      uint8
	hashes map[uint64]struct{}
	regs   []uint8
}

// precisions are the register counts (as powers of two) of accuracy levels 0 to 4, whose documented errors are
// 1.6 %, 0.8 %, 0.4 %, 0.28 % and 0.2 %.
var precisions = [...]uint8{12, 14, 16, 17, 18}

const defaultAccuracy = 1

func exactLimit(p uint8) int { return max(2048, 1<<p/8) }

func accuracy(i int, consts []*value.Value) (uint8, error) {
	a, err := constInt("accuracy", i, consts, defaultAccuracy)
	if err != nil {
		return 0, err
	}
	if a < 0 || a >= int64(len(precisions)) {
		return 0, fmt.Errorf("accuracy must be 0, 1, 2, 3 or 4, not %d", a)
	}
	return precisions[a], nil
}

func newSketch(p uint8) *sketch { return &sketch{p: p, hashes: map[uint64]struct{}{}} }

// mix spreads xxhash's bits once more, so that short keys fill the registers evenly.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	return h
}

func (s *sketch) add(h uint64) {
	if s.regs == nil {
		s.hashes[h] = struct{}{}
		if len(s.hashes) > exactLimit(s.p) {
			s.dense()
		}
		return
	}
	s.register(h)
}

func (s *sketch) dense() {
	s.regs = make([]uint8, 1<<s.p)
	for h := range s.hashes {
		s.register(h)
	}
	s.hashes = nil
}

func (s *sketch) register(h uint64) {
	i := h >> (64 - s.p)
	r := uint8(bits.LeadingZeros64(h<<s.p|1<<(s.p-1))) + 1
	if r > s.regs[i] {
		s.regs[i] = r
	}
}

func (s *sketch) count() int64 {
	if s.regs == nil {
		return int64(len(s.hashes))
	}
	q := 64 - int(s.p)
	hist := make([]int, q+2)
	for _, r := range s.regs {
		hist[min(int(r), q+1)]++
	}
	m := float64(len(s.regs))
	z := m * tau(1-float64(hist[q+1])/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + float64(hist[k]))
	}
	z += m * sigma(float64(hist[0])/m)
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		was := z
		z += x * y
		y += y
		if z == was {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		was := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == was {
			return z / 3
		}
	}
}

// merge adds o to s. Sketches of different precision meet at the lower one.
func (s *sketch) merge(o *sketch) {
	if o.p < s.p {
		s.reduce(o.p)
	}
	if o.regs == nil {
		for h := range o.hashes {
			s.add(h)
		}
		return
	}
	o = o.reduced(s.p)
	if s.regs == nil {
		s.dense()
	}
	for i, r := range o.regs {
		s.regs[i] = max(s.regs[i], r)
	}
}

func (s *sketch) reduce(p uint8) {
	r := s.reduced(p)
	*s = *r
	if s.regs == nil && len(s.hashes) > exactLimit(p) {
		s.dense()
	}
}

func (s *sketch) reduced(p uint8) *sketch {
	if p == s.p {
		return s
	}
	if s.regs == nil {
		return &sketch{p: p, hashes: s.hashes}
	}
	out := &sketch{p: p, regs: make([]uint8, 1<<p)}
	drop := s.p - p
	for i, r := range s.regs {
		if r == 0 {
			continue
		}
		low := uint64(i) & (1<<drop - 1)
		if low != 0 {
			r = uint8(bits.LeadingZeros64(low<<(64-drop))) + 1
		} else {
			r += drop
		}
		j := i >> drop
		out.regs[j] = max(out.regs[j], r)
	}
	return out
}

func (s *sketch) bytes() int64 { return int64(len(s.hashes))*24 + int64(len(s.regs)) + 64 }

// dynamic renders the state.
func (s *sketch) dynamic() any {
	if s.regs != nil {
		return []any{int64(s.p), base64.StdEncoding.EncodeToString(s.regs)}
	}
	hs := make([]int64, 0, len(s.hashes))
	for h := range s.hashes {
		hs = append(hs, int64(h))
	}
	sort.Slice(hs, func(i, j int) bool { return hs[i] < hs[j] })
	l := make([]any, len(hs))
	for i, h := range hs {
		l[i] = h
	}
	return []any{int64(s.p), l}
}

// readSketch reads a state that hll() made; false for anything else.
func readSketch(e any) (*sketch, bool) {
	l, ok := e.([]any)
	if !ok || len(l) != 2 {
		return nil, false
	}
	p, ok := l[0].(int64)
	if !ok || p < 4 || p > 18 {
		return nil, false
	}
	s := newSketch(uint8(p))
	switch x := l[1].(type) {
	case string:
		regs, err := base64.StdEncoding.DecodeString(x)
		if err != nil || len(regs) != 1<<p {
			return nil, false
		}
		s.hashes, s.regs = nil, regs
	case []any:
		for _, y := range x {
			h, ok := y.(int64)
			if !ok {
				return nil, false
			}
			s.hashes[uint64(h)] = struct{}{}
		}
	default:
		return nil, false
	}
	return s, true
}

// HLLCount answers dcount_hll() for a state made by hll() or hll_merge(); false when state is not one.
func HLLCount(state any) (int64, bool) {
	s, ok := readSketch(state)
	if !ok {
		return 0, false
	}
	return s.count(), true
}

// HLLMerge answers hll_merge() of states; elements that are no states are passed over, and it gives null when
// none is.
func HLLMerge(states ...any) any {
	var out *sketch
	for _, e := range states {
		s, ok := readSketch(e)
		switch {
		case !ok:
		case out == nil:
			out = s
		default:
			out.merge(s)
		}
	}
	if out == nil {
		return nil
	}
	return out.dynamic()
}

type sketchState struct {
	p     uint8
	s     []*sketch
	key   []byte
	merge bool
	count bool
	held  int64
}

// newDcount makes dcount(): exact for small numbers, then an estimate of the documented accuracy. Nulls don't
// count.
func newDcount(_ value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
	return newSketchState(argTypes, consts, true)
}

// newHLL makes hll(): the sketch itself; null when there were no values.
func newHLL(_ value.Type, argTypes []value.Type, consts []*value.Value) (State, error) {
	return newSketchState(argTypes, consts, false)
}

func newSketchState(argTypes []value.Type, consts []*value.Value, count bool) (State, error) {
	if err := wantArgs(argTypes, 1, 2); err != nil {
		return nil, err
	}
	p, err := accuracy(1, consts)
	if err != nil {
		return nil, err
	}
	return &sketchState{p: p, count: count}, nil
}

// newHLLMerge makes hll_merge(): the union of the sketches.
func newHLLMerge(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	return &sketchState{merge: true}, nil
}

func (s *sketchState) Grow(groups int) { s.s = grow(s.s, groups) }

func (s *sketchState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		if s.merge {
			in, ok := readSketch(a.D[a.Idx(i)])
			switch {
			case !ok:
			case s.s[g] == nil:
				s.s[g] = in
				s.held += in.bytes()
			default:
				was := s.s[g].bytes()
				s.s[g].merge(in)
				s.held += s.s[g].bytes() - was
			}
			continue
		}
		if s.s[g] == nil {
			s.s[g] = newSketch(s.p)
			s.held += s.s[g].bytes()
		}
		s.key = value.AppendKey(s.key[:0], a, i)
		was := s.s[g].bytes()
		s.s[g].add(mix(xxhash.Sum64(s.key)))
		s.held += s.s[g].bytes() - was
	}
	return nil
}

func (s *sketchState) Result() *value.Vector {
	if s.count {
		out := value.New(value.Long, len(s.s))
		for g, k := range s.s {
			if k != nil {
				out.I[g] = k.count()
			}
		}
		return out
	}
	out := value.New(value.Dynamic, len(s.s))
	for g, k := range s.s {
		if k != nil {
			out.D[g] = k.dynamic()
		}
	}
	return out
}

func (s *sketchState) Bytes() int64 { return int64(len(s.s))*8 + s.held }

// newCountDistinct makes count_distinct(), which is exact.
func newCountDistinct(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	return &distinctState{}, nil
}

type distinctState struct {
	seen  []map[string]struct{}
	key   []byte
	bytes int64
}

func (s *distinctState) Grow(groups int) { s.seen = grow(s.seen, groups) }

func (s *distinctState) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		s.key = value.AppendKey(s.key[:0], a, i)
		if _, ok := s.seen[g][string(s.key)]; ok {
			continue
		}
		if s.seen[g] == nil {
			s.seen[g] = map[string]struct{}{}
		}
		s.seen[g][string(s.key)] = struct{}{}
		s.bytes += 48 + int64(len(s.key))
	}
	return nil
}

func (s *distinctState) Result() *value.Vector {
	out := value.New(value.Long, len(s.seen))
	for g, m := range s.seen {
		out.I[g] = int64(len(m))
	}
	return out
}

func (s *distinctState) Bytes() int64 { return int64(len(s.seen))*8 + s.bytes }

// HLLIntersect answers dcount_intersect: element k is the number of values that the first k+1 states have in common.
// Exact sketches are intersected, estimates by inclusion and exclusion. What is no state counts as empty.
func HLLIntersect(states ...any) []int64 {
	out := make([]int64, len(states))
	var all []*sketch
	exact := true
	for k, e := range states {
		s, ok := readSketch(e)
		if !ok {
			return out
		}
		all = append(all, s)
		exact = exact && s.regs == nil
		if exact {
			for h := range all[0].hashes {
				in := true
				for _, o := range all[1:] {
					if _, ok := o.hashes[h]; !ok {
						in = false
						break
					}
				}
				if in {
					out[k]++
				}
			}
			continue
		}
		out[k] = intersect(all)
	}
	return out
}

// maxIntersect bounds the sketches whose intersection is estimated.
const maxIntersect = 16

func intersect(all []*sketch) int64 {
	if len(all) > maxIntersect {
		all = all[:maxIntersect]
	}
	var sum int64
	for mask := 1; mask < 1<<len(all); mask++ {
		var u *sketch
		for k, s := range all {
			if mask>>k&1 == 0 {
				continue
			}
			if u == nil {
				c, _ := readSketch(s.dynamic())
				u = c
			} else {
				u.merge(s)
			}
		}
		if bits.OnesCount(uint(mask))%2 == 1 {
			sum += u.count()
		} else {
			sum -= u.count()
		}
	}
	return max(0, sum)
}
