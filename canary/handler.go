package canary

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Mount is where Canarytokens v3 has its API; the same paths also stand at the root, as v2 had them.
const Mount = "/d3aece8093b71007b5ccfedad91ebb11"

// maxForm bounds a request body of the forms.
const maxForm = 1 << 20

// Handler serves the Canarytokens-compatible paths and the pages behind the links in notifications: /generate,
// /download, /history, /manage, /settings, /delete, at the root and under [Mount]. It belongs on picket's main
// listener, never on the trip listener.
//
// A request names its token and secret as token and auth (query, form or JSON), or carries the secret as a
// bearer token, or the session of a page. The 32-digit read secret that notifications carry only reads; so does
// every GET.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range []string{"", Mount} {
		api := p != ""
		on := func(method, path string, h func(*http.Request, *call) (answer, error)) {
			mux.HandleFunc(method+" "+p+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, api, h) })
		}
		on("POST", "/generate", s.generate)
		on("GET", "/manage", s.manage)
		on("GET", "/history", s.history)
		on("GET", "/download", s.download)
		on("GET", "/settings", s.settings)
		on("POST", "/settings", s.setSetting)
		on("POST", "/settings/ip-ignore-list", s.setIgnore)
		on("POST", "/settings/token", s.setToken)
		on("POST", "/settings/test", s.testHook)
		on("POST", "/settings/retry", s.retryNote)
		on("POST", "/delete", s.deleteToken)
		on("POST", "/edit", func(*http.Request, *call) (answer, error) {
			return answer{}, &httpError{400, "picket makes no aws_infra tokens: there is nothing to edit; change a token by /settings"}
		})
	}
	return mux
}

// call is a request with its parameters read.
type call struct {
	form   url.Values
	api    bool // JSON only
	html   bool // a browser asks
	tok    Token
	acc    access
	admin  bool
	query  string // "?token=…[&auth=…]" for links on the page
	cookie string // value that form tokens are bound to
	w      http.ResponseWriter
}

func (c *call) get(k string) string { return strings.TrimSpace(c.form.Get(k)) }

// answer is what a handler gives: JSON, a page, a file, or another place to go.
type answer struct {
	json     any
	page     string
	data     any
	file     *Artifact
	redirect string
}

// httpError is an error with its status.
type httpError struct {
	status int
	msg    string
}

func (e *httpError) Error() string { return e.msg }

var errForbidden = &httpError{http.StatusForbidden, "there is no such token, or this secret is not its secret"}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, api bool, h func(*http.Request, *call) (answer, error)) {
	hd := w.Header()
	hd.Set("Cache-Control", "no-store")
	hd.Set("Referrer-Policy", "no-referrer")
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("X-Frame-Options", "DENY")
	hd.Set("Content-Security-Policy", contentPolicy)
	c := &call{api: api, html: !api && strings.Contains(r.Header.Get("Accept"), "text/html"), w: w}
	a, err := func() (answer, error) {
		var err error
		if c.form, err = readForm(w, r); err != nil {
			return answer{}, err
		}
		return h(r, c)
	}()
	if err != nil {
		s.fail(w, r, c, err)
		return
	}
	switch {
	case a.redirect != "":
		http.Redirect(w, r, a.redirect, http.StatusSeeOther)
	case a.file != nil:
		hd.Set("Content-Type", a.file.ContentType)
		hd.Set("Content-Disposition", disposition(a.file.FileName))
		hd.Set("Content-Length", strconv.Itoa(len(a.file.Data)))
		w.Write(a.file.Data)
	case c.html && a.page != "":
		s.page(w, http.StatusOK, a.page, a.data)
	default:
		writeJSON(w, http.StatusOK, a.json)
	}
}

func disposition(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a broken connection is the client's affair
}

func (s *Service) fail(w http.ResponseWriter, r *http.Request, c *call, err error) {
	var he *httpError
	var fe *FieldError
	status, msg, field := http.StatusInternalServerError, "picket could not do this; its log says why", ""
	switch {
	case errors.As(err, &he):
		status, msg = he.status, he.msg
	case errors.As(err, &fe):
		status, msg, field = http.StatusBadRequest, fe.Error(), fe.Field
	case errors.Is(err, ErrNotFound):
		status, msg = errForbidden.status, errForbidden.msg
	default:
		s.d.Logger.Error("canary page", "path", r.URL.Path, "err", err) // the path only: the query holds secrets
	}
	if c.html {
		s.page(w, status, "error", map[string]any{"Title": "Not possible", "Message": msg})
		return
	}
	v := map[string]any{"error": strconv.Itoa(status), "error_message": msg}
	if field != "" {
		v["field"] = field
	}
	writeJSON(w, status, v)
}

// readForm reads the parameters of query and body: a form, or a JSON object whose values are scalars or lists.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	form := url.Values{}
	for k, v := range r.URL.Query() {
		form[k] = v
	}
	if r.Method != http.MethodPost {
		return form, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request body is over %d bytes, or broke off", maxForm)}
	}
	ct, prm, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch ct {
	case "application/json":
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, &httpError{http.StatusBadRequest, "the request body is not a JSON object: " + err.Error()}
		}
		for k, v := range m {
			switch x := v.(type) {
			case nil:
			case []any:
				form.Del(k)
				for _, e := range x {
					form.Add(k, fmt.Sprint(e))
				}
			case map[string]any:
				return nil, &httpError{http.StatusBadRequest, fmt.Sprintf("%s: an object is not expected here", clip(k, 40))}
			default:
				form.Set(k, fmt.Sprint(x))
			}
		}
	case "application/x-www-form-urlencoded", "":
		q, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, &httpError{http.StatusBadRequest, "the form can't be read: " + err.Error()}
		}
		for k, v := range q {
			form[k] = v
		}
	case "multipart/form-data":
		if err := readMultipart(form, body, prm["boundary"]); err != nil {
			return nil, err
		}
	default:
		return nil, &httpError{http.StatusUnsupportedMediaType, fmt.Sprintf("content type %q: send a form or JSON", clip(ct, 60))}
	}
	return form, nil
}

// sessionTime is how long a page's session lasts.
const sessionTime = 8 * time.Hour

const formCookie = "picket_canary_form"

func sessionCookie(id string) string { return "picket_canary_" + id[:12] }

// session makes the value of a session cookie: until when, and proof.
func (s *Service) session(id string, until time.Time) string {
	u := strconv.FormatInt(until.Unix(), 36)
	return u + "." + base64.RawURLEncoding.EncodeToString(s.mac("session", id, u))
}

func (s *Service) sessionValid(id, v string) bool {
	u, sig, ok := strings.Cut(v, ".")
	n, err := strconv.ParseInt(u, 36, 64)
	if !ok || err != nil || s.d.Now().Unix() > n {
		return false
	}
	got, err := base64.RawURLEncoding.DecodeString(sig)
	return err == nil && hmac.Equal(got, s.mac("session", id, u))
}

// enter finds the token and what the caller may do with it. Where a secret with full access comes in a browser's
// URL it becomes a session, and away is the URL without it.
func (s *Service) enter(r *http.Request, c *call, need access) (away string, err error) {
	id, auth := strings.ToLower(c.get("token")), c.get("auth")
	if auth == "" {
		if b, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			auth = b
		}
	}
	explicit := false
	if auth != "" && validID(id) {
		if c.acc, err = s.check(r.Context(), id, auth); err != nil {
			return "", err
		}
		explicit = c.acc != noAccess
	}
	if c.acc < fullAccess && validID(id) {
		if ck, err := r.Cookie(sessionCookie(id)); err == nil && s.sessionValid(id, ck.Value) {
			c.acc, explicit = fullAccess, false
		} else if s.d.Authorize != nil && s.d.Authorize(r) == nil {
			c.acc, c.admin, explicit = fullAccess, true, false
		}
	}
	if c.acc == noAccess {
		return "", errForbidden
	}
	if c.tok, err = s.Get(r.Context(), id); err != nil {
		return "", err
	}
	if c.acc < need {
		return "", &httpError{http.StatusForbidden, "this secret only reads; changing the token needs the secret that was shown when it was created"}
	}
	c.query = "?token=" + id
	if c.acc == readAccess {
		c.query += "&auth=" + strings.ToLower(auth)
	}
	if r.Method == http.MethodPost {
		if explicit { // the secret is in the request: no browser sends it by itself
			return "", nil
		}
		return "", s.checkForm(r, c)
	}
	if explicit && c.acc == fullAccess && c.html && r.URL.Query().Has("auth") {
		http.SetCookie(c.w, &http.Cookie{
			Name: sessionCookie(id), Value: s.session(id, s.d.Now().Add(sessionTime)), Path: "/",
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil, MaxAge: int(sessionTime.Seconds()),
		})
		return r.URL.Path + c.query, nil
	}
	return "", nil
}

// formToken is what a form must carry: it is bound to a cookie of this browser and to the token.
func (s *Service) formToken(r *http.Request, c *call) string {
	if c.cookie == "" {
		if ck, err := r.Cookie(formCookie); err == nil && len(ck.Value) == 32 {
			c.cookie = ck.Value
		} else {
			var b [16]byte
			rand.Read(b[:])
			c.cookie = hex.EncodeToString(b[:])
			http.SetCookie(c.w, &http.Cookie{Name: formCookie, Value: c.cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil})
		}
	}
	return hex.EncodeToString(s.mac("form", c.tok.ID, c.cookie))
}

func (s *Service) checkForm(r *http.Request, c *call) error {
	ck, err := r.Cookie(formCookie)
	if err == nil && len(ck.Value) == 32 {
		if got, err := hex.DecodeString(c.get("form_token")); err == nil && hmac.Equal(got, s.mac("form", c.tok.ID, ck.Value)) {
			return nil
		}
	}
	return &httpError{http.StatusForbidden, "the form is not from this page or too old; load the page again"}
}
