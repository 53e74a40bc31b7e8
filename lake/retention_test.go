package lake

import (
	"fmt"
	"math/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clock is a clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestRetentionAndArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	o := Options{Dir: dir, Now: c.now}
	l := openLake(t, o)
	for d := range 10 {
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime"), NDJSON: fmt.Appendf(nil, `{"k":%d,"TimeGenerated":"2026-11-%02dT06:00:00Z"}`, d, 15+d)})
	}
	day := 24 * time.Hour
	for _, bad := range [][2]time.Duration{{-1, 0}, {3 * day, 2 * day}, {0, day}} {
		if err := l.SetRetentions(ctx, "T", bad[0], bad[1]); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if err := l.SetRetentions(ctx, "T", 3*day, 7*day); err != nil {
		t.Fatal(err)
	}
	look := func(when, live, all string) {
		t.Helper()
		if err := l.expire(ctx); err != nil {
			t.Fatal(err)
		}
		if err := l.removeOld(ctx); err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(rows(t, l, "T", Need{Columns: []string{"k"}})); strings.Join(got, "") != live {
			t.Fatalf("%s: queries see %v, want %s", when, got, live)
		}
		if got := strings.Fields(rows(t, l, "T", Need{Columns: []string{"k"}, Archived: true})); strings.Join(got, "") != all {
			t.Fatalf("%s: with the archive %v, want %s", when, got, all)
		}
		d, err := l.Table(ctx, "T")
		if err != nil || d.Rows != int64(len(live)) || d.ArchivedRows != int64(len(all)-len(live)) || (d.ArchivedSegments > 0) != (len(all) > len(live)) {
			t.Fatalf("%s: %+v %v", when, d, err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "segments", "T", "*", "*"))
		if err != nil || len(files) > len(all) {
			t.Fatal(files, err)
		}
	}
	look("first", "789", "3456789")
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := s.Newest(ctx, "T", 100); err != nil || f.N != 3 {
		t.Fatal(f, err)
	}
	s.Close()
	l.Close()
	l = openLake(t, o)
	look("opened again", "789", "3456789")
	if err := l.merge(ctx, "T", l.current().table("T").Segs); err != nil { // each stays on its side
		t.Fatal(err)
	}
	look("merged", "789", "3456789")
	if err := l.SetRetentions(ctx, "T", 5*day, KeepForever); err != nil {
		t.Fatal(err)
	}
	look("longer", "56789", "3456789")
	c.at = c.at.Add(4 * day)
	look("later", "9", "3456789")
	if err := l.SetRetention(ctx, "T", 6*day); err != nil {
		t.Fatal(err)
	}
	look("without an archive", "89", "89")
	if err := l.SetRetention(ctx, "T", 0); err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(1000 * day)
	look("for ever", "89", "89")
}

func TestUsageAndStats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &clock{time.Date(2026, 11, 24, 10, 50, 0, 0, time.UTC)}
	o := Options{Dir: dir, Now: c.now}
	l := openLake(t, o)
	text := `{"k":1,"TimeGenerated":"2026-11-24T08:00:00Z"}`
	b := func(id string) Batch {
		return Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime"), NDJSON: []byte(text), OpID: id}
	}
	mustAppend(t, l, b("1"))
	mustAppend(t, l, b("1"))
	mustAppend(t, l, b("2"), Batch{Table: "U", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`), Bytes: 1000})
	c.at = c.at.Add(30 * time.Minute)
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":1}`)})
	if _, err := l.Append(ctx, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":"x"}`)}); err == nil {
		t.Fatal("taken")
	}
	want := fmt.Sprintf("T 10 2 %d, U 10 1 1000, T 11 1 7, ", 2*len(text))
	look := func(when string) {
		t.Helper()
		us, err := l.Usage(ctx, c.at.Add(-24*time.Hour), c.at)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, u := range us {
			fmt.Fprintf(&b, "%s %d %d %d, ", u.Table, u.Hour.Hour(), u.Rows, u.Bytes)
		}
		if b.String() != want {
			t.Fatalf("%s: %s, want %s", when, b.String(), want)
		}
		st, err := l.TableStats(ctx, "T")
		if err != nil || st.Rows != 3 || st.HourRows != 3 || st.DayRows != 3 || st.LateRows != 2 || st.MaxDelay.Round(time.Minute) != 170*time.Minute || st.HourBytes != 7 || st.DayBytes != int64(2*len(text)+7) {
			t.Fatalf("%s: %+v %v", when, st, err)
		}
	}
	look("running")
	if us, _ := l.Usage(ctx, c.at.Truncate(time.Hour), c.at.Add(time.Hour)); len(us) != 1 {
		t.Fatal(us)
	}
	l.Close()
	l = openLake(t, o)
	look("opened again")
	if err := l.do(ctx, func(e *edit) error { l.rotate(e); return nil }); err != nil {
		t.Fatal(err)
	}
	look("after a new journal")
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	l.Close()
	l = openLake(t, o)
	look("opened after a new journal")
	c.at = c.at.Add(UsageKeep + 2*time.Hour)
	if err := l.do(ctx, func(e *edit) error { l.rotate(e); return nil }); err != nil {
		t.Fatal(err)
	}
	if us, _ := l.Usage(ctx, time.Time{}, c.at); len(us) != 0 {
		t.Fatal(us)
	}
}

// TestCompaction seals a table a thousand times in two days and counts files, and how often a row was written.
func TestCompaction(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewSource(1))
	days := map[string][]*segment{}
	id, rows, written, most := int64(0), int64(0), int64(0), 0
	merge := func() {
		for day, segs := range days {
			for _, some := range mergeable(day, segs, now) {
				m := &segment{ID: id, Day: day}
				id++
				var rest []*segment
				for _, s := range segs {
					in := false
					for _, x := range some {
						in = in || x == s
					}
					if in {
						m.Rows += s.Rows
						m.RMax = max(m.RMax, s.RMax)
					} else {
						rest = append(rest, s)
					}
				}
				if len(some) < 2 || m.Rows > compactRows {
					t.Fatalf("%d segments of %d rows are merged", len(some), m.Rows)
				}
				written += m.Rows
				segs = append(rest, m)
			}
			days[day] = segs
		}
	}
	for range 1000 {
		day := now.Format(time.DateOnly)
		s := &segment{ID: id, Day: day, Rows: 1 + r.Int63n(3000), RMax: now.UnixMicro()}
		id++
		days[day] = append(days[day], s)
		rows += s.Rows
		written += s.Rows
		now = now.Add(3 * time.Minute)
		merge()
		n := 0
		for _, segs := range days {
			n += len(segs)
		}
		most = max(most, n)
	}
	now = now.Add(3 * 24 * time.Hour)
	merge()
	left := 0
	for _, segs := range days {
		left += len(segs)
	}
	t.Logf("1000 segments: at most %d files at a time, %d at the end; each row was written %.1f times", most, left, float64(written)/float64(rows))
	if most > 80 || left > 3 || written > 6*rows {
		t.Fatalf("at most %d files, %d at the end, %d rows written for %d", most, left, written, rows)
	}
}
