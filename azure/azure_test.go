package azure

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"picket/detect"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"picket/state"
	"strings"
	"testing"
	"time"
)

var testWorkspace = Workspace{
	ID: "11111111-1111-1111-1111-111111111111", TenantID: "22222222-2222-2222-2222-222222222222", SubscriptionID: "33333333-3333-3333-3333-333333333333",
	ResourceGroup: "rg", Name: "ws", Location: "local", SharedKeys: []string{base64.StdEncoding.EncodeToString([]byte("primary")), base64.StdEncoding.EncodeToString([]byte("secondary"))},
}

// wire is an API over fakes; tests set what the fakes answer.
type wire struct {
	t         *testing.T
	api       *API
	now       time.Time
	collected []CollectRequest
	query     func(query.Request) (*query.Result, error)
	det       *detect.Detector
}

func newWire(t *testing.T) *wire {
	t.Helper()
	ctx := context.Background()
	db, err := state.Open(ctx, filepath.Join(t.TempDir(), "s.db"), Migrations(), detect.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &wire{t: t, now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}
	w.query = func(query.Request) (*query.Result, error) { return &query.Result{}, nil }
	now := func() time.Time { return w.now }
	w.det, err = detect.New(detect.Deps{
		State: db, Now: now,
		Query: func(context.Context, query.Request) (*query.Result, error) { return &query.Result{}, nil },
		Check: func(context.Context, string) (detect.Checked, error) { return detect.Checked{}, nil },
		Append: func(context.Context, string, value.Schema, []map[string]any, string) (lake.Ack, error) {
			return lake.Ack{}, nil
		},
		Barrier: func(context.Context) (time.Time, error) { return w.now, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.api, err = New(ctx, Deps{
		State: db, Workspace: testWorkspace, Detect: w.det, Now: now,
		Collect: func(_ context.Context, r CollectRequest) error { w.collected = append(w.collected, r); return nil },
		Query:   func(_ context.Context, r query.Request) (*query.Result, error) { return w.query(r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *wire) do(method, path, bearer string, header map[string]string, body string) (int, map[string]any) {
	w.t.Helper()
	r := httptest.NewRequest(method, "https://picket.test"+path, strings.NewReader(body))
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	var out map[string]any
	if rec.Body.Len() > 0 {
		b := rec.Body.Bytes()
		if b[0] == '[' { // a few operations answer a bare array
			b = []byte(`{"value":` + string(b) + `}`)
		}
		if err := json.Unmarshal(b, &out); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, rec.Body)
		}
	}
	return rec.Code, out
}

// raw is do for answers that are no JSON.
func (w *wire) raw(method, path string, header map[string]string, body string) (int, string, http.Header) {
	w.t.Helper()
	r := httptest.NewRequest(method, "https://picket.test"+path, strings.NewReader(body))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	return rec.Code, rec.Body.String(), rec.Result().Header
}

func (w *wire) token(role Role) string {
	w.t.Helper()
	s, err := w.api.Issuer().CreateToken(context.Background(), "test-"+string(role), role, time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestClientCredentialsGiveABearerForEachTenantSegment(t *testing.T) {
	w := newWire(t)
	id, secret, err := w.api.Issuer().CreatePrincipal(context.Background(), "app", Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"adfs", "common", "organizations", testWorkspace.TenantID} {
		form := url.Values{"client_id": {id}, "client_secret": {secret}, "grant_type": {"client_credentials"}, "scope": {"https://management.azure.com//.default openid offline_access profile"}}
		code, out := w.do("POST", "/"+tenant+"/oauth2/v2.0/token", "", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form.Encode())
		if code != 200 {
			t.Fatalf("%s: %d %v", tenant, code, out)
		}
		if code, out := w.do("GET", "/subscriptions?api-version=2022-12-01", out["access_token"].(string), nil, ""); code != 200 {
			t.Errorf("%s: bearer refused: %d %v", tenant, code, out)
		}
		form.Set("client_secret", "wrong")
		code, out = w.do("POST", "/"+tenant+"/oauth2/v2.0/token", "", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form.Encode())
		if code != 401 || out["error"] != "invalid_client" || !strings.Contains(fmt.Sprint(out["error_description"]), "AADSTS7000215") {
			t.Errorf("%s: wrong secret: %d %v", tenant, code, out)
		}
	}
	if code, _ := w.do("GET", "/contoso.com/v2.0/.well-known/openid-configuration", "", nil, ""); code != 400 {
		t.Errorf("unknown tenant: %d", code)
	}
}

func TestBearersExpireAndNeedTheRightAudience(t *testing.T) {
	w := newWire(t)
	id, _, err := w.api.Issuer().CreatePrincipal(context.Background(), "app", Reader)
	if err != nil {
		t.Fatal(err)
	}
	good, err := w.api.issuer.sign("x", "https://api.loganalytics.io/", id)
	if err != nil {
		t.Fatal(err)
	}
	other, err := w.api.issuer.sign("x", "https://graph.microsoft.com", id)
	if err != nil {
		t.Fatal(err)
	}
	path := "/subscriptions?api-version=1"
	code := func(tok string) (int, string) {
		c, out := w.do("GET", path, tok, nil, "")
		e, _ := out["error"].(map[string]any)
		return c, fmt.Sprint(e["code"])
	}
	if c, _ := code(good); c != 200 {
		t.Errorf("good: %d", c)
	}
	if c, k := code(other); c != 403 || k != "InvalidAuthenticationTokenAudience" {
		t.Errorf("wrong audience: %d %s", c, k)
	}
	if c, k := code(""); c != 401 || k != "AuthenticationFailed" {
		t.Errorf("none: %d %s", c, k)
	}
	if c, k := code(good[:len(good)-4] + "AAAA"); c != 401 || k != "InvalidAuthenticationToken" {
		t.Errorf("tampered: %d %s", c, k)
	}
	if err := w.api.Issuer().Rotate(context.Background()); err != nil {
		t.Fatal(err)
	}
	if c, _ := code(good); c != 200 {
		t.Errorf("after rotation: %d", c)
	}
	w.now = w.now.Add(2 * time.Hour)
	if c, k := code(good); c != 401 || k != "ExpiredAuthenticationToken" {
		t.Errorf("expired: %d %s", c, k)
	}
}

func TestRolesAreHeldByRoute(t *testing.T) {
	w := newWire(t)
	base := testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/"
	in := "44444444-4444-4444-4444-444444444444"
	body := `{"properties":{"title":"x","severity":"High","status":"New"}}`
	for _, c := range []struct {
		method, path string
		body         string
		need         Role
	}{
		{"GET", base + "incidents", "", Reader},
		{"PUT", base + "incidents/" + in, body, Responder},
		{"PUT", base + "incidents/" + in + "/comments/55555555-5555-5555-5555-555555555555", `{"properties":{"message":"hi"}}`, Responder},
		{"PUT", base + "alertRules/66666666-6666-6666-6666-666666666666", `{"kind":"Scheduled","properties":{"displayName":"r","severity":"High","enabled":true,"query":"T","queryFrequency":"PT5M","queryPeriod":"PT5M","triggerOperator":"GreaterThan","triggerThreshold":0,"suppressionDuration":"PT5H","suppressionEnabled":false}}`, Contributor},
		{"POST", testWorkspace.ResourceID() + "/sharedKeys", "", Owner},
	} {
		for _, role := range []Role{Reader, Responder, Contributor, Owner} {
			code, out := w.do(c.method, c.path+"?api-version=2023-11-01", w.token(role), nil, c.body)
			if allowed := role.Allows(c.need); allowed == (code == 403) {
				t.Errorf("%s %s as %s: %d %v", c.method, c.path, role, code, out)
			}
		}
		if code, _ := w.do(c.method, c.path+"?api-version=2023-11-01", "", nil, c.body); code != 401 {
			t.Errorf("%s %s as nobody: %d", c.method, c.path, code)
		}
	}
}

func TestArmPathsCompareWithoutCase(t *testing.T) {
	w := newWire(t)
	tok := w.token(Reader)
	p := strings.ToLower(testWorkspace.ResourceID()) + "/PROVIDERS/microsoft.securityinsights/INCIDENTS"
	if code, out := w.do("GET", p+"?api-version=1", tok, nil, ""); code != 200 {
		t.Errorf("%d %v", code, out)
	}
	for path, want := range map[string]string{
		testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/incidents":                                     "MissingApiVersionParameter",
		testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/nothing?api-version=1":                         "InvalidResourceType",
		"/subscriptions/x/resourceGroups/rg?api-version=1":                                                                 "SubscriptionNotFound",
		"/subscriptions/" + testWorkspace.SubscriptionID + "/resourceGroups/other?api-version=1":                           "ResourceGroupNotFound",
		strings.Replace(testWorkspace.ResourceID(), "/ws", "/other", 1) + "?api-version=1":                                 "ResourceNotFound",
		testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/incidents/nope?api-version=1":                  "NotFound",
		testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/incidents?api-version=1&$filter=title+has+'x'": "BadRequest",
	} {
		_, out := w.do("GET", path, tok, nil, "")
		e, _ := out["error"].(map[string]any)
		if e["code"] != want {
			t.Errorf("%s: %v, want %s", path, out, want)
		}
	}
}

func TestIncidentsFilterOrderAndPage(t *testing.T) {
	w := newWire(t)
	tok := w.token(Responder)
	base := testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/incidents"
	for i, sev := range []string{"Low", "High", "High"} {
		id := fmt.Sprintf("00000000-0000-0000-0000-00000000000%d", i+1)
		if code, out := w.do("PUT", base+"/"+id+"?api-version=1", tok, nil, fmt.Sprintf(`{"properties":{"title":"t%d","severity":%q,"status":"New"}}`, i, sev)); code != 201 {
			t.Fatalf("%d %v", code, out)
		}
	}
	code, out := w.do("GET", base+"?api-version=1&$filter="+url.QueryEscape("properties/severity eq 'High' and properties/title ne 't2'"), tok, nil, "")
	if v := out["value"].([]any); code != 200 || len(v) != 1 {
		t.Errorf("filter: %d %v", code, v)
	}
	_, out = w.do("GET", base+"?api-version=1&$top=2&$orderby="+url.QueryEscape("properties/incidentNumber asc"), tok, nil, "")
	v := out["value"].([]any)
	first := v[0].(map[string]any)["properties"].(map[string]any)["incidentNumber"]
	next, _ := out["nextLink"].(string)
	if len(v) != 2 || first != 1.0 || next == "" {
		t.Fatalf("page 1: %d rows, first %v, next %q", len(v), first, next)
	}
	_, out = w.do("GET", strings.TrimPrefix(next, "https://picket.test"), tok, nil, "")
	if v := out["value"].([]any); len(v) != 1 || out["nextLink"] != nil {
		t.Errorf("page 2: %v", out)
	}
	// A stale etag is refused.
	_, out = w.do("GET", base+"/1?api-version=1", tok, nil, "")
	tag := out["etag"].(string)
	put := func(title, tag string) int {
		c, _ := w.do("PUT", base+"/1?api-version=1", tok, map[string]string{"If-Match": tag}, fmt.Sprintf(`{"properties":{"title":%q}}`, title))
		return c
	}
	if c := put("new", tag); c != 200 {
		t.Errorf("right etag: %d", c)
	}
	if c := put("newer", tag); c != 409 {
		t.Errorf("stale etag: %d", c)
	}
}

func (w *wire) collect(key, signedType string, length int, at time.Time, body string, header map[string]string) (int, string) {
	date := at.UTC().Format(http.TimeFormat)
	sig, err := SharedKeySignature(key, length, signedType, date)
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "https://picket.test/api/logs?api-version=2016-04-01", bytes.NewReader([]byte(body)))
	r.Header.Set("Authorization", "SharedKey "+testWorkspace.ID+":"+base64.StdEncoding.EncodeToString(sig))
	r.Header.Set("x-ms-date", date)
	r.Header.Set("Content-Type", signedType)
	r.Header.Set("Log-Type", "Test")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.api.Collector().ServeHTTP(rec, r)
	var e struct{ Error string }
	_ = json.Unmarshal(rec.Body.Bytes(), &e) // an empty body has no error
	return rec.Code, e.Error
}

func TestCollectorChecksTheSignatureOverTheBytesAsSent(t *testing.T) {
	w := newWire(t)
	body := `{"a":"ü"}`
	for _, key := range testWorkspace.SharedKeys {
		if code, e := w.collect(key, "application/json; charset=utf-8", len(body), w.now, body, nil); code != 200 {
			t.Errorf("%d %s", code, e)
		}
	}
	if len(w.collected) != 2 || string(w.collected[0].Body) != body || w.collected[0].LogType != "Test" {
		t.Errorf("collected %+v", w.collected)
	}
	key := testWorkspace.SharedKeys[0]
	if code, e := w.collect(key, "application/json", len([]rune(body)), w.now, body, nil); code != 403 || e != "InvalidAuthorization" {
		t.Errorf("length in characters: %d %s", code, e)
	}
	if code, _ := w.collect(key, "application/json", len(body), w.now.Add(-16*time.Minute), body, nil); code != 403 {
		t.Errorf("stale: %d", code)
	}
	if code, e := w.collect(key, "application/json", len(body), w.now, body, map[string]string{"Content-Encoding": "br"}); code != 400 || e != "InvalidDataFormat" {
		t.Errorf("unknown encoding: %d %s", code, e)
	}
	if len(w.collected) != 2 {
		t.Error("a refused request was collected")
	}
}

func TestQueryAnswersInLogAnalyticsShape(t *testing.T) {
	w := newWire(t)
	tok := w.token(Reader)
	w.query = func(r query.Request) (*query.Result, error) {
		if r.Text == "bad" {
			return nil, syntax.ErrorList{{Code: "SEM0100", Msg: "no such name", Line: 2, Column: 3}}
		}
		s := value.Schema{{Name: "x", Type: value.Long}, {Name: "d", Type: value.Dynamic}, {Name: "r", Type: value.Real}}
		d := value.New(value.Dynamic, 2)
		d.D[0] = []any{int64(1), "a"}
		return &query.Result{
			Tables:  []query.Table{{Name: "PrimaryResult", Schema: s, Frames: []*value.Frame{value.NewFrame(s, value.LongVector([]int64{9007199254740993, 2}), d, value.RealVector([]float64{1.5, 2}))}}},
			Partial: &query.Partial{Code: "E_QUERY_RESULT_SET_TOO_LARGE", Message: "too many"},
		}, nil
	}
	path := "/v1/workspaces/" + testWorkspace.ID + "/query"
	r := httptest.NewRequest("POST", "https://picket.test"+path, strings.NewReader(`{"query":"T","timespan":"PT3600.0S","workspaces":null}`))
	r.Header.Set("Authorization", "Bearer "+tok)
	r.Header.Set("Prefer", "")
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, r)
	got := rec.Body.String()
	for _, want := range []string{`"rows":[[9007199254740993,"[1,\"a\"]",1.5],[2,null,2.0]]`, `"name":"PrimaryResult"`, `"code":"PartialError"`, `"-2133196797"`, `{"name":"x","type":"long"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("answer lacks %s: %s", want, got)
		}
	}
	code, out := w.do("POST", path, tok, nil, `{"query":"bad"}`)
	b, _ := json.Marshal(out)
	if code != 400 || !strings.Contains(string(b), `"innererror":{"code":"SEM0100","line":2,"message":"2:3: SEM0100: no such name","pos":3}`) {
		t.Errorf("%d %s", code, b)
	}
	if code, out := w.do("POST", "/v1/workspaces/other/query", tok, nil, `{"query":"T"}`); code != 404 {
		t.Errorf("%d %v", code, out)
	}
	if code, _ := w.do("POST", path, tok, nil, `{"query":`); code != 400 {
		t.Errorf("broken JSON: %d", code)
	}
}

func TestTimespans(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	for s, want := range map[string][2]string{
		"PT1H":                        {"2026-11-24T07:00:00Z", "2026-11-24T08:00:00Z"},
		"PT3600.5S":                   {"2026-11-24T06:59:59.5Z", "2026-11-24T08:00:00Z"},
		"P1DT12H":                     {"2026-11-22T20:00:00Z", "2026-11-24T08:00:00Z"},
		"2026-11-01/2026-11-02":       {"2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"},
		"2026-11-01T00:00:00Z/PT2H":   {"2026-11-01T00:00:00Z", "2026-11-01T02:00:00Z"},
		"P1D/2026-11-02T00:00:00.000": {"2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"},
	} {
		from, to, err := ParseTimespan(s, now)
		if err != nil || from.Format(time.RFC3339Nano) != want[0] || to.Format(time.RFC3339Nano) != want[1] {
			t.Errorf("%s: %s %s %v", s, from, to, err)
		}
	}
	for _, s := range []string{"1h", "P", "PT", "x/y", "P1000Y", ""} {
		if _, _, err := ParseTimespan(s, now); err == nil {
			t.Errorf("%q passed", s)
		}
	}
}
