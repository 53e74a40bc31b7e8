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
	rows := map[string][]map[string]json.RawMessage{}
	q := r.URL.Query()
	for n := 0; ; n++ {
		var e event
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		bad := func(code int, text string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(400)
			_ = json.NewEncoder(w).Encode(map[string]any{"text": text, "code": code, "invalid-event-number": n}) // see answer
		}
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
		t := elastic.LogType(or(e.Index, "splunk"))
		rows[t] = append(rows[t], row)
	}
	h.store(w, r, rows)
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
	rows := map[string][]map[string]json.RawMessage{}
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
		if rows[t] = append(rows[t], row); len(rows[t]) > maxEvents {
			answer(w, 400, 6, fmt.Sprintf("more than %d events", maxEvents))
			return
		}
	}
	h.store(w, r, rows)
}

func (h *handler) store(w http.ResponseWriter, r *http.Request, rows map[string][]map[string]json.RawMessage) {
	if len(rows) == 0 {
		answer(w, 400, 5, "No data")
		return
	}
	for t, rs := range rows {
		body, err := json.Marshal(rs)
		if err == nil {
			_, err = h.o.Collect(r.Context(), ingest.CollectRequest{LogType: t, Body: body, TimeField: "_time"})
		}
		var bad *ingest.Error
		switch {
		case errors.As(err, &bad):
			answer(w, 400, 6, "Invalid data format: "+bad.Message)
			return
		case err != nil:
			w.Header().Set("Retry-After", "5")
			answer(w, 503, 9, "Server is busy: "+err.Error())
			return
		}
	}
	answer(w, 200, 0, "Success")
}
