package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"picket/lake"
	"sync"
	"time"
)

// Resends gives requests of protocols that have no ids of their own one, so that a request that is sent again because
// its answer was lost stores nothing twice.
//
//   - A request with the header Idempotency-Key has that key, of its credential, for its id: remembered for
//     [lake.OpKeep].
//   - Any other is known by its content: the same bytes at the same path, from the same address with the same
//     credential, within the window, are one request. Beyond the window they are a new one, so that a sender whose
//     events carry no time can say the same thing again later.
//
// The ids lead to what is on disk, so they hold across a crash.
type Resends struct {
	append func(ctx context.Context, bs ...lake.Batch) (lake.Ack, error)
	now    func() time.Time
	window time.Duration
	begun  time.Time

	mu   sync.Mutex
	seen map[[32]byte]seenAt
}

type seenAt struct {
	id string
	at time.Time
}

// ResendWindow is how long the same content counts as the same request, when nothing else is set.
const ResendWindow = 10 * time.Minute

const (
	maxResends     = 200_000 // that are held in memory; the oldest go first, and then only the bucket's id holds
	maxIdempotency = 256     // bytes of the header
)

// NewResends makes one. window 0 is [ResendWindow]; a negative one switches the recognition by content off.
func (in *Ingest) NewResends(window time.Duration) *Resends {
	if window == 0 {
		window = ResendWindow
	}
	return &Resends{append: in.o.Lake.Append, now: in.o.Now, window: window, begun: in.o.Now(), seen: map[[32]byte]seenAt{}}
}

// ID gives the id of a request, "" when it has none: what its batches' OpIDs are to begin with. who stands for the
// credential. The error is an *[Error] of status 400, or the lake's.
func (s *Resends) ID(r *http.Request, who string, body []byte) (string, error) {
	if s == nil {
		return "", nil
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		if len(key) > maxIdempotency {
			return "", &Error{Code: "InvalidHeader", Status: 400, Message: fmt.Sprintf("the Idempotency-Key has %d bytes, the limit is %d", len(key), maxIdempotency)}
		}
		h := sha256.Sum256([]byte(who + "\x00" + r.URL.Path + "\x00" + key))
		return "key/" + hex.EncodeToString(h[:]), nil
	}
	if s.window < 0 {
		return "", nil
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	d := sha256.New()
	for _, part := range []string{who, host, r.URL.Path, r.URL.RawQuery} {
		_, _ = d.Write([]byte(part + "\x00")) // a hash takes everything
	}
	_, _ = d.Write(body)
	var sum [32]byte
	d.Sum(sum[:0])
	return s.byContent(r.Context(), sum)
}

func (s *Resends) byContent(ctx context.Context, sum [32]byte) (string, error) {
	now := s.now()
	bucket := now.UnixNano() / int64(s.window)
	id := func(b int64) string { return fmt.Sprintf("same/%d/%s", b, hex.EncodeToString(sum[:])) }
	s.mu.Lock()
	e, ok := s.seen[sum]
	s.mu.Unlock()
	if ok && now.Sub(e.at) < s.window && now.Sub(e.at) > -s.window {
		return e.id, nil
	}
	use := id(bucket)
	if now.Sub(s.begun) < s.window {
		// Before this start the request may have been stored under the last window's id: an empty batch of that id
		// says so, and takes the id for good when not.
		ack, err := s.append(ctx, lake.Batch{OpID: id(bucket - 1)})
		if err != nil {
			return "", fmt.Errorf("look whether the request came before: %w", err)
		}
		if ack.Repeated {
			use = id(bucket - 1)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.seen[sum]; ok && now.Sub(e.at) < s.window && now.Sub(e.at) > -s.window {
		return e.id, nil
	}
	if len(s.seen) >= maxResends {
		for k, e := range s.seen {
			if now.Sub(e.at) >= s.window {
				delete(s.seen, k)
			}
		}
		for k := range s.seen {
			if len(s.seen) < maxResends/2 {
				break
			}
			delete(s.seen, k)
		}
	}
	s.seen[sum] = seenAt{use, now}
	return use, nil
}
