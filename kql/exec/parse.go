package exec

import (
	"picket/kql/plan"
	"picket/kql/value"
	"strconv"
	"strings"
)

// maxPattern bounds the length of a compiled parse pattern.
const maxPattern = 64 << 10

// parse takes a string apart by a pattern. Simple and relaxed patterns are anchored at both ends: a column or a
// star reaches to the first place where the next literal stands, the last literal must end the text. In a simple
// pattern every typed column must convert, else nothing matches; a relaxed one leaves that column null. A regex
// pattern is one regular expression: columns are greedy (unless flag U), numbers match digits only.
func (x *run) parse(n *plan.Parse) (batches, error) {
	in, err := x.build(n.Input)
	if err != nil {
		return nil, err
	}
	cols := n.Input.Cols()
	text, err := x.compile(n.X, layoutOf(cols))
	if err != nil {
		return nil, err
	}
	var filled []plan.Col
	for _, p := range n.Parts {
		if p.Col.ID != 0 {
			filled = append(filled, p.Col)
		}
	}
	from, err := picks("parse", n.Out, cols, filled)
	if err != nil {
		return nil, err
	}
	var match func(s string, out []string) bool
	if n.Kind == plan.ParseRegex {
		if match, err = x.regexMatcher(n); err != nil {
			return nil, err
		}
	} else {
		match = func(s string, out []string) bool { return matchParts(n.Parts, s, out) }
	}
	if text.window {
		in = x.whole(in, cols)
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
			got := emptyBatch(filled)
			for _, c := range got.vecs {
				c.Grow(b.n)
			}
			parts := make([]string, len(filled))
			cells := make([]value.Value, len(filled))
			var rows []int32
			for i := 0; i < b.n; i++ {
				ok := match(value.Text(v, i), parts) && convertParts(n.Kind, filled, parts, cells)
				if ok {
					for c := range filled {
						got.vecs[c].Set(i, cells[c])
					}
					rows = append(rows, int32(i))
					continue
				}
				for _, c := range got.vecs {
					c.SetNull(i)
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
			if n.Where && len(rows) < out.n {
				out = out.gather(rows)
			}
			if out.n > 0 && !yield(out, nil) {
				return
			}
		}
	}, nil
}

// convertParts turns the texts of a match into cells; false when the kind asks for all and one doesn't convert.
func convertParts(kind plan.ParseKind, cols []plan.Col, texts []string, cells []value.Value) bool {
	for c, col := range cols {
		cells[c] = parseText(texts[c], col.Type)
		if cells[c].Null && kind == plan.ParseSimple {
			return false
		}
	}
	return true
}

// matchParts matches s against literals, stars and columns, and fills the columns' texts.
func matchParts(parts []plan.ParsePart, s string, out []string) bool {
	pos, col := 0, -1
	open := false // a star or column waits for its end
	begin := 0
	var num bool
	take := func(end int) {
		if col >= 0 {
			out[col] = s[begin:end]
		}
	}
	next := 0 // index of the next column
	for i, p := range parts {
		switch {
		case p.Star || p.Col.ID != 0:
			if open {
				// Two holes without a literal between: a number takes its digits, anything else nothing.
				end := begin
				if num {
					end += numberPrefix(s[begin:])
				}
				take(end)
				pos = end
			}
			open, begin, col, num = true, pos, -1, false
			if p.Col.ID != 0 {
				col = next
				next++
				num = isNumber(p.Col.Type)
			}
		default:
			last := i == len(parts)-1
			switch {
			case !open && last && s[pos:] != p.Text, !open && !strings.HasPrefix(s[pos:], p.Text):
				return false
			case !open:
				pos += len(p.Text)
			case last:
				if !strings.HasSuffix(s[pos:], p.Text) {
					return false
				}
				take(len(s) - len(p.Text))
				pos, open = len(s), false
			default:
				at := strings.Index(s[pos:], p.Text)
				if at < 0 {
					return false
				}
				take(pos + at)
				pos += at + len(p.Text)
				open = false
			}
		}
	}
	if open {
		take(len(s))
		return true
	}
	return pos == len(s)
}

func isNumber(t value.Type) bool {
	switch t {
	case value.Int, value.Long, value.Real, value.Decimal:
		return true
	}
	return false
}

func numberPrefix(s string) int {
	n := 0
	for n < len(s) {
		c := s[n]
		if c >= '0' && c <= '9' || c == '.' || (n == 0 && (c == '-' || c == '+')) {
			n++
			continue
		}
		break
	}
	return n
}

// regexMatcher builds the expression of a regex pattern.
func (x *run) regexMatcher(n *plan.Parse) (func(string, []string) bool, error) {
	var b strings.Builder
	b.WriteString("^")
	var groups []string
	for _, p := range n.Parts {
		switch {
		case p.Star:
			b.WriteString("(?:.*?)")
		case p.Col.ID != 0:
			name := "column" + strconv.Itoa(len(groups))
			groups = append(groups, name)
			b.WriteString("(?P<" + name + ">" + typePattern(p.Col.Type) + ")")
		default:
			b.WriteString("(?:" + p.Text + ")")
		}
	}
	b.WriteString("$")
	src := b.String()
	if n.Flags != "" {
		src = "(?" + n.Flags + ")" + src
	}
	if len(src) > maxPattern {
		return nil, &LimitError{What: "bytes of a parse pattern", Limit: maxPattern}
	}
	re, err := x.ev.CompileRegex(src)
	if err != nil {
		return nil, &Error{Code: "Invalid", Msg: "the pattern of parse is no regular expression: " + err.Error(), At: n.X.Pos(), Err: err}
	}
	at := make([]int, len(groups))
	for i, g := range groups {
		at[i] = re.SubexpIndex(g)
	}
	return func(s string, out []string) bool {
		m := re.FindStringSubmatchIndex(s)
		if m == nil {
			return false
		}
		for i, g := range at {
			out[i] = ""
			if m[2*g] >= 0 {
				out[i] = s[m[2*g]:m[2*g+1]]
			}
		}
		return true
	}, nil
}

func typePattern(t value.Type) string {
	switch t {
	case value.Int, value.Long:
		return `[-+]?[0-9]+`
	case value.Real, value.Decimal:
		return `[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?`
	case value.Bool:
		return `(?i:true|false)|[0-9]+`
	}
	return `.*`
}
