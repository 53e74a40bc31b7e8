package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"picket/kql/value"
	"picket/state"
	"time"
)

// tables maps an outbox kind to the schema of the table that it goes to.
var tables = map[string]value.Schema{"SecurityAlert": AlertSchema, "SecurityIncident": IncidentSchema, "SentinelHealth": HealthSchema}

// enqueue notes a row or an event in the transaction that causes it; deliver hands it on, at least once, and
// the lake takes each operation id once.
func (d *Detector) enqueue(ctx context.Context, tx *state.Tx, kind, op string, doc any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("note %s: %w", op, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO detect_outbox(kind, op_id, doc) VALUES(?,?,?)`, kind, op, string(b))
	return err
}

func (d *Detector) deliverLoop(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := d.deliver(ctx)
		if err != nil && ctx.Err() == nil {
			d.d.Log("deliver rows of detection", "error", err)
		}
		pause := idle
		if err != nil {
			pause = retryPause
		}
		if n > 0 && err == nil {
			continue
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-d.noted:
		case <-t.C:
		}
		t.Stop()
	}
}

type note struct {
	seq           int64
	kind, op, doc string
}

// deliver hands on what is in the outbox, oldest first. A kind that fails waits; the others go on.
func (d *Detector) deliver(ctx context.Context) (done int, err error) {
	rows, err := d.d.State.Query(ctx, `SELECT seq, kind, op_id, doc FROM detect_outbox ORDER BY seq LIMIT 200`)
	if err != nil {
		return 0, err
	}
	var notes []note
	for rows.Next() {
		var n note
		if err := rows.Scan(&n.seq, &n.kind, &n.op, &n.doc); err != nil {
			rows.Close()
			return 0, err
		}
		notes = append(notes, n)
	}
	if err := rows.Close(); err != nil {
		return 0, err
	}
	failed := map[string]error{}
	for _, n := range notes {
		if failed[n.kind] != nil {
			continue
		}
		if e := d.hand(ctx, n); e != nil {
			failed[n.kind] = fmt.Errorf("%s: %w", n.op, e)
			err = failed[n.kind]
			continue
		}
		if e := d.d.State.Tx(ctx, func(tx *state.Tx) error {
			if n.kind == "event" {
				if _, err := tx.ExecContext(ctx, `DELETE FROM detect_automation_done WHERE op=?`, n.op); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, `DELETE FROM detect_outbox WHERE seq=?`, n.seq)
			return err
		}); e != nil {
			return done, e
		}
		done++
	}
	return done, err
}

func (d *Detector) hand(ctx context.Context, n note) error {
	if n.kind == "event" {
		var e Event
		if err := json.Unmarshal([]byte(n.doc), &e); err != nil {
			return err
		}
		if err := d.automate(ctx, n.op, &e); err != nil {
			return err
		}
		if d.d.OnIncident == nil || e.IncidentID == "" {
			return nil
		}
		return d.d.OnIncident(ctx, e)
	}
	schema, ok := tables[n.kind]
	if !ok {
		return fmt.Errorf("BUG: outbox kind %q has no table", n.kind)
	}
	var row map[string]any
	if err := json.Unmarshal([]byte(n.doc), &row); err != nil {
		return err
	}
	for k, v := range row { // times travelled as text
		if i := schema.Index(k); i >= 0 && schema[i].Type == value.Datetime {
			s, _ := v.(string)
			t, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			row[k] = t
		}
	}
	_, err := d.d.Append(ctx, n.kind, schema, []map[string]any{row}, n.op)
	return err
}
