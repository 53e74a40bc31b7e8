package canary

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed pages/*.html
var pageFiles embed.FS

// style is the pages' style sheet; the content policy names its hash.
const style = `body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:72rem;padding:1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{white-space:nowrap}
nav a{margin-right:1rem}label{display:block;margin:.6rem 0 .2rem}input[type=text],textarea{width:100%;max-width:44rem;font:inherit;padding:.3rem}
button{font:inherit;padding:.3rem .8rem;margin-top:.6rem}.note{background:#fff6d6;padding:.6rem}.bad{color:#9b1c1c}
@media(prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}th,td{border-color:#444}a{color:#8ab4f8}.note{background:#4a4016}}`

// contentPolicy allows nothing but the style sheet above and forms to this site.
var contentPolicy = func() string {
	h := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

func parsePages() (*template.Template, error) {
	return template.New("canary").Funcs(template.FuncMap{
		"style": func() template.CSS { return style },
		"time":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"lines": func(l []string) string { return strings.Join(l, "\n") },
		"join":  func(l []string) string { return strings.Join(l, ", ") },
		"line":  oneLine,
		"yes": func(b *bool) string {
			if b == nil {
				return "not known"
			}
			return map[bool]string{true: "yes", false: "no"}[*b]
		},
		"dict": func(kv ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i+1 < len(kv); i += 2 {
				m[kv[i].(string)] = kv[i+1]
			}
			return m
		},
	}).ParseFS(pageFiles, "pages/*.html")
}

func (s *Service) page(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name+".html", data); err != nil {
		s.d.Logger.Error("canary page", "page", name, "err", err)
		http.Error(w, "this page could not be made; picket's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// pageData is what a token's pages show.
type pageData struct {
	Title     string
	Token     Token
	Kind      Kind
	Query     template.URL // of links on the page; made of a checked id and secret
	May       bool         // change things
	FormToken string
	Format    string // of /download, for this kind
	Trips     []Trip
	More      string // before, of the next page
	Notes     []Notification
	Done      string // what a form just did
	Secret    map[string]string
}

func (s *Service) data(r *http.Request, c *call, title string) pageData {
	d := pageData{Title: title, Token: c.tok, Query: template.URL(c.query), May: c.acc == fullAccess}
	if k, err := kindByName(c.tok.Kind); err == nil {
		d.Kind = k
	}
	for f, k := range downloadKinds {
		if k == c.tok.Kind {
			d.Format = f
		}
	}
	if d.May {
		d.FormToken = s.formToken(r, c)
	}
	if v := c.get("done"); v != "" {
		d.Done = map[string]string{"saved": "Saved.", "test": "The test message was delivered.", "retry": "The notification is due again."}[v]
	}
	return d
}

// manage is GET /manage.
func (s *Service) manage(r *http.Request, c *call) (answer, error) {
	away, err := s.enter(r, c, readAccess)
	if err != nil || away != "" {
		return answer{redirect: away}, err
	}
	a := answer{json: map[string]any{"canarydrop": s.drop(c)}, page: "manage"}
	if c.html {
		d := s.data(r, c, "Honey token")
		if d.Trips, err = s.History(r.Context(), TripQuery{Token: c.tok.ID, Limit: 5}); err != nil {
			return a, err
		}
		if d.May {
			if d.Notes, err = s.Notifications(r.Context(), NotificationFilter{Token: c.tok.ID, Limit: 20}); err != nil {
				return a, err
			}
		}
		a.data = d
	}
	return a, nil
}

// historyPage is how many rows a page of the history shows.
const historyPage = 200

// history is GET /history.
func (s *Service) history(r *http.Request, c *call) (answer, error) {
	away, err := s.enter(r, c, readAccess)
	if err != nil || away != "" {
		return answer{redirect: away}, err
	}
	if !c.html {
		l, err := s.incidents(r, c)
		return answer{json: map[string]any{"canarydrop": s.drop(c), "history": l}}, err
	}
	d := s.data(r, c, "History of a honey token")
	q := historyQuery(c)
	q.Limit = historyPage + 1
	if d.Trips, err = s.History(r.Context(), q); err != nil {
		return answer{}, err
	}
	if len(d.Trips) > historyPage {
		d.Trips = d.Trips[:historyPage]
		d.More = d.Trips[historyPage-1].Time.UTC().Format(time.RFC3339Nano)
	}
	return answer{page: "history", data: d}, nil
}

// settings is GET /settings.
func (s *Service) settings(r *http.Request, c *call) (answer, error) {
	away, err := s.enter(r, c, readAccess)
	if err != nil || away != "" {
		return answer{redirect: away}, err
	}
	d := s.data(r, c, "Settings of a honey token")
	d.Secret = map[string]string{}
	if d.May {
		for _, u := range c.tok.Webhooks {
			d.Secret[u] = s.WebhookSecret(u)
		}
	}
	return answer{json: map[string]any{"canarydrop": s.drop(c)}, page: "settings", data: d}, nil
}
