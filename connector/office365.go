package connector

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/mail"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
)

// Mail is a message to send.
type Mail struct {
	To, Cc, Bcc []string // addresses
	ReplyTo     string
	Subject     string
	HTML        string
	Importance  string // Low, Normal, High
	Attachments []Attachment
	ID          string // the same when the message is sent again
}

// Attachment is a file of a message.
type Attachment struct {
	Name string
	Data []byte
}

const (
	maxRecipients  = 500
	maxAttachments = 25 << 20 // bytes of all of a message
)

// mailer is "Office 365 Outlook" and its kin as far as they send: the message goes by picket's SMTP server, from its
// sender. A shared or other mailbox becomes the address to reply to.
type mailer struct {
	api  string
	send func(ctx context.Context, m *Mail) error
}

func (c *mailer) API() string { return c.api }

func (c *mailer) Operations() []playbook.Operation {
	if c.api == "smtp" {
		return []playbook.Operation{{Method: "POST", Path: "/SendEmailV3", Title: "Send Email (V3)"}, {Method: "POST", Path: "/SendEmailV2", Title: "Send Email (V2)"}, {Method: "POST", Path: "/SendEmail", Title: "Send Email"}}
	}
	return []playbook.Operation{
		{Method: "POST", Path: "/v2/Mail", Title: "Send an email (V2)"},
		{Method: "POST", Path: "/Mail", Title: "Send an email"},
		{Method: "POST", Path: "/v2/SharedMailbox/SendEmail", Title: "Send an email from a shared mailbox (V2)"},
		{Method: "POST", Path: "/SharedMailbox/SendEmail", Title: "Send an email from a shared mailbox"},
		{Method: "POST", Path: "/approvalmail/$subscriptions", Title: "Send approval email"},
		{Method: "POST", Path: "/mailwithoptions/$subscriptions", Title: "Send email with options"},
	}
}

func (c *mailer) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	if asksByMail(r.Path) {
		return c.ask(ctx, r)
	}
	body, ok := r.Body.(*expr.Object)
	if !ok {
		return problem(400, "BadRequest", "The message must be an object with To, Subject and Body."), nil
	}
	m := &Mail{Subject: line(expr.Text(body.Value("Subject"))), HTML: expr.Text(body.Value("Body")), Importance: expr.Text(body.Value("Importance")), ID: r.ActionRunID}
	if v, _, has := body.Find("IsHtml"); has && v == false {
		m.HTML = "<pre>" + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(m.HTML) + "</pre>"
	}
	n := 0
	for name, to := range map[string]*[]string{"To": &m.To, "Cc": &m.Cc, "Bcc": &m.Bcc} {
		list, err := addresses(expr.Text(body.Value(name)))
		if err != nil {
			return problem(400, "BadRequest", fmt.Sprintf("%s: %v.", name, err)), nil
		}
		*to = list
		n += len(list)
	}
	if n == 0 || n > maxRecipients {
		return problem(400, "BadRequest", fmt.Sprintf("The message has %d recipients; it must have 1 to %d.", n, maxRecipients)), nil
	}
	for _, name := range []string{"ReplyTo", "MailboxAddress", "From"} {
		if s := expr.Text(body.Value(name)); s != "" {
			list, err := addresses(s)
			if err != nil || len(list) == 0 {
				return problem(400, "BadRequest", fmt.Sprintf("%s: %q is not an address.", name, s)), nil
			}
			m.ReplyTo = list[0]
			break
		}
	}
	var err error
	if m.Attachments, err = attachments(body); err != nil {
		return problem(400, "BadRequest", err.Error()), nil
	}
	if err := c.send(ctx, m); err != nil {
		return nil, fmt.Errorf("send the message: %w", err)
	}
	return &playbook.Response{Status: 200, Headers: map[string]string{}}, nil
}

// attachments reads a message's files.
func attachments(body *expr.Object) ([]Attachment, error) {
	files, _ := body.Value("Attachments").([]any)
	var out []Attachment
	size := 0
	for i, f := range files {
		o, _ := f.(*expr.Object)
		a := Attachment{Name: line(expr.Text(o.Value("Name")))}
		switch v := o.Value("ContentBytes").(type) {
		case string:
			d, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				return nil, fmt.Errorf("attachment %d: ContentBytes is not base64", i+1)
			}
			a.Data = d
		default:
			d, _, ok := expr.Binary(v)
			if !ok {
				return nil, fmt.Errorf("attachment %d has no ContentBytes", i+1)
			}
			a.Data = d
		}
		if size += len(a.Data); size > maxAttachments {
			return nil, fmt.Errorf("the attachments have more than %d bytes", maxAttachments)
		}
		if a.Name == "" {
			a.Name = fmt.Sprintf("attachment-%d", i+1)
		}
		out = append(out, a)
	}
	return out, nil
}

// line makes one line of a text that becomes a header.
func line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s))
}

// addresses reads a list as Outlook writes it: separated by semicolons or commas.
func addresses(s string) ([]string, error) {
	var out []string
	for _, p := range strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' }) {
		if p = strings.TrimSpace(p); p == "" {
			continue
		}
		a, err := mail.ParseAddress(p)
		if err != nil {
			return nil, fmt.Errorf("%q is not an address", p)
		}
		out = append(out, a.Address)
	}
	return out, nil
}
