package picket

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"picket/azure"
	"picket/ingest"
	"picket/ingest/elastic"
	"picket/ingest/otlp"
	"picket/ingest/splunk"
	"picket/ingest/standard"
	"picket/ingest/syslog"
	"picket/kql/value"
	"runtime/debug"
	"strings"
)

// esIndex is the index that the walk-through names for shippers.
const esIndex = "wire-syslog"

// shippers puts what shippers send to (Elasticsearch's _bulk and version probe, Splunk's collector) before next.
func (p *Picket) shippers(next http.Handler) http.Handler {
	es := elastic.New(elastic.Options{Collect: p.ingest.Collect, Authenticate: p.authorizeShipper, Resends: p.resends, Quarantine: p.ingest.Quarantine})
	hec := splunk.New(splunk.Options{Collect: p.ingest.Collect, Authenticate: p.authorizeShipper, Resends: p.resends, Quarantine: p.ingest.Quarantine})
	grpc := p.otlp.GRPC(nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
			grpc.ServeHTTP(w, r)
		case strings.HasSuffix(path, "/_bulk"), path == "/_license", path == "/_cat/health", path == "/_cluster/health", path == "/" && elastic.Wants(r):
			es.ServeHTTP(w, r)
		case path == "/services/collector", strings.HasPrefix(path, "/services/collector/"):
			hec.ServeHTTP(w, r)
		case path == "/v1/logs", path == "/v1/traces", path == "/v1/metrics": // the last two are refused by name
			p.otlp.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// authorizeShipper lets in who may send data: a bearer; Basic or ApiKey with a client id and its secret, or any name
// and a personal token; Splunk with a personal token.
func (p *Picket) authorizeShipper(r *http.Request) error {
	is := p.azure.Issuer()
	kind, cred, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	cred = strings.TrimSpace(cred)
	var who azure.Principal
	var e *azure.Error
	switch strings.ToLower(kind) {
	case "bearer", "splunk":
		who, e = is.Bearer(r.Context(), cred, p.publicURL)
	case "basic", "apikey":
		b, err := base64.StdEncoding.DecodeString(cred)
		if err != nil {
			who, e = is.Secret(r.Context(), "", cred) // ApiKey with a bare personal token
			break
		}
		id, secret, _ := strings.Cut(string(b), ":")
		who, e = is.Secret(r.Context(), id, secret)
	default:
		return errors.New("the request has no credential: send Basic with a client id and its secret, or a personal token")
	}
	switch {
	case e != nil:
		return errors.New(e.Message)
	case !who.Role.Allows(azure.Contributor):
		return fmt.Errorf("%s has the role %s and %w: that needs %s", who.Name, who.Role, elastic.ErrForbidden, azure.Contributor)
	}
	ingest.SetPrincipal(r.Context(), who.Name)
	return nil
}

// openShippers makes what shippers send to.
func (p *Picket) openShippers(std map[string]value.Schema) (err error) {
	p.resends = p.ingest.NewResends(p.cfg.ResendWindow)
	p.otlp, err = otlp.New(otlp.Options{
		Store: p.ingest.Frame, Schema: std["OTelLogs"], Authenticate: p.authorizeShipper, Forbidden: func(err error) bool { return errors.Is(err, elastic.ErrForbidden) },
		Resends: p.resends, Quarantine: p.ingest.Quarantine, Refused: p.usage.Refused, Log: p.log,
	})
	return err
}

// startOTLP binds the listener of OpenTelemetry logs over gRPC.
func (p *Picket) startOTLP(ctx context.Context) error {
	if p.cfg.OTLP == "" {
		return nil
	}
	ln, err := net.Listen("tcp", p.cfg.OTLP)
	if err != nil {
		return listenError("otlp", p.cfg.OTLP, err)
	}
	p.loop("otlp", func() error {
		return p.otlp.Serve(ctx, ln, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{p.trust.cert}})
	})
	return nil
}

// startSyslog binds the syslog listeners; with the walk-through there is one on a free port of loopback when none is
// set.
func (p *Picket) startSyslog(ctx context.Context) error {
	addr := p.cfg.Syslog
	if addr == "" && p.cfg.Demo {
		addr = "127.0.0.1:0"
	}
	if addr == "" && p.cfg.SyslogTLS == "" {
		return nil
	}
	tables, err := standard.Tables()
	if err != nil {
		return err
	}
	s, err := syslog.New(syslog.Options{Rows: p.ingest.Rows, Schemas: tables, Log: p.log, Seen: p.usage.Seen, Quarantine: p.ingest.Quarantine})
	if err != nil {
		return err
	}
	if addr != "" {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("listen for syslog: %w", err)
		}
		p.syslogTCP = ln.Addr().String()
		pc, err := net.ListenPacket("udp", p.syslogTCP)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for syslog: %w", err), ln.Close())
		}
		p.loop("syslog tcp", func() error { return s.ServeTCP(ctx, ln) })
		p.loop("syslog udp", func() error { return s.ServeUDP(ctx, pc) })
	}
	if p.cfg.SyslogTLS != "" {
		ln, err := tls.Listen("tcp", p.cfg.SyslogTLS, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{p.trust.cert}})
		if err != nil {
			return fmt.Errorf("listen for syslog over TLS: %w", err)
		}
		p.loop("syslog tls", func() error { return s.ServeTCP(ctx, ln) })
	}
	p.loop("syslog", func() error { return s.Run(ctx) })
	return nil
}

// recovered answers 500 when a handler panics and says in the log where; the connection and the others go on.
func (p *Picket) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v) // how a handler says that it gives up on purpose
			default:
				p.log.Error("BUG: a request failed", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusInternalServerError)
				fmt.Fprintln(w, `{"error":{"code":"InternalServerError","message":"picket failed at this request; its log says where."}}`)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
