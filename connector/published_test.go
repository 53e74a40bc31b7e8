package connector_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"picket/connector"
	"picket/playbook"
	"picket/playbook/definition"
	"picket/playbook/expr"
	"picket/playbook/mock"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

func published(t *testing.T) []string {
	shared(t, "content/tables.json") // skips or fails without the folder
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(dir, "content", "playbooks", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no published playbooks", err)
	}
	return files
}

// triggerBody is what starts a published workflow: an incident or an alert of the case, or what its schema asks for.
func triggerBody(t *testing.T, w *caseWorld, d *definition.Definition, tr *definition.Trigger) any {
	t.Helper()
	path := strings.ToLower(expr.Text(tr.Inputs.Value("path")))
	switch {
	case strings.Contains(path, "incident-creation"):
		b, err := w.s.IncidentBody(context.Background(), w.in.ID, "e", "Create")
		if err != nil {
			t.Fatal(err)
		}
		return b
	case strings.Contains(path, "subscribe"):
		a, err := w.s.Detector.Alert(context.Background(), w.in.AlertIDs[0])
		if err != nil {
			t.Fatal(err)
		}
		b, err := w.s.AlertBody(a)
		if err != nil {
			t.Fatal(err)
		}
		return b
	case tr.Type == "Recurrence":
		return nil
	}
	return mock.SampleOf(d, "")
}

// runPublished tries every workflow of the published templates; answer gets the calls. It gives the templates whose
// workflows all ended as Succeeded, and those whose runs ended at all.
func runPublished(t *testing.T, w *caseWorld, connectors []playbook.Connector, answer func(c *playbook.TrialCall) (*playbook.Response, error)) (good, ended, all int, why map[string]string) {
	why = map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	files := published(t)
	work := make(chan string)
	for range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for f := range work {
				ok, done, reason := runTemplate(t, w, f, nil, nil, connectors, answer)
				mu.Lock()
				if ok {
					good++
				}
				if done {
					ended++
				}
				if reason != "" {
					why[filepath.Base(f)] = reason
				}
				mu.Unlock()
			}
		}()
	}
	for _, f := range files {
		work <- f
	}
	close(work)
	wg.Wait()
	return good, ended, len(files), why
}

func runTemplate(t *testing.T, w *caseWorld, file string, also []playbook.DeployRequest, change func(*playbook.Deps), connectors []playbook.Connector, answer func(c *playbook.TrialCall) (*playbook.Response, error)) (good, ended bool, why string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, false, err.Error()
	}
	params := playbook.MadeUpParameters(text)
	found, err := playbook.Definitions(text, params)
	if err != nil {
		return false, false, "deploy: " + err.Error()
	}
	good, ended = true, true
	for name, d := range found {
		if len(d.Triggers) == 0 {
			continue
		}
		q := playbook.TryRequest{
			Deploy: playbook.DeployRequest{Template: text, Parameters: params}, Also: also, Workflow: name, Connectors: connectors, Timeout: 20 * time.Second, Change: change,
			Answer: func(_ context.Context, c *playbook.TrialCall) (*playbook.Response, error) { return answer(c) },
		}
		q.Trigger = d.Triggers[0].Name
		q.Input.Body = triggerBody(t, w, d, d.Triggers[0])
		tried, err := playbook.Try(context.Background(), q)
		switch {
		case err != nil:
			good, ended, why = false, false, err.Error()
		case tried.Run == nil:
			good, why = false, "the trigger's conditions are not met"
		case tried.Run.Status != playbook.Succeeded && tried.Run.Status != playbook.Cancelled:
			good, why = false, firstFailure(tried.Run)
		}
	}
	return good, ended, why
}

func firstFailure(d *playbook.RunDetail) string {
	for _, a := range d.Actions {
		if a.Status == playbook.Failed && a.Code != "ActionFailed" && !a.Iteration {
			m := ""
			if a.Code == "ValidationFailed" {
				m = expr.JSON(a.Outputs)
			} else if a.Error != nil {
				m = expr.Text(a.Error.Value("message"))
			} else {
				m = expr.JSON(a.Outputs)
			}
			return a.Name + " " + a.Code + ": " + m
		}
	}
	return d.Status + " " + d.Code
}

func report(t *testing.T, why map[string]string) {
	var names []string
	for n := range why {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		t.Logf("%s: %.300s", n, why[n])
	}
}

// Every published playbook runs to its end when each connector's answer is made up.
func TestPublishedPlaybooksWithMocks(t *testing.T) {
	w := newCaseWorld(t)
	good, ended, all, why := runPublished(t, w, connector.Catalog(), func(c *playbook.TrialCall) (*playbook.Response, error) { return mock.Sample(c), nil })
	report(t, why)
	t.Logf("published playbooks run to their end with mocks: %d of %d", ended, all)
	t.Logf("published playbooks succeed with mocks: %d of %d", good, all)
	if ended < all {
		t.Errorf("%d of %d didn't end", all-ended, all)
	}
}

// Those whose connectors are all picket's own run to their end with them; the services behind Http actions, functions
// and REST APIs are made up, and so are the people that are asked.
func TestPublishedPlaybooksAlone(t *testing.T) {
	w := newCaseWorld(t)
	var mu sync.Mutex
	rows, mails, posts := 0, 0, 0
	shipped, err := connector.ShippedDescriptions()
	if err != nil {
		t.Fatal(err)
	}
	behind := map[string]any{} // what the services behind REST APIs answer, by the path's end
	count := func(n *int) { mu.Lock(); *n++; mu.Unlock() }
	deps := connector.Deps{
		Sentinel: w.s, Query: w.q, Described: shipped,
		Collect: func(context.Context, string, []byte, string, string) (int, error) { count(&rows); return 200, nil },
		Mail:    func(context.Context, *connector.Mail) error { count(&mails); return nil },
		Post: func(context.Context, string, []byte, string) (int, []byte, error) {
			count(&posts)
			return 200, nil, nil
		},
		Secret: func(_ context.Context, name, _ string) (*playbook.Secret, error) {
			if strings.HasSuffix(name, "-instance") {
				return &playbook.Secret{Value: "instance.example"}, nil
			}
			return &playbook.Secret{SecretInfo: playbook.SecretInfo{Name: name, Version: "v1"}, Value: "https://hook.example/" + name}, nil
		},
		Secrets:  func(context.Context) ([]playbook.SecretInfo, error) { return nil, nil },
		Identity: func(context.Context, string, string) (string, error) { return "token", nil },
		Send: func(r *http.Request) (*http.Response, []byte, error) {
			mu.Lock()
			defer mu.Unlock()
			var body any = &expr.Object{}
			for path, b := range behind {
				if strings.HasSuffix(r.URL.EscapedPath(), path) {
					body = b
				}
			}
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}}, []byte(expr.JSON(body)), nil
		},
	}
	own := connector.All(deps)
	change := func(d *playbook.Deps) {
		d.CustomAPI = connector.Custom(deps)
		d.Function = func(context.Context, string, string) (string, error) { return "https://functions.example", nil }
		d.Outbound.Hosts = map[string]http.Handler{"ip-api.com": http.NotFoundHandler()} // Http actions are answered before
	}
	files := published(t)
	flows := map[string]playbook.DeployRequest{} // the workflows that the templates make, by lower-case name
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		params := playbook.MadeUpParameters(text)
		ds, err := playbook.Definitions(text, params)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ds {
			flows[strings.ToLower(n)] = playbook.DeployRequest{Template: text, Parameters: params}
		}
	}
	served := map[string]bool{}
	for _, c := range own {
		served[c.API()] = true
	}
	answer := func(c *playbook.TrialCall) (*playbook.Response, error) {
		switch c.Type {
		case "Http", "Function", "ApiConnectionWebhook": // the last is what a person answers
			return mock.Sample(c), nil
		case "Workflow", "SendToBatch":
			name := c.Target[strings.LastIndexByte(c.Target, '/')+1:]
			if _, ok := flows[strings.ToLower(name)]; ok {
				return nil, nil // the workflow itself
			}
			return mock.Sample(c), nil
		case "ApiConnection":
			mu.Lock()
			behind[c.Target] = mock.Sample(c).Body
			mu.Unlock()
			return nil, nil // picket's own connector
		}
		return nil, fmt.Errorf("not picket's own: %s %s %s", c.Type, c.API, c.Target)
	}
	good, alone, elsewhere := 0, 0, 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		uses, needs, err := playbook.Needs(context.Background(), text, playbook.MadeUpParameters(text), own, connector.Custom(deps))
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		missing, other := "", false
		for _, u := range uses {
			if !u.Served {
				missing = u.Connector + " " + u.Operation
			}
		}
		var also []playbook.DeployRequest
		for _, n := range needs {
			switch n.Kind {
			case "action", "trigger":
				missing = n.Kind + " " + n.Name
			case "workflow":
				if d, ok := flows[strings.ToLower(n.Name)]; ok {
					also = append(also, d)
				} else {
					other = true
				}
			}
		}
		if missing != "" {
			t.Logf("%s: needs %s", filepath.Base(f), missing)
			continue
		}
		ok, done, why := runTemplate(t, w, f, also, change, own, answer)
		if !ok {
			t.Logf("%s: %.300s", filepath.Base(f), why)
		}
		if done && other {
			elsewhere++
			continue
		}
		if done {
			alone++
		}
		if ok {
			good++
		}
	}
	t.Logf("published playbooks run to their end with picket's own connectors alone: %d of %d", alone, len(files))
	t.Logf("of these succeed: %d of %d (%d requests of rows, %d mails, %d messages)", good, alone, rows, mails, posts)
	t.Logf("and %d more that call a workflow which none of the templates makes; its answer is made up", elsewhere)
	if alone*100 < 45*len(files) {
		t.Errorf("%d of %d is less than 45%%", alone, len(files))
	}
}
