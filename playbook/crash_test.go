package playbook

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"picket/playbook/expr"
	"picket/state"
	"strconv"
	"testing"
	"time"
)

const crashWorkflow = `{"triggers":{"manual":{"type":"Request","inputs":{}}},"parameters":{"$connections":{"type":"Object","defaultValue":{"rec":{"connectionId":"/x/rec","connectionName":"rec","id":"/a/managedApis/rec"}}}},"actions":{
	"Init":{"type":"InitializeVariable","inputs":{"variables":[{"name":"n","type":"Integer","value":0},{"name":"list","type":"Array","value":[]},{"name":"log","type":"String","value":""}]}},
	"Id":{"type":"Compose","runAfter":{"Init":["Succeeded"]},"inputs":"@guid()"},
	"Each":{"type":"Foreach","runAfter":{"Id":["Succeeded"]},"foreach":"@range(0, 12)","runtimeConfiguration":{"concurrency":{"repetitions":4}},"actions":{
		"Call":{"type":"ApiConnection","inputs":{"host":{"connection":{"name":"@parameters('$connections')['rec']['connectionId']"}},"method":"post","path":"/call","body":{"i":"@items('Each')"}}},
		"Add":{"type":"IncrementVariable","runAfter":{"Call":["Succeeded"]},"inputs":{"name":"n","value":"@body('Call')['i']"}},
		"Inner":{"type":"Foreach","runAfter":{"Add":["Succeeded"]},"foreach":"@range(0, 3)","actions":{
			"Deep":{"type":"ApiConnection","inputs":{"host":{"connection":{"name":"@parameters('$connections')['rec']['connectionId']"}},"method":"post","path":"/call","body":{"i":"@add(mul(items('Each'), 100), items('Inner'))"}}},
			"Odd":{"type":"If","runAfter":{"Deep":["Succeeded"]},"expression":"@equals(mod(items('Inner'), 2), 1)","actions":{"Keep":{"type":"AppendToArrayVariable","inputs":{"name":"list","value":"@body('Deep')['i']"}}},"else":{"actions":{"Drop":{"type":"Compose","inputs":"@items('Inner')"}}}}}}}},
	"Loop":{"type":"Until","runAfter":{"Each":["Succeeded"]},"expression":"@greaterOrEquals(length(variables('log')), 6)","actions":{
		"Pause":{"type":"Wait","inputs":{"interval":{"count":0,"unit":"Second"}}},
		"Say":{"type":"AppendToStringVariable","runAfter":{"Pause":["Succeeded"]},"inputs":{"name":"log","value":"@string(iterationIndexes('Loop'))"}}}},
	"End":{"type":"Compose","runAfter":{"Loop":["Succeeded"]},"inputs":{"n":"@variables('n')","list":"@sort(variables('list'))","log":"@variables('log')","r":"@length(result('Each')[0]['outputs'])"}}}}`

const crashWant = `{"n":66,"list":[1,101,201,301,401,501,601,701,801,901,1001,1101],"log":"012345","r":12}`

// crashEngine opens the engine of the crash test; its connector writes each call's id to a file, durably.
func crashEngine(dir string) (*Engine, *state.DB, error) {
	db, err := state.Open(context.Background(), filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		return nil, nil, err
	}
	calls, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	e, err := New(Deps{
		DB: db, KeyFile: filepath.Join(dir, "key"), PublicURL: "https://picket.example", Log: slog.New(slog.DiscardHandler),
		Connectors: []Connector{&fakeConnector{"rec", []Operation{{"POST", "/call", ""}}, func(r *Request) (*Response, error) {
			if _, err := fmt.Fprintln(calls, r.ActionRunID); err != nil {
				return nil, err
			}
			time.Sleep(time.Millisecond)
			return &Response{Status: 200, Body: r.Body}, nil
		}}},
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

func callCounts(t *testing.T, dir string) map[string]int {
	f, err := os.Open(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]int{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		out[sc.Text()]++
	}
	return out
}

// finishedCalls lists the connector actions that are recorded as finished.
func finishedCalls(t *testing.T, dir, run string) []string {
	db, err := state.Open(context.Background(), filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(context.Background(), `SELECT tracking FROM playbook_action WHERE run=? AND name IN ('Call','Deep') AND status='Succeeded'`, run)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
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
	begin := func() string {
		res, err := e.Trigger(context.Background(), "w", "", TriggerInput{}) // recorded; nothing executes yet
		if err != nil {
			t.Fatal(err)
		}
		return res.Runs[0]
	}
	if _, err := e.Deploy(context.Background(), DeployRequest{Name: "w", Template: []byte(crashWorkflow)}); err != nil {
		t.Fatal(err)
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
	check := func() {
		t.Helper()
		d, err := e.RunDetail(context.Background(), run)
		if err != nil {
			t.Fatal(err)
		}
		if got := expr.JSON(find(d, "End").Outputs); got != crashWant {
			t.Errorf("got %s, want %s\n%s", got, crashWant, describe(d))
		}
		if d.Status != Succeeded {
			t.Error(describe(d))
		}
	}
	guid, killed, checked := "", 0, 0
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
			run, guid = begin(), ""
			continue
		case <-time.After(time.Duration(60+rand.IntN(140)) * time.Millisecond):
			_ = c.Process.Kill()
			<-ended
			killed++
		}
		before := callCounts(t, dir)
		for _, id := range finishedCalls(t, dir, run) {
			if checked++; before[id] < 1 {
				t.Errorf("the action %s is recorded and was never called", id)
			}
		}
		d, err := e.RunDetail(context.Background(), run)
		if err != nil {
			t.Fatal(err)
		}
		if a := find(d, "Id"); a.Status == Succeeded {
			g := expr.Text(a.Outputs)
			if guid != "" && g != guid {
				t.Errorf("a finished action ran again: %s, then %s", guid, g)
			}
			guid = g
		}
		// What is recorded as finished now is never called again.
		finished := finishedCalls(t, dir, run)
		defer func() {
			after := callCounts(t, dir)
			for _, id := range finished {
				if after[id] != before[id] {
					t.Errorf("the finished action %s was called %d times, then %d", id, before[id], after[id])
				}
			}
		}()
	}
	if err := child().Wait(); err != nil {
		t.Fatalf("the last child failed: %v", err)
	}
	check()
	t.Logf("%d kills, %d finished calls seen at kills", killed, checked)
	e.Close()
	db.Close()
}
