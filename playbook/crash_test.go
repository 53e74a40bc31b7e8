package playbook

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"picket/playbook/expr"
	"picket/state"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	crashHost = `"host":{"connection":{"name":"@parameters('$connections')['rec']['connectionId']"}},"method":"post"`
	// Two branches beside each other; loops in loops in a loop; calls of a connector, rows, and HTTP requests.
	crashWorkflow = `{"triggers":{"manual":{"type":"Request","inputs":{}}},"parameters":{"$connections":{"type":"Object","defaultValue":{"rec":{"connectionId":"/x/rec","connectionName":"rec","id":"/a/managedApis/rec"}}}},"actions":{
	"Init":{"type":"InitializeVariable","inputs":{"variables":[{"name":"n","type":"Integer","value":0},{"name":"list","type":"Array","value":[]},{"name":"log","type":"String","value":""}]}},
	"Id":{"type":"Compose","runAfter":{"Init":["Succeeded"]},"inputs":"@guid()"},
	"Each":{"type":"Foreach","runAfter":{"Id":["Succeeded"]},"foreach":"@range(0, 12)","runtimeConfiguration":{"concurrency":{"repetitions":4}},"actions":{
		"Call":{"type":"ApiConnection","inputs":{` + crashHost + `,"path":"/call","body":{"i":"@items('Each')"}}},
		"Add":{"type":"IncrementVariable","runAfter":{"Call":["Succeeded"]},"inputs":{"name":"n","value":"@body('Call')['i']"}},
		"Inner":{"type":"Foreach","runAfter":{"Add":["Succeeded"]},"foreach":"@range(0, 3)","actions":{
			"Deep":{"type":"ApiConnection","inputs":{` + crashHost + `,"path":"/call","body":{"i":"@add(mul(items('Each'), 100), items('Inner'))"}}},
			"Rounds":{"type":"Until","runAfter":{"Deep":["Succeeded"]},"expression":"@equals(iterationIndexes('Rounds'), 1)","actions":{
				"Ask":{"type":"Http","inputs":{"method":"POST","uri":"https://api.example/ask","body":{"e":"@items('Each')","i":"@items('Inner')","u":"@iterationIndexes('Rounds')"}}}}},
			"Odd":{"type":"If","runAfter":{"Rounds":["Succeeded"]},"expression":"@equals(mod(items('Inner'), 2), 1)","actions":{"Keep":{"type":"AppendToArrayVariable","inputs":{"name":"list","value":"@body('Deep')['i']"}}},"else":{"actions":{"Drop":{"type":"Compose","inputs":"@items('Inner')"}}}}}}}},
	"Side":{"type":"Foreach","runAfter":{"Init":["Succeeded"]},"foreach":"@range(0, 20)","operationOptions":"Sequential","actions":{
		"Send":{"type":"ApiConnection","inputs":{` + crashHost + `,"path":"/rows","body":{"row":"@items('Side')"}}}}},
	"Loop":{"type":"Until","runAfter":{"Each":["Succeeded"],"Side":["Succeeded"]},"expression":"@greaterOrEquals(length(variables('log')), 6)","actions":{
		"Pause":{"type":"Wait","inputs":{"interval":{"count":0,"unit":"Second"}}},
		"Say":{"type":"AppendToStringVariable","runAfter":{"Pause":["Succeeded"]},"inputs":{"name":"log","value":"@string(iterationIndexes('Loop'))"}}}},
	"End":{"type":"Compose","runAfter":{"Loop":["Succeeded"]},"inputs":{"n":"@variables('n')","list":"@sort(variables('list'))","log":"@variables('log')","r":"@length(result('Each')[0]['outputs'])"}}}}`
)

const crashWant = `{"n":66,"list":[1,101,201,301,401,501,601,701,801,901,1001,1101],"log":"012345","r":12}`

// crashFiles is what stands outside the engine: a log of calls and requests, and a table that takes the rows of one
// action once, by its id, as the data collector does. Everything is written before it is answered.
type crashFiles struct {
	mu          sync.Mutex
	calls, rows *os.File
	have        map[string]bool
}

func openCrashFiles(dir string) (*crashFiles, error) {
	c := &crashFiles{have: map[string]bool{}}
	var err error
	if c.calls, err = os.OpenFile(filepath.Join(dir, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	if c.rows, err = os.OpenFile(filepath.Join(dir, "rows"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	sc := bufio.NewScanner(c.rows)
	for sc.Scan() {
		id, _, _ := strings.Cut(sc.Text(), " ")
		c.have[id] = true
	}
	return c, sc.Err()
}

func (c *crashFiles) call(r *Request) (*Response, error) {
	c.mu.Lock()
	_, err := fmt.Fprintln(c.calls, r.ActionRunID)
	if err == nil && strings.HasSuffix(r.Path, "/rows") && !c.have[r.ActionRunID] {
		c.have[r.ActionRunID] = true
		_, err = fmt.Fprintln(c.rows, r.ActionRunID, expr.JSON(r.Body))
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	time.Sleep(time.Millisecond)
	return &Response{Status: 200, Body: r.Body}, nil
}

func (c *crashFiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	c.mu.Lock()
	if err == nil {
		_, err = fmt.Fprintln(c.calls, r.Header.Get("Idempotency-Key"), string(b))
	}
	c.mu.Unlock()
	if err != nil {
		w.WriteHeader(500)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b)
}

// crashEngine opens the engine of the crash test.
func crashEngine(dir string) (*Engine, *state.DB, error) {
	db, err := state.Open(context.Background(), filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		return nil, nil, err
	}
	files, err := openCrashFiles(dir)
	if err != nil {
		return nil, nil, err
	}
	e, err := New(Deps{
		DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.DiscardHandler),
		Outbound:   Outbound{Hosts: map[string]http.Handler{"api.example": files}},
		Connectors: []Connector{&fakeConnector{"rec", []Operation{{"POST", "/call", ""}, {"POST", "/rows", ""}}, files.call}},
	})
	return e, db, err
}

// TestCrashChild is the process that is killed; it does nothing unless the test below starts it.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv("PICKET_CRASH_CHILD")
	if dir == "" {
		t.Skip("runs only as a child of TestCrash")
	}
	e, db, err := crashEngine(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	run, err := e.Wait(ctx, os.Getenv("PICKET_CRASH_RUN"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-done
	e.Close()
	db.Close()
	if run.Status != Succeeded {
		t.Fatal(run.Status)
	}
}

// callCounts counts calls and requests by the action run that made them. A repeated request must say what it said.
func callCounts(t *testing.T, dir string) map[string]int {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, said := map[string]int{}, map[string]string{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		id, body, _ := strings.Cut(sc.Text(), " ")
		if out[id]++; out[id] > 1 && said[id] != body {
			t.Errorf("the repeated request %s says %s, then %s", id, said[id], body)
		}
		if said[id] = body; id == "" {
			t.Error("a request without an idempotency key")
		}
	}
	return out
}

type finishedAction struct{ name, tracking, record string }

// finishedActions lists every action of a run that has ended, and its record: one that is run again gets another.
func finishedActions(t *testing.T, e *Engine, run string) map[string]finishedAction {
	t.Helper()
	rows, err := e.db.Query(context.Background(), `SELECT name, rep, tracking, status, hex(coalesce(outputs,'')), started, ended, seq FROM playbook_action WHERE run=? AND ended>0`, run)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]finishedAction{}
	for rows.Next() {
		var name, rep, tracking, status, outputs string
		var start, end, seq int64
		if err := rows.Scan(&name, &rep, &tracking, &status, &outputs, &start, &end, &seq); err != nil {
			t.Fatal(err)
		}
		out[name+" "+rep] = finishedAction{name, tracking, fmt.Sprint(status, outputs, start, end, seq)}
	}
	return out
}

// outcomes are the statuses and outputs of a run's actions, without what differs from run to run.
func outcomes(d *RunDetail) map[string]string {
	out := map[string]string{}
	for _, a := range d.Actions {
		text := a.Status
		if a.Name == "Call" || a.Name == "Deep" || a.Name == "Ask" || a.Name == "Send" {
			text += expr.JSON(object(a.Outputs).Value("body"))
		}
		out[a.Name+" "+a.Repetition] = text
	}
	return out
}

func TestCrash(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("PICKET_CRASH")); err == nil && n > 0 {
		kills = n
	}
	dir := t.TempDir()
	e, db, err := crashEngine(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Deploy(context.Background(), DeployRequest{Name: "w", Template: []byte(crashWorkflow)}); err != nil {
		t.Fatal(err)
	}
	begin := func() string {
		res, err := e.Trigger(context.Background(), "w", "", TriggerInput{}) // recorded; nothing executes yet
		if err != nil {
			t.Fatal(err)
		}
		return res.Runs[0]
	}
	run := begin()
	child := func() *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.timeout=90s")
		c.Env = append(os.Environ(), "PICKET_CRASH_CHILD="+dir, "PICKET_CRASH_RUN="+run)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	detail := func() *RunDetail {
		t.Helper()
		d, err := e.RunDetail(context.Background(), run)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if err := child().Wait(); err != nil { // nobody disturbs this one
		t.Fatalf("the child failed: %v", err)
	}
	calm := outcomes(detail())
	if got := expr.JSON(find(detail(), "End").Outputs); got != crashWant {
		t.Fatalf("got %s, want %s", got, crashWant)
	}
	run = begin()
	runs, killed, checked, repeated := 2, 0, 0, 0
	var last map[string]finishedAction
	var calls map[string]int
	look := func() { // what had ended at the kill before stands as it was, and was not called again
		t.Helper()
		now, after := finishedActions(t, e, run), callCounts(t, dir)
		for k, a := range last {
			checked++
			if now[k].record != a.record {
				t.Errorf("the finished action %s was run again: %s, then %s", k, a.record, now[k].record)
			}
			if after[a.tracking] != calls[a.tracking] {
				t.Errorf("the finished action %s was called %d times, then %d", k, calls[a.tracking], after[a.tracking])
			}
		}
		for _, a := range now {
			if calling := a.name == "Call" || a.name == "Deep" || a.name == "Ask" || a.name == "Send"; calling && after[a.tracking] < 1 {
				t.Errorf("the action %s is recorded and was never called", a.name)
			}
		}
		last, calls = now, after
	}
	check := func() {
		t.Helper()
		look()
		d := detail()
		if got := outcomes(d); d.Status != Succeeded || fmt.Sprint(got) != fmt.Sprint(calm) {
			t.Errorf("%s: %d outcomes, want %d\n%s", d.Status, len(got), len(calm), describe(d))
		}
		if got := expr.JSON(find(d, "End").Outputs); got != crashWant {
			t.Errorf("got %s, want %s", got, crashWant)
		}
		last = nil
	}
	for killed < kills {
		c := child()
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		select {
		case err := <-ended: // it got through before the kill: one more run
			if err != nil {
				t.Fatalf("the child failed: %v", err)
			}
			check()
			run = begin()
			runs++
			continue
		case <-time.After(time.Duration(30_000+rand.IntN(170_000)) * time.Microsecond):
			_ = c.Process.Kill()
			<-ended
			killed++
		}
		look()
	}
	if err := child().Wait(); err != nil {
		t.Fatalf("the last child failed: %v", err)
	}
	check()
	for _, n := range calls {
		repeated += n - 1
	}
	b, err := os.ReadFile(filepath.Join(dir, "rows"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(b), "\n"); got != 20*runs {
		t.Errorf("%d rows of %d runs, want %d", got, runs, 20*runs)
	}
	t.Logf("%d kills in %d runs, finished actions looked at %d times, %d calls repeated with the same key, rows of %d actions once each", killed, runs-1, checked, repeated, 20*runs)
	e.Close()
	db.Close()
}
