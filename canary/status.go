package canary

import (
	"context"
	"fmt"
	"picket/canary/geo"
	"picket/canary/trip"
	"time"
)

// Status says how the room is doing.
type Status struct {
	Tokens   int         // that aren't deleted
	Pending  int         // notifications that wait
	Dead     int         // notifications that were given up
	Oldest   time.Time   // when the oldest waiting notification was made; zero if none waits
	Trips    *trip.Stats // of the trip log; nil where this process has none
	Behind   bool        // recorded trips wait for their rows
	Geo      *geo.Status // nil without geo data
	MailOff  bool        // notifications by mail wait because no server is configured
	TripURL  string
	DNSZone  string
	NoOrigin bool // no public URL is set: links in notifications lead nowhere
}

// Status returns the room's state.
func (s *Service) Status(ctx context.Context) (Status, error) {
	st := Status{TripURL: s.d.TripURL, DNSZone: s.d.DNSDomain, NoOrigin: s.d.PublicURL == ""}
	s.mu.RLock()
	st.Tokens = len(s.ids)
	s.mu.RUnlock()
	var oldest *int64
	var mails int
	err := s.d.State.QueryRow(ctx, `SELECT coalesce(sum(status='pending'),0), coalesce(sum(status='dead'),0), min(CASE WHEN status='pending' THEN created_at END),
coalesce(sum(status='pending' AND kind='mail'),0) FROM canary_outbox WHERE status<>'done'`).Scan(&st.Pending, &st.Dead, &oldest, &mails)
	if err != nil {
		return st, fmt.Errorf("canary: status: %w", err)
	}
	if oldest != nil {
		st.Oldest = time.UnixMicro(*oldest).UTC()
	}
	st.MailOff = mails > 0 && s.d.SMTP == nil
	if s.d.Trips != nil {
		x := s.d.Trips.Stats()
		st.Trips = &x
		if p := s.tailed.Load(); p != nil {
			d := s.d.Trips.Durable()
			st.Behind = d.File > p.File || d.File == p.File && d.Offset > p.Offset
		}
	}
	if s.d.Geo != nil {
		g := s.d.Geo.Status()
		st.Geo = &g
	}
	return st, nil
}
