package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket/kql/value"
	"strings"
	"sync"
	"testing"
	"time"
)

var ctx = context.Background()

func openLake(t testing.TB, o Options) *Lake {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = 1 << 30
	}
	o.WorkspaceID = "11111111-2222-3333-4444-555555555555"
	l, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustAppend(t testing.TB, l *Lake, bs ...Batch) Ack {
	t.Helper()
	a, err := l.Append(ctx, bs...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func cols(s string) (out value.Schema) {
	for _, f := range strings.Fields(s) {
		n, typ, _ := strings.Cut(f, ":")
		t, ok := value.ParseType(typ)
		if !ok {
			panic(f)
		}
		out = append(out, value.Column{Name: n, Type: t})
	}
	return out
}

// rows reads a table's columns as text, one line a row, ordered by the first column.
func rows(t testing.TB, l *Lake, table string, n Need) string {
	t.Helper()
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return snapRows(t, s, table, n)
}

func snapRows(t testing.TB, s *Snapshot, table string, n Need) string {
	t.Helper()
	rel, err := s.Relation(table, n)
	if err != nil {
		t.Fatal(err)
	}
	var sel []string
	var schema value.Schema
	for _, c := range rel.Columns {
		sel = append(sel, `"`+c.Physical+`"`)
		if c.Ticks != "" {
			sel = append(sel, `"`+c.Ticks+`"`)
		}
		schema = append(schema, value.Column{Name: c.Name, Type: c.Type})
	}
	var out strings.Builder
	err = s.Query(ctx, `SELECT `+strings.Join(sel, ",")+` FROM `+rel.SQL+` ORDER BY 1`, nil, schema, func(f *value.Frame) error {
		for i := range f.N {
			for k, v := range f.Vecs {
				if k > 0 {
					out.WriteByte('|')
				}
				out.WriteString(v.At(i).Text())
			}
			out.WriteByte('\n')
		}
		return nil
	})
	if err != nil {
		t.Fatal(rel.SQL, err)
	}
	return out.String()
}

func count(t testing.TB, l *Lake, table string) int {
	return strings.Count(rows(t, l, table, Need{Columns: []string{ColRow}}), "\n")
}

func TestAppendAndRead(t *testing.T) {
	l := openLake(t, Options{})
	a := mustAppend(t, l, Batch{
		Table: "Canary_CL", Columns: cols("Memo_s:string N_d:real TimeGenerated:datetime Extra:dynamic Id:guid"),
		NDJSON: []byte(`{"Memo_s":"b","N_d":1.5,"TimeGenerated":"2026-11-24T07:00:00.1234567Z","Extra":{"a": [1,9007199254740993]},"Id":"f1b3bf66-0000-4000-8000-00000000000a"}
{"Memo_s":"a","TimeGenerated":"2026-11-24T08:00:00+01:00"}
{"N_d":3}`),
	})
	if a.Commit != 1 || a.Rows != 3 {
		t.Fatalf("%+v", a)
	}
	recv, _ := value.TicksOf(a.Received)
	got := rows(t, l, "Canary_CL", Need{Columns: []string{"Memo_s", "N_d", "TimeGenerated", "Extra", "Id", "Type", "TenantId"}})
	want := `|3.0|` + value.FormatDatetime(recv) + `|||Canary_CL|11111111-2222-3333-4444-555555555555
a||2026-11-24T07:00:00.0000000Z|||Canary_CL|11111111-2222-3333-4444-555555555555
b|1.5|2026-11-24T07:00:00.1234567Z|{"a":[1,9007199254740993]}|f1b3bf66-0000-4000-8000-00000000000a|Canary_CL|11111111-2222-3333-4444-555555555555
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	tab, err := l.Table(ctx, "canary_cl")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range tab.Columns {
		names = append(names, c.Name)
	}
	if s := strings.Join(names, " "); s != "TenantId TimeGenerated Memo_s N_d Extra Id Type _ResourceId" || tab.Rows != 3 {
		t.Errorf("%s, %d rows", s, tab.Rows)
	}
	if tab.First != time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC) || tab.Received != a.Received {
		t.Errorf("%+v", tab)
	}
}

func TestSchemaGrowsAndSealedRowsStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLake(t, Options{Dir: dir})
	step := func(schema, line string) {
		mustAppend(t, l, Batch{Table: "T", Columns: cols(schema), NDJSON: []byte(line)})
	}
	step("k:long a:string", `{"k":1,"a":"x"}`)
	step("k:long b:long", `{"k":2,"b":7}`)
	step("k:long A:string", `{"k":3,"A":"big"}`)
	step("k:long t:datetime", `{"k":4,"t":"2026-01-01T00:00:00.0000001Z"}`)
	step("k:long t:datetime", `{"k":5,"t":"2026-01-01T00:00:00Z"}`)
	want := "1|x|||\n2||7||\n3|||big|\n4||||2026-01-01T00:00:00.0000001Z\n5||||2026-01-01T00:00:00.0000000Z\n"
	check := func(when string) {
		t.Helper()
		if got := rows(t, l, "T", Need{Columns: []string{"k", "a", "b", "A", "t"}}); got != want {
			t.Errorf("%s: got\n%swant\n%s", when, got, want)
		}
	}
	check("hot")
	order := rows(t, l, "T", Need{Columns: []string{ColRow, "k"}})
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	check("sealed")
	if got := rows(t, l, "T", Need{Columns: []string{ColRow, "k"}}); got != order {
		t.Errorf("order after sealing\n%s before\n%s", got, order)
	}
	step("k:long c:bool", `{"k":6,"c":true}`)
	want += "6||||\n"
	check("both")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLake(t, Options{Dir: dir})
	check("opened again")
	for k := 7; k < 20; k++ {
		step("k:long c:bool", fmt.Sprintf(`{"k":%d,"c":true}`, k))
		if err := l.Seal(ctx, "T"); err != nil {
			t.Fatal(err)
		}
	}
	tab, _ := l.Table(ctx, "T")
	before := tab.Segments
	hold, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.compact(ctx); err != nil {
		t.Fatal(err)
	}
	if tab, _ = l.Table(ctx, "T"); tab.Segments >= before || tab.Rows != 19 {
		t.Fatalf("%d segments of %d, %d rows", tab.Segments, before, tab.Rows)
	}
	if err := l.removeOld(ctx); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(snapRows(t, hold, "T", Need{Columns: []string{"k"}}), "\n"); n != 19 {
		t.Fatalf("a snapshot from before the merge sees %d rows", n)
	}
	hold.Close()
	if err := l.removeOld(ctx); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "segments/T/*/*.parquet"))
	if len(files) != tab.Segments {
		t.Fatalf("%d files for %d segments", len(files), tab.Segments)
	}
	if n := count(t, l, "T"); n != 19 {
		t.Fatal(n)
	}
}

func TestEveryTypeSurvivesSealing(t *testing.T) {
	l := openLake(t, Options{})
	schema := cols("k:long b:bool i:int r:real m:decimal s:string d:datetime p:timespan g:guid y:dynamic")
	mustAppend(t, l, Batch{Table: "T", Columns: schema, NDJSON: []byte(`[
{"k":1,"b":true,"i":-3,"r":1e300,"m":"12345678901234567890.12345","s":"ü","d":"0001-01-01T00:00:00.0000001Z","p":"1.02:03:04.0000005","g":"f1b3bf66000040008000000000000000","y":{"z":null,"a":9223372036854775807}},
{"k":2}]`)})
	want := `1|True|-3|1e300|12345678901234567890.12345|ü|0001-01-01T00:00:00.0000001Z|1.02:03:04.0000005|f1b3bf66-0000-4000-8000-000000000000|{"z":null,"a":9223372036854775807}
2|||||||||
`
	names := []string{"k", "b", "i", "r", "m", "s", "d", "p", "g", "y"}
	if got := rows(t, l, "T", Need{Columns: names}); got != want {
		t.Errorf("hot: got\n%swant\n%s", got, want)
	}
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if got := rows(t, l, "T", Need{Columns: names}); got != want {
		t.Errorf("sealed: got\n%swant\n%s", got, want)
	}
}

func TestFrameAndFixed(t *testing.T) {
	l := openLake(t, Options{})
	tg := value.New(value.Datetime, 3)
	tg.I[0], tg.I[1] = 630822816000000001, 630822816000000000
	tg.SetNull(2)
	f := value.NewFrame(cols("TimeGenerated:datetime s:string"), tg, value.StringVector([]string{"a", "b", "c"}))
	a := mustAppend(t, l, Batch{Table: "T", Frame: f, Fixed: map[string]value.Value{"_ResourceId": value.OfString("/subscriptions/1")}})
	recv, _ := value.TicksOf(a.Received)
	want := "a|2000-01-01T00:00:00.0000001Z|/subscriptions/1\nb|2000-01-01T00:00:00.0000000Z|/subscriptions/1\nc|" + value.FormatDatetime(recv) + "|/subscriptions/1\n"
	if got := rows(t, l, "T", Need{Columns: []string{"s", "TimeGenerated", "_ResourceId"}}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestBytesThatAreNoText: what a stranger sent as a user agent must not stop the rows behind it.
func TestBytesThatAreNoText(t *testing.T) {
	l := openLake(t, Options{})
	dyn := value.New(value.Dynamic, 1)
	dyn.D[0] = []any{"a\xffb"}
	f := value.NewFrame(cols("s:string y:dynamic"), value.StringVector([]string{"agent \xff\xfe of more than twelve bytes"}), dyn)
	mustAppend(t, l, Batch{Table: "T", Frame: f, Fixed: map[string]value.Value{"_ResourceId": value.OfString("\xff")}})
	mustAppend(t, l, Batch{Table: "T", Columns: cols("s:string"), NDJSON: []byte(`{"s":"b"}` + strings.Repeat(" ", smallBytes)), Fixed: map[string]value.Value{"_ResourceId": value.OfString("\xff")}})
	want := "agent \uFFFD of more than twelve bytes|[\"a\uFFFDb\"]|\uFFFD\nb||\uFFFD\n"
	if got := rows(t, l, "T", Need{Columns: []string{"s", "y", "_ResourceId"}}); got != want {
		t.Fatalf("%q", got)
	}
}

func TestOpIDAndMarks(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, Options{Dir: dir})
	b := Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`), OpID: "run-1/action-2", Marks: map[string]string{"tail/a": "17"}}
	first := mustAppend(t, l, b)
	again := mustAppend(t, l, b)
	if !again.Repeated || again.Commit != first.Commit || again.Received != first.Received || again.Rows != 0 {
		t.Fatalf("%+v after %+v", again, first)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := l.Append(ctx, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":2}`), OpID: "same"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, l, "T"); n != 2 {
		t.Fatalf("%d rows", n)
	}
	if err := l.do(ctx, func(e *edit) error { l.rotate(e); return nil }); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, Batch{Marks: map[string]string{"tail/b": "1"}})
	l.Close()
	l = openLake(t, Options{Dir: dir})
	if m, _ := l.Marks(ctx, "tail/"); len(m) != 2 || m["tail/a"] != "17" || m["tail/b"] != "1" {
		t.Fatalf("%v", m)
	}
	if a := mustAppend(t, l, b); !a.Repeated || a.Commit != first.Commit {
		t.Fatalf("after a restart: %+v", a)
	}
}

func TestBadRowsHarmNobodyElse(t *testing.T) {
	l := openLake(t, Options{})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			line := fmt.Sprintf(`{"k":%d}`, i)
			if i%4 == 0 {
				line = `{"k":1}` + "\n" + `{"k":"no number"}`
			}
			_, err := l.Append(ctx, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(line)})
			if bad := i%4 == 0; bad != (err != nil) {
				t.Errorf("%s: %v", line, err)
			} else if bad {
				var de *DataError
				if !errors.As(err, &de) || !strings.Contains(err.Error(), `row 2, column k: no number is no long`) || strings.Contains(err.Error(), "stage") {
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, l, "T"); n != 30 {
		t.Fatal(n)
	}
	if _, err := l.Append(ctx, Batch{Table: "T", Columns: cols("k:string"), NDJSON: []byte(`{"k":"x"}`)}); err == nil || !strings.Contains(err.Error(), "keeps its type") {
		t.Fatal(err)
	}
	// what DuckDB's reader refuses and KQL knows is stored all the same
	mustAppend(t, l, Batch{Table: "T", Columns: cols("d:datetime"), NDJSON: []byte(`{"d":"2026-11-24T07:00Z"} {"d":"2026-11-24"}`)})
}

func TestReceivedGrowsWhenTheClockStepsBack(t *testing.T) {
	now := time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	o := Options{Dir: dir, Now: func() time.Time { return now }}
	l := openLake(t, o)
	b := Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)}
	a1 := mustAppend(t, l, b)
	now = now.Add(-time.Hour)
	a2 := mustAppend(t, l, b)
	if !a2.Received.After(a1.Received) || a2.Received.Sub(a1.Received) > time.Millisecond {
		t.Fatal(a1, a2)
	}
	l.Close()
	l = openLake(t, o)
	if a3 := mustAppend(t, l, b); !a3.Received.After(a2.Received) || a3.Commit != 3 {
		t.Fatal(a3, a2)
	}
	now = now.Add(3 * time.Hour)
	until := now
	if err := l.Settle(ctx, until); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Hour)
	a4 := mustAppend(t, l, b)
	if !a4.Received.After(until) {
		t.Fatalf("received %v within a settled window that ends %v", a4.Received, until)
	}
	got := rows(t, l, "T", Need{Columns: []string{ColCommit}, ReceivedAfter: a1.Received, ReceivedUntil: until})
	if got != "2\n3\n" {
		t.Fatalf("%q", got)
	}
	if err := l.Settle(ctx, now.Add(time.Second)); err == nil {
		t.Fatal("settled in the future")
	}
}

func TestFolderHasOneOwner(t *testing.T) {
	l := openLake(t, Options{})
	_, err := Open(ctx, Options{Dir: l.o.Dir})
	var held *HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Fatal(err)
	}
	l.Close()
	if err := os.WriteFile(filepath.Join(l.o.Dir, "FORMAT"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(ctx, Options{Dir: l.o.Dir})
	var ve *VersionError
	if !errors.As(err, &ve) || ve.Have != 99 {
		t.Fatal(err)
	}
}

func TestSegmentsArePruned(t *testing.T) {
	now := time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
	l := openLake(t, Options{Now: func() time.Time { return now }})
	for d := range 10 {
		now = now.Add(time.Hour)
		var b strings.Builder
		for h := range 24 {
			fmt.Fprintf(&b, `{"k":%d,"TimeGenerated":"2026-11-%02dT%02d:00:00Z"}`+"\n", d*24+h, d+1, h)
		}
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime"), NDJSON: []byte(b.String())})
	}
	for d := range 10 {
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime"), Imported: true, NDJSON: fmt.Appendf(nil, `{"k":%d,"TimeGenerated":"2020-01-%02dT00:00:00Z"}`, 1000+d, d+1)})
	}
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	n := strings.Count(snapRows(t, s, "T", Need{Columns: []string{"k"}, TimeFrom: day(3), TimeTo: day(5)}), "\n")
	if n != 49 || s.Stats().SegmentsRead != 3 || s.Stats().SegmentsSaved != 17 {
		t.Fatalf("%d rows, %+v", n, s.Stats())
	}
	if n := strings.Count(snapRows(t, s, "T", Need{Columns: []string{"k"}, SkipImported: true}), "\n"); n != 240 {
		t.Fatal(n)
	}
	f, err := s.Newest(ctx, "T", 30)
	if err != nil || f.N != 30 {
		t.Fatal(f, err)
	}
	before := s.Stats()
	k := f.Vecs[f.Schema.Index("k")]
	if k.I[0] != 239 || k.I[29] != 210 {
		t.Fatal(k.I)
	}
	if r := before.SegmentsRead - 3 - 10; r != 2 {
		t.Fatalf("Newest read %d segments", r)
	}
	if err := l.SetRetention(ctx, "T", 365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := l.expire(ctx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, l, "T"); n != 240 {
		t.Fatal(n)
	}
}

func TestQueriesWithinQueries(t *testing.T) {
	l := openLake(t, Options{})
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	outer, inner := 0, 0
	err = s.Query(ctx, `SELECT range FROM range(10000)`, nil, cols("n:long"), func(f *value.Frame) error {
		outer += f.N
		return s.Query(ctx, `SELECT range FROM range(5000)`, nil, cols("n:long"), func(g *value.Frame) error {
			inner += g.N
			return s.Query(ctx, `SELECT 1`, nil, cols("n:long"), func(*value.Frame) error { return nil })
		})
	})
	if err != nil || outer != 10000 || inner != 5*5000 {
		t.Fatal(outer, inner, err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			sum := int64(0)
			err := s.Query(ctx, `SELECT range FROM range(100000)`, nil, cols("n:long"), func(f *value.Frame) error {
				for _, x := range f.Vecs[0].I {
					sum += x
				}
				return nil
			})
			if err != nil || sum != 99999*100000/2 {
				t.Error(sum, err)
			}
		})
	}
	wg.Wait()
	enough := errors.New("enough")
	for range 2 {
		if err := s.Query(ctx, `SELECT range FROM range(100000)`, nil, cols("n:long"), func(f *value.Frame) error { return enough }); err != enough {
			t.Fatal(err)
		}
	}
}

func TestSealingByAgeAndRetentionOfHotRows(t *testing.T) {
	now := time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
	for _, age := range []time.Duration{0, time.Hour} {
		now = time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC)
		l := openLake(t, Options{Now: func() time.Time { return now }, SealAge: age})
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime"), NDJSON: []byte(`{"k":1,"TimeGenerated":"2026-11-20T00:00:00Z"} {"k":2}`)})
		now = now.Add(48 * time.Hour)
		if err := l.sealDue(ctx); err != nil {
			t.Fatal(err)
		}
		d, err := l.Table(ctx, "T")
		if want := map[time.Duration]int{0: 0, time.Hour: 2}[age]; err != nil || d.Segments != want {
			t.Fatalf("SealAge %v: %d segments (%v)", age, d.Segments, err)
		}
		if err := l.SetRetention(ctx, "T", 3*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := l.expire(ctx); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, l, "T", Need{Columns: []string{"k"}}); got != "2\n" {
			t.Fatalf("SealAge %v: %q", age, got)
		}
	}
}

func TestQueryEndsWithItsContext(t *testing.T) {
	l := openLake(t, Options{})
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err = s.Query(short, `SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7`, nil, cols("n:long"), func(*value.Frame) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > time.Second {
		t.Fatal(err, time.Since(begin))
	}
	if err := s.Query(ctx, `SELECT 1`, nil, cols("n:long"), func(*value.Frame) error { return nil }); err == nil || !strings.Contains(err.Error(), "take a new one") {
		t.Fatal(err)
	}
	s.Close()
	if s, err = l.Snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Query(ctx, `SELECT * FROM read_text('/etc/hostname')`, nil, cols("a:string b:string c:long d:datetime"), func(*value.Frame) error { return nil }); err == nil || !strings.Contains(err.Error(), "Permission") {
		t.Fatalf("a file outside the folder can be read: %v", err)
	}
	s.Close()
	if s, err = l.Snapshot(ctx); err != nil {
		t.Fatal(err)
	}
	go func() { time.Sleep(50 * time.Millisecond); l.Close() }()
	err = s.Query(ctx, `SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 7`, nil, cols("n:long"), func(*value.Frame) error { return nil })
	if !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	s.Close()
}
