package playbook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// guard is the one way out: every request of a workflow goes through it, each redirect too.
type guard struct {
	only    bool
	names   []hostRule
	nets    []netip.Prefix
	hosts   map[string]http.Handler
	log     *slog.Logger
	refused func(host, why string)
	own     func(req *http.Request) (http.Handler, bool) // this host's own callback URLs
}

type hostRule struct{ host, port string }

// refusal is an error that is never retried.
type refusal struct{ msg string }

func (r *refusal) Error() string { return r.msg }

func newGuard(o Outbound, log *slog.Logger) (*guard, error) {
	g := &guard{only: o.Only, hosts: map[string]http.Handler{"canarytokens.org": nil, "www.canarytokens.org": nil, "ip-api.com": nil}, log: log, refused: o.Refused}
	for h, f := range o.Hosts {
		g.hosts[strings.ToLower(h)] = f
	}
	if f := g.hosts["canarytokens.org"]; f != nil && g.hosts["www.canarytokens.org"] == nil {
		g.hosts["www.canarytokens.org"] = f
	}
	for _, a := range o.Allow {
		a = strings.ToLower(strings.TrimSpace(a))
		if a == "" {
			continue
		}
		if p, err := netip.ParsePrefix(a); err == nil {
			g.nets = append(g.nets, p.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(strings.Trim(a, "[]")); err == nil {
			g.nets = append(g.nets, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			host, port = a, ""
		}
		if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil || strings.ContainsAny(host, "/ @") || strings.Contains(strings.TrimPrefix(host, "*."), "*") {
			return nil, fmt.Errorf("playbook: the allow-list entry %q is neither a host, *.host, host:port nor a CIDR", a)
		}
		g.names = append(g.names, hostRule{host, port})
	}
	return g, nil
}

func (g *guard) listed(host, port string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, r := range g.names {
		if r.port != "" && r.port != port {
			continue
		}
		if suffix, wild := strings.CutPrefix(r.host, "*"); wild && strings.HasSuffix(host, suffix) || r.host == host {
			return true
		}
	}
	return false
}

func (g *guard) netListed(ip netip.Addr) bool {
	for _, n := range g.nets {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("168.63.129.16/32"),
	netip.MustParsePrefix("::/128"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// inward names the kind of an address that a workflow may not reach unless it is listed; "" for public ones.
func inward(ip netip.Addr) string {
	ip = ip.Unmap()
	switch {
	case ip.IsLoopback():
		return "loopback"
	case ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast():
		return "link-local (cloud metadata included)"
	case ip.IsPrivate():
		return "private"
	case ip.IsMulticast():
		return "multicast"
	case ip.IsUnspecified():
		return "unspecified"
	}
	for _, p := range special {
		if p.Contains(ip) {
			return "special-purpose"
		}
	}
	return ""
}

func (g *guard) refuse(host, why string) error {
	if g.refused != nil {
		g.refused(host, why)
	}
	g.log.Warn("playbook: outbound request refused", "host", host, "why", why)
	return &refusal{fmt.Sprintf("The request to '%s' is refused: %s.", host, why)}
}

type listedKey struct{}

func (g *guard) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	listed, _ := ctx.Value(listedKey{}).(bool)
	host, _, _ := net.SplitHostPort(addr)
	var why error
	d := &net.Dialer{Timeout: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := ap.Addr().Unmap()
		if listed || g.netListed(ip) {
			return nil
		}
		if kind := inward(ip); kind != "" {
			why = g.refuse(host, fmt.Sprintf("it leads to the %s address %s, which is not on the allow-list of outbound hosts", kind, ip))
			return why
		}
		if g.only {
			why = g.refuse(host, "neither it nor its address is on the allow-list of outbound hosts")
			return why
		}
		return nil
	}}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil && why != nil {
		return nil, why
	}
	return c, err
}

// transport makes the round tripper of one client.
func (g *guard) transport(cert *tls.Certificate) *guarded {
	t := &http.Transport{
		DialContext: g.dial, TLSHandshakeTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 1 << 20,
	}
	if cert != nil {
		t.TLSClientConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	return &guarded{g, t}
}

type guarded struct {
	g *guard
	t *http.Transport
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

func (t *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	g, u := t.g, req.URL
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, g.refuse(host, fmt.Sprintf("the scheme %q is neither http nor https", u.Scheme))
	}
	if g.own != nil {
		if h, ok := g.own(req); ok {
			g.log.Debug("playbook: own callback URL delivered in process", "host", host)
			return serveInProcess(h, req)
		}
	}
	if h, mapped := g.hosts[host]; mapped {
		if h == nil {
			return nil, g.refuse(host, "the host is mapped to this picket and nothing answers for it here; give the host map a handler for it")
		}
		g.log.Info("playbook: outbound request answered in process", "host", host)
		return serveInProcess(h, req)
	}
	listed := g.listed(host, portOf(u))
	if g.only && !listed && len(g.nets) == 0 {
		return nil, g.refuse(host, "it is not on the allow-list of outbound hosts")
	}
	resp, err := t.t.RoundTrip(req.WithContext(context.WithValue(req.Context(), listedKey{}, listed)))
	if err == nil { // a refused dial has its own line
		g.log.Info("playbook: outbound request answered", "method", req.Method, "host", host, "status", resp.StatusCode)
	}
	return resp, err
}

// do sends a request, following redirects through the guard, and reads the answer up to the message limit.
func (g *guard) do(req *http.Request, cert *tls.Certificate, follow bool) (*http.Response, []byte, error) {
	t := g.transport(cert)
	defer t.t.CloseIdleConnections()
	c := &http.Client{Transport: t, Timeout: requestTimeout}
	c.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if !follow {
			return http.ErrUseLastResponse
		}
		if len(via) >= 10 {
			return errors.New("more than 10 redirects")
		}
		return nil
	}
	resp, err := c.Do(req)
	if err != nil {
		var no *refusal
		if errors.As(err, &no) {
			return nil, nil, no
		}
		var ue *url.Error // its text repeats the URL, which may hold secrets
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxMessage+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > MaxMessage {
		return nil, nil, &refusal{fmt.Sprintf("the answer is larger than %d bytes", MaxMessage)}
	}
	return resp, body, nil
}

// requestTimeout is how long an outbound request may take (limits page).
const requestTimeout = 120 * time.Second

// memoryWriter keeps what a handler writes.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
	over   bool // it wrote more than a message may have
}

func (w *memoryWriter) Header() http.Header { return w.header }
func (w *memoryWriter) WriteHeader(s int) {
	if w.status == 0 && s >= 200 {
		w.status = s
	}
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.WriteHeader(200)
	if w.body.Len()+len(b) > MaxMessage {
		w.over = true
		return 0, errors.New("the answer is larger than a message may be")
	}
	return w.body.Write(b)
}

// serveInProcess lets a handler answer a client's request.
func serveInProcess(h http.Handler, req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, fmt.Errorf("the handler of '%s' failed: %v", req.URL.Hostname(), p)
		}
	}()
	in := req.Clone(req.Context())
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	w := &memoryWriter{header: http.Header{}}
	h.ServeHTTP(w, in)
	w.WriteHeader(200)
	if w.over {
		return nil, &refusal{fmt.Sprintf("The answer of '%s' is larger than a message may be (%d bytes).", req.URL.Hostname(), MaxMessage)}
	}
	return &http.Response{
		StatusCode: w.status, Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(bytes.NewReader(w.body.Bytes())), ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}
