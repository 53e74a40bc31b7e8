package lake

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTornLog tears the end of the write-ahead log as a power cut does: the commit that was being written is there in
// part, or as zeros, or as rubbish. The lake opens and has every commit before it.
func TestTornLog(t *testing.T) {
	t.Parallel()
	l := openLake(t, Options{})
	r := rand.New(rand.NewSource(3))
	wal := l.dbPath() + ".wal"
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long pad:string"), NDJSON: []byte(`{"k":0}`)})
	var sizes []int64
	for i := range 5 {
		sizes = append(sizes, fileSize(wal))
		n := 1 + r.Intn(400)
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long pad:string"), NDJSON: []byte(strings.Repeat(fmt.Sprintf(`{"k":%d,"pad":"%x"}`+"\n", i+1, r.Int63()), n))})
	}
	log, err := os.ReadFile(wal)
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile(l.dbPath())
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(sizes) - 1 {
		from, to := sizes[i], sizes[i+1]
		cut := from + r.Int63n(to-from)
		torn := map[string][]byte{
			"short":   log[:cut],
			"zeros":   append(append([]byte{}, log[:cut]...), make([]byte, to-cut)...),
			"rubbish": append([]byte{}, log[:to]...),
			"a hole":  append([]byte{}, log[:to]...), // the end arrived, something before it did not
			"nothing": append(append([]byte{}, log[:from]...), make([]byte, to-from)...),
		}
		for k := cut; k < to; k++ {
			torn["rubbish"][k] = byte(r.Int())
		}
		hole := from + r.Int63n(to-from-int64(len(logCommit)))
		for k := hole; k < min(hole+100, to-int64(len(logCommit))); k++ {
			torn["a hole"][k] ^= 0x5a
		}
		for how, b := range torn {
			dir := t.TempDir()
			for name, b := range map[string][]byte{"lake.duckdb": base, "lake.duckdb.wal": b, "FORMAT": fmt.Appendln(nil, Format)} {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, err := Open(ctx, Options{Dir: dir, MemoryLimit: 256 << 20})
			if err != nil {
				t.Errorf("%s at %d of %d..%d: %v", how, cut, from, to, err)
				continue
			}
			got := strings.Fields(rows(t, c, "T", Need{Columns: []string{"k"}}))
			if last := got[len(got)-1]; last != fmt.Sprint(i) {
				t.Errorf("%s at %d of %d..%d: the last commit is %s, want %d", how, cut, from, to, last, i)
			}
			mustAppend(t, c, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":1000}`)})
			n := count(t, c, "T")
			c.Close()
			c = openLake(t, Options{Dir: dir})
			if again := count(t, c, "T"); again != n {
				t.Errorf("%s at %d of %d..%d: %d rows are %d after a restart", how, cut, from, to, n, again)
			}
			c.Close()
		}
	}
	// damage to commits that were acknowledged is not for the lake to forget
	for i := range len(sizes) - 2 {
		b := append([]byte{}, log...)
		b[sizes[i]+20+r.Int63n(sizes[i+1]-sizes[i]-60)] ^= 1
		dir := t.TempDir()
		for name, b := range map[string][]byte{"lake.duckdb": base, "lake.duckdb.wal": b, "FORMAT": fmt.Appendln(nil, Format)} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Open(ctx, Options{Dir: dir, MemoryLimit: 256 << 20})
		if err == nil {
			n := count(t, c, "T")
			c.Close()
			t.Errorf("damage in commit %d is passed over: %d rows", i, n)
		} else if !strings.Contains(err.Error(), "acknowledged") {
			t.Errorf("damage in commit %d: %v", i, err)
		}
	}
}
