package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// newToken makes a web token by the API and gives its id and its path on the trip port.
func (s *server) newToken(memo string) (id, path string) {
	s.t.Helper()
	var tok struct {
		Token string `json:"token"`
		URL   string `json:"url"`
	}
	s.call("POST", "/api/v1/tokens", map[string]any{"kind": "web", "memoText": memo, "playbooks": []string{"Ingest-CanaryTokens"}}, &tok)
	path = strings.TrimPrefix(tok.URL, s.TripURL)
	if tok.Token == "" || path == tok.URL {
		s.t.Fatalf("token %+v", tok)
	}
	return tok.Token, path
}

// raw sends bytes to an address and gives all that comes back, without the Date.
func raw(t *testing.T, addr, request string) string { return rawFrom(t, "127.0.0.1", addr, request) }

func rawFrom(t *testing.T, from, addr, request string) string {
	t.Helper()
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range strings.Split(string(b), "\r\n") {
		if !strings.HasPrefix(l, "Date: ") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// TestTheTripPortTellsNothing asks the trip port for tokens that are live, disabled, deleted and unknown, and for
// all that the other listeners serve: the answers are the same to the byte, and take alike.
func TestTheTripPortTellsNothing(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	live, path := s.newToken("live")
	off, _ := s.newToken("off")
	gone, _ := s.newToken("gone")
	s.call("PATCH", "/api/v1/tokens/"+off, map[string]any{"enabled": false}, nil)
	s.call("DELETE", "/api/v1/tokens/"+gone, nil, nil)
	ids := map[string]string{"live": live, "disabled": off, "deleted": gone, "unknown": "zzzzzzzzzzzzzzzzzzzzzzzzz"}
	addr := strings.TrimPrefix(s.TripURL, "http://")
	main := strings.TrimPrefix(s.URL, "https://")
	const mount = "/d3aece8093b71007b5ccfedad91ebb11"
	targets := []string{
		strings.ReplaceAll(path, live, "ID"), "/ID", "/manage?token=ID&auth=x", "/history?token=ID", "/download?fmt=incidentlist_json&token=ID&auth=x", "/settings?token=ID", "/generate?token=ID",
		mount + "/manage?token=ID", "/api/v1/tokens/ID", "/api/v1/tokens", "/healthz", "/readyz", "/", "/index.html", "/api/logs?api-version=2016-04-01", "/workflows/Ingest-CanaryTokens/triggers/manual/paths/invoke?x=ID",
		"/subscriptions/" + s.SubscriptionID, "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "DELETE", "TRACE", "BREW"} {
		first := ""
		for _, target := range targets {
			for what, id := range ids {
				for _, host := range []string{addr, main, "localhost", "evil.example", id + ".example"} {
					got := raw(t, addr, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nX-Forwarded-Host: %s\r\nConnection: close\r\n\r\n", method, strings.ReplaceAll(target, "ID", id), host, main))
					if first == "" {
						first = got
					}
					if got != first {
						t.Fatalf("%s %s (%s, Host %s):\n%s\nunlike\n%s", method, target, what, host, got, first)
					}
					if target != targets[0] && target != targets[2] { // one host is enough for the rest
						break
					}
				}
			}
		}
		if !strings.HasPrefix(first, "HTTP/1.1 200 OK\n") {
			t.Errorf("%s: %s", method, first)
		}
	}
	// The times, interleaved so that what the machine does meanwhile falls on all alike.
	took := map[string][]time.Duration{}
	client := &http.Client{Timeout: 10 * time.Second}
	for range 60 {
		for what, id := range ids {
			start := time.Now()
			res, err := client.Get(s.TripURL + strings.ReplaceAll(path, live, id))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			took[what] = append(took[what], time.Since(start))
		}
	}
	median := func(ds []time.Duration) time.Duration {
		sort.Slice(ds, func(i, j int) bool { return ds[i] < ds[j] })
		return ds[len(ds)/2]
	}
	ref := median(took["unknown"])
	for what := range ids {
		if m := median(took[what]); m > 3*ref+2*time.Millisecond || ref > 3*m+2*time.Millisecond {
			t.Errorf("a %s token takes %s, an unknown one %s", what, m, ref)
		}
	}

	// Plain HTTP serves senders and callbacks and nothing else.
	for _, p := range []string{"/", "/index.html", "/api/v1/session", "/api/v1/tokens", "/manage?token=" + live, "/generate", mount + "/generate", "/v1/workspaces/" + s.WorkspaceID + "/query", "/subscriptions/" + s.SubscriptionID, s.insights("incidents"), "/" + s.TenantID + "/oauth2/v2.0/token"} {
		req, err := http.NewRequest("GET", s.HTTPURL+p, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.Token)
		res, err := s.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 404 {
			t.Errorf("plain HTTP answers %s with %d", p, res.StatusCode)
		}
	}
}

// TestCredentialsSessionsAndRoles tries every door without a key, with the wrong one, and with a weak one.
func TestCredentialsSessionsAndRoles(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	do := func(method, path string, header map[string]string, body string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		for k, v := range header {
			req.Header.Set(k, v)
		}
		res, err := s.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b), res.Header
	}
	type door struct{ method, path, body string }
	reads := []door{
		{"GET", "/api/v1/tokens", ""},
		{"GET", "/api/v1/tokens/" + s.TokenID, ""},
		{"GET", "/api/v1/tokens/" + s.TokenID + "/history", ""},
		{"GET", "/api/v1/playbooks", ""},
		{"GET", "/api/v1/geo", ""},
		{"GET", "/api/v1/workspace", ""},
		{"GET", s.insights("incidents"), ""},
		{"GET", s.insights("alertRules"), ""},
		{"POST", "/v1/workspaces/" + s.WorkspaceID + "/query", `{"query":"CanaryTrips | count"}`},
	}
	writes := []door{
		{"POST", "/api/v1/tokens", `{"kind":"web","memoText":"x"}`},
		{"PATCH", "/api/v1/tokens/" + s.TokenID, `{"enabled":false}`},
		{"DELETE", "/api/v1/tokens/" + s.TokenID, ""},
		{"GET", "/api/v1/tokens/" + s.TokenID + "/download", ""},
		{"POST", "/api/v1/tokens/test", `{"url":"http://example.org/"}`},
		{"POST", "/api/v1/playbooks", `{"template":{}}`},
		{"POST", "/api/v1/playbooks/Ingest-CanaryTokens/callbackUrl", `{}`},
		{"DELETE", "/api/v1/playbooks/Ingest-CanaryTokens", ""},
		{"POST", "/api/v1/rules/import", "x"},
		{"POST", "/api/v1/geo/import", "x"},
		{"GET", "/api/v1/access", ""},
		{"POST", "/api/v1/access", `{"kind":"token","name":"x","role":"Owner"}`},
		{"GET", "/api/v1/accounts", ""},
		{"POST", "/api/v1/accounts", `{"name":"evil","role":"Owner"}`},
		{"PUT", s.insights("alertRules/6d2c2c3e-0000-4000-8000-000000000009"), `{}`},
	}
	for _, d := range append(append([]door{}, reads...), writes...) {
		for what, h := range map[string]map[string]string{"no credential": nil, "a wrong bearer": {"Authorization": "Bearer pat_wrong"}, "another scheme": {"Authorization": "Basic YWRtaW46YWRtaW4="}, "a wrong cookie": {"Cookie": "__Host-picket=AAAA"}} {
			if code, text, _ := do(d.method, d.path, h, d.body); code != 401 {
				t.Errorf("%s %s with %s: %d %s", d.method, d.path, what, code, tail(text, 200))
			}
		}
	}
	for _, p := range []string{"/generate", "/d3aece8093b71007b5ccfedad91ebb11/generate"} {
		if code, text, _ := do("POST", p, nil, `{"token_type":"web","memo":"x","email":"a@example.org"}`); code != 403 {
			t.Errorf("%s without a credential: %d %s", p, code, text)
		}
	}
	for _, p := range []string{"/manage", "/history", "/settings", "/download"} {
		known, a, _ := do("GET", p+"?fmt=incidentlist_json&token="+s.TokenID+"&auth=00000000000000000000000000000000", nil, "")
		unknown, b, _ := do("GET", p+"?fmt=incidentlist_json&token=zzzzzzzzzzzzzzzzzzzzzzzzz&auth=00000000000000000000000000000000", nil, "")
		if known != 403 || unknown != 403 || a != b {
			t.Errorf("%s tells tokens apart: %d %s; %d %s", p, known, a, unknown, b)
		}
	}

	// A Reader reads; what changes things or gives secrets away is not for Readers.
	var grant struct{ Token string }
	s.call("POST", "/api/v1/access", map[string]any{"kind": "token", "name": "reader", "role": "Reader"}, &grant)
	reader := map[string]string{"Authorization": "Bearer " + grant.Token}
	for _, d := range reads {
		if code, text, _ := do(d.method, d.path, reader, d.body); code != 200 {
			t.Errorf("a Reader may not %s %s: %d %s", d.method, d.path, code, text)
		}
	}
	for _, d := range writes {
		if code, text, _ := do(d.method, d.path, reader, d.body); code != 403 {
			t.Errorf("a Reader may %s %s: %d %s", d.method, d.path, code, text)
		}
	}

	// The session of the page.
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	bearer, client := s.Token, s.http
	defer func() { s.http = client }()
	s.http = &http.Client{Transport: client.Transport, Jar: jar, Timeout: 30 * time.Second}
	if code, text, _ := do("POST", "/api/v1/session", nil, `{"name":"admin","password":"wrong"}`); code != 401 || strings.Contains(text, "admin") {
		t.Errorf("a wrong password: %d %s", code, text)
	}
	login := string(jsonText(t, map[string]string{"name": s.User, "password": s.Password}))
	if code, text, _ := do("POST", "/api/v1/session", map[string]string{"Origin": "https://evil.example"}, login); code != 403 {
		t.Errorf("signing in from another site: %d %s", code, text)
	}
	code, text, h := do("POST", "/api/v1/session", nil, login)
	if code != 200 {
		t.Fatalf("sign in: %d %s", code, text)
	}
	cookie := h.Get("Set-Cookie")
	for _, w := range []string{"__Host-picket=", "Path=/", "Secure", "HttpOnly", "SameSite="} {
		if !strings.Contains(cookie, w) {
			t.Errorf("the cookie lacks %s: %s", w, cookie)
		}
	}
	var session struct{ CSRF string }
	if err := json.Unmarshal([]byte(text), &session); err != nil || session.CSRF == "" {
		t.Fatalf("session %s: %v", text, err)
	}
	token := `{"kind":"web","memoText":"by session"}`
	for what, h := range map[string]map[string]string{
		"no CSRF header": nil, "a wrong CSRF header": {"X-Picket-CSRF": "x"}, "another origin": {"X-Picket-CSRF": session.CSRF, "Origin": "https://evil.example"},
		"another site": {"X-Picket-CSRF": session.CSRF, "Sec-Fetch-Site": "cross-site"},
	} {
		for _, p := range []string{"/api/v1/tokens", "/v1/workspaces/" + s.WorkspaceID + "/query", "/generate"} {
			if code, text, _ := do("POST", p, h, token); code != 403 {
				t.Errorf("%s with %s: %d %s", p, what, code, text)
			}
		}
	}
	if code, text, _ := do("POST", "/api/v1/tokens", map[string]string{"X-Picket-CSRF": session.CSRF, "Origin": s.URL}, token); code != 201 {
		t.Errorf("a token by the session: %d %s", code, text)
	}
	_, _, h = do("GET", "/", nil, "")
	for _, k := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"} {
		if h.Get(k) == "" {
			t.Errorf("the page lacks %s", k)
		}
	}
	for _, p := range []string{"/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd", "/api/v1/tokens/..%2f..%2f..%2fetc%2fpasswd/download", "/download?fmt=../../etc/passwd&token=" + s.TokenID} {
		if _, text, _ := do("GET", p, map[string]string{"Host": "evil.example"}, ""); strings.Contains(text, "root:") {
			t.Errorf("%s gives a file of the system", p)
		}
	}
	if code, _, _ := do("DELETE", "/api/v1/session", map[string]string{"X-Picket-CSRF": session.CSRF}, ""); code != 204 {
		t.Errorf("sign out: %d", code)
	}
	if code, _, _ := do("GET", "/api/v1/tokens", map[string]string{"Cookie": strings.SplitN(cookie, ";", 2)[0]}, ""); code != 401 {
		t.Errorf("the cookie opens after the sign-out: %d", code)
	}
	if bearer != s.Token {
		t.Error("the bearer changed")
	}
}

// TestSecretsStayWhereTheyBelong runs the walk-through and then looks for its secrets where they must not be.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	s.run("canary", "open", s.Document)
	// A visitor whose words would drive a terminal: an 8-bit escape, a turn of direction, bytes in the path.
	evil := "word\u009b31mRED\u202egnp\u0085"
	path := s.tripPath()
	rawFrom(t, "127.0.0.5", strings.TrimPrefix(s.TripURL, "http://"), "GET "+path+"?n=%1b%5d0%3bowned%07 HTTP/1.1\r\nHost: x\r\nUser-Agent: "+evil+"\r\nConnection: close\r\n\r\n")
	eventually(t, 60*time.Second, "an incident with the visitor", func() bool {
		for _, in := range s.incidents() {
			if strings.Contains(s.run("incident", "show", fmt.Sprint(in.Properties.IncidentNumber), "--json"), "RED") {
				return true
			}
		}
		return false
	})
	outputs := s.run("canary", "history", s.TokenID) + s.run("incident", "list") + s.run("query", "CanaryTrips | project UserAgent, Path") + s.run("query", "CanaryTokens_CL | project useragent_s")
	for _, in := range s.incidents() {
		outputs += s.run("incident", "show", fmt.Sprint(in.Properties.IncidentNumber))
	}
	if !strings.Contains(outputs, "RED") {
		t.Error("the visitor is not shown at all")
	}
	for _, r := range outputs {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0x202e {
			t.Errorf("the commands print the control character %U", r)
			break
		}
	}

	cb := strings.TrimSpace(s.run("playbook", "callback-url", "Ingest-CanaryTokens"))
	_, sig, _ := strings.Cut(cb, "sig=")
	mails := s.rows(`CanaryTokens_CL | project manage_url_s`)
	_, auth, _ := strings.Cut(fmt.Sprint(mails[0]["manage_url_s"]), "auth=")
	secrets := map[string]string{
		"the workspace's key": s.SharedKey, "the bearer": s.Token, "the client's secret": s.ClientSecret, "the callback's signature": sig, "a token's secret": auth, "a token's id": s.TokenID,
		"the identity's header": s.IdentityHeader,
	}
	log := s.log.String()
	for what, v := range secrets {
		if v == "" {
			t.Errorf("%s is empty", what)
		} else if strings.Contains(log, v) {
			t.Errorf("%s is in the log", what)
		}
	}
	var runs struct{ Value []struct{ ID string } }
	s.call("GET", "/api/v1/playbooks/Ingest-CanaryTokens/runs", nil, &runs)
	for _, r := range runs.Value {
		one := s.run("playbook", "runs", "Ingest-CanaryTokens", r.ID, "--json")
		for _, what := range []string{"the workspace's key", "the callback's signature", "the bearer"} {
			if strings.Contains(one, secrets[what]) {
				t.Errorf("%s is in the run history", what)
			}
		}
	}

	open := map[string]bool{"ca.pem": true, "server.pem": true, filepath.Base(s.Document): true}
	err := filepath.WalkDir(s.data, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.data, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel != "." && st.Mode().Perm()&0o077 != 0 {
				t.Errorf("the folder %s has the mode %o", rel, st.Mode().Perm())
			}
			return nil
		}
		// What lies in a private folder is private; the rest must be so by itself, for the data folder may have been made by the user.
		if filepath.Dir(rel) == "." && !open[d.Name()] && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %o", rel, st.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(filepath.Join(s.data, "demo.json"))
	if err != nil || !bytes.Contains(b, []byte(s.SharedKey)) {
		t.Errorf("demo.json: %v", err)
	}
}
