package trip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const live = "live0000000000000000000ab"

func startHTTP(t testing.TB, change func(*Options)) (*Log, string) {
	t.Helper()
	l := openLog(t, t.TempDir(), LogOptions{})
	o := Options{Log: l, Known: func(id string) bool { return id == live }}
	if change != nil {
		change(&o)
	}
	s, err := NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeHTTP(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l, "http://" + ln.Addr().String()
}

func TestEveryMethodIsRecorded(t *testing.T) {
	l, url := startHTTP(t, nil)
	for _, m := range []string{"OPTIONS", "HEAD", "GET", "POST", "PUT", "PROPFIND"} {
		req, err := http.NewRequest(m, url+"/a/"+strings.ToUpper(live)+"/x.png?l=here&l=there", strings.NewReader("body of "+m))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "session=s3cret")
		req.Header.Set("Authorization", "Bearer s3cret")
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || m == "GET" && !bytes.Equal(b, gif) {
			t.Errorf("%s: %d %q", m, res.StatusCode, b)
		}
	}
	es, _ := readAll(t, l)
	if len(es) != 6 {
		t.Fatalf("%d records", len(es))
	}
	for _, e := range es {
		s := fmt.Sprint(e.Headers)
		if e.Token != live || e.SrcIP != "127.0.0.1" || e.Peer != "127.0.0.1" || e.PeerPort == 0 || len(e.Forwarded) != 1 || e.Args[0] != [2]string{"l", "here,there"} {
			t.Errorf("record %+v", e.Record)
		}
		if strings.Contains(s, "s3cret") || !strings.Contains(s, "{Cookie [redacted") && !strings.Contains(s, "[Cookie [redacted") {
			t.Errorf("headers %s", s)
		}
		if string(e.Body) != "body of "+e.Method || e.BodySHA == "" {
			t.Errorf("%s: body %q", e.Method, e.Body)
		}
	}
}

// TestNoExistenceOracle: an answer says nothing about whether the token exists.
func TestNoExistenceOracle(t *testing.T) {
	_, url := startHTTP(t, nil)
	raw := func(method, id string) string {
		c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "%s /assets/img/%s/logo.png HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, id)
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		// the date may tick between two requests
		lines := strings.Split(string(b), "\r\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "Date: ") {
				lines[i] = "Date: -"
			}
		}
		return strings.Join(lines, "\r\n")
	}
	unknown := "unknown00000000000000000x"
	for _, m := range []string{"GET", "HEAD", "OPTIONS", "POST", "DELETE", "BREW"} {
		if a, b := raw(m, live), raw(m, unknown); a != b {
			t.Errorf("%s differs:\n%q\n%q", m, a, b)
		}
	}
	// both wait for the disk: the medians lie close together
	med := func(id string) time.Duration {
		var ds []time.Duration
		for range 60 {
			at := time.Now()
			res, err := http.Get(url + "/assets/img/" + id + "/logo.png")
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			ds = append(ds, time.Since(at))
		}
		sort.Slice(ds, func(i, j int) bool { return ds[i] < ds[j] })
		return ds[len(ds)/2]
	}
	med(live)
	a, b := med(live), med(unknown)
	t.Logf("median: live %v, unknown %v", a, b)
	if r := float64(a) / float64(b); r > 3 || r < 1.0/3 {
		t.Errorf("median answer times differ: live %v, unknown %v", a, b)
	}
}

func TestLargeRequestsAreCut(t *testing.T) {
	l, url := startHTTP(t, nil)
	req, _ := http.NewRequest("POST", url+"/"+live, bytes.NewReader(make([]byte, 3<<20)))
	for i := range 40 {
		req.Header.Set(fmt.Sprintf("X-%d", i), strings.Repeat("v", 1000))
	}
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		res.Body.Close()
	} // the server may close before it has read everything
	es, _ := readAll(t, l)
	if len(es) != 1 || len(es[0].Body) != 64<<10 || !es[0].Truncated || es[0].BodySize != 1<<20 {
		t.Fatalf("%d records, body %d of %d", len(es), len(es[0].Body), es[0].BodySize)
	}
	n := 0
	for _, h := range es[0].Headers {
		n += len(h[0]) + len(h[1])
	}
	if n > 16<<10 || n < 15<<10 {
		t.Errorf("kept %d bytes of headers", n)
	}
}

func TestClientIP(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct{ peer, fwd, want string }{
		{"198.51.100.7:1", "6.6.6.6", "198.51.100.7"}, // not a proxy: its word is only kept
		{"10.0.0.1:1", "6.6.6.6", "6.6.6.6"},
		{"10.0.0.1:1", "1.1.1.1, 6.6.6.6", "6.6.6.6"},           // the left one is a claim
		{"10.0.0.1:1", "1.1.1.1, 6.6.6.6, 10.2.3.4", "6.6.6.6"}, // through two proxies
		{"10.0.0.1:1", "10.1.1.1, 10.2.2.2", "10.1.1.1"},        // all trusted: the leftmost
		{"10.0.0.1:1", "6.6.6.6, rubbish", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"[fd00::1]:1", "[2001:db8::5]:4711", "2001:db8::5"},
		{"10.0.0.1:1", "6.6.6.6:99", "6.6.6.6"},
		{"[::ffff:10.0.0.1]:1", "6.6.6.6", "6.6.6.6"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.fwd != "" {
			r.Header.Set("X-Forwarded-For", c.fwd)
		}
		if got, _, _, _ := clientIP(r, trusted); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.peer, c.fwd, got, c.want)
		}
	}
}

func TestLimitsDegradeToCounters(t *testing.T) {
	l, url := startHTTP(t, func(o *Options) { o.PerSource = Rate{0.001, 5} })
	for range 20 {
		res, err := http.Get(url + "/" + live)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	es, _ := readAll(t, l)
	n, full := 0, 0
	for _, e := range es {
		n += e.Count
		if e.Degraded == "" {
			full++
		}
	}
	if n != 20 || full != 5 {
		t.Fatalf("%d calls counted, %d in full", n, full)
	}
}

func TestDNS(t *testing.T) {
	l := openLog(t, t.TempDir(), LogOptions{})
	s, err := NewServer(Options{
		Log: l, Known: func(id string) bool { return id == live }, Domain: "T.example.org.",
		A: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, AAAA: []netip.Addr{netip.MustParseAddr("2001:db8::1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeDNS(ctx, pc, ln) }()
	ask := func(network, name string, qtype uint16, ecs bool) *dns.Msg {
		t.Helper()
		m := new(dns.Msg)
		m.SetQuestion(dns.Fqdn(name), qtype)
		if ecs {
			m.SetEdns0(4096, false)
			o := m.IsEdns0()
			o.Option = append(o.Option, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.ParseIP("203.0.113.0").To4()})
		}
		addr := pc.LocalAddr().String()
		if network == "tcp" {
			addr = ln.Addr().String()
		}
		r, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(m, addr)
		if err != nil {
			t.Fatalf("%s %s: %v", name, dns.TypeToString[qtype], err)
		}
		return r
	}
	name := "some.data." + strings.ToUpper(live) + ".t.example.org"
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeTXT, dns.TypeHTTPS, dns.TypeNS, dns.TypeMX, dns.TypeANY, 65399}
	for _, n := range []string{"udp", "tcp"} {
		for _, q := range types {
			got, other := ask(n, name, q, false), ask(n, strings.Replace(name, "LIVE", "DEAD", 1), q, false)
			if got.Rcode != dns.RcodeSuccess || !got.Authoritative || len(got.Answer) != len(other.Answer) || len(got.Ns) != len(other.Ns) || got.Len() != other.Len() {
				t.Errorf("%s %d: %v\n%v", n, q, got, other)
			}
		}
	}
	r := ask("udp", name, dns.TypeA, true)
	if a, ok := r.Answer[0].(*dns.A); !ok || a.A.String() != "192.0.2.1" || r.Answer[0].Header().Name != dns.Fqdn(name) {
		t.Errorf("answer %v", r)
	}
	if r := ask("udp", "www.example.net", dns.TypeA, false); r.Rcode != dns.RcodeRefused {
		t.Errorf("foreign name: %v", r)
	}
	if r := ask("udp", "t.example.org", dns.TypeNS, false); len(r.Answer) != 1 {
		t.Errorf("apex: %v", r)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	es, _ := readAll(t, l)
	seen := map[string]int{}
	for _, e := range es {
		seen[e.Transport+" "+e.QueryType]++
		if e.Token != live || e.QueryName != name || e.Channel != ChannelDNS {
			t.Errorf("record %+v", e.Record)
		}
	}
	if len(es) != 2*len(types)+1 || seen["udp TYPE65399"] != 1 || seen["tcp HTTPS"] != 1 || es[len(es)-1].ClientSubnet != "203.0.113.0/24" {
		t.Errorf("%d records: %v, subnet %q", len(es), seen, es[len(es)-1].ClientSubnet)
	}
}

func TestNothingIsAnsweredThatIsNotKept(t *testing.T) {
	l, url := startHTTP(t, nil)
	l.Close()
	res, err := http.Get(url + "/" + live)
	if err == nil {
		res.Body.Close()
		t.Fatalf("answered %d without a log", res.StatusCode)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
