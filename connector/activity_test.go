package connector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"picket/connector"
	"picket/content"
	"picket/ingest"
	"picket/kql/bind"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/playbook/expr"
	"picket/query"
	"picket/state"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const portalHost = "acme.eu2.portal.cloudappsecurity.com"

// station is a picket as far as the activity connector needs one: lake, ingest, queries, and an engine that can be
// stopped at any moment and started again on the same store.
type station struct {
	t      *testing.T
	dir    string
	db     *state.DB
	lake   *lake.Lake
	ingest *ingest.Ingest
	query  *query.Engine
	portal *portal
	e      *playbook.Engine
	stop   func()
	// after is called when rows were stored and before the engine hears of it; true: the engine never does.
	after func() bool
	sent  int
}

func newStation(t *testing.T, p *portal) *station {
	s := &station{t: t, dir: t.TempDir(), portal: p}
	ctx := context.Background()
	var err error
	if s.db, err = state.Open(ctx, filepath.Join(s.dir, "state.db"), playbook.Migrations()); err != nil {
		t.Fatal(err)
	}
	if s.lake, err = lake.Open(ctx, lake.Options{Dir: filepath.Join(s.dir, "lake"), WorkspaceID: "w"}); err != nil {
		t.Fatal(err)
	}
	s.ingest = ingest.New(ingest.Options{Lake: s.lake})
	s.query = query.New(query.Options{Lake: s.lake, Functions: shippedFunction})
	s.start()
	return s
}

func shippedFunction(name string) (bind.Function, bool) {
	body, ok := content.Function(name)
	return bind.Function{Name: name, Params: "()", Body: body}, ok
}

func (s *station) start() {
	collect := func(ctx context.Context, lt string, b []byte, tf, id string) (int, error) {
		_, err := s.ingest.Collect(ctx, ingest.CollectRequest{LogType: lt, Body: b, TimeField: tf, OpID: id})
		var bad *ingest.Error
		if errors.As(err, &bad) {
			return bad.Status, err
		}
		if err != nil {
			return 500, err
		}
		s.sent++
		if s.after != nil && s.after() {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 200, nil
	}
	var err error
	s.e, err = playbook.New(playbook.Deps{
		DB: s.db, KeyFile: filepath.Join(s.dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.DiscardHandler),
		Outbound:   playbook.Outbound{Hosts: map[string]http.Handler{portalHost: s.portal}},
		Connectors: connector.All(connector.Deps{Collect: collect, Query: s.query.Run}),
		Resource: func(fn, id string) (any, bool) {
			if !strings.HasSuffix(id, "/workspaces/soc") {
				return nil, false
			}
			if fn == "reference" {
				return map[string]any{"customerId": "11111111-2222-3333-4444-555555555555"}, true
			}
			return map[string]any{"primarySharedKey": "c2hhcmVkIGtleQ=="}, true
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.e.Run(ctx) }()
	s.stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		s.e.Close()
	}
}

func (s *station) close() {
	s.stop()
	if err := errors.Join(s.lake.Close(), s.db.Close()); err != nil {
		s.t.Error(err)
	}
}

func (s *station) deploy(file string) string {
	s.t.Helper()
	tpl, err := content.Files().ReadFile("playbooks/" + file)
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := s.e.Deploy(context.Background(), playbook.DeployRequest{Template: tpl, Parameters: map[string]any{"Portal": portalHost, "Token": s.portal.token, "Workspace": "soc"}})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(d.Needs) > 0 {
		s.t.Fatalf("%s needs %v", file, d.Needs)
	}
	return d.Workflows[0].Name
}

func (s *station) ask(q string) []*expr.Object {
	s.t.Helper()
	res, err := s.query.Run(context.Background(), query.Request{Text: q})
	if err != nil {
		s.t.Fatalf("%s: %v", q, err)
	}
	var out []*expr.Object
	t := res.Tables[0]
	for _, f := range t.Frames {
		for i := 0; i < f.N; i++ {
			o := &expr.Object{}
			for k, c := range t.Schema {
				o.Set(c.Name, value.Text(f.Vecs[k], i))
			}
			out = append(out, o)
		}
	}
	return out
}

// last waits for a playbook's newest run to end.
func (s *station) last(name string) *playbook.RunDetail {
	s.t.Helper()
	for range 1000 {
		runs, err := s.e.Runs(context.Background(), name, playbook.Page{})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(runs) > 0 && !runs[0].Ended.IsZero() {
			d, err := s.e.RunDetail(context.Background(), runs[0].ID)
			if err != nil {
				s.t.Fatal(err)
			}
			return d
		}
		time.Sleep(time.Second)
	}
	s.t.Fatal("the run doesn't end")
	return nil
}

// The post's playbook sends each answer as it came: an object is one row, a list is a row an activity.
func TestActivityPlaybookLiteral(t *testing.T) {
	for _, c := range []struct {
		file    string
		asArray bool
		rows    int
	}{{"mcas-activity-log.json", false, 1}, {"mcas-activity-log.json", true, 7}, {"mcas-activity-log-rows.json", false, 7}, {"mcas-activity-log-rows.json", true, 7}} {
		t.Run(fmt.Sprintf("%s array=%t", c.file, c.asArray), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &portal{token: "s3cret-api-token", asArray: c.asArray}
				rnd := rand.New(rand.NewPCG(1, 2))
				for i := range 7 {
					at := time.Now().Add(-time.Duration(i) * time.Hour)
					p.add(record(i, at, at, "ann@acme.example", "EVENT_CATEGORY_LOGIN", "o", 0, rnd))
				}
				s := newStation(t, p)
				defer s.close()
				name := s.deploy(c.file)
				d := s.last(name)
				if d.Status != playbook.Succeeded {
					t.Fatal(explain(d))
				}
				if strings.Contains(expr.JSON(expr.FromGo(explain(d))), p.token) {
					t.Error("the history shows the token")
				}
				for _, a := range d.Actions {
					if strings.Contains(expr.JSON(a.Inputs)+expr.JSON(a.Outputs), p.token) {
						t.Errorf("the history of %s shows the token", a.Name)
					}
				}
				if n := len(s.ask("MCAS_Activity_Log_CL")); n != c.rows {
					t.Errorf("%d rows, want %d", n, c.rows)
				}
				flat := s.ask("MCASActivity | order by ActivityTime asc")
				if len(flat) != 7 {
					t.Fatalf("the function gives %d activities, want 7", len(flat))
				}
				if f := flat[6]; f.Value("UserName") != "ann@acme.example" || f.Value("City") != "Berlin" || f.Value("Latitude") != "52.52" || f.Value("ActivityId") != p.list[0].id {
					t.Errorf("the function gives %s", expr.JSON(f))
				}
			})
		})
	}
}

// A month against a portal that throttles, fails, cuts answers and lists activities late, with an engine that is
// stopped in the middle of runs: each activity is in the table exactly once.
func TestActivityPlaybookContinuous(t *testing.T) { synctest.Test(t, month) }

func month(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 4))
	began := time.Now()
	p := &portal{token: "s3cret-api-token"}
	n := 0
	for day := -3; day < 30; day++ {
		count := 10 + rnd.IntN(30)
		if day == 11 {
			count = 320
		}
		for range count {
			at := began.Add(time.Duration(day)*24*time.Hour + time.Duration(rnd.IntN(86_400_000))*time.Millisecond)
			visible := at.Add(time.Duration(rnd.IntN(900)) * time.Second)
			if rnd.IntN(12) == 0 {
				visible = at.Add(time.Duration(rnd.IntN(40)) * time.Hour)
			}
			if rnd.IntN(9) == 0 { // several at one moment
				at = at.Truncate(10 * time.Minute)
			}
			p.add(record(n, at, visible, "ann@acme.example", "EVENT_CATEGORY_LOGIN", "o", 0, rnd))
			n++
		}
	}
	restart := make(chan struct{}, 1)
	kill := func() bool {
		select {
		case restart <- struct{}{}:
		default:
		}
		return true
	}
	outage := func() bool { d := time.Since(began) / (24 * time.Hour); return d == 5 || d == 6 || d == 18 }
	p.fault = func(int) int {
		switch k := rnd.IntN(40); {
		case outage():
			return 503
		case k < 4:
			return []int{500, 502, 503, 429}[k]
		case k == 4:
			return -1
		case k == 5:
			return -2
		case k < 8:
			kill()
		case k < 10: // somebody else uses up the minute
			return -3
		}
		return 0
	}
	s := newStation(t, p)
	defer s.close()
	s.after = func() bool { return rnd.IntN(12) == 0 && kill() }
	name := s.deploy("mcas-activity-log-continuous.json")
	restarts := 0
	half, end := time.After(16*24*time.Hour+time.Hour), time.After(34*24*time.Hour)
	for live := true; live; {
		select {
		case <-restart:
			restarts++
			s.stop()
			time.Sleep(time.Duration(rnd.IntN(600)) * time.Second)
			s.start()
		case <-half: // from here on by skip and limit
			tpl, _ := content.Files().ReadFile("playbooks/mcas-activity-log-continuous.json")
			text := strings.Replace(string(tpl), `"defaultValue": "scan"`, `"defaultValue": "skip"`, 1)
			if _, err := s.e.Deploy(context.Background(), playbook.DeployRequest{Template: []byte(text), Parameters: map[string]any{"Portal": portalHost, "Token": p.token, "Workspace": "soc"}}); err != nil || text == string(tpl) {
				t.Fatal("switch to skip and limit: ", err)
			}
		case <-end:
			live = false
		}
	}
	status := map[string]int{}
	for page := (playbook.Page{Top: 250}); ; {
		runs, err := s.e.Runs(context.Background(), name, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			status[r.Status]++
			page.After = r.ID
		}
		if len(runs) < page.Top {
			break
		}
	}
	times := map[string]int{}
	for _, r := range s.ask("MCASActivity | project ActivityId") {
		times[r.Value("ActivityId").(string)]++
	}
	missing, twice, strange := 0, 0, len(times)
	for _, a := range p.list {
		switch times[a.id] {
		case 0:
			missing++
		case 1:
			strange--
		default:
			strange--
			twice++
		}
	}
	t.Logf("%d activities, %d requests, %d throttled, %d restarts, runs %v", len(p.list), p.served, p.refused, restarts, status)
	t.Logf("activities exactly once: %d of %d", len(p.list)-missing-twice, len(p.list))
	if missing > 0 || twice > 0 || strange != 0 {
		t.Errorf("%d activities are missing, %d are there more than once, %d are unknown", missing, twice, strange)
	}
	if restarts < 10 || p.refused == 0 || status[playbook.Failed] == 0 || status[playbook.Succeeded] < 15 {
		t.Errorf("the month was too calm: %d restarts, %d throttled, runs %v", restarts, p.refused, status)
	}
}
