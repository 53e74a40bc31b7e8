package connector

import (
	"context"
	"fmt"
	"html"
	"picket/playbook"
	"picket/playbook/expr"
	"regexp"
	"strings"
)

// Post sends JSON to a webhook and gives the status and the answer.
type Post func(ctx context.Context, url string, body []byte, id string) (status int, answer []byte, err error)

// chat is Teams or Slack as far as they post: each message goes to an incoming webhook. The connection's parameter
// "webhook" holds the webhook's URL, or the vault's secret teams-webhook (slack-webhook) does; a channel of its own has
// the secret teams-webhook-CHANNEL.
type chat struct {
	api    string
	ops    []playbook.Operation
	post   Post
	secret func(ctx context.Context, name, version string) (*playbook.Secret, error)
	form   func(r *playbook.Request, op string) (any, string, error) // the webhook's body, and the channel
}

func (c *chat) API() string                      { return c.api }
func (c *chat) Operations() []playbook.Operation { return c.ops }

func (c *chat) Call(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	op := ""
	for _, o := range c.ops {
		if strings.EqualFold(o.Method, r.Method) && playbook.MatchPath(o.Path, r.Path) {
			op = o.Title
			break
		}
	}
	body, channel, err := c.form(r, op)
	if err != nil {
		return problem(400, "BadRequest", err.Error()), nil
	}
	url, err := c.webhook(ctx, r, channel)
	if err != nil {
		return problem(400, "WebhookNotMapped", err.Error()), nil
	}
	status, answer, err := c.post(ctx, url, []byte(expr.JSON(body)), r.ActionRunID)
	if err != nil {
		return nil, err
	}
	if status/100 != 2 {
		return problem(status, "WebhookRefused", fmt.Sprintf("The webhook answered with status %d: %.300s", status, answer)), nil
	}
	return &playbook.Response{Status: 201, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}, Body: expr.NewObject("id", r.ActionRunID, "messageId", r.ActionRunID, "ok", true)}, nil
}

var notInName = regexp.MustCompile(`[^0-9A-Za-z]+`)

// webhook finds where a channel's messages go.
func (c *chat) webhook(ctx context.Context, r *playbook.Request, channel string) (string, error) {
	for _, n := range []string{"webhook", "webhookUrl", "url"} {
		if s := expr.Text(r.Parameters.Value(n)); s != "" {
			return s, nil
		}
	}
	names := []string{c.api + "-webhook"}
	if n := strings.Trim(notInName.ReplaceAllString(channel, "-"), "-"); n != "" {
		names = append([]string{c.api + "-webhook-" + n}, names...)
	}
	for _, n := range names {
		if c.secret == nil {
			break
		}
		if s, err := c.secret(ctx, n, ""); err == nil {
			return s.Value, nil
		}
	}
	return "", fmt.Errorf("there is no webhook for the channel '%s': put its URL into the connection's parameter 'webhook', or into the vault with 'picket secret set %s'", channel, names[0])
}

func newTeams(d Deps) *chat {
	return &chat{api: "teams", post: d.Post, secret: d.Secret, form: teamsForm, ops: []playbook.Operation{
		{Method: "POST", Path: "/v3/beta/teams/{team}/channels/{channel}/messages", Title: "message"},
		{Method: "POST", Path: "/v3/beta/teams/{team}/channels/{channel}/messages/{message}/replies", Title: "message"},
		{Method: "POST", Path: "/v2/beta/teams/{team}/channels/{channel}/messages", Title: "message"},
		{Method: "POST", Path: "/v2/beta/teams/{team}/channels/{channel}/messages/{message}/replies", Title: "message"},
		{Method: "POST", Path: "/beta/groups/{team}/channels/{channel}/messages", Title: "message"},
		{Method: "POST", Path: "/beta/teams/conversation/message/poster/{poster}/location/{location}", Title: "message"},
		{Method: "POST", Path: "/v1.0/teams/conversation/adaptivecard/poster/{poster}/location/{location}", Title: "card"},
		{Method: "POST", Path: "/v1.0/teams/conversation/replyWithMessage/poster/{poster}/location/{location}", Title: "message"},
		{Method: "POST", Path: "/v1.0/teams/conversation/replyWithAdaptivecard/poster/{poster}/location/{location}", Title: "card"},
		{Method: "POST", Path: "/v1.0/teams/conversation/{what}/poster/{poster}/location/{location}/$subscriptions", Title: "ask"},
		{Method: "POST", Path: "/flowbot/actions/{what}/recipienttypes/{who}/$subscriptions", Title: "ask"},
		{Method: "POST", Path: "/flowbot/actions/notification/recipienttypes/channel", Title: "message"},
		{Method: "POST", Path: "/flowbot/actions/notification/recipienttypes/user", Title: "message"},
		{Method: "POST", Path: "/flowbot/actions/adaptivecard/recipienttypes/channel", Title: "card"},
		{Method: "POST", Path: "/flowbot/actions/adaptivecard/recipienttypes/user", Title: "card"},
	}}
}

// member finds a value under one of several paths of names.
func member(o *expr.Object, paths ...string) any {
	for _, p := range paths {
		var v any = o
		for _, n := range strings.Split(p, "/") {
			x, ok := v.(*expr.Object)
			if !ok {
				v = nil
				break
			}
			v, _, _ = x.Find(n)
		}
		if v != nil {
			return v
		}
	}
	return nil
}

func teamsForm(r *playbook.Request, op string) (any, string, error) {
	if op == "ask" {
		return askForm(r)
	}
	o, _ := r.Body.(*expr.Object)
	seg := strings.Split(strings.Trim(r.Path, "/"), "/")
	channel := expr.Text(member(o, "recipient/channelId", "recipient/to", "recipient"))
	for i, s := range seg {
		if strings.EqualFold(s, "channels") && i+1 < len(seg) {
			channel = seg[i+1]
		}
	}
	if op == "card" {
		card := member(o, "messageBody", "body/messageBody", "messageBody/card", "message")
		if s, ok := card.(string); ok {
			v, err := expr.ParseJSON([]byte(s))
			if err != nil {
				return nil, channel, fmt.Errorf("the adaptive card isn't JSON: %w", err)
			}
			card = v
		}
		c, ok := card.(*expr.Object)
		if !ok {
			return nil, channel, fmt.Errorf("there is no adaptive card in 'messageBody'")
		}
		return adaptive(c), channel, nil
	}
	text := expr.Text(member(o, "body/content", "messageBody", "body/messageBody", "message"))
	subject := expr.Text(member(o, "subject", "messageTitle", "body/subject"))
	if text == "" {
		return nil, channel, fmt.Errorf("the message has no text")
	}
	blocks := []any{}
	if subject != "" {
		blocks = append(blocks, expr.NewObject("type", "TextBlock", "text", subject, "weight", "Bolder", "size", "Medium", "wrap", true))
	}
	blocks = append(blocks, expr.NewObject("type", "TextBlock", "text", plain(text), "wrap", true))
	return adaptive(expr.NewObject("$schema", "http://adaptivecards.io/schemas/adaptive-card.json", "type", "AdaptiveCard", "version", "1.4", "body", blocks)), channel, nil
}

// adaptive is a card as Teams' webhooks take it.
func adaptive(card *expr.Object) any {
	return expr.NewObject("type", "message", "attachments", []any{expr.NewObject("contentType", "application/vnd.microsoft.card.adaptive", "contentUrl", nil, "content", card)})
}

var (
	breaks = regexp.MustCompile(`(?i)<br\s*/?>|</p>|</div>|</li>|</tr>|</h[1-6]>`)
	links  = regexp.MustCompile(`(?is)<a\s[^>]*href="([^"]*)"[^>]*>(.*?)</a>`)
	marks  = regexp.MustCompile(`(?s)<[^>]*>`)
)

// plain is HTML as the text of a card: links in Markdown, the rest without its marks.
func plain(s string) string {
	s = links.ReplaceAllString(s, "[$2]($1)")
	s = breaks.ReplaceAllString(s, "\n")
	return strings.TrimSpace(html.UnescapeString(marks.ReplaceAllString(s, "")))
}

func newSlack(d Deps) *chat {
	return &chat{api: "slack", post: d.Post, secret: d.Secret, form: slackForm, ops: []playbook.Operation{
		{Method: "POST", Path: "/chat.postMessage", Title: "message"},
		{Method: "POST", Path: "/v2/chat.postMessage", Title: "message"},
	}}
}

func slackForm(r *playbook.Request, _ string) (any, string, error) {
	o, _ := r.Body.(*expr.Object)
	get := func(n string) string {
		if s := expr.Text(o.Value(n)); s != "" {
			return s
		}
		return expr.Text(r.Queries.Value(n))
	}
	text := get("text")
	if text == "" {
		return nil, get("channel"), fmt.Errorf("the message has no text")
	}
	out := expr.NewObject("text", text)
	for _, n := range []string{"channel", "username", "icon_url", "icon_emoji", "thread_ts"} {
		if s := get(n); s != "" {
			out.Set(n, s)
		}
	}
	return out, get("channel"), nil
}
