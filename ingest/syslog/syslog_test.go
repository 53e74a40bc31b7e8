package syslog

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"picket/ingest/standard"
	"picket/kql/value"
	"picket/lake"
	"strings"
	"sync"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func TestMessages(t *testing.T) {
	for in, want := range map[string]Message{
		`<34>1 2026-11-24T07:08:09.123456Z mymachine.example.com su 42 ID47 [ex@1 a="x]\"y"] ` + "\uFEFF'su root' failed": {4, 2, time.Date(2026, 11, 24, 7, 8, 9, 123456000, time.UTC), "mymachine.example.com", "su", "42", "ID47", `[ex@1 a="x]\"y"]`, "'su root' failed"},
		`<165>1 - - - - - -`: {20, 5, time.Time{}, "", "", "", "", "", ""},
		`<13>1 2026-11-24T07:08:09+02:00 h a - - - no data`:                   {1, 5, time.Date(2026, 11, 24, 5, 8, 9, 0, time.UTC), "h", "a", "", "", "", "no data"},
		`<34>Nov 24 07:08:09 mymachine su[231]: 'su root' failed for lonvick`: {4, 2, time.Date(2026, 11, 24, 7, 8, 9, 0, time.UTC), "mymachine", "su", "231", "", "", "'su root' failed for lonvick"},
		`<13>Dec 31 23:59:59 10.0.0.5 cron: x`:                                {1, 5, time.Date(2025, 12, 31, 23, 59, 59, 0, time.UTC), "10.0.0.5", "cron", "", "", "", "x"},
		`<30>systemd[1]: Started x`:                                           {3, 6, time.Time{}, "", "systemd", "1", "", "", "Started x"},
		`<134>2026-11-24T07:08:09Z fw CEF:0|V|P|1|c|n|5|src=1.2.3.4`:          {16, 6, time.Date(2026, 11, 24, 7, 8, 9, 0, time.UTC), "fw", "", "", "", "", "CEF:0|V|P|1|c|n|5|src=1.2.3.4"},
		"no form at all":        {1, 5, time.Time{}, "", "", "", "", "", "no form at all"},
		"<999>x":                {1, 5, time.Time{}, "", "", "", "", "", "<999>x"},
		"<13>bad \xff utf8\r\n": {1, 5, time.Time{}, "", "", "", "", "", "bad \uFFFD utf8"},
	} {
		got := Parse([]byte(in), now)
		if !got.Time.Equal(want.Time) {
			t.Errorf("%s: time %s, want %s", in, got.Time, want.Time)
		}
		got.Time, want.Time = time.Time{}, time.Time{}
		if got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<34>1 2026-11-24T07:08:09Z h a 1 - [x y="z"] CEF:0|a|b|c|d|e|f|k=v l=m\=n`))
	f.Add([]byte("<34>Nov 24 07:08:09 h su[1]: LEEF:2.0|v|p|1|e|^|a=b^c=d"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m := Parse(in, now)
		if m.Facility < 0 || m.Facility > 23 || m.Severity < 0 || m.Severity > 7 || len(m.Text) > maxText {
			t.Errorf("%q: %+v", in, m)
		}
		parseEvent(m.Text)
	})
}

// sink keeps rows; it fails the first time with trouble.
type sink struct {
	mu      sync.Mutex
	rows    map[string][]map[string]any
	trouble int
}

func (s *sink) add(_ context.Context, table string, _ value.Schema, rows []map[string]any, _ string) (lake.Ack, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble > 0 && table == CEFTable {
		s.trouble--
		return lake.Ack{}, errors.New("trouble")
	}
	s.rows[table] = append(s.rows[table], rows...)
	return lake.Ack{}, nil
}

func (s *sink) count(table string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows[table])
}

func TestNothingIsLostOnTheWay(t *testing.T) {
	tables, err := standard.Tables()
	if err != nil {
		t.Fatal(err)
	}
	k := &sink{rows: map[string][]map[string]any{}, trouble: 2}
	s, err := New(Options{Rows: k.add, Schemas: tables})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, f := range []func() error{func() error { return s.Run(ctx) }, func() error { return s.ServeTCP(ctx, ln) }, func() error { return s.ServeUDP(ctx, pc) }} {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := f(); err != nil {
				t.Error(err)
			}
		}()
	}
	send := func(network, addr, text string) {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	var lines, frames strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&lines, "<13>Nov 24 07:08:09 host app[%d]: line %d\n", i, i)
		m := fmt.Sprintf("<14>1 2026-11-24T07:08:09Z host app %d - - several\nlines %d", i, i)
		fmt.Fprintf(&frames, "%d %s", len(m), m)
	}
	send("tcp", ln.Addr().String(), lines.String())
	send("tcp", ln.Addr().String(), frames.String())
	send("tcp", ln.Addr().String(), "<134>Nov 24 07:08:09 fw CEF:0|Acme\\|Co|Wall|1.0|100|Port scan|8|src=192.0.2.1 dst=192.0.2.2 spt=1234 dpt=x msg=two words \\= more cs1Label=Rule cs1=deny all cn1=7 rt=1795590000000 deviceDirection=1 odd=thing\n"+
		"LEEF:2.0|Acme|Wall|2|login|^|usrName=ann^src=192.0.2.3^sev=5\n")
	send("udp", pc.LocalAddr().String(), "<13>one datagram")
	deadline := time.Now().Add(10 * time.Second)
	for (k.count(Table) < 6001 || k.count(CEFTable) < 2) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	send("tcp", ln.Addr().String(), "<13>the last one\n")
	time.Sleep(50 * time.Millisecond)
	stop()
	wg.Wait()
	if k.count(Table) != 6002 || k.count(CEFTable) != 2 {
		t.Fatalf("%d and %d rows", k.count(Table), k.count(CEFTable))
	}
	r := k.rows[CEFTable][0]
	for col, want := range map[string]any{"DeviceVendor": "Acme|Co", "Activity": "Port scan", "LogSeverity": "8", "DeviceEventClassID": "100", "Computer": "fw", "AdditionalExtensions": "dpt=x;odd=thing"} {
		if r[col] != want {
			t.Errorf("%s is %v, want %v", col, r[col], want)
		}
	}
	for col, want := range map[string]string{
		"SourceIP": "192.0.2.1", "SourcePort": "1234", "Message": "two words = more", "DeviceCustomString1Label": "Rule", "DeviceCustomString1": "deny all",
		"FieldDeviceCustomNumber1": "7", "CommunicationDirection": "Outbound", "ReceiptTime": "1795590000000",
	} {
		v, ok := r[col].(value.Value)
		if !ok || v.Text() != want {
			t.Errorf("%s is %v, want %s", col, r[col], want)
		}
	}
	l := k.rows[CEFTable][1]
	if l["DeviceVendor"] != "Acme" || l["LogSeverity"] == nil || l["SourceUserName"].(value.Value).S != "ann" {
		t.Errorf("LEEF: %v", l)
	}
}

// FuzzFrames reads a connection's bytes as messages: it ends, holds no more than came, and gives back what was counted.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("5 <1>ab12 <1>with space\n<13>a line\nrest"))
	f.Add([]byte("99999999 <1>x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(in), 64)
		total := 0
		for range len(in) + 1 {
			first, err := r.Peek(1)
			if err != nil {
				break
			}
			var raw []byte
			if first[0] >= '1' && first[0] <= '9' {
				if raw, err = counted(r); err != nil {
					return
				}
			}
			if raw == nil {
				if raw, err = line(r); err != nil && len(raw) == 0 {
					break
				}
			}
			if total += len(raw); total > len(in) {
				t.Fatalf("%d bytes out of %d", total, len(in))
			}
			Parse(raw, now)
		}
		if _, err := r.Peek(1); err == nil {
			t.Fatal("it does not end")
		}
	})
}

// FuzzEvent reads CEF and LEEF: no column takes a value of another type, and nothing of the extension is lost.
func FuzzEvent(f *testing.F) {
	tables, err := standard.Tables()
	if err != nil {
		f.Fatal(err)
	}
	s, err := New(Options{Schemas: tables})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`CEF:0|V|P|1|c|n|5|src=192.0.2.1 spt=x rt=Nov 24 2026 07:08:09 msg=a \= b odd=1`)
	f.Add("LEEF:2.0|V|P|1|e|x5E|usrName=a^sev=5^src=1.2.3.4")
	f.Fuzz(func(t *testing.T, text string) {
		e, ok := parseEvent(text)
		if !ok {
			return
		}
		for k, v := range e.row(s.cef, s.names) {
			c, ok := s.cef[strings.ToLower(k)]
			if !ok {
				t.Fatalf("no column %s", k)
			}
			if x, ok := v.(value.Value); ok && x.Type != c.Type {
				t.Fatalf("%s is a %s, the column a %s", k, x.Type, c.Type)
			}
		}
	})
}
