package canary

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"picket/canary/trip"
	"picket/state"
	"sort"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkTrips measures durable trips by 32 connections over HTTP while the webhook sink answers 500 after a
// second: trips/s and the 99th percentile of the answer time. Rows are committed by the tailer meanwhile.
func BenchmarkTrips(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Second)
		w.WriteHeader(500)
	}))
	defer sink.Close()
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	dir := b.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db, err := state.Open(ctx, filepath.Join(dir, "state.db"), Migrations())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	log, err := trip.OpenLog(filepath.Join(dir, "trips"), trip.LogOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	l := &lake{}
	s, err := New(ctx, Deps{State: db, Trips: log, TripURL: "http://127.0.0.1", AppendTrips: l.append, CommittedMarks: l.committed, AllowWebhooks: local})
	if err != nil {
		b.Fatal(err)
	}
	srv, err := trip.NewServer(trip.Options{Log: log, Known: s.Known, TrustedProxies: local, PerToken: trip.Rate{PerSecond: 1e6, Burst: 1e6}})
	if err != nil {
		b.Fatal(err)
	}
	ts := httptest.NewServer(srv.Handler())
	defer ts.Close()
	c, err := s.Create(ctx, CreateRequest{Kind: "web", Memo: "FS01,,,,benchmark", Webhook: sink.URL})
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Add(1)
	go func() { defer wg.Done(); s.Run(ctx) }()
	const conns = 32
	cl := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns}}
	var next atomic.Int64
	lat := make([]time.Duration, b.N)
	b.ResetTimer()
	var cw sync.WaitGroup
	for range conns {
		cw.Add(1)
		go func() {
			defer cw.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				req, _ := http.NewRequest("GET", ts.URL+"/a/"+c.ID+"/x.png", nil)
				req.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", i/250%250, i%250))
				at := time.Now()
				res, err := cl.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				lat[i] = time.Since(at)
			}
		}()
	}
	cw.Wait()
	b.StopTimer()
	sort.Slice(lat, func(i, j int) bool { return lat[i] < lat[j] })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "trips/s")
	b.ReportMetric(float64(lat[len(lat)*99/100].Microseconds())/1000, "p99-ms")
	at := time.Now()
	for len(l.all()) < b.N && time.Since(at) < 30*time.Second {
		time.Sleep(10 * time.Millisecond)
	}
	b.ReportMetric(time.Since(at).Seconds(), "s-until-all-rows")
	b.ReportMetric(float64(log.Stats().Fsyncs), "fsyncs")
	if len(l.all()) != b.N {
		b.Errorf("%d rows of %d trips", len(l.all()), b.N)
	}
	cancel()
	wg.Wait()
}
