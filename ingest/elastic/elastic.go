// Package elastic speaks the part of Elasticsearch's HTTP API that shippers send to: the version probe and _bulk.
// Documents go by the rules of the data collector into a table named after their index: wire-syslog → wire_syslog_CL,
// a text field message → message_s, @timestamp → TimeGenerated.
//
//	h := elastic.New(elastic.Options{Collect: in.Collect, Authenticate: auth})
//	mux.Handle("/_bulk", h) // rsyslog, Filebeat, Fluent Bit, Vector, Telegraf, Logstash
package elastic

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"picket/ingest"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Version is what the probe answers: clients refuse servers that are too old.
const Version = "8.17.0"

const (
	maxBody = 100 << 20 // bytes of a request, packed and unpacked; Elasticsearch's default
	maxDocs = 200_000   // of one request
	maxLine = 10 << 20  // bytes of one document
)

// Options of a handler.
type Options struct {
	Collect func(ctx context.Context, r ingest.CollectRequest) (ingest.Result, error)
	// Authenticate says whether a request may send; its error is answered 401 (or 403 when it is ErrForbidden).
	Authenticate func(r *http.Request) error
	// Resends knows requests that are sent again, whose documents are then stored once; nil stores them each time.
	Resends *ingest.Resends
	// Quarantine keeps documents that are refused with their reason (ingest.Ingest.Quarantine); nil keeps none.
	Quarantine func(ctx context.Context, table string, rs []ingest.Reject, opID string) error
}

// ErrForbidden says that a sender is known and may not send.
var ErrForbidden = errors.New("may not send")

// New makes the handler of /, /_bulk, /{index}/_bulk, /_license, /_cat/health and /_cluster/health.
func New(o Options) http.Handler {
	h := &handler{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.guard(h.probe))
	for _, m := range []string{"POST", "PUT"} {
		mux.HandleFunc(m+" /_bulk", h.guard(h.bulk))
		mux.HandleFunc(m+" /{index}/_bulk", h.guard(h.bulk))
		mux.HandleFunc(m+" /{index}/{type}/_bulk", h.guard(h.bulk))
	}
	mux.HandleFunc("GET /_license", h.guard(func(w http.ResponseWriter, _ *http.Request) {
		write(w, 200, map[string]any{"license": map[string]string{"status": "active", "type": "basic", "mode": "basic"}})
	}))
	mux.HandleFunc("GET /_cat/health", h.guard(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "picket green 1 1") }))
	mux.HandleFunc("GET /_cluster/health", h.guard(func(w http.ResponseWriter, _ *http.Request) {
		write(w, 200, map[string]any{"cluster_name": "picket", "status": "green", "number_of_nodes": 1})
	}))
	mux.HandleFunc("/", h.guard(func(w http.ResponseWriter, r *http.Request) {
		fail(w, 404, "resource_not_found_exception", r.Method+" "+r.URL.Path+" is not served: picket takes documents at _bulk and nothing else of Elasticsearch")
	}))
	return mux
}

// Wants says whether a request for / comes from a shipper rather than a browser.
func Wants(r *http.Request) bool {
	a := r.Header.Get("Authorization")
	return (strings.HasPrefix(a, "Basic ") || strings.HasPrefix(a, "ApiKey ")) && !strings.Contains(r.Header.Get("Accept"), "text/html")
}

type handler struct{ o Options }

func (h *handler) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Elastic-Product", "Elasticsearch") // clients check it
		if err := h.o.Authenticate(r); err != nil {
			if errors.Is(err, ErrForbidden) {
				fail(w, 403, "security_exception", err.Error())
				return
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="security", charset="UTF-8"`)
			fail(w, 401, "security_exception", err.Error())
			return
		}
		next(w, r)
	}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a failed write means that the client has gone
}

type problem struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

func fail(w http.ResponseWriter, status int, typ, reason string) {
	p := problem{typ, reason}
	write(w, status, map[string]any{"error": map[string]any{"root_cause": []problem{p}, "type": typ, "reason": reason}, "status": status})
}

func (h *handler) probe(w http.ResponseWriter, _ *http.Request) {
	write(w, 200, map[string]any{
		"name": "picket", "cluster_name": "picket", "cluster_uuid": "picket", "tagline": "You Know, for Search",
		"version": map[string]any{"number": Version, "build_flavor": "default", "build_type": "tar", "lucene_version": "9.12.0", "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0"},
	})
}

// doc is one action of a request, and what became of it.
type doc struct {
	action, index, id string
	body              []byte
	status            int
	err               *problem
}

func (h *handler) bulk(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	body, status, err := read(w, r)
	if err != nil {
		fail(w, status, "illegal_argument_exception", err.Error())
		return
	}
	docs, err := parse(body, r.PathValue("index"))
	if err != nil {
		fail(w, 400, "illegal_argument_exception", err.Error())
		return
	}
	id, err := h.o.Resends.ID(r, r.Header.Get("Authorization"), body)
	if err == nil {
		err = h.store(r.Context(), docs, id)
	}
	var bad *ingest.Error
	if errors.As(err, &bad) && bad.Status == http.StatusBadRequest {
		fail(w, 400, "illegal_argument_exception", bad.Message)
		return
	}
	if err != nil {
		w.Header().Set("Retry-After", "5")
		fail(w, 429, "es_rejected_execution_exception", "the documents were not stored: send them again: "+err.Error())
		return
	}
	items := make([]map[string]any, len(docs))
	some := false
	for i := range docs {
		d := &docs[i]
		one := map[string]any{"_index": d.index, "_id": d.id, "status": d.status}
		if d.err != nil {
			some = true
			one["error"] = d.err
		} else {
			one["_version"], one["result"], one["_seq_no"], one["_primary_term"] = 1, "created", 0, 1
			one["_shards"] = map[string]int{"total": 1, "successful": 1, "failed": 0}
		}
		items[i] = map[string]any{d.action: one}
	}
	write(w, 200, map[string]any{"took": time.Since(start).Milliseconds(), "errors": some, "items": items})
}

func read(w http.ResponseWriter, r *http.Request) ([]byte, int, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, 413, fmt.Errorf("the request is larger than %d bytes", maxBody)
		}
		return nil, 400, fmt.Errorf("read the request: %w", err)
	}
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
		return raw, 0, nil
	case "gzip":
	default:
		return nil, 415, fmt.Errorf("the Content-Encoding %q is not known: send gzip or none", enc)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, 400, fmt.Errorf("the request is not gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxBody+1))
	if err != nil {
		return nil, 400, fmt.Errorf("the gzip request is broken: %w", err)
	}
	if len(out) > maxBody {
		return nil, 413, fmt.Errorf("the unpacked request is larger than %d bytes", maxBody)
	}
	return out, 0, nil
}

// parse reads pairs of lines: an action, then its document. Blank lines are passed over (rsyslog sends one after each
// document).
func parse(body []byte, index string) ([]doc, error) {
	var docs []doc
	next := func() []byte {
		for len(body) > 0 {
			line, rest, _ := bytes.Cut(body, []byte("\n"))
			body = rest
			if line = bytes.TrimSpace(line); len(line) > 0 {
				return line
			}
		}
		return nil
	}
	for n := 1; ; n++ {
		line := next()
		if line == nil {
			break
		}
		if len(docs) >= maxDocs {
			return nil, fmt.Errorf("the request has more than %d documents", maxDocs)
		}
		var head map[string]struct {
			Index string `json:"_index"`
			ID    any    `json:"_id"`
		}
		if err := json.Unmarshal(line, &head); err != nil || len(head) != 1 {
			return nil, fmt.Errorf("action %d is not of the form {\"index\": {…}}: %.100q", n, line)
		}
		var d doc
		for a, m := range head {
			d.action, d.index = a, m.Index
			if m.ID != nil {
				d.id = fmt.Sprint(m.ID)
			}
		}
		if d.index == "" {
			d.index = index
		}
		if d.id == "" {
			d.id = uuid.NewString()
		}
		refuse := func(typ, reason string) { d.status, d.err = 400, &problem{typ, reason} }
		switch d.action {
		case "index", "create":
			if d.body = next(); d.body == nil {
				return nil, fmt.Errorf("action %d has no document", n)
			}
			switch {
			case d.index == "":
				refuse("action_request_validation_exception", "the action names no index")
			case len(d.body) > maxLine:
				refuse("document_parsing_exception", fmt.Sprintf("the document is larger than %d bytes", maxLine))
			case d.body[0] != '{' || !json.Valid(d.body):
				refuse("document_parsing_exception", "the document is not a JSON object")
			}
		case "update":
			next()
			refuse("action_request_validation_exception", "rows are not changed once they are stored: send documents with index or create")
		case "delete":
			refuse("action_request_validation_exception", "rows are not deleted one by one")
		default:
			return nil, fmt.Errorf("action %d is %q: index and create are served", n, d.action)
		}
		docs = append(docs, d)
	}
	if len(docs) == 0 {
		return nil, errors.New("the request has no documents")
	}
	return docs, nil
}

// LogType is the table, without _CL, that an index's documents go to.
func LogType(index string) string {
	var b strings.Builder
	for _, c := range index {
		if c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteRune(c)
		} else {
			b.WriteByte('_')
		}
	}
	s := strings.TrimLeft(b.String(), "_")
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = "t_" + s
	}
	return s[:min(len(s), 97)]
}

// store stores the documents of each index together; where one does not fit, they are halved until it stands alone, so
// that the good ones are stored and the others told why not. An error means that the sender should try again.
func (h *handler) store(ctx context.Context, docs []doc, id string) error {
	groups := map[string][]*doc{}
	var order []string
	for i := range docs {
		if d := &docs[i]; d.err == nil {
			if groups[d.index] == nil {
				order = append(order, d.index)
			}
			groups[d.index] = append(groups[d.index], d)
		}
	}
	for i, index := range order {
		if err := h.group(ctx, LogType(index), groups[index], op{id, fmt.Sprint(i)}); err != nil {
			return err
		}
	}
	return h.quarantine(ctx, docs, op{id, "q"})
}

// op is the place of a batch within a request.
type op struct {
	request string // "" when the request has no id
	place   string
}

func (o op) id() string {
	if o.request == "" {
		return ""
	}
	return o.request + "/" + o.place
}

// quarantine keeps the documents that were refused for what is in them.
func (h *handler) quarantine(ctx context.Context, docs []doc, o op) error {
	if h.o.Quarantine == nil {
		return nil
	}
	byTable := map[string][]ingest.Reject{}
	for i := range docs {
		if d := &docs[i]; d.err != nil && d.body != nil {
			t := LogType(d.index) + "_CL"
			byTable[t] = append(byTable[t], ingest.Reject{Source: "_bulk", Stream: d.index, Reason: d.err.Reason, Record: string(d.body)})
		}
	}
	for t, rs := range byTable {
		q := o
		q.place += "/" + t
		if err := h.o.Quarantine(ctx, t, rs, q.id()); err != nil {
			return err
		}
	}
	return nil
}

func (h *handler) group(ctx context.Context, logType string, ds []*doc, o op) error {
	var body bytes.Buffer
	parts := 0
	flush := func(part []*doc) error {
		if len(part) == 0 {
			return nil
		}
		body.WriteByte(']')
		_, err := h.o.Collect(ctx, ingest.CollectRequest{LogType: logType, Body: bytes.Clone(body.Bytes()), TimeField: "@timestamp", OpID: op{o.request, fmt.Sprintf("%s.%d", o.place, parts)}.id(), Request: o.request})
		body.Reset()
		parts++
		var bad *ingest.Error
		switch {
		case err == nil:
			for _, d := range part {
				d.status = 201
			}
			return nil
		case !errors.As(err, &bad) || bad.Status == http.StatusTooManyRequests:
			return err
		case len(part) == 1:
			part[0].status, part[0].err = 400, &problem{"document_parsing_exception", bad.Message}
			return nil
		}
		mid := len(part) / 2
		for i, half := range [][]*doc{part[:mid], part[mid:]} {
			if err := h.group(ctx, logType, half, op{o.request, fmt.Sprintf("%s.%d%c", o.place, parts, "ab"[i])}); err != nil {
				return err
			}
		}
		return nil
	}
	from := 0
	for i, d := range ds {
		if body.Len() > 0 && body.Len()+len(d.body) > ingest.MaxBodyBytes-2 {
			if err := flush(ds[from:i]); err != nil {
				return err
			}
			from = i
		}
		if body.Len() == 0 {
			body.WriteByte('[')
		} else {
			body.WriteByte(',')
		}
		body.Write(d.body)
	}
	return flush(ds[from:])
}
