package playbook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"picket/playbook/expr"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDataActions(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `
	"P":{"type":"ParseJson","inputs":{"content":"@triggerBody()","schema":{"type":"array","items":{"type":"object","properties":{"id":{"type":"integer"},"n":{"type":"string"}},"required":["id"]}}}},
	"Q":{"type":"Query","runAfter":{"P":["Succeeded"]},"inputs":{"from":"@body('P')","where":"@greater(item()['id'], 1)"}},
	"S":{"type":"Select","runAfter":{"Q":["Succeeded"]},"inputs":{"from":"@body('Q')","select":{"k@{item()['id']}":"@item()?['n']"}}},
	"J":{"type":"Join","runAfter":{"S":["Succeeded"]},"inputs":{"from":"@body('S')","joinWith":";"}},
	"C":{"type":"Table","runAfter":{"J":["Succeeded"]},"inputs":{"from":"@triggerBody()","format":"CSV"}},
	"H":{"type":"Table","runAfter":{"C":["Succeeded"]},"inputs":{"from":"@triggerBody()","format":"HTML","columns":[{"header":"Id","value":"@item()?['id']"},{"header":"N<","value":"@item()?['n']"}]}},
	"Bad":{"type":"ParseJson","runAfter":{"H":["Succeeded"]},"inputs":{"content":"{'a':1}","schema":{"type":"object","properties":{"a":{"type":"string"}}}}},
	"See":{"type":"Compose","runAfter":{"Bad":["Failed"]},"inputs":{"c":"@actions('Bad')['code']","e":"@outputs('Bad')['errors'][0]['message']","b":"@body('Bad')"}}`)
	d := l.run("w", []any{expr.NewObject("id", int64(1), "n", "a"), expr.NewObject("id", int64(9007199254740993), "n", `x, "y"`), expr.NewObject("id", int64(3), "n", "<ä>")})
	l.want(d, "join", expr.Text(object(find(d, "J").Outputs).Value("body")), `{"k9007199254740993":"x, \"y\""};{"k3":"<ä>"}`)
	l.want(d, "csv", expr.Text(object(find(d, "C").Outputs).Value("body")), "id,n\r\n1,a\r\n9007199254740993,\"x, \"\"y\"\"\"\r\n3,<ä>\r\n")
	l.want(d, "html", expr.Text(object(find(d, "H").Outputs).Value("body")), "<table><thead><tr><th>Id</th><th>N&lt;</th></tr></thead><tbody><tr><td>1</td><td>a</td></tr><tr><td>9007199254740993</td><td>x, &quot;y&quot;</td></tr><tr><td>3</td><td>&lt;&#228;&gt;</td></tr></tbody></table>")
	l.want(d, "see", expr.JSON(find(d, "See").Outputs), `{"c":"ValidationFailed","e":"Invalid type. Expected String but got Integer.","b":null}`)
}

func TestResponseAndChild(t *testing.T) {
	l := newLab(t, nil)
	l.deploy("child", `{"triggers":{"manual":{"type":"Request","kind":"Http","inputs":{"method":"GET","relativePath":"/items/{id}","schema":{}}}},"actions":{
		"R":{"type":"Response","kind":"Http","inputs":{"statusCode":201,"headers":{"X-A":"@{triggerOutputs()['queries']['q']}"},"body":{"id":"@triggerOutputs()['relativePathParameters']['id']"}}},
		"Late":{"type":"Compose","runAfter":{"R":["Succeeded"]},"inputs":1}}}`, nil)
	cb, err := l.CallbackURL(context.Background(), "child", "manual", CallbackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	u := strings.Replace(cb.Value, "{id}", "a%2Fb", 1) + "&q=x"
	rec := httptest.NewRecorder()
	l.InvokeHandler().ServeHTTP(rec, httptest.NewRequest("GET", u, nil))
	if rec.Code != 201 || rec.Body.String() != `{"id":"a/b"}` || rec.Header().Get("X-A") != "x" {
		t.Errorf("%d %s %v", rec.Code, rec.Body, rec.Header())
	}
	rec = httptest.NewRecorder()
	l.InvokeHandler().ServeHTTP(rec, httptest.NewRequest("POST", u, nil))
	if rec.Code != 405 {
		t.Errorf("wrong method: %d %s", rec.Code, rec.Body)
	}
	l.define("sub", `"R":{"type":"Response","inputs":{"statusCode":200,"body":{"got":"@triggerBody()"}}}`)
	l.define("parent", `"Call":{"type":"Workflow","inputs":{"host":{"triggerName":"manual","workflow":{"id":"/subscriptions/x/resourceGroups/y/providers/Microsoft.Logic/workflows/sub"}},"body":{"a":1}}},
		"See":{"type":"Compose","runAfter":{"Call":["Succeeded"]},"inputs":"@body('Call')['got']['a']"}`)
	d := l.run("parent", nil)
	l.want(d, "see", expr.JSON(find(d, "See").Outputs), "1")
	// A Response that nobody waits for is skipped.
	d = l.run("sub", nil)
	l.want(d, "late", find(d, "R").Code, "ActionResponseSkipped")
}

func TestHttpAction(t *testing.T) {
	var mu sync.Mutex
	var log []string
	tries := 0
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/flaky":
			if tries++; tries < 3 {
				w.WriteHeader(503)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":12345678901234567}`)
		case "/async":
			w.Header().Set("Location", "/poll")
			w.WriteHeader(202)
		case "/poll":
			fmt.Fprint(w, "ready")
		case "/missing":
			http.Error(w, "no", 404)
		case "/page":
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Query().Get("p") == "" {
				fmt.Fprint(w, `{"value":[1,2],"nextLink":"http://api.test/page?p=2"}`)
			} else {
				fmt.Fprint(w, `{"value":[3]}`)
			}
		case "/redirect":
			http.Redirect(w, r, "http://127.0.0.1:1/inside", 302)
		}
	})
	var refused []string
	l := newLab(t, func(d *Deps) {
		d.Outbound = Outbound{Hosts: map[string]http.Handler{"api.test": api}, Refused: func(h, why string) { mu.Lock(); refused = append(refused, h); mu.Unlock() }}
	})
	l.define("w", `
	"Flaky":{"type":"Http","inputs":{"method":"GET","uri":"http://api.test/flaky","queries":{"a":"x y","b":2},"authentication":{"type":"Basic","username":"u","password":"hunter22"},"retryPolicy":{"type":"fixed","interval":"PT5S","count":4}}},
	"Async":{"type":"Http","runAfter":{"Flaky":["Succeeded"]},"inputs":{"method":"POST","uri":"http://api.test/async","body":{"x":"@body('Flaky')['id']"}}},
	"Page":{"type":"Http","runAfter":{"Async":["Succeeded"]},"inputs":{"method":"GET","uri":"http://api.test/page"},"runtimeConfiguration":{"paginationPolicy":{"minimumItemCount":3}}},
	"Missing":{"type":"Http","runAfter":{"Page":["Succeeded"]},"inputs":{"method":"GET","uri":"http://api.test/missing"}},
	"Redirect":{"type":"Http","runAfter":{"Missing":["Failed"]},"inputs":{"method":"GET","uri":"http://api.test/redirect"}},
	"Meta":{"type":"Http","runAfter":{"Redirect":["Failed"]},"inputs":{"method":"GET","uri":"http://169.254.169.254/latest"}},
	"Canary":{"type":"Http","runAfter":{"Meta":["Failed"]},"inputs":{"method":"GET","uri":"https://canarytokens.org/download?token=t"}},
	"End":{"type":"Compose","runAfter":{"Canary":["Failed"]},"inputs":"@outputs('Missing')['statusCode']"}`)
	d := l.run("w", nil)
	l.want(d, "run", d.Status, Succeeded)
	fl := find(d, "Flaky")
	l.want(d, "flaky", fl.Status+expr.JSON(object(fl.Outputs).Value("body"))+fmt.Sprint(len(fl.Retries)), `Succeeded{"id":12345678901234567}2`)
	l.want(d, "masked", expr.JSON(object(fl.Inputs).Value("authentication")), `{"type":"Basic","username":"u","password":"*sanitized*"}`)
	l.want(d, "async", expr.JSON(object(find(d, "Async").Outputs).Value("body")), `"ready"`)
	l.want(d, "page", expr.JSON(object(find(d, "Page").Outputs).Value("body")), `{"value":[1,2,3]}`)
	l.want(d, "missing", find(d, "Missing").Code+expr.JSON(find(d, "Missing").Error), "NotFoundnull")
	for _, n := range []string{"Redirect", "Meta", "Canary"} {
		l.want(d, n, find(d, n).Code, "RequestRefused")
	}
	if strings.Join(refused, ",") != "127.0.0.1,169.254.169.254,canarytokens.org" {
		t.Errorf("refused %v", refused)
	}
	if log[0] != "GET /flaky?a=x+y&b=2 Basic dTpodW50ZXIyMg==" {
		t.Errorf("request %s", log[0])
	}
	// The password is nowhere in the database in the clear.
	var n int
	if err := l.db.QueryRow(context.Background(), `SELECT count(*) FROM playbook_action WHERE instr(inputs, 'hunter22')>0`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows hold the password, %v", n, err)
	}
}

func TestConnectorAndNeeds(t *testing.T) {
	var calls []*Request
	fails := 1
	l := newLab(t, func(d *Deps) {
		d.Connectors = []Connector{&fakeConnector{"azuresentinel", []Operation{{"POST", "/Incidents/Comment", ""}, {"GET", "/Incidents/{x...}", ""}, {"POST", "/incident-creation", ""}}, func(r *Request) (*Response, error) {
			calls = append(calls, r)
			if fails > 0 {
				fails--
				return nil, errors.New("connection reset")
			}
			return &Response{Status: 200, Body: expr.NewObject("ok", true)}, nil
		}}}
	})
	text := `{"resources":[
	{"type":"Microsoft.Web/connections","name":"sent-conn","properties":{"api":{"id":"/subscriptions/s/providers/Microsoft.Web/locations/l/managedApis/azuresentinel"}}},
	{"type":"Microsoft.Logic/workflows","name":"P","properties":{"parameters":{"$connections":{"value":{"azuresentinel":{"connectionId":"[resourceId('Microsoft.Web/connections','sent-conn')]","connectionName":"sent-conn","id":"/subscriptions/s/providers/Microsoft.Web/locations/l/managedApis/azuresentinel"},
		"virustotal":{"connectionId":"/x/vt","connectionName":"vt","id":"/a/b/managedApis/virustotal"}}}},
	 "definition":{"parameters":{"$connections":{"type":"Object","defaultValue":{}}},"triggers":{"inc":{"type":"ApiConnectionWebhook","inputs":{"host":{"connection":{"name":"@parameters('$connections')['azuresentinel']['connectionId']"}},"path":"/incident-creation","body":{"callback_url":"@{listCallbackUrl()}"}}}},
	 "actions":{"Comment":{"type":"ApiConnection","inputs":{"host":{"connection":{"name":"@parameters('$connections')['azuresentinel']['connectionId']"}},"method":"post","path":"/incidents/comment","body":{"incidentArmId":"@triggerBody()?['object']?['id']","message":"hello"}}}
	 EXTRA}}}}]}`
	d := l.deploy("", strings.Replace(text, "EXTRA", `,"VT":{"type":"ApiConnection","runAfter":{"Comment":["Failed"]},"inputs":{"host":{"connection":{"name":"@parameters('$connections')['virustotal']['connectionId']"}},"method":"get","path":"/files/@{encodeURIComponent('x')}"}},
		"Put":{"type":"ApiConnection","runAfter":{"Comment":["Failed"]},"inputs":{"host":{"connection":{"name":"@parameters('$connections')['azuresentinel']['connectionId']"}},"method":"put","path":"/Nothing/@{1}"}},
		"Fn":{"type":"Liquid","runAfter":{"Comment":["Failed"]},"inputs":{}}`, 1), nil)
	var got []string
	for _, n := range d.Needs {
		got = append(got, n.Kind+" "+n.Name)
	}
	if s := strings.Join(got, ", "); s != "connector virustotal, operation azuresentinel: PUT /Nothing/{}, action Liquid" {
		t.Errorf("needs %s", s)
	}
	// Needs stop a workflow before its first run, by name.
	if _, err := l.Deploy(context.Background(), DeployRequest{Template: []byte(strings.Replace(text, "EXTRA", `,"Fn":{"type":"Liquid","inputs":{}}`, 1))}); err != nil {
		t.Fatal(err)
	}
	_, err := l.Notify(context.Background(), Notification{API: "azuresentinel", Path: "/incident-creation", ID: "i0"})
	if err == nil || !strings.Contains(err.Error(), "'Fn' of the workflow 'P' is of type 'Liquid'") {
		t.Errorf("got %v", err)
	}
	l.deploy("", strings.Replace(text, "EXTRA", "", 1), nil)
	n := Notification{API: "azuresentinel", Path: "/Incident-Creation", ID: "incident-1", Body: expr.NewObject("object", expr.NewObject("id", "/inc/1"))}
	ids, err := l.Notify(context.Background(), n)
	if err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	rd := l.ended(ids[0])
	l.want(rd, "run", rd.Status, Succeeded)
	again, err := l.Notify(context.Background(), n)
	if err != nil || again[0] != ids[0] {
		t.Errorf("the same event made another run: %v %v", again, err)
	}
	if len(calls) != 2 || calls[0].ActionRunID != calls[1].ActionRunID || calls[0].Path != "/incidents/comment" || string(calls[1].Payload()) != `{"incidentArmId":"/inc/1","message":"hello"}` {
		t.Errorf("calls %+v", calls)
	}
}

func TestWebhookAction(t *testing.T) {
	var mu sync.Mutex
	urls := map[string]string{}
	hook := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 4096)
		n, _ := r.Body.Read(b)
		mu.Lock()
		urls[r.URL.Path] = string(b[:n])
		mu.Unlock()
	})
	dir := t.TempDir()
	open := func() *lab {
		return openLab(t, dir, func(d *Deps) { d.Outbound.Hosts = map[string]http.Handler{"hook.test": hook} })
	}
	l := open()
	l.define("w", `"Hook":{"type":"HttpWebhook","inputs":{"subscribe":{"method":"POST","uri":"http://hook.test/sub","body":"@{listCallbackUrl()}"},"unsubscribe":{"method":"POST","uri":"http://hook.test/unsub"}}},
		"See":{"type":"Compose","runAfter":{"Hook":["Succeeded"]},"inputs":"@body('Hook')"}`)
	res, err := l.Trigger(context.Background(), "w", "", TriggerInput{})
	if err != nil {
		t.Fatal(err)
	}
	var u string
	for range 200 {
		mu.Lock()
		u = urls["/sub"]
		mu.Unlock()
		if u != "" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(30 * time.Millisecond)
	l.stop() // the wait survives a restart
	l = open()
	st, _, body, own, err := l.DeliverCallback(context.Background(), u, "POST", http.Header{"Content-Type": {"application/json"}}, []byte(`{"approved":true}`))
	if st != 200 || !own || err != nil {
		t.Fatal(st, string(body), own, err)
	}
	d := l.ended(res.Runs[0])
	l.want(d, "see", expr.JSON(find(d, "See").Outputs), `{"approved":true}`)
	if _, ok := urls["/unsub"]; !ok {
		t.Error("no unsubscribe")
	}
}

func TestSecureData(t *testing.T) {
	l := newLab(t, nil)
	l.deploy("w", `{"parameters":{"key":{"type":"SecureString"}},"triggers":{`+requestTrigger+`},"actions":{
		"Secret":{"type":"Compose","inputs":"@concat('v-', parameters('key'))","runtimeConfiguration":{"secureData":{"properties":["inputs","outputs"]}}},
		"Uses":{"type":"Compose","runAfter":{"Secret":["Succeeded"]},"inputs":"@outputs('Secret')"},
		"Plain":{"type":"Compose","runAfter":{"Uses":["Succeeded"]},"inputs":"key=@{parameters('key')}"}}}`, map[string]any{"key": "tops3cret"})
	d := l.run("w", nil)
	for _, n := range []string{"Secret", "Uses"} {
		if a := find(d, n); a.HasInputs || a.HasOutputs || a.Inputs != nil {
			t.Errorf("%s shows %v %v", n, a.Inputs, a.Outputs)
		}
	}
	l.want(d, "plain", expr.JSON(find(d, "Plain").Outputs), `"key=*sanitized*"`)
	w, err := l.Workflow(context.Background(), "w")
	if err != nil || expr.JSON(w.Parameters) != `{"key":null}` {
		t.Errorf("%s %v", expr.JSON(w.Parameters), err)
	}
	var n int
	if err := l.db.QueryRow(context.Background(), `SELECT count(*) FROM playbook_action WHERE instr(inputs,'tops3cret')+instr(outputs,'tops3cret')>0`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows hold the secret, %v", n, err)
	}
}

func TestStaticResult(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `"H":{"type":"Http","inputs":{"method":"GET","uri":"http://nowhere.invalid/"},"runtimeConfiguration":{"staticResult":{"name":"s","staticResultOptions":"Enabled"}}},
		"C":{"type":"Compose","runAfter":{"H":["Succeeded"]},"inputs":"@body('H')['a']"}`, `"staticResults":{"s":{"status":"Succeeded","outputs":{"statusCode":"OK","body":{"a":5}}}}`)
	d := l.run("w", nil)
	l.want(d, "c", expr.JSON(find(d, "C").Outputs), "5")
}

func TestExpressionAction(t *testing.T) {
	l := newLab(t, nil)
	l.define("w", `"S":{"type":"Expression","kind":"SubtractFromTime","inputs":{"baseTime":"2026-01-15T00:00:00Z","interval":"14","timeUnit":"Day"}},
		"Z":{"type":"Expression","kind":"ConvertTimeZone","runAfter":{"S":["Succeeded"]},"inputs":{"baseTime":"@body('S')","sourceTimeZone":"UTC","destinationTimeZone":"Tokyo Standard Time","formatString":"HH:mm"}}`)
	d := l.run("w", nil)
	l.want(d, "body", expr.JSON(find(d, "S").Outputs)+expr.JSON(find(d, "Z").Outputs), `{"body":"2026-01-01T00:00:00.0000000Z"}{"body":"09:00"}`)
}

func TestSelfCallEnds(t *testing.T) {
	l := newLab(t, nil)
	l.define("me", `"Again":{"type":"Workflow","inputs":{"host":{"triggerName":"manual","workflow":{"id":"/x/workflows/me"}}}}`)
	d := l.run("me", nil)
	l.want(d, "run", d.Status+find(d, "Again").Code, "FailedChildWorkflowFailed")
	rs, err := l.Runs(context.Background(), "me", Page{Top: 100})
	if err != nil || len(rs) > maxNesting+2 {
		t.Errorf("%d runs %v", len(rs), err)
	}
}

// A secret that a template writes into the definition is neither stored nor shown in the clear.
func TestSecretInDefinition(t *testing.T) {
	l := newLab(t, nil)
	d := l.deploy("", `{"parameters":{"k":{"type":"securestring"}},"resources":[{"type":"Microsoft.Logic/workflows","name":"w","properties":{"definition":{"triggers":{`+requestTrigger+`},"actions":{
		"H":{"type":"Compose","inputs":{"key":"[parameters('k')]"}}}}}}]}`, map[string]any{"k": "hunter22hunter22"})
	if s := expr.JSON(d.Workflows[0].Definition); strings.Contains(s, "hunter22") || !strings.Contains(s, Masked) {
		t.Error(s)
	}
	r := l.run("w", nil)
	l.want(r, "masked", expr.JSON(find(r, "H").Outputs), `{"key":"*sanitized*"}`)
	var n int
	if err := l.db.QueryRow(context.Background(), `SELECT count(*) FROM playbook_version WHERE instr(definition,'hunter22')>0`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
}
