package e2e

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// footprint is what a running server takes.
type footprint struct {
	at       time.Duration
	rss      int64 // bytes
	files    int   // open file descriptors
	temp     int64 // bytes under folders for spilling and staging
	lakeFile int   // files of the lake
}

func (s *server) footprint(start time.Time) footprint {
	s.t.Helper()
	f := footprint{at: time.Since(start)}
	proc := fmt.Sprint("/proc/", s.cmd.Process.Pid)
	b, err := os.ReadFile(proc + "/status")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(l, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			f.rss = kb << 10
		}
	}
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		s.t.Fatal(err)
	}
	f.files = len(fds)
	err = filepath.WalkDir(s.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil // files come and go while it runs
		}
		rel := strings.TrimPrefix(path, s.data)
		if strings.Contains(rel, "spill") || strings.Contains(rel, "stage") || strings.Contains(rel, "tmp") {
			if i, err := e.Info(); err == nil {
				f.temp += i.Size()
			}
		}
		if strings.Contains(rel, "/lake/") {
			f.lakeFile++
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// TestSoak sends a little of everything for PICKET_SOAK (a duration) and holds that the server's memory, open files
// and temporary space do not grow: the last third is compared with the third before.
func TestSoak(t *testing.T) {
	need(t, "PICKET_SOAK")
	whole, err := time.ParseDuration(os.Getenv("PICKET_SOAK"))
	if err != nil {
		t.Fatalf("PICKET_SOAK: %v", err)
	}
	s := newServer(t)
	trip := s.tripPath()
	var token atomic.Value
	ways := senders(&token)
	client := &http.Client{Timeout: 30 * time.Second, Transport: s.http.Transport}
	ctx, cancel := context.WithTimeout(context.Background(), whole)
	defer cancel()
	syslog, err := net.Dial("tcp", s.SyslogTCP)
	if err != nil {
		t.Fatal(err)
	}
	defer syslog.Close()
	questions := []string{
		`SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentName | count`,
		`union withsource=T isfuzzy=true MixedA_CL, mixedhec_CL, Syslog | summarize n=count() by T, bin(TimeGenerated, 1m) | sort by n desc`,
		`MixedA_CL | extend p=pack_all() | mv-expand k=bag_keys(p) to typeof(string) | summarize count() by k`,
		`MixedA_CL | where TimeGenerated > ago(10m) | join kind=inner (MixedA_CL | where TimeGenerated > ago(10m) | project Level_d, id_s) on Level_d | count`,
		`Syslog | make-series n=count() on TimeGenerated from ago(1h) to now() step 1m | extend series_decompose_anomalies(n)`,
		`MixedA_CL | where id_s contains "no such thing" or nosuchcolumn_s == 1`, // refused
	}
	start := time.Now()
	var prints []footprint
	sent, refused := 0, 0
	for i := 0; ctx.Err() == nil; i++ {
		if i%600 == 0 {
			tok, err := s.bearer("https://monitor.azure.com/.default")
			if err != nil {
				t.Fatal(err)
			}
			token.Store(tok)
		}
		for _, w := range ways {
			ids := make([]string, w.rows)
			for k := range ids {
				ids[k] = fmt.Sprintf("s%d-%d", i, k)
			}
			req, err := w.make(s, ids)
			if err != nil {
				t.Fatal(err)
			}
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if sent++; !w.took(res.StatusCode, body) {
				refused++
				t.Logf("%s answered %d %s", w.name, res.StatusCode, tail(string(body), 200))
			}
		}
		if _, err := fmt.Fprintf(syslog, "<38>1 2026-11-24T07:08:09Z web%d sshd %d - - Failed password for root\n", i%3, i); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			res, err := client.Get(s.TripURL + trip + "?n=soak" + strconv.Itoa(i))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
		q := questions[i%len(questions)]
		if code := s.call("POST", "/v1/workspaces/"+s.WorkspaceID+"/query", map[string]string{"query": q}, nil); code != 200 && !strings.Contains(q, "nosuch") {
			t.Errorf("%s answered %d", q, code)
		}
		if n := time.Duration(len(prints)); time.Since(start) > whole*n/60 {
			prints = append(prints, s.footprint(start))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if len(prints) < 12 {
		t.Fatalf("only %d looks in %s", len(prints), whole)
	}
	third := len(prints) / 3
	median := func(list []footprint, f func(footprint) int64) int64 {
		var v []int64
		for _, p := range list {
			v = append(v, f(p))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	for _, m := range []struct {
		name  string
		f     func(footprint) int64
		slack int64 // that it may grow beside a tenth
	}{
		{"resident memory", func(p footprint) int64 { return p.rss }, 32 << 20},
		{"open files", func(p footprint) int64 { return int64(p.files) }, 16},
		{"temporary bytes", func(p footprint) int64 { return p.temp }, 8 << 20},
	} {
		before, after := median(prints[third:2*third], m.f), median(prints[2*third:], m.f)
		t.Logf("%s: %d in the middle third, %d in the last", m.name, before, after)
		if after > before+before/10+m.slack {
			t.Errorf("%s grow from %d to %d", m.name, before, after)
		}
	}
	first, last := prints[0], prints[len(prints)-1]
	t.Logf("%d requests, %d refused, in %s; first %+v, last %+v", sent, refused, whole, first, last)
}
