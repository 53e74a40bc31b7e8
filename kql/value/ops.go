package value

import "github.com/shopspring/decimal"

// CopyRow stores row si of src at storage index di of dst; the types must agree (Int and Long may mix).
func CopyRow(dst *Vector, di int, src *Vector, si int) {
	if src.IsNull(si) {
		dst.SetNull(di)
		return
	}
	k := src.Idx(si)
	switch dst.Type {
	case Bool, Int, Long, Datetime, Timespan:
		dst.I[di] = src.I[k]
	case Real:
		dst.F[di] = src.F[k]
	case String:
		dst.S[di] = src.S[k]
	case GUID:
		dst.G[di] = src.G[k]
	case Decimal:
		dst.M[di] = src.M[k]
	default:
		dst.D[di] = src.D[k]
	}
	if dst.Null != nil {
		dst.Null[di] = false
	}
}

// Grow lengthens v, which must not be Const, to n rows of zero values.
func (v *Vector) Grow(n int) {
	if n <= v.N {
		return
	}
	more := n - v.N
	switch v.Type {
	case Bool, Int, Long, Datetime, Timespan:
		v.I = append(v.I, make([]int64, more)...)
	case Real:
		v.F = append(v.F, make([]float64, more)...)
	case String:
		v.S = append(v.S, make([]string, more)...)
	case GUID:
		v.G = append(v.G, make([][16]byte, more)...)
	case Decimal:
		v.M = append(v.M, make([]decimal.Decimal, more)...)
	default:
		v.D = append(v.D, make([]any, more)...)
	}
	if v.Null != nil {
		v.Null = append(v.Null, make([]bool, more)...)
	}
	v.N = n
}

// Append adds row i of src at the end of v, which must not be Const.
func (v *Vector) Append(src *Vector, i int) {
	v.Grow(v.N + 1)
	CopyRow(v, v.N-1, src, i)
}

// AppendVector adds all rows of src at the end of v, which must not be Const.
func (v *Vector) AppendVector(src *Vector) {
	at := v.N
	if src.Const || (src.Null == nil) != (v.Null == nil) {
		v.Grow(at + src.N)
		for i := 0; i < src.N; i++ {
			CopyRow(v, at+i, src, i)
		}
		return
	}
	v.I = append(v.I, src.I...)
	v.F = append(v.F, src.F...)
	v.S = append(v.S, src.S...)
	v.G = append(v.G, src.G...)
	v.M = append(v.M, src.M...)
	v.D = append(v.D, src.D...)
	if v.Null != nil {
		v.Null = append(v.Null, src.Null...)
	}
	v.N += src.N
}

// Gather gives the rows of v that rows names, in that order; a negative row gives null ("" for a string).
func Gather(v *Vector, rows []int32) *Vector {
	if v.Const {
		neg := false
		for _, r := range rows {
			if r < 0 {
				neg = true
				break
			}
		}
		if !neg {
			c := *v
			c.N = len(rows)
			return &c
		}
	}
	out := New(v.Type, len(rows))
	switch {
	case v.Const:
		for i, r := range rows {
			if r < 0 {
				out.SetNull(i)
			} else {
				CopyRow(out, i, v, 0)
			}
		}
		return out
	case out.I != nil:
		gather(out.I, v.I, rows)
	case out.F != nil:
		gather(out.F, v.F, rows)
	case out.S != nil:
		gather(out.S, v.S, rows)
	case out.G != nil:
		gather(out.G, v.G, rows)
	case out.M != nil:
		gather(out.M, v.M, rows)
	default:
		gather(out.D, v.D, rows)
	}
	if v.Null != nil {
		for i, r := range rows {
			if r >= 0 && v.Null[r] {
				out.SetNull(i)
			}
		}
	}
	if v.Type != String && v.Type != Dynamic {
		for i, r := range rows {
			if r < 0 {
				out.SetNull(i)
			}
		}
	}
	return out
}

func gather[T any](dst, src []T, rows []int32) {
	for i, r := range rows {
		if r >= 0 {
			dst[i] = src[r]
		}
	}
}

// Slice gives rows from to to-1 of v, sharing its storage.
func (v *Vector) Slice(from, to int) *Vector {
	out := *v
	out.N = to - from
	if v.Const {
		return &out
	}
	switch v.Type {
	case Bool, Int, Long, Datetime, Timespan:
		out.I = v.I[from:to:to]
	case Real:
		out.F = v.F[from:to:to]
	case String:
		out.S = v.S[from:to:to]
	case GUID:
		out.G = v.G[from:to:to]
	case Decimal:
		out.M = v.M[from:to:to]
	default:
		out.D = v.D[from:to:to]
	}
	if v.Null != nil {
		out.Null = v.Null[from:to:to]
	}
	return &out
}

// Flat gives v with one stored element a row: v itself unless it is Const.
func (v *Vector) Flat() *Vector {
	if !v.Const {
		return v
	}
	out := New(v.Type, v.N)
	for i := 0; i < v.N; i++ {
		CopyRow(out, i, v, i)
	}
	return out
}

// Nulls makes a vector of n nulls (empty strings for String).
func Nulls(t Type, n int) *Vector {
	v := NewConst(t, n)
	v.SetNull(0)
	return v
}

// Bytes estimates the memory that v holds, for limits.
func (v *Vector) Bytes() int64 {
	b := int64(len(v.I))*8 + int64(len(v.F))*8 + int64(len(v.S))*16 + int64(len(v.G))*16 + int64(len(v.M))*24 + int64(len(v.D))*16 + int64(len(v.Null))
	for _, s := range v.S {
		b += int64(len(s))
	}
	for _, d := range v.D {
		b += ElemBytes(d)
	}
	return b
}

// ElemBytes estimates the memory behind a dynamic element.
func ElemBytes(e any) int64 {
	switch x := e.(type) {
	case nil, bool:
		return 0
	case string:
		return int64(len(x)) + 16
	case []any:
		b := int64(24 + 16*len(x))
		for _, y := range x {
			b += ElemBytes(y)
		}
		return b
	case *Bag:
		b := int64(64)
		for i, k := range x.keys {
			b += 64 + 2*int64(len(k)) + ElemBytes(x.vals[i])
		}
		return b
	}
	return 16
}
