package playbook

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"picket/playbook/expr"
	"picket/state"
	"strings"
	"time"
)

// Asker is a connector with operations that ask a person and wait for the answer ("Send approval email"). Its Call
// sends the question with links of [Request.Link]; who follows one sees a page with Question, and what is sent there is
// the action's outcome. A link works until the action has its answer, and only while it waits.
type Asker interface {
	Connector
	// Question is what the page of a call shows; nil when the call asks nothing.
	Question(r *Request) *Question
	// Answer makes the body that the action gets.
	Answer(r *Request, a *Reply) any
}

// Question is a page that asks a person.
type Question struct {
	Title   string
	Text    string // plain text
	Options []Choice
	Fields  []Field
}

// Choice is a button, or an entry of a list.
type Choice struct{ ID, Title string }

// Field is an input of the page.
type Field struct {
	ID, Label, Value string
	Type             string // text, lines, number, date, time, toggle, choice
	Required         bool
	Choices          []Choice // of a choice
}

// Reply is what a person sent.
type Reply struct {
	Option string // the ID of the button
	Who    string // the address that the link was sent to; "" for a link that everybody in a channel sees
	Name   string // what the person calls itself; nobody has checked it
	Values map[string]string
	At     time.Time
}

const (
	maxReplyForm  = 1 << 20
	maxReplyValue = 64 << 10
)

func respondPermission(run, action, rep, option, who string) string {
	return "/runs/" + run + "/actions/" + action + "/" + rep + "/respond/" + base64.RawURLEncoding.EncodeToString([]byte(option+"\x00"+who))
}

// respondURL is where a person answers an action. option is the button that the link stands for, "" for none.
func (e *Engine) respondURL(w *workflow, run, action, rep, option, who string) string {
	u, _ := e.signedURL(w, "/workflows/"+w.id+"/runs/"+run+"/actions/"+url.PathEscape(action)+"/respond", respondPermission(run, action, rep, option, who), w.primary, time.Time{})
	q := url.Values{}
	for k, v := range map[string]string{"repetition": rep, "option": option, "who": who} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if len(q) > 0 {
		u += "&" + q.Encode()
	}
	return u
}

// asked finds the question that a waiting action asked; nil when it asks nothing or waits no more.
func (e *Engine) asked(ctx context.Context, wf *workflow, t target, rep string) (Asker, *Request, *Question, error) {
	var version string
	var ended int64
	err := e.db.QueryRow(ctx, `SELECT version, ended FROM playbook_run WHERE id=? AND workflow=?`, t.run, wf.name).Scan(&version, &ended)
	if errors.Is(err, sql.ErrNoRows) || err == nil && ended != 0 {
		return nil, nil, nil, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	ver, err := e.loadVersion(ctx, version)
	if err != nil {
		return nil, nil, nil, err
	}
	a := ver.def.Action(t.action)
	if a == nil {
		return nil, nil, nil, nil
	}
	rec, err := e.scanRecord(e.db.QueryRow(ctx, `SELECT `+actionColumns+` FROM playbook_action WHERE run=? AND name=? AND rep=? AND status=?
		AND NOT EXISTS (SELECT 1 FROM playbook_callback c WHERE c.run=playbook_action.run AND c.name=? AND c.rep=playbook_action.rep)`, t.run, a.Name, rep, Running, strings.ToLower(a.Name)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, nil, nil
	}
	if err != nil {
		return nil, nil, nil, err
	}
	in := object(rec.inputs)
	conn, _, err := e.connectionOf(ctx, ver, object(in.Value("host")), expr.JSON(object(a.Inputs).Value("host")))
	if err != nil {
		return nil, nil, nil, err
	}
	c, ok := e.connector(conn.api).(Asker)
	if !ok {
		return nil, nil, nil, nil
	}
	r := &Request{API: conn.api, Connection: conn.name, Parameters: conn.parameters, Method: "POST", Path: expr.Text(in.Value("path")), Queries: object(in.Value("queries")), Body: in.Value("body"), Workflow: wf.name, Run: t.run, Action: a.Name}
	return c, r, c.Question(r), nil
}

// respond serves the page of a question.
func (e *Engine) respond(w http.ResponseWriter, req *http.Request, wf *workflow, t target) {
	q := req.URL.Query()
	rep, who := q.Get("repetition"), q.Get("who")
	page := answerPage{Workflow: wf.name, Preset: q.Get("option"), Who: who}
	c, r, question, err := e.asked(req.Context(), wf, t, rep)
	switch {
	case err != nil:
		e.log.Error("playbook: a question can't be shown", "run", t.run, "action", t.action, "error", err)
		page.show(w, 500, "The question can't be shown now. Try again later.")
		return
	case question == nil:
		page.show(w, 410, "This question was answered already, or nobody waits for the answer any more.")
		return
	}
	page.Question = question
	switch req.Method {
	case http.MethodGet, http.MethodHead: // a program that follows links in mail must not answer
		page.show(w, 200, "")
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, POST")
		page.show(w, 405, "Open the link, and send the form.")
		return
	}
	req.Body = http.MaxBytesReader(w, req.Body, maxReplyForm)
	if err := req.ParseForm(); err != nil {
		page.show(w, 400, "The form can't be read.")
		return
	}
	a := &Reply{Option: req.PostForm.Get("_option"), Who: who, Name: strings.TrimSpace(req.PostForm.Get("_name")), Values: map[string]string{}, At: e.now()}
	known := false
	for _, o := range question.Options {
		known = known || o.ID == a.Option
	}
	if !known || len(a.Name) > 256 {
		page.show(w, 400, "Choose one of the buttons.")
		return
	}
	for i := range question.Fields {
		f := &question.Fields[i]
		v := req.PostForm.Get("f." + f.ID)
		if f.Type == "toggle" && v == "" {
			v = "false"
		}
		if f.Value = v; f.Required && v == "" || len(v) > maxReplyValue || len(f.Choices) > 0 && v != "" && !hasChoice(f.Choices, v) {
			page.show(w, 400, fmt.Sprintf("The value of '%s' is missing or not right.", f.Label))
			return
		}
		a.Values[f.ID] = v
	}
	first, err := e.recordCallback(req.Context(), wf, t, rep, expr.NewObject("headers", &expr.Object{}, "body", c.Answer(r, a)))
	switch {
	case err != nil:
		e.log.Error("playbook: an answer can't be recorded", "run", t.run, "action", t.action, "error", err)
		page.show(w, 500, "The answer can't be recorded now. Try again later.")
	case !first:
		page.Question = nil
		page.show(w, 410, "This question was answered already.")
	default:
		page.Question = nil
		page.show(w, 200, "Your answer was recorded. You can close this page.")
	}
}

func hasChoice(list []Choice, id string) bool {
	for _, c := range list {
		if c.ID == id {
			return true
		}
	}
	return false
}

// recordCallback records what ends a waiting action, once, and lets the action go on; first is false when it was ended
// before.
func (e *Engine) recordCallback(ctx context.Context, wf *workflow, t target, rep string, out *expr.Object) (first bool, err error) {
	blob, err := e.seal.encode(out, contains(out, e.hide(wf.secrets)))
	if err != nil {
		return false, err
	}
	err = e.commits.do(func(tx *state.Tx) error {
		res, err := tx.Exec(`INSERT INTO playbook_callback(run, name, rep, at, outputs) VALUES(?,?,?,?,?) ON CONFLICT DO NOTHING`, t.run, strings.ToLower(t.action), rep, micros(e.now()), blob)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		first = n > 0
		return err
	})
	if err != nil {
		return false, err
	}
	e.mu.Lock()
	k := waitKey(t.run, t.action, rep)
	if ch := e.waiters[k]; ch != nil {
		close(ch)
		delete(e.waiters, k)
	}
	e.mu.Unlock()
	return first, nil
}

type answerPage struct {
	Workflow, Preset, Who, Notice string
	Question                      *Question
}

func (p answerPage) show(w http.ResponseWriter, status int, notice string) {
	p.Notice = notice
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = answerForm.Execute(w, p) // the reader went away
}

var answerForm = template.Must(template.New("answer").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{with .Question}}{{.Title}}{{else}}Answer{{end}}</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
label{display:block;margin:1rem 0 .25rem}input,select,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}
input[type=checkbox]{width:auto}button{font:inherit;margin:1.5rem .5rem 0 0;padding:.5rem 1.25rem;border:1px solid #57606a;border-radius:6px;background:#f6f8fa}
button.preset{background:#0b5cad;border-color:#0b5cad;color:#fff}.text{white-space:pre-wrap}.who{color:#57606a;font-size:.875rem}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}button{background:#21262d;color:#e6edf3}}
</style></head><body>
{{with .Notice}}<p role="status"><strong>{{.}}</strong></p>{{end}}{{$p := .}}
{{with .Question}}<h1>{{.Title}}</h1><p class="text">{{.Text}}</p><form method="post">
{{range .Fields}}<label for="f.{{.ID}}">{{.Label}}{{if .Required}} *{{end}}</label>
{{if eq .Type "choice"}}<select id="f.{{.ID}}" name="f.{{.ID}}"{{if .Required}} required{{end}}>{{$v := .Value}}<option value=""></option>{{range .Choices}}<option value="{{.ID}}"{{if eq .ID $v}} selected{{end}}>{{.Title}}</option>{{end}}</select>
{{else if eq .Type "lines"}}<textarea id="f.{{.ID}}" name="f.{{.ID}}" rows="5"{{if .Required}} required{{end}}>{{.Value}}</textarea>
{{else if eq .Type "toggle"}}<input type="checkbox" id="f.{{.ID}}" name="f.{{.ID}}" value="true"{{if eq .Value "true"}} checked{{end}}>
{{else}}<input type="{{.Type}}" id="f.{{.ID}}" name="f.{{.ID}}" value="{{.Value}}"{{if .Required}} required{{end}}>{{end}}{{end}}
{{if not $p.Who}}<label for="_name">Your name</label><input id="_name" name="_name" autocomplete="name">{{end}}
{{range .Options}}<button name="_option" value="{{.ID}}"{{if eq .ID $p.Preset}} class="preset"{{end}}>{{.Title}}</button>{{end}}</form>
<p class="who">Asked by the playbook {{$p.Workflow}}{{with $p.Who}}, sent to {{.}}{{end}}. The answer is recorded once.</p>{{end}}
</body></html>
`))
