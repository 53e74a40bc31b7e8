package canary

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"picket/canary/trip"
	"picket/kql/value"
	"picket/state"
	"strings"
	"sync"
	"testing"
	"time"
)

// lake is a table in memory that commits rows and marks together.
type lake struct {
	mu    sync.Mutex
	rows  []Trip
	marks []Mark
	fail  func() error
}

func (l *lake) append(_ context.Context, f *value.Frame, marks []Mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(); err != nil {
			return err
		}
	}
	ts, err := TripsOf(f)
	if err != nil {
		return err
	}
	l.rows = append(l.rows, ts...)
	l.marks = append(l.marks, marks...)
	return nil
}

func (l *lake) committed(context.Context) ([]Mark, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Mark{}, l.marks...), nil
}

func (l *lake) query(_ context.Context, q TripQuery) (*value.Frame, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ts []Trip
	for _, t := range l.rows {
		if t.Token == q.Token && t.Time.Before(q.Before) {
			ts = append(ts, t)
		}
	}
	return TripFrame(newest(ts, q.Limit)), nil
}

func (l *lake) all() []Trip {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Trip{}, l.rows...)
}

// bench is a service with its trip server on loopback.
type bench struct {
	*Service
	lake *lake
	log  *trip.Log
	url  string // of the trip server
	srv  *trip.Server
}

// newBench starts everything; change edits the dependencies before.
func newBench(t testing.TB, change func(*Deps)) *bench {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		t.Fatal(err)
	}
	log, err := trip.OpenLog(filepath.Join(dir, "trips"), trip.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{lake: &lake{}, log: log, url: "http://" + ln.Addr().String()}
	d := Deps{
		State: db, Trips: log, TripURL: b.url, PublicURL: "https://picket.example", DNSDomain: "t.example.org",
		AppendTrips: b.lake.append, CommittedMarks: b.lake.committed, QueryTrips: b.lake.query,
	}
	if testing.Verbose() {
		d.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if change != nil {
		change(&d)
	}
	if b.Service, err = New(ctx, d); err != nil {
		t.Fatal(err)
	}
	if b.srv, err = trip.NewServer(trip.Options{Log: log, Known: b.Known, Domain: d.DNSDomain}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); b.srv.ServeHTTP(ctx, ln) }()
	go func() { defer wg.Done(); b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		log.Close()
		db.Close()
	})
	return b
}

func (b *bench) create(t testing.TB, r CreateRequest) Created {
	t.Helper()
	if r.Kind == "" {
		r.Kind = "web"
	}
	if r.Memo == "" {
		r.Memo = `FS01,,,T:\departments\sales\hipospecials,token placed on FS01 available to all corporate employees and vendors`
	}
	c, err := b.Create(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hit makes one request and fails the test if it is not answered.
func hit(t testing.TB, method, url, ua string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ua != "" {
		req.Header.Set("User-Agent", ua)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited 20 s in vain: %s", what)
}

func (b *bench) rowsOf(token string) []Trip {
	var out []Trip
	for _, r := range b.lake.all() {
		if r.Token == token {
			out = append(out, r)
		}
	}
	return out
}

// sink records webhooks.
type sink struct {
	mu     sync.Mutex
	got    []sinkCall
	status func(n int) int
}

type sinkCall struct {
	header http.Header
	body   []byte
	path   string
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var sb strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		sb.Write(buf[:n])
		if err != nil {
			break
		}
	}
	s.mu.Lock()
	s.got = append(s.got, sinkCall{r.Header.Clone(), []byte(sb.String()), r.URL.Path})
	st := 200
	if s.status != nil {
		st = s.status(len(s.got))
	}
	s.mu.Unlock()
	w.WriteHeader(st)
	fmt.Fprintln(w, "ok")
}

func (s *sink) calls() []sinkCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sinkCall{}, s.got...)
}
