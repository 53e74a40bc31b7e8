package rewrite

import (
	"context"
	"fmt"
	"math/rand"
	"picket/kql/bind"
	"picket/kql/exec"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"sort"
	"strings"
	"testing"
)

var tables = bind.Tables{
	"T": {{Name: "TimeGenerated", Type: value.Datetime}, {Name: "a", Type: value.Long}, {Name: "b", Type: value.Long}, {Name: "s", Type: value.String}, {Name: "d", Type: value.Dynamic}},
	"U": {{Name: "TimeGenerated", Type: value.Datetime}, {Name: "a", Type: value.Long}, {Name: "c", Type: value.Long}, {Name: "s", Type: value.String}},
}

const now = 639000000000000000

func parse(t testing.TB, text string) *plan.Query {
	t.Helper()
	doc, errs := syntax.Parse(text)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", text, errs)
	}
	q, errs := bind.Bind(doc, text, tables, bind.Options{Now: now})
	if len(errs) > 0 {
		t.Fatalf("%s: %v", text, errs)
	}
	return q
}

var options = Options{Time: "TimeGenerated", Received: "_TimeReceived"}

// shape gives the plan without ids and types: one line a node.
func shape(q *plan.Query) string {
	var b strings.Builder
	for i := range q.Results {
		for line := range strings.Lines(plan.Explain(q.Results[i].Node)) {
			line, _, _ = strings.Cut(line, "  →")
			b.WriteString(strings.TrimRight(line, "\n ") + "\n")
		}
	}
	return b.String()
}

func TestPlans(t *testing.T) {
	for _, c := range []struct{ q, has, hasNot string }{
		// columns that nobody reads are not scanned
		{"T | where a > 1 | project s", "Scan T", ""},
		// a filter goes below what only renames, and becomes two
		{"T | project x = a, s | where x > 1 and s == 'k'", "", "Filter"},
		{"union T, (U | project a, s) | where a == 1", "", ""},
		{"T | join kind=inner U on a | where b > 1 and c > 2", "", ""},
		{"T | where false | union U", "", "Scan T"},
		{"T | extend x = strlen(s) | sort by a asc | take 3", "Top", "Sort"},
		{"union T, U | top 3 by TimeGenerated | project a", "    Top", ""},
	} {
		q := parse(t, c.q)
		before, after := shape(q), shape(Rewrite(q, options).Query)
		t.Logf("%s\n%s=>\n%s", c.q, before, after)
		if c.has != "" && !strings.Contains(after, c.has) || c.hasNot != "" && strings.Contains(strings.SplitN(after, "\n", 2)[0], c.hasNot) {
			t.Errorf("%s\n%s", c.q, after)
		}
		if shape(q) != before {
			t.Errorf("%s: the given plan changed", c.q)
		}
	}
}

// filters tells which scans stand under a filter of their own, and what they read.
func filters(q *plan.Query) string {
	var out []string
	see := func(n plan.Node) bool {
		f, ok := n.(*plan.Filter)
		if !ok {
			return true
		}
		if s, ok := f.Input.(*plan.Scan); ok {
			out = append(out, s.Table+": "+plan.ExprString(f.Pred))
		}
		return true
	}
	plan.Walk(q.Results[0].Node, see)
	return strings.Join(out, "; ")
}

func columns(q *plan.Query) string {
	var out []string
	plan.Walk(q.Results[0].Node, func(n plan.Node) bool {
		if s, ok := n.(*plan.Scan); ok {
			var cs []string
			for _, c := range s.Out {
				cs = append(cs, c.Name)
			}
			out = append(out, s.Table+"("+strings.Join(cs, " ")+")")
		}
		return true
	})
	return strings.Join(out, " ")
}

func TestPrune(t *testing.T) {
	for q, want := range map[string]string{
		"T | where a > 1 | project s": "T(a s)",
		"T | count":                   "T()",
		"T | summarize arg_max(TimeGenerated, *) by s | project s, b":        "T(TimeGenerated b s)",
		"T | join kind=leftsemi U on a | project s":                          "T(a s) U(a)",
		"union T, U | project c":                                             "T() U(c)",
		"T | mv-expand x = d.list | project x, s":                            "T(s d)",
		"T | where a in ((U | where c > 1 | project a)) | summarize count()": "T(a) U(a c)",
		"T | extend x = strlen(s) | project a":                               "T(a)",
		"T | parse s with * 'k=' k:long | project k":                         "T(s)",
		"T | top 3 by b | project a":                                         "T(a b)",
		"T | where ingestion_time() > ago(1h) | project a":                   "T(a _TimeReceived)",
	} {
		if got := columns(Rewrite(parse(t, q), options).Query); got != want {
			t.Errorf("%s\n got %s\nwant %s", q, got, want)
		}
	}
}

func TestPushDown(t *testing.T) {
	for q, want := range map[string]int{ // scans with a filter right above
		"T | project x = a, s | where x > 1":                                   1,
		"T | extend z = a + 1 | where s == 'k'":                                1,
		"T | extend z = a + 1 | where z == 2":                                  0,
		"T | sort by a asc | where b > 1":                                      1,
		"union T, U | where a == 1":                                            2,
		"T | join kind=inner U on a | where b > 1 and c > 2":                   2,
		"T | join kind=leftouter U on a | where b > 1 and c > 2":               1,
		"T | join kind=innerunique U on a | where b > 1":                       0,
		"T | join kind=innerunique U on a | where a > 1 and c > 2":             2,
		"T | join kind=fullouter U on a | where b > 1":                         0,
		"T | summarize n = count() by s | where s == 'k'":                      1,
		"T | summarize n = count() by s | where n == 1":                        0,
		"T | serialize x = row_number() | where a > 1":                         0,
		"T | top 3 by a | where b > 1":                                         0,
		"T | mv-expand x = d | where a > 1":                                    1,
		"T | mv-expand a = d | where a > 1":                                    0,
		"T | take 5 | where a > 1":                                             0,
		"T | where rand() > 0.5 | where a > 1":                                 1,
		"T | parse s with 'x' y | where a > 1 and y == 'q'":                    1,
		"T | extend s = 'k' | where s == 'k' and a > 1":                        1,
		"T | extend ingest = ingestion_time() | where ingest > datetime(2020)": 1,
	} {
		rw := Rewrite(parse(t, q), options).Query
		got := 0
		if s := filters(rw); s != "" {
			got = strings.Count(s, "; ") + 1
		}
		if got != want {
			t.Errorf("%s: %d scans filter, want %d\n%s", q, got, want, rw)
		}
	}
}

func TestInline(t *testing.T) {
	for q, want := range map[string]string{
		"let x = T | where a > 1; x | join kind=inner (x | project a, s2 = s) on a | project b, s2":      "T(a b) T(a s)",
		"let x = materialize(T | where a > 1); x | join kind=inner (x | project a, s2 = s) on a | count": "",
		"let x = materialize(T | where a > 1); x | project s":                                            "T(a s)",
		"let x = T | summarize n = count() by a; x | where a in ((x | where n > 1 | project a)) | count": "T(a) T(a)",
	} {
		rw := Rewrite(parse(t, q), options).Query
		if got := columns(rw); got != want || (want != "") != (len(rw.Shared) == 0) {
			t.Errorf("%s\n got %s, want %s\n%s", q, got, want, rw)
		}
	}
}

func TestBounds(t *testing.T) {
	day := func(s string) int64 {
		n, ok := value.ParseDatetime(s)
		if !ok {
			t.Fatal(s)
		}
		return n
	}
	for _, c := range []struct {
		q string
		b Bounds
	}{
		{"T | where TimeGenerated > ago(1d)", Bounds{From: now - value.TicksPerDay, HasFrom: true}},
		{"T | where TimeGenerated between (datetime(2026-01-01) .. 2d)", Bounds{From: day("2026-01-01"), HasFrom: true, To: day("2026-01-03"), HasTo: true}},
		{"T | project t = TimeGenerated | where datetime(2026-01-01) >= t and t > datetime(2025-01-01)", Bounds{From: day("2025-01-01"), HasFrom: true, To: day("2026-01-01"), HasTo: true}},
		{"T | where TimeGenerated == datetime(2026-01-01) or TimeGenerated > datetime(2026-02-01)", Bounds{From: day("2026-01-01"), HasFrom: true}},
		{"T | where not(TimeGenerated > ago(1d))", Bounds{}},
		{"T | extend TimeGenerated = TimeGenerated + 1d | where TimeGenerated > ago(1d)", Bounds{}},
		{"T | where ingestion_time() > ago(1h)", Bounds{ReceivedFrom: now - value.TicksPerHour, HasReceivedFrom: true}},
		{"T | take 10 | where TimeGenerated > ago(1d)", Bounds{}},
		{"T | where a > 1 | make-series n = count() on TimeGenerated from ago(2d) to ago(1d) step 1h by s", Bounds{From: now - 2*value.TicksPerDay, HasFrom: true, To: now - value.TicksPerDay, HasTo: true}},
		{"T | make-series n = count() on TimeGenerated to ago(1d) step 1h", Bounds{To: now - value.TicksPerDay, HasTo: true}},
		{"T | make-series n = count() on TimeGenerated in range(ago(2d), ago(1d), 1h)", Bounds{}},
		{"T | sort by TimeGenerated asc | make-series n = sum(prev(a)) on TimeGenerated from ago(2d) step 1h", Bounds{}},
	} {
		rw := Rewrite(parse(t, c.q), options)
		var got Bounds
		for _, b := range rw.Bounds {
			got = b
		}
		if got != c.b {
			t.Errorf("%s\n got %+v\nwant %+v", c.q, got, c.b)
		}
	}
}

// memory is a source of small random tables.
type memory map[string]*value.Frame

func (m memory) Scan(_ context.Context, s *plan.Scan) exec.Frames {
	return func(yield func(*value.Frame, error) bool) {
		f := m[s.Table]
		out := &value.Frame{N: f.N}
		for _, c := range s.Out {
			i := f.Schema.Index(c.Name)
			if i < 0 {
				out.Vecs = append(out.Vecs, value.Nulls(c.Type, f.N))
				continue
			}
			out.Vecs = append(out.Vecs, f.Vecs[i])
		}
		for at := 0; at < f.N; at += 7 { // several batches
			end := min(at+7, f.N)
			part := &value.Frame{N: end - at}
			for _, v := range out.Vecs {
				part.Vecs = append(part.Vecs, v.Slice(at, end))
			}
			if !yield(part, nil) {
				return
			}
		}
	}
}

func (m memory) External(context.Context, *plan.ExternalRel) exec.Frames { panic("none") }

func randomTables(r *rand.Rand) memory {
	m := memory{}
	for name, s := range tables {
		n := r.Intn(40)
		f := &value.Frame{Schema: s, N: n}
		for _, c := range s {
			v := value.New(c.Type, n)
			for i := range n {
				switch {
				case c.Type == value.Datetime:
					v.I[i] = now - r.Int63n(3*value.TicksPerDay)
				case r.Intn(5) == 0:
					v.SetNull(i)
				case c.Type == value.Long:
					v.I[i] = int64(r.Intn(6))
				case c.Type == value.String:
					v.S[i] = []string{"k", "K", "x k=12", "", "zz"}[r.Intn(5)]
				case c.Type == value.Dynamic:
					v.D[i] = []any{int64(r.Intn(3)), "k"}[:r.Intn(3)]
				}
			}
			f.Vecs = append(f.Vecs, v)
		}
		m[name] = f
	}
	return m
}

func rows(t testing.TB, q *plan.Query, m memory) string {
	t.Helper()
	res, err := exec.Run(context.Background(), q, m, exec.Options{Now: now, Seed: 1})
	if err != nil {
		t.Fatalf("%v\n%s", err, q)
	}
	var out []string
	for _, tab := range res.Tables {
		var head []string
		for _, c := range tab.Schema {
			head = append(head, c.Name)
		}
		out = append(out, strings.Join(head, ","))
		for _, f := range tab.Frames {
			for i := range f.N {
				var cells []string
				for _, v := range f.Vecs {
					cells = append(cells, value.Text(v, i)+fmt.Sprint(v.IsNull(i)))
				}
				out = append(out, strings.Join(cells, "|"))
			}
		}
	}
	return strings.Join(out, "\n")
}

// TestRewritesKeepResults runs random pipelines before and after. Rows come in the same order where the plan has one.
func TestRewritesKeepResults(t *testing.T) {
	for seed := range int64(400) {
		r := rand.New(rand.NewSource(seed))
		m := randomTables(r)
		text := pipeline(r)
		if seed%4 == 0 && !strings.Contains(text, "make-series") {
			text = "let L = " + text + "; union (L | summarize n = count()), (L | summarize n = dcount(s))"
		}
		q := parse(t, text)
		want := rows(t, q, m)
		rw := Rewrite(q, options).Query
		got := rows(t, rw, m)
		if sortLines(got) != sortLines(want) {
			t.Fatalf("seed %d: %s\n%s=>\n%s\n%s", seed, text, q, rw, delta(want, got))
		}
	}
}

func delta(before, after string) string {
	n := map[string]int{}
	for _, l := range strings.Split(before, "\n") {
		n[l]--
	}
	for _, l := range strings.Split(after, "\n") {
		n[l]++
	}
	var out []string
	for l, k := range n {
		if k != 0 {
			out = append(out, fmt.Sprintf("%+d %s", k, l))
		}
	}
	sort.Strings(out)
	return strings.Join(out, "\n")
}

func sortLines(s string) string {
	l := strings.Split(s, "\n")
	sort.Strings(l)
	return strings.Join(l, "\n")
}

func pipeline(r *rand.Rand) string {
	pred := func() string {
		p := []string{"a > 1", "a == 2", "isnull(a)", "s == 'k'", "s has 'k'", "a in (1, 3)", "TimeGenerated > ago(1d)", "a != 2", "not(a > 3)", "TimeGenerated between (ago(2d) .. ago(1d))", "false", "1 == 1", "a in ((U | where c > 2 | project a))"}
		s := p[r.Intn(len(p))]
		switch r.Intn(4) {
		case 0:
			return s + " and " + p[r.Intn(len(p))]
		case 1:
			return s + " or " + p[r.Intn(len(p))]
		}
		return s
	}
	q := []string{"T", "U", "union T, U", "union withsource=src T, U | where src == 'T'", "T | where false | union U"}[r.Intn(5)]
	for range 1 + r.Intn(5) {
		ops := []string{
			" | where " + pred(), " | where " + pred(), " | where " + pred(),
			" | extend x = a + 1 | where x > 1", " | extend a = a", " | project TimeGenerated, a = a, s", " | project s, a, TimeGenerated = TimeGenerated",
			" | sort by a asc, TimeGenerated asc | take 9", " | top 5 by TimeGenerated asc", " | sort by TimeGenerated asc, s asc | where a > 0",
			" | summarize n = count(), TimeGenerated = max(TimeGenerated) by a, s", " | summarize arg_max(TimeGenerated, *) by a",
			" | join kind=inner (U | project a, c1 = c) on a | project-away a1", " | join kind=leftouter (U | summarize c2 = max(c) by a) on a | project-away a1",
			" | join kind=leftanti (U | where " + pred() + ") on a", " | join kind=leftsemi U on a, s",
			" | mv-expand z = range(1, 2, 1) to typeof(long)", " | sort by TimeGenerated asc | serialize rn = row_number() | where a > 1",
			" | union (T | where " + pred() + ")", " | union (T | where " + pred() + ") | top 4 by TimeGenerated asc | project TimeGenerated, a, s", " | parse s with * 'k=' kk:long", " | extend c3 = 'k' | where c3 == 'k'",
		}
		op := ops[r.Intn(len(ops))]
		ties := strings.Contains(q, "join") || strings.Contains(q, "mv-expand") || strings.Contains(q, "union") || strings.Contains(q, "summarize")
		if (ties || strings.Contains(q, "top")) && (strings.Contains(op, "take") || strings.Contains(op, "top") || strings.Contains(op, "arg_max") || strings.Contains(op, "row_number")) {
			continue // rows with one time: which of them comes first is open
		}
		q += op
	}
	if r.Intn(2) == 0 {
		q += " | where " + pred()
	}
	switch r.Intn(6) {
	case 0, 1:
		q += " | project a, s"
	case 2:
		kind := []string{"", " kind=nonempty"}[r.Intn(2)]
		q += " | make-series" + kind + " n = count(), m = max(a) on TimeGenerated" + []string{"", " from ago(2d)"}[r.Intn(2)] + []string{"", " to ago(12h)"}[r.Intn(2)] + " step 6h" + []string{"", " by a"}[r.Intn(2)]
	}
	return q
}
