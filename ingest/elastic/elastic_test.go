package elastic

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"picket/ingest"
	"picket/lake"
	"strings"
	"testing"
)

func open(t *testing.T) (*lake.Lake, http.Handler) {
	t.Helper()
	l, err := lake.Open(context.Background(), lake.Options{Dir: t.TempDir(), MemoryLimit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	in := ingest.New(ingest.Options{Lake: l})
	return l, New(Options{Collect: in.Collect, Authenticate: func(r *http.Request) error {
		switch _, pw, _ := r.BasicAuth(); pw {
		case "good":
			return nil
		case "reader":
			return ErrForbidden
		}
		return errors.New("who are you?")
	}})
}

func send(t *testing.T, h http.Handler, method, path, pw string, header map[string]string, body []byte) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	if pw != "" {
		r.SetBasicAuth("x", pw)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	if rec.Header().Get("X-Elastic-Product") != "Elasticsearch" {
		t.Errorf("%s %s lacks the product's header", method, path)
	}
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
	}
	return rec.Code, out
}

func statuses(out map[string]any) (s []int) {
	for _, x := range out["items"].([]any) {
		for _, d := range x.(map[string]any) {
			s = append(s, int(d.(map[string]any)["status"].(float64)))
		}
	}
	return s
}

func TestBulkStoresWhatFitsAndSaysWhatDoesNot(t *testing.T) {
	l, h := open(t)
	body := strings.Join([]string{
		`{"index":{"_index":"wire-syslog","_id":"1"}}`, `{"@timestamp":"2026-11-24T08:00:00Z","message":"a"}`, ``,
		`{"create":{}}`, `{"message":"b"}`, ``,
		`{"index":{}}`, `{"TimeGenerated":"x"}`, // a reserved name
		`{"index":{}}`, `"text"`,
		`{"update":{"_id":"1"}}`, `{"doc":{}}`,
		`{"delete":{"_id":"1"}}`,
		`{"index":{"_index":"other.1"}}`, `{"message":"c"}`,
	}, "\n") + "\n"
	code, out := send(t, h, "POST", "/wire-syslog/_bulk", "good", nil, []byte(body))
	if code != 200 || out["errors"] != true {
		t.Fatalf("%d %v", code, out)
	}
	want := []int{201, 201, 400, 400, 400, 400, 201}
	got := statuses(out)
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("statuses %v, want %v: %v", got, want, out)
		}
	}
	for table, n := range map[string]int64{"wire_syslog_CL": 2, "other_1_CL": 1} {
		d, err := l.Table(context.Background(), table)
		if err != nil || d.Rows != n {
			t.Errorf("%s: %d rows, %v", table, d.Rows, err)
		}
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write([]byte("{\"index\":{\"_index\":\"z\"}}\n{\"a\":1}\n")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if code, out := send(t, h, "PUT", "/_bulk", "good", map[string]string{"Content-Encoding": "gzip"}, z.Bytes()); code != 200 || out["errors"] != false {
		t.Errorf("gzip: %d %v", code, out)
	}
}

func TestBulkRefuses(t *testing.T) {
	_, h := open(t)
	for _, c := range []struct {
		method, path, pw, body string
		status                 int
	}{
		{"GET", "/", "good", "", 200},
		{"GET", "/", "", "", 401},
		{"POST", "/_bulk", "reader", "{}", 403},
		{"POST", "/_bulk", "good", "", 400},
		{"POST", "/_bulk", "good", "nonsense\n", 400},
		{"POST", "/_bulk", "good", `{"index":{}}`, 400},
		{"POST", "/_bulk", "good", `{"reindex":{}}` + "\n{}\n", 400},
		{"PUT", "/wire", "good", "{}", 404},
	} {
		if code, out := send(t, h, c.method, c.path, c.pw, nil, []byte(c.body)); code != c.status {
			t.Errorf("%s %s as %q: %d %v, want %d", c.method, c.path, c.pw, code, out, c.status)
		}
	}
	if code, _ := send(t, h, "POST", "/_bulk", "good", map[string]string{"Content-Encoding": "gzip"}, []byte("x")); code != 400 {
		t.Errorf("broken gzip: %d", code)
	}
}

func TestIndicesNameTables(t *testing.T) {
	for in, want := range map[string]string{"wire-syslog": "wire_syslog", "filebeat-8.1-2026.11.24": "filebeat_8_1_2026_11_24", "2026": "t_2026", ".ds-x": "ds_x", "ä": "t_", strings.Repeat("a", 200): strings.Repeat("a", 97)} {
		if got := LogType(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("{\"index\":{\"_index\":\"a\"}}\n{\"x\":1}\n\n{\"delete\":{}}\n"))
	f.Fuzz(func(_ *testing.T, in []byte) { _, _ = parse(in, "i") })
}
