package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

const places = `start,end,country,region,city,lat,lon,asn,name
127.0.0.0,127.255.255.255,ZA,Western Cape,Cape Town,-33.9258,18.4232,64500,Loopback Test Net
81.2.69.0,81.2.69.255,GB,England,London,51.5142,-0.0931,20712,Andrews & Arnold Ltd
`

// canaryColumns are the columns of CanaryTokens_CL that the community's playbook v1.1.0 fills
// (shared/reference/content.md section 6.1).
var canaryColumns = []string{
	"as_s", "canarytriggertime_s", "channel_s", "city_s", "country_s", "countrycode_s", "fileloc_s", "incidentlist_csv_s", "incidentlist_json_s",
	"lat_s", "lon_s", "manage_url_s", "memo_s", "org_s", "postal_s", "region_s", "regionname_s", "src_ip_s", "timezone_s", "token_type_s", "tokenhistory_url_s", "useragent_s",
}

// importPlaces gives the server a file of places for loopback and one public range.
func importPlaces(t *testing.T, s *server) {
	t.Helper()
	csv := filepath.Join(t.TempDir(), "places.csv")
	if err := os.WriteFile(csv, []byte(places), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("geo", "import", csv)
}

// getFrom fetches a URL from a chosen loopback address.
func getFrom(t *testing.T, from, url string, header map[string]string) {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c := &http.Client{Transport: &http.Transport{DialContext: d.DialContext}, Timeout: 20 * time.Second}
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

func TestOpeningTheDocumentGivesTheIncident(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t, "--trusted-proxies", "127.0.0.2/32")
	importPlaces(t, s)

	start := time.Now()
	soffice(t, s.Document)
	t.Logf("LibreOffice opened and converted the document in %s", time.Since(start).Round(10*time.Millisecond))
	opened := time.Now()
	eventually(t, 60*time.Second, "the incident", func() bool { return len(s.incidents()) > 0 })
	t.Logf("the incident was there %s after LibreOffice ended", time.Since(opened).Round(10*time.Millisecond))

	// The row of the unmodified playbook, with every column.
	rows := s.rows("CanaryTokens_CL")
	if len(rows) != 1 {
		t.Fatalf("%d rows in CanaryTokens_CL after one opening, want 1", len(rows))
	}
	var missing []string
	for _, c := range canaryColumns {
		if _, ok := rows[0][c]; !ok {
			missing = append(missing, c)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("columns missing in CanaryTokens_CL: %s", strings.Join(missing, ", "))
	}
	if rows[0]["src_ip_s"] != "127.0.0.1" || rows[0]["city_s"] != "Cape Town" || !strings.Contains(fmt.Sprint(rows[0]["useragent_s"]), "LibreOffice") {
		t.Errorf("row %v", rows[0])
	}
	if trips := s.rows(`CanaryTrips | summarize n=count(), notes=dcount(NotificationId)`); len(trips) != 1 || fmt.Sprint(trips[0]["n"]) != "2" {
		t.Errorf("trips %v: OPTIONS and GET are two rows", trips)
	}

	in := s.incidents()
	if len(in) != 1 || in[0].Properties.Title != "Canarytoken Triggered" || in[0].Properties.Severity != "High" || in[0].Properties.Status != "New" {
		t.Fatalf("incidents %+v", in)
	}
	show := s.run("incident", "show", "1")
	for _, want := range []string{"Canarytoken Triggered", "127.0.0.1", "FS01", `T:\\departments\\sales\\hipospecials`, `"CanaryExcutedonHost": false`} {
		if !strings.Contains(show, want) {
			t.Errorf("incident show lacks %q:\n%s", want, show)
		}
	}

	// A second token whose memo says that its host reaches the internet as 127.0.0.1: opened there.
	out := t.TempDir()
	s.run("canary", "new", "--memo", `FS02,127.0.0.1,10.0.0.5,S:\finance,"budget, draft"`, "--playbook", "Ingest-CanaryTokens", "--name", "Budget 2027.docx", "--out", out)
	s.run("canary", "open", filepath.Join(out, "Budget 2027.docx"))
	eventually(t, 60*time.Second, "the second token's row", func() bool { return len(s.rows("CanaryTokens_CL")) == 2 })

	// The same token again, through the trusted proxy, from the public range.
	trip := s.rows(`CanaryTrips | where Computername == "FS02" and Method == "GET" | project Host, Path`)
	if len(trip) != 1 {
		t.Fatalf("trips of FS02: %v", trip)
	}
	getFrom(t, "127.0.0.2", s.TripURL+fmt.Sprint(trip[0]["Path"]), map[string]string{"X-Forwarded-For": "81.2.69.142", "User-Agent": "word"})
	eventually(t, 90*time.Second, "the row from the public range", func() bool {
		return len(s.rows(`CanaryTokens_CL | where src_ip_s == "81.2.69.142" and city_s == "London"`)) == 1
	})
	// An address that is no trusted proxy is not believed.
	getFrom(t, "127.0.0.3", s.TripURL+fmt.Sprint(trip[0]["Path"]), map[string]string{"X-Forwarded-For": "203.0.113.9"})
	eventually(t, 30*time.Second, "the untrusted peer's trip", func() bool { return len(s.rows(`CanaryTrips | where SrcIp == "127.0.0.3"`)) == 1 })

	eventually(t, 60*time.Second, "CanaryExcutedonHost both ways", func() bool {
		show := s.run("incident", "list", "--json")
		all := ""
		for _, in := range s.incidents() {
			all += s.run("incident", "show", fmt.Sprint(in.Properties.IncidentNumber))
		}
		return show != "" && strings.Contains(all, `"CanaryExcutedonHost": true`) && strings.Contains(all, `"CanaryExcutedonHost": false`) && strings.Contains(all, "81.2.69.142")
	})
	for _, in := range s.incidents() {
		if in.Properties.Severity != "High" || in.Properties.Title != "Canarytoken Triggered" {
			t.Errorf("incident %+v", in)
		}
	}

	// Every trip's row is in its incident: evidence that comes after the close would reopen it.
	eventually(t, 60*time.Second, "four rows in the incidents", func() bool {
		n := 0
		for _, in := range s.incidents() {
			n += strings.Count(s.run("incident", "show", fmt.Sprint(in.Properties.IncidentNumber)), `"CanaryExcutedonHost"`)
		}
		return n == 4
	})
	// Worked to its close by the command.
	s.run("incident", "close", "1", "--classification", "TruePositive", "--reason", "SuspiciousActivity", "--comment", "contained")
	eventually(t, 10*time.Second, "the closing row", func() bool {
		got := s.rows(`SecurityIncident | summarize arg_max(LastModifiedTime, *) by IncidentNumber | where IncidentNumber == 1`)
		return len(got) == 1 && got[0]["Status"] == "Closed"
	})
	s.onlyMappedHosts()
}

// onlyMappedHosts checks the guard's log: nothing tried to leave, every host that a playbook asked for was
// answered in this process.
func (s *server) onlyMappedHosts() {
	s.t.Helper()
	mapped := 0
	for _, line := range strings.Split(s.log.String(), "\n") {
		_, rest, ok := strings.Cut(line, "outbound request")
		if !ok {
			continue
		}
		if !strings.Contains(rest, "answered in process") || !(strings.Contains(rest, "host=canarytokens.org") || strings.Contains(rest, "host=ip-api.com")) {
			s.t.Errorf("the guard's log holds %q", line)
			continue
		}
		mapped++
	}
	if mapped == 0 {
		s.t.Error("the guard's log holds no request at all: the playbook asks for canarytokens.org")
	}
	if os.Getenv(netnsMark) != "" {
		ifs, err := net.Interfaces()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, i := range ifs {
			if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
				s.t.Errorf("the run's network namespace has %s", i.Name)
			}
		}
	} else if os.Getenv("CI") != "" {
		s.t.Error("the run is not in a network namespace of its own")
	}
}

func TestBothPlaybooksRunUnmodified(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	importPlaces(t, s)
	old := filepath.Join(shared(t), "seed", "Ingest-CanaryTokens-v1.0-2021-04", "azuredeploy.json")
	s.run("playbook", "deploy", old, "--param", "PlaybookName=Ingest-Old", "--param", "WorkspaceID="+s.WorkspaceID, "--param", "WorkspaceKey="+s.SharedKey)
	out := t.TempDir()
	s.run("canary", "new", "--memo", `FS01,,,T:\share,old playbook`, "--playbook", "Ingest-Old", "--name", "Old.docx", "--out", out)
	s.run("canary", "open", filepath.Join(out, "Old.docx"))
	eventually(t, 60*time.Second, "the row of v1.0", func() bool {
		return s.exists("CanaryTokens_CL") && len(s.rows(`CanaryTokens_CL | where memo_s has "old playbook" and city_s == "Cape Town"`)) == 1
	})
	runs := s.run("playbook", "runs", "Ingest-Old")
	if !strings.Contains(runs, "Succeeded") {
		t.Errorf("runs of v1.0:\n%s", runs)
	}
	s.onlyMappedHosts()
	if all := s.run("playbook", "runs", "Ingest-Old", "--json"); strings.Contains(all, s.SharedKey) {
		t.Error("the workspace key shows in the run history")
	}
}

func TestTheDataCollectorRefusesAsTheServiceDid(t *testing.T) {
	need(t, "PICKET_E2E")
	s := newServer(t)
	body := []byte(`[{"host":"a","n":1},{"host":"b","n":2}]`)
	for _, c := range []struct {
		name   string
		change func(*collectorCall)
		status int
		code   string
	}{
		{"right", func(*collectorCall) {}, 200, ""},
		{"wrong key", func(c *collectorCall) { c.key = "d3Jvbmc=" }, 403, "InvalidAuthorization"},
		{"tampered body", func(c *collectorCall) { c.signed = len(body) + 1 }, 403, "InvalidAuthorization"},
		{"stale date", func(c *collectorCall) { c.at = time.Now().Add(-time.Hour) }, 403, "InvalidAuthorization"},
		{"oversized", func(c *collectorCall) { c.body = make([]byte, 31<<20); c.signed = 31 << 20 }, 404, ""},
		{"no version", func(c *collectorCall) { c.query = "" }, 400, "MissingApiVersion"},
		{"no log type", func(c *collectorCall) { c.logType = "" }, 400, "MissingLogType"},
		{"bad log type", func(c *collectorCall) { c.logType = "a b" }, 400, "InvalidLogType"},
		{"no JSON", func(c *collectorCall) { c.body = []byte(`{"a":`); c.signed = 5 }, 400, "InvalidDataFormat"},
		{"other workspace", func(c *collectorCall) { c.workspace = "00000000-0000-0000-0000-000000000000" }, 400, "InvalidCustomerId"},
		{"wrong type", func(c *collectorCall) { c.contentType = "text/plain" }, 400, "UnsupportedContentType"},
	} {
		k := newCollectorCall(s, "Demo", body)
		c.change(k)
		status, code := k.send(t, s)
		if status != c.status || (c.code != "" && code != c.code) {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, code, c.status, c.code)
		}
	}
	if rows := s.rows(`Demo_CL | summarize n=count(), total=sum(n_d)`); fmt.Sprint(rows[0]["n"]) != "2" || fmt.Sprint(rows[0]["total"]) != "3" {
		t.Errorf("stored %v", rows)
	}
}
