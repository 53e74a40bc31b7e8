package lake

import (
	"context"
	"errors"
	"slices"
	"time"
)

// When small segments of one table and day are merged, and how large a merged one may get.
const (
	compactFrom  = 8              // of about the same size
	compactRows  = 4_000_000      // of a merged segment, at most
	settledDay   = 54 * time.Hour // from its beginning on a day is over, late rows included,
	settledQuiet = 6 * time.Hour  // when nothing came for so long: then it is merged whatever the sizes,
	settledShare = 16             // unless the smaller segments make up less than this part of it
)

// compact merges the small segments of a table's day: eight of about the same size at a time, so that a row is
// rewritten once for each step of size and not with each merge, and what is left of a day when it is over.
func (l *Lake) compact(ctx context.Context) error {
	type key struct {
		day                string
		imported, archived bool
	}
	var errs []error
	now := l.o.Now()
	for name, t := range l.current().tables {
		days := map[key][]*segment{}
		for _, s := range t.Segs {
			if s.Rows < compactRows/4 {
				k := key{s.Day, s.Imported, s.Archived}
				days[k] = append(days[k], s)
			}
		}
		for k, segs := range days {
			for _, some := range mergeable(k.day, segs, now) {
				errs = append(errs, l.merge(ctx, name, some))
			}
		}
	}
	return errors.Join(errs...)
}

// mergeable chooses the segments to merge of one day's.
func mergeable(day string, segs []*segment, now time.Time) [][]*segment {
	if len(segs) < 2 {
		return nil
	}
	var rows, largest, last int64
	tiers := map[int][]*segment{}
	for _, s := range segs {
		rows += s.Rows
		largest, last = max(largest, s.Rows), max(last, s.RMax)
		n := 0
		for r := s.Rows; r >= compactFrom; r /= compactFrom {
			n++
		}
		tiers[n] = append(tiers[n], s)
	}
	from, err := time.Parse(time.DateOnly, day)
	if err == nil && now.Sub(from) > settledDay && now.Sub(time.UnixMicro(last)) > settledQuiet &&
		((rows-largest)*settledShare > rows || len(segs) >= compactFrom) {
		return upTo(segs)
	}
	var out [][]*segment
	for _, some := range tiers {
		if len(some) >= compactFrom {
			out = append(out, upTo(some)...)
		}
	}
	return out
}

// upTo cuts the segments, oldest first, into groups that are not too large to merge; one alone is left out.
func upTo(segs []*segment) [][]*segment {
	segs = slices.Clone(segs)
	slices.SortFunc(segs, func(a, b *segment) int { return int(a.ID - b.ID) })
	var out [][]*segment
	for len(segs) > 0 {
		n, rows := 0, int64(0)
		for n < len(segs) && n < 256 && (n < 1 || rows+segs[n].Rows <= compactRows) {
			rows += segs[n].Rows
			n++
		}
		if n > 1 {
			out = append(out, segs[:n])
		}
		segs = segs[n:]
	}
	return out
}
