package lake

import (
	"context"
	"fmt"
	"picket/kql/value"
	"time"
)

// LateAfter is how far behind its receipt a row's TimeGenerated must lie for the row to count as late.
const LateAfter = time.Hour

// TableStats is a table with what it took in lately.
type TableStats struct {
	Table
	HourRows int64 // rows stored now that were received within the last hour, and day
	DayRows  int64
	LateRows int64         // of DayRows, without imported ones: received more than LateAfter after their TimeGenerated
	MaxDelay time.Duration // the most that one of DayRows was behind, without imported ones; 0 when none was

	// As received, in whole hours of the clock: the one under way, and the last 24 with it.
	HourBytes int64
	DayBytes  int64
}

// TableStats measures a table by its stored rows and by the counters of Usage. It reads the rows of the last day.
func (l *Lake) TableStats(ctx context.Context, name string) (TableStats, error) {
	s, err := l.Snapshot(ctx)
	if err != nil {
		return TableStats{}, err
	}
	defer s.Close()
	t := s.cat.table(name)
	if t == nil {
		return TableStats{}, fmt.Errorf("table %s: %w", name, ErrNoTable)
	}
	now := l.o.Now()
	out := TableStats{}
	if out.Table, err = s.measure(ctx, t); err != nil {
		return out, fmt.Errorf("measure table %s: %w", name, err)
	}
	rel, err := s.Relation(t.Name, Need{Columns: []string{colTime, ColReceived, ColImported}, ReceivedAfter: now.Add(-24 * time.Hour), Archived: true})
	if err != nil {
		return out, fmt.Errorf("measure table %s: %w", name, err)
	}
	delay := fmt.Sprintf(`CASE WHEN NOT "%s" THEN epoch_us("%s") - epoch_us("%s") END`, ColImported, ColReceived, colTime)
	q := fmt.Sprintf(`SELECT count(*) FILTER ("%s" > make_timestamptz(%d)), count(*), count(*) FILTER (%s > %d), greatest(coalesce(max(%s), 0), 0) FROM %s`,
		ColReceived, now.Add(-time.Hour).UnixMicro(), delay, LateAfter.Microseconds(), delay, rel.SQL)
	err = s.Query(ctx, q, nil, longs("hour", "day", "late", "delay"), func(f *value.Frame) error {
		out.HourRows, out.DayRows, out.LateRows = f.Vecs[0].I[0], f.Vecs[1].I[0], f.Vecs[2].I[0]
		out.MaxDelay = time.Duration(min(f.Vecs[3].I[0], KeepForever.Microseconds())) * time.Microsecond
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("measure table %s: %w", name, err)
	}
	hour := hourOf(now.UnixMicro())
	l.mu.Lock()
	defer l.mu.Unlock()
	for h := hour - 23; h <= hour; h++ {
		u := l.usage[usageKey{t.Name, h}]
		out.DayBytes += u.bytes
		if h == hour {
			out.HourBytes = u.bytes
		}
	}
	return out, nil
}
