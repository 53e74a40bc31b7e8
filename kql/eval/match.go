package eval

import (
	"picket/kql/value"
	"strings"
	"unicode"
	"unicode/utf8"
)

// matchFuncs are the string operators. Terms are maximal runs of Unicode letters and digits, so that an
// underscore delimits; operators without Cs ignore case.
func matchFuncs(t table) {
	add := func(name string, make1 func(needle string, fold bool) func(string) bool) {
		t.pure(name, matcher(make1, true, false))
		t.pure(name+"Cs", matcher(make1, false, false))
		t.pure("Not"+name, matcher(make1, true, true))
		t.pure("Not"+name+"Cs", matcher(make1, false, true))
	}
	add("Has", func(n string, fold bool) func(string) bool { return termMatcher(n, fold, true, true) })
	add("HasPrefix", func(n string, fold bool) func(string) bool { return termMatcher(n, fold, true, false) })
	add("HasSuffix", func(n string, fold bool) func(string) bool { return termMatcher(n, fold, false, true) })
	add("Contains", containsMatcher)
	add("StartsWith", func(n string, fold bool) func(string) bool {
		if !fold {
			return func(s string) bool { return strings.HasPrefix(s, n) }
		}
		n = foldCase(n)
		return func(s string) bool { return foldPrefix(s, n) }
	})
	add("EndsWith", func(n string, fold bool) func(string) bool {
		if !fold {
			return func(s string) bool { return strings.HasSuffix(s, n) }
		}
		n = foldCase(n)
		return func(s string) bool { return foldSuffix(s, n) }
	})
	equalFold := func(n string, _ bool) func(string) bool {
		n = foldCase(n)
		return func(s string) bool { return foldEqual(s, n) }
	}
	t.pure("EqualTilde", matcher(equalFold, true, false))
	t.pure("BangTilde", matcher(equalFold, true, true))
	t.pure("Search", matcher(func(n string, _ bool) func(string) bool { return searchMatcher(n) }, true, false))
	t.pure("HasAny", hasList(true))
	t.pure("HasAll", hasList(false))
	t.pure("has_any_index", hasAnyIndex)
	for _, n := range []string{"Like", "LikeCs", "NotLike", "NotLikeCs"} {
		t.pure(n, func(*Ctx, value.Type, int, []*value.Vector) (*value.Vector, error) {
			return nil, refuse("like", "the legacy operators like and notlike are not supported; use contains, startswith or matches regex")
		})
	}
}

// matcher turns a predicate over a needle into a column operator; a constant needle is prepared once.
func matcher(make1 func(needle string, fold bool) func(string) bool, fold, negate bool) Func {
	var flip int64
	if negate {
		flip = 1
	}
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := texts(args[0]), texts(args[1])
		out := value.New(value.Bool, n)
		o := out.I
		var f func(string) bool
		prev := ""
		for i := range o {
			if needle := b.at(i); f == nil || needle != prev {
				f, prev = make1(needle, fold), needle
			}
			o[i] = flip
			if f(a.at(i)) {
				o[i] = 1 - flip
			}
		}
		return out, nil
	}
}

// foldCase gives the lower-case form under which operators that ignore case compare.
func foldCase(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || c >= 'A' && c <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 32
	}
	return c
}

// asciiFoldAt reports whether s has the folded ASCII text n at byte i.
func asciiFoldAt(s string, i int, n string) bool {
	if len(s)-i < len(n) {
		return false
	}
	for k := 0; k < len(n); k++ {
		if lowerByte(s[i+k]) != n[k] {
			return false
		}
	}
	return true
}

func foldPrefix(s, n string) bool {
	if isASCII(n) {
		return asciiFoldAt(s, 0, n)
	}
	return strings.HasPrefix(foldCase(s), n)
}

func foldSuffix(s, n string) bool {
	if isASCII(n) {
		return len(s) >= len(n) && asciiFoldAt(s, len(s)-len(n), n)
	}
	return strings.HasSuffix(foldCase(s), n)
}

func foldEqual(s, n string) bool {
	if isASCII(n) {
		return len(s) == len(n) && asciiFoldAt(s, 0, n)
	}
	return foldCase(s) == n
}

// commonBytes lists the bytes of logs from the most to the least frequent; those not listed are rarer still.
const commonBytes = " 012e3\"4t5a6o7,8i9:nsr-./lhdcumpfg=_wybvkxjqz"

// foldNeedle is a folded text to look for. An ASCII one is found in text as it stands, by way of its rarest byte;
// any other one only in folded text.
type foldNeedle struct {
	n      string
	ascii  bool
	anchor int
	lo, up byte
}

func newFoldNeedle(n string) foldNeedle {
	f := foldNeedle{n: n, ascii: isASCII(n)}
	if n == "" || !f.ascii {
		return f
	}
	best := -1
	for i := range len(n) {
		rank := strings.IndexByte(commonBytes, n[i])
		if rank < 0 {
			rank = len(commonBytes)
		}
		if rank > best {
			best, f.anchor = rank, i
		}
	}
	f.lo = n[f.anchor]
	f.up = f.lo
	if f.lo >= 'a' && f.lo <= 'z' {
		f.up = f.lo - 32
	}
	return f
}

// index finds the needle in s at or after from.
func (f *foldNeedle) index(s string, from int) int {
	if !f.ascii {
		if i := strings.Index(s[from:], f.n); i >= 0 {
			return from + i
		}
		return -1
	}
	if f.n == "" {
		return from
	}
	// The anchor of a hit lies from here on and before end.
	from, end := from+f.anchor, len(s)-len(f.n)+1+f.anchor
	if from >= end {
		return -1
	}
	next := func(c byte, i int) int {
		if i < end {
			if k := strings.IndexByte(s[i:end], c); k >= 0 {
				return i + k
			}
		}
		return end
	}
	a, b := next(f.lo, from), end
	if f.up != f.lo {
		b = next(f.up, from)
	}
	for a < end || b < end {
		i := min(a, b)
		if asciiFoldAt(s, i-f.anchor, f.n) {
			return i - f.anchor
		}
		if i == a {
			a = next(f.lo, i+1)
		} else {
			b = next(f.up, i+1)
		}
	}
	return -1
}

func containsMatcher(n string, fold bool) func(string) bool {
	if !fold {
		return func(s string) bool { return strings.Contains(s, n) }
	}
	f := newFoldNeedle(foldCase(n))
	if f.ascii {
		return func(s string) bool { return f.index(s, 0) >= 0 }
	}
	return func(s string) bool { return strings.Contains(foldCase(s), f.n) }
}

func termRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func termByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// termBefore reports whether a letter or digit ends at byte i of s.
func termBefore(s string, i int) bool {
	if i == 0 {
		return false
	}
	if c := s[i-1]; c < utf8.RuneSelf {
		return termByte(c)
	}
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return termRune(r)
}

// termAfter reports whether a letter or digit starts at byte i of s.
func termAfter(s string, i int) bool {
	if i >= len(s) {
		return false
	}
	if c := s[i]; c < utf8.RuneSelf {
		return termByte(c)
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return termRune(r)
}

// termMatcher finds a needle that starts (left) and ends (right) at the edge of a term; an edge is only asked for
// where the needle's own end is a letter or digit.
func termMatcher(n string, fold, left, right bool) func(string) bool {
	if n == "" {
		return func(string) bool { return true }
	}
	find, ascii := func(s string, from int) int {
		if i := strings.Index(s[from:], n); i >= 0 {
			return from + i
		}
		return -1
	}, false
	if fold {
		n = foldCase(n)
		f := newFoldNeedle(n)
		find, ascii = f.index, f.ascii
	}
	left = left && termAfter(n, 0)
	right = right && termBefore(n, len(n))
	_, first := utf8.DecodeRuneInString(n)
	return func(s string) bool {
		if len(s) < len(n) && (ascii || !fold) {
			return false
		}
		if fold && !ascii {
			s = foldCase(s)
		}
		for from := 0; from+len(n) <= len(s); {
			i := find(s, from)
			if i < 0 {
				return false
			}
			if (!left || !termBefore(s, i)) && (!right || !termAfter(s, i+len(n))) {
				return true
			}
			from = i + first
		}
		return false
	}
}

// searchMatcher is the operator ":" of search: a term, or with * at the ends a prefix, a suffix, a part.
func searchMatcher(n string) func(string) bool {
	if n == "*" || n == "" {
		return func(string) bool { return true }
	}
	head, tail := strings.HasPrefix(n, "*"), strings.HasSuffix(n, "*")
	core := strings.TrimSuffix(strings.TrimPrefix(n, "*"), "*")
	if strings.Contains(core, "*") {
		return wildcardMatcher(n)
	}
	switch {
	case head && tail:
		return containsMatcher(core, true)
	case head:
		return termMatcher(core, true, false, true)
	case tail:
		return termMatcher(core, true, true, false)
	}
	return termMatcher(core, true, true, true)
}

// wildcardMatcher finds the parts between stars one after the other, the outer ones at the edge of a term.
func wildcardMatcher(n string) func(string) bool {
	parts := strings.Split(foldCase(n), "*")
	return func(s string) bool {
		s = foldCase(s)
		at := 0
		for k, p := range parts {
			if p == "" {
				continue
			}
			for {
				i := strings.Index(s[at:], p)
				if i < 0 {
					return false
				}
				i += at
				at = i + len(p)
				if k == 0 && termAfter(p, 0) && termBefore(s, i) {
					continue
				}
				if k == len(parts)-1 && termBefore(p, len(p)) && termAfter(s, at) {
					continue
				}
				break
			}
		}
		return true
	}
}

// hasList is has_any and has_all; arrays among the items stand for their elements.
func hasList(anyOf bool) Func {
	return func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		items := args[1:]
		constant := true
		for _, it := range items {
			constant = constant && it.Const
		}
		build := func(i int) []func(string) bool {
			var fs []func(string) bool
			for _, it := range items {
				eachItem(it, i, func(e *value.Vector) {
					fs = append(fs, termMatcher(value.Text(e, 0), true, true, true))
				})
			}
			return fs
		}
		var fs []func(string) bool
		if constant {
			fs = build(0)
		}
		return boolRows(n, func(i int) bool {
			if !constant {
				fs = build(i)
			}
			s := a.at(i)
			for _, f := range fs {
				if f(s) == anyOf {
					return anyOf
				}
			}
			return !anyOf
		}), nil
	}
}

// hasAnyIndex gives the place of the first item that s has, or -1.
func hasAnyIndex(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, list := texts(args[0]), dyns(args[1])
	out := value.New(value.Long, n)
	var fs []func(string) bool
	for i := range out.I {
		if i == 0 || !list.constant() {
			fs = nil
			arr, ok := list.at(i).([]any)
			if !ok {
				out.I[i] = -1
				fs = nil
			}
			for _, e := range arr {
				fs = append(fs, termMatcher(value.FormatDynamic(e), true, true, true))
			}
		}
		out.I[i] = -1
		s := a.at(i)
		for k, f := range fs {
			if f(s) {
				out.I[i] = int64(k)
				break
			}
		}
	}
	return out, nil
}
