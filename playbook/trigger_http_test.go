package playbook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"picket/playbook/expr"
	"strings"
	"sync"
	"testing"
	"time"
)

func waitRuns(t *testing.T, l *lab, name string, n int) []*Run {
	t.Helper()
	for range 400 {
		runs, err := l.Runs(context.Background(), name, Page{})
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) >= n {
			return runs
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no %d runs", name, n)
	return nil
}

// 202 is no event and says where to ask next; 503 is retried; 404 is none; 200 is one.
func TestHTTPTrigger(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path)
		switch len(asked) {
		case 1:
			w.WriteHeader(503)
		case 2:
			w.Header().Set("Location", "/later")
			w.WriteHeader(202)
		case 3:
			w.WriteHeader(404)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"n":7}`)
		}
	})
	l := newLab(t, func(d *Deps) { d.Outbound.Hosts = map[string]http.Handler{"poll.example": h} })
	l.deploy("P", `{"triggers":{"Poll":{"type":"Http","recurrence":{"frequency":"Second","interval":1},"inputs":{"method":"GET","uri":"https://poll.example/now","retryPolicy":{"type":"fixed","interval":"PT5S","count":2}}}},
		"actions":{"C":{"type":"Compose","inputs":"@{triggerOutputs()['statusCode']} @{triggerBody()?['n']}","runAfter":{}}}}`, nil)
	runs := waitRuns(t, l, "P", 1)
	if _, err := l.Wait(context.Background(), runs[len(runs)-1].ID); err != nil {
		t.Fatal(err)
	}
	d, err := l.RunDetail(context.Background(), runs[len(runs)-1].ID)
	if err != nil || len(d.Actions) != 1 || d.Actions[0].Outputs != "200 7" {
		t.Errorf("%+v %v", d, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(asked[:4], " "); got != "/now /now /later /now" {
		t.Errorf("asked %s", got)
	}
}

func TestHTTPWebhookTrigger(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	callback := make(chan string, 4)
	failures := 1
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, r.Method+" "+r.URL.Path)
		if r.URL.Path == "/subscribe" {
			if failures > 0 {
				failures--
				w.WriteHeader(500)
				return
			}
			v, _ := expr.ParseJSON(b)
			callback <- expr.Text(object(v).Value("url"))
		}
	})
	l := newLab(t, func(d *Deps) { d.Outbound.Hosts = map[string]http.Handler{"hook.example": h} })
	l.deploy("P", `{"triggers":{"Hook":{"type":"HttpWebhook","inputs":{"subscribe":{"method":"POST","uri":"https://hook.example/subscribe","body":{"url":"@{listCallbackUrl()}"}},"unsubscribe":{"method":"POST","uri":"https://hook.example/unsubscribe","body":{"url":"@{listCallbackUrl()}"}}}}},
		"actions":{"C":{"type":"Compose","inputs":"@triggerBody()?['n']","runAfter":{}}}}`, nil)
	var url string
	select {
	case url = <-callback:
	case <-time.After(5 * time.Second):
		t.Fatal("it doesn't subscribe")
	}
	status, _, _, own, err := l.DeliverCallback(context.Background(), url, "POST", http.Header{"Content-Type": {"application/json"}}, []byte(`{"n":5}`))
	if err != nil || !own || status/100 != 2 {
		t.Fatal(status, own, err)
	}
	runs := waitRuns(t, l, "P", 1)
	if _, err := l.Wait(context.Background(), runs[0].ID); err != nil {
		t.Fatal(err)
	}
	if d, err := l.RunDetail(context.Background(), runs[0].ID); err != nil || d.Actions[0].Outputs != int64(5) {
		t.Errorf("%+v %v", d, err)
	}
	if err := l.Disable(context.Background(), "P"); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(calls, ", "); got != "POST /subscribe, POST /subscribe, POST /unsubscribe" {
		t.Errorf("calls %s", got)
	}
}
