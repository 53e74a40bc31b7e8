package connector

import (
	"context"
	"picket/playbook"
	"picket/playbook/expr"
	"testing"
)

func TestChat(t *testing.T) {
	var url, sent string
	status := 200
	by := map[string]playbook.Connector{}
	for _, c := range All(Deps{Post: func(_ context.Context, u string, b []byte, _ string) (int, []byte, error) {
		url, sent = u, string(b)
		return status, []byte("answer"), nil
	}, Secret: testSecrets(map[string]string{"teams-webhook": "https://hook.example/t", "teams-webhook-19-soc": "https://hook.example/soc", "slack-webhook": "https://hook.example/s"})}) {
		by[c.API()] = c
	}
	call := func(api, path, body string, params *expr.Object) int {
		t.Helper()
		v, err := expr.ParseJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		r, err := by[api].Call(context.Background(), &playbook.Request{API: api, Method: "POST", Path: path, Body: v, Parameters: params})
		if err != nil {
			t.Fatal(err)
		}
		return r.Status
	}
	const card = `{"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":`
	if st := call("teams", "/v3/beta/teams/x/channels/y/messages", `{"body":{"content":"<p>Hello &amp; <a href=\"https://e.example\">there</a></p><br>next","contentType":"html"},"subject":"S"}`, nil); st != 201 || url != "https://hook.example/t" ||
		sent != card+`{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.4","body":[{"type":"TextBlock","text":"S","weight":"Bolder","size":"Medium","wrap":true},{"type":"TextBlock","text":"Hello & [there](https://e.example)\n\nnext","wrap":true}]}}]}` {
		t.Errorf("%d %s %s", st, url, sent)
	}
	if st := call("teams", "/v1.0/teams/conversation/adaptivecard/poster/Flow%20bot/location/Channel", `{"messageBody":"{\"type\":\"AdaptiveCard\"}","recipient":{"channelId":"19:soc","groupId":"g"}}`, nil); st != 201 || url != "https://hook.example/soc" || sent != card+`{"type":"AdaptiveCard"}}]}` {
		t.Errorf("%d %s %s", st, url, sent)
	}
	if st := call("teams", "/flowbot/actions/adaptivecard/recipienttypes/user", `{"messageBody":"{"}`, nil); st != 400 {
		t.Errorf("a broken card gives %d", st)
	}
	if st := call("slack", "/chat.postMessage", `{"channel":"#soc","text":"hi"}`, expr.NewObject("webhook", "https://hook.example/own")); st != 201 || url != "https://hook.example/own" || sent != `{"text":"hi","channel":"#soc"}` {
		t.Errorf("%d %s %s", st, url, sent)
	}
	status = 410
	if st := call("slack", "/chat.postMessage", `{"channel":"#soc","text":"hi"}`, nil); st != 410 {
		t.Errorf("a refused message gives %d", st)
	}
	by["slack"].(*chat).secret = nil
	if st := call("slack", "/chat.postMessage", `{"channel":"#soc","text":"hi"}`, nil); st != 400 {
		t.Errorf("without a webhook: %d", st)
	}
}
