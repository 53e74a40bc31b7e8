package bind

import (
	"picket/kql/catalog"
	"slices"
)

// A text that no grammar matches is explained by the way into the grammars that gets farthest: a chain of pieces
// that match, and at its end the piece that doesn't. All ways are followed at once, because what is optional, or
// stands in a list, may be left at any point.

// way is a chain of matched pieces; at counts the tokens behind its beginning. It never changes.
type way struct {
	prev *way
	g    *catalog.Grammar
	at   int
	len  int
	err  bool // the last piece is missing
}

func (w *way) add(g *catalog.Grammar, n int) *way { return &way{w, g, w.at + n, w.len + 1, false} }
func (w *way) miss(g *catalog.Grammar) *way       { return &way{w, g, w.at, w.len + 1, true} }

// steps are the pieces in order.
func (w *way) steps() []*way {
	out := make([]*way, w.len)
	for ; w.len > 0; w = w.prev {
		out[w.len-1] = w
	}
	return out
}

// onFrom says whether w got on from a way without missing anything.
func (w *way) onFrom(from *way) bool { return w != from && !w.err }

// maxWays bounds what is followed at once; the grammars need a few.
const maxWays = 256

// partial gives the way into the commands that gets farthest, from the dot at a place, or nil.
func (m *commandMatcher) partial(all []catalog.Command, at int) *way {
	root := &way{}
	dot := root.add(m.start, 1)
	var ways []*way
	for i := range all {
		for _, w := range m.follow(all[i].Grammar, at, dot) {
			if w == dot {
				w = dot.miss(all[i].Grammar)
			}
			ways = append(ways, w)
		}
	}
	return farthest(ways, root)
}

// farthest gives the best of ways that begin at from: one that takes most; of those the first without an error;
// else one that misses all that they miss.
func farthest(ways []*way, from *way) *way {
	most := 0
	for _, w := range ways {
		most = max(most, w.at)
	}
	var best []*way
	for _, w := range ways {
		if w.at == most {
			best = append(best, w)
		}
	}
	if len(best) == 0 {
		return from
	}
	if len(best) == 1 {
		return best[0]
	}
	for _, w := range best {
		if w.onFrom(from) {
			return w
		}
	}
	all := &catalog.Grammar{Op: catalog.GrammarBest}
	for _, w := range best {
		if !w.err {
			return w
		}
		all.Kids = append(all.Kids, w.g)
	}
	return best[0].prev.miss(all)
}

// follow gives the ways on from w through g; w itself where g doesn't match at all.
func (m *commandMatcher) follow(g *catalog.Grammar, at int, w *way) []*way {
	switch g.Op {
	case catalog.GrammarSeq:
		var ways []*way
		m.followSeq(g.Kids, 0, at, w, w, &ways)
		return []*way{shorten(g, g.Kids, w, farthest(ways, w))}
	case catalog.GrammarBest:
		var ways []*way
		for _, k := range g.Kids {
			for _, x := range m.follow(k, at, w) {
				ways = append(ways, shorten(g, []*catalog.Grammar{k}, w, x))
			}
		}
		return []*way{farthest(ways, w)}
	case catalog.GrammarOpt:
		ways := m.follow(g.Kids[0], at, w)
		done := false
		for i, x := range ways {
			done = done || x.onFrom(w)
			ways[i] = shorten(g, g.Kids[:1], w, x)
		}
		if !done {
			ways = append(ways, w.add(g, 0))
		}
		return distinct(ways)
	case catalog.GrammarUnless:
		if at+w.at >= m.text.End() || m.scan(g.Kids[0], at+w.at) >= 0 {
			return []*way{w}
		}
		ways := m.follow(g.Kids[1], at, w)
		for i, x := range ways {
			ways[i] = shorten(g, g.Kids[1:], w, x)
		}
		return ways
	case catalog.GrammarRepeat:
		return m.followRepeat(g, at, w)
	}
	if end := m.scan(g, at+w.at); end > at+w.at {
		return []*way{w.add(g, end-at-w.at)}
	}
	return []*way{w}
}

// followSeq follows the pieces of a sequence from the i-th on.
func (m *commandMatcher) followSeq(kids []*catalog.Grammar, i, at int, first, w *way, out *[]*way) {
	for _, x := range m.follow(kids[i], at, w) {
		if i+1 < len(kids) && x.onFrom(w) {
			m.followSeq(kids, i+1, at, first, x, out)
		} else if len(*out) < maxWays {
			*out = append(*out, missing(kids[i], first, w, x))
		}
	}
}

// missing marks a way that got into a sequence and not on from prev.
func missing(g *catalog.Grammar, first, prev, w *way) *way {
	if w != first && w == prev && !w.err {
		return w.miss(g)
	}
	return w
}

func (m *commandMatcher) followRepeat(g *catalog.Grammar, at int, w *way) []*way {
	now := []*way{w}
	var out []*way
	most, times := w.at, 0
	for n := 0; len(now) > 0 && len(out) < maxWays; n++ {
		var next []*way
		for _, x := range now {
			for _, y := range m.follow(g.Kids[0], at, x) {
				if y.onFrom(x) && y.at > x.at {
					next = append(next, y)
					times, most = n+1, max(most, y.at)
					continue
				}
				if n < g.Min {
					y = missing(g.Kids[0], w, x, y)
				}
				out = append(out, y)
			}
		}
		now = next
	}
	done := false
	for i, x := range out {
		out[i] = shortenRepeat(g, w, x)
		done = done || out[i].onFrom(w)
	}
	if times >= g.Min && !done {
		out = append(out, w.add(g, most-w.at))
	}
	return distinct(out)
}

// shorten makes one step of the steps for all the pieces of g.
func shorten(g *catalog.Grammar, kids []*catalog.Grammar, from, w *way) *way {
	if w.err || w.len != from.len+len(kids) {
		return w
	}
	x := w
	for i := len(kids) - 1; i >= 0; i-- {
		if x.g != kids[i] {
			return w
		}
		x = x.prev
	}
	if x != from {
		return w
	}
	return from.add(g, w.at-from.at)
}

func shortenRepeat(g *catalog.Grammar, from, w *way) *way {
	if w.err {
		return w
	}
	x, n := w, 0
	for x != from && x.g == g.Kids[0] {
		x = x.prev
		n++
	}
	if x != from || n == 0 {
		return w
	}
	return from.add(g, w.at-from.at)
}

func distinct(ways []*way) []*way {
	var out []*way
	for _, w := range ways {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}
