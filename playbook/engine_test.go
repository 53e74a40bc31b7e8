package playbook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeConnector answers every call of one API with a function.
type fakeConnector struct {
	api string
	ops []Operation
	f   func(*Request) (*Response, error)
}

func (c *fakeConnector) API() string             { return c.api }
func (c *fakeConnector) Operations() []Operation { return c.ops }
func (c *fakeConnector) Call(_ context.Context, r *Request) (*Response, error) {
	return c.f(r)
}

type lab struct {
	*Engine
	t    *testing.T
	stop func()
}

func newLab(t *testing.T, change func(*Deps)) *lab {
	t.Helper()
	return openLab(t, t.TempDir(), change)
}

func openLab(t *testing.T, dir string, change func(*Deps)) *lab {
	t.Helper()
	db, err := state.Open(context.Background(), filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		t.Fatal(err)
	}
	d := Deps{DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&d)
	}
	e, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	e.scale = 0.001
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for range 1000 {
		e.mu.Lock()
		up := e.root != nil
		e.mu.Unlock()
		if up {
			break
		}
		time.Sleep(time.Millisecond)
	}
	l := &lab{Engine: e, t: t}
	var once sync.Once
	l.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			e.Close()
			db.Close()
		})
	}
	t.Cleanup(l.stop)
	return l
}

const requestTrigger = `"manual":{"type":"Request","kind":"Http","inputs":{}}`

// define deploys a definition of a Request trigger and actions.
func (l *lab) define(name, actions string, more ...string) {
	l.t.Helper()
	text := `{"triggers":{` + requestTrigger + `},"actions":{` + actions + `}`
	for _, m := range more {
		text += "," + m
	}
	l.deploy(name, text+"}", nil)
}

func (l *lab) deploy(name, text string, params map[string]any) *Deployment {
	l.t.Helper()
	d, err := l.Deploy(context.Background(), DeployRequest{Name: name, Template: []byte(text), Parameters: params, AllowNeeds: true})
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func (l *lab) run(name string, body any) *RunDetail {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := l.Trigger(ctx, name, "", TriggerInput{Method: "POST", Body: body})
	if err != nil {
		l.t.Fatal(err)
	}
	return l.ended(res.Runs[0])
}

func (l *lab) ended(id string) *RunDetail {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := l.Wait(ctx, id); err != nil {
		l.t.Fatal(err)
	}
	d, err := l.RunDetail(ctx, id)
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func find(d *RunDetail, name string, rep ...string) *ActionRun {
	r := ""
	if len(rep) > 0 {
		r = rep[0]
	}
	for _, a := range d.Actions {
		if a.Name == name && a.Repetition == r {
			return a
		}
	}
	return &ActionRun{Status: "none"}
}

func describe(d *RunDetail) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\n", d.Status, d.Code, expr.JSON(d.Error))
	for _, a := range d.Actions {
		fmt.Fprintf(&b, "  %s %s %s %s %s\n", a.Name, a.Repetition, a.Status, a.Code, expr.JSON(a.Error))
	}
	return b.String()
}

func (l *lab) want(d *RunDetail, what, got, want string) {
	l.t.Helper()
	if got != want {
		l.t.Errorf("%s: got %s, want %s\n%s", what, got, want, describe(d))
	}
}

func TestControlFlow(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `
	"Try":{"type":"Scope","runAfter":{},"actions":{
		"First":{"type":"Compose","inputs":"ok","runAfter":{}},
		"Bad":{"type":"Compose","inputs":"@div(1, 0)","runAfter":{"First":["Succeeded"]}},
		"Next":{"type":"Compose","inputs":"never","runAfter":{"Bad":["Succeeded"]}}}},
	"NotRun":{"type":"Scope","runAfter":{"Try":["Succeeded"]},"actions":{"Inside":{"type":"Compose","inputs":1}}},
	"Handle":{"type":"Compose","runAfter":{"Try":["Failed"]},"inputs":{"r":"@result('Try')","bad":"@actions('Bad')","next":"@actions('Next')?['error']?['message']","try":"@actions('try')"}},
	"Last":{"type":"Compose","runAfter":{"Handle":["Succeeded"],"NotRun":["Skipped"]},"inputs":"done"},
	"Check":{"type":"If","runAfter":{"Last":["Succeeded"]},"expression":{"and":[{"equals":["@outputs('Last')","done"]},{"not":{"greater":[1,2]}}]},
		"actions":{"Yes":{"type":"Compose","inputs":"y"}},"else":{"actions":{"No":{"type":"Compose","inputs":"n"}}}},
	"Sw":{"type":"Switch","runAfter":{"Check":["Succeeded"]},"expression":"@concat('Op','en')","cases":{"c1":{"case":"open","actions":{"Lower":{"type":"Compose","inputs":1}}},"c2":{"case":"Open","actions":{"Upper":{"type":"Compose","inputs":2}}}},"default":{"actions":{"Other":{"type":"Compose","inputs":3}}}}`,
		`"outputs":{"o":{"type":"string","value":"@outputs('Upper')"}}`)
	d := l.run("w", nil)
	l.want(d, "run", d.Status, Succeeded)
	l.want(d, "try", find(d, "Try").Status+find(d, "Try").Code, "FailedActionFailed")
	h := object(find(d, "Handle").Outputs)
	l.want(d, "skip message", expr.Text(h.Value("next")), "The execution of template action 'Next' is skipped: the 'runAfter' condition for action 'Bad' is not satisfied. Expected status values 'Succeeded' and actual value 'Failed'.")
	bad := object(h.Value("bad"))
	l.want(d, "bad", expr.Text(object(bad.Value("error")).Value("message")), "Unable to process template language expressions in action 'Bad' inputs at line '0' and column '0': 'Attempt to divide an integral or decimal value by zero in function 'div'.'.")
	if _, _, has := bad.Find("inputs"); has {
		t.Error("a failed expression leaves inputs")
	}
	l.want(d, "inside", expr.Text(find(d, "Inside").Error.Value("code")), "ActionDependencyFailed")
	l.want(d, "no", expr.Text(find(d, "No").Error.Value("code")), "ActionBranchingConditionNotSatisfied")
	l.want(d, "switch", find(d, "Upper").Status+find(d, "Lower").Status+find(d, "Other").Status, "SucceededSkippedSkipped")
	l.want(d, "outputs", expr.JSON(d.Outputs), `{"o":{"type":"string","value":2}}`)
}

func TestSwitchTypes(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `"Sw":{"type":"Switch","expression":"@add(1, 1)","cases":{"c":{"case":"2","actions":{"Hit":{"type":"Compose","inputs":1}}}}}`)
	d := l.run("w", nil)
	l.want(d, "hit", find(d, "Hit").Code, "InternalServerError")
	if m := expr.Text(find(d, "Hit").Error.Value("message")); !strings.Contains(m, "'strongEquals' expects parameters of same type, but found 'Integer,String' distinct types") {
		t.Error(m)
	}
	l.define("n", `"Sw":{"type":"Switch","expression":"@json('{}')?['missing']","cases":{},"default":{"actions":{"D":{"type":"Compose","inputs":1}}}}`)
	d = l.run("n", nil)
	l.want(d, "null", find(d, "Sw").Code+find(d, "D").Status, "ExpressionEvaluationFailedSkipped")
}

func TestLoopsAndVariables(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `
	"Init":{"type":"InitializeVariable","inputs":{"variables":[{"name":"n","type":"Integer","value":0},{"name":"list","type":"Array","value":[]},{"name":"text","type":"String"}]}},
	"Each":{"type":"foreach","runAfter":{"Init":["Succeeded"]},"foreach":"@range(0, 30)","runtimeConfiguration":{"concurrency":{"repetitions":7}},"actions":{
		"Inc":{"type":"IncrementVariable","inputs":{"name":"N","value":2}},
		"Square":{"type":"Compose","runAfter":{"Inc":["Succeeded"]},"inputs":"@mul(items('Each'), item())"},
		"Inner":{"type":"Foreach","runAfter":{"Square":["Succeeded"]},"foreach":"@createArray('a','b')","actions":{
			"App":{"type":"AppendToArrayVariable","inputs":{"name":"list","value":"@concat(items('Each'), items('Inner'), outputs('Square'))"}}}}}},
	"Loop":{"type":"Until","runAfter":{"Each":["Succeeded"]},"expression":"@greaterOrEquals(variables('n'), 65)","limit":{"count":10},"actions":{
		"More":{"type":"IncrementVariable","inputs":{"name":"n","value":"@add(1, iterationIndexes('Loop'))"}},
		"Say":{"type":"AppendToStringVariable","runAfter":{"More":["Succeeded"]},"inputs":{"name":"text","value":"<@{iterationIndexes('Loop')}>"}}}},
	"Out":{"type":"Compose","runAfter":{"Loop":["Succeeded"]},"inputs":{"n":"@variables('n')","count":"@length(variables('list'))","uniq":"@length(union(variables('list'), variables('list')))","text":"@variables('text')","r":"@result('Each')[1]['repetitionCount']","last":"@last(result('Loop'))['repetitionCount']"}}`)
	d := l.run("w", nil)
	l.want(d, "out", expr.JSON(find(d, "Out").Outputs), `{"n":66,"count":60,"uniq":60,"text":"<0><1><2>","r":30,"last":3}`)
	l.want(d, "repetition", expr.JSON(find(d, "Square", "000005").Outputs), `25`)
	a := find(d, "App", "000003-000001")
	if len(a.Indexes) != 2 || a.Indexes[0] != (RepetitionIndex{"Each", 3}) || a.Indexes[1] != (RepetitionIndex{"Inner", 1}) {
		t.Errorf("indexes %+v", a.Indexes)
	}
}

func TestLoopFailures(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `
	"Loop":{"type":"Foreach","foreach":"@createArray(1, 0, 2)","actions":{"Div":{"type":"Compose","inputs":"@div(10, items('Loop'))"}}},
	"See":{"type":"Compose","runAfter":{"Loop":["Failed"]},"inputs":"@result('Loop')"},
	"Bad":{"type":"Foreach","runAfter":{"See":["Succeeded"]},"foreach":"@createArray(1)[0]","actions":{"X":{"type":"Compose","inputs":1}}},
	"Limits":{"type":"Until","runAfter":{"Bad":["Failed"]},"expression":"@equals(1, 2)","limit":{"count":3},"actions":{"Y":{"type":"Compose","inputs":1}}},
	"Strict":{"type":"Until","runAfter":{"Limits":["Succeeded"]},"operationOptions":"FailWhenLimitsReached","expression":"@equals(1, 2)","limit":{"count":2},"actions":{"Z":{"type":"Compose","inputs":1}}}`)
	d := l.run("w", nil)
	l.want(d, "run", d.Status, Failed)
	r, _ := find(d, "See").Outputs.([]any)
	div := object(r[0])
	l.want(d, "result", fmt.Sprint(div.Value("name"), div.Value("status"), div.Value("code"), div.Value("repetitionCount"), len(div.Value("outputs").([]any))), "DivFailedNotSpecified3 3")
	l.want(d, "bad", find(d, "Bad").Code, "ExpressionEvaluationFailed")
	l.want(d, "limits", find(d, "Limits").Status, Succeeded)
	l.want(d, "strict", find(d, "Strict").Code, "UntilLimitsReached")
}

func TestTerminate(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `
	"Work":{"type":"Scope","actions":{"Before":{"type":"Compose","inputs":1},
		"Stop":{"type":"Terminate","runAfter":{"Before":["Succeeded"]},"inputs":{"runStatus":"Failed","runError":{"code":"E1","message":"stop"}}},
		"InnerAfter":{"type":"Compose","runAfter":{"Stop":["Succeeded"]},"inputs":2}}},
	"Long":{"type":"Wait","inputs":{"interval":{"count":1,"unit":"Hour"}}},
	"After":{"type":"Compose","runAfter":{"Work":["Succeeded"]},"inputs":3}`)
	d := l.run("w", nil)
	l.want(d, "run", d.Status+d.Code+expr.Text(d.Error.Value("message")), "FailedE1stop")
	l.want(d, "statuses", find(d, "Stop").Status+" "+find(d, "Work").Status+" "+find(d, "InnerAfter").Status+" "+find(d, "After").Status+" "+find(d, "Long").Status, "Succeeded Cancelled Skipped Skipped Cancelled")
}

func TestCallbackSecurity(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `"C":{"type":"Compose","inputs":"@triggerBody()"}`)
	ctx := context.Background()
	cb, err := l.CallbackURL(ctx, "w", "manual", CallbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second, _ := l.CallbackURL(ctx, "w", "manual", CallbackOptions{Secondary: true})
	old, _ := l.CallbackURL(ctx, "w", "manual", CallbackOptions{NotAfter: time.Now().Add(-time.Minute)})
	soon, _ := l.CallbackURL(ctx, "w", "manual", CallbackOptions{NotAfter: time.Now().Add(time.Hour)})
	try := func(u, body, ct string) int {
		r := httptest.NewRequest("POST", u, strings.NewReader(body))
		if ct != "" {
			r.Header.Set("Content-Type", ct)
		}
		rec := httptest.NewRecorder()
		l.InvokeHandler().ServeHTTP(rec, r)
		return rec.Code
	}
	for _, c := range []struct {
		u, body, ct string
		want        int
	}{
		{cb.Value, `{}`, "application/json", 202},
		{second.Value, ``, "", 202},
		{soon.Value, ``, "", 202},
		{old.Value, ``, "", 401},
		{strings.Replace(cb.Value, "sig=", "sig=A", 1), ``, "", 401},
		{strings.Split(cb.Value, "&sig=")[0], ``, "", 401},
		{strings.Replace(cb.Value, "/triggers/manual/", "/triggers/other/", 1), ``, "", 401},
		{strings.Replace(soon.Value, "&se=", "&se=9", 1), ``, "", 401},
		{cb.Value, `{bad`, "application/json", 400},
		{"https://picket.example/x", ``, "", 404},
	} {
		if got := try(c.u, c.body, c.ct); got != c.want {
			t.Errorf("%s: got %d, want %d", c.u, got, c.want)
		}
	}
	st, _, _, own, err := l.DeliverCallback(ctx, cb.Value, "POST", http.Header{"Content-Type": {"application/json"}}, []byte(`{"a":1}`))
	if !own || err != nil || st != 202 {
		t.Error(st, own, err)
	}
	if _, _, _, own, _ := l.DeliverCallback(ctx, "https://example.com/hook", "POST", nil, nil); own {
		t.Error("a foreign URL counts as own")
	}
	if err := l.RegenerateKey(ctx, "w", "Primary"); err != nil {
		t.Fatal(err)
	}
	if got := try(cb.Value, ``, ""); got != 401 {
		t.Errorf("the old key still works: %d", got)
	}
	if got := try(second.Value, ``, ""); got != 202 {
		t.Errorf("the secondary key doesn't work: %d", got)
	}
}

func TestTriggers(t *testing.T) {
	l := newLab(t, nil)
	l.deploy("s", `{"triggers":{"manual":{"type":"Request","inputs":{},"splitOn":"@triggerBody()?['value']","conditions":[{"expression":"@greater(length(triggerBody()['value']), 1)"}]}},
		"actions":{"C":{"type":"Compose","inputs":"@triggerBody()"}}}`, nil)
	ctx := context.Background()
	res, err := l.Trigger(ctx, "s", "manual", TriggerInput{Body: expr.NewObject("value", []any{"a", "b"})})
	if err != nil || len(res.Runs) != 2 {
		t.Fatal(res, err)
	}
	d := l.ended(res.Runs[1])
	l.want(d, "split", expr.JSON(find(d, "C").Outputs), `"b"`)
	res, err = l.Trigger(ctx, "s", "manual", TriggerInput{Body: expr.NewObject("value", []any{"a"})})
	if err != nil || !res.Skipped {
		t.Fatal(res, err)
	}
	hs, err := l.TriggerHistories(ctx, "s", "", 10)
	if err != nil || len(hs) != 2 || hs[0].Status != Skipped || hs[1].Run == "" {
		t.Errorf("%+v %v", hs, err)
	}
	// One run at a time: the second waits for the first.
	l.deploy("one", `{"triggers":{"manual":{"type":"Request","inputs":{},"runtimeConfiguration":{"concurrency":{"runs":1,"maximumWaitingRuns":1}}}},
		"actions":{"W":{"type":"Wait","inputs":{"interval":{"count":"@triggerBody()","unit":"Second"}}}}}`, nil)
	first, err := l.Trigger(ctx, "one", "", TriggerInput{Body: int64(1)})
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.Trigger(ctx, "one", "", TriggerInput{Body: int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := l.findRun(ctx, second.Runs[0])
	if r.Status != Waiting {
		t.Errorf("the second run is %s", r.Status)
	}
	var pe *Error
	if _, err := l.Trigger(ctx, "one", "", TriggerInput{Body: int64(0)}); !errors.As(err, &pe) || pe.Status != 429 {
		t.Errorf("got %v, want 429", err)
	}
	a, b := l.ended(first.Runs[0]), l.ended(second.Runs[0])
	if b.Actions[0].Started.Before(a.Ended.Add(-time.Millisecond)) {
		t.Error("the second ran before the first ended")
	}
	// Resubmit, disable, cancel, delete.
	again, err := l.Resubmit(ctx, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	l.ended(again)
	long, err := l.Trigger(ctx, "one", "", TriggerInput{Body: int64(3600)})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if err := l.Cancel(ctx, long.Runs[0]); err != nil {
		t.Fatal(err)
	}
	if d := l.ended(long.Runs[0]); d.Status != Cancelled || find(d, "W").Status != Cancelled {
		t.Error(describe(d))
	}
	if err := l.Disable(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Trigger(ctx, "one", "", TriggerInput{}); !errors.As(err, &pe) || pe.Code != "WorkflowDisabled" {
		t.Error(err)
	}
	page, err := l.Runs(ctx, "one", Page{Top: 2})
	if err != nil || len(page) != 2 {
		t.Fatal(page, err)
	}
	rest, err := l.Runs(ctx, "one", Page{After: page[1].ID})
	if err != nil || len(rest) != 2 {
		t.Errorf("%d %v", len(rest), err)
	}
	if err := l.Delete(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Workflow(ctx, "one"); !errors.As(err, &pe) || pe.Code != "WorkflowNotFound" {
		t.Error(err)
	}
}

func TestDeployErrors(t *testing.T) {
	l := newLab(t, nil)
	for _, c := range []struct{ text, want string }{
		{"{\"triggers\":{},\n\"actions\":{\"A\":{\"type\":\"Compose\",\"inputs\":1,\"runAfter\":{\"B\":[\"Succeeded\"]}}}}", "action 'A': runAfter names the action 'B', which is not defined"},
		{`{"actions":{"A":{"type":"Compose","inputs":"@nope(1)"}}}`, "The template function 'nope' is not defined or not valid."},
		{`{"actions":{"A":{"type":"Compose","inputs":"@body('Z')"}}}`, "names the action 'Z', which is not defined"},
		{`{"actions":{"A":{"type":"Magic","inputs":1}}}`, `the action type "Magic" is not known`},
		{`{"actions":{"A":{"type":"Compose","inputs":1,"runAfter":{"B":["Succeeded"]}},"B":{"type":"Compose","inputs":1,"runAfter":{"A":["Succeeded"]}}}}`, "wait for each other in a circle"},
		{`{"actions":{"A":{"type":"SetVariable","inputs":{"name":"x","value":1}}}}`, "the variable 'x' is not initialized"},
		{`{"triggers":{"r":{"type":"Recurrence","recurrence":{"frequency":"Fortnight","interval":1}}},"actions":{}}`, "is not one of Second, Minute"},
		{`{"actions":{"L":{"type":"Foreach","foreach":"@createArray(1)","actions":{"R":{"type":"Response","inputs":{"statusCode":200}}}}}}`, "a Response can't stand inside the loop 'L'"},
	} {
		if _, err := l.Deploy(context.Background(), DeployRequest{Name: "w", Template: []byte(c.text)}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.text, err, c.want)
		}
	}
	_, err := l.Deploy(context.Background(), DeployRequest{Template: []byte("{\"resources\":[{\"type\":\"Microsoft.Logic/workflows\",\"name\":\"w\",\"properties\":{\"definition\":{\"actions\":{\n  \"A\":{\"type\":\"Compose\",\n    \"inputs\":\"@nope()\"}}}}}]}")})
	if err == nil || !strings.Contains(err.Error(), "line 3, column 5") {
		t.Errorf("got %v, want the place", err)
	}
}

func TestIdempotentCall(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `"C":{"type":"Compose","inputs":1}`)
	cb, err := l.CallbackURL(context.Background(), "w", "", CallbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for range 3 {
		st, h, _, own, err := l.DeliverCallback(context.Background(), cb.Value, "POST", http.Header{"Idempotency-Key": {"trip-1"}}, nil)
		if st != 202 || !own || err != nil {
			t.Fatal(st, own, err)
		}
		ids[h.Get("x-ms-workflow-run-id")] = true
	}
	rs, err := l.Runs(context.Background(), "w", Page{})
	if len(ids) != 1 || len(rs) != 1 || err != nil {
		t.Errorf("%v %d %v", ids, len(rs), err)
	}
}
