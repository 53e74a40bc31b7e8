package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"picket/ingest"
	"runtime/debug"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // the compression that every sender may choose
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	maxStreams  = 100 // calls of one connection at once
	maxHeader   = 64 << 10
	idleConn    = 10 * time.Minute
	retryIn     = 30 * time.Second
	connectTime = 10 * time.Second
	stopTime    = 5 * time.Second // that calls have to end in
)

// GRPC makes the gRPC server of OTLP; c is nil without TLS. It is also an http.Handler for requests of HTTP/2 with the
// content type application/grpc.
func (s *Server) GRPC(c *tls.Config) *grpc.Server {
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxBodyBytes), grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeader), grpc.ConnectionTimeout(connectTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleConn}),
		grpc.UnaryInterceptor(s.recovered),
	}
	if c != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(c)))
	}
	g := grpc.NewServer(opts...)
	collogs.RegisterLogsServiceServer(g, service{s: s})
	return g
}

// Serve takes OTLP over gRPC until ctx ends; c is nil without TLS. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener, c *tls.Config) error {
	g := s.GRPC(c)
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		t := time.AfterFunc(stopTime, g.Stop)
		g.GracefulStop()
		t.Stop()
	})
	err := g.Serve(ln)
	if !stop() {
		<-done
	}
	if ctx.Err() != nil || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("serve OTLP over gRPC: %w", err)
	}
	return nil
}

// recovered answers Internal when a call panics; the others go on.
func (s *Server) recovered(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (res any, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.o.Log.Error("BUG: a call failed", "method", info.FullMethod, "panic", v, "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "picket failed at this call; its log says where")
		}
	}()
	return next(ctx, req)
}

type service struct {
	collogs.UnimplementedLogsServiceServer
	s *Server
}

// Export stores the records of a call.
func (v service) Export(ctx context.Context, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	r := asHTTP(ctx)
	if _, ok := ingest.SenderOf(ctx); !ok { // not behind an HTTP server that says it
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		r = r.WithContext(ingest.WithSender(ctx, ingest.Sender{Protocol: "otlp-grpc", Address: host, Agent: r.UserAgent()}))
	}
	res, err := v.export(r, req)
	if err != nil {
		v.s.o.Refused(r.Context(), err.Error())
	}
	return res, err
}

func (v service) export(r *http.Request, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	ctx := r.Context()
	if err := v.s.o.Authenticate(r); err != nil {
		code := codes.Unauthenticated
		if v.s.o.Forbidden(err) {
			code = codes.PermissionDenied
		}
		return nil, status.Error(code, err.Error())
	}
	select {
	case v.s.slots <- struct{}{}:
		defer func() { <-v.s.slots }()
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	id := ""
	if v.s.o.Resends != nil {
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
		if err == nil {
			id, err = v.s.o.Resends.ID(r, r.Header.Get("Authorization"), body)
		}
		if err != nil {
			return nil, grpcError(err)
		}
	}
	out, err := v.s.export(ctx, req, id)
	if err != nil {
		return nil, grpcError(err)
	}
	return out.response(), nil
}

// asHTTP gives a call the form that authentication and the meter know.
func asHTTP(ctx context.Context) *http.Request {
	r := (&http.Request{Method: http.MethodPost, URL: &url.URL{Path: collogs.LogsService_Export_FullMethodName}, Header: http.Header{}}).WithContext(ctx)
	md, _ := metadata.FromIncomingContext(ctx)
	for k, vs := range md {
		for _, x := range vs {
			r.Header.Add(k, x)
		}
	}
	if p, ok := peer.FromContext(ctx); ok {
		r.RemoteAddr = p.Addr.String()
	}
	return r
}

// grpcError tells the sender whether to try again: an error with RetryInfo says yes, and when.
func grpcError(err error) error {
	code, text := codes.Unavailable, "the logs were not stored, send them again: "+err.Error()
	var bad *ingest.Error
	switch {
	case errors.As(err, &bad) && bad.Status == http.StatusTooManyRequests:
		code, text = codes.ResourceExhausted, bad.Message
	case errors.As(err, &bad):
		return status.Error(codes.InvalidArgument, bad.Message)
	}
	st := status.New(code, text)
	if with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryIn)}); err == nil {
		st = with
	}
	return st.Err()
}
