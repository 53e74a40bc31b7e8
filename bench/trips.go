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
	"path/filepath"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

const (
	tripSenders = 32
	tripTokens  = 16 // so that no token meets its own limit
	tripBytes   = 600
)

// trips measures trips over HTTP by many connections, from many addresses behind a trusted proxy, to tokens whose
// webhook fails after a second, until each is a row with its place.
func trips(ctx context.Context, o options) ([]line, error) {
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Second)
		w.WriteHeader(http.StatusInternalServerError)
	})}
	go func() { _ = web.Serve(sink) }()
	defer web.Close()
	s, err := start(ctx, o, "--trusted-proxies", "127.0.0.0/8", "--outbound", "127.0.0.0/8")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	places := filepath.Join(s.data, "..", "places.csv")
	csv := "start,end,country,region,city,lat,lon,asn,name\n198.18.0.0,198.19.255.255,ZA,Western Cape,Cape Town,-33.9,18.4,64500,Bench\n"
	if err := os.WriteFile(places, []byte(csv), 0o600); err != nil {
		return nil, err
	}
	if _, err := s.command(ctx, "geo", "import", places); err != nil {
		return nil, err
	}
	urls := make([]string, tripTokens)
	for i := range urls {
		out, err := s.command(ctx, "canary", "new", "--kind", "web", "--memo", fmt.Sprintf("FS%02d,,,,bench", i), "--webhook", "http://"+sink.Addr().String()+"/hook", "--json")
		if err != nil {
			return nil, err
		}
		var made struct {
			Token struct {
				URL string `json:"url"`
			} `json:"token"`
		}
		if err := json.Unmarshal([]byte(out), &made); err != nil || made.Token.URL == "" {
			return nil, fmt.Errorf("canary new says %.200s: %w", out, err)
		}
		urls[i] = made.Token.URL
	}

	serial, grouped, err := appendFloor(ctx, filepath.Dir(s.data), min(3*time.Second, o.dur))
	if err != nil {
		return nil, err
	}

	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: tripSenders}}
	defer client.CloseIdleConnections()
	var next, acked atomic.Int64
	lat := make([][]time.Duration, tripSenders)
	errs := make([]error, tripSenders)
	from, err := s.cpu()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	var wg sync.WaitGroup
	for k := range tripSenders {
		wg.Go(func() {
			for time.Since(begin) < o.dur && ctx.Err() == nil {
				i := int(next.Add(1))
				req, err := http.NewRequestWithContext(ctx, "GET", urls[i%tripTokens], nil)
				if err != nil {
					errs[k] = err
					return
				}
				req.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", i/250%250, i%250))
				req.Header.Set("User-Agent", "Mozilla/4.0 (compatible; ms-office; MSOffice 16)")
				at := time.Now()
				res, err := client.Do(req)
				if err != nil {
					errs[k] = err
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				lat[k] = append(lat[k], time.Since(at))
				acked.Add(1)
			}
		})
	}
	wg.Wait()
	sent := time.Since(begin)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	n := int(acked.Load())
	stored := 0
	err = until(ctx, time.Minute, func() (bool, error) {
		var err error
		stored, err = s.number(ctx, `CanaryTrips | where Kind == "web" and CountryCode == "ZA" and City == "Cape Town" | count`)
		return stored >= n, err
	})
	if err != nil {
		return nil, fmt.Errorf("%d of %d acknowledged trips are enriched rows: %w", stored, n, err)
	}
	total := time.Since(begin)
	to, err := s.cpu()
	if err != nil {
		return nil, err
	}
	if stored != n {
		return nil, fmt.Errorf("%d trips were acknowledged and %d rows are stored", n, stored)
	}
	var all []time.Duration
	for _, l := range lat {
		all = append(all, l...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	p50, p99 := all[len(all)/2], all[len(all)*99/100]
	ackRate, rowRate := float64(n)/sent.Seconds(), float64(n)/total.Seconds()
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
	return []line{
		{"trips acknowledged, on disk", fmt.Sprintf("%.0f/s", ackRate), fmt.Sprintf("%.0f/s append + fsync, one by one", serial), fmt.Sprintf("%.2f", ackRate/serial), "≥ 1000/s", ackRate >= 1000},
		{"", "", fmt.Sprintf("%.0f/s append + fsync, %d writers", grouped, tripSenders), fmt.Sprintf("%.2f", ackRate/grouped), "", false},
		{"trips as enriched rows", fmt.Sprintf("%.0f/s", rowRate), fmt.Sprintf("last row %.1f s after the last answer", (total - sent).Seconds()), "", "≥ 1000/s", rowRate >= 1000},
		{"trips a CPU second", fmt.Sprintf("%.0f", float64(n)/(to-from).Seconds()), "", "", "", false},
		{"trip answered, p50", ms(p50), "", "", "", false},
		{"trip answered, p99", ms(p99), "", "", "< 50 ms", p99 < 50*time.Millisecond},
		{"memory of the server at most", fmt.Sprintf("%d MiB", s.peakMemory()), "", "", "", false},
	}, nil
}

// appendFloor measures what the disk gives: records appended and synced one by one, and by writers who share a sync
// as a log with group commit does, without any server around.
func appendFloor(ctx context.Context, dir string, dur time.Duration) (serial, grouped float64, err error) {
	f, err := os.CreateTemp(dir, "floor-")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	rec := make([]byte, tripBytes)
	n := 0
	begin := time.Now()
	for time.Since(begin) < dur && ctx.Err() == nil {
		if _, err := f.Write(rec); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		n++
	}
	serial = float64(n) / time.Since(begin).Seconds()

	queue := make(chan chan error, tripSenders)
	var wg sync.WaitGroup
	var done atomic.Int64
	begin = time.Now()
	stop := make(chan struct{})
	for range tripSenders {
		wg.Go(func() {
			answer := make(chan error, 1)
			for time.Since(begin) < dur && ctx.Err() == nil {
				queue <- answer
				if <-answer != nil {
					return
				}
				done.Add(1)
			}
		})
	}
	go func() { wg.Wait(); close(stop) }()
	for {
		var waiting []chan error
		select {
		case a := <-queue:
			waiting = append(waiting, a)
		case <-stop:
			return serial, float64(done.Load()) / time.Since(begin).Seconds(), errors.Join(err, ctx.Err())
		}
		for more := true; more; {
			select {
			case a := <-queue:
				waiting = append(waiting, a)
			default:
				more = false
			}
		}
		if err == nil {
			if _, err = f.Write(make([]byte, tripBytes*len(waiting))); err == nil {
				err = f.Sync()
			}
		}
		for _, a := range waiting {
			a <- err
		}
	}
}
