package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// automated adds a rule given as the API's JSON.
func (w *world) automated(text string) *AutomationRule {
	w.t.Helper()
	var r AutomationRule
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		w.t.Fatal(err)
	}
	s, err := w.d.SaveAutomationRule(context.Background(), r, Person{Name: "alice"}, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) health(name string) []map[string]any {
	var out []map[string]any
	for _, r := range w.got["SentinelHealth"] {
		if r["SentinelResourceName"] == name {
			out = append(out, r)
		}
	}
	return out
}

func TestAutomationRuleChangesANewIncident(t *testing.T) {
	w := newWorld(t)
	var started []PlaybookStart
	w.d.d.RunPlaybook = func(_ context.Context, s PlaybookStart) (string, error) {
		started = append(started, s)
		return "run-" + s.Workflow, nil
	}
	w.rule(func(r *Rule) { r.OnArrival = true })
	// The second sees what the first changed; the third must not act.
	w.automated(`{"displayName":"Second","order":2,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created","conditions":[
		{"conditionType":"Property","conditionProperties":{"propertyName":"IncidentSeverity","operator":"Equals","propertyValues":["low"]}},
		{"conditionType":"Property","conditionProperties":{"propertyName":"IPAddress","operator":"StartsWith","propertyValues":["203.0."]}}]},
		"actions":[{"order":2,"actionType":"RunPlaybook","actionConfiguration":{"logicAppResourceId":"/x/workflows/Isolate","tenantId":"t"}},
			{"order":1,"actionType":"AddIncidentTask","actionConfiguration":{"title":"Call the owner","description":"of the host"}}]}`)
	w.automated(`{"displayName":"First","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created","conditions":[
		{"conditionType":"Property","conditionProperties":{"propertyName":"IncidentRelatedAnalyticRuleIds","operator":"Contains","propertyValues":["/subscriptions/s/providers/Microsoft.SecurityInsights/alertRules/27dda424-1dbe-4236-9dd5-c484b23111a5"]}}]},
		"actions":[{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"severity":"Low","owner":{"assignedTo":"bob"},"labels":[{"labelName":"canary"}]}}]}`)
	w.automated(`{"displayName":"Third","order":3,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created","conditions":[
		{"conditionType":"Property","conditionProperties":{"propertyName":"IncidentTitle","operator":"NotContains","propertyValues":["tripped"]}}]},
		"actions":[{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"status":"Active"}}]}`)
	w.at(time.Minute)
	w.arrive("203.0.113.7")
	w.step()
	w.step()
	is := w.incidents()
	if len(is) != 1 {
		t.Fatalf("%d incidents", len(is))
	}
	in := is[0]
	if in.Severity != Low || in.Owner.AssignedTo != "bob" || len(in.Labels) != 1 || in.Labels[0] != (Label{"canary", "AutoAssigned"}) || in.Status != "New" {
		t.Errorf("incident is %+v", in)
	}
	tasks, err := w.d.Tasks(context.Background(), in.ID)
	if err != nil || len(tasks) != 1 || tasks[0].Title != "Call the owner" || tasks[0].CreatedBy != "Automation rule - Second" {
		t.Errorf("tasks %+v, %v", tasks, err)
	}
	if len(started) != 1 || started[0].Workflow != "/x/workflows/Isolate" || started[0].IncidentID != in.ID {
		t.Errorf("playbooks started: %+v", started)
	}
	h := w.health("Second")
	if len(h) != 1 || h[0]["Status"] != "Success" || h[0]["OperationName"] != "Automation rule run" {
		t.Errorf("health %v", h)
	}
	if len(w.health("Third")) != 0 {
		t.Error("a rule whose condition does not hold wrote a run")
	}
	rows := w.got["SecurityIncident"]
	last, _ := json.Marshal(rows[len(rows)-1]["Tasks"])
	if !strings.Contains(string(last), "Call the owner") {
		t.Errorf("the incident's row has tasks %s", last)
	}
}

func TestAutomationOnUpdatesDoesNotSetItselfOff(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.rule(func(r *Rule) { r.OnArrival = true })
	up := func(name, conds string, actions string) {
		w.automated(`{"displayName":"` + name + `","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Updated","conditions":` + conds + `},"actions":[` + actions + `]}`)
	}
	up("To active", `[{"conditionType":"PropertyChanged","conditionProperties":{"propertyName":"IncidentStatus","changeType":"ChangedTo","operator":"Equals","propertyValues":["Active"]}}]`,
		`{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"severity":"Medium"}}`)
	up("Severity ping", `[{"conditionType":"PropertyChanged","conditionProperties":{"propertyName":"IncidentSeverity"}}]`,
		`{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"severity":"Informational"}}`)
	up("By a playbook", `[{"conditionType":"PropertyArrayChanged","conditionProperties":{"arrayType":"Comments","changeType":"Added"}},{"conditionType":"Property","conditionProperties":{"propertyName":"IncidentUpdatedBySource","operator":"Equals","propertyValues":["Playbook"]}}]`,
		`{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"labels":[{"labelName":"commented"}]}}`)
	w.at(time.Minute)
	w.arrive("203.0.113.7")
	w.step()
	id := w.incidents()[0].ID
	active := "Active"
	if _, err := w.d.Update(ctx, id, "bob", 0, Change{Status: &active}); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		w.step()
	}
	if in := w.incidents()[0]; in.Severity != Informational {
		t.Errorf("severity is %s, want what the second rule made of the first one's change", in.Severity)
	}
	if n := len(w.health("Severity ping")); n != 1 {
		t.Errorf("a rule that changes what it waits for ran %d times", n)
	}
	for i, ctx := range []context.Context{ctx, WithSource(ctx, SourcePlaybook)} {
		if _, err := w.d.AddComment(ctx, id, "", "bob", fmt.Sprint("remark ", i)); err != nil {
			t.Fatal(err)
		}
		w.step()
		if got := len(w.incidents()[0].Labels); got != i {
			t.Errorf("after comment %d there are %d labels", i, got)
		}
	}
}

func TestAutomationHappensOnceThoughTheEventIsToldAgain(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	starts := map[string]int{}
	fail := true
	w.d.d.RunPlaybook = func(_ context.Context, s PlaybookStart) (string, error) {
		starts[s.ID]++
		if fail {
			return "", errors.New("the store is busy")
		}
		return "r", nil
	}
	w.automated(`{"displayName":"A","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created"},"actions":[
		{"order":1,"actionType":"AddIncidentTask","actionConfiguration":{"title":"one"}},
		{"order":2,"actionType":"RunPlaybook","actionConfiguration":{"logicAppResourceId":"P"}}]}`)
	w.rule(func(r *Rule) { r.OnArrival = true })
	w.at(time.Minute)
	w.arrive("203.0.113.7")
	w.d.step(ctx)
	for range 3 {
		if _, err := w.d.deliver(ctx); err == nil {
			t.Fatal("a start that failed for a while was given up")
		}
	}
	fail = false
	w.open() // as after a crash
	w.d.d.RunPlaybook = func(_ context.Context, s PlaybookStart) (string, error) { starts[s.ID]++; return "r", nil }
	w.step()
	w.step()
	id := w.incidents()[0].ID
	if ts, _ := w.d.Tasks(ctx, id); len(ts) != 1 {
		t.Errorf("%d tasks", len(ts))
	}
	if len(starts) != 1 {
		t.Errorf("the playbook was asked for under %d ids", len(starts))
	}
	var left int
	if err := w.db.QueryRow(ctx, `SELECT count(*) FROM detect_automation_done`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d notes stay behind, %v", left, err)
	}
}

func TestAutomationFailureIsSaidAndExpiryTurnsOff(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.automated(`{"displayName":"No playbook","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created"},"actions":[
		{"order":1,"actionType":"RunPlaybook","actionConfiguration":{"logicAppResourceId":"P"}},{"order":2,"actionType":"ModifyProperties","actionConfiguration":{"status":"Active"}}]}`)
	old := w.automated(`{"displayName":"Old","order":2,"triggeringLogic":{"isEnabled":true,"expirationTimeUtc":"2020-01-01T00:00:00Z","triggersOn":"Incidents","triggersWhen":"Created"},"actions":[
		{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"severity":"Low"}}]}`)
	w.rule(func(r *Rule) { r.OnArrival = true })
	w.at(time.Minute)
	w.arrive("203.0.113.7")
	w.step()
	w.step()
	h := w.health("No playbook")
	if len(h) != 1 || h[0]["Status"] != "Partial success" || !strings.Contains(h[0]["Description"].(string), "no playbooks can be run here") {
		t.Errorf("health %v", h)
	}
	if in := w.incidents()[0]; in.Status != "Active" || in.Severity != High {
		t.Errorf("incident %+v", in)
	}
	if r, err := w.d.AutomationRule(ctx, old.ID); err != nil || r.Trigger.Enabled {
		t.Errorf("the expired rule is %+v, %v", r, err)
	}
}

func TestAutomationOnAlerts(t *testing.T) {
	w := newWorld(t)
	var got []PlaybookStart
	w.d.d.RunPlaybook = func(_ context.Context, s PlaybookStart) (string, error) { got = append(got, s); return "r", nil }
	w.automated(`{"displayName":"A","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Alerts","triggersWhen":"Created","conditions":[
		{"conditionType":"Property","conditionProperties":{"propertyName":"AlertAnalyticRuleIds","operator":"Contains","propertyValues":["27dda424-1dbe-4236-9dd5-c484b23111a5"]}}]},
		"actions":[{"order":1,"actionType":"RunPlaybook","actionConfiguration":{"logicAppResourceId":"P"}}]}`)
	w.rule(func(r *Rule) { r.CreateIncident, r.OnArrival = false, true })
	w.at(time.Minute)
	w.arrive("203.0.113.7")
	w.step()
	w.at(time.Second)
	w.arrive("203.0.113.8") // the same alert, changed: not created again
	w.step()
	if len(got) != 1 || got[0].AlertID == "" || got[0].IncidentID != "" {
		t.Errorf("started %+v", got)
	}
	if len(w.ev) != 0 {
		t.Errorf("an alert without an incident was told as one: %+v", w.ev)
	}
}

func TestAutomationRuleMistakesAreNamed(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"order":1}`:                   "displayName:",
		`{"displayName":"a","order":0}`: "order: 0",
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Deleted"}}`:                                                                                                                                                                               `triggersWhen: "Deleted"`,
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Alerts","triggersWhen":"Updated"}}`:                                                                                                                                                                                  "alerts trigger only when Created",
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Created"}}`:                                                                                                                                                                               "needs one action",
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Created"},"actions":[{"actionType":"Launch"}]}`:                                                                                                                                           `actions[0]: actionType: "Launch"`,
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Created"},"actions":[{"actionType":"ModifyProperties","actionConfiguration":{"status":"Closed"}}]}`:                                                                                       "classification",
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Created","conditions":[{"conditionType":"Property","conditionProperties":{"propertyName":"Mood","operator":"Equals","propertyValues":["x"]}}]},"actions":[{"actionType":"RunPlaybook"}]}`: `conditions[0]: propertyName: "Mood"`,
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Created","conditions":[{"conditionType":"PropertyChanged","conditionProperties":{"propertyName":"IncidentStatus"}}]},"actions":[{"actionType":"RunPlaybook"}]}`:                           "updated incidents",
		`{"displayName":"a","order":1,"triggeringLogic":{"triggersOn":"Incidents","triggersWhen":"Created","conditions":[{"conditionType":"Boolean","conditionProperties":{"operator":"Xor"}}]},"actions":[{"actionType":"RunPlaybook"}]}`:                                                  `"Xor" is not one of And, Or`,
	} {
		var r AutomationRule
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(err)
		}
		if _, err := w.d.SaveAutomationRule(context.Background(), r, Person{}, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v, want %q", body, err, want)
		}
	}
	if rs, _ := w.d.AutomationRules(context.Background()); len(rs) != 0 {
		t.Errorf("%d rules were stored", len(rs))
	}
}

func TestConditionOperators(t *testing.T) {
	for _, c := range []struct {
		op         string
		have, want []string
		holds      bool
	}{
		{"Equals", []string{"High"}, []string{"low", "HIGH"}, true},
		{"NotEquals", []string{"High"}, []string{"low", "high"}, false},
		{"NotEquals", nil, []string{"x"}, true},
		{"Contains", []string{"a", "needle in"}, []string{"NEEDLE"}, true},
		{"NotContains", []string{"a", "b"}, []string{"b"}, false},
		{"StartsWith", []string{"10.0.0.1"}, []string{"10."}, true},
		{"NotStartsWith", []string{"10.0.0.1"}, []string{"10."}, false},
		{"EndsWith", []string{"host.corp"}, []string{".CORP"}, true},
		{"NotEndsWith", []string{"host.corp"}, []string{".net"}, true},
	} {
		if got := compare(c.op, c.have, c.want); got != c.holds {
			t.Errorf("%v %s %v is %v", c.have, c.op, c.want, got)
		}
	}
}

func TestTasksAreAddedOnceAndTickedOff(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.rule(func(r *Rule) { r.OnArrival = true })
	w.at(time.Minute)
	w.arrive("203.0.113.7")
	w.step()
	in := w.incidents()[0]
	for range 2 {
		if _, err := w.d.SaveTask(ctx, in.ID, "alice", 0, Task{ID: "t1", Title: "Look"}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.d.SaveTask(ctx, in.ID, "bob", 1, Task{ID: "t1", Title: "Look", Status: "Completed"})
	if err != nil || got.CreatedBy != "alice" || got.ModifiedBy != "bob" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := w.d.SaveTask(ctx, in.ID, "bob", 1, Task{ID: "t1", Title: "Late"}); !errors.Is(err, ErrConflict) {
		t.Errorf("a stale etag gives %v", err)
	}
	if err := w.d.DeleteTask(ctx, in.ID, "t1", "bob"); err != nil {
		t.Fatal(err)
	}
	if ts, _ := w.d.Tasks(ctx, in.ID); len(ts) != 0 {
		t.Errorf("%d tasks", len(ts))
	}
	if _, err := w.d.SaveTask(ctx, in.ID, "bob", 0, Task{Title: " "}); err == nil {
		t.Error("a task without a title was taken")
	}
}

func TestWatchlistTexts(t *testing.T) {
	h, items, err := parseWatchlist([]byte("# by hand\r\nHost,Owner\r\nweb1,\"Ann, B\"\r\nweb2,\r\n"), 1)
	if err != nil || len(items) != 2 || h[1] != "Owner" || items[0]["Owner"] != "Ann, B" {
		t.Errorf("%v %v %v", h, items, err)
	}
	for text, want := range map[string]string{
		"a,a\n1,2\n":      `names "a" twice`,
		"a,\n1,2\n":       "column 2 of the header has no name",
		"a,b\n1\n":        "wrong number of fields",
		"a\n\xff\n":       "not UTF-8",
		"":                "header line",
		"a,b\n\"x,1\n2\n": "quote",
	} {
		if _, _, err := parseWatchlist([]byte(text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}

func FuzzParseWatchlist(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"), 0)
	f.Add([]byte("\ufeffx\n\"q\"\"\"\n"), 1)
	f.Fuzz(func(t *testing.T, text []byte, skip int) {
		h, items, err := parseWatchlist(text, skip%100)
		if err != nil {
			return
		}
		for _, it := range items {
			if len(it) != len(h) {
				t.Fatalf("an item has %d columns, the header %d", len(it), len(h))
			}
		}
	})
}
