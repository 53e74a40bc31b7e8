package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// try runs a command and gives its exit code with what it printed on both streams.
func (s *server) try(args ...string) (int, string) {
	s.t.Helper()
	return tryCommand(s.t, s.bin, append(args, "--data", s.data)...)
}

func tryCommand(t *testing.T, bin string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.WaitDelay = 5 * time.Second
	timer := time.AfterFunc(60*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	var x *exec.ExitError
	if err != nil && !errors.As(err, &x) {
		t.Fatal(err)
	}
	if cmd.ProcessState.ExitCode() < 0 {
		t.Fatalf("picket %s did not end:\n%s", strings.Join(args, " "), out)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// ask makes a request with the demo's bearer and gives the answer as it is.
func (s *server) ask(method, path, ctype string, body []byte) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	if ctype != "" {
		req.Header.Set("Content-Type", ctype)
	}
	res, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// stock is what bad input must leave as it is.
func (s *server) stock() string {
	s.t.Helper()
	var b strings.Builder
	for _, p := range []string{"/api/v1/tokens", "/api/v1/playbooks", s.insights("alertRules"), s.insights("incidents"), "/api/v1/geo"} {
		var l struct{ Value []json.RawMessage }
		s.call("GET", p, nil, &l)
		fmt.Fprintf(&b, "%s %d; ", p, len(l.Value))
	}
	left, err := filepath.Glob(filepath.Join(s.data, "upload-*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return b.String() + fmt.Sprint(left)
}

func jsonText(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func zipOf(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBadInputIsRefusedByNameAndLeavesNothing(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t, "--outbound", "127.0.0.9")
	before := s.stock()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	api := func(name, method, path, ctype string, body []byte, status int, says ...string) {
		t.Helper()
		got, text := s.ask(method, path, ctype, body)
		if got != status {
			t.Errorf("%s: %d %s, want %d", name, got, text, status)
		}
		for _, w := range says {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the answer lacks %q: %s", name, w, text)
			}
		}
	}
	command := func(name string, code int, says []string, args ...string) {
		t.Helper()
		got, text := s.try(args...)
		if got != code {
			t.Errorf("%s: exit code %d, want %d: %s", name, got, code, text)
		}
		if strings.Contains(text, "goroutine ") {
			t.Errorf("%s: a stack trace: %s", name, text)
		}
		for _, w := range says {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the message lacks %q: %s", name, w, text)
			}
		}
	}
	says := func(w ...string) []string { return w }
	query := "/v1/workspaces/" + s.WorkspaceID + "/query"
	const js = "application/json"

	// Broken JSON and bodies that are too large, on every kind of route.
	for _, r := range []struct{ method, path string }{
		{"POST", query},
		{"POST", "/api/v1/tokens"},
		{"POST", "/api/v1/playbooks"},
		{"POST", "/api/v1/tokens/test"},
		{"PUT", s.insights("incidents/6d2c2c3e-0000-4000-8000-000000000001")},
		{"PUT", s.insights("alertRules/6d2c2c3e-0000-4000-8000-000000000002")},
	} {
		api("broken JSON", r.method, r.path, js, []byte(`{"a":`), 400, `"message":`)
		got, text := s.ask(r.method, r.path, js, bytes.Repeat([]byte(" "), 40<<20))
		if got != 413 && got != 400 && got != 404 {
			t.Errorf("40 MB to %s: %d %s", r.path, got, text)
		}
	}
	api("no JSON type", "POST", "/api/v1/tokens", "text/plain", []byte(`{}`), 415, "application/json")
	api("misspelt key", "POST", "/api/v1/tokens", js, []byte(`{"kinds":"web"}`), 400, "kinds")

	// The memo, each field.
	for _, m := range []struct{ memo, field, mend string }{
		{`FS01`, "PublicIP", "keep its comma"},
		{`FS01,999,,,x`, "PublicIP", "not an IP address"},
		{`FS01,,zz,,x`, "PrivateIP", "not an IP address"},
		{strings.Repeat("a", 300) + `,,,,x`, "Computername", ""},
		{`FS01,,,` + strings.Repeat("s", 5000) + `,x`, "Memo", "the limit is"},
		{`FS01,,,,` + strings.Repeat("d", 20000), "Memo", "the limit is"},
		{`FS01,,,,a,b`, "Description", "quote"},
		{`FS01,,,,"a`, "", "quote"},
		{"FS01,,,,a\x1bb", "Memo", "control"},
	} {
		command("memo "+m.field, 2, says("--memo", m.field, m.mend), "canary", "new", "--memo", m.memo, "--out", filepath.Join(dir, "never.docx"))
	}
	api("memo in the API", "POST", "/api/v1/tokens", js, []byte(`{"kind":"web","memo":{"computername":"FS01","publicIP":"999"}}`), 400, `"target":"publicIP"`, "999")
	api("kind", "POST", "/api/v1/tokens", js, []byte(`{"kind":"nope"}`), 400, "ms_word")
	api("recipient", "POST", "/api/v1/tokens", js, []byte(`{"kind":"web","memoText":"x","recipients":["nobody"]}`), 400, "nobody", "e-mail")

	// Broken templates.
	command("template that is no JSON", 1, says("no.json", "is not JSON"), "playbook", "deploy", write("no.json", []byte(`{"a":`)))
	command("JSON that is no template", 1, says("template"), "playbook", "deploy", write("other.json", []byte(`{"a":1}`)))
	command("no such file", 1, says("missing.json"), "playbook", "deploy", filepath.Join(dir, "missing.json"))
	command("an action that nobody knows", 1, says("Nonsense"), "playbook", "deploy", write("nonsense.json", []byte(playbookOf(`{"x":{"type":"Nonsense","inputs":{},"runAfter":{}}}`))))
	command("a parameter that is not there", 1, says("Bogus"), "playbook", "deploy", write("ok.json", []byte(playbookOf(`{}`))), "--param", "Bogus=1")
	command("a parameter without a value", 2, says("name=value"), "playbook", "deploy", filepath.Join(dir, "ok.json"), "--param", "Bogus")

	// Webhooks to where they must not go.
	for _, u := range []string{
		"http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]/", "http://10.1.2.3/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data", "http://[fe80::1]/",
		"http://[fd00:ec2::254]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "ftp://example.org/", "http://user:pw@example.org/", "nothing",
	} {
		command("webhook "+u, 1, says("Webhook"), "canary", "new", "--kind", "web", "--memo", "FS01,,,,x", "--webhook", u)
		api("webhook "+u, "POST", "/api/v1/tokens", js, jsonText(t, map[string]any{"kind": "web", "memoText": "x", "webhooks": []string{u}}), 400, "Webhook")
	}
	s.redirectsStayOut(write)

	// Documents that are none.
	for name, doc := range map[string][]byte{
		"not a zip.docx":     []byte("hello"),
		"encrypted.docx":     append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), make([]byte, 4096)...),
		"no parts.docx":      zipOf(t, "[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`),
		"a zip.docx":         zipOf(t, "readme.txt", "hello"),
		"broken parts.docx":  zipOf(t, "[Content_Types].xml", "<", "_rels/.rels", "<"),
		"bomb.docx":          zipOf(t, "[Content_Types].xml", "<Types/>", "word/document.xml", strings.Repeat(" ", 130<<20)),
		"path.docx":          zipOf(t, "[Content_Types].xml", "<Types/>", "../../evil", "x"),
		"truncated zip.docx": zipOf(t, "[Content_Types].xml", "<Types/>")[:60],
	} {
		command(name, 1, says("OwnDocument", "office:"), "canary", "new", "--document", write(name, doc), "--memo", "FS01,,,,x", "--out", filepath.Join(dir, "never.docx"))
	}
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	if err := errors.Join(m.WriteField("token", `{"kind":"ms_word","memoText":"x"}`), writePart(m, "document", "big.docx", make([]byte, 21<<20)), m.Close()); err != nil {
		t.Fatal(err)
	}
	api("a document that is too large", "POST", "/api/v1/tokens", m.FormDataContentType(), form.Bytes(), 413, "larger than")

	// Rules.
	rule := func(q string) []byte {
		return []byte("id: 6d2c2c3e-1111-4000-8000-000000000003\nname: Bad\nkind: Scheduled\nseverity: High\nqueryFrequency: 15m\nqueryPeriod: 15m\ntriggerOperator: gt\ntriggerThreshold: 0\nquery: |\n  " + q + "\n")
	}
	command("a rule that does not parse", 1, says("bad.yaml", "1:"), "rule", "import", write("bad.yaml", rule("CanaryTrips | whre a")))
	command("a rule of functions that are not there", 1, says("nofun"), "rule", "import", write("fun.yaml", rule("CanaryTrips | extend a = nofun(1)")))
	command("a rule that is no YAML", 1, says("yaml"), "rule", "import", write("no.yaml", []byte("a: [")))
	command("a rule without a query", 1, says("query"), "rule", "import", write("none.yaml", []byte("id: 6d2c2c3e-1111-4000-8000-000000000003\nname: x\nkind: Scheduled\nseverity: High\nqueryFrequency: 15m\nqueryPeriod: 15m\ntriggerOperator: gt\ntriggerThreshold: 0\n")))

	// Places: no file, not what it should be, names that would leave the folder.
	command("places that are none", 1, says("x.csv"), "geo", "import", write("x.csv", []byte("a,b\n1,2\n")))
	for _, name := range []string{"../../evil.csv", "/etc/evil.csv", `..\evil.csv`, "..", ".hidden.csv"} {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		if err := errors.Join(writePart(m, "file", name, []byte("no,places\n")), m.Close()); err != nil {
			t.Fatal(err)
		}
		api("places named "+name, "POST", "/api/v1/geo/import", m.FormDataContentType(), b.Bytes(), 400, `"message":`)
	}

	// Questions and things that are not there.
	command("a query that does not parse", 1, says("1:"), "query", "CanaryTrips | whre x")
	command("a table that is not there", 1, says("NoSuchTable"), "query", "NoSuchTable | take 1")
	for _, c := range [][]string{
		{"canary", "history", "aaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"incident", "show", "99"},
		{"incident", "close", "99", "--classification", "Undetermined"},
		{"playbook", "runs", "nope"},
		{"rule", "run", "nope"},
		{"canary", "download", "nope"},
	} {
		command(strings.Join(c, " "), 3, nil, c...)
	}
	for _, c := range [][]string{{"bogus"}, {"canary", "bogus"}, {"serve", "x"}, {"query"}, {"query", "--bogus", "x"}, {"geo", "import"}, {"rule", "import"}, {"playbook", "runs"}, {"query", "--format", "xml", "print 1"}} {
		command(strings.Join(c, " "), 2, says("picket: "), c...)
	}

	if after := s.stock(); after != before {
		t.Errorf("bad input left something behind:\n%s\n%s", before, after)
	}
	for _, p := range []string{"never.docx", "../../evil", "evil.csv"} {
		if _, err := os.Stat(filepath.Join(dir, p)); err == nil {
			t.Errorf("%s was written", p)
		}
	}
	if strings.Contains(s.log.String(), "panic") {
		t.Error("the server panicked")
	}
}

func writePart(m *multipart.Writer, field, name string, b []byte) error {
	w, err := m.CreateFormFile(field, name)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

// playbookOf is a template of one workflow with the given actions.
func playbookOf(actions string) string {
	return `{"$schema":"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#","contentVersion":"1.0.0.0","resources":[{"type":"Microsoft.Logic/workflows",
"apiVersion":"2017-07-01","name":"Out","location":"local","properties":{"state":"Enabled","definition":{"$schema":"https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
"contentVersion":"1.0.0.0","triggers":{"manual":{"type":"Request","kind":"Http","inputs":{"schema":{}}}},"actions":` + actions + `}}}]}`
}

// redirectsStayOut lets a receiver that is allowed send picket on to one that is not: neither a webhook nor a
// playbook goes there, nor to names that lead inward.
func (s *server) redirectsStayOut(write func(string, []byte) string) {
	t := s.t
	t.Helper()
	var inner, outer atomic.Int64
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner.Add(1) }))
	defer secret.Close()
	ln, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer.Add(1)
		http.Redirect(w, r, secret.URL, http.StatusTemporaryRedirect)
	})}
	go func() { _ = srv.Serve(ln) }() // ends by Close
	defer srv.Close()
	allowed := "http://" + ln.Addr().String() + "/hook"

	test := func(u string) string {
		_, text := s.ask("POST", "/api/v1/tokens/test", "application/json", jsonText(t, map[string]string{"url": u}))
		return text
	}
	if text := test(allowed); !strings.Contains(text, `"ok":false`) || !strings.Contains(text, "redirect") {
		t.Errorf("webhook by redirect: %s", text)
	}
	if text := test(secret.URL); !strings.Contains(text, `"ok":false`) || !strings.Contains(text, "loopback") {
		t.Errorf("webhook to loopback: %s", text)
	}
	if outer.Load() != 1 {
		t.Errorf("the allowed receiver was called %d times", outer.Load())
	}

	targets := map[string]string{"redirect": allowed, "loopback": secret.URL, "name": strings.Replace(secret.URL, "127.0.0.1", "localhost", 1), "metadata": "http://169.254.169.254/latest", "file": "file:///etc/passwd"}
	if h, err := os.Hostname(); err == nil { // a name that DNS or the hosts file leads inward
		if as, err := net.LookupHost(h); err == nil && len(as) > 0 {
			if a, err := netip.ParseAddr(as[0]); err == nil && (a.IsPrivate() || a.IsLoopback()) {
				targets["host"] = "http://" + h + ":1/"
			}
		}
	}
	var acts []string
	for n, u := range targets {
		acts = append(acts, fmt.Sprintf(`%q:{"type":"Http","inputs":{"method":"GET","uri":%q,"retryPolicy":{"type":"none"}},"runAfter":{}}`, n, u))
	}
	s.run("playbook", "deploy", write("out.json", []byte(playbookOf("{"+strings.Join(acts, ",")+"}"))))
	cb := strings.TrimSpace(s.run("playbook", "callback-url", "Out"))
	if res, err := s.http.Post(cb, "application/json", strings.NewReader(`{}`)); err != nil || res.StatusCode != 202 {
		t.Fatalf("call the playbook: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	if res, err := s.http.Post(cb[:len(cb)-4]+"AAAA", "application/json", strings.NewReader(`{}`)); err != nil || res.StatusCode != 401 {
		t.Errorf("a callback URL with a wrong signature: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	var id string
	eventually(t, 30*time.Second, "the run ends", func() bool {
		var l struct{ Value []struct{ ID, Status string } }
		s.call("GET", "/api/v1/playbooks/Out/runs", nil, &l)
		if len(l.Value) == 0 || l.Value[0].Status == "Running" || l.Value[0].Status == "Waiting" {
			return false
		}
		id = l.Value[0].ID
		return true
	})
	run := s.run("playbook", "runs", "Out", id, "--json")
	for n := range targets {
		if n == "file" {
			continue
		}
		if !strings.Contains(run, n) {
			t.Errorf("the run lacks %s", n)
		}
	}
	if !strings.Contains(run, "allow-list") || strings.Contains(run, `"Succeeded"`) && inner.Load() > 0 {
		t.Errorf("the run went out: %s", tail(run, 3000))
	}
	if inner.Load() > 0 {
		t.Errorf("the inner server was reached %d times", inner.Load())
	}
	if got := s.call("DELETE", "/api/v1/playbooks/Out", nil, nil); got >= 300 {
		t.Errorf("delete the playbook: %d", got)
	}
}
