package canary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"picket/canary/geo"
	"strconv"
	"strings"
	"time"
)

func readMultipart(form url.Values, body []byte, boundary string) error {
	mr := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || n > 200 {
			return &httpError{http.StatusBadRequest, "the form can't be read"}
		}
		b, err := io.ReadAll(p) // the body is bounded already
		if err != nil {
			return &httpError{http.StatusBadRequest, "the form can't be read"}
		}
		form.Add(p.FormName(), string(b))
	}
}

// generate is POST /generate: v3 by token_type, v2 by type.
func (s *Service) generate(r *http.Request, c *call) (answer, error) {
	admin := s.d.Authorize != nil && s.d.Authorize(r) == nil
	if !admin && !s.d.OpenGenerate {
		return answer{}, &httpError{http.StatusForbidden, "creating tokens needs a session or access token of this picket (or the setting that opens /generate to everybody)"}
	}
	if admin && r.Header.Get("Authorization") == "" && r.Header.Get("Sec-Fetch-Site") != "" && r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return answer{}, &httpError{http.StatusForbidden, "this request comes from another site"}
	}
	v2 := c.form.Has("type") && !c.form.Has("token_type")
	kind := c.get("token_type")
	if v2 {
		kind = c.get("type")
	}
	for _, f := range []string{"redirect_url", "clonedsite", "expected_referrer", "web_image", "signed_exe", "cmd_process", "sql_server_table_name"} {
		if c.get(f) != "" {
			return answer{}, fieldErr(f, "picket's %s tokens have no such setting", clip(kind, 40))
		}
	}
	hook := c.get("webhook_url")
	if v2 && hook == "" {
		hook = c.get("webhook")
	}
	memo := c.get("memo")
	req := CreateRequest{
		Kind: kind, Memo: memo, FreeMemo: !strings.Contains(memo, ","), Contact: c.get("email"), Webhook: hook,
		FileName: c.get("file_name"), Decoy: Decoy{Text: c.get("text_snippet")},
	}
	if !admin {
		req.Owner = "generate"
	}
	t, err := s.Create(r.Context(), req)
	if err != nil {
		return answer{}, err
	}
	email, webhook := strings.Join(t.Recipients, " "), ""
	if len(t.Webhooks) > 0 {
		webhook = t.Webhooks[0]
	}
	out := map[string]any{
		"token": t.ID, "token_type": t.Kind, "hostname": t.Hostname, "token_url": t.URL, "auth_token": t.Secret, "email": email,
		"webhook_url": webhook, "url_components": urlComponents(), "error": nil, "error_message": nil, "file_name": t.FileName, "warnings": t.Warnings,
	}
	if t.Hostname == "" {
		out["hostname"] = hostOf(t.URL)
	}
	if v2 {
		for from, to := range map[string]string{
			"token": "Token", "hostname": "Hostname", "token_url": "Url", "auth_token": "Auth", "email": "Email",
			"url_components": "Url_components", "error": "Error", "error_message": "Error_Message",
		} {
			out[to] = out[from]
		}
	}
	return answer{json: out}, nil
}

func urlComponents() [][]string {
	return [][]string{append(append([]string{}, pathWords[0]...), pathWords[1]...), pathFiles}
}

// formats of /download that build the token's own artifact, by the kinds that have it.
var downloadKinds = map[string]string{"msword": "ms_word", "msexcel": "ms_excel", "qr_code": "qr_code", "url": "web", "hostname": "dns"}

// download is GET /download?fmt=…
func (s *Service) download(r *http.Request, c *call) (answer, error) {
	if _, err := s.enter(r, c, readAccess); err != nil {
		return answer{}, err
	}
	f := c.get("fmt")
	switch f {
	case "incidentlist_json":
		h, err := s.incidents(r, c)
		if err != nil {
			return answer{}, err
		}
		if c.get("save") != "" {
			b, err := json.MarshalIndent(h, "", " ")
			return answer{file: &Artifact{FileName: c.tok.ID + "_history.json", ContentType: "application/json", Data: b}}, err
		}
		return answer{json: h}, nil
	case "incidentlist_csv":
		ts, err := s.History(r.Context(), historyQuery(c))
		if err != nil {
			return answer{}, err
		}
		return answer{file: &Artifact{FileName: c.tok.ID + "_history.csv", ContentType: "text/csv; charset=utf-8", Data: incidentCSV(ts)}}, nil
	}
	kind, ok := downloadKinds[f]
	if !ok {
		return answer{}, fieldErr("fmt", "%q is no format that picket has; there are incidentlist_json, incidentlist_csv, msword, msexcel, qr_code, url, hostname", clip(f, 40))
	}
	if c.tok.Kind != kind && !(f == "qr_code" && c.tok.Kind == "web") {
		return answer{}, fieldErr("fmt", "this is a %s token: it has no %s", c.tok.Kind, f)
	}
	if f == "qr_code" && c.tok.Kind == "web" {
		a, err := qrCode{}.Build(r.Context(), BuildInput{URL: c.tok.URL})
		return answer{file: &a}, err
	}
	a, err := s.Download(r.Context(), c.tok.ID)
	return answer{file: &a}, err
}

func historyQuery(c *call) TripQuery {
	q := TripQuery{Token: c.tok.ID, Limit: maxHistory}
	if n, err := strconv.Atoi(c.get("limit")); err == nil && n > 0 {
		q.Limit = n
	}
	if t, err := time.Parse(time.RFC3339Nano, c.get("before")); err == nil {
		q.Before = t
	}
	return q
}

// incident is one entry of incidentlist_json.
type incident struct {
	TimeOfHit float64           `json:"time_of_hit"` // unix seconds
	SrcIP     string            `json:"src_ip"`
	Geo       geo.IPInfo        `json:"geo_info"`
	IsTor     *bool             `json:"is_tor_relay,omitempty"`
	Channel   string            `json:"input_channel"`
	SrcData   map[string]string `json:"src_data,omitempty"`
	UserAgent string            `json:"useragent,omitempty"`
	Status    string            `json:"alert_status"`
	TokenType string            `json:"token_type"`
	Method    string            `json:"request_method,omitempty"`
	Headers   map[string]string `json:"request_headers,omitempty"`
	Args      map[string]string `json:"request_args,omitempty"`
	Referer   string            `json:"referer,omitempty"`
	Count     int               `json:"count,omitempty"`
	Note      string            `json:"notification_id,omitempty"`
	Benign    string            `json:"likely_benign_reason,omitempty"`
}

type incidentList struct {
	Hits      []incident `json:"hits"`
	TokenType string     `json:"token_type"`
}

func incidentOf(t *Trip) incident {
	i := incident{
		TimeOfHit: float64(t.Time.UnixMicro()) / 1e6, SrcIP: t.SrcIP, Geo: t.Geo.IPInfo(), IsTor: t.IsTor, Channel: t.Channel,
		UserAgent: t.UserAgent, Status: t.AlertStatus, TokenType: t.Kind, Method: t.Method, Headers: pairsMap(t.Headers), Args: pairsMap(t.Args),
		Referer: t.Referer, Note: t.NotificationID, Benign: t.LikelyBenign,
	}
	if t.Count > 1 {
		i.Count = t.Count
	}
	if t.QueryName != "" {
		i.SrcData = map[string]string{"qname": t.QueryName, "qtype": t.QueryType}
		if t.ClientSubnet != "" {
			i.SrcData["client_subnet"] = t.ClientSubnet
		}
	}
	return i
}

// incidents is the history in Canarytokens' form, oldest first.
func (s *Service) incidents(r *http.Request, c *call) (incidentList, error) {
	ts, err := s.History(r.Context(), historyQuery(c))
	if err != nil {
		return incidentList{}, err
	}
	l := incidentList{TokenType: c.tok.Kind, Hits: make([]incident, 0, len(ts))}
	for i := len(ts) - 1; i >= 0; i-- {
		l.Hits = append(l.Hits, incidentOf(&ts[i]))
	}
	return l, nil
}

// incidentCSV is the history as CSV (RFC 4180, every cell quoted, nested values as JSON), oldest first.
func incidentCSV(ts []Trip) []byte {
	var b bytes.Buffer
	line := func(cells ...string) {
		for i, c := range cells {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(csvCell(c), `"`, `""`) + `"`)
		}
		b.WriteString("\r\n")
	}
	js := func(v any, empty bool) string {
		if empty {
			return ""
		}
		j, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(j)
	}
	line("Timestamp", "src_ip", "geo_info", "is_tor_relay", "input_channel", "src_data", "useragent", "alert_status", "request_headers", "request_args", "additional_info",
		"country", "city", "lat", "lon", "asn", "is_tor", "method", "count", "notification_id")
	for k := len(ts) - 1; k >= 0; k-- {
		t := &ts[k]
		i := incidentOf(t)
		tor, lat, lon, asn := "", "", "", ""
		if t.IsTor != nil {
			tor = strconv.FormatBool(*t.IsTor)
		}
		if t.Geo.HasLoc {
			lat, lon = fmt.Sprintf("%.4f", t.Geo.Lat), fmt.Sprintf("%.4f", t.Geo.Lon)
		}
		if t.Geo.ASN != 0 {
			asn = fmt.Sprintf("AS%d", t.Geo.ASN)
		}
		line(t.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), t.SrcIP, js(i.Geo, false), tor, t.Channel, js(i.SrcData, i.SrcData == nil), t.UserAgent, t.AlertStatus,
			js(i.Headers, i.Headers == nil), js(i.Args, i.Args == nil), "", t.Geo.CountryCode, t.Geo.City, lat, lon, asn, tor, t.Method, strconv.Itoa(t.Count), t.NotificationID)
	}
	return b.Bytes()
}

// csvCell keeps a spreadsheet from taking a cell for a formula.
func csvCell(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s // a number is only a number
	}
	return "'" + s
}

// drop is the token as /manage gives it in JSON.
func (s *Service) drop(c *call) map[string]any {
	t := &c.tok
	m := map[string]any{
		"token": t.ID, "token_type": t.Kind, "memo": t.Memo, "file_name": t.FileName, "created_at": float64(t.Created.UnixMicro()) / 1e6,
		"status": t.Status, "alert_email_enabled": t.EmailEnabled, "alert_webhook_enabled": t.WebhookEnabled, "alert_email_recipient": strings.Join(t.Recipients, " "),
		"alert_webhook_url": first(t.Webhooks), "alert_ip_ignore_enabled": len(t.Ignored) > 0, "alert_ignored_ips": orEmpty(t.Ignored), "token_url": t.URL, "hostname": t.Hostname,
		"hits": t.Hits, "tags": orEmpty(t.Tags), "owner": t.Owner,
	}
	if c.acc < fullAccess { // a read secret tells nothing about who is told
		delete(m, "alert_email_recipient")
		delete(m, "alert_webhook_url")
	}
	return m
}

func first(l []string) string {
	if len(l) == 0 {
		return ""
	}
	return l[0]
}

func orEmpty(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}
