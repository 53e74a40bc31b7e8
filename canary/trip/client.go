package trip

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxForwarded bounds how many hops of X-Forwarded-For are looked at and kept.
const maxForwarded = 20

// ClientIP is the address of who sent a request: the socket's, or behind trusted proxies the first hop of
// X-Forwarded-For from the right that is none of them.
func ClientIP(r *http.Request, trusted []netip.Prefix) string {
	src, _, _, _ := clientIP(r, trusted)
	return src
}

// clientIP says who called: the socket peer, unless the peer is a trusted proxy; then the hops of
// X-Forwarded-For are read from the right, for as long as they are trusted proxies themselves. hops are the
// header's entries as sent (at most maxForwarded, the rightmost).
func clientIP(r *http.Request, trusted []netip.Prefix) (src, peer string, port int, hops []string) {
	a, p := splitAddr(r.RemoteAddr)
	peer, port = a.String(), p
	if !a.IsValid() {
		peer = r.RemoteAddr
	}
	for _, h := range r.Header.Values("X-Forwarded-For") {
		for _, s := range strings.Split(h, ",") {
			if s = strings.TrimSpace(s); s != "" {
				if len(s) > 64 {
					s = s[:64]
				}
				hops = append(hops, s)
			}
		}
	}
	if len(hops) > maxForwarded {
		hops = hops[len(hops)-maxForwarded:]
	}
	cur := a
	for i := len(hops) - 1; i >= 0 && contains(trusted, cur); i-- {
		h, ok := parseHop(hops[i])
		if !ok {
			break // a trusted proxy wrote something that isn't an address: its own address is all we know
		}
		cur = h
	}
	if !cur.IsValid() {
		return peer, peer, port, hops
	}
	return cur.String(), peer, port, hops
}

func contains(ps []netip.Prefix, a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func splitAddr(s string) (netip.Addr, int) {
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}, 0
	}
	return ap.Addr().Unmap().WithZone(""), int(ap.Port())
}

// parseHop reads one X-Forwarded-For entry: an address, with a port or brackets or not.
func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if h, _, err := net.SplitHostPort(s); err == nil {
		if a, err := netip.ParseAddr(h); err == nil {
			return a.Unmap().WithZone(""), true
		}
	}
	return netip.Addr{}, false
}
