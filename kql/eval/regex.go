package eval

import (
	"picket/kql/value"
	"regexp"
	"strconv"
	"strings"
)

func regexFuncs(t table) {
	t.pure("MatchRegex", matchRegex)
	t.pure("extract", extract)
	t.pure("extract_all", extractAll)
	t.pure("extractall", extractAll)
	t.pure("replace", func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return replaceRegex(c, n, args[2], args[0], args[1])
	})
	t.pure("replace_regex", func(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		return replaceRegex(c, n, args[0], args[1], args[2])
	})
	t.pure("trim", trim(true, true))
	t.pure("trim_start", trim(true, false))
	t.pure("trim_end", trim(false, true))
	t.pure("regex_quote", str1(regexp.QuoteMeta))
	t.pure("indexof_regex", indexOfRegex)
	t.pure("countof", countOf)
}

// maxPattern bounds the length of a regular expression.
const maxPattern = 16 << 10

type compiled struct {
	re  *regexp.Regexp
	err error
}

// regex compiles a KQL regular expression, once a query: RE2 whose \d, \w and \s are Unicode.
func (c *Ctx) regex(fn, pattern string) (*regexp.Regexp, error) {
	r := remember(c, "regex", pattern, func() compiled {
		if len(pattern) > maxPattern {
			return compiled{err: refuse(fn, "the regular expression has %d bytes, the limit is %d", len(pattern), maxPattern)}
		}
		goPattern, err := translateRegex(pattern)
		if err != nil {
			return compiled{err: refuse(fn, "regular expression %q: %v", pattern, err)}
		}
		re, err := regexp.Compile(goPattern)
		if err != nil {
			return compiled{err: misused(fn, "invalid regular expression %q: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))}
		}
		return compiled{re: re}
	})
	return r.re, r.err
}

// CompileRegex compiles a pattern as matches regex does; other operators (parse kind=regex) share it.
func (c *Ctx) CompileRegex(pattern string) (*regexp.Regexp, error) { return c.regex("regex", pattern) }

const (
	classDigit = `\p{Nd}`
	classWord  = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}`
	classSpace = `\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`
)

type regexError string

func (e regexError) Error() string { return string(e) }

// translateRegex writes the Unicode meaning of \d \w \s and the escape \u into Go's syntax.
func translateRegex(p string) (string, error) {
	if !strings.ContainsRune(p, '\\') && !strings.Contains(p, "&&") {
		return p, nil
	}
	var b strings.Builder
	inClass := false
	for i := 0; i < len(p); i++ {
		c := p[i]
		switch {
		case c == '\\' && i+1 < len(p):
			i++
			e := p[i]
			cls, neg := "", false
			switch e {
			case 'd', 'D':
				cls, neg = classDigit, e == 'D'
			case 'w', 'W':
				cls, neg = classWord, e == 'W'
			case 's', 'S':
				cls, neg = classSpace, e == 'S'
			case 'u', 'U':
				n := 4
				if e == 'U' {
					n = 8
				}
				if i+1 < len(p) && p[i+1] == '{' {
					b.WriteString(`\x`)
					continue
				}
				if i+n >= len(p) {
					return "", regexError("incomplete \\u escape")
				}
				h := p[i+1 : i+1+n]
				if _, err := strconv.ParseUint(h, 16, 32); err != nil {
					return "", regexError("bad \\u escape")
				}
				b.WriteString(`\x{` + h + `}`)
				i += n
				continue
			case 'Q':
				end := strings.Index(p[i:], `\E`)
				lit := p[i+1:]
				if end >= 0 {
					lit = p[i+1 : i+end]
					i += end + 1
				} else {
					i = len(p)
				}
				b.WriteString(regexp.QuoteMeta(lit))
				continue
			case '/', '"', '\'', '#', '&', '~', '@', '%', '=', ':', ';', ',', '!', '<', '>', '`', ' ', '_':
				// an escaped sign that needs no escape
				if e == '<' || e == '>' {
					return "", regexError(`\` + string(e) + ` is not supported`)
				}
				b.WriteByte(e)
				continue
			}
			switch {
			case cls == "":
				b.WriteByte('\\')
				b.WriteByte(e)
			case inClass && neg:
				switch e {
				case 'D':
					b.WriteString(`\P{Nd}`)
				case 'S':
					b.WriteString(`\x{0}-\x{8}\x{E}-\x{1F}!-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF}`)
				default:
					return "", regexError(`\W inside a character class is not supported; write the class the other way round`)
				}
			case inClass:
				b.WriteString(cls)
			case neg:
				b.WriteString("[^" + cls + "]")
			default:
				b.WriteString("[" + cls + "]")
			}
			continue
		case inClass && c == '&' && i+1 < len(p) && p[i+1] == '&':
			return "", regexError("intersections of character classes (&&) are not supported")
		case !inClass && c == '[':
			inClass = true
			b.WriteByte(c)
			if i+1 < len(p) && p[i+1] == '^' {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(p) && p[i+1] == ']' {
				i++
				b.WriteString(`\]`)
			}
			continue
		case inClass && c == '[' && i+1 < len(p) && p[i+1] == ':':
			if end := strings.Index(p[i:], ":]"); end > 0 {
				b.WriteString(p[i : i+end+2])
				i += end + 1
				continue
			}
		case inClass && c == ']':
			inClass = false
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// perPattern runs f with the compiled pattern of each row, compiling a constant one once.
func perPattern(c *Ctx, fn string, pat col[string], n int, f func(re *regexp.Regexp, i int)) error {
	var re *regexp.Regexp
	prev := ""
	for i := 0; i < n; i++ {
		if p := pat.at(i); re == nil || p != prev {
			var err error
			if re, err = c.regex(fn, p); err != nil {
				return err
			}
			prev = p
		}
		f(re, i)
	}
	return nil
}

func matchRegex(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	a := texts(args[0])
	out := value.New(value.Bool, n)
	err := perPattern(c, "matches regex", texts(args[1]), n, func(re *regexp.Regexp, i int) {
		if re.MatchString(a.at(i)) {
			out.I[i] = 1
		}
	})
	return out, err
}

// extract is extract(regex, group, source[, typeof]).
func extract(c *Ctx, ret value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	group, src := longs(args[1]), texts(args[2])
	out := value.New(value.String, n)
	err := perPattern(c, "extract", texts(args[0]), n, func(re *regexp.Regexp, i int) {
		g := int(group.at(i))
		if group.isNull(i) || g < 0 || g > re.NumSubexp() {
			return
		}
		s := src.at(i)
		if g == 0 {
			if m := re.FindStringIndex(s); m != nil {
				out.S[i] = s[m[0]:m[1]]
			}
			return
		}
		if m := re.FindStringSubmatchIndex(s); m != nil && m[2*g] >= 0 {
			out.S[i] = s[m[2*g]:m[2*g+1]]
		}
	})
	if err != nil {
		return nil, err
	}
	if ret == value.Dynamic {
		return parseJSONColumn(out, n), nil
	}
	return convert(out, ret), nil
}

// extractAll is extract_all(regex, [groups,] source): an array of texts for one group, of arrays for more,
// null where nothing matches.
func extractAll(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	src := texts(args[len(args)-1])
	var groups col[any]
	if len(args) == 3 {
		groups = dyns(args[1])
	}
	out := value.New(value.Dynamic, n)
	var refused error
	err := perPattern(c, "extract_all", texts(args[0]), n, func(re *regexp.Regexp, i int) {
		var pick []int
		if len(args) == 3 {
			list, _ := groups.at(i).([]any)
			for _, g := range list {
				k := -1
				switch x := g.(type) {
				case int64:
					k = int(x)
				case string:
					k = re.SubexpIndex(x)
				}
				if k < 0 || k > re.NumSubexp() {
					refused = misused("extract_all", "the regular expression has no group %s", value.FormatDynamic(g))
					return
				}
				pick = append(pick, k)
			}
		} else {
			for k := 1; k <= re.NumSubexp(); k++ {
				pick = append(pick, k)
			}
		}
		if len(pick) == 0 {
			refused = misused("extract_all", "the regular expression has no capture group")
			return
		}
		s := src.at(i)
		ms := re.FindAllStringSubmatchIndex(s, -1)
		if len(ms) == 0 {
			return
		}
		cut := func(m []int, k int) any {
			if m[2*k] < 0 {
				return ""
			}
			return s[m[2*k]:m[2*k+1]]
		}
		all := make([]any, len(ms))
		for j, m := range ms {
			if len(pick) == 1 {
				all[j] = cut(m, pick[0])
				continue
			}
			row := make([]any, len(pick))
			for x, k := range pick {
				row[x] = cut(m, k)
			}
			all[j] = row
		}
		out.D[i] = all
	})
	if err == nil {
		err = refused
	}
	return out, err
}

func replaceRegex(c *Ctx, n int, source, pattern, rewrite *value.Vector) (*value.Vector, error) {
	src, rw := texts(source), texts(rewrite)
	out := value.New(value.String, n)
	tmpl, prev := "", ""
	err := perPattern(c, "replace_regex", texts(pattern), n, func(re *regexp.Regexp, i int) {
		if r := rw.at(i); i == 0 || r != prev {
			prev, tmpl = r, goRewrite(r)
		}
		out.S[i] = re.ReplaceAllString(src.at(i), tmpl)
	})
	return out, err
}

// goRewrite turns \0..\9 into Go's ${n} and protects dollar signs.
func goRewrite(r string) string {
	if !strings.ContainsAny(r, `\$`) {
		return r
	}
	var b strings.Builder
	for i := 0; i < len(r); i++ {
		switch c := r[i]; {
		case c == '$':
			b.WriteString("$$")
		case c == '\\' && i+1 < len(r) && r[i+1] >= '0' && r[i+1] <= '9':
			i++
			b.WriteString("${" + string(r[i]) + "}")
		case c == '\\' && i+1 < len(r) && r[i+1] == '\\':
			i++
			b.WriteByte('\\')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// trim cuts one match of the regular expression at the start, at the end, or at both.
func trim(start, end bool) Func {
	return func(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
		src := texts(args[1])
		out := value.New(value.String, n)
		pat := texts(args[0])
		var head, tail *regexp.Regexp
		prev := ""
		for i := range out.S {
			p := pat.at(i)
			if i == 0 || p != prev {
				var err error
				if _, err = c.regex("trim", p); err != nil {
					return nil, err
				}
				if head, err = c.regex("trim", `\A(?:`+p+`)`); err != nil {
					return nil, err
				}
				if tail, err = c.regex("trim", `(?:`+p+`)\z`); err != nil {
					return nil, err
				}
				prev = p
			}
			s := src.at(i)
			if start {
				if m := head.FindStringIndex(s); m != nil {
					s = s[m[1]:]
				}
			}
			if end {
				if m := tail.FindStringIndex(s); m != nil {
					s = s[:m[0]]
				}
			}
			out.S[i] = s
		}
		return out, nil
	}
}

// countOf counts a text (matches may overlap) or, with kind regex, a regular expression (they may not).
func countOf(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	src, search := texts(args[0]), texts(args[1])
	kind := argString(args, 2, "normal")
	out := value.New(value.Long, n)
	switch kind {
	case "regex":
		err := perPattern(c, "countof", search, n, func(re *regexp.Regexp, i int) {
			out.I[i] = int64(len(re.FindAllStringIndex(src.at(i), -1)))
		})
		return out, err
	case "normal":
	default:
		return nil, misused("countof", "kind must be normal or regex, not %q", kind)
	}
	for i := range out.I {
		s, t := src.at(i), search.at(i)
		if t == "" {
			continue
		}
		for from := 0; ; {
			k := strings.Index(s[from:], t)
			if k < 0 {
				break
			}
			out.I[i]++
			from += k + 1
		}
	}
	return out, nil
}
