package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"picket/canary"
	"picket/playbook"
	"strconv"
	"strings"
	"time"
)

// tokenKind is a kind of decoy as the wizard offers it.
type tokenKind struct {
	Kind      string   `json:"kind"` // "ms_word"
	Title     string   `json:"title"`
	About     string   `json:"about"`               // how it trips
	Names     []string `json:"fileNames,omitempty"` // believable proposals; none: the kind has no file name to choose
	Extension string   `json:"extension,omitempty"` // ".docx"; "" when the user can't bring an own document
	Document  bool     `json:"document"`            // decoy data and own documents make sense
}

// tokenJSON is a token with how its messages fare. The secrets in webhook addresses are cut for those who may
// not change tokens.
type tokenJSON struct {
	canary.Token
	KindTitle     string                `json:"kindTitle"`
	Notifications []canary.Notification `json:"notifications,omitempty"` // newest first; only in the detail
	Warnings      []string              `json:"warnings,omitempty"`      // only of a new token
	Secret        string                `json:"auth,omitempty"`          // only of a new token: shown once
}

// newToken asks for a token.
type newToken struct {
	Kind       string       `json:"kind"`
	FileName   string       `json:"fileName"`
	Memo       canary.Memo  `json:"memo"`
	MemoText   string       `json:"memoText"` // free text instead of the five fields
	Decoy      canary.Decoy `json:"decoy"`
	Recipients []string     `json:"recipients"`
	Webhooks   []string     `json:"webhooks"`  // URLs
	Playbooks  []string     `json:"playbooks"` // names: their callback URLs are used
	Owner      string       `json:"owner"`
	Tags       []string     `json:"tags"`
	Expires    *time.Time   `json:"expires"`

	document []byte // the upload of the part "document"
}

// tokenChange is what PATCH sets; absent fields stay.
type tokenChange struct {
	FileName       *string      `json:"fileName"`
	Memo           *canary.Memo `json:"memo"`
	MemoText       *string      `json:"memoText"`
	Owner          *string      `json:"owner"`
	Tags           *[]string    `json:"tags"`
	Expires        *string      `json:"expires"` // RFC 3339; "" is never
	Enabled        *bool        `json:"enabled"`
	Recipients     *[]string    `json:"recipients"`
	Webhooks       *[]string    `json:"webhooks"`
	EmailEnabled   *bool        `json:"emailEnabled"`
	WebhookEnabled *bool        `json:"webhookEnabled"`
	Ignored        *[]string    `json:"ignored"` // CIDRs or addresses
}

// hit is one trip of a token.
type hit struct {
	ID           string      `json:"id"`
	Time         time.Time   `json:"time"`
	SourceIP     string      `json:"sourceIp"`
	Channel      string      `json:"channel"` // http, dns, …
	Method       string      `json:"method,omitempty"`
	Path         string      `json:"path,omitempty"`
	UserAgent    string      `json:"userAgent,omitempty"`
	Referer      string      `json:"referer,omitempty"`
	QueryName    string      `json:"queryName,omitempty"`
	QueryType    string      `json:"queryType,omitempty"`
	CountryCode  string      `json:"countryCode,omitempty"` // ISO 3166-1 alpha-2
	Country      string      `json:"country,omitempty"`
	City         string      `json:"city,omitempty"`
	Lat          *float64    `json:"lat,omitempty"`
	Lon          *float64    `json:"lon,omitempty"`
	Org          string      `json:"org,omitempty"`
	Tor          *bool       `json:"tor"`                // null: not known, no list at the time
	OnHost       bool        `json:"onHost,omitempty"`   // the source is the memo's own address
	Resolver     bool        `json:"resolver,omitempty"` // the source is a name server, not who asked it
	Status       string      `json:"status"`             // alertable, disabled, expired, ignored_ip, deleted
	LikelyBenign string      `json:"likelyBenign,omitempty"`
	Count        int         `json:"count"` // calls that this row stands for
	Headers      [][2]string `json:"headers,omitempty"`
	Args         [][2]string `json:"args,omitempty"`
}

// MaxUpload bounds an uploaded document.
const MaxUpload = 20 << 20

// tokenRoutes serves
//
//	GET    /api/v1/tokenKinds                {value: [tokenKind], decoyFields: [name]}
//	GET    /api/v1/tokens?search&kind&status&after&top  {value: [tokenJSON], next}
//	POST   /api/v1/tokens                    newToken as JSON, or multipart with it in the part "token" and an own document in "document" → tokenJSON
//	GET    /api/v1/tokens/{id}               tokenJSON
//	PATCH  /api/v1/tokens/{id}               tokenChange → tokenJSON
//	DELETE /api/v1/tokens/{id}
//	GET    /api/v1/tokens/{id}/download      the decoy
//	GET    /api/v1/tokens/{id}/history?top=  {value: [hit]}
//	POST   /api/v1/tokens/test               {url} → {ok, note}: sends the test message to a webhook
//	POST   /api/v1/notifications/{id}/retry
func (s *Server) tokenRoutes() {
	h := func(need string, f func(w http.ResponseWriter, r *http.Request, u User) error) http.Handler {
		return s.page(need, func(w http.ResponseWriter, r *http.Request, u User) error {
			if s.d.Tokens == nil {
				return missingRoom("Tokens")
			}
			return roomError(f(w, r, u))
		})
	}
	s.mux.Handle("GET /api/v1/tokenKinds", h(Reader, func(w http.ResponseWriter, _ *http.Request, _ User) error {
		writeJSON(w, 200, map[string]any{"value": tokenKinds(), "decoyFields": canary.DecoyFields()})
		return nil
	}))
	s.mux.Handle("GET /api/v1/tokens", h(Reader, func(w http.ResponseWriter, r *http.Request, u User) error {
		top, err := intParam(r, "top", 100, 1, 500)
		if err != nil {
			return err
		}
		ts, next, err := s.d.Tokens.List(r.Context(), canary.Filter{
			Search: r.FormValue("search"), Kind: r.FormValue("kind"),
			Status: r.FormValue("status"), After: r.FormValue("after"), Limit: top,
		})
		if err != nil {
			return err
		}
		out := make([]tokenJSON, len(ts))
		for i, t := range ts {
			out[i] = showToken(t, u)
		}
		writeJSON(w, 200, map[string]any{"value": out, "next": next})
		return nil
	}))
	s.mux.Handle("POST /api/v1/tokens", h(Contributor, s.postToken))
	s.mux.Handle("GET /api/v1/tokens/{id}", h(Reader, func(w http.ResponseWriter, r *http.Request, u User) error {
		t, err := s.d.Tokens.Get(r.Context(), strings.ToLower(r.PathValue("id")))
		if err != nil {
			return err
		}
		out := showToken(t, u)
		if out.Notifications, err = s.d.Tokens.Notifications(r.Context(), canary.NotificationFilter{Token: t.ID, Limit: 50}); err != nil {
			return err
		}
		for i := range out.Notifications {
			out.Notifications[i].Target = cutSecret(out.Notifications[i].Target)
		}
		writeJSON(w, 200, out)
		return nil
	}))
	s.mux.Handle("PATCH /api/v1/tokens/{id}", h(Contributor, s.patchToken))
	s.mux.Handle("DELETE /api/v1/tokens/{id}", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		if err := s.d.Tokens.Delete(r.Context(), r.PathValue("id")); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
	s.mux.Handle("GET /api/v1/tokens/{id}/download", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		a, err := s.d.Tokens.Download(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		writeFile(w, a.FileName, a.ContentType, a.Data)
		return nil
	}))
	s.mux.Handle("GET /api/v1/tokens/{id}/history", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		top, err := intParam(r, "top", 500, 1, 10000)
		if err != nil {
			return err
		}
		ts, err := s.d.Tokens.History(r.Context(), canary.TripQuery{Token: r.PathValue("id"), Limit: top})
		if err != nil {
			return err
		}
		out := make([]hit, len(ts))
		for i := range ts {
			out[i] = showHit(&ts[i])
		}
		return answerList(w, out, nil)
	}))
	s.mux.Handle("POST /api/v1/tokens/test", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		var in struct{ URL, Playbook string }
		if err := readJSON(w, r, &in); err != nil {
			return err
		}
		hooks, err := s.callbacks(r.Context(), []string{in.Playbook})
		if err != nil {
			return err
		}
		if len(hooks) == 1 {
			in.URL = hooks[0]
		}
		out := struct {
			OK   bool   `json:"ok"`
			Note string `json:"note"`
		}{true, "The receiver took the test message."}
		if err := s.d.Tokens.TestWebhook(r.Context(), in.URL); err != nil {
			out.OK, out.Note = false, err.Error()
		}
		writeJSON(w, 200, out)
		return nil
	}))
	s.mux.Handle("POST /api/v1/notifications/{id}/retry", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		if err := s.d.Tokens.Retry(r.Context(), r.PathValue("id")); err != nil {
			return badRequest("", "%v.", err)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
}

func tokenKinds() []tokenKind {
	var out []tokenKind
	for _, k := range canary.Kinds() {
		t := tokenKind{Kind: k.Name(), Title: k.Label(), About: k.About()}
		if p, ok := k.(interface{ Propose(*rand.Rand) string }); ok {
			t.Document = true
			for range 6 {
				n := p.Propose(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
				t.Names = append(t.Names, n)
				t.Extension = n[strings.LastIndexByte(n, '.'):]
			}
		}
		out = append(out, t)
	}
	return out
}

func showToken(t canary.Token, u User) tokenJSON {
	if !u.Allows(Contributor) {
		hooks := make([]string, len(t.Webhooks))
		for i, h := range t.Webhooks {
			hooks[i] = cutSecret(h)
		}
		t.Webhooks = hooks
	}
	out := tokenJSON{Token: t, KindTitle: t.Kind}
	for _, k := range canary.Kinds() {
		if k.Name() == t.Kind {
			out.KindTitle = k.Label()
		}
	}
	return out
}

// cutSecret hides the values of a URL's query: callback URLs carry their signature there.
func cutSecret(s string) string {
	base, q, found := strings.Cut(s, "?")
	if !found {
		return s
	}
	vs := strings.Split(q, "&")
	for i, v := range vs {
		k, _, _ := strings.Cut(v, "=")
		vs[i] = k + "=…"
	}
	return base + "?" + strings.Join(vs, "&")
}

func showHit(t *canary.Trip) hit {
	h := hit{
		ID: t.ID, Time: t.Time, SourceIP: t.SrcIP, Channel: t.Channel, Method: t.Method, Path: t.Path, UserAgent: t.UserAgent, Referer: t.Referer,
		QueryName: t.QueryName, QueryType: t.QueryType, CountryCode: t.Geo.CountryCode, Country: t.Geo.Country, City: t.Geo.City, Org: t.Geo.Org(),
		Tor: t.IsTor, OnHost: t.ExecutedOnHost, Resolver: t.SrcIsResolver, Status: t.AlertStatus, LikelyBenign: t.LikelyBenign, Count: t.Count,
		Headers: t.Headers, Args: t.Args,
	}
	if t.Geo.HasLoc {
		lat, lon := t.Geo.Lat, t.Geo.Lon
		h.Lat, h.Lon = &lat, &lon
	}
	return h
}

// callbacks gives the callback URLs of playbooks; empty names are left out.
func (s *Server) callbacks(ctx context.Context, names []string) ([]string, error) {
	var out []string
	for _, n := range names {
		if n == "" {
			continue
		}
		if s.d.Playbooks == nil {
			return nil, missingRoom("Playbooks")
		}
		cb, err := s.d.Playbooks.CallbackURL(ctx, n, "", playbook.CallbackOptions{})
		if err != nil {
			return nil, badRequest("playbooks", "Playbook %s has no callback URL: %v", n, err)
		}
		out = append(out, cb.Value)
	}
	return out, nil
}

func (s *Server) patchToken(w http.ResponseWriter, r *http.Request, u User) error {
	var c tokenChange
	if err := readJSON(w, r, &c); err != nil {
		return err
	}
	p := canary.Patch{
		FileName: c.FileName, Owner: c.Owner, Tags: c.Tags, Enabled: c.Enabled, Recipients: c.Recipients, Webhooks: c.Webhooks,
		EmailEnabled: c.EmailEnabled, WebhookEnabled: c.WebhookEnabled, Ignored: c.Ignored,
	}
	free := c.MemoText != nil
	switch {
	case free:
		p.Memo, p.FreeMemo = c.MemoText, &free
	case c.Memo != nil:
		m := c.Memo.String()
		p.Memo, p.FreeMemo = &m, &free
	}
	if c.Expires != nil {
		var at time.Time
		if *c.Expires != "" {
			var err error
			if at, err = time.Parse(time.RFC3339, *c.Expires); err != nil {
				return badRequest("expires", "%q is no time such as 2027-01-31T00:00:00Z.", *c.Expires)
			}
		}
		p.Expires = &at
	}
	t, err := s.d.Tokens.Update(r.Context(), r.PathValue("id"), p)
	if err != nil {
		return err
	}
	writeJSON(w, 200, showToken(t, u))
	return nil
}

func (s *Server) postToken(w http.ResponseWriter, r *http.Request, u User) error {
	var n newToken
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := readJSON(w, r, &n); err != nil {
			return err
		}
	} else if err := readTokenForm(w, r, &n); err != nil {
		return err
	}
	hooks, err := s.callbacks(r.Context(), n.Playbooks)
	if err != nil {
		return err
	}
	c := canary.CreateRequest{
		Kind: n.Kind, FileName: n.FileName, Memo: n.Memo.String(), Recipients: n.Recipients, Webhooks: append(hooks, n.Webhooks...),
		Owner: n.Owner, Tags: n.Tags, Decoy: n.Decoy, OwnDocument: n.document,
	}
	if n.MemoText != "" {
		c.Memo, c.FreeMemo = n.MemoText, true
	}
	if n.Expires != nil {
		c.Expires = *n.Expires
	}
	if c.Owner == "" {
		c.Owner = u.Name
	}
	t, err := s.d.Tokens.Create(r.Context(), c)
	if err != nil {
		return err
	}
	out := showToken(t.Token, u)
	out.Warnings, out.Secret = t.Warnings, t.Secret
	writeJSON(w, 201, out)
	return nil
}

// readTokenForm reads a multipart form: the part "token" holds the JSON, the part "document" an own document.
func readTokenForm(w http.ResponseWriter, r *http.Request, n *newToken) error {
	r.Body = http.MaxBytesReader(w, r.Body, MaxUpload+maxJSON)
	mr, err := r.MultipartReader()
	if err != nil {
		return badRequest("", "The form can't be read: %v.", err)
	}
	var doc []byte
	for parts := 0; ; parts++ {
		p, err := mr.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return formError(err)
		}
		if parts >= 10 {
			return badRequest("", "The form has more than 10 parts.")
		}
		body, err := readPart(p)
		if err != nil {
			return err
		}
		switch p.FormName() {
		case "token":
			doc = body
		case "document":
			n.document = body
		default:
			return badRequest(p.FormName(), "The form has a part %q that nothing reads: send token and document.", p.FormName())
		}
	}
	if doc == nil {
		return badRequest("token", `The form lacks the part "token" with the token's JSON.`)
	}
	if err := json.Unmarshal(doc, n); err != nil {
		return badRequest("token", "The part \"token\" is not the expected JSON: %v.", err)
	}
	return nil
}

func readPart(p *multipart.Part) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(p, MaxUpload+1))
	if err != nil {
		return nil, formError(err)
	}
	if len(body) > MaxUpload {
		return nil, &Error{Status: 413, Code: "RequestTooLarge", Target: p.FormName(), Message: fmt.Sprintf("%s is larger than %d MiB.", p.FileName(), MaxUpload>>20)}
	}
	return body, nil
}

func formError(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return err
	}
	return badRequest("", "The form can't be read: %v.", err)
}

func answer(w http.ResponseWriter, status int, v any, err error) error {
	if err != nil {
		return err
	}
	writeJSON(w, status, v)
	return nil
}

// answerList answers {"value": […]}; never null.
func answerList[T any](w http.ResponseWriter, v []T, err error) error {
	if err != nil {
		return err
	}
	writeJSON(w, 200, map[string]any{"value": orEmpty(v)})
	return nil
}

func intParam(r *http.Request, name string, def, lo, hi int) (int, error) {
	t := r.FormValue(name)
	if t == "" {
		return def, nil
	}
	n, err := strconv.Atoi(t)
	if err != nil || n < lo || n > hi {
		return 0, badRequest(name, "%s must be a whole number from %d to %d, not %q.", name, lo, hi, t)
	}
	return n, nil
}

// writeFile sends a download. The name goes out in both forms of RFC 6266.
func writeFile(w http.ResponseWriter, name, ctype string, body []byte) {
	plain := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '/' {
			return '_'
		}
		return c
	}, name)
	h := w.Header()
	h.Set("Content-Type", ctype)
	h.Set("Content-Disposition", `attachment; filename="`+plain+`"; filename*=UTF-8''`+url.PathEscape(name))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}
