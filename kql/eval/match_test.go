package eval

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// TestMatchersAgreeWithPlain holds the anchored search to a plain one over short texts full of near misses.
func TestMatchersAgreeWithPlain(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB_-x9 éÉß日")), 0, 14, -1)
	needle := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB_-x9é")), 0, 4, -1)
	isTerm := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	plain := func(s, n string, left, right bool) bool {
		rs, rn := []rune(strings.ToLower(s)), []rune(strings.ToLower(n))
		if len(rn) == 0 {
			return true
		}
		for i := 0; i+len(rn) <= len(rs); i++ {
			if string(rs[i:i+len(rn)]) != string(rn) {
				continue
			}
			j := i + len(rn)
			if left && isTerm(rn[0]) && i > 0 && isTerm(rs[i-1]) || right && isTerm(rn[len(rn)-1]) && j < len(rs) && isTerm(rs[j]) {
				continue
			}
			return true
		}
		return false
	}
	rapid.Check(t, func(t *rapid.T) {
		s, n := text.Draw(t, "text"), needle.Draw(t, "needle")
		if got, want := containsMatcher(n, true)(s), plain(s, n, false, false); got != want {
			t.Fatalf("%q contains %q is %v", s, n, got)
		}
		for _, edges := range [][2]bool{{true, true}, {true, false}, {false, true}} {
			if got, want := termMatcher(n, true, edges[0], edges[1])(s), plain(s, n, edges[0], edges[1]); got != want {
				t.Fatalf("%q has (edges %v) %q is %v", s, edges, n, got)
			}
			ls, ln := strings.ToLower(s), strings.ToLower(n)
			if got, want := termMatcher(ln, false, edges[0], edges[1])(ls), plain(s, n, edges[0], edges[1]); got != want {
				t.Fatalf("%q has_cs (edges %v) %q is %v", ls, edges, ln, got)
			}
		}
	})
}
