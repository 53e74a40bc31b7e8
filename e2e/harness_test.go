// Package e2e runs the built server as its users do: real clients, real documents, kill -9.
package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"picket"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const netnsMark = "PICKET_E2E_NETNS"

// TestMain puts the whole run into a network namespace that has only loopback, where the machine lets it:
// picket, LibreOffice and Chromium then can't reach anything else, and a test that passes did not need to.
func TestMain(m *testing.M) {
	if os.Getenv(netnsMark) == "" && os.Getuid() == 0 && os.Getenv("PICKET_E2E") != "" {
		if _, err := exec.LookPath("unshare"); err == nil && exec.Command("unshare", "-n", "true").Run() == nil {
			self, err := os.Executable()
			if err == nil {
				args := append([]string{"-n", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self}, os.Args[1:]...)
				cmd := exec.Command("unshare", args...)
				cmd.Env = append(os.Environ(), netnsMark+"=1")
				cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
				err = cmd.Run()
				if cmd.ProcessState != nil {
					os.Exit(cmd.ProcessState.ExitCode())
				}
				fmt.Fprintln(os.Stderr, "e2e: network namespace:", err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

// need skips a test that its lane did not ask for.
func need(t *testing.T, env string) {
	t.Helper()
	if os.Getenv(env) == "" {
		t.Skipf("set %s=1 (make does) to run this against bin/picket", env)
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed: see .ci/deps", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return p
}

func binary(t *testing.T) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join("..", "bin", "picket"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("no bin/picket: run make build")
	}
	return p
}

func shared(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	} else if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abs); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatalf("the corpora are required: %v", err)
		}
		t.Skipf("no corpora: %v", err)
	}
	return abs
}

// freeAddr is an address of loopback that is free for TCP and UDP. It lies below the ports that systems give to
// outgoing connections, one of which might else take it before the server does.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(12_000+rand.Intn(20_000)))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		u, uerr := net.ListenPacket("udp", addr)
		if uerr == nil {
			uerr = u.Close()
		}
		if err := errors.Join(l.Close(), uerr); err == nil {
			return addr
		}
	}
	t.Fatal("no port of loopback is free")
	return ""
}

// server is a running bin/picket.
type server struct {
	t    *testing.T
	bin  string
	data string
	args []string
	cmd  *exec.Cmd
	log  *serverLog
	picket.Demo
	http *http.Client
}

// newServer starts a server with the walk-through armed.
func newServer(t *testing.T, extra ...string) *server {
	t.Helper()
	s := newServerIn(t, t.TempDir(), extra...)
	s.start()
	return s
}

// newServerIn is a server that is not started yet.
func newServerIn(t *testing.T, data string, extra ...string) *server {
	t.Helper()
	s := &server{t: t, bin: binary(t), data: data, log: &serverLog{}}
	s.args = append([]string{
		"serve", "--demo", "--data", s.data, "--content", shared(t),
		"--listen", freeAddr(t), "--trip", freeAddr(t), "--dns", freeAddr(t), "--http", freeAddr(t),
	}, extra...)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("server log:\n%s", tail(s.log.String(), 8000))
		}
	})
	return s
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// serverLog is what the server printed so far.
type serverLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.bin, s.args...)
	s.cmd.Stdout = s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stderr = s.cmd.Stdout
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan struct{})
	cmd := s.cmd
	go func() { _ = cmd.Wait(); close(exited) }()
	deadline := time.Now().Add(60 * time.Second)
	for {
		if d, err := picket.ReadDemo(s.data); err == nil {
			s.Demo = *d
			if s.http == nil {
				s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool(s.t, d.CAFile)}}, Timeout: 60 * time.Second}
			}
			if r, err := s.http.Get(d.URL + "/readyz"); err == nil {
				r.Body.Close()
				if r.StatusCode == 200 {
					return
				}
			}
		}
		select {
		case <-exited:
			s.t.Fatalf("picket ended at its start:\n%s", tail(s.log.String(), 4000))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("picket is not ready after a minute:\n%s", tail(s.log.String(), 4000))
		}
	}
}

func pool(t *testing.T, ca string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		t.Fatal("the authority's file holds no certificate")
	}
	return p
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	for s.cmd.Process.Signal(syscall.Signal(0)) == nil {
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *server) stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	for i := 0; i < 400; i++ {
		if s.cmd.Process.Signal(syscall.Signal(0)) != nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	_ = s.cmd.Process.Kill()
}

// run runs a command of picket against the server.
func (s *server) run(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(s.bin, append(args, "--data", s.data)...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("picket %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errb.String())
	}
	return out.String()
}

// call makes a request with the demo's bearer and decodes the answer.
func (s *server) call(method, path string, in, out any) int {
	s.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			s.t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if out != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(b, out); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	} else if out != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
	}
	return res.StatusCode
}

func (s *server) insights(rest string) string {
	return "/subscriptions/" + s.SubscriptionID + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" +
		s.WorkspaceName + "/providers/Microsoft.SecurityInsights/" + rest + "?api-version=2023-11-01"
}

// incident is what tests look at.
type incident struct {
	Name       string
	Properties struct {
		Title, Severity, Status string
		IncidentNumber          int
		AdditionalData          struct{ AlertsCount int }
	}
}

func (s *server) incidents() []incident {
	s.t.Helper()
	var out struct{ Value []incident }
	s.call("GET", s.insights("incidents"), nil, &out)
	return out.Value
}

// exists reports whether a table has come into being: the first record makes it.
func (s *server) exists(table string) bool {
	s.t.Helper()
	return s.call("POST", "/v1/workspaces/"+s.WorkspaceID+"/query", map[string]string{"query": table + " | take 0"}, nil) == 200
}

// rows asks a question and gives its rows as maps.
func (s *server) rows(kql string) []map[string]any {
	s.t.Helper()
	var out struct {
		Tables []struct {
			Columns []struct{ Name, Type string }
			Rows    [][]any
		}
	}
	s.call("POST", "/v1/workspaces/"+s.WorkspaceID+"/query", map[string]string{"query": kql}, &out)
	var rows []map[string]any
	for _, r := range out.Tables[0].Rows {
		m := map[string]any{}
		for i, c := range out.Tables[0].Columns {
			m[c.Name] = r[i]
		}
		rows = append(rows, m)
	}
	return rows
}

// eventually waits until f is true.
func eventually(t *testing.T, within time.Duration, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// soffice opens a document as a person does, to make a PDF of it.
func soffice(t *testing.T, doc string) {
	t.Helper()
	bin := tool(t, "soffice")
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "-env:UserInstallation=file://"+home, "--headless", "--convert-to", "pdf", "--outdir", home, doc)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("soffice: %v\n%s", err, out)
	}
}
