package lake

import (
	"context"
	"errors"
	"fmt"
	"picket/kql/value"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNoRowTwiceOrMissing has writers, a sealer and readers at work: every snapshot must see exactly the rows of the
// commits up to its own, and at least what was acknowledged before it began.
func TestNoRowTwiceOrMissing(t *testing.T) {
	t.Parallel()
	l := openLake(t, Options{SealRows: 400})
	run, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked, next := int64(0), int64(0)
	wg.Go(func() { _ = l.Run(run) })
	for w := range 3 {
		wg.Go(func() {
			for i := 0; run.Err() == nil; i++ {
				var b strings.Builder
				mu.Lock()
				for range 20 {
					fmt.Fprintf(&b, `{"k":%d,"w%d":1}`+"\n", next, i/30%3)
					next++
				}
				mu.Unlock()
				_, err := l.Append(ctx, Batch{Table: "T", Columns: cols(fmt.Sprintf("k:long w%d:long", i/30%3)), NDJSON: []byte(b.String())})
				if err != nil {
					t.Error(w, err)
					return
				}
				mu.Lock()
				acked += 20
				mu.Unlock()
			}
		})
	}
	reads, seals := 0, map[int]bool{}
	for run.Err() == nil {
		mu.Lock()
		atLeast := acked
		mu.Unlock()
		if atLeast == 0 {
			continue
		}
		s, err := l.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := s.Relation("T", Need{Columns: []string{"k", ColRow, ColCommit}})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Query(ctx, `SELECT count(*), count(DISTINCT k), count(DISTINCT "_Row"), max("_Commit") FROM `+rel.SQL, nil, cols("a:long b:long c:long d:long"), func(f *value.Frame) error {
			n := f.Vecs[0].I[0]
			if n != f.Vecs[1].I[0] || n != f.Vecs[2].I[0] || n < atLeast || f.Vecs[3].I[0] != s.Commit() {
				t.Errorf("%d rows, %d keys, %d row numbers, last commit %d of %d; acknowledged before: %d", n, f.Vecs[1].I[0], f.Vecs[2].I[0], f.Vecs[3].I[0], s.Commit(), atLeast)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := s.Table("T")
		seals[d.Segments] = true
		s.Close()
		reads++
	}
	wg.Wait()
	if n := count(t, l, "T"); int64(n) != acked {
		t.Fatalf("%d rows, %d acknowledged", n, acked)
	}
	t.Logf("%d rows, %d reads, %d different states of sealing", acked, reads, len(seals))
}

func TestSubscribers(t *testing.T) {
	l := openLake(t, Options{})
	got := make(chan Commit, 10)
	cancel := l.Subscribe(func(c Commit) { got <- c })
	a := mustAppend(t, l, Batch{Table: "B", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)}, Batch{Table: "A", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)})
	c := <-got
	if c.Commit != a.Commit || strings.Join(c.Tables, " ") != "A B" || a.Rows != 2 {
		t.Fatal(c, a)
	}
	cancel()
	mustAppend(t, l, Batch{Table: "B", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Fatal("told after cancel")
	}
}

// TestFailPoints has each step of a commit fail once: what was not acknowledged may be stored or not, but sending it
// again by its id stores it once, and the lake goes on by itself.
func TestFailPoints(t *testing.T) {
	for _, point := range []string{"append", "commit", "committed", "sealed", "unlink"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			boom := errors.New("boom")
			l := openLake(t, Options{Fail: func(p string) error {
				if p == point && armed.CompareAndSwap(true, false) {
					return boom
				}
				return nil
			}})
			b := func(k int) Batch {
				return Batch{Table: "T", Columns: cols("k:long"), NDJSON: fmt.Appendf(nil, `{"k":%d}`, k), OpID: fmt.Sprint(k)}
			}
			for k := range 9 {
				mustAppend(t, l, b(k))
				if err := l.Seal(ctx, "T"); err != nil {
					t.Fatal(err)
				}
			}
			old, err := l.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			go func() { // as a query would when its lake takes the connection back
				<-old.ctx.Done()
				old.Close()
			}()
			armed.Store(true)
			_, err = l.Append(ctx, b(100))
			if inCommit := point != "sealed" && point != "unlink"; inCommit != errors.Is(err, boom) {
				t.Fatal(err)
			}
			_, _ = l.Append(ctx, b(100))
			err = l.Seal(ctx, "T")
			if (point == "sealed") != errors.Is(err, boom) {
				t.Fatal(err)
			}
			if err := l.compact(ctx); err != nil {
				t.Fatal(err)
			}
			old.Close()
			err = l.removeOld(ctx)
			if (point == "unlink") != errors.Is(err, boom) {
				t.Fatal(err)
			}
			if n := count(t, l, "T"); n != 10 {
				t.Fatalf("%d rows", n)
			}
			dir := l.o.Dir
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openLake(t, Options{Dir: dir})
			if n := count(t, l, "T"); n != 10 {
				t.Fatalf("%d rows after a restart", n)
			}
		})
	}
}

func TestDropTable(t *testing.T) {
	l := openLake(t, Options{})
	b := Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)}
	mustAppend(t, l, b)
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, b)
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.DropTable(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(snapRows(t, s, "T", Need{Columns: []string{"k"}}), "\n"); n != 2 {
		t.Fatalf("an older snapshot sees %d rows", n)
	}
	s.Close()
	if err := l.removeOld(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Table(ctx, "T"); !errors.Is(err, ErrNoTable) {
		t.Fatal(err)
	}
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:string"), NDJSON: []byte(`{"k":"new"}`)})
	if got := rows(t, l, "T", Need{Columns: []string{"k"}}); got != "new\n" {
		t.Fatal(got)
	}
	dir := l.o.Dir
	l.Close()
	l = openLake(t, Options{Dir: dir})
	if got := rows(t, l, "T", Need{Columns: []string{"k"}}); got != "new\n" {
		t.Fatal(got)
	}
}
