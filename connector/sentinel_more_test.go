package connector_test

import (
	"context"
	"picket/connector"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook/expr"
	"strings"
	"testing"
)

func TestSentinelTasks(t *testing.T) {
	w := newCaseWorld(t)
	var task string
	for range 2 { // repeated after a crash: one task
		st, o := w.call(t, "POST", "/Incidents/CreateTask", expr.NewObject("incidentArmId", "/x/Incidents/"+w.in.ID, "taskTitle", "Call the owner", "taskDescription", "<p>of the host</p>"))
		if st != 200 {
			t.Fatal(expr.JSON(o))
		}
		task = expr.Text(o.Value("id"))
	}
	st, o := w.call(t, "POST", "/Incidents/CompleteTask", expr.NewObject("taskArmId", task))
	ts, err := w.s.Detector.Tasks(context.Background(), w.in.ID)
	if err != nil || st != 200 || len(ts) != 1 || ts[0].Status != "Completed" || ts[0].CreatedBy != "playbook P" {
		t.Errorf("%d %s %+v %v", st, expr.JSON(o), ts, err)
	}
	if st, _ = w.call(t, "POST", "/Incidents/CompleteTask", expr.NewObject("taskArmId", "nothing")); st != 400 {
		t.Errorf("a task id that isn't one gives %d", st)
	}
	st, o = w.call(t, "PUT", "/Incidents/subscriptions/s/resourceGroups/rg/workspaces/soc", parse(t, `{"title":"By a playbook","severity":"Low","status":"New"}`))
	if st != 200 || o.Value("name") == w.in.ID {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if st, o = w.call(t, "PUT", "/Case/sub/w/rg/Incident/1/Title", parse(t, `{"Title":{"Value":"A new title"}}`)); st != 200 {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
}

func TestSentinelWatchlists(t *testing.T) {
	w := newCaseWorld(t)
	lists := "/Watchlists/subscriptions/s/resourceGroups/rg/workspaces/soc/watchlists"
	if st, _ := w.call(t, "GET", lists+"/Hosts", nil); st != 404 {
		t.Errorf("a list that isn't there gives %d", st)
	}
	st, o := w.call(t, "PUT", lists+"/Hosts", parse(t, `{"displayName":"Hosts","source":"Local file","provider":"Microsoft","contentType":"Text/Csv","itemsSearchKey":"HostName","numberOfLinesToSkip":0,"rawContent":"HostName,Note\r\nws0,first\r\n"}`))
	if st != 200 || o.Value("name") != "Hosts" {
		t.Fatalf("%d %s", st, expr.JSON(o))
	}
	for range 2 { // repeated after a crash: one item
		if st, o = w.call(t, "PUT", lists+"/Hosts/watchlistItem", parse(t, `{"HostName":"ws1","Note":"x"}`)); st != 200 {
			t.Fatalf("%d %s", st, expr.JSON(o))
		}
	}
	id := expr.Text(o.Value("name"))
	st, o = w.call(t, "GET", lists+"/Hosts/watchlistItems", nil)
	if items, _ := o.Value("value").([]any); st != 200 || len(items) != 2 || !strings.Contains(expr.JSON(o), `"itemsKeyValue":{"HostName":"ws1","Note":"x"}`) {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if st, o = w.call(t, "PUT", lists+"/Hosts/watchlistItem", parse(t, `{"Nothing":"ws1"}`)); st != 400 {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if st, _ = w.call(t, "DELETE", lists+"/Hosts/watchlistItem/"+id, nil); st != 200 {
		t.Error(st)
	}
	if st, _ = w.call(t, "GET", lists+"/Hosts/watchlistItem/"+id, nil); st != 404 {
		t.Error(st)
	}
	if st, o = w.call(t, "GET", lists, nil); st != 200 || len(o.Value("value").([]any)) != 1 {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
}

func TestSentinelIndicators(t *testing.T) {
	w := newCaseWorld(t)
	got, store := map[string][]map[string]any{}, w.s.Rows
	w.s.Rows = func(ctx context.Context, table string, s value.Schema, rows []map[string]any, id string) (lake.Ack, error) {
		for _, r := range rows {
			for k := range r {
				if s.Index(k) < 0 {
					t.Errorf("%s has no column %s", table, k)
				}
			}
		}
		got[table] = append(got[table], rows...)
		return store(ctx, table, s, rows, id)
	}
	st, o := w.call(t, "POST", "/V2/ThreatIntelligence/11111111-2222-3333-4444-555555555555/UploadIndicators/", parse(t, `{"sourcesystem":"Mine","indicators":[
		{"type":"indicator","id":"indicator--1","pattern":"[ipv4-addr:value = '203.0.113.9']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-01-02T00:00:00Z","confidence":80,"labels":["a"]},
		{"type":"indicator","id":"indicator--2","pattern":"[file:hashes.'SHA-256' = 'abc' OR url:value = 'https://x.example']","valid_from":"2026-01-01T00:00:00Z"},
		{"type":"malware","id":"malware--1"}]}`))
	if errs, _ := o.Value("errors").([]any); st != 200 || len(errs) != 1 {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	rows := got["ThreatIntelligenceIndicator"]
	if len(rows) != 3 || len(got["ThreatIntelIndicators"]) != 3 || rows[0]["NetworkIP"] != "203.0.113.9" || rows[0]["Active"] != false || rows[1]["FileHashType"] != "SHA256" || rows[2]["Url"] != "https://x.example" || rows[2]["Active"] != true {
		t.Errorf("%v", got)
	}
	w.s.Rows = nil
	for _, c := range connector.All(connector.Deps{Sentinel: w.s}) {
		for _, op := range c.Operations() {
			if strings.Contains(op.Path, "UploadIndicators") {
				t.Error("it is listed though nobody takes the rows")
			}
		}
	}
}
