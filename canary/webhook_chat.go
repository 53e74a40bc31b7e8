package canary

import (
	"html"
	"net/url"
	"strings"
)

// chatFormat is the message form of a chat service, known by the URL of its incoming webhooks.
type chatFormat struct {
	name  string
	match func(host, path string) bool
	make  func(m mailBody) any
}

// chatFormats is the table of chat services. Every other URL gets the generic message.
func chatFormats() []chatFormat {
	return []chatFormat{
		{"slack", func(h, p string) bool { return h == "hooks.slack.com" }, slackMessage},
		{"google_chat", func(h, p string) bool { return h == "chat.googleapis.com" }, googleChatMessage},
		{"discord", func(h, p string) bool {
			return (h == "discord.com" || h == "discordapp.com") && strings.HasPrefix(p, "/api/webhooks/")
		}, discordMessage},
		{"teams", func(h, p string) bool {
			return strings.HasSuffix(h, ".environment.api.powerplatform.com") || strings.HasSuffix(h, ".webhook.office.com")
		}, teamsMessage},
	}
}

// chatFormatOf finds the chat service that a webhook URL belongs to.
func chatFormatOf(target string) (chatFormat, bool) {
	u, err := url.Parse(target)
	if err != nil {
		return chatFormat{}, false
	}
	for _, f := range chatFormats() {
		if f.match(strings.ToLower(u.Hostname()), u.Path) {
			return f, true
		}
	}
	return chatFormat{}, false
}

type obj = map[string]any

// slackMessage uses plain_text objects: Slack shows them as they are, without markup or mentions.
func slackMessage(m mailBody) any {
	plain := func(s string, n int) obj { return obj{"type": "plain_text", "text": clip(s, n), "emoji": false} }
	blocks := []any{obj{"type": "header", "text": plain(m.Title, 140)}}
	for i := 0; i < len(m.Rows); i += 5 { // ten fields a section at most
		var fs []any
		for _, r := range m.Rows[i:min(i+5, len(m.Rows))] {
			fs = append(fs, plain(r.Name, 200), plain(r.Value, 1900))
		}
		blocks = append(blocks, obj{"type": "section", "fields": fs})
	}
	if m.Manage != "" {
		blocks = append(blocks, obj{"type": "actions", "elements": []any{
			obj{"type": "button", "text": plain("History", 70), "url": m.History}, obj{"type": "button", "text": plain("Manage", 70), "url": m.Manage},
		}})
	}
	return obj{"text": strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clip(m.Title, 140)), "blocks": blocks}
}

func googleChatMessage(m mailBody) any {
	var ws []any
	for _, r := range m.Rows {
		ws = append(ws, obj{"decoratedText": obj{"topLabel": r.Name, "text": html.EscapeString(r.Value), "wrapText": true}})
	}
	if m.Manage != "" {
		button := func(text, u string) obj {
			return obj{"text": text, "onClick": obj{"openLink": obj{"url": u}}}
		}
		ws = append(ws, obj{"buttonList": obj{"buttons": []any{button("History", m.History), button("Manage", m.Manage)}}})
	}
	return obj{"cardsV2": []any{obj{"cardId": "picket", "card": obj{"header": obj{"title": m.Title}, "sections": []any{obj{"widgets": ws}}}}}}
}

// escapeMarkdown puts a backslash before everything that Markdown could read.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]()<>#+-.!|~@:", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func discordMessage(m mailBody) any {
	var fs []any
	for _, r := range m.Rows[:min(len(m.Rows), 25)] {
		fs = append(fs, obj{"name": r.Name, "value": clip(escapeMarkdown(r.Value), 1000), "inline": len(r.Value) < 40})
	}
	e := obj{"title": clip(escapeMarkdown(m.Title), 250), "color": 0xd32f2f, "fields": fs}
	if m.Manage != "" {
		e["url"] = m.Manage
	}
	return obj{"embeds": []any{e}, "allowed_mentions": obj{"parse": []any{}}}
}

func teamsMessage(m mailBody) any {
	var facts []any
	for _, r := range m.Rows {
		facts = append(facts, obj{"title": r.Name, "value": escapeMarkdown(r.Value)})
	}
	card := obj{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.5", "body": []any{
		obj{"type": "TextBlock", "text": escapeMarkdown(m.Title), "weight": "Bolder", "size": "Medium", "wrap": true}, obj{"type": "FactSet", "facts": facts},
	}}
	if m.Manage != "" {
		card["actions"] = []any{obj{"type": "Action.OpenUrl", "title": "History", "url": m.History}, obj{"type": "Action.OpenUrl", "title": "Manage", "url": m.Manage}}
	}
	return obj{"type": "message", "attachments": []any{obj{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

// testBody is the test message for chat services.
func testBody() mailBody {
	return mailBody{Title: "Test of a honey token's webhook", Rows: []mailRow{{"Memo", TestMemo}}}
}
