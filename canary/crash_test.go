package canary

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"picket/canary/trip"
	"picket/kql/value"
	"picket/state"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// diskLake is a table on disk that commits rows and marks in one transaction.
type diskLake struct{ db *state.DB }

func openDiskLake(ctx context.Context, path string) (*diskLake, error) {
	db, err := state.Open(ctx, path, []state.Migration{{Room: "lake", Step: 1, SQL: `CREATE TABLE r(id TEXT, n TEXT, note TEXT); CREATE TABLE m(file TEXT, off INTEGER)`}})
	return &diskLake{db}, err
}

func (l *diskLake) append(ctx context.Context, f *value.Frame, marks []Mark) error {
	ts, err := TripsOf(f)
	if err != nil {
		return err
	}
	return l.db.Tx(ctx, func(tx *state.Tx) error {
		for _, t := range ts {
			if _, err := tx.ExecContext(ctx, `INSERT INTO r VALUES(?,?,?)`, t.ID, t.UserAgent, t.NotificationID); err != nil {
				return err
			}
		}
		for _, m := range marks {
			if _, err := tx.ExecContext(ctx, `INSERT INTO m VALUES(?,?)`, m.File, m.Offset); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *diskLake) committed(ctx context.Context) ([]Mark, error) {
	rows, err := l.db.Query(ctx, `SELECT file, off FROM m`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ms []Mark
	for rows.Next() {
		var m Mark
		if err := rows.Scan(&m.File, &m.Offset); err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, rows.Err()
}

// child is the process that gets killed.
func child(dir string) error {
	ctx := context.Background()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		return err
	}
	lake, err := openDiskLake(ctx, filepath.Join(dir, "lake.db"))
	if err != nil {
		return err
	}
	log, err := trip.OpenLog(filepath.Join(dir, "trips"), trip.LogOptions{FileBytes: 200 << 10})
	if err != nil {
		return err
	}
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s, err := New(ctx, Deps{
		State: db, Trips: log, TripURL: "http://127.0.0.1", AppendTrips: lake.append, CommittedMarks: lake.committed,
		AllowWebhooks: local, Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	ts, _, err := s.List(ctx, Filter{})
	if err != nil {
		return err
	}
	if len(ts) == 0 {
		c, err := s.Create(ctx, CreateRequest{Kind: "web", Memo: "H,,,,crash test", Webhook: os.Getenv("PICKET_CANARY_SINK")})
		if err != nil {
			return err
		}
		ts = append(ts, c.Token)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv, err := trip.NewServer(trip.Options{Log: log, Known: s.Known, TrustedProxies: local})
	if err != nil {
		return err
	}
	fmt.Printf("READY http://%s/%s\n", ln.Addr(), ts[0].ID)
	go s.Run(ctx)
	return srv.ServeHTTP(ctx, ln)
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("PICKET_CANARY_CHILD"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKillNineLosesNothing(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("PICKET_CRASH")); err == nil && n > 0 {
		kills = n
	}
	dir := t.TempDir()
	var mu sync.Mutex
	told := map[string]int{} // notification → webhooks
	fails := 0
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m webhookMessage
		err := json.NewDecoder(r.Body).Decode(&m)
		mu.Lock()
		defer mu.Unlock()
		if err != nil || rand.IntN(50) == 0 {
			fails++
			w.WriteHeader(500)
			return
		}
		told[r.Header.Get(HeaderNotification)]++
	}))
	defer sink.Close()
	start := func() (*exec.Cmd, string) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PICKET_CANARY_CHILD="+dir, "PICKET_CANARY_SINK="+sink.URL)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "READY ") {
			t.Fatalf("child: %q, %v", line, err)
		}
		return cmd, strings.TrimSpace(line[6:])
	}
	stop := func(cmd *exec.Cmd) {
		cmd.Process.Kill() // SIGKILL
		cmd.Wait()
	}
	acked := map[string]bool{}
	n := 0
	for range kills {
		cmd, url := start()
		var wg sync.WaitGroup
		end := time.Now().Add(time.Duration(150+rand.IntN(250)) * time.Millisecond)
		for w := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				c := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
				for i := 0; ; i++ {
					mu.Lock()
					n++
					id := fmt.Sprintf("trip-%d", n)
					mu.Unlock()
					req, err := http.NewRequest("GET", url, nil)
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("User-Agent", id)
					req.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.%d.%d", w, i%250))
					res, err := c.Do(req)
					if err != nil {
						return // killed
					}
					res.Body.Close()
					mu.Lock()
					acked[id] = true
					mu.Unlock()
					time.Sleep(2 * time.Millisecond)
				}
			}()
		}
		time.Sleep(time.Until(end))
		stop(cmd)
		wg.Wait()
	}
	cmd, _ := start()
	defer stop(cmd)
	ctx := context.Background()
	lake, err := openDiskLake(ctx, filepath.Join(dir, "lake.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer lake.db.Close()
	type row struct{ id, n, note string }
	read := func() (out []row) {
		rows, err := lake.db.Query(ctx, `SELECT id, n, note FROM r`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.id, &r.n, &r.note); err != nil {
				t.Fatal(err)
			}
			out = append(out, r)
		}
		return out
	}
	missing := func() (string, bool) {
		have, notes := map[string]bool{}, map[string]bool{}
		for _, r := range read() {
			have[r.n] = true
			notes[r.note] = true
		}
		mu.Lock()
		defer mu.Unlock()
		for id := range acked {
			if !have[id] {
				return "row of " + id, true
			}
		}
		for note := range notes {
			if told[note] == 0 {
				return "webhook of " + note, true
			}
		}
		return "", false
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		what, bad := missing()
		if !bad {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("lost: %s", what)
		}
	}
	ids, ns := map[string]bool{}, map[string]bool{}
	for _, r := range read() {
		if ids[r.id] || ns[r.n] {
			t.Errorf("trip %s (%s) is there twice", r.n, r.id)
		}
		ids[r.id], ns[r.n] = true, true
	}
	mu.Lock()
	defer mu.Unlock()
	again := 0
	for _, k := range told {
		again += k - 1
	}
	t.Logf("%d kills: %d trips acknowledged, %d rows, %d notifications, %d told again, sink failed %d times", kills, len(acked), len(ids), len(told), again, fails)
}
