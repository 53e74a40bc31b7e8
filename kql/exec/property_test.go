package exec

import (
	"fmt"
	"math"
	"math/rand"
	"picket/kql/kqltest"
	"picket/kql/value"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// line is a row of a generated table (k:long, s:string, v:long): k may be null.
type line struct {
	k    int64
	null bool
	s    string
	v    int64
}

func (r line) key() string {
	if r.null {
		return "null/" + r.s
	}
	return strconv.FormatInt(r.k, 10) + "/" + r.s
}

func someLines(r *rand.Rand, n int) []line {
	out := make([]line, n)
	for i := range out {
		out[i] = line{k: int64(r.Intn(5)) - 2, null: r.Intn(6) == 0, s: []string{"", "a", "b"}[r.Intn(3)], v: int64(r.Intn(100)) - 50}
	}
	return out
}

func datatable(rs []line) string {
	cells := make([]string, len(rs))
	for i, r := range rs {
		k := "long(null)"
		if !r.null {
			k = strconv.FormatInt(r.k, 10)
		}
		cells[i] = fmt.Sprintf("%s,%q,%d", k, r.s, r.v)
	}
	return "datatable(k:long, s:string, v:long)[" + strings.Join(cells, ", ") + "]"
}

// table runs a query and gives its rows as texts, cells joined by |.
func table(t *testing.T, q string) []string {
	t.Helper()
	got, err := first(t.Context(), q)
	if err != nil {
		t.Fatalf("%s\n%v", q, err)
	}
	return lines(got)
}

func lines(got kqltest.Table) []string {
	out := []string{}
	for _, r := range got.Rows {
		cells := make([]string, len(r))
		for i, c := range r {
			cells[i] = "null"
			if !c.Null || c.Type == value.String {
				cells[i] = c.Text()
			}
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

func sameRows(t *testing.T, q string, got, want []string, ordered bool) {
	t.Helper()
	if !ordered {
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\n got %v\nwant %v", q, got, want)
	}
}

// cells writes a row as [table] does; pad is the row of an outer join's side without a match.
func (r line) cells(pad bool) string {
	switch {
	case pad:
		return "null||null"
	case r.null:
		return fmt.Sprintf("null|%s|%d", r.s, r.v)
	}
	return fmt.Sprintf("%d|%s|%d", r.k, r.s, r.v)
}

// TestJoinsAgainstLoops compares every kind of join over two keys, null among them, with nested loops.
func TestJoinsAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 60 {
		left, right := someLines(r, r.Intn(12)), someLines(r, r.Intn(12))
		if len(left) == 0 || len(right) == 0 {
			continue
		}
		for _, kind := range []string{"inner", "innerunique", "leftouter", "rightouter", "fullouter", "leftsemi", "rightsemi", "leftanti", "rightanti"} {
			l := left
			if kind == "innerunique" {
				l = nil
				seen := map[string]bool{}
				for _, x := range left {
					if !seen[x.key()] {
						seen[x.key()] = true
						l = append(l, x)
					}
				}
			}
			var want []string
			hit := make([]bool, len(right))
			for _, x := range l {
				matched := false
				for j, y := range right {
					if x.key() != y.key() {
						continue
					}
					matched, hit[j] = true, true
					if strings.HasPrefix(kind, "inner") || strings.HasSuffix(kind, "outer") {
						want = append(want, x.cells(false)+"|"+y.cells(false))
					}
				}
				switch {
				case kind == "leftsemi" && matched, kind == "leftanti" && !matched:
					want = append(want, x.cells(false))
				case !matched && (kind == "leftouter" || kind == "fullouter"):
					want = append(want, x.cells(false)+"|"+x.cells(true))
				}
			}
			for j, y := range right {
				switch {
				case kind == "rightsemi" && hit[j], kind == "rightanti" && !hit[j]:
					want = append(want, y.cells(false))
				case !hit[j] && (kind == "rightouter" || kind == "fullouter"):
					want = append(want, y.cells(true)+"|"+y.cells(false))
				}
			}
			q := datatable(left) + " | join kind=" + kind + " (" + datatable(right) + ") on k, s"
			sameRows(t, q, table(t, q), want, false)
		}
	}
}

// TestSummarizeAgainstLoops compares groups and simple aggregates, null groups and null values among them, with loops.
func TestSummarizeAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 60 {
		rs := someLines(r, 1+r.Intn(25))
		type acc struct {
			n, sum, lo, hi, odd int64
			list                []string
			set                 map[string]bool
			first               line
		}
		by := map[string]*acc{}
		var order []string
		for _, x := range rs {
			g := by[x.key()]
			if g == nil {
				g = &acc{lo: math.MaxInt64, hi: math.MinInt64, set: map[string]bool{}}
				by[x.key()] = g
				order = append(order, x.key())
			}
			g.n++
			g.sum += x.v
			g.lo, g.hi = min(g.lo, x.v), max(g.hi, x.v)
			if x.v%2 != 0 {
				g.odd++
			}
			g.list = append(g.list, strconv.FormatInt(x.v, 10))
			g.set[g.list[len(g.list)-1]] = true
			g.first = x
		}
		var want []string
		for _, k := range order {
			g := by[k]
			head := strings.TrimSuffix(g.first.cells(false), "|"+strconv.FormatInt(g.first.v, 10))
			want = append(want, fmt.Sprintf("%s|%d|%d|%d|%d|%d|%s|%d|%s", head, g.n, g.sum, g.lo, g.hi, g.odd,
				value.FormatReal(float64(g.sum)/float64(g.n)), len(g.set), "["+strings.Join(g.list, ",")+"]"))
		}
		q := datatable(rs) + " | summarize count(), sum(v), min(v), max(v), countif(v % 2 != 0), avg(v), dcount(v), make_list(v) by k, s"
		sameRows(t, q, table(t, q), want, false)
	}
}

// TestSortAgainstLoops compares sort, top, prev, row_number and row_cumsum with loops: null is the smallest number, ties
// keep their order.
func TestSortAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 60 {
		rs := someLines(r, 1+r.Intn(30))
		sorted := slices.Clone(rs)
		sort.SliceStable(sorted, func(i, j int) bool {
			a, b := sorted[i], sorted[j]
			if a.null != b.null {
				return b.null
			}
			if !a.null && a.k != b.k {
				return a.k > b.k
			}
			return a.s < b.s
		})
		var want []string
		sum := int64(0)
		for i, x := range sorted {
			prev := "null"
			if i > 0 {
				prev = strconv.FormatInt(sorted[i-1].v, 10)
			}
			sum += x.v
			want = append(want, fmt.Sprintf("%s|%s|%d|%d", x.cells(false), prev, i+1, sum))
		}
		q := datatable(rs) + " | sort by k desc, s asc | extend p = prev(v), n = row_number(), c = row_cumsum(v)"
		sameRows(t, q, table(t, q), want, true)
		n := 1 + r.Intn(len(rs))
		slices.SortFunc(sorted, func(a, b line) int { return int(b.v - a.v) })
		want = want[:0]
		for _, x := range sorted[:n] {
			want = append(want, strconv.FormatInt(x.v, 10))
		}
		q = fmt.Sprintf("%s | top %d by v | project v", datatable(rs), n)
		sameRows(t, q, table(t, q), want, true)
	}
}

// TestMakeSeriesAgainstLoops compares make-series with a loop over its bins: the start is included, the end is not.
func TestMakeSeriesAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	for range 60 {
		rs := someLines(r, 1+r.Intn(20))
		from, step := int64(r.Intn(40)-50), int64(1+r.Intn(13))
		to := from + int64(r.Intn(80)+1)
		by := map[string][]string{}
		keys := map[string]string{}
		for _, x := range rs {
			if by[x.s] == nil {
				for at := from; at < to; at += step {
					n := 0
					for _, y := range rs {
						if y.s == x.s && y.v >= at && y.v < at+step && y.v < to {
							n++
						}
					}
					by[x.s] = append(by[x.s], strconv.Itoa(n))
				}
				keys[x.s] = "[" + strings.Join(by[x.s], ",") + "]"
			}
		}
		var want []string
		for s, list := range keys {
			inside := false
			for _, x := range rs {
				inside = inside || x.s == s && x.v >= from && x.v < to
			}
			if inside {
				want = append(want, s+"|"+list)
			}
		}
		q := fmt.Sprintf("%s | make-series n = count() default = 0 on v from %d to %d step %d by s | project s, n", datatable(rs), from, to, step)
		sameRows(t, q, table(t, q), want, false)
	}
}

// TestSketchErrors holds dcount() and percentile() to the errors that the documentation states.
func TestSketchErrors(t *testing.T) {
	for accuracy, bound := range []float64{0.016, 0.008, 0.004, 0.0028, 0.002} {
		for _, n := range []int{1, 100, 5_000, 200_000} {
			q := fmt.Sprintf("range x from 1 to %d step 1 | summarize d = dcount(strcat('k', tostring(x)), %d)", n, accuracy)
			got, err := strconv.Atoi(table(t, q)[0])
			if err != nil {
				t.Fatal(err)
			}
			// The stated errors are standard deviations; four of them pass once in 16,000.
			if off := math.Abs(float64(got-n)) / float64(n); off > 4*bound {
				t.Errorf("dcount of %d with accuracy %d is %d", n, accuracy, got)
			}
		}
	}
	for _, x := range []string{"x", "x * x", "hash(x) % 100000", "x % 17"} {
		all := table(t, "range x from 1 to 60000 step 1 | project toreal("+x+")")
		vals := make([]float64, len(all))
		for i, s := range all {
			vals[i], _ = strconv.ParseFloat(s, 64)
		}
		sort.Float64s(vals)
		got := strings.Split(table(t, "range x from 1 to 60000 step 1 | summarize percentiles("+x+", 1, 5, 25, 50, 75, 95, 99)")[0], "|")
		for i, p := range []float64{1, 5, 25, 50, 75, 95, 99} {
			v, _ := strconv.ParseFloat(got[i], 64)
			lo, hi := sort.SearchFloat64s(vals, v), sort.Search(len(vals), func(i int) bool { return vals[i] > v })
			if float64(lo) > (p+1)/100*float64(len(vals)) || float64(hi) < (p-1)/100*float64(len(vals)) {
				t.Errorf("percentile(%s, %g) is %g, of ranks %d to %d", x, p, v, lo, hi)
			}
		}
	}
}

// TestRollingPercentileAgainstLoops compares rolling_percentile with sorting each window.
func TestRollingPercentileAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for range 60 {
		rs := someLines(r, 1+r.Intn(40))
		size, width, pc := int64(1+r.Intn(9)), int64(1+r.Intn(5)), int64(r.Intn(101))
		bin := func(x int64) int64 { return floorDiv(x, size) }
		byBin := map[int64]bool{}
		for _, x := range rs {
			byBin[bin(x.v)] = true
		}
		var want []string
		for b := range byBin {
			var in []int64
			for _, x := range rs {
				if at := bin(x.v); at > b-width && at <= b {
					in = append(in, x.v*x.v)
				}
			}
			slices.Sort(in)
			want = append(want, fmt.Sprintf("%d|%d", b*size, in[nearestRank(float64(pc), len(in))]))
		}
		q := fmt.Sprintf("%s | project v, w = v * v | evaluate rolling_percentile(w, %d, v, %d, %d)", datatable(rs), pc, size, width)
		sameRows(t, q, table(t, q), want, false)
	}
}

// TestCohortsAgainstLoops compares new_activity_metrics and active_users_count with loops over ids and windows.
func TestCohortsAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	for range 60 {
		rs := someLines(r, 1+r.Intn(40))
		seen := map[string]map[int64]bool{} // of each id the windows
		const from, step, windows = -50, 20, 5
		for _, x := range rs {
			if seen[x.s] == nil {
				seen[x.s] = map[int64]bool{}
			}
			seen[x.s][floorDiv(x.v-from, step)] = true
		}
		first := func(id string) int64 {
			for b := int64(0); ; b++ {
				if seen[id][b] {
					return b
				}
			}
		}
		var want []string
		for a := int64(0); a < windows; a++ {
			var cohort []string
			for id := range seen {
				if first(id) == a {
					cohort = append(cohort, id)
				}
			}
			for b := a; b < windows && len(cohort) > 0; b++ {
				kept, fresh := 0, 0
				for id := range seen {
					if seen[id][b] && first(id) == a {
						kept++
					}
					if seen[id][b] && (first(id) > a || a == b && first(id) == a) {
						fresh++
					}
				}
				rate := float64(kept) / float64(len(cohort))
				want = append(want, fmt.Sprintf("%d|%d|%d|%d|%d|%s|%s", from+a*step, from+b*step, fresh, kept, len(cohort)-kept,
					value.FormatReal(rate), value.FormatReal(1-rate)))
			}
		}
		q := fmt.Sprintf("%s | project s, v | evaluate new_activity_metrics(s, v, %d, %d, %d)", datatable(rs), from, from+windows*step-1, step)
		sameRows(t, q, table(t, q), want, false)

		want = want[:0]
		const back, period, need = 37, 7, 2
		active := map[int64]map[string]bool{}
		for _, x := range rs {
			periods := map[int64]bool{}
			for _, y := range rs {
				if y.s == x.s && y.v <= x.v && y.v > x.v-back {
					periods[floorDiv(y.v, period)] = true
				}
			}
			if b := (x.v - from) / step; len(periods) >= need {
				if active[b] == nil {
					active[b] = map[string]bool{}
				}
				active[b][x.s] = true
			}
		}
		for b, ids := range active {
			want = append(want, fmt.Sprintf("%d|%d", from+b*step, len(ids)))
		}
		q = fmt.Sprintf("%s | project s, v | evaluate active_users_count(s, v, %d, %d, %d, %d, %d, %d)", datatable(rs), from, from+windows*step, back, period, need, step)
		sameRows(t, q, table(t, q), want, false)
	}
}
