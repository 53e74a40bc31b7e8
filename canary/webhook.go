package canary

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"picket/canary/geo"
	"picket/canary/trip"
	"strconv"
	"time"
)

// TestMemo is the memo of the test message; playbooks know it and stop.
const TestMemo = "Congrats! The newly saved webhook works"

// managePrefix begins the manage_url that goes to picket's own playbooks: the published ones cut exactly these
// 38 characters off. Their requests to that host are answered by picket (the outbound host map).
const managePrefix = "https://canarytokens.org/manage?token="

// webhookTime is the form of "time" in a message.
const webhookTime = "2006-01-02 15:04:05 (UTC)"

// webhookMessage is the generic message of Canarytokens. Absent values are left out, never null.
type webhookMessage struct {
	Channel      string            `json:"channel"`
	TokenType    string            `json:"token_type,omitempty"`
	SrcIP        string            `json:"src_ip,omitempty"`
	Token        string            `json:"token"`
	Time         string            `json:"time"`
	Memo         string            `json:"memo"`
	ManageURL    string            `json:"manage_url"`
	Additional   webhookAdditional `json:"additional_data"`
	PublicDomain string            `json:"public_domain,omitempty"`
}

type webhookAdditional struct {
	SrcIP     string            `json:"src_ip,omitempty"`
	Geo       *geo.IPInfo       `json:"geo_info,omitempty"`
	UserAgent string            `json:"useragent,omitempty"`
	Referer   string            `json:"referer,omitempty"`
	Location  string            `json:"location,omitempty"`
	Headers   map[string]string `json:"request_headers,omitempty"`
	Args      map[string]string `json:"request_args,omitempty"`
	Info      *struct{}         `json:"additional_info,omitempty"`
	SrcData   map[string]string `json:"src_data,omitempty"`
	TimeHM    string            `json:"time_hm,omitempty"`
	TimeYMD   string            `json:"time_ymd,omitempty"`
}

// message makes the generic JSON body of n; chat services get their own ([chatFormats]).
func (s *Service) message(n *note, own bool) webhookMessage {
	t := n.Time.UTC()
	m := webhookMessage{
		Channel: n.Channel, TokenType: n.Kind, SrcIP: n.SrcIP, Token: n.Token, Time: t.Format(webhookTime), Memo: n.Memo,
		ManageURL: s.manageURL(n.Token, own), PublicDomain: hostOf(s.d.TripURL),
	}
	a := &m.Additional
	a.SrcIP, a.Geo, a.UserAgent = n.SrcIP, &n.Geo, n.UserAgent
	a.TimeHM, a.TimeYMD = t.Format("15:04"), t.Format("2006/01/02")
	switch {
	case n.Channel == trip.ChannelDNS:
		m.PublicDomain = s.d.DNSDomain
		a.SrcData = map[string]string{"qname": n.QueryName, "qtype": n.QueryType}
	case n.Kind == "web" || n.Kind == "qr_code":
		a.Headers, a.Args, a.Info = pairsMap(n.Headers), pairsMap(n.Args), &struct{}{}
		a.Referer = n.Referer
	}
	return m
}

func (s *Service) manageURL(token string, own bool) string {
	if own {
		return managePrefix + token + "&auth=" + s.ReadAuth(token)
	}
	return s.d.PublicURL + "/manage?token=" + token + "&auth=" + s.ReadAuth(token)
}

func (s *Service) testMessage() webhookMessage {
	now := s.d.Now().UTC()
	base := s.d.PublicURL
	if base == "" {
		base = "http://example.com"
	}
	return webhookMessage{
		Channel: trip.ChannelHTTP, SrcIP: "1.1.1.1", Token: "a+test+token", Time: now.Format(webhookTime), Memo: TestMemo,
		ManageURL:  base + "/test/url/for/webhook",
		Additional: webhookAdditional{SrcIP: "1.1.1.1", UserAgent: "Mozilla/5.0 (test message)", Referer: "http://example.com/referrer", Location: "http://example.com/location"},
	}
}

func pairsMap(ps [][2]string) map[string]string {
	if len(ps) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, p := range ps {
		if old, ok := m[p[0]]; ok {
			p[1] = old + ", " + p[1]
		}
		m[p[0]] = p[1]
	}
	return m
}

func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Headers of a webhook. The signature is "v1=" and the hex HMAC-SHA256, under [Service.WebhookSecret], of the
// timestamp, a dot, and the body.
const (
	HeaderNotification = "X-Picket-Notification"
	HeaderHits         = "X-Picket-Hits"
	HeaderTimestamp    = "X-Picket-Timestamp" // unix seconds
	HeaderSignature    = "X-Picket-Signature"
)

// WebhookSecret is the secret that messages to this URL are signed with, 64 hex digits.
func (s *Service) WebhookSecret(url string) string { return hex.EncodeToString(s.mac("webhook", url)) }

// SignWebhook computes the value of [HeaderSignature].
func SignWebhook(secret, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, timestamp+".") // a hash takes everything
	h.Write(body)
	return "v1=" + hex.EncodeToString(h.Sum(nil))
}

func (s *Service) isOwn(u string) bool { return s.d.IsOwnCallback != nil && s.d.IsOwnCallback(u) }

func (s *Service) sendWebhook(ctx context.Context, e *entry) (int, error) {
	own := s.isOwn(e.target)
	if f, ok := chatFormatOf(e.target); ok && !own {
		return s.post(ctx, e.target, f.make(s.mailBody(&e.n, e.hits)), e.notification, e.hits)
	}
	return s.post(ctx, e.target, s.message(&e.n, own), e.notification, e.hits)
}

// TestWebhook sends the test message to url now and returns what went wrong.
func (s *Service) TestWebhook(ctx context.Context, url string) error {
	if url == "" {
		return fieldErr("Webhook", "is empty")
	}
	if err := checkWebhookURL(url); err != nil {
		return err
	}
	var msg any = s.testMessage()
	if f, ok := chatFormatOf(url); ok && !s.isOwn(url) {
		msg = f.make(testBody())
	}
	_, err := s.post(ctx, url, msg, "", 1)
	return err
}

func (s *Service) post(ctx context.Context, target string, msg any, id string, hits int) (int, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(msg); err != nil {
		return 0, permanent{fmt.Errorf("webhook: %w", err)}
	}
	body := bytes.TrimRight(buf.Bytes(), "\n")
	ts := strconv.FormatInt(s.d.Now().Unix(), 10)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "picket-canary/1")
	h.Set(HeaderTimestamp, ts)
	h.Set(HeaderSignature, SignWebhook(s.WebhookSecret(target), ts, body))
	h.Set(HeaderHits, strconv.Itoa(hits))
	if id != "" {
		h.Set(HeaderNotification, id)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if s.isOwn(target) {
		status, err := s.d.DeliverCallback(ctx, target, h, body)
		if err != nil {
			return status, fmt.Errorf("webhook: own playbook: %w", err)
		}
		return status, statusError(status)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, permanent{fmt.Errorf("webhook: %w", err)}
	}
	req.Header = h
	res, err := s.http.Do(req)
	if err != nil {
		var g *GuardError
		if errors.As(err, &g) {
			return 0, permanent{fmt.Errorf("webhook: %w", g)}
		}
		var ue *url.Error
		if errors.As(err, &ue) { // its text would repeat the URL, which may hold a secret
			err = ue.Err
		}
		return 0, fmt.Errorf("webhook: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	return res.StatusCode, statusError(res.StatusCode)
}

func statusError(status int) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status == http.StatusGone:
		return permanent{errors.New("webhook: the receiver answered 410 Gone")}
	case status >= 300 && status < 400:
		return fmt.Errorf("webhook: the receiver answered %d; redirects are not followed, save the final URL", status)
	}
	return fmt.Errorf("webhook: the receiver answered %d", status)
}
