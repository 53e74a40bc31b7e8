package ingest

import (
	"picket/kql/value"
	"picket/lake"
	"strings"
	"testing"
	"time"
)

// FuzzLoad holds what an import accepts as a row against what can be decoded: each line is a row or a reject, and a row
// decodes into the columns that the survey found, without a field that does not fit.
func FuzzLoad(f *testing.F) {
	f.Add("1\t{\"a\":1,\"b\":\"x\"}\n2\t{\"a\":1.5,\"c\":{\"d\":[null]}}\n3\t!\"why\"\t\"text\"\n")
	f.Add("7\t{\"t\":\"2026-11-24T07:00:00Z\",\"n\":123456789012345678901}\n8\tnothing\n")
	f.Add("x\t{}")
	in := &Ingest{o: Options{Now: time.Now}}
	f.Fuzz(func(t *testing.T, body string) {
		rows, places, rejects, err := in.splitLoad(LoadRequest{Body: []byte(body)})
		if err != nil {
			return
		}
		lines := 0
		for _, l := range strings.Split(body, "\n") {
			if l != "" {
				lines++
			}
		}
		if len(rows)+len(rejects) != lines || len(rows) != len(places) {
			t.Fatalf("%d lines give %d rows and %d rejects", lines, len(rows), len(rejects))
		}
		v := NewSurvey()
		for _, r := range rows {
			if err := v.Row(r); err != nil {
				return // more columns together than a table has
			}
		}
		cols := v.Columns()
		keys := make([]string, len(cols))
		for i, c := range cols {
			keys[i] = c.Name
		}
		q := emptyQuarantine()
		fr, err := in.loadSlow(rows, places, cols, keys, q, "f")
		if err != nil {
			t.Fatal(err)
		}
		if q.N > 0 {
			t.Fatalf("a field does not fit the type that the survey found: %s", q.Vecs[3].S[0])
		}
		for i := range cols {
			if fr.Vecs[i].N != len(rows) {
				t.Fatalf("column %d has %d rows of %d", i, fr.Vecs[i].N, len(rows))
			}
		}
	})
}

// FuzzPost decodes records of a declared stream: whatever they are, every record is a row, and one whose field does not
// fit is noted.
func FuzzPost(f *testing.F) {
	f.Add([]byte(`[{"s":"x","i":1,"l":2,"r":1.5,"b":true,"t":"2026-11-24T07:00:00Z","d":{"a":[1]},"g":"8b2f0c68-1a2b-4c3d-9e8f-001122334455"}]`))
	f.Add([]byte(`[{"i":"x"},{"t":1e999},{"d":"\ud800"},{}]`))
	schema := value.Schema{
		{Name: "s", Type: value.String},
		{Name: "i", Type: value.Int},
		{Name: "l", Type: value.Long},
		{Name: "r", Type: value.Real},
		{Name: "b", Type: value.Bool},
		{Name: "t", Type: value.Datetime},
		{Name: "d", Type: value.Dynamic},
		{Name: "g", Type: value.GUID},
		{Name: "p", Type: value.Timespan},
		{Name: "m", Type: value.Decimal},
	}
	in := &Ingest{o: Options{Now: time.Now}}
	f.Fuzz(func(t *testing.T, body []byte) {
		fr, q, _, err := in.decodeStream(body, schema, "src", "stream")
		if err != nil {
			return
		}
		n := 0
		if err := lake.EachObject(body, func(*value.Bag) error { n++; return nil }); err != nil || n != fr.N || q.N > n {
			t.Fatalf("%d records give %d rows and %d notes: %v", n, fr.N, q.N, err)
		}
		for i, c := range schema {
			for r := range fr.N {
				if x := fr.Vecs[i].At(r); x.Type != c.Type {
					t.Fatalf("%s holds a %s", c.Name, x.Type)
				}
			}
		}
	})
}
