package value

import (
	"encoding/binary"
	"math"
	"sort"
	"strings"

	"github.com/shopspring/decimal"
)

// Elem gives row i of v as a dynamic element (see dynamic.go); nil when it is null.
func Elem(v *Vector, i int) any {
	if v.IsNull(i) {
		return nil
	}
	k := v.Idx(i)
	switch v.Type {
	case Bool:
		return v.I[k] != 0
	case Int, Long:
		return v.I[k]
	case Datetime:
		return DateTime(v.I[k])
	case Timespan:
		return TimeSpan(v.I[k])
	case Real:
		return v.F[k]
	case String:
		return v.S[k]
	case GUID:
		return Guid(v.G[k])
	case Decimal:
		return v.M[k]
	}
	return v.D[k]
}

// AppendKey appends bytes that are equal exactly when two cells of the same type are equal as group or join
// keys: null equals null, NaN equals NaN, -0 equals 0, decimals compare by value, bags regardless of the order
// of their keys. Int and Long give the same bytes for the same number. Keys are self-delimiting.
func AppendKey(dst []byte, v *Vector, i int) []byte {
	if v.IsNull(i) {
		return append(dst, 0)
	}
	k := v.Idx(i)
	switch v.Type {
	case Bool, Int, Long, Datetime, Timespan:
		return binary.LittleEndian.AppendUint64(append(dst, 1), uint64(v.I[k]))
	case Real:
		return appendRealKey(dst, v.F[k])
	case String:
		return appendStringKey(dst, v.S[k])
	case GUID:
		return append(append(dst, 4), v.G[k][:]...)
	case Decimal:
		return appendDecimalKey(dst, v.M[k])
	}
	return AppendElemKey(dst, v.D[k])
}

func appendRealKey(dst []byte, f float64) []byte {
	switch {
	case f == 0:
		f = 0
	case math.IsNaN(f):
		f = math.NaN()
	}
	return binary.LittleEndian.AppendUint64(append(dst, 2), math.Float64bits(f))
}

func appendStringKey(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(append(dst, 3), uint64(len(s)))
	return append(dst, s...)
}

func appendDecimalKey(dst []byte, d decimal.Decimal) []byte {
	s := d.String()
	if strings.ContainsRune(s, '.') {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	dst = binary.AppendUvarint(append(dst, 5), uint64(len(s)))
	return append(dst, s...)
}

// AppendElemKey is [AppendKey] for a dynamic element. A whole number and a real of the same value differ.
func AppendElemKey(dst []byte, e any) []byte {
	switch x := e.(type) {
	case nil:
		return append(dst, 0)
	case bool:
		if x {
			return append(dst, 6, 1)
		}
		return append(dst, 6, 0)
	case int64:
		return binary.LittleEndian.AppendUint64(append(dst, 1), uint64(x))
	case float64:
		return appendRealKey(dst, x)
	case string:
		return appendStringKey(dst, x)
	case decimal.Decimal:
		return appendDecimalKey(dst, x)
	case DateTime:
		return binary.LittleEndian.AppendUint64(append(dst, 7), uint64(x))
	case TimeSpan:
		return binary.LittleEndian.AppendUint64(append(dst, 8), uint64(x))
	case Guid:
		return append(append(dst, 4), x[:]...)
	case []any:
		dst = binary.AppendUvarint(append(dst, 9), uint64(len(x)))
		for _, y := range x {
			dst = AppendElemKey(dst, y)
		}
		return dst
	case *Bag:
		keys := append([]string(nil), x.Keys()...)
		sort.Strings(keys)
		dst = binary.AppendUvarint(append(dst, 10), uint64(len(keys)))
		for _, k := range keys {
			dst = appendStringKey(dst, k)
			y, _ := x.Get(k)
			dst = AppendElemKey(dst, y)
		}
		return dst
	}
	return append(dst, 255)
}

// CompareRows orders row i of a against row j of b, two vectors of the same type (Int and Long may mix):
// -1, 0 or 1. Null is the smallest value, NaN the smallest number; strings compare by their bytes. Dynamics
// order by kind (null, bool, number, string, the rest), then by value; arrays and bags compare equal.
func CompareRows(a *Vector, i int, b *Vector, j int) int {
	an, bn := a.IsNull(i), b.IsNull(j)
	if an || bn {
		switch {
		case an && bn:
			return 0
		case an:
			return -1
		}
		return 1
	}
	i, j = a.Idx(i), b.Idx(j)
	switch a.Type {
	case Bool, Int, Long, Datetime, Timespan:
		return cmpInt(a.I[i], b.I[j])
	case Real:
		return CompareReals(a.F[i], b.F[j])
	case String:
		return strings.Compare(a.S[i], b.S[j])
	case GUID:
		return strings.Compare(string(a.G[i][:]), string(b.G[j][:]))
	case Decimal:
		return a.M[i].Cmp(b.M[j])
	}
	return CompareElems(a.D[i], b.D[j])
}

func cmpInt(x, y int64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// CompareReals orders two reals with NaN below every number and equal to itself.
func CompareReals(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	xn, yn := math.IsNaN(x), math.IsNaN(y)
	switch {
	case xn && yn:
		return 0
	case xn:
		return -1
	}
	return 1
}

func elemRank(e any) int {
	switch e.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case int64, float64, decimal.Decimal:
		return 2
	case DateTime:
		return 3
	case TimeSpan:
		return 4
	case Guid:
		return 5
	case string:
		return 6
	}
	return 7
}

// CompareElems orders two dynamic elements as [CompareRows] does.
func CompareElems(a, b any) int {
	ra, rb := elemRank(a), elemRank(b)
	if ra != rb {
		return cmpInt(int64(ra), int64(rb))
	}
	switch x := a.(type) {
	case bool:
		y := b.(bool)
		switch {
		case x == y:
			return 0
		case !x:
			return -1
		}
		return 1
	case int64:
		if y, ok := b.(int64); ok {
			return cmpInt(x, y)
		}
		return compareNumbers(a, b)
	case float64, decimal.Decimal:
		return compareNumbers(a, b)
	case DateTime:
		return cmpInt(int64(x), int64(b.(DateTime)))
	case TimeSpan:
		return cmpInt(int64(x), int64(b.(TimeSpan)))
	case Guid:
		y := b.(Guid)
		return strings.Compare(string(x[:]), string(y[:]))
	case string:
		return strings.Compare(x, b.(string))
	}
	return 0
}

func compareNumbers(a, b any) int {
	if _, ok := a.(decimal.Decimal); ok {
		if f, isF := b.(float64); !isF || (!math.IsNaN(f) && !math.IsInf(f, 0)) {
			return toDecimal(a).Cmp(toDecimal(b))
		}
	} else if _, ok := b.(decimal.Decimal); ok {
		if f, isF := a.(float64); !isF || (!math.IsNaN(f) && !math.IsInf(f, 0)) {
			return toDecimal(a).Cmp(toDecimal(b))
		}
	}
	return CompareReals(toFloat(a), toFloat(b))
}

func toDecimal(e any) decimal.Decimal {
	switch x := e.(type) {
	case int64:
		return decimal.NewFromInt(x)
	case float64:
		return decimal.NewFromFloat(x)
	case decimal.Decimal:
		return x
	}
	return decimal.Decimal{}
}

func toFloat(e any) float64 {
	switch x := e.(type) {
	case int64:
		return float64(x)
	case float64:
		return x
	case decimal.Decimal:
		f, _ := x.Float64()
		return f
	}
	return math.NaN()
}
