package connector_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"picket/connector"
	"picket/detect"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"picket/playbook"
	"picket/playbook/expr"
	"picket/query"
	"picket/state"
	"strings"
	"testing"
	"time"
)

const caseRule = `id: 3a52cc17-0c55-4e0e-8a6d-0a4ef8f3f001
name: Sign-in from somewhere
description: d
severity: Medium
queryFrequency: 5m
queryPeriod: 5m
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess]
query: T_CL
entityMappings:
  - entityType: Account
    fieldMappings: [{identifier: FullName, columnName: user_s}]
  - entityType: IP
    fieldMappings: [{identifier: Address, columnName: ip_s}]
  - entityType: Host
    fieldMappings: [{identifier: HostName, columnName: host_s}]
kind: Scheduled
`

// caseWorld is a detector with one incident, and a playbook engine over it.
type caseWorld struct {
	s  *connector.Sentinel
	in *detect.Incident
	e  *playbook.Engine
	q  func(context.Context, query.Request) (*query.Result, error)
}

func newCaseWorld(t *testing.T) *caseWorld {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), detect.Migrations(), playbook.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	lk, err := lake.Open(ctx, lake.Options{Dir: filepath.Join(dir, "lake"), WorkspaceID: "w"})
	if err != nil {
		t.Fatal(err)
	}
	in := ingest.New(ingest.Options{Lake: lk})
	q := query.New(query.Options{Lake: lk, Builtin: map[string]value.Schema{
		"SecurityAlert": detect.AlertSchema, "SecurityIncident": detect.IncidentSchema,
		"Heartbeat": {{Name: "TimeGenerated", Type: value.Datetime}, {Name: "Computer", Type: value.String}, {Name: "Category", Type: value.String}},
	}})
	ws := detect.Workspace{ID: "11111111-2222-3333-4444-555555555555", SubscriptionID: "sub", ResourceGroup: "rg", Name: "soc"}
	d, err := detect.New(detect.Deps{
		State: db, Query: q.Run, Append: in.Rows, Workspace: ws, URL: func(id string) string { return "https://picket.example/incidents/" + id },
		Check: func(ctx context.Context, text string) (detect.Checked, error) {
			c, err := q.Check(ctx, text)
			return detect.Checked{Tables: c.Tables, Missing: c.Missing}, err
		},
		Barrier: func(ctx context.Context) (time.Time, error) { now := time.Now().UTC(); return now, lk.Settle(ctx, now) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := detect.ParseTemplate([]byte(caseRule))
	if err != nil {
		t.Fatal(err)
	}
	r.Enabled = true
	st, err := d.SaveRule(ctx, r, "test", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Collect(ctx, ingest.CollectRequest{LogType: "T", Body: []byte(`{"user":"ann@acme.example","ip":"203.0.113.9","host":"ws1"}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RunNow(ctx, st.ID); err != nil {
		t.Fatal(err)
	}
	list, err := d.Incidents(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d incidents, %v", len(list), err)
	}
	w := &caseWorld{s: &connector.Sentinel{Detector: d, Workspace: ws, Rows: in.Rows}, in: list[0], q: q.Run}
	w.e, err = playbook.New(playbook.Deps{DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.DiscardHandler), Connectors: connector.All(connector.Deps{Sentinel: w.s, Query: q.Run})})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		err := <-done
		w.e.Close()
		if err := errors.Join(err, lk.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *caseWorld) call(t *testing.T, method, path string, body any) (int, *expr.Object) {
	t.Helper()
	c := connector.All(connector.Deps{Sentinel: w.s})[0]
	ok := false
	for _, op := range c.Operations() {
		ok = ok || op.Method == method && playbook.MatchPath(op.Path, path)
	}
	if !ok {
		t.Fatalf("%s %s is not listed", method, path)
	}
	r, err := c.Call(context.Background(), &playbook.Request{Method: method, Path: path, Body: body, ActionRunID: "6f1b5a52-6ae8-4f0c-9b51-6c1f0a3b7d10", Workflow: "P"})
	if err != nil {
		t.Fatal(err)
	}
	o, _ := r.Body.(*expr.Object)
	return r.Status, o
}

func parse(t *testing.T, s string) any {
	t.Helper()
	v, err := expr.ParseJSON([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSentinelOperations(t *testing.T) {
	w := newCaseWorld(t)
	ctx := context.Background()
	d := w.s.Detector
	arm := "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/soc/providers/Microsoft.SecurityInsights/Incidents/" + w.in.ID
	alert := w.in.AlertIDs[0]

	for range 2 { // repeated after a crash: one comment
		if st, _ := w.call(t, "POST", "/Incidents/Comment", expr.NewObject("incidentArmId", arm, "message", "<p>hello</p>")); st != 200 {
			t.Fatal(st)
		}
	}
	if cs, err := d.Comments(ctx, w.in.ID); err != nil || len(cs) != 1 || cs[0].Author != "playbook P" {
		t.Errorf("%v %v", cs, err)
	}
	st, o := w.call(t, "PUT", "/Incidents", parse(t, `{"incidentArmId":"`+arm+`","severity":"High","status":"Closed","classification":{"ClassificationAndReason":"FalsePositive - InaccurateData","ClassificationReasonText":"no"},"ownerAction":"Assign","owner":"ann@acme.example","tagsToAdd":{"TagsToAdd":[{"Tag":"a"},{"Tag":"b"}]}}`))
	in, err := d.Incident(ctx, w.in.ID)
	if err != nil || st != 200 || in.Severity != detect.High || in.Status != "Closed" || in.Reason != "InaccurateData" || in.Owner.UserPrincipalName != "ann@acme.example" || len(in.Labels) != 2 {
		t.Errorf("%d %s %+v %v", st, expr.JSON(o), in, err)
	}
	st, o = w.call(t, "GET", "/Incidents/subscriptions/sub/resourceGroups/rg/workspaces/11111111-2222-3333-4444-555555555555/alerts/"+alert, nil)
	p, _ := o.Value("properties").(*expr.Object)
	if st != 200 || o.Value("id") != arm || p.Value("incidentNumber") != int64(1) || p.Value("CaseNumber") != int64(1) || p.Value("Title") != in.Title {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if st, o = w.call(t, "GET", "/Cases/"+alert+"/sub/w/rg", nil); st != 200 || o.Value("id") != arm {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if st, o = w.call(t, "PUT", "/Case/sub/w/rg/Incident/1/Status/InProgress", nil); st != 200 {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if st, o = w.call(t, "PUT", "/Case/sub/w/rg/Alert/"+alert+"/AddLabels", parse(t, `{"Labels":[{"Label":"c"}]}`)); st != 200 {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
	if in, _ = d.Incident(ctx, w.in.ID); in.Status != "Active" || len(in.Labels) != 3 {
		t.Errorf("%+v", in)
	}
	if st, _ = w.call(t, "PUT", "/Case/sub/w/rg/Incident/1/Severity/Enormous", nil); st != 400 {
		t.Errorf("an unknown severity gives %d", st)
	}
	if st, _ = w.call(t, "PUT", "/Comment/sub/w/rg/Alert/nothing/"+url.PathEscape("a text / more"), nil); st != 404 {
		t.Errorf("an unknown alert gives %d", st)
	}
	if st, o = w.call(t, "POST", "/Incidents", parse(t, `{"title":"By hand","severity":"Low","status":"New"}`)); st != 200 || o.Value("name") == in.ID {
		t.Errorf("%d %s", st, expr.JSON(o))
	}
}

func TestSentinelEntities(t *testing.T) {
	w := newCaseWorld(t)
	a, err := w.s.Detector.Alert(context.Background(), w.in.AlertIDs[0])
	if err != nil {
		t.Fatal(err)
	}
	ab, err := w.s.AlertBody(a)
	if err != nil {
		t.Fatal(err)
	}
	ib, err := w.s.IncidentBody(context.Background(), w.in.ID, "e", "Create")
	if err != nil {
		t.Fatal(err)
	}
	related := ib.Value("object").(*expr.Object).Value("properties").(*expr.Object).Value("relatedEntities")
	for _, in := range []any{ab.Value("Entities"), related, expr.JSON(related)} {
		for _, c := range []struct{ op, list, field, want string }{{"ip", "IPs", "Address", "203.0.113.9"}, {"account", "Accounts", "Name", "ann"}, {"host", "Hosts", "HostName", "ws1"}} {
			_, o := w.call(t, "POST", "/entities/"+c.op, in)
			l, _ := o.Value(c.list).([]any)
			if len(l) != 1 || l[0].(*expr.Object).Value(c.field) != c.want {
				t.Errorf("%s of %T: %s", c.op, in, expr.JSON(o))
			}
		}
	}
	_, o := w.call(t, "POST", "/entities/account", `[{"$id":"2","HostName":"h","Type":"host"},{"$id":"3","Name":"bob","Host":{"$ref":"2"},"Type":"account"}]`)
	if got := expr.JSON(o); got != `{"Accounts":[{"$id":"3","Name":"bob","Host":{"$id":"2","HostName":"h","Type":"host"},"Type":"account"}]}` {
		t.Error(got)
	}
	if st, _ := w.call(t, "POST", "/entities/url", "[]"); st != 200 {
		t.Error(st)
	}
	if st, _ := w.call(t, "POST", "/entities/url", "nonsense"); st != 400 {
		t.Error(st)
	}
}

// The community's incident playbook receives the incident, comments on it and changes it.
func TestSentinelTrigger(t *testing.T) {
	w := newCaseWorld(t)
	ctx := context.Background()
	tpl := `{"definition":{"parameters":{"$connections":{"type":"Object","defaultValue":{}}},
	"triggers":{"When":{"type":"ApiConnectionWebhook","inputs":{"body":{"callback_url":"@{listCallbackUrl()}"},"host":{"connection":{"name":"@parameters('$connections')['azuresentinel']['connectionId']"}},"path":"/incident-creation"}}},
	"actions":{"IPs":{"type":"ApiConnection","inputs":{"body":"@triggerBody()?['object']?['properties']?['relatedEntities']","host":{"connection":{"name":"@parameters('$connections')['azuresentinel']['connectionId']"}},"method":"post","path":"/entities/ip"},"runAfter":{}},
	"Comment":{"type":"ApiConnection","inputs":{"body":{"incidentArmId":"@triggerBody()?['object']?['id']","message":"@{body('IPs')?['IPs']?[0]?['Address']}"},"host":{"connection":{"name":"@parameters('$connections')['azuresentinel']['connectionId']"}},"method":"post","path":"/Incidents/Comment"},"runAfter":{"IPs":["Succeeded"]}}}},
	"parameters":{"$connections":{"value":{"azuresentinel":{"connectionId":"/x/connections/s","connectionName":"s","id":"/x/managedApis/azuresentinel"}}}}}`
	dep, err := w.e.Deploy(ctx, playbook.DeployRequest{Name: "P", Template: []byte(tpl)})
	if err != nil || len(dep.Needs) > 0 {
		t.Fatal(err, dep)
	}
	body, err := w.s.IncidentBody(ctx, w.in.ID, "e1", "Create")
	if err != nil {
		t.Fatal(err)
	}
	var runs []string
	for range 2 { // told twice, run once
		if runs, err = w.e.Notify(ctx, playbook.Notification{API: "azuresentinel", Path: "/incident-creation", ID: "e1", Body: body}); err != nil || len(runs) != 1 {
			t.Fatal(runs, err)
		}
	}
	wctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if _, err := w.e.Wait(wctx, runs[0]); err != nil {
		t.Fatal(err)
	}
	d, err := w.e.RunDetail(ctx, runs[0])
	if err != nil || d.Status != playbook.Succeeded {
		t.Fatal(err, explain(d))
	}
	cs, err := w.s.Detector.Comments(ctx, w.in.ID)
	if err != nil || len(cs) != 1 || !strings.Contains(cs[0].Message, "203.0.113.9") {
		t.Errorf("%v %v", cs, err)
	}
}
