package e2e

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestServeRefusesWhatItCanNotRun starts servers that must not come up, beside one that holds a folder.
func TestServeRefusesWhatItCanNotRun(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	free := func() []string { return []string{"--listen", freeAddr(t), "--trip", freeAddr(t)} }
	addrs := map[string]string{}
	for i, a := range s.args {
		if strings.HasPrefix(a, "--") && i+1 < len(s.args) {
			addrs[a] = s.args[i+1]
		}
	}
	foreign := filepath.Join(dir, "foreign")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	write("foreign/thesis.txt", "mine")
	long := filepath.Join(dir, strings.Repeat("x", 110))

	for _, c := range []struct {
		name string
		code int
		says []string
		args []string
	}{
		{"the folder is held", 1, []string{s.data, strconv.Itoa(s.cmd.Process.Pid), "--data"}, append(free(), "--data", s.data)},
		{"the folder holds something else", 1, []string{"foreign", "thesis.txt", "--data"}, append(free(), "--data", foreign)},
		{"the folder is a file", 1, []string{"--data"}, append(free(), "--data", write("file", ""))},
		{"the folder's path is too long for a socket", 1, []string{"socket", "--data"}, append(free(), "--data", long)},
		{"the page's port is taken", 1, []string{"--listen", addrs["--listen"], "in use"}, append(free(), "--listen", addrs["--listen"], "--data", filepath.Join(dir, "a"))},
		{"the trip port is taken", 1, []string{"--trip", addrs["--trip"], "in use"}, append(free(), "--trip", addrs["--trip"], "--data", filepath.Join(dir, "a"))},
		{"the DNS port is taken", 1, []string{"--dns", addrs["--dns"], "in use"}, append(free(), "--dns", addrs["--dns"], "--data", filepath.Join(dir, "a"))},
		{"the plain port is taken", 1, []string{"--http", addrs["--http"], "in use"}, append(free(), "--http", addrs["--http"], "--data", filepath.Join(dir, "a"))},
		{"no address", 2, []string{"--listen", "host:port"}, []string{"--listen", "8443"}},
		{"plain HTTP to the world", 2, []string{"--http", "loopback"}, []string{"--http", "0.0.0.0:8080"}},
		{"a walk-through for the world", 2, []string{"--demo", "loopback"}, []string{"--demo", "--listen", "0.0.0.0:8443"}},
		{"no URL", 2, []string{"--public-url", "https://"}, []string{"--public-url", "picket.example.org"}},
		{"no domain", 2, []string{"--dns-domain"}, []string{"--dns-domain", "http://x"}},
		{"no range", 2, []string{"trusted-proxies", "10.0.0.0/33"}, []string{"--trusted-proxies", "10.0.0.0/33"}},
		{"no outbound host", 1, []string{"http://x"}, append(free(), "--outbound", "http://x", "--data", filepath.Join(dir, "b"))},
		{"an unknown setting", 2, []string{"c1.yaml", "line 2", "lissten"}, []string{"--config", write("c1.yaml", "data: x\nlissten: y\n")}},
		{"an unknown setting of smtp", 2, []string{"c2.yaml", "hots"}, []string{"--config", write("c2.yaml", "smtp:\n  hots: y\n")}},
		{"a setting of the wrong type", 2, []string{"c3.yaml", "line 1"}, []string{"--config", write("c3.yaml", "threads: many\n")}},
		{"settings that are no YAML", 2, []string{"c4.yaml"}, []string{"--config", write("c4.yaml", "a: [")}},
		{"no settings", 2, []string{"none.yaml"}, []string{"--config", filepath.Join(dir, "none.yaml")}},
		{"mail without a sender", 2, []string{"smtp.from"}, []string{"--config", write("c5.yaml", "smtp: {host: localhost}\n")}},
		{"a host map to nothing", 2, []string{"host-map", "example.org"}, []string{"--config", write("c6.yaml", "host-map: {example.org: elsewhere}\n")}},
		{"a certificate without its key", 1, []string{"--key"}, append(free(), "--cert", s.CAFile, "--data", filepath.Join(dir, "b"))},
		{"a certificate that is none", 1, []string{"--cert", "c1.yaml"}, append(free(), "--cert", filepath.Join(dir, "c1.yaml"), "--key", filepath.Join(dir, "c1.yaml"), "--data", filepath.Join(dir, "b"))},
		{"the key of another certificate", 1, []string{"--key", "does not match"}, append(free(), "--cert", s.CAFile, "--key", filepath.Join(s.data, "tls", "server.key"), "--data", filepath.Join(dir, "b"))},
	} {
		code, text := tryCommand(t, s.bin, append([]string{"serve"}, c.args...)...)
		if code != c.code || strings.Contains(text, "goroutine ") || strings.Contains(text, "is up") {
			t.Errorf("%s: exit code %d, want %d: %s", c.name, code, c.code, text)
		}
		for _, w := range c.says {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the message lacks %q: %s", c.name, w, text)
			}
		}
	}
	if b, err := os.ReadDir(foreign); err != nil || len(b) != 1 {
		t.Errorf("the foreign folder was written to: %v %v", b, err)
	}
	for _, c := range [][]string{{"--data", foreign}, {"--data", filepath.Join(dir, "nowhere")}} {
		if code, text := tryCommand(t, s.bin, append([]string{"incident", "list"}, c...)...); code != 3 || !strings.Contains(text, "--url") {
			t.Errorf("a command on %v: %d %s", c, code, text)
		}
	}
	// The environment: a wrong value is named, and the flag wins over it.
	cmd := exec.Command(s.bin, "serve")
	cmd.Env = append(os.Environ(), "PICKET_THREADS=many")
	if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "PICKET_THREADS") {
		t.Errorf("a wrong value in the environment: %v %s", err, out)
	}
	// A workspace gets no walk-through on top.
	plain := filepath.Join(dir, "plain")
	cmd = exec.Command(s.bin, append([]string{"serve", "--data", plain}, free()...)...)
	welcome, err := os.Create(filepath.Join(dir, "welcome"))
	if err != nil {
		t.Fatal(err)
	}
	defer welcome.Close()
	cmd.Stdout = welcome
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "a plain server", func() bool {
		b, err := os.ReadFile(welcome.Name())
		return err == nil && strings.Contains(string(b), "shown this once")
	})
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the plain server's end: %v", err)
	}
	if code, text := tryCommand(t, s.bin, append([]string{"serve", "--demo", "--data", plain}, free()...)...); code != 1 || !strings.Contains(text, "already") {
		t.Errorf("a walk-through on top of a workspace: %d %s", code, text)
	}
	// While the server runs, a command goes through its socket; when it is gone, the command opens the folder.
	if got := s.run("canary", "list"); !strings.Contains(got, s.TokenID) {
		t.Errorf("through the socket: %s", got)
	}
	s.stop()
	if got := s.run("canary", "list"); !strings.Contains(got, s.TokenID) {
		t.Errorf("without a server: %s", got)
	}
	// Who has the folder gets in again when the password is lost.
	var again struct{ Password string }
	if err := json.Unmarshal([]byte(s.run("account", "reset", s.User, "--json")), &again); err != nil || again.Password == "" {
		t.Errorf("a new password: %v", err)
	}
	s.start()
	for pw, want := range map[string]int{s.Password: 401, again.Password: 200} {
		if got, text := s.ask("POST", "/api/v1/session", "application/json", jsonText(t, map[string]string{"name": s.User, "password": pw})); got != want {
			t.Errorf("sign in after the reset: %d %s, want %d", got, text, want)
		}
	}
}

// newServerAt is newServer in a folder of the test's choice.
func newServerAt(t *testing.T, data string, extra ...string) *server {
	t.Helper()
	s := newServerIn(t, data, extra...)
	s.start()
	return s
}

// TestAFullDiskLosesNothing fills the disk under a running server: what was acknowledged stays, the collector
// answers 429, trips that can't be kept get no answer, and all goes on when there is room again.
func TestAFullDiskLosesNothing(t *testing.T) {
	need(t, "PICKET_E2E")
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=224m"); err != nil {
		t.Skip("a small disk can't be mounted here:", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	s := newServerAt(t, filepath.Join(disk, "data"))
	path := s.tripPath()
	client := &http.Client{Timeout: 20 * time.Second}
	trips, rows := map[string]bool{}, map[string]bool{}
	n := 0
	tripOne := func() bool {
		n++
		id := fmt.Sprint("t", n)
		res, err := client.Get(s.TripURL + path + "?n=" + id)
		if err != nil {
			return false
		}
		res.Body.Close()
		trips[id] = true
		return true
	}
	post := func() (int, string) {
		n++
		id := fmt.Sprint("r", n)
		status, code := newCollectorCall(s, "Disk", []byte(fmt.Sprintf(`[{"id":%q}]`, id))).send(t, s)
		if status == 200 {
			rows[id] = true
		}
		return status, code
	}
	if status, code := post(); status != 200 || !tripOne() {
		t.Fatalf("before: %d %s", status, code)
	}
	ballast := filepath.Join(disk, "ballast")
	fill := func() {
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for size := 1 << 20; size > 0; {
			if k, err := f.Write(make([]byte, size)); err != nil && k == 0 {
				size /= 2
			}
		}
	}
	fill()
	if status, code := post(); status != 429 {
		t.Errorf("the collector on a full disk: %d %s, want 429", status, code)
	}
	kept := 0
	for range 50 { // the file of the log may have room left in its last page
		if tripOne() {
			kept++
		}
	}
	if kept == 50 {
		t.Error("50 trips were acknowledged on a full disk")
	}
	kept = 0
	for range 50 { // and nobody learns by it which tokens there are
		if res, err := client.Get(s.TripURL + "/zzzzzzzzzzzzzzzzzzzzzzzzz/logo.png"); err == nil {
			res.Body.Close()
			kept++
		}
	}
	if kept == 50 {
		t.Error("50 calls to an unknown token were answered on a full disk")
	}
	if code, text := s.try("canary", "new", "--kind", "web", "--memo", "FS01,,,,x"); code == 0 {
		t.Logf("a token could still be made: %s", text)
	} else if strings.Contains(text, "goroutine ") {
		t.Errorf("a command on a full disk: %d %s", code, text)
	}
	if res, err := s.http.Get(s.URL + "/healthz"); err != nil || res.StatusCode != 200 {
		t.Errorf("health on a full disk: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the collector takes rows again", func() bool { status, _ := post(); return status == 200 })
	eventually(t, 30*time.Second, "trips are kept again", tripOne)
	eventually(t, 60*time.Second, "all that was acknowledged is there", func() bool {
		got := s.ids(`CanaryTrips | project id = tostring(RequestArgs.n), Count`)
		for id := range trips {
			if got[id] != 1 {
				return false
			}
		}
		stored := s.ids(`Disk_CL | project id = id_s, Count = 1`)
		return len(stored) == len(rows)
	})
	t.Logf("%d trips and %d rows acknowledged, all there", len(trips), len(rows))
	s.stop()
	s.start() // the folder opens again
}

// TestListenersGiveUpOnSlowClients opens connections that never say what they want.
func TestListenersGiveUpOnSlowClients(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	host := func(u string) string { return u[strings.Index(u, "//")+2:] }
	var wg sync.WaitGroup
	var open atomic.Int64
	for _, l := range []string{host(s.TripURL), host(s.HTTPURL), host(s.URL)} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			conn, err := net.Dial("tcp", l)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if l == host(s.URL) {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the test looks at time-outs only
			}
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
			_ = conn.SetReadDeadline(time.Now().Add(25 * time.Second))
			start := time.Now()
			_, err = io.Copy(io.Discard, conn)
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				open.Add(1)
				t.Errorf("%s kept a silent connection open for %s", l, time.Since(start))
			}
		}()
	}
	// Headers that are too large.
	for _, u := range []string{s.TripURL + "/", s.HTTPURL + "/healthz", s.URL + "/healthz"} {
		req, err := http.NewRequest("GET", u, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Large", strings.Repeat("x", 200<<10))
		if res, err := s.http.Do(req); err == nil {
			if res.StatusCode != 431 {
				t.Errorf("%s took a header of 200 KB: %d", u, res.StatusCode)
			}
			res.Body.Close()
		}
	}
	// TLS from 1.2 on.
	if conn, err := tls.Dial("tcp", host(s.URL), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil { //nolint:gosec // an old version is the point
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	wg.Wait()
}
