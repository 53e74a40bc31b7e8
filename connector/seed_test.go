package connector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"picket/connector"
	"picket/playbook"
	"picket/state"
	"strings"
	"sync"
	"testing"
	"time"
)

func shared(t *testing.T, name string) []byte {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no shared folder: %v", err)
	}
	return b
}

type row struct{ logType, body, id string }

type world struct {
	e    *playbook.Engine
	mu   sync.Mutex
	rows []row
	hits []string
}

func newWorld(t *testing.T) *world {
	w := &world{}
	dir := t.TempDir()
	db, err := state.Open(context.Background(), filepath.Join(dir, "state.db"), playbook.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	hit := func(r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hits = append(w.hits, r.Method+" "+r.Host+r.URL.RequestURI())
	}
	canary := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		hit(r)
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"incidents":[]}`)
	})
	geo := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		hit(r)
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(rw, `{"status":"success","country":"Germany","countryCode":"DE","region":"BE","regionName":"Land Berlin","city":"Berlin","zip":"10115","lat":52.5,"lon":13.25,"timezone":"Europe/Berlin","isp":"X","org":"Y GmbH","as":"AS3320 Z","query":"`+strings.TrimPrefix(r.URL.Path, "/json/")+`"}`)
	})
	w.e, err = playbook.New(playbook.Deps{
		DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example",
		Log: slog.New(slog.DiscardHandler),
		Connectors: connector.All(connector.Deps{Collect: func(_ context.Context, lt string, b []byte, _, id string) (int, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.rows = append(w.rows, row{lt, string(b), id})
			return 200, nil
		}}),
		Outbound: playbook.Outbound{Hosts: map[string]http.Handler{"canarytokens.org": canary, "ip-api.com": geo}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.e.Close()
		db.Close()
	})
	time.Sleep(20 * time.Millisecond)
	return w
}

// call posts to the playbook's callback URL as a sender outside would.
func (w *world) call(t *testing.T, body string) *playbook.RunDetail {
	t.Helper()
	ctx := context.Background()
	cb, err := w.e.CallbackURL(ctx, "Canary", "manual", playbook.CallbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(cb.Value, "https://picket.example/workflows/") || !strings.Contains(cb.Value, "/triggers/manual/paths/invoke?api-version=2016-10-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=") {
		t.Fatalf("callback URL %s", cb.Value)
	}
	req := httptest.NewRequest("POST", cb.Value, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.e.InvokeHandler().ServeHTTP(rec, req)
	if rec.Code != 202 {
		t.Fatalf("status %d %s", rec.Code, rec.Body)
	}
	id := rec.Header().Get("x-ms-workflow-run-id")
	wctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := w.e.Wait(wctx, id); err != nil {
		t.Fatal(err)
	}
	d, err := w.e.RunDetail(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func explain(d *playbook.RunDetail) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %v\n", d.Status, d.Code, d.Error)
	for _, a := range d.Actions {
		fmt.Fprintf(&b, "%s %s %s %s\n", a.Name, a.Repetition, a.Status, a.Code)
		if a.Error != nil {
			fmt.Fprintf(&b, "   %v\n", a.Error.Value("message"))
		}
	}
	return b.String()
}

func (w *world) deploy(t *testing.T, file string) {
	t.Helper()
	d, err := w.e.Deploy(context.Background(), playbook.DeployRequest{Template: shared(t, file), Parameters: map[string]any{
		"PlaybookName": "Canary", "WorkspaceID": "11111111-2222-3333-4444-555555555555", "WorkspaceKey": "c2VjcmV0LWtleS1vZi13b3Jrc3BhY2U=",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Workflows) != 1 || len(d.Connections) != 1 || len(d.Needs) != 0 {
		t.Fatalf("%+v", d)
	}
}

const tokenV11 = `{"channel":"DNS","token_type":"ms_word","src_ip":"203.0.113.9","token":"abc","time":"2026-11-23 22:32:26 (UTC)",
 "memo":"HOST1,203.0.113.9,10.0.0.4,share$,Budget","manage_url":"https://canarytokens.org/manage?token=abc&auth=def",
 "additional_data":{"geo_info":{"loc":"52.5,13.25","org":"AS3320 Z","city":"Berlin","country":"DE","region":"Land Berlin","ip":"203.0.113.9","timezone":"Europe/Berlin","postal":"10115","asn":{"route":"203.0.113.0/24","type":"isp","asn":"AS3320","domain":"z.example","name":"Z"}},"useragent":"Word/16 \"é\" <x>"}}`

func TestCanaryPlaybookV11(t *testing.T) {
	w := newWorld(t)
	w.deploy(t, "seed/Ingest-CanaryTokens/azuredeploy.json")
	d := w.call(t, tokenV11)
	if d.Status != "Succeeded" {
		t.Fatal(explain(d))
	}
	want := `{"as":"AS3320","canarytriggertime":"2026-11-23 22:32:26 (UTC)","channel":"DNS","city":"Berlin","country":"DE","countrycode":"DE","fileloc":"52.5,13.25","incidentlist_csv":"https://canarytokens.org/download?fmt=incidentlist_csv&token=abc&auth=def","incidentlist_json":"https://canarytokens.org/download?fmt=incidentlist_json&token=abc&auth=def","lat":"","lon":"","manage_url":" https://canarytokens.org/manage?token=abc&auth=def","memo":"HOST1,203.0.113.9,10.0.0.4,share$,Budget","org":"AS3320 Z","postal":"10115","region":"Land Berlin","regionname":"Land Berlin","src_ip":"203.0.113.9","timezone":"Europe/Berlin","token_type":"ms_word","tokenhistory_url":"https://canarytokens.org/history?token=abc&auth=def","useragent":"Word/16 \"é\" <x>"}`
	if len(w.rows) != 1 || w.rows[0].logType != "CanaryTokens" || w.rows[0].body != want {
		t.Errorf("rows %+v\nwant %s", w.rows, want)
	}
	if len(w.rows[0].id) != 36 {
		t.Errorf("operation id %q", w.rows[0].id)
	}
	if got := strings.Join(w.hits, ","); got != "GET canarytokens.org/download?fmt=incidentlist_json&token=abc&auth=def" {
		t.Errorf("requests %s", got)
	}
}

func TestCanaryPlaybookV11NewlySavedWebhook(t *testing.T) {
	w := newWorld(t)
	w.deploy(t, "seed/Ingest-CanaryTokens/azuredeploy.json")
	d := w.call(t, strings.Replace(tokenV11, "HOST1,203.0.113.9,10.0.0.4,share$,Budget", "Congrats! The newly saved webhook works", 1))
	if d.Status != "Cancelled" || len(w.rows) != 0 || len(w.hits) != 0 {
		t.Fatalf("%s rows %v hits %v", explain(d), w.rows, w.hits)
	}
	for _, a := range d.Actions {
		want := map[string]string{"Parse_JSON_Token_Response": "Succeeded", "Condition_newly_saved_webhook": "Cancelled", "Terminate_newly_saved_webhook": "Succeeded"}[a.Name]
		if want == "" {
			want = "Skipped"
		}
		if a.Status != want {
			t.Errorf("%s is %s, want %s", a.Name, a.Status, want)
		}
	}
}

func TestCanaryPlaybookV10(t *testing.T) {
	w := newWorld(t)
	w.deploy(t, "seed/Ingest-CanaryTokens-v1.0-2021-04/azuredeploy.json")
	d := w.call(t, `{"channel":"HTTP","time":"2021-04-01 10:00:00 (UTC)","memo":"m","manage_url":"https://canarytokens.org/manage?token=abc&auth=def",
		"additional_data":{"src_ip":"198.51.100.7","useragent":"curl","referer":null,"location":{"a":1}}}`)
	if d.Status != "Succeeded" {
		t.Fatal(explain(d))
	}
	want := `{"as":"AS3320 Z","canarytriggertime":"2021-04-01 10:00:00 (UTC)","channel":"HTTP","city":"Berlin","country":"Germany","countrycode":"DE","fileloc":"{\"a\":1}","incidentlist_csv":"https://canarytokens.org/download?fmt=incidentlist_csv&token=abc&auth=def","incidentlist_json":"https://canarytokens.org/download?fmt=incidentlist_json&token=abc&auth=def","lat":"52.5","lon":"13.25","manage_url":" https://canarytokens.org/manage?token=abc&auth=def","memo":"m","org":"Y GmbH","postal":"10115","region":"BE","regionname":"Land Berlin","src_ip":"198.51.100.7","timezone":"Europe/Berlin","tokenhistory_url":"https://canarytokens.org/history?token=abc&auth=def","useragent":"curl"}`
	if len(w.rows) != 1 || w.rows[0].body != want {
		t.Errorf("rows %+v\nwant %s", w.rows, want)
	}
	if got := strings.Join(w.hits, ","); got != "GET canarytokens.org/download?fmt=incidentlist_json&token=abc&auth=def,GET ip-api.com/json/198.51.100.7" {
		t.Errorf("requests %s", got)
	}
}

// The workspace key must not be readable in the database, the history or the definition.
func TestSecretsStaySealed(t *testing.T) {
	w := newWorld(t)
	w.deploy(t, "seed/Ingest-CanaryTokens/azuredeploy.json")
	d := w.call(t, strings.Replace(tokenV11, "Budget", "c2VjcmV0LWtleS1vZi13b3Jrc3BhY2U=", 1))
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("c2VjcmV0")) {
		t.Error("the history shows the secret")
	}
	wf, err := w.e.Workflow(context.Background(), "canary")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(wf); bytes.Contains(b, []byte("c2VjcmV0")) {
		t.Error("the workflow shows the secret")
	}
}
