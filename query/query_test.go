package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/lake"
	"sort"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

var ctx = context.Background()

func openLake(t testing.TB) *lake.Lake {
	t.Helper()
	l, err := lake.Open(ctx, lake.Options{Dir: t.TempDir(), WorkspaceID: "11111111-2222-3333-4444-555555555555", MemoryLimit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func cols(s string) (out value.Schema) {
	for _, f := range strings.Fields(s) {
		n, typ, _ := strings.Cut(f, ":")
		t, ok := value.ParseType(typ)
		if !ok {
			panic(f)
		}
		out = append(out, value.Column{Name: n, Type: t})
	}
	return out
}

func add(t testing.TB, l *lake.Lake, table, columns string, lines ...string) lake.Ack {
	t.Helper()
	a, err := l.Append(ctx, lake.Batch{Table: table, Columns: cols(columns), NDJSON: []byte(strings.Join(lines, "\n"))})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// text gives a result's first table as lines of |-separated texts.
func text(r *Result) string {
	var out []string
	if len(r.Tables) == 0 {
		return "no table"
	}
	for _, f := range r.Tables[0].Frames {
		for i := range f.N {
			var cells []string
			for _, v := range f.Vecs {
				if v.IsNull(i) {
					cells = append(cells, "null")
					continue
				}
				cells = append(cells, value.Text(v, i))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	return strings.Join(out, "\n")
}

func sorted(s string) string {
	lines := strings.Split(s, "\n")
	sort.Strings(lines)
	return strings.Join(lines, "\n")
}

func run(t testing.TB, e *Engine, r Request) *Result {
	t.Helper()
	res, err := e.Run(ctx, r)
	if err != nil {
		t.Fatalf("%s: %v", r.Text, err)
	}
	return res
}

const incidents = "TimeGenerated:datetime IncidentNumber:int Title:string Severity:string Status:string AlertIds:dynamic Labels:dynamic Elapsed:timespan Score:real Id:guid"

func incidentLake(t testing.TB) (*lake.Lake, *Engine) {
	l := openLake(t)
	add(t, l, "SecurityIncident", incidents,
		`{"TimeGenerated":"2026-11-20T10:00:00.1234567Z","IncidentNumber":1,"Title":"Canarytoken Triggered","Severity":"High","Status":"New","AlertIds":["a","b"],"Labels":{"n":1,"o":{"p":"x"}},"Elapsed":"00:00:05","Score":1.5,"Id":"3f2504e0-4f89-11d3-9a0c-0305e82c3301"}`,
		`{"TimeGenerated":"2026-11-20T11:00:00Z","IncidentNumber":2,"Title":"mimikatz on host_7","Severity":"High","Status":"Closed","AlertIds":["c"],"Labels":{"n":2.5}}`,
		`{"TimeGenerated":"2026-11-21T10:30:00Z","IncidentNumber":3,"Title":"Sign-in from TOR","Severity":"Low","Status":"New","AlertIds":[],"Labels":null,"Score":-2}`)
	return l, New(Options{
		Lake: l, Builtin: map[string]value.Schema{"SecurityAlert": cols("TimeGenerated:datetime AlertName:string"), "SecurityIncident": cols("TimeGenerated:datetime Title:string Owner:dynamic")},
		Workspace: []string{"picket"},
	})
}

func TestQuestions(t *testing.T) {
	_, e := incidentLake(t)
	for _, c := range []struct{ q, want string }{
		{"SecurityIncident | count", "3"},
		{"SecurityIncident | where Severity == 'High' | summarize n=count() by bin(TimeGenerated, 1d)", "2026-11-20T00:00:00.0000000Z|2"},
		{"SecurityIncident | sort by TimeGenerated asc | project TimeGenerated | take 1", "2026-11-20T10:00:00.1234567Z"},
		{"SecurityIncident | top 1 by IncidentNumber | project Title, Owner, Type", "Sign-in from TOR|null|SecurityIncident"},
		{"SecurityIncident | mv-expand a = AlertIds to typeof(string) | summarize make_list(a) by IncidentNumber | sort by IncidentNumber asc", "1|[\"a\",\"b\"]\n2|[\"c\"]"},
		{"SecurityIncident | where Title has 'host' | project Elapsed, Score, Labels.n, Id", "null|null|2.5|null"},
		{"SecurityIncident | where tostring(Labels.o.p) == 'x' | project Elapsed, Id", "00:00:05|3f2504e0-4f89-11d3-9a0c-0305e82c3301"},
		{"SecurityAlert | count", "0"},
		{"union SecurityAlert, SecurityIncident | summarize count() by Type", "SecurityIncident|3"},
		{"SecurityIncident | where ingestion_time() > ago(1h) | extend d = now() - ingestion_time() | where d < 1h | count", "3"},
		{"SecurityIncident | where ingestion_time() < ago(1h) | count", "0"},
		{"workspace('picket').SecurityIncident | join kind=leftouter (SecurityIncident | where Status=='New' | project IncidentNumber, s=Status) on IncidentNumber | sort by IncidentNumber asc | project IncidentNumber, s", "1|New\n2|\n3|New"},
		{"SecurityIncident | mv-apply a=AlertIds on (join kind=leftanti (SecurityIncident | project Title) on $left.Title == $right.Title | count) | summarize sum(Count)", "0"},
		{"print x=toscalar(SecurityIncident | summarize max(IncidentNumber))", "3"},
		{"SecurityIncident | where IncidentNumber in ((SecurityIncident | where Status == 'New' | project IncidentNumber)) | count", "2"},
	} {
		for _, noSQL := range []bool{false, true} {
			e.o.NoSQL = noSQL
			if got := text(run(t, e, Request{Text: c.q})); got != c.want && sorted(got) != c.want {
				t.Errorf("%s (without SQL: %v)\n got %s\nwant %s", c.q, noSQL, got, c.want)
			}
		}
	}
}

func TestWindows(t *testing.T) {
	l, e := incidentLake(t)
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	count := func(r Request) string {
		r.Text = "SecurityIncident | count"
		e.o.NoSQL = false
		got := text(run(t, e, r))
		e.o.NoSQL = true
		if s := text(run(t, e, r)); s != got {
			t.Errorf("%s with SQL, %s without", got, s)
		}
		return got
	}
	if got := count(Request{From: at("2026-11-20T11:00:00Z")}); got != "2" {
		t.Error("from is inclusive:", got)
	}
	if got := count(Request{To: at("2026-11-20T11:00:00Z")}); got != "1" {
		t.Error("to is exclusive:", got)
	}
	if got := count(Request{From: at("2026-11-20T10:00:00.1234567Z"), To: at("2026-11-20T10:00:00.1234568Z")}); got != "1" {
		t.Error("a tick's window:", got)
	}
	if got := count(Request{From: at("2026-11-20T10:00:00.1234568Z"), To: at("2026-11-20T10:30:00Z")}); got != "0" {
		t.Error("after the tick:", got)
	}
	a := add(t, l, "SecurityIncident", incidents, `{"TimeGenerated":"2026-11-01T00:00:00Z","IncidentNumber":9}`)
	if got := count(Request{ReceivedAfter: a.Received.Add(-time.Microsecond), ReceivedUntil: a.Received}); got != "1" {
		t.Error("received window:", got)
	}
	if got := count(Request{ReceivedUntil: a.Received.Add(-time.Microsecond)}); got != "3" {
		t.Error("received until:", got)
	}
}

func TestCanaryRule(t *testing.T) {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(dir, "seed", "Ingest-CanaryTokens", "Detections", "Canarytoken_triggered.yaml"))
	if err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skip("the shared corpora are not here")
	}
	var rule struct{ Query string }
	if err := yaml.Unmarshal(b, &rule); err != nil {
		t.Fatal(err)
	}
	q := strings.Trim(strings.TrimSpace(rule.Query), "'")
	l := openLake(t)
	e := New(Options{Lake: l})
	c, err := e.Check(ctx, q)
	if err != nil || fmt.Sprint(c.Missing) != "[CanaryTokens_CL]" {
		t.Fatal(c, err)
	}
	add(t, l, "CanaryTokens_CL", "TimeGenerated:datetime memo_s:string src_ip_s:string",
		`{"TimeGenerated":"2026-11-20T10:00:00Z","memo_s":"srv01,203.0.113.9,10.0.0.5,\\\\fs\\finance,passwords.docx","src_ip_s":"203.0.113.9"}`)
	if c, err := e.Check(ctx, q); err != nil || fmt.Sprint(c.Tables) != "[CanaryTokens_CL]" {
		t.Fatal(c, err)
	}
	got := text(run(t, e, Request{Text: q + "\n| project CanaryHost, CanaryPublicIP, CanaryShare, CanaryExcutedonHost, IPCustomEntity"}))
	if got != `srv01|203.0.113.9|\\fs\finance|True|203.0.113.9` {
		t.Error(got)
	}
}

func TestErrors(t *testing.T) {
	_, e := incidentLake(t)
	for _, q := range []string{"SecurityIncident | where", "NoTable | count", "SecurityIncident | where Nope == 1"} {
		_, err := e.Run(ctx, Request{Text: q})
		var list syntax.ErrorList
		if !errors.As(err, &list) {
			t.Errorf("%s: %v", q, err)
		}
	}
	if _, err := e.Run(ctx, Request{Text: "range i from 1 to 100000000000 step 1 | summarize count()", Timeout: 50 * time.Millisecond}); err == nil {
		t.Error("no timeout")
	}
	c, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Run(c, Request{Text: "SecurityIncident | count"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r, err := e.Run(ctx, Request{Text: "SecurityIncident", MaxRows: 2})
	if err != nil || r.Partial == nil || r.Tables[0].Rows() != 2 {
		t.Error(r, err)
	}
}

func TestExplain(t *testing.T) {
	l, e := incidentLake(t)
	if err := l.Seal(ctx, "SecurityIncident"); err != nil {
		t.Fatal(err)
	}
	got, err := e.Explain(ctx, Request{Text: `SecurityIncident | where Title has "it's FROM (x" | summarize count() by bin(TimeGenerated, 1d) | extend x = format_datetime(TimeGenerated, "yyyy")`})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(got)
	for _, want := range []string{"Project", "SQL 1 stands for\n  Project ", "Summarize (count_", "and is\n  SELECT", "\n  FROM (\n", "GROUP BY 1", "… 2 files …", "'it''s from (x'", "what is read\n  SecurityIncident: columns"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLongSQLEndsInTime(t *testing.T) {
	e := genEngine(t, rand.New(rand.NewSource(1)), false)
	q := "T | extend k = b | project k"
	for i := range 5 {
		q += fmt.Sprintf(" | join kind=inner (T | project k = b, x%d = l) on k | project-away k1", i)
	}
	q += " | summarize sum(x0), sum(x4)"
	start := time.Now()
	_, err := e.Run(ctx, Request{Text: q, Timeout: 300 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Error(time.Since(start), err)
	}
	// the next question has a snapshot of its own
	if got := text(run(t, e, Request{Text: "T | count"})); got != "80" {
		t.Error(got)
	}
}

// The columns of a plugin are found by running its input while the question is still being bound.
func TestPluginsOverIngestionTime(t *testing.T) {
	l := openLake(t)
	add(t, l, "P_CL", "TimeGenerated:datetime k:string p:dynamic", `{"TimeGenerated":"2026-01-01T00:00:00Z","k":"a","p":{"x":1,"y":"z"}}`, `{"TimeGenerated":"2026-01-02T00:00:00Z","k":"b","p":{"w":2}}`)
	for _, noSQL := range []bool{false, true} {
		e := New(Options{Lake: l, NoSQL: noSQL})
		for q, want := range map[string]string{
			`P_CL | where ingestion_time() > datetime(2020-01-01) | evaluate bag_unpack(p) | project k, x, y | sort by k asc`:                                                                      "a|1|z\nb|null|",
			`P_CL | extend i = ingestion_time() | evaluate bag_unpack(p) | where isnotnull(i) | summarize n = count(), max(x) | project n, max_x`:                                                  "2|1",
			`P_CL | where TimeGenerated < datetime(2026-01-02) | evaluate bag_unpack(p) | getschema | summarize make_list(ColumnName)`:                                                             `["TenantId","TimeGenerated","k","Type","_ResourceId","x","y"]`,
			`let r = materialize(P_CL | where ingestion_time() > datetime(2020-01-01)); r | evaluate pivot(k, count()) | join kind=inner r on $left.TimeGenerated == $right.TimeGenerated | count`: "2",
			`P_CL | where k has "a" | project k, d = ingestion_time() > datetime(2020-01-01) | evaluate pivot(k, count(), d)`:                                                                      "True|1",
		} {
			if got := text(run(t, e, Request{Text: q})); got != want {
				t.Errorf("%s\ngives\n%s\nnot\n%s", q, got, want)
			}
		}
	}
}

func TestPluginsOverWhatSQLSaysOtherwise(t *testing.T) {
	l := openLake(t)
	add(t, l, "P_CL", "TimeGenerated:datetime s:string p:dynamic", `{"TimeGenerated":"2026-01-01T00:00:00Z","s":"0x10","p":{"x":1}}`)
	e := New(Options{Lake: l})
	if got := text(run(t, e, Request{Text: `P_CL | where tolong(s) == 16 | project p | evaluate bag_unpack(p)`})); got != "1" {
		t.Error(got)
	}
}

// Many rows tie, in several threads: the columns of arg_max and arg_min still come from one row.
func TestColumnsOfTiedRowsStayTogether(t *testing.T) {
	l := openLake(t)
	for part := range 5 {
		const n = 12_000
		f := &value.Frame{Schema: cols("TimeGenerated:datetime g:int a:string b:long c:real d:dynamic"), N: n}
		for _, c := range f.Schema {
			f.Vecs = append(f.Vecs, value.New(c.Type, n))
		}
		for i := range n {
			id := int64(part*n + i)
			f.Vecs[0].I[i] = 638000000000000000 + id*7919%3*10_000_000
			f.Vecs[1].I[i] = id % 50
			f.Vecs[2].S[i] = fmt.Sprint(id)
			f.Vecs[3].I[i] = id
			f.Vecs[4].F[i] = float64(id)
			f.Vecs[5].D[i] = id
			if id%3 == 0 {
				f.Vecs[3].SetNull(i)
			}
		}
		if _, err := l.Append(ctx, lake.Batch{Table: "X_CL", Frame: f}); err != nil {
			t.Fatal(err)
		}
		if part < 4 {
			if err := l.Seal(ctx, "X_CL"); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := New(Options{Lake: l})
	for _, q := range []string{
		"X_CL | summarize arg_max(TimeGenerated, a, b, c, d) by g",
		"X_CL | summarize arg_min(TimeGenerated, a, b, c, d) by g",
		"X_CL | where b >= 0 or isnull(b) | summarize arg_max(g, a, b, c, d) by TimeGenerated",
		"X_CL | where g <= 40 | summarize arg_max(g, a, b, c, d) by TimeGenerated",
	} {
		q += " | where a != tostring(tolong(c)) or a != tostring(d) or isnotnull(b) != (tolong(a) % 3 != 0) or isnotnull(b) and b != tolong(a)"
		if got := text(run(t, e, Request{Text: q})); got != "" {
			t.Errorf("%s\nmixes rows:\n%s", q, got)
		}
	}
}

func TestTimelessTablesAreWhole(t *testing.T) {
	l := openLake(t)
	for _, n := range []string{"Watchlist", "Other_CL"} {
		add(t, l, n, "TimeGenerated:datetime k:string", `{"TimeGenerated":"2025-01-01T00:00:00Z","k":"a"}`, `{"TimeGenerated":"2026-01-02T00:00:00Z","k":"b"}`)
	}
	for _, noSQL := range []bool{false, true} {
		e := New(Options{Lake: l, Timeless: []string{"watchlist"}, NoSQL: noSQL})
		window := Request{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}
		received := Request{ReceivedAfter: time.Now().Add(time.Hour)}
		for q, want := range map[string][2]string{
			"Watchlist | count": {"2", "2"},
			"Other_CL | count":  {"1", "0"},
			"Watchlist | where TimeGenerated > datetime(2026-01-01) | count":           {"1", "1"},
			"Watchlist | where ingestion_time() > now(1h) | count":                     {"0", "0"},
			"Other_CL | where k in ((Watchlist | project k)) | project k":              {"b", ""},
			"Watchlist | join kind=leftanti Other_CL on k | project k | sort by k asc": {"a", "a\nb"},
		} {
			for i, r := range []Request{window, received} {
				r.Text = q
				if got := text(run(t, e, r)); got != want[i] {
					t.Errorf("%s (%d, SQL %v)\ngives %q, not %q", q, i, !noSQL, got, want[i])
				}
			}
		}
	}
}
