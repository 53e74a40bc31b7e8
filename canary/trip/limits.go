package trip

import (
	"net/netip"
	"sync"
	"time"
)

// Rate is a token bucket: Burst calls at once, PerSecond on average. The zero Rate takes the default.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// maxBuckets bounds the memory of a bucket table; beyond it, idle buckets are dropped.
const maxBuckets = 100_000

type buckets struct {
	rate Rate
	now  func() time.Time
	mu   sync.Mutex
	m    map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newBuckets(r Rate, now func() time.Time) *buckets {
	return &buckets{rate: r, now: now, m: map[string]*bucket{}}
}

// take says whether key may have one more full record now.
func (b *buckets) take(key string) bool {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.m[key]
	if k == nil {
		if len(b.m) >= maxBuckets {
			b.drop(now)
		}
		k = &bucket{left: b.rate.Burst, at: now}
		b.m[key] = k
	}
	if d := now.Sub(k.at).Seconds(); d > 0 {
		k.left = min(b.rate.Burst, k.left+d*b.rate.PerSecond)
		k.at = now
	}
	if k.left < 1 {
		return false
	}
	k.left--
	return true
}

// drop forgets buckets that are full again, or all of them when none is.
func (b *buckets) drop(now time.Time) {
	for key, k := range b.m {
		if k.left+now.Sub(k.at).Seconds()*b.rate.PerSecond >= b.rate.Burst {
			delete(b.m, key)
		}
	}
	if len(b.m) >= maxBuckets {
		clear(b.m)
	}
}

// sourceKey is what the per-source limit counts by: an IPv4 address, or an IPv6 /64.
func sourceKey(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	a = a.Unmap()
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return ip
	}
	return p.String()
}
