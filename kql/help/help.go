// Package help tells people what KQL has: a line, the signatures and an example for every function, aggregate, plugin
// and operator, and which of them this engine refuses. Commands, the terminal and the language server show it.
//
//	e, ok := help.Lookup("arg_max")
//	e.Doc            // "row with the greatest value: …"
//	e.Signatures[0]  // "arg_max(maximized, [returned, …])"
//	help.Unsupported() // for an editor that should not offer them
//
// The texts stand in the .txt files beside this one, a tab between name and text; examples of what is no operator in
// examples.txt, each a query that runs without tables. Signatures come from kql/catalog. [Pages] makes the pages of the
// documentation of all that.
package help

import (
	_ "embed"
	"fmt"
	"picket/kql/catalog"
	"picket/kql/value"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Kind is what an entry is.
type Kind string

// The kinds. An Operator stands behind a bar, an Infix between two values.
const (
	Function  Kind = "function"
	Aggregate Kind = "aggregate"
	Plugin    Kind = "plugin"
	Operator  Kind = "operator"
	Infix     Kind = "infix"
)

// Entry is one thing of the language.
type Entry struct {
	Name       string   `json:"name"`
	Kind       Kind     `json:"kind"`
	Doc        string   `json:"doc"`
	Signatures []string `json:"signatures,omitempty"` // of an operator its form
	Example    string   `json:"example,omitempty"`    // a whole query
	Instead    string   `json:"instead,omitempty"`    // what to use in place of an obsolete one
	// Unsupported says why the engine refuses it; "" when it serves it.
	Unsupported string `json:"unsupported,omitempty"`

	fn *catalog.Function
}

//go:embed functions.txt
var functionTexts string

//go:embed aggregates.txt
var aggregateTexts string

//go:embed plugins.txt
var pluginTexts string

//go:embed operators.txt
var operatorTexts string

//go:embed infix.txt
var infixTexts string

//go:embed examples.txt
var exampleTexts string

type index struct {
	all    []Entry
	byName map[string][]int // lower case
}

var load = sync.OnceValue(func() *index {
	x := &index{byName: map[string][]int{}}
	why := map[Kind]map[string]string{}
	for _, m := range Unsupported() {
		if why[m.Kind] == nil {
			why[m.Kind] = map[string]string{}
		}
		why[m.Kind][m.Name] = m.Why
	}
	examples := map[string]string{}
	for _, l := range strings.Split(exampleTexts, "\n") {
		if f := strings.Split(l, "\t"); len(f) == 3 {
			examples[f[0]+" "+f[1]] = f[2]
		}
	}
	add := func(e Entry) {
		e.Unsupported = why[e.Kind][e.Name]
		if q := examples[string(e.Kind)+" "+e.Name]; q != "" {
			e.Example = q
		}
		x.all = append(x.all, e)
	}
	for _, t := range []struct {
		kind  Kind
		texts string
		fns   []catalog.Function
	}{{Function, functionTexts, catalog.Functions()}, {Aggregate, aggregateTexts, catalog.Aggregates()}, {Plugin, pluginTexts, catalog.Plugins()}} {
		docs := lines(t.texts)
		seen := map[string]bool{}
		for i := range t.fns {
			f := &t.fns[i]
			if f.Hidden {
				continue
			}
			seen[f.Name] = true
			e := Entry{Name: f.Name, Kind: t.kind, Signatures: Signatures(f), Instead: f.Alternative, fn: f}
			if d := docs[f.Name]; len(d) > 1 {
				e.Doc = d[1]
			}
			add(e)
		}
		for name, d := range docs { // picket's own
			if !seen[name] {
				add(Entry{Name: name, Kind: t.kind, Doc: d[1], Signatures: []string{name + "(…)"}})
			}
		}
	}
	for _, d := range lines(operatorTexts) {
		e := Entry{Name: d[0], Kind: Operator, Signatures: []string{d[1]}, Doc: d[2]}
		if len(d) > 3 {
			e.Example = d[3]
		}
		add(e)
	}
	for _, d := range lines(infixTexts) {
		f, ok := catalog.LookupOperator(d[0])
		if !ok {
			panic("BUG: help knows an operator that the catalogue lacks: " + d[0])
		}
		add(Entry{Name: d[1], Kind: Infix, Doc: d[2], fn: f})
	}
	sort.SliceStable(x.all, func(i, j int) bool {
		if x.all[i].Name != x.all[j].Name {
			return x.all[i].Name < x.all[j].Name
		}
		if x.all[i].Kind != x.all[j].Kind {
			return x.all[i].Kind < x.all[j].Kind
		}
		return x.all[i].Doc < x.all[j].Doc // unary and binary operators share a name
	})
	for i := range x.all {
		k := strings.ToLower(x.all[i].Name)
		x.byName[k] = append(x.byName[k], i)
	}
	return x
})

func lines(text string) map[string][]string {
	out := map[string][]string{}
	for _, l := range strings.Split(text, "\n") {
		if f := strings.Split(l, "\t"); len(f) > 1 {
			out[f[0]] = f
		}
	}
	return out
}

// All lists everything, by name. Callers must not change it.
func All() []Entry { return load().all }

// Lookup finds the entries of a name, whatever its case: some names are both, as sum (aggregate) or tdigest_merge.
func Lookup(name string) []Entry {
	x := load()
	var out []Entry
	for _, i := range x.byName[strings.ToLower(name)] {
		out = append(out, x.all[i])
	}
	return out
}

// Near lists names that hold text, for somebody who looks for one; at most limit.
func Near(text string, limit int) []string {
	text = strings.ToLower(text)
	var out []string
	for _, e := range All() {
		if len(out) < limit && strings.Contains(strings.ToLower(e.Name), text) && !slices.Contains(out, e.Name) {
			out = append(out, e.Name)
		}
	}
	return out
}

// Signatures writes the ways to call a function: parameters that may be left out in brackets, … where they repeat.
func Signatures(f *catalog.Function) []string {
	var out []string
	for i := range f.Signatures {
		s := &f.Signatures[i]
		var ps []string
		for k := range s.Params {
			ps = append(ps, paramText(&s.Params[k]))
		}
		t := f.Name + "(" + strings.Join(ps, ", ") + ")"
		if r := returns(s); r != "" {
			t += ": " + r
		}
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

func paramText(p *catalog.Param) string {
	t := p.Name
	if k := paramType(p); k != "" {
		t += ": " + k
	}
	if p.Max > 1 {
		t += ", …"
	}
	if p.Min == 0 {
		t = "[" + t + "]"
	}
	return t
}

// paramType names what a parameter takes; "" when it takes any scalar.
func paramType(p *catalog.Param) string {
	if len(p.Values) > 0 && len(p.Values) <= 8 {
		return "'" + strings.Join(p.Values, "'|'") + "'"
	}
	switch p.Kind {
	case catalog.Declared:
		names := make([]string, len(p.Types))
		for i, t := range p.Types {
			names[i] = t.String()
		}
		return strings.Join(names, "|")
	case catalog.Integer:
		return "int|long"
	case catalog.Number, catalog.Summable:
		return "number"
	case catalog.NumberOrBool:
		return "number|bool"
	case catalog.StringOrDynamic:
		return "string|dynamic"
	case catalog.StringOrArray:
		return "string|array"
	case catalog.IntegerOrArray:
		return "long|array"
	case catalog.DynamicArray:
		return "array"
	case catalog.DynamicBag:
		return "bag"
	case catalog.Tabular:
		return "table"
	}
	return ""
}

func returns(s *catalog.Signature) string {
	switch s.Return {
	case catalog.Typed:
		if s.Type != value.Invalid && s.Type != value.Unknown {
			return s.Type.String()
		}
	case catalog.FromParameter0, catalog.FromParameter0Promoted:
		if len(s.Params) > 0 {
			return "as " + s.Params[0].Name
		}
	case catalog.FromParameter1:
		if len(s.Params) > 1 {
			return "as " + s.Params[1].Name
		}
	case catalog.FromParameter0Array:
		return "dynamic"
	}
	return ""
}

// Text is an entry for a terminal or, with markdown, for an editor.
func (e *Entry) Text(markdown bool) string {
	var b strings.Builder
	code := func(lines ...string) {
		if markdown {
			fmt.Fprintf(&b, "```kusto\n%s\n```\n", strings.Join(lines, "\n"))
			return
		}
		for _, l := range lines {
			b.WriteString("  " + l + "\n")
		}
	}
	if len(e.Signatures) > 0 {
		code(e.Signatures...)
	} else {
		code(e.Name)
	}
	fmt.Fprintf(&b, "%s: %s\n", e.Kind, e.Doc)
	if e.Instead != "" {
		fmt.Fprintf(&b, "obsolete: use %s\n", e.Instead)
	}
	if e.Unsupported != "" {
		fmt.Fprintf(&b, "refused here: %s\n", e.Unsupported)
	}
	if e.Example != "" {
		if markdown {
			b.WriteString("\n")
		}
		code(e.Example)
	}
	return b.String()
}

// Call is one way to call a function.
type Call struct {
	Label  string      // "strcat(arg1: string, …): string"
	Params []CallParam // in order
}

// CallParam is a parameter of a Call.
type CallParam struct {
	Name       string
	Start, End int // its place in the label, in bytes
	Repeats    bool
}

// Calls are the ways to call an entry; none for an operator and for what the catalogue has no signatures of.
func (e *Entry) Calls() []Call {
	if e.fn == nil || e.Kind == Operator || e.Kind == Infix {
		return nil
	}
	var out []Call
	for i := range e.fn.Signatures {
		s := &e.fn.Signatures[i]
		c := Call{Label: e.fn.Name + "("}
		for k := range s.Params {
			p := &s.Params[k]
			if k > 0 {
				c.Label += ", "
			}
			from := len(c.Label)
			c.Label += paramText(p)
			c.Params = append(c.Params, CallParam{p.Name, from, len(c.Label), p.Max > 1})
		}
		c.Label += ")"
		if r := returns(s); r != "" {
			c.Label += ": " + r
		}
		if !slices.ContainsFunc(out, func(o Call) bool { return o.Label == c.Label }) {
			out = append(out, c)
		}
	}
	return out
}
