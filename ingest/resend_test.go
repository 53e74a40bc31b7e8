package ingest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"picket/ingest"
	"picket/ingest/elastic"
	"picket/ingest/splunk"
	"picket/kql/value"
	"picket/lake"
	"strings"
	"testing"
	"time"
)

// world is a folder that can be opened again, with a clock of its own.
type world struct {
	t   *testing.T
	dir string
	now time.Time
	lk  *lake.Lake
	in  *ingest.Ingest

	bulk, hec http.Handler
	fail      int // the collect, counted from 1, after which the answer gets lost; 0 is none
	calls     int
}

func (w *world) open(window time.Duration) {
	w.t.Helper()
	var err error
	if w.lk, err = lake.Open(context.Background(), lake.Options{Dir: w.dir, MemoryLimit: 1 << 30}); err != nil {
		w.t.Fatal(err)
	}
	w.in = ingest.New(ingest.Options{Lake: w.lk, Now: func() time.Time { return w.now }})
	collect := func(ctx context.Context, r ingest.CollectRequest) (ingest.Result, error) {
		res, err := w.in.Collect(ctx, r)
		if w.calls++; w.calls == w.fail {
			return res, errors.New("the line went dead")
		}
		return res, err
	}
	yes := func(*http.Request) error { return nil }
	re := w.in.NewResends(window)
	w.bulk = elastic.New(elastic.Options{Collect: collect, Authenticate: yes, Resends: re, Quarantine: w.in.Quarantine})
	w.hec = splunk.New(splunk.Options{Collect: collect, Authenticate: yes, Resends: re, Quarantine: w.in.Quarantine})
}

func (w *world) close() {
	w.t.Helper()
	if err := w.lk.Close(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) post(h http.Handler, path, body string, header ...string) int {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Authorization", "Splunk x")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code
}

func (w *world) rows(tables ...string) (n int64) {
	for _, name := range tables {
		t, err := w.lk.Table(context.Background(), name)
		if err == nil {
			n += t.Rows
		} else if !errors.Is(err, lake.ErrNoTable) {
			w.t.Fatal(err)
		}
	}
	return n
}

const twoIndices = `{"index":{"_index":"one"}}
{"m":"a"}
{"index":{"_index":"two"}}
{"m":"b"}
{"index":{"_index":"two"}}
{"TimeGenerated":"reserved"}
{"index":{"_index":"one"}}
{"m":"c"}
`

const twoTables = `{"event":"a","index":"one"}{"event":"b","index":"two"}{"event":{"TimeGenerated":"x"},"index":"two"}{"event":"c","index":"one"}`

func TestResentRequestsStoreOnce(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		hec        bool
	}{"_bulk": {"/_bulk", twoIndices, false}, "collector": {"/services/collector", twoTables, true}} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 7, 9, 50, 0, time.UTC)}
			w.open(0)
			send := func(header ...string) int {
				if c.hec {
					return w.post(w.hec, c.path, c.body, header...)
				}
				return w.post(w.bulk, c.path, c.body, header...)
			}
			w.fail = 1 // the first table is stored, the answer is not given
			if code := send(); code != 429 && code != 503 {
				t.Fatal(code)
			}
			if n := w.rows("one_CL", "two_CL"); n != 2 {
				t.Fatalf("%d rows", n)
			}
			w.now = w.now.Add(time.Minute) // another window begins
			for range 2 {
				send()
			}
			if n := w.rows("one_CL", "two_CL"); n != 3 {
				t.Errorf("sent again: %d rows", n)
			}
			if n := w.rows("Quarantine_CL"); n != 1 {
				t.Errorf("sent again: %d rows in quarantine", n)
			}
			w.close()
			w.now = w.now.Add(8 * time.Minute)
			w.open(0)
			send()
			if n := w.rows("one_CL", "two_CL"); n != 3 {
				t.Errorf("sent again after a restart: %d rows", n)
			}
			w.now = w.now.Add(ingest.ResendWindow)
			send()
			if n := w.rows("one_CL", "two_CL"); n != 6 {
				t.Errorf("after the window: %d rows", n)
			}
			send("Idempotency-Key", "k1")
			w.now = w.now.Add(24 * time.Hour)
			send("Idempotency-Key", "k1")
			if n := w.rows("one_CL", "two_CL"); n != 9 {
				t.Errorf("with a key: %d rows", n)
			}
			if code := send("Idempotency-Key", strings.Repeat("k", 300)); code != 400 {
				t.Errorf("a long key: %d", code)
			}
			w.close()
			w.open(-1)
			send()
			send()
			if n := w.rows("one_CL", "two_CL"); n != 15 {
				t.Errorf("switched off: %d rows", n)
			}
			w.close()
		})
	}
}

// A crash within a request, then a start in the next window: what was stored is found by the request's id.
func TestResendAfterACrashAtTheWindowsEdge(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 24, 7, 9, 59, 0, time.UTC)}
	w.open(0)
	w.fail = 1
	w.post(w.bulk, "/_bulk", twoIndices)
	w.close()
	w.now = w.now.Add(2 * time.Second)
	w.open(0)
	if code := w.post(w.bulk, "/_bulk", twoIndices); code != 200 {
		t.Fatal(code)
	}
	if n := w.rows("one_CL", "two_CL"); n != 3 {
		t.Errorf("%d rows", n)
	}
	w.close()
}

func TestQuarantineKeepsTheText(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), now: time.Now()}
	w.open(0)
	defer w.close()
	w.post(w.bulk, "/_bulk", twoIndices)
	s, err := w.lk.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.Newest(context.Background(), ingest.QuarantineTable, 10)
	if err != nil {
		t.Fatal(err)
	}
	if f.N != 1 || value.Text(f.Vecs[f.Schema.Index("Record")], 0) != `{"TimeGenerated":"reserved"}` || value.Text(f.Vecs[f.Schema.Index("Stream")], 0) != "two" {
		t.Errorf("%d rows, %v", f.N, f)
	}
}
