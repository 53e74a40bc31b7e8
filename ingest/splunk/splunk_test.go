package splunk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"picket/ingest"
	"picket/lake"
	"testing"
)

func TestEventsBecomeRows(t *testing.T) {
	l, err := lake.Open(context.Background(), lake.Options{Dir: t.TempDir(), MemoryLimit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	h := New(Options{Collect: ingest.New(ingest.Options{Lake: l}).Collect, Authenticate: func(r *http.Request) error {
		if r.Header.Get("Authorization") != "Splunk good" {
			return errors.New("unknown")
		}
		return nil
	}})
	for _, c := range []struct {
		path, auth, body string
		status, code     int
	}{
		{"/services/collector", "Splunk good", `{"time":1795590000.25,"host":"h","event":"text"}{"event":{"a":1},"index":"main","fields":{"f":"x"}}`, 200, 0},
		{"/services/collector/event?index=main", "Splunk good", "{\"event\":\"x\"}\n{\"event\":\"y\"}", 200, 0},
		{"/services/collector/raw?index=raws&sourcetype=s", "Splunk good", "one\ntwo\r\n\n", 200, 0},
		{"/services/collector", "", `{"event":"x"}`, 401, 2},
		{"/services/collector", "Splunk bad", `{"event":"x"}`, 403, 4},
		{"/services/collector", "Splunk good", ``, 400, 5},
		{"/services/collector", "Splunk good", `{"event":`, 400, 6},
		{"/services/collector", "Splunk good", `{"host":"x"}`, 400, 12},
		{"/services/collector", "Splunk good", `{"event":""}`, 400, 13},
		{"/services/collector", "Splunk good", `{"event":"x","time":"yesterday"}`, 400, 6},
		{"/services/collector/other", "Splunk good", `{}`, 404, 404},
	} {
		r := httptest.NewRequest("POST", c.path, bytes.NewReader([]byte(c.body)))
		if c.auth != "" {
			r.Header.Set("Authorization", c.auth)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		var out struct{ Code int }
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		if rec.Code != c.status || out.Code != c.code {
			t.Errorf("%s %q: %d %s, want %d %d", c.path, c.body, rec.Code, rec.Body, c.status, c.code)
		}
	}
	for table, n := range map[string]int64{"splunk_CL": 1, "main_CL": 3, "raws_CL": 2} {
		d, err := l.Table(context.Background(), table)
		if err != nil || d.Rows != n {
			t.Errorf("%s: %d rows, %v", table, d.Rows, err)
		}
	}
}

// FuzzEvents holds the answer against what was stored: 200 means every event, 400 names an event or says why none.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"time":1795590000.25,"host":"h","event":"text"}{"event":{"a":1},"index":"main","fields":{"f":"x"}}`), false)
	f.Add([]byte(`{"event":[1,{"b":null}],"time":"1e3"} {"event":{"TimeGenerated":1}}`), false)
	f.Add([]byte("one\ntwo\r\n\xff\n"), true)
	f.Fuzz(func(t *testing.T, body []byte, raw bool) {
		rows := 0
		h := New(Options{
			Authenticate: func(*http.Request) error { return nil },
			Collect: func(_ context.Context, r ingest.CollectRequest) (ingest.Result, error) {
				var list []map[string]json.RawMessage
				if err := json.Unmarshal(r.Body, &list); err != nil {
					t.Fatalf("%v in %q", err, r.Body)
				}
				if bytes.Contains(r.Body, []byte("TimeGenerated")) {
					return ingest.Result{}, &ingest.Error{Code: "InvalidDataFormat", Status: 400, Message: "reserved"}
				}
				rows += len(list)
				return ingest.Result{}, nil
			},
		})
		path := "/services/collector"
		if raw {
			path += "/raw"
		}
		r := httptest.NewRequest("POST", path, bytes.NewReader(body))
		r.Header.Set("Authorization", "Splunk x")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		var out struct{ Code int }
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		switch {
		case rec.Code == 200 && rows > 0 && out.Code == 0:
		case rec.Code == 400 && out.Code > 0:
		default:
			t.Fatalf("%d %s with %d rows", rec.Code, rec.Body, rows)
		}
	})
}
