package azure

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestTheWorkspacesKeysAndSettings(t *testing.T) {
	f := newFull(t)
	tok := f.token(Owner)
	ws := testWorkspace.ResourceID()
	patch := func(body string) (int, map[string]any) {
		return f.do("PATCH", ws+"?api-version=2023-09-01", tok, nil, body)
	}
	if c, out := patch(`{"properties":{"retentionInDays":30}}`); c != 400 {
		t.Errorf("a retention that nobody keeps: %d %v", c, out)
	}
	var told []WorkspaceSettings
	f.api.d.Settings = func(_ context.Context, s WorkspaceSettings) error { told = append(told, s); return nil }
	for _, bad := range []string{`{"properties":{"retentionInDays":1}}`, `{"properties":{"workspaceCapping":{"dailyQuotaGb":0}}}`, `{"properties":{"sku":{"name":"Free"}}}`, `{"properties":{"publicNetworkAccessForQuery":"Disabled"}}`, `{"properties":{"features":{"disableLocalAuth":"x"}}}`} {
		if c, _ := patch(bad); c != 400 {
			t.Errorf("%s: %d", bad, c)
		}
	}
	c, out := patch(`{"tags":{"a":"b"},"properties":{"retentionInDays":30,"workspaceCapping":{"dailyQuotaGb":2.5},"features":{"disableLocalAuth":true}}}`)
	if c != 200 || fmt.Sprint(told) != "[{30 2.5 true}]" || out["properties"].(map[string]any)["retentionInDays"] != 30.0 {
		t.Fatalf("%d %v %v", c, told, out)
	}
	if len(f.api.keys.get()) != 0 || len(f.api.SharedKeys()) != 2 {
		t.Error("shared keys are not shut off")
	}
	again, err := New(context.Background(), f.api.d)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.keys.get()) != 0 {
		t.Error("a restart forgets that shared keys are shut off")
	}
	if s, ok, err := again.LoadSettings(context.Background()); err != nil || !ok || s != told[0] {
		t.Errorf("%v %v %v", s, ok, err)
	}
	regenerate := func(body string) (int, map[string]any) {
		return f.do("POST", ws+"/regenerateSharedKey?api-version=1", tok, nil, body)
	}
	if c, _ := regenerate(""); c != 501 {
		t.Errorf("keys that nobody stores: %d", c)
	}
	var saved []string
	f.api.d.SaveSharedKeys = func(_ context.Context, k []string) error { saved = k; return nil }
	before := f.api.SharedKeys()
	if c, _ := regenerate(`{"keyType":"Secondary"}`); c != 200 || saved[0] != before[0] || saved[1] == before[1] {
		t.Errorf("secondary: %d", c)
	}
	if c, out := regenerate(""); c != 200 || saved[0] == before[0] || out["primarySharedKey"] != saved[0] {
		t.Errorf("both: %d", c)
	}
	if c, _ := regenerate(`{"keyType":"Tertiary"}`); c != 400 {
		t.Errorf("a third: %d", c)
	}
}

func TestPurgesAndRetentions(t *testing.T) {
	f := newFull(t)
	tok := f.token(Owner)
	table := testWorkspace.ResourceID() + "/tables/Kept_CL?api-version=1"
	put := func(method, props string) (int, string) {
		c, out := f.do(method, table, tok, nil, `{"properties":{`+props+`}}`)
		p, _ := out["properties"].(map[string]any)
		return c, fmt.Sprint(p["retentionInDays"], " ", p["totalRetentionInDays"], " ", p["archiveRetentionInDays"])
	}
	const schema = `"schema":{"name":"Kept_CL","columns":[{"name":"TimeGenerated","type":"dateTime"},{"name":"Who","type":"string"}]}`
	for _, x := range []struct{ method, props, want string }{
		{"PUT", schema, "4383 4383 0"},
		{"PATCH", `"totalRetentionInDays":60`, "60 60 0"},
		{"PATCH", `"retentionInDays":30,"totalRetentionInDays":90`, "30 90 60"},
		{"PATCH", `"retentionInDays":40`, "40 90 50"},
		{"PATCH", `"retentionInDays":100`, "100 100 0"},
		{"PATCH", `"retentionInDays":30,"totalRetentionInDays":4383`, "30 4383 4353"},
		{"PATCH", `"retentionInDays":-1`, "4383 4383 0"},
	} {
		if c, got := put(x.method, x.props); c != 200 || got != x.want {
			t.Errorf("%s: %d %s, want %s", x.props, c, got, x.want)
		}
	}
	if c, _ := put("PATCH", `"retentionInDays":30,"totalRetentionInDays":20`); c != 400 {
		t.Errorf("less in all: %d", c)
	}
	purge := func(body string) (int, map[string]any) {
		return f.do("POST", testWorkspace.ResourceID()+"/purge?api-version=1", tok, nil, body)
	}
	for body, want := range map[string]int{
		`{"table":"Nope","filters":[{"column":"Who","operator":"==","value":"x"}]}`:             404,
		`{"table":"Kept_CL","filters":[]}`:                                                      400,
		`{"table":"Kept_CL","filters":[{"column":"No","operator":"==","value":1}]}`:             400,
		`{"table":"Kept_CL","filters":[{"column":"Who","operator":"has","value":"x"}]}`:         400,
		`{"table":"Kept_CL","filters":[{"column":"Who","operator":"in","value":"x"}]}`:          400,
		`{"table":"Kept_CL","filters":[{"column":"TimeGenerated","operator":"<","value":"x"}]}`: 400,
	} {
		if c, out := purge(body); c != want {
			t.Errorf("%s: %d %v", body, c, out)
		}
	}
	c, out := purge(`{"table":"Kept_CL","filters":[{"column":"Who","operator":"=","value":"x"}]}`)
	id, _ := out["operationId"].(string)
	if c != 202 || !strings.HasPrefix(id, "purge-") {
		t.Fatalf("%d %v", c, out)
	}
	if c, out := f.do("GET", testWorkspace.ResourceID()+"/operations/"+id+"?api-version=1", tok, nil, ""); c != 200 || out["status"] != "pending" && out["status"] != "completed" {
		t.Errorf("%d %v", c, out)
	}
	if c, _ := f.do("GET", testWorkspace.ResourceID()+"/operations/purge-0?api-version=1", tok, nil, ""); c != 404 {
		t.Errorf("no such purge: %d", c)
	}
}

func TestAutomationRulesAndWatchlistsOnTheWire(t *testing.T) {
	w := newWire(t)
	tok := w.token(Contributor)
	base := testWorkspace.ResourceID() + "/providers/Microsoft.SecurityInsights/"
	const rule = `{"properties":{"displayName":"close","order":1,"triggeringLogic":{"isEnabled":true,"triggersOn":"Incidents","triggersWhen":"Created","conditions":[{"conditionType":"Property","conditionProperties":{"propertyName":"IncidentSeverity","operator":"Equals","propertyValues":["Low"]}}]},"actions":[{"order":1,"actionType":"ModifyProperties","actionConfiguration":{"status":"Closed","classification":"Undetermined"}}]}}`
	put := func(tag string) (int, map[string]any) {
		return w.do("PUT", base+"automationRules/r1?api-version=1", tok, map[string]string{"If-Match": tag}, rule)
	}
	c, out := put("")
	if c != 201 || out["name"] != "r1" || out["properties"].(map[string]any)["actions"].([]any)[0].(map[string]any)["actionType"] != "ModifyProperties" {
		t.Fatalf("%d %v", c, out)
	}
	tag := out["etag"].(string)
	if c, _ := put(tag); c != 200 {
		t.Errorf("right etag: %d", c)
	}
	if c, _ := put(tag); c != 409 {
		t.Errorf("stale etag: %d", c)
	}
	if c, out := w.do("PUT", base+"automationRules/r2?api-version=1", tok, nil, `{"properties":{"displayName":"x","order":0}}`); c != 400 || !strings.Contains(fmt.Sprint(out), "order") {
		t.Errorf("a wrong rule: %d %v", c, out)
	}
	for _, want := range []int{200, 204} {
		if c, _ := w.do("DELETE", base+"automationRules/r1?api-version=1", tok, nil, ""); c != want {
			t.Errorf("delete: %d, want %d", c, want)
		}
	}
	for body, want := range map[string]int{
		`{"properties":{"displayName":"H","itemsSearchKey":"Host","rawContent":"Host,Owner\nweb1,Ann\n","contentType":"text/csv"}}`: 201,
		`{"properties":{"displayName":"H","itemsSearchKey":"Host","rawContent":"Host\tOwner\n","contentType":"text/tsv"}}`:          400,
		`{"properties":{"displayName":"H","itemsSearchKey":"Host","sasUri":"https://x"}}`:                                           400,
		`{"properties":{"displayName":"H","itemsSearchKey":"Host","rawContent":"Host\nx\n","numberOfLinesToSkip":-1}}`:              400,
		`{"properties":{"displayName":"H","itemsSearchKey":"Nope","rawContent":"Host\nx\n"}}`:                                       400,
	} {
		alias := "Other"
		if want == 201 {
			alias = "Hosts"
		}
		if c, out := w.do("PUT", base+"watchlists/"+alias+"?api-version=1", tok, nil, body); c != want {
			t.Errorf("%s: %d %v", body, c, out)
		}
	}
	c, out = w.do("GET", base+"watchlists/hosts?api-version=1", tok, nil, "")
	p, _ := out["properties"].(map[string]any)
	if c != 200 || p["watchlistAlias"] != "Hosts" || p["itemsSearchKey"] != "Host" || p["uploadStatus"] != "Complete" {
		t.Errorf("%d %v", c, out)
	}
	if c, _ := w.do("DELETE", base+"watchlists/Hosts?api-version=1", tok, nil, ""); c != 200 {
		t.Errorf("delete: %d", c)
	}
}
