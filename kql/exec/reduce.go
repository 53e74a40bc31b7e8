package exec

import (
	"strings"
	"unicode"

	"picket/kql/plan"
	"picket/kql/value"
)

// maxReducePatterns bounds the patterns that reduce keeps.
const maxReducePatterns = 20000

// reduce groups texts that look alike. A text is cut into words (runs of letters, digits and the characters given) and
// what stands between them; it joins the first pattern with the same number of pieces in which at least the part
// 1-threshold of the words agree, and words that differ become `*`. The service clusters by an algorithm of its own
// that it doesn't document, so patterns may differ from its.
func (x *run) reduce(n *plan.Reduce) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	text, err := x.compile(n.X, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	threshold := n.Threshold
	if threshold == 0 {
		threshold = 0.1
	}
	return func(yield func(*batch, error) bool) {
		var pats []*reducePattern
		byShape := map[string][]*reducePattern{}
		exact := map[string]*reducePattern{}
		var sources []string
		var owner []*reducePattern
		for b, err := range in {
			var v *value.Vector
			if err == nil {
				err = x.tick()
			}
			if err == nil {
				v, err = text.eval(b)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := 0; i < b.n; i++ {
				s := value.Text(v, i)
				p := exact[s]
				if p == nil {
					words := pieces(s, n.Characters)
					shape := strings.Repeat("w", len(words))
					for _, q := range byShape[shape] {
						if q.join(words, threshold) {
							p = q
							break
						}
					}
					if err := x.step(len(byShape[shape]) + 1); err != nil {
						yield(nil, err)
						return
					}
					if p == nil {
						if len(pats) >= maxReducePatterns {
							yield(nil, &LimitError{What: "patterns of reduce", Limit: maxReducePatterns})
							return
						}
						p = &reducePattern{words: words, sample: s}
						pats = append(pats, p)
						byShape[shape] = append(byShape[shape], p)
					}
					exact[s] = p
				}
				p.count++
				if n.Kind == "source" {
					sources, owner = append(sources, s), append(owner, p)
				}
			}
		}
		out := emptyBatch(n.Out)
		put := func(p *reducePattern, source string) {
			for c, col := range n.Out {
				v := out.vecs[c]
				v.Grow(v.N + 1)
				switch {
				case strings.EqualFold(col.Name, "count"):
					v.I[v.N-1] = p.count
				case strings.EqualFold(col.Name, "pattern"):
					v.S[v.N-1] = strings.Join(p.words, "")
				case strings.EqualFold(col.Name, "representative"):
					v.S[v.N-1] = p.sample
				case col.Type == value.String:
					v.S[v.N-1] = source
				}
			}
			out.n++
		}
		if n.Kind == "source" {
			for i, p := range owner {
				put(p, sources[i])
			}
		} else {
			counts := make([]int, len(pats))
			for i, p := range pats {
				counts[i] = -int(p.count)
			}
			for _, i := range sortedBy(counts) {
				put(pats[i], "")
			}
		}
		emit(yield, out)
	}, nil
}

type reducePattern struct {
	words  []string
	sample string
	count  int64
}

// join merges words into the pattern when they are alike enough.
func (p *reducePattern) join(words []string, threshold float64) bool {
	differ, total := 0, 0
	for i, w := range words {
		word := isWord(w) || isWord(p.words[i]) || p.words[i] == "*"
		if word {
			total++
		}
		if w == p.words[i] {
			continue
		}
		if !word {
			return false
		}
		differ++
	}
	if total == 0 || float64(total-differ)/float64(total) < threshold {
		return false
	}
	for i, w := range words {
		if w != p.words[i] {
			p.words[i] = "*"
		}
	}
	return true
}

func isWord(s string) bool {
	for _, r := range s {
		return unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	return false
}

// pieces cuts s into words and what stands between.
func pieces(s, extra string) []string {
	var out []string
	var b strings.Builder
	was := false
	for _, r := range s {
		is := unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(extra, r)
		if b.Len() > 0 && is != was {
			out = append(out, b.String())
			b.Reset()
		}
		was = is
		b.WriteRune(r)
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}
