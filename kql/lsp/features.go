package lsp

import (
	"encoding/json"
	"picket/kql/bind"
	"picket/kql/complete"
	"picket/kql/help"
	"picket/kql/syntax"
	"strings"
	"unicode/utf16"
)

type diagnostic struct {
	Range    rng    `json:"range"`
	Severity int    `json:"severity"` // 1 error, 2 warning
	Code     string `json:"code"`
	Source   string `json:"source"`
	Message  string `json:"message"`
}

// publish sends what is wrong with a document: all errors of all its queries.
func (s *server) publish(d *document) error {
	list := []diagnostic{}
	if len(d.text) > syntax.MaxTextBytes {
		list = append(list, diagnostic{Range: d.rng(syntax.Span{}), Severity: 1, Code: syntax.CodeLimit, Source: "picket", Message: "the text is too long to be checked"})
	}
	for _, q := range d.queries() {
		for _, e := range s.check(d.text[q.Start:q.End]) {
			m := e.Msg
			if e.Suggestion != "" {
				m += " (" + e.Suggestion + ")"
			}
			from, to := q.Start+e.Start, q.Start+e.End
			if to <= from {
				to = min(from+1, len(d.text))
			}
			list = append(list, diagnostic{Range: d.rng(syntax.Span{Start: from, End: to}), Severity: 1, Code: e.Code, Source: "picket", Message: m})
		}
	}
	list = append(list, d.refused()...)
	return s.w.send(notification("textDocument/publishDiagnostics", map[string]any{"uri": d.uri, "version": d.version, "diagnostics": list}))
}

// check parses one query and, where that goes, binds it.
func (s *server) check(text string) syntax.ErrorList {
	doc, errs := syntax.Parse(text)
	if s.o.Schema == nil {
		return errs
	}
	if len(errs) > 0 {
		return bind.Broken(doc, text, errs, s.schema(), bind.Options{})
	}
	_, errs = bind.Bind(doc, text, s.schema(), bind.Options{})
	return errs
}

// refused warns of calls that are right and that the engine refuses when they run.
func (d *document) refused() []diagnostic {
	var out []diagnostic
	for _, t := range syntax.Tokens(d.text) {
		if t.Kind != syntax.TokenFunction {
			continue
		}
		why := ""
		for _, e := range help.Lookup(d.text[t.Start:t.End]) {
			if e.Kind == help.Operator || e.Kind == help.Infix {
				continue
			}
			if why = e.Unsupported; why == "" {
				break
			}
		}
		if why != "" {
			out = append(out, diagnostic{Range: d.rng(t.Span), Severity: 2, Code: syntax.CodeNotSupported, Source: "picket", Message: d.text[t.Start:t.End] + " is refused here: " + why})
		}
	}
	return out
}

type textPosition struct {
	TextDocument textDocument `json:"textDocument"`
	Position     position     `json:"position"`
}

// itemKinds are the protocol's numbers for completions.
var itemKinds = map[complete.Kind]int{
	complete.Table: 22, complete.Column: 5, complete.Function: 3, complete.Aggregate: 3, complete.Plugin: 9,
	complete.Operator: 14, complete.Variable: 6, complete.Keyword: 14,
}

func (s *server) completion(params json.RawMessage) (any, error) {
	var p textPosition
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	at := d.offset(p.Position)
	l := complete.At(d.text, at, s.schema())
	type edit struct {
		Range   rng    `json:"range"`
		NewText string `json:"newText"`
	}
	type item struct {
		Label    string `json:"label"`
		Kind     int    `json:"kind"`
		Detail   string `json:"detail,omitempty"`
		SortText string `json:"sortText"`
		Filter   string `json:"filterText"`
		TextEdit edit   `json:"textEdit"`
	}
	r := d.rng(syntax.Span{Start: l.From, End: at})
	items := make([]item, len(l.Items))
	for i, it := range l.Items {
		items[i] = item{it.Label, itemKinds[it.Kind], it.Detail, order(it.Kind) + it.Label, it.Label, edit{r, it.Insert}}
	}
	return map[string]any{"isIncomplete": false, "items": items}, nil
}

// order puts columns and tables before keywords, and these before functions.
func order(k complete.Kind) string {
	switch k {
	case complete.Column, complete.Table, complete.Variable:
		return "1"
	case complete.Keyword, complete.Operator, complete.Plugin:
		return "2"
	case complete.Aggregate:
		return "3"
	}
	return "4"
}

func (s *server) hover(params json.RawMessage) (any, error) {
	var p textPosition
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	a, ok := complete.Hover(d.text, d.offset(p.Position), s.schema())
	if !ok {
		return nil, nil
	}
	return map[string]any{"contents": map[string]string{"kind": "markdown", "value": a.Text}, "range": d.rng(a.Span)}, nil
}

// signature shows how the call around a place is written, and which parameter stands there.
func (s *server) signature(params json.RawMessage) (any, error) {
	var p textPosition
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	h, ok := complete.Signature(d.text, d.offset(p.Position), s.schema())
	if !ok {
		return nil, nil
	}
	type parameter struct {
		Label [2]int `json:"label"`
	}
	type signature struct {
		Label         string      `json:"label"`
		Documentation string      `json:"documentation,omitempty"`
		Parameters    []parameter `json:"parameters"`
	}
	out := make([]signature, len(h.Calls))
	for i, c := range h.Calls {
		out[i] = signature{Label: c.Label, Documentation: h.Doc, Parameters: []parameter{}}
		for _, q := range c.Params {
			out[i].Parameters = append(out[i].Parameters, parameter{[2]int{s.units(c.Label[:q.Start]), s.units(c.Label[:q.End])}})
		}
	}
	return map[string]any{"signatures": out, "activeSignature": h.Active, "activeParameter": h.Param}, nil
}

// units is the length of a text in what the session counts.
func (s *server) units(text string) int {
	if s.utf8 {
		return len(text)
	}
	return len(utf16.Encode([]rune(text)))
}

// formatting lays out the queries of a document one by one; those with errors stay as they are.
func (s *server) formatting(params json.RawMessage) (any, error) {
	var p struct {
		TextDocument textDocument `json:"textDocument"`
	}
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	edits := []map[string]any{}
	for _, q := range d.queries() {
		old := d.text[q.Start:q.End]
		text, errs := syntax.Format(old)
		text = strings.TrimRight(text, "\n")
		if len(errs) == 0 && text != old {
			edits = append(edits, map[string]any{"range": d.rng(q), "newText": text})
		}
	}
	return edits, nil
}

// symbols are the lets of a document.
func (s *server) symbols(params json.RawMessage) (any, error) {
	var p struct {
		TextDocument textDocument `json:"textDocument"`
	}
	if err := decode(params, &p); err != nil {
		return nil, err
	}
	d, err := s.document(p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	out := []map[string]any{}
	for _, q := range d.queries() {
		doc, _ := syntax.Parse(d.text[q.Start:q.End])
		if doc == nil {
			continue
		}
		for _, st := range doc.Statements {
			let, ok := st.(*syntax.LetStmt)
			if !ok || let.Name == nil || let.Name.Text == "" {
				continue
			}
			kind := 13 // a variable
			detail := ""
			if f, ok := let.Value.(*syntax.Lambda); ok {
				kind = 12
				var names []string
				for _, p := range f.Params {
					if p.TypedName != nil && p.Name != nil {
						names = append(names, p.Name.Text)
					}
				}
				detail = "(" + strings.Join(names, ", ") + ")"
			}
			shift := func(n syntax.Node) rng {
				r := n.Range()
				return d.rng(syntax.Span{Start: q.Start + r.Start, End: q.Start + r.End})
			}
			out = append(out, map[string]any{"name": let.Name.Text, "detail": detail, "kind": kind, "range": shift(let), "selectionRange": shift(let.Name)})
		}
	}
	return out, nil
}
