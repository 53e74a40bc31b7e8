package geo

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(f, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func openDB(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func imp(t *testing.T, db *DB, name string, b []byte, o ImportOptions) File {
	t.Helper()
	f, err := db.Import(context.Background(), write(t, name, b), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var google = netip.MustParseAddr("8.8.8.8")

func TestUnknownSinceThenKnown(t *testing.T) {
	dir := t.TempDir()
	db := openDB(t, dir)
	if _, ok := db.Lookup(google); ok {
		t.Error("known without data")
	}
	if s := db.Status(); s.LocationUnknownSince.IsZero() || s.TorUnknownSince.IsZero() {
		t.Errorf("status %+v", s)
	}
	if _, known := db.IsTor(google); known {
		t.Error("Tor known without a list")
	}
	flat := mmdb4(map[string]map[string]any{"8.8.8.0/24": {"country_code": "US", "city": "Mountain View", "state1": "California", "latitude": 37.422, "longitude": -122.085, "postcode": "94043", "timezone": "America/Los_Angeles"}})
	if f := imp(t, db, "dbip-city.mmdb", flat, ImportOptions{}); f.Kind != "city" || f.Built.IsZero() {
		t.Errorf("file %+v", f)
	}
	imp(t, db, "asn.csv", []byte("start,end,asn,name\n8.8.8.0,8.8.8.255,15169,Google LLC\n"), ImportOptions{})
	imp(t, db, "exit-addresses", []byte("ExitNode ABC\nPublished 2026-11-23 01:02:03\nLastStatus 2026-11-23 02:00:00\nExitAddress 198.51.100.7 2026-11-23 02:03:04\n"), ImportOptions{})
	imp(t, db, "more.txt", []byte("# one a line\n203.0.113.9\n2001:db8::7\n"), ImportOptions{})
	check := func(db *DB) {
		t.Helper()
		i, ok := db.Lookup(google)
		if !ok || i.City != "Mountain View" || i.Region != "California" || i.Country != "United States" || i.Continent != "NA" || i.Org() != "AS15169 Google LLC" || i.Loc() != "37.4220,-122.0850" {
			t.Errorf("info %+v", i)
		}
		if tor, known := db.IsTor(netip.MustParseAddr("198.51.100.7")); !tor || !known {
			t.Error("Tor exit isn't known")
		}
		if tor, _ := db.IsTor(netip.MustParseAddr("::ffff:203.0.113.9")); !tor {
			t.Error("Tor exit in the second list isn't known")
		}
		if tor, known := db.IsTor(google); tor || !known {
			t.Error("8.8.8.8 is a Tor exit")
		}
		s := db.Status()
		if !s.LocationUnknownSince.IsZero() || len(s.Files) != 4 || s.TorListed.IsZero() {
			t.Errorf("status %+v", s)
		}
	}
	check(db)
	check(openDB(t, dir)) // after a restart
	if err := db.Remove("dbip-city.mmdb"); err != nil {
		t.Fatal(err)
	}
	if i, ok := db.Lookup(google); !ok || i.City != "" || i.ASN != 15169 {
		t.Errorf("after removal %+v", i)
	}
}

func TestNestedKeys(t *testing.T) {
	db := openDB(t, t.TempDir())
	imp(t, db, "GeoLite2-City.mmdb", mmdb4(map[string]map[string]any{"1.2.3.0/24": {
		"continent":    map[string]any{"code": "AF"},
		"country":      map[string]any{"iso_code": "ZA", "names": map[string]any{"en": "South Africa"}},
		"city":         map[string]any{"names": map[string]any{"en": "Cape Town", "de": "Kapstadt"}},
		"location":     map[string]any{"latitude": -33.9, "longitude": 18.6, "time_zone": "Africa/Johannesburg"},
		"postal":       map[string]any{"code": "8001"},
		"subdivisions": []any{map[string]any{"iso_code": "WC", "names": map[string]any{"en": "Western Cape"}}},
	}}), ImportOptions{})
	imp(t, db, "asn.mmdb", mmdb4(map[string]map[string]any{"1.2.0.0/16": {"autonomous_system_number": uint64(29975), "autonomous_system_organization": "Vodacom"}}), ImportOptions{})
	i, ok := db.Lookup(netip.MustParseAddr("1.2.3.4"))
	if !ok {
		t.Fatal("not known")
	}
	b, err := json.Marshal(i.IPInfo())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"loc":"-33.9000,18.6000","org":"AS29975 Vodacom","city":"Cape Town","country":"ZA","region":"Western Cape","ip":"1.2.3.4","continent":"AF","timezone":"Africa/Johannesburg","postal":"8001","asn":{"route":"1.2.0.0/16","asn":"AS29975","name":"Vodacom"}}`
	if string(b) != want {
		t.Errorf("ipinfo\n%s\n%s", b, want)
	}
}

func TestCSVForms(t *testing.T) {
	for name, c := range map[string]struct {
		csv  string
		cols []string
		ip   string
		want Info
	}{
		"cidr, header, any order": {"city,cidr,country,lat,lon\nBerlin,192.0.2.0/24,DE,52.5,13.4\n", nil, "192.0.2.9", Info{CountryCode: "DE", Country: "Germany", Continent: "EU", City: "Berlin", Lat: 52.5, Lon: 13.4, HasLoc: true}},
		"no header":               {"192.0.2.0,192.0.2.255,FR,Île-de-France,Paris,48.8,2.3,64500,Example\n", nil, "192.0.2.255", Info{CountryCode: "FR", Country: "France", Continent: "EU", Region: "Île-de-France", City: "Paris", Lat: 48.8, Lon: 2.3, HasLoc: true, ASN: 64500, ASName: "Example"}},
		"no header, AS":           {"192.0.2.0,192.0.2.255,AS64500,\"Example, Inc.\"\n", nil, "192.0.2.0", Info{ASN: 64500, ASName: "Example, Inc."}},
		"numbers":                 {"3221225984,3221226239,US\n", nil, "192.0.2.1", Info{CountryCode: "US", Country: "United States", Continent: "NA"}},
		"IPv6":                    {"2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,JP\n", nil, "2001:db8::5", Info{CountryCode: "JP", Country: "Japan", Continent: "AS"}},
		"named columns":           {"192.0.2.0,192.0.2.255,Example,64500\n", []string{"start", "end", "name", "asn"}, "192.0.2.1", Info{ASN: 64500, ASName: "Example"}},
	} {
		db := openDB(t, t.TempDir())
		imp(t, db, "x.csv", []byte(c.csv), ImportOptions{Columns: c.cols})
		i, ok := db.Lookup(netip.MustParseAddr(c.ip))
		c.want.IP = netip.MustParseAddr(c.ip)
		if !ok || i != c.want {
			t.Errorf("%s: %+v", name, i)
		}
		if _, ok := db.Lookup(google); ok {
			t.Errorf("%s: 8.8.8.8 is known", name)
		}
	}
	db := openDB(t, t.TempDir())
	for name, c := range map[string]string{
		"overlap":    "start,end,country\n1.0.0.0,1.0.0.9,US\n1.0.0.5,1.0.1.0,DE\n",
		"backwards":  "start,end,country\n1.0.0.9,1.0.0.0,US\n",
		"no range":   "a,b,c\n1,2,3\n",
		"no address": "start,end,country\nx,1.0.0.0,US\n",
		"latitude":   "cidr,lat,lon\n1.0.0.0/8,95,0\n",
		"mixed":      "start,end,country\n1.0.0.0,::1,US\n1.0.0.0,zz,US\n",
		"rubbish":    "\x00\x01\x02",
	} {
		if _, err := db.Import(context.Background(), write(t, "bad.csv", []byte(c)), ImportOptions{}); err == nil {
			t.Errorf("%s was imported", name)
		}
	}
	if n := len(db.Status().Files); n != 0 {
		t.Errorf("%d files after failed imports", n)
	}
}

func TestIPAPI(t *testing.T) {
	db := openDB(t, t.TempDir())
	imp(t, db, "c.csv", []byte("cidr,country,asn,name\n8.8.8.0/24,US,15169,Google LLC\n"), ImportOptions{})
	for q, want := range map[string]string{
		"8.8.8.8":   `{"status":"success","country":"United States","countryCode":"US","isp":"Google LLC","org":"Google LLC","as":"AS15169 Google LLC","query":"8.8.8.8"}`,
		"127.0.0.1": `{"status":"fail","message":"reserved range","query":"127.0.0.1"}`,
		"10.0.0.1":  `{"status":"fail","message":"private range","query":"10.0.0.1"}`,
		"9.9.9.9":   `{"status":"fail","message":"no imported file knows this address","query":"9.9.9.9"}`,
		"nonsense":  `{"status":"fail","message":"invalid query","query":"nonsense"}`,
	} {
		w := httptest.NewRecorder()
		db.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/json/"+q, nil))
		if got := strings.TrimSpace(w.Body.String()); got != want || w.Code != 200 {
			t.Errorf("%s: %d %s", q, w.Code, got)
		}
	}
}

func TestDamagedDatabaseIsRefused(t *testing.T) {
	db := openDB(t, t.TempDir())
	good := mmdb4(map[string]map[string]any{"8.8.8.0/24": {"country_code": "US"}})
	bad := bytes.Clone(good)
	for i := range bad[:60] {
		bad[i] = 0xff
	}
	if _, err := db.Import(context.Background(), write(t, "x.mmdb", bad), ImportOptions{}); err == nil {
		t.Error("a damaged database was imported")
	}
}
