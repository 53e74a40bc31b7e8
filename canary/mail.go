package canary

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// SMTP is the mail server that notifications go out by.
type SMTP struct {
	Host     string
	Port     int    // default 587, or 465 with TLS "implicit"
	TLS      string // "starttls" (default, required), "opportunistic", "implicit", "none"
	Username string // "" sends without logging in
	Password string
	From     string // address
	HELO     string // name to greet with, "" for the host's own
	Config   *tls.Config
}

func (c *SMTP) client() (*mail.Client, error) {
	opts := []mail.Option{mail.WithTimeout(15 * time.Second)}
	switch c.TLS {
	case "", "starttls":
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	case "opportunistic":
		opts = append(opts, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case "implicit":
		opts = append(opts, mail.WithSSL())
	case "none":
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("smtp: TLS %q: it must be starttls, opportunistic, implicit or none", c.TLS)
	}
	port := c.Port
	if port == 0 {
		port = 587
		if c.TLS == "implicit" {
			port = 465
		}
	}
	opts = append(opts, mail.WithPort(port))
	if c.Config != nil {
		opts = append(opts, mail.WithTLSConfig(c.Config))
	}
	if c.HELO != "" {
		opts = append(opts, mail.WithHELO(c.HELO))
	}
	if c.Username != "" {
		opts = append(opts, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.Username), mail.WithPassword(c.Password))
	}
	cl, err := mail.NewClient(c.Host, opts...)
	if err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return cl, nil
}

// mailRow is one line of the message.
type mailRow struct{ Name, Value string }

// mailBody is what a message to a person says.
type mailBody struct {
	Title   string
	Rows    []mailRow
	History string
	Manage  string
}

func (s *Service) mailBody(n *note, hits int) mailBody {
	b := mailBody{Title: "A honey token was used"}
	if n.FileName != "" {
		b.Title += ": " + n.FileName
	}
	row := func(k, v string) {
		if v != "" {
			b.Rows = append(b.Rows, mailRow{k, oneLine(v)})
		}
	}
	row("Token", n.Token)
	row("Kind", n.Kind)
	row("Memo", n.Memo)
	row("Computer", n.Place.Computername)
	row("Share path", n.Place.SharePath)
	row("Time", n.Time.UTC().Format(webhookTime))
	row("Channel", n.Channel)
	src := n.SrcIP
	if n.Resolver {
		src += " (the name server that asked, not the one who used the token)"
	}
	row("Source address", src)
	row("User agent", n.UserAgent)
	if n.QueryName != "" {
		row("DNS query", n.QueryName+" "+n.QueryType)
	}
	row("Place", placeLine(n))
	row("Network", n.Geo.Org)
	tor := "not known (no Tor list was imported)"
	if n.IsTor != nil {
		tor = map[bool]string{true: "yes", false: "no"}[*n.IsTor]
	}
	row("Tor", tor)
	if hits > 1 {
		row("Calls so far", fmt.Sprint(hits))
	}
	row("Probably harmless", n.Benign)
	if s.d.PublicURL != "" {
		q := "?token=" + n.Token + "&auth=" + s.ReadAuth(n.Token)
		b.History, b.Manage = s.d.PublicURL+"/history"+q, s.d.PublicURL+"/manage"+q
	}
	return b
}

func placeLine(n *note) string {
	var ps []string
	country := n.CountryName
	if country == "" {
		country = n.Geo.Country
	}
	for _, p := range []string{n.Geo.City, n.Geo.Region, country} {
		if p != "" {
			ps = append(ps, p)
		}
	}
	l := strings.Join(ps, ", ")
	if n.Geo.Loc != "" {
		l += " (" + n.Geo.Loc + ")"
	}
	if l == "" {
		return "not known"
	}
	return l
}

// oneLine makes attacker's text safe for a line of plain text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(clip(s, 1000), "?"))
}

const mailHTML = `<!DOCTYPE html><html><body style="font-family:sans-serif"><h2>{{.Title}}</h2><table>
{{range .Rows}}<tr><td style="padding:2px 12px 2px 0;color:#555;vertical-align:top">{{.Name}}</td><td>{{.Value}}</td></tr>
{{end}}</table>{{if .Manage}}<p><a href="{{.History}}">History of this token</a> &middot; <a href="{{.Manage}}">Manage this token</a></p>{{end}}</body></html>
`

func (s *Service) sendMail(ctx context.Context, e *entry) error {
	c := s.d.SMTP
	if c == nil {
		return fmt.Errorf("mail: no mail server is configured")
	}
	b := s.mailBody(&e.n, e.hits)
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\n", oneLine(b.Title))
	for _, r := range b.Rows {
		fmt.Fprintf(&text, "%-18s %s\n", r.Name+":", r.Value)
	}
	if b.Manage != "" {
		fmt.Fprintf(&text, "\nHistory: %s\nManage:  %s\n", b.History, b.Manage)
	}
	t, err := template.New("mail").Parse(mailHTML)
	if err != nil {
		return permanent{fmt.Errorf("mail: %w", err)}
	}
	var html bytes.Buffer
	if err := t.Execute(&html, b); err != nil {
		return permanent{fmt.Errorf("mail: %w", err)}
	}
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(c.From); err != nil {
		return fmt.Errorf("mail: sender %q: %w", c.From, err)
	}
	if err := m.To(e.target); err != nil {
		return permanent{fmt.Errorf("mail: receiver: %w", err)}
	}
	subject := b.Title
	if h := e.n.Place.Computername; h != "" {
		subject += " on " + h
	}
	m.Subject(clip(oneLine(subject), 200))
	m.SetDateWithValue(s.d.Now())
	// the same id at every try: receivers can tell a repeated message
	m.SetMessageIDWithValue(strings.ReplaceAll(e.id, "/", ".") + "@" + mailDomain(c.From))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Picket-Notification", e.notification)
	m.SetBodyString(mail.TypeTextPlain, text.String())
	m.AddAlternativeString(mail.TypeTextHTML, html.String())
	cl, err := c.client()
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := cl.DialAndSendWithContext(ctx, m); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}

func mailDomain(from string) string {
	if i := strings.LastIndexByte(from, '@'); i >= 0 {
		return strings.Trim(from[i+1:], "> ")
	}
	return "localhost"
}
