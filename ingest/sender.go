package ingest

import (
	"context"
	"sync"
)

// Sender says who brings data. What is not known is "".
type Sender struct {
	Protocol  string // "collector", "logs-ingestion", "_bulk", "splunk", "otlp-http", "otlp-grpc", "syslog-udp", "import", …
	Address   string // IP address
	Agent     string // User-Agent, or its like
	Principal string // who the credential belongs to
	Computer  string // the host that the records are about, when the protocol says so
}

type senderKey struct{}

// held is a context's sender; its principal becomes known only after the context was made.
type held struct {
	mu sync.Mutex
	s  Sender
}

// WithSender gives a context that says who brings the data that are stored under it.
func WithSender(ctx context.Context, s Sender) context.Context {
	return context.WithValue(ctx, senderKey{}, &held{s: s})
}

// SenderOf gives the context's sender; false when it has none.
func SenderOf(ctx context.Context) (Sender, bool) {
	h, ok := ctx.Value(senderKey{}).(*held)
	if !ok {
		return Sender{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.s, true
}

// SetPrincipal notes the name of the principal of the context's sender once its credential has been checked. Without a
// sender it does nothing.
func SetPrincipal(ctx context.Context, name string) {
	if h, ok := ctx.Value(senderKey{}).(*held); ok {
		h.mu.Lock()
		h.s.Principal = name
		h.mu.Unlock()
	}
}
