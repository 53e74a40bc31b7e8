package query

import (
	"fmt"
	"picket/lake"
	"strings"
	"testing"
	"time"
)

// Questions that ask often for the same place have it promoted; before, while and after, the answer is the same.
func TestPlacesInDynamicsArePromoted(t *testing.T) {
	l := openLake(t)
	fill := func(from int) {
		var rows []string
		for i := from; i < from+20; i++ {
			rows = append(rows, fmt.Sprintf(`{"TimeGenerated":"2026-01-01T00:00:%02dZ","p":{"c":%q,"r":%d.5,"n":"%d","d":{"o":"x"}}}`, i, string(rune('A'+i%3)), i%4, i))
		}
		add(t, l, "D_CL", "TimeGenerated:datetime p:dynamic", rows...)
	}
	fill(0)
	if err := l.Seal(ctx, "D_CL"); err != nil {
		t.Fatal(err)
	}
	e := New(Options{Lake: l, PromoteAfter: 2})
	q := `D_CL | where p.c == "A" and toreal(p.r) > 1.0 | summarize n = count(), m = max(tolong(p.n)) by c = tostring(p.c), o = tostring(p.d.o)`
	ask := func(want string) {
		t.Helper()
		if got := text(run(t, e, Request{Text: q})); got != want {
			t.Fatalf("gives %q, not %q", got, want)
		}
	}
	for range 3 {
		ask("A|x|5|18")
	}
	// the lake promotes in the background
	for end := time.Now().Add(time.Minute); len(l.Promoted("D_CL")) < 5; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d promotions", len(l.Promoted("D_CL")))
		}
		ask("A|x|5|18")
	}
	got, err := e.Explain(ctx, Request{Text: q})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`kept as columns: `, `toreal(p."r")`, `tostring(p."d"."o")`, `"p$`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	fill(20)
	if err := l.Seal(ctx, "D_CL"); err != nil {
		t.Fatal(err)
	}
	fill(40)
	ask("A|x|15|57")
	// a place that another question reads is not asked for
	got, err = e.Explain(ctx, Request{Text: "D_CL | where p.c == 'A' | count"})
	if err != nil || strings.Contains(got, `p."r"`) {
		t.Error(got, err)
	}
}

// A promotion under a known key that another version of picket made, with other SQL, is not read.
func TestPromotionsOfOtherSQLAreNotRead(t *testing.T) {
	l := openLake(t)
	add(t, l, "D_CL", "TimeGenerated:datetime p:dynamic", `{"TimeGenerated":"2026-01-01T00:00:00Z","p":{"c":"A"}}`)
	if err := l.Promote(ctx, "D_CL", lake.Derived{Column: "p", Key: `tostring(p."c")`, SQL: `'wrong' || ($col ->> '$."c"')`, Type: cols("s:string")[0].Type}); err != nil {
		t.Fatal(err)
	}
	e := New(Options{Lake: l})
	if got := text(run(t, e, Request{Text: "D_CL | project tostring(p.c)"})); got != "A" {
		t.Error(got)
	}
}

// Rows that come after a promotion may hold what SQL says otherwise: the answer stays right, hot and sealed.
func TestPromotedPlacesWithOddValues(t *testing.T) {
	l := openLake(t)
	row := func(c string) {
		add(t, l, "D_CL", "TimeGenerated:datetime p:dynamic", fmt.Sprintf(`{"TimeGenerated":"2026-01-01T00:00:00Z","p":{"c":%s}}`, c))
	}
	row(`"x"`)
	e := New(Options{Lake: l, PromoteAfter: 1})
	ask := func(want string) {
		t.Helper()
		if got := text(run(t, e, Request{Text: "D_CL | summarize make_set(tostring(p.c))"})); got != want {
			t.Errorf("gives %s, not %s", got, want)
		}
	}
	ask(`["x"]`)
	for end := time.Now().Add(time.Minute); len(l.Promoted("D_CL")) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no promotion")
		}
	}
	row(`1e300`)
	ask(`["x","1e300"]`)
	if err := l.Seal(ctx, "D_CL"); err != nil {
		t.Fatal(err)
	}
	ask(`["x","1e300"]`)
	e = New(Options{Lake: l})
	ask(`["x","1e300"]`)
}
