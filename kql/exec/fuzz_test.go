package exec

import (
	"testing"

	"picket/kql/plan"
	"picket/kql/value"
)

// FuzzParseKv feeds parse-kv texts and delimiters of any kind: it must end, and give only keys that were asked for or
// written.
func FuzzParseKv(f *testing.F) {
	f.Add("a=1 b=2", " ", "=", `"`, `\`, false)
	f.Add(`k="x \" y";j=`, ";", "=", `"`, `\`, true)
	f.Add("[INFO] Id:45, Text: x", "", "", "'", "", false)
	f.Add("é=ü,=,", ",", "=", "()", "", true)
	f.Fuzz(func(t *testing.T, s, pair, kv, quote, escape string, greedy bool) {
		n := &plan.ParseKv{
			Keys:          []plan.Col{{ID: 1, Name: "Id", Type: value.Long}, {ID: 2, Name: "Text", Type: value.String}},
			PairDelimiter: pair, KvDelimiter: kv, HasPair: pair != "", HasKv: kv != "", Quote: []string{quote}, Escape: escape, Greedy: greedy,
		}
		p := kvParser{n: n, s: s}
		p.parse()
	})
}

// FuzzMatchParts feeds parse's simple patterns: what the columns hold must be parts of the text.
func FuzzMatchParts(f *testing.F) {
	f.Add("a###b###c", "###", true, false)
	f.Add("x=1 y=2", "=", false, true)
	f.Add("", "", true, true)
	f.Fuzz(func(t *testing.T, s, lit string, star, number bool) {
		typ := value.String
		if number {
			typ = value.Long
		}
		parts := []plan.ParsePart{{Star: true}, {Text: lit}, {Col: plan.Col{ID: 1, Type: typ}}, {Col: plan.Col{ID: 2, Type: value.String}}, {Text: lit}}
		if !star {
			parts = parts[1:]
		}
		out := make([]string, 2)
		if matchParts(parts, s, out) && len(out[0])+len(out[1])+2*len(lit) > len(s) {
			t.Errorf("%q by %q: %q", s, lit, out)
		}
	})
}
