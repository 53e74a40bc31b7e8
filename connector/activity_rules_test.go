package connector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"picket/content"
	"picket/detect"
	"picket/ingest"
	"picket/lake"
	"picket/query"
	"picket/state"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Both rules over ten days of activities that arrive once a day: they raise what was planted and nothing else.
func TestActivityRules(t *testing.T) { synctest.Test(t, activityRules) }

func activityRules(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), detect.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	lk, err := lake.Open(ctx, lake.Options{Dir: filepath.Join(dir, "lake"), WorkspaceID: "w"})
	if err != nil {
		t.Fatal(err)
	}
	in := ingest.New(ingest.Options{Lake: lk})
	q := query.New(query.Options{Lake: lk, Functions: shippedFunction})
	d, err := detect.New(detect.Deps{
		State: db, Query: q.Run, Append: in.Rows,
		Check: func(ctx context.Context, text string) (detect.Checked, error) {
			c, err := q.Check(ctx, text)
			return detect.Checked{Tables: c.Tables, Missing: c.Missing}, err
		},
		Barrier: func(ctx context.Context) (time.Time, error) { now := time.Now().UTC(); return now, lk.Settle(ctx, now) },
		Log:     func(msg string, a ...any) { t.Log(msg, a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	defer func() {
		if err := errors.Join(lk.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}()
	// The detector runs a little every day, and catches up its windows in order.
	work := func() {
		rctx, stop := context.WithTimeout(ctx, 30*time.Second)
		defer stop()
		if err := d.Run(rctx); err != nil && rctx.Err() == nil {
			t.Error(err)
		}
	}
	for _, f := range []string{"mcas_impossible_travel.yaml", "mcas_mass_download.yaml"} {
		src, err := content.Files().ReadFile("rules/" + f)
		if err != nil {
			t.Fatal(err)
		}
		r, err := detect.ParseTemplate(src)
		if err != nil {
			t.Fatal(f, err)
		}
		r.Enabled = true
		if _, err := d.SaveRule(ctx, r, "test", 0); err != nil {
			t.Fatal(f, err)
		}
	}
	work()

	rnd := rand.New(rand.NewPCG(3, 3))
	began := time.Now()
	var all []activity
	n := 0
	add := func(day int, after time.Duration, user, event, object string, city int) {
		at := began.Add(time.Duration(day)*24*time.Hour + after)
		all = append(all, record(n, at, at, user, event, object, city, rnd))
		n++
	}
	const login, download = "EVENT_CATEGORY_LOGIN", "EVENT_CATEGORY_DOWNLOAD_FILE"
	for day := range 10 { // the quiet rest: people who work in one place and take a few files
		for u := range 4 {
			for range 6 {
				add(day, time.Duration(rnd.IntN(86400))*time.Second, fmt.Sprintf("user%d@acme.example", u), login, "", u%2)
				add(day, time.Duration(rnd.IntN(86400))*time.Second, fmt.Sprintf("user%d@acme.example", u), download, fmt.Sprintf("f%d", rnd.IntN(40)), u%2)
			}
		}
	}
	// Planted: Berlin, and Sydney an hour later; once within a day and once over midnight.
	add(3, 9*time.Hour, "ann@acme.example", login, "", 0)
	add(3, 10*time.Hour, "ann@acme.example", login, "", 3)
	add(5, 23*time.Hour+50*time.Minute, "eve@acme.example", login, "", 0)
	add(6, 20*time.Minute, "eve@acme.example", login, "", 3)
	// Possible: to Sydney by plane, to Vienna in no time (355 km).
	add(2, 9*time.Hour, "fly@acme.example", login, "", 0)
	add(3, 10*time.Hour, "fly@acme.example", login, "", 3)
	add(4, 9*time.Hour, "near@acme.example", login, "", 1)
	add(4, 9*time.Hour+time.Minute, "near@acme.example", login, "", 2)
	// Planted: 60 files in 40 minutes over a full hour's end.
	for i := range 60 {
		add(7, 12*time.Hour+40*time.Minute+time.Duration(i)*40*time.Second, "bob@acme.example", download, fmt.Sprintf("plan-%d.docx", i), 0)
	}
	// Not many: 49 files, one file often, 60 files over two hours.
	for i := range 49 {
		add(4, 12*time.Hour+time.Duration(i)*time.Second, "few@acme.example", download, fmt.Sprintf("a-%d", i), 0)
	}
	for i := range 80 {
		add(5, 12*time.Hour+time.Duration(i)*time.Second, "same@acme.example", download, "report.xlsx", 0)
	}
	for i := range 60 {
		add(6, 12*time.Hour+time.Duration(i)*2*time.Minute, "slow@acme.example", download, fmt.Sprintf("b-%d", i), 0)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at.Before(all[j].at) })
	time.Sleep(12 * time.Hour)
	for day := range 12 {
		time.Sleep(24 * time.Hour)
		var texts []string
		for len(all) > 0 && all[0].at.Before(began.Add(time.Duration(day+1)*24*time.Hour)) {
			texts = append(texts, all[0].json)
			all = all[1:]
		}
		if len(texts) == 0 {
			work()
			continue
		}
		if _, err := in.Collect(ctx, ingest.CollectRequest{LogType: "MCAS_Activity_Log", Body: []byte("[" + strings.Join(texts, ",") + "]")}); err != nil {
			t.Fatal(err)
		}
		work()
	}
	time.Sleep(48 * time.Hour)
	work()
	list, err := d.Incidents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, i := range list {
		es, err := d.IncidentEntities(ctx, i.ID)
		if err != nil {
			t.Fatal(err)
		}
		who := ""
		for _, e := range es {
			if e.Kind == "Account" {
				who = e.Fields["Name"]
			}
		}
		kind := "travel"
		if strings.Contains(i.Title, "download") {
			kind = "download"
		}
		got[kind+" "+who]++
	}
	want := map[string]int{"travel ann": 1, "travel eve": 1, "download bob": 1}
	right := 0
	for k, n := range want {
		if got[k] == n {
			right++
		}
	}
	t.Logf("activity rules' planted incidents: %d of %d", right, len(want))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("incidents %v, want %v", got, want)
	}
}
