package usage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"picket/ingest"
	"picket/ingest/standard"
	"picket/kql"
	"picket/kql/bind"
	"picket/kql/value"
	"picket/lake"
	"picket/state"
	"slices"
	"strings"
	"testing"
	"time"
)

var ctx = context.Background()

// world is an ingest with its meter, a clock, and what the meter wrote.
type world struct {
	t    *testing.T
	db   *state.DB
	lk   *lake.Lake
	now  time.Time
	o    Options
	u    *Recorder
	in   *ingest.Ingest
	fail error
}

func open(t *testing.T, o Options) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, now: time.Date(2026, 11, 24, 7, 59, 0, 0, time.UTC), o: o}
	var err error
	if w.db, err = state.Open(ctx, filepath.Join(dir, "state.db"), Migrations()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	if w.lk, err = lake.Open(ctx, lake.Options{Dir: filepath.Join(dir, "lake"), MemoryLimit: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.lk.Close() })
	w.start()
	return w
}

// start makes the recorder anew, as a start of the server does.
func (w *world) start() {
	w.t.Helper()
	tables, err := standard.Tables()
	if err != nil {
		w.t.Fatal(err)
	}
	o := w.o
	o.State, o.Schemas, o.Now, o.ResourceID = w.db, tables, func() time.Time { return w.now }, "/subscriptions/x"
	o.Rows = func(ctx context.Context, table string, s value.Schema, rows []map[string]any, op string) (lake.Ack, error) {
		if w.fail != nil {
			return lake.Ack{}, w.fail
		}
		return w.in.Rows(ctx, table, s, rows, op)
	}
	if w.u, err = New(ctx, o); err != nil {
		w.t.Fatal(err)
	}
	w.in = ingest.New(ingest.Options{Lake: w.lk, Schemas: tables, Now: o.Now, Meter: w.u})
}

func (w *world) collect(table string, rows int, from ingest.Sender) error {
	w.t.Helper()
	body := "[" + strings.TrimSuffix(strings.Repeat(`{"m":"0123456789"},`, rows), ",") + "]"
	_, err := w.in.Collect(ingest.WithSender(ctx, from), ingest.CollectRequest{LogType: table, Body: []byte(body)})
	return err
}

func (w *world) write() {
	w.t.Helper()
	if err := w.u.Write(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// rows gives some columns of a table as texts, sorted.
func (w *world) rows(table string, cols ...string) (out []string) {
	w.t.Helper()
	s, err := w.lk.Snapshot(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	f, err := s.Newest(ctx, table, 10_000)
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range f.N {
		var cells []string
		for _, c := range cols {
			cells = append(cells, value.Text(f.Vecs[f.Schema.Index(c)], i))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	slices.Sort(out)
	return out
}

func TestUsageOfAnHour(t *testing.T) {
	w := open(t, Options{Free: []string{"Own_CL"}})
	for _, table := range []string{"App", "App", "Own"} {
		if err := w.collect(table, 10, ingest.Sender{}); err != nil {
			t.Fatal(err)
		}
	}
	w.write()
	if got := w.rows(Table, "DataType"); got != nil {
		t.Errorf("the hour is not over: %q", got)
	}
	if err := w.u.save(ctx); err != nil {
		t.Fatal(err)
	}
	w.start() // the counts outlive a restart
	w.now = w.now.Add(2 * time.Minute)
	w.fail = errors.New("the disk is busy")
	if err := w.u.Write(ctx); err == nil {
		t.Error("the failure is not told")
	}
	w.fail = nil
	w.write()
	w.write()
	want := []string{
		"App_CL|LogManagement|0.000382|MBytes|True|2|2026-11-24T07:00:00.0000000Z|2026-11-24T08:00:00.0000000Z|/subscriptions/x",
		"Own_CL|LogManagement|0.000191|MBytes|False|1|2026-11-24T07:00:00.0000000Z|2026-11-24T08:00:00.0000000Z|/subscriptions/x",
	}
	cols := []string{"DataType", "Solution", "Quantity", "QuantityUnit", "IsBillable", "TotalBatches", "StartTime", "TimeGenerated", "ResourceUri"}
	if got := w.rows(Table, cols...); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	w.start() // its deletion was not kept: the hour's id says that it is written
	w.write()
	if got := w.rows(Table, cols...); len(got) != 2 {
		t.Errorf("after a crash: %q", got)
	}
}

func TestDailyCap(t *testing.T) {
	w := open(t, Options{DailyCap: 1000, ResetHour: 9})
	refused := func(err error) bool {
		var e *ingest.Error
		return errors.As(err, &e) && e.Status == 429 && e.Code == "OverQuota" && strings.Contains(e.Message, "2026-11-24T09:00:00Z")
	}
	if err := w.collect("App", 45, ingest.Sender{}); err != nil {
		t.Fatal(err)
	}
	if q := w.u.Quota(); q.Status != "ApproachingQuota" || q.Used != 856 || q.Cap != 1000 {
		t.Errorf("%+v", q)
	}
	if err := w.collect("App", 45, ingest.Sender{}); err != nil { // the one that goes over is still taken
		t.Fatal(err)
	}
	if err := w.collect("App", 1, ingest.Sender{}); !refused(err) {
		t.Errorf("over the cap: %v", err)
	}
	if err := w.collect("App", 1, ingest.Sender{Protocol: "import"}); err != nil {
		t.Errorf("an import: %v", err)
	}
	tables, _ := standard.Tables()
	s := tables["Syslog"]
	if _, err := w.in.Rows(ctx, "Syslog", s[:1], []map[string]any{{"TimeGenerated": w.now}}, ""); err != nil {
		t.Errorf("security data: %v", err)
	}
	if err := w.u.save(ctx); err != nil {
		t.Fatal(err)
	}
	w.start()
	if err := w.collect("App", 1, ingest.Sender{}); !refused(err) || w.u.Quota().Status != "OverQuota" {
		t.Errorf("after a restart: %v", err)
	}
	w.write()
	w.now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	if err := w.collect("App", 1, ingest.Sender{}); err != nil {
		t.Errorf("after the reset: %v", err)
	}
	w.write()
	got := w.rows(OperationTable, "OperationKey", "OperationStatus", "Detail")
	want := []string{"Daily cap approaching|Warning", "Data collection resumed|Succeeded", "Data collection stopped|Error"}
	if len(got) != 3 {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %s", got[i], want[i])
		}
	}
	if !strings.Contains(got[2], "OverQuota") {
		t.Errorf("%q", got[2])
	}
	if err := w.u.SetCap(10); err != nil || w.u.Quota().Status != "OverQuota" {
		t.Error(err)
	}
	if err := w.u.SetCap(0); err != nil || w.collect("App", 100, ingest.Sender{}) != nil {
		t.Error(err)
	}
	if err := w.u.save(ctx); err != nil {
		t.Fatal(err)
	}
	w.o.CapSecurity = true
	w.start()
	if q := w.u.Quota(); q.Cap != 0 {
		t.Errorf("the cap that was set is forgotten: %+v", q)
	}
	if err := w.u.SetCap(1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.in.Rows(ctx, "Syslog", s[:1], []map[string]any{{"TimeGenerated": w.now}}, ""); err == nil {
		t.Error("security data is held to the cap too")
	}
}

func TestOperations(t *testing.T) {
	w := open(t, Options{})
	long := strings.Repeat("x", ingest.MaxFieldBytes+1)
	for range 3 {
		if _, err := w.in.Collect(ctx, ingest.CollectRequest{LogType: "App", Body: []byte(`{"a":"` + long + `"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	w.write()
	var wide strings.Builder
	for i := range 499 {
		fmt.Fprintf(&wide, `,"f%d":1`, i)
	}
	if _, err := w.in.Collect(ctx, ingest.CollectRequest{LogType: "App", Body: []byte(`{"a":"b"` + wide.String() + `}`)}); err == nil {
		t.Fatal("501 columns")
	}
	if _, err := w.in.Collect(ctx, ingest.CollectRequest{LogType: "App", Body: []byte(`{"a":"` + long + `"}`)}); err != nil {
		t.Fatal(err)
	}
	w.write()
	w.now = w.now.Add(11 * time.Minute)
	w.write()
	got := w.rows(OperationTable, "OperationKey", "Detail")
	want := []string{"Field content validation|1 fields of App_CL were longer", "Field content validation|1 fields of App_CL were longer", "Maximum table column count|a request for App_CL was refused"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if !strings.Contains(got[0]+got[1], "(3 since") || !strings.Contains(got[0]+got[1], "(1 since") {
		t.Errorf("%q", got)
	}
}

func TestSendersAndHeartbeats(t *testing.T) {
	w := open(t, Options{Version: "1"})
	h := w.u.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			http.Error(rw, "no credential", 401)
			return
		}
		ingest.SetPrincipal(r.Context(), "fluent")
		if _, err := w.in.Collect(r.Context(), ingest.CollectRequest{LogType: "App", Body: []byte(`[{"m":"a"},{"m":"b"}]`)}); err != nil {
			t.Error(err)
		}
	}))
	ask := func(method, path, auth string) {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("User-Agent", "Fluent-Bit")
		if auth != "" {
			r.Header.Set("Authorization", auth)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("POST", "/api/logs", "")
	ask("POST", "/api/logs", "x")
	ask("POST", "/dataCollectionRules/dcr-1/streams/Custom-X", "x")
	ask("GET", "/incidents", "")
	from := ingest.WithSender(ctx, ingest.Sender{Protocol: "_bulk", Address: "192.0.2.7"})
	for range 2 { // refused records make a trouble once, and no sender of rows
		if err := w.in.Quarantine(from, "App_CL", []ingest.Reject{{Record: "x"}}, "op"); err != nil {
			t.Fatal(err)
		}
	}
	w.u.Seen(ingest.Sender{Protocol: "syslog-tcp", Address: "192.0.2.9", Computer: "web1"}, "Syslog", 5, 100)
	check := func() {
		t.Helper()
		var got []string
		for _, s := range w.u.Senders() {
			got = append(got, fmt.Sprintf("%s %s %s %s rows=%d errors=%d %v %.40s", s.Protocol, s.Address, s.Principal, s.Computer, s.Rows, s.Errors, s.Tables, s.LastError))
		}
		slices.Sort(got)
		want := []string{
			"collector 192.0.2.1   rows=0 errors=1 [] Unauthorized: no credential\n", "collector 192.0.2.1 fluent  rows=2 errors=0 [App_CL] ",
			"logs-ingestion 192.0.2.1 fluent  rows=2 errors=0 [App_CL] ", "syslog-tcp 192.0.2.9  web1 rows=5 errors=0 [Syslog] ",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	}
	check()
	w.write()
	if got := w.rows(HeartbeatTable, "Computer", "ComputerIP", "Category", "OSType"); !slices.Equal(got, []string{"192.0.2.1|192.0.2.1|Logs Ingestion API|", "web1|192.0.2.9|Syslog|Linux"}) {
		t.Errorf("%q", got)
	}
	w.now = w.now.Add(time.Minute)
	w.write()
	if got := w.rows(HeartbeatTable, "Computer"); len(got) != 2 {
		t.Errorf("those that are silent beat on: %q", got)
	}
	if err := w.u.save(ctx); err != nil {
		t.Fatal(err)
	}
	w.start()
	check()
	for i := range maxSenders + 10 {
		w.u.Seen(ingest.Sender{Protocol: "syslog-udp", Address: fmt.Sprint(i)}, "Syslog", 1, 1)
	}
	if n := len(w.u.Senders()); n > maxSenders {
		t.Errorf("%d senders", n)
	}
	if err := w.u.save(ctx); err != nil {
		t.Fatal(err)
	}
	n := len(w.u.Senders())
	w.start()
	if m := len(w.u.Senders()); m != n {
		t.Errorf("%d senders are kept of %d", m, n)
	}
}

func TestLogOperationBinds(t *testing.T) {
	tables, err := standard.Tables()
	if err != nil {
		t.Fatal(err)
	}
	a := kql.Answer(ctx, LogOperation+` | where Category =~ "Ingestion" | where Detail contains "OverQuota"`, kql.Input{Schema: bind.Tables{OperationTable: tables[OperationTable]}, BindOnly: true})
	if a.Err != nil {
		t.Error(a.Err)
	}
}
