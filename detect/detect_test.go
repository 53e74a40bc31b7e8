package detect

import (
	"context"
	"os"
	"path/filepath"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"picket/state"
	"strings"
	"sync"
	"testing"
	"time"
)

// sharedDir is where the corpora lie; a test that needs them skips without them unless they are required.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	} else if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir)
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatalf("the corpora are required: %v", err)
		}
		t.Skipf("no corpora: %v", err)
	}
	return dir
}

// world is a detector over rows that a test holds in memory: every query answers the rows received in its
// window.
type world struct {
	t    *testing.T
	d    *Detector
	db   *state.DB
	mu   sync.Mutex
	now  time.Time
	rows []trip
	got  map[string][]map[string]any // table → rows appended
	ops  map[string]bool
	ev   []Event
}

type trip struct {
	at time.Time
	ip string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), got: map[string][]map[string]any{}, ops: map[string]bool{}}
	db, err := state.Open(context.Background(), filepath.Join(t.TempDir(), "s.db"), Migrations())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w.db = db
	w.open()
	return w
}

func (w *world) open() {
	d, err := New(Deps{
		State: w.db,
		Now:   func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now },
		Check: func(context.Context, string) (Checked, error) { return Checked{Tables: []string{"T"}}, nil },
		Query: func(_ context.Context, r query.Request) (*query.Result, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			var ips []string
			var at []int64
			for _, x := range w.rows {
				if x.at.After(r.ReceivedAfter) && !x.at.After(r.ReceivedUntil) {
					ips = append(ips, x.ip)
					tk, _ := value.TicksOf(x.at)
					at = append(at, tk)
				}
			}
			s := value.Schema{{Name: "TimeGenerated", Type: value.Datetime}, {Name: "IPCustomEntity", Type: value.String}}
			tv := &value.Vector{Type: value.Datetime, N: len(at), I: at}
			return &query.Result{Tables: []query.Table{{Name: "PrimaryResult", Schema: s, Frames: []*value.Frame{value.NewFrame(s, tv, value.StringVector(ips))}}}}, nil
		},
		Append: func(_ context.Context, table string, _ value.Schema, rows []map[string]any, op string) (lake.Ack, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if !w.ops[op] {
				w.ops[op] = true
				w.got[table] = append(w.got[table], rows...)
			}
			return lake.Ack{}, nil
		},
		Barrier: func(context.Context) (time.Time, error) { w.mu.Lock(); defer w.mu.Unlock(); return w.now, nil },
		OnIncident: func(_ context.Context, e Event) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ev = append(w.ev, e)
			return nil
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.d = d
}

func (w *world) at(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
}

func (w *world) arrive(ip string) {
	w.mu.Lock()
	w.rows = append(w.rows, trip{w.now, ip})
	w.mu.Unlock()
	w.d.Arrived([]string{"T"})
}

func (w *world) step() {
	w.d.step(context.Background())
	if _, err := w.d.deliver(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) rule(mutate func(*Rule)) *StoredRule {
	w.t.Helper()
	r := &Rule{
		ID: "27dda424-1dbe-4236-9dd5-c484b23111a5", Kind: Scheduled, Name: "Tripped", Severity: High, Enabled: true, Query: "T",
		Frequency: 15 * time.Minute, Period: 15 * time.Minute, Operator: "GreaterThan", CreateIncident: true,
	}
	if mutate != nil {
		mutate(r)
	}
	s, err := w.d.SaveRule(context.Background(), r, "alice", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) incidents() []*Incident {
	w.t.Helper()
	is, err := w.d.Incidents(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return is
}

func TestTheCommunityRuleLoadsUnmodified(t *testing.T) {
	for _, f := range []string{"Ingest-CanaryTokens", "Ingest-CanaryTokens-v1.0-2021-04"} {
		src, err := os.ReadFile(filepath.Join(sharedDir(t), "seed", f, "Detections", "Canarytoken_triggered.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := ParseTemplate(src)
		if err != nil {
			t.Fatal(err)
		}
		if r.ID != "27dda424-1dbe-4236-9dd5-c484b23111a5" || r.Name != "Canarytoken Triggered" || r.Severity != High || r.Frequency != 15*time.Minute || r.Period != 15*time.Minute || r.Operator != "GreaterThan" {
			t.Errorf("got %+v", r)
		}
		if !strings.HasPrefix(r.Query, "CanaryTokens_CL") || strings.HasSuffix(r.Query, "'") || strings.HasPrefix(r.Description, "'") {
			t.Errorf("stray quotes stay: %q … %q", r.Query[:20], r.Query[len(r.Query)-10:])
		}
		if len(r.EntityMappings) != 1 || r.EntityMappings[0].Type != "IP" || len(r.Tactics) != 3 || len(r.Techniques) != 0 {
			t.Errorf("mappings %v tactics %v", r.EntityMappings, r.Tactics)
		}
	}
}

func TestAllPublishedRulesLoad(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedDir(t), "content", "rules", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	ok := 0
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseTemplate(src); err != nil {
			t.Logf("%s: %v", filepath.Base(f), err)
			continue
		}
		ok++
	}
	t.Logf("rules: %d/%d load", ok, len(files))
	if ok < len(files) {
		t.Errorf("only %d of %d rule files load", ok, len(files))
	}
}

func TestBrokenRulesNameTheField(t *testing.T) {
	base := "name: x\nseverity: High\nqueryFrequency: 15m\nqueryPeriod: 15m\ntriggerOperator: gt\nquery: T\n"
	for _, c := range []struct{ src, want string }{
		{"- a", "not a YAML mapping"},
		{"name: [", "not valid YAML"},
		{strings.Replace(base, "High", "Urgent", 1), "severity"},
		{strings.Replace(base, "queryFrequency: 15m", "queryFrequency: soon", 1), "queryFrequency"},
		{strings.Replace(base, "queryPeriod: 15m", "queryPeriod: 5m", 1), "shorter than queryFrequency"},
		{strings.Replace(base, "gt", "above", 1), "triggerOperator"},
		{base + "entityMappings:\n  - entityType: Banana\n    fieldMappings:\n      - identifier: A\n        columnName: B\n", "Banana"},
		{strings.Replace(base, "query: T", "query: ''", 1), "query"},
	} {
		_, err := ParseTemplate([]byte(c.src))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want it to speak of %q", c.src, err, c.want)
		}
	}
}

func TestUnknownIdentifiersAreLeftOutWithAWarning(t *testing.T) {
	src := "name: x\nseverity: High\nqueryFrequency: 15m\nqueryPeriod: 15m\nquery: T\nentityMappings:\n  - entityType: IP\n    fieldMappings:\n      - identifier: Colour\n        columnName: B\n"
	r, err := ParseTemplate([]byte(src))
	if err != nil || len(r.EntityMappings) != 0 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "Colour") {
		t.Fatalf("%+v %v", r, err)
	}
	// A rule set by the API is held to it.
	r.EntityMappings = []EntityMapping{{"IP", []Field{{"Colour", "B"}}}}
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "Colour") {
		t.Fatalf("got %v", err)
	}
}

func TestRowsOfOneWindowMakeOneIncident(t *testing.T) {
	w := newWorld(t)
	w.rule(func(r *Rule) { r.OnArrival = true })
	w.step()
	w.at(time.Minute)
	w.arrive("198.51.100.7")
	w.step()
	is := w.incidents()
	if len(is) != 1 || is[0].Severity != High || is[0].Status != "New" || is[0].Number != 1 {
		t.Fatalf("after the first row: %+v", is)
	}
	es, err := w.d.IncidentEntities(context.Background(), is[0].ID)
	if err != nil || len(es) != 1 || es[0].Label() != "198.51.100.7" {
		t.Fatalf("entities %v %v", es, err)
	}
	w.at(time.Minute)
	w.arrive("203.0.113.9")
	w.step()
	is = w.incidents()
	if len(is) != 1 {
		t.Fatalf("a second row of the window made %d incidents", len(is))
	}
	es, _ = w.d.IncidentEntities(context.Background(), is[0].ID)
	if len(es) != 2 {
		t.Fatalf("entities after the second row: %v", es)
	}
	before := len(w.got["SecurityIncident"])
	w.at(14 * time.Minute) // the scheduled run adds nothing
	w.step()
	if is = w.incidents(); len(is) != 1 || len(w.got["SecurityIncident"]) != before {
		t.Fatalf("the scheduled run made %d incidents, %d rows", len(is), len(w.got["SecurityIncident"])-before)
	}
	w.arrive("203.0.113.9") // the next window is another incident
	w.step()
	if is = w.incidents(); len(is) != 2 {
		t.Fatalf("%d incidents after a row of the next window", len(is))
	}
	if len(w.got["SecurityAlert"]) != 3 {
		t.Errorf("%d SecurityAlert rows, want one for each change: 3", len(w.got["SecurityAlert"]))
	}
}

func TestOutageIsCaughtUpOnceAndInOrder(t *testing.T) {
	w := newWorld(t)
	w.rule(nil)
	w.at(time.Minute)
	w.arrive("198.51.100.1")
	w.at(20 * time.Minute)
	w.arrive("198.51.100.2")
	w.at(2 * time.Hour) // nobody ran meanwhile
	w.open()
	w.step()
	is := w.incidents()
	if len(is) != 2 {
		t.Fatalf("%d incidents, want one for each window with rows", len(is))
	}
	w.step()
	if len(w.incidents()) != 2 {
		t.Fatal("running again added incidents")
	}
	runs, err := w.d.Runs(context.Background(), "27dda424-1dbe-4236-9dd5-c484b23111a5", 100)
	if err != nil || len(runs) != 9 {
		t.Fatalf("%d runs, want 9 windows of 15 minutes: %v", len(runs), err)
	}
}

func TestAlertPerResultStopsAtTheLimit(t *testing.T) {
	w := newWorld(t)
	w.rule(func(r *Rule) { r.PerResult = true })
	for i := 0; i < 200; i++ {
		w.arrive("198.51.100.7")
	}
	w.at(16 * time.Minute)
	w.mu.Lock()
	for i := range w.rows {
		w.rows[i].at = w.rows[i].at.Add(time.Second)
	}
	w.mu.Unlock()
	w.step()
	if n := len(w.incidents()); n != maxAlertsPerRun {
		t.Fatalf("%d incidents, want %d", n, maxAlertsPerRun)
	}
}

func TestIncidentIsWorkedToItsClose(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.rule(func(r *Rule) { r.OnArrival = true })
	w.at(time.Second)
	w.arrive("198.51.100.7")
	w.step()
	in := w.incidents()[0]
	if _, err := w.d.AddComment(ctx, in.ID, "", "alice", "looking"); err != nil {
		t.Fatal(err)
	}
	closed := "Closed"
	if _, err := w.d.Update(ctx, in.ID, "alice", 0, Change{Status: &closed}); err == nil || !strings.Contains(err.Error(), "classification") {
		t.Fatalf("closed without classification: %v", err)
	}
	cl, why := "TruePositive", "InaccurateData"
	if _, err := w.d.Update(ctx, in.ID, "alice", 0, Change{Status: &closed, Classification: &cl, Reason: &why}); err == nil {
		t.Fatal("a reason of another classification passed")
	}
	why = "SuspiciousActivity"
	owner := Owner{AssignedTo: "alice"}
	in2, err := w.d.Update(ctx, in.ID, "alice", 0, Change{Status: &closed, Classification: &cl, Reason: &why, Owner: &owner})
	if err != nil || in2.Status != "Closed" || in2.Closed.IsZero() {
		t.Fatalf("%+v %v", in2, err)
	}
	if _, err := w.d.Update(ctx, in.ID, "bob", in.Etag, Change{Owner: &Owner{AssignedTo: "bob"}}); err == nil {
		t.Fatal("a stale etag passed")
	}
	w.step()
	last := w.got["SecurityIncident"][len(w.got["SecurityIncident"])-1]
	if last["Status"] != "Closed" || last["Classification"] != "TruePositive" || last["ModifiedBy"] != "alice" {
		t.Errorf("last row %v", last)
	}
	acts, err := w.d.Activities(ctx, in.ID)
	if err != nil || len(acts) < 4 {
		t.Fatalf("activities %v %v", acts, err)
	}
	w.at(time.Second)
	w.arrive("198.51.100.8")
	w.step()
	if in = w.incidents()[0]; in.Status != "Active" {
		t.Errorf("new evidence in a closed incident leaves it %s", in.Status)
	}
	g, err := w.d.Graph(ctx, in.ID)
	if err != nil || len(g.Nodes) != 4 || len(g.Edges) != 3 {
		t.Fatalf("graph %+v %v", g, err)
	}
}

func TestEntitiesSplitAndMerge(t *testing.T) {
	k, _ := entityKind("Account")
	a, ok := newEntity(k, map[string]string{"FullName": `CONTOSO\bob`})
	if !ok || a.Fields["NTDomain"] != "CONTOSO" || a.Fields["Name"] != "bob" {
		t.Errorf("%v", a)
	}
	b, _ := newEntity(k, map[string]string{"Name": "BOB", "NTDomain": "contoso"})
	if a.ID() != b.ID() {
		t.Error("the same account has two ids")
	}
	if _, ok := newEntity(k, map[string]string{"Name": "System"}); ok {
		t.Error("SYSTEM by name alone identifies nobody")
	}
	h, _ := entityKind("Host")
	e, _ := newEntity(h, map[string]string{"FullName": "fs01.contoso.com"})
	if e.Fields["HostName"] != "fs01" || e.Fields["DnsDomain"] != "contoso.com" || e.Label() != "fs01.contoso.com" {
		t.Errorf("%v", e)
	}
}

func TestSpans(t *testing.T) {
	for s, want := range map[string]time.Duration{"15m": 15 * time.Minute, "1h": time.Hour, "14d": 14 * 24 * time.Hour, "PT5H": 5 * time.Hour, "P1D": 24 * time.Hour, "P1DT1H30M": 25*time.Hour + 30*time.Minute} {
		got, err := ParseSpan(s)
		if err != nil || got != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "P", "1x", "-5m", "PT", "P1M"} {
		if d, err := ParseSpan(s); err == nil && d > 0 {
			t.Errorf("%q passed as %v", s, d)
		}
	}
	if got := ISO(25*time.Hour + 30*time.Minute); got != "P1DT1H30M" {
		t.Error(got)
	}
}
