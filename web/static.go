package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// dist is the built app. Only .keep is tracked: without a build the page says how to make one. The build
// stores every text asset gzipped (name.gz) and nothing else of it.
//
//go:embed all:dist
var dist embed.FS

// contentPolicy lets the page load only its own files. Styles may be inline because Fluent (Griffel) and
// Monaco write style elements; scripts may not. Monaco's workers are own files.
const contentPolicy = "default-src 'self'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

func secureHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
}

type asset struct {
	body    []byte
	gzipped bool
	ctype   string
}

type app struct {
	files map[string]asset // by path in the site, "assets/index-….js"
}

func newApp(embedded fs.FS) (*app, error) {
	a := &app{files: map[string]asset{}}
	err := fs.WalkDir(embedded, "dist", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".keep" {
			return err
		}
		body, err := fs.ReadFile(embedded, p)
		if err != nil {
			return err
		}
		name, zipped := strings.CutSuffix(strings.TrimPrefix(p, "dist/"), ".gz")
		ctype := mime.TypeByExtension(path.Ext(name))
		if ctype == "" {
			ctype = "application/octet-stream"
		}
		a.files[name] = asset{body, zipped, ctype}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded app: %w", err)
	}
	return a, nil
}

// ServeHTTP answers a file of the app, or the app itself for any other path, since its routes are deep links.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, &Error{Status: 405, Code: "MethodNotAllowed", Message: r.Method + " is not served at " + r.URL.Path + "."})
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	f, ok := a.files[name]
	switch {
	case ok && strings.HasPrefix(name, "assets/"):
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // names carry a hash of the content
	case strings.HasPrefix(name, "assets/"):
		writeError(w, &Error{Status: 404, Code: "PathNotFound", Message: "There is no file " + r.URL.Path + ": reload the page, it may be of an older build."})
		return
	case !ok:
		if f, ok = a.files["index.html"]; !ok {
			notBuilt(w)
			return
		}
		fallthrough
	default:
		w.Header().Set("Cache-Control", "no-cache")
	}
	w.Header().Set("Content-Type", f.ctype)
	body := f.body
	if f.gzipped {
		w.Header().Set("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
		} else {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				body, err = io.ReadAll(z)
			}
			if err != nil {
				writeError(w, &Error{Status: 500, Code: "InternalError", Message: "The embedded file " + name + " is damaged: build picket again."})
				return
			}
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

// acceptsGzip reads Accept-Encoding, minding q=0 (RFC 9110, 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding != "gzip" && coding != "*" {
			continue
		}
		q := strings.TrimSpace(params)
		return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
	}
	return false
}

var notBuiltPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>picket</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}code{background:#eee;padding:.1em .3em}</style>
<h1>picket is running</h1>
<p>The API, the query language and the command line work. The page does not: the app was not built into this program.</p>
<p>Run <code>make web</code> and build again, or use <code>make</code>, which does both.</p>
</html>
`))

func notBuilt(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = notBuiltPage.Execute(w, nil)
}
