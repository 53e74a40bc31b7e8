package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The peer, built from the Go module proxy. Its own go.mod asks for a version of VictoriaMetrics that the proxy does not
// serve, so that the next release stands in for it: near the release, not the release.
const (
	victoriaModule  = "github.com/VictoriaMetrics/VictoriaLogs"
	victoriaVersion = "v1.51.1-0.20260624061259-dc94972a8708"
	victoriaNeeds   = "github.com/VictoriaMetrics/VictoriaMetrics"
	victoriaWith    = "v1.147.0"
	victoriaPath    = ".cache/bench/victoria-logs-" + victoriaVersion
)

// buildVictoria gives the peer's program. It is built once and kept under .cache.
func buildVictoria(ctx context.Context, o options) (string, error) {
	if o.victoria != "" {
		return o.victoria, nil
	}
	path, err := filepath.Abs(victoriaPath)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "picket-victoria-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	run := func(in string, args ...string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Env = in, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.Output()
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			err = fmt.Errorf("go %s: %w: %.300s", args[0], err, ee.Stderr)
		}
		return out, err
	}
	if _, err := run(dir, "mod", "init", "peer"); err != nil {
		return "", err
	}
	b, err := run(dir, "mod", "download", "-json", victoriaModule+"@"+victoriaVersion)
	if err != nil {
		return "", err
	}
	var mod struct{ Dir string }
	if err := json.Unmarshal(b, &mod); err != nil || mod.Dir == "" {
		return "", fmt.Errorf("the module %s can't be had: %w", victoriaModule, err)
	}
	for _, f := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(mod.Dir, f))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o600); err != nil {
			return "", err
		}
	}
	alt := filepath.Join(dir, "go.mod")
	if _, err := run(dir, "mod", "edit", "-require="+victoriaNeeds+"@"+victoriaWith, alt); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	fmt.Fprintln(o.log, "victoria: building", victoriaModule, victoriaVersion, "(a minute or two, once)")
	if _, err := run(mod.Dir, "build", "-modfile="+alt, "-o", path+".part", "./app/victoria-logs"); err != nil {
		return "", err
	}
	return path, os.Rename(path+".part", path)
}

// victoria is a running peer in a folder of its own.
type victoria struct {
	url, data string
	cmd       *exec.Cmd
	exited    chan struct{}
	log       *tailBuffer
}

func startVictoria(ctx context.Context, bin, dir string) (*victoria, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	v := &victoria{url: "http://" + addr, data: filepath.Join(dir, "victoria"), log: &tailBuffer{}, exited: make(chan struct{})}
	v.cmd = exec.Command(bin, "-storageDataPath="+v.data, "-httpListenAddr="+addr, "-retentionPeriod=100y", "-futureRetention=10y", "-loggerLevel=WARN", "-memory.allowedPercent=40")
	v.cmd.Stdout, v.cmd.Stderr = v.log, v.log
	v.cmd.SysProcAttr = childAttr()
	if err := v.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = v.cmd.Wait(); close(v.exited) }()
	err = until(ctx, time.Minute, func() (bool, error) {
		select {
		case <-v.exited:
			return false, fmt.Errorf("VictoriaLogs ended at its start:\n%s", v.log)
		default:
		}
		r, err := http.Get(v.url + "/health")
		var ne net.Error
		if errors.As(err, &ne) || err != nil {
			return false, nil
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK, nil
	})
	if err != nil {
		v.stop()
		return nil, err
	}
	return v, nil
}

func (v *victoria) stop() {
	_ = v.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-v.exited:
	case <-time.After(20 * time.Second):
		_ = v.cmd.Process.Kill()
		<-v.exited
	}
}

// get asks for a page and gives its body.
func (v *victoria) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("VictoriaLogs answers %d: %.300s", res.StatusCode, b)
	}
	return b, nil
}

// folderBytes is what the files of a folder take.
func folderBytes(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, os.ErrNotExist) { // removed meanwhile
				return nil
			}
			return err
		}
		if d.Type().IsRegular() {
			i, err := d.Info()
			if err != nil {
				if errors.Is(err, os.ErrNotExist) {
					return nil
				}
				return err
			}
			n += i.Size()
		}
		return nil
	})
	return n, err
}
