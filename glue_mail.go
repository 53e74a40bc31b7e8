package picket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"picket/connector"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// sendMail sends a playbook's message by the configured SMTP server.
func (p *Picket) sendMail(ctx context.Context, m *connector.Mail) error {
	c := p.cfg.SMTP
	msg := gomail.NewMsg()
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextHTML, m.HTML)
	msg.SetMessageIDWithValue(m.ID + "@" + c.From[strings.LastIndexByte(c.From, '@')+1:])
	errs := []error{msg.From(c.From), msg.To(m.To...)}
	if len(m.Cc) > 0 {
		errs = append(errs, msg.Cc(m.Cc...))
	}
	if len(m.Bcc) > 0 {
		errs = append(errs, msg.Bcc(m.Bcc...))
	}
	if m.ReplyTo != "" {
		errs = append(errs, msg.ReplyTo(m.ReplyTo))
	}
	switch strings.ToLower(m.Importance) {
	case "high":
		msg.SetImportance(gomail.ImportanceHigh)
	case "low":
		msg.SetImportance(gomail.ImportanceLow)
	}
	for _, a := range m.Attachments {
		errs = append(errs, msg.AttachReader(a.Name, bytes.NewReader(a.Data)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("make the message: %w", err)
	}
	opts := []gomail.Option{gomail.WithTimeout(30 * time.Second)}
	switch c.TLS {
	case "", "starttls":
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case "opportunistic":
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case "implicit":
		opts = append(opts, gomail.WithSSL())
	case "none":
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	port := c.Port
	switch {
	case port == 0 && c.TLS == "implicit":
		port = 465
	case port == 0:
		port = 587
	}
	opts = append(opts, gomail.WithPort(port))
	if c.Username != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.Username), gomail.WithPassword(c.Password))
	}
	cl, err := gomail.NewClient(c.Host, opts...)
	if err != nil {
		return fmt.Errorf("the mail server: %w", err)
	}
	return cl.DialAndSendWithContext(ctx, msg)
}

// postForPlaybook sends a chat message through the guard of outbound requests.
func (p *Picket) postForPlaybook(ctx context.Context, url string, body []byte, id string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the webhook's URL is not valid") // its text may hold a secret
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-ms-client-request-id", id)
	resp, answer, err := p.playbooks.Send(req)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, answer, nil
}
