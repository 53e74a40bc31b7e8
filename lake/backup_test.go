package lake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"picket/lake/file/filetest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestBackup copies a lake while rows come in and are sealed and merged; the copy holds exactly the rows up to its
// commit, and both go their own ways.
func TestBackup(t *testing.T) {
	t.Parallel()
	l := openLake(t, Options{SealRows: 200})
	run, stop := context.WithCancel(ctx)
	defer stop()
	var acked atomic.Int64
	done := make(chan error, 1)
	go func() { _ = l.Run(run) }()
	go func() {
		for i := int64(0); run.Err() == nil; i++ {
			if _, err := l.Append(ctx, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(strings.Repeat(fmt.Sprintf(`{"k":%d}`+"\n", i), 20)), OpID: fmt.Sprint(i)}); err != nil {
				done <- err
				return
			}
			acked.Store(i + 1)
		}
		done <- nil
	}()
	var copies []string
	var least []int64
	var commits []int64
	for i := range 4 {
		time.Sleep(50 * time.Millisecond)
		dir := filepath.Join(t.TempDir(), "copy")
		before := acked.Load()
		c, err := l.Backup(ctx, dir)
		if err != nil {
			t.Fatal(i, err)
		}
		copies, least, commits = append(copies, dir), append(least, before), append(commits, c)
	}
	if _, err := l.Backup(ctx, copies[0]); err == nil {
		t.Fatal("a backup is overwritten")
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i, dir := range copies {
		c := openLake(t, Options{Dir: dir})
		n := count(t, c, "T")
		if int64(n) < least[i]*20 || n%20 != 0 || int64(n) > acked.Load()*20 {
			t.Fatalf("copy %d has %d rows; %d were acknowledged before, %d in all", i, n, least[i]*20, acked.Load()*20)
		}
		if a := mustAppend(t, c, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":-1}`)}); a.Commit != commits[i]+1 {
			t.Fatalf("copy %d goes on with commit %d, it was made at %d", i, a.Commit, commits[i])
		}
		if err := c.DropTable(ctx, "T"); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if n := count(t, l, "T"); int64(n) != acked.Load()*20 {
		t.Fatalf("the original has %d rows, want %d", n, acked.Load()*20)
	}
}

func TestBackupThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := filetest.New(dir, t.TempDir(), 1)
	l := openLake(t, Options{Dir: filepath.Join(dir, "lake"), Files: f})
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)})
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 40 {
		f.Chance(0.03)
		to := filepath.Join(dir, fmt.Sprint("copy", i))
		_, err := l.Backup(ctx, to)
		f.Chance(0)
		if err != nil {
			failed++
			if _, err := os.Lstat(to); err == nil {
				t.Fatal("a failed backup is left")
			}
			continue
		}
		c := openLake(t, Options{Dir: to})
		if n := count(t, c, "T"); n != 1 {
			t.Fatal(n)
		}
		c.Close()
	}
	if failed == 0 || failed == 40 {
		t.Fatal(failed)
	}
}
