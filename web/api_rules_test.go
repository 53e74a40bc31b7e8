package web

import (
	"context"
	"net/http"
	"path/filepath"
	"picket/detect"
	"picket/kql/value"
	"picket/lake"
	"picket/query"
	"picket/state"
	"strings"
	"testing"
	"time"
)

const ruleYAML = `id: 3f0b2f0e-55ab-4a6f-9bde-6c1f8f0c0a01
name: Somebody opened bait
description: |
  'One row for each opening.'
severity: high
queryFrequency: 15m
queryPeriod: 15m
triggerOperator: gt
triggerThreshold: 0
tactics:
  - Collection
relevantTechniques:
query: |
  Bait_CL | where opened_b
entityMappings:
  - entityType: IP
    fieldMappings:
      - identifier: Address
        columnName: src_ip_s
`

func TestImportRunAndListRules(t *testing.T) {
	ctx := context.Background()
	s := newSite(t, func(d *Deps) {
		db, err := state.Open(ctx, filepath.Join(t.TempDir(), "detect.db"), detect.Migrations())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		now := d.Now
		d.Rules, err = detect.New(detect.Deps{
			State: db, Now: now, Log: func(string, ...any) {},
			Query: func(context.Context, query.Request) (*query.Result, error) {
				return &query.Result{Tables: []query.Table{{Name: "PrimaryResult"}}}, nil
			},
			Check: func(context.Context, string) (detect.Checked, error) {
				return detect.Checked{Tables: []string{"Bait_CL"}}, nil
			},
			Append: func(context.Context, string, value.Schema, []map[string]any, string) (lake.Ack, error) {
				return lake.Ack{}, nil
			},
			Barrier: func(context.Context) (time.Time, error) { return now(), nil },
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	pw, _, err := s.srv.EnsureOwner(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	s.want(s.signIn("admin", pw), 200, "sign in")

	imp := func(doc string) (int, string) {
		t.Helper()
		req, _ := http.NewRequest("POST", s.http.URL+"/api/v1/rules/import", strings.NewReader(doc))
		req.Header.Set(CSRFHeader, s.csrf)
		res, err := s.cli.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b := make([]byte, 4096)
		n, _ := res.Body.Read(b)
		return res.StatusCode, string(b[:n])
	}
	if code, body := imp(ruleYAML); code != 200 || !strings.Contains(body, `"new":true`) {
		t.Fatalf("got %d %s", code, body)
	}
	if code, body := imp(ruleYAML); code != 200 || !strings.Contains(body, `"new":false`) {
		t.Fatalf("again: got %d %s", code, body)
	}
	for _, bad := range []string{"", "name: [", "name: x\nquery: y\n"} {
		if code, body := imp(bad); code != 400 {
			t.Fatalf("%q: got %d %s", bad, code, body)
		}
	}
	const id = "3f0b2f0e-55ab-4a6f-9bde-6c1f8f0c0a01"
	var run ruleRun
	s.want(s.call("POST", "/api/v1/rules/"+id+"/run", nil, &run), 200, "run now")
	if run.Status != "Success" || run.Reason != "now" {
		t.Fatalf("got %+v", run)
	}
	var list struct{ Value []ruleState }
	s.want(s.call("GET", "/api/v1/rules", nil, &list), 200, "list")
	if len(list.Value) != 1 || list.Value[0].LastRun == nil || list.Value[0].LastRun.ID != run.ID {
		t.Fatalf("got %+v", list)
	}
	s.want(s.call("POST", "/api/v1/rules/00000000-0000-4000-8000-000000000000/run", nil, nil), 404, "unknown rule")
}
