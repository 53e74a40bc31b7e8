package azure

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"picket/detect"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/query"
	"picket/state"
	"strings"
	"testing"
	"time"
)

// full is an API over the real rooms.
type full struct {
	*wire
	lake *lake.Lake
}

func newFull(t *testing.T) *full {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	db, err := state.Open(ctx, filepath.Join(dir, "s.db"), Migrations(), detect.Migrations(), playbook.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l, err := lake.Open(ctx, lake.Options{Dir: filepath.Join(dir, "lake"), WorkspaceID: testWorkspace.ID, MemoryLimit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	f := &full{wire: &wire{t: t, now: time.Now()}, lake: l}
	saved, err := OpenSavedSearches(ctx, db, nil)
	if err != nil {
		t.Fatal(err)
	}
	q := query.New(query.Options{Lake: l, Workspace: []string{testWorkspace.Name, testWorkspace.ID}, Functions: saved.Function, Builtin: map[string]value.Schema{"SecurityIncident": detect.IncidentSchema}})
	f.det, err = detect.New(detect.Deps{
		State: db, Query: q.Run, Check: func(context.Context, string) (detect.Checked, error) { return detect.Checked{}, nil },
		Append:  ingest.New(ingest.Options{Lake: l}).Rows,
		Barrier: func(context.Context) (time.Time, error) { return time.Now(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	pb, err := playbook.New(playbook.Deps{DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pb.Close)
	f.api, err = New(ctx, Deps{
		State: db, Workspace: testWorkspace, Detect: f.det, Query: q.Run, Schema: q.Schema, Saved: saved, Lake: l, Playbooks: pb, Ingest: ingest.New(ingest.Options{Lake: l}),
		Collect: func(context.Context, CollectRequest) error { return nil }, Limits: Limits{Concurrent: 1, Queued: 1, QueueWait: 50 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rows asks Log Analytics.
func (f *full) rows(tok, text string) string {
	f.t.Helper()
	b, err := json.Marshal(map[string]string{"query": text})
	if err != nil {
		f.t.Fatal(err)
	}
	code, out := f.do("POST", "/v1/workspaces/"+testWorkspace.ID+"/query", tok, nil, string(b))
	if code != 200 {
		f.t.Fatalf("%s: %d %v", text, code, out)
	}
	got, err := json.Marshal(out["tables"].([]any)[0].(map[string]any)["rows"])
	if err != nil {
		f.t.Fatal(err)
	}
	return string(got)
}

func code(out map[string]any) string {
	e, _ := out["error"].(map[string]any)
	return fmt.Sprint(e["code"])
}

const dcrBody = `{"location":"local","kind":"Direct","properties":{
 "streamDeclarations":{"Custom-In":{"columns":[{"name":"Host","type":"string"},{"name":"N","type":"int"}]}},
 "destinations":{"logAnalytics":[{"name":"w"}]},
 "dataFlows":[{"streams":["Custom-In"],"destinations":["w"],"transformKql":"source | where N > 0 | extend Up=toupper(Host)","outputStream":"Custom-In_CL"}]}}`

func TestLogsIngestionIsExactlyWhatClientsExpect(t *testing.T) {
	f := newFull(t)
	tok := f.token(Contributor)
	base := "/subscriptions/" + testWorkspace.SubscriptionID + "/resourceGroups/rg/providers/Microsoft.Insights/dataCollectionRules"
	c, out := f.do("PUT", base+"/r1?api-version=2023-03-11", tok, nil, dcrBody)
	if c != 201 {
		t.Fatalf("%d %v", c, out)
	}
	p := out["properties"].(map[string]any)
	id := p["immutableId"].(string)
	if p["endpoints"].(map[string]any)["logsIngestion"] != "https://picket.test" {
		t.Errorf("endpoints: %v", p)
	}
	if c, out := f.do("PUT", base+"/R1?api-version=2023-03-11", tok, nil, dcrBody); c != 200 || out["properties"].(map[string]any)["immutableId"] != id {
		t.Errorf("put again: %d %v", c, out)
	}
	post := func(target string, header map[string]string, body []byte) (int, string) {
		r := httptest.NewRequest("POST", target, bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+tok)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		rec := httptest.NewRecorder()
		f.api.Handler().ServeHTTP(rec, r)
		var out map[string]any
		if rec.Body.Len() > 0 {
			if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
		}
		return rec.Code, code(out)
	}
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	if _, err := zw.Write([]byte(`[{"Host":"b","N":2}]`)); err != nil {
		t.Fatal(err)
	}
	zw.Close()
	bomb := func() []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		for range 40 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		return b.Bytes()
	}()
	s := "/dataCollectionRules/" + id + "/streams/Custom-In"
	for _, x := range []struct {
		target string
		header map[string]string
		body   []byte
		status int
		code   string
	}{
		{"https://picket.test" + s + "?api-version=2023-01-01", nil, []byte(`[{"Host":"a","N":1},{"Host":"z","N":0}]`), 204, "<nil>"},
		{"https://picket.test" + s + "?api%2Dversion=2023-01-01", map[string]string{"Content-Encoding": "gzip"}, z.Bytes(), 204, "<nil>"},
		{"https://picket.test" + strings.ToLower(s) + "?api-version=2021-11-01-preview", nil, z.Bytes(), 204, "<nil>"},
		{"https://picket.test" + s + "?api-version=2023-01-01", nil, []byte(`{"Host":"a"}`), 400, "InvalidRequestPayload"},
		{"https://picket.test" + s + "?api-version=2023-01-01", nil, []byte(`[`), 400, "InvalidRequestPayload"},
		{"https://picket.test" + s + "?api-version=2023-01-01", map[string]string{"Content-Encoding": "gzip"}, []byte(`[]`), 400, "InvalidRequestPayload"},
		{"https://picket.test" + s + "?api-version=2023-01-01", map[string]string{"Content-Encoding": "br"}, []byte(`[]`), 415, "InvalidRequestPayload"},
		{"https://picket.test" + s + "?api-version=2023-01-01", map[string]string{"Content-Encoding": "gzip"}, bomb, 413, "ContentLengthLimitExceeded"},
		{"https://picket.test" + s, nil, []byte(`[]`), 400, "MissingApiVersionParameter"},
		{"https://picket.test/dataCollectionRules/dcr-0/streams/Custom-In?api-version=2023-01-01", nil, []byte(`[]`), 404, "NotFound"},
		{"https://picket.test/dataCollectionRules/" + id + "/streams/Custom-X?api-version=2023-01-01", nil, []byte(`[]`), 400, "InvalidStream"},
	} {
		if c, e := post(x.target, x.header, x.body); c != x.status || e != x.code {
			t.Errorf("%s %.30q: %d %s, want %d %s", x.target, x.body, c, e, x.status, x.code)
		}
	}
	if got := f.rows(tok, "In_CL | summarize count(), make_set(Up)"); got != `[[3,"[\"A\",\"B\"]"]]` {
		t.Error(got)
	}
	tok = f.token(Reader)
	if c, e := post("https://picket.test"+s+"?api-version=2023-01-01", nil, []byte(`[]`)); c != 403 || e != "OperationFailed" {
		t.Errorf("reader: %d %s", c, e)
	}
}

// TestAbsoluteFormTargets sends what Fluent Bit sends: POST https://host/path HTTP/1.1, over a socket.
func TestAbsoluteFormTargets(t *testing.T) {
	f := newFull(t)
	tok := f.token(Contributor)
	id, stream, err := f.api.CreateRule(context.Background(), "r", "Abs_CL", []string{"Host:string"}, "source")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(Paths(f.api.Handler()))
	defer srv.Close()
	conn := &http.Transport{}
	defer conn.CloseIdleConnections()
	r, err := http.NewRequest("POST", srv.URL, strings.NewReader(`[{"Host":"fb"}]`))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "http://" + r.URL.Host + "/dataCollectionRules/" + id + "/streams/" + stream
	r.URL.RawQuery = "api-version=2021-11-01-preview"
	r.ContentLength = -1 // chunked
	r.Header.Set("Authorization", "Bearer "+tok)
	res, err := conn.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 204 {
		t.Errorf("absolute form: %d", res.StatusCode)
	}
	if got := f.rows(tok, "Abs_CL | project Host"); got != `[["fb"]]` {
		t.Error(got)
	}
}

func TestKustoFramesKeepTheirOrder(t *testing.T) {
	f := newFull(t)
	tok := f.token(Reader)
	ask := func(path, csl, options string) (int, string) {
		r := httptest.NewRequest("POST", "https://picket.test"+path, strings.NewReader(fmt.Sprintf(`{"db":"ws","csl":%q,"properties":{"Options":{%s}}}`, csl, options)))
		r.Header.Set("Authorization", "Bearer "+tok)
		r.Header.Set("x-ms-client-request-id", "KPC.execute;1")
		rec := httptest.NewRecorder()
		f.api.Handler().ServeHTTP(rec, r)
		if rec.Header().Get("x-ms-client-request-id") != "KPC.execute;1" {
			t.Error("the request's id is not echoed")
		}
		return rec.Code, rec.Body.String()
	}
	_, got := ask("/v2/rest/query", "print a=1, d=dynamic({'x':[1]}), r=real(nan), s='\"'", `"results_v2_fragment_primary_tables":true,"results_v2_newlines_between_frames":true,"results_error_reporting_placement":"end_of_table"`)
	lines := strings.Split(strings.TrimSpace(got), "\n")
	for i, want := range []string{
		`[{"FrameType":"DataSetHeader","IsProgressive":false,"Version":"v2.0","IsFragmented":true,"ErrorReportingPlacement":"EndOfTable"}`,
		`,{"FrameType":"DataTable","TableId":0,"TableKind":"QueryProperties","TableName":"@ExtendedProperties","Columns":[{"ColumnName":"TableId","ColumnType":"int"},`,
		`,{"FrameType":"TableHeader","TableId":1,"TableKind":"PrimaryResult","TableName":"PrimaryResult","Columns":[{"ColumnName":"a","ColumnType":"long"},`,
		`,{"FrameType":"TableFragment","TableFragmentType":"DataAppend","TableId":1,"Rows":[[1,{"x":[1]},"NaN","\""]]}`,
		`,{"FrameType":"TableCompletion","TableId":1,"RowCount":1}`,
		`,{"FrameType":"DataTable","TableId":2,"TableKind":"QueryCompletionInformation",`,
		`,{"FrameType":"DataSetCompletion","HasErrors":false,"Cancelled":false}`,
		`]`,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d lacks %s:\n%s", i, want, got)
			break
		}
	}
	_, got = ask("/v2/rest/query", "range x from 1 to 20 step 1", `"truncationmaxrecords":5`)
	for _, want := range []string{`"Rows":[[1],[2],[3],[4],[5],{"OneApiErrors":[{"error":{"code":"LimitsExceeded"`, `"HasErrors":true`, `"Level"`} {
		if !strings.Contains(got, want) {
			t.Errorf("cut answer lacks %s: %s", want, got)
		}
	}
	c, got := ask("/v2/rest/query", "print x | where nope", "")
	if c != 400 || !strings.Contains(got, `"@type":"Kusto.Data.Exceptions.SemanticException","@message":"Semantic error: `) {
		t.Errorf("%d %s", c, got)
	}
	if c, got := ask("/v1/rest/mgmt", ".drop table X", ""); c != 400 || !strings.Contains(got, ".show tables") {
		t.Errorf("%d %s", c, got)
	}
	for _, cmd := range knownCommands {
		if cmd == ".show function NAME" || cmd == ".show database principals" { // TestCommandsCanBeQueried
			continue
		}
		if c, got := ask("/v1/rest/mgmt", strings.ReplaceAll(cmd, "NAME", "['SecurityIncident']"), ""); c != 200 || !strings.HasPrefix(got, `{"Tables":[{"TableName":"Table_0","Columns":[{"ColumnName":`) {
			t.Errorf("%s: %d %.200s", cmd, c, got)
		}
	}
	if c, got := ask("/v1/rest/query", "print a=1; print b=2", ""); c != 200 || !strings.Contains(got, `"QueryStatus"`) {
		t.Errorf("%d %s", c, got)
	}
}

func TestQueriesWaitTheirTurnAndAreThrottled(t *testing.T) {
	g := newGate(Limits{Concurrent: 1, Queued: 1, QueueWait: 20 * time.Millisecond})
	ctx := context.Background()
	leave, e := g.enter(ctx, "a")
	if e != nil {
		t.Fatal(e)
	}
	if l2, e := g.enter(ctx, "b"); e != nil {
		t.Error("another principal waits", e)
	} else {
		l2()
	}
	if _, e := g.enter(ctx, "a"); e == nil || e.Status != 429 {
		t.Error("a full turn was given", e)
	}
	leave()
	if l, e := g.enter(ctx, "a"); e != nil {
		t.Error("a free turn was refused", e)
	} else {
		l()
	}
	if len(g.lines) != 0 {
		t.Errorf("%d lines left", len(g.lines))
	}
	// Over the wire: 429 with Retry-After, in Log Analytics' and in Kusto's form.
	f := newFull(t)
	tok := f.token(Reader)
	stay, e := f.api.gate.enter(ctx, "pat:test-Reader")
	if e != nil {
		t.Fatal(e)
	}
	defer stay()
	for path, body := range map[string]string{"/v1/workspaces/ws/query": `{"query":"print 1"}`, "/v2/rest/query": `{"db":"ws","csl":"print 1"}`} {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+tok)
		rec := httptest.NewRecorder()
		f.api.Handler().ServeHTTP(rec, r)
		if rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func TestManagedIdentityNeedsItsHeader(t *testing.T) {
	f := newFull(t)
	id, header, err := f.api.Issuer().CreateIdentity(context.Background(), "vm", Reader)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(header, query string) (int, map[string]any) {
		r := httptest.NewRequest("GET", "http://127.0.0.1:1/msi/token?"+query, nil)
		if header != "" {
			r.Header.Set("X-IDENTITY-HEADER", header)
		}
		rec := httptest.NewRecorder()
		f.api.MSI().ServeHTTP(rec, r)
		var out map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		return rec.Code, out
	}
	c, out := ask(header, "api-version=2019-08-01&resource=https://api.loganalytics.io")
	if c != 200 || out["token_type"] != "Bearer" {
		t.Fatalf("%d %v", c, out)
	}
	if _, ok := out["expires_on"].(string); !ok {
		t.Errorf("expires_on is no text: %v", out)
	}
	if got := f.rows(out["access_token"].(string), "print 1"); got != "[[1]]" {
		t.Error(got)
	}
	for _, x := range []struct {
		header, query string
		status        int
	}{
		{"", "resource=https://api.loganalytics.io", 401},
		{"wrong", "resource=https://api.loganalytics.io", 401},
		{header, "", 400},
		{header, "resource=https://graph.microsoft.com", 400},
		{header, "resource=https://api.loganalytics.io&client_id=" + testWorkspace.ID, 400},
		{header, "resource=https://api.loganalytics.io&client_id=" + id, 200},
	} {
		if c, out := ask(x.header, x.query); c != x.status {
			t.Errorf("%q %s: %d %v", x.header, x.query, c, out)
		}
	}
	owner := f.token(Owner)
	c, out = f.do("GET", "/api/v1/access", owner, nil, "")
	if c != 200 || len(out["value"].([]any)) != 2 {
		t.Errorf("%d %v", c, out)
	}
	if c, _ := f.do("DELETE", "/api/v1/access/"+id, owner, nil, ""); c != 204 {
		t.Errorf("revoke: %d", c)
	}
	if c, _ := ask(header, "resource=https://api.loganalytics.io"); c != 401 {
		t.Errorf("a revoked identity: %d", c)
	}
	if c, _ := f.do("POST", "/api/v1/access", f.token(Contributor), nil, `{"kind":"token","name":"x","role":"Owner"}`); c != 403 {
		t.Errorf("a Contributor gave access: %d", c)
	}
}

func TestBatchesAnswerInOrder(t *testing.T) {
	f := newFull(t)
	f.api.gate = newGate(Limits{})
	var reqs []string
	for i := range 20 {
		reqs = append(reqs, fmt.Sprintf(`{"id":"%d","body":{"query":"print %d"},"method":"POST","path":"/query","workspace":"ws"}`, 100-i, i))
	}
	reqs = append(reqs, `{"id":"x","body":{"query":"print"},"method":"POST","path":"/query","workspace":"other"}`)
	c, out := f.do("POST", "/v1/$batch", f.token(Reader), nil, `{"requests":[`+strings.Join(reqs, ",")+`]}`)
	if c != 200 {
		t.Fatalf("%d %v", c, out)
	}
	for i, x := range out["responses"].([]any) {
		m := x.(map[string]any)
		if i == 20 {
			if m["status"] != 404.0 {
				t.Errorf("%v", m)
			}
			continue
		}
		b, _ := json.Marshal(m["body"].(map[string]any)["tables"].([]any)[0].(map[string]any)["rows"]) // just decoded
		if m["id"] != fmt.Sprint(100-i) || string(b) != fmt.Sprintf("[[%d]]", i) {
			t.Errorf("%d: %v", i, m)
		}
	}
}

func TestPathsAreOfOneForm(t *testing.T) {
	f := newFull(t)
	h := Paths(f.api.Handler())
	tok := f.token(Reader)
	for path, want := range map[string]int{
		"/v1//" + strings.TrimPrefix(testWorkspace.ResourceID(), "/") + "/query": 200,
		"/v1/v1/workspaces/ws/query": 200,
		"/workspaces/ws/query":       200,
		"/v1/workspaces/nope/query":  404,
		"/v1/other":                  404,
	} {
		r := httptest.NewRequest("POST", path, strings.NewReader(`{"query":"print 1"}`))
		r.Header.Set("Authorization", "Bearer "+tok)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != want {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if c, _ := f.do("GET", "/v1/workspaces/ws/metadata", tok, nil, ""); c != 200 {
		t.Errorf("metadata: %d", c)
	}
}

func TestCommandsCanBeQueried(t *testing.T) {
	f := newFull(t)
	tok := f.token(Owner)
	if err := f.lake.EnsureTable(context.Background(), "Mine_CL", value.Schema{{Name: "TimeGenerated", Type: value.Datetime}, {Name: "N", Type: value.Long}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.api.Issuer().CreatePrincipal(context.Background(), "app", Reader); err != nil {
		t.Fatal(err)
	}
	ask := func(tok, csl string) (int, string) {
		b, err := json.Marshal(map[string]string{"db": "ws", "csl": csl})
		if err != nil {
			t.Fatal(err)
		}
		c, out := f.do("POST", "/v1/rest/mgmt", tok, nil, string(b))
		if c != 200 {
			return c, fmt.Sprint(out)
		}
		rows, err := json.Marshal(out["Tables"].([]any)[0].(map[string]any)["Rows"])
		if err != nil {
			t.Fatal(err)
		}
		return c, string(rows)
	}
	for csl, want := range map[string]string{
		".show tables | where TableName has 'Mine' | project TableName":                             `[["Mine_CL"]]`,
		".show databases | extend a = strcat(DatabaseName, '|x') | project a, DatabaseId":           `[["ws|x","11111111-1111-1111-1111-111111111111"]]`,
		".show table Mine_CL | count":                                                               `[[5]]`,
		".show version | project BuildTime > datetime(2020-01-01)":                                  `[[true]]`,
		".show table ['Mine_CL'] cslschema | project Schema":                                        `[["TenantId:string,TimeGenerated:datetime,N:long,Type:string,_ResourceId:string"]]`,
		".show table Mine_CL details | project TableName, TotalRowCount":                            `[["Mine_CL",0]]`,
		".show database ws schema as csl script | where DatabaseSchemaScript has 'Mine_CL' | count": `[[1]]`,
		".show database principals | where Role has 'Reader' | project PrincipalDisplayName":        `[["app"]]`,
		".show external tables":                         `[]`,
		".show database ws details | project IsCurrent": `[[true]]`,
		".show functions | count":                       `[[0]]`,
	} {
		if c, got := ask(tok, csl); c != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", csl, c, got, want)
		}
	}
	for csl, want := range map[string]string{
		".show tables | where Nope == 1": "Nope", ".show database other schema as json": "other", ".show table Nope details": "Nope", ".drop table Mine_CL": "not served", ".show function x": "x",
	} {
		if c, got := ask(tok, csl); c != 400 || !strings.Contains(got, want) {
			t.Errorf("%s: %d %s", csl, c, got)
		}
	}
	if c, _ := ask(f.token(Reader), ".show database principals"); c != 403 {
		t.Errorf("a reader lists principals: %d", c)
	}
}

func TestProgressiveAnswers(t *testing.T) {
	f := newFull(t)
	code, body, _ := f.raw("POST", "/v2/rest/query", map[string]string{"Authorization": "Bearer " + f.token(Reader)}, `{"db":"ws","csl":"range x from 1 to 9000 step 1","properties":{"Options":{"results_progressive_enabled":true}}}`)
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	var frames []map[string]any
	if err := json.Unmarshal([]byte(body), &frames); err != nil {
		t.Fatal(err)
	}
	rows, last := 0, 0.0
	for _, fr := range frames {
		switch fr["FrameType"] {
		case "DataSetHeader":
			if fr["IsProgressive"] != true {
				t.Errorf("%v", fr)
			}
		case "TableFragment":
			rows += len(fr["Rows"].([]any))
			if fr["FieldCount"] != 1.0 {
				t.Errorf("field count %v", fr["FieldCount"])
			}
		case "TableProgress":
			p := fr["TableProgress"].(float64)
			if p < last || p > 100 {
				t.Errorf("progress goes from %v to %v", last, p)
			}
			last = p
		}
	}
	if rows != 9000 || last != 100 {
		t.Errorf("%d rows, %v%%", rows, last)
	}
}

func TestTooManyQuestionsInAWhile(t *testing.T) {
	g := newGate(Limits{PerWindow: 3})
	now := time.Now()
	for i, want := range []bool{true, true, true, false} {
		if got := g.count("a", now); got != want {
			t.Errorf("question %d: %v", i, got)
		}
	}
	if !g.count("b", now) || !g.count("a", now.Add(window+time.Second)) {
		t.Error("another principal, or a later question, is held back")
	}
}
