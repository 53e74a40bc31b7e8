package main

import (
	"context"
	"fmt"
	"math"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"strings"
	"time"
)

// typedTable has the same rows, with what the questions read inside Properties as columns made by hand.
const typedTable = "SecurityEventTyped"

var typedColumns = []struct {
	value.Column
	sql string
}{
	{value.Column{Name: "TimeGenerated", Type: value.Datetime}, `"TimeGenerated"`},
	{value.Column{Name: "Computer", Type: value.String}, `"Computer"`},
	{value.Column{Name: "Country", Type: value.String}, `"Properties" ->> '$.Country'`},
	{value.Column{Name: "GeoCountry", Type: value.String}, `"Properties" ->> '$.Geo.Country'`},
	{value.Column{Name: "Risk", Type: value.Real}, `("Properties" ->> '$.Risk')::DOUBLE`},
}

// promoted measures questions that read inside a dynamic column against the same over typed columns: first as they
// come, then when their places are promoted.
func promoted(ctx context.Context, l *lake.Lake, best int, only string, explain, seal bool) error {
	names, err := questions.ReadDir("queries/promoted")
	if err != nil {
		return err
	}
	type pair struct{ name, dynamic, typed string }
	var pairs []pair
	for _, f := range names {
		name, ok := strings.CutSuffix(f.Name(), ".typed.kql")
		if !ok || !strings.HasPrefix(name, only) {
			continue
		}
		p := pair{name: name}
		for path, to := range map[string]*string{".kql": &p.dynamic, ".typed.kql": &p.typed} {
			b, err := questions.ReadFile("queries/promoted/" + name + path)
			if err != nil {
				return err
			}
			*to = string(b)
		}
		pairs = append(pairs, p)
	}
	if len(pairs) == 0 {
		return nil
	}
	if err := loadTyped(ctx, l, seal); err != nil {
		return fmt.Errorf("make the table of typed columns: %w", err)
	}
	e := query.New(query.Options{Lake: l, PromoteAfter: 1})
	fmt.Printf("\n%-28s %10s %10s %10s %7s %7s %9s\n", "promoted places", "dynamic", "promoted", "typed ms", "ratio", "of CPU", "rows")
	before := make([]float64, len(pairs))
	for i, p := range pairs {
		if before[i], _, _, err = fastest(ctx, e, p.dynamic, best); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	// the lake learns of what was asked in the background
	for n, last := 0, time.Now(); time.Since(last) < 2*time.Second; time.Sleep(50 * time.Millisecond) {
		if k := len(l.Promoted(table)); k != n {
			n, last = k, time.Now()
		}
	}
	at := time.Now()
	if err := l.Materialize(ctx, table); err != nil {
		return err
	}
	rewritten := time.Since(at)
	for i, p := range pairs {
		if explain {
			x, err := e.Explain(ctx, query.Request{Text: p.dynamic})
			if err != nil {
				return err
			}
			fmt.Println(x)
		}
		td, tt, cd, ct := math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)
		var rows, want int
		for range best {
			d, dc, n, err := fastest(ctx, e, p.dynamic, 1)
			if err != nil {
				return fmt.Errorf("%s, promoted: %w", p.name, err)
			}
			t, tc, m, err := fastest(ctx, e, p.typed, 1)
			if err != nil {
				return fmt.Errorf("%s.typed: %w", p.name, err)
			}
			td, tt, cd, ct, rows, want = min(td, d), min(tt, t), min(cd, dc), min(ct, tc), n, m
		}
		note := ""
		if rows != want {
			note = fmt.Sprintf(" over typed columns %d rows", want)
		}
		fmt.Printf("%-28s %10.1f %10.1f %10.1f %7.2f %7.2f %9d%s\n", p.name, before[i], td, tt, td/tt, cd/ct, rows, note)
	}
	fmt.Printf("%d values promoted; rewriting the stored rows took %.1f s\n", len(l.Promoted(table)), rewritten.Seconds())
	return nil
}

// fastest runs a question some times: its best time and processor time in milliseconds, and its rows.
func fastest(ctx context.Context, e *query.Engine, text string, times int) (ms, used float64, rows int, err error) {
	ms, used = math.Inf(1), math.Inf(1)
	for range times {
		at, before := time.Now(), cpu()
		res, err := e.Run(ctx, query.Request{Text: text, Now: first.Add(days * 24 * time.Hour)})
		if err != nil {
			return 0, 0, 0, err
		}
		used = min(used, cpu()-before)
		ms, rows = min(ms, time.Since(at).Seconds()*1000), res.Tables[0].Rows()
	}
	return ms, used, rows, nil
}

// demote ends the promotions of an earlier run.
func demote(ctx context.Context, l *lake.Lake) error {
	for _, d := range l.Promoted(table) {
		if err := l.Demote(ctx, table, d.Key); err != nil {
			return err
		}
	}
	return nil
}

// loadTyped fills the table of typed columns when it is empty.
func loadTyped(ctx context.Context, l *lake.Lake, seal bool) error {
	of, err := l.Table(ctx, table)
	if err != nil {
		return err
	}
	if t, err := l.Table(ctx, typedTable); err == nil {
		if t.Rows == of.Rows {
			return nil
		}
		if err := l.DropTable(ctx, typedTable); err != nil { // a run that was cut off
			return err
		}
	}
	snap, err := l.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	rel, err := snap.Relation(table, lake.Need{})
	if err != nil {
		return err
	}
	var s value.Schema
	var list []string
	for _, c := range typedColumns {
		s = append(s, c.Column)
		list = append(list, c.sql)
	}
	batch := value.Frame{Schema: s}
	flush := func() error {
		if batch.N == 0 {
			return nil
		}
		f := batch
		batch = value.Frame{Schema: s}
		_, err := l.Append(ctx, lake.Batch{Table: typedTable, Frame: &f})
		return err
	}
	err = snap.Query(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+rel.SQL, nil, s, func(f *value.Frame) error {
		if batch.N == 0 {
			batch.Vecs = f.Vecs
		} else {
			for i := range batch.Vecs {
				batch.Vecs[i].AppendVector(f.Vecs[i])
			}
		}
		if batch.N += f.N; batch.N < 100_000 {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil || !seal {
		return err
	}
	return l.Seal(ctx, typedTable)
}
