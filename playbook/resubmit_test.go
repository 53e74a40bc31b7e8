package playbook

import (
	"context"
	"fmt"
	"net/http"
	"picket/playbook/expr"
	"sync/atomic"
	"testing"
	"time"
)

// A run starts again from what failed: what was done before is not done again.
func TestResubmitFrom(t *testing.T) {
	var first, second atomic.Int64
	var broken atomic.Bool
	broken.Store(true)
	l := newLab(t, func(d *Deps) {
		d.Outbound.Hosts = map[string]http.Handler{
			"first.example": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { first.Add(1) }),
			"second.example": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if second.Add(1); broken.Load() {
					w.WriteHeader(400)
				}
			}),
		}
	})
	l.define("P", `"Init":{"type":"InitializeVariable","inputs":{"variables":[{"name":"n","type":"Integer","value":1}]}},
		"First":{"type":"Http","runAfter":{"Init":["Succeeded"]},"inputs":{"method":"POST","uri":"https://first.example/"}},
		"If":{"type":"If","runAfter":{"First":["Succeeded"]},"expression":"@equals(1, 1)","actions":{
			"Up":{"type":"IncrementVariable","inputs":{"name":"n","value":1}},
			"Second":{"type":"Http","runAfter":{"Up":["Succeeded"]},"inputs":{"method":"POST","uri":"https://second.example/"}},
			"Then":{"type":"IncrementVariable","runAfter":{"Second":["Succeeded"]},"inputs":{"name":"n","value":10}}},
			"else":{"actions":{"No":{"type":"Compose","inputs":1}}}},
		"Loop":{"type":"Foreach","runAfter":{"Init":["Succeeded"]},"foreach":"@range(0,3)","actions":{"In":{"type":"Compose","inputs":"@item()"}}},
		"End":{"type":"Compose","runAfter":{"If":["Succeeded"],"Loop":["Succeeded"]},"inputs":"@variables('n')"},
		"Bad":{"type":"Compose","runAfter":{"If":["Failed"]},"inputs":"it failed"}`)
	d := l.run("P", nil)
	if d.Status != Failed && find(d, "Bad").Status != Succeeded || find(d, "End").Status != Skipped {
		t.Fatal(describe(d))
	}
	ctx := context.Background()
	broken.Store(false)
	for i, from := range []string{"", "Second", "If"} {
		id, err := l.ResubmitFrom(ctx, d.ID, from)
		if err != nil {
			t.Fatal(err)
		}
		again := l.ended(id)
		if again.Status != Succeeded || expr.JSON(find(again, "End").Outputs) != "12" || find(again, "Bad").Status != Skipped || first.Load() != 1 || second.Load() != int64(i+2) {
			t.Errorf("from %q: %d %d %s", from, first.Load(), second.Load(), describe(again))
		}
		if n, err := l.RunActions(ctx, id, ActionPage{Action: "In"}); err != nil || len(n) != 3 {
			t.Errorf("%v %v", n, err)
		}
		d2, _ := l.RunDetail(ctx, d.ID)
		if d2.TriggerRecord.Value("resubmittedFrom") != nil || again.TriggerRecord.Value("resubmittedFrom") != d.ID {
			t.Error("where a run comes from")
		}
	}
	for _, from := range []string{"In", "No", "Nothing"} {
		if _, err := l.ResubmitFrom(ctx, d.ID, from); err == nil {
			t.Errorf("from %q", from)
		}
	}
}

// Runs are kept as the retention says, and never lost while they go on.
func TestRetention(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var moved atomic.Int64
	l := newLab(t, func(d *Deps) {
		d.Retention = Retention{Age: 30 * 24 * time.Hour, Runs: 3}
		d.Now = func() time.Time { return now.Add(time.Duration(moved.Load())) }
	})
	l.define("P", `"C":{"type":"Compose","inputs":1}`)
	l.define("Slow", `"W":{"type":"Wait","inputs":{"interval":{"count":80,"unit":"Day"}}}`)
	ctx := context.Background()
	slow, err := l.Trigger(ctx, "Slow", "", TriggerInput{})
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for range 5 {
		moved.Add(int64(time.Second))
		last = l.run("P", nil).ID
	}
	if n, err := l.Tidy(ctx); err != nil || n != 2 {
		t.Errorf("%d %v", n, err)
	}
	rs, err := l.Runs(ctx, "P", Page{})
	if err != nil || len(rs) != 3 || rs[0].ID != last {
		t.Errorf("%v %v", rs, err)
	}
	moved.Add(int64(31 * 24 * time.Hour))
	if n, err := l.Tidy(ctx); err != nil || n != 3 {
		t.Errorf("%d %v", n, err)
	}
	var rows int
	if err := l.db.QueryRow(ctx, `SELECT count(*) FROM playbook_action WHERE run<>?`, slow.Runs[0]).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows of actions are left, %v", rows, err)
	}
	if rs, err = l.Runs(ctx, "Slow", Page{}); err != nil || len(rs) != 1 || rs[0].Status != Running {
		t.Errorf("%v %v", rs, err)
	}
}

// A poll that the end of the process cuts off is made again, for the same time and with the same key; it starts one run.
func TestPollSurvivesCrash(t *testing.T) {
	dir := t.TempDir()
	var keys []string
	hang := make(chan struct{})
	open := func(answer bool) *lab {
		return openLab(t, dir, func(d *Deps) {
			d.Outbound.Hosts = map[string]http.Handler{"feed.example": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				if !answer {
					close(hang)
					<-r.Context().Done()
				}
			})}
		})
	}
	l := open(false)
	l.deploy("P", `{"triggers":{"feed":{"type":"Http","recurrence":{"frequency":"Day","interval":1},"inputs":{"method":"GET","uri":"https://feed.example/"}}},"actions":{"C":{"type":"Compose","inputs":1}}}`, nil)
	<-hang
	l.stop()
	l = open(true)
	for range 500 {
		if rs, err := l.Runs(context.Background(), "P", Page{}); err != nil || len(rs) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	rs, err := l.Runs(context.Background(), "P", Page{})
	l.stop()
	if err != nil || len(rs) != 1 || len(keys) != 2 || keys[0] == "" || keys[0] != keys[1] {
		t.Errorf("%d runs, keys %v, %v", len(rs), keys, err)
	}
}

// A Response that nobody waits for is skipped; a workflow that another one calls answers it.
func TestResponseNobodyWaitsFor(t *testing.T) {
	l := newLab(t, nil)
	l.define("Child", `"R":{"type":"Response","inputs":{"statusCode":201,"body":{"a":"@triggerBody()?['x']"}}},"C":{"type":"Compose","runAfter":{"R":["Succeeded","Skipped"]},"inputs":1}`)
	d := l.run("Child", nil)
	if r := find(d, "R"); d.Status != Succeeded || r.Status != Skipped || r.Code != "ActionResponseSkipped" {
		t.Error(describe(d))
	}
	l.define("Parent", `"Call":{"type":"Workflow","inputs":{"host":{"triggerName":"manual","workflow":{"id":"/x/workflows/Child"}},"body":{"x":7}}}`)
	d = l.run("Parent", nil)
	if a := find(d, "Call"); a.Status != Succeeded || expr.JSON(object(a.Outputs).Value("body")) != `{"a":7}` {
		t.Error(describe(d))
	}
	rs, err := l.Runs(context.Background(), "Child", Page{})
	if err != nil || len(rs) != 2 {
		t.Fatal(rs, err)
	}
	if c := l.ended(rs[0].ID); find(c, "R").Status != Succeeded || c.Status != Succeeded {
		t.Error(fmt.Sprint(describe(c)))
	}
}
