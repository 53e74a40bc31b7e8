package exec

import (
	"flag"
	"math/rand"
	"picket/kql/bind"
	"picket/kql/catalog"
	"picket/kql/syntax"
	"strings"
	"testing"
	"time"
)

var mutations = flag.Int("mutations", 3000, "how many changed queries TestMutatedQueries runs")

// odd are arguments at the edges of what functions and operators take.
var odd = []string{
	"0", "-1", "1", "9223372036854775807", "(-9223372036854775808)", "1e308", "real(nan)", "real(-inf)", "int(null)", "long(null)", "real(null)",
	"bool(null)", "datetime(null)", "timespan(null)", "guid(null)", "decimal(null)", "dynamic(null)", `""`, `"a"`, `"\x00é😀"`, "true",
	"datetime(0001-01-01)", "datetime(9999-12-31 23:59:59.9999999)", "1d", "-1tick", "time(10675199.02:48:05.4775807)", "decimal(1e28)",
	"dynamic([])", "dynamic({})", `dynamic([1, null, "x", [2], {"a": 1}])`, `dynamic({"a": [1, {"b": null}], "": 1})`, "dynamic(1.5)", `dynamic("s")`,
	"0.1", "1048576", "pack_array()", "pack()", "range(1, 3)",
}

// TestMutatedQueries runs recorded queries with some of their tokens exchanged: arguments for odd ones, functions for other
// functions, pieces for pieces of other queries. Whatever comes out must be an answer or a refusal, within the limits.
func TestMutatedQueries(t *testing.T) {
	var texts []string
	for _, name := range []string{"docs_values.jsonl", "emulator_values.jsonl"} {
		for _, r := range corpus(t, name) {
			if len(r.Query) < 2500 {
				texts = append(texts, r.Query)
			}
		}
	}
	var names []string
	for _, f := range catalog.Functions() {
		names = append(names, f.Name)
	}
	for _, f := range catalog.Aggregates() {
		names = append(names, f.Name)
	}
	seed := int64(1)
	if *mutations > 3000 { // by hand
		seed = time.Now().UnixNano()
	}
	r := rand.New(rand.NewSource(seed))
	for range *mutations {
		q := mutate(r, texts, names)
		began := time.Now()
		_, err := answer(t.Context(), q, bind.Tables{}, noTables{}, func(o *Options) {
			o.MaxSteps, o.MemoryLimit, o.MaxRows, o.Timeout = 200_000, 32<<20, 1000, 2*time.Second
		})
		if err != nil && (strings.Contains(err.Error(), "BUG") || strings.Contains(err.Error(), "wrong plan")) {
			t.Errorf("%s\n%v", q, err)
		}
		if d := time.Since(began); d > 12*time.Second {
			t.Errorf("%s\nran %s, its limit is 2 s", q, d)
		}
	}
}

// mutate changes one to three places of a query.
func mutate(r *rand.Rand, texts, names []string) string {
	q := texts[r.Intn(len(texts))]
	for range 1 + r.Intn(3) {
		spans := tokens(q)
		if len(spans) == 0 {
			return q
		}
		at := spans[r.Intn(len(spans))]
		put := ""
		switch word := q[at.Start:at.End]; r.Intn(6) {
		case 0, 1: // an argument
			if strings.ContainsAny(word[:1], `0123456789"'`) || r.Intn(4) == 0 {
				put = odd[r.Intn(len(odd))]
			} else {
				continue
			}
		case 2: // a function
			if at.End < len(q) && q[at.End] == '(' {
				put = names[r.Intn(len(names))]
			} else {
				continue
			}
		case 3: // a piece of another query
			other := texts[r.Intn(len(texts))]
			pipes := strings.Split(other, "|")
			if len(pipes) < 2 {
				continue
			}
			return strings.TrimRight(q, "; \n") + " | " + pipes[1+r.Intn(len(pipes)-1)]
		case 4:
			to := spans[r.Intn(len(spans))]
			put = q[to.Start:to.End]
		case 5:
			put = ""
		}
		q = q[:at.Start] + put + q[at.End:]
	}
	return q
}

// tokens lists the words, numbers, texts and marks of a query.
func tokens(q string) []syntax.Span {
	var out []syntax.Span
	word := func(c byte) bool {
		return c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
	}
	for i := 0; i < len(q); {
		from := i
		switch c := q[i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
			continue
		case c == '"' || c == '\'':
			for i++; i < len(q) && q[i] != c; i++ {
				if q[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(q))
		case word(c):
			for i < len(q) && word(q[i]) {
				i++
			}
		default:
			i++
		}
		out = append(out, syntax.Span{Start: from, End: i})
	}
	return out
}
