package exec

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"picket/kql/bind"
	"picket/kql/eval"
	"picket/kql/plan"
	"picket/kql/syntax"
	"picket/kql/value"
)

// randomRows is a source that makes rows up: every query of the content must run over whatever a table may hold.
type randomRows struct {
	rnd  *rand.Rand
	rows int
}

var someTexts = []string{
	"", "alice", "bob@contoso.com", "10.1.2.3", "8.8.8.8", "fe80::1", "4625", "0x1F", "true", "C:\\Windows\\cmd.exe",
	"https://a.example/x?y=1", `{"a":{"b":[1,2,"x"]},"c":"d"}`, "[1,2,3]", "<a b=\"c\">d</a>", "key=value;k2=v2", "2020-01-02T03:04:05Z",
	"powershell -enc AAAA", "é漢字", "src=10.0.0.1 dst=10.0.0.2", "a,b,c",
}

func (s *randomRows) value(t value.Type) value.Value {
	if s.rnd.Intn(8) == 0 {
		return value.Null(t)
	}
	switch t {
	case value.Bool:
		return value.OfBool(s.rnd.Intn(2) == 0)
	case value.Int:
		return value.Of(t, int64(int32(s.rnd.Uint32())))
	case value.Long:
		return value.OfLong(int64(s.rnd.Intn(5000)))
	case value.Real:
		return value.OfReal(s.rnd.NormFloat64() * 100)
	case value.Decimal:
		return realValue(t, float64(s.rnd.Intn(1000))/10)
	case value.String:
		return value.OfString(someTexts[s.rnd.Intn(len(someTexts))])
	case value.Datetime:
		return value.Of(t, now-int64(s.rnd.Intn(14*24*3600))*1e7)
	case value.Timespan:
		return value.Of(t, int64(s.rnd.Intn(100000))*1e7)
	case value.GUID:
		v := value.Value{Type: t}
		v.G[0] = byte(s.rnd.Intn(4))
		return v
	}
	e, err := value.ParseJSON(someTexts[11+s.rnd.Intn(2)])
	if err != nil {
		return value.Null(t)
	}
	return value.OfDynamic(e)
}

func (s *randomRows) frame(cols []plan.Col) *value.Frame {
	f := &value.Frame{N: s.rows}
	for _, c := range cols {
		v := value.New(c.Type, s.rows)
		for i := range s.rows {
			v.Set(i, s.value(c.Type))
		}
		f.Vecs = append(f.Vecs, v)
	}
	return f
}

func (s *randomRows) Scan(_ context.Context, n *plan.Scan) Frames {
	return func(yield func(*value.Frame, error) bool) {
		s.rnd = rand.New(rand.NewSource(int64(len(n.Table)))) // the same rows at each scan
		if s.rows > 0 && yield(s.frame(n.Out), nil) {
			yield(s.frame(n.Out), nil)
		}
	}
}

// files plays externaldata.
func (s *randomRows) files(_ context.Context, e *plan.ExternalData, _ []string) Frames {
	return func(yield func(*value.Frame, error) bool) {
		s.rnd = rand.New(rand.NewSource(1))
		yield(s.frame(e.Out), nil)
	}
}

func (s *randomRows) External(context.Context, *plan.ExternalRel) Frames {
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
	ran, refused, total := 0, failures{}, 0
	src := &randomRows{rows: 40}
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
			if strings.Contains(r.Query, name) {
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
