package usage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"picket/ingest"
	"picket/state"
)

// Migrations are the recorder's tables in the control store.
func Migrations() []state.Migration {
	return []state.Migration{{Room: "usage", Step: 1, SQL: `
CREATE TABLE usage_hour(hour INTEGER NOT NULL, name TEXT NOT NULL, row_count INTEGER NOT NULL, byte_count INTEGER NOT NULL, batches INTEGER NOT NULL, PRIMARY KEY(hour, name)) WITHOUT ROWID;
CREATE TABLE usage_sender(id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE usage_day(one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, byte_count INTEGER NOT NULL, warned INTEGER NOT NULL, stopped INTEGER NOT NULL);
CREATE TABLE usage_trouble(kind TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL, detail TEXT NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;`}, {Room: "usage", Step: 2, SQL: `CREATE TABLE usage_cap(one INTEGER PRIMARY KEY CHECK (one = 1), byte_count INTEGER NOT NULL)`}}
}

func (r *Recorder) load(ctx context.Context) error {
	if r.o.State == nil {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("read the counts of usage: %w", err) }
	rows, err := r.o.State.Query(ctx, `SELECT hour, name, row_count, byte_count, batches FROM usage_hour`)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		var k hourTable
		var t tally
		if err := rows.Scan(&k.hour, &k.table, &t.rows, &t.bytes, &t.batches); err != nil {
			return fail(err)
		}
		r.hours[k] = &t
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	days, err := r.o.State.Query(ctx, `SELECT number, byte_count, warned, stopped FROM usage_day`)
	if err != nil {
		return fail(err)
	}
	defer days.Close()
	for days.Next() {
		var d day
		if err := days.Scan(&d.number, &d.bytes, &d.warned, &d.stopped); err != nil {
			return fail(err)
		}
		r.day = d
	}
	if err := days.Err(); err != nil {
		return fail(err)
	}
	switch err := r.o.State.QueryRow(ctx, `SELECT byte_count FROM usage_cap`).Scan(&r.o.DailyCap); {
	case err == nil:
		r.capSet = true
	case !errors.Is(err, sql.ErrNoRows):
		return fail(err)
	}
	troubles, err := r.o.State.Query(ctx, `SELECT kind, name, n, detail FROM usage_trouble`)
	if err != nil {
		return fail(err)
	}
	defer troubles.Close()
	for troubles.Next() {
		var k troubleKey
		var t trouble
		if err := troubles.Scan(&k.kind, &k.table, &t.count, &t.detail); err != nil {
			return fail(err)
		}
		r.troubles[k] = &t
	}
	if err := troubles.Err(); err != nil {
		return fail(err)
	}
	r.turn(r.o.Now())
	senders, err := r.o.State.Query(ctx, `SELECT body FROM usage_sender`)
	if err != nil {
		return fail(err)
	}
	defer senders.Close()
	for senders.Next() {
		var body string
		var s Sender
		if err := senders.Scan(&body); err != nil {
			return fail(err)
		}
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			return fail(err)
		}
		r.senders[keyOf(&ingest.Sender{Protocol: s.Protocol, Address: s.Address, Agent: s.Agent, Principal: s.Principal, Computer: s.Computer})] = &s
	}
	if err := senders.Err(); err != nil {
		return fail(err)
	}
	return nil
}

// save keeps what has changed.
func (r *Recorder) save(ctx context.Context) error {
	if r.o.State == nil {
		return nil
	}
	r.mu.Lock()
	if !r.dirty {
		r.mu.Unlock()
		return nil
	}
	hours := make(map[hourTable]tally, len(r.hours))
	for k, t := range r.hours {
		hours[k] = *t
	}
	d, limit, capSet := r.day, r.o.DailyCap, r.capSet
	troubles := make(map[troubleKey]trouble, len(r.troubles))
	for k, t := range r.troubles {
		troubles[k] = *t
	}
	changed := r.changed
	bodies := map[string]*Sender{}
	for k := range changed {
		if s := r.senders[k]; s != nil {
			c := *s
			c.Tables = append([]string{}, s.Tables...)
			bodies[k] = &c
		}
	}
	r.changed, r.dirty = map[string]bool{}, false
	r.mu.Unlock()
	err := r.o.State.Tx(ctx, func(tx *state.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM usage_hour`); err != nil {
			return err
		}
		for k, t := range hours {
			if _, err := tx.ExecContext(ctx, `INSERT INTO usage_hour(hour, name, row_count, byte_count, batches) VALUES(?,?,?,?,?)`, k.hour, k.table, t.rows, t.bytes, t.batches); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO usage_day(one, number, byte_count, warned, stopped) VALUES(1,?,?,?,?)`, d.number, d.bytes, d.warned, d.stopped); err != nil {
			return err
		}
		if capSet {
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO usage_cap(one, byte_count) VALUES(1,?)`, limit); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM usage_trouble`); err != nil {
			return err
		}
		for k, t := range troubles {
			if _, err := tx.ExecContext(ctx, `INSERT INTO usage_trouble(kind, name, n, detail) VALUES(?,?,?,?)`, string(k.kind), k.table, t.count, t.detail); err != nil {
				return err
			}
		}
		for k := range changed {
			s := bodies[k]
			if s == nil {
				if _, err := tx.ExecContext(ctx, `DELETE FROM usage_sender WHERE id=?`, k); err != nil {
					return err
				}
				continue
			}
			b, err := json.Marshal(s)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO usage_sender(id, body) VALUES(?,?)`, k, string(b)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.mu.Lock()
		r.dirty = true
		for k := range changed {
			r.changed[k] = true
		}
		r.mu.Unlock()
		return fmt.Errorf("keep the counts of usage: %w", err)
	}
	return nil
}
