// Package syslog takes syslog messages over UDP, TCP and TLS (RFC 5424 and 3164; octet counting or a line a message)
// into the table Syslog, and the CEF and LEEF events among them into CommonSecurityLog.
//
//	s, err := syslog.New(syslog.Options{Rows: in.Rows, Schemas: tables})
//	go s.Run(ctx)                 // stores what comes in
//	err = s.ServeTCP(ctx, ln)     // and s.ServeUDP(ctx, conn)
package syslog

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"picket/ingest"
	"picket/kql/value"
	"picket/lake"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The tables that messages go to.
const (
	Table    = "Syslog"
	CEFTable = "CommonSecurityLog"
)

// Options of a Server.
type Options struct {
	// Rows stores rows of a table (ingest.Ingest.Rows).
	Rows func(ctx context.Context, table string, s value.Schema, rows []map[string]any, opID string) (lake.Ack, error)
	// Schemas holds the columns of Syslog and CommonSecurityLog.
	Schemas map[string]value.Schema
	// Seen is told of rows that are stored, by who sent them; may be nil.
	Seen func(s ingest.Sender, table string, rows int, bytes int64)
	// Quarantine keeps messages that their table does not take (ingest.Ingest.Quarantine); nil only logs them.
	Quarantine func(ctx context.Context, table string, rs []ingest.Reject, opID string) error
	Now        func() time.Time // default time.Now
	Log        *slog.Logger     // default slog.Default()

	MaxConns int           // TCP connections at once; default 500
	Idle     time.Duration // a connection that says nothing this long is closed; default 30 minutes
}

const (
	queueSize  = 20_000
	batchSize  = 5000
	batchDelay = 200 * time.Millisecond
	maxFrame   = 1 << 20 // bytes of one message on the wire
)

// Server takes messages. Make one with [New].
type Server struct {
	o       Options
	in      chan item
	host    string
	schemas map[string]value.Schema
	cef     map[string]value.Column
	names   map[string]string
}

type item struct {
	m    Message
	from string
	via  string // the protocol: syslog-udp, syslog-tcp, syslog-tls
	at   time.Time
}

// New makes a server; it stores messages while [Server.Run] runs.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 500
	}
	if o.Idle <= 0 {
		o.Idle = 30 * time.Minute
	}
	s := &Server{o: o, in: make(chan item, queueSize), schemas: map[string]value.Schema{}, cef: map[string]value.Column{}, names: cefColumns()}
	for _, t := range []string{Table, CEFTable} {
		if o.Schemas[t] == nil {
			return nil, fmt.Errorf("syslog: the columns of %s are not known", t)
		}
		for _, c := range o.Schemas[t] {
			if c.Name != "TenantId" && c.Name != "Type" {
				s.schemas[t] = append(s.schemas[t], c)
			}
		}
	}
	for _, c := range s.schemas[CEFTable] {
		s.cef[strings.ToLower(c.Name)] = c
	}
	s.host, _ = os.Hostname() // only a label
	return s, nil
}

// Run stores messages in batches until ctx ends and everything taken by then is stored. Rows that can't be stored now
// are tried again: senders of syslog wait, as their connection takes no more.
func (s *Server) Run(ctx context.Context) error {
	for {
		var batch []item
		select {
		case x := <-s.in:
			batch = append(batch, x)
		case <-ctx.Done():
			for len(s.in) > 0 && len(batch) < queueSize {
				batch = append(batch, <-s.in)
			}
			if len(batch) == 0 {
				return nil
			}
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return s.store(last, &batch)
		}
		t := time.NewTimer(batchDelay)
	fill:
		for len(batch) < batchSize {
			select {
			case x := <-s.in:
				batch = append(batch, x)
			case <-t.C:
				break fill
			}
		}
		t.Stop()
		for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
			err := s.store(context.WithoutCancel(ctx), &batch)
			if err == nil {
				break
			}
			if errors.Is(err, lake.ErrClosed) || ctx.Err() != nil {
				return fmt.Errorf("%d syslog messages were not stored: %w", len(batch), err)
			}
			var de *lake.DataError
			if errors.As(err, &de) {
				s.o.Log.Error("syslog messages do not fit their table", "messages", len(batch), "error", err)
				if err = s.quarantine(context.WithoutCancel(ctx), batch, de); err == nil {
					break
				}
			}
			s.o.Log.Warn("syslog messages wait for the store", "messages", len(batch), "error", err)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
	}
}

// store stores a batch and takes what is stored out of it.
func (s *Server) store(ctx context.Context, batch *[]item) error {
	rows, items := map[string][]map[string]any{}, map[string][]item{}
	for _, x := range *batch {
		t, r := s.row(&x)
		rows[t], items[t] = append(rows[t], r), append(items[t], x)
	}
	if len(rows[Table]) > 0 {
		if _, err := s.o.Rows(ctx, Table, s.schemas[Table], rows[Table], ""); err != nil {
			return err
		}
		s.seen(Table, items[Table], rows[Table])
		*batch = items[CEFTable]
	}
	if len(rows[CEFTable]) > 0 {
		if _, err := s.o.Rows(ctx, CEFTable, s.schemas[CEFTable], rows[CEFTable], ""); err != nil {
			return err
		}
		s.seen(CEFTable, items[CEFTable], rows[CEFTable])
		*batch = nil
	}
	return nil
}

// seen tells of stored messages by their sender.
func (s *Server) seen(table string, items []item, rows []map[string]any) {
	if s.o.Seen == nil {
		return
	}
	type sum struct {
		rows  int
		bytes int64
	}
	by := map[ingest.Sender]sum{}
	for i := range items {
		x := &items[i]
		host, _ := rows[i]["Computer"].(string)
		k := ingest.Sender{Protocol: x.via, Address: x.from, Computer: host}
		t := by[k]
		t.rows++
		t.bytes += int64(len(x.m.Text) + len(x.m.Data))
		by[k] = t
	}
	for k, t := range by {
		s.o.Seen(k, table, t.rows, t.bytes)
	}
}

// quarantine keeps the messages of a batch that its table does not take.
func (s *Server) quarantine(ctx context.Context, batch []item, why *lake.DataError) error {
	if s.o.Quarantine == nil {
		return nil
	}
	rs := make([]ingest.Reject, len(batch))
	for i := range batch {
		x := &batch[i]
		rs[i] = ingest.Reject{Source: x.via, Stream: x.from, Reason: why.Error(), Record: strings.TrimSpace(x.m.Host + " " + x.m.App + ": " + x.m.Data + " " + x.m.Text)}
	}
	return s.o.Quarantine(ctx, why.Table, rs, "")
}

// row is the table and the row of a message.
func (s *Server) row(x *item) (string, map[string]any) {
	m := &x.m
	at := m.Time
	if at.IsZero() || at.Year() < 1970 || at.Year() > 9998 {
		at = x.at
	}
	host := m.Host
	if host == "" {
		host = x.from
	}
	if e, ok := parseEvent(m.Text); ok {
		r := e.row(s.cef, s.names)
		r["TimeGenerated"], r["Computer"], r["CollectorHostName"], r["SourceSystem"] = at, host, s.host, "Linux"
		return CEFTable, r
	}
	r := map[string]any{
		"TimeGenerated": at, "EventTime": at, "Facility": m.FacilityName(), "SeverityLevel": m.SeverityName(), "HostName": host, "Computer": host,
		"HostIP": x.from, "ProcessName": m.App, "SyslogMessage": m.Text, "CollectorHostName": s.host, "SourceSystem": "Linux",
	}
	if m.Data != "" {
		r["SyslogMessage"] = strings.TrimSpace(m.Data + " " + m.Text)
	}
	if n, err := strconv.ParseInt(m.ProcID, 10, 32); err == nil {
		r["ProcessID"] = n
	}
	return Table, r
}

// take queues a message; it waits while the queue is full, which slows the sender down.
func (s *Server) take(ctx context.Context, raw []byte, from, via string) error {
	now := s.o.Now()
	m := Parse(raw, now)
	if m.Text == "" && m.Data == "" && m.App == "" {
		return nil // an empty line
	}
	select {
	case s.in <- item{m, from, via, now}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeUDP takes a message a datagram until ctx ends.
func (s *Server) ServeUDP(ctx context.Context, pc net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { _ = pc.Close() })
	defer stop()
	buf := make([]byte, 64<<10)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("read syslog datagrams: %w", err)
		}
		if err := s.take(ctx, buf[:n], hostOf(from), "syslog-udp"); err != nil {
			return nil
		}
	}
}

func hostOf(a net.Addr) string {
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}

// ServeTCP takes connections until ctx ends; a TLS listener makes it syslog over TLS (RFC 5425).
func (s *Server) ServeTCP(ctx context.Context, ln net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, s.o.MaxConns)
	for {
		c, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) {
				time.Sleep(50 * time.Millisecond) // out of file descriptors: connections end, then it goes on
				continue
			}
			return fmt.Errorf("accept syslog connections: %w", err)
		}
		select {
		case slots <- struct{}{}:
		default:
			s.o.Log.Warn("a syslog connection is refused: there are as many as may be", "most", s.o.MaxConns, "from", c.RemoteAddr())
			_ = c.Close()
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			defer c.Close()
			defer context.AfterFunc(ctx, func() { _ = c.Close() })()
			if err := s.conn(ctx, c); err != nil && ctx.Err() == nil {
				s.o.Log.Warn("a syslog connection ended", "from", c.RemoteAddr(), "error", err)
			}
		}()
	}
}

// conn reads one connection: each message is either counted ("123 <34>…") or ends with a line end.
func (s *Server) conn(ctx context.Context, c net.Conn) error {
	r := bufio.NewReaderSize(c, 64<<10)
	from, via := hostOf(c.RemoteAddr()), "syslog-tcp"
	if _, ok := c.(*tls.Conn); ok {
		via = "syslog-tls"
	}
	for {
		if err := c.SetReadDeadline(time.Now().Add(s.o.Idle)); err != nil {
			return err
		}
		first, err := r.Peek(1)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var raw []byte
		if first[0] >= '1' && first[0] <= '9' {
			if raw, err = counted(r); err != nil {
				return err
			}
		}
		if raw == nil {
			if raw, err = line(r); err != nil && len(raw) == 0 {
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
		}
		if err := s.take(ctx, raw, from, via); err != nil {
			return nil
		}
	}
}

// counted reads "LEN SP MSG"; nil when what comes is no count.
func counted(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(8)
	if err != nil && len(head) == 0 {
		return nil, err
	}
	sp := strings.IndexByte(string(head), ' ')
	if sp < 1 {
		return nil, nil
	}
	n, err := strconv.Atoi(string(head[:sp]))
	if err != nil {
		return nil, nil
	}
	if n < 1 || n > maxFrame {
		return nil, fmt.Errorf("a message of %d bytes: the limit is %d", n, maxFrame)
	}
	if _, err := r.Discard(sp + 1); err != nil {
		return nil, err
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// line reads up to a line end or a NUL; what is longer than maxFrame is cut.
func line(r *bufio.Reader) ([]byte, error) {
	var raw []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(raw) < maxFrame {
			raw = append(raw, part[:min(len(part), maxFrame-len(raw))]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return raw, err
		}
	}
}
