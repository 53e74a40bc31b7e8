package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"picket/ingest"
	"picket/ingest/standard"
	"picket/kql/value"
	"picket/lake"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdk "go.opentelemetry.io/otel/sdk/log"
	sdkres "go.opentelemetry.io/otel/sdk/resource"
	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
)

var errReader = errors.New("may only read")

type world struct {
	t  testing.TB
	lk *lake.Lake
	in *ingest.Ingest
	s  *Server
}

func open(t testing.TB) *world {
	t.Helper()
	lk, err := lake.Open(context.Background(), lake.Options{Dir: t.TempDir(), MemoryLimit: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lk.Close() })
	tables, err := standard.Tables()
	if err != nil {
		t.Fatal(err)
	}
	in := ingest.New(ingest.Options{Lake: lk, Schemas: tables})
	s, err := New(Options{
		Store: in.Frame, Schema: tables[Table], Resends: in.NewResends(0), Quarantine: in.Quarantine,
		Forbidden: func(err error) bool { return errors.Is(err, errReader) },
		Authenticate: func(r *http.Request) error {
			switch r.Header.Get("Authorization") {
			case "Bearer good":
				return nil
			case "Bearer reader":
				return errReader
			}
			return errors.New("who are you?")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, lk, in, s}
}

// newest gives the newest rows of a table as maps of texts.
func (w *world) newest(table string, n int) []map[string]string {
	w.t.Helper()
	sn, err := w.lk.Snapshot(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	defer sn.Close()
	f, err := sn.Newest(context.Background(), table, n)
	if errors.Is(err, lake.ErrNoTable) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	var out []map[string]string
	for i := range f.N {
		m := map[string]string{}
		for k, c := range f.Schema {
			m[c.Name] = value.Text(f.Vecs[k], i)
		}
		out = append(out, m)
	}
	return out
}

func (w *world) post(typ, enc, auth string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/v1/logs", bytes.NewReader(body))
	r.Header.Set("Content-Type", typ)
	if enc != "" {
		r.Header.Set("Content-Encoding", enc)
	}
	if auth != "" {
		r.Header.Set("Authorization", auth)
	}
	rec := httptest.NewRecorder()
	w.s.ServeHTTP(rec, r)
	return rec
}

var at = time.Date(2026, 11, 24, 7, 8, 9, 123456789, time.UTC)

// emit sends records through the SDK as an application does.
func emit(t *testing.T, e sdk.Exporter) {
	t.Helper()
	ctx := context.Background()
	res := sdkres.NewSchemaless(attribute.String("service.name", "shop"), attribute.String("service.namespace", "web"), attribute.String("service.instance.id", "i-1"),
		attribute.String("cloud.resource_id", "/Subscriptions/X"), attribute.String("k8s.pod.name", "p-1"), attribute.String("deployment.environment", "prod"))
	p := sdk.NewLoggerProvider(sdk.WithProcessor(sdk.NewBatchProcessor(e)), sdk.WithResource(res))
	l := p.Logger("checkout", log.WithInstrumentationVersion("1.2"))
	for i := range 250 {
		var r log.Record
		r.SetTimestamp(at.Add(time.Duration(i) * time.Millisecond))
		r.SetSeverity(log.SeverityWarn)
		r.SetSeverityText("WARN")
		r.SetBody(attribute.StringValue("payment refused"))
		if i == 249 {
			r.SetEventName("card.refused")
			r.SetBody(attribute.MapValue(attribute.String("why", "limit"), attribute.Int64("n", 3)))
		}
		r.AddAttributes(attribute.Int("i", i), attribute.String("enduser.id", "ann"), attribute.String("client.address", "192.0.2.7"), attribute.Slice("list", attribute.BoolValue(true), attribute.Float64Value(0.5)), attribute.ByteSlice("raw", []byte{1, 2, 3}))
		l.Emit(ctx, r)
	}
	if err := p.ForceFlush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func (w *world) check(n int64) {
	w.t.Helper()
	d, err := w.lk.Table(context.Background(), Table)
	if err != nil || d.Rows != n {
		w.t.Fatalf("%d rows, want %d: %v", d.Rows, n, err)
	}
	r := w.newest(Table, 1)[0]
	for col, want := range map[string]string{
		"TimeGenerated": "2026-11-24T07:08:09.3724567Z", "Body": `{"n":3,"why":"limit"}`, "SeverityNumber": "13", "SeverityText": "WARN", "SeverityLevel": "2",
		"ServiceName": "shop", "ServiceNamespace": "web", "RoleName": "web.shop", "ServiceInstanceId": "i-1", "_ResourceId": "/subscriptions/x", "K8sPodName": "p-1",
		"DeploymentEnvironmentName": "prod", "ScopeName": "checkout", "ScopeVersion": "1.2", "EndUserId": "ann", "ClientIP": "192.0.2.7", "OperationName": "card.refused",
		"Attributes": `{"i":249,"enduser.id":"ann","client.address":"192.0.2.7","list":[true,0.5],"raw":"AQID","event.name":"card.refused"}`,
	} {
		if r[col] != want {
			w.t.Errorf("%s is %q, want %q", col, r[col], want)
		}
	}
}

func TestTheRealExporterOverHTTP(t *testing.T) {
	w := open(t)
	srv := httptest.NewServer(w.s)
	defer srv.Close()
	e, err := otlploghttp.New(context.Background(), otlploghttp.WithEndpointURL(srv.URL+"/v1/logs"), otlploghttp.WithCompression(otlploghttp.GzipCompression), otlploghttp.WithHeaders(map[string]string{"Authorization": "Bearer good"}))
	if err != nil {
		t.Fatal(err)
	}
	emit(t, e)
	w.check(250)
}

func TestTheRealExporterOverGRPC(t *testing.T) {
	w := open(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.s.Serve(ctx, ln, nil) }()
	e, err := otlploggrpc.New(context.Background(), otlploggrpc.WithEndpoint(ln.Addr().String()), otlploggrpc.WithInsecure(), otlploggrpc.WithCompressor("gzip"), otlploggrpc.WithHeaders(map[string]string{"authorization": "Bearer good"}))
	if err != nil {
		t.Fatal(err)
	}
	emit(t, e)
	w.check(250)
	bad, err := otlploggrpc.New(context.Background(), otlploggrpc.WithEndpoint(ln.Addr().String()), otlploggrpc.WithInsecure(), otlploggrpc.WithHeaders(map[string]string{"authorization": "Bearer reader"}))
	if err != nil {
		t.Fatal(err)
	}
	if err := bad.Export(context.Background(), make([]sdk.Record, 1)); err == nil || !strings.Contains(err.Error(), "PermissionDenied") {
		t.Errorf("a reader: %v", err)
	}
	_ = bad.Shutdown(context.Background())
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The same server behind an HTTP/2 listener with TLS, as the main one is.
func TestGRPCOnTheMainListener(t *testing.T) {
	w := open(t)
	g := w.s.GRPC(nil)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(rw, r)
			return
		}
		w.s.ServeHTTP(rw, r)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	e, err := otlploggrpc.New(context.Background(), otlploggrpc.WithEndpoint(srv.Listener.Addr().String()), otlploggrpc.WithTLSCredentials(tlsOf(srv)), otlploggrpc.WithHeaders(map[string]string{"authorization": "Bearer good"}))
	if err != nil {
		t.Fatal(err)
	}
	emit(t, e)
	w.check(250)
}

const jsonRequest = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeLogs":[{"scope":{"name":"x"},"logRecords":[
 {"timeUnixNano":"1795504089000000000","severityNumber":9,"body":{"stringValue":"hello"},"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","unknownField":1,
  "attributes":[{"key":"n","value":{"intValue":"12345678901234567"}},{"key":"kv","value":{"kvlistValue":{"values":[{"key":"a","value":{"doubleValue":1.5}}]}}},{"key":"none","value":{}}]}]}]}]}`

func TestJSON(t *testing.T) {
	w := open(t)
	rec := w.post("application/json; charset=utf-8", "", "Bearer good", []byte(jsonRequest))
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/json" || strings.TrimSpace(rec.Body.String()) != "{}" {
		t.Fatalf("%d %s %s", rec.Code, rec.Header(), rec.Body)
	}
	w.post("application/json", "", "Bearer good", []byte(jsonRequest)) // sent again
	rows := w.newest(Table, 5)
	if len(rows) != 1 {
		t.Fatalf("%d rows", len(rows))
	}
	for col, want := range map[string]string{"Body": "hello", "TraceId": "5b8efff798038103d269b633813fc60c", "SpanId": "eee19b7ec3c1b174", "Attributes": `{"n":12345678901234567,"kv":{"a":1.5},"none":null}`} {
		if rows[0][col] != want {
			t.Errorf("%s is %q, want %q", col, rows[0][col], want)
		}
	}
}

func deep(n int) *common.AnyValue {
	v := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: "bottom"}}
	for range n {
		v = &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{v}}}}
	}
	return v
}

func request(rs ...*logs.LogRecord) []byte {
	b, err := proto.Marshal(&collogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{ScopeLogs: []*logs.ScopeLogs{{LogRecords: rs}}}}})
	if err != nil {
		panic(err)
	}
	return b
}

func TestPartialSuccess(t *testing.T) {
	w := open(t)
	long := &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.Repeat("x", MaxRecordBytes)}}
	rec := w.post("application/x-protobuf", "", "Bearer good", request(
		&logs.LogRecord{SeverityText: "fine"}, &logs.LogRecord{Body: deep(MaxDepth + 1)}, &logs.LogRecord{Body: long}, &logs.LogRecord{Body: deep(MaxDepth), TimeUnixNano: 1<<64 - 1}))
	var res collogs.ExportLogsServiceResponse
	if err := proto.Unmarshal(rec.Body.Bytes(), &res); err != nil || rec.Code != 200 {
		t.Fatal(rec.Code, err)
	}
	if p := res.GetPartialSuccess(); p.GetRejectedLogRecords() != 2 || !strings.Contains(p.GetErrorMessage(), "record 2: its attributes or body are nested deeper than 64") {
		t.Errorf("%v", p)
	}
	if n := len(w.newest(Table, 10)); n != 2 {
		t.Errorf("%d rows", n)
	}
	if q := w.newest(ingest.QuarantineTable, 10); len(q) != 2 {
		t.Errorf("%d in quarantine", len(q))
	}
}

func squeeze(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(b)
	_ = w.Close()
	return z.Bytes()
}

func TestBadInput(t *testing.T) {
	w := open(t)
	var records []*logs.LogRecord
	for range MaxRecords + 1 {
		records = append(records, &logs.LogRecord{})
	}
	const pb, js = "application/x-protobuf", "application/json"
	for name, c := range map[string]struct {
		typ, enc, auth string
		body           []byte
		status         int
		says           string
	}{
		"no credential":       {pb, "", "", nil, 401, "who are you?"},
		"reader":              {pb, "", "Bearer reader", nil, 403, "may only read"},
		"nothing":             {pb, "", "Bearer good", nil, 200, ""},
		"empty JSON":          {js, "", "Bearer good", []byte("{}"), 200, ""},
		"another type":        {"text/plain", "", "Bearer good", nil, 415, "Content-Type"},
		"no type":             {"", "", "Bearer good", nil, 415, "Content-Type"},
		"another encoding":    {pb, "zstd", "Bearer good", nil, 415, "Content-Encoding"},
		"no gzip":             {pb, "gzip", "Bearer good", []byte("x"), 400, "gzip"},
		"gzip cut short":      {pb, "gzip", "Bearer good", squeeze(request(&logs.LogRecord{}))[:12], 400, "gzip"},
		"gzip bomb":           {pb, "gzip", "Bearer good", squeeze(make([]byte, MaxBodyBytes+1)), 413, "larger"},
		"too large":           {pb, "", "Bearer good", make([]byte, MaxBodyBytes+1), 413, "larger"},
		"no protobuf":         {pb, "", "Bearer good", []byte("\xff\xff\xff"), 400, "not a request"},
		"JSON as protobuf":    {pb, "", "Bearer good", []byte(jsonRequest), 400, "not a request"},
		"protobuf as JSON":    {js, "", "Bearer good", request(&logs.LogRecord{SeverityText: "x"}), 400, "not a request"},
		"an array":            {js, "", "Bearer good", []byte("[]"), 400, "not a request"},
		"text not UTF-8":      {pb, "", "Bearer good", bytes.Replace(request(&logs.LogRecord{SeverityText: "abcd"}), []byte("abcd"), []byte("a\xff\xfed"), 1), 400, "UTF-8"},
		"JSON not UTF-8":      {js, "", "Bearer good", []byte("{\"resourceLogs\":[{\"schemaUrl\":\"\xff\"}]}"), 400, "not a request"},
		"a short trace id":    {js, "", "Bearer good", []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"abcd"}]}]}]}`), 400, "traceId"},
		"deep beyond reading": {pb, "", "Bearer good", request(&logs.LogRecord{Body: deep(2000)}), 400, "not a request"},
		"too many records":    {pb, "", "Bearer good", request(records...), 400, "200001 records"},
	} {
		rec := w.post(c.typ, c.enc, c.auth, c.body)
		var st rpc.Status
		msg := rec.Body.String()
		if rec.Header().Get("Content-Type") == jsonType {
			var j struct{ Message string }
			if err := json.Unmarshal(rec.Body.Bytes(), &j); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			msg = j.Message
		} else if rec.Code >= 400 {
			if err := proto.Unmarshal(rec.Body.Bytes(), &st); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			msg = st.GetMessage()
		}
		if rec.Code != c.status || !strings.Contains(msg, c.says) {
			t.Errorf("%s: %d %q, want %d with %q", name, rec.Code, msg, c.status, c.says)
		}
	}
	for path, status := range map[string]int{"/v1/traces": 501, "/v1/metrics": 501, "/v1/else": 404} {
		r := httptest.NewRequest("POST", path, nil)
		r.Header.Set("Authorization", "Bearer good")
		rec := httptest.NewRecorder()
		w.s.ServeHTTP(rec, r)
		if rec.Code != status {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

// A sender is told to come back when nothing could be stored.
func TestTryAgain(t *testing.T) {
	w := open(t)
	for err, status := range map[error]int{
		lake.ErrFull: 503,
		&ingest.Error{Code: "OverQuota", Status: 429, Message: "the daily cap"}: 429,
		&lake.DataError{Table: Table, Err: errors.New("a value does not fit")}:  400,
	} {
		w.s.o.Store = func(context.Context, string, *value.Frame, string) (lake.Ack, error) { return lake.Ack{}, err }
		rec := w.post("application/x-protobuf", "", "Bearer good", request(&logs.LogRecord{SeverityText: err.Error()}))
		if rec.Code != status || (status != 400) != (rec.Header().Get("Retry-After") != "") {
			t.Errorf("%v: %d, %v", err, rec.Code, rec.Header())
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(jsonRequest), true)
	f.Add(request(&logs.LogRecord{Body: deep(5), SeverityText: "x", TraceId: make([]byte, 16)}), false)
	tables, err := standard.Tables()
	if err != nil {
		f.Fatal(err)
	}
	s, err := New(Options{Schema: tables[Table]})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, json bool) {
		req, err := decode(b, json)
		if err != nil {
			return
		}
		n := 0
		for _, rl := range req.GetResourceLogs() {
			for _, sl := range rl.GetScopeLogs() {
				n += len(sl.GetLogRecords())
			}
		}
		rows, bad := s.rows(req, n)
		if rows.N+len(bad) != n {
			t.Fatalf("%d records give %d rows and %d refusals", n, rows.N, len(bad))
		}
		for i, c := range rows.Schema {
			if rows.Vecs[i].N != rows.N || rows.Vecs[i].Type != c.Type {
				t.Fatalf("column %s has %d rows of %s", c.Name, rows.Vecs[i].N, rows.Vecs[i].Type)
			}
			for r := range rows.N {
				value.Text(rows.Vecs[i], r)
			}
		}
	})
}

func tlsOf(srv *httptest.Server) credentials.TransportCredentials {
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS12})
}
