package canary

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"picket/canary/geo"
	"picket/state"
	"strings"
	"sync"
	"time"
)

// note is what the outbox keeps of the first trip of a notification; the message is made from it when sent.
type note struct {
	Trip        string      `json:"trip"`
	Token       string      `json:"token"`
	Kind        string      `json:"kind"`
	FileName    string      `json:"fileName,omitempty"`
	Channel     string      `json:"channel"`
	Time        time.Time   `json:"time"`
	SrcIP       string      `json:"src"`
	Resolver    bool        `json:"resolver,omitempty"`
	Memo        string      `json:"memo"`
	Place       Memo        `json:"place"`
	UserAgent   string      `json:"ua,omitempty"`
	Method      string      `json:"method,omitempty"`
	Referer     string      `json:"referer,omitempty"`
	Headers     [][2]string `json:"headers,omitempty"`
	Args        [][2]string `json:"args,omitempty"`
	QueryName   string      `json:"qname,omitempty"`
	QueryType   string      `json:"qtype,omitempty"`
	Geo         geo.IPInfo  `json:"geo"`
	CountryName string      `json:"countryName,omitempty"`
	IsTor       *bool       `json:"tor,omitempty"`
	Benign      string      `json:"benign,omitempty"`
}

func noteOf(t *Trip) note {
	return note{
		Trip: t.ID, Token: t.Token, Kind: t.Kind, FileName: t.FileName, Channel: t.Channel, Time: t.Time, SrcIP: t.SrcIP, Resolver: t.SrcIsResolver,
		Memo: t.Memo, Place: t.Place, UserAgent: t.UserAgent, Method: t.Method, Referer: t.Referer, Headers: t.Headers, Args: t.Args,
		QueryName: t.QueryName, QueryType: t.QueryType, Geo: t.Geo.IPInfo(), CountryName: t.Geo.Country, IsTor: t.IsTor, Benign: t.LikelyBenign,
	}
}

// Notification is an entry of the outbox: one message to one receiver.
type Notification struct {
	ID             string    `json:"id"`             // of this message
	NotificationID string    `json:"notificationId"` // as in the rows
	Token          string    `json:"token"`
	Kind           string    `json:"kind"` // mail, webhook
	Target         string    `json:"target"`
	Hits           int       `json:"hits"`   // calls that it stands for so far
	Status         string    `json:"status"` // pending, done, dead
	Created        time.Time `json:"created"`
	Next           time.Time `json:"next,omitzero"` // of the next try, if pending
	Done           time.Time `json:"done,omitzero"` // delivered or given up
	Attempts       int       `json:"attempts"`
	LastStatus     int       `json:"lastStatus,omitempty"` // HTTP
	LastError      string    `json:"lastError,omitempty"`
}

// Status values of a notification.
const (
	NotePending = "pending"
	NoteDone    = "done"
	NoteDead    = "dead"
)

// NotificationFilter selects notifications; empty fields select all.
type NotificationFilter struct {
	Token          string
	NotificationID string
	Status         string
	Limit          int // 1 to 1000, default 100
}

// Limits of delivery.
const (
	outboxWorkers = 8
	perTarget     = 2                // deliveries to one receiver at a time
	giveUpAfter   = 72 * time.Hour   // then the message is dead
	retryMin      = 2 * time.Second  // doubled at each failure
	retryMax      = 30 * time.Minute // at most
	keepDone      = 90 * 24 * time.Hour
)

// permanent marks errors that trying again can't mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Notifications lists messages, newest first.
func (s *Service) Notifications(ctx context.Context, f NotificationFilter) ([]Notification, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	q := `SELECT id, notification, token, kind, target, hits, created_at, next_at, attempts, status, last_status, last_error, done_at FROM canary_outbox WHERE 1=1`
	var args []any
	for _, c := range []struct{ col, v string }{{"token", f.Token}, {"notification", f.NotificationID}, {"status", f.Status}} {
		if c.v != "" {
			q += ` AND ` + c.col + `=?`
			args = append(args, c.v)
		}
	}
	rows, err := s.d.State.Query(ctx, q+` ORDER BY created_at DESC, id LIMIT ?`, append(args, min(f.Limit, 1000))...)
	if err != nil {
		return nil, fmt.Errorf("canary: notifications: %w", err)
	}
	defer rows.Close()
	var out []Notification
	for rows.Next() {
		var n Notification
		var created, next int64
		var done sql.NullInt64
		if err := rows.Scan(&n.ID, &n.NotificationID, &n.Token, &n.Kind, &n.Target, &n.Hits, &created, &next, &n.Attempts, &n.Status, &n.LastStatus, &n.LastError, &done); err != nil {
			return nil, fmt.Errorf("canary: notifications: %w", err)
		}
		n.Created = time.UnixMicro(created).UTC()
		if n.Status == NotePending {
			n.Next = time.UnixMicro(next).UTC()
		}
		if done.Valid {
			n.Done = time.UnixMicro(done.Int64).UTC()
		}
		out = append(out, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("canary: notifications: %w", err)
	}
	return out, nil
}

// Retry makes a dead or waiting message due now. id is [Notification].ID.
func (s *Service) Retry(ctx context.Context, id string) error {
	now := s.d.Now().UnixMicro()
	var n int64
	err := s.d.State.Tx(ctx, func(tx *state.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE canary_outbox SET status='pending', next_at=?, created_at=CASE status WHEN 'dead' THEN ? ELSE created_at END, done_at=NULL WHERE id=? AND status<>'done'`, now, now, id)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return fmt.Errorf("canary: retry: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("canary: no undelivered notification %q", clip(id, 60))
	}
	s.wakeOutbox()
	return nil
}

func (s *Service) wakeOutbox() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// entry is a message on its way.
type entry struct {
	id, notification, kind, target string
	hits, attempts                 int
	created                        int64
	n                              note
}

// receiver is what is known in memory of one target: after a failure it rests as a whole, so that a dead sink
// with a long queue costs one try at a time.
type receiver struct {
	flying int
	fails  int
	rest   time.Time
}

func (s *Service) runOutbox(ctx context.Context) error {
	var mu sync.Mutex
	targets := map[string]*receiver{}
	flying := map[string]bool{}
	var landed []string
	free := make(chan struct{}, outboxWorkers)
	var wg sync.WaitGroup
	defer wg.Wait()
	swept := time.Time{}
	for ctx.Err() == nil {
		if time.Since(swept) > time.Hour {
			swept = time.Now()
			if err := s.sweepOutbox(ctx); err != nil && ctx.Err() == nil {
				s.d.Logger.Error("outbox: sweep", "err", err)
			}
		}
		now := time.Now()
		mu.Lock()
		for _, id := range landed { // recorded before the read below, so it can't be read as pending again
			delete(flying, id)
		}
		landed = landed[:0]
		var busy []string
		soon := now.Add(30 * time.Second)
		for k, r := range targets {
			switch {
			case r.flying >= perTarget || r.fails > 0 && r.flying > 0:
				busy = append(busy, k)
			case r.rest.After(now):
				busy = append(busy, k)
				if r.rest.Before(soon) {
					soon = r.rest
				}
			}
		}
		mu.Unlock()
		es, next, err := s.due(ctx, busy)
		if err != nil {
			if ctx.Err() != nil {
				break
			}
			s.d.Logger.Error("outbox: read", "err", err)
			if !sleep(ctx, 5*time.Second) {
				break
			}
			continue
		}
		if d := time.Until(soon); !next.IsZero() && next.Sub(s.d.Now()) < d {
			soon = now.Add(max(0, next.Sub(s.d.Now())))
		}
		sent := 0
		for _, e := range es {
			mu.Lock()
			r := targets[e.target]
			if r == nil {
				r = &receiver{}
				targets[e.target] = r
			}
			ok := !flying[e.id] && r.flying < perTarget && !(r.fails > 0 && r.flying > 0) && !r.rest.After(now)
			if ok {
				select {
				case free <- struct{}{}:
					flying[e.id] = true
					r.flying++
				default:
					ok = false
				}
			}
			mu.Unlock()
			if !ok {
				continue
			}
			sent++
			wg.Add(1)
			go func() {
				defer wg.Done()
				ok := s.attempt(ctx, &e)
				mu.Lock()
				landed = append(landed, e.id)
				r.flying--
				if ok {
					back := r.fails > 0
					r.fails, r.rest = 0, time.Time{}
					if back { // everything that waited for this receiver is due
						wg.Add(1)
						go func() {
							defer wg.Done()
							s.hurry(ctx, e.target)
						}()
					}
				} else {
					r.fails++
					r.rest = time.Now().Add(backoff(r.fails, time.Minute))
				}
				if len(targets) > 10_000 {
					clear(targets) // only memory: the next failures fill it again
				}
				mu.Unlock()
				<-free
				s.wakeOutbox()
			}()
		}
		if sent > 0 {
			continue
		}
		t := time.NewTimer(max(time.Until(soon), 20*time.Millisecond))
		select {
		case <-s.kick:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return ctx.Err()
}

// due reads messages whose time has come, leaving out busy targets, and says when the next one's comes.
func (s *Service) due(ctx context.Context, busy []string) (es []entry, next time.Time, err error) {
	cond := `status='pending'`
	var args []any
	if s.d.SMTP == nil {
		cond += ` AND kind<>'mail'`
	}
	if len(busy) > 500 {
		busy = busy[:500]
	}
	if len(busy) > 0 {
		cond += ` AND target NOT IN (?` + strings.Repeat(`,?`, len(busy)-1) + `)`
		for _, b := range busy {
			args = append(args, b)
		}
	}
	now := s.d.Now().UnixMicro()
	rows, err := s.d.State.Query(ctx, `SELECT id, notification, kind, target, hits, attempts, created_at, next_at, payload FROM canary_outbox WHERE `+cond+` ORDER BY next_at LIMIT 64`, args...)
	if err != nil {
		return nil, next, err
	}
	defer rows.Close()
	for rows.Next() {
		var e entry
		var at int64
		var p string
		if err := rows.Scan(&e.id, &e.notification, &e.kind, &e.target, &e.hits, &e.attempts, &e.created, &at, &p); err != nil {
			return nil, next, err
		}
		if at > now {
			next = time.UnixMicro(at)
			break
		}
		if err := json.Unmarshal([]byte(p), &e.n); err != nil {
			return nil, next, fmt.Errorf("entry %s: %w", e.id, err)
		}
		es = append(es, e)
	}
	return es, next, rows.Err()
}

// attempt delivers once and records the outcome; false means that the receiver failed.
func (s *Service) attempt(ctx context.Context, e *entry) bool {
	var status int
	var err error
	switch e.kind {
	case notifyWebhook:
		status, err = s.sendWebhook(ctx, e)
	case notifyMail:
		err = s.sendMail(ctx, e)
	default:
		err = permanent{fmt.Errorf("unknown kind of notification %q", e.kind)}
	}
	if err != nil && ctx.Err() != nil {
		return false // shutting down: the try doesn't count
	}
	now := s.d.Now()
	st, msg, next := NoteDone, "", now
	var done any = now.UnixMicro()
	var perm permanent
	if err != nil {
		msg = clip(strings.ToValidUTF8(err.Error(), "?"), 500)
		if errors.As(err, &perm) || now.Sub(time.UnixMicro(e.created)) > giveUpAfter {
			st = NoteDead
			s.d.Logger.Error("notification is dead", "id", e.id, "kind", e.kind, "err", err)
		} else {
			st, done = NotePending, nil
			next = now.Add(backoff(e.attempts+1, retryMax))
			s.d.Logger.Warn("notification not delivered; trying again", "id", e.id, "kind", e.kind, "err", err, "next", next)
		}
	}
	werr := s.d.State.Tx(context.WithoutCancel(ctx), func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE canary_outbox SET status=?, attempts=attempts+1, last_status=?, last_error=?, next_at=?, done_at=? WHERE id=?`,
			st, status, msg, next.UnixMicro(), done, e.id)
		return err
	})
	if werr != nil { // it will be sent again: at least once
		s.d.Logger.Error("outbox: outcome not recorded", "id", e.id, "err", werr)
		return false
	}
	return err == nil
}

// hurry makes all that waits for a receiver due, when it has answered again.
func (s *Service) hurry(ctx context.Context, target string) {
	now := s.d.Now().UnixMicro()
	err := s.d.State.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE canary_outbox SET next_at=? WHERE target=? AND status='pending' AND next_at>?`, now, target, now)
		return err
	})
	if err != nil && ctx.Err() == nil {
		s.d.Logger.Warn("outbox: waiting messages keep their times", "err", err)
	}
	s.wakeOutbox()
}

func backoff(n int, most time.Duration) time.Duration {
	if n > 20 {
		return most
	}
	return min(retryMin<<(max(n, 1)-1), most)
}

// sweepOutbox forgets delivered messages after 90 days. Dead ones stay until somebody retries them or the token goes.
func (s *Service) sweepOutbox(ctx context.Context) error {
	return s.d.State.Tx(ctx, func(tx *state.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM canary_outbox WHERE status='done' AND done_at<?`, s.d.Now().Add(-keepDone).UnixMicro())
		return err
	})
}
