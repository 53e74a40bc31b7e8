// Package otlp takes logs by the OpenTelemetry protocol, over HTTP (protobuf and JSON, gzip) and over gRPC, into the
// table OTelLogs with the columns that Azure Monitor gives it.
//
//	s := otlp.New(otlp.Options{Store: in.Frame, Schema: tables["OTelLogs"], Authenticate: auth})
//	mux.Handle("/v1/logs", s)   // OTLP over HTTP
//	err = s.Serve(ctx, ln, tls) // OTLP over gRPC
//
// A record becomes a row:
//
//	TimeGenerated                         timeUnixNano, else observedTimeUnixNano, else the time of receipt
//	Body                                  the text, or the JSON of anything else
//	SeverityNumber, SeverityText          as sent
//	SeverityLevel                         0 verbose, 1 information, 2 warning, 3 error, 4 critical
//	TraceId, SpanId                       hex in lower case
//	Attributes, ResourceAttributes        dynamic bags of all attributes; eventName as Attributes["event.name"]
//	ServiceName, ServiceNamespace, …      the resource's service.*, deployment.*, k8s.*; RoleName is namespace.name
//	ScopeName, ScopeVersion               the instrumentation scope
//	ClientIP, EndUserId, UserId, SessionId  client.address, enduser.id, user.id, session.id
//	_ResourceId                           cloud.resource_id in lower case
//
// A record that breaks a limit (attributes nested deeper than [MaxDepth], more than [MaxRecordBytes]) is not stored:
// the answer is a partial success with the number of such records and the first reason, and the record goes to the
// quarantine. Traces and metrics are refused by name.
package otlp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"strings"
	"time"
	"unicode/utf8"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
)

// Table is where records go.
const Table = "OTelLogs"

// Limits of a request.
const (
	MaxBodyBytes   = 20 << 20 // packed and unpacked; the protocol recommends it
	MaxRecords     = 200_000
	MaxDepth       = 64       // of nested attribute values
	MaxRecordBytes = 1 << 20  // of a record's body and attributes as text
	MaxFieldBytes  = 64 << 10 // longer texts of other columns are cut, as the service does
	maxWire        = 1000     // nesting of messages that is decoded at all
	maxDecodes     = 4        // requests that are taken apart at once
)

// Options of a Server.
type Options struct {
	// Store stores rows (ingest.Ingest.Frame).
	Store func(ctx context.Context, table string, f *value.Frame, opID string) (lake.Ack, error)
	// Schema is the columns of OTelLogs (standard.Tables).
	Schema value.Schema
	// Authenticate says whether a request may send. Over gRPC it gets a request that has the call's metadata as header
	// and its peer as RemoteAddr.
	Authenticate func(r *http.Request) error
	// Forbidden says that an error of Authenticate is about a sender who is known and may not send; nil says it of none.
	Forbidden func(err error) bool
	// Resends knows requests that are sent again; nil stores them each time.
	Resends *ingest.Resends
	// Quarantine keeps records that break a limit (ingest.Ingest.Quarantine); nil keeps none.
	Quarantine func(ctx context.Context, table string, rs []ingest.Reject, opID string) error
	// Refused is told of calls over gRPC that were not stored; HTTP's answers are seen by who serves them. May be nil.
	Refused func(ctx context.Context, reason string)
	Now     func() time.Time // default time.Now
	Log     *slog.Logger     // default slog.Default()
}

// Server is an http.Handler of OTLP over HTTP, and serves OTLP over gRPC.
type Server struct {
	o     Options
	cut   *columns
	slots chan struct{} // requests that are being taken apart
}

// New makes a server.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Forbidden == nil {
		o.Forbidden = func(error) bool { return false }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Refused == nil {
		o.Refused = func(context.Context, string) {}
	}
	c, err := newColumns(o.Schema)
	if err != nil {
		return nil, err
	}
	return &Server{o: o, cut: c, slots: make(chan struct{}, maxDecodes)}, nil
}

// outcome is what became of a request whose records were read.
type outcome struct {
	rejected int64
	reason   string // of the first, "" when none was
}

// response is the protocol's answer.
func (o outcome) response() *collogs.ExportLogsServiceResponse {
	res := &collogs.ExportLogsServiceResponse{}
	if o.rejected > 0 {
		res.PartialSuccess = &collogs.ExportLogsPartialSuccess{RejectedLogRecords: o.rejected, ErrorMessage: o.reason}
	}
	return res
}

// export stores the records of a request. Its error is an *ingest.Error of the sender's, or says that the sender
// should try again.
func (s *Server) export(ctx context.Context, req *collogs.ExportLogsServiceRequest, id string) (outcome, error) {
	n := 0
	for _, rl := range req.GetResourceLogs() {
		for _, sl := range rl.GetScopeLogs() {
			n += len(sl.GetLogRecords())
		}
	}
	if n > MaxRecords {
		return outcome{}, &ingest.Error{Code: "TooManyRecords", Status: 400, Message: fmt.Sprintf("the request has %d records, the limit is %d: send smaller batches", n, MaxRecords)}
	}
	f, bad := s.rows(req, n)
	if f.N > 0 {
		if _, err := s.o.Store(ctx, Table, f, id); err != nil {
			var de *lake.DataError
			if errors.As(err, &de) {
				return outcome{}, &ingest.Error{Code: "InvalidData", Status: 400, Message: de.Error()}
			}
			return outcome{}, err
		}
	}
	if len(bad) == 0 {
		return outcome{}, nil
	}
	if s.o.Quarantine != nil {
		q := ""
		if id != "" {
			q = id + "/q"
		}
		if err := s.o.Quarantine(ctx, Table, bad, q); err != nil {
			return outcome{}, err
		}
	}
	return outcome{int64(len(bad)), bad[0].Stream + ": " + bad[0].Reason}, nil
}

// row is one record under the names of its columns; those that are missing are null.
type row struct {
	at                       int64 // ticks
	body, sevText            string
	sevNum, sevLevel         int64
	dropped                  int64
	trace, span              string
	attrs                    *value.Bag
	client, endUser          string
	user, session, operation string
}

// rows makes rows of the records; bad are those that break a limit.
func (s *Server) rows(req *collogs.ExportLogsServiceRequest, n int) (f *value.Frame, bad []ingest.Reject) {
	b := s.cut.begin(n)
	now, _ := value.TicksOf(s.o.Now()) // the server's clock is within the years of a datetime
	place := 0
	reject := func(why string, r *logs.LogRecord) {
		bad = append(bad, ingest.Reject{Source: "otlp", Stream: fmt.Sprintf("record %d", place), Reason: why, Record: rejectText(r)})
	}
	for _, rl := range req.GetResourceLogs() {
		res, resErr := readResource(rl)
		for _, sl := range rl.GetScopeLogs() {
			scope, version := clip(sl.GetScope().GetName()), clip(sl.GetScope().GetVersion())
			for _, r := range sl.GetLogRecords() {
				place++
				if resErr != nil {
					reject("its resource: "+resErr.Error(), r)
					continue
				}
				x, err := readRecord(r, now)
				if err != nil {
					reject(err.Error(), r)
					continue
				}
				b.add(res, x, scope, version)
			}
		}
	}
	return b.frame(), bad
}

// resource is what all records of a resource share.
type resource struct {
	attrs                              *value.Bag
	service, namespace, instance       string
	version, role, environment, id     string
	k8sContainer, k8sNamespace, k8sPod string
}

func readResource(rl *logs.ResourceLogs) (*resource, error) {
	size := 0
	bag, err := bagOf(rl.GetResource().GetAttributes(), 0, &size)
	if err != nil {
		return nil, err
	}
	r := &resource{attrs: bag}
	for _, p := range []struct {
		dst  *string
		keys []string
	}{
		{&r.service, []string{"service.name"}},
		{&r.namespace, []string{"service.namespace"}},
		{&r.instance, []string{"service.instance.id"}},
		{&r.version, []string{"service.version"}},
		{&r.environment, []string{"deployment.environment.name", "deployment.environment"}},
		{&r.id, []string{"cloud.resource_id"}},
		{&r.k8sContainer, []string{"k8s.container.name"}},
		{&r.k8sNamespace, []string{"k8s.namespace.name"}},
		{&r.k8sPod, []string{"k8s.pod.name"}},
	} {
		*p.dst = textOf(bag, p.keys...)
	}
	r.id = strings.ToLower(r.id)
	if r.role = r.service; r.namespace != "" && r.service != "" {
		r.role = r.namespace + "." + r.service
	}
	return r, nil
}

func readRecord(r *logs.LogRecord, now int64) (*row, error) {
	size := 0
	bag, err := bagOf(r.GetAttributes(), 0, &size)
	if err != nil {
		return nil, err
	}
	x := &row{attrs: bag, dropped: int64(r.GetDroppedAttributesCount()), sevText: clip(r.GetSeverityText()), sevNum: int64(r.GetSeverityNumber())}
	if e := r.GetEventName(); e != "" {
		if _, ok := bag.Get("event.name"); !ok {
			bag.Set("event.name", e)
		}
	}
	d, err := elemOf(r.GetBody(), 0, &size)
	if err != nil {
		return nil, err
	}
	switch b := d.(type) {
	case nil:
	case string:
		x.body = b
	default:
		x.body = string(value.AppendJSON(nil, b))
	}
	if size > MaxRecordBytes {
		return nil, fmt.Errorf("the record has about %d bytes, the limit is %d", size, MaxRecordBytes)
	}
	x.at = now
	for _, ns := range []uint64{r.GetTimeUnixNano(), r.GetObservedTimeUnixNano()} {
		if ns > 0 && ns <= math.MaxInt64 {
			if t, ok := value.TicksOf(time.Unix(0, int64(ns))); ok {
				x.at = t
				break
			}
		}
	}
	x.trace, x.span = idText(r.GetTraceId()), idText(r.GetSpanId())
	x.sevLevel = severityLevel(x.sevNum)
	x.client, x.endUser, x.user, x.session = textOf(bag, "client.address"), textOf(bag, "enduser.id"), textOf(bag, "user.id"), textOf(bag, "session.id")
	x.operation = textOf(bag, "event.name")
	return x, nil
}

// severityLevel is Azure Monitor's five levels; -1 when the record names none.
func severityLevel(n int64) int64 {
	switch {
	case n < 1 || n > 24:
		return -1
	case n < 9:
		return 0
	case n < 13:
		return 1
	case n < 17:
		return 2
	case n < 21:
		return 3
	}
	return 4
}

// idText is the hex of an id; one of zeros only means that there is none.
func idText(b []byte) string {
	for _, c := range b {
		if c != 0 {
			return hex.EncodeToString(b[:min(len(b), 64)])
		}
	}
	return ""
}

func textOf(b *value.Bag, keys ...string) string {
	for _, k := range keys {
		if d, ok := b.Get(k); ok {
			switch x := d.(type) {
			case nil:
			case string:
				return clip(x)
			default:
				return clip(string(value.AppendJSON(nil, x)))
			}
		}
	}
	return ""
}

// clip cuts a text to what a column keeps, not within a character.
func clip(s string) string {
	if len(s) <= MaxFieldBytes {
		return s
	}
	n := MaxFieldBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

var errDeep = fmt.Errorf("its attributes or body are nested deeper than %d", MaxDepth)

// bagOf makes a bag of attributes; of a key that comes twice the last value stays. size grows by about what they take
// as text.
func bagOf(kvs []*common.KeyValue, depth int, size *int) (*value.Bag, error) {
	b := value.NewBag()
	for _, kv := range kvs {
		d, err := elemOf(kv.GetValue(), depth+1, size)
		if err != nil {
			return nil, err
		}
		*size += len(kv.GetKey()) + 4
		b.Set(kv.GetKey(), d)
	}
	return b, nil
}

// elemOf makes a dynamic element of a value: bytes are base64 text, as in the protocol's JSON.
func elemOf(v *common.AnyValue, depth int, size *int) (any, error) {
	if depth > MaxDepth {
		return nil, errDeep
	}
	*size += 8
	switch x := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		*size += len(x.StringValue)
		return x.StringValue, nil
	case *common.AnyValue_BoolValue:
		return x.BoolValue, nil
	case *common.AnyValue_IntValue:
		return x.IntValue, nil
	case *common.AnyValue_DoubleValue:
		if math.IsNaN(x.DoubleValue) || math.IsInf(x.DoubleValue, 0) {
			return value.FormatReal(x.DoubleValue), nil // JSON has no number for it
		}
		return x.DoubleValue, nil
	case *common.AnyValue_BytesValue:
		*size += len(x.BytesValue) * 4 / 3
		return base64Text(x.BytesValue), nil
	case *common.AnyValue_ArrayValue:
		vs := x.ArrayValue.GetValues()
		out := make([]any, len(vs))
		for i, e := range vs {
			var err error
			if out[i], err = elemOf(e, depth+1, size); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *common.AnyValue_KvlistValue:
		return bagOf(x.KvlistValue.GetValues(), depth, size)
	}
	return nil, nil // an empty value
}
