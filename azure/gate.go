package azure

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Limits of the query APIs; zero values are the service's.
type Limits struct {
	Concurrent int           // questions of one principal that run at once; default 5
	Queued     int           // questions of one principal that wait; default 200
	QueueWait  time.Duration // how long one waits before it is refused; default 3 minutes
	PerWindow  int           // questions of one principal in 30 seconds; 0 is without limit (the service has 200)
}

const window = 30 * time.Second

// gate lets each principal run a few questions at once and wait with some more.
type gate struct {
	l Limits

	mu    sync.Mutex
	lines map[string]*line
	asked map[string][]time.Time // of the last window, oldest first; nothing is kept without PerWindow
}

// line is one principal's; gate.mu guards its counts.
type line struct {
	slots chan struct{}
	users int // running and waiting
}

func newGate(l Limits) *gate {
	if l.Concurrent <= 0 {
		l.Concurrent = 5
	}
	if l.Queued <= 0 {
		l.Queued = 200
	}
	if l.QueueWait <= 0 {
		l.QueueWait = 3 * time.Minute
	}
	return &gate{l: l, lines: map[string]*line{}, asked: map[string][]time.Time{}}
}

// enter waits for a turn of who. The error is a 429 that says what is exceeded.
func (g *gate) enter(ctx context.Context, who string) (leave func(), e *Error) {
	g.mu.Lock()
	if !g.count(who, time.Now()) {
		g.mu.Unlock()
		return nil, &Error{Status: 429, Code: "ThrottledError", Message: fmt.Sprintf("This principal asked %d queries in %s, the most there may be: send it again later.", g.l.PerWindow, window)}
	}
	ln := g.lines[who]
	if ln == nil {
		ln = &line{slots: make(chan struct{}, g.l.Concurrent)}
		g.lines[who] = ln
	}
	if ln.users >= g.l.Concurrent+g.l.Queued {
		g.mu.Unlock()
		return nil, &Error{Status: 429, Code: "ThrottledError", Message: fmt.Sprintf("%d queries of this principal run and %d wait, the most there may be: send it again later.", g.l.Concurrent, g.l.Queued)}
	}
	ln.users++
	g.mu.Unlock()
	gone := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if ln.users--; ln.users == 0 {
			delete(g.lines, who)
		}
	}
	t := time.NewTimer(g.l.QueueWait)
	defer t.Stop()
	select {
	case ln.slots <- struct{}{}:
		return func() { <-ln.slots; gone() }, nil
	case <-t.C:
		gone()
		return nil, &Error{Status: 429, Code: "ThrottledError", Message: fmt.Sprintf("The query waited %s for one of this principal's %d turns: send it again later.", g.l.QueueWait, g.l.Concurrent)}
	case <-ctx.Done():
		gone()
		return nil, &Error{Status: 499, Code: "ClientClosedRequest", Message: "The client went away while its query waited."}
	}
}

// count notes a question and reports whether who may ask it; mu is held.
func (g *gate) count(who string, now time.Time) bool {
	if g.l.PerWindow <= 0 {
		return true
	}
	old := g.asked[who]
	for len(old) > 0 && now.Sub(old[0]) > window {
		old = old[1:]
	}
	if len(old) >= g.l.PerWindow {
		g.asked[who] = old
		return false
	}
	g.asked[who] = append(old, now)
	if len(g.asked) > 1000 { // principals that ask no more
		for k, v := range g.asked {
			if now.Sub(v[len(v)-1]) > window {
				delete(g.asked, k)
			}
		}
	}
	return true
}

// retryAfter tells a throttled client when to come back.
func retryAfter(w http.ResponseWriter, status int) {
	if status == 429 || status == 503 {
		w.Header().Set("Retry-After", "5")
	}
}
