package eval

import (
	"math"
	"picket/kql/value"

	"github.com/shopspring/decimal"
)

func binFuncs(t table) {
	t.pure("bin", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return binAt(ret, n, args[0], args[1], nil), nil
	})
	t.pure("floor", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return binAt(ret, n, args[0], args[1], nil), nil
	})
	t.pure("bin_at", func(_ *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return binAt(ret, n, args[0], args[1], args[2]), nil
	})
	t.raw("bin_auto", func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		if c.BinAutoSize.Type == value.Invalid {
			return nil, refuse("bin_auto", "the query sets no query_bin_auto_size; set it or use bin()")
		}
		var at *value.Vector
		if c.BinAutoAt.Type != value.Invalid {
			at = value.ConstOf(c.BinAutoAt, n)
		}
		return binAt(ret, n, args[0], value.ConstOf(c.BinAutoSize, n), at), nil
	})
}

// binAt rounds down to a multiple of size counted from a fixed point (nil is 0; for datetimes 0001-01-01). A size
// that is null, zero or negative gives null.
func binAt(ret value.Type, n int, x, size, fixed *value.Vector) *value.Vector {
	switch {
	case ret == value.Real || (x.Type == value.Timespan || x.Type == value.Datetime) && (size.Type == value.Real || size.Type == value.Decimal):
		return binReals(ret, n, x, size, fixed)
	case ret == value.Decimal:
		return binDecimals(n, x, size, fixed)
	}
	if ret != value.Int && ret != value.Long && ret != value.Datetime && ret != value.Timespan {
		ret = value.Long
	}
	a, s := longs(x), longs(size)
	var f col[int64]
	if fixed != nil {
		f = longs(fixed)
	}
	out := value.New(ret, n)
	for i := range out.I {
		b := s.at(i)
		if a.isNull(i) || s.isNull(i) || b <= 0 || fixed != nil && f.isNull(i) {
			out.SetNull(i)
			continue
		}
		base := int64(0)
		if fixed != nil {
			base = f.at(i)
		}
		d := a.at(i) - base
		out.I[i] = d - euclid(d, b) + base
	}
	if ret == value.Datetime {
		dropBadDatetimes(out)
	}
	return out
}

func binReals(ret value.Type, n int, x, size, fixed *value.Vector) *value.Vector {
	a, s := reals(x), reals(size)
	var f col[float64]
	if fixed != nil {
		f = reals(fixed)
	}
	out := value.New(value.Real, n)
	for i := range out.F {
		b := s.at(i)
		if a.isNull(i) || s.isNull(i) || !(b > 0) || fixed != nil && f.isNull(i) {
			out.SetNull(i)
			continue
		}
		base := 0.0
		if fixed != nil {
			base = f.at(i)
		}
		out.F[i] = math.Floor((a.at(i)-base)/b)*b + base
	}
	return convert(out, ret)
}

func binDecimals(n int, x, size, fixed *value.Vector) *value.Vector {
	a, s := decimals(x), decimals(size)
	var f col[decimal.Decimal]
	if fixed != nil {
		f = decimals(fixed)
	}
	out := value.New(value.Decimal, n)
	for i := range out.M {
		if a.isNull(i) || s.isNull(i) || !s.at(i).IsPositive() || fixed != nil && f.isNull(i) {
			out.SetNull(i)
			continue
		}
		base := decimal.Zero
		if fixed != nil {
			base = f.at(i)
		}
		d := a.at(i).Sub(base)
		m := d.Mod(s.at(i))
		if m.IsNegative() {
			m = m.Add(s.at(i))
		}
		out.M[i] = d.Sub(m).Add(base)
	}
	return out
}
