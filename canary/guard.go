package canary

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

// GuardError says that a webhook's address is one that picket does not call.
type GuardError struct {
	Host string
	IP   netip.Addr
	Why  string
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("%s is the %s address %s, which webhooks do not go to; if it is meant, list the host or its range in the setting outbound", e.Host, e.Why, e.IP)
}

// special ranges that nobody's public webhook lives in.
var special = []struct {
	p   netip.Prefix
	why string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("100.64.0.0/10"), "carrier-internal"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmark"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("168.63.129.16/32"), "metadata"},
	{netip.MustParsePrefix("64:ff9b::/96"), "translated"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "translated"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("2001::/32"), "Teredo"},
}

// refusal names what is wrong with calling a, or "".
func refusal(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !a.IsValid() || a.IsUnspecified():
		return "unspecified"
	case a.IsLoopback():
		return "loopback"
	case a.IsPrivate():
		return "private"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast():
		return "multicast"
	}
	for _, s := range special {
		if s.p.Contains(a) {
			return s.why
		}
	}
	return ""
}

// guard says which addresses webhooks may go to.
type guard struct {
	allow []netip.Prefix
	hosts []string // host, *.host or host:port
	only  bool     // nothing that is not listed

	mu sync.Mutex
	ok map[string]time.Time // hosts that were looked up and may be called: when
}

func newGuard(allow []netip.Prefix, hosts []string, only bool) *guard {
	g := &guard{allow: allow, only: only, ok: map[string]time.Time{}}
	for _, h := range hosts {
		g.hosts = append(g.hosts, bareHost(h))
	}
	return g
}

func bareHost(h string) string { return strings.ToLower(strings.TrimSuffix(h, ".")) }

// named says whether the host is listed by its name.
func (g *guard) named(host, port string) bool {
	host = bareHost(host)
	for _, h := range g.hosts {
		if suffix, wild := strings.CutPrefix(h, "*"); wild && strings.HasSuffix(host, suffix) || h == host || h == net.JoinHostPort(host, port) {
			return true
		}
	}
	return false
}

// check says why an address that host led to is not called, or nil.
func (g *guard) check(host string, a netip.Addr) error {
	a = a.Unmap().WithZone("")
	why := refusal(a)
	if why == "" && g.only {
		why = "unlisted"
	}
	if why == "" {
		return nil
	}
	for _, p := range g.allow {
		if p.Contains(a) {
			return nil
		}
	}
	return &GuardError{Host: host, IP: a, Why: why}
}

const (
	lookUp   = 2 * time.Second  // a name is looked up so long at most before a webhook is saved
	lookedUp = 30 * time.Second // and not again so soon: thousands of tokens may be made at once
)

// precheck says already when a webhook is saved what the guard would say to a call. A name that can't be
// resolved now passes: the guard looks at each call again, at the address that is dialled.
func (g *guard) precheck(ctx context.Context, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if g.named(host, port) {
		return nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return g.check(host, a)
	}
	if b := bareHost(host); b == "localhost" || strings.HasSuffix(b, ".localhost") {
		return g.check(host, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	g.mu.Lock()
	fresh := time.Since(g.ok[host]) < lookedUp
	g.mu.Unlock()
	if fresh {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUp)
	defer cancel()
	as, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil // as said above
	}
	for _, a := range as {
		if err := g.check(host, a); err != nil {
			return err
		}
	}
	g.mu.Lock()
	if len(g.ok) >= 1000 {
		clear(g.ok)
	}
	g.ok[host] = time.Now()
	g.mu.Unlock()
	return nil
}

// client calls public addresses and the allowed ones. The check is made on the address that is dialled, after
// name resolution; redirects are not followed.
func (g *guard) client() *http.Client {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: 5 * time.Second}
		if !g.named(host, port) {
			d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(address)
				if err != nil {
					return fmt.Errorf("address %q: %w", address, err)
				}
				return g.check(host, ap.Addr())
			}
		}
		return d.DialContext(ctx, network, addr)
	}
	return &http.Client{
		Timeout:       15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dial, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			MaxIdleConns: 32, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
	}
}
