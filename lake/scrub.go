package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"picket/lake/duck"
	"time"
)

const (
	scrubBlocks = 128 // of the database that are overwritten while appends wait
	scrubTries  = 20  // to begin, when queries are in the way
	scrubPause  = 100 * time.Millisecond
)

// scrub overwrites the room of the database file that is free, because rows that were dropped still lie there. Blocks
// are shared by tables, so all hot rows are sealed and the catalog is written anew first; then the free room is filled
// with a table of random numbers, which is dropped. It says whether it came to the end; a reader of what was dropped
// puts it off.
func (l *Lake) scrub(ctx context.Context) (done bool, err error) {
	for name, t := range l.current().tables {
		if len(t.Gens) == 0 {
			continue
		}
		if err := l.Seal(ctx, name); err != nil {
			return false, err
		}
	}
	if err := l.renew(ctx, false); err != nil {
		return false, err
	}
	begin := func(ctx context.Context, c *duck.Conn) error {
		_, err := c.Exec(ctx, `CREATE OR REPLACE TABLE lake_scrub(u UUID); CHECKPOINT`)
		return err
	}
	end := func(ctx context.Context, c *duck.Conn) error {
		_, err := c.Exec(ctx, `DROP TABLE IF EXISTS lake_scrub; CHECKPOINT`)
		return err
	}
	for try := 0; ; try++ {
		if err = l.raw(ctx, begin); err == nil || try == scrubTries || errors.Is(err, ErrFull) || errors.Is(err, ErrClosed) {
			break
		}
		select { // a query is in the way
		case <-ctx.Done():
		case <-time.After(scrubPause):
		}
	}
	if err != nil {
		if e := l.raw(ctx, end); errors.Is(e, ErrFull) || errors.Is(e, ErrClosed) {
			return false, e
		}
		slog.Debug("lake: overwriting free room is put off", "reason", err)
		return false, nil
	}
	left, last := int64(0), int64(-1)
	for left != last {
		last = left
		err = l.raw(ctx, func(ctx context.Context, c *duck.Conn) error {
			free, _, size, err := blocks(ctx, c)
			if err != nil || free == 0 {
				left = last
				return err
			}
			if err := l.fail("scrub"); err != nil {
				return err
			}
			left = free
			rows := min(free, scrubBlocks) * size / 16
			_, err = c.Exec(ctx, fmt.Sprintf(`INSERT INTO lake_scrub SELECT gen_random_uuid() FROM range(%d); CHECKPOINT`, rows))
			return err
		})
		if err != nil {
			break
		}
	}
	if e := l.raw(ctx, end); err == nil {
		err = e
	}
	if err != nil {
		return false, fmt.Errorf("overwrite free room of the database: %w", err)
	}
	return true, nil
}

// raw has the committer hand its connection to f, outside a transaction.
func (l *Lake) raw(ctx context.Context, f func(ctx context.Context, c *duck.Conn) error) error {
	r := &request{ctx: ctx, raw: f, done: make(chan struct{})}
	if err := l.send(ctx, r); err != nil {
		return err
	}
	return r.err
}
