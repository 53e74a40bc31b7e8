package exec

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"picket/kql/bind"
	"picket/kql/eval"
	"picket/kql/kqltest"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
	"sort"
	"strings"
	"testing"
	"time"
)

// madeUpRows is a source that makes rows up: every query of the content must run over whatever a table may hold.
type madeUpRows struct{ rows int }

func (s *madeUpRows) frames(table string, cols []plan.Col) Frames {
	return func(yield func(*value.Frame, error) bool) {
		if s.rows > 0 && yield(kqltest.MadeUp(table, schemaOf(cols), s.rows, now), nil) {
			yield(kqltest.MadeUp(table+" again", schemaOf(cols), s.rows, now), nil)
		}
	}
}

func (s *madeUpRows) Scan(_ context.Context, n *plan.Scan) Frames { return s.frames(n.Table, n.Out) }

// files plays externaldata.
func (s *madeUpRows) files(_ context.Context, e *plan.ExternalData, _ []string) Frames {
	return s.frames("files", e.Out)
}

func (s *madeUpRows) External(context.Context, *plan.ExternalRel) Frames {
	return func(yield func(*value.Frame, error) bool) { yield(nil, fmt.Errorf("there is no other engine here")) }
}

// someGeo plays imported place data, which knows half of the addresses.
func someGeo(c *eval.Ctx) {
	c.Geo = func(ip string) (*value.Bag, bool) {
		b := value.NewBag()
		b.Set("country", "Norway")
		b.Set("city", "")
		return b, len(ip)%2 == 0
	}
}

// TestContentRuns runs published rules and hunts over made-up rows: none may fail for a mistake of the interpreter.
func TestContentRuns(t *testing.T) {
	raw, err := os.ReadFile(shared(t, "../content/tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Tables map[string]map[string]value.Type `json:"tables"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	tables := bind.Tables{}
	for name, cols := range doc.Tables {
		var names []string
		for c := range cols {
			names = append(names, c)
		}
		sort.Strings(names)
		for _, c := range names {
			tables[name] = append(tables[name], value.Column{Name: c, Type: cols[c]})
		}
	}
	f, err := os.Open(shared(t, "../content/queries.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	// queries over all tables find these
	few := map[string]bool{"SecurityEvent": true, "SigninLogs": true, "DeviceEvents": true, "AlertInfo": true, "OfficeActivity": true, "AzureActivity": true}
	ran, refused, total := 0, failures{}, 0
	src := &madeUpRows{rows: 40}
	if testing.Short() {
		src.rows = 5
	}
	for sc.Scan() {
		var r struct{ ID, Query string }
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		total++
		if testing.Short() && total%10 != 0 {
			continue
		}
		_, errs := syntax.Parse(r.Query)
		if len(errs) > 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		began := time.Now()
		own := bind.Tables{}
		for name, cols := range tables {
			if strings.Contains(r.Query, name) || few[name] {
				own[name] = cols
			}
		}
		_, err := answer(ctx, r.Query, own, src, func(o *Options) { o.External, o.NoReceived, o.Context = src.files, true, someGeo })
		cancel()
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("%s took %s though it was stopped after 2 s", r.ID, d)
		}
		if err == nil {
			ran++
			continue
		}
		if strings.Contains(err.Error(), "BUG") || strings.Contains(err.Error(), "Internal") {
			t.Errorf("%s: %v", r.ID, err)
		}
		refused.add(reason(err), r.ID)
	}
	refused.write(t, "content.txt")
	t.Logf("content: %d of %d queries ran over made-up rows", ran, total)
}
