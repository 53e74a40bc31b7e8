package connector_test

import (
	"context"
	"errors"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"picket/connector"
	"picket/playbook"
	"picket/playbook/expr"
	"picket/state"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const approvals = `{"definition":{"parameters":{"$connections":{"type":"Object","defaultValue":{"m":{"connectionId":"/x/m","connectionName":"m","id":"/a/managedApis/office365"},"t":{"connectionId":"/x/t","connectionName":"t","id":"/a/managedApis/teams"}}}},
"triggers":{"manual":{"type":"Request","kind":"Http","inputs":{}}},"actions":{
"Approve":{"type":"ApiConnectionWebhook","runAfter":{},"inputs":{"host":{"connection":{"name":"@parameters('$connections')['m']['connectionId']"}},"path":"/approvalmail/$subscriptions","body":{"NotificationUrl":"@{listCallbackUrl()}","Message":{"To":"ann@acme.example; bob@acme.example","Subject":"Block the address?","Options":"Approve, Reject","Body":"<b>203.0.113.9</b>"}}}},
"Card":{"type":"ApiConnectionWebhook","runAfter":{"Approve":["Succeeded"]},"inputs":{"host":{"connection":{"name":"@parameters('$connections')['t']['connectionId']"}},"path":"/v1.0/teams/conversation/gatherinput/poster/Flow bot/location/@{encodeURIComponent('Channel')}/$subscriptions","body":{"notificationUrl":"@{listCallbackUrl()}","body":{"recipient":{"channelId":"19:soc"},"messageBody":"{\"type\":\"AdaptiveCard\",\"version\":\"1.2\",\"body\":[{\"type\":\"TextBlock\",\"text\":\"Severity?\"},{\"type\":\"Input.ChoiceSet\",\"id\":\"sev\",\"isRequired\":true,\"choices\":[{\"title\":\"High one\",\"value\":\"High\"},{\"title\":\"Low one\",\"value\":\"Low\"}]}],\"actions\":[{\"type\":\"Action.Submit\",\"title\":\"Change\",\"data\":{\"do\":\"change\"}}]}"}}}},
"End":{"type":"Compose","runAfter":{"Card":["Succeeded"]},"inputs":"@concat(body('Approve')?['SelectedOption'], ' ', body('Approve')?['UserEmailAddress'], ' ', body('Card')?['data']?['sev'], ' ', body('Card')?['data']?['do'], ' ', body('Card')?['responder']?['displayName'])"}}}}`

// A playbook that asks by mail and by a card goes on with what a person answers on the page behind the link, once, and
// over a restart.
func TestApproval(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), playbook.Migrations())
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var mails []*connector.Mail
	var cards []string
	open := func() (*playbook.Engine, func()) {
		e, err := playbook.New(playbook.Deps{
			DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.DiscardHandler),
			Connectors: connector.All(connector.Deps{
				Mail: func(_ context.Context, m *connector.Mail) error {
					mu.Lock()
					mails = append(mails, m)
					mu.Unlock()
					return nil
				},
				Post: func(_ context.Context, _ string, b []byte, _ string) (int, []byte, error) {
					mu.Lock()
					cards = append(cards, string(b))
					mu.Unlock()
					return 200, nil, nil
				},
				Secret: func(context.Context, string, string) (*playbook.Secret, error) {
					return &playbook.Secret{Value: "https://hook.example/x"}, nil
				},
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		rctx, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- e.Run(rctx) }()
		return e, func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			e.Close()
		}
	}
	e, stop := open()
	defer func() {
		stop()
		if err := errors.Join(db.Close()); err != nil {
			t.Error(err)
		}
	}()
	wait := func(ok func() bool) {
		t.Helper()
		for range 2000 {
			mu.Lock()
			done := ok()
			mu.Unlock()
			if done {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatal("it doesn't come")
	}
	d, err := e.Deploy(ctx, playbook.DeployRequest{Name: "P", Template: []byte(approvals)})
	if err != nil || len(d.Needs) > 0 {
		t.Fatal(err, d.Needs)
	}
	res, err := e.Trigger(ctx, "P", "", playbook.TriggerInput{})
	if err != nil {
		t.Fatal(err)
	}
	wait(func() bool { return len(mails) == 2 })
	links := regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(mails[1].HTML, -1)
	if len(links) != 2 || mails[1].To[0] != "bob@acme.example" {
		t.Fatalf("%+v", mails[1])
	}
	page := func(method, link string, form url.Values) (int, string) {
		t.Helper()
		r := httptest.NewRequest(method, strings.TrimPrefix(link, "https://picket.example"), strings.NewReader(form.Encode()))
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		e.InvokeHandler().ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	reject := html.UnescapeString(links[1][1])
	// A restart between the question and the answer.
	stop()
	e, stop = open()
	if st, _ := page("GET", strings.Replace(reject, "bob", "eve", 1), nil); st != 401 {
		t.Errorf("a changed link gives %d", st)
	}
	if st, text := page("GET", reject, nil); st != 200 || !strings.Contains(text, "Block the address?") || !strings.Contains(text, `value="Reject" class="preset"`) || !strings.Contains(text, "203.0.113.9") {
		t.Errorf("%d %s", st, text)
	}
	if st, _ := page("POST", reject, url.Values{"_option": {"Nothing"}}); st != 400 {
		t.Errorf("an option that isn't one gives %d", st)
	}
	if st, text := page("POST", reject, url.Values{"_option": {"Reject"}}); st != 200 || !strings.Contains(text, "recorded") {
		t.Errorf("%d %s", st, text)
	}
	if st, _ := page("POST", reject, url.Values{"_option": {"Approve"}}); st != 410 {
		t.Errorf("a second answer gives %d", st)
	}
	wait(func() bool { return len(cards) == 1 })
	link := regexp.MustCompile(`"url":"([^"]*)"`).FindStringSubmatch(cards[0])
	if link == nil || strings.Contains(cards[0], "Input.") || !strings.Contains(cards[0], "Severity?") {
		t.Fatal(cards[0])
	}
	if st, text := page("POST", link[1], url.Values{"_option": {"Change"}, "f.sev": {"Huge"}}); st != 400 || !strings.Contains(text, "High one") {
		t.Errorf("%d %s", st, text)
	}
	if st, text := page("POST", link[1], url.Values{"_option": {"Change"}, "f.sev": {"High"}, "_name": {"Ann"}}); st != http.StatusOK {
		t.Errorf("%d %s", st, text)
	}
	run, err := e.Wait(ctx, res.Runs[0])
	if err != nil {
		t.Fatal(err)
	}
	as, err := e.RunActions(ctx, run.ID, playbook.ActionPage{Action: "End"})
	if err != nil || len(as) != 1 || expr.Text(as[0].Outputs) != "Reject bob@acme.example High change Ann" || len(mails) != 2 || len(cards) != 1 {
		t.Errorf("%s %v %v", run.Status, err, as)
	}
}
