package canary

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"picket/state"
	"strings"
	"sync"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newSink(t testing.TB, status func(int) int) (*sink, string) {
	t.Helper()
	s := &sink{status: status}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, srv.URL + "/hook?key=1"
}

func TestOptionsThenGetIsTwoRowsOneNotification(t *testing.T) {
	s, hook := newSink(t, nil)
	b := newBench(t, func(d *Deps) { d.AllowWebhooks = loopback })
	c := b.create(t, CreateRequest{Webhook: hook, Tags: []string{"fs", "sales"}})
	hit(t, "OPTIONS", c.URL, "LibreOffice 7.4")
	hit(t, "GET", c.URL, "LibreOffice 7.4")
	until(t, "two rows", func() bool { return len(b.rowsOf(c.ID)) == 2 })
	until(t, "webhook", func() bool { return len(s.calls()) == 1 })
	rs := b.rowsOf(c.ID)
	if rs[0].Method != "OPTIONS" || rs[1].Method != "GET" || rs[0].NotificationID == "" || rs[0].NotificationID != rs[1].NotificationID {
		t.Fatalf("rows %+v", rs)
	}
	if p := rs[0].Place; p.Computername != "FS01" || p.SharePath != `T:\departments\sales\hipospecials` || !strings.HasPrefix(p.Description, "token placed") {
		t.Errorf("memo fields %+v", p)
	}
	time.Sleep(100 * time.Millisecond)
	got := s.calls()
	if len(got) != 1 {
		t.Fatalf("%d webhooks", len(got))
	}
	h := got[0].header
	if sig := SignWebhook(b.WebhookSecret(hook), h.Get(HeaderTimestamp), got[0].body); sig != h.Get(HeaderSignature) || h.Get(HeaderNotification) != rs[0].NotificationID {
		t.Errorf("headers %v", h)
	}
	var m map[string]any
	if err := json.Unmarshal(got[0].body, &m); err != nil {
		t.Fatal(err)
	}
	noNulls(t, "", m)
	if m["src_ip"] != "127.0.0.1" || m["token"] != c.ID || m["channel"] != "HTTP" || m["token_type"] != "web" || m["memo"] != c.Memo {
		t.Errorf("message %s", got[0].body)
	}
	a := m["additional_data"].(map[string]any)
	if a["src_ip"] != "127.0.0.1" || a["useragent"] != "LibreOffice 7.4" || a["geo_info"].(map[string]any)["ip"] != "127.0.0.1" || a["request_headers"] == nil {
		t.Errorf("additional_data %v", a)
	}
	if want := "https://picket.example/manage?token=" + c.ID + "&auth=" + b.ReadAuth(c.ID); m["manage_url"] != want {
		t.Errorf("manage_url %v", m["manage_url"])
	}
	if _, err := time.Parse(webhookTime, m["time"].(string)); err != nil {
		t.Error(err)
	}
	tok, err := b.Get(context.Background(), c.ID)
	if err != nil || tok.Hits != 2 || tok.LastHit.IsZero() {
		t.Errorf("token %+v, %v", tok, err)
	}
}

func noNulls(t *testing.T, path string, v any) {
	t.Helper()
	switch x := v.(type) {
	case nil:
		t.Errorf("%s is null", path)
	case map[string]any:
		for k, e := range x {
			noNulls(t, path+"."+k, e)
		}
	}
}

func TestOwnPlaybookGetsTheLongPrefix(t *testing.T) {
	var mu sync.Mutex
	var bodies [][]byte
	own := "https://picket.example/workflows/1/triggers/manual/paths/invoke?sig=x"
	b := newBench(t, func(d *Deps) {
		d.IsOwnCallback = func(u string) bool { return u == own }
		d.DeliverCallback = func(_ context.Context, u string, h http.Header, body []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, body)
			return 202, nil
		}
	})
	c := b.create(t, CreateRequest{Kind: "ms_word", Contact: "soc@example.com " + own})
	hit(t, "GET", c.URL, "Word")
	until(t, "delivery", func() bool { mu.Lock(); defer mu.Unlock(); return len(bodies) == 1 })
	var m webhookMessage
	if err := json.Unmarshal(bodies[0], &m); err != nil {
		t.Fatal(err)
	}
	if len(managePrefix) != 38 || m.ManageURL[38:] != c.ID+"&auth="+b.ReadAuth(c.ID) || !strings.HasPrefix(m.ManageURL, managePrefix) {
		t.Errorf("manage_url %q", m.ManageURL)
	}
	if err := b.TestWebhook(context.Background(), own); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(bodies[1]), `"memo":"Congrats! The newly saved webhook works"`) || strings.Contains(string(bodies[1]), "null") {
		t.Errorf("test message %s", bodies[1])
	}
}

func TestFailingSinkLosesNothing(t *testing.T) {
	down := true
	var mu sync.Mutex
	s, hook := newSink(t, func(int) int {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return 500
		}
		return 204
	})
	b := newBench(t, func(d *Deps) { d.AllowWebhooks = loopback })
	var ids []string
	for range 5 {
		c := b.create(t, CreateRequest{Webhook: hook})
		ids = append(ids, c.ID)
		hit(t, "GET", c.URL, "")
	}
	until(t, "a failed try", func() bool { return len(s.calls()) > 0 })
	mu.Lock()
	down = false
	mu.Unlock()
	until(t, "all five delivered", func() bool {
		ns, err := b.Notifications(context.Background(), NotificationFilter{Status: NoteDone})
		if err != nil {
			t.Fatal(err)
		}
		return len(ns) == 5
	})
	for _, id := range ids {
		n := 0
		for _, c := range s.calls() {
			if strings.Contains(string(c.body), id) {
				n++
			}
		}
		if n == 0 {
			t.Errorf("token %s: no webhook", id)
		}
	}
}

func TestGuardRefusesInternalTargets(t *testing.T) {
	s, hook := newSink(t, nil)
	b := newBench(t, nil)
	var g *GuardError
	if err := b.TestWebhook(context.Background(), hook); !errors.As(err, &g) || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("loopback: %v", err)
	}
	if err := b.TestWebhook(context.Background(), strings.Replace(hook, "127.0.0.1", "localhost", 1)); !errors.As(err, &g) {
		t.Errorf("name of loopback: %v", err)
	}
	var fe *FieldError
	if _, err := b.Create(context.Background(), CreateRequest{Kind: "web", Memo: "FS01,,,,x", Webhook: hook}); !errors.As(err, &fe) || fe.Field != "Webhook" {
		t.Errorf("saved: %v", err)
	}
	// What came in before its name led inward is refused at the call.
	c := b.create(t, CreateRequest{Webhook: "http://8.8.8.8/hook"})
	if err := b.d.State.Tx(context.Background(), func(tx *state.Tx) error {
		_, err := tx.Exec(`UPDATE canary_contact SET target=? WHERE token=?`, hook, c.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	hit(t, "GET", c.URL, "")
	until(t, "dead letter", func() bool {
		ns, err := b.Notifications(context.Background(), NotificationFilter{Token: c.ID, Status: NoteDead})
		return err == nil && len(ns) == 1 && strings.Contains(ns[0].LastError, "loopback")
	})
	if len(s.calls()) > 0 {
		t.Error("the guarded target was called")
	}
	for _, a := range []string{"127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "::1", "fe80::1", "fd00::1", "0.0.0.0", "100.64.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "224.0.0.1"} {
		if refusal(netip.MustParseAddr(a)) == "" {
			t.Errorf("%s is allowed", a)
		}
	}
	for _, a := range []string{"8.8.8.8", "2606:4700::1111"} {
		if r := refusal(netip.MustParseAddr(a)); r != "" {
			t.Errorf("%s is refused: %s", a, r)
		}
	}
}

func TestStatusesAreRecordedAndNotTold(t *testing.T) {
	s, hook := newSink(t, nil)
	now := time.Now()
	var mu sync.Mutex
	b := newBench(t, func(d *Deps) {
		d.AllowWebhooks = loopback
		d.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	ctx := context.Background()
	off := b.create(t, CreateRequest{Webhook: hook})
	if err := b.SetEnabled(ctx, off.ID, false); err != nil {
		t.Fatal(err)
	}
	ign := b.create(t, CreateRequest{Webhook: hook})
	if _, err := b.Update(ctx, ign.ID, Patch{Ignored: &[]string{"127.0.0.0/8"}}); err != nil {
		t.Fatal(err)
	}
	old := b.create(t, CreateRequest{Webhook: hook, Expires: now.Add(time.Hour)})
	gone := b.create(t, CreateRequest{Webhook: hook})
	if err := b.Delete(ctx, gone.ID); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = now.Add(-24 * time.Hour).Add(48 * time.Hour)
	mu.Unlock()
	for _, c := range []Created{off, ign, gone} {
		hit(t, "GET", c.URL, "")
	}
	for c, want := range map[*Created]string{&off: AlertDisabled, &ign: AlertIgnored} {
		until(t, want, func() bool { rs := b.rowsOf(c.ID); return len(rs) == 1 && rs[0].AlertStatus == want })
	}
	if len(b.rowsOf(gone.ID)) > 0 {
		t.Error("a deleted token has a row")
	}
	if tok, _ := b.Get(ctx, old.ID); tok.Status != StatusExpired {
		t.Errorf("status %s", tok.Status)
	}
	if len(s.calls()) > 0 {
		t.Errorf("%d webhooks", len(s.calls()))
	}
}

func TestRowsAreCommittedOnceWhenTheLakeFails(t *testing.T) {
	b := newBench(t, nil)
	n := 0
	b.lake.mu.Lock()
	b.lake.fail = func() error {
		if n++; n < 3 {
			return errors.New("disk full")
		}
		return nil
	}
	b.lake.mu.Unlock()
	s := b.create(t, CreateRequest{})
	hit(t, "GET", s.URL, "")
	until(t, "the row", func() bool { return len(b.rowsOf(s.ID)) == 1 })
	if h, _ := b.Get(context.Background(), s.ID); h.Hits != 1 {
		t.Errorf("%d hits", h.Hits)
	}
}

func TestWindowsGrow(t *testing.T) {
	w := &window{}
	at := time.Unix(1_700_000_000, 0)
	notes := 0
	for i := range 3600 { // one call a second for an hour
		tr := &Trip{}
		tr.ID, tr.Time = time.Duration(i).String(), at.Add(time.Duration(i)*time.Second)
		if w.take(tr) {
			notes++
		}
	}
	if notes < 12 || notes > 40 {
		t.Errorf("%d notifications in an hour of calls", notes)
	}
	tr := &Trip{}
	tr.ID, tr.Time = "late", at.Add(10*time.Hour)
	if !w.take(tr) || w.streak != 0 {
		t.Error("a source that comes back is not told anew")
	}
}
