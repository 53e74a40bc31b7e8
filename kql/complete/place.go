package complete

import (
	"picket/kql/bind"
	"picket/kql/syntax"
	"picket/kql/value"
	"strings"
	"unicode/utf8"
)

// maxText bounds what is looked at before a place.
const maxText = 256 << 10

// place is what stands around an offset.
type place struct {
	text   string // up to the offset
	schema bind.Schema
	from   int // where the word at the offset begins
	word   string
	inert  bool // in a comment or a text

	toks   []syntax.Token // of the statement, before the word
	frames []frame        // open brackets of the statement, the outermost (without a bracket) first
	begin  int            // of the statement
	path   bool           // behind a dot
}

// frame is what is inside a bracket so far.
type frame struct {
	open  int    // offset of the bracket, or of the statement
	at    int    // number of tokens before its inside
	bar   int    // offset of its last bar, -1 for none
	barAt int    // number of tokens before that bar's operator
	kind  string // "", "(", "[", "{"
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// placeAt looks at the text before an offset.
func placeAt(text string, offset int, schema bind.Schema) *place {
	offset = max(0, min(offset, len(text)))
	p := &place{text: text[:offset], schema: schema, from: offset}
	if offset > maxText {
		p.inert = true
		return p
	}
	for p.from > 0 && isWord(text[p.from-1]) {
		p.from--
	}
	toks := syntax.Tokens(p.text)
	if n := len(toks); n > 0 && toks[n-1].End >= offset {
		switch t := toks[n-1]; t.Kind {
		case syntax.TokenComment, syntax.TokenDirective:
			p.inert = !strings.HasSuffix(p.text, "\n") // it ends with its line
		case syntax.TokenString:
			p.inert = t.End == offset && !closed(p.text[t.Start:t.End])
		case syntax.TokenBad:
			c := p.text[t.Start]
			p.inert = c == '"' || c == '\'' || c == '@' || c == '`' || c == 'h' || c == 'H'
		}
	}
	if q := hyphened(p.text, p.from); q < p.from {
		p.from = q
	}
	p.word = p.text[p.from:]
	p.path = p.from > 0 && p.text[p.from-1] == '.'
	p.statement(toks)
	return p
}

// hyphened moves the start of a word back over hyphens when an operator's name stands there: "project-aw".
func hyphened(text string, from int) int {
	i := from
	for i > 0 && (isWord(text[i-1]) || text[i-1] == '-') {
		i--
	}
	w := text[i:]
	for _, o := range hyphenNames {
		if strings.HasPrefix(o, strings.ToLower(w)) && strings.Contains(w, "-") {
			return i
		}
	}
	return from
}

var hyphenNames = []string{
	"assert-schema", "graph-mark-components", "graph-match", "graph-shortest-paths", "graph-to-table", "graph-where-nodes",
	"graph-where-edges", "macro-expand", "make-graph", "make-series", "mv-apply", "mv-expand", "parse-kv", "parse-where", "project-away",
	"project-by-names", "project-keep", "project-rename", "project-reorder", "sample-distinct", "top-hitters", "top-nested",
}

func closed(s string) bool {
	s = strings.TrimLeft(s, "@hH")
	if strings.HasPrefix(s, "```") || strings.HasPrefix(s, "~~~") {
		return len(s) >= 6 && strings.HasSuffix(s, s[:3])
	}
	return len(s) >= 2 && s[len(s)-1] == s[0]
}

// statement finds the statement of the place and its open brackets.
func (p *place) statement(all []syntax.Token) {
	var toks []syntax.Token
	for _, t := range all {
		if t.Kind != syntax.TokenComment && t.Kind != syntax.TokenDirective && t.End <= p.from {
			toks = append(toks, t)
		}
	}
	start, depth := 0, 0
	for i, t := range toks {
		switch p.text[t.Start:t.End] {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth = max(0, depth-1)
		case ";":
			if depth == 0 {
				start = i + 1
			}
		}
	}
	if start > 0 {
		p.begin = toks[start-1].End
	}
	for _, q := range syntax.Split(p.text) { // a blank row ends a query
		if q.Start > p.begin && q.Start <= p.from && q.Start > 0 {
			p.begin = q.Start
			for start < len(toks) && toks[start].Start < q.Start {
				start++
			}
		}
	}
	p.toks = toks[start:]
	p.frames = []frame{{open: p.begin, bar: -1}}
	for i, t := range p.toks {
		top := &p.frames[len(p.frames)-1]
		switch s := p.text[t.Start:t.End]; s {
		case "(", "[", "{":
			p.frames = append(p.frames, frame{open: t.Start, at: i + 1, bar: -1, kind: s})
		case ")", "]", "}":
			if len(p.frames) > 1 {
				p.frames = p.frames[:len(p.frames)-1]
			}
		case "|":
			top.bar, top.barAt = t.Start, i+1
		case ";":
			if top.kind == "{" { // the next statement of a function's body
				top.open, top.at, top.bar = t.Start, i+1, -1
			}
		}
	}
}

func (p *place) tok(i int) string {
	if i < 0 || i >= len(p.toks) {
		return ""
	}
	return p.text[p.toks[i].Start:p.toks[i].End]
}

// operator is the name of the operator that the place stands in, and the tokens of it; "" in a source.
func (p *place) operator(f *frame) (name string, first int) {
	first = f.at
	if f.bar >= 0 {
		first = f.barAt
	}
	if first >= len(p.toks) {
		return "", first
	}
	name = p.tok(first)
	if f.bar < 0 && p.toks[first].Kind != syntax.TokenKeyword {
		return "", first
	}
	// The lexer gives project-away and its kin as one keyword.
	return strings.ToLower(name), first
}

// pipeline is the innermost frame whose inside is a row of operators, and the place's operator in it.
func (p *place) pipeline() int {
	for i := len(p.frames) - 1; i > 0; i-- {
		f := &p.frames[i]
		if f.bar >= 0 || p.sourceBracket(i) || p.subBracket(i) {
			return i
		}
	}
	return 0
}

// sourceBracket reports whether a bracket holds a table: join (…), union (…), toscalar(…), in (…).
func (p *place) sourceBracket(i int) bool {
	f := &p.frames[i]
	if f.kind == "{" {
		return true
	}
	if f.kind != "(" {
		return false
	}
	before := strings.ToLower(p.tok(f.at - 2))
	switch before {
	case "toscalar", "materialize", "totable", "as", "view":
		return true
	}
	outer := &p.frames[i-1]
	op, first := p.operator(outer)
	switch op {
	case "join", "lookup", "union":
		for k := first; k < f.at-1; k++ {
			if t := strings.ToLower(p.tok(k)); t == "on" || t == "where" {
				return false
			}
		}
		return true
	}
	// let t = ( … ) and a query in brackets at its start
	return before == "" || before == "=" && strings.EqualFold(p.tok(0), "let") && f.at == 4
}

// subBracket reports whether a bracket holds operators over the rows of the operator it belongs to.
func (p *place) subBracket(i int) bool {
	if p.frames[i].kind != "(" {
		return false
	}
	op, _ := p.operator(&p.frames[i-1])
	before := strings.ToLower(p.tok(p.frames[i].at - 2))
	switch op {
	case "mv-apply", "mvapply":
		return before == "on"
	case "partition":
		return p.frames[i].at-2 > p.frames[i-1].barAt+1
	case "fork":
		return true
	}
	return false
}

// columns binds what stands before the place's operator.
func (p *place) columns() value.Schema {
	i := p.pipeline()
	f := &p.frames[i]
	end := f.bar
	if end < 0 {
		if i > 0 && p.subBracket(i) {
			return p.columnsBefore(i-1, p.frames[i-1].bar)
		}
		return nil
	}
	return p.columnsBefore(i, end)
}

// columnsBefore binds the operators of a frame that stand before an offset.
func (p *place) columnsBefore(i, end int) value.Schema {
	if end < 0 {
		return nil
	}
	f := &p.frames[i]
	start := f.open
	if f.kind != "" {
		start++
	}
	if i > 0 && p.subBracket(i) {
		outer := p.frames[i-1]
		if outer.bar < 0 {
			return nil
		}
		// The rows of the outer operator, then those of the sub-query.
		sub := p.text[start:end]
		return p.bind(i-1, p.source(i-1, outer.bar)+"\n| "+sub)
	}
	return p.bind(i, p.source(i, end))
}

// source is the text of a frame's row of operators before an offset.
func (p *place) source(i, end int) string {
	f := &p.frames[i]
	start := f.open
	if f.kind != "" || f.open > p.begin {
		start++
	}
	s := p.text[start:end]
	if f.kind == "" && strings.EqualFold(p.tok(0), "let") {
		if _, rest, ok := strings.Cut(s, "="); ok {
			s = rest
		}
	}
	return s
}

// bind gives the columns of a query, leaving out its last operators while they are wrong.
func (p *place) bind(i int, query string) value.Schema {
	lets := p.lets(i)
	for range 8 {
		text := lets + query
		doc, errs := syntax.Parse(text)
		if len(errs) == 0 {
			q, errs := bind.Bind(doc, text, p.schema, bind.Options{})
			if len(errs) == 0 && q != nil && len(q.Results) > 0 {
				var s value.Schema
				for _, c := range q.Results[len(q.Results)-1].Node.Cols() {
					s = append(s, value.Column{Name: c.Name, Type: c.Type})
				}
				return s
			}
		}
		cut := lastBar(query)
		if cut < 0 {
			return nil
		}
		query = query[:cut]
	}
	return nil
}

// lets are the statements before the place's own, and those before it in a function's body.
func (p *place) lets(i int) string {
	var b strings.Builder
	start := 0
	for _, q := range syntax.Split(p.text[:p.begin]) {
		start = q.Start
	}
	if s := p.text[start:p.begin]; strings.HasSuffix(strings.TrimSpace(s), ";") {
		b.WriteString(s)
	}
	for k := 1; k <= i; k++ {
		f := &p.frames[k]
		if f.kind == "{" {
			// from the brace to the statement of the place
			brace := strings.LastIndexByte(p.text[:f.open+1], '{')
			if brace >= 0 && brace < f.open {
				b.WriteString(p.text[brace+1:f.open+1] + "\n")
			}
		}
	}
	return b.String()
}

// lastBar is the offset of the last bar outside brackets.
func lastBar(query string) int {
	depth, at := 0, -1
	for _, t := range syntax.Tokens(query) {
		switch query[t.Start:t.End] {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case "|":
			if depth == 0 {
				at = t.Start
			}
		}
	}
	return at
}
