package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"picket/lake"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	raceSenders = 2
	raceUsers   = 5
	raceRepeats = 5               // of each question; the best counts
	raceWhile   = 8 * time.Second // of ingestion with and without users
	raceThink   = time.Second     // between a user's answer and the next question
)

// racer is one of the two servers.
type racer struct {
	name string
	post func(ctx context.Context, b raceBody) error
	one  func(ctx context.Context, event []byte) error // a single event
	ask  func(ctx context.Context, q string) ([]byte, error)
	pid  func() int
}

// race holds picket against VictoriaLogs: the same events, sent as shippers send them, and the same questions. When the
// peer can't be had, that is said and nothing is measured.
func race(ctx context.Context, o options) ([]line, error) {
	bin, err := buildVictoria(ctx, o)
	if err != nil {
		fmt.Fprintf(o.log, "victoria: not measured, because VictoriaLogs can't be built here: %v\n", err)
		return nil, nil
	}
	bodies, raw, err := raceBodies(o.events)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.stop()
	dcr, err := s.raceRule(ctx)
	if err != nil {
		return nil, err
	}
	v, err := startVictoria(ctx, bin, filepath.Dir(s.data))
	if err != nil {
		return nil, err
	}
	defer v.stop()
	mine, peer := s.racer(dcr), v.racer()

	var out []line
	a, err := mine.load(ctx, bodies)
	if err != nil {
		return nil, err
	}
	b, err := peer.load(ctx, bodies)
	if err != nil {
		return nil, err
	}
	out = append(out, compare("events a CPU second, durable", a, "%.0f", b, "VictoriaLogs, before it is durable", a/b, "≥ 0.70", a/b >= 0.7))
	for _, r := range []struct {
		r *racer
		q string
	}{{mine, "count"}, {peer, "* | stats count() n"}} {
		if err := r.r.holds(ctx, r.q, o.events); err != nil {
			return nil, err
		}
	}

	la, err := mine.lag(ctx, o.events, func(mark string) string { return `where Channel == "` + mark + `" | count` })
	if err != nil {
		return nil, err
	}
	lb, err := peer.lag(ctx, o.events, func(mark string) string { return `Channel:="` + mark + `" | stats count() n` })
	if err != nil {
		return nil, err
	}
	out = append(out, compare("acknowledged → queryable, ms", 1e3*la.Seconds(), "%.0f", 1e3*lb.Seconds(), "VictoriaLogs", la.Seconds()/lb.Seconds(), "< 1000 ms", la < time.Second))

	memory := s.peakMemory()
	x, sealed, y, err := settle(ctx, s, v)
	if err != nil {
		return nil, err
	}
	out = append(out, compare("bytes at rest a byte of JSON", float64(x)/float64(raw), "%.3f", float64(y)/float64(raw), "VictoriaLogs", float64(x)/float64(y), "≤ 0.60", float64(x)/float64(y) <= 0.6))

	out = append(out, compare("  of them sealed segments", float64(sealed)/float64(raw), "%.3f", float64(y)/float64(raw), "VictoriaLogs", float64(sealed)/float64(y), "", false))

	asked, err := huntBoth(ctx, o, mine, peer)
	if err != nil {
		return nil, err
	}
	out = append(out, asked...)
	during, err := whileAsked(ctx, mine, peer, bodies)
	if err != nil {
		return nil, err
	}
	out = append(out, during...)
	return append(out, line{"memory of the server at most", fmt.Sprintf("%d MiB", max(memory, s.peakMemory())), "", "", "", false}), nil
}

func compare(what string, a float64, format string, b float64, peer string, ratio float64, goal string, met bool) line {
	return line{what, fmt.Sprintf(format, a), fmt.Sprintf(format, b) + " " + peer, fmt.Sprintf("%.2f", ratio), goal, met}
}

// raceRule makes the rule whose stream takes the events, and gives its immutable id.
func (s *server) raceRule(ctx context.Context) (string, error) {
	var cols []map[string]string
	for _, f := range strings.Fields(raceColumns) {
		n, t, _ := strings.Cut(f, ":")
		cols = append(cols, map[string]string{"name": n, "type": t})
	}
	var out struct {
		Properties struct {
			ImmutableID string `json:"immutableId"`
		} `json:"properties"`
	}
	err := s.call(ctx, "PUT", "/subscriptions/"+s.SubscriptionID+"/resourceGroups/"+s.ResourceGroup+"/providers/Microsoft.Insights/dataCollectionRules/race?api-version=2023-03-11", map[string]any{
		"location": "local", "kind": "Direct", "properties": map[string]any{
			"streamDeclarations": map[string]any{"Custom-Race": map[string]any{"columns": cols}},
			"destinations":       map[string]any{"logAnalytics": []any{map[string]string{"workspaceResourceId": "/subscriptions/" + s.SubscriptionID + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" + s.WorkspaceName, "name": "ws"}}},
			"dataFlows":          []any{map[string]any{"streams": []string{"Custom-Race"}, "destinations": []string{"ws"}, "transformKql": "source", "outputStream": "Custom-" + raceTable}},
		},
	}, &out)
	return out.Properties.ImmutableID, err
}

func (s *server) racer(dcr string) *racer {
	send := func(ctx context.Context, body []byte, packed bool) error {
		req, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/dataCollectionRules/"+dcr+"/streams/Custom-Race?api-version=2023-01-01", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+s.Token)
		req.Header.Set("Content-Type", "application/json")
		if packed {
			req.Header.Set("Content-Encoding", "gzip")
		}
		return expect(s.http, req, http.StatusNoContent)
	}
	return &racer{
		name: "picket",
		post: func(ctx context.Context, b raceBody) error { return send(ctx, b.array, true) },
		one:  func(ctx context.Context, e []byte) error { return send(ctx, []byte("["+string(e)+"]"), false) },
		ask: func(ctx context.Context, q string) ([]byte, error) {
			var out json.RawMessage
			err := s.call(ctx, "POST", "/v1/workspaces/"+s.WorkspaceID+"/query", map[string]string{"query": raceTable + " | " + q}, &out)
			return out, err
		},
		pid: func() int { return s.cmd.Process.Pid },
	}
}

func (v *victoria) racer() *racer {
	send := func(ctx context.Context, body []byte, packed bool) error {
		req, err := http.NewRequestWithContext(ctx, "POST", v.url+"/insert/jsonline?_stream_fields=Computer&_time_field=TimeGenerated&_msg_field=Activity", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/stream+json")
		if packed {
			req.Header.Set("Content-Encoding", "gzip")
		}
		return expect(http.DefaultClient, req, http.StatusOK)
	}
	return &racer{
		name: "VictoriaLogs",
		post: func(ctx context.Context, b raceBody) error { return send(ctx, b.lines, true) },
		one:  func(ctx context.Context, e []byte) error { return send(ctx, append(e, '\n'), false) },
		ask: func(ctx context.Context, q string) ([]byte, error) {
			return v.get(ctx, "/select/logsql/query?query="+url.QueryEscape(q))
		},
		pid: func() int { return v.cmd.Process.Pid },
	}
}

func expect(c *http.Client, req *http.Request, status int) error {
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != status {
		return fmt.Errorf("%s answers %d: %.300s", req.URL.Path, res.StatusCode, b)
	}
	return nil
}

// load sends all events once and gives events a second of the server's processor time, with what it still does in the
// six seconds after the last answer, which is longer than VictoriaLogs keeps data in memory.
func (r *racer) load(ctx context.Context, bodies []raceBody) (float64, error) {
	from, err := cpuOf(r.pid())
	if err != nil {
		return 0, err
	}
	rows := 0
	for _, b := range bodies {
		rows += b.rows
	}
	var at atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, raceSenders)
	for k := range raceSenders {
		wg.Go(func() {
			for i := int(at.Add(1)) - 1; i < len(bodies) && errs[k] == nil; i = int(at.Add(1)) - 1 {
				errs[k] = r.post(ctx, bodies[i])
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("%s: %w", r.name, err)
	}
	select {
	case <-time.After(6 * time.Second):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	to, err := cpuOf(r.pid())
	return float64(rows) / (to - from).Seconds(), err
}

// holds says that the server answers with n.
func (r *racer) holds(ctx context.Context, q string, n int) error {
	return until(ctx, time.Minute, func() (bool, error) {
		b, err := r.ask(ctx, q)
		if err != nil {
			return false, fmt.Errorf("%s: %w", r.name, err)
		}
		got, err := r.number(b)
		if got > n {
			return false, fmt.Errorf("%s holds %d events of %d", r.name, got, n)
		}
		return got == n, err
	})
}

// number reads the one number of an answer.
func (r *racer) number(b []byte) (int, error) {
	rows, err := r.cells(b)
	if err != nil || len(rows) != 1 {
		return 0, fmt.Errorf("%s: no answer of one row: %.200s (%w)", r.name, b, err)
	}
	for _, c := range rows[0] {
		var n json.Number
		if json.Unmarshal([]byte(strings.Trim(string(c), `"`)), &n) == nil {
			i, err := n.Int64()
			return int(i), err
		}
	}
	return 0, fmt.Errorf("%s: no number: %.200s", r.name, b)
}

// cells reads an answer's rows.
func (r *racer) cells(b []byte) ([][]json.RawMessage, error) {
	if r.name == "picket" {
		var out struct {
			Tables []struct{ Rows [][]json.RawMessage }
		}
		if err := json.Unmarshal(b, &out); err != nil {
			return nil, err
		}
		if len(out.Tables) == 0 {
			return nil, errors.New("no table")
		}
		return out.Tables[0].Rows, nil
	}
	var rows [][]json.RawMessage
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, err
		}
		var row []json.RawMessage
		for _, c := range m {
			row = append(row, c)
		}
		rows = append(rows, row)
	}
	return rows, lines.Err()
}

// lag is the longest of five times from an answer to the first question that finds the event.
func (r *racer) lag(ctx context.Context, total int, q func(mark string) string) (worst time.Duration, err error) {
	for i := range 5 {
		mark := fmt.Sprintf("lag%d", i)
		e := bytes.Replace(raceEvent(nil, total/2+i, total), []byte(`"Channel":"Security"`), []byte(`"Channel":"`+mark+`"`), 1)
		if err := r.one(ctx, e); err != nil {
			return 0, fmt.Errorf("%s: %w", r.name, err)
		}
		begin := time.Now()
		if err := r.holds(ctx, q(mark), 1); err != nil {
			return 0, err
		}
		worst = max(worst, time.Since(begin))
	}
	return worst, nil
}

// questions are what five users ask again and again.
func questions(r *racer) []string {
	var out []string
	for _, i := range []int{0, 2, 4, 6, 9} {
		if r.name == "picket" {
			out = append(out, hunts[i].kql)
		} else {
			out = append(out, hunts[i].logsql)
		}
	}
	return out
}

// rate sends events for a while, with users or without, and gives events a second.
func (r *racer) rate(ctx context.Context, bodies []raceBody, users int) (perSecond float64, asked int64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var n, answers atomic.Int64
	var askers, wg sync.WaitGroup
	errs := make([]error, raceSenders+users)
	begin := time.Now()
	for k := range raceSenders {
		wg.Go(func() {
			for i := k; time.Since(begin) < raceWhile && errs[k] == nil; i += raceSenders {
				b := bodies[i%len(bodies)]
				if errs[k] = r.post(ctx, b); errs[k] == nil {
					n.Add(int64(b.rows))
				}
			}
		})
	}
	qs := questions(r)
	for u := range users {
		askers.Go(func() {
			for i := u; ctx.Err() == nil; i++ {
				if _, err := r.ask(ctx, qs[i%len(qs)]); err != nil {
					if ctx.Err() == nil {
						errs[raceSenders+u] = err
					}
					return
				}
				answers.Add(1)
				select {
				case <-time.After(raceThink):
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	stop()
	askers.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", r.name, err)
	}
	return float64(n.Load()) / took.Seconds(), answers.Load(), nil
}

// whileAsked measures how much five users slow ingestion down.
func whileAsked(ctx context.Context, mine, peer *racer, bodies []raceBody) ([]line, error) {
	var slow [2]float64
	var text [2]string
	for i, r := range []*racer{mine, peer} {
		alone, _, err := r.rate(ctx, bodies, 0)
		if err != nil {
			return nil, err
		}
		asked, answers, err := r.rate(ctx, bodies, raceUsers)
		if err != nil {
			return nil, err
		}
		slow[i] = 1 - asked/alone
		text[i] = fmt.Sprintf("%.0f%% slower, %.0f answers/s", 100*slow[i], float64(answers)/raceWhile.Seconds())
	}
	return []line{{"ingestion while five users ask", text[0], text[1] + " VictoriaLogs", "", "≤ 33%", slow[0] <= 1.0/3}}, nil
}

// settle ends picket, has its lake seal all rows, and starts it again; VictoriaLogs merges its parts. It gives what both
// then take on disk, and the part of picket's that is segments: the rest is room that the next rows use.
func settle(ctx context.Context, s *server, v *victoria) (mine, sealed, peer int64, err error) {
	s.end()
	dir := filepath.Join(s.data, "lake")
	lk, err := lake.Open(ctx, lake.Options{Dir: dir})
	if err != nil {
		return 0, 0, 0, err
	}
	if err := errors.Join(lk.Seal(ctx, raceTable), lk.Close()); err != nil {
		return 0, 0, 0, err
	}
	if mine, err = folderBytes(dir); err != nil {
		return 0, 0, 0, err
	}
	if sealed, err = folderBytes(filepath.Join(dir, "segments")); err != nil {
		return 0, 0, 0, err
	}
	if err := s.run(ctx); err != nil {
		return 0, 0, 0, err
	}
	for _, p := range []string{"/internal/force_flush", "/internal/force_merge"} {
		if _, err := v.get(ctx, p); err != nil {
			return 0, 0, 0, err
		}
	}
	last := int64(-1)
	for quiet := 0; quiet < 5; {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, 0, 0, ctx.Err()
		}
		if peer, err = folderBytes(v.data); err != nil {
			return 0, 0, 0, err
		}
		if quiet++; peer != last {
			quiet, last = 0, peer
		}
	}
	return mine, sealed, peer, nil
}

// huntBoth asks both all ten questions; the best of five wall times counts, and the answers must agree.
func huntBoth(ctx context.Context, o options, mine, peer *racer) ([]line, error) {
	var out []line
	faster := 0
	for _, h := range hunts {
		best := func(r *racer, q string) (time.Duration, string, error) {
			var least time.Duration
			var b []byte
			for i := range raceRepeats {
				begin := time.Now()
				var err error
				if b, err = r.ask(ctx, q); err != nil {
					return 0, "", fmt.Errorf("%s: %s: %w", r.name, h.name, err)
				}
				if took := time.Since(begin); i == 0 || took < least {
					least = took
				}
			}
			rows, err := r.cells(b)
			if err != nil {
				return 0, "", fmt.Errorf("%s: %s: %w", r.name, h.name, err)
			}
			if h.rows {
				return least, fmt.Sprintf("%d rows", len(rows)), nil
			}
			n, err := r.number(b)
			return least, fmt.Sprint(n), err
		}
		a, said, err := best(mine, h.kql)
		if err != nil {
			return nil, err
		}
		b, peerSaid, err := best(peer, h.logsql)
		if err != nil {
			return nil, err
		}
		if said != peerSaid {
			fmt.Fprintf(o.log, "victoria: the answers differ: %s: picket %s, VictoriaLogs %s\n", h.name, said, peerSaid)
		}
		if a < b {
			faster++
		}
		out = append(out, compare("  "+h.name+", ms", 1e3*a.Seconds(), "%.1f", 1e3*b.Seconds(), "VictoriaLogs", a.Seconds()/b.Seconds(), "", false))
	}
	return append([]line{{"hunting questions that are faster", fmt.Sprintf("%d of %d", faster, len(hunts)), "VictoriaLogs", "", "≥ 8 of 10", faster >= 8}}, out...), nil
}
