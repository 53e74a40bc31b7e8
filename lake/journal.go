package lake

import (
	"context"
	"crypto/sha256"
	"fmt"
	"picket/kql/value"
	"picket/lake/duck"
	"strconv"
	"strings"
	"time"
)

// The journal is one append-only table that every commit adds to, so that the last commit, the marks and the
// applied ids are durable with the rows by the same fsync, without an update on the write path. It begins anew as
// journal_<n+1> when most of it is outdated.
const journalColumns = `("commit" BIGINT, received BIGINT, version BIGINT, kind VARCHAR, key VARCHAR, val VARCHAR)`

const (
	kindCommit = "c"
	kindMark   = "m"
	kindOp     = "o"
	kindUsage  = "u"
)

// OpKeep is how long the id of an applied batch is remembered.
const OpKeep = 14 * 24 * time.Hour

const journalSlack = 200_000 // outdated rows that are left lying

type opKey [16]byte

type opDone struct {
	commit, received int64
	rows             int
}

func keyOf(id string) (k opKey) {
	h := sha256.Sum256([]byte(id))
	copy(k[:], h[:])
	return k
}

type journalRow struct{ kind, key, val string }

func (l *Lake) journalTable(c *catalog) string { return "journal_" + strconv.FormatInt(c.journal, 10) }

// writeJournal adds a commit's rows.
func writeJournal(ctx context.Context, c *duck.Conn, table string, commit, received, version int64, rows []journalRow) error {
	n := len(rows)
	col := func(f func(r journalRow) string) duck.Col {
		s := make([]string, n)
		for i, r := range rows {
			s[i] = f(r)
		}
		return duck.Col{Vec: value.StringVector(s)}
	}
	long := func(x int64) duck.Col { return duck.Col{Vec: value.ConstOf(value.OfLong(x), n)} }
	return c.Append(ctx, table, []duck.Col{
		long(commit), long(received), long(version),
		col(func(r journalRow) string { return r.kind }), col(func(r journalRow) string { return r.key }), col(func(r journalRow) string { return r.val }),
	}, n)
}

func (l *Lake) loadJournal(ctx context.Context, c *duck.Conn, cat *catalog) error {
	marks := map[string]string{}
	usage := usageMap{}
	l.ops = map[opKey]opDone{}
	l.commit, l.received, l.journal = 0, 0, 0
	schema := append(longs("commit", "received", "version"), texts("kind", "key", "val")...)
	markAt := map[string]int64{}
	err := c.Query(ctx, `SELECT * FROM `+l.journalTable(cat), nil, schema, func(f *value.Frame) error {
		l.journal += int64(f.N)
		for i := range f.N {
			commit, received := f.Vecs[0].I[i], f.Vecs[1].I[i]
			l.commit, l.received = max(l.commit, commit), max(l.received, received)
			cat.version = max(cat.version, f.Vecs[2].I[i])
			key, val := f.Vecs[4].S[i], f.Vecs[5].S[i]
			switch f.Vecs[3].S[i] {
			case kindMark:
				if commit >= markAt[key] {
					markAt[key] = commit
					marks[key] = val
				}
			case kindUsage:
				if err := usage.read(key, val); err != nil {
					return err
				}
			case kindOp:
				n, err := strconv.Atoi(val)
				if err != nil {
					return fmt.Errorf("the row of id %q holds %q", key, val)
				}
				l.ops[keyOf(key)] = opDone{commit: commit, received: received, rows: n}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for k, v := range marks {
		if v == "" {
			delete(marks, k)
		}
	}
	l.mu.Lock()
	l.marks, l.usage = marks, usage
	l.mu.Unlock()
	return nil
}

// rotate begins a new journal with what still counts. It runs on the committer.
func (l *Lake) rotate(e *edit) {
	old := l.journalTable(e.cat)
	e.cat.journal++
	e.changed = true
	table := l.journalTable(e.cat)
	keep := l.o.Now().Add(-OpKeep).UnixMicro()
	e.sql = append(e.sql,
		`CREATE TABLE `+table+journalColumns,
		fmt.Sprintf(`INSERT INTO %s SELECT * FROM %s WHERE kind = '%s' AND received >= %d`, table, old, kindOp, keep),
		`CREATE OR REPLACE VIEW lake_head AS SELECT max("commit") AS c, max(received) AS r, max(version) AS v FROM `+table,
		`DROP TABLE `+old,
		fmt.Sprintf(`UPDATE lake_counter SET journal = %d`, e.cat.journal))
	l.mu.Lock()
	for k, v := range l.marks {
		e.rows = append(e.rows, journalRow{kindMark, k, v})
	}
	l.usage.prune(hourOf(l.o.Now().Add(-UsageKeep).UnixMicro()))
	for k, u := range l.usage {
		e.rows = append(e.rows, u.row(k))
	}
	l.mu.Unlock()
	for k, d := range l.ops {
		if d.received < keep {
			delete(l.ops, k)
		}
	}
	e.rotated = true
}

// Mark returns the last stored note of the key, "" when there is none.
func (l *Lake) Mark(ctx context.Context, key string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marks[key], nil
}

// Marks gives all notes whose key begins with prefix.
func (l *Lake) Marks(ctx context.Context, prefix string) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]string{}
	for k, v := range l.marks {
		if strings.HasPrefix(k, prefix) {
			out[k] = v
		}
	}
	return out, nil
}
