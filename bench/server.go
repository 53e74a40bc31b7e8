package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"time"
)

// server is a running picket with the walk-through armed, in a folder of its own.
type server struct {
	picket.Demo
	bin, data string
	args      []string
	cmd       *exec.Cmd
	exited    chan struct{}
	log       *tailBuffer
	http      *http.Client
}

// tailBuffer keeps the end of what a process says.
type tailBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > 16<<10 {
		t.b = append([]byte(nil), t.b[len(t.b)-8<<10:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start runs a server on loopback addresses.
func start(ctx context.Context, o options, extra ...string) (_ *server, err error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "picket-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, data: filepath.Join(dir, "data"), log: &tailBuffer{}, exited: make(chan struct{})}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	args := []string{"serve", "--demo", "--data", s.data, "--dns", ""}
	for _, f := range []string{"--listen", "--trip", "--http"} {
		a, err := freeAddr()
		if err != nil {
			return nil, err
		}
		args = append(args, f, a)
	}
	if o.content != "" {
		args = append(args, "--content", o.content)
	}
	s.args = append(args, extra...)
	return s, s.run(ctx)
}

// run starts the process and waits until it is ready.
func (s *server) run(ctx context.Context) error {
	s.cmd = exec.Command(s.bin, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = childAttr()
	s.exited = make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	go func(cmd *exec.Cmd, exited chan struct{}) { _ = cmd.Wait(); close(exited) }(s.cmd, s.exited)
	for end := time.Now().Add(time.Minute); ; {
		if d, err := picket.ReadDemo(s.data); err == nil {
			s.Demo = *d
			if s.http == nil {
				pem, err := os.ReadFile(d.CAFile)
				if err != nil {
					return err
				}
				pool := x509.NewCertPool()
				pool.AppendCertsFromPEM(pem)
				s.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 64}}
			}
			if r, err := s.http.Get(d.URL + "/readyz"); err == nil {
				r.Body.Close()
				if r.StatusCode == 200 {
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.exited:
			return fmt.Errorf("picket ended at its start:\n%s", s.log)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			return fmt.Errorf("picket is not ready after a minute:\n%s", s.log)
		}
	}
}

// stop ends the server and removes its folder.
func (s *server) stop() {
	s.end()
	os.RemoveAll(filepath.Dir(s.data))
}

// end ends the process.
func (s *server) end() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(10 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.exited
		}
	}
}

// command runs a command of picket against the server.
func (s *server) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.bin, append(args, "--data", s.data)...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("picket %s: %w: %s", args[0], err, errb.String())
	}
	return out.String(), nil
}

// call asks the API and decodes the answer.
func (s *server) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %.300s", method, path, res.StatusCode, b)
	}
	return json.Unmarshal(b, out)
}

// number asks a question whose answer is one number.
func (s *server) number(ctx context.Context, kql string) (int, error) {
	var out struct {
		Tables []struct{ Rows [][]json.Number }
	}
	if err := s.call(ctx, "POST", "/v1/workspaces/"+s.WorkspaceID+"/query", map[string]string{"query": kql}, &out); err != nil {
		return 0, err
	}
	if len(out.Tables) == 0 || len(out.Tables[0].Rows) != 1 {
		return 0, fmt.Errorf("%s: no answer of one row", kql)
	}
	n, err := out.Tables[0].Rows[0][0].Int64()
	return int(n), err
}

// until asks again and again whether f is true.
func until(ctx context.Context, within time.Duration, f func() (bool, error)) error {
	for end := time.Now().Add(within); ; {
		ok, err := f()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %s", within)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ticksPerSecond is the unit of the times in /proc: 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// cpu is the processor time that the server has used.
func (s *server) cpu() (time.Duration, error) { return cpuOf(s.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the server's processor time: %w", err)
	}
	_, rest, ok := strings.Cut(string(b), ") ") // the name in parentheses may hold blanks
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, errors.New("read the server's processor time: /proc has another form")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	sys, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+sys) * time.Second / ticksPerSecond, errors.Join(err1, err2)
}

// peakMemory is the most memory that the server has held, in MiB; 0 when the system does not tell.
func (s *server) peakMemory() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, l := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return n >> 10
		}
	}
	return 0
}
