package canary

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"picket/canary/trip"
	"picket/state"
	"strconv"
	"strings"
	"time"
)

// tailBatch is how many trips are committed at once at most.
const tailBatch = 2000

// Run tails the trip log and works off the outbox until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	done := make(chan error, 2)
	n := 1
	go func() { done <- s.runOutbox(ctx) }()
	if s.d.Trips != nil {
		n++
		go func() { done <- s.runTail(ctx) }()
	}
	var errs []error
	for range n {
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, trip.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Service) runTail(ctx context.Context) error {
	pos, err := s.committed(ctx)
	for wait := time.Second; err != nil; wait = min(2*wait, time.Minute) {
		s.d.Logger.Error("trips: committed position unknown; trying again", "err", err, "wait", wait)
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		pos, err = s.committed(ctx)
	}
	wait := time.Second
	swept := time.Time{}
	for {
		if err := s.d.Trips.Wait(ctx, pos); err != nil {
			return err
		}
		next, err := s.step(ctx, pos)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.d.Logger.Error("trips: not committed; trying again", "err", err, "wait", wait)
			if !sleep(ctx, wait) {
				return ctx.Err()
			}
			wait = min(2*wait, time.Minute)
			continue
		}
		wait, pos = time.Second, next
		if s.d.AppendTrips != nil && s.d.QueryTrips != nil && time.Since(swept) > time.Hour {
			swept = time.Now()
			if _, err := s.d.Trips.Remove(pos, s.d.Now().Add(-s.d.KeepLog)); err != nil {
				s.d.Logger.Error("trips: old log files", "err", err)
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func markOf(p trip.Position) Mark { return Mark{File: fmt.Sprintf("%016x", p.File), Offset: p.Offset} }

func (m Mark) position() (trip.Position, error) {
	n, err := strconv.ParseUint(m.File, 16, 64)
	if err != nil || m.Offset < 0 {
		return trip.Position{}, fmt.Errorf("canary: mark %q at %d is not one of the trip log", m.File, m.Offset)
	}
	return trip.Position{File: n, Offset: m.Offset}, nil
}

// committed is where reading goes on.
func (s *Service) committed(ctx context.Context) (trip.Position, error) {
	var p trip.Position
	if s.d.CommittedMarks == nil {
		var m Mark
		err := s.d.State.QueryRow(ctx, `SELECT file, off FROM canary_tail WHERE n=1`).Scan(&m.File, &m.Offset)
		if errors.Is(err, sql.ErrNoRows) {
			return p, nil
		}
		if err != nil {
			return p, fmt.Errorf("canary: tail: %w", err)
		}
		return m.position()
	}
	ms, err := s.d.CommittedMarks(ctx)
	if err != nil {
		return p, fmt.Errorf("canary: committed marks: %w", err)
	}
	for _, m := range ms {
		q, err := m.position()
		if err != nil {
			return p, err
		}
		if q.File > p.File || q.File == p.File && q.Offset > p.Offset {
			p = q
		}
	}
	return p, nil
}

// step takes the next batch from pos: decides what to tell (in the control store), then commits the rows. Both
// parts may run again after a crash: notification ids come from the log, and the rows' position is in their commit.
func (s *Service) step(ctx context.Context, pos trip.Position) (trip.Position, error) {
	es, next, damage, err := s.d.Trips.Read(pos, tailBatch)
	if err != nil {
		return pos, err
	}
	for _, d := range damage {
		s.d.Logger.Error("trip log is damaged: trips may be lost", "file", markOf(d.At).File, "offset", d.At.Offset, "bytes", d.Bytes)
	}
	if len(es) == 0 {
		s.tailed.Store(&next)
		if next != pos && s.d.AppendTrips == nil {
			return next, s.saveTail(ctx, next)
		}
		return next, nil
	}
	ts, err := s.enrich(ctx, es)
	if err != nil {
		return pos, err
	}
	told, err := s.decide(ctx, es, ts, next)
	if err != nil {
		return pos, err
	}
	if s.d.AppendTrips != nil {
		err = s.d.AppendTrips(ctx, TripFrame(ts), []Mark{markOf(next)})
	}
	if told { // with or without the rows: a lake that is down must not silence anybody
		s.wakeOutbox()
	}
	if err != nil {
		return pos, fmt.Errorf("canary: append trips: %w", err)
	}
	s.tailed.Store(&next)
	return next, nil
}

func (s *Service) saveTail(ctx context.Context, p trip.Position) error {
	m := markOf(p)
	return s.d.State.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO canary_tail(n, file, off) VALUES(1,?,?) ON CONFLICT(n) DO UPDATE SET file=excluded.file, off=excluded.off`, m.File, m.Offset)
		return err
	})
}

// enrich joins the records with their tokens and with what is known about the sources.
func (s *Service) enrich(ctx context.Context, es []trip.Entry) ([]Trip, error) {
	toks := map[string]*Token{}
	var global []netip.Prefix
	ignored := map[string][]netip.Prefix{}
	list, err := s.Ignored(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if p, err := netip.ParsePrefix(c); err == nil {
			global = append(global, p)
		}
	}
	ts := make([]Trip, len(es))
	for i := range es {
		t := &ts[i]
		t.Record = es[i].Record
		tok, seen := toks[t.Token]
		if !seen {
			g, err := s.Get(ctx, t.Token)
			switch {
			case err == nil:
				tok = &g
				for _, c := range g.Ignored {
					if p, err := netip.ParsePrefix(c); err == nil {
						ignored[t.Token] = append(ignored[t.Token], p)
					}
				}
			case !errors.Is(err, ErrNotFound):
				return nil, err
			}
			toks[t.Token] = tok
		}
		s.describe(t, tok, append(global[:len(global):len(global)], ignored[t.Token]...))
	}
	return ts, nil
}

// describe fills in the row's columns beside the record's own.
func (s *Service) describe(t *Trip, tok *Token, ignored []netip.Prefix) {
	src, _ := netip.ParseAddr(t.SrcIP)
	t.Geo, _ = s.d.Geo.Lookup(src)
	if tor, known := s.d.Geo.IsTor(src); known {
		t.IsTor = &tor
	}
	if t.SrcIsResolver = t.Channel == trip.ChannelDNS; t.SrcIsResolver {
		if v, ok := genericData(t.QueryName, t.Token); ok {
			t.Args = append(t.Args, [2]string{"generic_data", v})
		}
	}
	t.AlertStatus = AlertAlertable
	if tok == nil {
		t.AlertStatus = AlertDeleted
		return
	}
	t.Kind, t.FileName, t.Memo, t.Place, t.Owner, t.Tags = tok.Kind, tok.FileName, tok.Memo, tok.Place, tok.Owner, tok.Tags
	t.ExecutedOnHost = sameAddr(src, tok.Place.PublicIP) || sameAddr(src, tok.Place.PrivateIP)
	switch {
	case tok.Status == StatusDisabled:
		t.AlertStatus = AlertDisabled
	case !tok.Expires.IsZero() && t.Time.After(tok.Expires):
		t.AlertStatus = AlertExpired
	default:
		for _, p := range ignored {
			if p.Contains(src) {
				t.AlertStatus = AlertIgnored
			}
		}
	}
	t.LikelyBenign = benign(t)
}

func sameAddr(a netip.Addr, s string) bool {
	b, err := netip.ParseAddr(s)
	return err == nil && a.IsValid() && b.Unmap() == a
}

// crawlers are words in the user agents of programs that fetch every link they see, by what they are.
var crawlers = []struct{ word, why string }{
	{"slackbot", "link preview by Slack"},
	{"slack-imgproxy", "link preview by Slack"},
	{"discordbot", "link preview by Discord"},
	{"telegrambot", "link preview by Telegram"},
	{"whatsapp/", "link preview by WhatsApp"},
	{"facebookexternalhit", "link preview by Facebook"},
	{"twitterbot", "link preview by X"},
	{"linkedinbot", "link preview by LinkedIn"},
	{"skypeuripreview", "link preview by Skype or Teams"},
	{"googlebot", "search crawler"},
	{"bingbot", "search crawler"},
	{"yandexbot", "search crawler"},
	{"applebot", "search crawler"},
	{"googleimageproxy", "image proxy of a mail provider"},
	{"yahoomailproxy", "image proxy of a mail provider"},
	{"censysinspect", "internet scanner"},
	{"shodan", "internet scanner"},
	{"zgrab", "internet scanner"},
	{"masscan", "internet scanner"},
	{"expanse", "internet scanner"},
	{"internet-measurement", "internet scanner"},
}

// benign gives a reason to think that a trip is not an intruder's.
func benign(t *Trip) string {
	ua := strings.ToLower(t.UserAgent)
	for _, c := range crawlers {
		if strings.Contains(ua, c.word) {
			return c.why
		}
	}
	return ""
}
