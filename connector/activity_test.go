package connector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"picket/connector"
	"picket/playbook"
	"picket/state"
)

// activityTemplate is the activity log connector as a person builds it in the designer: every day, page by page,
// one row an activity.
const activityTemplate = `{
 "parameters": {"PlaybookName":{"type":"string","defaultValue":"MCAS-Activity"},"Tenant":{"type":"string"},"Token":{"type":"securestring"}},
 "resources": [
  {"type":"Microsoft.Web/connections","apiVersion":"2016-06-01","name":"la","properties":{"api":{"id":"[concat('/subscriptions/', subscription().subscriptionId, '/providers/Microsoft.Web/locations/', resourceGroup().location, '/managedApis/azureloganalyticsdatacollector')]"},"parameterValues":{"username":"id","password":"key"}}},
  {"type":"Microsoft.Logic/workflows","apiVersion":"2017-07-01","name":"[parameters('PlaybookName')]","properties":{"state":"Enabled",
   "parameters":{"$connections":{"value":{"azureloganalyticsdatacollector":{"connectionId":"[resourceId('Microsoft.Web/connections','la')]","connectionName":"la"}}},"token":{"value":"[parameters('Token')]"}},
   "definition":{"parameters":{"$connections":{"type":"Object","defaultValue":{}},"token":{"type":"SecureString"}},
    "triggers":{"Recurrence":{"type":"Recurrence","recurrence":{"frequency":"Day","interval":1}}},
    "actions":{
     "Vars":{"type":"InitializeVariable","runAfter":{},"inputs":{"variables":[{"name":"skip","type":"Integer","value":0}]}},
     "More":{"type":"InitializeVariable","runAfter":{"Vars":["Succeeded"]},"inputs":{"variables":[{"name":"more","type":"Boolean","value":true}]}},
     "Pages":{"type":"Until","runAfter":{"More":["Succeeded"]},"expression":"@equals(variables('more'), false)","limit":{"count":100,"timeout":"PT2H"},"actions":{
      "Get":{"type":"Http","runAfter":{},"inputs":{"method":"GET","uri":"[concat('https://', parameters('Tenant'), '/api/v1/activities/')]","headers":{"Authorization":"Token @{parameters('token')}"},"queries":{"skip":"@variables('skip')","limit":100}}},
      "Parse":{"type":"ParseJson","runAfter":{"Get":["Succeeded"]},"inputs":{"content":"@body('Get')","schema":{"type":"object","properties":{"data":{"type":"array","items":{"type":"object","required":["_id"]}},"hasNext":{"type":"boolean"}}}}},
      "Each":{"type":"Foreach","runAfter":{"Parse":["Succeeded"]},"foreach":"@body('Parse')?['data']","actions":{
       "Send":{"type":"ApiConnection","inputs":{"host":{"connection":{"name":"@parameters('$connections')['azureloganalyticsdatacollector']['connectionId']"}},"method":"post","path":"/api/logs","headers":{"Log-Type":"MCAS_Activity_Log"},"body":"@{items('Each')}"}}}},
      "Next":{"type":"IncrementVariable","runAfter":{"Each":["Succeeded"]},"inputs":{"name":"skip","value":"@length(body('Parse')?['data'])"}},
      "Go":{"type":"SetVariable","runAfter":{"Next":["Succeeded"]},"inputs":{"name":"more","value":"@body('Parse')?['hasNext']"}}}}}}}}
 ]}`

func TestActivityPlaybook(t *testing.T) {
	const total, page, token = 57, 20, "s3cret-api-token"
	record := func(i int) string {
		return fmt.Sprintf(`{"_id":"%d_%d","tenantId":9007199254740993,"timestamp":%d,"entityData":{"0":{"id":%d},"1":null},"location":{"countryCode":"DE","latitude":52.5},"tags":[1,[2,{"a":"b"}]],"description":"Ünïcode \"x\""}`, i, i*7, 1700000000000+i, 1152921504606846976+i)
	}
	var mu sync.Mutex
	throttled := false
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("Authorization") != "Token "+token {
			http.Error(w, "no", 401)
			return
		}
		skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
		if skip > 0 && !throttled {
			throttled = true
			w.Header().Set("Retry-After", "0")
			http.Error(w, "slow down", 429)
			return
		}
		var recs []string
		for i := skip; i < min(skip+page, total); i++ {
			recs = append(recs, record(i))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"total":%d,"hasNext":%t,"data":[%s]}`, total, skip+page < total, strings.Join(recs, ","))
	})
	dir := t.TempDir()
	db, err := state.Open(context.Background(), filepath.Join(dir, "state.db"), playbook.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := map[string]string{}
	e, err := playbook.New(playbook.Deps{DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Outbound: playbook.Outbound{Hosts: map[string]http.Handler{"acme.eu.portal.cloudappsecurity.com": api}},
		Connectors: connector.All(connector.Deps{Collect: func(_ context.Context, lt string, b []byte, _, id string) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			if lt != "MCAS_Activity_Log" {
				return 400, fmt.Errorf("table %s", lt)
			}
			rows[id] = string(b)
			return 200, nil
		}})})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if _, err := e.Deploy(ctx, playbook.DeployRequest{Template: []byte(activityTemplate), Parameters: map[string]any{"Tenant": "acme.eu.portal.cloudappsecurity.com", "Token": token}}); err != nil {
		t.Fatal(err)
	}
	var runs []*playbook.Run
	for len(runs) == 0 || runs[0].Ended.IsZero() { // the first recurrence fires at once
		if ctx.Err() != nil {
			t.Fatal("the run doesn't end")
		}
		time.Sleep(20 * time.Millisecond)
		if runs, err = e.Runs(ctx, "MCAS-Activity", playbook.Page{}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := e.RunDetail(ctx, runs[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != "Succeeded" || len(rows) != total {
		t.Fatalf("%d rows\n%s", len(rows), explain(d))
	}
	want := map[string]bool{}
	for i := range total {
		want[record(i)] = true
	}
	for _, r := range rows {
		if !want[r] {
			t.Errorf("a row is not as it was sent: %s", r)
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), token) {
		t.Error("the history shows the API token")
	}
}
