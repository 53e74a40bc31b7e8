package duck

import (
	"context"
	"errors"
	"math"
	"picket/kql/value"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

func open(t *testing.T) *Conn {
	t.Helper()
	db, err := Open("", map[string]string{"threads": "2"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); db.Close() })
	return c
}

func collect(t *testing.T, c *Conn, sql string, s value.Schema, args ...any) [][]value.Value {
	t.Helper()
	var rows [][]value.Value
	err := c.Query(context.Background(), sql, args, s, func(f *value.Frame) error {
		for i := range f.N {
			var r []value.Value
			for _, v := range f.Vecs {
				r = append(r, v.At(i))
			}
			rows = append(rows, r)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

func one(t value.Type) value.Schema { return value.Schema{{Name: "x", Type: t}} }

func TestQueryReadsEveryType(t *testing.T) {
	c := open(t)
	tick, _ := value.ParseDatetime("2026-11-24T07:00:00.1234560Z")
	for _, x := range []struct {
		sql  string
		typ  value.Type
		want string
	}{
		{`SELECT true`, value.Bool, "True"},
		{`SELECT NULL::BOOLEAN`, value.Bool, ""},
		{`SELECT NULL`, value.String, ""},
		{`SELECT NULL`, value.GUID, ""},
		{`SELECT NULL`, value.Datetime, ""},
		{`SELECT -5::INTEGER`, value.Int, "-5"},
		{`SELECT 9007199254740993`, value.Long, "9007199254740993"},
		{`SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) t(x)`, value.Long, "-9223372036854775808"},
		{`SELECT 1.5::DOUBLE`, value.Real, "1.5"},
		{`SELECT 1.25::DECIMAL(10,2)`, value.Real, "1.25"},
		{`SELECT 12345678901234567890.123::DECIMAL(38,3)`, value.Decimal, "12345678901234567890.123"},
		{`SELECT '0.1000'`, value.Decimal, "0.1"},
		{`SELECT 'a string longer than twelve'`, value.String, "a string longer than twelve"},
		{`SELECT NULL::VARCHAR`, value.String, ""},
		{`SELECT TIMESTAMPTZ '2026-11-24 07:00:00.123456+00'`, value.Datetime, value.FormatDatetime(tick)},
		{`SELECT TIMESTAMPTZ '2026-11-24 07:00:00.123456+00' AS c0, 7::TINYINT AS "c0$t"`, value.Datetime, value.FormatDatetime(tick + 7)},
		{`SELECT DATE '0001-01-01'`, value.Datetime, "0001-01-01T00:00:00.0000000Z"},
		{`SELECT INTERVAL 90 MINUTE`, value.Timespan, "01:30:00"},
		{`SELECT 10000000::BIGINT`, value.Timespan, "00:00:01"},
		{`SELECT UUID 'f1b3bf66-0000-4000-8000-00000000000a'`, value.GUID, "f1b3bf66-0000-4000-8000-00000000000a"},
		{`SELECT '{"a":[1,2.5,9223372036854775807]}'`, value.Dynamic, `{"a":[1,2.5,9223372036854775807]}`},
	} {
		rows := collect(t, c, x.sql, one(x.typ))
		if len(rows) != 1 {
			t.Fatalf("%s: %d rows", x.sql, len(rows))
		}
		if got := rows[0][0].Text(); got != x.want {
			t.Errorf("%s: %q, want %q", x.sql, got, x.want)
		}
	}
}

func TestAppendGivesBackWhatWasStored(t *testing.T) {
	c := open(t)
	ctx := context.Background()
	if _, err := c.Exec(ctx, `CREATE TABLE t(b BOOLEAN, i INTEGER, l BIGINT, r DOUBLE, m VARCHAR, s VARCHAR, d TIMESTAMPTZ, "d$t" TINYINT, sp BIGINT, g UUID, y VARCHAR)`); err != nil {
		t.Fatal(err)
	}
	const n = 5000
	types := []value.Type{value.Bool, value.Int, value.Long, value.Real, value.Decimal, value.String, value.Datetime, value.Timespan, value.GUID, value.Dynamic}
	vecs := make([]*value.Vector, len(types))
	var schema value.Schema
	for k, typ := range types {
		v := value.New(typ, n)
		schema = append(schema, value.Column{Name: typ.String(), Type: typ})
		for i := range n {
			if i%7 == k {
				v.SetNull(i)
				continue
			}
			switch typ {
			case value.Bool:
				v.I[i] = int64(i % 2)
			case value.Int:
				v.I[i] = int64(int32(i * -7))
			case value.Long:
				v.I[i] = math.MaxInt64 - int64(i)
			case value.Real:
				v.F[i] = float64(i) / 3
			case value.Decimal:
				v.M[i] = decimal.New(int64(i), -5)
			case value.String:
				v.S[i] = strings.Repeat("é", i%40)
			case value.Datetime:
				v.I[i] = EpochTicks + int64(i)*12345679
			case value.Timespan:
				v.I[i] = int64(i) - 2500
			case value.GUID:
				v.G[i] = [16]byte{byte(i), 0xff, 3, byte(i >> 8)}
			case value.Dynamic:
				v.D[i] = []any{int64(i), "x"}
			}
		}
		vecs[k] = v
	}
	var cols []Col
	for k := range vecs {
		cols = append(cols, Col{Vec: vecs[k]})
		if types[k] == value.Datetime {
			cols = append(cols, Col{Vec: vecs[k], Tick: true})
		}
	}
	if err := c.Append(ctx, "t", cols, n); err != nil {
		t.Fatal(err)
	}
	at := 0
	err := c.Query(ctx, `SELECT * FROM t`, nil, schema, func(f *value.Frame) error {
		for i := range f.N {
			for k := range f.Vecs {
				if got, want := f.Vecs[k].At(i).Text(), vecs[k].At(at).Text(); got != want {
					t.Fatalf("row %d %s: %q, want %q", at, types[k], got, want)
				}
			}
			at++
		}
		return nil
	})
	if err != nil || at != n {
		t.Fatal(at, err)
	}
}

func TestCancelInterruptsAtOnce(t *testing.T) {
	c := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := c.Query(ctx, `SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7`, nil, one(value.Long), func(*value.Frame) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > 2*time.Second {
		t.Fatalf("it took %v", d)
	}
	if got := collect(t, c, `SELECT 1`, one(value.Long)); got[0][0].I != 1 {
		t.Fatal("the connection is unusable after an interrupt")
	}
}

func TestStreamsAndStopsEarly(t *testing.T) {
	c := open(t)
	stop := errors.New("enough")
	n := 0
	err := c.Query(context.Background(), `SELECT range FROM range(1000000000)`, nil, one(value.Long), func(f *value.Frame) error {
		n += f.N
		if n > 10000 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	err = c.Query(context.Background(), `SELECT CASE WHEN range = 100000 THEN error('boom') ELSE 1 END::BIGINT FROM range(1000000)`, nil, one(value.Long), func(f *value.Frame) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "boom") {
		t.Fatal("an error in mid-stream is lost:", err)
	}
}

func BenchmarkRead(b *testing.B) {
	db, err := Open("", map[string]string{"threads": "2"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	const n = 1_000_000
	if _, err := c.Exec(ctx, `CREATE TABLE t AS SELECT make_timestamptz(1700000000000000 + range) AS a, range AS b, 'user-' || range % 1000 AS c, 'a longer text of about thirty bytes ' || range % 7 AS d FROM range(1000000)`); err != nil {
		b.Fatal(err)
	}
	s := value.Schema{{Name: "a", Type: value.Datetime}, {Name: "b", Type: value.Long}, {Name: "c", Type: value.String}, {Name: "d", Type: value.String}}
	for b.Loop() {
		got := 0
		if err := c.Query(ctx, `SELECT * FROM t`, nil, s, func(f *value.Frame) error { got += f.N; return nil }); err != nil || got != n {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(n*4*b.N)/b.Elapsed().Seconds()/1e6, "Mcells/s")
}
