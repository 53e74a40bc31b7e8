package agg

import (
	"fmt"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

// newSum makes sum(): whole numbers, timespans and datetimes add in 64 bits and wrap; nulls don't count; no
// rows give 0.
func newSum(ret value.Type, argTypes []value.Type, _ []*value.Value) (State, error) {
	if err := wantArgs(argTypes, 1, 1); err != nil {
		return nil, err
	}
	switch argTypes[0] {
	case value.Int, value.Long, value.Timespan, value.Datetime, value.Bool:
		if ret == value.Real || ret == value.Decimal {
			return nil, fmt.Errorf("%s values don't add up to %s", argTypes[0], ret)
		}
		return &sumInt{ret: ret}, nil
	case value.Real:
		return &sumReal{}, nil
	case value.Decimal:
		return &sumDecimal{}, nil
	case value.Dynamic:
		return &sumDynamic{ret: ret}, nil
	}
	return nil, fmt.Errorf("values of type %s can't be added up", argTypes[0])
}

type sumInt struct {
	ret value.Type
	n   []int64
}

func (s *sumInt) Grow(groups int) { s.n = grow(s.n, groups) }
func (s *sumInt) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g >= 0 && !a.IsNull(i) {
			s.n[g] += a.I[a.Idx(i)]
		}
	}
	return nil
}

func (s *sumInt) Result() *value.Vector {
	t := s.ret
	if t == value.Int || t == value.Invalid || t == value.Bool || t == value.Dynamic {
		t = value.Long
	}
	return &value.Vector{Type: t, N: len(s.n), I: s.n}
}
func (s *sumInt) Bytes() int64 { return int64(len(s.n)) * 8 }

type sumReal struct{ n []float64 }

func (s *sumReal) Grow(groups int) { s.n = grow(s.n, groups) }
func (s *sumReal) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g >= 0 && !a.IsNull(i) {
			s.n[g] += a.F[a.Idx(i)]
		}
	}
	return nil
}
func (s *sumReal) Result() *value.Vector { return value.RealVector(s.n) }
func (s *sumReal) Bytes() int64          { return int64(len(s.n)) * 8 }

type sumDecimal struct{ n []decimal.Decimal }

func (s *sumDecimal) Grow(groups int) { s.n = grow(s.n, groups) }
func (s *sumDecimal) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g >= 0 && !a.IsNull(i) {
			s.n[g] = s.n[g].Add(a.M[a.Idx(i)])
		}
	}
	return nil
}

func (s *sumDecimal) Result() *value.Vector {
	return &value.Vector{Type: value.Decimal, N: len(s.n), M: s.n}
}
func (s *sumDecimal) Bytes() int64 { return int64(len(s.n)) * 32 }

// sumDynamic adds the numbers inside dynamic values; other elements count as null.
type sumDynamic struct {
	ret  value.Type
	i    []int64
	f    []float64
	real []bool
}

func (s *sumDynamic) Grow(groups int) {
	s.i, s.f, s.real = grow(s.i, groups), grow(s.f, groups), grow(s.real, groups)
}

func (s *sumDynamic) Add(groups []int32, n int, args []*value.Vector) error {
	a := args[0]
	for i, g := range groups[:n] {
		if g < 0 {
			continue
		}
		switch x := a.D[a.Idx(i)].(type) {
		case int64:
			s.i[g] += x
		case float64:
			s.f[g] += x
			s.real[g] = true
		case decimal.Decimal:
			f, _ := x.Float64()
			s.f[g] += f
			s.real[g] = true
		}
	}
	return nil
}

func (s *sumDynamic) Result() *value.Vector {
	out := value.New(s.ret, len(s.i))
	for g := range s.i {
		switch s.ret {
		case value.Real:
			out.F[g] = float64(s.i[g]) + s.f[g]
		case value.Long, value.Int:
			out.I[g] = s.i[g] + int64(s.f[g])
		case value.Decimal:
			out.M[g] = decimal.NewFromInt(s.i[g]).Add(decimal.NewFromFloat(s.f[g]))
		case value.Dynamic:
			if s.real[g] {
				out.D[g] = float64(s.i[g]) + s.f[g]
			} else {
				out.D[g] = s.i[g]
			}
		}
	}
	return out
}
func (s *sumDynamic) Bytes() int64 { return int64(len(s.i)) * 17 }
