package eval

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"picket/kql/value"

	"github.com/cespare/xxhash/v2"
)

func hashFuncs(t table) {
	t.pure("hash", hashFunc)
	t.pure("hash_xxhash64", hashFunc)
	digest := func(name string, f func([]byte) string) {
		t.pure(name, str1(func(s string) string { return f([]byte(s)) }))
	}
	digest("hash_sha256", func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) })
	digest("hash_md5", func(b []byte) string { h := md5.Sum(b); return hex.EncodeToString(h[:]) })
	digest("hash_sha1", func(b []byte) string { h := sha1.Sum(b); return hex.EncodeToString(h[:]) })
	for _, n := range []string{"hash_combine", "hash_many", "__hash_crc32", "__hash_djb2", "__hash_xxh64", "__hash_many_crc32"} {
		t.pure(n, func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
			return nil, refuse(n, "the way the service computes it is not published; use hash() over strcat() or hash_sha256()")
		})
	}
}

// hashFunc is hash(source[, mod]): xxhash64, of a text over its bytes, of everything else over the little-endian
// bytes of its 8 byte (a bool 1, a guid 16) form.
func hashFunc(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := args[0]
	if a.Type == value.Dynamic || a.Type == value.Decimal {
		a = convert(a, value.String)
	}
	var mod col[int64]
	if len(args) > 1 {
		mod = longs(args[1])
	}
	out := value.New(value.Long, n)
	var b [16]byte
	for i := range out.I {
		k := a.Idx(i)
		if a.IsNull(i) {
			out.SetNull(i)
			continue
		}
		var h uint64
		switch a.Type {
		case value.String:
			h = xxhash.Sum64String(a.S[k])
		case value.Bool:
			b[0] = byte(a.I[k])
			h = xxhash.Sum64(b[:1])
		case value.Real:
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(a.F[k]))
			h = xxhash.Sum64(b[:8])
		case value.GUID:
			b = swapGUID(a.G[k])
			h = xxhash.Sum64(b[:])
		default:
			binary.LittleEndian.PutUint64(b[:], uint64(a.I[k]))
			h = xxhash.Sum64(b[:8])
		}
		out.I[i] = int64(h)
		if len(args) > 1 {
			if m := mod.at(i); mod.isNull(i) || m <= 0 {
				out.SetNull(i)
			} else {
				out.I[i] = int64(h % uint64(m))
			}
		}
	}
	return out, nil
}
