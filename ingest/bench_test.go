package ingest

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"picket/lake/duck"
	"strings"
	"syscall"
	"testing"
	"time"
)

// body20 makes about a megabyte of rows of 20 columns.
func body20(seed int64) (string, int) {
	var b strings.Builder
	r := rand.New(rand.NewSource(seed))
	n := 0
	b.WriteByte('[')
	for b.Len() < 1<<20 {
		if n++; n > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ts":"2026-11-24T0%d:%02d:%02d.%03dZ"`, r.Intn(10), r.Intn(60), r.Intn(60), r.Intn(1000))
		for i := range 12 {
			fmt.Fprintf(&b, `,"str%d":"value-%d-%d"`, i, i, r.Intn(100000))
		}
		for i := range 5 {
			fmt.Fprintf(&b, `,"num%d":%d`, i, r.Intn(1e6))
		}
		fmt.Fprintf(&b, `,"ok":%v,"id":"%08x-1234-4321-8888-%012x"}`, r.Intn(2) == 0, r.Uint32(), r.Int63n(1<<40))
	}
	b.WriteByte(']')
	return b.String(), n
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCollect measures a body of 1 MB through Collect against its peer in the same run: DuckDB alone reading
// the same bytes with its columns given, inserting and committing. The two take turns; "of-raw" is Collect's rows a
// CPU second over the peer's.
func BenchmarkCollect(b *testing.B) {
	body, rows := body20(1)
	in := open(b)
	dir := b.TempDir()
	db, err := duck.Open(filepath.Join(dir, "raw.duckdb"), map[string]string{"threads": "2", "memory_limit": "1GB", "preserve_insertion_order": "false", "wal_autocheckpoint": "4GB"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	cols, ddl := "ts: 'TIMESTAMPTZ'", "ts TIMESTAMPTZ"
	add := func(name, typ string) {
		cols += ", " + name + ": '" + typ + "'"
		ddl += ", " + name + " " + typ
	}
	for i := range 12 {
		add(fmt.Sprintf("str%d", i), "VARCHAR")
	}
	for i := range 5 {
		add(fmt.Sprintf("num%d", i), "DOUBLE")
	}
	add("ok", "BOOLEAN")
	add("id", "VARCHAR")
	exec := func(sql string) {
		if _, err := c.Exec(ctx, sql); err != nil {
			b.Fatal(sql, err)
		}
	}
	exec("SET TimeZone='UTC'; CREATE TABLE raw(" + ddl + ")")
	file := filepath.Join(dir, "body.json")
	raw := func() {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			b.Fatal(err)
		}
		exec("BEGIN")
		exec(`INSERT INTO raw SELECT * FROM read_json('` + file + `', format='array', columns={` + cols + `}, compression='uncompressed')`)
		exec("COMMIT")
	}
	in.mustCollect(b, "Bench", body)
	raw()
	var mine, peer, wall time.Duration
	n := 0
	for b.Loop() {
		at, w := cpuTime(), time.Now()
		in.mustCollect(b, "Bench", body)
		mid := cpuTime()
		wall += time.Since(w)
		raw()
		mine += mid - at
		peer += cpuTime() - mid
		n++
	}
	b.ReportMetric(float64(rows*n)/mine.Seconds(), "rows/cpu-s")
	b.ReportMetric(float64(rows*n)/peer.Seconds(), "raw-rows/cpu-s")
	b.ReportMetric(float64(rows*n)/wall.Seconds(), "rows/s")
	b.ReportMetric(peer.Seconds()/mine.Seconds(), "of-raw")
}

// BenchmarkScan measures the check and the look at the values alone.
func BenchmarkScan(b *testing.B) {
	body, _ := body20(1)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := scan([]byte(body), "", 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSlow measures a body whose one field drifts, so that it is decoded in Go.
func BenchmarkSlow(b *testing.B) {
	body, rows := body20(1)
	body = strings.Replace(body, `"num3":`, `"num3":"x","num9":`, 1)
	in := open(b)
	b.SetBytes(int64(len(body)))
	at := cpuTime()
	n := 0
	for b.Loop() {
		in.mustCollect(b, "Bench", body)
		n++
	}
	b.ReportMetric(float64(rows*n)/(cpuTime()-at).Seconds(), "rows/cpu-s")
}

// BenchmarkSenders measures several senders at once, as rows a second of wall time.
func BenchmarkSenders(b *testing.B) {
	body, rows := body20(1)
	in := open(b)
	in.mustCollect(b, "Bench", body)
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			in.mustCollect(b, "Bench", body)
		}
	})
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}
