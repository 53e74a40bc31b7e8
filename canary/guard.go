package canary

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
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
	return fmt.Sprintf("%s is the %s address %s: refused; put its range (or the host name) on the list of allowed webhook targets if it is meant", e.Host, e.Why, e.IP)
}

// special ranges that nobody's public webhook lives in.
var special = []struct {
	p   netip.Prefix
	why string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"}, {netip.MustParsePrefix("100.64.0.0/10"), "carrier-internal"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"}, {netip.MustParsePrefix("198.18.0.0/15"), "benchmark"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"}, {netip.MustParsePrefix("64:ff9b::/96"), "translated"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "translated"}, {netip.MustParsePrefix("2002::/16"), "6to4"}, {netip.MustParsePrefix("2001::/32"), "Teredo"},
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

// guardedClient calls public addresses and the allowed ones. The check is made on the address that is dialled,
// after name resolution; redirects are not followed.
func guardedClient(allow []netip.Prefix, hosts []string) *http.Client {
	named := map[string]bool{}
	for _, h := range hosts {
		named[strings.ToLower(strings.TrimSuffix(h, "."))] = true
	}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: 5 * time.Second}
		if !named[strings.ToLower(strings.TrimSuffix(host, "."))] {
			d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(address)
				if err != nil {
					return fmt.Errorf("address %q: %w", address, err)
				}
				a := ap.Addr().Unmap().WithZone("")
				why := refusal(a)
				if why == "" {
					return nil
				}
				for _, p := range allow {
					if p.Contains(a) {
						return nil
					}
				}
				return &GuardError{Host: host, IP: a, Why: why}
			}
		}
		return d.DialContext(ctx, network, addr)
	}
	return &http.Client{
		Timeout:       15 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dial, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			MaxIdleConns: 32, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true},
	}
}
