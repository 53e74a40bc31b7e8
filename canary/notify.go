package canary

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"picket/canary/trip"
	"picket/state"
	"time"

	"github.com/google/uuid"
)

// Kinds of notification.
const (
	notifyMail    = "mail"
	notifyWebhook = "webhook"
)

// noteSpace is the name space of notification ids: UUIDv5 of (token, source, first trip).
var noteSpace = uuid.MustParse("6c1f3c1e-6a55-5f0b-9a0d-0c6b4a1f7d52")

// group says how calls are grouped: those of one token and source within the window of the first share a
// notification. A source that goes on and on is told about ever more rarely (with the count), never not at all.
const (
	groupWindow    = 2 * time.Second
	groupWindowMax = 5 * time.Minute
	streakFree     = 10 // notifications at the shortest window
	streakEnds     = time.Minute
)

func windowOf(streak int) time.Duration {
	if streak < streakFree {
		return groupWindow
	}
	if streak-streakFree > 10 {
		return groupWindowMax
	}
	return min(groupWindow<<(streak-streakFree+1), groupWindowMax)
}

// decide gives each trip its notification and writes what has to be told to the outbox, in one transaction with
// the memory of it. Trips decided before (the batch is being repeated) keep what was decided.
func (s *Service) decide(ctx context.Context, es []trip.Entry, ts []Trip, next trip.Position) (told bool, err error) {
	err = s.d.State.Tx(ctx, func(tx *state.Tx) error {
		told = false
		first := markOf(es[0].At)
		// rows before this batch are committed: nobody will ask for them again
		if _, err := tx.ExecContext(ctx, `DELETE FROM canary_seen WHERE (file, off) < (?, ?)`, first.File, first.Offset); err != nil {
			return err
		}
		seen, err := seenFrom(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM canary_window WHERE last < ?`, s.d.Now().Add(-2*groupWindowMax-streakEnds).UnixMicro()); err != nil {
			return err
		}
		ins, err := tx.PrepareContext(ctx, `INSERT INTO canary_seen(trip, notification, status, benign, file, off) VALUES(?,?,?,?,?,?)`)
		if err != nil {
			return err
		}
		defer ins.Close()
		names := map[string]int{}
		wins := map[[2]string]*window{}
		hits := map[string]*hitCount{}
		grown := map[string]int{}
		for i := range ts {
			t := &ts[i]
			if d, ok := seen[t.ID]; ok {
				t.NotificationID, t.AlertStatus, t.LikelyBenign = d.note, d.status, d.benign
				continue
			}
			h := hits[t.Token]
			if h == nil {
				h = &hitCount{}
				hits[t.Token] = h
			}
			h.n += t.Count
			h.last = max(h.last, t.Time.UnixMicro())
			if t.LikelyBenign == "" && t.SrcIsResolver {
				if t.LikelyBenign, err = echo(ctx, tx, names, t); err != nil {
					return err
				}
			}
			if t.AlertStatus == AlertAlertable {
				w, err := loadWindow(ctx, tx, wins, t.Token, t.SrcIP)
				if err != nil {
					return err
				}
				begins := w.take(t)
				t.NotificationID = w.note
				if begins {
					n, err := s.enqueue(ctx, tx, t)
					if err != nil {
						return err
					}
					told = told || n > 0
				} else {
					grown[w.note] += t.Count
				}
			}
			m := markOf(es[i].At)
			if _, err := ins.ExecContext(ctx, t.ID, t.NotificationID, t.AlertStatus, t.LikelyBenign, m.File, m.Offset); err != nil {
				return err
			}
		}
		for k, w := range wins {
			if _, err := tx.ExecContext(ctx, `INSERT INTO canary_window(token, src, notification, first, last, streak) VALUES(?,?,?,?,?,?)
ON CONFLICT(token, src) DO UPDATE SET notification=excluded.notification, first=excluded.first, last=excluded.last, streak=excluded.streak`,
				k[0], k[1], w.note, w.first, w.last, w.streak); err != nil {
				return err
			}
		}
		for note, n := range grown {
			if _, err := tx.ExecContext(ctx, `UPDATE canary_outbox SET hits=hits+? WHERE notification=?`, n, note); err != nil {
				return err
			}
		}
		for id, h := range hits {
			if _, err := tx.ExecContext(ctx, `UPDATE canary_token SET hits=hits+?, last_hit=max(coalesce(last_hit,0),?) WHERE id=?`, h.n, h.last, id); err != nil {
				return err
			}
		}
		if s.d.AppendTrips == nil {
			m := markOf(next)
			_, err = tx.ExecContext(ctx, `INSERT INTO canary_tail(n, file, off) VALUES(1,?,?) ON CONFLICT(n) DO UPDATE SET file=excluded.file, off=excluded.off`, m.File, m.Offset)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("canary: notifications: %w", err)
	}
	return told, nil
}

type hitCount struct {
	n    int
	last int64
}

type decision struct{ note, status, benign string }

func seenFrom(ctx context.Context, tx *state.Tx) (map[string]decision, error) {
	rows, err := tx.QueryContext(ctx, `SELECT trip, notification, status, benign FROM canary_seen`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := map[string]decision{}
	for rows.Next() {
		var id string
		var d decision
		if err := rows.Scan(&id, &d.note, &d.status, &d.benign); err != nil {
			return nil, err
		}
		m[id] = d
	}
	return m, rows.Err()
}

// window is the open group of one token and source. Times are unix microseconds.
type window struct {
	note        string
	first, last int64
	streak      int
}

func loadWindow(ctx context.Context, tx *state.Tx, wins map[[2]string]*window, token, src string) (*window, error) {
	k := [2]string{token, src}
	if w := wins[k]; w != nil {
		return w, nil
	}
	w := &window{}
	err := tx.QueryRowContext(ctx, `SELECT notification, first, last, streak FROM canary_window WHERE token=? AND src=?`, token, src).
		Scan(&w.note, &w.first, &w.last, &w.streak)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	wins[k] = w
	return w, nil
}

// take puts t into the group, or begins a new one with it (true).
func (w *window) take(t *Trip) bool {
	at := t.Time.UnixMicro()
	if w.note != "" && at-w.first <= windowOf(w.streak).Microseconds() && at >= w.first-groupWindow.Microseconds() {
		w.last = max(w.last, at)
		return false
	}
	if w.note == "" || at-w.last > max(streakEnds, windowOf(w.streak)).Microseconds() {
		w.streak = 0
	} else {
		w.streak++
	}
	w.first, w.last = at, at
	w.note = uuid.NewSHA1(noteSpace, []byte(t.Token+"|"+t.SrcIP+"|"+t.ID)).String()
	return true
}

// enqueue writes one outbox entry for each one to be told.
func (s *Service) enqueue(ctx context.Context, tx *state.Tx, t *Trip) (int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT c.n, c.kind, c.target FROM canary_contact c JOIN canary_token t ON t.id=c.token
WHERE c.token=? AND (c.kind='mail' AND t.email_enabled=1 OR c.kind='webhook' AND t.webhook_enabled=1) ORDER BY c.n`, t.Token)
	if err != nil {
		return 0, err
	}
	type contact struct {
		n            int
		kind, target string
	}
	var cs []contact
	for rows.Next() {
		var c contact
		if err := rows.Scan(&c.n, &c.kind, &c.target); err != nil {
			rows.Close()
			return 0, err
		}
		cs = append(cs, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil || len(cs) == 0 {
		return 0, err
	}
	p, err := json.Marshal(noteOf(t))
	if err != nil {
		return 0, err
	}
	now := s.d.Now().UnixMicro()
	for _, c := range cs {
		if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO canary_outbox(id, notification, token, kind, target, payload, hits, created_at, next_at) VALUES(?,?,?,?,?,?,?,?,?)`,
			fmt.Sprintf("%s/%d", t.NotificationID, c.n), t.NotificationID, t.Token, c.kind, c.target, string(p), t.Count, now, now); err != nil {
			return 0, err
		}
	}
	return len(cs), nil
}
