package web

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Throttling of sign-in. After a key's free failures each further one closes the door for twice as long, from
// a second up to maxWait. Three keys count: an account from one address (few free), an address (more: many
// people may share it), an account from anywhere (most: a stranger must not lock its owner out easily).
const (
	freePair, freePeer, freeName = 5, 20, 50

	firstWait = time.Second
	maxWait   = 15 * time.Minute
	forget    = time.Hour
	maxKeys   = 20000
)

type tries struct {
	failed int
	last   time.Time
	until  time.Time
}

type throttle struct {
	mu   sync.Mutex
	now  func() time.Time
	seen map[string]*tries
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, seen: map[string]*tries{}}
}

// wait says how long the keys must still wait; 0 lets them try.
func (t *throttle) wait(keys ...string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var w time.Duration
	for _, k := range keys {
		if e := t.seen[k]; e != nil {
			w = max(w, e.until.Sub(now))
		}
	}
	return max(w, 0)
}

// throttleKeys are an attempt's keys: the pair first.
func throttleKeys(name, peer string) []string {
	name = strings.ToLower(name)
	return []string{"pair:" + name + "\x00" + peer, "peer:" + peer, "name:" + name}
}

func freeTries(key string) int {
	switch key[:5] {
	case "pair:":
		return freePair
	case "peer:":
		return freePeer
	}
	return freeName
}

func (t *throttle) failed(keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.seen) >= maxKeys {
		for k, e := range t.seen {
			if now.Sub(e.last) > forget || (len(t.seen) >= maxKeys && e.failed < freeTries(k)) {
				delete(t.seen, k)
			}
		}
	}
	for _, k := range keys {
		e := t.seen[k]
		if e == nil || now.Sub(e.last) > forget {
			if e == nil && len(t.seen) >= maxKeys {
				continue // full of attackers: keys that are there already still count
			}
			e = &tries{}
			t.seen[k] = e
		}
		e.failed++
		e.last = now
		if over := e.failed - freeTries(k); over >= 0 {
			e.until = now.Add(min(firstWait<<min(over, 20), maxWait))
		}
	}
}

func (t *throttle) succeeded(keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		delete(t.seen, k)
	}
}

// peer is the client's address: the socket's, or behind trusted proxies the first address from the right of
// X-Forwarded-For that is no trusted proxy.
func (s *Server) peer(r *http.Request) string {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := ap.Addr().Unmap()
	trusted := func(a netip.Addr) bool {
		for _, p := range s.d.TrustedProxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	if addr.Is6() {
		p, _ := addr.Prefix(64) // one customer has a /64
		return p.Masked().Addr().String()
	}
	return addr.String()
}
