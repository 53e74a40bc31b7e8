package complete

import (
	"picket/kql/bind"
	"picket/kql/help"
	"picket/kql/syntax"
	"strings"
)

// CallHelp tells how the call around a place is written.
type CallHelp struct {
	Calls  []help.Call
	Doc    string
	Active int // the call that the arguments so far fit
	Param  int // the parameter at the place; len of the call's parameters when there are too many arguments
}

// Signature finds the innermost call around an offset: a function, aggregate or plugin of the language, a function of
// a let before it, or a saved function. schema may be nil.
func Signature(text string, offset int, schema bind.Schema) (CallHelp, bool) {
	if schema == nil {
		schema = bind.Tables{}
	}
	p := placeAt(text, offset, schema)
	if p.inert {
		return CallHelp{}, false
	}
	for i := len(p.frames) - 1; i >= 0; i-- {
		f := p.frames[i]
		if f.kind == "[" { // an index, or an array in an argument
			continue
		}
		if f.kind != "(" || f.at < 2 || f.bar >= 0 { // behind a bar stands a query, not an argument
			return CallHelp{}, false
		}
		name := p.text[p.toks[f.at-2].Start:p.toks[f.at-2].End]
		h := p.callHelp(name)
		if len(h.Calls) == 0 {
			continue // brackets of an expression
		}
		h.choose(p, f)
		return h, true
	}
	return CallHelp{}, false
}

// callHelp collects the calls of a name.
func (p *place) callHelp(name string) CallHelp {
	var h CallHelp
	var docs []string
	for _, e := range help.Lookup(name) {
		if calls := e.Calls(); len(calls) > 0 && e.Name == name {
			h.Calls = append(h.Calls, calls...)
			doc := e.Doc
			if e.Unsupported != "" {
				doc += " (refused here: " + e.Unsupported + ")"
			}
			docs = append(docs, doc)
		}
	}
	if len(h.Calls) == 0 {
		params := ""
		if f, ok := p.schema.Function(bind.Scope{}, name); ok {
			params = f.Params
		} else if l := p.lambda(name); l != "" {
			params = l
		}
		if params != "" {
			h.Calls = []help.Call{userCall(name, params)}
		}
	}
	h.Doc = strings.Join(docs, "; ")
	return h
}

// lambda is the parameter list of a let before the place that is a function of that name.
func (p *place) lambda(name string) string {
	doc, _ := syntax.Parse(p.text)
	if doc == nil {
		return ""
	}
	for _, s := range doc.Statements {
		l, ok := s.(*syntax.LetStmt)
		if !ok || l.Name == nil || l.Name.Text != name {
			continue
		}
		f, ok := l.Value.(*syntax.Lambda)
		if !ok {
			continue
		}
		depth, from := 0, -1
		for _, t := range syntax.Tokens(p.text[f.Start:]) {
			switch p.text[f.Start+t.Start : f.Start+t.End] {
			case "(":
				if depth++; from < 0 {
					from = f.Start + t.Start
				}
			case ")":
				if depth--; depth == 0 {
					return p.text[from : f.Start+t.End]
				}
			}
		}
	}
	return ""
}

// userCall is the call of a function that people wrote: its parameters as they stand, split at commas.
func userCall(name, params string) help.Call {
	params = strings.TrimSpace(params)
	c := help.Call{Label: name + params}
	depth, from := 0, len(name)+1
	add := func(to int) {
		t := c.Label[from:to]
		lead := len(t) - len(strings.TrimLeft(t, " \t\r\n"))
		if t = strings.TrimSpace(t); t != "" {
			n, _, _ := strings.Cut(t, ":")
			c.Params = append(c.Params, help.CallParam{Name: strings.TrimSpace(n), Start: from + lead, End: from + lead + len(t)})
		}
	}
	for _, t := range syntax.Tokens(params) {
		at := len(name) + t.Start
		switch params[t.Start:t.End] {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				add(at)
			}
		case ",":
			if depth == 1 {
				add(at)
				from = at + 1
			}
		}
	}
	return c
}

// choose finds the parameter at the place, and the first call that has one for it.
func (h *CallHelp) choose(p *place, f frame) {
	n, depth := 0, 0
	var last []syntax.Token // of the argument at the place
	for _, t := range p.toks[f.at:] {
		switch p.text[t.Start:t.End] {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case ",":
			if depth == 0 {
				n++
				last = nil
				continue
			}
		}
		last = append(last, t)
	}
	name := ""
	if len(last) > 1 && p.text[last[1].Start:last[1].End] == "=" {
		name = p.text[last[0].Start:last[0].End]
	}
	h.Param = n
	for i, c := range h.Calls {
		k := n
		if m := len(c.Params); k >= m && m > 0 && c.Params[m-1].Repeats {
			k = m - 1
		}
		for j := range c.Params {
			if name != "" && c.Params[j].Name == name {
				k = j
			}
		}
		if k < len(c.Params) || n == 0 {
			h.Active, h.Param = i, k
			return
		}
	}
}
