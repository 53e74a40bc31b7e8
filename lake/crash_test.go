package lake

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"picket/kql/value"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The crash tests run this test binary as a child that appends, seals and merges, and says on its output what was
// acknowledged; it is killed with SIGKILL, at a random moment or by itself at a fail point. Then the folder must
// open, hold every acknowledged row exactly once, and every mark must agree with the rows of its commit.

const (
	crashDir   = "PICKET_LAKE_CRASH_DIR"
	crashPoint = "PICKET_LAKE_CRASH_POINT" // "point:nth"
	crashBase  = "PICKET_LAKE_CRASH_BASE"  // first row number
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := crashChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("3") // each opens lakes; more by the flag
	}
	os.Exit(m.Run())
}

func crashChild(dir string) error {
	point, nth, _ := strings.Cut(os.Getenv(crashPoint), ":")
	at, _ := strconv.ParseInt(nth, 10, 64)
	base, err := strconv.ParseInt(os.Getenv(crashBase), 10, 64)
	if err != nil {
		return err
	}
	var hits atomic.Int64
	l, err := Open(ctx, Options{Dir: dir, MemoryLimit: 512 << 20, SealRows: 150, Fail: func(p string) error {
		if p == point && hits.Add(1) == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	run, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	go func() { _ = l.Run(run) }()
	for _, name := range []string{"T0", "T1"} {
		err := l.EnsureTable(run, name, cols("k:long P:dynamic"))
		if err == nil {
			err = l.Promote(run, name, country)
		}
		if err != nil {
			return err
		}
	}
	if err := l.EnsureTable(run, "Purged", cols("k:long tag:long")); err != nil {
		return err
	}
	if err := l.SetRetentions(run, "Purged", 30*24*time.Hour, KeepForever); err != nil {
		return err
	}
	go func() {
		for run.Err() == nil {
			_ = l.compact(run)
			_ = l.expire(run)
			_, _ = l.promoteStep(run)
			_ = l.removeOld(run)
			time.Sleep(30 * time.Millisecond)
		}
	}()
	var next atomic.Int64
	next.Store(base)
	var wg sync.WaitGroup
	var out sync.Mutex
	for w := range 3 {
		wg.Go(func() {
			for i := 0; run.Err() == nil; i++ {
				n := next.Add(10)
				var b strings.Builder
				for k := n - 10; k < n; k++ {
					fmt.Fprintf(&b, `{"k":%d,"w":%d,"pad":"%s","P":{"Country":"c%d"}}`+"\n", k, w, strings.Repeat("x", int(k%50)), k)
				}
				extra := fmt.Sprintf("c%d:long", i/40%4)
				_, err := l.Append(ctx, Batch{
					Table: "T" + strconv.Itoa(w%2), Columns: cols("k:long w:long pad:string P:dynamic " + extra), NDJSON: []byte(b.String()),
					OpID: "b" + strconv.FormatInt(n, 10), Marks: map[string]string{"w" + strconv.Itoa(w): strconv.FormatInt(n-1, 10)},
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, "append:", err)
					return
				}
				out.Lock()
				fmt.Printf("ack %d\n", n-10)
				out.Unlock()
			}
		})
	}
	wg.Go(func() { // rows with tag 1 are purged, the others go to the archive
		for n := base; run.Err() == nil; n += 10 {
			var b strings.Builder
			for k := n; k < n+10; k++ {
				fmt.Fprintf(&b, `{"k":%d,"tag":%d,"TimeGenerated":"2020-01-0%dT00:00:00Z"}`+"\n", k, k%2, 1+k%3)
			}
			_, err := l.Append(ctx, Batch{Table: "Purged", Columns: cols("k:long tag:long TimeGenerated:datetime"), NDJSON: []byte(b.String())})
			if err != nil {
				fmt.Fprintln(os.Stderr, "append:", err)
				return
			}
			out.Lock()
			fmt.Printf("kept %d\n", n)
			out.Unlock()
			if _, err := l.Purge(ctx, "Purged", Cond{Column: "tag", Op: "==", Value: 1}); err != nil {
				fmt.Fprintln(os.Stderr, "purge:", err)
				return
			}
			out.Lock()
			fmt.Printf("purged %d\n", n)
			out.Unlock()
			time.Sleep(100 * time.Millisecond)
		}
	})
	wg.Wait()
	return l.Close()
}

func TestCrash(t *testing.T) {
	t.Parallel()
	kills := 5
	if s := os.Getenv("PICKET_CRASH"); s != "" {
		kills, _ = strconv.Atoi(s)
	}
	dir := t.TempDir()
	points := []string{"append:30", "commit:30", "committed:30", "sealed:3", "unlink:1", "sealed:7", "purge:1", "scrub:1", "archive:1", "purge:2"}
	r := rand.New(rand.NewSource(time.Now().UnixNano()))
	acked := crashAcks{batches: map[int64]bool{}, kept: map[int64]bool{}, purged: map[int64]bool{}}
	base := int64(0)
	for i := range kills {
		// the named points once each in a long run, one of them in turn in a short one
		point := ""
		if i%2 == 1 || i >= 3 && kills <= 5 {
			point = points[(i/2+int(time.Now().Unix()))%len(points)]
		}
		if kills > 2*len(points) && i < len(points) {
			point = points[i]
		}
		crashOnce(t, dir, point, base, time.Duration(100+r.Intn(400))*time.Millisecond, &acked)
		base += 1_000_000
		checkCrash(t, dir, acked, fmt.Sprintf("kill %d (%s)", i+1, point))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d batches acknowledged", kills, len(acked.batches))
}

// crashAcks is what the children said was done, by the first row of each batch.
type crashAcks struct{ batches, kept, purged map[int64]bool }

func crashOnce(t *testing.T, dir, point string, base int64, after time.Duration, acks *crashAcks) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashPoint+"="+point, crashBase+"="+strconv.FormatInt(base, 10))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := after
	if point != "" {
		limit = 8 * time.Second
	}
	var timer *time.Timer
	sc := bufio.NewScanner(pipe)
	for sc.Scan() {
		if timer == nil { // count from the first acknowledgement
			timer = time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
		}
		for prefix, m := range map[string]map[int64]bool{"ack ": acks.batches, "kept ": acks.kept, "purged ": acks.purged} {
			if s, ok := strings.CutPrefix(sc.Text(), prefix); ok {
				if n, err := strconv.ParseInt(s, 10, 64); err == nil {
					m[n] = true
				}
			}
		}
	}
	err = cmd.Wait()
	if timer != nil {
		timer.Stop()
	}
	if cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v\n%s", err, errs.String())
	}
}

func checkCrash(t *testing.T, dir string, acks crashAcks, when string) {
	t.Helper()
	l, err := Open(ctx, Options{Dir: dir, MemoryLimit: 512 << 20})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer l.Close()
	checkPurged(t, l, acks, when)
	acked := acks.batches
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := map[int64]int{}
	last := map[int64]int64{}
	for _, table := range s.Tables() {
		if table.Name == "Purged" || table.Rows == 0 {
			continue
		}
		rel, err := s.Relation(table.Name, Need{Columns: []string{"k", "w"}, Derived: []Derived{country}})
		if err != nil {
			t.Fatal(err)
		}
		q := fmt.Sprintf(`SELECT k, w, coalesce("%s", '?') FROM %s`, rel.Derived[country.Key], rel.SQL)
		err = s.Query(ctx, q, nil, cols("k:long w:long c:string"), func(f *value.Frame) error {
			for i := range f.N {
				if c := f.Vecs[2].S[i]; c != fmt.Sprintf("c%d", f.Vecs[0].I[i]) {
					t.Errorf("%s: the promoted column of row %d holds %s", when, f.Vecs[0].I[i], c)
				}
				k, w := f.Vecs[0].I[i], f.Vecs[1].I[i]
				seen[k]++
				last[w] = max(last[w], k)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	us, err := l.Usage(ctx, time.Time{}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	counted := int64(0)
	for _, u := range us {
		if u.Table != "Purged" {
			counted += u.Rows
		}
	}
	if counted != int64(len(seen)) {
		t.Fatalf("%s: usage counts %d rows, %d are there", when, counted, len(seen))
	}
	for n := range acked {
		for k := n; k < n+10; k++ {
			if seen[k] != 1 {
				t.Fatalf("%s: acknowledged row %d is there %d times", when, k, seen[k])
			}
		}
	}
	for k, n := range seen {
		if n != 1 {
			t.Fatalf("%s: row %d is there %d times", when, k, n)
		}
		if first := k / 10 * 10; seen[first] != 1 || seen[first+9] != 1 {
			t.Fatalf("%s: the batch of row %d is there in part", when, k)
		}
	}
	for w, k := range last {
		m, err := l.Mark(ctx, "w"+strconv.FormatInt(w, 10))
		if err != nil || m != strconv.FormatInt(k, 10) {
			t.Fatalf("%s: the mark of writer %d is %s, its last row is %d (%v)", when, w, m, k, err)
		}
	}
	// what was applied is known: sending it again adds nothing
	for n := range acked {
		a, err := l.Append(ctx, Batch{Table: "T0", Columns: cols("k:long"), NDJSON: []byte(`{"k":-1}`), OpID: "b" + strconv.FormatInt(n+10, 10)})
		if err != nil || !a.Repeated {
			t.Fatalf("%s: batch %d is not known as applied: %+v, %v", when, n, a, err)
		}
		break
	}
}

// checkPurged finishes the purges and looks that acknowledged rows stayed and ordered ones went.
func checkPurged(t *testing.T, l *Lake, acks crashAcks, when string) {
	t.Helper()
	drainPurges(t, l)
	if len(acks.kept) == 0 {
		return
	}
	seen := map[string]int{}
	for _, k := range strings.Fields(rows(t, l, "Purged", Need{Columns: []string{"k"}, Archived: true})) {
		seen[k]++
	}
	for n := range acks.kept {
		for k := n; k < n+10; k++ {
			want := 1
			if k%2 == 1 {
				if want = 0; !acks.purged[n] {
					continue
				}
			}
			if got := seen[strconv.FormatInt(k, 10)]; got != want {
				t.Fatalf("%s: row %d of the purged table is there %d times, want %d", when, k, got, want)
			}
		}
	}
}
