package duck

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/big"
	"picket/kql/value"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	"github.com/shopspring/decimal"
)

// Query runs one SELECT (statements before it run first) and hands its rows to f in frames of the schema. Result
// columns match the schema by position; a result column named like the one before it plus "$t" adds its digits to
// that datetime. Frames own their data. f must not use the connection.
func (c *Conn) Query(ctx context.Context, sql string, args []any, schema value.Schema, f func(*value.Frame) error) error {
	r, err := c.Start(ctx, sql, args, schema)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		fr, err := r.Next(ctx)
		if err != nil || fr == nil {
			return err
		}
		if err := f(fr); err != nil {
			return err
		}
	}
}

// Rows is a result that is computed while it is read. Until it is closed, or Next gave its end, the connection must do
// nothing else.
type Rows struct {
	c       *Conn
	st      duckdb.PreparedStatement
	pending duckdb.PendingResult
	res     duckdb.Result
	schema  value.Schema
	cols    []resultCol
	closed  bool
}

// Start begins a query; see [Conn.Query] for the forms.
func (c *Conn) Start(ctx context.Context, sql string, args []any, schema value.Schema) (*Rows, error) {
	r := &Rows{c: c, schema: schema}
	err := c.guard(ctx, func() error {
		return c.each(sql, args, func(st duckdb.PreparedStatement, last bool) (keep bool, err error) {
			if !last {
				return false, execute(st, nil)
			}
			r.st = st
			if duckdb.PendingPreparedStreaming(st, &r.pending) == duckdb.StateError {
				return true, newError(duckdb.PendingError(r.pending))
			}
			if duckdb.ExecutePending(r.pending, &r.res) == duckdb.StateError {
				return true, newError(duckdb.ResultError(&r.res))
			}
			r.cols, err = plan(&r.res, schema)
			return true, err
		})
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Next gives the next frame, nil at the end.
func (r *Rows) Next(ctx context.Context) (fr *value.Frame, err error) {
	if r.closed {
		return nil, nil
	}
	err = r.c.guard(ctx, func() error {
		for {
			chunk := duckdb.FetchChunk(r.res)
			if chunk.Ptr == nil {
				if msg := duckdb.ResultError(&r.res); msg != "" {
					return newError(msg)
				}
				return nil
			}
			n := int(duckdb.DataChunkGetSize(chunk))
			if n == 0 {
				duckdb.DestroyDataChunk(&chunk)
				continue
			}
			fr = &value.Frame{Schema: r.schema, Vecs: make([]*value.Vector, len(r.schema)), N: n}
			defer duckdb.DestroyDataChunk(&chunk)
			for i := range r.cols {
				if err := r.cols[i].read(chunk, n, fr); err != nil {
					return err
				}
			}
			return nil
		}
	})
	if err != nil || fr == nil {
		r.Close()
	}
	return fr, err
}

// Close ends the query.
func (r *Rows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	duckdb.DestroyResult(&r.res)
	duckdb.DestroyPending(&r.pending)
	duckdb.DestroyPrepare(&r.st)
}

// resultCol reads one result column into the frame's column out (or, a companion, adds to it).
type resultCol struct {
	in        duckdb.IdxT
	out       int
	typ       duckdb.Type
	name      string
	want      value.Type
	companion bool
	width     uint8 // of a DECIMAL
	scale     uint8
	inner     duckdb.Type // storage of a DECIMAL
}

func plan(res *duckdb.Result, schema value.Schema) ([]resultCol, error) {
	n := duckdb.ColumnCount(res)
	var cols []resultCol
	prev, out := "", 0
	for i := duckdb.IdxT(0); i < n; i++ {
		name := duckdb.ColumnName(res, i)
		c := resultCol{in: i, name: name, typ: duckdb.ColumnType(res, i)}
		if i > 0 && name == prev+"$t" && schema[out-1].Type == value.Datetime {
			c.out, c.companion = out-1, true
			cols = append(cols, c)
			continue
		}
		if out == len(schema) {
			return nil, fmt.Errorf("duckdb: the result has more columns than the %d of its schema; %q is one too many", len(schema), name)
		}
		c.out, c.want = out, schema[out].Type
		if c.typ == duckdb.TypeDecimal {
			lt := duckdb.ColumnLogicalType(res, i)
			c.width, c.scale, c.inner = duckdb.DecimalWidth(lt), duckdb.DecimalScale(lt), duckdb.DecimalInternalType(lt)
			duckdb.DestroyLogicalType(&lt)
		}
		cols = append(cols, c)
		prev = name
		out++
	}
	if out != len(schema) {
		return nil, fmt.Errorf("duckdb: the result has %d columns, its schema %d", out, len(schema))
	}
	return cols, nil
}

func slice[T any](p unsafe.Pointer, n int) []T { return unsafe.Slice((*T)(p), n) }

// nulls gives which rows are null, nil when none is.
func nulls(vec duckdb.Vector, n int) []bool {
	p := duckdb.VectorGetValidity(vec)
	if p == nil {
		return nil
	}
	mask := slice[uint64](p, (n+63)/64)
	var out []bool
	for i := range n {
		if mask[i/64]>>(i%64)&1 == 0 {
			if out == nil {
				out = make([]bool, n)
			}
			out[i] = true
		}
	}
	return out
}

func (c *resultCol) mismatch() error {
	return fmt.Errorf("duckdb: result column %q has DuckDB type %d, which can't be read as %s", c.name, c.typ, c.want)
}

func (c *resultCol) read(chunk duckdb.DataChunk, n int, fr *value.Frame) error {
	vec := duckdb.DataChunkGetVector(chunk, c.in)
	p := duckdb.VectorGetData(vec)
	null := nulls(vec, n)
	if c.companion {
		ints, ok := c.ints(p, n)
		if !ok {
			return c.mismatch()
		}
		into := fr.Vecs[c.out]
		for i, d := range ints {
			if null == nil || !null[i] {
				into.I[i] += d
			}
		}
		return nil
	}
	if allTrue(null) { // whatever its type, as of a bare NULL
		v := value.New(c.want, n)
		for i := range n {
			v.SetNull(i)
		}
		fr.Vecs[c.out] = v
		return nil
	}
	v := &value.Vector{Type: c.want, N: n, Null: null}
	fr.Vecs[c.out] = v
	isNull := func(i int) bool { return null != nil && null[i] }
	switch c.want {
	case value.Bool, value.Int, value.Long, value.Timespan:
		if c.typ == duckdb.TypeInterval && c.want == value.Timespan {
			v.I = make([]int64, n)
			for i, iv := range slice[rawInterval](p, n) {
				if isNull(i) {
					continue
				}
				if iv.months != 0 {
					return fmt.Errorf("duckdb: result column %q holds an interval of months, which is no timespan", c.name)
				}
				v.I[i] = (int64(iv.days)*86400_000_000 + iv.micros) * 10
			}
			return nil
		}
		ints, ok := c.ints(p, n)
		if !ok {
			return c.mismatch()
		}
		v.I = ints
		zeroNulls(v.I, null)
	case value.Datetime:
		ints, ok := c.ints(p, n)
		switch {
		case ok: // ticks
		case c.typ == duckdb.TypeTimestamp || c.typ == duckdb.TypeTimestampTZ:
			ints = make([]int64, n)
			for i, m := range slice[int64](p, n) {
				ints[i] = Ticks(m)
			}
		case c.typ == duckdb.TypeTimestampNS:
			ints = make([]int64, n)
			for i, m := range slice[int64](p, n) {
				ints[i] = floorDiv(m, 100) + EpochTicks
			}
		case c.typ == duckdb.TypeTimestampMS:
			ints = make([]int64, n)
			for i, m := range slice[int64](p, n) {
				ints[i] = m*10_000 + EpochTicks
			}
		case c.typ == duckdb.TypeTimestampS:
			ints = make([]int64, n)
			for i, m := range slice[int64](p, n) {
				ints[i] = m*10_000_000 + EpochTicks
			}
		case c.typ == duckdb.TypeDate:
			ints = make([]int64, n)
			for i, d := range slice[int32](p, n) {
				ints[i] = int64(d)*864_000_000_000 + EpochTicks
			}
		default:
			return c.mismatch()
		}
		v.I = ints
		zeroNulls(v.I, null)
	case value.Real:
		v.F = make([]float64, n)
		switch c.typ {
		case duckdb.TypeDouble:
			copy(v.F, slice[float64](p, n))
		case duckdb.TypeFloat:
			for i, x := range slice[float32](p, n) {
				v.F[i] = float64(x)
			}
		case duckdb.TypeHugeInt:
			for i, h := range slice[rawHuge](p, n) {
				v.F[i], _ = new(big.Float).SetInt(h.big()).Float64()
			}
		case duckdb.TypeDecimal:
			for i := range n {
				v.F[i] = c.decimalAt(p, i).InexactFloat64()
			}
		default:
			ints, ok := c.ints(p, n)
			if !ok {
				return c.mismatch()
			}
			for i, x := range ints {
				v.F[i] = float64(x)
			}
		}
		for i := range null {
			if null[i] {
				v.F[i] = 0
			}
		}
	case value.Decimal:
		v.M = make([]decimal.Decimal, n)
		switch c.typ {
		case duckdb.TypeVarchar:
			for i, s := range texts(p, n, null) {
				if isNull(i) {
					continue
				}
				d, err := decimal.NewFromString(s)
				if err != nil {
					return fmt.Errorf("duckdb: result column %q: %q is no decimal", c.name, s)
				}
				v.M[i] = d
			}
		case duckdb.TypeDecimal:
			for i := range n {
				if !isNull(i) {
					v.M[i] = c.decimalAt(p, i)
				}
			}
		case duckdb.TypeHugeInt:
			for i, h := range slice[rawHuge](p, n) {
				if !isNull(i) {
					v.M[i] = decimal.NewFromBigInt(h.big(), 0)
				}
			}
		default:
			ints, ok := c.ints(p, n)
			if !ok {
				return c.mismatch()
			}
			for i, x := range ints {
				v.M[i] = decimal.NewFromInt(x)
			}
		}
	case value.String:
		if c.typ != duckdb.TypeVarchar {
			return c.mismatch()
		}
		v.S, v.Null = texts(p, n, null), nil
	case value.GUID:
		v.G = make([][16]byte, n)
		switch c.typ {
		case duckdb.TypeUUID:
			for i, h := range slice[rawHuge](p, n) {
				if !isNull(i) {
					binary.BigEndian.PutUint64(v.G[i][:8], uint64(h.hi)^(1<<63))
					binary.BigEndian.PutUint64(v.G[i][8:], h.lo)
				}
			}
		case duckdb.TypeVarchar:
			for i, s := range texts(p, n, null) {
				if isNull(i) {
					continue
				}
				g, ok := value.ParseGUID(s)
				if !ok {
					return fmt.Errorf("duckdb: result column %q: %q is no guid", c.name, s)
				}
				v.G[i] = g
			}
		default:
			return c.mismatch()
		}
	case value.Dynamic:
		v.D, v.Null = make([]any, n), nil
		switch c.typ {
		case duckdb.TypeVarchar:
			var last string
			var lastD any
			for i, s := range texts(p, n, null) {
				if isNull(i) {
					continue
				}
				if s == last && i > 0 && lastD != nil {
					v.D[i] = lastD
					continue
				}
				d, err := value.ParseJSON(s)
				if err != nil {
					return fmt.Errorf("duckdb: result column %q holds text that is no JSON: %w", c.name, err)
				}
				v.D[i], last, lastD = d, s, d
			}
		case duckdb.TypeBoolean:
			for i, b := range slice[bool](p, n) {
				if !isNull(i) {
					v.D[i] = b
				}
			}
		case duckdb.TypeDouble:
			for i, x := range slice[float64](p, n) {
				if !isNull(i) {
					v.D[i] = x
				}
			}
		default:
			ints, ok := c.ints(p, n)
			if !ok {
				return c.mismatch()
			}
			for i, x := range ints {
				if !isNull(i) {
					v.D[i] = x
				}
			}
		}
	default:
		return c.mismatch()
	}
	return nil
}

func allTrue(b []bool) bool {
	for _, x := range b {
		if !x {
			return false
		}
	}
	return len(b) > 0
}

func zeroNulls(x []int64, null []bool) {
	for i := range null {
		if null[i] {
			x[i] = 0
		}
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// ints reads any whole-number column; a HUGEINT (as sum gives) wraps to 64 bits.
func (c *resultCol) ints(p unsafe.Pointer, n int) ([]int64, bool) {
	out := make([]int64, n)
	switch c.typ {
	case duckdb.TypeBoolean:
		for i, b := range slice[uint8](p, n) {
			out[i] = int64(b & 1)
		}
	case duckdb.TypeTinyInt:
		widen(out, slice[int8](p, n))
	case duckdb.TypeSmallInt:
		widen(out, slice[int16](p, n))
	case duckdb.TypeInteger:
		widen(out, slice[int32](p, n))
	case duckdb.TypeBigInt:
		copy(out, slice[int64](p, n))
	case duckdb.TypeUTinyInt:
		widen(out, slice[uint8](p, n))
	case duckdb.TypeUSmallInt:
		widen(out, slice[uint16](p, n))
	case duckdb.TypeUInteger:
		widen(out, slice[uint32](p, n))
	case duckdb.TypeUBigInt:
		widen(out, slice[uint64](p, n))
	case duckdb.TypeHugeInt, duckdb.TypeUHugeInt:
		for i, h := range slice[rawHuge](p, n) {
			out[i] = int64(h.lo)
		}
	default:
		return nil, false
	}
	if c.want == value.Int {
		for i := range out {
			out[i] = int64(int32(out[i]))
		}
	}
	return out, true
}

func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32 | uint64](out []int64, in []T) {
	for i, x := range in {
		out[i] = int64(x)
	}
}

type rawHuge struct {
	lo uint64
	hi int64
}

func (h rawHuge) big() *big.Int {
	b := new(big.Int).SetInt64(h.hi)
	b.Lsh(b, 64)
	return b.Add(b, new(big.Int).SetUint64(h.lo))
}

type rawInterval struct {
	months, days int32
	micros       int64
}

func (c *resultCol) decimalAt(p unsafe.Pointer, i int) decimal.Decimal {
	var b *big.Int
	switch c.inner {
	case duckdb.TypeSmallInt:
		b = big.NewInt(int64(*(*int16)(unsafe.Add(p, i*2))))
	case duckdb.TypeInteger:
		b = big.NewInt(int64(*(*int32)(unsafe.Add(p, i*4))))
	case duckdb.TypeBigInt:
		b = big.NewInt(*(*int64)(unsafe.Add(p, i*8)))
	default:
		b = (*(*rawHuge)(unsafe.Add(p, i*16))).big()
	}
	return decimal.NewFromBigInt(b, -int32(c.scale))
}

// rawString is DuckDB's string_t: up to 12 bytes inline, else a pointer behind a 4-byte prefix.
type rawString struct {
	n      uint32
	prefix [4]byte
	ptr    unsafe.Pointer
}

func (s *rawString) bytes() []byte {
	if s.n <= 12 {
		return unsafe.Slice((*byte)(unsafe.Pointer(&s.prefix)), s.n)
	}
	return unsafe.Slice((*byte)(s.ptr), s.n)
}

// texts copies a VARCHAR column; all its strings share one allocation. Nulls become "".
func texts(p unsafe.Pointer, n int, null []bool) []string {
	raw := slice[rawString](p, n)
	total := 0
	for i := range raw {
		if null == nil || !null[i] {
			total += int(raw[i].n)
		}
	}
	buf := make([]byte, 0, total)
	out := make([]string, n)
	for i := range raw {
		if raw[i].n == 0 || null != nil && null[i] {
			continue
		}
		at := len(buf)
		buf = append(buf, raw[i].bytes()...)
		out[i] = unsafe.String(unsafe.SliceData(buf[at:]), len(buf)-at)
	}
	return out
}

func uuidValue(g [16]byte) duckdb.UHugeInt {
	return duckdb.NewUHugeInt(binary.BigEndian.Uint64(g[8:]), binary.BigEndian.Uint64(g[:8]))
}
