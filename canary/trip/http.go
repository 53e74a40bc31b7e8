package trip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// gif is a transparent picture of 1 × 1 pixels, the answer to everything.
var gif = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

// ServeHTTP serves trips on ln until ctx ends. Wrap ln in TLS for HTTPS.
func (s *Server) ServeHTTP(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opt.Logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(c) != nil {
			srv.Close()
		}
	})
	defer stop()
	err := srv.Serve(netutil.LimitListener(ln, s.opt.MaxConns))
	if errors.Is(err, http.ErrServerClosed) && ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("trip server: http: %w", err)
}

// Handler is the HTTP side: it records any method and path, and answers all of them alike.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.trip) }

func (s *Server) trip(w http.ResponseWriter, r *http.Request) {
	body, size, sum, cut := s.readBody(r)
	target := r.RequestURI
	if len(target) > 4096 {
		target, cut = target[:4096], true
	}
	token := s.find(r.URL.Path, r.Host, r.URL.RawQuery)
	var err error
	if token == "" {
		err = s.opt.Log.AppendNothing(r.Context())
	} else {
		rec := &Record{
			Time: s.opt.Now().UTC(), Token: token, Channel: ChannelHTTP,
			Method: short(r.Method, 32), Host: short(r.Host, 255), Path: target,
			UserAgent: short(r.UserAgent(), 1024), Referer: short(r.Referer(), 2048),
			Body: body, BodySize: size, BodySHA: sum, Truncated: cut,
		}
		rec.SrcIP, rec.Peer, rec.PeerPort, rec.Forwarded = clientIP(r, s.opt.TrustedProxies)
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			rec.Local = a.String()
		}
		s.headers(rec, r)
		err = s.opt.Log.append(r.Context(), rec, s.limited(token, rec.SrcIP))
	}
	if err != nil && r.Context().Err() == nil {
		s.opt.Logger.Error("trip not recorded", "err", err)
		// a closed connection, for known and unknown tokens alike: never an answer to a trip that isn't kept
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	if s.opt.ServerHeader != "" {
		h.Set("Server", s.opt.ServerHeader)
	}
	h.Set("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
	h.Set("Content-Type", "image/gif")
	h.Set("Allow", "GET, HEAD, OPTIONS, POST")
	h.Set("Content-Length", "43")
	if r.Method == http.MethodOptions {
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
		return
	}
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(gif) // the trip is kept; whether the picture arrives is the caller's affair
	}
}

// readBody reads at most BodyRead bytes and keeps BodyKeep of them.
func (s *Server) readBody(r *http.Request) (keep []byte, size int64, sum string, cut bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, 0, "", false
	}
	h := sha256.New()
	buf := make([]byte, 16<<10)
	for size < s.opt.BodyRead {
		n, err := r.Body.Read(buf[:min(int64(len(buf)), s.opt.BodyRead-size)])
		h.Write(buf[:n])
		if room := s.opt.BodyKeep - len(keep); room > 0 {
			keep = append(keep, buf[:min(n, room)]...)
		}
		size += int64(n)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				cut = true // broken off, or too slow: what came is kept
			}
			break
		}
	}
	if size == 0 {
		return nil, 0, "", cut
	}
	return keep, size, hex.EncodeToString(h.Sum(nil)), cut || size > int64(len(keep))
}

// secretHeaders have values that are nobody's business: the name and a short hash are kept.
var secretHeaders = map[string]bool{"Cookie": true, "Authorization": true, "Proxy-Authorization": true, "X-Api-Key": true, "X-Auth-Token": true}

// Redact replaces a secret value by its length and the first 32 bits of its SHA-256, enough to see that two
// calls carried the same one.
func Redact(v string) string {
	sum := sha256.Sum256([]byte(v))
	return fmt.Sprintf("[redacted: %d bytes, sha256 %s…]", len(v), hex.EncodeToString(sum[:4]))
}

func (s *Server) headers(rec *Record, r *http.Request) {
	names := make([]string, 0, len(r.Header))
	for n := range r.Header {
		names = append(names, n)
	}
	sort.Strings(names)
	left := s.opt.HeaderKeep
	add := func(out *[][2]string, n, v string) {
		if left -= len(n) + len(v); left < 0 {
			rec.Truncated = true
			return
		}
		*out = append(*out, [2]string{n, v})
	}
	for _, n := range names {
		for _, v := range r.Header[n] {
			if secretHeaders[n] {
				v = Redact(v)
			}
			add(&rec.Headers, n, v)
		}
	}
	q := r.URL.Query()
	names = names[:0]
	for n := range q {
		names = append(names, n)
	}
	sort.Strings(names)
	left = 8 << 10
	for _, n := range names {
		add(&rec.Args, n, strings.Join(q[n], ","))
	}
}

func short(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
