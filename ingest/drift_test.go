package ingest

import (
	"encoding/json"
	"fmt"
	"picket/kql/value"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sample is a JSON value with, by suffix and written by hand, the texts it has in the columns that take it; its own
// suffix first.
type sample struct {
	json string
	in   [][2]string
}

var samples = []sample{
	{`null`, nil},
	{`true`, [][2]string{{"_b", "True"}}},
	{`false`, [][2]string{{"_b", "False"}}},
	{`9`, [][2]string{{"_d", "9.0"}}},
	{`-2.5e3`, [][2]string{{"_d", "-2500.0"}}},
	{`"7.25"`, [][2]string{{"_s", "7.25"}, {"_d", "7.25"}}},
	{`"abc"`, [][2]string{{"_s", "abc"}}},
	{`""`, [][2]string{{"_s", ""}}},
	{`"True"`, [][2]string{{"_s", "True"}, {"_b", "True"}}},
	{`"2026-11-24T07:00:00Z"`, [][2]string{{"_t", "2026-11-24T07:00:00.0000000Z"}, {"_s", "2026-11-24T07:00:00Z"}}},
	{`"2026-11-24T07:00:00.1234567+01:00"`, [][2]string{{"_t", "2026-11-24T06:00:00.1234567Z"}, {"_s", "2026-11-24T07:00:00.1234567+01:00"}}},
	{`"2026-11-24 07:00:00"`, [][2]string{{"_s", "2026-11-24 07:00:00"}, {"_t", "2026-11-24T07:00:00.0000000Z"}}},
	{`"8b2f0c68-1a2b-4c3d-9e8f-001122334455"`, [][2]string{{"_g", "8b2f0c68-1a2b-4c3d-9e8f-001122334455"}, {"_s", "8b2f0c68-1a2b-4c3d-9e8f-001122334455"}}},
	{`"8B2F0C681A2B4C3D9E8F001122334455"`, [][2]string{{"_g", "8b2f0c68-1a2b-4c3d-9e8f-001122334455"}, {"_s", "8B2F0C681A2B4C3D9E8F001122334455"}}},
	{`{"a": [1, "x"]}`, [][2]string{{"_s", `{"a":[1,"x"]}`}}},
	{`[]`, [][2]string{{"_s", `[]`}}},
}

// TestDrift sends random bodies of drifting values and holds the table against the rules, told here one value at a
// time: the oldest of the field's columns that takes the value has it, else a new one with the value's own suffix.
func TestDrift(t *testing.T) {
	in := open(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		logType := "Drift" + strconv.Itoa(n)
		var order []string                        // columns as they come
		var want []map[string]string              // rows
		few := rapid.Bool().Draw(rt, "few kinds") // so that whole bodies are uniform
		for range rapid.IntRange(1, 4).Draw(rt, "bodies") {
			var rows []string
			for range rapid.IntRange(1, 4).Draw(rt, "rows") {
				row := map[string]string{}
				var fields []string
				for _, key := range rapid.Permutation([]string{"a", "b"}).Draw(rt, "keys") {
					pick := samples
					if few {
						pick = samples[5:7]
					}
					s := rapid.SampledFrom(pick).Draw(rt, key)
					fields = append(fields, fmt.Sprintf("%q:%s", key, s.json))
					if s.in == nil {
						continue
					}
					name, text := key+s.in[0][0], s.in[0][1]
					at := len(order)
					for _, x := range s.in {
						if i := slices.Index(order, key+x[0]); i >= 0 && i < at {
							name, text, at = key+x[0], x[1], i
						}
					}
					if at == len(order) {
						order = append(order, name)
					}
					row[name] = text
				}
				rows = append(rows, "{"+strings.Join(fields, ",")+"}")
				want = append(want, row)
			}
			body := "[" + strings.Join(rows, ",") + "]"
			if _, err := in.Collect(ctx, CollectRequest{LogType: logType, Body: []byte(body)}); err != nil {
				rt.Fatal(body, err)
			}
		}
		var b strings.Builder
		got := show(t, in, logType+"_CL")
		head, _, _ := strings.Cut(got, "\n")
		if head != "" || len(order) > 0 {
			// within a body the order of new columns is not promised, their names are
			have := strings.Split(head, "|")
			sorted := slices.Sorted(slices.Values(have))
			if len(order) > 0 && !slices.Equal(sorted, slices.Sorted(slices.Values(order))) {
				rt.Fatalf("columns %v, want %v", have, order)
			}
			b.WriteString(head + "\n")
			for _, row := range want {
				for k, c := range have {
					if k > 0 {
						b.WriteByte('|')
					}
					b.WriteString(row[c])
				}
				b.WriteByte('\n')
			}
			if b.String() != got {
				rt.Fatalf("got\n%swant\n%s", got, b.String())
			}
		}
	})
}

// FuzzScan: what the scan takes is JSON; what is JSON of the right shape and within the limits it takes.
func FuzzScan(f *testing.F) {
	for _, s := range samples {
		f.Add(`{"a":` + s.json + `}`)
	}
	f.Add(`[{"a":1e5,"b\u0041":"\ud83d\ude00"}, {"b":[{},[]]}]`)
	f.Add("\xef\xbb\xbf{\"a\":\n-0.0}")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := scan([]byte(s), "a", 0, 1<<60)
		text := strings.TrimPrefix(s, "\xef\xbb\xbf")
		valid := json.Valid([]byte(text))
		if err == nil && !valid {
			t.Fatalf("%q is no JSON", s)
		}
		if err != nil {
			return
		}
		d, err := value.ParseJSON(text)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		rows, ok := d.([]any)
		if !ok {
			rows = []any{d}
		}
		if len(rows) != b.rows {
			t.Fatalf("%q: %d rows of %d", s, b.rows, len(rows))
		}
		for _, fl := range b.fields {
			n := 0
			for _, r := range rows {
				if x, ok := r.(*value.Bag).Get(fl.key); ok && x != nil {
					n++
				}
			}
			if n != fl.rows {
				t.Fatalf("%q: field %q in %d rows of %d", s, fl.key, fl.rows, n)
			}
		}
	})
}

// FuzzCollect: a body is refused with a code or all its rows are stored; nothing else happens.
func FuzzCollect(f *testing.F) {
	in := open(f)
	for _, s := range samples {
		f.Add(`[{"a":` + s.json + `},{"a":1,"b":` + s.json + `}]`)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := in.Collect(ctx, CollectRequest{LogType: "Fuzz", TimeField: "t", Body: []byte(s)})
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if b, _ := scan([]byte(s), "", 0, 0); b == nil || b.rows != r.Rows {
			t.Fatalf("%q: %d rows stored", s, r.Rows)
		}
	})
}
