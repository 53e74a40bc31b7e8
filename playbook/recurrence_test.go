package playbook

import (
	"context"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"strings"
	"sync"
	"testing"
	"time"
)

func recurrenceOf(t *testing.T, text string) *definition.Recurrence {
	t.Helper()
	v, err := expr.ParseJSON([]byte(`{"triggers":{"r":{"type":"Recurrence","recurrence":` + text + `}},"actions":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := definition.Parse(v.(*expr.Object), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d.Triggers[0].Recurrence
}

func TestNextRecurrence(t *testing.T) {
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	base := "2026-01-07T10:20:30Z" // a Wednesday
	for _, c := range []struct {
		rec   string
		after string
		want  []string
	}{
		{`{"frequency":"Minute","interval":5}`, base, []string{"2026-01-07T10:25:30Z", "2026-01-07T10:30:30Z"}},
		{`{"frequency":"Hour","interval":6,"startTime":"2026-01-01T00:00:00Z"}`, base, []string{"2026-01-07T12:00:00Z", "2026-01-07T18:00:00Z"}},
		{`{"frequency":"Day","interval":1}`, base, []string{"2026-01-08T10:20:30Z"}},
		{`{"frequency":"Day","interval":2,"schedule":{"hours":[8,17],"minutes":[0,30]}}`, base, []string{"2026-01-07T17:00:00Z", "2026-01-07T17:30:00Z", "2026-01-09T08:00:00Z"}},
		{`{"frequency":"Week","interval":1,"schedule":{"weekDays":["Monday","Friday"],"hours":["9"]}}`, base, []string{"2026-01-09T09:00:00Z", "2026-01-12T09:00:00Z"}},
		{`{"frequency":"Week","interval":2,"schedule":{"weekDays":["Monday"],"hours":[9],"minutes":[15]}}`, base, []string{"2026-01-19T09:15:00Z", "2026-02-02T09:15:00Z"}},
		{`{"frequency":"Month","interval":1,"startTime":"2026-01-31T06:00:00Z"}`, base, []string{"2026-01-31T06:00:00Z", "2026-02-28T06:00:00Z", "2026-03-31T06:00:00Z"}},
		{`{"frequency":"Month","interval":1,"schedule":{"monthDays":[-1],"hours":[0]}}`, base, []string{"2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"}},
		{`{"frequency":"Year","interval":1,"startTime":"2025-02-28T00:00:00Z"}`, base, []string{"2026-02-28T00:00:00Z", "2027-02-28T00:00:00Z"}},
		// Wall clocks: 07:00 in Berlin moves in UTC when summer time begins; a skipped 02:30 goes on with the clock.
		{`{"frequency":"Day","interval":1,"timeZone":"W. Europe Standard Time","schedule":{"hours":[7]}}`, "2026-03-28T08:00:00Z", []string{"2026-03-29T05:00:00Z"}},
		{`{"frequency":"Day","interval":1,"timeZone":"W. Europe Standard Time","startTime":"2026-03-27T02:30:00"}`, "2026-03-28T02:00:00Z", []string{"2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{`{"frequency":"Hour","interval":1,"startTime":"2030-01-01T00:00:00Z"}`, base, []string{"2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"}},
	} {
		rec := recurrenceOf(t, c.rec)
		after := at(c.after)
		for _, w := range c.want {
			got := NextRecurrence(rec, at(base), after)
			if !got.Equal(at(w)) {
				t.Errorf("%s after %s: got %s, want %s", c.rec, after.Format(time.RFC3339), got.Format(time.RFC3339), w)
				break
			}
			after = got
		}
	}
}

// clockTime is a clock that a test moves.
type clockTime struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clockTime) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clockTime) move(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

func TestRecurrenceRuns(t *testing.T) {
	clock := &clockTime{t: time.Date(2026, 1, 7, 10, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	open := func() *lab { return openLab(t, dir, func(d *Deps) { d.Now = clock.now }) }
	l := open()
	l.deploy("r", `{"triggers":{"Every":{"type":"Recurrence","recurrence":{"frequency":"Hour","interval":1}}},"actions":{"C":{"type":"Compose","inputs":"@trigger()['scheduledTime']"}}}`, nil)
	runs := func(want int) []*Run {
		t.Helper()
		var rs []*Run
		for range 300 {
			var err error
			if rs, err = l.Runs(context.Background(), "r", Page{}); err != nil {
				t.Fatal(err)
			}
			if len(rs) == want && !rs[0].Ended.IsZero() {
				return rs
			}
			l.rescheduled()
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("%d runs, want %d", len(rs), want)
		return nil
	}
	runs(1) // at once
	clock.move(61 * time.Minute)
	runs(2)
	l.stop()
	clock.move(5 * time.Hour) // five times are missed: one run makes up for them
	l = open()
	rs := runs(3)
	d, err := l.RunDetail(context.Background(), rs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := expr.Text(find(d, "C").Outputs); !strings.HasPrefix(got, "2026-01-07T16:00:00") {
		t.Errorf("scheduled %s", got)
	}
	w, err := l.Workflow(context.Background(), "r")
	if err != nil || !w.Triggers[0].Next.Equal(time.Date(2026, 1, 7, 17, 0, 0, 0, time.UTC)) {
		t.Errorf("next %v %v", w.Triggers[0].Next, err)
	}
	if err := l.Disable(context.Background(), "r"); err != nil {
		t.Fatal(err)
	}
	clock.move(3 * time.Hour)
	l.rescheduled()
	time.Sleep(30 * time.Millisecond)
	runs(3)
}

// A Wait that is open when the engine stops ends when it is due after the next start.
func TestWaitSurvives(t *testing.T) {
	clock := &clockTime{t: time.Date(2026, 1, 7, 10, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	open := func() *lab { return openLab(t, dir, func(d *Deps) { d.Now = clock.now }) }
	l := open()
	l.define("w", `"W":{"type":"Wait","inputs":{"interval":{"count":2,"unit":"Hour"}}},"C":{"type":"Compose","runAfter":{"W":["Succeeded"]},"inputs":"@utcNow('HH:mm')"}`)
	res, err := l.Trigger(context.Background(), "w", "", TriggerInput{})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Millisecond)
	l.stop()
	clock.move(3 * time.Hour)
	l = open()
	d := l.ended(res.Runs[0])
	l.want(d, "time", expr.JSON(find(d, "C").Outputs), `"13:00"`)
}
