// Command playbook measures the playbook engine: short runs a minute from the caller's POST to the row in the table, a
// loop over many items, and the evaluation of the longest expression. Everything is durable as in a server: the state
// store, the lake and ingest are real and stand in a folder that is removed at the end.
//
//	go run ./bench/playbook                 # about a minute
//	go run ./bench/playbook -only foreach -items 100000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"picket/connector"
	"picket/ingest"
	"picket/lake"
	"picket/playbook"
	"picket/state"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// line is one figure of the table.
type line struct {
	what, value, goal string
	met               bool
}

func main() {
	var only, child string
	dur := flag.Duration("for", 20*time.Second, "how long runs are started")
	workers := flag.Int("callers", 16, "callers at once")
	items := flag.Int("items", 100_000, "items of the loop")
	flag.StringVar(&only, "only", "", "runs, foreach or expression")
	flag.StringVar(&child, "child", "", "used by the program itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := func() error {
		if child == "foreach" {
			return loopChild(ctx, *items)
		}
		if *dur < time.Second || *workers < 1 || *workers > 1000 || *items < 1 || *items > 100_000 {
			return errors.New("-for takes at least 1s, -callers 1 to 1000, -items 1 to 100000")
		}
		var all []line
		known := false
		for _, p := range []struct {
			name string
			run  func() ([]line, error)
		}{
			{"runs", func() ([]line, error) { return shortRuns(ctx, *dur, *workers) }},
			{"foreach", func() ([]line, error) { return loop(ctx, *items) }},
			{"expression", func() ([]line, error) { return expression() }},
		} {
			if only != "" && only != p.name {
				continue
			}
			known = true
			ls, err := p.run()
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			all = append(all, ls...)
		}
		if !known {
			return fmt.Errorf("-only %s: give runs, foreach or expression", only)
		}
		return show(os.Stdout, all)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func show(out io.Writer, lines []line) error {
	fmt.Fprintf(out, "%d processors, %s\n\n", runtime.GOMAXPROCS(0), runtime.Version())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measure\tvalue\tgoal\t")
	for _, l := range lines {
		mark := ""
		if l.goal != "" {
			mark = "missed"
			if l.met {
				mark = "met"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.what, l.value, l.goal, mark)
	}
	return w.Flush()
}

// station is an engine over a store, a lake and ingest of its own.
type station struct {
	dir    string
	db     *state.DB
	lake   *lake.Lake
	engine *playbook.Engine
	cancel context.CancelFunc
	done   chan error
}

func open(ctx context.Context, public string) (_ *station, err error) {
	s := &station{done: make(chan error, 1)}
	if s.dir, err = os.MkdirTemp("", "picket-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(s.dir)
		}
	}()
	if s.db, err = state.Open(ctx, filepath.Join(s.dir, "state.db"), playbook.Migrations()); err != nil {
		return nil, err
	}
	if s.lake, err = lake.Open(ctx, lake.Options{Dir: filepath.Join(s.dir, "lake"), WorkspaceID: "bench"}); err != nil {
		return nil, err
	}
	in := ingest.New(ingest.Options{Lake: s.lake})
	s.engine, err = playbook.New(playbook.Deps{
		DB: s.db, KeyFile: filepath.Join(s.dir, "key"), PublicURL: public, Log: slog.New(slog.DiscardHandler),
		Outbound: playbook.Outbound{Allow: []string{"127.0.0.1"}},
		Connectors: connector.All(connector.Deps{Collect: func(ctx context.Context, lt string, b []byte, tf, id string) (int, error) {
			if _, err := in.Collect(ctx, ingest.CollectRequest{LogType: lt, Body: b, TimeField: tf, OpID: id}); err != nil {
				return 500, err
			}
			return 200, nil
		}}),
	})
	if err != nil {
		return nil, err
	}
	rctx, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	go func() { s.done <- s.engine.Run(rctx) }()
	return s, nil
}

func (s *station) close() error {
	s.cancel()
	err := <-s.done
	s.engine.Close()
	return errors.Join(err, s.lake.Close(), s.db.Close(), os.RemoveAll(s.dir))
}

// serve answers on a loopback address until stop is called.
func serve(h http.Handler) (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }() // ends with Close
	return "http://" + l.Addr().String(), func() { _ = srv.Close() }, nil
}

// loop runs a loop in a process of its own and reads how much memory that took at most.
func loop(ctx context.Context, items int) ([]line, error) {
	c := exec.CommandContext(ctx, os.Args[0], "-child", "foreach", "-items", strconv.Itoa(items))
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(out))
	if len(f) != 2 {
		return nil, fmt.Errorf("the child says %q", out)
	}
	secs, err1 := strconv.ParseFloat(f[0], 64)
	kb, err2 := strconv.ParseInt(f[1], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return []line{
		{fmt.Sprintf("Foreach over %d items, two actions each", items), fmt.Sprintf("%.1f s, %.0f items/s", secs, float64(items)/secs), "", false},
		{"  its peak memory, store and lake included", fmt.Sprintf("%d MiB", kb>>10), "under 1024 MiB", kb>>10 < 1024},
	}, nil
}

// peak is the largest amount of memory that the process has had, in KiB.
func peak() (string, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for _, l := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			return strings.TrimSuffix(strings.TrimSpace(v), " kB"), nil
		}
	}
	return "", errors.New("the system doesn't tell the peak of memory")
}
