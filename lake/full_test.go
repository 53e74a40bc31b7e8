//go:build linux

package lake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallDisk gives a folder on a disk of its own of the given size.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skip("a small disk can't be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func ballast(t *testing.T, dir string, leave int64) string {
	t.Helper()
	room, err := free(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ballast")
	if err := os.WriteFile(path, make([]byte, max(0, room-leave)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFullDisk fills the disk under a lake that keeps no reserve, so that DuckDB itself meets the end of it.
func TestFullDisk(t *testing.T) {
	for _, c := range []struct {
		name    string
		reserve int64
	}{{"the reserve", 8 << 20}, {"the very end", -1 << 40}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t, 64)
			dir := filepath.Join(disk, "lake")
			events := make(chan Event, 100)
			l := openLake(t, Options{Dir: dir, Event: func(e Event) { events <- e }})
			l.reserve = c.reserve
			next, acked := 0, map[int]bool{}
			add := func() error {
				var b strings.Builder
				first := next
				for range 1000 {
					fmt.Fprintf(&b, `{"k":%d,"pad":"%0200d"}`+"\n", next, next*7919)
					next++
				}
				_, err := l.Append(ctx, Batch{Table: "T", Columns: cols("k:long pad:string"), NDJSON: []byte(b.String())})
				if err == nil {
					acked[first] = true
				}
				return err
			}
			for range 3 {
				if err := add(); err != nil {
					t.Fatal(err)
				}
			}
			for round := range 2 {
				heavy := ballast(t, disk, 10<<20)
				var err error
				for range 100 {
					if err = add(); err != nil {
						break
					}
				}
				if !errors.Is(err, ErrFull) {
					t.Fatalf("round %d: %v", round, err)
				}
				if err := add(); err != nil && !errors.Is(err, ErrFull) {
					t.Fatal(err)
				}
				for range 3 { // sealing needs room too: it is put off, and leaves nothing behind
					if err := l.Seal(ctx, "T"); err != nil && !errors.Is(err, ErrFull) {
						t.Fatal(err)
					}
				}
				files, err := filepath.Glob(filepath.Join(dir, "segments", "*", "*", "*"))
				if err != nil || len(files) > len(l.current().table("T").Segs) {
					t.Fatalf("round %d: %d files for %d segments (%v)", round, len(files), len(l.current().table("T").Segs), err)
				}
				if err := os.Remove(heavy); err != nil {
					t.Fatal(err)
				}
				if err := add(); err != nil {
					t.Fatalf("round %d: with room again: %v", round, err)
				}
			}
			check := func(when string) {
				got := rows(t, l, "T", Need{Columns: []string{"k"}})
				seen := map[string]int{}
				for _, k := range strings.Fields(got) {
					seen[k]++
				}
				for first := range acked {
					for k := first; k < first+1000; k++ {
						if seen[fmt.Sprint(k)] != 1 {
							t.Fatalf("%s: row %d is there %d times", when, k, seen[fmt.Sprint(k)])
						}
					}
				}
			}
			check("running")
			kinds := map[EventKind]int{}
			for kinds[EventRoom] < 2 {
				kinds[(<-events).Kind]++
			}
			if kinds[EventFull] != 2 {
				t.Fatal(kinds)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openLake(t, Options{Dir: dir})
			check("opened again")
		})
	}
}
