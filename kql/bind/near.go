package bind

import (
	"picket/kql/catalog"
	"sort"
	"strings"
)

type nearKind uint8

const (
	nearAll nearKind = iota
	nearTables
	nearFunctions
	nearAggregates
	nearPlugins
)

// near suggests known names that look like name: "did you mean 'a', 'b'?", or "".
func (b *binder) near(name string, kind nearKind) string {
	if b.quiet > 0 {
		return ""
	}
	limit := 1 + len(name)/4
	type hit struct {
		name string
		d    int
	}
	var hits []hit
	seen := map[string]bool{}
	low := strings.ToLower(name)
	try := func(s string) {
		if s == "" || s == name || seen[s] || len(s) > len(name)+limit || len(s)+limit < len(name) {
			return
		}
		if d := distance(low, strings.ToLower(s), limit); d <= limit {
			seen[s] = true
			hits = append(hits, hit{s, d})
		}
	}
	if kind == nearAll && b.kind == scopeNormal {
		for _, t := range []*table{b.row, b.right} {
			if t != nil {
				for _, c := range t.cols {
					if !c.ghost {
						try(c.Name)
					}
				}
			}
		}
	}
	if kind != nearPlugins {
		b.local.each(func(y *symbol) { try(y.name) })
	}
	if kind == nearTables || kind == nearAll && b.row == nil {
		for _, t := range b.schema.Tables(b.db) {
			try(t)
		}
	}
	fns := func(fs []catalog.Function) {
		for i := range fs {
			if !fs[i].Hidden {
				try(fs[i].Name)
			}
		}
	}
	switch kind {
	case nearFunctions:
		fns(catalog.Functions())
	case nearAggregates:
		fns(catalog.Aggregates())
		fns(catalog.Functions())
	case nearPlugins:
		fns(catalog.Plugins())
	}
	if len(hits) == 0 {
		return ""
	}
	sort.SliceStable(hits, func(i, j int) bool {
		if hits[i].d != hits[j].d {
			return hits[i].d < hits[j].d
		}
		return hits[i].name < hits[j].name
	})
	if len(hits) > 3 {
		hits = hits[:3]
	}
	p := make([]string, len(hits))
	for i, h := range hits {
		p[i] = quoteName(h.name)
	}
	return "did you mean " + strings.Join(p, ", ") + "?"
}

// distance is the edit distance with transpositions, cut off above limit.
func distance(a, b string, limit int) int {
	if a == b {
		return 0
	}
	prev2 := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		best := cur[0]
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
			best = min(best, cur[j])
		}
		if best > limit {
			return limit + 1
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
