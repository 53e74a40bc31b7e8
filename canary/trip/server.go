package trip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// IDLen is the length of a token id: characters 0-9 and a-z.
const IDLen = 25

// Options configure a [Server]. Log and Known are required.
type Options struct {
	Log   *Log
	Known func(id string) bool // is this a token (live, disabled or expired)? Called for every candidate; must be fast

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	BodyKeep       int            // bytes of a request body that are kept (default 64 KiB)
	BodyRead       int64          // bytes of a request body that are read at all (default 1 MiB)
	HeaderKeep     int            // bytes of request headers that are kept (default 16 KiB)
	MaxConns       int            // open connections per listener (default 4096)
	PerSource      Rate           // full records per source address (default 200/s, burst 2000)
	PerToken       Rate           // full records per token (default 500/s, burst 5000)
	ServerHeader   string         // the Server header of every answer ("" for none)

	Domain  string       // DNS zone of dns tokens, "t.example.org"; empty: DNS queries are refused
	A, AAAA []netip.Addr // what names in the zone resolve to
	NS      string       // name server name in SOA and NS answers (default "ns1." + Domain)

	Now    func() time.Time
	Logger *slog.Logger
}

// Server answers and records calls. It has no state besides its limits and the log.
type Server struct {
	opt               Options
	bySource, byToken *buckets
}

// NewServer checks the options.
func NewServer(o Options) (*Server, error) {
	if o.Log == nil || o.Known == nil {
		return nil, errors.New("trip server: Log and Known are required")
	}
	if o.BodyKeep <= 0 {
		o.BodyKeep = 64 << 10
	}
	if o.BodyRead <= 0 {
		o.BodyRead = 1 << 20
	}
	if o.HeaderKeep <= 0 {
		o.HeaderKeep = 16 << 10
	}
	if o.BodyKeep > 256<<10 || o.HeaderKeep > 128<<10 {
		return nil, fmt.Errorf("trip server: BodyKeep %d or HeaderKeep %d is too large for a log record (limits 262144 and 131072)", o.BodyKeep, o.HeaderKeep)
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 4096
	}
	if o.PerSource == (Rate{}) {
		o.PerSource = Rate{200, 2000}
	}
	if o.PerToken == (Rate{}) {
		o.PerToken = Rate{500, 5000}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Domain = strings.ToLower(strings.Trim(o.Domain, "."))
	for _, a := range o.A {
		if !a.Unmap().Is4() {
			return nil, fmt.Errorf("trip server: A address %s is not IPv4", a)
		}
	}
	for _, a := range o.AAAA {
		if !a.Is6() || a.Is4In6() {
			return nil, fmt.Errorf("trip server: AAAA address %s is not IPv6", a)
		}
	}
	if o.NS == "" && o.Domain != "" {
		o.NS = "ns1." + o.Domain
	}
	return &Server{opt: o, bySource: newBuckets(o.PerSource, o.Now), byToken: newBuckets(o.PerToken, o.Now)}, nil
}

// maxCandidates bounds how many look-ups one call can cost.
const maxCandidates = 8

// find returns the first known token id among the texts: a run of exactly 25 letters and digits, case ignored.
func (s *Server) find(texts ...string) string {
	tries := 0
	for _, t := range texts {
		for i := 0; i < len(t); {
			j := i
			for j < len(t) && isAlnum(t[j]) {
				j++
			}
			if j-i == IDLen {
				id := strings.ToLower(t[i:j])
				if tries++; tries > maxCandidates {
					return ""
				}
				if s.opt.Known(id) {
					return id
				}
			}
			i = j + 1
		}
	}
	return ""
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// limited names the limit that a call of this token from this source is over, or "".
func (s *Server) limited(token, src string) string {
	okSrc, okTok := s.bySource.take(sourceKey(src)), s.byToken.take(token)
	switch {
	case !okSrc:
		return "source"
	case !okTok:
		return "token"
	}
	return ""
}
