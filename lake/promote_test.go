package lake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"picket/kql/value"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	country = Derived{Column: "P", Key: "tostring(P.Country)", SQL: `coalesce(json_extract_string($col, '$.Country'), '')`, Type: value.String}
	risk    = Derived{Column: "P", Key: "toreal(P.Risk)", SQL: `TRY_CAST(json_extract_string($col, '$.Risk') AS DOUBLE)`, Type: value.Real}
	careful = Derived{Column: "P", Key: "tolong(P.N)", SQL: `CAST(json_extract_string($col, '$.N') AS BIGINT)`, Type: value.Long} // fails on "x"
)

// promotedRows reads the asked expressions, which must all be promoted.
func promotedRows(t *testing.T, l *Lake, ds ...Derived) string {
	t.Helper()
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rel, err := s.Relation("T", Need{Columns: []string{"k"}, Derived: ds})
	if err != nil {
		t.Fatal(err)
	}
	sel, schema := []string{"k"}, cols("k:long")
	for _, d := range ds {
		if rel.Derived[d.Key] == "" {
			t.Fatalf("%s is not promoted: %v", d.Key, rel.Derived)
		}
		sel = append(sel, `"`+rel.Derived[d.Key]+`"`)
		schema = append(schema, value.Column{Name: d.Key, Type: d.Type})
	}
	var out strings.Builder
	err = s.Query(ctx, `SELECT `+strings.Join(sel, ",")+` FROM `+rel.SQL+` ORDER BY 1`, nil, schema, func(f *value.Frame) error {
		for i := range f.N {
			for _, v := range f.Vecs {
				out.WriteString(v.At(i).Text() + "|")
			}
			out.WriteByte(' ')
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPromotedColumns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLake(t, Options{Dir: dir})
	k := 0
	add := func(p string) {
		k++
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long P:dynamic"), NDJSON: fmt.Appendf(nil, `{"k":%d,"P":%s,"TimeGenerated":"2026-11-24T0%d:00:00Z"}`, k, p, k)})
	}
	seal := func() {
		t.Helper()
		if err := l.Seal(ctx, "T"); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long"), NDJSON: []byte(`{"k":0}`)}) // a source without the column
	seal()
	add(`{"Country":"KP","Risk":0.9}`)
	seal()
	add(`{"Country":"DE"}`)
	s, err := l.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if rel, err := s.Relation("T", Need{Derived: []Derived{country}}); err != nil || len(rel.Derived) != 0 {
		t.Fatal(rel.Derived, err)
	}
	s.Close()
	for _, d := range []Derived{country, risk, country} {
		if err := l.Promote(ctx, "t", d); err != nil {
			t.Fatal(err)
		}
	}
	want := `0|||1|KP|0.9|2|DE||3|||`
	add(`null`)
	look := func(when string) {
		t.Helper()
		if got := strings.ReplaceAll(promotedRows(t, l, country, risk), " ", ""); got != want {
			t.Fatalf("%s: %s", when, got)
		}
	}
	look("hot and an old segment")
	seal()
	look("a new segment")
	if n := carriers(l, "T"); n != 1 {
		t.Fatalf("%d segments carry the columns", n)
	}
	if some, err := l.promoteStep(ctx); err != nil || !some {
		t.Fatal(some, err)
	}
	if some, err := l.promoteStep(ctx); err != nil || some {
		t.Fatal("the segment without the column needs no rewriting", err)
	}
	if n := carriers(l, "T"); n != 2 {
		t.Fatalf("%d segments carry the columns", n)
	}
	look("after rewriting")
	l.Close()
	l = openLake(t, Options{Dir: dir})
	look("opened again")
	if ds := l.Promoted("T"); len(ds) != 2 || ds[0] != country || ds[1] != risk {
		t.Fatal(ds)
	}
	// the ordinary columns are what they were, also beside a column of a promotion's name
	mustAppend(t, l, Batch{Table: "T", Columns: value.Schema{{Name: "k", Type: value.Long}, {Name: l.current().table("T").Derived[0].Phys, Type: value.String}}, NDJSON: []byte(`{"k":4}`)})
	seal()
	want += `4|||`
	look("with a column of the same name")
	other := country
	other.SQL = `coalesce(json_extract_string($col, '$.Country'), 'none')`
	if err := l.Promote(ctx, "T", other); err != nil {
		t.Fatal(err)
	}
	if err := l.Materialize(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if got := promotedRows(t, l, other); got != `0|none| 1|KP| 2|DE| 3|none| 4|none| ` {
		t.Fatal(got)
	}
	if err := l.Demote(ctx, "T", country.Key); err != nil || len(l.Promoted("T")) != 1 {
		t.Fatal(err)
	}
}

func carriers(l *Lake, table string) (n int) {
	for _, g := range l.current().table(table).Segs {
		if len(g.Derived) > 0 {
			n++
		}
	}
	return n
}

// TestPromotionThatFails has an expression that DuckDB can't compute for a row: sealing goes on without it, and it is
// not taken again.
func TestPromotionThatFails(t *testing.T) {
	t.Parallel()
	l := openLake(t, Options{})
	add := func(p string) {
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long P:dynamic"), NDJSON: []byte(`{"k":1,"P":` + p + `}`)})
	}
	add(`{"N":"7","Country":"FR"}`)
	for _, d := range []Derived{careful, country} {
		if err := l.Promote(ctx, "T", d); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	add(`{"N":"x","Country":"IT"}`)
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if ds := l.Promoted("T"); len(ds) != 1 || ds[0] != country {
		t.Fatal(ds)
	}
	if got := promotedRows(t, l, country); got != "1|FR| 1|IT| " && got != "1|IT| 1|FR| " {
		t.Fatal(got)
	}
	if err := l.Promote(ctx, "T", careful); !errors.Is(err, ErrDerived) {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(l.o.Dir, "segments", "T", "*", "*"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
}

func TestPromoteRefuses(t *testing.T) {
	l := openLake(t, Options{})
	mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long P:dynamic"), NDJSON: []byte(`{"k":1}`)})
	with := func(f func(d *Derived)) Derived { d := country; f(&d); return d }
	for name, d := range map[string]Derived{
		"no key":    with(func(d *Derived) { d.Key = "" }),
		"long key":  with(func(d *Derived) { d.Key = strings.Repeat("x", MaxDerivedKey+1) }),
		"no column": with(func(d *Derived) { d.Column = "Q" }),
		"no token":  with(func(d *Derived) { d.SQL = "1" }),
		"long SQL":  with(func(d *Derived) { d.SQL = "$col" + strings.Repeat(" ", MaxDerivedSQL) }),
		"bad SQL":   with(func(d *Derived) { d.SQL = "nonsense($col)" }),
		"bad type":  with(func(d *Derived) { d.Type = value.Unknown }),
		"hugeint":   with(func(d *Derived) { d.SQL = "length($col)::HUGEINT" }),
		"two parts": with(func(d *Derived) { d.SQL = "$col); DROP TABLE lake_table; SELECT (1" }),
	} {
		if err := l.Promote(ctx, "T", d); !errors.Is(err, ErrDerived) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := l.Promote(ctx, "U", country); !errors.Is(err, ErrNoTable) {
		t.Error(err)
	}
	for i := range MaxDerived + 1 {
		d := with(func(d *Derived) { d.Key = fmt.Sprint(i) })
		if err := l.Promote(ctx, "T", d); (err != nil) != (i == MaxDerived) || err != nil && !errors.Is(err, ErrDerived) {
			t.Fatal(i, err)
		}
	}
	if _, err := l.Table(ctx, "T"); err != nil {
		t.Fatal(err)
	}
}

// TestPromotedTypes stores every type that may come back from a file and compares it with what DuckDB computes.
func TestPromotedTypes(t *testing.T) {
	t.Parallel()
	l := openLake(t, Options{})
	x := func(typ string) string { return `TRY_CAST(json_extract_string($col, '$.x') AS ` + typ + `)` }
	var ds []Derived
	for typ, kql := range map[string]value.Type{"BOOLEAN": value.Bool, "INTEGER": value.Int, "BIGINT": value.Long, "DOUBLE": value.Real, "VARCHAR": value.String, "UUID": value.GUID, "TIMESTAMPTZ": value.Datetime} {
		ds = append(ds, Derived{Column: "P", Key: typ, SQL: x(typ), Type: kql})
	}
	slices.SortFunc(ds, func(a, b Derived) int { return strings.Compare(a.Key, b.Key) })
	for i, v := range []string{`null`, `true`, `"7"`, `-9223372036854775808`, `1e308`, `"NaN"`, `"-inf"`, `0.1`, `""`, `"Ω\u0000"`, `"8b2f0c68-1a2b-4c3d-9e8f-001122334455"`, `"2026-11-24T07:00:00.123456+02:00"`, `"0001-01-01"`, `{"a":1}`} {
		mustAppend(t, l, Batch{Table: "T", Columns: cols("k:long P:dynamic"), NDJSON: fmt.Appendf(nil, `{"k":%d,"P":{"x":%s}}`, i, v)})
	}
	for _, d := range ds {
		if err := l.Promote(ctx, "T", d); err != nil {
			t.Fatal(err)
		}
	}
	computed := promotedRows(t, l, ds...)
	if err := l.Seal(ctx, "T"); err != nil {
		t.Fatal(err)
	}
	if got := promotedRows(t, l, ds...); got != computed {
		t.Fatalf("stored\n%s\ncomputed\n%s", got, computed)
	}
}

// BenchmarkPromotedFilter compares the two-path question of the measurements with and without promotion. Run it with
// -benchtime=5x; PICKET_LAKE_ROWS sets the rows.
func BenchmarkPromotedFilter(b *testing.B) {
	n := 1_000_000
	if s := os.Getenv("PICKET_LAKE_ROWS"); s != "" {
		fmt.Sscan(s, &n)
	}
	l := openLake(b, Options{SealRows: int64(n) * 2})
	base := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for at := 0; at < n; at += 50_000 {
		var text strings.Builder
		for i := at; i < min(n, at+50_000); i++ {
			fmt.Fprintf(&text, `{"TimeGenerated":"%s","k":%d,"P":{"Country":"%s","Risk":%.2f,"User":{"Name":"user%d","Groups":["a","b"]},"Agent":"Mozilla/5.0 %d"}}`+"\n",
				base.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i, []string{"KP", "DE", "FR", "US", "IT", "PL", "SE", "JP"}[i*7%8], float64(i*31%100)/100, i%1000, i%97)
		}
		mustAppend(b, l, Batch{Table: "T", Columns: cols("k:long TimeGenerated:datetime P:dynamic"), NDJSON: []byte(text.String())})
	}
	if err := l.Seal(ctx, "T"); err != nil {
		b.Fatal(err)
	}
	ask := func(b *testing.B, promoted bool) {
		for range b.N {
			s, err := l.Snapshot(ctx)
			if err != nil {
				b.Fatal(err)
			}
			rel, err := s.Relation("T", Need{Columns: []string{"P"}, Derived: []Derived{country, risk}})
			if err != nil {
				b.Fatal(err)
			}
			c, r := country.apply(`"P"`), risk.apply(`"P"`)
			if promoted {
				c, r = `"`+rel.Derived[country.Key]+`"`, `"`+rel.Derived[risk.Key]+`"`
			}
			err = s.Query(ctx, `SELECT count(*) FROM `+rel.SQL+` WHERE `+c+` = 'KP' AND `+r+` > 0.8`, nil, longs("n"), func(*value.Frame) error { return nil })
			if err != nil {
				b.Fatal(err)
			}
			s.Close()
		}
	}
	b.Run("computed", func(b *testing.B) { ask(b, false) })
	for _, d := range []Derived{country, risk} {
		if err := l.Promote(ctx, "T", d); err != nil {
			b.Fatal(err)
		}
	}
	at := time.Now()
	if err := l.Materialize(ctx, "T"); err != nil {
		b.Fatal(err)
	}
	b.Logf("rewriting %d rows: %v", n, time.Since(at))
	b.Run("promoted", func(b *testing.B) { ask(b, true) })
}
