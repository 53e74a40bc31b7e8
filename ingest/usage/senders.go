package usage

import (
	"context"
	"net"
	"net/http"
	"picket/ingest"
	"slices"
	"strings"
	"time"
)

// Sender is one that brought data, or tried to.
type Sender struct {
	Protocol  string    `json:"protocol"`
	Address   string    `json:"address"`
	Agent     string    `json:"agent"`
	Principal string    `json:"principal"`
	Computer  string    `json:"computer"`
	First     time.Time `json:"first"` // of its records and errors
	Last      time.Time `json:"last"`
	Rows      int64     `json:"rows"`
	Bytes     int64     `json:"bytes"`
	Errors    int64     `json:"errors"` // requests that were refused
	LastError string    `json:"lastError"`
	ErrorAt   time.Time `json:"errorAt,omitzero"`
	Tables    []string  `json:"tables"` // the first 50
}

const (
	maxAgent  = 200
	maxTables = 50
	maxReason = 300
)

func keyOf(s *ingest.Sender) string {
	return strings.Join([]string{s.Protocol, s.Address, s.Agent, s.Principal, s.Computer}, "\x00")
}

// sender finds a sender's entry or makes it. r.mu is held.
func (r *Recorder) sender(s ingest.Sender, now time.Time) *Sender {
	s.Agent = s.Agent[:min(len(s.Agent), maxAgent)]
	s.Agent = strings.ToValidUTF8(s.Agent, "")
	k := keyOf(&s)
	e := r.senders[k]
	if e == nil {
		if len(r.senders) >= maxSenders {
			r.forget()
		}
		e = &Sender{Protocol: s.Protocol, Address: s.Address, Agent: s.Agent, Principal: s.Principal, Computer: s.Computer, First: now.UTC(), Tables: []string{}}
		r.senders[k] = e
	}
	e.Last = now.UTC()
	r.changed[k] = true
	r.dirty = true
	return e
}

// forget drops a tenth of the senders: those that never brought a row, then those that were quiet the longest.
func (r *Recorder) forget() {
	type old struct {
		key string
		s   *Sender
	}
	all := make([]old, 0, len(r.senders))
	for k, s := range r.senders {
		all = append(all, old{k, s})
	}
	slices.SortFunc(all, func(a, b old) int {
		if (a.s.Rows == 0) != (b.s.Rows == 0) {
			if a.s.Rows == 0 {
				return -1
			}
			return 1
		}
		return a.s.Last.Compare(b.s.Last)
	})
	for _, o := range all[:max(1, len(all)/10)] {
		delete(r.senders, o.key)
		r.changed[o.key] = true
	}
}

// seen counts rows of a sender. r.mu is held.
func (r *Recorder) seen(s ingest.Sender, table string, rows int, bytes int64, now time.Time) {
	e := r.sender(s, now)
	e.Rows += int64(rows)
	e.Bytes += bytes
	if !slices.Contains(e.Tables, table) && len(e.Tables) < maxTables {
		e.Tables = append(e.Tables, table)
	}
	c := s.Computer
	if c == "" {
		c = s.Address
	}
	if c == "" || s.Protocol == "import" {
		return
	}
	if _, ok := r.computers[c]; ok || len(r.computers) < maxComputers {
		r.computers[c] = beat{s.Address, s.Protocol}
	}
}

// Seen counts rows that a sender brought and that were stored without the sender in their context: of many senders at
// once, as syslog does.
func (r *Recorder) Seen(s ingest.Sender, table string, rows int, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen(s, table, rows, bytes, r.o.Now())
}

// Refused counts a request of the context's sender that was refused.
func (r *Recorder) Refused(ctx context.Context, reason string) {
	s, ok := ingest.SenderOf(ctx)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.o.Now()
	e := r.sender(s, now)
	e.Errors++
	e.LastError, e.ErrorAt = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], ""), now.UTC()
}

// Senders gives every sender that was seen, the latest first.
func (r *Recorder) Senders() []Sender {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Sender, 0, len(r.senders))
	for _, s := range r.senders {
		c := *s
		c.Tables = slices.Clone(s.Tables)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Sender) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return strings.Compare(a.Protocol+a.Address+a.Computer+a.Agent, b.Protocol+b.Address+b.Computer+b.Agent)
	})
	return out
}

// Protocol is the protocol of a request that brings data, "" of any other.
func Protocol(r *http.Request) string {
	path := strings.ToLower(r.URL.Path)
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		return ""
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		return "otlp-grpc"
	case path == "/api/logs":
		return "collector"
	case strings.HasPrefix(path, "/datacollectionrules/") && strings.Contains(path, "/streams/"):
		return "logs-ingestion"
	case strings.HasSuffix(path, "/_bulk"):
		return "_bulk"
	case path == "/services/collector", strings.HasPrefix(path, "/services/collector/"):
		return "splunk"
	case path == "/v1/logs":
		return "otlp-http"
	}
	return ""
}

// Handler gives requests that bring data their sender, and counts those that are refused. Everything else passes as it
// is. Who checks the credential may name its principal with ingest.SetPrincipal.
func (r *Recorder) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		proto := Protocol(q)
		if proto == "" {
			next.ServeHTTP(w, q)
			return
		}
		host, _, err := net.SplitHostPort(q.RemoteAddr)
		if err != nil {
			host = q.RemoteAddr
		}
		ctx := ingest.WithSender(q.Context(), ingest.Sender{Protocol: proto, Address: host, Agent: q.UserAgent()})
		q = q.WithContext(ctx)
		if proto == "otlp-grpc" { // its answer's status is in a trailer: package otlp tells of it
			next.ServeHTTP(w, q)
			return
		}
		s := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(s, q)
		if s.status >= 400 {
			r.Refused(ctx, http.StatusText(s.status)+": "+string(s.body))
		}
	})
}

// statusWriter notes the status of an answer, and of a refusal how its text begins.
type statusWriter struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.status >= 400 && len(w.body) < maxReason {
		w.body = append(w.body, b[:min(len(b), maxReason-len(w.body))]...)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
