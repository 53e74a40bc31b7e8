package catalog

import (
	"picket/kql/value"
	"sort"
	"testing"
)

func TestTablesAreSortedAndWhole(t *testing.T) {
	for _, c := range []struct {
		name string
		t    []Function
		min  int
	}{{"functions", functions, 429}, {"aggregates", aggregates, 61}, {"plugins", plugins, 47}, {"operators", operators, 55}, {"own plugins", ownPlugins, 1}} {
		if len(c.t) < c.min {
			t.Errorf("%s: %d entries, want at least %d", c.name, len(c.t), c.min)
		}
		if !sort.SliceIsSorted(c.t, func(i, j int) bool { return c.t[i].Name < c.t[j].Name }) {
			t.Errorf("%s are not sorted by name", c.name)
		}
		for i := range c.t {
			if f := &c.t[i]; len(f.Signatures) == 0 || f.MinArgs() > f.MaxArgs() {
				t.Errorf("%s: %s has no usable signature", c.name, f.Name)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	f, ok := LookupFunction("strcat")
	if !ok || f.Signatures[0].Type != value.String || f.Signatures[0].Params[0].Max != 64 {
		t.Fatalf("strcat: %+v", f)
	}
	if _, ok := LookupFunction("STRCAT"); ok {
		t.Error("names must be case sensitive")
	}
	if p, ok := LookupPlugin("schema_merge"); !ok || p.MaxArgs() != 1 {
		t.Error("schema_merge must be there")
	}
	if o, ok := LookupOperator("HasCs"); !ok || len(o.Signatures) != 2 {
		t.Error("HasCs must be there")
	}
	if !IsScope("workspace") || IsScope("database") {
		t.Error("IsScope")
	}
}
