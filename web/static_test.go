package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func zipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s)
	z.Close()
	return b.Bytes()
}

func TestAppFiles(t *testing.T) {
	a, err := newApp(fstest.MapFS{
		"dist/.keep":                {},
		"dist/index.html.gz":        {Data: zipped(t, "<title>app</title>")},
		"dist/assets/x-1234.js.gz":  {Data: zipped(t, "run()")},
		"dist/assets/icon-5678.png": {Data: []byte("png")},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(method, path, accept string, code int, encoding, ctype, body string) {
		t.Helper()
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		got := w.Body.String()
		if w.Header().Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(z)
			got = string(b)
		}
		if w.Code != code || w.Header().Get("Content-Encoding") != encoding || !strings.HasPrefix(w.Header().Get("Content-Type"), ctype) || !strings.Contains(got, body) {
			t.Fatalf("%s %s: got %d %q %q %q", method, path, w.Code, w.Header().Get("Content-Encoding"), w.Header().Get("Content-Type"), got)
		}
	}
	f("GET", "/", "gzip", 200, "gzip", "text/html", "app")
	f("GET", "/", "", 200, "", "text/html", "app")
	f("GET", "/", "gzip;q=0, br", 200, "", "text/html", "app")
	f("GET", "/incidents/3", "br, gzip", 200, "gzip", "text/html", "app")
	f("GET", "/assets/x-1234.js", "gzip", 200, "gzip", "text/javascript", "run()")
	f("GET", "/assets/icon-5678.png", "gzip", 200, "", "image/png", "png")
	f("GET", "/assets/gone.js", "gzip", 404, "", "application/json", "reload the page")
	f("GET", "/../../etc/passwd", "gzip", 200, "gzip", "text/html", "app")
	f("POST", "/incidents", "", 405, "", "application/json", "MethodNotAllowed")
}

func TestWithoutBuildThePageSaysHow(t *testing.T) {
	a, err := newApp(fstest.MapFS{"dist/.keep": {}})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make web") {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := newSite(t, nil)
	for _, p := range []string{"/", "/api/v1/session", "/api/nothing"} {
		res, err := s.cli.Get(s.http.URL + p)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe-eval") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Fatalf("%s: %v", p, res.Header)
		}
	}
}
