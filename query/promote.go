package query

import (
	"context"
	"errors"
	"log/slog"
	"picket/kql/dialect"
	"picket/lake"
	"sync"
	"time"
)

// Bounds of what is remembered of values inside dynamics.
const (
	maxUses        = 4096
	promoteTimeout = time.Minute
)

// uses counts questions by the values that they read inside dynamic columns.
type uses struct {
	mu   sync.Mutex
	n    map[dialect.Wanted]int
	busy bool // a promotion is being made
}

// promote counts what a question that was answered would have read as columns, and has the lake promote, one after
// the other and in the background, what was wanted often enough.
func (e *Engine) promote(wanted []dialect.Wanted) {
	if e.o.PromoteAfter <= 0 || len(wanted) == 0 {
		return
	}
	u := &e.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == nil || len(u.n) >= maxUses { // what matters comes again
		u.n = map[dialect.Wanted]int{}
	}
	var due []dialect.Wanted
	for _, w := range wanted {
		if u.n[w] < 0 {
			continue
		}
		if u.n[w]++; u.n[w] >= e.o.PromoteAfter && !u.busy {
			due = append(due, w)
		}
	}
	if len(due) == 0 {
		return
	}
	u.busy = true
	go func() {
		defer func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			u.busy = false
		}()
		for _, w := range due {
			e.promoteOne(w)
		}
	}()
}

func (e *Engine) promoteOne(w dialect.Wanted) {
	ctx, cancel := context.WithTimeout(context.Background(), promoteTimeout)
	defer cancel()
	err := e.o.Lake.Promote(ctx, w.Table, lake.Derived(w.Derived))
	e.uses.mu.Lock()
	defer e.uses.mu.Unlock()
	switch {
	case err == nil:
		e.o.Log.Info("a value inside a dynamic column becomes a column of its own", "table", w.Table, "value", w.Key)
		delete(e.uses.n, w)
	case errors.Is(err, lake.ErrDerived), errors.Is(err, lake.ErrNoTable):
		e.o.Log.Log(ctx, slog.LevelDebug, "a value inside a dynamic column stays there", "table", w.Table, "value", w.Key, "reason", err)
		e.uses.n[w] = -1
	case errors.Is(err, lake.ErrClosed):
	default:
		e.o.Log.Warn("promote a value inside a dynamic column", "table", w.Table, "value", w.Key, "error", err)
	}
}
