package lake

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"slices"
	"strings"
)

// write makes one durable Parquet file a day of the sources' rows, or fewer when there are many days.
func (s *Snapshot) write(ctx context.Context, t *tableDef, sources []source, imported bool) ([]*segment, error) {
	have := map[string]bool{}
	for _, src := range sources {
		for _, c := range src.columns {
			have[c] = true
		}
	}
	var cols []relCol
	var names []string
	for i := range t.Columns {
		c := &t.Columns[i]
		if !have[c.Phys] {
			continue
		}
		r := relCol{RelColumn: RelColumn{Name: c.Name, Type: c.Type, Physical: c.Phys}, phys: c.Phys}
		names = append(names, c.Phys)
		if have[c.Phys+"$t"] {
			r.Ticks = c.Phys + "$t"
			names = append(names, r.Ticks)
		}
		cols = append(cols, r)
	}
	for _, h := range []string{ColReceived, ColCommit, ColRow} {
		cols = append(cols, relCol{RelColumn: RelColumn{Name: h, Type: Hidden[Hidden.Index(h)].Type, Physical: h}, phys: h, hidden: true})
	}
	rel := relationSQL(t, cols, sources)
	var derived []string
	for _, d := range t.Derived {
		if c := d.col(t); have[c.base.phys] {
			cols = append(cols, c)
			derived = append(derived, d.Phys)
		}
	}

	days, err := s.days(ctx, rel)
	if err != nil {
		return nil, err
	}
	var out []*segment
	dirs := map[string]bool{}
	for _, d := range days {
		seg := &segment{Day: d.name, Rows: d.rows, Columns: names, Derived: derived, Imported: imported, TMin: d.tmin, TMax: d.tmax, RMin: d.rmin, RMax: d.rmax}
		rel := relationSQL(t, cols, filtered(sources, d.cond))
		dir := filepath.Join("segments", t.Name, "day="+d.name)
		if err := s.l.o.Files.MkdirAll(filepath.Join(s.l.o.Dir, dir)); err != nil {
			return out, s.l.diskError("make the folder of a segment", err)
		}
		seg.Path = filepath.Join(dir, rand.Text()+".parquet")
		out = append(out, seg)
		path := s.l.segmentPath(seg)
		err = s.with(ctx, func(ctx context.Context) error {
			n, err := s.c.Exec(ctx, fmt.Sprintf(`COPY (SELECT * FROM %s ORDER BY "%s", "%s") TO %s (FORMAT parquet, COMPRESSION zstd)`, rel, colTime, ColRow, duck.Text(path)))
			if err == nil && n != d.rows {
				err = fmt.Errorf("%s holds %d rows in place of %d", path, n, d.rows)
			}
			return err
		})
		if err != nil {
			return out, err
		}
		if err := s.l.o.Files.Sync(path); err != nil {
			return out, s.l.diskError("write a segment", err)
		}
		if seg.Bytes, err = s.verify(ctx, path, d.rows); err != nil {
			return out, s.l.diskError("write a segment", err)
		}
		dirs[filepath.Dir(path)] = true
	}
	for d := range dirs {
		for _, d := range []string{d, filepath.Dir(d), filepath.Dir(filepath.Dir(d))} {
			if err := s.l.o.Files.Sync(d); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// maxDays is how many days get files of their own from one sealing. Rows that are spread over more, as when a sender's
// clock or a file of history is odd, share a file, but for the days that have a good part of them.
const maxDays = 64

const dayMicros = 86_400_000_000

// day is what goes into one file.
type day struct {
	name                   string // the day, or oddPast, oddFuture
	cond                   string // on the rows of a source
	from, rows             int64
	tmin, tmax, rmin, rmax int64
}

// The names of files with many days: up to now, and later.
const (
	oddPast   = "past"
	oddFuture = "future"
)

// days counts the rows of a relation by day.
func (s *Snapshot) days(ctx context.Context, rel string) ([]day, error) {
	var days []day
	schema := append(texts("day"), longs("from", "n", "t0", "t1", "r0", "r1")...)
	q := fmt.Sprintf(`SELECT strftime(d, '%%Y-%%m-%%d'), epoch_us(d), count(*), epoch_us(min(t)), epoch_us(max(t)), epoch_us(min(r)), epoch_us(max(r)) FROM
		(SELECT date_trunc('day', "%s" AT TIME ZONE 'UTC') AS d, "%s" AS t, "%s" AS r FROM %s) GROUP BY d ORDER BY d`, colTime, colTime, ColReceived, rel)
	err := s.Query(ctx, q, nil, schema, func(f *value.Frame) error {
		for i := range f.N {
			v := f.Vecs
			d := day{name: v[0].S[i], from: v[1].I[i], rows: v[2].I[i], tmin: v[3].I[i], tmax: v[4].I[i], rmin: v[5].I[i], rmax: v[6].I[i]}
			d.cond = fmt.Sprintf(`"%s" >= make_timestamptz(%d) AND "%s" < make_timestamptz(%d)`, colTime, d.from, colTime, d.from+dayMicros)
			days = append(days, d)
		}
		return nil
	})
	if err != nil || len(days) <= maxDays {
		return days, err
	}
	return share(days, s.l.o.Now().UnixMicro()), nil
}

// share puts the days with few rows together.
func share(days []day, now int64) []day {
	var total int64
	for _, d := range days {
		total += d.rows
	}
	var out []day
	var own []string
	odd := map[string]*day{}
	for _, d := range days {
		if d.rows > total/maxDays {
			own = append(own, fmt.Sprint(d.from))
			out = append(out, d)
			continue
		}
		name := oddPast
		if d.from > now {
			name = oddFuture
		}
		o := odd[name]
		if o == nil {
			o = &day{name: name, tmin: d.tmin, tmax: d.tmax, rmin: d.rmin, rmax: d.rmax}
			odd[name] = o
		}
		o.rows += d.rows
		o.tmin, o.tmax, o.rmin, o.rmax = min(o.tmin, d.tmin), max(o.tmax, d.tmax), min(o.rmin, d.rmin), max(o.rmax, d.rmax)
	}
	for name, o := range odd {
		than := "<="
		if name == oddFuture {
			than = ">"
		}
		o.cond = fmt.Sprintf(`epoch_us(date_trunc('day', "%s" AT TIME ZONE 'UTC')) %s %d`, colTime, than, now)
		if len(own) > 0 {
			o.cond += fmt.Sprintf(` AND epoch_us(date_trunc('day', "%s" AT TIME ZONE 'UTC')) NOT IN (%s)`, colTime, strings.Join(own, ", "))
		}
		out = append(out, *o)
	}
	return out
}

// verify looks that a new file is whole, as far as its length and its footer tell, and gives its size.
func (s *Snapshot) verify(ctx context.Context, path string, rows int64) (size int64, err error) {
	st, err := s.l.o.Files.Stat(path)
	if err != nil {
		return 0, err
	}
	v, err := s.l.Snapshot(ctx) // a query that fails would end the transaction
	if err != nil {
		return 0, err
	}
	defer v.Close()
	have := int64(-1)
	err = v.Query(ctx, `SELECT num_rows FROM parquet_file_metadata(`+duck.Text(path)+`)`, nil, longs("n"), func(f *value.Frame) error {
		have = f.Vecs[0].I[0]
		return nil
	})
	if err == nil && have != rows {
		err = fmt.Errorf("its footer counts %d rows in place of %d", have, rows)
	}
	if err != nil {
		return 0, fmt.Errorf("%s is not whole after it was synced: %w", path, err)
	}
	return st.Size(), nil
}

func filtered(sources []source, cond string) []source {
	out := slices.Clone(sources)
	for i := range out {
		if out[i].filter != "" {
			out[i].filter = "(" + out[i].filter + ") AND " + cond
		} else {
			out[i].filter = cond
		}
	}
	return out
}
