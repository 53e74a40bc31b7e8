package canary

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/netip"
	"os"
	"path/filepath"
	"picket/canary/geo"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// mailServer keeps what it is sent; it refuses the first mail for now.
type mailServer struct {
	mu   sync.Mutex
	n    int
	mail []sentMail
}

type sentMail struct {
	from, text string
	to         []string
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m: m}, nil }

type mailSession struct {
	m *mailServer
	x sentMail
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.x.from = from; return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.x.to = append(s.x.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.n++; s.m.n == 1 {
		return &smtp.SMTPError{Code: 451, Message: "try again later"}
	}
	s.x.text = string(b)
	s.m.mail = append(s.m.mail, s.x)
	return nil
}
func (s *mailSession) Reset()        { s.x = sentMail{} }
func (s *mailSession) Logout() error { return nil }

func TestMailSaysWhoWhereAndTor(t *testing.T) {
	m := &mailServer{}
	srv := smtp.NewServer(m)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	defer srv.Close()
	dir := t.TempDir()
	db, err := geo.Open(filepath.Join(dir, "geo"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, text := range map[string]string{"c.csv": "cidr,country,city,lat,lon,asn,name\n127.0.0.0/8,ZA,Cape Town,-33.9,18.6,29975,Vodacom\n", "tor.txt": "127.0.0.1\n"} {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Import(context.Background(), f, geo.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, func(d *Deps) {
		d.Geo = db
		d.SMTP = &SMTP{Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, TLS: "none", From: "picket@example.org"}
	})
	c := b.create(t, CreateRequest{Kind: "ms_word", FileName: "White Glove.docx", Recipients: []string{"soc@example.com", "duty@example.com"}})
	hit(t, "GET", c.URL, "Word\tprocessor <b>")
	until(t, "two mails", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.mail) == 2 })
	to := map[string]bool{}
	for _, x := range m.mail {
		to[x.to[0]] = true
		msg, err := mail.ReadMessage(strings.NewReader(x.text))
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
		if err != nil || subject != "A honey token was used: White Glove.docx on FS01" {
			t.Errorf("subject %q, %v", subject, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			c.ID, "token placed on FS01", "127.0.0.1", "Cape Town, South Africa (-33.9000,18.6000)", "AS29975 Vodacom", "Tor:               yes", "(UTC)", `T:\departments`,
			"https://picket.example/history?token=" + c.ID, "https://picket.example/manage?token=" + c.ID, "processor &lt;b&gt;",
		} {
			if !strings.Contains(string(body), want) {
				t.Errorf("the mail lacks %q", want)
			}
		}
		if strings.Contains(string(body), c.Secret) || strings.Contains(strings.ToLower(string(body)), "<img") {
			t.Error("the mail holds the secret or a picture")
		}
	}
	if !to["soc@example.com"] || !to["duty@example.com"] {
		t.Errorf("receivers %v", to)
	}
	r := b.rowsOf(c.ID)[0]
	if r.IsTor == nil || !*r.IsTor || r.Geo.City != "Cape Town" || r.Geo.ASN != 29975 || r.Geo.IP != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("row %+v", r)
	}
}
