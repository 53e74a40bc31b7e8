// Command kql measures how much longer a question in KQL takes than the SQL that somebody would write by hand for
// the same DuckDB, the same rows, in the same run. The rows are made here and are the same every time.
//
//	go run ./bench/kql -rows 1000000
//
// Each question stands in queries/ as name.kql and name.sql; {T} in the SQL is the table. Those in queries/promoted
// read inside a dynamic column, and beside each stands the same over typed columns.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"os"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"strings"
	"time"
)

//go:embed queries
var questions embed.FS

const table = "SecurityEvent"

func main() {
	rows := flag.Int("rows", 1_000_000, "rows of the table")
	best := flag.Int("best", 3, "the best of so many runs counts")
	dir := flag.String("dir", "", "keep the lake here and use it again; empty is a temporary one")
	only := flag.String("only", "", "only questions whose name begins so")
	explain := flag.Bool("explain", false, "print plans and SQL")
	goOnly := flag.Bool("go", false, "also run without SQL")
	seal := flag.Bool("seal", true, "seal the rows as segments; else they stay hot")
	places := flag.Bool("promoted", true, "also measure promoted places against typed columns")
	flag.Parse()
	slog.SetLogLoggerLevel(slog.LevelWarn)
	if err := run(*rows, *best, *dir, *only, *explain, *goOnly, *seal, *places); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(rows, best int, dir, only string, explain, goOnly, seal, places bool) error {
	ctx := context.Background()
	if dir == "" {
		d, err := os.MkdirTemp("", "picket-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(d)
		dir = d
	}
	l, err := lake.Open(ctx, lake.Options{Dir: dir, WorkspaceID: "bench", MemoryLimit: 4 << 30, SealRows: int64(rows) + 1, SealBytes: 1 << 40})
	if err != nil {
		return err
	}
	defer l.Close()
	if err := load(ctx, l, rows, seal); err != nil {
		return err
	}
	names, err := questions.ReadDir("queries")
	if err != nil {
		return err
	}
	if err := demote(ctx, l); err != nil {
		return err
	}
	e := query.New(query.Options{Lake: l})
	plainE := query.New(query.Options{Lake: l, NoSQL: true})
	fmt.Printf("%-28s %10s %10s %7s %7s %9s %s\n", "question", "KQL ms", "SQL ms", "ratio", "of CPU", "rows", "")
	logSum, n := 0.0, 0
	for _, f := range names {
		name, ok := strings.CutSuffix(f.Name(), ".kql")
		if !ok || !strings.HasPrefix(name, only) {
			continue
		}
		k, err := questions.ReadFile("queries/" + name + ".kql")
		if err != nil {
			return err
		}
		s, err := questions.ReadFile("queries/" + name + ".sql")
		if err != nil {
			return err
		}
		req := query.Request{Text: string(k), Now: first.Add(days * 24 * time.Hour)}
		if explain {
			x, err := e.Explain(ctx, req)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Println(x)
		}
		tk, ts := math.Inf(1), math.Inf(1)
		ck, cs := math.Inf(1), math.Inf(1)
		var got, want int
		note := ""
		for range best {
			at, used := time.Now(), cpu()
			res, err := e.Run(ctx, req)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			ck = min(ck, cpu()-used)
			tk = min(tk, time.Since(at).Seconds()*1000)
			got = res.Tables[0].Rows()
			if res.Stats.EngineFragments == 0 {
				note = "no SQL"
			}
			at, used = time.Now(), cpu()
			if want, err = byHand(ctx, l, string(s), res.Tables[0].Schema); err != nil {
				return fmt.Errorf("%s.sql: %w", name, err)
			}
			cs = min(cs, cpu()-used)
			ts = min(ts, time.Since(at).Seconds()*1000)
		}
		if goOnly {
			at := time.Now()
			if _, err := plainE.Run(ctx, req); err != nil {
				note += fmt.Sprintf(" (Go: %v)", err)
			} else {
				note += fmt.Sprintf(" Go %.0f ms", time.Since(at).Seconds()*1000)
			}
		}
		if got != want {
			note += fmt.Sprintf(" SQL gives %d rows", want)
		}
		fmt.Printf("%-28s %10.1f %10.1f %7.2f %7.2f %9d %s\n", name, tk, ts, tk/ts, ck/cs, got, note)
		logSum += math.Log(tk / ts)
		n++
	}
	if n > 0 {
		fmt.Printf("geometric mean of the ratios: %.2f over %d questions, %d rows\n", math.Exp(logSum/float64(n)), n, rows)
	}
	if !places {
		return nil
	}
	return promoted(ctx, l, best, only, explain, seal)
}

// load fills the table when it is empty.
func load(ctx context.Context, l *lake.Lake, rows int, seal bool) error {
	if t, err := l.Table(ctx, table); err == nil && t.Rows > 0 {
		if t.Rows != int64(rows) {
			return fmt.Errorf("the lake has %d rows, not %d; give another -dir", t.Rows, rows)
		}
		return nil
	}
	const batch = 50_000
	at := time.Now()
	for from := 0; from < rows; from += batch {
		if _, err := l.Append(ctx, lake.Batch{Table: table, Frame: events(from, min(from+batch, rows), rows)}); err != nil {
			return err
		}
	}
	fmt.Printf("%d rows in %.1f s\n", rows, time.Since(at).Seconds())
	if !seal {
		return nil
	}
	return l.Seal(ctx, table)
}

// byHand runs SQL over the whole table and counts the rows that it gives.
func byHand(ctx context.Context, l *lake.Lake, sql string, s value.Schema) (int, error) {
	snap, err := l.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	rel, err := snap.Relation(table, lake.Need{})
	if err != nil {
		return 0, err
	}
	n := 0
	err = snap.Query(ctx, strings.ReplaceAll(sql, "{T}", rel.SQL), nil, s, func(f *value.Frame) error {
		n += f.N
		return nil
	})
	return n, err
}
