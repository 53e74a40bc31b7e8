// Command bench measures picket against a floor or a peer that it measures in the same run, and prints the ratios.
// It starts bin/picket as its users do, speaks to it over loopback and leaves nothing behind.
//
//	go run ./bench                        # all of it, about six minutes
//	go run ./bench -only collector -for 30s
//
// What each figure means stands in docs/bench.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// line is one figure of the table.
type line struct {
	what  string
	value string
	peer  string // what it is held against, "" when nothing is
	ratio string
	goal  string
	met   bool
}

// part is one of the measurements.
type part struct {
	name string
	run  func(ctx context.Context, o options) ([]line, error)
}

type options struct {
	bin     string
	content string
	dur     time.Duration
	rounds  int
	log     io.Writer

	events   int    // of the race
	victoria string // the peer's program; "" builds it
}

func main() {
	o := options{log: os.Stderr}
	var only string
	flag.StringVar(&o.bin, "picket", "bin/picket", "the program to measure")
	flag.StringVar(&o.content, "content", os.Getenv("PICKET_SHARED"), "folder with seed/Ingest-CanaryTokens; empty takes picket's own")
	flag.DurationVar(&o.dur, "for", 15*time.Second, "how long trips, and batches, are sent")
	flag.IntVar(&o.rounds, "incidents", 3, "how often a document is opened, each time in a new workspace")
	flag.IntVar(&o.events, "events", 400_000, "how many events the race with VictoriaLogs has")
	flag.StringVar(&o.victoria, "victoria", "", "program of VictoriaLogs; empty builds it from the Go module proxy, once")
	flag.StringVar(&only, "only", "", "trips, collector, incident or victoria")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, only string) error {
	if _, err := os.Stat(o.bin); err != nil {
		return fmt.Errorf("%w: run `make build`, or name the program with -picket", err)
	}
	if o.events < 10_000 || o.events > 20_000_000 {
		return errors.New("-events takes 10000 to 20000000")
	}
	if o.dur < time.Second || o.dur > 10*time.Minute || o.rounds < 1 || o.rounds > 50 {
		return errors.New("-for takes 1s to 10m, -incidents 1 to 50")
	}
	var all []line
	known := false
	for _, p := range []part{{"trips", trips}, {"collector", collector}, {"incident", incidents}, {"victoria", race}} {
		if only != "" && only != p.name {
			continue
		}
		known = true
		start := time.Now()
		lines, err := p.run(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(o.log, "%s: %s\n", p.name, time.Since(start).Round(time.Second))
		all = append(all, lines...)
	}
	if !known {
		return fmt.Errorf("-only %s: give trips, collector, incident or victoria", only)
	}
	return show(os.Stdout, all)
}

func show(out io.Writer, lines []line) error {
	fmt.Fprintf(out, "%d processors, %s, %s\n\n", runtime.GOMAXPROCS(0), cpuModel(), runtime.Version())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "measure\tvalue\tbeside it\tratio\tgoal\t")
	for _, l := range lines {
		mark := ""
		if l.goal != "" {
			mark = "missed"
			if l.met {
				mark = "met"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", l.what, l.value, l.peer, l.ratio, l.goal, mark)
	}
	return w.Flush()
}

func cpuModel() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for _, l := range strings.Split(string(b), "\n") {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}
