package agg

import (
	"fmt"
	"math"
	"math/big"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

// newAvg makes avg(). As in the engine, whole numbers add up in 64 bits (and wrap) before the division, and no
// values give NaN for real results, null for decimal, datetime and timespan.
func newAvg(_ value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	switch argTypes[0] {
	case value.Int, value.Long, value.Bool:
		return &avgReal{ints: true}, nil
	case value.Real:
		return &avgReal{}, nil
	case value.Dynamic:
		return &avgReal{dyn: true}, nil
	case value.Decimal:
		return &avgDecimal{}, nil
	case value.Timespan, value.Datetime:
		return &avgTicks{t: argTypes[0]}, nil
	}
	return nil, fmt.Errorf("values of type %s have no average", argTypes[0])
}

type avgReal struct {
	ints, dyn bool
	i         []int64
	f         []float64
	n         []int64
}

func (s *avgReal) Grow(groups int) {
	s.i, s.f, s.n = grow(s.i, groups), grow(s.f, groups), grow(s.n, groups)
}

func (s *avgReal) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 || a.IsNull(i) {
			continue
		}
		switch k := a.Idx(i); {
		case s.ints:
			s.i[g] += a.I[k]
		case s.dyn:
			f, ok := number(a.D[k])
			if !ok {
				continue
			}
			s.f[g] += f
		default:
			s.f[g] += a.F[k]
		}
		s.n[g]++
	}
	return nil
}

func (s *avgReal) Result() *value.Vector {
	out := value.New(value.Real, len(s.n))
	for g, n := range s.n {
		switch {
		case n == 0:
			out.F[g] = math.NaN()
		case s.ints:
			out.F[g] = float64(s.i[g]) / float64(n)
		default:
			out.F[g] = s.f[g] / float64(n)
		}
	}
	return out
}
func (s *avgReal) Bytes() int64 { return int64(len(s.n)) * 24 }

type avgDecimal struct {
	sum []decimal.Decimal
	n   []int64
}

func (s *avgDecimal) Grow(groups int) { s.sum, s.n = grow(s.sum, groups), grow(s.n, groups) }
func (s *avgDecimal) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g >= 0 && !a.IsNull(i) {
			s.sum[g] = s.sum[g].Add(a.M[a.Idx(i)])
			s.n[g]++
		}
	}
	return nil
}

func (s *avgDecimal) Result() *value.Vector {
	out := value.New(value.Decimal, len(s.n))
	for g, n := range s.n {
		if n == 0 {
			out.SetNull(g)
			continue
		}
		out.M[g] = s.sum[g].DivRound(decimal.NewFromInt(n), 28)
	}
	return out
}
func (s *avgDecimal) Bytes() int64 { return int64(len(s.n)) * 40 }

// avgTicks averages datetimes and timespans. Their ticks overflow 64 bits after a few rows, so the sum is kept
// in two words.
type avgTicks struct {
	t   value.Type
	sum []wide
	n   []int64
}

func (s *avgTicks) Grow(groups int) { s.sum, s.n = grow(s.sum, groups), grow(s.n, groups) }
func (s *avgTicks) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g >= 0 && !a.IsNull(i) {
			s.sum[g].add(a.I[a.Idx(i)])
			s.n[g]++
		}
	}
	return nil
}

func (s *avgTicks) Result() *value.Vector {
	out := value.New(s.t, len(s.n))
	for g, n := range s.n {
		if n == 0 {
			out.SetNull(g)
			continue
		}
		out.I[g] = s.sum[g].div(n)
	}
	return out
}
func (s *avgTicks) Bytes() int64 { return int64(len(s.n)) * 24 }

// wide is a 128-bit sum: hi*2^32 + lo with lo in [0, 2^32).
type wide struct{ hi, lo int64 }

func (w *wide) add(x int64) {
	w.lo += x & 0xffffffff
	w.hi += x>>32 + w.lo>>32
	w.lo &= 0xffffffff
}

func (w *wide) div(n int64) int64 {
	b := new(big.Int).Lsh(big.NewInt(w.hi), 32)
	b.Add(b, big.NewInt(w.lo))
	return b.Quo(b, big.NewInt(n)).Int64()
}

// number reads a dynamic element as a real.
func number(e any) (float64, bool) {
	switch x := e.(type) {
	case int64:
		return float64(x), true
	case float64:
		return x, true
	case decimal.Decimal:
		f, _ := x.Float64()
		return f, true
	}
	return 0, false
}

// realAt reads row i of a numeric or time vector as a real; ok is false for null.
func realAt(v *value.Vector, i int) (float64, bool) {
	if v.IsNull(i) {
		return 0, false
	}
	k := v.Idx(i)
	switch v.Type {
	case value.Real:
		return v.F[k], true
	case value.Decimal:
		f, _ := v.M[k].Float64()
		return f, true
	case value.Dynamic:
		return number(v.D[k])
	case value.Bool, value.Int, value.Long, value.Datetime, value.Timespan:
		return float64(v.I[k]), true
	}
	return 0, false
}
