package canary

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestChatServicesAreKnownByURL(t *testing.T) {
	evil := `<!channel> *b* [x](http://e) @everyone <b>&`
	m := mailBody{Title: "A honey token was used", Manage: "https://p/manage?a=1&b=2", History: "https://p/history"}
	for _, n := range []string{"Token", "Kind", "Memo", "Time", "Channel", "Source address", "User agent"} {
		m.Rows = append(m.Rows, mailRow{n, evil})
	}
	for u, want := range map[string]string{
		"https://hooks.slack.com/services/T/B/x":                                              "slack",
		"https://chat.googleapis.com/v1/spaces/x/messages?key=k":                              "google_chat",
		"https://discord.com/api/webhooks/1/x":                                                "discord",
		"https://default1.0e.environment.api.powerplatform.com/powerautomate/automations/x":   "teams",
		"https://contoso.webhook.office.com/webhookb2/x":                                      "teams",
		"https://prod-01.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke": "",
		"https://hooks.slack.com.evil.example/x":                                              "",
		"https://discord.com/other":                                                           "",
	} {
		f, ok := chatFormatOf(u)
		if f.name != want || ok != (want != "") {
			t.Errorf("%s: %q", u, f.name)
		}
		if !ok {
			continue
		}
		b, err := json.Marshal(f.make(m))
		if err != nil || len(b) > 28<<10 {
			t.Errorf("%s: %d bytes, %v", want, len(b), err)
		}
		s := string(b)
		if !strings.Contains(s, "User agent") {
			t.Errorf("%s lacks a row: %s", want, s)
		}
		if (want == "discord" || want == "teams") && strings.Contains(s, `[x](http`) || want == "google_chat" && strings.Contains(s, `\u003cb\u003e`) {
			t.Errorf("%s: markup passes: %s", want, s)
		}
		if want == "slack" && strings.Contains(s, "mrkdwn") {
			t.Error("slack text is read as markup")
		}
	}
}
