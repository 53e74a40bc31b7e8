package value

import "github.com/shopspring/decimal"

// Vector is one column of a [Frame]: n values of one type, stored unboxed.
//
// Which slice holds the data depends on Type:
//
//	Bool, Int, Long, Datetime, Timespan → I (bool as 0/1; int sign-extended; ticks for the times)
//	Real                               → F
//	String                             → S (never null)
//	GUID                               → G
//	Decimal                            → M
//	Dynamic                            → D (a nil element is dynamic(null))
//
// Null is nil when no value is null, else Null[i] says that element i is null. Strings and dynamics never
// use Null: a string has no null, a null dynamic is D[i] == nil.
//
// A vector with Const set holds one element that stands for all N rows.
type Vector struct {
	Type  Type
	N     int
	Const bool
	Null  []bool
	I     []int64
	F     []float64
	S     []string
	G     [][16]byte
	M     []decimal.Decimal
	D     []any // see dynamic.go for what an element may be
}

// Idx maps row i to the storage index (0 for constants).
func (v *Vector) Idx(i int) int {
	if v.Const {
		return 0
	}
	return i
}

// IsNull reports whether row i is null. A string never is.
func (v *Vector) IsNull(i int) bool {
	i = v.Idx(i)
	switch v.Type {
	case String:
		return false
	case Dynamic:
		return v.D[i] == nil
	}
	return v.Null != nil && v.Null[i]
}

// SetNull marks storage index i as null.
func (v *Vector) SetNull(i int) {
	switch v.Type {
	case String:
		v.S[i] = ""
		return
	case Dynamic:
		v.D[i] = nil
		return
	}
	if v.Null == nil {
		v.Null = make([]bool, v.cap())
	}
	v.Null[i] = true
}

func (v *Vector) cap() int {
	if v.Const {
		return 1
	}
	return v.N
}

// New makes a vector of n zero values (0, false, "", null for dynamic).
func New(t Type, n int) *Vector {
	v := &Vector{Type: t, N: n}
	v.alloc(n)
	return v
}

// NewConst makes a constant vector: one zero value that stands for n rows.
func NewConst(t Type, n int) *Vector {
	v := &Vector{Type: t, N: n, Const: true}
	v.alloc(1)
	return v
}

func (v *Vector) alloc(n int) {
	switch v.Type {
	case Bool, Int, Long, Datetime, Timespan:
		v.I = make([]int64, n)
	case Real:
		v.F = make([]float64, n)
	case String:
		v.S = make([]string, n)
	case GUID:
		v.G = make([][16]byte, n)
	case Decimal:
		v.M = make([]decimal.Decimal, n)
	default:
		v.D = make([]any, n)
	}
}

// LongVector wraps vals as a Long vector without nulls.
func LongVector(vals []int64) *Vector { return &Vector{Type: Long, N: len(vals), I: vals} }

// RealVector wraps vals as a Real vector without nulls.
func RealVector(vals []float64) *Vector { return &Vector{Type: Real, N: len(vals), F: vals} }

// StringVector wraps vals as a String vector.
func StringVector(vals []string) *Vector { return &Vector{Type: String, N: len(vals), S: vals} }

// Value is one boxed scalar: constants in plans, cells at the edges. Null is reported by IsNull; the payload
// sits in the field that Vector's table names for the type.
type Value struct {
	Type Type
	Null bool
	I    int64
	F    float64
	S    string
	G    [16]byte
	M    decimal.Decimal
	D    any
}

// At boxes row i.
func (v *Vector) At(i int) Value {
	k := v.Idx(i)
	x := Value{Type: v.Type, Null: v.IsNull(i)}
	if x.Null {
		return x
	}
	switch v.Type {
	case Bool, Int, Long, Datetime, Timespan:
		x.I = v.I[k]
	case Real:
		x.F = v.F[k]
	case String:
		x.S = v.S[k]
	case GUID:
		x.G = v.G[k]
	case Decimal:
		x.M = v.M[k]
	default:
		x.D = v.D[k]
	}
	return x
}

// Set stores x (of the vector's type) at storage index i.
func (v *Vector) Set(i int, x Value) {
	if x.Null {
		v.SetNull(i)
		return
	}
	switch v.Type {
	case Bool, Int, Long, Datetime, Timespan:
		v.I[i] = x.I
	case Real:
		v.F[i] = x.F
	case String:
		v.S[i] = x.S
	case GUID:
		v.G[i] = x.G
	case Decimal:
		v.M[i] = x.M
	default:
		v.D[i] = x.D
	}
	if v.Null != nil {
		v.Null[i] = false
	}
}

// ConstOf makes a constant vector of n rows from x.
func ConstOf(x Value, n int) *Vector {
	v := NewConst(x.Type, n)
	v.Set(0, x)
	return v
}

// Frame is a batch of rows: equally long vectors under a schema.
type Frame struct {
	Schema Schema
	Vecs   []*Vector
	N      int
}

// NewFrame makes a frame; all vectors must have the same N.
func NewFrame(s Schema, vecs ...*Vector) *Frame {
	f := &Frame{Schema: s, Vecs: vecs}
	if len(vecs) > 0 {
		f.N = vecs[0].N
	}
	return f
}
