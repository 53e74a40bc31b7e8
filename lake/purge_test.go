package lake

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"picket/kql/value"
	"strings"
	"testing"
	"time"
)

// grepFiles names the files below a folder that hold the text.
func grepFiles(t *testing.T, dir, text string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			out = append(out, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func drainPurges(t *testing.T, l *Lake) {
	t.Helper()
	for range 1000 {
		all, err := l.Purges(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pending := 0
		for _, p := range all {
			if p.State == PurgePending {
				pending++
			}
		}
		if pending == 0 {
			return
		}
		l.purgeNext = time.Time{}
		if err := l.purgeDue(ctx); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the purges do not end")
}

func TestPurge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLake(t, Options{Dir: dir})
	const secret = "grace.hopper.the.person.to.forget"
	add := func(from, to int) {
		var b strings.Builder
		for i := from; i < to; i++ {
			user := fmt.Sprintf("user%d", i)
			if i%10 == 3 {
				user = strings.ToUpper(secret[:1]) + secret[1:] + fmt.Sprint(i*7919) // no dictionary, no compression of whole texts
			}
			fmt.Fprintf(&b, `{"k":%d,"User":"%s","P":{"who":"%s"},"TimeGenerated":"2026-11-%02dT07:00:00Z"}`+"\n", i, user, user, 20+i%3)
		}
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long User:string P:dynamic TimeGenerated:datetime"), NDJSON: []byte(b.String())})
	}
	add(0, 5000)
	if err := l.Promote(ctx, "T", Derived{Column: "P", Key: "who", SQL: `json_extract_string($col, '$.who')`, Type: value.String}); err != nil {
		t.Fatal(err)
	}
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	add(5000, 15000) // hot
	mustAppend(t, l, Batch{Table: "Other", Columns: cols("User:string"), NDJSON: []byte(`{"User":"somebody"}`)})
	reader, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Purge(ctx, "t", Cond{Column: "User", Op: "contains", Value: secret}, Cond{Column: "TimeGenerated", Op: "<", Value: "2026-12-01"})
	if err != nil || p.State != PurgePending || p.Table != "T" {
		t.Fatal(p, err)
	}
	add(20000, 20010) // received later: stays
	for range 20 {
		if err := l.purgeDue(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := l.PurgeByID(ctx, p.ID); err != nil || got.State != PurgePending || got.Rows != 1500 || !got.Gone {
		t.Fatal(got, err) // the reader still has the old files
	}
	if n := strings.Count(snapRows(t, reader, "T", Need{Columns: []string{"k"}}), "\n"); n != 15000 {
		t.Fatalf("the older snapshot sees %d rows", n)
	}
	reader.Close()
	drainPurges(t, l)
	got, err := l.PurgeByID(ctx, p.ID)
	if err != nil || got.State != PurgeCompleted || got.Rows != 1500 || got.Where != nil || got.Done.IsZero() {
		t.Fatalf("%+v %v", got, err)
	}
	if n := count(t, l, "T"); n != 13510 {
		t.Fatalf("%d rows", n)
	}
	if n := strings.Count(strings.ToLower(rows(t, l, "T", Need{Columns: []string{"User"}})), secret); n != 1 {
		t.Fatalf("%d rows with the name, want the later one", n)
	}
	// take the later one too, and look through the files
	if _, err := l.Purge(ctx, "T", Cond{Column: "P", Key: "who", Op: "contains", Value: secret}); err != nil {
		t.Fatal(err)
	}
	drainPurges(t, l)
	if n := strings.Count(strings.ToLower(rows(t, l, "T", Need{Columns: []string{"User"}})), secret); n != 0 {
		t.Fatalf("%d rows with the name", n)
	}
	for _, text := range []string{secret, secret[1:]} {
		if files := grepFiles(t, dir, text); len(files) > 0 {
			t.Errorf("%q is still in %v", text, files)
		}
	}
	l.Close()
	l = openLake(t, Options{Dir: dir})
	if all, err := l.Purges(ctx); err != nil || len(all) != 2 || all[0].Rows != 1500 || all[1].Rows != 1 {
		t.Fatal(all, err)
	}
	if n := count(t, l, "T"); n != 13509 {
		t.Fatalf("%d rows after a restart", n)
	}
}

func TestPurgeConditions(t *testing.T) {
	t.Parallel()
	l := openLake(t, Options{})
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long s:string r:real b:bool d:datetime g:guid m:decimal n:int y:dynamic t:timespan TimeGenerated:datetime"), NDJSON: []byte(
		`{"k":1,"s":"It's","r":1.5,"b":true,"d":"2026-11-24T07:00:00.1234567Z","g":"8b2f0c68-1a2b-4c3d-9e8f-001122334455","m":"1.10","n":5,"y":{"a b":"X","c":[1]},"t":"01:00:00"}
{"k":2}`)})
	seal := func() {
		if err := l.Seal(ctx, "T"); err != nil {
			t.Fatal(err)
		}
	}
	seal()
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":3}`)}) // hot, without most columns
	matches := func(cs ...Cond) string {
		t.Helper()
		p := &Purge{Table: "T", Where: cs, Until: time.Now().Add(time.Hour)}
		for i := range p.Where {
			var err error
			if p.Where[i].Value, err = plainJSON(p.Where[i].Value); err != nil {
				t.Fatal(err)
			}
		}
		s, err := l.Snapshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		d := s.cat.table("T")
		src := s.sources(d.Gens, d.Segs)
		for i := range src {
			if src[i].filter, err = l.purgeSQL(d, src[i], p); err != nil {
				return err.Error()
			}
		}
		k, err := l.columns(d, []string{"k"})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		err = s.Query(ctx, `SELECT * FROM `+relationSQL(d, k, src)+` ORDER BY 1`, nil, longs("k"), func(f *value.Frame) error {
			for _, x := range f.Vecs[0].I {
				out = append(out, fmt.Sprint(x))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		c    Cond
		want string
	}{
		{Cond{Column: "k", Op: ">=", Value: 2}, "2 3"},
		{Cond{Column: "k", Op: "in", Value: []any{1, "3"}}, "1 3"},
		{Cond{Column: "k", Op: "between", Value: []any{1, 2}}, "1 2"},
		{Cond{Column: "s", Op: "==", Value: "It's"}, "1"},
		{Cond{Column: "s", Op: "==", Value: ""}, "2 3"},
		{Cond{Column: "s", Op: "=~", Value: "IT'S"}, "1"},
		{Cond{Column: "s", Op: "in~", Value: []any{"x", "iT's"}}, "1"},
		{Cond{Column: "r", Op: ">", Value: 1.25}, "1"},
		{Cond{Column: "b", Op: "==", Value: true}, "1"},
		{Cond{Column: "d", Op: "==", Value: "2026-11-24T07:00:00.1234567Z"}, "1"},
		{Cond{Column: "d", Op: "<", Value: "2026-11-24T07:00:00.1234567Z"}, ""},
		{Cond{Column: "d", Op: ">", Value: "2026-11-24T07:00:00.1234560Z"}, "1"},
		{Cond{Column: "g", Op: "==", Value: "8B2F0C68-1A2B-4C3D-9E8F-001122334455"}, "1"},
		{Cond{Column: "m", Op: "==", Value: "1.1"}, "1"},
		{Cond{Column: "n", Op: "<=", Value: 5}, "1"},
		{Cond{Column: "t", Op: "==", Value: "01:00:00"}, "1"},
		{Cond{Column: "y", Key: "a b", Op: "=~", Value: "x"}, "1"},
		{Cond{Column: "y", Op: "==", Value: map[string]any{"a b": "X", "c": []any{1}}}, "1"},
		{Cond{Column: "Type", Op: "==", Value: "T"}, "1 2 3"},
		{Cond{Column: ColCommit, Op: "==", Value: 1}, "1 2"},
		{Cond{Column: "nope", Op: "==", Value: 1}, "no column nope"},
		{Cond{Column: "k", Op: "~", Value: 1}, "no such operator"},
		{Cond{Column: "k", Op: "==", Value: "x"}, "is no long"},
		{Cond{Column: "k", Op: "=~", Value: 1}, "not string"},
		{Cond{Column: "k", Op: "in", Value: 1}, "must be a list"},
		{Cond{Column: "k", Op: "==", Value: nil}, "null"},
		{Cond{Column: "g", Op: ">", Value: "8B2F0C68-1A2B-4C3D-9E8F-001122334455"}, "no order"},
		{Cond{Column: "s", Key: "x", Op: "==", Value: "8"}, "no properties"},
		{Cond{Column: "s", Op: "==", Value: "a\x00"}, "zero byte"},
		{Cond{Column: "k", Op: "between", Value: []any{1}}, "for between 2"},
	} {
		if got := matches(c.c); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%+v: %s, want %s", c.c, got, c.want)
		}
	}
	if got := matches(Cond{Column: "k", Op: ">", Value: 1}, Cond{Column: "k", Op: "<", Value: 3}); got != "2" {
		t.Error(got)
	}
	var de *DataError
	if _, err := l.Purge(ctx, "T"); !errors.As(err, &de) {
		t.Error(err)
	}
	if _, err := l.Purge(ctx, "T", Cond{Column: "k", Op: "~", Value: 1}); !errors.As(err, &de) {
		t.Error(err)
	}
	if _, err := l.Purge(ctx, "U", Cond{Column: "k", Op: "==", Value: 1}); !errors.Is(err, ErrNoTable) {
		t.Error(err)
	}
	if _, err := l.PurgeByID(ctx, "x"); !errors.Is(err, ErrNoPurge) {
		t.Error(err)
	}
	for i := range MaxPurgePending + 1 {
		if _, err := l.Purge(ctx, "T", Cond{Column: "k", Op: "==", Value: i}); (err != nil) != (i == MaxPurgePending) || err != nil && !errors.Is(err, ErrPurges) {
			t.Fatal(i, err)
		}
	}
	drainPurges(t, l)
	if n := count(t, l, "T"); n != 0 {
		t.Fatal(n)
	}
}
