package lake

import (
	"errors"
	"fmt"
	"picket/kql/value"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestModel does random things to a lake and to a plain list of rows, and compares what they show: batches of random
// columns as text or as frames, some sent twice by id, some imported, some that don't fit; sealing, merging,
// snapshots that are kept, closing and opening again.
func TestModel(t *testing.T) {
	type row struct {
		cells    map[string]string
		commit   int64
		imported bool
	}
	all := cols("s:string n:long r:real d:datetime g:guid y:dynamic b:bool S:string")
	texts := map[value.Type][][2]string{ // JSON, and how it shows
		value.String:   {{`"x"`, "x"}, {`"a longer text than twelve"`, "a longer text than twelve"}, {`""`, ""}, {`null`, ""}},
		value.Long:     {{`7`, "7"}, {`9223372036854775807`, "9223372036854775807"}, {`null`, ""}},
		value.Real:     {{`1.5`, "1.5"}, {`-0.25`, "-0.25"}, {`null`, ""}},
		value.Datetime: {{`"2026-11-24T07:00:00Z"`, "2026-11-24T07:00:00.0000000Z"}, {`"2026-11-20T07:00:00.1234567Z"`, "2026-11-20T07:00:00.1234567Z"}, {`null`, ""}},
		value.GUID:     {{`"8b2f0c68-1a2b-4c3d-9e8f-001122334455"`, "8b2f0c68-1a2b-4c3d-9e8f-001122334455"}, {`null`, ""}},
		value.Dynamic:  {{`{"a":[1,null]}`, `{"a":[1,null]}`}, {`"t"`, "t"}, {`null`, ""}},
		value.Bool:     {{`true`, "True"}, {`false`, "False"}, {`null`, ""}},
	}
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{Dir: t.TempDir()}
		l := openLake(t, o)
		defer func() { _ = l.Close() }()
		var model []row
		known := map[string]bool{}
		show := func(rows []row, names []string, skip bool) string {
			var out []string
			for _, r := range rows {
				if skip && r.imported {
					continue
				}
				var b strings.Builder
				fmt.Fprintf(&b, "%d|", r.commit)
				for _, n := range names {
					b.WriteString(r.cells[n] + "|")
				}
				out = append(out, b.String())
			}
			slices.Sort(out)
			return strings.Join(out, "\n")
		}
		read := func(s *Snapshot, names []string, skip bool) string {
			var out []string
			names = append([]string{ColCommit}, names...)
			for _, line := range strings.Split(strings.TrimSuffix(snapRows(t, s, "T", Need{Columns: names, SkipImported: skip}), "\n"), "\n") {
				if line != "" {
					out = append(out, line+"|")
				}
			}
			slices.Sort(out)
			return strings.Join(out, "\n")
		}
		names := func() (n []string) {
			for _, c := range all {
				if known[c.Name] {
					n = append(n, c.Name)
				}
			}
			return n
		}
		type kept struct {
			s     *Snapshot
			model []row
			names []string
		}
		var held []kept
		release := func() {
			for _, h := range held {
				if len(h.model) == 0 { // no such table yet
					h.s.Close()
					continue
				}
				if got, want := read(h.s, h.names, false), show(h.model, h.names, false); got != want {
					rt.Fatalf("a kept snapshot shows\n%s\nwant\n%s", got, want)
				}
				h.s.Close()
			}
			held = nil
		}
		defer func() {
			for _, h := range held {
				h.s.Close()
			}
		}()
		id := 0
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				schema := rapid.SliceOfNDistinct(rapid.SampledFrom(all), 1, 4, func(c value.Column) string { return c.Name }).Draw(rt, "columns")
				imported := rapid.IntRange(0, 3).Draw(rt, "imported") == 0
				var lines []string
				var rows []row
				for range rapid.IntRange(1, 3).Draw(rt, "rows") {
					r := row{cells: map[string]string{}, imported: imported}
					var f []string
					for _, c := range schema {
						x := rapid.SampledFrom(texts[c.Type]).Draw(rt, c.Name)
						f = append(f, fmt.Sprintf(`"%s":%s`, c.Name, x[0]))
						r.cells[c.Name] = x[1]
					}
					rows = append(rows, r)
					lines = append(lines, "{"+strings.Join(f, ",")+"}")
				}
				id++
				b := Batch{Table: "T", Columns: schema, NDJSON: []byte(strings.Join(lines, "\n")), OpID: fmt.Sprint(id), Imported: imported}
				switch rapid.IntRange(0, 2).Draw(rt, "form") {
				case 1: // large enough for DuckDB's reader
					b.NDJSON = append(b.NDJSON, []byte("\n"+strings.Repeat(" ", smallBytes))...)
				case 2:
					f, err := DecodeRows(b.NDJSON, schema, nil)
					if err != nil {
						rt.Fatal(err)
					}
					b.Frame, b.NDJSON, b.Columns = f, nil, nil
				}
				a, err := l.Append(ctx, b)
				if err != nil || a.Rows != len(rows) {
					rt.Fatal(a, err)
				}
				if rapid.Bool().Draw(rt, "again") {
					if a, err := l.Append(ctx, b); err != nil || !a.Repeated {
						rt.Fatal(a, err)
					}
				}
				for i := range rows {
					rows[i].commit = a.Commit
				}
				for _, c := range schema {
					known[c.Name] = true
				}
				model = append(model, rows...)
			},
			"misfit": func(rt *rapid.T) {
				_, err := l.Append(ctx, Batch{Table: "T", Columns: cols("n:long"), NDJSON: []byte(`{"n":1}` + "\n" + `{"n":"x"}`)})
				var de *DataError
				if !errors.As(err, &de) {
					rt.Fatal(err)
				}
			},
			"seal": func(rt *rapid.T) {
				if err := l.Seal(ctx, "T"); err != nil && !errors.Is(err, ErrNoTable) {
					rt.Fatal(err)
				}
			},
			"merge": func(rt *rapid.T) {
				for _, days := range bySegmentDay(l) {
					if err := l.merge(ctx, "T", days); err != nil {
						rt.Fatal(err)
					}
				}
				if err := l.removeOld(ctx); err != nil {
					rt.Fatal(err)
				}
			},
			"promote": func(rt *rapid.T) {
				if known["y"] {
					d := Derived{Column: "y", Key: "tostring(y.a)", SQL: `coalesce(json_extract_string($col, '$.a'), '')`, Type: value.String}
					if err := l.Promote(ctx, "T", d); err != nil {
						rt.Fatal(err)
					}
					if err := l.Materialize(ctx, "T"); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"purge": func(rt *rapid.T) {
				release()
				cond, cell := Cond{Column: "s", Op: "==", Value: "x"}, "x"
				if rapid.Bool().Draw(rt, "by time") {
					cond, cell = Cond{Column: "d", Op: "==", Value: "2026-11-20T07:00:00.1234567Z"}, "2026-11-20T07:00:00.1234567Z"
				}
				if !known[cond.Column] {
					return
				}
				if _, err := l.Purge(ctx, "T", cond); err != nil {
					rt.Fatal(err)
				}
				drainPurges(t, l)
				model = slices.DeleteFunc(slices.Clone(model), func(r row) bool { return r.cells[cond.Column] == cell })
			},
			"renew": func(rt *rapid.T) {
				if err := l.renew(ctx, rapid.Bool().Draw(rt, "hot")); err != nil {
					rt.Fatal(err)
				}
			},
			"keep": func(rt *rapid.T) {
				s, err := l.Snapshot(ctx)
				if err != nil {
					rt.Fatal(err)
				}
				held = append(held, kept{s, slices.Clone(model), names()})
				if len(held) > 2 {
					release()
				}
			},
			"reopen": func(rt *rapid.T) {
				release()
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
				l = openLake(t, o)
			},
			"": func(rt *rapid.T) {
				if len(model) == 0 {
					return
				}
				s, err := l.Snapshot(ctx)
				if err != nil {
					rt.Fatal(err)
				}
				defer s.Close()
				for _, skip := range []bool{false, true} {
					if got, want := read(s, names(), skip), show(model, names(), skip); got != want {
						rt.Fatalf("skip %v: the lake shows\n%s\nwant\n%s", skip, got, want)
					}
				}
				f, err := s.Newest(ctx, "T", 3)
				if err != nil || f.N != min(3, len(model)) {
					rt.Fatal(f, err)
				}
			},
		})
		release()
	})
}

func bySegmentDay(l *Lake) map[string][]*segment {
	out := map[string][]*segment{}
	if t := l.current().table("T"); t != nil {
		for _, s := range t.Segs {
			k := s.Day + fmt.Sprint(s.Imported)
			out[k] = append(out[k], s)
		}
	}
	return out
}
