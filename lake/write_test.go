package lake

import (
	"context"
	"fmt"
	"math/rand"
	"path/filepath"
	"picket/lake/duck"
	"strings"
	"testing"
	"time"
)

// TestOddTimes seals rows of every year from 1 to 9999 beside those of today: few files, no row lost, and the day that
// has most of them keeps a file of its own.
func TestOddTimes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	l := openLake(t, Options{Dir: dir, Now: func() time.Time { return now }})
	r := rand.New(rand.NewSource(5))
	k := 0
	for range 9 {
		var b strings.Builder
		for range 300 {
			fmt.Fprintf(&b, `{"k":%d,"TimeGenerated":"%s"}`+"\n", k, time.Date(1+r.Intn(9999), time.Month(1+r.Intn(12)), 1+r.Intn(28), r.Intn(24), 0, 0, 0, time.UTC).Format(time.RFC3339))
			k++
		}
		for range 300 {
			fmt.Fprintf(&b, `{"k":%d,"TimeGenerated":"2026-11-24T0%d:00:00Z"}`+"\n", k, r.Intn(10))
			k++
		}
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime"), NDJSON: []byte(b.String())})
		if err := l.Seal(ctx, "T"); err != nil {
			t.Fatal(err)
		}
	}
	look := func(when string, most int) {
		t.Helper()
		if n := count(t, l, "T"); n != k {
			t.Fatalf("%s: %d rows of %d", when, n, k)
		}
		files, err := filepath.Glob(filepath.Join(dir, "segments", "T", "*", "*"))
		if err != nil || len(files) > most {
			t.Fatalf("%s: %d files, %v", when, len(files), err)
		}
		at := func(s string) time.Time { x, _ := time.Parse(time.RFC3339, s); return x }
		got := strings.Count(rows(t, l, "T", Need{Columns: []string{"k"}, TimeFrom: at("2026-11-24T00:00:00Z"), TimeTo: at("2026-11-24T23:59:59Z")}), "\n")
		if got < 2700 || got > 2710 {
			t.Fatalf("%s: %d rows of today", when, got)
		}
		past := strings.Count(rows(t, l, "T", Need{Columns: []string{"k"}, TimeTo: at("2026-11-23T23:59:59Z")}), "\n")
		future := strings.Count(rows(t, l, "T", Need{Columns: []string{"k"}, TimeFrom: at("2026-11-25T00:00:00Z")}), "\n")
		if past+got+future != k {
			t.Fatalf("%s: %d + %d + %d rows, want %d", when, past, got, future, k)
		}
	}
	look("sealed", 3*9)
	if err := l.compact(ctx); err != nil {
		t.Fatal(err)
	}
	if err := l.removeOld(ctx); err != nil {
		t.Fatal(err)
	}
	look("merged", 8)
	// nobody merges them again and again
	before := len(l.current().table("T").Segs)
	if err := l.compact(ctx); err != nil || len(l.current().table("T").Segs) != before {
		t.Fatal(err)
	}
	if err := l.SetRetention(ctx, "T", 365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	now = now.Add(366 * 24 * time.Hour)
	if err := l.expire(ctx); err != nil {
		t.Fatal(err)
	}
	k = strings.Count(rows(t, l, "T", Need{Columns: []string{"k"}, TimeFrom: now.Add(-366 * 24 * time.Hour)}), "\n")
	if n := count(t, l, "T"); n != k || n == 0 {
		t.Fatalf("%d rows after a year, %d are later than that", n, k)
	}
}

// TestShrink seals what filled the database and looks that its room is given back, with rows and ids where they were.
func TestShrink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLake(t, Options{Dir: dir})
	add := func(table string, n int) {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `{"k":%d,"s":"%032x%032x"}`+"\n", i, rand.Int63(), rand.Int63())
		}
		mustAppend(t, l, Batch{Table: table, Columns: cols("k:long s:string"), NDJSON: []byte(b.String()), Marks: map[string]string{"m": table}})
	}
	for range 6 {
		add("T", 60_000)
	}
	if err := l.raw(ctx, func(ctx context.Context, c *duck.Conn) error { _, err := c.Exec(ctx, `CHECKPOINT`); return err }); err != nil {
		t.Fatal(err)
	}
	add("Small", 15_000) // lies behind
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if err := l.raw(ctx, func(ctx context.Context, c *duck.Conn) error { _, err := c.Exec(ctx, `CHECKPOINT`); return err }); err != nil {
		t.Fatal(err)
	}
	ids := rows(t, l, "Small", Need{Columns: []string{"k", ColRow}})
	before := fileSize(l.dbPath())
	if err := l.Shrink(ctx); err != nil {
		t.Fatal(err)
	}
	after := fileSize(l.dbPath())
	if before < shrinkFrom || after > before/2 {
		t.Fatalf("%d bytes became %d", before, after)
	}
	check := func() {
		t.Helper()
		if got := rows(t, l, "Small", Need{Columns: []string{"k", ColRow}}); got != ids {
			t.Fatalf("rows have other numbers: %s, were %s", got, ids)
		}
		if a, b := count(t, l, "T"), count(t, l, "Small"); a != 360_000 || b != 15_000 {
			t.Fatal(a, b)
		}
		if m, err := l.Mark(ctx, "m"); err != nil || m != "Small" {
			t.Fatal(m, err)
		}
	}
	check()
	l.Close()
	l = openLake(t, Options{Dir: dir})
	check()
	t.Logf("%d bytes became %d", before, after)
}
