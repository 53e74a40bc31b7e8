package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"picket"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/miekg/dns"
	"go.yaml.in/yaml/v3"
)

// post is an SMTP server that keeps what it gets.
type post struct {
	mu   sync.Mutex
	mail []letter
}

type letter struct {
	from string
	to   []string
	text string
}

func (p *post) NewSession(*smtp.Conn) (smtp.Session, error) { return &postSession{p: p}, nil }

type postSession struct {
	p *post
	l letter
}

func (s *postSession) Mail(from string, _ *smtp.MailOptions) error { s.l.from = from; return nil }
func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.l.to = append(s.l.to, to)
	return nil
}

func (s *postSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.l.text = string(b)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.mail = append(s.p.mail, s.l)
	return nil
}
func (s *postSession) Reset()        { s.l = letter{} }
func (s *postSession) Logout() error { return nil }

func (p *post) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.mail...)
}

// readLetter gives a letter's subject and its text part.
func readLetter(t *testing.T, raw string) (subject, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	_, p, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, p["boundary"])
	for {
		part, err := r.NextPart() // undoes quoted-printable
		if errors.Is(err, io.EOF) {
			return subject, text
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			b, err := io.ReadAll(part)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
	}
}

// TestEveryKindOfTokenFromItsMakingToItsIncident sets everything by file and environment and walks each kind of
// token through: made by the command, tripped by its real client, told by mail, seen in rows and incidents.
func TestEveryKindOfTokenFromItsMakingToItsIncident(t *testing.T) {
	need(t, "PICKET_E2E")
	p := &post{}
	sink := smtp.NewServer(p)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = sink.Serve(ln) }() // ends by Close
	defer sink.Close()

	var mapped atomic.Int64
	stand := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mapped.Add(1)
		fmt.Fprintf(w, `{"path":%q}`, r.URL.Path)
	}))
	defer stand.Close()

	// Every key of the settings, once by file; the environment wins over the file and flags over both.
	dnsAddr := freeAddr(t)
	cfg := map[string]any{
		"data": "from-the-file-and-overruled", "listen": "127.0.0.1:1", "trip": freeAddr(t), "dns": dnsAddr, "http": freeAddr(t), "public-url": "", "trip-url": "", "dns-domain": "t.example.test", "cert": "", "key": "",
		"demo": true, "content": shared(t), "trusted-proxies": []string{"127.0.0.2/32"}, "outbound": []string{"127.0.0.9"}, "outbound-public": true, "host-map": map[string]string{"tokens.example": stand.URL, "never.example": ""},
		"smtp":   map[string]any{"host": "127.0.0.1", "port": ln.Addr().(*net.TCPAddr).Port, "username": "", "password": "", "from": "overruled@example.org", "tls": "none"},
		"memory": 1 << 30, "threads": 2, "delay": "0s", "workspace-name": "walk", "resource-group": "rg",
	}
	b, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "picket.yaml")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	full := picket.DefaultConfig()
	if err := full.LoadFile(file); err != nil {
		t.Fatal(err)
	}
	s := newServerIn(t, t.TempDir())
	t.Setenv("PICKET_SMTP_FROM", "picket@example.org")
	t.Setenv("PICKET_LISTEN", freeAddr(t))
	s.args = []string{"serve", "--config", file, "--data", s.data}
	s.start()
	if s.WorkspaceName != "walk" || s.ResourceGroup != "rg" || !strings.HasSuffix(s.URL, os.Getenv("PICKET_LISTEN")) {
		t.Errorf("settings of the file and the environment: %+v", s.Demo)
	}
	importPlaces(t, s)
	tor := filepath.Join(t.TempDir(), "tor.txt")
	if err := os.WriteFile(tor, []byte("127.0.0.7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("geo", "import", tor)
	out := t.TempDir()
	type made struct {
		Token struct{ Token, URL, Hostname, FileName string }
		File  string
	}
	make := func(kind string, more ...string) (m made) {
		t.Helper()
		js := s.run(append([]string{"canary", "new", "--json", "--kind", kind, "--memo", `FS01,,,T:\share,` + kind, "--playbook", "Ingest-CanaryTokens", "--out", out}, more...)...)
		if err := json.Unmarshal([]byte(js), &m); err != nil {
			t.Fatalf("%s: %v in %s", kind, err, js)
		}
		return m
	}
	row := func(m made, more string) map[string]any {
		t.Helper()
		var got []map[string]any
		q := `CanaryTrips | where Token == "` + m.Token.Token + `"` + more
		eventually(t, 30*time.Second, q, func() bool { got = s.rows(q); return len(got) > 0 })
		return got[0]
	}
	told := func(m made, kind string) {
		t.Helper()
		eventually(t, 60*time.Second, "the row of the playbook for "+kind, func() bool {
			return s.exists("CanaryTokens_CL") && len(s.rows(`CanaryTokens_CL | where manage_url_s has "`+m.Token.Token+`" and token_type_s == "`+kind+`"`)) > 0
		})
	}

	// A web bug, through Tor, with mail.
	web := make("web", "--email", "soc@example.org")
	getFrom(t, "127.0.0.7", web.Token.URL, map[string]string{"User-Agent": "curl/8", "Referer": "http://intranet.example/"})
	if r := row(web, ""); r["IsTor"] != true || r["SrcIp"] != "127.0.0.7" || r["UserAgent"] != "curl/8" {
		t.Errorf("web bug: %v", r)
	}
	eventually(t, 30*time.Second, "the mail", func() bool { return len(p.letters()) > 0 })
	l := p.letters()[0]
	subject, text := readLetter(t, l.text)
	if l.from != "picket@example.org" || len(l.to) != 1 || l.to[0] != "soc@example.org" || !strings.Contains(subject, "FS01") {
		t.Errorf("letter from %s to %v: %s", l.from, l.to, subject)
	}
	for _, w := range []string{web.Token.Token, `FS01,,,T:\share,web`, "(UTC)", "127.0.0.7", "curl/8", "Cape Town, Western Cape, South Africa", "Tor:               yes", s.URL + "/history?token=" + web.Token.Token, s.URL + "/manage?token=" + web.Token.Token} {
		if !strings.Contains(text, w) {
			t.Errorf("the letter lacks %q:\n%s", w, text)
		}
	}
	told(web, "web")
	for _, link := range strings.Fields(text) { // the links work, with the secret that reads and does no more
		if strings.HasPrefix(link, s.URL+"/") {
			res, err := s.http.Get(link)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != 200 {
				t.Errorf("%s: %d", link, res.StatusCode)
			}
		}
	}

	// A QR code is a picture of its URL.
	qr := make("qr_code")
	pic, err := os.ReadFile(qr.File)
	if err != nil {
		t.Fatal(err)
	}
	if img, err := png.Decode(bytes.NewReader(pic)); err != nil || img.Bounds().Dx() < 100 {
		t.Errorf("the QR code: %v", err)
	}
	getFrom(t, "127.0.0.1", qr.Token.URL, map[string]string{"User-Agent": "phone"})
	told(qr, "qr_code")

	// DNS, over UDP and TCP, any type, case as resolvers mix it; what it says about other names gives nothing away.
	name := make("dns")
	ask := func(network, q string, typ uint16) *dns.Msg {
		t.Helper()
		m := new(dns.Msg).SetQuestion(dns.Fqdn(q), typ)
		r, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(m, dnsAddr)
		if err != nil {
			t.Fatalf("%s %s: %v", network, q, err)
		}
		return r
	}
	for i, c := range []struct {
		network string
		typ     uint16
	}{{"udp", dns.TypeA}, {"tcp", dns.TypeA}, {"udp", dns.TypeAAAA}, {"udp", dns.TypeTXT}, {"tcp", dns.TypeMX}, {"udp", dns.TypeANY}} {
		host := fmt.Sprintf("u%d.%s", i, strings.ToUpper(name.Token.Hostname))
		live, dead := ask(c.network, host, c.typ), ask(c.network, strings.Replace(strings.ToLower(host), name.Token.Token, "zzzzzzzzzzzzzzzzzzzzzzzzz", 1), c.typ)
		if live.Rcode != dead.Rcode || len(live.Answer) != len(dead.Answer) || len(live.Ns) != len(dead.Ns) || live.Authoritative != dead.Authoritative {
			t.Errorf("%s %s tells tokens apart:\n%s\n%s", c.network, dns.TypeToString[c.typ], live, dead)
		}
		row(name, fmt.Sprintf(` | where Channel == "DNS" and QueryName startswith "u%d." and QueryType == "%s"`, i, dns.TypeToString[c.typ]))
	}
	if r := ask("udp", "example.org", dns.TypeA); r.Rcode != dns.RcodeRefused {
		t.Errorf("another zone: %s", dns.RcodeToString[r.Rcode])
	}
	told(name, "dns")

	// The host map: one host is answered elsewhere, one by nobody.
	tpl := filepath.Join(out, "mapped.json")
	if err := os.WriteFile(tpl, []byte(playbookOf(`{"no":{"type":"Http","inputs":{"method":"GET","uri":"https://never.example/"},"runAfter":{}}}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := s.run("playbook", "deploy", tpl); !strings.Contains(text, "never.example") {
		t.Errorf("a playbook of a host that is mapped to nothing: %s", text)
	}
	if err := os.WriteFile(tpl, []byte(playbookOf(`{"to":{"type":"Http","inputs":{"method":"GET","uri":"https://tokens.example/a/b"},"runAfter":{}}}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("playbook", "deploy", tpl)
	res, err := s.http.Post(strings.TrimSpace(s.run("playbook", "callback-url", "Out")), "application/json", strings.NewReader(`{}`))
	if err != nil || res.StatusCode != 202 {
		t.Fatalf("call the mapped playbook: %v %v", res, err)
	}
	res.Body.Close()
	var run string
	eventually(t, 30*time.Second, "the mapped playbook ends", func() bool {
		var l struct{ Value []struct{ ID, Status string } }
		s.call("GET", "/api/v1/playbooks/Out/runs", nil, &l)
		if len(l.Value) == 0 || l.Value[0].Status != "Succeeded" {
			return false
		}
		run = s.run("playbook", "runs", "Out", l.Value[0].ID, "--json")
		return true
	})
	if mapped.Load() != 1 || !strings.Contains(run, "/a/b") {
		t.Errorf("the host map: %d calls: %s", mapped.Load(), tail(run, 2000))
	}

	// An own document, armed: what was in it is still in it.
	armed := make("ms_word", "--document", s.Document)
	if filepath.Base(armed.File) != filepath.Base(s.Document) {
		t.Errorf("the own document became %s", armed.File)
	}
	s.run("canary", "open", armed.File)
	told(armed, "ms_word")

	// A spreadsheet, opened by LibreOffice.
	sheet := make("ms_excel", "--title", "Accounts", "--rows", "20", "--name", "Accounts 2027.xlsx")
	soffice(t, sheet.File)
	if r := row(sheet, ` | where Method == "GET"`); !strings.Contains(fmt.Sprint(r["UserAgent"]), "LibreOffice") {
		t.Errorf("spreadsheet: %v", r)
	}
	told(sheet, "ms_excel")

	// Each has come to an incident, and the settings survive a restart with the same ids.
	eventually(t, 60*time.Second, "incidents with every token", func() bool {
		all := ""
		for _, in := range s.incidents() {
			all += s.run("incident", "show", fmt.Sprint(in.Properties.IncidentNumber), "--json")
		}
		for _, m := range []made{web, qr, name, armed, sheet} {
			if !strings.Contains(all, m.Token.Token) {
				return false
			}
		}
		return true
	})
	was := s.Demo
	s.stop()
	s.start()
	was.SyslogTCP = s.SyslogTCP // a port that is chosen at each start
	if s.Demo != was {
		t.Errorf("the walk-through changed with a restart:\n%+v\n%+v", was, s.Demo)
	}
	for _, m := range []made{web, qr, name, armed, sheet} {
		if h := s.run("canary", "history", m.Token.Token); strings.Count(h, "\n") < 2 {
			t.Errorf("the history of %s after a restart: %s", m.Token.Token, h)
		}
	}
	again := filepath.Join(out, "again.xlsx")
	s.run("canary", "download", sheet.Token.Token, "--out", again)
	a, err1 := os.ReadFile(sheet.File)
	c, err2 := os.ReadFile(again)
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(a, c) {
		t.Errorf("the second download differs: %v", err)
	}
}
