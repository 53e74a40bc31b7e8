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
	go func() {
		for run.Err() == nil {
			_ = l.compact(run)
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
					fmt.Fprintf(&b, `{"k":%d,"w":%d,"pad":"%s"}`+"\n", k, w, strings.Repeat("x", int(k%50)))
				}
				extra := fmt.Sprintf("c%d:long", i/40%4)
				_, err := l.Append(ctx, Batch{
					Table: "T" + strconv.Itoa(w%2), Columns: cols("k:long w:long pad:string " + extra), NDJSON: []byte(b.String()),
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
	points := []string{"append:30", "commit:30", "committed:30", "sealed:3", "unlink:1", "sealed:7"}
	r := rand.New(rand.NewSource(time.Now().UnixNano()))
	acked := map[int64]bool{}
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
		got := crashOnce(t, dir, point, base, time.Duration(100+r.Intn(400))*time.Millisecond)
		for _, n := range got {
			acked[n] = true
		}
		base += 1_000_000
		checkCrash(t, dir, acked, fmt.Sprintf("kill %d (%s)", i+1, point))
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d batches acknowledged", kills, len(acked))
}

func crashOnce(t *testing.T, dir, point string, base int64, after time.Duration) (acks []int64) {
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
		if s, ok := strings.CutPrefix(sc.Text(), "ack "); ok {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				acks = append(acks, n)
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
	return acks
}

func checkCrash(t *testing.T, dir string, acked map[int64]bool, when string) {
	t.Helper()
	l, err := Open(ctx, Options{Dir: dir, MemoryLimit: 512 << 20})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	defer l.Close()
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	seen := map[int64]int{}
	last := map[int64]int64{}
	for _, table := range s.Tables() {
		rel, err := s.Relation(table.Name, Need{Columns: []string{"k", "w"}})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Query(ctx, `SELECT k, w FROM `+rel.SQL, nil, cols("k:long w:long"), func(f *value.Frame) error {
			for i := range f.N {
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
