package eval

import (
	"math"
	"picket/kql/value"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText bounds the text that one function call may build, in bytes.
const maxText = 64 << 20

func stringFuncs(t table) {
	t.pure("strcat", strcat)
	t.pure("strcat_delim", strcatDelim)
	t.pure("strcat_array", strcatArray)
	t.pure("array_strcat", strcatArray)
	t.pure("strcmp", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a, b := texts(args[0]), texts(args[1])
		out := value.New(value.Long, n)
		for i := range out.I {
			out.I[i] = int64(strings.Compare(a.at(i), b.at(i)))
		}
		return out, nil
	})
	t.pure("strrep", strrep)
	t.pure("strlen", strToLong(value.Long, func(s string) (int64, bool) { return int64(utf8.RuneCountInString(s)), true }))
	t.pure("string_size", strToLong(value.Long, func(s string) (int64, bool) { return int64(len(s)), true }))
	t.pure("toupper", str1(strings.ToUpper))
	t.pure("tolower", str1(strings.ToLower))
	t.pure("reverse", str1(func(s string) string {
		r := []rune(s)
		slices.Reverse(r)
		return string(r)
	}))
	codepoints := strToDyn(func(s string) any {
		out := make([]any, 0, len(s))
		for _, r := range s {
			out = append(out, int64(r))
		}
		return out
	})
	t.pure("to_utf8", strToDyn(func(s string) any {
		out := make([]any, len(s))
		for i := range out {
			out[i] = int64(s[i])
		}
		return out
	}))
	t.pure("unicode_codepoints_from_string", codepoints)
	t.pure("make_string", makeString)
	t.pure("unicode_codepoints_to_string", makeString)
	t.pure("substring", substring)
	t.pure("indexof", indexOf)
	t.pure("split", split)
	t.pure("replace_string", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		s, from, to := texts(args[0]), texts(args[1]), texts(args[2])
		out := value.New(value.String, n)
		for i := range out.S {
			out.S[i] = replaceText(s.at(i), from.at(i), to.at(i))
		}
		return out, nil
	})
	t.pure("replace_strings", replaceStrings)
	t.pure("translate", translate)
	t.pure("isascii", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		return boolRows(n, func(i int) bool { return isASCII(a.at(i)) }), nil
	})
	t.pure("isutf8", func(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		a := texts(args[0])
		return boolRows(n, func(i int) bool { return utf8.ValidString(a.at(i)) }), nil
	})
	t.pure("tohex", toHex)
}

func strcat(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	return joinTexts(n, args, nil), nil
}

func strcatDelim(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	return joinTexts(n, args[1:], args[0]), nil
}

func joinTexts(n int, args []*value.Vector, delim *value.Vector) *value.Vector {
	cs := make([]col[string], len(args))
	for k, a := range args {
		cs[k] = texts(a)
	}
	var d col[string]
	if delim != nil {
		d = texts(delim)
	}
	out := value.New(value.String, n)
	var buf []byte
	for i := range out.S {
		buf = buf[:0]
		for k := range cs {
			if k > 0 && delim != nil {
				buf = append(buf, d.at(i)...)
			}
			buf = append(buf, cs[k].at(i)...)
		}
		out.S[i] = string(buf)
	}
	return out
}

func strcatArray(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a, d := dyns(args[0]), texts(args[1])
	out := value.New(value.String, n)
	var buf []byte
	for i := range out.S {
		arr, ok := a.at(i).([]any)
		if !ok {
			out.S[i] = value.FormatDynamic(a.at(i))
			continue
		}
		buf = buf[:0]
		for k, e := range arr {
			if k > 0 {
				buf = append(buf, d.at(i)...)
			}
			buf = append(buf, value.FormatDynamic(e)...)
		}
		out.S[i] = string(buf)
	}
	return out, nil
}

// strrep repeats a text up to 1024 times.
func strrep(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	s, m := texts(args[0]), longs(args[1])
	var d col[string]
	if len(args) > 2 {
		d = texts(args[2])
	}
	out := value.New(value.String, n)
	for i := range out.S {
		k := m.at(i)
		if m.isNull(i) || k <= 0 {
			continue
		}
		k = min(k, 1024)
		t := s.at(i)
		delim := ""
		if len(args) > 2 {
			delim = d.at(i)
		}
		if int(k)*(len(t)+len(delim)) > maxText {
			return nil, refuse("strrep", "the result would pass %d bytes", maxText)
		}
		if delim == "" {
			out.S[i] = strings.Repeat(t, int(k))
			continue
		}
		out.S[i] = strings.Repeat(t+delim, int(k)-1) + t
	}
	return out, nil
}

// makeString joins code points, given one by one or in arrays.
func makeString(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	cs := make([]col[any], len(args))
	for k, a := range args {
		cs[k] = dyns(a)
	}
	out := value.New(value.String, n)
	for i := range out.S {
		var b []byte
		put := func(e any) {
			if x, ok := elemLong(e); ok && x >= 0 && x <= utf8.MaxRune {
				b = utf8.AppendRune(b, rune(x))
			}
		}
		for k := range cs {
			if arr, ok := cs[k].at(i).([]any); ok {
				for _, e := range arr {
					put(e)
				}
				continue
			}
			put(cs[k].at(i))
		}
		out.S[i] = string(b)
	}
	return out, nil
}

// runeCut gives the characters from..from+length of s.
func runeCut(s string, from, length int64) string {
	if isASCII(s) {
		if from >= int64(len(s)) {
			return ""
		}
		return s[from:min(int64(len(s)), from+length)]
	}
	a, b := len(s), len(s)
	k := int64(0)
	for i := range s {
		if k == from {
			a = i
		}
		if k == from+length {
			b = i
			break
		}
		k++
	}
	if a > b {
		return ""
	}
	return s[a:b]
}

// substring counts characters from 0; a negative start counts from the end and gives nothing when it reaches
// beyond the start, a negative length gives nothing.
func substring(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	s, from := texts(args[0]), longs(args[1])
	var length col[int64]
	if len(args) > 2 {
		length = longs(args[2])
	}
	out := value.New(value.String, n)
	for i := range out.S {
		t, a := s.at(i), from.at(i)
		if from.isNull(i) {
			continue
		}
		l := int64(len(t))
		if len(args) > 2 {
			if length.isNull(i) || length.at(i) <= 0 {
				continue
			}
			l = min(l, length.at(i))
		}
		if a < 0 {
			a += int64(utf8.RuneCountInString(t))
			if a < 0 {
				continue
			}
		}
		out.S[i] = runeCut(t, a, l)
	}
	return out, nil
}

// span is the part of a text that indexof looks at. The length counts again from each hit when a later occurrence
// is asked for.
type span struct{ start, length, nth col[int64] }

func spanOf(args []*value.Vector) (sp span, has [3]bool) {
	for k := 2; k < len(args); k++ {
		has[k-2] = true
		switch k {
		case 2:
			sp.start = longs(args[k])
		case 3:
			sp.length = longs(args[k])
		case 4:
			sp.nth = longs(args[k])
		}
	}
	return sp, has
}

// bounds gives the first and the end character of row i over a text of size characters, and the occurrence
// asked for; ok is false when the row has no answer (null).
func (sp span) bounds(i int, has [3]bool, size int64) (from, to, nth int64, ok bool) {
	to, nth = size, 1
	if has[0] {
		from = sp.start.at(i)
		if sp.start.isNull(i) {
			from = 0
		}
		if from < 0 {
			from = max(0, from+size)
		}
		from = min(from, size)
	}
	if has[1] && !sp.length.isNull(i) {
		l := sp.length.at(i)
		if l < -1 {
			return 0, 0, 0, false
		}
		if l >= 0 {
			to = min(size, from+l)
		}
	}
	if has[2] && !sp.nth.isNull(i) {
		nth = sp.nth.at(i)
		if nth <= 0 {
			return 0, 0, 0, false
		}
	}
	return from, to, nth, true
}

// indexOf counts characters; -1 when the text is not there, null for an empty text or bad bounds.
func indexOf(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	s, m := texts(args[0]), texts(args[1])
	sp, has := spanOf(args)
	out := value.New(value.Long, n)
	for i := range out.I {
		t, u := s.at(i), m.at(i)
		if u == "" {
			out.SetNull(i)
			continue
		}
		if len(args) == 2 {
			k := strings.Index(t, u)
			if k > 0 {
				k = utf8.RuneCountInString(t[:k])
			}
			out.I[i] = int64(k)
			continue
		}
		size := int64(utf8.RuneCountInString(t))
		from, to, nth, ok := sp.bounds(i, has, size)
		if !ok {
			out.SetNull(i)
			continue
		}
		out.I[i] = -1
		for width := to - from; ; {
			part := runeCut(t, from, width)
			k := strings.Index(part, u)
			if k < 0 {
				break
			}
			from += int64(utf8.RuneCountInString(part[:k]))
			if nth--; nth == 0 {
				out.I[i] = from
				break
			}
			from++
		}
	}
	return out, nil
}

func indexOfRegex(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	s := texts(args[0])
	sp, has := spanOf(args)
	out := value.New(value.Long, n)
	err := perPattern(c, "indexof_regex", texts(args[1]), n, func(re *regexp.Regexp, i int) {
		t := s.at(i)
		from, to, nth, ok := sp.bounds(i, has, int64(utf8.RuneCountInString(t)))
		if !ok || has[0] && sp.start.at(i) < 0 {
			out.SetNull(i)
			return
		}
		part := runeCut(t, from, to-from)
		out.I[i] = -1
		ms := re.FindAllStringIndex(part, int(min(nth, 1<<20)))
		if int64(len(ms)) == nth {
			out.I[i] = from + int64(utf8.RuneCountInString(part[:ms[nth-1][0]]))
		}
	})
	return out, err
}

// split cuts at a delimiter; with an index it gives an array of that one part, null beyond the end.
func split(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	s, d := texts(args[0]), texts(args[1])
	var idx col[int64]
	if len(args) > 2 {
		idx = longs(args[2])
	}
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		t, u := s.at(i), d.at(i)
		parts := []string{t}
		if u != "" {
			parts = strings.Split(t, u)
		}
		if len(args) > 2 {
			k := idx.at(i)
			if idx.isNull(i) || k < 0 || k >= int64(len(parts)) {
				continue
			}
			out.D[i] = []any{parts[k]}
			continue
		}
		arr := make([]any, len(parts))
		for k, p := range parts {
			arr[k] = p
		}
		out.D[i] = arr
	}
	return out, nil
}

func replaceText(s, from, to string) string {
	if from == "" {
		return s
	}
	return strings.ReplaceAll(s, from, to)
}

// replaceStrings replaces one lookup after the other; what one has put in is not looked at again.
func replaceStrings(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	s, from, to := texts(args[0]), dyns(args[1]), dyns(args[2])
	out := value.New(value.String, n)
	var keys, vals []string
	for i := range out.S {
		if i == 0 || !from.constant() || !to.constant() {
			f, _ := from.at(i).([]any)
			t, _ := to.at(i).([]any)
			keys, vals = keys[:0], vals[:0]
			if len(f) == len(t) {
				for k, e := range f {
					key, isText := e.(string)
					val, ok := t[k].(string)
					if !ok { // a replacement that is no text keeps what was there
						val = key
					}
					if isText && key != "" {
						keys, vals = append(keys, key), append(vals, val)
					}
				}
			}
		}
		out.S[i] = replaceMany(s.at(i), keys, vals)
	}
	return out, nil
}

func replaceMany(s string, keys, vals []string) string {
	type piece struct {
		text string
		done bool
	}
	pieces := []piece{{text: s}}
	for k, key := range keys {
		var next []piece
		hit := false
		for _, p := range pieces {
			if p.done || !strings.Contains(p.text, key) {
				next = append(next, p)
				continue
			}
			hit = true
			for i, part := range strings.Split(p.text, key) {
				if i > 0 {
					next = append(next, piece{vals[k], true})
				}
				if part != "" {
					next = append(next, piece{text: part})
				}
			}
		}
		if hit {
			pieces = next
		}
	}
	if len(pieces) == 1 {
		return pieces[0].text
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// translate maps characters of the search list to those of the replacement list; a short replacement list repeats
// its last character, an empty one removes.
func translate(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	from, to, s := texts(args[0]), texts(args[1]), texts(args[2])
	out := value.New(value.String, n)
	var m map[rune]rune
	prevF, prevT := "", ""
	for i := range out.S {
		f, t := from.at(i), to.at(i)
		if i == 0 || f != prevF || t != prevT {
			prevF, prevT = f, t
			m = map[rune]rune{}
			fr, tr := []rune(f), []rune(t)
			for k, r := range fr {
				if _, ok := m[r]; ok {
					continue
				}
				switch {
				case len(tr) == 0:
					m[r] = -1
				case k < len(tr):
					m[r] = tr[k]
				default:
					m[r] = tr[len(tr)-1]
				}
			}
		}
		out.S[i] = strings.Map(func(r rune) rune {
			if x, ok := m[r]; ok {
				return x
			}
			return r
		}, s.at(i))
	}
	return out, nil
}

// toHex writes a whole number in hexadecimal, at least minLength digits long.
// maxHex is the most digits that tohex() pads to.
const maxHex = 16

// toHex writes a negative number as wide as its type: 8 digits of an int, 16 of a long.
func toHex(_ *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := longs(args[0])
	var w col[int64]
	if len(args) > 1 {
		w = longs(args[1])
	}
	mask := ^uint64(0)
	if args[0].Type == value.Int {
		mask = math.MaxUint32
	}
	out := value.New(value.String, n)
	for i := range out.S {
		if a.isNull(i) {
			continue
		}
		h := strconv.FormatUint(uint64(a.at(i))&mask, 16)
		if len(args) > 1 && !w.isNull(i) {
			if k := min(w.at(i), maxHex); int64(len(h)) < k {
				h = strings.Repeat("0", int(k)-len(h)) + h
			}
		}
		out.S[i] = h
	}
	return out, nil
}

func sortStrings(s []string) { slices.Sort(s) }
