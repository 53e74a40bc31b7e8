package eval

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand"
	"picket/kql/value"
)

// systemFuncs answer from the query's context, not from data.
func systemFuncs(t table) {
	t.raw("rand", func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		r, err := c.random()
		if err != nil {
			return nil, err
		}
		out := value.New(value.Real, n)
		for i := range out.F {
			if len(args) == 0 {
				out.F[i] = r.Float64()
				continue
			}
			m := longs(args[0]).at(i)
			if m <= 0 {
				out.F[i] = r.Float64()
				continue
			}
			out.F[i] = float64(r.Int63n(m))
		}
		return out, nil
	})
	t.raw("new_guid", func(c *Ctx, _ value.Type, n int, _ []*value.Vector) (*value.Vector, error) {
		r, err := c.random()
		if err != nil {
			return nil, err
		}
		out := value.New(value.GUID, n)
		for i := range out.G {
			binary.LittleEndian.PutUint64(out.G[i][:8], r.Uint64())
			binary.LittleEndian.PutUint64(out.G[i][8:], r.Uint64())
			out.G[i][6] = out.G[i][6]&0x0f | 0x40
			out.G[i][8] = out.G[i][8]&0x3f | 0x80
		}
		return out, nil
	})
	named := func(name string, get func(*Ctx) string) {
		t.raw(name, func(c *Ctx, _ value.Type, n int, _ []*value.Vector) (*value.Vector, error) {
			s := get(c)
			if s == "" {
				return nil, refuse(name, "this query has no such identity")
			}
			return value.ConstOf(value.OfString(s), n), nil
		})
	}
	named("current_cluster_endpoint", func(c *Ctx) string { return c.Cluster })
	named("current_database", func(c *Ctx) string { return c.Database })
	named("current_principal", func(c *Ctx) string { return c.Principal })
	for name, why := range map[string]string{
		"current_principal_details":      "principals have no directory behind them here; use current_principal()",
		"current_principal_is_member_of": "principals have no directory behind them here",
		"extent_id":                      "tables have no extents here",
		"extentid":                       "tables have no extents here",
		"extent_tags":                    "tables have no extents here",
		"current_node_id":                "there are no engine nodes here",
		"row_id":                         "rows have no identifiers of the service here",
		"cursor_after":                   "database cursors are not supported; filter by ingestion_time()",
		"cursor_before_or_at":            "database cursors are not supported; filter by ingestion_time()",
		"cursor_current":                 "database cursors are not supported",
		"current_cursor":                 "database cursors are not supported",
		"rowstore_ordinal_range":         "is internal to the service",
		"__invoke":                       "is internal to the service",
	} {
		t.raw(name, func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
			return nil, refuse(name, "%s", why)
		})
	}
}

func (c *Ctx) random() (*rand.Rand, error) {
	if c.Rand == nil {
		var seed [8]byte
		if _, err := crand.Read(seed[:]); err != nil {
			return nil, refuse("rand", "no source of randomness: %v", err)
		}
		c.Rand = rand.New(rand.NewSource(int64(binary.LittleEndian.Uint64(seed[:]))))
	}
	return c.Rand, nil
}
