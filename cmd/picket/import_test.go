package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"picket/ingest"
	"picket/ingest/standard"
	"picket/kql/value"
	"picket/lake"
	"picket/lake/duck"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// importWorld is a server of nothing but imports.
type importWorld struct {
	t    *testing.T
	dir  string
	lk   *lake.Lake
	srv  *httptest.Server
	fail atomic.Int64 // of so many parts to come the answer is lost after they are stored
	die  atomic.Bool  // parts are refused for good
}

func newImportWorld(t *testing.T) *importWorld {
	t.Helper()
	w := &importWorld{t: t, dir: t.TempDir()}
	var err error
	if w.lk, err = lake.Open(context.Background(), lake.Options{Dir: t.TempDir(), MemoryLimit: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.lk.Close() })
	tables, err := standard.Tables()
	if err != nil {
		t.Fatal(err)
	}
	h := ingest.New(ingest.Options{Lake: w.lk, Schemas: tables}).LoadHandler(func(r *http.Request) error {
		if r.Header.Get("Authorization") != "Bearer good" {
			return errors.New("may not send")
		}
		return nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/workspace", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, `{}`) })
	mux.HandleFunc(importPath, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && w.die.Load() {
			http.Error(rw, `{"error":{"message":"no"}}`, 400)
			return
		}
		if r.Method == http.MethodPost && w.fail.Add(-1) >= 0 {
			h.ServeHTTP(httptest.NewRecorder(), r)
			http.Error(rw, "gone", 503)
			return
		}
		h.ServeHTTP(rw, r)
	})
	w.srv = httptest.NewServer(mux)
	t.Cleanup(w.srv.Close)
	return w
}

// run runs an import and gives its summaries.
func (w *importWorld) run(args ...string) ([]importSummary, error) {
	w.t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(append([]string{"import", "--url", w.srv.URL, "--token", "good", "--json"}, args...))
	err := root.Execute()
	var s []importSummary
	if out.Len() > 0 && json.Unmarshal(out.Bytes(), &s) != nil {
		w.t.Fatalf("%v: %s", args, out.String())
	}
	return s, err
}

func (w *importWorld) write(name, text string) string {
	w.t.Helper()
	b := []byte(text)
	var z bytes.Buffer
	switch filepath.Ext(name) {
	case ".gz":
		g := gzip.NewWriter(&z)
		_, _ = g.Write(b)
		_ = g.Close()
		b = z.Bytes()
	case ".zst":
		g, err := zstd.NewWriter(&z)
		if err != nil {
			w.t.Fatal(err)
		}
		_, _ = g.Write(b)
		_ = g.Close()
		b = z.Bytes()
	}
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// rows gives some columns of the newest rows, oldest first, as texts.
func (w *importWorld) rows(table string, cols ...string) (out []string) {
	w.t.Helper()
	s, err := w.lk.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	f, err := s.Newest(context.Background(), table, 100_000)
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range f.N {
		var cells []string
		for _, c := range cols {
			k := f.Schema.Index(c)
			if k < 0 {
				w.t.Fatalf("%s has no column %s", table, c)
			}
			cells = append(cells, value.Text(f.Vecs[k], i))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	slices.Sort(out)
	return out
}

func (w *importWorld) types(table string) string {
	cols, _ := w.lk.Columns(table)
	var out []string
	for _, c := range cols {
		if c.Physical != "" {
			out = append(out, c.Name+":"+c.Type.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestImportFormats(t *testing.T) {
	w := newImportWorld(t)
	const nd = `{"TimeGenerated":"2024-01-02T03:04:05Z","who":"ann","n":1,"x":1,"ok":true,"bag":{"a":[1]},"mixed":1,"big":123456789012345678901}
{"TimeGenerated":"2024-01-02T03:04:06Z","who":"bob","n":2,"x":2.5,"ok":false,"mixed":"a"}
`
	const types = "TimeGenerated:datetime bag:dynamic big:decimal mixed:dynamic n:long ok:bool who:string x:real"
	array := "[" + strings.Replace(strings.TrimSpace(nd), "\n", ",\n", 1) + "]"
	pretty := strings.ReplaceAll(strings.TrimSpace(nd), `","`, "\",\n \"")
	for name, text := range map[string]string{"a.ndjson": nd, "b.jsonl.gz": nd, "c.log.zst": nd, "d.json": array, "e.json": pretty, "f.json.gz": array} {
		s, err := w.run(w.write(name, text))
		table := name[:1] + "_CL"
		if err != nil || len(s) != 1 || s[0].Rows != 2 || s[0].Table != table || s[0].Untimed {
			t.Errorf("%s: %+v %v", name, s, err)
			continue
		}
		if got := w.types(table); got != types {
			t.Errorf("%s: columns %s", name, got)
		}
		want := []string{"2024-01-02T03:04:05.0000000Z|ann|1|1.0|True|{\"a\":[1]}|1|123456789012345678901", "2024-01-02T03:04:06.0000000Z|bob|2|2.5|False||a|"}
		if got := w.rows(table, "TimeGenerated", "who", "n", "x", "ok", "bag", "mixed", "big"); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
	csv := "Event Time,src,port,zip,note,Type\n2024-01-02T03:04:05Z,192.0.2.1,443,01234,\"two\nlines\",T\n2024-01-02T03:04:06Z,192.0.2.2,,00001,\"a \"\"b\"\"\",T\n"
	s, err := w.run(w.write("g.csv", csv), "--time-column", "Event Time", "--table", "Fw_CL")
	if err != nil || s[0].Rows != 2 {
		t.Fatalf("%+v %v", s, err)
	}
	if got := w.rows("Fw_CL", "TimeGenerated", "src", "port", "zip", "note", "Type_CF"); !slices.Equal(got, []string{"2024-01-02T03:04:05.0000000Z|192.0.2.1|443|01234|two\nlines|T", "2024-01-02T03:04:06.0000000Z|192.0.2.2||00001|a \"b\"|T"}) {
		t.Errorf("%q", got)
	}
	// a standard table has its own types; a column of one's own gets _CF
	s, err = w.run(w.write("SigninLogs.csv", "TimeGenerated,UserPrincipalName,ResultType,Extra\n2024-01-02T03:04:05Z,ann@example.org,0,x\n"))
	if err != nil || s[0].Table != "SigninLogs" {
		t.Fatalf("%+v %v", s, err)
	}
	if got := w.rows("SigninLogs", "UserPrincipalName", "ResultType", "Extra_CF"); !slices.Equal(got, []string{"ann@example.org|0|x"}) {
		t.Errorf("%q", got)
	}
	for stamp, want := range map[string]string{"1700000000": "2023-11-14T22:13:20.0000000Z", "1700000000123": "2023-11-14T22:13:20.1230000Z", "1700000000.5": "2023-11-14T22:13:20.5000000Z", "1700000000123456789": "2023-11-14T22:13:20.1234567Z"} {
		table := "E" + notName.ReplaceAllString(stamp, "") + "_CL"
		for _, f := range []string{w.write(table+".ndjson", `{"a":1,"ts":`+stamp+"}"), w.write(table+".csv", "ts,a\n"+stamp+",1\n")} {
			if _, err := w.run(f, "--time-column", "ts", "--table", table); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.rows(table, "TimeGenerated", "a"); !slices.Equal(got, []string{want + "|1", want + "|1"}) {
			t.Errorf("%s: %q", stamp, got)
		}
	}
}

func TestImportQuarantine(t *testing.T) {
	w := newImportWorld(t)
	s, err := w.run(w.write("q.ndjson", "{\"n\":1}\n\nnot json\n{\"n\":2,\"n\":3}\n[1]\n{\"n\":4}\n{\"n\":5,\"bad\":\"\xff\"}\n"))
	if err == nil || len(s) != 1 || s[0].Rows != 2 || s[0].Quarantined != 4 || !s[0].Untimed {
		t.Fatalf("%+v %v", s, err)
	}
	got := w.rows(ingest.QuarantineTable, "Source", "Stream", "Record")
	if want := []string{"import|q.ndjson:3|not json", "import|q.ndjson:4|{\"n\":2,\"n\":3}", "import|q.ndjson:5|[1]", "import|q.ndjson:7|{\"n\":5,\"bad\":\"\ufffd\"}"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	// a field that the column, which is there, does not take
	s, err = w.run(w.write("q2.ndjson", "{\"n\":7}\n{\"n\":\"seven\",\"m\":1}\n"), "--table", "q_CL")
	if err == nil || s[0].Rows != 2 || s[0].Quarantined != 1 {
		t.Fatalf("%+v %v", s, err)
	}
	if got := w.rows("q_CL", "n", "m"); !slices.Equal(got, []string{"1|", "4|", "7|", "|1"}) {
		t.Errorf("%q", got)
	}
	s, err = w.run(w.write("r.csv", "a,b\n1,2\n3\n\"x\"y,4\n5,6\n"))
	if err == nil || s[0].Rows != 2 || s[0].Quarantined != 2 {
		t.Fatalf("%+v %v", s, err)
	}
	if _, err := w.run(w.write("broken.json", "[{\"a\":1},{\"a\":2}")); err == nil || !strings.Contains(err.Error(), "nothing was imported") || len(w.rows("broken_CL")) != 0 {
		t.Errorf("a broken array: %v", err)
	}
}

func TestImportGoesOn(t *testing.T) {
	w := newImportWorld(t)
	var b strings.Builder
	const n = 50_000
	for i := range n {
		fmt.Fprintf(&b, "{\"TimeGenerated\":\"2024-01-02T03:04:05Z\",\"n\":%d,\"t\":%q}\n", i, strings.Repeat("x", i%90))
	}
	path := w.write("long.ndjson", b.String())
	count := func() int64 {
		d, err := w.lk.Table(context.Background(), "long_CL")
		if errors.Is(err, lake.ErrNoTable) {
			return 0
		}
		if err != nil {
			t.Fatal(err)
		}
		return d.Rows
	}
	w.fail.Store(1) // stored, and the answer lost: it is sent again
	s, err := w.run(path)
	if err != nil || count() != n || s[0].Rows+s[0].Before != n {
		t.Fatalf("%d rows, %+v %v", count(), s, err)
	}
	if s, err = w.run(path); err != nil || count() != n || s[0].Before != n {
		t.Fatalf("again: %d rows, %+v %v", count(), s, err)
	}
	if s, err = w.run(path, "--time-column", "n"); err != nil || count() != n {
		t.Fatalf("with other options: %d rows, %+v %v", count(), s, err)
	}
	if _, err = w.run(path, "--again"); err != nil || count() != 2*n {
		t.Fatalf("on purpose: %d rows, %v", count(), err)
	}
	w.die.Store(true)
	if _, err = w.run(path, "--table", "other_CL"); err == nil {
		t.Error("parts were refused")
	}
	if _, err = w.run(filepath.Join(w.dir, "none.csv")); exitCode(err) != exitNotFound {
		t.Error(err)
	}
	if _, err = w.run(w.write("x.bin", "\x00\x01")); exitCode(err) != exitUsage {
		t.Error(err)
	}
	if _, err = w.run(path, "--time-column", "nothing"); exitCode(err) != exitUsage || !strings.Contains(err.Error(), "it has TimeGenerated, n, t") {
		t.Error(err)
	}
	if _, err = w.run(path, "--table", "bad name"); err == nil {
		t.Error("a bad name of a table")
	}
}

func TestImportParquet(t *testing.T) {
	w := newImportWorld(t)
	db, err := duck.Open("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	path := filepath.Join(w.dir, "p.parquet")
	if _, err := c.Exec(context.Background(), `COPY (SELECT TIMESTAMPTZ '2024-01-02 03:04:05Z' + to_seconds(i) AS "TimeGenerated", 'h' || i AS host, i::BIGINT AS n, CASE WHEN i % 2 = 0 THEN 1.5::DOUBLE END AS x FROM range(30000) r(i)) TO '`+path+`' (FORMAT parquet)`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s, err := w.run(path); err != nil || s[0].Rows+s[0].Before != 30000 {
			t.Fatalf("%+v %v", s, err)
		}
	}
	got := w.rows("p_CL", "TimeGenerated", "host", "n", "x")
	if len(got) != 30000 || got[0] != "2024-01-02T03:04:05.0000000Z|h0|0|1.5" || got[1] != "2024-01-02T03:04:06.0000000Z|h1|1|" {
		t.Errorf("%d rows: %q", len(got), got[:2])
	}
}
