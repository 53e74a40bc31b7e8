package lake

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// UsageKeep is how long the counters of Usage are kept.
const UsageKeep = 32 * 24 * time.Hour

const maxUsage = 500_000 // counters kept; the oldest go first

// Usage counts what a table took in within one hour.
type Usage struct {
	Table string
	Hour  time.Time // its beginning, UTC
	Rows  int64
	Bytes int64 // as received: Batch.Bytes
}

type usageKey struct {
	table string
	hour  int64 // since 1970
}

type usageSum struct{ rows, bytes int64 }

type usageMap map[usageKey]usageSum

const hourMicros = 3_600_000_000

func hourOf(micros int64) int64 { return micros / hourMicros }

func (m usageMap) add(k usageKey, rows, bytes int64) {
	u := m[k]
	m[k] = usageSum{u.rows + rows, u.bytes + bytes}
}

func (u usageSum) row(k usageKey) journalRow {
	return journalRow{kindUsage, k.table, fmt.Sprintf("%d %d %d", k.hour, u.rows, u.bytes)}
}

// read adds a row of the journal.
func (m usageMap) read(table, val string) error {
	var hour, rows, bytes int64
	if _, err := fmt.Sscanf(val, "%d %d %d", &hour, &rows, &bytes); err != nil {
		return fmt.Errorf("the counter of table %s holds %q", table, val)
	}
	m.add(usageKey{table, hour}, rows, bytes)
	return nil
}

// prune forgets the counters of before a time, and the oldest of too many.
func (m usageMap) prune(before int64) {
	for k := range m {
		if k.hour < before {
			delete(m, k)
		}
	}
	if len(m) <= maxUsage {
		return
	}
	keys := make([]usageKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b usageKey) int { return cmp.Compare(a.hour, b.hour) })
	for _, k := range keys[:len(keys)-maxUsage] {
		delete(m, k)
	}
}

// Usage gives the counters of the hours that begin at or after from and before to, by hour and table. An hour counts
// what was acknowledged in it; a batch that is sent again by its OpID is not counted again. The counters are stored
// with the rows, in the same commit, and kept for [UsageKeep].
func (l *Lake) Usage(ctx context.Context, from, to time.Time) ([]Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Usage
	for k, u := range l.usage {
		hour := time.UnixMicro(k.hour * hourMicros).UTC()
		if !hour.Before(from) && hour.Before(to) {
			out = append(out, Usage{Table: k.table, Hour: hour, Rows: u.rows, Bytes: u.bytes})
		}
	}
	slices.SortFunc(out, func(a, b Usage) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.Table, b.Table))
	})
	return out, nil
}
