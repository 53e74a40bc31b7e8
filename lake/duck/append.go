package duck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"picket/kql/value"
	"strings"
	"unicode/utf8"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Col is one column of an append, in the storage form of its type (package lake's table).
type Col struct {
	Vec  *value.Vector
	Tick bool // Vec is a datetime, of which the seventh digit is stored as TINYINT
}

func (c *Col) storage() (duckdb.Type, error) {
	if c.Tick {
		return duckdb.TypeTinyInt, nil
	}
	switch c.Vec.Type {
	case value.Bool:
		return duckdb.TypeBoolean, nil
	case value.Int:
		return duckdb.TypeInteger, nil
	case value.Long, value.Timespan:
		return duckdb.TypeBigInt, nil
	case value.Real:
		return duckdb.TypeDouble, nil
	case value.Decimal, value.String, value.Dynamic:
		return duckdb.TypeVarchar, nil
	case value.Datetime:
		return duckdb.TypeTimestampTZ, nil
	case value.GUID:
		return duckdb.TypeUUID, nil
	}
	return 0, fmt.Errorf("duckdb: a vector of type %s can't be stored", c.Vec.Type)
}

// Append adds n rows to the table: cols are all its columns, in order, each of n rows.
func (c *Conn) Append(ctx context.Context, table string, cols []Col, n int) error {
	return c.guard(ctx, func() error {
		types := make([]duckdb.LogicalType, len(cols))
		defer func() {
			for i := range types {
				if types[i].Ptr != nil {
					duckdb.DestroyLogicalType(&types[i])
				}
			}
		}()
		for i := range cols {
			if cols[i].Vec.N != n {
				return fmt.Errorf("duckdb: column %d has %d rows, the append %d", i+1, cols[i].Vec.N, n)
			}
			t, err := cols[i].storage()
			if err != nil {
				return err
			}
			types[i] = duckdb.CreateLogicalType(t)
		}
		var app duckdb.Appender
		state := duckdb.AppenderCreate(c.c, "", table, &app)
		defer duckdb.AppenderDestroy(&app)
		fail := func() error {
			if msg := duckdb.AppenderError(app); msg != "" {
				return newError(msg)
			}
			return errors.New("duckdb: the append failed")
		}
		if state == duckdb.StateError {
			return fail()
		}
		size := int(duckdb.VectorSize())
		for from := 0; from < n; from += size {
			to := min(n, from+size)
			chunk := duckdb.CreateDataChunk(types)
			for i := range cols {
				cols[i].fill(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)), from, to)
			}
			duckdb.DataChunkSetSize(chunk, duckdb.IdxT(to-from))
			state := duckdb.AppendDataChunk(app, chunk)
			duckdb.DestroyDataChunk(&chunk)
			if state == duckdb.StateError {
				return fail()
			}
		}
		if duckdb.AppenderClose(app) == duckdb.StateError {
			return fail()
		}
		return nil
	})
}

// fill writes rows from..to of the column into the chunk's vector.
func (c *Col) fill(vec duckdb.Vector, from, to int) {
	v := c.Vec
	p := duckdb.VectorGetData(vec)
	n := to - from
	var mask []uint64
	for i := range n {
		if v.Type != value.String && v.IsNull(from+i) {
			if mask == nil {
				duckdb.VectorEnsureValidityWritable(vec)
				mask = slice[uint64](duckdb.VectorGetValidity(vec), (n+63)/64)
			}
			mask[i/64] &^= 1 << (i % 64)
		}
	}
	isNull := func(i int) bool { return mask != nil && mask[i/64]>>(i%64)&1 == 0 }
	switch {
	case c.Tick:
		out := slice[int8](p, n)
		for i := range out {
			out[i] = int8(v.I[v.Idx(from+i)] % 10)
		}
	case v.Type == value.Bool:
		out := slice[uint8](p, n)
		for i := range out {
			out[i] = uint8(v.I[v.Idx(from+i)] & 1)
		}
	case v.Type == value.Int:
		out := slice[int32](p, n)
		for i := range out {
			out[i] = int32(v.I[v.Idx(from+i)])
		}
	case v.Type == value.Long || v.Type == value.Timespan:
		out := slice[int64](p, n)
		for i := range out {
			out[i] = v.I[v.Idx(from+i)]
		}
	case v.Type == value.Datetime:
		out := slice[int64](p, n)
		for i := range out {
			out[i] = Micros(v.I[v.Idx(from+i)])
		}
	case v.Type == value.Real:
		out := slice[float64](p, n)
		for i := range out {
			out[i] = v.F[v.Idx(from+i)]
		}
	case v.Type == value.GUID:
		out := slice[rawHuge](p, n)
		for i := range out {
			g := v.G[v.Idx(from+i)]
			out[i] = rawHuge{lo: binary.BigEndian.Uint64(g[8:]), hi: int64(binary.BigEndian.Uint64(g[:8]) ^ 1<<63)}
		}
	case v.Type == value.String:
		for i := range n {
			setText(vec, p, i, v.S[v.Idx(from+i)])
		}
	case v.Type == value.Decimal:
		for i := range n {
			if !isNull(i) {
				setText(vec, p, i, v.M[v.Idx(from+i)].String())
			}
		}
	default: // dynamic
		for i := range n {
			if !isNull(i) {
				setText(vec, p, i, string(value.AppendJSON(nil, v.D[v.Idx(from+i)])))
			}
		}
	}
}

// setText stores a string; the short ones are written in place, without a call into C. Bytes that are not UTF-8 become
// U+FFFD: DuckDB would refuse them, and with them the rest of the append.
func setText(vec duckdb.Vector, p unsafe.Pointer, i int, s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= 12 {
		r := (*[16]byte)(unsafe.Add(p, i*16))
		*r = [16]byte{}
		*(*uint32)(unsafe.Pointer(r)) = uint32(len(s))
		copy(r[4:], s)
		return
	}
	duckdb.VectorAssignStringElementLen(vec, duckdb.IdxT(i), unsafe.Slice(unsafe.StringData(s), len(s)))
}
