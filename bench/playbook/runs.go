package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"picket/playbook"
	"picket/playbook/expr"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// short is the workflow of one short run: Request, Parse JSON, a condition, an HTTP request, the data collector.
const short = `{"definition":{"parameters":{"$connections":{"type":"Object","defaultValue":{"c":{"connectionId":"/x/c","connectionName":"c","id":"/a/managedApis/azureloganalyticsdatacollector"}}},"service":{"type":"String","defaultValue":"SERVICE"}},
"triggers":{"manual":{"type":"Request","kind":"Http","inputs":{}}},"actions":{
"Parse":{"type":"ParseJson","runAfter":{},"inputs":{"content":"@triggerBody()","schema":{"type":"object","required":["user","score"],"properties":{"user":{"type":"string"},"score":{"type":"integer"}}}}},
"If":{"type":"If","runAfter":{"Parse":["Succeeded"]},"expression":{"and":[{"greater":["@body('Parse')['score']",5]}]},"actions":{
	"Ask":{"type":"Http","runAfter":{},"inputs":{"method":"POST","uri":"@{parameters('service')}/lookup","body":{"user":"@body('Parse')['user']"}}},
	"Send":{"type":"ApiConnection","runAfter":{"Ask":["Succeeded"]},"inputs":{"host":{"connection":{"name":"@parameters('$connections')['c']['connectionId']"}},"method":"post","path":"/api/logs","headers":{"Log-Type":"Bench"},"body":"{\"user\":\"@{body('Parse')['user']}\",\"answer\":\"@{body('Ask')?['answer']}\"}"}}},
	"else":{"actions":{}}}}}}`

// shortRuns starts runs from many callers and waits for all of them.
func shortRuns(ctx context.Context, dur time.Duration, callers int) (_ []line, err error) {
	service, stop, err := serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"answer":"known"}`)
	}))
	if err != nil {
		return nil, err
	}
	defer stop()
	s, err := open(ctx, "http://127.0.0.1")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	front, stopFront, err := serve(s.engine.InvokeHandler())
	if err != nil {
		return nil, err
	}
	defer stopFront()
	if _, err := s.engine.Deploy(ctx, playbook.DeployRequest{Name: "Short", Template: []byte(strings.Replace(short, "SERVICE", service, 1))}); err != nil {
		return nil, err
	}
	cb, err := s.engine.CallbackURL(ctx, "Short", "manual", playbook.CallbackOptions{})
	if err != nil {
		return nil, err
	}
	target := front + strings.TrimPrefix(cb.Value, "http://127.0.0.1")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	var mu sync.Mutex
	var ids []string
	var took []time.Duration
	var fault atomic.Pointer[error]
	begun := time.Now()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; time.Since(begun) < dur && fault.Load() == nil && ctx.Err() == nil; i++ {
				t := time.Now()
				resp, err := client.Post(target, "application/json", bytes.NewReader(fmt.Appendf(nil, `{"user":"u%d-%d","score":7}`, c, i)))
				if err != nil {
					fault.Store(&err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != 202 {
					err := fmt.Errorf("the call is answered with %d", resp.StatusCode)
					fault.Store(&err)
					return
				}
				mu.Lock()
				ids, took = append(ids, resp.Header.Get("x-ms-workflow-run-id")), append(took, time.Since(t))
				n := len(ids)
				mu.Unlock()
				if n%callers == 0 { // no more than the engine keeps up with
					if _, err := s.engine.Wait(ctx, ids[max(0, n-4*callers)]); err != nil {
						fault.Store(&err)
						return
					}
				}
			}
		}()
	}
	wg.Wait()
	if p := fault.Load(); p != nil {
		return nil, *p
	}
	for _, id := range ids {
		r, err := s.engine.Wait(ctx, id)
		if err != nil {
			return nil, err
		}
		if r.Status != playbook.Succeeded {
			return nil, fmt.Errorf("a run ended as %s: %s", r.Status, expr.JSON(r.Error))
		}
	}
	perMinute := float64(len(ids)) / time.Since(begun).Minutes()
	slices.Sort(took)
	return []line{
		{"short runs a minute, callback to row, durable", fmt.Sprintf("%.0f (%d runs)", perMinute, len(ids)), "at least 1000", perMinute >= 1000},
		{"  the caller's answer, median and 99th percentile", fmt.Sprintf("%s, %s", took[len(took)/2].Round(time.Millisecond/10), took[len(took)*99/100].Round(time.Millisecond/10)), "", false},
	}, nil
}

const long = `{"definition":{"triggers":{"manual":{"type":"Request","kind":"Http","inputs":{}}},"actions":{
"Items":{"type":"Select","runAfter":{},"inputs":{"from":"@range(0, ITEMS)","select":{"n":"@item()","user":"user-@{item()}@acme.example"}}},
"Each":{"type":"Foreach","runAfter":{"Items":["Succeeded"]},"foreach":"@body('Items')","actions":{
	"Shape":{"type":"Compose","runAfter":{},"inputs":{"who":"@items('Each')['user']","twice":"@mul(items('Each')['n'], 2)"}},
	"Text":{"type":"Compose","runAfter":{"Shape":["Succeeded"]},"inputs":"@concat(outputs('Shape')['who'], ' ', string(outputs('Shape')['twice']))"}}},
"End":{"type":"Compose","runAfter":{"Each":["Succeeded"]},"inputs":"@length(body('Items'))"}}}}`

// loopChild runs the loop and prints how long it took and the peak of memory in KiB.
func loopChild(ctx context.Context, items int) (err error) {
	s, err := open(ctx, "http://127.0.0.1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.engine.Deploy(ctx, playbook.DeployRequest{Name: "Long", Template: []byte(strings.Replace(long, "ITEMS", fmt.Sprint(items), 1))}); err != nil {
		return err
	}
	begun := time.Now()
	res, err := s.engine.Trigger(ctx, "Long", "manual", playbook.TriggerInput{})
	if err != nil {
		return err
	}
	r, err := s.engine.Wait(ctx, res.Runs[0])
	if err != nil {
		return err
	}
	if r.Status != playbook.Succeeded {
		return fmt.Errorf("the run ended as %s: %s", r.Status, expr.JSON(r.Error))
	}
	secs := time.Since(begun).Seconds()
	last, err := s.engine.RunActions(ctx, r.ID, playbook.ActionPage{Action: "Text", After: fmt.Sprintf("%06d", items-2)})
	if err != nil || len(last) != 1 {
		return fmt.Errorf("the last item is not recorded: %w", err)
	}
	kb, err := peak()
	if err != nil {
		return err
	}
	fmt.Printf("%.3f %s\n", secs, kb)
	return nil
}

// expression evaluates expressions of 8,192 characters: parsed and evaluated each time, the best of many and the
// median.
func expression() ([]line, error) {
	items := &expr.Object{}
	for i := range 40 {
		items.Set(fmt.Sprintf("name%d", i), fmt.Sprintf("value %d", i))
	}
	ctx := expr.NewContext(expr.NewObject("parameters", expr.NewObject("p", items)))
	fill := func(head, unit, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := 0; b.Len()+len(unit)+len(tail)+4 < expr.MaxExpressionLength; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strings.ReplaceAll(unit, "#", fmt.Sprint(i%40)))
		}
		b.WriteString(tail)
		if n := expr.MaxExpressionLength + 1 - b.Len(); n > 0 { // the leading @ doesn't count
			b.WriteString(strings.Repeat(" ", n))
		}
		return b.String()
	}
	var out []line
	for _, e := range []struct{ name, text string }{
		{"properties and text", fill("@concat(", "toUpper(parameters('p')?['name#'])", ")")},
		{"conditions", fill("@and(", "or(equals(parameters('p')?['name#'],'x'),greater(length('abc'),#0))", ",true)")},
		{"arithmetic", fill("@max(", "add(mul(#,3),sub(7,div(#,2)))", ")")},
	} {
		var all []time.Duration
		for range 400 {
			t := time.Now()
			if _, err := expr.Evaluate(e.text, ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			all = append(all, time.Since(t))
		}
		slices.Sort(all)
		out = append(out, line{fmt.Sprintf("expression of %d characters, %s", len(e.text)-1, e.name), fmt.Sprintf("%s median, %s best", all[len(all)/2].Round(time.Microsecond), all[0].Round(time.Microsecond)), "under 1 ms", all[len(all)/2] < time.Millisecond})
	}
	return out, nil
}
