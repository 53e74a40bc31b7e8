package playbook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/state"
	"strings"
	"time"
)

// schedule serves recurrences until ctx ends. The next time of each is in the store; a time that was missed
// while the engine was down fires once, for the latest one missed.
func (e *Engine) schedule(ctx context.Context) error {
	for {
		var wf, name string
		var next int64
		err := e.db.QueryRow(ctx, `SELECT t.workflow, t.name, t.next FROM playbook_trigger t JOIN playbook_workflow w ON w.name=t.workflow
			WHERE w.enabled=1 AND t.next>0 ORDER BY t.next LIMIT 1`).Scan(&wf, &name, &next)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := time.Hour
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return fmt.Errorf("playbook schedule: %w", err)
		default:
			wait = fromMicros(next).Sub(e.now())
			if wait <= 0 {
				if err := e.fireScheduled(ctx, wf, name, fromMicros(next)); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					e.log.Error("playbook: a recurrence failed", "workflow", wf, "trigger", name, "error", err)
					wait = 10 * time.Second
				} else {
					continue
				}
			}
		}
		t := time.NewTimer(min(wait, time.Minute))
		select {
		case <-t.C:
		case <-e.wake:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		t.Stop()
	}
}

// batchMark parts a Batch trigger's name from its batch's in the schedule.
const batchMark = "\x1f"

func (e *Engine) rescheduled() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) fireScheduled(ctx context.Context, wf, name string, due time.Time) error {
	w, err := e.findWorkflow(ctx, wf)
	if err != nil {
		return err
	}
	trigName, batch, isBatch := strings.Cut(name, batchMark)
	t := w.def.Trigger(trigName)
	if isBatch && t != nil && t.Type == "Batch" {
		if c, b, ok := batchOf(t, batch); ok && c.recurrence != nil {
			next := NextRecurrence(c.recurrence, due, e.now())
			if err := e.releaseDue(ctx, w, t, b, c, true); err != nil {
				e.log.Warn("playbook: a batch wasn't released", "workflow", wf, "batch", b, "error", err)
			}
			return e.commits.do(func(tx *state.Tx) error {
				_, err := tx.Exec(`UPDATE playbook_trigger SET next=?, last=? WHERE workflow=? AND name=?`, micros(next), micros(due), wf, name)
				return err
			})
		}
	}
	if t != nil && t.Type == "HttpWebhook" {
		var last int64
		lease := e.now().Add(subscribeLease)
		if err := e.commits.do(func(tx *state.Tx) error {
			if err := tx.QueryRow(`SELECT last FROM playbook_trigger WHERE workflow=? AND name=?`, wf, name).Scan(&last); err != nil {
				return err
			}
			_, err := tx.Exec(`UPDATE playbook_trigger SET next=? WHERE workflow=? AND name=?`, micros(lease), wf, name)
			return err
		}); err != nil {
			return err
		}
		e.background(func(ctx context.Context) { e.subscribe(ctx, w, t, last != 0) })
		return nil
	}
	if t == nil || t.Recurrence == nil {
		return e.commits.do(func(tx *state.Tx) error {
			_, err := tx.Exec(`DELETE FROM playbook_trigger WHERE workflow=? AND name=?`, wf, name)
			return err
		})
	}
	now := e.now()
	next := NextRecurrence(t.Recurrence, due, due)
	for i := 0; !next.IsZero() && !next.After(now) && i < 100_000; i++ {
		due = next
		next = NextRecurrence(t.Recurrence, due, due)
	}
	advance := func(tx *state.Tx, _ []string) error {
		_, err := tx.Exec(`UPDATE playbook_trigger SET next=?, last=? WHERE workflow=? AND name=?`, micros(next), micros(due), wf, name)
		return err
	}
	if t.Type == "Http" {
		// A poll that a crash cuts off is polled again at the next start, for the same time.
		if err := e.commits.do(func(tx *state.Tx) error {
			_, err := tx.Exec(`UPDATE playbook_trigger SET next=?, last=?, polling=? WHERE workflow=? AND name=?`, micros(next), micros(due), micros(due), wf, name)
			return err
		}); err != nil {
			return err
		}
		e.background(func(ctx context.Context) {
			if err := e.poll(ctx, w, t, due); err != nil && ctx.Err() == nil {
				e.log.Warn("playbook: a poll failed", "workflow", wf, "trigger", name, "error", err)
				e.refuse(w, t, derivedRunID(w.id, t.Name, "history\x00poll\x00"+due.Format(time.RFC3339Nano), 0), due, cause{scheduled: due, extra: polled(wf, name, due)}, err)
			}
		})
		return nil
	}
	_, _, err = e.fireFor(ctx, w, name, TriggerInput{ID: "recurrence\x00" + due.Format(time.RFC3339Nano)}, cause{scheduled: due, extra: advance})
	var pe *Error
	if errors.As(err, &pe) { // it was refused and recorded; the schedule goes on
		e.log.Warn("playbook: a recurrence was refused", "workflow", wf, "trigger", name, "error", err)
		return e.commits.do(func(tx *state.Tx) error { return advance(tx, nil) })
	}
	return err
}

// polled notes that a poll has come to its end.
func polled(wf, name string, due time.Time) func(tx *state.Tx, _ []string) error {
	return func(tx *state.Tx, _ []string) error {
		_, err := tx.Exec(`UPDATE playbook_trigger SET polling=0 WHERE workflow=? AND name=? AND polling=?`, wf, name, micros(due))
		return err
	}
}

// repoll makes polls that the last process left in the middle due again.
func (e *Engine) repoll() error {
	return e.commits.do(func(tx *state.Tx) error {
		_, err := tx.Exec(`UPDATE playbook_trigger SET next=polling, polling=0 WHERE polling>0`)
		return err
	})
}

// firstRecurrence is when a recurrence that is switched on fires first: at once when it has neither a start time
// nor a schedule.
func firstRecurrence(rc *definition.Recurrence, now time.Time) time.Time {
	if rc.StartTime == "" && !scheduled(rc) {
		return now
	}
	return NextRecurrence(rc, now, now)
}

// setTriggers writes the schedule of a workflow's triggers; one whose recurrence is as before keeps its time.
func (e *Engine) setTriggers(tx *state.Tx, name string, def, before *definition.Definition, now time.Time) error {
	rows, err := tx.Query(`SELECT name, next, last FROM playbook_trigger WHERE workflow=?`, name)
	if err != nil {
		return err
	}
	type times struct{ next, last int64 }
	old := map[string]times{}
	for rows.Next() {
		var n string
		var t times
		if err := rows.Scan(&n, &t.next, &t.last); err != nil {
			rows.Close()
			return err
		}
		old[n] = t
	}
	rows.Close()
	if _, err := tx.Exec(`DELETE FROM playbook_trigger WHERE workflow=?`, name); err != nil {
		return err
	}
	for _, t := range def.Triggers {
		if t.Type == "Batch" {
			for _, b := range object(t.Inputs.Value("configurations")).Names() {
				c, _, _ := batchOf(t, b)
				if c.recurrence == nil {
					continue
				}
				n := t.Name + batchMark + b
				next := micros(NextRecurrence(c.recurrence, now, now))
				if o, ok := old[n]; ok && before != nil {
					next = o.next
				}
				if _, err := tx.Exec(`INSERT INTO playbook_trigger(workflow, name, next, last) VALUES(?,?,?,0)`, name, n, next); err != nil {
					return err
				}
			}
			continue
		}
		if t.Type == "HttpWebhook" { // subscribes soon, and gives up the subscription of before
			if _, err := tx.Exec(`INSERT INTO playbook_trigger(workflow, name, next, last) VALUES(?,?,?,?)`, name, t.Name, micros(now), old[t.Name].last); err != nil {
				return err
			}
			continue
		}
		if t.Type != "Recurrence" && t.Type != "Http" || t.Recurrence == nil {
			continue
		}
		v := times{next: micros(firstRecurrence(t.Recurrence, now))}
		if o, ok := old[t.Name]; ok && before != nil {
			if bt := before.Trigger(t.Name); bt != nil && bt.Recurrence != nil && fmt.Sprint(*bt.Recurrence) == fmt.Sprint(*t.Recurrence) {
				v = o
			}
		}
		if _, err := tx.Exec(`INSERT INTO playbook_trigger(workflow, name, next, last) VALUES(?,?,?,?)`, name, t.Name, v.next, v.last); err != nil {
			return err
		}
	}
	return nil
}
