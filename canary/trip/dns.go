package trip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/netutil"
)

// dnsTTL is 0: a resolver that keeps the answer would hide the next trip.
const dnsTTL = 0

// ServeDNS answers queries on pc (UDP) and ln (TCP) until ctx ends; either may be nil.
func (s *Server) ServeDNS(ctx context.Context, pc net.PacketConn, ln net.Listener) error {
	var srvs []*dns.Server
	sem := make(chan struct{}, s.opt.MaxConns)
	h := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		select {
		case sem <- struct{}{}:
			defer func() { <-sem }()
		case <-ctx.Done():
			return
		}
		s.query(ctx, w, q)
	})
	if pc != nil {
		srvs = append(srvs, &dns.Server{PacketConn: pc, Handler: h, UDPSize: 4096})
	}
	if ln != nil {
		srvs = append(srvs, &dns.Server{
			Listener: netutil.LimitListener(ln, s.opt.MaxConns), Handler: h,
			ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxTCPQueries: 64,
			IdleTimeout: func() time.Duration { return 10 * time.Second },
		})
	}
	errs := make([]error, len(srvs))
	var wg sync.WaitGroup
	for i, d := range srvs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = d.ActivateAndServe()
		}()
	}
	stop := context.AfterFunc(ctx, func() {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		for _, d := range srvs {
			for d.ShutdownContext(c) != nil && c.Err() == nil { // "not started" for a moment after the start
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
	defer stop()
	wg.Wait()
	if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
		return fmt.Errorf("trip server: dns: %w", err)
	}
	return nil
}

func (s *Server) query(ctx context.Context, w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative = true
	if q.Opcode != dns.OpcodeQuery || len(q.Question) != 1 || q.Question[0].Qclass != dns.ClassINET && q.Question[0].Qclass != dns.ClassANY {
		m.Authoritative = false
		m.Rcode = dns.RcodeRefused
		_ = w.WriteMsg(m) // who asked may have gone
		return
	}
	name := q.Question[0].Name
	low := strings.ToLower(strings.TrimSuffix(name, "."))
	if s.opt.Domain == "" || low != s.opt.Domain && !strings.HasSuffix(low, "."+s.opt.Domain) {
		m.Authoritative = false
		m.Rcode = dns.RcodeRefused // not our zone: no recursion, no trip
		_ = w.WriteMsg(m)          // who asked may have gone
		return
	}
	a, port := splitAddr(w.RemoteAddr().String())
	rec := &Record{
		Time: s.opt.Now().UTC(), Channel: ChannelDNS, SrcIP: a.String(), Peer: a.String(), PeerPort: port,
		QueryName: strings.TrimSuffix(name, "."), QueryType: typeName(q.Question[0].Qtype), Transport: w.RemoteAddr().Network(),
	}
	if l := w.LocalAddr(); l != nil {
		rec.Local = l.String()
	}
	var ecs *dns.EDNS0_SUBNET
	opt := q.IsEdns0()
	if opt != nil {
		for _, o := range opt.Option {
			if e, ok := o.(*dns.EDNS0_SUBNET); ok {
				ecs = e
				rec.ClientSubnet = subnet(e)
			}
		}
	}
	var err error
	if rec.Token = s.find(strings.TrimSuffix(low, s.opt.Domain)); rec.Token == "" {
		err = s.opt.Log.AppendNothing(ctx)
	} else {
		err = s.opt.Log.append(ctx, rec, s.limited(rec.Token, rec.SrcIP))
	}
	if err != nil {
		s.opt.Logger.Error("trip not recorded", "err", err)
		return // no answer to a trip that isn't kept; the resolver asks again
	}
	s.answer(m, name, low, q.Question[0].Qtype)
	if opt != nil {
		m.SetEdns0(1232, false)
		if ecs != nil {
			e := *ecs
			e.SourceScope = 0 // the answer is the same for everybody
			o := m.IsEdns0()
			o.Option = append(o.Option, &e)
		}
	}
	if rec.Transport == "udp" {
		size := dns.MinMsgSize
		if opt != nil {
			size = min(max(int(opt.UDPSize()), dns.MinMsgSize), 1232)
		}
		m.Truncate(size)
	}
	_ = w.WriteMsg(m) // who asked may have gone
}

// answer fills in what the zone says of name: the same for every name, whether a token is in it or not.
func (s *Server) answer(m *dns.Msg, name, low string, qtype uint16) {
	hdr := func(n string, t uint16) dns.RR_Header {
		return dns.RR_Header{Name: n, Rrtype: t, Class: dns.ClassINET, Ttl: dnsTTL}
	}
	apex := s.opt.Domain + "."
	soa := &dns.SOA{Hdr: hdr(apex, dns.TypeSOA), Ns: s.opt.NS + ".", Mbox: "hostmaster." + apex, Serial: 1, Refresh: 7200, Retry: 1800, Expire: 1209600, Minttl: dnsTTL}
	isApex := low == s.opt.Domain
	if qtype == dns.TypeA || qtype == dns.TypeANY {
		for _, a := range s.opt.A {
			m.Answer = append(m.Answer, &dns.A{Hdr: hdr(name, dns.TypeA), A: a.Unmap().AsSlice()})
		}
	}
	if qtype == dns.TypeAAAA || qtype == dns.TypeANY {
		for _, a := range s.opt.AAAA {
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: hdr(name, dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	if isApex && qtype == dns.TypeNS {
		m.Answer = append(m.Answer, &dns.NS{Hdr: hdr(apex, dns.TypeNS), Ns: s.opt.NS + "."})
	}
	if isApex && qtype == dns.TypeSOA {
		m.Answer = append(m.Answer, soa)
	}
	if len(m.Answer) == 0 {
		m.Ns = append(m.Ns, soa) // the name exists, it has no such record
	}
}

func typeName(t uint16) string {
	if n, ok := dns.TypeToString[t]; ok {
		return n
	}
	return fmt.Sprintf("TYPE%d", t)
}

func subnet(e *dns.EDNS0_SUBNET) string {
	a, ok := netip.AddrFromSlice(e.Address)
	if !ok {
		return ""
	}
	if e.Family == 1 {
		a = a.Unmap()
	}
	return fmt.Sprintf("%s/%d", a, e.SourceNetmask)
}
