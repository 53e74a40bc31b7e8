package otlp

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"picket/ingest"
	"strings"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
	retryAfter   = "30" // seconds
)

// reply writes messages in the encoding of the request.
type reply struct {
	w    http.ResponseWriter
	json bool
}

func (p reply) send(code int, m proto.Message) {
	var b []byte
	var err error
	typ := protobufType
	if p.json {
		typ = jsonType
		b, err = protojson.Marshal(m)
	} else {
		b, err = proto.Marshal(m)
	}
	if err != nil {
		http.Error(p.w, "BUG: the answer can't be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	p.w.Header().Set("Content-Type", typ)
	p.w.WriteHeader(code)
	_, _ = p.w.Write(b) // a failed write means that the client has gone
}

func (p reply) fail(status int, code codes.Code, format string, a ...any) {
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		p.w.Header().Set("Retry-After", retryAfter)
	}
	p.send(status, &rpc.Status{Code: int32(code), Message: fmt.Sprintf(format, a...)})
}

// ServeHTTP answers POST /v1/logs.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	p := reply{w, typ == jsonType}
	if e := s.o.Authenticate(r); e != nil {
		if s.o.Forbidden(e) {
			p.fail(http.StatusForbidden, codes.PermissionDenied, "%v", e)
			return
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		p.fail(http.StatusUnauthorized, codes.Unauthenticated, "%v", e)
		return
	}
	switch {
	case r.URL.Path == "/v1/traces", r.URL.Path == "/v1/metrics", r.URL.Path == "/v1development/profiles":
		p.fail(http.StatusNotImplemented, codes.Unimplemented, "picket takes logs at /v1/logs; %s is not served", r.URL.Path)
		return
	case r.URL.Path != "/v1/logs":
		p.fail(http.StatusNotFound, codes.NotFound, "%s is not served; logs go to /v1/logs", r.URL.Path)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		p.fail(http.StatusMethodNotAllowed, codes.Unimplemented, "send logs with POST")
		return
	case err != nil || typ != jsonType && typ != protobufType:
		p.fail(http.StatusUnsupportedMediaType, codes.InvalidArgument, "the Content-Type is %q: send %s or %s", r.Header.Get("Content-Type"), protobufType, jsonType)
		return
	}
	body, status, err := readBody(w, r)
	if err != nil {
		p.fail(status, codes.InvalidArgument, "%v", err)
		return
	}
	select { // a small request can hold millions of values: only a few are taken apart at once
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-r.Context().Done():
		return
	}
	req, err := decode(body, p.json)
	if err != nil {
		p.fail(http.StatusBadRequest, codes.InvalidArgument, "the body is not a request of logs: %v", err)
		return
	}
	id, err := s.o.Resends.ID(r, r.Header.Get("Authorization"), body)
	var out outcome
	if err == nil {
		out, err = s.export(r.Context(), req, id)
	}
	var bad *ingest.Error
	switch {
	case err == nil:
		p.send(http.StatusOK, out.response())
	case errors.As(err, &bad) && bad.Status == http.StatusTooManyRequests:
		p.fail(bad.Status, codes.ResourceExhausted, "%s", bad.Message)
	case errors.As(err, &bad):
		p.fail(http.StatusBadRequest, codes.InvalidArgument, "%s", bad.Message)
	default:
		p.fail(http.StatusServiceUnavailable, codes.Unavailable, "the logs were not stored, send them again: %v", err)
	}
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, int, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the request is larger than %d bytes: send smaller batches", MaxBodyBytes)
		}
		return nil, http.StatusBadRequest, fmt.Errorf("read the request: %w", err)
	}
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
		return raw, 0, nil
	case "gzip":
	default:
		return nil, http.StatusUnsupportedMediaType, fmt.Errorf("the Content-Encoding %q is not known: send gzip or none", enc)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("the request is not gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, MaxBodyBytes+1))
	if err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("the gzip request is broken: %w", err)
	}
	if len(out) > MaxBodyBytes {
		return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the unpacked request is larger than %d bytes: send smaller batches", MaxBodyBytes)
	}
	return out, 0, nil
}

// decode reads a request. In the protocol's JSON trace and span ids are hex, which protobuf's reader takes for base64:
// what it read is turned back.
func decode(body []byte, json bool) (*collogs.ExportLogsServiceRequest, error) {
	req := &collogs.ExportLogsServiceRequest{}
	if !json {
		return req, proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxWire}.Unmarshal(body, req)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxWire}).Unmarshal(body, req); err != nil {
		return nil, err
	}
	for _, rl := range req.GetResourceLogs() {
		for _, sl := range rl.GetScopeLogs() {
			for _, r := range sl.GetLogRecords() {
				var err error
				if r.TraceId, err = hexID(r.GetTraceId(), 16, "traceId"); err != nil {
					return nil, err
				}
				if r.SpanId, err = hexID(r.GetSpanId(), 8, "spanId"); err != nil {
					return nil, err
				}
			}
		}
	}
	return req, nil
}

// hexID undoes the reading of hex as base64. An id of the right length was sent as base64, which some senders do.
func hexID(b []byte, n int, what string) ([]byte, error) {
	if len(b) == 0 || len(b) == n {
		return b, nil
	}
	id, err := hex.DecodeString(base64.StdEncoding.EncodeToString(b))
	if err != nil || len(id) != n {
		return nil, fmt.Errorf("the %s is not %d hex digits", what, 2*n)
	}
	return id, nil
}
