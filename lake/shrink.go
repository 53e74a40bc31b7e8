package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"picket/kql/value"
	"picket/lake/duck"
	"time"
)

// DuckDB gives room of its file back only from the end. After hot rows were sealed the catalog and the journal are
// often what lies there, behind much that is free; written anew, they move to the front.
const (
	shrinkFrom  = 8 << 20 // free bytes from which, when they are also more than half of the file, it is made smaller
	shrinkRows  = 500_000 // hot rows that are moved for it at most
	shrinkAgain = 10 * time.Minute
	shrinkSoon  = time.Minute // when a query was in the way
)

// renew writes the catalog and the journal anew, so that they share no blocks with hot rows that were dropped, and the
// hot rows of small tables with them when asked.
func (l *Lake) renew(ctx context.Context, hot bool) error {
	err := l.do(ctx, func(e *edit) error {
		l.rotate(e)
		if hot {
			if err := l.renewHot(ctx, e.cat); err != nil {
				return err
			}
		}
		for _, t := range []string{"lake_table", "lake_segment", "lake_counter", "lake_format", "lake_purge"} {
			e.sql = append(e.sql, fmt.Sprintf(`CREATE OR REPLACE TABLE %s AS SELECT * FROM %s`, t, t))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the catalog anew: %w", err)
	}
	return nil
}

// renewHot moves the hot rows of small tables. Their place in their generation must not change: it is their number.
func (l *Lake) renewHot(ctx context.Context, cat *catalog) error {
	left := int64(shrinkRows)
	for _, t := range cat.tables {
		for _, g := range t.Gens {
			n := g.live.rows.Load()
			if n == 0 || n > smallTable || n > left {
				continue
			}
			left -= n
			var sums [2]string
			for i := range sums {
				first := `0`
				if i == 1 { // before the commit rows have other numbers
					first = `(SELECT min(rowid) FROM ` + g.table() + `)`
				}
				q := `SELECT concat_ws('/', count(*), max(rowid - ` + first + `), sum(hash(rowid - ` + first + `, r)::HUGEINT)) FROM ` + g.table() + ` AS r`
				err := l.w.Query(ctx, q, nil, texts("s"), func(f *value.Frame) error { sums[i] = f.Vecs[0].S[0]; return nil })
				if err == nil && i == 0 {
					_, err = l.w.Exec(ctx, fmt.Sprintf(`CREATE OR REPLACE TABLE %s AS SELECT * FROM %s ORDER BY rowid`, g.table(), g.table()))
				}
				if err != nil {
					return err
				}
			}
			if sums[0] != sums[1] {
				return fmt.Errorf("the hot rows of %s would not keep their order", t.Name)
			}
		}
	}
	return nil
}

// shrinkDue shrinks when much was sealed since the last time.
func (l *Lake) shrinkDue(ctx context.Context) error {
	l.mu.Lock()
	sealed := l.sealed
	l.mu.Unlock()
	if sealed < shrinkFrom || time.Now().Before(l.shrinkNext) {
		return nil
	}
	again, err := l.shrink(ctx)
	if l.shrinkNext = time.Now().Add(shrinkAgain); again {
		l.shrinkNext = time.Now().Add(shrinkSoon)
	}
	if err == nil && !again {
		l.mu.Lock()
		l.sealed -= sealed
		l.mu.Unlock()
	}
	return err
}

// Shrink makes the database file smaller if most of it is free, as [Lake.Run] does within a minute of sealing. A query
// that still reads what was sealed is in the way; then nothing is done.
func (l *Lake) Shrink(ctx context.Context) error {
	_, err := l.shrink(ctx)
	return err
}

// shrink says whether a query was in the way.
func (l *Lake) shrink(ctx context.Context) (again bool, err error) {
	worth := false
	err = l.raw(ctx, func(ctx context.Context, c *duck.Conn) error {
		if _, err := c.Exec(ctx, `CHECKPOINT`); err != nil {
			again = !duck.IsFatal(err) && !duck.IsFull(err)
			return err
		}
		free, used, size, err := blocks(ctx, c)
		worth = free*size >= shrinkFrom && free > used
		return err
	})
	if again {
		return true, nil
	}
	if err != nil || !worth {
		return false, err
	}
	before := fileSize(l.dbPath())
	if err := l.renew(ctx, true); err != nil {
		return false, err
	}
	err = l.raw(ctx, func(ctx context.Context, c *duck.Conn) error {
		if _, err := c.Exec(ctx, `CHECKPOINT`); err != nil {
			return err
		}
		_, err := c.Exec(ctx, `CREATE OR REPLACE TABLE lake_scrub(u UUID); CHECKPOINT; DROP TABLE lake_scrub; CHECKPOINT`)
		return err
	})
	if err != nil && !errors.Is(err, ErrFull) && !errors.Is(err, ErrClosed) {
		slog.Debug("lake: making the database smaller is put off", "reason", err) // a query is in the way
		return true, nil
	}
	slog.Debug("lake: the database was made smaller", "before", before, "after", fileSize(l.dbPath()))
	return false, err
}

// blocks gives the numbers of free and used blocks of the database file and the size of one.
func blocks(ctx context.Context, c *duck.Conn) (free, used, size int64, err error) {
	err = c.Query(ctx, `SELECT free_blocks, used_blocks, block_size FROM pragma_database_size() WHERE database_name = 'lake'`, nil, longs("free", "used", "size"), func(f *value.Frame) error {
		free, used, size = f.Vecs[0].I[0], f.Vecs[1].I[0], f.Vecs[2].I[0]
		return nil
	})
	if err == nil && size == 0 {
		err = errors.New("the database tells no size")
	}
	return free, used, size, err
}
