package playbook

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"picket/playbook/expr"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxMessage is the largest body of a request or answer, in bytes (limits page).
const MaxMessage = 100 << 20

const maxParts = 1000

// ParseBody makes the value of a body as the service does: JSON parsed, text a string, anything else binary
// content; forms and multipart bodies have their fields beside it. An empty body is nil.
func ParseBody(data []byte, contentType string) (any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	mt, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		mt, _, _ = strings.Cut(strings.ToLower(contentType), ";")
		mt = strings.TrimSpace(mt)
	}
	switch {
	case mt == "application/json" || mt == "text/json" || strings.HasSuffix(mt, "+json"):
		v, err := expr.ParseJSON(data)
		if err != nil {
			return nil, fmt.Errorf("the body isn't JSON: %w", err)
		}
		return v, nil
	case strings.HasPrefix(mt, "text/"):
		return strings.ToValidUTF8(string(data), "\ufffd"), nil
	case mt == "application/x-www-form-urlencoded":
		o := expr.BinaryValue(data, contentType)
		fields := []any{}
		for _, pair := range strings.Split(string(data), "&") {
			if pair == "" {
				continue
			}
			k, v, _ := strings.Cut(pair, "=")
			k, e1 := url.QueryUnescape(k)
			v, e2 := url.QueryUnescape(v)
			if e1 != nil || e2 != nil {
				return nil, fmt.Errorf("the form has a field that isn't encoded right: %q", pair)
			}
			if len(fields) >= maxParts {
				return nil, fmt.Errorf("the form has more than %d fields", maxParts)
			}
			fields = append(fields, expr.NewObject("key", k, "value", v))
		}
		o.Set("$formdata", fields)
		return o, nil
	case strings.HasPrefix(mt, "multipart/") && params["boundary"] != "":
		o := expr.BinaryValue(data, contentType)
		parts := []any{}
		mr := multipart.NewReader(bytes.NewReader(data), params["boundary"])
		for {
			p, err := mr.NextRawPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("the multipart body can't be read: %w", err)
			}
			if len(parts) >= maxParts {
				return nil, fmt.Errorf("the body has more than %d parts", maxParts)
			}
			b, err := io.ReadAll(p)
			if err != nil {
				return nil, fmt.Errorf("the multipart body can't be read: %w", err)
			}
			h := &expr.Object{}
			for _, k := range sortedHeaders(http.Header(p.Header)) {
				h.Set(k, strings.Join(p.Header[k], ","))
			}
			ct := p.Header.Get("Content-Type")
			if ct == "" {
				ct = "text/plain"
			}
			body, err := ParseBody(b, ct)
			if err != nil {
				body = expr.BinaryValue(b, ct)
			}
			if body == nil {
				body = ""
			}
			parts = append(parts, expr.NewObject("headers", h, "body", body))
		}
		o.Set("$multipart", parts)
		return o, nil
	case mt == "":
		if utf8.Valid(data) {
			return string(data), nil
		}
		contentType = "application/octet-stream"
	}
	return expr.BinaryValue(data, contentType), nil
}

func sortedHeaders(h http.Header) []string {
	out := make([]string, 0, len(h))
	for k := range h {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// headerObject makes the headers of an answer or request a value.
func headerObject(h http.Header, skip ...string) *expr.Object {
	o := &expr.Object{}
next:
	for _, k := range sortedHeaders(h) {
		for _, s := range skip {
			if strings.EqualFold(s, k) {
				continue next
			}
		}
		o.Set(k, strings.Join(h[k], ","))
	}
	return o
}

// payload is a value as the bytes of a body, and the content type that goes with it when none is given.
func payload(v any) ([]byte, string) {
	switch x := v.(type) {
	case nil:
		return nil, ""
	case string:
		return []byte(x), ""
	case *expr.Object:
		if list, ok := x.Value("$multipart").([]any); ok {
			return multipartPayload(x, list)
		}
		if b, ct, ok := expr.Binary(x); ok {
			return b, ct
		}
	}
	return []byte(expr.JSON(v)), "application/json; charset=utf-8"
}

func multipartPayload(o *expr.Object, list []any) ([]byte, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range list {
		po := object(p)
		h := map[string][]string{}
		for _, m := range object(po.Value("headers")).Members() {
			h[http.CanonicalHeaderKey(m.Name)] = []string{expr.Text(m.Value)}
		}
		pw, err := w.CreatePart(h)
		if err != nil {
			continue
		}
		data, _ := payload(po.Value("body"))
		if _, err := pw.Write(data); err != nil {
			continue
		}
	}
	w.Close()
	ct, _ := o.Value("$content-type").(string)
	mt, _, _ := mime.ParseMediaType(ct)
	if mt == "" {
		mt = "multipart/form-data"
	}
	return b.Bytes(), mt + "; boundary=" + w.Boundary()
}

// codeName is the code of an action that got an HTTP status.
func codeName(status int) string {
	switch status {
	case 200, 201, 204:
		if status == 200 {
			return "OK"
		}
	}
	t := http.StatusText(status)
	if t == "" || status == 429 {
		return strconv.Itoa(status)
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\'' {
			return -1
		}
		return r
	}, t)
}
