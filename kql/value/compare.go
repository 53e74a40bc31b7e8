package value

import "github.com/cespare/xxhash/v2"

// Compare orders two values of one type as [CompareRows] does: null first, then NaN, then by value. It is the
// order of sort, min and max, not of the operators < and >.
func Compare(a, b Value) int { return CompareRows(ConstOf(a, 1), 0, ConstOf(b, 1), 0) }

// Equal reports whether two values are the same for grouping and joining: null equals null, NaN equals NaN.
func Equal(a, b Value) bool {
	if a.Null || b.Null {
		return a.Null == b.Null
	}
	return string(AppendKey(nil, ConstOf(a, 1), 0)) == string(AppendKey(nil, ConstOf(b, 1), 0))
}

// HashInto mixes the keys of a column into h, one hash a row; start from zeros and call it once a column. Rows
// with equal keys (as in [AppendKey]) get equal hashes.
func HashInto(h []uint64, v *Vector) {
	const m = 0x9E3779B97F4A7C15
	var buf []byte
	for i := range h {
		var x uint64
		k := v.Idx(i)
		switch v.Type {
		case String:
			x = xxhash.Sum64String(v.S[k])
		case Bool, Int, Long, Datetime, Timespan:
			if v.Null != nil && v.Null[k] {
				x = 0x5BD1E995
			} else {
				x = uint64(v.I[k])*m + 1
				x ^= x >> 29
				x *= 0xBF58476D1CE4E5B9
				x ^= x >> 32
			}
		default:
			buf = AppendKey(buf[:0], v, i)
			x = xxhash.Sum64(buf)
		}
		h[i] = (h[i]^x)*m + (h[i] >> 31)
	}
}
