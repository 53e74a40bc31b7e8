package main

import (
	"context"
	"fmt"
	"path/filepath"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/eval"
	"picket/kql/kqltest"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
	"time"

	kqlexec "picket/kql/exec"
)

// maxErrata is the part of the documentation's values that the errata may take.
const maxErrata = 0.04

// noRows refuses to answer over a table whose rows no corpus gives: an empty table would give a wrong value.
func noRows(_ context.Context, s *plan.Scan) kqlexec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		yield(nil, syntax.ErrorList{{Code: syntax.CodeNotSupported, Msg: "the rows of the table " + s.Table + " are not part of the corpus", Line: 1, Column: 1}})
	}
}

// noFiles answers externaldata with files of no rows.
func noFiles(context.Context, *plan.ExternalData, []string) kqlexec.Frames {
	return func(func(*value.Frame, error) bool) {}
}

// values counts the answers that agree with those of a file; what does not is an erratum of the documentation, refused
// by name, or a difference.
func (r *report) values(file, what string) func() error {
	return func() error {
		cs, err := r.read("kql/" + file)
		if err != nil {
			return err
		}
		tables, err := r.tables("kql/docs_tables.json")
		if err != nil {
			return err
		}
		errata, err := kqltest.ReadErrata(filepath.Join("kql", "testdata", "errata.json"))
		if err != nil {
			return err
		}
		docs := strings.HasPrefix(file, "docs")
		good, wrong, refused, wrongInPrint := 0, 0, 0, 0
		for i, a := range each(cs, kql.Input{Schema: tables, Rows: noRows, Exec: kqlexec.Options{Timeout: perQuery}}) {
			c := cs[i]
			e, known := errata[c.ID]
			if a.Err != nil {
				refused++
				r.fail(what+": refused", c.ID, a.Err.Error())
				continue
			}
			var got kqltest.Table
			if len(a.Tables) > 0 {
				got = kqltest.TableOf(a.Tables[0].Schema, a.Tables[0].Frames)
			}
			want := kqltest.Expected{Columns: c.Expected.Columns, Rows: c.Expected.Rows}
			if docs {
				want = kqltest.Printed(want, got)
			}
			v, detail, _ := kqltest.Compare(c.Query, want, got)
			switch {
			case v == kqltest.Pass:
				good++
				if known {
					r.fail(what+": agree though they are among the errata", c.ID, e.Why)
				}
			case known:
				wrongInPrint++
				r.whole(what+": errata", c.ID, e.Why+". "+e.Evidence)
			default:
				wrong++
				r.fail(what+": differ", c.ID, string(v)+": "+detail)
			}
		}
		goal := "90%"
		if !docs {
			goal = "97%"
		}
		r.add(what+": agrees", "Microsoft's engine", good, len(cs), goal)
		if docs {
			r.add("… errata", "their pages and the engine's records", wrongInPrint, len(cs), fmt.Sprintf("at most %.0f%%", 100*maxErrata))
			if float64(wrongInPrint) > maxErrata*float64(len(cs)) {
				return fmt.Errorf("%d errata are more than %.0f%% of %d", wrongInPrint, 100*maxErrata, len(cs))
			}
		}
		r.add("… refused by name", "", refused, len(cs), "")
		r.add("… differs", "", wrong, len(cs), "none")
		return nil
	}
}

// whole lists a failure with all that is said about it.
func (r *report) whole(group, id, why string) {
	r.fails = append(r.fails, failure{group, id, strings.Join(strings.Fields(why), " ")})
}

// contentRows runs the published queries over 1,000 made-up rows a table.
func (r *report) contentRows() error {
	const what = "Content that should run on 1,000 made-up rows a table"
	cs, err := r.read("content/queries.jsonl")
	if err != nil {
		return err
	}
	tables, err := r.tables("content/tables.json")
	if err != nil {
		return err
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ticks, ok := value.TicksOf(now)
	if !ok {
		return fmt.Errorf("%v is no time of a query", now)
	}
	frames := func(table string, cols []plan.Col) kqlexec.Frames {
		return func(yield func(*value.Frame, error) bool) {
			s := make(value.Schema, len(cols))
			for i, c := range cols {
				s[i] = value.Column{Name: c.Name, Type: c.Type}
			}
			yield(kqltest.MadeUp(table, s, 1000, ticks), nil)
		}
	}
	in := kql.Input{
		Now:  now,
		Rows: func(_ context.Context, s *plan.Scan) kqlexec.Frames { return frames(s.Table, s.Out) },
		Exec: kqlexec.Options{
			Timeout: perQuery,
			External: func(_ context.Context, e *plan.ExternalData, _ []string) kqlexec.Frames {
				return frames("files", e.Out)
			},
			// as a server into which no place data was imported: it knows no address
			Context: func(c *eval.Ctx) { c.Geo = func(string) (*value.Bag, bool) { return nil, false } },
		},
	}
	run := 0
	for _, c := range cs {
		in.Schema = mentioned(tables, c.Query)
		ctx, cancel := context.WithTimeout(context.Background(), perQuery)
		a := kql.Answer(ctx, c.Query, in)
		cancel()
		if a.Err == nil {
			run++
		} else {
			r.fail(what, c.ID, a.Err.Error())
		}
	}
	r.add("… and run on 1,000 made-up rows a table", "", run, len(cs), "98%")
	return nil
}

// often are tables that queries over all tables find.
var often = []string{"SecurityEvent", "SigninLogs", "DeviceEvents", "AlertInfo", "OfficeActivity", "AzureActivity", "Event", "Syslog"}

// mentioned are the tables that a query may mean, and a few more for queries over all of them.
func mentioned(all bind.Tables, query string) bind.Tables {
	out := bind.Tables{}
	for name, cols := range all {
		if strings.Contains(query, name) {
			out[name] = cols
		}
	}
	for _, name := range often {
		if cols, ok := all[name]; ok {
			out[name] = cols
		}
	}
	return out
}
