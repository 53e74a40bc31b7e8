// Package mock tries a playbook out against recorded answers: a folder with a file for each action that speaks to
// something outside, and optionally test.json with what starts the run and what is expected of it.
//
//	set, err := mock.Load("testdata/block-user")
//	tried, err := playbook.Try(ctx, set.Request(template, connectors))
//	for _, f := range set.Check(tried) { … }
//
// An action's file is NAME.json: {"statusCode": 200, "headers": {…}, "body": …}, or a list of such answers, taken one
// by one; the last one repeats.
package mock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"picket/playbook"
	"picket/playbook/expr"
	"sort"
	"strings"
	"sync"
	"time"
)

// TestFile is the name of the file with the start and the expectations.
const TestFile = "test.json"

const maxFile = 64 << 20 // bytes of one file

// Set is a folder of answers.
type Set struct {
	Dir string
	// DryRun answers what has no recorded answer with a made-up one (see Sample), in place of failing the action.
	DryRun bool
	// PassThrough lets what has no recorded answer go out.
	PassThrough bool
	// Fallback answers what has no recorded answer; nil: see DryRun and PassThrough.
	Fallback func(c *playbook.TrialCall) *playbook.Response

	test *expr.Object

	mu      sync.Mutex
	answers map[string][]*playbook.Response // lower action name
	next    map[string]int
}

// Load reads a folder; one that is not there is empty when mayMiss.
func Load(dir string, mayMiss bool) (*Set, error) {
	s := &Set{Dir: dir, answers: map[string][]*playbook.Response{}, next: map[string]int{}, test: &expr.Object{}}
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) && mayMiss {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the recorded answers: %w", err)
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json")
		if !ok || f.IsDir() {
			continue
		}
		path := filepath.Join(dir, f.Name())
		if i, err := f.Info(); err != nil || i.Size() > maxFile {
			return nil, fmt.Errorf("%s can't be read or is larger than %d bytes", path, maxFile)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		v, err := expr.ParseJSON([]byte(strings.TrimPrefix(string(b), "\ufeff")))
		if err != nil {
			return nil, fmt.Errorf("%s is not JSON: %w", path, err)
		}
		if f.Name() == TestFile {
			o, ok := v.(*expr.Object)
			if !ok {
				return nil, fmt.Errorf("%s must hold an object", path)
			}
			s.test = o
			continue
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			r, err := answer(x)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			s.answers[strings.ToLower(name)] = append(s.answers[strings.ToLower(name)], r)
		}
	}
	return s, nil
}

func answer(v any) (*playbook.Response, error) {
	o, ok := v.(*expr.Object)
	if !ok {
		return nil, errors.New("an answer must be an object with 'statusCode', 'headers' and 'body'")
	}
	r := &playbook.Response{Status: 200, Headers: map[string]string{}, Body: o.Value("body")}
	if c, has := o.Get("statusCode"); has {
		n, ok := c.(int64)
		if !ok || n < 100 || n > 599 {
			return nil, fmt.Errorf("'statusCode' is %s; it must be from 100 to 599", expr.JSON(c))
		}
		r.Status = int(n)
	}
	h, _ := o.Value("headers").(*expr.Object)
	for _, m := range h.Members() {
		r.Headers[m.Name] = expr.Text(m.Value)
	}
	return r, nil
}

// fileName is an action's name as a file's.
func fileName(action string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < 0x20 {
			return '_'
		}
		return r
	}, action)
}

// Answer gives an action's next recorded answer.
func (s *Set) Answer(_ context.Context, c *playbook.TrialCall) (*playbook.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := strings.ToLower(fileName(c.Action))
	if list := s.answers[k]; len(list) > 0 {
		i := min(s.next[k], len(list)-1)
		s.next[k]++
		return list[i], nil
	}
	switch {
	case s.Fallback != nil:
		return s.Fallback(c), nil
	case s.PassThrough:
		return nil, nil
	case s.DryRun:
		return Sample(c), nil
	}
	return nil, fmt.Errorf("the action '%s' has no recorded answer: write %s, or record one", c.Action, filepath.Join(s.Dir, fileName(c.Action)+".json"))
}

// Request is how the template is tried with this set; params go before those of test.json.
func (s *Set) Request(template []byte, params map[string]any, connectors []playbook.Connector) (playbook.TryRequest, error) {
	all := map[string]any{}
	p, _ := s.test.Value("parameters").(*expr.Object)
	for _, m := range p.Members() {
		all[m.Name] = m.Value
	}
	for k, v := range params {
		all[k] = v
	}
	q := playbook.TryRequest{Deploy: playbook.DeployRequest{Template: template, Parameters: all}, Connectors: connectors, Answer: s.Answer}
	q.Workflow, _ = s.test.Value("workflow").(string)
	q.Trigger, _ = s.test.Value("trigger").(string)
	q.Input.Body = s.test.Value("body")
	q.Input.Headers = http.Header{}
	h, _ := s.test.Value("headers").(*expr.Object)
	for _, m := range h.Members() {
		q.Input.Headers.Set(m.Name, expr.Text(m.Value))
	}
	if q.Input.Body != nil && q.Input.Headers.Get("Content-Type") == "" {
		q.Input.Headers.Set("Content-Type", "application/json")
	}
	if qs, ok := s.test.Value("queries").(*expr.Object); ok {
		q.Input.Queries = map[string]string{}
		for _, m := range qs.Members() {
			q.Input.Queries[m.Name] = expr.Text(m.Value)
		}
	}
	if n, ok := s.test.Value("now").(string); ok {
		t, err := time.Parse(time.RFC3339, n)
		if err != nil {
			return q, fmt.Errorf("%s: 'now' is %q; it must be a time like 2026-01-31T08:00:00Z", filepath.Join(s.Dir, TestFile), n)
		}
		began := time.Now()
		q.Change = func(d *playbook.Deps) { d.Now = func() time.Time { return t.Add(time.Since(began)) } }
	}
	return q, nil
}

// Expects says whether test.json has expectations.
func (s *Set) Expects() bool { return s.test.Value("expect") != nil }

// Check compares a run with test.json's expectations and gives what differs. Without expectations, a run that didn't
// succeed differs.
func (s *Set) Check(t *playbook.Tried) []string {
	var bad []string
	add := func(format string, a ...any) { bad = append(bad, fmt.Sprintf(format, a...)) }
	e, _ := s.test.Value("expect").(*expr.Object)
	want, ok := e.Value("status").(string)
	if !ok {
		want = playbook.Succeeded
	}
	if t.Run == nil {
		if want != playbook.Skipped {
			add("the trigger's conditions are not met: no run was started")
		}
		return bad
	}
	if t.Run.Status != want {
		add("the run is %s (%s), want %s", t.Run.Status, why(t.Run), want)
	}
	acts, _ := e.Value("actions").(*expr.Object)
	for _, m := range acts.Members() {
		x, ok := m.Value.(*expr.Object)
		if !ok {
			add("test.json: the expectation of '%s' must be an object", m.Name)
			continue
		}
		checkAction(t.Run, m.Name, x, add)
	}
	return bad
}

func why(d *playbook.RunDetail) string {
	for _, a := range d.Actions {
		if a.Status == playbook.Failed && a.Error != nil && a.Error.Value("code") != "ActionFailed" {
			return fmt.Sprintf("%s: %s", a.Name, expr.Text(a.Error.Value("message")))
		}
	}
	for _, a := range d.Actions {
		if a.Status == playbook.Failed && a.HasOutputs {
			return fmt.Sprintf("%s: %s", a.Name, a.Code)
		}
	}
	return d.Code
}

func checkAction(d *playbook.RunDetail, name string, want *expr.Object, add func(string, ...any)) {
	var got []*playbook.ActionRun
	for _, a := range d.Actions {
		if strings.EqualFold(a.Name, name) && !a.Iteration {
			got = append(got, a)
		}
	}
	if n, ok := want.Value("count").(int64); ok {
		done := 0
		for _, a := range got {
			if a.Status != playbook.Skipped {
				done++
			}
		}
		if int64(done) != n {
			add("the action '%s' ran %d times, want %d", name, done, n)
		}
		if n == 0 {
			return
		}
	}
	if len(got) == 0 {
		if want.Value("status") != playbook.Skipped {
			add("the action '%s' was never reached", name)
		}
		return
	}
	status, _ := want.Value("status").(string)
	for _, part := range []string{"inputs", "outputs", "error"} {
		w, has := want.Get(part)
		if !has {
			continue
		}
		diff := ""
		for _, a := range got {
			var v any
			switch part {
			case "inputs":
				v = a.Inputs
			case "outputs":
				v = a.Outputs
			default:
				v = a.Error
			}
			if diff = Differs(v, w); diff == "" {
				break
			}
		}
		if diff != "" {
			add("the action '%s': %s%s", name, part, diff)
		}
	}
	if status == "" {
		return
	}
	for _, a := range got {
		if a.Status == status {
			return
		}
	}
	add("the action '%s' is %s, want %s", name, got[0].Status, status)
}

// Differs says where got lacks what want has, or "": members of got that want doesn't name don't count, lists must
// have the same length.
func Differs(got, want any) string {
	switch w := want.(type) {
	case *expr.Object:
		g, ok := got.(*expr.Object)
		if !ok {
			return fmt.Sprintf(" is %s, want an object", short(got))
		}
		for _, m := range w.Members() {
			v, _, has := g.Find(m.Name)
			if !has {
				return fmt.Sprintf(".%s is missing", m.Name)
			}
			if d := Differs(v, m.Value); d != "" {
				return "." + m.Name + d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf(" is %s, want a list of %d", short(got), len(w))
		}
		for i := range w {
			if d := Differs(g[i], w[i]); d != "" {
				return fmt.Sprintf("[%d]%s", i, d)
			}
		}
		return ""
	}
	if !expr.Equal(got, want) {
		return fmt.Sprintf(" is %s, want %s", short(got), short(want))
	}
	return ""
}

func short(v any) string {
	s := []rune(expr.JSON(v))
	if len(s) > 200 {
		return string(s[:200]) + "…"
	}
	return string(s)
}

// Record writes the answers that a run got into the folder, one file an action, and gives the files' names. Secrets
// are masked in a run's history, so they are in the files too.
func Record(dir string, d *playbook.RunDetail, body any) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	files := map[string][]any{}
	for _, a := range d.Actions {
		o, ok := a.Outputs.(*expr.Object)
		if !ok || a.Iteration || !Recorded(a.Type) || o.Value("statusCode") == nil && o.Value("body") == nil {
			continue
		}
		files[fileName(a.Name)] = append(files[fileName(a.Name)], o)
	}
	var names []string
	write := func(name string, v any) error {
		names = append(names, name)
		return os.WriteFile(filepath.Join(dir, name), []byte(expr.JSONIndent(v)+"\n"), 0o644)
	}
	keys := make([]string, 0, len(files))
	for k := range files {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		var v any = files[k]
		if len(files[k]) == 1 {
			v = files[k][0]
		}
		if err := write(k+".json", v); err != nil {
			return names, err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, TestFile)); err == nil {
		return names, nil
	}
	test := expr.NewObject("trigger", d.Trigger)
	if body != nil {
		test.Set("body", body)
	}
	test.Set("expect", expr.NewObject("status", d.Status))
	return names, write(TestFile, test)
}

// Recorded says that answers to actions of this type are recorded.
func Recorded(typ string) bool {
	switch typ {
	case "Http", "ApiConnection", "HttpWebhook", "ApiConnectionWebhook", "Workflow", "Function":
		return true
	}
	return false
}

// CallsJSON is what was sent, for printing.
func CallsJSON(calls []*playbook.TrialCall) ([]byte, error) {
	list := []any{}
	for _, c := range calls {
		o := expr.NewObject("action", c.Action, "type", c.Type)
		if c.Repetition != "" {
			o.Set("repetition", c.Repetition)
		}
		if c.API != "" {
			o.Set("connector", c.API)
		}
		if c.Method != "" {
			o.Set("method", c.Method)
		}
		o.Set("target", c.Target)
		for _, k := range []string{"queries", "headers", "body", "content", "subscribe"} {
			if v, _, ok := c.Inputs.Find(k); ok {
				o.Set(k, v)
			}
		}
		list = append(list, o)
	}
	return json.Marshal(list)
}
