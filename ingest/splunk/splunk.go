// Package splunk takes events as Splunk's HTTP Event Collector does, into a table named after their index: index
// main → main_CL, a text event → event_s, fields of a JSON event as columns, time → TimeGenerated.
//
//	mux.Handle("/services/collector/", splunk.New(splunk.Options{Collect: in.Collect, Authenticate: auth}))
package splunk

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"picket/ingest"
	"picket/ingest/elastic"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody   = 30 << 20 // bytes of a request, packed and unpacked
	maxEvents = 100_000  // of one request
)

// Options of a handler.
type Options struct {
	Collect func(ctx context.Context, r ingest.CollectRequest) (ingest.Result, error)
	// Authenticate says whether a request may send.
	Authenticate func(r *http.Request) error
	// Resends knows requests that are sent again, whose events are then stored once; nil stores them each time.
	Resends *ingest.Resends
	// Quarantine keeps events that are refused with their reason (ingest.Ingest.Quarantine); nil keeps none.
	Quarantine func(ctx context.Context, table string, rs []ingest.Reject, opID string) error
}

// New makes the handler of /services/collector and what is below it.
func New(o Options) http.Handler {
	h := &handler{o}
	mux := http.NewServeMux()
	for _, p := range []string{"/services/collector", "/services/collector/event", "/services/collector/event/1.0"} {
		mux.HandleFunc("POST "+p, h.guard(h.events))
	}
	for _, p := range []string{"/services/collector/raw", "/services/collector/raw/1.0"} {
		mux.HandleFunc("POST "+p, h.guard(h.raw))
	}
	for _, p := range []string{"/services/collector/health", "/services/collector/health/1.0"} {
		mux.HandleFunc("GET "+p, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, 17, "HEC is healthy") })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 404, 404, r.Method+" "+r.URL.Path+" is not served")
	})
	return mux
}

type handler struct{ o Options }

// answer writes Splunk's form of an answer.
func answer(w http.ResponseWriter, status, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"text": text, "code": code}) // a failed write means that the client has gone
}

func (h *handler) guard(next func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			answer(w, 401, 2, "Token is required")
			return
		}
		if err := h.o.Authenticate(r); err != nil {
			answer(w, 403, 4, "Invalid token: "+err.Error())
			return
		}
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil && strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
			var z *gzip.Reader
			if z, err = gzip.NewReader(bytes.NewReader(raw)); err == nil {
				raw, err = io.ReadAll(io.LimitReader(z, maxBody+1))
			}
			if err == nil && len(raw) > maxBody {
				err = &http.MaxBytesError{Limit: maxBody}
			}
		}
		var big *http.MaxBytesError
		switch {
		case errors.As(err, &big):
			answer(w, 413, 27, fmt.Sprintf("Request entity too large: the limit is %d bytes", maxBody))
		case err != nil:
			answer(w, 400, 6, "Invalid data format: "+err.Error())
		case len(bytes.TrimSpace(raw)) == 0:
			answer(w, 400, 5, "No data")
		default:
			next(w, r, raw)
		}
	}
}

// event is one event of a request.
type event struct {
	Time       json.RawMessage            `json:"time"`
	Host       string                     `json:"host"`
	Source     string                     `json:"source"`
	SourceType string                     `json:"sourcetype"`
	Index      string                     `json:"index"`
	Event      json.RawMessage            `json:"event"`
	Fields     map[string]json.RawMessage `json:"fields"`
}

func (h *handler) events(w http.ResponseWriter, r *http.Request, raw []byte) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	var rows batch
	q := r.URL.Query()
	for n := 0; ; n++ {
		var e event
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		bad := func(code int, text string) { invalid(w, code, text, n) }
		switch {
		case err != nil:
			bad(6, "Invalid data format: "+err.Error())
			return
		case n >= maxEvents:
			bad(6, fmt.Sprintf("more than %d events", maxEvents))
			return
		case len(e.Event) == 0 || string(e.Event) == "null":
			bad(12, "Event field is required")
			return
		case string(e.Event) == `""`:
			bad(13, "Event field cannot be blank")
			return
		}
		for _, f := range []struct {
			v *string
			k string
		}{{&e.Host, "host"}, {&e.Source, "source"}, {&e.SourceType, "sourcetype"}, {&e.Index, "index"}} {
			if *f.v == "" {
				*f.v = q.Get(f.k)
			}
		}
		row, err := e.row()
		if err != nil {
			bad(6, err.Error())
			return
		}
		rows.add(elastic.LogType(or(e.Index, "splunk")), row)
	}
	h.store(w, r, raw, &rows)
}

// invalid says which event is wrong, counted from 0.
func invalid(w http.ResponseWriter, code int, text string, n int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(400)
	_ = json.NewEncoder(w).Encode(map[string]any{"text": text, "code": code, "invalid-event-number": n}) // see answer
}

// record is an event as a row, with its number in the request.
type record struct {
	row map[string]json.RawMessage
	n   int
}

// batch is the events of a request by their table, the tables in the order in which they come.
type batch struct {
	order  []string
	tables map[string][]record
	n      int
}

func (b *batch) add(table string, row map[string]json.RawMessage) {
	if b.tables == nil {
		b.tables = map[string][]record{}
	}
	if b.tables[table] == nil {
		b.order = append(b.order, table)
	}
	b.tables[table] = append(b.tables[table], record{row, b.n})
	b.n++
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func text(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		return json.RawMessage(`""`) // a string always marshals
	}
	return b
}

// row makes a record of an event: the fields of a JSON event, or event for any other, and what is known of it.
func (e *event) row() (map[string]json.RawMessage, error) {
	row := map[string]json.RawMessage{}
	var fields map[string]json.RawMessage
	if json.Unmarshal(e.Event, &fields) == nil && fields != nil {
		row = fields
	} else {
		row["event"] = e.Event
	}
	for k, v := range e.Fields {
		row[k] = v
	}
	for k, v := range map[string]string{"host": e.Host, "source": e.Source, "sourcetype": e.SourceType} {
		if v != "" {
			row[k] = text(v)
		}
	}
	if len(e.Time) > 0 && string(e.Time) != "null" {
		f, err := strconv.ParseFloat(strings.Trim(string(e.Time), `"`), 64)
		if err != nil || math.Abs(f) > 1e11 {
			return nil, fmt.Errorf("the time %s is not a number of seconds since 1970", e.Time)
		}
		sec, frac := math.Modf(f)
		row["_time"] = text(time.Unix(int64(sec), int64(math.Round(frac*1e6))*1000).UTC().Format(time.RFC3339Nano))
	}
	return row, nil
}

// raw takes a line an event.
func (h *handler) raw(w http.ResponseWriter, r *http.Request, body []byte) {
	q := r.URL.Query()
	var rows batch
	t := elastic.LogType(or(q.Get("index"), "splunk"))
	for _, l := range strings.Split(strings.ToValidUTF8(string(body), "\uFFFD"), "\n") {
		if l = strings.TrimRight(l, "\r"); l == "" {
			continue
		}
		e := event{Host: q.Get("host"), Source: q.Get("source"), SourceType: q.Get("sourcetype"), Event: text(l)}
		row, err := e.row()
		if err != nil {
			answer(w, 400, 6, err.Error())
			return
		}
		if rows.add(t, row); rows.n > maxEvents {
			answer(w, 400, 6, fmt.Sprintf("more than %d events", maxEvents))
			return
		}
	}
	h.store(w, r, body, &rows)
}

// store stores the events of each table together; where one does not fit, they are halved until it stands alone: the
// good ones are stored, the others go to the quarantine, and the answer names the first of them.
func (h *handler) store(w http.ResponseWriter, r *http.Request, body []byte, b *batch) {
	if b.n == 0 {
		answer(w, 400, 5, "No data")
		return
	}
	id, err := h.o.Resends.ID(r, r.Header.Get("Authorization"), body)
	var bad []refusal
	for i, t := range b.order {
		if err != nil {
			break
		}
		place := fmt.Sprint(i)
		var es []refusal
		if es, err = h.table(r.Context(), t, b.tables[t], id, place); err == nil && h.o.Quarantine != nil && len(es) > 0 {
			rs := make([]ingest.Reject, len(es))
			for k, e := range es {
				rs[k] = ingest.Reject{Source: "collector", Stream: t, Reason: e.reason, Record: string(e.body)}
			}
			err = h.o.Quarantine(r.Context(), t+"_CL", rs, under(id, place+"/q"))
		}
		bad = append(bad, es...)
	}
	var no *ingest.Error
	switch {
	case errors.As(err, &no) && no.Status == http.StatusBadRequest:
		answer(w, 400, 6, "Invalid data format: "+no.Message)
	case err != nil:
		w.Header().Set("Retry-After", "5")
		answer(w, 503, 9, "Server is busy: "+err.Error())
	case len(bad) > 0:
		first := bad[0]
		for _, e := range bad {
			if e.n < first.n {
				first = e
			}
		}
		invalid(w, 6, fmt.Sprintf("Invalid data format: %s (%d of %d events were refused, the others are stored)", first.reason, len(bad), b.n), first.n)
	default:
		answer(w, 200, 0, "Success")
	}
}

// refusal is an event that was not stored.
type refusal struct {
	n      int
	reason string
	body   []byte
}

func under(id, place string) string {
	if id == "" {
		return ""
	}
	return id + "/" + place
}

// table stores events of one table. Its error means that the sender should try again.
func (h *handler) table(ctx context.Context, t string, rs []record, id, place string) ([]refusal, error) {
	list := make([]map[string]json.RawMessage, len(rs))
	for i, x := range rs {
		list[i] = x.row
	}
	body, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("BUG: an event that was read can't be written: %w", err)
	}
	_, err = h.o.Collect(ctx, ingest.CollectRequest{LogType: t, Body: body, TimeField: "_time", OpID: under(id, place), Request: id})
	var no *ingest.Error
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &no) || no.Status == http.StatusTooManyRequests:
		return nil, err
	case len(rs) == 1:
		return []refusal{{rs[0].n, no.Message, bytes.TrimSuffix(bytes.TrimPrefix(body, []byte("[")), []byte("]"))}}, nil
	}
	var bad []refusal
	mid := len(rs) / 2
	for i, half := range [][]record{rs[:mid], rs[mid:]} {
		es, err := h.table(ctx, t, half, id, fmt.Sprintf("%s.%c", place, "ab"[i]))
		if err != nil {
			return nil, err
		}
		bad = append(bad, es...)
	}
	return bad, nil
}
