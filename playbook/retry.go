package playbook

import (
	"fmt"
	"math"
	"math/rand/v2"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strconv"
	"strings"
	"time"
)

// retryPolicy says how often a request that failed in passing is tried again.
type retryPolicy struct {
	count      int
	interval   time.Duration
	fixed      bool
	least, top time.Duration
}

var defaultRetry = retryPolicy{count: 4, interval: 7500 * time.Millisecond, least: 5 * time.Second, top: 45 * time.Second}

func parseRetry(o *expr.Object) (retryPolicy, error) {
	if o == nil {
		return defaultRetry, nil
	}
	typ, _ := o.Value("type").(string)
	p := retryPolicy{least: 5 * time.Second, top: 24 * time.Hour}
	switch strings.ToLower(typ) {
	case "", "default":
		return defaultRetry, nil
	case "none":
		return retryPolicy{}, nil
	case "fixed":
		p.fixed = true
	case "exponential":
	default:
		return p, fmt.Errorf("the retry policy '%s' is not one of default, none, fixed, exponential", typ)
	}
	n, err := expr.CallBuiltin("int", o.Value("count"))
	c, _ := n.(int64)
	if err != nil || c < 1 || c > 90 {
		return p, fmt.Errorf("the retry policy's 'count' must be from 1 to 90")
	}
	p.count = int(c)
	for _, f := range []struct {
		name string
		to   *time.Duration
	}{{"interval", &p.interval}, {"minimumInterval", &p.least}, {"maximumInterval", &p.top}} {
		s, ok := o.Value(f.name).(string)
		if !ok {
			continue
		}
		d, err := definition.ParseDuration(s)
		if err != nil {
			return p, fmt.Errorf("the retry policy's '%s': %w", f.name, err)
		}
		*f.to = d
	}
	if p.interval < 5*time.Second || p.interval > 24*time.Hour {
		return p, fmt.Errorf("the retry policy's 'interval' must be from PT5S to P1D")
	}
	return p, nil
}

// delay is the wait before retry n, from 1.
func (p retryPolicy) delay(n int) time.Duration {
	if p.fixed {
		return p.interval
	}
	lo := p.least
	if n > 1 {
		lo = max(lo, time.Duration(math.Pow(2, float64(n-2))*float64(p.interval)))
	}
	hi := min(time.Duration(math.Pow(2, float64(n-1))*float64(p.interval)), p.top)
	if hi <= lo {
		return min(lo, p.top)
	}
	return lo + rand.N(hi-lo)
}

func passing(status int) bool { return status == 408 || status == 429 || status >= 500 }

// retryAfter reads the header in seconds or as a date; zero when there is none.
func retryAfter(h *expr.Object, now time.Time) time.Duration {
	s, _ := h.Value("Retry-After").(string)
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n >= 0 {
		return min(time.Duration(n)*time.Second, 24*time.Hour)
	}
	if t, err := time.Parse(time.RFC1123, s); err == nil && t.After(now) {
		return min(t.Sub(now), 24*time.Hour)
	}
	return 0
}
