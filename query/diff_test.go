package query

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"os"
	"picket/kql/dialect"
	"picket/kql/exec"
	"picket/kql/syntax"
	"picket/kql/value"
	"picket/lake"
	"picket/lake/duck"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cellText writes a cell so that equal answers are equal texts: reals to twelve digits, sets and lists sorted.
func cellText(v *value.Vector, i int) string {
	switch {
	case v.IsNull(i):
		return "null"
	case v.Type == value.Real:
		return roundReal(v.F[v.Idx(i)])
	case v.Type == value.Dynamic:
		return elemText(v.D[v.Idx(i)])
	}
	return strconv.Quote(value.Text(v, i))
}

func roundReal(f float64) string {
	if f == 0 {
		f = 0
	}
	if math.IsNaN(f) {
		return "NaN"
	}
	return strconv.FormatFloat(f, 'g', 12, 64)
}

func elemText(d any) string {
	if l, ok := d.([]any); ok {
		parts := make([]string, len(l))
		for i, e := range l {
			parts[i] = elemText(e)
		}
		sort.Strings(parts)
		return "[" + strings.Join(parts, ",") + "]"
	}
	if b, ok := d.(*value.Bag); ok { // the order of its properties follows that of the rows
		var parts []string
		for _, k := range b.Keys() {
			e, _ := b.Get(k)
			parts = append(parts, strconv.Quote(k)+":"+elemText(e))
		}
		sort.Strings(parts)
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprintf("%T %s", d, value.AppendJSON(nil, d))
}

func lines(r *exec.Result) []string {
	var out []string
	for _, f := range r.Tables[0].Frames {
		for i := range f.N {
			cells := make([]string, len(f.Vecs))
			for k, v := range f.Vecs {
				cells[k] = cellText(v, i)
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	return out
}

// differ answers a question in both ways.
type differ struct {
	e                                     *Engine
	n, said, failed, whole, refused, kept int
}

func (d *differ) answer(t *testing.T, q string, lower bool) ([]string, *asked, error) {
	r := &Request{Text: q}
	now, err := d.e.defaults(r)
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.e.ask(ctx, r, now, lower)
	if err != nil {
		return nil, nil, err
	}
	defer a.close()
	res, err := exec.Run(ctx, a.q, a.src, a.opt)
	if err != nil {
		return nil, a, err
	}
	return lines(res), a, nil
}

func (d *differ) check(t *testing.T, q string) {
	t.Helper()
	d.n++
	want, _, err := d.answer(t, q, false)
	var refused syntax.ErrorList
	if errors.As(err, &refused) { // the question is no KQL: nothing to compare
		if d.refused++; d.refused < 3 {
			t.Logf("%s\nis refused: %v", q, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s\nthe interpreter: %v", q, err)
		return
	}
	got, a, err := d.answer(t, q, true)
	var de *duck.Error
	if errors.As(err, &de) && dialect.Inexact(de.Msg) {
		d.failed++
		if !strings.Contains(de.Msg, "picket:") && !strings.HasPrefix(de.Msg, "Out of Range") && !strings.HasPrefix(de.Msg, "Conversion Error: Type INT128") &&
			!strings.HasPrefix(de.Msg, "Invalid Input Error: Malformed JSON") { // text that only looks like JSON
			t.Errorf("%s\nbad SQL: %v\n%s", q, err, a.explain())
		}
		return
	}
	if err != nil {
		t.Errorf("%s\nSQL: %v", q, err)
		return
	}
	if len(a.src.frags) > 0 {
		d.said++
	}
	for _, f := range a.src.frags {
		if f.Whole {
			d.whole++
			break
		}
	}
	for _, r := range a.src.reads {
		if len(r.need.Derived) > 0 {
			d.kept++
			break
		}
	}
	if !strings.HasSuffix(q, ordered) {
		sort.Strings(want)
		sort.Strings(got)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\n%s\nSQL gives %d rows, the interpreter %d:\n%s", q, a.explain(), len(got), len(want), delta(got, want))
	}
}

func delta(got, want []string) string {
	count := map[string]int{}
	for _, s := range got {
		count[s]++
	}
	for _, s := range want {
		count[s]--
	}
	var out []string
	for s, n := range count {
		switch {
		case n > 0:
			out = append(out, "only SQL   "+s)
		case n < 0:
			out = append(out, "only exec  "+s)
		}
	}
	sort.Strings(out)
	if len(out) > 10 {
		out = out[:10]
	}
	return strings.Join(out, "\n")
}

// genEngine has a table T with sealed rows, some from before and some from after promotions of places in p, and hot
// rows, and a table U of hot rows.
func genEngine(t *testing.T, r *rand.Rand, wild bool) *Engine {
	l := openLake(t)
	e := New(Options{Lake: l})
	add := func(table string, n, from int) {
		f := genFrame(r, n, wild)
		for i := range f.N {
			f.Vecs[0].I[i] += int64(from)
		}
		if _, err := l.Append(ctx, lake.Batch{Table: table, Frame: f}); err != nil {
			t.Fatal(err)
		}
	}
	seal := func() {
		if err := l.Seal(ctx, "T"); err != nil {
			t.Fatal(err)
		}
	}
	add("U", 40, 0)
	add("T", 35, 0)
	seal()
	for _, d := range genWanted(t, e, r) {
		if err := l.Promote(ctx, "T", d); err != nil && !errors.Is(err, lake.ErrDerived) {
			t.Fatal(err)
		}
	}
	add("T", 25, 500)
	seal()
	add("T", 20, 1000)
	return e
}

// genWanted are promotions that questions over p ask for.
func genWanted(t *testing.T, e *Engine, r *rand.Rand) (out []lake.Derived) {
	for k := range 60 {
		g := &gen{r: r}
		q := "T | project x = " + closed(g.kin()) + " | where isnotempty(x)"
		if k%2 == 0 {
			q = "T | where " + closed(g.kinTest())
		}
		if k < 8 {
			q = "T | project " + []string{"tostring(p.a)", "tolong(p.n)", "toreal(p.x)", "toint(p.n)", "tobool(p.a)", "x = p.a == 'x'", "x = p.n > 1", "tostring(p.o.b)"}[k]
		}
		req := &Request{Text: q}
		now, err := e.defaults(req)
		if err != nil {
			t.Fatal(err)
		}
		a, err := e.ask(ctx, req, now, true)
		if err != nil {
			continue // no KQL
		}
		for _, w := range a.src.wanted {
			out = append(out, lake.Derived(w.Derived))
		}
		a.close()
	}
	return out
}

// TestSQLSaysWhatTheInterpreterSays asks random questions in both ways. PICKET_FUZZ_SECONDS makes it longer,
// PICKET_FUZZ_SEED begins elsewhere.
func TestSQLSaysWhatTheInterpreterSays(t *testing.T) {
	limit := 3 * time.Second
	if s, err := strconv.Atoi(os.Getenv("PICKET_FUZZ_SECONDS")); err == nil {
		limit = time.Duration(s) * time.Second
	}
	seed := int64(1)
	if s, err := strconv.Atoi(os.Getenv("PICKET_FUZZ_SEED")); err == nil {
		seed = int64(s)
	}
	round := int64(0) // PICKET_FUZZ_ROUND goes back to the one that a run broke off in
	if n, err := strconv.Atoi(os.Getenv("PICKET_FUZZ_ROUND")); err == nil {
		round = int64(n)
	}
	end := time.Now().Add(limit)
	for ; time.Now().Before(end) && !t.Failed(); round++ {
		r := rand.New(rand.NewSource(seed*1000 + round))
		d := &differ{e: genEngine(t, r, round%4 == 3)}
		for k := 0; k < 150 && time.Now().Before(end); k++ {
			g := &gen{r: r}
			if k%2 == 1 {
				d.check(t, g.wide())
			} else {
				d.check(t, g.question())
			}
			if t.Failed() && k > 100 {
				break
			}
		}
		t.Logf("round %d: %d questions, %d with SQL (%d whole), %d with promoted columns, %d went back to the interpreter, %d refused", round, d.n, d.said, d.whole, d.kept, d.failed, d.refused)
	}
}
