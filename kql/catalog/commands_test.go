package catalog

import "testing"

func TestCommands(t *testing.T) {
	rules := map[string]bool{}
	var walk func(c string, g *Grammar)
	walk = func(c string, g *Grammar) {
		want := map[GrammarOp]int{GrammarOpt: 1, GrammarUnless: 2, GrammarRepeat: 1}
		if n, ok := want[g.Op]; ok && len(g.Kids) != n {
			t.Errorf("%s: a piece of kind %d has %d pieces, not %d", c, g.Op, len(g.Kids), n)
		}
		if (g.Op == GrammarToken) != (len(g.Texts) > 0) || (g.Op == GrammarRule) != (g.Rule != "") {
			t.Errorf("%s: a piece of kind %d has texts %q and rule %q", c, g.Op, g.Texts, g.Rule)
		}
		if g.Rule != "" {
			rules[g.Rule] = true
		}
		for _, k := range g.Kids {
			walk(c, k)
		}
	}
	seen := map[string]bool{}
	for _, c := range Commands() {
		if seen[c.Name] {
			t.Errorf("%s stands twice", c.Name)
		}
		seen[c.Name] = true
		walk(c.Name, c.Grammar)
	}
	if len(seen) < 600 || len(rules) < 20 {
		t.Errorf("%d commands with %d rules; there are more", len(seen), len(rules))
	}
	for _, name := range []string{"ShowTables", "CreateTable", "SetTable", "CreateFunction"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
