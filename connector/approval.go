package connector

import (
	"context"
	"fmt"
	"html"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"
)

// asksByMail says that an operation sends a question by mail and waits: "Send approval email", "Send email with options".
func asksByMail(path string) bool {
	p := strings.ToLower(strings.Trim(path, "/"))
	return p == "approvalmail/$subscriptions" || p == "mailwithoptions/$subscriptions"
}

func mailQuestion(r *playbook.Request) (m *expr.Object, q *playbook.Question) {
	body, _ := r.Body.(*expr.Object)
	m, _ = body.Value("Message").(*expr.Object)
	if m == nil {
		return nil, nil
	}
	q = &playbook.Question{Title: line(expr.Text(m.Value("Subject"))), Text: plain(expr.Text(m.Value("Body")))}
	if h := expr.Text(m.Value("HeaderText")); h != "" {
		q.Title = line(h)
	}
	if s := expr.Text(m.Value("SelectionText")); s != "" {
		q.Text = strings.TrimSpace(q.Text + "\n\n" + s)
	}
	options := expr.Text(m.Value("Options"))
	if options == "" {
		options = "Approve, Reject"
	}
	for _, o := range strings.Split(options, ",") {
		if o = strings.TrimSpace(o); o != "" && len(q.Options) < maxOptions {
			q.Options = append(q.Options, playbook.Choice{ID: o, Title: o})
		}
	}
	if q.Title == "" {
		q.Title = "Your answer is wanted"
	}
	return m, q
}

const maxOptions = 50

func (c *mailer) Question(r *playbook.Request) *playbook.Question {
	if !asksByMail(r.Path) {
		return nil
	}
	_, q := mailQuestion(r)
	return q
}

// Answer is what the connector's callback has.
func (c *mailer) Answer(_ *playbook.Request, a *playbook.Reply) any {
	return expr.NewObject("SelectedOption", a.Option, "UserEmailAddress", a.Who, "UserId", nil, "UserTenantId", nil)
}

// ask sends each recipient a message of their own, with links that answer for them.
func (c *mailer) ask(ctx context.Context, r *playbook.Request) (*playbook.Response, error) {
	m, q := mailQuestion(r)
	if m == nil || r.Link == nil {
		return problem(400, "BadRequest", "The subscription has no 'Message'."), nil
	}
	to, err := addresses(expr.Text(m.Value("To")))
	if err != nil {
		return problem(400, "BadRequest", fmt.Sprintf("To: %v.", err)), nil
	}
	if len(to) == 0 || len(to) > maxRecipients || len(q.Options) == 0 {
		return problem(400, "BadRequest", fmt.Sprintf("The message has %d recipients and %d options; it must have 1 to %d, and at least one option.", len(to), len(q.Options), maxRecipients)), nil
	}
	for i, t := range to {
		var b strings.Builder
		b.WriteString(expr.Text(m.Value("Body")))
		if s := expr.Text(m.Value("SelectionText")); s != "" {
			b.WriteString("<p>" + html.EscapeString(s) + "</p>")
		}
		b.WriteString("<p>")
		for _, o := range q.Options {
			fmt.Fprintf(&b, `<a href="%s" style="display:inline-block;margin:4px 8px 4px 0;padding:8px 20px;border:1px solid #57606a;border-radius:6px;text-decoration:none">%s</a>`,
				html.EscapeString(r.Link(o.ID, t)), html.EscapeString(o.Title))
		}
		b.WriteString("</p>")
		msg := &Mail{To: []string{t}, Subject: line(expr.Text(m.Value("Subject"))), HTML: b.String(), Importance: expr.Text(m.Value("Importance")), ID: fmt.Sprintf("%s-%d", r.ActionRunID, i)}
		if msg.Subject == "" {
			msg.Subject = q.Title
		}
		if msg.Attachments, err = attachments(m); err != nil {
			return problem(400, "BadRequest", err.Error()), nil
		}
		if err := c.send(ctx, msg); err != nil {
			return nil, fmt.Errorf("send the question: %w", err)
		}
	}
	return &playbook.Response{Status: 201, Headers: map[string]string{}}, nil
}

// asksByCard says that an operation of Teams posts a question and waits.
func asksByCard(path string) bool {
	p := strings.ToLower(strings.Trim(path, "/"))
	return strings.HasSuffix(p, "/$subscriptions") && (strings.HasPrefix(p, "flowbot/actions/") || strings.HasPrefix(p, "v1.0/teams/conversation/") || strings.HasPrefix(p, "beta/teams/conversation/"))
}

func (c *chat) Question(r *playbook.Request) *playbook.Question {
	if !asksByCard(r.Path) {
		return nil
	}
	q, _, err := cardQuestion(r)
	if err != nil {
		return nil
	}
	return q
}

// Answer is what the connector's callback has: the card's inputs in data, or the option chosen.
func (c *chat) Answer(r *playbook.Request, a *playbook.Reply) any {
	name := a.Name
	if name == "" {
		name = a.Who
	}
	who := expr.NewObject("objectId", nil, "tenantId", nil, "email", a.Who, "userPrincipalName", a.Who, "displayName", name)
	out := expr.NewObject("responseTime", a.At.UTC().Format("2006-01-02T15:04:05.9999999Z"), "responder", who)
	q, card, err := cardQuestion(r)
	if err != nil || card == nil {
		out.Set("selectedOption", a.Option)
		return out
	}
	data := &expr.Object{}
	for _, b := range cardActions(card) {
		if b.id == a.Option {
			for _, m := range b.data.Members() {
				data.Set(m.Name, m.Value)
			}
		}
	}
	for _, f := range q.Fields {
		data.Set(f.ID, a.Values[f.ID])
	}
	out.Set("submitActionId", a.Option)
	out.Set("messageId", r.ActionRunID)
	out.Set("data", data)
	return out
}

type cardAction struct {
	id, title string
	data      *expr.Object
}

const maxCardDepth = 12

// cardActions lists a card's submit buttons.
func cardActions(card *expr.Object) []cardAction {
	var out []cardAction
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if depth > maxCardDepth || len(out) >= maxOptions {
			return
		}
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				walk(e, depth+1)
			}
		case *expr.Object:
			switch t := expr.Text(x.Value("type")); strings.ToLower(t) {
			case "action.submit", "action.execute":
				a := cardAction{id: expr.Text(x.Value("id")), title: expr.Text(x.Value("title"))}
				if a.id == "" {
					a.id = a.title
				}
				a.data, _ = x.Value("data").(*expr.Object)
				if a.title == "" {
					a.title = "Send"
				}
				if a.id == "" {
					a.id = a.title
				}
				out = append(out, a)
			}
			for _, m := range x.Members() {
				walk(m.Value, depth+1)
			}
		}
	}
	walk(card, 0)
	return out
}

// cardQuestion reads a question: an adaptive card with inputs and buttons, or a message with options. card is nil for
// the latter.
func cardQuestion(r *playbook.Request) (q *playbook.Question, card *expr.Object, err error) {
	body, _ := r.Body.(*expr.Object)
	if b, ok := body.Value("body").(*expr.Object); ok {
		body = b
	}
	msg := body.Value("messageBody")
	if s, ok := msg.(string); ok && strings.HasPrefix(strings.TrimSpace(s), "{") {
		v, err := expr.ParseJSON([]byte(s))
		if err != nil {
			return nil, nil, fmt.Errorf("the adaptive card isn't JSON: %w", err)
		}
		msg = v
	}
	if card, _ = msg.(*expr.Object); card != nil {
		q = &playbook.Question{Title: "Your answer is wanted"}
		readCard(card, q)
		for _, a := range cardActions(card) {
			q.Options = append(q.Options, playbook.Choice{ID: a.id, Title: a.title})
		}
		if len(q.Options) == 0 {
			q.Options = []playbook.Choice{{ID: "submit", Title: "Send"}}
		}
		return q, card, nil
	}
	q = &playbook.Question{Title: line(expr.Text(member(body, "messageTitle", "title", "subject"))), Text: plain(expr.Text(member(body, "messageBody", "message", "messageContent")))}
	if q.Title == "" {
		q.Title = "Your answer is wanted"
	}
	list, _ := member(body, "messageOptions", "options").([]any)
	for _, o := range list {
		if s := expr.Text(o); s != "" && len(q.Options) < maxOptions {
			q.Options = append(q.Options, playbook.Choice{ID: s, Title: s})
		}
	}
	if len(q.Options) == 0 {
		return nil, nil, fmt.Errorf("the message has neither an adaptive card nor options")
	}
	return q, nil, nil
}

// readCard takes a card's text and inputs.
func readCard(card *expr.Object, q *playbook.Question) {
	var text []string
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		if depth > maxCardDepth {
			return
		}
		switch x := v.(type) {
		case []any:
			for _, e := range x {
				walk(e, depth+1)
			}
		case *expr.Object:
			t := strings.ToLower(expr.Text(x.Value("type")))
			if kind, ok := strings.CutPrefix(t, "input."); ok {
				if f := cardField(kind, x); f.ID != "" && len(q.Fields) < maxOptions {
					q.Fields = append(q.Fields, f)
				}
				return
			}
			switch t {
			case "textblock", "textrun":
				text = append(text, expr.Text(x.Value("text")))
			case "factset":
				fs, _ := x.Value("facts").([]any)
				for _, f := range fs {
					o, _ := f.(*expr.Object)
					text = append(text, expr.Text(o.Value("title"))+" "+expr.Text(o.Value("value")))
				}
			}
			for _, n := range []string{"body", "items", "columns", "inlines", "cells", "rows"} {
				walk(x.Value(n), depth+1)
			}
		}
	}
	walk(card, 0)
	q.Text = strings.Join(text, "\n")
}

func cardField(kind string, x *expr.Object) playbook.Field {
	f := playbook.Field{ID: expr.Text(x.Value("id")), Label: expr.Text(x.Value("label")), Value: expr.Text(x.Value("value")), Type: kind, Required: x.Value("isRequired") == true}
	if f.Label == "" {
		if f.Label = expr.Text(x.Value("placeholder")); f.Label == "" {
			f.Label = f.ID
		}
	}
	switch kind {
	case "text":
		if x.Value("isMultiline") == true {
			f.Type = "lines"
		}
	case "number", "date", "time":
	case "toggle":
		if f.Label = expr.Text(x.Value("title")); f.Label == "" {
			f.Label = f.ID
		}
	case "choiceset":
		f.Type = "choice"
		cs, _ := x.Value("choices").([]any)
		for _, c := range cs {
			o, _ := c.(*expr.Object)
			if v := expr.Text(o.Value("value")); v != "" {
				f.Choices = append(f.Choices, playbook.Choice{ID: v, Title: expr.Text(o.Value("title"))})
			}
		}
		if x.Value("isMultiSelect") == true { // several values by commas, as Teams sends them
			f.Type, f.Choices = "text", nil
		}
	default:
		f.Type = "text"
	}
	return f
}

// askForm is the card that is posted: what the question says, and a button that opens its page.
func askForm(r *playbook.Request) (any, string, error) {
	q, card, err := cardQuestion(r)
	o, _ := r.Body.(*expr.Object)
	channel := expr.Text(member(o, "recipient/channelId", "recipient/to", "body/recipient/channelId", "body/recipient/to", "recipient"))
	if err != nil || r.Link == nil {
		if err == nil {
			err = fmt.Errorf("nobody waits for the answer")
		}
		return nil, channel, err
	}
	var blocks []any
	if card != nil {
		list, _ := card.Value("body").([]any)
		for _, b := range list {
			if shown := withoutInputs(b, 0); shown != nil {
				blocks = append(blocks, shown)
			}
		}
	} else {
		blocks = []any{expr.NewObject("type", "TextBlock", "text", q.Title, "weight", "Bolder", "wrap", true), expr.NewObject("type", "TextBlock", "text", q.Text, "wrap", true)}
	}
	actions := []any{}
	for _, c := range q.Options {
		if len(actions) < 6 { // more are not shown
			actions = append(actions, expr.NewObject("type", "Action.OpenUrl", "title", c.Title, "url", r.Link(c.ID, "")))
		}
	}
	return adaptive(expr.NewObject("$schema", "http://adaptivecards.io/schemas/adaptive-card.json", "type", "AdaptiveCard", "version", "1.4", "body", blocks, "actions", actions)), channel, nil
}

// withoutInputs copies a card's element and leaves out inputs and buttons, which a webhook's card can't have.
func withoutInputs(v any, depth int) any {
	if depth > maxCardDepth {
		return nil
	}
	switch x := v.(type) {
	case []any:
		out := []any{}
		for _, e := range x {
			if s := withoutInputs(e, depth+1); s != nil {
				out = append(out, s)
			}
		}
		return out
	case *expr.Object:
		t := strings.ToLower(expr.Text(x.Value("type")))
		if strings.HasPrefix(t, "input.") || t == "actionset" {
			return nil
		}
		out := &expr.Object{}
		for _, m := range x.Members() {
			if strings.EqualFold(m.Name, "selectAction") || strings.EqualFold(m.Name, "actions") {
				continue
			}
			if s := withoutInputs(m.Value, depth+1); s != nil || m.Value == nil {
				out.Set(m.Name, s)
			}
		}
		return out
	}
	return v
}
