package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ledger is a client's own record of what was acknowledged: each line synced before the next request.
type ledger struct {
	mu sync.Mutex
	f  *os.File
}

func newLedger(t *testing.T, name string) *ledger {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &ledger{f: f}
}

func (l *ledger) note(ids ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := io.WriteString(l.f, strings.Join(ids, "\n")+"\n"); err != nil {
		return err
	}
	return l.f.Sync()
}

func (l *ledger) read(t *testing.T) []string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var out []string
	sc := bufio.NewScanner(l.f)
	for sc.Scan() {
		out = append(out, sc.Text())
	}
	return out
}

// TestCrashLosesNothingAcknowledged kills the server without warning, again and again, while clients trip a
// token and send rows, and then counts: every acknowledged trip and row is there, none twice; every
// notification has become a row by way of the playbook; every run has ended; a rule window has one incident.
func TestCrashLosesNothingAcknowledged(t *testing.T) {
	need(t, "PICKET_CRASH")
	kills, err := strconv.Atoi(os.Getenv("PICKET_CRASH"))
	if err != nil {
		t.Fatalf("PICKET_CRASH=%q: give the number of kills", os.Getenv("PICKET_CRASH"))
	}
	s := newServer(t)
	trips, rows := newLedger(t, "trips"), newLedger(t, "rows")
	tripPath := s.tripPath()
	var inflight, killedInFlight atomic.Int64
	seq := atomic.Int64{}

	load := func(ctx context.Context) *sync.WaitGroup {
		var wg sync.WaitGroup
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
		for i := 0; i < 4; i++ {
			wg.Add(2)
			go func() {
				defer wg.Done()
				for ctx.Err() == nil {
					id := fmt.Sprint("t", seq.Add(1))
					inflight.Add(1)
					res, err := client.Get(s.TripURL + tripPath + "?n=" + id)
					inflight.Add(-1)
					if err != nil {
						time.Sleep(20 * time.Millisecond)
						continue
					}
					res.Body.Close()
					if err := trips.note(id); err != nil {
						t.Error(err)
						return
					}
				}
			}()
			go func() {
				defer wg.Done()
				for ctx.Err() == nil {
					var ids []string
					var b strings.Builder
					b.WriteByte('[')
					for k := 0; k < 20; k++ {
						id := fmt.Sprint("r", seq.Add(1))
						ids = append(ids, id)
						if k > 0 {
							b.WriteByte(',')
						}
						fmt.Fprintf(&b, `{"id":%q,"n":%d}`, id, k)
					}
					b.WriteByte(']')
					req, err := newCollectorCall(s, "Crash", []byte(b.String())).request(s.HTTPURL)
					if err != nil {
						t.Error(err)
						return
					}
					inflight.Add(1)
					res, err := client.Do(req)
					inflight.Add(-1)
					if err != nil {
						time.Sleep(20 * time.Millisecond)
						continue
					}
					res.Body.Close()
					if res.StatusCode != 200 {
						t.Errorf("collector answered %d", res.StatusCode)
						return
					}
					if err := rows.note(ids...); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		return &wg
	}

	rnd := rand.New(rand.NewSource(1))
	for k := 0; k < kills; k++ {
		ctx, cancel := context.WithCancel(context.Background())
		wg := load(ctx)
		time.Sleep(time.Duration(50+rnd.Intn(900)) * time.Millisecond)
		if inflight.Load() > 0 {
			killedInFlight.Add(1)
		}
		s.kill()
		cancel()
		wg.Wait()
		s.start()
		if t.Failed() {
			t.FailNow()
		}
	}
	if n := killedInFlight.Load(); n < int64(kills)/2 {
		t.Errorf("only %d of %d kills had requests in flight", n, kills)
	}

	// What is still under way comes to its end.
	eventually(t, 2*time.Minute, "the trips reach the table", func() bool {
		n := s.rows(`CanaryTrips | count`)
		return fmt.Sprint(n[0]["Count"]) != "0" && len(missingIDs(trips.read(t), s.ids(`CanaryTrips | project id = tostring(RequestArgs.n), Count`))) == 0
	})
	check := func(what string, acked []string, got map[string]int) {
		if m := missingIDs(acked, got); len(m) > 0 {
			t.Errorf("%d of %d acknowledged %s are lost: %v…", len(m), len(acked), what, m[:min(len(m), 5)])
		}
		for id, n := range got {
			if n > 1 {
				t.Errorf("%s %s is there %d times", what, id, n)
			}
		}
		t.Logf("%s: %d acknowledged, %d stored", what, len(acked), len(got))
	}
	check("trips", trips.read(t), s.ids(`CanaryTrips | project id = tostring(RequestArgs.n), Count`))
	check("rows", rows.read(t), s.ids(`Crash_CL | project id = id_s, Count = 1`))

	// Every notification became a webhook, every webhook a run, every run ended.
	eventually(t, 3*time.Minute, "every run ends", func() bool {
		out := s.run("playbook", "runs", "Ingest-CanaryTokens")
		return !strings.Contains(out, "Running") && !strings.Contains(out, "Waiting")
	})
	eventually(t, 2*time.Minute, "every notification has its row", func() bool {
		n := s.rows(`CanaryTrips | where NotificationId != "" | summarize n = dcount(NotificationId)`)
		r := s.rows(`CanaryTokens_CL | count`)
		a, _ := strconv.Atoi(fmt.Sprint(n[0]["n"]))
		b, _ := strconv.Atoi(fmt.Sprint(r[0]["Count"]))
		return a > 0 && b >= a
	})
	alerts := s.rows(`SecurityAlert | extend w = tostring(parse_json(ExtendedProperties)["Query End Time UTC"]) | summarize dcount(SystemAlertId) by w`)
	for _, a := range alerts {
		if fmt.Sprint(a["dcount_SystemAlertId"]) != "1" {
			t.Errorf("window %v has %v alerts", a["w"], a["dcount_SystemAlertId"])
		}
	}
	if n := len(s.incidents()); n != len(alerts) {
		t.Errorf("%d incidents for %d windows", n, len(alerts))
	}
}

// tripPath is the path that the walk-through's document fetches.
func (s *server) tripPath() string {
	s.t.Helper()
	var tok struct {
		URL string `json:"url"`
	}
	s.call("GET", "/api/v1/tokens/"+s.TokenID, nil, &tok)
	path := strings.TrimPrefix(tok.URL, s.TripURL)
	if path == tok.URL || path == "" {
		s.t.Fatalf("the token's URL %q is not below %s", tok.URL, s.TripURL)
	}
	return path
}

// ids counts how often each id is there; Count weighs rows that stand for several calls.
func (s *server) ids(kql string) map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, r := range s.rows(kql) {
		id := fmt.Sprint(r["id"])
		if id == "" {
			continue
		}
		n, _ := strconv.Atoi(fmt.Sprint(r["Count"]))
		out[id] += n
	}
	return out
}

func missingIDs(want []string, got map[string]int) []string {
	var out []string
	for _, id := range want {
		if got[id] == 0 {
			out = append(out, id)
		}
	}
	return out
}
