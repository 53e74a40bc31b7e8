package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Field is one input of a kind's form.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Type     string   `json:"type"` // text, multiline, number, bool, select, file
	Help     string   `json:"help,omitempty"`
	Required bool     `json:"required,omitempty"`
	Default  string   `json:"default,omitempty"`
	Options  []string `json:"options,omitempty"` // of a select
	Accept   string   `json:"accept,omitempty"`  // of a file: ".docx,.xlsx"
	Multiple bool     `json:"multiple,omitempty"`
}

// TokenKind is a kind of decoy that can be made.
type TokenKind struct {
	Kind        string   `json:"kind"` // "ms_word"
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Group       string   `json:"group"`               // "Documents", "Web", "Credentials", "Network", …
	Trips       string   `json:"trips"`               // what trips it, and how far that was tested
	FileExt     string   `json:"fileExt,omitempty"`   // ".docx"; "" when nothing is downloaded
	FileNames   []string `json:"fileNames,omitempty"` // believable proposals
	Fields      []Field  `json:"fields"`
	Example     string   `json:"placement,omitempty"` // where to put it
}

// Memo is the five fields that the CanaryTokens content reads from the memo's CSV, in its order.
type Memo struct {
	Host        string `json:"host"`
	PublicIP    string `json:"publicIp"`
	PrivateIP   string `json:"privateIp"`
	Share       string `json:"share"`
	Description string `json:"description"`
}

// Token is a placed or downloadable decoy. Secrets are never in it.
type Token struct {
	ID          string            `json:"id"`
	Kind        string            `json:"kind"`
	Title       string            `json:"title"` // of the kind
	FileName    string            `json:"fileName,omitempty"`
	Memo        Memo              `json:"memo"`
	MemoText    string            `json:"memoText"` // as webhooks carry it
	Fields      map[string]string `json:"fields,omitempty"`
	Emails      []string          `json:"emails"`
	Webhooks    []Webhook         `json:"webhooks"`
	Tags        []string          `json:"tags"`
	Owner       string            `json:"owner,omitempty"`
	Placement   string            `json:"placement,omitempty"` // where it was put
	Enabled     bool              `json:"enabled"`
	Created     time.Time         `json:"created"`
	Expires     time.Time         `json:"expires,omitzero"`
	Hits        int               `json:"hits"`
	LastHit     time.Time         `json:"lastHit,omitzero"`
	Address     string            `json:"address,omitempty"` // the URL or hostname that trips it
	ManageURL   string            `json:"manageUrl,omitempty"`
	Downloads   []Download        `json:"downloads"`
	IgnoreCIDRs []string          `json:"ignore,omitempty"`
}

// Download is a form in which the token can be fetched.
type Download struct {
	Format string `json:"format"` // the fmt of the request
	Label  string `json:"label"`
	Name   string `json:"name"`
}

// Webhook is one receiver and how its last delivery went.
type Webhook struct {
	URL      string    `json:"url"` // query secrets are cut: "…?sig=•••"
	Playbook string    `json:"playbook,omitempty"`
	Enabled  bool      `json:"enabled"`
	LastAt   time.Time `json:"lastAt,omitzero"`
	LastOK   bool      `json:"lastOk"`
	LastNote string    `json:"lastNote,omitempty"`
	Pending  int       `json:"pending,omitempty"` // deliveries waiting
}

// NewToken asks for a token.
type NewToken struct {
	Kind      string            `json:"kind"`
	FileName  string            `json:"fileName"`
	Memo      Memo              `json:"memo"`
	Fields    map[string]string `json:"fields"`
	Emails    []string          `json:"emails"`
	Webhooks  []string          `json:"webhooks"`  // URLs
	Playbooks []string          `json:"playbooks"` // names: their callback URL is used
	Tags      []string          `json:"tags"`
	Placement string            `json:"placement"`
	Expires   time.Time         `json:"expires"`
	// Files are uploads by field name (an own document to be made into a decoy).
	Files map[string]Upload `json:"-"`
}

// Upload is a file of a form, read whole: at most MaxUpload bytes.
type Upload struct {
	Name string
	Body []byte
}

// MaxUpload bounds an uploaded document.
const MaxUpload = 20 << 20

// TokenChange is what PATCH sets; nil leaves.
type TokenChange struct {
	Enabled   *bool      `json:"enabled"`
	Memo      *Memo      `json:"memo"`
	Emails    *[]string  `json:"emails"`
	Webhooks  *[]string  `json:"webhooks"`
	Playbooks *[]string  `json:"playbooks"`
	Tags      *[]string  `json:"tags"`
	Placement *string    `json:"placement"`
	Expires   *time.Time `json:"expires"`
	Ignore    *[]string  `json:"ignore"` // CIDRs
}

// Hit is one trip of a token.
type Hit struct {
	ID        string            `json:"id"`
	Time      time.Time         `json:"time"`
	SourceIP  string            `json:"sourceIp"`
	Channel   string            `json:"channel"` // HTTP, DNS, …
	UserAgent string            `json:"userAgent,omitempty"`
	Country   string            `json:"country,omitempty"` // ISO 3166 code
	City      string            `json:"city,omitempty"`
	Lat       *float64          `json:"lat,omitempty"`
	Lon       *float64          `json:"lon,omitempty"`
	Org       string            `json:"org,omitempty"`
	Tor       *bool             `json:"tor"`    // null: not known (no list at the time)
	Status    string            `json:"status"` // alertable, ignored_ip, likely_benign
	Note      string            `json:"note,omitempty"`
	Count     int               `json:"count"`             // trips that this row stands for
	Details   map[string]string `json:"details,omitempty"` // headers, arguments, decoded data
}

// TestResult is how a test delivery went.
type TestResult struct {
	URL    string `json:"url"`
	OK     bool   `json:"ok"`
	Status int    `json:"status,omitempty"`
	Note   string `json:"note"`
}

// TokenQuery filters the list.
type TokenQuery struct {
	Search string
	Kind   string
	Skip   int
	Top    int // 1 to 500
}

// Tokens is the token room as the page needs it.
type Tokens interface {
	Kinds(ctx context.Context) ([]TokenKind, error)
	List(ctx context.Context, q TokenQuery) (tokens []Token, total int, err error)
	Get(ctx context.Context, id string) (Token, error)
	Create(ctx context.Context, n NewToken, by User) (Token, error)
	Update(ctx context.Context, id string, c TokenChange, by User) (Token, error)
	Delete(ctx context.Context, id string, by User) error
	Download(ctx context.Context, id, format string) (name, contentType string, body []byte, err error)
	History(ctx context.Context, id string, top int) ([]Hit, error)
	TestWebhooks(ctx context.Context, id string) ([]TestResult, error)
}

// tokenRoutes serves
//
//	GET    /api/v1/tokenKinds                {value: [TokenKind]}
//	GET    /api/v1/tokens?search&kind&skip&top  {value: [Token], total}
//	POST   /api/v1/tokens                    NewToken as JSON, or multipart with it in the part "token" and uploads beside it → Token
//	GET    /api/v1/tokens/{id}               Token
//	PATCH  /api/v1/tokens/{id}               TokenChange → Token
//	DELETE /api/v1/tokens/{id}
//	GET    /api/v1/tokens/{id}/download?format=
//	GET    /api/v1/tokens/{id}/history?top=  {value: [Hit]}
//	POST   /api/v1/tokens/{id}/test          {value: [TestResult]}
func (s *Server) tokenRoutes() {
	h := func(need string, f func(w http.ResponseWriter, r *http.Request, u User) error) http.Handler {
		return s.page(need, func(w http.ResponseWriter, r *http.Request, u User) error {
			if s.d.Tokens == nil {
				return missingRoom("Tokens")
			}
			return f(w, r, u)
		})
	}
	s.mux.Handle("GET /api/v1/tokenKinds", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Tokens.Kinds(r.Context())
		return answerList(w, v, err)
	}))
	s.mux.Handle("GET /api/v1/tokens", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		q := TokenQuery{Search: r.FormValue("search"), Kind: r.FormValue("kind")}
		var err error
		if q.Skip, err = intParam(r, "skip", 0, 0, 1<<30); err != nil {
			return err
		}
		if q.Top, err = intParam(r, "top", 100, 1, 500); err != nil {
			return err
		}
		v, total, err := s.d.Tokens.List(r.Context(), q)
		if err != nil {
			return err
		}
		if v == nil {
			v = []Token{}
		}
		writeJSON(w, 200, map[string]any{"value": v, "total": total})
		return nil
	}))
	s.mux.Handle("POST /api/v1/tokens", h(Contributor, s.postToken))
	s.mux.Handle("GET /api/v1/tokens/{id}", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		t, err := s.d.Tokens.Get(r.Context(), r.PathValue("id"))
		return answer(w, 200, t, err)
	}))
	s.mux.Handle("PATCH /api/v1/tokens/{id}", h(Contributor, func(w http.ResponseWriter, r *http.Request, u User) error {
		var c TokenChange
		if err := readJSON(w, r, &c); err != nil {
			return err
		}
		t, err := s.d.Tokens.Update(r.Context(), r.PathValue("id"), c, u)
		return answer(w, 200, t, err)
	}))
	s.mux.Handle("DELETE /api/v1/tokens/{id}", h(Contributor, func(w http.ResponseWriter, r *http.Request, u User) error {
		if err := s.d.Tokens.Delete(r.Context(), r.PathValue("id"), u); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
	s.mux.Handle("GET /api/v1/tokens/{id}/download", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		name, ctype, body, err := s.d.Tokens.Download(r.Context(), r.PathValue("id"), r.FormValue("format"))
		if err != nil {
			return err
		}
		writeFile(w, name, ctype, body)
		return nil
	}))
	s.mux.Handle("GET /api/v1/tokens/{id}/history", h(Reader, func(w http.ResponseWriter, r *http.Request, _ User) error {
		top, err := intParam(r, "top", 500, 1, 10000)
		if err != nil {
			return err
		}
		v, err := s.d.Tokens.History(r.Context(), r.PathValue("id"), top)
		return answerList(w, v, err)
	}))
	s.mux.Handle("POST /api/v1/tokens/{id}/test", h(Contributor, func(w http.ResponseWriter, r *http.Request, _ User) error {
		v, err := s.d.Tokens.TestWebhooks(r.Context(), r.PathValue("id"))
		return answerList(w, v, err)
	}))
}

func (s *Server) postToken(w http.ResponseWriter, r *http.Request, u User) error {
	var n NewToken
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		if err := readJSON(w, r, &n); err != nil {
			return err
		}
	} else if err := readTokenForm(w, r, &n); err != nil {
		return err
	}
	t, err := s.d.Tokens.Create(r.Context(), n, u)
	return answer(w, 201, t, err)
}

// readTokenForm reads a multipart form: the part "token" holds the JSON, every other part with a file name is
// an upload for the field of its name.
func readTokenForm(w http.ResponseWriter, r *http.Request, n *NewToken) error {
	r.Body = http.MaxBytesReader(w, r.Body, MaxUpload+maxJSON)
	mr, err := r.MultipartReader()
	if err != nil {
		return badRequest("", "The form can't be read: %v.", err)
	}
	var doc []byte
	files := map[string]Upload{}
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
		if p.FormName() == "token" && p.FileName() == "" {
			doc = body
		} else if p.FileName() != "" {
			files[p.FormName()] = Upload{Name: p.FileName(), Body: body}
		}
	}
	if doc == nil {
		return badRequest("token", `The form lacks the part "token" with the token's JSON.`)
	}
	if err := json.Unmarshal(doc, n); err != nil {
		return badRequest("token", "The part \"token\" is not the expected JSON: %v.", err)
	}
	n.Files = files
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
	if v == nil {
		v = []T{}
	}
	writeJSON(w, 200, map[string]any{"value": v})
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
