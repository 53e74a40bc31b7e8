package canary

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"picket/canary/office"
	"regexp"
	"strings"
	"testing"
)

func serveHandler(t *testing.T, b *bench) string {
	t.Helper()
	srv := httptest.NewServer(b.Handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

func fetch(t *testing.T, c *http.Client, method, u, accept string, form url.Values) (*http.Response, string) {
	t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, u, body)
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(out)
}

// TestCanarytokensClient does what scripts for Canarytokens do: create, download, trip, read, set, delete.
func TestCanarytokensClient(t *testing.T) {
	for _, mount := range []string{"", Mount} {
		b := newBench(t, func(d *Deps) { d.OpenGenerate = true })
		base := serveHandler(t, b) + mount
		cl := http.DefaultClient
		var g map[string]any
		var body string
		if mount == "" { // v2: a form
			_, body = fetch(t, cl, "POST", base+"/generate", "", url.Values{"type": {"ms_word"}, "email": {"soc@example.com https://hook.example/x?y=1"}, "memo": {"FS01,,,\\\\srv\\share,v2"}})
			if !strings.Contains(body, `"Auth"`) || !strings.Contains(body, `"Error":null`) {
				t.Errorf("v2 answer %s", body)
			}
		} else { // v3: JSON
			res, err := http.Post(base+"/generate", "application/json", strings.NewReader(`{"token_type":"ms_word","memo":"a plain memo","webhook_url":"https://hook.example/x","email":"soc@example.com"}`))
			if err != nil {
				t.Fatal(err)
			}
			bb, _ := io.ReadAll(res.Body)
			res.Body.Close()
			body = string(bb)
		}
		if err := json.Unmarshal([]byte(body), &g); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		id, auth, link := g["token"].(string), g["auth_token"].(string), g["token_url"].(string)
		if len(id) != 25 || len(auth) != 64 || g["email"] != "soc@example.com" || !strings.HasPrefix(g["webhook_url"].(string), "https://hook.example/x") {
			t.Fatalf("answer %s", body)
		}
		q := "?token=" + id + "&auth=" + auth
		res, doc := fetch(t, cl, "GET", base+"/download"+q+"&fmt=msword", "", nil)
		if cd := res.Header.Get("Content-Disposition"); strings.Contains(cd, id) || !strings.Contains(cd, ".docx") {
			t.Errorf("file name: %s", cd)
		}
		if err := office.Check([]byte(doc)); err != nil {
			t.Error(err)
		}
		hit(t, "GET", link, "=cmd|' /C calc'!A0")
		until(t, "row", func() bool { return len(b.rowsOf(id)) == 1 })
		for _, a := range []string{auth, b.ReadAuth(id)} {
			_, body = fetch(t, cl, "GET", base+"/download?fmt=incidentlist_json&token="+id+"&auth="+a, "", nil)
			var l struct {
				Hits []struct {
					Time   float64        `json:"time_of_hit"`
					Src    string         `json:"src_ip"`
					Geo    map[string]any `json:"geo_info"`
					Status string         `json:"alert_status"`
				} `json:"hits"`
				Type string `json:"token_type"`
			}
			if err := json.Unmarshal([]byte(body), &l); err != nil || len(l.Hits) != 1 || l.Type != "ms_word" || l.Hits[0].Src != "127.0.0.1" || l.Hits[0].Time < 1e9 || l.Hits[0].Status != "alertable" {
				t.Errorf("incidentlist_json %s: %v", body, err)
			}
		}
		_, body = fetch(t, cl, "GET", base+"/download"+q+"&fmt=incidentlist_csv", "", nil)
		if !strings.HasPrefix(body, `"Timestamp","src_ip","geo_info","is_tor_relay","input_channel","src_data","useragent","alert_status"`) {
			t.Errorf("csv header %q", strings.SplitN(body, "\n", 2)[0])
		}
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][6] != "'=cmd|' /C calc'!A0" || !json.Valid([]byte(rows[1][2])) {
			t.Errorf("csv %q: %v", body, err)
		}
		_, body = fetch(t, cl, "GET", base+"/history"+q, "", nil)
		if !strings.Contains(body, `"history":{"hits":[{`) {
			t.Errorf("history %s", body)
		}
		res, body = fetch(t, cl, "POST", base+"/settings", "", url.Values{"token": {id}, "auth": {b.ReadAuth(id)}, "setting": {"webhook_enable"}, "value": {"off"}})
		if res.StatusCode != 403 {
			t.Errorf("the read secret changed a setting: %s", body)
		}
		res, body = fetch(t, cl, "POST", base+"/settings", "", url.Values{"token": {id}, "auth": {auth}, "setting": {"webhook_enable"}, "value": {"off"}})
		if res.StatusCode != 200 {
			t.Errorf("settings: %s", body)
		}
		if tok, _ := b.Get(context.Background(), id); tok.WebhookEnabled {
			t.Error("the webhook is still on")
		}
		if res, _ := fetch(t, cl, "GET", base+"/download?fmt=incidentlist_json&token="+id+"&auth="+strings.Repeat("0", 32), "", nil); res.StatusCode != 403 {
			t.Errorf("wrong secret: %d", res.StatusCode)
		}
		if res, body := fetch(t, cl, "GET", base+"/download"+q+"&fmt=pdf", "", nil); res.StatusCode != 400 || !strings.Contains(body, "pdf") {
			t.Errorf("unknown format: %d %s", res.StatusCode, body)
		}
		if res, _ := fetch(t, cl, "GET", base+"/delete"+q, "", nil); res.StatusCode != 405 {
			t.Errorf("GET /delete: %d", res.StatusCode)
		}
		if res, body := fetch(t, cl, "POST", base+"/delete", "", url.Values{"token": {id}, "auth": {auth}}); res.StatusCode != 200 {
			t.Errorf("delete: %s", body)
		}
		if _, err := b.Get(context.Background(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("after delete: %v", err)
		}
	}
}

var formToken = regexp.MustCompile(`name="form_token" value="([0-9a-f]+)"`)

func TestPages(t *testing.T) {
	b := newBench(t, nil)
	base := serveHandler(t, b)
	c := b.create(t, CreateRequest{Memo: `FS01,,,\\srv\x,<script>alert(1)</script>`, Webhook: "https://hook.example/<x>"})
	hit(t, "GET", c.URL, `"><script>alert(2)</script>`)
	until(t, "row", func() bool { return len(b.rowsOf(c.ID)) == 1 })
	const html = "text/html,application/xhtml+xml"
	read := "?token=" + c.ID + "&auth=" + c.ReadAuth
	for _, p := range []string{"/manage", "/history", "/settings"} {
		res, body := fetch(t, http.DefaultClient, "GET", base+p+read, html, nil)
		if res.StatusCode != 200 || strings.Contains(body, "<script") || strings.Contains(body, "form_token") || strings.Contains(body, c.Secret) {
			t.Errorf("%s: %d %s", p, res.StatusCode, body)
		}
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || res.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: policy %q", p, csp)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	cl := &http.Client{Jar: jar}
	res, body := fetch(t, cl, "GET", base+"/settings?token="+c.ID+"&auth="+c.Secret, html, nil)
	if strings.Contains(res.Request.URL.String(), c.Secret) || strings.Contains(body, c.Secret) {
		t.Errorf("the secret stays in the address: %s", res.Request.URL)
	}
	m := formToken.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no form: %s", body)
	}
	form := url.Values{"token": {c.ID}, "tags": {"a, b"}, "recipients": {"x@example.com\r\ny@example.com"}, "memo": {"FS02,,,,moved"}}
	if res, _ := fetch(t, cl, "POST", base+"/settings/token", html, form); res.StatusCode != 403 {
		t.Errorf("a form without its token: %d", res.StatusCode)
	}
	form.Set("form_token", m[1])
	if res, _ := fetch(t, http.DefaultClient, "POST", base+"/settings/token", html, form); res.StatusCode != 403 {
		t.Errorf("a form without the session: %d", res.StatusCode)
	}
	res, body = fetch(t, cl, "POST", base+"/settings/token", html, form)
	if res.StatusCode != 200 || !strings.Contains(body, "Saved.") {
		t.Errorf("saved: %d %s", res.StatusCode, body)
	}
	tok, err := b.Get(context.Background(), c.ID)
	if err != nil || tok.Place.Computername != "FS02" || len(tok.Tags) != 2 || len(tok.Recipients) != 2 || len(tok.Webhooks) != 1 {
		t.Errorf("token %+v, %v", tok, err)
	}
	form = url.Values{"token": {c.ID}, "form_token": {m[1]}, "memo": {"FS02,999.1.1.1,,,moved"}}
	if res, body := fetch(t, cl, "POST", base+"/settings/token", html, form); res.StatusCode != 400 || !strings.Contains(body, "PublicIP") {
		t.Errorf("bad memo: %d %s", res.StatusCode, body)
	}
	if res, _ := fetch(t, cl, "GET", base+"/manage?token="+strings.Repeat("z", 25), html, nil); res.StatusCode != 403 {
		t.Errorf("unknown token: %d", res.StatusCode)
	}
	if res, _ := fetch(t, cl, "POST", base+"/generate", "", url.Values{"token_type": {"web"}, "memo": {"x"}}); res.StatusCode != 403 {
		t.Errorf("generate is open: %d", res.StatusCode)
	}
}
