package canary

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// done is the answer to a change: JSON for programs, back to a page for people.
func (c *call) done(path, what string) answer {
	if c.html {
		return answer{redirect: path + c.query + "&done=" + url.QueryEscape(what)}
	}
	return answer{json: map[string]any{"message": "success", "result": "success"}}
}

// setSetting is POST /settings {setting, value: on|off}.
func (s *Service) setSetting(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, fullAccess); err != nil {
		return answer{}, err
	}
	var on bool
	switch v := strings.ToLower(c.get("value")); v {
	case "on", "true", "1":
		on = true
	case "off", "false", "0":
	default:
		return answer{}, fieldErr("value", "%q is neither on nor off", clip(v, 20))
	}
	var p Patch
	switch n := c.get("setting"); n {
	case "email_enable":
		p.EmailEnabled = &on
	case "webhook_enable":
		p.WebhookEnabled = &on
	case "token_enable":
		p.Enabled = &on
	case "ip_ignore_enable":
		if on {
			return answer{}, fieldErr("setting", "the ignore list applies whenever it has entries; set them by /settings/ip-ignore-list")
		}
		p.Ignored = &[]string{}
	default:
		return answer{}, fieldErr("setting", "%q is no setting that picket has; there are email_enable, webhook_enable, token_enable, ip_ignore_enable", clip(n, 40))
	}
	if _, err := s.Update(r.Context(), c.tok.ID, p); err != nil {
		return answer{}, err
	}
	return c.done("/settings", "saved"), nil
}

// setIgnore is POST /settings/ip-ignore-list {ip_ignore_list: [...]}.
func (s *Service) setIgnore(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, fullAccess); err != nil {
		return answer{}, err
	}
	l := splitList(c.form["ip_ignore_list"])
	if _, err := s.Update(r.Context(), c.tok.ID, Patch{Ignored: &l}); err != nil {
		return answer{}, err
	}
	return c.done("/settings", "saved"), nil
}

func splitList(in []string) []string {
	out := []string{}
	for _, s := range in {
		out = append(out, strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' || r == ';' })...)
	}
	return out
}

// setToken is POST /settings/token: the form of the settings page. Fields that are absent stay.
func (s *Service) setToken(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, fullAccess); err != nil {
		return answer{}, err
	}
	var p Patch
	text := func(name string) *string {
		if !c.form.Has(name) {
			return nil
		}
		v := c.get(name)
		return &v
	}
	p.Memo, p.Owner = text("memo"), text("owner")
	if v := text("file_name"); v != nil && *v != "" {
		p.FileName = v
	}
	lines := func(name string) *[]string {
		if !c.form.Has(name) {
			return nil
		}
		l := []string{}
		for _, v := range c.form[name] {
			for _, x := range strings.FieldsFunc(v, func(r rune) bool { return r == '\n' || r == '\r' }) {
				if x = strings.TrimSpace(x); x != "" {
					l = append(l, x)
				}
			}
		}
		return &l
	}
	p.Webhooks = lines("webhooks")
	if c.form.Has("recipients") {
		l := splitList(c.form["recipients"])
		p.Recipients = &l
	}
	if c.form.Has("ignored") {
		l := splitList(c.form["ignored"])
		p.Ignored = &l
	}
	if v := text("tags"); v != nil {
		l := strings.Split(*v, ",")
		p.Tags = &l
	}
	if v := text("expires"); v != nil {
		var t time.Time
		if *v != "" {
			var err error
			for _, f := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
				if t, err = time.Parse(f, *v); err == nil {
					break
				}
			}
			if err != nil {
				return answer{}, fieldErr("Expires", "%q is not a date (2027-01-31, or 2027-01-31T12:00:00Z)", clip(*v, 40))
			}
		}
		p.Expires = &t
	}
	if _, err := s.Update(r.Context(), c.tok.ID, p); err != nil {
		return answer{}, err
	}
	return c.done("/settings", "saved"), nil
}

// testHook is POST /settings/test {webhook}: sends the test message to one of the token's webhooks.
func (s *Service) testHook(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, fullAccess); err != nil {
		return answer{}, err
	}
	u := c.get("webhook")
	known := false
	for _, w := range c.tok.Webhooks {
		known = known || w == u
	}
	if !known {
		return answer{}, fieldErr("webhook", "is not one of this token's webhooks; save it first")
	}
	if err := s.TestWebhook(r.Context(), u); err != nil {
		return answer{}, &httpError{http.StatusBadGateway, err.Error()}
	}
	return c.done("/settings", "test"), nil
}

// retryNote is POST /settings/retry {id}.
func (s *Service) retryNote(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, fullAccess); err != nil {
		return answer{}, err
	}
	id := c.get("id")
	ns, err := s.Notifications(r.Context(), NotificationFilter{Token: c.tok.ID, Limit: 1000})
	if err != nil {
		return answer{}, err
	}
	for _, n := range ns {
		if n.ID == id && n.Status != NoteDone {
			if err := s.Retry(r.Context(), id); err != nil {
				return answer{}, err
			}
			return c.done("/manage", "retry"), nil
		}
	}
	return answer{}, fieldErr("id", "is not an undelivered notification of this token")
}

// deleteToken is POST /delete.
func (s *Service) deleteToken(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, fullAccess); err != nil {
		return answer{}, err
	}
	if c.html && c.get("confirm") != "yes" {
		return answer{}, fieldErr("confirm", "tick the box to delete the token")
	}
	if err := s.Delete(r.Context(), c.tok.ID); err != nil {
		return answer{}, err
	}
	if c.html {
		return answer{page: "error", data: map[string]any{"Title": "Deleted", "Message": "The token is deleted. Its rows stay in the table."}}, nil
	}
	return answer{json: map[string]any{"message": "success", "result": "success"}}, nil
}
