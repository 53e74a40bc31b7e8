package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket/lake/duck"
	"strings"
	"testing"
	"time"
)

// formatOne turns a closed lake's folder into what format 1 wrote.
func formatOne(t *testing.T, dir string) {
	t.Helper()
	db, err := duck.Open(filepath.Join(dir, "lake.duckdb"), map[string]string{"threads": "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Exec(ctx, `DROP TABLE lake_format; DROP TABLE lake_purge; DELETE FROM journal_1 WHERE kind = 'u'; CHECKPOINT`); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "FORMAT"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLake(t, Options{Dir: dir})
	b := func(k int) Batch {
		return Batch{Table: "T", Columns: cols("k:long P:dynamic"), NDJSON: fmt.Appendf(nil, `{"k":%d,"P":{"Country":"c%d"}}`, k, k), OpID: fmt.Sprint(k), Marks: map[string]string{"at": fmt.Sprint(k)}}
	}
	mustAppend(t, l, b(1))
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if err := l.SetRetention(ctx, "T", 1000*24*60*60*1e9); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, b(2))
	l.Close()
	formatOne(t, dir)
	crashOnce(t, dir, "upgrade:1", 0, time.Second, &crashAcks{})

	boom := errors.New("boom")
	at := 0
	_, err := Open(ctx, Options{Dir: dir, MemoryLimit: 1 << 28, Fail: func(p string) error { // a crash in the middle
		if p == "upgrade" {
			at++
			return boom
		}
		return nil
	}})
	if !errors.Is(err, boom) || at != 1 {
		t.Fatal(err, at)
	}
	if f, err := os.ReadFile(filepath.Join(dir, "FORMAT")); err != nil || strings.TrimSpace(string(f)) != fmt.Sprint(Format) {
		t.Fatalf("an older program would open the folder: %q %v", f, err)
	}
	l = openLake(t, Options{Dir: dir})
	if got := rows(t, l, "T", Need{Columns: []string{"k"}}); got != "1\n2\n" {
		t.Fatal(got)
	}
	if a, err := l.Append(ctx, b(2)); err != nil || !a.Repeated {
		t.Fatal(a, err)
	}
	if m, err := l.Mark(ctx, "at"); err != nil || m != "2" {
		t.Fatal(m, err)
	}
	if d, err := l.Table(ctx, "T"); err != nil || d.Retention != d.TotalRetention || d.Retention == 0 {
		t.Fatal(d, err)
	}
	if err := l.Promote(ctx, "T", country); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Purge(ctx, "T", Cond{Column: "k", Op: "==", Value: 1}); err != nil {
		t.Fatal(err)
	}
	drainPurges(t, l)
	mustAppend(t, l, b(3))
	if got := promotedRows(t, l, country); got != "2|c2| 3|c3| " {
		t.Fatal(got)
	}
	l.Close()

	// newer, by the file or by the database alone
	var ve *VersionError
	write := func(s string) {
		if err := os.WriteFile(filepath.Join(dir, "FORMAT"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("99\n")
	if _, err := Open(ctx, Options{Dir: dir}); !errors.As(err, &ve) || ve.Have != 99 || !strings.Contains(err.Error(), "newer program") {
		t.Fatal(err)
	}
	write("x")
	if _, err := Open(ctx, Options{Dir: dir}); err == nil || errors.As(err, &ve) && false {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "FORMAT")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Fatal(err)
	}
	write(fmt.Sprintln(Format))
	l = openLake(t, Options{Dir: dir})
	if err := l.raw(ctx, func(ctx context.Context, c *duck.Conn) error {
		_, err := c.Exec(ctx, `UPDATE lake_format SET version = 77`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Open(ctx, Options{Dir: dir}); !errors.As(err, &ve) || ve.Have != 77 {
		t.Fatal(err)
	}
}
