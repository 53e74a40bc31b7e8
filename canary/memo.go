package canary

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Memo says where a token was placed. Its text form is one line of CSV (RFC 4180 quoting):
// Computername,PublicIP,PrivateIP,SharePath,Description. Rules read it with parse_csv.
type Memo struct {
	Computername string `json:"computername,omitempty"` // the host it lies on
	PublicIP     string `json:"publicIp,omitempty"`     // the host's address as the internet sees it
	PrivateIP    string `json:"privateIp,omitempty"`
	SharePath    string `json:"sharePath,omitempty"` // path or URL of the folder
	Description  string `json:"description,omitempty"`
}

// memoFields are the names of the CSV fields in order.
var memoFields = [5]string{"Computername", "PublicIP", "PrivateIP", "SharePath", "Description"}

// maxMemo is the longest memo in bytes, Canarytokens' own limit.
const maxMemo = 1000

// FieldError is a mistake in one named field of a request.
type FieldError struct {
	Field string
	Msg   string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Msg }

func fieldErr(field, format string, args ...any) error {
	return &FieldError{Field: field, Msg: fmt.Sprintf(format, args...)}
}

// ParseMemo reads and checks a memo. The error is a [FieldError] that names the field.
func ParseMemo(s string) (Memo, error) {
	if err := memoText(s); err != nil {
		return Memo{}, err
	}
	fs, err := splitMemo(s)
	if err != nil {
		return Memo{}, err
	}
	m := Memo{fs[0], fs[1], fs[2], fs[3], fs[4]}
	return m, m.check()
}

func memoText(s string) error {
	switch {
	case s == "":
		return fieldErr("Memo", "is empty; it must be %s", strings.Join(memoFields[:], ","))
	case len(s) > maxMemo:
		return fieldErr("Memo", "is %d bytes long; the limit is %d", len(s), maxMemo)
	case !utf8.ValidString(s):
		return fieldErr("Memo", "is not valid UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return fieldErr("Memo", "holds the control character %U; it must be one line of text", r)
		}
	}
	return nil
}

// splitMemo splits the line into its five fields.
func splitMemo(s string) (fs [5]string, err error) {
	n, rest := 0, s
	for {
		name := "Memo"
		if n < len(fs) {
			name = memoFields[n]
		}
		var f string
		more := false
		if strings.HasPrefix(rest, `"`) {
			var b strings.Builder
			rest = rest[1:]
			for {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return fs, fieldErr(name, "begins with a quote that is never closed")
				}
				b.WriteString(rest[:i])
				rest = rest[i+1:]
				if !strings.HasPrefix(rest, `"`) {
					break
				}
				b.WriteByte('"')
				rest = rest[1:]
			}
			if rest != "" && rest[0] != ',' {
				return fs, fieldErr(name, "has text after its closing quote: %q", clip(rest, 20))
			}
			f = b.String()
			if rest != "" {
				rest, more = rest[1:], true
			}
		} else {
			f, rest, more = strings.Cut(rest, ",")
			if strings.Contains(f, `"`) {
				return fs, fieldErr(name, `has a quote inside: put the whole field in quotes and double the inner ones ("")`)
			}
		}
		if n >= len(fs) {
			return fs, fieldErr(memoFields[4], "there are more than %d fields; put a description that has commas in quotes", len(fs))
		}
		fs[n] = strings.TrimSpace(f)
		n++
		if !more {
			break
		}
	}
	if n < len(fs) {
		return fs, fieldErr(memoFields[n], "is missing: the memo has %d of the fields %s (leave a field empty, but keep its comma)", n, strings.Join(memoFields[:], ","))
	}
	return fs, nil
}

func (m Memo) check() error {
	if len(m.Computername) > 255 {
		return fieldErr("Computername", "is longer than 255 bytes")
	}
	for _, r := range m.Computername {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.$", r) {
			return fieldErr("Computername", "%q is no host name: %q is not allowed in one", m.Computername, r)
		}
	}
	for _, f := range []struct{ name, v string }{{"PublicIP", m.PublicIP}, {"PrivateIP", m.PrivateIP}} {
		if f.v == "" {
			continue
		}
		if a, err := netip.ParseAddr(f.v); err != nil || a.Zone() != "" {
			return fieldErr(f.name, "%q is not an IP address (leave it empty if there is none)", f.v)
		}
	}
	if m == (Memo{PublicIP: m.PublicIP, PrivateIP: m.PrivateIP}) {
		return fieldErr("Description", "Computername, SharePath and Description are all empty: nobody would know where the token lies")
	}
	return nil
}

// String is the CSV line.
func (m Memo) String() string {
	fs := [5]string{m.Computername, m.PublicIP, m.PrivateIP, m.SharePath, m.Description}
	for i, f := range fs {
		if strings.ContainsAny(f, `",`) {
			fs[i] = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
	}
	return strings.Join(fs[:], ",")
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// Limits on who is told.
const (
	maxRecipients = 20
	maxURL        = 2048
)

// ParseContact reads the one-field form "e-mail SPACE URL": addresses and a webhook URL, separated by spaces
// (or commas), any of them absent.
func ParseContact(s string) (recipients []string, webhook string, err error) {
	if len(s) > 8192 {
		return nil, "", fieldErr("Contact", "is longer than 8192 bytes")
	}
	for _, w := range strings.Fields(s) {
		if strings.HasPrefix(strings.ToLower(w), "http://") || strings.HasPrefix(strings.ToLower(w), "https://") {
			if webhook != "" {
				return nil, "", fieldErr("Webhook", "there are two URLs: %q and %q", clip(webhook, 60), clip(w, 60))
			}
			webhook = w
			continue
		}
		recipients = append(recipients, strings.FieldsFunc(w, func(r rune) bool { return r == ',' || r == ';' })...)
	}
	if recipients, err = checkRecipients(recipients); err != nil {
		return nil, "", err
	}
	return recipients, webhook, checkWebhookURL(webhook)
}

func checkRecipients(in []string) ([]string, error) {
	if len(in) > maxRecipients {
		return nil, fieldErr("Recipients", "%d addresses; the limit is %d", len(in), maxRecipients)
	}
	var out []string
	seen := map[string]bool{}
	for _, s := range in {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		a, err := mail.ParseAddress(s)
		if err != nil || len(a.Address) > 254 || a.Name != "" {
			return nil, fieldErr("Recipients", "%q is not an e-mail address", clip(s, 80))
		}
		if k := strings.ToLower(a.Address); !seen[k] {
			seen[k] = true
			out = append(out, a.Address)
		}
	}
	return out, nil
}

func checkWebhookURL(s string) error {
	if s == "" {
		return nil
	}
	if len(s) > maxURL {
		return fieldErr("Webhook", "the URL is %d bytes long; the limit is %d", len(s), maxURL)
	}
	u, err := url.Parse(s)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fieldErr("Webhook", "%v", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fieldErr("Webhook", "%q is not an http or https URL", clip(s, 80))
	}
	if u.User != nil {
		return fieldErr("Webhook", "the URL holds a user name; put a secret into its query instead")
	}
	return nil
}
