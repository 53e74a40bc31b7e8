package picket

import (
	"context"
	"path/filepath"
	"picket/detect"
	"picket/query"
	"strings"
	"testing"
	"time"
)

func openForTest(t *testing.T) *Picket {
	t.Helper()
	return openIn(t, filepath.Join(t.TempDir(), "data"))
}

func openIn(t *testing.T, data string) *Picket {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Data = data
	cfg.Listen, cfg.Trip, cfg.DNS, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0", "", ""
	p, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *Picket) rowsOf(t *testing.T, text string, r query.Request) []string {
	t.Helper()
	r.Text = text
	res, err := p.query.Run(context.Background(), r)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var out []string
	for _, f := range res.Tables[0].Frames {
		for i := range f.N {
			var cells []string
			for _, v := range f.Vecs {
				cells = append(cells, v.At(i).Text())
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	return out
}

// A watchlist is read by queries with a column for each of its own, whenever it was loaded.
func TestWatchlistsInQueries(t *testing.T) {
	p := openForTest(t)
	ctx := context.Background()
	by := detect.Person{Name: "alice"}
	w := detect.Watchlist{Alias: "Crown-Jewels", Name: "Hosts that matter", Provider: "Contoso", Source: "hosts.csv", SearchKey: "Host"}
	if _, err := p.detect.SaveWatchlist(ctx, w, []byte("Host,Owner\nweb1,Ann\nweb2,\"B, C\"\n"), 0, by, 0); err != nil {
		t.Fatal(err)
	}
	const all = `_GetWatchlist('crown-jewels') | project SearchKey, Host, Owner | sort by Host asc`
	if got := p.rowsOf(t, all, query.Request{}); strings.Join(got, ";") != "web1|web1|Ann;web2|web2|B, C" {
		t.Errorf("got %q", got)
	}
	// An upload replaces what has the same key; an item can be changed and removed.
	if _, err := p.detect.SaveWatchlist(ctx, w, []byte("Host,Owner\nweb1,Zoe\n"), 0, by, 0); err != nil {
		t.Fatal(err)
	}
	items, err := p.detect.WatchlistItems(ctx, w.Alias, "", "", 10)
	if err != nil || len(items) != 2 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	for _, it := range items {
		if it.Values["Host"] == "web2" {
			if err := p.detect.DeleteWatchlistItem(ctx, w.Alias, it.ID, by); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := p.rowsOf(t, all, query.Request{}); strings.Join(got, ";") != "web1|web1|Zoe" {
		t.Errorf("after the changes got %q", got)
	}
	// A rule's window is over the events, not over the list.
	now := time.Now().Add(time.Hour)
	got := p.rowsOf(t, `datatable(Computer:string)['web1','web9'] | where Computer in ((_GetWatchlist('Crown-Jewels') | project SearchKey))`,
		query.Request{Now: now, ReceivedAfter: now.Add(-5 * time.Minute), ReceivedUntil: now})
	if strings.Join(got, ";") != "web1" {
		t.Errorf("in a later window got %q", got)
	}
	if got := p.rowsOf(t, `_GetWatchlistAlias`, query.Request{}); strings.Join(got, ";") != "Crown-Jewels" {
		t.Errorf("aliases %q", got)
	}
	if err := p.detect.DeleteWatchlist(ctx, w.Alias); err != nil {
		t.Fatal(err)
	}
	if got := p.rowsOf(t, `_GetWatchlist('Crown-Jewels') | count`, query.Request{}); strings.Join(got, ";") != "0" {
		t.Errorf("a deleted list has %q", got)
	}
	if _, err := p.detect.SaveWatchlist(ctx, detect.Watchlist{Alias: "x y z", Name: "n", SearchKey: "Nope"}, []byte("a\n1\n"), 0, by, 0); err == nil || !strings.Contains(err.Error(), `"Nope" is not one of the columns a`) {
		t.Errorf("a wrong search key gives %v", err)
	}
}

// A copy made while the workspace is open is a workspace of its own, with the same ids, rows and lists.
func TestABackupIsAWorkspace(t *testing.T) {
	p := openForTest(t)
	ctx := context.Background()
	w := detect.Watchlist{Alias: "Hosts", Name: "Hosts", SearchKey: "Host"}
	if _, err := p.detect.SaveWatchlist(ctx, w, []byte("Host\nweb1\n"), 0, detect.Person{Name: "alice"}, 0); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if _, err := p.backupTo(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := p.backupTo(ctx, dir); err == nil {
		t.Error("a second backup went over the first")
	}
	c := openIn(t, dir)
	if c.ws.ID != p.ws.ID {
		t.Errorf("the copy is workspace %s, not %s", c.ws.ID, p.ws.ID)
	}
	if got := c.rowsOf(t, `_GetWatchlist('Hosts') | project Host`, query.Request{}); strings.Join(got, ";") != "web1" {
		t.Errorf("the copy has %q", got)
	}
}
