//go:build linux

package lake

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// soakState is what must not grow.
type soakState struct {
	heap, duck, spill, stage, database int64 // bytes; duck without cache
	cache                              int64 // of files' content and footers, which gives way when memory is needed
	open, files, segments              int
	rows                               int64
}

func (s soakState) String() string {
	return fmt.Sprintf("heap %.1f MB, DuckDB %.1f MB and %.1f MB of cache, database %.1f MB, spill and stage %d bytes, %d open files, %d segment files, %d rows",
		float64(s.heap)/1e6, float64(s.duck)/1e6, float64(s.cache)/1e6, float64(s.database)/1e6, s.spill+s.stage, s.open, s.files, s.rows)
}

func measureSoak(t *testing.T, l *Lake) (s soakState) {
	t.Helper()
	size := func(dir string) (n int64, files int) {
		err := filepath.Walk(filepath.Join(l.o.Dir, dir), func(_ string, st os.FileInfo, err error) error {
			if err == nil && !st.IsDir() {
				n += st.Size()
				files++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, files
	}
	s.spill, _ = size("spill")
	s.stage, _ = size("stage")
	_, s.files = size("segments")
	for _, f := range []string{"lake.duckdb", "lake.duckdb.wal"} {
		s.database += fileSize(filepath.Join(l.o.Dir, f))
	}
	err := l.raw(ctx, func(ctx context.Context, c *duck.Conn) error {
		const cached = `tag IN ('EXTERNAL_FILE_CACHE', 'OBJECT_CACHE')`
		q := `SELECT sum(memory_usage_bytes) FILTER (NOT ` + cached + `)::BIGINT, sum(memory_usage_bytes) FILTER (` + cached + `)::BIGINT FROM duckdb_memory()`
		return c.Query(ctx, q, nil, longs("n", "cache"), func(f *value.Frame) error {
			s.duck, s.cache = f.Vecs[0].I[0], f.Vecs[1].I[0]
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := l.Tables(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		s.rows += d.Rows + d.ArchivedRows
		s.segments += d.Segments + d.ArchivedSegments
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	s.open = len(fds)
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap = int64(m.HeapAlloc)
	return s
}

// TestSoak lets two days pass on a simulated clock: small mixed batches into 30 tables, with sealing, merging,
// retention, archive, promotion, purges and queries. The second day must leave no more behind than the first. It does
// not run beside other tests, whose files and memory it would count. PICKET_LAKE_SOAK sets the days.
func TestSoak(t *testing.T) {
	days := 2
	if s := os.Getenv("PICKET_LAKE_SOAK"); s != "" {
		var err error
		if days, err = strconv.Atoi(s); err != nil || days < 2 {
			t.Fatalf("PICKET_LAKE_SOAK is %q; use a number of days from 2 on", s)
		}
	}
	const tables, step, soakMemory = 30, 30 * time.Minute, 96 << 20
	start := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	c := &clock{start}
	l := openLake(t, Options{Now: c.now, SealRows: 300, SealAge: 6 * time.Hour, MemoryLimit: soakMemory})
	r := rand.New(rand.NewSource(7))
	name := func(i int) string { return fmt.Sprintf("Soak%d_CL", i) }
	for i := range tables {
		if err := l.EnsureTable(ctx, name(i), cols("k:long s:string P:dynamic")); err != nil {
			t.Fatal(err)
		}
		if err := l.SetRetentions(ctx, name(i), 6*time.Hour, []time.Duration{0, 12 * time.Hour}[i%2]); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			if err := l.Promote(ctx, name(i), country); err != nil {
				t.Fatal(err)
			}
		}
	}
	k := 0
	received := map[soakKey]int64{}
	var first, last soakState
	for c.at.Before(start.Add(time.Duration(days) * 24 * time.Hour)) {
		var bs []Batch
		for range 8 {
			table := name(r.Intn(1 + r.Intn(tables))) // some tables take much more than others
			var b strings.Builder
			n := 1 + r.Intn(60)
			for range n {
				k++
				at := c.at.Add(-time.Duration(r.Intn(600)) * time.Second)
				fmt.Fprintf(&b, `{"TimeGenerated":"%s","k":%d,"s":"%032x","P":{"Country":"%d","N":[1,2,%d]}}`+"\n", at.Format(time.RFC3339), k, r.Int63(), r.Intn(200), k)
			}
			received[soakKey{table, c.at.Truncate(time.Hour)}] += int64(n)
			bs = append(bs, Batch{Table: table, Columns: cols("TimeGenerated:datetime k:long s:string P:dynamic"), NDJSON: []byte(b.String()), OpID: fmt.Sprint(k)})
		}
		mustAppend(t, l, bs...)
		if c.at.Minute() == 0 && c.at.Hour()%2 == 0 {
			for _, f := range []func(context.Context) error{l.sealDue, l.purgeDue, l.expire, l.compact, l.promoteDue, l.rotateDue, l.removeOld} {
				if err := f(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		rows(t, l, bs[0].Table, Need{Columns: []string{"k", "P"}})
		if c.at.Hour() == 14 && c.at.Minute() == 0 {
			if _, err := l.Purge(ctx, name(0), Cond{Column: "k", Op: "==", Value: k}); err != nil {
				t.Fatal(err)
			}
		}
		c.at = c.at.Add(step)
		if d := c.at.Sub(start); d%(24*time.Hour) == 0 {
			drainPurges(t, l)
			last = measureSoak(t, l)
			t.Logf("day %d: %v", d/(24*time.Hour), last)
			if last.duck+last.cache > soakMemory {
				t.Errorf("DuckDB has %d bytes of the %d allowed", last.duck+last.cache, soakMemory)
			}
			if first.heap == 0 {
				first = last
			}
		}
	}
	if last.spill+last.stage != 0 || last.files != last.segments {
		t.Errorf("left behind: %v; %d segments", last, last.segments)
	}
	if last.heap > first.heap+8<<20 || last.duck > first.duck+8<<20 || last.database > first.database*3/2+16<<20 || last.open > first.open+8 || last.files > first.files*3/2+tables {
		t.Errorf("it grows:\nday 1: %v\nlast:  %v", first, last)
	}
	l.mu.Lock()
	cats, trash, holds := len(l.cats), len(l.trash), len(l.holds)
	l.mu.Unlock()
	if cats != 1 || trash != 0 || holds != 0 {
		t.Errorf("%d catalogs, %d files to remove, %d holds", cats, trash, holds)
	}
	from := c.at.Add(-UsageKeep + 24*time.Hour)
	us, err := l.Usage(ctx, from, c.at)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range us {
		received[soakKey{u.Table, u.Hour}] -= u.Rows
	}
	for k, n := range received {
		if n != 0 && !k.hour.Before(from) {
			t.Errorf("%d rows of %s at %v are not in Usage", n, k.table, k.hour)
		}
	}
}

type soakKey struct {
	table string
	hour  time.Time
}
