package azure

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// crowd is the page's accounts.
type crowd struct {
	mu  sync.Mutex
	all []Person
}

func (c *crowd) Person(_ context.Context, id string) (Person, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.all {
		if p.ID == id || p.Name == id {
			return p, true, nil
		}
	}
	return Person{}, false, nil
}

func (c *crowd) People(context.Context) ([]Person, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Person{}, c.all...), nil
}

func (c *crowd) SetRole(_ context.Context, id string, r Role) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		if c.all[i].ID == id {
			c.all[i].Role, c.all[i].Disabled = r, r == ""
		}
	}
	return nil
}

const (
	annID = "aaaaaaaa-0000-4000-8000-000000000001"
	azCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
)

// people is a wire with an account, whose session is the header X-Test-User.
func people(t *testing.T) (*wire, *crowd) {
	w := newWire(t)
	c := &crowd{all: []Person{{ID: annID, Name: "ann", DisplayName: "Ann", Role: Contributor}, {ID: "aaaaaaaa-0000-4000-8000-000000000002", Name: "olga", Role: Owner}}}
	w.api.d.People, w.api.issuer.people = c, c
	w.api.d.Session = func(r *http.Request) (string, Role, bool) {
		p, ok, _ := c.Person(r.Context(), r.Header.Get("X-Test-User"))
		return p.Name, p.Role, ok
	}
	return w, c
}

var formType = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}

func (w *wire) form(path string, v url.Values) (int, map[string]any) {
	w.t.Helper()
	return w.do("POST", path, "", formType, v.Encode())
}

func TestADeviceCodeSignsAPersonIn(t *testing.T) {
	w, c := people(t)
	begin := func() map[string]any {
		code, out := w.form("/adfs/oauth2/v2.0/devicecode", url.Values{"client_id": {azCLI}, "scope": {"https://management.core.windows.net//.default openid profile offline_access"}})
		if code != 200 || out["verification_uri"] != "https://picket.test/device" || len(out["user_code"].(string)) != 9 {
			t.Fatalf("%d %v", code, out)
		}
		return out
	}
	poll := func(d map[string]any) (int, string, map[string]any) {
		code, out := w.form("/adfs/oauth2/v2.0/token", url.Values{"client_id": {azCLI}, "grant_type": {grantDevice}, "device_code": {d["device_code"].(string)}})
		return code, fmt.Sprint(out["error"]), out
	}
	d := begin()
	if code, e, _ := poll(d); code != 400 || e != "authorization_pending" {
		t.Errorf("first poll: %d %s", code, e)
	}
	w.now = w.now.Add(time.Second)
	if _, e, _ := poll(d); e != "slow_down" {
		t.Errorf("poll after a second: %s", e)
	}
	user := map[string]string{"X-Test-User": "ann"}
	path := "/api/v1/access/consents/" + strings.ToLower(d["user_code"].(string))
	if code, _ := w.do("GET", path, "", nil, ""); code != 401 {
		t.Errorf("nobody looks: %d", code)
	}
	if code, _ := w.do("POST", path, w.token(Owner), user, `{"allow":true}`); code != 401 {
		t.Errorf("a bearer agrees for itself: %d", code)
	}
	if code, out := w.do("GET", path, "", user, ""); code != 200 || out["app"] != "Azure CLI" || out["user"] != "ann" {
		t.Errorf("look: %d %v", code, out)
	}
	if code, out := w.do("POST", path, "", user, `{"allow":true}`); code != 200 {
		t.Errorf("agree: %d %v", code, out)
	}
	if code, _ := w.do("POST", path, "", user, `{"allow":true}`); code != 404 {
		t.Errorf("agree twice: %d", code)
	}
	w.now = w.now.Add(20 * time.Second)
	code, _, out := poll(d)
	if code != 200 || out["refresh_token"] == nil || out["id_token"] == nil {
		t.Fatalf("granted: %d %v", code, out)
	}
	if code, e, _ := poll(d); code != 400 || e != "bad_verification_code" {
		t.Errorf("the code again: %d %s", code, e)
	}
	var id userClaims
	if _, _, err := jwt.NewParser().ParseUnverified(out["id_token"].(string), &id); err != nil || id.Subject != annID || id.Audience[0] != azCLI || id.Username != "ann" {
		t.Errorf("id token: %+v %v", id, err)
	}
	at := out["access_token"].(string)
	if code, _ := w.do("GET", "/subscriptions?api-version=1", at, nil, ""); code != 200 {
		t.Errorf("access token: %d", code)
	}
	// The role is the account's, as it is now.
	if code, _ := w.do("POST", testWorkspace.ResourceID()+"/sharedKeys?api-version=1", at, nil, ""); code != 403 {
		t.Errorf("a contributor reads keys: %d", code)
	}
	if err := c.SetRole(context.Background(), annID, Owner); err != nil {
		t.Fatal(err)
	}
	if code, _ := w.do("POST", testWorkspace.ResourceID()+"/sharedKeys?api-version=1", at, nil, ""); code != 200 {
		t.Errorf("an owner reads keys: %d", code)
	}
	refresh := func(client string) (int, map[string]any) {
		return w.form("/adfs/oauth2/v2.0/token", url.Values{"client_id": {client}, "grant_type": {"refresh_token"}, "refresh_token": {out["refresh_token"].(string)}, "scope": {"https://api.loganalytics.io/.default"}})
	}
	if code, out := refresh(azCLI); code != 200 || out["access_token"] == nil {
		t.Errorf("refresh: %d %v", code, out)
	}
	if code, out := refresh(kustoClientID); code != 400 || out["error"] != "invalid_grant" {
		t.Errorf("refresh by another application: %d %v", code, out)
	}
	// The person sees the sign-in and ends it.
	_, mine := w.do("GET", "/api/v1/access/mine", "", user, "")
	list := mine["value"].([]any)
	if len(list) != 1 || list[0].(map[string]any)["kind"] != "signin" || list[0].(map[string]any)["name"] != "Azure CLI" {
		t.Fatalf("mine: %v", mine)
	}
	if code, _ := w.do("DELETE", "/api/v1/access/mine/"+list[0].(map[string]any)["id"].(string), "", user, ""); code != 204 {
		t.Errorf("end: %d", code)
	}
	if code, _ := refresh(azCLI); code != 400 {
		t.Errorf("refresh after the end: %d", code)
	}
	// A disabled account's tokens end at once.
	if err := c.SetRole(context.Background(), annID, ""); err != nil {
		t.Fatal(err)
	}
	if code, _ := w.do("GET", "/subscriptions?api-version=1", at, nil, ""); code != 401 {
		t.Errorf("a disabled account: %d", code)
	}
	if err := c.SetRole(context.Background(), annID, Reader); err != nil {
		t.Fatal(err)
	}
	// Declined, expired, and wrong codes.
	d = begin()
	if code, _ := w.do("POST", "/api/v1/access/consents/"+d["user_code"].(string), "", user, `{"allow":false}`); code != 200 {
		t.Errorf("decline: %d", code)
	}
	if _, e, _ := poll(d); e != "authorization_declined" {
		t.Errorf("declined: %s", e)
	}
	d = begin()
	w.now = w.now.Add(askLife + time.Second)
	if _, e, _ := poll(d); e != "expired_token" {
		t.Errorf("expired: %s", e)
	}
	for i := range 7 {
		code, _ := w.do("GET", "/api/v1/access/consents/BBBB-BBBB", "", user, "")
		if want := map[bool]int{true: 404, false: 429}[i < wrongFree]; code != want {
			t.Errorf("wrong code %d: %d", i, code)
		}
	}
	w.now = w.now.Add(wrongBlock + time.Second)
	if code, _ := w.do("GET", "/api/v1/access/consents/BBBB-BBBB", "", user, ""); code != 404 {
		t.Errorf("after the wait: %d", code)
	}
	if code, out := w.form("/adfs/oauth2/v2.0/devicecode", url.Values{"client_id": {"none"}}); code != 400 || out["error"] != "unauthorized_client" {
		t.Errorf("unknown application: %d %v", code, out)
	}
}

func TestTheBrowserSignsAPersonIn(t *testing.T) {
	w, _ := people(t)
	owner := w.token(Owner)
	code, app := w.do("POST", "/api/v1/access", owner, nil, `{"kind":"principal","name":"board","role":"Reader","redirectUris":["https://board.example.org/cb"]}`)
	if code != 201 {
		t.Fatalf("%d %v", code, app)
	}
	if code, _ := w.do("POST", "/api/v1/access", owner, nil, `{"kind":"principal","name":"bad","role":"Reader","redirectUris":["http://board.example.org/cb"]}`); code != 400 {
		t.Errorf("a redirect without TLS: %d", code)
	}
	verifier := "a-verifier-of-forty-three-characters-or-more-000"
	h := sha256.Sum256([]byte(verifier))
	q := url.Values{"client_id": {app["clientId"].(string)}, "redirect_uri": {"https://board.example.org/cb"}, "response_type": {"code"}, "scope": {"openid email"}, "state": {"s 1"}, "nonce": {"n1"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(h[:])}, "code_challenge_method": {"S256"}}
	page := func(q url.Values) (int, string, http.Header) {
		return w.raw("GET", "/adfs/oauth2/v2.0/authorize?"+q.Encode(), nil, "")
	}
	status, body, header := page(q)
	if status != 200 || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || !strings.Contains(body, "data-id=") {
		t.Fatalf("%d %s", status, body)
	}
	_, id, _ := strings.Cut(body, `data-id="`)
	id, _, _ = strings.Cut(id, `"`)
	code, out := w.do("POST", "/api/v1/access/consents/"+id, "", map[string]string{"X-Test-User": "ann"}, `{"allow":true}`)
	if code != 200 {
		t.Fatalf("%d %v", code, out)
	}
	back, err := url.Parse(out["url"].(string))
	if err != nil || back.Host != "board.example.org" || back.Query().Get("state") != "s 1" {
		t.Fatalf("%v %v", out, err)
	}
	redeem := func(over url.Values) (int, map[string]any) {
		v := url.Values{"client_id": {app["clientId"].(string)}, "client_secret": {app["clientSecret"].(string)}, "grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"https://board.example.org/cb"}, "code_verifier": {verifier}}
		for k, x := range over {
			v[k] = x
		}
		return w.form("/adfs/oauth2/v2.0/token", v)
	}
	if code, _ := redeem(url.Values{"client_secret": {"wrong"}}); code != 401 {
		t.Errorf("wrong secret: %d", code)
	}
	code, out = redeem(nil)
	if code != 200 || out["refresh_token"] != nil {
		t.Fatalf("%d %v", code, out)
	}
	var c userClaims
	if _, _, err := jwt.NewParser().ParseUnverified(out["id_token"].(string), &c); err != nil || c.Nonce != "n1" || c.Issuer != "https://picket.test/adfs" || fmt.Sprint(c.Roles) != "[Contributor]" {
		t.Errorf("%+v %v", c, err)
	}
	if code, _ := w.do("GET", "/subscriptions?api-version=1", out["access_token"].(string), nil, ""); code != 403 {
		t.Errorf("a token for signing in alone opens the API: %d", code)
	}
	if code, _ := redeem(nil); code != 400 {
		t.Errorf("the code twice: %d", code)
	}
	// What is never sent to the redirect, and what is.
	for name, x := range map[string]struct {
		over   url.Values
		status int
		where  string
	}{
		"another redirect":    {url.Values{"redirect_uri": {"https://evil.example.org/"}}, 400, ""},
		"unknown application": {url.Values{"client_id": {"x"}}, 400, ""},
		"implicit":            {url.Values{"response_type": {"token"}}, 302, "unsupported_response_type"},
		"plain PKCE":          {url.Values{"code_challenge_method": {"plain"}}, 302, "invalid_request"},
		"no prompt":           {url.Values{"prompt": {"none"}}, 302, "interaction_required"},
		"public, no PKCE":     {url.Values{"client_id": {azCLI}, "redirect_uri": {"http://localhost:8400/"}, "code_challenge": nil}, 302, "invalid_request"},
		"public, not at home": {url.Values{"client_id": {azCLI}}, 400, ""},
		"public, loopback":    {url.Values{"client_id": {azCLI}, "redirect_uri": {"http://127.0.0.1:8400/x"}}, 200, ""},
	} {
		v := url.Values{}
		for k, s := range q {
			v[k] = s
		}
		for k, s := range x.over {
			v[k] = s
		}
		status, _, header := page(v)
		if status != x.status || !strings.Contains(header.Get("Location"), x.where) {
			t.Errorf("%s: %d %s", name, status, header.Get("Location"))
		}
	}
}

func TestPersonalTokensEndWithTheirOwner(t *testing.T) {
	w, c := people(t)
	user := map[string]string{"X-Test-User": "ann"}
	make1 := func(body string) (int, map[string]any) { return w.do("POST", "/api/v1/access/mine", "", user, body) }
	if code, _ := make1(`{"name":"up","role":"Owner","days":1}`); code != 400 {
		t.Errorf("more than one's own role: %d", code)
	}
	if code, _ := make1(`{"name":"ever","days":0}`); code != 400 {
		t.Errorf("without end: %d", code)
	}
	code, out := make1(`{"name":"laptop","days":7}`)
	if code != 201 {
		t.Fatalf("%d %v", code, out)
	}
	tok := out["token"].(string)
	role := func() string {
		p, e := w.api.issuer.Bearer(context.Background(), tok, "")
		if e != nil {
			return e.Code
		}
		return string(p.Role)
	}
	if r := role(); r != "Contributor" {
		t.Error(r)
	}
	for _, x := range [][2]string{{"Reader", "Reader"}, {"Owner", "Contributor"}, {"", "InvalidAuthenticationToken"}} {
		if err := c.SetRole(context.Background(), annID, Role(x[0])); err != nil {
			t.Fatal(err)
		}
		if r := role(); r != x[1] {
			t.Errorf("owner is %q: token is %s, want %s", x[0], r, x[1])
		}
	}
}

func TestRolesAreAssigned(t *testing.T) {
	w, _ := people(t)
	owner := w.token(Owner)
	id, secret, err := w.api.Issuer().CreatePrincipal(context.Background(), "app", Reader)
	if err != nil {
		t.Fatal(err)
	}
	base := testWorkspace.ResourceID() + "/providers/Microsoft.Authorization/roleAssignments"
	_, out := w.do("GET", base+"?api-version=2022-04-01", owner, nil, "")
	if n := len(out["value"].([]any)); n != 3 {
		t.Fatalf("%d assignments: %v", n, out)
	}
	put := func(name, def, principal string) (int, string) {
		c, out := w.do("PUT", base+"/"+name+"?api-version=2022-04-01", owner, nil, fmt.Sprintf(`{"properties":{"roleDefinitionId":"/x/providers/Microsoft.Authorization/roleDefinitions/%s","principalId":%q}}`, def, principal))
		return c, code(out)
	}
	const contributor, name = "b24988ac-6180-42a0-ab88-20f7382dd24c", "11111111-2222-4333-8444-555555555555"
	for _, x := range []struct {
		name, def, principal string
		status               int
		code                 string
	}{
		{name, contributor, id, 201, "<nil>"},
		{name, contributor, id, 201, "<nil>"},
		{"11111111-2222-4333-8444-555555555556", contributor, id, 409, "RoleAssignmentExists"},
		{name, contributor, annID, 409, "RoleAssignmentUpdateNotPermitted"},
		{"11111111-2222-4333-8444-555555555557", "99999999-0000-0000-0000-000000000000", id, 400, "RoleDefinitionDoesNotExist"},
		{"11111111-2222-4333-8444-555555555557", contributor, "99999999-0000-0000-0000-000000000000", 400, "PrincipalNotFound"},
		{"x", contributor, id, 400, "InvalidRoleAssignmentId"},
	} {
		if c, e := put(x.name, x.def, x.principal); c != x.status || e != x.code {
			t.Errorf("%+v: %d %s", x, c, e)
		}
	}
	_, tok := w.form("/adfs/oauth2/v2.0/token", url.Values{"client_id": {id}, "client_secret": {secret}, "grant_type": {"client_credentials"}, "scope": {"https://management.azure.com/.default"}})
	p, e := w.api.issuer.Bearer(context.Background(), tok["access_token"].(string), "")
	if e != nil || p.Role != Contributor {
		t.Errorf("%v %v", p, e)
	}
	if c, _ := w.do("DELETE", base+"/"+name+"?api-version=2022-04-01", owner, nil, ""); c != 200 {
		t.Errorf("delete: %d", c)
	}
	if c, _ := w.do("GET", "/subscriptions?api-version=1", tok["access_token"].(string), nil, ""); c != 403 {
		t.Errorf("without a role: %d", c)
	}
	if c, _ := w.do("DELETE", base+"/"+name+"?api-version=2022-04-01", owner, nil, ""); c != 204 {
		t.Errorf("delete again: %d", c)
	}
	_, out = w.do("GET", strings.Replace(base, "roleAssignments", "roleDefinitions", 1)+"?api-version=1&$filter="+url.QueryEscape("roleName eq 'Owner'"), owner, nil, "")
	if n := len(out["value"].([]any)); n != 1 {
		t.Errorf("definitions: %v", out)
	}
}

func TestTheAuditLogTellsWhoDidWhat(t *testing.T) {
	w, _ := people(t)
	var mu sync.Mutex
	got := map[string][]map[string]any{}
	fail := true
	u := newAuditor(func(_ context.Context, table string, rows []map[string]any, op string) error {
		mu.Lock()
		defer mu.Unlock()
		if fail {
			fail = false
			return context.DeadlineExceeded
		}
		s := AuditSchemas()[table]
		for _, r := range rows {
			for k := range r {
				if s.Index(k) < 0 {
					t.Errorf("%s has no column %s", table, k)
				}
			}
		}
		got[table] = append(got[table], rows...)
		return nil
	}, nil, w.api.d.Now)
	w.api.audit = u
	w.api.issuer.onToken = w.api.auditToken
	w.api.issuer.onSignIn = func(r *http.Request, s SignIn) { w.api.AuditSignIn(s) }
	owner := w.token(Owner)
	_, app := w.do("POST", "/api/v1/access", owner, nil, `{"kind":"principal","name":"app","role":"Reader"}`)
	secret := app["clientSecret"].(string)
	for _, s := range []string{secret, "wrong-secret"} {
		w.form("/adfs/oauth2/v2.0/token", url.Values{"client_id": {app["clientId"].(string)}, "client_secret": {s}, "grant_type": {"client_credentials"}, "scope": {"https://management.azure.com/.default"}})
	}
	w.do("POST", testWorkspace.ResourceID()+"/sharedKeys?api-version=1", owner, nil, "")
	w.do("POST", testWorkspace.ResourceID()+"/sharedKeys?api-version=1", w.token(Reader), nil, "")
	w.do("POST", "/v1/workspaces/"+testWorkspace.ID+"/query", owner, map[string]string{"x-ms-app": "board"}, `{"query":"Heartbeat | take 1","timespan":"PT1H"}`)
	rule := testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/alertRules/66666666-6666-6666-6666-666666666666?api-version=1"
	w.do("PUT", rule, owner, nil, `{"kind":"NRT","properties":{"displayName":"r","severity":"High","enabled":true,"query":"T"}}`)
	w.do("GET", rule, owner, nil, "")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.api.Run(ctx) }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		mu.Lock()
		n := len(got)
		mu.Unlock()
		if n >= 5 || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for k, v := range got {
		count[k] = len(v)
	}
	if s := fmt.Sprint(count); s != "map[AADServicePrincipalSignInLogs:2 AuditLogs:1 AzureActivity:3 LAQueryLogs:1 SentinelAudit:1]" {
		t.Error(s)
	}
	act := got[TableActivity]
	if act[0]["OperationNameValue"] != "MICROSOFT.OPERATIONALINSIGHTS/WORKSPACES/SHAREDKEYS/ACTION" || act[0]["ActivityStatusValue"] != "Success" || act[1]["ActivityStatusValue"] != "Failure" || act[2]["OperationNameValue"] != "MICROSOFT.SECURITYINSIGHTS/ALERTRULES/WRITE" {
		t.Errorf("%v", act)
	}
	if q := got[TableQueries][0]; q["QueryText"] != "Heartbeat | take 1" || q["RequestClientApp"] != "board" || q["ResponseCode"] != 200 {
		t.Errorf("%v", q)
	}
	if s := got[TablePrincipal]; s[0]["ResultType"] != "0" || s[1]["ResultType"] != "7000215" {
		t.Errorf("%v", s)
	}
	all, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append([]string{secret, "wrong-secret", owner}, testWorkspace.SharedKeys...) {
		if strings.Contains(string(all), s) {
			t.Error("the audit log holds a secret")
		}
	}
	// A store that takes nothing loses records with a count, and blocks nobody.
	u = newAuditor(func(context.Context, string, []map[string]any, string) error { return context.DeadlineExceeded }, nil, w.api.d.Now)
	w.api.audit = u
	for range auditQueue + 10 {
		u.add(TableActivity, map[string]any{})
	}
	if w.api.AuditLost() != 10 {
		t.Errorf("%d lost", w.api.AuditLost())
	}
}
