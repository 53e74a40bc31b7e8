package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sender sends requests of some rows each by one of the ways in, and keeps a record of those that were acknowledged.
type sender struct {
	name  string
	query string // gives id and Count of what is stored
	rows  int    // of a request
	make  func(s *server, ids []string) (*http.Request, error)
	took  func(status int, body []byte) bool
	acked *ledger
}

// bearer signs the demo's service principal in for an audience.
func (s *server) bearer(scope string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID}, "client_secret": {s.ClientSecret}, "scope": {scope}}
	res, err := s.http.PostForm(s.URL+"/"+s.TenantID+"/oauth2/v2.0/token", form)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	var t struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &t); err != nil || t.AccessToken == "" {
		return "", fmt.Errorf("sign in: %d %s", res.StatusCode, b)
	}
	return t.AccessToken, nil
}

func each(ids []string, f func(b *bytes.Buffer, id string)) []byte {
	var b bytes.Buffer
	for _, id := range ids {
		f(&b, id)
	}
	return b.Bytes()
}

func jsonArray(ids []string, key string) []byte {
	rows := make([]map[string]any, len(ids))
	for i, id := range ids {
		rows[i] = map[string]any{key: id, "Computer": "c" + strconv.Itoa(i), "Level": i}
	}
	b, _ := json.Marshal(rows) // maps of strings and numbers
	return b
}

func senders(token *atomic.Value) []*sender {
	call := func(method, u, ctype, auth string, body []byte) (*http.Request, error) {
		req, err := http.NewRequest(method, u, bytes.NewReader(body))
		if err == nil {
			req.Header.Set("Content-Type", ctype)
			req.Header.Set("Authorization", auth)
		}
		return req, err
	}
	status := func(want int) func(int, []byte) bool { return func(got int, _ []byte) bool { return got == want } }
	return []*sender{
		{name: "Data Collector", query: "MixedA_CL | project id = id_s, Count = 1", rows: 20, took: status(200), make: func(s *server, ids []string) (*http.Request, error) {
			return newCollectorCall(s, "MixedA", jsonArray(ids, "id")).request(s.HTTPURL)
		}},
		{name: "Logs Ingestion", query: "STREAM | project id = Message, Count = 1", rows: 50, took: status(204), make: func(s *server, ids []string) (*http.Request, error) {
			return call("POST", s.URL+"/dataCollectionRules/"+s.DCRID+"/streams/"+s.Stream+"?api-version=2023-01-01", "application/json", "Bearer "+token.Load().(string), jsonArray(ids, "Message"))
		}},
		{name: "_bulk", query: "ESTABLE | project id = mark_s, Count = 1", rows: 30, took: func(status int, body []byte) bool {
			return status == 200 && bytes.Contains(body, []byte(`"errors":false`))
		}, make: func(s *server, ids []string) (*http.Request, error) {
			return call("POST", s.URL+"/_bulk", "application/x-ndjson", "Bearer "+s.Token, each(ids, func(b *bytes.Buffer, id string) {
				fmt.Fprintf(b, "{\"create\":{\"_index\":\"wire-syslog\"}}\n{\"mark\":%q,\"message\":\"m\"}\n", id)
			}))
		}},
		{name: "Splunk HEC", query: "HEC | project id = mark_s, Count = 1", rows: 10, took: status(200), make: func(s *server, ids []string) (*http.Request, error) {
			return call("POST", s.URL+"/services/collector/event", "application/json", "Splunk "+s.Token, each(ids, func(b *bytes.Buffer, id string) {
				fmt.Fprintf(b, `{"index":"mixedhec","event":{"mark":%q}}`, id)
			}))
		}},
	}
}

// TestCrashUnderMixedIngestion kills the server without warning while rows come in by every way that acknowledges,
// and questions are asked: what was acknowledged is there, and nothing is there twice.
func TestCrashUnderMixedIngestion(t *testing.T) {
	need(t, "PICKET_CRASH")
	kills := 20
	if n := os.Getenv("PICKET_CRASH_MIXED"); n != "" {
		var err error
		if kills, err = strconv.Atoi(n); err != nil {
			t.Fatalf("PICKET_CRASH_MIXED=%q: give the number of kills", n)
		}
	}
	s := newServer(t)
	var token atomic.Value
	ways := senders(&token)
	for _, w := range ways {
		w.acked = newLedger(t, strings.ReplaceAll(w.name, " ", "-"))
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: s.http.Transport}
	var seq, inflight, inFlightKills, sent atomic.Int64

	load := func(ctx context.Context) *sync.WaitGroup {
		var wg sync.WaitGroup
		for _, w := range ways {
			for range 2 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for ctx.Err() == nil {
						ids := make([]string, w.rows)
						for i := range ids {
							ids[i] = fmt.Sprint("m", seq.Add(1))
						}
						req, err := w.make(s, ids)
						if err != nil {
							t.Error(err)
							return
						}
						inflight.Add(1)
						res, err := client.Do(req)
						var body []byte
						if err == nil {
							body, err = io.ReadAll(res.Body)
							res.Body.Close()
						}
						inflight.Add(-1)
						sent.Add(1)
						if err != nil {
							time.Sleep(10 * time.Millisecond)
							continue
						}
						if !w.took(res.StatusCode, body) {
							if res.StatusCode == 429 || res.StatusCode == 503 {
								continue // not acknowledged
							}
							t.Errorf("%s answered %d %s", w.name, res.StatusCode, tail(string(body), 300))
							return
						}
						if err := w.acked.note(ids...); err != nil {
							t.Error(err)
							return
						}
					}
				}()
			}
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/v1/workspaces/"+s.WorkspaceID+"/query", strings.NewReader(`{"query":"union isfuzzy=true MixedA_CL, Syslog | summarize count() by Type"}`))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+s.Token)
				req.Header.Set("Content-Type", "application/json")
				if res, err := client.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			}
		}()
		return &wg
	}

	rnd := rand.New(rand.NewSource(7))
	for range kills {
		tok, err := s.bearer("https://monitor.azure.com/.default")
		if err != nil {
			t.Fatal(err)
		}
		token.Store(tok)
		ctx, cancel := context.WithCancel(context.Background())
		wg := load(ctx)
		time.Sleep(time.Duration(50+rnd.Intn(700)) * time.Millisecond)
		if inflight.Load() > 0 {
			inFlightKills.Add(1)
		}
		s.kill()
		cancel()
		wg.Wait()
		s.http.CloseIdleConnections()
		s.start()
		if t.Failed() {
			t.FailNow()
		}
	}
	if n := inFlightKills.Load(); n < int64(kills)/2 {
		t.Errorf("only %d of %d kills had requests in flight", n, kills)
	}
	t.Logf("%d kills, %d with requests in flight, %d requests", kills, inFlightKills.Load(), sent.Load())
	named := strings.NewReplacer("STREAM", strings.TrimPrefix(s.Stream, "Custom-"), "ESTABLE", s.ESTable, "HEC", hecTable)
	for _, w := range ways {
		got, acked := s.ids(named.Replace(w.query)), w.acked.read(t)
		if m := missingIDs(acked, got); len(m) > 0 {
			t.Errorf("%s: %d of %d acknowledged rows are lost: %v…", w.name, len(m), len(acked), m[:min(len(m), 5)])
		}
		for id, n := range got {
			if n > 1 {
				t.Errorf("%s: row %s is there %d times", w.name, id, n)
			}
		}
		if len(acked) == 0 {
			t.Errorf("%s: nothing was acknowledged", w.name)
		}
		t.Logf("%s: %d rows acknowledged, %d stored", w.name, len(acked), len(got))
	}
}

// hecTable is where events of the index mixedhec go.
const hecTable = "mixedhec_CL"
