package playbook

import (
	"context"
	"errors"
	"fmt"
	"picket/playbook/definition"
	"picket/state"
	"time"
)

const (
	housekeepingEvery = time.Hour
	pruneBatch        = 100 // runs of one commit, so that nothing waits long for the store
)

// housekeeping deletes what the retention no longer keeps, until ctx ends.
func (e *Engine) housekeeping(ctx context.Context) {
	for {
		n, err := e.Tidy(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			e.log.Error("playbook: old runs can't be deleted", "error", err)
		case n > 0:
			e.log.Info("playbook: old runs deleted", "runs", n)
		}
		t := time.NewTimer(housekeepingEvery)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// Tidy deletes the runs that [Retention] no longer keeps and gives their number. The engine does it every hour.
func (e *Engine) Tidy(ctx context.Context) (int, error) {
	r := e.deps.Retention
	if r.Age == 0 {
		r.Age = definition.MaxDuration
	}
	deleted := 0
	if r.Age > 0 {
		n, err := e.Prune(ctx, e.now().Add(-r.Age))
		if deleted += n; err != nil {
			return deleted, err
		}
	}
	if r.Runs <= 0 {
		return deleted, nil
	}
	ws, err := e.allWorkflows(ctx)
	if err != nil {
		return deleted, err
	}
	for _, w := range ws {
		n, err := e.prune(ctx, `SELECT id FROM playbook_run WHERE workflow=? AND ended>0 ORDER BY started DESC, id DESC LIMIT ? OFFSET ?`, w.name, pruneBatch, r.Runs)
		if deleted += n; err != nil {
			return deleted, err
		}
		if err := e.commits.do(func(tx *state.Tx) error {
			_, err := tx.Exec(`DELETE FROM playbook_history WHERE workflow=? AND id NOT IN (SELECT id FROM playbook_history WHERE workflow=? ORDER BY started DESC, id LIMIT ?)`, w.name, w.name, r.Runs)
			return err
		}); err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// Prune deletes runs and trigger histories that ended before a time.
func (e *Engine) Prune(ctx context.Context, before time.Time) (int, error) {
	t := micros(before)
	n, err := e.prune(ctx, `SELECT id FROM playbook_run WHERE ended>0 AND ended<? LIMIT ?`, t, pruneBatch)
	if err != nil {
		return n, err
	}
	return n, e.commits.do(func(tx *state.Tx) error {
		if _, err := tx.Exec(`DELETE FROM playbook_history WHERE ended<?`, t); err != nil {
			return err
		}
		// A version that no run and no workflow has any more.
		_, err := tx.Exec(`DELETE FROM playbook_version WHERE created<? AND version NOT IN (SELECT version FROM playbook_workflow) AND version NOT IN (SELECT version FROM playbook_run)`, t)
		return err
	})
}

// prune deletes the runs that a query gives, some at a time, until it gives none.
func (e *Engine) prune(ctx context.Context, query string, args ...any) (int, error) {
	deleted := 0
	for {
		rows, err := e.db.Query(ctx, query, args...)
		if err != nil {
			return deleted, fmt.Errorf("old runs: %w", err)
		}
		var ids []string
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return deleted, err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return deleted, err
		}
		if len(ids) == 0 {
			return deleted, ctx.Err()
		}
		err = e.commits.do(func(tx *state.Tx) error {
			for _, id := range ids {
				for _, q := range []string{`DELETE FROM playbook_action WHERE run=?`, `DELETE FROM playbook_callback WHERE run=?`, `DELETE FROM playbook_run WHERE id=?`} {
					if _, err := tx.Exec(q, id); err != nil {
						return fmt.Errorf("delete run %s: %w", id, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			return deleted, err
		}
		if deleted += len(ids); ctx.Err() != nil {
			return deleted, ctx.Err()
		}
	}
}
