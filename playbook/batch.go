package playbook

import (
	"context"
	"fmt"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/state"
	"strings"
)

// Limits of a partition of a batch (triggers page).
const (
	maxBatchMessages = 5000
	maxBatchBytes    = 80 << 20
)

// criteria is when a batch is released: any of them.
type criteria struct {
	count      int64
	bytes      int64
	recurrence *definition.Recurrence
}

// batchOf reads a batch's release criteria from a Batch trigger.
func batchOf(t *definition.Trigger, name string) (criteria, string, bool) {
	v, has, ok := object(t.Inputs.Value("configurations")).Find(name)
	if !ok {
		return criteria{}, "", false
	}
	rc := object(object(v).Value("releaseCriteria"))
	c := criteria{}
	c.count, _ = rc.Value("messageCount").(int64)
	c.bytes, _ = rc.Value("batchSize").(int64)
	if r := object(rc.Value("recurrence")); r != nil {
		// The recurrence is read as that of a trigger.
		d, err := definition.Parse(expr.NewObject("triggers", expr.NewObject("b", expr.NewObject("type", "Recurrence", "recurrence", r)), "actions", &expr.Object{}), nil)
		if err == nil {
			c.recurrence = d.Triggers[0].Recurrence
		}
	}
	return c, has, true
}

// sendToBatch is the SendToBatch action: it puts a message into a batch of another workflow, once, and releases
// the batch when it is full.
func (r *run) sendToBatch(ctx context.Context, a *definition.Action, f *frame, rec *record) *outcome {
	in, o := r.startInputs(a, f, rec)
	if in == nil {
		return o
	}
	bad := func(code, format string, args ...any) *outcome {
		o := failed(code, fmt.Sprintf(format, args...)).with(in)
		return &o
	}
	host := object(in.Value("host"))
	id, _ := object(host.Value("workflow")).Value("id").(string)
	name := id[strings.LastIndexByte(id, '/')+1:]
	w, err := r.e.findWorkflow(r.ctx, name)
	if err != nil {
		if r.stopping() {
			return nil
		}
		return bad("WorkflowNotFound", "The action '%s' sends to the workflow '%s': %v", a.Name, name, err)
	}
	trig, _ := host.Value("triggerName").(string)
	t, err := r.e.pickTrigger(w, trig)
	if err != nil || t.Type != "Batch" {
		return bad("BatchTriggerNotFound", "The workflow '%s' has no Batch trigger '%s'.", w.name, trig)
	}
	batch := expr.Text(in.Value("batchName"))
	c, batch2, ok := batchOf(t, batch)
	if !ok {
		return bad("BatchConfigurationNotFound", "The Batch trigger '%s' of the workflow '%s' has no batch '%s'; it has '%s'.", t.Name, w.name, batch, strings.Join(object(t.Inputs.Value("configurations")).Names(), "', '"))
	}
	partition := "DEFAULT"
	if p := expr.Text(in.Value("partitionName")); p != "" {
		partition = p
	}
	msg := expr.Text(in.Value("messageId"))
	if msg == "" {
		msg = r.key(rec)
	}
	content := in.Value("content")
	text := expr.JSON(content)
	blob, err := r.e.seal.encode(content, r.hasSecret(content) || contains(content, w.secrets))
	if err == nil {
		err = r.e.commits.do(func(tx *state.Tx) error {
			_, err := tx.Exec(`INSERT INTO playbook_batch(workflow, trigger, batch, part, id, size, at, content) VALUES(?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
				w.name, t.Name, batch2, partition, msg, len(text), micros(r.e.now()), blob)
			return err
		})
	}
	if r.saved(err) != nil {
		return nil
	}
	if err := r.e.release(r.ctx, w, t, batch2, partition, c, false); err != nil {
		r.e.log.Warn("playbook: a batch wasn't released; it is tried again with its next message", "workflow", w.name, "batch", batch2, "error", err)
	}
	return &outcome{status: Succeeded, code: "Accepted", inputs: in, hasIn: true, outputs: expr.NewObject("statusCode", int64(202), "headers", &expr.Object{}), hasOut: true}
}

// release starts a run with the messages of a partition when they are enough, or when due. Messages leave in the
// same commit as the run comes.
func (e *Engine) release(ctx context.Context, w *workflow, t *definition.Trigger, batch, partition string, c criteria, due bool) error {
	e.batches.Lock()
	defer e.batches.Unlock()
	for {
		rows, err := e.db.Query(ctx, `SELECT id, size, content FROM playbook_batch WHERE workflow=? AND trigger=? AND batch=? AND part=? ORDER BY at, id LIMIT ?`, w.name, t.Name, batch, partition, maxBatchMessages)
		if err != nil {
			return err
		}
		var items []any
		var ids []string
		total, full := int64(0), false
		for rows.Next() && !full {
			var id string
			var size int64
			var blob []byte
			if err := rows.Scan(&id, &size, &blob); err != nil {
				rows.Close()
				return err
			}
			v, err := e.seal.decode(blob)
			if err != nil {
				rows.Close()
				return err
			}
			items = append(items, expr.NewObject("messageId", id, "content", v))
			ids = append(ids, id)
			total += size
			full = c.count > 0 && int64(len(items)) >= c.count || c.bytes > 0 && total >= c.bytes || len(items) >= maxBatchMessages || total >= maxBatchBytes
		}
		if err := rows.Close(); err != nil {
			return err
		}
		if len(items) == 0 || !full && !due {
			return nil
		}
		body := expr.NewObject("batchName", batch, "partitionName", partition, "items", items)
		gone := func(tx *state.Tx, _ []string) error {
			for _, id := range ids {
				if _, err := tx.Exec(`DELETE FROM playbook_batch WHERE workflow=? AND trigger=? AND batch=? AND part=? AND id=?`, w.name, t.Name, batch, partition, id); err != nil {
					return err
				}
			}
			return nil
		}
		cause := cause{extra: func(tx *state.Tx, runs []string) error {
			if len(runs) == 0 {
				return nil // refused: the messages stay
			}
			return gone(tx, runs)
		}}
		runs, _, err := e.fireFor(ctx, w, t.Name, TriggerInput{Body: body}, cause)
		if err != nil || len(runs) == 0 {
			return err
		}
	}
}

// releaseDue releases every partition of a batch: its recurrence is due.
func (e *Engine) releaseDue(ctx context.Context, w *workflow, t *definition.Trigger, batch string, c criteria, due bool) error {
	rows, err := e.db.Query(ctx, `SELECT DISTINCT part FROM playbook_batch WHERE workflow=? AND trigger=? AND batch=?`, w.name, t.Name, batch)
	if err != nil {
		return err
	}
	var parts []string
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			rows.Close()
			return err
		}
		parts = append(parts, p)
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for _, p := range parts {
		if err := e.release(ctx, w, t, batch, p, c, due); err != nil {
			return err
		}
	}
	return nil
}
