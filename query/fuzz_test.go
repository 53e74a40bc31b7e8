package query

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"picket/kql/bind"
	"picket/kql/dialect"
	"picket/kql/plan"
	"picket/kql/rewrite"
	"picket/kql/value"
	"picket/lake/duck"
	"sort"
	"strings"
	"testing"
	"time"
)

// emptyTables give every table of a schema as an empty relation of the columns that the lake would have.
type emptyTables map[string]value.Schema

func (e emptyTables) Table(sc bind.Scope, name string) (value.Schema, bool) {
	s, ok := e[name]
	return s, ok && sc == (bind.Scope{})
}

func (e emptyTables) Tables(bind.Scope) []string { return nil }

func (e emptyTables) Function(bind.Scope, string) (bind.Function, bool) {
	return bind.Function{}, false
}

func (e emptyTables) Known(sc bind.Scope) bool { return sc == (bind.Scope{}) }

var storedTypes = map[value.Type]string{
	value.Bool: "BOOLEAN", value.Int: "INTEGER", value.Long: "BIGINT", value.Real: "DOUBLE", value.Datetime: "TIMESTAMPTZ", value.Timespan: "BIGINT", value.GUID: "UUID",
}

func (e emptyTables) Relation(n *plan.Scan) (*dialect.Relation, error) {
	var list []string
	out := &dialect.Relation{}
	stored := e[n.Table]
	for _, c := range n.Out {
		if stored.Index(c.Name) < 0 && c.Name != "_TimeReceived" {
			continue
		}
		typ := storedTypes[c.Type]
		if typ == "" {
			typ = "VARCHAR"
		}
		d := dialect.Column{Name: c.Name, Physical: c.Name, NotNull: c.Name == timeColumn}
		list = append(list, "NULL::"+typ+" AS "+quote(c.Name))
		if c.Type == value.Datetime && len(c.Name)%2 == 1 { // some have the seventh digit
			d.Ticks = c.Name + "$t"
			list = append(list, "NULL::TINYINT AS "+quote(d.Ticks))
		}
		out.Columns = append(out.Columns, d)
	}
	if len(list) == 0 {
		list = []string{"1 AS one"}
	}
	// not a constant to the optimizer, so that every expression is planned
	out.SQL = "(SELECT " + strings.Join(list, ", ") + " FROM range(0))"
	return out, nil
}

// corpusQueries reads every stride-th query of a corpus of lines; none when the corpora are not here.
func corpusQueries(path string, stride int) (out []string) {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(dir, path))
	if err != nil {
		return nil
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<24)
	for k := 0; sc.Scan(); k++ {
		var it struct{ Query string }
		if k%stride == 0 && json.Unmarshal(sc.Bytes(), &it) == nil && it.Query != "" {
			out = append(out, it.Query)
		}
	}
	return out
}

func fuzzTables(f *testing.F) emptyTables {
	tables := emptyTables{"T": cols(genSchema), "U": cols(genSchema), "StormEvents": cols("StartTime:datetime EndTime:datetime EpisodeId:int EventId:int State:string EventType:string InjuriesDirect:int DamageProperty:int Source:string BeginLat:real BeginLon:real StormSummary:dynamic EventNarrative:string")}
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(dir, "content", "tables.json"))
	if err != nil {
		return tables
	}
	var in struct{ Tables map[string]map[string]string }
	if err := json.Unmarshal(b, &in); err != nil {
		f.Fatal(err)
	}
	for n, cs := range in.Tables {
		var s value.Schema
		for c, typ := range cs {
			vt, ok := value.ParseType(typ)
			if !ok {
				f.Fatal(typ)
			}
			s = append(s, value.Column{Name: c, Type: vt})
		}
		sort.Slice(s, func(i, j int) bool { return s[i].Name < s[j].Name })
		tables[n] = s
	}
	return tables
}

// FuzzLower: SQL of any query that binds is valid. DuckDB plans it over empty tables; only what the SQL itself says of
// its data may be an error.
func FuzzLower(f *testing.F) {
	stride := 25
	if os.Getenv("PICKET_FUZZ_SECONDS") != "" {
		stride = 1
	}
	for _, path := range []string{"content/queries.jsonl", "kql/emulator_values.jsonl", "kql/docs_values.jsonl", "kql/docs_schemas.jsonl"} {
		for _, q := range corpusQueries(path, stride) {
			f.Add(q)
		}
	}
	r := rand.New(rand.NewSource(7))
	for range 100 {
		f.Add((&gen{r: r}).question())
	}
	tables := fuzzTables(f)
	db, err := duck.Open("", map[string]string{"threads": "1", "memory_limit": "500MiB"})
	if err != nil {
		f.Fatal(err)
	}
	c, err := db.Conn()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close(); db.Close() })
	if _, err := c.Exec(ctx, "SET TimeZone='UTC'"); err != nil {
		f.Fatal(err)
	}
	now, _ := value.TicksOf(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 20_000 {
			return
		}
		q, err := parseText(text, tables, bind.Options{Now: now})
		if err != nil {
			return
		}
		low, err := dialect.Lower(rewrite.Rewrite(q, rewriteOptions).Query, tables)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		for _, fr := range low.Fragments {
			if err := prepare(c, fr.SQL); err != nil {
				t.Fatalf("%s\n%v\n%s\n%s", text, err, dialect.Layout(fr.SQL), plan.Explain(fr.Node))
			}
		}
	})
}

// prepare has DuckDB plan a statement.
func prepare(c *duck.Conn, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := c.Query(ctx, "EXPLAIN "+sql, nil, cols("k:string v:string"), func(*value.Frame) error { return nil })
	var de *duck.Error
	switch {
	case err == nil, ctx.Err() != nil: // too long is for the time limit of the question
		return nil
	case errors.As(err, &de) && dialect.Inexact(de.Msg) && !dialect.Mistake(de.Msg): // a constant that only fails over
		return nil
	}
	return fmt.Errorf("DuckDB does not take it: %w", err)
}
