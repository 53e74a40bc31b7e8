package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"picket/kql/value"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestTokensAreListedSearchedChanged(t *testing.T) {
	b := newBench(t, nil)
	ctx := context.Background()
	var rs []CreateRequest
	for i := range 250 {
		r := CreateRequest{Kind: "web", Memo: fmt.Sprintf("HOST%03d,,,,bulk 100%%", i), Owner: "ops", Tags: []string{"bulk"}}
		if i%2 == 0 {
			r.Tags = append(r.Tags, "even")
		}
		rs = append(rs, r)
	}
	cs, err := b.CreateBulk(ctx, rs)
	if err != nil || len(cs) != 250 {
		t.Fatal(len(cs), err)
	}
	seen := map[string]bool{}
	for after := ""; ; {
		ts, next, err := b.List(ctx, Filter{Limit: 99, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ts {
			if seen[x.ID] || !validID(x.ID) {
				t.Fatalf("token %s", x.ID)
			}
			seen[x.ID] = true
		}
		if after = next; after == "" {
			break
		}
	}
	if len(seen) != 250 {
		t.Fatalf("%d listed", len(seen))
	}
	count := func(f Filter) int {
		t.Helper()
		f.Limit = 1000
		ts, _, err := b.List(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		return len(ts)
	}
	if err := b.SetEnabled(ctx, cs[0].ID, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f Filter
		n int
	}{
		{Filter{Search: "host007"}, 1},
		{Filter{Search: "100%"}, 250},
		{Filter{Search: "1_0%"}, 0},
		{Filter{Tag: "even"}, 125},
		{Filter{Kind: "dns"}, 0},
		{Filter{Status: StatusDisabled}, 1},
		{Filter{Status: StatusEnabled}, 249},
		{Filter{Owner: "ops", Tag: "even", Status: StatusEnabled}, 124},
	} {
		if n := count(c.f); n != c.n {
			t.Errorf("%+v: %d, want %d", c.f, n, c.n)
		}
	}
	rs[100].Memo = "broken"
	if _, err := b.CreateBulk(ctx, rs); err == nil || !strings.Contains(err.Error(), "token 101") || count(Filter{}) != 250 {
		t.Errorf("bulk with a mistake: %v", err)
	}
}

func TestRequestsAreRefusedByField(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.DNSDomain = "" })
	for field, r := range map[string]CreateRequest{
		"Kind":         {Kind: "aws_keys"},
		"Memo":         {Kind: "web", Memo: "\x00"},
		"PublicIP":     {Kind: "web", Memo: "a,b,c,d,e"},
		"FileName":     {Kind: "ms_word", FileName: "x.doc"},
		"Decoy.Fields": {Kind: "ms_word", Decoy: Decoy{Fields: []string{"shoe_size"}}},
		"Decoy.Rows":   {Kind: "ms_word", Decoy: Decoy{Rows: 501}},
		"Recipients":   {Kind: "web", Recipients: []string{"nobody"}},
		"Webhook":      {Kind: "web", Webhook: "file:///etc/passwd"},
		"Expires":      {Kind: "web", Expires: time.Now().Add(-time.Hour)},
		"OwnDocument":  {Kind: "ms_word", OwnDocument: []byte("not a document")},
		"Tags":         {Kind: "web", Tags: []string{"a\nb"}},
	} {
		if r.Memo == "" {
			r.Memo = "FS01,,,,x"
		}
		_, err := b.Create(context.Background(), r)
		var fe *FieldError
		if !errors.As(err, &fe) || fe.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := b.Create(context.Background(), CreateRequest{Kind: "dns", Memo: "FS01,,,,x"}); err == nil || !strings.Contains(err.Error(), "DNS domain") {
		t.Errorf("dns without a zone: %v", err)
	}
}

func TestDownloadsAreStableAndNamed(t *testing.T) {
	b := newBench(t, nil)
	ctx := context.Background()
	for _, k := range Kinds() {
		c := b.create(t, CreateRequest{Kind: k.Name()})
		a, err := b.Download(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.Download(ctx, c.ID)
		if err != nil || !bytes.Equal(a.Data, again.Data) || a.FileName != again.FileName {
			t.Errorf("%s: two downloads differ", k.Name())
		}
		if a.FileName == "" || strings.Contains(a.FileName, c.ID) {
			t.Errorf("%s: file name %q", k.Name(), a.FileName)
		}
		switch k.Name() {
		case "qr_code":
			if _, err := png.Decode(bytes.NewReader(a.Data)); err != nil {
				t.Error(err)
			}
		case "web":
			if string(a.Data) != c.URL+"\n" {
				t.Errorf("link %q", a.Data)
			}
		case "dns":
			if string(a.Data) != c.Hostname+"\n" || c.URL != "" {
				t.Errorf("host name %q", a.Data)
			}
		}
		if c.Warnings == nil {
			t.Errorf("%s: no warning about the loopback address or about nobody being told", k.Name())
		}
	}
}

func TestDNSTripEndsAsRow(t *testing.T) {
	b := newBench(t, nil)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.srv.ServeDNS(ctx, pc, nil) }()
	defer func() { cancel(); <-done }()
	c := b.create(t, CreateRequest{Kind: "dns"})
	q := new(dns.Msg)
	q.SetQuestion("host1."+strings.ToUpper(c.Hostname)+".", dns.TypeTXT)
	if _, _, err := (&dns.Client{}).Exchange(q, pc.LocalAddr().String()); err != nil {
		t.Fatal(err)
	}
	until(t, "row", func() bool { return len(b.rowsOf(c.ID)) == 1 })
	if r := b.rowsOf(c.ID)[0]; r.QueryType != "TXT" || !r.SrcIsResolver || r.Kind != "dns" || r.Channel != "DNS" {
		t.Errorf("row %+v", r)
	}
}

func TestGenericData(t *testing.T) {
	tok := strings.Repeat("a", 25)
	for in, want := range map[string]string{
		"JBSWY3DP.G07." + tok + ".t.example.org":                   "Hello",
		"JBSWY3.dp.g99." + strings.ToUpper(tok) + ".T.example.org": "Hello",
		"www." + tok + ".t.example.org":                            "",
		"JBSWY3DP.G7." + tok + ".t.example.org":                    "",
		"1!.G07." + tok + ".t.example.org":                         "",
	} {
		if got, ok := genericData(in, tok); got != want || ok != (want != "") {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func TestFetchOpensAsAWordProcessor(t *testing.T) {
	b := newBench(t, nil)
	c := b.create(t, CreateRequest{Kind: "ms_word"})
	a, err := b.Download(context.Background(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	f := filepath.Join(t.TempDir(), a.FileName)
	if err := os.WriteFile(f, a.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	xs, err := Fetch(context.Background(), f)
	if err != nil || len(xs) != 2 || xs[0].Method != "OPTIONS" || xs[1].Status != 200 {
		t.Fatalf("%+v, %v", xs, err)
	}
	until(t, "rows", func() bool { return len(b.rowsOf(c.ID)) == 2 })
}

func TestHistoryFromTheLogAlone(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.AppendTrips, d.CommittedMarks, d.QueryTrips = nil, nil, nil })
	c := b.create(t, CreateRequest{})
	for range 60 { // Canarytokens keeps 50
		hit(t, "GET", c.URL, "x")
	}
	ts, err := b.History(context.Background(), TripQuery{Token: c.ID})
	if err != nil || len(ts) != 60 || ts[0].Place.Computername != "FS01" || ts[0].Time.Before(ts[59].Time) {
		t.Fatalf("%d trips, %v", len(ts), err)
	}
	until(t, "hits", func() bool { x, _ := b.Get(context.Background(), c.ID); return x.Hits == 60 })
}

func TestRowsSurviveTheFrame(t *testing.T) {
	yes := true
	in := Trip{Kind: "web", Memo: "m", Tags: []string{"a"}, IsTor: &yes, NotificationID: "n", AlertStatus: "alertable", Place: Memo{"h", "1.1.1.1", "", "p", "d"}}
	in.ID, in.Token, in.Time, in.Count, in.SrcIP = "1", "t", time.Date(2026, 11, 24, 1, 2, 3, 456700, time.UTC), 3, "8.8.8.8"
	in.Headers, in.Forwarded = [][2]string{{"A", "b"}}, []string{"1.2.3.4"}
	in.Geo.HasLoc, in.Geo.Lat, in.Geo.Lon, in.Geo.ASN, in.Geo.City = true, 1.5, -2, 15169, "X"
	var none Trip
	none.Time = time.Unix(0, 0).UTC()
	f := TripFrame([]Trip{in, none})
	if len(f.Vecs) != len(TripSchema()) {
		t.Fatal("columns")
	}
	for i, c := range f.Schema {
		if f.Vecs[i].Type != c.Type || f.Vecs[i].N != 2 {
			t.Errorf("column %s", c.Name)
		}
	}
	if k := f.Schema.Index("IsTor"); !f.Vecs[k].IsNull(1) || f.Vecs[k].At(0).I != 1 {
		t.Error("IsTor")
	}
	if k := f.Schema.Index("Latitude"); !f.Vecs[k].IsNull(1) {
		t.Error("Latitude without a place is not null")
	}
	ts, err := TripsOf(f)
	if err != nil {
		t.Fatal(err)
	}
	in.Geo.IP = ts[0].Geo.IP
	if !reflect.DeepEqual(ts[0], in) {
		t.Errorf("%+v\n%+v", ts[0], in)
	}
	if _, err := TripsOf(&value.Frame{Schema: value.Schema{{Name: "Token", Type: value.Long}}, Vecs: []*value.Vector{value.New(value.Long, 1)}, N: 1}); err == nil {
		t.Error("a wrong type passes")
	}
}
