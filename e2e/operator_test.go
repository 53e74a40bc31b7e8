package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The tests of this file are an operator's: picket's own command against a server that runs.

// importFile writes n lines, of which every bad-th is no row (0: none).
func importFile(t *testing.T, n, bad int) (file string, broken int) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "proxy.ndjson")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range n {
		if bad > 0 && i%bad == bad-1 {
			broken++
			fmt.Fprintf(w, "line %d is no row\n", i)
			continue
		}
		fmt.Fprintf(w, `{"TimeGenerated":"2026-11-%02dT%02d:%02d:%02d.%03dZ","Id":%d,"Who":"user%d","Bytes":%d,"Score":%g,"Detail":{"i":%d,"tags":["a","b"]}}`+"\n",
			1+i%20, i%24, i%60, (i/60)%60, i%1000, i, i%997, i*1500, float64(i)/4, i)
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return file, broken
}

// load runs picket import and gives its exit code and what it printed.
func (s *server) load(args ...string) (code int, out string) {
	s.t.Helper()
	b, err := exec.Command(s.bin, append([]string{"import", "--data", s.data}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	return code, string(b)
}

// one is the first value of a question's only row as it stands in JSON.
func (s *server) one(kql string) string {
	s.t.Helper()
	r := s.rows(kql)
	if len(r) != 1 {
		s.t.Fatalf("%s: %d rows", kql, len(r))
	}
	b, err := json.Marshal(r[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// TestClientImport stores a file of 100,000 lines exactly once, however often the command is started.
func TestClientImport(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	s := newServer(t)
	const n = 100_000
	const sums = "proxy_CL | summarize n=count(), ids=count_distinct(Id), least=min(Id), most=max(Id), bytes=sum(Bytes), score=sum(Score), detail=sum(tolong(Detail.i))"
	want := fmt.Sprintf(`{"bytes":%d,"detail":%d,"ids":%d,"least":0,"most":%d,"n":%d,"score":%s}`,
		n*(n-1)/2*1500, n*(n-1)/2, n, n-1, n, strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n*(n-1)/2)/4), ".0"))
	file, _ := importFile(t, n, 0)
	if code, out := s.load(file); code != 0 {
		t.Fatalf("import: exit code %d\n%s", code, out)
	}
	if got := s.one(sums); got != want {
		t.Fatalf("after the import %s, want %s", got, want)
	}
	code, out := s.load(file)
	if code != 0 {
		t.Errorf("the same command again: exit code %d\n%s", code, out)
	}
	if got := s.one(sums); got != want {
		t.Errorf("after the second import %s, want %s\n%s", got, want, out)
	}
	if s.exists("Quarantine_CL") {
		if got := s.one(`Quarantine_CL | where Source == "import" | count`); got != `{"Count":0}` {
			t.Errorf("quarantine %s", got)
		}
	}

	// An import that dies in the middle is started again with the same command.
	cmd := exec.Command(s.bin, "import", "--data", s.data, "--table", "Cut_CL", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the first rows of the import that is cut", func() bool {
		return s.exists("Cut_CL") && s.one("Cut_CL | count") != `{"Count":0}`
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	t.Logf("cut at %s", s.one("Cut_CL | count"))
	if code, out := s.load("--table", "Cut_CL", file); code != 0 {
		t.Errorf("the import after the cut: exit code %d\n%s", code, out)
	}
	if got := s.one(strings.Replace(sums, "proxy_CL", "Cut_CL", 1)); got != want {
		t.Errorf("after an import that was cut and started again %s, want %s", got, want)
	}

	// Lines that are no rows are named by the exit code and kept with their place.
	bad, broken := importFile(t, 1000, 250)
	if code, out := s.load("--table", "Holes_CL", bad); code != 1 || !strings.Contains(out, "Quarantine_CL") {
		t.Errorf("a file with broken lines: exit code %d\n%s", code, out)
	}
	if got, want := s.one("Holes_CL | count"), fmt.Sprintf(`{"Count":%d}`, 1000-broken); got != want {
		t.Errorf("rows of the file with broken lines %s, want %s", got, want)
	}
	if got, want := s.one(`Quarantine_CL | where Source == "import" | summarize n=count(), places=make_set(Stream)`), `"n":4`; !strings.Contains(got, want) || !strings.Contains(got, "proxy.ndjson:250") {
		t.Errorf("quarantine %s", got)
	}
}

// TestClientBackup copies a running server's folder; a server on the copy has the same rows, and its own life after.
func TestClientBackup(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	s := newServer(t)
	const n = 20_000
	file, _ := importFile(t, n, 0)
	if code, out := s.load(file); code != 0 {
		t.Fatalf("import: exit code %d\n%s", code, out)
	}
	s.call("PUT", s.insights("incidents/11111111-2222-3333-4444-555555555555"), map[string]any{"properties": map[string]string{"title": "kept", "severity": "High", "status": "New"}}, &struct{}{})

	const sums = "proxy_CL | summarize n=count(), ids=count_distinct(Id), bytes=sum(Bytes), hash=sum(hash(tostring(Detail), 1000003))"
	want := s.one(sums)
	dir := filepath.Join(t.TempDir(), "copy")
	// A sender goes on all the while: the copy has what was acknowledged before it, and no part of a request.
	var sent, acked atomic.Int64
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			req, err := newCollectorCall(s, "Flow", fmt.Appendf(nil, `[{"i":%d},{"i":%d}]`, 2*i, 2*i+1)).request(s.HTTPURL)
			if err != nil {
				stopped <- err
				return
			}
			sent.Store(2*i + 2)
			res, err := s.http.Do(req)
			if err != nil {
				stopped <- err
				return
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				stopped <- fmt.Errorf("request %d was answered %d", i, res.StatusCode)
				return
			}
			acked.Store(2*i + 2)
		}
	}()
	eventually(t, time.Minute, "the sender is at work", func() bool { return acked.Load() >= 20 || len(stopped) > 0 })
	low := acked.Load()
	out := s.run("backup", dir)
	high := sent.Load()
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, dir) {
		t.Errorf("backup printed %q", out)
	}
	// What comes later is the original's alone.
	if status, code := newCollectorCall(s, "Later", []byte(`[{"a":1}]`)).send(t, s); status != 200 {
		t.Fatalf("a row after the copy: %d %s", status, code)
	}
	eventually(t, time.Minute, "the later row", func() bool { return s.exists("Later_CL") && len(s.rows("Later_CL")) == 1 })
	if got, want := s.one("Flow_CL | summarize n=count(), d=count_distinct(i_d)"), fmt.Sprintf(`{"d":%d,"n":%[1]d}`, acked.Load()); got != want {
		t.Errorf("the sender's rows %s, want %s", got, want)
	}
	if got := s.one(sums); got != want {
		t.Errorf("the original after the copy: %s, want %s", got, want)
	}
	if out, err := exec.Command(s.bin, "backup", dir, "--data", s.data).CombinedOutput(); err == nil {
		t.Errorf("a copy into a folder that is there was made: %s", out)
	}

	// Both run beside each other.
	c := newServerIn(t, dir)
	c.start()
	if got := c.one(sums); got != want {
		t.Errorf("the copy has %s, want %s", got, want)
	}
	if c.exists("Later_CL") {
		t.Error("the copy has a row that came after it")
	}
	var flow, most int64
	if _, err := fmt.Sscanf(c.one("Flow_CL | summarize n=count(), most=tolong(max(i_d))"), `{"most":%d,"n":%d}`, &most, &flow); err != nil {
		t.Fatal(err)
	}
	if flow < low || flow > high || most != flow-1 || flow%2 != 0 {
		t.Errorf("the copy has %d rows of the sender up to %d: %d were acknowledged before it began, %d sent when it ended", flow, most, low, high)
	}
	if c.WorkspaceID != s.WorkspaceID {
		t.Errorf("the copy is workspace %s, the original %s", c.WorkspaceID, s.WorkspaceID)
	}
	found := false
	for _, in := range c.incidents() {
		found = found || in.Name == "11111111-2222-3333-4444-555555555555" && in.Properties.Title == "kept"
	}
	if !found {
		t.Errorf("the copy lacks the incident: %+v", c.incidents())
	}
	more, _ := importFile(t, 100, 0)
	if code, out := c.load("--table", "More_CL", more); code != 0 {
		t.Errorf("import into the copy: exit code %d\n%s", code, out)
	}
	if got := c.one("More_CL | count"); got != `{"Count":100}` || s.exists("More_CL") {
		t.Errorf("the copy's own rows: %s; in the original: %t", got, s.exists("More_CL"))
	}
	s.kill()
	s.start()
	if got := s.one(sums); got != want {
		t.Errorf("the original after a crash: %s, want %s", got, want)
	}
}
