package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseKv takes keys and values out of a string. The first of equal keys wins; a value that doesn't convert to its
// column's type is null. A delimiter that the query doesn't give is any run of characters that are neither letters
// nor digits.
func (x *run) parseKv(n *plan.ParseKv) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	text, err := x.compile(n.X, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	from, err := picks("parse-kv", n.Out, cols, n.Keys)
	if err != nil {
		return nil, err
	}
	if text.window {
		in = x.whole(in, cols)
	}
	var re *regexp.Regexp
	if n.Regex != "" {
		if re, err = x.ev.CompileRegex(n.Regex); err != nil {
			return nil, &Error{Code: "Invalid", Msg: "the pattern of parse-kv is no regular expression: " + err.Error(), At: n.X.Pos(), Err: err}
		}
		if re.NumSubexp() != 2 {
			return nil, invalid(n.X.Pos(), "the pattern of parse-kv must have two groups, one for the key and one for the value, not %d", re.NumSubexp())
		}
	}
	return func(yield func(*batch, error) bool) {
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
			got := emptyBatch(n.Keys)
			for _, c := range got.vecs {
				c.Grow(b.n)
			}
			for i := 0; i < b.n; i++ {
				p := kvParser{n: n, re: re, s: value.Text(v, i)}
				found := p.parse()
				for c, k := range n.Keys {
					if s, ok := found[k.Name]; ok {
						got.vecs[c].Set(i, parseText(s, k.Type))
					} else {
						got.vecs[c].SetNull(i)
					}
				}
			}
			out := &batch{n: b.n, vecs: make([]*value.Vector, len(from))}
			for c, at := range from {
				if at < 0 {
					out.vecs[c] = got.vecs[-1-at]
				} else {
					out.vecs[c] = b.vecs[at]
				}
			}
			if !yield(out, nil) {
				return
			}
		}
	}, nil
}

// kvParser reads one text.
type kvParser struct {
	n   *plan.ParseKv
	re  *regexp.Regexp // when keys and values are the groups of a regular expression
	s   string
	pos int
}

// quote returns the closing mark and the width of the opening one when s has an opening mark at pos. A pair of marks is
// written as one or two characters.
func (p *kvParser) quote() (closing string, width int) {
	for _, q := range p.n.Quote {
		open, w := utf8.DecodeRuneInString(q)
		if w > 0 && strings.HasPrefix(p.s[p.pos:], string(open)) {
			if len(q) > w {
				return q[w:], w
			}
			return q, w
		}
	}
	return "", 0
}

// quoted reads a quoted text at pos, whose opening mark is width bytes long.
func (p *kvParser) quoted(closing string, width int) string {
	p.pos += width
	var b strings.Builder
	for p.pos < len(p.s) {
		if e := p.n.Escape; e != "" && strings.HasPrefix(p.s[p.pos:], e) && p.pos+len(e) < len(p.s) {
			p.pos += len(e)
			_, w := utf8.DecodeRuneInString(p.s[p.pos:])
			b.WriteString(p.s[p.pos : p.pos+w])
			p.pos += w
			continue
		}
		if strings.HasPrefix(p.s[p.pos:], closing) {
			p.pos += len(closing)
			break
		}
		b.WriteByte(p.s[p.pos])
		p.pos++
	}
	return b.String()
}

// delimiter gives the length of the delimiter at pos, 0 when there is none. An unwritten one (text "") is a run of
// characters that are neither letters nor digits.
func (p *kvParser) delimiter(text string, written bool) int {
	if written {
		if strings.HasPrefix(p.s[p.pos:], text) {
			return len(text)
		}
		return 0
	}
	n := 0
	for p.pos+n < len(p.s) {
		r, w := utf8.DecodeRuneInString(p.s[p.pos+n:])
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			break
		}
		if _, q := (&kvParser{n: p.n, s: p.s, pos: p.pos + n}).quote(); q > 0 {
			break
		}
		n += w
	}
	return n
}

func (p *kvParser) parse() map[string]string {
	found := map[string]string{}
	if p.re != nil {
		for _, m := range p.re.FindAllStringSubmatch(p.s, -1) {
			if _, dup := found[strings.TrimSpace(m[1])]; !dup {
				found[strings.TrimSpace(m[1])] = strings.TrimSpace(m[2])
			}
		}
		return found
	}
	if p.n.HasPair && p.n.PairDelimiter == "" || p.n.HasKv && p.n.KvDelimiter == "" {
		return found
	}
	put := func(k, v string) {
		if _, dup := found[k]; !dup {
			found[k] = v
		}
	}
	if p.n.Greedy {
		p.greedy(put)
		return found
	}
	for p.pos < len(p.s) {
		key, ok := p.key()
		if !ok {
			continue
		}
		put(key, p.value())
		if n := p.delimiter(p.n.PairDelimiter, p.n.HasPair); n > 0 {
			p.pos += n
		}
	}
	return found
}

// key reads up to a key-value delimiter. It is false, past the pair delimiter, when a pair has no value.
func (p *kvParser) key() (string, bool) {
	p.blanks()
	if closing, w := p.quote(); w > 0 {
		key := p.quoted(closing, w)
		p.blanks()
		if n := p.delimiter(p.n.KvDelimiter, p.n.HasKv); n > 0 {
			p.pos += n
			return key, true
		}
		return "", false
	}
	begin := p.pos
	for p.pos < len(p.s) {
		if n := p.delimiter(p.n.KvDelimiter, p.n.HasKv); n > 0 {
			key := strings.TrimSpace(p.s[begin:p.pos])
			if !p.n.HasKv && !p.wanted(key) {
				p.pos += n
				return "", false
			}
			p.pos += n
			return key, true
		}
		if p.n.HasPair {
			if n := p.delimiter(p.n.PairDelimiter, true); n > 0 {
				p.pos += n
				return "", false
			}
		} else if p.n.HasKv && p.pos > begin {
			// With an unwritten pair delimiter a key is the run of letters and digits before the delimiter.
			if n := p.delimiter("", false); n > 0 {
				save := p.pos
				p.pos += n
				if p.pos < len(p.s) && !strings.HasPrefix(p.s[save:], p.n.KvDelimiter) {
					begin = p.pos
				}
				continue
			}
		}
		_, w := utf8.DecodeRuneInString(p.s[p.pos:])
		p.pos += w
	}
	return "", false
}

// wanted says whether the query asks for the key.
func (p *kvParser) wanted(key string) bool {
	for _, k := range p.n.Keys {
		if k.Name == key {
			return true
		}
	}
	return false
}

func (p *kvParser) blanks() {
	for p.pos < len(p.s) && (p.s[p.pos] == ' ' || p.s[p.pos] == '\t') {
		if p.n.HasPair && strings.HasPrefix(p.s[p.pos:], p.n.PairDelimiter) {
			return
		}
		if p.n.HasKv && strings.HasPrefix(p.s[p.pos:], p.n.KvDelimiter) {
			return
		}
		p.pos++
	}
}

// value reads up to the next pair delimiter.
func (p *kvParser) value() string {
	p.blanks()
	if closing, w := p.quote(); w > 0 {
		return p.quoted(closing, w)
	}
	begin := p.pos
	for p.pos < len(p.s) {
		if p.delimiter(p.n.PairDelimiter, p.n.HasPair) > 0 {
			break
		}
		_, w := utf8.DecodeRuneInString(p.s[p.pos:])
		p.pos += w
	}
	return strings.TrimSpace(p.s[begin:p.pos])
}

// greedy reads values that may hold pair delimiters: a value ends where the next "key delimiter" begins.
func (p *kvParser) greedy(put func(k, v string)) {
	kv := p.n.KvDelimiter
	if !p.n.HasKv {
		kv = "="
	}
	pair := p.n.PairDelimiter
	if !p.n.HasPair {
		pair = " "
	}
	for p.pos < len(p.s) {
		at := strings.Index(p.s[p.pos:], kv)
		if at < 0 {
			return
		}
		key := p.s[p.pos : p.pos+at]
		if i := strings.LastIndex(key, pair); i >= 0 {
			key = key[i+len(pair):]
		}
		key = strings.TrimSpace(key)
		p.pos += at + len(kv)
		p.blanks()
		if closing, w := p.quote(); w > 0 {
			put(key, p.quoted(closing, w))
			continue
		}
		rest := p.s[p.pos:]
		end := len(rest)
		if next := strings.Index(rest, kv); next >= 0 {
			if i := strings.LastIndex(rest[:next], pair); i >= 0 {
				end = i
			}
		}
		put(key, strings.TrimSpace(rest[:end]))
		p.pos += end
	}
}
