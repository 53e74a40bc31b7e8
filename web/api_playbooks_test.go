package web

import (
	"context"
	"encoding/json"
	"path/filepath"
	"picket/playbook"
	"picket/state"
	"strings"
	"testing"
	"time"
)

const echoTemplate = `{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "PlaybookName": {"type": "string", "defaultValue": "Echo"},
    "Greeting": {"type": "string", "metadata": {"description": "What to say."}}
  },
  "resources": [{
    "type": "Microsoft.Logic/workflows", "apiVersion": "2017-07-01", "name": "[parameters('PlaybookName')]", "location": "local",
    "properties": {"state": "Enabled", "parameters": {"Greeting": {"value": "[parameters('Greeting')]"}},
      "definition": {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"Greeting": {"type": "String"}},
        "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}},
        "actions": {
          "If_named": {"type": "If", "expression": "@not(empty(triggerBody()?['name']))", "runAfter": {},
            "actions": {"Compose": {"type": "Compose", "inputs": "@{parameters('Greeting')} @{triggerBody()?['name']}"}}}
        }
      }}
  }]
}`

func TestPlaybookFromTemplateToRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var engine *playbook.Engine
	s := newSite(t, func(d *Deps) {
		db, err := state.Open(ctx, filepath.Join(t.TempDir(), "playbook.db"), playbook.Migrations())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		engine, err = playbook.New(playbook.Deps{DB: db, KeyFile: filepath.Join(t.TempDir(), "key"), PublicURL: "https://127.0.0.1:8443", Log: d.Log})
		if err != nil {
			t.Fatal(err)
		}
		d.Playbooks = engine
	})
	done := make(chan struct{})
	go func() { defer close(done); _ = engine.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; engine.Close() })
	pw, _, err := s.srv.EnsureOwner(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")

	var look inspection
	s.want(s.call("POST", "/api/v1/playbooks/inspect", map[string]any{"template": json.RawMessage(echoTemplate)}, &look), 200, "inspect")
	if len(look.Parameters) != 2 || look.Parameters[0].Required || !look.Parameters[1].Required || look.Parameters[1].Help != "What to say." || len(look.Needs) != 0 || len(look.Resources) != 1 {
		t.Fatalf("got %+v", look)
	}
	var none struct{ Value []playbookJSON }
	s.want(s.call("GET", "/api/v1/playbooks", nil, &none), 200, "list")
	if len(none.Value) != 0 {
		t.Fatal("the look deployed something")
	}
	s.want(s.call("POST", "/api/v1/playbooks", map[string]any{"template": json.RawMessage(echoTemplate)}, nil), 400, "without the parameter")
	var made struct{ Value []playbookJSON }
	s.want(s.call("POST", "/api/v1/playbooks", map[string]any{"template": json.RawMessage(echoTemplate), "parameters": map[string]any{"Greeting": "Hello"}}, &made), 200, "deploy")
	if len(made.Value) != 1 || made.Value[0].Name != "Echo" || !made.Value[0].Trigger.Callable || made.Value[0].Trigger.Summary != "When an HTTP request is received" {
		t.Fatalf("got %+v", made)
	}
	var cb struct{ Value string }
	s.want(s.call("POST", "/api/v1/playbooks/Echo/callbackUrl", nil, &cb), 200, "callback")
	mustURL(t, cb.Value)

	var run struct{ Run string }
	s.want(s.call("POST", "/api/v1/playbooks/Echo/run", map[string]any{"body": map[string]string{"name": "Ada"}}, &run), 202, "run")
	if _, err := engine.Wait(ctx, run.Run); err != nil {
		t.Fatal(err)
	}
	var d runDetailJSON
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run, nil, &d), 200, "detail")
	found := false
	for _, a := range d.Actions {
		if a.Name == "Compose" {
			found = a.Parent == "If_named" && string(a.Outputs) == `"Hello Ada"` && a.Type == "Compose"
		}
	}
	if d.Status != "Succeeded" || !found {
		t.Fatalf("got %+v", d)
	}
	var g playbook.Graph
	s.want(s.call("GET", "/api/v1/playbooks/echo/graph", nil, &g), 200, "graph")
	if len(g.Triggers) != 1 || len(g.Actions) != 1 || g.Actions[0].Branches[0].Actions[0].Name != "Compose" {
		t.Fatalf("got %+v", g)
	}
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run+"/graph", nil, &g), 200, "graph of the run")
	s.want(s.call("GET", "/api/v1/playbooks/Other/runs/"+run.Run+"/graph", nil, nil), 404, "graph of another's run")
	var st runStatesJSON
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run+"/states?at=None:3", nil, &st), 200, "states")
	if st.Status != "Succeeded" || st.Steps["Compose"].Status != "Succeeded" || len(st.TriggerOutputs) == 0 {
		t.Fatalf("got %+v", st)
	}
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run+"/states?at=None", nil, nil), 400, "no iteration")
	s.want(s.call("GET", "/api/v1/playbooks/Other/runs/"+run.Run+"/states", nil, nil), 404, "states of another's run")
	var reps struct{ Value []actionJSON }
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run+"/actions/compose?repetition=", nil, &reps), 200, "repetition")
	if len(reps.Value) != 1 || string(reps.Value[0].Outputs) != `"Hello Ada"` {
		t.Fatalf("got %+v", reps)
	}
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run+"/actions/compose?repetition=000000", nil, &reps), 200, "no such repetition")
	if len(reps.Value) != 0 {
		t.Fatalf("got %+v", reps)
	}
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/"+run.Run+"/actions/nothing", nil, nil), 404, "unknown action")
	var tried triedJSON
	s.want(s.call("POST", "/api/v1/playbooks/Echo/test", map[string]any{"body": map[string]string{"name": "Bob"}}, &tried), 200, "test")
	if tried.Status != "Succeeded" || len(tried.Calls) != 0 || len(tried.Actions) == 0 {
		t.Fatalf("got %+v", tried)
	}
	var again struct{ Run string }
	s.want(s.call("POST", "/api/v1/playbooks/Echo/runs/"+run.Run+"/resubmit", nil, &again), 202, "resubmit")
	if again.Run == "" || again.Run == run.Run {
		t.Fatalf("got %q", again.Run)
	}
	s.want(s.call("PATCH", "/api/v1/playbooks/echo", map[string]any{"enabled": false}, nil), 204, "off")
	s.want(s.call("GET", "/api/v1/playbooks/Echo/runs/nothing", nil, nil), 404, "unknown run")
	s.want(s.call("GET", "/api/v1/playbooks/Other", nil, nil), 404, "unknown playbook")
	var one playbookJSON
	s.want(s.call("GET", "/api/v1/playbooks/Echo", nil, &one), 200, "get")
	if one.Enabled || len(one.Definition) == 0 || one.LastRun == nil || time.Since(one.Created) > time.Hour {
		t.Fatalf("got %+v", one)
	}
	s.want(s.call("DELETE", "/api/v1/playbooks/Echo", nil, nil), 204, "delete")
}

const senderDefinition = `{
  "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"$connections": {"type": "Object", "defaultValue": {}}, "Key": {"type": "SecureString"}},
  "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {}}},
  "actions": {
    "Ask": {"type": "Http", "inputs": {"method": "GET", "uri": "https://api.example.org/@{triggerBody()?['id']}", "headers": {"Authorization": "@parameters('Key')"}}, "runAfter": {}},
    "Wait_a_day": {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Day"}}, "runAfter": {"Ask": ["Succeeded"]}},
    "Comment": {"type": "ApiConnection", "runAfter": {"Wait_a_day": ["Succeeded"]}, "inputs": {"method": "post", "path": "/Incidents/Comment", "body": {"message": "@body('Ask')?['verdict']"},
      "host": {"connection": {"name": "@parameters('$connections')['azuresentinel']['connectionId']"}}}}
  }
}`

func TestPlaybookIsTriedWithoutSending(t *testing.T) {
	ctx := context.Background()
	s := newSite(t, func(d *Deps) {
		db, err := state.Open(ctx, filepath.Join(t.TempDir(), "playbook.db"), playbook.Migrations())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		engine, err := playbook.New(playbook.Deps{DB: db, KeyFile: filepath.Join(t.TempDir(), "key"), PublicURL: "https://127.0.0.1:8443", Log: d.Log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(engine.Close)
		d.Playbooks = engine
	})
	pw, _, err := s.srv.EnsureOwner(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")
	conns := map[string]any{"azuresentinel": map[string]string{"connectionId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/connections/sentinel", "id": "/subscriptions/s/providers/Microsoft.Web/locations/l/managedApis/azuresentinel"}}
	s.want(s.call("POST", "/api/v1/playbooks", map[string]any{"name": "Sender", "template": json.RawMessage(senderDefinition), "allowNeeds": true, "parameters": map[string]any{"Key": "hush hush", "$connections": conns}}, nil), 200, "deploy")
	var out triedJSON
	s.want(s.call("POST", "/api/v1/playbooks/Sender/test", map[string]any{"body": map[string]string{"id": "7"}}, &out), 200, "test")
	if out.Status != "Succeeded" || len(out.Calls) != 2 || out.Calls[0].Target != "https://api.example.org/7" || out.Calls[1].API != "azuresentinel" {
		t.Fatalf("got %+v", out)
	}
	if strings.Contains(string(out.Calls[0].Inputs), "hush") {
		t.Fatalf("a secret is shown: %s", out.Calls[0].Inputs)
	}
	if len(out.Needs) == 0 {
		t.Fatal("the needs of this server are not told")
	}
	s.want(s.call("POST", "/api/v1/playbooks/Nothing/test", map[string]any{}, nil), 404, "unknown playbook")
}
