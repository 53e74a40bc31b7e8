package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strings"
	"unicode/utf8"
)

// maxReducePatterns bounds the patterns that reduce keeps.
const maxReducePatterns = 20000

// reduce groups texts that look alike. A text is cut into terms by separators: every character that is no ASCII letter
// or digit, and the characters given. It joins the first pattern with as many pieces in which at least the part
// threshold of the terms agree; terms that differ become `*`, which swallows the given characters beside it. Texts that
// stay alone are counted together as `others`. The service clusters by a variant of SLCT that it doesn't document, so
// patterns may differ from its; counts are exact.
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
	if text.window {
		in = x.whole(in, cols)
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
					shape := shapeOf(words)
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
		others := &reducePattern{words: []piece{{text: "others"}}}
		alone := func(p *reducePattern) *reducePattern {
			if p.count > 1 {
				return p
			}
			return others
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
					v.S[v.N-1] = p.text()
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
				put(alone(p), sources[i])
			}
		} else {
			kept := pats[:0]
			for _, p := range pats {
				if alone(p) == others {
					others.count += p.count
				} else {
					kept = append(kept, p)
				}
			}
			counts := make([]int, len(kept))
			for i, p := range kept {
				counts[i] = -int(p.count)
			}
			for _, i := range sortedBy(counts) {
				put(kept[i], "")
			}
			if others.count > 0 {
				put(others, "")
			}
		}
		emit(yield, out)
	}, nil
}

type reducePattern struct {
	words  []piece
	sample string
	count  int64
}

// piece is a term of a text, or a separator between terms.
type piece struct {
	text   string
	sep    bool
	custom bool // a separator that the query gave
}

// join merges words into the pattern when they are alike enough.
func (p *reducePattern) join(words []piece, threshold float64) bool {
	differ, total := 0, 0
	for i, w := range words {
		q := p.words[i]
		if w.sep != q.sep || w.sep && w.text != q.text {
			return false
		}
		if !w.sep {
			total++
			if w.text != q.text {
				differ++
			}
		}
	}
	if total == 0 || total == differ || float64(total-differ)/float64(total) < threshold {
		return false
	}
	for i, w := range words {
		if w.text != p.words[i].text {
			p.words[i].text = "*"
		}
	}
	return true
}

// text writes the pattern.
func (p *reducePattern) text() string {
	var b strings.Builder
	for i, w := range p.words {
		beside := i > 0 && p.words[i-1].text == "*" || i+1 < len(p.words) && p.words[i+1].text == "*"
		if !(w.custom && beside) {
			b.WriteString(w.text)
		}
	}
	return b.String()
}

// pieces cuts s into terms and separators; each separator is one character.
func pieces(s, custom string) []piece {
	var out []piece
	begin := 0
	for i, r := range s {
		own := strings.ContainsRune(custom, r)
		if !own && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			continue
		}
		if i > begin {
			out = append(out, piece{text: s[begin:i]})
		}
		_, w := utf8.DecodeRuneInString(s[i:])
		out = append(out, piece{text: s[i : i+w], sep: true, custom: own})
		begin = i + w
	}
	if begin < len(s) {
		out = append(out, piece{text: s[begin:]})
	}
	return out
}

// shapeOf tells texts with different separators apart.
func shapeOf(words []piece) string {
	var b strings.Builder
	for _, w := range words {
		if w.sep {
			b.WriteString(w.text)
		} else {
			b.WriteByte(0)
		}
	}
	return b.String()
}
