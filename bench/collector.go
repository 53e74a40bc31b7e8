package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"path/filepath"
	"picket/azure"
	"picket/lake/duck"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	batchSenders = 2
	rounds       = 3
)

// batch makes a megabyte of rows of 20 columns.
func batch(seed int64) (body []byte, rows int) {
	var b strings.Builder
	r := rand.New(rand.NewSource(seed))
	b.WriteByte('[')
	for b.Len() < 1<<20 {
		if rows++; rows > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ts":"2026-11-24T0%d:%02d:%02d.%03dZ"`, r.Intn(10), r.Intn(60), r.Intn(60), r.Intn(1000))
		for i := range 12 {
			fmt.Fprintf(&b, `,"str%d":"value-%d-%d"`, i, i, r.Intn(100000))
		}
		for i := range 5 {
			fmt.Fprintf(&b, `,"num%d":%d`, i, r.Intn(1e6))
		}
		fmt.Fprintf(&b, `,"ok":%v,"id":"%08x-1234-4321-8888-%012x"}`, r.Intn(2) == 0, r.Uint32(), r.Int63n(1<<40))
	}
	b.WriteByte(']')
	return []byte(b.String()), rows
}

// collector measures signed batches over HTTP, acknowledged after commit, in turns with DuckDB alone reading the
// same bytes, inserting and committing. Both are counted in rows a second of their own processor time.
func collector(ctx context.Context, o options) ([]line, error) {
	s, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	bodies := make([][]byte, 4)
	rows := make([]int, len(bodies))
	for i := range bodies {
		bodies[i], rows[i] = batch(int64(i + 1))
	}
	raw, err := newPeer(ctx, filepath.Dir(s.data))
	if err != nil {
		return nil, err
	}
	defer raw.close()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: batchSenders}}
	defer client.CloseIdleConnections()
	if err := s.send(ctx, client, bodies[0]); err != nil { // makes the table
		return nil, err
	}
	if err := raw.insert(ctx, bodies[0]); err != nil {
		return nil, err
	}
	sentRows := rows[0]
	var mine, peer, wall time.Duration
	var mineRows, peerRows int
	for range rounds {
		from, err := s.cpu()
		if err != nil {
			return nil, err
		}
		n, took, err := s.sendFor(ctx, client, bodies, rows, o.dur/rounds)
		if err != nil {
			return nil, err
		}
		mineRows, wall = mineRows+n, wall+took
		select { // what the server still does for these rows counts
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		to, err := s.cpu()
		if err != nil {
			return nil, err
		}
		mine += to - from
		at := selfCPU()
		for begin, i := time.Now(), 0; time.Since(begin) < o.dur/rounds/2; i++ {
			if err := raw.insert(ctx, bodies[i%len(bodies)]); err != nil {
				return nil, err
			}
			peerRows += rows[i%len(bodies)]
		}
		peer += selfCPU() - at
	}
	sentRows += mineRows
	stored, err := s.number(ctx, "Bench_CL | count")
	if err != nil {
		return nil, err
	}
	if stored != sentRows {
		return nil, fmt.Errorf("%d rows were acknowledged and %d are stored", sentRows, stored)
	}
	a, b := float64(mineRows)/mine.Seconds(), float64(peerRows)/peer.Seconds()
	rate := float64(mineRows) / wall.Seconds()
	return []line{
		{"collector rows, acknowledged", fmt.Sprintf("%.0f/s", rate), "", "", "≥ 50000/s", rate >= 50000},
		{"collector rows a CPU second", fmt.Sprintf("%.0f", a), fmt.Sprintf("%.0f DuckDB alone", b), fmt.Sprintf("%.2f", a/b), "≥ 0.50", a/b >= 0.5},
		{"memory of the server at most", fmt.Sprintf("%d MiB", s.peakMemory()), "", "", "", false},
	}, nil
}

// sendFor sends batches for a while and gives the rows that were acknowledged.
func (s *server) sendFor(ctx context.Context, client *http.Client, bodies [][]byte, rows []int, dur time.Duration) (n int, took time.Duration, err error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, batchSenders), make([]error, batchSenders)
	begin := time.Now()
	for k := range batchSenders {
		wg.Go(func() {
			for i := k; time.Since(begin) < dur && errs[k] == nil; i++ {
				if errs[k] = s.send(ctx, client, bodies[i%len(bodies)]); errs[k] == nil {
					counts[k] += rows[i%len(bodies)]
				}
			}
		})
	}
	wg.Wait()
	for _, c := range counts {
		n += c
	}
	return n, time.Since(begin), errors.Join(errs...)
}

// send posts one signed batch.
func (s *server) send(ctx context.Context, client *http.Client, body []byte) error {
	date := time.Now().UTC().Format(http.TimeFormat)
	sig, err := azure.SharedKeySignature(s.SharedKey, len(body), "application/json", date)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", s.HTTPURL+"/api/logs?api-version=2016-04-01", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "SharedKey "+s.WorkspaceID+":"+base64.StdEncoding.EncodeToString(sig))
	req.Header.Set("x-ms-date", date)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Log-Type", "Bench")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the collector answers %d %.300s", res.StatusCode, b)
	}
	return nil
}

func selfCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for an unknown who
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peerDB is DuckDB alone, told the types of the columns.
type peerDB struct {
	db   *duck.DB
	c    *duck.Conn
	file string
	sql  string
}

func newPeer(ctx context.Context, dir string) (*peerDB, error) {
	p := &peerDB{file: filepath.Join(dir, "body.json")}
	var err error
	p.db, err = duck.Open(filepath.Join(dir, "peer.duckdb"), map[string]string{"threads": "2", "memory_limit": "1GB", "preserve_insertion_order": "false"})
	if err != nil {
		return nil, err
	}
	if p.c, err = p.db.Conn(); err != nil {
		p.db.Close()
		return nil, err
	}
	cols, ddl := "ts: 'TIMESTAMPTZ'", "ts TIMESTAMPTZ"
	add := func(name, typ string) {
		cols += ", " + name + ": '" + typ + "'"
		ddl += ", " + name + " " + typ
	}
	for i := range 12 {
		add(fmt.Sprintf("str%d", i), "VARCHAR")
	}
	for i := range 5 {
		add(fmt.Sprintf("num%d", i), "DOUBLE")
	}
	add("ok", "BOOLEAN")
	add("id", "VARCHAR")
	p.sql = "BEGIN; INSERT INTO peer SELECT * FROM read_json('" + strings.ReplaceAll(p.file, "'", "''") + "', format='array', columns={" + cols + "}, compression='uncompressed'); COMMIT"
	if _, err := p.c.Exec(ctx, "SET TimeZone='UTC'; CREATE TABLE peer("+ddl+")"); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *peerDB) insert(ctx context.Context, body []byte) error {
	if err := os.WriteFile(p.file, body, 0o600); err != nil {
		return err
	}
	_, err := p.c.Exec(ctx, p.sql)
	return err
}

func (p *peerDB) close() {
	p.c.Close()
	p.db.Close()
}
