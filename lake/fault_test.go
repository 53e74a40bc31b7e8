package lake

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/file"
	"picket/lake/file/filetest"
	"strings"
	"testing"
	"time"
)

// faultOp is a batch that the test sent: all of its rows have the same k.
type faultOp struct {
	batch Batch
	rows  int
	acked bool
	purge int // 1: a purge of its rows may have been taken, 2: was taken
}

// TestFaults has everything fail that the lake does with its own files: opening, writing (short, with and without an
// error), syncing (also by a disk that lies), renaming, removing, and power cuts that lose or tear what was not synced.
// What was acknowledged must be there once; what was reported as failed must be there as a whole or not at all, and
// once when it is sent again. PICKET_LAKE_FAULTS is how long to try (default 2s), PICKET_LAKE_SEED the first seed.
func TestFaults(t *testing.T) {
	t.Parallel()
	limit := 2 * time.Second
	if s := os.Getenv("PICKET_LAKE_FAULTS"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		limit = d
	}
	seed := time.Now().UnixNano()
	if s := os.Getenv("PICKET_LAKE_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	injected := map[string]int{}
	rounds, cuts := 0, 0
	for end := time.Now().Add(limit); time.Now().Before(end) && !t.Failed(); rounds++ {
		r := &faultRun{t: t, seed: seed + int64(rounds), r: rand.New(rand.NewSource(seed + int64(rounds)))}
		r.run()
		cuts += r.cuts
		for k, n := range r.injected {
			injected[k] += n
		}
	}
	t.Logf("%d rounds, %d power cuts, faults: %v", rounds, cuts, injected)
}

type faultRun struct {
	t        *testing.T
	seed     int64
	r        *rand.Rand
	dir      string
	files    *filetest.Faulty
	l        *Lake
	ops      []*faultOp
	cuts     int
	seen     map[int64]int // rows by k at the last check
	injected map[string]int
	log      []string
}

func (f *faultRun) note(format string, a ...any) { f.log = append(f.log, fmt.Sprintf(format, a...)) }

func (f *faultRun) fatal(format string, a ...any) {
	f.t.Helper()
	f.t.Fatalf("seed %d: %s\n%s", f.seed, fmt.Sprintf(format, a...), strings.Join(f.log, "\n"))
}

const faultChance = 0.12

func (f *faultRun) run() {
	f.injected = map[string]int{}
	f.begin(f.t.TempDir())
	f.open()
	for range 40 {
		f.files.Chance(faultChance)
		f.step()
		f.files.Chance(0)
	}
	f.check("at the end")
	for _, o := range f.ops { // whoever got an error sends again
		if !o.acked {
			f.send(o)
			if !o.acked {
				f.fatal("without faults a batch is refused")
			}
		}
	}
	drainPurges(f.t, f.l)
	f.check("after sending again")
	for id, o := range f.ops {
		if o.purge == 2 && f.seen[int64(id)] != 0 {
			f.fatal("batch %d was purged and is there", id)
		}
	}
	f.end()
}

func (f *faultRun) begin(dir string) {
	f.dir = dir
	f.files = filetest.New(filepath.Join(dir, "lake"), f.t.TempDir(), f.r.Int63())
}

func (f *faultRun) end() {
	if err := f.l.Close(); err != nil {
		f.fatal("close: %v", err)
	}
	for k, n := range f.files.Injected() {
		f.injected[k] += n
	}
}

// open tries under faults, and must succeed without.
func (f *faultRun) open() {
	for try := 0; ; try++ {
		f.files.Chance(faultChance)
		if try == 4 {
			f.files.Chance(0)
		}
		l, err := Open(ctx, Options{Dir: filepath.Join(f.dir, "lake"), MemoryLimit: 256 << 20, Files: f.files})
		if err == nil {
			f.l = l
			f.files.Chance(0)
			return
		}
		f.note("open: %v", err)
		if try == 4 {
			f.fatal("the folder does not open: %v", err)
		}
	}
}

func (f *faultRun) send(o *faultOp) {
	a, err := f.l.Append(ctx, o.batch)
	if err == nil {
		o.acked = true
		if a.Rows != o.rows && !a.Repeated {
			f.fatal("%d rows of %d are acknowledged", a.Rows, o.rows)
		}
		return
	}
	f.note("append %s: %v", o.batch.OpID, err)
	var de *DataError
	if errors.As(err, &de) {
		f.fatal("a fault of the disk is put on the rows: %v", err)
	}
}

func (f *faultRun) step() {
	report := func(what string, err error) {
		if err != nil && !errors.Is(err, ErrNoTable) {
			f.note("%s: %v", what, err)
		}
	}
	switch n := f.r.Intn(20); {
	case n < 8:
		o := &faultOp{rows: 1 + f.r.Intn(20)}
		id := len(f.ops)
		var b strings.Builder
		pad := 1
		if f.r.Intn(2) == 0 {
			pad = 2 * smallBytes / o.rows // large enough to be staged in a file
		}
		for range o.rows {
			fmt.Fprintf(&b, `{"k":%d,"pad":"%s","P":{"Country":"c%d"}}`+"\n", id, strings.Repeat("x", pad), id)
		}
		o.batch = Batch{Table: "T", Columns: cols("k:long pad:string P:dynamic"), NDJSON: []byte(b.String()), OpID: fmt.Sprint(id)}
		f.ops = append(f.ops, o)
		f.note("batch %d: %d rows, pad %d", id, o.rows, pad)
		f.send(o)
	case n < 10:
		if len(f.ops) > 0 { // sent again, whether it was acknowledged or not
			f.send(f.ops[f.r.Intn(len(f.ops))])
		}
	case n < 13:
		report("seal", f.l.Seal(ctx, "T"))
	case n == 13:
		if t := f.l.current().table("T"); t != nil && len(t.Segs) > 1 {
			report("merge", f.l.merge(ctx, "T", t.Segs))
		}
	case n == 14:
		report("promote", f.l.Promote(ctx, "T", country))
		_, err := f.l.promoteStep(ctx)
		report("rewrite", err)
	case n == 15:
		report("renew", f.l.renew(ctx, true))
		report("remove", f.l.removeOld(ctx))
	case n == 18:
		if len(f.ops) > 0 && f.l.current().table("T") != nil {
			id := f.r.Intn(len(f.ops))
			o := f.ops[id]
			if o.acked {
				_, err := f.l.Purge(ctx, "T", Cond{Column: "k", Op: "==", Value: id})
				if o.purge = max(o.purge, 1); err == nil {
					o.purge = 2
				}
				f.note("purge %d: %v", id, err)
			}
			for range 3 {
				report("purging", f.l.purgeDue(ctx))
			}
		}
	case n == 16:
		f.note("reopen")
		if err := f.l.Close(); err != nil {
			f.fatal("close: %v", err)
		}
		f.open()
	case n == 17:
		f.files.Chance(0)
		f.check("on the way")
	default:
		f.note("power cut")
		f.cuts++
		to := f.t.TempDir()
		if err := f.files.Cut(filepath.Join(to, "lake"), func(rel string) bool { return strings.HasPrefix(rel, "lake.duckdb") }); err != nil {
			f.fatal("%v", err)
		}
		f.tearLog(filepath.Join(to, "lake", "lake.duckdb.wal"))
		f.files.Chance(0)
		f.end()
		f.begin(to)
		f.open()
		f.files.Chance(0)
		f.check("after a power cut")
	}
}

// tearLog adds to the log what a commit leaves that the power cut stopped: a part, zeros, or rubbish.
func (f *faultRun) tearLog(path string) {
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 100 {
		return
	}
	n := 1 + f.r.Intn(3000)
	var more []byte
	switch f.r.Intn(4) {
	case 0:
		more = make([]byte, n)
	case 1:
		more = make([]byte, n)
		for i := range more {
			more[i] = byte(f.r.Int())
		}
	case 2: // an entry that was begun
		more = append([]byte{200, 1, 0, 0, 0, 0, 0, 0}, bytes.ReplaceAll(b[len(b)/2:min(len(b), len(b)/2+n)], logCommit, nil)...)
	}
	if err := os.WriteFile(path, append(b, more...), 0o600); err != nil {
		f.fatal("%v", err)
	}
}

func (f *faultRun) check(when string) {
	seen := map[int64]int{}
	s, err := f.l.Snapshot(ctx)
	if err != nil {
		f.fatal("%s: %v", when, err)
	}
	defer s.Close()
	if _, err := s.Table("T"); err == nil {
		rel, err := s.Relation("T", Need{Columns: []string{"k"}})
		if err != nil {
			f.fatal("%s: %v", when, err)
		}
		err = s.Query(ctx, `SELECT k, count(*) FROM `+rel.SQL+` GROUP BY k`, nil, cols("k:long n:long"), func(fr *value.Frame) error {
			for i := range fr.N {
				seen[fr.Vecs[0].I[i]] = int(fr.Vecs[1].I[i])
			}
			return nil
		})
		if err != nil {
			f.fatal("%s: %v", when, err)
		}
	}
	f.seen = seen
	for id, o := range f.ops {
		n := seen[int64(id)]
		if n != o.rows && (n != 0 || o.acked && o.purge == 0) {
			f.fatal("%s: %d of the %d rows of batch %d are there (acknowledged: %v)", when, n, o.rows, id, o.acked)
		}
	}
}

// TestReplaceKeepsOldOrNew cuts the power at any point of replacing a small file.
func TestReplaceKeepsOldOrNew(t *testing.T) {
	kept := map[string]int{}
	for seed := range int64(300) {
		dir := t.TempDir()
		f := filetest.New(dir, t.TempDir(), seed)
		path := filepath.Join(dir, "F")
		if err := file.Replace(f, path, []byte("old content")); err != nil {
			t.Fatal(err)
		}
		f.Chance(0.15)
		err := file.Replace(f, path, []byte("new"))
		to := t.TempDir()
		if err := f.Cut(to, func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
		b, rerr := os.ReadFile(filepath.Join(to, "F"))
		got := string(b)
		if rerr != nil || got != "old content" && got != "new" || err == nil && got != "new" {
			t.Fatalf("seed %d: the file holds %q (%v) after Replace gave %v", seed, got, rerr, err)
		}
		kept[got]++
	}
	if len(kept) != 2 {
		t.Fatal(kept)
	}
}
