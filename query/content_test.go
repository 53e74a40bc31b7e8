package query

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"picket/kql/dialect"
	"picket/kql/exec"
	"picket/kql/value"
	"picket/lake"
	"picket/lake/duck"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"
)

func shared(t testing.TB, path string) string {
	dir := os.Getenv("PICKET_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	p := filepath.Join(dir, path)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("PICKET_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skip("the shared corpora are not here")
	}
	return p
}

var literals = regexp.MustCompile(`"([^"\n]{1,60})"|'([^'\n]{1,60})'|\b([0-9]{1,6})\b`)

// looseQuery matches questions whose answer may be any of several: they pick rows, or keep an order that the store
// does not have.
var looseQuery = regexp.MustCompile(`(?i)\b(take|limit|sample|any|take_any|arg_max|arg_min|argmax|argmin|make_list|makelist|make_set|makeset|make_bag|top|prev|next|row_number|row_cumsum|serialize|rand|bin_at|mv-expand|reduce|autocluster|basket|series_\w+|make-series|percentile\w*|stdev\w*|variance\w*|partition|scan|evaluate)\b`)

// TestContentInBothEngines runs the questions of published rules and hunts over made-up rows in SQL and in Go.
func TestContentInBothEngines(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	var tables struct {
		Tables map[string]map[string]string
	}
	b, err := os.ReadFile(shared(t, "content/tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &tables); err != nil {
		t.Fatal(err)
	}
	builtin := map[string]value.Schema{}
	for n, cs := range tables.Tables {
		var s value.Schema
		for c, typ := range cs {
			vt, ok := value.ParseType(typ)
			if !ok {
				t.Fatal(typ)
			}
			if c != "TenantId" && c != "Type" {
				s = append(s, value.Column{Name: c, Type: vt})
			}
		}
		sort.Slice(s, func(i, j int) bool { return s[i].Name < s[j].Name })
		builtin[n] = s
	}
	l := openLake(t)
	e := New(Options{Lake: l, Builtin: builtin})
	f, err := os.Open(shared(t, "content/queries.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type item struct {
		ID, Query string
	}
	var items []item
	pool := map[string][]string{}
	k := 0
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<22)
	for sc.Scan() {
		var it item
		if err := json.Unmarshal(sc.Bytes(), &it); err != nil {
			t.Fatal(err)
		}
		if k++; os.Getenv("PICKET_FUZZ_SECONDS") == "" && k%12 != 0 {
			continue
		}
		c, err := e.Check(ctx, it.Query)
		if err != nil || len(c.Missing) > 0 || len(c.Tables) == 0 {
			continue
		}
		items = append(items, it)
		for _, m := range literals.FindAllStringSubmatch(it.Query, -1) {
			for _, n := range c.Tables {
				pool[n] = append(pool[n], m[1]+m[2]+m[3])
			}
		}
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	nowTicks, _ := value.TicksOf(now)
	r := rand.New(rand.NewSource(3))
	var batches []lake.Batch
	names := make([]string, 0, len(pool))
	for n := range pool {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		batches = append(batches, lake.Batch{Table: n, Frame: contentFrame(r, builtin[n], pool[n], nowTicks)})
		if len(batches) == 40 {
			if _, err := l.Append(ctx, batches...); err != nil {
				t.Fatal(err)
			}
			batches = nil
		}
	}
	if len(batches) > 0 {
		if _, err := l.Append(ctx, batches...); err != nil {
			t.Fatal(err)
		}
	}
	n, rows, whole, part, back, loose, bad := 0, 0, 0, 0, 0, 0, 0
	refused := map[string]int{}
	for _, it := range items {
		ask := func(lower bool) (*exec.Result, *asked, error) {
			req := &Request{Text: it.Query, Now: now, Timeout: time.Hour, MaxRows: maxContentRows}
			ticks, err := e.defaults(req)
			if err != nil {
				return nil, nil, err
			}
			a, err := e.ask(ctx, req, ticks, lower)
			if err != nil {
				return nil, nil, err
			}
			defer a.close()
			res, err := exec.Run(ctx, a.q, a.src, a.opt)
			return res, a, err
		}
		want, _, err := ask(false)
		if err != nil {
			refused[err.Error()]++
			continue
		}
		n++
		got, a, err := ask(true)
		var de *duck.Error
		switch {
		case errors.As(err, &de) && dialect.Inexact(de.Msg):
			back++
			if !strings.Contains(de.Msg, "picket:") {
				t.Logf("%s went back: %v", it.ID, err)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", it.ID, err)
			continue
		}
		isWhole := false
		for _, f := range a.src.frags {
			isWhole = isWhole || f.Whole
		}
		if isWhole {
			whole++
		} else if len(a.src.frags) > 0 {
			part++
		}
		w, g := lines(want), lines(got)
		rows += len(w)
		sort.Strings(w)
		sort.Strings(g)
		if strings.Join(w, "\n") == strings.Join(g, "\n") {
			continue
		}
		if looseQuery.MatchString(it.Query) || strings.Contains(it.Query, "join") && !strings.Contains(it.Query, "kind") || strings.Contains(it.Query, "innerunique") {
			loose++
			continue
		}
		bad++
		if bad < 5 {
			t.Errorf("%s\n%s\n%s\n%s", it.ID, it.Query, a.explain(), delta(g, w))
		}
	}
	t.Logf("%d of %d questions ran: %d rows, %d wholly in SQL, %d in part, %d went back, %d differ in what may differ, %d bad", n, len(items), rows, whole, part, back, loose, bad)
	for msg, k := range refused {
		t.Logf("%d x %s", k, msg)
	}
}

// maxContentRows bounds what one question over made-up rows may give, in place of a bound on its time.
const maxContentRows = 200_000

func contentFrame(r *rand.Rand, s value.Schema, pool []string, now int64) *value.Frame {
	const n = 30
	f := &value.Frame{Schema: s, N: n}
	word := func() string {
		if r.Intn(8) == 0 || len(pool) == 0 {
			return pick(r, genStrings)
		}
		if r.Intn(5) == 0 {
			return pick(r, pool) + " " + pick(r, pool)
		}
		return pick(r, pool)
	}
	for _, c := range s {
		v := value.New(c.Type, n)
		common := word()
		for i := range n {
			if c.Type != value.String && r.Intn(6) == 0 && c.Name != "TimeGenerated" {
				v.SetNull(i)
				continue
			}
			switch c.Type {
			case value.Bool:
				v.I[i] = int64(r.Intn(2))
			case value.Int, value.Long:
				v.I[i] = int64(r.Intn(10000))
				if len(pool) > 0 {
					fmt.Sscan(pick(r, pool), &v.I[i])
				}
				v.I[i] = int64(int32(v.I[i]))
			case value.Real:
				v.F[i] = float64(r.Intn(1000)) / 4
			case value.Datetime:
				v.I[i] = now - r.Int63n(2*value.TicksPerDay)
			case value.Timespan:
				v.I[i] = r.Int63n(value.TicksPerHour)
			case value.String:
				v.S[i] = common
				if r.Intn(3) > 0 {
					v.S[i] = word()
				}
			case value.GUID:
				v.G[i] = [16]byte{byte(r.Intn(4))}
			case value.Dynamic:
				b := value.NewBag()
				for range r.Intn(4) {
					b.Set(word(), word())
				}
				v.D[i] = b
				if r.Intn(3) == 0 {
					v.D[i] = []any{b, word()}
				}
			default:
				v.SetNull(i)
			}
		}
		f.Vecs = append(f.Vecs, v)
	}
	return f
}
