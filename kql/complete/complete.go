package complete

import (
	"picket/kql/bind"
	"picket/kql/help"
	"picket/kql/syntax"
	"picket/kql/value"
	"sort"
	"strings"
	"unicode/utf8"
)

// Kind is what an item is.
type Kind string

// The kinds.
const (
	Table     Kind = "table"
	Column    Kind = "column"
	Function  Kind = "function"
	Aggregate Kind = "aggregate"
	Plugin    Kind = "plugin"
	Operator  Kind = "operator"
	Variable  Kind = "variable" // of a let
	Keyword   Kind = "keyword"
)

// Item is something that may be written.
type Item struct {
	Label  string
	Kind   Kind
	Detail string // a type or signature
	Insert string // what to write in place of the word
}

// List is what may be written at a place.
type List struct {
	From  int // the word from here to the place is replaced
	Items []Item
}

const maxItems = 1000

// At lists what may be written at an offset of a text, what begins with the word there. schema may be nil.
func At(text string, offset int, schema bind.Schema) List {
	if schema == nil {
		schema = bind.Tables{}
	}
	p := placeAt(text, offset, schema)
	out := List{From: p.from}
	if p.inert || p.path {
		return out
	}
	var items []Item
	f := p.frames[p.pipeline()]
	top := p.frames[len(p.frames)-1]
	here := len(p.toks) // no token stands between the bracket or bar and the word
	switch {
	case top.kind == "[":
		items = append(p.columnItems(), p.functions(false)...)
	case top.bar >= 0 && top.barAt == here, p.subBracket1() && top.at == here && top.bar < 0:
		items = operators()
	case top.at == here && top.bar < 0 && (len(p.frames) == 1 || p.sourceBracket(len(p.frames)-1)):
		items = p.sources(len(p.frames) == 1 || top.kind == "{")
	default:
		items = p.inside(&f)
	}
	lower := strings.ToLower(p.word)
	seen := map[string]bool{}
	for _, it := range items {
		if strings.HasPrefix(strings.ToLower(it.Label), lower) && !seen[string(it.Kind)+it.Label] && len(out.Items) < maxItems {
			seen[string(it.Kind)+it.Label] = true
			out.Items = append(out.Items, it)
		}
	}
	return out
}

func (p *place) subBracket1() bool { return len(p.frames) > 1 && p.subBracket(len(p.frames)-1) }

// operators are what may follow a bar.
func operators() []Item {
	var out []Item
	for _, e := range help.All() {
		if e.Kind != help.Operator || e.Unsupported != "" {
			continue
		}
		switch e.Name {
		case "let", "datatable", "externaldata", "materialize", "toscalar", "print", "range", "find":
			continue
		}
		out = append(out, Item{e.Name, Operator, e.Doc, e.Name})
	}
	return out
}

// sources are what a row of operators begins with.
func (p *place) sources(statement bool) []Item {
	var out []Item
	out = append(out, p.letItems()...)
	for _, n := range p.schema.Tables(bind.Scope{}) {
		out = append(out, Item{n, Table, "table", quoteName(n)})
	}
	words := []string{"print", "range", "union", "search", "find", "datatable", "materialize"}
	if statement {
		words = append(words, "let", "set", "declare")
	}
	for _, w := range words {
		detail := ""
		for _, e := range help.Lookup(w) {
			detail = e.Doc
		}
		out = append(out, Item{w, Keyword, detail, w})
	}
	return out
}

// inside are what may stand within an operator.
func (p *place) inside(f *frame) []Item {
	op, first := p.operator(f)
	last := strings.ToLower(p.tok(len(p.toks) - 1))
	var out []Item
	words := func(ws ...string) {
		for _, w := range ws {
			out = append(out, Item{w, Keyword, op, w})
		}
	}
	direct := f.open == p.frames[len(p.frames)-1].open // not in a bracket of an expression
	before := func(w string) bool {
		for i := first; i < len(p.toks); i++ {
			if strings.EqualFold(p.tok(i), w) {
				return true
			}
		}
		return false
	}
	switch op {
	case "join", "lookup", "union":
		if direct && !before("on") {
			if last == "=" && strings.EqualFold(p.tok(len(p.toks)-2), "kind") {
				if op == "union" {
					words("inner", "outer")
				} else if op == "lookup" {
					words("inner", "leftouter")
				} else {
					words("innerunique", "inner", "leftouter", "rightouter", "fullouter", "leftanti", "rightanti", "leftsemi", "rightsemi")
				}
				return out
			}
			words("kind=", "on")
			if op == "union" {
				words("withsource=", "isfuzzy=")
			}
			return append(p.sources(false), out...)
		}
		if op != "union" {
			words("$left", "$right")
		}
	case "evaluate":
		if len(p.toks) == first+1 {
			for _, e := range help.All() {
				if e.Kind == help.Plugin && e.Unsupported == "" {
					out = append(out, Item{e.Name, Plugin, e.Doc, e.Name})
				}
			}
			return out
		}
	case "render":
		if len(p.toks) == first+1 {
			words("table", "timechart", "linechart", "areachart", "columnchart", "barchart", "piechart", "scatterchart", "stackedareachart", "anomalychart", "card", "ladderchart", "timepivot", "pivotchart", "treemap")
			return out
		}
		words("with", "title=", "xcolumn=", "ycolumns=", "series=", "kind=")
	case "":
		if direct && f.bar < 0 && len(p.toks) > first { // behind a table
			return append(out, p.letItems()...)
		}
	case "in":
		return p.sources(false)
	}
	if direct {
		switch op {
		case "summarize", "distinct", "partition", "reduce", "facet", "top-hitters":
			words("by")
		case "make-series":
			words("on", "from", "to", "step", "by", "default")
		case "sort", "order", "top", "top-nested":
			words("by", "asc", "desc", "nulls first", "nulls last", "of")
		case "parse", "parse-where", "parse-kv":
			words("with", "kind=", "as")
		case "mv-expand", "mv-apply":
			words("to typeof(", "limit", "on")
		case "where", "extend":
			if n := len(p.toks); n > first+1 && p.toks[n-1].Kind != syntax.TokenOperator && last != "and" && last != "or" && last != "(" && last != "," {
				words("and", "or", "contains", "!contains", "has", "!has", "has_cs", "has_any", "has_all", "startswith", "endswith", "matches regex", "in", "in~", "!in", "!in~", "between")
			}
		}
	}
	out = append(p.columnItems(), out...)
	out = append(out, p.letItems()...)
	aggregates := false
	switch op {
	case "summarize", "make-series", "top-nested":
		aggregates = !before("by") || op == "top-nested"
	}
	return append(out, p.functions(aggregates)...)
}

func (p *place) columnItems() []Item {
	cols := p.columns()
	if op, first := p.operator(&p.frames[p.pipeline()]); (op == "join" || op == "lookup") && p.right(first) != nil {
		cols = append(cols, p.right(first)...)
	}
	out := make([]Item, 0, len(cols))
	for _, c := range cols {
		out = append(out, Item{c.Name, Column, c.Type.String(), quoteName(c.Name)})
	}
	return out
}

// right gives the columns of a join's right side, when it stands in brackets before the place.
func (p *place) right(first int) value.Schema {
	depth, from := 0, -1
	for i := first; i < len(p.toks); i++ {
		switch p.tok(i) {
		case "(":
			if depth == 0 {
				from = p.toks[i].End
			}
			depth++
		case ")":
			depth--
			if depth == 0 && from >= 0 {
				return p.bind(p.pipeline(), p.text[from:p.toks[i].Start])
			}
		}
	}
	return nil
}

func (p *place) functions(aggregates bool) []Item {
	var out []Item
	for _, e := range help.All() {
		if e.Unsupported != "" || e.Instead != "" {
			continue
		}
		k := Function
		switch {
		case e.Kind == help.Function:
		case e.Kind == help.Aggregate && aggregates:
			k = Aggregate
		default:
			continue
		}
		detail := e.Doc
		if len(e.Signatures) > 0 {
			detail = e.Signatures[0]
		}
		out = append(out, Item{e.Name, k, detail, e.Name})
	}
	return out
}

// letItems are the names that lets before the place declare.
func (p *place) letItems() []Item {
	doc, _ := syntax.Parse(p.lets(len(p.frames)-1) + ";")
	if doc == nil {
		return nil
	}
	var out []Item
	for _, s := range doc.Statements {
		let, ok := s.(*syntax.LetStmt)
		if !ok || let.Name == nil || let.Name.Text == "" {
			continue
		}
		out = append(out, Item{let.Name.Text, Variable, "let", quoteName(let.Name.Text)})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Label < out[j].Label })
	return out
}

// quoteName is a name as it must be written.
func quoteName(n string) string {
	plain := n != "" && (n[0] < '0' || n[0] > '9')
	for i := 0; i < len(n); i++ {
		plain = plain && isWord(n[i]) && n[i] != '$' && n[i] < utf8.RuneSelf
	}
	if plain {
		toks := syntax.Tokens(n)
		plain = len(toks) == 1 && (toks[0].Kind == syntax.TokenIdentifier || toks[0].Kind == syntax.TokenKeyword && nameKeyword(n))
	}
	if plain {
		return n
	}
	return "[" + syntax.Quote(n) + "]"
}

// nameKeyword reports whether a keyword is also a name.
func nameKeyword(n string) bool {
	_, errs := syntax.Parse("T | project " + n)
	return len(errs) == 0
}
